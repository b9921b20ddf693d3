"""Messages and connections judged by shape: the general code judges one example of each shape, and the records of all others are filled in.

`ordinary` tells which lives have a shape: all that the general code looks at. An example of it has marks in place of what a record only shows, and where
a mark stands in the example's record, another message of the shape has its own value. A record has three kinds of parts, each with shapes of its own: how
the message was received, whom it is from and to, and each delivery. That of a connection is one part, and only the compiled core fills it in. All others
are judged by the general code, from the facts that must be together.
"""

from __future__ import annotations

import re
from functools import lru_cache, partial
from itertools import chain, combinations, count
from math import floor
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Optional

from esatls.extraction.fact_types import CODE, DELIVERY, FACT_TYPES, KEY, MAKES, MESSAGES, RECEIVING, TIME, Fact, Lineage, MessageSender, position
from esatls.extraction.kinds import MAIL_FLOW
from esatls.lines.clock import Stamps, rfc3339
from esatls.verdicts import counted, lives
from esatls.verdicts.appliance import Appliance, in_order, is_own
from esatls.verdicts.closure import Known, together
from esatls.verdicts.counted import only
from esatls.verdicts.deliveries import delivered, deliveries_of
from esatls.verdicts.envelope import listed
from esatls.verdicts.facts import LONG_AGO, passes, refs
from esatls.verdicts.message import domain_of, rids_of
from esatls.verdicts.ordinary import (
    ABSENT,
    AT_ONCE,
    DISTINCT,
    ENDS,
    ENVELOPE,
    LINEAGE,
    LITERAL,
    MADE_FROM,
    MOST_FACTS,
    MOST_SHAPES,
    NOTHING,
    NUMBER,
    ONCE,
    OWNER,
    PLAIN,
    RECEIVED,
    RECEIVED_OVER,
    RULES,
    SORTED,
    TEXT,
    UNSHOWN,
    USED,
    WENT_OVER,
)
from esatls.verdicts.records import OF_THE_PARTNER, OF_THE_PEER, OF_TLS, brief_record, connection_record, message_record, messages, messages_of

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence

    from esatls.lines.clock import Time
    from esatls.verdicts.contradictions import Contradictions
    from esatls.verdicts.facts import Facts, Ref, Store
    from esatls.verdicts.message import Message

Dump = Callable[["Mapping[str, Any]"], bytes]
Keys = tuple[Optional["Mapping[str, Any]"], ...]
_Get = Callable[["Sequence[Any]"], tuple[Any, ...]]
_Told = tuple["Hashable", ...]

_PARENT = position("parent_mid", Lineage)
_SENDER = position("sender", MessageSender)
INTERNAL = ("notification", "bounce")
TRIES = frozenset(ENDS) - {"delivery_done"}
ACCEPTED = frozenset({"message_accepted", "message_quarantined"})
SORTS = {code: lru_cache(maxsize=4096)(rule.sort) for code, rule in RULES.items() if rule.sort is not None}
ORDER = {code: rank for rank, code in enumerate(dict.fromkeys((*RECEIVED, *ENVELOPE, *RULES)))}
_OF_ENVELOPE = ("sender", "recipients", "parent_mid", "mid_relation")
_OF_IDENTITY = ("message_id", "subject")
_OF_DELIVERIES = ("delivered", "deliveries")
_OF_TIME = ("first_seen", "last_seen", "finished")
_COUNTED = ("esa_host", "mail_flow", "received", "received_tls_version", "received_tls_cipher", "received_reason")
"""What a report counts of how a message was received."""
_OF_EACH = ("first_seen", "last_seen", "received_peer_host", "received_peer_ip", "mid")
"""What it takes of each message beside that."""
_OF_ATTEMPT = ("rid", "outcome", "verdict", "tls_version", "tls_cipher", "reason")


def _getter(places: Sequence[int]) -> _Get:
    """Return what takes the values at some places, as a tuple."""
    if not places:
        return lambda _: ()
    if len(places) == 1:
        (place,) = places
        return lambda values: (values[place],)
    return itemgetter(*places)


_NUMBERS = count()


class _Form:
    """Where values stand in facts of some codes, in this order: each has its time, then its values."""

    def __init__(self, codes: tuple[str, ...]) -> None:
        self.codes = codes
        self.starts: list[int] = []
        found: dict[int, list[int]] = {}
        once: dict[tuple[str, int], list[int]] = {}
        sorts = []
        self.opened: int | None = None
        self.started: int | None = None
        self.made: list[int] = []
        """Where the times of lines stand that a message begins with."""
        self.origin: int | None = None
        """Where a line stands that made a message from another one; its values follow."""
        self.relation = ""
        self.deliveries: list[tuple[str, int]] = []
        timed = []
        self.at_once: list[bool] = []
        """Of what matters if it was said before mail passed, whether it holds for mail of its second."""
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
        self.is_plain = not sorts and LITERAL not in found and DISTINCT not in found
        """Whether nothing but what is there matters."""
        self.numbers: dict[Hashable, int] = {}
        self.plain = next(_NUMBERS)
        """The number where all is there, and nothing else matters."""
        self.is_pair = codes == ("delivery_started", "delivery_done")
        self.optional = _getter(sorted(place for what in (TEXT, ONCE, SORTED, UNSHOWN) for place in found.get(what, ())))
        self.is_timed, self.has_owners = bool(timed), OWNER in found
        self.literals = _getter([*found.get(LITERAL, ()), *found.get(DISTINCT, ())])
        self.absent, self.owners, self.distinct = (_getter(found.get(what, ())) for what in (ABSENT, OWNER, DISTINCT))
        self.once = [places for places in once.values() if len(places) > 1]
        """Where values stand of which one may be there."""
        self.over, self.timed = _getter(found.get(RECEIVED_OVER, ())), _getter(timed)

    def told(self, values: Sequence[Any]) -> int:
        """Return a number for what the values tell of the shape, each by itself."""
        optional = self.optional(values)
        if all(optional):
            if self.is_plain:
                return self.plain
            lacking = None
        else:
            lacking = tuple([value if not value else 1 for value in optional])
        key = lacking, self.literals(values), tuple([None if values[place] is None else sort(values[place]) for place, sort in self.sorts])
        number = self.numbers.get(key)
        return self.number(key) if number is None else number

    def number(self, key: Hashable) -> int:
        """Return a number for something that values tell."""
        return self.numbers.setdefault(key, next(_NUMBERS))

    def facts(self, key: str, times: Iterable[Time], values: Sequence[Any]) -> list[Fact]:
        """Return facts of this form."""
        return [(code, time, key, *values[at + 1 : at + 1 + len(RULES[code].values)]) for code, at, time in zip(self.codes, self.starts, times)]


