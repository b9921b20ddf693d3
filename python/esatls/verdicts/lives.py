"""Ids are reused after a counter reset: the facts of one id are split into lives.

A life begins at an opening line (`New SMTP …`, `Start MID …`, a line that makes a message), or after a
silence that is too long for one connection or message.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import TYPE_CHECKING

from esatls.extraction.fact_types import CEF, CODE, MAKES, PEER, TIME, MessageRecipient, MessageSender, position
from esatls.verdicts.facts import LONG_AGO, MENTIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from esatls.extraction.fact_types import Fact
    from esatls.lines.clock import Time

_ICID = position("icid", MessageSender, MessageRecipient)

SAME_OPENING = 5
"""Seconds within which two opening lines are one opening: with the timestamps of two collectors, or a start and its lineage line."""
LATE_LINEAGE = 60
"""The same if one is a lineage line: Cisco writes it after lines that already use the new id."""
CONNECTION_SILENCE = 24 * 3600
"""Seconds of silence after which lines about a connection id are about another connection."""
MESSAGE_SILENCE = 180 * 24 * 3600
"""The same for messages: quarantines keep them for months."""
FINISHED_SILENCE = 24 * 3600
"""The same for messages that were finished and not in a quarantine before, from which even a finished one may be delivered; and before lines of receiving."""

OPENED = frozenset({"connection_opened"})
"""Codes of facts that a connection begins with."""


def starts_of_connection(facts: Iterable[Fact], uses: Iterable[Fact]) -> list[Time]:
    """Return the times at which the lives of one connection id begin, from its facts and those of messages that name it."""
    return starts([*facts, *uses], OPENED, CONNECTION_SILENCE)


def starts(facts: Sequence[Fact], openings: frozenset[str], silence: Time) -> list[Time]:
    """Return the times at which the lives of one id begin, ascending; a life that begins at -inf is not listed.

    `facts` are those of one id, and those that name it.
    """
    times: list[Time] = []
    spoken: list[Time] = []
    opened: list[tuple[Time, bool, str]] = []
    ended: list[Time] = []
    rested: list[Time] = []
    received: set[Time] = set()
    for fact in facts:
        code, time = fact[CODE], fact[TIME]
        if time is not None:
            times.append(time)
            # a consolidated event is written when its message leaves, perhaps days after the connection
            if fact[-1] != CEF:
                spoken.append(time)
            if code in openings:
                opened.append((time, code in MAKES, (fact[PEER] or "") if code == "connection_opened" else ""))
            elif code == "message_finished":
                ended.append(time)
            elif code == "message_quarantined":
                rested.append(time)
            elif code in MENTIONS and fact[_ICID] not in (None, "0"):
                received.add(time)
    if not times:
        return []
    opened.sort()
    begins = _openings(opened)
    spoken.sort()
    ended.sort()
    rested.sort()
    began = [time for time, _, _ in opened]
    silences = [
        after
        for before, after in zip(spoken, spoken[1:])
        if after - before > silence
        or (after - before > FINISHED_SILENCE and (after in received or (_is_over(before, ended, began) and not _rests(before, rested, begins))))
    ]
    # lines of its second may come before the only opening
    if not silences and len(begins) < 2 and (not begins or min(times) >= begins[0]):
        return []
    # a silence that ends with an opening is one beginning
    return sorted([*begins, *(time for time in silences if time - _latest(begins, time) > LATE_LINEAGE)])


def _openings(opened: list[tuple[Time, bool, str]]) -> list[Time]:
    """Return when lives begin, by their opening lines: of each the time, whether it is a lineage line, which may be late, and the peer."""
    begins: list[Time] = []
    first = start = None
    peer = ""
    for time, late, theirs in opened:
        other = bool(peer and theirs and peer != theirs)
        if first is None or other or (time - first > LATE_LINEAGE if late or start is None else time - start > SAME_OPENING):
            # openings by two peers are two connections, however close; lines between them belong to the earlier one
            if first is not None and other and time - first <= LATE_LINEAGE:
                begins.append(math.floor(time) if math.floor(time) > first else time)
            else:
                begins.append(time - (LATE_LINEAGE if late else SAME_OPENING))
            first, start, peer = time, None, theirs
        if not late and start is None:
            start = time
    return begins


def _latest(times: Sequence[Time], time: Time) -> Time:
    """Return the latest of ascending times up to one; -inf if there is none."""
    at = bisect_right(times, time)
    return times[at - 1] if at else LONG_AGO


def _is_over(time: Time, ended: Sequence[Time], began: Sequence[Time]) -> bool:
    """Tell whether a message was finished by a time, and not opened since."""
    end = _latest(ended, time)
    return end != LONG_AGO and _latest(began, time) <= end


def _rests(time: Time, rested: Sequence[Time], begins: Sequence[Time]) -> bool:
    """Tell whether the message that has an id at a time was in a quarantine by then; a later line may be about another one, whose start is not in view."""
    known = _latest(rested, time)
    return known != LONG_AGO and known >= _latest(begins, time)


def life_at(begins: Sequence[Time], time: Time | None) -> int:
    """Return the number of the life that a time falls into: 0 is before the first of `begins`."""
    if time is None:
        return 0 if not begins else 1
    return bisect_right(begins, time)


def in_question(begins: Sequence[Time], times: Iterable[Time | None]) -> set[int]:
    """Return the numbers of the lives of an id into which some times fall; of an id that was used once, it is its life in any case."""
    return {life_at(begins, time) for time in times} if begins else {0}


def split(facts: Sequence[Fact], begins: Sequence[Time]) -> dict[int, list[Fact]]:
    """Return the facts of each life, by its number."""
    if not begins:
        return {0: list(facts)}
    lives: dict[int, list[Fact]] = {}
    for fact in facts:
        lives.setdefault(life_at(begins, fact[TIME]), []).append(fact)
    return lives
