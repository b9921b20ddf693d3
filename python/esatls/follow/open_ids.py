"""What is held of each id: facts, and who needs them. One `OpenHost` an appliance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from esatls.extraction.fact_types import CODE, KEY, MESSAGES, TIME
from esatls.verdicts.closure import ENDS, OPENED, decisive, essential
from esatls.verdicts.facts import OPENS, bears_witness, passes, refs
from esatls.verdicts.heritage import opening_of
from esatls.verdicts.lives import CONNECTION_SILENCE, SAME_OPENING, split, starts

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from esatls.extraction.fact_types import Fact
    from esatls.lines.clock import Time
    from esatls.verdicts.facts import Ref
    from esatls.verdicts.heritage import Heritages
    from esatls.verdicts.message import Message

_FEW = 6
"""Uses of one connection that are not looked through for what can go."""
_LEAST = 64
"""Facts of one connection that are not looked through for what can go."""


class OpenConnection:
    """What is known of one ICID or DCID."""

    __slots__ = ("closed", "expired", "facts", "kept", "limit", "most_kept", "queue")

    def __init__(self) -> None:
        self.facts: dict[Fact, None] = {}
        self.kept: list[Fact] = []
        """Facts of messages that name it: those that matter to the others (`closure.decisive`), and the last few."""
        self.most_kept = _FEW
        self.closed = False
        self.expired = False
        """Its time is over: it goes with the last message that names it."""
        self.limit = _LEAST
        """Facts from which on it is looked through."""
        self.queue = ""

    def add(self, fact: Fact) -> None:
        """Take what a line says of it."""
        self.facts[fact] = None
        if fact[CODE] == "connection_closed":
            self.closed = True
        elif fact[CODE] == "connection_opened":
            self.closed = False

    def use(self, fact: Fact) -> None:
        """Note that a message names it."""
        self.kept.append(fact)
        if len(self.kept) > self.most_kept:
            begins = starts([*self.facts, *self.kept], OPENED, CONNECTION_SILENCE)
            self.kept = decisive(self.kept, begins)
            self.most_kept = max(_FEW, 2 * len(self.kept))

    def has_passed(self) -> bool:
        """Tell whether a message passed over it."""
        return any(passes(fact) for fact in self.kept)

    def shed(self, used: Iterable[Time | None], holders: int) -> None:
        """Let go of the facts that no verdict on a message can rest on any more."""
        facts, self.kept = essential(self.facts, self.kept, used)
        self.facts = dict.fromkeys(facts)
        self.limit = max(_LEAST, 2 * len(facts), holders)


class OpenMessage:
    """What is known of one MID."""

    __slots__ = ("behind", "emitted", "ended", "expired", "facts", "fresh", "heritages", "past", "quarantined", "queue", "refs")

    def __init__(self) -> None:
        self.facts: dict[Fact, None] = {}
        self.fresh: list[Fact] = []
        """Late ones: they came after it was emitted as finished."""
        self.refs: set[Ref] = set()
        """What it needs for its record, or for its children's."""
        self.ended: Time | None = None
        """When it ended, by the log's clock."""
        self.quarantined = False
        self.emitted = ""
        """`finished` or `unfinished` once its record was emitted."""
        self.heritages: Heritages | None = None
        """Of the messages with this id that were emitted as finished: all that their children need."""
        self.past: tuple[Time, Time] | None = None
        """First and last time of what was emitted of the message before with this id."""
        self.behind: Time | None = None
        """How late its first line came, where that is a line of a message which may have been forgotten; None once it is known that it was not."""
        self.expired = False
        self.queue = ""

    def mark(self, fact: Fact, now: Time) -> None:
        """Note what a fact changes in how long it is held."""
        if fact[CODE] in ENDS and self.ended is None:
            self.ended = now
        elif fact[CODE] == "message_quarantined":
            self.quarantined = True

    def begins_anew(self, fact: Fact) -> bool:
        """Tell whether a fact begins another message with the same id."""
        if fact[CODE] not in OPENS or fact[TIME] is None:
            return False
        known = [other[TIME] for other in self.facts if other[CODE] in OPENS and other[TIME] is not None]
        known = known or [other[TIME] for other in self.facts if other[TIME] is not None][:1]
        return all(abs(fact[TIME] - time) > SAME_OPENING for time in known)

    def needed(self) -> set[Ref]:
        """Return what it needs: nothing where all that its children ask for is known."""
        if self.emitted == "finished" and self.heritages is not None:
            return set()
        return {ref for fact in self.facts for ref in refs(fact)}

    def keep_essence(self, begins: Sequence[Time]) -> None:
        """Keep the facts that tell it from others with the same id, which begin at some times: its heritage has the rest."""
        kept = [fact for fact in self.facts if fact[CODE] in OPENS or fact[CODE] == "message_quarantined" or (begins and fact[CODE] in ENDS)]
        for own in split([*self.facts], begins).values():
            if set(kept).isdisjoint(own):
                kept.append(own[0])
        self.facts = dict.fromkeys(kept)

    def note_past(self) -> None:
        """Note from when to when there are lines about what is emitted now."""
        times = [fact[TIME] for fact in self.facts if fact[TIME] is not None]
        self.past = (min(times), max(times)) if times else None

    def was_emitted(self, message: Message) -> bool:
        """Tell whether the record of one of the messages with this id was emitted as finished before."""
        opening = opening_of(message)
        if opening is not None:
            return self.heritages is not None and opening in self.heritages
        if self.past is None or message.first is None or message.last is None:
            return False
        return bool(message.first <= self.past[1] and message.last >= self.past[0])


