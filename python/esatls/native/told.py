"""What the core is told of facts and shapes: about the facts of each code when it is made, about values and shapes when it asks."""

from __future__ import annotations

import itertools
import re
import threading
from enum import IntFlag, auto
from typing import TYPE_CHECKING, Any, NamedTuple

from esatls.compiled import module
from esatls.extraction.fact_types import DELIVERY, FACT_TYPES, KEY, MESSAGES, RECEIVING
from esatls.extraction.match import LONGEST_NUMBER
from esatls.native import ordinary, shapes
from esatls.verdicts.facts import INTERNAL, TRIES
from esatls.verdicts.records import OF_THE_PEER, OF_TLS

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

_NAMES = (*OF_THE_PEER, *OF_TLS)
"""The properties of a connection that its facts may state."""
_NAMED = {ordinary.RECEIVED_OVER: RECEIVING, ordinary.WENT_OVER: DELIVERY, ordinary.USED: DELIVERY, ordinary.MADE_FROM: MESSAGES}
_AS_THEY_STAND = {ordinary.LITERAL, ordinary.DISTINCT, ordinary.SORTED, ordinary.UNSHOWN}
_BY_THEIR_LOOK = {ordinary.NUMBER, ordinary.PLAIN, ordinary.RECEIVED_OVER, ordinary.WENT_OVER, ordinary.MADE_FROM}

LOOK, LITERAL = 1, 2
"""What matters about a value: its look, or the value itself; 0: only whether it is there."""
NO_PART, ODD_PART = 0, (1 << 32) - 1
"""What a fact means to a part of a record: nothing, or that it is not ordinary. All other meanings are numbered."""
GIVEN_UP = 1
"""The mark of a message that was not received."""
BEGUN = 1
"""A bit in the shape of a delivery: a line says that it began."""
MOST_TOLD = len(_NAMES) + 1
KIND = 62
"""The bit of an id from which on its kind is stored."""


class Flag(IntFlag):
    """What the core must know about the facts of a code."""

    TIMED = auto()
    AT_ONCE = auto()
    SEEN = auto()
    STARTS = auto()
    BEGINS = auto()
    INHERITS = auto()
    ACCEPTS = auto()
    CLOSES = auto()
    SENDS = auto()
    PASSES = auto()
    """Mail passed over what it names, or the message that it names was accepted."""
    OWNS = auto()
    NAMES = auto()
    """The first value names an id of the first kind; the bits for the other kinds follow."""


class _Rule(NamedTuple):
    """What an ordinary life may have of the facts of one code (`judging.rs`)."""

    most: int
    flags: int
    matters: list[int]
    tells: list[int]


def rule_of(code: str) -> _Rule | None:
    """Return the rule for a code; None: no fact of it is ordinary."""
    rule = ordinary.RULES.get(code)
    if rule is None:
        return None
    told = {
        Flag.TIMED: rule.is_timed,
        Flag.AT_ONCE: rule.is_at_once,
        Flag.SEEN: rule.is_seen,
        Flag.STARTS: code in ("message_started", "connection_opened"),
        Flag.BEGINS: code in ("message_started", "connection_opened", *ordinary.LINEAGE),
        Flag.INHERITS: code in ordinary.LINEAGE and code not in INTERNAL,
        Flag.ACCEPTS: code in shapes.ACCEPTED or ordinary.WENT_OVER in rule.values,
        Flag.CLOSES: code == "connection_closed",
        Flag.SENDS: code == "message_sender",
        Flag.PASSES: code not in TRIES and code not in INTERNAL,
        Flag.OWNS: ordinary.OWNER in rule.values,
    }
    named = _NAMED.get(rule.values[0])
    names = FACT_TYPES[code]._fields[KEY + 1 :]
    return _Rule(
        rule.most,
        sum(flag for flag, is_so in told.items() if is_so) + (0 if named is None else Flag.NAMES << named),
        [max(map(_matters, some)) for some in itertools.zip_longest(rule.values, rule.shown, fillvalue=ordinary.NOTHING)],
        [_NAMES.index(name) + 1 if name in _NAMES else 0 for name in names] if rule.shown and {*names} & {*_NAMES} else [],
    )


def _matters(kind: int) -> int:
    return LITERAL if kind in _AS_THEY_STAND else LOOK if kind in _BY_THEIR_LOOK else 0


class Part(NamedTuple):
    """What the core is told of a shape (`judging.rs`)."""

    forms: list[list[Any]]
    people: list[tuple[int, int]]
    lists: list[tuple[int, int]]
    mark: int


