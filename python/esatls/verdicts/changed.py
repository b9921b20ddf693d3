"""What must be judged again when new lines have come in, from facts that are fetched by id.

A store with the events of months is asked for the facts of a few ids: those that the new lines name, and those that must be together with them
(`closure`). An id that was used several times comes with the facts of all its lives, but only the lives in question lead on to other ids. Otherwise a
counter reset would lead from everything to everything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from esatls.extraction.fact_types import CODE, DELIVERY, KEY, MAKES, MESSAGES, PARENT, RECEIVING, TIME
from esatls.verdicts.appliance import Appliance
from esatls.verdicts.closure import Judged, Own, decisive, own_connections, own_messages, together, with_descendants
from esatls.verdicts.facts import Facts, Ref, have_witnesses, refs
from esatls.verdicts.lives import in_question, life_at
from esatls.verdicts.records import connection_record, message_record, times_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from esatls.extraction.fact_types import Fact
    from esatls.lines.clock import Time
    from esatls.verdicts.closure import Known, Stores
    from esatls.verdicts.contradictions import Contradictions
    from esatls.verdicts.record_types import ConnectionRecord, MessageRecord


class Life(NamedTuple):
    """One life of an id: its record, and the first and the last time at which something is known of it.

    It has no record if what is known of it shows nothing any more: a message that names it was made from another one.
    """

    ref: Ref
    record: MessageRecord | ConnectionRecord | None
    first: Time | None
    last: Time | None


def touched(known: Known, changed: Iterable[Ref]) -> tuple[set[str], set[Ref]]:
    """Return the messages and the connections whose records may change, because some ids have new facts."""
    changed = {*changed}
    mids = with_descendants(known, (key for store, key in changed if store == MESSAGES))
    connections = {ref for ref in changed if ref[0] != MESSAGES} | _over(known, mids)
    users = {side: {mid for one, key in connections if one == side for mid in known.users(one, key)} for side in (RECEIVING, DELIVERY)}
    # how a message was received is passed on to those made from it, and decides the mail flow of the connections over which it leaves
    heirs = with_descendants(known, users[RECEIVING])
    return mids | heirs | users[DELIVERY], connections | _over(known, heirs)


def _over(known: Known, mids: Iterable[str]) -> set[Ref]:
    """Return the connections that messages name."""
    return {ref for mid in mids for ref in known.names(mid) if ref[0] != MESSAGES}


def judge_again(host: str, changed: Collection[Ref], fetch: Callable[[set[Ref]], Stores], contradictions: Contradictions | None = None) -> list[Life]:
    """Return the lives of one appliance whose records may change, because some ids have new facts: all lives of these ids, and those that depend on them.

    `fetch` gets ids and returns all facts that are about them or name them. Contradictions that are found are added to `contradictions`.
    """
    changed = {ref for ref in changed if ref[0] == MESSAGES or ref[1] != "0"}
    gathered = _Gathered(host, changed)
    while True:
        mids, connections = touched(gathered, changed)
        stores = together(gathered, mids, connections)
        if gathered.missing:
            gathered.take(fetch(gathered.missing))
        elif not gathered.has_grown:
            break
        gathered.begin()
    stores[MESSAGES].update(gathered.of_other_lives(stores, connections))
    own: Own = {(host, *ref): gathered.times[ref] for ref in (*((MESSAGES, mid) for mid in mids), *connections) if ref in gathered.times}
    appliance = Appliance(host, stores, has_witnesses=gathered.appliance.has_witnesses)
    found = [*_lives(gathered, appliance, own, mids, connections)]
    found += _without_record(gathered, connections, found)
    if contradictions is not None:
        contradictions.look(appliance, gathered.facts)
    return found


def _lives(gathered: _Gathered, appliance: Appliance, own: Own, mids: Iterable[str], connections: Iterable[Ref]) -> Iterator[Life]:
    for mid, message in own_messages(appliance, own, mids):
        yield Life((MESSAGES, mid), message_record(appliance, message), message.first, message.last)
    for (side, key), connection in own_connections(appliance, own, connections):
        times = times_of(connection)
        stated = [fact[TIME] for fact in gathered.stated[side].get(key, ()) if appliance.connection(side, key, fact[TIME]) is connection]
        last = max((*times, *(time for time in stated if time is not None)), default=None)
        yield Life((side, key), connection_record(appliance, key, connection), min(times, default=None), last)


def _without_record(gathered: _Gathered, connections: Iterable[Ref], found: Iterable[Life]) -> Iterator[Life]:
    """Yield the times at which connections are named, but in none of the lives that were found."""
    spans: dict[Ref, list[tuple[Time, Time]]] = {ref: [] for ref in connections}
    for life in found:
        if life.ref in spans and life.first is not None and life.last is not None:
            spans[life.ref].append((life.first, life.last))
    for ref, lives in spans.items():
        for time in gathered.times.get(ref, ()):
            if time is not None and not any(first <= time <= last for first, last in lives):
                yield Life(ref, None, time, time)


class _Gathered(Judged):
    """What has been fetched of one appliance; an id that is asked for but was not fetched is noted as missing."""

    def __init__(self, host: str, changed: Collection[Ref]) -> None:
        super().__init__(Appliance(host, ({}, {}, {})))
        self.missing: set[Ref] = {*changed}
        self.times: dict[Ref, set[Time | None]] = {}
        """By id: times in the lives in question."""
        self.has_grown = False
        self._changed = changed
        self._here: set[Ref] = set()

    def take(self, fetched: Stores) -> None:
        """Add what was fetched for all missing ids."""
        self._here |= self.missing
        facts = Facts()
        facts.hosts = {"": self.appliance.stores}
        other = Facts()
        other.hosts = {"": fetched}
        facts.merge(other)
        has_witnesses = self.appliance.has_witnesses or have_witnesses(fetched)
        super().__init__(Appliance(self.appliance.host, facts.hosts[""], has_witnesses=has_witnesses))
        for side, key in self._changed:
            # every life of an id with new lines, which may split one life or join two
            known = self.appliance.stores[side].get(key, ())
            uses = () if side == MESSAGES else self.appliance.uses[side].get(key, ())
            self.times.setdefault((side, key), set()).update(fact[TIME] for fact in (*known, *uses))

    def begin(self) -> None:
        """Begin another round of questions."""
        self.missing = set()
        self.has_grown = False

    def facts(self, store: int, key: str) -> Collection[Fact]:
        """Return the facts of an id."""
        if (store, key) not in self._here:
            self.missing.add((store, key))
        return super().facts(store, key)

    def names(self, mid: str) -> Iterable[Ref]:
        """Return what a message names in the lives in question."""
        begins, wanted = self._lives_of_message(mid)
        found = set()
        for fact in self.facts(MESSAGES, mid):
            if life_at(begins, fact[TIME]) in wanted:
                for ref in refs(fact):
                    self._ask(ref, fact[TIME])
                    found.add(ref)
        return found

    def users(self, side: int, key: str) -> Iterable[str]:
        """Return the messages that name a connection in the lives in question."""
        found = {use[KEY] for use in self._uses(side, key)}
        if key in self.stated[side]:
            begins, wanted = self._lives_of_connection(side, key)
            for event in self.stated[side][key]:
                if life_at(begins, event[TIME]) in wanted:
                    self._ask((MESSAGES, event[KEY]), event[TIME])
                    found.add(event[KEY])
        return found

    def beside(self, side: int, key: str) -> dict[str, Collection[Fact]]:
        """Return the facts of the messages that matter to the others on a connection, in the lives in question."""
        return {use[KEY]: self.facts(MESSAGES, use[KEY]) for use in decisive(self._uses(side, key), self.appliance.connections_of(side, key)[0])}

    def children(self, mid: str) -> Iterable[str]:
        """Return the messages that were made from one in the lives in question."""
        self.facts(MESSAGES, mid)
        begins, wanted = self._lives_of_message(mid)
        found = set()
        for child in self.made.get(mid, ()):
            for fact in self.appliance.stores[MESSAGES][child]:
                # a message that a quarantine releases may be made from an earlier life
                if fact[CODE] in MAKES and fact[PARENT] == mid and (fact[CODE] == "released" or life_at(begins, fact[TIME]) in wanted):
                    self._ask((MESSAGES, child), fact[TIME])
                    found.add(child)
        return found

    def of_other_lives(self, stores: Stores, connections: Iterable[Ref]) -> dict[str, list[Fact]]:
        """Return, of messages that are not among some facts, those that keep the lives of connections apart: such a life may have no lines of its own."""
        found: dict[str, list[Fact]] = {}
        for side, key in {*connections, *((store, known) for store in (RECEIVING, DELIVERY) for known in stores[store])}:
            begins = self.appliance.connections_of(side, key)[0]
            for use in decisive(self.appliance.uses[side].get(key, ()), begins) if begins else ():
                if use[KEY] not in stores[MESSAGES]:
                    # the code of a use may say that its message was given up
                    found.setdefault(use[KEY], []).extend(fact for fact in self.appliance.stores[MESSAGES][use[KEY]] if fact[TIME:] == use[TIME:])
        return found

    def _ask(self, ref: Ref, time: Time | None) -> None:
        """Note that the life of an id at a time is in question."""
        times = self.times.setdefault(ref, set())
        if time not in times:
            times.add(time)
            self.has_grown = True

    def _lives_of_message(self, mid: str) -> tuple[list[Time], set[int]]:
        begins, found = self.appliance.messages_of(mid)
        wanted = in_question(begins, self.times.get((MESSAGES, mid), ()))
        return begins, wanted | {life for life, message in found.items() if message.quarantined}

    def _lives_of_connection(self, side: int, key: str) -> tuple[list[Time], set[int]]:
        begins = self.appliance.connections_of(side, key)[0]
        return begins, in_question(begins, self.times.get((side, key), ()))

    def _uses(self, side: int, key: str) -> list[Fact]:
        self.facts(side, key)
        found = self.appliance.connections_of(side, key)[1]
        uses = [use for life in self._lives_of_connection(side, key)[1] & found.keys() for use in found[life].uses]
        for use in uses:
            self._ask((MESSAGES, use[KEY]), use[TIME])
        return uses
