"""Reads the lines of a stream in batches: a server wants many documents in one request, and people want them soon."""

from __future__ import annotations

import os
import queue
import threading
import time
from functools import partial
from typing import IO, TYPE_CHECKING, Union

if TYPE_CHECKING:
    from collections.abc import Iterator

BATCH = 1000
"""Lines of a full batch."""

_SECONDS = 2.0
_PIECE = 1 << 16
_WAITING_PIECES = 16
_Piece = Union[bytes, OSError]


def batches(stream: IO[bytes], size: int = BATCH, seconds: float = _SECONDS) -> Iterator[list[bytes]]:
    """Yield the lines of a stream in batches: each when it has ``size`` lines, or ``seconds`` after its first line came.

    If the stream is faster than the caller, it has to wait.
    """
    pieces: queue.Queue[_Piece] = queue.Queue(_WAITING_PIECES)
    threading.Thread(target=_read, args=(stream, pieces), daemon=True).start()
    lines: list[bytes] = []
    unfinished: list[bytes] = []
    due = 0.0
    while True:
        try:
            piece = pieces.get(timeout=max(0.0, due - time.monotonic()) if lines else None)
        except queue.Empty:
            yield lines
            lines = []
            continue
        if isinstance(piece, OSError):
            if lines:
                yield lines
            raise piece
        if not piece:
            break
        if not lines:
            due = time.monotonic() + seconds
        whole = piece.split(b"\n")
        unfinished.append(whole[0])
        if len(whole) > 1:
            lines += [b"".join(unfinished), *whole[1:-1]]
            unfinished = [whole[-1]]
        while len(lines) >= size:
            yield lines[:size]
            lines = lines[size:]
            due = time.monotonic() + seconds
    if any(unfinished):
        lines.append(b"".join(unfinished))
    if lines:
        yield lines


def _read(stream: IO[bytes], pieces: queue.Queue[_Piece]) -> None:
    """Put what is read into the queue, and at the end an empty piece or the error."""
    try:
        # not through the stream's own buffer: this thread would hold its lock while the program ends
        read = partial(os.read, stream.fileno(), _PIECE)
    except (OSError, AttributeError):
        read = partial(stream.read, _PIECE)
    try:
        while piece := read():
            pieces.put(piece)
        pieces.put(b"")
    except OSError as error:
        pieces.put(error)
