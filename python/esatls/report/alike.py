"""Brief records as the compiled core gives them, in lines -> what is counted alike at once: most records are like another one of the same hour.

Such a line (`verdicts.shapes`) has in this order: of a connection, what is counted, its times, its id; of a message, appliance and mail flow, how it
was received, its deliveries, each with its time at the end, and then its own times, its id and its people.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from esatls.output.json_lines import loads
from esatls.report.count import Alike, connection_is_noted, delivery_is_noted, receiving_is_noted
from esatls.report.ledger import MOST_EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_HELD = 100_000
"""Lines that are held at once."""
_OPENED, _CLOSED = b'"opened":"', b'","closed":"'
_RECEIVED, _DELIVERED = b'"received":"', b',"delivered":"'
_TIME, _END = b',"time":"', b'"}],'
_FIRST, _LAST = b'"first_seen":"', b'","last_seen":"'
_STAMP, _HOUR = 20, 13
"""Characters of a stamp, and those that tell its hour."""
_BOTH = 2 * _STAMP + len(_LAST)


def connections(blocks: Iterable[list[Any]]) -> Iterator[Any]:
    """Yield connections from the core's blocks, each of lines and of records."""
    for lines in _some(blocks):
        found: defaultdict[bytes, list[bytes]] = defaultdict(list)
        for line in lines:
            if type(line) is not bytes:
                yield line
                continue
            at = line.find(_OPENED)
            # a time that is not there is in no hour
            found[line[: at + len(_OPENED) + _HOUR] if at >= 0 else line].append(line)
        for some in found.values():
            yield from _connections(some)


def _connections(lines: list[bytes]) -> Iterator[Any]:
    record = loads(lines[0])
    if len(lines) == 1 or "opened" not in record:
        yield from map(loads, lines)
        return
    start = lines[0].index(_OPENED) + len(_OPENED)
    end = start + _STAMP
    if connection_is_noted(record):
        told = [(line[start:end], line) for line in lines]
        yield from map(loads, _latest(told))
        lines = [line for _, line in told]
    if lines:
        last, first = max(lines), min(lines)[start:end].decode()
        closed = {line[end + len(_CLOSED) :][:_STAMP].decode() for line in lines if line.startswith(_CLOSED, end)}
        yield Alike(loads(last), len(lines), first, (first, last[start:end].decode(), *closed))


def messages(blocks: Iterable[list[Any]]) -> Iterator[Any]:
    """Yield messages, likewise, and of most apart when they were seen, how they were received, and how they were delivered."""
    for lines in _some(blocks):
        # lines are kept in whole: what is cut out of each takes more time, and more memory, than all else
        seen: defaultdict[tuple[bytes, bytes, bytes], list[bytes]] = defaultdict(list)
        received: defaultdict[tuple[bytes, bytes], list[bytes]] = defaultdict(list)
        delivered: defaultdict[tuple[bytes, bytes], list[bytes]] = defaultdict(list)
        for line in lines:
            if type(line) is not bytes:
                yield line
                continue
            to = line.find(_DELIVERED)
            at = line.find(_FIRST, to)
            head, first, time = line[:to], at + len(_FIRST), at - len(_END) - _STAMP
            seen[head, line[to : line.find(b'"', to + len(_DELIVERED))], line[first : first + _HOUR]].append(line[first : first + _BOTH])
            received[head, line[line.rfind(b"@") :]].append(line)
            delivered[line[: line.find(_RECEIVED)], line[to : time if line.startswith(_TIME, time - len(_TIME)) else at]].append(line)
        for (head, word, _), times in seen.items():
            first_seen, last_seen = min(times), max([both[-_STAMP:] for both in times])
            record = loads(head + word + b'",' + _FIRST + first_seen + b'"}')
            yield Alike(record, len(times), None, (first_seen[:_STAMP].decode(), last_seen.decode()), "seen")
        for (head, _), some in received.items():
            yield from _received(head, some)
        for (shared, deliveries), some in delivered.items():
            yield from _delivered(shared, some, has_time=deliveries.endswith(_TIME))


def _received(head: bytes, lines: list[bytes]) -> Iterator[Alike]:
    """Yield how messages were received that are alike in that, and in their senders' domain."""

    def half(line: bytes) -> Any:
        return loads(head + b"," + line[line.index(_FIRST) :])

    is_noted = receiving_is_noted(half(lines[0]))
    if is_noted is None:
        yield from (Alike(half(line), 1, None, (), "received") for line in lines)
        return
    yield from _halves([(_stamp(line, line.index(_FIRST) + len(_FIRST)), line) for line in lines], half, "received", is_noted=is_noted)


def _delivered(shared: bytes, lines: list[bytes], *, has_time: bool) -> Iterator[Alike]:
    """Yield how messages were delivered that are alike in that."""

    def half(line: bytes) -> Any:
        return loads(shared + line[line.index(_DELIVERED) + 1 :])

    record = half(lines[0])
    is_noted = delivery_is_noted(record)
    if not record["deliveries"]:
        yield Alike(record, len(lines), None, (), "delivered")
    elif is_noted is None or not has_time:
        yield from (Alike(half(line), 1, None, (), "delivered") for line in lines)
    else:
        yield from _halves([(_stamp(line, line.index(_FIRST) - len(_END) - _STAMP), line) for line in lines], half, "delivered", is_noted=is_noted)


def _stamp(line: bytes, at: int) -> bytes:
    return line[at : at + _STAMP]


def _halves(told: list[tuple[bytes, bytes]], half: Callable[[bytes], Any], what: str, *, is_noted: bool) -> Iterator[Alike]:
    """Yield the halves of lines, each given behind the time by which the latest are told as examples."""
    if is_noted:
        yield from (Alike(half(line), 1, None, (), what) for line in _latest(told))
    if told:
        yield Alike(half(max(told)[1]), len(told), min(told)[0].decode(), (), what)


def _latest(told: list[tuple[bytes, bytes]]) -> list[bytes]:
    """Take out the lines that may be told as examples, each given behind its time."""
    told.sort()
    floor = told[-MOST_EXAMPLES:][0][0]
    latest = [line for time, line in told if time >= floor]
    del told[len(told) - len(latest) :]
    return latest


def _some(blocks: Iterable[list[Any]]) -> Iterator[list[Any]]:
    """Yield lines, and records in whole, some at a time."""
    found: list[Any] = []
    for block in blocks:
        for part in block:
            found += part.splitlines() if isinstance(part, bytes) else part
        if len(found) > _HELD:
            yield found
            found = []
    yield found
