"""Facts -> the messages looked for, with their ancestors (the messages that they were made from) and their descendants."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from esatls.extraction.fact_types import DELIVERY, MESSAGES, RECEIVING
from esatls.lines.clock import parse_rfc3339
from esatls.verdicts.appliance import came_over, in_order
from esatls.verdicts.records import appliances_of, message_record

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Callable

    from esatls.lines.clock import Time
    from esatls.verdicts.appliance import Appliance
    from esatls.verdicts.connection import Connection
    from esatls.verdicts.facts import Facts
    from esatls.verdicts.message import Message
    from esatls.verdicts.record_types import DeliveryRecord, MessageRecord

MATCH, PARENT, CHILD = "match", "parent", "child"
"""Why a message is in a story: it was looked for, or is an ancestor or a descendant of that message."""


class Passage(NamedTuple):
    """A connection of a message: the one over which it came (`attempt` is None), or that of an attempt to deliver it."""

    side: int
    key: str
    time: Time | None
    connection: Connection | None
    attempt: DeliveryRecord | None = None


@dataclass
class Member:
    """One message of a story."""

    appliance: Appliance
    message: Message
    record: MessageRecord
    role: str = MATCH
    passages: list[Passage] = field(default_factory=list)
    """Receiving first, then each attempt to deliver."""


def find(facts: Facts, wanted: Callable[[MessageRecord], bool], mid: int | None = None) -> Iterator[Member]:
    """Yield the messages whose record is wanted, by appliance, MID and life. With `mid`, only messages with this MID are looked at."""
    for appliance in appliances_of(facts):
        known = appliance.stores[MESSAGES]
        for key in in_order(known if mid is None else known.keys() & {str(mid)}):
            for message in appliance.lives_of(key):
                if not message.is_bare and wanted(message_record(appliance, message)):
                    yield _member(appliance, message, MATCH)


def families(matches: Sequence[Member]) -> list[list[Member]]:
    """Return a story per match: its ancestors, the match, its descendants. A match that is already in another story gets none."""
    found: list[list[Member]] = []
    matched = {id(member.message) for member in matches}
    children: dict[int, dict[int, list[Message]]] = {}
    told: set[int] = set()
    for match in matches:
        if id(match.message) in told:
            continue
        appliance = match.appliance
        if id(appliance) not in children:
            children[id(appliance)] = _children(appliance)
        story = [*_ancestors(match), match]
        seen = {id(member.message) for member in story}
        _descend(story, match, children[id(appliance)], seen)
        for member in story:
            if id(member.message) in matched:
                member.role = MATCH
        told |= seen
        found.append(story)
    return found


def _member(appliance: Appliance, message: Message, role: str) -> Member:
    record = message_record(appliance, message)
    member = Member(appliance, message, record, role)
    icid, time = came_over(message)
    if icid is not None:
        member.passages.append(Passage(RECEIVING, icid, time, appliance.connection(RECEIVING, icid, time)))
    for attempt in record["deliveries"]:
        time = parse_rfc3339(attempt["time"]) if "time" in attempt else None
        key = str(attempt.get("dcid", ""))
        member.passages.append(Passage(DELIVERY, key, time, appliance.connection(DELIVERY, key, time) if key else None, attempt))
    return member


def parent_of(appliance: Appliance, message: Message) -> Message | None:
    """Return the message from which a message was made, even if the new one (a bounce, a notification) carries none of its content."""
    origin = message.origin
    if origin is None or origin.parent_mid is None:
        return None
    parent = appliance.parent(message) or appliance.message(origin.parent_mid, origin.time)
    return None if parent is None or parent is message or parent.made_after(origin.time) else parent


def _ancestors(match: Member) -> list[Member]:
    found: list[Member] = []
    seen = {id(match.message)}
    message = parent_of(match.appliance, match.message)
    while message is not None and id(message) not in seen:
        seen.add(id(message))
        found.insert(0, _member(match.appliance, message, PARENT))
        message = parent_of(match.appliance, message)
    return found


def _children(appliance: Appliance) -> dict[int, list[Message]]:
    """Return the messages that were made from others, by the `id()` of the parent."""
    found: dict[int, list[Message]] = {}
    for mid in in_order(appliance.stores[MESSAGES]):
        for message in appliance.lives_of(mid):
            parent = None if message.origin is None else parent_of(appliance, message)
            if parent is not None:
                found.setdefault(id(parent), []).append(message)
    return found


def _descend(story: list[Member], member: Member, children: dict[int, list[Message]], seen: set[int]) -> None:
    """Add the descendants of a message, each followed by its own descendants."""
    waiting = [*reversed(children.get(id(member.message), ()))]
    while waiting:
        message = waiting.pop()
        if id(message) not in seen:
            seen.add(id(message))
            story.append(_member(member.appliance, message, CHILD))
            waiting += reversed(children.get(id(message), ()))
