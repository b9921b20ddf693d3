"""The record of a connection of one shape, and what messages contribute to that shape."""

from __future__ import annotations

from itertools import combinations
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from esatls.extraction.fact_types import CODE, FACT_TYPES, KEY, MESSAGES, RECEIVING, TIME
from esatls.extraction.kinds import MAIL_FLOW
from esatls.lines.clock import rfc3339
from esatls.native.ordinary import LITERAL, NOTHING, NUMBER, PLAIN, RULES, TEXT, UNSHOWN
from esatls.native.shapes.example import BEGIN, CHILD, Example, number_mark, text_mark
from esatls.native.shapes.layout import ORDER
from esatls.native.shapes.templates import FIRST, HOST, LAST, MID
from esatls.report import shared_fields
from esatls.verdicts.appliance import Appliance
from esatls.verdicts.records import OF_THE_PARTNER, OF_THE_PEER, OF_TLS, brief_record, connection_record

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from esatls.extraction.fact_types import Fact
    from esatls.lines.clock import Time
    from esatls.native.shapes.parts import Parts
    from esatls.native.shapes.templates import Fragment

_TABLES = {flow: table for table, flow in MAIL_FLOW.items() if table in ("inbound", "outbound")}
_SHOWN = frozenset((*OF_THE_PEER, *OF_TLS))
_UNSHOWN_IN_BRIEF = _SHOWN - {*OF_THE_PARTNER}
_TIMED = 2
"""The rank of timed facts (`_differ_plainly`)."""
_OF_CONNECTION = 2
"""The values of a connection in front of those of its facts: the partner's domain, and the number of messages that passed."""
_PARTNER, _MESSAGES = range(_OF_CONNECTION)


class Used(NamedTuple):
    """What messages say about a connection."""

    mid: str
    """One of these messages."""
    times: Sequence[Time]
    """When mail passed: one time for each different order of mail and the connection's lines."""
    flow: str
    """The mail flow that they all have, or an empty text."""
    has_domain: bool
    """Whether they all have the same partner domain."""
    is_used: bool
    """Whether any of them was not given up."""


class _Link(Example):
    """An example of a connection."""

    def connection(self, side: int, facts: Collection[Fact], used: Used) -> Fragment | None:
        """Return the record of a connection."""
        own, user = number_mark(MID), number_mark(CHILD + 1)
        self.ids[MESSAGES, used.mid] = user
        self.count = _OF_CONNECTION
        kept = sorted((fact for fact in facts if RULES[fact[CODE]].most), key=lambda fact: ORDER[fact[CODE]])
        if not _differ_plainly(kept):
            return None
        stamps = sorted({*used.times, *(fact[TIME] for fact in kept if RULES[fact[CODE]].is_timed)})
        made = self.stores[side][own] = []
        marks: dict[tuple[str, str], str | None] = {}
        for fact in kept:
            rule = RULES[fact[CODE]]
            time = BEGIN + stamps.index(fact[TIME]) if rule.is_timed else BEGIN - (40 if fact[CODE] == "connection_opened" else 39)
            values = []
            for place, (name, what, value) in enumerate(zip(FACT_TYPES[fact[CODE]]._fields[KEY + 1 :], rule.shown, fact[KEY + 1 :]), self.count + 1):
                mark = number_mark(place) if what == NUMBER and value else self.mark(fact[CODE], TEXT if what == PLAIN else what, value, place)
                values.append(marks.setdefault((name, value), mark) if value and name in _SHOWN else mark)
            self.count += 1 + len(values)
            made.append((fact[CODE], time, own, *values))
        if any(fact[CODE] == "connection_closed" for fact in facts):
            made.append(("connection_closed", BEGIN + 5000, own, None))
        times = [BEGIN + stamps.index(time) for time in used.times]
        for number, some in enumerate([[time] for time in times] if side == RECEIVING else [times] if used.is_used else []):
            mid = number_mark(CHILD + 1 + number)
            self.stores[MESSAGES][mid] = _user(side, own, mid, some, used)
        appliance = Appliance(text_mark(HOST) if self.known.host else "", self.stores)
        found = [*appliance.connections_of(side, own)[1].values()]
        if not self.is_good or len(found) != 1:
            return None
        record_of = brief_record if self.known.shapes.brief else connection_record
        record: dict[str, Any] = {**record_of(appliance, own, found[0])}
        for name, time, place in (("opened", BEGIN - 40, FIRST), ("closed", BEGIN + 5000, LAST)):
            if record.get(name) == rfc3339(time):
                record[name] = text_mark(place)
        if record.get("messages"):
            record["messages"] = int(number_mark(_MESSAGES))
        return self.fragment(record, keys=shared_fields.of_connection(record) if self.known.shapes.brief else ())


def link(known: Parts, side: int, facts: Collection[Fact], used: Used) -> Fragment | None:
    """Return the record of a connection of one side, from its facts and what messages say about it; None if it is not ordinary."""
    return _Link(known).connection(side, facts, used)


def _differ_plainly(facts: Iterable[Fact]) -> bool:
    """Tell whether facts with different values of one field came in the order that an example gives them: the opening, untimed facts, timed facts.

    Two untimed facts must not differ.
    """
    told: dict[str, list[tuple[str, int, tuple[Any, str]]]] = {}
    for fact in facts:
        code = fact[CODE]
        rank = 0 if code == "connection_opened" else 1 + RULES[code].is_timed
        for name, value in zip(FACT_TYPES[code]._fields[KEY + 1 :], fact[KEY + 1 :]):
            if name in _SHOWN and value is not None and RULES[code].shown:
                told.setdefault(name, []).append((value, rank, (fact[TIME], code)))
    for some in told.values():
        for one, other in combinations(some, 2):
            (_, early, first), (_, late, second) = sorted((one, other), key=itemgetter(1))
            if one[0] != other[0] and early < _TIMED and (early == late or first >= second):
                return False
    return True


def shown_in_brief(name: str, what: int) -> int:
    """Return what a value means to the brief record of a connection."""
    return what if name not in _UNSHOWN_IN_BRIEF else UNSHOWN if what == LITERAL else NOTHING


def _user(side: int, key: str, mid: str, times: Sequence[Time], used: Used) -> list[Fact]:
    """Return the facts of a message that says the same about a connection."""
    partner = f"x@{text_mark(_PARTNER)}" if used.has_domain else "x"
    first = times[0] if times else BEGIN
    facts: list[Fact] = [("message_policy", first, mid, _TABLES[used.flow])] if used.flow else []
    if side == RECEIVING:
        return [*facts, ("message_sender", first, mid, key, partner), *(("message_started", time, mid, key, None) for time in times)]
    tried: list[Fact] = [("delivery_started", time, mid, key, "1") for time in times]
    return [*facts, ("message_recipient", first, mid, None, "1", partner), *(tried or [("delivery_bounced", BEGIN, mid, key, "1", None, None, None)])]
