"""Envelopes that collectors, relays and tools put around a line: the catalogue's section 3b, each in its public form."""

from __future__ import annotations

import csv
import io
import json
from time import gmtime, strftime
from typing import TYPE_CHECKING, Any, Callable

from .forms import Envelope, Stamp, as_native, as_plain_syslog, as_syslog, iso, native, syslog

if TYPE_CHECKING:
    from .world import Line

Record = dict[str, Any]

ADDRESS = "192.0.2.77"  # of an appliance, as seen by a relay

_later = Stamp(lambda time: strftime("%Y-%m-%d %H:%M:%S", gmtime(time)))
_figures = Stamp(lambda time: strftime("%m %d %Y %H:%M:%S", gmtime(time)))
_padded = Stamp(lambda time: strftime("%b %d %H:%M:%S", gmtime(time)))
_year_first = Stamp(lambda time: strftime("%Y %b %d %H:%M:%S", gmtime(time)))
_year_within = Stamp(lambda time: f"{syslog(time)[:6]} {gmtime(time).tm_year} {syslog(time)[7:]}")
_zoned = Stamp(lambda time: f"{native(time)[:-4]}UTC {native(time)[-4:]}")


def _utc(line: Line) -> str:
    return f"{iso(line.time)}Z"


def _counted(line: Line, offset: int) -> str:
    text = as_syslog(line, offset)
    return f"{len(text.encode())} {text}"


def _fluentd(line: Line, offset: int) -> str:
    del offset
    record = {"host": line.host, "ident": line.log, "message": line.said}
    return f"{iso(line.time)}+00:00\tsyslog.mail.info\t{json.dumps(record)}"


def _cells(line: Line, offset: int) -> str:
    cells = io.StringIO()
    # the cell after the line does not belong to its text
    csv.writer(cells, lineterminator="").writerow([_utc(line), line.host, as_syslog(line, offset), "esa"])
    return cells.getvalue()


def _otlp(line: Line, offset: int) -> Record:
    record = {"timeUnixNano": f"{line.time}000000000", "severityText": line.level, "body": {"stringValue": as_syslog(line, offset)}}
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "syslog"}}]}
    return {"resourceLogs": [{"resource": resource, "scopeLogs": [{"scope": {}, "logRecords": [record]}]}]}


def _cloudwatch(line: Line, offset: int) -> Record:
    events = [{"id": "1", "timestamp": line.time * 1000, "message": as_syslog(line, offset)}]
    return {"messageType": "DATA_MESSAGE", "owner": "1", "logGroup": "esa", "logStream": "mail", "logEvents": events}


def _package(line: Line, offset: int) -> Record:
    del offset
    return {
        "@timestamp": f"{iso(line.time)}.000Z",
        "cisco_secure_email_gateway": {"log": {"category": {"name": line.log}, "message": line.text}},
        "host": {"name": line.host},
        "log": {"level": line.level.lower()},
    }


def _gelf(line: Line, _: int) -> Record:
    return {"version": "1.1", "host": line.host, "short_message": f"{line.log}: {line.said}", "timestamp": line.time, "level": 6}


def _sentinel(line: Line, _: int) -> Record:
    return {"TimeGenerated": _utc(line), "Computer": line.host, "Facility": "mail", "ProcessName": line.log, "SyslogMessage": line.said}


def _syslog_ng(line: Line, _: int) -> Record:
    return {"PROGRAM": line.log, "MESSAGE": line.said, "HOST": line.host, "DATE": syslog(line.time), "ISODATE": f"{iso(line.time)}+00:00"}


def _rsyslog(line: Line, _: int) -> Record:
    return {"@timestamp": f"{iso(line.time)}+00:00", "host": line.host, "tag": f"{line.log}:", "message": f" {line.said}"}


def _wazuh(line: Line, offset: int) -> Record:
    return {
        "timestamp": f"{iso(line.time)}.000+0000",
        "agent": {"id": "000", "name": "wazuh"},
        "full_log": as_plain_syslog(line, offset),
        "predecoder": {"hostname": line.host, "program_name": line.log},
        "location": ADDRESS,
    }


def _hit(line: Line, offset: int) -> Record:
    return {"_index": "logs", "_source": {"@timestamp": _utc(line), "observer": {"hostname": line.host}, "event": {"original": as_plain_syslog(line, offset)}}}


def _json(name: str, record: Callable[[Line, int], Record], *, dated: bool) -> Envelope:
    """Return an envelope with one JSON record per line; `dated`: the record's stamp is the only one in it."""
    return Envelope(name, lambda line, offset: json.dumps(record(line, offset)), year=dated, zone=dated, whole=True)


