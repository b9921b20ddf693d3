"""Standard input, or a named pipe, as a log."""

from __future__ import annotations

import os
import select
import stat
import sys
from typing import IO, TYPE_CHECKING

from esatls.lines.sources import BLOCK

if TYPE_CHECKING:
    from esatls.follow.tail import LogPosition


def is_pipe(path: str) -> bool:
    """Tell whether a file can be read only once: standard input, a named pipe."""
    if path == "-":
        return True
    try:
        return stat.S_ISFIFO(os.stat(path).st_mode)
    except OSError:
        return False


class Pipe:
    """The bytes of standard input, or of a named pipe."""

    def __init__(self, path: str) -> None:
        self.file: IO[bytes] = sys.stdin.buffer if path == "-" else open(path, "rb", buffering=0)  # noqa: SIM115 - open to the end
        self.over = False
        """Whether the writer has closed it."""

    def read(self) -> bytes | None:
        """Return the next bytes; None if there is nothing more for now, or never (`over`)."""
        if self.over or not self._ready(0):
            return None
        data = os.read(self.file.fileno(), BLOCK)
        if not data:
            self.over = True
            return None
        return data

    def wait(self, seconds: float) -> None:
        """Wait for more."""
        self._ready(seconds)

    def place(self, _: int) -> LogPosition | None:
        """Return None: what was read from a pipe cannot be read again."""
        return None

    def _ready(self, seconds: float) -> bool:
        if os.name == "nt":
            return True  # there, select only knows sockets; the read waits
        return bool(select.select([self.file], [], [], seconds)[0])
