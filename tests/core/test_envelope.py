"""What stands before the message text, in every wrapping of the catalogue."""

from __future__ import annotations

import json
from typing import Any

import pytest
from esatls.lines import envelope, records
from esatls.lines.clock import rfc3339
from hypothesis import given
from hypothesis import strategies as st

from tests.core.support import CASES, clock, read_events

FILE = json.loads((CASES / "envelope.json").read_text(encoding="ascii"))


def read(line: str) -> dict[str, Any]:
    """Return the envelope's fields of one line."""
    env = envelope.parse(line)
    time = clock().read(env.stamp, clock().read(env.outer) if env.outer else None) if env.stamp else None
    found = {"time": None if time is None else rfc3339(time), "esa_host": env.host, "esa_log": env.log, "esa_level": env.level}
    return {name: value for name, value in found.items() if value is not None}


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{case['row']}-{i}") for i, case in enumerate(FILE["cases"])])
def test_envelope_and_text(case: dict[str, Any]) -> None:
    """The envelope gives its fields, no others, and leaves the message text whole."""
    assert read(case["line"]) == case["envelope"]
    assert envelope.parse(case["line"]) == envelope.parse_unusual(case["line"])
    assert case["line"][envelope.parse(case["line"]).end :] == case["text"]


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{case['row']}-{i}") for i, case in enumerate(FILE["cases"])])
def test_event_through_a_stream(case: dict[str, Any]) -> None:
    """A line read as a log of one line gives the event of its text with the envelope's fields."""
    events, counts = read_events([case["line"]])
    assert counts.lines == 1
    if case["text"].startswith("ICID 5"):
        text = {"esa_event": "tls_success", "esa_direction": "receiving", "tls_result": "success", "icid": 5}
        assert events == [{**case["envelope"], **text, "tls_version": "TLSv1.2", "tls_cipher": "AES128-SHA"}]


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{case['row']}-{i}") for i, case in enumerate(FILE["wrapped"])])
def test_record_around_a_line(case: dict[str, Any]) -> None:
    """A JSON or ArcSight record gives the events of the lines inside, and counts as one line."""
    events, counts = read_events([case["line"]])
    assert events == case["events"]
    assert (counts.lines, counts.events, counts.unreadable) == (1, len(case["events"]), 0)


TEXT = "ICID 5 TLS success"
AT = {"time": "2024-03-05T10:00:00Z", "esa_host": "esa1", "esa_log": "mail_logs", "esa_level": "Info"}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("<22>1 2024-03-05T10:00:00Z esa1 mail_logs - - - Info: ", AT),
        ("<22>1 2024-03-05T11:00:00.000000+01:00 esa1 mail_logs 12 ID47 - Info: ", AT),
        ('<22>1 2024-03-05T10:00:00Z esa1 mail_logs - - [meta sequenceId="2" x="a\\]b"][y@1 z="1"] \ufeffInfo: ', AT),
        ("<22>1 2024-03-05T10:00:09Z esa1 mail_logs - - - Tue Mar  5 10:00:00 2024 Info: ", AT),
        ("<22>1 2024-03-05T10:00:00Z esa1 mail_logs - - - x Info: ", AT),
        ("<22>1 2024-03-05T10:00:00Z esa1 mail_logs - - [x Info: ", AT),
        ("<22>1 2024-03-05T10:00:00Z - - - - - Info: ", {"time": AT["time"], "esa_level": "Info"}),
        ("192.0.2.7 <22>Mar  5 10:00:00 esa1 mail_logs: Info: ", AT),
        ("2001:db8::7 <22>Mar  5 10:00:00 esa1 mail_logs: Info: ", AT),
        ("::ffff:192.0.2.7 <22>1 2024-03-05T10:00:00Z esa1 mail_logs - - - Info: ", AT),
    ],
)
def test_headers_of_relays(line: str, said: dict[str, Any]) -> None:
    """RFC 5424 and the address that a relay notes are read, and what is behind them is known."""
    assert read(line + TEXT) == said
    assert envelope.parse(line + TEXT).end == len(line)
    assert [{name: value for name, value in event.items() if name in AT} for event in read_events([line + TEXT] * 3)[0]] == [said] * 3


