"""Code shared by the search commands: the path to lib/, the rows of a chunk, job messages, and the time and host of an event.

The SDK turns each row of a chunk into a dictionary and writes it back cell by cell, which takes several times as long as the extraction itself. The
commands here override the private method of the (pinned, vendored) SDK that does this, `_execute_chunk_v2`: they read rows column by column, and if a
row only gets new columns, they return its original text with these added.
"""

from __future__ import annotations

import csv
import gc
import io
import os
import re
import sys
from itertools import repeat
from typing import TYPE_CHECKING, Any, NamedTuple

# Rows and facts contain no reference cycles; looking for them takes a quarter of the time, and a tenth of the start-up time.
gc.disable()
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))

from esatls.extraction.heads import MOST_HEADS, Head
from esatls.lines import envelope
from esatls.lines.clock import END_OF_TIME, FIRST_TIME, Clock, parse_rfc3339
from splunklib.searchcommands import Option, validators

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from esatls.extraction.match import Spec
    from esatls.lines.clock import Time

    Take = Callable[[Head, Spec, re.Match[str]], object]

FACTS = "esatls_facts"
"""The column in which a map sends facts to its reduce."""

# An event may be longer than 128 KiB, the default limit of csv.
csv.field_size_limit(1 << 30)

MULTI = "__mv_"
_VALUES = re.compile(r"\$((?:[^$]|\$\$)*)\$(?:;|\Z)")


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
        found.values = [value.replace("$$", "$").rstrip() for value in _VALUES.findall(cell)]
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
        self._first = 0
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
        if start < len(body):
            cells, texts = self._any(body[start:])
            cells, texts = self._evened(cells, texts)
            for at in range(0, len(cells), BLOCK_ROWS):
                yield self._noted(self._block(cells[at : at + BLOCK_ROWS], texts[at : at + BLOCK_ROWS]))

    def _noted(self, block: Block) -> Block:
        self.rows += len(block.texts)
        self.texts = self.texts or any(block.raws)
        return block

    def _block(self, cells: list[list[str]], texts: list[str]) -> Block:
        nothing = [""] * len(texts)
        raws, hosts, times, facts = (nothing if place is None else [row[place] for row in cells] for place in self._places)
        raws = list(map(str.rstrip, raws))
        if self._multi is not None:
            raws = [Values.of(raw, row[self._multi]) for raw, row in zip(raws, cells)]
        plain = not self._odd and not any("\n" in raw for raw in raws)
        return Block(texts, raws, list(map(Place, hosts, times)), [] if facts is nothing else facts, plain)

    def _any(self, body: str) -> tuple[list[list[str]], list[str]]:
        """Read rows of any form; return their cells and, for each row, the text of the lines that they were read from."""
        # the text that is returned keeps a NUL
        reader = csv_rows(body)
        kept = list(io.StringIO(body, newline="\n"))
        cells, texts = [], []
        start = 0
        while True:
            try:
                row = next(reader)
            except StopIteration:
                return cells, texts
            except csv.Error as error:
                self._note(self.rows + len(cells) + 1, str(error))
                start = reader.line_num
                continue
            cells.append(row)
            texts.append("".join(kept[start : reader.line_num]).rstrip("\r\n"))
            start = reader.line_num

    def _note(self, number: int, reason: str) -> None:
        self.broken += 1
        if not self.first or number < self._first:
            self._first = number
            self.first = f"row {number} of a chunk: {reason}"

    def _evened(self, cells: list[list[str]], texts: list[str]) -> tuple[list[list[str]], list[str]]:
        """Fill up or cut rows, so that each has as many cells as there are columns."""
        width = len(self.names)
        if {width}.issuperset(map(len, cells)):
            return cells, texts
        whole = []
        for number, (row, text) in enumerate(zip(cells, texts), self.rows + 1):
            if len(row) == width:
                whole.append((row, text))
                continue
            self._note(number, f"{len(row)} cells instead of {width}")
            if not row:
                continue
            evened = (row + [""] * width)[:width]
            whole.append((evened, csv_line(evened)))
        return [row for row, _ in whole], [text for _, text in whole]


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


def unquoted(cell: str) -> str | None:
    """Return the value of a CSV cell; None: it contains quotes."""
    if cell[:1] == '"' == cell[-1:] and len(cell) > 1:
        cell = cell[1:-1]
    return None if '"' in cell else cell


def csv_rows(text: str) -> Any:
    """Return a reader of CSV. Python refuses NUL there before 3.11: another character replaces it."""
    return csv.reader(io.StringIO(text.replace("\0", "\N{REPLACEMENT CHARACTER}"), newline="\n"))


def csv_line(cells: Iterable[str]) -> str:
    """Return cells as a line of CSV without a line end."""
    return ",".join(map(quoted, cells))


def quoted(cell: str) -> str:
    """Return a value as a CSV cell, in quotes if needed."""
    return '"' + cell.replace('"', '""') + '"' if _MUST_QUOTE(cell) else cell


_MUST_QUOTE = re.compile('[",\r\n]').search


