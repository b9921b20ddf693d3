"""What is held of each id: its facts, and who needs them. There is one `OpenHost` for each appliance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from esatls.extraction.fact_types import CODE, MAKES, MESSAGES, PARENT, TIME
from esatls.follow.stretches import Stretches
from esatls.verdicts.closure import decisive, essential
from esatls.verdicts.facts import ENDS, INTERNAL, OPENS, bears_witness, last_move, order, passes, refs
from esatls.verdicts.inheritance import opening_of
from esatls.verdicts.lives import LATE_LINEAGE, SAME_OPENING, split, starts_of_connection

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from esatls.extraction.fact_types import Fact
    from esatls.lines.clock import Time
    from esatls.verdicts.facts import Ref
    from esatls.verdicts.inheritance import Heritages
    from esatls.verdicts.message import Message

_FEW = 6
"""So many uses of one connection are kept without checking whether some can be dropped."""
_MOST_OPENINGS = 10
"""So many messages with one id, each begun within seconds of the end of the one before, are emitted together."""
_LEAST = 64
"""So many facts of one connection are kept without checking whether some can be dropped."""


class OpenConnection:
    """What is known about one ICID or DCID."""

    __slots__ = ("closed", "expired", "facts", "is_opened", "is_taken_again", "is_whole", "kept", "limit", "most_kept", "queue", "stretches")

    def __init__(self) -> None:
        self.facts: dict[Fact, None] = {}
        self.kept: list[Fact] = []
        """Facts of messages that name the connection: those that matter to the others (`closure.decisive`), and the last few."""
        self.most_kept = _FEW
        self.closed = False
        self.is_opened = self.is_taken_again = False
        """Whether an opening line is known, and whether a second one is."""
        self.expired = False
        """Whether its time is over: it is forgotten with the last message that needs it."""
        self.limit = _LEAST
        """With more facts than this, it is checked whether some can be dropped."""
        self.stretches: Stretches | None = None
        """Facts and uses by time; made on demand, if there are many."""
        self.is_whole = False
        """Whether all are one stretch, because some have no place in time."""
        self.queue = ""

    def add(self, fact: Fact) -> None:
        """Add what a line says about the connection."""
        if self.stretches is not None and fact not in self.facts and not self.stretches.add(fact):
            self.stretches = None
        self.facts[fact] = None
        if fact[CODE] == "connection_closed":
            self.closed = True
        elif fact[CODE] == "connection_opened":
            self.closed = False
            self.is_taken_again |= self.is_opened
            self.is_opened = True

    def keep(self, use: Fact) -> None:
        """Keep a fact of a message that names the connection."""
        self.kept.append(use)
        if self.stretches is not None and not self.stretches.use(use):
            self.stretches = None

    def use(self, fact: Fact) -> None:
        """Note that a message names the connection."""
        self.keep(fact)
        if len(self.kept) > self.most_kept:
            begins = starts_of_connection(self.facts, self.kept)
            self.kept = decisive(self.kept, begins)
            self.most_kept = max(_FEW, 2 * len(self.kept))
            self.stretches = None

    def around(self, times: Collection[Time | None]) -> tuple[Collection[Fact], Collection[Fact]]:
        """Return the facts and the uses that may decide what verdicts say about the connection at some times."""
        if len(self.facts) + len(self.kept) <= _LEAST or self.is_whole:
            return self.facts, self.kept
        known = [time for time in times if time is not None]
        if len(known) < max(1, len(times)):
            return self.facts, self.kept
        if self.stretches is None:
            self.is_whole = not all(map(Stretches.has_place, (*self.facts, *self.kept)))
            if self.is_whole:
                return self.facts, self.kept
            self.stretches = Stretches(self.facts, self.kept)
        return self.stretches.around(min(known), max(known))

    def may_be_passed(self, time: Time | None) -> bool:
        """Tell whether a message may still show how mail passes over the connection at a time: none has passed, and it is neither closed nor over TLS."""
        facts, kept = self.around((time,))
        return not (self.closed or any(map(passes, kept)) or any(fact[CODE] == "tls_success" for fact in facts))

    def shed(self, used: Iterable[Time | None]) -> None:
        """Drop the facts on which no verdict on a message can rest any more. `used` (times of uses) is only read if the id was used more than once."""
        facts, self.kept = essential(self.facts, self.kept, used)
        self.facts = dict.fromkeys(facts)
        self.stretches = None
        self.limit = max(_LEAST, 2 * len(facts))


class OpenMessage:
    """What is known about one MID."""

    __slots__ = ("behind", "emitted", "ended", "expired", "facts", "fresh", "heritages", "past", "quarantined", "queue", "refs")

    def __init__(self) -> None:
        self.facts: dict[Fact, None] = {}
        self.fresh: list[Fact] = []
        """Late facts, which came after the message was emitted as finished."""
        self.refs: set[Ref] = set()
        """The ids that it needs for its record, or for those of its children."""
        self.ended: Time | None = None
        """When it ended, by the log's clock."""
        self.quarantined = False
        self.emitted = ""
        """`finished` or `unfinished` once its record was emitted."""
        self.heritages: Heritages | None = None
        """What the messages with this id that were emitted as finished pass on to their children: all that these need."""
        self.past: tuple[Time, Time] | None = None
        """The first and the last time of the facts when a message with this id was last emitted as finished."""
        self.behind: Time | None = None
        """By how many seconds its first line was late, if this may be a message that was forgotten; None: it is not."""
        self.expired = False
        self.queue = ""

    def mark(self, fact: Fact, now: Time) -> None:
        """Note what a fact changes about how long the message is held, before it is added."""
        if fact[CODE] in ENDS and self.ended is None:
            self.ended = now
        elif fact[CODE] == "message_quarantined":
            self.quarantined = True
        elif self.ended is not None and fact[CODE] == "message_started" and self.begins_anew(fact) and self._openings() < _MOST_OPENINGS:
            # the new one goes on
            self.ended = None

    def _openings(self) -> int:
        return sum(fact[CODE] in OPENS for fact in self.facts)

    def begins_anew(self, fact: Fact) -> bool:
        """Tell whether a fact begins another message with the same id."""
        if fact[CODE] not in OPENS or fact[TIME] is None:
            return False
        stamped = [other for other in self.facts if other[TIME] is not None]
        known = [other for other in stamped if other[CODE] in OPENS] or stamped[:1]
        return all(abs(fact[TIME] - other[TIME]) > (LATE_LINEAGE if MAKES & {fact[CODE], other[CODE]} else SAME_OPENING) for other in known)

    def goes_on(self) -> bool:
        """Tell whether it may go on although it is finished: in a quarantine, from which it was not delivered yet."""
        last = last_move(self.facts)
        return self.quarantined and last is not None and last[CODE] == "message_quarantined"

    def needed(self) -> set[Ref]:
        """Return the ids that it needs: none if all that its children need is known."""
        if self.emitted == "finished" and self.heritages is not None:
            return set()
        return {ref for fact in self.facts for ref in refs(fact)}

    def keep_essence(self, begins: Sequence[Time]) -> None:
        """Keep only the facts that distinguish the messages with this id. `begins` is when these begin; their heritages have the rest.

        Of one that may go on, it also matters when it was first seen, and that it was finished or delivered.
        """
        codes = {*OPENS, "message_quarantined", *(ENDS if begins or self.quarantined else ())}
        kept = [fact for fact in self.facts if fact[CODE] in codes]
        if self.quarantined:
            delivered = sorted((fact for fact in self.facts if fact[CODE] == "delivery_done"), key=order)
            # one of them shows that it does not go on
            kept += delivered if self.goes_on() else delivered[-1:]
        for own in split([*self.facts], begins).values():
            if self.quarantined or set(kept).isdisjoint(own):
                # of several in its first second, the opening: it is kept anyway
                kept.append(min(own, key=lambda fact: (fact[CODE] == "message_accepted", order(fact)[0], fact[CODE] not in OPENS, order(fact))))
        self.facts = dict.fromkeys(kept)

    def note_past(self) -> None:
        """Note the times of the first and the last line about what is being emitted."""
        times = [fact[TIME] for fact in self.facts if fact[TIME] is not None]
        self.past = (min(times), max(times)) if times else None

    def was_emitted(self, message: Message) -> bool:
        """Tell whether the record of one of the messages with this id was already emitted as finished."""
        if self.quarantined and self.past is not None and message.last is not None and message.last > self.past[1]:
            # it has gone on since
            return False
        opening = opening_of(message)
        if opening is not None:
            return self.heritages is not None and opening in self.heritages
        if self.past is None or message.first is None or message.last is None:
            return False
        return bool(message.first <= self.past[1] and message.last >= self.past[0])


