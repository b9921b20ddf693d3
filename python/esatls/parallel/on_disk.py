"""Facts that do not fit into memory: they wait in a temporary file, and are judged part by part.

The file has no name and disappears with the process. A part is some messages or connections with all facts that must be together to judge them
(`verdicts.closure`), so the records are the same as with all facts in memory. All messages that use one connection are in memory together.
"""

from __future__ import annotations

import contextlib
import itertools
import marshal
import sqlite3
from typing import TYPE_CHECKING

from esatls.errors import EsatlsError
from esatls.extraction.fact_types import DELIVERY, MESSAGES, RECEIVING
from esatls.verdicts.appliance import Appliance
from esatls.verdicts.closure import Known, together
from esatls.verdicts.facts import Facts, refs
from esatls.verdicts.hosts import appliances

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from esatls.extraction.fact_types import Fact
    from esatls.verdicts.contradictions import Contradictions
    from esatls.verdicts.facts import Ref

_BYTES_PER_ID = 2_500
"""The memory that the facts of one id take."""
_AT_ONCE = 2_000
"""Messages or connections in a part."""
_CACHE = 32 << 10
"""Kilobytes of the file that SQLite keeps in memory."""
BEGIN = f"""
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -{_CACHE};
CREATE TABLE facts (host INTEGER, store INTEGER, id TEXT, told BLOB);
CREATE TABLE named (host INTEGER, store INTEGER, id TEXT, mid TEXT);
"""
_END = """
CREATE INDEX facts_of ON facts (host, store, id);
CREATE INDEX named_by ON named (host, store, id, mid);
"""
# in the order of `in_order`
_IDS = """
SELECT id FROM (
    SELECT id FROM facts WHERE host = :host AND store = :store AND (store = :messages OR id != '0')
    UNION
    SELECT id FROM named WHERE host = :host AND store = :store AND store != :messages
)
ORDER BY CAST(id AS INTEGER), id
"""


class FactsOnDisk(Facts):
    """Facts of which only some are in memory while a log is read."""

    __slots__ = ("_file", "_limit", "_numbers")

    def __init__(self, limit: int) -> None:
        """Keep at most `limit` bytes of facts in memory. As long as there are no more, nothing is written."""
        super().__init__()
        self._limit = limit
        self._file: sqlite3.Connection | None = None
        self._numbers: dict[str, int] = {}

    def relieve(self) -> None:
        """Write the facts to the file if they exceed the limit. Raises `EsatlsError` if that fails."""
        if sum(len(store) for stores in self.hosts.values() for store in stores) * _BYTES_PER_ID > self._limit:
            self._write()

    def _write(self) -> None:
        with _told():
            if self._file is None:
                self._file = sqlite3.connect("")
                self._file.executescript(BEGIN)
            for host, stores in self.hosts.items():
                number = self._numbers.setdefault(host, len(self._numbers))
                for place, store in enumerate(stores):
                    rows = ((number, place, key, marshal.dumps(facts)) for key, facts in store.items())
                    self._file.executemany("INSERT INTO facts VALUES (?, ?, ?, ?)", rows)
                names = ((number, *ref, mid) for mid, facts in stores[MESSAGES].items() for ref in {ref for fact in facts for ref in refs(fact)})
                self._file.executemany("INSERT INTO named VALUES (?, ?, ?, ?)", names)
                # streams hold on to the stores, so empty these
                for store in stores:
                    store.clear()

    def parts(self) -> Parts | None:
        """Return the parts in which the facts are to be judged, once all are read; None if all are in memory."""
        if self._file is None:
            return None
        self._write()
        numbers: dict[str, int] = {}
        with _told():
            for key, name in appliances(self.hosts).items():
                number = numbers.setdefault(name, self._numbers[key])
                if number != self._numbers[key]:
                    self._file.execute("UPDATE facts SET host = ? WHERE host = ?", (number, self._numbers[key]))
                    self._file.execute("UPDATE named SET host = ? WHERE host = ?", (number, self._numbers[key]))
            self._file.executescript(_END)
        return Parts([_Known(self._file, host, number) for host, number in sorted(numbers.items())], has_witnesses=self.has_witnesses)


class Parts:
    """All facts of a file, part by part."""

    def __init__(self, known: Sequence[_Known], *, has_witnesses: bool) -> None:
        self._known = known
        self._has_witnesses = has_witnesses

    def messages(self, contradictions: Contradictions) -> Iterator[tuple[Appliance, set[str]]]:
        """Yield all MIDs by appliance, some at a time, with the facts to judge them.

        The contradictions in these facts are added to `contradictions` when the next MIDs are asked for.
        """
        for known in self._known:
            for mids in _some(known.ids(MESSAGES)):
                for appliance in self._judging(known, mids, [], contradictions):
                    yield appliance, {*mids}

    def connections(self, contradictions: Contradictions) -> Iterator[tuple[Appliance, list[Ref]]]:
        """Yield all connections in the same way, by appliance, side and id."""
        for known in self._known:
            for side in (RECEIVING, DELIVERY):
                for keys in _some(known.ids(side)):
                    connections = [(side, key) for key in keys]
                    for appliance in self._judging(known, [], connections, contradictions):
                        yield appliance, connections

    def _judging(self, known: _Known, mids: list[str], connections: list[Ref], contradictions: Contradictions) -> Iterator[Appliance]:
        with _told():
            appliance = Appliance(known.host, together(known, mids, connections), has_witnesses=self._has_witnesses)
        yield appliance
        with _told():
            contradictions.look(appliance, known.facts)
        known.forget()


class _Known(Known):
    """One appliance in the file."""

    def __init__(self, file: sqlite3.Connection, host: str, number: int) -> None:
        self.host = host
        self._file = file
        self._number = number
        self._latest: dict[Ref, list[Fact]] = {}

    def forget(self) -> None:
        """Forget what was read for one part."""
        self._latest.clear()

    def ids(self, store: int) -> Iterator[str]:
        """Yield all ids, ascending: of messages that have facts, or of connections that have facts or that messages name."""
        with _told():
            for (key,) in self._file.execute(_IDS, {"host": self._number, "store": store, "messages": MESSAGES}):
                yield key

    # closure.Known

    def facts(self, store: int, key: str) -> list[Fact]:
        """Return the facts of an id."""
        known = self._latest.get((store, key))
        if known is None:
            rows = self._file.execute("SELECT told FROM facts WHERE host = ? AND store = ? AND id = ?", (self._number, store, key))
            known = self._latest[store, key] = [fact for (told,) in rows for fact in marshal.loads(told)]  # noqa: S302 - written by this process
        return known

    def users(self, side: int, key: str) -> list[str]:
        """Return the messages that name a connection."""
        rows = self._file.execute("SELECT DISTINCT mid FROM named WHERE host = ? AND store = ? AND id = ?", (self._number, side, key))
        return [mid for (mid,) in rows]

    def children(self, mid: str) -> list[str]:
        """Return the messages that were made from one."""
        return self.users(MESSAGES, mid)


def _some(ids: Iterator[str]) -> Iterator[list[str]]:
    while found := [*itertools.islice(ids, _AT_ONCE)]:
        yield found


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Turn errors of SQLite into `EsatlsError`."""
    try:
        yield
    except sqlite3.Error as error:
        raise EsatlsError(f"temporary file: {error}") from error
