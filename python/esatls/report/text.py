"""A report as tables on a terminal.

Text from the log is put into cells as `Text`, never as markup, with its control characters made visible.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Union, cast

from rich.cells import cell_len
from rich.text import Text

from esatls.output import clipped, printable
from esatls.report.bars import NOTE, Bars, over_tls
from esatls.report.build import MESSAGE_VERDICTS, RECIPIENT_VERDICTS
from esatls.report.evidence import TITLE
from esatls.report.notes import DIRECTION_WORDS, DIRECTIONS, FLOW_WORDS, FLOWS, WHAT, examples, second, times_of, whole, word
from esatls.report.reasons import in_words, split_reason
from esatls.verdicts.words import CONNECTION_VERDICTS, STYLES, counted, uncounted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from esatls.report.notes import Direction
    from esatls.report.report_types import Report

MOST_ROWS = 10
"""Rows shown of tables that grow with the log; the report as JSON has all."""
MOST_TIMES = 31

_ENDLESS = 100_000
"""Width of a line to a file or a pipe, in character cells."""
_NARROWEST = 20
"""Least width of a line on a terminal, in character cells; a narrower terminal wraps lines itself."""
_PROSE = 100
"""Greatest width of a line of a note, in character cells."""
_GAP = 2
_NAME = 16
_LEAST_NAME = 4
_LEAST_TEXT = 12
"""Least widths, in character cells: of the first column, of the first column beside only one other, and of other columns of text."""

Cell = Union[int, float, str, Text, None]
"""An integer is a count, a float a percentage, None a missing value (shown as a dash); text is never markup."""


def _cell(value: Cell) -> Text:
    if isinstance(value, Text):
        return value
    if value is None:
        return Text("-", style="dim")
    if isinstance(value, float):
        return Text(f"{value:.1f}%")
    if isinstance(value, int):
        return Text(f"{value:,}", style="" if value else "dim")
    return Text(printable(clipped(value)))


class _Column(NamedTuple):
    """A column, and its width in character cells: `natural` without wrapping, `least` as narrow as it may be."""

    header: Text
    cells: Sequence[Text]
    number: bool
    natural: int
    least: int

    @classmethod
    def of(cls, name: str, cells: Sequence[Text], *, number: bool) -> _Column:
        """Measure a column: numbers are never split, headers only between words, text anywhere."""
        natural = max(map(cell_len, (line for text in (name, *(cell.plain for cell in cells)) for line in text.split("\n"))))
        words = max(map(cell_len, name.split()), default=0)
        least = max(words, *(cell_len(cell.plain) for cell in cells)) if number else min(natural, max(words, _LEAST_TEXT))
        return cls(Text(name, style=STYLES.get(name.lower(), "")), cells, number, natural, least)


def _widths(columns: Sequence[_Column], room: int) -> list[int]:
    """Return the widths of columns that share some room. The widest column shrinks first; none becomes narrower than its least width."""
    widths = [column.natural for column in columns]
    for _ in range(sum(widths) + _GAP * (len(widths) - 1) - room):
        spare = [at for at, column in enumerate(columns) if widths[at] > column.least]
        if not spare:
            break
        widths[max(spare, key=widths.__getitem__)] -= 1
    return widths


class _Sheet:
    """Prints headings, tables and notes."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def heading(self, text: str) -> None:
        self.console.print()
        self.console.print(Text(text.upper(), style="bold"))

    def note(self, text: str, style: str = "dim") -> None:
        self.console.print(Text(text, style=style), width=min(self.console.width, _PROSE))

    def table(
        self, title: str, names: Sequence[str], rows: Sequence[Sequence[Cell]], shown: int = MOST_ROWS, what: str = "rows", apart: int | None = None
    ) -> None:
        """Print a table: columns of numbers are aligned right, the first column and columns of text left.

        A table that is too wide is printed in parts, each beginning with the first column again; a part always begins at column `apart` then.
        """
        if not rows:
            return
        columns = []
        for at, name in enumerate(names):
            cells = [_cell(row[at]) for row in rows[:shown]]
            if name or any(cell.plain for cell in cells):  # a column of marks that has none is left out
                columns.append(_Column.of(name, cells, number=at > 0 and not isinstance(rows[0][at], (str, Text))))
        self.console.print()
        if title:
            self.note(title, "bold")
        for number, part in enumerate(self._parts(columns, apart)):
            if number:
                self.console.print()
            self._print(part)
        if len(rows) > shown:
            more = len(rows) - shown
            self.note(f"{more:,} more {word(more, what)} in the report as JSON")

    def _parts(self, columns: Sequence[_Column], apart: int | None) -> list[list[_Column]]:
        """Return columns in parts that fit the console, each with the first column."""
        first, *rest = columns
        width = self.console.width
        most = max((column.least for column in rest), default=0)
        # the first column names the row: it shrinks only if another one does not fit beside it
        first = first._replace(least=min(first.natural, _NAME, max(_LEAST_NAME, width - _GAP - most)))
        if _fit([first, *rest], width):
            return [[first, *rest]]
        parts = [[first]]
        for at, column in enumerate(rest, 1):
            if len(parts[-1]) > 1 and (at == apart or not _fit([*parts[-1], column], width)):
                parts.append([first])
            parts[-1].append(column)
        return parts

    def _print(self, columns: Sequence[_Column]) -> None:
        # not rich's own table: it measures each cell again, which takes several times as long
        widths = _widths(columns, self.console.width)
        head = self._row([column.header for column in columns], columns, widths, is_head=True)
        head.stylize("bold")
        rule = Text("─" * (sum(widths) + _GAP * (len(widths) - 1)))
        rows = [self._row(cells, columns, widths) for cells in zip(*(column.cells for column in columns))]
        # a line may be longer than the terminal: wrapped is better than cut off
        self.console.print(Text("\n").join([head, rule, *rows]), crop=False, no_wrap=True, overflow="ignore")

    def _row(self, cells: Sequence[Text], columns: Sequence[_Column], widths: Sequence[int], *, is_head: bool = False) -> Text:
        """Return a row of a table, with as many lines as its longest cell needs; headers are aligned at the bottom."""
        folded = [
            [cell.copy()]
            if cell_len(cell.plain) <= width and "\n" not in cell.plain
            else cell.wrap(self.console, width, justify="right" if column.number else "left", overflow="fold")
            for cell, column, width in zip(cells, columns, widths)
        ]
        height = max(map(len, folded))
        lines = []
        for number in range(height):
            line = []
            for theirs, column, width in zip(folded, columns, widths):
                at = number - (height - len(theirs) if is_head else 0)
                piece = theirs[at] if 0 <= at < len(theirs) else Text()
                piece.align("right" if column.number else "left", width)
                line.append(piece)
            lines.append(Text(" " * _GAP).join(line))
        return Text("\n").join(lines)


