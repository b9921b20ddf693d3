"""The log lines in an event: its envelope, its time and host, and the lines of a text that has several."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import esatls_lib  # noqa: F401 - must come first: it adds lib/ to the path
from esatls.extraction.heads import MOST_HEADS, Head
from esatls.lines import envelope
from esatls.lines.clock import Clock
from esatls_cells import seconds_of
from esatls_tables import Values

if TYPE_CHECKING:
    from collections.abc import Callable

    from esatls.extraction.match import Spec
    from esatls.lines.clock import Time
    from esatls_tables import Place

    Take = Callable[[Head, Spec, re.Match[str]], object]

MINUTES = re.compile(r":\d\d:\d\d", re.ASCII)
MOST_LAYOUTS = 8
"""Maximum of known layouts of envelopes: each costs a look-up if the latest does not fit."""


class RowReader:
    """Splunk's events -> what the core finds in them.

    Splunk's `_time` takes precedence over the line's timestamp, which names no time zone: Splunk knows that of the sourcetype. The host in the line takes
    precedence over the event's. `take(head, spec, match)` is called for each ESA line; most events have one.
    """

    def __init__(self) -> None:
        """Start without known envelopes."""
        self.known: dict[tuple[str, Place], Any] = {}
        """(literal text of the envelope, `host` and `_time`) -> the command's result for it."""
        self.length = 0
        """Length of the latest envelope: most events of a log share it."""
        self.clock = Clock()
        self._layouts: list[tuple[int, int]] = []
        """Start of minutes and seconds, and of the text. There are a few layouts, because names of appliances and levels differ in length."""
        self._envelopes: dict[tuple[str, str], envelope.Envelope] = {}
        """Envelopes by their text before and behind minutes and seconds: most new ones differ only in these."""

    def again(self, raw: str, place: Place) -> Any:
        """Return the command's result for the event's envelope if it is known with another length than the latest, and keep its length; else None."""
        for _, end in self._layouts:
            made = self.known.get((raw[:end], place)) if end != self.length else None
            if made is not None:
                self.length = end
                return made
        return None

    def keep(self, raw: str, place: Place, made: Any) -> Any:
        """Keep and return the command's result for the latest envelope. Start over if there are many, since every event may have a different time."""
        if len(self.known) > MOST_HEADS:
            self.known.clear()
        self.known[raw[: self.length], place] = made
        return made

    def envelope(self, raw: str, seconds: str) -> tuple[Time | None, envelope.Envelope] | None:
        """Return the time and the envelope of an event, and keep the envelope's length. None: its text does not start with a complete envelope."""
        time = seconds_of(seconds)
        if time is not None:
            for at, end in self._layouts:
                found = self._envelopes.get((raw[:at], raw[at + 6 : end]))
                if found is not None and MINUTES.match(raw, at):
                    self.length = end
                    return time, found
        if "CEF:" in raw[: envelope.LONGEST] or raw[:1] == "{":
            return None
        found = envelope.parse(raw)
        if found.rank != envelope.STAMPED or found.level is None or raw[found.end - 1] != " ":
            return None
        self.length = found.end
        stamp = found.stamp or ""
        at = raw.rfind(stamp, 0, found.end) + stamp.find(":")
        if MINUTES.match(raw, at):
            if len(self._envelopes) > MOST_HEADS:
                self._envelopes.clear()
            self._envelopes[raw[:at], raw[at + 6 : found.end]] = found
            if (at, found.end) not in self._layouts:
                self._layouts = [(at, found.end), *self._layouts[: MOST_LAYOUTS - 1]]
        return self.clock.read(stamp) if time is None else time, found

    def slowly(self, raw: str, place: Place, take: Take) -> None:
        """Read any text: several lines, wrapped lines, JSON, no envelope; of a multi-valued field, each value."""
        from esatls.extraction.stream import Stream

        stream = Stream(_Timed(take, seconds_of(place.seconds)), self.clock, place.host or None)
        for text in raw.values if isinstance(raw, Values) else [raw]:
            lines = text.split("\n")
            if len(lines) > 1 and text[:1] != "{" and envelope.parse(lines[0]).rank == envelope.BARE:
                # everything behind a line without an envelope belongs to its text; taken as a line, it could be forged by a stranger
                lines = [" ".join(lines)]
            for line in lines:
                stream.line(line)
        stream.end()


class _Timed:
    """Passes on what a stream finds, with Splunk's time."""

    def __init__(self, take: Take, time: Time | None) -> None:
        self._take = take
        self._time = time

    def take(self, head: Head, spec: Spec, found: re.Match[str]) -> bool:
        """Pass on one match."""
        if self._time is not None:
            base = head.base
            head = Head(self._time, head.host, base.get("esa_log"), base.get("esa_level"))
        self._take(head, spec, found)
        return True
