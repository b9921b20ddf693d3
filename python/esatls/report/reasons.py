"""The reason of a failure: whether it is about a certificate, and which of its words matter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from esatls.report.notes import word

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MOST = 3
"""Reasons shown of one partner; the report as JSON has all."""

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


def in_words(reasons: Sequence[Mapping[str, Any]], whole: int) -> list[str]:
    """Return the words that matter of the first reasons, each with its count unless it is the reason of the `whole`, and how many others there are."""
    if len(reasons) == 1 and reasons[0]["count"] == whole:
        return [split_reason(reasons[0]["reason"])[1]]
    counts = [f"{row['count']:,} \N{MULTIPLICATION SIGN} " if row["count"] else "" for row in reasons[:_MOST]]
    found = [count + split_reason(row["reason"])[1] for count, row in zip(counts, reasons)]
    others = len(reasons) - _MOST
    return [*found, f"and {others:,} other {word(others, 'reasons')}"] if others > 0 else found
