"""The compiled core, where it is installed (`pip install 'esatls[fast]'`): it takes ordinary lines, many at a time.

It knows no pattern and no kind: expressions, constants and plans are handed over here, as `extraction.match` has them. A line that is out of
the ordinary in any way, with the one before it, is for the Python stream, which stays the reference: both give the same bytes.
"""

from __future__ import annotations

import functools
import importlib
import os
import re
from typing import TYPE_CHECKING, Any, Callable, Optional

from esatls import __version__
from esatls.errors import EsatlsError
from esatls.extraction.blocks import BlockStream
from esatls.extraction.event_stream import Events
from esatls.extraction.fact_types import FACT_TYPES
from esatls.extraction.kinds import MAIL_FLOW
from esatls.extraction.match import LONGEST_NUMBER, Spec, rids, specs_of
from esatls.extraction.patterns import MATCHERS
from esatls.lines import envelope
from esatls.output.json_lines import dumps
from esatls.output.text import MARKS
from esatls.verdicts.facts import Facts
from esatls.verdicts.hosts import key_of

if TYPE_CHECKING:
    from esatls.extraction.heads import Head
    from esatls.extraction.stream import Consumer
    from esatls.lines.clock import Clock

_ODD = "CEF:"
"""Stands in lines that may hold a line of their own."""
_CODES = tuple(sorted(FACT_TYPES))
_Told = Optional[tuple[int, Optional[bytes], int, int]]
_LATEST = 1 << 32
_PIECE = 1 << 16
"""Bytes that Python reads where the core can take nothing."""
_READINGS = {None: "text", int: "number", rids: "list", MAIL_FLOW.__getitem__: "choice"}
"""How the core calls the ways to read a field (`extraction.match`)."""


@functools.cache
def module() -> Any:
    """Return the compiled core; None where it is not installed, is of another version, or is switched off (`ESATLS_PURE=1`)."""
    if os.environ.get("ESATLS_PURE", "0") not in ("", "0"):
        return None
    try:
        found = importlib.import_module("esatls_core")
    except ImportError:
        return None
    return found if found.__version__ == __version__ else None


def _marks() -> list[tuple[int, int]]:
    return [(ord(first), ord(last or first)) for first, last in re.findall(r"(.)(?:-(.))?", MARKS, re.DOTALL) if not "\ud800" <= first <= "\udfff"]


def stream(consumer: Consumer, clock: Clock | None, host: str | None) -> BlockStream:
    """Return a stream for this consumer: one with the core, where that is there and knows what the consumer wants.

    Events come as whole lines of JSON then, beside dicts.
    """
    if module() is not None:
        if isinstance(consumer, Events):
            return _EventStream(consumer, clock, host)
        if isinstance(consumer, NativeFacts):
            return _FactStream(consumer, clock, host)
    return BlockStream(consumer, clock, host)


def facts() -> Facts:
    """Return facts that are empty; they are kept in the core, where it is there."""
    return Facts() if module() is None else NativeFacts()


def drained(known: Facts) -> Facts:
    """Return facts with those that the core keeps; it keeps them no longer."""
    if isinstance(known, NativeFacts):
        for key, number in known.keys.items():
            known.core.drain(number, known.stores(key))
    return known


def _core(plan: Callable[[Spec], Any]) -> Any:
    """Return a new core that does with each line what `plan` says of its pattern."""
    matchers = [(start, text, [(last, plan(spec)) for last, spec in specs_of(start).items()]) for start, (text, _, _) in MATCHERS.items()]
    return module().Core(matchers, _CODES, _marks(), LONGEST_NUMBER, _ODD)


