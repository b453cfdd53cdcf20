"""Containers that are given folders of this machine: what runs in them there is read like what runs here."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping

from llmgenie_mcp.shell.arguments import UNKNOWN, parse
from llmgenie_mcp.shell.call import Call
from llmgenie_mcp.shell.pattern import lazily
from llmgenie_mcp.shell.scope import inside
from llmgenie_mcp.shell.unpacking import holds_all

_TAKES = """-v -w -e -u -p -m -c -l -a -h --volume --mount --workdir --env --env-file --user --name --network --net --publish
    --entrypoint --platform --memory --cpus --label --hostname --add-host --device --gpus --pull --restart --runtime
    --security-opt --shm-size --tmpfs --ulimit --volumes-from --cap-add --cap-drop --cidfile --dns --expose --init-path
    --ipc --link --log-driver --log-opt --pid --pids-limit --stop-signal --stop-timeout --sysctl --userns --uts --attach
    --annotation --cgroupns --detach-keys --group-add --health-cmd --isolation"""
_WITHIN = "/dev/fd"
"""Stands for the folders of the container itself: as with other devices, nothing is reported of what is in it."""
_MOST = 16
_SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh"})
_PATH = lazily(r"(?<![\w.:/~])/[\w.*/-]+")


def _run(call: Call) -> str | None:
    """`docker run -v HERE:THERE image command`, as in docker-run(1) and podman-run(1)."""
    words = parse(call.words, "-H -c -l --host --context --config --log-level --connection", first=True).operands
    if words[:1] == ["container"]:
        words = words[1:]
    if words[:1] == ["cp"]:
        files = parse(words[1:]).operands
        call.files("file.read", [word for word in files[:1] if ":" not in word])
        call.files("file.write", [word for word in files[1:] if ":" not in word])
        if len(files) == 2 and ":" in files[0] and files[0].endswith("/.") and holds_all(call, files[1]):
            call.opaque("what is in a container's folder cannot be seen", ["files"])
    if words[:1] != ["run"]:
        return None
    arguments = parse(words[1:], _TAKES, first=True)
    mounts = _mounts(call, arguments.values("-v", "--volume"), arguments.values("--mount"))
    command = arguments.operands[1:]
    if (entry := arguments.value("--entrypoint")) is not None:
        command = [entry, *command]
    elif arguments.operands[:1] and arguments.operands[0].split(":")[0].rpartition("/")[2] == "git":
        command = ["git", *command]
    if len(mounts) > _MOST:
        call.opaque("more mounts than can be gone through", ["anything"])
    if not 0 < len(mounts) <= _MOST or not command:
        return None
    workdir = arguments.value("-w", "--workdir")
    folder = next(iter(mounts.values())) if workdir is None else _mapped(workdir, mounts) or "."
    scope = call.scope.copy()
    scope.folder = None if UNKNOWN in folder else "" if folder == "." else folder
    scope.aliases, scope.functions = {}, {}
    program = _mapped(command[0], mounts)
    words = [program or command[0], *(_word(word, mounts, folder) for word in command[1:])]
    script = next((word for word in words[1:] if word[:1] != "-"), "")
    if posixpath.basename(words[0]) not in _SHELLS or not script.startswith(_WITHIN):
        call.with_scope(scope).delegate(words, {})
    return None


def _mounts(call: Call, volumes: list[str], others: list[str]) -> dict[str, str]:
    """Folder in the container → folder here; named volumes hold nothing of this machine."""
    pairs = [volume.split(":")[:2] for volume in volumes]
    for other in others:
        said = dict(part.partition("=")[::2] for part in other.split(","))
        target = said.get("target") or said.get("dst") or said.get("destination") or ""
        pairs.append([said.get("source") or said.get("src") or "", target])
    found: dict[str, str] = {}
    for pair in pairs:
        if len(pair) == 2 and pair[0][:1] in ("/", ".", "~", UNKNOWN) and pair[1].rstrip("/"):
            here = inside(call.scope.folder, pair[0])
            found[pair[1].rstrip("/")] = UNKNOWN if here is None else here or "."
    return found


def _mapped(path: str, mounts: Mapping[str, str]) -> str | None:
    """Where a path of the container lies here; None: within the container."""
    for there, here in mounts.items():
        if path == there or path.startswith(there + "/"):
            return posixpath.normpath(here + path[len(there) :]) if UNKNOWN not in here else here
    return None


def _word(word: str, mounts: Mapping[str, str], folder: str) -> str:
    """A word of a command, or a text for a shell, as it is written in `folder` of this machine."""
    return _PATH.sub(lambda match: _path(match.group(), mounts, folder), word)


def _path(path: str, mounts: Mapping[str, str], folder: str) -> str:
    found = _mapped(path, mounts)
    if found is None:
        return f"{_WITHIN}{path}"
    return posixpath.relpath(found, folder) if _plain(found) and _plain(folder) else found


def _plain(path: str) -> bool:
    return not path.startswith(("/", "~", UNKNOWN))


BESIDE: dict[str, Callable[[Call], str | None]] = dict.fromkeys(("docker", "podman"), _run)
"""Runs before what the handlers of those programs report."""
