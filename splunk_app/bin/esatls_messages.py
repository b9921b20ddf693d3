"""The search command `esatlsmessages`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import esatls_splunk  # first: it shows the way to lib/
from esatls.extraction.fields import MESSAGE_FIELDS
from esatls.verdicts.flat import cell, columns, flat
from esatls_verdicts import SummaryReader
from splunklib.searchcommands import Configuration, dispatch

if TYPE_CHECKING:
    from collections.abc import Iterator

IN_JSON = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


@Configuration()
class EsatlsMessagesCommand(SummaryReader):
    """One row per message of a Cisco ESA: was it received, was it delivered over TLS.

    ##Syntax
    esatlsmessages (field=<field>)? (limit=<int>)? (summary=<bool>)?

    ##Description
    Joins ICID, MID and DCID of each appliance, follows messages that are rewritten, split, copied or released, and says of each message whether
    it was received (encrypted, cleartext, internal, none, unknown) and delivered (encrypted, mixed, cleartext, none, unknown) over TLS. The delivery
    attempts stand in aligned multi-valued fields delivery_*, and each as a whole, in JSON, in the multi-valued field deliveries.

    ##Example
    ``index=email sourcetype=cisco:esa:textmail | fields _time, host, _raw | esatlsmessages | where delivered IN ("cleartext", "mixed")``
    """

    columns = ("_time", "host", *columns(MESSAGE_FIELDS), "deliveries")

    # The SDK wants both in the command's own class; `chunk` takes the rows of both phases.
    @Configuration()
    def map(self, records: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Not called."""
        raise NotImplementedError

    def reduce(self, records: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Not called."""
        raise NotImplementedError

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield a row per message."""
        from esatls.verdicts.records import messages
        from esatls_windows import MESSAGE

        for record in (one for _, one in self.index.read(MESSAGE)) if self.reads_summary else messages(self.facts, self.contradictions):
            attempts = record["deliveries"]
            if len(attempts) == 1:
                # what most messages have, in fewer steps
                row = {**record, **{f"delivery_{name}": cell(value, " ") for name, value in attempts[0].items()}}
            else:
                # a column without any value is no field: Splunk would take empty words for one
                row = {name: value for name, value in flat(record).items() if not isinstance(value, list) or any(map(str, value))}
            if "first_seen" in record:
                row["_time"] = esatls_splunk.epoch(record["first_seen"])
            row["deliveries"] = list(map(IN_JSON, attempts))
            yield row


if __name__ == "__main__":
    dispatch(EsatlsMessagesCommand, sys.argv, sys.stdin, sys.stdout, __name__)
