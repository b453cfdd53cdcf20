"""Commands that run another command: it is what counts."""

from __future__ import annotations

import shlex
from collections.abc import Callable

from llmgenie_mcp.markers import is_marker
from llmgenie_mcp.shell import programs
from llmgenie_mcp.shell.arguments import PATHS, UNKNOWN, known, parse
from llmgenie_mcp.shell.call import Call
from llmgenie_mcp.shell.pattern import lazily

# name → (options that take a value, operands before the command)
_PREFIXES: dict[str, tuple[str, int]] = {
    "sudo": ("-u -g -h -p -C -r -t -T -U -D -R --user --group --host --prompt --chdir --chroot --role --type", 0),
    "doas": ("-u -C", 0), "nohup": ("", 0), "nice": ("-n --adjustment", 0), "setsid": ("", 0), "exec": ("-a", 0),
    "builtin": ("", 0), "time": ("-f -o --format --output", 0), "timeout": ("-s -k --signal --kill-after", 1),
    "gtimeout": ("-s -k --signal --kill-after", 1), "stdbuf": ("-i -o -e --input --output --error", 0),
    "ionice": ("-c -n -p --class --classdata", 0), "chrt": ("-T -P -D", 1), "taskset": ("", 1),
    "chroot": ("--userspec", 1), "unbuffer": ("", 0), "caffeinate": ("-t -w", 0), "coproc": ("", 0),
    "noglob": ("", 0), "nocorrect": ("", 0), "strace": ("-e -o -p -s -E -P -u", 0), "ltrace": ("-e -o -p -s -u", 0),
    "busybox": ("", 0), "toybox": ("", 0), "xvfb-run": ("-s -n -e -f -w --server-args", 0),
    "dbus-run-session": ("--config-file", 0), "winpty": ("", 0), "unshare": ("-S -G --setuid --setgid", 0),
    "setarch": ("", 1), "prlimit": ("-p --pid", 0), "entr": ("", 0),
    "systemd-run": ("-p -u -E --unit --property --setenv --working-directory --uid --gid --slice", 0),
    "fakeroot": ("-s -i", 0), "setpriv": ("--reuid --regid --groups", 0), "firejail": ("", 0),
    "systemd-inhibit": ("", 0), "arch": ("", 0), "npx": ("-p --package -c --call", 0), "bunx": ("-p --package", 0),
    "rlwrap": ("", 0), "chronic": ("", 0),
    "uvx": ("--from --with --python -p --index-url --extra-index-url --directory --with-requirements --index -w", 0),
    "dotenv": ("-f --file -e -c", 0), "dotenvx": ("-f --env-file", 0), "ccache": ("", 0), "faketime": ("-f", 1),
    "proxychains": ("-f", 0), "proxychains4": ("-f", 0), "torsocks": ("", 0), "perf": ("", 1), "gosu": ("", 1),
    "mold": ("", 0), "direnv": ("", 1), "cross-env": ("", 0), "retry": ("-t -d -n", 0), "with-contenv": ("", 0),
    "numactl": ("-N -m -C -i -p --cpunodebind --membind --physcpubind --interleave --preferred", 0), "valgrind": ("", 0),
    "eatmydata": ("", 0), "tini": ("-p -e", 0), "dumb-init": ("-r", 0), "su-exec": ("", 1), "sem": ("-j --id", 0),
    "watchexec": ("-w -e -f -i -d -s -E --watch --exts --filter --ignore --signal", 0), "catchsegv": ("", 0),
    "xcrun": ("--sdk --toolchain", 0), "aws-vault": ("--duration -d -t -n", 2), "chamber": ("", 1),
}  # fmt: skip
# name → subcommands that run another command, and the options that take a value
_RUNNERS: dict[str, tuple[frozenset[str], str]] = {
    "pipx": (frozenset({"run"}), "--spec --python --index-url --pip-args"),
    "poetry": (frozenset({"run"}), "-C --directory -P --project"),
    "uv": (frozenset({"run"}), """--with --from --python -p --project --directory --extra --group --env-file --index
        --with-requirements --with-editable --package"""),
    "pdm": (frozenset({"run"}), "-p --project"), "hatch": (frozenset({"run"}), "-e --env"),
    "pipenv": (frozenset({"run"}), ""), "rye": (frozenset({"run"}), ""), "bundle": (frozenset({"exec"}), "--gemfile"),
    "npm": (frozenset({"exec", "x"}), "-p --package -c --call --prefix -w --workspace -C"),
    "pnpm": (frozenset({"exec", "dlx"}), "--package -C --dir --filter -F"),
    "yarn": (frozenset({"exec", "dlx"}), "-p --package --cwd"), "bun": (frozenset({"x"}), ""),
    "conda": (frozenset({"run"}), "-n --name -p --prefix --cwd"),
    "mamba": (frozenset({"run"}), "-n --name -p --prefix"),
    "micromamba": (frozenset({"run"}), "-n --name -p --prefix"), "mise": (frozenset({"exec", "x"}), "-C -E -j"),
    "asdf": (frozenset({"exec"}), ""), "rbenv": (frozenset({"exec"}), ""), "pyenv": (frozenset({"exec"}), ""),
    "volta": (frozenset({"run"}), "--node --npm"), "fnm": (frozenset({"exec"}), "--using"),
    "op": (frozenset({"run"}), "--env-file"), "doppler": (frozenset({"run"}), "-p -c --project --config --command"),
    "infisical": (frozenset({"run"}), "--env --path --command"), "rustup": (frozenset({"run"}), ""),
    "lerna": (frozenset({"exec"}), "--scope --ignore --concurrency"),
}  # fmt: skip


