"""Starting CI workflows: what is sent to GitHub and GitLab, what comes back, and what is said when it does not work."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ci_servers import SHA, TOKEN, GitHub, GitLab, github, gitlab, outbox
from hostile import answer, as_json, hang, redirect, reset
from scene import codes, commit, configure, documents, git, lines, started

from llmgenie_mcp import Engine
from llmgenie_mcp.actions import ci as action_ci
from llmgenie_mcp.errors import DefinitionError, UnknownName
from llmgenie_mcp.outcome import Actor
from llmgenie_mcp.records import Outcome


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI_TOKEN", TOKEN)


@pytest.fixture
def hub() -> Iterator[GitHub]:
    with GitHub() as server:
        yield server


@pytest.fixture
def lab() -> Iterator[GitLab]:
    with GitLab() as server:
        yield server


def start(engine: Engine, cancel: threading.Event | None = None, **params: Any) -> Outcome:
    within = started(engine, mode="code")
    return engine.run_action("start_ci", {"name": "build", **params}, session=within, cancel=cancel)


def failed(outcome: Outcome) -> tuple[str, str]:
    assert outcome.status == "failed", outcome
    assert outcome.error is not None
    assert TOKEN not in str(outcome)
    return str(outcome.error["message"]), str(outcome.error["hint"])


# -- what is started -----------------------------------------------------------------------------------------------------


def test_a_github_workflow_is_started_and_its_run_known(engine: Engine, repo: Path, hub: GitHub) -> None:
    configure(repo, ci={"build": github(hub)})
    outcome = start(engine)
    number = max(hub.runs)
    assert outcome.ok, outcome
    wanted = {"name": "build", "provider": "github", "ci_run": str(number), "ref": "main", "ends_with": "ci.finished"}
    assert wanted.items() <= outcome.result.items()
    assert outcome.result["url"] == f"https://github.com/octo/app/actions/runs/{number}"
    assert [asked.json for asked in hub.asked] == [{"ref": "main", "return_run_details": True}]
    (item,) = outbox(engine)
    assert (item["kind"], item["name"], item["destination"]) == ("ci", "build", f"ci:build:{number}")
    assert {"id": str(number), "ref": "main", "branch": "main"}.items() <= item["payload"].items()
    assert documents(engine)["runs"]["RUN-1"]["status"] == "passed"


def test_a_gitlab_pipeline_is_started_and_its_commit_known(engine: Engine, repo: Path, lab: GitLab) -> None:
    configure(repo, ci={"build": gitlab(lab, inputs={"LEVEL": "quick", "DRY": None})})
    outcome = start(engine, ref="feature/x", inputs={"DRY": True})
    assert outcome.ok, outcome
    assert {"ci_run": "40", "commit": SHA, "ref": "feature/x"}.items() <= outcome.result.items()
    (asked,) = lab.asked
    assert asked.path == "/projects/team%2Fapp/pipeline"
    variables = [{"key": "LEVEL", "value": "quick"}, {"key": "DRY", "value": "true"}]
    assert asked.json == {"ref": "feature/x", "variables": variables}


@pytest.mark.parametrize("details", ["refused", "ignored"])
def test_a_run_that_github_does_not_name_is_looked_for(
    engine: Engine, repo: Path, details: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(action_ci, "BETWEEN", 0.01)
    with GitHub(details=details, late=1) as hub:
        configure(repo, ci={"build": github(hub)})
        outcome = start(engine)
        assert outcome.ok, outcome
        assert outcome.result["ci_run"] == str(max(hub.runs)), "not the one of 2020"
        assert outcome.result["commit"] == SHA
        assert hub.count("POST") == (2 if details == "refused" else 1)
        assert len(hub.runs) == 2, "started once"


def test_a_run_that_github_is_slow_to_show_is_left_to_the_watching(
    engine: Engine, repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(action_ci, "BETWEEN", 0.01)
    with GitHub(details="refused", late=99) as hub:
        configure(repo, ci={"build": github(hub)})
        outcome = start(engine)
    assert outcome.ok, outcome
    assert "ci_run" not in outcome.result
    (item,) = outbox(engine)
    assert item["payload"]["id"] == ""
    assert item["payload"]["since"] > 1_700_000_000


def test_the_branch_is_what_was_asked_for_else_set_else_the_sessions_else_the_one_checked_out(
    engine: Engine, repo: Path, hub: GitHub
) -> None:
    git(repo, "switch", "-q", "-c", "feature/x")
    commit(repo, "x.txt")
    session = started(engine, mode="code")
    git(repo, "switch", "-q", "main")
    configure(repo, ci={"build": github(hub), "tagged": github(hub, ref="v1")})
    for params in ({"name": "tagged", "ref": "main"}, {"name": "tagged"}, {"name": "build"}):
        assert engine.run_action("start_ci", params, session=session).ok
    assert engine.run_action("start_ci", {"name": "build"}, actor=Actor("system", "trigger:nightly")).ok
    assert [asked.json["ref"] for asked in hub.asked] == ["main", "v1", "feature/x", "main"]


def test_without_a_branch_nothing_is_started(engine: Engine, repo: Path, hub: GitHub) -> None:
    git(repo, "checkout", "-q", "--detach")
    configure(repo, ci={"build": github(hub)})
    message, hint = failed(start(engine))
    assert "detached" in message
    assert "`ref`" in hint
    assert not hub.asked


def test_inputs_go_out_as_texts_over_those_of_the_settings(engine: Engine, repo: Path, hub: GitHub) -> None:
    configure(repo, ci={"build": github(hub, inputs={"level": "quick", "dry": "false", "version": None})})
    assert start(engine).ok
    assert start(engine, inputs={"dry": True, "version": 3}).ok
    sent = [asked.json["inputs"] for asked in hub.asked]
    assert sent == [{"level": "quick", "dry": "false"}, {"level": "quick", "dry": "true", "version": "3"}]


def test_an_input_that_the_settings_do_not_name_is_refused(engine: Engine, repo: Path, hub: GitHub) -> None:
    configure(repo, ci={"build": github(hub, inputs={"level": "quick"})})
    message, hint = failed(start(engine, inputs={"skip_tests": "true"}))
    assert "'skip_tests' is no input of build" in message
    assert "level" in hint
    assert not hub.asked


# -- who may ---------------------------------------------------------------------------------------------------------------


def test_what_is_not_in_the_settings_or_not_accepted_is_not_started(engine: Engine, repo: Path, hub: GitHub) -> None:
    denied = start(engine)
    assert codes(denied) == ["not_configured"]
    assert "ci: {build: {kind: github" in denied.reasons[0].message
    configure(repo, trusted=False, ci={"build": github(hub)})
    assert codes(start(engine)) == ["not_trusted"]
    with pytest.raises(UnknownName, match="CI workflow"):
        start(engine, name="biuld")
    assert not hub.asked


def test_policies_see_which_workflow_runs_on_which_branch(engine: Engine, repo: Path, hub: GitHub) -> None:
    rule = {
        "id": "not-main",
        "effect": "deny",
        "when": 'resource.type == "ci" and resource.branch == "main"',
        "reason": "no",
    }
    policy = {"name": "quiet", "level": "always_on", "applies_to": {"actions": ["start_ci"]}, "rules": [rule]}
    (repo / ".llmgenie" / "policies").mkdir(parents=True)
    (repo / ".llmgenie" / "policies" / "quiet.yaml").write_text(json.dumps(policy), encoding="utf-8")
    configure(repo, ci={"build": github(hub)})
    assert start(engine).status == "denied"
    assert start(engine, ref="feature/x").ok
    assert len(hub.asked) == 1


@pytest.mark.parametrize(
    "wrong",
    [{"workflow": ""}, {"project": "app"}, {"project": "octo/app/more"}, {"kind": "jenkins"}, {"api": "ftp://x"}],
)
def test_settings_that_cannot_work_are_told_with_their_place(
    engine: Engine, repo: Path, hub: GitHub, wrong: dict[str, str]
) -> None:
    configure(repo, ci={"build": github(hub, **wrong)})
    with pytest.raises(DefinitionError, match=r"llmgenie\.yaml:1:\d+: ci\.build"):
        start(engine)


# -- what goes wrong -------------------------------------------------------------------------------------------------------


def test_a_wrong_token_is_told_by_its_place(
    engine: Engine, repo: Path, hub: GitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI_TOKEN", "another-token-0123456789")
    configure(repo, ci={"build": github(hub)})
    outcome = start(engine)
    message, hint = failed(outcome)
    assert message == "GitHub answered 401 to the request to start ci.yml on main of octo/app: Bad credentials."
    assert "environment variable CI_TOKEN" in hint
    assert "Actions: read and write" in hint
    assert outcome.result["status"] == 401
    assert "another-token" not in str(lines(engine))
    assert not outbox(engine)


def test_a_missing_token_and_one_that_no_header_may_hold_are_told(
    engine: Engine, repo: Path, hub: GitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(repo, ci={"build": github(hub)})
    monkeypatch.delenv("CI_TOKEN")
    assert "no secret in the environment variable CI_TOKEN" in failed(start(engine))[0]
    monkeypatch.setenv("CI_TOKEN", "half\nX-Other: yes")
    outcome = start(engine)
    assert "CI_TOKEN holds a line break" in failed(outcome)[0]
    assert "X-Other" not in str(lines(engine))
    assert not hub.asked


@pytest.mark.parametrize(
    ("change", "params", "status", "words"),
    [
        ({"workflow": "other.yml"}, {}, 404, "workflow_dispatch"),
        ({"project": "octo/none"}, {}, 404, "`project` and `workflow`"),
        ({}, {"ref": "not/pushed"}, 422, "pushed to GitHub"),
    ],
)
def test_githubs_refusals_teach(
    engine: Engine, repo: Path, hub: GitHub, change: Any, params: Any, status: int, words: str
) -> None:
    configure(repo, ci={"build": github(hub, **change)})
    message, hint = failed(start(engine, **params))
    assert f"answered {status}" in message
    assert words in hint


def test_gitlabs_reasons_are_found_whatever_their_shape(engine: Engine, repo: Path, lab: GitLab) -> None:
    configure(repo, ci={"build": gitlab(lab)})
    message, hint = failed(start(engine, ref="not/pushed"))
    assert message.endswith("to start a pipeline on not/pushed of team/app: Reference not found.")
    assert "pushed to GitLab" in hint
    lab.broken = [as_json({"error": "insufficient_scope", "error_description": "needs api"}, 403)]
    message, hint = failed(start(engine, ref="main"))
    assert "insufficient_scope, needs api" in message
    assert "the scope api" in hint


def test_a_vendor_that_breaks_after_it_was_asked_may_have_started_it(engine: Engine, repo: Path, hub: GitHub) -> None:
    configure(repo, ci={"build": github(hub, timeout=0.3)})
    for behaviour in (answer(502, "<html>Bad gateway</html>"), reset(), hang()):
        hub.broken = [behaviour]
        _, hint = failed(start(engine))
        assert "may have been started all the same" in hint
    assert not outbox(engine)


def test_a_redirect_a_page_and_a_private_address_are_settings_to_correct(
    engine: Engine, repo: Path, hub: GitHub
) -> None:
    configure(repo, ci={"build": github(hub)})
    hub.broken = [redirect("https://elsewhere.example.org/", 307), answer(200, "<html>Welcome</html>")]
    assert "No redirect is followed" in failed(start(engine))[1]
    assert "Correct `api`" in failed(start(engine))[1]
    configure(repo, ci={"build": github(hub, allow_private=False)})
    assert "allow_private" in failed(start(engine))[0]
    assert len(hub.asked) == 2


def test_an_answer_that_says_the_token_again_does_not_get_it_into_the_log(
    engine: Engine, repo: Path, hub: GitHub
) -> None:
    configure(repo, ci={"build": github(hub)})
    hub.broken = [as_json({"message": f"Bearer {TOKEN} is not known"}, 401), answer(400, f"<p>{TOKEN}</p>")]
    assert "[secret removed] is not known" in failed(start(engine))[0]
    assert "[secret removed]" in failed(start(engine))[0]
    assert TOKEN not in str(lines(engine))


def test_a_start_can_be_cancelled(engine: Engine, repo: Path, hub: GitHub) -> None:
    configure(repo, ci={"build": github(hub, timeout=60)})
    hub.broken = [hang()]
    cancel, outcomes = threading.Event(), []

    def run() -> None:
        outcomes.append(start(engine, cancel))

    thread = threading.Thread(target=run)
    thread.start()
    hub.wait(1)
    cancel.set()
    thread.join(20)
    assert failed(outcomes[0])[0] == "Starting build was cancelled."
    assert documents(engine)["runs"]["RUN-1"]["status"] == "cancelled"
