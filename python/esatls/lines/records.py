"""Records in which collectors keep a log line: JSON of any collector, an ArcSight connector's record, a row of CSV.

The tables name the fields; the copies for other engines are generated from them. A name with dots is the path of a field, or its whole
name. The line is the first field of LINE that holds more than one word, or a later one that holds the same line with a header that says more
(the appliance, else anything), or, behind a collector's own words, the first one with a header; nothing else in that record is a line. Time,
host, log and level are looked for beside the line first, then around it. Objects that hold a stranger's text by nature are never searched. A
consolidated event that a collector took apart, whose message is a subject, is made again from its fields if no text holds it whole.
"""

from __future__ import annotations

import functools
import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from esatls.lines import arcsight, cef_tables, envelope
from esatls.lines.clock import rfc3339
from esatls.lines.header import STAMP

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, Any]

EXTENSIONS = "AdditionalExtensions"
UNCHANGED = (
    EXTENSIONS,
    *("_raw", "event.original", "full_log", "rawLog", "full_message", "map._raw", "rawmsg", "utf8_payload", "payloadAsUTF", "@rawstring", "raw_data"),
    *("rawEvent", "_raw_log", "cisco_secure_email_gateway.log.message"),
)
"""Fields that keep a line as it was logged: whatever one of them holds, nothing else in its record is the line. The first one is Microsoft Sentinel's, for
a consolidated event: beside it, `Message` is a subject."""

LINE = (
    *UNCHANGED,
    *("message", "log", "event", "msg", "Message", "MESSAGE", "SyslogMessage", "@message", "short_message", "line", "textPayload", "jsonPayload.message"),
    *("body.stringValue", "body", "raw", "RawData", "payload", "Line"),
    *("log.original", "raw_message", "rawMessage", "RawMessage", "raw_log", "syslog_message", "log_message", "logmsg"),
    *("_line", "rawevent", "raw_event", "logMessage", "content"),
)
"""Fields in which collectors keep the line, first those that keep it unchanged. `event` is also the HTTP Event Collector's."""

TIME = (
    *("@timestamp", "timestamp", "_time", "time", "TimeGenerated", "ISODATE", "timeUnixNano", "observedTimeUnixNano", "__REALTIME_TIMESTAMP"),
    *("_SOURCE_REALTIME_TIMESTAMP", "EventTime", "EventReceivedTime", "collectionTime", "_messagetime", "map._messagetime", "generated_at", "received_at"),
    *("eventTime", "receiveTimestamp", "datetime", "date", "ts", "_ts", "DATE", "TIMESTAMP", "timereported", "Date", "Time"),
)
"""Fields with the time of a line that has none itself: text, or seconds, milliseconds, microseconds or nanoseconds since 1970."""

HOST = (
    *("observer.hostname", "observer.name", "log.syslog.hostname", "hostname", "Hostname", "HOSTNAME", "predecoder.hostname", "jsonPayload.hostname"),
    *("jsonPayload.host", "event.syslog.host", "log.source.address", "HOST", "syslog_hostname", "host.name", "host.hostname", "host", "labels.host"),
    *("labels.hostname", "stream.host", "stream.hostname", "fields.host", "fields.hostname", "logsource", "source_host", "fromhost"),
    *("_sourceHost", "_sourcehost", "map._sourcehost", "HostName", "Computer", "resource.labels.host", "_HOSTNAME", "_host", "Host"),
)
"""Fields that name the appliance if the line does not, first those that cannot mean a collector."""

SOURCE = ("source", "timestamp", ("message", "full_message"))
"""Graylog's field for what sent a line, and the two that are beside it, of which the last has several names. Elsewhere, `source` is a file, a port or a
program."""

STREAM = ("logStream", "logStreamName", "@logStream")
"""CloudWatch's fields for the stream of a line; one stream has the lines of one source."""

LOG = (
    *("cisco_secure_email_gateway.log.category.name", "log.syslog.appname", "appname", "APP_NAME", "app_name", "ident", "PROGRAM", "programname"),
    *("program_name", "predecoder.program_name", "process.program", "program", "application_name", "jsonPayload.ident", "event.syslog.appName"),
    *("ProcessName", "SourceName", "SYSLOG_IDENTIFIER", "syslogtag", "tag"),
)
"""Fields that name the log subscription if the line does not."""

