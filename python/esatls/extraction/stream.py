"""Lines of one log -> heads and matches, one line at a time: what each line means after those before it.

A consumer takes what is found: `take(head, spec, match)` for a line that a pattern matches.
Every input line is counted as event, ignored or unreadable.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from esatls.extraction.heads import Head, Heads
from esatls.extraction.match import MATCHERS_BY_START, START, match
from esatls.extraction.unknown_lines import UnknownLines
from esatls.extraction.wrapped import LONGEST_WRAP, Pending, is_number, is_unprintable, may_be_cut
from esatls.lines import documents, envelope, records, tables
from esatls.lines.clock import Clock
from esatls.lines.neighbours import Neighbours

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from esatls.extraction.event_record import EventRecord
    from esatls.extraction.match import Spec
    from esatls.lines.clock import Time

_MOST_INSIDE = 100
"""Maximum appliances whose records are read at the same time; if there are more, all start anew."""

ODD = ("\0", "\r", "\x1b")
"""Characters of lines that are read one by one: such a line is unreadable, or not all of it is the appliance's."""
RECORD = "CEF:"
"""Begins a record, which may hold a line even behind a known envelope (W14)."""
_FRACTION = re.compile(r"(?<=:\d\d)[.,]\d{1,9}", re.ASCII)
UNRECOGNIZED = "no lines were recognized"
"""The warning for a log in which no header and no event was found."""


class FileSeen(NamedTuple):
    """What became of the lines of one file, and their first and last time."""

    lines: int
    events: int
    ignored: int
    unreadable: int
    first: Time | None
    last: Time | None

    def with_part(self, other: FileSeen) -> FileSeen:
        """Return what was seen of this part of a file and another."""
        times = [time for time in (self.first, self.last, other.first, other.last) if time is not None]
        return FileSeen(
            self.lines + other.lines,
            self.events + other.events,
            self.ignored + other.ignored,
            self.unreadable + other.unreadable,
            min(times, default=None),
            max(times, default=None),
        )


@dataclass
class Counts:
    """Lines read, by what became of them."""

    lines: int = 0
    events: int = 0
    ignored: int = 0
    unreadable: int = 0
    not_understood: UnknownLines = field(default_factory=UnknownLines, repr=False, compare=False)
    """The ignored lines that do not begin with a known header, by shape."""
    files: dict[str, FileSeen] = field(default_factory=dict, repr=False, compare=False)
    """What was seen of each file, by path."""

    def add(self, other: Counts) -> None:
        """Add the counts of another part of the input."""
        self.lines += other.lines
        self.events += other.events
        self.ignored += other.ignored
        self.unreadable += other.unreadable
        self.not_understood.add(other.not_understood)
        for path, seen in other.files.items():
            known = self.files.get(path)
            self.files[path] = seen if known is None else known.with_part(seen)

    def note_file(self, path: str, span: Sequence[Time]) -> None:
        """Note that all of this was read from one file, and its first and last time, if any."""
        first, last = span or (None, None)
        self.files = {path: FileSeen(self.lines, self.events, self.ignored, self.unreadable, first, last)}

    def as_list(self) -> list[Any]:
        """Return all counts, for `of_list` in another process."""
        files = {path: tuple(seen) for path, seen in self.files.items()}
        return [self.lines, self.events, self.ignored, self.unreadable, self.not_understood.as_list(), files]

    @classmethod
    def of_list(cls, told: list[Any]) -> Counts:
        """Restore the counts that `as_list` returned."""
        lines, events, ignored, unreadable, shapes, files = told
        return cls(lines, events, ignored, unreadable, UnknownLines.of_list(shapes), {path: FileSeen(*seen) for path, seen in files.items()})

    def __str__(self) -> str:
        return f"{self.lines:,} lines: {self.events:,} events, {self.ignored:,} ignored, {self.unreadable:,} unreadable"


class Consumer(Protocol):
    """What takes the events of a stream."""

    def take(self, head: Head, spec: Spec, found: re.Match[str]) -> bool:
        """Take one event, with the head of its line; return whether it was wanted."""

    def add(self, event: EventRecord) -> None:
        """Take one event that was not read in a log."""

    def take_all(self, lines: Iterable[tuple[str, Head]], start: int) -> int:
        """Take the events among many lines, whose texts all begin at `start`; return how many were wanted.

        A consumer may also have `take_usual`, which takes whole blocks (`blocks.TakeUsual`).
        """


