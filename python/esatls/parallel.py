"""Several processes read one log, each a part of it; then their facts are merged.

If processes cannot be forked (Windows, macOS), or the input is small, one process does it all. If the compiled core keeps the facts, threads read them.
"""

from __future__ import annotations

import contextlib
import itertools
import marshal
import mmap
import os
import select
import signal
import struct
import sys
import threading
from operator import itemgetter
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, Any, Callable, NamedTuple, TypeVar, Union

from esatls import compiled
from esatls.errors import EsatlsError
from esatls.extraction.blocks import BlockStream
from esatls.extraction.cuts import clocks_at, cuts
from esatls.extraction.probe import Probe, clock_of, probe
from esatls.extraction.stream import UNRECOGNIZED, Consumer, Counts
from esatls.lines import sources
from esatls.lines.clock import parse_rfc3339
from esatls.lines.log_head import by_offset, shifted
from esatls.lines.sources import Reader, Source
from esatls.verdicts.facts import Facts
from esatls.verdicts.hosts import appliances

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import tzinfo

    from esatls.extraction.event_record import EventRecord
    from esatls.extraction.event_stream import Events
    from esatls.lines.clock import Clock, Time
    from esatls.native import NativeFacts
    from esatls.on_disk import FactsOnDisk, Parts
    from esatls.verdicts.contradictions import Contradictions
    from esatls.verdicts.partition import Portion
    from esatls.verdicts.record_types import MessageRecord
    from esatls.verdicts.records import Whole

EVENTS_PART = 1 << 22
"""Bytes of log whose events are in memory at once."""
LEAST_PART = 1 << 22
"""The fewest bytes of log that are worth a process."""
_FACTS_OF_A_BYTE = 4
"""Bytes of memory that the facts in one byte of log take."""
_PACKED = 10
"""How many times larger the text of a compressed log is."""
LARGEST_DOCUMENT = 1 << 29
"""The most bytes of a message-tracking document, which is read whole: one that is unpacked may have no end."""
_One = TypeVar("_One")
_SIFTED = ("TLS", "ESADaneStatus")
"""Words by which to find the events that `events` shows by default: nearly all have the first one, the few others have the second."""


Judging = Union["NativeFacts", "Whole", "Parts", "Portion"]
"""What is to be judged: all that was read (by the core, one appliance at a time, or from a file), or a portion of it."""
Feed = Callable[[BlockStream, bytes], object]
"""Gives a block to a stream."""
MakeStream = Callable[[Consumer, "Clock | None", "str | None"], BlockStream]
"""Makes a stream for a consumer, with a clock and a host."""


class Options(NamedTuple):
    """How to read: the time zone of the timestamps (None: as the file's head says), the year, the appliance, the number of processes.

    `common` is the time zone of files whose heads name none; `hosts` names the appliance of some files, by path.
    """

    zone: tzinfo | None = None
    year: int | None = None
    host: str | None = None
    jobs: int = 1
    common: tzinfo | None = None
    hosts: Mapping[str, str] = MappingProxyType({})
    probes: Mapping[str, Probe] = MappingProxyType({})
    """What is already known about files, by path."""
    memory: int | None = None
    """Bytes of memory for facts, of all threads together; facts that need more go to a temporary file. None: no limit."""


class Progress:
    """Bytes read so far, shared by all processes; `show` is called now and then with the sum."""

    def __init__(self) -> None:
        self.show: Callable[[int], None] | None = None
        self.cells = mmap.mmap(-1, 4096)
        self.kept: object = None
        """What was read, so that it lives as long as this."""

    def note(self, job: int, done: int) -> None:
        """Note how many bytes one process has read."""
        struct.pack_into("q", self.cells, 8 * job, done)
        if job == 0:
            self.tick()

    def tick(self) -> None:
        """Show the sum."""
        if self.show is not None:
            self.show(sum(struct.unpack_from("512q", self.cells)))


