"""The lines that every engine is tried with, and the document that each must become."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from esatls import events
from esatls.elastic.documents import event_document, put
from esatls.lines import envelope, records
from esatls.lines.clock import Clock, rfc3339

from tests.core import taken_apart, two_texts

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = "2026-01-02T03:04:05Z"
"""When the shipper read the line: what a document's time is until its line tells better."""

ENVELOPES = (
    "",
    "Info: ",
    "Tue Sep  8 05:21:34 2020 Info: ",
    "<22>Jan 21 12:47:11 esa1.example.com mail_logs: Warning: ",
    "Jun 26 10:42:23 esa2 mail_logs: Info: ",
    "<166>Mar 17 18:24:37 mail_logs: Info: ",
    "<111>Aug 10 09:58:54 relay app: Mon Aug 10 09:58:54 2020 Info: ",
    "<111>Aug 10 09:58:54 relay app: Jul 16 10:46:46 2019 esa3 mail_logs: Info: ",
    "2021-05-05T10:00:00.123-05:00 esa4 mail_logs: Info: ",
    "2021-05-05 10:00:00,5 esa4 mail_logs: Info: ",
    "2019 Sep 28 16:13:51 esa5 mail [info] splunk_maillogs:nopid Info: ",
    "Feb 29 08:32:59 esa6 smail: Debug: ",
)

FOREIGN = (
    "",
    " ",
    "Jan  1 12:00:00 web1 sshd[411]: Failed password for root from 192.0.2.1 port 22 ssh2",
    '198.51.100.1 - - [10/Oct/2020:13:55:36 +0000] "GET /ICID%205%20TLS%20success HTTP/1.1" 200 12',
    "ICIDs are numbers. ICID 5 TLS success is a line.",
    "{not json",
    '{"_raw": 5, "message": null}',
    "[1, 2]",
    "TLS success",
    "x" * 5000,
)

_OFF: dict[str, Any] = {"log": {"syslog": {"hostname": "esa1", "appname": "mail_logs"}}}
_NO_HOST = "<166>Mar 17 18:24:37 mail_logs: Info: ICID 5 close"
SENDERS: tuple[tuple[str, dict[str, Any], str | None], ...] = (
    ("Info: ICID 5 close", _OFF, "esa1"),
    ("Info: ICID 5 close", {**_OFF, "observer": {"hostname": "esa2"}}, "esa2"),
    ("<22>Jan 21 12:47:11 esa3 mail_logs: Info: ICID 5 close", _OFF, "esa3"),
    ("Info: ICID 5 close", {"log": {"syslog": {"hostname": ""}}}, None),
    (_NO_HOST, {"log": {"source": {"address": "192.0.2.1:40123"}}}, "192.0.2.1"),
    (_NO_HOST, {"log": {"source": {"address": "[2001:db8::1]:40123"}}}, "2001:db8::1"),
    (_NO_HOST, {"log": {"source": {"address": "2001:db8::1"}}}, "2001:db8::1"),
    (_NO_HOST, {"log": {"source": {"address": ""}}}, None),
    (_NO_HOST, {"log": {"source": {"address": "192.0.2.1:40123"}, "syslog": {"hostname": "esa1"}}}, "esa1"),
    (_NO_HOST, {"log": {"source": {"address": "192.0.2.1:40123"}}, "observer": {"hostname": "esa2"}}, "esa2"),
    (_NO_HOST.replace("mail_logs", "esa3 mail_logs"), {"log": {"source": {"address": "192.0.2.1:40123"}}}, "esa3"),
    ("hello", {"log": {"source": {"address": "192.0.2.1:40123"}}}, None),
)
"""Lines, what a shipper that reads syslog puts beside them, and the appliance; ids of several appliances must not be taken for those of one."""

_NO_LINE: dict[str, Any] = {"tags": ["_esatls_failure"], "event": {"kind": "pipeline_error"}}
_CLOSED = "Wed Jul 20 19:47:40 2005 Info: ICID 5 close"
ODD: tuple[tuple[dict[str, Any], dict[str, Any]], ...] = (
    *(({"message": text}, {**_NO_LINE, "error": {"message": ["esatls-line: the field message is no text"]}}) for text in ([_CLOSED], {"text": _CLOSED})),
    ({"message": None}, {**_NO_LINE, "error": {"message": ["esatls-line: the document has no field message"]}}),
    ({"message": _CLOSED, "event": {"timezone": ["+02:00"]}}, {"@timestamp": "2005-07-20T17:47:40Z"}),
    *(({"message": _CLOSED, "event": {"timezone": zones}}, {"@timestamp": SHIPPED, "tags": ["_esatls_date_failure"]}) for zones in ([], ["+02:00", "+03:00"])),
)
"""Documents whose line or time zone is no text, and what they are afterwards besides what they were, or what the line says."""

