"""Frozen dataclasses that are made quickly.

The standard library writes six methods for each of them as text and compiles that: half a millisecond for a class, and
together a third of the time in which the Engine is imported. Here `__init__` alone is written, and the other methods are
the same for all. In every other way they are dataclasses: `fields`, `replace`, `asdict` and type checkers know them.
Those that are not frozen are made by the standard library.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(cls: type | None = None, /, **options: bool) -> Any:
        """As `dataclasses.dataclass`."""
        if not options.get("frozen"):
            return dataclasses.dataclass(cls, **options)
        return (lambda made: _frozen(made, **options)) if cls is None else _frozen(cls, **options)


def _frozen(cls: type, *, frozen: bool, slots: bool = False, eq: bool = True) -> Any:
    # The standard library refuses to let one that is not frozen inherit from one that is.
    params = (getattr(base, "__dataclass_params__", None) for base in cls.__mro__)
    inherits = any(one is not None and one.frozen for one in params)
    made: Any = dataclasses.dataclass(init=False, repr=False, eq=False, frozen=inherits, slots=slots)(cls)
    own, fields = vars(cls), dataclasses.fields(made)
    methods: dict[str, Any] = {"__init__": _init(made, fields), "__setattr__": _set, "__delattr__": _delete}
    if "__repr__" not in own:
        methods["__repr__"] = _repr
    if eq and "__eq__" not in own:
        methods["__eq__"] = _equal
        methods["_compared"] = property(_values(tuple(field.name for field in fields if field.compare)))
        if "__hash__" not in own:
            methods["__hash__"] = _hash
    if slots:
        methods |= {"__getstate__": _state, "__setstate__": _restore}
    for name, method in methods.items():
        setattr(made, name, method)
    made.__dataclass_params__.frozen, made.__dataclass_params__.eq = frozen, eq
    return made


def _init(cls: type, fields: tuple[dataclasses.Field[Any], ...]) -> Callable[..., None]:
    """`__init__`, which sets the fields in their order, and then calls `__post_init__` where there is one."""
    scope: dict[str, Any] = {"_put": object.__setattr__, "_absent": dataclasses.MISSING}
    given, named, lines = ["self"], ["*"], []
    for field in fields:
        name, value, default = field.name, field.name, ""
        if field.default is not dataclasses.MISSING:
            scope[f"_{name}"], default = field.default, f"=_{name}"
        elif field.default_factory is not dataclasses.MISSING:
            scope[f"_{name}"], default = field.default_factory, "=_absent"
            value = f"_{name}() if {name} is _absent else {name}"
        if field.init:
            (named if field.kw_only else given).append(name + default)
        elif default:
            value = f"_{name}" + ("()" if default == "=_absent" else "")
        else:
            continue
        lines.append(f" _put(self, {name!r}, {value})")
    if hasattr(cls, "__post_init__"):
        lines.append(" self.__post_init__()")
    text = f"def __init__({', '.join(given + (named if len(named) > 1 else []))}):\n" + ("\n".join(lines) or " pass")
    exec(text, scope)  # noqa: S102 - as dataclasses does it: no name in it is anybody's but our own
    made: Callable[..., None] = scope["__init__"]
    made.__module__, made.__qualname__ = cls.__module__, f"{cls.__qualname__}.__init__"
    return made


def _values(names: tuple[str, ...]) -> Callable[[Any], Any]:
    if len(names) > 1:
        return attrgetter(*names)
    return lambda self: tuple(getattr(self, name) for name in names)


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
