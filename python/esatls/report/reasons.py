"""The reason of a failure: whether it is about a certificate, and which of its words matter."""

from __future__ import annotations

_CERTIFICATE = ("certificate", "unknown ca", "self signed", "self-signed", "hostname mismatch")


def is_certificate_problem(reason: str) -> bool:
    """Tell whether the reason of a failure names a certificate or its issuer."""
    text = reason.lower()
    return any(words in text for words in _CERTIFICATE)


def split_reason(reason: str) -> tuple[str, str, str]:
    """Return a reason in three parts: the text before the words that matter, these words, and the text after them.

    `(336109761, 'error:1408A0C1:SSL routines:SSL3_GET_CLIENT_HELLO:no shared cipher')` is about `no shared cipher`.
    """
    if reason.startswith("(") and reason.endswith("')"):
        before, colon, words = reason[:-2].rpartition(":")
        if colon and words.strip():
            return before + colon, words, "')"
    return "", reason, ""
