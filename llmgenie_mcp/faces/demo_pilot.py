"""The pilot: the way of one change from a task to a published release, as an agent goes it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from llmgenie_mcp.faces.demo_place import Place
from llmgenie_mcp.faces.demo_show import DemoError
from llmgenie_mcp.faces.demo_talk import Talk

SLOW = 7300.0
"""Seconds: longer than the settings allow any command."""


class Pilot:
    """Goes the way chapter by chapter; every answer is held against what must come."""

    def __init__(self, talk: Talk, place: Place, *, publish: bool) -> None:
        """The way through one place.

        Args:
            talk: the conversation with the server.
            place: the repository.
            publish: whether `publish` may be run: not where the settings have a real command for it.
        """
        self.talk, self.place, self.publish = talk, place, publish
        self.story = talk.story
        self.task = ""
        self.second = ""
        self.review = ""
        self.before: frozenset[str] = frozenset()

    async def go(self) -> None:
        """The whole way. Raises DemoError at the first thing that is not as it must be."""
        await self.begin()
        await self.switch_to_review()
        await self.add_a_task()
        await self.be_refused()
        self.go_past_the_server()
        await self.test_and_submit()
        await self.merge()
        await self.release()

    async def begin(self) -> None:
        """A task, and a session for it, in the mode that sessions start in."""
        talk = self.talk
        self.story.chapter("A session for a task", "The agent makes a task and opens a session for it.")
        made = await talk.run("Create the task", "create_task", {"title": self.place.task, "priority": "high"})
        self.task = made["result"]["id"]
        started = await talk.run("Start a session", "start_session", {"task": self.task})
        talk.session = started["result"]["session"]["id"]
        self.before = frozenset(started["actions"])
        await talk.call("See where things stand", "get_workflow_state", {"session": talk.session})

    async def switch_to_review(self) -> None:
        """What would be open in review; then the switch, which is logged."""
        talk = self.talk
        self.story.chapter("What may be done in review?", "Asked before going there.")
        asked = {"context": "review", "session": talk.session}
        there = await talk.call("Ask for the actions of the mode review", "get_available_actions", asked)
        names = {action["name"] for action in there["actions"]}
        _require({"start_review", "run_tests"} <= names, "The mode review opens start_review and run_tests.", names)
        self.story.chapter("Switch the mode", "The switch is logged, and the new list of actions comes back.")
        params = {"mode": "review", "reason": "The change is small: make it and bring it through review."}
        switched = await talk.run("Switch to review", "log_mode_switch", params)
        _require(switched["result"]["mode"] == "review", "The mode is review now.", switched["result"])
        now = frozenset(switched["actions"])
        new, gone = sorted(now - self.before), sorted(self.before - now)
        _require("start_review" in new, "The list that came back is the one of review.", switched["actions"])
        newest = await talk.call("Read the log", "get_context_data", {"key": "meta-log", "limit": 1})
        logged = newest["items"][0]
        _require(logged.get("action") == "log_mode_switch", "The newest line of the log is the switch.", logged)
        self.story.note(f"line {logged['seq']} of the log; newly open: {', '.join(new)}; no longer: {', '.join(gone)}")

    async def add_a_task(self) -> None:
        """A second task, read back by its key."""
        talk = self.talk
        self.story.chapter("Create a task and read it back", "Tasks are kept, with what they wait for.")
        params = {
            "title": f"Release {self.place.version}",
            "description": "When the change is in.",
            "dependencies": [self.task],
        }
        await talk.run("Take the first task", "claim_task", {"id": self.task})
        made = await talk.run("Create a task that waits for the first", "create_task", params)
        self.second = made["result"]["id"]
        read = await talk.call("Read it back", "get_context_data", {"key": f"tasks/{self.second}"})
        _require(read["value"]["dependencies"] == [self.task], "What was written is what is read.", read["value"])

    async def be_refused(self) -> None:
        """A branch with a commit; the straight way to main is refused."""
        talk, place, story = self.talk, self.place, self.story
        story.chapter(
            f"The short way to {place.base}", "The agent writes its change on a branch and wants to merge it at once."
        )
        await self._ask("Ask before committing to it", "git.commit", place.base, "deny")
        self._shell("switch", "-q", "-c", place.branch, place.base)
        place.write(place.change)
        await self._ask("Ask before committing to a branch", "git.commit", place.branch, "allow")
        self._commit(place.task)
        refused = await talk.run(f"Merge to {place.base} without a review", "merge", {"branch": place.base}, "denied")
        reason = next((r for r in refused["reasons"] if r["rule"].startswith("branch_protection/")), None)
        _require(
            reason is not None and "fix" in reason, "branch_protection refuses it, with a way out.", refused["reasons"]
        )
        await self._ask("The same question without trying", "git.push", place.base, "deny")
        story.note(f"{place.base} is as it was: {place.git('log', '-1', '--oneline', place.base)}")

    def go_past_the_server(self) -> None:
        """The same in the agent's own shell, where its host asks the hook first."""
        self.story.chapter(
            "Past the server",
            "The agent tries it in its own shell. Its host asks the hook that `llmgenie init` installs.",
        )
        base = self.place.base
        for command, refused in ((f"cd . && git push origin HEAD:{base}", True), ("git status", False)):
            code, said = ask_hook(self.place.root, command)
            self.story.shell(command, said)
            _require(bool(code) is refused, "The hook refuses the push and nothing else.", f"exit code {code}: {said}")
            self.story.note("refused before it ran" if refused else "passes in silence")

    async def test_and_submit(self) -> None:
        """Review: not without tests, not by the agent itself."""
        talk, place, story = self.talk, self.place, self.story
        story.chapter("Review", "The tests have to pass on this very commit, and a person has to agree.")
        started = await talk.run("Start a review", "start_review", {"branch": place.branch})
        self.review = started["result"]["instance"]["id"]
        refused = await talk.run("Submit before the tests ran", "submit", {}, "denied")
        _require(
            any(r["code"] == "guard_failed" for r in refused["reasons"]), "A guard refuses it.", refused["reasons"]
        )
        if place.mend:
            failed = await talk.run("Run the tests for real", "run_tests", {}, "failed", timeout=SLOW)
            _require(failed["result"]["exit_code"] != 0, "The tests failed.", failed["result"])
            story.note("the tests found a fault; the agent mends it")
            place.write(place.mend)
            self._commit("Join names as people do")
        passed = await talk.run("Run the tests for real", "run_tests", {}, timeout=SLOW)
        head = place.git("rev-parse", "HEAD")
        _require(passed["result"].get("commit") == head, "They count for this commit.", passed["result"])
        submitted = await talk.run("Submit", "submit", {})
        _require(submitted["state"]["to"] == "in_review", "The review waits for a person.", submitted["state"])
        refused = await talk.run("Approve one's own change", "approve", {}, "denied")
        codes = {reason["code"] for reason in refused["reasons"]}
        _require("approval_required" in codes, "An agent cannot approve.", refused["reasons"])

    async def merge(self) -> None:
        """A person agrees; then the merge is made."""
        talk, place, story = self.talk, self.place, self.story
        story.chapter(
            "A person approves, and the change is merged",
            "The client asks the person in a dialogue.",
        )
        await self._approval("Ask a person to approve the change", "approved")
        merged = await talk.run("Merge", "merge", {"branch": place.base})
        _require(merged["state"]["to"] == "merged", "The review has ended.", merged["state"])
        on_base = place.git("rev-parse", place.base)
        _require(merged["result"]["commit"] == on_base, f"{place.base} is the merge commit.", merged["result"])
        parents = place.git("rev-list", "--parents", "-n", "1", place.base).split()
        _require(len(parents) == 3, "The merge commit has two parents.", parents)
        story.shell("git log --oneline --graph -5", place.git("log", "--oneline", "--graph", "-5", place.base))
        summary = "Done on a branch, tested, reviewed by a person, and merged."
        await talk.run("Complete the task", "complete_task", {"id": self.task, "summary": summary})

    async def release(self) -> None:
        """From planned to published."""
        talk, place, story = self.talk, self.place, self.story
        story.chapter(f"Release {place.version}", "planned → prepared → verified → approved → tagged → published")
        await talk.run("Switch to release", "log_mode_switch", {"mode": "release"})
        await talk.run("Claim the second task", "claim_task", {"id": self.second})
        await talk.run("Plan the release", "start_release", {"version": place.version})
        await self._step("The changelog names the version", "prepare", "prepared")
        await talk.run("Tag without tests or approval", "tag_release", {}, "denied")
        await talk.run(f"Run the tests on {place.base}", "run_tests", {}, timeout=SLOW)
        await self._step("The tests passed on this commit", "verify", "verified")
        await self._approval("Ask a person to approve the release", "approved")
        await self._step("Set the tag", "tag_release", "tagged")
        tag = f"v{place.version}"
        _require(place.git("cat-file", "-t", tag) == "tag", f"{tag} is an annotated tag.", tag)
        tagged = place.git("rev-parse", f"{tag}^{{commit}}")
        _require(tagged == place.git("rev-parse", place.base), f"{tag} is on {place.base}.", tagged)
        story.shell(f"git for-each-ref refs/tags/{tag}", place.git("for-each-ref", f"refs/tags/{tag}"))
        if self.publish:
            await self._step("Publish", "publish", "published")
        else:
            story.note(
                "this project's settings have a real publish command: the demo does not run it, the release stays tagged"
            )
        await talk.run(
            "Complete the second task",
            "complete_task",
            {"id": self.second, "summary": f"{tag} is set on {place.base}."},
        )
        summary = f"{self.review} merged, {place.version} released; nothing is left."
        await talk.run("Finish the session", "finish_session", {"summary": summary})

    async def _step(self, title: str, action: str, to: str) -> None:
        done = await self.talk.run(title, action, {})
        _require(done["state"]["to"] == to, f"It is {to} now.", done["state"])

    async def _ask(self, title: str, operation: str, branch: str, expect: str) -> None:
        arguments = {"policy": "branch_protection", "action": operation, "params": {"branch": branch}}
        await self.talk.call(title, "enforce_policy", arguments, expect)

    async def _approval(self, title: str, to: str) -> None:
        answered = await self.talk.run(title, "request_approval", {}, timeout=None)
        approval = answered["result"]["approval"]
        if approval["status"] == "declined":
            raise DemoError(
                "You declined; nothing was merged or tagged after that.", "Run the demo again to see the rest."
            )
        _require(answered.get("state", {}).get("to") == to, "The person's answer took the step.", answered)
        self.story.note(f"{approval['id']} was granted through the client's dialogue, which the agent does not answer")

    def _shell(self, *arguments: str) -> None:
        self.story.shell(f"git {' '.join(arguments)}", self.place.git(*arguments))

    def _commit(self, message: str) -> None:
        self.place.git("add", "-A", "--", ".")
        self.place.git("commit", "-q", "-m", message)
        self.story.shell(f"git commit -m '{message}'", self.place.git("show", "--stat", "--format=%h %s", "HEAD"))


def ask_hook(root: Path, command: str) -> tuple[int, str]:
    """What the hook answers when Claude Code is about to run `command`: its exit code, and what the agent reads."""
    from llmgenie_mcp import agents
    from llmgenie_mcp.faces.cli_init import site_of

    payload = {
        **agents.find("claude-code").probe(root).payload,
        "session_id": "demo",
        "tool_input": {"command": command},
    }
    words = [*site_of(root).hook, "claude-code"]
    done = subprocess.run(words, input=json.dumps(payload).encode(), capture_output=True, cwd=root, check=False)
    return done.returncode, done.stderr.decode("utf-8", "replace").strip()


def _require(holds: bool, what: str, found: Any) -> None:
    """Raises DemoError when what must hold does not."""
    if not holds:
        raise DemoError(f"This should hold and does not: {what}", f"Found: {str(found)[:600]}")
