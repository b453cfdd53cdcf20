"""An MCP server of the standard library alone, which starts at once and does whatever a bad server may do.

    python raw_server.py SPEC [--mute | --exit | --banner | --babble | --stubborn | --hang-list | --offers | --hang-prompts]

SPEC is a JSON file, read again for every request: {"tools": [tool, …], "log": path?}. What a tool does is its name:
see `call`. With a log, what it was asked is written there, one JSON document a line.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

SPEC = Path(sys.argv[1])
HOW = set(sys.argv[2:])
LOCK = threading.Lock()
ASKED: dict[Any, Any] = {}


def spec() -> dict[str, Any]:
    """The file as it is now."""
    found: dict[str, Any] = json.loads(SPEC.read_text(encoding="utf-8"))
    return found


def send(message: Any) -> None:
    """A line to the client."""
    with LOCK:
        sys.stdout.write((message if isinstance(message, str) else json.dumps(message)) + "\n")
        sys.stdout.flush()


def note(entry: Any) -> None:
    """A line for the test."""
    if log := spec().get("log"):
        with Path(log).open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")


def answer(request: dict[str, Any], result: Any) -> None:
    """The result of a request."""
    send({"jsonrpc": "2.0", "id": request["id"], "result": result})


def text(request: dict[str, Any], said: str, **more: Any) -> None:
    """The result of a call, as text."""
    answer(request, {"content": [{"type": "text", "text": said}], **more})


def call(request: dict[str, Any]) -> None:  # noqa: C901 - one branch a misdeed
    """What a tool does."""
    name, given = request["params"]["name"], request["params"].get("arguments") or {}
    match name:
        case "hang":
            return
        case "die":
            sys.stderr.write("Traceback: boom, password=hunter2hunter2\n")
            sys.stderr.flush()
            os._exit(3)
        case "die_once":
            mark = Path(given["mark"])
            if not mark.exists():
                mark.touch()
                os._exit(4)
            text(request, f"alive as {os.getpid()}")
        case "huge":
            send(
                f'{{"jsonrpc":"2.0","id":{request["id"]},"result":{{"content":[{{"type":"text","text":"{"x" * 50_000_000}"}}]}}}}'
            )
        case "endless":
            while True:
                sys.stdout.write("x" * 1_000_000)
        case "flood":
            while True:
                send('{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"x"}}')
        case "shout":
            while True:
                sys.stderr.write("x" * 100_000)
        case "shout_beside":
            threading.Thread(
                target=lambda: [sys.stderr.write("y" * 100_000) for _ in range(10**9)], daemon=True
            ).start()
            text(request, "still here")
        case "progress_flood":
            token = request["params"]["_meta"]["progressToken"]
            for number in range(5000):
                send(
                    {
                        "jsonrpc": "2.0",
                        "method": "notifications/progress",
                        "params": {
                            "progressToken": token,
                            "progress": number,
                            "total": 5000,
                            "message": "\u202eh" * 500,
                        },
                    }
                )
            text(request, "done")
        case "babble":
            for line in ("no json", '{"jsonrpc":"2.0"}', "[]", "\x00\xff", '{"jsonrpc":"2.0","id":{},"result":1}'):
                send(line)
            text(request, "after all")
        case "nonsense":
            for _ in range(1000):
                send("no json at all")
        case "deep":
            send(f'{{"jsonrpc":"2.0","id":{request["id"]},"result":{"[" * 200_000}{"]" * 200_000}}}')
        case "deep_data":
            value: Any = 1
            for _ in range(900):
                value = [value]
            text(request, "deep", structuredContent={"it": value})
        case "surrogate":
            send(
                f'{{"jsonrpc":"2.0","id":{request["id"]},"result":{{"content":[{{"type":"text","text":"a\\ud800b\\u0000c"}}]}}}}'
            )
        case "bytes":
            sys.stdout.buffer.write(b"\xff\xfe\x80" * 1000 + b"\n")
            sys.stdout.buffer.flush()
            text(request, "after bytes")
        case "batch":
            send(f'[{{"jsonrpc":"2.0","id":{request["id"]},"result":{{"content":[]}}}}]')
        case "twice":
            text(request, "first")
            text(request, "second")
        case "both":
            error = {"code": -32000, "message": "both"}
            send({"jsonrpc": "2.0", "id": request["id"], "result": {"content": []}, "error": error})
        case "storm":
            for _ in range(3000):
                send({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"})
            text(request, "after the storm")
        case "wrong_shape":
            answer(request, {"content": "not a list"})
        case "wrong_id":
            send({"jsonrpc": "2.0", "id": "someone else's", "result": {}})
        case "rpc_error":
            send({"jsonrpc": "2.0", "id": request["id"], "error": {"code": -32050, "message": "no, ghp_" + "a" * 36}})
        case "secret":
            told = {"token": "ghp_" + "b" * 36, "given": os.environ.get("SHOP_KEY", "")}
            text(request, json.dumps(told), structuredContent=told)
        case "ask":
            for number, method in enumerate(("roots/list", "sampling/createMessage", "elicitation/create")):
                ASKED[f"q{number}"] = request
                send({"jsonrpc": "2.0", "id": f"q{number}", "method": method, "params": {}})
        case "elicit":
            ASKED[f"e{request['id']}"] = request
            send(
                {
                    "jsonrpc": "2.0",
                    "id": f"e{request['id']}",
                    "method": "elicitation/create",
                    "params": given["question"],
                }
            )
            if given.get("end"):
                text(request, "ended without an answer")
        case "asks_a_person":
            text(request, "Sorry: elicitation is not supported by this client.", isError=True)
        case "change":
            change = spec() | {"tools": given["tools"]}
            SPEC.write_text(json.dumps(change), encoding="utf-8")
            send({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"})
            text(request, "changed")
        case "child":
            subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"], start_new_session=False)
            text(request, "has a child")
        case "pid":
            text(request, str(os.getpid()))
        case _:
            text(request, json.dumps({"name": name, "given": given}))


def handle(message: dict[str, Any]) -> None:  # noqa: C901 - one branch a method
    """One message."""
    method = message.get("method")
    note({"method": method, "id": message.get("id"), "params": message.get("params")})
    if method is None and message.get("id") in ASKED:
        request = ASKED.pop(message["id"])
        note({"answered": message})
        if request["params"]["name"] == "elicit":
            text(request, json.dumps(message.get("result") or message.get("error")))
        elif not ASKED:
            text(request, "asked")
    elif method == "initialize":
        about = {"protocolVersion": "2025-06-18", "serverInfo": {"name": "raw", "version": "1"}}
        more = {"prompts": {}, "resources": {}} if HOW & {"--offers", "--hang-prompts"} else {}
        answer(message, {**about, "capabilities": {"tools": {"listChanged": True}, **more}})
    elif method == "prompts/list":
        if "--hang-prompts" not in HOW:
            odd = {"name": "odd", "description": "Do it.\u202e", "arguments": [{"name": "a\u200bb"}]}
            answer(
                message, {"prompts": [{"name": "run"}, {"name": "run"}, {"name": "../x y"}, odd], "nextCursor": "on"}
            )
    elif method == "resources/list":
        long = {"uri": "x:" + "u" * 5000, "name": "\u202eevil", "description": "d" * 1_000}
        answer(message, {"resources": [long] * 60, "nextCursor": "on"})
    elif method == "resources/read":
        kind = message["params"]["uri"].removeprefix("x:")
        if kind == "blob":
            answer(message, {"contents": [{"uri": "x:blob", "mimeType": "image/png", "blob": "A" * 400_000}]})
        elif kind == "none":
            answer(message, {"contents": "none"})
    elif method == "tools/list":
        if "--hang-list" in HOW:
            pass
        elif "--pages" in HOW:
            answer(message, {"tools": [], "nextCursor": str(time.monotonic())})
        else:
            answer(message, {"tools": spec()["tools"]})
    elif method == "tools/call":
        call(message)
    elif "id" in message and method is not None:
        send({"jsonrpc": "2.0", "id": message["id"], "error": {"code": -32601, "message": f"no {method}"}})


def main() -> None:
    """Serve until stdin ends, or beyond."""
    if "--exit" in HOW:
        sys.exit("config error: no database")
    if "--banner" in HOW:
        send("Welcome to the raw server 1.0!")
    if "--babble" in HOW:
        while True:
            send("Loading ...")
    if "--stubborn" in HOW:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
    for line in sys.stdin:
        if "--mute" not in HOW:
            handle(json.loads(line))
    while "--stubborn" in HOW:
        time.sleep(1)


if __name__ == "__main__":
    main()
