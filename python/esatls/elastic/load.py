"""Load the records that `esatls connections`, `esatls messages` and `esatls follow` print."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Callable

from esatls.elastic.client import ElasticError
from esatls.elastic.retry import PATIENCE
from esatls.elastic.write import Writer, Written

if TYPE_CHECKING:
    from collections.abc import Iterable

    from esatls.elastic.client import Client
    from esatls.elastic.write import Document


def load(client: Client, batches: Iterable[Iterable[bytes | str]], *, patience: float = PATIENCE, tell: Callable[[str], None] | None = None) -> Written:
    """Write the records of JSON Lines, batch by batch.

    A line that is not a record ends the load with ``ElasticError``; the lines before it are written. ``tell`` also gets one line about records that stay as
    they are because a join wrote them.
    """
    writer = Writer(client, patience=patience, tell=tell)
    number = 0
    for batch in batches:
        documents = []
        try:
            for line in batch:
                number += 1
                if line.strip():
                    documents.append(_document(writer, line, number))
        finally:
            writer.write(documents)
    if writer.left and tell:
        tell(f"{writer.left:,} documents were not written, because they exist already and were written by esatls elastic join")
    return writer.written


def _document(writer: Writer, line: bytes | str, number: int) -> Document:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ElasticError(f"line {number} is not JSON: {error}") from error
    message = f"line {number} is not a record of esatls"
    if not isinstance(record, dict):
        raise ElasticError(message)
    try:
        return writer.document(record)
    except (AttributeError, KeyError, TypeError) as error:
        raise ElasticError(message) from error
