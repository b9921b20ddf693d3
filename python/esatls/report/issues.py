"""The issues of a protocol and a cipher."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from esatls.extraction.ciphers import is_deprecated, lacks_forward_secrecy, weaknesses
from esatls.report.ledger import DEPRECATED, WEAK

if TYPE_CHECKING:
    from esatls.report.report_types import IssueName

Issues = tuple[tuple["IssueName", str], ...]
"""Issues, each with its reason, or the name of the protocol or cipher."""


@lru_cache(maxsize=10_000)  # bounded, as both are text from the log
def outdated(version: str, cipher: str) -> Issues:
    """Return the issues of a protocol and a cipher, each with its name."""
    marks = marks_of(version, cipher)
    return ((DEPRECATED, version),) * ("deprecated" in marks) + ((WEAK, cipher),) * ("weak" in marks)


@lru_cache(maxsize=10_000)  # as above
def marks_of(version: str, cipher: str) -> tuple[str, ...]:
    """Return what is to be said of a protocol and a cipher: `deprecated`, `weak`, `no_forward_secrecy`."""
    marks = ["deprecated"] if is_deprecated(version) else []
    if weaknesses(cipher):
        marks.append("weak")
    if lacks_forward_secrecy(cipher):
        marks.append("no_forward_secrecy")
    return tuple(marks)
