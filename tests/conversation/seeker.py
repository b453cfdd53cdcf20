"""A client without a model. It is given a goal, knows git and nothing of llmgenie, and does what the answers say.

Whatever it does after a refusal it takes from that refusal: the `fix`, the names that are `near`, what is `allowed`, the
commands between backticks. Where an answer says that a person must act, the person of the `World` acts.
"""

from __future__ import annotations

import difflib
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from llmgenie_mcp import trust

Json = dict[str, Any]
BLANK = "…"
"""What stands in a fix where the agent's own words go."""
WORDS = {
    "title": "Write it down",
    "summary": "Wrote it and ran the tests; nothing is left.",
    "text": "Chose the simple way: it is enough.",
    "comment": "As asked.",
    "value": "Kept.",
}
"""What a model would write, by the name of the parameter."""
WAY = re.compile(r"\bperson\b|\buser\b|llmgenie (trust|approve)|`[^`]+`|[Ff]rom here: |Leave it out|Add: ")
"""What a message says that has no fix: who can, what to type, or what may be done instead."""
_COMMAND = re.compile(r"`(git [^`]+)`")
_HEADING = re.compile(r"([A-Z]+\.md)\b.*`(## [^`]+)`")
_PERSON = re.compile(r"llmgenie (trust|approve)\b")
_MEANT = re.compile(r"[Dd]id you mean ([^\s?,;]+)")


@dataclass
class World:
    """The project's folder, as an agent's shell sees it, and the person beside it.

    Attributes:
        folder: the git checkout.
        asked: what the person was asked, and said yes to.
    """

    folder: Path
    asked: list[str] = field(default_factory=list)

    def shell(self, command: str) -> None:
        """Run one git command of an answer, the blank filled in."""
        words = [WORDS["title"] if BLANK in word else word for word in re.findall(r'"[^"]*"|\S+', command)]
        done = subprocess.run([word.strip('"') for word in words], cwd=self.folder, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}: {done.stderr}{done.stdout}"

    def person(self, what: str) -> None:
        """A person does in a terminal what the answer says they must."""
        self.asked.append(what)
        if what == "trust":
            trust.trust(self.folder / ".llmgenie")


