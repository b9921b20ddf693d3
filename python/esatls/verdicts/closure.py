"""Closure: which facts must be together to judge a message or a connection.

A message is judged by its own facts, those of the messages it was made from, and those of the connections that these name. A connection is judged by its
own facts, and those of all messages that name it. Nothing else decides which facts must meet, whether several processes read one log, a log is followed, or
hours are summed up one by one (`windows`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

from esatls.extraction.fact_types import CODE, KEY, MAKES, MESSAGES, PARENT, RECEIVING, TIME, Fact, named
from esatls.verdicts import lives
from esatls.verdicts.facts import OPENS, Ref, Store, bears_witness, order, passes, refs

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from esatls.lines.clock import Time
    from esatls.verdicts.appliance import Appliance
    from esatls.verdicts.connection import Connection
    from esatls.verdicts.message import Message

Stores = tuple[Store, Store, Store]
Own = dict[tuple[str, int, str], set["Time | None"]]
"""By appliance, store and id: the times of the facts that belong to the lives to be judged. All other facts are only needed beside these."""


class Known(Protocol):
    """What is known about one appliance, by id."""

    def facts(self, store: int, key: str) -> Collection[Fact]:
        """Return the facts of an id."""

    def names(self, mid: str) -> Iterable[Ref]:
        """Return the ids that a message names, as far as they are needed to judge it or messages made from it; by default, all."""
        return {ref for fact in self.facts(MESSAGES, mid) for ref in refs(fact)}

    def users(self, side: int, key: str) -> Iterable[str]:
        """Return the messages that name a connection."""

    def beside(self, side: int, key: str) -> dict[str, Collection[Fact]]:
        """Return facts of the messages that matter to the others on a connection (`decisive`); by default, of all that name it."""
        return {mid: self.facts(MESSAGES, mid) for mid in self.users(side, key)}

    def children(self, mid: str) -> Iterable[str]:
        """Return the messages that were made from one."""


class Judged(Known):
    """What is known about one appliance from a set of facts that is complete for now."""

    def __init__(self, appliance: Appliance) -> None:
        self.appliance = appliance
        self.made: dict[str, list[str]] = {}
        """By MID: the messages made from it."""
        self.stated: tuple[Store, Store] = ({}, {})
        """By ICID and by DCID: the consolidated events that name it. Mail of their messages need not have passed over it: it may decide on a failed attempt."""
        for mid, known in appliance.stores[MESSAGES].items():
            for fact in known:
                if fact[CODE] in MAKES and fact[PARENT] is not None:
                    self.made.setdefault(fact[PARENT], []).append(mid)
                elif fact[CODE] == "cef":
                    for side, key in refs(fact):
                        self.stated[side].setdefault(key, []).append(fact)

    def facts(self, store: int, key: str) -> Collection[Fact]:
        """Return the facts of an id."""
        return self.appliance.stores[store].get(key, ())

    def users(self, side: int, key: str) -> Iterable[str]:
        """Return the messages that name a connection."""
        return {use[KEY] for use in self.naming(side, key)}

    def naming(self, side: int, key: str) -> Sequence[Fact]:
        """Return the facts of messages that name a connection."""
        uses, stated = self.appliance.uses[side].get(key, ()), self.stated[side].get(key, ())
        return [*uses, *stated] if stated else uses

    def ids(self, side: int) -> set[str]:
        """Return the ids of all connections of one side that lines are about, or that messages name."""
        return {*self.appliance.stores[side], *self.appliance.uses[side], *self.stated[side]} - {"0"}

    def beside(self, side: int, key: str) -> dict[str, Collection[Fact]]:
        """Return the facts of the messages that matter to the others on a connection."""
        uses = self.appliance.uses[side].get(key, ())
        return {use[KEY]: self.facts(MESSAGES, use[KEY]) for use in decisive(uses, self.appliance.connections_of(side, key)[0])}

    def children(self, mid: str) -> Iterable[str]:
        """Return the messages that were made from one."""
        return self.made.get(mid, ())


def together(known: Known, mids: Iterable[str], connections: Iterable[Ref] = (), parents: Iterable[str] = ()) -> Stores:
    """Return the facts that must be together to judge some messages, some connections, and what may still be made from some `parents`."""
    stores: Stores = ({}, {}, {})
    messages = stores[MESSAGES]
    named = dict.fromkeys(connections, True)
    asked = {*mids, *(mid for ref in named for mid in known.users(*ref))}
    todo = [*asked, *parents]
    while todo:
        mid = todo.pop()
        facts = known.facts(MESSAGES, mid)
        if mid in messages or not facts:
            continue
        messages[mid] = list(facts)
        for ref in known.names(mid):
            if ref[0] == MESSAGES:
                todo.append(ref[1])
            elif ref[0] == RECEIVING or mid in asked:
                # of a message that another was made from, it only matters how it was received
                named.setdefault(ref, False)
    beside: dict[str, list[Fact]] = {}
    for (side, key), is_judged in named.items():
        facts = known.facts(side, key)
        if facts:
            stores[side][key] = list(facts)
        if not is_judged:
            for mid, facts in known.beside(side, key).items():
                if mid not in messages:
                    beside.setdefault(mid, []).extend(facts)
                elif mid not in asked:
                    # of a message that another was made from, not all may be kept
                    messages[mid] += [fact for fact in facts if fact not in messages[mid]]
    messages.update(beside)
    _add_beginnings(known, messages, beside)
    for mid in [*messages]:
        for child in known.children(mid):
            if child not in messages or child in beside:
                # a message from which another one was made was accepted
                there = messages.setdefault(child, [])
                there += [fact for fact in known.facts(MESSAGES, child) if fact[CODE] in MAKES and fact not in there]
    return stores


def _add_beginnings(known: Known, messages: Store, made: Iterable[str]) -> None:
    """Add the beginnings of the messages that some were made from: without these, they may be taken for children of an earlier message with the same MID."""
    todo = [*made]
    while todo:
        for parent in {fact[PARENT] for fact in messages[todo.pop()] if fact[CODE] in MAKES}:
            begun = [] if parent is None or parent in messages else [fact for fact in known.facts(MESSAGES, parent) if fact[CODE] in OPENS]
            if begun:
                messages[parent] = begun
                todo.append(parent)


def decisive(uses: Iterable[Fact], begins: Sequence[Time]) -> list[Fact]:
    """Return the uses of a connection id that matter to the other messages on it. `begins` is when its lives begin.

    These are the first use of each life with which mail passed, and enough others that no gap between them looks like the end of a life.
    """
    uses = sorted(uses, key=order)
    kept: list[Fact] = []
    passed: set[int] = set()
    time: Time | None = None
    for number, use in enumerate(uses):
        bridges = number in (0, len(uses) - 1) or (time is None and use[TIME] is not None) or _are_apart(time, uses[number + 1])
        life = lives.life_at(begins, use[TIME])
        decides = passes(use) and life not in passed
        if decides:
            passed.add(life)
        if bridges or decides:
            kept.append(use)
            time = use[TIME]
    return kept


def _are_apart(time: Time | None, fact: Fact | None) -> bool:
    """Tell whether a fact comes so long after a time that one between them may be needed to keep them in one life."""
    return fact is not None and time is not None and fact[TIME] is not None and fact[TIME] - time > _STRETCH


_STRETCH = lives.CONNECTION_SILENCE / 2
"""Seconds between the facts that are kept of a connection, few enough that it stays one."""
_RECENT = 300
"""Seconds by which lines may be late: for so long, an earlier life of a connection may still be asked for."""


def essential(facts: Iterable[Fact], uses: Iterable[Fact], used: Iterable[Time | None]) -> tuple[list[Fact], list[Fact]]:
    """Return the facts and uses of one connection id on which a verdict on a message can rest.

    These are from the recent lives, and from those that are used at one of the times in `used`: all uses, and a limited number of facts, namely the first
    and the last of each sort, and so many between them that it stays one life.
    """
    facts, uses = sorted(facts, key=order), sorted(uses, key=order)
    begins = lives.starts_of_connection(facts, uses)
    times = [fact[TIME] for fact in (*facts, *uses) if fact[TIME] is not None]
    recent = lives.life_at(begins, max(times, default=0) - _RECENT)
    wanted = lives.in_question(begins, used) | {*range(recent, len(begins) + 1)}
    kept = [fact for life, own in lives.split(facts, begins).items() if life in wanted for fact in _ends_of_sorts(own)]
    return kept, [use for use in uses if lives.life_at(begins, use[TIME]) in wanted]


def _ends_of_sorts(facts: list[Fact]) -> list[Fact]:
    """Return, of facts in order, the first and the last of each sort, and some between them."""
    sorts: set[tuple[object, ...]] = set()
    keys = []
    for fact in facts:
        values = named(fact)
        said = getattr(values, "tls_reason", None) or getattr(values, "hat_action", None) or getattr(values, "tls_result", None) or ""
        key = (fact[CODE], fact[-1] if bears_witness(fact) else "", _NUMBERS.sub("", said) if len(sorts) < _MOST_SORTS else "")
        sorts.add(key)
        keys.append(key)
    last = {key: number for number, key in enumerate(keys)}
    kept: list[Fact] = []
    time: Time | None = None
    for number, (fact, key) in enumerate(zip(facts, keys)):
        bridges = _are_apart(time, facts[number + 1] if number + 1 < len(facts) else None)
        if key in sorts or last[key] == number or bridges or fact[CODE] in lives.OPENED:
            sorts.discard(key)
            kept.append(fact)
            time = fact[TIME]
    return kept


_NUMBERS = re.compile(r"[0-9A-Fa-f]{3,}")
_MOST_SORTS = 50


def with_descendants(known: Known, mids: Iterable[str]) -> set[str]:
    """Return some messages and all that were made from them."""
    return _reached(mids, known.children)


def with_ancestors(known: Known, mids: Iterable[str]) -> set[str]:
    """Return some messages and all that they were made from."""
    return _reached(mids, lambda mid: [key for fact in known.facts(MESSAGES, mid) for store, key in refs(fact) if store == MESSAGES])


def _reached(mids: Iterable[str], following: Callable[[str], Iterable[str]]) -> set[str]:
    found, todo = set[str](), [*mids]
    while todo:
        mid = todo.pop()
        if mid not in found:
            found.add(mid)
            todo += following(mid)
    return found


def own_messages(appliance: Appliance, own: Own, mids: Iterable[str]) -> Iterator[tuple[str, Message]]:
    """Yield the lives of messages that have `own` facts, by MID and life."""
    for mid in sorted(mids, key=int):
        times = own.get((appliance.host, MESSAGES, mid))
        if times:
            begins, found = appliance.messages_of(mid)
            for life in sorted(lives.in_question(begins, times) & found.keys()):
                if not found[life].is_bare:
                    yield mid, found[life]


def own_connections(appliance: Appliance, own: Own, connections: Iterable[Ref]) -> Iterator[tuple[Ref, Connection]]:
    """Yield the lives of connections that have `own` facts, by side, id and life."""
    for side, key in sorted(connections, key=lambda ref: (ref[0], int(ref[1]))):
        times = own.get((appliance.host, side, key))
        if times and appliance.shows(side, key):
            begins, found = appliance.connections_of(side, key)
            for life in sorted(lives.in_question(begins, times) & found.keys()):
                yield (side, key), found[life]
