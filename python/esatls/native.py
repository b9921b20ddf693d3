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
from esatls.output.text import MARKS
from esatls.verdicts import lives, ordinary, shapes
from esatls.verdicts.appliance import Appliance, is_own
from esatls.verdicts.closure import Known, together
from esatls.verdicts.envelope import listed
from esatls.verdicts.facts import Facts
from esatls.verdicts.hosts import appliances, key_of
from esatls.verdicts.records import OF_THE_PEER, OF_TLS, connections_of, messages, messages_of, times_of
from esatls.verdicts.words import of_deliveries

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

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
_CODES = tuple(sorted(FACT_TYPES))
_LATEST = 1 << 32
_BESIDE = 3
"""The core needs twice as much for where facts are as for the facts that it keeps in memory."""
_PIECE = 1 << 16
"""Bytes that Python reads where the core can take nothing."""
_PLAIN: dict[Any, str] = {None: "text", int: "number"}
"""What a value of a field is that the core writes as it stands, by how the field is read (`extraction.match`)."""


def _marks() -> list[tuple[int, int]]:
    return [(ord(first), ord(last or first)) for first, last in re.findall(r"(.)(?:-(.))?", MARKS, re.DOTALL) if not "\ud800" <= first <= "\udfff"]


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
        for key, number in known.keys.items():
            known.core.drain(number, known.stores(key))
    return known


