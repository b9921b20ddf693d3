"""What is open, and for how long: facts by id, each id in one queue, and records emitted when their time comes.

Time is the log's own (`logclock`). A message waits in

* `open` until it ends, or has been silent for `timeout`; in `parked` if it went to a quarantine;
* `settling` once it has ended, for `grace`: lines of one second come in any order;
* `emitted` for LINGER afterwards: what is made from it needs its verdict, and late lines must not look like a new
  message; in `remembered` if it went to a quarantine, from where it may come back.

A connection waits in `connected` until it is closed or silent, then in `closed`. What an open message names is not forgotten.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable

from esatls.extraction.fact_types import CODE, DELIVERY, MESSAGES, TIME
from esatls.extraction.match import MATCHERS_BY_START, START
from esatls.follow.logclock import LEAP, LogClock
from esatls.follow.nearby import Nearby
from esatls.follow.open_ids import OpenConnection, OpenHost, OpenMessage
from esatls.lines.clock import parse_rfc3339
from esatls.verdicts.appliance import Appliance
from esatls.verdicts.closure import together
from esatls.verdicts.contradictions import Contradictions
from esatls.verdicts.facts import MENTIONS, OPENS, TRIES, Facts, Ref, bears_witness, refs
from esatls.verdicts.heritage import bequeath, heritages_of
from esatls.verdicts.hosts import host_and_serial, key_of
from esatls.verdicts.record_types import MessageRecord
from esatls.verdicts.records import message_record

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable

    from esatls.extraction.event_record import EventRecord
    from esatls.extraction.fact_types import Fact
    from esatls.extraction.heads import Head
    from esatls.extraction.match import Spec
    from esatls.lines.clock import Time

Record = MessageRecord

LINGER = 300
"""Seconds that what is done with is remembered."""
SILENCE = 2 * LEAP
"""Seconds after which a connection without a word is closed: the appliance's own limits are minutes, but a clock may be set ahead meanwhile."""
HOLD = 900
"""Seconds that a message which has ended waits for a connection over which nothing has passed yet: what passes later may decide."""
MOST = 100_000
"""Most ids in one queue, a fifth in `remembered`; where there are more, the oldest has to go before its time."""
_LONG_CHAIN = 8
"""Messages that one was made from, of which it is kept how they were received: each of them may soon be asked for."""
_STRANGERS = 100
"""Appliances whose clocks are known though nothing of theirs is held."""


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


