"""Where records go: standard output, or a file that appears only when it is complete."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from typing import IO, TYPE_CHECKING

from esatls.errors import EsatlsError

if TYPE_CHECKING:
    from types import TracebackType


_FULL = frozenset({errno.ENOSPC, errno.EFBIG, errno.EIO, getattr(errno, "EDQUOT", errno.ENOSPC)})


def is_special(path: str) -> bool:
    """Tell whether a path leads to a pipe or a device, or to a folder, which cannot be opened."""
    return os.path.exists(path) and not os.path.isfile(path)


def ending(path: str | None) -> str:
    """Return a file name's extension in lower case; "" if there is none, and for standard output."""
    return os.path.splitext(path or "")[1].lower()


def unwritable(name: str | None, problem: OSError) -> EsatlsError:
    """Return the error for an output file, or standard output, that cannot be written; that of a full disk names no file."""
    return EsatlsError(f"{name or 'standard output'}: cannot be written: {problem.strerror}")


class Output:
    """Where records go: standard output, or a file that appears only when it is complete.

    A pipe or a device is written to directly. A symbolic link stays; the file it points to is replaced.
    """

    def __init__(self, path: str | None) -> None:
        self.path = None if path in (None, "-") else str(path)
        self.name = path
        if self.path is not None and not is_special(self.path):
            self.path = os.path.realpath(self.path)
        self._temporary: str | None = None
        self.file: IO[bytes] = sys.stdout.buffer

    def __enter__(self) -> IO[bytes]:
        if self.path is not None:
            try:
                if is_special(self.path):
                    self.file = open(self.path, "wb")
                else:
                    import tempfile

                    handle, self._temporary = tempfile.mkstemp(dir=os.path.dirname(self.path), prefix=".esatls-")
                    self.file = os.fdopen(handle, "wb")
            except OSError as error:
                raise unwritable(self.name, error) from error
        return self.file

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if self.path is None:
                if kind is None:
                    self.file.flush()
            elif self._temporary is None:
                self.file.close()
            else:
                self._finish(complete=kind is None)
        except BrokenPipeError:
            raise
        except OSError as problem:
            raise unwritable(self.path and self.name, problem) from problem
        if isinstance(error, OSError) and error.errno in _FULL and error.filename is None:
            raise unwritable(self.path and self.name, error) from error

    def _finish(self, *, complete: bool) -> None:
        """Move a complete file to its place, or remove an incomplete one."""
        assert self.path is not None  # noqa: S101 - this is called only if there is one
        assert self._temporary is not None  # noqa: S101 - as above
        try:
            if complete:
                self.file.flush()
                os.fsync(self.file.fileno())
                os.chmod(self._temporary, self._mode())
                self.file.close()
                os.replace(self._temporary, self.path)
                self._temporary = None
        finally:
            # closing writes the rest, which fails again if writing has failed
            with contextlib.suppress(OSError):
                self.file.close()
            if self._temporary is not None:
                os.unlink(self._temporary)

    def _mode(self) -> int:
        """Return the permissions of the file that is replaced, or those for a new file."""
        if self.path is not None and os.path.exists(self.path):
            return os.stat(self.path).st_mode & 0o777
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
