"""`llmgenie outbox`: what waits and what was given up, over a real store, with real deliveries to a server on loopback."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ci_servers import TOKEN, GitHub, github
from cli_fixtures import PATIENCE, WORD, answer, data, environment, run, terminal
from scene import configure, lines

from llmgenie_mcp import Actor, Engine
from llmgenie_mcp.engine.dispatcher import Dispatcher


def ruled(repo: Path, **rule: Any) -> None:
    """A project with a rule that writes into the log whenever a note is recorded, and tasks that lead to nothing."""
    step = {"action": "log_entry", "params": {"text": "saw {event.subject}"}}
    given = {"on": "action.completed", "when": 'event.subject == "record_note"', "run": [step], **rule}
    configure(repo, triggers={"echo": given})


def noted(repo: Path, count: int = 1) -> list[str]:
    """Record notes; returns the ids of the items that wait because of them."""
    with Engine.open(repo) as engine:
        for number in range(count):
            assert engine.run_action("record_note", {"key": f"n{number}", "value": number}).ok
        return [item["id"] for item in engine.storage.query("outbox").items]


def given_up(repo: Path) -> str:
    """An item that was given up, since its rule asks for what is not there; returns its id."""
    ruled(repo, run=[{"action": "complete_task", "params": {"id": "TSK-99"}}])
    (id_,) = noted(repo)
    code, document = answer("outbox", "deliver", project=repo)
    assert (code, document["data"]["delivered"]) == (1, 0)
    assert document["data"]["failed"][0]["item"] == id_
    return id_


def test_an_empty_outbox_says_so(repo: Path) -> None:
    assert run("outbox", project=repo).stdout == "Nothing waits, and nothing was given up.\n"
    assert data("outbox", project=repo) == {"items": [], "pending": 0, "dead": 0, "delivering": False}
    assert run("outbox", "deliver", project=repo).stdout == "Nothing waits.\n"
    assert run("outbox", "replay", "--all", project=repo).stdout == "Nothing was given up.\n"


def test_what_waits_is_listed_with_what_it_is_about_and_that_nobody_delivers(repo: Path) -> None:
    ruled(repo)
    (id_,) = noted(repo)
    found = data("outbox", project=repo)
    (item,) = found["items"]
    assert (found["pending"], found["dead"], found["delivering"]) == (1, 0, False)
    assert (item["id"], item["status"], item["destination"]) == (id_, "pending", "trigger:echo")
    assert (item["event"], item["subject"], item["attempts"]) == ("action.completed", "record_note", 0)
    shown = run("outbox", project=repo).stdout
    for part in (
        id_,
        "trigger:echo",
        "action.completed record_note",
        "due",
        "nobody delivers now: llmgenie outbox deliver",
    ):
        assert part in shown


def test_a_running_server_is_told_of(repo: Path) -> None:
    ruled(repo)
    (id_,) = noted(repo)
    code = (
        "import fcntl, sys; lock = open(sys.argv[1], 'a'); fcntl.flock(lock, fcntl.LOCK_EX); print('held', flush=True);"
        "sys.stdin.read()"
    )
    place = repo / ".llmgenie" / "run" / "outbox.lock"
    place.parent.mkdir(exist_ok=True)
    with subprocess.Popen(
        [sys.executable, "-c", code, str(place)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        assert data("outbox", project=repo)["delivering"]
        assert "a running server delivers them" in run("outbox", project=repo).stdout
        assert "A running server delivers" in run("outbox", "deliver", "--timeout", "0.5", project=repo).stdout
        other.communicate("")
    assert data("outbox", project=repo)["items"][0]["id"] == id_
    assert not data("outbox", project=repo)["delivering"]


def test_what_is_due_is_delivered_and_gone(repo: Path) -> None:
    ruled(repo)
    noted(repo, 3)
    found = data("outbox", "deliver", project=repo)
    assert (found["pending"], found["failed"], found["due"]) == (0, [], 0)
    assert data("outbox", project=repo)["items"] == []
    assert [line["params"]["text"] for line in _entries(repo)] == ["saw record_note"] * 3
    assert run("outbox", "deliver", project=repo).stdout == "Nothing waits.\n"


def _entries(repo: Path) -> list[dict[str, Any]]:
    with Engine.open(repo) as engine:
        return [line for line in lines(engine) if line.get("action") == "log_entry"]


def test_what_was_given_up_is_shown_with_why_and_tried_again_when_asked(repo: Path) -> None:
    id_ = given_up(repo)
    shown = run("outbox", project=repo).stdout
    for part in (id_, "dead", "trigger:echo", "TSK-99", "outbox replay --all"):
        assert part in shown
    code, document = answer("outbox", "replay", id_, project=repo)
    found = document["data"]
    assert (code, document["ok"], found["replayed"], found["waiting"]) == (1, False, [id_], [])
    assert [(item["id"], item["status"]) for item in found["left"]] == [
        (id_, "dead")
    ]  # tried at once, and again in vain
    again = run("outbox", "retry", id_, project=repo)
    assert again.exit_code == 1
    assert f"fail {id_}: " in again.stdout
    assert "TSK-99" in again.stdout
    assert f"given up: {id_}. Mend the cause, then: llmgenie outbox retry" in again.stdout
    ruled(repo)
    assert f"Delivered: {id_}." in run("outbox", "replay", id_, project=repo).stdout
    assert data("outbox", project=repo)["items"] == []


def test_all_that_was_given_up_is_tried_again(repo: Path) -> None:
    id_ = given_up(repo)
    ruled(repo)
    assert data("outbox", "replay", "--all", project=repo) == {"replayed": [id_], "left": [], "waiting": []}


def test_what_waits_already_is_not_replayed(repo: Path) -> None:
    ruled(repo)
    (id_,) = noted(repo)
    found = data("outbox", "replay", id_, project=repo)
    assert (found["replayed"], found["waiting"]) == ([], [id_])
    assert f"Waiting already: {id_}." in run("outbox", "replay", id_, project=repo).stdout


@pytest.mark.parametrize("words", [(), ("OUT-1", "--all")])
def test_which_to_replay_is_said_one_way(repo: Path, words: tuple[str, ...]) -> None:
    code, document = answer("outbox", "replay", *words, project=repo)
    assert (code, document["error"]["code"]) == (2, "usage")
    assert "--all" in document["error"]["hint"]


def test_an_unknown_item_is_told(repo: Path) -> None:
    given_up(repo)
    code, document = answer("outbox", "replay", "OUT-9", project=repo)
    assert (code, document["error"]["code"]) == (2, "unknown_name")


def test_only_a_person_drops_what_is_to_be_told(repo: Path) -> None:
    id_ = given_up(repo)
    code, document = answer("outbox", "drop", id_, project=repo)
    assert (code, document["error"]["code"]) == (1, "needs_person")
    with terminal("outbox", "drop", id_, "--project", str(repo)) as screen:
        screen.wait_for(WORD)
        screen.type("no")
        assert screen.ended() == 1
    assert data("outbox", project=repo)["dead"] == 1
    with terminal("outbox", "drop", id_, "--project", str(repo)) as screen:
        screen.wait_for(id_)
        screen.type(screen.wait_for(WORD)[1])
        assert screen.ended() == 0, screen.shown
    assert data("outbox", project=repo)["items"] == []
    with Engine.open(repo) as engine:
        line = lines(engine)[-1]
    assert (line["type"], line["actor"]["kind"], line["items"][0]["item"]) == ("outbox.dropped", "human", id_)


def test_before_a_person_accepted_the_rules_nothing_is_delivered(repo: Path) -> None:
    ruled(repo)
    noted(repo)
    configure(repo, trusted=False, log_output=1)
    code, document = answer("outbox", "deliver", project=repo)
    assert code == 2
    assert f"llmgenie trust --project {repo}" in document["error"]["hint"]
    assert data("outbox", project=repo)["pending"] == 1


@pytest.fixture
def receiver() -> Iterator[ThreadingHTTPServer]:
    """A web server on loopback that answers 500 until `well` is set."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(204 if self.server.well.is_set() else 500)  # type: ignore[attr-defined]
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.well = threading.Event()  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join(PATIENCE)


