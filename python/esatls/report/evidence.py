"""What a report was made from: files, lines, problems, settings.

```
title, organisation     title of the report, and whose mail it is about
made, version           when it was made, and by which version of esatls
timezone, host          as given, if they were
since, until            the time range, if it was given
own_domains             as given
lines                   lines, events, ignored, unreadable
files                   [name, size, sha256, first, last, lines, events, ignored, unreadable]
problems                [text]: what could not be read, recognized or told apart
incomplete              [text]: why the report may be incomplete, in sentences
```
"""

from __future__ import annotations

import hashlib
import os
import threading
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, cast

from esatls import __version__
from esatls.lines.clock import rfc3339
from esatls.report.notes import word

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from esatls.extraction.stream import Counts
    from esatls.lines.sources import Source
    from esatls.report.report_types import Evidence, FileRow

TITLE = "TLS on the mail gateway"
_BLOCK = 1 << 22
"""Bytes of a file that are hashed at once; other threads can run meanwhile."""


class Digests(threading.Thread):
    """Size and hash of each file as it is on disk. `start` computes them in the background."""

    def __init__(self, found: Iterable[Source]) -> None:
        super().__init__(daemon=True)
        self.found = [*found]
        self._told: dict[str, tuple[int, str] | None] = {}

    def run(self) -> None:
        """Compute the digests of all files."""
        for source in self.found:
            self._told[source.path] = _digest(source)

    def of(self, source: Source) -> tuple[int, str] | None:
        """Return size and hash of a file; None if it cannot be read again."""
        if self.ident is not None:
            self.join()
        return self._told[source.path] if source.path in self._told else _digest(source)


def evidence(digests: Digests, counts: Counts, problems: Sequence[str], settings: Mapping[str, Any], uncovered: Sequence[str] = ()) -> Evidence:
    """Return what a report on these sources was made from.

    `settings` are title, organisation, timezone, host, since, until, own_domains. `uncovered` says what the log does not show of the time range.
    """
    told = cast("Evidence", {name: value for name, value in settings.items() if value})
    told.setdefault("title", TITLE)
    # the time that reproducible builds set
    now = os.environ.get("SOURCE_DATE_EPOCH")
    told["made"] = rfc3339(int(now) if now and now.isdigit() else int(datetime.now(timezone.utc).timestamp()))
    told["version"] = __version__
    told["lines"] = {"lines": counts.lines, "events": counts.events, "ignored": counts.ignored, "unreadable": counts.unreadable}
    told["files"] = [_file(source, digests.of(source), counts) for source in digests.found]
    told["problems"] = [*problems, *counts.not_understood.told()]
    told["incomplete"] = [*_incomplete(counts, told["problems"]), *(f"{one[:1].upper()}{one[1:]}." for one in uncovered)]
    return told


def _file(source: Source, digest: tuple[int, str] | None, counts: Counts) -> FileRow:
    told: FileRow = {"name": source.name}
    if digest is not None:
        told["size"], told["sha256"] = digest
    seen = counts.files.get(source.path)
    if seen is not None:
        if seen.first is not None:
            told["first"] = rfc3339(seen.first)
        if seen.last is not None:
            told["last"] = rfc3339(seen.last)
        told.update({"lines": seen.lines, "events": seen.events, "ignored": seen.ignored, "unreadable": seen.unreadable})
    return told


def _digest(source: Source) -> tuple[int, str] | None:
    if source.path == "-" or not os.path.isfile(source.path):
        return None
    digest, size, block = hashlib.sha256(), 0, memoryview(bytearray(_BLOCK))
    try:
        with open(source.path, "rb", buffering=0) as file:
            while length := file.readinto(block):
                digest.update(block[:length])
                size += length
    except OSError:
        return None
    return size, digest.hexdigest()


def _incomplete(counts: Counts, problems: Sequence[str]) -> list[str]:
    """Return, in sentences, why the report may be incomplete."""
    found = []
    if problems:
        found.append(f"There {'was' if len(problems) == 1 else 'were'} {len(problems):,} {word(len(problems), 'problems')} with the input.")
    if counts.unreadable:
        found.append(f"{counts.unreadable:,} {word(counts.unreadable, 'lines')} could not be read.")
    if not counts.events:
        found.append("No line was recognized.")
    return found
