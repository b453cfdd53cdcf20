"""Requests to the outside: where they may not go, and that they end, whatever the other side does."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hostile import BUSY, Hostile, answer, break_off, drip, endless, hang, raw, redirect, reset
from hypothesis import given
from hypothesis import strategies as st
from network_scene import LIMIT, get, unreachable

from llmgenie_mcp import network
from llmgenie_mcp.network import Answer, Unreachable, connection, public

# -- where to ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "localhost", "127.1", "0x7f.1", "2130706433", "017700000001", "0.0.0.0", "0", "[::1]", "[::]"),
        *(
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[0:0:0:0:0:ffff:7f00:0001]",
            "LOCALHOST",
            "127\u30020\u30020\u30021",
        ),
    ],
)
def test_no_way_to_write_this_machine_gets_through(server: Hostile, host: str) -> None:
    refusal = unreachable(server.url(host=host), allow_private=False)
    assert refusal.refused
    assert "`allow_private: true`" in refusal.message
    assert server.asked == []


@pytest.mark.parametrize(
    "host", ["localhost.", "0177.0.0.1", "127.0.0.1.", "127.0.0.1%00", "127.0.0.1\t", "\uff11\uff12\uff17.1"]
)
def test_nor_does_one_that_the_resolver_may_or_may_not_know(server: Hostile, host: str) -> None:
    unreachable(server.url(host=host), allow_private=False)
    assert server.asked == []


@pytest.mark.parametrize(
    "address",
    [
        *("10.1.2.3", "100.64.0.1", "100.127.255.255", "127.8.8.8", "169.254.169.254", "172.16.0.1", "172.31.255.255"),
        *("192.0.0.192", "192.0.2.1", "192.168.1.1", "198.18.0.1", "198.19.255.255", "224.0.0.1", "239.1.1.1"),
        *("240.0.0.1", "255.255.255.255", "0.1.2.3", "168.63.129.16", "100.100.100.200", "203.0.113.7"),
        *("::", "::1", "::7f00:1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%lo", "fec0::1", "ff02::1"),
        *("2001:db8::1", "2001::1", "3fff::1", "100::1", "64:ff9b:1::1", "5f00::1", "::ffff:0:10.0.0.1"),
        *("::ffff:10.0.0.1", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "2002:7f00:1::", "2002:c0a8:101:1::1"),
    ],
)
def test_addresses_that_are_not_on_the_internet(address: str) -> None:
    assert not public(address)


@pytest.mark.parametrize(
    "address",
    [
        *("8.8.8.8", "1.1.1.1", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1", "198.20.0.1"),
        *("192.0.1.1", "223.255.255.255", "2606:4700::1111", "2a00:1450::1", "2001:4860:4860::8888"),
        *("::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"),
    ],
)
def test_addresses_that_are(address: str) -> None:
    assert public(address)


@given(st.ip_addresses(v=4) | st.ip_addresses(v=6, network="2000::/3"))
def test_no_address_that_python_knows_as_special_is_public(address: Any) -> None:
    special = address.is_private or address.is_loopback or address.is_link_local or address.is_multicast
    if special or address.is_reserved or address.is_unspecified:
        assert not public(str(address))


def test_a_name_that_resolves_to_another_address_the_second_time_gains_nothing(
    server: Hostile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no name server here to do it, so the resolver is replaced; the connection is real."""
    looked_up: list[str] = []

    def rebinding(host: str, port: int, **_: Any) -> list[Any]:
        looked_up.append(host)
        address = "127.0.0.2" if len(looked_up) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    monkeypatch.setattr(connection, "public", lambda address: address == "127.0.0.2")
    unreachable(server.url(host="rebinding.example"), allow_private=False, timeout=LIMIT)
    assert looked_up == ["rebinding.example"]
    assert unreachable(server.url(host="rebinding.example"), allow_private=False).refused
    assert server.asked == []