@pytest.mark.parametrize(
    "line",
    [
        "<22>1 2024-03-05T10:00:00Z esa1 mail_logs - - - ",
        "192.0.2.7 <22>Info: ",
        "192.0.2.7 ",
        "x Info: ",
        "x y: z: Info: ",
        "Mar  5 10:00:00 esa1 mail_logs: MID 1 Subject Info: ",
        "Mar  5 10:00:00 esa1 mail_logs: the user said Info: ",
        "Mar  5 10:00:00 esa1 mail_logs: it's Info: ",
        "Mar  5 10:00:00 esa1 mail_logs: From: <a> Info: ",
        "The user Mar  5 10:00:00 esa1 mail_logs: Info: ",
    ],
)
def test_what_is_no_header(line: str) -> None:
    """Words without a stamp or a colon in front of a level, and a header in which a text has begun, are none: a stranger may have written the level."""
    assert envelope.parse(line + TEXT) == (envelope.BARE, 0, None, None, None, None, "", None)
    assert read_events([line + TEXT])[0] == []


@pytest.mark.parametrize(
    "lead",
    [
        " ",
        "    ",
        "\t",
        "> ",
        ">> ",
        "mail.current:",
        "logs/mail.@20240305T100000.s:",
        "12:",
        "logs/mail:12:",
        "mail.current-",
        "mail.current-12-",
        "    12\t",
        "x ",
        "192.0.2.7: ",
    ],
)
@pytest.mark.parametrize("header", ["Tue Mar  5 10:00:00 2024 Info: ", "<22>Mar  5 10:00:00 esa1 mail_logs: Info: "])
def test_what_tools_put_in_front(lead: str, header: str) -> None:
    """What grep, a quote or an indentation puts in front of every line is passed over; a line of a log that has none of it in front is not read so."""
    for line in (header + TEXT, lead + header + TEXT):
        found = envelope.parse(line)
        assert (line[found.end :], found.rank) == (TEXT, envelope.STAMPED)
    assert envelope.parse(lead + header + TEXT)[2:4] == envelope.parse(header + TEXT)[2:4] or lead in ("x ", "192.0.2.7: ")
    assert len(read_events([lead + header + TEXT] * 3)[0]) == 3
    assert len(read_events([header + "ICID 6 close", lead + header + TEXT])[0]) == 1


@pytest.mark.parametrize("number", ["{:6}\t", "{:7} ", "{:4}: ", "{:3} | ", "{}:"])
@pytest.mark.parametrize("header", ["Tue Mar  5 10:00:00 2024 ", "<22>Mar  5 10:00:00 esa1 mail_logs: "])
def test_column_of_numbers(number: str, header: str) -> None:
    """Numbers of several lengths, which white space pads, are passed over as one alone is: no line is the rest of another."""
    lines = [f"{header}Info: MID {mid} ICID 5 From: <alice@example.net>" for mid in range(1, 120)]
    right = read_events(lines)
    assert right[1].events == 119
    assert read_events([number.format(at) + line for at, line in enumerate(lines, 1)]) == right


@pytest.mark.parametrize("host", ["esa.my-host.example.com", "my-esa.example.com", "esa-1"])
def test_dash_in_a_host(host: str) -> None:
    """A name with a dash in it is a host, where no other line shows that it is a file's."""
    assert envelope.parse(f"{host} mail_logs: Info: {TEXT}")[3:7] == (host, "mail_logs", "Info", "")


STAMPS = ["Tue Mar  5 10:00:00 2024 ", "<22>Mar  5 10:00:00 esa1 mail_logs: ", "2024-03-05T10:00:00Z esa1 mail_logs: ", "esa1 mail_logs: ", "mail_logs: ", ""]


@pytest.mark.parametrize("header", STAMPS)
@pytest.mark.parametrize(
    ("matched", "context"),
    [
        ("mail.current:", "mail.current-"),
        ("mail.log:7:", "mail.log-8-"),
        ("logs/esa-1:", "logs/esa-1-"),
        ("logs/mail-2.s:7:", "logs/mail-2.s-8-"),
        ("9:", "10-"),
        ("     9\t", "    10\t"),
        ("> ", "> "),
    ],
)
def test_context_of_grep(header: str, matched: str, context: str) -> None:
    """A line of context gives what it gives without the mark in front of it, and the rest of a wrapped line is joined without its own."""
    lines = [
        f"{header}Info: New SMTP ICID 5 interface Data 1",
        "(192.0.2.1) address 198.51.100.7 reverse dns host mx.example.net verified yes",
        f"{header}Info: ICID 5 close",
    ]
    right, counts = read_events(lines)
    assert (len(right), counts.events) == (2, 3)
    found, counts = read_events([matched + lines[0], context + lines[1], context + lines[2]])
    assert (found, counts.events) == (right, 3)
    found, counts = read_events([matched + lines[0], context + lines[1], "--", matched + lines[2], "--", context + "ICID 6 close"])
    assert (found, counts.events, counts.ignored) == (right, 3, 3)