class OpenHost:
    """What is held of one appliance: what `closure.together` asks for."""

    __slots__ = ("connections", "holders", "messages")

    def __init__(self) -> None:
        self.connections: tuple[dict[str, OpenConnection], dict[str, OpenConnection]] = ({}, {})
        self.messages: dict[str, OpenMessage] = {}
        self.holders: dict[Ref, set[str]] = {}
        """Messages that need a connection or a message."""

    def empty(self) -> bool:
        """Tell whether nothing is held."""
        return not (self.messages or self.connections[0] or self.connections[1])

    def bears_witness(self) -> bool:
        """Tell whether all that is held comes from elsewhere than the text log."""
        items: list[OpenConnection | OpenMessage] = [*self.messages.values(), *self.connections[0].values(), *self.connections[1].values()]
        return all(bears_witness(fact) for item in items for fact in item.facts)

    def connection(self, side: int, key: str) -> OpenConnection:
        """Return what is held of a connection, from now on if nothing was."""
        item = self.connections[side].get(key)
        if item is None:
            item = self.connections[side][key] = OpenConnection()
        return item

    def facts(self, store: int, key: str) -> Collection[Fact]:
        """Return the facts of an id."""
        item: OpenConnection | OpenMessage | None = self.messages.get(key) if store == MESSAGES else self.connections[store].get(key)
        return () if item is None else item.facts

    def names(self, mid: str) -> Iterable[Ref]:
        """Return what a message needs."""
        return self.messages[mid].refs

    def users(self, side: int, key: str) -> Iterable[str]:
        """Return the messages that need a connection."""
        return self.holders.get((side, key), ())

    def beside(self, side: int, key: str) -> dict[str, Collection[Fact]]:
        """Return what is kept of the messages on a connection."""
        item = self.connections[side].get(key)
        found: dict[str, Collection[Fact]] = {}
        for use in () if item is None else item.kept:
            found[use[KEY]] = [*found.get(use[KEY], ()), use]
        return found

    def children(self, mid: str) -> Iterable[str]:
        """Return the messages that need this one."""
        return self.holders.get((MESSAGES, mid), ())

    def uses(self, side: int, key: str) -> set[Time | None]:
        """Return the times at which messages that need a connection name it."""
        return {fact[TIME] for mid in self.users(side, key) for fact in self.messages[mid].facts if (side, key) in refs(fact)}

    def hold(self, key: str, item: OpenMessage, ref: Ref) -> None:
        """Note that a message needs a connection, or another message."""
        if ref not in item.refs and not (ref[0] == MESSAGES and self._is_made_from(ref[1], key)):
            item.refs.add(ref)
            self.holders.setdefault(ref, set()).add(key)

    def _is_made_from(self, mid: str, key: str) -> bool:
        """Tell whether a message was made from another one, by whatever steps: two that need each other would never be forgotten.

        Both ends are looked from in turn: one of them is near wherever lines come in order.
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
        """Note that a message needs some no longer; return those that nothing needs now."""
        free = []
        for ref in sorted(needed):
            holders = self.holders[ref]
            holders.discard(key)
            if not holders:
                del self.holders[ref]
                free.append(ref)
        return free
