"""Finds those held facts that are needed to judge a message: `closure.together` asks for them."""

from __future__ import annotations

import math
from itertools import islice
from typing import TYPE_CHECKING

from esatls.extraction.fact_types import CODE, KEY, MAKES, MESSAGES, PARENT, TIME
from esatls.verdicts.facts import INTERNAL, LONG_AGO, OPENS, refs
from esatls.verdicts.lives import LATE_LINEAGE
from esatls.verdicts.message import Message

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from esatls.extraction.fact_types import Fact
    from esatls.follow.open_ids import OpenHost
    from esatls.lines.clock import Time
    from esatls.verdicts.facts import Ref


class NeededFacts:
    """What is held of one appliance, as one message needs it: of connection ids that were used often, only what is near its time."""

    def __init__(self, held: OpenHost) -> None:
        self.held = held
        self._times: dict[Ref, list[Time | None]] = {}

    def facts(self, store: int, key: str) -> Collection[Fact]:
        """Return the facts of an id."""
        if store == MESSAGES:
            message = self.held.messages.get(key)
            return () if message is None else message.facts
        connection = self.held.connections[store].get(key)
        return () if connection is None else connection.around(self._times.get((store, key), ()))[0]

    def names(self, mid: str) -> Iterable[Ref]:
        """Return the ids that a message needs."""
        item = self.held.messages[mid]
        for fact in item.facts:
            for ref in refs(fact):
                if ref[0] != MESSAGES:
                    self._times.setdefault(ref, []).append(fact[TIME])
        return item.refs

    def users(self, side: int, key: str) -> Iterable[str]:
        """Return the messages that need a connection."""
        return self.held.users(side, key)

    def beside(self, side: int, key: str) -> dict[str, Collection[Fact]]:
        """Return the facts that are kept of the messages on a connection."""
        item = self.held.connections[side].get(key)
        found: dict[str, list[Fact]] = {}
        for use in () if item is None else item.around(self._times.get((side, key), ()))[1]:
            found.setdefault(use[KEY], []).append(use)
        for user, uses in found.items():
            # consolidated events of a message that was made from another one say nothing about its own connection
            message = self.held.messages.get(user)
            uses.extend(fact for fact in (() if message is None else message.facts) if fact[CODE] in MAKES)
        return {**found}

    def children(self, mid: str) -> Iterable[str]:
        """Return the messages that were made from a message; some need an earlier one with its id, which is forgotten.

        They show that it was accepted, which only matters if another line says that it was given up; then, one of them is enough.
        """
        children = self.held.children(mid)
        item = self.held.messages.get(mid)
        facts = [] if item is None else [*item.facts]
        if facts and children:
            message = Message(facts)
            if not message.gave_up:
                return ()
            if message.one_life:
                return islice((child for child in children if self._carries(child, mid) and not message.made_after(self._made_from(child, mid))), 1)
        begun = LONG_AGO
        if any(fact[CODE] in OPENS for fact in facts):
            begun = min((fact[TIME] for fact in facts if fact[TIME] is not None), default=LONG_AGO)
        return [child for child in children if self._made_from(child, mid) >= begun - LATE_LINEAGE]

    def _carries(self, child: str, mid: str) -> bool:
        """Tell whether a message carries the content of another one, and so shows that this was accepted."""
        return any(fact[CODE] in MAKES - INTERNAL and fact[PARENT] == mid for fact in self.held.messages[child].facts)

    def _made_from(self, child: str, mid: str) -> Time:
        """Return the latest time at which a message was made from another one; without a time, it may be now."""
        times = [fact[TIME] for fact in self.held.messages[child].facts if fact[CODE] in MAKES and fact[PARENT] == mid]
        return math.inf if None in times else max(times, default=math.inf)
