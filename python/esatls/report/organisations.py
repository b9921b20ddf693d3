"""Host names -> the organisation that they belong to: the registrable domain, by the Public Suffix List."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList


@lru_cache(maxsize=1)
def _suffixes() -> PublicSuffixList:
    from importlib.resources import files

    from publicsuffixlist import PublicSuffixList

    # not as the package opens it: it may be in a zip
    with files("publicsuffixlist").joinpath("public_suffix_list.dat").open(encoding="utf-8") as rules:
        return PublicSuffixList(rules)


def organisation(name: str) -> str:
    """Return the registrable domain of a name as `count.partner_name` has it; an address, and a name without one, is its own."""
    if ":" in name or name.rpartition(".")[2].isdigit():
        return name
    return _suffixes().privatesuffix(name) or name
