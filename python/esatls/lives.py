"""Ids are reused after a counter reset: the facts of one id are split into lives.

A life begins at an opening line (`New SMTP …`, `Start MID …`, a line that makes a message), or after a
silence that no connection and no message lasts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from esatls.clock import Time
    from esatls.facts import Fact

SAME_OPENING = 5
"""Seconds within which two opening lines are one opening: two collectors' stamps, a start and its lineage line."""
CONNECTION_SILENCE = 24 * 3600
"""Seconds after which lines about one connection id are about another connection."""
MESSAGE_SILENCE = 180 * 24 * 3600
"""Likewise for messages: quarantines keep them for months."""


def starts(facts: Sequence[Fact], openings: frozenset[str], silence: Time, uses: Sequence[Time] = ()) -> list[Time]:
    """Return the times at which the lives of one id begin, ascending; one life that begins at -inf is not listed.

    `facts` are of one id, `uses` are further times at which others name it.
    """
    times: list[Time] = []
    opened: list[Time] = []
    for fact in facts:
        time = fact[1]
        if time is not None:
            times.append(time)
            if fact[0] in openings:
                opened.append(time)
    if opened and len(set(opened)) > 1:
        opened.sort()
        first = [opened[0]]
        for time in opened:
            if time - first[-1] > SAME_OPENING:
                first.append(time)
        opened = first
    elif opened:
        opened = opened[:1]
    times.extend(uses)
    short = not times or (len(opened) < 2 and max(times) - min(times) <= silence)
    # one opening in the middle of a short life: lines of one second may come before it
    if short and (not opened or min(times) >= opened[0] - SAME_OPENING):
        return []
    begins = {time - SAME_OPENING for time in opened}
    times.sort()
    for before, after in zip(times, times[1:]):
        if after - before > silence:
            begins.add(after)
    # a silence that ends with an opening is one beginning
    return sorted(time for time in begins if not any(time < other <= time + SAME_OPENING for other in begins))


def life_at(begins: Sequence[Time], time: Time | None) -> int:
    """Return the number of the life that a time falls into: 0 is before the first of `begins`."""
    if time is None:
        return 0 if not begins else 1
    life = 0
    for begin in begins:
        if time < begin:
            break
        life += 1
    return life


def split(facts: Sequence[Fact], begins: Sequence[Time]) -> dict[int, list[Fact]]:
    """Return the facts of each life, by its number."""
    if not begins:
        return {0: list(facts)}
    lives: dict[int, list[Fact]] = {}
    for fact in facts:
        lives.setdefault(life_at(begins, fact[1]), []).append(fact)
    return lives
