"""What a login at a server elsewhere left: tokens, in a file of the user's that nobody else may read, never in the project.

The file belongs to one server of one project, and to the address that was logged in to: tokens are not sent to another
that takes over its name. It ends in `.key`, which the policy `security` keeps from agents in whatever folder.
Light: the SDK is not imported here.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmgenie_mcp import trust
from llmgenie_mcp.frozen import dataclass

Document = dict[str, Any]
MARGIN = 30.0
"""Seconds before its end from which a token is renewed: the way to the server takes some."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The kept login of one server.

    Attributes:
        path: of the file.
        url: of the server.
    """

    path: Path
    url: str

    def load(self) -> Document:
        """What is kept: {tokens, expires_at, client, …}; empty when nobody is logged in to this address."""
        try:
            found = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) and found.get("url") == self.url else {}

    def save(self, **parts: Any) -> None:
        """Keep these parts beside the others."""
        self._write({**self.load(), **parts, "url": self.url})

    def save_tokens(self, tokens: Mapping[str, Any]) -> None:
        """Keep tokens as a server gave them; a refresh token that it did not renew stays."""
        known = self.load().get("tokens") or {}
        kept = {**{k: v for k, v in known.items() if k == "refresh_token"}, **{k: v for k, v in tokens.items() if v}}
        lasts = kept.get("expires_in")
        self.save(tokens=kept, expires_at=time.time() + lasts - MARGIN if isinstance(lasts, int) else None)

    def forget(self) -> bool:
        """Log out here; whether there was a login."""
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()
            return True
        return False

    def secrets(self) -> list[str]:
        """The tokens, which the server may repeat."""
        known = self.load()
        found = [*(known.get("tokens") or {}).items(), *(known.get("client") or {}).items()]
        names = ("access_token", "refresh_token", "client_secret")
        return [str(value) for name, value in found if name in names and value]

    def _write(self, content: Document) -> None:
        for place in (trust.state_folder(), self.path.parent.parent, self.path.parent):
            place.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, fresh = tempfile.mkstemp(dir=self.path.parent, prefix=".new-")  # which is for its user alone: 0600
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(content, file)
            Path(fresh).replace(self.path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(fresh).unlink()
            raise


def keys_of(store: Path, name: str, url: str) -> Keys:
    """The keys of the server `name` of a project."""
    return Keys(trust.state_folder() / "logins" / trust.record(store).name / f"{name}.key", url)
