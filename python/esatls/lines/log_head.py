"""The head that an appliance writes into a native log: its serial number, and the time zone of what follows."""

from __future__ import annotations

import re
from datetime import timedelta, timezone
from typing import TYPE_CHECKING

from esatls.lines import envelope
from esatls.lines.clock import Clock
from esatls.lines.tables import records_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from esatls.lines.tables import CsvTable

OFFSET_WORDS = "Time offset from UTC: "
"""The words of every line that states an offset; other lines may have them too."""
_OFFSET = re.compile(OFFSET_WORDS + r"([+-]?\d{1,6}) seconds\s*", re.ASCII)
_SERIAL_WORD = " SN: "
_VERSION = re.compile(rf"Version: \S{{1,64}}{_SERIAL_WORD}(\S{{1,64}})\s*", re.ASCII)
_DAY = 86400


def offsets(line: str, table: CsvTable | None = None) -> Iterator[tuple[int, str | None]]:
    """Yield the seconds ahead of UTC that a line in the head of a log states, and the appliance that it names, if any.

    A subject with the same words does not count, nor does a line without a stamp, which may be the rest of one. In a row of CSV
    (`table`), the cell with the log line counts.
    """
    for record in records_of(line, table):
        for text in record.lines:
            env = envelope.parse(text)
            found = _OFFSET.fullmatch(text, env.end)
            if found and env.rank == envelope.STAMPED and abs(int(found[1])) < _DAY:
                yield int(found[1]), env.host or record.host


def serial(lines: list[str]) -> str | None:
    """Return the serial number that the first lines of a log state (W3), unless they name the appliance by its host."""
    for line in lines:
        if _SERIAL_WORD not in line:
            continue
        env = envelope.parse(line)
        found = _VERSION.fullmatch(line, env.end)
        if found and env.rank == envelope.STAMPED and not env.host:
            return found[1]
    return None


def by_offset(block: bytes, table: CsvTable | None = None) -> Iterator[tuple[int | None, bytes]]:
    """Yield the pieces of a block of whole lines, each with the seconds ahead of UTC that its first line states (None: it states none).

    An offset applies to all that follows it, because one file may hold several logs. A line that names its appliance does not count here:
    a log with names may be of several appliances, and each may write its head at any time.
    """
    words, at, now = OFFSET_WORDS.encode(), 0, None
    found = block.find(words)
    while found >= 0:
        start, end = block.rfind(b"\n", 0, found) + 1, block.find(b"\n", found)
        line = block[start:end] if end >= 0 else block[start:]
        told = [offset for offset, host in offsets(line.decode("utf-8", "replace").rstrip("\r"), table) if not host]
        if told:
            if start > at:
                yield now, block[at:start]
            at, now = start, told[-1]
        found = block.find(words, end) if end >= 0 else -1
    yield now, block[at:]


def shifted(clock: Clock, offset: int) -> Clock:
    """Return a copy of a clock for stamps that are this many seconds ahead of UTC."""
    return Clock(zone_of(offset), clock.latest)


def zone_of(offset: int) -> timezone:
    """Return the time zone that is this many seconds ahead of UTC."""
    return timezone(timedelta(seconds=offset))
