"""Where the records go: standard output, or a file that is cut to its length at the last checkpoint."""

from __future__ import annotations

import os
import stat
import sys
from typing import IO, Any, Callable

from esatls.output.file import unwritable


class Sink:
    """Writes lines, and says how much of them is safe on disk."""

    def __init__(self, path: str | None, warn: Callable[[str], None]) -> None:
        self.path = "" if path in (None, "-") else str(path)
        self.warn = warn
        self.file: IO[bytes] = sys.stdout.buffer
        self.keeps = False
        """Whether the output can be cut: it is a regular file, not a pipe or a device."""
        if self.path:
            self._open()

    def _open(self) -> None:
        try:
            self.file = os.fdopen(os.open(self.path, os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666), "wb")
        except OSError as error:
            raise unwritable(self.path, error) from error
        self.keeps = stat.S_ISREG(os.fstat(self.file.fileno()).st_mode)
        if self.keeps:
            self.file.seek(0, os.SEEK_END)

    def resume(self, known: dict[str, Any] | None) -> None:
        """Cut the file to its length at the checkpoint: what comes behind that will be written again."""
        if not self.keeps or known is None:
            return
        inode, length = int(known["inode"]), int(known["length"])
        if os.fstat(self.file.fileno()).st_ino != inode or self.file.tell() < length:
            if length:
                self.warn(f"{self.path}: is not the output file of the checkpoint; appending to it")
        elif self.file.tell() > length:
            self.file.truncate(length)
            self.file.seek(length)

    def write(self, data: bytes) -> None:
        """Append some lines to the file that has this name now, so that others see them at once."""
        if self.keeps:
            self._look()
        try:
            self.file.write(data)
            self.file.flush()
        except OSError as error:
            if isinstance(error, BrokenPipeError) or error.filename is not None:
                raise
            raise unwritable(self.path, error) from error

    def _look(self) -> None:
        """Begin a new file if the file was moved or deleted, and go to its end if it was cut."""
        own = os.fstat(self.file.fileno())
        try:
            found = os.stat(self.path)
        except FileNotFoundError:
            found = None
        if found is None or (found.st_dev, found.st_ino) != (own.st_dev, own.st_ino):
            self.warn(f"{self.path}: was moved or deleted; writing to a new file")
            self.file.close()
            self._open()
        elif own.st_size < self.file.tell():
            self.warn(f"{self.path}: was truncated; appending to what is left")
            self.file.seek(0, os.SEEK_END)

    def state(self) -> dict[str, Any] | None:
        """Sync the output to disk; return what the checkpoint must know about it."""
        self.file.flush()
        if not self.keeps:
            return None
        try:
            os.fsync(self.file.fileno())
        except OSError as error:
            raise unwritable(self.path, error) from error
        return {"inode": os.fstat(self.file.fileno()).st_ino, "length": self.file.tell()}

    def close(self) -> None:
        """Close the file (not standard output)."""
        if self.path:
            self.file.close()
