"""Lines of one log -> heads and matches: wrapped lines joined, every line counted.

A consumer takes what is found: `take(head, spec, match)` for a line that one pattern matched.
Every input line counts as event, ignored or unreadable.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from esatls.extraction.match import Spec, match
from esatls.lines import documents, envelope, records
from esatls.lines.clock import END_OF_TIME, FIRST_TIME, Clock, Time, rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST_WRAP = 64
"""Lines that one wrapped line may stand on; what comes after them until the next stamp is ignored."""

MOST_HEADS = 10_000
"""Envelopes kept; a log of one second after another needs few."""

_MOST_FORMS = 100
"""Forms of headers that are known to hold a log name."""

_MOST_INSIDE = 100
"""Appliances whose records are read at once; of more, each begins anew."""

_OPENING = ("{", "[", " ", "\t")
_LINES_AT_ONCE = 500
"""Lines that are read with care, one by one, when one of them has no whole envelope."""

_UNPRINTABLE = re.compile("[\0\ud800-\udfff]")

_WRAP_COLUMN = 100  # no page that wraps within words is narrower
_SEPARATOR = "--"
"""Stands between the lines that grep shows around one match and those around the next."""
_RECORD = "CEF:"
"""A record behind a known envelope may hold a line of its own (W14)."""
_CONSOLIDATED = re.compile(r"CEF:\d{1,2}\|[Cc]isco\|[^|]*\|[^|]*\|ESA_CONSOLIDATED_LOG_EVENT\|", re.ASCII)
"""A record that holds no line: what stands in it was chosen by strangers."""
_IN_ADDRESS = re.compile(r" (?:From|To): ?<[^<>\s\"]*\Z")
"""The end of a line that was wrapped within an address: none holds a space outside of quotes."""
_LINE_NUMBER = re.compile(r"\d{1,4}\s*", re.ASCII)
# The command line's prompts and answers to its questions: the log line in front of one is finished.
_PROMPT = re.compile(r"(?:\([\w -]{1,64} [\w.-]{1,255}\)|[\w.-]{1,255})> ?.*|\[[^\]]{0,64}\]> ?.*|\^C.*|\d{1,20} match(?:es)? found\.?", re.ASCII)
# Kinds whose text no stranger writes: a line that says less than its neighbours may stand on its own after them.
_CLOSED_KINDS = ("connection_", "hat_", "tls_", "message_started", "message_finished", "message_lineage", "message_quarantined")


@dataclass
class Counts:
    """Lines read, by what became of them."""

    lines: int = 0
    events: int = 0
    ignored: int = 0
    unreadable: int = 0

    def add(self, other: Counts) -> None:
        """Add the counts of another part of the input."""
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))

    def __str__(self) -> str:
        return f"{self.lines:,} lines: {self.events:,} events, {self.ignored:,} ignored, {self.unreadable:,} unreadable"


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


_SIXTY = {f":{number:02}": number for number in range(60)}
"""Minutes or seconds, as they stand in every kind of stamp."""


class Consumer(Protocol):
    """What takes the events of a stream."""

    def take(self, head: Head, spec: Spec, found: re.Match[str]) -> bool:
        """Take one event, of the line whose envelope is `head`; return whether it was wanted."""

    def add(self, event: dict[str, Any]) -> None:
        """Take one event that was read elsewhere than in a log."""

    def take_all(self, lines: Iterable[tuple[str, Head]], start: int) -> int:
        """Take the events among many lines whose message text begins at `start`; return how many were wanted."""


class _Pending:
    """A line that may go on in the next ones."""

    __slots__ = ("env", "event", "head", "lines", "number", "spaced")

    def __init__(self, env: envelope.Envelope, head: Head, line: str) -> None:
        self.env = env
        self.head = head
        self.lines = [line]
        self.number = 0
        """That of its first line."""
        self.spaced = False
        """Whether blank lines stand between its lines: pages that do so wrap in mid-word (W17)."""
        self.event: tuple[Spec, re.Match[str]] | bool | None = False  # False: not yet looked at

    def look(self) -> tuple[Spec, re.Match[str]] | None:
        """Return what the joined text matches; a seam may be a lost space or nothing at all."""
        if not isinstance(self.event, bool):
            return self.event
        first = self.lines[0][self.env.end :]
        if len(self.lines) == 1:
            self.event = _match(first)
        else:
            ways = filter(None, map(_match, _joined(first, self.lines, at_column=self.spaced)))
            # where a word was cut, what stands behind it is lost to the wrong way
            self.event = max(ways, key=_values_told, default=None)
        return self.event

    def first(self) -> tuple[Spec, re.Match[str]] | None:
        """Return what the first line alone matches, if it may be whole."""
        event = _match(self.lines[0][self.env.end :])
        return None if event is None or _is_open(event[1].string) else event


def _match(text: str) -> tuple[Spec, re.Match[str]] | None:
    if _unprintable(text):
        text = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return match(text.rstrip())


def _values_told(event: tuple[Spec, re.Match[str]]) -> int:
    return sum(map(bool, event[1].groups()))


def _unprintable(text: str) -> bool:
    """Tell whether a text holds a zero or a byte that is not UTF-8."""
    return "\0" in text if text.isascii() else _UNPRINTABLE.search(text) is not None


def _joined(first: str, lines: list[str], *, at_column: bool) -> Iterable[str]:
    """Yield the ways in which a text that was wrapped may have read, the likelier first: at a word, or at a column."""
    for seam in ("", " ") if at_column or _IN_ADDRESS.search(lines[0]) else (" ", ""):
        parts = [first]
        for line in lines[1:]:
            if parts[-1][-1:] not in (" ", "\t") and line[:1] not in (" ", "\t"):
                # AsyncOS's None is a whole word
                parts.append(" " if parts[-1].endswith(" None") or line.partition(" ")[0] == "None" else seam)
            parts.append(line)
        yield "".join(parts)


class Stream:
    """Reads the lines of one log, in order.

    `clock` reads its stamps, `host` names the appliance of lines that do not name it.
    """

    def __init__(self, consumer: Consumer, clock: Clock | None = None, host: str | None = None) -> None:
        self.consumer = consumer
        self.clock = clock or Clock()
        self.host = host
        self.counts = Counts()
        self.at = 0
        """The number of the line on which the event begins that is being taken; known where lines are read one by one."""
        self.heads: dict[str, Head] = {}
        """Heads by the literal text of the envelope."""
        self.length = 0
        """Length of the latest envelope: lines of one log mostly share it."""
        self._weak_heads: dict[str, Head] = {}
        self._hour: _Hour | None = None
        self._pending: _Pending | None = None
        self._rank = envelope.BARE
        self._lead: str | None = None
        """What stands in front of the header of the log's first line; None before that."""
        self._named: dict[str, int] = {}
        """How headers of a form have named their log: one that does not may stand in front of the rest of a line that a relay has split."""
        self._headers: dict[str, tuple[bool, bool]] = {}
        """Whether the lines in a field of records have come with a level, with a log name."""
        self._swallow = False
        self._inside: dict[tuple[str | None, str | None, str | None], Stream] = {}
        """Readers of what records hold, by appliance, log and level: they know its envelopes."""
        self._log: str | None = None
        self._level: str | None = None
        """What the records say of lines that do not."""
        self._document: documents.JsonDocument | documents.CsvDocument | None = None
        """A record over several lines that is not complete."""
        self._may_begin = True
        """Whether a line may begin a document: not where one has turned out to be none."""
        self._told: str | None = None
        self._time: Time | None = None
        """What the record says of the time, and that of its lines without a stamp."""

    # one line at a time: any envelope, wrapped lines

    def line(self, line: str) -> None:
        """Take the next line (without its line feed); it may be the rest of the one before."""
        counts = self.counts
        counts.lines += 1
        line = line.rstrip("\r")
        if self._document is not None and self._of_document(line):
            return
        known = self.heads.get(line[: self.length])
        if known is not None and self.length and not line.startswith(_RECORD, self.length):
            self._begin(_Pending(envelope.Envelope(envelope.STAMPED, self.length), known, line))
            self._rank = envelope.STAMPED
            return
        env = self._parse(line)
        if env.rank == envelope.STAMPED or env.rank >= self._rank:
            if line[:1] in _OPENING or line[-1:] == "}" or (line.startswith(_RECORD, env.end) and _CONSOLIDATED.match(line, env.end) is None):
                inner = records.unwrap(line, env.end)
                if inner:
                    self._unwrapped(inner)
                    return
            if env.rank == self._rank == envelope.BARE and self._may_begin and not self.heads:
                self._document = documents.begun(line, first=counts.lines == 1)
                if self._document is not None:
                    self._settle()
                    counts.ignored += not self._document.lines
                    return
            self._begin(_Pending(env, self._head(env, line), line))
            self._rank = env.rank
            return
        if self._lead and self._lead.strip() and self._pending is not None:
            line = self._without_marks(line)
            env = envelope.parse(line)
        if not line.strip() or (_LINE_NUMBER.fullmatch(line) and not self._completes(line)):
            counts.ignored += 1
            if self._pending is not None:
                self._pending.spaced = True
        else:
            self._weak(env, line)

    def _parse(self, line: str) -> envelope.Envelope:
        """Return the envelope of a line; a bare one where a tool would have put something in front of this line and of no other.

        In front of a line that a stranger wrote may stand anything, white space above all: what a mail system folds begins with it.
        """
        env = envelope.parse(line)
        if env.rank < envelope.STAMPED and self._lead and not env.lead:
            # `mail-esa1` is no host where `mail:` stands in front of other lines
            inner = envelope.without_marks(line, self._lead)
            if len(inner) < len(line):
                at = len(line) - len(inner)
                env = envelope.parse(inner)
                env = env._replace(end=env.end + at, lead=line[:at]) if env.rank == envelope.UNSTAMPED and not env.lead else envelope.NONE
        if env.rank == envelope.BARE:
            return env
        if env.rank == envelope.STAMPED and env.level and env.host and self._is_split(env, line):
            return envelope.NONE
        if self._lead is None:
            self._lead = env.lead
        return env if not env.lead or envelope.alike(env.lead, self._lead) else envelope.NONE

    def _is_split(self, env: envelope.Envelope, line: str) -> bool:
        """Tell whether a line may be the rest of one that a relay has split: a host and no log name, where headers of its form have one."""
        form, naming = envelope.form(line), envelope.naming(env, line)
        known = self._named.get(form, 0)
        if naming > known and (known or len(self._named) < _MOST_FORMS):
            self._named[form] = naming
        return naming < known

    def _is_split_record(self, record: records.Record) -> bool:
        """Tell whether a record may hold the rest of a line: no level or no log name, where others with the same field have one."""
        before = self._headers.get(record.field)
        if before is None:
            if len(self._headers) < _MOST_FORMS:
                self._headers[record.field] = record.header
            return False
        level, log = record.header
        if before[0] > level or before[1] > log:
            return True
        if before != record.header:
            self._headers[record.field] = record.header
        return False

    def _without_marks(self, line: str) -> str:
        """Return a line that goes on another one without what stands in front of that one."""
        assert self._pending is not None  # noqa: S101 - asked for where there is one
        lead = envelope.parse(self._pending.lines[0]).lead or self._lead or ""
        rest = envelope.without_marks(line, lead)
        return line if envelope.parse(rest).rank == envelope.STAMPED else rest

    def _begin(self, pending: _Pending) -> None:
        if self._pending is not None:
            self._settle()
        self._pending = pending
        pending.number = self.counts.lines
        self._swallow = False

    def _weak(self, env: envelope.Envelope, line: str) -> None:
        """Take a line that says less than others did: the rest of a wrapped line, unless it cannot be."""
        pending = self._pending
        prompt = _PROMPT.fullmatch(line) is not None and pending is not None and not _is_open(pending.lines[-1])
        if pending is None or self._swallow or prompt or line == _SEPARATOR or envelope.starts_anew(line) or _unprintable(line):
            self._settle()
            self._swallow = True
            self._dismiss(line)
        elif self._stands_alone(pending, env, line):
            self._begin(_Pending(env, self._head(env, line), line))
        elif len(pending.lines) >= LONGEST_WRAP:
            self._settle()
            self._swallow = True
            self._dismiss(line)
        else:
            pending.lines.append(line)
            pending.event = False

    def _completes(self, line: str) -> bool:
        """Tell whether a number is the rest of an id that was wrapped, and no line number.

        It is where it makes an event of the pending line, or where pages wrap at a column.
        """
        pending = self._pending
        if pending is None or self._swallow:
            return False
        if pending.look() is not None:
            return pending.spaced and len(pending.lines[-1]) >= _WRAP_COLUMN
        pending.lines.append(line)
        pending.event = False
        found = pending.look() is not None
        pending.lines.pop()
        pending.event = None
        return found

    def _stands_alone(self, pending: _Pending, env: envelope.Envelope, line: str) -> bool:
        event = pending.look()
        if event is None or not event[0].kind.startswith(_CLOSED_KINDS) or _is_open(event[1].string):
            return False
        if match(line[env.end :].rstrip()) is not None:
            return True
        pending.lines.append(line)
        pending.event = False
        joined = pending.look()
        pending.lines.pop()
        pending.event = event
        return joined is None

    def _settle(self) -> None:
        """Decide on the pending line."""
        pending = self._pending
        self._pending = None
        if pending is None:
            return
        event, lines = pending.look(), len(pending.lines)
        if event is None and lines > 1:
            # lines of another program, without a stamp of their own
            event, lines = pending.first(), 1
        if event is None:
            lines = 0
        for line in pending.lines[lines:]:
            self._dismiss(line)
        if event is None:
            return
        head, self.at = pending.head, pending.number
        if head.time is None and event[0].kind == "consolidated_event":
            head = self._dated(head, event[1].string)
        if self.consumer.take(head, *event):
            self.counts.events += lines
        else:
            self.counts.ignored += lines

    def _dated(self, head: Head, record: str) -> Head:
        """Return the head of a consolidated event without a stamp in front of it: the record itself tells when it was written."""
        from esatls.extraction.cef import stamp

        told = stamp(record)
        time = self.clock.read(told) if told else None
        return head if time is None else Head(time, head.host, head.log, head.level)

    def _dismiss(self, line: str) -> None:
        if _unprintable(line):
            self.counts.unreadable += 1
        else:
            self.counts.ignored += 1

    def _of_document(self, line: str) -> bool:
        """Take the next line of a document; tell whether it is one. Where it is not, the lines held are read as any others."""
        document = self._document
        assert document is not None  # noqa: S101 - asked for where there is one
        complete = document.add(line)
        if complete is None:
            self._document, self._may_begin = None, False
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
        """Take the records that stand on some lines, one mostly: each is a log of its own."""
        self._settle()
        self.at = self.counts.lines - lines + 1
        counts = Counts()
        for record in inner:
            if not self._is_split_record(record):
                part: Stream = self._reader(record)
                counts.add(part._record(record))
        if counts.events:
            self.counts.events += lines
        elif counts.unreadable:
            self.counts.unreadable += lines
        else:
            self.counts.ignored += lines

    def _reader(self, record: records.Record) -> Stream:
        """Return the reader of the records of one appliance; it knows the envelopes in them."""
        host = record.host or self.host
        key = (host, record.log, record.level)
        part = self._inside.get(key)
        if part is None:
            part = Stream(self.consumer, self.clock, host)
            part._log, part._level = record.log, record.level
            if len(self._inside) >= _MOST_INSIDE:
                self._inside.clear()
            self._inside[key] = part
        return part

    def _record(self, inner: records.Record) -> Counts:
        """Read the lines of one record from the first to the last; what other records held changes nothing."""
        self.counts, self._rank, self._swallow, self._lead = Counts(), envelope.BARE, False, None
        if inner.time != self._told:
            self._told = inner.time
            self._time = self.clock.read(inner.time) if inner.time else None
            self._weak_heads.clear()
        for line in inner.lines:
            self.line(line)
            # one record is one line or a few with stamps: bare ones are wrapped
            self._rank, self._lead = envelope.STAMPED, self._lead or ""
        self.end()
        return self.counts

    @property
    def understood(self) -> bool:
        """Whether any line had a header, if it was no event."""
        return self._lead is not None or any(part.understood for part in self._inside.values())

    def end(self) -> None:
        """Settle the last line."""
        self._settle()
        if self._document is not None:
            self.counts.ignored += len(self._document.lines)
            self._document = None

    def _head(self, env: envelope.Envelope, line: str) -> Head:
        whole = _is_whole(env, line)
        heads = self.heads if whole else self._weak_heads
        prefix = line[: env.end]
        head = heads.get(prefix)
        if head is None:
            time = self.clock.read(env.stamp) if env.stamp else self._time
            head = Head(time, env.host or self.host, env.log or self._log, env.level or self._level)
            _remember(heads, prefix, head)
            if whole and env.stamp and time is not None:
                self._hour = _Hour.of(prefix, env.stamp, head)
        if whole:
            self.length = env.end
        return head

    def _same_hour(self, prefix: str) -> Head | None:
        """Return the head of an envelope that differs from a known one in minutes and seconds alone."""
        hour = self._hour
        # without a log name a line is asked whether it is the rest of another
        head = None if hour is None or (self._named and hour.head.host and hour.naming < max(self._named.values())) else hour.head_of(prefix)
        if head is not None:
            _remember(self.heads, prefix, head)
        return head

    # put down and taken up again, between two lines

    def state(self) -> dict[str, Any]:
        """Return what the next line's meaning depends on, as JSON has it: counts, what came before, a line that may go on."""
        counts, pending = self.counts, self._pending
        return {
            "counts": [counts.lines, counts.events, counts.ignored, counts.unreadable],
            "rank": self._rank,
            "lead": self._lead,
            "swallow": self._swallow,
            "held_lines": [] if pending is None else pending.lines,
            "may_begin": self._may_begin,
            "named": self._named,
            "headers": self._headers,
            "document": None if self._document is None else self._document.state(),
            "spaced": pending is not None and pending.spaced,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take what `state` returned; the clock is to be set before. `ValueError`, `TypeError` or `LookupError` if it is no such thing."""
        self.counts = Counts(*(int(count) for count in state["counts"]))
        self._rank = int(state["rank"])
        self._lead = None if state["lead"] is None else str(state["lead"])
        self._swallow = bool(state["swallow"])
        self._may_begin = bool(state["may_begin"])
        self._named = {str(form): int(naming) for form, naming in dict(state["named"]).items()}
        self._headers = {str(name): (bool(level), bool(log)) for name, (level, log) in dict(state["headers"]).items()}
        if state["document"] is not None:
            self._document = documents.restored(state["document"])
        lines = [str(line) for line in state["held_lines"]]
        if lines:
            "".join(lines).encode("utf-8", "surrogateescape")  # ValueError for what no bytes give
            env = envelope.parse(lines[0])
            self._pending = _Pending(env, self._head(env, lines[0]), lines[0])
            self._pending.lines = lines
            self._pending.spaced = bool(state["spaced"])

    def set_clock(self, clock: Clock) -> None:
        """Read stamps with another clock, or with one that was changed: the same text may mean another time now."""
        self.clock = clock
        self.heads.clear()
        self._weak_heads.clear()
        self._inside.clear()
        self._hour = None

    # many lines at a time: all with known envelopes

    def feed(self, block: bytes) -> None:
        """Take a block of whole lines as bytes; bytes that are not UTF-8 stand as escapes in what is read."""
        try:
            text = block.decode("utf-8")
        except UnicodeDecodeError:
            lines = block.decode("utf-8", "surrogateescape").split("\n")
            if not lines[-1]:
                lines.pop()
            for line in lines:
                self.line(line)
        else:
            self.block(text)

    def sift(self, block: bytes, word: str, rare: str) -> None:
        """Take a block for a consumer that wants only events with `word` or `rare` in their line: the others are not read.

        Only where every line of the block has the same kind of envelope and none has `rare`; else the block is read whole.
        """
        lines = block.count(b"\n")
        picked = self._pick(block, word, rare) if self.length and lines > 1 and block[-1:] == b"\n" else None
        if picked is None:
            self.feed(block)
            return
        found, heads, last = picked
        # lines that are not read are no events that the consumer wants
        self._give(found, heads, lines - 1)
        self.feed(block[last:])

    def _pick(self, block: bytes, word: str, rare: str) -> tuple[list[str], _Heads, int] | None:
        """Return the lines with a word, their heads, and where the last line of the block begins.

        None where a line has the rare word, holds a line of its own, or where one of them, the first or the last line, or
        a line after one of them has no whole envelope: it may be wrapped.
        """
        try:
            text = block.decode("ascii")
        except UnicodeDecodeError:
            return None
        if "\0" in text or "\r" in text or rare in text:
            return None
        find, length = text.find, self.length
        last = text.rfind("\n", 0, -1) + 1
        found: list[str] = []
        after: list[int] = []
        at = find(word, 0, last)
        while at >= 0:
            end = find("\n", at)
            line = text[text.rfind("\n", 0, at) + 1 : end]
            if _RECORD in line:
                return None
            found.append(line)
            after.append(end + 1)
            at = find(word, end, last)
        following = {text[at : at + length]: at for at in after}
        beside = [0, last, *(at for prefix, at in following.items() if prefix not in self.heads)]
        beside_lines = [text[at : at + envelope.LONGEST] for at in beside]
        if len(self._heads_of(beside_lines).heads) < len(beside):
            return None
        heads = self._heads_of(found)
        return (found, heads, last) if len(heads.heads) == len(found) else None

    def block(self, text: str) -> None:
        """Take a block of whole lines: fast as long as every line has an envelope, else line by line."""
        lines = text.split("\n")
        if not lines[-1]:
            lines.pop()
        plain = "\0" not in text and "\r" not in text and _RECORD not in text
        for at in range(0, len(lines), _LINES_AT_ONCE):
            some = lines[at : at + _LINES_AT_ONCE]
            done = 0 if self._document is not None else self._records(some) if some[0][:1] == "{" else self._fast(some) if plain else 0
            for line in some[done:]:
                self.line(line)

    def _fast(self, lines: list[str]) -> int:
        """Take lines up to the first one without a whole envelope; return how many.

        The last line before that one is left too: what follows may be its rest.
        """
        self._look_at(lines[0])
        found = self._heads_of(lines)
        done = len(found.heads) - 1
        if done < 1:
            return 0
        found.heads.pop()
        found.elsewhere.pop(done, None)
        self._give(lines, found, done)
        return done

    def _look_at(self, line: str) -> None:
        """Learn how long envelopes are, unless that is known."""
        if not self.length:
            env = self._parse(line)
            if _is_whole(env, line):
                self._head(env, line)

    def _records(self, lines: list[str]) -> int:
        """Take JSON records in a row that hold one whole line each; return how many. What stands in a record goes on in no other one."""
        if self.length or self._rank != envelope.BARE:
            return 0
        found: list[records.Record] = []
        for line in lines:
            inner = records.unwrap(line) if line[:1] == "{" else []
            if len(inner) != 1 or len(inner[0].lines) > 1 or self._is_split_record(inner[0]):
                break
            found += inner
            if len(found) == 1 and not _is_whole(envelope.parse(inner[0].lines[0]), inner[0].lines[0]):
                break
        if found:
            self._settle()
        done = 0
        for _, some in itertools.groupby(found, lambda inner: (inner.host, inner.log, inner.level)):
            alike = list(some)
            part: Stream = self._reader(alike[0])
            texts = [inner.lines[0] for inner in alike]
            counts = part._whole_lines(texts)
            self.counts.add(counts)
            done += counts.lines
            if counts.lines < len(texts):
                break
        return done

    def _whole_lines(self, lines: list[str]) -> Counts:
        """Take lines that go on in no other one, as long as each has a whole envelope."""
        self.counts = Counts()
        text = "\n".join(lines)
        if "\r" not in text and _RECORD not in text and not _unprintable(text):
            self._look_at(lines[0])
            found = self._heads_of(lines)
            if found.heads:
                self._give(lines[: len(found.heads)], found, len(found.heads))
        return self.counts

    def _give(self, lines: list[str], found: _Heads, read: int) -> None:
        """Give lines and their heads to the consumer; they are the events among so many that were `read`."""
        lines = [*map(str.rstrip, lines)]
        self.end()
        self._rank = envelope.STAMPED
        self._swallow = False
        heads, taken, at = found.heads, 0, 0
        for number, start in found.elsewhere.items():
            taken += self.consumer.take_all(zip(lines[at:number], heads[at:number]), self.length)
            taken += self.consumer.take_all([(lines[number], heads[number])], start)
            at = number + 1
        taken += self.consumer.take_all(zip(lines[at:], heads[at:]) if at else zip(lines, heads), self.length)
        self.counts.lines += read
        self.counts.events += taken
        self.counts.ignored += read - taken
        if 2 * len(found.elsewhere) > len(heads):
            self.length = start

    def _heads_of(self, lines: list[str]) -> _Heads:
        """Return the heads of the first lines, as long as all have whole envelopes."""
        length, hour = self.length, self._hour
        prefixes = [line[:length] for line in lines]
        known: dict[str, Head | None] = dict.fromkeys(prefixes)
        for prefix in known:
            known[prefix] = self.heads.get(prefix) or self._same_hour(prefix)
        heads, elsewhere = [known[prefix] for prefix in prefixes], dict[int, int]()
        if None in known.values():
            for number, prefix in enumerate(prefixes):
                head = heads[number] = known[prefix]
                if head is not None:
                    continue
                env = self._parse(lines[number])
                if not _is_whole(env, lines[number]):
                    del heads[number:]
                    break
                heads[number] = self._head(env, lines[number])
                if env.end == length:
                    known[prefix], hour = heads[number], self._hour
                else:
                    elsewhere[number] = env.end
                self.length, self._hour = length, hour
        return _Heads(heads, elsewhere)  # type: ignore[arg-type]


class _Heads(NamedTuple):
    """The heads of some lines in a row."""

    heads: list[Head]
    elsewhere: dict[int, int]
    """Where the texts start that do not start where most do: another level, a longer name."""


def _is_whole(env: envelope.Envelope, line: str) -> bool:
    """Tell whether an envelope says all that decides where the text starts: up to the level, and the space behind it."""
    return env.rank == envelope.STAMPED and env.level is not None and line[env.end - 1] == " "


def _remember(heads: dict[str, Head], prefix: str, head: Head) -> None:
    """Keep a head, and start over when there are many: memory must not grow with the log."""
    if len(heads) >= MOST_HEADS:
        heads.clear()
    heads[prefix] = head


def _is_open(text: str) -> bool:
    """Tell whether a quote or bracket is left open, so that more of the text must follow."""
    return (
        text.count("(") > text.count(")")
        or text.count("[") > text.count("]")
        or text.count("<") > text.count(">")
        or text.count('"') % 2 == 1
        or text.count("'") % 2 == 1
    )
