"""Bytes of a growing log -> lines -> a stream that can be saved and restored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from esatls.extraction.blocks import LINES_AT_ONCE, BlockStream, HeadsInARow, is_plain
from esatls.lines import envelope
from esatls.lines.clock import end_of_year
from esatls.lines.log_head import OFFSET_WORDS, offsets, shifted, zone_of
from esatls.lines.sources import LONGEST_LINE

if TYPE_CHECKING:
    from esatls.extraction.heads import Head
    from esatls.follow.held import Held
    from esatls.lines.clock import Clock, Time

_BOM = b"\xef\xbb\xbf"
_DAY = 86400
_HALF_YEAR = 180 * _DAY
_LATEST = 253370764800  # the year 9999


class FollowedStream(BlockStream):
    """A stream whose state can be saved between any two lines.

    The zone of stamps that name none is that of the file's head, if it has one and `zone_known` is not set. Stamps without a year get the year that brings them
    nearest to the stamps before.
    """

    def __init__(self, held: Held, clock: Clock, host: str | None, *, zone_known: bool, year: int | None = None) -> None:
        super().__init__(held, clock, host)
        self.held = held
        self.zone_known = zone_known
        self.year = year
        """The year of the first line, if it is known."""
        self.offset: int | None = None
        """Seconds by which the appliance's clock is ahead of UTC, according to the head."""
        self.day: Time | None = None
        """The log's day, as the number of days since 1970; None before the first stamp."""

    def line(self, line: str) -> None:
        """Take the next line."""
        if OFFSET_WORDS in line and not self.zone_known:
            self._read_head(line.rstrip("\r"))
        if self.day is None:
            stamp = envelope.parse(line).stamp
            self._set_day(self.clock.read(stamp) if stamp else None)
        super().line(line)
        # only stamps that the log's clock believes count
        if self.held.clock.started and self.held.clock.stamp // _DAY != self.day:
            self._set_day(self.held.clock.stamp)

    def block(self, text: str) -> None:
        """Take a block of whole lines, many at once if the result is the same as line by line."""
        if OFFSET_WORDS in text or not is_plain(text):
            for line in text.removesuffix("\n").split("\n"):
                self.line(line)
            return
        lines = text.removesuffix("\n").split("\n")
        at = 0
        while at < len(lines):
            if self._document is None:
                at += self._fast(lines[at : at + LINES_AT_ONCE])
            self.line(lines[at])
            at += 1

    def _fast(self, lines: list[str]) -> int:
        """Take lines up to the first one that has no known head, or is from another day; return how many, at most all but one."""
        before = self._pending
        return super()._fast(lines) if self._heads.length and (before is None or self._is_today(before.head)) else 0

    def _is_today(self, head: Head) -> bool:
        return head.time is not None and head.time // _DAY == self.day

    def _heads_of(self, lines: list[str]) -> HeadsInARow:
        """Return the heads of the first lines, as long as they are known and from the log's day: another day changes the clock."""
        found: list[Head] = []
        heads, naming = self._heads, self._neighbours.naming
        for line in lines:
            prefix = line[: heads.length]
            head = heads.whole.get(prefix) or heads.same_hour(prefix, naming)
            if head is None or not self._is_today(head):
                break
            found.append(head)
        return HeadsInARow(found, {})

    def _set_day(self, time: Time | None) -> None:
        if time is not None:
            self.day = time // _DAY
            self.clock.latest = min(max(0, time + _HALF_YEAR), _LATEST - 1)
            self.set_clock(self.clock)

    def _read_head(self, line: str) -> None:
        for offset, host in offsets(line, self.table):
            # stricter than for a whole file: a log with host names may have several appliances, and each may write its head at any time
            if not host:
                if self.year is not None and self.day is None:
                    self.clock.latest = end_of_year(self.year, zone_of(offset))
                self._set_offset(offset)

    def _set_offset(self, offset: int) -> None:
        self.offset = offset
        self.set_clock(shifted(self.clock, offset))

    def state(self) -> dict[str, Any]:
        """Return everything that the meaning of the next line depends on."""
        return {**super().state(), "offset": self.offset, "latest": self.clock.latest, "day": self.day}

    def restore(self, state: dict[str, Any]) -> None:
        """Restore what `state` returned. Raises `ValueError`, `TypeError` or `LookupError` if it is not valid."""
        self.clock.latest = float(state["latest"])
        if not 0 <= self.clock.latest < _LATEST:
            raise ValueError("no time")
        if state["offset"] is not None and not self.zone_known:
            self._set_offset(int(state["offset"]))
        self.day = None if state["day"] is None else float(state["day"])
        super().restore(state)


class Lines:
    """Cuts bytes into lines; keeps the beginning of a line that is still being written."""

    def __init__(self, stream: FollowedStream) -> None:
        self.stream = stream
        self.rest = b""
        self.skipping = False
        """Whether a line that is longer than any log line is being skipped."""
        self.at_start = False
        """Whether the next byte is the first of a file."""

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        if self.skipping:
            end = data.find(b"\n")
            if end < 0:
                return
            data, self.skipping = data[end + 1 :], False
        data = self.rest + data if self.rest else data
        end = data.rfind(b"\n") + 1
        block, self.rest = data[:end], data[end:]
        if block and len(block) <= LONGEST_LINE:
            self.stream.feed(block.removeprefix(_BOM) if self.at_start else block)
            self.at_start = False
        elif block:
            for line in block[:-1].split(b"\n"):
                self._line(line)
        if len(self.rest) > LONGEST_LINE:
            self._skip()

    def end_of_file(self) -> None:
        """Take an unfinished last line as it is: nothing more is written to this file."""
        if self.rest:
            rest, self.rest = self.rest, b""
            self._line(rest)
        self.skipping = False
        self.at_start = True

    def _line(self, line: bytes) -> None:
        if self.at_start:
            self.at_start = False
            line = line.removeprefix(_BOM)
        if len(line) > LONGEST_LINE:
            self._skip()
            self.skipping = False
            return
        self.stream.line(line.decode("utf-8", "surrogateescape"))

    def _skip(self) -> None:
        self.rest = b""
        self.skipping = True
        self.stream.counts.lines += 1
        self.stream.counts.unreadable += 1
