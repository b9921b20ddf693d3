"""Brief records in groups, as the compiled core counts them: most records are like another one, and only one of these is looked at.

The core knows such a record as a line (`verdicts.shapes`), and is told here where to look in it. A connection has in this order: side, appliance, mail flow
and verdict, what else is counted, its times, its id. A message has: appliance and mail flow, how it was received, its deliveries, each with its time at the
end, when it was seen, the other side, its id, and its people.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from esatls.output.json_lines import loads
from esatls.report.count import Alike
from esatls.report.ledger import MOST_EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_STAMP, _HOUR, _DAY = 20, 13, 10
"""Characters of a stamp, and those that tell its hour and its day."""
_Point = tuple[int, int]


class _View(NamedTuple):
    """One way to count lines together."""

    marks: tuple[tuple[bytes, int, str], ...]
    """Texts that a line has, each behind the one of a number, the `first` there or the `last`, or `none`; 0 is where the line begins."""
    key: tuple[tuple[_Point, _Point], ...]
    """What they have in common: from one point to another, each so many bytes behind where a text begins; one more than there are is where the line ends."""
    times: tuple[_Point, ...] = ()
    """The times that matter. The latest by the first of them are examples."""


def _of_connections(*names: bytes) -> tuple[_View, _View]:
    """Return how connections with some times are counted: when they were seen, and whatever else."""
    verdict = (b'"tls_verdict":"', 0, "first"), (b'"', 1, "first")
    times = tuple((b',"%s":"' % name, 2 + number, "first") for number, name in enumerate(names))
    points = tuple((3 + number, len(text)) for number, (text, _, _) in enumerate(times))
    (mark, begin), *_ = points
    seen = _View((*verdict, *times), (((0, 0), (2, 0)), (points[0], (mark, begin + _HOUR))), points)
    return seen, _View(seen.marks, (((0, 0), (mark, 0)), (points[0], (mark, begin + _DAY))), points[:1])


Views = tuple[tuple[str, _View], ...]
_TO = b',"delivered":"', 0, "first"
_FIRST, _LAST = b'"first_seen":"', b'"last_seen":"'
_SEEN = _View(
    ((b'"received":"', 0, "first"), (b'"', 1, "first"), (b',"delivered":"', 2, "first"), (b'"', 3, "first"), (_FIRST, 4, "first"), (_LAST, 5, "first")),
    (((0, 0), (2, 0)), ((3, 0), (4, 0)), ((5, len(_FIRST)), (5, len(_FIRST) + _HOUR))),
    ((5, len(_FIRST)), (6, len(_LAST))),
)
_FROM_A_DOMAIN = _View(
    (_TO, (_FIRST, 1, "first"), (b'"sender":"', 2, "first"), (b"@", 3, "last"), (b'@"}', 3, "none")),
    (((0, 0), (1, 0)), ((4, 0), (6, 0))),
    ((2, len(_FIRST)),),
)
_FROM_A_HOST = _View(
    (_TO, (_FIRST, 1, "first"), (_LAST, 2, "first"), (b',"mid":', 3, "first"), (b'"sender":"', 4, "none")),
    (((0, 0), (1, 0)), ((3, len(_LAST) + _STAMP), (4, 0))),
    ((2, len(_FIRST)),),
)
_TO_NOBODY = _View(((b'"received":"', 0, "first"), (b'"deliveries":[]', 1, "first")), (((0, 0), (1, 0)),))
_TO_A_DOMAIN = _View(
    (
        (b'"received":"', 0, "first"),
        (b'"deliveries":[', 1, "first"),
        (b',"domain":"', 2, "first"),
        (b',"time":"', 3, "first"),
        (b'"},{"', 2, "none"),
    ),
    (((0, 0), (1, 0)), ((2, 0), (4, 0))),
    ((4, len(b',"time":"')),),
)
CONNECTIONS: Views = tuple(pair for names in ((b"opened", b"closed"), (b"opened",), (b"closed",)) for pair in zip(("seen", "told"), _of_connections(*names)))
MESSAGES: Views = (
    ("seen", _SEEN),
    ("received", _FROM_A_DOMAIN),
    ("received", _FROM_A_HOST),
    ("delivered", _TO_NOBODY),
    ("delivered", _TO_A_DOMAIN),
)
"""What is counted of records (`Alike`), each in the first way that fits."""


class Groups:
    """Groups of connections or of messages; `made` is what the core makes them of."""

    def __init__(self, made: Callable[..., Any], views: Views) -> None:
        self._whats = [*dict.fromkeys(what for what, _ in views)]
        self._of = [what for what, _ in views]
        self.families = len(self._whats)
        self.core = made([(self._whats.index(what), *view) for what, view in views], MOST_EXAMPLES)
        """What counts lines."""

    def rest(self, told: Iterable[bytes]) -> list[Alike]:
        """Return the lines that are counted one by one, given for each thing that is counted."""
        return [Alike(loads(line), 1, what=what) for what, some in zip(self._whats, told) for line in some.splitlines()]

    def __iter__(self) -> Iterator[Alike]:
        """Yield what was counted together, once."""
        for view, number, spans, latest, line in self.core.take():
            first = spans[0][0] if spans else None
            yield Alike(loads(line), number, first, tuple(chain.from_iterable(spans)), self._of[view], tuple(latest[1:]))