def overwritten(names: list[str], new_names: list[str], texts: list[str], added: list[str]) -> list[str]:
    """Return a block's rows with new columns, some of which the table has already: there, a new cell replaces the old one unless it is empty."""
    fresh = [name for name in new_names if name not in names]
    lines = []
    for row, text in zip(csv_rows("\n".join(texts)), added):
        new = dict(zip(new_names, next(csv.reader([text[1:]]))))
        lines.append(csv_line([new.get(name) or cell for name, cell in zip(names, row)] + [new[name] for name in fresh]))
    return lines


def cells_of(value: Any) -> tuple[str, str]:
    """Return the plain and the multi-valued cell of a value. Lists of several values fill both, in Splunk's notation."""
    if value.__class__ is str:
        return value, ""
    if not isinstance(value, list):
        return ("true" if value else "false") if isinstance(value, bool) else str(value), ""
    words = [cells_of(word)[0] for word in value]
    if len(words) == 1:
        return words[0], ""
    return "\n".join(words), ";".join("$" + word.replace("$", "$$") + "$" for word in words)


def seconds_of(cell: str) -> Time | None:
    """Convert Splunk's `_time` to the core's: seconds since 1970, whole ones as int. None: the cell is not a time in the years 1 to 9999."""
    try:
        seconds = float(cell)
    except ValueError:
        return None
    # also rejects nan
    if not FIRST_TIME <= seconds < END_OF_TIME:
        return None
    return int(seconds) if seconds.is_integer() else seconds


def epoch(stamp: str) -> str:
    """Convert RFC 3339 in UTC, as the core writes it, to Splunk's `_time`."""
    day = stamp[:10]
    midnight = MIDNIGHTS.get(day)
    if midnight is None:
        midnight = MIDNIGHTS[day] = int(parse_rfc3339(day))
    seconds = midnight + int(stamp[11:13]) * 3600 + int(stamp[14:16]) * 60 + int(stamp[17:19])
    # between the seconds and the Z there may be milliseconds, which cannot simply be appended to the negative seconds before 1970
    fraction = stamp[19:-1]
    return seconds_text(seconds + float(fraction)) if fraction and seconds < 0 else f"{seconds}{fraction}"


MIDNIGHTS: dict[str, int] = {}


def seconds_text(seconds: Time) -> str:
    """Convert the core's time to Splunk's `_time`, with at most milliseconds."""
    return str(seconds) if isinstance(seconds, int) else f"{seconds:.3f}"


MINUTES = re.compile(r":\d\d:\d\d", re.ASCII)
MOST_LAYOUTS = 8
"""Maximum of known layouts of envelopes: each costs a look-up if the latest does not fit."""


class RowReader:
    """Splunk's events -> what the core finds in them.

    Splunk's `_time` takes precedence over the line's timestamp, which names no time zone: Splunk knows that of the sourcetype. The host in the line takes
    precedence over the event's. `take(head, spec, match)` is called for each ESA line; most events have one.
    """

    def __init__(self) -> None:
        """Start without known envelopes."""
        self.known: dict[tuple[str, Place], Any] = {}
        """(literal text of the envelope, `host` and `_time`) -> the command's result for it."""
        self.length = 0
        """Length of the latest envelope: most events of a log share it."""
        self.clock = Clock()
        self._layouts: list[tuple[int, int]] = []
        """Start of minutes and seconds, and of the text. There are a few layouts, because names of appliances and levels differ in length."""
        self._envelopes: dict[tuple[str, str], envelope.Envelope] = {}
        """Envelopes by their text before and behind minutes and seconds: most new ones differ only in these."""

    def again(self, raw: str, place: Place) -> Any:
        """Return the command's result for the event's envelope if it is known with another length than the latest, and keep its length; else None."""
        for _, end in self._layouts:
            made = self.known.get((raw[:end], place)) if end != self.length else None
            if made is not None:
                self.length = end
                return made
        return None

    def keep(self, raw: str, place: Place, made: Any) -> Any:
        """Keep and return the command's result for the latest envelope. Start over if there are many, since every event may have a different time."""
        if len(self.known) > MOST_HEADS:
            self.known.clear()
        self.known[raw[: self.length], place] = made
        return made

    def envelope(self, raw: str, seconds: str) -> tuple[Time | None, envelope.Envelope] | None:
        """Return the time and the envelope of an event, and keep the envelope's length. None: its text does not start with a complete envelope."""
        time = seconds_of(seconds)
        if time is not None:
            for at, end in self._layouts:
                found = self._envelopes.get((raw[:at], raw[at + 6 : end]))
                if found is not None and MINUTES.match(raw, at):
                    self.length = end
                    return time, found
        if "CEF:" in raw[: envelope.LONGEST] or raw[:1] == "{":
            return None
        found = envelope.parse(raw)
        if found.rank != envelope.STAMPED or found.level is None or raw[found.end - 1] != " ":
            return None
        self.length = found.end
        stamp = found.stamp or ""
        at = raw.rfind(stamp, 0, found.end) + stamp.find(":")
        if MINUTES.match(raw, at):
            if len(self._envelopes) > MOST_HEADS:
                self._envelopes.clear()
            self._envelopes[raw[:at], raw[at + 6 : found.end]] = found
            if (at, found.end) not in self._layouts:
                self._layouts = [(at, found.end), *self._layouts[: MOST_LAYOUTS - 1]]
        return self.clock.read(stamp) if time is None else time, found

    def slowly(self, raw: str, place: Place, take: Take) -> None:
        """Read any text: several lines, wrapped lines, JSON, no envelope; of a multi-valued field, each value."""
        from esatls.extraction.stream import Stream

        stream = Stream(_Timed(take, seconds_of(place.seconds)), self.clock, place.host or None)
        for text in raw.values if isinstance(raw, Values) else [raw]:
            lines = text.split("\n")
            if len(lines) > 1 and text[:1] != "{" and envelope.parse(lines[0]).rank == envelope.BARE:
                # everything behind a line without an envelope belongs to its text; taken as a line, it could be forged by a stranger
                lines = [" ".join(lines)]
            for line in lines:
                stream.line(line)
        stream.end()


