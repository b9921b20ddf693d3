"""What is open, and for how long: keeps facts by id, each id in one queue, and emits records when their time comes.

Time is the log's own (`log_clock`). A message waits in

* `open` until it ends, or has been silent for `timeout`; in `parked` if it went to a quarantine;
* `settling` for `grace` once it has ended, because lines of one second come in any order;
* `emitted` for LINGER afterwards, because messages made from it need its verdict, and late lines must not look like a new message; in `remembered` if it
  went to a quarantine, from which it may come back;
* `late` for `grace` if a line comes after its record was emitted, or after it may have been forgotten.

A connection waits in `connected` for SILENCE after its last line or, once it is closed, in `closed` for LINGER. Nothing that an open message names is
forgotten.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable

from esatls.extraction.fact_types import CODE, DELIVERY, MESSAGES, TIME
from esatls.extraction.match import MATCHERS_BY_START, START
from esatls.follow.log_clock import LEAP, LogClock
from esatls.follow.needed_facts import NeededFacts
from esatls.follow.open_ids import OpenConnection, OpenHost, OpenMessage
from esatls.lines.clock import parse_rfc3339
from esatls.verdicts.appliance import Appliance
from esatls.verdicts.closure import together
from esatls.verdicts.contradictions import Contradictions
from esatls.verdicts.facts import MENTIONS, OPENS, TRIES, Facts, Ref, have_witnesses, is_use, refs
from esatls.verdicts.hosts import host_and_serial, key_of
from esatls.verdicts.inheritance import bequeath, heritages_of
from esatls.verdicts.records import message_record

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable

    from esatls.extraction.event_record import EventRecord
    from esatls.extraction.fact_types import Fact
    from esatls.extraction.heads import Head
    from esatls.extraction.match import Spec
    from esatls.lines.clock import Time
    from esatls.verdicts.record_types import MessageRecord

LINGER = 300
"""Seconds for which emitted messages and closed connections are remembered."""
SILENCE = 2 * LEAP
"""Seconds without a line after which a connection counts as closed: the appliance's own limits are minutes, but a clock may be set ahead meanwhile."""
HOLD = 900
"""Seconds for which a message that has ended waits for a connection over which no mail has passed yet: mail that passes later may decide the verdict."""
MOST = 100_000
"""The most ids in one queue (a fifth of that in `remembered`); if there are more, the oldest leaves before its time."""
_STRANGERS = 100
"""The most appliances whose clocks are remembered although nothing of theirs is held."""


@dataclass(frozen=True)
class Limits:
    """Time limits, in seconds of the log's time, and the most ids in a queue."""

    grace: int = 10
    """How long a message waits after it has ended."""
    timeout: int = 72 * 3600
    """How long an open message may be silent; by default, the appliance itself gives up then."""
    quarantine: int = 30 * 86400
    """The same for one that went to a quarantine."""
    most: int = MOST


