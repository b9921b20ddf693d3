"""Files, folders, globs and standard input -> blocks of whole lines.

Compressed files are known by their first bytes, not by their names. A file that breaks off is read as far
as it goes, with a warning.
"""

from __future__ import annotations

import bz2
import codecs
import contextlib
import glob
import gzip
import lzma
import os
import stat
import sys
import zlib
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Callable

from esatls.errors import InputError
from esatls.lines import envelope
from esatls.lines.clock import Clock, Time
from esatls.lines.log_head import OFFSET_WORDS, by_offset, offsets, serial, shifted, zone_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

BLOCK = 1 << 18
LONGEST_LINE = 1 << 24
"""Bytes after which a line without an end is cut."""
_SAMPLE = 1 << 20
_HEAD_LINES = 10
_TAIL = 1 << 16
_DAY = 86400
_UTF16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_NOT_TEXT = bytes(set(range(32)) - set(b"\t\n\r\x1b"))
BROKEN = (EOFError, OSError, zlib.error, lzma.LZMAError)

Warn = Callable[[str], None]


@dataclass(frozen=True)
class Source:
    """One input: a path, or `-` for standard input."""

    path: str
    called: str | None = None
    """How messages name it, where that is not its path."""

    @property
    def name(self) -> str:
        """The name that messages use."""
        return self.called or ("standard input" if self.path == "-" else self.path)

    @property
    def size(self) -> int:
        """Bytes on disk; 0 where that is not known."""
        return 0 if self.path == "-" else os.stat(self.path).st_size


def find(paths: tuple[str, ...], warn: Warn) -> list[Source]:
    """Return the inputs that paths, folders (all files in them) and globs name, each once, also where links lead to it.

    Raises `InputError` when nothing can be read at all; warns of each path that cannot.
    """
    found: dict[object, Source] = {}
    failed = ""
    for path in paths or ("-",):
        names = _expand(path, warn)
        for name in names:
            problem = _problem(name, named=name == path)
            if problem:
                failed = f"{name}: {problem}"
                warn(failed)
            else:
                found.setdefault(_identity(name), Source(name))
        if not names:
            failed = f"{path}: no such file"
            warn(failed)
    if not found:
        raise InputError("nothing to read" if failed else "no file")
    return list(found.values())


def _expand(path: str, warn: Warn) -> list[str]:
    if path == "-":
        return ["-"]
    if os.path.isdir(path):

        def closed(error: OSError) -> None:
            warn(f"{error.filename}: {(error.strerror or str(error)).lower()}")

        return sorted(os.path.join(folder, name) for folder, folders, names in os.walk(path, onerror=closed) for name in names if not name.startswith("."))
    if os.path.lexists(path) or not glob.has_magic(path):
        return [path]
    return [name for found in sorted(_globbed(path)) for name in _expand(found, warn)]


def _globbed(pattern: str) -> set[str]:
    """Return what a glob names; `**` does not follow links, which may go round."""
    head, deep, tail = pattern.partition("**")
    if not deep:
        return set(glob.glob(pattern))
    tail = tail.lstrip("/" + os.sep) or "*"
    starts = glob.glob(head) if head else [os.curdir]
    return {name for start in starts for folder, _, _ in os.walk(start) for name in _globbed(os.path.join(glob.escape(folder), tail))}


def _identity(path: str) -> object:
    """Return what tells a file from others, whatever its names."""
    if path == "-":
        return path
    told = os.stat(path)
    return (told.st_dev, told.st_ino) if told.st_ino else path


def _problem(path: str, *, named: bool) -> str | None:
    """Return why a path cannot be read; a pipe or a device can be if it was named, and would be waited for if it was only found."""
    if path == "-":
        return None
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISREG(mode):
            with open(path, "rb"):
                return None
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return None if named and (stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)) else "not a file"


def is_plain(source: Source) -> bool:
    """Tell whether a source can be read from any place in it: a file, not compressed, not UTF-16."""
    if source.path == "-" or not os.path.isfile(source.path):
        return False
    with open(source.path, "rb") as file:
        head = file.read(8)
    return opener_of(head) is None and head[:2] not in _UTF16


