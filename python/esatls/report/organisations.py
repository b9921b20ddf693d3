"""Host names -> the organisation that they belong to: the registrable domain, by the Public Suffix List."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_MOST_LABELS = 16
"""Parts of a name that are looked at: no rule has half as many."""


def organisations(names: Iterable[str]) -> dict[str, str]:
    """Return the registrable domain of each name as `count.partner_name` has it; an address, and a name without one, is its own."""
    from publicsuffixlist import PublicSuffixList

    names = [*names]
    # to read all ten thousand rules takes longer than to use them
    rules = _rules({ending for name in names for ending in _endings(name)})
    suffixes = PublicSuffixList(rules, accept_encoded_idn=not all(map(str.isascii, rules)))
    return {name: name if _is_address(name) else suffixes.privatesuffix(name) or name for name in names}


def _is_address(name: str) -> bool:
    return ":" in name or name.rpartition(".")[2].isdigit()


def _rules(endings: set[str]) -> list[str]:
    """Return the rules about some names."""
    from pkgutil import get_data

    # not as the package opens it: it may be in a zip; and as bytes: to make text of all its lines takes longer than to look them up
    lines = (get_data("publicsuffixlist", "public_suffix_list.dat") or b"").splitlines()
    wanted = {(mark + ending).encode("utf-8", "replace") for ending in endings for mark in ("", "*.", "!")}
    return [rule.decode() for rule in wanted.intersection(lines)]


def _endings(name: str) -> Iterator[str]:
    """Yield what a rule may be about: what stands behind each of the last dots of a name, and a short name itself, also in the letters that the list has."""
    labels = name.split(".")[-_MOST_LABELS:]
    for at in range(len(labels)):
        ending = ".".join(labels[at:])
        yield ending
        if "xn--" in ending:
            with suppress(ValueError):  # UnicodeError among them
                yield ending.encode("ascii").decode("idna")