CLASS = ("event.code", "cef.device.event_class_id", "deviceEventClassId", "DeviceEventClassID", "event_class_id")
"""Fields with the class of an event, in records with the parts of a CEF record."""

VERSION = ("cef.device.version", "deviceVersion", "DeviceVersion", "device_version", "observer.version")
"""Fields with the version of AsyncOS, in the same records."""

EXTENSIONS_OBJECT = "cef.extensions"
"""The object with the fields of an event, if these are not beside its class."""

LONG_NAMES = {
    "act": ("deviceAction", "event.action"),
    "suser": ("sourceUserName", "source.user.name"),
    "duser": ("destinationUserName", "destination.user.name"),
    "src": ("source.ip",),
    "shost": ("source.domain",),
    "cs4": ("deviceCustomString4", "cef.device_custom_string_4.value"),
    "msg": ("message",),
}
"""Keys of CEF -> other names that collectors give to these fields."""

SUBJECTS = ("message", "Message", "msg")
"""Fields with the subject, in records with the parts of a consolidated event."""

LENT = (*SUBJECTS, "body.stringValue", "body", "payload", "content")
"""Fields that hold a stranger's text in some records: not the line, if an earlier field holds other text."""

RAW, RAW_TIME, RAW_HOST = "_raw", "_time", "host"
"""Splunk's fields for the line, its time and its host. It takes other fields from the text, which a stranger may have written, and only where they occur:
beside the line, they name neither the log nor the level."""

LEVEL = ("log.level", "level", "severity")
"""Fields with the level of a line that has none itself; only the appliance's own words count."""

STRANGERS = frozenset({
    "email", "mail", "subject", "sender", "recipient", "recipients", "from", "to", "file", "files", "attachment", "attachments", "url", "urls",
    "user", "headers",
})  # fmt: skip
"""Objects that hold a stranger's text by nature; a record may write their names in upper or lower case."""

SENTINEL_COLUMNS = {
    "DeviceAction": "act",
    "DeviceExternalID": "deviceExternalId",
    "SourceUserName": "suser",
    "DestinationUserName": "duser",
    "SourceIP": "src",
    "SourceHostName": "shost",
    "CommunicationDirection": "deviceDirection",
    "DeviceCustomString4": "cs4",
    "Message": "msg",
}
"""Columns of Sentinel's table CommonSecurityLog -> the keys of CEF that they were made from."""
_PLAIN_VALUE = re.compile(r"[^\s;=|\"'\\]+(?:;[^\s;=|\"'\\@]+@[^\s;=|\"'\\]+)*")  # one word, or addresses
_QUOTED_VALUE = re.compile(r"""(['"]?)([^'"\\;\r\n]+)\1""")
QUOTED_COLUMNS = ("cs4", "msg")
"""Keys whose values are quoted."""
NO_VALUES = ("", "-")
"""What collectors write into a column that has no value."""
_WHOLE_QUOTES = re.compile(r"""'[^'\\]*(?:\\.[^'\\]*)*'|"[^"\\]*(?:\\.[^"\\]*)*\"""", re.DOTALL)
_LINE_ENDS = str.maketrans("\r\n", "  ")