class Part(NamedTuple):
    """A part of one source, and the clock for its timestamps (None: the clock of the source, found when it is read)."""

    source: Source
    clock: Clock | None = None
    start: int = 0
    end: int | None = None
    heads: bool = False
    """Whether heads further on may name another time zone."""
    whole: bool = True
    """Whether it is all of the source."""
    number: int = 0
    """Its place among the parts of all sources."""


Problems = list[tuple[int, str]]
"""Problems of parts of the input, each behind the number of its part."""


def can_fork() -> bool:
    """Tell whether this system can run several processes on one log."""
    return hasattr(os, "fork") and sys.platform != "darwin"


# for a quick start, the compiled core and the modules that judge messages are loaded only when needed


def _new_stream(consumer: Consumer, clock: Clock | None, host: str | None) -> BlockStream:
    if compiled.module() is None:
        return BlockStream(consumer, clock, host)
    from esatls import native

    return native.stream(consumer, clock, host)


def _new_facts() -> Facts:
    if compiled.module() is None:
        return Facts()
    from esatls import native

    return native.facts()


def _drained(facts: Facts) -> Facts:
    if compiled.module() is None:
        return facts
    from esatls import native

    return native.drained(facts)


def _feed(stream: BlockStream, block: bytes) -> None:
    stream.feed(block)


def _sift(stream: BlockStream, block: bytes) -> None:
    stream.sift(block, *_SIFTED)


