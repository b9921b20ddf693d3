"""The three commands of the built package, run as splunkd runs them, on each Python that Splunk has."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from esatls.extraction.fields import CONNECTION_FIELDS, FIELDS, MESSAGE_FIELDS
from esatls.verdicts.flat import columns

from tests.core.support import CASES, SCENARIOS, read_events, read_facts
from tests.core.support import records as records_of
from tests.splunk.answers import HOST, NATIVE, SYSLOG, TIME, as_text, event, events_of, row_of
from tests.splunk.conf import DEFAULT, ROOT, events_of_text, read
from tests.splunk.driver import Command, Result, Splunk, Value, encode, unexpected
from tests.splunk.test_fields import texts

if TYPE_CHECKING:
    from pathlib import Path

NAMES = [field.name for field in FIELDS if field.name != "action"]
"""Fields that are added without being asked for."""
SCENARIO_NAMES = sorted(path.stem for path in SCENARIOS.glob("*.log"))


def without_time(rows: list[dict[str, Value]]) -> list[dict[str, Value]]:
    """Rows without `_time`, where the record does not tell it."""
    return [{name: value for name, value in row.items() if name != "_time"} for row in rows]


def scenario(name: str) -> tuple[list[dict[str, Value]], dict[str, Any]]:
    """Return a scenario as events of an appliance of its own, and its records as the CLI gives them from the file, read forwards."""
    log = re.sub(r"(?<=00:00 )(?=esa\d )", f"{name}-", (SCENARIOS / f"{name}.log").read_text(encoding="ascii"))
    host = f"{name.replace('_', '-')}.example.com"
    facts, _ = read_facts(log.splitlines(), host=host)
    return events_of(log, host=host), dict(zip(("connections", "messages"), records_of(facts)))


def all_scenarios() -> tuple[list[dict[str, Value]], dict[str, list[Any]]]:
    """All scenarios as one search, newest event first, and the records in the order in which the commands give them."""
    events, connections, messages = [], [], []
    for name in SCENARIO_NAMES:
        own, records = scenario(name)
        events += own
        connections += records["connections"]
        messages += records["messages"]
    events.sort(key=lambda item: float(str(item["_time"]) or 0), reverse=True)
    connections.sort(key=lambda record: str(record["esa_host"]))
    messages.sort(key=lambda record: str(record["esa_host"]))
    return events, {"connections": connections, "messages": messages}


def check(splunk: Splunk, events: list[dict[str, Value]], records: dict[str, Any], **how: Any) -> None:
    """Both reporting commands give the records, in order, and no message."""
    for command, kind in (("esatlsconnections", "connections"), ("esatlsmessages", "messages")):
        result = splunk.report(command, events, **how)
        assert unexpected(result.messages) == []
        wanted = [row_of(record) for record in records[kind]]
        if kind == "connections":
            assert without_time(result.rows) == wanted
        else:
            assert result.rows == [{"_time": row.get("_time", ""), **row} for row in wanted]


# ---- esatls ----


@pytest.mark.parametrize("head", [NATIVE, "<22>Jan 21 12:47:11 esa1.example.com mail_logs: Info: ", ""], ids=["native", "syslog", "bare"])
def test_every_case_gives_the_extractor_s_event(splunk: Splunk, head: str) -> None:
    """Each case and look-alike gets exactly the extractor's fields; the event's own fields stay; the host in the line wins."""
    events = [event(head + text) for text in texts()]
    result = splunk.stream("esatls", events)
    assert result.messages == []
    assert len(result.rows) == len(events)
    for given, row in zip(events, result.rows):
        found, _ = read_events([str(given["_raw"])], host=HOST)
        wanted = {name: as_text(value) for name, value in found[0].items()} if found else {}
        if found:
            wanted["time"] = "2005-07-20T19:47:40Z"
        assert row == {**given, **wanted}, given["_raw"]


def test_other_sources_and_envelopes(splunk: Splunk) -> None:
    """JSON around the line, consolidated events and every envelope of the catalogue are read as the CLI reads them."""
    lines = [case["line"] for case in json.loads((CASES / "envelope.json").read_text(encoding="ascii"))["cases"]]
    for path in sorted(CASES.glob("cef_*.json")):
        lines += [case["text"] for case in json.loads(path.read_text(encoding="ascii"))["cases"] if "text" in case]
    result = splunk.stream("esatls", [event(line) for line in lines])
    assert len(result.rows) == len(lines) > 100
    for line, row in zip(lines, result.rows):
        found, _ = read_events([line], host=HOST)
        wanted = {name: as_text(value) for name, value in found[0].items() if name in NAMES} if found else {}
        if found:
            wanted["time"] = "2005-07-20T19:47:40Z"
        assert row == {**event(line), **wanted}, line


def test_all_columns_are_announced(splunk: Splunk) -> None:
    """Every field's column is in the answer, even when no event has it, and each stands once."""
    result = splunk.stream("esatls", [event("nothing of an appliance")])
    assert result.rows == [event("nothing of an appliance")]
    assert set(NAMES) <= set(result.columns)
    assert len(result.columns) == len(set(result.columns))


