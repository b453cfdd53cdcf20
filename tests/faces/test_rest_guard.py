"""Who gets in over HTTP: names and pages, bounds, and what every answer has."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import pytest
from guarded import PATIENCE, Site, bearer, read_reply, served, told
from scene import configure, copy_repository
from starlette.types import Message, Scope

from llmgenie_mcp import Engine, tokens
from llmgenie_mcp.faces.rest_body import Body, Refused
from llmgenie_mcp.faces.rest_callers import address_of, is_local
from llmgenie_mcp.faces.rest_limits import CALLERS, Rate, Slots


@pytest.fixture(scope="module")
def plain(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The same, for tests that change nothing."""
    folder = copy_repository(template, tmp_path_factory.mktemp("plain") / "demo")
    with Engine.open(folder) as engine, served(engine) as running:
        yield running


@pytest.fixture
def bounded(repo: Path, open_engine: Callable[..., Engine]) -> Iterator[Site]:
    """A server with small bounds and another name."""
    rest = {"hosts": ["genie.example", "other.example:99"], "origins": ["https://board.example"]}
    configure(repo, rest={**rest, "body_bytes": 1000, "per_minute": 60, "at_once": 2})
    with served(open_engine(repo)) as running:
        yield running


# -- names and pages ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST:1234", "[::1]:5", "localhost."])
def test_a_name_of_loopback_is_let_in(plain: Site, host: str) -> None:
    assert plain.ask(host=host).data["role"] == "agent"


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example:80",
        "169.254.169.254",
        "127.0.0.1@evil",
        "[::2]",
    ],
)
def test_a_foreign_name_is_misdirected(plain: Site, host: str) -> None:
    told(plain.ask(host=host), 421, "wrong_host")
    assert plain.ask("/health", host=host).status == 421


def test_a_request_without_a_host_or_with_two_is_refused(plain: Site) -> None:
    told(plain.raw(b"GET /who HTTP/1.0\r\n\r\n"), 421, "wrong_host")
    assert plain.raw(b"GET /who HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\nConnection: close\r\n\r\n").status == 400


def test_names_and_origins_of_the_settings_are_let_in(bounded: Site) -> None:
    assert bounded.ask(host="genie.example:8787").status == 200
    assert bounded.ask(host="other.example:99").status == 200
    assert bounded.ask(host="other.example:98").status == 421
    assert bounded.ask(Origin="https://board.example").status == 200


def test_a_project_that_nobody_accepted_opens_the_door_to_no_name_and_no_page(
    repo: Path, open_engine: Callable[..., Engine]
) -> None:
    configure(repo, trusted=False, rest={"hosts": ["evil.example"], "origins": ["https://evil.example"]})
    with served(open_engine(repo)) as site:
        told(site.ask(host="evil.example"), 421, "wrong_host")
        told(site.ask(Origin="https://evil.example"), 403, "wrong_origin")


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:1", "http://localhost.evil.example", ""]
)
def test_a_foreign_page_is_refused_whatever_it_asks_for(plain: Site, origin: str) -> None:
    for method, path in (("GET", "/who"), ("POST", "/webhooks/x"), ("OPTIONS", "/who")):
        reply = told(plain.ask(path, method=method, Origin=origin), 403, "wrong_origin")
        assert not [name for name in reply.headers if name.startswith("access-control")]


def test_a_page_of_the_server_itself_may_call_and_gets_no_cors(plain: Site) -> None:
    reply = plain.ask(Origin=f"http://127.0.0.1:{plain.port}")
    assert reply.status == 200
    assert not [name for name in reply.headers if name.startswith("access-control")]


# -- bounds ------------------------------------------------------------------------------------------------------------


def test_a_body_may_be_as_long_as_the_bound_and_no_longer(bounded: Site) -> None:
    assert bounded.ask("/echo", method="POST", body=b"x" * 1000).data == {"bytes": 1000}
    assert told(bounded.ask("/echo", method="POST", body=b"x" * 1001), 413, "too_large").data["limit"] == 1000


def test_a_long_body_is_refused_before_it_is_sent_to_who_waits_for_leave(bounded: Site) -> None:
    head = b"POST /echo HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 900000000\r\n\r\n"
    told(bounded.raw(head), 413, "too_large")


def test_a_chunked_body_is_cut_off_at_the_bound_and_the_answer_says_so(bounded: Site) -> None:
    head = b"POST /echo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    piece = b"190\r\n" + b"x" * 400 + b"\r\n"
    assert bounded.raw(head + piece * 2 + b"0\r\n\r\n").data == {"bytes": 800}
    told(bounded.raw(head + piece * 3 + b"0\r\n\r\n"), 413, "too_large")
    told(bounded.raw(head.replace(b"/echo", b"/webhooks/x") + piece * 3 + b"0\r\n\r\n"), 413, "too_large")


def test_a_body_that_never_ends_is_told_to_be_too_slow() -> None:
    async def nothing() -> Message:
        await anyio.sleep_forever()
        raise AssertionError

    async def read() -> Body:
        body = Body({"headers": []}, nothing, seconds=0.01)
        for _ in range(2):
            with pytest.raises(Refused):
                await body()
        return body

    problem = anyio.run(read).problem
    assert problem is not None
    assert problem.status == 408


def test_too_many_requests_are_told_when_to_come_back_by_each_caller_for_itself(bounded: Site, repo: Path) -> None:
    replies = [bounded.ask() for _ in range(17)]
    assert {reply.status for reply in replies[:15]} == {200}
    reply = told(replies[-1], 429, "rate_limited")
    assert reply.headers["retry-after"] == "1"
    assert reply.headers["ratelimit-policy"] == '"requests";q=15;w=15'
    assert replies[0].headers["ratelimit"] == '"requests";r=14;t=0'
    assert bounded.ask("/health").status == 200
    _, secret = tokens.create(repo / ".llmgenie", "ci", "agent")
    assert bounded.ask(**bearer(secret)).status == 200


