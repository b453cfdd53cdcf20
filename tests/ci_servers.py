"""GitHub's and GitLab's REST on loopback, as far as starting and watching a run goes, by their published references.

https://docs.github.com/en/rest/actions/workflows, https://docs.github.com/en/rest/actions/workflow-runs,
https://docs.gitlab.com/api/pipelines/. Tokens are checked, unknown things are 404, bad requests 422 or 400.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from hostile import Behaviour, Hostile, Talk, as_json

from llmgenie_mcp import Engine

TOKEN = "a-token-of-the-tests-0123456789"
SHA = "0f" * 20
BRANCHES = ("main", "feature/x", "v1")
Answer = tuple[int, Any] | tuple[int, Any, Mapping[str, str]]


class CiServer(Hostile):
    """What both have: one project, runs that go through their states as they are looked at.

    Attributes:
        runs: by number.
        words: what a run says at each look, the last word for ever: (status, conclusion).
        broken: answers given instead, one after the other.
    """

    def __init__(self, *words: tuple[str, str | None]) -> None:
        super().__init__()
        self.words = list(words)
        self.runs: dict[int, dict[str, Any]] = {}
        self.broken: list[Behaviour] = []
        self.looks: dict[int, int] = {}
        self._mutex = threading.Lock()

    def take(self, asked: Any) -> Behaviour:
        """Answer by method and path instead of by the tests' word."""
        super().take(asked)
        with self._mutex:
            return self.broken.pop(0) if self.broken else self._answering

    def _answering(self, talk: Talk) -> None:
        with self._mutex:
            status, body, *headers = self.reply(talk)
        date = {"date": format_datetime(datetime.now(UTC), usegmt=True)}
        as_json(body, status, {**date, **(headers[0] if headers else {})})(talk)

    def reply(self, talk: Talk) -> Answer:
        """What the API says to a request."""
        raise NotImplementedError

    def said(self, number: int) -> tuple[str, str | None]:
        """Where a run is at this look."""
        look = self.looks[number] = self.looks.get(number, -1) + 1
        return self.words[min(look, len(self.words) - 1)]

    def count(self, method: str, fits: Callable[[str], bool] = lambda _path: True) -> int:
        """How many requests there were."""
        return sum(1 for asked in self.asked if asked.method == method and fits(asked.path))


class GitHub(CiServer):
    """GitHub Actions of octo/app with the workflow ci.yml.

    Args:
        words: as (status, conclusion).
        details: "yes" as on github.com; "refused" as GitHub Enterprise Server before 3.21; "ignored".
        late: so many lists of runs do not have the new one yet.
    """

    def __init__(self, *words: tuple[str, str | None], details: str = "yes", late: int = 0) -> None:
        super().__init__(*(words or (("queued", None), ("in_progress", None), ("completed", "success"))))
        self.details, self.late = details, late
        self.add("main", "2020-01-01T00:00:00Z")

    def add(self, branch: str, at: str | None = None) -> int:
        """Another run of the workflow."""
        number = 16_000_000_000 + len(self.runs)
        self.runs[number] = {
            "id": number,
            "name": "CI",
            "event": "workflow_dispatch",
            "head_branch": branch,
            "head_sha": SHA,
            "html_url": f"https://github.com/octo/app/actions/runs/{number}",
            "created_at": at or datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "actor": {"login": "ada"},
        }
        return number

    def reply(self, talk: Talk) -> Answer:
        """What the API says to a request."""
        asked, where = talk.asked, urlsplit(talk.asked.path)
        headers = asked.headers
        if headers.get("authorization") != f"Bearer {TOKEN}":
            return 401, {
                "message": "Bad credentials",
                "documentation_url": "https://docs.github.com/rest",
                "status": "401",
            }
        assert headers["x-github-api-version"] == "2022-11-28"
        assert headers["accept"] == "application/vnd.github+json"
        assert headers["user-agent"] == "llmgenie"
        parts = where.path.removeprefix("/repos/octo/app/actions/").split("/")
        if parts == ["workflows", "ci.yml", "dispatches"] and asked.method == "POST":
            return self._dispatch(asked.json)
        if parts == ["workflows", "ci.yml", "runs"] and asked.method == "GET":
            return self._list({name: found[0] for name, found in parse_qs(where.query).items()})
        if parts[0] == "runs" and parts[1].isdigit() and int(parts[1]) in self.runs:
            return 200, self._shown(int(parts[1]))
        return 404, {"message": "Not Found", "status": "404"}

    def _dispatch(self, body: dict[str, Any]) -> Answer:
        if "return_run_details" in body and self.details == "refused":
            return 422, {"message": 'Invalid request.\n\n"return_run_details" is not a permitted key.'}
        if body["ref"] not in BRANCHES:
            return 422, {"message": f"No ref found for: {body['ref']}"}
        if odd := set(body.get("inputs", {})) - {"level", "dry", "version"}:
            return 422, {"message": f"Unexpected inputs provided: {sorted(odd)}"}
        number = self.add(body["ref"])
        if self.details != "yes" or not body.get("return_run_details"):
            return 204, {}
        base = f"https://api.github.com/repos/octo/app/actions/runs/{number}"
        return 200, {"workflow_run_id": number, "run_url": base, "html_url": self.runs[number]["html_url"]}

    def _list(self, asked: dict[str, str]) -> Answer:
        since = asked.get("created", ">=").removeprefix(">=")
        self.late -= 1
        found = [
            self._shown(number)
            for number, run in sorted(self.runs.items(), reverse=True)
            if run["event"] == asked.get("event")
            and run["head_branch"] == asked.get("branch")
            and run["created_at"] >= since
            and self.late < 0
        ]
        return 200, {"total_count": len(found), "workflow_runs": found}

    def _shown(self, number: int) -> dict[str, Any]:
        status, conclusion = self.said(number)
        return {**self.runs[number], "status": status, "conclusion": conclusion}


