"""Telling people through Apprise, for real: against a server on loopback by Apprise's own json:// addresses."""

from __future__ import annotations

import builtins
import io
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ci_servers import outbox
from hostile import Hostile, answer, hang, redirect
from outbox_scene import drain, told
from scene import codes, configure, lines, started

from llmgenie_mcp import Engine
from llmgenie_mcp.config import Settings
from llmgenie_mcp.errors import DefinitionError, UnknownName
from llmgenie_mcp.plugins import Delivered, NotDelivered, Parcel
from llmgenie_mcp.sinks import notification
from llmgenie_mcp.sinks.notification import tell

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
HIDDEN = "s3cr3t-part-of-the-address"
AT_ONCE = {"first_delay": 0, "longest_delay": 0, "attempts": 3}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hostile]:
    with Hostile() as server:
        server.on(f"/{HIDDEN}", answer())
        monkeypatch.setenv("TEAM", address(server))
        yield server


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """All that reaches the log of the process; pytest's own handler would also hear loggers that keep to themselves."""
    heard, root = io.StringIO(), logging.getLogger()
    handler, before = logging.StreamHandler(heard), root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield heard
    root.setLevel(before)
    root.removeHandler(handler)


def address(server: Hostile, path: str = HIDDEN) -> str:
    return f"json://127.0.0.1:{server.port}/{path}"


def team(*names: str, **more: Any) -> dict[str, Any]:
    return {"to": [{"env": name} for name in names or ("TEAM",)], **more}


def parcel(team: dict[str, Any] | None, message: str = "msg_1", **payload: str) -> Parcel:
    settings = Settings.model_validate({"notifications": {"team": team} if team else {}})
    told = {"title": "Hello", "body": "there", **payload}
    return Parcel(message, "notification", "team", None, told, 1, settings, "demo", threading.Event())


def not_delivered(given: Parcel) -> NotDelivered:
    with pytest.raises(NotDelivered) as caught:
        tell(given)
    assert HIDDEN not in caught.value.message
    return caught.value


# -- what people get -------------------------------------------------------------------------------------------------------


def test_what_an_agent_says_reaches_the_team(engine: Engine, repo: Path, server: Hostile) -> None:
    configure(repo, notifications={"team": team()})
    outcome = engine.run_action("notify", {"to": "team", "message": "Done & <tested>", "title": "Review"})
    assert outcome.ok, outcome
    assert outcome.result == {"delivery": "queued"}
    assert not server.asked, "nothing is sent while the store is locked"
    drain(engine)
    (asked,) = server.asked
    assert {"title": "Review", "message": "Done & <tested>"}.items() <= asked.json.items()
    assert not outbox(engine)
    (line,) = told(engine, "delivery.completed")
    assert line["detail"] == {"told": 1}
    assert HIDDEN not in str(lines(engine))


def test_what_a_chat_would_not_show_is_written_out(server: Hostile) -> None:
    tell(parcel(team(), title="a\u202eb\nc", body="one\x1b[2J\ntwo\u200b"))
    assert {"title": "a\\u202eb c", "message": "one\\x1b[2J\ntwo\\u200b"}.items() <= server.asked[0].json.items()


def test_without_a_title_the_project_is_named(engine: Engine, repo: Path, server: Hostile) -> None:
    configure(repo, notifications={"team": team()})
    assert engine.run_action("notify", {"to": "team", "message": "x"}).ok
    drain(engine)
    assert server.asked[0].json["title"] == "llmgenie: demo"


def test_events_are_told_by_the_templates_of_the_settings(engine: Engine, repo: Path, server: Hostile) -> None:
    wanted = {"events": ["review.*"], "when": "event.data.branch != 'main'", "title": "{event.type}!"}
    configure(repo, notifications={"team": team(**wanted, body="{event.data.branch} by {event.data.nobody}")})
    for kind, branch in (("review.wanted", "feature/x"), ("review.wanted", "main"), ("deploy.done", "feature/x")):
        engine.trigger_event(kind, {"branch": branch})
    drain(engine)
    (asked,) = server.asked
    assert {"title": "review.wanted!", "message": "feature/x by ?"}.items() <= asked.json.items()


def test_secrets_are_not_told(engine: Engine, repo: Path, server: Hostile) -> None:
    configure(repo, notifications={"team": team()})
    token = "ghp_" + "a1B2" * 9
    outcome = engine.run_action("notify", {"to": "team", "message": f"use {token}"})
    if outcome.ok:
        drain(engine)
    assert token not in str(lines(engine))
    assert not any(token in asked.body.decode() for asked in server.asked)


def test_a_message_that_looks_like_a_template_is_none(engine: Engine, repo: Path, server: Hostile) -> None:
    configure(repo, notifications={"team": team()})
    engine.run_action("notify", {"to": "team", "message": "{event.type} {0} %s ${HOME} \\n"})
    drain(engine)
    assert server.asked[0].json["message"] == "{event.type} {0} %s ${HOME} \\n"


# -- who may ---------------------------------------------------------------------------------------------------------------


def test_only_whom_the_settings_name_is_told_and_only_when_accepted(
    engine: Engine, repo: Path, server: Hostile
) -> None:
    denied = engine.run_action("notify", {"to": "team", "message": "x"})
    assert codes(denied) == ["not_configured"]
    assert "notifications: {team: {to: [{env:" in denied.reasons[0].message
    configure(repo, trusted=False, notifications={"team": team()})
    assert codes(engine.run_action("notify", {"to": "team", "message": "x"})) == ["not_trusted"]
    with pytest.raises(UnknownName, match="notification"):
        engine.run_action("notify", {"to": "taem", "message": "x"})
    assert not outbox(engine)


