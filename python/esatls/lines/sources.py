"""Files, folders, globs and standard input -> blocks of whole lines.

Compressed files are recognized by their first bytes, not by their names. A file that breaks off is read as far as possible, with a warning.
"""

from __future__ import annotations

import codecs
import os
import stat
import sys
from typing import IO, TYPE_CHECKING, Any, Callable, NamedTuple

from esatls.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK = 1 << 18
LONGEST_LINE = 1 << 24
"""Bytes after which a line is cut."""
_SAMPLE = 1 << 20
UTF16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
"""The encodings in UTF-16, by what a file begins with."""
_NOT_TEXT = bytes(set(range(32)) - set(b"\t\n\r\x1b"))

Warn = Callable[[str], None]


class Source(NamedTuple):
    """One input: a path, or `-` for standard input."""

    path: str
    called: str | None = None
    """Its name in messages, if that is not the path."""

    @property
    def name(self) -> str:
        """The name in messages."""
        return self.called or ("standard input" if self.path == "-" else self.path)

    @property
    def size(self) -> int:
        """Bytes on disk; 0 if unknown."""
        try:
            return 0 if self.path == "-" else os.stat(self.path).st_size
        except OSError:
            return 0


def find(paths: tuple[str, ...], warn: Warn) -> list[Source]:
    """Return the inputs that paths, folders (all files in them that are not hidden) and globs name, each once, even if links lead to it.

    Warns about each path that cannot be read. Raises `InputError` if none can.
    """
    found: dict[object, Source] = {}
    for path in paths or ("-",):
        problems: list[str] = []
        names = _expand(path, problems.append)
        for name in names:
            problem = _problem(name, named=name == path)
            if problem:
                problems.append(f"{name}: {problem}")
            else:
                found.setdefault(_identity(name), Source(name))
        if not names and not problems:
            problems.append(f"{path}: no file in this folder" if os.path.isdir(path) else f"{path}: no such file")
        for told in problems:
            warn(told)
    if not found:
        raise InputError("nothing to read")
    return list(found.values())


def _expand(path: str, warn: Warn) -> list[str]:
    if path == "-":
        return ["-"]
    if os.path.isdir(path):

        def closed(error: OSError) -> None:
            warn(f"{error.filename}: {(error.strerror or str(error)).lower()}")

        return sorted(os.path.join(folder, name) for folder, folders, names in os.walk(path, onerror=closed) for name in names if not name.startswith("."))
    if os.path.lexists(path):
        return [path]
    import glob

    if not glob.has_magic(path):
        return [path]
    return [name for found in sorted(_globbed(path)) for name in _expand(found, warn)]


def _globbed(pattern: str) -> set[str]:
    """Return the paths that a glob names; `**` does not follow links, which may form a loop."""
    import glob

    head, deep, tail = pattern.partition("**")
    if not deep:
        return set(glob.glob(pattern))
    tail = tail.lstrip("/" + os.sep) or "*"
    starts = glob.glob(head) if head else [os.curdir]
    return {name for start in starts for folder, _, _ in os.walk(start) for name in _globbed(os.path.join(glob.escape(folder), tail))}


def _identity(path: str) -> object:
    """Return what identifies a file, even under several names."""
    if path == "-":
        return path
    told = os.stat(path)
    return (told.st_dev, told.st_ino) if told.st_ino else path


def _problem(path: str, *, named: bool) -> str | None:
    """Return why a path cannot be read; pipes and devices can only if the user named them, because reading may wait forever."""
    if path == "-":
        return None
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISREG(mode):
            with open(path, "rb"):
                return None
    except OSError as error:
        return (error.strerror or str(error)).lower()
    except ValueError:  # a NUL, or a character that the system cannot encode
        return "is not a file name"
    return None if named and (stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)) else "not a file"


def is_plain(source: Source) -> bool:
    """Tell whether a source can be read from any offset: a file, not compressed, not UTF-16."""
    if source.path == "-" or not os.path.isfile(source.path):
        return False
    with open(source.path, "rb") as file:
        head = file.read(8)
    return opener_of(head) is None and head[:2] not in UTF16


