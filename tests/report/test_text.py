"""The report on a terminal: its numbers, and nothing that a log could smuggle onto it."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any, cast

import pytest
from esatls.report import build as report
from esatls.report import notes
from esatls.report import text as report_text
from esatls.verdicts.words import CONNECTION_VERDICTS
from rich.console import Console

from tests.core.support import records_of
from tests.report.support import HOSTILE, attempt, build, connection, hostile_records, message
from tests.report.test_report import CONNECTIONS, MESSAGES
from tests.traffic.cli import main as write_traffic

if TYPE_CHECKING:
    import pathlib

    from esatls.report.report_types import Report


def rendered(built: Report, width: int | None = None, *, color: bool = False) -> str:
    """Return what is printed on a terminal of a width, or else into a file."""
    file = io.StringIO()
    terminal = color or width is not None
    console = Console(file=file, width=width or 200, force_terminal=terminal, color_system="standard" if color else None, legacy_windows=False)
    report_text.render(built, console)
    return file.getvalue()


def rows(text: str) -> list[list[str]]:
    """Return the lines of a text as cells."""
    return [re.split(r" {2,}", line.strip()) for line in text.splitlines()]


def test_tables_show_the_numbers_of_the_report() -> None:
    """Verdicts by mail flow, protocols, ciphers, reasons, partners and hours stand in their tables."""
    found = rows(rendered(build(CONNECTIONS, MESSAGES)))
    for expected in (
        ["2024-03-05T10:00:00Z to 2024-03-05T13:00:00Z"],
        ["9 connections, 4 messages"],
        ["esa1.example.com", "8", "4"],
        ["Receiving", "Encrypted", "Mixed", "Cleartext", "Failed", "TLS %", "Unused", "Unknown", "Total"],
        ["all mail", "2", "0", "1", "1", "50.0%", "1", "0", "5"],
        ["incoming mail", "2", "0", "1", "1", "50.0%", "0", "0", "4"],
        ["mail of unknown flow", "0", "0", "0", "0", "-", "1", "0", "1"],
        ["Receiving", "TLS attempted", "Share", "Over TLS of attempts", "Fallback", "Required, no TLS"],
        ["all mail", "3", "75.0%", "66.7%", "0", "1"],
        ["all mail", "1", "0", "1", "1", "33.3%", "0", "1", "4"],
        ["all mail", "3", "100.0%", "33.3%", "1", "0"],
        ["Delivered, recipients", "Encrypted", "Cleartext", "TLS %", "Unknown", "Total"],
        ["Received", "Encrypted", "Cleartext", "TLS %", "Internal", "None", "Unknown", "Total"],
        ["all mail", "1", "1", "50.0%", "1", "0", "1", "4"],
        ["Delivered", "Encrypted", "Mixed", "Cleartext", "TLS %", "None", "Unknown", "Total"],
        ["all mail", "1", "1", "0", "50.0%", "1", "1", "4"],
        ["Received / delivered", "Encrypted", "Mixed", "None", "Unknown"],
        ["cleartext", "0", "1", "0", "0"],
        ["TLSv1.2", "1", "50.0%", "1"],
        ["TLSv1", "1", "50.0%", "0", "deprecated"],
        ["RC4-MD5", "1", "50.0%", "0", "weak: RC4, MD5; no forward secrecy"],
        ["example.org", "1", "TLSv1", "RC4-MD5"],
        ["remote host did not initiate it", "1", "0", "1"],
        ["(336151576, 'error:14094418:SSL routines:SSL3_READ_BYTES:tlsv1 alert unknown ca')", "1", "0", "1", "certificate"],
        ["203.0.113.3", "1", "0", "0", "tlsv1 alert unknown ca"],
        ["example.org", "2", "0", "0", "100.0%", "0", "1", "0", "100.0%"],
        ["2024-03-05 10:00", "1", "1"],
        ["2 messages without a time in the log"],
    ):
        assert expected in found
    words = " ".join(" ".join(row) for row in found)
    for name in ("connections", "attempted", "required", "messages", "recipients", "percent", "both", "mail_flow", "partners", "over_time"):
        assert notes.NOTES[name] in words


def test_one_is_no_plural() -> None:
    """One connection, one message, one more row and one more reason are named as one."""
    many = [connection("receiving", i, "failed", domain="example.com", tls_reason=f"reason {i}") for i in range(4)]
    text = rendered(build(many, [message(1, "encrypted", "none")]))
    assert "\n4 connections, 1 message\n" in text
    assert "and 1 other reason\n" in re.sub(" +\n", "\n", text)
    assert text.splitlines().count("1 message without a time in the log") == 2
    rest = rendered(build([connection("receiving", i, "failed", domain=f"d{i:02}.example.com") for i in range(11)], []))
    assert rest.splitlines().count("1 more partner in the report as JSON") == 2
    assert "\n1 connection, 0 messages\n" in rendered(build(many[:1], []))


@pytest.mark.parametrize(
    ("reasons", "shown"),
    [
        (["x", "x"], ["x"]),
        (["x", None], ["1 \N{MULTIPLICATION SIGN} x"]),
        (["y", "x", "x"], ["2 \N{MULTIPLICATION SIGN} x, 1 \N{MULTIPLICATION SIGN} y"]),
        (["a", "b", "c", "d", "e"], ["1 \N{MULTIPLICATION SIGN} a, 1 \N{MULTIPLICATION SIGN} b, 1 \N{MULTIPLICATION SIGN} c, and 2 other reasons"]),
        ([None], []),
    ],
)
def test_reasons_of_mail_in_clear_text(reasons: list[str | None], shown: list[str]) -> None:
    """Beside a partner stand the first reasons, each with its count unless all mail has the same one, and how many others there are."""
    mails = [message(i, "cleartext", "none", sender="a@b.example") for i in range(1, len(reasons) + 1)]
    for one, why in zip(mails, reasons):
        one.update({} if why is None else {"received_reason": why})
    (row,) = [row for row in rows(rendered(build([], mails))) if row[:2] == ["b.example", "received"]]
    mids = ", ".join(str(i) for i in sorted(range(1, len(reasons) + 1), reverse=True)[:3])
    assert row == ["b.example", "received", str(len(reasons)), str(len(reasons)), mids, *shown]


def test_nothing_to_report() -> None:
    """A log without connections prints zeros and no share."""
    text = rendered(build([], []))
    assert ["all mail", "0", "0", "0", "-", "0", "0", "0"] in rows(text)
    assert text.count("Nothing encrypted in this log.") == 2
    assert text.count("No failure in this log.") == 2


def test_long_tables_say_how_much_is_left() -> None:
    """Of many partners the first ones are shown, and the rest is counted."""
    many = [connection("receiving", i, "failed", domain=f"d{i:03}.example.com", tls_reason="x") for i in range(57)]
    lines = rendered(build(many, [])).splitlines()
    assert lines.count("47 more partners in the report as JSON") == 2


def test_few_of_many_reasons_stand_beside_a_partner() -> None:
    """A partner with many reasons does not fill the screen."""
    many = [connection("receiving", i, "failed", domain="example.com", tls_reason=f"reason {i}") for i in range(5)]
    text = rendered(build(many, []))
    assert "and 2 other reasons" in text


def test_endless_text_is_cut_short() -> None:
    """A text of a megabyte is shown by its beginning."""
    text = rendered(build(*hostile_records("x" * 1_000_000)))
    assert len(text) < 100_000
    assert "\N{HORIZONTAL ELLIPSIS}" in text


@pytest.mark.parametrize("color", [False, True])
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_reaches_no_terminal(text: str, color: bool) -> None:  # noqa: FBT001
    """No control character of the log is printed raw, and no markup or emoji name of it is understood."""
    harmless, _ = hostile_records("harmless")
    plain = rendered(build(harmless, hostile_records("harmless")[1]), color=color)
    shown = rendered(build(*hostile_records(text)), color=color)
    allowed = {"\n", "\x1b"} if color else {"\n"}
    assert {c for c in shown if ord(c) < 32 or 127 <= ord(c) < 160 or c in "\u202e\u2028"} <= allowed
    # the same escapes as for harmless text, in number at least: rich's own styles
    assert set(re.findall("\x1b[^m]*m?", shown)) <= set(re.findall("\x1b[^m]*m?", plain))
    visible = re.sub("\x1b\\[[\\d;]*m", "", shown)
    if not re.search("[\x00-\x1f\x7f-\x9f\u202e]", text):
        assert text.strip() in visible
    assert "\N{WARNING SIGN}" not in visible


NUMBER = re.compile(r"(?<!\S)(?:\d+(?:,\d+)+|[\d.]+%)(?!\S)")


def large_report(count: int = 1_000_003) -> Report:
    """Return a report whose numbers are long, each another, and whose names are of letters only."""
    built = build(
        [
            *(connection("delivery", 1, verdict, domain="partner" + "\u00e4" * 90, mail_flow="incoming") for verdict in CONNECTION_VERDICTS),
            connection("delivery", 2, "failed", domain="other.example.com", tls_reason="reason " + "\u00f6" * 90, tls_required=True),
            connection("delivery", 3, "encrypted", domain="other.example.com", tls_version="TLSv1", tls_cipher="RC4-" + "\u00fc" * 90),
        ],
        [
            message(1, "encrypted", verdict, [attempt(verdict, "partner" + "\u00e4" * 90)], mail_flow="incoming", first_seen="2024-03-05T10:00:00Z")
            for verdict in report.MESSAGE_VERDICTS["delivery"]
        ],
    )

    def enlarge(value: Any) -> Any:
        nonlocal count
        if isinstance(value, dict):
            return {key: enlarge(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [enlarge(inner) for inner in value]
        if isinstance(value, bool) or not isinstance(value, int):
            return value
        count += 1_234_567
        return count

    return cast("Report", enlarge(built))


@pytest.mark.parametrize("width", [*range(20, 60), 72, 79, 80, 100, 120, 160, 200])
def test_narrow_terminals(width: int) -> None:
    """No line is wider than the terminal, every number of every cell stands there whole, and so do the names, if on several lines."""
    built = large_report()
    whole, narrow = rendered(built), rendered(built, width)
    assert max(map(len, narrow.splitlines())) <= width
    expected = Counter(NUMBER.findall(whole))
    assert sum(expected.values()) > 200
    assert expected.keys() >= {f"{built['delivery']['incoming']['partners'][0]['connections']['verdicts']['encrypted']:,}", "100.0%"}
    assert Counter(NUMBER.findall(narrow)) == expected
    for letter in "\u00e4\u00f6\u00fc":
        assert whole.count(letter) % 90 == 0 < whole.count(letter)
        assert narrow.count(letter) % 90 == 0
        assert narrow.count(letter) >= whole.count(letter)


def test_every_column_of_a_parted_table() -> None:
    """A table too wide goes on below, at the messages first; the partner stands in each part."""
    built = build(CONNECTIONS, MESSAGES)
    lines = rows(rendered(built, 60))
    start = lines.index(["Delivery, outgoing mail: connections, and mail delivered"])
    assert [row for row in lines[start + 1 : start + 12] if "\u2500" not in row[0]] == [
        ["Conn.", "Conn.", "Conn.", "Conn."],
        ["Partner", "TLS", "clear", "failed", "TLS %"],
        ["example.com", "0", "1", "0", "0.0%"],
        ["example.net", "1", "0", "0", "100.0%"],
        [""],
        ["Mail", "Mail", "Mail"],
        ["Partner", "TLS", "clear", "TLS %"],
        ["example.com", "0", "1", "0.0%"],
        ["example.net", "1", "0", "100.0%"],
    ]


@pytest.mark.parametrize("width", [1, 5, 12])
def test_a_terminal_too_narrow_for_a_number(width: int) -> None:
    """A terminal that cannot hold a name and a number gets lines that it wraps itself, with the whole number."""
    built = large_report()
    assert Counter(NUMBER.findall(rendered(built, width))) == Counter(NUMBER.findall(rendered(built)))


@pytest.mark.parametrize("output", [False, True])
def test_a_file_has_no_width(output: bool, tmp_path: pathlib.Path) -> None:  # noqa: FBT001
    """Into a pipe or a file each table is as wide as it needs, whatever the width of the terminal around it."""
    log, written = tmp_path / "mail.log", tmp_path / "report.txt"
    write_traffic(["--messages", "200", "--seed", "3", "--profile", "realistic", "--log", str(log)])
    command = [sys.executable, "-m", "esatls", "report", "-q", str(log), *(["-o", str(written)] if output else [])]
    shown = subprocess.run(command, capture_output=True, check=True, text=True, encoding="utf-8", env={**os.environ, "COLUMNS": "40"}).stdout
    text = written.read_text(encoding="utf-8") if output else shown
    told, _, files = text.partition("\nEVIDENCE\n")
    assert told == rendered(build(*records_of(log.read_text(encoding="utf-8"))))
    assert str(log) in files
    assert ["Reason", "Failed", "Cleartext", "Partners"] in rows(text)
