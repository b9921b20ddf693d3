"""A report as tables on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from rich.text import Text

from esatls.output import clipped, printable
from esatls.report.bars import NOTE, Bars, over_tls
from esatls.report.build import MESSAGE_VERDICTS, RECIPIENT_VERDICTS
from esatls.report.evidence import TITLE
from esatls.report.notes import DIRECTION_WORDS, DIRECTIONS, FLOW_WORDS, FLOWS, TITLES, WHAT, examples, second, times_of, whole, word
from esatls.report.reasons import in_words, split_reason
from esatls.report.sheet import MOST_ROWS, Cell, Sheet
from esatls.verdicts.words import CONNECTION_VERDICTS, counted, uncounted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from esatls.report.notes import Direction
    from esatls.report.report_types import Report

MOST_TIMES = 31


def render(report: Report, console: Console) -> None:
    """Print a report of `report.build` on a console."""
    sheet = Sheet(console)
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


def _evidence(sheet: Sheet, report: Report) -> None:
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


def _head(sheet: Sheet, report: Report) -> None:
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


def _cleartext(sheet: Sheet, report: Report) -> None:
    sheet.heading("Clear text")
    rows = [row for row in report["organisations"] if "cleartext" in row]
    if not any(not row["own"] for row in rows):
        sheet.note("No mail with partners in clear text in this log.")
    bars = Bars.of(report["span"])
    if rows and bars:
        sheet.note(f"{NOTE} Each bar stands for {bars.dates()}.")
    for title, own in zip(TITLES["cleartext"], (False, True)):
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


def _verdicts(sheet: Sheet, report: Report) -> None:
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


def _protocols(sheet: Sheet, part: Mapping[str, Any], direction: str) -> None:
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


def _failures(sheet: Sheet, report: Report, direction: Direction) -> None:
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


def _failure_tables(sheet: Sheet, part: Mapping[str, Any]) -> None:
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


def _partners(sheet: Sheet, report: Report) -> None:
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


def _times(sheet: Sheet, report: Report) -> None:
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
