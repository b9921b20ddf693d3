"""The logs of users' reports give the right answers in every engine that reads such a log; the tests for Elastic are in its folder."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Callable

import pytest
from esatls.lines import envelope, records
from esatls.lines.clock import Clock, parse_rfc3339, zone

from tests import terminal
from tests.splunk import answers
from tests.splunk import app as splunk_app
from tests.splunk.conf import CACHE, DEFAULT, Extraction, events_of_text, read
from tests.traffic.agree import record_of

from . import inputs
from .inputs import FOLDER, RIGHT, YEAR

if TYPE_CHECKING:
    from pathlib import Path

    from tests.splunk.driver import Splunk, Value

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="needs the folder shared/ beside the clone")

HOST = "collector.example.com"
"""The appliance, for Splunk, of an event that names none."""
ARRIVED = f"{YEAR}-03-03T10:00:02Z"
"""Arrival time of events without a stamp."""
each_log = pytest.mark.parametrize("name", RIGHT)


def test_no_log_is_left_out() -> None:
    """There are right answers for every log, and for no others."""
    assert sorted(path.stem for path in FOLDER.glob("*.log")) == sorted(RIGHT)


# ---- the command line ----


def run(name: str, *words: object) -> list[dict[str, Any]]:
    """Return the records that a command prints for a log; it must print nothing to standard error."""
    done = terminal.run(*words, "-q", "--year", YEAR, FOLDER / f"{name}.log")
    assert (done.returncode, done.stderr) == (0, b"")
    return [json.loads(line) for line in done.stdout.splitlines()]


@each_log
def test_the_command_line(name: str, tmp_path: Path) -> None:
    """Events, connections and messages are right, and `follow` prints the same records as `messages`."""
    right = RIGHT[name]
    assert [inputs.event(one) for one in run(name, "events", "--kind", "all", "-f", "json")] == right.events
    assert inputs.in_order([inputs.connection(one) for one in run(name, "connections", "-f", "json")]) == inputs.in_order(right.connections)
    messages = run(name, "messages", "-f", "json")
    assert [inputs.message(one) for one in messages] == right.messages
    followed = run(name, "follow", "--once", "--fresh", "--checkpoint", tmp_path / "checkpoint")
    assert sorted(followed, key=str) == sorted(messages, key=str)


# ---- Splunk ----


@pytest.fixture(scope="module")
def splunks(tmp_path_factory: pytest.TempPathFactory) -> list[Splunk]:
    """Return a Splunk for each of its Python versions that is installed."""
    found = list(splunk_app.installed(tmp_path_factory.mktemp("inputs")).values())
    if not found:
        pytest.skip(f"needs Python {' or '.join(splunk_app.VERSIONS)}")
    return found


@pytest.fixture(scope="module")
def broken() -> Callable[[str], list[str]]:
    """Return a function that breaks a text into events as Splunk does, by the app's LINE_BREAKER."""
    if not (CACHE / "pcre2" / ".done").exists():
        pytest.skip("pcre2 is not installed: run tests/splunk/setup.sh")
    breaker = read(DEFAULT / "props.conf")["esatls:mail"]["LINE_BREAKER"]
    return lambda text: events_of_text(breaker, [text])[0]


def indexed(raw: str) -> dict[str, Value]:
    """Return an event as in an index, with the time of its stamp, or else its arrival time."""
    clock = Clock(zone("UTC"), parse_rfc3339(f"{YEAR}-12-31T12:00:00Z"))
    inner = next(iter(records.unwrap(raw)), None)
    stamp = envelope.parse(inner.lines[0] if inner else raw).stamp or (inner.time if inner else None)
    time = clock.read(stamp) if stamp else None
    return {**answers.event(raw, host=HOST), "_time": answers.splunk_time(parse_rfc3339(ARRIVED) if time is None else time)}


def known(told: inputs.Told) -> inputs.Told:
    """Return an answer with the appliance from the index, if the log names none."""
    return (told[0] or HOST, *told[1:])


def at(time: str | None, told: inputs.Told) -> inputs.Told:
    """Return a message's answer if all its lines are in one event of the index, which has only one time."""
    return (*told[:-1], [(*attempt[:-1], time) for attempt in told[-1]])


@each_log
def test_the_commands_of_splunk(name: str, splunks: list[Splunk], broken: Callable[[str], list[str]]) -> None:
    """Connections and messages are right for the events that Splunk makes of a log, newest first, on three indexers."""
    events = [indexed(raw) for raw in broken(inputs.text(name))][::-1]
    right = RIGHT[name]
    messages = [known(one) for one in right.messages]
    if len(events) == 1 < len(right.events):
        messages = [at(right.events[0][1], one) for one in messages]
    for splunk in splunks:
        found = {kind: splunk.report(f"esatls{kind}", events) for kind in ("connections", "messages")}
        assert [result.messages for result in found.values()] == [[], []]
        told = [inputs.connection(record_of(row)) for row in found["connections"].rows]
        assert inputs.in_order(told) == inputs.in_order([known(one) for one in right.connections])
        assert [inputs.message(record_of(row)) for row in found["messages"].rows] == messages


LEFT_TO_THE_COMMANDS = {"08": {0}, "15": {7}, **dict.fromkeys(("10", "11", "13", "14"), range(10))}
"""Start of a log's name -> its events that are in a record or on two lines, which the confs do not read."""


@each_log
def test_the_confs_of_splunk(name: str, broken: Callable[[str], list[str]]) -> None:
    """The fields are right for each event that is one line with a header."""
    extraction = Extraction("cisco:esa:cef" if "_cef_" in name else "cisco:esa:textmail")
    told = extraction.fields([raw.rstrip("\n") for raw in broken(inputs.text(name))])
    found = [told_by_fields(fields) for fields in told if "esa_event" in fields or "mid" in fields]
    left = LEFT_TO_THE_COMMANDS.get(name[:2], frozenset())
    wanted = [(host, *rest) for number, (host, _, *rest) in enumerate(RIGHT[name].events) if number not in left]
    assert found == wanted


def told_by_fields(fields: dict[str, str]) -> inputs.Told:
    """Return extracted fields as an event in the form of the table, without its time."""
    numbers = [int(fields[name]) if name in fields else None for name in ("icid", "dcid", "mid")]
    return (fields.get("esa_host"), fields.get("esa_event", "consolidated_event"), *numbers)
