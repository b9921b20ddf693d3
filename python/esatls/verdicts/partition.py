"""The messages that one process can judge alone, and those that several have seen a part of.

A log is cut into shares. A message is its share's own if no other share names it, its connections, or the
messages it was made from. The facts of all others, few in a log in order, are brought together and judged once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from esatls.extraction.fact_types import DELIVERY, MESSAGES, RECEIVING
from esatls.verdicts.appliance import Appliance
from esatls.verdicts.closure import Judged, Stores, together, with_descendants
from esatls.verdicts.facts import Facts, bears_witness
from esatls.verdicts.records import messages_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from esatls.verdicts.contradictions import Contradictions
    from esatls.verdicts.record_types import MessageRecord

Ids = dict[str, tuple[list[str], list[str], list[str]]]
"""By appliance: ICIDs, DCIDs and MIDs that a share names."""
Common = dict[str, tuple[Stores, list[str]]]
"""By appliance: facts, and the MIDs to be judged."""


class Share:
    """The facts of one share."""

    def __init__(self, facts: Facts) -> None:
        self.known = {host: Judged(Appliance(host, stores, has_witnesses=facts.has_witnesses)) for host, stores in facts.hosts.items()}
        self.common: Common = {}
        self._skip: dict[str, set[str]] = {}

    def ids(self) -> Ids:
        """Return every id that this share names."""
        return {
            host: (
                [*(known.appliance.stores[RECEIVING].keys() | known.appliance.uses[RECEIVING].keys())],
                [*(known.appliance.stores[DELIVERY].keys() | known.appliance.uses[DELIVERY].keys())],
                [*(known.appliance.stores[MESSAGES].keys() | known.made.keys())],
            )
            for host, known in self.known.items()
        }

    def know(self, shared: Ids) -> None:
        """Take the ids that several shares name: set `common` to what must be brought together."""
        for host, known in self.known.items():
            icids, dcids, mids = shared.get(host, ((), (), ()))
            connections = [*((RECEIVING, key) for key in icids), *((DELIVERY, key) for key in dcids)]
            touched = [mid for ref in connections for mid in known.users(*ref)]
            judged = self._skip[host] = with_descendants(known, [*mids, *touched]) & known.appliance.stores[MESSAGES].keys()
            self.common[host] = (together(known, [*judged, *mids], connections), [*judged])

    def own(self) -> Iterator[tuple[str, int, MessageRecord]]:
        """Yield appliance, MID and record of every message that this share judges alone."""
        for host in sorted(self.known):
            for mid, record in messages_of(self.known[host].appliance, skip=self._skip[host]):
                yield host, mid, record

    def look(self, contradictions: Contradictions) -> None:
        """Add what shows in the facts of this share, once its records were made."""
        for known in self.known.values():
            contradictions.look(known.appliance)


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


def judged_together(parts: Iterable[Common], contradictions: Contradictions | None = None) -> Iterator[tuple[str, int, MessageRecord]]:
    """Yield appliance, MID and record of the messages that several shares have seen a part of; add what shows of contradictions."""
    facts, judged = Facts(), dict[str, set[str]]()
    for part in parts:
        for host, (stores, mids) in part.items():
            more = Facts()
            more.hosts = {host: stores}
            facts.merge(more)
            judged.setdefault(host, set()).update(mids)
    has_witnesses = any(bears_witness(fact) for stores in facts.hosts.values() for store in stores for known in store.values() for fact in known)
    for host in sorted(facts.hosts):
        appliance = Appliance(host, facts.hosts[host], has_witnesses=has_witnesses)
        for mid, record in messages_of(appliance, only=judged[host]):
            yield host, mid, record
        if contradictions is not None:
            contradictions.look(appliance)
