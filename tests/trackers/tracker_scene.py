"""GitHub's REST for issues on loopback, by its published reference, and what tests of trackers set up.

https://docs.github.com/en/rest/issues/issues, …/comments, …/assignees. Tokens are checked, unknown things are 404, wrong
fields 422, deleted issues 410; lists are paged by Link, filtered by `since`, and answered with 304 to their ETag. Time goes
on by a second with each change, so that `since` means something without waiting.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from hostile import Behaviour, Hostile, Talk, as_json, reset
from outbox_scene import AT_ONCE
from scene import configure

from llmgenie_mcp import Engine
from llmgenie_mcp.outcome import Actor

TOKEN = "a-token-of-the-tests-0123456789"
HOME = "/repos/acme/shop"
PEOPLE = ("ada", "grace")
Answer = tuple[int, Any, dict[str, str]]


class GitHub(Hostile):
    """GitHub Issues of acme/shop.

    Attributes:
        issues: by number, as the API shows them.
        said: comments by id.
        page: items on a page at most.
        broken: behaviours instead of answers, one after the other.
        after: behaviours instead of answers after the request was carried out.
        deleted: numbers of issues that are gone.
    """

    def __init__(self) -> None:
        super().__init__()
        self.issues: dict[int, dict[str, Any]] = {}
        self.said: dict[int, dict[str, Any]] = {}
        self.page = 100
        self.broken: list[Behaviour] = []
        self.after: list[Behaviour] = []
        self.deleted: set[int] = set()
        self._now = datetime.now(UTC) - timedelta(hours=1)
        self._mutex = threading.RLock()

    # -- what people do there ----------------------------------------------------------------------------------------

    def tick(self) -> str:
        """The time of the next change."""
        self._now += timedelta(seconds=1)
        return self._now.strftime("%Y-%m-%dT%H:%M:%SZ")

    def open(self, title: str, **fields: Any) -> int:
        """A new issue by a person; returns its number."""
        with self._mutex:
            number = 1 + max([*self.issues, 0])
            at = self.tick()
            self.issues[number] = {
                "id": 9_000_000 + number,
                "number": number,
                "title": title,
                "body": None,
                "state": "open",
                "state_reason": None,
                "labels": [],
                "assignees": [],
                "milestone": None,
                "locked": False,
                "comments": 0,
                "user": {"login": "ada"},
                "html_url": f"https://github.com/acme/shop/issues/{number}",
                "created_at": at,
                "updated_at": at,
                "closed_at": None,
            }
            self.edit(number, **fields)
            return number

    def edit(self, number: int, **fields: Any) -> None:
        """Change an issue as a person; `labels` and `assignees` are names."""
        with self._mutex:
            issue = self.issues[number]
            issue.update({name: value for name, value in fields.items() if name not in ("labels", "assignees")})
            if "labels" in fields:
                issue["labels"] = [{"id": len(name), "name": name, "color": "ededed"} for name in fields["labels"]]
            if "assignees" in fields:
                issue["assignees"] = [{"login": name} for name in fields["assignees"]]
            issue["updated_at"] = self.tick()

    def close(self, number: int, reason: str = "completed") -> None:
        """Close an issue as a person."""
        self.edit(number, state="closed", state_reason=reason)

    def say(self, number: int, text: str, who: str = "grace") -> int:
        """Comment as a person; returns the comment's id."""
        with self._mutex:
            id_ = 1000 + len(self.said)
            at = self.tick()
            self.said[id_] = {
                "id": id_,
                "body": text,
                "user": {"login": who},
                "issue_url": f"https://api.github.com{HOME}/issues/{number}",
                "created_at": at,
                "updated_at": at,
            }
            self.issues[number]["comments"] += 1
            self.issues[number]["updated_at"] = at
            return id_

    def count(self, *methods: str) -> int:
        """How many requests of these methods there were."""
        return sum(asked.method in methods for asked in self.asked)

    def break_at(self, number: int, carried_out: bool) -> None:
        """Break the connection of a request that comes, the first is 0, before or after it is carried out."""

        def fail(talk: Talk) -> None:
            if carried_out:
                with self._mutex:
                    self._reply(talk)
            reset()(talk)

        self.broken = [self._answering] * number + [fail]

    # -- the API -----------------------------------------------------------------------------------------------------

    def take(self, asked: Any) -> Behaviour:
        """Answer by method and path."""
        super().take(asked)
        with self._mutex:
            return self.broken.pop(0) if self.broken else self._answering

    def _answering(self, talk: Talk) -> None:
        with self._mutex:
            status, body, headers = self._reply(talk)
            after = self.after.pop(0) if self.after and talk.asked.method != "GET" else None
        (after or as_json(body, status, headers))(talk)

    def _reply(self, talk: Talk) -> Answer:
        asked, where = talk.asked, urlsplit(talk.asked.path)
        headers = asked.headers
        if headers.get("authorization") != f"Bearer {TOKEN}":
            return 401, {"message": "Bad credentials", "status": "401"}, {}
        assert headers["x-github-api-version"] == "2022-11-28"
        assert headers["accept"] == "application/vnd.github+json"
        query = {name: found[0] for name, found in parse_qs(where.query).items()}
        way = where.path.removeprefix(HOME).strip("/").split("/")
        if not where.path.startswith(f"{HOME}/"):
            return 404, {"message": "Not Found", "status": "404"}, {}
        match (asked.method, *way):
            case ("GET", "issues"):
                return self._list(self._chosen(query), where.path, query, headers)
            case ("POST", "issues"):
                return self._write(self.open(""), asked.json, 201)
            case ("GET", "issues", "comments"):
                return self._list(list(self.said.values()), where.path, query, headers)
            case ("GET", "issues", number, "comments"):
                of = [one for one in self.said.values() if one["issue_url"].endswith(f"/{number}")]
                return self._list(of, where.path, query, headers)
            case ("POST", "issues", number, "comments"):
                return 201, self.said[self.say(int(number), asked.json["body"], "a-bot")], {}
            case ("GET", "assignees", login):
                return (204, None, {}) if login in PEOPLE else (404, {"message": "Not Found"}, {})
            case ("GET" | "PATCH", "issues", number) if int(number) in self.deleted:
                return 410, {"message": "This issue was deleted", "status": "410"}, {}
            case ("GET", "issues", number) if int(number) in self.issues:
                return 200, self.issues[int(number)], {}
            case ("PATCH", "issues", number) if int(number) in self.issues:
                return self._write(int(number), asked.json, 200)
        return 404, {"message": "Not Found", "status": "404"}, {}

    def _write(self, number: int, fields: Mapping[str, Any], status: int) -> Answer:
        before = dict(self.issues[number])
        title = fields.get("title", before["title"]).strip()
        wrong = []
        if not title or len(title) > 256:
            wrong.append({"resource": "Issue", "field": "title", "code": "invalid"})
        if len(fields.get("body") or "") > 65_536:
            wrong.append({"resource": "Issue", "field": "body", "code": "custom", "message": "body is too long"})
        if any(len(name) > 50 for name in fields.get("labels", ())):
            wrong.append({"resource": "Label", "field": "name", "code": "invalid"})
        if odd := [one for one in fields.get("assignees", ()) if one not in PEOPLE]:
            wrong.append({"resource": "Issue", "field": "assignees", "value": odd[0], "code": "invalid"})
        if wrong:
            if status == 201:
                del self.issues[number]
            return 422, {"message": "Validation Failed", "errors": wrong, "status": "422"}, {}
        given = {name: value for name, value in fields.items() if name in ("body", "state", "labels", "assignees")}
        if "state" in fields:
            given["state_reason"] = fields.get("state_reason") or ("completed" if fields["state"] == "closed" else None)
        self.edit(number, title=title, **given)
        return status, self.issues[number], {}

    def _chosen(self, query: Mapping[str, str]) -> list[dict[str, Any]]:
        wanted = {name for name in query.get("labels", "").split(",") if name}
        state = query.get("state", "open")
        return [
            issue
            for number, issue in self.issues.items()
            if number not in self.deleted
            and wanted <= {label["name"] for label in issue["labels"]}
            and state in ("all", issue["state"])
        ]

    def _list(
        self, items: list[dict[str, Any]], path: str, query: dict[str, str], headers: Mapping[str, str]
    ) -> Answer:
        found = [one for one in items if one["updated_at"] >= query.get("since", "")]
        key = "updated_at" if query.get("sort") == "updated" else "created_at"
        found.sort(key=lambda one: one[key], reverse=query.get("direction", "desc") == "desc")
        size, number = min(self.page, int(query.get("per_page", "30"))), int(query.get("page", "1"))
        shown = found[(number - 1) * size : number * size]
        tag = f'W/"{hashlib.sha256(json.dumps(shown).encode()).hexdigest()[:20]}"'
        sent = {"etag": tag}
        if number * size < len(found):
            asked = "&".join(f"{name}={value}" for name, value in {**query, "page": str(number + 1)}.items())
            sent["link"] = f'<{self.url(path)}?{asked}>; rel="next", <{self.url(path)}?page=9>; rel="last"'
        if headers.get("if-none-match") == tag:
            return 304, None, sent
        return 200, shown, sent


