"""Damage done to good input: to its bytes, and to its structure; how much of it is tried, and how long one try may take."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

SECONDS = 5.0
"""CPU time that one input may take, on a machine that does other things too."""
PATH = tuple[str | int, ...]


def examples(count: int) -> Callable[..., Any]:
    """Settings of a property: `count` examples, or as many as LLMGENIE_FUZZ_EXAMPLES says."""
    more = os.environ.get("LLMGENIE_FUZZ_EXAMPLES")
    phases = [Phase.explicit, Phase.generate, *([Phase.shrink] if more else [])]  # making a failure small takes minutes
    found: Callable[..., Any] = settings(
        max_examples=int(more or count),
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
        phases=phases,
    )
    return found


@contextmanager
def quickly(what: object) -> Iterator[None]:
    """What is done inside takes no more than `SECONDS` of CPU time."""
    began = time.process_time()
    yield
    taken = time.process_time() - began
    assert taken < SECONDS, f"{taken:.1f} s for {str(what)[:500]!r}"


def nested(depth: int, *, mapping: bool = False) -> Any:
    """A list, or a mapping, in itself so often."""
    value: Any = 1
    for _ in range(depth):
        value = {"a": value} if mapping else [value]
    return value


LEAVES: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from([10**300, -(10**25), 1e308, "", "\x00", "\ud800", "a" * 20_000, "../..", "{", "*", "null"]),
    st.builds(list),
    st.builds(dict),
    st.builds(nested, st.sampled_from([40, 300]), mapping=st.booleans()),
)
"""Values that rarely belong where they are put."""


def paths(value: Any, spared: frozenset[str] = frozenset(), here: PATH = ()) -> list[PATH]:
    """The way to each part of some JSON, the whole left out, and whatever lies under a key of `spared`."""
    members: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found: list[PATH] = []
    for key, below in members:
        if key not in spared:
            found += [(*here, key), *paths(below, spared, (*here, key))]
    return found


def changed(draw: Callable[..., Any], value: Any, spared: frozenset[str] = frozenset()) -> Any:
    """A copy of some JSON in which a part is taken out, put twice, replaced, renamed, or wrapped."""
    value = json.loads(json.dumps(value))
    for _ in range(draw(st.integers(1, 3))):
        places = paths(value, spared)
        if not places:
            break
        *way, last = draw(st.sampled_from(places))
        inside = value
        for key in way:
            inside = inside[key]
        what = draw(st.sampled_from(["remove", "replace", "replace", "rename", "wrap", "add"]))
        if what == "remove":
            del inside[last]
        elif what == "replace":
            inside[last] = draw(LEAVES)
        elif what == "wrap":
            inside[last] = draw(st.sampled_from([[inside[last]], {"a": inside[last]}, [inside[last], inside[last]]]))
        elif isinstance(inside, dict):
            name = draw(st.one_of(st.text(max_size=8), st.sampled_from(["on", "name", "<<", "id", "params", "a.b"])))
            if name not in spared:
                inside[name] = inside.pop(last) if what == "rename" else draw(LEAVES)
        else:
            inside.insert(int(last), draw(LEAVES))
    return value


def damaged(draw: Callable[..., Any], data: bytes) -> bytes:
    """The bytes with some of them cut off, taken out, written twice, or others put between them."""
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(len(data), start + 40)))
        what = draw(st.sampled_from(["cut", "remove", "repeat", "insert", "flip"]))
        if what == "cut":
            data = data[:start]
        elif what == "remove":
            data = data[:start] + data[end:]
        elif what == "repeat":
            data = data[:end] + data[start:end] * draw(st.integers(1, 40)) + data[end:]
        elif what == "insert":
            data = data[:start] + draw(st.one_of(st.binary(max_size=12), st.sampled_from(ODD))) + data[start:]
        elif end > start:
            data = data[:start] + bytes([data[start] ^ (1 << draw(st.integers(0, 7)))]) + data[start + 1 :]
    return data


ODD = [
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"\x00",
    b"\xc3",
    b"\r",
    b"\x0c",
    b"\xe2\x80\xa8",
    b"9" * 5000,
    b"[" * 3000,
]
"""Byte order marks, half a character, a surrogate in UTF-8, separators, digits and brackets without end."""
