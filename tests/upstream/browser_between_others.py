"""A person's browser at a login, which comes after other programs that call the waiting address in its place.

    python browser_between_others.py ADDRESS FILE

FILE gets the statuses with which those others were answered.
"""

from __future__ import annotations

import socket
import sys
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

OTHERS = (
    "/",
    "?code=stolen",
    "?code=stolen&state=guessed",
    "?error=access_denied&state=",
    "?error=access_denied&state=%C3%A9",
)


def status(address: str) -> int:
    """With which an address answers."""
    try:
        with urllib.request.urlopen(address) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


waiting = parse_qs(urlsplit(sys.argv[1]).query)["redirect_uri"][0]
at = urlsplit(waiting)
with (
    socket.create_connection((at.hostname, at.port)) as silent,
    socket.create_connection((at.hostname, at.port)) as noise,
):
    noise.sendall(b"\x00" * 10_000)
    told = [status(f"http://{at.netloc}/" if other == "/" else waiting + other) for other in OTHERS]
    Path(sys.argv[2]).write_text(" ".join(map(str, told)), encoding="utf-8")
    urllib.request.urlopen(sys.argv[1]).read()