def _prefix(call: Call) -> str:
    takes, skipped = _PREFIXES[call.name]
    arguments = parse(call.words, takes, first=True)
    if call.name in ("npx",) and (text := arguments.value("-c", "--call")):
        return call.read_apart(text, [])
    if call.name == "sudo" and arguments.has("-e", "--edit"):
        call.files("file.write", arguments.operands)
        return ""
    if (
        call.name == "sudo"
        and arguments.has("-i", "--login", "-s", "--shell")
        and not arguments.operands
        and call.stdin
    ):
        return call.read_apart(call.stdin, [])
    words = arguments.operands[skipped:]
    if call.name in ("npx", "bunx", "uvx") and words and not words[0].startswith("@"):
        words = [words[0].split("@")[0].split("==")[0], *words[1:]]
    return _assigned(call, words) if call.name not in ("exec", "time") else call.delegate(words)


_NAME = lazily(r"[^\W\d]\w*(?:%%|\(\))?")
"""Names of variables; those with a sign behind them are functions that bash takes over (bash(1), "Functions")."""


def _assigned(call: Call, words: list[str]) -> str:
    """Run words that may begin with assignments, as `sudo A=1 x` and `env A=1 x` do."""
    environment = dict(call.environment)
    while words and (name := words[0].partition("=")[0]) != words[0] and _NAME.fullmatch(name):
        environment[name] = words.pop(0).partition("=")[2]
    if environment == call.environment or not environment:
        return call.delegate(words) if words else ""
    if not words:
        return UNKNOWN
    return call.delegate(words, environment)


def _env(call: Call) -> str:
    arguments = parse(call.words, "-u --unset -C --chdir -S --split-string -P", first=True)
    if arguments.has("-i", "--ignore-environment") or arguments.operands[:1] == ["-"]:
        call.emit("restraint.lift", what="environment")
    for name in arguments.values("-u", "--unset"):
        if is_marker(name) or UNKNOWN in name:
            call.emit("restraint.lift", what=known(name))
    folder = arguments.value("-C", "--chdir")
    if folder is not None:
        from llmgenie_mcp.shell.scope import inside

        scope = call.scope.copy()
        scope.folder = inside(scope.folder, folder)
        call = call.with_scope(scope)
    words = [word for word in arguments.operands if word != "-"]
    if (text := arguments.value("-S", "--split-string")) is not None:
        words = [*_split(text), *words]
    return _assigned(call, words)


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return [UNKNOWN]


def _command(call: Call) -> str | None:
    arguments = parse(call.words, first=True)
    if arguments.has("-v", "-V"):
        return (arguments.operands[0] if arguments.operands else "") + "\n"
    return call.delegate(arguments.operands)


def _runner(call: Call) -> str | None:
    verbs, takes = _RUNNERS[call.name]
    outer = parse(call.words, takes, first=True)
    if outer.operands and outer.operands[0] in verbs:
        inner = parse(outer.operands[1:], takes, first=True)
        if (text := inner.value("-c", "--call", "--command")) and call.name in ("npm", "doppler", "infisical"):
            return call.read_apart(text, [])
        words = inner.operands
        if call.name == "hatch" and words:
            words = [words[0].rsplit(":", 1)[-1], *words[1:]]
        if call.name == "rustup":
            words = words[1:]
        if call.name == "uv" and inner.has("-m", "--module"):
            words = ["python", "-m", *words]
        if call.name in ("mise", "asdf") and "--" in outer.operands:
            words = outer.operands[outer.operands.index("--") + 1 :]
        if call.name == "npm" and words[:1] == ["--"]:
            words = words[1:]
        return call.delegate(words)
    if call.name in ("pnpm", "yarn") or "--" in call.words:
        rest = outer.operands[outer.operands.index("--") :] if "--" in outer.operands else outer.operands
        programs.within(call, rest)
    from llmgenie_mcp.shell import publish

    return publish.package(call)


