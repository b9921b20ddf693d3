"""Envelopes around the text of a line: the catalogue's wrappings W1 to W17; and ways to spoil a log."""

from __future__ import annotations

import json
import random
import textwrap
from itertools import groupby
from time import asctime, gmtime
from typing import TYPE_CHECKING, Callable

from .collectors import COLLECTORS
from .forms import Envelope, after, as_native, as_syslog, iso, narrow, native, offset_text, splunk, syslog

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .world import Line


def _as_arcsight(line: Line, offset: int) -> str:
    del offset  # milliseconds since 1970
    # CEF escapes these characters in a value
    text = line.text.replace("\\", "\\\\").replace("=", "\\=")
    return f"CEF:0|CISCO|IronPort|14.0|{line.log}|{line.level}|3|rt={line.time}000 ahost={line.host} agt=192.0.2.250 msg={text}"


def _as_json(field: str, inner: Callable[[Line, int], str]) -> Callable[[Line, int], str]:
    def render(line: Line, offset: int) -> str:
        return json.dumps({field: inner(line, offset)})

    return render


ENVELOPES: dict[str, Envelope] = {
    envelope.name: envelope
    for envelope in (
        Envelope("native", as_native, host=False),  # W1, W2: two spaces before a day of one digit
        Envelope(
            "native_one_space",  # W2, as web pages show it
            lambda line, offset: f"{narrow(line.time + offset)} {line.said}",
            host=False,
        ),
        Envelope("syslog", as_syslog, year=False),  # W5
        Envelope(
            "syslog_no_host",  # W6
            lambda line, offset: f"<166>{syslog(line.time + offset)} mail_logs: {line.said}",
            host=False,
            year=False,
        ),
        Envelope(
            "syslog_no_priority",  # W7
            lambda line, offset: f"{syslog(line.time + offset)} {line.host} {line.log}: {line.said}",
            year=False,
        ),
        Envelope(
            "syslog_bare",  # W8: neither priority nor host
            lambda line, offset: f"{syslog(line.time + offset)} mail_logs_SIEM: {line.said}",
            host=False,
            year=False,
        ),
        Envelope(
            "nested_native",  # W9: the stamp inside is the appliance's own
            lambda line, offset: f"<111>{syslog(line.time + offset)} {line.host} ESA: {native(line.time + offset)} {line.said}",
        ),
        Envelope(
            "nested_year_after",
            lambda line, offset: f"<111>{syslog(line.time + offset)} collector ESA: {after(line.time + offset)} {line.host} mail_logs: {line.said}",
        ),
        Envelope(
            "nested_syslog",
            lambda line, offset: f"<111>{syslog(line.time + offset)} collector ESA: {syslog(line.time + offset)} {line.host} MAIL_SecurityAudit: {line.said}",
            year=False,
        ),
        Envelope(
            "nested_no_host",
            lambda line, offset: f"<111>{syslog(line.time + offset)} {line.host} ESA: {syslog(line.time + offset)} SplunkMailSyslog: {line.said}",
            year=False,
        ),
        Envelope(
            "nested_native_host",
            lambda line, offset: f"<111>{syslog(line.time + offset)} collector ESA: {native(line.time + offset)} {line.host} testmaillog: {line.said}",
        ),
        Envelope(
            "iso_offset",  # W10
            lambda line, offset: f"{iso(line.time + offset)}{offset_text(offset)} {line.host} mail_logs: {line.said}",
            zone=True,
        ),
        Envelope("iso_utc", lambda line, _: f"{iso(line.time)}.123Z {line.host} mail_logs: {line.said}", zone=True, fraction=".123"),
        Envelope(
            "splunk",  # W11
            lambda line, offset: f"{splunk(line.time + offset)} {line.host} mail [{line.level.lower()}] splunk_maillogs:nopid {line.said}",
        ),
        Envelope(
            "no_time",  # W12
            lambda line, _: f"{line.host} ESA_mail_logs: {line.said}",
            year=False,
            clock=False,
        ),
        Envelope(
            "smail",  # W13
            lambda line, offset: f"{syslog(line.time + offset)} {line.host} smail: {line.said}",
            year=False,
        ),
        Envelope("arcsight", _as_arcsight, zone=True, whole=True),  # W14
        Envelope(
            "level",  # W15
            lambda line, _: f"{line.said}",
            host=False,
            year=False,
            clock=False,
        ),
        Envelope("bare", lambda line, _: line.text, host=False, year=False, clock=False, whole=True),
        Envelope("json_raw", _as_json("_raw", as_native), host=False),  # W16
        Envelope("json_message", _as_json("message", as_syslog), year=False),
        Envelope("json_log", _as_json("log", as_syslog), year=False),
        Envelope("json_event_original", _as_json("event.original", as_syslog), year=False),
        Envelope("json_event_object", lambda line, offset: json.dumps({"event": {"original": as_syslog(line, offset)}}), year=False),
        *COLLECTORS,
    )
}


def render(lines: Iterable[Line], envelope: str = "native", offset: int = 0) -> Iterator[str]:
    """Yield the lines in an envelope, without line ends; `offset` is the number of seconds by which local time is ahead of UTC."""
    write = ENVELOPES[envelope].render
    for line in lines:
        yield write(line, offset)


def file_head(time: int, offset: int = 0) -> list[str]:
    """Return the three lines with which the appliance begins a native file (W3)."""
    moment = asctime(gmtime(time + offset))
    return [
        f"{moment} Info: Begin Logfile",
        f"{moment} Info: Version: 14.0.0-698 SN: 000000000000-XXXXXXX",
        f"{moment} Info: Time offset from UTC: {offset} seconds",
    ]


def shuffled(lines: Iterable[Line], seed: int = 1) -> Iterator[Line]:
    """Yield the lines of each second in random order (W21)."""
    rng = random.Random(seed)
    for _, group in groupby(lines, key=lambda line: line.time):
        second = list(group)
        rng.shuffle(second)
        yield from second


def duplicated(lines: Iterable[Line], seed: int = 1, share: float = 0.1) -> Iterator[Line]:
    """Yield some lines twice, the second time a little later."""
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
    """Yield lines wrapped as web pages show them (W17).

    They break at the last space before `width`; with `in_words`, exactly at `width`, with an empty line after each.
    No line is only a short number, because nobody could tell it from the line numbers that a page adds.
    A stranger's text may come to stand at the start of a line, where nobody can tell it from a true line. The truth
    does not hold then, so compare verdicts on traffic without spoofing.
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
