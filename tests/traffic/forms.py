"""What envelopes are made of: stamps in each form, and the commonest two lines."""

from __future__ import annotations

from dataclasses import dataclass
from time import asctime, gmtime, strftime
from typing import TYPE_CHECKING, Callable

if TYPE_CHECKING:
    from .world import Line


@dataclass(frozen=True)
class Envelope:
    """A way to write a line down.

    `host`, `year` and `clock` tell whether an appliance, a year and a time can be read from it; what cannot, the
    reader has to be told, or does not know.
    """

    name: str
    render: Callable[[Line, int], str]  # line, seconds that local time is ahead of UTC
    host: bool = True
    year: bool = True
    clock: bool = True
    zone: bool = False  # the stamp tells its offset
    fraction: str = ""  # of a second, on each stamp
    head: str = ""  # the first line of a file
    event: bool = True  # what an index could hold as it stands
    feed: str = "text"  # or consolidated events alone ("cef"), or both ("beside")
    collector: str | None = None  # the host that stands there, where it is a collector's or none
    whole: bool = False  # never wrapped: a record is one line, or nobody could tell the rest of a line from a line


class Stamp:
    """One format of a time, worked out once a second."""

    def __init__(self, form: Callable[[int], str]) -> None:
        self._form = form
        self._time = -1
        self._text = ""

    def __call__(self, time: int) -> str:
        """The stamp of a second."""
        if time != self._time:
            self._time = time
            self._text = self._form(time)
        return self._text


def _syslog_form(time: int) -> str:
    moment = gmtime(time)
    return f"{strftime('%b', moment)} {moment.tm_mday:2d} {strftime('%H:%M:%S', moment)}"


def offset_text(offset: int) -> str:
    """How far local time is ahead of UTC, as `+05:30`."""
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
    """A line as the appliance's own file has it."""
    return f"{native(line.time + offset)} {line.said}"


def as_plain_syslog(line: Line, offset: int) -> str:
    """A line as syslog files have it, without the priority."""
    return f"{syslog(line.time + offset)} {line.host} {line.log}: {line.said}"


def as_syslog(line: Line, offset: int) -> str:
    """A line as the appliance sends it."""
    return f"<22>{as_plain_syslog(line, offset)}"
