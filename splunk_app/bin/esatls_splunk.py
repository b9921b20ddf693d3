"""What the three search commands share: the way to lib/, the rows of a chunk, job messages, and time and host of an event.

The SDK hands each row of a chunk to a command as a dictionary and writes each one back cell by cell, which costs several times what the
extraction itself costs. The commands here override the one private method of the (pinned, vendored) SDK that does so, `_execute_chunk_v2`:
rows are read by one csv.reader, and a row that goes back unchanged but for new columns goes back as the text that it came as.
"""

import csv
import io
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))

from esatls import envelope  # noqa: E402
from esatls.clock import Clock, parse_rfc3339  # noqa: E402
from esatls.stream import MOST_HEADS, Head, Stream  # noqa: E402
from splunklib.searchcommands import Option, validators  # noqa: E402

# An event may be longer than the 128 KiB that csv allows by itself.
csv.field_size_limit(1 << 30)

MULTI = "__mv_"


class Table:
    """The body of a chunk: column names, and for each row its cells and its text.

    `cells` and `texts` are of equal length. A row with too few or too many cells is evened out, one that is no CSV at all is left out; both
    are counted in `broken`, and `first` says which row was the first and what is wrong with it, without quoting it: rows are strangers' text.
    `plain` tells that no row holds a line feed, a carriage return or a NUL.
    """

    __slots__ = ("broken", "cells", "first", "head", "names", "plain", "texts")

    def __init__(self, body):
        """Read a chunk's body, CSV text; an empty one has no columns and no rows."""
        self.broken = 0
        self.first = ""
        odd = "\0" in body or "\r" in body
        lines = body.split("\n")
        if not lines[-1]:
            lines.pop()
        if odd:
            lines = [line[:-1] if line.endswith("\r") else line for line in lines]
        # csv refuses NUL before Python 3.11; the text that goes back keeps it
        source = body.replace("\0", "\N{REPLACEMENT CHARACTER}") if odd else body
        try:
            cells = list(csv.reader(io.StringIO(source, newline="\n")))
        except csv.Error:
            cells = []
        self.plain = not odd and len(cells) == len(lines)
        if len(cells) != len(lines):
            cells, lines = self._read_slowly(source, body)
        self.names, self.head = (cells[0], lines[0]) if cells else ([], "")
        self.cells, self.texts = cells[1:], lines[1:]
        width = len(self.names)
        if not {width}.issuperset(map(len, cells)):
            self._even_out(width)

    def _read_slowly(self, source, body):
        """Rows that span lines, and rows that are no CSV: the text of a row is that of the lines that its cells were read from."""
        kept = list(io.StringIO(body, newline="\n"))
        reader = csv.reader(io.StringIO(source, newline="\n"))
        cells, texts = [], []
        start = 0
        while True:
            try:
                row = next(reader)
            except StopIteration:
                return cells, texts
            except csv.Error as error:
                self._note(len(cells), str(error))
                start = reader.line_num
                continue
            cells.append(row)
            texts.append("".join(kept[start : reader.line_num]).rstrip("\r\n"))
            start = reader.line_num

    def _note(self, number, reason):
        self.broken += 1
        self.first = self.first or f"row {number} of a chunk: {reason}"

    def _even_out(self, width):
        """Give each row as many cells as there are columns."""
        all_cells, texts = [], []
        for number, (cells, text) in enumerate(zip(self.cells, self.texts), 1):
            if len(cells) != width:
                self._note(number, f"{len(cells)} cells instead of {width}")
                if not cells:
                    continue
                cells = (cells + [""] * width)[:width]
                text = csv_line(cells)
            all_cells.append(cells)
            texts.append(text)
        self.cells, self.texts = all_cells, texts

    def place(self, name):
        """The number of a column, or None."""
        return self.names.index(name) if name in self.names else None


def csv_line(cells):
    """Cells as one line of CSV without its end; None is an empty cell."""
    out = io.StringIO()
    csv.writer(out).writerow(cells)  # with its own line end, for which it quotes cells that hold one
    return out.getvalue()[:-2]


def overwritten(table, names, added):
    """The answer to a table some of whose columns have the names of new ones: filled new cells replace old ones."""
    places = {name: number for number, name in enumerate(table.names)}
    fresh = [name for name in names if name not in places]
    lines = [table.head + "," + ",".join(fresh) if fresh else table.head]
    for cells, text in zip(table.cells, added):
        new = dict(zip(names, next(csv.reader([text[1:]]))))
        whole = [new.get(name) or cell for name, cell in zip(table.names, cells)]
        lines.append(csv_line(whole + [new[name] for name in fresh]))
    return lines


