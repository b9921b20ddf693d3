"""The bytes of a log that is rotated, compressed, truncated, deleted or recreated while it is read.

A file is recognized by its inode and its first bytes: inodes are reused, and a compressed or copied file has another one.
"""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Callable, TypeVar

from esatls.errors import InputError
from esatls.follow.rotated_files import File, MovedError, RotatedFiles, look
from esatls.lines.sources import BLOCK, is_damage, opener_of, read_some

if TYPE_CHECKING:
    from collections.abc import Iterable

HEAD = 1024
"""How many first bytes are used to recognize a file."""

Warn = Callable[[str], None]
_Answer = TypeVar("_Answer")

_TRIES = 200
_PAUSE = 0.01


@dataclass(frozen=True)
class LogPosition:
    """The file that is being read and the position in it, for a checkpoint."""

    inode: int
    changed: int
    """The time of the file's last change as it was seen, in nanoseconds."""
    offset: int
    """Bytes of the file that were read (uncompressed)."""
    head: str
    """Digest of the file's first bytes."""
    head_length: int

    @classmethod
    def read(cls, saved: dict[str, Any]) -> LogPosition:
        """Return the position in a checkpoint. Raises `ValueError` or `TypeError` if it is not valid."""
        place = cls(**saved)
        numbers = (place.inode, place.changed, place.offset, place.head_length)
        if not all(type(number) is int and number >= 0 for number in numbers) or not isinstance(place.head, str):
            raise ValueError("no place")
        return place


class _OpenFile:
    """A file that is being read."""

    def __init__(self, file: File, offset: int = 0) -> None:
        self.path = file.path
        try:
            self.raw: IO[bytes] = open(file.path, "rb", buffering=0)  # noqa: SIM115 - closed by close()
        except FileNotFoundError as error:
            raise MovedError from error
        found = os.fstat(self.raw.fileno())
        self.device, self.inode, self.changed = found.st_dev, found.st_ino, found.st_mtime_ns
        if not self.is_at(file):
            self.raw.close()
            raise MovedError
        opener = opener_of(self.raw.read(8))
        self.raw.seek(0)
        self.packed: Any = None
        self.damage: str | None = None
        """Why a compressed file cannot be read any further."""
        self.head = b""
        self.offset = 0
        if opener is None:
            self.offset = min(offset, found.st_size)
            self._learn()
            return
        self.packed = opener(self.raw)
        while len(self.head) < HEAD:
            data = self._unpack(HEAD - len(self.head))
            if not data:
                break
            self.head += data
        self.raw.seek(0)
        self.packed = opener(self.raw)
        # it may have been cut off only because it is still being written
        self.offset, self.damage = 0, None
        while self.offset < offset:
            if not self._unpack(min(BLOCK, offset - self.offset)):
                break

    def is_at(self, file: File) -> bool:
        """Tell whether this is the file that was found on disk."""
        return (self.device, self.inode) == (file.device, file.inode)

    def close(self) -> None:
        self.raw.close()

    def read(self) -> bytes | None:
        """Return the next bytes, b"" if there are none now; None if the file was truncated, and its content is something else now."""
        if self.packed is not None:
            return self._unpack(BLOCK)
        self.raw.seek(self.offset)
        data = self.raw.read(BLOCK)
        found = os.fstat(self.raw.fileno())
        # checked after reading: if the beginning is still the same, what was read belongs to it
        if found.st_size < self.offset or not self._learn():
            return None
        self.changed = found.st_mtime_ns
        self.offset += len(data)
        return data

    def _learn(self) -> bool:
        """Look at the first bytes again; return False if they have changed."""
        self.raw.seek(0)
        head = self.raw.read(HEAD)
        if not head.startswith(self.head):
            return False
        self.head = head
        return True

    def _unpack(self, size: int) -> bytes:
        try:
            data = read_some(self.packed, size)
        except Exception as error:
            if not is_damage(error):
                raise
            self.damage = str(error) or type(error).__name__
            return b""
        self.offset += len(data)
        return data


