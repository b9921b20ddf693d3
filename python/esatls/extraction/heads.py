"""Envelopes -> heads: time, appliance, subscription and level. An envelope is read once for all lines that have it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from esatls.lines import envelope
from esatls.lines.clock import END_OF_TIME, FIRST_TIME, Clock, Time, rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_HEADS = 10_000
"""Maximum envelopes kept; a log in order of time needs few."""

_COUNTED = re.compile(r"(?P<number>\d{1,6}) <\d{1,3}>", re.ASCII)
"""An octet count in front of a priority."""
_COUNTED_LEAD = re.compile(r"(?:\s*|.*[:-])(?P<number>\d{1,9})[:\t-]\Z", re.ASCII | re.DOTALL)
"""What a tool put in front of a header, with the number of the line at its end."""
_MINUTES = re.compile(r":\d\d:\d\d(?:(?:\\\.|,)\d{1,9})?", re.ASCII)
"""The minutes, seconds and fraction of a stamp, in an escaped text."""
_WITH_FRACTION = re.compile(r":\d\d:\d\d[.,]\d{1,9}", re.ASCII)
_FRACTION = re.compile(r"(?:[.,]\d{1,9})?", re.ASCII)
_SIXTY = {f":{number:02}": number for number in range(60)}
"""Minutes or seconds, as in every kind of stamp."""


class Head:
    """What the envelope of one or many lines says: time, appliance, subscription, level."""

    __slots__ = ("base", "host", "level", "log", "store", "time")

    def __init__(self, time: Time | None, host: str | None, log: str | None, level: str | None) -> None:
        self.time = time
        self.host = host
        self.log = log
        self.level = level
        self.base: dict[str, Any]
        """The fields that the envelope adds to an event."""
        self.store: Any = None
        """For use by the consumer."""

    def __getattr__(self, name: str) -> Any:
        # `base` is made when first needed, because facts do not use it
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
    """An envelope without the minutes and seconds of its stamps, and without numbers that count lines or bytes: most new ones differ only in these."""

    __slots__ = ("after", "at", "before", "differs", "free", "head", "naming", "pattern", "time")

    def __init__(self, before: str, after: str, time: Time, head: Head, pattern: re.Pattern[str] | None, free: Free | None) -> None:
        self.before = before
        self.after = after
        self.at = len(before)
        self.time = time
        self.head = head
        self.pattern = pattern
        """The form of the envelope; None if only the minutes and seconds of one stamp vary."""
        self.free = free
        self.differs = free is not None
        """Whether nearly every line has a different envelope, because of a fraction of a second or a counting number."""
        self.naming = envelope.naming(envelope.Envelope(envelope.STAMPED, len(after), log=head.log), after)

    @classmethod
    def of(cls, prefix: str, env: envelope.Envelope, head: Head) -> _Hour | None:
        """Return the hour of an envelope; None if its stamp is unsuitable."""
        stamp = env.stamp or ""
        at = prefix.rfind(stamp) + stamp.find(":")
        minute, second = _SIXTY.get(prefix[at : at + 3]), _SIXTY.get(prefix[at + 3 : at + 6])
        fraction = _FRACTION.match(prefix, at + 6)
        # a part of the first or last hour may be outside the range of dates; a longer fraction could not be removed exactly
        if minute is None or second is None or head.time is None or fraction is None or len(fraction[0]) > len(".123456"):
            return None
        if not FIRST_TIME + 3600 <= head.time < END_OF_TIME - 3600:
            return None
        before, after = prefix[:at], prefix[fraction.end() :]
        free = _free_part(prefix, before, env.lead)
        form = _form(before, free)
        pattern = None
        if fraction[0] or form != re.escape(before):
            digits = f"[.,]\\d{{{len(fraction[0]) - 1}}}" if fraction[0] else ""
            pattern = re.compile(f"{form}(:\\d\\d)(:\\d\\d)({digits}){re.escape(after)}", re.ASCII)
        hour = cls(before, after, int(head.time) - minute * 60 - second, head, pattern, free)
        hour.differs |= bool(fraction[0])
        return hour

    def head_of(self, prefix: str) -> Head | None:
        """Return the head of an envelope of this hour; None for any other."""
        if self.pattern is not None:
            found = self.pattern.fullmatch(prefix)
            return None if found is None else self._at(*found.groups())
        at = self.at
        if not prefix.startswith(self.before) or prefix[at + 6 :] != self.after:
            return None
        return self._at(prefix[at : at + 3], prefix[at + 3 : at + 6], "")

    def beginning(self, line: str) -> tuple[Head, int] | None:
        """Return the head of a line whose envelope is of this hour, with any length, and where its text begins; None for any other."""
        found = None if self.pattern is None else self.pattern.match(line)
        head = None if found is None else self._at(*found.groups())
        return None if found is None or head is None else (head, found.end())

    def _at(self, minute_text: str, second_text: str, fraction: str) -> Head | None:
        minute, second = _SIXTY.get(minute_text), _SIXTY.get(second_text)
        if minute is None or second is None:
            return None
        head = self.head
        time = self.time + minute * 60 + second
        return Head(time + float(f"0.{fraction[1:]}") if fraction.strip(".,0") else time, head.host, head.log, head.level)


class Free(NamedTuple):
    """The part in front of an envelope that differs in nearly every line: a counting number, an outer stamp with a fraction."""

    form: str
    """The part as an expression."""
    sample: str
    """An example of the part."""
    length: int
    """Length of the envelope behind it, in characters."""


def _free_part(prefix: str, before: str, lead: str) -> Free | None:
    counted = _COUNTED.match(before) or _COUNTED_LEAD.match(lead)
    fractions = [found.end() for found in _WITH_FRACTION.finditer(before)]
    if counted is None and not fractions:
        return None
    end = max(fractions, default=0) if counted is None else counted.end("number")
    form = _MINUTES.sub(_free, re.escape(before[:end]))
    if counted is not None:
        front = before[: counted.start("number")]
        # white space pads the column of numbers
        form = (re.escape(front) if front.strip() or not front else r"[ \t]*") + r"\d{1,9}"
    return Free(form, prefix[:end], len(prefix) - end)


def _form(before: str, free: Free | None) -> str:
    """Return an expression for the text in front of the minutes of the appliance's stamp, with any minutes in other stamps and any counting number."""
    if free is None:
        return _MINUTES.sub(_free, re.escape(before))
    return free.form + _MINUTES.sub(_free, re.escape(before[len(free.sample) :]))


