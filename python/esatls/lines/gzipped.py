"""Reading gzip up to the damaged byte; the standard library loses what it has unpacked of the same chunk."""

from __future__ import annotations

import zlib
from typing import IO

_CHUNK = 1 << 15
_GZIP = 16 + zlib.MAX_WBITS


class GzipReader:
    """Reads the unpacked bytes of a gzip file, of all its members."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._packed = b""
        self._member = zlib.decompressobj(_GZIP)
        self._damage: Exception | None = None

    def read(self, size: int) -> bytes:
        """Return the next bytes, at most `size`, and none at the end.

        After the last readable byte, raises `zlib.error` if the file is damaged, and `EOFError` if it breaks off.
        """
        while self._damage is None:
            if self._member.eof and not self._next_member():
                return b""
            self._packed = self._packed or self._file.read(_CHUNK)
            if not self._packed:
                self._damage = EOFError("the file ends before the end of its data")
                break
            data = self._unpack(size)
            if data:
                return data
        raise self._damage

    def _next_member(self) -> bool:
        """Begin the next member, after zeros that pad a block of a tape; False at the end of the file."""
        rest = self._packed.lstrip(b"\0")
        while not rest:
            more = self._file.read(_CHUNK)
            if not more:
                return False
            rest = more.lstrip(b"\0")
        self._packed = rest
        self._member = zlib.decompressobj(_GZIP)
        return True

    def _unpack(self, size: int) -> bytes:
        before = self._member.copy()
        try:
            data = self._member.decompress(self._packed, size)
        except zlib.error as error:
            self._damage = error
            return self._up_to_damage(before)
        self._packed = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
        return data

    def _up_to_damage(self, member: zlib._Decompress) -> bytes:
        data = bytearray()
        try:
            for at in range(len(self._packed)):
                data += member.decompress(self._packed[at : at + 1])
        except zlib.error:
            pass
        return bytes(data)