class _NativeStream(BlockStream):
    """A stream that leaves ordinary lines to the core."""

    def __init__(self, consumer: Consumer, clock: Clock | None, host: str | None, core: Any) -> None:
        super().__init__(consumer, clock, host)
        self.core = core
        core.forget()

    def set_clock(self, clock: Clock) -> None:
        """Read stamps with another clock."""
        super().set_clock(clock)
        self.core.forget()

    def feed(self, block: bytes) -> None:
        """Take a block of whole lines."""
        at = 0
        while at < len(block):
            first, following, lines, events, out = (at, at, 0, 0, b"") if self._document is not None else self._ask(self.core.take, block, at)
            if lines:
                self._took(lines, events, out)
            else:
                # where nothing is ordinary, many lines at once
                following = block.find(b"\n", first + _PIECE) + 1 or len(block)
            super().feed(block[first:following])
            at = following

    def _ask(self, method: Callable[..., Any], *arguments: object) -> Any:
        try:
            return method(*arguments, self._know)
        except RuntimeError as error:
            raise EsatlsError(str(error)) from error

    def sift(self, block: bytes, word: str, rare: str) -> None:
        """Take a block for a consumer that wants only events with `word` or `rare` in their line."""
        fit = self._heads.length and self._document is None and block[-1:] == b"\n"
        picked = self._ask(self.core.sift, block, word.encode(), rare.encode()) if fit else None
        if picked is None:
            self.feed(block)
            return
        last, lines, events, out = picked
        self._took(lines, events, out)
        super().feed(block[last:])

    def _took(self, lines: int, events: int, out: bytes) -> None:
        """Go on behind lines that the core took."""
        self.end()
        self._rank, self._swallow = envelope.STAMPED, False
        self.counts.lines += lines
        self.counts.events += events
        self.counts.ignored += lines - events
        if out:
            self._add(out)

    def _add(self, out: bytes) -> None:
        """Give the consumer what the core wrote."""

    def _know(self, line: bytes) -> _Told:
        """Return what the core is to know of the header of a line, and of all others that begin so; None where it is not ordinary."""
        text = line.decode("utf-8", "surrogateescape")
        self._look_at(text)
        found = self._heads_of([text])
        if not found.heads:
            return None
        end = found.elsewhere.get(0, self._heads.length)
        return self._header(end, found.heads[0]) if text[:end].isascii() else None

    def _header(self, end: int, head: Head) -> _Told:
        raise NotImplementedError


class _EventStream(_NativeStream):
    """Lines -> events as JSON."""

    def __init__(self, consumer: Events, clock: Clock | None, host: str | None) -> None:
        super().__init__(consumer, clock, host, _event_core(consumer.kinds))
        self.events = consumer

    def _add(self, out: bytes) -> None:
        self.events.found.append(out)

    def _header(self, end: int, head: Head) -> _Told:
        return end, dumps(head.base)[:-1] if self.events.in_time(head.time) else None, 0, 0


@functools.lru_cache(maxsize=1)
def _event_core(kinds: frozenset[str]) -> Any:
    return _core(functools.partial(_plan_of_event, kinds))


def _plan_of_event(kinds: frozenset[str], spec: Spec) -> Any:
    if spec.kind not in kinds:
        return "pass"
    if spec.kind in ("consolidated_event", "time_offset"):
        return "python"
    fields = [_field(name, group, _READINGS[reading]) for name, group, reading in spec.plan]
    if "hat_action" in spec.groups:
        fields.append(_field("mail_flow", spec.groups["hat_action"], "choice"))
    return b"," + dumps(spec.constants)[1:-1], fields


def _field(name: str, group: int, reading: str) -> tuple[bytes, int, str, list[tuple[bytes, bytes]]]:
    choices = [(value.encode(), dumps({"": told})[4:-1]) for value, told in MAIL_FLOW.items()] if reading == "choice" else []
    return b"," + dumps({name: 0})[1:-2], group, reading, choices


class NativeFacts(Facts):
    """Facts of which those of ordinary lines are in the core, until they are asked for."""

    __slots__ = ("core", "keys")

    def __init__(self) -> None:
        super().__init__()
        self.core = _core(_plan_of_fact)
        self.keys: dict[str, int] = {}
        """The number of each appliance in the core, by its key."""


class _FactStream(_NativeStream):
    """Lines -> facts."""

    def __init__(self, consumer: NativeFacts, clock: Clock | None, host: str | None) -> None:
        super().__init__(consumer, clock, host, consumer.core)
        self.keys = consumer.keys

    def _header(self, end: int, head: Head) -> _Told:
        time = head.time
        if type(time) is not int or not 0 <= time < _LATEST:
            return None
        return end, None, self.keys.setdefault(key_of(head.host), len(self.keys)), time


def _plan_of_fact(spec: Spec) -> Any:
    if spec.kind == "consolidated_event":
        return "python"
    store, code, groups = spec.fact
    return "count" if store < 0 else (store, _CODES.index(code), groups)
