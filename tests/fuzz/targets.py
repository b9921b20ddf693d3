"""What must hold for any bytes: one function per part of the extractor, which raises if that part breaks a promise."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Callable

from esatls.cli.explain import explain
from esatls.extraction import cef, tracking
from esatls.extraction.blocks import BlockStream
from esatls.extraction.event_stream import Events
from esatls.extraction.fields import CONNECTION_FIELDS, FIELDS, MESSAGE_FIELDS, Field
from esatls.extraction.kinds import EVENT_KINDS
from esatls.extraction.match import extract
from esatls.extraction.stream import Counts, Stream
from esatls.lines import arcsight, envelope
from esatls.lines.clock import Clock, parse_rfc3339, rfc3339
from esatls.lines.records import in_front, unwrap
from esatls.output.json_lines import dumps
from esatls.verdicts import records as verdicts
from esatls.verdicts.facts import Facts
from esatls.verdicts.flat import columns, flat

if TYPE_CHECKING:
    from collections.abc import Mapping

    from esatls.extraction.event_record import EventRecord

Target = Callable[[bytes], None]

LATEST = parse_rfc3339("2024-12-31T12:00:00Z")
"""The latest time of fuzzed logs, so that a stamp without a year means the same on every day."""
ALL = frozenset(EVENT_KINDS)

_NAMES = {field.name: field for field in FIELDS}
# Fields with words of the extractor; every other text of an event is from the log.
_DERIVED = frozenset({
    "time", "esa_event", "esa_direction", "tls_result", "delivery_outcome", "mid_relation", "mail_flow", "witness", "close_reason",
    "tls_in_result", "tls_out_result", "tls_reason", "tls_verify",
})  # fmt: skip
# white space, since wrapped lines are joined; byte order marks; bytes that are not UTF-8 and halves of surrogate pairs, unchanged and as escapes; backslashes
_DROPPED = re.compile("[\\s\0\ufeff\ud800-\udfff]|\\\\x[0-9a-f]{2}|\\\\ud[89a-f][0-9a-f]{2}|\\\\")

_UNREADABLE = re.compile("[\0\ud800-\udfff]")
_NUMBER = re.compile(r"\d{1,4}\s*")
_MARKS = re.compile(r"\s*(?:\S*?[:-])?(?:\d{1,9}[:\t-])?(?:[ \t]*>)*")
"""What a tool may have put in front of a line, and of the rest of a wrapped one: the name of a file, a number, quotes."""


def text_of(data: bytes) -> str:
    """Return bytes as the extractor reads them: a byte that is not UTF-8 becomes a lone surrogate."""
    return data.decode("utf-8", "surrogateescape")


def check_event(event: Mapping[str, Any], source: str) -> None:
    """Raise unless every field is in the field table, has its type, is not empty, and contains only text of the source."""
    assert event["esa_event"] in ALL, event
    for name, value in event.items():
        _check_type(_NAMES[name], value)
    _check_origin(event, source)
    dumps(event)


def _check_type(field: Field, value: Any) -> None:
    if field.type == "integers":
        assert value, field.name
        assert all(type(number) is int for number in value), (field.name, value)
    elif field.type == "integer":
        assert type(value) is int, (field.name, value)
    elif field.type == "date":
        parse_rfc3339(value)
    else:
        assert isinstance(value, str), (field.name, value)
        assert value, field.name
        value.encode("utf-8")  # raises if the text cannot be written


def plain(text: str) -> str:
    """Return text for comparison: without what reading may change, and without `;`, since fields may be joined with it or with a space."""
    return _DROPPED.sub("", text).replace(";", "").casefold()


def _check_origin(event: Mapping[str, Any], source: str) -> None:
    for name, value in event.items():
        if name in _DERIVED:
            continue
        for one in value if isinstance(value, list) else [value]:
            assert plain(str(one)) in source, (name, one)


def source_of(text: str) -> str:
    """Return everything in a text, for comparison: the text, also without unreadable lines, line numbers, a tool's marks and CSV's, the strings in its JSON."""
    readable = [line for line in text.split("\n") if not _UNREADABLE.search(line)]
    parts = [plain(text), plain("\n".join(readable)), plain("\n".join(line for line in readable if not _NUMBER.fullmatch(line)))]
    parts.append(plain("\n".join(_MARKS.sub("", line, count=1) for line in readable)))
    parts.append(plain("\n".join(map(envelope.bare, readable))))
    for line in [text, *text.split("\n")]:
        front = in_front(line)
        record = line[front.end() :] if front else line.lstrip()
        if record[:1] in ("{", "["):
            parts += map(plain, _strings(record))
    return "\n".join(parts)


def _strings(text: str) -> list[str]:
    decoder, found, at = json.JSONDecoder(), list[str](), 0
    text = text.lstrip("\ufeff \t\r\n")
    while at < len(text):
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            break
        waiting = [value]
        while waiting:
            one = waiting.pop()
            if isinstance(one, str):
                found.append(one)
            elif isinstance(one, dict):
                waiting.extend(one.values())
            elif isinstance(one, list):
                waiting.extend(one)
        while text[at : at + 1] in (" ", "\t", "\r", "\n", ","):
            at += 1
    return found


# reading a log


def by_line(data: bytes, kinds: frozenset[str] | None = ALL) -> tuple[list[EventRecord], Counts]:
    """Read a log line by line."""
    sink = Events(kinds)
    stream = Stream(sink, Clock(latest=LATEST))
    lines = text_of(data).split("\n")
    if not lines[-1]:
        lines.pop()
    for line in lines:
        stream.line(line)
    stream.end()
    assert stream.counts.lines == len(lines)
    return sink.found, stream.counts


def by_block(data: bytes, cuts: tuple[int, ...] = (), kinds: frozenset[str] | None = ALL, *words: str) -> tuple[list[EventRecord], Counts]:
    """Read a log in blocks of whole lines, cut after the line feed that follows each place in `cuts`; with words, lines without them are sifted out."""
    sink = Events(kinds)
    stream = BlockStream(sink, Clock(latest=LATEST))
    ends = sorted({end for end in (data.find(b"\n", cut) + 1 for cut in cuts) if end})
    for start, end in zip([0, *ends], [*ends, len(data)]):
        if start < end:
            if words:
                stream.sift(data[start:end], *words)
            else:
                stream.feed(data[start:end])
    stream.end()
    return sink.found, stream.counts


def check_counts(counts: Counts) -> None:
    """Raise unless every line is an event, ignored or unreadable."""
    assert counts.lines == counts.events + counts.ignored + counts.unreadable, str(counts)
    assert min(counts.events, counts.ignored, counts.unreadable) >= 0, str(counts)


def check_log(data: bytes) -> list[EventRecord]:
    """Raise unless reading a log line by line and in blocks gives the same, with every line counted; return its events."""
    found, counts = by_line(data)
    check_counts(counts)
    for cuts in ((), (len(data) // 2,), (len(data) // 3, 2 * len(data) // 3)):
        blocks, block_counts = by_block(data, cuts)
        assert blocks == found, _difference(found, blocks)
        assert block_counts == counts, f"by line {counts}, in blocks {block_counts}"
    about_tls, tls_counts = by_line(data, None)
    sifted, sifted_counts = by_block(data, (len(data) // 2,), None, "TLS", "ESADaneStatus")
    assert sifted == about_tls, _difference(about_tls, sifted)
    assert sifted_counts == tls_counts, f"by line {tls_counts}, sifted {sifted_counts}"
    return found


def _difference(one: list[EventRecord], other: list[EventRecord]) -> str:
    missing = [event for event in one if event not in other]
    added = [event for event in other if event not in one]
    return f"missing {missing}, added {added}" if missing or added else "another order, or repeated"


# targets


def target_envelope(data: bytes) -> None:
    """Check the envelope of a line: its parts are parts of the line, and within bounds."""
    line = text_of(data).replace("\n", " ")
    env = envelope.parse(line)
    assert 0 <= env.end <= min(len(line), envelope.LONGEST)
    for part in (env.stamp, env.host, env.log, env.level):
        assert part is None or part in line[: env.end]
    if env.stamp:
        time = Clock(latest=LATEST).read(env.stamp)
        if time is not None:
            parse_rfc3339(rfc3339(time))
    for inner in unwrap(line):
        assert inner.lines
        source = source_of(line)
        assert all(plain(one) in source for one in inner.lines)
    explain(line)


def target_events(data: bytes) -> None:
    """Check the lines of a log, with `check_log`; each event contains only what is in the log."""
    found = check_log(data)
    if found:
        source = source_of(text_of(data))
        for event in found:
            check_event(event, source)


def target_match(data: bytes) -> None:
    """Check one message text, which is an event or none."""
    text = text_of(data)
    event = extract(text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace").replace("\0", ""))
    if event is not None:
        assert event["esa_event"] in ALL
        check_event(event, plain(text))


def target_cef(data: bytes) -> None:
    """Check one consolidated event, or a connector's record."""
    text = text_of(data).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    event = cef.parse(text)
    source = plain(text)
    if event is not None:
        check_event(event, source)
    line = arcsight.text_line(text)
    if line is not None:
        assert plain(line.text) in source
        if line.time is not None:
            parse_rfc3339(line.time)