def _fit(columns: Sequence[_Column], width: int) -> bool:
    return sum(column.least for column in columns) + _GAP * (len(columns) - 1) <= width


def render(report: Report, console: Console) -> None:
    """Print a report of `report.build` on a console.

    A table that is too wide for a terminal is printed in parts; elsewhere, each table is as wide as it needs. No number is ever cut.
    """
    console.width = max(console.width, _NARROWEST) if console.is_terminal else _ENDLESS
    sheet = _Sheet(console)
    _head(sheet, report)
    _cleartext(sheet, report)
    _verdicts(sheet, report)
    for direction in DIRECTIONS:
        _protocols(sheet, report[direction]["all"], direction)
    for direction in DIRECTIONS:
        _failures(sheet, report, direction)
    _partners(sheet, report)
    _times(sheet, report)
    _evidence(sheet, report)


def _evidence(sheet: _Sheet, report: Report) -> None:
    if "evidence" not in report:
        return
    told: Mapping[str, Any] = report["evidence"]
    sheet.heading("Evidence")
    sheet.note(report["notes"]["evidence"])
    sheet.note(f"Made {told['made']} by esatls {told['version']}")
    for name, label in (("timezone", "Time zone"), ("host", "Appliance"), ("since", "From"), ("until", "Until")):
        if name in told:
            sheet.note(f"{label}: {printable(str(told[name]))}")
    for problem in told["problems"]:
        sheet.note(f"Problem: {printable(problem)}")
    rows: list[list[Cell]] = []
    for one in told["files"]:
        times = [second(one.get(end, "")) for end in ("first", "last")]
        rows.append([one["name"], *times, *(one.get(name) for name in ("size", "lines", "events", "ignored", "unreadable")), one.get("sha256", "")])
    sheet.table("", ["File", "First line", "Last line", "Bytes", "Lines", "Events", "Ignored", "Unreadable", "SHA-256"], rows, what="files")


