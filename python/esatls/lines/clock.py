"""Timestamps of log lines -> seconds since 1970 in UTC -> RFC 3339.

Times are whole seconds (`int`), or `float` if a collector logged a fraction.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone, tzinfo
from typing import SupportsFloat

from esatls.errors import UsageError, WrongTypeError

Time = float
"""Seconds since 1970-01-01T00:00:00Z; an `int` unless the log has fractions."""

YEARS = 1990, 2100
"""The first and the last year in which a log may begin."""
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
ZONES = {"UTC": 0, "GMT": 0, "BST": 1, "WET": 0, "WEST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3, "MSK": 3}
ZONES.update({"EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7})
"""The time zones that a stamp may name, in hours ahead of UTC: those of RFC 2822, and Europe's."""

_CLOCK = r"(?P<{0}clock>\d\d:\d\d:\d\d)(?:[.,](?P<{0}fraction>\d{{1,9}}))?"
_OFFSET = r"(?: ?(?P<{0}offset>[+-]\d\d:?\d\d))?"
_STAMP = re.compile(
    rf"(?:(?:\w{{3}} )?(?P<month>\w{{3}}) {{1,2}}(?P<day>\d{{1,2}})(?: (?P<own_year>\d{{4}}))? {_CLOCK.format('')}"
    r"(?: (?:(?P<zone>[A-Z]{3,4})|(?P<offset>[+-]\d\d(?::?\d\d)?)))?(?: (?P<year>\d{4}))?"
    rf"|(?P<iso_year>\d{{4}})[-/](?P<iso_month>\d\d)[-/](?P<iso_day>\d\d)[T ]{_CLOCK.format('iso_')}"
    rf"(?:Z|{_OFFSET.format('iso_')}|(?: (?P<iso_zone>[A-Z]{{3,4}})))"
    rf"|(?P<first_year>\d{{4}}) (?P<first_month>\w{{3}}) {{1,2}}(?P<first_day>\d{{1,2}}) {_CLOCK.format('first_')}"
    rf"|(?P<last_day>\d{{1,2}})[ /-](?P<last_month>\w{{3}})[ /-](?P<last_year>\d{{4}})[ :]{_CLOCK.format('last_')}{_OFFSET.format('last_')}"
    # LogRhythm: the month first
    rf"|(?P<number_month>\d\d) (?P<number_day>\d\d) (?P<number_year>\d{{4}}) {_CLOCK.format('number_')}"
    # a column that Kibana exports
    rf"|(?P<shown_month>\w{{3}}) (?P<shown_day>\d{{1,2}}), (?P<shown_year>\d{{4}}) @ {_CLOCK.format('shown_')}"
    # one that Azure's portal exports, the month first
    rf"|(?P<us_month>\d{{1,2}})/(?P<us_day>\d{{1,2}})/(?P<us_year>\d{{4}}), (?P<us_clock>(?:0?[1-9]|1[0-2]):\d\d:\d\d)(?:\.(?P<us_fraction>\d{{1,9}}))?"
    r" (?P<us_half>[AP]M)(?: (?P<us_zone>UTC))?)",
    re.ASCII,
)
_FORMS = ("", "iso_", "first_", "last_", "number_", "shown_", "us_")
MONTH_NUMBERS = {name: number for number, name in enumerate(MONTHS, 1)}
_TO_THE_MINUTE = re.compile(r"(?<=^.{10})([T ]\d\d:\d\d)(?=Z?\Z|[+-])", re.ASCII)
_DAY = 86400
_MOST_DAYS = 1000
"""Maximum ends of days that are kept."""
_NATIVE_LENGTH = len("Wed Jul 20 19:47:40 2005")


def end_of_year(year: int, zone: tzinfo) -> Time:
    """Return the `latest` of a clock for a log that begins in this year of a time zone."""
    # a clock accepts one day more
    return datetime(year, 12, 31, 23, 59, 59, tzinfo=zone).timestamp() - _DAY


USE_A_ZONE = "use a name such as Europe/Berlin, or an offset such as -05:00"


