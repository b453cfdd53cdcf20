"""The door of REST as a newcomer and as a hostile page meet it: what a clone opens, who takes whose place, what is told."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
from guarded import PATIENCE as SECONDS
from guarded import read_reply, served
from rest_place import Reader, serving
from scene import configure

from llmgenie_mcp import Engine, tokens
from llmgenie_mcp.errors import UsageError
from llmgenie_mcp.faces import rest_guard, rest_serve
from llmgenie_mcp.faces.rest import create_app

Open = Callable[..., Engine]


@pytest.mark.parametrize(("trusted", "status"), [(False, 421), (True, 200)])
def test_the_host_that_a_clone_names_for_itself_opens_the_door_only_once_a_person_accepted_it(
    repo: Path, open_engine: Open, trusted: bool, status: int
) -> None:
    configure(repo, trusted=trusted, rest={"host": "pages.example", "hosts": ["more.example"]})
    with served(open_engine(repo)) as site:
        for name in ("pages.example", "more.example"):
            assert site.ask("/who", host=f"{name}:{site.port}").status == status
        assert site.ask("/who", host=f"localhost:{site.port}").status == 200


def test_a_clone_does_not_choose_where_it_is_served(repo: Path) -> None:
    configure(repo, trusted=False, rest={"host": "nowhere.invalid", "port": 0})
    tokens.create(repo / ".llmgenie", "bot", "agent")  # so that it is not for want of a token
    told: list[str] = []

    class Enough(Exception):
        pass

    def announce(address: rest_serve.Address) -> None:
        told.append(address.url)
        raise Enough

    with pytest.raises(Enough):
        rest_serve.serve(repo, None, None, announce)
    assert told[0].startswith("http://127.0.0.1:")


def test_where_a_token_is_missing_the_hint_is_a_command_that_works(repo: Path, engine: Engine) -> None:
    with pytest.raises(UsageError) as wrong:
        rest_serve.serve(repo, "0.0.0.0", 0, lambda _address: None)
    assert "llmgenie token create NAME --role agent" in (wrong.value.hint or "")


def test_senders_of_webhooks_that_dawdle_take_no_place_of_those_with_a_token(repo: Path, open_engine: Open) -> None:
    configure(repo, rest={"at_once": 2})
    head = b"POST /webhooks/hub HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: 9\r\n\r\n"
    with served(open_engine(repo)) as site:
        slow = [socket.create_connection(("127.0.0.1", site.port), SECONDS) for _ in range(rest_guard.SENDERS)]
        try:
            for there in slow:
                there.sendall(head + b"{")
            # An answer to one more says that all those before were let in, and that this one was not.
            while site.ask("/webhooks/hub", method="POST", body=b"{}").status != 429:
                pass
            assert site.ask("/who").status == 200
            for there in slow:
                there.sendall(b"       }")
            assert [read_reply(there).status for there in slow] == [200] * len(slow)
            assert site.ask("/webhooks/hub", method="POST", body=b"{}").status == 200
        finally:
            for there in slow:
                there.close()


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_body_that_is_not_called_json_is_refused_with_the_header_that_is_missing(engine: Engine, kind: str) -> None:
    with serving(create_app(engine=engine, dispatcher=False)) as client:
        headers = {"Content-Type": kind} if kind else {}
        answer = client.post("/action", content=b'{"action": "log_entry", "params": {"text": "x"}}', headers=headers)
        assert answer.status_code == 422
        assert "Content-Type: application/json" in answer.json()["hint"]
        wrong = client.post("/action", json={"params": {}})
        assert "Content-Type" not in wrong.json()["hint"]
    assert engine.storage.last_seq() == 0


def test_a_reader_of_events_that_left_leaves_nothing_behind(engine: Engine) -> None:
    app = create_app(engine=engine, dispatcher=False)
    with serving(app) as client:
        loop = None
        for _ in range(5):
            with Reader(client) as reader:
                assert reader.block() is not None
                loop = app.state.house.running.loop
        assert loop is not None

        async def gone() -> list[str]:
            for _ in range(2000):
                names = [str(task.get_coro()) for task in asyncio.all_tasks()]
                left = [name for name in names if "Event.wait" in name]
                if not engine._watcher._subscriptions and not left:
                    return []
                await asyncio.sleep(0.005)
            return left or ["subscribed"]

        assert asyncio.run_coroutine_threadsafe(gone(), loop).result(SECONDS) == []
        assert httpx2.get(f"{client.base_url}/health", trust_env=False).status_code == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_foreign_page_cannot_embed_an_answer_nor_use_up_what_others_may_ask(engine: Engine, site: str) -> None:
    with served(engine) as here:
        for kind in ("no-cors", "cors", ""):
            headers = {"Sec_Fetch_Site": site, **({"Sec_Fetch_Mode": kind} if kind else {})}
            answer = here.ask("/who", **headers)
            assert (answer.status, answer.data["code"]) == (403, "wrong_origin")
            assert "ratelimit" not in answer.headers, "nothing is counted"
        assert (
            here.ask("/echo", method="POST", body=b"{}", Sec_Fetch_Site=site, Sec_Fetch_Mode="navigate").status == 403
        )


def test_a_link_from_elsewhere_and_pages_of_our_own_are_answered(engine: Engine) -> None:
    with served(engine) as here:
        assert here.ask("/who", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate").status == 200
        for site in ("same-origin", "none"):
            assert here.ask("/who", Sec_Fetch_Site=site, Sec_Fetch_Mode="cors").status == 200


def test_who_only_may_send_webhooks_is_not_told_what_stands_in_broken_settings(repo: Path, engine: Engine) -> None:
    with serving(create_app(engine=engine, dispatcher=False)) as client:
        configure(repo, receivers={"hub": {"kind": "of_my_employer"}})
        answer = client.post("/webhooks/hub", content=b"{}")
        assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
        assert not any(word in answer.text for word in ("employer", "yaml", str(repo)))
        told = client.post("/action", json={"action": "log_entry", "params": {"text": "x"}})
        assert told.status_code == 503
        assert "llmgenie.yaml" in told.text


def test_the_door_stands_also_before_settings_that_cannot_be_read(repo: Path, engine: Engine) -> None:
    token = tokens.create(repo / ".llmgenie", "bot", "agent")[1]
    file = configure(repo, trusted=False, rest={"per_minute": 30})
    whole = file.read_text(encoding="utf-8")
    file.write_text(whole + "]", encoding="utf-8")
    with served(engine) as here:
        assert here.ask("/who", host="evil.example").status == 421
        assert here.ask("/who").status == 401
        known = here.ask("/who", Authorization=f"Bearer {token}")
        assert (known.status, known.headers["ratelimit-policy"]) == (200, '"requests";q=300;w=15')
        file.write_text(whole, encoding="utf-8")
        mended = here.ask("/who", Authorization=f"Bearer {token}")
        assert mended.headers["ratelimit-policy"] == '"requests";q=8;w=16'
