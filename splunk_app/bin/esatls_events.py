"""The search command `esatls`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import esatls_splunk
from esatls.clock import rfc3339
from esatls.fields import FIELDS
from esatls.kinds import MAIL_FLOW, TLS_KINDS
from esatls.match import MATCHERS_BY_START, event_of
from splunklib.searchcommands import Configuration, Option, StreamingCommand, dispatch, validators

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterator, Sequence

    from esatls.match import Spec
    from esatls.stream import Head
    from esatls_splunk import Block, Table

HEAD_NAMES = ("time", "esa_host", "esa_log", "esa_level")
BODY_NAMES = tuple(field.name for field in FIELDS if field.name not in HEAD_NAMES)
LISTS = tuple(field.name for field in FIELDS if field.type in {"integers", "keywords"})
NUMBERS = frozenset(field.name for field in FIELDS if field.type == "integer")
NAMES = HEAD_NAMES + BODY_NAMES
CEF_ABOUT_TLS = {"tls_in_result", "tls_out_result", "dane_status"}
NOTHING = "," * (len(NAMES) + len(LISTS))


class Shape:
    """How the fields of one pattern stand in a row: a template that the groups of a match fill."""

    __slots__ = ("commas", "flow", "groups", "rid", "safe", "spec", "template")

    def __init__(self, spec: Spec) -> None:
        """Lay out the columns of one pattern; `template` stays None where an event is more than constants and groups."""
        self.spec = spec
        self.template: str | None = None
        self.flow: int | None = None
        self.rid: int | None = None
        names = set(spec.groups)
        # these two tell the flow of mail; it is a column of its own, behind all others that these patterns fill
        flow = names & {"hat_action", "policy_table"}
        filled = [name for name in BODY_NAMES if name in names]
        if flow:
            self.flow = spec.groups[flow.pop()]
            filled.append("mail_flow")
        if filled != [name for name in BODY_NAMES if name in filled] or spec.kind == "consolidated_event":
            filled = []
        self.groups = tuple(spec.groups[name] for name in filled if name in names)
        if not self.groups:
            return
        self.safe = names <= NUMBERS
        self.rid = filled.index("rid") if "rid" in filled else None
        self.template = "".join("," + ("%s" if name in filled else spec.constants.get(name, "")) for name in BODY_NAMES) + "," * len(LISTS)
        self.commas = self.template.count(",")

    def fill(self, found: re.Match[str]) -> str:
        """Return the cells of a match as text, each with a comma before it."""
        if self.template is not None:
            values = found.group(*self.groups)
            if values.__class__ is str:
                values = (values,)
            elif None in values:
                values = tuple([value or "" for value in values])
            if self.flow is not None:
                values += (MAIL_FLOW.get(found[self.flow], ""),)
            if self.rid is None or values[self.rid].isdigit():
                text = self.template % values
                raw = found.string
                # strangers' words may hold what CSV must quote
                if self.safe or ('"' not in raw and ("," not in raw or text.count(",") == self.commas)):
                    return text
        return cells_of_event(event_of(self.spec, found), BODY_NAMES)


class Plans(dict):  # type: ignore[type-arg] # Splunk 9 runs it on Python 3.9
    """First characters of a text -> how to match it, and the shape of what each of its patterns finds; made when first asked for."""

    def __missing__(self, start: str) -> tuple[Callable[..., re.Match[str] | None], dict[int, Shape]] | None:
        """Make the plan of a beginning; None, and nothing kept, where no pattern begins so."""
        matcher = MATCHERS_BY_START[start]
        if matcher is None:
            return None
        plan = self[start] = matcher.fullmatch, {number: Shape(spec) for number, spec in matcher.specs.items()}
        return plan


def speaks_of_tls(spec: Spec, found: re.Match[str]) -> bool:
    """Whether a match is a TLS line, or a consolidated event that says something of TLS."""
    if spec.kind == "consolidated_event":
        return not CEF_ABOUT_TLS.isdisjoint(event_of(spec, found))
    return spec.kind in TLS_KINDS


def cells_of_event(event: dict[str, Any], names: Sequence[str]) -> str:
    """Return the fields of an event as text, each with a comma before it; an absent field is an empty cell."""
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

    def prepare(self) -> None:
        """Ask splunkd for the source field alone: it keeps the other fields and merges them itself."""
        self.configuration.required_fields = [self.field, "host", "_time"]
        self.reader = esatls_splunk.Reader()
        self.plans = Plans()
        self.words: dict[tuple[str, str, str], str] = {}

    def stream(self, records: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Not called: `chunk` takes the rows."""
        raise NotImplementedError

    def chunk(self, table: Table) -> None:
        """Answer each row with its own text and the new columns, all of them announced."""
        if not table.names:
            return
        names = [self.prefix + name for name in NAMES] + [esatls_splunk.MULTI + self.prefix + name for name in LISTS]
        fresh = [name for name in names if name not in table.names]
        lines = [",".join([table.head, *fresh])]
        for block in table.blocks():
            added = self.added(table, block)
            if len(fresh) == len(names):
                lines += map(str.__add__, block.texts, added)
            else:
                lines += esatls_splunk.overwritten(table.names, names, block.texts, added)
        self.write_lines(lines)

    def added(self, table: Table, block: Block) -> list[str]:
        """Return the new cells of each row as text, each cell with a comma before it."""
        lines = []
        append = lines.append
        tls_only, reader, plans = self.tls_only, self.reader, self.plans
        known, length = reader.known, reader.length
        plain = block.plain
        head = prefix = latest_host = latest_seconds = None
        for raw, host, seconds in zip(block.raws, block.hosts, block.times):
            try:
                if tls_only and "TLS" not in raw:
                    append(NOTHING)
                    continue
                if not plain and not raw.isprintable():
                    append(self.slowly(raw, seconds, host))
                    continue
                # neighbours mostly share their envelope: else it is one look-up, and read only when it is new
                if prefix is None or not raw.startswith(prefix) or seconds != latest_seconds or host != latest_host:
                    head = known.get((raw[:length], seconds, host)) or self.head(raw, seconds, host)
                    if head is None:
                        prefix = None
                        append(self.slowly(raw, seconds, host))
                        continue
                    length = reader.length
                    prefix, latest_seconds, latest_host = raw[:length], seconds, host
                start = raw[length : length + 4]
                plan = plans[start]
                found = plan[0](raw, length) if plan is not None else None
                if found is None:
                    append(NOTHING if start != "CEF:" else self.slowly(raw, seconds, host))
                    continue
                shape = plan[1][found.lastindex]
                if tls_only and not speaks_of_tls(shape.spec, found):
                    append(NOTHING)
                else:
                    append(head + shape.fill(found))
            except Exception as error:  # noqa: BLE001 - whatever a stranger's line does, the search goes on
                self.unreadable(table.rows - len(block.texts) + len(lines) + 1, error)
                append(NOTHING)
        return lines

    def head(self, raw: str, seconds: str, host: str) -> str | None:
        """Return the cells of an event's envelope as text, each with a comma before it; None where there is no whole envelope."""
        found = self.reader.envelope(raw, seconds)
        if found is None:
            return None
        time, read = found
        words = (read.host or host, read.log or "", read.level or "")
        cells = self.words.get(words)
        if cells is None:
            cells = self.words[words] = esatls_splunk.csv_line(words)
        text = self.reader.known[raw[: read.end], seconds, host] = f",{'' if time is None else rfc3339(time)},{cells}"
        return text

    def slowly(self, raw: str, seconds: str, host: str) -> str:
        """As `added`, for one event of any text; of several lines in one event, the first that says something counts."""
        events: list[dict[str, Any]] = []

        def take(head: Head, spec: Spec, found: re.Match[str]) -> None:
            if not self.tls_only or speaks_of_tls(spec, found):
                events.append({**head.base, **event_of(spec, found)})

        self.reader.slowly(raw, seconds, host, take)
        return cells_of_event(events[0], NAMES) if events else NOTHING


if __name__ == "__main__":
    dispatch(EsatlsCommand, sys.argv, sys.stdin, sys.stdout, __name__)
