"""Values as cells of CSV, in Splunk's notation: in quotes, multi-valued, as times."""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING, Any

import esatls_lib  # noqa: F401 - must come first: it adds lib/ to the path
from esatls.lines.clock import END_OF_TIME, FIRST_TIME, parse_rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable

    from esatls.lines.clock import Time

# An event may be longer than 128 KiB, the default limit of csv.
csv.field_size_limit(1 << 30)

MULTI = "__mv_"
"""Begins the name of a column of multi-valued cells."""
_VALUE = re.compile(r"\$((?:[^$]|\$\$)*)\$(?:;|\Z)")


def unquoted(cell: str) -> str | None:
    """Return the value of a CSV cell; None: it contains quotes."""
    if cell[:1] == '"' == cell[-1:] and len(cell) > 1:
        cell = cell[1:-1]
    return None if '"' in cell else cell


def csv_line(cells: Iterable[str]) -> str:
    """Return cells as a line of CSV without a line end."""
    return ",".join(map(quoted, cells))


def quoted(cell: str) -> str:
    """Return a value as a CSV cell, in quotes if needed."""
    return '"' + cell.replace('"', '""') + '"' if _MUST_QUOTE(cell) else cell


_MUST_QUOTE = re.compile('[",\r\n]').search


def cells_of(value: Any) -> tuple[str, str]:
    """Return the plain and the multi-valued cell of a value. Lists of several values fill both, in Splunk's notation."""
    if value.__class__ is str:
        return value, ""
    if not isinstance(value, list):
        return ("true" if value else "false") if isinstance(value, bool) else str(value), ""
    words = [cells_of(word)[0] for word in value]
    if len(words) == 1:
        return words[0], ""
    return "\n".join(words), ";".join("$" + word.replace("$", "$$") + "$" for word in words)


def values_of(cell: str) -> list[str]:
    """Return the values of a multi-valued cell."""
    return [value.replace("$$", "$") for value in _VALUE.findall(cell)]


def seconds_of(cell: str) -> Time | None:
    """Convert Splunk's `_time` to the core's: seconds since 1970, whole ones as int. None: the cell is not a time in the years 1 to 9999."""
    try:
        seconds = float(cell)
    except ValueError:
        return None
    # also rejects nan
    if not FIRST_TIME <= seconds < END_OF_TIME:
        return None
    return int(seconds) if seconds.is_integer() else seconds


def epoch(stamp: str) -> str:
    """Convert RFC 3339 in UTC, as the core writes it, to Splunk's `_time`."""
    day = stamp[:10]
    midnight = MIDNIGHTS.get(day)
    if midnight is None:
        midnight = MIDNIGHTS[day] = int(parse_rfc3339(day))
    seconds = midnight + int(stamp[11:13]) * 3600 + int(stamp[14:16]) * 60 + int(stamp[17:19])
    # between the seconds and the Z there may be milliseconds, which cannot simply be appended to the negative seconds before 1970
    fraction = stamp[19:-1]
    return seconds_text(seconds + float(fraction)) if fraction and seconds < 0 else f"{seconds}{fraction}"


MIDNIGHTS: dict[str, int] = {}


def seconds_text(seconds: Time) -> str:
    """Convert the core's time to Splunk's `_time`, with at most milliseconds."""
    return str(seconds) if isinstance(seconds, int) else f"{seconds:.3f}"
