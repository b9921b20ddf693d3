"""Why a line is an event, or is not."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any

from esatls.extraction import tracking
from esatls.extraction.event_stream import events
from esatls.extraction.heads import Heads
from esatls.extraction.match import MATCHERS_BY_START, START, event_of, match
from esatls.extraction.patterns import PATTERNS
from esatls.lines import envelope, records
from esatls.lines.clock import Clock
from esatls.lines.header import STAMP

if TYPE_CHECKING:
    from esatls.extraction.event_record import EventRecord

SHAPES = (
    "Tue Mar  3 10:00:02 2026 Info: TEXT",
    "Mar  3 10:00:02 esa1 mail_logs: Info: TEXT",
    "<22>Mar  3 10:00:02 esa1 mail_logs: Info: TEXT",
    "<22>1 2026-03-03T10:00:02Z esa1 mail_logs - - - Info: TEXT",
    "2026-03-03T10:00:02Z esa1 mail_logs: Info: TEXT",
    "mail_logs: Info: TEXT",
    "Mar  3 10:00:02 esa1 CEF:0|Cisco|TEXT",
    '{"message": "Info: TEXT"}',
)
"""Headers as the appliance and most collectors write them."""
_END = re.compile(r"\b(?:Info|Warning|Critical|Debug|Trace|INFO|WARNING|CRITICAL|DEBUG|TRACE):|\bCEF:\d")
_STAMP = re.compile(STAMP, re.ASCII)


def explain(line: str, clock: Clock | None = None) -> dict[str, Any]:
    """Return what is known about one line: its header, and the pattern that matches, its expression and the event, or why it is not an event."""
    told: dict[str, Any] = {}
    whole = line = envelope.bare(line)
    record, inner = records.Record([]), records.unwrap(line)
    # a connector's record may be within a collector's
    while inner:
        told["inside"] = "a record that holds the line in a field"
        record = inner[0]._replace(host=inner[0].host or record.host, time=inner[0].time or record.time)
        line = envelope.bare(record.lines[0])
        inner = records.unwrap(line)
    env = envelope.parse(line)
    heads = Heads(clock or Clock(), record.host, record.log, record.level)
    heads.set_record_time(record.time)
    head = heads.of(env, line)
    told["header"] = head.base or "none: the line is read as bare text"
    text = line[env.end :].rstrip()
    told["text"] = text
    found = match(text)
    if found is None:
        sentences = list(tracking.events(whole))
        if tracking.recognise(whole) or (sentences and not _lacks_level(line)):
            return _of_tracking(sentences)
        told["event"] = "none"
        told["why"] = _why(text)
        if env.rank == envelope.BARE and text:
            told["header"] = f"none: {_stopped(line)}"
            told["nearest"] = nearest(line)
        return told
    spec, matched = found
    told["pattern"] = spec.name
    told["expression"] = PATTERNS[spec.name]
    # as the other commands read it
    told["event"] = next(events([whole], clock=clock), None) or event_of(spec, matched, head.base)
    return told


def _lacks_level(line: str) -> bool:
    """Tell whether a line is a timestamp and text of a log. Without a level, that is no line of it; nor is it message tracking, which words some alike."""
    stamp = _STAMP.match(line)
    return stamp is not None and match(line[stamp.end() :].strip()) is not None


def _of_tracking(sentences: list[EventRecord]) -> dict[str, Any]:
    """Return what is known about text from message tracking: the event of each entry that is one."""
    told: dict[str, Any] = {"inside": "message tracking, read entry by entry"}
    for number, event in enumerate(sentences, 1):
        told["event" if number == 1 else f"event {number}"] = event
    if not sentences:
        told["event"] = "none"
        told["why"] = "none of its entries is an event"
    return told


def _why(text: str) -> str:
    if not text:
        return "the line has no text after its header"
    if MATCHERS_BY_START[text[:START]] is None:
        return f"no pattern begins with {text.split(' ', 1)[0]!r}: it is a line of another kind, or text from outside"
    names = [spec.name for spec in MATCHERS_BY_START[text[:START]].specs.values()]  # type: ignore[union-attr]
    return f"it begins like {', '.join(names)}, but does not match any of them completely"


def _stopped(line: str) -> str:
    """Return why no header was recognized in a line."""
    if line.lstrip()[:1] in ("{", "["):
        return "a record without a field that holds a log line, or an incomplete record"
    end = _END.search(line, 0, envelope.LONGEST)
    stamp = _STAMP.search(line, 0, envelope.LONGEST if end is None else end.start())
    if end is None:
        read = f"the timestamp {stamp[0]!r} is read, but" if stamp else "it has no timestamp in a known form, and"
        return f"{read} no level (such as Info:) and no CEF: follows"
    if stamp is None:
        return f"the text before {end[0]} has no timestamp in a known form: {line[: end.start()][:60]!r}"
    return f"before {end[0]} a message text has begun, so somebody may have written it there: {line[stamp.end() : end.start()].strip()[:60]!r}"


def nearest(line: str) -> str:
    """Return the known header that is most like the beginning of a line."""
    start = _form(line[:60])
    return max(SHAPES, key=lambda shape: difflib.SequenceMatcher(None, start, _form(shape), autojunk=False).ratio())


def _form(text: str) -> str:
    return re.sub(r"[A-Za-z]+", "a", re.sub(r"\d", "9", text))
