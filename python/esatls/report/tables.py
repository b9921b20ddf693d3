"""A report as a folder of CSV files, one for each table, in which no cell runs as a formula."""

from __future__ import annotations

import csv
import io
import os
from typing import TYPE_CHECKING, Any

from esatls.errors import EsatlsError
from esatls.output import Output, harmless
from esatls.report.ledger import ISSUES
from esatls.report.notes import DIRECTIONS, FLOWS, examples
from esatls.verdicts.flat import cell
from esatls.verdicts.words import CONNECTION_VERDICTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from esatls.report.report_types import Report

_WHO = ("partner", "names", "direction", "own")
_MAIL = ("encrypted", "mixed", "cleartext", "unknown")
_OVER = tuple(verdict for verdict in CONNECTION_VERDICTS if verdict != "unused")


def write_folder(report: Report, folder: str, output: Callable[[str], Output] = Output) -> None:
    """Write every table of a report to a folder, which is created if needed; each file appears only once it is complete.

    `output` opens a file for writing, or raises an error.
    """
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise EsatlsError(f"{folder}: cannot be created: {error.strerror}") from error
    for name, columns, rows in tables(report):
        with output(os.path.join(folder, f"{name}.csv")) as file:
            text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
            writer = csv.writer(text, lineterminator="\n")
            writer.writerow(columns)
            for row in rows:
                writer.writerow([harmless("" if value is None else str(value)) for value in row])
            text.detach()


def tables(report: Report) -> Iterator[tuple[str, Sequence[str], list[Sequence[Any]]]]:
    """Yield each table: its name, its columns, and its rows."""
    organisations = report["organisations"]
    columns = (*_WHO, *(f"messages_{word}" for word in _MAIL), *(f"connections_{word}" for word in _OVER), "protocols", "last_tls", *ISSUES)
    yield "partners", columns, [_partner(row) for row in organisations]
    columns = (*_WHO, "day", *(f"connections_{word}" for word in _OVER), "protocols")
    yield "partners_over_time", columns, [_day(row, day) for row in organisations for day in row["days"]]
    for issue in ISSUES:
        rows = sorted((row for row in organisations if issue in row), key=lambda row: (-row[issue]["messages"], -row[issue]["connections"], row["partner"]))
        yield issue, (*_WHO, "messages", "connections", "first", "last", "last_tls", "reasons", "examples"), [_issue(row, row[issue], report) for row in rows]
    parts: list[tuple[str, str, Mapping[str, Any]]] = [(direction, flow, report[direction][flow]) for direction in DIRECTIONS for flow in FLOWS]
    for name, columns in (
        ("versions", ("version", "connections", "percent", "messages", "deprecated")),
        ("ciphers", ("cipher", "connections", "percent", "messages", "weak", "no_forward_secrecy")),
        ("reasons", ("reason", "connections", "failed", "cleartext", "partners", "certificate")),
    ):
        counted: list[Sequence[Any]] = [
            [direction, flow, *(cell(row.get(column, "")) for column in columns)] for direction, flow, part in parts for row in part[name]
        ]
        yield name, ("direction", "mail_flow", *columns), counted
    over_time: list[Sequence[Any]] = [
        [direction, flow, what, row["time"], verdict, count]
        for direction, flow, part in parts
        for what in ("connections", "messages")
        for row in part["over_time"][what]
        for verdict, count in row["verdicts"].items()
        if count
    ]
    yield "over_time", ("direction", "mail_flow", "what", "time", "verdict", "count"), over_time


def _who(row: Mapping[str, Any]) -> list[Any]:
    return [row["partner"], cell(row["names"]), row["direction"], "yes" if row["own"] else "no"]


def _protocols(versions: Mapping[str, int]) -> str:
    return cell([f"{version}={count}" for version, count in versions.items()])


def _day(row: Mapping[str, Any], day: Mapping[str, Any]) -> list[Any]:
    return [*_who(row), day["day"], *(day["connections"].get(word, 0) for word in _OVER), _protocols(day["versions"])]


def _partner(row: Mapping[str, Any]) -> list[Any]:
    protocols = _protocols(row["versions"])
    issues = ["yes" if issue in row else "no" for issue in ISSUES]
    return [*_who(row), *(row["messages"][word] for word in _MAIL), *(row["connections"][word] for word in _OVER), protocols, row.get("last_tls"), *issues]


def _issue(row: Mapping[str, Any], issue: Mapping[str, Any], report: Report) -> list[Any]:
    reasons = cell([f"{one['count']} x {one['reason']}" if one["count"] else one["reason"] for one in issue["reasons"]])
    found = cell([*map(" ".join, examples(issue, report))])
    return [*_who(row), issue["messages"], issue["connections"], issue.get("first"), issue.get("last"), row.get("last_tls"), reasons, found]
