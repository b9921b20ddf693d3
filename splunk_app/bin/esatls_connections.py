"""The search command `esatlsconnections`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import esatls_lib  # noqa: F401 - must come first: it adds lib/ to the path
from esatls.extraction.fields import CONNECTION_FIELDS
from esatls_verdicts import SummaryReader
from splunklib.searchcommands import Configuration, dispatch

if TYPE_CHECKING:
    from collections.abc import Iterator


NAMES = tuple(field.name for field in CONNECTION_FIELDS)


@Configuration()
class EsatlsConnectionsCommand(SummaryReader):
    """One row per SMTP connection of a Cisco ESA with its TLS verdict.

    ##Syntax
    esatlsconnections (field=<field>)? (limit=<int>)? (summary=<bool>)?

    ##Description
    Joins the log lines of each injection connection (ICID) and delivery connection (DCID) of each appliance and gives the verdict: encrypted,
    mixed, cleartext, failed, unused, or unknown if the log does not show it. The order of the events does not matter.

    ##Example
    ``index=email sourcetype=cisco:esa:textmail | fields _time, host, _raw | esatlsconnections | stats count BY esa_direction, tls_verdict``
    """

    columns = ("_time", "host", *NAMES)

    # The SDK requires both in the command's own class, but `chunk` reads the rows of both phases.
    @Configuration()
    def map(self, records: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Not called."""
        raise NotImplementedError

    def reduce(self, records: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Not called."""
        raise NotImplementedError

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield a row per connection."""
        from esatls.verdicts.records import connections
        from esatls_times import timed
        from esatls_windows import CONNECTION

        facts = self.facts.settled()
        records = self.index.read(CONNECTION) if self.reads_summary else timed(connections(facts, self.contradictions), facts)
        for seconds, record in records:
            yield {"_time": seconds, **record} if seconds else {**record}


if __name__ == "__main__":
    dispatch(EsatlsConnectionsCommand, sys.argv, sys.stdin, sys.stdout, __name__)