class OpenHost:
    """What is held of one appliance."""

    __slots__ = ("connections", "holders", "messages")

    def __init__(self) -> None:
        self.connections: tuple[dict[str, OpenConnection], dict[str, OpenConnection]] = ({}, {})
        self.messages: dict[str, OpenMessage] = {}
        self.holders: dict[Ref, set[str]] = {}
        """By connection or message: the messages that need it."""

    def empty(self) -> bool:
        """Tell whether nothing is held."""
        return not (self.messages or self.connections[0] or self.connections[1])

    def bears_witness(self) -> bool:
        """Tell whether all that is held comes from elsewhere than the text log."""
        items: list[OpenConnection | OpenMessage] = [*self.messages.values(), *self.connections[0].values(), *self.connections[1].values()]
        return all(bears_witness(fact) for item in items for fact in item.facts)

    def connection(self, side: int, key: str) -> OpenConnection:
        """Return what is held of a connection; if it is not known, it is held from now on."""
        item = self.connections[side].get(key)
        if item is None:
            item = self.connections[side][key] = OpenConnection()
        return item

    def users(self, side: int, key: str) -> Iterable[str]:
        """Return the messages that need a connection."""
        return self.holders.get((side, key), ())

    def children(self, mid: str) -> Iterable[str]:
        """Return the messages that need this one."""
        return self.holders.get((MESSAGES, mid), ())

    def shed(self, side: int, key: str, item: OpenConnection) -> None:
        """Drop the facts of a connection on which nothing rests."""
        looked_at: list[int] = []
        item.shed(self._used(side, key, looked_at))
        item.limit = max(item.limit, sum(looked_at))

    def _used(self, side: int, key: str, looked_at: list[int]) -> Iterator[Time | None]:
        """Yield the times at which messages that need a connection name it; add to `looked_at` how many facts of each were read for that."""
        for mid in self.users(side, key):
            facts = self.messages[mid].facts
            looked_at.append(len(facts))
            yield from (fact[TIME] for fact in facts if (side, key) in refs(fact))

    def accept_parents(self, item: OpenMessage) -> None:
        """Keep that the messages that one was made from were accepted; it will not need them any more, nor show it."""
        for fact in item.facts:
            parent = self.messages.get(fact[PARENT]) if fact[CODE] in MAKES - INTERNAL else None
            if parent is not None and parent.behind is None and parent.emitted != "finished":
                parent.facts["message_accepted", fact[TIME], fact[PARENT], None] = None

    def hold(self, key: str, item: OpenMessage, ref: Ref) -> None:
        """Note that a message needs a connection, or another message."""
        if ref not in item.refs and not (ref[0] == MESSAGES and self._is_made_from(ref[1], key)):
            item.refs.add(ref)
            self.holders.setdefault(ref, set()).add(key)

    def _is_made_from(self, mid: str, key: str) -> bool:
        """Tell whether a message was made from another one, directly or not: two that need each other would never be forgotten.

        The search goes from both ends in turn: if lines come in order, one of them is soon reached.
        """
        if mid == key:
            return True
        above, below = {mid}, {key}
        climbing, descending = [mid], [key]
        while climbing and descending:
            one, other = climbing.pop(), descending.pop()
            parents = {parent for store, parent in self.messages[one].refs if store == MESSAGES} if one in self.messages else set()
            for found, known, opposite, todo in ((parents, above, below, climbing), (self.children(other), below, above, descending)):
                new = [mid for mid in found if mid not in known]
                if not opposite.isdisjoint(new):
                    return True
                known.update(new)
                todo.extend(new)
        return False

    def release(self, key: str, needed: Iterable[Ref]) -> list[Ref]:
        """Note that a message no longer needs some ids; return those that nothing needs now."""
        free = []
        for ref in sorted(needed):
            holders = self.holders[ref]
            holders.discard(key)
            if not holders:
                del self.holders[ref]
                free.append(ref)
        return free
