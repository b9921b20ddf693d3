"""Seeds for fuzzing: the lines of the cases and scenarios, in every envelope, made at run time."""

from __future__ import annotations

import json
import pathlib
from typing import Any

from tests.traffic import ENVELOPES, Line

TESTS = pathlib.Path(__file__).resolve().parents[1]
CASES = TESTS / "cases"
SCENARIOS = TESTS / "scenarios"
TIME = 1_721_504_860
"""20 July 2024 UTC, the time of lines in envelopes."""


def _cases(*begin: str) -> list[dict[str, Any]]:
    paths = [path for path in sorted(CASES.glob("*.json")) if path.name.startswith(begin)]
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths]


def texts() -> list[str]:
    """Return the message texts of all cases of the text log, and of their look-alikes."""
    found: list[str] = []
    for record in _cases(""):
        if "pattern" in record:
            found += [case["text"] for case in record["cases"]] + record["lookalikes"]
    return found


def records() -> list[str]:
    """Return the consolidated events of all cases."""
    found: list[str] = []
    for record in _cases("cef_"):
        found += [case["text"] for case in record["cases"] if "text" in case] + record.get("lookalikes", [])
    return found


def descriptions() -> list[str]:
    """Return the sentences of message tracking of all cases."""
    found: list[str] = []
    for record in _cases("tracking_"):
        found += [case["text"] for case in record["cases"] if "text" in case] + record.get("lookalikes", [])
    return found


def documents() -> list[str]:
    """Return tracking documents: responses of the REST API, and text pasted from the page."""
    found = []
    for number in range(0, len(descriptions()), 5):
        few = descriptions()[number : number + 5]
        entries = [{"timestamp": "20 Jul 2024 19:47:40 (GMT +02:00)", "description": text} for text in few]
        found.append(json.dumps({"data": {"messages": {"hostName": "esa1.example.com (192.0.2.1)", "isCompleteData": True, "summary": entries}}}))
        found.append("".join(f"20 Jul 2024 19:47:40 (GMT +02:00)\t{text}\n" for text in few))
    return found


def lines() -> list[list[str]]:
    """Return pools of lines: all texts in each envelope, the lines of the envelope cases, of each scenario, and consolidated events."""
    made = [Line(TIME + number, "esa1.example.com", "mail_logs", "Info", text) for number, text in enumerate(texts())]
    pools = [[envelope.render(line, 0) for line in made] for envelope in ENVELOPES.values()]
    pools.append([case["line"] for case in json.loads((CASES / "envelope.json").read_text(encoding="ascii"))["cases"]])
    pools += [path.read_text(encoding="utf-8", errors="surrogateescape").splitlines() for path in sorted(SCENARIOS.glob("*.log"))]
    pools.append([f"<22>Jul 20 19:47:40 esa1.example.com cef: {record}" for record in records()])
    return pools


def logs() -> list[str]:
    """Return logs of several lines: the scenarios, and some texts in each envelope."""
    found = [path.read_text(encoding="utf-8", errors="surrogateescape") for path in sorted(SCENARIOS.glob("*.log"))]
    few = texts()
    for name, envelope in ENVELOPES.items():
        start = sum(map(ord, name)) % len(few)
        part = [Line(TIME + number, "esa1.example.com", "mail_logs", "Info", text) for number, text in enumerate(few[start : start + 6])]
        found.append("".join(envelope.render(line, 0) + "\n" for line in part))
    return found


def words() -> list[str]:
    """Return the words for which patterns and envelopes look: the fuzzer's dictionary."""
    found = {word for text in [*texts(), *records(), *descriptions()] for word in text.replace("|", " ").replace("=", "= ").split(" ") if 1 < len(word) < 40}
    return sorted(found)
