"""The standard streams: stand-ins for closed ones, so that using one is reported in one line, and nothing is read or written only in part."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from typing import Any, NoReturn


class _Closed(io.RawIOBase):
    """A stream on which every read and write fails with "is closed"."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._called = name

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def fileno(self) -> NoReturn:
        raise OSError(errno.EBADF, "is closed", self._called)

    def readinto(self, _: Any) -> NoReturn:
        raise OSError(errno.EBADF, "is closed", self._called)

    def write(self, _: Any) -> NoReturn:
        raise OSError(errno.EBADF, "is closed", self._called)


class _Unbuffered(io.BufferedWriter):
    """A stream that writes at once, and all of it."""

    def write(self, data: Any) -> int:
        written = super().write(data)
        self.flush()
        return written


def _let_wait() -> None:
    """Make the standard streams wait: where they do not, input ends when nothing has come yet, and output when nobody has read yet."""
    for number in range(3):
        with contextlib.suppress(AttributeError, OSError):  # not on every system; closed
            if not os.get_blocking(number):
                os.set_blocking(number, True)


def stand_in() -> None:
    """Replace closed streams: using one raises an `OSError` that names it. Text for a closed standard error is dropped. The others wait.

    With PYTHONUNBUFFERED, standard output is a raw stream, which drops the rest if a disk or a pipe takes only a part: replace it too.
    A character that the terminal's encoding does not have is written as an escape.
    """
    _let_wait()
    if sys.stdout is not None and isinstance(sys.stdout.buffer, io.RawIOBase):
        encoding, errors = sys.stdout.encoding, sys.stdout.errors
        sys.stdout = io.TextIOWrapper(_Unbuffered(sys.stdout.detach()), encoding=encoding, errors=errors, write_through=True)
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")
    if None not in (sys.stdin, sys.stdout, sys.stderr):
        return
    # no other file may get the number of a standard stream
    while True:
        number = os.open(os.devnull, os.O_RDWR)
        if number > 2:
            os.close(number)
            break
    sys.stdin = sys.stdin or io.TextIOWrapper(io.BufferedReader(_Closed("standard input")), encoding="utf-8")
    sys.stdout = sys.stdout or io.TextIOWrapper(_Closed("standard output"), encoding="utf-8", write_through=True)  # type: ignore[type-var,unused-ignore]
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - open to the end
