"""The time of a connection: a row in Splunk has only one, `_time`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import esatls_lib  # noqa: F401 - must come first: it adds lib/ to the path
from esatls.extraction.fact_types import DELIVERY, MESSAGES, RECEIVING, TIME
from esatls.lines.clock import rfc3339
from esatls.verdicts.facts import Facts, refs
from esatls_cells import epoch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from esatls.lines.clock import Time
    from esatls.verdicts.record_types import ConnectionRecord

SIDES = {RECEIVING: "receiving", DELIVERY: "delivery"}


def timed(records: Iterable[ConnectionRecord], facts: Facts) -> Iterator[tuple[str, ConnectionRecord]]:
    """Yield connections with Splunk's `_time`; "" if there is none."""
    for stamp, record in stamped(records, facts):
        yield epoch(stamp) if stamp else "", record


def stamped(records: Iterable[ConnectionRecord], facts: Facts) -> Iterator[tuple[str, ConnectionRecord]]:
    """Yield connections with the time when they opened, else closed, else when a line first names them; "" if there is none."""
    seen = None
    for record in records:
        stamp = record.get("opened") or record.get("closed") or ""
        if not stamp:
            seen = first_times(facts.settled()) if seen is None else seen
            side = record["esa_direction"]
            seconds = seen.get((record.get("esa_host", ""), side, record["icid" if side == "receiving" else "dcid"]))
            stamp = "" if seconds is None else rfc3339(seconds)
        yield stamp, record


def first_times(facts: Facts) -> dict[tuple[str, str, int], Time]:
    """Return when each connection is first named: (appliance, side, id) -> seconds. This is needed if its opening and closing lines are missing."""
    found: dict[tuple[str, str, int], Time] = {}

    def note(host: str, side: str, key: str | None, time: Time | None) -> None:
        if key is not None and time is not None:
            place = (host, side, int(key))
            found[place] = min(found.get(place, time), time)

    for host, stores in facts.hosts.items():
        for number, side in SIDES.items():
            for key, known in stores[number].items():
                for fact in known:
                    note(host, side, key, fact[TIME])
        for known in stores[MESSAGES].values():
            for fact in known:
                for store, key in refs(fact):
                    if store != MESSAGES:
                        note(host, SIDES[store], key, fact[TIME])
    return found
