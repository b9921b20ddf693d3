"""Periods in words: `--since 7d`, `yesterday`, `monday`, `2026-03`."""

from __future__ import annotations

import json
import pathlib
from datetime import datetime, timezone

import pytest
from esatls.cli.period import period
from esatls.errors import UsageError
from esatls.lines.clock import rfc3339, zone

from tests import terminal

SAMPLE = pathlib.Path(__file__).resolve().parents[2] / "python" / "esatls" / "sample.log"
NOW = datetime(2026, 3, 4, 0, 30, tzinfo=timezone.utc)
"""A Wednesday; in New York it is Tuesday evening."""


@pytest.mark.parametrize(
    ("text", "where", "begin", "end"),
    [
        ("7d", "UTC", "2026-02-25T00:30:00Z", None),
        ("12h", "UTC", "2026-03-03T12:30:00Z", None),
        ("2w", "America/New_York", "2026-02-18T00:30:00Z", None),
        ("today", "UTC", "2026-03-04T00:00:00Z", None),
        ("Today", "America/New_York", "2026-03-03T05:00:00Z", None),
        ("yesterday", "UTC", "2026-03-03T00:00:00Z", "2026-03-04T00:00:00Z"),
        ("yesterday", "America/New_York", "2026-03-02T05:00:00Z", "2026-03-03T05:00:00Z"),
        ("monday", "UTC", "2026-03-02T00:00:00Z", None),
        ("wednesday", "UTC", "2026-03-04T00:00:00Z", None),
        ("thursday", "UTC", "2026-02-26T00:00:00Z", None),
        ("last-week", "UTC", "2026-02-23T00:00:00Z", "2026-03-02T00:00:00Z"),
        ("last-month", "UTC", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"),
        ("2026-03", "UTC", "2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z"),
        ("2025-12", "Europe/Berlin", "2025-11-30T23:00:00Z", "2025-12-31T23:00:00Z"),
        ("2026-03", "Europe/Berlin", "2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z"),
        ("2026-03-03", "Europe/Berlin", "2026-03-02T23:00:00Z", None),
        ("2026-07-03", "Europe/Berlin", "2026-07-02T22:00:00Z", None),
        ("2026-03-03T08:00", "Europe/Berlin", "2026-03-03T07:00:00Z", None),
        ("2026-03-03T08:00:00-05:00", "Europe/Berlin", "2026-03-03T13:00:00Z", None),
        ("2026-03-03", "UTC", "2026-03-03T00:00:00Z", None),
        ("2026-03-03T08:00:00Z", "UTC", "2026-03-03T08:00:00Z", None),
    ],
)
def test_period(text: str, where: str, begin: str, end: str | None) -> None:
    """A period begins and ends with the days of its zone; what is a time begins there."""
    first, last = period(text, zone(where), NOW)
    assert (rfc3339(first), None if last is None else rfc3339(last)) == (begin, end)


@pytest.mark.parametrize("text", ["", "7", "d", "7 d", "-7d", "2026-13", "0000-01", "mondays", "999999d", "2026-3"])
def test_no_period(text: str) -> None:
    """Anything else is told as no time, with what could stand there."""
    with pytest.raises(UsageError):
        period(text, None, NOW)


def test_a_month_has_an_end() -> None:
    """`--since 2026-03` ends with the month, unless `--until` tells an end."""
    for options, count in (
        (("--since", "2026-03"), 3),
        (("--since", "2026-02"), 0),
        (("--since", "2026-02", "--until", "2026-03-04"), 3),
        (("--since", "last-month"), 0),
    ):
        assert len(terminal.run("messages", "-q", "-f", "json", *options, SAMPLE).stdout.splitlines()) == count


def test_a_dated_name(tmp_path: pathlib.Path) -> None:
    """The name of the report has the day, the week or the month that it begins with."""
    for name in ("{date}.json", "{week}.json", "{month}.json", "plain.json"):
        assert terminal.run("report", "-q", "--since", "2026-03-02", "-o", tmp_path / name, SAMPLE).returncode == 0
    assert terminal.run("report", "-q", "--since", "2026-03-03", "--timezone", "America/New_York", "-o", tmp_path / "{date}.json", SAMPLE).returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2026-03-02.json", "2026-03-03.json", "2026-03.json", "2026-W10.json", "plain.json"]
    assert json.loads((tmp_path / "plain.json").read_text(encoding="utf-8"))["evidence"]["since"] == "2026-03-02T00:00:00Z"


@pytest.mark.parametrize("options", [("messages",), ("report", "-o", "{date}.json")])
@pytest.mark.parametrize(
    ("option", "text", "where"),
    [("--since", "0001-01", "Asia/Tokyo"), ("--since", "0001-01-01T00:00:00Z", "America/New_York"), ("--until", "9999-12-31T23:59:59Z", "Asia/Tokyo")],
)
def test_a_day_that_no_calendar_has(options: tuple[str, ...], option: str, text: str, where: str) -> None:
    """A time before the first day or after the last, as the zone or UTC counts them, is a usage error of every command."""
    done = terminal.run(*options, "-q", option, text, "--timezone", where, SAMPLE)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode() == f"esatls: the calendar has no such day in this time zone: {text}\n"
