"""Where the records go: standard output, or a file that is cut to what its checkpoint knows of it."""

from __future__ import annotations

import os
import sys
from typing import IO, Any, Callable

from esatls.errors import EsatlsError


class Sink:
    """Takes lines, and says how much of them is safe."""

    def __init__(self, path: str | None) -> None:
        self.path = None if path == "-" else path
        self.file: IO[bytes] = sys.stdout.buffer
        if self.path is not None:
            try:
                self.file = os.fdopen(os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666), "r+b")
                self.file.seek(0, os.SEEK_END)
            except OSError as error:
                raise EsatlsError(f"{self.path}: cannot be written: {error.strerror}") from error

    def resume(self, known: dict[str, Any] | None, warn: Callable[[str], None]) -> None:
        """Cut the file to what the checkpoint knows of it: what stands behind that is told again."""
        if self.path is None or known is None:
            return
        inode, length = int(known["inode"]), int(known["length"])
        if os.fstat(self.file.fileno()).st_ino != inode or self.file.tell() < length:
            if length:
                warn(f"{self.path}: is not the output that the checkpoint knows; goes on at its end")
            return
        self.file.truncate(length)
        self.file.seek(length)

    def write(self, data: bytes) -> None:
        """Write some lines, for others to see at once."""
        self.file.write(data)
        self.file.flush()

    def state(self) -> dict[str, Any] | None:
        """Have all on the disk; return what the checkpoint must know of it."""
        self.file.flush()
        if self.path is None:
            return None
        os.fsync(self.file.fileno())
        return {"inode": os.fstat(self.file.fileno()).st_ino, "length": self.file.tell()}

    def close(self) -> None:
        """Close the file (not standard output)."""
        if self.path is not None:
            self.file.close()
