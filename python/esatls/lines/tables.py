"""CSV with a row of names, perhaps behind a title or a line that tells Excel the mark: which column has the log lines, and whether it is a table at all."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from esatls.lines import envelope, records

if TYPE_CHECKING:
    from collections.abc import Iterator

    from esatls.lines.records import Record

MOST_LINES = 1000
"""Maximum lines that a CSV cell may span."""
LATEST = 10
"""The last line of a file that may have the names of columns: a title, when it was made and blank lines may be in front of it."""

_MARKS = (",", ";", "\t", "|")
_TOLD_MARK = re.compile(r'"?sep=([,;\t|])"?')
"""A first line that tells Excel the mark between cells."""
_NAME = re.compile(r"[@_#]{0,2}[^\W\d_](?:[\w.@/()-]| (?!\d)){0,63}")
_ANY_NAME = re.compile(r"(?:[@_#]{0,2}[^\W\d_](?:[\w.@/()\[\]%°#*+?&'-]| (?! |\d|\Z)){0,63}:?)?")
"""The name of a column in any language, perhaps empty; no beginning of a log line."""
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[^\W\d_][^\W\d_A-Z]*")
_KNOWN = (*records.LINE, *records.TIME, *records.HOST)
_LINE_WORDS = frozenset({"content", "entry", "event", "line", "log", "message", "msg", "original", "payload", "raw", "record", "syslog", "text"})
"""Words in the names of columns that may hold log lines, for names that are not known."""
_OTHER_WORDS = records.STRANGERS | {"category", "code", "count", "date", "host", "id", "level", "name", "number"}
_OTHER_WORDS |= {"severity", "size", "source", "status", "time", "title", "type"}
"""Words of columns that hold something else."""
_UTC = " [UTC]"
"""How Azure's portal marks a column of times."""

SURE, LIKELY, DOUBTFUL = 0, 1, 2
"""How sure it is that a table is one, and its row of names no text in front of a log: LIKELY, until a row with as many cells is in view, or DOUBTFUL, whatever
follows."""


def table_of(lines: list[str]) -> tuple[int, CsvTable | None]:
    """Return the index of the row of names among the first lines of a file, and the CSV that begins there; None if they are a log."""
    for at, line in enumerate(lines):
        found = table(line, is_first=not at)
        if found is not None and not any(found.add(row) is None for row in lines[at + 1 :]):
            return at, found
        if envelope.parse(line).rank > envelope.BARE:
            break
    return 0, None


def records_of(line: str, within: CsvTable | None) -> list[Record]:
    """Return the records in a row of a table, or in a line of a log; a line that holds none is one itself."""
    return within.row(line) if within is not None else records.unwrap(line) or [records.Record([line])]


def table(line: str, mark: str | None = None, *, is_first: bool = True) -> CsvTable | None:
    """Return the CSV with this header row: known or likely columns of lines, or names in any language; without names, if the line only tells the mark.

    Unless the line is the first of its file, names in any language may be those of a letter or a list in front of a log, whatever follows them.
    """
    told = None if mark else _TOLD_MARK.fullmatch(line)
    if told is not None:
        return CsvTable([], told[1], SURE)
    marks = [one for one in ((mark,) if mark else _MARKS) if one in line]
    if marks or records.RAW in line:
        import csv

        for one in marks or _MARKS[:1]:
            try:
                cells = next(csv.reader([line], delimiter=one), [])
            except csv.Error:
                return None
            names = _known(cells)
            if (len(names) > 1 or names == [records.RAW]) and len(set(names)) == len(names):
                words = _words(names).values()
                if any(name in records.LINE for name in names) or any(told & (_LINE_WORDS | records.STRANGERS) for told in words):
                    return CsvTable(names, one)
            if any(cells[1:]) and all(_ANY_NAME.fullmatch(cell.strip()) for cell in cells):
                # spaces behind the marks, as in prose
                return CsvTable(cells, one, LIKELY if is_first and not any(cell.startswith(" ") for cell in cells) else DOUBTFUL)
    return None


def _letters(name: str) -> str:
    return "".join(filter(str.isalnum, name)).lower()


def _known(names: list[str]) -> list[str]:
    """Return the names of columns; those that differ from known ones only in capitals and marks as these, so that `Raw Data` is `RawData`."""
    known = {_letters(name): name for name in reversed(_KNOWN)}
    found = [name.strip() for name in names]
    taken = set(found)
    for at, name in enumerate(found):
        zone = _UTC if name.endswith(_UTC) else ""
        bare = name.removesuffix(zone)
        if bare not in _KNOWN:
            same = known.get(_letters(bare), bare) + zone
            if same not in taken:
                taken.add(same)
                found[at] = same
    return found


