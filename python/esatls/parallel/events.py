"""The events of all sources in order; several processes read some parts each, and give their output in turn."""

from __future__ import annotations

import itertools
from typing import IO, TYPE_CHECKING, Any, Callable

from esatls.extraction.blocks import BlockStream
from esatls.extraction.stream import Counts
from esatls.parallel.parts import MakeStream, Options, Part, feed_block, is_for_one, new_stream, parts_of, read
from esatls.parallel.processes import Progress, receive, send, workers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from esatls.extraction.event_record import EventRecord
    from esatls.extraction.event_stream import Events
    from esatls.lines import sources
    from esatls.lines.sources import Source

EVENTS_PART = 1 << 22
"""Bytes of log whose events are in memory at once."""
_SIFTED = ("TLS", "ESADaneStatus")
"""Words by which to find the events that `events` shows by default: nearly all have the first one, the few others have the second."""


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
    parts = parts_of(found, options, EVENTS_PART)
    if is_for_one(parts, options):
        meter = progress.meter(0)
        for part in parts:
            for events in _events_of(part, make(), options, warn, counts, meter):
                write(_dumped(events, dump))
        return counts

    jobs = min(options.jobs, len(parts))  # one without a part might be ended before it has begun

    def work(job: int, out: IO[bytes], _: IO[bytes]) -> None:
        meter = progress.meter(job + 1)
        for part in parts[job::jobs]:
            mine, problems = Counts(), list[str]()
            data = b"".join([_dumped(events, dump) for events in _events_of(part, make(), options, problems.append, mine, meter)])
            send(out, [problems, mine.as_list(), data])

    with workers(jobs, work) as pipes:
        for number in range(len(parts)):
            problems, mine, data = receive(pipes[number % jobs].reading, progress)
            for problem in problems:
                warn(problem)
            counts.add(Counts.of_list(mine))
            write(data)
    return counts


def iterate_events(
    found: list[Source], make: Callable[[], Events], options: Options, warn: sources.Warn, progress: Progress, counts: Counts
) -> Iterator[EventRecord]:
    """Yield the events of all sources in order, read by one process, and add to `counts`."""
    meter = progress.meter(0)
    for source in found:
        for events in _events_of(Part(source), make(), options, warn, counts, meter, BlockStream):
            yield from events


def _events_of(
    part: Part, sink: Events, options: Options, warn: sources.Warn, counts: Counts, note: Callable[[int], None], make: MakeStream = new_stream
) -> Iterator[list[Any]]:
    """Yield what `sink` keeps of one part, a block at a time."""
    for _ in read(part, sink, options, warn, counts, note, _sift if sink.only_tls else feed_block, make):
        yield sink.found
        # the stream holds on to the list
        sink.found.clear()
    yield sink.found


def _sift(stream: BlockStream, block: bytes) -> None:
    stream.sift(block, *_SIFTED)


def _dumped(found: list[Any], dump: Callable[[list[dict[str, Any]]], bytes]) -> bytes:
    """Return events as bytes; some may already be bytes."""
    return b"".join(b"".join(some) if written else dump([*some]) for written, some in itertools.groupby(found, lambda one: isinstance(one, bytes)))