def test_lines_that_differ_in_their_number(splunk: Splunk) -> None:
    """A text that was seen with another number has the same fields but for that; with what is no number it is no event."""
    numbers = ["5", "6", "12", "345678901234567890", "1", "1234567890123456789", "\N{ARABIC-INDIC DIGIT FIVE}", "x", "-1", ""]
    said = {"ICID {} close": "icid", "MID {} queued for delivery": "mid", "Message finished MID {} done": "mid", "DCID {} TLS success protocol TLSv1.2": "dcid"}
    for head in (NATIVE, SYSLOG):
        raws = [head + text.format(number) for number in numbers for text in said]
        rows = splunk.stream("esatls", [event(raw) for raw in raws]).rows
        names = [name for _ in numbers for name in said.values()]
        known = ["connection_closed", "message_accepted", "message_finished", "tls_success"]
        found = [(row.get("esa_event"), row.get(name)) for row, name in zip(rows, names)]
        assert found == [(kind, number) for number in numbers[:5] for kind in known] + [(None, None)] * (len(raws) - 5 * len(said))
        assert {row.get("tls_version") for row in rows[3 : 5 * len(said) : 4]} == {"TLSv1.2"}


def test_tls_lines_only(splunk: Splunk) -> None:
    """With tls_only=true other lines pass unchanged, and so does a consolidated event that says nothing of TLS."""
    cef = "CEF:0|Cisco|C100V|14.0.0-1|ESA_CONSOLIDATED_LOG_EVENT|Consolidated Log Event|5|ESAMID=7 "
    raws = [NATIVE + "ICID 5 TLS success", NATIVE + "Start MID 7 ICID 5", NATIVE + "DCID 6 STARTTLS command not supported.", cef + "act=DELIVERED"]
    raws += [cef + "ESATLSInConnStatus=Success act=DELIVERED", "Start MID 7 ICID 5", "ICID 5 TLS success"]
    rows = splunk.stream("esatls", [event(raw) for raw in raws], ["tls_only=true"]).rows
    assert [row.get("esa_event") for row in rows] == ["tls_success", None, "tls_not_offered", None, "consolidated_event", None, "tls_success"]
    assert rows[1] == event(raws[1])


def test_tls_lines_only_without_the_word(splunk: Splunk) -> None:
    """With tls_only=true a consolidated event that tells of DANE alone has its fields, and so has a TLS line that is wrapped within that word."""
    cef = "CEF:0|Cisco|C100V|14.0.0-1|ESA_CONSOLIDATED_LOG_EVENT|Consolidated Log Event|5|ESAMID=7 "
    raws = [cef + "act=DELIVERED ESADaneStatus=success ESADaneHost=example.net", NATIVE + "ICID 5 T\nLS success protocol TLSv1.2 cipher AES128-SHA"]
    events = [event(raw) for raw in [*raws, NATIVE + "Start MID\n7 ICID 5"]]
    assert splunk.stream("esatls", events, ["tls_only=true"]).rows == [*splunk.stream("esatls", events).rows[:2], events[2]]


def test_tls_lines_only_bring_no_empty_column(splunk: Splunk) -> None:
    """With tls_only=true a column comes only where a line fills it, in whatever order and beside whatever words; with none, no column comes."""
    raws = [NATIVE + 'ICID 5 TLS failed: he said "no", twice', NATIVE + "Start MID 7 ICID 5", NATIVE + "ICID 6 TLS success protocol TLSv1.2 cipher AES128-SHA"]
    result = splunk.stream("esatls", [event(raw) for raw in raws], ["tls_only=true"])
    filled = ["time", "esa_host", "esa_level", "esa_event", "esa_direction", "icid", "tls_result", "tls_version", "tls_cipher", "tls_reason"]
    assert sorted(set(result.columns) - set(event("")) - {"_chunked_idx"}) == sorted(filled)
    assert [row.get("tls_reason") for row in result.rows] == ['he said "no", twice', None, None]
    nothing = splunk.stream("esatls", [event(raws[1])], ["tls_only=true"])
    assert (nothing.rows, set(nothing.columns) - set(event("")) - {"_chunked_idx"}) == ([event(raws[1])], set())


def test_a_field_that_others_mean_otherwise(splunk: Splunk) -> None:
    """The action of a consolidated event is not CIM's: it is added under a prefix, and else an action that is there stays."""
    raw = "CEF:0|Cisco|C100V|14.0.0-1|ESA_CONSOLIDATED_LOG_EVENT|Consolidated Log Event|5|ESAMID=7 act=DELIVERED"
    (plain,) = splunk.stream("esatls", [event(raw, action="allowed")]).rows
    (asked,) = splunk.stream("esatls", [event(raw, action="allowed")], ["prefix=x_"]).rows
    assert (plain["mid"], plain["action"]) == ("7", "allowed")
    assert (asked["x_mid"], asked["x_action"], asked["action"]) == ("7", "DELIVERED", "allowed")


def test_another_field_and_a_prefix(splunk: Splunk) -> None:
    """The line may stand in another field, and new names may begin with a prefix."""
    given = event("unrelated", message=NATIVE + "Delivery start DCID 8 MID 9 to RID [0, 1]")
    (row,) = splunk.stream("esatls", [given], ["field=message", "prefix=esa2_"]).rows
    assert row == {
        **given,
        "esa2_time": "2005-07-20T19:47:40Z",
        "esa2_esa_host": HOST,
        "esa2_esa_level": "Info",
        "esa2_esa_event": "delivery_started",
        "esa2_esa_direction": "delivery",
        "esa2_dcid": "8",
        "esa2_mid": "9",
        "esa2_rid": ["0", "1"],
    }


