"""Host names -> the organisations that they belong to: the registrable domains, by the Public Suffix List."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_MOST_LABELS = 16
"""Labels of a name that are looked at; no rule has half as many."""


def organisations(names: Iterable[str]) -> dict[str, str]:
    """Return the registrable domain of each name from `partners.partner_name`; the name itself if it has none, and for an address."""
    from publicsuffixlist import PublicSuffixList

    names = [*names]
    # reading all ten thousand rules would take longer than using them
    rules = _rules({ending for name in names for ending in _endings(name)})
    suffixes = PublicSuffixList(rules, accept_encoded_idn=not all(map(str.isascii, rules)))
    return {name: name if _is_address(name) else suffixes.privatesuffix(name) or name for name in names}


def _is_address(name: str) -> bool:
    """Tell whether a name is an IP address, also as a literal of an email address (`[198.51.100.7]`)."""
    return ":" in name or name.rstrip("]").rpartition(".")[2].isdigit()


def _rules(endings: set[str]) -> list[str]:
    """Return the rules for these endings of names."""
    from pkgutil import get_data

    # not the way the package opens the list, which may be in a zip; and as bytes, as decoding all lines takes longer than looking them up
    lines = (get_data("publicsuffixlist", "public_suffix_list.dat") or b"").splitlines()
    wanted = {(mark + ending).encode("utf-8", "replace") for ending in endings for mark in ("", "*.", "!")}
    return [rule.decode() for rule in wanted.intersection(lines)]


def _endings(name: str) -> Iterator[str]:
    """Yield the endings of a name that a rule may be for, the longest first: the whole name, unless it is long. Those with `xn--` come in Unicode too."""
    labels = name.split(".")[-_MOST_LABELS:]
    for at in range(len(labels)):
        ending = ".".join(labels[at:])
        yield ending
        if "xn--" in ending:
            with suppress(ValueError):  # UnicodeError among them
                yield ending.encode("ascii").decode("idna")
