"""Deprecated protocols and weak ciphers, recognized by their names alone."""

from __future__ import annotations

import re

DEPRECATED = frozenset({"sslv2", "sslv3", "sslv23", "tlsv1", "tlsv1.0", "tlsv1.1", "tlsv1/sslv3"})
"""Protocols retired by RFC 6176 (SSL 2), RFC 7568 (SSL 3) and RFC 8996 (TLS 1.0, 1.1), in lower case."""

WEAK: tuple[tuple[str, frozenset[str]], ...] = (
    ("RC4", frozenset({"RC4"})),
    ("RC2", frozenset({"RC2"})),
    ("DES", frozenset({"DES", "DES40"})),
    ("3DES", frozenset({"3DES", "CBC3"})),
    ("MD5", frozenset({"MD5"})),
    ("NULL", frozenset({"NULL"})),
    ("EXPORT", frozenset({"EXP", "EXP56", "EXP1024", "EXPORT", "EXPORT40", "EXPORT1024"})),
    ("anonymous", frozenset({"ADH", "AECDH", "ANON"})),
)
"""Weaknesses of ciphers, and the parts of OpenSSL and IANA names that show them. Sources: RFC 7465, RFC 9325."""

WEAK_PARTS: tuple[str, ...] = tuple(sorted(frozenset().union(*(parts for _, parts in WEAK))))
"""All parts of a name that show a weakness."""

_FORWARD_SECRET = frozenset({"ECDHE", "EECDH", "DHE", "EDH", "ADH", "AECDH", "ANON"})
_BULK = re.compile(r"(?:AES|CAMELLIA|ARIA|DES)\d*|CHACHA20|SEED|IDEA|3DES|CBC3|RC[24]|NULL", re.ASCII)


def is_deprecated(version: str) -> bool:
    """Tell whether a protocol, as logged, is one of DEPRECATED."""
    return version.lower() in DEPRECATED


def weaknesses(cipher: str) -> list[str]:
    """Return the weaknesses of a cipher, by its name alone: `RC4-MD5` gives `["RC4", "MD5"]`."""
    parts = set(re.split(r"[-_]", cipher.upper()))
    found = [name for name, words in WEAK if parts & words]
    if "3DES" in found and "DES" in found:
        found.remove("DES")  # DES-CBC3 is 3DES
    return found


def lacks_forward_secrecy(cipher: str) -> bool:
    """Tell whether a cipher's name shows that its key exchange has no forward secrecy; False if the name does not say."""
    name = cipher.upper()
    parts = re.split(r"[-_]", name)
    if name.startswith("TLS_") and "WITH" not in parts:
        return False  # TLS 1.3 always has it
    return not _FORWARD_SECRET.intersection(parts) and any(_BULK.fullmatch(part) for part in parts)
