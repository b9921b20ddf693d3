"""The data behind the search head: the index of the log, the summary index that the scheduled searches wrote, and the commands of the built package."""

from __future__ import annotations

import bisect
import sys
from typing import TYPE_CHECKING

from tests.splunk import driver
from tests.splunk.summary_index import SummaryIndex
from tests.splunk.terms import compiled, words_of

from . import spl

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Sequence

_STAMP_LENGTH = len("2026-03-02T06:00:00Z")
HOUR = 3600
RELAY = "relay.example.com"


class Package:
    """The built package, with the driver that runs its commands as splunkd does."""

    def __init__(self, app: pathlib.Path, python: str = sys.executable) -> None:
        """`app` is the unpacked app."""
        self.splunk = driver.Splunk(python, app)

    def rows(self, command: str, arguments: Sequence[str], rows: Sequence[spl.Row], span: tuple[float, float] = (0, 0)) -> list[spl.Row]:
        """Return the result of a command for some rows; events go through indexers first, as in Splunk."""
        events = [{name: str(value) for name, value in row.items()} for row in rows]
        if command == "esatls":
            found = self.splunk.stream(command, events, arguments)  # type: ignore[arg-type]
        else:
            mapped = not {"summary=true", "window=day", "window=past", "window=open"} & set(arguments)
            found = self.splunk.report(command, events, arguments, mapped=mapped, span=span)  # type: ignore[arg-type]
        messages = driver.unexpected(found.messages)
        if messages:
            raise AssertionError(messages)
        return [dict(row) for row in found.rows]


class Site:
    """A log and its records, read through the commands of a package; results are kept and not computed again."""

    def __init__(self, package: Package, events: Sequence[spl.Row], index: pathlib.Path) -> None:
        """`events` have `_time`, `_raw` and `host`, in order of time; `index` is the file of the summary index, written when it is read."""
        self.package = package
        self.log = list(events)
        self.times = [float(str(event["_time"])) for event in events]
        self.index = SummaryIndex(index)
        self.known: dict[tuple[object, ...], list[spl.Row]] = {}
        self._records: list[spl.Row] = []

    def record(self, until: float, now: float = 0) -> None:
        """Write the records of everything before an hour, as the scheduled searches do; what is open is judged just before `now`, or else that hour."""
        span = self.times[0] // HOUR * HOUR, until // HOUR * HOUR
        lines = self.log[: bisect.bisect_left(self.times, span[1])]
        self.index.collect(self.package.rows("esatlssummary", [], lines, span))  # type: ignore[arg-type]
        for window in ("day", "past", "open"):
            seen = 0, (now or span[1]) - 1
            self.index.collect(self.package.rows("esatlssummary", [f"window={window}"], self.index.events(), seen))  # type: ignore[arg-type]
        self._records = [dict(one) for one in self.index.events()]

    def events(self, terms: str, earliest: float, latest: float) -> list[spl.Row]:
        """Return the events of an index that match the terms, newest first."""
        key = terms, earliest, latest, len(self._records)
        if key not in self.known:
            self.known[key] = self._events(terms, earliest, latest)
        return self.known[key]

    def _events(self, terms: str, earliest: float, latest: float) -> list[spl.Row]:
        wanted = compiled(terms)
        if "index=esatls_summary" in terms:
            found = [one for one in self._records if earliest <= float(str(one["_time"])) < latest]
        else:
            found = self.log[bisect.bisect_left(self.times, earliest) : bisect.bisect_left(self.times, latest)]
        return [one for one in reversed(found) if wanted(*words_of(str(one["_raw"])))]

    def command(self, name: str, arguments: list[str], rows: list[spl.Row], span: tuple[float, float]) -> list[spl.Row]:
        """Return the result of a command of the package for some rows."""
        key = name, *arguments, span if name == "esatlssummary" else 0, hash(tuple(str(row) for row in rows))
        if key not in self.known:
            self.known[key] = self.package.rows(name, arguments, rows, span)
        return [dict(row) for row in self.known[key]]


def of_lines(package: Package, lines: Sequence[str], index: pathlib.Path) -> Site:
    """Return a site whose log consists of lines that begin with an RFC 3339 stamp in UTC."""
    events: list[spl.Row] = [
        {"_time": f"{at:.0f}", "_indextime": f"{at + 2:.0f}", "_raw": line, "host": RELAY, "sourcetype": "esatls:mail", "source": "mail.log"}
        for at, line in ((spl.utc(line[:_STAMP_LENGTH]), line) for line in lines)
    ]
    return Site(package, events, index)
