"""The body of a chunk as a table, read a block of rows at a time."""

from __future__ import annotations

import csv
import io
from itertools import count, islice, repeat
from typing import TYPE_CHECKING, NamedTuple

from esatls_cells import MULTI, csv_line, unquoted, values_of

if TYPE_CHECKING:
    from collections.abc import Iterator

FACTS = "esatls_facts"
"""The column in which a map sends facts to its reduce."""


class Values(str):
    """The text of a multi-valued field, and its values."""

    __slots__ = ("values",)
    values: list[str]

    @classmethod
    def of(cls, text: str, cell: str) -> str:
        """Return the text with the values of its multi-valued cell; the text itself if it has no such cell."""
        if not cell:
            return text
        found = cls(text)
        found.values = list(map(str.rstrip, values_of(cell)))
        return found


class Place(NamedTuple):
    """The `host` and `_time` of an event, as in the cells of its row."""

    host: str
    seconds: str


class Block(NamedTuple):
    """Some rows of a table, column by column, and the original text of each row."""

    texts: list[str]
    raws: list[str]
    """The texts of the events, without white space at the end."""
    places: list[Place]
    """Rows of one host and second are mostly neighbours, and share one object."""
    facts: list[str]
    """Empty if the table has no column of facts."""
    plain: bool
    """Whether no event's text contains a line feed, a carriage return or a NUL."""
    opening: str = ""
    """The beginning of every row, which `texts` leave out."""

    def answer(self, added: list[str]) -> str:
        """Return the rows, each followed by the text of its new cells; the last line has no line end."""
        pieces = [f"\n{self.opening}"] * (3 * len(added))
        pieces[1::3], pieces[2::3] = self.texts, added
        pieces[:1] = [self.opening]
        return "".join(pieces)


BLOCK_SIZE = 1 << 16
"""Minimum characters of a block: few enough to fit in the processor's cache, and for the memory of one block to be reused for the next."""
BLOCK_ROWS = 500
"""Rows of a block that is not measured in characters."""


class Table:
    """The body of a chunk, read a block of rows at a time.

    Rows with too few cells are filled up, those with too many are cut, and those that are empty or not CSV are left out. All of these are counted in
    `broken`; `first` says which row was the first and what is wrong with it, but does not quote it, because strangers wrote it.
    """

    def __init__(self, body: str, field: str = "_raw") -> None:
        """Read the column names of a chunk's body (CSV); an empty body has no columns and no rows. `field` is the column of the events' text."""
        self.broken = 0
        self.first = ""
        self.rows = 0
        self.texts = False
        """Whether any row has text in `field`."""
        self._odd = "\0" in body or "\r" in body
        end = body.find("\n") + 1 or len(body) + 1
        self._body, self._start = body, end
        self.head = body[: end - 1].rstrip("\r")
        self.names = next(csv.reader([self.head]), [])
        self._places = [self.names.index(name) if name in self.names else None for name in (field, "host", "_time", FACTS)]
        self._multi = self.names.index(MULTI + field) if MULTI + field in self.names else None

    def blocks(self) -> Iterator[Block]:
        """Yield the rows."""
        body, start = self._body, self._start
        if self._places == [0, 1, 2, None] and not self._odd and body[-1:] == "\n":
            while body.startswith('"', start):
                end = body.find('\n"', start + BLOCK_SIZE) + 1 or len(body)
                block = read_common(body[start + 1 : end - 1].split('\n"'), len(self.names))
                if block is None:
                    break
                start = end
                yield self._noted(block)
        rows = self._any(body[start:])
        for some in iter(lambda: list(islice(rows, BLOCK_ROWS)), []):
            yield self._noted(self._block(*zip(*some)))

    def _noted(self, block: Block) -> Block:
        self.rows += len(block.texts)
        self.texts = self.texts or any(block.raws)
        return block

    def _block(self, cells: tuple[list[str], ...], texts: tuple[str, ...]) -> Block:
        nothing = [""] * len(texts)
        raws, hosts, times, facts = (nothing if place is None else [row[place] for row in cells] for place in self._places)
        raws = list(map(str.rstrip, raws))
        if self._multi is not None:
            raws = [Values.of(raw, row[self._multi]) for raw, row in zip(raws, cells)]
        plain = not self._odd and not any("\n" in raw for raw in raws)
        return Block(list(texts), raws, list(map(Place, hosts, times)), [] if facts is nothing else facts, plain)

    def _any(self, body: str) -> Iterator[tuple[list[str], str]]:
        """Read rows of any form; yield the cells of each, as many as there are columns, and the text of the lines that they were read from."""
        kept: list[str] = []

        def lines() -> Iterator[str]:
            for line in io.StringIO(body, newline="\n"):
                kept.append(line)
                yield without_nul(line)

        rows, width = csv.reader(lines()), len(self.names)
        for number in count(self.rows + 1):
            kept.clear()
            try:
                row = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                self._note(number, str(error))
                continue
            if len(row) == width:
                # this text, unlike the cells, keeps a NUL
                yield row, "".join(kept).rstrip("\r\n")
                continue
            self._note(number, f"{len(row)} cells instead of {width}")
            if row:
                row = (row + [""] * width)[:width]
                yield row, csv_line(row)

    def _note(self, number: int, reason: str) -> None:
        self.broken += 1
        self.first = self.first or f"row {number} of a chunk: {reason}"


