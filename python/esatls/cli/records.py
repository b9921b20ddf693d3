"""The facts of all inputs, and the records made of them that touch the requested time range."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, TypeVar

from esatls import parallel
from esatls.extraction.fact_types import DELIVERY, MESSAGES, RECEIVING
from esatls.lines.clock import rfc3339
from esatls.verdicts.facts import Facts
from esatls.verdicts.hosts import appliances

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from esatls.cli.inputs import Input
    from esatls.extraction.stream import Counts
    from esatls.lines.clock import Time
    from esatls.parallel import Judging
    from esatls.parallel.on_disk import Parts
    from esatls.parallel.partition import Portion
    from esatls.verdicts.appliance import Appliance
    from esatls.verdicts.connection import Connection
    from esatls.verdicts.facts import Ref
    from esatls.verdicts.record_types import ConnectionRecord, MessageRecord
    from esatls.verdicts.records import Brief, Whole

_Record = TypeVar("_Record")


def facts_of(source: Input) -> tuple[Facts, Counts]:
    """Return the facts from all inputs, and the line counts."""
    facts, counts = parallel.gather(source.found, source.options, source.warn, source.progress())
    source.read()
    source.tell_names(appliances(facts.hosts).values())
    return facts, counts


def appliances_of(source: Input) -> tuple[Judging, Counts]:
    """Return the appliances of all inputs, which can be judged once, and the line counts."""
    judging, names, counts = parallel.whole(source.found, source.options, source.warn, source.progress())
    source.read()
    source.tell_names(names)
    return by_whom(judging), counts


def by_whom(judging: Judging) -> Judging:
    """Return what is to be judged, in a form that Python judges if the core cannot."""
    if isinstance(judging, Facts):
        from esatls import native
        from esatls.verdicts.records import Whole

        return judging if native.is_judging(judging) else Whole(judging)
    return judging


def connections_of(appliances: Judging, source: Input) -> Iterator[ConnectionRecord]:
    """Yield the connections that touch the requested time range."""
    from esatls.verdicts import records

    if isinstance(appliances, Facts):
        from esatls import native

        return native.connection_records(appliances, source.contradictions, source.since, source.until, source.options.jobs)
    return _connections_of(appliances, source, records.connections_of)


def briefs_of(appliances: Portion | Whole | Parts, source: Input) -> Iterator[Brief]:
    """Yield the same connections, with only what a report counts."""
    from esatls.verdicts import records

    return _connections_of(appliances, source, records.briefs_of)


def _connections_of(
    appliances: Portion | Whole | Parts, source: Input, judge: Callable[[Appliance, Iterable[Ref] | None], Iterator[tuple[Connection, _Record]]]
) -> Iterator[_Record]:
    from esatls.verdicts.records import times_of

    since, until = source.since, source.until
    for appliance, refs in appliances.connections(source.contradictions):
        total = len(appliance.stores[RECEIVING]) + len(appliance.stores[DELIVERY])
        for connection, record in source.judged(judge(appliance, refs), total):
            if since is not None or until is not None:
                times = times_of(connection)
                if not times or (since is not None and max(times) < since) or (until is not None and min(times) >= until):
                    continue
            yield record


def messages_of(appliances: Judging, source: Input) -> Iterator[MessageRecord]:
    """Yield the messages that touch the requested time range."""
    from esatls.verdicts import records

    if isinstance(appliances, Facts):
        from esatls import native

        found = native.message_records(appliances, source.contradictions, source.options.jobs)
        yield from (record for record in found if in_time(record, source))
        return
    for appliance, mids in appliances.messages(source.contradictions):
        for _, record in source.judged(records.messages_of(appliance, only=mids), len(appliance.stores[MESSAGES])):
            if in_time(record, source):
                yield record


def in_time(record: MessageRecord, source: Input) -> bool:
    """Tell whether a message touches the requested time range."""
    if source.since is None and source.until is None:
        return True
    if "first_seen" not in record:
        return False
    since, until = _sortable(source.since), _sortable(source.until)
    begin, end = _with_fraction(record["first_seen"]), _with_fraction(record["last_seen"])
    return (since is None or end >= since) and (until is None or begin < until)


def _sortable(time: Time | None) -> str | None:
    return None if time is None else _with_fraction(rfc3339(time))


def _with_fraction(stamp: str) -> str:
    """Return RFC 3339 text in a form that sorts by time."""
    return stamp if "." in stamp else f"{stamp[:-1]}.000Z"
