"""Zstandard, read frame by frame, because the package's own reader does not tell a file that breaks off from one that ends."""

from __future__ import annotations

from typing import IO

from esatls.errors import MissingDependencyError

_CHUNK = 1 << 10
"""Bytes unpacked at once; each of them may become a few dozen kilobytes."""


class ZstdReader:
    """The bytes of a zstd file, of all its frames."""

    def __init__(self, file: IO[bytes]) -> None:
        try:
            import zstandard
        except ImportError as error:
            raise MissingDependencyError("zstd needs the package zstandard: pip install zstandard") from error
        self._file = file
        self._decompressor = zstandard.ZstdDecompressor()
        self._packed = b""
        self._unpacked = memoryview(b"")
        self._frame = self._decompressor.decompressobj()
        self._begun = False

    def read(self, size: int) -> bytes:
        """Return the next bytes, `size` at most, none at the end.

        Raises `zstandard.ZstdError` at damage, and `EOFError` where the file breaks off.
        """
        while not self._unpacked:
            self._packed = self._packed or self._file.read(_CHUNK)
            if not self._packed:
                if self._begun:
                    raise EOFError("the file ends before the end of its data")
                return b""
            self._unpacked = memoryview(self._frame.decompress(self._packed))
            self._begun = not self._frame.eof
            self._packed = self._frame.unused_data
            if not self._begun:
                self._frame = self._decompressor.decompressobj()
        data, self._unpacked = self._unpacked[:size], self._unpacked[size:]
        return bytes(data)
