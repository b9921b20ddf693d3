"""Records -> Parquet: flat rows with types."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any

from esatls.errors import MissingDependencyError
from esatls.extraction.fields import DELIVERY_FIELDS, Field

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_BATCH = 20_000


def write(records: Iterable[Mapping[str, object]], file: IO[bytes], fields: tuple[Field, ...]) -> int:
    """Write records as Parquet, and return how many there were. Raises `MissingDependencyError` if pyarrow is missing."""
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
    """Return a record with one list per field of its deliveries. All are of the same length; a missing value is null."""
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
