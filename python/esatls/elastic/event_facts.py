"""Event documents as facts: each line is read again as it was logged, at the time that the server has."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from esatls.extraction.event_stream import events
from esatls.extraction.fact_types import DELIVERY, MESSAGES, RECEIVING
from esatls.extraction.match import extract
from esatls.lines import envelope, records

if TYPE_CHECKING:
    from collections.abc import Iterator

    from esatls.extraction.event_record import EventRecord
    from esatls.verdicts.facts import Ref

FIELDS = ("@timestamp", "message", "event.original", "event.action", "observer.hostname", "observer.serial_number")
"""Fields that a line is read from."""
ID_FIELDS = ("event.action", "observer.hostname", "observer.serial_number", "esatls.icid", "esatls.dcid", "esatls.parent_mid", "email.local_id")
"""Fields that name the ids of a line."""
IDS: dict[int, tuple[str, ...]] = {RECEIVING: ("esatls.icid",), DELIVERY: ("esatls.dcid",), MESSAGES: ("email.local_id", "esatls.parent_mid")}
"""Fields that hold the ids of each store."""

_ID = re.compile(r"\d{1,18}", re.ASCII)
"""An id as the patterns take it; what another one has in its place is no id, and may be none that a server can look for."""
_OF_ENVELOPE = frozenset({"time", "esa_host", "esa_log", "esa_level"})


class Source(NamedTuple):
    """Which appliance a document is of: its host as it is written, and the serial number of a consolidated event; "" for what is not there."""

    host: str
    serial: str


def value_of(document: dict[str, Any], path: str) -> Any:
    """Return what a document has in a field, the first of several values; None for nothing. Shippers send lists, and numbers, where one text is usual."""
    found: Any = document
    for name in path.split("."):
        found = _first(found)
        found = found.get(name) if isinstance(found, dict) else None
    return _first(found)


def _first(value: Any) -> Any:
    while isinstance(value, list):
        value = next((one for one in value if one not in (None, "")), None)
    return value


def _text_of(document: dict[str, Any], path: str) -> str:
    """Return a value as the index has it; "" for none."""
    value = value_of(document, path)
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)


def source_of(document: dict[str, Any]) -> Source:
    """Return which appliance an event document is of."""
    is_consolidated = value_of(document, "event.action") == "consolidated_event"
    return Source(_text_of(document, "observer.hostname"), _text_of(document, "observer.serial_number") if is_consolidated else "")


def ids_of(document: dict[str, Any]) -> set[Ref]:
    """Return the ids that an event document names."""
    values = ((store, value_of(document, field)) for store, fields in IDS.items() for field in fields)
    return {(store, str(value)) for store, value in values if isinstance(value, (int, str)) and _ID.fullmatch(str(value))}


def event_of(document: dict[str, Any]) -> EventRecord | None:
    """Return the event of a document, without its appliance; None where its line is none."""
    line = document["message"] if "message" in document else value_of(document, "event.original")
    event = next(events_of(line), None) if isinstance(line, str) else None
    time: str = document["@timestamp"]
    # a shipper may send a year that is not one of 1 to 9999
    if event is None or time[4] != "-" or time[:4] <= "0000":
        return None
    event.pop("esa_host", None)
    event.pop("serial", None)
    # zone and year were known when the line came in
    event["time"] = time
    return event


def events_of(line: str) -> Iterator[EventRecord]:
    """Yield the events of one line as it was logged, without what its envelope says."""
    inner = records.unwrap(line)
    if len(inner) > 1 or (inner and len(inner[0].lines) > 1):
        # a record of several lines: which of them begin anew is the stream's to tell, a stranger may have written the others
        for found in events([line]):
            yield cast("EventRecord", {name: value for name, value in found.items() if name not in _OF_ENVELOPE})
        return
    text = inner[0].lines[0] if inner else line
    event = extract(text[envelope.parse(text).end :].rstrip())
    if event is not None:
        yield event
