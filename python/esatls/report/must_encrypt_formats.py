"""What a log says about partners that must use TLS, as JSON, CSV, JUnit XML or a table."""

from __future__ import annotations

import csv
import io
from typing import IO, TYPE_CHECKING, Any

from esatls.output import harmless, printable
from esatls.output.json_lines import dumps
from esatls.output.table import show, why_of
from esatls.report.html import Markup, tag, together
from esatls.report.must_encrypt import BROKEN, KEPT, NO_MAIL, overall
from esatls.verdicts.flat import cell
from esatls.verdicts.words import STYLES, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from esatls.report.must_encrypt import Mail, Partner
    from esatls.report.report_types import Evidence

FORMATS = ("table", "json", "csv", "junit")
BY_ENDING = {"": "table", ".txt": "table", ".json": "json", ".csv": "csv", ".xml": "junit"}

_MESSAGE = ("time", "esa_host", "mid", "message_id", "side", "partner", "message_verdict", "reason", "sender", "recipients")
COLUMNS = ("domain", "direction", "owner", "verdict", "encrypted", "mixed", "cleartext", "unknown", *_MESSAGE)
"""The columns of CSV, which has a row per message and domain that was not encrypted, and one row for a partner without such mail."""

_VERDICT_STYLES = {BROKEN: "bold red", UNKNOWN: "yellow", KEPT: "green", NO_MAIL: "dim"}
_HEADS = {
    "time": "Time",
    "esa_host": "Appliance",
    "mid": "MID",
    "message_id": "Message-ID",
    "side": "Side",
    "partner": "Domain",
    "message_verdict": "Verdict",
    "reason": "Reason",
}
MOST_ROWS = 50
"""Rows that the table shows of one partner; the other formats have all."""


def write(partners: Sequence[Partner], form: str, file: IO[bytes], made_from: Evidence | None = None) -> None:
    """Write the result in one of FORMATS; JSON also has what it was made from."""
    if form == "json":
        told = {"verdict": overall(partners), "partners": [_partner(partner) for partner in partners]}
        file.write(dumps(told if made_from is None else {**told, "evidence": made_from}) + b"\n")
    elif form == "csv":
        _csv(partners, file)
    elif form == "junit":
        file.write(_junit(partners))
    else:
        _table(partners, file)


def _partner(partner: Partner) -> dict[str, Any]:
    rule = partner.rule
    owner = {"owner": rule.owner} if rule.owner else {}
    messages = [_mail(mail) for mail in partner.mail]
    return {"domain": rule.domain, "direction": rule.direction, **owner, "verdict": partner.verdict, **partner.counts, "messages": messages}


def _mail(mail: Mail) -> dict[str, Any]:
    """Return a message that was not encrypted; a field without a value is absent."""
    record = mail.record
    found = {
        "time": mail.time,
        "esa_host": record.get("esa_host"),
        "mid": record["mid"],
        "message_id": record.get("message_id"),
        "side": mail.side,
        "partner": mail.partner,
        "message_verdict": mail.verdict,
        "reason": mail.reason,
        "sender": record.get("sender"),
        "recipients": record.get("recipients"),
    }
    return {name: value for name, value in found.items() if value is not None}


def _csv(partners: Sequence[Partner], file: IO[bytes]) -> None:
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for partner in partners:
        whole = _partner(partner)
        for message in whole["messages"] or [{}]:
            writer.writerow([harmless(cell({**whole, **message}.get(name, ""))) for name in COLUMNS])
    text.detach()


def _counted(partner: Partner) -> str:
    """Return how often mail was not encrypted, in words: a message to several domains counts for each."""
    clear, unknown = partner.counts["cleartext"] + partner.counts["mixed"], partner.counts[UNKNOWN]
    pieces = [f"{clear:,} in clear text"] if clear else []
    if unknown:
        pieces.append(f"{unknown:,} with unknown verdict")
    return ", ".join(pieces)


def _line(mail: Mail) -> str:
    """Return a message as one line of text."""
    found = _mail(mail)
    pieces = [found.get("time"), found.get("esa_host"), f"MID {found['mid']}", found.get("message_id"), mail.side, mail.partner, mail.verdict, mail.reason]
    return " ".join(piece for piece in pieces if piece)


def _junit(partners: Sequence[Partner]) -> bytes:
    verdicts = [partner.verdict for partner in partners]
    numbers = {"tests": len(verdicts), "failures": verdicts.count(BROKEN), "errors": verdicts.count(UNKNOWN), "skipped": verdicts.count(NO_MAIL)}
    suite = tag("testsuite", *map(_case, partners), name="esatls check", **{name: str(number) for name, number in numbers.items()})
    return f'<?xml version="1.0" encoding="utf-8"?>\n{suite}\n'.encode()


def _case(partner: Partner) -> Markup:
    problem = None
    if partner.verdict == NO_MAIL:
        problem = tag("skipped", message="no mail in this log")
    elif partner.verdict != KEPT:
        lines = together(piece for mail in partner.mail for piece in (_line(mail), Markup("\n")))
        problem = tag("failure" if partner.verdict == BROKEN else "error", lines, message=_counted(partner))
    return tag("testcase", problem, classname=f"esatls.{partner.rule.direction}", name=partner.rule.domain)


def _table(partners: Sequence[Partner], file: IO[bytes]) -> None:
    from esatls.output.console import Console

    text = io.TextIOWrapper(file, encoding="utf-8", write_through=True)
    console = Console(text)
    if not console.is_terminal:
        console.width = 10_000
    names = ("Partner", "Direction", "Verdict", "Encrypted", "Mixed", "Cleartext", "Unknown", "Owner")
    rows = [
        [p.rule.domain, p.rule.direction, p.verdict, *(f"{p.counts[name]:,}" for name in ("encrypted", "mixed", "cleartext", UNKNOWN)), p.rule.owner]
        for p in partners
    ]
    _print(console, names, rows, _VERDICT_STYLES)
    for partner in partners:
        if partner.mail:
            console.print()
            console.print(f"{printable(partner.rule.domain)}: {_counted(partner)}", style="bold")
            shown = [{**_mail(mail), "reason": why_of(mail.verdict, mail.reason) or ""} for mail in partner.mail[:MOST_ROWS]]
            columns = [name for name in _HEADS if any(row.get(name) for row in shown)]
            _print(console, [_HEADS[name] for name in columns], [[str(row.get(name, "")) for name in columns] for row in shown], STYLES)
            more = len(partner.mail) - len(shown)
            if more:
                console.print(f"{more:,} more with --format json or csv", style="dim")
    text.detach()


def _print(console: Any, names: Sequence[str], rows: Sequence[Sequence[str]], styles: Mapping[str, str]) -> None:
    show(console, names, [[*map(printable, row)] for row in rows], lambda cell: styles.get(cell, ""), ("Time", "MID", "Verdict"))
