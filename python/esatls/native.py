"""The compiled core, where it is installed (`pip install 'esatls[fast]'`): it takes ordinary lines, many at a time.

It knows no pattern and no kind: expressions, constants and plans are handed over here, as `extraction.match` has them. A line that is out of
the ordinary in any way, with the one before it, is for the Python stream, which stays the reference: both give the same bytes.
"""

from __future__ import annotations

import functools
import itertools
import math
import os
import queue
import re
import sys
import tempfile
import threading
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Optional

from esatls.compiled import module
from esatls.errors import EsatlsError
from esatls.extraction.blocks import BlockStream
from esatls.extraction.event_stream import Events
from esatls.extraction.fact_types import CODE, DELIVERY, FACT_TYPES, KEY, MESSAGES, RECEIVING, TIME
from esatls.extraction.kinds import MAIL_FLOW
from esatls.extraction.match import LONGEST_NUMBER, Spec, front_of, specs_of
from esatls.extraction.patterns import MATCHERS
from esatls.extraction.stream import RECORD
from esatls.extraction.wrapped import SHORTEST_CUT
from esatls.lines import envelope
from esatls.lines.clock import rfc3339
from esatls.output.json_lines import dumps, loads
from esatls.verdicts import lives, ordinary, shapes
from esatls.verdicts.appliance import Appliance, is_own
from esatls.verdicts.closure import Known, together
from esatls.verdicts.envelope import listed
from esatls.verdicts.facts import Facts
from esatls.verdicts.hosts import appliances, key_of
from esatls.verdicts.records import OF_THE_PEER, OF_TLS, connections_of, messages, messages_of, times_of
from esatls.verdicts.words import of_deliveries

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Sequence

    from typing_extensions import TypeGuard

    from esatls.extraction.fact_types import Fact
    from esatls.extraction.heads import Head
    from esatls.extraction.stream import Consumer
    from esatls.lines.clock import Clock, Time
    from esatls.report.alike import Groups
    from esatls.report.count import Alike
    from esatls.verdicts.contradictions import Contradictions
    from esatls.verdicts.record_types import ConnectionRecord, MessageRecord

_ODD = RECORD.encode()
_Plan = tuple["Sequence[int]", Optional[tuple[Any, Any]]]
"""The groups of a match that are wanted, and what the core is to do with them (`reading.rs`); None: the line is for Python."""
_FOR_PYTHON: _Plan = (), None
_CODES = tuple(sorted(FACT_TYPES, key=lambda code: (shapes.ORDER.get(code, len(shapes.ORDER)), code)))
"""In the order in which shapes have them."""
_LATEST = 1 << 32
_BESIDE = 2
"""The core needs as much for where facts are as for the facts that it keeps in memory."""
_PIECE = 1 << 16
"""Bytes that Python reads where the core can take nothing."""
_PLAIN: dict[Any, str] = {None: "text", int: "number"}
"""What a value of a field is that the core writes as it stands, by how the field is read (`extraction.match`)."""


def stream(consumer: Consumer, clock: Clock | None, host: str | None) -> BlockStream:
    """Return a stream for this consumer: one with the core, where that is there and knows what the consumer wants.

    Events come as whole lines of JSON then, beside dicts.
    """
    if module() is not None:
        if isinstance(consumer, Events):
            return _EventStream(consumer, clock, host)
        if isinstance(consumer, NativeFacts):
            return _FactStream(consumer, clock, host)
    return BlockStream(consumer, clock, host)


def facts() -> Facts:
    """Return facts that are empty; they are kept in the core, where it is there."""
    return Facts() if module() is None else NativeFacts()


def drained(known: Facts) -> Facts:
    """Return facts with those that the core keeps; it keeps them no longer."""
    if isinstance(known, NativeFacts):
        share = dict[str, str]().setdefault
        for host, number in known.keys.items():
            for store, into in enumerate(known.stores(host)):
                for key in known.core.keys(number, store):
                    told = [(*fact[:KEY], *map(share, fact[KEY:], fact[KEY:])) for fact in known.core.facts(number, store, key)]
                    into.setdefault(str(key), []).extend(told)
        known.core.clear()
    return known


