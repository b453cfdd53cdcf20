"""What tests of webhooks set up: settings with webhooks, events, and one parcel as the dispatcher hands it over."""

from __future__ import annotations

import base64
import threading
from pathlib import Path
from typing import Any

import pytest
from scene import configure

from llmgenie_mcp import Engine
from llmgenie_mcp.config import Settings
from llmgenie_mcp.plugins import NotDelivered, Parcel
from llmgenie_mcp.sinks.webhook import deliver

KEY = "whsec_" + base64.b64encode(bytes(range(24))).decode()
NEW_KEY = "whsec_" + base64.b64encode(bytes(range(100, 140))).decode()
AT_ONCE = {"first_delay": 0, "longest_delay": 0, "attempts": 20}
SECONDS = 0.3
"""Timeout of one request to a receiver that hangs."""


def to(url: str, **more: Any) -> dict[str, Any]:
    """Settings of a webhook on this machine that hears of `demo.*`."""
    return {"url": url, "events": ["demo.*"], "allow_private": True, **more}


def send(folder: Path, *, deliveries: dict[str, Any] | None = None, **webhooks: dict[str, Any]) -> None:
    """Give a project these webhooks; attempts follow each other at once where `deliveries` does not say otherwise."""
    configure(folder, webhooks=webhooks, deliveries={**AT_ONCE, **(deliveries or {})})


def happen(engine: Engine, *numbers: int, kind: str = "demo.happened") -> None:
    """Raise an event for each number."""
    for number in numbers or (1,):
        engine.trigger_event(kind, {"n": number})


def parcel(webhook: dict[str, Any] | None, **more: Any) -> Parcel:
    """What the sink is given for an event to be delivered to `webhook`; None: the settings have none."""
    event = {"specversion": "1.0", "type": "demo.happened", "source": "llmgenie/demo", "id": "evt-1", "subject": None}
    settings = Settings.model_validate({"webhooks": {"there": webhook} if webhook else {}})
    given = {"event": {**event, "data": {"n": 1}}, "payload": {}, "attempt": 1, "cancel": threading.Event(), **more}
    return Parcel("msg_1", "webhook", "there", settings=settings, project="demo", **given)


def not_delivered(webhook: dict[str, Any] | None, **more: Any) -> NotDelivered:
    """Why the sink did not deliver; fails when it did."""
    with pytest.raises(NotDelivered) as caught:
        deliver(parcel(webhook, **more))
    return caught.value
