"""The console on which tables and texts are printed."""

from __future__ import annotations

from typing import IO

from rich import console


class Console(console.Console):
    """A console that prints text as it is. If the reader of a pipe has gone, rich's own console would end the program with exit code 1."""

    def __init__(self, file: IO[str]) -> None:
        super().__init__(file=file, markup=False, highlight=False, emoji=False)

    def on_broken_pipe(self) -> None:
        """Let the command decide how to end."""
        raise BrokenPipeError