def _words(names: list[str]) -> dict[str, set[str]]:
    """Return the words of the names of columns; none if they are not those of a table."""
    return {name: {word.lower() for word in _WORDS.findall(name)} for name in names} if all(map(_NAME.fullmatch, names)) else {}


def _likely(names: list[str]) -> list[str]:
    """Return the columns that may hold lines by the words of their names, if none is known to."""
    if any(name in records.LINE for name in names):
        return []
    return [name for name, words in _words(names).items() if words & _LINE_WORDS and not words & _OTHER_WORDS]


class CsvTable:
    """Rows of CSV; a cell may span several lines."""

    def __init__(self, names: list[str], mark: str, sure: int = LIKELY) -> None:
        self.depth = 1
        self.lines: list[str] = []
        self.names = names
        """The names of its columns; empty before the row that has them."""
        self.mark = mark
        self.likely = _likely(names)
        """The columns that may hold lines, if none is known to."""
        self.sure = sure
        """SURE, LIKELY or DOUBTFUL."""
        self._open = 0
        """1 if a quote is open, so that the cell continues on the next line."""

    def state(self) -> dict[str, Any]:
        """Return what the meaning of the next line depends on."""
        return {"lines": self.lines, "names": self.names, "mark": self.mark, "sure": self.sure}

    def add(self, line: str) -> list[tuple[int, list[Record]]] | None:
        """Take the next line; return the records of the row that it completes, with its number of lines. None: it is not part of a table."""
        if not self.names:
            found = table(line, self.mark)
            if found is None:
                return None
            self.names, self.likely = found.names, found.likely
            return [(1, [])]
        may_be_log = self.sure != SURE and not self._open
        has_header = may_be_log and self._has_header(line)
        if may_be_log and (self._is_log_line(line, has_header=has_header) or records.unwrap(line)):
            return None
        if (self._open + line.count('"')) % 2:
            if len(self.lines) >= MOST_LINES:
                return None
            self._open = 1
            self.lines.append(line)
            return []
        self._open = 0
        if has_header and self.names[0] not in (*self.likely, *records.LINE) and len(self.lines) < MOST_LINES:
            # a subject in the first column, or a log: the next lines tell
            self.lines.append(line)
            return []
        lines, self.lines = [*self.lines, line], []
        if self.sure == LIKELY and not has_header and len([[], *self._cells(lines)][-1]) >= len(self.names):
            self.sure = SURE
        return [(len(lines), list(self._rows(lines)))]

    def row(self, line: str) -> list[Record]:
        """Return the records of a row on a single line."""
        return list(self._rows([line]))

    def _has_header(self, line: str) -> bool:
        """Tell whether a line begins with the header of a log line, no part of which is a cell."""
        env = envelope.parse(line)
        return env.rank > envelope.BARE and self.mark not in line[: env.end]

    def _is_log_line(self, line: str, *, has_header: bool) -> bool:
        """Tell whether a line is one of a log, whose first line looked like names of columns: it has no cells, or fewer than there are names."""
        marks = line.count(self.mark)
        if line.count('"') % 2 and (line[0] == '"' or f'{self.mark}"' in line):
            return False  # a cell goes on in the next line
        return bool(line.strip()) and marks + 1 < len(self.names) and (has_header or not marks)

    def _cells(self, lines: list[str]) -> Iterator[list[str]]:
        """Yield the cells of the rows in some lines. What the reader of CSV refuses in a cell is replaced: a stranger may have written it."""
        import csv

        try:
            yield from csv.reader([line.replace("\r", " ").replace("\0", "\ufffd") + "\n" for line in lines], delimiter=self.mark)
        except csv.Error:
            return

    def _rows(self, lines: list[str]) -> Iterator[Record]:
        for cells in self._cells(lines):
            row = {name.removesuffix(_UTC): _cell(name, cell.rstrip("\n")) for name, cell in zip(self.names, cells)}
            if self.likely:
                self._choose(row)
            yield from records.of_value(row)

    def _choose(self, row: dict[str, str]) -> None:
        """Name the cell of a row that holds a line: by what it says, if several may."""
        held = [name for name in self.likely if name in row]
        line = next((name for name in held if envelope.parse(row[name].strip()).rank > envelope.BARE), held[0] if len(held) == 1 else None)
        if line is not None:
            row["message"] = row.pop(line)


def _cell(name: str, cell: str) -> str:
    """Return a cell; a time of day as the portal shows it gets the zone that its column names."""
    return f"{cell} UTC" if name.endswith(_UTC) and cell.endswith("M") else cell