class _Layout(NamedTuple):
    """Where the values of lives stand whose facts came in one order."""

    length: int
    pick: _Get
    """Takes them in the order of `ORDER`."""
    seen: _Get
    """Takes the times that count."""
    used: list[tuple[int, int]]
    """Where times and ids of connections stand that were used."""
    whole: _Form
    received: _Form
    envelope: _Form
    deliveries: _Form
    ends: tuple[int, int, int]
    """Where what is received ends, and where the envelope begins and ends."""
    is_accepted: bool


class _Layouts(dict[tuple[str, ...], Optional[_Layout]]):
    """By the codes of facts in the order in which they came; None where these make no ordinary life."""

    def __init__(self) -> None:
        self._forms: dict[tuple[str, ...], _Form] = {}

    def __missing__(self, codes: tuple[str, ...]) -> _Layout | None:
        found = self._layout(codes)
        if len(self) < MOST_SHAPES:
            self[codes] = found
        return found

    def _form(self, codes: Iterable[str]) -> _Form:
        key = tuple(codes)
        form = self._forms.get(key)
        if form is None:
            form = self._forms[key] = _Form(key)
        return form

    def _layout(self, codes: tuple[str, ...]) -> _Layout | None:
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
        received, envelope, last = (self._form(code for code in kept if code in some) for some in (RECEIVED, ENVELOPE, LINEAGE))
        return _Layout(
            at,
            _getter(places),
            _getter([start + TIME for code, start in told if RULES[code].is_seen]),
            [(start + TIME, start + KEY + 1) for code, start in told if RULES[code].values[0] == USED],
            self._form(kept),
            received,
            envelope,
            self._form(code for code in kept if WENT_OVER in RULES[code].values),
            (received.length, received.length - last.length, received.length - last.length + envelope.length),
            any(code in ACCEPTED or WENT_OVER in RULES[code].values for code in codes),
        )


_NEVER = float("inf")
_Met = list[Any]
"""How messages use a connection: first and last time, how often mail passed, and then the messages."""


class _Side(NamedTuple):
    """A connection that is ordinary."""

    told: int
    since: Time
    """From when on all that matters was said before."""
    values: tuple[Any, ...]
    passed: int
    key: str
    form: _Form
    timed: tuple[Time, ...] = ()
    """The times of what matters if it was said before mail passed."""
    owners: tuple[Any, ...] = ()

    def before(self, time: Time, mid: str) -> Hashable:
        """Return what of it was said before, at and after a time, and which lines are about a message."""
        second = floor(time)
        order = tuple([(floor(one) > second) - (floor(one) < second and not at_once) for one, at_once in zip(self.timed, self.form.at_once)])
        return self.told, order, tuple([owner == mid for owner in self.owners])


class Text(NamedTuple):
    """A text, and the places of the values that stand in it."""

    text: str
    places: tuple[int, ...]


class Fragment(NamedTuple):
    """A part of a record of one shape: its texts, each with what stands in it and where that is."""

    number: int
    texts: tuple[Text, ...]
    size: int
    """How many values its shape has."""
    people: dict[int, int]
    """Where the address of each recipient stands, and that of the sender (`SENDER`)."""
    done: str | None = None
    """The verdict on a delivery that is done; the mail flow of what was received, or `GIVEN_UP`."""
    is_listed: bool = False
    """Whether recipients stand in it that the words of an agent list: only the core takes them from there."""
    keys: tuple[Text | None, ...] = ()
    """What a brief record has in common with others, by family (`counted`)."""


class _Template(NamedTuple):
    """A record of one shape."""

    text: str
    slots: _Get


_STAMPS = Stamps()


_Life = tuple[_Layout, tuple[Any, ...], "Time", "Time"]
"""A message that may be ordinary: where its values stand, these, and when it was first and last seen."""


_Part = tuple["_Told", tuple[Any, ...]]
"""What the lines of a message tell of one part of its record, with those of what it was made from; and the values that may stand in it."""


