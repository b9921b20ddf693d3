"""The rows of the esatls commands, taken from the built package through the protocol driver, for a search's time range."""

from __future__ import annotations

import bisect
import sys
from typing import TYPE_CHECKING

from tests.splunk import driver

from . import spl, views

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Sequence

_STAMP_LENGTH = len("2026-03-02T06:00:00Z")


class Package:
    """The built package, with the driver that speaks to its commands as splunkd does."""

    def __init__(self, app: pathlib.Path) -> None:
        """`app` is the unpacked app."""
        self.splunk = driver.Splunk(sys.executable, app)

    def rows(self, command: str, lines: Sequence[str], *, mapped: bool = True) -> list[spl.Row]:
        """Return the rows of a reporting command over the lines, newest first as Splunk sends events, on three indexers or on none."""
        events: list[dict[str, driver.Value]] = [{"_time": str(spl.utc(line)), "_raw": line, "host": "relay.example.com"} for line in reversed(lines)]
        found = self.splunk.report(command, events, mapped=mapped)
        if found.messages:
            raise AssertionError(found.messages)
        return [dict(row) for row in found.rows]


class LogSource:
    """Answers base searches: the lines of the time range, through the command."""

    def __init__(self, package: Package, lines: Sequence[str]) -> None:
        """`lines` begin with an RFC 3339 stamp in UTC and are in order of time."""
        self.package = package
        self.lines = list(lines)
        self.times = [spl.utc(line[:_STAMP_LENGTH]) for line in lines]
        self.known: dict[tuple[str, int, int], list[spl.Row]] = {}

    def __call__(self, command: str, earliest: float, latest: float) -> list[spl.Row]:
        """Return the rows of a command, or what a summarizing saved search has written; computed once for the same lines."""
        if not command.startswith("esatls "):
            # rows from the records are rows from the lines
            return self.command(command.split(maxsplit=1)[0], earliest, latest)
        key = command, int(earliest), int(latest)
        if key not in self.known:
            self.known[key] = self.summary(command, earliest, latest)
        return self.known[key]

    def summary(self, name: str, earliest: float, latest: float) -> list[spl.Row]:
        """Return what the saved search wrote for the hours of a time range, run by its schedule from the log's first hour on."""
        saved = views.saved_search(name)
        minute, *hourly = saved["cron_schedule"].split()
        assert hourly == ["*"] * 4
        rows = []
        first = max(earliest, self.times[0]) // 3600 * 3600
        # An hour is written when it is several hours old; a run tells its hour by the _time of its rows.
        for now in range(int(first) + 60 * int(minute), int(latest) + 1, 3600):
            search = spl.Search(
                macros=views.macros(),
                earliest=spl.relative(saved["dispatch.earliest_time"], now),
                latest=spl.relative(saved["dispatch.latest_time"], now),
                now=now,
                source=self.alone,
            )
            rows += [row for row in spl.run(saved["search"], search) if earliest <= float(spl.as_number(row["_time"]) or 0) < latest]
        return rows

    def alone(self, command: str, earliest: float, latest: float) -> list[spl.Row]:
        """Return the rows without a map phase: the summary's many runs need no indexers to be told apart."""
        return self.command(command, earliest, latest, mapped=False)

    def command(self, command: str, earliest: float, latest: float, *, mapped: bool = True) -> list[spl.Row]:
        """Return the rows of a command over the lines of a time range."""
        begin, end = bisect.bisect_left(self.times, earliest), bisect.bisect_left(self.times, latest)
        key = command, begin, end
        if key not in self.known:
            self.known[key] = self.package.rows(command, self.lines[begin:end], mapped=mapped)
        return self.known[key]