def opener_of(head: bytes) -> Callable[[IO[bytes]], Any] | None:
    """Return what unpacks a file that begins with these bytes; None for one that is not compressed."""
    if head.startswith(b"\x1f\x8b"):
        return lambda file: gzip.GzipFile(fileobj=file)
    if head.startswith(b"BZh"):
        return bz2.BZ2File
    if head.startswith(b"\xfd7zXZ\0"):
        return lzma.LZMAFile
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        import zstandard

        return lambda file: zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
    return None


class Reader:
    """The bytes of one source, decompressed, in blocks of whole lines."""

    def __init__(self, source: Source, warn: Warn, start: int = 0, end: int | None = None) -> None:
        self.source = source
        self.warn = warn
        self.left = None if end is None else end - start
        self.raw: IO[bytes] = sys.stdin.buffer if source.path == "-" else open(source.path, "rb")  # noqa: SIM115 - closed by close()
        head = b"" if source.path == "-" and start else _peek(self.raw)
        opener = None if start else opener_of(head)
        self.file: Any = self.raw if opener is None else opener(self.raw)
        if start:
            self.raw.seek(start)
        self._decode: Callable[[bytes], bytes] | None = None
        self._ahead = b"" if start else self._read()
        if self._ahead[:2] in _UTF16:
            self._decode = _to_utf8(_UTF16[self._ahead[:2]])
            self._ahead = self._decode(self._ahead[2:])
        elif self._ahead.startswith(codecs.BOM_UTF8):
            self._ahead = self._ahead[3:]
        head = self._ahead[:8192]
        if len(head.translate(None, _NOT_TEXT)) < 0.9 * len(head):
            warn(f"{source.name}: seems to be a binary file")

    def sample(self) -> bytes:
        """Return the first megabyte, without using it up."""
        while len(self._ahead) < _SAMPLE:
            more = self._next()
            if not more:
                break
            self._ahead += more
        return self._ahead

    def head(self) -> bytes:
        """Return the first kilobytes, without using them up."""
        return self._ahead

    def position(self) -> int:
        """Return how many bytes of the source on disk have been read."""
        try:
            return self.raw.tell()
        except (OSError, ValueError):
            return 0

    def blocks(self) -> Iterator[bytes]:
        """Yield blocks that end with a line feed (the last one perhaps not)."""
        parts: list[bytes] = []
        held = 0
        while True:
            data, self._ahead = self._ahead or self._next(), b""
            if not data:
                break
            cut = data.rfind(b"\n") + 1
            if cut:
                yield b"".join((*parts, memoryview(data)[:cut]))
                parts, held = [], 0
            parts.append(data[cut:])
            held += len(data) - cut
            if held > LONGEST_LINE:
                yield b"".join(parts) + b"\n"
                parts, held = [], 0
        if held:
            yield b"".join(parts)

    def close(self) -> None:
        """Close the file (not standard input)."""
        if self.raw is not sys.stdin.buffer:
            self.raw.close()

    def _next(self) -> bytes:
        data = self._read()
        while data and self._decode is not None:
            text = self._decode(data)
            if text:
                return text
            data = self._read()
        return data

    def _read(self) -> bytes:
        size = BLOCK if self.left is None else min(BLOCK, self.left)
        if not size:
            return b""
        try:
            data: bytes = self.file.read1(size) if hasattr(self.file, "read1") else self.file.read(size)
        except Exception as error:
            if not isinstance(error, BROKEN) and type(error).__name__ != "ZstdError":
                raise
            self.warn(f"{self.source.name}: is incomplete or damaged: {str(error) or type(error).__name__}")
            self.left = 0
            return b""
        if self.left is not None:
            self.left -= len(data)
        return data


def _peek(file: IO[bytes]) -> bytes:
    peek = getattr(file, "peek", None)
    return bytes(peek(8)[:8]) if peek else b""


def _to_utf8(name: str) -> Callable[[bytes], bytes]:
    decoder = codecs.getincrementaldecoder(name)("replace")
    return lambda data: decoder.decode(data).encode("utf-8")


def clock_of(reader: Reader, zone: tzinfo | None, year: int | None) -> Clock:
    """Return the clock for one source.

    The zone is the given one, else the offset in the head of the file, else UTC. The year of stamps
    without one comes from `year` (that of the log's first line), else from the date of the file.
    """
    from datetime import datetime, timezone

    sample = reader.sample()
    if zone is None:
        zone = timezone.utc
        told = next(_head_offsets(sample), None)
        if told is not None:
            zone = zone_of(told)
    latest: Time | None = None
    if year is not None:
        latest = _latest(sample + _tail(reader.source), Clock(zone, end_of_year(year, zone)))
    elif reader.source.path != "-" and os.path.isfile(reader.source.path):
        latest = os.stat(reader.source.path).st_mtime
    return Clock(zone, latest if latest is not None else datetime.now(timezone.utc).timestamp())


