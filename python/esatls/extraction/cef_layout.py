"""The order in which an appliance writes the keys of its consolidated events, learned: one match then reads a whole record.

An appliance writes its keys in one order, record after record, and leaves out what does not apply. So a few records tell a regular
expression of all keys in that order, some of them optional, that reads a record several times as fast as key by key. What does
not match is read key by key, as if nothing had been learned, and is learned from. Speed is all that a learned order decides:

* every key stands in it once, and every value is a word, or text without a bare ``=``, or whole quotes or braces: so no ``key=`` of the
  record is skipped, and a match finds the same keys and values as the reading key by key;
* every value is matched by one loop that ends where no other reading could begin: a match is linear in the record's length.

Several records have to be missed before one is learned from, and twice as many each time: learning never costs more than reading.
"""

from __future__ import annotations

import graphlib
import operator
import re
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Item", "Known", "Layouts", "Value"]

FIRST_LESSON = 32
"""Records that are missed before the first one is learned from."""

LESSON = 32
"""Records that are learned from at a time: those that are missed last."""

MOST_HEADERS = 64
"""Headers (product, version, first key) whose records are learned; there are as many as there are kinds of appliances in a log."""

MOST_ORDERS = 4
"""Orders of keys behind one header; a log server may have put several appliances with other settings into one file."""

MOST_RECORDS = 64
"""Different rows of keys that make up one order."""

MOST_KEYS = 120
"""Keys of one order; AsyncOS 16 has some 60."""


class Item(NamedTuple):
    """One key of a record, as it was written there."""

    key: str
    form: str
    """What the value was: ``word``, ``words`` or ``braced``."""


class Value(NamedTuple):
    """How the value of one key is matched."""

    pattern: str
    """What stands behind ``key=``, and for a run of TLS fields the whole run; with one group if it is a field, else with none."""
    field: str | None = None


class PatternOf(Protocol):
    """Tells how the value of a key is matched."""

    def __call__(self, key: str, forms: frozenset[str], *, first: bool, tls_next: bool) -> Value | None:
        """Return it for a key whose values had these forms; None if a record with such a value is not to be matched.

        `first`: it is the record's first key. `tls_next`: a run of TLS fields may stand directly behind the value.
        """


class Known(NamedTuple):
    """One learned order."""

    match: Callable[[str, int], re.Match[str] | None]
    """Matches a record from the equals sign behind its first key on."""
    values: Callable[[tuple[Any, ...]], tuple[Any, ...]]
    """Gives the value of each field of `Layouts` from the groups of a match; None for fields that it does not have."""


class _Order:
    """Rows of keys that do not contradict each other's order."""

    def __init__(self) -> None:
        self.rows: set[tuple[str, ...]] = set()
        self.forms: dict[str, set[str]] = {}
        self.after: dict[str, list[str]] = {}
        """Key -> the keys that stood directly in front of it."""

    def take(self, items: Sequence[Item], field_of: Callable[[str], str | None]) -> bool:
        """Add one record's keys; False, and no change, if their order contradicts this one or there are too many."""
        row = tuple(item.key for item in items)
        after = {key: list(before) for key, before in self.after.items()}
        for before, key in zip(row, row[1:]):
            if before not in after.setdefault(key, []):
                after[key].append(before)
        try:
            keys = list(graphlib.TopologicalSorter(after).static_order())
        except graphlib.CycleError:
            return False
        fields = [field for field in map(field_of, keys) if field]
        if len(fields) != len(set(fields)) or len(keys) > MOST_KEYS or len(self.rows | {row}) > MOST_RECORDS:
            return False
        self.rows.add(row)
        self.after = after
        for item in items:
            self.forms.setdefault(item.key, set()).add(item.form)
        return True

    def known(self, run: str, fields: Sequence[str], pattern_of: PatternOf) -> Known | None:
        """Return the expression of all rows; None if a key's value cannot be matched."""
        keys = list(graphlib.TopologicalSorter(self.after).static_order())
        always = set.intersection(*map(set, self.rows))
        parts: list[str] = []
        groups: dict[str, int] = {}
        for number, key in enumerate(keys):
            behind = next((later for later in keys[number + 1 :] if later == run or later in always), None)
            value = pattern_of(key, frozenset(self.forms[key]), first=not number, tls_next=behind == run)
            if value is None:
                return None
            text = "=" if not number else " " if key == run else f" {re.escape(key)}="
            text += value.pattern
            parts.append(text if key in always else f"(?:{text}|)")
            if value.field:
                groups[value.field] = len(groups)
        match = re.compile("".join(parts) + r" *\Z|(?!)()").match
        # the last group takes part in no match
        return Known(match, operator.itemgetter(*(groups.get(field, len(groups)) for field in fields)))


class _Header:
    """What has been seen behind one header."""

    def __init__(self) -> None:
        self.orders: list[_Order] = []
        self.missed = 0
        self.lesson = FIRST_LESSON
        """How many records must have been missed before the next lesson."""


class Layouts:
    """Learned orders by header: the text of a record up to its first equals sign.

    `run` names the pretended key of a run of TLS fields, `fields` the fields whose values are wanted, `field_of` tells the field of a key,
    `pattern_of` how a key's value is matched.
    """

    def __init__(self, run: str, fields: Sequence[str], field_of: Callable[[str], str | None], pattern_of: PatternOf) -> None:
        self.known: dict[str, tuple[Known, ...]] = {}
        self._run = run
        self._fields = fields
        self._pattern_of = pattern_of
        self._field_of = field_of
        self._headers: dict[str, _Header] = {}

    def missed(self, header: str, items: Callable[[], list[Item] | None]) -> None:
        """Note that no order matched a record; `items` gives its keys if they are wanted, or None if it is none to learn from."""
        seen = self._headers.get(header)
        if seen is None:
            if len(self._headers) >= MOST_HEADERS:
                self._headers.clear()
                self.known.clear()
            seen = self._headers[header] = _Header()
        seen.missed += 1
        if seen.missed <= seen.lesson - LESSON:
            return
        row = items()
        if row is not None:
            self._take(seen, row)
        if seen.missed >= seen.lesson:
            seen.lesson *= 2
            known = [order.known(self._run, self._fields, self._pattern_of) for order in seen.orders]
            self.known[header] = tuple(order for order in known if order is not None)

    def _take(self, seen: _Header, row: list[Item]) -> None:
        if any(order.take(row, self._field_of) for order in seen.orders) or len(seen.orders) >= MOST_ORDERS:
            return
        order = _Order()
        if order.take(row, self._field_of):
            seen.orders.append(order)
