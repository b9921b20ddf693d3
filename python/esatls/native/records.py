"""Records that the core makes, in threads: as lines, as dicts, or counted."""

from __future__ import annotations

import itertools
import math
import queue
import sys
import threading
from typing import TYPE_CHECKING, Any, Callable

from esatls.extraction.fact_types import DELIVERY, MESSAGES, RECEIVING
from esatls.native import ordinary, shapes
from esatls.native.core import CODES, answer, to_bytes, to_text
from esatls.native.kept import NativeFacts, first_store, is_judging
from esatls.native.told import BEGUN, Learned, Part, is_canonical
from esatls.output.json_lines import dumps, loads
from esatls.verdicts.appliance import Appliance, is_own
from esatls.verdicts.closure import Known, together
from esatls.verdicts.inheritance import listed
from esatls.verdicts.records import connections_of, messages, messages_of, times_of
from esatls.verdicts.words import of_deliveries

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from esatls.extraction.fact_types import Fact
    from esatls.lines.clock import Time
    from esatls.report.counts import Alike
    from esatls.verdicts.contradictions import Contradictions
    from esatls.verdicts.record_types import ConnectionRecord, MessageRecord

_OF_MESSAGES, _OF_CONNECTIONS = ((MESSAGES,),), ((RECEIVING,), (DELIVERY,))
_AT_ONCE = 1_000
"""Records made in one call."""
_ID = 8
"""Bytes of an id."""
_AHEAD = 2
"""Calls whose records each thread may have ready."""
_ALWAYS = (-(1 << 62), 1 << 62)
"""A time range that holds every time."""
_USERS = 1000
"""The most messages of a connection that are looked at to learn a shape."""
_PASSED = 2
"""The state of a connection over which mail passed."""


def message_lines(known: NativeFacts, dump: shapes.Dump, contradictions: Contradictions, jobs: int = 1) -> Iterator[bytes]:
    """Yield the records of all messages as lines, many at a time, and note contradictions. `jobs` is the number of threads."""
    if not is_judging(known, connections=False):
        for record in messages(known, contradictions):
            yield dump(record) + b"\n"
        return
    yield from _lines(_records(known, _OF_MESSAGES, Learned(dump, jobs), contradictions, jobs=jobs), dump)


def message_records(known: NativeFacts, contradictions: Contradictions, jobs: int = 1) -> Iterator[MessageRecord]:
    """Yield the records of all messages; the core must be judging (`is_judging`)."""
    return _loaded(_records(known, _OF_MESSAGES, Learned(dumps, jobs), contradictions, jobs=jobs))


def connection_records(
    known: NativeFacts, contradictions: Contradictions, since: Time | None = None, until: Time | None = None, jobs: int = 1
) -> Iterator[ConnectionRecord]:
    """Yield the records of all connections that were in use in a time range; the core must be judging."""
    return _loaded(_records(known, _OF_CONNECTIONS, Learned(dumps, jobs), contradictions, _seconds(since, until), jobs))


def connection_lines(
    known: NativeFacts, contradictions: Contradictions, since: Time | None = None, until: Time | None = None, jobs: int = 1
) -> Iterator[bytes]:
    """Yield the same records as lines, many at a time."""
    return _lines(_records(known, _OF_CONNECTIONS, Learned(dumps, jobs), contradictions, _seconds(since, until), jobs), dumps)


def counted(
    known: NativeFacts, contradictions: Contradictions, since: Time | None = None, until: Time | None = None, jobs: int = 1
) -> Iterator[ConnectionRecord | MessageRecord | Alike]:
    """Yield what a report counts of the connections and messages of a time range; those that are counted alike come as one."""
    from esatls.report import groups

    learned = Learned(dumps, jobs, groups.FAMILIES)
    for told, *odd in _records(known, ((RECEIVING, DELIVERY, MESSAGES),), learned, contradictions, _seconds(since, until), jobs):
        yield from groups.by_itself(told)
        yield from itertools.chain.from_iterable(odd)
    yield from groups.together(one.take() for one in learned.by_core)