def _xargs(call: Call) -> str:
    takes = "-a -d -E -I -L -n -P -s -J -R --arg-file --delimiter --max-args --max-procs --max-lines --replace --eof"
    arguments = parse(call.words, takes, first=True)
    words = arguments.operands or ["echo"]
    replaced = arguments.value("-I", "-J", "--replace")
    given = _given(call.stdin)
    if replaced:
        for line in given:
            words_ = [word.replace(replaced, line) for word in words]
            call.delegate(words_)
        return UNKNOWN
    call.delegate([*words, *given])
    return UNKNOWN


def _given(stdin: str) -> list[str]:
    """What xargs adds: paths where the command before it lists files, else what cannot be known."""
    words = stdin.split()
    return words if words and all(word.startswith(PATHS) for word in words) else [UNKNOWN]


def _parallel(call: Call) -> str:
    arguments = parse(call.words, "-j -a -S --jobs -n -N -L --colsep -C --delay --retries --joblog", first=True)
    words = arguments.operands
    if ":::" in words:
        given = words[words.index(":::") + 1 :]
        words = words[: words.index(":::")]
    else:
        given = [UNKNOWN]
    if not words:
        for text in given:
            call.read_apart(text, [])
        return UNKNOWN
    for value in given[:16]:
        filled = [word.replace("{}", value) for word in words]
        call.read_apart(" ".join(filled if filled != words else [*words, value]), [])
    return UNKNOWN


def _watch(call: Call) -> str:
    arguments = parse(call.words, "-n --interval", first=True)
    return call.read_apart(" ".join(arguments.operands), []) if arguments.operands else ""


def _flock(call: Call) -> str:
    arguments = parse(call.words, "-w -E --timeout", first=True)
    words = arguments.operands[1:]
    return call.read_apart(words[1], []) if words[:1] == ["-c"] and len(words) > 1 else call.delegate(words)


def _su(call: Call) -> str:
    arguments = parse(call.words, "-c -s -g -G --command --shell")
    text = arguments.value("-c", "--command")
    if text is not None:
        return call.read_apart(text, [])
    if call.name == "runuser" and arguments.after:
        return call.delegate(arguments.operands[-arguments.after :])
    return call.read_apart(call.stdin, []) if call.stdin else ""


def _nix(call: Call) -> str:
    """`nix-shell --run TEXT`, `nix develop -c WORDS`, and `nix run PLACE#NAME -- WORDS`, which runs NAME."""
    if call.words[:1] == ["run"] and len(call.words) > 1 and "--" in call.words:
        name = call.words[1].rpartition("#")[2].rpartition("/")[2]
        return call.delegate([name, *call.words[call.words.index("--") + 1 :]])
    for option in ("--run", "--command", "-c"):
        if option in call.words:
            rest = call.words[call.words.index(option) + 1 :]
            return call.read_apart(rest[0], []) if option == "--run" and rest else call.delegate(rest)
    return UNKNOWN


def _and_words(call: Call) -> str | None:
    """Programs that do something of their own, and have commands among their words too: `less '+!make'`."""
    from llmgenie_mcp.shell import network, reading, writing

    programs.within(call, call.words)
    handler = {**reading.HANDLERS, **writing.HANDLERS, **network.HANDLERS}.get(call.name)
    return handler(call) if handler is not None else None


def _man(call: Call) -> str:
    for text in parse(call.words, "-P --pager -H -M -L -S -C -m -e").values("-P", "--pager"):
        call.read_apart(text, [])
    return UNKNOWN


def _terminal(call: Call) -> str:
    """Terminal multiplexers run or type what their words say."""
    if call.words:
        call.opaque(f"{call.name} runs commands in a terminal of its own")
    return UNKNOWN


HANDLERS: dict[str, Callable[[Call], str | None]] = {
    **dict.fromkeys(_PREFIXES, _prefix), **dict.fromkeys(_RUNNERS, _runner), "env": _env, "genv": _env,
    "command": _command, "xargs": _xargs, "gxargs": _xargs, "parallel": _parallel, "watch": _watch, "flock": _flock,
    "su": _su, "runuser": _su, "nix-shell": _nix, "nix": _nix, "tmux": _terminal, "screen": _terminal,
    "zellij": _terminal, "man": _man, **dict.fromkeys(("socat", "less", "more", "view", "ex"), _and_words),
}  # fmt: skip
