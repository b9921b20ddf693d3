"""What `import esatls` gives: the command line's answers, and plain words for wrong arguments."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import esatls
import pytest

from tests.core.support import ROOT

SAMPLE = ROOT / "python" / "esatls" / "sample.log"


def library(lines: list[str]) -> dict[str, list[dict[str, Any]]]:
    """Return what the library makes of a log, by the name of the command that prints the same."""
    facts = esatls.Facts()
    events = list(esatls.events(lines))
    for event in events:
        facts.add(event)
    return {"events": events, "connections": list(esatls.connections(facts)), "messages": list(esatls.messages(facts))}


def command_line(command: str, *arguments: str) -> list[dict[str, Any]]:
    """Return what a command prints of the sample."""
    done = subprocess.run([sys.executable, "-m", "esatls", command, "-q", "-f", "json", *arguments, str(SAMPLE)], check=True, capture_output=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def times(*texts: str, **options: Any) -> list[str | None]:
    """Return the times of the closed connections among some lines."""
    return [event.get("time") for event in esatls.events(list(texts), kinds=frozenset({"connection_closed"}), **options)]


def test_the_sample_gives_what_the_command_line_gives() -> None:
    """Events, connections and messages of the bundled sample are the command line's, times and all: its head states an offset."""
    with SAMPLE.open(encoding="utf-8", errors="surrogateescape") as log:
        found = library(list(log))
    assert "Time offset from UTC: 3600 seconds" in SAMPLE.read_text(encoding="utf-8")
    assert found == {"events": command_line("events", "-k", "all"), "connections": command_line("connections"), "messages": command_line("messages")}
    assert min(message["first_seen"] for message in found["messages"]) == "2026-03-03T08:14:06Z"


def test_each_head_tells_the_zone_of_what_follows_it() -> None:
    """Stamps are UTC up to the first head, and after each head in its zone; a stamp that names its own keeps it."""
    at = "Tue Mar  5 10:00:00 2024 Info: "
    lines = [
        at + "ICID 1 close", at + "Time offset from UTC: 3600 seconds", at + "ICID 2 close", "2024-03-05T10:00:00+05:00 Info: ICID 3 close\r\n",
        at + "Time offset from UTC: -7200 seconds\r\n", at + "ICID 4 close", json.dumps({"message": at + "Time offset from UTC: 0 seconds"}), at + "ICID 5 close",
    ]  # fmt: skip
    assert times(*lines) == ["2024-03-05T10:00:00Z", "2024-03-05T09:00:00Z", "2024-03-05T05:00:00Z", "2024-03-05T12:00:00Z", "2024-03-05T10:00:00Z"]


@pytest.mark.parametrize(
    "line",
    [
        "Tue Mar  5 10:00:00 2024 Info: MID 1 Subject 'Time offset from UTC: 3600 seconds'",
        "Tue Mar  5 10:00:00 2024 Info: Time offset from UTC: 999999 seconds",
        "Tue Mar  5 10:00:00 2024 esa1 mail_logs: Info: Time offset from UTC: 3600 seconds",
        '{"host": "esa1", "message": "Tue Mar  5 10:00:00 2024 Info: Time offset from UTC: 3600 seconds"}',
        "Time offset from UTC: 3600 seconds",
    ],
)
def test_what_is_no_head_shifts_no_time(line: str) -> None:
    """A stranger's words, an offset that no place has, a line without a stamp, and one that names its appliance leave the zone as it is."""
    assert times(line, "Tue Mar  5 10:00:00 2024 Info: ICID 1 close") == ["2024-03-05T10:00:00Z"]


def test_a_clock_rules_over_the_head() -> None:
    """With a clock of one's own, a head changes nothing."""
    lines = ("Tue Mar  5 10:00:00 2024 Info: Time offset from UTC: 3600 seconds", "Tue Mar  5 10:00:00 2024 Info: ICID 1 close")
    assert times(*lines, clock=esatls.Clock()) == ["2024-03-05T10:00:00Z"]
