"""Consolidated events among lines: their time where nothing else tells it, and records that only look like others."""

from __future__ import annotations

import datetime as dt
import json
import pathlib
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from esatls import Facts, messages
from esatls.extraction import event_stream
from esatls.extraction.cef import stamp
from esatls.lines import clock
from esatls.lines.arcsight import text_line

if TYPE_CHECKING:
    from esatls.extraction.event_record import EventRecord

ROOT = pathlib.Path(__file__).resolve().parents[2]
HEADER = "CEF:0|Cisco|C100V Email Security Virtual Appliance|15.0.0-104|ESA_CONSOLIDATED_LOG_EVENT|Consolidated Log Event|5|"
ENDED = "Mon Jun  2 14:01:31 2025"
BERLIN = clock.Clock(clock.zone("Europe/Berlin"), latest=dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc).timestamp())


def events(*lines: str) -> list[EventRecord]:
    """Return the events of lines whose stamps are of Berlin."""
    return list(event_stream.events(lines, clock=BERLIN))


def times(*lines: str) -> list[str | None]:
    """Return the times of the events of lines whose stamps are of Berlin."""
    return [event.get("time") for event in events(*lines)]


@pytest.mark.parametrize("key", ["end", "endTime", "EndTime"])
def test_a_record_without_a_stamp_was_written_when_it_ended(key: str) -> None:
    """The end of the message's processing is the time of a bare record, in the time zone of the log as its other stamps."""
    assert events(f"{HEADER}ESAMID=7 {key}={ENDED} act=DELIVERED") == [
        {
            "time": "2025-06-02T12:01:31Z", "esa_event": "consolidated_event", "witness": "cef", "mid": 7, "ended": ENDED, "action": "DELIVERED",
        }
    ]  # fmt: skip


def test_a_subscription_alone_is_no_stamp() -> None:
    """A record with a host or a subscription in front, but no stamp, keeps them beside its own time."""
    assert events(f"esa1 consolidated_event: {HEADER}ESAMID=7 end={ENDED}") == [
        {
            "time": "2025-06-02T12:01:31Z", "esa_host": "esa1", "esa_log": "consolidated_event", "esa_event": "consolidated_event", "witness": "cef",
            "mid": 7, "ended": ENDED,
        }
    ]  # fmt: skip


def test_the_envelope_tells_the_time_where_it_does() -> None:
    """A stamp in front of the record, or the time of the JSON record around it, is the time: it is when the line was written."""
    record = f"{HEADER}ESAMID=7 rt=1693977196000 end={ENDED}"
    assert times(f"<14>Jun  2 14:01:33 2025 esa1 consolidated_event: {record}") == ["2025-06-02T12:01:33Z"]
    assert times(json.dumps({"message": record, "@timestamp": "2025-06-02T12:01:34Z"})) == ["2025-06-02T12:01:34Z"]
    assert times(json.dumps({"message": record})) == ["2023-09-06T05:13:16Z"]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        (f"rt=1693977196123 end={ENDED}", "2023-09-06T05:13:16.123Z"),
        ("end=1693977196000", "2023-09-06T05:13:16Z"),
        ("act=x endTime=1693977196000 rt=soon", "2023-09-06T05:13:16Z"),
        (f"rt=Jun 02 2025 14:01:31 end={ENDED}", ENDED),
        (f"rt=1693977196000 rt=1693977197000 end={ENDED}", ENDED),
        (f"rt=7 end={ENDED}", ENDED),
        (f"end={ENDED} msg='x rt=1693977196000'", ENDED),
        (f"end={ENDED} ESAAttachmentDetails={{'x rt=1693977196000': {{}}}}", ENDED),
        ("end=Mon Jun  2", None),
        (f"end={ENDED} end=Mon Jun  2 14:01:32 2025", None),
        ("act=DELIVERED", None),
        (f"msg='x end={ENDED}'", None),
        (f"ESAFriendlyFrom=x end\\={ENDED}", None),
    ],
)
def test_times_of_a_record(fields: str, told: str | None) -> None:
    """Milliseconds since 1970 are UTC whatever the zone of the log; one's own time is of the log's zone; strangers and contradictions tell none."""
    assert stamp(f"{HEADER}ESAMID=7 {fields}") == told