class Held:
    """Consumer of a stream: keeps what is open, emits what is finished.

    `emit` is called with each record, in an order that the log alone decides.
    """

    def __init__(self, emit: Callable[[Record], object], limits: Limits | None = None) -> None:
        self.emit = emit
        self.limits = limits or Limits()
        self.clock = LogClock()
        self.hosts: dict[str, OpenHost] = {}
        self.emitted = 0
        self.serials: dict[str, set[str]] = {}
        """By host: the serial numbers of its consolidated events. From the second one on, each is an appliance of its own."""
        self.late = 0
        """Facts that came after their message's record had been emitted."""
        self.contradictions = Contradictions()
        """What the emitted records have shown since this run began."""
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
        store, code, groups = spec.fact
        if store < 0:
            one = Facts()
            one.take(head, spec, found)
            self._take(head.time, one)
            return True
        if head.store is None:
            head.store = self._appliance(key_of(head.host))
        host: str = head.store
        self._move_on(host, head.time)
        key, *values = found.group(*groups)
        if key is not None:
            self._learn_of(host, store, key, (code, head.time, key, *values))
        return True

    def take_all(self, lines: Iterable[tuple[str, Head]], start: int) -> int:
        """Take the events among many lines, all with their text at `start`, one after another; return how many there were."""
        end, taken = start + START, 0
        for line, head in lines:
            matcher = MATCHERS_BY_START[line[start:end]]
            found = None if matcher is None else matcher.fullmatch(line, start)
            if matcher is not None and found is not None:
                self.take(head, matcher.specs[found.lastindex], found)  # type: ignore[index]
                taken += 1
        return taken

    def add(self, event: EventRecord) -> None:
        """Take one event that was read elsewhere than in a log."""
        one = Facts()
        one.add(event)
        self._take(parse_rfc3339(event["time"]) if "time" in event else None, one)

    def _appliance(self, key: str) -> str:
        """Return the appliance of facts, as the log tells it up to here."""
        host, serial = host_and_serial(key)
        if not serial:
            return host
        known = self.serials.setdefault(host, set())
        if serial not in known:
            if len(known) == 1:
                self._rename(host, *known)
            known.add(serial)
        return serial if len(known) > 1 else host

    def _rename(self, host: str, serial: str) -> None:
        """Give what is held of a host to the one serial number that was seen there, now that there is another; lines of text stay the host's."""
        if serial in self.hosts or host not in self.hosts or not self.hosts[host].bears_witness():
            return
        self.hosts[serial] = self.hosts.pop(host)
        self.clock.rename(host, serial)
        for name, queue in self.queues.items():
            self.queues[name] = OrderedDict(((serial if ref[0] == host else ref[0], *ref[1:]), due) for ref, due in queue.items())

    def _take(self, time: Time | None, one: Facts) -> None:
        if not one.hosts:
            return
        ((key, stores),) = one.hosts.items()
        host = self._appliance(key)
        if time is None:
            # a record that tells its own time, behind no stamp
            time = next((fact[TIME] for store in stores for facts in store.values() for fact in facts), None)
        self._move_on(host, time)
        for side, store in enumerate(stores):
            for key, facts in store.items():
                for fact in facts:
                    self._learn_of(host, side, key, fact)

    def _move_on(self, host: str, time: Time | None) -> None:
        """Do what an event's time makes due."""
        quiet, self._ahead = self._ahead, 0
        self.clock.see(host, time, quiet)
        if self.clock.now >= self._next:
            self.settle()
        if len(self.clock.shifts) > len(self.hosts) + _STRANGERS:
            for other in self.clock.shifts.keys() - self.hosts.keys():
                self.clock.forget(other)

    def _learn_of(self, host: str, store: int, key: str, fact: Fact) -> None:
        if store == MESSAGES:
            self._message(host, key, fact)
        else:
            self._connection(host, store, key, fact)

    def pass_time(self, quiet: float) -> None:
        """Do what the next line would make due if it came now: the log has been quiet for so many seconds."""
        self._ahead = max(self._ahead, quiet)
        self.settle()

    def _now(self) -> Time:
        return self.clock.now + self._ahead

    def end(self) -> None:
        """Emit everything that is open, as it stands."""
        for name in ("late", "settling", "open", "parked"):
            queue = self.queues[name]
            while queue:
                host, _, key = next(iter(queue))
                if name == "late":
                    self._message_due(name, host, key, forced=True)
                else:
                    self._emit(host, key)
        for host, held in self.hosts.items():
            for side, connections in enumerate(held.connections):
                for key, item in connections.items():
                    self._look_at(host, side, key, item)

    def sizes(self) -> dict[str, int]:
        """Return how many ids and facts are held, by queue; `facts` counts all."""
        facts = 0
        for host in self.hosts.values():
            facts += sum(len(item.facts) + len(item.fresh) for item in host.messages.values())
            facts += sum(len(item.facts) + len(item.kept) for side in host.connections for item in side.values())
        return {**{name: len(queue) for name, queue in self.queues.items()}, "facts": facts}

    # facts

    def _connection(self, host: str, side: int, key: str, fact: Fact) -> None:
        held = self._host(host)
        item = held.connection(side, key)
        item.add(fact)
        if held.has_chains:
            held.doubt(side, key)
        if len(item.facts) > item.limit:
            self._look_at(host, side, key, item)
            held.shed(side, key, item)
        self._wait("closed" if item.closed else "connected", host, side, key, item)

    def _look_at(self, host: str, side: int, key: str, item: OpenConnection) -> None:
        """See whether two had an id at once, before anything of it is forgotten."""
        if item.is_taken_again:
            self.contradictions.look_at(host, side, key, item.facts)

    def _message(self, host: str, key: str, fact: Fact) -> None:
        held = self._host(host)
        item = held.messages.get(key)
        if item is None:
            item = held.messages[key] = OpenMessage()
            behind = self.clock.behind(host, fact[TIME])
            if fact[CODE] not in OPENS and behind > LINGER:
                item.behind = behind
        if fact in item.facts or fact in item.fresh:
            return
        if item.behind is not None:
            item.facts[fact] = None
            if fact[CODE] in OPENS:
                self._believe(host, key, item)
            else:
                self._wait("late", host, MESSAGES, key, item)
            return
        if item.emitted == "finished" and not item.begins_anew(fact):
            item.fresh.append(fact)
            self._wait("late", host, MESSAGES, key, item)
            return
        if item.emitted:
            self._reopen(host, key, item)
        self._learn(host, key, item, fact)
        if item.ended is None:
            self._wait("parked" if item.quarantined else "open", host, MESSAGES, key, item)
        elif item.queue != "settling" or self._now() - item.ended < HOLD:
            # an id that is used again and again never settles
            self._wait("settling", host, MESSAGES, key, item)

    def _learn(self, host: str, key: str, item: OpenMessage, fact: Fact) -> None:
        held = self.hosts[host]
        item.facts[fact] = None
        item.mark(fact, self._now())
        if held.has_chains:
            held.doubt_by(fact)
        for ref in refs(fact):
            is_said = ref in item.refs
            held.hold(key, item, ref)
            if ref[0] != MESSAGES:
                connection = held.connection(*ref)
                if not (is_said and fact[CODE] in MENTIONS):
                    connection.use(fact)
                self._wait("closed" if connection.closed else "connected", host, *ref, connection)

    def _believe(self, host: str, key: str, item: OpenMessage) -> None:
        """Take the lines of a message that may have been forgotten for those of one that was not known."""
        facts, item.facts, item.behind = [*item.facts], {}, None
        for fact in facts:
            self._learn(host, key, item, fact)
        self._wait("settling" if item.ended is not None else "parked" if item.quarantined else "open", host, MESSAGES, key, item)

    def _reopen(self, host: str, key: str, item: OpenMessage) -> None:
        """Open a message again: it goes on after it was emitted as unfinished, or its id belongs to another one now."""
        held = self.hosts[host]
        held.doubt(MESSAGES, key)
        if item.emitted == "finished":
            if not (item.quarantined or held.children(key)):
                # nothing is made from it any more
                item.facts, item.heritages = {}, None
            item.quarantined = False
        item.emitted = ""
        item.ended = None
        late, item.fresh = item.fresh, []
        for fact in late:
            item.facts[fact] = None
            item.mark(fact, self._now())
        for fact in item.facts:
            for ref in refs(fact):
                held.hold(key, item, ref)

    # for a checkpoint

    def put_back(self, host: str, kind: int, key: str, item: OpenConnection | OpenMessage, queue: str, due: Time) -> None:
        """Hold an item that was read back, at the end of a queue ("" if it has expired)."""
        held = self._host(host)
        if isinstance(item, OpenMessage):
            held.messages[key] = item
        else:
            held.connections[kind][key] = item
        item.queue = queue
        item.expired = not queue
        if queue:
            self.queues[queue][host, kind, key] = due

    def need(self, host: str, key: str, item: OpenMessage) -> None:
        """Find out anew what a message needs."""
        for ref in item.needed():
            self.hosts[host].hold(key, item, ref)

    def _host(self, name: str) -> OpenHost:
        host = self.hosts.get(name)
        if host is None:
            host = self.hosts[name] = OpenHost()
        return host

    # queues

    def _wait(self, name: str, host: str, kind: int, key: str, item: OpenConnection | OpenMessage) -> None:
        """Put an id at the end of a queue."""
        ref = (host, kind, key)
        queue = self.queues[name]
        if item.queue == name:
            queue.move_to_end(ref)
        else:
            self._leave(ref, item)
            item.queue = name
        item.expired = False
        due = queue[ref] = self.clock.now + self._ahead + self.delays[name]
        self._next = min(self._next, due)
        if len(queue) > self.most[name]:
            self._next = float("-inf")

    def _leave(self, ref: tuple[str, int, str], item: OpenConnection | OpenMessage) -> None:
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
                self._emit(host, key)
        elif name in ("open", "parked"):
            self._emit(host, key)
        elif item.behind is not None and self.clock.behind(host, min(fact[TIME] for fact in item.facts)) < item.behind:
            # it did not come late: the clock was set
            self._believe(host, key, item)
        elif name == "late" and item.behind is None:
            self.late += len(item.fresh)
            item.fresh.clear()
            self._wait("remembered" if item.quarantined else "emitted", host, MESSAGES, key, item)
        else:
            if item.behind is not None:
                self.late += len(item.facts)
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
                    self._look_at(host, kind, key, connection)
                    del held.connections[kind][key]
                    held.doubt(*ref)
                continue
            message = held.messages.get(key)
            if message is not None and message.expired:
                del held.messages[key]
                todo += held.release(key, message.refs)
        if held.empty():
            del self.hosts[host]
            self.clock.forget(host)

    def _undecided(self, held: OpenHost, item: OpenMessage) -> bool:
        """Tell whether a later message may decide on a connection over which this one did not pass."""
        for fact in item.facts:
            if fact[CODE] in TRIES:
                for _, key in refs(fact):
                    connection = held.connections[DELIVERY].get(key)
                    if connection is not None and connection.may_be_passed(fact[TIME]):
                        return True
        return False

    # emitting

    def _emit(self, host: str, key: str) -> None:
        """Emit the record of a message, and keep of it what others may need."""
        held = self.hosts[host]
        item = held.messages[key]
        appliance = self._judged(host, key)
        for record in self._records(appliance, key):
            self.emitted += 1
            self.emit(record)
        self.contradictions.look(appliance)
        item.emitted = "unfinished" if item.ended is None else "finished"
        if item.emitted == "finished":
            item.note_past()
            item.heritages = heritages_of(appliance, key)
            item.keep_essence(appliance.messages_of(key)[0])
        needed = item.needed()
        free = held.release(key, item.refs - needed)
        item.refs &= needed
        self._wait("remembered" if item.quarantined else "emitted", host, MESSAGES, key, item)
        self._forget(host, free)

    def records(self, host: str, key: str) -> list[Record]:
        """Return the records of one held message: one for each life that was not emitted before."""
        return self._records(self._judged(host, key), key)

    def _records(self, appliance: Appliance, key: str) -> list[Record]:
        item = self.hosts[appliance.host].messages[key]
        lives = sorted(appliance.messages_of(key)[1].items())
        return [message_record(appliance, key, message) for _, message in lives if not (message.is_bare or item.was_emitted(message))]

    def _judged(self, host: str, key: str) -> Appliance:
        """Return what is known of a message, and of all that is needed to judge it."""
        held = self.hosts[host]
        known = Nearby(held, key)
        stores = together(known, [key])
        has_witnesses = any(bears_witness(fact) for store in stores for facts in store.values() for fact in facts)
        appliance = Appliance(host, stores, has_witnesses=has_witnesses)
        for mid in stores[MESSAGES]:
            item = held.messages.get(mid)
            if item is not None:
                left = item.heritages if mid == key else item.leaves()
                if left is not None:
                    bequeath(appliance, mid, left)
        if len(known.ancestors) > _LONG_CHAIN:
            for mid in known.ancestors:
                held.knows(mid, heritages_of(appliance, mid))
        return appliance


def _delays(limits: Limits) -> dict[str, int]:
    """Return the queues, and how many seconds an id waits in each."""
    return {
        "settling": limits.grace,
        "open": limits.timeout,
        "parked": limits.quarantine,
        "late": limits.grace,
        "emitted": LINGER,
        "remembered": limits.quarantine,
        "closed": LINGER,
        "connected": SILENCE,
    }
