"""What stands around the text of a line on its way: the catalogue's wrappings W1 to W17, and ways to spoil a log."""

from __future__ import annotations

import json
import random
import textwrap
from dataclasses import dataclass
from itertools import groupby
from time import asctime, gmtime, strftime
from typing import TYPE_CHECKING, Callable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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


class _Stamp:
    """One format of a time, worked out once a second."""

    def __init__(self, form: Callable[[int], str]) -> None:
        self._form = form
        self._time = -1
        self._text = ""

    def __call__(self, time: int) -> str:
        if time != self._time:
            self._time = time
            self._text = self._form(time)
        return self._text


def _syslog_form(time: int) -> str:
    moment = gmtime(time)
    return f"{strftime('%b', moment)} {moment.tm_mday:2d} {strftime('%H:%M:%S', moment)}"


def _offset_text(offset: int) -> str:
    sign = "-" if offset < 0 else "+"
    minutes = abs(offset) // 60
    return f"{sign}{minutes // 60:02d}:{minutes % 60:02d}"


_native = _Stamp(lambda time: asctime(gmtime(time)))
_narrow = _Stamp(lambda time: " ".join(asctime(gmtime(time)).split()))
_syslog = _Stamp(_syslog_form)
_after = _Stamp(lambda time: f"{_syslog_form(time)} {gmtime(time).tm_year}")
_iso = _Stamp(lambda time: strftime("%Y-%m-%dT%H:%M:%S", gmtime(time)))
_splunk = _Stamp(lambda time: f"{gmtime(time).tm_year} {_syslog_form(time)}")


def _as_native(line: Line, offset: int) -> str:
    return f"{_native(line.time + offset)} {line.level}: {line.text}"


def _as_syslog(line: Line, offset: int) -> str:
    return f"<22>{_syslog(line.time + offset)} {line.host} {line.log}: {line.level}: {line.text}"


def _as_arcsight(line: Line, offset: int) -> str:
    del offset  # milliseconds since 1970
    # CEF has its own marks in a value escaped
    text = line.text.replace("\\", "\\\\").replace("=", "\\=")
    return f"CEF:0|CISCO|IronPort|14.0|{line.log}|{line.level}|3|rt={line.time}000 ahost={line.host} agt=192.0.2.250 msg={text}"


def _as_json(field: str, inner: Callable[[Line, int], str]) -> Callable[[Line, int], str]:
    def render(line: Line, offset: int) -> str:
        return json.dumps({field: inner(line, offset)})

    return render


ENVELOPES: dict[str, Envelope] = {
    envelope.name: envelope
    for envelope in (
        Envelope("native", _as_native, host=False),  # W1, W2: a day of one figure has two spaces before it
        Envelope(
            "native_one_space",  # W2, as web pages show it
            lambda line, offset: f"{_narrow(line.time + offset)} {line.level}: {line.text}",
            host=False,
        ),
        Envelope("syslog", _as_syslog, year=False),  # W5
        Envelope(
            "syslog_no_host",  # W6
            lambda line, offset: f"<166>{_syslog(line.time + offset)} mail_logs: {line.level}: {line.text}",
            host=False,
            year=False,
        ),
        Envelope(
            "syslog_no_priority",  # W7
            lambda line, offset: f"{_syslog(line.time + offset)} {line.host} {line.log}: {line.level}: {line.text}",
            year=False,
        ),
        Envelope(
            "syslog_bare",  # W8: neither priority nor host
            lambda line, offset: f"{_syslog(line.time + offset)} mail_logs_SIEM: {line.level}: {line.text}",
            host=False,
            year=False,
        ),
        Envelope(
            "nested_native",  # W9: the stamp inside is the appliance's own
            lambda line, offset: f"<111>{_syslog(line.time + offset)} {line.host} ESA: {_native(line.time + offset)} {line.level}: {line.text}",
        ),
        Envelope(
            "nested_year_after",
            lambda line, offset: (
                f"<111>{_syslog(line.time + offset)} collector ESA: {_after(line.time + offset)} {line.host} mail_logs: {line.level}: {line.text}"
            ),
        ),
        Envelope(
            "nested_syslog",
            lambda line, offset: (
                f"<111>{_syslog(line.time + offset)} collector ESA: {_syslog(line.time + offset)} {line.host} MAIL_SecurityAudit: {line.level}: {line.text}"
            ),
            year=False,
        ),
        Envelope(
            "nested_no_host",
            lambda line, offset: (
                f"<111>{_syslog(line.time + offset)} {line.host} ESA: {_syslog(line.time + offset)} SplunkMailSyslog: {line.level}: {line.text}"
            ),
            year=False,
        ),
        Envelope(
            "nested_native_host",
            lambda line, offset: (
                f"<111>{_syslog(line.time + offset)} collector ESA: {_native(line.time + offset)} {line.host} testmaillog: {line.level}: {line.text}"
            ),
        ),
        Envelope(
            "iso_offset",  # W10
            lambda line, offset: f"{_iso(line.time + offset)}{_offset_text(offset)} {line.host} mail_logs: {line.level}: {line.text}",
            zone=True,
        ),
        Envelope(
            "iso_utc",
            lambda line, _: f"{_iso(line.time)}.123Z {line.host} mail_logs: {line.level}: {line.text}",
            zone=True,
        ),
        Envelope(
            "splunk",  # W11
            lambda line, offset: f"{_splunk(line.time + offset)} {line.host} mail [{line.level.lower()}] splunk_maillogs:nopid {line.level}: {line.text}",
        ),
        Envelope(
            "no_time",  # W12
            lambda line, _: f"{line.host} ESA_mail_logs: {line.level}: {line.text}",
            year=False,
            clock=False,
        ),
        Envelope(
            "smail",  # W13
            lambda line, offset: f"{_syslog(line.time + offset)} {line.host} smail: {line.level}: {line.text}",
            year=False,
        ),
        Envelope("arcsight", _as_arcsight, zone=True),  # W14
        Envelope(
            "level",  # W15
            lambda line, _: f"{line.level}: {line.text}",
            host=False,
            year=False,
            clock=False,
        ),
        Envelope("bare", lambda line, _: line.text, host=False, year=False, clock=False),
        Envelope("json_raw", _as_json("_raw", _as_native), host=False),  # W16
        Envelope("json_message", _as_json("message", _as_syslog), year=False),
        Envelope("json_log", _as_json("log", _as_syslog), year=False),
        Envelope("json_event_original", _as_json("event.original", _as_syslog), year=False),
        Envelope(
            "json_event_object",
            lambda line, offset: json.dumps({"event": {"original": _as_syslog(line, offset)}}),
            year=False,
        ),
    )
}


