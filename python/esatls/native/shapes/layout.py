"""The places of values: in facts of given codes, and in lives whose facts came in a given order."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

from esatls.extraction.fact_types import KEY, TIME, Fact
from esatls.native.ordinary import (
    ABSENT,
    DISTINCT,
    ENVELOPE,
    LINEAGE,
    LITERAL,
    MOST_FACTS,
    MOST_SHAPES,
    ONCE,
    OWNER,
    RECEIVED,
    RECEIVED_OVER,
    RULES,
    SORTED,
    TEXT,
    UNSHOWN,
    USED,
    WENT_OVER,
)

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from esatls.lines.clock import Time

Get = Callable[["Sequence[Any]"], tuple[Any, ...]]

ACCEPTED = frozenset({"message_accepted", "message_quarantined"})
SORTS = {code: rule.sort for code, rule in RULES.items() if rule.sort is not None}
ORDER = {code: rank for rank, code in enumerate(dict.fromkeys((*RECEIVED, *ENVELOPE, *RULES)))}


def getter(places: Sequence[int]) -> Get:
    """Return a function that takes the values at these places, as a tuple."""
    return lambda values: tuple([values[place] for place in places])


class Form:
    """The places of values in facts of these codes, in this order: for each fact its time, then its values."""

    def __init__(self, codes: tuple[str, ...]) -> None:
        self.codes = codes
        self.starts: list[int] = []
        found: dict[int, list[int]] = {}
        once: dict[tuple[str, int], list[int]] = {}
        sorts = []
        self.opened: int | None = None
        self.started: int | None = None
        self.made: list[int] = []
        """The places of the times of the lines with which a message begins."""
        self.origin: int | None = None
        """The place of the line that made the message from another one; its values follow."""
        self.relation = ""
        self.deliveries: list[tuple[str, int]] = []
        timed = []
        self.at_once: list[bool] = []
        """For each timed fact, whether it holds for mail of its own second."""
        at = 0
        for code in codes:
            rule = RULES[code]
            self.starts.append(at)
            for place, what in enumerate(rule.values, at + 1):
                found.setdefault(what, []).append(place)
                if what == ONCE:
                    once.setdefault((code, place - at), []).append(place)
                if code in SORTS and what in (SORTED, UNSHOWN):
                    sorts.append((place, SORTS[code]))
            if rule.is_timed:
                timed.append(at)
                self.at_once.append(rule.is_at_once)
            if code == "connection_opened":
                self.opened = at
            elif code == "message_started":
                self.started = at
                self.made.append(at)
            elif code in LINEAGE:
                self.origin, self.relation = at, code
                self.made.append(at)
            elif WENT_OVER in rule.values:
                self.deliveries.append((code, at))
            at += 1 + len(rule.values)
        self.length = at
        self.sorts = tuple(sorts)
        self.optional = getter(sorted(place for what in (TEXT, ONCE, SORTED, UNSHOWN) for place in found.get(what, ())))
        self.has_owners = OWNER in found
        self.literals = getter([*found.get(LITERAL, ()), *found.get(DISTINCT, ())])
        self.absent, self.owners, self.distinct = (getter(found.get(what, ())) for what in (ABSENT, OWNER, DISTINCT))
        self.once = [places for places in once.values() if len(places) > 1]
        """Groups of places, of which at most one may have a value."""
        self.over, self.timed = getter(found.get(RECEIVED_OVER, ())), getter(timed)

    def told(self, values: Sequence[Any]) -> Hashable:
        """Return what the values, each by itself, say about the shape."""
        sorts = tuple([None if values[place] is None else sort(values[place]) for place, sort in self.sorts])
        return self.codes, tuple([value and 1 for value in self.optional(values)]), self.literals(values), sorts

    def facts(self, key: str, times: Iterable[Time], values: Sequence[Any]) -> list[Fact]:
        """Return facts of this form."""
        return [(code, time, key, *values[at + 1 : at + 1 + len(RULES[code].values)]) for code, at, time in zip(self.codes, self.starts, times)]


class Layout(NamedTuple):
    """The places of values in lives whose facts came in the same order."""

    length: int
    pick: Get
    """Takes the values in the order of `ORDER`."""
    seen: Get
    """Takes the times at which the message or connection was seen."""
    used: list[tuple[int, int]]
    """The places of time and id of each `USED` connection."""
    whole: Form
    received: Form
    envelope: Form
    deliveries: Form
    ends: tuple[int, int, int]
    """The places where the received part ends, and where the envelope begins and ends."""
    is_accepted: bool


@lru_cache(maxsize=MOST_SHAPES)
def layout_of(codes: tuple[str, ...]) -> Layout | None:
    """Return the layout of facts with these codes, in the order in which they came; None: no ordinary life has these."""
    if len(codes) > MOST_FACTS or any(code not in RULES or codes.count(code) > (RULES[code].most or MOST_FACTS) for code in codes):
        return None
    if sum(code in LINEAGE for code in codes) > 1:
        return None
    starts, at = [], 0
    for code in codes:
        starts.append(at)
        at += 3 + len(RULES[code].values)
    order = sorted((number for number, code in enumerate(codes) if RULES[code].most), key=lambda number: (ORDER[codes[number]], number))
    kept = [codes[number] for number in order]
    places = [place for n in order for place in (starts[n] + TIME, *range(starts[n] + KEY + 1, starts[n] + 3 + len(RULES[codes[n]].values)))]
    told = list(zip(codes, starts))
    received, envelope, last = (Form(tuple(code for code in kept if code in some)) for some in (RECEIVED, ENVELOPE, LINEAGE))
    return Layout(
        at,
        getter(places),
        getter([start + TIME for code, start in told if RULES[code].is_seen]),
        [(start + TIME, start + KEY + 1) for code, start in told if RULES[code].values[0] == USED],
        Form(tuple(kept)),
        received,
        envelope,
        Form(tuple(code for code in kept if WENT_OVER in RULES[code].values)),
        (received.length, received.length - last.length, received.length - last.length + envelope.length),
        any(code in ACCEPTED or WENT_OVER in RULES[code].values for code in codes),
    )
