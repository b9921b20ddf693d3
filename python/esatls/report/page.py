"""A report as one HTML page that needs nothing else: no script, no address fetched, charts as inline SVG.

Whatever the log says is text: every child of an element is escaped unless it is `Markup` made here. The
page's own style is the only one that its Content-Security-Policy lets through, by its hash.
"""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime, timezone
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from esatls.lines.clock import parse_rfc3339
from esatls.output import printable
from esatls.report.build import CONNECTION_VERDICTS, DIRECTIONS, FLOWS, MESSAGE_VERDICTS, UNCOUNTED, UNKNOWN, clipped, percent, split_reason, word

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from esatls.report.build import Report

MOST_PARTNERS = 100
MOST_REASONS = 25
MOST_FAILING = 25
MOST_CIPHERS = 50
MOST_APPLIANCES = 100
MOST_WHYS = 5
"""Rows shown of the tables that grow with the log; the page says how many more there are."""
MOST_BARS = 180
_FEW_BARS = 8
_LABELS = 6
_STEPS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100)

_ORDER = ("encrypted", "mixed", "cleartext", "failed", "internal", "none", "unused", "unknown")
_WORDS = {"receiving": ("Receiving", "received"), "delivery": ("Delivery", "delivered")}
_WHAT = ("connections", "messages")
_FLOW_WORDS = {"all": "All mail", "incoming": "Incoming mail", "outgoing": "Outgoing mail", "unknown": "Mail flow unknown"}
_MONTHS = ("", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SECONDS = {"hour": 3600, "day": 86400}


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def tag(element: str, /, *children: str | None, **attributes: str | None) -> Markup:
    """Return an element; children and attributes are escaped unless they are Markup, None is left out.

    An attribute's `_` stands for `-`, but for one at the end, which is dropped: `class_`, `aria_label`.
    """
    parts = [f' {key.rstrip("_").replace("_", "-")}="{escape(printable(value))}"' for key, value in attributes.items() if value is not None]
    inside = "".join(_html(child) for child in children if child is not None)
    return Markup(f"<{element}{''.join(parts)}>{inside}" + ("" if element in ("meta", "br") else f"</{element}>"))


def _html(child: str) -> str:
    return child if isinstance(child, Markup) else escape(printable(clipped(child)))


def together(children: Iterable[str]) -> Markup:
    """Return pieces one after the other, escaped unless they are Markup."""
    return Markup("".join(_html(child) for child in children))


def number(count: int) -> Markup:
    """Return a count as text, and as a value for programs."""
    return tag("data", f"{count:,}", value=str(count))


def share(value: float | None) -> Markup:
    """Return a percentage, or a dash where there is nothing to have a share of."""
    if value is None:
        return tag("span", "–", class_="dim")  # noqa: RUF001 - a dash
    return tag("data", f"{value:.1f}\N{NO-BREAK SPACE}%", value=f"{value:.1f}")


class Column(NamedTuple):
    """A column of a table: `kind` is `text`, `number`, `aside` (a number that is in no percentage) or `bar`."""

    label: str
    kind: str = "text"
    verdict: str | None = None
    """A verdict whose colour stands beside the label."""
    group: str = ""
    """What stands above this column and its neighbours of the same group."""


def table(caption: str, columns: Sequence[Column], rows: Sequence[Sequence[str]], more: str | None = None) -> Markup:
    """Return a table whose first column names the row; it scrolls on its own where it is too wide."""
    head = [tag("tr", *(_head(column) for column in columns))]
    if any(column.group for column in columns):
        groups = [(name, len(list(among))) for name, among in groupby(columns, lambda column: column.group)]
        above = [tag("th", name, scope="colgroup", colspan=str(span), class_="group") if name else tag("td", class_="group") for name, span in groups]
        head.insert(0, tag("tr", *above))
    body = [
        tag(
            "tr",
            tag("th", row[0], scope="row"),
            *(tag("td", cell, class_=c.kind) for c, cell in zip(columns[1:], row[1:])),
        )
        for row in rows
    ]
    inner = tag("table", tag("caption", tag("span", caption)), tag("thead", *head), tag("tbody", *body))
    scroll = tag("div", inner, class_="scroll", role="region", aria_label=caption, tabindex="0")
    return together([scroll, tag("p", more, class_="more")]) if more else scroll


def _head(column: Column) -> Markup:
    if column.verdict is None:
        return tag("th", column.label, scope="col", class_=column.kind)
    return tag("th", _key(column.verdict), column.label, scope="col", class_=f"{column.kind} keyed")


def _key(verdict: str) -> Markup:
    return tag("span", class_=f"key k-{verdict}", aria_hidden="true")


def _more(rows: Sequence[Mapping[str, Any]], shown: int, what: str) -> str | None:
    left = len(rows) - shown
    return f"{left:,} more {word(left, what)} in the report as JSON." if left > 0 else None


# charts


def _rectangle(box: tuple[float, float, float, float], kind: str, title: str | None = None) -> Markup:
    """Return a rectangle; `box` is x, y, width and height."""
    numbers = {key: f"{value:.2f}".rstrip("0").rstrip(".") for key, value in zip(("x", "y", "width", "height"), box)}
    return tag("rect", tag("title", title) if title else None, class_=kind, **numbers)


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


def stacked_bar(tally: Mapping[str, Any]) -> Markup:
    """Return a bar of the shares that a tally counts."""
    whole = tally["counted"]
    label = ", ".join(f"{verdict} {value:.1f} %" for verdict, value in tally["percent"].items()) or "nothing counted"
    shapes = [_rectangle((0, 0, 100, 10), "track")]
    at = 0.0
    for verdict in _ORDER:
        count = tally["verdicts"].get(verdict, 0)
        if count and verdict not in UNCOUNTED:
            width = 100 * count / whole
            shapes.append(_rectangle((at, 0, width, 10), f"v-{verdict}", f"{verdict}: {count:,} of {whole:,}"))
            at += width
    return _svg(100, 10, label, shapes, "stack")


def bar(value: float | None, kind: str, label: str) -> Markup:
    """Return one bar of a share in percent; an empty one where there is nothing to have a share of."""
    shapes = [_rectangle((0, 0, 100, 10), "track")]
    if value:
        shapes.append(_rectangle((0, 0, value, 10), kind))
    return _svg(100, 10, label, shapes, "stack")


class _Axis(NamedTuple):
    """The time that all charts of a page share, cut into bars."""

    unit: str
    seconds: int
    """Of one bar: a whole number of units."""
    first: int
    slots: int

    def slot(self, time: str) -> int:
        return (int(parse_rfc3339(time)) - self.first) // self.seconds

    def stamp(self, slot: int) -> str:
        at = datetime.fromtimestamp(self.first + slot * self.seconds, timezone.utc)
        return f"{at:%Y-%m-%d %H:%M}" if self.unit == "hour" else f"{at:%Y-%m-%d}"

    def label(self, slot: int) -> tuple[str, str]:
        """Return a time on two lines, the more telling first."""
        at = datetime.fromtimestamp(self.first + slot * self.seconds, timezone.utc)
        day = f"{at.day} {_MONTHS[at.month]}"
        return (f"{at:%H:%M}", day) if self.unit == "hour" else (day, str(at.year))

    def each(self) -> str:
        units = self.seconds // _SECONDS[self.unit]
        return self.unit if units == 1 else f"{units} {self.unit}s"


def _axis(all_series: Sequence[Mapping[str, Any]]) -> _Axis | None:
    """Return the axis for all that has a time; None if nothing has."""
    times = [row["time"] for series in all_series for what in _WHAT for row in (*series[what][:1], *series[what][-1:])]
    if not times:
        return None
    unit = all_series[0]["unit"]
    first, last = int(parse_rfc3339(min(times))), int(parse_rfc3339(max(times)))
    units = (last - first) // _SECONDS[unit] + 1
    per_bar = -(-units // MOST_BARS)
    return _Axis(unit, per_bar * _SECONDS[unit], first, -(-units // per_bar))


def _bars(rows: Sequence[Mapping[str, Any]], axis: _Axis) -> dict[int, dict[str, int]]:
    """Return the counts of each bar that has any."""
    bars: dict[int, dict[str, int]] = {}
    for row in rows:
        bar = bars.setdefault(axis.slot(row["time"]), dict.fromkeys(row["verdicts"], 0))
        for verdict, count in row["verdicts"].items():
            bar[verdict] += count
    return bars


def _top(most: int) -> int:
    """Return the end of an axis: at least `most`, and twice a round number."""
    half, scale = -(-most // 2), 1
    while half > 100 * scale:
        scale *= 10
    return 2 * scale * next(step for step in _STEPS if step * scale >= half)


def over_time(series: Mapping[str, Any], what: str, title: str, axis: _Axis | None) -> Markup:
    """Return a chart of connections or messages over time, with its numbers as a table."""
    rows, undated = series[what], series["undated"][what]
    note = f"{undated:,} {word(undated, what)} without a time in the log." if undated else None
    heading = tag("h3", title)
    if not rows or axis is None:
        return tag("figure", heading, tag("p", note or f"No {what}.", class_="more"))
    bars = _bars(rows, axis)
    shown = [verdict for verdict in _ORDER if any(counts.get(verdict) for counts in bars.values())]
    label = f"{title} by {axis.each()}"
    numbers = table(
        label,
        [Column("From (UTC)"), *(Column(verdict.capitalize(), _kind(verdict), verdict) for verdict in shown)],
        [[axis.stamp(slot), *(number(counts[verdict]) for verdict in shown)] for slot, counts in bars.items()],
    )
    if axis.slots > 1:
        numbers = together([_columns(bars, axis, shown, label), tag("details", tag("summary", "The numbers"), numbers)])
    return tag("figure", heading, tag("figcaption", f"By {axis.each()}, UTC. ", note), numbers)


def _columns(bars: Mapping[int, Mapping[str, int]], axis: _Axis, verdicts: Sequence[str], label: str) -> Markup:
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


# parts of the page


def _kind(verdict: str) -> str:
    return "aside" if verdict in UNCOUNTED else "number"


def _with_share(count: int, value: float | None) -> Markup:
    return together([number(count), tag("br"), tag("small", share(value))])


def _tile(title: str, tally: Mapping[str, Any], what: str) -> Markup:
    counted = tally["counted"]
    left = "All are in the percentage" if tally["total"] else f"No {what} in this log"
    rest = [f"{tally['verdicts'][verdict]:,} {verdict}" for verdict in _ORDER if verdict in UNCOUNTED and tally["verdicts"].get(verdict)]
    if rest:
        left = "Not in the percentage: " + ", ".join(rest)
    return tag(
        "div",
        tag("h3", title),
        tag("p", share(tally["percent"].get("encrypted")), class_="big"),
        stacked_bar(tally),
        tag("p", number(tally["verdicts"]["encrypted"]), " of ", number(counted), f" {word(counted, what)} over TLS"),
        tag("p", left, class_="dim"),
        class_="tile",
    )


def _glance(report: Report) -> Markup:
    receiving, delivery = report["receiving"]["all"], report["delivery"]["all"]
    return tag(
        "section",
        tag("h2", "At a glance"),
        tag(
            "div",
            _tile("Messages received", receiving["messages"], "messages"),
            _tile("Messages delivered", delivery["messages"], "messages"),
            _tile("Receiving connections", receiving["connections"], "connections"),
            _tile("Delivery connections", delivery["connections"], "connections"),
            class_="tiles",
        ),
        tag("p", report["notes"]["both"], class_="note"),
        _findings(report),
        id="glance",
    )


def _plural(count: int, what: str) -> Markup:
    return together([number(count), " ", word(count, what)])


def _findings(report: Report) -> Markup | None:
    """Return what somebody should look at, in sentences."""
    found = []
    for direction in DIRECTIONS:
        part = report[direction]["all"]
        connections, messages = part["connections"], part["messages"]
        side, verb = _WORDS[direction]
        kind = f"{side.lower()} connections"
        clear, mixed = messages["verdicts"]["cleartext"], messages["verdicts"].get("mixed", 0)
        if clear:
            found.append(together([_plural(clear, "messages"), f" {verb} in clear text"]))
        if mixed:
            found.append(together([_plural(mixed, "messages"), f" {verb} in clear text to some recipients"]))
        failed = connections["verdicts"]["failed"]
        if failed:
            needed = connections["required_failed"]
            of_them = together([" on ", number(needed), " of them"]) if failed > 1 else ""
            also = together(["; TLS was required", of_them]) if needed else ""
            found.append(together([_plural(failed, kind), " failed", also]))
        if connections["required_cleartext"]:
            found.append(together([_plural(connections["required_cleartext"], kind), " in clear text although TLS was required"]))
        if connections["fallback"]:
            found.append(together([_plural(connections["fallback"], kind), " went on in clear text after TLS had failed or had not been offered"]))
        certificates = sum(row["connections"] for row in part["reasons"] if row["certificate"])
        if certificates:
            found.append(together([_plural(certificates, kind), " with a certificate problem"]))
        for name, what, words in (("deprecated", "version", "a deprecated protocol"), ("weak", "cipher", "a weak cipher")):
            count, unknown = connections[name], sum(row["connections"] for row in part[what + "s"] if row[what] == UNKNOWN)
            whole = connections["verdicts"]["encrypted"] - unknown
            if count:
                of = together([number(count), " of ", _plural(whole, f"encrypted {kind}"), f" with {words} ("])
                rest = together(["; the ", words.split()[-1], " of ", number(unknown), " more is unknown"]) if unknown else ""
                found.append(together([of, share(percent(count, whole)), ")", rest]))
    if not found:
        return None
    return tag("div", tag("h3", "To look at"), tag("ul", *(tag("li", item) for item in found)), class_="findings")


def _verdict_table(caption: str, flows: Mapping[str, Any], what: str, verdicts: Sequence[str], *, attempts: bool) -> Markup:
    shown = [verdict for verdict in _ORDER if verdict in verdicts and verdict not in UNCOUNTED]
    aside = [verdict for verdict in _ORDER if verdict in verdicts and verdict in UNCOUNTED]
    columns = [Column("Mail flow"), Column("Shares", "bar"), *(Column(verdict.capitalize(), "number", verdict) for verdict in shown)]
    if attempts:
        columns += [Column("TLS attempted", "number"), Column("Fallback", "number"), Column("Required, no TLS", "number")]
    columns += [Column(verdict.capitalize(), "aside", verdict) for verdict in aside]
    columns.append(Column("Total", "number"))
    rows = []
    for flow in ("all", *FLOWS):
        tally = flows[flow][what]
        if flow != "all" and not tally["total"]:
            continue
        row: list[str] = [_FLOW_WORDS[flow], stacked_bar(tally)]
        row += [_with_share(tally["verdicts"][verdict], tally["percent"].get(verdict)) for verdict in shown]
        if attempts:
            row += [_with_share(tally["attempted"], tally.get("attempted_percent")), number(tally["fallback"]), number(tally["required"])]
        row += [number(tally["verdicts"][verdict]) for verdict in aside]
        row.append(number(tally["total"]))
        rows.append(row)
    return table(caption, columns, rows)


def _verdicts(report: Report) -> Markup:
    notes = report["notes"]
    meanings = [tag("div", tag("dt", _key(verdict), verdict.capitalize()), tag("dd", notes[verdict])) for verdict in _ORDER]
    about = {"connections": ("connections", "attempted", "required", "mail_flow"), "messages": ("messages",)}
    tables: list[str] = []
    for what, names in about.items():
        tables.append(tag("h3", what.capitalize()))
        tables.extend(tag("p", notes[name], class_="note") for name in names)
        for direction in DIRECTIONS:
            title, verb = _WORDS[direction]
            verdicts = CONNECTION_VERDICTS if what == "connections" else MESSAGE_VERDICTS[direction]
            caption = f"{title} connections" if what == "connections" else f"Messages {verb}"
            tables.append(_verdict_table(caption, report[direction], what, verdicts, attempts=what == "connections"))
    return tag(
        "section",
        tag("h2", "Verdicts"),
        tag("dl", *meanings, class_="meanings"),
        tag("p", notes["percent"], class_="note"),
        *tables,
        _both_sides(report["both_sides"]),
        id="verdicts",
    )


def _both_sides(rows: Sequence[Mapping[str, Any]]) -> Markup | None:
    if not rows:
        return None
    counts = {(row["received"], row["delivered"]): row["messages"] for row in rows}
    across = [verdict for verdict in _ORDER if any(delivered == verdict for _, delivered in counts)]
    down = [verdict for verdict in _ORDER if any(received == verdict for received, _ in counts)]
    return table(
        "Messages by both sides: received (rows) and delivered (columns)",
        [Column("Received"), *(Column(verdict.capitalize(), "number", verdict) for verdict in across)],
        [[together([_key(received), received.capitalize()]), *(number(counts.get((received, delivered), 0)) for delivered in across)] for received in down],
    )


def _present(tally: Mapping[str, Any]) -> list[str]:
    return [verdict for verdict in _ORDER if tally["verdicts"].get(verdict)]


def _times(report: Report) -> Markup:
    axis = _axis([report[direction]["all"]["over_time"] for direction in DIRECTIONS])
    charts = []
    for direction in DIRECTIONS:
        title, verb = _WORDS[direction]
        series = report[direction]["all"]["over_time"]
        charts.append(over_time(series, "messages", f"Messages {verb}", axis))
        charts.append(over_time(series, "connections", f"{title} connections", axis))
    seen = {verdict for direction in DIRECTIONS for what in _WHAT for verdict in _present(report[direction]["all"][what])}
    legend = [tag("li", _key(verdict), verdict.capitalize()) for verdict in _ORDER if verdict in seen]
    return tag(
        "section",
        tag("h2", "Over time"),
        tag("p", report["notes"]["over_time"], class_="note"),
        tag("ul", *legend, class_="legend"),
        tag("div", *charts, class_="pair"),
        id="time",
    )


def _marks(*marks: tuple[str, str]) -> Markup:
    return together(tag("span", word, class_=f"mark {kind}") for word, kind in marks)


def _shares(flows: Mapping[str, Any], name: str, caption: str) -> Markup:
    """Return the table of protocols or ciphers of one direction."""
    by_flow = {flow: {row[name]: row["connections"] for row in flows[flow][name + "s"]} for flow in FLOWS}
    present = [flow for flow in FLOWS if by_flow[flow]]
    rows = []
    for row in flows["all"][name + "s"][:MOST_CIPHERS]:
        marks = [("deprecated", "bad")] if row.get("deprecated") else [(word, "bad") for word in row.get("weak", ())]
        if row.get("no_forward_secrecy"):
            marks.append(("no forward secrecy", "mild"))
        value = row.get("percent")
        kind = "v-failed" if marks and marks[0][1] == "bad" else "v-encrypted"
        rows.append(
            [
                together([tag("code", row[name]), " ", _marks(*marks)]),
                bar(value, kind, "in no percentage" if value is None else f"{value:.1f} %"),
                share(value),
                number(row["connections"]),
                *(number(by_flow[flow].get(row[name], 0)) for flow in present),
                number(row["messages"]),
            ]
        )
    if not rows:
        return tag("div", tag("p", caption + ": nothing encrypted in this log.", class_="more"))
    columns = [Column(name.capitalize().replace("Version", "Protocol")), Column("Share", "bar"), Column("Percent", "number")]
    columns += [Column("Connections", "number")]
    columns += [Column(flow.capitalize() if flow != "unknown" else "Flow unknown", "number") for flow in present]
    return table(caption, [*columns, Column("Messages", "number")], rows, _more(flows["all"][name + "s"], MOST_CIPHERS, name + "s"))


def _protocols(report: Report) -> Markup:
    notes = report["notes"]
    tables = [
        _shares(report[direction], name, f"{_WORDS[direction][0]}: encrypted connections and messages by {what}")
        for name, what in (("version", "protocol"), ("cipher", "cipher"))
        for direction in DIRECTIONS
    ]
    outdated = []
    for direction in DIRECTIONS:
        rows = report[direction]["all"]["outdated"]
        if rows:
            cells = [
                [
                    row["partner"],
                    number(row["connections"]),
                    _words(row["versions"]),
                    _words(row["ciphers"]),
                ]
                for row in rows[:MOST_FAILING]
            ]
            outdated.append(
                table(
                    f"{_WORDS[direction][0]}: partners with deprecated protocols or weak ciphers",
                    [Column("Partner"), Column("Connections", "number"), Column("Protocols", "words"), Column("Ciphers", "words")],
                    cells,
                    _more(rows, MOST_FAILING, "partners"),
                )
            )
    return tag(
        "section",
        tag("h2", "Protocols and ciphers"),
        *(tag("p", notes[name], class_="note") for name in ("deprecated", "weak", "no_forward_secrecy")),
        *tables,
        *outdated,
        id="protocols",
    )


def _words(words: Sequence[str]) -> Markup:
    if not words:
        return share(None)
    return together([tag("code", words[0]), *(piece for word in words[1:] for piece in (", ", tag("code", word)))])


def _reason(reason: str) -> Markup:
    before, words, after = split_reason(reason)
    return tag("span", tag("span", before, class_="dim") if before else None, words, tag("span", after, class_="dim") if after else None)


def _whys(rows: Sequence[Mapping[str, Any]]) -> Markup:
    """Return the first reasons, by the words that matter: the table above has them whole."""
    items: list[str] = [
        together([number(row["connections"]), "\N{NO-BREAK SPACE}\N{MULTIPLICATION SIGN} ", split_reason(row["reason"])[1]]) for row in rows[:MOST_WHYS]
    ]
    if len(rows) > MOST_WHYS:
        others = len(rows) - MOST_WHYS
        items.append(f"and {others:,} other {word(others, 'reasons')}")
    return tag("ul", *(tag("li", item) for item in items))


def _failures(report: Report) -> Markup:
    notes = report["notes"]
    tables: list[str] = []
    for direction in DIRECTIONS:
        part = report[direction]["all"]
        title = _WORDS[direction][0]
        if not part["reasons"]:
            tables.append(tag("p", f"{title}: no failure in this log.", class_="more"))
            continue
        counts = [Column("Failed", "number", "failed"), Column("Cleartext", "number", "cleartext")]
        tables.append(
            table(
                f"{title}: why TLS did not come up",
                [Column("Reason"), *counts, Column("Partners", "number")],
                [
                    [
                        together([_reason(row["reason"]), " ", _marks(("certificate", "mild")) if row["certificate"] else ""]),
                        number(row["failed"]),
                        number(row["cleartext"]),
                        number(row["partners"]),
                    ]
                    for row in part["reasons"][:MOST_REASONS]
                ],
                _more(part["reasons"], MOST_REASONS, "reasons"),
            )
        )
        tables.append(
            table(
                f"{title}: partners with which TLS fails most",
                [
                    Column("Partner"),
                    *counts,
                    Column("TLS required", "number"),
                    Column("Certificate", "number"),
                    Column("Reasons", "reasons"),
                ],
                [
                    [
                        row["partner"],
                        *(number(row[name]) for name in ("failed", "cleartext", "required", "certificate")),
                        _whys(row["reasons"]),
                    ]
                    for row in part["failures"][:MOST_FAILING]
                ],
                _more(part["failures"], MOST_FAILING, "partners"),
            )
        )
    return tag(
        "section",
        tag("h2", "Failures"),
        *(tag("p", notes[name], class_="note") for name in ("failures", "reasons", "certificate")),
        *tables,
        id="failures",
    )


def _partner_table(rows: Sequence[Mapping[str, Any]], direction: str, caption: str) -> Markup:
    mixed = direction == "delivery"
    columns = [
        Column("Partner"),
        Column("Over TLS", "bar", group="Connections"),
        Column("Encrypted", "number", "encrypted", "Connections"),
        Column("Cleartext", "number", "cleartext", "Connections"),
        Column("Failed", "number", "failed", "Connections"),
        Column("Required, no TLS", "number", group="Connections"),
        Column("Unknown", "aside", "unknown", "Connections"),
        Column("Over TLS", "bar", group="Messages"),
        Column("Encrypted", "number", "encrypted", "Messages"),
        *([Column("Mixed", "number", "mixed", "Messages")] if mixed else []),
        Column("Cleartext", "number", "cleartext", "Messages"),
        Column("Unknown", "aside", "unknown", "Messages"),
    ]
    cells = []
    for row in rows[:MOST_PARTNERS]:
        connections, messages = row["connections"], row["messages"]
        cells.append(
            [
                row["partner"],
                together([share(connections["percent"].get("encrypted")), stacked_bar(connections)]),
                *(number(connections["verdicts"][verdict]) for verdict in ("encrypted", "cleartext", "failed")),
                number(connections["required"]),
                number(connections["verdicts"]["unknown"]),
                together([share(messages["percent"].get("encrypted")), stacked_bar(messages)]),
                number(messages["verdicts"]["encrypted"]),
                *([number(messages["verdicts"]["mixed"])] if mixed else []),
                number(messages["verdicts"]["cleartext"]),
                number(messages["verdicts"]["unknown"]),
            ]
        )
    return table(caption, columns, cells, _more(rows, MOST_PARTNERS, "partners"))


def _partners(report: Report) -> Markup:
    # the sides that face the world stand open
    first = {"receiving": "incoming", "delivery": "outgoing"}
    tables: list[str] = []
    for direction in DIRECTIONS:
        title = _WORDS[direction][0]
        for flow in sorted(FLOWS, key=lambda flow: flow != first[direction]):
            rows = report[direction][flow]["partners"]
            if not rows:
                continue
            caption = f"{title}, {_FLOW_WORDS[flow].lower()}: by partner"
            summary = tag("summary", f"{caption} ({len(rows):,})")
            tables.append(tag("details", summary, _partner_table(rows, direction, caption), open="" if flow == first[direction] else None))
    return tag("section", tag("h2", "Partners"), tag("p", report["notes"]["partners"], class_="note"), *tables, id="partners")


def _appliances(report: Report) -> Markup | None:
    rows = report["appliances"]
    if len(rows) < 2:  # one appliance stands in the heading
        return None
    return tag(
        "section",
        tag("h2", "Appliances"),
        table(
            "Connections and messages by appliance",
            [Column("Appliance"), Column("Connections", "number"), Column("Messages", "number")],
            [[row["esa_host"], number(row["connections"]), number(row["messages"])] for row in rows[:MOST_APPLIANCES]],
            _more(rows, MOST_APPLIANCES, "appliances"),
        ),
        id="appliances",
    )


def _header(report: Report) -> Markup:
    span, totals, hosts = report["span"], report["totals"], report["appliances"]
    pieces: list[Markup] = []
    if span:
        first, last = (tag("time", _readable(span[end]), datetime=span[end]) for end in ("first", "last"))
        pieces.append(tag("p", first, " to ", last, " UTC"))
    appliance = "no appliance" if not hosts else f"{len(hosts):,} appliances" if len(hosts) > 1 else ""
    if not appliance:
        appliance = "appliance not named in the log" if hosts[0]["esa_host"] == "unknown" else f"appliance {hosts[0]['esa_host']}"
    counts = [piece for what, count in totals.items() for piece in (_plural(count, what), ", ")]
    pieces.append(tag("p", *counts, appliance))
    sections = ["glance", "verdicts", "time", "protocols", "failures", "partners"]
    titles = ["At a glance", "Verdicts", "Over time", "Protocols and ciphers", "Failures", "Partners"]
    if len(hosts) > 1:
        sections.append("appliances")
        titles.append("Appliances")
    links = [tag("li", tag("a", title, href=f"#{section}")) for section, title in zip(sections, titles)]
    return tag("header", tag("h1", "TLS on the mail gateway"), *pieces, tag("nav", tag("ul", *links), aria_label="Sections"))


def _readable(time: str) -> str:
    return time[:19].replace("T", " ")


def page(report: Report) -> str:
    """Return the whole page for a report of `report.build`, to be written as UTF-8."""
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", "TLS on the mail gateway"),
        tag("style", Markup(_STYLE)),
    )
    body = tag(
        "body",
        _header(report),
        tag(
            "main",
            _glance(report),
            _verdicts(report),
            _times(report),
            _protocols(report),
            _failures(report),
            _partners(report),
            _appliances(report),
        ),
        tag("footer", tag("p", "Made by esatls from the log alone.")),
    )
    text = f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"
    return text.encode("utf-8", "replace").decode("utf-8")


_STYLE = """
:root{color-scheme:light dark;
--page:#f6f7f8;--card:#fff;--text:#1b222c;--dim:#5c6775;--line:#dfe3e8;--track:#e9ecef;--link:#0b5c8a;
--encrypted:#1d7f72;--mixed:#7568b8;--cleartext:#b97400;--failed:#c5393a;
--internal:#7b8fa5;--none:#948c83;--unused:#8f8f9f;--unknown:#5f6a77;--shade:#0003;
--bad-text:#9b1c1c;--bad:#fbe4e3;--mild-text:#6b4a00;--mild:#f9edcf}
@media (prefers-color-scheme:dark){:root{
--page:#11161b;--card:#191f26;--text:#e4e8ed;--dim:#9ba7b5;--line:#2d3641;--track:#262e37;--link:#7cc4ee;
--encrypted:#3bae9c;--mixed:#a094e2;--cleartext:#e3a33b;--failed:#e4645c;
--internal:#6b7d92;--none:#7a7068;--unused:#6f6f86;--unknown:#9aa6b3;--shade:#0009;
--bad-text:#ffb4ae;--bad:#4a2120;--mild-text:#f2d28a;--mild:#42361a}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--text);line-height:1.5;
font:1rem/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
header,main,footer{max-width:80rem;margin:0 auto;padding:0 1.25rem}
header{padding-top:2rem}
h1{font-size:1.9rem;line-height:1.15;letter-spacing:-.02em;margin:0 0 .4rem;text-wrap:balance}
h2{font-size:1.3rem;letter-spacing:-.01em;margin:0 0 .75rem}
h3{font-size:1rem;margin:1.5rem 0 .35rem}
p{margin:.25rem 0}
header p{color:var(--dim)}
nav ul,.legend{list-style:none;display:flex;flex-wrap:wrap;gap:.3rem 1.1rem;margin:1rem 0;padding:0}
a{color:var(--link);text-underline-offset:.2em}
a:focus-visible,summary:focus-visible,.scroll:focus-visible{outline:2px solid var(--link);outline-offset:2px}
section{background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:1.4rem 1.5rem 1.5rem;margin:0 0 1.25rem}
.note{color:var(--dim);font-size:.875rem;max-width:50rem}
.more{color:var(--dim);font-size:.875rem}
.dim{color:var(--dim)}
data,time,.aside,.number{font-variant-numeric:tabular-nums}
.tiles{display:grid;gap:1.75rem;grid-template-columns:repeat(auto-fit,minmax(13rem,1fr));margin-bottom:1rem}
.tile h3{margin:0;color:var(--dim);font-weight:600;font-size:.875rem}
.tile p{font-size:.875rem}
.tile .big{font-size:2.6rem;font-weight:650;letter-spacing:-.03em;line-height:1.15;margin:0}
.findings{border-top:1px solid var(--line);margin-top:1.1rem}
.findings h3{margin-top:1rem}
.findings ul{margin:0;padding-left:1.1rem;columns:2 24rem;column-gap:2.5rem}
.findings li{break-inside:avoid;margin:.15rem 0}
.legend{font-size:.875rem}
.meanings{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(17rem,100%),1fr));gap:.5rem 1.5rem;
margin:0 0 1rem;font-size:.875rem}
.meanings dt{font-weight:600}.meanings dd{margin:0;color:var(--dim)}
svg{display:block}
.stack{width:100%;height:.6rem;border-radius:.15rem;margin:.35rem 0}
.track{fill:var(--track)}
.v-encrypted{fill:var(--encrypted)}.v-mixed{fill:var(--mixed)}.v-cleartext{fill:var(--cleartext)}.v-failed{fill:var(--failed)}
.v-internal{fill:var(--internal)}.v-none{fill:var(--none)}.v-unused{fill:var(--unused)}.v-unknown{fill:var(--unknown)}
.key{display:inline-block;width:.65em;height:.65em;border-radius:.15em;margin-right:.4em}
.k-encrypted{background:var(--encrypted)}.k-mixed{background:var(--mixed)}.k-cleartext{background:var(--cleartext)}
.k-failed{background:var(--failed)}.k-internal{background:var(--internal)}.k-none{background:var(--none)}
.k-unused{background:var(--unused)}.k-unknown{background:var(--unknown)}
.scroll{overflow-x:auto;margin:1rem 0 .25rem;background:
linear-gradient(90deg,var(--card) 40%,transparent) 0 0/3rem 100% no-repeat local,
linear-gradient(270deg,var(--card) 40%,transparent) 100% 0/3rem 100% no-repeat local,
linear-gradient(90deg,var(--shade),transparent) 0 0/1rem 100% no-repeat scroll,
linear-gradient(270deg,var(--shade),transparent) 100% 0/1rem 100% no-repeat scroll}
table{border-collapse:collapse;width:100%;font-size:.875rem}
caption{text-align:left;font-weight:600;padding:0 0 .4rem;caption-side:top}
caption span{position:sticky;left:0;display:inline-block;max-width:calc(100vw - 3.6rem)}
th,td{padding:.4rem .5rem;text-align:left;vertical-align:top;border-bottom:1px solid var(--line)}
th:first-child{padding-left:0}
thead th{color:var(--dim);font-weight:600;font-size:.78rem;vertical-align:bottom;line-height:1.3}
tbody th{font-weight:500;overflow-wrap:anywhere;min-width:11.5rem}
.keyed{white-space:nowrap!important}
.group{border-bottom:0;padding-bottom:0;color:var(--text)}
figure tbody th{min-width:0;white-space:nowrap}
#partners caption{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
td{overflow-wrap:anywhere}
.number,.aside{text-align:right;white-space:nowrap;overflow-wrap:normal}
thead .number,thead .aside{white-space:normal}
td.aside{color:var(--dim)}
td small{color:var(--dim);font-size:.92em}
td.bar{min-width:6rem}
td .stack{margin:.45rem 0}
td ul{margin:0;padding:0;list-style:none}
.reasons,.words{padding-left:1rem!important}
td.reasons{min-width:18rem}
td.words{min-width:9rem}
code{font:.92em ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace}
.mark{display:inline-block;font-size:.75rem;line-height:1.3;
padding:.05rem .4rem;border-radius:.25rem;margin:0 .2rem .1rem 0;white-space:nowrap}
.bad{background:var(--bad);color:var(--bad-text)}
.mild{background:var(--mild);color:var(--mild-text)}
.pair{display:grid;gap:1.5rem 2.5rem;grid-template-columns:repeat(auto-fit,minmax(min(26rem,100%),1fr))}
figure{margin:0;min-width:0}
figcaption{color:var(--dim);font-size:.8rem}
.chart{display:grid;grid-template-columns:auto 1fr;gap:.25rem .5rem;margin:.75rem 0 .5rem;font-size:.75rem;color:var(--dim)}
.columns{width:100%;height:10rem;overflow:visible}
.rule{fill:none;stroke:var(--line);stroke-width:1px;vector-effect:non-scaling-stroke}
.y{display:flex;flex-direction:column;justify-content:space-between;text-align:right;font-variant-numeric:tabular-nums;margin:-.5rem 0}
.x{grid-column:2;display:flex}
.x span{flex:1 1 0;min-width:0;border-left:1px solid var(--line);padding-left:.3rem;line-height:1.3}
.x.few span{border:0;padding:0;text-align:center}
summary{cursor:pointer;color:var(--link);font-size:.875rem;padding:.3rem 0}
footer{color:var(--dim);font-size:.8rem;padding-bottom:2.5rem}
@media (max-width:85rem){th,td{padding-left:.3rem;padding-right:.3rem}th:first-child{padding-left:0}.bar,.group{padding-left:.9rem}
tbody th{min-width:8rem}td.bar{min-width:4.5rem}
table{font-size:.84rem}thead th{font-size:.75rem}}
@media (max-width:70rem){#partners th,#partners td{padding-left:.2rem;padding-right:.2rem}#partners tbody th{min-width:7rem}
#partners th:first-child{padding-left:0}#partners .bar,#partners .group{padding-left:.9rem}
#partners thead th{font-size:.7rem}#partners .key{margin-right:.2em}#partners td.bar{min-width:3.5rem}}
@media (max-width:40rem){header,main,footer{padding-left:.75rem;padding-right:.75rem}section{padding:1.1rem 1rem}
h1{font-size:1.55rem}tbody th{min-width:8rem}.tile .big{font-size:2.2rem}}
@media print{:root{--page:#fff;--card:#fff;--text:#000;--dim:#444;--line:#ccc;color-scheme:light}
body{font-size:10pt}nav,summary{display:none}section{border:0;padding:0;margin:0 0 1.5rem}
.scroll{overflow:visible;background:none}
#partners caption{position:static;clip-path:none;width:auto;height:auto}details::details-content{content-visibility:visible;height:auto}
svg,.key,.mark{print-color-adjust:exact;-webkit-print-color-adjust:exact}
#partners table{font-size:7pt}#partners th,#partners td{padding:.25rem .3rem}td.bar{min-width:4rem}tbody th{min-width:7rem}
h2,h3,caption{break-after:avoid}tr,figure,.tile{break-inside:avoid}thead{display:table-header-group}}
"""
