"""The time that passes in a log, measured by its stamps alone.

Several appliances with different clocks may write one log; a clock may be set back, a stamp may be broken. What is measured is elapsed time: it never runs
backwards, and each appliance's stamps are shifted onto it.
"""

from __future__ import annotations

import time as wall
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from esatls.lines.clock import Time

AGREE = 60
"""Seconds by which the clock of an appliance that is new to the log may differ and still counts as right."""
BEHIND = 300
"""Seconds by which lines may be late; a clock that stays further behind was set back."""
LEAP = 3600
"""The longest step ahead, in seconds, that counts as elapsed time: with a longer one, the clock was set or the log was quiet, and its lines alone do not show
which."""
STEADY = 20
"""Consecutive lines of one appliance after which a clock that was set is believed."""
UNSTAMPED = 0.02
"""Seconds that pass with each event that has no time: fifty events a second."""
_DAY = 86400
_FARTHEST = 1e12
"""Seconds from 1970 that no stamp, and no time calculated from one, reaches."""


class LogClock:
    """Seconds since 1970 by the clock of the first appliance, moved on by every event."""

    def __init__(self) -> None:
        self.now: Time = 0
        self.stamp: Time = 0
        """The last stamp that was believed."""
        self.started = False
        self.shifts: dict[str, list[Time]] = {}
        """By appliance: seconds to add to its stamps, and how many lines in a row were far from the clock."""

    def see(self, host: str, stamp: Time | None, quiet: float = 0) -> None:
        """Move on to the stamp of an event (seconds since 1970; None if it has none), after the log was seen to be quiet for so many seconds."""
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
                # what one clock skips, all skip: usually the whole log was quiet
                for known in self.shifts.values():
                    known[0] -= at - self.now - passed
            self.now += passed
        shift[1] = 0
        self.stamp = stamp

    def behind(self, host: str, stamp: Time | None) -> Time:
        """Return by how many seconds a stamp of an appliance is behind now; 0 if there is no stamp."""
        return 0 if stamp is None or host not in self.shifts else self.now - stamp - self.shifts[host][0]

    def forget(self, host: str) -> None:
        """Forget an appliance of which nothing is open."""
        self.shifts.pop(host, None)

    def rename(self, host: str, name: str) -> None:
        """Give an appliance another name."""
        if host in self.shifts:
            self.shifts[name] = self.shifts.pop(host)

    def state(self) -> dict[str, Any]:
        """Return the whole state, for a checkpoint."""
        return {"now": self.now, "stamp": self.stamp, "started": self.started, "shifts": {host: [*shift] for host, shift in self.shifts.items()}}

    def restore(self, state: dict[str, Any]) -> None:
        """Restore what `state` returned. Raises `ValueError`, `TypeError` or `LookupError` if it is not valid."""
        self.now, self.stamp, self.started = moment(state["now"]), moment(state["stamp"]), bool(state["started"])
        self.shifts = {str(host): [moment(shift), int(far)] for host, (shift, far) in state["shifts"].items()}


def moment(value: Any) -> Time:
    """Return a number of seconds from a checkpoint. Raises `ValueError` if it is not one."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not -_FARTHEST < value < _FARTHEST:
        raise ValueError("no time")
    return value
