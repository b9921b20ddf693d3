"""Converts what a `Held` knows to JSON for a checkpoint, and back.

The names of the facts' values are written with them, so that a version with other values can read the facts. Everything that is read back is checked: kinds
of facts, ids, times and texts must be possible in a log.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from esatls.extraction.fact_types import CEF, FACT_TYPES, KEY, KINDS, MAKES, MESSAGES, TEXT, TRACKING, Fact, named, store_of, values_of
from esatls.extraction.fields import INTEGERS
from esatls.follow.checkpoint import OtherVersionError
from esatls.follow.log_clock import moment
from esatls.follow.open_ids import OpenConnection, OpenMessage
from esatls.lines.clock import END_OF_TIME, FIRST_TIME
from esatls.verdicts.facts import refs
from esatls.verdicts.inheritance import Heritage
from esatls.verdicts.words import RECEIVED_VERDICTS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from esatls.follow.held import Held
    from esatls.lines.clock import Time
    from esatls.verdicts.facts import Ref
    from esatls.verdicts.inheritance import Heritages

Shapes = dict[str, list[str]]
"""By code of a fact: the names of its values, in order."""

_ID = re.compile(r"\d{1,18}", re.ASCII)
_RIDS = re.compile(r"\d[0-9, ]*", re.ASCII)

_SHAPES: Shapes = {code: [*values_of(FACT_TYPES[code])] for code in sorted(FACT_TYPES)}


def freeze(held: Held) -> dict[str, Any]:
    """Return all that a `Held` knows as values for JSON."""
    items: list[Any] = []
    for name, queue in held.queues.items():
        items += [_freeze(held, name, due, *ref) for ref, due in queue.items()]
    for host, found in held.hosts.items():
        for side, connections in enumerate(found.connections):
            items += [_freeze(held, "", 0, host, side, key) for key, item in connections.items() if not item.queue]
        items += [_freeze(held, "", 0, host, MESSAGES, key) for key, message in found.messages.items() if not message.queue]
    serials = {host: sorted(found) for host, found in held.serials.items()}
    return {"shapes": _SHAPES, "clock": held.clock.state(), "serials": serials, "late": held.late, "items": items}


def _freeze(held: Held, queue: str, due: Time, host: str, kind: int, key: str) -> list[Any]:
    if kind == MESSAGES:
        item = held.hosts[host].messages[key]
        heritages = [[None if opening is None else _list(opening), heritage._asdict()] for opening, heritage in (item.heritages or {}).items()]
        marks = [item.ended, item.quarantined, item.emitted, item.past, item.behind, None if item.heritages is None else heritages]
        return [queue, due, host, kind, key, _lists(item.facts), _lists(item.fresh), marks]
    connection = held.hosts[host].connections[kind][key]
    marks = [connection.closed, connection.limit]
    return [queue, due, host, kind, key, _lists(connection.facts), [[use[KEY], *_list(use)] for use in connection.kept], marks]


def _lists(facts: Iterable[Fact]) -> list[list[Any]]:
    return [_list(fact) for fact in facts]


def _list(fact: Fact) -> list[Any]:
    # the id is written separately
    return [*fact[:KEY], *fact[KEY + 1 :]]


def thaw(held: Held, frozen: dict[str, Any]) -> None:
    """Fill an empty `Held` with what `freeze` returned, in this version or an older one.

    Raises `ValueError`, `TypeError` or `LookupError` if that is not valid, `OtherVersionError` if it has facts that only a newer version knows.
    """
    reader = _Reader(frozen["shapes"])
    held.clock.restore(frozen["clock"])
    held.late = int(frozen["late"])
    held.serials = {str(host): set(map(str, found)) for host, found in frozen["serials"].items()}
    for queue, due, host, kind, key, facts, more, marks in frozen["items"]:
        if not (isinstance(host, str) and isinstance(key, str) and _ID.fullmatch(key)) or kind not in (0, 1, 2):
            raise ValueError("no id")
        host.encode("utf-8")
        if queue and queue not in held.queues:
            raise ValueError("no queue")
        item = reader.message(key, facts, more, marks) if kind == MESSAGES else reader.connection((kind, key), facts, more, marks)
        held.put_back(host, kind, key, item, queue, moment(due))
    for host, found in held.hosts.items():
        for key, message in found.messages.items():
            if message.behind is None:
                held.need(host, key, message)
    # if anything is wrong, fail now and not hours later
    for host, found in held.hosts.items():
        for key in found.messages:
            held.records(host, key)


class _Reader:
    """Reads messages and connections whose facts have the values named in `shapes`."""

    def __init__(self, shapes: Shapes) -> None:
        self.shapes = shapes
        for code, names in shapes.items():
            if code not in FACT_TYPES or not set(names) <= {*_SHAPES[code]}:
                raise OtherVersionError

    def message(self, key: str, facts: list[Any], fresh: list[Any], marks: list[Any]) -> OpenMessage:
        """Read a message."""
        item = OpenMessage()
        item.facts = dict.fromkeys(self.fact(key, fact, about_message=True) for fact in facts)
        item.fresh = [self.fact(key, fact, about_message=True) for fact in fresh]
        ended, quarantined, emitted, past, behind, heritages = marks
        item.ended = None if ended is None else moment(ended)
        item.quarantined = bool(quarantined)
        if emitted not in ("", "finished", "unfinished"):
            raise ValueError("no state")
        item.emitted = emitted
        item.past = None if past is None else (_time(past[0]), _time(past[1]))
        item.behind = None if behind is None else moment(behind)
        item.heritages = None if heritages is None else self.heritages(key, heritages)
        return item

    def heritages(self, key: str, saved: list[Any]) -> Heritages:
        """Read what messages with one id pass on to their children."""
        found: Heritages = {}
        for opening, values in saved:
            heritage = Heritage(**{**values, "recipients": {int(rid): address for rid, address in values["recipients"].items()}})
            texts = [heritage.sender, *heritage.recipients.values(), heritage.message_id, heritage.subject]
            if heritage.verdict not in RECEIVED_VERDICTS or not all(text is None or isinstance(text, str) for text in texts):
                raise ValueError("no heritage")
            if not all(isinstance(value, (str, int, list)) for value in heritage.received.values()):
                raise ValueError("no way to be received")
            fact = None if opening is None else self.fact(key, opening, about_message=True)
            found[None if fact is None else named(fact)] = heritage
        return found

    def connection(self, ref: Ref, facts: list[Any], kept: list[Any], marks: list[Any]) -> OpenConnection:
        """Read a connection."""
        item = OpenConnection()
        for fact in facts:
            item.add(self.fact(ref[1], fact, about_message=False))
        for mid, *fact in kept:
            use = self.fact(mid, fact, about_message=True)
            if ref not in refs(use):
                raise ValueError("no use of this connection")
            item.keep(use)
        item.closed, item.limit = bool(marks[0]), int(marks[1])
        return item

    def fact(self, key: str, saved: list[Any], *, about_message: bool) -> Fact:
        """Read a fact."""
        code, time, *values = saved
        names = self.shapes[code]
        if _about_message(code) != about_message or not _ID.fullmatch(key):
            raise ValueError("not its kind of fact")
        witness = [values.pop()] if len(values) == max(1, len(names)) + 1 and values[-1] in (TEXT, CEF, TRACKING) else []
        if len(values) != max(1, len(names)):
            raise ValueError("not the values of such a fact")
        for name, value in zip(names, values):
            if value is None:
                continue
            if not isinstance(value, str):
                raise TypeError("no text")
            value.encode("utf-8")  # ValueError for text that no log contains
            if (name in INTEGERS and code != "cef" and not _ID.fullmatch(value)) or (name == "rid" and not _RIDS.fullmatch(value)):
                raise ValueError("no number")
        known = dict(zip(names, values))
        return (code, None if time is None else _time(time), key, *([known.get(name) for name in _SHAPES[code]] or [None]), *witness)


def _about_message(code: str) -> bool:
    return code in MAKES or code == "cef" or (code in KINDS and store_of(code, None)[0] == MESSAGES)


def _time(value: Any) -> Time:
    time = moment(value)
    if not FIRST_TIME <= time < END_OF_TIME:
        raise ValueError("no time")
    return time
