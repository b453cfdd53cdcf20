"""Requests by TLS: who is trusted, under which name, and that a handshake ends."""

from __future__ import annotations

import socket
import subprocess
import threading
import time

import pytest
from hostile import BUSY, Hostile, answer
from network_scene import LIMIT, get, unreachable


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A certificate for `localhost` that signs itself, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    files = str(folder / "certificate.pem"), str(folder / "key.pem")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    options = ["-addext", "subjectAltName=DNS:localhost", "-out", files[0], "-keyout", files[1]]
    made = subprocess.run([*command.split(), *options], capture_output=True)
    if made.returncode != 0:
        pytest.skip("there is no openssl to make a certificate")
    return files


def test_a_certificate_nobody_vouches_for_is_refused(certificate: tuple[str, str]) -> None:
    with Hostile(certificate) as server:
        problem = unreachable(server.url(host="localhost"))
        assert "localhost cannot be reached by TLS: self-signed certificate" in problem.message
        assert server.asked == []


def test_tls_is_for_the_host_by_its_name(certificate: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", certificate[0])
    with Hostile(certificate) as server:
        server.on("/", answer(200, b"x" * 300_000))
        assert len(get(server.url(host="localhost"), max_bytes=1_000_000).body) == 300_000
        assert server.names == ["localhost"]
        assert "TLS" in unreachable(server.url(host="127.0.0.1")).message
        assert unreachable(server.url(host="localhost"), allow_private=False).refused


def test_a_tls_server_that_hangs_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        problem = unreachable(f"https://127.0.0.1:{silent.getsockname()[1]}/", timeout=LIMIT)
        assert "no whole answer" in problem.message
        assert time.monotonic() - began < LIMIT + BUSY


def test_a_server_without_tls_is_told_of() -> None:
    with socket.create_server(("127.0.0.1", 0)) as plain:

        def answer_in_the_clear() -> None:
            connection, _ = plain.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                connection.recv(1000)

        thread = threading.Thread(target=answer_in_the_clear)
        thread.start()
        assert "cannot be reached by TLS" in unreachable(f"https://127.0.0.1:{plain.getsockname()[1]}/").message
        thread.join(10)
