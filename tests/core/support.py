"""What the tests of the core share: cases, scenarios, and ways to read a log."""

from __future__ import annotations

import json
import os
import pathlib
from typing import TYPE_CHECKING, Any

import pytest
from esatls.extraction.blocks import BlockStream
from esatls.extraction.match import event_of
from esatls.extraction.stream import Counts, Stream
from esatls.lines.clock import Clock, parse_rfc3339, zone
from esatls.verdicts import records as verdicts
from esatls.verdicts.facts import Facts

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable, Sequence

    from esatls.extraction.event_record import EventRecord
    from esatls.extraction.heads import Head
    from esatls.extraction.match import Spec

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


class Events:
    """A consumer that keeps every event."""

    def __init__(self) -> None:
        self.found: list[EventRecord] = []

    def take(self, head: Head, spec: Spec, found: re.Match[str]) -> bool:
        """Keep one event."""
        self.found.append(event_of(spec, found, head.base))
        return True

    def add(self, event: EventRecord) -> None:
        """Keep an event that was read elsewhere."""
        self.found.append(event)

    def take_all(self, lines: Iterable[tuple[str, Head]], start: int) -> int:
        """Keep the events of many lines, found one at a time."""
        from esatls.extraction.match import match

        taken = 0
        for line, head in lines:
            event = match(line[start:].rstrip())
            if event is not None:
                self.take(head, *event)
                taken += 1
        return taken


def read_events(lines: Sequence[str], *, host: str | None = None) -> tuple[list[EventRecord], Counts]:
    """Return the events of a log, read line by line, and the counts."""
    consumer = Events()
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
    for block in blocks:
        stream.feed("".join(line + "\n" for line in block).encode("utf-8", "surrogateescape"))
    stream.end()
    return facts, stream.counts


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
