"""Where secrets lie: the environment, a file, a keyring with a real backend; and what is said when they are not there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from scene import configure

import llmgenie_mcp
from llmgenie_mcp.errors import ActionError
from llmgenie_mcp.secret import Secret

VALUE = "s3cr3t-of-the-keyring"
BACKEND = '''
import json, os, pathlib
from keyring import backend, errors

class Folder(backend.KeyringBackend):
    """Passwords in a file of the user's; locked while there is a file `locked` beside it."""
    priority = 1
    path = pathlib.Path(os.environ["KEYRING_FILE"])

    def get_password(self, service, username):
        if self.path.with_name("locked").exists():
            raise errors.KeyringLocked("locked, and it holds {value}")
        if self.path.with_name("broken").exists():
            raise RuntimeError("broken, and it holds {value}")
        return json.loads(self.path.read_text()).get(f"{{service}}/{{username}}")

    def set_password(self, service, username, password):
        known = json.loads(self.path.read_text()) if self.path.exists() else {{}}
        self.path.touch(0o600)
        self.path.write_text(json.dumps({{**known, f"{{service}}/{{username}}": password}}))
'''.replace("{value}", VALUE).replace("{{", "{").replace("}}", "}")  # fmt: skip
READ = """
import json, sys
from llmgenie_mcp.errors import ActionError
from llmgenie_mcp.secret import Secret
secret = Secret.model_validate(json.loads(sys.argv[1]))
try:
    print(json.dumps({"read": secret.read()}))
except ActionError as error:
    print(json.dumps({"message": error.message, "hint": error.hint}))
"""
ENTRY = {"keyring": {"service": "llmgenie", "user": "BOARD"}}


@pytest.fixture
def keyring_env(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a process whose keyring is a file, with one entry that the library's own command wrote."""
    library = pytest.importorskip("keyring")
    (tmp_path / "filekeyring.py").write_text(BACKEND, encoding="utf-8")
    places = (tmp_path, Path(llmgenie_mcp.__file__).parents[1], Path(library.__file__).parents[1])
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, places)),
        "PYTHON_KEYRING_BACKEND": "filekeyring.Folder",
        "KEYRING_FILE": str(tmp_path / "entries.json"),
    }
    write = [sys.executable, "-m", "keyring", "set", "llmgenie", "BOARD"]
    subprocess.run(write, input=VALUE, env=env, check=True, capture_output=True, text=True)
    yield env
    assert (tmp_path / "entries.json").stat().st_mode & 0o077 == 0


def read(place: dict[str, Any], env: dict[str, str], **more: str) -> dict[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", READ, json.dumps(place)], env={**env, **more}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    found: dict[str, str] = json.loads(done.stdout)
    assert VALUE not in found.get("message", "") + found.get("hint", "")
    return found


def test_a_secret_of_the_keyring_is_read_by_service_and_user(keyring_env: dict[str, str]) -> None:
    assert read(ENTRY, keyring_env) == {"read": VALUE}


def test_what_keeps_it_from_being_read_is_told_with_the_way_out(keyring_env: dict[str, str], tmp_path: Path) -> None:
    other = read({"keyring": {"service": "llmgenie", "user": "two words"}}, keyring_env)
    assert other["message"] == "There is no secret in the keyring's entry of service 'llmgenie', user 'two words'."
    assert other["hint"] == "A person writes it: keyring set llmgenie 'two words'"
    without = read(ENTRY, keyring_env, PYTHON_KEYRING_BACKEND="keyring.backends.fail.Keyring")
    assert "There is no keyring here" in without["message"]
    assert "PYTHON_KEYRING_BACKEND" in without["hint"]
    (tmp_path / "broken").touch()
    assert "the keyring says RuntimeError" in read(ENTRY, keyring_env)["message"]
    (tmp_path / "locked").touch()
    locked = read(ENTRY, keyring_env)
    assert "is locked" in locked["message"]
    assert "Unlock it" in locked["hint"]


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)  # as Python itself marks what cannot be imported
    with pytest.raises(ActionError) as raised:
        Secret.model_validate(ENTRY).read()
    assert raised.value.hint == "pip install 'llmgenie-mcp[keyring]'"


def test_doctor_says_which_secrets_are_there_and_where_from_and_never_what_they_are(
    keyring_env: dict[str, str], repo: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "token"
    kept.write_text(f"{VALUE}-2\n", encoding="utf-8")
    remote = {"url": "https://example.org/", "events": ["review.*"]}
    configure(
        repo,
        webhooks={
            "board": {**remote, "secret": ENTRY},
            "chat": {**remote, "secret": {"file": str(kept)}},
            "wall": {**remote, "secret": {"env": "NO_SUCH_SECRET"}},
        },
        upstreams={"shop": {"command": ["shop"], "env": {"TOKEN": {"env": "SHOP_TOKEN"}}}},
    )
    done = subprocess.run(
        [sys.executable, "-m", "llmgenie_mcp", "doctor", "--json", "--project", str(repo)],
        env={**keyring_env, "SHOP_TOKEN": f"{VALUE}-3"},
        capture_output=True,
        text=True,
    )
    assert VALUE not in done.stdout + done.stderr
    places = {
        "webhook board": "the keyring's entry of service 'llmgenie', user 'BOARD'",
        "webhook chat": f"the file {kept}",
        "upstream shop": "the environment variable SHOP_TOKEN",
    }
    checks = [check for check in json.loads(done.stdout)["data"]["checks"] if check["name"] == "secrets"]
    assert [(check["status"], check["message"]) for check in checks] == [
        ("warn", "webhook wall: There is no secret in the environment variable NO_SUCH_SECRET."),
        ("ok", "; ".join(f"{whose}: from {place}" for whose, place in places.items())),
    ]


@pytest.mark.parametrize(
    "place",
    [
        {},
        {"env": "A", "file": "b"},
        {"env": "A", **ENTRY},
        {"keyring": {"service": "a"}},
        {"keyring": {"service": "", "user": "b"}},
        {"keyring": "llmgenie/BOARD"},
    ],
)
def test_a_secret_is_in_one_place(place: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Secret.model_validate(place)