def _core(plan: Callable[[Spec], _Plan | None]) -> Any:
    """Return a new core that does with each line what `plan` says of its pattern; None: the line is not wanted."""
    matchers = []
    for start, (text, _, _) in MATCHERS.items():
        specs = specs_of(start)
        plans = [(last, *told) for last, spec in specs.items() if (told := plan(spec)) is not None]
        if plans:
            matchers.append((start.encode(), text, front_of(specs), plans))
    silence = min(lives.FINISHED_SILENCE, lives.CONNECTION_SILENCE)
    return module().Core(matchers, _ODD, SHORTEST_CUT, _CODES, [*map(_rule, _CODES)], lives.SAME_OPENING, silence)


def _answer(method: Callable[..., Any], *arguments: object) -> Any:
    """Return what the core answers; `EsatlsError` where it fails."""
    try:
        return method(*arguments)
    except RuntimeError as error:
        raise EsatlsError(str(error)) from error


def _is_time(time: Time | None) -> TypeGuard[int]:
    """Tell whether the core can have a time."""
    return type(time) is int and 0 <= time < _LATEST


class _NativeStream(BlockStream):
    """A stream that leaves ordinary lines to the core."""

    def __init__(self, consumer: Consumer, clock: Clock | None, host: str | None, core: Any) -> None:
        super().__init__(consumer, clock, host)
        self.core = core
        core.forget()
        self._naming = 0
        self._last = b""
        """The line before the next block, which may be its rest."""

    def set_clock(self, clock: Clock) -> None:
        """Read stamps with another clock."""
        super().feed(self._and_last(b""))
        super().set_clock(clock)
        self.core.forget()

    def _forget_heads(self) -> None:
        super()._forget_heads()
        self.core.forget()

    def end(self) -> None:
        """Settle the last line."""
        super().feed(self._and_last(b""))
        super().end()

    def _and_last(self, block: bytes) -> bytes:
        """Return the line that was left, and a block."""
        last, self._last = self._last, b""
        return last + block

    def feed(self, block: bytes) -> None:
        """Take a block of whole lines; the last one waits for the next block."""
        self._read(block, ())

    def sift(self, block: bytes, word: str, rare: str) -> None:
        """Take a block for a consumer that wants only events with `word` or `rare` in their line."""
        if self._heads.differ:
            super().sift(self._and_last(block), word, rare)
        else:
            self._read(block, (word.encode(), rare.encode()))

    def _read(self, block: bytes, words: Sequence[bytes]) -> None:
        block = self._and_last(block)
        at = 0
        while at < len(block):
            if self._naming != self._neighbours.naming:
                # headers of the same hour may be no longer what they were
                self._naming = self._neighbours.naming
                self.core.forget()
            first = at
            if self._document is None and self._cut is None and not self._heads.differ:
                taken = _answer(self.core.take, block, at, words, self._header)
                self._heads.note(taken["span"])
                first, following = taken["first"], taken["after"]
                if taken["lines"]:
                    self._took(taken["lines"], taken["events"], taken["out"])
            if first == at:
                # where nothing is ordinary, many lines at once
                following = block.find(b"\n", at + _PIECE) + 1 or len(block)
            elif block.find(b"\n", first) == len(block) - 1:
                self._last = block[first:]
                return
            super().feed(block[first:following])
            at = following

    def _took(self, lines: int, events: int, out: bytes) -> None:
        """Go on behind lines that the core took."""
        self.end()
        self._rank, self._swallow = envelope.STAMPED, False
        self.counts.lines += lines
        self.counts.events += events
        self.counts.ignored += lines - events
        if out:
            self._add(out)

    def _add(self, out: bytes) -> None:
        """Give the consumer what the core wrote."""

    def _header(self, line: bytes) -> _Header | None:
        """Return what the core is to know of the header of a line, and of all others that begin so; None where it is not ordinary."""
        text = line.decode("utf-8", "surrogateescape")
        self._look_at(text)
        found = self._heads_of([text])
        if not found.heads or self._naming != self._neighbours.naming or self._heads.differ:
            return None
        header = text[: found.elsewhere.get(0, self._heads.length)]
        return self._header_of(header, found.heads[0]) if header.isascii() else None

    def _header_of(self, header: str, head: Head) -> _Header | None:
        raise NotImplementedError

    def _hour(self, header: str, head: Head) -> _Header | None:
        """Return what all headers of an hour have in common with this one; None where they differ in more than the minutes and seconds."""
        hour = self._heads.plain_hour(header)
        return _Header(hour.before.encode(), hour.after.encode(), time=hour.time) if hour and _is_time(head.time) and _is_time(hour.time) else None