class Tail:
    """The bytes of one log, through all its files."""

    def __init__(self, path: str, warn: Warn, place: LogPosition | None = None, rotated_to: str | None = None) -> None:
        self.path = os.path.abspath(path)
        self.files = RotatedFiles(path, rotated_to)
        self.warn = warn
        self.current: _OpenFile | None = None
        self.over = False
        """Whether no more bytes can come; only the end of a `Pipe` is known."""
        self.broken: _OpenFile | None = None
        """The last compressed file that could not be read to its end."""
        self._refused = ""
        self._before = _steadily(lambda: max((file.changed for file in self.files.series()), default=0)) if place is None else place.changed
        """The last change of any file that was there when the log was first looked for."""
        _steadily(self._begin if place is None else lambda: self._resume(place))

    def read(self) -> bytes | None:
        """Return the next bytes; b"" if one file ends and another begins; None if there is nothing more for now."""
        return _steadily(self._read)

    def _read(self) -> bytes | None:
        if self.current is None:
            self._begin()
        current = self.current
        if current is None:
            return None
        empty = not current.head
        opened = current.changed
        data = current.read()
        if empty and (data or current.changed != opened) and self._open_missed(current, opened):
            return None
        if data:
            return data
        if data is None:
            return self._after_truncation(current)
        if current.damage is not None and self.broken is not current:
            self.warn(f"{current.path}: is incomplete or damaged: {current.damage}")
            self.broken = current
        following = self._following(current)
        if following is None:
            return None
        # the writer has gone on to another file: take a last look at what it wrote to this one
        data = current.read()
        if data:
            return data
        return b"" if self._open(following, still=lambda: self._following(current)) else None

    def _open_missed(self, current: _OpenFile, since: int) -> bool:
        """Open the copy of a log that was empty, if it was written, copied and truncated before it was looked at again."""
        files = self.files.series()
        at = next((number for number, file in enumerate(files) if current.is_at(file)), 0)
        missed = [file for file in files[:at] if file.changed > since and file.size]
        return bool(missed) and self._open(missed[0])

    def wait(self, seconds: float) -> None:
        """Wait for more."""
        time.sleep(seconds)

    def place(self, unused: int) -> LogPosition:
        """Return the current position; the last `unused` bytes are to be read again."""
        current = self.current
        if current is None:
            return LogPosition(0, self._before, 0, "", 0)
        return LogPosition(current.inode, current.changed, max(0, current.offset - unused), hashlib.sha256(current.head).hexdigest(), len(current.head))

    def _open(self, file: File, offset: int = 0, still: Callable[[], File | None] | None = None) -> bool:
        """Open a file; `still` returns again which one it should be, in case it was truncated or renamed meanwhile."""
        try:
            opened = _OpenFile(file, offset)
        except OSError as error:
            if self._refused != file.path:
                self.warn(f"{file.path}: {(error.strerror or str(error)).lower()}")
                self._refused = file.path
            return False
        if still is not None:
            again = still()
            if again is None or again.inode != file.inode or not _begins(again, opened.head):
                opened.close()
                raise MovedError
        if self.current is not None:
            if not opened.head and opened.packed is None:
                # truncated since it was looked at: its content is in a copy now
                opened.close()
                raise MovedError
            self.current.close()
        self.current = opened
        self._refused = ""
        return True

    def _begin(self) -> None:
        """Open the log, if it is there yet."""
        found = look(self.path)
        if found is None and self.files.own_names():
            # an appliance that transfers complete files has no current one
            found = next((file for file in self.files.series() if file.size), None)
        if found is not None:
            self._open(found)

    def _following(self, current: _OpenFile) -> File | None:
        """Return the file that was written after the current one; None if there is none yet, or it is empty."""
        found = look(self.path)
        if found is not None and current.is_at(found):
            return None
        files = self.files.series()
        at = next((number for number, file in enumerate(files) if current.is_at(file)), None)
        if at is None and current.head:
            at = next((number for number, file in enumerate(files) if _begins(file, current.head)), None)
            if at is not None and not files[at].packed and files[at].size > current.offset:
                # the same log in a new file: it is mirrored, or an editor has saved it
                self._open(files[at], current.offset)
                return None
        newer = files[at + 1 :] if at is not None else [file for file in files if file.changed > current.changed or file.path == self.path]
        return self._original(next((file for file in newer if file.size), None))

    def _original(self, file: File | None) -> File | None:
        """Return the log itself instead of a copy that is made of it before it is truncated."""
        if file is None or file.path == self.path or file.packed:
            return file
        log = look(self.path)
        if log is None or log.inode == file.inode or not log.size:
            return file
        opened = _OpenFile(file)
        opened.close()
        return log if opened.head and _begins(log, opened.head) else file

    def _after_truncation(self, current: _OpenFile) -> bytes | None:
        files = self.files.all()
        others = [file for file in files if not current.is_at(file)]
        copy = self._copy(others, current.head, len(current.head), current.offset)
        if copy is not None and self._open(copy, current.offset, still=lambda: _still(copy, current.head, len(current.head))):
            return self._read()
        self._stand_still(files)
        self.warn(f"{current.path}: was truncated; reading it from the start")
        current.offset, current.head = 0, b""
        return b""

    def _copy(self, files: Iterable[File], head: bytes | str, length: int, offset: int) -> File | None:
        """Return the file with the content of another one: preferably complete, then with a name of this log (others are somebody's copies), then plain."""
        found = [file for file in files if _begins(file, head, length)] if length else []
        own = {file.path for file in self.files.series()}
        return max(found, key=lambda file: (file.size >= offset or file.packed, file.path in own, not file.packed, file.size), default=None)

    def _stand_still(self, files: list[File]) -> None:
        """Raise `MovedError` if files were renamed, created or truncated since they were looked at: the one that was not found may be there now."""
        now = {file.path: file for file in self.files.all()}
        for file in files:
            other = now.get(file.path)
            if other is None or other.inode != file.inode or other.size < file.size:
                raise MovedError
        if len(now) != len(files):
            raise MovedError

    def _resume(self, place: LogPosition) -> None:
        """Find the file that a checkpoint names, even under a new name, and open it."""
        files = self.files.all()
        same = [file for file in files if file.inode == place.inode and file.size >= place.offset]
        # an empty file can only be recognized by its inode
        known = [file for file in same if place.head_length and _begins(file, place.head, place.head_length)]
        copy = known[0] if known else self._copy(files, place.head, place.head_length, place.offset)
        if copy is not None and self._open(copy, place.offset, still=lambda: _still(copy, place.head, place.head_length)):
            return
        self._stand_still(files)
        newer = [file for file in self.files.series() if file.changed > place.changed and file.size]
        opened = newer and self._original(newer[0])
        if opened:
            self._open(opened)
        elif not place.head_length and same:
            self._open(same[0])
        if place.offset:
            self.warn(f"{self.path}: the file that was being read is gone; its content after byte {place.offset:,} is lost")


def _steadily(do: Callable[[], _Answer]) -> _Answer:
    """Do something with files that may be renamed meanwhile, and try again until they are not."""
    for _ in range(_TRIES):
        try:
            return do()
        except MovedError:  # noqa: PERF203 - it is not thrown often
            time.sleep(_PAUSE)
    raise InputError("the log files are being renamed faster than they can be read")


def _still(file: File, head: bytes | str, length: int) -> File | None:
    """Return a file if it begins with some bytes (`_begins`)."""
    return file if _begins(file, head, length) else None


def _begins(file: File, head: bytes | str, length: int = 0) -> bool:
    """Tell whether a file begins with some bytes, given as they are or as a digest of `length` bytes."""
    try:
        opened = _OpenFile(file, HEAD)
    except OSError:
        return False
    found = opened.head
    opened.close()
    if isinstance(head, bytes):
        return found.startswith(head)
    return len(found) >= length and hashlib.sha256(found[:length]).hexdigest() == head