def zone(name: str) -> tzinfo:
    """Return the time zone with an IANA name, `UTC`, or an offset such as `+02:00`. Raises `UsageError` if there is none."""
    offset = re.fullmatch(r"([+-])([01][0-9]|2[0-3]):?([0-5][0-9])", name)
    if offset:
        seconds = int(offset[2]) * 3600 + int(offset[3]) * 60
        return timezone(timedelta(seconds=seconds if offset[1] == "+" else -seconds))
    if name.upper() in ("UTC", "Z"):
        return timezone.utc
    import zoneinfo

    try:
        return zoneinfo.ZoneInfo(name)
    except Exception as error:  # zoneinfo raises a dozen kinds of errors for bad names
        known = zoneinfo.available_timezones()
        hint = f"; {USE_A_ZONE}" if known else " (this machine has no time zones: install the package tzdata)"
        raise UsageError(f"no such time zone: {name}{hint}") from error


def _last_second(time: Time | None) -> Time | None:
    return None if time is None else int(time) // _DAY * _DAY + _DAY - 1


class Clock:
    """Reads the timestamps of one log.

    `zone` is the time zone of timestamps that name none. `latest` is the moment at which the log ends, now by default: a timestamp without a year
    is in the latest year in which it is at most one day after that moment, or after the time that is known of its line.

    Raises `WrongTypeError` for a zone that is not a `tzinfo`, such as a name, and for a moment that is not a number.
    """

    def __init__(self, zone: tzinfo = timezone.utc, latest: Time | None = None) -> None:
        if not isinstance(zone, tzinfo):
            raise WrongTypeError(f"a zone is a tzinfo, not {type(zone).__name__}: zoneinfo.ZoneInfo('Europe/Berlin')")
        if latest is not None and not isinstance(latest, SupportsFloat):  # a check of a protocol takes longer than the reading of a stamp
            raise WrongTypeError(f"latest is a number of seconds since 1970, not {type(latest).__name__}: moment.timestamp() gives it")
        self.zone = zone
        self._fixed = zone.utcoffset(None)
        """Offset of a time zone without summer time; None for any other."""
        self._days: dict[str, int] = {}
        self._ends: dict[str, Time | None] = {}
        self.latest = latest if latest is not None else datetime.now(timezone.utc).timestamp()

    def read(self, stamp: str, near: Time | None = None) -> Time | None:
        """Return the time of a stamp in any form of the catalogue; None for an impossible date or any other text.

        `near` is about when a collector took the line, if the log says so.
        """
        if self._fixed is not None and len(stamp) == _NATIVE_LENGTH:
            # a native stamp of a known day: only the time of day is new
            midnight = self._days.get(stamp[:11] + stamp[20:])
            if midnight is not None and stamp[11:13] < "24" and stamp[14:16] < "60" and stamp[17:19] < "60":
                return midnight + int(stamp[11:13]) * 3600 + int(stamp[14:16]) * 60 + int(stamp[17:19])
        m = _STAMP.fullmatch(stamp)
        if m is None:
            return None
        told = m.groupdict()
        form = next(form for form in _FORMS if told[f"{form}month"])
        month, day, clock, fraction = (told[form + name] or "" for name in ("month", "day", "clock", "fraction"))
        year = told[form + "year"] or (told["own_year"] if not form else None)
        try:
            if told["us_half"]:
                hour, _, rest = clock.partition(":")
                clock = f"{int(hour) % 12 + 12 * (told['us_half'] == 'PM'):02}:{rest}"
            zone = _zone(told.get(form + "offset"), told.get(form + "zone"), utc=stamp[-1] == "Z")
            number = int(month) if month.isdigit() else MONTH_NUMBERS[month]
            time = self._dated(year, number, int(day), clock, zone, self.latest if near is None else near)
            # in the years 1 and 9999, a part of a day may be outside the range of dates
            if self._fixed is not None and len(stamp) == _NATIVE_LENGTH and told["year"] and zone is None and 1 < int(told["year"]) < 9999:
                self._days[stamp[:11] + stamp[20:]] = int(self._local(int(told["year"]), number, int(day), "00:00:00"))
        except (KeyError, ValueError, OverflowError):
            return None
        return time + float("0." + fraction) if time is not None and fraction.strip("0") else time

    def end_of_day(self, stamp: str) -> Time | None:
        """Return the last second of the day of a stamp; of stamps that begin with the date, those of one day have the same."""
        if not stamp[4:5] == stamp[7:8] == "-":
            return _last_second(self.read(stamp))
        day = stamp[:10]
        if day not in self._ends:
            if len(self._ends) >= _MOST_DAYS:
                self._ends.clear()
            self._ends[day] = _last_second(self.read(f"{day}T00:00:00Z"))
        return self._ends[day]

    def _dated(self, year: str | None, month: int, day: int, clock: str, zone: tzinfo | None, latest: Time) -> Time | None:
        """Return the time of a date; without a year, it is in the latest year in which it is at most one day after `latest`."""
        if year:
            return self._local(int(year), month, day, clock, zone)
        last = datetime.fromtimestamp(latest + _DAY, timezone.utc).year
        for guess in range(last, last - 5, -1):
            # 29 February exists only in leap years
            if _exists(guess, month, day):
                time = self._local(guess, month, day, clock, zone)
                if time <= latest + _DAY:
                    return time
        return None

    def _local(self, year: int, month: int, day: int, clock: str, zone: tzinfo | None = None) -> Time:
        at = datetime(year, month, day, int(clock[0:2]), int(clock[3:5]), min(int(clock[6:8]), 59), tzinfo=zone or self.zone)
        # through UTC, so that a moment without a date there is an error
        return int(at.astimezone(timezone.utc).timestamp())


