"""Dataclasses made quickly are those of the standard library in every way but the time that making them takes."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import sys
from collections.abc import Callable
from dataclasses import KW_ONLY, field
from typing import Any, ClassVar, Generic, TypeVar

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


T = TypeVar("T")


def generic(make: Make) -> type:
    @make
    class Box(Generic[T]):
        one: T
        two: T | None = None

    return Box


def same(make: Make) -> type:
    @make
    class Same:  # noqa: PLW1641 - that the decorator adds it is what is tried
        one: Any
        two: int = 2

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Same)

    return Same


def begun(make: Make) -> type:
    @make
    class Begun:
        one: int
        two: int

        def __init__(self, one: int) -> None:
            object.__setattr__(self, "one", one)
            object.__setattr__(self, "two", 2 * one)

    return Begun


def named(make: Make) -> type:
    """Fields of names that who writes `__init__` might have used."""

    @make
    class Named:
        put: int = 1
        _put: int = 2
        absent: int = 3
        many: list[int] = field(default_factory=list)
        _many: int = 4
        self: int = 5
        one: int = 6

    return Named


def kept(make: Make) -> type:
    @make
    class Kept:
        one: Any
        two: Any = None

        def __getstate__(self) -> list[Any]:
            return [self.one]

        def __setstate__(self, state: list[Any]) -> None:
            object.__setattr__(self, "one", state[0])
            object.__setattr__(self, "two", "restored")

    return Kept


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
        done(lambda: setattr(again, "one", 1)),
        done(lambda: delattr(again, "one")),
        done(lambda: dataclasses.asdict(made)),
        done(lambda: repr(dataclasses.replace(made, one=50))),
        repr(copy.copy(made)),
        repr(copy.deepcopy(made)),
        copy.replace(made, one=50).one if sys.version_info >= (3, 13) and kind.__name__ != "Begun" else None,
        hasattr(made, "__dict__"),
        kind.__match_args__,  # type: ignore[attr-defined]
        [(given.name, given.kind) for given in inspect.signature(kind).parameters.values()],
    ]


@pytest.mark.parametrize("frozen_", [True, False])
@pytest.mark.parametrize("slots", [True, False])
@pytest.mark.parametrize("shape", [plain, odd, child, own, single, generic, same, begun, named, kept])
def test_they_do_what_those_of_the_standard_library_do(
    shape: Callable[[Make], type], slots: bool, frozen_: bool
) -> None:
    ours = shape(frozen.dataclass(frozen=frozen_, slots=slots))
    theirs = shape(dataclasses.dataclass(frozen=frozen_, slots=slots))
    assert dataclasses.is_dataclass(ours)
    assert ours.__dataclass_params__.frozen is frozen_  # type: ignore[attr-defined]
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
        ((), {}),
        ((1,), {}),
        ((1, 2), {"needed": 5}),
        (([],), {"needed": 5, "named": {}}),
        ((1, 2, [3]), {}),
        ((), {"one": 1, "two": 2}),
        ((1, 2, 3, 4, 5, 6), {}),
        ((1,), {"unknown": 1}),
        ((), {"self": 1, "many": [2], "put": 3}),
    ]
    for args, named in calls:
        assert told(ours, *args, **named) == told(theirs, *args, **named), (args, named)


@pytest.mark.parametrize("slots", [True, False])
@pytest.mark.parametrize("make", [frozen.dataclass, dataclasses.dataclass])
def test_frozen_ones_and_others_do_not_inherit_from_each_other(make: Make, slots: bool) -> None:
    with pytest.raises(TypeError, match="cannot inherit frozen dataclass from a non-frozen one"):
        make(frozen=True, slots=slots)(type("Child", (plain(make),), {}))
    with pytest.raises(TypeError, match="cannot inherit non-frozen dataclass from a frozen one"):
        make(type("Child", (plain(make(frozen=True, slots=slots)),), {}))


def test_one_that_holds_itself_is_shown_and_matched() -> None:
    around: list[Any] = []
    made = Sent(1, around)
    around.append(made)
    assert repr(made) == "Sent(one=1, two=[...])"
    match made:
        case Sent(one, [inner]):
            assert (one, inner) == (1, made)
        case _:
            pytest.fail("not matched")


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
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(Sent(1, [2]), protocol)) == Sent(1, [2])
    with pytest.raises(dataclasses.FrozenInstanceError):
        Sent(1).three = 3  # type: ignore[attr-defined]


def test_one_that_says_so_is_equal_to_itself_alone() -> None:
    kind = plain(frozen.dataclass(frozen=True, eq=False))
    assert kind(1) != kind(1)
    assert len({kind(1), kind(1)}) == 2


def test_what_is_not_frozen_can_be_changed_and_is_in_no_set() -> None:
    kind = plain(frozen.dataclass)
    made = kind(1)
    made.one = 2
    assert (made.one, made) == (2, kind(2))
    with pytest.raises(TypeError, match="unhashable"):
        hash(made)


def test_what_asks_for_more_is_made_by_the_standard_library() -> None:
    kind = plain(frozen.dataclass(order=True, kw_only=True))
    assert kind(one=1) < kind(one=2)
    with pytest.raises(TypeError):
        kind(1)
