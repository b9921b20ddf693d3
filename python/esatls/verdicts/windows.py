"""Time windows: what is over within one is judged once and for all, by the window's facts alone.

What goes on is carried: its facts, and those that are needed beside them (`closure`). The carried facts of many windows are merged, and judged in the same
way over a longer window, or to the end:

    hours = [close(Carried.of(facts_of(hour)), hour) for hour in day]
    rest = finish(merged(part.carried for part in hours))

Together this gives what one run over all facts gives, if windows are not much shorter than the time for which connections are open.

Some things never end: a line is lost, or nobody releases a message from its quarantine. With a `silence`, `close` also takes as over what the log has not
mentioned for so long. The result is the same as that of one run if the log is never silent for longer about something that still goes on.
"""

from __future__ import annotations

import functools
import json
import math
from typing import TYPE_CHECKING, NamedTuple

from esatls.extraction.fact_types import CODE, DELIVERY, MESSAGES, PARENT, RECEIVING, TIME
from esatls.verdicts.appliance import Appliance
from esatls.verdicts.closure import Judged, own_connections, own_messages, together, with_ancestors, with_descendants
from esatls.verdicts.facts import ENDS, GOES_ON, OPENS, Facts, Ref, Store, dump, last_move, refs
from esatls.verdicts.hosts import appliances
from esatls.verdicts.records import connection_record, message_record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from esatls.lines.clock import Time
    from esatls.verdicts.closure import Own, Stores
    from esatls.verdicts.record_types import ConnectionRecord, MessageRecord

LEAD = 10
"""Seconds from the beginning of a window to the first opening that counts: lines of the same second may have come before the window."""
TAIL = 60
"""Seconds for which a window must go on after the last line about what is over: lines may be late."""
AFTER_EVENT = 600
"""The same for messages and connections with a consolidated event: another one may come when everything else is over."""


class Window(NamedTuple):
    """A span of time: its first second, and the one after its last."""

    start: Time
    end: Time


class Carried:
    """Facts that are carried on: those of what is not judged yet, and those that are needed beside them.

    They are by key of their appliance (`hosts`): whether a serial number matters may only show when they are merged with others.
    """

    def __init__(self) -> None:
        self.facts = Facts()
        self.own: Own = {}

    @classmethod
    def of(cls, facts: Facts) -> Carried:
        """Return all facts of a part of a log, none of them judged before."""
        carried = cls()
        carried.facts = facts
        own = carried.own
        for host, stores in facts.hosts.items():
            for store, ids in enumerate(stores):
                for key, known in ids.items():
                    own.setdefault((host, store, key), set()).update(fact[TIME] for fact in known)
            for known in stores[MESSAGES].values():
                for fact in known:
                    for side, key in refs(fact):
                        if side != MESSAGES:
                            # some connections have no facts but those of messages that name them
                            own.setdefault((host, side, key), set()).add(fact[TIME])
        return carried

    def merge(self, other: Carried) -> None:
        """Add what another part carries. The other must not be used afterwards."""
        self.facts.merge(other.facts)
        for key, times in other.own.items():
            self.own.setdefault(key, set()).update(times)

    def settled(self) -> tuple[Facts, Own, dict[str, list[str]]]:
        """Return the facts and their own times by the names of their appliances, and the keys of each name."""
        names = appliances(self.facts.hosts)
        keys: dict[str, list[str]] = {}
        for key, name in names.items():
            keys.setdefault(name, []).append(key)
        if all(key == name for key, name in names.items()):
            return self.facts, self.own, keys
        own: Own = {}
        for (host, store, key), times in self.own.items():
            own.setdefault((names[host], store, key), set()).update(times)
        return self.facts.settled(), own, keys

    def dumps(self) -> list[str]:
        """Return lines of JSON, one per id: `[host, store, key, [fact, ...], [own time, ...]]`."""
        lines = []
        for host, stores in self.facts.hosts.items():
            for store, ids in enumerate(stores):
                keys = {*ids, *(key for name, number, key in self.own if (name, number) == (host, store))}
                lines += [dump((host, store, key, [*set(ids.get(key, ()))], [*self.own.get((host, store, key), ())])) for key in keys]
        return lines

    def loads(self, lines: Iterable[str]) -> None:
        """Merge lines that `dumps` wrote. Raises `ValueError` for any other line."""
        for line in lines:
            self._load(line)

    def _load(self, line: str) -> None:
        try:
            host, store, key, facts, own = json.loads(line)
            self.facts.at(host)
            if facts:
                self.facts.take_known(host, store, key, facts)
            if own:
                self.own.setdefault((host, store, key), set()).update(own)
        except (TypeError, LookupError, ValueError) as error:
            raise ValueError(f"not a row of carried facts: {line[:80]}") from error