def cells_of(value):
    """The two cells of a value, the plain one and the multi-valued one; lists become multi-valued as Splunk writes them."""
    if not isinstance(value, list):
        return (value if isinstance(value, str) else ("true" if value else "false") if isinstance(value, bool) else str(value)), ""
    words = [cells_of(word)[0] for word in value]
    if len(words) == 1:
        return words[0], ""
    return "\n".join(words), ";".join("$" + word.replace("$", "$$") + "$" for word in words)


def seconds_of(cell):
    """Splunk's `_time` as the core's time: seconds since 1970, whole ones as int; None when the cell is no time."""
    try:
        seconds = float(cell)
        return int(seconds) if seconds.is_integer() else seconds
    except (ValueError, OverflowError):
        return None


def epoch(stamp):
    """RFC 3339 in UTC as Splunk's `_time`."""
    return seconds_text(parse_rfc3339(stamp))


def seconds_text(seconds):
    """The core's time as Splunk's `_time`: up to milliseconds."""
    return str(seconds) if isinstance(seconds, int) else f"{seconds:.3f}"


class Reader:
    """Events of Splunk -> what the core finds in them.

    Splunk's `_time` goes before the line's own stamp: Splunk knows the sourcetype's time zone, the stamp names none. The host in the line
    goes before the event's. `take(head, spec, match)` is called for each ESA line, once for most events.
    """

    def __init__(self):
        """Start with no envelope known."""
        self.heads = {}
        self.length = 0
        self.clock = Clock()

    def head(self, raw, seconds, host):
        """The head of an event whose text starts with a whole envelope, and the length of that; None for any other text."""
        if "CEF:" in raw[: envelope.LONGEST] or raw[:1] == "{":
            return None
        found = envelope.parse(raw)
        if found.rank != envelope.STAMPED or found.level is None:
            return None
        self.length = found.end
        time = seconds_of(seconds)
        if time is None:
            time = self.clock.read(found.stamp) if found.stamp else None
        known = Head(time, found.host or host, found.log, found.level)
        if len(self.heads) > MOST_HEADS:
            self.heads.clear()
        self.heads[raw[: found.end], seconds, host] = known
        return known

    def slowly(self, raw, seconds, host, take):
        """Any text: several lines, wrapped lines, JSON, no envelope."""
        time = seconds_of(seconds)
        stream = Stream(_Timed(take, time), self.clock, host or None)
        for line in raw.split("\n"):
            stream.line(line)
        stream.end()


class _Timed:
    """Passes on what a stream finds, under Splunk's time."""

    def __init__(self, take, time):
        self._take = take
        self._time = time

    def take(self, head, spec, found):
        if self._time is not None:
            base = head.base
            head = Head(self._time, head.host, base.get("esa_log"), base.get("esa_level"))
        self._take(head, spec, found)


class RowCommand:
    """Mixed into the SDK's commands: reads a chunk as a Table, writes text, and says at the end what was broken."""

    field = Option(
        doc="""
        **Syntax:** field=<field>
        **Description:** The field that holds the log line. Default: _raw""",
        default="_raw",
        validate=validators.Match("field name", r"[^\s\"',]+$"),
    )

    # Options that the SDK gives every command; a search has no business with files on the server.
    record = False
    logging_configuration = None

    broken = 0
    first = ""
    seen = 0

    def _execute_chunk_v2(self, process, chunk):  # noqa: ARG002 - the SDK's signature
        table = Table(chunk[1])
        self.seen += len(table.cells)
        self.broken += table.broken
        self.first = self.first or table.first
        self.chunk(table)
        if self._finished:
            self.last_words()

    def chunk(self, table):
        """Work on the rows of one chunk. `self._finished` tells whether it is the last one."""
        raise NotImplementedError

    def unreadable(self, number, error):
        """Note a row on which the extraction failed."""
        self.broken += 1
        self.first = self.first or f"row {number} of a chunk: {type(error).__name__}"

    def last_words(self):
        """Name in the job's messages what could not be read."""
        if self.broken:
            self.write_warning("{}", f"{self.name}: {self.broken} broken rows besides {self.seen} read; the first: {self.first}")
            self.broken, self.first = 0, ""

    def write_lines(self, lines):
        """Put a chunk's answer into the SDK's buffer: the line of column names, then a line per row."""
        writer = self._record_writer
        writer._buffer.write("\n".join(lines))  # noqa: SLF001 - the SDK's own buffer, see above
        writer._buffer.write("\n")  # noqa: SLF001
        writer._pending_record_count += len(lines) - 1  # noqa: SLF001
