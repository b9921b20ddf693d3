"""Shares over time as one line of text: a bar for each day, or for several days in a row."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, NamedTuple

from esatls.verdicts.words import COUNTED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from esatls.report.report_types import PartnerDay, Span

MOST_BARS = 14
"""Most bars in one line: up to two weeks by day, longer times in equal parts."""
_HEIGHTS = "\N{LOWER ONE EIGHTH BLOCK}\u2582\u2583\u2584\u2585\u2586\u2587\N{FULL BLOCK}"
_NONE = "\N{LIGHT SHADE}"


NOTE = (
    "Over time: each bar shows the share of connections over TLS. A full bar means all of them, a line at the bottom none; a grey bar means that there were "
    "no connections."
)
NOTE_OF_PROTOCOLS = "Bars after a protocol show its share of the connections over TLS."


class Bars(NamedTuple):
    """The time of a report in parts, each `length` days long."""

    first: date
    number: int
    length: int

    @classmethod
    def of(cls, span: Span) -> Bars | None:
        """Return the parts of a span; None if it is within one day."""
        if not span:
            return None
        first, last = (date.fromisoformat(span[end][:10]) for end in ("first", "last"))
        days = (last - first).days + 1
        length = -(-days // MOST_BARS)
        return cls(first, -(-days // length), length) if days > 1 else None

    def draw(self, days: Iterable[PartnerDay], share: Callable[[PartnerDay], tuple[int, int]]) -> str:
        """Return a bar for each part: a shade if there was nothing to count, the lowest bar only for a share of none, the highest only for all."""
        parts = [[0, 0] for _ in range(self.number)]
        for day in days:
            at = (date.fromisoformat(day["day"]) - self.first).days // self.length
            for place, number in enumerate(share(day)):
                parts[at][place] += number
        return "".join(_bar(some, whole) for some, whole in parts)

    def dates(self) -> str:
        """Return the times that the bars stand for, in words."""
        last = date.fromordinal(min(self.first.toordinal() + self.number * self.length - 1, date.max.toordinal()))
        each = "a day" if self.length == 1 else f"{self.length} days"
        return f"{each} from {self.first} to {last}"


def _bar(some: int, whole: int) -> str:
    if whole == 0:
        return _NONE
    if some in (0, whole):
        return _HEIGHTS[-1 if some else 0]
    eighths = (16 * some + whole) // (2 * whole)
    return _HEIGHTS[min(max(eighths, 2), 7) - 1]


def over_tls(day: PartnerDay) -> tuple[int, int]:
    """Return how many of a day's connections were encrypted, and how many percentages count."""
    return day["connections"].get("encrypted", 0), sum(count for verdict, count in day["connections"].items() if verdict in COUNTED)


def with_version(version: str) -> Callable[[PartnerDay], tuple[int, int]]:
    """Return a function that counts a day's connections over TLS: those with this protocol, and all."""
    return lambda day: (day["versions"].get(version, 0), sum(day["versions"].values()))
