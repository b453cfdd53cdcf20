"""A project whose reviews wait for CI, the receivers that a person accepted, and a server to post to."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx2
from fastapi import FastAPI
from scene import configure, started
from webhook_senders import SECRET, SIGNING, signed

from llmgenie_mcp import Engine
from llmgenie_mcp.faces import rest_problem, rest_webhooks

REVIEW = """
name: review
description: A change is reviewed once CI has passed on it.
subject: branch
initial: draft
states:
  draft:
    on:
      ci.finished:
        target: in_review
        guards: [{expression: action.params.status == "passed", message: CI has to pass.}]
      ci.failed: draft
  in_review: {on: {pull_request.merged: merged, pull_request.updated: draft}}
  merged: {final: true}
"""
RECEIVERS = {
    "hub": {"kind": "github", "secret": {"env": "HUB_SECRET"}},
    "lab": {"kind": "gitlab", "secret": {"env": "HUB_SECRET"}},
    "peer": {"kind": "standard", "secret": {"env": "PEER_SECRET"}},
    "bare": {"kind": "github", "secret": {"env": "NOT_SET"}},
    "odd": {"kind": "standard", "secret": {"env": "HUB_SECRET"}},
}
Request = tuple[dict[str, str], bytes]


def app_of(engine: Engine) -> FastAPI:
    """An app that has nothing but webhooks."""
    app = FastAPI()
    app.state.engine = engine
    rest_problem.install(app)
    app.include_router(rest_webhooks.router)
    return app


class Site:
    """A server to post to."""

    def __init__(self, client: httpx2.Client) -> None:
        self.client = client

    def post(self, name: str, request: Request, **more: str) -> httpx2.Response:
        headers, body = request
        sent = {key: text.encode("latin-1") for key, text in (headers | more).items()}
        return self.client.post(f"/webhooks/{name}", content=body, headers=sent)

    def taken(self, name: str, request: Request) -> dict[str, Any]:
        """The answer to a request that is taken."""
        answer = self.post(name, request)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def refused(self, name: str, request: Request, status: int, code: str, **more: str) -> dict[str, Any]:
        """The answer to a request that is refused, which says what to do and holds no secret."""
        answer = self.post(name, request, **more)
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["type"] == f"urn:llmgenie:error:{code}"
        assert answer.json()["detail"]
        assert SECRET not in answer.text
        assert SIGNING not in answer.text
        return dict(answer.json())


def current(body: Any, **more: Any) -> Request:
    """A standard webhook of now."""
    return signed(body, at=int(time.time()) + more.pop("later", 0), **more)


def settle(repo: Path, *, trusted: bool = True, receivers: dict[str, Any] | None = None, **more: Any) -> None:
    """Write the project's settings, with the receivers that are given beside those of all tests."""
    told = {"commands": {"test": {"argv": ["true"]}}, "rest": {"body_bytes": 20_000}, **more}
    configure(repo, trusted=trusted, receivers=RECEIVERS | (receivers or {}), **told)


def reviewed(engine: Engine, branch: str) -> str:
    """A review of a branch in draft; returns its id."""
    outcome = engine.run_action("start_review", {"branch": branch}, session=started(engine, mode="review"))
    assert outcome.ok, outcome
    return str(outcome.result["instance"]["id"])


def state(engine: Engine, instance: str) -> str:
    engine.storage.refresh()
    return str((engine.storage.get("instances", instance) or {})["state"])
