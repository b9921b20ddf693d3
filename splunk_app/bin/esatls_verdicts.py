"""What `esatlsconnections` and `esatlsmessages` share: events to facts on the indexers, facts to rows on the search head.

`map` and `reduce` read the same rows: a row with a filled `esatls_facts` cell was made by a map, any other is an event. So a search works
whether or not splunkd runs the map, and facts may come in any order, in any number of chunks, and more than once.
"""

import esatls_splunk
from esatls.facts import Facts
from esatls.match import MATCHERS_BY_START
from splunklib.searchcommands import ReportingCommand

FACTS = "esatls_facts"


class VerdictCommand(esatls_splunk.RowCommand, ReportingCommand):
    """A reporting command that ends in one row per record."""

    # the columns of a row, set by the commands
    columns = ()

    def prepare(self):
        """Ask splunkd for what an event and a map's row have; a map is sent whole events, since its rows are not events any more."""
        super().prepare()
        if self.phase == "reduce":
            self.configuration.required_fields = [self.field, "host", "_time", FACTS]
        self.reader = esatls_splunk.Reader()
        self.facts = Facts()

    def chunk(self, table):
        """Take facts from the rows. A map answers each chunk with its facts, a reduce answers the last one with the records."""
        self.take(table)
        if self.phase == "map":
            rows = self.facts.dumps()
            self.facts = Facts()
            for head in self.reader.heads.values():
                head.store = None  # it led into the facts that are gone
            if rows:
                self.write_lines([FACTS, *(esatls_splunk.csv_line([row]) for row in rows)])
        elif self._finished:
            lines = [self.line(row) for row in self.rows()]
            if lines:
                multi = [esatls_splunk.MULTI + name for name in self.columns]
                self.write_lines([",".join([*self.columns, *multi]), *lines])

    def rows(self):
        """Yield the records of `self.facts` as rows; a list becomes a multi-valued field."""
        raise NotImplementedError

    def line(self, row):
        """A row as one line of CSV."""
        pairs = [esatls_splunk.cells_of(row[name]) if name in row else ("", "") for name in self.columns]
        return esatls_splunk.csv_line([pair[0] for pair in pairs] + [pair[1] for pair in pairs])

    def take(self, table):
        """Add the facts of a chunk's rows."""
        place, host_place, time_place = table.place(self.field), table.place("host"), table.place("_time")
        facts_place = table.place(FACTS)
        facts, reader, plain = self.facts, self.reader, table.plain
        heads, length, matchers, take = reader.heads, reader.length, MATCHERS_BY_START, facts.take
        host = seconds = ""
        for number, cells in enumerate(table.cells, 1):
            try:
                if facts_place is not None and cells[facts_place]:
                    facts.loads([cells[facts_place]])
                    continue
                if place is None:
                    continue
                raw = cells[place]
                if host_place is not None:
                    host = cells[host_place]
                if time_place is not None:
                    seconds = cells[time_place]
                head = heads.get((raw[:length], seconds, host)) if plain or raw.isprintable() else None
                if head is None:
                    head = reader.head(raw, seconds, host) if plain or raw.isprintable() else None
                    if head is None:
                        if raw:
                            reader.slowly(raw, seconds, host, take)
                        continue
                    length = reader.length
                matcher = matchers[raw[length : length + 4]]
                found = matcher.fullmatch(raw, length) if matcher is not None else None
                if found is not None:
                    take(head, matcher.specs[found.lastindex], found)
            except Exception as error:  # noqa: BLE001 - whatever a stranger's line does, the search goes on
                self.unreadable(number, error)