def test_no_record_no_time() -> None:
    """What is no consolidated event tells no time, and a date that does not exist none either."""
    assert stamp(f"ICID 5 close end={ENDED}") is None
    assert stamp(f"ESAMID=7 end={ENDED}") is None
    assert times(f"{HEADER}ESAMID=7 end=Mon Feb 30 14:01:31 2025") == [None]


def test_lines_without_a_stamp_keep_none() -> None:
    """Only consolidated events tell their own time; a bare line of the text log beside them has none."""
    assert times("ICID 5 TLS success", f"{HEADER}ESAMID=7 end={ENDED}") == [None, "2025-06-02T12:01:31Z"]


def test_the_time_orders_and_dates_messages() -> None:
    """A message known by a bare record alone has a first and last time."""
    facts = Facts()
    for event in events(f"{HEADER}ESAMID=7 ESAICID=5 end={ENDED} ESATLSInConnStatus=Success act=DELIVERED"):
        facts.add(event)
    (message,) = messages(facts)
    assert (message["received"], message["first_seen"], message["last_seen"]) == ("encrypted", "2025-06-02T12:01:31Z", "2025-06-02T12:01:31Z")


def test_time_zone_and_time_span_on_the_command_line(tmp_path: pathlib.Path) -> None:
    """`--timezone` reads the record's own time, and `--since` and `--until` choose by it."""
    log = tmp_path / "consolidated"
    log.write_text("".join(f"{HEADER}ESAMID={mid} end=Mon Jun  2 1{mid}:01:31 2025 ESATLSInConnStatus=Success\n" for mid in range(4)), encoding="utf-8")
    command = [sys.executable, "-m", "esatls", "events", "--timezone", "+02:00", "--since", "2025-06-02T09:00:00Z", "--until", "2025-06-02T11:00:00Z", str(log)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT / "python")
    assert [(event["mid"], event["time"]) for event in map(json.loads, done.stdout.splitlines())] == [(1, "2025-06-02T09:01:31Z"), (2, "2025-06-02T10:01:31Z")]


def test_the_subject_of_a_consolidated_event_is_no_line() -> None:
    """Whatever product a consolidated event names, its `msg` is a subject and not a line that an ArcSight connector wrapped."""
    record = "CEF:0|Cisco|IronPort C100V|15.0.0-104|ESA_CONSOLIDATED_LOG_EVENT|x|5|ESAMID=7 msg=ICID 5 TLS success"
    assert text_line(record) is None
    assert [event["esa_event"] for event in events(record, f"Jun  2 14:01:33 esa1 consolidated_event: {record}")] == ["consolidated_event"] * 2


def test_blocks_of_records_give_what_lines_give() -> None:
    """Many lines at a time give what they give one by one, in every envelope that a consolidated event comes in."""
    from esatls.extraction.blocks import BlockStream

    record = f"{HEADER}ESAMID=7 ESAICID=5 end={ENDED} ESATLSInConnStatus=Success msg='a CEF:0 b' act=DELIVERED"
    wrapped = "CEF:0|CISCO|IronPort|14.0|mail_logs|Info|3|rt=1693977196000 ahost=esa1 msg=ICID 5 TLS success"
    heads = ["<14>Jun  2 14:01:33 esa1 consolidated_event: ", "Jun  2 14:01:34 consolidated_event: ", "esa1 consolidated_event: ", ""]
    lines = [head + text for head in heads for text in (record, wrapped, record)] + ["Mon Jun  2 14:01:35 2025 Info: ICID 5 TLS success"]
    for count in range(1, len(lines) + 1):
        consumer = event_stream.Events(frozenset({"consolidated_event", "tls_success"}))
        stream = BlockStream(consumer, BERLIN)
        stream.block("\n".join(lines[:count]) + "\n")
        stream.end()
        assert consumer.found == events(*lines[:count])
