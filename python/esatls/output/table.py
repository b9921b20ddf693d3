"""Records -> a table for people; of messages and connections, it has only the most important columns, unless others are chosen."""

from __future__ import annotations

import io
import textwrap
from typing import IO, TYPE_CHECKING, Any, Callable

from esatls.output.text import printable
from esatls.verdicts.flat import cell, flat
from esatls.verdicts.words import STYLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rich.console import Console
    from rich.text import Text

_GAP = 2
_WHOLE = ("time", "opened", "mid", "icid", "dcid", "id")
"""Columns that are not wrapped on a narrow terminal."""


def write(records: Iterable[Mapping[str, object]], file: IO[bytes], names: list[str], chosen: Sequence[str] = ()) -> int:
    """Write records as a table with the chosen columns, else the most important ones that have a value; return how many there were."""
    from esatls.output.console import Console

    found = list(records)
    rows = [flat(record) if chosen else _SUMMARIES[_kind(record)](record) for record in found]
    seen = {name for row in rows for name, value in row.items() if value}
    order = names if rows and _kind(found[0]) == "event" else list(rows[0]) if rows else []
    used = chosen or [name for name in order if name in seen]
    text = io.TextIOWrapper(file, encoding="utf-8", write_through=True)
    show(Console(text), used, [[_shown(row.get(name)) for name in used] for row in rows], _style, _WHOLE)
    text.detach()
    return len(found)


def show(console: Console, names: Sequence[str], rows: Sequence[Sequence[str]], style: Callable[[str], str], whole: Sequence[str] = ()) -> None:
    """Print rows as a table; if the terminal is too narrow for the longest words, print each row as a block of lines. No word is split.

    Columns named in `whole` are not wrapped between words either. `style` gives the style of a value.
    """
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    if not console.is_terminal:
        _as_it_is(console.file, names, rows)
        return
    least, most = [], []
    for at, name in enumerate(names):
        cells = [name, *(row[at] for row in rows)]
        words = (word for cell in cells for word in ([cell] if name in whole else cell.split()))
        least.append(max(map(cell_len, words), default=0))
        most.append(max(map(cell_len, cells)))
    styled = [[Text(cell, style=style(cell)) for cell in row] for row in rows]
    room = console.width - _GAP * (len(least) - 1)
    if sum(least) > room:
        _below(console, names, styled)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, width in zip(names, _widths(least, most, room)):
        table.add_column(name, width=width, no_wrap=name in whole)
    for row in styled:
        table.add_row(*row)
    console.print(table)


def _widths(least: Sequence[int], most: Sequence[int], room: int) -> list[int]:
    """Return the widths of columns that fit into the room: not less than their longest words; those that need least get the rest first.

    Left to itself, rich makes columns wider than the terminal, and cuts off the last one.
    """
    widths = [*least]
    for at in sorted(range(len(least)), key=lambda at: most[at] - least[at]):
        widths[at] += min(most[at] - least[at], room - sum(widths))
    return widths


def _as_it_is(file: IO[str], names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write a table of any width: without rich, which cuts off what is wider than its console, and takes a hundred times longer."""
    from rich.cells import cell_len

    widths = [max(map(cell_len, (name, *(row[at] for row in rows)))) for at, name in enumerate(names)]
    for row in (names, *rows):
        file.write((" " * _GAP).join(cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths)) + "\n")


def _below(console: Console, names: Sequence[str], rows: Sequence[Sequence[Text]]) -> None:
    """Print each row as lines of a name and its value, without empty values, and an empty line after each row."""
    from rich.text import Text

    width = max(map(len, names))
    for row in rows:
        for name, value in zip(names, row):
            if value.plain:
                lines = textwrap.wrap(value.plain, max(console.width - width - _GAP, 1), break_long_words=False, break_on_hyphens=False)
                for at, line in enumerate(lines):
                    head = Text(f"{'' if at else name:<{width + _GAP}}", style="bold")
                    console.print(head + Text(line, style=value.style), soft_wrap=True)
        console.print()


def _kind(record: Mapping[str, Any]) -> str:
    return "message" if "delivered" in record else "connection" if "tls_verdict" in record else "event"


def _message_row(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns that matter most to people in a message."""
    deliveries = record["deliveries"]
    done = [attempt for attempt in deliveries if attempt.get("outcome") == "done"]
    why = [why_of(record["received"], record.get("received_reason")), *(why_of(attempt["verdict"], attempt.get("reason")) for attempt in deliveries)]
    if record["delivered"] == "none":
        why += [": ".join(filter(None, (attempt.get("outcome"), attempt.get("response")))) for attempt in deliveries]
    return {
        "time": record.get("first_seen"),
        "esa_host": record.get("esa_host"),
        "mid": record["mid"],
        "sender": record.get("sender"),
        "recipients": record.get("recipients"),
        "received": _over(record["received"], [record.get("received_tls_version")]),
        "delivered": _over(record["delivered"], [attempt.get("tls_version") for attempt in done]),
        "made from": f"{record['parent_mid']} ({record['mid_relation']})" if "parent_mid" in record else None,
        "why": list(dict.fromkeys(reason for reason in why if reason)),
    }


def _connection_row(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns that matter most to people in a connection."""
    return {
        "opened": record.get("opened"),
        "esa_host": record.get("esa_host"),
        "direction": record["esa_direction"],
        "id": record.get("icid", record.get("dcid")),
        "peer": record.get("peer_host") or record.get("peer_ip"),
        "domain": record.get("domain"),
        "messages": record["messages"],
        "verdict": _over(record["tls_verdict"], [record.get("tls_version")]),
        "cipher": record.get("tls_cipher"),
        "why": why_of(record["tls_verdict"], record.get("tls_reason")),
    }


_SUMMARIES: dict[str, Callable[[Mapping[str, Any]], Mapping[str, Any]]] = {
    "message": _message_row,
    "connection": _connection_row,
    "event": lambda record: record,
}


def why_of(verdict: str, reason: str | None) -> str | None:
    """Return the reason in the log, for people; clear text without one is that neither side started TLS."""
    return reason or ("TLS not started" if verdict == "cleartext" else None)


def _over(verdict: str, versions: list[str | None]) -> str:
    return " ".join([verdict, *sorted({version for version in versions if version})])


def _style(value: str) -> str:
    return STYLES.get(value.split(" ", maxsplit=1)[0], "")


def _shown(value: Any) -> str:
    return "" if value is None else printable(", ".join(map(str, value)) if isinstance(value, list) else cell(value))