ARCSIGHT = "CEF:0|CISCO|IronPort Email|1|x|y|1|rt=1580702706789 dvchost=esa9 msg=ICID 5 TLS success"
CONSOLIDATED = "CEF:0|Cisco|C100V Email Security Virtual Appliance|14.3.0-032|ESA_CONSOLIDATED_LOG_EVENT|Consolidated Log Event|5|ESAMID=5 act=DELIVERED"
SPOOFED = (
    f"Wed Jul 20 19:47:40 2005 Info: MID 5 Subject '{ARCSIGHT}'",
    f"<22>Jan 21 12:47:11 esa1 mail_logs: Info: MID 5 Subject {ARCSIGHT}",
    f"MID 5 Subject '{ARCSIGHT}'",
)
"""Records of an ArcSight connector where a stranger has written them."""


def texts() -> list[str]:
    """Return the lines and texts of all cases and of their look-alikes."""
    found: list[str] = []
    for path in sorted((ROOT / "tests" / "cases").glob("*.json")):
        _collect(json.loads(path.read_text(encoding="utf-8")), found)
    return found


def _collect(part: Any, found: list[str]) -> None:
    if isinstance(part, list):
        for item in part:
            _collect(item, found)
    elif isinstance(part, dict):
        for name, value in part.items():
            if isinstance(value, str) and name in {"line", "text"}:
                found.append(value)
            elif isinstance(value, list) and name in {"lookalikes", "lines"}:
                found.extend(item for item in value if isinstance(item, str))
                _collect(value, found)
            elif name not in {"event", "envelope", "events"}:
                _collect(value, found)


def lines() -> list[str]:
    """Return every text bare and in one other envelope (each in turn), the foreign lines, and texts in JSON records."""
    found = list(FOREIGN)
    for number, text in enumerate(texts()):
        found.append(text)
        if not text.startswith(("{", "<")):
            found.append(ENVELOPES[number % len(ENVELOPES)] + text)
    record = {"@timestamp": "2020-02-03T04:05:06.789Z", "host": {"name": "esa7.example.com"}}
    found += [json.dumps({**record, field: text}) for field, text in zip(("_raw", "message", "log"), texts())]
    found.append(json.dumps({"hostname": "esa8", "_time": "2020-02-03T04:05:06+01:00", "event": {"original": "ICID 5 TLS failed"}}))
    found.append("2026-03-03T10:00:02Z esa1 mail_logs: INFO: ICID 5 TLS success")
    # no date has the year 0
    found += ["Wed Jul 20 19:47:40 0000 Info: ICID 5 TLS success", "0000-03-03T10:00:02Z esa1 mail_logs: Info: ICID 5 TLS success"]
    found += [ARCSIGHT, f"Jan 21 12:47:11 relay {ARCSIGHT}", json.dumps({"message": ARCSIGHT}), *SPOOFED]
    # what the connector does not say, the record around it says
    found.append(json.dumps({**record, "message": "CEF:0|CISCO|IronPort Email|1|x|y|1|msg=ICID 5 TLS success"}))
    found += [json.dumps(record) for record in (*taken_apart.records().values(), *taken_apart.NO_EVENTS, *taken_apart.NO_TLS)]
    found += [json.dumps(record) for record, _ in two_texts.RECORDS]
    sources = ("esa1", "192.0.2.1", "2001:db8::1", "udp:514", "fe80:x", "/var/log/x", "a b", "-x", ".x", "", "i-0123456789abcdef0", "i-x", "x" * 256, ["esa1"])
    found += [
        json.dumps({name: source, "timestamp": record["@timestamp"], "message": "Info: ICID 5 close"}) for name in ("source", "logStream") for source in sources
    ]
    found.append(json.dumps({"fields": {"message": ["Info: ICID 5 close"], "@timestamp": ["2020-02-03T04:05:06Z"], "host.name": ["esa1"]}}))
    listed = json.dumps({"host": "esa1", "message": "Info: ICID 5 close"})
    found += [f"{tag}: [{time}, {listed}]" for tag in ("esa.x", "Info") for time in ("1709460002", "1709460002.5", "x")]
    copies = {"fields": {"message": ["Info: ICID 5 close"], "host.name": ["esa1"]}, "_source": {"message": "Info: ICID 5 close", "host": "esa2"}}
    found += [json.dumps({"_index": "x", **copies, "_source": source}) for source in (copies["_source"], {}, None)]
    found += [json.dumps(copies), json.dumps({"highlight": {"message": ["Info: ICID 6 close"]}, **copies}), json.dumps({"_index": "x", "x": copies["_source"]})]
    # half a day and a century would be wrong
    found += [json.dumps({"_time": time, "message": "mail_logs: Info: ICID 5 close"}) for time in ("2024-03-03 10:00:02 PM", "3/3/24 10:00:02")]
    row = ["2020-02-03T04:05:06Z", "esa1", "Info: ICID 5 close"]
    names = ["@timestamp", "host", "message"]
    for columns, cells in (
        (names, [row]),
        ([{"name": name} for name in names], [row[:3], "x"]),
        (names, [[*row, 5]]),
        ([*names, 5], [row]),
        ([], []),
        (names, [row[:1]]),
    ):
        found += [json.dumps({first: columns, second: cells}) for first, second in records.TABLES]
    pairs = [{"field": name, "value": text} for name, text in zip(names, row)]
    found += [json.dumps({"results": [some]}) for some in (pairs, [*pairs, {"field": 5, "value": 5}], [*pairs, {}])]
    # records within records, and half of a character where a collector has cut a text
    docker = {"log": "<22>Jan 21 12:47:11 esa1 mail_logs: Info: ICID 5 close\n", "stream": "stdout"}
    bare = {"message": "Info: ICID 5 close"}
    for inner in (docker, {**bare, "host": "esa2"}, {**bare, "tag": "mail_logs"}, [bare], {"message": json.dumps(bare)}, {"subject": bare["message"]}):
        for text in (json.dumps(inner), json.dumps(inner) + "\n"):
            found += [json.dumps(outer) for outer in ({**record, "message": text}, {"event": "x", "_raw": text, "program": "x"})]
    found.append(json.dumps({"stream": {"host": "esa1"}, "values": [["1709632800000000000", json.dumps(bare)]]}))
    found.append(json.dumps({**record, "message": "Info: MID 1 Subject '" + json.dumps(bare) + "'", "log": json.dumps(bare)}))
    found += [json.dumps({"message": f"Info: Message done DCID 6 MID 1 to RID [0] [('x', '\\u4e00 {half}')]"}) for half in ("\ud83d", "\udc4d", "\ud83d\udc4d")]
    # rows of CSV without names of columns
    for begin in ('2020-02-03T04:05:06Z,esa1,"', '2020-02-03T04:05:06Z;"a";"', 'x|Mon Aug 10 09:58:54 2020|"', '2020-02-03T04:05:06Z "', '"'):
        for end in ('"', '","x"', '";5', '"|""', '""', '",5 x"', ""):
            found += [f"{begin}Info: {text}{end}" for text in ("ICID 5 TLS success", 'MID 1 Subject ""a"", ""b', "MID 1 Subject 'x','")]
    # only a space ends a value, and an escape alone is none
    found.append(f"{CONSOLIDATED} shost=mail\t.example.com ESATLSInCipher=A\tB duser=\\")
    return found


