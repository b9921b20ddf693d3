"""The rows of the summary index: what a window of time gives, how it is written, and how it is read back.

A window is an hour, judged by its lines alone, or a day, judged by what its hours leave open. Each run of a window writes all its rows under a
number of its own, and the newest run replaces the older ones whole. A row is one line of text:

    2024-03-05T10:00:01Z kind=m level=hour window=1709632800 run=1709640000123 esa_host=… received=… {"esa_host":…}

`kind` is m (a message that is over), c (a connection that is over), f (facts of what is open), or w (the window itself). The words before the record
are for `tstats`: each is one term of the index. What strangers wrote stands in them with letters, digits and `_.:@/-` alone, and in the record
without any equals sign, so that no text of a log makes a word of its own. Rows of facts and of windows say how many rows of facts the run has, and
the newest run that it was made of: with that the index tells which runs count, without a command (the macro `esatls_runs`).
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import esatls_splunk
from esatls.extraction.fact_types import TIME
from esatls.lines.clock import rfc3339
from esatls.verdicts.closure import Carried, Closed, Window, close, finish
from esatls.verdicts.facts import Facts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from esatls.lines.clock import Time
    from esatls.verdicts.record_types import ConnectionRecord, MessageRecord

HOUR, DAY = 3600, 86400
MESSAGE, CONNECTION, FACTS, WINDOW = "m", "c", "f", "w"
HOURS, DAYS, OPEN = "hour", "day", "open"

WORDS = (
    "esa_host", "mail_flow", "esa_direction", "tls_verdict", "tls_version", "tls_cipher", "tls_reason", "sender_group", "received", "received_tls_version",
    "delivered", "mid", "icid", "dcid",
)  # fmt: skip
"""Fields of a record that stand before it as words; each record has all of them, "-" where it has no such field."""
PARTNER, MAIL = "partner", "mail"
"""Two more words: the other side of a connection, and direction, verdict and domain of each partner of a message."""

Run = tuple[str, int, int]
"""Level, first second and number of a run."""

_HEAD = re.compile(r"\S+ kind=([mcfw]) level=(hour|day) window=(\d{1,12}) run=(\d{1,16})(?: facts=(\d{1,12}) asof=(\d{1,16}))?(?: |$)", re.ASCII)
_NO_WORD = re.compile(r"[^A-Za-z0-9_.:@/-]")
_DOUBLE = re.compile(r"-(?=-)")
_LONGEST_WORD = 200
_dump = json.JSONEncoder(separators=(",", ":")).encode


def word(value: object) -> str:
    """Return a value as one term of the index; "-" for none. Splunk parts terms at two hyphens: `a--b` becomes `a-_-b`."""
    return _DOUBLE.sub("-_", _NO_WORD.sub("_", str(value)[:_LONGEST_WORD])) or "-"


def partner_of(connection: Mapping[str, Any]) -> str:
    """Return the other side's name, the best that the log gives."""
    return str(connection.get("domain") or connection.get("peer_host") or connection.get("peer_ip") or "unknown").lower()