TABLES = (("columns", "rows"), ("columns", "values"), ("fields", "rows"))
"""The names of a table's columns, and its rows, in answers of Azure, Elasticsearch and Splunk."""
HIT = ("_source", "_index")
"""Fields of a search server's hit."""
COPIES = ("_source", "fields")
"""Where a hit has the fields of its document; one of them, and anything else in it, may be a copy of the other."""
_FIELD_AND_VALUE = {"field", "value"}
LEVELS = frozenset({"Info", "Warning", "Critical", "Debug", "Trace"})
_LOG_NAME = re.compile(r"[A-Za-z0-9_.@-]{1,128}", re.ASCII)
DEEPEST = 12
"""Maximum nesting of objects that are searched."""
_VALUE = re.compile(r"[^ \t\r\n,]")
_DECODER = json.JSONDecoder()
_NUMBER = re.compile(r"\d{9,19}(?:\.\d{1,9})?", re.ASCII)
LISTED = r"[^\s\"'{}\[\]]{1,128}: \[(?P<time>[0-9]{9,19}(?:\.[0-9]{1,9})?), (?=\{)"
"""What Fluent Bit writes in front of a record in a file: a tag, and a list whose first item is the time."""
_LISTED = re.compile(LISTED)
_UNITS = ((1e11, 1), (1e14, 1e3), (1e17, 1e6), (1e20, 1e9))
"""Limits of seconds, milliseconds, microseconds and nanoseconds since 1970, and how many make a second: a larger number is in the next smaller unit."""
_NAMES_HOST = 2
_WORD = re.compile(r"[^\s=]+")
"""A name or the like; without spaces, a line has fields with values."""
LIKE_A_LINE = r"[\[{]|CEF:|.*ID \[?[0-9]"
"""A text without a header that may be a line, or hold one: JSON, CEF, anything with an id."""
_LIKE_A_LINE = re.compile(LIKE_A_LINE)
CEF = "CEF:"
_SOURCE_HOST = re.compile(r"(?!i-[0-9a-f]{8,17}\Z)[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}|[0-9A-Fa-f:.]{2,45}", re.ASCII)
"""What names a host in the fields of SOURCE and STREAM; an instance of a cloud is none."""
_PORT = re.compile(r"(?:\[([0-9A-Fa-f:.]{2,45})\]|([\w.-]{1,255})):\d{1,5}", re.ASCII)
# JSON can name halves of surrogate pairs, which UTF-8 cannot; those that stand for bytes that are not UTF-8 are left to the stream
_HALF = re.compile("[\ud800-\udc7f\udd00-\udfff]")


class Record(NamedTuple):
    """The lines of a record, and what the record says about them."""

    lines: list[str]
    host: str | None = None
    time: str | None = None
    log: str | None = None
    level: str | None = None
    field: str = ""
    """The field that holds the line."""
    header: tuple[bool, bool] | None = (True, True)
    """Whether there is a level, and a log name, in front of the text or beside it; None for a consolidated event, which needs neither."""


def unwrap(line: str, end: int | None = None) -> list[Record]:
    """Return the records in a line of JSON (W16), or the one that an ArcSight connector put around a line (W14); none in any other line.

    `end` is where the envelope of the line ends, if the caller knows it.
    """
    if line[:1] in ("{", "[", " ", "\t"):
        text = line.strip(" \t").rstrip(", \t")
        return of_json(whole(text)) if text[:1] in ("{", "[") else []
    front = in_front(line)
    if front is not None:
        return [record._replace(time=record.time or front["stamp"]) for record in of_json(line[front.end() :])]
    listed = _LISTED.match(line) if is_listed(line) else None
    if listed is not None:
        inner = of_json(line[listed.end() : -1]) if envelope.parse(listed[0]).end == 0 else ()
        return [record._replace(time=record.time or _stamp(listed["time"])) for record in inner]
    at = line.find(CEF, 0, envelope.LONGEST)
    # right behind the envelope: further on, it is text that somebody chose
    if at >= 0 and (envelope.parse(line).end if end is None else end) == at:
        within = arcsight.text_line(line[at:])
        if within is not None:
            return [Record([within.text], within.host and writable(within.host), within.time)]
    return []


def is_listed(line: str) -> bool:
    """Tell whether a line ends like a record of Fluent Bit's. Unlike what begins with a stamp, it may be the rest of another line."""
    return line[-2:] == "}]"


def whole(text: str) -> str:
    """Return the JSON of a line; the first and the last line of an array with one record per line get the missing bracket."""
    opened, closed = text[:1] == "[", text[-1:] == "]"
    return text if opened == closed else f"{text}]" if opened else f"[{text}"