_RECORDS = (
    _json("gelf", _gelf, dated=True),
    _json("otlp", _otlp, dated=False),
    _json("cloudwatch", _cloudwatch, dated=False),
    _json("elastic_package", _package, dated=True),
    _json("sentinel", _sentinel, dated=True),
    _json("syslog_ng", _syslog_ng, dated=True),
    _json("rsyslog", _rsyslog, dated=True),
    _json("wazuh_json", _wazuh, dated=False),
    _json("hits", _hit, dated=False),
)

COLLECTORS: tuple[Envelope, ...] = (
    # relays put their own header in front of the appliance's
    Envelope("relayed_iso", lambda line, offset: f"{iso(line.time + 3)}.587Z {ADDRESS} {as_syslog(line, offset)}", year=False, whole=True),
    Envelope("relayed_bare", lambda line, offset: f"{iso(line.time + 3)}.587Z {ADDRESS} {as_plain_syslog(line, offset)}", year=False, whole=True),
    Envelope("relayed_syslog", lambda line, offset: f"<22>{syslog(line.time + offset + 2)} relay2 {as_syslog(line, offset)}", year=False, whole=True),
    Envelope(
        "relayed_spaces",
        lambda line, offset: f"<22>{_later(line.time + offset + 1)} Mail.Info {ADDRESS} {as_plain_syslog(line, offset)}",
        year=False,
        whole=True,
    ),
    Envelope("rfc5424", lambda line, _: f"<22>1 {iso(line.time)}.123Z {line.host} {line.log} - - - {line.said}", zone=True, fraction=".123", whole=True),
    Envelope("kiwi", lambda line, offset: f"{_later(line.time + offset + 1)}\tMail.Info\t{ADDRESS}\t{as_plain_syslog(line, offset)}", year=False, whole=True),
    Envelope("logrhythm", lambda line, offset: f"{_figures(line.time + offset)} {ADDRESS} <MAIL:INFO> {as_plain_syslog(line, offset)}", year=False, whole=True),
    Envelope("wazuh", lambda line, offset: f"{_year_first(line.time + offset)} {line.host}->{ADDRESS} {as_plain_syslog(line, offset)}", year=False, whole=True),
    Envelope("journalctl", lambda line, offset: f"{_padded(line.time + offset)} {line.host} {line.log}[417]: {line.said}", year=False, whole=True),
    Envelope("spaced_log", lambda line, offset: f"{syslog(line.time + offset)} {line.host} {line.log} : {line.said}", year=False),
    Envelope("syslog_year", lambda line, offset: f"{_year_within(line.time + offset)} {line.host} {line.log}: {line.said}"),
    Envelope("octets", _counted, year=False, whole=True),
    Envelope("native_zone", lambda line, _: f"{_zoned(line.time)} {line.said}", host=False, zone=True),
    # tools
    Envelope("grep", lambda line, offset: f"logs/mail.current:{line.time % 9973}:{as_native(line, offset)}", host=False, event=False, whole=True),
    Envelope("cat_n", lambda line, offset: f"{line.time % 9973:6d}\t{as_native(line, offset)}", host=False, event=False, whole=True),
    Envelope("quoted", lambda line, offset: f"> {as_native(line, offset)}", host=False, event=False, whole=True),
    # pipelines
    Envelope("fluentd", _fluentd, zone=True, whole=True),
    Envelope("logcli", lambda line, _: f'{_utc(line)} {{host="{line.host}", job="syslog"}} {line.said}', zone=True, whole=True),
    Envelope("csv", _cells, year=False, head="_time,host,_raw,sourcetype", event=False, whole=True),
    *_RECORDS,
    # consolidated events, together with the text log and alone
    Envelope("cef_beside_syslog", as_syslog, year=False, feed="beside", whole=True),
    Envelope("cef_beside_json", lambda line, offset: json.dumps({"message": as_syslog(line, offset)}), year=False, feed="beside", whole=True),
    Envelope("cef_syslog", as_syslog, year=False, feed="cef", whole=True),
    Envelope("cef_native", lambda line, offset: f"{native(line.time + offset)}: {line.said}", host=False, feed="cef", whole=True),
    Envelope(
        "cef_relayed",
        lambda line, offset: f"<14>{syslog(line.time + offset)} relay ESA: {native(line.time + offset)}: {line.said}",
        feed="cef",
        collector="relay",
        whole=True,
    ),
    Envelope("cef_collector", lambda line, _: f"{_utc(line)} {line.said}", zone=True, feed="cef", collector="", whole=True),
)
