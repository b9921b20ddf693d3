"""Names of domains and hosts as DNS has them, so that every command takes the same ones for the same."""

from __future__ import annotations

from functools import lru_cache

LONGEST_NAME = 253
"""Characters of a name in DNS (RFC 1035)."""


@lru_cache(maxsize=10_000)  # bounded, as it is text of the log
def in_dns(name: str) -> str:
    """Return a name as DNS has it: in small letters, without the dot at its end, and in ASCII (RFC 3490: `xn--`)."""
    name = name.lower().rstrip(".")
    return name if name.isascii() else _on_the_wire(name)


def _on_the_wire(name: str) -> str:
    """Return a name in other letters as DNS has it, and one that does not come back whole as it is.

    What IDNA maps to another name (a soft hyphen to nothing, a sharp s to ss) stays a name of its own.
    """
    if len(name) > LONGEST_NAME:
        return name
    try:
        wire = name.encode("idna")
        return wire.decode("ascii") if wire.decode("idna") == name else name
    except ValueError:  # UnicodeError among them
        return name
