"""The rows of the summary index: the results of time windows, how they are written, and how they are read back.

There are three kinds of windows. An hour is judged by its lines alone. A day is judged by what its hours left open. The past, up to the end of a day, is
judged by what that day and the past before it left open; here, silence counts as an end, too. Each run of a window writes all rows under its own number,
and the newest run replaces older ones completely. Of the windows of the past, only the facts of the latest are needed. A row is one line of text:

    2024-03-05T10:00:01Z kind=m level=hour window=1709632800 run=1709640000123 esa_host=… received=… {"esa_host":…}

`kind` is m (a message that is over), c (a connection that is over), f (facts of what is open), or w (the window itself). What is open is also judged as it
stands: om and oc rows have the words of an open message or connection, without a record, and ow is the run that wrote them. They are counted together with
the records of the runs that it has seen, until the next run of this kind. The words before the record are for `tstats`: each is one term of the index. In
words, strangers' text has only letters, digits and `_.:@/-`, and in the record it has no equals sign, so that no text of a log can become a word. A day is
judged anew each hour until it is over: the records of these runs have the word day=begun, so that searches that do not know runs can leave them out. Rows of
facts and of windows say how many rows of facts the run has (`facts`), and the newest run that it was made from (`asof`); a day and the past say there also how
many hours the day had, since a row may arrive later than that of a newer run. With these, the macro `esatls_runs` finds the runs that count by terms of the
index alone, without a command.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import esatls_lib  # noqa: F401 - must come first: it adds lib/ to the path
import esatls_times
from esatls.extraction.fact_types import TIME
from esatls.lines.clock import rfc3339
from esatls.verdicts.facts import Facts
from esatls.verdicts.partners import partner_name, partners_of
from esatls.verdicts.windows import Carried, Closed, Window, close, finish
from esatls_cells import epoch

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from esatls.lines.clock import Time

HOUR, DAY = 3600, 86400
MESSAGE, CONNECTION, FACTS, WINDOW = "m", "c", "f", "w"
BEGUN = "day=begun "
"""Stands before the words of a record if its day is not over."""
AS_IT_STANDS = "o"
"""Stands before a kind: still open, judged as it stands."""
HOURS, DAYS, PAST, OPEN = "hour", "day", "past", "open"
EVER = float("-inf")
LONGEST_ROW = 8000
"""Characters of a row of facts, unless a single id has more."""
BETWEEN = "\t"
"""Stands between the facts of two ids. JSON has none."""
MANY = 100
"""`asof` of a day: the number of the newest run of its hours, times this, and how many hours it had."""

WORDS = (
    "esa_host", "mail_flow", "esa_direction", "tls_verdict", "tls_version", "tls_cipher", "tls_reason", "sender_group", "received", "received_tls_version",
    "delivered", "mid", "icid", "dcid",
)  # fmt: skip
"""The fields that are written before a record as words. All are there; "-" stands for a missing field."""
PARTNER, MAIL = "partner", "mail"
"""Two more words: the other side of a connection; direction, verdict and domain of each partner of a message."""

Run = tuple[str, int, int]
"""Level, first second of the window, and number of a run."""

_HEAD = re.compile(r"\S+ kind=(o?[mcfw]) level=(hour|day|past|open) window=(\d{1,12}) run=(\d{1,16})(?: facts=(\d{1,12}) asof=(\d{1,16}))?(?: |$)", re.ASCII)
_NO_WORD = re.compile(r"[^A-Za-z0-9_.:@/-]")
_DOUBLE = re.compile(r"-(?=-)")
_LONGEST_WORD = 200
_dump = json.JSONEncoder(separators=(",", ":")).encode


def word(value: object) -> str:
    """Return a value as one term of the index; "-" if it is empty. Splunk splits terms at two hyphens, so that `a--b` becomes `a-_-b`."""
    return _DOUBLE.sub("-_", _NO_WORD.sub("_", str(value)[:_LONGEST_WORD])) or "-"


def partner_of(connection: Mapping[str, Any]) -> str:
    """Return the best name for the other side that the log contains, else "unknown"."""
    return partner_name(connection.get("domain"), connection.get("peer_host"), connection.get("peer_ip"))


def mail_of(message: Any) -> list[str]:
    """Return side, verdict and domain of each partner of a message, as one word for each."""
    return list(map(":".join, partners_of(message)))


class Text(NamedTuple):
    """A row for the index."""

    time: str
    """Splunk's `_time`."""
    text: str