def test_a_webhook_that_fails_is_told_with_when_it_is_tried_again_and_what_it_says_is_not_shown(
    repo: Path, receiver: ThreadingHTTPServer
) -> None:
    hook = {"url": f"http://127.0.0.1:{receiver.server_port}/x", "events": ["action.completed"], "allow_private": True}
    configure(repo, webhooks={"team": hook}, deliveries={"first_delay": 60})
    noted(repo)
    code, document = answer("outbox", "deliver", project=repo)
    assert code == 1
    (failed,) = document["data"]["failed"]
    assert failed["destination"] == "webhook:team"
    assert "500" in failed["error"]
    (item,) = data("outbox", project=repo)["items"]
    assert item["attempts"] == 1
    assert "payload" not in item
    assert " in " in run("outbox", project=repo).stdout


def test_a_long_outbox_is_shown_in_part(repo: Path) -> None:
    ruled(repo)
    noted(repo, 5)
    found = data("outbox", "--limit", "2", project=repo)
    assert (len(found["items"]), found["pending"]) == (2, 5)
    assert "2 of 5" in run("outbox", "--limit", "2", project=repo).stdout


def test_looking_into_the_outbox_needs_the_store_alone(repo: Path) -> None:
    ruled(repo)
    noted(repo)
    look = (
        "import sys; from llmgenie_mcp.faces.cli import cli\n"
        "try: cli.main(sys.argv[1:], prog_name='llmgenie')\n"
        "except SystemExit as end: assert not end.code\n"
        "print(sorted({'pydantic', 'fastapi', 'starlette', 'mcp', 'jsonschema'} & set(sys.modules)), file=sys.stderr)"
    )
    for words in (("outbox",), ("token", "list")):
        done = subprocess.run(
            [sys.executable, "-c", look, *words, "--project", str(repo)],
            env=environment(),
            capture_output=True,
            text=True,
        )
        assert done.stderr == "[]\n"


