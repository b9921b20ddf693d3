"""Records -> a table for people: what they look for, in few columns."""

from __future__ import annotations

import io
from typing import IO, TYPE_CHECKING, Any, Callable

from esatls.output.text import printable
from esatls.verdicts.flat import cell
from esatls.verdicts.words import STYLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_WHOLE = ("time", "opened", "mid", "icid", "dcid", "id")
"""Columns that a narrow terminal does not break."""


def write(records: Iterable[Mapping[str, Any]], file: IO[bytes], names: list[str]) -> int:
    """Write records as a table, and return how many there were."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    found = list(records)
    rows = [_SUMMARIES[kind](record) for record in found for kind in (_kind(record),)]
    seen = {name for row in rows for name, value in row.items() if value}
    order = names if rows and _kind(found[0]) == "event" else list(rows[0]) if rows else []
    used = [name for name in order if name in seen]
    text = io.TextIOWrapper(file, encoding="utf-8", write_through=True)
    console = Console(file=text, markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = 10_000
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in used:
        table.add_column(name, overflow="fold", no_wrap=not console.is_terminal or name in _WHOLE)
    for row in rows:
        table.add_row(*(Text(_shown(row.get(name)), style=_style(row.get(name))) for name in used))
    console.print(table)
    text.detach()
    return len(found)


def _kind(record: Mapping[str, Any]) -> str:
    return "message" if "delivered" in record else "connection" if "tls_verdict" in record else "event"


def _message_row(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what people look for in a message, in few columns."""
    deliveries = record["deliveries"]
    done = [attempt for attempt in deliveries if attempt.get("outcome") == "done"]
    why = [record.get("received_reason"), *(attempt.get("reason") for attempt in deliveries)]
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
    """Return what people look for in a connection, in few columns."""
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
        "why": record.get("tls_reason"),
    }


_SUMMARIES: dict[str, Callable[[Mapping[str, Any]], Mapping[str, Any]]] = {
    "message": _message_row,
    "connection": _connection_row,
    "event": lambda record: record,
}


def _over(verdict: str, versions: list[str | None]) -> str:
    return " ".join([verdict, *sorted({version for version in versions if version})])


def _style(value: Any) -> str:
    return STYLES.get(value.split(" ")[0], "") if isinstance(value, str) else ""


def _shown(value: Any) -> str:
    return "" if value is None else printable(", ".join(map(str, value)) if isinstance(value, list) else cell(value))
