"""The wanted events of a stream, by kind and time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from esatls.errors import UsageError, WrongTypeError
from esatls.extraction.kinds import CEF_ABOUT_TLS, EVENT_KINDS, TLS_KINDS
from esatls.extraction.match import MATCHERS_BY_START, START, Spec, event_of
from esatls.extraction.stream import Counts, Stream
from esatls.lines.clock import Clock, parse_rfc3339
from esatls.lines.log_head import OFFSET_WORDS, offsets, shifted

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable, Iterator

    from esatls.extraction.event_record import EventRecord
    from esatls.extraction.heads import Head
    from esatls.lines.clock import Time


class Events:
    """Keeps the wanted events of a stream in `found`.

    `kinds` are kinds of events; None means the default: lines about TLS, and consolidated events about it.
    """

    def __init__(self, kinds: frozenset[str] | None = None, since: Time | None = None, until: Time | None = None) -> None:
        self.kinds = TLS_KINDS | {"consolidated_event"} if kinds is None else kinds
        self.only_tls = kinds is None
        self.since = since
        self.until = until
        self.always = since is None and until is None
        self.found: list[Any] = []
        """Events; from the core, blocks of JSON lines with many events each."""

    def take(self, head: Head, spec: Spec, found: re.Match[str]) -> bool:
        """Keep one event if it is wanted."""
        if spec.kind not in self.kinds or not self.in_time(head.time):
            return False
        event = event_of(spec, found, head.base)
        if self.only_tls and spec.kind == "consolidated_event" and CEF_ABOUT_TLS.isdisjoint(event):
            return False
        self.found.append(event)
        return True

    def add(self, event: EventRecord) -> None:
        """Keep one event that was read elsewhere, if it is wanted."""
        time = parse_rfc3339(event["time"]) if "time" in event else None
        if event["esa_event"] in self.kinds and self.in_time(time):
            self.found.append(event)

    def take_all(self, lines: Iterable[tuple[str, Head]], start: int) -> int:
        """Keep the wanted events among many lines, whose texts all start at `start`; return how many."""
        matchers, end, before = MATCHERS_BY_START, start + START, len(self.found)
        for line, head in lines:
            matcher = matchers[line[start:end]]
            if matcher is not None:
                found = matcher.fullmatch(line, start)
                if found is not None:
                    self.take(head, matcher.specs[found.lastindex], found)  # type: ignore[index]
        return len(self.found) - before

    def in_time(self, time: Time | None) -> bool:
        """Tell whether an event of this time is wanted."""
        return self.always or (time is not None and (self.since is None or time >= self.since) and (self.until is None or time < self.until))


def events(
    lines: Iterable[str], *, kinds: Iterable[str] | None = None, clock: Clock | None = None, host: str | None = None, counts: Counts | None = None
) -> Iterator[EventRecord]:
    r"""Yield the events of log lines, in order, as dicts with the fields of REFERENCE.md.

    `lines` can have any header and can be wrapped. `kinds` are the kinds of event to return, by default all.
    `clock` reads the timestamps. Without it they are in UTC, until a line in the head of a log (`Time offset from UTC`) gives
    another offset for the lines after it; such a line does not count if it names its appliance, because the log may then be of several
    appliances. `host` names the appliance of lines that do not name it. `counts` is filled in with what became of
    each line.

    Raises `UsageError` for an unknown kind, and `WrongTypeError`, which is also a `TypeError`, for a single text instead of
    several lines, for lines that are not text, and for a `clock`, `host` or `counts` of another type. Open files as text, best with
    `encoding="utf-8", errors="surrogateescape", newline="\n"`, so that nothing that a stranger wrote ends a line.
    """
    if isinstance(lines, (str, bytes)):
        raise WrongTypeError('events() takes many lines, such as an open file or a list, not one text: text.split("\\n") makes lines of it')
    if not hasattr(lines, "__iter__"):
        raise WrongTypeError(f"events() takes many lines, such as an open file or a list, not {type(lines).__name__}")
    if isinstance(kinds, (str, bytes)):
        raise WrongTypeError(f"kinds is a set of kinds, not one text: {{{kinds!r}}}")
    if kinds is not None and not hasattr(kinds, "__iter__"):
        raise WrongTypeError(f"kinds is a set of kinds, not {type(kinds).__name__}")
    wanted = frozenset(EVENT_KINDS if kinds is None else kinds)
    unknown = sorted(map(repr, wanted.difference(EVENT_KINDS)))
    if unknown:
        raise UsageError(f"no such kind of event: {', '.join(unknown)}; the kinds are {', '.join(EVENT_KINDS)}")
    for told, value, right in (("a clock is an esatls.Clock", clock, Clock), ("a host is a name", host, str), ("counts are esatls.Counts", counts, Counts)):
        if not isinstance(value, (right, type(None))):
            raise WrongTypeError(f"{told}, not {type(value).__name__}")
    sink = Events(wanted)
    stream = Stream(sink, clock, host)
    if counts is not None:
        stream.counts = counts
    return _read(lines, stream, sink, by_head=clock is None)


def _as_from_bytes(line: str) -> str:
    """Return a line as a file would give it: half a surrogate pair is bytes that are not UTF-8."""
    try:
        line.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return line.encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape")
    return line


def _read(lines: Iterable[str], stream: Stream, sink: Events, *, by_head: bool) -> Iterator[EventRecord]:
    for line in lines:
        if not isinstance(line, str):
            raise WrongTypeError(f"a line is text, not {type(line).__name__}: open the log as text")
        if by_head and OFFSET_WORDS in line:
            for offset, named in offsets(line.rstrip("\r\n"), stream.table):
                if not named:
                    stream.set_clock(shifted(stream.clock, offset))
        stream.line((line if line.isascii() else _as_from_bytes(line)).rstrip("\n"))
        yield from sink.found
        sink.found.clear()
    stream.end()
    yield from sink.found