def opener_of(head: bytes) -> Callable[[IO[bytes]], Any] | None:
    """Return what unpacks a file that begins with these bytes; None if it is not compressed."""
    if head.startswith(b"\x1f\x8b"):
        from esatls.lines.gzipped import GzipReader

        return GzipReader
    if head.startswith(b"BZh"):
        import bz2

        return bz2.BZ2File
    if head.startswith(b"\xfd7zXZ\0"):
        import lzma

        return lzma.LZMAFile
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        from esatls.lines.zstd import ZstdReader

        return ZstdReader
    return None


def read_some(file: Any, size: int) -> bytes:
    """Return the next bytes of a file, `size` at most, without waiting for more of them: damage would take along those before it."""
    data: bytes = file.read1(size) if hasattr(file, "read1") else file.read(size)
    return data


def is_damage(error: Exception) -> bool:
    """Tell whether an error means that a file breaks off or cannot be unpacked."""
    import lzma
    import zlib

    return isinstance(error, (EOFError, OSError, zlib.error, lzma.LZMAError)) or type(error).__name__ == "ZstdError"


class Reader:
    """Reads one source, decompressed, in blocks of whole lines."""

    def __init__(self, source: Source, warn: Warn, start: int = 0, end: int | None = None) -> None:
        self.source = source
        self.warn = warn
        self.left = None if end is None else end - start
        self.raw: IO[bytes] = sys.stdin.buffer if source.path == "-" else open(source.path, "rb")  # noqa: SIM115 - closed by close()
        self._end = _size(self.raw) if end is None else end
        head = b"" if source.path == "-" and start else _peek(self.raw)
        opener = None if start else opener_of(head)
        self.file: Any = self.raw if opener is None else opener(self.raw)
        if start:
            self.raw.seek(start)
        self._decode: Callable[[bytes], bytes] | None = None
        self._ahead = b"" if start else self._read()
        if self._ahead[:2] in UTF16:
            self._decode = _to_utf8(UTF16[self._ahead[:2]])
            self._ahead = self._decode(self._ahead[2:])
        elif self._ahead.startswith(codecs.BOM_UTF8):
            self._ahead = self._ahead[3:]
        head = self._ahead[:8192]
        archive = "tar" if head[257:262] == b"ustar" else "zip" if head[:4] == b"PK\x03\x04" else None
        if archive is not None:
            warn(f"{source.name}: seems to be a {archive} archive, which must be unpacked first")
        elif len(head.translate(None, _NOT_TEXT)) < 0.9 * len(head):
            warn(f"{source.name}: seems to be a binary file")

    def sample(self) -> bytes:
        """Return the first megabyte without consuming it."""
        while len(self._ahead) < _SAMPLE:
            more = self._next()
            if not more:
                break
            self._ahead += more
        return self._ahead

    def position(self) -> int:
        """Return how many bytes of the source on disk have been read."""
        try:
            return self.raw.tell()
        except (OSError, ValueError):
            return 0

    def blocks(self) -> Iterator[bytes]:
        """Yield blocks that end with a line feed (except, perhaps, the last one)."""
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
            data = read_some(self.file, size)
        except Exception as error:
            if not is_damage(error):
                raise
            self.warn(f"{self.source.name}: is incomplete or damaged: {str(error) or type(error).__name__}")
            self.left = 0
            return b""
        if not data and self.file is self.raw:
            self._tell_if_cut()
        if self.left is not None:
            self.left -= len(data)
        return data

    def _tell_if_cut(self) -> None:
        """Warn if the file ends before the end that it had: it was truncated or replaced while it was read."""
        if self.position() < self._end:
            self.warn(f"{self.source.name}: was truncated or replaced while it was read")
            self._end = self.left = 0


def _size(file: IO[bytes]) -> int:
    """Return the size of a file; 0 for a pipe or a device."""
    try:
        told = os.fstat(file.fileno())
    except (OSError, ValueError):
        return 0
    return told.st_size if stat.S_ISREG(told.st_mode) else 0


def _peek(file: IO[bytes]) -> bytes:
    peek = getattr(file, "peek", None)
    return bytes(peek(8)[:8]) if peek else b""


def _to_utf8(name: str) -> Callable[[bytes], bytes]:
    decoder = codecs.getincrementaldecoder(name)("replace")
    return lambda data: decoder.decode(data).encode("utf-8")
