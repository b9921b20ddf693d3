"""The words of a failure: what those of a connection error, or of a line that says that TLS failed, tell about TLS."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from esatls.verdicts.weighing import View

if TYPE_CHECKING:
    from esatls.extraction.fact_types import BrokenConnection

SOCKET = re.compile(r"\[Errno \d+\]|reset by peer|\bEOF\b|broken pipe|end of file", re.ASCII | re.IGNORECASE)
"""The words for a broken socket: whatever they ended, nothing goes on after them."""
_HANDSHAKE = re.compile(r"\s*(?:\[Errno 0\]|\(?(?:\d{1,20}, )?['\"]?error:[0-9A-F]{6,16}\b|SSL)", re.ASCII | re.IGNORECASE)
"""How OpenSSL's words in a connection error begin; with [Errno 0] it says that the other side left during the handshake."""
_REPLY = re.compile(r"\s*[245]\d\d(?=[\s'\"-]|$)|unexpected SMTP response", re.ASCII | re.IGNORECASE)
"""How an SMTP reply begins: it is not about TLS, whatever the other side quotes in it."""
_BEFORE_HANDSHAKE = re.compile(
    r"refused|unreachable|no route|timed? ?out|\[Errno (?:51|60|61|64|65|101|110|111|113)\]|(?:^|[\s('\"])[245](?:\d\d(?=[\s'\"-]|$)|\.\d{1,3}\.\d)",
    re.ASCII | re.IGNORECASE,
)
"""A refusal, a timeout, or an SMTP reply: these are not about TLS."""


def sort_of_reason(text: str) -> tuple[bool, ...]:
    """Return all that verdicts look for in the words of a failure: texts for which it is the same lead to the same verdict."""
    return (
        *(bool(words.search(text)) for words in (SOCKET, _BEFORE_HANDSHAKE)),
        *(bool(words.match(text)) for words in (_HANDSHAKE, _REPLY)),
    )


def words_of(error: BrokenConnection) -> str:
    """Return what a connection error says, as a reason."""
    reason, details = error.tls_reason, error.error_details
    return f"{reason} ({details})" if reason and details else reason or details or "connection error"


def of_handshake(error: BrokenConnection) -> View:
    """Return the answer for a connection error in the place of the handshake, by its words."""
    reason, details, words = error.tls_reason, error.error_details, words_of(error)
    if _REPLY.match(details or "") or _REPLY.match(reason or ""):
        return View("unused", reason=words)
    if any(_HANDSHAKE.match(text or "") for text in (details, reason)):
        return View("failed", reason=f"possibly: {words}")
    if any(_BEFORE_HANDSHAKE.search(text or "") for text in (details, reason)):
        return View("unused", reason=words)
    return View("unknown", reason=words)
