"""The clock of the simulation: processes that sleep, and the lines that they log in the order of time."""

from __future__ import annotations

import heapq
from collections.abc import Generator, Iterator
from typing import NamedTuple

Process = Generator[float, None, None]  # yields the seconds that it sleeps
Answer = Generator[float, None, bool]  # the same, and returns an answer at its end


class Line(NamedTuple):
    """One log line without its envelope."""

    time: int  # seconds since 1970, UTC
    host: str
    log: str  # log subscription
    level: str  # a consolidated event has none
    text: str

    @property
    def said(self) -> str:
        """The line as the appliance writes it after its stamp."""
        return f"{self.level}: {self.text}" if self.level else self.text


class World:
    """Runs processes in the order of time and collects what they log.

    `skip` lines at the head and all lines after `keep` more are simulated but not shown; `show` tells its caller
    whether a line is in view, and only then may the caller note what the line says.
    """

    def __init__(self, start: float, skip: int = 0, keep: int | None = None) -> None:
        self.now = start
        self.logged = 0
        self.hidden = skip
        self._end = None if keep is None else skip + keep
        self._sequence = 0
        self._heap: list[tuple[float, int, Process]] = []
        self._lines: list[Line] = []

    def start(self, process: Process, delay: float = 0.0) -> None:
        """Let a process run, first after `delay` seconds."""
        self._sequence += 1
        heapq.heappush(self._heap, (self.now + delay, self._sequence, process))

    def show(self, host: str, text: str, level: str, log: str) -> bool:
        """Log one line now; return whether it is in view."""
        self.logged += 1
        if self.logged <= self.hidden or (self._end is not None and self.logged > self._end):
            return False
        self._lines.append(Line(int(self.now), host, log, level, text))
        return True

    def run(self) -> Iterator[Line]:
        """Run until no process is left, and yield the lines in view."""
        heap, lines = self._heap, self._lines
        while heap:
            self.now, _, process = heapq.heappop(heap)
            delay = next(process, None)
            if delay is not None:
                self._sequence += 1
                heapq.heappush(heap, (self.now + delay, self._sequence, process))
            if lines:
                yield from lines
                lines.clear()