def _head(sheet: _Sheet, report: Report) -> None:
    span, totals = report["span"], report["totals"]
    told = report.get("evidence", {})
    sheet.console.print(Text(printable(told.get("title", TITLE)), style="bold"))
    if "organisation" in told:
        sheet.console.print(Text(printable(told["organisation"])))
    if told.get("incomplete"):
        sheet.note(f"Incomplete evidence. {' '.join(told['incomplete'])}", "bold red")
    if span:
        sheet.console.print(Text(f"{span['first']} to {span['last']}"))
    sheet.console.print(Text(", ".join(f"{count:,} {word(count, what)}" for what, count in ((what, totals[what]) for what in WHAT))))
    rows: list[list[Cell]] = [[host["esa_host"], host["connections"], host["messages"]] for host in report["appliances"]]
    sheet.table("", ["Appliance", "Connections", "Messages"], rows, what="appliances")
    if "contradictions" in report["notes"]:
        sheet.note(printable(report["notes"]["contradictions"]), "")


def _cleartext(sheet: _Sheet, report: Report) -> None:
    sheet.heading("Clear text")
    rows = [row for row in report["organisations"] if "cleartext" in row]
    if not any(not row["own"] for row in rows):
        sheet.note("No mail with partners in clear text in this log.")
    bars = Bars.of(report["span"])
    if rows and bars:
        sheet.note(f"{NOTE} Each bar stands for {bars.dates()}.")
    for title, own in (("Partners in clear text", False), ("Own domains in clear text", True)):
        cells: list[list[Cell]] = []
        for row in rows:
            if row["own"] == own:
                issue = row["cleartext"]
                cells.append([row["partner"], DIRECTION_WORDS[row["direction"]][1], issue["messages"], whole(row, "cleartext"), *times_of(row, issue)])
                cells[-1] += [bars.draw(row["days"], over_tls)] if bars else []
                cells[-1].append(", ".join(number for _, number in examples(issue, report)))
                cells[-1].append(", ".join(in_words(issue["reasons"], issue["messages"])))
        names = ["Partner", "Direction", "Clear text", "Of", "First", "Last", "Last over TLS", *(["Over time"] if bars else []), "MIDs", "Reasons"]
        sheet.table(title, names, cells, what="partners")


def _tally(name: str, tally: Mapping[str, Any], verdicts: Sequence[str]) -> list[Cell]:
    cells: list[Cell] = [name]
    cells += [tally["verdicts"][verdict] for verdict in counted(verdicts)]
    cells.append(tally["percent"].get("encrypted"))
    cells += [tally["verdicts"][verdict] for verdict in uncounted(verdicts)]
    return [*cells, tally["total"]]


def _names(verdicts: Sequence[str]) -> list[str]:
    return [*map(str.capitalize, counted(verdicts)), "TLS %", *map(str.capitalize, uncounted(verdicts)), "Total"]


