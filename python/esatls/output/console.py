"""Where tables and texts are printed: plain text, in UTF-8."""

from __future__ import annotations

from typing import IO

from rich import console


class Console(console.Console):
    """A console for text that is printed as it is; rich would end the program with 1 where nobody reads on."""

    def __init__(self, file: IO[str]) -> None:
        super().__init__(file=file, markup=False, highlight=False, emoji=False)

    def on_broken_pipe(self) -> None:
        """Leave it to the command how to end."""
        raise BrokenPipeError
