"""Names of domains and hosts as DNS has them, so that every command takes the same ones for the same."""

from __future__ import annotations

from functools import lru_cache

_LONGEST_NAME = 253
"""Characters of a name in DNS (RFC 1035)."""


@lru_cache(maxsize=10_000)  # bounded, as it is text of the log
def in_dns(name: str) -> str:
    """Return a name as DNS has it: in small letters, without the dot at its end, and in ASCII (RFC 3490: `xn--`)."""
    name = name.lower().rstrip(".")
    return name if name.isascii() else _on_the_wire(name)


def is_within(name: str, domain: str) -> bool:
    """Tell whether the name of a host or domain is this domain or lies in it, in the letters of the log or as DNS has them."""
    name, domain = name.lower().rstrip("."), domain.lower().strip(".")
    return f".{name}".endswith(f".{domain}") or f".{in_dns(name)}".endswith(f".{in_dns(domain)}")


def _on_the_wire(name: str) -> str:
    """Return the DNS form (`xn--`, RFC 3490) of a name that is not ASCII, or the name itself if decoding that form does not give it back.

    So a name that IDNA maps to another one (a soft hyphen to nothing, a sharp s to ss) remains a different name.
    """
    if len(name) > _LONGEST_NAME:
        return name
    try:
        wire = name.encode("idna")
        return wire.decode("ascii") if wire.decode("idna") == name else name
    except ValueError:  # UnicodeError among them
        return name
