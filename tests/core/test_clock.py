"""Stamps: zones, summer time, years that are not logged, dates that do not exist."""

from __future__ import annotations

import zoneinfo
from datetime import datetime, timedelta, timezone

import pytest
from esatls.errors import EsatlsError, UsageError
from esatls.lines.clock import Clock, parse_rfc3339, rfc3339, zone
from hypothesis import given
from hypothesis import strategies as st

MOMENTS = st.integers(min_value=86_400, max_value=4_102_444_800).map(lambda seconds: datetime.fromtimestamp(seconds, timezone.utc))


def read(stamp: str, name: str = "UTC", latest: str = "2024-12-31T12:00:00Z") -> str | None:
    """Return a stamp as RFC 3339, read by a clock of one zone at the end of one log."""
    time = Clock(zone(name), parse_rfc3339(latest)).read(stamp)
    return None if time is None else rfc3339(time)


@pytest.mark.parametrize(
    ("stamp", "name", "expected"),
    [
        ("Wed Jul 20 19:47:40 2005", "UTC", "2005-07-20T19:47:40Z"),
        ("Wed Jul 20 19:47:40 2005", "Europe/Berlin", "2005-07-20T17:47:40Z"),
        ("Thu Jan 20 19:47:40 2005", "Europe/Berlin", "2005-01-20T18:47:40Z"),
        ("Wed Jul 20 19:47:40 2005", "America/Chicago", "2005-07-21T00:47:40Z"),
        ("Wed Jul 20 19:47:40 2005", "Asia/Kolkata", "2005-07-20T14:17:40Z"),
        ("Wed Jul 20 19:47:40 2005", "+02:00", "2005-07-20T17:47:40Z"),
        ("Wed Jul 20 19:47:40 2005", "-0330", "2005-07-20T23:17:40Z"),
        ("Mon Mar  5 14:21:04 2018", "UTC", "2018-03-05T14:21:04Z"),
        ("Mon Mar 5 14:21:04 2018", "UTC", "2018-03-05T14:21:04Z"),
        ("Mon Jul  2 14:21:04 BST 2018", "UTC", "2018-07-02T13:21:04Z"),
        ("Mon Jul  2 14:21:04 MSK 2018", "UTC", "2018-07-02T11:21:04Z"),
        ("Mon Jul  2 14:21:04 AEST 2018", "+10:00", "2018-07-02T04:21:04Z"),
        ("Mar  5 14:21:04", "UTC", "2024-03-05T14:21:04Z"),
        ("Jul 16 10:46:46 2013", "UTC", "2013-07-16T10:46:46Z"),
        ("2019 Sep 28 16:13:51", "Europe/Berlin", "2019-09-28T14:13:51Z"),
        ("2021-05-05T10:00:00Z", "Europe/Berlin", "2021-05-05T10:00:00Z"),
        ("2021-05-05T10:00:00-05:00", "Europe/Berlin", "2021-05-05T15:00:00Z"),
        ("2021-05-05T10:00:00+0530", "UTC", "2021-05-05T04:30:00Z"),
        ("2021-05-05T10:00:00", "Europe/Berlin", "2021-05-05T08:00:00Z"),
        ("2021-05-05 10:00:00,250", "UTC", "2021-05-05T10:00:00.250Z"),
        ("2021-05-05T10:00:00.123456Z", "UTC", "2021-05-05T10:00:00.123Z"),
        ("2021-05-05T10:00:00.000Z", "UTC", "2021-05-05T10:00:00Z"),
        ("2016-12-31T23:59:60Z", "UTC", "2016-12-31T23:59:59Z"),
        # where summer time begins and ends, and in the hour that is missing then or comes twice
        ("Sun Mar 31 01:59:59 2024", "Europe/Berlin", "2024-03-31T00:59:59Z"),
        ("Sun Mar 31 03:00:00 2024", "Europe/Berlin", "2024-03-31T01:00:00Z"),
        ("Sun Oct 27 01:59:59 2024", "Europe/Berlin", "2024-10-26T23:59:59Z"),
        ("Sun Oct 27 03:00:00 2024", "Europe/Berlin", "2024-10-27T02:00:00Z"),
        ("2024-03-31T01:59:59+01:00", "Europe/Berlin", "2024-03-31T00:59:59Z"),
        ("2024-10-27T02:30:00+02:00", "Europe/Berlin", "2024-10-27T00:30:00Z"),
        ("2024-10-27T02:30:00+01:00", "Europe/Berlin", "2024-10-27T01:30:00Z"),
        ("2024-10-27T00:30:00Z", "Europe/Berlin", "2024-10-27T00:30:00Z"),
        ("2024-10-27T01:30:00Z", "Europe/Berlin", "2024-10-27T01:30:00Z"),
        ("2024-03-31T02:30:00Z", "Europe/Berlin", "2024-03-31T02:30:00Z"),
        ("2024-03-31T02:30:00+00:00", "Europe/Berlin", "2024-03-31T02:30:00Z"),
    ],
)
def test_stamp(stamp: str, name: str, expected: str) -> None:
    """A stamp without a zone is read in the given one, with its summer time; an offset in the stamp wins over it and is exact."""
    assert read(stamp, name) == expected


