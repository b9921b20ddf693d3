"""A second reading of the files, for the lines about some connections and messages, with their files and line numbers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from esatls.extraction.fact_types import DELIVERY, RECEIVING, Fact
from esatls.extraction.match import event_of
from esatls.extraction.stream import Counts
from esatls.lines.clock import parse_rfc3339
from esatls.parallel import Options, Part, read
from esatls.trace.family import parent_of
from esatls.verdicts.facts import Facts
from esatls.verdicts.hosts import appliances, key_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from esatls.extraction.blocks import BlockStream
    from esatls.extraction.event_record import EventRecord
    from esatls.extraction.heads import Head
    from esatls.extraction.match import Spec
    from esatls.lines.clock import Time
    from esatls.lines.sources import Source
    from esatls.trace.family import Member

_SIDES = ((RECEIVING, "icid"), (DELIVERY, "dcid"))
_KEPT = 100
"""Lines of a file that are kept from one block to the next: more than one wrapped line can take."""


class Line(NamedTuple):
    """One line that says something about a message or a connection."""

    place: tuple[int, int]
    """Number of the file, and number of the line in it, from 1; the line is 0 for an entry of message tracking that is not a line."""
    file: str
    text: str
    """As in the file; only the first part of a wrapped line."""
    event: EventRecord
    facts: frozenset[Fact]
    """The facts that the line adds to a merge."""

    @property
    def time(self) -> Time | None:
        """The time of the line."""
        return parse_rfc3339(self.event["time"]) if "time" in self.event else None


class _Finder:
    """Takes the events of a stream and keeps those about the wanted messages and their connections."""

    def __init__(self, members: Iterable[Member], names: dict[str, str]) -> None:
        self.names = names
        self.found: dict[int, list[Line]] = {}
        """By the `id()` of the message or connection."""
        self._file = (0, "")
        self._stream: BlockStream | None = None
        self._recent: dict[int, str] = {}
        self._messages: dict[tuple[str, str], list[Member]] = {}
        self._connections: dict[tuple[str, int, str], list[Member]] = {}
        for member in members:
            host = member.appliance.host
            self._messages.setdefault((host, member.message.mid), []).append(member)
            for passage in member.passages:
                if passage.key:
                    self._connections.setdefault((host, passage.side, passage.key), []).append(member)
        ids = {key for _, key in self._messages} | {key for _, _, key in self._connections}
        self._ids = re.compile(rb"(?<!\d)(?:%s)(?!\d)" % b"|".join(sorted(key.encode() for key in ids)))

    def begin(self, number: int, name: str) -> None:
        """Begin the next file."""
        self._file, self._stream, self._recent = (number, name), None, {}

    def feed(self, stream: BlockStream, block: bytes) -> None:
        """Give a block to a stream: line by line if it may have a wanted line, else all at once."""
        self._stream = stream
        if self._ids.search(block) is None:
            stream.feed(block)
            return
        lines = block.decode("utf-8", "surrogateescape").split("\n")
        if not lines[-1]:
            lines.pop()
        last = stream.counts.lines
        self._recent = {number: text for number, text in self._recent.items() if number > last - _KEPT}
        self._recent.update(enumerate(lines, last + 1))
        for line in lines:
            stream.line(line)

    def take(self, head: Head, spec: Spec, found: re.Match[str]) -> bool:
        """Take one event from a log line."""
        text = found.string
        if self._ids.search(text.encode("utf-8", "surrogateescape")) is not None:
            self._keep(event_of(spec, found, head.base))
        return True

    def take_all(self, lines: Iterable[tuple[str, Head]], _start: int) -> int:
        """Take the events of a block without wanted lines: they are only counted."""
        return sum(1 for _ in lines)

    def add(self, event: EventRecord) -> None:
        """Take one event that does not come from a log line."""
        self._keep(event)

    def _keep(self, event: EventRecord) -> None:
        key = key_of(event.get("esa_host"), event.get("serial") if event["esa_event"] == "consolidated_event" else None)
        host = self.names.get(key, key)
        time = parse_rfc3339(event["time"]) if "time" in event else None
        owners = {*self._messages_of(host, event, time)}
        if "mid" not in event or event["esa_event"] == "consolidated_event":
            owners |= {*self._connections_of(host, event, time)}
        elif event["esa_event"] == "tls_read":
            # it is about the connection, also for the other messages on it
            owners = {*self._connections_of(host, event, time)} or owners
        if not owners:
            return
        number = 0 if self._stream is None else self._stream.at
        told = Facts()
        told.add(event)
        facts = frozenset(fact for stores in told.hosts.values() for store in stores for known in store.values() for fact in known)
        line = Line((self._file[0], number), self._file[1], self._recent.get(number, ""), event, facts)
        for owner in owners:
            self.found.setdefault(owner, []).append(line)

    def _messages_of(self, host: str, event: EventRecord, time: Time | None) -> Iterable[int]:
        mid, parent = str(event.get("mid", "")), str(event.get("parent_mid", ""))
        for member in self._messages.get((host, mid), ()):
            if member.appliance.message(mid, time) is member.message:
                yield id(member.message)
        for member in self._messages.get((host, parent), ()):
            child = member.appliance.message(mid, time)
            if child is not None and parent_of(member.appliance, child) is member.message:
                yield id(member.message)

    def _connections_of(self, host: str, event: EventRecord, time: Time | None) -> Iterable[int]:
        for side, name in _SIDES:
            key = str(event.get(name, ""))
            for member in self._connections.get((host, side, key), ()):
                connection = member.appliance.connection(side, key, time)
                if connection is not None and any(passage.connection is connection for passage in member.passages):
                    yield id(connection)


def lines_of(members: Sequence[Member], found: Sequence[Source], options: Options, keys: Iterable[str]) -> dict[int, list[Line]]:
    """Return the lines about some messages and their connections, in order of time, by the `id()` of the message or connection.

    `keys` are the keys of all appliances whose facts were gathered. The files are read again; one that has vanished or is damaged is read as far as possible.
    """
    finder = _Finder(members, appliances(keys))
    for number, source in enumerate(found):
        finder.begin(number, source.name)
        for _ in read(Part(source), finder, options, _ignore, Counts(), _ignore, finder.feed):
            pass
    return {owner: sorted(lines, key=_order) for owner, lines in finder.found.items()}


def _ignore(_: object) -> None:
    """Take a problem, or how far the reading is: the first reading has told of both."""


def _order(line: Line) -> tuple[float, tuple[int, int]]:
    return (float("-inf") if line.time is None else line.time, line.place)
