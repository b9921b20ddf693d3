"""The envelope of a line: what stands before the message text (tests/cases/envelope.json has every known form by its number).

Native, syslog with and without priority, host and year, RFC 5424, a relay's note of the sender's address in front of the priority,
a collector's stamp around the appliance's own, ISO stamps, subscription names of any spelling, a level alone, bare text, and JSON with the line in a field.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from esatls.lines import arcsight
from esatls.lines.clock import rfc3339
from esatls.lines.header import ENVELOPE, STAMP

if TYPE_CHECKING:
    from collections.abc import Iterator

BARE, UNSTAMPED, STAMPED = 0, 1, 2
"""How much an envelope says; a line that says less than its neighbours may be the rest of a wrapped one."""

LONGEST = 1200
"""No envelope is longer: every part of the pattern is bounded."""

JSON_TEXT = ("_raw", "message", "log", "event.original", "event", "AdditionalExtensions")
"""Fields in which collectors keep the line, in the order they are tried: the first that names its appliance, else the first that is there.

`event` is the HTTP Event Collector's; the last one is Microsoft Sentinel's, for a consolidated event.
"""

JSON_HOST = ("observer.hostname", "observer.name", "hostname", "log.source.address", "host.name", "host", "Computer")
"""Fields that name the appliance of a line that does not: first those that can mean no collector."""

JSON_TIME = ("@timestamp", "_time", "time", "TimeGenerated")
"""Fields that tell the time of a line that does not."""

_OUTERMOST = {name: name.partition(".")[0] for name in (*JSON_TEXT, *JSON_HOST)}

_NUMBER = re.compile(r"\d{9,14}(?:\.\d{1,9})?", re.ASCII)
_PORT = re.compile(r"(?:\[([0-9A-Fa-f:.]{2,45})\]|([\w.-]{1,255})):\d{1,5}", re.ASCII)
_MOST_SECONDS, _MOST_MILLISECONDS = 1e11, 1e14

SENTINEL_COLUMNS = {"DeviceAction": "act", "SourceUserName": "suser", "DestinationUserName": "duser", "SourceIP": "src", "SourceHostName": "shost"}
"""Columns of the table CommonSecurityLog -> keys of CEF that they were made from."""
_PLAIN_VALUE = re.compile(r"[^\s;=|\"'\\]+(?:;[^\s;=|\"'\\@]+@[^\s;=|\"'\\]+)*")  # one word, or addresses

_ENVELOPE = re.compile(ENVELOPE, re.ASCII)
_ADDRESS = r"(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:.]{1,45})"
_KNOWN_LEAD = re.compile(rf"(?:\d{{1,6}} (?=<))?(?:{_ADDRESS} (?=<))?(?:<\d{{1,3}}>(?:1 )?)?|(?:n|on|e|ue|d|ed|u|hu|i|ri|t|at|un) ", re.ASCII)
"""What collectors put in front of the first stamp and no stranger can: the octet count and the relay's address before a priority,
the priority; and the rest of a weekday, where a log was cut at the left (W20)."""
_START = re.compile(rf"(?:{_ADDRESS} (?=<))?(?:<\d{{1,3}}>(?:1 )?(?:{STAMP} )?|{STAMP} )", re.ASCII)
"""A priority, a first stamp."""

# JSON can name halves of surrogate pairs, which nobody can write; those that stand for bytes that are not UTF-8 are the stream's business
_HALF = re.compile("[\ud800-\udc7f\udd00-\udfff]")


class Envelope(NamedTuple):
    """What the envelope says, as text; `end` is where the message text starts."""

    rank: int
    end: int
    stamp: str | None = None
    host: str | None = None
    log: str | None = None
    level: str | None = None
    lead: str = ""
    """What a tool has put in front of the header: white space, quotes, the name of a file, a number; one that every line of the log has."""


NONE = Envelope(BARE, 0)
"""The envelope of a line that has none."""


def parse(line: str) -> Envelope:
    """Return the envelope of one line (no JSON); a bare one where none is found."""
    start = line[:LONGEST]
    m = _ENVELOPE.match(start)
    if m is None:
        return NONE
    lead_host, outer_stamp, outer_host, outer_log, inner_stamp, inner_host, inner_log, bare_host, bare_log, level = m.groups()
    if level is not None:
        level = level.capitalize()
    if outer_stamp is None:
        lead = start[: min(at for at in (m.start("bare_host"), m.start("bare_log"), m.start("esa_level"), m.end()) if at >= 0)]
        rank = UNSTAMPED if level or bare_log else BARE
        return Envelope(rank, m.end(), None, bare_host, bare_log, level, "" if _KNOWN_LEAD.fullmatch(lead) else lead)
    lead = start[: m.start("outer_stamp")]
    if lead and _KNOWN_LEAD.fullmatch(lead):
        lead = ""
    return Envelope(STAMPED, m.end(), inner_stamp or outer_stamp, inner_host or outer_host or lead_host, inner_log or outer_log, level, lead)


def alike(lead: str, first: str) -> bool:
    """Tell whether what stands in front of a line is what stands in front of its log's first line: the name of a file, a number, no more white space."""
    blanks, first_blanks = len(lead) - len(lead.rstrip()), len(first) - len(first.rstrip())
    return blanks <= first_blanks and bool(lead.strip()) == bool(first.strip())


