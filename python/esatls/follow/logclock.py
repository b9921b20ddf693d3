"""The time that has passed in a log, by its stamps alone.

Several appliances may write one log, their clocks apart; a clock may be set back, a stamp may be broken. What is
measured is elapsed time: it never runs backwards, and each appliance's stamps are shifted onto it.
"""

from __future__ import annotations

import time as wall
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from esatls.lines.clock import Time

AGREE = 60
"""Seconds within which the clock of an appliance that is new to the log is taken to be right."""
BEHIND = 300
"""Seconds that lines may come late; a clock further back was set back, if it stays there."""
LEAP = 3600
"""The longest step ahead that passes as time: behind a longer one the clock was set, or the log was quiet, and its lines alone do not tell which."""
STEADY = 20
"""Lines of one appliance, one after another, after which a clock is believed that was set."""
UNSTAMPED = 0.02
"""Seconds that pass with an event that has no time: fifty a second."""
_DAY = 86400
_FARTHEST = 1e12
"""No stamp, and nothing that is counted from one, is as far from 1970."""


class LogClock:
    """Seconds since 1970 as the first appliance counts them, moved on by every event."""

    def __init__(self) -> None:
        self.now: Time = 0
        self.stamp: Time = 0
        """The last stamp that was believed."""
        self.started = False
        self.shifts: dict[str, list[Time]] = {}
        """By appliance: seconds to add to its stamps, and how many lines in a row were far from the clock."""

    def see(self, host: str, stamp: Time | None, quiet: float = 0) -> None:
        """Move on to the stamp of an event (seconds since 1970, None if it has none), after so many seconds that the log was seen to be quiet."""
        if stamp is None:
            self.now += UNSTAMPED
            return
        shift = self.shifts.get(host)
        if shift is None:
            if not self.started:
                self.started = True
                self.now = self.now or stamp
            away = self.now - stamp
            shift = self.shifts[host] = [0 if -AGREE <= away <= AGREE else away, 0]
        at = stamp + shift[0]
        if at < self.now - BEHIND or (at > self.now + LEAP and stamp > wall.time() + _DAY):
            shift[1] += 1
            if shift[1] < STEADY:
                return
            shift[0] = self.now - stamp
        elif at > self.now:
            passed = min(at - self.now, max(LEAP, quiet))
            if at > self.now + passed:
                # what one clock skips, all do: mostly it was the whole log that was quiet
                for known in self.shifts.values():
                    known[0] -= at - self.now - passed
            self.now += passed
        shift[1] = 0
        self.stamp = stamp

    def behind(self, host: str, stamp: Time | None) -> Time:
        """Return how many seconds a stamp of an appliance lies before now; 0 if it has none."""
        return 0 if stamp is None or host not in self.shifts else self.now - stamp - self.shifts[host][0]

    def forget(self, host: str) -> None:
        """Forget an appliance of which nothing is open."""
        self.shifts.pop(host, None)

    def rename(self, host: str, name: str) -> None:
        """Call an appliance by another name."""
        if host in self.shifts:
            self.shifts[name] = self.shifts.pop(host)

    def state(self) -> dict[str, Any]:
        """Return all there is to know, for a checkpoint."""
        return {"now": self.now, "stamp": self.stamp, "started": self.started, "shifts": self.shifts}

    def restore(self, state: dict[str, Any]) -> None:
        """Take what `state` returned; `ValueError`, `TypeError` or `LookupError` if it is no such thing."""
        self.now, self.stamp, self.started = moment(state["now"]), moment(state["stamp"]), bool(state["started"])
        self.shifts = {str(host): [moment(shift), int(far)] for host, (shift, far) in state["shifts"].items()}


def moment(value: Any) -> Time:
    """Return a number of seconds that stood in a checkpoint; `ValueError` if it is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not -_FARTHEST < value < _FARTHEST:
        raise ValueError("no time")
    return value
