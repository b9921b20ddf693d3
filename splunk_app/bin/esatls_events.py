"""The search command `esatls`."""

from __future__ import annotations

import csv
import sys
from typing import TYPE_CHECKING, Any

import esatls_lib  # noqa: F401 - must come first: it adds lib/ to the path
from esatls.extraction.fields import FIELDS
from esatls.extraction.heads import MOST_HEADS
from esatls.extraction.kinds import CEF_ABOUT_TLS, MAIL_FLOW, TLS_KINDS
from esatls.extraction.match import LONGEST_NUMBER, MATCHERS_BY_START, START, event_of, front_of
from esatls.lines.clock import rfc3339
from esatls_cells import MULTI, cells_of, csv_line, quoted
from esatls_command import RowCommand
from esatls_lines import RowReader
from esatls_tables import overwritten
from splunklib.searchcommands import Configuration, Option, StreamingCommand, dispatch, validators

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from esatls.extraction.heads import Head
    from esatls.extraction.match import Spec
    from esatls_tables import Block, Place, Table

HEAD_NAMES = ("time", "esa_host", "esa_log", "esa_level")
BODY_NAMES = tuple(field.name for field in FIELDS if field.name not in HEAD_NAMES)
LISTS = tuple(field.name for field in FIELDS if field.type in {"integers", "keywords"})
NUMBERS = frozenset(field.name for field in FIELDS if field.type == "integer")
NAMES = HEAD_NAMES + BODY_NAMES
FOREIGN = frozenset({"action"})
"""Fields with a different meaning elsewhere: in CIM, action is what was done about an event. They are only added if there is a prefix."""


class Rids(dict):  # type: ignore[type-arg] # Splunk 9 runs it on Python 3.9
    """Recipient ids as in the log -> their plain and their multi-valued cell. Most lines have one of a few lists."""

    def __missing__(self, text: str) -> tuple[str, str]:
        """Read a list of ids."""
        if len(self) > MOST_HEADS:
            self.clear()
        plain, multi = cells_of([int(rid) for rid in text.replace(",", " ").split() if len(rid) <= LONGEST_NUMBER])
        cells = self[text] = quoted(plain), quoted(multi)
        return cells


RIDS = Rids()


class Shape:
    """The cells of a pattern's fields in a row: constants and commas, with gaps for the groups of a match."""

    __slots__ = ("often", "parts", "spec")

    def __init__(self, spec: Spec, columns: Sequence[str]) -> None:
        """Lay out the columns of one pattern."""
        self.spec = spec
        names = set(spec.groups)
        filled = [name for name in columns if name in names]
        # these two give the mail flow, whose column comes after all others of their patterns, like the list of ids in other patterns
        flow = names & {"hat_action", "policy_table"}
        rid = 2 + 2 * filled.index("rid") if "rid" in filled else None
        groups = tuple(spec.groups[name] for name in filled)
        if flow:
            filled.append("mail_flow")
        if filled != [name for name in columns if name in filled] or spec.kind == "consolidated_event" or (flow and rid):
            # constants and groups are not enough for the event
            groups = ()
        # the number is the first group, and fills the first cell
        self.often = spec.front != "" and groups[:1] == (min(spec.groups.values()),)
        text = "".join("," + ("\0" if name in filled else spec.constants.get(name, "")) for name in columns)
        text += "".join("," + ("\0" if name in filled else "") for name in LISTS)
        # words of strangers may contain commas
        commas = 0 if names <= NUMBERS | {"rid"} else text.count(",")
        # the envelope's cells, a constant, then values and constants in turn
        constants = text.split("\0")
        pieces = [""] * (2 * len(constants))
        pieces[1::2] = constants
        self.parts = columns, groups, pieces, slice(2, 2 + 2 * len(groups), 2), rid, spec.groups[flow.pop()] if flow else None, commas

    def fill(self, head: str, found: re.Match[str]) -> str:
        """Return the cells of an event as text, each with a comma before it: first those of its envelope (`head`), then those of a match."""
        columns, groups, pieces, places, rid, flow, commas = self.parts
        if not groups:
            return head + cells_of_event(event_of(self.spec, found), columns)
        values: Any = found.group(*groups)
        if values.__class__ is str:
            pieces[2] = values
        else:
            pieces[places] = [value or "" for value in values] if None in values else values
        if rid is not None:
            pieces[rid], pieces[-2] = RIDS[pieces[rid]]
        elif flow is not None:
            pieces[-2] = MAIL_FLOW.get(found[flow], "")
        pieces[0] = head
        text = "".join(pieces)
        if commas:
            # words of strangers may contain characters that need quotes in CSV
            raw = found.string
            if '"' in raw or ("," in raw and text.count(",") != commas + head.count(",")):
                return head + cells_of_event(event_of(self.spec, found), columns)
        return text