def test_one_private_address_among_public_ones_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def mixed(host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in ("8.8.8.8", "10.0.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", mixed)
    refusal = unreachable("http://mixed.example/", allow_private=False)
    assert refusal.refused
    assert "10.0.0.1" in refusal.message


def test_the_next_address_of_a_host_is_tried_when_one_does_not_answer(
    server: Hostile, monkeypatch: pytest.MonkeyPatch
) -> None:
    def several(host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in ("127.0.0.2", "127.0.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", several)
    server.on("/", answer(200, "here"))
    assert get(server.url(host="several.example")).body == b"here"
    assert server.asked[0].headers["host"] == f"several.example:{server.port}"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("file:///etc/passwd", "http and https"),
        ("gopher://example.org/", "http and https"),
        ("//example.org/", "http and https"),
        ("http://", "names a host"),
        ("http:///path", "names a host"),
        ("https://user:hunter22@example.org/", "no user and password"),
    ],
)
def test_only_http_addresses_without_a_password_are_possible(url: str, says: str) -> None:
    refusal = unreachable(url)
    assert refusal.refused
    assert says in refusal.message
    assert "hunter22" not in refusal.message


def test_a_redirect_is_an_answer_and_not_followed(server: Hostile) -> None:
    server.on("/", redirect(server.url("/inside")))
    found = get(server.url("/"))
    assert (found.status, found.headers["location"]) == (302, server.url("/inside"))
    assert len(server.asked) == 1


def test_no_proxy_and_no_netrc_is_used(server: Hostile, monkeypatch: pytest.MonkeyPatch, isolated: Path) -> None:
    with Hostile() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url())
        (isolated / ".netrc").write_text("machine 127.0.0.1 login ada password hunter22\n", encoding="utf-8")
        get(server.url("/"))
        assert proxy.asked == []
    assert "authorization" not in server.asked[0].headers


# -- what is sent and read -------------------------------------------------------------------------------------------


def test_method_headers_and_body_arrive_and_the_answer_comes_back(server: Hostile) -> None:
    server.on("/a", answer(201, b"\x00made", {"X-One": "1", "x-one": "2"}))
    sent = {"X-Mine": "yes"}
    url = server.url("/a?q=1")
    found = network.request("PUT", url, headers=sent, content=b"\x00body", timeout=10, allow_private=True)
    assert found == Answer(201, {"content-length": "5", "x-one": "1, 2"}, b"\x00made", cut=False)
    (asked,) = server.asked
    assert (asked.method, asked.path, asked.body) == ("PUT", "/a?q=1", b"\x00body")
    assert asked.headers["x-mine"] == "yes"
    assert asked.headers["accept-encoding"] == "identity"
    assert asked.headers["host"] == f"127.0.0.1:{server.port}"


@pytest.mark.parametrize(("most", "body", "cut"), [(4, b"1234", True), (5, b"12345", False), (0, b"", True)])
def test_no_more_of_the_body_is_kept_than_asked_for(server: Hostile, most: int, body: bytes, cut: bool) -> None:
    server.on("/", answer(200, b"12345"))
    found = get(server.url("/"), max_bytes=most)
    assert (found.body, found.cut) == (body, cut)


def test_an_endless_body_is_cut(server: Hostile) -> None:
    server.on("/", endless())
    found = get(server.url("/"), max_bytes=100_000)
    assert (found.status, len(found.body), found.cut) == (200, 100_000, True)


def test_a_large_body_is_sent_to_a_server_that_reads_it(server: Hostile) -> None:
    server.on("/", answer())
    network.request("POST", server.url("/"), content=b"x" * 5_000_000, timeout=10, allow_private=True)
    assert len(server.asked[0].body) == 5_000_000


