"""What programs read: tables of their options, after their manual pages (GNU and BSD)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from llmgenie_mcp.shell.arguments import PATHS, UNKNOWN, parse
from llmgenie_mcp.shell.call import Call

# name → (options that take a value, operands before the files)
_READERS: dict[str, tuple[str, int]] = {
    "cat": ("", 0), "tac": ("-s", 0), "more": ("-n", 0), "most": ("", 0), "nl": ("-b -w -s -v -i", 0),
    "less": ("-p -P -t -T -x -y -j -z -b -h -k -o", 0), "head": ("-n -c --lines --bytes", 0),
    "tail": ("-n -c -s --lines --bytes --pid", 0), "batcat": ("-l -r -H", 0), "ccat": ("", 0),
    "bat": ("-l -r -H --language --style --theme --line-range --paging --color", 0), "view": ("", 0),
    "cut": ("-d -f -c -b --delimiter --fields", 0), "sort": ("-k -t -o -S -T --key --output", 0),
    "uniq": ("-f -s -w", 0), "wc": ("--files0-from", 0), "xxd": ("-l -s -c -g", 0), "hd": ("-n -s", 0),
    "hexdump": ("-n -s -e -f", 0), "od": ("-A -j -N -t -w", 0), "base64": ("-w -i -o --wrap", 0), "base32": ("-w", 0),
    "strings": ("-n -t -e", 0), "diff": ("-U -C -I -x -W", 0), "colordiff": ("-U", 0), "sdiff": ("-w -o", 0),
    "cmp": ("-n -i", 0), "comm": ("", 0), "join": ("-t -1 -2 -j -o", 0), "paste": ("-d", 0), "fold": ("-w", 0),
    "fmt": ("-w", 0), "column": ("-t -s -c", 0), "rev": ("", 0), "expand": ("-t", 0), "md5sum": ("", 0),
    "sha1sum": ("", 0), "sha256sum": ("", 0), "shasum": ("-a", 0), "cksum": ("", 0), "zcat": ("", 0), "bzcat": ("", 0),
    "xzcat": ("", 0), "zless": ("", 0), "pr": ("-h -l -w", 0), "iconv": ("-f -t -o", 0), "gron": ("", 0),
    "jq": ("-f -L --indent --tab --from-file", 1), "yq": ("-o -p -I", 1), "xmllint": ("--xpath --schema", 0),
    "pygmentize": ("-l -f", 0), "glow": ("", 0), "mdcat": ("", 0), "open": ("-a", 0), "xdg-open": ("", 0),
    "csvlook": ("", 0), "look": ("", 1), "gpg": ("-r -u -o --recipient --output --passphrase", 0),
}  # fmt: skip
# name → options that take a value; the first operand is the pattern unless -e or -f gave one
_GREPS: dict[str, str] = {
    "grep": """-e -f -m -A -B -C -d -D --regexp --file --max-count --include --exclude --exclude-dir --after-context
        --before-context --context --color --label""",
    "rg": """-e -f -g -t -T -m -A -B -C -r -j -M -d --glob --iglob --type --type-not --max-count --regexp --file
        --replace --sort --sortr --max-depth --context --color --colors --engine --ignore-file --pre --pre-glob
        --threads --type-add --max-columns""",
    "ag": "-A -B -C -G -m -p --ignore --ignore-dir --depth",
    "ack": "-A -B -C -m --type",
}
_GREP_NAMES = {"egrep": "grep", "fgrep": "grep", "zgrep": "grep", "ggrep": "grep"}
_FILTERS = frozenset({"head", "tail", "sort", "uniq", "grep", "rg", "cat", "tac", "egrep", "fgrep"})
"""What passes on some of the lines that it is given."""


def _reader(call: Call) -> str | None:
    takes, skipped = _READERS[call.name]
    arguments = parse(call.words, takes)
    operands = arguments.operands
    if call.name in ("jq", "yq"):
        if arguments.has("-n", "--null-input", "--arg", "--args", "--version"):
            return None
        operands = operands[operands[:1] in (["e"], ["eval"], ["ea"]) :]
        skipped = 0 if arguments.has("-f", "--from-file") else 1
    files = operands[skipped:]
    call.files("file.read", files)
    if call.name == "yq" and arguments.has("-i", "--inplace"):
        call.files("file.write", files)
    if call.name == "sort":
        call.files("file.write", arguments.values("-o", "--output"))
    return _passed(call, files)


def _passed(call: Call, files: Sequence[str]) -> str:
    """What is known of the output: all of it for `cat`, names of files for what chooses among lines."""
    if call.name == "cat" and not call.words:
        return call.stdin
    if call.name == "cat" and len(files) == 1 and files == call.words:
        path = call.path(files[0])
        text = call.reader.content(path, call.scope)
        return text if text != UNKNOWN else UNKNOWN
    if not files and call.stdin.startswith(PATHS) and call.name in _FILTERS:
        return call.stdin
    return UNKNOWN


def _grep(call: Call) -> str:
    name = _GREP_NAMES.get(call.name, call.name)
    arguments = parse(call.words, _GREPS[name])
    given = arguments.has("-e", "-f", "--regexp", "--file") or (name == "rg" and arguments.has("--files"))
    files = arguments.operands[0 if given else 1 :]
    recursive = name == "grep" and arguments.has("-r", "-R", "--recursive", "--dereference-recursive")
    call.files("file.read", [*arguments.values("-f", "--file"), *files])
    if recursive and not files:
        call.files("file.read", ["."])
    for text in arguments.values("--pre"):
        call.read_apart(text, [])
    if arguments.has("-l", "-L", "--files", "--files-with-matches", "--files-without-match"):
        return " ".join(PATHS + file for file in files or ["."])
    return _passed(call, files)


_SED_WRITES = re.compile(r"(?:^|[;}\n]|/[gpIim0-9]*)\s*[wW]\s+([^\n;}]+)")
_SED_RUNS = re.compile(r"(?:^|[;}\n]|\d|\$|/)\s*e\s+\S|s(.)(?:(?!\1).)*\1(?:(?!\1).)*\1[gpim0-9]*e")


def _sed(call: Call) -> str | None:
    words = list(call.words)
    if "-i" in words and (at := words.index("-i")) + 1 < len(words) and re.fullmatch(r"|\.[a-z]+", words[at + 1]):
        del words[at + 1]  # BSD: the suffix of the copy is a word of its own
    in_place = False
    kept: list[str] = []
    for word in words:
        match = re.fullmatch(r"-([nrEsuz]*)i.*|--in-place.*", word)
        in_place = in_place or match is not None
        kept.extend([word] if match is None else [f"-{match.group(1)}"] if match.group(1) else [])
    arguments = parse(kept, "-e -f -l --expression --file --line-length")
    scripted = arguments.has("-e", "-f", "--expression", "--file")
    files = arguments.operands[0 if scripted else 1 :]
    script = "\n".join([*arguments.values("-e", "--expression"), *([] if scripted else arguments.operands[:1])])
    call.files("file.write", [name.strip() for name in _SED_WRITES.findall(script)])
    if _SED_RUNS.search(script):
        call.opaque("sed runs a command", text=script)
    call.files("file.write" if in_place else "file.read", files)
    return None


_AWK_RUNS = re.compile(r"\bsystem\s*\(|\|\s*getline|\|\s*[\"'a-z]|\|&|@load")
_AWK_WRITES = re.compile(r">>?\s*\"([^\"]+)\"")


def _awk(call: Call) -> str | None:
    arguments = parse(call.words, "-F -v -f -e -i --field-separator --assign --file --source --include")
    scripted = arguments.has("-f", "-e", "--file", "--source")
    program = "\n".join([*arguments.values("-e", "--source"), *([] if scripted else arguments.operands[:1])])
    operands = arguments.operands[0 if scripted else 1 :]
    files = [word for word in operands if not re.match(r"[A-Za-z_]\w*=", word)]
    call.files("file.read", [*arguments.values("-f", "--file"), *files])
    call.files("file.write", _AWK_WRITES.findall(program))
    if "inplace" in arguments.values("-i", "--include"):
        call.files("file.write", files)
    if _AWK_RUNS.search(program):
        call.opaque("awk runs a command", text=f"awk {program}")
    return None


_OPENSSL = """-in -out -inkey -pass -passin -passout -k -days -subj -keyout -config -extfile -CA -CAkey -cert -key"""


def _openssl(call: Call) -> str | None:
    arguments = parse(call.words, _OPENSSL, single=True)
    call.files("file.read", arguments.values("-in", "-inkey", "-key", "-CAkey"))
    call.files("file.write", arguments.values("-out", "-keyout"))
    return None


HANDLERS: dict[str, Callable[[Call], str | None]] = {
    **dict.fromkeys(_READERS, _reader),
    **dict.fromkeys((*_GREPS, *_GREP_NAMES), _grep),
    **dict.fromkeys(("sed", "gsed"), _sed),
    **dict.fromkeys(("awk", "gawk", "mawk", "nawk"), _awk),
    "openssl": _openssl,
}
