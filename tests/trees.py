"""Folders as they are, byte for byte, and a project with files of every kind that people have."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from scene import git

Tree = dict[str, tuple[str, int, bytes]]

SHELL_HOOK = '#!/bin/sh -eu\n# theirs\necho "theirs: $#" >> log.txt\n'
PYTHON_HOOK = "#!/usr/bin/env python3\nimport sys\nopen('log.txt', 'a').write(f'python: {len(sys.argv) - 1}\\n')\n"

FILES: dict[str, bytes] = {
    ".cursor/mcp.json": b'{\r\n\t// servers\r\n\t"mcpServers": {\r\n\t\t"db": {"command": "db"}, // ours\r\n\t},\r\n}\r\n',
    ".cursor/hooks.json": b'{"version": 1, "hooks": {"stop": [{"command": "./theirs.sh"}]}}',
    ".mcp.json": b'{"mcpServers":{"a":{"command":"a"}}}',
    ".claude/settings.local.json": (
        b'\xef\xbb\xbf{\n    "hooks": {\n        "PreToolUse": [\n            {"matcher": "Bash", "hooks": []} /* kept */\n'
        b'        ]\n    },\n    "model": "m"\n}'
    ),
    ".codex/hooks.json": b"{}\n",
    ".gemini/settings.json": b"",
    "AGENTS.md": "# Häuser\n\nNo line end".encode(),
    "CLAUDE.md": b"# Claude\r\n\r\nlatin-1: \xfc\r\n",
    "scripts/push.sh": b"#!/bin/sh\ncat > refs.txt\n",
    ".git/info/exclude": b"# theirs\n*.o\n",
    ".git/hooks/pre-commit": SHELL_HOOK.encode(),
    ".git/hooks/commit-msg": PYTHON_HOOK.encode(),
}
MODES = {".mcp.json": 0o600, ".git/hooks/pre-commit": 0o755, ".git/hooks/commit-msg": 0o750, "scripts/push.sh": 0o755}


def rich_project(root: Path) -> Path:
    """Fill the repository at `root` with files that `init` has to change, in the ways in which people write them."""
    for name, data in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(MODES.get(name, 0o644))
    (root / ".git/hooks/pre-push").symlink_to("../../scripts/push.sh")
    git(root, "add", "AGENTS.md", ".cursor/mcp.json")
    return root


def tree(root: Path) -> Tree:
    """Everything below `root`: kind, permission bits, bytes; of a link its target."""
    found: Tree = {}
    for folder, folders, names in os.walk(root):
        for name in (*folders, *names):
            path = Path(folder, name)
            mode = path.lstat().st_mode
            key = path.relative_to(root).as_posix()
            if stat.S_ISLNK(mode):
                found[key] = ("link", 0, os.fsencode(path.readlink()))
            elif stat.S_ISDIR(mode):
                found[key] = ("folder", stat.S_IMODE(mode), b"")
            else:
                found[key] = ("file", stat.S_IMODE(mode), path.read_bytes())
    return found


def difference(one: Tree, other: Tree) -> dict[str, tuple[object, object]]:
    """Where two trees differ; short enough to read in a failed test."""
    return {
        key: (one.get(key), other.get(key))
        for key in sorted(one.keys() | other.keys())
        if one.get(key) != other.get(key)
    }