def _zone(offset: str | None, name: str | None, *, utc: bool) -> tzinfo | None:
    """Return the time zone that a stamp names; None if it names none or an unknown one."""
    if utc:
        return timezone.utc
    if offset:
        shift = timedelta(hours=int(offset[1:3]), minutes=int(offset[3:].lstrip(":") or 0))
        return timezone(shift if offset[0] == "+" else -shift)
    return timezone(timedelta(hours=ZONES[name])) if name in ZONES else None


def _exists(year: int, month: int, day: int) -> bool:
    """Tell whether a date exists."""
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def rfc3339(time: Time) -> str:
    """Return a time as RFC 3339 text in UTC, with milliseconds only if it has a fraction."""
    minute, rest = divmod(time, 60)
    start = _MINUTES.get(minute)
    if start is None:
        if len(_MINUTES) > _MINUTES_KEPT:
            _MINUTES.clear()
        at = datetime.fromtimestamp(minute * 60, timezone.utc)
        start = _MINUTES[minute] = f"{at.year:04}-{at.month:02}-{at.day:02}T{at.hour:02}:{at.minute:02}:"
    seconds = int(rest)
    # a float of this size may be a little below the millisecond that was logged
    fraction = 0 if seconds == rest else int((rest - seconds) * 1000 + 5e-4)
    return f"{start}{seconds:02}.{fraction:03}Z" if fraction else start + _SECONDS[seconds]


class Stamps(dict[Time, str]):
    """A cache of `rfc3339`, by time."""

    def __missing__(self, time: Time) -> str:
        if len(self) > _STAMPS_KEPT:
            self.clear()
        text = self[time] = rfc3339(time)
        return text


FIRST_TIME: Time = -62_135_596_800
"""0001-01-01T00:00:00Z, the first moment that `datetime` can hold."""
END_OF_TIME: Time = 253_402_300_800
"""10000-01-01T00:00:00Z, the first moment that neither `datetime` nor RFC 3339 can express."""

_SECONDS = tuple(f"{second:02}Z" for second in range(60))
_MINUTES: dict[Time, str] = {}
_MINUTES_KEPT = 10_000
_STAMPS_KEPT = 50_000


def parse_rfc3339(text: str, zone: tzinfo = timezone.utc) -> Time:
    """Return the time of RFC 3339 text (seconds and offset are optional) or of the beginning of a date. Raises `UsageError` for any other text.

    `zone` is the time zone of text without an offset.
    """
    stamp = text if len(text) > 10 else text + "T00:00:00"
    time = Clock(zone).read(_TO_THE_MINUTE.sub(r"\1:00", stamp))
    if time is None or not stamp[:4].isdigit():
        raise UsageError(f"not a date or time (2024-12-31 or 2024-12-31T23:59:59Z): {text}")
    return time