def _verdicts(sheet: _Sheet, report: Report) -> None:
    notes = report["notes"]
    sheet.heading("Connections by verdict")
    sheet.note(notes["connections"])
    for direction in DIRECTIONS:
        title = DIRECTION_WORDS[direction][0]
        tallies = {flow: report[direction][flow]["connections"] for flow in ("all", *FLOWS)}
        flows = [flow for flow, tally in tallies.items() if flow == "all" or tally["total"]]
        rows = [_tally(FLOW_WORDS[flow], tallies[flow], CONNECTION_VERDICTS) for flow in flows]
        sheet.table("", [title, *_names(CONNECTION_VERDICTS)], rows)
        rows = []
        for flow in flows:
            tally = tallies[flow]
            shares = (tally.get("attempted_percent"), tally.get("attempted_encrypted"))
            rows.append([FLOW_WORDS[flow], tally["attempted"], *shares, tally["fallback"], tally["required"]])
        sheet.table("", [title, "TLS attempted", "Share", "Over TLS of attempts", "Fallback", "Required, no TLS"], rows)
    sheet.console.print()
    sheet.note(notes["attempted"])
    sheet.note(notes["required"])
    for what, of_direction, suffix in (("messages", MESSAGE_VERDICTS, ""), ("recipients", RECIPIENT_VERDICTS, ", recipients")):
        sheet.heading(f"{what.capitalize()} by verdict")
        sheet.note(notes[what])
        for direction in DIRECTIONS:
            verdicts = of_direction[direction]
            tallies = {flow: cast("Mapping[str, Any]", report[direction][flow])[what] for flow in ("all", *FLOWS)}
            rows = [_tally(FLOW_WORDS[flow], tally, verdicts) for flow, tally in tallies.items() if flow == "all" or tally["total"]]
            sheet.table("", [f"{DIRECTION_WORDS[direction][1].capitalize()}{suffix}", *_names(verdicts)], rows)
    sheet.heading("Messages by both sides")
    pairs = {(row["received"], row["delivered"]): row["messages"] for row in report["both_sides"]}
    across = [verdict for verdict in MESSAGE_VERDICTS["delivery"] if any(delivered == verdict for _, delivered in pairs)]
    down = [verdict for verdict in MESSAGE_VERDICTS["receiving"] if any(received == verdict for received, _ in pairs)]
    both: list[list[Cell]] = [[received, *(pairs.get((received, delivered), 0) for delivered in across)] for received in down]
    sheet.table("", ["Received / delivered", *map(str.capitalize, across)], both)
    sheet.console.print()
    sheet.note(notes["percent"])
    sheet.note(notes["both"])
    sheet.note(notes["mail_flow"])


def _protocols(sheet: _Sheet, part: Mapping[str, Any], direction: str) -> None:
    title = DIRECTION_WORDS[direction][0]
    sheet.heading(f"{title}: protocols and ciphers")
    rows: list[list[Cell]] = []
    for row in part["versions"]:
        mark = Text("deprecated", style="red") if row["deprecated"] else Text()
        rows.append([row["version"], row["connections"], row.get("percent"), row["messages"], mark])
    if not rows:
        sheet.note("Nothing encrypted in this log.")
    sheet.table("", ["Protocol", "Connections", "Share", "Messages", ""], rows, what="protocols")
    rows = []
    for row in part["ciphers"]:
        marks = [("weak: " + ", ".join(row["weak"]), "red")] if row["weak"] else []
        if row["no_forward_secrecy"]:
            marks.append(("no forward secrecy", "yellow"))
        mark = Text("; ").join(Text(*one) for one in marks)
        rows.append([row["cipher"], row["connections"], row.get("percent"), row["messages"], mark])
    sheet.table("", ["Cipher", "Connections", "Share", "Messages", ""], rows, what="ciphers")
    old: list[list[Cell]] = [[row["partner"], row["connections"], ", ".join(row["versions"]), ", ".join(row["ciphers"])] for row in part["outdated"]]
    sheet.table(
        "Partners with deprecated protocols or weak ciphers",
        ["Partner", "Connections", "Protocols", "Ciphers"],
        old,
        what="partners",
    )


def _reason(reason: str) -> Text:
    before, words, after = split_reason(reason)
    return Text.assemble((printable(clipped(before)), "dim"), printable(clipped(words)), (printable(after), "dim"))


def _failures(sheet: _Sheet, report: Report, direction: Direction) -> None:
    part, title = report[direction]["all"], DIRECTION_WORDS[direction][0]
    sheet.heading(f"{title}: failures")
    if part["reasons"]:
        _failure_tables(sheet, part)
    else:
        sheet.note("No failure in this log.")
    names = uncounted(CONNECTION_VERDICTS)
    rows: list[list[Cell]] = [[_reason(row["reason"]), *(cast("Mapping[str, Any]", row)[verdict] for verdict in names)] for row in part["other_reasons"]]
    sheet.table("Errors that do not count as TLS failures", ["Reason", *map(str.capitalize, names)], rows, what="reasons")
    if rows:
        sheet.note(report["notes"]["other_reasons"])


