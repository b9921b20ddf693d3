"""Streams that leave ordinary lines to the core."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

from esatls.compiled import module
from esatls.extraction.blocks import BlockStream
from esatls.extraction.event_stream import Events
from esatls.extraction.kinds import MAIL_FLOW
from esatls.lines import envelope
from esatls.lines.clock import rfc3339
from esatls.native.core import FOR_PYTHON, Plan, answer, is_time, new_core
from esatls.native.kept import NativeFacts, first_store
from esatls.output.json_lines import dumps
from esatls.verdicts.hosts import key_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from esatls.extraction.heads import Head
    from esatls.extraction.match import Spec
    from esatls.extraction.stream import Consumer
    from esatls.lines.clock import Clock

_PIECE = 1 << 16
"""Bytes that Python reads at once where the core can read nothing."""
_PLAIN: dict[Any, str] = {None: "text", int: "number"}
"""The type of a plain value, which the core writes itself, by how the field is read (`extraction.match`)."""


def stream(consumer: Consumer, clock: Clock | None, host: str | None) -> BlockStream:
    """Return a stream for a consumer, with the core if it is installed and supports the consumer.

    The core gives events as lines of JSON, which come beside dicts.
    """
    if module() is not None:
        if isinstance(consumer, Events):
            return _EventStream(consumer, clock, host)
        if isinstance(consumer, NativeFacts):
            return _FactStream(consumer, clock, host)
    return BlockStream(consumer, clock, host)


class _NativeStream(BlockStream):
    """A stream that leaves ordinary lines to the core."""

    def __init__(self, consumer: Consumer, clock: Clock | None, host: str | None, core: Any) -> None:
        super().__init__(consumer, clock, host)
        self.core = core
        core.forget()
        self._naming = 0
        self._last = b""
        """The last line, kept back because the next block may continue it."""

    def set_clock(self, clock: Clock) -> None:
        """Read stamps with another clock."""
        super().feed(self._and_last(b""))
        super().set_clock(clock)
        self.core.forget()

    def _forget_heads(self) -> None:
        super()._forget_heads()
        self.core.forget()

    def end(self) -> None:
        """Read the last line."""
        super().feed(self._and_last(b""))
        super().end()

    def _and_last(self, block: bytes) -> bytes:
        """Return the line that was kept back, followed by a block."""
        last, self._last = self._last, b""
        return last + block

    def feed(self, block: bytes) -> None:
        """Read a block of whole lines; the last one waits for the next block."""
        self._read(block, ())

    def sift(self, block: bytes, word: str, rare: str) -> None:
        """Read a block for a consumer that wants only events whose line contains `word` or `rare`."""
        if self._heads.differ:
            super().sift(self._and_last(block), word, rare)
        else:
            self._read(block, (word.encode(), rare.encode()))

    def _read(self, block: bytes, words: Sequence[bytes]) -> None:
        block = self._and_last(block)
        at = 0
        while at < len(block):
            if self._naming != self._neighbours.naming:
                # known headers may have another meaning now
                self._naming = self._neighbours.naming
                self.core.forget()
            first = at
            if self._document is None and self._cut is None and not self._heads.differ:
                taken = answer(self.core.take, block, at, words, self._header)
                self._heads.note(taken["span"])
                first, following = taken["first"], taken["after"]
                if taken["lines"]:
                    self._took(taken["lines"], taken["events"], taken["out"])
            if first == at:
                # the core reads nothing here: read many lines at once
                following = block.find(b"\n", at + _PIECE) + 1 or len(block)
            elif block.find(b"\n", first) == len(block) - 1:
                self._last = block[first:]
                return
            super().feed(block[first:following])
            at = following

    def _took(self, lines: int, events: int, out: bytes) -> None:
        """Go on behind lines that the core has read."""
        self.end()
        self._rank = envelope.STAMPED
        self.counts.lines += lines
        self.counts.events += events
        self.counts.ignored += lines - events
        if out:
            self._add(out)

    def _add(self, out: bytes) -> None:
        """Give the consumer the events that the core wrote."""

    def _header(self, line: bytes) -> _Header | None:
        """Return what the core must know of a line's header and of those like it; None: it is not ordinary."""
        text = line.decode("utf-8", "surrogateescape")
        self._look_at(text)
        found = self._heads_of([text])
        if not found.heads or self._naming != self._neighbours.naming or self._heads.differ:
            return None
        header = text[: found.elsewhere.get(0, self._heads.length)]
        return self._header_of(header, found.heads[0]) if header.isascii() else None

    def _header_of(self, header: str, head: Head) -> _Header | None:
        raise NotImplementedError

    def _hour(self, header: str, head: Head) -> _Header | None:
        """Return what this header has in common with all others of its hour; None: they differ in more than the minutes and seconds."""
        hour = self._heads.plain_hour(header)
        return _Header(hour.before.encode(), hour.after.encode(), time=hour.time) if hour and is_time(head.time) and is_time(hour.time) else None


