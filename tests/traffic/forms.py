"""Parts of envelopes: stamps in each form, and the most common lines."""

from __future__ import annotations

from dataclasses import dataclass
from time import asctime, gmtime, strftime
from typing import TYPE_CHECKING, Callable

if TYPE_CHECKING:
    from .world import Line


@dataclass(frozen=True)
class Envelope:
    """A way to write a line.

    `host`, `year` and `clock` tell whether appliance, year and time can be read from the line; if not, the reader
    must be told them, or does not know them.
    """

    name: str
    render: Callable[[Line, int], str]  # line, seconds by which local time is ahead of UTC
    host: bool = True
    year: bool = True
    clock: bool = True
    zone: bool = False  # the stamp states its offset from UTC
    fraction: str = ""  # of a second, in each stamp
    head: str = ""  # the first line of a file
    event: bool = True  # an index could hold the line as it is
    feed: str = "text"  # or only consolidated events ("cef"), or both ("beside")
    collector: str | None = None  # the host in the header, if it is a collector's or empty
    whole: bool = False  # never wrapped: a record is one line, or the rest of a wrapped line would look like a line


class Stamp:
    """One format of a time, computed once per second."""

    def __init__(self, form: Callable[[int], str]) -> None:
        self._form = form
        self._time = -1
        self._text = ""

    def __call__(self, time: int) -> str:
        """Return the stamp of a second."""
        if time != self._time:
            self._time = time
            self._text = self._form(time)
        return self._text


def _syslog_form(time: int) -> str:
    moment = gmtime(time)
    return f"{strftime('%b', moment)} {moment.tm_mday:2d} {strftime('%H:%M:%S', moment)}"


def offset_text(offset: int) -> str:
    """Return how far local time is ahead of UTC, for example `+05:30`."""
    sign = "-" if offset < 0 else "+"
    minutes = abs(offset) // 60
    return f"{sign}{minutes // 60:02d}:{minutes % 60:02d}"


native = Stamp(lambda time: asctime(gmtime(time)))
narrow = Stamp(lambda time: " ".join(asctime(gmtime(time)).split()))
syslog = Stamp(_syslog_form)
after = Stamp(lambda time: f"{_syslog_form(time)} {gmtime(time).tm_year}")
iso = Stamp(lambda time: strftime("%Y-%m-%dT%H:%M:%S", gmtime(time)))
splunk = Stamp(lambda time: f"{gmtime(time).tm_year} {_syslog_form(time)}")


def as_native(line: Line, offset: int) -> str:
    """Return a line as in the appliance's own file."""
    return f"{native(line.time + offset)} {line.said}"


def as_plain_syslog(line: Line, offset: int) -> str:
    """Return a line as in syslog files, without the priority."""
    return f"{syslog(line.time + offset)} {line.host} {line.log}: {line.said}"


def as_syslog(line: Line, offset: int) -> str:
    """Return a line as the appliance sends it by syslog."""
    return f"<22>{as_plain_syslog(line, offset)}"