def test_what_stands_between_contexts_ends_a_line() -> None:
    """What stands behind grep's separator is no rest of the line before it, and none of its own, whatever it reads like."""
    header = STAMPS[0] + "Info: "
    lines = [header + "New SMTP ICID 5 interface Data 1", "--", "(192.0.2.1) address 198.51.100.7 reverse dns host mx.example.net verified yes"]
    assert read_events(lines)[0] == []
    assert [event["esa_event"] for event in read_events([header + "ICID 5 close", "--", "ICID 6 TLS success"])[0]] == ["connection_closed"]


def test_every_wrapping_has_a_case() -> None:
    """The rows of the catalogue that are about one line each stand in the case file."""
    rows = {case["row"] for case in FILE["cases"] + FILE["wrapped"]}
    assert rows >= {f"W{number}" for number in [*range(1, 17), 20]}


def test_several_lines_in_one_json_field() -> None:
    """A field that holds several lines is a small log of its own."""
    raw = "Wed Jul 20 19:47:40 2005 Info: New SMTP ICID 5 interface Management\n(192.0.2.1) address 198.51.100.7 reverse dns host unknown verified no\n"
    events, counts = read_events([json.dumps({"_raw": raw + "Wed Jul 20 19:47:41 2005 Info: ICID 5 close"})])
    assert [event["esa_event"] for event in events] == ["connection_opened", "connection_closed"]
    assert (counts.lines, counts.events) == (1, 1)


@pytest.mark.parametrize(
    "before", ["Wed Jul 20 19:47:40 2005 Info: MID 1 Subject '", "<22>Jan 21 12:47:11 esa1 mail_logs: Info: MID 1 Subject 'x ", "MID 1 Subject '", "x"]
)
def test_record_within_a_text_is_no_record(before: str) -> None:
    """A record stands right behind the envelope: the same further on is text that somebody chose."""
    record = "CEF:0|CISCO|IronPort|14.0|mail|mail|5|rt=1121888861000 msg=ICID 5 TLS success"
    assert records.unwrap(record)
    assert records.unwrap("<22>Jan 21 12:47:11 conn.example.com " + record)
    assert not records.unwrap(before + record)
    assert not records.unwrap(before + '{"message": "ICID 5 TLS success"}')


LINE = "Info: ICID 5 TLS success"
ORIGINAL = "<22>Mar  5 10:00:00 esa1 mail_logs: Info: ICID 5 TLS success"


