"""The balancer's whole state as plain values, and back: where a recording begins to be replayed.

A state is walked once and becomes nested tuples of plain values; frozen structs (settings, facts,
amounts) stay as they are, since nobody changes them. Written to a file they go into a table, each
with the name of its class.

A file may come from a stranger. It is therefore no pickle: it can name only classes that are
defined in this room's pure files and in five of `model`, gives them only attributes that hide no
method, and calls nothing of theirs: objects are made without `__init__`, structs by msgspec,
checked against their declared types. What it can hold at worst is a wrong number.
"""

from __future__ import annotations

import enum
import importlib
import inspect
import pkgutil
from collections import deque
from collections.abc import Callable
from functools import cache, lru_cache
from itertools import chain
from operator import attrgetter
from typing import Any

import msgspec

from linkray import balance
from linkray.model import facts, faults, plan, settings, units

from .balancer import Balancer

NO_RULES = {"checkpoint", "news", "recording", "task"}  # files without state of the balancer
NOT_STATE = {"Balancer": {"_take"}}  # a table of methods: a new balancer has the same
# How the last plan was explained: made again with the next, from what is kept here.
REMEMBERED: dict[str, dict[str, object]] = {
    "Connector": {"key_parts": None, "ceilings": (), "offer": None,
                  "reason": plan.Reason("no_car")},
}  # fmt: skip
PLAIN = frozenset({int, float, bool, str, type(None)})
SETS: dict[type, str] = {set: "s", frozenset: "z"}

Tree = Any  # a plain value, a frozen struct, or a tuple (a list, when read) that begins with a tag


class BadState(ValueError):
    """A state that cannot be written or read: what was expected, and what came."""


@cache
def known() -> dict[str, type]:
    """Every class that a state may hold, by name."""
    found: dict[str, type] = {}
    names = sorted(m.name for m in pkgutil.iter_modules(balance.__path__))
    ours = [importlib.import_module(f"{balance.__name__}.{n}") for n in names if n not in NO_RULES]
    for module in (*ours, facts, faults, plan, settings, units):
        for name, cls in vars(module).items():
            if inspect.isclass(cls) and cls.__module__ == module.__name__:
                if name in found:
                    raise BadState(f"Expected one class of the name {name}, got two")
                found[name] = cls
    return found


def _slots(cls: type) -> tuple[str, ...]:
    """The attributes that instances of `cls` have; empty where they keep a dictionary."""
    return tuple(chain.from_iterable(vars(c).get("__slots__", ()) for c in cls.__mro__))


_ATOMS: dict[type, bool] = {}


def is_atom(cls: type) -> bool:
    """Whether it is a struct that nobody changes."""
    found = _ATOMS.get(cls)
    if found is None:
        found = issubclass(cls, msgspec.Struct) and cls.__struct_config__.frozen
        _ATOMS[cls] = found
    return found


