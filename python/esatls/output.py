"""Records -> JSON Lines, CSV, Parquet, or a table for people.

JSON Lines is the reference. CSV, Parquet and Splunk rows are flat: the attempts of `deliveries` become columns of
several values, typed ones in Parquet. Text of the log is data: no cell runs as a formula, no control character reaches a terminal.
"""

from __future__ import annotations

import io
import json
import os
import re
import sys
from typing import IO, TYPE_CHECKING, Any, Callable

import orjson

from esatls.errors import EsatlsError, MissingDependencyError
from esatls.extraction.fields import DELIVERY_FIELDS, Field
from esatls.verdicts.flat import cell, columns, flat

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from types import TracebackType

FORMATS = ("json", "csv", "table", "parquet")
BY_ENDING = {".csv": "csv", ".parquet": "parquet"}
"""Formats by the ending of a file's name; JSON Lines for any other."""
# C0 and C1 controls, marks that turn the direction of text around or part its lines, halves of surrogate pairs
_MARKS = "\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
# what is drawn as nothing (Unicode's Default_Ignorable_Code_Point): two names that look like one
_INVISIBLE = (
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200d\u2060-\u2065\u206a-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_CONTROLS = re.compile(f"[\x00-\x1f{_MARKS}{_INVISIBLE}]")
_CONTROL_BYTES = re.compile(f"[{_MARKS}]")
# where a spreadsheet sees a formula: at the head of a cell, and of each value in it, for it may be cut there; a number is none
_FORMULA = re.compile(r"(^|;)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])(?![+-]?\d{1,20}(?:\.\d{1,20})?(?:;|\Z))")
_BATCH = 20_000


def ending(path: str | None) -> str:
    """Return the ending of a file's name, in small letters; "" for one without, and for standard output."""
    return os.path.splitext(path or "")[1].lower()


def dumps(record: Mapping[str, Any]) -> bytes:
    """Return a record as one line of JSON, without the line feed; control characters are escaped."""
    try:
        line = orjson.dumps(record)
    except TypeError:
        # halves of surrogate pairs, numbers of more than 64 bits
        line = json.dumps(_whole(record), ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    if line.isascii() and b"\x7f" not in line:
        return line
    text = line.decode("utf-8")
    return _CONTROL_BYTES.sub(lambda m: f"\\u{ord(m[0]):04x}", text).encode("utf-8")


def lines(records: Sequence[Mapping[str, Any]]) -> bytes:
    """Return records as JSON Lines, each as `dumps` gives it."""
    try:
        told = b"".join([orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE) for record in records])
    except TypeError:
        pass
    else:
        if told.isascii() and b"\x7f" not in told:
            return told  # nearly always, and all at once
    return b"".join([dumps(record) + b"\n" for record in records])


def _whole(value: Any) -> Any:
    """Return a value that can be written: halves of surrogate pairs, which are no text, become visible escapes."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return {key: _whole(item) for key, item in value.items()} if isinstance(value, dict) else value


def printable(text: str) -> str:
    """Return text with control characters, and those that are drawn as nothing, as visible escapes, fit for a terminal."""
    if text.isascii() and text.isprintable():
        return text  # nearly all, and a fraction of the time
    return _CONTROLS.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def harmless(text: str) -> str:
    """Return text that no spreadsheet takes for a formula."""
    return _FORMULA.sub(r"\1'", printable(text))


class Output:
    """Where records go: standard output, or a file that appears only when it is whole.

    A pipe or a device is written to as it stands; a link stays one, what it leads to is replaced.
    """

    def __init__(self, path: str | None) -> None:
        self.path = None if path in (None, "-") else os.path.realpath(str(path))
        self.name = path
        self._temporary: str | None = None
        self.file: IO[bytes] = sys.stdout.buffer

    def __enter__(self) -> IO[bytes]:
        if self.path is not None:
            try:
                if os.path.exists(self.path) and not os.path.isfile(self.path):
                    self.file = open(self.path, "wb")
                else:
                    import tempfile

                    handle, self._temporary = tempfile.mkstemp(dir=os.path.dirname(self.path), prefix=".esatls-")
                    self.file = os.fdopen(handle, "wb")
            except OSError as error:
                raise EsatlsError(f"{self.name}: cannot be written: {error.strerror}") from error
        return self.file

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.path is None:
            if kind is None:
                self.file.flush()
            return
        if self._temporary is None:
            self.file.close()
            return
        try:
            if kind is None:
                self.file.flush()
                os.fsync(self.file.fileno())
                os.chmod(self._temporary, self._mode())
                self.file.close()
                os.replace(self._temporary, self.path)
                self._temporary = None
        except OSError as problem:
            raise EsatlsError(f"{self.name}: cannot be written: {problem.strerror}") from problem
        finally:
            self.file.close()
            if self._temporary is not None:
                os.unlink(self._temporary)

    def _mode(self) -> int:
        """Return the permissions of the file that is replaced, or those of a new one."""
        if self.path is not None and os.path.exists(self.path):
            return os.stat(self.path).st_mode & 0o777
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask


def write(records: Iterable[Mapping[str, Any]], form: str, file: IO[bytes], fields: tuple[Field, ...]) -> int:
    """Write records and return how many there were; `fields` gives the columns and their order."""
    if form == "json":
        return _json(records, file)
    if form == "csv":
        return _csv(records, file, columns(fields))
    if form == "parquet":
        return _parquet(records, file, fields)
    return _table(records, file, columns(fields))


def _json(records: Iterable[Mapping[str, Any]], file: IO[bytes]) -> int:
    count = 0
    for record in records:
        file.write(dumps(record) + b"\n")
        count += 1
    return count


def _csv(records: Iterable[Mapping[str, Any]], file: IO[bytes], names: list[str]) -> int:
    import csv

    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=False)
    writer = csv.writer(text, lineterminator="\r\n" if os.name == "nt" else "\n")
    writer.writerow(names)
    count = 0
    for record in records:
        count += 1
        row = flat(record)
        writer.writerow([harmless(cell(row[name])) if name in row else "" for name in names])
    text.flush()
    text.detach()
    return count


def _parquet(records: Iterable[Mapping[str, Any]], file: IO[bytes], fields: tuple[Field, ...]) -> int:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingDependencyError("Parquet needs pyarrow: pip install 'esatls[parquet]'") from error
    types = {
        "date": pa.timestamp("ms", tz="UTC"),
        "integer": pa.int64(),
        "boolean": pa.bool_(),
        "integers": pa.list_(pa.int64()),
        "keywords": pa.list_(pa.string()),
    }

    def kind(field: Field) -> Any:
        return types.get(field.type, pa.string())

    schema = []
    for field in fields:
        if field.type == "objects":
            schema += [pa.field(f"delivery_{inner.name}", pa.list_(kind(inner))) for inner in DELIVERY_FIELDS]
        else:
            schema.append(pa.field(field.name, kind(field)))
    dates = {field.name for field in fields if field.type == "date"} | {f"delivery_{field.name}" for field in DELIVERY_FIELDS if field.type == "date"}
    count = 0
    with pq.ParquetWriter(file, pa.schema(schema)) as writer:
        for batch in _batches(records):
            count += len(batch)
            rows = [{key: _moment(value) if key in dates else value for key, value in _columnar(record).items()} for record in batch]
            writer.write_table(pa.Table.from_pylist(rows, schema=pa.schema(schema)))
    return count


def _columnar(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a record with a list per field of its deliveries, all of one length; what an attempt lacks is null."""
    attempts = record.get("deliveries")
    if not attempts:
        return record
    return {**record, **{f"delivery_{field.name}": [attempt.get(field.name) for attempt in attempts] for field in DELIVERY_FIELDS}}


def _moment(value: Any) -> Any:
    from datetime import datetime

    if isinstance(value, list):
        return [None if text is None else _moment(text) for text in value]
    return datetime.fromisoformat(value[:-1] + "+00:00")


def _batches(records: Iterable[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    batch: list[Mapping[str, Any]] = []
    for record in records:
        batch.append(record)
        if len(batch) >= _BATCH:
            yield batch
            batch = []
    yield batch


def _table(records: Iterable[Mapping[str, Any]], file: IO[bytes], names: list[str]) -> int:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    found = list(records)
    rows = [_SUMMARIES[kind](record) for record in found for kind in (_kind(record),)]
    seen = {name for row in rows for name, value in row.items() if value}
    order = names if rows and _kind(found[0]) == "event" else list(rows[0]) if rows else []
    used = [name for name in order if name in seen]
    text = io.TextIOWrapper(file, encoding="utf-8", write_through=True)
    console = Console(file=text, markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = 10_000
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in used:
        table.add_column(name, overflow="fold", no_wrap=not console.is_terminal or name in _WHOLE)
    for row in rows:
        table.add_row(*(Text(_shown(row.get(name)), style=_style(row.get(name))) for name in used))
    console.print(table)
    text.detach()
    return len(found)


def _kind(record: Mapping[str, Any]) -> str:
    return "message" if "delivered" in record else "connection" if "tls_verdict" in record else "event"


def _message_row(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what people look for in a message, in few columns."""
    deliveries = record["deliveries"]
    done = [attempt for attempt in deliveries if attempt.get("outcome") == "done"]
    why = [record.get("received_reason"), *(attempt.get("reason") for attempt in deliveries)]
    return {
        "time": record.get("first_seen"),
        "esa_host": record.get("esa_host"),
        "mid": record["mid"],
        "sender": record.get("sender"),
        "recipients": record.get("recipients"),
        "received": _over(record["received"], [record.get("received_tls_version")]),
        "delivered": _over(record["delivered"], [attempt.get("tls_version") for attempt in done]),
        "made from": f"{record['parent_mid']} ({record['mid_relation']})" if "parent_mid" in record else None,
        "why": list(dict.fromkeys(reason for reason in why if reason)),
    }


def _connection_row(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what people look for in a connection, in few columns."""
    return {
        "opened": record.get("opened"),
        "esa_host": record.get("esa_host"),
        "direction": record["esa_direction"],
        "id": record.get("icid", record.get("dcid")),
        "peer": record.get("peer_host") or record.get("peer_ip"),
        "domain": record.get("domain"),
        "messages": record["messages"],
        "verdict": _over(record["tls_verdict"], [record.get("tls_version")]),
        "cipher": record.get("tls_cipher"),
        "why": record.get("tls_reason"),
    }


_SUMMARIES: dict[str, Callable[[Mapping[str, Any]], Mapping[str, Any]]] = {
    "message": _message_row,
    "connection": _connection_row,
    "event": lambda record: record,
}


def _over(verdict: str, versions: list[str | None]) -> str:
    return " ".join([verdict, *sorted({version for version in versions if version})])


def _style(value: Any) -> str:
    return _STYLES.get(value.split(" ")[0], "") if isinstance(value, str) else ""


def _shown(value: Any) -> str:
    return "" if value is None else printable(", ".join(map(str, value)) if isinstance(value, list) else cell(value))


_WHOLE = ("time", "opened", "mid", "icid", "dcid", "id")
"""Columns that a narrow terminal does not break."""
_STYLES = {"encrypted": "green", "cleartext": "bold red", "mixed": "red", "failed": "yellow", "unknown": "dim", "unused": "dim"}
