"""The search command `esatlssummary`."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import esatls_lib  # noqa: F401 - must come first: it adds lib/ to the path
import esatls_windows
from esatls.lines.clock import rfc3339
from esatls.verdicts.windows import Window
from esatls_cells import seconds_of
from esatls_verdicts import VerdictCommand
from splunklib.searchcommands import Configuration, Option, dispatch, validators

if TYPE_CHECKING:
    from collections.abc import Iterator


@Configuration()
class EsatlsSummaryCommand(VerdictCommand):
    """Rows for the summary index: records of the messages and connections that are over, and facts about those that are not.

    ##Syntax
    esatlssummary (field=<field>)? (limit=<int>)? (silence=<int>)? (window=<hour|day|past|open>)?

    ##Description
    With window=hour, reads log lines of whole hours in UTC and judges each hour by its own lines. With window=day, reads what the hours of a day left
    open from the summary index, and judges it again; days that are up to date give no rows. With window=past, does the same with what each day and the
    past before it left open, and closes what the log has not mentioned for some days. The rows are for `collect`; esatlsmessages and esatlsconnections
    read them with summary=true. With window=open, judges what is still open as it stands, so that it can be counted together with the records. A run
    replaces all older ones of the same window, so it can be repeated at any time.

    ##Example
    ``index=email sourcetype=cisco:esa:textmail | fields _time, host, _raw | esatlssummary | collect index=esatls_summary``
    """

    columns = ("_time", "_raw")

    window = Option(
        doc="""
        **Syntax:** window=<hour|day|past|open>
        **Description:** What to judge: the log lines of hours (hour), what the hours of a day left open (day), what the days left open (past),
        or what is open now, as it stands (open). Default: hour""",
        default=esatls_windows.HOURS,
        validate=validators.Set(esatls_windows.HOURS, esatls_windows.DAYS, esatls_windows.PAST, esatls_windows.OPEN),
    )
    silence = Option(
        doc="""
        **Syntax:** silence=<int>
        **Description:** With window=past: number of days without a log line after which a message or connection is considered over. Default: 6""",
        default=6,
        validate=validators.Integer(1),
    )

    # The SDK requires both in the command's own class, but `chunk` reads the rows of both phases.
    @Configuration()
    def map(self, records: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Not called."""
        raise NotImplementedError

    def reduce(self, records: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Not called."""
        raise NotImplementedError

    def prepare(self) -> None:
        """Refuse a time range for hours that does not consist of whole hours, or is not over."""
        super().prepare()
        self.reads_summary = self.window != esatls_windows.HOURS
        self.number = int(time.time() * 1000)
        """The number of this run; later runs have higher ones."""
        if self.phase == "map":
            return
        search = self.metadata.searchinfo
        begin, end = (seconds_of(str(cell)) for cell in (search.earliest_time, search.latest_time))
        if self.reads_summary:
            begin, end = begin or 0, end or self.number / 1000
        elif not begin or not end or begin % esatls_windows.HOUR or end % esatls_windows.HOUR or end <= begin or end > self.number / 1000:
            told = " to ".join("any time" if not at else rfc3339(at) for at in (begin, end))
            self.write_error(f"The time range must consist of whole hours in UTC that are over; it is {told}")
            sys.exit(1)
        self.range = Window(begin, end)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the rows; end with an error if any lines or rows were left out, because records must be complete."""
        if self.left_out:
            self.write_error(self.too_much())
            sys.exit(1)
        if self.window == esatls_windows.OPEN:
            found = self.index.open(min(self.range.end, self.number / 1000), self.number)
        elif self.window == esatls_windows.PAST:
            found = self.index.past(self.silence * esatls_windows.DAY, self.number)
        elif self.window == esatls_windows.DAYS:
            found = self.index.days(self.range, self.number)
        else:
            found = esatls_windows.hours(self.facts, self.range, self.number)
        for row in found:
            yield {"_time": row.time, "_raw": row.text}


if __name__ == "__main__":
    dispatch(EsatlsSummaryCommand, sys.argv, sys.stdin, sys.stdout, __name__)
