"""What is held, as JSON, and back: for a checkpoint.

Nothing read back is believed before it was looked at: kinds of facts, ids, times and texts must be such as the log gives.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from esatls.extraction.fact_types import CEF, CEF_FIELDS, FACT_FIELDS, MAKES, MESSAGES, TRACKING, UNVERIFIED, store_of
from esatls.follow.held import Connection, Held, Message
from esatls.follow.logclock import moment
from esatls.lines.clock import END_OF_TIME, FIRST_TIME
from esatls.verdicts.facts import refs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from esatls.extraction.fact_types import Fact
    from esatls.lines.clock import Time
    from esatls.verdicts.facts import Ref

_ID = re.compile(r"\d{1,18}", re.ASCII)
_RIDS = re.compile(r"\d[0-9, ]*", re.ASCII)
_NUMBERS = frozenset({"icid", "dcid", "mid", "parent_mid", "peer_port"})

_FIELDS: dict[str, tuple[bool, tuple[str, ...]]] = {
    **{kind: (store_of(kind, None)[0] == MESSAGES, names) for kind, names in FACT_FIELDS.items() if kind != "message_lineage"},
    **dict.fromkeys(MAKES, (True, FACT_FIELDS["message_lineage"])),
    UNVERIFIED: (False, FACT_FIELDS["tls_failed"]),
    "cef": (True, CEF_FIELDS),
    "cef_tls": (False, ("result", "version", "cipher")),
}
"""By code of a fact: whether it is about a message, and its values."""


def freeze(held: Held) -> dict[str, Any]:
    """Return all that a `Held` knows, in a form that JSON has."""
    items: list[Any] = []
    for name, queue in held.queues.items():
        items += [_freeze(held, name, due, *ref) for ref, due in queue.items()]
    for host, found in held.hosts.items():
        for side, connections in enumerate(found.connections):
            items += [_freeze(held, "", 0, host, side, key) for key, item in connections.items() if not item.queue]
        items += [_freeze(held, "", 0, host, MESSAGES, key) for key, message in found.messages.items() if not message.queue]
    return {
        "clock": held.clock.state(),
        "told": held.told,
        "late": held.late,
        "serials": {host: sorted(found) for host, found in held.serials.items()},
        "items": items,
    }


def _freeze(held: Held, queue: str, due: Time, host: str, kind: int, key: str) -> list[Any]:
    if kind == MESSAGES:
        item = held.hosts[host].messages[key]
        return [queue, due, host, kind, key, _lists(item.facts), _lists(item.fresh), [item.ended, item.quarantined, item.told, item.past]]
    connection = held.hosts[host].connections[kind][key]
    return [queue, due, host, kind, key, _lists(connection.facts), [list(use) for use in connection.kept], [connection.closed]]


def _lists(facts: Iterable[Fact]) -> list[list[Any]]:
    # the id stands beside them
    return [[fact[0], fact[1], *fact[3:]] for fact in facts]


def thaw(held: Held, frozen: dict[str, Any]) -> None:
    """Give an empty `Held` what `freeze` returned; `ValueError`, `TypeError` or `LookupError` if it is no such thing."""
    held.clock.restore(frozen["clock"])
    held.serials = {str(host): set(map(str, found)) for host, found in frozen["serials"].items()}
    held.told, held.late = int(frozen["told"]), int(frozen["late"])
    for queue, due, host, kind, key, facts, more, marks in frozen["items"]:
        if not (isinstance(host, str) and isinstance(key, str) and _ID.fullmatch(key)) or kind not in (0, 1, 2):
            raise ValueError("no id")
        host.encode("utf-8")
        if queue and queue not in held.queues:
            raise ValueError("no waiting line")
        item = _message(key, facts, more, marks) if kind == MESSAGES else _connection((kind, key), facts, more, marks)
        held.put_back(host, kind, key, item, queue, moment(due))
    for host, found in held.hosts.items():
        for key, message in found.messages.items():
            held.need(host, key, message)
    # whatever is wrong with it shows now, not hours later
    for host, found in held.hosts.items():
        for key in found.messages:
            held.records(host, key)


def _message(key: str, facts: list[Any], fresh: list[Any], marks: list[Any]) -> Message:
    item = Message()
    item.facts = dict.fromkeys(_fact(key, fact, about_message=True) for fact in facts)
    item.fresh = [_fact(key, fact, about_message=True) for fact in fresh]
    ended, quarantined, told, past = marks
    item.ended = None if ended is None else moment(ended)
    item.quarantined = bool(quarantined)
    if told not in ("", "finished", "unfinished"):
        raise ValueError("no state")
    item.told = told
    item.past = None if past is None else (_time(past[0]), _time(past[1]))
    return item


def _connection(ref: Ref, facts: list[Any], kept: list[Any], marks: list[Any]) -> Connection:
    item = Connection()
    item.facts = dict.fromkeys(_fact(ref[1], fact, about_message=False) for fact in facts)
    # a use names the message that it is of
    for fact in kept:
        use = _fact(fact[2], [*fact[:2], *fact[3:]], about_message=True)
        if ref not in refs(use):
            raise ValueError("no use of this connection")
        item.kept.append(use)
    item.closed = bool(marks[0])
    return item


def _fact(key: str, told: list[Any], *, about_message: bool) -> Fact:
    code, time, *values = told
    of_message, names = _FIELDS[code]
    if of_message != about_message or not _ID.fullmatch(key):
        raise ValueError("not its kind of fact")
    own = values[:-1] if len(values) == max(1, len(names)) + 1 and values[-1] in (CEF, TRACKING) else values
    if len(own) != max(1, len(names)):
        raise ValueError("not the values of such a fact")
    for name, value in zip(names, own):
        if value is None:
            continue
        if not isinstance(value, str):
            raise TypeError("no text")
        value.encode("utf-8")  # ValueError for what no log gives
        if (name in _NUMBERS and code != "cef" and not _ID.fullmatch(value)) or (name == "rid" and not _RIDS.fullmatch(value)):
            raise ValueError("no number")
    return (code, None if time is None else _time(time), key, *values)


def _time(value: Any) -> Time:
    time = moment(value)
    if not FIRST_TIME <= time < END_OF_TIME:
        raise ValueError("no time")
    return time