def test_a_source_field_with_the_name_of_a_result(splunk: Splunk) -> None:
    """A source field that is also a result's name is overwritten only where the line has such a result, whatever it contains; no column stands twice."""
    texts = ["MID 1 ICID 2 RID 0 To: <bob@example.com>", "Start MID 1 ICID 2", "DCID 1 TLS failed: before\0after"]
    rows = splunk.stream("esatls", [event("x", recipient=NATIVE + text) for text in texts], ["field=recipient"]).rows
    assert [row["recipient"] for row in rows] == ["bob@example.com", NATIVE + texts[1], NATIVE + texts[2].replace("\0", "\ufffd")]
    assert [(row.get("mid"), row.get("dcid")) for row in rows] == [("1", None), ("1", None), (None, "1")]


RIGHT = "; the options of esatls are field, prefix, tls_only"


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["tls_only=perhaps"], "Illegal value: tls_only=perhaps"),
        (["prefix=a b"], "Illegal value: prefix=a b"),
        (["colour=red"], f"Unrecognized option: colour=red{RIGHT}"),
        (["record=true"], f"Unrecognized option: record=true{RIGHT}"),
        (["logging_configuration=/tmp/x"], f"Unrecognized option: logging_configuration=/tmp/x{RIGHT}"),
    ],
)
def test_a_wrong_option_is_named(splunk: Splunk, arguments: list[str], fault: str) -> None:
    """A wrong option ends the command with one message that names it; options that would touch files on the server do not exist."""
    command = Command(splunk.python, splunk.app, "esatls_events.py")
    told = command.getinfo("esatls", arguments)
    assert told.messages == [("ERROR", fault)]
    assert command.end()[0] == 1


WORD = "; options have the form name=value, such as field=message"


OPTIONS = {
    "esatls": "field, prefix, tls_only", "esatlsconnections": "field, limit, summary", "esatlsmessages": "field, limit, summary",
    "esatlssummary": "field, limit, window",
}  # fmt: skip


@pytest.mark.parametrize("name", ["esatls", "esatlsconnections", "esatlsmessages"])
def test_a_stray_word_is_named(splunk: Splunk, name: str) -> None:
    """A word that is no option ends each command with a message that names it, whatever its braces; so does each one of several."""
    for arguments, faults in (
        (["message"], [f"Unexpected word: message{WORD}"]),
        (["field=_raw", "abc", "{0}"], [f"Unexpected word: abc{WORD}", f"Unexpected word: {{0}}{WORD}"]),
        (["field=a{b"], None),
        (["field={b}'"], ["Illegal value: field={b}'"]),
        (["{x}=1"], [f"Unrecognized option: {{x}}=1; the options of {name} are {OPTIONS[name]}"]),
    ):
        command = Command(splunk.python, splunk.app, splunk.script(name))
        told = command.getinfo(name, arguments)
        assert told.messages == [("ERROR", fault) for fault in faults or []]
        assert command.end()[0] == (1 if faults else 0)


def test_a_field_that_no_event_has(splunk: Splunk) -> None:
    """One message, however many chunks and indexers, where no event has the field; none where one has it, or where there is no event."""
    lines = [event(NATIVE + text) for text in ("ICID 5 close", "nothing of an appliance", "ICID 6 close", "ICID 7 close")]
    without: list[dict[str, Value]] = [{"count": "1", "host": HOST}, {"count": "2", "host": HOST}, {"count": "3", "host": HOST}]
    empty = [{**event(" "), "message": ""}]
    rare = [*without, event("unrelated", message="nothing of an appliance")]
    for number, (events, arguments, field) in enumerate([
        (lines, ["field=message"], "message"),
        (without, [], "_raw"),
        (empty, ["field=message"], "message"),
        (rare, ["field=message"], None),
        (rare[::-1], ["field=message"], None),
        (lines, [], None),
        (lines[1:2], [], None),
        ([], [], None),
    ]):  # fmt: skip
        search = Splunk(splunk.python, splunk.app, chunk_rows=1) if number % 2 else splunk
        results = {"esatls": search.stream("esatls", events, arguments)}
        for name in ("esatlsconnections", "esatlsmessages"):
            results[name] = search.report(name, events, arguments, indexers=2)
        assert search.report("esatlsmessages", events, arguments, mapped=False) == results["esatlsmessages"]
        for name, result in results.items():
            text = f"{name}: no event has the field {field}; use field=<field> to name the one that holds the log lines"
            assert result.messages == ([("WARN", text)] if field else [])
        assert results["esatls"].rows == events or events is lines
        assert len(results["esatlsconnections"].rows) == (3 if events is lines and not arguments else 0)