def target_tracking(data: bytes) -> None:
    """Check a tracking document: JSON or pasted text."""
    text = data.decode("utf-8", "backslashreplace")
    tracking.recognise(text)
    found = list(tracking.events(text))
    if found:
        source = source_of(text)
        for event in found:
            assert event["witness"] == "tracking"
            # the reader itself numbers recipients
            check_event({name: value for name, value in event.items() if name != "rid"}, source)
    tracking.describe(text)


def target_records(data: bytes) -> None:
    """Check the records of a log: verdicts and fields are known, and the same in any order of dealing out and merging events."""
    found, _ = by_line(data)
    whole, one, other = Facts(), Facts(), Facts()
    for number, event in enumerate(found):
        whole.add(event)
        (one if number % 2 else other).add(event)
        other.add(event)
    one.merge(other)
    records = _records(whole)
    assert _records(one) == records
    sent = Facts()
    sent.loads(whole.dumps())
    assert _records(sent) == records


def _records(facts: Facts) -> list[dict[str, Any]]:
    connections: list[dict[str, Any]] = [dict(record) for record in verdicts.connections(facts)]
    messages: list[dict[str, Any]] = [dict(record) for record in verdicts.messages(facts)]
    for record in connections:
        assert record["tls_verdict"] in {"encrypted", "cleartext", "mixed", "failed", "unused", "unknown"}
    for record in messages:
        assert record["received"] in {"encrypted", "cleartext", "unknown", "internal", "none"}
        assert record["delivered"] in {"encrypted", "cleartext", "mixed", "unknown", "none"}
    for records, fields in ((connections, CONNECTION_FIELDS), (messages, MESSAGE_FIELDS)):
        names = {*(field.name for field in fields)}
        for record in records:
            assert set(record) <= names, set(record) - names
            assert set(flat(record)) <= set(columns(fields))
            dumps(record)
    return connections + messages


TARGETS: dict[str, Target] = {name[len("target_") :]: target for name, target in list(globals().items()) if name.startswith("target_")}


def shrink(check: Callable[[bytes], object], data: bytes) -> bytes:
    """Return the shortest input found that still breaks a promise: with fewer lines, then fewer words, then fewer bytes."""
    for separator in (b"\n", b" ", None):
        parts = data.split(separator) if separator else [data[at : at + 1] for at in range(len(data))]
        size = max(1, len(parts) // 2)
        while size:
            at = 0
            while at < len(parts):
                fewer = parts[:at] + parts[at + size :]
                if _breaks(check, (separator or b"").join(fewer)):
                    parts = fewer
                else:
                    at += size
            size //= 2
        data = (separator or b"").join(parts)
    return data


def _breaks(check: Callable[[bytes], object], data: bytes) -> bool:
    try:
        check(data)
    except Exception:  # noqa: BLE001 - any failure counts
        return True
    return False
