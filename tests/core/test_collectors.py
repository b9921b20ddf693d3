"""Headers, records and documents of collectors and tools (CATALOGUE 3b): each gives the line in it, with the time and host that stand beside it."""

from __future__ import annotations

import csv
import io
import json
import random
from time import process_time
from typing import Any

import pytest
from esatls.extraction.blocks import BlockStream
from esatls.extraction.event_stream import Events
from esatls.extraction.event_stream import events as read
from esatls.extraction.kinds import EVENT_KINDS, TLS_KINDS
from esatls.extraction.stream import Counts, Stream
from esatls.lines import documents, records, tables
from esatls.lines.clock import MONTHS
from hypothesis import example, given
from hypothesis import strategies as st

from tests.core import taken_apart, two_texts
from tests.core.support import SHARED, all_cases, blocks_agree, clock, cut, events_in_blocks, feed, needs_shared, read_blocks, read_events, resumed_anywhere
from tests.core.support import records as records_of_facts
from tests.core.test_spoofing import CARRIERS, FED, IDENTITY, ONE_LINE, SPLIT

TEXT = "ICID 5 TLS success"
LINE = "Info: " + TEXT
WHOLE = "Mar  3 10:00:02 esa1 mail_logs: " + LINE
AT = "2024-03-03T10:00:02Z"


def told(lines: list[str]) -> list[tuple[Any, ...]]:
    """Return number, time, host, log and level of the events of a log."""
    return [tuple(event.get(name) for name in ("icid", "time", "esa_host", "esa_log", "esa_level")) for event in read_events(lines)[0]]


HEADERS = {
    "Sun Mar  3 10:00:02 2024 Info: ": (AT, None, None),
    "Sun Mar  3 11:00:02 CET 2024 Info: ": (AT, None, None),
    "Mar  3 10:00:02 esa1 mail_logs[123]: Info: ": (AT, "esa1", "mail_logs"),
    "Mar  3 10:00:02 esa1 mail_logs : Info: ": (AT, "esa1", "mail_logs"),
    "Mar  3 2024 10:00:02 esa1 mail_logs: Info: ": (AT, "esa1", "mail_logs"),
    "Mar  3 10:00:02.000 esa1 mail_logs: Info: ": (AT, "esa1", "mail_logs"),
    "<111>Mar  3 11:00:02 relay app: Mar  3 10:00:02  192.0.2.77 MAIL: Info: ": (AT, "192.0.2.77", "MAIL"),
    "2024-03-03 11:00:02\tMail.Info\t192.0.2.10\tMar  3 10:00:02 mail_logs: Info: ": (AT, "192.0.2.10", "mail_logs"),
    "97 <22>Mar  3 10:00:02 esa1 mail_logs: Info: ": (AT, "esa1", "mail_logs"),
    "2024 Mar 03 11:00:02 esa1->192.0.2.10 Mar  3 10:00:02 esa1 mail_logs: Info: ": (AT, "esa1", "mail_logs"),
    '2024-03-03T10:00:02Z {host="esa1", job="syslog"} Info: ': (AT, "esa1", None),
    "03 03 2024 11:00:02 192.0.2.10 <MAIL:INFO> Mar  3 10:00:02 esa1 mail_logs: Info: ": (AT, "esa1", "mail_logs"),
    "192.0.2.10:514 : mail.info Mar  3 10:00:02 esa1 mail_logs: Info: ": (AT, "esa1", "mail_logs"),
    "2024-03-03T10:00:02Z esa1 mail_logs: INFO: ": (AT, "esa1", "mail_logs"),
    "Mar 03 10:00:02 esa1 mail_logs[1]: Info: ": (AT, "esa1", "mail_logs"),
    "2024-03-03T11:00:04.587Z 192.0.2.250 <22>Mar  3 10:00:02 esa1 mail_logs: Info: ": (AT, "esa1", "mail_logs"),
    "2024-03-03T11:00:04.587Z 192.0.2.250 Mar  3 10:00:02 esa1 mail_logs: Info: ": (AT, "esa1", "mail_logs"),
    "<22>Mar  3 11:00:03 relay <22>Mar  3 10:00:02 esa1 mail_logs: Info: ": (AT, "esa1", "mail_logs"),
    "<22>2024-03-03 11:00:04 Mail.Info 192.0.2.13 Mar  3 10:00:02 esa1 mail_logs: Info: ": (AT, "esa1", "mail_logs"),
    "2024-03-03T10:00:03.1Z stdout F Mar  3 10:00:02 esa1 mail_logs: Info: ": (AT, "esa1", "mail_logs"),
    "03/Mar/2024:10:00:02 +0000 esa1 mail_logs: Info: ": (AT, "esa1", "mail_logs"),
    "mail.current:Sun Mar  3 10:00:02 2024 Info: ": (AT, None, None),
    "logs/mail.@20240303T100000.s:12:Sun Mar  3 10:00:02 2024 Info: ": (AT, None, None),
    "logs/mail.@20240303T100000.s-12-Sun Mar  3 10:00:02 2024 Info: ": (AT, None, None),
    "mail.current-Sun Mar  3 10:00:02 2024 Info: ": (AT, None, None),
    "<22>2024-03-03 11:00:04\tMail.Info\t192.0.2.13\tMar  3 10:00:02 esa1 mail_logs: Info: ": (AT, "esa1", "mail_logs"),
    "12:Sun Mar  3 10:00:02 2024 Info: ": (AT, None, None),
    "    12\tSun Mar  3 10:00:02 2024 Info: ": (AT, None, None),
    "> Sun Mar  3 10:00:02 2024 Info: ": (AT, None, None),
    "12. Sun Mar  3 10:00:02 2024 Info: ": (AT, None, None),
    "    Info: ": (None, None, None),
}


@pytest.mark.parametrize("header", HEADERS)
def test_header(header: str) -> None:
    """Each header ends at the level, and gives the appliance's own stamp, host and log."""
    time, host, log = HEADERS[header]
    assert told([header + TEXT] * 3) == [(5, time, host, log, "Info")] * 3


CEF = "CEF:0|Cisco|C100V Email Security Virtual Appliance|15.0.0-104|ESA_CONSOLIDATED_LOG_EVENT|Consolidated Log Event|5|ESAMID=14 ESAICID=5"


@pytest.mark.parametrize(
    ("header", "time", "host"),
    [
        ("Sun Mar  3 10:00:02 2024: ", AT, None),
        ("Sun Mar  3 10:00:02 2024 ", AT, None),
        ("<111>Mar  3 11:00:02 esa1 ESA: Sun Mar  3 10:00:02 2024: ", AT, "esa1"),
        ("Mar  3 10:00:02 esa1.mail.example.com: ", AT, "esa1.mail.example.com"),
        ("Mar  3 10:00:02 192.0.2.1: ", AT, "192.0.2.1"),
    ],
)
def test_header_of_a_consolidated_event(header: str, time: str, host: str | None) -> None:
    """A year is no host, and a colon behind the stamp is no log."""
    (event,) = read_events([header + CEF])[0]
    assert (event["mid"], event["time"], event.get("esa_host")) == (14, time, host)