@functools.cache
def _stamp_and_tag() -> re.Pattern[str]:
    """Return an expression for what Fluentd writes in front of a record in a file, and a relay in the forms of RFC 3164 and RFC 5424."""
    return re.compile(rf"(?:<\d{{1,3}}>(?:1 )?)?(?P<stamp>{STAMP})(?:[ \t][^\s\"'{{}}]{{1,128}}){{0,3}}(?: - -)?[ \t](?=\{{)", re.ASCII)


def in_front(line: str) -> re.Match[str] | None:
    """Return the match of what stands in front of a JSON record in a line, if that is a stamp and a tag, not a header."""
    return None if line[-1:] != "}" or '{"' not in line[: envelope.LONGEST] else _in_front(line)


# whoever takes the record asks about the same line again
@functools.lru_cache(maxsize=1)
def _in_front(line: str) -> re.Match[str] | None:
    front = _stamp_and_tag().match(line)
    return front if front is not None and envelope.parse(line[: front.end()]).end == 0 else None


def values(text: str) -> Iterator[Any]:
    """Yield the JSON values in a text, one after the other, perhaps with commas between them. Raises `ValueError` or `RecursionError` if one is invalid."""
    at = 0
    while (start := _VALUE.search(text, at)) is not None:
        value, at = _DECODER.raw_decode(text, start.start())
        yield value


def of_json(text: str) -> list[Record]:
    """Return the records in JSON text; none if it is invalid, or nested as no collector's records are."""
    try:
        return [record for value in values(text) for record in of_value(value)]
    except (ValueError, RecursionError):
        return []


def of_value(value: Any, around: tuple[Json, ...] = ()) -> Iterator[Record]:
    """Yield the records in a value: an object that holds a line is one record; any other object or list is searched."""
    if len(around) > DEEPEST:
        return
    if isinstance(value, list):
        pairs = _pairs(value)
        for item in value if pairs is None else [pairs]:
            yield from of_value(item, around)
    elif isinstance(value, dict):
        found = _line_of(value, (value, *around))
        if found is not None:
            yield found
            return
        if _is_taken_apart(value):
            return
        rows = _rows(value)
        if rows is not None:
            for row in rows:
                yield from of_value(row, (value, *around))
            return
        if isinstance(value.get("values"), list):  # Loki: [["time", "line"], ...]
            for pair in value["values"]:
                if isinstance(pair, list) and len(pair) > 1 and all(isinstance(cell, str) for cell in pair[:2]):
                    yield _record(pair[1], ({"timestamp": pair[0]}, value, *around))
            return
        copies = _of_hit(value, (value, *around))
        if copies:
            yield from copies
            return
        for name, inner in value.items():
            if isinstance(inner, (dict, list)) and name.lower() not in STRANGERS:
                yield from of_value(inner, (value, *around))


def _of_hit(value: Json, around: tuple[Json, ...]) -> list[Record]:
    """Return the records of a search server's hit, from one copy of its fields; none of any other object."""
    if not any(name in value for name in HIT):
        return []
    return next(filter(None, (list(of_value(value.get(name), around)) for name in COPIES)), [])


def _pairs(items: list[Any]) -> Json | None:
    """Return the record that a list of CloudWatch's has, with each field as an object of name and value; None for any other list."""
    if not items or not all(isinstance(item, dict) and item.keys() >= _FIELD_AND_VALUE for item in items):
        return None
    return {item["field"]: item["value"] for item in items if isinstance(item["field"], str)}


def _rows(value: Json) -> list[Json] | None:
    """Return the rows of a table within JSON as records: a search's answer may have the names of its columns once. None for any other object."""
    for columns, cells in TABLES:
        names, rows = value.get(columns), value.get(cells)
        if isinstance(names, list) and isinstance(rows, list):
            told = [name.get("name") if isinstance(name, dict) else name for name in names]
            named = [name for name in told if isinstance(name, str)]
            if named and len(named) == len(told):
                return [dict(zip(named, row)) for row in rows if isinstance(row, list)]
    return None


