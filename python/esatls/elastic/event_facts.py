"""Turns event documents into facts: each line is read again as it was logged, with the time that the server has for it."""

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
"""Fields from which an event is read."""
ID_FIELDS = ("event.action", "observer.hostname", "observer.serial_number", "esatls.icid", "esatls.dcid", "esatls.parent_mid", "email.local_id")
"""Fields that name the ids and the appliance of an event."""
IDS: dict[int, tuple[str, ...]] = {RECEIVING: ("esatls.icid",), DELIVERY: ("esatls.dcid",), MESSAGES: ("email.local_id", "esatls.parent_mid")}
"""By store: the fields that hold its ids."""

_ID = re.compile(r"\d{1,18}", re.ASCII)
"""An id as the patterns match it; any other text in its place is not an id, and a server may not be able to search for it."""
_OF_ENVELOPE = frozenset({"time", "esa_host", "esa_log", "esa_level"})


class Source(NamedTuple):
    """The appliance of a document: its host as it is written, and the serial number of a consolidated event; "" for one that is missing."""

    host: str
    serial: str


def value_of(document: dict[str, Any], path: str) -> Any:
    """Return the value of a field, the first one if there are several; None: there is none. Shippers send lists and numbers where one text is usual."""
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
    """Return the value of a field as the index has it, as text; "" if there is none."""
    value = value_of(document, path)
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)


def source_of(document: dict[str, Any]) -> Source:
    """Return the appliance of an event document."""
    is_consolidated = value_of(document, "event.action") == "consolidated_event"
    return Source(_text_of(document, "observer.hostname"), _text_of(document, "observer.serial_number") if is_consolidated else "")


def ids_of(document: dict[str, Any]) -> set[Ref]:
    """Return the ids that an event document names."""
    values = ((store, value_of(document, field)) for store, fields in IDS.items() for field in fields)
    return {(store, str(value)) for store, value in values if isinstance(value, (int, str)) and _ID.fullmatch(str(value))}


def event_of(document: dict[str, Any]) -> EventRecord | None:
    """Return the event of a document, without its appliance; None if its line is not an event."""
    line = document["message"] if "message" in document else value_of(document, "event.original")
    event = next(events_of(line), None) if isinstance(line, str) else None
    time: str = document["@timestamp"]
    # a shipper may send a year that is not one of 1 to 9999
    if event is None or time[4] != "-" or time[:4] <= "0000":
        return None
    event.pop("esa_host", None)
    event.pop("serial", None)
    # the server's time: zone and year were known when the line came in
    event["time"] = time
    return event


def events_of(line: str) -> Iterator[EventRecord]:
    """Yield the events of one line as it was logged, without what its envelope says."""
    inner = records.unwrap(line)
    if len(inner) > 1 or (inner and len(inner[0].lines) > 1):
        # a record of several lines: a stranger may have written some of them, so a stream must decide which ones begin an event
        for found in events([line]):
            yield cast("EventRecord", {name: value for name, value in found.items() if name not in _OF_ENVELOPE})
        return
    text = inner[0].lines[0] if inner else line
    event = extract(text[envelope.parse(text).end :].rstrip())
    if event is not None:
        yield event
