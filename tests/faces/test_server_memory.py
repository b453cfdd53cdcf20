"""Servers that run for weeks: their threads share one place for memory, and what is loaded once is not looked at again."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

SERVERS = {
    "http": """
from llmgenie_mcp.faces.rest_serve import serve
serve(sys.argv[1], None, 0, lambda _: (frozen.append(gc.get_freeze_count()), os.kill(os.getpid(), signal.SIGTERM)))
""",
    "stdio": """
from llmgenie_mcp.faces.mcp_server import run
run(sys.argv[1])
frozen.append(gc.get_freeze_count())
""",
}
LOOK = """
import ctypes, gc, json, os, signal, sys, threading
frozen = []
{serve}
libc, together = ctypes.CDLL(None), threading.Barrier(8)
libc.fopen.restype = ctypes.c_void_p
def fill():
    kept = [bytearray(4000) for _ in range(50)]
    together.wait(20)
threads = [threading.Thread(target=fill) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
file = ctypes.c_void_p(libc.fopen(sys.argv[2].encode(), b"w"))
libc.malloc_info(0, file)
libc.fclose(file)
arenas = open(sys.argv[2]).read().count("<heap nr=")
print(json.dumps([arenas, frozen[0]]))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="arenas are glibc's")
@pytest.mark.parametrize("server", SERVERS)
def test_the_threads_of_a_server_have_one_arena_and_what_it_loaded_is_frozen(
    repo: Path, tmp_path: Path, server: str
) -> None:
    code = LOOK.format(serve=SERVERS[server])
    words = [sys.executable, "-c", code, str(repo), str(tmp_path / "arenas.xml")]
    env = {name: value for name, value in os.environ.items() if name != "MALLOC_ARENA_MAX"}
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=env, timeout=60)
    assert done.returncode == 0, done.stderr
    arenas, frozen = json.loads(done.stdout.splitlines()[-1])
    assert arenas == 1
    assert frozen > 10_000