class Closed(NamedTuple):
    """The result of closing a window."""

    messages: list[MessageRecord]
    connections: list[ConnectionRecord]
    carried: Carried


def close(carried: Carried, window: Window, silence: Time = math.inf) -> Closed:
    """Return the records of what is over within a window, and carry what goes on. What has no line in the last `silence` seconds is over, too."""
    closed = Closed([], [], Carried())
    closed.carried.facts.has_witnesses = carried.facts.has_witnesses
    settled, own, keys = carried.settled()
    for host in sorted(settled.hosts):
        part = _Part(Appliance(host, settled.hosts[host], has_witnesses=carried.facts.has_witnesses), own)
        part.judge(window, window.end - silence)
        closed.messages.extend(part.message_records(part.over))
        closed.connections.extend(part.connection_records(part.over_connections))
        part.carry(closed.carried, window.end - silence, carried, keys[host])
    return closed


def finish(carried: Carried) -> tuple[list[MessageRecord], list[ConnectionRecord]]:
    """Return the records of all messages and of all connections that are carried, whether they are over or not."""
    messages: list[MessageRecord] = []
    connections: list[ConnectionRecord] = []
    settled, own, _ = carried.settled()
    ids: dict[str, list[Ref]] = {}
    for host, store, key in own:
        ids.setdefault(host, []).append((store, key))
    for host in sorted(ids):
        stores = _connected(settled.hosts[host], ids[host])
        part = _Part(Appliance(host, stores, has_witnesses=carried.facts.has_witnesses), own)
        messages.extend(part.message_records(part.appliance.stores[MESSAGES]))
        connections.extend(part.connection_records((side, key) for side in (RECEIVING, DELIVERY) for key in part.appliance.ids(side)))
    return messages, connections


def _connected(stores: Stores, ids: Iterable[Ref]) -> Stores:
    """Return the facts of some ids and of all ids connected with them. Most facts that are carried for messages in a quarantine are not among these."""
    named: dict[Ref, list[Ref]] = {}
    for mid, facts in stores[MESSAGES].items():
        for ref in {ref for fact in facts for ref in refs(fact)}:
            named.setdefault(ref, []).append((MESSAGES, mid))
    found: set[Ref] = set()
    todo = [*ids]
    while todo:
        one = todo.pop()
        if one not in found:
            found.add(one)
            todo += named.get(one, ())
            if one[0] == MESSAGES:
                todo += [ref for fact in stores[MESSAGES].get(one[1], ()) for ref in refs(fact)]
    receiving, delivery, messages = ({key: facts for key, facts in store.items() if (number, key) in found} for number, store in enumerate(stores))
    return receiving, delivery, messages