def _core(plan: Callable[[Spec], _Plan | None]) -> Any:
    """Return a new core that does with each line what `plan` says of its pattern; None: the line is not wanted."""
    matchers = []
    for start, (text, _, _) in MATCHERS.items():
        specs = specs_of(start)
        plans = [(last, *told) for last, spec in specs.items() if (told := plan(spec)) is not None]
        if plans:
            matchers.append((start.encode(), text, front_of(specs), plans))
    return module().Core(matchers, _ODD, SHORTEST_CUT, _CODES, _marks(), _table(brief=False))


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

    __slots__ = ("core", "keys")

    def __init__(self, limit: int | None = None) -> None:
        """Keep at most so many bytes of facts in memory; others are in a file, which has no name and goes away with them."""
        super().__init__()
        self.core = _core(_plan_of_fact)
        if limit is not None and os.name == "posix":
            self.core.limit(limit // _BESIDE, tempfile.gettempdir())
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


_KINDS = {
    ordinary.NOTHING: "nothing",
    ordinary.ABSENT: "absent",
    ordinary.TEXT: "text",
    ordinary.ONCE: "once",
    ordinary.LITERAL: "literal",
    ordinary.DISTINCT: "distinct",
    ordinary.SORTED: "sorted",
    ordinary.UNSHOWN: "sorted",
    ordinary.RECEIVED_OVER: "same",
    ordinary.WENT_OVER: "delivery",
    ordinary.USED: "used",
    ordinary.MADE_FROM: "parent",
    ordinary.OWNER: "owner",
    ordinary.NUMBER: "number",
    ordinary.PLAIN: "plain",
}
"""How the core calls what a value is to a shape."""
_NAMES = (*OF_THE_PEER, *OF_TLS)
"""What facts about a connection tell, whichever tells it."""
_OF_MESSAGES, _OF_CONNECTIONS = ((MESSAGES,),), ((RECEIVING,), (DELIVERY,))
_AT_ONCE = 1_000
"""Records that are made at once."""
_AHEAD = 2
"""How often each thread has made records before they are wanted."""
_ALWAYS = (-(1 << 62), 1 << 62)
"""Seconds that every time is within."""
_LINK = 4
"""The number of the part of a record from which on they are those of connections: 4 receiving, 5 delivery."""
_USERS = 1000
"""Messages of a connection that are looked at to learn of a shape."""


def _flags(code: str, rule: ordinary.Rule) -> int:
    """Return what the core is to know of the facts of a code, a bit each."""
    told = (
        rule.is_timed,
        rule.is_seen,
        code in ordinary.RECEIVED,
        code in ordinary.ENVELOPE,
        code == "message_started",
        code in ordinary.LINEAGE,
        code in shapes.INTERNAL,
        code == "connection_opened",
        code == "delivery_started",
        code in shapes.TRIES,
        code in shapes.ACCEPTED or ordinary.WENT_OVER in rule.values,
        code == "connection_closed",
        rule.is_at_once,
        code == "message_sender",
    )
    return sum(1 << bit for bit, is_so in enumerate(told) if is_so)


def _table(*, brief: bool) -> Any:
    """Return what makes lives ordinary; `brief` if records have only what a report counts."""
    rules: list[Any] = []
    for code in _CODES:
        rule, names = ordinary.RULES.get(code), FACT_TYPES[code]._fields[KEY + 1 :]
        if rule is None:
            rules.append(None)
            continue
        shown = [shapes.shown_in_brief(name, value) if brief else value for name, value in zip(names, rule.shown)]
        numbers = [_NAMES.index(name) + 1 if name in _NAMES else 0 for name in names] if shown else []
        kinds, told = ([_KINDS[value] for value in values] for values in (rule.values, shown))
        rules.append((shapes.ORDER[code], rule.most, kinds, _flags(code, rule), told, numbers))
    silence = min(lives.FINISHED_SILENCE, lives.CONNECTION_SILENCE)
    return rules, lives.SAME_OPENING, silence, shapes.FIRST_OWN, ordinary.MOST_SHAPES


class _Learned:
    """What the core is told of texts and shapes, for all appliances; one thread at a time asks for it."""

    def __init__(self, dump: shapes.Dump, *, brief: bool) -> None:
        self.shapes = shapes.Shapes(dump, brief=brief)
        self.asking = threading.Lock()
        self._sorts: dict[Any, int] = {}
        self._number = itertools.count(1)

    def sort(self, code: int, text: str) -> int:
        """Return a number for what verdicts look for in a text."""
        key = code, shapes.SORTS[_CODES[code]](text)
        number = self._sorts.get(key)
        return self._sorts.setdefault(key, next(self._number)) if number is None else number

    def is_own(self, host: str, sender: str | None) -> bool:
        """Tell whether an appliance itself has made a message from a sender that came over no connection; `host` is as it stands in a record."""
        return is_own(loads(f'"{host}"'.encode()), sender)

    def listed(self, text: str) -> list[bytes]:
        """Return the addresses that stand in a text."""
        return [address.encode() for address in listed(text)]

    def key(self, text: shapes.Text) -> Any:
        """Return what records have in common that have a text in common: a number for it, and its values."""
        if not text.text:
            return [], b""
        number = self._sorts.setdefault(text.text, next(self._number))
        return _pieces(text._replace(text="%s".join([f"{number}\0", *"\0" * len(text.places)])))

    def delivered(self, done: set[str]) -> bytes:
        """Return how a record begins to tell of its deliveries, from the verdict on each that is done."""
        return f'"delivered":"{of_deliveries(done)}","deliveries":['.encode()


class _Asked(Known):
    """The messages and connections of one appliance, which the core judges; what `closure` asks of the core."""

    def __init__(self, core: Any, number: int, host: str, learned: _Learned, contradictions: Contradictions) -> None:
        self.core, self.number, self.host = core, number, host
        self.learned, self.contradictions = learned, contradictions
        self._most = sys.maxsize

    # closure.Known

    def facts(self, store: int, key: str) -> list[Fact]:
        """Return the facts of an id."""
        found: list[Fact] = self.core.facts(self.number, store, int(key)) if _is_canonical(key) else []
        return found

    def users(self, side: int, key: str) -> list[str]:
        """Return the messages that name a connection."""
        found: list[str] = self.core.users(self.number, side, int(key), self._most) if _is_canonical(key) else []
        return found

    def children(self, mid: str) -> list[str]:
        """Return the messages that were made from one."""
        found: list[str] = self.core.users(self.number, MESSAGES, int(mid), sys.maxsize)
        return found

    # what the core asks

    def learn(self, kind: int, key: str, told: str) -> Any:
        """Return a part of a record: how a message was received, its envelope, or one delivery (3: over a connection that mail passed); or a connection's."""
        if kind < _LINK:
            self._most = _USERS
            judge = shapes.Judge(self.host, together(self, [key]), self.learned.shapes)
            self._most = sys.maxsize
            part = judge.part(kind, key, told)
        else:
            words, _, moments = told.partition(":")
            state, has_domain, mid, flow = words.split(" ")
            times = [*map(int, moments.split())] if state == "2" else []
            used = shapes.Used(mid, times, flow, has_domain == "1", is_used=state != "0")
            part = shapes.link(shapes.Judge(self.host, ({}, {}, {}), self.learned.shapes), kind - _LINK, self.facts(kind - _LINK, key), used)
        if part is None:
            return None
        keys = [text and self.learned.key(text) for text in part.keys]
        return [_pieces(text) for text in part.texts], [*part.people.items()], part.done, keys

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
        host = self.learned.shapes.dump({"": self.host})[5:-2]

        def some(start: int) -> list[Any]:
            found: list[Any] = []
            later: list[tuple[int, int, str]] = []
            at, end = start, min(start + _AT_ONCE, len(ids))
            while at < end:
                parts, at, odd, question = _answer(self.core.records, self.number, ids, host, range_, at, end - at, self.learned, counted)
                if groups is None:
                    (out,) = parts
                else:
                    out = b""
                    found.append(groups.rest(parts))
                done = 0
                for place, store, key in odd:
                    found.append(out[done:place])
                    later.append((len(found), store, key))
                    found.append(b"")
                    done = place
                found.append(out[done:])
                if question is not None:
                    key, *asked = question
                    with self.learned.asking:
                        if not self.core.knows(key):
                            self.core.tell(key, self.learn(*asked))
            for store in stores if later else ():
                with self.learned.asking:
                    told = self.odd(store, [key for _, odd_store, key in later if odd_store == store], range_)
                for place, odd_store, key in later:
                    if odd_store == store:
                        found[place] = told[key]
            return found

        return _in_turn(some, range(0, len(ids), _AT_ONCE), jobs)


def _in_turn(work: Callable[[int], list[Any]], given: Sequence[int], jobs: int) -> Iterator[list[Any]]:
    """Yield what some work gives for each of these, in their order; threads do it, a little ahead."""
    if jobs < 2 or len(given) < 2:
        yield from map(work, given)
        return
    done: list[queue.Queue[list[Any] | BaseException]] = [queue.Queue(_AHEAD) for _ in range(min(jobs, len(given)))]
    over: list[bool] = []

    def run(job: int) -> None:
        try:
            for one in given[job :: len(done)]:
                if over:
                    return
                done[job].put(work(one))
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


def _is_canonical(key: str) -> bool:
    return key.isdigit() and (key[0] != "0" or key == "0") and len(key) <= LONGEST_NUMBER


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
    if can and not (connections and not all(map(known.core.is_plain, known.keys.values()))):
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
    learned = _Learned(dump, brief=groups is not None)
    for host, number in sorted(known.keys.items()):
        for some in stores:
            yield from _Asked(known.core, number, host, learned, contradictions).records(some, range_, jobs, groups)


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
    """Yield what a report counts of the connections and of the messages that were in use within some time, those that are counted alike at once.

    From then on, the core has brief records only.
    """
    from esatls.report import alike

    known.core.judge_by(_table(brief=True))
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
                    if not _is_canonical(fact[KEY]):
                        return False
    for host, stores in known.hosts.items():
        number = known.keys.setdefault(host, len(known.keys))
        for place, store in enumerate(stores):
            told = [
                (codes[fact[CODE]], fact[TIME], fact[KEY], [None if value is None else value.encode("utf-8", "surrogateescape") for value in fact[KEY + 1 :]])
                for facts in store.values()
                for fact in facts
            ]
            if told and not known.core.put(number, place, told):
                raise EsatlsError("too many facts for one process; give it less of the log, or more of them")
    known.hosts = {}
    return True
