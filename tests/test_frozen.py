"""Frozen dataclasses are those of the standard library in every way but the time that making them takes."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from collections.abc import Callable
from dataclasses import KW_ONLY, field
from typing import Any, ClassVar

import pytest

from llmgenie_mcp import frozen

Make = Callable[..., Any]


def plain(make: Make) -> type:
    @make
    class Plain:
        """Has a docstring."""

        one: int
        two: str = "two"
        many: list[int] = field(default_factory=list)

    return Plain


def odd(make: Make) -> type:
    @make
    class Odd:
        kind: ClassVar[str] = "odd"
        one: Any
        hidden: int = field(default=3, repr=False, compare=False)
        late: int = field(default=4, init=False)
        made: list[int] = field(default_factory=lambda: [1], init=False)
        _: KW_ONLY
        named: Any = None
        needed: int

    return Odd


def child(make: Make) -> type:
    @make
    class Child(plain(make)):  # type: ignore[misc]
        one: int = 9
        three: int = 3

    return Child


def own(make: Make) -> type:
    @make
    class Own:
        one: int
        double: int = field(init=False)

        def __post_init__(self) -> None:
            object.__setattr__(self, "double", 2 * self.one)

        def __repr__(self) -> str:
            return "own"

        def __hash__(self) -> int:
            return 7

    return Own


def single(make: Make) -> type:
    @make
    class Single:
        one: Any = None

    return Single


def done(work: Callable[[], Any]) -> Any:
    """What comes of it: a value, or the type of the error with its message."""
    try:
        return work()
    except Exception as error:  # noqa: BLE001 - any of them is what is compared
        return type(error), str(error)


def told(kind: type, *args: Any, **named: Any) -> list[Any]:
    """Everything that can be seen of an instance."""
    made = done(lambda: kind(*args, **named))
    if not isinstance(made, kind):
        return [made]
    again = kind(*args, **named)
    shown = repr(made)
    return [
        shown,
        made == again,
        made == 5,
        done(lambda: hash(made) == hash(again)),
        done(lambda: setattr(made, "one", 1)),
        done(lambda: delattr(made, "one")),
        done(lambda: dataclasses.asdict(made)),
        done(lambda: repr(dataclasses.replace(made, one=50))),
        repr(copy.copy(made)),
        repr(copy.deepcopy(made)),
        hasattr(made, "__dict__"),
        kind.__match_args__,  # type: ignore[attr-defined]
        [(given.name, given.kind) for given in inspect.signature(kind).parameters.values()],
    ]


@pytest.mark.parametrize("slots", [True, False])
@pytest.mark.parametrize("shape", [plain, odd, child, own, single])
def test_they_do_what_those_of_the_standard_library_do(shape: Callable[[Make], type], slots: bool) -> None:
    ours = shape(frozen.dataclass(frozen=True, slots=slots))
    theirs = shape(dataclasses.dataclass(frozen=True, slots=slots))
    assert dataclasses.is_dataclass(ours)
    assert ours.__dataclass_params__.frozen  # type: ignore[attr-defined]
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
        ((), {}),
        ((1,), {}),
        ((1, 2), {"needed": 5}),
        (([],), {"needed": 5, "named": {}}),
        ((1, 2, [3]), {}),
        ((), {"one": 1, "two": 2}),
        ((1, 2, 3, 4, 5, 6), {}),
        ((1,), {"unknown": 1}),
    ]
    for args, named in calls:
        assert told(ours, *args, **named) == told(theirs, *args, **named), (args, named)


@frozen.dataclass(frozen=True, slots=True)
class Sent:
    one: int
    two: Any = None


def test_they_are_equal_by_their_fields_and_never_to_another_class() -> None:
    assert Sent(1, [2]) == Sent(1, [2])
    assert Sent(1) != Sent(2)
    assert Sent(1) != plain(frozen.dataclass(frozen=True))(1, None)
    assert len({Sent(1), Sent(1), Sent(2)}) == 2
    nothing = frozen.dataclass(frozen=True)(type("Nothing", (), {}))
    assert nothing() == nothing()
    assert hash(nothing()) == hash(nothing())
    assert pickle.loads(pickle.dumps(Sent(1, [2]))) == Sent(1, [2])
    with pytest.raises(dataclasses.FrozenInstanceError):
        Sent(1).three = 3  # type: ignore[attr-defined]


def test_one_that_says_so_is_equal_to_itself_alone() -> None:
    kind = plain(frozen.dataclass(frozen=True, eq=False))
    assert kind(1) != kind(1)
    assert len({kind(1), kind(1)}) == 2


def test_what_is_not_frozen_is_made_by_the_standard_library() -> None:
    kind = plain(frozen.dataclass)
    made = kind(1)
    made.one = 2
    assert (made.one, made) == (2, kind(2))
    with pytest.raises(TypeError, match="unhashable"):
        hash(made)
