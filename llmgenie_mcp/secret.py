"""Where a secret lies: an environment variable, a file, or the keyring of the person's desktop. Never the secret itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, model_validator

from llmgenie_mcp.errors import ActionError
from llmgenie_mcp.expressions.mistake import KEY, mistake

INSTALL = "pip install 'llmgenie-mcp[keyring]'"
WRITTEN = "Give {env: NAME}, {file: PATH} or {keyring: {service: NAME, user: NAME}}."
"""How a secret is written in the settings."""


class KeyringEntry(BaseModel):
    """An entry of the keyring: macOS Keychain, Secret Service, KWallet, Windows Credential Locker, or another backend.

    The backends are those of the library keyring (https://github.com/jaraco/keyring).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    service: str = Field(min_length=1, max_length=200, description="The entry's service.", examples=["llmgenie"])
    user: str = Field(min_length=1, max_length=200, description="The entry's user name.", examples=["GITHUB_TOKEN"])


class Secret(BaseModel):
    """Where a secret lies; never the secret itself. Exactly one of the three is given."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    env: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="An environment variable.")
    file: str | None = Field(default=None, max_length=1000, description="A file outside the project; `~` is your home.")
    keyring: KeyringEntry | None = Field(
        default=None,
        description="An entry of the keyring, as `keyring set SERVICE USER` writes it; needs the extra `keyring`.",
    )

    @model_validator(mode="after")
    def _check_one(self) -> Secret:
        given = [name for name in ("env", "file", "keyring") if getattr(self, name) is not None]
        if len(given) != 1:
            said = f"{' and '.join(given)} are given together" if given else "Nothing says where the secret lies"
            raise mistake(said, WRITTEN, *given[1:2], KEY)
        return self

    @property
    def place(self) -> str:
        """Where it lies, for messages: `the environment variable TOKEN`."""
        if self.keyring is not None:
            return f"the keyring's entry of service {self.keyring.service!r}, user {self.keyring.user!r}"
        return f"the environment variable {self.env}" if self.env is not None else f"the file {self.file}"

    def read(self, environment: Mapping[str, str] | None = None) -> str:
        """The secret.

        Args:
            environment: instead of this process's own.

        Raises:
            ActionError: it is not there; names where it was looked for, never what was found.
        """
        if self.keyring is not None:
            return _from_keyring(self.keyring, self.place)
        if self.env is not None:
            import os

            found = (os.environ if environment is None else environment).get(self.env, "")
        else:
            try:
                found = Path(self.file or "").expanduser().read_text(encoding="utf-8").strip()
            except (OSError, ValueError):
                found = ""
        if not found:
            raise ActionError(f"There is no secret in {self.place}.", "Set it where llmgenie's server is started.")
        return found


def _from_keyring(entry: KeyringEntry, place: str) -> str:
    """What the keyring has. Raises ActionError: the library, its backend, or the entry is missing; or it is locked."""
    try:
        import keyring
        from keyring import errors
    except ImportError:
        raise ActionError(f"The library keyring, for {place}, is not installed.", INSTALL) from None
    try:
        found = keyring.get_password(entry.service, entry.user)
    except errors.NoKeyringError:
        hint = "Start it in a desktop session, name a backend (PYTHON_KEYRING_BACKEND), or use {env: NAME} or {file: PATH}."
        raise ActionError(f"There is no keyring here, so no secret in {place}.", hint) from None
    except errors.KeyringLocked:
        hint = "Unlock it, which a person does in a desktop session, and try again."
        raise ActionError(f"The keyring is locked: {place} cannot be read.", hint) from None
    except Exception as error:  # noqa: BLE001 - backends raise what they like; its text could hold what it read
        hint = "See `keyring --list-backends` and `keyring diagnose`."
        raise ActionError(f"{place} cannot be read: the keyring says {type(error).__name__}.", hint) from None
    if not found:
        import shlex

        write = f"A person writes it: {shlex.join(['keyring', 'set', entry.service, entry.user])}"
        raise ActionError(f"There is no secret in {place}.", write)
    return found
