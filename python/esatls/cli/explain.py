"""Why a line is an event, or is not."""

from __future__ import annotations

from typing import Any

from esatls.extraction import tracking
from esatls.extraction.match import MATCHERS_BY_START, event_of, match
from esatls.extraction.patterns import PATTERNS
from esatls.extraction.stream import Head
from esatls.lines import envelope, records
from esatls.lines.clock import Clock


def explain(line: str, clock: Clock | None = None) -> dict[str, Any]:
    """Return what is known about one line: its header, the matching pattern and expression and the event, or why it is not an event."""
    told: dict[str, Any] = {}
    whole = line
    inner = records.unwrap(line)
    if inner:
        told["inside"] = "a record that holds the line in a field"
        line = inner[0].lines[0]
    env = envelope.parse(line)
    head = Head((clock or Clock()).read(env.stamp) if env.stamp else None, env.host, env.log, env.level)
    told["envelope"] = head.base or "none: the line is read as bare text"
    text = line[env.end :].rstrip()
    told["text"] = text
    found = match(text)
    if found is None:
        sentences = list(tracking.events(whole))
        if sentences or tracking.recognise(whole):
            return _of_tracking(sentences)
        told["event"] = "none"
        told["why"] = _why(text)
        return told
    spec, matched = found
    told["pattern"] = spec.name
    told["expression"] = PATTERNS[spec.name]
    told["event"] = event_of(spec, matched, head.base)
    return told


def _of_tracking(sentences: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what is known about message tracking: the event of each entry that is one."""
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
    if MATCHERS_BY_START[text[:4]] is None:
        return f"no pattern begins with {text.split(' ', 1)[0]!r}: a line of another kind, or text from outside"
    names = [spec.name for spec in MATCHERS_BY_START[text[:4]].specs.values()]  # type: ignore[union-attr]
    return f"it begins like {', '.join(names)}, but does not match any of them completely"