@pytest.mark.parametrize(
    ("stamp", "latest", "expected", "name"),
    [
        ("Dec 31 23:59:59", "2025-01-01T00:10:00Z", "2024-12-31T23:59:59Z", "UTC"),
        ("Jan  1 00:00:01", "2025-01-01T00:10:00Z", "2025-01-01T00:00:01Z", "UTC"),
        ("Dec 31 23:59:59", "2024-12-31T23:00:00Z", "2024-12-31T23:59:59Z", "UTC"),
        ("Jan  1 00:30:00", "2024-12-31T23:00:00Z", "2025-01-01T00:30:00Z", "UTC"),
        ("Feb 29 10:00:00", "2025-03-01T00:00:00Z", "2024-02-29T10:00:00Z", "UTC"),
        ("Feb 29 10:00:00", "2024-03-01T00:00:00Z", "2024-02-29T10:00:00Z", "UTC"),
        ("Feb 29 10:00:00", "2024-02-01T00:00:00Z", "2020-02-29T10:00:00Z", "UTC"),
        ("Jun 15 10:00:00", "2025-01-01T00:10:00Z", "2024-06-15T10:00:00Z", "UTC"),
        # the zone may be in the new year already
        ("Jan  1 00:10:00", "2024-12-31T11:10:00Z", "2024-12-31T11:10:00Z", "Pacific/Auckland"),
        ("Dec 31 23:50:00", "2025-01-01T08:00:00Z", "2025-01-01T07:50:00Z", "America/Los_Angeles"),
    ],
)
def test_year_that_is_not_logged(stamp: str, latest: str, expected: str, name: str) -> None:
    """A stamp without a year belongs to the last year in which it is not after the end of the log, give or take a day; the moment tells, not UTC's date."""
    assert read(stamp, name, latest) == expected


@pytest.mark.parametrize(
    "stamp",
    [
        "Wed Feb 30 19:47:40 2005",
        "Tue Feb 29 19:47:40 2005",
        "Feb 30 19:47:40",
        "Wed Jul 32 19:47:40 2005",
        "Wed Jul  0 19:47:40 2005",
        "Wed Foo 20 19:47:40 2005",
        "Wed Jul 20 24:47:40 2005",
        "Wed Jul 20 19:60:40 2005",
        "Wed Jul 20 19:47:40 0000",
        "2021-13-05T10:00:00Z",
        "2021-02-30T10:00:00Z",
        "2021-05-05T25:00:00Z",
        "0000-01-01T00:00:00Z",
        "",
        "yesterday",
    ],
)
def test_impossible_date(stamp: str) -> None:
    """A date that does not exist is no time, and no error."""
    assert read(stamp) is None


