"""Code shared by `esatlsconnections`, `esatlsmessages` and `esatlssummary`: events to facts on the indexers, facts to rows on the search head.

`map` and `reduce` read the same rows: one with a filled `esatls_facts` cell comes from a map, any other is an event. So a search works whether or not
splunkd runs the map, and facts may come in any order, in any number of chunks, and more than once. A map without facts sends instead whether any of its
events had the field that contains the lines; the reduce reports once if none had it.

Only if an option asks for it, a command reads rows of the summary index (`esatls_windows`) instead of lines; a map passes them on unchanged.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import esatls_lib  # noqa: F401 - must come first: it adds lib/ to the path
from esatls.extraction.heads import Head
from esatls.extraction.match import START
from esatls.verdicts.facts import Facts
from esatls.verdicts.hosts import appliances, under_two_names
from esatls_cells import MULTI, cells_of, quoted
from esatls_command import RowCommand
from esatls_lines import RowReader
from esatls_tables import FACTS
from splunklib.searchcommands import Option, ReportingCommand, validators

if TYPE_CHECKING:
    from collections.abc import Iterator

    from esatls.verdicts.contradictions import Contradictions
    from esatls_tables import Block, Place, Table
    from esatls_windows import Index

TEXTS = "true"
"""Sent by a map without facts if any of its events had the field that contains the lines."""
NO_TEXTS = "false"
"""Sent by a map without facts if none of its events had that field."""
FIRST_MARK = ord(" ")
"""The first character that stands for an envelope. There are enough after it for all rows of a block, and none is a line feed."""


class VerdictCommand(RowCommand, ReportingCommand):
    """A reporting command that returns one row per record."""

    # the columns of a row; each command sets them
    columns: tuple[str, ...] = ()
    reads_summary = False
    """Whether the command reads rows of the summary index."""
    left_out = 0
    """Number of rows that came after `limit` was reached."""

    limit = Option(
        doc="""
        **Syntax:** limit=<int>
        **Description:** Maximum number of connections and messages to keep in memory, about 3 KB each. Default: 1000000""",
        default=1_000_000,
        validate=validators.Integer(1),
    )

    def prepare(self) -> None:
        """In the reduce, ask splunkd for the fields of events and of a map's rows. A map asks for none: it gets whole events."""
        super().prepare()
        if self.phase == "reduce":
            self.configuration.required_fields = [self.field, "host", "_time", FACTS]
        self.reader = RowReader()
        self.facts = Facts()
        if self.phase != "map":
            self.start_judging()
        self.handed_on: list[str] = []
        """Rows of the summary index that a map passes on to its reduce."""
        self.told = False
        self.places = {name: place for place, name in enumerate(self.columns)}

    def start_judging(self) -> None:
        """Load what only a reduce needs: a map starts on each indexer for each search, and should start fast."""
        from esatls.verdicts.contradictions import Contradictions
        from esatls_windows import Index

        self.contradictions: Contradictions = Contradictions()
        self.index: Index = Index()

    def chunk(self, table: Table) -> None:
        """Read facts from the rows. A map answers each chunk with its facts, a reduce answers the last chunk with the records."""
        self.take(table)
        if self.phase == "map":
            rows = self.handed_on or self.facts.dumps()
            self.facts, self.handed_on = Facts(), []
            self.reader.known.clear()  # it refers to the facts that were dropped
            if self._finished and not (self.told or rows) and (self.seen or table.rows):
                rows = [TEXTS if self.texts or table.texts else NO_TEXTS]
            if rows:
                self.told = True
                self.write_text([FACTS, *map(quoted, rows)], len(rows))
        elif self._finished:
            lines = [self.line(row) for row in self.rows()]
            for one in (*self.contradictions.found(), *under_two_names(appliances(self.facts.hosts).values())):
                self.write_warning("{}", f"{self.name}: {one}")
            if lines:
                multi = [MULTI + name for name in self.columns]
                self.write_text([",".join([*self.columns, *multi]), *lines], len(lines))

    def last_words(self) -> None:
        """Report rows that were left out; whether no event has the field is reported by the reduce, not the map."""
        self.texts |= self.phase == "map"
        if self.left_out:
            self.write_warning("{}", f"{self.name}: {self.too_much()}")
        super().last_words()

    def too_much(self) -> str:
        """Return a message about the rows that were left out, and what to do about it."""
        return (
            f"{self.left_out} rows were left out because the limit of {self.limit} connections and messages was reached: choose a shorter time range or a "
            "narrower search, read the records instead, or raise limit=<int> if the search head has enough memory"
        )

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the records as rows, in which a list is a multi-valued field, and note contradictions in `self.contradictions`."""
        raise NotImplementedError

    def line(self, row: dict[str, Any]) -> str:
        """Return a row as a line of CSV: the plain cells, then the multi-valued ones. `host` becomes the appliance."""
        cells = [""] * (2 * len(self.columns))
        if "esa_host" in row and "host" in self.places:
            cells[self.places["host"]] = quoted(row["esa_host"])
        for name, value in row.items():
            place = self.places.get(name)
            if place is not None:
                plain, multi = cells_of(value)
                cells[place] = quoted(plain)
                if multi:
                    cells[place + len(self.columns)] = quoted(multi)
        return ",".join(cells)

    def take(self, table: Table) -> None:
        """Add the facts of a chunk's rows."""
        for block in table.blocks():
            if self.is_full():
                self.left_out += len(block.texts)
            else:
                self.take_block(table, block)

    def is_full(self) -> bool:
        """Return whether `limit` is reached; never in a map, which keeps nothing from one chunk to the next."""
        if self.phase == "map":
            return False
        kept = self.index.kept if self.reads_summary else sum(len(store) for stores in self.facts.hosts.values() for store in stores)
        return kept >= self.limit

    def take_block(self, table: Table, block: Block) -> None:
        """Add the facts of a block of rows."""
        first = table.rows - len(block.texts) + 1
        if self.reads_summary:
            self.take_summary(block, first)
            return
        if self.phase == "reduce":
            self.take_facts(block, first)
        self.take_lines(block, first)

    def take_facts(self, block: Block, first: int) -> None:
        """Add the facts that a map sent; the number of the first row is `first`."""
        for number, (line, raw, place) in enumerate(zip(block.facts, block.raws, block.places), first):
            # Events have a host and a time, a map's rows have neither: without this check, a field that Splunk extracts from a log line could pass for facts.
            if line and not (raw or any(place)):
                self.texts |= line != NO_TEXTS
                try:
                    if line not in {TEXTS, NO_TEXTS}:
                        self.facts.loads([line])
                except Exception as error:  # noqa: BLE001 - as below
                    self.unreadable(number, error)

    def take_lines(self, block: Block, first: int) -> None:
        """Add what the lines in events say."""
        facts, reader, plain = self.facts, self.reader, block.plain
        known, length, take = reader.known, reader.length, facts.take
        # lines with a complete envelope are processed together, grouped by their first characters; a mark of one character replaces the envelope
        lines: defaultdict[str, list[str]] = defaultdict(list)
        marks: dict[Head, str] = {}
        prefix = latest = None
        mark = ""
        for number, (raw, place) in enumerate(zip(block.raws, block.places), first):
            try:
                if not raw:
                    continue
                if not plain and not raw.isprintable():
                    reader.slowly(raw, place, take)
                    continue
                # most neighbours share their envelope; others are looked up, and only new ones are parsed
                if place is not latest or not raw.startswith(prefix):
                    head = known.get((raw[:length], place)) or reader.again(raw, place) or self.head(raw, place)
                    if head is None:
                        latest = None
                        reader.slowly(raw, place, take)
                        continue
                    length = reader.length
                    prefix, latest = raw[:length], place
                    mark = marks.get(head) or marks.setdefault(head, chr(FIRST_MARK + len(marks)))
                start = raw[length : length + START]
                if start != "CEF:":
                    lines[start].append(mark + raw[length:])
                else:
                    reader.slowly(raw, place, take)
            except Exception as error:  # noqa: BLE001 - the search must go on, whatever is in a stranger's line
                self.unreadable(number, error)
        facts.take_usual(lines, {mark: head for head, mark in marks.items()}, 1)

    def take_summary(self, block: Block, first: int) -> None:
        """Add rows of the summary index, or pass them on in a map."""
        for number, (raw, handed_on) in enumerate(zip(block.raws, block.facts or [""] * len(block.raws)), first):
            if handed_on in {TEXTS, NO_TEXTS}:
                self.texts |= handed_on == TEXTS
                continue
            text = raw or handed_on
            if self.phase == "map":
                self.handed_on.append(text)
                continue
            try:
                self.texts = True
                if not self.index.add(text):
                    self.unreadable(number, "not a row of the summary index")
            except Exception as error:  # noqa: BLE001 - as above
                self.unreadable(number, error)

    def head(self, raw: str, place: Place) -> Head | None:
        """Return the head of an event; None: its text does not start with a complete envelope."""
        found = self.reader.envelope(raw, place.seconds)
        if found is None:
            return None
        time, read = found
        return self.reader.keep(raw, place, Head(time, read.host or place.host, read.log, read.level))


class SummaryReader(VerdictCommand):
    """A command that returns the same records from log lines or from the rows that `esatlssummary` wrote."""

    summary = Option(
        doc="""
        **Syntax:** summary=<bool>
        **Description:** Reads the rows that esatlssummary wrote to the summary index instead of log lines. Default: false""",
        default=False,
        validate=validators.Boolean(),
    )

    def prepare(self) -> None:
        """Note whether to read the summary index instead of lines."""
        super().prepare()
        self.reads_summary = self.summary
