"""What the lines of an appliance say about each part of a record; parts about which they say the same have one shape."""

from __future__ import annotations

from itertools import chain
from math import floor
from typing import TYPE_CHECKING, Any, NamedTuple

from esatls.extraction.fact_types import CODE, DELIVERY, MAKES, MESSAGES, PARENT, RECEIVING, TIME, MessageSender, position
from esatls.lines.clock import Stamps
from esatls.native.ordinary import RULES
from esatls.native.shapes.layout import layout_of
from esatls.native.shapes.templates import LISTED
from esatls.verdicts import lives
from esatls.verdicts.appliance import is_own
from esatls.verdicts.facts import INTERNAL, LONG_AGO, TRIES, passes, refs
from esatls.verdicts.inheritance import listed
from esatls.verdicts.message import domain_of

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from esatls.extraction.fact_types import Fact
    from esatls.lines.clock import Time
    from esatls.native.shapes.layout import Form, Layout
    from esatls.native.shapes.templates import Shapes, Told
    from esatls.native.shapes.tries import Try
    from esatls.verdicts.facts import Store

_SENDER = position("sender", MessageSender)
STAMPS = Stamps()
_NEVER = float("inf")
_Met = list[Any]
"""How messages use a connection: first and last time, and how often mail passed."""
_Life = tuple["Layout", tuple[Any, ...], "Time", "Time"]
"""A message that may be ordinary: its layout, its values, and when it was first and last seen."""
_Part = tuple["Told", tuple[Any, ...]]
"""The shape of one part of a message's record, from its lines and those of the messages it was made from; and the values that the part may show."""


class Side(NamedTuple):
    """An ordinary connection."""

    told: Hashable
    since: Time
    """The time from which on everything that matters has been said."""
    values: tuple[Any, ...]
    passed: int
    key: str
    form: Form
    timed: tuple[Time, ...]
    """The times of facts that matter by their time."""
    owners: tuple[Any, ...]

    def before(self, time: Time, mid: str) -> Hashable:
        """Return what was said before, at and after a time, and which lines are about a message."""
        second = floor(time)
        order = tuple([(floor(one) > second) - (floor(one) < second and not at_once) for one, at_once in zip(self.timed, self.form.at_once)])
        return self.told, order, tuple([owner == mid for owner in self.owners])


