"""Learning the order in which an appliance writes the keys of its consolidated events, so that one match reads a whole record.

An appliance writes its keys in one order, record after record, and leaves out those that do not apply. So a few records are enough to make a
regular expression of all keys in that order, some of them optional, that reads a record several times as fast as key by key. Records that do
not match are read key by key, as if nothing had been learned, and are learned from. A learned order changes nothing but the speed:

* every key is in it once, and every value is a word, text without a bare ``=``, or whole quotes or braces: so no ``key=`` of the record is
  skipped, and a match finds the same keys and values as reading key by key;
* every value is matched by one loop that ends where no other reading could begin: a match is linear in the record's length.

Several records must be missed before an order is learned, and twice as many each time, so that learning never costs more than reading.
"""

from __future__ import annotations

import graphlib
import operator
import re
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FIRST_LESSON = 32
"""Missed records after which the first order is learned."""

LESSON = 32
"""Records that are learned from each time: those missed last."""

MOST_HEADERS = 64
"""Maximum headers (product, version, first key) to learn; a log has one for each kind of appliance."""

MOST_ORDERS = 4
"""Maximum orders of keys behind one header; one file may have several appliances with different settings."""

MOST_RECORDS = 64
"""Maximum different rows of keys in one order."""

MOST_KEYS = 120
"""Maximum keys of one order; AsyncOS 16 has about 60."""


class Item(NamedTuple):
    """One key of a record, and the form of its value."""

    key: str
    form: str
    """``word``, ``words``, ``braced`` or ``empty``; ``run`` for a run of TLS fields."""


class Value(NamedTuple):
    """How to match the value of one key."""

    pattern: str
    """Matches what follows ``key=``, or a whole run of TLS fields; has one group if the key is a field, else none."""
    field: str | None = None


class PatternOf(Protocol):
    """Returns how to match the value of a key."""

    def __call__(self, key: str, forms: frozenset[str], *, first: bool, tls_next: bool) -> Value | None:
        """Return how to match a key whose values had these forms; None if records with one of them must not be matched.

        `first`: it is the record's first key. `tls_next`: a run of TLS fields may directly follow the value.
        """


class Known(NamedTuple):
    """One learned order."""

    match: Callable[[str, int], re.Match[str] | None]
    """Matches a record from the equals sign behind its first key on."""
    values: Callable[[tuple[Any, ...]], tuple[Any, ...]]
    """Returns the value of each field of `Layouts` from the groups of a match; None for fields that it does not have."""


class _Order:
    """Rows of keys whose orders do not contradict each other."""

    def __init__(self) -> None:
        self.rows: set[tuple[str, ...]] = set()
        self.forms: dict[str, set[str]] = {}
        self.after: dict[str, list[str]] = {}
        """Key -> the keys seen directly in front of it."""

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
        # the last group never matches, and stands for missing fields
        return Known(match, operator.itemgetter(*(groups.get(field, len(groups)) for field in fields)))


class _Header:
    """What has been seen behind one header."""

    def __init__(self) -> None:
        self.orders: list[_Order] = []
        self.missed = 0
        self.lesson = FIRST_LESSON
        """Missed records after which orders are learned again."""


class Layouts:
    """Learned orders by header: the text of a record up to its first equals sign.

    `run` is the pretended key of a run of TLS fields, `fields` are the fields whose values are wanted, `field_of` returns the field of a key, and
    `pattern_of` how to match its value.
    """

    def __init__(self, run: str, fields: Sequence[str], field_of: Callable[[str], str | None], pattern_of: PatternOf) -> None:
        self.known: dict[str, tuple[Known, ...]] = {}
        self._run = run
        self._fields = fields
        self._pattern_of = pattern_of
        self._field_of = field_of
        self._headers: dict[str, _Header] = {}

    def missed(self, header: str, items: Callable[[], list[Item] | None]) -> None:
        """Note that no order matched a record. `items` returns its keys, or None if it is unfit for learning; called only if needed."""
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