def inputs() -> dict[str, list[str]]:
    """Return the lines of the logs that users' reports are about, by name, where they are; none of one whose records are not one a line."""
    found = {path.name: path.read_text(encoding="utf-8").splitlines() for path in sorted((ROOT.parent / "shared" / "inputs").glob("*.log"))}
    return {name: lines for name, lines in found.items() if "_json_array" not in name and "_search_export" not in name}


def expected(line: str) -> dict[str, Any]:
    """Return the document that a line becomes, from the extractor and the field table."""
    document: dict[str, Any] = {"@timestamp": SHIPPED, "message": line}
    found = list(events([line], clock=Clock()))
    return merged(document, merged(envelope_document(line), event_document(found[0]) if found else {}))


def odd(document: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    """Return what one of the `ODD` documents becomes."""
    line = document["message"]
    return merged(expected(line) if isinstance(line, str) else {"@timestamp": SHIPPED}, merged(document, told))


def envelope_document(line: str) -> dict[str, Any]:
    """Return what a line of an appliance becomes by its envelope alone: its time and where it is from."""
    made: dict[str, Any] = {}
    inner = next(iter(records.unwrap(line)), None)
    text = line if inner is None else inner.lines[0]
    head = envelope.parse(text)
    if not (head.stamp or head.host or head.log):
        return made
    stamp = head.stamp or (inner.time if inner else None)
    clock = Clock()
    taken = (inner.time if inner else None) or head.outer
    time = clock.read(stamp, clock.read(taken) if taken else None) if stamp else None
    if time is not None:
        made["@timestamp"] = rfc3339(time)
    elif stamp:
        made["tags"] = ["_esatls_date_failure"]
    host = head.host or (inner.host if inner else None)
    for path, value in (("observer.hostname", host), ("esatls.log", head.log), ("log.level", head.level)):
        if value:
            put(made, path, value)
    return made


def merged(into: dict[str, Any], made: dict[str, Any]) -> dict[str, Any]:
    """Return one nested document laid over another."""
    result = dict(into)
    for name, value in made.items():
        old = result.get(name)
        result[name] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result