class Server:
    """`llmgenie-mcp` as a process, spoken to in lines of JSON-RPC; the person answers its dialogues."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._last = 0
        self._process = subprocess.Popen(
            [sys.executable, "-m", "llmgenie_mcp", "serve", "--project", str(world.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        hello = {"capabilities": {"elicitation": {}}, "clientInfo": {"name": "seeker", "version": "1"}}
        self.request("initialize", {"protocolVersion": "2025-11-25", **hello})
        self._send({"method": "notifications/initialized"})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(20)
        finally:
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()

    def request(self, method: str, params: Json) -> Json:
        """The answer; a dialogue that comes before it is answered by the person."""
        self._last += 1
        mine = self._last
        self._send({"id": mine, "method": method, "params": params})
        assert self._process.stdout is not None
        for line in self._process.stdout:
            message: Json = json.loads(line)
            if message.get("method") == "elicitation/create":
                self.world.person(message["params"]["message"])
                self._send({"id": message["id"], "result": {"action": "accept", "content": {"decision": "approve"}}})
            elif message.get("id") == mine and "method" not in message:
                return message
        raise AssertionError("the server has ended")

    def _send(self, message: Json) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        self._process.stdin.flush()


@dataclass(frozen=True)
class Call:
    """One call of a tool."""

    tool: str
    arguments: Json

    @property
    def params(self) -> Json:
        """The parameters of the action, in `run_action`."""
        found = self.arguments.get("params")
        return found if isinstance(found, dict) else {}

    def over(self, **arguments: Any) -> Call:
        """The same with other arguments."""
        return Call(self.tool, {**self.arguments, **arguments})

    def __str__(self) -> str:
        return f"{self.tool} {json.dumps(self.arguments, ensure_ascii=False, sort_keys=True)}"


@dataclass(frozen=True)
class Way:
    """What is called next."""

    call: Call


class Instead(Way):
    """The same call as it should have been."""


class Again(Way):
    """The same call, after a shell or a person did something."""


def act(action: str, session: str | None = None, /, **params: Any) -> Call:
    """A call of run_action."""
    own = {"session": session} if session else {}
    return Call("run_action", {"action": action, "params": params, **own})


class Seeker:
    """Reaches goals.

    Attributes:
        session: the session it was given, handed over from then on.
        calls: what it called, with the answer's text.
        refusals: every reason and every error it met.
    """

    def __init__(self, server: Server, session: str | None = None, **knows: Any) -> None:
        self.session = session
        self.calls: list[tuple[str, str]] = []
        self.refusals: list[Json] = []
        self._server = server
        self._knows = {**WORDS, **knows}
        self._followed: Counter[str] = Counter()

    def reach(self, goal: Call, within: int) -> Json:
        """Do what is needed until the goal's call is answered with a yes; its answer.

        Fails when an answer leaves no way, or after `within` calls.
        """
        call = goal
        while len(self.calls) < within:
            answer, text = self._ask(call)
            if _reached(answer):
                if call is goal:
                    return answer
                call = goal  # one step done; look again from the start
                continue
            way = next(self._ways(call, answer, text), None)
            assert way is not None, f"No way out of {call}:\n{json.dumps(answer, indent=1)}\n{self.told()}"
            if isinstance(way, Instead) and call is goal:
                goal = way.call
            call = way.call
        raise AssertionError(f"Not reached within {within} calls:\n{self.told()}")

    def told(self) -> str:
        """The conversation."""
        return "\n".join(f"> {call}\n{text}" for call, text in self.calls)

    def _ask(self, call: Call) -> tuple[Json, str]:
        arguments = dict(call.arguments)
        if self.session and call.tool == "run_action":
            arguments.setdefault("session", self.session)
        message = self._server.request("tools/call", {"name": call.tool, "arguments": arguments})
        result = message["result"]
        text = "\n".join(part["text"] for part in result["content"])
        self.calls.append((str(Call(call.tool, arguments)), text))
        answer: Json = result.get("structuredContent") or {"status": "error", "error": {}}
        if result.get("isError") and "status" not in answer:
            answer["status"] = "error"
        self.refusals += [*answer.get("reasons", []), *([answer["error"]] if answer.get("error") else [])]
        if _reached(answer) and isinstance(found := answer.get("result", {}).get("session"), dict):
            self.session = str(found["id"])
        return answer, text

    def _ways(self, call: Call, answer: Json, text: str) -> Iterator[Way]:
        """What the answer offers, each followed at most three times from the same place."""
        for way in self._offered(call, answer, text):
            key = f"{call}|{way.call}"
            self._followed[key] += 1
            if self._followed[key] <= 3 and (isinstance(way, Again) or str(way.call) != str(call)):
                yield way

    def _offered(self, call: Call, answer: Json, text: str) -> Iterator[Way]:
        if answer.get("status") == "error":
            yield from self._corrected(call, answer.get("error", {}), text)
        for reason in answer.get("reasons", []):
            if fix := reason.get("fix"):
                yield self._fixed(call, fix, reason)
            elif self._work(reason["message"]):
                yield Again(call)

    def _fixed(self, call: Call, fix: Mapping[str, Any], about: Mapping[str, Any]) -> Way:
        params = {name: self._filled(name, value, about) for name, value in fix.get("params", {}).items()}
        about_another = any(
            params.get(name, call.params.get(name)) != call.params.get(name) for name in ("id", "instance")
        )
        if fix["action"] == call.arguments.get("action") and not about_another:
            return Instead(call.over(params={**call.params, **params}))
        return Way(act(fix["action"], **params))

    def _filled(self, name: str, value: Any, about: Mapping[str, Any]) -> Any:
        if not isinstance(value, str) or BLANK not in value:
            return value
        if name in self._knows:
            return self._knows[name]
        listed = [found for found in about.get("values", {}).values() if isinstance(found, list) and found]
        return listed[0][0] if listed else value

    def _work(self, message: str) -> bool:
        """Do what the message says is to be done in a shell, in a file, or by a person; False when it says nothing such."""
        if found := _HEADING.search(message):
            path = self._server.world.folder / found[1]
            old = path.read_text(encoding="utf-8") if path.exists() else "# Changelog\n"
            path.write_text(f"{old}\n{found[2]}\n\n- {WORDS['title']}.\n", encoding="utf-8")
            return True
        if commands := _COMMAND.findall(message):
            for command in commands:
                self._server.world.shell(command)
            return True
        if found := _PERSON.search(message):
            self._server.world.person(found[1])
            return True
        return False

    def _corrected(self, call: Call, error: Json, text: str) -> Iterator[Way]:
        """The call as the error says that it would be right."""
        if "version" in error and "expected_version" in error:
            if "expected_version" in call.params:
                yield Instead(call.over(params={**call.params, "expected_version": error["version"]}))
            yield Instead(call.over(expected_version=error["version"]))
        for near in error.get("near") or _MEANT.findall(text)[:1]:
            wrong = error.get("name") or (re.findall(r"'([^']+)'", text) or [""])[0]
            yield Instead(Call(call.tool, _replaced(call.arguments, wrong, near)))
        if fix := error.get("fix"):
            if error.get("name") == self.session:
                self.session = None
            way = self._fixed(call, fix, error)
            elsewhere = error.get("kind") == "tool" or error["code"] == "not_writable"
            yield Instead(way.call) if elsewhere else way
        if problems := error.get("problems"):
            yield Instead(self._fitting(call, error, problems))

    def _fitting(self, call: Call, error: Json, problems: list[Json]) -> Call:
        takes, example = error.get("takes"), error.get("example", {})
        if takes is not None:  # of the tool itself: what it does not take belongs to the action
            outer = {name: value for name, value in call.arguments.items() if name in takes}
            inner = {name: value for name, value in call.arguments.items() if name not in takes}
            return Call(call.tool, {**outer, "params": {**call.params, **inner}})
        params = dict(call.params)
        for problem in problems:
            where = problem["where"]
            if problem.get("near"):
                params[problem["near"][0]] = params.pop(where)
        for problem in problems:
            where = problem["where"]
            if "allowed" in problem:
                close = difflib.get_close_matches(str(params[where]), problem["allowed"], 1, 0)
                params[where] = close[0]
            elif problem.get("type") == "array" and not isinstance(params[where], list):
                params[where] = [params[where]]
            elif problem.get("type") == "integer":
                params[where] = int(re.sub(r"\D", "", str(params[where])) or 1)
            elif where not in params and not problem.get("near"):
                params[where] = self._knows.get(where, example.get(where))
        return call.over(params=params)


def _reached(answer: Json) -> bool:
    if "effect" in answer:
        return bool(answer["allowed"])
    return answer.get("status", "ok") == "ok"


def _replaced(value: Any, old: str, new: str) -> Any:
    if isinstance(value, dict):
        return {key: _replaced(part, old, new) for key, part in value.items()}
    return new if value == old else value
