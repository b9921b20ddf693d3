"""Records -> counts."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Union, cast

from esatls.report.count_connections import Connections, brief
from esatls.report.count_messages import Messages
from esatls.report.counts import Alike, Part, ReportCounts, Span
from esatls.report.ledger import Ledger
from esatls.report.notes import DIRECTIONS, FLOWS
from esatls.verdicts.records import Brief

if TYPE_CHECKING:
    from collections.abc import Iterable

    from esatls.verdicts.record_types import ConnectionRecord, MessageRecord

Counted = Union["ConnectionRecord", "MessageRecord", Brief, Alike]


def count_records(records: Iterable[Counted], own_domains: Iterable[str]) -> ReportCounts:
    """Count records of connections and of messages, in any order."""
    ledger = Ledger(own_domains)
    counts = ReportCounts(Span(), {(direction, flow): Part() for direction in DIRECTIONS for flow in FLOWS}, Counter(), Counter(), ledger)
    of_connections, of_messages = Connections(counts), Messages(counts)
    for one in records:
        if isinstance(one, Brief):
            of_connections.add(one)
        elif isinstance(one, Alike):
            if "esa_direction" in one.record:
                of_connections.add(brief(one.record), one)
            else:
                of_messages.add(one.record, one)
        elif "esa_direction" in one:
            of_connections.add(brief(one))
        else:
            of_messages.add(cast("MessageRecord", one))
    of_connections.end()
    of_messages.end()
    return counts