class Stream:
    """Reads the lines of one log, in order.

    `clock` reads its stamps, `host` names the appliance of lines that do not name it; `log` and `level` come from fields beside the lines.
    """

    def __init__(self, consumer: Consumer, clock: Clock | None = None, host: str | None = None, log: str | None = None, level: str | None = None) -> None:
        self.consumer = consumer
        self.counts = Counts()
        self.at = 0
        """Number of the line on which the current event begins; known only if lines are read one by one."""
        self._heads = Heads(clock or Clock(), host, log, level)
        self._neighbours = Neighbours()
        self._pending: Pending | None = None
        self._rank = envelope.BARE
        self._inside: dict[tuple[str | None, str | None, str | None], Stream] = {}
        """Readers of the lines in records, by appliance, log and level: each knows its envelopes."""
        self._document: documents.JsonDocument | tables.CsvTable | None = None
        """A record over several lines that is still incomplete."""
        self._may_begin = True
        """Whether a line may begin a document: not after one turned out not to be one."""
        self._cut: Head | None = None
        """The head of a line that a relay may have cut: the next one of its appliance may be its rest."""
        self._told: str | None = None
        """The time that the record states."""
        self._had_header: bool | None = None
        """Whether any record had a header, in front of its line or beside it; None if this reads no records."""

    @property
    def clock(self) -> Clock:
        """The clock that reads the stamps."""
        return self._heads.clock

    def line(self, line: str) -> None:
        """Take the next line (without its line feed); it may be the rest of the one before."""
        counts, heads = self.counts, self._heads
        counts.lines += 1
        if self._document is not None and self._of_document(envelope.clean(line)):
            return
        line = envelope.bare(line)
        known = heads.whole.get(line[: heads.length])
        if known is not None and heads.length and not line.startswith(RECORD, heads.length):
            self._begin(Pending(envelope.Envelope(envelope.STAMPED, heads.length), known, line))
            self._rank = envelope.STAMPED
            return
        env = self._envelope(line)
        if env.rank == envelope.STAMPED or env.rank >= self._rank or records.in_front(line) is not None:
            inner = records.unwrap(line, env.end)
            if inner:
                self._unwrapped(inner)
                return
            if env.rank == self._rank == envelope.BARE and self._may_begin and not heads.whole:
                self._document = documents.begun(line, may_be_names=self._may_be_names(), is_first=counts.lines == 1)
                if self._document is not None:
                    self._settle()
                    counts.ignored += not self._document.lines
                    return
            self._begin(Pending(env, heads.of(env, line), line))
            self._rank = env.rank
            return
        if self._pending is not None and self._neighbours.have_marks:
            line = self._neighbours.without_marks(line, self._pending.lines[0])
            env = envelope.parse(line)
        pending = self._pending
        if not line.strip() or (is_number(line) and (pending is None or not pending.is_completed_by(line))):
            counts.ignored += 1
            if pending is not None:
                pending.spaced = True
        else:
            self._weak(env, line)

    def _envelope(self, line: str) -> envelope.Envelope:
        """Return the envelope of the next line. If it changes what others mean, these are read again."""
        env = self._neighbours.parse(line)
        if self._neighbours.changed:
            self._forget_heads()
        return env

    def _forget_heads(self) -> None:
        self._neighbours.changed = None
        self._heads.forget()

    def _begin(self, pending: Pending) -> None:
        if self._pending is not None:
            self._settle()
        if self._cut is not None and pending.head.host == self._cut.host:
            pending.is_doubtful = pending.may_be_rest_of(self._cut)
            self._cut = None
        if self._neighbours.named and pending.head.host and may_be_cut(pending.lines[0]):
            self._cut = pending.head
        self._pending = pending
        pending.number = self.counts.lines

    def _weak(self, env: envelope.Envelope, line: str) -> None:
        """Take a line whose header says less than others: the rest of a wrapped line, unless it cannot be."""
        pending = self._pending
        if self._cut is not None and not may_be_cut(line):
            self._cut = None  # its rest has come
        if pending is None or pending.is_ended_by(line):
            self._pass_over(line)
        elif pending.stands_before(env, line):
            self._begin(Pending(env, self._heads.of(env, line, is_alone=True), line))
        elif len(pending.lines) >= LONGEST_WRAP:
            self._pass_over(line)
        else:
            pending.add(line)

    def _pass_over(self, line: str) -> None:
        """Pass over a line that is part of no other, and over those that follow until the next header."""
        self._settle()
        self._dismiss(line)

    def _settle(self) -> None:
        """Decide what the pending line is."""
        pending = self._pending
        self._pending = None
        if pending is None:
            return
        event, lines = pending.settled()
        for number, line in enumerate(pending.lines[lines:], lines):
            self._dismiss(line, has_header=number == 0 and pending.env.rank > envelope.BARE)
        if event is None:
            return
        head, self.at = pending.head, pending.number
        if head.time is None and event.spec.kind == "consolidated_event":
            head = self._dated(head, event.found.string)
        if self.consumer.take(head, *event):
            self.counts.events += lines
        else:
            self.counts.ignored += lines

    def _dated(self, head: Head, record: str) -> Head:
        """Return the head of a consolidated event without a stamp in front of it, with the time in the record itself."""
        from esatls.extraction.cef import stamp

        told = stamp(record)
        time = self.clock.read(told) if told else None
        return head if time is None else Head(time, head.host, head.log, head.level)

    def _dismiss(self, line: str, *, has_header: bool = False) -> None:
        if is_unprintable(line):
            self.counts.unreadable += 1
        else:
            self.counts.ignored += 1
            if not has_header and MATCHERS_BY_START[line[:START]] is None:
                self.counts.not_understood.note(line)

    # records of collectors: each is read as a log

    def _may_be_names(self) -> bool:
        """Tell whether a line may have the names of a table's columns: one of the first, behind nothing but titles and blank lines."""
        counts = self.counts
        return counts.lines <= tables.LATEST and not counts.events and (self._pending is None or self._pending.look() is None)

    def _of_document(self, line: str) -> bool:
        """Take the next line of a document; return whether it is part of it. If not, the lines held are read like any others."""
        document = self._document
        assert document is not None  # noqa: S101 - only called if there is one
        complete = document.add(line)
        if complete is None:
            self._document, self._may_begin = None, isinstance(document, tables.CsvTable)
            self.counts.lines -= 1 + len(document.lines)
            for held in document.lines:
                self.line(held)
            self.counts.lines += 1
            return False
        for lines, found in complete:
            self._unwrapped(found, lines)
        if not document.depth:
            self._document = None
        return True

    def _unwrapped(self, inner: list[records.Record], lines: int = 1) -> None:
        """Take the records on some lines, mostly one; each is read as a log."""
        self._settle()
        self.at = self.counts.lines - lines + 1
        counts = Counts()
        for record in inner:
            if not self._neighbours.is_split_record(record):
                # a record within another may leave its time to that one, like its host
                counts.add(self._reader(record).read_record(record._replace(time=record.time or self._told)))
        if counts.events:
            self.counts.events += lines
        elif counts.unreadable:
            self.counts.unreadable += lines
        else:
            self.counts.ignored += lines

    def _reader(self, record: records.Record) -> Stream:
        """Return the reader of the records of one appliance, which knows the envelopes in them."""
        host = record.host or self._heads.host
        key = (host, record.log, record.level)
        part = self._inside.get(key)
        if part is None:
            part = self._new_reader(host, record.log, record.level)
            part.span = self.span
            if len(self._inside) >= _MOST_INSIDE:
                self._inside.clear()
            self._inside[key] = part
        return part

    def _new_reader(self, host: str | None, log: str | None, level: str | None) -> Stream:
        return Stream(self.consumer, self.clock, host, log, level)

    def read_record(self, inner: records.Record) -> Counts:
        """Read the lines of one record, no matter what other records hold; return what became of them."""
        neighbours = self._neighbours
        self.counts, self._rank, neighbours.lead = Counts(), envelope.BARE, None
        self._told = inner.time
        self._heads.set_record_time(inner.time)
        for line in inner.lines if len(inner.lines) < 2 else _with_one_header(inner.lines):
            self.line(line)
            self._had_header = self._had_header or neighbours.lead is not None or None not in (self._heads.log, self._heads.level)
            # a record is one line, or a few with stamps: others are wrapped
            self._rank, neighbours.lead = envelope.STAMPED, neighbours.lead or ""
        self.end()
        return self.counts

    @property
    def span(self) -> list[Time]:
        """The first and the last time of the lines; empty if none has one."""
        return self._heads.span

    @span.setter
    def span(self, shared: list[Time]) -> None:
        self._heads.span = shared

    @property
    def table(self) -> tables.CsvTable | None:
        """The CSV that the next line belongs to, if any."""
        return self._document if isinstance(self._document, tables.CsvTable) else None

    @property
    def is_unrecognized(self) -> bool:
        """Whether there were lines, but none that was an event or had a header (`UNRECOGNIZED`)."""
        return bool(self.counts.ignored) and not self.counts.events and not self.understood

    @property
    def understood(self) -> bool:
        """Whether any line had a header, even if it was not an event."""
        had_header = self._neighbours.lead is not None if self._had_header is None else self._had_header
        return had_header or any(part.understood for part in self._inside.values())

    def end(self) -> None:
        """Settle the last line."""
        self._settle()
        if self._document is not None:
            self.counts.ignored += len(self._document.lines)
            self._document = None

    # saving and restoring, between two lines

    def state(self) -> dict[str, Any]:
        """Return what the meaning of the next line depends on, as JSON values: counts, what came before, a line that may continue."""
        counts, pending = self.counts, self._pending
        return {
            "counts": [counts.lines, counts.events, counts.ignored, counts.unreadable],
            "rank": self._rank,
            "held_lines": [] if pending is None else pending.lines,
            "may_begin": self._may_begin,
            **self._neighbours.state(),
            "document": None if self._document is None else self._document.state(),
            "spaced": pending is not None and pending.spaced,
            "doubtful": pending is not None and pending.is_doubtful,
            "cut": None if self._cut is None else [self._cut.host, self._cut.time],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Restore what `state` returned, after setting the clock. Raises `ValueError`, `TypeError` or `LookupError` for anything else."""
        lines, events, ignored, unreadable = map(int, state["counts"])
        self.counts = Counts(lines, events, ignored, unreadable)
        self._rank = int(state["rank"])
        self._may_begin = bool(state["may_begin"])
        self._neighbours.restore(state)
        if state["document"] is not None:
            self._document = documents.restored(state["document"])
        held = [str(line) for line in state["held_lines"]]
        if held:
            "".join(held).encode("utf-8", "surrogateescape")  # ValueError for what cannot come from bytes
            env = self._envelope(held[0])
            is_alone = env.rank < self._rank
            if is_alone and self._neighbours.have_marks:
                env = envelope.parse(held[0])  # its marks are removed already
            self._pending = Pending(env, self._heads.of(env, held[0], is_alone=is_alone), held[0])
            for line in held[1:]:
                self._pending.add(line)
            self._pending.spaced = bool(state["spaced"])
            self._pending.is_doubtful = bool(state["doubtful"])
        if state["cut"] is not None:
            host, time = state["cut"]
            self._cut = Head(None if time is None else float(time), host and str(host), None, None)

    def go_on(self, known: Neighbours) -> None:
        """Begin behind other lines of a log, whose headers have this in common."""
        self._neighbours.restore(known.state())

    def set_clock(self, clock: Clock) -> None:
        """Read stamps with another or a changed clock: the same text may now mean another time."""
        self._heads.set_clock(clock)
        self._inside.clear()


def _with_one_header(lines: list[str]) -> Iterator[str]:
    """Yield the lines of a record whose header has the form of the first line's, and those without one behind them.

    A stranger may have written others that have a stamp, and what is behind them.
    """
    form: str | None = None
    is_own = True
    for line in lines:
        env = envelope.parse(line)
        is_stamped = env.rank == envelope.STAMPED or records.in_front(line) is not None
        if is_stamped or env.rank > envelope.BARE or match(line.strip()) is not None:
            # a relay may leave out a fraction of a second that is 0
            own = envelope.form(_FRACTION.sub("", line, count=1)) if is_stamped else ""
            if form is None:
                form = own
            elif is_stamped:
                is_own = own == form
        if is_own:
            yield line
