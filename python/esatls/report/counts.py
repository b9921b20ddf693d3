"""What a report counts: one `Part` per direction and mail flow, with tables that count by a tuple of words."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from esatls.lines.clock import parse_rfc3339, rfc3339
from esatls.report.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from esatls.report import report_types
    from esatls.report.ledger import Moment

_HOURLY = 3 * 86400

Tables = dict[str, "Counter[tuple[str, ...]]"]


class Part:
    """ReportCounts of one direction and mail flow; each table counts by a tuple of words."""

    __slots__ = ("tables",)

    def __init__(self, tables: Mapping[str, Mapping[tuple[str, ...], int]] | None = None) -> None:
        self.tables: Tables = defaultdict(Counter, {name: Counter(table) for name, table in (tables or {}).items()})

    def table(self, name: str) -> Counter[tuple[str, ...]]:
        """Return a table, which is empty if nothing was counted."""
        return self.tables.get(name) or Counter()

    def add(self, other: Part) -> None:
        """Add the counts of another part."""
        for name, counter in other.tables.items():
            self.tables[name].update(counter)


class Span:
    """The first and the last time, as RFC 3339 text in UTC."""

    def __init__(self) -> None:
        self.times: report_types.Span = {}
        self._first = self._last = ""

    def add(self, times: Iterable[str | None]) -> None:
        """Widen the span to include these times, except for None; most are within it already."""
        for time in times:
            # without the Z, text with a fraction sorts after text without
            if time is None or self._first <= (moment := time[:-1]) <= self._last:
                continue
            if not self.times or moment < self._first:
                self.times["first"], self._first = time, moment
            if moment > self._last:
                self.times["last"], self._last = time, moment

    def unit(self) -> str:
        """Return the unit to count by: hours if the span is shorter than three days, else days."""
        if not self.times:
            return "day"
        return "hour" if parse_rfc3339(self.times["last"]) - parse_rfc3339(self.times["first"]) < _HOURLY else "day"


class Alike(NamedTuple):
    """Several records that are counted alike."""

    record: Any
    """What they have in common, with the time and id of the latest; or one whole record."""
    number: int
    first: int | None = None
    """The earliest time in seconds; None for that of the record."""
    times: tuple[str, ...] = ()
    """The first and last times of all, if they are counted by when they were seen."""
    what: str = ""
    """What is counted: when records were `seen`, everything else about connections (`told`), how messages were `received`, how many `recipients` they had,
    with which `protocols` they were delivered, and how they were `delivered`. If empty, all of this."""
    others: Sequence[tuple[int, int]] = ()
    """Time in seconds and id of the other examples, besides the record."""

    def earliest(self, time: Moment) -> Moment:
        """Return the earliest time, given that of the record."""
        return time if self.first is None else moment(rfc3339(self.first))

    def examples(self, time: Moment, number: int) -> Iterator[tuple[Moment, int]]:
        """Yield the time and id of each example, given those of the record."""
        yield time, number
        for when, other in self.others:
            yield moment(rfc3339(when)), other


class ReportCounts(NamedTuple):
    """All that is counted of some records. The counts of several sets of records can be added, in any order."""

    span: Span
    parts: dict[tuple[str, str], Part]
    """By direction and mail flow."""
    hosts: Counter[tuple[str, str]]
    """Connections and messages of each appliance."""
    both: Counter[tuple[str, str]]
    """Messages by how they were received and delivered."""
    ledger: Ledger
    """The issues of each partner."""

    def plain(self) -> tuple[Any, ...]:
        """Return the counts as plain values, for another process."""
        parts = {way: {name: dict(table) for name, table in part.tables.items()} for way, part in self.parts.items()}
        return self.span.times, parts, dict(self.hosts), dict(self.both), self.ledger.plain()

    @classmethod
    def of_plain(cls, plain: tuple[Any, ...]) -> ReportCounts:
        """Return the counts from their plain values (`plain`)."""
        times, parts, hosts, both, ledger = plain
        span = Span()
        span.add(times.values())
        return cls(span, {way: Part(tables) for way, tables in parts.items()}, Counter(hosts), Counter(both), Ledger.of_plain(ledger))

    def add(self, other: ReportCounts) -> None:
        """Add the counts of other records."""
        self.span.add(other.span.times.values())  # type: ignore[arg-type]
        for way, part in other.parts.items():
            self.parts[way].add(part)
        self.hosts.update(other.hosts)
        self.both.update(other.both)
        self.ledger.add(other.ledger)


ONE = Alike(None, 1)
"""A record that is counted by itself."""


def moment(time: str | None) -> Moment:
    """Return a time as the ledger has it, so that times sort as text."""
    return "" if time is None else time[:-1]


def count_hour(tables: Tables, what: str, hour: str, verdict: str, count: int) -> None:
    """Count connections or messages of an hour; "" if they have no time."""
    if hour:
        tables["over_time"][what, hour, verdict] += count
    else:
        tables["undated"][(what,)] += count