class Parts:
    """The messages and connections of one appliance, and what their lines say about each part of a record."""

    def __init__(self, host: str, stores: tuple[Store, Store, Store], shapes: Shapes) -> None:
        self.host, self.stores, self.shapes = host, stores, shapes
        self.met: tuple[dict[str, _Met], dict[str, _Met]] = ({}, {})
        """How messages use the connections, by ICID and by DCID."""
        self._copied: dict[str, Time] = {}
        """Messages that were accepted, as others were made from them: the first time that one was."""
        self.ordinary: dict[str, _Life] = {}
        """By MID: the messages that may be ordinary."""
        self._sides: tuple[dict[str, Side | None], dict[str, Side | None]] = ({}, {})
        self._left: tuple[dict[str, _Part | None], dict[str, _Part | None]] = ({}, {})
        """What messages pass on to those made from them: how they were received, and their envelopes."""
        for mid, facts in stores[MESSAGES].items():
            life = self._life(mid, facts)
            if life is None:
                self._note(facts)
            else:
                self.ordinary[mid] = life

    def is_own(self, mid: str) -> bool | None:
        """Tell whether the appliance itself created a message, if only the sender can show it; else None."""
        layout, values, _, _ = self.ordinary[mid]
        started = layout.whole.started
        if layout.whole.origin is not None or started is None or values[started + 1] not in (None, "0") or values[started + 2] is not None:
            return None
        return is_own(self.host, next((fact[_SENDER] for fact in self.stores[MESSAGES][mid] if fact[CODE] == "message_sender"), None))

    def is_copied(self, mid: str) -> bool:
        """Tell whether other messages were made from this one, which shows that it was accepted."""
        return mid in self._copied

    # messages and connections

    def _life(self, mid: str, facts: Sequence[Fact]) -> _Life | None:  # noqa: C901 - all that makes a message ordinary
        layout = layout_of(tuple([fact[CODE] for fact in facts]))
        if layout is None:
            return None
        flat = [*chain.from_iterable(facts)]
        times = layout.seen(flat)
        if len(flat) != layout.length or not times or None in times or (mid[0] == "0" and mid != "0"):
            return None
        first, last = min(times), max(times)
        if last - first > lives.FINISHED_SILENCE:
            return None
        whole, values = layout.whole, layout.pick(flat)
        if whole.deliveries and any(flat[at] is not None for _, at in layout.used):
            return None  # it may be the other line of a move to a quarantine
        if whole.made:
            made = values[whole.made[0]]
            if len(whole.made) > 1:
                other = values[whole.made[1]]
                if abs(made - other) > lives.SAME_OPENING:
                    return None
                made = min(made, other)
            if first < made - lives.SAME_OPENING:
                return None
        if whole.origin is not None and (not _is_plain(values[whole.origin + 1]) or values[whole.origin + 1] in ("0", mid)):
            return None
        if any(sum(values[place] is not None for place in places) > 1 for places in whole.once):
            return None
        numbers = whole.distinct(values)
        if len({*numbers}) < len(numbers) or not all(map(_is_plain, numbers)):
            return None
        over = whole.over(values)
        if over:
            icid = over[0]
            if over.count(icid) != len(over):
                return None
            if icid is not None and icid != "0":
                if whole.started is None:
                    return None
                self._meet(RECEIVING, icid, values[whole.started], 1)
        if whole.deliveries:
            if any(whole.absent(values)):
                return None  # before anything is noted
            for code, at in whole.deliveries:
                self._meet(DELIVERY, values[at + 1], values[at], code not in TRIES)
        for time, at in layout.used:
            self._meet(DELIVERY, flat[at], flat[time], 1)
        if whole.origin is not None:
            self._note_origin(whole.relation, values[whole.origin], values[whole.origin + 1])
        return layout, values, first, last

    def _note(self, facts: Sequence[Fact]) -> None:
        """Note what a message that is not ordinary names."""
        for fact in facts:
            if fact[CODE] in MAKES:
                self._note_origin(fact[CODE], fact[TIME], fact[PARENT])
            for side, key in refs(fact):
                if side != MESSAGES:
                    self._meet(side, key, fact[TIME], passes(fact))

    def _note_origin(self, relation: str, time: Time | None, parent: str | None) -> None:
        if parent is not None and relation not in INTERNAL:
            made = LONG_AGO if time is None else time
            self._copied[parent] = min(made, self._copied.get(parent, made))

    def _meet(self, side: int, key: str | None, time: Time | None, passed: int) -> None:
        """Note that a message uses a connection."""
        if key is None or key == "0":
            return
        met = self.met[side].get(key)
        if met is None:
            self.met[side][key] = [_NEVER if time is None else time, LONG_AGO if time is None else time, passed]
            return
        if time is not None:
            if time < met[0]:
                met[0] = time
            elif time > met[1]:
                met[1] = time
        met[2] += passed

    def side(self, side: int, key: str) -> Side | None:
        """Return a connection; None if it is not ordinary."""
        known = self._sides[side]
        if key not in known:
            known[key] = self._side(side, key)
        return known[key]

    def _side(self, side: int, key: str) -> Side | None:
        facts = self.stores[side].get(key, ())
        layout = layout_of(tuple([fact[CODE] for fact in facts]))
        if layout is None or (key[0] == "0" and key != "0"):
            return None
        flat = [*chain.from_iterable(facts)]
        first, last, passed = self.met[side][key]
        times = layout.seen(flat)
        form, values = layout.whole, layout.pick(flat)
        if times:
            if len(flat) != layout.length or None in times:
                return None
            early, late = min(times), max(times)
            first = min(first, early)
            last = max(last, late)
            if form.opened is not None and first < values[form.opened] - lives.SAME_OPENING:
                return None
        if last - first > lives.CONNECTION_SILENCE:
            return None
        timed = form.timed(values)
        if len({*zip(timed, (code for code in form.codes if RULES[code].is_timed))}) < len(timed):
            # the order of two facts of one code and time depends on their words
            return None
        seconds = [*map(floor, timed)]
        told = (form.told(values), *map(sorted(timed).index, timed), *map(sorted(seconds).index, seconds))
        since = _NEVER if form.has_owners else max((second + (not at_once) for second, at_once in zip(seconds, form.at_once)), default=LONG_AGO)
        return Side(told, since, values, passed, key, form, timed, form.owners(values))

    # parts of records

    def received(self, mid: str, layout: Layout, values: tuple[Any, ...]) -> _Part | None:
        """Return the part about how a message was received; None if it is not ordinary."""
        if mid in self._copied and self._copied[mid] < self.ordinary[mid][2]:
            return None  # perhaps another message with this id
        form, values = layout.received, values[: layout.ends[0]]
        side: Hashable = None
        origin = form.origin
        if form.started is not None:
            icid = values[form.started + 1]
            if icid is None or icid == "0":
                side = (icid, self.is_own(mid))
            else:
                connection = self.side(RECEIVING, icid)
                if connection is None:
                    return None
                side = connection.told if values[form.started] >= connection.since else connection.before(values[form.started], mid)
                values += connection.values
        told = (form.told(values), side, None, self.host != "", layout.is_accepted or mid in self._copied)
        if origin is None or form.relation in INTERNAL:
            return (told, values)
        return self._with_inherited(told, values, values[origin], values[origin + 1], RECEIVING)

    def envelope(self, layout: Layout, values: tuple[Any, ...]) -> _Part | None:
        """Return the part about whom a message is from and to, its Message-ID and subject; None if it is not ordinary."""
        form, values = layout.envelope, values[layout.ends[1] : layout.ends[2]]
        told = (form.told(values), None)
        origin = form.origin
        if origin is None or form.relation in INTERNAL:
            return (told, values)
        return self._with_inherited(told, values, values[origin], values[origin + 1], DELIVERY)

    def _with_inherited(self, told: Told, values: tuple[Any, ...], time: Time, parent: str | None, what: int) -> _Part | None:
        if parent is None or not _is_plain(parent):
            return None
        if parent not in self.stores[MESSAGES]:
            return ((told, "unseen"), values)
        life = self.ordinary.get(parent)
        if life is None or life[2] > time:
            return None
        left = self._left[what]
        if parent not in left:
            left[parent] = None  # in case it was made from itself
            left[parent] = self.left(parent, what)
        heritage = left[parent]
        return None if heritage is None else ((told, heritage[0]), values + heritage[1])

    def left(self, mid: str, what: int) -> _Part | None:
        """Return what a message passes on to those made from it."""
        layout, values, _, _ = self.ordinary[mid]
        return self.envelope(layout, values) if what else self.received(mid, layout, values)

    def attempt(self, mid: str, one: Try, people: Mapping[int, int], told: Sequence[Any]) -> _Part | None:
        """Return the part about one delivery; None if it is not ordinary."""
        dcid, begun, ended, time, rids, response = one
        side: Hashable = None
        values: tuple[Any, ...] = ()
        passed = False
        if dcid is None:
            if begun or ended not in TRIES:
                return None
        else:
            connection = self.side(DELIVERY, dcid)
            if connection is None:
                return None
            passed = begun or connection.passed > 0
            side, values = connection.told if time >= connection.since else connection.before(time, mid), connection.values
        if len(rids) == 1:
            place = people.get(rids[0])
            address = None if place is None else _address(told, place)
            domain = address.rpartition("@")[2].lower() if address and "@" in address else ""
        else:
            domains = {domain_of(_address(told, people[rid])) for rid in rids if rid in people}
            domain = domains.pop() if len(domains) == 1 else ""
        return (begun, ended, len(rids), response and 1, domain != "", side, passed), (dcid, STAMPS[time], response, domain, *map(str, rids), *values)


def _address(values: Sequence[Any], place: int) -> str:
    """Return the address at a place, which may be in a list."""
    return values[place] or "" if place < LISTED else listed(values[place % LISTED])[place // LISTED - 1]


def _is_plain(number: str | None) -> bool:
    """Tell whether an id is written in a record as in the log: without leading zeros."""
    return number is not None and (number[0] != "0" or number == "0")
