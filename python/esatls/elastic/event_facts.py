"""Event documents as facts: each line is read again as it was logged, at the time that the server has."""

from __future__ import annotations

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

_OF_ENVELOPE = frozenset({"time", "esa_host", "esa_log", "esa_level"})


class Source(NamedTuple):
    """Which appliance a document is of: its host as it is written, and the serial number of a consolidated event; "" for what is not there."""

    host: str
    serial: str


def source_of(document: dict[str, Any]) -> Source:
    """Return which appliance an event document is of."""
    observer = document.get("observer", {})
    is_consolidated = document.get("event", {}).get("action") == "consolidated_event"
    return Source(observer.get("hostname") or "", (observer.get("serial_number") or "") if is_consolidated else "")


def ids_of(document: dict[str, Any]) -> set[Ref]:
    """Return the ids that an event document names."""
    found = set()
    for store, fields in IDS.items():
        for field in fields:
            group, _, name = field.partition(".")
            value = document.get(group, {}).get(name)
            if isinstance(value, (int, str)) and str(value).isdigit():
                found.add((store, str(value)))
    return found


def event_of(document: dict[str, Any]) -> EventRecord | None:
    """Return the event of a document, without its appliance; None where its line is none."""
    line = document["message"] if "message" in document else document.get("event", {}).get("original")
    event = next(events_of(line), None) if isinstance(line, str) else None
    if event is None:
        return None
    event.pop("esa_host", None)
    event.pop("serial", None)
    # zone and year were known when the line came in
    event["time"] = document["@timestamp"]
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
