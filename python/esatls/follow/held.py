"""What is open, and for how long: facts by id, each in one waiting line, and told when its time comes.

Time is the log's own (`logclock`). A message waits in

* `open` until it ends, or has been silent for `timeout`; in `parked` if it went to a quarantine;
* `settling` once it has ended, for `grace`: lines of one second come in any order;
* `told` for LINGER afterwards: what is made from it needs its verdict, and late lines must not look like a new
  message; in `remembered` if it went to a quarantine, from where it may come back.

A connection waits in `connected` until it is closed or silent, then in `closed`. What an open message names is not forgotten.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable

from esatls.extraction.fact_types import DELIVERY, MESSAGES, RECEIVING, Try
from esatls.follow.logclock import LogClock
from esatls.lines.clock import parse_rfc3339
from esatls.verdicts.appliance import Appliance
from esatls.verdicts.facts import MENTIONS, OPENS, TRIES, Facts, Ref, bears_witness, refs
from esatls.verdicts.lives import SAME_OPENING
from esatls.verdicts.records import MessageRecord, messages_of

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable

    from esatls.extraction.fact_types import Fact
    from esatls.extraction.match import Spec
    from esatls.extraction.stream import Head
    from esatls.lines.clock import Time
    from esatls.verdicts.facts import Store

Record = MessageRecord

LINGER = 300
"""Seconds that what is done with is remembered."""
SILENCE = 3600
"""Seconds after which a connection without a word is closed: the appliance's own limits are minutes."""
HOLD = 900
"""Seconds that a message which has ended waits for a connection over which nothing has passed yet: what passes later may decide."""
MOST = 100_000
"""Most ids in one waiting line, a fifth in `remembered`; where there are more, the oldest has to go before its time."""
_STRANGERS = 100
"""Appliances whose clocks are known though nothing of theirs is held."""
_ENDS = frozenset({"message_finished", "message_aborted"})
_HANDED_ON = OPENS | MENTIONS | {"message_policy", "message_identity", "cef"}
_REPEATED = frozenset({"cef_tls", "tls_read"})
"""Codes of facts of which the first says it all, however many messages of the connection repeat it."""
_APART = 12 * 3600
"""Seconds between the uses that are kept of a connection: often enough that it stays one (lives.CONNECTION_SILENCE)."""


@dataclass(frozen=True)
class Limits:
    """Seconds of the log's time."""

    grace: int = 10
    """After a message has ended."""
    timeout: int = 72 * 3600
    """Of silence about an open message; the appliance itself gives up then, unless told otherwise."""
    quarantine: int = 30 * 86400
    """Likewise for one that went to a quarantine."""
    most: int = MOST


class Connection:
    """What is known of one ICID or DCID."""

    __slots__ = ("closed", "expired", "facts", "kept", "queue")

    def __init__(self) -> None:
        self.facts: dict[Fact, None] = {}
        self.kept: list[Fact] = []
        """First of the facts of messages by which something passed, and one in twelve hours after it."""
        self.closed = False
        self.expired = False
        """Its time is over: it goes with the last message that names it."""
        self.queue = ""


class Message:
    """What is known of one MID."""

    __slots__ = ("ended", "expired", "facts", "fresh", "past", "quarantined", "queue", "refs", "told")

    def __init__(self) -> None:
        self.facts: dict[Fact, None] = {}
        self.fresh: list[Fact] = []
        """Late ones: they came after it was told as finished."""
        self.refs: set[Ref] = set()
        """What it needs for its record, or for its children's."""
        self.ended: Time | None = None
        """When it ended, by the log's clock."""
        self.quarantined = False
        self.told = ""
        """`finished` or `unfinished` once it was told."""
        self.past: tuple[Time, Time] | None = None
        """First and last time of what was told of an earlier message with this id."""
        self.expired = False
        self.queue = ""