def _free(minutes: re.Match[str]) -> str:
    return re.sub(r"\d", r"\\d", minutes[0])


class Heads:
    """The heads of one log; `host`, `log`, `level` and `time` are those of lines that do not state their own."""

    __slots__ = ("_begun", "_begun_end", "_begun_in", "_even", "_weak", "clock", "host", "hour", "length", "level", "log", "near", "span", "time", "whole")

    def __init__(self, clock: Clock, host: str | None, log: str | None, level: str | None) -> None:
        self.clock = clock
        self.host = host
        self.log = log
        self.level = level
        self.time: Time | None = None
        self.near: Time | None = None
        """The day of the records around the lines."""
        self.whole: dict[str, Head] = {}
        """Heads by the literal text of the envelope, if it is whole."""
        self.length = 0
        """Length of the latest whole envelope: most lines of a log share it."""
        self.hour: _Hour | None = None
        self.span: list[Time] = []
        """The first and the last time of its lines, once there is one; shared with the readers of the lines in its records."""
        self._weak: dict[str, Head] = {}
        self._even: tuple[object, bool] = None, False
        """The latest hour of a stamp, and whether the clock runs evenly through it."""
        self._begun: dict[str, Head] = {}
        self._begun_in: _Hour | None = None
        self._begun_end = 0
        """Heads of envelopes with other lengths in one hour, and the length of the latest one."""

    def of(self, env: envelope.Envelope, line: str, *, is_alone: bool = False) -> Head:
        """Return the head of a line. If it `is_alone` with its envelope, this does not help to recognize other lines."""
        whole = not is_alone and is_whole(env, line)
        heads = self.whole if whole else self._weak
        prefix = line[: env.end]
        head = heads.get(prefix)
        if head is None:
            time = self._time_of(env)
            head = Head(time, env.host or self.host, env.log or self.log, env.level or self.level)
            self._remember(heads, prefix, head)
            if whole and env.stamp and time is not None:
                self.hour = _Hour.of(prefix, env, head) if self._is_even(env, env.stamp) else None
        if whole:
            self.length = env.end
        return head

    def _time_of(self, env: envelope.Envelope) -> Time | None:
        if not env.stamp:
            return self.time
        near = self.clock.read(env.outer) if env.outer and self.near is None else self.near
        return self.clock.read(env.stamp, near)

    def _is_even(self, env: envelope.Envelope, stamp: str) -> bool:
        """Tell whether the clock runs evenly through the hour of a stamp: neither the zone's offset nor the year that the stamp leaves out changes in it."""
        at = stamp.find(":")
        hour = stamp[:at], stamp[at + len(":00:00") :], env.outer, self.near
        if hour != self._even[0]:
            first, last = (self._time_of(env._replace(stamp=hour[0] + one + hour[1])) for one in (":00:00", ":59:59"))
            self._even = hour, first is not None and last is not None and int(last) - int(first) == 3599
        return self._even[1]

    def same_hour(self, prefix: str, naming: int) -> Head | None:
        """Return the head of an envelope of the latest hour; None for any other.

        Also None if it has a host and names its log less well than `naming`: its line may be the rest of another one.
        """
        hour = self.hour
        head = None if hour is None or (hour.head.host and hour.naming < naming) else hour.head_of(prefix)
        if head is not None:
            self._remember(self.whole, prefix, head)
        return head

    def beginning(self, line: str, naming: int) -> tuple[Head, int] | None:
        """Return the head of a line whose envelope has a different length than most, and where its text begins; None as for `same_hour`."""
        hour = self.hour
        if hour is None or (hour.head.host and hour.naming < naming):
            return None
        if hour is not self._begun_in:
            self._begun, self._begun_in = {}, hour
        known = self._begun.get(line[: self._begun_end])
        if known is not None:
            return known, self._begun_end
        begun = hour.beginning(line)
        if begun is not None:
            self._begun_end = begun[1]
            self._remember(self._begun, line[: begun[1]], begun[0])
        return begun

    def _remember(self, heads: dict[str, Head], prefix: str, head: Head) -> None:
        """Keep a head; start over if there are many, because memory must not grow with the log."""
        if len(heads) >= MOST_HEADS:
            heads.clear()
        heads[prefix] = head
        self._note(head.time)

    def _note(self, time: Time | None) -> None:
        if time is None:
            return
        if not self.span:
            self.span += [time, time]
        elif time > self.span[1]:
            self.span[1] = time
        elif time < self.span[0]:
            self.span[0] = time

    def note(self, span: Iterable[Time] | None) -> None:
        """Add times of lines that were read elsewhere."""
        for time in span or ():
            self._note(time)

    @property
    def differ(self) -> bool:
        """Whether nearly every line of the latest hour has a different envelope."""
        return self.hour is not None and self.hour.differs

    def plain_hour(self, prefix: str) -> _Hour | None:
        """Return the hour of an envelope, if all envelopes of that hour differ only in minutes and seconds."""
        hour = self.hour
        return hour if hour is not None and hour.pattern is None and hour.head_of(prefix) is not None else None

    def set_record_time(self, stamp: str | None) -> None:
        """Set the time of the record around the lines: lines without a stamp have it, and it shows the year of stamps that name none."""
        self.set_day(self.clock.end_of_day(stamp) if stamp else None)
        self.time = self.clock.read(stamp) if stamp else None
        self._weak.clear()

    def set_day(self, near: Time | None) -> None:
        """Set the day of the records around the lines, which shows the year of stamps that name none."""
        if near != self.near:
            self.near = near
            self.forget()

    def set_clock(self, clock: Clock) -> None:
        """Read stamps with another or a changed clock: the same text may now mean another time."""
        self.clock = clock
        self.forget()

    def forget(self) -> None:
        """Forget all heads, so that each envelope is read again."""
        self.whole.clear()
        self._weak.clear()
        self.hour = self._begun_in = None
        self._even = None, False


def is_whole(env: envelope.Envelope, line: str) -> bool:
    """Tell whether an envelope leaves no doubt about where the text starts, and ends: it has a stamp, a level, a space behind that, and opens no cell."""
    return env.rank == envelope.STAMPED and env.level is not None and line[env.end - 1] == " " and not envelope.opens_cell(line[: env.end])
