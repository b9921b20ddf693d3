"""The progress bars on a terminal: for bytes read, then for records judged."""

from __future__ import annotations

import atexit
from typing import TYPE_CHECKING, TypeVar

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_T = TypeVar("_T")
_EVERY = 1000
"""The bar moves each time that so many records have been judged."""


class Bar:
    """Shows how many bytes have been read; call it with that number, and end it before anything else is printed."""

    def __init__(self, total: int) -> None:
        columns = (TextColumn("Reading"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        self.bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self.task = self.bar.add_task("", total=total)
        self.bar.start()
        atexit.register(self.bar.stop)

    def __call__(self, done: int) -> None:
        """Show the bytes read so far."""
        self.bar.update(self.task, completed=done)

    def end(self) -> None:
        """Remove the bar."""
        self.bar.stop()
        atexit.unregister(self.bar.stop)


def judged(records: Iterable[_T], total: int) -> Iterator[_T]:
    """Yield records, and show how many of about `total` there have been."""
    bar = Progress(TextColumn("Judging"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=Console(stderr=True), transient=True)
    task = bar.add_task("", total=total)
    with bar:
        for number, record in enumerate(records):
            if number % _EVERY == 0:
                bar.update(task, completed=number, total=max(total, number))
            yield record