class _Header(NamedTuple):
    """What the core knows of a header (`heads.rs`)."""

    before: bytes
    after: bytes | None = None
    """The text in front of the minutes and seconds, and behind them; None: `before` is the whole header."""
    base: tuple[bytes, bytes] | None = None
    """The fields that it adds to an event, in front of the time and behind it (of a whole header, all are in front). None: no event is wanted."""
    store: int = 0
    """The first store of the appliance."""
    time: int = 0


class _EventStream(_NativeStream):
    """Lines -> events as JSON."""

    def __init__(self, consumer: Events, clock: Clock | None, host: str | None) -> None:
        super().__init__(consumer, clock, host, _event_core(consumer.kinds))
        self.events = consumer

    def _add(self, out: bytes) -> None:
        self.events.found.append(out)

    def _header_of(self, header: str, head: Head) -> _Header:
        if not self.events.in_time(head.time):
            return _Header(header.encode())
        base, hour = dumps(head.base)[:-1], self._hour(header, head) if self.events.always else None
        if hour is None or head.time is None:
            return _Header(header.encode(), base=(base, b""))
        before, _, after = base.partition(rfc3339(head.time).encode())
        return hour._replace(base=(before, after))


@functools.lru_cache(maxsize=1)
def _event_core(kinds: frozenset[str]) -> Any:
    return new_core(functools.partial(_plan_of_event, kinds))


def _plan_of_event(kinds: frozenset[str], spec: Spec) -> Plan | None:
    if spec.kind not in kinds:
        return None
    if spec.kind == "consolidated_event":
        return FOR_PYTHON
    plan = [*spec.plan, *([("mail_flow", spec.groups["hat_action"], MAIL_FLOW.get)] if "hat_action" in spec.groups else [])]
    fields = [(b"," + dumps({name: 0})[1:-2], _PLAIN.get(reading, ""), functools.partial(_field, name, reading)) for name, _, reading in plan]
    return [group for _, group, _ in plan], (b"," + dumps(spec.constants)[1:-1], fields)


@functools.lru_cache(maxsize=1 << 10)
def _field(name: str, reading: Callable[[str], Any] | None, value: bytes) -> bytes:
    """Return a field of an event as JSON."""
    text = value.decode()
    told = text if reading is None else reading(text)
    return b"" if told is None else b"," + dumps({name: told})[1:-1]


class _FactStream(_NativeStream):
    """Lines -> facts."""

    def __init__(self, consumer: NativeFacts, clock: Clock | None, host: str | None) -> None:
        super().__init__(consumer, clock, host, consumer.core)
        self.keys = consumer.keys

    def _header_of(self, header: str, head: Head) -> _Header | None:
        if not is_time(head.time):
            return None
        told = self._hour(header, head) or _Header(header.encode(), time=head.time)
        self.keys.add(key := key_of(head.host))
        return told._replace(store=first_store(key))
