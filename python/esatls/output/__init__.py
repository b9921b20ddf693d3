"""Records -> JSON Lines, CSV, Parquet, or a table for people, each in a module.

JSON Lines is the reference format. CSV, Parquet and Splunk rows are flat: the attempts of `deliveries` become columns with several values, which have types
in Parquet. Text from the log is only data: no cell runs as a formula, and no control character reaches a terminal.
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from esatls.output.file import Output, ending
from esatls.output.text import clipped, harmless, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from esatls.extraction.fields import Field

__all__ = ["BY_ENDING", "FORMATS", "Output", "clipped", "ending", "harmless", "printable", "write"]

FORMATS = ("json", "csv", "table", "parquet")
BY_ENDING = {**dict.fromkeys((".json", ".jsonl", ".ndjson"), "json"), ".csv": "csv", ".parquet": "parquet", ".txt": "table"}
"""Formats by file name extension."""


def write(records: Iterable[Mapping[str, object]], form: str, file: IO[bytes], fields: tuple[Field, ...], chosen: Sequence[str] = ()) -> int:
    """Write records and return how many there were; `fields` gives the columns and their order, or `chosen`, for CSV and a table."""
    if form == "json":
        from esatls.output import json_lines

        return json_lines.write(records, file)
    if form == "parquet":
        from esatls.output import parquet

        return parquet.write(records, file, fields)
    from esatls.verdicts.flat import columns

    if form == "csv":
        from esatls.output import csv_rows

        return csv_rows.write(records, file, chosen or columns(fields))
    from esatls.output import table

    return table.write(records, file, columns(fields), chosen)