def partners_of(message: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return direction, verdict and domain of each partner of a message.

    The partner of an incoming message is its sender's domain, those of an outgoing one are its recipients' domains, and both where the log does
    not tell the flow. How it was delivered to one domain is not the whole message's verdict; an attempt without a domain may have been for anyone.
    """
    found = []
    flow, sender = message.get("mail_flow"), message.get("sender", "")
    if flow != "outgoing" and "@" in sender:
        found.append(("receiving", message["received"], sender.rpartition("@")[2].lower()))
    if flow != "incoming":
        done = [attempt for attempt in message["deliveries"] if attempt.get("outcome") == "done"]
        for domain in dict.fromkeys(address.rpartition("@")[2].lower() for address in message.get("recipients", ()) if "@" in address):
            verdicts = {attempt["verdict"] for attempt in done if attempt.get("domain", "").lower() == domain}
            if not verdicts:
                verdict = message["delivered"] if any("domain" not in attempt for attempt in done) else "none"
            elif len(verdicts) == 1:
                verdict = verdicts.pop()
            else:
                verdict = "unknown" if "unknown" in verdicts else "mixed"
            found.append(("delivery", verdict, domain))
    return found


class Text(NamedTuple):
    """A row as it goes to the index."""

    time: str
    """Splunk's `_time`."""
    text: str


def _text(stamp: str, kind: str, run: Run, rest: str) -> Text:
    level, start, number = run
    return Text(esatls_splunk.epoch(stamp), f"{stamp} kind={kind} level={level} window={start} run={number} {rest}")


def words_of(kind: str, record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the words of a record: each name once, but for the partners of a message."""
    words = [(name, word(record[name]) if name in record else "-") for name in WORDS]
    if kind == CONNECTION:
        return [*words, (PARTNER, word(partner_of(record))), (MAIL, "-")]
    partners = [":".join(partner) for partner in partners_of(record)] or [""]
    return [*words, (PARTNER, "-"), *((MAIL, word(partner)) for partner in partners)]


def _record(stamp: str, kind: str, run: Run, record: Mapping[str, Any]) -> Text:
    words = " ".join(f"{name}={value}" for name, value in words_of(kind, record))
    # an equals sign of a stranger's would make a word
    return _text(stamp, kind, run, words + " " + _dump(record).replace("=", r"\u003d"))


def texts(run: Run, closed: Closed, asof: int) -> Iterator[Text]:
    """Yield what a run writes, the row of the window last. `asof` is the newest run that it was made of."""
    for message in closed.messages:
        yield _record(message["first_seen"], MESSAGE, run, message)
    for connection in closed.connections:
        yield _record(connection["opened"], CONNECTION, run, connection)
    begins = rfc3339(run[1])
    rows = closed.carried.dumps()
    counts = f"facts={len(rows)} asof={asof}"
    for row in rows:
        yield _text(begins, FACTS, run, counts + " " + row.replace("=", r"\u003d"))
    yield _text(begins, WINDOW, run, counts)


def hours(facts: Facts, window: Window, number: int) -> Iterator[Text]:
    """Yield what the hours of a time range write, each judged by its own lines."""
    for start, part in by_hour(facts, window).items():
        yield from texts((HOURS, start, number), close(Carried.of(part), Window(start, start + HOUR)), number)


def by_hour(facts: Facts, window: Window) -> dict[int, Facts]:
    """Return the facts of each hour of a time range. What has no time is with the first; what is out of the range is left out."""
    first, last = int(window.start), int(window.end)
    parts = {start: Facts() for start in range(first, last, HOUR)}
    for host, stores in facts.hosts.items():
        for number, store in enumerate(stores):
            for key, known in store.items():
                for fact in known:
                    part = parts.get(_hour_of(fact[TIME], first))
                    if part is not None:
                        part._at(host)[number].setdefault(key, []).append(fact)  # noqa: SLF001 - hosts stay the keys that they are
    for part in parts.values():
        part.has_witnesses = facts.has_witnesses
    return parts


def _hour_of(time: Time | None, first: int) -> int:
    return first if time is None else int(time // HOUR) * HOUR


def _day(run: Run) -> int:
    return run[1] - run[1] % DAY


class Index:
    """What of the summary index is in view."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[Run, dict[str, None]]] = {MESSAGE: {}, CONNECTION: {}, FACTS: {}}
        """By kind and run: what stands behind the words, each once."""
        self._counts: dict[Run, tuple[int, int]] = {}
        """By run whose own row is in view: how many rows of facts it has, and the newest run that it was made of."""
        self.rows = 0

    def add(self, text: str) -> bool:
        """Add a row; tell whether it is one."""
        found = _HEAD.match(text)
        if found is None:
            return False
        kind, level, start, number, facts, asof = found.groups()
        run = level, int(start), int(number)
        if kind in {WINDOW, FACTS} and facts is None:
            return False
        if kind == WINDOW:
            self._counts[run] = int(facts), int(asof)
            return True
        at = found.end() if kind == FACTS else text.find("{", found.end())
        if at < 0:
            return False
        self._rows[kind].setdefault(run, {})[text[at:]] = None
        self.rows += 1
        return True

    def current(self) -> tuple[dict[int, Run], dict[int, Run]]:
        """Return the run that counts of each hour, and of each day that is made of these: the newest one that is there whole.

        Of the hours that a day was made of, nobody needs the facts any more: none of them has to be in view.
        """
        whole_days = [run for run in self._counts if run[0] == DAYS and self._facts_in_view(run) == self._counts[run][0]]
        judged: dict[int, int] = {}
        for run in whole_days:
            judged[run[1]] = max(self._counts[run][1], judged.get(run[1], 0))
        hours: dict[int, Run] = {}
        for run, (facts, _) in self._counts.items():
            in_view = self._facts_in_view(run)
            if run[0] == HOURS and (in_view == facts or (not in_view and run[2] <= judged.get(_day(run), 0))):
                hours[run[1]] = max(run, hours.get(run[1], run))
        asof: dict[int, int] = {}
        for run in hours.values():
            asof[_day(run)] = max(run[2], asof.get(_day(run), 0))
        days: dict[int, Run] = {}
        for run in whole_days:
            if self._counts[run][1] == asof.get(run[1]):
                days[run[1]] = max(run, days.get(run[1], run))
        return hours, days

    def _facts_in_view(self, run: Run) -> int:
        return len(self._rows[FACTS].get(run, ()))

    def days(self, window: Window, number: int) -> Iterator[Text]:
        """Yield what the days that begin within a time range write, the present one as far as it has hours; none for a day that is up to date."""
        hours, days = self.current()
        for day in sorted(set(map(_day, hours.values()))):
            if day in days or not window.start <= day < window.end:
                continue
            of_the_day = [run for run in hours.values() if _day(run) == day]
            end = max(run[1] for run in of_the_day) + HOUR
            closed = close(self._carried(of_the_day), Window(day, end))
            yield from texts((DAYS, day, number), closed, max(run[2] for run in of_the_day))

    def _carried(self, runs: Iterable[Run]) -> Carried:
        carried = Carried()
        for run in runs:
            carried.loads(self._rows[FACTS].get(run, ()))
        return carried

    def read(self, kind: str) -> tuple[Iterator[dict[str, Any]], Facts]:
        """Return the records of messages or of connections: those that are over, then those of what is open as it stands; and the latter's facts."""
        hours, days = self.current()
        messages, connections, facts = self.open(hours, days)
        rest: list[Any] = messages if kind == MESSAGE else connections  # type: ignore[assignment]
        return self._records(kind, [*hours.values(), *days.values()], rest), facts

    def open(self, hours: dict[int, Run], days: dict[int, Run]) -> tuple[list[MessageRecord], list[ConnectionRecord], Facts]:
        """Return what the current runs leave open, as it stands: messages, connections, and their facts."""
        carried = self._carried([*(run for run in hours.values() if _day(run) not in days), *days.values()])
        return (*finish(carried), carried.facts)

    def _records(self, kind: str, runs: Iterable[Run], rest: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        for run in runs:
            yield from map(json.loads, self._rows[kind].get(run, ()))
        yield from rest
