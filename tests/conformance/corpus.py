"""The rows of the table: tests/cases and tests/scenarios, read without the project's code."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
CASES = ROOT / "tests" / "cases"
SCENARIOS = ROOT / "tests" / "scenarios"

Event = dict[str, Any]

NATIVE = "Wed Jul 20 19:47:40 2005 Info: "
STAMPED: Event = {"time": "2005-07-20T19:47:40Z", "esa_level": "Info"}
ENVELOPE_FIELDS = ("time", "esa_host", "esa_log", "esa_level")


@dataclass(frozen=True)
class Item:
    """One case: a text for readers of texts, the log line that contains it, and the events of both."""

    text: str
    stated: Event | None  # the event of the text alone; None for a look-alike
    line: str | None  # None if the text is not part of a log line
    events: list[Event]  # the events of the line, mostly one

    @property
    def event(self) -> Event | None:
        """The first event, for engines that make one document or row per line."""
        return self.events[0] if self.events else None


@dataclass(frozen=True)
class Row:
    """One case file or one scenario."""

    name: str
    kind: str  # pattern, cef, tracking, envelope, scenario
    items: list[Item] = field(default_factory=list)
    pattern: str | None = None
    log: str = ""
    connections: list[Event] = field(default_factory=list)
    messages: list[Event] = field(default_factory=list)

    @property
    def lines(self) -> list[tuple[str, Item]]:
        """The lines of a log, each with its case."""
        return [(item.line, item) for item in self.items if item.line is not None]

    @property
    def size(self) -> int:
        """The number of answers that are compared: lines of a case file, records of a scenario."""
        return len(self.items) or len(self.connections) + len(self.messages)


def rows() -> list[Row]:
    """Return every case file, then every scenario, by name."""
    return [*cases(), *scenarios()]


def cases() -> list[Row]:
    """Return every case file."""
    files = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(CASES.glob("*.json"))}
    texts = {case["text"]: case["event"] for file in files.values() if "pattern" in file for case in file["cases"]}
    return [_envelope(name, file, texts) if name == "envelope" else _case(name, file) for name, file in files.items()]


def _case(name: str, file: dict[str, Any]) -> Row:
    kind = file.get("reader", "pattern")
    stated = [(case["text"], case["event"]) for case in file["cases"]] + [(text, None) for text in file["lookalikes"]]
    return Row(f"cases/{name}", kind, [_item(kind, text, event) for text, event in stated], file.get("pattern"))


def _item(kind: str, text: str, event: Event | None) -> Item:
    events = [] if event is None else [event]
    if kind == "pattern":
        # a second level after the envelope may belong to the envelope or to the text
        line = None if text.startswith("Info: ") else NATIVE + text
        return Item(text, event, line, [{**STAMPED, **event} for event in events])
    if kind == "cef":
        # without a stamp before it, the time of a record is `ended`
        return Item(text, event, text, [{**_ended(event), **event} for event in events])
    return Item(text, event, None, [])


def _ended(event: Event) -> Event:
    if "ended" not in event:
        return {}
    return {"time": datetime.strptime(event["ended"], "%a %b %d %H:%M:%S %Y").replace(tzinfo=timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")}


def _envelope(name: str, file: dict[str, Any], texts: dict[str, Event]) -> Row:
    """Return the row of the envelope file: a line has the event of its text with the envelope's fields; a record has the events listed."""
    sample = {name: value for name, value in file["wrapped"][0]["events"][0].items() if name not in ENVELOPE_FIELDS}
    texts = {**texts, file["cases"][0]["text"]: sample}
    items = []
    for case in file["cases"]:
        event = texts.get(case["text"])
        if case["text"].startswith("CEF:"):
            event = _plain_record(case["text"])
        items.append(Item(case["text"], event, case["line"], [] if event is None else [{**case["envelope"], **event}]))
    items += [Item("", None, case["line"], case["events"]) for case in file["wrapped"]]
    return Row(f"cases/{name}", "envelope", items)


def _plain_record(text: str) -> Event:
    """Return the event of a consolidated event that contains only two ids."""
    _, mid, icid = text.rpartition("|")[2].replace("ESAMID=", "|").replace(" ESAICID=", "|").split("|")
    return {"esa_event": "consolidated_event", "witness": "cef", "mid": int(mid), "icid": int(icid)}


def scenarios() -> list[Row]:
    """Return every scenario."""
    found = []
    for path in sorted(SCENARIOS.glob("*.log")):
        records = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        log = path.read_text(encoding="utf-8")
        found.append(Row(f"scenarios/{path.stem}", "scenario", log=log, connections=records["connections"], messages=records["messages"]))
    return found