def end_of_year(year: int, zone: tzinfo) -> Time:
    """Return what a clock takes as its latest moment for a log that begins in a year, as a zone counts it."""
    from datetime import datetime

    # the clock allows for a day more
    return datetime(year, 12, 31, 23, 59, 59, tzinfo=zone).timestamp() - _DAY


def has_head(reader: Reader) -> bool:
    """Tell whether a source begins with a log's head; then it may be several logs, each with its own."""
    return next(_head_offsets(reader.sample()), None) is not None


def _head_offsets(sample: bytes) -> Iterator[int]:
    """Yield the seconds that lines of a log's head state."""
    if OFFSET_WORDS.encode() in sample:
        for line in sample.decode("utf-8", "replace").split("\n"):
            if OFFSET_WORDS in line:
                yield from (offset for offset, _ in offsets(line))


def clocks_at(source: Source, clock: Clock, starts: list[int]) -> list[Clock]:
    """Return the clocks that hold at some offsets of a plain file, ascending: each line of a head changes the one before it."""
    reader = Reader(source, lambda _: None)
    told: list[tuple[int, int]] = []
    at = 0
    for block in reader.blocks():
        for offset, piece in by_offset(block):
            if offset is not None:
                told.append((at, offset))
            at += len(piece)
        if at > starts[-1]:
            break
    reader.close()
    return [next((shifted(clock, offset) for where, offset in reversed(told) if where < start), clock) for start in starts]


def _tail(source: Source) -> bytes:
    if not is_plain(source):
        return b""
    with open(source.path, "rb") as file:
        file.seek(max(0, source.size - _TAIL))
        return file.read()


def _latest(sample: bytes, clock: Clock) -> Time:
    """Return the moment that nothing in a log of the clock's year lies after; the log may run into the next year."""
    lines = sample.decode("utf-8", "replace").split("\n")
    stamps = (envelope.parse(line).stamp for line in (*lines[:50], *lines[-50:]))
    times = [time for stamp in stamps if stamp for time in (clock.read(stamp),) if time is not None]
    if times and times[0] - times[-1] > 180 * _DAY:
        return times[0] + 363 * _DAY
    return clock.latest


def cuts(source: Source, parts: int, least: int, is_event: Callable[[str], bool]) -> list[int]:
    """Return offsets that cut a plain file into parts of whole lines, each beginning with an envelope and an event.

    The first is 0, the last the file's size; fewer parts if they would be smaller than `least` bytes.
    """
    size = source.size
    parts = max(1, min(parts, size // max(least, 1)))
    found = [0]
    with open(source.path, "rb") as file:
        for part in range(1, parts):
            file.seek(size * part // parts)
            at = file.tell() + len(file.readline())
            # a wrapped line must not be cut: look for one that starts anew
            for _ in range(1000):
                line = file.readline()
                env = envelope.parse(line[: envelope.LONGEST].decode("utf-8", "replace"))
                if not line or (env.rank == envelope.STAMPED and is_event(line[env.end :].decode("utf-8", "replace").strip())):
                    break
                at += len(line)
            else:
                continue
            if found[-1] < at < size:
                found.append(at)
    return [*found, size]


def _files(found: list[Source]) -> Iterator[Reader]:
    """Yield a reader of each source that can be read again, open until the next one is asked for."""
    for source in found:
        if source.path != "-" and os.path.isfile(source.path):
            with contextlib.closing(Reader(source, lambda _: None)) as reader:
                yield reader


def serials(found: list[Source]) -> dict[str, str]:
    """Return the serial numbers that the heads of files without host names tell, by path."""
    told = {reader.source.path: serial(reader.head().decode("utf-8", "replace").splitlines()[:_HEAD_LINES]) for reader in _files(found)}
    return {path: number for path, number in told.items() if number is not None}


def common_zone(found: list[Source]) -> tzinfo | None:
    """Return the zone that the heads of the files tell, if all that tell one agree; it holds for those that tell none."""
    told = {offset for reader in _files(found) for offset in _head_offsets(reader.sample())}
    return zone_of(told.pop()) if len(told) == 1 else None