Plan = tuple[str, "dict[str, tuple[str, str]]", "list[int]", "Callable[..., re.Match[str] | None]", "dict[int, Shape]"]
"""How to read texts that begin with the same characters. Many differ only in a number, so that the cells for the rest can be kept.

The text in front of the number (`match.front_of`); the text behind the number -> the cells before and behind that of the number; where the latest number
ended; the function that matches the texts; and the shape for each pattern. It is a tuple because it is unpacked for each row.
"""


def learn(plan: Plan, shape: Shape, found: re.Match[str], start: int, cells: str) -> None:
    """Keep the cells of a text that began at `start` and is likely to come again with another number."""
    front, tails, ends, *_ = plan
    _, (number, *_), pieces, *_ = shape.parts
    end = found.end(number)
    tail = found.string[end:]
    # texts with an address are repeated too seldom
    if shape.spec.front != front or "<" in tail:
        return
    if len(tails) >= MOST_HEADS:
        tails.clear()
    before = pieces[1]
    ends[0] = end - start
    tails[tail] = before, cells[len(before) + len(found[number]) :]


class Plans(dict):  # type: ignore[type-arg] # Splunk 9 runs it on Python 3.9
    """First characters of a text -> its plan, which is made when first needed."""

    def __init__(self, columns: Sequence[str]) -> None:
        """Start without plans. `columns` come after those of the envelope."""
        super().__init__()
        self.columns = columns

    def __missing__(self, start: str) -> Plan | None:
        """Make and keep the plan for texts that begin like this; None: no pattern does."""
        matcher = MATCHERS_BY_START[start]
        if matcher is None:
            return None
        shapes = {number: Shape(spec, self.columns) for number, spec in matcher.specs.items()}
        plan: Plan = front_of(matcher.specs), {}, [0], matcher.fullmatch, shapes
        self[start] = plan
        return plan


def speaks_of_tls(spec: Spec, found: re.Match[str]) -> bool:
    """Return whether a match is a TLS line, or a consolidated event with fields about TLS or DANE."""
    if spec.kind == "consolidated_event":
        return not CEF_ABOUT_TLS.isdisjoint(event_of(spec, found))
    return spec.kind in TLS_KINDS


def cells_of_event(event: dict[str, Any], names: Sequence[str]) -> str:
    """Return the fields of an event as text, each with a comma before it; an absent field is an empty cell."""
    pairs = {name: cells_of(event[name]) for name in names if name in event}
    cells = [pairs[name][0] if name in pairs else "" for name in names]
    cells += [pairs[name][1] if name in pairs else "" for name in LISTS]
    return "," + csv_line(cells)