class Host:
    """What is held of one appliance."""

    __slots__ = ("connections", "holders", "messages")

    def __init__(self) -> None:
        self.connections: tuple[dict[str, Connection], dict[str, Connection]] = ({}, {})
        self.messages: dict[str, Message] = {}
        self.holders: dict[Ref, set[str]] = {}
        """Messages that need a connection or a message."""

    def empty(self) -> bool:
        """Tell whether nothing is held."""
        return not (self.messages or self.connections[0] or self.connections[1])


class Held:
    """Consumer of a stream: keeps what is open, tells what is finished.

    `tell` is called with each record, in an order that the log alone decides.
    """

    def __init__(self, tell: Callable[[Record], object], limits: Limits | None = None) -> None:
        self.tell = tell
        self.limits = limits or Limits()
        self.clock = LogClock()
        self.hosts: dict[str, Host] = {}
        self.told = 0
        self.late = 0
        """Facts that came after their message had been told."""
        self.delays = _delays(self.limits)
        self.most = {name: self.limits.most // 5 if name == "remembered" else self.limits.most for name in self.delays}
        self.queues: dict[str, OrderedDict[tuple[str, int, str], Time]] = {name: OrderedDict() for name in self.delays}
        self._next: Time = float("-inf")
        """Nothing is due before."""
        self._ahead: Time = 0
        """Seconds that the log has been quiet for. They are no part of its own time: its next lines may be older than they are new."""

    # a stream's consumer

    def take(self, head: Head, spec: Spec, found: re.Match[str]) -> bool:
        """Take one event: first what its time makes due, then what it says."""
        one = Facts()
        head.store = None
        one.take(head, spec, found)
        self._take(head.host or "", head.time, one)
        head.store = None
        return True

    def take_all(self, lines: Iterable[tuple[str, Head]], start: int) -> int:
        """Refuse: a log that is followed is read line by line, so that it does not matter where a block ends."""
        raise NotImplementedError

    def add(self, event: dict[str, Any]) -> None:
        """Take one event that was read elsewhere than in a log."""
        one = Facts()
        one.add(event)
        self._take(event.get("esa_host") or "", parse_rfc3339(event["time"]) if "time" in event else None, one)

    def _take(self, name: str, time: Time | None, one: Facts) -> None:
        if one.hosts:
            self._ahead = 0
            if time is None:
                # a record that tells its own time, behind no stamp
                time = next((fact[1] for stores in one.hosts.values() for store in stores for facts in store.values() for fact in facts), None)
            self.clock.see(name, time)
            self.settle()
            if len(self.clock.shifts) > len(self.hosts) + _STRANGERS:
                for host in self.clock.shifts.keys() - self.hosts.keys():
                    self.clock.forget(host)
        for host, stores in one.hosts.items():
            for side, store in enumerate(stores):
                for key, facts in store.items():
                    for fact in facts:
                        if side == MESSAGES:
                            self._message(host, key, fact)
                        else:
                            self._connection(host, side, key, fact)

    def pass_time(self, quiet: float) -> None:
        """Do what the next line would make due if it came now: the log has been quiet for so many seconds."""
        self._ahead = max(self._ahead, quiet)
        self.settle()

    def _now(self) -> Time:
        return self.clock.now + self._ahead

    def end(self) -> None:
        """Tell everything that is open, as it stands."""
        for name in ("settling", "open", "parked"):
            queue = self.queues[name]
            while queue:
                host, _, key = next(iter(queue))
                self._tell(host, key)

    def sizes(self) -> dict[str, int]:
        """Return how many ids and facts are held, by what they wait for; `facts` counts all."""
        facts = 0
        for host in self.hosts.values():
            facts += sum(len(item.facts) + len(item.fresh) for item in host.messages.values())
            facts += sum(len(item.facts) + len(item.kept) for side in host.connections for item in side.values())
        return {**{name: len(queue) for name, queue in self.queues.items()}, "facts": facts}

    # facts

    def _connection(self, host: str, side: int, key: str, fact: Fact) -> None:
        held = self._host(host)
        item = held.connections[side].get(key)
        if item is None:
            item = held.connections[side][key] = Connection()
        if fact[0] not in _REPEATED or not any(other[0] == fact[0] and other[3:] == fact[3:] for other in item.facts):
            item.facts[fact] = None
        if fact[0] == "connection_closed":
            item.closed = True
        elif fact[0] == "connection_opened":
            item.closed = False
        self._wait("closed" if item.closed else "connected", host, side, key, item)

    def _message(self, host: str, key: str, fact: Fact) -> None:
        held = self._host(host)
        item = held.messages.get(key)
        if item is None:
            if fact[0] not in OPENS and self.clock.behind(host, fact[1]) > LINGER:
                self.late += 1
                if held.empty():
                    del self.hosts[host]
                return
            item = held.messages[key] = Message()
        if fact in item.facts or fact in item.fresh:
            return
        if item.told == "finished" and not _is_new(item, fact):
            item.fresh.append(fact)
            self._wait("late", host, MESSAGES, key, item)
            return
        if item.told:
            self._reopen(host, key, item)
        item.facts[fact] = None
        self._mark(item, fact)
        for ref in refs(fact):
            self._hold(held, key, item, ref)
            if ref[0] != MESSAGES:
                self._use(host, held, ref, fact)
        self._wait("settling" if item.ended is not None else "parked" if item.quarantined else "open", host, MESSAGES, key, item)

    def _mark(self, item: Message, fact: Fact) -> None:
        if fact[0] in _ENDS and item.ended is None:
            item.ended = self._now()
        elif fact[0] == "message_quarantined":
            item.quarantined = True

    def _use(self, host: str, held: Host, ref: Ref, fact: Fact) -> None:
        """Note that a message names a connection: the first to pass over it decides on it."""
        side, key = ref
        item = held.connections[side].get(key)
        if item is None:
            item = held.connections[side][key] = Connection()
        self._wait("closed" if item.closed else "connected", host, side, key, item)
        if fact[0] in TRIES:
            return
        kept, time = item.kept, fact[1]
        if not kept:
            kept.append(fact)
        elif time is not None and kept[-1][1] is not None:
            begun = max((other[1] for other in item.facts if other[0] == "connection_opened" and other[1] is not None), default=None)
            if time >= kept[-1][1] + _APART or (begun is not None and kept[-1][1] < begun - SAME_OPENING <= time):
                kept.append(fact)
            elif time < kept[0][1]:
                kept[0] = fact

    def _hold(self, held: Host, key: str, item: Message, ref: Ref) -> None:
        # a message made from what was made from it would never be forgotten
        if ref not in item.refs and not (ref[0] == MESSAGES and key in self._chain(held, ref[1])):
            item.refs.add(ref)
            held.holders.setdefault(ref, set()).add(key)

    def _reopen(self, host: str, key: str, item: Message) -> None:
        """Open a message again: it goes on after it was told as unfinished, or its id belongs to another one now."""
        held = self._host(host)
        if item.told == "finished":
            item.past = _span(item.facts)
            item.quarantined = False
        item.told = ""
        item.ended = None
        late, item.fresh = item.fresh, []
        for fact in late:
            item.facts[fact] = None
            self._mark(item, fact)
        for fact in item.facts:
            for ref in refs(fact):
                self._hold(held, key, item, ref)

    # for a checkpoint

    def put_back(self, host: str, kind: int, key: str, item: Connection | Message, queue: str, due: Time) -> None:
        """Hold an item that was read back, at the end of a waiting line ("" if it has expired)."""
        held = self._host(host)
        if isinstance(item, Message):
            held.messages[key] = item
        else:
            held.connections[kind][key] = item
        item.queue = queue
        item.expired = not queue
        if queue:
            self.queues[queue][host, kind, key] = due

    def need(self, host: str, key: str, item: Message) -> None:
        """Find out anew what a message needs."""
        for ref in _needed(item):
            self._hold(self.hosts[host], key, item, ref)

    def _host(self, name: str) -> Host:
        host = self.hosts.get(name)
        if host is None:
            host = self.hosts[name] = Host()
        return host

    # waiting lines

    def _wait(self, name: str, host: str, kind: int, key: str, item: Connection | Message) -> None:
        """Put an id at the end of a waiting line."""
        ref = (host, kind, key)
        queue = self.queues[name]
        if item.queue == name:
            queue.move_to_end(ref)
        else:
            self._leave(ref, item)
            item.queue = name
        item.expired = False
        due = queue[ref] = self._now() + self.delays[name]
        self._next = min(self._next, due)
        if len(queue) > self.most[name]:
            self._next = float("-inf")

    def _leave(self, ref: tuple[str, int, str], item: Connection | Message) -> None:
        if item.queue:
            del self.queues[item.queue][ref]
            item.queue = ""

    def settle(self) -> None:
        """Do all that is due, the earliest first."""
        now = self._now()
        while now >= self._next:
            first, chosen = float("inf"), ""
            for name, queue in self.queues.items():
                if queue:
                    due = float("-inf") if len(queue) > self.most[name] else next(iter(queue.values()))
                    if due < first:
                        first, chosen = due, name
            self._next = first
            if first > now:
                return
            host, kind, key = next(iter(self.queues[chosen]))
            if kind == MESSAGES:
                self._message_due(chosen, host, key, forced=first == float("-inf"))
            else:
                self._connection_due(host, kind, key)

    def _message_due(self, name: str, host: str, key: str, *, forced: bool) -> None:
        held = self.hosts[host]
        item = held.messages[key]
        if name == "settling":
            waited = 0 if item.ended is None else self._now() - item.ended
            if not forced and self.limits.grace > 0 and waited < HOLD and self._undecided(held, item):
                self._wait("settling", host, MESSAGES, key, item)
            else:
                self._tell(host, key)
        elif name in ("open", "parked"):
            self._tell(host, key)
        elif name == "late":
            self.late += len(item.fresh)
            item.fresh.clear()
            self._wait("remembered" if item.quarantined else "told", host, MESSAGES, key, item)
        else:
            self._leave((host, MESSAGES, key), item)
            item.expired = True
            self._forget(host, [(MESSAGES, key)])

    def _connection_due(self, host: str, side: int, key: str) -> None:
        item = self.hosts[host].connections[side][key]
        self._leave((host, side, key), item)
        item.expired = True
        self._forget(host, [(side, key)])

    def _forget(self, host: str, todo: list[Ref]) -> None:
        """Forget what has expired and nothing needs, and what only that needed."""
        held = self.hosts[host]
        while todo:
            kind, key = ref = todo.pop()
            if ref in held.holders:
                continue
            if kind != MESSAGES:
                connection = held.connections[kind].get(key)
                if connection is not None and connection.expired:
                    del held.connections[kind][key]
                continue
            message = held.messages.get(key)
            if message is not None and message.expired:
                del held.messages[key]
                todo += self._release(held, key, message.refs)
        if held.empty():
            del self.hosts[host]
            self.clock.forget(host)

    def _release(self, held: Host, key: str, needed: Iterable[Ref]) -> list[Ref]:
        """Note that a message needs some no longer; return those that nothing needs now."""
        free = []
        for ref in sorted(needed):
            holders = held.holders[ref]
            holders.discard(key)
            if not holders:
                del held.holders[ref]
                free.append(ref)
        return free

    def _undecided(self, held: Host, item: Message) -> bool:
        """Tell whether a later message may decide on a connection over which this one did not pass."""
        for fact in item.facts:
            if fact[0] in TRIES:
                for _, key in refs(fact):
                    connection = held.connections[DELIVERY].get(key)
                    if connection is not None and not (connection.closed or connection.kept or any(other[0] == "tls_success" for other in connection.facts)):
                        return True
        return False

    # telling

    def _tell(self, host: str, key: str) -> None:
        """Tell the record of a message, and keep of it what others may need."""
        held = self.hosts[host]
        item = held.messages[key]
        for record in self.records(host, key):
            self.told += 1
            self.tell(record)
        item.told = "unfinished" if item.ended is None else "finished"
        if item.told == "finished":
            item.past = None
            item.facts = _essence(item.facts)
        needed = _needed(item)
        free = self._release(held, key, item.refs - needed)
        item.refs &= needed
        self._wait("remembered" if item.quarantined else "told", host, MESSAGES, key, item)
        self._forget(host, free)

    def records(self, host: str, key: str) -> list[Record]:
        """Return the records of one held message: one for each life that was not told before."""
        held = self.hosts[host]
        stores: tuple[Store, Store, Store] = ({}, {}, {})
        chain = self._chain(held, key)
        uses: list[Fact] = []
        for mid in chain:
            message = held.messages[mid]
            stores[MESSAGES][mid] = list(message.facts)
            for kind, ref in message.refs:
                # of its parents, only how they were received matters
                if kind == RECEIVING or (kind == DELIVERY and mid == key):
                    connection = held.connections[kind].get(ref)
                    if connection is not None and ref not in stores[kind]:
                        stores[kind][ref] = list(connection.facts)
                        uses += connection.kept
        for use in uses:
            if use[2] not in chain:
                stores[MESSAGES].setdefault(use[2], []).append(use)
        has_witnesses = any(bears_witness(fact) for store in stores for facts in store.values() for fact in facts)
        past = held.messages[key].past
        found = messages_of(Appliance(host, stores, has_witnesses=has_witnesses), only={key})
        return [record for _, record in found if past is None or not _told_before(record, past)]

    @staticmethod
    def _chain(held: Host, key: str) -> dict[str, None]:
        """Return a message and those it was made from."""
        chain: dict[str, None] = {}
        todo = [key]
        while todo:
            mid = todo.pop()
            message = held.messages.get(mid)
            if message is not None and mid not in chain:
                chain[mid] = None
                todo += [parent for kind, parent in message.refs if kind == MESSAGES]
        return chain


def _delays(limits: Limits) -> dict[str, int]:
    """Return the waiting lines, and how many seconds each lasts."""
    return {
        "settling": limits.grace,
        "open": limits.timeout,
        "parked": limits.quarantine,
        "late": limits.grace,
        "told": LINGER,
        "remembered": limits.quarantine,
        "closed": LINGER,
        "connected": SILENCE,
    }


def _is_new(item: Message, fact: Fact) -> bool:
    """Tell whether a fact about an id that was told begins another message."""
    if fact[0] not in OPENS or fact[1] is None:
        return False
    known = [other[1] for other in item.facts if other[0] in OPENS and other[1] is not None]
    known = known or [other[1] for other in item.facts if other[1] is not None][:1]
    return all(abs(fact[1] - time) > SAME_OPENING for time in known)


def _needed(item: Message) -> set[Ref]:
    """Return what a message needs: once it was told, its children need to know no more than how it was received."""
    return {ref for fact in item.facts for ref in refs(fact) if not item.told or ref[0] != DELIVERY}


def _span(facts: Iterable[Fact]) -> tuple[Time, Time] | None:
    times = [fact[1] for fact in facts if fact[1] is not None]
    return (min(times), max(times)) if times else None


def _told_before(record: Record, past: tuple[Time, Time]) -> bool:
    if "last_seen" not in record:
        return False
    return parse_rfc3339(record["first_seen"]) <= past[1] and parse_rfc3339(record["last_seen"]) >= int(past[0])


def _essence(facts: Iterable[Fact]) -> dict[Fact, None]:
    """Return the facts that tell how a message was received, when it was made, and what a message that is made from it has from it."""
    kept = [fact for fact in facts if fact[0] in _HANDED_ON or (fact[0] in TRIES and Try(*fact).recipient)]
    if not kept:
        kept = list(facts)[:1]
    return dict.fromkeys(kept)