def test_more_at_once_than_the_bound_are_sent_away_at_once(bounded: Site) -> None:
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(bounded.ask("/wait").status)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert bounded.inside.acquire(timeout=PATIENCE)
    reply = told(bounded.ask("/wait"), 429, "busy")
    assert reply.headers["retry-after"] == "1"
    assert bounded.ask("/ready").status == 200
    bounded.gate.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert found == [200, 200]
    assert bounded.ask("/wait").status == 200


def test_a_stream_comes_through_piece_by_piece_and_takes_no_place_from_others(bounded: Site) -> None:
    streams = []
    for _ in range(3):
        there = socket.create_connection(("127.0.0.1", bounded.port), PATIENCE)
        there.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert bounded.inside.acquire(timeout=PATIENCE)
        streams.append(there)
    assert b"first" in _until(streams[0], b"first")
    assert bounded.ask().status == 200
    bounded.gate.set()
    assert all(b"last" in _until(there, b"last") for there in streams)
    for there in streams:
        there.close()


def _until(there: socket.socket, word: bytes) -> bytes:
    data = b""
    while word not in data and (piece := there.recv(65536)):
        data += piece
    return data


def test_a_place_is_given_back_when_a_client_goes_away(bounded: Site) -> None:
    gone = []
    for _ in range(2):
        there = socket.create_connection(("127.0.0.1", bounded.port), PATIENCE)
        there.sendall(b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900\r\n\r\nx")
        gone.append(there)
    for there in gone:
        there.close()
    done = threading.Event()
    statuses: list[int] = []

    def ask() -> None:
        while not done.is_set() and 200 not in statuses:
            statuses.append(bounded.ask("/echo", method="POST", body=b"x").status)

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join(PATIENCE)
    done.set()
    assert 200 in statuses


# -- what every answer has ---------------------------------------------------------------------------------------------


def test_every_answer_says_not_to_keep_and_not_to_guess_unless_the_app_says_otherwise(plain: Site) -> None:
    for reply in (plain.ask(), plain.ask("/nowhere"), plain.ask(host="evil.example"), plain.ask("/broken")):
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["cache-control"] == "no-store"
        assert reply.headers["x-request-id"]
    assert plain.ask("/echo", method="POST", body=b"").headers["cache-control"] == "max-age=1"


def test_a_sane_request_id_is_taken_over_and_another_is_not(plain: Site) -> None:
    reply = plain.ask(X_Request_Id="abc-1.2_3")
    assert reply.headers["x-request-id"] == reply.data["request_id"] == "abc-1.2_3"
    for wrong in ("a b", "x" * 65, "<script>", ""):
        reply = plain.ask(X_Request_Id=wrong)
        assert reply.headers["x-request-id"] == reply.data["request_id"] != wrong


def test_a_fault_of_the_app_is_answered_without_its_text(plain: Site) -> None:
    reply = told(plain.ask("/broken"), 500, "internal")
    assert reply.data["request"] == reply.headers["x-request-id"]
    assert b"secret" not in reply.body


def test_a_websocket_is_closed(plain: Site) -> None:
    key = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13"
    with socket.create_connection(("127.0.0.1", plain.port), PATIENCE) as there:
        there.sendall(f"GET /who HTTP/1.1\r\nHost: evil.example\r\n{key}\r\n\r\n".encode())
        there.shutdown(socket.SHUT_WR)
        assert read_reply(there).status in (403, 421)


# -- counting ----------------------------------------------------------------------------------------------------------


def test_a_bucket_fills_again_as_time_goes_by_and_never_over_its_edge() -> None:
    time = [0.0]
    rate = Rate("requests", 60, 3, lambda: time[0])
    assert [rate.take("a").allowed for _ in range(4)] == [True, True, True, False]
    assert rate.take("b").allowed
    time[0] = 0.5
    assert rate.take("a").wait == pytest.approx(0.5)
    time[0] = 1.0
    assert [rate.take("a").allowed for _ in range(2)] == [True, False]
    time[0] = 1000.0
    assert [rate.take("a").allowed for _ in range(4)] == [True, True, True, False]


def test_many_callers_do_not_fill_the_memory() -> None:
    rate = Rate("requests", 60)
    for number in range(CALLERS * 2):
        rate.take(str(number))
    assert len(rate) == CALLERS


def test_slots_are_given_back() -> None:
    slots = Slots(1)
    assert slots.enter()
    assert not slots.enter()
    slots.leave()
    assert slots.enter()


def scope(client: str, **headers: str) -> Scope:
    return {"client": (client, 1), "headers": [(k.encode(), v.encode()) for k, v in headers.items()]}


LOCAL = {"127.0.0.1": True, "127.9.9.9": True, "::1": True, "::ffff:127.0.0.1": True}
ELSEWHERE = {"10.0.0.1": False, "::ffff:10.0.0.1": False, "testclient": False, "": False}


@pytest.mark.parametrize(("client", "local"), [*LOCAL.items(), *ELSEWHERE.items()])
def test_an_address_is_this_machine_s_or_not(client: str, local: bool) -> None:
    assert is_local(scope(client)) is local
    assert not is_local(scope(client, forwarded="for=127.0.0.1"))


def test_of_an_ipv6_network_all_addresses_count_as_one() -> None:
    assert address_of(scope("2001:db8::1")) == address_of(scope("2001:db8::ffff")) != address_of(scope("2001:db8:1::1"))
    assert address_of(scope("::ffff:10.0.0.1")) == address_of(scope("10.0.0.1"))
