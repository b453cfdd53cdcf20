"""What sinks get and answer, and what receivers answer: the words of the extension points `sink` and `receiver`."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from llmgenie_mcp.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Parcel:
    """What a sink is to deliver, once.

    Attributes:
        message: an id that stays the same however often it is tried; receivers tell doubles by it.
        kind, name: where to: the sink, and what the settings call the destination.
        event: the event it is about, with CloudEvents attribute names; None for what an action asked for.
        payload: what that action gave.
        attempt: 1 for the first.
        settings: of the project (`config.Settings`).
        project: its folder's name.
        cancel: set when the server is stopping; what is broken off then is tried again later.
        engine: the project's Engine, for sinks that tell of what the store holds.
    """

    message: str
    kind: str
    name: str
    event: Mapping[str, Any] | None
    payload: Mapping[str, Any]
    attempt: int
    settings: Any
    project: str
    cancel: threading.Event
    engine: Any = None


@dataclass(frozen=True, slots=True)
class Delivered:
    """A sink did it.

    Attributes:
        detail: what the log should say of it, JSON-compatible and short.
        event: (type, data) of an event that this tells of, such as the end of a CI run; None for none.
        again: seconds after which to look once more: it is under way and not over. Nothing is logged then.
    """

    detail: Mapping[str, Any] = field(default_factory=dict)
    event: tuple[str, Mapping[str, Any]] | None = None
    again: float | None = None


class NotDelivered(Exception):
    """Raised by a sink: it did not work.

    Args:
        message: why, for people; no secrets.
        retry_after: seconds before which it is of no use to try again, as the destination said; None: it said nothing.
        final: it is of no use to try again at all.
        most: another time will not mend it: after so many such failures in a row it is given up, where the settings would
            go on; None: as they say.
    """

    def __init__(
        self, message: str, *, retry_after: float | None = None, final: bool = False, most: int | None = None
    ) -> None:
        super().__init__(message)
        self.message, self.retry_after, self.final, self.most = message, retry_after, final, most


class BadRequest(Exception):
    """Raised by a receiver: the request is not what it should be. `status` is the HTTP status to answer with.

    401: no or a wrong signature; 400: it cannot be read; 403: too old.
    """

    def __init__(self, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.message, self.status = message, status


@dataclass(frozen=True, slots=True)
class Received:
    """What a receiver read out of a request whose signature is right.

    Attributes:
        ids: what tells this request from any other, each text alone; a second request with one of them is a replay.
        events: (type, data) of the events that it tells of; may be empty.
    """

    ids: tuple[str, ...]
    events: tuple[tuple[str, Mapping[str, Any]], ...]
