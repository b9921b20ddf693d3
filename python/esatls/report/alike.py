"""Brief records in groups, as the compiled core counts them: most records are alike, so that only one of each group is looked at.

`verdicts.counted` says what the records of a group have in common. The core gives one of these records, with the times of the group and its latest ids.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from esatls.lines.clock import Stamps
from esatls.output.json_lines import loads
from esatls.report.count import Alike
from esatls.report.ledger import MOST_EXAMPLES
from esatls.verdicts import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_HOUR, _DAY = 3600, 86_400
_WHATS = {counted.OPENED: "seen", counted.TOLD: "told", counted.SEEN: "seen", counted.RECEIVED: "received", counted.DELIVERED: "delivered"}
"""What is counted of records in each family (`Alike`)."""
FAMILIES = (
    (True, _HOUR, 2, False, counted.OPENED, 0),
    (True, _DAY, 1, False, counted.TOLD, MOST_EXAMPLES),
    (False, _HOUR, 2, False, counted.SEEN, 0),
    (False, 0, 1, False, counted.FROM_A_HOST, MOST_EXAMPLES),
    (False, 0, 0, True, counted.DELIVERED, MOST_EXAMPLES),
)
"""By family: whether it counts connections; the seconds of a period (0: one for all); how many of a record's own times matter, or whether those of its
deliveries do; the family by which records are grouped if the sender has no domain; and how many of the latest are kept as examples."""
_Span = tuple[int, int, list[tuple[int, int]]]
"""The first and the last time, and the times and ids of the latest records, newest first."""
_STAMPS = Stamps()


def by_itself(told: Iterable[bytes]) -> list[Alike]:
    """Return the records that the core has put in no group, given as lines for each family."""
    return [Alike(loads(line), 1, what=what) for what, some in zip(_WHATS.values(), told) for line in some.splitlines()]


def together(counted: Iterable[list[tuple[bytes, int, list[_Span], bytes]]]) -> Iterator[Alike]:
    """Yield the groups that threads of the core have counted, each given as its key (the first byte is the family), size, spans, and one record."""
    first, *others = map(_by_key, counted)
    for groups in others:
        for key, (number, spans, line) in groups.items():
            known = first.get(key)
            first[key] = (number, spans, line) if known is None else (known[0] + number, [*map(_joined, known[1], spans)], known[2])
    for key, (number, spans, line) in first.items():
        yield _alike(key[0], loads(line), number, spans)


def _by_key(counted: Iterable[tuple[bytes, int, list[_Span], bytes]]) -> dict[bytes, tuple[int, list[_Span], bytes]]:
    return {key: (number, spans, line) for key, number, spans, line in counted}


def _joined(one: _Span, other: _Span) -> _Span:
    return min(one[0], other[0]), max(one[1], other[1]), sorted([*one[2], *other[2]], reverse=True)[:MOST_EXAMPLES]


def _alike(family: int, record: Any, number: int, spans: list[_Span]) -> Alike:
    """Return a group whose record has the time and id of the latest."""
    what = _WHATS[family]
    if what == "seen":
        return Alike(record, number, times=tuple([_STAMPS[time] for first, last, _ in spans for time in (first, last)]), what=what)
    if not spans:
        return Alike(record, number, what=what)
    first, last, latest = spans[0]
    tries: tuple[tuple[int, list[tuple[int, int]]], ...] = ()
    if family == counted.TOLD:
        record["opened" if "opened" in record else "closed"] = _STAMPS[last]
        record["icid" if "icid" in record else "dcid"] = latest[0][1]
    elif family == counted.RECEIVED:
        record["first_seen"], record["mid"] = _STAMPS[last], latest[0][1]
    else:
        record["mid"] = latest[0][1]
        for attempt, (_, last_of_it, _) in zip(record["deliveries"], spans):
            attempt["time"] = _STAMPS[last_of_it]
        if len(spans) > 1:
            tries = tuple([(since, latest) for since, _, latest in spans])
    return Alike(record, number, first, (), what, latest[1:], tries)
