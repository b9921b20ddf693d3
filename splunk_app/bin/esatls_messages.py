"""The search command `esatlsmessages`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import esatls_lib  # noqa: F401 - must come first: it adds lib/ to the path
from esatls.extraction.fields import MESSAGE_FIELDS
from esatls.verdicts.flat import cell, columns, flat
from esatls_cells import epoch
from esatls_verdicts import SummaryReader
from splunklib.searchcommands import Configuration, dispatch

if TYPE_CHECKING:
    from collections.abc import Iterator

IN_JSON = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


@Configuration()
class EsatlsMessagesCommand(SummaryReader):
    """One row per message of a Cisco ESA: whether it was received over TLS, and whether it was delivered over TLS.

    ##Syntax
    esatlsmessages (field=<field>)? (limit=<int>)? (summary=<bool>)?

    ##Description
    Joins ICID, MID and DCID of each appliance, follows messages that are rewritten, split, copied or released, and says for each message whether
    it was received (encrypted, cleartext, internal, none, unknown) and delivered (encrypted, mixed, cleartext, none, unknown) over TLS. The aligned
    multivalue fields delivery_* have a value for each delivery attempt; the multivalue field deliveries has each attempt as a JSON object. The
    multivalue field mail has a word for each partner: side, verdict and domain.

    ##Example
    ``index=email sourcetype=cisco:esa:textmail | fields _time, host, _raw | esatlsmessages | where delivered IN ("cleartext", "mixed")``
    """

    columns = ("_time", "host", *columns(MESSAGE_FIELDS), "deliveries", "mail")

    # The SDK requires both in the command's own class, but `chunk` reads the rows of both phases.
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
        from esatls_windows import MESSAGE, mail_of

        for record in (one for _, one in self.index.read(MESSAGE)) if self.reads_summary else messages(self.facts, self.contradictions):
            attempts = record["deliveries"]
            if len(attempts) == 1:
                # most messages have one attempt: a faster way for these
                row = {**record, **{f"delivery_{name}": cell(value, " ") for name, value in attempts[0].items()}}
            else:
                # Splunk would take a list of empty words for a value
                row = {name: value for name, value in flat(record).items() if not isinstance(value, list) or any(map(str, value))}
            if "first_seen" in record:
                row["_time"] = epoch(record["first_seen"])
            row["deliveries"] = list(map(IN_JSON, attempts))
            mail = mail_of(record)
            if mail:
                row["mail"] = mail
            yield row


if __name__ == "__main__":
    dispatch(EsatlsMessagesCommand, sys.argv, sys.stdin, sys.stdout, __name__)
