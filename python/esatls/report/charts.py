"""Charts of the page, as inline SVG."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, NamedTuple

from esatls.lines.clock import MONTHS, parse_rfc3339
from esatls.report.html import Column, Markup, number, of_verdicts, table, tag, together
from esatls.report.notes import WHAT, word
from esatls.verdicts.words import COUNTED, WORDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from esatls.report.notes import What
    from esatls.report.report_types import Moment, Series, Tally

MOST_BARS = 180
_FEW_BARS = 8
_LABELS = 6
_STEPS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100)
_SECONDS = {"hour": 3600, "day": 86400}


def _rectangle(box: tuple[float, float, float, float], kind: str, title: str | None = None) -> Markup:
    """Return a rectangle; `box` is x, y, width and height."""
    x, y, width, height = [f"{value:.2f}".rstrip("0").rstrip(".") for value in box]
    inside = tag("title", title) if title else ""
    return Markup(f'<rect class="{kind}" x="{x}" y="{y}" width="{width}" height="{height}">{inside}</rect>')


def _svg(width: float, height: float, label: str, shapes: Iterable[Markup], kind: str) -> Markup:
    return tag(
        "svg",
        *shapes,
        class_=kind,
        viewBox=f"0 0 {width:g} {height:g}",
        preserveAspectRatio="none",
        role="img",
        aria_label=label,
        focusable="false",
    )


def stacked_bar(tally: Tally) -> Markup:
    """Return a bar of the verdicts that percentages count, by their shares."""
    whole = tally["counted"]
    label = ", ".join(f"{verdict} {value:.1f} %" for verdict, value in tally["percent"].items()) or "nothing counted"
    shapes = [_rectangle((0, 0, 100, 10), "track")]
    at = 0.0
    for verdict in WORDS:
        count = tally["verdicts"].get(verdict, 0)
        if count and verdict in COUNTED:
            width = 100 * count / whole
            shapes.append(_rectangle((at, 0, width, 10), f"v-{verdict}", f"{verdict}: {count:,} of {whole:,}"))
            at += width
    return _svg(100, 10, label, shapes, "stack")


def bar(value: float | None, kind: str, label: str) -> Markup:
    """Return a bar for a percentage; an empty one if there is none."""
    shapes = [_rectangle((0, 0, 100, 10), "track")]
    if value:
        shapes.append(_rectangle((0, 0, value, 10), kind))
    return _svg(100, 10, label, shapes, "stack")


class Axis(NamedTuple):
    """The time axis that all charts of a page share, cut into bars."""

    unit: str
    seconds: int
    """Length of a bar: a whole number of units."""
    first: int
    slots: int

    def slot(self, time: str) -> int:
        """Return the number of the bar for a time."""
        return (int(parse_rfc3339(time)) - self.first) // self.seconds

    def stamp(self, slot: int) -> str:
        """Return when a bar begins."""
        at = datetime.fromtimestamp(self.first + slot * self.seconds, timezone.utc)
        return f"{at:%Y-%m-%d %H:%M}" if self.unit == "hour" else f"{at:%Y-%m-%d}"

    def label(self, slot: int) -> tuple[str, str]:
        """Return the beginning of a bar as two lines of text, the more precise one first."""
        at = datetime.fromtimestamp(self.first + slot * self.seconds, timezone.utc)
        day = f"{at.day} {MONTHS[at.month - 1]}"
        return (f"{at:%H:%M}", day) if self.unit == "hour" else (day, str(at.year))

    def each(self) -> str:
        """Return the length of a bar in words: `hour`, `2 days`."""
        units = self.seconds // _SECONDS[self.unit]
        return self.unit if units == 1 else f"{units} {self.unit}s"


def time_axis(all_series: Sequence[Series]) -> Axis | None:
    """Return the axis for all times in these series; None if there is no time."""
    times = [row["time"] for series in all_series for what in WHAT for row in (*series[what][:1], *series[what][-1:])]
    if not times:
        return None
    unit = all_series[0]["unit"]
    first, last = int(parse_rfc3339(min(times))), int(parse_rfc3339(max(times)))
    units = (last - first) // _SECONDS[unit] + 1
    per_bar = -(-units // MOST_BARS)
    return Axis(unit, per_bar * _SECONDS[unit], first, -(-units // per_bar))


def _bars(rows: Sequence[Moment], axis: Axis) -> dict[int, dict[str, int]]:
    """Return the counts of each bar that has any."""
    bars: dict[int, dict[str, int]] = {}
    for row in rows:
        bar = bars.setdefault(axis.slot(row["time"]), dict.fromkeys(row["verdicts"], 0))
        for verdict, count in row["verdicts"].items():
            bar[verdict] += count
    return bars


def _top(most: int) -> int:
    """Return the top of an axis: at least `most`, and twice a round number."""
    half, scale = -(-most // 2), 1
    while half > 100 * scale:
        scale *= 10
    return 2 * scale * next(step for step in _STEPS if step * scale >= half)


def over_time(series: Series, what: What, title: str, axis: Axis | None) -> Markup:
    """Return a chart of connections or messages over time, with a table of its numbers."""
    rows, undated = series[what], series["undated"][what]
    note = f"{undated:,} {word(undated, what)} without a time in the log." if undated else None
    heading = tag("h3", title)
    if not rows or axis is None:
        return tag("figure", heading, tag("p", note or f"No {what}.", class_="more"))
    bars = _bars(rows, axis)
    shown = [verdict for verdict in WORDS if any(counts.get(verdict) for counts in bars.values())]
    label = f"{title} by {axis.each()}"
    numbers = table(
        label,
        [Column("From (UTC)"), *of_verdicts(shown)],
        [[axis.stamp(slot), *(number(counts[verdict]) for verdict in shown)] for slot, counts in bars.items()],
    )
    if axis.slots > 1:
        numbers = together([_columns(bars, axis, shown, label), tag("details", tag("summary", "The numbers"), numbers)])
    return tag("figure", heading, tag("figcaption", f"By {axis.each()}, UTC. ", note), numbers)


def _columns(bars: Mapping[int, Mapping[str, int]], axis: Axis, verdicts: Sequence[str], label: str) -> Markup:
    top = _top(max(sum(counts.values()) for counts in bars.values()))
    few = axis.slots <= _FEW_BARS
    per_cell = 1 if few else -(-axis.slots // _LABELS)
    cells = -(-axis.slots // per_cell)
    slots = cells * per_cell
    gap, width = (2.5, 5.0) if few else (0.5, 9.0)
    shapes = [_rectangle((0, height, slots * 10, 0.01), "rule") for height in (0, 50, 100)]
    for slot, counts in bars.items():
        tip = f"{axis.stamp(slot)}: " + ", ".join(f"{counts[verdict]:,} {verdict}" for verdict in verdicts if counts[verdict])
        below = 100.0
        columns = []
        for verdict in verdicts:
            if counts[verdict]:
                height = 100 * counts[verdict] / top
                below -= height
                columns.append(_rectangle((slot * 10 + gap, below, width, height), f"v-{verdict}"))
        shapes.append(tag("g", tag("title", tip), *columns))
    labels = [tag("span", first, tag("br"), tag("small", second)) for first, second in (axis.label(cell * per_cell) for cell in range(cells))]
    return tag(
        "div",
        tag("div", *(tag("span", f"{value:,}") for value in (top, top // 2, 0)), class_="y", aria_hidden="true"),
        _svg(slots * 10, 100, label + "; the numbers are in the table below", shapes, "columns"),
        tag("div", *labels, class_="x few" if few else "x", aria_hidden="true"),
        class_="chart",
    )