class _Header(NamedTuple):
    """What the core knows of a header (`heads.rs`)."""

    before: bytes
    after: bytes | None = None
    """What stands in front of its minutes and seconds, and behind them; None: all of it stands in front, and they are as they are."""
    base: tuple[bytes, bytes] | None = None
    """The fields that it gives an event; those of an hour in front of the time and behind it. None: no event is wanted."""
    appliance: int = 0
    time: int = 0


class _EventStream(_NativeStream):
    """Lines -> events as JSON."""

    def __init__(self, consumer: Events, clock: Clock | None, host: str | None) -> None:
        super().__init__(consumer, clock, host, _event_core(consumer.kinds))
        self.events = consumer

    def _add(self, out: bytes) -> None:
        self.events.found.append(out)

    def _header_of(self, header: str, head: Head) -> _Header:
        if not self.events.in_time(head.time):
            return _Header(header.encode())
        base, hour = dumps(head.base)[:-1], self._hour(header, head) if self.events.always else None
        if hour is None or head.time is None:
            return _Header(header.encode(), base=(base, b""))
        before, _, after = base.partition(rfc3339(head.time).encode())
        return hour._replace(base=(before, after))


@functools.lru_cache(maxsize=1)
def _event_core(kinds: frozenset[str]) -> Any:
    return _core(functools.partial(_plan_of_event, kinds))


def _plan_of_event(kinds: frozenset[str], spec: Spec) -> _Plan | None:
    if spec.kind not in kinds:
        return None
    if spec.kind == "consolidated_event":
        return _FOR_PYTHON
    plan = [*spec.plan, *([("mail_flow", spec.groups["hat_action"], MAIL_FLOW.get)] if "hat_action" in spec.groups else [])]
    fields = [(b"," + dumps({name: 0})[1:-2], _PLAIN.get(reading, ""), functools.partial(_field, name, reading)) for name, _, reading in plan]
    return [group for _, group, _ in plan], (b"," + dumps(spec.constants)[1:-1], fields)


@functools.lru_cache(maxsize=1 << 10)
def _field(name: str, reading: Callable[[str], Any] | None, value: bytes) -> bytes:
    """Return a field of an event as the core is to write it."""
    text = value.decode()
    told = text if reading is None else reading(text)
    return b"" if told is None else b"," + dumps({name: told})[1:-1]


