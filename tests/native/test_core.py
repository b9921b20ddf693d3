"""The compiled core gives the same bytes as Python: every case, scenario, excerpt and header, and lines that are spoilt in every cheap way.

Where the core is not installed, these tests are skipped; `bash .ci/run core` builds it and runs them.
"""

from __future__ import annotations

import importlib
import importlib.util
import itertools
import json
import os
import random
import re
import threading
from typing import TYPE_CHECKING, Any

import pytest
from esatls import __version__, compiled, native
from esatls.extraction.blocks import BlockStream
from esatls.extraction.event_stream import Events
from esatls.extraction.fact_types import KEY
from esatls.extraction.kinds import EVENT_KINDS
from esatls.extraction.match import START, front_of, match, specs_of
from esatls.extraction.patterns import MATCHERS
from esatls.lines.clock import Clock, zone
from esatls.native.records import _Asked
from esatls.native.told import Learned
from esatls.output.json_lines import dumps, lines
from esatls.verdicts import records
from esatls.verdicts.contradictions import Contradictions
from esatls.verdicts.facts import Facts
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.core.support import LATEST, REAL, as_sets, needs_shared
from tests.core.test_shapes import FOUND, again, ordinary_facts, some_facts
from tests.fuzz import mutate, seeds
from tests.report.support import build
from tests.terminal import run
from tests.traffic import ENVELOPES, Line, generate, render

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Callable, Iterator, Sequence

    from esatls.extraction.fact_types import Fact
    from esatls.extraction.stream import Counts
    from esatls.report.report_types import Report

pytestmark = pytest.mark.skipif(importlib.util.find_spec("esatls_core") is None, reason="esatls-core is not installed: bash .ci/run core")

ALL = frozenset(EVENT_KINDS)
STAMP = "Sat Jul 20 19:47:40 2024 Info: "
LINES = 200_000 if os.environ.get("ESATLS_PROPERTIES") == "nightly" else 10_000


