"""The record of an ArcSight connector around a line of a mail log (W14 of the catalogue of headers)."""

from __future__ import annotations

import datetime as dt
import functools
import re
from typing import NamedTuple

CONSOLIDATED = "ESA_CONSOLIDATED_LOG_EVENT"
"""The class of the appliance's own consolidated events, which hold no line."""

_ESCAPED = re.compile(r"\\+([=|\\])")
# A key of an ArcSight connector's record around a line of a mail log.
_ARCSIGHT_KEY = re.compile(r"(?:^|(?<= ))([a-z]\w*)=")


class TextLine(NamedTuple):
    """A mail log line that was wrapped into a CEF record of an ArcSight connector.

    Attributes:
        text: The message text of the line, such as ``ICID 5 close``.
        time: When the connector says the line was written, RFC 3339 in UTC; ``None`` if it does not say.
        host: The appliance as the connector names it, or else the connector; ``None`` if the record says neither.

    """

    text: str
    time: str | None
    host: str | None


def text_line(text: str) -> TextLine | None:
    r"""Take the mail log line out of an ArcSight connector's record (``CEF:0|CISCO|IronPort|... msg=MID 1 ...``).

    Args:
        text: The record from ``CEF:`` on, without its envelope.

    Returns:
        ``None`` if it is no such record, or a consolidated event, whose ``msg`` is a subject, or if it has two ``msg`` fields so that one
        may be a stranger's.
        The line ends where the next key of the record begins; ``\=`` in it is ``=`` again.

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
    # of a key that comes twice, the first
    fields = {key: value.rstrip(" ") for key, value in zip(reversed(keys), reversed(values))}
    line = unescape(fields.get("msg", ""))
    if not line:
        return None
    host = fields.get("dvchost") or fields.get("dvc") or fields.get("ahost")
    return TextLine(line, from_epoch(fields.get("rt", "")), host)


def unescape(text: str) -> str:
    r"""Undo CEF's ``\=`` and ``\\``, also where a collector has doubled the backslash; one alone at the end was cut from what it stood before."""
    if text.endswith("\\") and not text.endswith("\\\\"):
        text = text[:-1]
    return _ESCAPED.sub(r"\1", text)


@functools.lru_cache(maxsize=64)
def from_epoch(milliseconds: str) -> str | None:
    """Turn ArcSight's ``rt``, milliseconds since 1970, into RFC 3339 in UTC; ``None`` if it is no such number."""
    if not re.match(r"\d{1,14}\Z", milliseconds):
        return None
    moment = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc) + dt.timedelta(milliseconds=int(milliseconds))
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"
