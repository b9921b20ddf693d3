"""Mail log lines inside CEF records of an ArcSight connector (W14 in the catalogue of headers)."""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

from esatls.lines.clock import rfc3339

CONSOLIDATED = "ESA_CONSOLIDATED_LOG_EVENT"
"""The event class of the appliance's own consolidated events, which contain no log line."""

TAKEN_APART = "taken apart"
"""The name of an event in a record that was made again from the fields of one: the order of its keys is not the appliance's."""

_ESCAPED = re.compile(r"\\+([=|\\])")
_ARCSIGHT_KEY = re.compile(r"(?:^|(?<= ))([a-z]\w*)=")


class TextLine(NamedTuple):
    """A mail log line from a CEF record of an ArcSight connector.

    Attributes:
        text: The message text of the line, such as ``ICID 5 close``.
        time: When the line was written according to the connector, RFC 3339 in UTC; ``None`` if the record does not say.
        host: The appliance as the connector names it, else the connector itself; ``None`` if the record names neither.

    """

    text: str
    time: str | None
    host: str | None


def text_line(text: str) -> TextLine | None:
    r"""Take the mail log line out of an ArcSight connector's record (``CEF:0|CISCO|IronPort|... msg=MID 1 ...``).

    Args:
        text: The record from ``CEF:`` on, without its envelope.

    Returns:
        The line, which ends where the next key of the record begins, with ``\=`` turned back into ``=``. ``None`` for any other text, for a
        consolidated event (its ``msg`` is a subject), and for a record with two ``msg`` fields, one of which may be a stranger's.

    """
    header = text.split("|", 7)
    if len(header) < 8 or header[0][:4] != "CEF:" or header[1].lower() != "cisco" or "ironport" not in header[2].lower():
        return None
    if header[4] == CONSOLIDATED:
        return None
    _, *parts = _ARCSIGHT_KEY.split(header[7])
    keys, values = parts[::2], parts[1::2]
    if keys.count("msg") > 1:
        return None
    # of a repeated key, the first counts
    fields = {key: value.rstrip(" ") for key, value in zip(reversed(keys), reversed(values))}
    line = unescape(fields.get("msg", ""))
    if not line:
        return None
    host = fields.get("dvchost") or fields.get("dvc") or fields.get("ahost")
    return TextLine(line, from_epoch(fields.get("rt", "")), host)


@functools.lru_cache(maxsize=64)
def escapes(version: str) -> bool:
    r"""Tell whether this version of AsyncOS writes ``=`` in values as ``\=``: 14 and later do."""
    major = re.match(r"(\d{1,3})\.", version, re.ASCII)
    return major is not None and int(major[1]) >= 14


def unescape(text: str) -> str:
    r"""Undo CEF's ``\=`` and ``\\``, even if a collector doubled the backslash; drop a single one at the end, whose escape was cut."""
    if text.endswith("\\") and not text.endswith("\\\\"):
        text = text[:-1]
    return _ESCAPED.sub(r"\1", text)


@functools.lru_cache(maxsize=64)
def from_epoch(milliseconds: str) -> str | None:
    """Turn ArcSight's ``rt``, milliseconds since 1970, into RFC 3339 in UTC; ``None`` for any other text."""
    if not re.match(r"\d{1,14}\Z", milliseconds):
        return None
    return rfc3339(int(milliseconds) / 1000)