def _failure_tables(sheet: _Sheet, part: Mapping[str, Any]) -> None:
    rows: list[list[Cell]] = []
    for row in part["reasons"]:
        mark = Text("certificate", style="yellow") if row["certificate"] else Text()
        rows.append([_reason(row["reason"]), row["failed"], row["cleartext"], row["partners"], mark])
    sheet.table("", ["Reason", "Failed", "Cleartext", "Partners", ""], rows, what="reasons")
    rows = []
    for row in part["failures"]:
        # only the words that matter: the table above has the whole reasons
        whys = in_words([{"reason": why["reason"], "count": why["connections"]} for why in row["reasons"]], row["connections"])
        reasons = Text("\n").join(Text(printable(clipped(why))) for why in whys)
        rows.append([row["partner"], row["failed"], row["cleartext"], row["required"], reasons])
    sheet.table(
        "Partners with the most TLS failures",
        ["Partner", "Failed", "Cleartext", "TLS\nrequired", "Reasons"],
        rows,
        what="partners",
    )


def _partners(sheet: _Sheet, report: Report) -> None:
    sheet.heading("Partners")
    sheet.note(report["notes"]["partners"])
    for direction in DIRECTIONS:
        title, verb = DIRECTION_WORDS[direction]
        for flow in FLOWS:
            rows = [_partner(row) for row in report[direction][flow]["partners"]]
            # columns with only zeros take room from the names
            kept = [at for at in range(len(_PARTNER)) if at not in _MAY_GO or any(row[at] for row in rows[:MOST_ROWS])]
            names = [_PARTNER[at] for at in kept]
            cut = [[row[at] for at in kept] for row in rows]
            sheet.table(f"{title}, {FLOW_WORDS[flow]}: connections, and mail {verb}", names, cut, what="partners", apart=kept.index(_MAIL))


_SHORT = {"encrypted": "TLS", "cleartext": "clear"}
"""Shorter words for verdicts, for the headers of narrow columns."""
_OVER = counted(CONNECTION_VERDICTS)
_PARTNER = (
    "Partner",
    *(f"Conn.\n{_SHORT.get(verdict, verdict)}" for verdict in _OVER),
    *("Conn.\nTLS %", "Required,\nno TLS", "Conn.\nunknown"),
    *("Mail\nTLS", "Mail\nmixed", "Mail\nclear", "Mail\nTLS %", "Mail\nunknown"),
)
_MAY_GO = frozenset(map(_PARTNER.index, ("Conn.\nmixed", "Required,\nno TLS", "Conn.\nunknown", "Mail\nmixed", "Mail\nunknown")))
_MAIL = _PARTNER.index("Mail\nTLS")


def _partner(row: Mapping[str, Any]) -> list[Cell]:
    over, mail = row["connections"], row["messages"]
    cells: list[Cell] = [row["partner"], *(over["verdicts"][verdict] for verdict in _OVER)]
    cells += [over["percent"].get("encrypted"), over["required"], over["verdicts"]["unknown"]]
    cells += [mail["verdicts"].get(verdict, 0) for verdict in ("encrypted", "mixed", "cleartext")]
    return [*cells, mail["percent"].get("encrypted"), mail["verdicts"]["unknown"]]


def _times(sheet: _Sheet, report: Report) -> None:
    sheet.heading("Messages over time")
    sheet.note(report["notes"]["over_time"])
    for direction in DIRECTIONS:
        series = report[direction]["all"]["over_time"]
        verdicts = [verdict for verdict in MESSAGE_VERDICTS[direction] if any(row["verdicts"][verdict] for row in series["messages"])]
        hourly = series["unit"] == "hour"
        rows: list[list[Cell]] = [
            [row["time"][: 16 if hourly else 10].replace("T", " "), *(row["verdicts"][verdict] for verdict in verdicts)] for row in series["messages"]
        ]
        names = [f"{DIRECTION_WORDS[direction][1].capitalize()}, by {series['unit']}", *(verdict.capitalize() for verdict in verdicts)]
        sheet.table("", names, rows, MOST_TIMES, f"{series['unit']}s")
        undated = series["undated"]["messages"]
        if undated:
            sheet.note(f"{undated:,} {word(undated, 'messages')} without a time in the log")
