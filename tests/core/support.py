"""What the tests of the core share: cases, scenarios, and ways to read a log."""

from __future__ import annotations

import json
import os
import pathlib
from typing import TYPE_CHECKING, Any

import pytest
from esatls.extraction.blocks import BlockStream
from esatls.extraction.event_stream import Events
from esatls.extraction.kinds import EVENT_KINDS
from esatls.extraction.stream import Counts, Stream
from esatls.lines.clock import Clock, parse_rfc3339, zone
from esatls.parallel.partition import Share, seen_twice, together_of
from esatls.verdicts import records as verdicts
from esatls.verdicts.facts import Facts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from esatls.extraction.event_record import EventRecord

ROOT = pathlib.Path(__file__).resolve().parents[2]
CASES = ROOT / "tests" / "cases"
SCENARIOS = ROOT / "tests" / "scenarios"
SHARED = ROOT.parent / "shared"
REAL = SHARED / "real"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="needs the folder shared/ beside the clone")

NIGHTLY = os.environ.get("ESATLS_PROPERTIES") == "nightly"
"""Whether there is a night's time for what tries many times."""

LATEST = parse_rfc3339("2024-12-31T12:00:00Z")
"""When the logs of the tests end: stamps without a year are of 2024, or of 2023 if they are later than this."""


def clock(name: str = "UTC") -> Clock:
    """Return a clock for the logs of the tests."""
    return Clock(zone(name), LATEST)


def all_cases() -> list[dict[str, Any]]:
    """Return every case file that is about one pattern of the text log, by file name."""
    found = []
    for path in sorted(CASES.glob("*.json")):
        if path.name.startswith(("cef_", "tracking_", "envelope")):
            continue
        found.append({"file": path.name, **json.loads(path.read_text(encoding="ascii"))})
    return found


def read_events(lines: Sequence[str], *, host: str | None = None) -> tuple[list[EventRecord], Counts]:
    """Return the events of a log, read line by line, and the counts."""
    consumer = Events(frozenset(EVENT_KINDS))
    stream = Stream(consumer, clock(), host)
    for line in lines:
        stream.line(line)
    stream.end()
    return consumer.found, stream.counts


def read_facts(lines: Sequence[str], *, host: str | None = None) -> tuple[Facts, Counts]:
    """Return the facts of a log, read line by line, and the counts."""
    facts = Facts()
    stream = Stream(facts, clock(), host)
    for line in lines:
        stream.line(line)
    stream.end()
    return facts, stream.counts


def read_blocks(blocks: Sequence[Sequence[str]], *, host: str | None = None) -> tuple[Facts, Counts]:
    """Return the facts of a log, read in blocks of bytes, and the counts."""
    facts = Facts()
    stream = BlockStream(facts, clock(), host)
    feed(stream, blocks)
    return facts, stream.counts


def cut(lines: Sequence[str], size: int) -> list[Sequence[str]]:
    """Return lines in blocks of a size."""
    return [lines[at : at + size] for at in range(0, len(lines), size)]


def feed(stream: BlockStream, blocks: Sequence[Sequence[str]], *, sift: bool = False) -> None:
    """Give blocks to a stream, as bytes; with `sift`, for what is about TLS alone."""
    for block in blocks:
        data = "".join(line + "\n" for line in block).encode("utf-8", "surrogateescape")
        if sift:
            stream.sift(data, "TLS", "ESADaneStatus")
        else:
            stream.feed(data)
    stream.end()


def events_in_blocks(blocks: Sequence[Sequence[str]]) -> tuple[list[EventRecord], Counts]:
    """Return the events of a log that is read in blocks, and the counts."""
    consumer = Events(frozenset(EVENT_KINDS))
    stream = BlockStream(consumer, clock())
    feed(stream, blocks)
    return consumer.found, stream.counts


def blocks_agree(lines: Sequence[str], *sizes: int) -> None:
    """Raise unless a log gives the same facts and counts in blocks of each size as line by line."""
    by_line, counts = read_facts(lines)
    for size in sizes:
        by_block, block_counts = read_blocks(cut(lines, size))
        assert as_sets(by_block) == as_sets(by_line)
        assert block_counts == counts


def resumed(lines: Sequence[str], at: int) -> tuple[list[EventRecord], Counts]:
    """Return what a log gives that is saved before one line, and read on by another stream."""
    consumer = Events(frozenset(EVENT_KINDS))
    first, second = Stream(consumer, clock()), Stream(consumer, clock())
    for line in lines[:at]:
        first.line(line)
    second.restore(json.loads(json.dumps(first.state())))
    for line in lines[at:]:
        second.line(line)
    second.end()
    return consumer.found, second.counts


def resumed_anywhere(lines: Sequence[str]) -> None:
    """Raise unless a log gives the same events and counts wherever it is saved and read on."""
    for at in range(len(lines) + 1):
        assert resumed(lines, at) == read_events(lines)


def portions(parts: Sequence[Facts]) -> list[Any]:
    """Return what is judged of facts that several processes have: by each alone, and of all together."""
    shares = [Share(part) for part in parts]
    shared = seen_twice(share.ids() for share in shares)
    common = [share.common(shared) for share in shares]
    return [*map(Share.own, shares, common), together_of(common)]


def as_sets(facts: Facts) -> dict[str, list[dict[str, set[Any]]]]:
    """Return facts as plain sets, so that they can be compared."""
    return {host: [{key: set(values) for key, values in store.items()} for store in stores] for host, stores in facts.hosts.items() if any(stores)}


def records(facts: Facts) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the records of connections and of messages."""
    return [dict(record) for record in verdicts.connections(facts)], [dict(record) for record in verdicts.messages(facts)]


def records_of(text: str, *, host: str | None = None) -> tuple[list[Any], list[Any]]:
    """Return the records of a log given as text."""
    facts, _ = read_facts([line for line in text.splitlines() if line], host=host)
    return records(facts)