class Shapes:
    """What is known of shapes, for any number of appliances."""

    def __init__(self, dump: Dump, *, brief: bool = False) -> None:
        self.dump = dump
        self.brief = brief
        """Whether records have only what a report counts, in an order in which what is counted alike stands together (`report.alike`)."""
        self.layouts = _Layouts()
        self.fragments: dict[_Told, Fragment | None] = {}
        """By shape; None where it turned out not to be ordinary."""
        self.templates: dict[_Told, _Template] = {}
        """By the numbers of the parts."""
        self.judged = self.odd = 0
        """How many messages were judged by shape, and how many were not."""

    def template(self, numbers: _Told, received: Fragment, envelope: Fragment, attempts: Sequence[Fragment]) -> _Template:
        """Return the whole of a record from its parts."""
        slots: list[int] = []

        def add(part: Text, offset: int) -> str:
            slots.extend(place - FIRST_OWN if place >= FIRST_OWN else place + offset for place in part.places)
            return part.text

        head, seen = received.texts
        sent, identity = envelope.texts
        at = _OWN + received.size
        texts = [add(head, _OWN), add(sent, at)]
        end = at + envelope.size
        tries = []
        for attempt in attempts:
            tries.append(add(attempt.texts[0], end))
            end += attempt.size
        word = delivered([{"outcome": "done", "verdict": attempt.done} for attempt in attempts if attempt.done is not None])
        texts += [f'"delivered":"{word}","deliveries":[{",".join(tries)}]', add(seen, _OWN), add(identity, at)]
        found = _Template("{" + ",".join(filter(None, texts)) + "}", _getter(slots))
        if len(self.templates) < MOST_SHAPES:
            self.templates[numbers] = found
        return found


def lines(facts: Facts, dump: Dump, contradictions: Contradictions | None = None) -> Iterator[bytes]:
    """Yield the record of every message as `dump` gives it, by appliance, MID and life; add what shows of contradictions."""
    shapes = Shapes(dump)
    facts = facts.settled()
    if facts.has_witnesses:
        # what consolidated events state is in no shape
        yield from map(dump, messages(facts, contradictions))
        return
    for host in sorted(facts.hosts):
        for _, line in Judge(host, facts.hosts[host], shapes).lines(contradictions=contradictions):
            yield line


SENDER = (1 << 64) - 1
"""Where the sender stands among the people of an envelope."""
_OWN = 4
"""Every message has its id, its appliance, and the stamps of the first and the last time at which it was seen, in front of its other values."""
LISTED = 10_000
"""The place of the first address in a list is so much higher than that of the list, the next one's twice as much."""
MOST_LISTED = 80
FIRST_OWN = 900_000
"""The places of these are numbered from here in the parts of a record."""
_MID, _HOST, _FIRST, _LAST, _DOMAIN = range(FIRST_OWN, FIRST_OWN + _OWN + 1)
"""The last one is that of the sender's domain, in what is counted."""


