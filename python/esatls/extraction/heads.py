"""Envelopes -> heads: time, appliance, subscription and level, each read once for all lines that begin alike."""

from __future__ import annotations

from typing import Any

from esatls.lines import envelope
from esatls.lines.clock import END_OF_TIME, FIRST_TIME, Clock, Time, rfc3339

MOST_HEADS = 10_000
"""Envelopes kept; a log of one second after another needs few."""

_SIXTY = {f":{number:02}": number for number in range(60)}
"""Minutes or seconds, as they stand in every kind of stamp."""


class Head:
    """The envelope of one or many lines, read: time, appliance, subscription, level."""

    __slots__ = ("base", "host", "level", "log", "store", "time")

    def __init__(self, time: Time | None, host: str | None, log: str | None, level: str | None) -> None:
        self.time = time
        self.host = host
        self.log = log
        self.level = level
        self.base: dict[str, Any]
        """The fields that the envelope gives an event."""
        self.store: Any = None
        """Room for the consumer."""

    def __getattr__(self, name: str) -> Any:
        # `base`, when it is first asked for: facts do without
        if name != "base":
            raise AttributeError(name)
        base: dict[str, Any] = {}
        if self.time is not None:
            base["time"] = rfc3339(self.time)
        if self.host:
            base["esa_host"] = self.host
        if self.log:
            base["esa_log"] = self.log
        if self.level:
            base["esa_level"] = self.level
        self.base = base
        return base


class _Hour:
    """An envelope without its minutes and seconds: most new ones differ in nothing else."""

    __slots__ = ("after", "at", "before", "head", "naming", "time")

    def __init__(self, before: str, after: str, time: Time, head: Head) -> None:
        self.before = before
        self.after = after
        self.at = len(before)
        self.time = time
        self.head = head
        self.naming = envelope.naming(envelope.Envelope(envelope.STAMPED, len(after), log=head.log), after)

    @classmethod
    def of(cls, prefix: str, stamp: str, head: Head) -> _Hour | None:
        """Return the hour of an envelope; None where a fraction or a second stamp would have to agree."""
        at = prefix.rfind(stamp) + stamp.find(":")
        minute, second = _SIXTY.get(prefix[at : at + 3]), _SIXTY.get(prefix[at + 3 : at + 6])
        if prefix.count(":", 0, at) or minute is None or second is None or head.time is None or "." in stamp or "," in stamp:
            return None
        # of the first and the last hour, a part may lie outside of all dates
        if not FIRST_TIME + 3600 <= head.time < END_OF_TIME - 3600:
            return None
        return cls(prefix[:at], prefix[at + 6 :], head.time - minute * 60 - second, head)

    def head_of(self, prefix: str) -> Head | None:
        """Return the head of an envelope of this hour; None for any other."""
        at = self.at
        minute, second = _SIXTY.get(prefix[at : at + 3]), _SIXTY.get(prefix[at + 3 : at + 6])
        if minute is None or second is None or not prefix.startswith(self.before) or prefix[at + 6 :] != self.after:
            return None
        head = self.head
        return Head(self.time + minute * 60 + second, head.host, head.log, head.level)


class Heads:
    """The heads of one log; `host`, `log` and `level` are those of lines that do not say, and so is `time`."""

    __slots__ = ("_weak", "clock", "host", "hour", "length", "level", "log", "span", "time", "whole")

    def __init__(self, clock: Clock, host: str | None, log: str | None, level: str | None) -> None:
        self.clock = clock
        self.host = host
        self.log = log
        self.level = level
        self.time: Time | None = None
        self.whole: dict[str, Head] = {}
        """Heads by the literal text of the envelope, where that is whole."""
        self.length = 0
        """Length of the latest whole envelope: lines of one log mostly share it."""
        self.hour: _Hour | None = None
        self.span: list[Time] = []
        """The first and the last time of its lines, once there is one; shared with the readers of what its records hold."""
        self._weak: dict[str, Head] = {}

    def of(self, env: envelope.Envelope, line: str) -> Head:
        """Return the head of a line."""
        whole = is_whole(env, line)
        heads = self.whole if whole else self._weak
        prefix = line[: env.end]
        head = heads.get(prefix)
        if head is None:
            time = self.clock.read(env.stamp) if env.stamp else self.time
            head = Head(time, env.host or self.host, env.log or self.log, env.level or self.level)
            self._remember(heads, prefix, head)
            if whole and env.stamp and time is not None:
                self.hour = _Hour.of(prefix, env.stamp, head)
        if whole:
            self.length = env.end
        return head

    def same_hour(self, prefix: str, naming: int) -> Head | None:
        """Return the head of an envelope that differs from a known one in minutes and seconds alone.

        None where it has a host and names its log less well than `naming`: such a line may be the rest of another one.
        """
        hour = self.hour
        head = None if hour is None or (hour.head.host and hour.naming < naming) else hour.head_of(prefix)
        if head is not None:
            self._remember(self.whole, prefix, head)
        return head

    def _remember(self, heads: dict[str, Head], prefix: str, head: Head) -> None:
        """Keep a head, and start over when there are many: memory must not grow with the log."""
        if len(heads) >= MOST_HEADS:
            heads.clear()
        heads[prefix] = head
        time = head.time
        if time is None:
            return
        if not self.span:
            self.span += [time, time]
        elif time > self.span[1]:
            self.span[1] = time
        elif time < self.span[0]:
            self.span[0] = time

    def set_time(self, time: Time | None) -> None:
        """Say when the lines without a stamp were written."""
        self.time = time
        self._weak.clear()

    def set_clock(self, clock: Clock) -> None:
        """Read stamps with another clock, or with one that was changed: the same text may mean another time now."""
        self.clock = clock
        self.whole.clear()
        self._weak.clear()
        self.hour = None


def is_whole(env: envelope.Envelope, line: str) -> bool:
    """Tell whether an envelope says all that decides where the text starts: up to the level, and the space behind it."""
    return env.rank == envelope.STAMPED and env.level is not None and line[env.end - 1] == " "
