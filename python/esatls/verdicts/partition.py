"""The messages that one process can judge alone, and those that several have seen a part of.

A log is cut into shares. A message is its share's own if no other share names it, its connections, or the
messages it was made from. The facts of all others, few in a log in order, are brought together and judged once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from esatls.extraction.fact_types import CODE, DELIVERY, KEY, MAKES, MESSAGES, RECEIVING, Lineage
from esatls.verdicts.appliance import Appliance
from esatls.verdicts.facts import Facts, Store, bears_witness, refs
from esatls.verdicts.records import messages_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from esatls.verdicts.records import MessageRecord

Ids = dict[str, tuple[list[str], list[str], list[str]]]
"""By appliance: ICIDs, DCIDs and MIDs that a share names."""
Common = dict[str, tuple[tuple[Store, Store, Store], tuple[Store, Store], list[str]]]
"""By appliance: facts, uses of the connections, and the MIDs to be judged."""


class Share:
    """The facts of one share."""

    def __init__(self, facts: Facts) -> None:
        self.appliances = {host: Appliance(host, stores, has_witnesses=facts.has_witnesses) for host, stores in facts.hosts.items()}
        self.children: dict[str, dict[str, list[str]]] = {}
        """By appliance and MID: the messages made from it."""
        self.common: Common = {}
        self._skip: dict[str, set[str]] = {}
        for host, appliance in self.appliances.items():
            children = self.children[host] = {}
            for mid, known in appliance.stores[MESSAGES].items():
                for fact in known:
                    if fact[CODE] in MAKES:
                        children.setdefault(Lineage(*fact).parent_mid or "", []).append(mid)

    def ids(self) -> Ids:
        """Return every id that this share names."""
        return {
            host: (
                [*(appliance.stores[RECEIVING].keys() | appliance.uses[RECEIVING].keys())],
                [*(appliance.stores[DELIVERY].keys() | appliance.uses[DELIVERY].keys())],
                [*(appliance.stores[MESSAGES].keys() | self.children[host].keys())],
            )
            for host, appliance in self.appliances.items()
        }

    def know(self, shared: Ids) -> None:
        """Take the ids that several shares name: set `common` to what must be brought together."""
        for host, appliance in self.appliances.items():
            icids, dcids, mids = shared.get(host, ((), (), ()))
            judged = self._concerned(appliance, icids, dcids, mids)
            self._skip[host] = judged
            stores: tuple[Store, Store, Store] = ({}, {}, {})
            uses: tuple[Store, Store] = ({}, {})
            todo, done = [*judged, *(mid for mid in mids)], set[str]()
            while todo:
                mid = todo.pop()
                facts = appliance.stores[MESSAGES].get(mid)
                if mid in done or facts is None:
                    continue
                done.add(mid)
                stores[MESSAGES][mid] = facts
                for fact in facts:
                    for store, key in refs(fact):
                        if store == MESSAGES:
                            todo.append(key)
                        else:
                            self._take_connection(appliance, store, key, stores, uses)
            for side, keys in ((RECEIVING, icids), (DELIVERY, dcids)):
                for key in keys:
                    self._take_connection(appliance, side, key, stores, uses)
            self.common[host] = (stores, uses, [*judged])

    def _concerned(self, appliance: Appliance, icids: Iterable[str], dcids: Iterable[str], mids: Iterable[str]) -> set[str]:
        """Return the messages that shared ids touch, and all that were made from them."""
        todo = [*mids]
        for side, keys in ((RECEIVING, icids), (DELIVERY, dcids)):
            for key in keys:
                todo += [fact[KEY] for fact in appliance.uses[side].get(key, ())]
        children, found = self.children[appliance.host], set[str]()
        while todo:
            mid = todo.pop()
            if mid not in found:
                found.add(mid)
                todo += children.get(mid, ())
        return found & appliance.stores[MESSAGES].keys()

    @staticmethod
    def _take_connection(appliance: Appliance, side: int, key: str, stores: tuple[Store, Store, Store], uses: tuple[Store, Store]) -> None:
        if key in uses[side] or key in stores[side]:
            return
        if key in appliance.stores[side]:
            stores[side][key] = appliance.stores[side][key]
        uses[side][key] = appliance.uses[side].get(key, [])

    def own(self) -> Iterator[tuple[str, int, MessageRecord]]:
        """Yield appliance, MID and record of every message that this share judges alone."""
        for host in sorted(self.appliances):
            for mid, record in messages_of(self.appliances[host], skip=self._skip[host]):
                yield host, mid, record


def seen_twice(shares: Iterable[Ids]) -> Ids:
    """Return the ids that more than one share names."""
    once: dict[tuple[str, int], set[str]] = {}
    twice: dict[tuple[str, int], set[str]] = {}
    for ids in shares:
        for host, kinds in ids.items():
            for kind, keys in enumerate(kinds):
                known = once.setdefault((host, kind), set())
                own = set(keys)
                twice.setdefault((host, kind), set()).update(known & own)
                known |= own
    hosts = {host for host, _ in once}
    return {host: tuple([*twice.get((host, kind), ())] for kind in range(3)) for host in hosts}  # type: ignore[misc]


def judged_together(parts: Iterable[Common]) -> Iterator[tuple[str, int, MessageRecord]]:
    """Yield appliance, MID and record of the messages that several shares have seen a part of."""
    facts, uses, judged = Facts(), dict[str, tuple[Store, Store]](), dict[str, set[str]]()
    for part in parts:
        for host, (stores, theirs, mids) in part.items():
            more = Facts()
            more.hosts = {host: stores}
            facts.merge(more)
            judged.setdefault(host, set()).update(mids)
            for mine, other in zip(uses.setdefault(host, ({}, {})), theirs):
                for key, known in other.items():
                    mine.setdefault(key, []).extend(known)
    has_witnesses = any(bears_witness(fact) for stores in facts.hosts.values() for store in stores for known in store.values() for fact in known)
    for host in sorted(facts.hosts):
        appliance = Appliance(host, facts.hosts[host], has_witnesses=has_witnesses)
        for mine, other in zip(appliance.uses, uses[host]):
            for key, known in other.items():
                # uses by messages whose facts stayed where they are
                mine[key] = list({*mine.get(key, ()), *known})
        for mid, record in messages_of(appliance, only=judged[host]):
            yield host, mid, record