def test_a_server_that_answers_before_it_read_everything_is_heard_or_told_of() -> None:
    """Whether its answer outlives the reset that follows is for the system to say."""
    with socket.create_server(("127.0.0.1", 0)) as hasty:

        def answer_at_once() -> None:
            connection, _ = hasty.accept()
            with connection:
                connection.recv(10)
                connection.sendall(b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n")

        thread = threading.Thread(target=answer_at_once)
        thread.start()
        url = f"http://127.0.0.1:{hasty.getsockname()[1]}/"
        with contextlib.suppress(Unreachable):
            found = network.request("POST", url, content=b"x" * 50_000_000, timeout=10, allow_private=True)
            assert found.status == 413
        thread.join(10)


@pytest.mark.parametrize("headers", [{"x": "a\r\nHost: evil"}, {"x y": "evil"}, {"x": "ä\nevil"}, {"x": "\ud800"}])
def test_a_header_that_cannot_be_sent_is_refused_without_being_told(server: Hostile, headers: dict[str, str]) -> None:
    refusal = unreachable(server.url("/"), headers=headers)
    assert refusal.refused
    assert "evil" not in refusal.message
    assert server.asked == []


# -- that it ends ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "behaviour",
    [
        hang(),
        drip(),
        drip(head=b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n"),
        drip(head=b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffff\r\n"),
        raw(b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
    ],
    ids=["hangs", "drips headers", "drips a body", "drips a chunk", "only says continue"],
)
def test_the_timeout_bounds_the_whole_request(server: Hostile, behaviour: Any) -> None:
    server.on("/", behaviour)
    began = time.monotonic()
    problem = unreachable(server.url("/"), timeout=LIMIT)
    assert time.monotonic() - began < LIMIT + BUSY
    assert not problem.refused


def test_a_server_that_reads_nothing_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        began = time.monotonic()
        with pytest.raises(Unreachable, match="no whole answer"):
            network.request(
                "POST",
                f"http://127.0.0.1:{deaf.getsockname()[1]}/",
                content=b"x" * 50_000_000,
                timeout=LIMIT,
                allow_private=True,
            )
        assert time.monotonic() - began < LIMIT + BUSY


def test_a_resolver_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait(20) and [])
    try:
        began = time.monotonic()
        assert "no whole answer" in unreachable("http://slow.example/", timeout=LIMIT).message
        assert time.monotonic() - began < LIMIT + BUSY
    finally:
        over.set()


@pytest.mark.parametrize(
    "behaviour",
    [
        reset(),
        break_off(),
        raw(b""),
        raw(b"SSH-2.0-OpenSSH_9.6\r\n"),
        raw(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 50_000),
    ],
    ids=["resets", "breaks off", "closes", "speaks something else", "has no end of headers"],
)
def test_what_is_no_answer_is_told_and_not_taken_for_one(server: Hostile, behaviour: Any) -> None:
    server.on("/", behaviour)
    problem = unreachable(server.url("/"))
    assert not problem.refused
    assert 10 < len(problem.message) < 300


def test_nobody_listening_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    assert (
        unreachable(f"http://127.0.0.1:{port}/").message == f"127.0.0.1:{port} cannot be reached: Connection refused."
    )


def test_a_name_without_an_address_is_told() -> None:
    assert "nowhere.invalid has no address" in unreachable("http://nowhere.invalid/").message
    assert "has no address" in unreachable(f"http://{'a' * 70}/").message


def test_a_request_can_be_broken_off(server: Hostile) -> None:
    server.on("/", hang())
    cancel = threading.Event()
    threading.Thread(target=lambda: (server.wait(1), cancel.set())).start()
    began = time.monotonic()
    assert unreachable(server.url("/"), cancel=cancel, timeout=60).message == "cancelled"
    assert time.monotonic() - began < BUSY


# -- what it costs -------------------------------------------------------------------------------------------------------


def test_no_connection_and_no_thread_is_left(server: Hostile) -> None:
    server.on("/", answer(), answer(), reset(), break_off(), answer())
    opened = Path("/proc/self/fd" if Path("/proc/self/fd").exists() else "/dev/fd")
    get(server.url("/"))
    before = len(list(opened.iterdir()))
    for number in range(12):
        if number in (1, 2):
            unreachable(server.url("/"))
        else:
            get(server.url("/"))
    assert len(list(opened.iterdir())) <= before + 1
    assert not [thread for thread in threading.enumerate() if thread.name == "llmgenie-lookup"]


def test_importing_it_is_light() -> None:
    code = "import sys, llmgenie_mcp.network; print([m for m in ('httpx2', 'httpcore2', 'ssl', 'ipaddress') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
