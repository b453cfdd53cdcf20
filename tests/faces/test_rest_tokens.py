"""Who gets in over HTTP with a token and without: roles, what is revoked, damaged or wrong."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import product
from pathlib import Path

import pytest
from guarded import Site, bearer, served, told

from llmgenie_mcp import Engine, tokens
from llmgenie_mcp.faces import rest_guard


@pytest.fixture
def store(repo: Path) -> Path:
    return repo / ".llmgenie"


@pytest.fixture
def site(engine: Engine) -> Iterator[Site]:
    """A server of a project without settings and tokens."""
    with served(engine) as running:
        yield running


def test_without_tokens_a_program_on_this_machine_is_an_agent(site: Site) -> None:
    assert {**site.ask().data, "request_id": ""} == {"role": "agent", "token": None, "request_id": ""}


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Forwarded-Proto", "Forwarded", "X-Real-Ip", "Via"])
def test_through_a_proxy_nobody_is_on_this_machine(site: Site, header: str) -> None:
    told(site.ask(**{header: "127.0.0.1"}), 401, "unauthorized")


def test_every_role_is_told_to_the_app_by_its_token(site: Site, store: Path) -> None:
    for role in tokens.ROLES:
        _, secret = tokens.create(store, f"a-{role}", role)
        answer = site.ask(**bearer(secret)).data
        assert (answer["role"], answer["token"]) == (role, f"a-{role}")


def test_once_there_is_a_token_one_is_needed(site: Site, store: Path) -> None:
    assert site.ask().status == 200
    tokens.create(store, "ci", "agent")
    reply = told(site.ask(), 401, "unauthorized")
    assert reply.headers["www-authenticate"] == 'Bearer realm="llmgenie"'
    assert "llmgenie token create" in reply.data["hint"]


def test_a_revoked_token_is_refused_at_the_next_request(site: Site, store: Path) -> None:
    _, secret = tokens.create(store, "ci", "human")
    tokens.create(store, "other", "reader")
    assert site.ask(**bearer(secret)).status == 200
    tokens.revoke(store, "ci")
    reply = told(site.ask(**bearer(secret)), 401, "unauthorized")
    assert 'error="invalid_token"' in reply.headers["www-authenticate"]
    tokens.revoke(store, "other")
    told(site.ask(**bearer(secret)), 401, "unauthorized")  # it does not become an agent, now that no token is needed
    assert site.ask().data["role"] == "agent"


def test_an_expired_token_is_refused_and_opens_nothing(site: Site, store: Path) -> None:
    _, secret = tokens.create(store, "ci", "agent", timedelta(seconds=-1))
    told(site.ask(**bearer(secret)), 401, "unauthorized")
    told(site.ask(), 401, "unauthorized")


def test_what_is_no_token_is_refused(site: Site, store: Path) -> None:
    tokens.create(store, "ci", "agent")
    for given in ("Bearer", "Bearer ", "Bearer lgt_ci_wrong", "Basic YTpi", "bearer \xe9", f"Bearer {'x' * 5000}"):
        data = f"GET /who HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: {given}\r\n\r\n"
        told(site.raw(data.encode("latin-1")), 401, "unauthorized")


def test_a_damaged_file_of_tokens_lets_nobody_in(site: Site, store: Path) -> None:
    _, secret = tokens.create(store, "ci", "admin")
    tokens.path(store).write_text("{", encoding="utf-8")
    told(site.ask(**bearer(secret)), 401, "unauthorized")
    told(site.ask(), 401, "unauthorized")
    assert site.ask("/health").status == 200


def test_probes_and_webhooks_are_open_and_nothing_that_looks_like_them(site: Site, store: Path) -> None:
    tokens.create(store, "ci", "agent")
    assert site.ask("/health").data == {"status": "ok"}
    assert site.ask("/ready").status == 200
    assert site.ask("/webhooks/github", method="POST", body=b"{}").data == {"name": "github", "role": None, "bytes": 2}
    for path in (
        "/healthy",
        "/health/",
        "/webhooks",
        "/webhooks/",
        "/webhooks/x/y",
        "/webhooks/x%2F..%2F..%2Fwho",
        "//who",
    ):
        assert site.ask(path).status == 401, path


def test_a_wrong_token_on_an_open_address_is_no_token(site: Site, store: Path) -> None:
    tokens.create(store, "ci", "agent")
    assert site.ask("/webhooks/x", method="POST", body=b"", **bearer("lgt_x_y")).data["role"] is None
    assert site.ask("/ready", **bearer("lgt_x_y")).data == {"status": "ready"}


def test_wrong_tokens_are_slowed_down_and_a_good_one_still_passes(site: Site, store: Path) -> None:
    _, secret = tokens.create(store, "ci", "agent")
    statuses = [site.ask(**bearer("lgt_ci_wrong")).status for _ in range(rest_guard.FAILED_TRIES + 3)]
    assert statuses == [401] * rest_guard.FAILED_TRIES + [429] * 3
    assert int(told(site.ask(**bearer("lgt_ci_wrong")), 429, "rate_limited").headers["retry-after"]) >= 1
    assert site.ask(**bearer(secret)).status == 200


def test_a_role_may_do_what_lower_ones_may(site: Site, store: Path) -> None:
    secrets = {role: tokens.create(store, role, role)[1] for role in tokens.ROLES}
    for has, role in product(tokens.ROLES, repeat=2):
        secret = secrets[has]
        reply = site.ask(f"/for/{role}", **bearer(secret))
        if tokens.ROLES.index(role) <= tokens.ROLES.index(has):
            assert reply.status == 200
        else:
            data = told(reply, 403, "forbidden").data
            assert (data["needed"], data["role"]) == (role, has)
            assert f"llmgenie token create NAME --role {role}" in data["hint"]


def test_the_use_of_a_token_is_noted(site: Site, store: Path) -> None:
    _, secret = tokens.create(store, "ci", "agent")
    before = tokens.path(store).read_bytes()
    assert site.ask(**bearer(secret)).status == 200
    assert tokens.load(store).all["ci"].last_used is not None
    assert tokens.path(store).read_bytes() == before