class _Walk:
    """One walk over a state: what is shared stays shared."""

    def __init__(self) -> None:
        self._places: dict[int, int] = {}
        self._held: list[object] = []  # so that no id is given twice while the walk lasts
        self._shapes: dict[tuple[str, tuple[str, ...]], int] = {}
        self._getters: dict[type, tuple[int, Callable[[Any], tuple[object, ...]]]] = {}

    def shapes(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        return tuple(self._shapes)

    def _shape(self, name: str, fields: tuple[str, ...]) -> int:
        return self._shapes.setdefault((name, fields), len(self._shapes))

    def value(self, value: Any) -> Tree:
        cls = type(value)
        if cls in PLAIN or is_atom(cls):
            return value
        if cls is tuple:
            return ("t", *[v if type(v) in PLAIN else self.value(v) for v in value])
        if cls in SETS:
            return (SETS[cls], *sorted((self.value(v) for v in value), key=repr))
        if issubclass(cls, enum.Enum):
            return ("e", cls.__name__, value.name)
        place = self._places.get(id(value))
        if place is not None:
            return ("r", place)
        self._places[id(value)] = len(self._places)
        self._held.append(value)
        if cls is list:
            return ("l", *[v if type(v) in PLAIN else self.value(v) for v in value])
        if cls is deque:
            return ("q", value.maxlen, *map(self.value, value))
        if cls is dict:
            return ("d", *map(self.value, chain.from_iterable(value.items())))
        return self._object(value, cls)

    def _object(self, value: Any, cls: type) -> Tree:
        shape, held = self._attributes(value, cls)
        return ("o", shape, *[v if type(v) in PLAIN else self.value(v) for v in held])

    def _attributes(self, value: Any, cls: type) -> tuple[int, Any]:
        if cls in self._getters:
            shape, get = self._getters[cls]
            return shape, get(value)[1:]
        name = cls.__name__
        if known().get(name) is not cls or issubclass(cls, msgspec.Struct):
            raise BadState(f"Expected state of the balancer's classes, got {cls}")
        left_out = NOT_STATE.get(name, set()) | REMEMBERED.get(name, {}).keys()
        slots = _slots(cls)
        if not slots:
            fields = tuple(field for field in vars(value) if field not in left_out)
            return self._shape(name, fields), [vars(value)[field] for field in fields]
        fields = tuple(field for field in slots if field not in left_out)
        # with the first twice, so that also a single one comes in a tuple
        get = attrgetter(fields[0], *fields)
        shape = self._shape(name, fields)
        self._getters[cls] = shape, get
        return shape, get(value)[1:]


class State(msgspec.Struct, frozen=True):
    """A balancer at one moment: the shapes of its objects, and the tree of their values."""

    shapes: tuple[tuple[str, tuple[str, ...]], ...]
    tree: Tree


def taken(core: Balancer) -> State:
    """The state of a balancer; later steps do not change it. Raises `BadState`."""
    walk = _Walk()
    tree = walk.value(core)
    return State(walk.shapes(), tree)


@lru_cache(maxsize=256)
def _checked(name: str, fields: tuple[str, ...]) -> type:
    """The class of this name, where all these are attributes that its objects may be given."""
    cls = known().get(name)
    if cls is None or issubclass(cls, enum.Enum | msgspec.Struct):
        raise BadState(f"Expected a class of the balancer, got {name!r}")
    slots = _slots(cls)
    for field in fields:
        hides = hasattr(cls, field) and field not in slots
        if hides or (slots and field not in slots) or field.startswith("__"):
            raise BadState(f"{name}: expected what this version keeps, got {field!r}")
    return cls


class _Made:
    """One state made into objects again."""

    def __init__(self, state: State) -> None:
        self._places: list[object] = []
        self._shapes: list[tuple[type, tuple[str, ...]]] = []
        for name, fields in state.shapes:
            self._shapes.append((_checked(name, tuple(fields)), tuple(fields)))

    def value(self, node: Tree) -> Any:
        if not isinstance(node, tuple | list):
            return node
        tag, rest = node[0], node[1:]
        if tag == "t":
            return tuple(map(self.value, rest))
        if tag in {"s", "z"}:
            found = map(self.value, rest)
            return set(found) if tag == "s" else frozenset(found)
        if tag == "e":
            cls = known()[rest[0]]
            if not issubclass(cls, enum.Enum):
                raise BadState(f"Expected a set of names, got {rest[0]!r}")
            return cls[rest[1]]
        if tag == "r":
            return self._places[rest[0]]
        return self._shared(tag, rest)

    def _shared(self, tag: str, rest: Any) -> object:
        if tag == "o":
            return self._object(rest[0], rest[1:])
        if tag == "l":
            made: list[object] = []
            self._places.append(made)
            made.extend(map(self.value, rest))
            return made
        if tag == "q":
            line: deque[object] = deque(maxlen=rest[0])
            self._places.append(line)
            line.extend(map(self.value, rest[1:]))
            return line
        if tag == "d":
            table: dict[object, object] = {}
            self._places.append(table)
            values = map(self.value, rest)
            table.update(zip(values, values, strict=True))
            return table
        raise BadState(f"Expected a tag of a state, got {tag!r}")

    def _object(self, shape: int, values: Any) -> object:
        cls, fields = self._shapes[shape]
        made = _blank(cls)
        self._places.append(made)
        for field, value in zip(fields, values, strict=True):
            setattr(made, field, value if type(value) in PLAIN else self.value(value))
        for field, value in REMEMBERED.get(cls.__name__, {}).items():
            setattr(made, field, value)
        return made


def _blank(cls: type) -> object:
    """An object before its attributes; the balancer's own table of methods is a new one's."""
    if cls is Balancer:
        return Balancer(settings.Settings())
    return object.__new__(cls)


def balancer_of(state: State) -> Balancer:
    """A balancer that stands where the one stood whose state was taken. Raises `BadState`."""
    try:
        core = _Made(state).value(state.tree)
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise BadState(f"Expected the state of a balancer of this version: {error}") from None
    if not isinstance(core, Balancer):
        raise BadState(f"Expected a balancer, got {type(core).__name__}")
    return core


# -- in a file -------------------------------------------------------------------------------------


class Written(msgspec.Struct, frozen=True):
    """A state in a file: atoms in a table, each with its class; the tree refers to them."""

    shapes: tuple[tuple[str, tuple[str, ...]], ...]
    atoms: tuple[tuple[str, msgspec.Raw], ...]
    tree: Any


Change = Callable[[msgspec.Struct], msgspec.Struct]


class _Table:
    """The atoms of one state, each once."""

    def __init__(self, change: Change) -> None:
        self._change = change
        self._places: dict[int, int] = {}
        self._held: list[msgspec.Struct] = []
        self.rows: list[tuple[str, msgspec.Raw]] = []

    def plain(self, node: Tree) -> Any:
        if isinstance(node, tuple):
            return [n if type(n) in PLAIN else self.plain(n) for n in node]
        if not isinstance(node, msgspec.Struct):
            return node
        place = self._places.get(id(node))
        if place is None:
            place = self._places[id(node)] = len(self.rows)
            self._held.append(node)
            row = msgspec.Raw(msgspec.msgpack.encode(self._change(node)))
            self.rows.append((type(node).__name__, row))
        return ["a", place]


def written(state: State, change: Change = lambda atom: atom) -> Written:
    """A state as a file holds it; `change` may replace an atom by one of the same class."""
    table = _Table(change)
    tree = table.plain(state.tree)
    return Written(state.shapes, tuple(table.rows), tree)


def read(kept: Written) -> State:
    """The other way; raises `BadState`."""
    atoms: list[msgspec.Struct] = []
    for name, raw in kept.atoms:
        cls = known().get(name)
        if cls is None or not is_atom(cls):
            raise BadState(f"Expected a struct of the balancer, got {name!r}")
        try:
            atoms.append(msgspec.msgpack.decode(raw, type=cls))
        except (msgspec.DecodeError, msgspec.ValidationError, RecursionError) as error:
            raise BadState(f"{name}: {error}") from None

    def tree(node: Any) -> Tree:
        if not isinstance(node, list):
            return node
        if not node:
            raise BadState("Expected a value with its tag, got nothing")
        if node[0] == "a":
            return atoms[node[1]]
        return tuple([n if type(n) in PLAIN else tree(n) for n in node])

    try:
        return State(kept.shapes, tree(kept.tree))
    except (LookupError, TypeError, RecursionError) as error:
        raise BadState(f"Expected the state of a balancer: {error}") from None