@pytest.fixture(autouse=True)
def core(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have the core switched on, whatever the environment says."""
    monkeypatch.delenv("ESATLS_PURE", raising=False)
    compiled.module.cache_clear()
    assert compiled.module() is not None
    yield
    compiled.module.cache_clear()


def blocks_of(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    """Return data in blocks of whole lines, cut behind the line feeds next to some places."""
    ends = sorted({end for end in (data.find(b"\n", cut) + 1 for cut in cuts) if end} | {len(data)})
    return [data[start:end] for start, end in zip([0, *ends], ends) if start < end]


def read(stream: BlockStream, blocks: Sequence[bytes], *, sift: bool = False) -> Counts:
    """Give blocks to a stream, and return the counts."""
    for block in blocks:
        if sift:
            stream.sift(block, "TLS", "ESADaneStatus")
        else:
            stream.feed(block)
    stream.end()
    return stream.counts


def written(found: Sequence[Any]) -> bytes:
    """Return events as lines of JSON."""
    return b"".join(one if isinstance(one, bytes) else lines([one]) for one in found)


def records_by_core(known: Facts, shown: Contradictions) -> tuple[list[bytes], list[bytes]]:
    """Return the records of connections and of messages, as the commands get them."""
    assert isinstance(known, native.NativeFacts)
    if not native.is_judging(known):
        found: Sequence[Iterator[Any]] = (records.connections(known, shown), records.messages(known, shown))
    else:
        found = (native.connection_records(known, shown), native.message_records(known, shown))
    return [dumps(record) for record in found[0]], [dumps(record) for record in found[1]]


def report_by_core(known: Facts) -> Report:
    """Return the report, of which the core counts what is alike."""
    assert isinstance(known, native.NativeFacts)
    if not native.is_judging(known):
        return build(records.connections(known), records.messages(known))
    return build(native.counted(known, Contradictions()), ())


def check(data: bytes, *, cuts: Sequence[int] = (), host: str | None = None, where: str = "UTC") -> None:
    """Raise unless both cores give the same events, facts, counts, records and report."""
    blocks = blocks_of(data, cuts)
    for kinds in (None, ALL):
        told = []
        for make in (BlockStream, native.stream):
            events = Events(kinds)
            stream = make(events, Clock(zone(where), LATEST), host)
            told.append((read(stream, blocks, sift=kinds is None), written(events.found)))
        assert told[0] == told[1]
    facts = (Facts(), native.facts())
    counts = [read(make(known, Clock(zone(where), LATEST), host), blocks) for make, known in zip((BlockStream, native.stream), facts)]
    general = [dumps(record) + b"\n" for record in records.messages(facts[0])]
    shown = (Contradictions(), Contradictions())
    for _ in records.messages(facts[0], shown[0]):
        pass
    kept = native.facts()
    read(native.stream(kept, Clock(zone(where), LATEST), host), blocks)
    assert isinstance(kept, native.NativeFacts)
    assert b"".join(native.message_lines(kept, dumps, shown[1])) == b"".join(general)
    assert shown[0].taken == shown[1].taken
    shown = (Contradictions(), Contradictions())
    both = ([dumps(record) for record in records.connections(facts[0], shown[0])], [dumps(record) for record in records.messages(facts[0], shown[0])])
    kept = native.NativeFacts(limit=1 << 10)  # most are in a file
    read(native.stream(kept, Clock(zone(where), LATEST), host), blocks)
    assert records_by_core(kept, shown[1]) == both
    assert shown[0].taken == shown[1].taken
    kept = native.facts()
    read(native.stream(kept, Clock(zone(where), LATEST), host), blocks)
    assert report_by_core(kept) == build(records.connections(facts[0]), records.messages(facts[0]))
    native.drained(facts[1])
    assert counts[0] == counts[1]
    assert as_sets(facts[0]) == as_sets(facts[1])
    assert facts[0].has_witnesses == facts[1].has_witnesses
    for records_of in (records.connections, records.messages):
        assert [dumps(record) for record in records_of(facts[0])] == [dumps(record) for record in records_of(facts[1])]


@pytest.mark.parametrize("name", ENVELOPES)
def test_cases(name: str) -> None:
    """Every text of the cases, and every look-alike, behind every header of the collectors."""
    texts = seeds.texts()
    log = [ENVELOPES[name].render(Line(seeds.TIME + number // 3, "esa1.example.com", "mail_logs", "Info", text), 0) for number, text in enumerate(texts)]
    check("".join(f"{line}\n" for line in log).encode("utf-8", "surrogateescape"), cuts=(20_000,))


def test_core_reads_the_cases() -> None:
    """Nearly all lines of an ordinary log are taken by the core, not by Python."""
    log = "".join(f"{STAMP}{text}\n" for text in seeds.texts() if "CEF:" not in text and text.isascii() and "\r" not in text).encode()
    facts = native.facts()
    stream = native.stream(facts, Clock(latest=LATEST), None)
    by_python = []
    line = stream.line
    stream.line = lambda text: (by_python.append(text), line(text))[1]  # type: ignore[assignment,func-returns-value]
    counts = read(stream, [log])
    assert counts.lines == log.count(b"\n") > 300
    assert len(by_python) < counts.lines / 10


def test_headers() -> None:
    """Every header of the cases, one line after another and each in a log of its own."""
    pool = [case["line"] for case in json.loads((seeds.CASES / "envelope.json").read_text(encoding="ascii"))["cases"]]
    check("".join(f"{line}\n" for line in pool).encode())
    for line in pool:
        check(f"{line}\n{line}\n{line}\n".encode())


@pytest.mark.parametrize("path", sorted(seeds.SCENARIOS.glob("*.log")), ids=lambda path: path.stem)
def test_scenarios(path: pathlib.Path) -> None:
    """Every scenario, as one block and as several, in another zone, with a name for the appliance."""
    data = path.read_bytes()
    check(data)
    check(data, cuts=(len(data) // 3, len(data) // 2), host="esa9", where="Europe/Berlin")


@needs_shared
def test_real() -> None:
    """Every excerpt of a real log."""
    paths = sorted(REAL.glob("*.log"))
    assert paths
    for path in paths:
        data = path.read_bytes()
        check(data, cuts=(len(data) // 2,))


def test_long_lines() -> None:
    """Lines as long as what relays leave of one that they cut, and what follows them."""
    lead = "<22>Jul 20 19:47:40 esa1.example.com mail_logs: Info: MID 5 Subject '"
    for size in (900, 959, 960, 961, 1024, 1025, 2048, 4096, 8192):
        log = "".join(f"{lead}{char * (size - len(lead))}\n{lead[:-17]}ICID {size} TLS success\n{lead[:-17]}ICID 6 close\n" for char in ("x", "y\x20", "é"))
        check(log.encode())
        check(log.replace(" mail_logs: Info:", " Info:", 5).encode(), cuts=(3 * size,))


def test_characters() -> None:
    """What JSON escapes, and bytes that are no text, come out alike."""
    odd = ['"', "\\", "\t", "\x01", "\x1f", "\x7f", "\u0085", "\u00a0", "é", "\u202e", "\u2028", "漢字", "\U0001f600", "\ufffd", "\udc80", "\udcff"]
    log = "".join(f"{STAMP}MID 5 Subject 'a{char}b'\n{STAMP}ICID 5 TLS failed: x {char} y{char}\n{STAMP}ICID 6 TLS failed: é{char}z\n" for char in odd)
    check(log.encode("utf-8", "surrogateescape"))


def test_numbers() -> None:
    """Numbers with leading zeros, too many digits, or in lists come out alike."""
    ids = ["0", "00", "007", "5", "2147483647", "2147483648", "999999999999999999", "1234567890123456789"]
    texts = [f"Start MID {one} ICID {other}" for one in ids for other in ids]
    texts += [f"Message done DCID {one} MID {one} to RID [{one}, 0{one},,  {one}]" for one in ids]
    texts += [f"New SMTP DCID {one} interface 192.0.2.1 address 198.51.100.7 port {one[:5]}" for one in ids]
    check("".join(f"{STAMP}{text}\n" for text in texts).encode())


def test_ids_that_do_not_matter() -> None:
    """Where the core takes texts for alike that differ in the first id alone, that changes nothing of what is matched."""
    fronts = {start: front for start in MATCHERS if (front := front_of(specs_of(start)))}
    assert fronts == {"DCID": "DCID ", "ICID": "ICID ", "MID ": "MID ", "Mail": "Mail delivery client with DCID ", "Mess": "Message finished MID "}
    assert not any(re.search(r"\\[1-9]|\(\?<", MATCHERS[start][0]) for start in fronts)
    for text in seeds.texts():
        front = fronts.get(text[:START], "\n")
        found = re.match(rf"{front}(\d{{1,18}}) ", text, re.ASCII)
        if found:
            told = [match(text[: found.start(1)] + one + text[found.end(1) :]) for one in (found[1], "1234567890")]
            others = [one and (one[0].name, [one[1][at] for at in range(1, one[1].re.groups + 1) if one[1].start(at) != found.start(1)]) for one in told]
            assert others[0] == others[1]


def test_times() -> None:
    """Stamps with fractions, before 1970, after 2106 and of no date, and events of some hours alone."""
    stamps = (
        "2024-07-20T19:47:40.250Z",
        "2024-07-20T19:47:41Z",
        "1969-12-31T23:59:59Z",
        "2106-02-07T06:28:16Z",
        "2024-02-30T00:00:00Z",
        "9999-12-31T23:59:59Z",
    )
    log = "".join(f"<22>1 {stamp} esa1 mail_logs 1 - - Info: ICID {number} TLS success\n" * 3 for number, stamp in enumerate(stamps)).encode()
    check(log)
    told = []
    for make in (BlockStream, native.stream):
        events = Events(None, since=1_721_504_861, until=1_721_504_900)
        told.append((read(make(events, Clock(latest=LATEST), None), [log]), written(events.found)))
    assert told[0] == told[1]


@pytest.mark.parametrize(
    ("day", "where"),
    [
        ("Sun Nov  7 {} 2010", "America/St_Johns"),  # summer time ended at 00:01
        ("<22>Jan  1 {} esa1 mail_logs:", "Pacific/Marquesas"),  # one day after LATEST is 2:30 there
    ],
)
def test_hour_in_which_the_clock_changes(day: str, where: str) -> None:
    """Where the zone's offset changes within an hour, or the year that the stamps leave out, each stamp is read by itself."""
    minutes = (200, *range(200))
    check("".join(f"{day.format(f'0{at // 60}:{at % 60:02}:30')} Info: ICID {at} TLS success\n" for at in minutes).encode(), cuts=(300,), where=where)


def test_more_headers_than_are_kept() -> None:
    """A log with a great many different headers is read to its end."""
    stamps = (f"{hour:02}:{minute:02}:{second:02}" for hour, minute, second in itertools.product(range(6), range(60), range(60)))
    log = "".join(f"<22>1 2024-07-20T{stamp}Z esa1 mail_logs 1 - - Info: Start MID {number} ICID 5\n" for number, stamp in enumerate(stamps))
    check(log.encode(), cuts=(1_000_000,))


@pytest.mark.parametrize("name", ["native", "syslog", "nested_syslog", "cef_beside_syslog"])
def test_traffic(name: str) -> None:
    """Nearly all messages of realistic traffic are judged in the core, with several appliances too."""
    data = "".join(f"{line}\n" for line in render(generate(11, 1500, 2 if "syslog" in name else 1, "realistic").lines, name)).encode("utf-8", "surrogateescape")
    check(data, cuts=(len(data) // 2,))
    known = native.facts()
    assert isinstance(known, native.NativeFacts)
    read(native.stream(known, Clock(latest=LATEST), None), [data])
    told = b"".join(native.message_lines(known, dumps, Contradictions()))
    odd_messages = known.odd
    connections = [*native.connection_records(known, Contradictions())] if not known.has_witnesses else []
    # dealt to several threads, as they come and out of order
    lines_of_log = data.splitlines(keepends=True)
    count = len(lines_of_log)
    for dealt in ([3 * number // count for number in range(count)], [number % 3 for number in range(count)]):
        several = [native.NativeFacts(limit) for limit in (None, 1 << 16, 1 << 10)]
        for job, part in enumerate(several):
            read(native.stream(part, Clock(latest=LATEST), None), [b"".join(line for line, one in zip(lines_of_log, dealt) if one == job)])
        for part in several[1:]:
            several[0].absorb(part)
        assert b"".join(native.message_lines(several[0], dumps, Contradictions())) == told
    if not known.has_witnesses:
        assert odd_messages / told.count(b"\n") < 0.01
        assert (known.odd - odd_messages) / len(connections) < 0.01


SHAPES = {
    "a list of those that a split message goes to": [
        "Start MID 1 ICID 5",
        "MID 1 ICID 5 From: <a@example.com>",
        "MID 1 was split creating MID 2 due to a SL/BL configuration for following recipients: b@Example.org, c@example.net",
        "MID 2 ICID 0 From: <a@example.com>",
        "MID 2 was rewritten creating MID 3 by antispam",
        "Delivery start DCID 6 MID 2 to RID [0, 1]",
        "Message done DCID 6 MID 2 to RID [0, 1]",
    ],
    "recipients that are delayed, and delayed again": [
        "Start MID 1 ICID 5",
        "MID 1 ICID 5 RID 0 To: <b@example.org>",
        "MID 1 ICID 5 RID 1 To: <c@example.net>",
        "Delayed: DCID 6 MID 1 to RID 0 - 4.1.0 - Unknown address error ('421', ['busy']) []",
        "Delayed: DCID 6 MID 1 to RID 1 - 4.1.0 - Unknown address error ('421', ['busy']) []",
        "\nDelayed: DCID 6 MID 1 to RID 0 - 4.1.0 - Unknown address error ('421', ['busy']) []",
        "Delayed: DCID 6 MID 1 to RID 1 - 4.1.0 - Unknown address error ('421', ['busy']) []",
        "Delayed: DCID 0 MID 1 to RID 1 - 4.1.2 - Bad destination host ('000', ['DNS']) []",
    ],
    "one recipient who bounces, and one who does not": [
        "Start MID 1 ICID 5",
        "MID 1 ICID 5 RID 0 To: <b@example.org>",
        "MID 1 ICID 5 RID 1 To: <c@example.org>",
        "Delivery start DCID 6 MID 1 to RID [0, 1]",
        "Bounced: DCID 6 MID 1 to RID 0 - 5.1.0 - Unknown address error ('550', ['nobody']) []",
        "Message done DCID 6 MID 1 to RID [1]",
    ],
    "mail that the appliance itself has made, and mail whose parent is out of view": [
        "Start MID 1 ICID 0",
        "MID 1 ICID 0 From: <alert@example.com>",
        "Start MID 2 ICID 0",
        "MID 2 ICID 0 From: <a@example.org>",
        "Start MID 3 ICID 0",
        "MID 3 ICID 0 From: <>",
    ],
    "a connection to a quarantine": [
        "Start MID 1 ICID 5",
        "MID 1 ICID 5 RID 0 To: <b@example.org>",
        "New SMTP DCID 6 interface 192.0.2.1 address 203.0.113.5 port 25",
        "Delivery start DCID 6 MID 1 to RID [0] to offbox IronPort Spam Quarantine",
        "DCID 6 close",
    ],
    "lines of a connection that name several addresses": [
        "New SMTP DCID 6 interface 192.0.2.1 address 203.0.113.5 port 25",
        "DCID 6 IP 192.0.2.5 TLS failed: STARTTLS unexpected response",
        "DCID 6 close",
    ],
}
"""Texts of each; one that begins with a line feed is of a minute later."""


@pytest.mark.parametrize("texts", SHAPES.values(), ids=SHAPES)
def test_what_has_a_shape(texts: list[str]) -> None:
    """What is frequent and plain is judged in the core, every message and connection of it."""
    minutes = itertools.accumulate(text.startswith("\n") for text in texts)
    log = "".join(f"Sat Jul 20 19:{10 + minute}:40 2024 Info: {text.strip()}\n" for minute, text in zip(minutes, texts)).encode()
    check(log, host="esa9.example.com")
    known = native.facts()
    assert isinstance(known, native.NativeFacts)
    read(native.stream(known, Clock(latest=LATEST), "esa9.example.com"), [log])
    assert [*native.message_lines(known, dumps, Contradictions()), *native.connection_records(known, Contradictions())]
    assert known.odd == 0


OPENED = "New SMTP ICID {} interface Data 1 (192.0.2.1) address 198.51.100.1 reverse dns host mx.example.net verified yes"
SAID = ["Start MID 1 ICID 5", "Message aborted MID 1 Dropped by filter 'x'"], ["Start MID 2 ICID 6", "Message aborted MID 2 Receiving aborted by sender"]
FRONTS = ["ICID 1 close"] * 3 + ["ICID:2 close", "ICIDx3 close", "ICID  4 close", "DCID 5 close", "DCID 6 close", "DCID-7 close"]
FRONTS += ["Message finished MID 8 done", "Message finished MID 9 done", "Message finished ICI 10 done", "Message finished MID 11 done"]
FOUND_ONCE = {
    **{
        f"appliances {order} that say other things": [
            f"<22>Mar  5 10:00:00 esa{host} mail_logs: Info: {text}" for host, texts in zip(order, SAID) for text in texts
        ]
        for order in ((1, 2), (2, 1))
    },
    "other words in front of an id": [f"{STAMP}{text}" for text in FRONTS],
    "mail between what a connection says": [
        f"Sat Jul 20 19:47:{10 * at + late:02} 2024 Info: {text}"
        for at, one in enumerate(("TLS failed: first", "TLS failed: second", "TLS failed: third", "TLS success"))
        for late, text in (
            (0, f"ICID 5 {one}"),
            (2, f"Start MID {at + 1} ICID 5"),
            (4, f"MID {at + 1} matched all recipients for per-recipient policy DEFAULT in the inbound table"),
        )
    ],
    "a recipient whom a bounce alone names": [
        "Sat Jul 20 19:47:14 2024 Info: Bounced: DCID 6 MID 2 From:<a@example.com> To:<b@example.org> RID 2 - 5.1.0 - Unknown address error ('550', ['x'])",
        "Sat Jul 20 19:47:17 2024 Info: Delivery start DCID 6 MID 1 to RID [1]",
    ],
    "a connection that messages alone name, days apart": [
        "Wed Mar 06 11:13:13 2024 Info: Message done DCID 2 MID 2 to RID [0]",
        "Fri Mar 08 14:59:54 2024 Info: Message done DCID 2 MID 1 to RID [1]",
        "Wed Mar 06 11:13:13 2024 Info: Start MID 3 ICID 4",
        "Fri Mar 08 14:59:54 2024 Info: Start MID 5 ICID 4",
        "Fri Mar 08 14:59:54 2024 Info: MID 6 was generated based on MID 7 by antivirus",
    ],
    "a message given up whose id had a child a day before, beside others that are alike": sorted(
        f"Tue Mar {line}"
        for mid, made in ((11, "05 10:00:02"), (21, "04 10:00:02"), (31, "05 10:00:02"))
        for line in (
            f"{made} 2024 Info: MID {mid} rewritten to MID {mid + 1} by antispam",
            f"05 10:00:00 2024 Info: {OPENED.format(mid)}",
            f"05 10:00:01 2024 Info: Start MID {mid} ICID {mid}",
            f"05 10:00:02 2024 Info: Message finished MID {mid} aborted",
        )
    ),
    "deliveries to one domain, as a connection tells": [
        f"{STAMP}{text}"
        for text in (
            "Start MID 1 ICID 5",
            "MID 1 ICID 5 RID 0 To: <x@example.com>",
            "MID 1 ICID 5 RID 1 To: <y@example.org>",
            "DCID 6 TLS success protocol TLSv1 cipher AES128-SHA for example.com",
            "Message done DCID 6 MID 1 to RID [1]",
            "Message done DCID 7 MID 1 to RID [0]",
        )
    ],
    "connections that are not closed, after one that is": [
        f"Sat Jul 20 19:47:01 2024 Info: {OPENED.format(1)}",
        "Sat Jul 20 19:47:02 2024 Info: ICID 1 ACCEPT SG UNKNOWNLIST match sbrs[-0.5:10.0] SBRS 5.6",
        f"Sat Jul 20 19:47:10 2024 Info: {OPENED.format(2)}",
        "Sat Jul 20 19:47:50 2024 Info: ICID 1 close",
        "Sat Jul 20 19:47:55 2024 Info: ICID 2 ACCEPT SG UNKNOWNLIST match sbrs[-0.5:10.0] SBRS 5.6",
    ],
}
"""Small logs for which the core's answer was another one once."""


@pytest.mark.parametrize("log", FOUND_ONCE.values(), ids=FOUND_ONCE)
def test_what_was_found_once(log: list[str]) -> None:
    """Ids, mail flow, partners, lives and time ranges are Python's, whatever lines are missing."""
    check("".join(f"{line}\n" for line in log).encode())


@pytest.mark.parametrize("words", ["no reason", '"},{"', '","domain":"', '"deliveries":[]', '","sender":"x@y"}'])
def test_what_is_counted_together(words: str) -> None:
    """What looks alike is counted alike, whoever wrote what stands in it, and of many in one second the same ones are examples."""
    log = []
    for number in range(1, 41):
        second = number // 10
        sender = ("a@p.example.com", "b@P.example.com", "", "c@", f"d@{words}", "e")[number % 6]
        log += [
            (second, f"New SMTP ICID {number} interface Data 1 (192.0.2.1) address 198.51.100.{number % 3} reverse dns host mx.example.net verified yes"),
            (second, f"ICID {number} TLS failed: {words}"),
            (second + 1, f"Start MID {number} ICID {number}"),
            (second + 1, f"MID {number} ICID {number} From: <{sender}>"),
            (second + 1, f"MID {number} ICID {number} RID 0 To: <x@{'one' if number % 2 else 'two'}.example.org>"),
            *([(second + 1, f"MID {number} ICID {number} RID 1 To: <y@three.example.org>")] if number % 5 == 0 else []),
            (second + 2, f"New SMTP DCID {number} interface 192.0.2.1 address 203.0.113.5 port 25"),
            *([(second + 2, f"DCID {number} TLS success protocol TLSv1 cipher RC4-SHA")] if number % 4 == 0 else []),
            (second + 3, f"Delivery start DCID {number} MID {number} to RID [0]"),
            (second + 3, f"Message done DCID {number} MID {number} to RID [0]"),
            *([(second + 3, f"Message done DCID {number} MID {number} to RID [1]")] if number % 5 == 0 else []),
            *([(second + 4, f"ICID {number} close")] if number % 7 else []),
        ]
    check("".join(f"Sat Jul 20 19:47:{second:02} 2024 Info: {text}\n" for second, text in sorted(log, key=lambda one: one[0])).encode())


@pytest.mark.parametrize("other", ["one.example.org", "ONE.example.org", "one.example.org.", "two.example.org"])
def test_deliveries_to_one_partner(other: str) -> None:
    """A message that reached one partner by two deliveries counts once there, and one that reached two partners once for each."""
    log = []
    for number in range(1, 9):
        log += [
            f"Start MID {number} ICID 1",
            f"MID {number} ICID 1 From: <a@example.com>",
            f"MID {number} ICID 1 RID 0 To: <x@one.example.org>",
            f"MID {number} ICID 1 RID 1 To: <y@{other}>",
            f"New SMTP DCID {2 * number} interface 192.0.2.1 address 203.0.113.5 port 25",
            f"DCID {2 * number} TLS success protocol TLSv1.2 cipher RC4-SHA",
            f"New SMTP DCID {2 * number + 1} interface 192.0.2.1 address 203.0.113.6 port 25",
            *([f"DCID {2 * number + 1} TLS success protocol TLSv1.2 cipher RC4-SHA"] if number % 2 else []),
            *(f"Delivery start DCID {2 * number + rid} MID {number} to RID [{rid}]" for rid in (0, 1)),
            *(f"Message done DCID {2 * number + rid} MID {number} to RID [{rid}]" for rid in (0, 1)),
        ]
    check("".join(f"Sat Jul 20 19:47:{at // 10:02} 2024 Info: {text}\n" for at, text in enumerate(log)).encode())


@example(FOUND[0], random.Random(1))
@example(FOUND[1], random.Random(1))
@example(FOUND[2], random.Random(1))
@example(FOUND[3], random.Random(1))
@example(FOUND[4], random.Random(1))
@example([(0, ("tls_required", 1_709_596_800, "6", None, None))], random.Random(1))
@given(some_facts() | ordinary_facts(), st.randoms(use_true_random=False))
@settings(max_examples=20_000 if LINES > 10_000 else 150)
def test_same_shape_same_record(chosen: list[tuple[int, Fact]], deal: Any) -> None:
    """Whatever is said of a few ids, the core has the records, and counts for a report, what the general code gives."""
    facts, known, counted = Facts(), native.NativeFacts(), native.NativeFacts()
    for number in range(3):
        told = again(chosen, number)
        deal.shuffle(told)
        for one in (facts, known, counted):
            stores = one.stores("esa1")
            for store, fact in told:
                stores[store].setdefault(fact[KEY], []).append(fact)
    shown = (Contradictions(), Contradictions())
    general = ([dumps(record) for record in records.connections(facts, shown[0])], [dumps(record) for record in records.messages(facts, shown[0])])
    assert records_by_core(known, shown[1]) == general
    assert shown[0].taken == shown[1].taken
    assert report_by_core(counted) == build(records.connections(facts), records.messages(facts))


def test_clock_that_changes() -> None:
    """Where the zone changes within a log, the same header is another time."""
    for kinds in (None, ALL):
        told = []
        for make in (BlockStream, native.stream):
            events = Events(kinds)
            stream = make(events, Clock(latest=LATEST), None)
            for name in ("UTC", "Asia/Tokyo"):
                stream.set_clock(Clock(zone(name), LATEST))
                stream.feed(f"{STAMP}ICID 5 TLS success\n".encode() * 3)
            stream.end()
            told.append(written(events.found))
        assert told[0] == told[1]
        assert told[0].count(b"T10:47:40Z") == 3


POOLS = [[line.encode("utf-8", "surrogateescape") for line in pool] for pool in seeds.lines()]


@given(st.data())
@settings(max_examples=60)
def test_any_mixture(data: st.DataObject) -> None:
    """Any lines of any logs, in any order, cut into any blocks."""
    pool = POOLS[data.draw(st.integers(0, len(POOLS) - 1))]
    other = POOLS[data.draw(st.integers(0, len(POOLS) - 1))]
    some = data.draw(st.lists(st.sampled_from(pool) | st.sampled_from(other) | st.sampled_from([b"", b" ", b"rest of a line", b"--"]), max_size=12))
    log = b"".join(line + b"\n" for line in some)
    check(log[: len(log) - data.draw(st.integers(0, 1))], cuts=data.draw(st.lists(st.integers(0, max(1, len(log))), max_size=3)))


def test_mutated_lines() -> None:
    """A great many lines, spoilt in every cheap way."""
    for batch in range(LINES // 500):
        data = mutate.mutated(random.Random(f"core-{batch}"), POOLS, 500)
        check(data, cuts=(len(data) // 2,))


@pytest.mark.parametrize("name", ["mail_logs: ", "mail_logs[7] ", "TLS "])
def test_a_header_that_names_its_log_later(name: str) -> None:
    """Wherever it stands: of the same form, the lines before it are events, and those behind it too unless it names a log."""
    log = [f'2024-03-05T10:{at // 4:02}:{at % 4 * (at % 3):02}Z {{host="esa1", job="syslog"}} Info: ICID {at} close\n' for at in range(40)]
    for at in range(40):
        odd = "".join([*log[:at], log[at].replace("Info:", f"{name}Info:"), *log[at + 1 :]]).encode()
        events = Events(ALL)
        counts = read(native.stream(events, Clock(zone("UTC"), LATEST), None), [odd])
        assert counts.events == (40 if name == "TLS " else at + 1)
        for cut in (0, 300, 1500, 2700):
            check(odd, cuts=(cut,))


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize(
    "command",
    [
        "events",
        "events --kind all",
        "events -f csv",
        "connections",
        "connections --since 2024-03-05T10:00:30Z --until 2024-03-05T10:02:00Z",
        "messages",
        "messages --memory 64K",
        "messages -f csv",
        "messages --since 2024-03-05T10:00:30Z --until 2024-03-05T10:02:00Z",
        "report -f json",
        "report -f json --since 2024-03-05T10:00:30Z --until 2024-03-05T10:02:00Z",
    ],
)
def test_command_line(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, command: str, jobs: int) -> None:
    """The command line writes the same with both, and with one process as with two."""
    monkeypatch.setattr("esatls.parallel.parts.LEAST_PART", 1 << 12)
    monkeypatch.setattr("esatls.parallel.events.EVENTS_PART", 1 << 13)
    monkeypatch.setattr("esatls.native.records._AT_ONCE", 50)
    log = tmp_path / "mail.log"
    lines_of_log = [*render(generate(3, 300, 1, "realistic").lines, "native")]
    lines_of_log += [line.replace("MID ", "MID 0") for line in lines_of_log[:500] if " Start MID " in line]  # the same numbers, but other ids
    log.write_text("".join(f"{line}\n" for line in lines_of_log), encoding="utf-8", errors="surrogateescape")
    told = []
    for pure in ("1", ""):
        compiled.module.cache_clear()
        done = run(*command.split(), "--jobs", jobs, log, env={"ESATLS_PURE": pure})
        told.append((done.returncode, re.sub(rb'"made":"[^"]+"', b"", done.stdout), done.stderr))
    assert told[0] == told[1]
    assert told[0][1]


@pytest.mark.parametrize("at_once", [1, 5000])
def test_ids_taken_twice(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    """Of ids that come again, the core tells what Python tells, however many are judged at once: by all lines of an id, not by those that others need."""
    monkeypatch.setattr("esatls.native.records._AT_ONCE", at_once)
    log = [
        "10:00:00 Start MID 14 ICID 5",
        "10:00:01 MID 14 rewritten to MID 15 by antispam",
        "10:00:01 Start MID 16 ICID 7",
        "10:00:02 Message finished MID 14 done",
        "10:00:03 New SMTP DCID 8 interface 192.0.2.10 address 203.0.113.1 port 25",
        "10:00:04 Delivery start DCID 8 MID 15 to RID [0]",
        "10:00:05 Message done DCID 8 MID 15 to RID [0]",
        "10:00:06 Delivery start DCID 8 MID 16 to RID [0]",
        "10:00:07 Message done DCID 8 MID 16 to RID [0]",
        "10:00:08 Message finished MID 16 done",
        "10:10:00 Start MID 14 ICID 6",
        "10:20:01 Start MID 16 ICID 9",
    ]
    check("".join(f"Sat Jul 20 {line[:8]} 2024 Info: {line[9:]}\n" for line in log).encode())


def test_which() -> None:
    """`esatls --version` says whether the core is there, and `ESATLS_PURE=1` switches it off."""
    assert run("--version").stdout.decode() == f"esatls, version {__version__} (compiled core)\n"
    compiled.module.cache_clear()
    assert run("--version", env={"ESATLS_PURE": "1"}).stdout.decode() == f"esatls, version {__version__} (pure Python)\n"


def test_another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """A core of another version is not used."""
    monkeypatch.setattr(importlib.import_module("esatls_core"), "__version__", "0.0.1")
    compiled.module.cache_clear()
    assert compiled.module() is None
    assert type(native.facts()) is Facts


def test_a_file_that_cannot_be_made(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    """Where no temporary file can be made, what is told says which file and where."""
    folder = tmp_path / "none"
    monkeypatch.setenv("TMPDIR", str(folder))
    known = native.NativeFacts(limit=1)
    with pytest.raises(OSError, match=f"^the temporary file for --memory, in {folder}: No such file or directory"):
        read(native.stream(known, Clock(latest=LATEST), None), [f"{STAMP}MID 1 ICID 1 From: <a@example.com>\n".encode() * 2])


@pytest.mark.parametrize("ask", [lambda asked: asked.classes(0, []), lambda asked: asked.delivered(0)])
def test_one_thread_asks_at_a_time(ask: Callable[[Any], object]) -> None:
    """While one thread of the core is told something new, the others wait: two words would share a bit, and be one verdict."""
    learned = Learned(dumps, 2)
    asked = _Asked(native.NativeFacts(), "", learned, Contradictions())
    thread = threading.Thread(target=ask, args=(asked,))
    with learned.asking:
        thread.start()
        thread.join(0.1)
        assert thread.is_alive()
    thread.join()
