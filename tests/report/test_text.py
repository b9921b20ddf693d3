"""The report on a terminal: its numbers, and nothing that a log could smuggle onto it."""

from __future__ import annotations

import io
import re

import pytest
from esatls import report, report_text
from rich.console import Console

from tests.report.support import HOSTILE, attempt, connection, hostile_records, message
from tests.report.test_report import CONNECTIONS, MESSAGES


def rendered(built: report.Report, width: int = 200, *, color: bool = False) -> str:
    """Return what a console prints."""
    file = io.StringIO()
    report_text.render(built, Console(file=file, width=width, force_terminal=color, color_system="standard" if color else None, legacy_windows=False))
    return file.getvalue()


def rows(text: str) -> list[list[str]]:
    """Return the lines of a text as cells."""
    return [re.split(r" {2,}", line.strip()) for line in text.splitlines()]


def test_tables_show_the_numbers_of_the_report() -> None:
    """Verdicts by mail flow, protocols, ciphers, reasons, partners and hours stand in their tables."""
    found = rows(rendered(report.build(CONNECTIONS, MESSAGES)))
    for expected in (
        ["2024-03-05T10:00:00Z to 2024-03-05T13:00:00Z"],
        ["9 connections, 4 messages"],
        ["esa1.example.com", "8", "4"],
        ["Receiving", "Encrypted", "Cleartext", "Failed", "TLS %", "Unused", "Unknown", "Total"],
        ["all mail", "2", "1", "1", "50.0%", "1", "0", "5"],
        ["incoming mail", "2", "1", "1", "50.0%", "0", "0", "4"],
        ["unknown flow", "0", "0", "0", "-", "1", "0", "1"],
        ["Receiving", "TLS attempted", "Share", "Fallback", "Required, failed"],
        ["all mail", "3", "75.0%", "0", "1"],
        ["all mail", "1", "1", "1", "33.3%", "0", "1", "4"],
        ["all mail", "3", "100.0%", "1", "0"],
        ["Received", "Encrypted", "Cleartext", "TLS %", "Internal", "Unknown", "Total"],
        ["all mail", "1", "1", "50.0%", "1", "1", "4"],
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
        ["203.0.113.3", "1", "0", "0", "1 tlsv1 alert unknown ca"],
        ["example.org", "2", "0", "0", "100.0%", "0", "1", "0", "100.0%"],
        ["2024-03-05 10:00", "1", "1"],
        ["2 messages have no time in the log"],
        [report.NOTES["percent"]],
    ):
        assert expected in found


def test_nothing_to_report() -> None:
    """A log without connections prints zeros and no share."""
    text = rendered(report.build([], []))
    assert ["all mail", "0", "0", "0", "-", "0", "0", "0"] in rows(text)
    assert text.count("Nothing encrypted in this log.") == 2
    assert text.count("No failure in this log.") == 2


def test_long_tables_say_how_much_is_left() -> None:
    """Of many partners the first ones are shown, and the rest is counted."""
    many = [connection("receiving", i, "failed", domain=f"d{i:03}.example.com", tls_reason="x") for i in range(57)]
    lines = rendered(report.build(many, [])).splitlines()
    assert lines.count("47 more partners in the report as JSON") == 2


def test_few_of_many_reasons_stand_beside_a_partner() -> None:
    """A partner with many reasons does not fill the screen."""
    many = [connection("receiving", i, "failed", domain="example.com", tls_reason=f"reason {i}") for i in range(5)]
    text = rendered(report.build(many, []))
    assert "and 2 other reasons" in text


def test_endless_text_is_cut_short() -> None:
    """A text of a megabyte is shown by its beginning."""
    text = rendered(report.build(*hostile_records("x" * 1_000_000)))
    assert len(text) < 100_000
    assert "\N{HORIZONTAL ELLIPSIS}" in text


@pytest.mark.parametrize("color", [False, True])
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_reaches_no_terminal(text: str, color: bool) -> None:  # noqa: FBT001
    """No control character of the log is printed raw, and no markup or emoji name of it is understood."""
    harmless, _ = hostile_records("harmless")
    plain = rendered(report.build(harmless, hostile_records("harmless")[1]), color=color)
    shown = rendered(report.build(*hostile_records(text)), color=color)
    allowed = {"\n", "\x1b"} if color else {"\n"}
    assert {c for c in shown if ord(c) < 32 or 127 <= ord(c) < 160 or c in "\u202e\u2028"} <= allowed
    # the same escapes as for harmless text, in number at least: rich's own styles
    assert set(re.findall("\x1b[^m]*m?", shown)) <= set(re.findall("\x1b[^m]*m?", plain))
    visible = re.sub("\x1b\\[[\\d;]*m", "", shown)
    if not re.search("[\x00-\x1f\x7f-\x9f\u202e]", text):
        assert text.strip() in visible
    assert "\N{WARNING SIGN}" not in visible


@pytest.mark.parametrize("width", [20, 40, 80])
def test_narrow_terminals(width: int) -> None:
    """No line is wider than the terminal."""
    deliveries = [attempt("encrypted", "a-very-long-name-indeed." * 8 + "example.com", tls_version="TLSv1.2", tls_cipher="X" * 90)]
    built = report.build(CONNECTIONS, [*MESSAGES, message(9, "encrypted", "encrypted", deliveries)])
    assert max(map(len, rendered(built, width).splitlines())) <= width
