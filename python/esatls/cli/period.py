"""The values of `--since` and `--until`: a time, or a period in words."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone, tzinfo
from typing import TYPE_CHECKING

from esatls.errors import UsageError
from esatls.lines.clock import parse_rfc3339

if TYPE_CHECKING:
    from esatls.lines.clock import Time

_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_AGO = re.compile(r"(\d{1,5})(h|d|w)")
_HOURS = {"h": 1, "d": 24, "w": 168}
_MONTH = re.compile(r"(\d{4})-(\d{2})")


def period(text: str, zone: tzinfo | None = None, now: datetime | None = None) -> tuple[Time, Time | None]:
    """Return when a period begins, and when it ends if it has an end.

    `7d`, `12h` and `2w` begin that long ago; `today` begins with this day, a weekday with the latest such day, which may be today; `yesterday`, `last-week`,
    `last-month` and a month (`2026-03`) have an end too. Anything else is a date or a time. Days begin at midnight in `zone` (default: UTC), which is also
    the zone of a time without an offset. Raises `UsageError` for any other text, and for a time that is on no day of the calendar there.
    """
    zone = zone or timezone.utc
    begin, end = _read(text, zone, now or datetime.now(timezone.utc))
    try:
        for time in (begin,) if end is None else (begin, end):
            datetime.fromtimestamp(time, zone)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"the calendar has no such day in this time zone: {text}") from error
    return begin, end


def _read(text: str, zone: tzinfo, now: datetime) -> tuple[Time, Time | None]:
    words = text.strip().lower()
    today = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    ago, month = _AGO.fullmatch(words), _MONTH.fullmatch(words)
    if ago:
        return int(now.timestamp()) - 3600 * _HOURS[ago[2]] * int(ago[1]), None
    if words in _WEEKDAYS:
        return _begin(today - timedelta(days=(today.weekday() - _WEEKDAYS.index(words)) % 7), zone), None
    if words == "today":
        return _begin(today, zone), None
    if words == "yesterday":
        return _begin(today - timedelta(days=1), zone), _begin(today, zone)
    if words == "last-week":
        monday = today - timedelta(days=today.weekday())
        return _begin(monday - timedelta(days=7), zone), _begin(monday, zone)
    if words == "last-month":
        first = today.replace(day=1)
        return _begin((first - timedelta(days=1)).replace(day=1), zone), _begin(first, zone)
    if month:
        try:
            first = datetime(int(month[1]), int(month[2]), 1)  # noqa: DTZ001 - the zone comes with _begin
            return _begin(first, zone), _begin((first + timedelta(days=32)).replace(day=1), zone)
        except (ValueError, OverflowError) as error:
            raise UsageError(f"not a month: {text}") from error
    try:
        return parse_rfc3339(text, zone), None
    except UsageError as error:
        raise UsageError(f"{error}; also possible: 7d, 12h, 2w, today, yesterday, monday, last-week, last-month or a month such as 2026-03") from error


def _begin(day: datetime, zone: tzinfo) -> int:
    """Return when a day begins in a zone, in seconds since 1970."""
    return int(day.replace(tzinfo=zone).timestamp())