def tracked(folder: Path, server: GitHub, *, trusted: bool = True, deliveries: Any = None, **settings: Any) -> Path:
    """Give a project the tracker `github`, at the tests' server; `GITHUB_TOKEN` must be in the environment."""
    given = {
        "kind": "github",
        "repository": "acme/shop",
        "url": server.url("").rstrip("/"),
        "token": {"env": "GITHUB_TOKEN"},
        "allow_private": True,
        **settings,
    }
    return configure(folder, trusted=trusted, trackers={"github": given}, deliveries=deliveries or AT_ONCE)


def sync(engine: Engine, **params: Any) -> dict[str, Any]:
    """What a sync by a person did; fails the test when it could not."""
    return act(engine, "sync_tracker", **params)


def did(result: Mapping[str, Any], *kinds: str) -> list[str]:
    """The entries of a report of these kinds, as texts."""
    return [one["text"] for one in result["did"] if one["did"] in kinds]


def act(engine: Engine, action: str, /, **params: Any) -> dict[str, Any]:
    """What an action of a person answers; fails the test when it was not done."""
    outcome = engine.run_action(action, params, actor=Actor("human", "ada"))
    assert outcome.ok, outcome
    return outcome.result


def create(engine: Engine, title: str, **params: Any) -> str:
    """A new task's id."""
    return str(act(engine, "create_task", title=title, **params)["id"])


def task(engine: Engine, id_: str = "TSK-1") -> dict[str, Any]:
    """A task as it is now."""
    engine.storage.refresh()
    found = engine.storage.get("tasks", id_)
    assert found is not None
    return found


def tasks(engine: Engine) -> list[dict[str, Any]]:
    """All tasks."""
    engine.storage.refresh()
    return engine.storage.query("tasks").items
