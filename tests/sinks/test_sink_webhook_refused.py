"""Webhooks out: what is given up at once, what a person must mend, and that secrets stay where they are."""

from __future__ import annotations

import base64
import sys
from pathlib import Path

import pytest
from hostile import Hostile, answer
from outbox_scene import Heard, delivering, drain, waiting
from standardwebhooks import Webhook
from webhook_scene import KEY, happen, not_delivered, parcel, send, to

from llmgenie_mcp import Engine
from llmgenie_mcp.sinks.webhook import deliver

# -- what is given up, and what a person must mend -----------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0x7f.1", "[::ffff:127.0.0.1]"])
def test_a_private_address_is_refused_and_the_setting_that_allows_it_named(
    engine: Engine, repo: Path, server: Hostile, host: str
) -> None:
    send(repo, there={**to(server.url("/hook", host)), "allow_private": False})
    happen(engine)
    drain(engine)
    (item,) = waiting(engine)
    assert (item["status"], item["attempts"]) == ("dead", 1)
    assert "`allow_private: true`" in item["error"]
    assert server.asked == []


def test_a_webhook_that_left_the_settings_is_given_up(engine: Engine, repo: Path, server: Hostile) -> None:
    send(repo, there=to(server.on("/hook", answer(200))))
    happen(engine)
    send(repo, other=to(server.on("/other", answer(200))))
    drain(engine)
    (item,) = waiting(engine)
    assert (item["status"], item["error"]) == ("dead", "The settings name no webhook there any more.")
    assert server.asked == []


def test_what_is_no_event_is_given_up() -> None:
    assert not_delivered(to("https://example.org/"), event=None).final


@pytest.mark.parametrize("library", ["standardwebhooks", "httpx2", "httpcore2"])
def test_a_missing_library_is_named_with_what_installs_it(
    server: Hostile, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    monkeypatch.setenv("HOOK_SECRET", KEY)
    monkeypatch.setitem(sys.modules, library, None)
    problem = not_delivered(to(server.on("/", answer()), secret={"env": "HOOK_SECRET"}))
    assert problem.message == f"{library} is not installed: pip install 'llmgenie-mcp[webhooks]'"
    assert problem.final
    assert server.asked == []


def encoded(length: int) -> str:
    return base64.b64encode(b"\xfb" * length).decode()


@pytest.mark.parametrize(
    "key",
    [
        *("correct horse battery staple", "whsec_", "whsec_!!!", f"whsk_{encoded(32)}", f"whsec_{encoded(23)}"),
        *(f"whsec_{encoded(65)}", f"whsec_{encoded(33).replace('+', '-')}", f"{KEY}\nhunter22", "whsec_ä"),
    ],
)
def test_a_malformed_secret_is_told_by_its_place_and_never_shown(
    server: Hostile, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, key: str
) -> None:
    monkeypatch.setenv("HOOK_SECRET", key)
    (tmp_path / "key").write_text(key, encoding="utf-8")
    for place, name in (({"env": "HOOK_SECRET"}, "HOOK_SECRET"), ({"file": str(tmp_path / "key")}, str(tmp_path))):
        problem = not_delivered(to(server.on("/", answer()), secret=place))
        assert name in problem.message
        assert not problem.final
        assert not any(len(part) > 6 and part in problem.message for part in key.split())
    assert server.asked == []


@pytest.mark.parametrize("key", [KEY, KEY.removeprefix("whsec_"), f"whsec_{encoded(25).rstrip('=')}", f" {KEY}\n"])
def test_a_secret_may_come_without_prefix_and_padding(
    server: Hostile, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("HOOK_SECRET", key)
    deliver(parcel(to(server.on("/", answer()), secret={"env": "HOOK_SECRET"})))
    assert Webhook(key.strip()).verify(server.asked[0].body, dict(server.asked[0].headers))


def test_a_missing_secret_is_asked_for_and_what_waited_goes_when_it_is_there(
    engine: Engine, repo: Path, server: Hostile, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("HOOK_SECRET", raising=False)
    assert "HOOK_SECRET" in not_delivered(to(server.url(), secret={"env": "HOOK_SECRET"})).message
    place = tmp_path / "secret"
    send(
        repo,
        there=to(server.on("/hook", answer()), secret={"file": str(place)}),
        deliveries={"first_delay": 0.05, "longest_delay": 0.05, "attempts": 100},
    )
    heard = Heard(engine)
    happen(engine)
    with delivering(engine):
        (line, *_) = heard.until_told("delivery.failed")
        assert str(place) in str(line)
        place.write_text(KEY, encoding="utf-8")
        (asked,) = server.wait(1)
    heard.end()
    assert Webhook(KEY).verify(asked.body, dict(asked.headers))


def test_no_secret_is_in_the_store(
    engine: Engine, repo: Path, server: Hostile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK_SECRET", KEY)
    send(
        repo, there=to(server.on("/hook", answer(500, KEY)), secret={"env": "HOOK_SECRET"}), deliveries={"attempts": 2}
    )
    happen(engine)
    drain(engine)
    engine.close()
    bare = KEY.removeprefix("whsec_").encode()
    kept = [path for path in (repo / ".llmgenie").rglob("*") if path.is_file()]
    assert kept
    assert not [path for path in kept if bare in path.read_bytes()]