class _Timed:
    """Passes on what a stream finds, with Splunk's time."""

    def __init__(self, take: Take, time: Time | None) -> None:
        self._take = take
        self._time = time

    def take(self, head: Head, spec: Spec, found: re.Match[str]) -> bool:
        """Pass on one match."""
        if self._time is not None:
            base = head.base
            head = Head(self._time, head.host, base.get("esa_log"), base.get("esa_level"))
        self._take(head, spec, found)
        return True


HIDDEN = {"logging_level", "logging_configuration", "phase", "record", "show_configuration"}
"""Options that the SDK gives to every command, and no user needs."""


class RowCommand:
    """A mixin for the SDK's commands: reads chunks as tables, writes text, and reports broken rows at the end."""

    field = Option(
        doc="""
        **Syntax:** field=<field>
        **Description:** The field that holds the log line. Default: _raw""",
        default="_raw",
        validate=validators.Match("field name", r"[^\s\"',]+$"),
    )

    # Options that the SDK gives to every command; a search must not use files on the server.
    record = False
    logging_configuration = None

    broken = 0
    first = ""
    seen = 0
    texts = False
    """Whether any event had text in `field`."""

    def prepare(self) -> None:
        """Refuse words that are not options, because users who write them expect an effect."""
        for word in self.fieldnames:
            self.write_error(f"Unexpected word: {word}; options have the form name=value, such as field=message")
        if self.fieldnames:
            sys.exit(1)
        super().prepare()

    def write_error(self, message: str, *args: object) -> None:
        """Say why the command ends. Braces in a user's words are not placeholders. The message about an unknown option lists the valid ones."""
        text = message.format(*args) if args else message
        if text.startswith("Unrecognized option"):
            text += f"; the options of {self.name} are {', '.join(sorted(name for name in self.options if name not in HIDDEN))}"
        super().write_error("{}", text)

    def _execute_chunk_v2(self, process: object, chunk: tuple[object, str]) -> None:  # noqa: ARG002 - the SDK's signature
        table = Table(chunk[1], self.field)
        self.chunk(table)
        self.seen += table.rows
        self.texts |= table.texts
        self.broken += table.broken
        self.first = self.first or table.first
        if self._finished:
            self.last_words()

    def chunk(self, table: Table) -> None:
        """Process the rows of a chunk. `self._finished` tells whether it is the last one."""
        raise NotImplementedError

    def unreadable(self, number: int, reason: Exception | str) -> None:
        """Count a row that could not be processed; an exception's own words may be a stranger's."""
        self.broken += 1
        self.first = self.first or f"row {number} of a chunk: {reason if isinstance(reason, str) else type(reason).__name__}"

    def last_words(self) -> None:
        """Report in the job's messages what could not be read, and that no event has the field that should contain the lines."""
        if self.broken:
            self.write_warning("{}", f"{self.name}: {self.broken} broken rows ({self.seen} rows read); the first: {self.first}")
            self.broken, self.first = 0, ""
        if self.seen and not self.texts:
            self.write_warning("{}", f"{self.name}: no event has the field {self.field}; use field=<field> to name the one that holds the log lines")

    def write_text(self, pieces: list[str], rows: int) -> None:
        """Give a chunk's answer to the SDK: the line of column names, then pieces of one or more rows. No piece ends with a line end."""
        self._record_writer._buffer = Answer("\n".join([*pieces, ""]))  # noqa: SLF001 - see above
        self._record_writer._pending_record_count += rows  # noqa: SLF001


class Answer:
    """Replaces the buffer of the SDK's record writer, which would copy the text twice more, with four bytes per character."""

    def __init__(self, text: str) -> None:
        """Keep the text of a chunk."""
        self._text = text

    def getvalue(self) -> str:
        """Return the text."""
        return self._text

    def seek(self, position: int) -> None:
        """Do nothing: the writer goes back to the start before it truncates."""

    def truncate(self) -> None:
        """Drop the text."""
        self._text = ""
