"""Flat records for CSV and Splunk: the attempts of `deliveries` become columns with several values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from esatls.extraction.fields import DELIVERY_FIELDS, Field

if TYPE_CHECKING:
    from collections.abc import Mapping

    from esatls.verdicts.record_types import DeliveryRecord

SEPARATOR = ";"
"""Between the values of one CSV cell; values in the same position belong to the same attempt."""
WITHIN = "%3B"
"""Replaces the separator within one of several values."""


def flat(record: Mapping[str, object]) -> Mapping[str, object]:
    """Return a record without nesting: `deliveries` becomes one list per DELIVERY_FIELDS column.

    The lists are of equal length; a missing value is an empty string, so that positions match.
    """
    if "deliveries" not in record:
        return record
    out = {key: value for key, value in record.items() if key != "deliveries"}
    attempts = cast("list[DeliveryRecord]", record["deliveries"])
    if attempts:
        for field in DELIVERY_FIELDS:
            values = [cell(attempt.get(field.name, ""), " ") for attempt in attempts]
            out[f"delivery_{field.name}"] = values
    return out


def columns(fields: tuple[Field, ...]) -> list[str]:
    """Return the columns of flat records with these fields."""
    names: list[str] = []
    for field in fields:
        names += [f"delivery_{inner.name}" for inner in DELIVERY_FIELDS] if field.name == "deliveries" else [field.name]
    return names


def cell(value: Any, separator: str = SEPARATOR) -> str:
    """Return a value as text: lists joined, without separators within their values, so that they can be split again; booleans in small letters."""
    if isinstance(value, list):
        parts = [cell(item, " ") for item in value]
        return separator.join([part.replace(SEPARATOR, WITHIN) for part in parts] if separator == SEPARATOR else parts)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
