"""What programs read: tables of their options, after their manual pages (GNU and BSD)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from llmgenie_mcp.shell.arguments import PATHS, UNKNOWN, looked_at, parse
from llmgenie_mcp.shell.call import Call
from llmgenie_mcp.shell.finding import Names, matching, paths
from llmgenie_mcp.shell.opaque import touches
from llmgenie_mcp.shell.pattern import lazily
from llmgenie_mcp.shell.streams import of_files

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
    "sha1sum": ("", 0), "sha256sum": ("", 0), "shasum": ("-a", 0), "cksum": ("", 0), "zless": ("", 0),
    "pv": ("-s -L -N -B -i -w -H", 0), "pr": ("-h -l -w", 0), "iconv": ("-f -t -o", 0), "gron": ("", 0),
    "jq": ("-f -L --indent --tab --from-file", 1), "yq": ("-o -p -I", 1), "xmllint": ("--xpath --schema", 0),
    "pygmentize": ("-l -f", 0), "glow": ("", 0), "mdcat": ("", 0), "open": ("-a", 0), "xdg-open": ("", 0),
    "csvlook": ("", 0), "look": ("", 1), "gpg": ("-r -u -o --recipient --output --passphrase", 0),
    "json.tool": ("--indent", 0), "split": ("-a -b -l -n -C -t --bytes --lines --number --filter --suffix-length", 0),
    "csplit": ("-b -f -n --prefix --suffix-format --digits", 0),
    "ansible-vault": ("--vault-password-file", 1), "age": ("-r -R -i -o", 0),
}  # fmt: skip
_SHOWS = """sha512sum sha384sum sha224sum b2sum b3sum sum tsort hexyl uuencode cpp bc dc vimdiff nvimdiff meld icdiff delta xclip
    xsel pbcopy wl-copy unexpand ptx lpr lp"""
_CONVERTS = "shuf highlight pandoc enscript a2ps"
_READERS |= {
    **dict.fromkeys(_SHOWS.split(), ("-w -t -P -n", 0)),
    **dict.fromkeys(_CONVERTS.split(), ("-n -o -t -f -p --output", 0)),
}
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


_WRITES_SECOND = {"uniq": "", "json.tool": "", "split": "aa", "csplit": "", "xxd": ""}
"""Programs that read one file: a second name is what they write, with what is put behind it."""


_WRITES_NAMED = frozenset(
    {"sort", "shuf", "gpg", "iconv", "sdiff", "pandoc", "highlight", "age", "base64", "enscript", "a2ps"}
)
"""Programs whose `-o` names a file that is written."""


def _query(call: Call) -> list[str]:
    """The words of jq and yq without the variables that they are given (jq(1)); files that these hold are read."""
    kept: list[str] = []
    at = 0
    values = False  # --args: operands are values from there on, no files
    while at < len(call.words):
        word = call.words[at]
        values = values or word in ("--args", "--jsonargs")
        if word in ("--rawfile", "--slurpfile", "--argfile"):
            call.files("file.read", call.words[at + 2 : at + 3])
        taken = word in ("--arg", "--argjson", "--rawfile", "--slurpfile", "--argfile")
        kept.extend([] if taken or (values and word[:1] != "-") else [word])
        at += 3 if taken else 1
    return kept


def _reader(call: Call) -> str | None:
    takes, skipped = _READERS[call.name]
    words = _query(call) if call.name in ("jq", "yq") else call.words
    arguments = parse(words, takes)
    operands = arguments.operands
    if call.name in ("jq", "yq"):
        operands = operands[operands[:1] in (["e"], ["eval"], ["ea"]) :]
        skipped = 0 if arguments.has("-f", "--from-file") else 1
        call.files("file.read", arguments.values("-f", "--from-file"))
    files = operands[skipped:]
    if call.name in _WRITES_SECOND:
        call.files("file.write", [word + _WRITES_SECOND[call.name] for word in files[1:2]])
        for text in arguments.values("--filter"):
            call.read_apart(text, [])
        files = files[:1]
    call.files("file.read", looked_at(files))
    if call.name == "yq" and arguments.has("-i", "--inplace"):
        call.files("file.write", files)
    if call.name.endswith("base64"):  # a file for BSD; GNU's option takes nothing, and the next word is the file
        call.files("file.read", arguments.values("-i"))
    if call.name in _WRITES_NAMED:
        call.files("file.write", arguments.values("-o", "--output"))
    return _passed(call, files)


def _passed(call: Call, files: Sequence[str]) -> str:
    """What is known of the output: all of it for `cat`, names of files for what chooses among lines."""
    if call.name == "cat" and not call.words:
        return call.stdin
    if call.name == "cat" and len(files) == 1 and files == call.words:
        return call.reader.content(call.path(files[0]), call.scope)
    if call.name in ("cat", "pv") and files:
        return of_files(call, files)
    if not files and call.stdin.startswith(PATHS) and call.name in _FILTERS:
        return call.stdin
    return UNKNOWN


def _grep(call: Call) -> str:
    name = _GREP_NAMES.get(call.name, call.name)
    arguments = parse(call.words, _GREPS[name])
    given = arguments.has("-e", "-f", "--regexp", "--file") or (name == "rg" and arguments.has("--files"))
    files = arguments.operands[0 if given else 1 :]
    recursive = name == "grep" and arguments.has("-r", "-R", "--recursive", "--dereference-recursive")
    searched = files or ["."] * (recursive or not call.stdin)
    hidden = recursive or arguments.has("--hidden", "-.") or len(arguments.values("-u", "--unrestricted")) > 1
    only = [value for value in arguments.values("--include", "-g", "--glob") if value[:1] != "!"]
    chosen = tuple(matching(value) for value in only)
    call.files("file.read", [*arguments.values("-f", "--file"), *looked_at(files)])
    if recursive and not files:
        call.files("file.read", ["."])
    if recursive and "secrets" in touches(" ".join(only)):
        call.files("file.read", paths(searched, chosen))
    for text in arguments.values("--pre"):
        call.read_apart(text, [])
    if arguments.has("-l", "-L", "--files", "--files-with-matches", "--files-without-match"):
        if (recursive or name != "grep") and (hidden or chosen):
            return " ".join(_listed(searched, chosen or None))
        return " ".join(_listed(searched, ()))
    return _passed(call, files)


def _listed(words: Sequence[str], names: Names | None) -> list[str]:
    """The words for files that are listed: those of the names in each tree, or what is named when there are none."""
    trees: list[str] = []
    found: list[str] = []
    for word in words:
        if word.startswith(PATHS):
            found.append(word)
        elif names == () or any(sign in word for sign in "*?["):
            found.append(PATHS + word)
        else:
            trees.append(word)
    return [*found, *paths(trees, names)]


_SED_FILES = lazily(
    r"(?:(?:^|[;{}\n\d$!])[ \t]*([rRwW])[ \t]*|[/,#|@:%][gpIimM0-9]*[ \t]*([rRwW])[ \t]+)([^\n;}]+)",
)
_SED_RUNS = lazily(r"(?:^|[;}\n]|\d|\$|/)[ \t]*e[ \t]+\S|s(.)(?:(?!\1).)*\1(?:(?!\1).)*\1[gpim0-9]*e")


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
    script += "".join(f"\n{call.script_text(file) or ''}" for file in arguments.values("-f", "--file"))
    for one, other, file in _SED_FILES.findall(script):
        call.files("file.read" if (one or other) in "rR" else "file.write", [file.strip()])
    if _SED_RUNS.search(script):
        call.opaque("sed runs a command", text=script)
    call.files("file.write" if in_place else "file.read", files if in_place else looked_at(files))
    return None


_AWK_RUNS = lazily(r"\bsystem\s*\(|\|\s*getline|\|\s*[\"'a-z]|\|&|@load")
_AWK_WRITES = lazily(r">>?\s*\"([^\"]+)\"")
_AWK_READS = lazily(r"\bgetline\b[^<;}\n]{0,80}<\s*\"([^\"]+)\"")
_AWK_CHOOSES = lazily(r"\bARGV\s*\[[^\]\n]{0,40}\]\s*=(?!=)|\bgetline\b[^<;}\n]{0,80}<\s*[A-Za-z_(]")
"""Reads files whose names the program puts together: any text in it may be one."""
_AWK_NAMED = lazily(r"(\bgetline\b[^<;}\n]{0,80}<|\bprintf?\b[^>\n]{0,200}>)>?\s*([A-Za-z_]\w*)")


def _awk(call: Call) -> str | None:
    arguments = parse(call.words, "-F -v -f -e -i --field-separator --assign --file --source --include")
    scripted = arguments.has("-f", "-e", "--file", "--source")
    program = "\n".join([*arguments.values("-e", "--source"), *([] if scripted else arguments.operands[:1])])
    operands = arguments.operands[0 if scripted else 1 :]
    files = [word for word in operands if not re.match(r"[A-Za-z_]\w*=", word)]
    set_ = [*arguments.values("-v", "--assign"), *(word for word in operands if word not in files)]
    values = {name: value for name, _, value in (word.partition("=") for word in set_)}
    call.files("file.read", [*arguments.values("-f", "--file"), *looked_at(files), *_AWK_READS.findall(program)])
    call.files("file.write", _AWK_WRITES.findall(program))
    if _AWK_CHOOSES.search(program):
        call.files("file.read", re.findall(r"\"([^\"\s]+)\"", program))
    for how, name in _AWK_NAMED.findall(program):
        call.files("file.write" if how.endswith(">") else "file.read", [values[name]] if name in values else [])
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


def _sops(call: Call) -> str | None:
    """Shows, or passes on to a command, what a file of secrets holds (the program's manual)."""
    arguments = parse(call.words, "--output --input-type --output-type --extract --config --age --pgp --kms -s --set")
    operands = arguments.operands
    if operands[:1] in (["exec-env"], ["exec-file"]):
        call.read_apart(" ".join(operands[2:3]), [])
        return None
    call.files("file.read", operands)
    call.files("file.write", [*arguments.values("--output"), *(operands if arguments.has("-i", "--in-place") else [])])
    return None


def _ssh_keygen(call: Call) -> str | None:
    """`-y` prints the public part of a private key, `-e` converts it; without a verb it makes one, or a new passphrase."""
    arguments = parse(call.words, "-f -t -b -C -N -P -m -O -a -Z -s -I -n -V -F -R -r -Y -D -E -w -z")
    files = arguments.values("-f")
    if arguments.has("-y", "-e", "-i"):
        call.files("file.read", files)
    elif not arguments.has("-l", "-B", "-F", "-H", "-R", "-r", "-Y", "-L", "-Q"):
        call.files("file.write", files)
    return None


def _xargs(call: Call) -> str | None:
    arguments = parse(call.words, "-a -d -E -I -L -n -P -s --arg-file --delimiter --max-args", first=True)
    call.files("file.read", arguments.values("-a", "--arg-file"))
    return None


BESIDE: dict[str, Callable[[Call], str | None]] = dict.fromkeys(("xargs", "gxargs"), _xargs)
"""What programs read beside what their own handlers in other modules report."""

HANDLERS: dict[str, Callable[[Call], str | None]] = {
    **dict.fromkeys(_READERS, _reader),
    **dict.fromkeys((*_GREPS, *_GREP_NAMES), _grep),
    **dict.fromkeys(("sed", "gsed"), _sed),
    **dict.fromkeys(("awk", "gawk", "mawk", "nawk"), _awk),
    "openssl": _openssl,
    "sops": _sops,
    "ssh-keygen": _ssh_keygen,
}