HOSTED = {"host": "esa1"}
ESA1 = (5, AT, "esa1", None, "Info")
NAMED = (5, AT, "esa1", "mail_logs", "Info")
RECORDS: list[tuple[dict[str, Any], tuple[Any, ...]]] = [
    *(({name: LINE, "time": AT, "host": "esa1"}, (5, AT, "esa1", None, "Info")) for name in records.LINE if "." not in name and name != "AdditionalExtensions"),
    *(({"message": LINE, name: AT}, (5, AT, None, None, "Info")) for name in records.TIME),
    *(({"message": LINE, "timestamp": time}, (5, AT, None, None, "Info")) for time in (1709460002, 1709460002000, 1709460002000000, 1709460002 * 10**9)),
    *(({"message": LINE, "timestamp": str(time)}, (5, AT, None, None, "Info")) for time in (1709460002, 1709460002000, 1709460002000000, 1709460002 * 10**9)),
    ({"full_log": WHOLE, "predecoder": {"hostname": "x"}}, (5, AT, "esa1", "mail_logs", "Info")),
    ({"attributes": {"timestamp": AT, "host": "esa1", "message": LINE}}, (5, AT, "esa1", None, "Info")),
    ({"_source": {"@timestamp": AT, "observer": {"hostname": "esa1"}, "event": {"original": LINE}}}, (5, AT, "esa1", None, "Info")),
    ({"took": 1, "hits": {"hits": [{"_source": {"message": WHOLE}}]}}, (5, AT, "esa1", "mail_logs", "Info")),
    ({"logGroup": "x", "logEvents": [{"id": "1", "timestamp": 1709460002000, "message": LINE}]}, (5, AT, None, None, "Info")),
    ({"streams": [{"stream": {"host": "esa1"}, "values": [["1709460002000000000", LINE]]}]}, (5, AT, "esa1", None, "Info")),
    ({"textPayload": LINE, "timestamp": AT, "resource": {"labels": {"host": "esa1"}}}, (5, AT, "esa1", None, "Info")),
    ({"jsonPayload": {"message": LINE, "hostname": "esa1"}, "timestamp": AT}, (5, AT, "esa1", None, "Info")),
    (
        {
            "resourceLogs": [
                {
                    "resource": {"attributes": [{"key": "host.name", "value": {"stringValue": "esa1"}}]},
                    "scopeLogs": [{"logRecords": [{"timeUnixNano": "1709460002000000000", "body": {"stringValue": LINE}}]}],
                }
            ]
        },
        (5, AT, "esa1", None, "Info"),
    ),
    (
        {"@timestamp": AT, "cisco_secure_email_gateway": {"log": {"message": TEXT, "category": {"name": "mail_logs"}}}, "log": {"level": "info"}, **HOSTED},
        (5, AT, "esa1", "mail_logs", "Info"),
    ),
    ({"map": {"_messagetime": "1709460002000", "_raw": LINE, "_sourcehost": "esa1"}}, (5, AT, "esa1", None, "Info")),
    ({"__REALTIME_TIMESTAMP": "1709460002000000", "SYSLOG_IDENTIFIER": "mail_logs", "MESSAGE": LINE}, (5, AT, None, "mail_logs", "Info")),
    ({"@timestamp": AT, "log": {"syslog": {"hostname": "esa1", "appname": "mail_logs"}, "source": {"address": "192.0.2.1:9"}}, "message": LINE}, NAMED),
    ({"@timestamp": AT, "hostname": "esa1", "process": {"program": "mail_logs"}, "message": LINE, "host": {"name": "relay"}}, NAMED),
    ({"fields": {"message": [LINE], "@timestamp": [AT], "host.name": ["esa1"], "log.syslog.appname": ["mail_logs"]}}, NAMED),
    *(
        ({"_index": "x", "_id": "1", **parts, "highlight": {"message": [f"{LINE} "]}}, ESA1)
        for parts in (
            {"_source": {"message": LINE, "@timestamp": AT, **HOSTED}, "fields": {"message": [LINE]}},
            {"fields": {"message": [LINE], "@timestamp": [AT], "host.name": ["esa1"]}, "_source": {}},
            {"fields": {"event.original": [LINE], "message": ["x y"], "@timestamp": [AT], "host.name": ["esa1"]}},
        )
    ),
    ({"_index": "x", "inner": {"message": LINE}}, (5, None, None, None, "Info")),
    ({"_line": LINE, "_ts": 1709460002000, "_host": "esa1"}, ESA1),
    ({"insertId": "x", "jsonPayload": {"host": "esa1", "ident": "mail_logs", "message": LINE}, "timestamp": AT}, NAMED),
    ({"hostname": "esa1", "program": "mail_logs", "message": LINE, "generated_at": AT, "received_at": "2024-03-03T10:00:09Z"}, NAMED),
    ({"logmsg": LINE, "timestamp": 1709460002000, "event": {"syslog": {"host": "esa1", "appName": "mail_logs"}}}, NAMED),
    ({"EventReceivedTime": "2024-03-03 10:00:09", "EventTime": "2024-03-03 10:00:02", "Hostname": "esa1", "Message": LINE}, (5, AT, "esa1", None, "Info")),
    ({"line": LINE, "timestamp": "1709460002000000000", "fields": {"hostname": "esa1"}}, (5, AT, "esa1", None, "Info")),
    ({"gl2_source_input": "x", "source": "esa1", "timestamp": AT, "message": LINE, "application_name": "mail_logs"}, NAMED),
    ({"source": "192.0.2.1", "timestamp": AT, "message": LINE}, (5, AT, "192.0.2.1", None, "Info")),
    *(({"source": source, "timestamp": AT, "message": LINE}, (5, AT, None, None, "Info")) for source in ("udp:514", "/var/log/x", "a b", "-x", "")),
    *(({"source": "stdout", time: AT, log: LINE}, (5, AT, None, None, "Info")) for time, log in (("time", "log"), ("timestamp", "log"), ("time", "message"))),
    ({"source": "esa2", "timestamp": AT, "message": LINE, **HOSTED}, (5, AT, "esa1", None, "Info")),
    ({"logStream": "esa1", "logEvents": [{"timestamp": 1709460002000, "message": LINE}]}, (5, AT, "esa1", None, "Info")),
    ({"logStreamName": "2001:db8::1", "timestamp": 1709460002000, "message": LINE}, (5, AT, "2001:db8::1", None, "Info")),
    *(
        ({"@logStream": name, "@timestamp": AT, "@message": LINE}, (5, AT, None, None, "Info"))
        for name in ("i-0123456789abcdef0", "2024/03/03/[1]x", "x" * 256)
    ),
    ({"columns": [{"name": name, "type": "x"} for name in ("TimeGenerated", "Computer", "SyslogMessage")], "rows": [[AT, "esa1", LINE]]}, ESA1),
    ({"columns": [{"name": name, "type": "x"} for name in ("@timestamp", "host.name", "message")], "values": [[AT, "esa1", LINE]]}, ESA1),
    ({"fields": ["_time", "host", "_raw"], "rows": [[AT, "esa1", LINE]]}, ESA1),
    ({"status": "x", "results": [[{"field": name, "value": text} for name, text in (("@timestamp", AT), ("@message", LINE), ("@logStream", "esa1"))]]}, ESA1),
    ({"message": " " + LINE, "tag": "mail_logs:", **HOSTED}, (5, None, "esa1", "mail_logs", "Info")),
    ({"message": LINE, "tag": "mail logs", "ident": "x/y", "time": AT}, (5, AT, None, None, "Info")),
    ({"_raw": f"Sun Mar  3 10:00:02 2024 {LINE}", "message": f"Sun Mar  3 10:00:03 2024 {LINE}"}, (5, AT, None, None, "Info")),
    # values of other types
    ({"message": LINE, "time": AT, "attributes": {"host": 5, "hostname": "esa1"}}, ESA1),
    ({"message": LINE, "time": AT, "attributes": [5, *({"key": "host", "value": {"stringValue": host}} for host in (5, "esa1"))]}, ESA1),
    ({"stream": HOSTED, "values": ["x", [], ["1"], [1, LINE], ["1", 2], "12", ["1709460002000000000", LINE]]}, ESA1),
    ({"results": [[{"field": name, "value": text} for name, text in ((5, {"message": LINE}), ("@message", LINE), ("time", AT), ("host", "esa1"))]]}, ESA1),
    ({"columns": ["time", "host", "message"], "rows": ["x", None, [AT, "esa1", LINE]]}, ESA1),
    ({"rows": [{"message": LINE, "time": AT, "host": "esa1"}], "columns": [5, "x"]}, ESA1),
    # Elastic Agent, which takes the header of syslog off the line
    (
        {
            "@timestamp": AT,
            "message": LINE,
            "log": {"syslog": {"hostname": "esa1", "appname": "mail_logs"}, "source": {"address": "192.0.2.9:514"}},
            "host": {"name": "collector"},
        },
        (5, AT, "esa1", "mail_logs", "Info"),
    ),
]