class Judge(Known):
    """The messages of one appliance, judged by shape where they have one. It is what `closure.together` asks too."""

    def __init__(self, host: str, stores: tuple[Store, Store, Store], shapes: Shapes) -> None:
        self.host, self.stores, self.shapes = host, stores, shapes
        self.met: tuple[dict[str, _Met], dict[str, _Met]] = ({}, {})
        """How messages use the connections, by ICID and by DCID."""
        self.made: dict[str, list[str]] = {}
        """By MID: the messages made from it."""
        self._copied: set[str] = set()
        """Messages from which others were made that show that they were accepted."""
        self._lives: dict[str, _Life] = {}
        """The messages that may be ordinary."""
        self._sides: tuple[dict[str, _Side | None], dict[str, _Side | None]] = ({}, {})
        self._left: tuple[dict[str, _Part | None], dict[str, _Part | None]] = ({}, {})
        """What messages leave to those that are made from them: of how they were received, and of their envelopes."""
        self._whole: Appliance | None = None
        for mid, facts in stores[MESSAGES].items():
            life = self._life(mid, facts)
            if life is None:
                self._note(mid, facts)
            else:
                self._lives[mid] = life

    # what `closure` asks

    def facts(self, store: int, key: str) -> Collection[Fact]:
        """Return the facts of an id."""
        return self.stores[store].get(key, ())

    def users(self, side: int, key: str) -> Iterable[str]:
        """Return the messages that name a connection."""
        met = self.met[side].get(key)
        return () if met is None else {*met[3:]}

    def children(self, mid: str) -> Iterable[str]:
        """Return the messages that were made from one."""
        return self.made.get(mid, ())

    def ids(self) -> tuple[set[str], set[str], set[str]]:
        """Return every id that is named: ICIDs, DCIDs, MIDs."""
        receiving, delivery, messages = self.stores
        return receiving.keys() | self.met[RECEIVING].keys(), delivery.keys() | self.met[DELIVERY].keys(), messages.keys() | self.made.keys()

    # records

    def lines(self, skip: Collection[str] = (), contradictions: Contradictions | None = None) -> Iterator[tuple[int, bytes]]:
        """Yield MID and record of each life of each message, by MID, but those to `skip`; add what shows of contradictions."""
        mids = in_order(self.stores[MESSAGES].keys() - skip if skip else self.stores[MESSAGES])
        for start in range(0, len(mids), AT_ONCE):
            batch = mids[start : start + AT_ONCE]
            found = {mid: line for mid in batch if (line := self._line(mid)) is not None}
            odd = [mid for mid in batch if mid not in found]
            self.shapes.judged += len(found)
            self.shapes.odd += len(odd)
            judged = self._judged(odd, contradictions, many=2 * len(odd) > len(batch)) if odd else {}
            for mid in batch:
                line = found.get(mid)
                if line is not None:
                    yield int(mid), line
                else:
                    yield from ((int(mid), one) for one in judged[mid])

    def _judged(self, odd: list[str], contradictions: Contradictions | None, *, many: bool) -> dict[str, list[bytes]]:
        """Return the records that the general code gives."""
        if many and self._whole is None:
            self._whole = Appliance(self.host, self.stores)
        appliance = self._whole or Appliance(self.host, together(self, odd))
        found = {mid: [self.shapes.dump(record) for _, record in messages_of(appliance, only={mid})] for mid in odd}
        if contradictions is not None:
            contradictions.look(appliance, self.facts)
        return found

    def _line(self, mid: str) -> bytes | None:
        """Return the record of a message; None where it is not ordinary."""
        life = self._lives.get(mid)
        if life is None:
            return None
        shapes = self.shapes
        layout, values, first, last = life
        received = self.received(mid, layout, values)
        envelope = self.envelope(layout, values)
        if received is None or envelope is None:
            return None
        known = shapes.fragments
        told, own = received
        one = known[told] if told in known else self._learn(told, lambda: _Example(self).received(mid))
        told, theirs = envelope
        other = known[told] if told in known else self._learn(told, lambda: _Example(self).envelope(mid))
        if one is None or other is None or other.is_listed:
            return None
        found = [mid, self.host, _STAMPS[first], _STAMPS[last], *own, *theirs]
        attempts: list[Fragment] = []
        numbers: _Told = (one.number, other.number)
        form = layout.deliveries
        if form.codes:
            tries = _tries(form, values[layout.ends[2] :])
            if tries is None:
                return None
            for attempt in tries:
                part = self.attempt(mid, attempt, other.people, theirs)
                if part is None:
                    return None
                told, own = part
                fragment = known[told] if told in known else self._learn(told, partial(_Example.attempt, _Example(self), mid, attempt, own))
                if fragment is None:
                    return None
                attempts.append(fragment)
                numbers += (fragment.number,)
                found += own
        template = shapes.templates.get(numbers)
        if template is None:
            template = shapes.template(numbers, one, other, attempts)
        text, get = template
        slots = get(found)
        shown = "".join(slots)
        if not (shown.isascii() and shown.isprintable() and '"' not in shown and "\\" not in shown):
            slots = tuple([self.escaped(slot) for slot in slots])
        return (text % slots).encode()

    def part(self, kind: int, mid: str, number: int = 0) -> Fragment | None:
        """Return a part of the record of a message: how it was received, its envelope, or the delivery of a number (3: over a connection that mail passed)."""
        life = self._lives.get(mid)
        if life is None:
            return None
        layout, values, _, _ = life
        if kind == 0:
            received = self.received(mid, layout, values)
            return received and self._known(received[0], lambda: _Example(self).received(mid))
        envelope = self.envelope(layout, values)
        people = envelope and self._known(envelope[0], lambda: _Example(self).envelope(mid))
        if kind == 1 or envelope is None or people is None:
            return people
        tries = _tries(layout.deliveries, values[layout.ends[2] :])
        one = tries[number] if tries and number < len(tries) else None
        found = None if one is None else self.attempt(mid, one, people.people, envelope[1])
        if one is None or found is None or found[0][-1] != (kind == _PASSED):
            return None
        return self._known(found[0], partial(_Example.attempt, _Example(self), mid, one, found[1]))

    def _known(self, told: _Told, example: Callable[[], Fragment | None]) -> Fragment | None:
        return self.shapes.fragments[told] if told in self.shapes.fragments else self._learn(told, example)

    def escaped(self, text: str) -> str:
        """Return a text as it stands in a record."""
        return self.shapes.dump({"": text})[5:-2].decode()

    def _learn(self, told: _Told, example: Callable[[], Fragment | None]) -> Fragment | None:
        if len(self.shapes.fragments) >= MOST_SHAPES:
            return None
        found = self.shapes.fragments[told] = example()
        return found

    def life(self, mid: str) -> _Life:
        """Return what is known of a message that may be ordinary."""
        return self._lives[mid]

    def is_own(self, mid: str) -> bool | None:
        """Tell whether the appliance itself has made a message, where only the sender tells."""
        layout, values, _, _ = self._lives[mid]
        started = layout.whole.started
        if layout.whole.origin is not None or started is None or values[started + 1] not in (None, "0") or values[started + 2] is not None:
            return None
        return is_own(self.host, next((fact[_SENDER] for fact in self.stores[MESSAGES][mid] if fact[CODE] == "message_sender"), None))

    def is_copied(self, mid: str) -> bool:
        """Tell whether others were made from a message that show that it was accepted."""
        return mid in self._copied

    # what there is

    def _life(  # noqa: C901 - in one pass, for every message
        self, mid: str, facts: Sequence[Fact]
    ) -> _Life | None:
        layout = self.shapes.layouts[tuple([fact[CODE] for fact in facts])]
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
                self._meet(RECEIVING, icid, mid, values[whole.started], 1)
        if whole.deliveries:
            if any(whole.absent(values)):
                return None  # before anything is noted
            for code, at in whole.deliveries:
                self._meet(DELIVERY, values[at + 1], mid, values[at], code not in TRIES)
        for time, at in layout.used:
            self._meet(DELIVERY, flat[at], mid, flat[time], 1)
        if whole.origin is not None:
            self._note_origin(mid, whole.relation, values[whole.origin + 1])
        return layout, values, first, last

    def _note(self, mid: str, facts: Sequence[Fact]) -> None:
        """Note what a message names that is not ordinary."""
        for fact in facts:
            if fact[CODE] in MAKES:
                self._note_origin(mid, fact[CODE], fact[_PARENT])
            for side, key in refs(fact):
                if side != MESSAGES:
                    self._meet(side, key, mid, fact[TIME], passes(fact))

    def _note_origin(self, mid: str, relation: str, parent: str | None) -> None:
        if parent is not None:
            self.made.setdefault(parent, []).append(mid)
            if relation not in INTERNAL:
                self._copied.add(parent)

    def _meet(self, side: int, key: str | None, mid: str, time: Time | None, passed: int) -> None:
        """Note that a message uses a connection."""
        if key is None or key == "0":
            return
        met = self.met[side].get(key)
        if met is None:
            self.met[side][key] = [_NEVER if time is None else time, LONG_AGO if time is None else time, passed, mid]
            return
        if time is not None:
            if time < met[0]:
                met[0] = time
            elif time > met[1]:
                met[1] = time
        met[2] += passed
        if met[-1] != mid:
            met.append(mid)

    def side(self, side: int, key: str) -> _Side | None:
        """Return a connection; None where it is not ordinary."""
        known = self._sides[side]
        if key not in known:
            known[key] = self._side(side, key)
        return known[key]

    def _side(self, side: int, key: str) -> _Side | None:
        facts = self.stores[side].get(key, ())
        layout = self.shapes.layouts[tuple([fact[CODE] for fact in facts])]
        if layout is None or (key[0] == "0" and key != "0"):
            return None
        flat = [*chain.from_iterable(facts)]
        first, last, passed = self.met[side][key][:3]
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
        told = form.told(values)
        if not form.is_timed:
            return _Side(told, LONG_AGO, values, passed, key, form)
        timed = form.timed(values)
        if len(timed) == 1 and not form.has_owners:
            return _Side(told, floor(timed[0]) + (not form.at_once[0]), values, passed, key, form, timed)
        if len({*zip(timed, (code for code in form.codes if RULES[code].is_timed))}) < len(timed):
            # two that are said alike in one second are told apart by their words
            return None
        seconds = [*map(floor, timed)]
        told = form.number((told, *map(sorted(timed).index, timed), *map(sorted(seconds).index, seconds)))
        since = _NEVER if form.has_owners else max(second + (not at_once) for second, at_once in zip(seconds, form.at_once))
        return _Side(told, since, values, passed, key, form, timed, form.owners(values))

    # parts of records

    def received(self, mid: str, layout: _Layout, values: tuple[Any, ...]) -> _Part | None:
        """Return what tells how a message was received; None where that is not ordinary."""
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

    def envelope(self, layout: _Layout, values: tuple[Any, ...]) -> _Part | None:
        """Return what tells whom a message is from and to, and what it is known by; None where that is not ordinary."""
        form, values = layout.envelope, values[layout.ends[1] : layout.ends[2]]
        told = (form.told(values), None)
        origin = form.origin
        if origin is None or form.relation in INTERNAL:
            return (told, values)
        return self._with_inherited(told, values, values[origin], values[origin + 1], DELIVERY)

    def _with_inherited(self, told: _Told, values: tuple[Any, ...], time: Time, parent: str | None, what: int) -> _Part | None:
        if parent is None or not _is_plain(parent):
            return None
        if parent not in self.stores[MESSAGES]:
            return ((told, "unseen"), values)
        life = self._lives.get(parent)
        if life is None or life[2] > time:
            return None
        left = self._left[what]
        if parent not in left:
            left[parent] = None  # it may be made from itself
            left[parent] = self.left(parent, what)
        heritage = left[parent]
        return None if heritage is None else ((told, heritage[0]), values + heritage[1])

    def left(self, mid: str, what: int) -> _Part | None:
        """Return what a message leaves to those that are made from it."""
        layout, values, _, _ = self._lives[mid]
        return self.envelope(layout, values) if what else self.received(mid, layout, values)

    def attempt(self, mid: str, one: _Try, people: Mapping[int, int], told: Sequence[Any]) -> _Part | None:
        """Return what tells of one delivery."""
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
        return (begun, ended, len(rids), response and 1, domain != "", side, passed), (dcid, _STAMPS[time], response, domain, *map(str, rids), *values)


