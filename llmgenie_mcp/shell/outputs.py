"""Programs whose output follows from their words and their input: decoders, and names with the time or a number in them."""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable

from llmgenie_mcp.shell import reading
from llmgenie_mcp.shell.arguments import UNKNOWN, parse
from llmgenie_mcp.shell.call import Call
from llmgenie_mcp.shell.pattern import lazily

_DATE = {
    "Y": "2000", "C": "20", "y": "00", "m": "01", "d": "01", "e": "01", "j": "001", "H": "00", "I": "12", "k": "00", "M": "00",
    "S": "00", "N": "000000000", "s": "946684800", "F": "2000-01-01", "T": "00:00:00", "R": "00:00", "D": "01/01/00",
    "u": "6", "w": "6", "V": "52", "U": "00", "W": "00", "G": "1999", "g": "99", "q": "1", "z": "+0000", "%": "%",
}  # fmt: skip
"""Numbers stand for numbers: no policy goes by which."""
_DATE_FORMAT = lazily(r"%[-_0^#]?\d*([A-Za-z%])")
_PLACE = lazily(r"X{3,}(?=[^X]*$)")
_TR_RANGE = lazily(r"(.)-(.)", re.DOTALL)
_MOST_TEXTS = 16
_MOST = 256
"""Characters that a set of `tr` has."""


def _date(call: Call) -> str:
    arguments = parse(call.words, "-d -f -r -s --date --file --reference --set")
    call.files("file.read", arguments.values("-f", "--file"))
    form = next((word[1:] for word in arguments.operands if word.startswith("+")), None)
    if form is None or arguments.has("-f", "--file"):
        return UNKNOWN
    return _DATE_FORMAT.sub(lambda match: _DATE.get(match.group(1), UNKNOWN), form) + "\n"


def _mktemp(call: Call) -> str:
    arguments = parse(call.words, "-p --suffix")
    named = arguments.value("-p", "--tmpdir")
    template = arguments.operands[0] if arguments.operands else "tmp.XXXXXXXXXX"
    folder = named or call.variable("TMPDIR") or call.reader.surroundings.variable("TMPDIR") or "/tmp"  # noqa: S108
    if arguments.operands and named is None and not arguments.has("-t"):
        folder = ""
    number = len(call.scope.made) + 1
    place = _PLACE.sub(lambda match: f"{number:0{len(match.group())}}", template) + (arguments.value("--suffix") or "")
    path = f"{folder.rstrip('/')}/{place}" if folder else place
    if (seen := call.path(path)) is None:
        return UNKNOWN
    call.created(seen)
    if not seen.startswith("/"):
        call.files("file.write", [path])
    return path + "\n"


def _base64(call: Call) -> str:
    found = _read(call)
    decodes = any(re.fullmatch(r"-[iw0-9]*[dD][i0-9]*|--dec\w*", word) for word in call.words)
    if not decodes or UNKNOWN in call.stdin or not call.stdin:
        return found
    text = re.sub(r"[^A-Za-z0-9+/=_-]", "", call.stdin)
    try:
        if call.name == "base32":
            import base64

            return _text(call, base64.b32decode(text))
        return _text(call, binascii.a2b_base64(text + "=" * (-len(text) % 4)))
    except ValueError:
        return UNKNOWN


def _xxd(call: Call) -> str:
    found = _read(call)
    plain = any(re.fullmatch(r"-[ru]*p[rs]*|-ps|-plain|-postscript", word) for word in call.words)
    if not plain or not any(re.fullmatch(r"-p?r\w*", word) for word in call.words) or UNKNOWN in call.stdin:
        return found
    text = re.sub(r"[^0-9A-Fa-f]", "", call.stdin)
    return _text(call, bytes.fromhex(text[: len(text) // 2 * 2])) if text else found


def _rev(call: Call) -> str:
    found = _read(call)
    if call.words or UNKNOWN in call.stdin or not call.stdin:
        return found
    return _told(call, "".join(line[::-1] + "\n" for line in call.stdin.splitlines()))


def _read(call: Call) -> str:
    found = reading.HANDLERS[call.name](call) if call.name in reading.HANDLERS else None
    return UNKNOWN if found is None else found


def _text(call: Call, data: bytes) -> str:
    return _told(call, data.decode("utf-8", "replace").replace("\0", ""))


def _told(call: Call, text: str) -> str:
    """The text; that it was not written plainly is remembered."""
    if len(call.reader.decoded) < _MOST_TEXTS and text.strip():
        call.reader.decoded.add(text.strip())
    return text


def _tr(call: Call) -> str:
    sets = [_set(word) for word in parse(call.words).operands]
    flags = "".join(word[1:] for word in call.words if re.fullmatch(r"-[a-zA-Z]+", word))
    if UNKNOWN in call.stdin or not call.stdin or "" in sets or not sets:
        return UNKNOWN
    if flags == "d" and len(sets) == 1:
        return call.stdin.translate(dict.fromkeys(map(ord, sets[0])))
    if flags or len(sets) != 2:
        return UNKNOWN
    old, new = sets
    return call.stdin.translate({ord(c): new[min(index, len(new) - 1)] for index, c in reversed(list(enumerate(old)))})


def _set(word: str) -> str:
    """The characters of a set; "" where that is not worked out."""
    if UNKNOWN in word or "[:" in word or "[=" in word or len(word) > _MOST:
        return ""
    text = word.replace("\\n", "\n").replace("\\t", "\t").replace("\\\\", "\\")
    return _TR_RANGE.sub(
        lambda match: "".join(map(chr, range(ord(match.group(1)), ord(match.group(2)) + 1)[:_MOST])), text
    )


HANDLERS: dict[str, Callable[[Call], str | None]] = {
    "date": _date, "gdate": _date, "mktemp": _mktemp, "base64": _base64, "base32": _base64, "gbase64": _base64, "xxd": _xxd,
    "rev": _rev, "tr": _tr,
}  # fmt: skip
