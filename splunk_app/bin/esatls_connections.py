"""The search command `esatlsconnections`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import esatls_splunk  # first: it shows the way to lib/
from esatls.extraction.fact_types import DELIVERY, MESSAGES, RECEIVING, TIME
from esatls.extraction.fields import CONNECTION_FIELDS
from esatls.verdicts.facts import refs
from esatls.verdicts.records import connections
from esatls_verdicts import SummaryReader
from esatls_windows import CONNECTION
from splunklib.searchcommands import Configuration, dispatch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from esatls.lines.clock import Time
    from esatls.verdicts.facts import Facts

SIDES = {RECEIVING: "receiving", DELIVERY: "delivery"}
NAMES = tuple(field.name for field in CONNECTION_FIELDS)


@Configuration()
class EsatlsConnectionsCommand(SummaryReader):
    """One row per SMTP connection of a Cisco ESA with its TLS verdict.

    ##Syntax
    esatlsconnections (field=<field>)? (limit=<int>)? (summary=<bool>)?

    ##Description
    Joins the log lines of each injection connection (ICID) and delivery connection (DCID) of each appliance and gives the verdict: encrypted,
    mixed, cleartext, failed, unused, or unknown when the log does not tell. The order of the events does not matter.

    ##Example
    ``index=email sourcetype=cisco:esa:textmail | fields _time, host, _raw | esatlsconnections | stats count BY esa_direction, tls_verdict``
    """

    columns = ("_time", "host", *NAMES)

    # The SDK wants both in the command's own class; `chunk` takes the rows of both phases.
    @Configuration()
    def map(self, records: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Not called."""
        raise NotImplementedError

    def reduce(self, records: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Not called."""
        raise NotImplementedError

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield a row per connection."""
        seen, facts = None, self.facts.settled()
        records: Iterable[Any] = connections(facts, self.contradictions)
        if self.reads_summary:
            records, facts = self.index.read(CONNECTION)
        for record in records:
            stamp = record.get("opened") or record.get("closed")
            if stamp:
                yield {"_time": esatls_splunk.epoch(stamp), **record}
                continue
            seen = first_times(facts) if seen is None else seen
            side = record["esa_direction"]
            seconds = seen.get((record.get("esa_host", ""), side, record["icid" if side == "receiving" else "dcid"]))
            yield record if seconds is None else {"_time": esatls_splunk.seconds_text(seconds), **record}


def first_times(facts: Facts) -> dict[tuple[str, str, int], Time]:
    """When a connection is first spoken of, for those whose opening and closing lines are not in view: (appliance, side, id) -> seconds."""
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


if __name__ == "__main__":
    dispatch(EsatlsConnectionsCommand, sys.argv, sys.stdin, sys.stdout, __name__)