@pytest.mark.parametrize("record", range(len(RECORDS)))
def test_record(record: int) -> None:
    """A record on one line, on several, directly behind another, in an array or at its ends alone, after a tag: each time the line in it."""
    value, right = RECORDS[record]
    for times in (1, 2):
        assert told([json.dumps(value) * times]) == [right] * times
        assert told((json.dumps(value, indent=2) * times).split("\n")) == [right] * times
    assert told(json.dumps([value, value], indent=1).split("\n")) == [right] * 2
    assert told(["[", *[json.dumps(value) + ","] * 2, json.dumps(value), "]"]) == [right] * 3
    assert told(["[" + json.dumps(value) + ",", json.dumps(value) + ",", json.dumps(value) + "]"]) == [right] * 3
    for part in ("[" + json.dumps(value, indent=1) + ",", json.dumps(value, indent=1) + "]", json.dumps(value, indent=1) + "\n]"):
        assert told(part.split("\n")) == [right]
    in_front = told(["2024-03-03T10:00:02+00:00\tsyslog.mail.info\t" + json.dumps(value)])
    assert [(*one[:1], *one[2:]) for one in in_front] == [(*right[:1], *right[2:])]
    assert in_front[0][1] == AT


@pytest.mark.parametrize("seconds", ["1709460002", "1709460002.0", "1709460002.000000000"])
@pytest.mark.parametrize("size", [1, 9])
def test_record_in_a_list_behind_a_tag(seconds: str, size: int) -> None:
    """Fluent Bit's files have a tag, and the time and the record in a list; behind a log line, such a line is the rest of it."""
    lines = [f"esa.x: [{seconds}, {json.dumps(record)}]" for record in ({"message": LINE, **HOSTED}, {"message": WHOLE}, {"message": "foo"})]
    assert told(lines) == [ESA1, NAMED]
    del lines[1]
    assert told([lines[0].replace("esa.x: [", "esa.x: [1, "), lines[0].replace("esa.x", "Info"), lines[0].replace("esa.x", "f.log:Info"), lines[0][:-2]]) == []
    assert read_events(lines * 9)[1] == Counts(18, 9, 9)
    blocks_agree(lines * 9, size)
    for header in ("Sun Mar  3 10:00:02 2024 Info: ", "Info: "):
        log = [f"{header}ICID 7 close", f"{header}MID 1 Subject 'x", lines[0], f"{header}ICID 8 close"]
        assert [one[0] for one in told(log)] in ([7, 8], [7, None, 8])


@pytest.mark.parametrize("names", ["time,subject,mid", '"Time";"Subject";"MID"', "when\tmessage_subject\tsender"])
def test_a_table_about_mail_without_a_column_for_lines(names: str) -> None:
    """Its subjects read like lines, and are none; a first line that only looks like its names hides no line."""
    mark = next(mark for mark in ",;\t" if mark in names)
    events, counts = read_events([names, mark.join([AT, f'"Sun Mar  3 10:00:00 2024 {LINE} x"', "1"])])
    assert (events, counts.ignored) == ([], 2)
    assert [one[0] for one in told(["MID 1 Subject a,subject", TEXT])] == [None, 5]


def test_documents_of_other_forms() -> None:
    """Logstash's rubydebug, and CSV with its row of names: the cell is the line, and nothing behind it."""
    ruby = ["{", f'       "message" => "{WHOLE}",', '    "@timestamp" => 2024-03-03T11:00:00.000Z,', '          "host" => nil', "}"]
    right = (5, AT, "esa1", "mail_logs", "Info")
    assert told(ruby * 2) == [right] * 2
    rows = [f'"{WHOLE}","x ""y""",1', f'"{WHOLE.replace("TLS", "close TLS")}",z,2']
    for name in ("_raw", "rawEvent", "utf8_payload", "Line"):
        assert told([f"{name},source,n", *rows]) == [right] * 2
    assert told(["timestamp,source,full_message", f'{AT},esa1,"{LINE}"', f"{AT},esa1,\"MID 1 Subject 'x", 'Info: ICID 6 TLS success"']) == [
        (5, AT, "esa1", None, "Info")
    ]


TABLES = {
    "Datadog": ["Date,Host,Service,Content", f'"{AT}","esa1","mail_logs","{LINE}"'],
    "Datadog, a record in the cell": ["Date,Host,Service,Content", f'"{AT}","esa1","x","{{""message"":""{LINE}""}}"'],
    "Excel": ["sep=;", "time;host;message", f'{AT};esa1;"{LINE}"'],
    "Excel, with other names": ["sep=\t", "Time\tHost\tRaw Event", f"{AT}\tesa1\t{LINE}"],
    "a title": ["Mail log", "", "Time,Host,message", f'{AT},esa1,"{LINE}"'],
    "semicolons": ["Time;Host Name;Log Entry", f"{AT};esa1;{LINE}"],
    "tabs": ["Time\tHost\tText", f"{AT}\tesa1\t{LINE}"],
    "bars": ["Time|Host|Event Data", f"{AT}|esa1|{LINE}"],
    "capitals and marks": ["Event Time,HOST_NAME,Raw Data", f"{AT},esa1,{LINE}"],
    "several such columns": ["Time,Host,Event Text,Original Entry,Log Record", f"{AT},esa1,a mail log,{LINE},x"],
}


@pytest.mark.parametrize("name", TABLES)
def test_names_of_columns(name: str) -> None:
    """A column of lines has any name that says so, and any mark may be between cells; the cells beside it are time and host."""
    *head, row = TABLES[name]
    lines = [*head, row, row.replace("TLS success", "close"), row]
    right = [(5, AT, "esa1", None, "Info")] * 3
    assert told(lines) == right
    assert read_events(lines)[1] == Counts(len(lines), 3, len(head))
    resumed_anywhere(lines)


@pytest.mark.parametrize(
    ("lines", "right"),
    [
        (json.dumps({"message": LINE, **HOSTED}, indent=1).split("\n"), [(5, None, "esa1", None, "Info")]),
        (
            json.dumps([{"message": LINE, "host": host} for host in ("esa1", "esa2")], indent=1).split("\n"),
            [(5, None, host, None, "Info") for host in ("esa1", "esa2")],
        ),
        (["Time,Host,message", f'{AT},esa1,"Info: ICID 5', "TLS", 'success"', f'{AT},esa1,"{LINE}"'], [ESA1, ESA1]),
    ],
)
def test_documents_are_resumed(lines: list[str], right: list[tuple[Any, ...]]) -> None:
    """A run that ended within a document, or within a cell of several lines, goes on there."""
    assert told(lines) == right
    resumed_anywhere(lines)


