"""Brief records in groups, as the compiled core counts them: most records are alike, so that only what a group has in common is looked at.

`shared_fields` says what that is. The core adds how many records there are, their times, and the ids of the latest.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Any, NamedTuple

from esatls.lines.clock import Stamps
from esatls.output.json_lines import loads
from esatls.report import shared_fields
from esatls.report.counts import Alike
from esatls.report.ledger import MOST_EXAMPLES
from esatls.report.shared_fields import HALVES, LINKS, TRIES, WHOLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_HOUR, _DAY = 3600, 86_400


class Family(NamedTuple):
    """A way of counting records (`groups.rs`)."""

    what: str
    """What is counted (`Alike`)."""
    of: int
    """Of what: `LINKS`, `HALVES`, `WHOLE` or `TRIES`."""
    period: int = 0
    """The seconds of a period; 0: one for all."""
    times: int = 0
    """How many of the times matter."""
    instead: int = 0
    """The family whose keys are used if the sender has no domain; 0: its own."""
    latest: int = 0
    """How many of the latest records are kept as examples."""


FAMILIES = (
    Family("seen", LINKS, _HOUR, 2),
    Family("told", LINKS, _DAY, 1, latest=MOST_EXAMPLES),
    Family("seen", WHOLE, _HOUR, 2),
    Family("received", HALVES, 0, 1, shared_fields.FROM_A_HOST, MOST_EXAMPLES),
    Family("recipients", HALVES),
    Family("protocols", WHOLE),
    Family("delivered", TRIES, 0, 1, latest=MOST_EXAMPLES),
)
"""By number (`shared_fields`)."""
_PERIOD = 5
"""Bytes of a key in front of what a group has in common: the family, and four for the period."""
_Span = tuple[int, int, list[tuple[int, int]]]
"""The first and the last time, and the times and ids of the latest records, newest first."""
_NEVER: _Span = 1 << 32, 0, []
_STAMPS = Stamps()


def by_itself(told: Iterable[bytes]) -> list[Alike]:
    """Return the records that the core has put in no group, given as lines for each family."""
    return [Alike(loads(line), 1, what=family.what) for family, some in zip(FAMILIES, told) for line in some.splitlines()]


def together(counted: Iterable[list[tuple[bytes, int, list[_Span]]]]) -> Iterator[Alike]:
    """Yield the groups that threads of the core have counted, each given as its key, size and times."""
    first, *others = ({key: (number, spans) for key, number, spans in some} for some in counted)
    for groups in others:
        for key, (number, spans) in groups.items():
            known = first.get(key)
            first[key] = (number, spans) if known is None else (known[0] + number, [_joined(*both) for both in zip_longest(known[1], spans, fillvalue=_NEVER)])
    for key, (number, spans) in first.items():
        yield _alike(FAMILIES[key[0]].what, loads(key[_PERIOD:]), number, spans)


def _joined(one: _Span, other: _Span) -> _Span:
    return min(one[0], other[0]), max(one[1], other[1]), sorted([*one[2], *other[2]], reverse=True)[:MOST_EXAMPLES]


def _alike(what: str, record: Any, number: int, spans: list[_Span]) -> Alike:
    """Return a group whose record has the time and id of the latest."""
    if not spans:
        return Alike(record, number, what=what)
    first, last, latest = spans[0]
    of_connections = "esa_direction" in record
    record["opened" if of_connections else "time" if what == "delivered" else "first_seen"] = _STAMPS[last]
    if what == "seen":
        return Alike(record, number, times=tuple([_STAMPS[time] for first, last, _ in spans for time in (first, last)]), what=what)
    record[("icid" if record["esa_direction"] == "receiving" else "dcid") if of_connections else "mid"] = latest[0][1]
    return Alike(record, number, first, (), what, latest[1:])