class _Asked(Known):
    """The messages and connections of one appliance. It answers the core's questions, and asks the core for `closure`."""

    def __init__(self, known: NativeFacts, host: str, learned: Learned, contradictions: Contradictions) -> None:
        self.known, self.core, self.host = known, known.core, host
        self.first, self.name, self.range = first_store(host), to_bytes(host), _ALWAYS  # `Wanted` in judging.rs
        self.learned, self.contradictions = learned, contradictions
        self._most = sys.maxsize

    # closure.Known

    def facts(self, store: int, key: str) -> list[Fact]:
        """Return the facts of an id."""
        found: list[Fact] = self.core.of(self.first + store, int(key)) if is_canonical(key) else []
        return found

    def users(self, side: int, key: str) -> list[str]:
        """Return the messages that name a connection."""
        return [*map(str, self.core.users(self.first + side, int(key), self._most))] if is_canonical(key) else []

    def children(self, mid: str) -> list[str]:
        """Return the messages that were made from one."""
        return [*map(str, self.core.users(self.first + MESSAGES, int(mid), sys.maxsize))]

    # what the core asks

    def classes(self, code: int, values: list[bytes | None]) -> tuple[int, int, int] | None:
        """Return what a fact means to the parts of records."""
        with self.learned.asking:
            return self.learned.classes(CODES[code], [None if value is None else to_text(value) for value in values])

    def is_own(self, sender: bytes | None) -> bool:
        """Tell whether the appliance itself created a message from this sender that came over no connection."""
        return is_own(self.host, None if sender is None else to_text(sender))

    def listed(self, text: bytes) -> list[bytes]:
        """Return the addresses listed in a text."""
        return [to_bytes(address) for address in listed(to_text(text))]

    def escaped(self, text: bytes) -> bytes:
        """Return a text as it stands in a record."""
        return self.learned.shapes.escaped(to_text(text)).encode()

    def delivered(self, done: int) -> bytes:
        """Return how the deliveries begin in a record, from the verdicts of the completed ones."""
        with self.learned.asking:
            verdicts = {word for word, bit in self.learned.marks.items() if bit & done}
        return f'"delivered":"{of_deliveries(verdicts)}","deliveries":['.encode()

    def tries(self, mid: int, shape: list[int]) -> list[tuple[int, int, list[int]]] | None:
        """Return the deliveries of a message in order (`Try` in judging.rs); None: they are not ordinary."""
        known = tuple(shape)
        with self.learned.asking:
            if known not in self.learned.tries:
                tries = shapes.placed_tries(self.facts(MESSAGES, str(mid)))
                self.learned.tries[known] = (
                    None
                    if tries is None
                    else [
                        (place, begun * BEGUN | (response is not None) << 1 | (0 if ended is None else 1 + ordinary.ENDS.index(ended)) << 2, [*rids])
                        for place, (_, begun, ended, _, rids, response) in tries
                    ]
                )
            return self.learned.tries[known]

    def learn(self, kind: int, key: int, told: list[int], shape: list[int]) -> Part | None:
        """Return a part of a record of a message, or the record of a connection; None: it is not ordinary."""
        with self.learned.asking:
            parts, known = self.learned.parts, tuple(shape)
            if known not in parts:
                if len(parts) >= ordinary.MOST_SHAPES:
                    return None
                found = self._judge(key).part(kind, str(key), *told) if kind < shapes.LINK_PART else self._link(kind - shapes.LINK_PART, str(key), *told)
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
        """Return the records that the general code makes."""
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
        self.contradictions.look(appliance, self.facts)
        return found

    def records(self, stores: Sequence[int], range_: tuple[int, int], jobs: int) -> Iterator[list[Any]]:
        """Yield the records of all messages, or of all connections of some sides, many at a time: as lines of JSON, or as dicts.

        When counting, lines of the records that are counted by themselves come first, for each family.
        """
        ids = answer(self.core.ids, self.first, stores)
        self.range, is_counted = range_, bool(self.learned.families)

        def some(start: int, thread: int) -> list[Any]:
            later: list[tuple[int, int, str]] = []
            these = ids[start : start + _AT_ONCE * _ID]
            parts, odd = answer(self.core.records, these, self, self.learned.by_core[thread])
            out, found = (b"", [parts]) if is_counted else (parts[0], list[Any]())
            done = 0
            for place, store, key in odd:
                if not is_counted:
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


def _records(
    known: NativeFacts,
    stores: Iterable[Sequence[int]],
    learned: Learned,
    contradictions: Contradictions,
    range_: tuple[int, int] = _ALWAYS,
    jobs: int = 1,
) -> Iterator[list[Any]]:
    for host in sorted(known.keys):
        for some in stores:
            yield from _Asked(known, host, learned, contradictions).records(some, range_, jobs)


def _in_turn(work: Callable[[int, int], list[Any]], given: Sequence[int], jobs: int) -> Iterator[list[Any]]:
    """Yield the result of some work for each of these, in order; threads work a little ahead."""
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


def _seconds(since: Time | None, until: Time | None) -> tuple[int, int]:
    return _ALWAYS[0] if since is None else math.ceil(since), _ALWAYS[1] if until is None else math.ceil(until)


def _lines(blocks: Iterator[list[Any]], dump: shapes.Dump) -> Iterator[bytes]:
    for block in blocks:
        yield b"".join([part if isinstance(part, bytes) else b"".join([dump(record) + b"\n" for record in part]) for part in block])


def _loaded(blocks: Iterator[list[Any]]) -> Iterator[Any]:
    for block in blocks:
        for part in block:
            yield from map(loads, part.splitlines()) if isinstance(part, bytes) else part
