"""The envelope of a line: what stands before the message text (tests/cases/envelope.json has every known form by its number).

Native, syslog with and without priority, host and year, a collector's stamp around the appliance's own,
ISO stamps, subscription names of any spelling, a level alone, bare text, and JSON with the line in a field.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from esatls._patterns import ENVELOPE

BARE, UNSTAMPED, STAMPED = 0, 1, 2
"""How much an envelope says; a line that says less than its neighbours may be the rest of a wrapped one."""

LONGEST = 1200
"""No envelope is longer: every part of the pattern is bounded."""

JSON_TEXT = ("_raw", "message", "log", "event.original", "AdditionalExtensions")
"""Fields in which collectors keep the line, in the order they are tried; the last one is Microsoft Sentinel's, for a consolidated event."""

_SENTINEL_COLUMNS = {"DeviceAction": "act", "SourceUserName": "suser", "DestinationUserName": "duser", "SourceIP": "src", "SourceHostName": "shost"}
"""Columns of the table CommonSecurityLog -> keys of CEF that they were made from."""
_PLAIN_VALUE = re.compile(r"[^\s;=|\"'\\]+(?:;[^\s;=|\"'\\@]+@[^\s;=|\"'\\]+)*")  # one word, or addresses

_ENVELOPE = re.compile(ENVELOPE, re.ASCII)
_START = re.compile(ENVELOPE.partition("(?:(?P<outer_host>")[0], re.ASCII)
"""Its priority and its first stamp."""

# JSON can name halves of surrogate pairs, which nobody can write; those that stand for bytes that are not UTF-8 are the stream's business
_HALF = re.compile("[\ud800-\udc7f\udd00-\udfff]")

_CUT_WEEKDAY = frozenset({"n", "on", "e", "ue", "d", "ed", "u", "hu", "i", "ri", "t", "at", "un"})


class Envelope(NamedTuple):
    """What the envelope says, as text; `end` is where the message text starts."""

    rank: int
    end: int
    stamp: str | None = None
    host: str | None = None
    log: str | None = None
    level: str | None = None


_BARE = Envelope(BARE, 0)


def parse(line: str) -> Envelope:
    """Return the envelope of one line (no JSON); a bare one where none is found."""
    m = _ENVELOPE.match(line[:LONGEST])
    if m is None:
        return _BARE
    stamp = m["inner_stamp"] or m["outer_stamp"]
    host = m["inner_host"] or m["outer_host"]
    if host in _CUT_WEEKDAY and m["inner_stamp"] and not (m["outer_stamp"] or m["outer_log"]):
        host = None  # the first line of a log that was cut at the left (W20)
    log = m["inner_log"] or m["outer_log"]
    level = m["esa_level"]
    if stamp:
        return Envelope(STAMPED, m.end(), stamp, host, log, level)
    if (host and not log) or (m["outer_log"] and line[m.end("outer_log")] != ":"):
        return _BARE  # a word or a number before a level is no host and no subscription
    return Envelope(UNSTAMPED if level or log else BARE, m.end(), None, host, log, level)


def starts_anew(line: str) -> bool:
    """Tell whether a line begins with a priority, or with a stamp and two words: whoever wrote it, it is not the rest of another line.

    A stamp alone may be the end of a text that was wrapped.
    """
    start = line[:LONGEST]
    m = _START.match(start)
    return m is not None and m.end() > 0 and (start[0] == "<" or " " in start[m.end() :].strip())


class Unwrapped(NamedTuple):
    """A line taken out of a JSON record or an ArcSight record, with what the record itself says."""

    lines: list[str]
    host: str | None = None
    time: str | None = None


def unwrap(line: str) -> Unwrapped | None:
    """Return the log lines inside a JSON record (W16) or an ArcSight CEF record (W14); None for any other line."""
    if line.startswith("{"):
        return _from_json(line)
    at = line.find("CEF:", 0, LONGEST)
    # right behind the envelope: what stands further on is text that somebody chose
    if at >= 0 and parse(line).end == at:
        from esatls import cef

        inner = cef.text_line(line[at:])
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
    for name in JSON_TEXT:
        text = _lookup(record, name)
        if isinstance(text, str) and text.strip():
            host = _lookup(record, "host.name") or _lookup(record, "host") or _lookup(record, "hostname") or _lookup(record, "Computer")
            time = _lookup(record, "@timestamp") or _lookup(record, "_time") or _lookup(record, "TimeGenerated")
            if name == "AdditionalExtensions":
                text += _columns(record, text)
            return Unwrapped(
                _HALF.sub(lambda half: f"\\u{ord(half[0]):04x}", text).split("\n"),
                writable(host) if isinstance(host, str) else None,
                time if isinstance(time, str) else None,
            )
    return None


def _columns(record: dict[str, Any], text: str) -> str:
    """Return what Sentinel keeps in columns of its own, as further fields of AdditionalExtensions."""
    found = ((key, record.get(column)) for column, key in _SENTINEL_COLUMNS.items())
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