def render(lines: Iterable[Line], envelope: str = "native", offset: int = 0) -> Iterator[str]:
    """The lines in an envelope, without line ends; `offset` is how many seconds local time is ahead of UTC."""
    write = ENVELOPES[envelope].render
    for line in lines:
        yield write(line, offset)


def file_head(time: int, offset: int = 0) -> list[str]:
    """The three lines that the appliance writes at the head of a native file (W3)."""
    moment = asctime(gmtime(time + offset))
    return [
        f"{moment} Info: Begin Logfile",
        f"{moment} Info: Version: 14.0.0-698 SN: 000000000000-XXXXXXX",
        f"{moment} Info: Time offset from UTC: {offset} seconds",
    ]


def shuffled(lines: Iterable[Line], seed: int = 1) -> Iterator[Line]:
    """The lines of each second out of order (W21)."""
    rng = random.Random(seed)
    for _, group in groupby(lines, key=lambda line: line.time):
        second = list(group)
        rng.shuffle(second)
        yield from second


def duplicated(lines: Iterable[Line], seed: int = 1, share: float = 0.1) -> Iterator[Line]:
    """Some lines twice, the second time a little later."""
    rng = random.Random(seed)
    again: list[Line] = []
    for line in lines:
        yield line
        if rng.random() < share:
            again.append(line)
        if again and rng.random() < 0.2:
            yield again.pop(0)
    yield from again


def wrapped(texts: Iterable[str], width: int = 80, *, in_words: bool = False) -> Iterator[str]:
    """Lines cut as pages show them (W17).

    At the last space before `width`, or with `in_words` at `width` wherever that is, with an empty line after each.
    No line is a short number alone: nobody could tell it from the number that a page gives its lines.
    A stranger's text may come to stand at the head of a line; where nobody could tell it from a true line, the
    truth does not hold, so compare verdicts on traffic without spoofing.
    """
    for text in texts:
        if in_words:
            for at in range(0, len(text), width):
                yield text[at : at + width]
                yield ""
        elif len(text) <= width:
            yield text
        else:
            parts = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
            for at in range(len(parts) - 1, 0, -1):
                if len(parts[at]) <= 4 and parts[at].isdigit():
                    parts[at - 1], _, word = parts[at - 1].rpartition(" ")
                    parts[at] = f"{word} {parts[at]}"
            yield from parts


def spread(lines: Iterable[Line], files: int, seed: int = 1) -> list[list[Line]]:
    """Each line in one of several files, dealt at random; each file keeps the order."""
    rng = random.Random(seed)
    parts: list[list[Line]] = [[] for _ in range(files)]
    for line in lines:
        parts[rng.randrange(files)].append(line)
    return parts