def _line_of(record: Json, around: tuple[Json, ...]) -> Record | None:
    """Return the record of an object; None if it holds no line."""
    texts = [(name, text) for name in _of(record, LINE) if isinstance(text := _lookup(record, name), str) and text.strip()]
    if _is_taken_apart(record):
        texts = [(name, text) for name, text in texts if name not in SUBJECTS or text.startswith(CEF)]
    if not texts:
        event = _made_again(record)
        return None if event is None else _record(event, around)._replace(field=arcsight.TAKEN_APART)
    at = next((number for number, (_, text) in enumerate(texts) if not _WORD.fullmatch(text.strip())), 0)
    name, text = texts[at]
    said_by, rest = _header_of(text)
    if name not in UNCHANGED and said_by == envelope.NONE and not _LIKE_A_LINE.match(rest):
        behind = (number for number, (other, line) in enumerate(texts) if number > at and other not in LENT and _header_of(line)[0].rank)
        at = next(behind, at)
        name, text = texts[at]
        said_by, rest = _header_of(text)
    for other, longer in texts[at + 1 :] if _says(name, said_by) < _NAMES_HOST else ():
        env, same = _header_of(longer)
        if same == rest and _says(other, env) > _says(name, said_by):
            name, text, said_by = other, longer, env
    if name == EXTENSIONS:
        text += _columns(record, text)
    found = _record(text, around)
    consolidated = name == EXTENSIONS or text.startswith(CEF, said_by.end)
    header = None if consolidated else (bool(said_by.level or found.level), bool(said_by.log or found.log))
    return found._replace(field=name, header=header)


def _header_of(text: str) -> tuple[envelope.Envelope, str]:
    """Return the header of a text's first line, and what is behind it."""
    line = text[: envelope.LONGEST].lstrip(" \t").partition("\n")[0]
    env = envelope.parse(line)
    return env, line[env.end :].strip(" \t\r")


def _says(name: str, env: envelope.Envelope) -> int:
    """Return how much a header says: 2 if it names the appliance, 1 if it says anything else, else 0."""
    return _NAMES_HOST if env.host or name == EXTENSIONS else 1 if env.rank else 0


def _is_taken_apart(record: Json) -> bool:
    """Tell whether a record has the parts of a consolidated event."""
    return any(_lookup(record, name) == arcsight.CONSOLIDATED for name in _of(record, CLASS))


def _made_again(record: Json) -> str | None:
    """Return a consolidated event from the fields of a record that a collector took apart; None for any other.

    Before AsyncOS 14, a stranger's text could hold an equals sign, and a collector may have taken it for fields. From then on, it can have done so only where
    a quote or a brace is left open, or a stranger's bare value is not whole (`cef.parse` looks at these).
    """
    version = next((text for name in _of(record, VERSION) if isinstance(text := _lookup(record, name), str)), "")
    if not arcsight.escapes(version) or not _LOG_NAME.fullmatch(version) or not _is_taken_apart(record):
        return None
    inner = _lookup(record, EXTENSIONS_OBJECT)
    told = {name.removeprefix(f"{EXTENSIONS_OBJECT}."): _single(value) for name, value in record.items()}
    told.update({name: _single(value) for name, value in inner.items()} if isinstance(inner, dict) else {})
    if any(isinstance(value, str) and value[:1] == "{" and value[-1:] != "}" for value in told.values()):
        return None
    fields: dict[str, str] = {}
    for key in cef_tables.KEYS:
        value = next(filter(None, (_field(_lookup(told, name)) for name in (key, *LONG_NAMES.get(key, ())))), "")
        if key in QUOTED_COLUMNS and value and not _WHOLE_QUOTES.fullmatch(value):
            if value[0] in "'\"":
                return None
        elif value:
            fields[key] = value.replace("=", "\\=")
    if "ESAMID" not in fields:
        return None
    return f"{CEF}0|Cisco||{version}|{arcsight.CONSOLIDATED}|{arcsight.TAKEN_APART}||" + "".join(f" {key}={value}" for key, value in fields.items())


