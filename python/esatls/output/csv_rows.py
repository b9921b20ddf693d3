"""Records -> CSV: flat rows, in which no cell runs as a formula."""

from __future__ import annotations

import csv
import io
import os
from typing import IO, TYPE_CHECKING

from esatls.output.text import harmless
from esatls.verdicts.flat import cell, flat

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


def write(records: Iterable[Mapping[str, object]], file: IO[bytes], names: Sequence[str]) -> int:
    """Write records as CSV with these columns, and return how many there were."""
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
