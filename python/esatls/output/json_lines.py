"""Records -> JSON Lines, the reference format."""

from __future__ import annotations

import contextlib
import functools
import json
import re
from typing import IO, TYPE_CHECKING, Any

try:
    import orjson
except ImportError:  # the single-file command line has no compiled modules
    orjson = None  # type: ignore[assignment]

from esatls.output.text import MARKS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


@functools.cache
def _marks() -> re.Pattern[str]:
    # compiled on first use: not every run needs it
    return re.compile(f"[{MARKS}]")


def dumps(record: Mapping[str, object]) -> bytes:
    """Return a record as one line of JSON, without the line feed; control characters are escaped."""
    try:
        line = orjson.dumps(record)
    except (TypeError, AttributeError):
        # a lone surrogate, a number of more than 64 bits, or no orjson
        line = json.dumps(_whole(record), ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    if line.isascii() and b"\x7f" not in line:
        return line
    text = line.decode("utf-8")
    return _marks().sub(lambda m: f"\\u{ord(m[0]):04x}", text).encode("utf-8")


def loads(line: bytes) -> Any:
    """Return the value of a line of JSON."""
    return json.loads(line) if orjson is None else orjson.loads(line)


def lines(records: Sequence[Mapping[str, object]]) -> bytes:
    """Return records as JSON Lines, each as `dumps` writes it."""
    told = None
    if orjson is not None:
        with contextlib.suppress(TypeError):
            told = b"".join([orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE) for record in records])
    if told is not None and told.isascii() and b"\x7f" not in told:
        return told  # nearly always
    return b"".join([dumps(record) + b"\n" for record in records])


def _whole(value: Any) -> Any:
    """Return a value that can be encoded: lone surrogates become visible escapes."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return {key: _whole(item) for key, item in value.items()} if isinstance(value, dict) else value


def write(records: Iterable[Mapping[str, object]], file: IO[bytes]) -> int:
    """Write records as JSON Lines, and return how many there were."""
    count = 0
    for record in records:
        file.write(dumps(record) + b"\n")
        count += 1
    return count
