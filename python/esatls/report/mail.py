"""A report as the text of a mail: 76 columns wide, the most important things first."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from esatls.output import clipped, printable
from esatls.report.evidence import TITLE
from esatls.report.findings import findings
from esatls.report.notes import DIRECTION_WORDS, DIRECTIONS, GLANCE, TITLES, counted_by, examples, minute, not_counted, whole, word
from esatls.report.reasons import in_words
from esatls.verdicts.words import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from esatls.report.report_types import IssueName, Report

WIDTH = 76
MOST_ROWS = 10
"""Rows shown of each list of partners; page, JSON and CSV have all."""


def mail(report: Report) -> str:
    """Return the text of a report of `report.build`; no line is wider than 76 columns, unless a single word is."""
    return "".join(f"{line.rstrip()}\n" for line in _lines(report))


def _wrapped(text: str, first: str = "", rest: str = "") -> list[str]:
    text = printable(text.replace("\N{NO-BREAK SPACE}", " "))
    return textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False)


def _lines(report: Report) -> Iterator[str]:
    told, span = report.get("evidence", {}), report["span"]
    yield from _wrapped(told.get("title", TITLE))
    if "organisation" in told:
        yield from _wrapped(told["organisation"])
    if span:
        yield f"{minute(span['first'])} to {minute(span['last'])} UTC"
    if told.get("incomplete"):
        yield ""
        yield from _wrapped(f"Incomplete evidence. {' '.join(told['incomplete'])}")
    yield ""
    for label, direction, what in GLANCE:
        tally = report[direction]["all"][what]
        share = tally["percent"].get("encrypted")
        yield f"{label:<24}{'-' if share is None else f'{share:.1f} %':>8} over TLS   {tally['verdicts']['encrypted']:,} of {tally['counted']:,}"
        yield from _wrapped(not_counted(tally), "  ", "  ")
    found = findings(report)
    yield from _heading("To look at")
    if not found:
        yield from _wrapped(_nothing(report))
    for _, sentence in found:
        yield from _wrapped(sentence, "* ", "  ")
    for issue, titles in TITLES.items():
        yield from _list(report, issue, titles[0])
    if told:
        yield from _evidence(told)


def _nothing(report: Report) -> str:
    """Return what there is to say if there is nothing to look at: what is unknown may be anything."""
    tallies = [report[direction]["all"][what] for _, direction, what in GLANCE]
    if not any(tally["counted"] for tally in tallies):
        return "Nothing in this log says whether TLS was used."
    versions = (row["version"] for direction in DIRECTIONS for row in report[direction]["all"]["versions"])
    ciphers = (row["cipher"] for direction in DIRECTIONS for row in report[direction]["all"]["ciphers"])
    is_open = UNKNOWN in {*versions, *ciphers} or any(tally["verdicts"].get(UNKNOWN) for tally in tallies)
    return f"Nothing: no clear text, no failure, no deprecated protocol, no weak cipher{', as far as the log shows' if is_open else ''}."


def _heading(text: str) -> list[str]:
    return ["", text, "-" * len(text)]


def _list(report: Report, issue: IssueName, title: str) -> Iterator[str]:
    what = counted_by(issue)
    rows = [row for row in report["organisations"] if issue in row and not row["own"]]
    rows.sort(key=lambda row: (-row[issue][what], row["partner"], row["direction"]))
    if not rows:
        return
    yield from _heading(title)
    for row in rows[:MOST_ROWS]:
        told = row[issue]
        of = whole(row, issue)
        share = f"{told[what]:,} of {of:,} {word(of, what)}" if told[what] else f"{told['messages']:,} {word(told['messages'], 'messages')}"
        last = f", last {minute(told['last'])}" if "last" in told else ""
        yield from _wrapped(f"{row['partner']}, {DIRECTION_WORDS[row['direction']][1]}: {share}{last}", "", "  ")
        for why in in_words(told["reasons"], told[what]):
            yield from _wrapped(clipped(why), "  ", "    ")
        yield from _wrapped(", ".join(map(" ".join, examples(told, report))), "  ", "  ")
    left = len(rows) - MOST_ROWS
    if left > 0:
        yield f"and {left:,} more {word(left, 'rows')} in the page, JSON and CSV"


def _evidence(told: Mapping[str, Any]) -> Iterator[str]:
    yield from _heading("Evidence")
    lines = told["lines"]
    yield from _wrapped(
        f"{len(told['files']):,} {word(len(told['files']), 'files')} with {lines['lines']:,} lines: {lines['events']:,} events, "
        f"{lines['ignored']:,} ignored, {lines['unreadable']:,} unreadable. Made {minute(told['made'])} UTC by esatls {told['version']}."
    )
    for problem in told["problems"]:
        yield from _wrapped(problem, "* ", "  ")
