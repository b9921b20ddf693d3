"""A sheet of headings, notes and tables on a terminal. A table that is too wide is printed in parts; no number is ever cut.

Text from the log is put into cells as `Text`, never as markup, with its control characters made visible.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Union

from rich.cells import cell_len
from rich.text import Text

from esatls.output import clipped, printable
from esatls.report.notes import word
from esatls.verdicts.words import STYLES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

MOST_ROWS = 10
"""Rows shown of tables that grow with the log; the report as JSON has all."""

_ENDLESS = 100_000
"""Width of a line to a file or a pipe, in character cells."""
_NARROWEST = 20
"""Least width of a line on a terminal, in character cells; a narrower terminal wraps lines itself."""
_PROSE = 100
"""Greatest width of a line of a note, in character cells."""
_GAP = 2
_NAME = 16
_LEAST_NAME = 4
_LEAST_TEXT = 12
"""Least widths, in character cells: of the first column, of the first column beside only one other, and of other columns of text."""

Cell = Union[int, float, str, Text, None]
"""An integer is a count, a float a percentage, None a missing value (shown as a dash); text is never markup."""


def _cell(value: Cell) -> Text:
    if isinstance(value, Text):
        return value
    if value is None:
        return Text("-", style="dim")
    if isinstance(value, float):
        return Text(f"{value:.1f}%")
    if isinstance(value, int):
        return Text(f"{value:,}", style="" if value else "dim")
    return Text(printable(clipped(value)))


class _Column(NamedTuple):
    """A column, and its width in character cells: `natural` without wrapping, `least` as narrow as it may be."""

    header: Text
    cells: Sequence[Text]
    number: bool
    natural: int
    least: int

    @classmethod
    def of(cls, name: str, cells: Sequence[Text], *, number: bool) -> _Column:
        """Measure a column: numbers are never split, headers only between words, text anywhere."""
        natural = max(map(cell_len, (line for text in (name, *(cell.plain for cell in cells)) for line in text.split("\n"))))
        words = max(map(cell_len, name.split()), default=0)
        least = max(words, *(cell_len(cell.plain) for cell in cells)) if number else min(natural, max(words, _LEAST_TEXT))
        return cls(Text(name, style=STYLES.get(name.lower(), "")), cells, number, natural, least)


def _widths(columns: Sequence[_Column], room: int) -> list[int]:
    """Return the widths of columns that share some room. The widest column shrinks first; none becomes narrower than its least width."""
    widths = [column.natural for column in columns]
    for _ in range(sum(widths) + _GAP * (len(widths) - 1) - room):
        spare = [at for at, column in enumerate(columns) if widths[at] > column.least]
        if not spare:
            break
        widths[max(spare, key=widths.__getitem__)] -= 1
    return widths


class Sheet:
    """Prints headings, tables and notes: as wide as a terminal, elsewhere as wide as each table needs."""

    def __init__(self, console: Console) -> None:
        self.console = console
        console.width = max(console.width, _NARROWEST) if console.is_terminal else _ENDLESS

    def heading(self, text: str) -> None:
        """Print the title of a section."""
        self.console.print()
        self.console.print(Text(text.upper(), style="bold"))

    def note(self, text: str, style: str = "dim") -> None:
        """Print a paragraph."""
        self.console.print(Text(text, style=style), width=min(self.console.width, _PROSE))

    def table(
        self, title: str, names: Sequence[str], rows: Sequence[Sequence[Cell]], shown: int = MOST_ROWS, what: str = "rows", apart: int | None = None
    ) -> None:
        """Print a table: columns of numbers are aligned right, the first column and columns of text left.

        A table that is too wide is printed in parts, each beginning with the first column again; a part always begins at column `apart` then.
        """
        if not rows:
            return
        columns = []
        for at, name in enumerate(names):
            cells = [_cell(row[at]) for row in rows[:shown]]
            if name or any(cell.plain for cell in cells):  # a column of marks that has none is left out
                columns.append(_Column.of(name, cells, number=at > 0 and not isinstance(rows[0][at], (str, Text))))
        self.console.print()
        if title:
            self.note(title, "bold")
        for number, part in enumerate(self._parts(columns, apart)):
            if number:
                self.console.print()
            self._print(part)
        if len(rows) > shown:
            more = len(rows) - shown
            self.note(f"{more:,} more {word(more, what)} in the report as JSON")

    def _parts(self, columns: Sequence[_Column], apart: int | None) -> list[list[_Column]]:
        """Return columns in parts that fit the console, each with the first column."""
        first, *rest = columns
        width = self.console.width
        most = max((column.least for column in rest), default=0)
        # the first column names the row: it shrinks only if another one does not fit beside it
        first = first._replace(least=min(first.natural, _NAME, max(_LEAST_NAME, width - _GAP - most)))
        if _fit([first, *rest], width):
            return [[first, *rest]]
        parts = [[first]]
        for at, column in enumerate(rest, 1):
            if len(parts[-1]) > 1 and (at == apart or not _fit([*parts[-1], column], width)):
                parts.append([first])
            parts[-1].append(column)
        return parts

    def _print(self, columns: Sequence[_Column]) -> None:
        # not rich's own table: it measures each cell again, which takes several times as long
        widths = _widths(columns, self.console.width)
        head = self._row([column.header for column in columns], columns, widths, is_head=True)
        head.stylize("bold")
        rule = Text("─" * (sum(widths) + _GAP * (len(widths) - 1)))
        rows = [self._row(cells, columns, widths) for cells in zip(*(column.cells for column in columns))]
        # a line may be longer than the terminal: wrapped is better than cut off
        self.console.print(Text("\n").join([head, rule, *rows]), crop=False, no_wrap=True, overflow="ignore")

    def _row(self, cells: Sequence[Text], columns: Sequence[_Column], widths: Sequence[int], *, is_head: bool = False) -> Text:
        """Return a row of a table, with as many lines as its longest cell needs; headers are aligned at the bottom."""
        folded = [
            [cell.copy()]
            if cell_len(cell.plain) <= width and "\n" not in cell.plain
            else cell.wrap(self.console, width, justify="right" if column.number else "left", overflow="fold")
            for cell, column, width in zip(cells, columns, widths)
        ]
        height = max(map(len, folded))
        lines = []
        for number in range(height):
            line = []
            for theirs, column, width in zip(folded, columns, widths):
                at = number - (height - len(theirs) if is_head else 0)
                piece = theirs[at] if 0 <= at < len(theirs) else Text()
                piece.align("right" if column.number else "left", width)
                line.append(piece)
            lines.append(Text(" " * _GAP).join(line))
        return Text("\n").join(lines)


def _fit(columns: Sequence[_Column], width: int) -> bool:
    return sum(column.least for column in columns) + _GAP * (len(columns) - 1) <= width