def _parts(found: list[Source], options: Options, size: int | None) -> list[Part]:
    """Cut the sources into parts of about `size` bytes (None: as many per source as there are jobs); a single process reads them whole."""
    parts: list[Part] = []
    for source in found:
        told = options.probes.get(source.path)
        if told is None or told.is_tracking or options.jobs < 2 or not can_fork() or not sources.is_plain(source):
            parts.append(Part(source))
            continue
        clock = clock_of(source, told, options.zone or options.common, options.year)
        heads = options.zone is None and bool(told.offsets)
        at = cuts(source, options.jobs if size is None else max(1, source.size // size), LEAST_PART)
        starts = at[:-1]
        clocks = clocks_at(source, clock, starts, told.table) if heads and len(starts) > 1 else [clock] * len(starts)
        parts += [Part(source, *part, heads, whole=len(starts) == 1) for part in zip(clocks, starts, at[1:])] or [Part(source, clock, heads=heads)]
    return [part._replace(number=number) for number, part in enumerate(parts)]


def _alone(parts: list[Part], options: Options) -> bool:
    """Tell whether one process is to read all parts."""
    return len(parts) < 2 or options.jobs < 2 or not can_fork()


def _noting(problems: Problems, part: Part) -> sources.Warn:
    """Return a function that notes the problems of a part."""
    return lambda problem: problems.append((part.number, problem))


def _tell(problems: Problems, warn: sources.Warn) -> None:
    """Report the problems in the order of the input, whoever met them first."""
    for _, problem in sorted(problems, key=itemgetter(0)):
        warn(problem)


def read(
    part: Part,
    consumer: Consumer,
    options: Options,
    warn: sources.Warn,
    counts: Counts,
    note: Callable[[int], None],
    feed: Feed = _feed,
    make: MakeStream = _new_stream,
) -> Iterator[None]:
    """Feed one part to a consumer, a block at a time; yields after each block."""
    source = part.source
    try:
        reader = Reader(source, warn, part.start, part.end)
    except OSError as error:  # it could still be found a moment ago
        warn(f"{source.name}: {(error.strerror or str(error)).lower()}")
        return
    host = options.host or options.hosts.get(source.path)
    clock, heads, told = part.clock, part.heads, options.probes.get(source.path)
    if clock is None:
        told = told or probe(reader, dated=options.year is not None)
        if told.is_tracking:
            counts.add(_tracking(reader, consumer, host))
            reader.close()
            yield
            return
        clock = clock_of(source, told, options.zone or options.common, options.year)
        heads = options.zone is None and bool(told.offsets)
    stream = make(consumer, clock, host)
    before = part.start
    for block in reader.blocks():
        for offset, piece in by_offset(block, told and told.table) if heads else ((None, block),):
            if offset is not None:
                stream.set_clock(shifted(stream.clock, offset))
            feed(stream, piece)
        note(reader.position() - before)
        before = reader.position()
        yield
    stream.end()
    stream.counts.note_file(source.path, stream.span)
    counts.add(stream.counts)
    if part.whole and stream.is_unrecognized:
        warn(f"{source.name}: {UNRECOGNIZED}")
    reader.close()


def _tracking(reader: Reader, consumer: Consumer, host: str | None) -> Counts:
    """Feed a message-tracking document to a consumer; its descriptions count as lines."""
    from esatls.extraction import tracking

    data = bytearray()
    for block in reader.blocks():
        data += block
        if len(data) > LARGEST_DOCUMENT:
            raise EsatlsError(f"{reader.source.name}: message-tracking JSON of more than {LARGEST_DOCUMENT >> 20} MiB is not supported; split the file")
    text = data.decode("utf-8", "backslashreplace")
    counts = Counts()
    times: list[Time] = []
    for event in tracking.events(text, host):
        consumer.add(event)
        counts.events += 1
        if "time" in event:
            times.append(parse_rfc3339(event["time"]))
    counts.lines = max(counts.events, text.count('"description"') or text.count("\n"))
    counts.ignored = counts.lines - counts.events
    counts.note_file(reader.source.path, [min(times), max(times)] if times else [])
    return counts


# events: the parts give their output in turn


def write_events(
    found: list[Source],
    make: Callable[[], Events],
    dump: Callable[[list[dict[str, Any]]], bytes],
    write: Callable[[bytes], object],
    options: Options,
    warn: sources.Warn,
    progress: Progress,
) -> Counts:
    """Write the events of all sources in order: `dump` turns events into bytes, in any of the processes, and `write` takes these."""
    counts = Counts()
    feed = _sift if make().only_tls else _feed
    parts = _parts(found, options, EVENTS_PART)
    if _alone(parts, options):
        for part in parts:
            sink = make()
            for _block in read(part, sink, options, warn, counts, _meter(progress, 0), feed):
                if sink.found:
                    write(_dumped(sink.found, dump))
                    sink.found.clear()
            write(_dumped(sink.found, dump))
        return counts

    def work(job: int, out: IO[bytes], _: IO[bytes]) -> None:
        for part in parts[job :: options.jobs]:
            sink, mine, problems = make(), Counts(), list[str]()
            pieces = []
            for _block in read(part, sink, options, problems.append, mine, _meter(progress, job + 1), feed):
                if sink.found:
                    pieces.append(_dumped(sink.found, dump))
                    sink.found.clear()
            pieces.append(_dumped(sink.found, dump))
            _send(out, [problems, mine.as_list(), b"".join(pieces)])

    with _workers(options.jobs, work) as pipes:
        for number in range(len(parts)):
            problems, mine, data = _receive(pipes[number % options.jobs].reading, progress)
            for problem in problems:
                warn(problem)
            counts.add(Counts.of_list(mine))
            write(data)
    return counts


def _dumped(found: list[Any], dump: Callable[[list[dict[str, Any]]], bytes]) -> bytes:
    """Return events as bytes; some may already be bytes."""
    return b"".join(b"".join(some) if written else dump([*some]) for written, some in itertools.groupby(found, lambda one: isinstance(one, bytes)))


def iterate_events(
    found: list[Source], make: Callable[[], Events], options: Options, warn: sources.Warn, progress: Progress, counts: Counts
) -> Iterator[EventRecord]:
    """Yield the events of all sources in order, read by one process, and add to `counts`."""
    meter = _meter(progress, 0)
    for source in found:
        sink = make()
        for _ in read(Part(source), sink, options, warn, counts, meter, _sift if sink.only_tls else _feed, BlockStream):
            yield from sink.found
            sink.found.clear()
        yield from sink.found


def _meter(progress: Progress, job: int) -> Callable[[int], None]:
    done = 0

    def note(more: int) -> None:
        nonlocal done
        done += more
        progress.note(job, done)

    return note


# facts: every process reads its parts, and one merges them


def gather(found: list[Source], options: Options, warn: sources.Warn, progress: Progress) -> tuple[Facts, Counts]:
    """Return the facts of all sources."""
    return _gather(_dealt(found, options), options, warn, progress)


def _gather(shares: list[list[Part]], options: Options, warn: sources.Warn, progress: Progress) -> tuple[Facts, Counts]:
    counts = Counts()
    if len(shares) == 1:
        facts = _new_facts()
        for part in shares[0]:
            for _ in read(part, facts, options, warn, counts, _meter(progress, 0)):
                pass
        progress.kept = facts = _drained(facts)
        return facts, counts
    facts = Facts()

    def work(job: int, out: IO[bytes], _: IO[bytes]) -> None:
        theirs, mine, problems = _gather_share(shares[job + 1], options, _meter(progress, job + 1))
        _send(out, [problems, mine, theirs.hosts, theirs.has_witnesses])

    with _workers(len(shares) - 1, work) as pipes:
        own, mine, problems = _gather_share(shares[0], options, _meter(progress, 0))
        facts.merge(own)
        counts.add(Counts.of_list(mine))
        for pipe in pipes:
            told, theirs, hosts, has_witnesses = _receive(pipe.reading, progress)
            problems += told
            counts.add(Counts.of_list(theirs))
            other = Facts()
            other.hosts, other.has_witnesses = hosts, has_witnesses
            facts.merge(other)
    _tell(problems, warn)
    progress.kept = facts
    return facts, counts


def _gather_on_disk(parts: list[Part], limit: int, options: Options, warn: sources.Warn, progress: Progress) -> tuple[FactsOnDisk, Counts]:
    """Return the facts of all sources; those that do not fit into memory are in a file."""
    from esatls.on_disk import FactsOnDisk

    progress.kept = known = FactsOnDisk(limit)
    counts = Counts()
    for part in parts:
        for _ in read(part, known, options, warn, counts, _meter(progress, 0)):
            known.relieve()
    return known, counts


def _dealt(found: list[Source], options: Options) -> list[list[Part]]:
    """Return a share of the sources for each process; a single share if one process is to read them all."""
    parts = _parts(found, options, None)
    return [parts] if _alone(parts, options) else _shares(parts, options.jobs)


def _dealt_to_fit(found: list[Source], options: Options) -> list[list[Part]]:
    """Return the same, but a single share if its facts may have to go to a file."""
    return [_parts(found, options, None)] if _is_too_much(found, options) else _dealt(found, options)


def _is_too_much(found: list[Source], options: Options) -> bool:
    """Tell whether the facts of some sources will need more memory than they may have: then one process reads them all."""
    if options.memory is None:
        return False
    fits = options.memory // _FACTS_OF_A_BYTE
    if sum(source.size for source in found) * _PACKED <= fits:
        return False  # even if all are compressed, so none need be opened
    return sum(source.size if sources.is_plain(source) else source.size * _PACKED for source in found) > fits


def _shares(parts: list[Part], jobs: int) -> list[list[Part]]:
    """Deal the parts to processes: the largest first, each to the process with the least to do."""
    shares: list[list[Part]] = [[] for _ in range(min(jobs, len(parts)))]
    sizes = [0] * len(shares)
    for part in sorted(parts, key=lambda p: -_size(p)):
        least = sizes.index(min(sizes))
        shares[least].append(part)
        sizes[least] += _size(part)
    return shares


def _size(part: Part) -> int:
    return (part.source.size if part.end is None else part.end) - part.start


def _gather_share(parts: list[Part], options: Options, note: Callable[[int], None]) -> tuple[Facts, list[Any], Problems]:
    facts, counts, problems = _new_facts(), Counts(), Problems()
    for part in parts:
        for _ in read(part, facts, options, _noting(problems, part), counts, note):
            pass
    return _drained(facts), counts.as_list(), problems


# judging: in one place, or every process judges what it alone has seen


def _as_it_is(made: Any) -> Any:
    return made


def whole(found: list[Source], options: Options, warn: sources.Warn, progress: Progress) -> tuple[NativeFacts | Whole | Parts, set[str], Counts]:
    """Return all that was read, to be judged in this process, the names of the appliances, and the line counts."""
    return _by_core(found, options, warn, progress) or _by_python(_dealt_to_fit(found, options), options, warn, progress)


def judge(
    found: list[Source],
    options: Options,
    warn: sources.Warn,
    progress: Progress,
    contradictions: Contradictions,
    work: Callable[[Judging], _One],
    pack: Callable[[_One], Any] = _as_it_is,
    unpack: Callable[[Any], _One] = _as_it_is,
) -> tuple[list[_One], set[str], Counts]:
    """Return what `work` makes of all that was read, portion by portion, in any order; the names of the appliances, and the line counts.

    If several processes read, each works on what it can judge alone, and one also on what several have seen a part of. `work` adds to `contradictions`.
    `pack` turns a result into plain values that can be sent to another process, and `unpack` turns these back.
    """
    by_core = _by_core(found, options, warn, progress)
    shares = [] if by_core else _dealt_to_fit(found, options)
    if len(shares) > 1:
        return _judge_shares(shares, options, warn, progress, contradictions, work, pack, unpack)
    judging, names, counts = by_core or _by_python(shares, options, warn, progress)
    return [work(judging)], names, counts


def _judge_shares(
    shares: list[list[Part]],
    options: Options,
    warn: sources.Warn,
    progress: Progress,
    contradictions: Contradictions,
    work: Callable[[Judging], _One],
    pack: Callable[[_One], Any],
    unpack: Callable[[Any], _One],
) -> tuple[list[_One], set[str], Counts]:
    from esatls.verdicts.contradictions import Taken
    from esatls.verdicts.partition import Share, seen_twice, together_of

    def work_on(job: int, out: IO[bytes], told: IO[bytes]) -> None:
        facts, mine, problems = _gather_share(shares[job + 1], options, _meter(progress, job + 1))
        _send(out, [problems, mine, [*facts.hosts]])
        progress.show = None
        progress.kept = share = Share(facts.settled(_receive(told)))
        _send(out, share.ids())
        common = share.common(_receive(told))
        _send(out, common)
        made = work(share.own(common))
        _send(out, [pack(made), [(host, [*map(tuple, ids)]) for host, ids in contradictions.taken.items()]])

    with _workers(len(shares) - 1, work_on) as pipes:
        facts, mine, problems = _gather_share(shares[0], options, _meter(progress, 0))
        counts = Counts.of_list(mine)
        keys = [*facts.hosts]
        for pipe in pipes:
            told, theirs, hosts = _receive(pipe.reading, progress)
            problems += told
            counts.add(Counts.of_list(theirs))
            keys += hosts
        for pipe in pipes:
            _send(pipe.writing, keys)
        progress.kept = share = Share(facts.settled(keys))
        shared = seen_twice([share.ids(), *(_receive(pipe.reading, progress) for pipe in pipes)])
        for pipe in pipes:
            _send(pipe.writing, shared)
        own = share.common(shared)
        common = together_of([own, *(_receive(pipe.reading, progress) for pipe in pipes)])
        made = [work(share.own(own)), work(common)]
        for pipe in pipes:
            theirs, taken = _receive(pipe.reading, progress)
            made.append(unpack(theirs))
            for host, ids in taken:
                contradictions.add(host, itertools.starmap(Taken, ids))
    _tell(problems, warn)
    return made, {*appliances(keys).values()}, counts


def _by_python(shares: list[list[Part]], options: Options, warn: sources.Warn, progress: Progress) -> tuple[Whole | Parts, set[str], Counts]:
    from esatls.verdicts.records import Whole

    if options.memory is None or len(shares) > 1:
        facts, counts = _gather(shares, options, warn, progress)
        return Whole(facts), {*appliances(facts.hosts).values()}, counts
    known, counts = _gather_on_disk(shares[0], options.memory, options, warn, progress)
    return known.parts() or Whole(known), {*appliances(known.hosts).values()}, counts


def _by_core(found: list[Source], options: Options, warn: sources.Warn, progress: Progress) -> tuple[NativeFacts, set[str], Counts] | None:
    """Return all facts, kept in the core; None if there is no core, or if others do better.

    The core does not judge witnesses. If there are any, and several processes or a file of facts can be used, these do better.
    """
    if compiled.module() is None:
        return None
    from esatls import native

    shares = _dealt(found, options)
    leaves_witnesses = len(shares) > 1 or _is_too_much(found, options)
    limit = None if options.memory is None else options.memory // len(shares)
    told = [(native.NativeFacts(limit), Counts(), Problems()) for _ in shares]
    given_up: list[bool] = []

    def work(job: int) -> None:
        facts, counts, problems = told[job]
        for part in shares[job]:
            for _ in read(part, facts, options, _noting(problems, part), counts, _meter(progress, job)):
                if facts.has_witnesses and leaves_witnesses:
                    given_up.append(True)
                if given_up:
                    return

    # the core releases the interpreter's lock while it reads
    with _threads(len(shares) - 1, work):
        work(0)
    if given_up:
        return None
    (known, counts, problems), *others = told
    for facts, more, theirs in others:
        known.absorb(facts)
        counts.add(more)
        problems += theirs
    _tell(problems, warn)
    progress.kept = known
    return known, {*appliances([*known.hosts, *known.keys]).values()}, counts


@contextlib.contextmanager
def _threads(jobs: int, work: Callable[[int], None]) -> Iterator[None]:
    """Do some work in threads while the block runs. An error in one of them is raised at the end of the block."""
    failed: list[BaseException] = []

    def run(job: int) -> None:
        try:
            work(job)
        except BaseException as error:  # noqa: BLE001 - raised again below
            failed.append(error)

    threads = [threading.Thread(target=run, args=(job + 1,), daemon=True) for job in range(jobs)]
    for thread in threads:
        thread.start()
    yield
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]


# messages


def write_messages(
    found: list[Source],
    dump: Callable[[Sequence[Mapping[str, Any]]], bytes],
    write: Callable[[bytes], object],
    options: Options,
    warn: sources.Warn,
    progress: Progress,
    contradictions: Contradictions,
) -> tuple[set[str], Counts]:
    """Write the record of every message in order (appliance, MID): `dump` turns records into lines. Return the names of the appliances, and the line counts.

    Contradictions that the records show are added to `contradictions`.
    """
    from esatls.verdicts import records
    from esatls.verdicts.partition import Portion

    def work(judging: Judging) -> Lines:
        if isinstance(judging, Portion):
            return {appliance.host: _lines(records.messages_of(appliance, mids), dump) for appliance, mids in judging.messages(contradictions)}
        if isinstance(judging, Facts):
            from esatls import native

            for block in native.message_lines(judging, lambda record: dump([record])[:-1], contradictions, options.jobs):
                write(block)
            return {}
        for appliance, mids in judging.messages(contradictions):
            for some in _some(records.messages_of(appliance, mids)):
                write(dump([record for _, record in some]))
        return {}

    made, names, counts = judge(found, options, warn, progress, contradictions, work)
    for host in sorted({host for part in made for host in part}):
        mids: list[int] = []
        texts: list[bytes] = []
        for part in made:
            theirs_mids, theirs_texts = part.get(host, ((), ()))
            mids += theirs_mids
            texts += theirs_texts
        order = sorted(range(len(mids)), key=mids.__getitem__)
        for start in range(0, len(order), _WRITTEN_AT_ONCE):
            write(b"".join([texts[i] for i in order[start : start + _WRITTEN_AT_ONCE]]))
    return names, counts


_WRITTEN_AT_ONCE = 10_000
_DUMPED_AT_ONCE = 100
"""Records that are turned into lines at once; with more, the first would have left the processor's cache."""
Lines = dict[str, tuple[list[int], list[bytes]]]
"""By appliance: MIDs ascending, and the line of each."""


def _lines(records: Iterable[tuple[int, MessageRecord]], dump: Callable[[Sequence[Mapping[str, Any]]], bytes]) -> tuple[list[int], list[bytes]]:
    mids: list[int] = []
    texts: list[bytes] = []
    for some in _some(records):
        mids += [mid for mid, _ in some]
        # a line has no other line break than the one at its end
        texts += dump([record for _, record in some]).splitlines(keepends=True)
    return mids, texts


def _some(records: Iterable[_One]) -> Iterator[list[_One]]:
    """Yield all records, some at a time."""
    them = iter(records)
    while some := [*itertools.islice(them, _DUMPED_AT_ONCE)]:
        yield some


# processes


@contextlib.contextmanager
def _workers(jobs: int, work: Callable[[int, IO[bytes], IO[bytes]], None]) -> Iterator[list[_Pipe]]:
    """Run `work` in some processes, each with a pipe to this one and a pipe from it. They end with the block."""
    sys.stdout.flush()
    sys.stderr.flush()
    children: list[int] = []
    pipes: list[_Pipe] = []
    try:
        for job in range(jobs):
            up, down = os.pipe(), os.pipe()
            child = os.fork()
            if child == 0:
                os.close(up[0])
                os.close(down[1])
                _child(job, work, up[1], down[0])
            os.close(up[1])
            os.close(down[0])
            children.append(child)
            pipes.append(_Pipe(os.fdopen(up[0], "rb"), os.fdopen(down[1], "wb")))
        yield pipes
    finally:
        for pipe in pipes:
            pipe.reading.close()
            with contextlib.suppress(BrokenPipeError):
                pipe.writing.close()
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGTERM)
        for child in children:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child, 0)


