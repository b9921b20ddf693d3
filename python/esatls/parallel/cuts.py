"""Where to cut a plain file for several processes, and the clock that applies behind each cut."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from esatls.extraction.match import match
from esatls.extraction.wrapped import may_be_cut
from esatls.lines import envelope
from esatls.lines.log_head import by_offset, shifted
from esatls.lines.neighbours import Neighbours
from esatls.lines.sources import Reader, Source

if TYPE_CHECKING:
    from esatls.lines.clock import Clock

_BEGINNING = 1 << 16
"""Bytes that show what the headers of a log have in common."""


def cuts(source: Source, parts: int, least: int) -> tuple[list[int], Neighbours | None]:
    """Return offsets that cut a file into parts of whole lines, each of which (except, perhaps, the first) begins with an event.

    The first offset is 0, the last the file's size. There are fewer parts if they would be smaller than `least` bytes. With several parts, also return what the
    headers of the file have in common.
    """
    size = source.size
    parts = max(1, min(parts, size // max(least, 1)))
    found = [0]
    if parts < 2:
        return [0, size], None
    known, so_far = _neighbours_in(source), Neighbours()
    so_far.restore(known.state())
    with open(source.path, "rb") as file:
        for part in range(1, parts):
            file.seek(size * part // parts)
            file.readline()
            before = file.readline()
            at = file.tell()
            # a wrapped line must not be cut: look for one that is an event by itself, and not the rest of one that a relay cut
            for _ in range(1000):
                line = file.readline()
                if not line or (_is_event(line, so_far) and not may_be_cut(before.rstrip(b"\n").decode("utf-8", "surrogateescape"))):
                    break
                before = line
                at += len(line)
            else:
                continue
            if found[-1] < at < size:
                found.append(at)
    return [*found, size], known


def _neighbours_in(source: Source) -> Neighbours:
    """Return what the headers of a file have in common, by its first lines: without it, what a stranger wrote might be a line where a part begins."""
    known = Neighbours()
    with open(source.path, "rb") as file:
        for line in file.read(_BEGINNING).split(b"\n")[:-1]:
            known.parse(envelope.bare(line.decode("utf-8", "surrogateescape")))
    known.changed = None
    return known


def _is_event(line: bytes, known: Neighbours) -> bool:
    env = known.parse(line[: envelope.LONGEST].decode("utf-8", "replace"))
    known.take_back()
    return env.rank == envelope.STAMPED and match(line[env.end :].decode("utf-8", "replace").strip()) is not None


def clocks_at(source: Source, clock: Clock, starts: list[int]) -> list[Clock]:
    """Return the clocks that apply at ascending offsets of a file; each head of a log in it may change the clock."""
    told: list[tuple[int, int]] = []
    at = 0
    with contextlib.closing(Reader(source, lambda _: None)) as reader:
        for block in reader.blocks():
            for offset, piece in by_offset(block):
                if offset is not None:
                    told.append((at, offset))
                at += len(piece)
            if at > starts[-1]:
                break
    return [next((shifted(clock, offset) for where, offset in reversed(told) if where < start), clock) for start in starts]
