"""The facts that the core keeps, and how facts get from Python to the core and back."""

from __future__ import annotations

import itertools
import struct
from typing import TYPE_CHECKING

from esatls.compiled import module
from esatls.extraction.fact_types import CODE, DELIVERY, FACT_TYPES, KEY, MESSAGES, RECEIVING, TIME
from esatls.native.core import CODES, FOR_PYTHON, Plan, answer, is_time, new_core, to_bytes
from esatls.native.told import KIND, is_canonical
from esatls.verdicts.facts import Facts, refs
from esatls.verdicts.hosts import appliances

if TYPE_CHECKING:
    from esatls.extraction.match import Spec

_BESIDE = 2
"""The core needs as much memory for its index as for the facts that it keeps in memory."""
_OF_KEY = (1 << KIND) - 1
_LONGEST = 8_000
"""The most characters of all values of a fact that the core takes."""


def facts() -> Facts:
    """Return empty facts, which the core keeps if it is installed."""
    return Facts() if module() is None else NativeFacts()


class NativeFacts(Facts):
    """Facts of which the core keeps those of ordinary lines, until they are asked for."""

    __slots__ = ("core", "is_odd", "keys", "odd")

    def __init__(self, limit: int | None = None) -> None:
        """Keep at most `limit` bytes of facts in memory."""
        super().__init__()
        self.core = new_core(_plan_of_fact) if limit is None else new_core(_plan_of_fact, limit // _BESIDE)
        self.odd = 0
        """How many messages and connections the core has left to Python."""
        self.is_odd = False
        """Whether a message names a connection by an id that is no plain number."""
        self.keys: set[str] = set()
        """The keys of the appliances whose lines the core has read."""

    def absorb(self, other: NativeFacts) -> None:
        """Add the facts of another part of the log. The other must not be used afterwards."""
        self.core.absorb(other.core)
        self.keys |= other.keys
        self.merge(other)


_numbers: dict[str, int] = {}
_NUMBER = itertools.count()


def first_store(key: str) -> int:
    """Return the number of an appliance's first store, by its key; it is the same in all cores."""
    return _numbers.setdefault(key, next(_NUMBER)) * len((RECEIVING, DELIVERY, MESSAGES))


def _plan_of_fact(spec: Spec) -> Plan:
    if spec.kind == "consolidated_event":
        return FOR_PYTHON
    store, code, groups = spec.fact
    return ((), (0, 0)) if store < 0 else (groups, (store, CODES.index(code)))


def drained(known: Facts) -> Facts:
    """Return all facts as Python's, those of the core too, which then keeps none."""
    if isinstance(known, NativeFacts):
        share = dict[str, str]().setdefault
        for host in sorted(known.keys):
            for kind, store in enumerate(known.stores(host)):
                own = first_store(host) + kind
                for (number,) in struct.iter_unpack("<Q", known.core.ids(first_store(host), [kind])):
                    key = number & _OF_KEY
                    if told := [(*fact[:KEY], *map(share, fact[KEY:], fact[KEY:])) for fact in known.core.of(own, key)]:
                        store.setdefault(str(key), []).extend(told)
        known.core, known.keys = new_core(_plan_of_fact), set()
    return known


def is_judging(known: NativeFacts, *, connections: bool = True) -> bool:
    """Give all facts to the core if it can judge messages (and connections), and tell whether it can; otherwise take them all back (`drained`)."""
    names = appliances([*known.hosts, *known.keys])
    can = not known.has_witnesses and all(name == key for key, name in names.items())
    known.is_odd = known.is_odd or _names_odd_ones(known)
    if can and not (connections and known.is_odd) and _given_back(known):
        return True
    drained(known)
    return False


def _names_odd_ones(known: NativeFacts) -> bool:
    """Tell whether a message names a connection by an id that is no plain number; Python has read its line."""
    facts = itertools.chain.from_iterable(facts for stores in known.hosts.values() for facts in stores[MESSAGES].values())
    return any(kind != MESSAGES and not is_canonical(key) for fact in facts for kind, key in refs(fact))


def _given_back(known: NativeFacts) -> bool:
    """Give the core the facts that Python has read, and tell whether it has taken them; it takes all or none."""
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
        known.keys.add(host)
        for kind, store in enumerate(stores):
            told = [
                (codes[fact[CODE]], fact[TIME], int(fact[KEY]), [None if value is None else to_bytes(value) for value in fact[KEY + 1 :]])
                for facts in store.values()
                for fact in facts
            ]
            answer(known.core.put, first_store(host) + kind, told)
    known.hosts = {}
    return True