def starts_anew(line: str) -> bool:
    """Tell whether a line begins with a priority, or with a stamp and two words: whoever wrote it, it is not the rest of another line.

    A stamp alone may be the end of a text that was wrapped.
    """
    start = line[:LONGEST]
    m = _START.match(start)
    return m is not None and (start.startswith("<", m.start()) or "<" in m[0] or " " in start[m.end() :].strip())


class Unwrapped(NamedTuple):
    """A line taken out of a JSON record or an ArcSight record, with what the record itself says."""

    lines: list[str]
    host: str | None = None
    time: str | None = None


def unwrap(line: str, end: int | None = None) -> Unwrapped | None:
    """Return the log lines inside a JSON record (W16) or an ArcSight CEF record (W14); None for any other line.

    `end` is where its envelope ends, for whoever has parsed it.
    """
    if line.startswith("{"):
        return _from_json(line)
    at = line.find("CEF:", 0, LONGEST)
    # right behind the envelope: what stands further on is text that somebody chose
    if at >= 0 and (parse(line).end if end is None else end) == at:
        inner = arcsight.text_line(line[at:])
        if inner is not None:
            return Unwrapped([inner.text], inner.host and writable(inner.host), inner.time)
    return None


def _from_json(line: str) -> Unwrapped | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict):
        return None
    if isinstance(record.get("result"), dict):
        record = record["result"]
    texts = {name: text for name, text in _texts(record, JSON_TEXT) if text.strip()}
    if not texts:
        return None
    # what a shipper has taken the head off says less than the line as it came
    names_its_host = (name for name, text in texts.items() if len(texts) > 1 and parse(text[:LONGEST].partition("\n")[0]).host)
    name = next(names_its_host, next(iter(texts)))
    text = texts[name]
    if name == "AdditionalExtensions":
        text += _columns(record, text)
    return Unwrapped(
        (text if text.isascii() else _HALF.sub(lambda half: f"\\u{ord(half[0]):04x}", text)).split("\n"),
        next((writable(_without_port(host)) for _, host in _texts(record, JSON_HOST) if host), None),
        next(filter(None, map(_stamp, map(record.get, JSON_TIME))), None),
    )


def _texts(record: dict[str, Any], names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield those fields of a record that are text."""
    for name in names:
        if name in record or _OUTERMOST[name] in record:
            value = _lookup(record, name)
            if isinstance(value, str):
                yield name, value


def _without_port(host: str) -> str:
    """Return the address that a packet came from without its port; any other name as it is."""
    m = _PORT.fullmatch(host)
    return host if m is None else m[1] or m[2]


def _stamp(value: Any) -> str | None:
    """Return a time as text; numbers are seconds since 1970, or milliseconds, which no log has seen so many seconds of."""
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value):
            return value
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < _MOST_MILLISECONDS:
        return None
    return rfc3339(value / 1000 if value > _MOST_SECONDS else value)


def _columns(record: dict[str, Any], text: str) -> str:
    """Return what Sentinel keeps in columns of its own, as further fields of AdditionalExtensions."""
    found = ((key, record.get(column)) for column, key in SENTINEL_COLUMNS.items())
    return "".join(f";{key}={value}" for key, value in found if isinstance(value, str) and _PLAIN_VALUE.fullmatch(value) and f"{key}=" not in text)


def writable(text: str) -> str:
    """Return text with halves of surrogate pairs, which JSON can name and nobody can write, as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _lookup(record: dict[str, Any], name: str) -> Any:
    if name in record:
        return record[name]
    first, _, rest = name.partition(".")
    inner = record.get(first)
    return _lookup(inner, rest) if rest and isinstance(inner, dict) else None