@Configuration(required_fields=["_raw", "host", "_time"])
class EsatlsCommand(RowCommand, StreamingCommand):
    """Adds what a Cisco ESA log line says to each event.

    ##Syntax
    esatls (field=<field>)? (tls_only=<bool>)? (prefix=<string>)?

    ##Description
    Reads each event's text as one line of a Cisco ESA mail log or consolidated event, in any envelope, and adds the fields of its kind:
    esa_event, icid, dcid, mid, tls_result, tls_version, tls_cipher, tls_reason and more. Events that are not ESA lines pass unchanged. No single line
    shows that there was no TLS: to find that out, join the lines with esatlsconnections or esatlsmessages.

    ##Example
    ``index=email sourcetype=cisco:esa:textmail | fields _time, host, _raw | esatls | stats count BY esa_direction, tls_result``
    """

    tls_only = Option(
        doc="""
        **Syntax:** tls_only=<bool>
        **Description:** Adds fields only to TLS lines, and to consolidated events with fields about TLS or DANE. Default: false""",
        default=False,
        validate=validators.Boolean(),
    )
    prefix = Option(
        doc="""
        **Syntax:** prefix=<string>
        **Description:** Text to put before the name of each added field. Default: none""",
        default="",
        validate=validators.Match("prefix", r"(?:[A-Za-z]\w*)?$"),
    )

    def prepare(self) -> None:
        """Ask splunkd only for the fields that are read: it keeps the others and merges them itself."""
        super().prepare()
        self.configuration.required_fields = [self.field, "host", "_time"]
        self.reader = RowReader()
        self.names = [name for name in NAMES if self.prefix or name not in FOREIGN]
        self.nothing = "," * (len(self.names) + len(LISTS))
        self.plans = Plans(self.names[len(HEAD_NAMES) :])
        self.words: dict[tuple[str, str, str], str] = {}

    def stream(self, records: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Not called: `chunk` takes the rows."""
        raise NotImplementedError

    def chunk(self, table: Table) -> None:
        """Return each row's text with the new columns; with `tls_only`, only with those that have a value in any row."""
        if not table.names:
            return
        names = [self.prefix + name for name in self.names] + [MULTI + self.prefix + name for name in LISTS]
        blocks: Iterable[tuple[Block, list[str]]] = ((block, self.added(table, block)) for block in table.blocks())
        if self.tls_only:
            names, blocks = self.filled(names, list(blocks))
        fresh = [name for name in names if name not in table.names]
        pieces = [",".join([table.head, *fresh])]
        for block, added in blocks:
            if len(fresh) == len(names):
                pieces.append(block.answer(added))
            else:
                pieces += overwritten(table.names, names, [block.opening + text for text in block.texts], added)
        self.write_text(pieces, table.rows)

    def filled(self, names: list[str], blocks: list[tuple[Block, list[str]]]) -> tuple[list[str], list[tuple[Block, list[str]]]]:
        """Return the names and cells of the columns that have a value in any row."""
        texts = {text: next(csv.reader([text[1:]])) for _, added in blocks for text in added if text != self.nothing}
        places = [place for place in range(len(names)) if any(cells[place] for cells in texts.values())]
        empty = "," * len(places)
        kept = {text: "".join("," + quoted(cells[place]) for place in places) for text, cells in texts.items()}
        return [names[place] for place in places], [(block, [kept.get(text, empty) for text in added]) for block, added in blocks]

    def added(self, table: Table, block: Block) -> list[str]:
        """Return the new cells of each row as text, each cell with a comma before it."""
        lines = []
        append = lines.append
        tls_only, reader, plans, nothing = self.tls_only, self.reader, self.plans, self.nothing
        known, length = reader.known, reader.length
        plain = block.plain
        head = prefix = latest = None
        for raw, place in zip(block.raws, block.places):
            try:
                # a TLS line may be wrapped within a word
                if tls_only and "TLS" not in raw and "Dane" not in raw and "\n" not in raw:
                    append(nothing)
                    continue
                if not plain and not raw.isprintable():
                    append(self.slowly(raw, place))
                    continue
                # most neighbours share their envelope; others are looked up, and only new ones are parsed
                if place is not latest or not raw.startswith(prefix):
                    head = known.get((raw[:length], place)) or reader.again(raw, place) or self.head(raw, place)
                    if head is None:
                        latest = None
                        append(self.slowly(raw, place))
                        continue
                    length = reader.length
                    prefix, latest = raw[:length], place
                start = raw[length : length + START]
                plan = plans[start]
                if plan is None:
                    append(nothing if start != "CEF:" else self.slowly(raw, place))
                    continue
                front, tails, ends, fullmatch, shapes = plan
                if tails:
                    end = length + ends[0]
                    known_cells = tails.get(raw[end:])
                    if known_cells is not None and (front == start or raw.startswith(front, length)):
                        number = raw[length + len(front) : end]
                        if number.isdigit() and number.isascii():
                            before, after = known_cells
                            append(f"{head}{before}{number}{after}")
                            continue
                found = fullmatch(raw, length)
                if found is None:
                    append(nothing if start != "CEF:" else self.slowly(raw, place))
                    continue
                shape = shapes[found.lastindex]
                if tls_only and not speaks_of_tls(shape.spec, found):
                    append(nothing)
                    continue
                text = shape.fill(head, found)
                append(text)
                if shape.often:
                    learn(plan, shape, found, length, text[len(head) :])
            except Exception as error:  # noqa: BLE001 - the search must go on, whatever is in a stranger's line
                self.unreadable(table.rows - len(block.texts) + len(lines) + 1, error)
                append(nothing)
        return lines

    def head(self, raw: str, place: Place) -> str | None:
        """Return the cells of an event's envelope as text, each with a comma before it; None: there is no complete envelope."""
        found = self.reader.envelope(raw, place.seconds)
        if found is None:
            return None
        time, read = found
        words = (read.host or place.host, read.log or "", read.level or "")
        cells = self.words.get(words)
        if cells is None:
            cells = self.words[words] = csv_line(words)
        return self.reader.keep(raw, place, f",{'' if time is None else rfc3339(time)},{cells}")

    def slowly(self, raw: str, place: Place) -> str:
        """Return the new cells of an event with any text, like `added`; if it has several lines, the first ESA line counts."""
        events: list[dict[str, Any]] = []

        def take(head: Head, spec: Spec, found: re.Match[str]) -> None:
            if not self.tls_only or speaks_of_tls(spec, found):
                events.append({**head.base, **event_of(spec, found)})

        self.reader.slowly(raw, place, take)
        return cells_of_event(events[0], self.names) if events else self.nothing


if __name__ == "__main__":
    dispatch(EsatlsCommand, sys.argv, sys.stdin, sys.stdout, __name__)
