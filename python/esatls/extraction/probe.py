"""What the beginning of a source shows before it is read: a log or message tracking, its appliance, time zone and year."""

from __future__ import annotations

import contextlib
import os
from datetime import datetime, timezone
from typing import TYPE_CHECKING, NamedTuple

from esatls.lines import envelope, tables
from esatls.lines.arcsight import CONSOLIDATED
from esatls.lines.clock import Clock, end_of_year
from esatls.lines.log_head import OFFSET_WORDS, offsets, serial, zone_of
from esatls.lines.sources import Reader, Source, is_plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import tzinfo

    from esatls.lines.clock import Time

_SERIAL_KEY = "deviceExternalId="
_TAIL = 1 << 16
_TRACKING = 1 << 16
_DAY = 86400
_HALF_YEAR = 180 * _DAY


class Probe(NamedTuple):
    """What the beginning of a source shows."""

    is_tracking: bool
    """Whether it is message tracking (the REST API's JSON, or text of the page), not a log."""
    table: tables.CsvTable | None
    """The CSV, if it is one."""
    offsets: tuple[int, ...]
    """Seconds ahead of UTC that heads of logs in it state; it may be several logs, each with its own head."""
    serial: str | None
    """The serial number of the appliance in its head, if that does not name the appliance by its host."""
    is_named: bool
    """Whether its first lines name the appliance, each by its host, or by the serial number in a consolidated event."""
    stamps: tuple[str, ...]
    """The stamps of its first and last lines, if asked for."""


def probe(reader: Reader, *, dated: bool) -> Probe:
    """Look at what a reader will read, without consuming it; `dated` asks for stamps."""
    sample = reader.sample()
    first = [line.decode("utf-8", "replace").rstrip("\r") for line in sample.split(b"\n", tables.LATEST)[: tables.LATEST]]
    at, table = tables.table_of(first)
    return Probe(
        not any(_has_header(line, table) for line in first) and _is_tracking(sample[:_TRACKING]),
        table,
        _offsets(sample, table),
        serial(first if table is None else [text for line in first for record in table.row(line) for text in record.lines]),
        all(_is_named(line, table) for line in first[at + (table is not None) :] if line),
        _stamps(sample + _tail(reader.source)) if dated else (),
    )


def probe_all(found: Iterable[Source], *, dated: bool) -> dict[str, Probe]:
    """Return the probes of all sources that can be read again, by path; one that is gone is left to whoever reads it."""
    told: dict[str, Probe] = {}
    for source in found:
        if source.path != "-" and os.path.isfile(source.path):
            with contextlib.suppress(OSError), contextlib.closing(Reader(source, lambda _: None)) as reader:
                told[source.path] = probe(reader, dated=dated)
    return told


def common_zone(probes: Mapping[str, Probe]) -> tzinfo | None:
    """Return the time zone that the heads of the files state, if they agree; it applies to files that state none."""
    told = {offset for one in probes.values() for offset in one.offsets}
    return zone_of(told.pop()) if len(told) == 1 else None


def clock_of(source: Source, told: Probe, zone: tzinfo | None, year: int | None) -> Clock:
    """Return the clock for one source.

    The zone is the given one, else the offset in the head of the file, else UTC. The year of stamps
    without one comes from `year` (that of the log's first line), else from the date of the file.
    """
    if zone is None:
        zone = zone_of(told.offsets[0]) if told.offsets else timezone.utc
    latest: Time | None = None
    if year is not None:
        latest = _latest(told.stamps, Clock(zone, end_of_year(year, zone)))
    elif source.path != "-" and os.path.isfile(source.path):
        latest = os.stat(source.path).st_mtime
    return Clock(zone, latest if latest is not None else datetime.now(timezone.utc).timestamp())


def _is_tracking(sample: bytes) -> bool:
    if b"(ICID" not in sample and b"(DCID" not in sample and b'"summary"' not in sample:
        return False
    from esatls.extraction import tracking

    return tracking.recognise(sample.decode("utf-8", "replace"))


def _has_header(line: str, table: tables.CsvTable | None) -> bool:
    """Tell whether a line has the header of a log, which no sentence of message tracking has, whatever a stranger wrote further on."""
    return any(envelope.parse(text).rank > envelope.BARE for record in tables.records_of(line, table) for text in record.lines)


def _is_named(line: str, table: tables.CsvTable | None) -> bool:
    told = tables.records_of(line, table)
    return all(record.host or envelope.parse(text).host or (CONSOLIDATED in text and _SERIAL_KEY in text) for record in told for text in record.lines)


def _offsets(sample: bytes, table: tables.CsvTable | None) -> tuple[int, ...]:
    if OFFSET_WORDS.encode() not in sample:
        return ()
    lines = (line for line in sample.decode("utf-8", "replace").split("\n") if OFFSET_WORDS in line)
    return tuple(offset for line in lines for offset, _ in offsets(line.rstrip("\r"), table))


def _tail(source: Source) -> bytes:
    if not is_plain(source):
        return b""
    with open(source.path, "rb") as file:
        file.seek(max(0, source.size - _TAIL))
        return file.read()


def _stamps(sample: bytes) -> tuple[str, ...]:
    lines = sample.decode("utf-8", "replace").split("\n")
    stamps = (envelope.parse(line).stamp for line in (*lines[:50], *lines[-50:]))
    return tuple(filter(None, stamps))


def _latest(stamps: tuple[str, ...], clock: Clock) -> Time:
    """Return the latest moment of a log whose first line is of the clock's year; it may run into the next year, or back into the one before."""
    times = [time for time in map(clock.read, stamps) if time is not None]
    if times and times[0] - times[-1] > _HALF_YEAR:
        return times[0] + 363 * _DAY
    if times and times[-1] - times[0] > _HALF_YEAR:
        steps = [after - before for before, after in zip(times, times[1:]) if abs(after - before) < _HALF_YEAR]
        if sum(step < 0 for step in steps) > sum(step > 0 for step in steps):
            # newest first
            return times[0]
    return clock.latest