@pytest.mark.parametrize(
    ("record", "time", "host"),
    [
        # the appliance that the line as it came names
        ({"message": LINE, "event": {"original": ORIGINAL}, "host": {"name": "collector"}}, "2024-03-05T10:00:00Z", "esa1"),
        ({"message": ORIGINAL, "event.original": LINE}, "2024-03-05T10:00:00Z", "esa1"),
        ({"message": LINE, "event": {"original": "nothing"}, "host": {"name": "esa2"}}, None, "esa2"),
        # what a shipper knows of where the line comes from
        ({"message": LINE, "log": {"source": {"address": "192.0.2.7:514"}}, "host": {"name": "collector"}}, None, "192.0.2.7"),
        ({"message": LINE, "log": {"source": {"address": "[2001:db8::7]:514"}}}, None, "2001:db8::7"),
        ({"message": LINE, "log": {"source": {"address": "2001:db8::7"}}}, None, "2001:db8::7"),
        ({"message": LINE, "observer": {"hostname": "esa1"}, "log": {"source": {"address": "192.0.2.7:514"}}, "host": "collector"}, None, "esa1"),
        ({"message": LINE, "hostname": "esa1", "host": {"name": "collector"}}, None, "esa1"),
        ({"message": LINE, "host": {"ip": ["192.0.2.7"]}, "Computer": "esa1"}, None, "esa1"),
        ({"message": LINE, "hostname": "", "host": ["esa1", "esa2"]}, None, None),
        ({"message": LINE, "hostname": "", "host": ["esa1"]}, None, "esa1"),
        # Splunk's export, and what its HTTP Event Collector takes
        ({"preview": False, "result": {"_raw": LINE, "_time": "2024-03-05T11:00:00.000+01:00", "host": "esa1"}}, "2024-03-05T10:00:00Z", "esa1"),
        ({"event": LINE, "time": 1709632800.25, "host": "esa1"}, "2024-03-05T10:00:00.250Z", "esa1"),
        ({"event": LINE, "time": "1709632800"}, "2024-03-05T10:00:00Z", None),
        # numbers as times
        ({"_raw": LINE, "_time": 1709632800}, "2024-03-05T10:00:00Z", None),
        ({"_raw": LINE, "@timestamp": 1709632800123}, "2024-03-05T10:00:00.123Z", None),
        ({"_raw": LINE, "@timestamp": 0, "_time": 1709632800}, "2024-03-05T10:00:00Z", None),
        *(({"_raw": LINE, "_time": time}, None, None) for time in (True, -1, 10**400, float("inf"), float("nan"), [1, 2], "9" * 20, "yesterday")),
    ],
)
def test_what_a_record_says_of_its_line(record: dict[str, Any], time: str | None, host: str | None) -> None:
    """The line as it came counts, then what the record says of where and when it was written."""
    (event,) = read_events([json.dumps(record)])[0]
    assert (event["icid"], event.get("time"), event.get("esa_host")) == (5, time, host)


def test_deep_json_is_no_record() -> None:
    """Nesting that no collector writes is read as text, without an error."""
    events, counts = read_events(["{" + '"a":{' * 100_000])
    assert events == []
    assert (counts.lines, counts.ignored) == (1, 1)


@given(st.text(max_size=300))
def test_any_text_has_an_envelope(text: str) -> None:
    """Parsing never fails, and the text that it leaves is the end of the line."""
    env = envelope.parse(text)
    assert 0 <= env.end <= len(text)
    assert env.rank in range(3)


_STAMPS = ("Tue Mar  3 10:00:02 2026", "Mar  3 10:00:02", "<22>Mar 13 10:00:02", "Mar  3 10:00:02 2026", "Tue Mar  3 10:00:02", "2026-03-03T10:00:02Z")
_WORDS = (
    *("esa1", "esa1.example.com", "mail_logs", "mail_logs:", "mail_logs[7]:", "mail_logs :", "log:nopid:", "mail.info", "kern.x", "stdout", "F", "t"),
    *(
        "on",
        "tue",
        "Tue",
        "Mar",
        "CET",
        "2026",
        "10.0.0.1",
        "MID",
        "Message",
        "Subject:",
        "subject:",
        "text",
        "to:",
        "esa1:",
        "ESA:",
        "INFO:",
        "MAIL_Subject:",
        "a->b",
        '"x"',
        "Info",
        "info:",
        "-",
    ),
)


@given(
    st.sampled_from(_STAMPS),
    st.lists(st.sampled_from((*_WORDS, *_STAMPS)), max_size=4),
    st.sampled_from((" ", "  ", "\t")),
    st.sampled_from(("Info:", "WARNING:", "CEF:0|", "Notice:")),
    st.sampled_from(("", "MID 1 queued", "Tue Mar  3 10:00:02 2026 Info: x", "mail_logs: Info: x")),
)
def test_usual_headers_are_read_alike(stamp: str, words: list[str], blank: str, level: str, text: str) -> None:
    """A header that is known by sight says what the definition of all headers says of it."""
    line = blank.join([stamp, *words, level]) + " " + text
    assert envelope.parse(line) == envelope.parse_unusual(line)


@given(st.text(max_size=60), st.sampled_from(["ICID 5 TLS success", "DCID 6 TLS failed: x", "Message done DCID 1 MID 2 to RID [0]"]))
def test_text_before_an_event_is_never_skipped(before: str, text: str) -> None:
    """Only an envelope may stand before an event: no other text is passed over to find one."""
    line = f"MID 1 Subject '{before.splitlines()[0] if before.splitlines() else ''} {text}"
    assert envelope.parse(line).end == 0
    assert {event["esa_event"] for event in read_events([line])[0]} <= {"message_identity"}
