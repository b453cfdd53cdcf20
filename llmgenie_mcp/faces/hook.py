"""The hook: what an agent's host runs before a tool is used, and git before a commit or a push.

    python -I -S …/llmgenie_mcp/faces/hook.py --project ROOT HOST [EVENT …]

One file of the standard library, because every command of an agent waits for it. It hands what it was given to the
server that runs for the project, and writes what that answers. Where none runs, it decides by itself, in this process.
It reads its input to the end first (a host may take an early exit for a failure, and a failure for consent), keeps its
own deadline, and on any doubt says why on stderr and exits with 2, which every known host takes for a refusal.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

DEADLINE = 4.0
"""Seconds after which the hook gives up and refuses; hosts wait longer than that, and then let the tool run."""
SERVER_DEADLINE = 1.5
"""Seconds that a running server has; after that the hook decides by itself."""
LONGEST = 32 * 1024 * 1024
"""Bytes of input; more is refused."""
SOCKET_PATH = 100
"""Characters of a socket's path; operating systems allow 104 or 108."""
PASSED_ON = ("GIT_INDEX_FILE", "GIT_EDITOR")
"""Environment variables whose values the decision may need."""


def main() -> None:
    """Run the hook and exit."""
    try:
        given = _drain()
        if len(given) > LONGEST:
            _refuse(f"the host sent more than {LONGEST} bytes")
        project, host, extra = _arguments(sys.argv[1:])
        _keep_deadline()
        request = pack(host, project, _folder(project), extra, _environment(host), given)
        code, stdout, stderr = _ask(project, request) or _decide_here(request)
        _write(1, stdout)
        _write(2, stderr)
        os._exit(code)
    except BaseException as error:
        _refuse(f"{type(error).__name__}: {error}")


def pack(
    host: str, project: str, folder: str, extra: "list[str]", environment: "dict[str, str]", payload: bytes
) -> bytes:
    """A request as it goes over the socket: a count of fields, the fields as `name=value`, the payload; NUL between them."""
    fields = [f"host={host}", f"project={project}", f"folder={folder}"]
    fields += [f"arg={one}" for one in extra]
    fields += [f"env={name}={value}" for name, value in environment.items()]
    clean = [field.replace("\0", "") for field in (str(len(fields)), *fields)]
    return "\0".join(clean).encode("utf-8", "surrogateescape") + b"\0" + payload


def runtime_folder() -> str:
    """Where sockets lie: one folder a user, that nobody else may enter."""
    named = os.environ.get("LLMGENIE_RUNTIME_DIR")
    base = os.environ.get("XDG_RUNTIME_DIR")
    folder = named or (os.path.join(base, "llmgenie") if base else "")
    return folder if folder and len(folder) < SOCKET_PATH - 24 else f"/tmp/llmgenie-{_user()}"


def socket_path(project: str) -> str:
    """The socket of the server for `project`: named by its store, which all worktrees of a repository share."""
    try:
        from _blake2 import blake2b
    except ImportError:
        from hashlib import blake2b
    store = os.fsencode(os.path.realpath(store_of(project)))
    return os.path.join(runtime_folder(), f"{blake2b(store, digest_size=8).hexdigest()}.sock")


def store_of(root: str) -> str:
    """As `project.store_of`, which cannot be imported in the time there is; a test holds the two together."""
    pointer = os.path.join(root, ".git")
    try:
        if os.path.isfile(pointer):
            folder = os.path.join(root, _text(pointer).removeprefix("gitdir:").strip())
            common = os.path.realpath(os.path.join(folder, _text(os.path.join(folder, "commondir"))))
            if os.path.basename(common) == ".git":
                root = os.path.dirname(common)
    except (OSError, ValueError):  # also a NUL, what is no UTF-8
        pass
    return os.path.join(root, ".llmgenie")


def is_private(folder: str) -> bool:
    """Whether `folder` is this user's own and closed to everybody else: nobody can have put a socket there."""
    try:
        found = os.lstat(folder)
    except OSError:
        return False
    return (found.st_mode & 0o170077) == 0o040000 and found.st_uid == _user()


def _folder(project: str) -> str:
    try:
        return os.getcwd()
    except OSError:  # it was removed under the agent's feet
        return project


def _user() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0


def _text(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read().strip()


def _drain() -> bytes:
    parts, size = [], 0
    if os.isatty(0):
        return b""
    while size <= LONGEST and (part := os.read(0, 1 << 20)):
        parts.append(part)
        size += len(part)
    while size > LONGEST and os.read(0, 1 << 20):
        pass
    return b"".join(parts)


def _arguments(given: "list[str]") -> "tuple[str, str, list[str]]":
    if len(given) < 3 or given[0] != "--project":
        _refuse("the command line is not one that llmgenie writes: run `llmgenie doctor --fix`")
    root = os.path.abspath(given[1])
    if not os.path.isdir(root):
        _refuse(f"the project {root} is gone: run `llmgenie init` in its new place")
    return root, given[2], given[3:]


def _environment(host: str) -> "dict[str, str]":
    found = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    if host == "git":  # it must tell an agent's commit from a person's
        found["NAMES"] = " ".join(name for name, value in os.environ.items() if value)
    return found


def _keep_deadline() -> None:
    try:
        import _signal  # type: ignore[import-not-found]
    except ImportError:
        return
    if hasattr(_signal, "setitimer"):
        _signal.signal(_signal.SIGALRM, lambda *_: _refuse(f"no decision within {DEADLINE:g} seconds"))
        _signal.setitimer(_signal.ITIMER_REAL, DEADLINE)


def _ask(project: str, request: bytes) -> "tuple[int, bytes, bytes] | None":
    """What the running server answers; None when there is none that answers in time."""
    import _socket

    path = socket_path(project)
    if not is_private(os.path.dirname(path)):
        return None
    try:
        if os.path.exists(path) and hasattr(_socket, "AF_UNIX"):
            connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
            connection.settimeout(SERVER_DEADLINE)
            connection.connect(path)
            if not _is_mine(connection):
                return None
        else:  # no Unix sockets here: loopback, with a token that only this user can read
            port, token = _text(f"{path}.tcp").split()
            connection = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
            connection.settimeout(SERVER_DEADLINE)
            connection.connect(("127.0.0.1", int(port)))
            request = token.encode() + b"\0" + request
        view = memoryview(request)
        while view:
            view = view[connection.send(view) :]
        connection.shutdown(1)
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
        code, stdout, stderr = b"".join(parts).split(b"\0")
        return int(code), stdout, stderr
    except (OSError, ValueError):
        return None


def _is_mine(connection: "object") -> bool:
    import _socket

    if not hasattr(_socket, "SO_PEERCRED"):
        return True  # the folder is closed to others, and that is what counts
    found = connection.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12)  # type: ignore[attr-defined]
    return int.from_bytes(found[4:8], sys.byteorder) == _user()


def _decide_here(request: bytes) -> "tuple[int, bytes, bytes]":
    import gc

    gc.disable()  # it finds nothing in so short a life
    place = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    sys.path.insert(0, place)
    if not os.path.isdir(os.path.join(place, "tinydb")):  # a source checkout: the libraries lie elsewhere
        import site

        site.main()
    from llmgenie_mcp.faces.hook_answer import answer_here

    return answer_here(request)


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _refuse(why: str) -> "NoReturn":
    text = f"llmgenie cannot decide, and so refuses: {why}. (`llmgenie doctor` tells what is wrong.)\n"
    try:
        _write(2, text.encode("utf-8", "backslashreplace"))
    finally:
        os._exit(2)


if __name__ == "__main__":
    main()