class _Pipe(NamedTuple):
    """The pipes from and to another process."""

    reading: IO[bytes]
    writing: IO[bytes]


def _child(job: int, work: Callable[[int, IO[bytes], IO[bytes]], None], writing: int, reading: int) -> None:
    """Do the work of one process, and end it."""
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        with os.fdopen(writing, "wb", buffering=1 << 20) as out, os.fdopen(reading, "rb") as told:
            try:
                work(job, out, told)
            except BrokenPipeError:
                raise
            except (EsatlsError, OSError) as error:
                _send(out, str(error))
        code = 0
    except BrokenPipeError:
        code = 0
    except BaseException:  # noqa: BLE001 - a child must end here, whatever happened
        import traceback

        traceback.print_exc()
    finally:
        os._exit(code)


def _send(out: IO[bytes], message: Any) -> None:
    data = marshal.dumps(message)
    out.write(struct.pack("q", len(data)))
    out.write(data)
    out.flush()


def _receive(pipe: IO[bytes], progress: Progress | None = None) -> Any:
    """Return the next message of another process. A text is an error, which is raised here."""
    if progress is not None and progress.show is not None:
        while not select.select([pipe], [], [], 0.2)[0]:
            progress.tick()
    head = pipe.read(8)
    if len(head) < 8:
        raise EsatlsError("a worker process ended unexpectedly")
    data = pipe.read(struct.unpack("q", head)[0])
    message = marshal.loads(data)  # noqa: S302 - written by a process of our own
    if isinstance(message, str):
        raise EsatlsError(message)
    return message
