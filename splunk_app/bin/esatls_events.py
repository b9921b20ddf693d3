"""The search command `esatls`."""

import sys

import esatls_splunk
from esatls.fields import FIELDS
from esatls.kinds import TLS_KINDS
from esatls.match import MATCHERS_BY_START, event_of
from splunklib.searchcommands import Configuration, Option, StreamingCommand, dispatch, validators

HEAD_NAMES = ("time", "esa_host", "esa_log", "esa_level")
BODY_NAMES = tuple(field.name for field in FIELDS if field.name not in HEAD_NAMES)
LISTS = tuple(field.name for field in FIELDS if field.type in {"integers", "keywords"})
NUMBERS = frozenset(field.name for field in FIELDS if field.type == "integer")
NAMES = HEAD_NAMES + BODY_NAMES
WANTED = TLS_KINDS | {"consolidated_event"}
NOTHING = "," * (len(NAMES) + len(LISTS))


class Shape:
    """How the fields of one pattern stand in a row: a template that the groups of a match fill."""

    __slots__ = ("commas", "groups", "numeric", "rid", "template")

    def __init__(self, spec):
        """Lay out the columns of one pattern; `template` stays None where an event is more than constants and groups."""
        names = set(spec.groups)
        self.template = None
        self.rid = None
        if not names or not names <= set(BODY_NAMES) or names & {"hat_action"} or spec.kind == "consolidated_event":
            return
        filled = [name for name in BODY_NAMES if name in names]
        self.groups = tuple(spec.groups[name] for name in filled)
        self.numeric = names <= NUMBERS
        self.rid = filled.index("rid") if "rid" in names else None
        self.template = "".join("," + ("%s" if name in names else spec.constants.get(name, "")) for name in BODY_NAMES) + "," * len(LISTS)
        self.commas = self.template.count(",")

    def fill(self, spec, found):
        """The cells of a match as text, each with a comma before it."""
        if self.template is not None:
            values = found.group(*self.groups)
            if values.__class__ is str:
                values = (values,)
            elif None in values:
                values = tuple([value or "" for value in values])
            if self.rid is None or values[self.rid].isdigit():
                text = self.template % values
                if self.numeric or (text.count(",") == self.commas and '"' not in text):
                    return text
        return cells_of_event(event_of(spec, found), BODY_NAMES)


def cells_of_event(event, names):
    """The fields of an event as text, each with a comma before it; an absent field is an empty cell."""
    pairs = {name: esatls_splunk.cells_of(event[name]) for name in names if name in event}
    cells = [pairs[name][0] if name in pairs else "" for name in names]
    cells += [pairs[name][1] if name in pairs else "" for name in LISTS]
    return "," + esatls_splunk.csv_line(cells)


@Configuration(required_fields=["_raw", "host", "_time"])
class EsatlsCommand(esatls_splunk.RowCommand, StreamingCommand):
    """Adds what a Cisco ESA log line says to each event.

    ##Syntax
    esatls (field=<field>)? (tls_only=<bool>)? (prefix=<string>)?

    ##Description
    Reads each event's text as one line of a Cisco ESA mail log or consolidated event, in any envelope, and adds the fields of its kind:
    esa_event, icid, dcid, mid, tls_result, tls_version, tls_cipher, tls_reason and more. Events that are no ESA lines pass unchanged.

    ##Example
    ``index=email sourcetype=cisco:esa:textmail | esatls | stats count BY esa_direction, tls_result``
    """

    tls_only = Option(
        doc="""
        **Syntax:** tls_only=<bool>
        **Description:** Adds fields to TLS lines and consolidated events only. Default: false""",
        default=False,
        validate=validators.Boolean(),
    )
    prefix = Option(
        doc="""
        **Syntax:** prefix=<string>
        **Description:** Put before the name of each added field. Default: nothing""",
        default="",
        validate=validators.Match("prefix", r"(?:[A-Za-z]\w*)?$"),
    )

    def prepare(self):
        """Ask splunkd for the source field alone: it keeps the other fields and merges them itself."""
        self.configuration.required_fields = [self.field, "host", "_time"]
        self.reader = esatls_splunk.Reader()
        self.shapes = {}

    def stream(self, records):
        """Not called: `chunk` takes the rows."""
        raise NotImplementedError

    def chunk(self, table):
        """Answer each row with its own text and the new columns, all of them announced."""
        if not table.names:
            return
        names = [self.prefix + name for name in NAMES] + [esatls_splunk.MULTI + self.prefix + name for name in LISTS]
        added = self.added(table)
        if set(names).isdisjoint(table.names):
            self.write_lines([table.head + "," + ",".join(names), *map(str.__add__, table.texts, added)])
        else:
            self.write_lines(esatls_splunk.overwritten(table, names, added))

    def added(self, table):
        """The new cells of each row as text, each cell with a comma before it."""
        place, host_place, time_place = table.place(self.field), table.place("host"), table.place("_time")
        lines = []
        if place is None:
            return [NOTHING] * len(table.texts)
        append = lines.append
        plain, tls_only, reader, shapes = table.plain, self.tls_only, self.reader, self.shapes
        heads, length, matchers = reader.heads, reader.length, MATCHERS_BY_START
        host = seconds = ""
        for cells in table.cells:
            try:
                raw = cells[place]
                if tls_only and "TLS" not in raw:
                    append(NOTHING)
                    continue
                if host_place is not None:
                    host = cells[host_place]
                if time_place is not None:
                    seconds = cells[time_place]
                if not plain and not raw.isprintable():
                    append(self.slowly(raw, seconds, host))
                    continue
                head = heads.get((raw[:length], seconds, host))
                if head is None:
                    head = reader.head(raw, seconds, host)
                    if head is None:
                        append(self.slowly(raw, seconds, host))
                        continue
                    length = reader.length
                    head.store = "," + esatls_splunk.csv_line([head.base.get(name, "") for name in HEAD_NAMES])
                # one look-up for the envelope, one match for the text
                matcher = matchers[raw[length : length + 4]]
                found = matcher.fullmatch(raw, length) if matcher is not None else None
                if found is None:
                    append(NOTHING)
                    continue
                spec = matcher.specs[found.lastindex]
                if tls_only and spec.kind not in WANTED:
                    append(NOTHING)
                    continue
                shape = shapes.get(spec.name)
                if shape is None:
                    shape = shapes[spec.name] = Shape(spec)
                append(head.store + shape.fill(spec, found))
            except Exception as error:  # noqa: BLE001 - whatever a stranger's line does, the search goes on
                self.unreadable(len(lines) + 1, error)
                append(NOTHING)
        return lines

    def slowly(self, raw, seconds, host):
        """As `added`, for one event of any text; of several lines in one event, the first that says something counts."""
        events = []
        self.reader.slowly(raw, seconds, host, lambda head, spec, found: events.append({**head.base, **event_of(spec, found)}))
        if self.tls_only:
            events = [event for event in events if event["esa_event"] in WANTED]
        return cells_of_event(events[0], NAMES) if events else NOTHING


if __name__ == "__main__":
    dispatch(EsatlsCommand, sys.argv, sys.stdin, sys.stdout, __name__)
