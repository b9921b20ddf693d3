"""Records are computed once: what the summary index gives back is what one search over all lines gives."""

from __future__ import annotations

import json
import os
import random
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.core.test_closure import DAY, HOUR, SERIALS, START, Late
from tests.splunk.answers import event
from tests.splunk.dashboards.standin import source, spl, views
from tests.splunk.driver import unexpected
from tests.splunk.summary_index import PARTING, SummaryIndex
from tests.traffic import generate, render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.splunk.driver import Splunk, Value

Events = "list[dict[str, Value]]"


def late_events(seed: int) -> list[dict[str, Value]]:
    """Return traffic in which things take days: deliveries and releases up to five days late, ids used again, consolidated events beside the text."""
    log = Late(seed, 80, consolidated=True)
    return [{**event(text if text.startswith("CEF") else f"Info: {text}"), "_time": str(START + int(time))} for time, text in sorted(log.lines)]


def traffic_events(seed: int) -> list[dict[str, Value]]:
    """Return what gateways do within a few hours."""
    lines = generate(seed, 200, 2, "rare", resets=2).lines
    return [{**event(raw), "_time": str(int(line.time))} for line, raw in zip(lines, render(lines, "syslog"))]


def span_of(events: Sequence[dict[str, Value]]) -> tuple[int, int]:
    """Return the whole hours that hold some events."""
    times = [float(str(one["_time"])) for one in events]
    return int(min(times) // HOUR * HOUR), int(max(times) // HOUR * HOUR + HOUR)


def within(events: Sequence[dict[str, Value]], start: float, end: float) -> list[dict[str, Value]]:
    """Return the events of a time range."""
    return [one for one in events if start <= float(str(one["_time"])) < end]


def rows_of(splunk: Splunk, command: str, events: Sequence[dict[str, Value]], *arguments: str, **how: Any) -> list[str]:
    """Return the rows of a command in a form that can be compared, whatever their order."""
    result = splunk.report(command, events, arguments, **how)
    assert unexpected(result.messages) == []
    return sorted(json.dumps(row, sort_keys=True) for row in result.rows)


class Index(source.Site):
    """The summary index of a test's own site, which its searches fill."""

    def __init__(self, splunk: Splunk, summary: SummaryIndex) -> None:
        super().__init__(source.Package(splunk.app, splunk.python), [], Path(os.devnull))
        self.index = summary

    def events(self, terms: str, earliest: float, latest: float) -> list[spl.Row]:
        """Return what is there now."""
        return [dict(row) for row in self.index.search(terms, earliest, latest)]


class Site:
    """A search head that runs the searches of the summary."""

    def __init__(self, splunk: Splunk, path: Path, events: list[dict[str, Value]]) -> None:
        self.splunk, self.events = splunk, events
        self.index = SummaryIndex(path)
        self.wanted: dict[str, list[str]] = {}
        """By command: what it gives from the lines."""

    def hours(self, start: int, end: int, events: list[dict[str, Value]] | None = None, **how: Any) -> None:
        """Sum up the hours of a time range."""
        lines = within(self.events if events is None else events, start, end)
        result = self.splunk.report("esatlssummary", lines, span=(start, end), **how)
        assert unexpected(result.messages) == []
        self.index.collect(result.rows)

    def rest(self, window: str) -> int:
        """Sum up what the hours or the days left open, or what is open in the end; return how many rows that gave."""
        seen = span_of(self.events)[1] + 60
        result = self.splunk.report("esatlssummary", self.index.events(), [f"window={window}"], mapped=False, span=(0, seen))
        assert unexpected(result.messages) == []
        self.index.collect(result.rows)
        return len(result.rows)

    def assert_same(self, order: random.Random, *, twice: bool = False) -> None:
        """Both commands give from the index, read in any order, what they give from the lines."""
        rows = self.index.events() * (2 if twice else 1)
        order.shuffle(rows)
        for command in ("esatlsmessages", "esatlsconnections"):
            found = rows_of(self.splunk, command, rows, "summary=true", mapped=twice)
            wanted = self.wanted[command] = self.wanted.get(command) or rows_of(self.splunk, command, self.events, mapped=False)
            assert [row for row in found if row not in wanted] == []
            assert found == wanted

    def assert_counts(self, start: int, end: int) -> None:
        """See that what the index counts, of what is over and of what is open, is together what the commands give from the lines."""
        search = spl.Search(views.macros(), start, end, end + 120, Index(self.splunk, self.index))
        for command, words in (("connections", ("esa_direction", "tls_verdict", "tls_version", "tls_cipher")), ("messages", ("received", "delivered"))):
            counted = spl.run(f'| `esatls_counted_{command}("{", ".join(words)}")` | stats sum(count) AS count BY {", ".join(words)}', search)
            records = (json.loads(row) for row in self.wanted[f"esatls{command}"])
            # what has no time is in no time range
            expected = Counter(tuple(str(one.get(word, "-")).lower() for word in words) for one in records if "_time" in one)
            assert {tuple(str(row[word]) for word in words): row["count"] for row in counted} == expected


@pytest.mark.parametrize("kind", ["late", "traffic"])
def test_read_back_is_one_run_over_everything(splunks: list[Splunk], tmp_path: Path, kind: str) -> None:
    """Hours run late, twice, or first with lines missing, skipped hours filled in afterwards, days and the past before and after that: no difference."""
    events = traffic_events(3) if kind == "traffic" else late_events(5)
    order = random.Random(7)
    order.shuffle(events)
    site = Site(splunks[0 if kind == "late" else -1], tmp_path / "index", events)
    start, end = span_of(events)
    step = (end - start) // HOUR // 5 * HOUR
    pieces = [(at, min(at + step, end)) for at in range(start, end, step)]
    order.shuffle(pieces)
    skipped, incomplete = pieces[0], pieces[1 : 1 + len(pieces) // 3]
    for piece in pieces[1:]:
        site.hours(*piece, [one for one in events if order.random() > 0.1] if piece in incomplete else None, mapped=piece in incomplete)
    assert site.rest("day") > 0
    assert site.rest("past") > 0
    for piece in [skipped, *incomplete, pieces[-1]]:
        site.hours(*piece, mapped=False)
    site.assert_same(order)
    assert site.rest("open") > 1
    site.assert_counts(start, end)
    assert site.rest("day") > 0
    assert site.rest("day") == 0
    site.assert_same(order)
    assert site.rest("past") > 0
    assert site.rest("past") == 0
    # what these closed is still counted as open, and once
    site.assert_counts(start, end)
    assert site.rest("open") > 1
    site.assert_counts(start, end)
    site.assert_same(order, twice=True)


def test_rows_that_arrive_after_newer_ones(splunks: list[Splunk], tmp_path: Path) -> None:
    """An hour whose rows are not in the index until its day and the past have been judged by newer runs is missed by neither, in records and in counts."""
    site = Site(splunks[-1], tmp_path / "index", late_events(5))
    start, end = span_of(site.events)
    first, late, *others = [(at, min(at + 6 * HOUR, end)) for at in range(start, end, 6 * HOUR)]
    site.hours(*first, mapped=False)
    before = site.index.path.read_bytes()
    site.hours(*late, mapped=False)
    arriving = site.index.path.read_bytes()[len(before) :]
    site.index.path.write_bytes(before)
    for piece in others:
        site.hours(*piece, mapped=False)
    assert site.rest("day") > 0
    assert site.rest("past") > 0
    assert site.rest("day") == site.rest("past") == 0
    with site.index.path.open("ab") as file:
        file.write(arriving)
    assert site.rest("day") > 0
    assert site.rest("past") > 0
    site.assert_same(random.Random(1))
    assert site.rest("day") == site.rest("past") == 0
    assert site.rest("open") > 1
    site.assert_counts(start, end)
    # hours that have expired since change nothing
    gone = re.compile(rf"level=hour window=(?:{'|'.join(str(start + HOUR * number) for number in range(3))}) ".encode())
    rows = site.index.path.read_bytes().split(PARTING.encode())
    site.index.path.write_bytes(PARTING.encode().join(row for row in rows if not gone.search(row)))
    assert site.rest("day") == site.rest("past") == 0
    search = spl.Search(views.macros(), start, end, end + 120, Index(site.splunk, site.index))
    days = spl.run('| `esatls_runs` | where level == "past" | stats count', search)
    assert days == [{"count": end // DAY - start // DAY}]


def test_serial_numbers(splunk: Splunk, tmp_path: Path) -> None:
    """Appliances that only the serial numbers of consolidated events name are the same ones in the records of hours as in one search."""
    site = Site(splunk, tmp_path / "index", [{**event(raw), "_time": str(START + (10 + (number > 0)) * HOUR)} for number, raw in enumerate(SERIALS)])
    start, end = span_of(site.events)
    for at in range(start, end, HOUR):
        site.hours(at, at + HOUR)
    site.assert_same(random.Random(1))
    assert site.rest("day") > 0
    site.assert_same(random.Random(1))
    hosts = {str(json.loads(row)["esa_host"]) for row in site.wanted["esatlsmessages"]}
    assert hosts == {"AAAA1111-EXAMPLE", "BBBB2222-EXAMPLE"}


def test_facts_are_in_few_rows(splunk: Splunk) -> None:
    """What a thousand open messages and their connections need is in a few dozen rows, because each search for the runs that count has to count these."""
    lines = [{**event(f"Info: Start MID {mid} ICID {mid}"), "_time": str(START)} for mid in range(1, 1001)]
    texts = [str(row["_raw"]) for row in splunk.report("esatlssummary", lines, mapped=False, span=(START, START + HOUR)).rows]
    rows = [text for text in texts if " kind=f " in text]
    assert sum(row.count('["esa9.example.com",') for row in rows) == 2000
    assert len(rows) < 40
    # Splunk may cut off what is longer
    assert max(map(len, rows)) < 10_000


RELEASED = """\
0 New SMTP ICID 5 interface Data 1 (192.0.2.1) address 198.51.100.7 reverse dns host mx.partner.example.com verified yes
0 ICID 5 ACCEPT SG UNKNOWNLIST match ALL SBRS None
1 Start MID 15 ICID 5
1 MID 15 ICID 5 From: <alice@example.com>
1 MID 15 ICID 5 RID 0 To: <bob@example.net>
2 MID 15 ready 100 bytes from <alice@example.com>
2 MID 15 quarantined to "Policy" (content filter:held)
2 Message finished MID 15 done
3 ICID 5 close
{late} MID 15 released from quarantine "Policy" (manual) t=1728000
{late} New SMTP DCID 9 interface 192.0.2.1 address 203.0.113.26 port 25
{late} Delivery start DCID 9 MID 15 to RID [0]
{late} Message done DCID 9 MID 15 to RID [0]
{late} Message finished MID 15 done
{late} DCID 9 close
"""


@pytest.mark.parametrize("days", [12, 20, 55])
def test_a_day_long_ago_tells_what_came_of_its_mail(splunk: Splunk, tmp_path: Path, days: int) -> None:
    """Mail that was released from a quarantine after weeks is counted, and has its verdict, where a search asks for the day on which it came."""
    came, silence = START // DAY * DAY + HOUR + 600, 60
    lines = [line.split(" ", 1) for line in RELEASED.format(late=days * DAY).splitlines()]
    site = Site(splunk, tmp_path / "index", [{**event(f"Info: {text}"), "_time": str(came + int(at))} for at, text in lines])
    end = came // DAY * DAY + (days + 3) * DAY
    site.hours(came // DAY * DAY, end, mapped=False)
    for arguments in (["window=day"], ["window=past", f"silence={silence}"]):
        result = splunk.report("esatlssummary", site.index.events(), arguments, mapped=False, span=(0, end + 60))
        site.index.collect(result.rows)
    macros = {**views.macros(), "esatls_silence": spl.Macro((), str(silence))}
    search = spl.Search(macros, came // DAY * DAY, came // DAY * DAY + DAY, end + 90 * DAY, Index(splunk, site.index))
    (row,) = spl.run('| `esatls_recorded_messages("TERM(kind=m)")` | table mid received delivered', search)
    assert (row["mid"], row["received"], row["delivered"]) == ("15", "cleartext", "cleartext")
    (counted,) = spl.run('| `esatls_counted_messages("received, delivered")` | table received delivered count', search)
    assert counted == {"received": "cleartext", "delivered": "cleartext", "count": 1}