def without_nul(text: str) -> str:
    """Return a text with another character for each NUL, which Python refuses in CSV before 3.11."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def read_common(rows: list[str], width: int) -> Block | None:
    """Read rows of the usual form in splunkd's chunks, in a quarter of the time of csv.reader; None: they have another form.

    The first columns are text, host and time. The text is in quotes, and `rows` lack the first of them. Of the other cells, only host and time may be in
    quotes, which they are if they are not alphanumeric.
    """
    if "\n" in "".join(rows):
        return None
    found, _, rests = zip(*map(str.partition, rows, repeat('"')))
    raws, places = list(map(str.rstrip, found)), []
    place, where, latest = Place("", ""), "\n", None
    read, quotes, all_quotes = [], 0, 0
    # the rest is what follows the text; host and time are read only when they change
    for rest in rests:
        if rest != latest:
            latest = rest
            if not rest.startswith(where):
                if rest[:1] == '"':
                    # the text contains quotes
                    latest, number = None, len(places)
                    row = next(csv.reader(['"' + rows[number]]), [])
                    if len(row) != width or rest.count('"') % 2:
                        return None
                    raws[number] = row[0].rstrip()
                    if place != (row[1], row[2]):
                        place, where = Place(row[1], row[2]), "\n"
                    places.append(place)
                    continue
                cells = rest.split(",", 3)
                if len(cells) < 4 or cells[0]:
                    return None
                host, seconds = unquoted(cells[1]), unquoted(cells[2])
                if host is None or seconds is None:
                    return None
                if place != (host, seconds):
                    place = Place(host, seconds)
                where = f",{cells[1]},{cells[2]},"
                quotes = where.count('"')
            read.append(rest)
            all_quotes += quotes
        places.append(place)
    # of the other cells, check only that their number is right and that none contains quotes
    if "".join(read).count('"') != all_quotes or not {width - 1}.issuperset(map(str.count, read, repeat(","))):
        return None
    return Block(rows, raws, places, [], plain=True, opening='"')


def overwritten(names: list[str], new_names: list[str], texts: list[str], added: list[str]) -> list[str]:
    """Return a block's rows with new columns, some of which the table has already: there, a new cell replaces the old one unless it is empty."""
    fresh = [name for name in new_names if name not in names]
    lines = []
    for row, text in zip(csv.reader(map(without_nul, io.StringIO("\n".join(texts), newline="\n"))), added):
        new = dict(zip(new_names, next(csv.reader([text[1:]]))))
        lines.append(csv_line([new.get(name) or cell for name, cell in zip(names, row)] + [new[name] for name in fresh]))
    return lines
