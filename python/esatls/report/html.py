"""Elements of the page. Everything that is not `Markup` made here is text, and escaped."""

from __future__ import annotations

from functools import cache
from html import escape
from typing import TYPE_CHECKING, NamedTuple

from esatls.output import clipped, printable
from esatls.report.notes import word
from esatls.verdicts.words import COUNTED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def tag(element: str, /, *children: str | None, **attributes: str | None) -> Markup:
    """Return an element. Children are escaped unless they are Markup, attributes always; None is left out.

    In the name of an attribute, `_` stands for `-`, but is dropped at the end: `aria_label`, `class_`.
    """
    parts = [f' {key.rstrip("_").replace("_", "-")}="{_escaped(value)}"' for key, value in attributes.items() if value is not None] if attributes else ()
    inside = "".join([_html(child) for child in children if child is not None])
    return Markup(f"<{element}{''.join(parts)}>{inside}" + ("" if element in ("meta", "br") else f"</{element}>"))


def _html(child: str) -> str:
    return child if isinstance(child, Markup) else _escaped(clipped(child))


def _escaped(text: str) -> str:
    """Return text escaped for elements and attributes."""
    if text.isascii() and text.isalnum():
        return text  # most attributes
    return escape(printable(text))


def together(children: Iterable[str]) -> Markup:
    """Return pieces joined together, escaped unless they are Markup."""
    return Markup("".join([_html(child) for child in children]))


def number(count: int) -> Markup:
    """Return a count as text, and as a value for programs."""
    return Markup(f'<data value="{count:d}">{count:,d}</data>')


def share(value: float | None) -> Markup:
    """Return a percentage as text, and as a value for programs; a dash if there is none."""
    if value is None:
        return tag("span", "–", class_="dim")  # noqa: RUF001 - a dash
    return Markup(f'<data value="{value:.1f}">{value:.1f}\N{NO-BREAK SPACE}%</data>')


class Column(NamedTuple):
    """A column of a table; `kind` is `text`, `number`, `aside` (a number that no percentage counts) or `bar`."""

    label: str
    kind: str = "text"
    verdict: str | None = None
    """A verdict whose colour is shown beside the label."""


def table(caption: str, columns: Sequence[Column], rows: Sequence[Sequence[str]], below: str | None = None) -> Markup:
    """Return a table whose first column names the row; it scrolls by itself if it is too wide."""
    body = [
        tag(
            "tr",
            tag("th", row[0], scope="row"),
            *[Markup(f'<td class="{column.kind}">{_html(cell)}</td>') for column, cell in zip(columns[1:], row[1:])],
        )
        for row in rows
    ]
    inner = tag("table", tag("caption", tag("span", caption)), _thead(columns), tag("tbody", *body))
    scroll = tag("div", inner, class_="scroll", role="region", aria_label=caption, tabindex="0")
    return together([scroll, tag("p", below, class_="more")]) if below else scroll


AT_ONCE = 50
"""Rows of a list that the page's script shows at once."""


def listing(caption: str, columns: Sequence[Column], rows: Sequence[Sequence[str | int]], kind: str, anchor: str | None = None) -> Markup:
    """Return a table of all rows, with as little markup as possible, because there may be thousands.

    The page's script sorts it, searches it, and splits it into pages; the rows that it does not show at first are in a second body.
    """
    lines = [f"<tr><th>{'<td>'.join(map(_plain, row))}" for row in rows]  # HTML's ends of rows and cells may be left out
    bodies = [tag("tbody", Markup("".join(some))) for some in (lines[:AT_ONCE], lines[AT_ONCE:]) if some]
    inner = tag("table", tag("caption", tag("span", caption)), _thead(columns), *bodies, class_=f"full {kind}", id=anchor)
    return tag("div", inner, class_="scroll", role="region", aria_label=caption, tabindex="0")


def _plain(value: str | int) -> str:
    return f"{value:,}" if isinstance(value, int) else _html(value)


def _thead(columns: Sequence[Column]) -> Markup:
    return tag("thead", tag("tr", *(_head(column) for column in columns)))


@cache  # many tables have the same columns
def _head(column: Column) -> Markup:
    if column.verdict is None:
        return tag("th", column.label, scope="col", class_=column.kind)
    return tag("th", key(column.verdict), column.label, scope="col", class_=f"{column.kind} keyed")


@cache
def key(verdict: str) -> Markup:
    """Return the little square in a verdict's colour that is shown beside its word."""
    return tag("span", class_=f"key k-{verdict}", aria_hidden="true")


def more(rows: Sequence[object], shown: int, what: str) -> str | None:
    """Return the sentence below a table that leaves rows out; None if it shows all."""
    left = len(rows) - shown
    return f"{left:,} more {word(left, what)} in the report as JSON." if left > 0 else None


def of_verdicts(verdicts: Iterable[str], kind: str | None = None) -> list[Column]:
    """Return the columns that count some verdicts: numbers, or those that no percentage counts, unless their kind is given."""
    return [Column(verdict.capitalize(), kind or ("number" if verdict in COUNTED else "aside"), verdict) for verdict in verdicts]