def test_a_server_of_this_process_counts_as_well(repo: Path, engine: Engine) -> None:
    ruled(repo)
    assert engine.run_action("create_task", {"title": "t"}).ok
    dispatcher = Dispatcher(engine, sources=False)
    dispatcher.start()
    try:
        assert dispatcher.delivering.wait(PATIENCE)
        assert data("outbox", project=repo)["delivering"]
    finally:
        dispatcher.stop()


def test_what_is_looked_at_again_later_is_under_way_and_no_failure(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI_TOKEN", TOKEN)
    with GitHub(("in_progress", None)) as hub:
        configure(repo, ci={"build": github(hub, poll=600)})
        with Engine.open(repo) as engine:
            assert engine.run_action("start_ci", {"name": "build"}, actor=Actor("human", "ada")).ok
        shown = run("outbox", "deliver", project=repo)
    assert shown.exit_code == 0
    assert "Under way: 1. A server goes on looking" in shown.stdout
    assert "Still due" not in shown.stdout


def test_what_was_given_up_is_retried_and_what_stands_behind_another_is_told(repo: Path) -> None:
    id_ = given_up(repo)
    configure(repo, trusted=False, log_output=1)  # nothing is delivered meanwhile
    code, document = answer("outbox", "retry", id_, project=repo)
    found = document["data"]
    assert (code, found["retried"]) == (1, [id_])
    assert (found["left"][0]["status"], found["left"][0]["attempts"]) == ("pending", 0)
    with Engine.open(repo) as engine, engine.storage.begin() as tx:
        tx.put("outbox", "OUT-9", {**(tx.get("outbox", id_) or {}), "id": "OUT-9"})
        tx.commit({"type": "test"})
    shown = run("outbox", "retry", "OUT-9", project=repo)
    assert shown.exit_code == 1
    assert f"OUT-9 stands behind {id_}." in shown.stdout
    assert "before a person accepted the project's definitions: llmgenie trust" in shown.stdout
    assert answer("outbox", "retry", "OUT-77", project=repo)[1]["error"]["code"] == "unknown_name"


def test_a_retry_waits_for_the_server_that_delivers_and_tells_what_came_of_it(
    repo: Path, engine: Engine, receiver: ThreadingHTTPServer
) -> None:
    hook = {"url": f"http://127.0.0.1:{receiver.server_port}/x", "events": ["action.completed"], "allow_private": True}
    configure(repo, webhooks={"team": hook}, deliveries={"first_delay": 600})
    first, second = noted(repo, 2)
    dispatcher = Dispatcher(engine, sources=False)
    dispatcher.start()
    try:
        assert dispatcher.delivering.wait(PATIENCE)
        failed = run("outbox", "retry", first, project=repo)
        assert failed.exit_code == 1
        assert f"fail {first}: " in failed.stdout
        assert re.search(r"  in \d+ s$", failed.stdout.splitlines()[0]), "when it is tried again is told"
        behind = run("outbox", "retry", second, project=repo)
        assert (behind.exit_code, f"{second} stands behind {first}." in behind.stdout) == (1, True)
        receiver.well.set()  # type: ignore[attr-defined]
        done = run("outbox", "retry", first, second, project=repo)
        assert (done.exit_code, done.stdout) == (0, f"Delivered: {first}, {second}.\n")
    finally:
        dispatcher.stop()


def test_what_no_event_led_to_is_called_what_it_is(repo: Path) -> None:
    tracker = {"kind": "github", "repository": "acme/shop", "token": {"env": "TRACKER_TOKEN"}}
    configure(repo, trackers={"hub": tracker})
    with Engine.open(repo) as engine:
        assert engine.run_action("create_task", {"title": "Write it down"}).ok
    (item,) = data("outbox", project=repo)["items"]
    assert (item["kind"], item["event"], item["about"]) == ("tracker", None, "TSK-1 changed")
    assert "tracker:hub  TSK-1 changed" in run("outbox", project=repo).stdout


def test_only_a_person_skips_what_holds_others_up(repo: Path) -> None:
    ruled(repo)
    (id_,) = noted(repo)
    configure(repo, trusted=False, log_output=1)
    assert answer("outbox", "skip", id_, project=repo)[1]["error"]["code"] == "needs_person"
    with terminal("outbox", "skip", id_, "--project", str(repo)) as screen:
        screen.wait_for(id_)
        screen.type(screen.wait_for(WORD)[1])
        assert screen.ended() == 0, screen.shown
    (item,) = data("outbox", project=repo)["items"]
    assert (item["status"], item["error"]) == ("dead", "A person skipped it.")
