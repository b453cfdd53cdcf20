"""Requests as GitHub, GitLab and senders of Standard Webhooks make them, signed by other code than that which checks them.

The bodies hold the fields that the vendors' public tables of payloads name, as far as receivers read them, and some more.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

from standardwebhooks import Webhook

SECRET = "it is a secret"
SIGNING = "whsec_" + base64.b64encode(bytes(range(24))).decode()
OTHER = "whsec_" + base64.b64encode(bytes(range(50, 82))).decode()
NOW = 1_800_000_000.0
HEAD, BASE, NONE = "a" * 40, "b" * 40, "0" * 40


def packed(body: Any) -> bytes:
    """As a body; text and bytes as they are."""
    if isinstance(body, bytes):
        return body
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()


def signed(body: Any, *secrets: str, at: float = NOW, id_: str = "msg_1") -> tuple[dict[str, str], bytes]:
    """A request by Standard Webhooks, signed with each of the secrets by its library."""
    raw, time = packed(body), datetime.fromtimestamp(at, UTC)
    signatures = [Webhook(secret).sign(id_, time, raw.decode()) for secret in secrets or (SIGNING,)]
    headers = {"webhook-id": id_, "webhook-timestamp": str(int(at)), "webhook-signature": " ".join(signatures)}
    return headers | {"content-type": "application/json"}, raw


def github(kind: str, body: Any, *, secret: str = SECRET, delivery: str = "guid-1") -> tuple[dict[str, str], bytes]:
    """A request of GitHub's."""
    raw = packed(body)
    headers = {
        "x-github-event": kind,
        "x-github-delivery": delivery,
        "x-hub-signature-256": "sha256=" + hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest(),
        "content-type": "application/json",
    }
    return headers, raw


def gitlab(kind: str, body: Any, *, token: str = SECRET, key: str = "key-1") -> tuple[dict[str, str], bytes]:
    """A request of GitLab's with a secret token."""
    headers = {"x-gitlab-event": kind, "x-gitlab-token": token, "idempotency-key": key}
    return headers | {"content-type": "application/json"}, packed(body)


HOME = {"id": 7, "full_name": "ada/engine", "owner": {"login": "ada"}}
FORK = {"id": 8, "full_name": "eve/engine", "owner": {"login": "eve"}}
AROUND = {"repository": HOME, "sender": {"login": "grace"}, "organization": {"login": "ada"}}


def run(action: str = "completed", conclusion: str | None = "success", **more: Any) -> dict[str, Any]:
    """A payload of workflow_run."""
    told = {
        "id": 4711,
        "name": "CI",
        "event": "push",
        "status": action,
        "conclusion": conclusion,
        "head_branch": "feature/x",
        "head_sha": HEAD,
        "head_repository": HOME,
        "html_url": "https://github.example/ada/engine/actions/runs/4711",
    }
    return {**AROUND, "action": action, "workflow_run": told | more, "workflow": {"name": "CI"}}


def pull(action: str = "opened", *, repo: Any = HOME, **more: Any) -> dict[str, Any]:
    """A payload of pull_request."""
    told = {
        "number": 5,
        "title": "Faster",
        "state": "open",
        "draft": False,
        "merged": False,
        "html_url": "https://github.example/ada/engine/pull/5",
        "head": {"ref": "feature/x", "sha": HEAD, "repo": repo},
        "base": {"ref": "main", "sha": BASE, "repo": HOME},
    }
    return {**AROUND, "action": action, "number": 5, "pull_request": told | more}


def push(ref: str = "refs/heads/feature/x", **more: Any) -> dict[str, Any]:
    """A payload of push."""
    told = {
        "ref": ref,
        "before": BASE,
        "after": HEAD,
        "created": False,
        "deleted": False,
        "forced": False,
        "compare": "https://github.example/ada/engine/compare/b...a",
        "commits": [{"id": HEAD}, {"id": "c" * 40}],
    }
    return {**AROUND, **told, **more}


PROJECT = {"id": 14, "path_with_namespace": "ada/engine", "web_url": "https://gitlab.example/ada/engine"}
USER = {"id": 1, "name": "Grace", "username": "grace"}


def merge_request(action: str | None = "open", **more: Any) -> dict[str, Any]:
    """A payload of GitLab's Merge Request Hook."""
    told = {
        "iid": 5,
        "title": "Faster",
        "source_branch": "feature/x",
        "target_branch": "main",
        "source_project_id": 14,
        "target_project_id": 14,
        "state": "opened",
        "draft": False,
        "last_commit": {"id": HEAD},
        "url": "https://gitlab.example/ada/engine/-/merge_requests/5",
        "action": action,
    }
    return {"object_kind": "merge_request", "user": USER, "project": PROJECT, "object_attributes": told | more}


def pipeline(status: str = "success", merge: Any = None, **more: Any) -> dict[str, Any]:
    """A payload of GitLab's Pipeline Hook."""
    told = {"id": 31, "name": None, "ref": "feature/x", "tag": False, "sha": HEAD, "source": "push", "status": status}
    return {
        "object_kind": "pipeline",
        "user": USER,
        "project": PROJECT,
        "merge_request": merge,
        "object_attributes": told | {"url": "https://gitlab.example/ada/engine/-/pipelines/31"} | more,
    }


def job(status: str = "failed", **more: Any) -> dict[str, Any]:
    """A payload of GitLab's Job Hook."""
    told = {"ref": "feature/x", "tag": False, "sha": HEAD, "build_id": 9, "build_name": "lint", "build_status": status}
    return {"object_kind": "build", "user": USER, "project": PROJECT, **told, **more}


def gitlab_push(ref: str = "refs/heads/feature/x", **more: Any) -> dict[str, Any]:
    """A payload of GitLab's Push Hook."""
    told = {
        "object_kind": "push",
        "ref": ref,
        "before": BASE,
        "after": HEAD,
        "user_username": "grace",
        "project": PROJECT,
        "commits": [{"id": HEAD, "url": "https://gitlab.example/ada/engine/-/commit/a"}],
        "total_commits_count": 3,
    }
    return {**told, **more}
