"""The lines about one connection id and the messages on it, cut into stretches where a new connection certainly begins.

A message that stays open for weeks may keep thousands of connections with one id. Meanwhile, messages are judged by the stretches near them in time.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from esatls.extraction.fact_types import CODE, PEER, TIME
from esatls.verdicts.facts import bears_witness, order
from esatls.verdicts.lives import OPENED, SAME_OPENING, starts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from esatls.extraction.fact_types import Fact
    from esatls.lines.clock import Time

_ANY_SILENCE = float("inf")

Part = tuple[list["Fact"], list["Fact"]]


class Stretches:
    """Facts and uses of one id. Each stretch but the first goes from an opening line with which a life certainly begins: after all earlier ones.

    Where the next life begins is then decided by this opening line and later ones. So some stretches in a row give the same lives by themselves as they do
    among all others.
    """

    __slots__ = ("cuts", "last", "opened", "parts")

    def __init__(self, facts: Iterable[Fact], uses: Iterable[Fact]) -> None:
        self.cuts: list[Time] = []
        """When each stretch but the first begins."""
        self.parts: list[Part] = [([], [])]
        self.opened: list[Fact] = []
        """Opening lines of the last stretch."""
        self.last = float("-inf")
        """The time of the latest of these."""
        for fact in sorted(facts, key=order):
            self.add(fact)
        for use in uses:
            self.use(use)

    @staticmethod
    def has_place(fact: Fact) -> bool:
        """Tell whether the time of a fact is when it happened: it has a stamp, and does not come from a record, which is only written when a message leaves."""
        return fact[TIME] is not None and not bears_witness(fact)

    def add(self, fact: Fact) -> bool:
        """Add a line about the connection; return False if all must be cut again."""
        time = fact[TIME]
        if not self.has_place(fact):
            return False
        if fact[CODE] in OPENED:
            if self.cuts and (time, bool(fact[PEER])) < (self.opened[0][TIME], bool(self.opened[0][PEER])):
                return False
            if self.opened and time > self.last and (time > self.last + SAME_OPENING or fact[PEER] != self.opened[-1][PEER]):
                self._cut([*self.opened, fact])
            self.opened.append(fact)
            self.last = max(self.last, time)
        self._part(time)[0].append(fact)
        return True

    def use(self, use: Fact) -> bool:
        """Add a line about a message that names the connection; return False if all must be cut again."""
        if self.has_place(use):
            self._part(use[TIME])[1].append(use)
            return True
        return False

    def _cut(self, opened: list[Fact]) -> None:
        """Begin another stretch with the last of some opening lines, if a life begins with it and none of the others."""
        begins = starts(opened, OPENED, _ANY_SILENCE)
        cut = begins[-1] if begins else self.last
        if cut <= self.last:
            return
        part = self.parts[-1]
        behind: Part = ([], [])
        for some, later in zip(part, behind):
            later += [fact for fact in some if fact[TIME] >= cut]
            some[:] = [fact for fact in some if fact[TIME] < cut]
        self.cuts.append(cut)
        self.parts.append(behind)
        self.opened = []

    def _part(self, time: Time) -> Part:
        return self.parts[bisect_right(self.cuts, time)]

    def around(self, first: Time, last: Time) -> Part:
        """Return facts and uses of the stretches between two times, and of one more on each side, which shows where they end."""
        low, high = bisect_right(self.cuts, first), bisect_right(self.cuts, last)
        facts: list[Fact] = []
        uses: list[Fact] = []
        for part in self.parts[max(0, low - 1) : high + 2]:
            facts += part[0]
            uses += part[1]
        return facts, uses
