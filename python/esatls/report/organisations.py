"""Host names -> the organisation that they belong to: the registrable domain, by the Public Suffix List."""

from __future__ import annotations

from pkgutil import get_data
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def organisations(names: Iterable[str]) -> dict[str, str]:
    """Return the registrable domain of each name as `count.partner_name` has it; an address, and a name without one, is its own."""
    from publicsuffixlist import PublicSuffixList

    names = [*names]
    # to read all ten thousand rules takes longer than to use them
    suffixes = PublicSuffixList(_rules({form for name in names for form in _forms(name.rpartition(".")[2])}))
    return {name: name if _is_address(name) else suffixes.privatesuffix(name) or name for name in names}


def _is_address(name: str) -> bool:
    return ":" in name or name.rpartition(".")[2].isdigit()


def _rules(tops: set[str]) -> list[str]:
    """Return the rules of some top-level domains."""
    # not as the package opens it: it may be in a zip
    text = (get_data("publicsuffixlist", "public_suffix_list.dat") or b"").decode()
    rules = [line.partition(" ")[0].rstrip() for line in text.split("\n")]
    return [rule for rule in rules if rule.rpartition(".")[2].lower() in tops]


def _forms(label: str) -> Iterator[str]:
    """Yield a label as it is, and in the letters that the list has."""
    yield label
    if label.startswith("xn--"):
        try:
            yield label.encode("ascii").decode("idna")
        except ValueError:  # UnicodeError among them
            return
