"""Resources and prompts of other servers: found, accepted, judged, bounded and read by key like everything else."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from scene import configure, define, lines
from upstream_scene import HERE, behind, raw

from llmgenie_mcp import Engine
from llmgenie_mcp.errors import ActionError, NotReadable, UnknownName
from llmgenie_mcp.upstream import listing, pool

LIBRARY: dict[str, Any] = {
    "command": [sys.executable, str(HERE / "library_server.py")],
    "env": {"LIBRARY_KEY": {"env": "LIBRARY_KEY"}},
    "description": "Books.",
}


@pytest.fixture
def library(repo: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setenv("LIBRARY_KEY", "open-sesame-open")
    with behind(repo, library=LIBRARY) as engine:
        yield engine


def test_resources_and_prompts_are_context_data(library: Engine) -> None:
    (about,) = library.context_data("upstream")["items"]
    assert (about["id"], about["description"]) == ("library", "Books.")
    assert (about["tools"], about["resources"], about["prompts"]) == (3, True, ["review"])
    seen: list[dict[str, Any]] = []
    cursor, answers = None, 0
    while answers == 0 or cursor:
        answer = library.context_data("upstream/library", cursor=cursor)
        assert len(json.dumps(answer)) < 10_000
        seen, cursor, answers = [*seen, *answer["items"]], answer["cursor"], answers + 1
    assert answers > 3
    assert seen[0] == {"prompt": "review", "description": "Have a book reviewed.", "params": "book, tone?"}
    assert len(seen) == answer["total"] == 204
    assert {"uri": "memo://rules", "description": "What holds in here."}.items() <= next(
        line for line in seen if line.get("uri") == "memo://rules"
    ).items()
    assert any(line.get("uriTemplate") == "file:///{path}" for line in seen)
    (found,) = library.context_data("upstream/library", query="shelf/77")["items"]
    assert library.context_data(f"upstream/library/{found['uri']}")["value"]["text"] == "memo://shelf/77:\nshelf 77"
    assert library.context_data("upstream/library/prompts")["total"] == 1
    action = library.available_actions(query="review book")["actions"][0]
    assert (action["name"], action["schema"]["required"]) == ("library.prompt:review", ["book"])
    told = library.run_action("library.prompt:review", {"book": "Ulysses", "tone": "brief"})
    assert told.result["text"] == "user: Review Ulysses and be brief."
    logged = [line["action"] for line in lines(library) if line["type"] == "action.completed"]
    assert "library.resource:read" in logged

    # What is read is bounded and without secrets.
    text = library.context_data("upstream/library/memo://rules")["value"]["text"]
    assert "Be quiet." in text
    assert "open-sesame-open" not in text
    assert "ghp_" not in text
    value = library.context_data("upstream/library/memo://long")["value"]
    assert len(value["text"]) <= 10_000
    assert "left out" in value["cut"]
    # A server that would ask back is refused, with what to do.
    for tool in ("join", "think"):
        outcome = library.run_action(f"library.{tool}")
        assert outcome.error is not None, outcome
        assert "give all it needs as parameters" in outcome.error["hint"], outcome.error


def test_what_is_not_there_or_does_not_answer_is_told(library: Engine, repo: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="upstream"):
        library.context_data("upstream/nobody/x")
    with pytest.raises(UnknownName, match="prompt of library") as unknown:
        library.context_data("upstream/library/prompts/revue")
    assert "review" in unknown.value.hint
    with pytest.raises(ActionError, match="resource:read failed"):
        library.context_data("upstream/library/memo://nothing")
    configure(repo, upstreams={"shop": raw(tmp_path, "buy")})
    with pytest.raises(UnknownName, match="resource of shop") as nothing:
        library.context_data("upstream/shop/memo://rules")
    assert "llmgenie upstream refresh" in nothing.value.hint


def test_a_person_accepts_them_first_and_policies_judge_the_reading(library: Engine, repo: Path) -> None:
    define(
        repo,
        "policies",
        "quiet",
        "name: quiet\nlevel: always_on\napplies_to: {actions: ['library.resource:read']}\nrules:\n"
        "  - {id: no-long, effect: deny, when: 'action.params.uri == \"memo://long\"', reason: Not that one.}\n",
    )
    with pytest.raises(NotReadable, match="has not accepted"):
        library.context_data("upstream/library/memo://rules")
    from llmgenie_mcp import trust

    trust.trust(repo / ".llmgenie")
    assert library.context_data("upstream/library/memo://rules")
    with pytest.raises(NotReadable, match="Not that one") as refused:
        library.context_data("upstream/library/memo://long")
    assert refused.value.details["reasons"][0]["rule"] == "quiet/no-long"  # type: ignore[index]
    with pytest.raises(NotReadable, match=r"\.env"):
        library.context_data("upstream/library/file:///%2Eenv")
    listing.forget(library.project.store, "library")
    pool.close_all()
    library.run_action("library.list_tools")
    with pytest.raises(NotReadable, match="accept the tool resource:read of library first"):
        library.context_data("upstream/library/memo://rules")
