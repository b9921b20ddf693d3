"""The progress bar on a terminal."""

from __future__ import annotations

import atexit

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn


class Bar:
    """Shows how many bytes have been read; call it with that number."""

    def __init__(self, total: int) -> None:
        self.bar = Progress(BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn(), console=Console(stderr=True), transient=True)
        self.task = self.bar.add_task("", total=total)
        self.bar.start()
        atexit.register(self.bar.stop)

    def __call__(self, done: int) -> None:
        """Show the bytes read so far."""
        self.bar.update(self.task, completed=done)