class Held:
    """Consumer of a stream: keeps what is open, emits what is finished.

    `emit` is called with each record, in an order that depends only on the log.
    """

    def __init__(self, emit: Callable[[MessageRecord], object], limits: Limits | None = None) -> None:
        self.emit = emit
        self.limits = limits or Limits()
        self.clock = LogClock()
        self.hosts: dict[str, OpenHost] = {}
        self.serials: dict[str, set[str]] = {}
        """By host: the serial numbers of its consolidated events. Once there are several, each is a separate appliance."""
        self.late = 0
        """How many facts came after the record of their message was emitted."""
        self.contradictions = Contradictions()
        """Contradictions that were found since this run began."""
        self.delays = _delays(self.limits)
        self.most = {name: self.limits.most // 5 if name == "remembered" else self.limits.most for name in self.delays}
        self.queues: dict[str, OrderedDict[tuple[str, int, str], Time]] = {name: OrderedDict() for name in self.delays}
        self._next: Time = float("-inf")
        """Nothing is due before this time."""
        self._ahead: Time = 0
        """Seconds for which the log has been quiet. They are not part of its own time, because its next lines may have earlier stamps."""

    # a stream's consumer

    def take(self, head: Head, spec: Spec, found: re.Match[str]) -> bool:
        """Take one event: first do what its time makes due, then note what it says."""
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
        """Take the events among many lines, whose text begins at `start`, one after another; return how many there were."""
        end, taken = start + START, 0
        for line, head in lines:
            matcher = MATCHERS_BY_START[line[start:end]]
            found = None if matcher is None else matcher.fullmatch(line, start)
            if matcher is not None and found is not None:
                self.take(head, matcher.specs[found.lastindex], found)  # type: ignore[index]
                taken += 1
        return taken

    def add(self, event: EventRecord) -> None:
        """Take one event that was not read from a log."""
        one = Facts()
        one.add(event)
        self._take(parse_rfc3339(event["time"]) if "time" in event else None, one)

    def _appliance(self, key: str) -> str:
        """Return the name of the appliance with a key, as far as the log has shown it up to here."""
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
        """Move what is held of a host to its only serial number so far, now that there is a second one. If any of it is from the text log, all stays."""
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
            # a record without a stamp in front of it may contain its own time
            time = next((fact[TIME] for store in stores for facts in store.values() for fact in facts), None)
        self._move_on(host, time)
        for side, store in enumerate(stores):
            for key, facts in store.items():
                for fact in facts:
                    self._learn_of(host, side, key, fact)

    def _move_on(self, host: str, time: Time | None) -> None:
        """Move on to an event's time, and do what is due."""
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
        """Do what the next line would make due if it came now, after the log has been quiet for so many seconds."""
        self._ahead = max(self._ahead, quiet)
        self.settle()

    def _now(self) -> Time:
        return self.clock.now + self._ahead

    def end(self) -> None:
        """Emit all open messages as they are."""
        for name in ("late", "settling", "open", "parked"):
            queue = self.queues[name]
            while queue:
                host, _, key = next(iter(queue))
                self._message_due(name, host, key, forced=True)
        for host, held in self.hosts.items():
            for side, connections in enumerate(held.connections):
                for key, item in connections.items():
                    self._look_at(host, side, key, item)

    def unfinished(self) -> int:
        """Return how many messages wait for their record to be emitted."""
        return sum(len(self.queues[name]) for name in ("settling", "open", "parked"))

    # facts

    def _connection(self, host: str, side: int, key: str, fact: Fact) -> None:
        held = self._host(host)
        item = held.connection(side, key)
        item.add(fact)
        if len(item.facts) > item.limit:
            self._look_at(host, side, key, item)
            held.shed(side, key, item)
        self._wait("closed" if item.closed else "connected", host, side, key, item)

    def _look_at(self, host: str, side: int, key: str, item: OpenConnection) -> None:
        """Check whether two connections had an id at once, before its facts are forgotten."""
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
        if item.emitted == "finished" and not (item.goes_on() or item.begins_anew(fact)):
            item.fresh.append(fact)
            self._wait("late", host, MESSAGES, key, item)
            return
        if item.emitted:
            self._reopen(host, key, item, is_new=item.begins_anew(fact))
        self._learn(host, key, item, fact)
        if item.ended is None:
            self._wait("parked" if item.quarantined else "open", host, MESSAGES, key, item)
        elif item.queue != "settling" or self._now() - item.ended < HOLD:
            # otherwise an id that is used again and again would never settle
            self._wait("settling", host, MESSAGES, key, item)

    def _learn(self, host: str, key: str, item: OpenMessage, fact: Fact) -> None:
        held = self.hosts[host]
        item.mark(fact, self._now())
        item.facts[fact] = None
        for ref in refs(fact):
            is_said = ref in item.refs
            held.hold(key, item, ref)
            if ref[0] != MESSAGES:
                connection = held.connection(*ref)
                if not (is_said and fact[CODE] in MENTIONS) and is_use(ref[0], fact):
                    connection.use(fact)
                self._wait("closed" if connection.closed else "connected", host, *ref, connection)

    def _believe(self, host: str, key: str, item: OpenMessage) -> None:
        """Take the lines of a message that may have been forgotten as those of a new one."""
        facts, item.facts, item.behind = [*item.facts], {}, None
        for fact in facts:
            self._learn(host, key, item, fact)
        self._wait("settling" if item.ended is not None else "parked" if item.quarantined else "open", host, MESSAGES, key, item)

    def _reopen(self, host: str, key: str, item: OpenMessage, *, is_new: bool) -> None:
        """Open a message again, because it goes on after it was emitted, or because its id belongs to another one now (`is_new`)."""
        held = self.hosts[host]
        if item.emitted == "finished" and is_new:
            if not (item.quarantined or held.children(key)):
                # no message needs the earlier one
                item.facts, item.heritages = {}, None
            item.quarantined = False
        item.emitted = ""
        item.ended = None
        late, item.fresh = item.fresh, []
        for fact in late:
            item.mark(fact, self._now())
            item.facts[fact] = None
        for fact in item.facts:
            for ref in refs(fact):
                held.hold(key, item, ref)

    # for a checkpoint

    def put_back(self, host: str, kind: int, key: str, item: OpenConnection | OpenMessage, queue: str, due: Time) -> None:
        """Put an item that was read back at the end of a queue; "": it has expired."""
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
        """Note again what a message needs."""
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
                self._remember(host, key, item)
        elif name in ("open", "parked"):
            self._emit(host, key)
            self._remember(host, key, item)
        elif item.behind is not None and self.clock.behind(host, min(fact[TIME] for fact in item.facts)) < item.behind:
            # it was not late: the appliance's clock was set
            self._believe(host, key, item)
        elif name == "late" and item.behind is None:
            self.late += len(item.fresh)
            item.fresh.clear()
            self._remember(host, key, item)
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
        """Forget expired ids that nothing needs, and those that only they needed."""
        held = self.hosts[host]
        while todo:
            kind, key = todo.pop()
            if (kind, key) in held.holders:
                continue
            if kind != MESSAGES:
                connection = held.connections[kind].get(key)
                if connection is not None and connection.expired:
                    self._look_at(host, kind, key, connection)
                    del held.connections[kind][key]
                continue
            message = held.messages.get(key)
            if message is not None and message.expired:
                del held.messages[key]
                todo += held.release(key, message.refs)
        if held.empty():
            del self.hosts[host]
            self.clock.forget(host)

    def _undecided(self, held: OpenHost, item: OpenMessage) -> bool:
        """Tell whether a later message may still decide the verdict on a connection over which this one did not pass."""
        for fact in item.facts:
            if fact[CODE] in TRIES:
                for _, key in refs(fact):
                    connection = held.connections[DELIVERY].get(key)
                    if connection is not None and connection.may_be_passed(fact[TIME]):
                        return True
        return False

    # emitting

    def _emit(self, host: str, key: str) -> None:
        """Emit the record of a message, and keep what other messages may need of it."""
        held = self.hosts[host]
        item = held.messages[key]
        appliance = self._judged(host, key)
        for record in self._records(appliance, key):
            self.emit(record)
        self.contradictions.look(appliance)
        item.emitted = "unfinished" if item.ended is None else "finished"
        if item.emitted == "finished":
            item.note_past()
            item.heritages = heritages_of(appliance, key)
            item.keep_essence(appliance.messages_of(key)[0])
            held.accept_parents(item)
        needed = item.needed()
        free = held.release(key, item.refs - needed)
        item.refs &= needed
        self._forget(host, free)

    def _remember(self, host: str, key: str, item: OpenMessage) -> None:
        """Remember a message that was emitted."""
        self._wait("remembered" if item.quarantined else "emitted", host, MESSAGES, key, item)

    def records(self, host: str, key: str) -> list[MessageRecord]:
        """Return the records of one held message: one for each life that was not emitted before."""
        return self._records(self._judged(host, key), key)

    def _records(self, appliance: Appliance, key: str) -> list[MessageRecord]:
        item = self.hosts[appliance.host].messages[key]
        return [message_record(appliance, message) for message in appliance.lives_of(key) if not (message.is_bare or item.was_emitted(message))]

    def _judged(self, host: str, key: str) -> Appliance:
        """Return an appliance with the facts about a message, and all that is needed to judge it."""
        held = self.hosts[host]
        stores = together(NeededFacts(held), [key])
        appliance = Appliance(host, stores, has_witnesses=have_witnesses(stores))
        for mid in stores[MESSAGES]:
            item = held.messages.get(mid)
            if item is not None and item.heritages is not None:
                bequeath(appliance, mid, item.heritages)
        return appliance


def _delays(limits: Limits) -> dict[str, int]:
    """Return how many seconds an id waits in each queue."""
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