class NativeFacts(Facts):
    """Facts of which those of ordinary lines are in the core, until they are asked for."""

    __slots__ = ("core", "keys", "odd")

    def __init__(self, limit: int | None = None) -> None:
        """Keep at most so many bytes of facts in memory; others are in a file, which has no name and goes away with them."""
        super().__init__()
        self.core = _core(_plan_of_fact)
        if limit is not None and os.name == "posix":
            with tempfile.NamedTemporaryFile(prefix="esatls-") as file:
                self.core.limit(limit // _BESIDE, file.name)
        self.odd = 0
        """How many messages and connections the core has left to Python."""
        self.keys: dict[str, int] = {}
        """The number of each appliance in the core, by its key."""

    def absorb(self, other: NativeFacts) -> None:
        """Add the facts of another part of the log. The other must not be used afterwards."""
        self.core.absorb(other.core, [self.keys.setdefault(key, len(self.keys)) for key in other.keys])
        self.merge(other)


class _FactStream(_NativeStream):
    """Lines -> facts."""

    def __init__(self, consumer: NativeFacts, clock: Clock | None, host: str | None) -> None:
        super().__init__(consumer, clock, host, consumer.core)
        self.keys = consumer.keys

    def _header_of(self, header: str, head: Head) -> _Header | None:
        if not _is_time(head.time):
            return None
        told = self._hour(header, head) or _Header(header.encode(), time=head.time)
        return told._replace(appliance=self.keys.setdefault(key_of(head.host), len(self.keys)))


def _plan_of_fact(spec: Spec) -> _Plan:
    if spec.kind == "consolidated_event":
        return _FOR_PYTHON
    store, code, groups = spec.fact
    return ((), (0, 0)) if store < 0 else (groups, (store, _CODES.index(code)))


_NAMES = (*OF_THE_PEER, *OF_TLS)
"""What facts about a connection tell, whichever tells it."""
_OF_MESSAGES, _OF_CONNECTIONS = ((MESSAGES,),), ((RECEIVING,), (DELIVERY,))
_AT_ONCE = 1_000
"""Records that are made at once."""
_ID = 8
"""Bytes of an id."""
_AHEAD = 2
"""How often each thread has made records before they are wanted."""
_ALWAYS = (-(1 << 62), 1 << 62)
"""Seconds that every time is within."""
_USERS = 1000
"""Messages of a connection that are looked at to learn of a shape."""

# what the core asks: parts of records by kind, marks, and what facts are to parts of a record
_OF_DELIVERIES, _LINK = 2, 4
"""The first kind of part that is a delivery (3: over a connection that mail passed), and the first that is a connection (5: of deliveries)."""
_OWN = 5
"""Values of its own that a record has in front of others."""
_PASSED = 2
"""What is told of a connection that mail passed."""
_GIVEN_UP = "none"
_NO_PART, _ODD_PART = 0, (1 << 32) - 1
_LONGEST = 8_000
"""Characters of the values of a fact: more are not for the core."""
_NAMED = {ordinary.RECEIVED_OVER: RECEIVING, ordinary.WENT_OVER: DELIVERY, ordinary.USED: DELIVERY, ordinary.MADE_FROM: MESSAGES}
_AS_THEY_STAND = {ordinary.LITERAL, ordinary.DISTINCT, ordinary.SORTED, ordinary.UNSHOWN}


class _Rule(NamedTuple):
    """What the core is to know of the facts of a code."""

    most: int
    flags: int
    names: int | None
    literal: list[bool]
    tells: list[int]


def _rule(code: str) -> _Rule | None:
    rule = ordinary.RULES.get(code)
    if rule is None:
        return None
    told = (
        rule.is_timed,
        rule.is_at_once,
        rule.is_seen,
        code in ("message_started", "connection_opened"),
        code in ("message_started", "connection_opened", *ordinary.LINEAGE),
        code in ordinary.LINEAGE and code not in shapes.INTERNAL,
        code in shapes.ACCEPTED or ordinary.WENT_OVER in rule.values,
        code == "connection_closed",
        code == "message_sender",
        code not in shapes.TRIES and code not in shapes.INTERNAL,
        ordinary.OWNER in rule.values,
    )
    names = FACT_TYPES[code]._fields[KEY + 1 :]
    return _Rule(
        rule.most,
        sum(1 << bit for bit, is_so in enumerate(told) if is_so),
        _NAMED.get(rule.values[0]),
        [bool(_AS_THEY_STAND & {*some}) for some in itertools.zip_longest(rule.values, rule.shown)],
        [_NAMES.index(name) + 1 if name in _NAMES else 0 for name in names if rule.shown],
    )


class _Part(NamedTuple):
    """What the core is told of a shape."""

    texts: list[Any]
    people: list[tuple[int, int]]
    lists: list[tuple[int, int]]
    mark: int
    keys: list[Any]


class _Learned:
    """What the core is told of texts and shapes, for all appliances; one thread at a time asks for it."""

    def __init__(self, dump: shapes.Dump, jobs: int, *, brief: bool) -> None:
        self.shapes = shapes.Shapes(dump, brief=brief)
        self.asking = threading.Lock()
        self.by_core = [module().Learned() for _ in range(max(1, jobs))]
        """What each thread of the core has been told."""
        self.parts: dict[Any, _Part | None] = {}
        self.marks = {_GIVEN_UP: 1}
        """A bit for each mail flow, and for each verdict on a delivery."""
        self._numbers: dict[Any, int] = {}
        self._number = itertools.count(1)

    def number(self, told: Any) -> int:
        """Return a number for something."""
        return self._numbers.setdefault(told, next(self._number))

    def mark(self, word: str | None) -> int:
        """Return the bit for a word."""
        return 0 if word is None else self.marks.setdefault(word, 1 << len(self.marks))

    def classes(self, code: str, values: list[str | None]) -> tuple[int, int, int] | None:
        """Return what a fact is to each part of a record: of a message three, of a connection beside a message and alone; None where it is not ordinary."""
        rule = ordinary.RULES[code]
        if not rule.most:
            return _NO_PART, _NO_PART, _NO_PART
        if rule.shown:
            names = FACT_TYPES[code]._fields[KEY + 1 :]
            shown = [shapes.shown_in_brief(name, kind) if self.shapes.brief else kind for name, kind in zip(names, rule.shown)]
            return self._class(code, rule.values, values), self._class(code, shown, values), _NO_PART
        # what a line says that makes messages of others is asked by the envelope alone
        received = [ordinary.NOTHING if kind == ordinary.UNSHOWN and code in ordinary.ENVELOPE else kind for kind in rule.values]
        found = (
            self._class(code, received, values) if code in ordinary.RECEIVED else _NO_PART,
            self._class(code, rule.values, values) if code in ordinary.ENVELOPE else _NO_PART,
            self._class(code, rule.values, values) if ordinary.WENT_OVER in rule.values else _NO_PART,
        )
        return None if _ODD_PART in found else found

    def _class(self, code: str, kinds: Sequence[int], values: Sequence[str | None]) -> int:
        told = [_told(code, kind, value) for kind, value in zip(kinds, values)]
        return _ODD_PART if _ODD_PART in told else self.number((code, *told))

    def part(self, kind: int, found: shapes.Fragment) -> _Part:
        """Return what the core is told of a part of a record."""
        # the first value of a connection is the domain, which stands among those of its own
        own = _OWN if kind < _OF_DELIVERIES else 0 if kind < _LINK else _OWN - 1
        places = {place for text in (*found.texts, *found.keys) if text for place in text.places} | {*found.people.values()}
        lists = sorted({place % shapes.LISTED for place in places if shapes.LISTED <= place < shapes.FIRST_OWN})
        starts = {place: own + found.size + number * shapes.MOST_LISTED for number, place in enumerate(lists)}

        def move(place: int) -> int:
            if place >= shapes.FIRST_OWN:
                return place - shapes.FIRST_OWN
            return own + place if place < shapes.LISTED else starts[place % shapes.LISTED] + place // shapes.LISTED - 1

        def told(text: shapes.Text) -> Any:
            return _pieces(text._replace(places=tuple(map(move, text.places))))

        texts = [*found.texts]
        if kind < _OF_DELIVERIES:
            # one stands in front of what is said of deliveries, the other behind
            first, last = texts
            texts = [first._replace(text=first.text and f"{first.text},"), last._replace(text=last.text and f",{last.text}")]
        return _Part(
            [*map(told, texts)],
            [(who, move(place)) for who, place in found.people.items()],
            [(own + place, start) for place, start in starts.items()],
            self.mark(found.done),
            [text and told(self._key(text)) for text in found.keys],
        )

    def _key(self, text: shapes.Text) -> shapes.Text:
        """Return what records have in common that have a text in common: a number for it, and its values."""
        return text._replace(text="%s".join([f"{self.number(text.text)}\0", *"\0" * len(text.places)])) if text.text else text


def _told(code: str, kind: int, value: str | None) -> Hashable:
    """Return what of a value makes a shape (`verdicts.ordinary`); the core looks no closer at one than `state` in judging.rs does."""
    is_there = 0 if value is None else 1 if value else 2
    if kind in (ordinary.NOTHING, ordinary.USED, ordinary.OWNER):
        return 0
    if kind == ordinary.ABSENT or not value:
        return _ODD_PART if kind == ordinary.ABSENT and value is not None else is_there
    if kind in (ordinary.SORTED, ordinary.UNSHOWN):
        return (shapes.SORTS[code](value),)
    if kind == ordinary.LITERAL:
        return value
    if kind == ordinary.DISTINCT:
        return value if _is_canonical(value) else _ODD_PART
    if kind == ordinary.NUMBER:
        return is_there if _is_canonical(value) else _ODD_PART
    if kind == ordinary.PLAIN:
        return is_there if value.isascii() and value == value.lower() and not value.endswith(".") else _ODD_PART
    if kind in _NAMED:
        return (value == "0",) if _is_canonical(value) else _ODD_PART
    return is_there


class _Asked(Known):
    """The messages and connections of one appliance, which the core judges; what `closure` asks of the core, and what the core asks."""

    def __init__(self, known: NativeFacts, number: int, host: str, learned: _Learned, contradictions: Contradictions) -> None:
        self.known, self.core, self.number, self.host = known, known.core, number, host
        self.learned, self.contradictions = learned, contradictions
        self._most = sys.maxsize

    # closure.Known

    def facts(self, store: int, key: str) -> list[Fact]:
        """Return the facts of an id."""
        found: list[Fact] = self.core.facts(self.number, store, int(key)) if _is_canonical(key) else []
        return found

    def users(self, side: int, key: str) -> list[str]:
        """Return the messages that name a connection."""
        return [*map(str, self.core.users(self.number, side, int(key), self._most))] if _is_canonical(key) else []

    def children(self, mid: str) -> list[str]:
        """Return the messages that were made from one."""
        return [*map(str, self.core.users(self.number, MESSAGES, int(mid), sys.maxsize))]

    # what the core asks

    def classes(self, code: int, values: list[bytes | None]) -> tuple[int, int, int] | None:
        """Return what a fact is to each part of a record."""
        return self.learned.classes(_CODES[code], [None if value is None else _text(value) for value in values])

    def is_own(self, sender: bytes | None) -> bool:
        """Tell whether the appliance itself has made a message from a sender that came over no connection."""
        return is_own(self.host, None if sender is None else _text(sender))

    def listed(self, text: bytes) -> list[bytes]:
        """Return the addresses that stand in a text."""
        return [_bytes(address) for address in listed(_text(text))]

    def escaped(self, text: bytes) -> bytes:
        """Return a text as it stands in a record."""
        return self.learned.shapes.dump({"": _text(text)})[5:-2]

    def delivered(self, done: int) -> bytes:
        """Return how a record begins to tell of its deliveries, from the verdicts on those that are done."""
        verdicts = {word for word, bit in self.learned.marks.items() if bit & done}
        return f'"delivered":"{of_deliveries(verdicts)}","deliveries":['.encode()

    def tries(self, mid: int) -> list[tuple[int, int, list[int]]] | None:
        """Return the deliveries of a message in their order: the place of the fact that tells of one, a number for what tells its shape, and to whom."""
        with self.learned.asking:
            tries = self._judge(mid).placed_tries(str(mid))
        return None if tries is None else [
            (place, begun | (response is not None) << 1 | (0 if ended is None else 1 + ordinary.ENDS.index(ended)) << 2, [*rids])
            for place, (_, begun, ended, _, rids, response) in tries
        ]

    def learn(self, kind: int, key: int, told: list[int], shape: list[int]) -> _Part | None:
        """Return a part of a record: how a message was received, its envelope, or one delivery; or a connection's."""
        with self.learned.asking:
            parts, known = self.learned.parts, tuple(shape)
            if known not in parts:
                if len(parts) >= ordinary.MOST_SHAPES:
                    return None
                found = self._judge(key).part(kind, str(key), *told) if kind < _LINK else self._link(kind - _LINK, str(key), *told)
                parts[known] = found and self.learned.part(kind, found)
            return parts[known]

    def _judge(self, mid: int) -> shapes.Judge:
        self._most = _USERS
        judge = shapes.Judge(self.host, together(self, [str(mid)]), self.learned.shapes)
        self._most = sys.maxsize
        return judge

    def _link(self, side: int, key: str, state: int, has_domain: int, flow: int, user: int, *moments: int) -> shapes.Fragment | None:
        flows = [word for word, bit in self.learned.marks.items() if bit == flow]
        used = shapes.Used(str(user), moments if state == _PASSED else (), flows[0] if flows else "", bool(has_domain), is_used=state > 0)
        return shapes.link(shapes.Judge(self.host, ({}, {}, {}), self.learned.shapes), side, self.facts(side, key), used)

    def odd(self, store: int, ids: list[str], range_: tuple[int, int]) -> dict[str, list[Any]]:
        """Return the records that the general code gives."""
        found: dict[str, list[Any]]
        if store == MESSAGES:
            appliance = Appliance(self.host, together(self, ids))
            found = {mid: [record for _, record in messages_of(appliance, only={mid})] for mid in ids}
        else:
            appliance = Appliance(self.host, together(self, (), [(store, key) for key in ids]))
            found = {
                key: [
                    record
                    for connection, record in connections_of(appliance, [(store, key)])
                    if max(times := times_of(connection)) >= range_[0] and min(times) < range_[1]
                ]
                for key in ids
            }
        self.contradictions.look(appliance)
        return found

    def records(self, stores: Sequence[int], range_: tuple[int, int], jobs: int, groups: Groups | None) -> Iterator[list[Any]]:
        """Yield the records of all messages, or of all connections of a side, many at a time: as lines of JSON, or by themselves.

        Of those that go to groups, only the ones that are in none are given.
        """
        counted = None if groups is None else groups.core
        ids = self.core.ids(self.number, stores)

        def some(start: int, thread: int) -> list[Any]:
            found: list[Any] = []
            later: list[tuple[int, int, str]] = []
            these = ids[start : start + _AT_ONCE * _ID]
            parts, odd = _answer(self.core.records, self.number, these, _bytes(self.host), range_, self, self.learned.by_core[thread], counted)
            out = parts[0] if groups is None else b""
            if groups is not None:
                found.append(groups.rest(parts))
            done = 0
            for place, store, key in odd:
                if groups is None:
                    found.append(out[done:place])
                    done = place
                later.append((len(found), store, str(key)))
                found.append(b"")
            found.append(out[done:])
            for store in stores if later else ():
                with self.learned.asking:
                    keys = [key for _, odd_store, key in later if odd_store == store]
                    self.known.odd += len(keys)
                    told = self.odd(store, keys, range_)
                for place, odd_store, key in later:
                    if odd_store == store:
                        found[place] = told[key]
            return found

        return _in_turn(some, range(0, len(ids), _AT_ONCE * _ID), jobs)


def _in_turn(work: Callable[[int, int], list[Any]], given: Sequence[int], jobs: int) -> Iterator[list[Any]]:
    """Yield what some work gives for each of these, in their order; threads do it, a little ahead."""
    if jobs < 2 or len(given) < 2:
        yield from (work(one, 0) for one in given)
        return
    done: list[queue.Queue[list[Any] | BaseException]] = [queue.Queue(_AHEAD) for _ in range(min(jobs, len(given)))]
    over: list[bool] = []

    def run(job: int) -> None:
        try:
            for one in given[job :: len(done)]:
                if over:
                    return
                done[job].put(work(one, job))
        except BaseException as error:  # noqa: BLE001 - raised again below
            done[job].put(error)

    for job in range(len(done)):
        threading.Thread(target=run, args=(job,), daemon=True).start()
    try:
        for number in range(len(given)):
            found = done[number % len(done)].get()
            if isinstance(found, BaseException):
                raise found
            yield found
    finally:
        over.append(True)
        for one in done:
            while not one.empty():
                one.get()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _text(text: bytes) -> str:
    return text.decode("utf-8", "surrogateescape")


def _is_canonical(key: str) -> bool:
    return key.isascii() and key.isdigit() and (key[0] != "0" or key == "0") and len(key) <= LONGEST_NUMBER


def _pieces(text: shapes.Text) -> tuple[list[tuple[bytes, int]], bytes]:
    """Return the texts in front of the values that stand in a text, with their places, and the rest."""
    found = [""]
    for piece in re.split("(%%|%s)", text.text):
        if piece == "%s":
            found.append("")
        else:
            found[-1] += "%" if piece == "%%" else piece
    return [(piece.encode(), place) for piece, place in zip(found, text.places)], found[-1].encode()


def is_judging(known: NativeFacts, *, connections: bool = True) -> bool:
    """Have the core judge messages, and connections; tell whether it can. Where it cannot, the facts are all Python's (`drained`)."""
    names = appliances([*known.hosts, *known.keys])
    can = not known.has_witnesses and all(name == key for key, name in names.items()) and _given_back(known)
    if can and (known.core.is_plain() or not connections):
        return True
    drained(known)
    return False


def _records(
    known: NativeFacts,
    stores: Iterable[Sequence[int]],
    dump: shapes.Dump,
    contradictions: Contradictions,
    range_: tuple[int, int] = _ALWAYS,
    jobs: int = 1,
    groups: Groups | None = None,
) -> Iterator[list[Any]]:
    learned = _Learned(dump, jobs, brief=groups is not None)
    for host, number in sorted(known.keys.items()):
        for some in stores:
            yield from _Asked(known, number, host, learned, contradictions).records(some, range_, jobs, groups)


def message_lines(known: NativeFacts, dump: shapes.Dump, contradictions: Contradictions, jobs: int = 1) -> Iterator[bytes]:
    """Yield the records of all messages as lines, many at a time, judged by some threads; what shows of contradictions is added to them by the end."""
    if not is_judging(known, connections=False):
        for record in messages(known, contradictions):
            yield dump(record) + b"\n"
        return
    yield from _lines(_records(known, _OF_MESSAGES, dump, contradictions, jobs=jobs), dump)


def message_records(known: NativeFacts, contradictions: Contradictions, jobs: int = 1) -> Iterator[MessageRecord]:
    """Yield the records of all messages; the core is judging (`is_judging`), in some threads."""
    return _loaded(_records(known, _OF_MESSAGES, dumps, contradictions, jobs=jobs))


def connection_records(
    known: NativeFacts, contradictions: Contradictions, since: Time | None = None, until: Time | None = None, jobs: int = 1
) -> Iterator[ConnectionRecord]:
    """Yield the records of all connections that were in use within some time, likewise."""
    return _loaded(_records(known, _OF_CONNECTIONS, dumps, contradictions, _seconds(since, until), jobs))


def counted(
    known: NativeFacts, contradictions: Contradictions, since: Time | None = None, until: Time | None = None, jobs: int = 1
) -> Iterator[ConnectionRecord | MessageRecord | Alike]:
    """Yield what a report counts of the connections and of the messages that were in use within some time, those that are counted alike at once."""
    from esatls.report import alike

    groups = alike.Groups(module().Groups)
    for block in _records(known, ((RECEIVING, DELIVERY, MESSAGES),), dumps, contradictions, _seconds(since, until), jobs, groups):
        yield from itertools.chain.from_iterable(block)
    yield from groups


def connection_lines(
    known: NativeFacts, contradictions: Contradictions, since: Time | None = None, until: Time | None = None, jobs: int = 1
) -> Iterator[bytes]:
    """Yield them as lines, many at a time."""
    return _lines(_records(known, _OF_CONNECTIONS, dumps, contradictions, _seconds(since, until), jobs), dumps)


def _seconds(since: Time | None, until: Time | None) -> tuple[int, int]:
    return _ALWAYS[0] if since is None else math.ceil(since), _ALWAYS[1] if until is None else math.ceil(until)


def _lines(blocks: Iterator[list[Any]], dump: shapes.Dump) -> Iterator[bytes]:
    for block in blocks:
        yield b"".join([part if isinstance(part, bytes) else b"".join([dump(record) + b"\n" for record in part]) for part in block])


def _loaded(blocks: Iterator[list[Any]]) -> Iterator[Any]:
    for block in blocks:
        for part in block:
            yield from map(loads, part.splitlines()) if isinstance(part, bytes) else part


def _given_back(known: NativeFacts) -> bool:
    """Give the core the facts that Python has read; tell whether it has taken all."""
    codes = {code: number for number, code in enumerate(_CODES)}
    for stores in known.hosts.values():
        for store in stores:
            for facts in store.values():
                for fact in facts:
                    if not _is_time(fact[TIME]) or len(fact) != len(FACT_TYPES[fact[CODE]]._fields) - 1:
                        return False
                    if not _is_canonical(fact[KEY]) or sum(len(value) for value in fact[KEY + 1 :] if value) > _LONGEST:
                        return False
    for host, stores in known.hosts.items():
        number = known.keys.setdefault(host, len(known.keys))
        for place, store in enumerate(stores):
            told = [
                (codes[fact[CODE]], fact[TIME], int(fact[KEY]), [None if value is None else _bytes(value) for value in fact[KEY + 1 :]])
                for facts in store.values()
                for fact in facts
            ]
            _answer(known.core.put, number, place, told)
    known.hosts = {}
    return True
