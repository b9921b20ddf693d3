"""The summary index, played by a file: what `collect` writes into it, and what a search of it gives.

Last compared with: Splunk's `etc/system/default/props.conf` ([stash_new]) as documented: a row's `_raw` is written as it stands, behind a line that parts
it from the one before, and `_time` is read from its first 64 characters; never with a Splunk.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

from esatls.lines.clock import parse_rfc3339

from tests.splunk.answers import splunk_time
from tests.splunk.terms import compiled, words_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.splunk.driver import Value

PARTING = "\n==##~~##~~  1E8N3D4E6V5E7N2T9 ~~##~~##==\n"
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{3})?Z(?= )")


@functools.lru_cache(maxsize=100_000)
def _time(stamp: str) -> str:
    """Return Splunk's time of a stamp; each is read again with every search."""
    return splunk_time(parse_rfc3339(stamp))


class SummaryIndex:
    """One index."""

    def __init__(self, path: Path) -> None:
        """Begin an empty one."""
        self.path = path
        path.write_text("", encoding="utf-8")

    def collect(self, rows: Iterable[dict[str, Value]]) -> None:
        """Write the rows of a search."""
        with self.path.open("a", encoding="utf-8", newline="") as file:
            for row in rows:
                file.write(PARTING + str(row["_raw"]))

    def search(self, terms: str, earliest: float, latest: float) -> list[dict[str, Value]]:
        """Return the events of a time range that have some terms."""
        wanted = compiled(terms)
        return [one for one in self.events() if earliest <= float(str(one["_time"])) < latest and wanted(*words_of(str(one["_raw"])))]

    def events(self) -> list[dict[str, Value]]:
        """Return all events, in the order in which they were written."""
        found: list[dict[str, Value]] = []
        for raw in self.path.read_bytes().decode("utf-8").split(PARTING)[1:]:
            stamp = STAMP.match(raw[:64])
            assert stamp, raw[:100]
            found.append({"_raw": raw, "_time": _time(stamp[0]), "host": "searchhead", "source": "esatls", "sourcetype": "stash"})
        return found