class Learned:
    """What the core has been told of values and shapes, for all appliances. Only one thread at a time asks (`asking`)."""

    def __init__(self, dump: shapes.Dump, jobs: int, families: Sequence[Any] = ()) -> None:
        self.shapes = shapes.Shapes(dump, brief=bool(families))
        self.asking = threading.Lock()
        self.families = families
        """How records are counted; empty: they are written."""
        self.by_core = [module().Learned(families) for _ in range(max(1, jobs))]
        """What each thread of the core has learned and counted."""
        self.parts: dict[Any, Part | None] = {}
        self.tries: dict[Any, list[tuple[int, int, list[int]]] | None] = {}
        self.marks = {"none": GIVEN_UP}
        """A bit for each mail flow, and for each verdict of a delivery."""
        self._numbers: dict[Any, int] = {}
        self._number = itertools.count(1)

    def number(self, told: Any) -> int:
        """Return the number of something."""
        return self._numbers.setdefault(told, next(self._number))

    def mark(self, word: str | None) -> int:
        """Return the bit of a word."""
        return 0 if word is None else self.marks.setdefault(word, 1 << len(self.marks))

    def classes(self, code: str, values: list[str | None]) -> tuple[int, int, int] | None:
        """Return what a fact means to the parts of records (`Classes` in judging.rs); None: it is not ordinary."""
        rule = ordinary.RULES[code]
        if not rule.most:
            return NO_PART, NO_PART, NO_PART
        if rule.shown:
            names = FACT_TYPES[code]._fields[KEY + 1 :]
            shown = [shapes.shown_in_brief(name, kind) if self.shapes.brief else kind for name, kind in zip(names, rule.shown)]
            return self._class(code, rule.values, values), self._class(code, shown, values), NO_PART
        # how a message was made from another one matters only to its envelope
        received = [ordinary.NOTHING if kind == ordinary.UNSHOWN and code in ordinary.ENVELOPE else kind for kind in rule.values]
        found = (
            self._class(code, received, values) if code in ordinary.RECEIVED else NO_PART,
            self._class(code, rule.values, values) if code in ordinary.ENVELOPE else NO_PART,
            self._class(code, rule.values, values) if ordinary.WENT_OVER in rule.values else NO_PART,
        )
        return None if ODD_PART in found else found

    def _class(self, code: str, kinds: Sequence[int], values: Sequence[str | None]) -> int:
        told = [_told(code, kind, value) for kind, value in zip(kinds, values)]
        return ODD_PART if ODD_PART in told else self.number((code, *told))

    def part(self, kind: int, found: shapes.Fragment) -> Part:
        """Return a part of a record as the core needs it."""
        # the first value of a connection is its domain, which is one of its own values
        own = shapes.OWN + 1 if kind < shapes.TRY_PART else 0 if kind < shapes.LINK_PART else shapes.OWN
        places = {place for text in (*found.texts, *found.keys) for place in text.places} | {*found.people.values()}
        lists = sorted({place % shapes.LISTED for place in places if shapes.LISTED <= place < shapes.FIRST_OWN})
        starts = {place: own + found.size + number * shapes.MOST_LISTED for number, place in enumerate(lists)}

        def move(place: int) -> int:
            if place >= shapes.FIRST_OWN:
                return place - shapes.FIRST_OWN
            return own + place if place < shapes.LISTED else starts[place % shapes.LISTED] + place // shapes.LISTED - 1

        def told(text: shapes.Text) -> Any:
            return _pieces(text._replace(places=tuple(map(move, text.places))))

        return Part(
            [[*map(told, found.texts)], *([told(text)] for text in found.keys)],
            [(who, move(place)) for who, place in found.people.items()],
            [(own + place, start) for place, start in starts.items()],
            self.mark(found.done),
        )


def _told(code: str, kind: int, value: str | None) -> Hashable:
    """Return what matters of a value to a shape (`ordinary`). It must depend only on what `_matters` says."""
    is_there = 0 if value is None else 1 if value else 2
    if kind in (ordinary.NOTHING, ordinary.USED, ordinary.OWNER):
        return 0
    if kind == ordinary.ABSENT or not value:
        return ODD_PART if kind == ordinary.ABSENT and value is not None else is_there
    if kind in (ordinary.SORTED, ordinary.UNSHOWN):
        return (shapes.SORTS[code](value),)
    if kind == ordinary.LITERAL:
        return value
    if kind == ordinary.DISTINCT:
        return value if is_canonical(value) else ODD_PART
    if kind == ordinary.NUMBER:
        return is_there if is_canonical(value) else ODD_PART
    if kind == ordinary.PLAIN:
        return is_there if value.isascii() and value == value.lower() and not value.endswith(".") else ODD_PART
    if kind in _NAMED:
        return (value == "0",) if is_canonical(value) else ODD_PART
    return is_there


def is_canonical(key: str) -> bool:
    """Tell whether a number has its plain form: no sign, no leading zeros."""
    return key.isascii() and key.isdigit() and (key[0] != "0" or key == "0") and len(key) <= LONGEST_NUMBER


def _pieces(text: shapes.Text) -> tuple[list[tuple[bytes, int]], bytes]:
    """Return a template as the core has it: pieces, each followed by the value at a place, and the rest."""
    found = [""]
    for piece in re.split("(%%|%s)", text.text):
        if piece == "%s":
            found.append("")
        else:
            found[-1] += "%" if piece == "%%" else piece
    return [(piece.encode(), place) for piece, place in zip(found, text.places)], found[-1].encode()