def _field(value: Any) -> str:
    """Return a field as text on one line; empty without a value."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    text = value.strip(" \t\r\n") if isinstance(value, str) else ""
    return "" if text in NO_VALUES else text.translate(_LINE_ENDS)


def _record(text: str, around: tuple[Json, ...]) -> Record:
    is_raw = RAW in around[0]
    hosts, times = ((RAW_HOST, *HOST), (RAW_TIME, *TIME)) if is_raw else (HOST, TIME)
    level = next((word for word in (value.capitalize() for value in _texts(around, () if is_raw else LEVEL)) if word in LEVELS), None)
    logs = (name.rstrip(": ") for name in _texts(around, () if is_raw else LOG))
    return Record(
        (text if text.isascii() else _HALF.sub(lambda half: f"\\u{ord(half[0]):04x}", text)).split("\n"),
        next((writable(_without_port(host)) for host in _texts(around, hosts)), None) or _source(around),
        next(filter(None, (_stamp(_lookup(one, name)) for one in around for name in _of(one, times))), None),
        next((name for name in logs if _LOG_NAME.fullmatch(name)), None),
        level,
    )


def _source(around: tuple[Json, ...]) -> str | None:
    """Return the source of a line where a record has no host for it."""
    source, beside, lines = SOURCE
    for record in around:
        names = (source, *STREAM) if beside in record and any(name in record for name in lines) else STREAM
        for name in names:
            value = _lookup(record, name)
            if isinstance(value, str) and _SOURCE_HOST.fullmatch(value):
                return value
    return None


def _texts(around: tuple[Json, ...], names: tuple[str, ...]) -> Iterator[str]:
    """Yield the texts of fields with these names, those beside the line first."""
    for record in around:
        for name in _of(record, names):
            value = _lookup(record, name)
            if isinstance(value, str) and value:
                yield value
        attributes = record.get("attributes") or (record["resource"].get("attributes") if isinstance(record.get("resource"), dict) else None)
        if isinstance(attributes, dict):
            yield from (value for value in (_lookup(attributes, name) for name in names) if isinstance(value, str) and value)
        elif isinstance(attributes, list):  # OpenTelemetry: [{"key": ..., "value": {"stringValue": ...}}, ...]
            for item in attributes:
                value = _lookup(item, "value.stringValue") if isinstance(item, dict) and item.get("key") in names else None
                if isinstance(value, str) and value:
                    yield value


def _of(record: Json, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return those of the names that may be fields of a record."""
    return _among(tuple(record), names)


@functools.lru_cache(maxsize=256)
def _among(keys: tuple[str, ...], names: tuple[str, ...]) -> tuple[str, ...]:
    # the records of one collector have the same fields
    return tuple(name for name in names if name in keys or name.partition(".")[0] in keys)


def _lookup(record: Json, name: str) -> Any:
    if name in record:
        return _single(record[name])
    first, dot, rest = name.partition(".")
    inner = record.get(first) if dot else None
    return _lookup(inner, rest) if isinstance(inner, dict) else None


def _single(value: Any) -> Any:
    """Return the only value of a list, as search servers answer with for each field; any other value as it is."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _without_port(host: str) -> str:
    """Return a host without the port that the source of a packet has."""
    m = _PORT.fullmatch(host)
    return host if m is None else m[1] or m[2]


def _stamp(value: Any) -> str | None:
    """Return a time as text; a number counts from 1970, and its size shows the unit."""
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value):
            return value or None
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    for most, parts in _UNITS:
        if 0 < value < most:
            return rfc3339(round(value / parts, 3))
    return None


def _columns(record: Json, text: str) -> str:
    """Return the values that Sentinel keeps in separate columns, as further fields of AdditionalExtensions."""
    found = ((key, record.get(column)) for column, key in SENTINEL_COLUMNS.items())
    values = ((key, _column(key, value)) for key, value in found if isinstance(value, str) and f"{key}=" not in text)
    return "".join(f";{key}={value}" for key, value in values if value)


def _column(key: str, value: str) -> str | None:
    """Return the text of a column as a value of CEF; None if it could contain more fields."""
    if key in QUOTED_COLUMNS:
        quoted = _QUOTED_VALUE.fullmatch(value)
        return quoted and f"'{quoted[2]}'"
    return value if _PLAIN_VALUE.fullmatch(value) else None


def writable(text: str) -> str:
    """Return text with halves of surrogate pairs, which JSON can name but UTF-8 cannot, as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
