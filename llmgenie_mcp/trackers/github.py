"""GitHub Issues: https://docs.github.com/en/rest/issues, API version 2022-11-28.

Lists are asked for by the time of the last change, the newest first: what changes meanwhile moves to the front, so that
nothing is missed between two pages. Pull requests, which GitHub lists among the issues, are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

from llmgenie_mcp.trackers.asking import Api
from llmgenie_mcp.trackers.issue import Comment, Issue, Listing, State

LISTED = 100
CLOSED: Mapping[str, State] = {"not_planned": "cancelled", "duplicate": "cancelled"}
"""Reasons for which an issue is closed without being done; any other, and none, is done."""
REASONS: Mapping[str, tuple[str, str]] = {
    "open": ("open", "reopened"),
    "done": ("closed", "completed"),
    "cancelled": ("closed", "not_planned"),
}
"""Our state as GitHub's `state` and `state_reason`."""
KEPT = ("milestone", "locked", "author_association", "type", "state_reason")
LONGEST_LABEL = 50


class GitHub(Api):
    """GitHub Issues of one repository; see `issue.Tracker`."""

    title: ClassVar[str] = "GitHub"
    base: ClassVar[str] = "https://api.github.com"
    needs: ClassVar[str] = "Issues: read and write for that repository"
    headers: ClassVar[Mapping[str, str]] = {
        "accept": "application/vnd.github+json",
        "x-github-api-version": "2022-11-28",
    }

    def issues(self, since: str, etag: str) -> Listing:
        """List repository issues."""
        labels = {"labels": ",".join(self.settings.labels)} if self.settings.labels else {}
        return self._listed(f"{self._home}/issues", {"state": "all", **labels}, since, etag, "list issues", _issue)

    def comments(self, since: str, etag: str) -> Listing:
        """List issue comments for a repository."""
        return self._listed(f"{self._home}/issues/comments", {}, since, etag, "list comments", _comment)

    def issue(self, number: int) -> Issue:
        """Get an issue."""
        return self._one("GET", f"{self._home}/issues/{number}", f"show issue {number}")

    def create(self, fields: Mapping[str, Any]) -> Issue:
        """Create an issue."""
        return self._one("POST", f"{self._home}/issues", "create an issue", _sent(fields))

    def change(self, number: int, fields: Mapping[str, Any]) -> Issue:
        """Update an issue."""
        return self._one("PATCH", f"{self._home}/issues/{number}", f"change issue {number}", _sent(fields))

    def comments_of(self, number: int) -> list[Comment]:
        """List issue comments."""
        path, doing = f"{self._home}/issues/{number}/comments?per_page={LISTED}", f"list the comments of issue {number}"
        found: list[Comment] = []
        for page in self.pages(path, doing):
            found += self._read(page.body, doing, _comment)
        return found

    def comment(self, number: int, text: str) -> Comment:
        """Create an issue comment."""
        doing = f"comment on issue {number}"
        reply = self.ask("POST", f"{self._home}/issues/{number}/comments", doing, {"body": text})
        found: list[Comment] = self._read([reply.body], doing, _comment)
        return found[0]

    def assignable(self, login: str) -> bool:
        """Check if a user can be assigned."""
        path = f"{self._home}/assignees/{quote(login, safe='')}"
        return self.ask("GET", path, f"look whether {login} can be assigned", also=(404,)).status == 204

    @property
    def _home(self) -> str:
        return f"/repos/{quote(self.settings.repository, safe='/')}"

    def _listed(
        self,
        path: str,
        asked: Mapping[str, str],
        since: str,
        etag: str,
        doing: str,
        read: Callable[[Mapping[str, Any]], Any],
    ) -> Listing:
        order = {"sort": "updated", "direction": "desc", "per_page": LISTED}
        query = urlencode({**asked, **order, **({"since": since} if since else {})})
        items: dict[int, Any] = {}
        newest, tag = "", ""
        for page in self.pages(f"{path}?{query}", doing, etag):
            if page.status == 304:
                return Listing(etag=etag, same=True)
            if not tag:
                tag = page.headers.get("etag", "")
                times = [one.get("updated_at") for one in page.body or () if isinstance(one, Mapping)]
                newest = max((at for at in times if isinstance(at, str)), default="")
            for item in self._read(page.body, doing, read):
                items.setdefault(item.id if isinstance(item, Comment) else item.number, item)
        return Listing(tuple(items.values()), newest, tag)

    def _one(self, method: str, path: str, doing: str, content: Any = None) -> Issue:
        found: list[Issue] = self._read([self.ask(method, path, doing, content).body], doing, _issue)
        if not found:
            raise self.strange(doing)  # a pull request, which no number of ours is
        return found[0]

    def _read(self, body: Any, doing: str, read: Callable[[Mapping[str, Any]], Any]) -> list[Any]:
        if not isinstance(body, list) or not all(isinstance(one, Mapping) for one in body):
            raise self.strange(doing)
        try:
            return [read(one) for one in body if "pull_request" not in one]
        except (KeyError, TypeError, ValueError):
            raise self.strange(doing) from None


def _issue(told: Mapping[str, Any]) -> Issue:
    closed = told["state"] == "closed"
    reason = str(told.get("state_reason") or "")
    labels = [one["name"] if isinstance(one, Mapping) else one for one in told.get("labels") or ()]
    user = told.get("user")
    author = {"author": user["login"]} if isinstance(user, Mapping) and "login" in user else {}
    return Issue(
        _number(told["number"]),
        _text(told["title"]),
        _text(told.get("body") or ""),
        CLOSED.get(reason, "done") if closed else "open",
        tuple(_text(name) for name in labels),
        tuple(_text(one["login"]) for one in told.get("assignees") or ()),
        _text(told.get("html_url") or ""),
        _text(told["updated_at"]),
        _text(told.get("created_at") or ""),
        _number(told.get("comments") or 0),
        {**author, **{name: told[name] for name in KEPT if told.get(name) not in (None, False, "", [])}},
    )


def _comment(told: Mapping[str, Any]) -> Comment:
    user = told.get("user")
    return Comment(
        _number(told["id"]),
        _number(int(str(told.get("issue_url") or "/0").rpartition("/")[2])),
        _text(user["login"]) if isinstance(user, Mapping) else "ghost",
        _text(told.get("body") or ""),
        _text(told.get("created_at") or ""),
        _text(told["updated_at"]),
    )


def _number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("no number")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value


def _sent(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields in GitHub's words."""
    sent = {name: fields[name] for name in ("title", "body", "labels") if name in fields}
    if "people" in fields:
        sent["assignees"] = fields["people"]
    if "state" in fields:
        sent["state"], sent["state_reason"] = REASONS[fields["state"]]
    return sent


TRACKER = GitHub