SEVERAL = [{"message": LINE.replace("5", str(number))} for number in (1, 2, 3)]
LARGE: dict[str, Any] = {
    "an array": SEVERAL,
    "a search's answer": {"took": 1, "hits": {"total": {"value": 3}, "hits": [{"_source": one} for one in SEVERAL]}},
    "two arrays, and a host beside each": {"x": {"host": "esa1", "records": SEVERAL, "n": 1}, "y": {"host": "esa2", "records": SEVERAL}},
    "a table": {"columns": [{"name": "message"}], "rows": [[one["message"]] for one in SEVERAL]},
    "subjects": {"subject": SEVERAL, "records": SEVERAL},
}


def test_lines_of_a_record_with_other_headers() -> None:
    """A fraction of a second that a relay leaves out, because it is 0, is no other header; where there is one, the lines behind it are read again."""
    lines = [f"2024-03-03T10:00:02{fraction}Z esa1 mail_logs: {LINE}" for fraction in (".004", "", ".1")]
    lines.insert(1, f"{WHOLE}\n{LINE}")
    assert told([json.dumps({"message": "\n".join(lines)})]) == [(5, time, *NAMED[2:]) for time in (f"{AT[:-1]}.004Z", AT, f"{AT[:-1]}.100Z")]


@pytest.mark.parametrize("name", LARGE)
def test_a_large_document_is_taken_in_parts(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A document that is too large to be held gives the same events as a smaller one, with what stands around its records."""
    lines = json.dumps(LARGE[name], indent=1).split("\n")
    right = told(lines)
    assert [number for number, *_ in right] == [1, 2, 3] * (2 if "two" in name else 1)
    monkeypatch.setattr("esatls.lines.documents.LARGEST", 50)
    assert told(lines) == right
    resumed_anywhere(lines)


def test_what_stands_around_the_records_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other arrays of a large document are not kept, however many there are, and the records behind them are read."""
    monkeypatch.setattr("esatls.lines.documents.LARGEST", 50)
    document = documents.JsonDocument()
    sizes, found = [], []
    for line in json.dumps({**{f"x{number}": ["y"] * 20 for number in range(50)}, "records": SEVERAL}, indent=1).split("\n"):
        found += [record.lines for _, known in document.add(line) or () for record in known]
        sizes.append(len(json.dumps(document.state())))
    assert found == [[one["message"]] for one in SEVERAL]
    assert max(sizes) < 500


@pytest.mark.parametrize(
    "lines",
    [
        ["{", LINE],
        ["[", f"2024-03-03T10:00:02Z esa1 mail_logs: {LINE}"],
        ["{", json.dumps({"message": LINE})],
        ["{", ' "message": "x', f"12:Sun Mar  3 10:00:02 2024 {LINE}"],
        ["{", "]", f"12:Sun Mar  3 10:00:02 2024 {LINE}"],
    ],
)
def test_what_is_no_part_of_a_document_ends_it(lines: list[str]) -> None:
    """Behind a bracket alone, a string without an end or a bracket that closes nothing, a line is a line again, and each is counted."""
    events, counts = read_events(lines)
    assert [event["icid"] for event in events] == [5]
    assert counts == Counts(len(lines), 1, len(lines) - 1)
    resumed_anywhere(lines)


def test_brackets_within_brackets() -> None:
    """Brackets that are nested deeper than the language can follow are no record, and hide no line."""
    for depth in (*range(900, 1010), 20_000):
        events, counts = read_events(["[" * depth + "]" * depth, '{"a":' * depth + "1" + "}" * depth, '{"a":' + "[" * depth + "]" * depth + "}", WHOLE])
        assert [event["icid"] for event in events] == [5]
        assert counts == Counts(4, 1, 3)


def test_a_row_of_very_many_names() -> None:
    """A first line of many names costs little, whatever they are."""
    for text in ("log," + ",".join(f"x{number}" for number in range(200_000)), "Date," + "Log " * 200_000, "sep=" * 200_000):
        start = process_time()
        read_events([text, LINE])
        assert process_time() - start < 30


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_found_behind_its_title(name: str) -> None:
    """The look at a file finds the row of names behind a title, but none behind a line of a log."""
    lines = TABLES[name]
    at, table = tables.table_of(lines)
    assert table is not None
    assert (lines[at] == "Time,Host,message") == (name == "a title")
    assert tables.table_of([WHOLE, *lines]) == (0, None)


NO_TABLES = {
    "a log that begins within text": ["raw data, one event", *[f"Sun Mar  3 10:00:02 2024 {LINE}"] * 2],
    "a log that begins within a subject": ["the subject, sent to many", *[f"Sun Mar  3 10:00:02 2024 {LINE}"] * 2],
    "no column of lines": ["Date;Message ID;Subject", f'{AT};1;"{WHOLE}"', f"{AT};{WHOLE};{WHOLE}"],
    "words of other columns": ["EventID,MESSAGE_SIZE,LogTITLE,Mail Entry", ",".join([f'"{WHOLE}"'] * 4)],
    "a subject in front": ["Mail Subject,Event ID", f"{WHOLE},5"],
    "a subject beside a line": ["Raw Log,Title,Mail Subject", f'"{WHOLE.replace(TEXT, "ICID 6 close")}","{WHOLE}","{WHOLE}"'],
}


@pytest.mark.parametrize("name", NO_TABLES)
def test_names_of_other_columns(name: str) -> None:
    """Text that looks like a row of names hides no line of a log, and a cell that a stranger wrote is never one."""
    events, counts = read_events(NO_TABLES[name])
    right = {"no column of lines": [], "words of other columns": [], "a subject in front": [], "a subject beside a line": [6]}
    assert [event["icid"] for event in events] == right.get(name, [5, 5])
    assert counts.events + counts.ignored == counts.lines == len(NO_TABLES[name])
    resumed_anywhere(NO_TABLES[name])


MARK_IN_TEXT = WHOLE.replace(TEXT, "MID 1 ICID 5 From: <a;b@example.com>")
ODD_BEGINNINGS: dict[str, tuple[list[str], list[int]]] = {
    "a subject": (["Zeit;Betreff", f'{AT};"{WHOLE}"'], []),
    "a subject, and names with spaces": (["Zeit, Betreff, n", f'{AT},"{WHOLE}",1', f'{AT}, "x, {WHOLE}", 2'], []),
    "a subject with a line feed, but no quotes": (["Zeit;Betreff", f"{AT};x", WHOLE], []),
    "a subject in front": (["Betreff;Zeit", f"{WHOLE};{AT}", f"x;{AT}", f"{WHOLE};{AT}"], []),
    "a subject in front of every row": (["Objet|Reçu le", f"{WHOLE}|{AT}", f"{WHOLE}|{AT}"], []),
    "a subject over two lines": (["Дата,Тема", f'{AT},"x', f'{WHOLE}"', f"{AT},{LINE}"], []),
    "a subject over two lines in front": (["Objet;Date", '"x', f'{WHOLE}";{AT}', '"x', f'{WHOLE}";{AT}'], []),
    "two subjects": (["Betreff|Asunto|Zeit", f'{WHOLE}|"x', f'{WHOLE}"|{AT}', f'"x|{TEXT}', f'{WHOLE}"|{WHOLE}|{AT}'], []),
    "a quote in a text": (["foo;bar", WHOLE.replace(TEXT, 'MID 1 Subject "x'), WHOLE], [5]),
    "a subject without a header": (["件名\t時刻", f"{TEXT}\t{AT}", f"{LINE}\t{AT}"], []),
    "an empty name": (["Zeit;Größe [KB];Betreff;", f"{AT};1;{WHOLE};"], []),
    "an index without a name": ([",subject", f"0,{WHOLE}", f"1,{WHOLE}"], []),
    "a mark that is told": (["sep=;", "Zeit;Betreff", f"{AT};{WHOLE}"], []),
    "a subject behind a title": (["Mails", "", "Zeit;Betreff", f"{AT};{WHOLE}"], []),
    "a subject in front, behind what looks like a title": (["a, b", "", "Betreff;Zeit", f"{WHOLE};{AT}", f"{WHOLE};{AT}"], []),
    "a mark that is told, and a blank line": (["sep=;", "", "Zeit;Betreff", f"{AT};{WHOLE}"], []),
    "the end of a line": (["foo;bar", WHOLE, WHOLE], [5, 5]),
    "the end of a line, and a mark in the next": (["foo;bar", MARK_IN_TEXT, WHOLE], [5, 5]),
    "the end of a line, and as many marks as in the next": (["foo;bar", f"{MARK_IN_TEXT};", f"{MARK_IN_TEXT};", WHOLE, f"{WHOLE};"], [5, 5, 5, 5]),
    "the end of a line that ends with a mark": (["foo;", MARK_IN_TEXT, WHOLE, f"{WHOLE};"], [5, 5, 5]),
    "the end of a line of several": (["foo,bar", "", "baz", WHOLE], [5]),
    "the end of a line in front of texts": (["foo,bar", TEXT], [5]),
    "the end of a line in front of levels": (["foo\tbar", LINE], [5]),
    "the end of a line with known names": (["log, raw", WHOLE, f"{WHOLE}, x", LINE], [5, 5, 5]),
    "lines in front": (["message,host", f"{WHOLE},esa1", f"{WHOLE},esa1"], [5, 5]),
    "lines in front, with a likely name": (["Log Entry;n", f"{WHOLE};1", f"{WHOLE};2"], [5, 5]),
    "only lines": (["_raw", WHOLE, f'"{WHOLE}"', WHOLE], [5, 5, 5]),
    "a letter": (["Hi,", "", "here is the log, as you asked:", "", LINE, WHOLE], [5, 5]),
    "a list behind a title": (["Support", "Host;esa1", "Version;15.0", WHOLE, WHOLE], [5, 5]),
    "a title with a comma, and records": (["Mails, today", *[json.dumps({"message": WHOLE, "n": 1})] * 2], [5, 5]),
    "prose": (["alpha, beta", "gamma, delta", WHOLE], [5]),
    "fields with values": (["date=2024-03-03;type=x", "date=2024-03-03;type=y", WHOLE], [5]),
}


@pytest.mark.parametrize("name", ODD_BEGINNINGS)
def test_first_lines_of_any_language(name: str) -> None:
    """Names of columns in any language make a table, no cell of which is a line; the end of a text in front of a log hides no line of it."""
    lines, right = ODD_BEGINNINGS[name]
    for log in (lines, [line + "\r" for line in lines]):
        events, counts = read_events(log)
        assert [event["icid"] for event in events if "icid" in event] == right
        assert counts.events + counts.ignored == counts.lines == len(lines)
        resumed_anywhere(log)
        blocks_agree(log, 1, 2, 9)


FOREIGN_NAMES = ["Zeit", "Betreff", "Größe", "N°", "件名", "Тема", "Objet", "Reçu le", "E-Mail", "ID"]
FOREIGN_CELLS = [WHOLE, f"Sun Mar  3 10:00:02 2024 {LINE}", LINE, TEXT, f"x\n{WHOLE}", f'"x", {WHOLE}', f"{WHOLE}\n{WHOLE}", f"a; {WHOLE}; b", f"<22>{WHOLE}"]
FOREIGN_CELLS += [json.dumps({"message": TEXT}), f"x\n{json.dumps({'message': TEXT})}", f"{AT},{WHOLE}", "", "x", '"']


@given(
    st.lists(st.sampled_from(FOREIGN_NAMES), min_size=2, max_size=4, unique=True),
    st.sampled_from(",;\t|"),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.lists(st.lists(st.sampled_from(FOREIGN_CELLS), min_size=4, max_size=4), min_size=1, max_size=4),
)
def test_no_cell_of_an_unknown_column_is_a_line(names: list[str], mark: str, quoting: Any, rows: list[list[str]]) -> None:
    """Whatever cells say, over however many lines: without a column of lines, a table has no event."""
    file = io.StringIO()
    csv.writer(file, delimiter=mark, quoting=quoting, lineterminator="\n").writerows([names, *(row[: len(names)] for row in rows)])
    lines = file.getvalue()[:-1].split("\n")
    events, counts = read_events(lines)
    assert (events, counts.lines) == ([], len(lines))


ROWS_WITHOUT_NAMES = {
    '{at},esa1,mail_logs,"Info: {text}"': None,
    '{at};"esa1";"mail_logs";"Info: {text}"': None,
    '{at},192.0.2.10,"Mar  3 10:00:02 esa1 mail_logs: Info: {text}",5,"x ""y"""': "esa1",
    '{at}\tMail.Info\tesa1\t"Info: {text}"\t': "esa1",
    '7,{at}|"Sun Mar  3 10:00:02 2024 Info: {text}"|""': None,
}


@pytest.mark.parametrize("row", ROWS_WITHOUT_NAMES)
def test_rows_without_names_of_columns(row: str) -> None:
    """The quotes around a cell are no part of its line, and the cells behind it neither."""
    texts = [TEXT, "ICID 5 TLS success protocol TLSv1.2 cipher AES128-SHA", 'MID 1 Subject ""a"", b""']
    texts += [f'MID 1 Subject \'"",""{LINE}\'', "ICID 5 close"]
    log = [row.format(at="2024-03-03 10:00:02", text=text) for text in texts]
    events, _ = read_events(log)
    told = [{name: value for name, value in event.items() if name not in ("time", "esa_host", "esa_log", "esa_level", "esa_direction")} for event in events]
    assert told == [
        {"esa_event": "tls_success", "tls_result": "success", "icid": 5},
        {"esa_event": "tls_success", "tls_result": "success", "icid": 5, "tls_version": "TLSv1.2", "tls_cipher": "AES128-SHA"},
        {"esa_event": "message_identity", "mid": 1, "subject": 'a", b'},
        {"esa_event": "message_identity", "mid": 1, "subject": f'","{LINE}'},
        {"esa_event": "connection_closed", "icid": 5, "close_reason": "close"},
    ]
    assert [(event["time"], event.get("esa_host")) for event in events] == [(AT, ROWS_WITHOUT_NAMES[row])] * 5
    blocks_agree(log, 1, 2, 9)


def test_quotes_that_are_no_cell() -> None:
    """Quotes in a text, or in a header that opens no cell, are part of the line."""
    stamp = "2024-03-03 10:00:02"
    for line, subject in (
        (f'{stamp} esa1 mail_logs: Info: MID 1 Subject ,"a",b', ',"a",b'),
        (f'{stamp} {{host="esa1", job="x"}} Info: MID 1 Subject x "a",b', 'x "a",b'),
        (f'{stamp},esa1,"Info: MID 1 Subject \'"x", y\'"', '"x", y\'"'),
        (f"{stamp},esa1,\"Info: MID 1 Subject 'x'", "x"),
    ):
        (event,) = read_events([line])[0]
        assert (event["mid"], event["subject"]) == (1, subject), line


@pytest.mark.parametrize("odd", ["\r", "\0", "x\r\0\ry"])
def test_no_character_hides_a_row(odd: str) -> None:
    """What a stranger wrote into a cell, which the reader of CSV would refuse, costs no line."""
    events, counts = read_events(["Time,Host,message", f"{AT},esa1,Info: Message done DCID 6 MID 1 to RID [0] [('x'; '{odd}z')]", f"{AT},esa1,{LINE}"])
    assert [event["esa_event"] for event in events] == ["delivery_done", "tls_success"]
    assert counts == Counts(3, 2, 1)


TIMES_IN_CSV = {
    "TimeGenerated [UTC]": ("3/3/2024, 10:00:02.000 AM", "2024-03-03T10:00:02.000Z"),
    "TimeGenerated": ("3/3/2024, 11:00:02.000 AM",),
    "@timestamp": ("Mar 3, 2024 @ 11:00:02.000", "2024-03-03T10:00:02.000Z"),
}


@pytest.mark.parametrize("name", TIMES_IN_CSV)
def test_times_as_a_portal_shows_them(name: str) -> None:
    """Azure's and Kibana's exports have times as their pages show them: in UTC if the column says so, else in the zone of the log."""
    for time in TIMES_IN_CSV[name]:
        rows = [f'"{name}",Computer,SyslogMessage', f'"{time}",esa1,"{LINE}"']
        (event,) = read(rows, clock=clock("+01:00"))
        assert (event["icid"], event["time"], event["esa_host"]) == (5, AT, "esa1")


def test_half_a_day() -> None:
    """Twelve is the first hour of each half of a day; no other number is an hour of it."""
    reader = clock()
    for hour, right in (("12", "AM"), "00"), (("1", "AM"), "01"), (("12", "PM"), "12"), (("11", "PM"), "23"):
        assert reader.read(f"3/3/2024, {hour[0]}:00:02.000 {hour[1]}") == reader.read(f"2024-03-03T{right}:00:02Z")
    assert [reader.read(f"3/3/2024, {hour}:00:02 AM") for hour in (0, 13)] == [None, None]


SHORT_STAMPS = [
    ("2022-03-03T10:00:05Z", "Mar  3 10:00:02", "2022-03-03T10:00:02Z"),
    ("2023-01-01T00:00:01Z", "Dec 31 23:59:59", "2022-12-31T23:59:59Z"),
    ("2022-12-31T23:59:59Z", "Jan  1 00:00:02", "2023-01-01T00:00:02Z"),
    ("2023-03-03T10:00:05Z", "Mar  3 10:00:02", "2023-03-03T10:00:02Z"),
    ("2021-03-01T00:00:01Z", "Feb 29 23:59:59", "2020-02-29T23:59:59Z"),
]


@pytest.mark.parametrize("order", [1, -1])
def test_the_collectors_time_shows_the_year(order: int) -> None:
    """A stamp without a year is near the time of its record or relay, over several years and in any order, not near the end of the log."""
    stamps = SHORT_STAMPS[::order]
    right = [time for *_, time in stamps]
    short = [(taken, f"<22>{stamp} esa1 mail_logs: {LINE}") for taken, stamp, _ in stamps]
    documents = [json.dumps({"@timestamp": taken, "message": line}) for taken, line in short]
    for lines in (
        documents,
        [json.dumps({"@timestamp": f"{taken[8:10]}/{MONTHS[int(taken[5:7]) - 1]}/{taken[:4]}:{taken[11:19]} +0000", "message": line}) for taken, line in short],
        json.dumps([json.loads(one) for one in documents], indent=1).split("\n"),
        ["_time,_raw", *(f'{taken},"{line}"' for taken, line in short)],
        [f"{taken} relay {line}" for taken, line in short],
    ):
        assert [at for _, at, *_ in told(lines)] == right
        blocks_agree(lines, len(lines))


@pytest.mark.parametrize("order", ["CT", "TC", "TCT", "CTT", "WCW", "CW", "CWT", "NT", "CB", "BC"])
def test_consolidated_events_beside_lines(order: str) -> None:
    """A consolidated event in a record hides no line without a log name in others, nor is it hidden; a line needs as much as other lines."""
    texts = {"C": "Sun Mar  3 10:00:02 2024: " + CEF, "T": "Sun Mar  3 10:00:02 2024 " + LINE, "W": WHOLE, "B": TEXT}
    texts["N"] = texts["T"]
    named = {"program": "mail_logs"}
    lines = [json.dumps({"message": texts[one], "host": "esa1", "@timestamp": AT, **(named if one == "N" else {})}) for one in order]
    right = [(5, AT, "esa1", "mail_logs" if one in "WN" else None, None if one in "CB" else "Info") for one in order]
    if order in ("CB", "CWT", "NT"):
        right.pop()
    assert told(lines) == right
    assert read_events(lines)[1] == Counts(len(lines), len(right), len(lines) - len(right))
    blocks_agree(lines, len(lines))


def test_columns_of_sentinel() -> None:
    """What Microsoft Sentinel keeps in columns of its own belongs to the event, also the direction of the mail."""
    record = {"DeviceEventClassID": taken_apart.CLASS, "AdditionalExtensions": "ESAMID=14;ESAICID=5;ESATLSInConnStatus=Success", "TimeGenerated": AT}
    record |= {"Computer": "esa1", "DeviceAction": "DELIVERED", "CommunicationDirection": "1", "SourceIP": "192.0.2.7", "Message": "'a b'"}
    (event,) = read_events([json.dumps(record)])[0]
    told = {"mail_flow": "outgoing", "action": "DELIVERED", "peer_ip": "192.0.2.7", "subject": "a b", "time": AT, "esa_host": "esa1"}
    assert event == {"esa_event": "consolidated_event", "witness": "cef", "mid": 14, "icid": 5, "tls_in_result": "success", **told}


@pytest.mark.parametrize("name", taken_apart.records())
def test_event_that_a_collector_took_apart(name: str) -> None:
    """The fields of a consolidated event are the event, where no text of it is kept, whatever a collector calls them."""
    record = taken_apart.records()[name]
    one_a_line, indented = [json.dumps(record)], json.dumps([record], indent=1).split("\n")
    assert read_events(one_a_line) == ([taken_apart.EVENT], Counts(1, 1))
    assert read_events(indented)[0] == [taken_apart.EVENT]
    whole = {**record, "event.original": CEF, "full_message": "x"}
    assert [event["mid"] for event in read_events([json.dumps(whole)])[0]] == [14]
    assert "tls_in_result" not in read_events([json.dumps(whole)])[0][0]


def test_event_that_a_collector_took_apart_in_csv() -> None:
    """The columns of a table are such fields too; a column without a value has a dash or nothing."""
    record = taken_apart.records()["Kibana"]
    cells = (f'"{value}"' for value in record.values())
    lines = [",".join(["message", *record, "cef.extensions.ESADaneStatus"]), ",".join(["-", *cells, ""])]
    assert read_events(lines) == ([taken_apart.EVENT], Counts(2, 1, 1))


@pytest.mark.parametrize("record", [*taken_apart.NO_EVENTS, *taken_apart.NO_TLS])
def test_strangers_text_in_an_event_that_a_collector_took_apart(record: dict[str, Any]) -> None:
    """Where a collector may have taken a stranger's text for fields, a record states nothing, or no TLS; and is counted."""
    events, counts = read_events([json.dumps(record)])
    assert [(event["mid"], [name for name in event if name.startswith("tls_")]) for event in events] == ([(14, [])] if record in taken_apart.NO_TLS else [])
    assert counts == Counts(1, len(events), 1 - len(events))


@pytest.mark.parametrize("number", range(len(two_texts.RECORDS)))
def test_line_behind_a_collectors_own_words(number: int) -> None:
    """A text that is no line does not hide the line behind it; what may be one, or keeps the original, does, and no stranger's field is the line then."""
    record, right = two_texts.RECORDS[number]
    for lines in ([json.dumps(record)], json.dumps(record, indent=1).split("\n"), json.dumps({"columns": [*record], "rows": [[*record.values()]]}).split("\n")):
        assert [event["icid"] for event in read_events(lines)[0] if event["esa_event"] in TLS_KINDS] == right
    if all(isinstance(value, str) and name != "subject" and "\n" not in value for name, value in record.items()):
        quoted = ['"' + value.replace('"', '""') + '"' for value in record.values()]
        assert [event["icid"] for event in read_events([",".join(record), ",".join(quoted)])[0] if event["esa_event"] in TLS_KINDS] == right


STRANGERS: list[dict[str, Any]] = [
    {"email": {"subject": WHOLE, "message": WHOLE}},
    {"subject": WHOLE},
    {"file": {"name": WHOLE, "message": WHOLE}},
    {"event": {"original": "Mar  3 10:00:02 esa1 mail_logs: Info: MID 1 queued for delivery"}, "email": {"subject": WHOLE}, "message": LINE, "title": WHOLE},
    {"message": "Mar  3 10:00:02 esa1 mail_logs: Info: MID 1 queued for delivery", "list": [{"message": WHOLE}]},
    {"title": WHOLE, "name": [WHOLE], "attachments": [{"message": WHOLE}]},
    {"columns": ["subject", "message"], "rows": [[WHOLE, "Mar  3 10:00:02 esa1 mail_logs: Info: MID 1 queued for delivery"], [WHOLE]]},
    {"message": "Mar  3 10:00:02 esa1 mail_logs: Info: MID 1 queued for delivery", "columns": ["message"], "rows": [[WHOLE]]},
    {"emails": [{"field": "subject", "value": WHOLE}], "mail": [{"field": "message", "value": WHOLE}]},
    {"_index": "x", "_source": {"message": "Mar  3 10:00:02 esa1 mail_logs: Info: MID 1 queued for delivery"}, "fields": {"raw": [WHOLE]}},
    {"_index": "x", "fields": {"email.subject": [WHOLE], "subject": [WHOLE]}, "highlight": {"subject": [WHOLE]}},
    {"message": "Mar  3 10:00:02 esa1 mail_logs: Info: MID 1 Subject 'x\n" + LINE + "'"},
    {"message": "Mar  3 10:00:02 esa1 mail_logs: Info: MID 1 Subject 'x\n " + WHOLE + "'"},
    *({"message": f"{header}MID 1 Custom Log Entry: x\n{WHOLE}"} for header in ("Info: ", "mail_logs: Info: ", "Sun Mar  3 10:00:02 2024 Info: ")),
    *({"message": f"{event}\n{WHOLE}"} for event in ("MID 1 Subject 'x", "\nInfo: MID 1 Subject 'x", CEF)),
    *({"message": f"{header}MID 1 Subject 'x\n{AT}\tx\t" + json.dumps({"message": LINE})} for header in ("Info: ", "Mar  3 10:00:02 esa1 mail_logs: Info: ")),
]


@pytest.mark.parametrize("record", STRANGERS)
def test_strangers_fields_are_no_lines(record: dict[str, Any]) -> None:
    """A subject, an address and a file name are none, and where one field is the line nothing else is."""
    for lines in ([json.dumps(record)], json.dumps(record, indent=1).split("\n"), json.dumps([record], indent=1).split("\n")):
        assert not [event for event in read_events(lines)[0] if event["esa_event"] in TLS_KINDS]


FORGED = [
    "ICID 6 TLS success",
    "Info: ICID 6 TLS success",
    " Sun Mar  3 10:00:02 2024 Info: ICID 6 TLS success",
    "x: Sun Mar  3 10:00:02 2024 Info: ICID 6 TLS success",
    "\tMar  3 10:00:02 esa1 mail_logs: Info: ICID 6 TLS success",
    '{"message": "ICID 6 TLS success"}',
    "> Mar  3 10:00:02 esa1 m: Info: ICID 6 TLS success",
    'x: [1709460002.0, {"message": "ICID 6 TLS success"}]',
    "f.log:Mar  3 10:00:02 esa1 m: Info: ICID 6 TLS success",
    "12:Sun Mar  3 10:00:02 2024 Info: ICID 6 TLS success",
]


def test_context_of_grep_and_older_files() -> None:
    """`FILE-` stands in front of the lines around a match, and `FILE-DATE:` is an older file; `FILE-` with another name behind it is a stranger's."""
    stamp = "Sun Mar  3 10:00:02 2024 Info: "
    log = [f"mail.log:{stamp}ICID 5 TLS success", f"mail.log-{stamp}MID 1 Subject 'x", f"mail.log-f.log:{stamp}ICID 6 TLS success'", "--"]
    log += [f"mail.log-20240302:{stamp}ICID 7 TLS success", f"mail.log-20240302.gz-{stamp}ICID 7 close", f"other.log:{stamp}ICID 8 TLS success"]
    assert [event["icid"] for event in read_events(log)[0] if "icid" in event] == [5, 7, 7, 8]
    assert [event["icid"] for event in read_events(log[1:3])[0] if "icid" in event] == []


WITHIN = ["MID 1 Subject '{}'", "MID 1 Subject {}", "MID 1 ready 100 bytes from <{}>", "MID 1 attachment '{}'", "MID 1 Custom Log Entry: {}"]
BEGINNINGS = ["", "<22>", "<22>1 ", "97 <22>"]
STAMPS = ["Mar  3 10:00:02", "Sun Mar  3 10:00:02 2024", "2024-03-03T10:00:02Z", "2024 Mar  3 10:00:02", "Mar  3 2024 10:00:02", "03/Mar/2024:10:00:02 +0000"]
STAMPS += ["Mar  3 10:00:02.000", "Sun Mar  3 11:00:02 CET 2024", "03 03 2024 10:00:02", "2024-03-03 10:00:02+00:00"]
HOSTS = ["", " esa1", " 192.0.2.10", " 2001:db8::1", "  esa1", " Mail.Info esa1", " esa1->192.0.2.9", "\tMail.Info\t192.0.2.10", " esa1.mail.example.com:"]
LOGS = ["", " mail_logs:", " mail_logs[12]:", " mail_logs :", " mail [info] mail_logs:nopid"]
TEXTS = [(case["text"], case["event"]) for file in all_cases() for case in file["cases"]]


@pytest.mark.parametrize("header", [header for header in HEADERS if HEADERS[header][0]])
def test_two_hundred_spoofing_lines(header: str) -> None:
    """No text that a stranger has written, within its line or behind a line feed, is an event about TLS or carries a message, whatever header the log has."""
    within = [form.format(text) for text in FORGED + SPLIT for form in WITHIN]
    within += [
        form.format(text)
        for text in FORGED + SPLIT
        for form in ("MID 1 Subject 'x\n{}", "MID 1 Message-ID '<x\n{}>'", "MID 1 ICID 5 From: <x\n{}", "MID 1 RID [0] Response 'ok\n{}'")
    ]
    texts = [*ONE_LINE, *IDENTITY, *CARRIERS, *FED, *within]
    assert len(texts) >= 200
    lead = header.partition("Sun Mar")[0] if "Sun Mar" in header else ""
    for text in texts:
        lines = (header + text.replace("\n", f"\n{lead}")).split("\n")
        events = read_events([header + "ICID 5 close", *lines, header + "ICID 7 close"])[0]
        assert not [event for event in events if event["esa_event"] in TLS_KINDS], text
    log = [line for text in texts for line in (header + text.replace("\n", f"\n{lead}")).split("\n")]
    facts, counts = read_blocks([[header + "ICID 5 close", *log]])
    assert counts.lines == len(log) + 1 == counts.events + counts.ignored + counts.unreadable
    assert not [record for record in records_of_facts(facts)[0] if record["tls_verdict"] not in ("unknown", "unused")]


@pytest.mark.parametrize("number", range(8))
def test_every_case_behind_composed_headers(number: int) -> None:
    """The text of every case gives its event behind a header of random parts."""
    rng = random.Random(number)
    for text, event in TEXTS[number::8]:
        header = " ".join(rng.choice(BEGINNINGS) + rng.choice(STAMPS) + rng.choice(HOSTS) + rng.choice(LOGS) for _ in range(rng.randint(1, 3)))
        (found,) = read_events([header + rng.choice([" Info: ", " INFO: "]) + text])[0]
        assert {name: value for name, value in found.items() if name not in ("time", "esa_host", "esa_log", "esa_level")} == event, header
        assert found["time"] == AT


@needs_shared
@pytest.mark.parametrize("name", [path.name for path in sorted((SHARED / "inputs").glob("*.log"))] or ["no log"])
def test_every_input(name: str) -> None:
    """The logs that fell short once are read, each line of them that is one."""
    lines = (SHARED / "inputs" / name).read_text(encoding="utf-8").splitlines()
    counts = Counts()
    found = list(read(lines, counts=counts))
    assert counts.unreadable == 0
    assert found
    if name.startswith(("15_", "14_")):
        assert [event["icid"] for event in found] == [41] * len(lines)
    assert {event.get("esa_host") for event in found} <= {None, "esa1", "esa3", "esa7", "192.0.2.77", "192.0.2.10", "relay"}


@given(
    st.lists(
        st.sampled_from(
            [*(json.dumps(value, indent=1) for value, _ in RECORDS[-12:]), "[", "]", "{", "}", '"x": 1', "Info: " + TEXT, WHOLE, "x", "_raw,x", ""]
        ),
        max_size=8,
    ),
    st.integers(1, 9),
)
def test_documents_in_blocks(parts: list[str], size: int) -> None:
    """A document gives the same in blocks of any size, and every line of it is counted once."""
    lines = "\n".join(parts).split("\n")
    counts = read_events(lines)[1]
    assert counts.lines == len(lines) == counts.events + counts.ignored + counts.unreadable
    blocks_agree(lines, size)


STAMPED = "Sun Mar  3 10:00:02 2024 "
MESSAGES = [header + text for header in (STAMPED, "Mar  3 10:00:02 esa1 mail_logs: ", "<22>Mar  3 10:00:02 esa2 ", "") for text in (LINE, CEF, "Info: x")]
DOCUMENTS = st.fixed_dictionaries(
    {"message": st.sampled_from([*MESSAGES, TEXT, f"{LINE}\nx"])},
    optional={
        "host": st.sampled_from(["esa1", "esa2"]),
        "program": st.just("mail_logs"),
        "@timestamp": st.sampled_from([AT, "2023-03-03T10:00:02Z", "2024-03-03T23:59:59Z"]),
    },
)
DATED = {"message": STAMPED + LINE, "@timestamp": "2023-03-03T10:00:02Z"}


@given(st.lists(DOCUMENTS.map(json.dumps) | st.just(TEXT), max_size=8), st.integers(1, 9))
@example([json.dumps(DATED), json.dumps({"message": MESSAGES[4]})], 1)
@example([json.dumps({**DATED, **part}) for part in ({}, {"message": LINE}, *[{"host": "esa1"}] * 3)], 9)
@example([TEXT, json.dumps({**DATED, "message": MESSAGES[4]})], 9)
def test_records_in_blocks(lines: list[str], size: int) -> None:
    """Records give the same in blocks of any size as line by line: those of one appliance and day are read together, without what others say of theirs."""
    by_line, by_block = Events(frozenset(EVENT_KINDS)), Events(frozenset(EVENT_KINDS))
    stream, blocks = Stream(by_line, clock()), BlockStream(by_block, clock())
    for line in lines:
        stream.line(line)
    stream.end()
    feed(blocks, cut(lines, size))
    assert (by_block.found, blocks.counts, blocks.span) == (by_line.found, stream.counts, stream.span)


COUNTED = {
    "relayed": "2024-03-03T11:{minute:02}:{other:02}.{number:03}Z 192.0.2.7 <22>Mar  3 10:{minute:02}:{second:02} esa1 mail_logs: Info: ",
    "octets": "{number} <22>Mar  3 10:{minute:02}:{second:02} esa1 mail_logs: Info: ",
    "rfc5424": "<22>1 2024-03-03T10:{minute:02}:{second:02}.{number:03}Z esa1 mail_logs - - - Info: ",
    "microseconds": "2024-03-03T10:{minute:02}:{second:02},{number:06}Z esa1 mail_logs: Info: ",
    "grep -n": "logs/mail.current:{number}:Sun Mar  3 10:{minute:02}:{second:02} 2024 Info: ",
    "cat -n": "{number:6}\tSun Mar  3 10:{minute:02}:{second:02} 2024 Info: ",
    "numbers": "{number}:Sun Mar  3 10:{minute:02}:{second:02} 2024 Info: ",
}


@pytest.mark.parametrize("form", COUNTED)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 60), st.integers(0, 61), st.integers(0, 61), st.sampled_from([1, 7, 99, 100, 101, 995, 999, 1000, 999_999]), st.integers(0, 3)
        ),
        min_size=3,
        max_size=12,
    )
)
def test_numbers_in_a_header(form: str, lines: list[tuple[int, int, int, int, int]]) -> None:
    """Counts and other stamps in front of the appliance's own stamp differ from line to line: in blocks as line by line."""
    ends = ["ICID 5 TLS success", "ICID 5 close", "MID 1 Subject 'x'", "no event"]
    log = [COUNTED[form].format(minute=minute, second=second, other=other, number=number) + ends[end] for minute, second, other, number, end in lines]
    assert events_in_blocks([log]) == read_events(log)


def test_a_cell_of_a_table_ends_where_its_quotes_end() -> None:
    """A mark within a line's cell is a part of the line, also where the cell begins with a header and the row has names of columns."""
    reason = "(336027900, 'error:140760FC:SSL routines:SSL23_GET_CLIENT_HELLO:unknown protocol')"
    row = f'2026-03-03T09:14:20Z,esa1,"<22>Mar  3 09:14:20 esa1 mail_logs: Info: ICID 5 TLS failed: {reason}",esa'
    events, _ = read_events(["_time,host,_raw,sourcetype", row])
    assert [(one["icid"], one["tls_reason"]) for one in events] == [(5, reason)]