class _Part:
    """One appliance within one window."""

    def __init__(self, appliance: Appliance, own: Own) -> None:
        self.appliance = appliance
        self.own = own
        self.known = Judged(appliance)
        self.over: set[str] = set()
        """Messages that are over."""
        self.over_connections: set[Ref] = set()

    def judge(self, window: Window, latest: Time) -> None:
        """Find out what is over. Something without a line since `latest` is over, too."""
        messages = self.appliance.stores[MESSAGES]
        sides = (RECEIVING, DELIVERY)
        complete = {(side, key) for side in sides for key in self.known.ids(side) if self._is_complete(side, key, window, latest)}
        finished = {mid for mid in messages if self._is_received(mid, window, complete, latest) and self._is_finished(mid, window, complete, latest)}
        # a later consolidated event of a message may tell more about how those made from it were received
        self.over = messages.keys() - with_descendants(self.known, messages.keys() - finished)
        quiet = functools.partial(self._is_silent, latest=max(latest, window.end - AFTER_EVENT))
        # a later consolidated event of a message may name the connection of the one it was made from
        going_on = with_ancestors(self.known, messages.keys() - self.over)
        self.over_connections = {
            (side, key)
            for side, key in complete
            if not any(mid in going_on for mid in self.known.users(side, key))
            and (quiet(side, key) or not any(fact[CODE] == "cef_tls" for fact in self.known.facts(side, key)))
        }

    def _is_silent(self, store: int, key: str, latest: Time) -> bool:
        """Tell whether no line has mentioned an id since a time."""
        if latest == -math.inf:
            return False
        naming = () if store == MESSAGES else self.known.naming(store, key)
        times = [fact[TIME] for facts in (self.appliance.stores[store].get(key, ()), naming) for fact in facts]
        return None not in times and max(times, default=latest) < latest

    def _is_complete(self, side: int, key: str, window: Window, latest: Time) -> bool:
        """Tell whether a connection is silent, or was opened and closed within the window, under an id that was used once."""
        if self._is_silent(side, key, latest):
            return True
        facts = self.appliance.stores[side].get(key, ())
        opened = [fact[TIME] for fact in facts if fact[CODE] == "connection_opened"]
        closed = [fact[TIME] for fact in facts if fact[CODE] == "connection_closed"]
        times = [fact[TIME] for known in (facts, self.known.naming(side, key)) for fact in known]
        if not opened or not closed or None in times:
            return False
        return window.start + LEAD <= min(opened) <= max(closed) and max(times) <= window.end - TAIL and not self.appliance.connections_of(side, key)[0]

    def _is_received(self, mid: str, window: Window, complete: set[Ref], latest: Time) -> bool:
        """Tell whether a message began within the window, over connections that are complete, and from messages whose facts are here."""
        messages = self.appliance.stores[MESSAGES]
        facts = messages[mid]
        if self._is_silent(MESSAGES, mid, latest):
            return all(ref in complete for fact in facts for ref in refs(fact) if ref[0] == RECEIVING)
        begun = [fact[TIME] for fact in facts if fact[CODE] in OPENS]
        if not begun or None in begun or min(begun) < window.start + LEAD or self.appliance.messages_of(mid)[0]:
            return False
        for fact in facts:
            for ref in refs(fact):
                if (ref[0] == RECEIVING and ref not in complete) or (ref[0] == MESSAGES and not messages.get(ref[1])):
                    return False
            if fact[CODE] == "released" and not any(other[CODE] == "message_quarantined" for other in messages.get(fact[PARENT], ())):
                return False
        return True

    def _is_finished(self, mid: str, window: Window, complete: set[Ref], latest: Time) -> bool:
        """Tell whether a message that was received is over."""
        facts = self.appliance.stores[MESSAGES][mid]
        codes, times = {fact[CODE] for fact in facts}, [fact[TIME] for fact in facts]
        tail = AFTER_EVENT if "cef" in codes else TAIL
        if not self._is_silent(MESSAGES, mid, latest) and (self._rests(mid) or not codes & ENDS or None in times or max(times) > window.end - tail):
            return False
        return all(ref in complete for fact in facts for ref in refs(fact) if ref[0] == DELIVERY)

    def _rests(self, mid: str) -> bool:
        """Tell whether a message may be delivered from a quarantine: it was not moved to another appliance's, and no other message has replaced it."""
        last = last_move(self.known.facts(MESSAGES, mid))
        if last is None or last[CODE] != "message_quarantined" or any(refs(last)):
            return False
        made = (fact for child in self.known.children(mid) for fact in self.known.facts(MESSAGES, child))
        return not any(fact[CODE] in GOES_ON and fact[PARENT] == mid for fact in made)

    def carry(self, carried: Carried, latest: Time, given: Carried, keys: list[str]) -> None:
        """Hand on the facts of what is not over, those needed beside them, and those of messages in a quarantine that have a line since `latest`.

        They come from those `given` with the `keys` of this appliance, and keep these.
        """
        host, stores = self.appliance.host, self.appliance.stores
        mids = stores[MESSAGES].keys() - self.over
        connections = {(side, key) for side in (RECEIVING, DELIVERY) for key in self.appliance.ids(side)} - self.over_connections
        # a message in a quarantine may come back as another one
        resting = {
            mid
            for mid in self.over
            if any(fact[CODE] == "message_quarantined" for fact in stores[MESSAGES][mid]) and not self._is_silent(MESSAGES, mid, latest)
        }
        if not (mids or connections or resting):
            return
        kept = together(self.known, mids, connections, resting)
        for key in keys:
            for mine, known, theirs in zip(carried.facts.at(key), kept, given.facts.hosts[key]):
                mine.update(known if keys == [host] else _among(known, theirs))
            for store, one in (*((MESSAGES, mid) for mid in mids), *connections):
                own = given.own.get((key, store, one))
                if own:
                    carried.own[key, store, one] = own

    # records of lives that have own facts (`Own`)

    def message_records(self, mids: Iterable[str]) -> Iterator[MessageRecord]:
        """Yield the records of messages, by MID and life."""
        for _, message in own_messages(self.appliance, self.own, mids):
            yield message_record(self.appliance, message)

    def connection_records(self, connections: Iterable[Ref]) -> Iterator[ConnectionRecord]:
        """Yield the records of connections, by side, id and life."""
        for (_, key), connection in own_connections(self.appliance, self.own, connections):
            yield connection_record(self.appliance, key, connection)


def _among(facts: Store, theirs: Store) -> Store:
    """Return those facts that are among others, by id."""
    found = {key: [fact for fact in known if fact in theirs[key]] for key, known in facts.items() if key in theirs}
    return {key: known for key, known in found.items() if known}
