"""Webhooks that a real server refuses: forged, unknown, hostile, too long, broken off; and what is logged of them."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rest_place import PATIENCE, serving
from scene import lines
from webhook_senders import SECRET, SIGNING, github, gitlab, packed, push, run
from webhook_site import RECEIVERS, Site, app_of, current, settle

from llmgenie_mcp import Engine, trust
from llmgenie_mcp.faces import rest_webhooks


def test_what_is_not_signed_right_is_refused_and_writes_nothing(house: Engine, site: Site) -> None:
    before = len(lines(house))
    headers, body = github("workflow_run", run())
    for forged in [
        github("workflow_run", run(), secret="wrong"),
        (headers, body + b" "),
        (headers | {"x-hub-signature-256": headers["x-hub-signature-256"][:-1]}, body),
        (headers | {"x-hub-signature-256": "é"}, body),
        ({}, body),
    ]:
        site.refused("hub", forged, 401, "bad_signature")
    site.refused("lab", gitlab("Push Hook", {}, token="wrong"), 401, "bad_signature")
    site.refused("peer", ({}, b""), 401, "bad_signature")
    site.refused("peer", github("push", push()), 401, "bad_signature")
    site.refused("hub", current({"type": "x"}), 401, "bad_signature")
    site.refused("peer", current({"type": "x"}, later=-400), 403, "too_old")
    site.refused("peer", current({"type": "x"}, later=400), 403, "too_old")
    assert len(lines(house)) == before
    assert site.post("hub", ({}, b"")).headers["www-authenticate"]


def test_a_receiver_that_is_not_there_or_not_accepted_is_not_told_apart(
    ready: Path, open_engine: Callable[..., Engine]
) -> None:
    engine = open_engine(ready)
    with serving(app_of(engine)) as client:
        site = Site(client)
        unknown = site.refused("nobody", github("ping", {}), 404, "unknown_name")
        site.refused("hub%00", github("ping", {}), 404, "unknown_name")
        site.taken("hub", github("ping", {}))
        settle(ready, trusted=False, receivers={"new": RECEIVERS["hub"]})
        assert site.refused("hub", github("ping", {}), 404, "unknown_name") == unknown
        assert site.refused("new", github("ping", {}), 404, "unknown_name") == unknown
        trust.trust(ready / ".llmgenie")
        site.taken("new", github("ping", {}))
        assert site.client.get("/webhooks/hub").status_code == 405


def test_a_secret_that_is_not_there_lets_nobody_in_and_is_logged_alone(
    site: Site, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = site.refused("bare", github("ping", {}, secret=""), 503, "not_ready")
    assert "NOT_SET" not in str(answer), "where it lies is nobody's concern out there"
    assert "NOT_SET" in caplog.text
    site.refused("odd", current({"type": "x"}), 503, "not_ready")
    monkeypatch.setenv("NOT_SET", SECRET)
    site.taken("bare", github("ping", {}))


HOSTILE = {
    "nothing": b"",
    "no json": b"<xml/>",
    "a list": b"[]",
    "no text": b"\xff\xfe",
    "deep": b"[" * 15_000,
    "deep objects": b'{"a":' * 3_000 + b"1" + b"}" * 3_000,
    "a name twice": b'{"action": "completed", "action": "requested"}',
    "many digits": b'{"number": ' + b"9" * 5_000 + b"}",
    "infinity": b'{"a": Infinity}',
    "nothing to read": b"{}",
    "of another type": b'{"action": "completed", "workflow_run": [1]}',
    "NUL": packed(run(head_branch="a\0b")),
    "half a character": packed(run(name="\ud800")),
}


def test_hostile_bodies_are_refused_and_never_a_fault(house: Engine, site: Site) -> None:
    before = len(lines(house))
    for name, body in HOSTILE.items():
        assert site.refused("hub", github("workflow_run", body), 400, "bad_webhook")["hint"], name
    assert len(lines(house)) == before


def test_a_body_beyond_the_bound_is_refused_however_it_is_sent(site: Site) -> None:
    big = packed({"a": "x" * 20_000})
    site.refused("hub", github("ping", big), 413, "too_large")
    headers, _ = github("ping", big)
    parts = (big[at : at + 1000] for at in range(0, len(big), 1000))
    answer = site.client.post("/webhooks/hub", content=parts, headers=headers)
    assert (answer.status_code, answer.json()["limit"]) == (413, 20_000)
    site.taken("hub", github("ping", {"a": "x" * 19_000}))


def test_a_sender_that_breaks_off_is_no_fault(house: Engine) -> None:
    app, ended, faults = app_of(house), threading.Event(), []

    async def watched(scope: Any, receive: Any, send: Any) -> None:
        try:
            await app(scope, receive, send)
        except Exception as error:  # noqa: BLE001 - any of them is a fault
            faults.append(error)
        finally:
            if scope["type"] == "http":
                ended.set()

    with serving(watched) as client:  # type: ignore[arg-type]
        with socket.create_connection((client.base_url.host, client.base_url.port)) as talk:
            talk.sendall(b"POST /webhooks/hub HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
        assert ended.wait(PATIENCE)
        assert faults == []
        Site(client).taken("hub", github("ping", {}))


def test_wrong_signatures_are_logged_once_a_minute_for_each_receiver_and_never_the_body(
    site: Site, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.WARNING)

    def said() -> list[str]:
        return [record.getMessage() for record in caplog.records if record.name == rest_webhooks.__name__]

    for _ in range(5):
        site.refused("hub", github("ping", {"word": "body-of-evil"}, secret="wrong"), 401, "bad_signature")
    site.refused("lab", gitlab("Push Hook", {}, token="wrong-token"), 401, "bad_signature")
    assert [text.split(" was")[0] for text in said()] == ["webhook hub", "webhook lab"]
    monkeypatch.setattr(rest_webhooks, "COMPLAINTS", 0.0)
    site.refused("hub", github("ping", {}, secret="wrong"), 401, "bad_signature")
    assert "(4 more before)" in said()[-1]
    for word in ("body-of-evil", "wrong-token", SECRET, SIGNING):
        assert word not in caplog.text
