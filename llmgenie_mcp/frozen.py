"""Dataclasses that are made quickly: frozen ones, and plain ones.

The standard library writes up to six methods for each of them as text and compiles that: half a millisecond for a class,
and together a sixth of the time in which the Engine is imported. Here `__init__` alone is written, when the first one is
made, and the other methods are the same for all. In every other way they are dataclasses: `fields`, `replace`, `asdict`
and type checkers know them, and what a class says itself stays. Two things are so in every Python: fields are compared as
one tuple, and what inherits from frozen ones without being a dataclass is as frozen as they are. Those that ask for more
than `frozen`, `slots` and `eq` are made by the standard library.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(cls: type | None = None, /, **options: bool) -> Any:
        """As `dataclasses.dataclass`."""
        if not options.keys() <= {"frozen", "slots", "eq"}:
            return dataclasses.dataclass(cls, **options)
        return (lambda made: _quick(made, **options)) if cls is None else _quick(cls, **options)


def _quick(cls: type, *, frozen: bool = False, slots: bool = False, eq: bool = True) -> Any:
    own = set(vars(cls))
    # Without it the standard library looks for a signature to put there, which takes 3 ms the first time.
    if cls.__doc__ is None:
        cls.__doc__ = cls.__name__
    if "__eq__" in own and vars(cls)["__hash__"] is None:  # set by Python, because there is an `__eq__`
        own.discard("__hash__")
    # The standard library refuses to let frozen ones and others inherit from each other: tell it what this one is.
    inherits = any(hasattr(base, "__dataclass_params__") for base in cls.__mro__[1:])
    made: Any = dataclasses.dataclass(init=False, repr=False, eq=False, frozen=frozen and inherits, slots=slots)(cls)
    fields = dataclasses.fields(made)
    methods: dict[str, Any] = {"__repr__": _repr}
    if "__init__" not in own:
        methods["__init__"] = _Unwritten(made, fields, frozen=frozen)
    if eq:
        methods |= {"__eq__": _equal, "__hash__": _hash if frozen else None}
        methods["_compared"] = property(_values(tuple(field.name for field in fields if field.compare)))
    if slots and frozen:
        methods |= {"__getstate__": _state, "__setstate__": _restore}
    for name, method in methods.items():
        if name not in own:
            setattr(made, name, method)
    if frozen:
        made.__setattr__, made.__delattr__ = _set, _delete
    made.__dataclass_params__.frozen, made.__dataclass_params__.eq = frozen, eq
    return made


class _Unwritten:
    """`__init__` before anybody looks at it: most classes are imported by commands that make none of them.

    Args:
        cls: whose.
        fields: its fields.
        frozen: whether fields are set past the class, which refuses it.
    """

    def __init__(self, cls: Any, fields: tuple[dataclasses.Field[Any], ...], *, frozen: bool) -> None:
        self._cls, self._fields, self._frozen = cls, fields, frozen

    def __get__(self, instance: object, owner: type | None = None) -> Callable[..., None]:
        """The method, which from now on stands in place of this."""
        written = _init(self._cls, self._fields, frozen=self._frozen)
        self._cls.__init__ = written
        return written if instance is None else written.__get__(instance, owner)


def _init(cls: type, fields: tuple[dataclasses.Field[Any], ...], *, frozen: bool) -> Callable[..., None]:
    """`__init__`, which sets the fields in their order, and then calls `__post_init__` where there is one."""
    scope: dict[str, Any] = {"__put__": object.__setattr__, "__absent__": dataclasses.MISSING}
    this = "__self__" if any(field.name == "self" for field in fields) else "self"
    given, named, lines = [this], ["*"], []
    for field in fields:
        name, value, default, known = field.name, field.name, "", f"__default_{field.name}__"
        if field.default is not dataclasses.MISSING:
            scope[known], default = field.default, f"={known}"
        elif field.default_factory is not dataclasses.MISSING:
            scope[known], default = field.default_factory, "=__absent__"
            value = f"{known}() if {name} is __absent__ else {name}"
        if field.init:
            (named if field.kw_only else given).append(name + default)
        elif default:
            value = known + ("()" if default == "=__absent__" else "")
        else:
            continue
        lines.append(f" __put__({this}, {name!r}, {value})" if frozen else f" {this}.{name}={value}")
    if hasattr(cls, "__post_init__"):
        lines.append(f" {this}.__post_init__()")
    text = f"def __init__({', '.join(given + (named if len(named) > 1 else []))}):\n" + ("\n".join(lines) or " pass")
    exec(text, scope)  # noqa: S102 - as dataclasses does it: no name in it is anybody's but our own
    made: Callable[..., None] = scope["__init__"]
    made.__module__, made.__qualname__ = cls.__module__, f"{cls.__qualname__}.__init__"
    return made


def _values(names: tuple[str, ...]) -> Callable[[Any], Any]:
    if len(names) > 1:
        return attrgetter(*names)
    return lambda self: tuple(getattr(self, name) for name in names)


@recursive_repr()
def _repr(self: Any) -> str:
    shown = ", ".join(f"{field.name}={getattr(self, field.name)!r}" for field in dataclasses.fields(self) if field.repr)
    return f"{type(self).__qualname__}({shown})"


def _equal(self: Any, other: Any) -> Any:
    if type(other) is not type(self):
        return NotImplemented
    return bool(self._compared == other._compared)  # noqa: SLF001 - of the same class


def _hash(self: Any) -> int:
    return hash(self._compared)


def _set(_self: Any, name: str, _value: object) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _delete(_self: Any, name: str) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _state(self: Any) -> list[Any]:
    """What is copied and pickled."""
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _restore(self: Any, state: list[Any]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)


__all__ = ["dataclass"]
