"""The parts of a log that are read each by one process, and how one is read: block by block, with the right clock."""

from __future__ import annotations

import contextlib
from operator import itemgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Callable, NamedTuple

from esatls import compiled
from esatls.errors import EsatlsError
from esatls.extraction.blocks import BlockStream
from esatls.extraction.probe import Probe, clock_of, probe
from esatls.extraction.stream import UNRECOGNIZED, Consumer, Counts
from esatls.lines import sources
from esatls.lines.clock import parse_rfc3339
from esatls.lines.log_head import by_offset, shifted
from esatls.lines.sources import Reader, Source
from esatls.parallel.cuts import clocks_at, cuts
from esatls.parallel.processes import can_fork

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import tzinfo

    from esatls.lines.clock import Clock, Time
    from esatls.lines.neighbours import Neighbours

LEAST_PART = 1 << 22
"""The fewest bytes of log that are worth a process."""
LARGEST_DOCUMENT = 1 << 29
"""The most bytes of a message-tracking document, which is read whole: one that is unpacked may have no end."""

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
    known: Neighbours | None = None
    """What the headers of the source have in common, if this is not all of it."""


Problems = list[tuple[int, str]]
"""Problems of parts of the input, each behind the number of its part."""


def new_stream(consumer: Consumer, clock: Clock | None, host: str | None) -> BlockStream:
    """Return a stream, of the compiled core if there is one, which is only loaded now: a quick command does without."""
    if compiled.module() is None:
        return BlockStream(consumer, clock, host)
    from esatls import native

    return native.stream(consumer, clock, host)


def feed_block(stream: BlockStream, block: bytes) -> None:
    """Give a whole block to a stream."""
    stream.feed(block)


def parts_of(found: list[Source], options: Options, size: int | None) -> list[Part]:
    """Cut the sources into parts of about `size` bytes (None: as many per source as there are jobs); a single process reads them whole."""
    parts: list[Part] = []
    for source in found:
        told = options.probes.get(source.path)
        if told is None or told.is_tracking or told.table is not None or not _are_several(options) or not sources.is_plain(source):
            parts.append(Part(source))
            continue
        clock, heads = _clock_of(source, told, options)
        at, known = cuts(source, options.jobs if size is None else max(1, source.size // size), LEAST_PART)
        starts = at[:-1]
        clocks = clocks_at(source, clock, starts) if heads and len(starts) > 1 else [clock] * len(starts)
        parts += [Part(source, *part, heads, len(starts) == 1, known=known) for part in zip(clocks, starts, at[1:])] or [Part(source, clock, heads=heads)]
    return [part._replace(number=number) for number, part in enumerate(parts)]


def is_for_one(parts: list[Part], options: Options) -> bool:
    """Tell whether one process is to read all parts."""
    return len(parts) < 2 or not _are_several(options)


def _are_several(options: Options) -> bool:
    """Tell whether several processes may read."""
    return options.jobs > 1 and can_fork()


def _clock_of(source: Source, told: Probe, options: Options) -> tuple[Clock, bool]:
    """Return the clock of a source, and whether heads further on may name another time zone."""
    return clock_of(source, told, options.zone or options.common, options.year), options.zone is None and bool(told.offsets)


def noting(problems: Problems, part: Part) -> sources.Warn:
    """Return a function that notes the problems of a part."""
    return lambda problem: problems.append((part.number, problem))


def tell(problems: Problems, warn: sources.Warn) -> None:
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
    feed: Feed = feed_block,
    make: MakeStream = new_stream,
) -> Iterator[None]:
    """Feed one part to a consumer, a block at a time; yields after each block."""
    source = part.source
    try:
        reader = Reader(source, warn, part.start, part.end)
    except OSError as error:  # it could still be found a moment ago
        warn(f"{source.name}: {(error.strerror or str(error)).lower()}")
        return
    with contextlib.closing(reader):
        host = options.hosts.get(source.path) or options.host
        clock, heads, told = part.clock, part.heads, options.probes.get(source.path)
        if clock is None:
            told = told or probe(reader, dated=options.year is not None)
            if told.is_tracking:
                counts.add(_tracking(reader, consumer, host))
                yield
                return
            clock, heads = _clock_of(source, told, options)
        stream = make(consumer, clock, host)
        if part.known is not None and part.start:
            stream.go_on(part.known)
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