@pytest.mark.parametrize("mapped", [True, False])
def test_a_search_that_does_not_fit(splunk: Splunk, mapped: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Beyond the limit rows are left out, and one message says how many; below it there is none."""
    events = [event(NATIVE + f"Start MID {n} ICID {n}") for n in range(1, 1001)]
    search = Splunk(splunk.python, splunk.app, chunk_rows=100)
    for name in ("esatlsmessages", "esatlsconnections"):
        result = search.report(name, events, ["limit=300"], mapped=mapped, indexers=1)
        assert len(result.rows) == 300
        text = f"{name}: 700 rows were left out because the limit of 300 connections and messages was reached: "
        assert [(level, told[: len(text)]) for level, told in result.messages] == [("WARN", text)]
        assert search.report(name, events, ["limit=1001"], mapped=mapped).messages == []


@pytest.mark.parametrize(
    ("start", "end", "limit", "fault"),
    [
        (3600, 7200, 9, "9 rows were left out"),
        (3600, 7201, 99, "The time range must consist of whole hours in UTC that are over; it is 1970-01-01T01:00:00Z to 1970-01-01T02:00:01Z"),
        (0, 7200, 99, "The time range must consist of whole hours in UTC that are over; it is any time to 1970-01-01T02:00:00Z"),
        (3600, 36e8, 99, "The time range must consist of whole hours in UTC that are over; it is 1970-01-01T01:00:00Z to 2084-01-29T16:00:00Z"),
    ],
)
def test_records_that_would_not_be_whole(splunk: Splunk, start: float, end: float, limit: int, fault: str) -> None:
    """A summary of more than fits, of hours that are cut, or of hours that are not over, ends with an error and writes nothing."""
    command = Command(splunk.python, splunk.app, "esatls_summary.py")
    told = command.getinfo("esatlssummary", [f"limit={limit}"], span=(start, end))
    if limit == 9:
        rows = [{**event(NATIVE + f"ICID {n} close"), "_time": "4000"} for n in range(9)]
        for finished in (False, True):
            told = command.execute(rows, [*rows[0]], finished=finished)
    assert [(level, text[: len(fault)]) for level, text in told.messages] == [("ERROR", fault)]
    assert told.rows == []
    assert command.end()[0] == 1


def test_strangers_words_come_through_unchanged(splunk: Splunk) -> None:
    """Quotes, commas, braces, line feeds, NUL, dollar signs and other scripts are data: in the event and in the fields."""
    words = "a\"b, 'c' {0} $x$ ;=|`d` \u00e9\u4e2d\U0001f600"
    raws = [
        NATIVE + f"ICID 5 TLS failed: {words}",
        f"two lines, {words}\nICID 6 TLS success",
        NATIVE + f"MID 7 Subject '{words}\nICID 5 TLS success'",
        NATIVE + "DCID 9 TLS failed: before\0after",
        NATIVE + "DCID 10 close\r",
        "\u2028" + words,
    ]
    rows = splunk.stream("esatls", [event(raw) for raw in raws]).rows
    assert [row["_raw"] for row in rows] == raws
    assert rows[0]["tls_reason"] == words
    assert [row.get("esa_event") for row in rows] == ["tls_failed", None, "message_identity", "tls_failed", "connection_closed", None]


def test_a_wrapped_line_in_one_event(splunk: Splunk) -> None:
    """A line that was hard-wrapped and indexed as one event gives its one event."""
    raw = NATIVE + "New SMTP ICID 5 interface Data 1 (192.0.2.1) address 198.51.100.7 reverse dns\nhost mx.example.net verified yes"
    (row,) = splunk.stream("esatls", [event(raw)]).rows
    assert (row["esa_event"], row["peer_host"]) == ("connection_opened", "mx.example.net")


@pytest.mark.usefixtures("needs_pcre2")
def test_every_record_of_an_array(splunk: Splunk) -> None:
    """However an array stands in a file, indexing makes an event of each record, and each event is read, whatever brackets stand on it."""
    records = [{"message": f"Mar  3 10:00:02 esa1 mail_logs: Info: ICID {icid} close"} for icid in range(5, 9)]
    plain, indented = [json.dumps(one) for one in records], [json.dumps(one, indent=1) for one in records]
    logs = [
        f"{begin}{mark.join(texts)}{end}"
        for texts in (plain, indented)
        for begin, mark, end in (("[", ",\n", "]"), ("[\n", ",\n", "\n]\n"), ("[ ", " ,\r\n ", " ]\n"))
    ]
    logs.append(json.dumps(records, indent=1))
    for events in events_of_text(read(DEFAULT / "props.conf")["esatls:mail"]["LINE_BREAKER"], logs):
        rows = splunk.stream("esatls", [event(raw) for raw in events]).rows
        assert [row["icid"] for row in rows if "icid" in row] == ["5", "6", "7", "8"], events


def test_time_and_host(splunk: Splunk) -> None:
    """Splunk's time goes before the stamp, which is the fallback; the line's host goes before Splunk's, which is the fallback."""
    syslog = "<22>Jan 21 12:47:11 esa1.example.com mail_logs: Info: ICID 5 close"
    given = [
        event(NATIVE + "ICID 5 close"),
        {**event(NATIVE + "ICID 5 close"), "_time": "1121888861.250"},
        {**event(NATIVE + "ICID 5 close"), "_time": ""},
        {**event(NATIVE + "ICID 5 close"), "_time": "yesterday"},
        event(syslog),
        {**event("ICID 5 close"), "host": "", "_time": ""},
    ]
    rows = splunk.stream("esatls", given).rows
    assert [row.get("time") for row in rows] == [
        "2005-07-20T19:47:40Z",
        "2005-07-20T19:47:41.250Z",
        "2005-07-20T19:47:40Z",
        "2005-07-20T19:47:40Z",
        "2005-07-20T19:47:40Z",
        None,
    ]
    assert [row.get("esa_host") for row in rows] == [HOST, HOST, HOST, HOST, "esa1.example.com", None]


# What may stand in `_time`, and is no time: milliseconds, years before 1 and after 9999, no numbers.
NO_TIMES = [
    "1709632800000", "253402300800", "-62135596801", "1e12", "-1e12", "1e400", "-1e400", "nan", "NaN", "inf", "-inf", "Infinity", "-99999999999",
    "9" * 20, "9" * 400, "2024-03-05 10:00", "0x10", "-", "",
]  # fmt: skip


def test_no_time_ends_a_search(splunk: Splunk) -> None:
    """Whatever stands in `_time`, each command goes on; what is no time of the years 1 to 9999 leaves the line its own stamp."""
    texts = [
        "New SMTP ICID 5 interface Data 1 (192.0.2.1) address 198.51.100.7 reverse dns host mx.example.net verified yes",
        "Start MID 6 ICID 5",
        # a few go by the way of whole texts
        "ICID 5\nclose",
        "Message done DCID 8 MID 6 to RID [0]",
    ]

    def searches(times: list[str]) -> list[Result]:
        events = [{**event(NATIVE + text), "_time": time, "host": f"esa{n:02}"} for n, time in enumerate(times) for text in texts]
        events += [{**event(json.dumps({"message": "Info: " + text.replace("\n", " ")})), "_time": time} for time in times for text in texts]
        plain = [splunk.stream("esatls", events)]
        both = [splunk.report(name, events, mapped=mapped) for name in ("esatlsconnections", "esatlsmessages") for mapped in (True, False)]
        for row in plain[0].rows:
            del row["_time"]
        return plain + both

    found = searches(NO_TIMES)
    assert [result.messages for result in found] == [[]] * 5
    assert [(row["time"] if row["host"] != HOST else row.get("time")) for row in found[0].rows] == (
        ["2005-07-20T19:47:40Z"] * 4 * len(NO_TIMES) + [None] * 4 * len(NO_TIMES)
    )
    assert {row.get("first_seen") for row in found[3].rows if row["esa_host"] != HOST} == {"2005-07-20T19:47:40Z"}
    assert [result.rows for result in found] == [result.rows for result in searches([""] * len(NO_TIMES))]


def test_first_and_last_times(splunk: Splunk) -> None:
    """The first and the last second that a date can have, and fractions on both sides of 1970, come out as they came in."""
    times = {
        "-62135596800": "0001-01-01T00:00:00Z",
        "-0.500": "1969-12-31T23:59:59.500Z",
        "0": "1970-01-01T00:00:00Z",
        "0.500": "1970-01-01T00:00:00.500Z",
        "253402300799.250": "9999-12-31T23:59:59.250Z",
    }
    events = [{**event(NATIVE + "Start MID 6 ICID 5"), "_time": time, "host": f"esa{n}"} for n, time in enumerate(times)]
    assert [row["time"] for row in splunk.stream("esatls", events).rows] == list(times.values())
    assert [(row["_time"], row["first_seen"]) for row in splunk.report("esatlsmessages", events).rows] == list(times.items())


def test_chunks(splunk: Splunk) -> None:
    """A full chunk of 50,000 rows and the rest behind it come back whole, and so do many small chunks."""
    events = [event(NATIVE + f"ICID {n} TLS success protocol TLSv1.2 cipher AES128-SHA") for n in range(50_010)]
    result = splunk.stream("esatls", events)
    assert [row["icid"] for row in result.rows] == [str(n) for n in range(50_010)]
    small = Splunk(splunk.python, splunk.app, chunk_rows=7).stream("esatls", events[:100])
    assert small.rows == result.rows[:100]


def mixed(*, usual: bool) -> list[dict[str, Value]]:
    """Return events whose rows are of every shape that splunkd's CSV usually gives them, or of every shape there is."""
    texts = [
        "ICID 5 TLS success protocol TLSv1.2 cipher AES128-SHA",
        'MID 6 quarantined to "Policy" (content filter)',
        "ICID 5 TLS failed: lost, and so on",
        'ICID 5 TLS failed: he said "no"',
        "Message done DCID 8 MID 6 to RID [0, 1, 12]",
        "Delivery start DCID 8 MID 6 to RID [0]",
        "MID 6 matched all recipients for per-recipient policy DEFAULT in the outbound table",
        "no line of an appliance",
        "Message done DCID 8 MID 6 to RID [1234567890123456789, 3]",
        "Message done DCID 8 MID 6 to RID [1234567890123456789]",
        "ICID 5 close",
        "ICID 5 close\t ",
        "Start MID 6 ICID 5\u2028",
    ]
    places = [("collector1", TIME), ("collector1.example.com", TIME), ("collector1", TIME + ".250"), ("esa2.example.com", TIME + ".250"), ("", "")]
    events: list[dict[str, Value]] = [event('"'), event('{"message": "Info: ICID 5 close"}'), event(NATIVE.rstrip() + "ICID 5 close")]
    # envelopes of several lengths, which differ in minutes and seconds, and one that only looks like them
    events += [
        event(f"<22>Jan 21 12:{minutes} {name}.example.com mail_logs: {'Info' if n % 2 else 'Warning'}: ICID {n} close")
        for n, minutes in enumerate(["47:11", "47:12", "48:12", "48:x2", "59:59", "00:00", "4:811"])
        for name in ("esa1", "gateway-north")
    ]
    if not usual:
        texts.append("New SMTP ICID 5 interface Data 1 (192.0.2.1) address 198.51.100.7 reverse dns\nhost mx.example.net verified yes")
        places += [("relay, the old one", TIME), ('so-called "relay"', TIME + ".250")]
        events += [event("word"), event("")]
    for host, seconds in places:
        events += [{**event(NATIVE + text), "host": host, "_time": seconds} for text in texts]
    random.Random(1).shuffle(events)
    return events


@pytest.mark.parametrize("usual", [True, False])
def test_rows_of_every_shape(splunk: Splunk, usual: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Whatever is in quotes and whatever stands in them, the event's fields are the CLI's, and the same where the text's column is the last."""
    rows: list[dict[str, Value]] = [{**row, "_chunked_idx": str(n)} for n, row in enumerate(mixed(usual=usual))]
    answers = []
    for order in (["_raw", "host", "_time", "_chunked_idx"], ["_chunked_idx", "_time", "host", "_raw"]):
        with Command(splunk.python, splunk.app, "esatls_events.py") as command:
            command.getinfo("esatls")
            answers.append(command.execute(rows, order, finished=True))
    assert answers[0].rows == answers[1].rows
    assert [reply.messages for reply in answers] == [[], []]
    assert len(answers[0].rows) == len(rows)
    for row, answer in zip(rows, answers[0].rows):
        text = str(row["_raw"]).replace("\n", " ")
        found, _ = read_events([text], host=str(row["host"]) or None)
        wanted = {name: as_text(value) for name, value in found[0].items()} if found else {}
        if found and row["_time"]:
            wanted["time"] = "2005-07-20T19:47:40.250Z" if str(row["_time"]).endswith(".250") else "2005-07-20T19:47:40Z"
        assert answer == {**{name: row[name] for name in order if row[name]}, **wanted}, row


def test_an_empty_search(splunk: Splunk) -> None:
    """No event, no row, no message, no fault."""
    assert splunk.stream("esatls", []) == Result()
    for command in ("esatlsconnections", "esatlsmessages"):
        assert splunk.report(command, []) == Result()
        assert splunk.report(command, [], mapped=False, preview=True) == Result()
        assert splunk.report(command, [event("nothing of an appliance")]) == Result()


def malformed() -> tuple[bytes, int]:
    """Return the body of a chunk in which good rows stand between broken ones: the body, and the number of good rows."""
    columns = ["_raw", "host", "_time", "_chunked_idx"]
    rows: list[dict[str, Value]] = [{"_raw": NATIVE + f"ICID {n} close", "host": HOST, "_time": TIME, "_chunked_idx": str(n - 1)} for n in range(1, 6)]
    good = encode(rows, columns).decode().splitlines()
    bad = ['"too short",x', good[1] + ',"too long"', "", "bare\rreturn,x,1,9,,,,", 'a"b"c,x,1,9,,,,']
    lines = [good[0]]
    for line, fault in zip(good[1:], bad):
        lines += [line, fault]
    huge = '"' + NATIVE + "ICID 77 TLS failed: " + "x" * 300_000 + f'",{HOST},{TIME},5,,,,'
    return ("\n".join([*lines, huge]) + "\n").encode(), 5


def test_broken_rows_are_counted_and_named(splunk: Splunk) -> None:
    """A broken row never ends the search: the good ones get their fields, and the job's messages say how many were broken and where."""
    body, good = malformed()
    with Command(splunk.python, splunk.app, "esatls_events.py") as command:
        command.getinfo("esatls")
        reply = command.ask({"action": "execute", "finished": False}, body)
        last = command.ask({"action": "execute", "finished": True})
    closed = [row for row in reply.rows if row.get("esa_event") == "connection_closed"]
    assert [row["icid"] for row in closed] == ["1", "2", "1", "3", "4", "5"]
    assert [len(str(row["tls_reason"])) for row in reply.rows if row.get("icid") == "77"] == [300_000]
    assert reply.messages == []
    (message,) = last.messages
    assert message[0] == "WARN"
    assert message[1].startswith("esatls: 4 broken rows (")
    assert message[1].endswith("; the first: row 2 of a chunk: 2 cells instead of 8")
    assert good == 5


def test_broken_rows_do_not_spoil_a_verdict(splunk: Splunk) -> None:
    """The reporting commands, too, leave broken rows out and say so."""
    body, good = malformed()
    with Command(splunk.python, splunk.app, "esatls_connections.py") as command:
        command.getinfo("esatlsconnections")
        reply = command.ask({"action": "execute", "finished": True}, body)
    assert [row["icid"] for row in reply.rows] == ["1", "2", "3", "4", "5", "77"]
    ((level, text),) = reply.messages
    assert level == "WARN"
    assert "broken rows" in text
    assert good == 5


def test_bytes_that_are_no_text(splunk: Splunk) -> None:
    """Invalid UTF-8 in an event is replaced and read on."""
    columns = ["_raw", "host", "_time", "_chunked_idx"]
    body = encode([{"_raw": NATIVE + "ICID 5 TLS failed: XX", "host": HOST, "_time": TIME, "_chunked_idx": "0"}], columns).replace(b"XX", b"\xff\xfe")
    with Command(splunk.python, splunk.app, "esatls_events.py") as command:
        command.getinfo("esatls")
        reply = command.ask({"action": "execute", "finished": True}, body)
    assert reply.rows[0]["tls_reason"] == "\ufffd\ufffd"


# ---- esatlsconnections, esatlsmessages ----


@pytest.mark.parametrize("mapped", [True, False])
def test_scenarios(splunk: Splunk, mapped: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Events newest first, over three indexers, give the CLI's records of every scenario; and so they do when splunkd skips the map."""
    events, records = all_scenarios()
    assert len(SCENARIO_NAMES) > 20
    check(splunk, events, records, mapped=mapped)


@pytest.mark.parametrize("mapped", [True, False])
def test_scenarios_in_any_order_and_number_of_chunks(splunk: Splunk, mapped: bool) -> None:  # noqa: FBT001
    """Shuffled, doubled, in chunks of 40 rows, for a preview, on two indexers: the same records."""
    events, records = all_scenarios()
    shuffled = events * 2
    random.Random(5).shuffle(shuffled)
    check(Splunk(splunk.python, splunk.app, chunk_rows=40), shuffled, records, mapped=mapped, preview=True, indexers=2)


def test_reduce_takes_facts_and_events_alike(splunk: Splunk) -> None:
    """Facts of one indexer and raw events of another, in one chunk or in several, in either order."""
    events, records = scenario("encrypted_both_ways")
    half = len(events) // 2
    facts = splunk.stream("esatlsmessages", events[:half], ["phase=map"]).rows
    assert facts
    assert {name for row in facts for name in row} == {"esatls_facts"}
    for rows in (facts + events[half:], events[half:] + facts, facts + events, facts * 2 + events[half:]):
        for size in (50_000, 2):
            result = Splunk(splunk.python, splunk.app, chunk_rows=size).report("esatlsmessages", rows, mapped=False)
            assert result.rows == [row_of(record) for record in records["messages"]]


def test_rows_come_only_at_the_end(splunk: Splunk) -> None:
    """Until splunkd says that it is finished, a reduce answers each chunk without rows; a preview before the end changes nothing."""
    events, records = scenario("encrypted_both_ways")
    columns = ["_raw", "host", "_time"]
    with Command(splunk.python, splunk.app, "esatls_messages.py") as command:
        told = command.getinfo("esatlsmessages")
        assert told.metadata["required_fields"] == ["_raw", "host", "_time", "esatls_facts"]
        assert told.metadata["streaming_preop"].startswith('esatlsmessages phase="map"')
        for given in events[::-1]:
            reply = command.execute([given], columns, finished=False)
            assert (reply.rows, reply.metadata["finished"]) == ([], False)
        reply = command.execute([], columns, finished=True)
    assert reply.rows == [row_of(record) for record in records["messages"]]
    assert set(columns_of_messages()) <= set(reply.columns)


def columns_of_messages() -> list[str]:
    """Return the columns of a message's row."""
    return ["_time", "host", *columns(MESSAGE_FIELDS), "deliveries", "mail"]


def test_columns_of_the_records_are_announced(splunk: Splunk) -> None:
    """Every column of a record is in the answer, filled or not."""
    events, _ = scenario("encrypted_both_ways")
    assert splunk.report("esatlsmessages", events).columns == columns_of_messages()
    assert splunk.report("esatlsconnections", events).columns == ["_time", "host", *(field.name for field in CONNECTION_FIELDS)]


def test_a_map_says_what_it_is(splunk: Splunk) -> None:
    """The map phase is a streaming command, so that splunkd may run it on the indexers, and asks for whole events."""
    with Command(splunk.python, splunk.app, "esatls_messages.py") as command:
        told = command.getinfo("esatlsmessages", ["phase=map", "field=_raw"])
        assert told.metadata["type"] == "streaming"
        assert "required_fields" not in told.metadata


EVENTS_OF_ONE_HOUR = """
import sys
sys.path.insert(0, sys.argv[1])
import esatls_events, esatls_lines, esatls_tables
command = esatls_events.EsatlsCommand()
command.reader, command.words = esatls_lines.RowReader(), {}
for number in range(3 * esatls_lines.MOST_HEADS):
    raw, place = "Wed Jul 20 19:47:40 2005 Info: ICID 5 TLS success", esatls_tables.Place("esa1", f"1121888860.{number}")
    assert command.head(raw, place).endswith("Z,esa1,,Info")
    assert len(command.reader.known) <= esatls_lines.MOST_HEADS + 1
"""


def test_memory_does_not_grow_with_times(splunk: Splunk) -> None:
    """What is kept of envelopes is bounded, also where each event has a time of its own, with fractions that its stamp does not have."""
    done = subprocess.run([splunk.python, "-B", "-c", EVENTS_OF_ONE_HOUR, str(splunk.app / "bin")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_nobody_s_text_passes_for_facts(splunk: Splunk) -> None:
    """A field that Splunk extracts from a stranger's words and calls esatls_facts is no fact."""
    forged = json.dumps([HOST, 0, "5", [["tls_success", 1121888860, "5", "TLSv1.3", "x", None, None]]])
    events = [
        event(NATIVE + "New SMTP ICID 5 interface Data 1 (192.0.2.1) address 198.51.100.7 reverse dns host mx.example.net verified yes"),
        event(NATIVE + f"MID 6 Subject 'esatls_facts={forged}'", esatls_facts=forged),
        event(NATIVE + "Start MID 6 ICID 5"),
    ]
    for mapped in (True, False):
        (row,) = splunk.report("esatlsconnections", events, mapped=mapped).rows
        assert row["tls_verdict"] == "cleartext"


def test_ids_that_two_appliances_had_at_once(splunk: Splunk) -> None:
    """The reporting commands warn of them in the job's messages, as the command line does."""
    events = [event(NATIVE + "Start MID 6 ICID 5"), event(NATIVE + "Start MID 6 ICID 7")]
    for command in ("esatlsmessages", "esatlsconnections"):
        ((level, text),) = splunk.report(command, events).messages
        assert level == "WARN"
        assert re.fullmatch(f"{command}: \\S+: an id was used by two at once, MID 6 at [0-9TZ:-]+; this looks like several appliances .*", text), text
    assert splunk.report("esatlsmessages", [event(NATIVE + "Start MID 6 ICID 5")] * 2).messages == []


def test_an_appliance_under_two_names(splunk: Splunk) -> None:
    """The reporting commands warn, once, of a short and a full name of one host, as the command line does."""
    events = [event(f"Mar  3 10:00:00 {host} mail_logs: Info: ICID 5 close") for host in ("esa1", "ESA1.example.com", "esa2.example.com")]
    told = "esa1 and esa1.example.com may be one appliance under two names; they are treated as two"
    hour = int(TIME) // 3600 * 3600
    for mapped in (True, False):
        for command in ("esatlsmessages", "esatlsconnections"):
            assert splunk.report(command, events, mapped=mapped).messages == [("WARN", f"{command}: {told}")]
    assert splunk.report("esatlssummary", events, mapped=False, span=(hour, hour + 3600)).messages == [("WARN", f"esatlssummary: {told}")]


def test_facts_that_are_none_are_counted(splunk: Splunk) -> None:
    """A row of facts that is cut or of another version is left out and named."""
    result = splunk.report("esatlsmessages", [{"esatls_facts": "[1, 2"}, {"esatls_facts": "{}"}, event(NATIVE + "Start MID 6 ICID 5")], mapped=False)
    assert [row["mid"] for row in result.rows] == ["6"]
    ((level, text),) = result.messages
    assert (level, text) == ("WARN", "esatlsmessages: 2 broken rows (3 rows read); the first: row 1 of a chunk: JSONDecodeError")


def test_log_lines_are_no_rows_of_the_summary(splunk: Splunk) -> None:
    """With summary=true, log lines give no record, and a message that says what they are not."""
    events = [event(NATIVE + "Start MID 6 ICID 5"), event(NATIVE + "ICID 5 close")]
    for name in ("esatlsmessages", "esatlsconnections"):
        text = f"{name}: 2 broken rows (2 rows read); the first: row 1 of a chunk: not a row of the summary index"
        assert splunk.report(name, events, ["summary=true"], mapped=False) == Result(messages=[("WARN", text)])


def test_time_of_a_connection_out_of_view(splunk: Splunk) -> None:
    """A connection whose opening and closing are not in view has the time at which it is first spoken of, so that no chart loses it."""
    events = [
        {**event(NATIVE + "Message done DCID 8 MID 6 to RID [0] "), "_time": "1121888900"},
        {**event(NATIVE + "Delivery start DCID 8 MID 6 to RID [0]"), "_time": "1121888890"},
        {**event(NATIVE + "ICID 5 TLS success"), "_time": "1121888880"},
    ]
    rows = splunk.report("esatlsconnections", events).rows
    assert [(row.get("icid"), row.get("dcid"), row["_time"]) for row in rows] == [("5", None, "1121888880"), (None, "8", "1121888890")]


def test_another_field(splunk: Splunk) -> None:
    """The line may stand in another field; the map is told so."""
    events = [event("unrelated", message=NATIVE + "ICID 5 TLS success"), event("unrelated")]
    (row,) = splunk.report("esatlsconnections", events, ["field=message"]).rows
    assert (row["icid"], row["tls_verdict"]) == ("5", "encrypted")


@pytest.mark.parametrize("header", ["", "Info: ", NATIVE])
@pytest.mark.parametrize("mapped", [True, False])
def test_each_value_of_a_multi_valued_field(splunk: Splunk, header: str, *, mapped: bool) -> None:
    """Each value is a text of its own, with a header or without, whatever characters it contains."""
    texts = ["ICID 5 TLS success protocol $;$ cipher x", "Start MID 6 ICID 5", "MID 6 Subject 'a'\nICID 7 TLS success"]
    given: dict[str, Value] = {"_time": TIME, "host": HOST, "message": [header + text for text in texts]}
    rows = splunk.report("esatlsmessages", [given], ["field=message"], mapped=mapped).rows
    assert [(row["mid"], row["received"], row["received_tls_version"]) for row in rows] == [("6", "encrypted", "$;$")]
    connections = splunk.report("esatlsconnections", [given], ["field=message"], mapped=mapped).rows
    assert [row["icid"] for row in connections] == ["5"]
    (row,) = splunk.stream("esatls", [given], ["field=message"]).rows
    assert (row["esa_event"], row["icid"], row["tls_version"], row["message"]) == ("tls_success", "5", "$;$", given["message"])


def test_a_gateway_s_day_as_the_cli_sees_it(splunk: Splunk, tmp_path: Path) -> None:
    """A made log of every shape gives in Splunk, newest first on three indexers, each process started anew, what the CLI gives from the file."""
    log = tmp_path / "mail.log"
    variables = {**os.environ, "PYTHONPATH": str(ROOT / "python")}
    make = [sys.executable, "-m", "tests.traffic", "--messages", "150", "--profile", "rare", "--hosts", "2", "--envelope", "iso_utc", "--log", str(log)]
    subprocess.run(make, check=True, cwd=ROOT, capture_output=True)
    events = events_of(log.read_text(encoding="utf-8"))
    for kind in ("connections", "messages"):
        command = [sys.executable, "-m", "esatls", kind, "--format", "json", "--quiet", "--host", HOST, str(log)]
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=variables)
        records = [json.loads(line) for line in done.stdout.splitlines()]
        assert len(records) > 100
        result = replace(splunk, fresh=True).report(f"esatls{kind}", events)
        assert without_time(result.rows) == without_time([row_of(record) for record in records])
        assert unexpected(result.messages) == []