def _tries(form: _Form, values: Sequence[Any]) -> list[_Try] | None:
    """Return the deliveries of a message in their order; None where they are not ordinary."""
    if form.is_pair:
        _, dcid, rid, time, same_dcid, same_rid = values
        return [(dcid, True, "delivery_done", time, _rids(rid), None)] if dcid == same_dcid != "0" and rid == same_rid else None
    found: list[_Try] = []
    all_begun: dict[str | None, _Try] = {}
    for code, at in form.deliveries:
        dcid = None if values[at + 1] == "0" else values[at + 1]
        one: _Try = (dcid, False, code, values[at], _rids(values[at + 2]), values[at + 3] if code in TRIES else None)
        if code == "delivery_started":
            if dcid in all_begun:
                return None
            all_begun[dcid] = (dcid, True, None, *one[3:])
            continue
        same = next((number for number, other in enumerate(found) if other[:4] == one[:4] and other[5] == one[5]), None)
        if same is None:
            found.append(one)
        elif code in TRIES:
            found[same] = (*one[:4], tuple(sorted({*one[4], *found[same][4]})), one[5])
        else:
            return None
    for dcid, begun_there in all_begun.items():
        ended = [number for number, other in enumerate(found) if other[0] == dcid]
        if not ended:
            found.append(begun_there)
        elif not {*begun_there[4]} <= {rid for number in ended for rid in found[number][4]}:
            return None
        for number in ended:
            found[number] = (dcid, True, *found[number][2:])
    if len(found) < 2:
        return found
    if not all(_are_apart(one, other) for at, one in enumerate(found) for other in found[:at] if one[0] == other[0]):
        return None
    return sorted(found, key=lambda one: (one[3], int(one[0] or 0), one[2] or "", one[5] or ""))


def placed_tries(facts: Sequence[Fact], shapes: Shapes) -> list[tuple[int, _Try]] | None:
    """Return the deliveries of a message in their order, each behind the place, among its facts of deliveries, of the one that tells of it.

    None where they are not ordinary; the message is so otherwise.
    """
    layout = shapes.layouts[tuple([fact[CODE] for fact in facts])]
    if layout is None:
        return None
    form, values = layout.deliveries, layout.pick([*chain.from_iterable(facts)])[layout.ends[2] :]
    tries = _tries(form, values)
    if tries is None:
        return None
    told = [(code, values[at], values[at + 1] or "0", values[at + 3] if code in TRIES else None) for code, at in form.deliveries]
    return [(told.index((one[2] or "delivery_started", one[3], one[0] or "0", one[5])), one) for one in tries]


