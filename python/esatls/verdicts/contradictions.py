"""Ids that two connections or messages had at once, which only the lines of several appliances under one name explain.

An appliance numbers its connections and its messages, and does not reach the same number again within a minute. So these contradict each other: two opening
lines of one connection id with different peers, or two starts of one message id on different connections,

* within a minute;
* within an hour, if nothing ends the first of them before the second begins;
* or repeatedly within a day: a counter reset makes ids come again, but counters are not reset so often.

Lines that come twice, in any order, or with the timestamps of two collectors have the same peer. Ids of different lives after a reset are days apart.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Callable, NamedTuple

from esatls.extraction.fact_types import CODE, DELIVERY, MESSAGES, PEER, RECEIVING, TIME, MessageStarted, position
from esatls.lines.clock import rfc3339
from esatls.verdicts.facts import ENDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from esatls.extraction.fact_types import Fact
    from esatls.lines.clock import Time
    from esatls.verdicts.appliance import Appliance

AT_ONCE = 60
"""Seconds within which a counter does not reach an id again."""
OPEN = 3600
"""Seconds within which it does not reach an id again that is still in use."""
DAY = 86400
RESETS = 2
"""The most resets of a counter within a day that are believed of one appliance."""
MOST = 10_000
"""The most ids of one appliance that are reported; more would say nothing new."""

_NAMES = {RECEIVING: "ICID", DELIVERY: "DCID", MESSAGES: "MID"}
_OPENS = {RECEIVING: "connection_opened", DELIVERY: "connection_opened", MESSAGES: "message_started"}
_ENDS = {RECEIVING: {"connection_closed"}, DELIVERY: {"connection_closed"}, MESSAGES: ENDS}
_ICID = position("icid", MessageStarted)


class Taken(NamedTuple):
    """An id that two connections or messages had."""

    end: Time
    """When the second took it."""
    begin: Time
    store: int
    key: str
    is_certain: bool
    """Whether no reset explains it."""


class Contradiction(NamedTuple):
    """The ids of one appliance that two connections or messages had at once."""

    host: str
    """"" for lines that name no appliance."""
    ids: int
    first: str
    """The earliest: `ICID 5`."""
    time: str
    """When the second of the two took it: RFC 3339, UTC."""

    def __str__(self) -> str:
        """Return a sentence for the user."""
        many = f"{self.ids:,} ids were each used by two connections or messages at once, first" if self.ids > 1 else "an id was used by two at once,"
        return (
            f"{self.host or 'lines without a host'}: {many} {self.first} at {self.time}; this looks like several appliances under one name, "
            "whose verdicts may be mixed up: give each its own host name"
        )


class Contradictions:
    """What is found in all appliances, part by part, in any order."""

    def __init__(self) -> None:
        self.taken: dict[str, set[Taken]] = {}
        self._told: set[str] = set()
        self._changed: set[str] = set()

    def look(self, appliance: Appliance, facts_of: Callable[[int, str], Iterable[Fact]] | None = None) -> None:
        """Take the contradictions of one appliance, once its records are made.

        `facts_of` returns all facts of an id, if the appliance has only some facts of the ids that are needed beside others.
        """
        for store, key in appliance.taken_again():
            self.look_at(appliance.host, store, key, facts_of(store, key) if facts_of else appliance.stores[store].get(key, ()))

    def look_at(self, host: str, store: int, key: str, facts: Iterable[Fact]) -> None:
        """Take the contradictions in the facts of one id."""
        self.add(host, _taken(store, key, facts))

    def add(self, host: str, found: Iterable[Taken]) -> None:
        """Add ids of an appliance, for example those that another process has found."""
        known = self.taken.setdefault(host, set())
        for one in found:
            if one not in known:
                known.add(one)
                self._changed.add(host)
                if len(known) > 2 * MOST:
                    known.intersection_update(_most_telling(known))

    def found(self) -> list[Contradiction]:
        """Return all contradictions, by host."""
        return [one for host in sorted(self.taken) if (one := _contradiction(host, self.taken[host])) is not None]

    def news(self) -> list[Contradiction]:
        """Return the contradictions of hosts for which none was reported before."""
        changed, self._changed = self._changed - self._told, set()
        found = [one for host in sorted(changed) if (one := _contradiction(host, self.taken[host])) is not None]
        self._told.update(one.host for one in found)
        return found


def _taken(store: int, key: str, facts: Iterable[Fact]) -> Iterator[Taken]:
    place = _ICID if store == MESSAGES else PEER
    opened = sorted({(fact[TIME], fact[place]) for fact in facts if fact[CODE] == _OPENS[store] and fact[TIME] is not None and fact[place] not in (None, "0")})
    ended = sorted(fact[TIME] for fact in facts if fact[CODE] in _ENDS[store] and fact[TIME] is not None)
    for (first, one), (second, other) in zip(opened, opened[1:]):
        if one != other and second - first <= DAY:
            end = bisect_left(ended, first)
            is_open = second - first <= OPEN and not (end < len(ended) and ended[end] <= second)
            yield Taken(second, first, store, key, is_open or second - first <= AT_ONCE)


def _most_telling(taken: Iterable[Taken]) -> list[Taken]:
    """Return those that are reported, in whatever order they were found: those that no reset explains before the others, the earliest first."""
    return sorted(taken, key=lambda one: (not one.is_certain, one))[:MOST]


def _contradiction(host: str, taken: Iterable[Taken]) -> Contradiction | None:
    """Return the contradiction of one appliance; None if resets explain it."""
    by_end = sorted(_most_telling(taken))
    found = by_end if _is_too_often(by_end) else [one for one in by_end if one.is_certain]
    if not found:
        return None
    first = found[0]
    return Contradiction(host, len({(one.store, one.key) for one in found}), f"{_NAMES[first.store]} {first.key}", rfc3339(first.end))


def _is_too_often(by_end: Iterable[Taken]) -> bool:
    """Tell whether the counters would have been reset too often: once between the two openings of each id, counting spans that do not overlap."""
    chosen: list[Taken] = []
    for one in by_end:
        if not chosen or one.begin >= chosen[-1].end:
            chosen.append(one)
    return any(last.end - first.begin <= DAY for first, last in zip(chosen, chosen[RESETS:]))
