"""What one process can judge alone, and what several processes have seen a part of.

A log is cut into shares. A connection is a share's own if no other share names it; a message is its own if no other share names it, its connections, or the
messages it was made from. A connection with messages that are nobody's own is judged together with these. The facts of all that is nobody's own, which are
few in a log in order, are brought together and judged once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from esatls.extraction.fact_types import DELIVERY, MESSAGES, RECEIVING
from esatls.verdicts.appliance import Appliance
from esatls.verdicts.closure import Judged, Stores, together, with_descendants
from esatls.verdicts.facts import Facts, have_witnesses

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from esatls.verdicts.contradictions import Contradictions
    from esatls.verdicts.facts import Ref

Ids = dict[str, tuple[list[str], list[str], list[str]]]
"""By appliance: ICIDs, DCIDs and MIDs."""
Common = dict[str, tuple[Stores, tuple[list[str], list[str], list[str]]]]
"""By appliance: facts, and the ICIDs, DCIDs and MIDs to be judged by them."""


class Portion:
    """Connections and messages that are judged in one place, which has all their facts."""

    def __init__(self, appliances: Iterable[Appliance], ids: Mapping[str, Sequence[Iterable[str]]], *, others: bool = False) -> None:
        """Choose those with these `ids`, by appliance, or all `others`."""
        self._appliances = sorted(appliances, key=lambda one: one.host)
        self._ids = {host: tuple(frozenset(keys) for keys in kinds) for host, kinds in ids.items()}
        self._others = others

    def messages(self, contradictions: Contradictions) -> Iterator[tuple[Appliance, set[str]]]:
        """Yield appliances, and the MIDs to be judged. The contradictions of one appliance are added when the next one is asked for."""
        for appliance in self._appliances:
            yield appliance, {*self._chosen(appliance, MESSAGES, appliance.stores[MESSAGES])}
            self._look(appliance, contradictions)

    def connections(self, contradictions: Contradictions) -> Iterator[tuple[Appliance, list[Ref]]]:
        """Yield appliances, and the connections to be judged. Contradictions are added as in `messages`."""
        for appliance in self._appliances:
            yield appliance, [(side, key) for side in (RECEIVING, DELIVERY) for key in self._chosen(appliance, side, appliance.ids(side))]
            self._look(appliance, contradictions)

    def _chosen(self, appliance: Appliance, store: int, ids: Iterable[str]) -> list[str]:
        named, others = self._ids[appliance.host][store], self._others
        return [key for key in ids if (key in named) != others]

    def _look(self, appliance: Appliance, contradictions: Contradictions) -> None:
        """Add the contradictions of the ids that are judged here."""
        for store, key in appliance.taken_again():
            if self._chosen(appliance, store, (key,)):
                contradictions.look_at(appliance.host, store, key, appliance.stores[store].get(key, ()))


class Share:
    """The facts of one share."""

    def __init__(self, facts: Facts) -> None:
        self.known = {host: Judged(Appliance(host, stores, has_witnesses=facts.has_witnesses)) for host, stores in facts.hosts.items()}

    def ids(self) -> Ids:
        """Return every id that this share names."""
        return {
            host: (
                [*known.ids(RECEIVING)],
                [*known.ids(DELIVERY)],
                [*(known.appliance.stores[MESSAGES].keys() | known.made.keys())],
            )
            for host, known in self.known.items()
        }

    def common(self, shared: Ids) -> Common:
        """Return what must be brought together, given the ids that several shares name."""
        return {host: _common(known, *shared.get(host, ((), (), ()))) for host, known in self.known.items()}

    def own(self, common: Common) -> Portion:
        """Return what this share judges alone."""
        return Portion((known.appliance for known in self.known.values()), {host: ids for host, (_, ids) in common.items()}, others=True)


def _common(known: Judged, icids: Iterable[str], dcids: Iterable[str], mids: Iterable[str]) -> tuple[Stores, tuple[list[str], list[str], list[str]]]:
    connections = {*((RECEIVING, key) for key in icids), *((DELIVERY, key) for key in dcids)}
    on_them = [mid for ref in connections for mid in known.users(*ref)]
    messages = with_descendants(known, [*mids, *on_them])
    connections |= {ref for mid in messages for ref in known.names(mid) if ref[0] != MESSAGES}
    stores = together(known, messages, connections)
    return stores, ([key for side, key in connections if side == RECEIVING], [key for side, key in connections if side == DELIVERY], [*messages])


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


def together_of(parts: Iterable[Common]) -> Portion:
    """Return what several shares have seen a part of, as one portion."""
    facts = Facts()
    ids: dict[str, tuple[set[str], set[str], set[str]]] = {}
    for part in parts:
        for host, (stores, theirs) in part.items():
            more = Facts()
            more.hosts = {host: stores}
            facts.merge(more)
            for known, keys in zip(ids.setdefault(host, (set(), set(), set())), theirs):
                known.update(keys)
    has_witnesses = any(map(have_witnesses, facts.hosts.values()))
    return Portion((Appliance(host, stores, has_witnesses=has_witnesses) for host, stores in facts.hosts.items()), ids)