def test_it_is_open_in_every_mode(engine: Engine, repo: Path, server: Hostile) -> None:
    configure(repo, notifications={"team": team()})
    for mode in ("discuss", "code", "review"):
        session = started(engine, mode=mode)
        assert engine.run_action("notify", {"to": "team", "message": "x"}, session=session).ok


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ({"events": ["Review!"]}, r"notifications\.team\.events\.0"),
        ({"title": "{event.typ}"}, r"notifications\.team\.title"),
        ({"to": []}, r"notifications\.team\.to"),
        ({"to": ["json://in.the.open"]}, r"notifications\.team\.to\.0"),
    ],
)
def test_settings_that_cannot_work_are_told_with_their_place(
    engine: Engine, repo: Path, wrong: dict[str, Any], place: str
) -> None:
    configure(repo, notifications={"team": {**team(), **wrong}})
    with pytest.raises(DefinitionError, match=rf"llmgenie\.yaml:1:\d+: {place}"):
        engine.run_action("notify", {"to": "team", "message": "x"})


# -- what goes wrong -------------------------------------------------------------------------------------------------------


def test_a_failure_is_told_with_its_reason_and_tried_again(engine: Engine, repo: Path, server: Hostile) -> None:
    server.on(f"/{HIDDEN}", answer(503), answer(401), answer())
    configure(repo, notifications={"team": team()}, deliveries=AT_ONCE)
    engine.run_action("notify", {"to": "team", "message": "x"})
    drain(engine)
    first, second = told(engine, "delivery.failed")
    assert first["why"].startswith("TEAM: Failed to send JSON POST notification")
    assert "error=503" in first["why"]
    assert "error=401" in second["why"]
    assert len(told(engine, "delivery.completed")) == 1
    assert HIDDEN not in str(lines(engine))


def test_who_was_reached_is_not_told_again_when_another_was_not(
    server: Hostile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTHER", address(server, "other"))
    server.on("/other", answer(500), answer())
    both = team("OTHER", "TEAM")
    failed = not_delivered(parcel(both))
    assert failed.message.startswith("OTHER: ")
    assert not failed.final
    assert tell(parcel(both)) == Delivered({"told": 2})
    assert len(server.to(f"/{HIDDEN}")) == 1
    assert len(server.to("/other")) == 2
    tell(parcel(both, message="msg_2"))
    assert len(server.to(f"/{HIDDEN}")) == 2, "another message is told to all"


def test_redirects_are_not_followed(server: Hostile) -> None:
    server.on(f"/{HIDDEN}", redirect(server.url("/elsewhere")))
    assert "error=302" in not_delivered(parcel(team())).message
    assert not server.to("/elsewhere")


@pytest.mark.parametrize(
    "bad", [f"nope://{HIDDEN}", "json://", f"plain {HIDDEN}", f"tgram://{HIDDEN}", f"mailto://{HIDDEN}"]
)
def test_an_address_that_is_none_is_told_by_its_place_alone(
    bad: str, monkeypatch: pytest.MonkeyPatch, logged: io.StringIO
) -> None:
    monkeypatch.setenv("TEAM", bad)
    assert not_delivered(parcel(team())).message == "TEAM: what stands there is no address that Apprise understands"
    assert HIDDEN not in logged.getvalue()


def test_missing_secrets_are_told_by_their_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEAM", raising=False)
    failed = not_delivered(parcel(team()))
    assert "environment variable TEAM" in failed.message
    assert not failed.final, "another process may have it"


@pytest.mark.parametrize("scheme", ["json", "jsons"])
def test_nothing_of_an_address_reaches_a_log(
    server: Hostile, monkeypatch: pytest.MonkeyPatch, logged: io.StringIO, scheme: str
) -> None:
    logging.getLogger("here").debug("this is heard")
    logging.getLogger("apprise").propagate = logging.getLogger("urllib3").propagate = True
    logging.getLogger("apprise").setLevel(logging.NOTSET)
    logging.getLogger("urllib3").setLevel(logging.NOTSET)
    where = f"{scheme}://user:{HIDDEN}pw@127.0.0.1:{server.port}/{HIDDEN}?+X-Key={HIDDEN}key"
    monkeypatch.setenv("TEAM", where)
    server.on(f"/{HIDDEN}", answer(500))
    failed = not_delivered(parcel(team()))
    assert failed.message.startswith("TEAM: ")
    assert str(server.port) not in failed.message
    assert "this is heard" in logged.getvalue()
    assert HIDDEN not in logged.getvalue()


def test_an_address_where_nobody_listens_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with Hostile() as gone:
        monkeypatch.setenv("TEAM", address(gone))
    failed = not_delivered(parcel(team()))
    assert failed.message == "TEAM: A Connection error occurred sending JSON notification to …."
    assert not failed.final


def test_a_server_that_hangs_ends_with_the_time_limit(server: Hostile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(notification.OPTIONS, "service_timeout", 0.3)
    monkeypatch.setenv("TEAM", f"{address(server)}?rto=1")
    server.on(f"/{HIDDEN}", hang())
    assert not_delivered(parcel(team())).message.startswith("TEAM: ")


def test_no_further_address_is_begun_with_once_it_is_cancelled(server: Hostile) -> None:
    given = parcel(team())
    given.cancel.set()
    assert not_delivered(given).message == "TEAM: not begun with"
    assert not server.asked


def test_a_name_that_left_the_settings_is_told_nothing(server: Hostile) -> None:
    assert not_delivered(parcel(None)).final


def test_without_apprise_it_is_said_how_to_get_it(server: Hostile, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "apprise":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    failed = not_delivered(parcel(team()))
    assert failed.final
    assert "pip install 'llmgenie-mcp[notify]'" in failed.message