def _text(stamp: str, kind: str, run: Run, rest: str) -> Text:
    level, start, number = run
    return Text(epoch(stamp), f"{stamp} kind={kind} level={level} window={start} run={number} {rest}")


def words_of(kind: str, record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the words of a record: `mail` once per partner of a message, all others once."""
    words = [(name, word(record[name]) if name in record else "-") for name in WORDS]
    if kind == CONNECTION:
        return [*words, (PARTNER, word(partner_of(record))), (MAIL, "-")]
    return [*words, (PARTNER, "-"), *((MAIL, word(partner)) for partner in mail_of(record) or [""])]


def _words(kind: str, record: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in words_of(kind, record))


def _record(stamp: str, kind: str, run: Run, record: Mapping[str, Any], mark: str) -> Text:
    # an equals sign in strangers' text would make a word
    return _text(stamp, kind, run, mark + _words(kind, record) + " " + _dump(record).replace("=", r"\u003d"))


def texts(run: Run, closed: Closed, facts: Facts, asof: int, mark: str = "") -> Iterator[Text]:
    """Yield the rows of a run, the row of the window last. `facts` are those it was made from, and `asof` is the newest run that they come from."""
    for message in closed.messages:
        yield _record(message["first_seen"], MESSAGE, run, message, mark)
    for begins, connection in esatls_times.stamped(closed.connections, facts):
        yield _record(begins, CONNECTION, run, connection, mark)
    # the past up to a day must not expire in the index before the hours of that day
    stamp = rfc3339(run[1] + DAY - 1 if run[0] == PAST else run[1])
    rows = list(_joined(closed.carried.dumps()))
    counts = f"facts={len(rows)} asof={asof}"
    for row in rows:
        yield _text(stamp, FACTS, run, counts + " " + row.replace("=", r"\u003d"))
    yield _text(stamp, WINDOW, run, counts)


def _joined(facts: Iterable[str]) -> Iterator[str]:
    """Yield facts, many to a row: each search for the runs that count has to count these rows, within the minute that Splunk gives it."""
    row: list[str] = []
    length = 0
    for one in facts:
        if row and length + len(one) > LONGEST_ROW:
            yield BETWEEN.join(row)
            row, length = [], 0
        row.append(one)
        length += len(one)
    if row:
        yield BETWEEN.join(row)


def hours(facts: Facts, window: Window, number: int) -> Iterator[Text]:
    """Yield the rows of the hours of a time range, each judged by its own lines."""
    for start, part in by_hour(facts, window).items():
        carried = Carried.of(part)
        yield from texts((HOURS, start, number), close(carried, Window(start, start + HOUR)), carried.facts, number)


def by_hour(facts: Facts, window: Window) -> dict[int, Facts]:
    """Return the facts of each hour of a time range. Facts without a time go to the first hour; those outside the range are left out."""
    first, last = int(window.start), int(window.end)
    parts = {start: Facts() for start in range(first, last, HOUR)}
    for host, stores in facts.hosts.items():
        for number, store in enumerate(stores):
            for key, known in store.items():
                for fact in known:
                    part = parts.get(_hour_of(fact[TIME], first))
                    if part is not None:
                        part.at(host)[number].setdefault(key, []).append(fact)
    for part in parts.values():
        part.has_witnesses = facts.has_witnesses
    return parts


def _hour_of(time: Time | None, first: int) -> int:
    return first if time is None else int(time // HOUR) * HOUR


def _day(run: Run) -> int:
    return run[1] - run[1] % DAY


def _made(hours: Collection[Run]) -> int:
    """Return the `asof` of a day that is judged by these hours."""
    return max(run[2] for run in hours) * MANY + len(hours)


def _newest(runs: Iterable[Run]) -> dict[int, Run]:
    """Return the newest run of each window."""
    found: dict[int, Run] = {}
    for run in runs:
        found[run[1]] = max(run, found.get(run[1], run))
    return found


class Current(NamedTuple):
    """The runs that count, by the first second of their hour or day; for the past, of its last day."""

    hours: dict[int, Run]
    days: dict[int, Run]
    past: dict[int, Run]
    """These have no gap: all days in view up to one of them."""

    def begun(self) -> list[int]:
        """Return the days for which there are hours."""
        return sorted(set(map(_day, self.hours.values())))

    def open(self) -> list[Run]:
        """Return the runs whose facts did not go into a longer window."""
        last = max(self.past, default=EVER)
        past = [run for day, run in self.past.items() if day == last]
        days = [run for day, run in self.days.items() if day > last]
        return [*past, *days, *(run for run in self.hours.values() if _day(run) > last and _day(run) not in self.days)]


class Index:
    """The rows of the summary index that a search has read."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[Run, dict[str, str]]] = {MESSAGE: {}, CONNECTION: {}, FACTS: {}}
        """By kind and run: text behind the words -> time in front of them. A repeated row counts once."""
        self._counts: dict[Run, tuple[int, int]] = {}
        """By run, if the row of its window is in view: its number of rows of facts, and the newest run that it was made from."""
        self.kept = 0
        """How many records, and ids with facts, were added."""

    def add(self, text: str) -> bool:
        """Add a row; return whether the text is one."""
        found = _HEAD.match(text)
        if found is None:
            return False
        kind, level, start, number, facts, asof = found.groups()
        if kind.startswith(AS_IT_STANDS):
            return True
        run = level, int(start), int(number)
        if kind in {WINDOW, FACTS} and facts is None:
            return False
        if kind == WINDOW:
            self._counts[run] = int(facts), int(asof)
            return True
        at = found.end() if kind == FACTS else text.find("{", found.end())
        if at < 0:
            return False
        self._rows[kind].setdefault(run, {})[text[at:]] = text[: text.index(" ")]
        self.kept += text.count(BETWEEN, at) + 1
        return True

    def current(self) -> Current:
        """Return the run that counts for each window: the newest one that is complete and was made from the present hours.

        The facts of an hour or a day need not be in view if they went into a longer window.
        """
        whole = {run: asof for run, (facts, asof) in self._counts.items() if self._facts_in_view(run) == facts}
        unseen = {run: asof for run, (_, asof) in self._counts.items() if not self._facts_in_view(run)}
        longer = [(_day(run), run[1] + DAY, asof // MANY) for run, asof in whole.items() if run[0] == DAYS]
        longer += [(0, run[1] + DAY, asof // MANY) for run, asof in whole.items() if run[0] == PAST]

        def went_in(run: Run) -> bool:
            return any(start <= run[1] < end and run[2] <= asof for start, end, asof in longer)

        hours = _newest(run for run in self._counts if run[0] == HOURS and (run in whole or (run in unseen and went_in(run))))
        by_day: dict[int, list[Run]] = {}
        for run in hours.values():
            by_day.setdefault(_day(run), []).append(run)
        made = {day: _made(runs) for day, runs in by_day.items()}
        # the facts of hours are in view if their day is not up to date; a day may have had hours that have expired in the index since
        exact = {day for day, runs in by_day.items() if whole.keys() >= {*runs}}
        judged = {
            run: asof
            for run, asof in {**whole, **unseen}.items()
            if run[0] == DAYS and run[1] in made and asof // MANY == made[run[1]] // MANY and (asof >= made[run[1]] or run[1] not in exact)
        }
        past = self._past({day: made[day] if day in exact else made[day] - made[day] % MANY for day in made}, judged, {**whole, **unseen}, whole)
        last = max(past, default=EVER)
        return Current(hours, _newest(run for run in judged if run in whole or run[1] <= last), past)

    def _past(self, made: dict[int, int], judged: Iterable[Run], known: dict[Run, int], whole: dict[Run, int]) -> dict[int, Run]:
        """Return the run that counts for the past up to each day, from the first day in view to the last without a gap whose facts are in view."""
        found: dict[int, list[Run]] = {}
        newest, latest = 0, 0
        for day in sorted(made):
            newest = max(newest, made[day])
            of_the_day = [run[2] for run in judged if run[1] == day]
            latest = max([latest, *of_the_day])
            runs = [run for run, asof in known.items() if run[:2] == (PAST, day) and asof >= newest and run[2] > latest]
            if not runs or not of_the_day:
                break
            found[day] = runs
        while found and not whole.keys() & found[max(found)]:
            del found[max(found)]
        return {day: max(runs) if day < max(found) else max(whole.keys() & runs) for day, runs in found.items()}

    def _facts_in_view(self, run: Run) -> int:
        return len(self._rows[FACTS].get(run, ()))

    def days(self, window: Window, number: int) -> Iterator[Text]:
        """Yield the rows of the days that begin within a time range and are not up to date; the present day is judged by the hours that it has so far."""
        current = self.current()
        for day in current.begun():
            if day in current.days or not window.start <= day < window.end:
                continue
            of_the_day = [run for run in current.hours.values() if _day(run) == day]
            end = max(run[1] for run in of_the_day) + HOUR
            carried = self._carried(of_the_day)
            yield from texts((DAYS, day, number), close(carried, Window(day, end)), carried.facts, _made(of_the_day), BEGUN if end < day + DAY else "")

    def past(self, silence: int, number: int) -> Iterator[Text]:
        """Yield the rows of the past up to each day that is over, starting with the first without a run; stop at a day that is not up to date."""
        current = self.current()
        last = max(current.past, default=EVER)
        carried = self._carried(run for day, run in current.past.items() if day == last)
        asof = max((self._counts[run][1] for run in current.past.values()), default=0)
        end = max(current.hours, default=0) + HOUR
        for day in [day for day in current.begun() if day > last]:
            if day not in current.days or day + DAY > end:
                return
            carried.merge(self._carried([current.days[day]]))
            asof = max(asof, self._counts[current.days[day]][1])
            closed = close(carried, Window(day if last == EVER else EVER, day + DAY), silence)
            yield from texts((PAST, day, number), closed, carried.facts, asof)
            last, carried = day, closed.carried

    def _carried(self, runs: Iterable[Run]) -> Carried:
        carried = Carried()
        for run in runs:
            # the texts are large, and not needed again
            for row in self._rows[FACTS].pop(run, ()):
                carried.loads(row.split(BETWEEN))
        return carried

    def read(self, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield messages or connections with Splunk's `_time`: first those that are over, then the open ones as they stand; "" for no time."""
        current = self.current()
        for run in (run for runs in current for run in runs.values()):
            for text, stamp in self._rows[kind].get(run, {}).items():
                yield epoch(stamp), json.loads(text)
        for found, stamp, record in self._open(current):
            if found == kind:
                yield epoch(stamp) if stamp else "", record

    def open(self, seen: Time, number: int) -> Iterator[Text]:
        """Yield the words of what is open as it stands, then the row of the run with the time `seen`; nothing if there are no hours."""
        current = self.current()
        if not current.hours:
            return
        run = (OPEN, max(current.hours), number)
        for kind, stamp, record in self._open(current):
            # without a time, it is in no time range
            if stamp:
                yield _text(stamp, AS_IT_STANDS + kind, run, _words(kind, record))
        asof = max(one[2] for runs in current for one in runs.values())
        yield _text(rfc3339(seen), AS_IT_STANDS + WINDOW, run, f"asof={asof}")

    def _open(self, current: Current) -> Iterator[tuple[str, str, Any]]:
        """Yield what the current runs leave open, as it stands: kind, time ("" for none) and record."""
        carried = self._carried(current.open())
        messages, connections = finish(carried)
        for message in messages:
            yield MESSAGE, message.get("first_seen", ""), message
        for stamp, connection in esatls_times.stamped(connections, carried.facts):
            yield CONNECTION, stamp, connection