class GitLab(CiServer):
    """GitLab CI/CD of the project team/app (number 7); words are (status, None)."""

    def __init__(self, *words: tuple[str, str | None]) -> None:
        super().__init__(*(words or (("created", None), ("running", None), ("success", None))))

    def reply(self, talk: Talk) -> Answer:
        """What the API says to a request."""
        asked, parts = talk.asked, talk.asked.path.split("/")
        if asked.headers.get("private-token") != TOKEN:
            return 401, {"message": "401 Unauthorized"}
        if parts[1] != "projects" or parts[2] not in ("7", "team%2Fapp"):
            return 404, {"message": "404 Project Not Found"}
        if parts[3:] == ["pipeline"] and asked.method == "POST":
            if asked.json["ref"] not in BRANCHES:
                return 400, {"message": {"base": ["Reference not found"]}}
            assert all(set(each) == {"key", "value"} for each in asked.json.get("variables", []))
            number = 40 + len(self.runs)
            self.runs[number] = {
                "id": number,
                "ref": asked.json["ref"],
                "tag": asked.json["ref"] == "v1",
                "sha": SHA,
                "source": "api",
                "name": None,
                "web_url": f"https://gitlab.example.org/team/app/-/pipelines/{number}",
                "user": {"username": "ada"},
            }
            return 201, {**self.runs[number], "status": "created"}
        if parts[3] == "pipelines" and parts[4].isdigit() and int(parts[4]) in self.runs:
            return 200, {**self.runs[int(parts[4])], "status": self.said(int(parts[4]))[0]}
        return 404, {"message": "404 Not found"}


def github(server: Hostile, **more: Any) -> dict[str, Any]:
    """Settings of a CI workflow at a server of the tests."""
    given = {"kind": "github", "project": "octo/app", "workflow": "ci.yml"}
    return {**given, **_common(server), **more}


def gitlab(server: Hostile, **more: Any) -> dict[str, Any]:
    """The same for GitLab."""
    return {"kind": "gitlab", "project": "team/app", **_common(server), **more}


def outbox(engine: Engine, **where: str) -> list[dict[str, Any]]:
    """What waits for being delivered or was given up, oldest first."""
    engine.storage.refresh()
    return engine.storage.query("outbox", where).items


def _common(server: Hostile) -> dict[str, Any]:
    told = {"token": {"env": "CI_TOKEN"}, "allow_private": True, "poll": 0.01, "timeout": 10}
    return {"api": server.url("").rstrip("/"), **told}
