"""The command, the webhook's events, the page of the documentation, and what people see of a link."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from outbox_scene import drain, waiting
from tracker_scene import GitHub, act, create, sync, task, tracked

from llmgenie_mcp import Engine
from llmgenie_mcp.config import Settings
from llmgenie_mcp.faces.cli import cli
from llmgenie_mcp.loader import load_bytes
from llmgenie_mcp.receivers.github import receive

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "trackers.md").read_text(encoding="utf-8")


def run(engine: Engine, *words: str) -> tuple[int, str]:
    """Exit code and output of `llmgenie sync`."""
    done = CliRunner().invoke(cli, ["--project", str(engine.project.root), "sync", *words], catch_exceptions=False)
    return done.exit_code, done.output


def test_the_command_reports_line_by_line(shop: Engine, github: GitHub) -> None:
    github.open("It fails")
    create(shop, "Write it down")
    code, text = run(shop, "--dry-run")
    assert (code, github.count("POST", "PATCH")) == (0, 0)
    assert "acme/shop#1 would become a task: It fails" in text
    assert text.splitlines()[-1] == "Would be: github: 1 created, 1 taken."
    code, text = run(shop, "github", "--json")
    assert (code, json.loads(text)["data"]["counts"]) == (0, {"created": 2})
    assert run(shop)[1] == "github: both sides are equal.\n"
    code, text = run(shop, "gitlab")
    assert (code, "gitlab" in text) == (2, True)


def test_a_task_shows_its_issue_and_what_was_said(shop: Engine, github: GitHub) -> None:
    number = github.open("It fails", milestone={"title": "1.0", "number": 3})
    github.say(number, "Since when?")
    sync(shop)
    value = shop.context_data("tasks/TSK-1")["value"]
    assert value["issues"] == {"github": {"issue": 1, "url": "https://github.com/acme/shop/issues/1"}}
    assert [one["text"] for one in value["comments"]] == ["Since when?"]
    assert shop.context_data("comments/CMT-1")["value"]["text"] == "Since when?"
    link = shop.storage.get("links", "github/TSK-1")
    assert link is not None
    assert link["other"]["milestone"]["title"] == "1.0"


def test_labels_choose_the_issues_and_stay_out_of_the_task(shop: Engine, github: GitHub) -> None:
    tracked(shop.project.root, github, labels=["agreed"], create=False)
    github.open("Not ours", labels=["bug"])
    ours = github.open("Ours", labels=["bug", "agreed"])
    sync(shop)
    assert (task(shop)["title"], task(shop)["labels"]) == ("Ours", ["bug"])
    act(shop, "update_task", id="TSK-1", labels=["docs"])
    create(shop, "Stays here")
    drain(shop)
    assert [one["name"] for one in github.issues[ours]["labels"]] == ["agreed", "docs"]
    assert (len(github.issues), waiting(shop)) == (2, [])
    tracked(shop.project.root, github, labels=["agreed"])
    create(shop, "Goes there")
    drain(shop)
    assert [one["name"] for one in github.issues[3]["labels"]] == ["agreed"]


@pytest.mark.parametrize(
    ("kind", "body", "told"),
    [
        ("issues", {"action": "opened"}, "issue.opened"),
        ("issues", {"action": "closed"}, "issue.closed"),
        ("issue_comment", {"action": "created", "comment": {"html_url": "u"}}, "issue.commented"),
        ("issue_comment", {"action": "deleted", "comment": {"html_url": "u"}}, None),
    ],
)
def test_webhooks_of_issues_are_events(kind: str, body: dict[str, Any], told: str | None) -> None:
    issue = {"number": 12, "title": "It fails", "state": "open", "html_url": "u"}
    content = json.dumps({**body, "issue": issue, "repository": {"full_name": "acme/shop"}, "sender": {"login": "ada"}})
    signature = "sha256=" + hmac.new(b"secret-of-the-tests", content.encode(), hashlib.sha256).hexdigest()
    headers = {"x-hub-signature-256": signature, "x-github-event": kind}
    events = receive(headers, content.encode(), "secret-of-the-tests", 0.0).events
    assert [name for name, _ in events] == ([told] if told else [])
    for _, data in events:
        assert (data["number"], data["repository"], data["user"], data["state"]) == (12, "acme/shop", "ada", "open")


def test_settings_on_the_page_load_and_every_setting_is_told() -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    settings = load_bytes(text.encode(), Settings, "settings").value
    assert settings.trackers["github"].conflicts == "theirs"
    told = set(re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", PAGE, re.MULTILINE))
    names = {name for cell in told for name in re.findall(r"\w+", cell)}
    assert set(type(settings.trackers["github"]).model_fields) - {"kind"} <= names