def test_a_machine_without_zones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Python finds no time zones, as on Windows without tzdata, an error says so."""
    monkeypatch.setattr(zoneinfo, "available_timezones", set)
    with pytest.raises(UsageError, match=r"^no such time zone: Mars/Olympus \(this machine has no time zones: install the package tzdata\)$"):
        zone("Mars/Olympus")


@pytest.mark.parametrize("name", ["Europe/Nowhere", "", "+25", "+24:00", "-99:00", "-05:60", "../etc/passwd", "UTC\0", "CET-1CEST,M3.5.0"])
def test_unknown_zone(name: str) -> None:
    """A zone that does not exist is an error in one line for the user."""
    with pytest.raises(UsageError) as caught:
        zone(name)
    assert isinstance(caught.value, EsatlsError)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["", "2024", "yesterday", "2024-02-30", "Wed Jul 20 19:47:40 2005", "2024-12-31T25:00:00Z", "2024-12-31 24:00", "2024-12-31 10", "2024-12-31 10:00:"],
)
def test_no_rfc3339(text: str) -> None:
    """Text that is no RFC 3339 time is refused in one line."""
    with pytest.raises(UsageError):
        parse_rfc3339(text)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2024-12-31", "2024-12-31T00:00:00Z"),
        ("2024-12-31 23:59", "2024-12-31T23:59:00Z"),
        ("2024-12-31T23:59", "2024-12-31T23:59:00Z"),
        ("2024-12-31T23:59Z", "2024-12-31T23:59:00Z"),
        ("2024-12-31 23:59+02:00", "2024-12-31T21:59:00Z"),
        ("2024-12-31T23:59-0330", "2025-01-01T03:29:00Z"),
        ("2024-12-31 23:59:58", "2024-12-31T23:59:58Z"),
        ("2024-12-31T23:59:58+02:00", "2024-12-31T21:59:58Z"),
    ],
)
def test_a_moment_may_lack_its_seconds(text: str, time: str) -> None:
    """A time is read as people write it: a space or a T, seconds or none, a zone or UTC; a date alone is its first moment."""
    assert rfc3339(parse_rfc3339(text)) == time


@given(MOMENTS)
def test_native_stamp_round_trip(at: datetime) -> None:
    """A native stamp written from a moment is read back as that moment."""
    stamp = at.strftime("%a %b ") + f"{at.day:2}" + at.strftime(" %H:%M:%S %Y")
    assert read(stamp) == at.strftime("%Y-%m-%dT%H:%M:%SZ")


@given(MOMENTS, st.integers(min_value=-14 * 60, max_value=14 * 60))
def test_offset_round_trip(at: datetime, minutes: int) -> None:
    """An ISO stamp with any offset is read back as its moment, whatever the clock's zone."""
    at = at.astimezone(timezone(timedelta(minutes=minutes)))
    for name in ("UTC", "Europe/Berlin", "America/New_York"):
        assert read(at.isoformat(), name) == at.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


@given(st.integers(min_value=0, max_value=4_000_000_000))
def test_rfc3339_round_trip(seconds: int) -> None:
    """What is written is read back as the same moment."""
    assert parse_rfc3339(rfc3339(seconds)) == seconds


@given(st.integers(min_value=0, max_value=4_000_000_000), st.integers(min_value=1, max_value=999))
def test_milliseconds_round_trip(seconds: int, milliseconds: int) -> None:
    """A millisecond is written as it was read, whatever a number of that size loses."""
    stamp = f"{rfc3339(seconds)[:-1]}.{milliseconds:03}Z"
    assert rfc3339(parse_rfc3339(stamp)) == stamp


@given(st.text(max_size=40))
def test_any_text_is_a_time_or_none(text: str) -> None:
    """Reading a stamp never fails."""
    time = Clock(latest=0).read(text)
    assert time is None or isinstance(time, (int, float))


@given(
    st.from_regex(
        r"(\w{3} \w{3} {1,2}\d{1,2} \d\d:\d\d:\d\d \d{4}|\w{3} {1,2}\d{1,2} \d\d:\d\d:\d\d|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,9})?([+-]\d\d:\d\d|Z)?)",
        fullmatch=True,
    )
)
def test_any_stamp_shape_is_a_time_or_none(text: str) -> None:
    """A stamp of the right shape with any numbers in it is a time or none, never an error, and prints."""
    time = Clock(zone("Europe/Berlin"), 0).read(text)
    assert time is None or rfc3339(time)


def test_times_that_no_day_has() -> None:
    """An hour, a minute or a second beyond the last is none, also on a day that was read before; a leap second is the last second."""
    reader = Clock(latest=1_800_000_000)
    times = ["23:59:59", "24:00:00", "00:60:00", "23:59:60"]
    assert [reader.read(f"Sun Mar  3 {time} 2024") for time in times] == [1_709_510_399, None, None, 1_709_510_399]
