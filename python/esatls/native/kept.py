"""Facts that the core keeps, and how they get from Python to the core and back."""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING

from esatls.compiled import module
from esatls.extraction.fact_types import CODE, FACT_TYPES, KEY, TIME
from esatls.native.core import CODES, FOR_PYTHON, Plan, answer, is_time, new_core, to_bytes
from esatls.native.told import is_canonical
from esatls.verdicts.facts import Facts
from esatls.verdicts.hosts import appliances

if TYPE_CHECKING:
    from esatls.extraction.match import Spec

_BESIDE = 2
"""The core needs as much for where facts are as for the facts that it keeps in memory."""
_LONGEST = 8_000
"""Characters of the values of a fact: more are not for the core."""


def facts() -> Facts:
    """Return facts that are empty; they are kept in the core, where it is there."""
    return Facts() if module() is None else NativeFacts()


class NativeFacts(Facts):
    """Facts of which those of ordinary lines are in the core, until they are asked for."""

    __slots__ = ("core", "keys", "odd")

    def __init__(self, limit: int | None = None) -> None:
        """Keep at most so many bytes of facts in memory; others are in a file, which has no name and goes away with them."""
        super().__init__()
        self.core = new_core(_plan_of_fact)
        if limit is not None and os.name == "posix":
            with tempfile.NamedTemporaryFile(prefix="esatls-") as file:
                self.core.limit(limit // _BESIDE, file.name)
        self.odd = 0
        """How many messages and connections the core has left to Python."""
        self.keys: dict[str, int] = {}
        """The number of each appliance in the core, by its key."""

    def absorb(self, other: NativeFacts) -> None:
        """Add the facts of another part of the log. The other must not be used afterwards."""
        self.core.absorb(other.core, [self.keys.setdefault(key, len(self.keys)) for key in other.keys])
        self.merge(other)


def _plan_of_fact(spec: Spec) -> Plan:
    if spec.kind == "consolidated_event":
        return FOR_PYTHON
    store, code, groups = spec.fact
    return ((), (0, 0)) if store < 0 else (groups, (store, CODES.index(code)))


def drained(known: Facts) -> Facts:
    """Return facts with those that the core keeps; it keeps them no longer."""
    if isinstance(known, NativeFacts):
        share = dict[str, str]().setdefault
        for host, number in known.keys.items():
            for store, into in enumerate(known.stores(host)):
                for key in known.core.keys(number, store):
                    told = [(*fact[:KEY], *map(share, fact[KEY:], fact[KEY:])) for fact in known.core.facts(number, store, key)]
                    into.setdefault(str(key), []).extend(told)
        known.core.clear()
    return known


def is_judging(known: NativeFacts, *, connections: bool = True) -> bool:
    """Have the core judge messages, and connections; tell whether it can. Where it cannot, the facts are all Python's (`drained`)."""
    names = appliances([*known.hosts, *known.keys])
    can = not known.has_witnesses and all(name == key for key, name in names.items()) and _given_back(known)
    if can and not (known.core.is_odd and connections):
        return True
    drained(known)
    return False


def _given_back(known: NativeFacts) -> bool:
    """Give the core the facts that Python has read; tell whether it has taken all."""
    codes = {code: number for number, code in enumerate(CODES)}
    for stores in known.hosts.values():
        for store in stores:
            for facts in store.values():
                for fact in facts:
                    if not is_time(fact[TIME]) or len(fact) != len(FACT_TYPES[fact[CODE]]._fields) - 1:
                        return False
                    if not is_canonical(fact[KEY]) or sum(len(value) for value in fact[KEY + 1 :] if value) > _LONGEST:
                        return False
    for host, stores in known.hosts.items():
        number = known.keys.setdefault(host, len(known.keys))
        for place, store in enumerate(stores):
            told = [
                (codes[fact[CODE]], fact[TIME], int(fact[KEY]), [None if value is None else to_bytes(value) for value in fact[KEY + 1 :]])
                for facts in store.values()
                for fact in facts
            ]
            answer(known.core.put, number, place, told)
    known.hosts = {}
    return True