def _are_apart(one: _Try, other: _Try) -> bool:
    """Tell whether two deliveries over one connection are plainly two: they ended otherwise, or those to the same people ended alike again."""
    if one[2] == other[2] and one[5] == other[5]:
        return one[4] == other[4] and one[5] is not None
    return one[5] != "" != other[5]


def _address(values: Sequence[Any], place: int) -> str:
    """Return an address, which may be one of a list."""
    return values[place] or "" if place < LISTED else listed(values[place % LISTED])[place // LISTED - 1]


@lru_cache(maxsize=1000)
def _rids(text: str | None) -> tuple[int, ...]:
    return tuple(sorted(set(rids_of(text))))


def _is_plain(number: str | None) -> bool:
    """Tell whether an id stands in a record as it stands in the log."""
    return number is not None and (number[0] != "0" or number == "0")


_Try = tuple[Optional[str], bool, Optional[str], "Time", tuple[int, ...], Optional[str]]
"""A delivery: its connection, whether a line says that it began, what ended it, the time of the last, to whom, and what that said."""


class _Example:
    """An example of a part of a record: the same facts, with marks in place of what a record only shows."""

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        self.is_good = True
        self.stores: tuple[Store, Store, Store] = ({}, {}, {})
        self._count = 0
        """The values that have been marked."""
        self._ids: dict[Ref, str] = {}
        self._sorted: list[tuple[str, int]] = []
        """Texts with a mark at their end, and where they stand."""
        self._unshown: set[int] = set()
        """Where texts stand that no record is to show."""

    def received(self, mid: str) -> Fragment | None:
        """Return the part of a record that tells how a message was received, and when it was seen."""
        self._ids[MESSAGES, mid] = _number(_MID)
        self._message(mid, RECEIVED, 0)
        message = self.stores[MESSAGES][_number(_MID)]
        message += [("message_identity", time, _number(_MID), None, None) for time in (_BEGIN - 1, _BEGIN + 10_000)]
        if self.judge.is_copied(mid):
            self.stores[MESSAGES][_number(_CHILD)] = [("copy", _BEGIN + 5, _number(_CHILD), _number(_MID), None)]
        told = self._record(_OF_ENVELOPE + _OF_IDENTITY + _OF_DELIVERIES)
        if told is None:
            return None
        record, _ = told
        seen = {name: record.pop(name) for name in _OF_TIME}
        flow = "none" if record["received"] == "none" else record.get("mail_flow", "")
        keys: Keys = ()
        if self.judge.shapes.brief:
            keys = counted.of_received(record)
            record, seen = only(record, _COUNTED), only({**record, **seen}, _OF_EACH)
        found = self._fragment(record, seen, keys=keys)
        return found and found._replace(done=flow)

    def envelope(self, mid: str) -> Fragment | None:
        """Return the part of a record that tells whom a message is from and to, and what it is known by."""
        self._ids[MESSAGES, mid] = _number(_MID)
        self._message(mid, ENVELOPE, 0)
        told = self._record(())
        if told is None:
            return None
        record, message = told
        parts = only(record, _OF_ENVELOPE), only(record, _OF_IDENTITY)
        people = {}
        for rid, address in message.recipients.items():
            mark = _MARK.fullmatch(address)
            if mark is None:
                return None
            people[rid] = int(mark[1])
        if "sender" in record:
            mark = _MARK.fullmatch(record["sender"])
            if mark is None:
                return None
            people[SENDER] = int(mark[1])
        keys: Keys = ()
        if self.judge.shapes.brief:
            keys = counted.of_envelope(len(record.get("recipients", ())), _text(_DOMAIN))
            parts = ({"to": len(record.get("recipients", ()))}, only(record, ("recipients", "sender")))
        found = self._fragment(*parts, keys=keys)
        return found and found._replace(people=people, is_listed=any(LISTED <= place < FIRST_OWN for text in found.texts for place in text.places))

    def attempt(self, mid: str, one: _Try, values: tuple[Any, ...]) -> Fragment | None:
        """Return the part of a record that tells of one delivery."""
        key = _number(_MID)
        self._ids[MESSAGES, mid] = key
        own, begun, ended, when, numbers, response = one
        rids = [_number(_OF_TRY + number) for number in range(len(numbers))]
        rid = ", ".join(rids)
        self._count = _OF_TRY + len(rids)
        dcid = own and _number(0)
        facts = self.stores[MESSAGES][key] = []
        if begun:
            facts.append(("delivery_started", _BEGIN - 1 if ended else _BEGIN, key, dcid, rid))
        if ended in TRIES:
            facts.append((ended, _BEGIN, key, dcid, rid, response and _text(2), None, None))
        elif ended is not None:
            facts.append((ended, _BEGIN, key, dcid, rid))
        if values[3]:
            facts.append(("message_recipient", _BEGIN, key, None, rids[0], f"x@{_text(3)}"))
        if own is not None:
            connection = self.judge.side(DELIVERY, own)
            if connection is None:
                return None
            self._ids[DELIVERY, own] = _number(0)
            self._connection(DELIVERY, connection, _BEGIN, when)
            if connection.passed and not begun:
                self.stores[MESSAGES][_number(_CHILD)] = [("delivery_started", _BEGIN, _number(_CHILD), dcid, "0")]
        appliance = Appliance("", self.stores)
        (message,) = appliance.in_order(key)
        found = deliveries_of(appliance, message)
        if not self.is_good or len(found) != 1:
            return None
        done = found[0]["verdict"] if found[0].get("outcome") == "done" else None
        if "time" in found[0]:
            found[0]["time"] = _text(1)
        told: dict[str, Any] = {**found[0]}
        keys: Keys = ()
        if self.judge.shapes.brief:
            keys = counted.of_attempt(told)
            told = only(told, (*_OF_ATTEMPT, *(("domain",) if "domain" in told else ("peer_host", "peer_ip")), "time"))
        made = self._fragment(told, keys=keys)
        return made and made._replace(texts=(made.texts[0]._replace(text="{" + made.texts[0].text + "}"),), done=done)

    def connection(self, side: int, facts: Collection[Fact], used: Used) -> Fragment | None:
        """Return the record of a connection."""
        own, user = _number(_MID), _number(_CHILD + 1)
        self._ids[MESSAGES, used.mid] = user
        self._count = _OF_CONNECTION
        kept = sorted((fact for fact in facts if RULES[fact[CODE]].most), key=lambda fact: ORDER[fact[CODE]])
        if not _differ_plainly(kept):
            return None
        stamps = sorted({*used.times, *(fact[TIME] for fact in kept if RULES[fact[CODE]].is_timed)})
        made = self.stores[side][own] = []
        marks: dict[tuple[str, str], str | None] = {}
        for fact in kept:
            rule = RULES[fact[CODE]]
            time = _BEGIN + stamps.index(fact[TIME]) if rule.is_timed else _BEGIN - (40 if fact[CODE] == "connection_opened" else 39)
            values = []
            for place, (name, what, value) in enumerate(zip(FACT_TYPES[fact[CODE]]._fields[KEY + 1 :], rule.shown, fact[KEY + 1 :]), self._count + 1):
                mark = _number(place) if what == NUMBER and value else self._mark(fact[CODE], TEXT if what == PLAIN else what, value, place)
                values.append(marks.setdefault((name, value), mark) if value and name in _SHOWN else mark)
            self._count += 1 + len(values)
            made.append((fact[CODE], time, own, *values))
        if any(fact[CODE] == "connection_closed" for fact in facts):
            made.append(("connection_closed", _BEGIN + 5000, own, None))
        times = [_BEGIN + stamps.index(time) for time in used.times]
        for number, some in enumerate([[time] for time in times] if side == RECEIVING else [times] if used.is_used else []):
            mid = _number(_CHILD + 1 + number)
            self.stores[MESSAGES][mid] = _user(side, own, mid, some, used)
        appliance = Appliance(_text(_HOST) if self.judge.host else "", self.stores)
        found = [*appliance.connections_of(side, own)[1].values()]
        if not self.is_good or len(found) != 1:
            return None
        record_of = brief_record if self.judge.shapes.brief else connection_record
        record: dict[str, Any] = {**record_of(appliance, side, own, found[0])}
        for name, time, place in (("opened", _BEGIN - 40, _FIRST), ("closed", _BEGIN + 5000, _LAST)):
            if record.get(name) == rfc3339(time):
                record[name] = _text(place)
        if record.get("messages"):
            record["messages"] = int(_number(_MESSAGES))
        return self._fragment(record, keys=counted.of_connection(record) if self.judge.shapes.brief else ())

    def _message(self, mid: str, codes: Collection[str], depth: int) -> None:
        layout, own, _, _ = self.judge.life(mid)
        form = layout.received if codes is RECEIVED else layout.envelope
        values = own[: layout.ends[0]] if codes is RECEIVED else own[layout.ends[1] : layout.ends[2]]
        key = self._ids[MESSAGES, mid]
        self.is_good &= key not in self.stores[MESSAGES]
        time = _BEGIN - 100 * depth
        facts = self.stores[MESSAGES][key] = form.facts(key, [time] * len(form.codes), self._marked(form, values, codes))
        facts.append(("message_identity", time, key, None, None))  # it says nothing: a message has at least one
        if codes is RECEIVED:
            if layout.is_accepted:
                facts.append(("message_accepted", time, key, None))
            icid = None if form.started is None else values[form.started + 1]
            if self.judge.is_own(mid) is False:
                facts.append(("message_sender", time, key, icid, "x"))
            connection = None if icid is None or icid == "0" else self.judge.side(RECEIVING, icid)
            if connection is not None:
                self._connection(RECEIVING, connection, time, values[form.started])  # type: ignore[index]
        if form.origin is not None and form.relation not in INTERNAL:
            parent = values[form.origin + 1]
            if parent in self.judge.stores[MESSAGES]:
                self._message(parent, codes, depth + 1)

    def _connection(self, side: int, connection: _Side, time: Time, told: Time) -> None:
        """Add a connection: `time` is when mail passes in the example, `told` when it did."""
        form, key = connection.form, self._ids[side, connection.key]
        self.is_good &= key not in self.stores[side]
        places = iter(form.timed(connection.values))
        order = sorted(form.timed(connection.values))
        mail = floor(told)
        times: list[Time] = []
        for code in form.codes:
            if RULES[code].is_timed:
                one = next(places)
                rank = sorted({floor(other) for other in order}).index(floor(one))
                second = time if floor(one) == mail else time - len(order) + rank if floor(one) < mail else time + 1 + rank
                # within a second, as they came
                times.append(second + order.index(one) / 100)
            else:
                times.append(time - (40 if code == "connection_opened" else 39))
        self.stores[side][key] = form.facts(key, times, self._marked(form, connection.values, ()))

    def _marked(self, form: _Form, values: tuple[Any, ...], codes: Collection[str]) -> list[Any]:
        """Return values with marks."""
        found = [*values]
        for code, start in zip(form.codes, form.starts):
            for place, what in enumerate(RULES[code].values, start + 1):
                found[place] = None if what == RECEIVED_OVER and codes is ENVELOPE else self._mark(code, what, values[place], self._count + place)
        self._count += form.length
        return found

    def _mark(self, code: str, what: int, value: str | None, place: int) -> str | None:
        if not value or what in (NOTHING, ABSENT):
            return None if what == NOTHING else value
        if what in (TEXT, ONCE):
            return _text(place)
        if what == OWNER:
            return self._ids.get((MESSAGES, value), _number(_CHILD))
        if what in _STORES:
            return value if value == "0" else self._ids.setdefault((_STORES[what], value), _number(place))
        self.is_good &= not _LIKE_A_MARK.search(value)
        marked = value + _text(place)
        if code == "split" and what == UNSHOWN:
            count = len(listed(value))
            self.is_good &= count < MOST_LISTED
            marked += " for following recipients: " * bool(count) + ",".join(_text(place + LISTED * number) for number in range(1, count + 1))
        if what in (LITERAL, DISTINCT) or (what == UNSHOWN and SORTS[code](marked) != SORTS[code](value)):
            return value
        if what == UNSHOWN:
            self._unshown.add(place)
        else:
            self.is_good &= SORTS[code](marked) == SORTS[code](value)
            self._sorted.append((marked, place))
        return marked

    def _record(self, but: Collection[str]) -> tuple[dict[str, Any], Message] | None:
        """Return the record of the example without some fields, and its message; None where it turns out not to be ordinary."""
        appliance = Appliance(_text(_HOST) if self.judge.host else "", self.stores)
        found = appliance.in_order(_number(_MID)) if self.is_good else []
        if len(found) != 1 or found[0].is_bare:
            return None
        record: dict[str, Any] = {name: value for name, value in message_record(appliance, _number(_MID), found[0]).items() if name not in but}
        for name, stamp, place in (("first_seen", _BEGIN - 1, _FIRST), ("last_seen", _BEGIN + 10_000, _LAST)):
            if record.get(name) == rfc3339(stamp):
                record[name] = _text(place)
        return record, found[0]

    def _fragment(self, *parts: dict[str, Any], keys: Keys = ()) -> Fragment | None:
        texts, shared = [self._put(part) for part in parts], [part if part is None else self._put(part) for part in keys]
        for text in (*texts, *shared):
            if text is not None and ("\ue000" in text.text or rfc3339(_BEGIN)[:10] in text.text or self._unshown & {*text.places}):
                return None
        return Fragment(len(self.judge.shapes.fragments), tuple(texts), self._count, {}, keys=tuple(shared))

    def _put(self, part: Mapping[str, Any]) -> Text:
        """Return a part of a record as text, with places instead of marks."""
        text = self.judge.shapes.dump(part).decode()[1:-1].replace("%", "%%")
        for marked, place in self._sorted:
            text = text.replace(self.judge.escaped(marked).replace("%", "%%"), _text(place))
        places: list[int] = []

        def slot(mark: re.Match[str]) -> str:
            places.append(int(mark[1] or mark[2]))
            return "%s"

        return Text(_MARK.sub(slot, text), tuple(places))


def link(judge: Judge, side: int, facts: Collection[Fact], used: Used) -> Fragment | None:
    """Return the record of a connection of one side, from its facts and what messages say of it; None where it is not ordinary."""
    return _Example(judge).connection(side, facts, used)


def _differ_plainly(facts: Iterable[Fact]) -> bool:
    """Tell whether it is plain, of facts of a connection that tell the same otherwise, which comes first: its opening, then what may come at any time."""
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
    """Return what a value is to the brief record of a connection."""
    return what if name not in _UNSHOWN_IN_BRIEF else UNSHOWN if what == LITERAL else NOTHING


class Used(NamedTuple):
    """What messages say of a connection."""

    mid: str
    """One of them."""
    times: Sequence[Time]
    """When mail passed, one of all times that are before and after the same."""
    flow: str
    """The mail flow that they share."""
    has_domain: bool
    """Whether they share a partner's domain."""
    is_used: bool
    """Whether there are any that were not given up."""


def _user(side: int, key: str, mid: str, times: Sequence[Time], used: Used) -> list[Fact]:
    """Return the facts of a message that says as much of a connection."""
    partner = f"x@{_text(_PARTNER)}" if used.has_domain else "x"
    first = times[0] if times else _BEGIN
    facts: list[Fact] = [("message_policy", first, mid, _TABLES[used.flow])] if used.flow else []
    if side == RECEIVING:
        return [*facts, ("message_sender", first, mid, key, partner), *(("message_started", time, mid, key, None) for time in times)]
    tried: list[Fact] = [("delivery_started", time, mid, key, "1") for time in times]
    return [*facts, ("message_recipient", first, mid, None, "1", partner), *(tried or [("delivery_bounced", _BEGIN, mid, key, "1", None, None, None)])]


_TABLES = {flow: table for table, flow in MAIL_FLOW.items() if table in ("inbound", "outbound")}
_SHOWN = frozenset((*OF_THE_PEER, *OF_TLS))
_UNSHOWN_IN_BRIEF = _SHOWN - {*OF_THE_PARTNER}
_TIMED = 2
"""What matters by its time, among what comes first."""
_OF_CONNECTION = 2
"""The values of a connection in front of those of its facts: the partner's domain, and how many messages passed."""
_PARTNER, _MESSAGES = range(_OF_CONNECTION)
_OF_TRY = 4
"""The values of a delivery in front of its recipients' and those of its connection: id of that, stamp, response, domain."""
_CHILD = 990_000
_PASSED = 3
_BEGIN = 4_000_000_000
_STORES = {RECEIVED_OVER: RECEIVING, WENT_OVER: DELIVERY, MADE_FROM: MESSAGES}
_MARK = re.compile("\ue000([0-9]+)\ue001|1000000000([0-9]{6})")
_LIKE_A_MARK = re.compile("[\ue000\ue001]|[0-9]{16}")


def _text(place: int) -> str:
    return f"\ue000{place}\ue001"


def _number(place: int) -> str:
    return str(1_000_000_000_000_000 + place)
