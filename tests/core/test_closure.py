"""What is judged by windows, and what goes on judged together, is what one run over everything gives."""

from __future__ import annotations

import bisect
import dataclasses
import json
import random
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import pytest
from esatls.output.json_lines import dumps
from esatls.verdicts import lives
from esatls.verdicts import records as verdicts
from esatls.verdicts.appliance import Appliance
from esatls.verdicts.closure import Judged, decisive, together
from esatls.verdicts.contradictions import Contradictions
from esatls.verdicts.facts import Facts, passes
from esatls.verdicts.records import connections_of, messages_of
from esatls.verdicts.windows import AFTER_EVENT, LEAD, Carried, Window, close, finish
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.core.support import portions, read_facts
from tests.traffic import PROFILES, generate, render

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tests.traffic import Line

HOUR, DAY = 3600, 86400
START = 1709596800
"""2024-03-05, midnight."""
EVER = float("inf")


class Late:
    """A log in which things take days: queues, quarantines, ids that are used again, consolidated events beside the text."""

    def __init__(self, seed: int, messages: int, *, consolidated: bool) -> None:
        self.random = random.Random(seed)
        self.consolidated = consolidated
        self.lines: list[tuple[float, str]] = []
        self.icid = self.dcid = self.mid = 10
        time = 0.0
        while messages > 0:
            time += self.random.expovariate(1 / 1500)
            if self.random.random() < 0.05:
                # the counters are reset, long after all that used them
                time += 20 * DAY
                self.icid = self.dcid = self.mid = 10
            messages -= self.connection(time)

    def say(self, time: float, text: str) -> None:
        """Write a line."""
        self.lines.append((time, text))

    def connection(self, time: float) -> int:
        """Receive some messages over one connection; return how many."""
        choose = self.random
        self.icid += 1
        icid, count = self.icid, choose.choice((0, 1, 1, 2, 3))
        self.say(time, f"New SMTP ICID {icid} interface Data 1 (192.0.2.1) address 198.51.100.{icid % 250} reverse dns host unknown verified no")
        self.say(time, f"ICID {icid} {choose.choice(('ACCEPT', 'RELAY'))} SG ANY match ALL SBRS None")
        tls = choose.randrange(count + 2)
        outcome = choose.choice(
            ("success protocol TLSv1.2 cipher AES128-SHA", "failed: (336109761, 'error:1408A0C1:SSL routines:SSL3_GET_CLIENT_HELLO:no shared cipher')")
        )
        for number in range(count + 1):
            time += choose.choice((0, 1, 30, 400))
            if number == tls:
                self.say(time, f"ICID {icid} TLS {outcome}")
            if number < count:
                self.mid += 1
                self.message(time, self.mid, icid)
        self.say(time + choose.choice((0, 2, 90, 1200)), f"ICID {icid} {choose.choice(('close', 'lost'))}")
        return count

    def message(self, time: float, mid: int, icid: int) -> None:
        """Receive a message, and do with it what happens to messages."""
        choose = self.random
        self.say(time, f"Start MID {mid} ICID {icid}")
        self.say(time, f"MID {mid} ICID {icid} From: <alice{mid}@example.net>")
        if choose.random() < 0.1:
            self.say(time + 1, f"MID {mid} ICID {icid} Receiving aborted by sender")
            self.say(time + 1, f"Message finished MID {mid} aborted")
            return
        for rid in range(choose.choice((1, 1, 2))):
            self.say(time, f"MID {mid} ICID {icid} RID {rid} To: <bob@{choose.choice(('example.com', 'example.org'))}>")
        self.say(time + 1, f"MID {mid} matched all recipients for per-recipient policy DEFAULT in the inbound table")
        self.after(time + 1, mid, icid)

    def after(self, time: float, mid: int, icid: int) -> None:
        """Go on with a message that is accepted."""
        choose = self.random
        what = choose.random()
        if what < 0.2:
            self.mid += 1
            child = self.mid
            self.say(time, f"MID {mid} rewritten to MID {child} by antivirus")
            self.say(time, f"Message finished MID {mid} done")
            self.after(time, child, icid)
        elif what < 0.35:
            self.say(time, f'MID {mid} quarantined to "Policy" (content filter:hold)')
            if choose.random() < 0.6:
                if mid % 2:
                    # some appliances finish what they put into a quarantine, and go on with it when it is released
                    self.say(time, f"Message finished MID {mid} done")
                time += choose.uniform(HOUR, 5 * DAY)
                self.deliver(time, mid, icid)
            else:
                self.say(time, f"Message finished MID {mid} done")
                self.mid += 1
                child, later = self.mid, time + choose.uniform(HOUR, 5 * DAY)
                self.say(later, f"EUQ: Reinjected MID {mid} as MID {child}")
                self.deliver(later + 1, child, 0)
        elif what < 0.45:
            self.say(time, f"Message aborted MID {mid} Dropped by antivirus")
            self.say(time, f"Message finished MID {mid} aborted")
        else:
            self.deliver(time, mid, icid)

    def deliver(self, time: float, mid: int, icid: int) -> None:
        """Deliver a message, perhaps after some attempts."""
        choose = self.random
        encrypted = choose.random() < 0.5
        for last in [False] * choose.choice((0, 0, 0, 1, 3)) + [True]:
            if self.dcid == 10 or choose.random() < 0.8:
                self.dcid += 1
                self.say(time, f"New SMTP DCID {self.dcid} interface 192.0.2.1 address 203.0.113.{self.dcid % 250} port 25")
                if encrypted:
                    self.say(time, f"DCID {self.dcid} TLS success protocol TLSv1.3 cipher TLS_AES_256_GCM_SHA384")
                opened = self.dcid
            else:
                opened = 0
            dcid = opened
            if last:
                self.say(time, f"Delivery start DCID {dcid} MID {mid} to RID [0]")
                self.say(time + 2, f"Message done DCID {dcid} MID {mid} to RID [0]")
                self.say(time + 2, f"Message finished MID {mid} done")
                if self.consolidated:
                    self.event(time + 3, mid, icid, dcid, encrypted=encrypted)
            else:
                self.say(time + 1, f"Delayed: DCID {dcid} MID {mid} to RID 0 - 4.1.0 - Unknown address error ('450', ['try later']) []")
            if opened:
                self.say(time + choose.choice((3, 8, 300)), f"DCID {dcid} close")
            time += choose.uniform(300, DAY)

    def event(self, time: float, mid: int, icid: int, dcid: int, *, encrypted: bool) -> None:
        """Write what a message's consolidated event says."""
        keys = f"ESAMID={mid}" + (f" ESAICID={icid}" if icid else "") + (f" ESADCID={dcid}" if dcid else "")
        tls = f" ESATLSOutConnStatus={'Success' if encrypted else 'Failure'}" if dcid else ""
        self.say(
            time, f"CEF:0|Cisco|C600V Email Security Virtual Appliance|14.3.0|ESA_CONSOLIDATED_LOG_EVENT|Consolidated Log Event|5|{keys}{tls} act=DELIVERED"
        )

    def facts(self) -> Facts:
        """Return the facts of the whole log."""
        from datetime import datetime, timezone

        def stamped(time: float, text: str) -> str:
            stamp = datetime.fromtimestamp(START + int(time), timezone.utc)
            return f"{stamp:%a %b %d %H:%M:%S %Y} {'' if text.startswith('CEF') else 'Info: '}{text}"

        return read_facts([stamped(time, text) for time, text in sorted(self.lines, key=lambda line: line[0])])[0]


def dealt(facts: Facts, count: int, choose: Callable[[float], int]) -> list[Facts]:
    """Return facts in parts, each in the one that is chosen for its time."""
    found = [Facts() for _ in range(count)]
    for part in found:
        part.has_witnesses = facts.has_witnesses
    for host, stores in facts.hosts.items():
        for number, store in enumerate(stores):
            for key, known in store.items():
                for fact in known:
                    found[choose(fact[1])].at(host)[number].setdefault(key, []).append(fact)
    return found


def parts(facts: Facts, cuts: Sequence[float]) -> list[tuple[Facts, Window]]:
    """Return the facts of each window, as the stamps have it."""
    edges = [-EVER, *cuts, EVER]
    return list(zip(dealt(facts, len(cuts) + 1, lambda time: bisect.bisect_right(cuts, time)), map(Window, edges, edges[1:])))


def sorted_lines(records: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return records in a form that can be compared."""
    return sorted(dumps(record).decode() for record in records)


def whole(facts: Facts) -> tuple[list[str], list[str]]:
    """Return the records of one run over everything."""
    return sorted_lines(verdicts.messages(facts)), sorted_lines(verdicts.connections(facts))


def by_the_hour(facts: Facts, hours: Sequence[float], days: Sequence[float]) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]], list[Carried]]:
    """Return the messages and the connections that are over within windows, and what these carry, by the longer windows that they are in."""
    messages: list[Mapping[str, Any]] = []
    connections: list[Mapping[str, Any]] = []
    carried = [Carried() for _ in range(len(days) + 1)]
    for part, window in parts(facts, hours):
        closed = close(Carried.of(part), window)
        messages += closed.messages
        connections += closed.connections
        carried[bisect.bisect_right(days, window.start)].loads(closed.carried.dumps())
    return messages, connections, carried


def by_windows(facts: Facts, hours: Sequence[float], days: Sequence[float] = ()) -> tuple[list[str], list[str]]:
    """Return the records that windows give, those of longer windows over what these carry, and those of the rest."""
    messages, connections, carried = by_the_hour(facts, hours, days)
    rest = Carried()
    edges = [-EVER, *days, EVER]
    for day, window in zip(carried, map(Window, edges, edges[1:])):
        closed = close(day, window)
        messages += closed.messages
        connections += closed.connections
        rest.merge(closed.carried)
    last = finish(rest)
    return sorted_lines([*messages, *last[0]]), sorted_lines([*connections, *last[1]])


def by_the_past(facts: Facts, hours: Sequence[float], days: Sequence[float], silence: float) -> tuple[tuple[list[str], list[str]], int]:
    """Return the records that hours, days, the past up to each day, and the rest give, and how many rows the past carries at last."""
    messages, connections, carried = by_the_hour(facts, hours, days)
    past = Carried()
    for day, end in zip(carried, days):
        closed = close(day, Window(end - DAY, end))
        past.merge(closed.carried)
        longer = close(past, Window(-EVER, end), silence)
        messages += [*closed.messages, *longer.messages]
        connections += [*closed.connections, *longer.connections]
        past = Carried()
        past.loads(longer.carried.dumps())
    kept = len(past.dumps())
    past.merge(carried[-1])
    last = finish(past)
    return (sorted_lines([*messages, *last[0]]), sorted_lines([*connections, *last[1]])), kept


def by_shares(shares: Sequence[Facts]) -> tuple[list[str], list[str]]:
    """Return the records that several processes give, each of which has a share of the facts."""
    judged = portions(shares)
    messages = [record for one in judged for appliance, mids in one.messages(Contradictions()) for _, record in messages_of(appliance, mids)]
    connections = [record for one in judged for appliance, refs in one.connections(Contradictions()) for _, record in connections_of(appliance, refs)]
    return sorted_lines(messages), sorted_lines(connections)


def assert_same(found: tuple[list[str], list[str]], expected: tuple[list[str], list[str]]) -> None:
    """Compare records of messages and of connections, each once."""
    for mine, theirs in zip(found, expected):
        assert [line for line in mine if line not in theirs] == []
        assert mine == theirs


def every(lines: Sequence[float], seconds: float) -> list[float]:
    """Return the windows of a length that some times need."""
    first, last = min(lines), max(lines)
    return [first - first % seconds + seconds * number for number in range(1, int((last - first) / seconds) + 2)]


LOGS = st.builds(Late, st.integers(0, 1 << 20), st.integers(1, 60), consolidated=st.booleans())


@settings(max_examples=30)
@given(LOGS, st.sampled_from([600, HOUR, 6 * HOUR, DAY]), st.sampled_from([DAY, 7 * DAY, 0]))
def test_windows_of_one_length(log: Late, seconds: int, longer: int) -> None:
    """Hours or days, and days over what the hours carry: every message and every connection once, as one run has it."""
    facts = log.facts()
    times = [START + time for time, _ in log.lines]
    if times:
        assert_same(by_windows(facts, every(times, seconds), every(times, longer) if longer else ()), whole(facts))


@settings(max_examples=30)
@given(LOGS, st.data())
def test_windows_cut_anywhere(log: Late, data: st.DataObject) -> None:
    """Windows may begin and end at any second."""
    facts = log.facts()
    end = START + int(max((time for time, _ in log.lines), default=0)) + 1
    cuts = data.draw(st.lists(st.integers(START, end), max_size=20, unique=True))
    assert_same(by_windows(facts, sorted(cuts)), whole(facts))


@settings(max_examples=30)
@given(LOGS)
def test_silence_is_an_end(log: Late) -> None:
    """The past, in which nothing is silent for more than five days and then goes on: every message and connection once, as one run has it."""
    facts = log.facts()
    times = [START + time for time, _ in log.lines]
    if times:
        days = every(times, DAY)
        found, kept = by_the_past(facts, every(times, HOUR), [*days, *(days[-1] + DAY * number for number in range(1, 8))], 6 * DAY)
        assert_same(found, whole(facts))
        assert kept == 0


@pytest.mark.parametrize(("profile", "seed", "resets", "cef"), [("realistic", 1, 0, 0.0), ("rare", 2, 3, 0.0), ("rare", 1, 0, 1.0)])
def test_simulated_gateways(profile: str, seed: int, resets: int, cef: float) -> None:
    """Whatever gateways do: the records are those of one run, and most are given by the window they are of."""
    lines: list[Line] = generate(seed, 400, 2, dataclasses.replace(PROFILES[profile], cef=cef), resets=resets).lines
    facts = read_facts(list(render(lines, "syslog")))[0]
    right = whole(facts)
    for seconds in (300, HOUR):
        cuts = every([line.time for line in lines], seconds)
        assert_same(by_windows(facts, cuts), right)
        given_at_once = sum(len(close(Carried.of(part), window).messages) for part, window in parts(facts, cuts))
        assert given_at_once > (0.5 if seconds > AFTER_EVENT or not cef else 0.25) * len(right[0])


@settings(max_examples=15)
@example(Late(231, 59, consolidated=True), random.Random(1))  # a MID had another owner on the same ICID weeks before
@example(Late(370692, 57, consolidated=True), random.Random(1))  # a message beside others was made from one that was over
@given(LOGS, st.randoms(use_true_random=False))
def test_doubled_and_shuffled(log: Late, order: random.Random) -> None:
    """A window that is run twice gives the same twice; what windows carry may be merged in any order, and again."""
    facts = log.facts()
    cuts = every([START + time for time, _ in log.lines] or [START], HOUR)
    closed = [close(Carried.of(part), window) for part, window in parts(facts, cuts)]
    again = [close(Carried.of(part), window) for part, window in parts(facts, cuts)]
    assert [(one.messages, one.connections, sorted(map(sorted, one.carried.dumps()))) for one in closed] == [
        (one.messages, one.connections, sorted(map(sorted, one.carried.dumps()))) for one in again
    ]
    rows = [row for one in (*closed, *again) for row in one.carried.dumps()]
    order.shuffle(rows)
    rest = Carried()
    rest.loads(rows)
    messages, connections = finish(rest)
    found = [record for one in closed for record in one.messages] + messages, [record for one in closed for record in one.connections] + connections
    assert_same((sorted_lines(found[0]), sorted_lines(found[1])), whole(facts))


@settings(max_examples=30)
@given(LOGS, st.integers(2, 4), st.data())
def test_shares(log: Late, count: int, data: st.DataObject) -> None:
    """However the facts are dealt to processes: what each judges alone and what they judge together are the records of one run."""
    facts = log.facts()
    in_order = data.draw(st.booleans())
    deal = data.draw(st.randoms(use_true_random=False))
    end = max((time for time, _ in log.lines), default=0) + 1
    shares = dealt(facts, count, lambda time: int((time - START) / end * count) if in_order else deal.randrange(count))
    assert_same(by_shares(shares), whole(facts))


def test_a_parent_whose_beginning_is_not_in_view() -> None:
    """What a message beside others was made from is there with its beginning, and not at all without one."""
    lines = ["New SMTP ICID 5 interface Data 1 (192.0.2.1) address 198.51.100.7 reverse dns host unknown verified no", "Start MID 1 ICID 5"]
    made = ["MID 9 ready 1024 bytes from <alice@example.net>", "MID 9 rewritten to MID 2 by antivirus"]
    for begun in ([], ["Start MID 9 ICID 6"]):
        facts = read_facts([*lines, *begun, *made, "MID 2 ICID 5 From: <alice@example.net>"])[0]
        known = Judged(Appliance("", facts.hosts[""]))
        assert {mid: sorted(fact[0] for fact in kept) for mid, kept in together(known, ["1"])[2].items()} == {
            "1": ["message_started"],
            "2": ["message_sender", "rewritten"],
            **({"9": ["message_started"]} if begun else {}),
        }


HELD = [
    "0 New SMTP ICID 5 interface Data 1 (192.0.2.1) address 198.51.100.7 reverse dns host unknown verified no",
    "0 Start MID 15 ICID 5",
    "0 MID 15 ICID 5 From: <alice@example.net>",
    '1 MID 15 quarantined to "Policy" (content filter:held)',
    "1 ICID 5 close",
    "10 New SMTP DCID 9 interface 192.0.2.1 address 203.0.113.26 port 25",
    "11 DCID 9 close",
]


@pytest.mark.parametrize(
    ("later", "over"),
    [
        ([], set()),
        (["9 MID 15 released from all quarantines"], set()),
        (["10 Message done DCID 9 MID 15 to RID [0]"], {15}),
        (["10 Message done DCID 9 MID 15 to RID [0] (external quarantine)"], {15}),
        (["9 MID 15 rewritten to MID 16 by Policy Quarantine", "10 Message done DCID 9 MID 16 to RID [0]", "10 Message finished MID 16 done"], {15, 16}),
    ],
)
def test_mail_in_a_quarantine_goes_on(later: list[str], over: set[int]) -> None:
    """A message in a quarantine is not over, though finished, until it is delivered, replaced, or moved to another appliance."""
    lines = sorted((line.split(" ", 1) for line in [*HELD, *later, "10 Message finished MID 15 done"]), key=lambda line: int(line[0]))
    facts = read_facts([f"Tue Mar  5 10:{int(minute):02}:00 2024 Info: {text}" for minute, text in lines])[0]
    start = START + 10 * HOUR - LEAD
    assert {one["mid"] for one in close(Carried.of(facts), Window(start, start + HOUR)).messages} == over


BEHIND_A_COLLECTOR = (
    "2024-03-05T{} collector CEF:0|Cisco|C100V Secure Email Gateway Virtual|15.0.0-104|ESA_CONSOLIDATED_LOG_EVENT|Consolidated Log Event|5|"
    "deviceExternalId={} ESAMID={} ESAICID=8 ESADCID=9 act=DELIVERED ESATLSInConnStatus={}"
)
SERIALS = [
    BEHIND_A_COLLECTOR.format("10:00:00", "AAAA1111-EXAMPLE", 5, "Success"),
    BEHIND_A_COLLECTOR.format("11:00:00", "BBBB2222-EXAMPLE", 5, "Failure"),
    BEHIND_A_COLLECTOR.format("11:00:00", "AAAA1111-EXAMPLE", 6, "Success"),
]
"""Two appliances behind one collector: only the first is in the first hour, and both use the same ids."""


def test_serial_numbers_in_windows() -> None:
    """An appliance that only the serial number names is the same one in all windows, also in those in which no other one writes."""
    facts = read_facts(SERIALS)[0]
    expected = whole(read_facts(SERIALS)[0])
    assert [(one["esa_host"], one["mid"], one["received"]) for one in map(json.loads, expected[0])] == [
        ("AAAA1111-EXAMPLE", 5, "encrypted"),
        ("AAAA1111-EXAMPLE", 6, "encrypted"),
        ("BBBB2222-EXAMPLE", 5, "cleartext"),
    ]
    for seconds in (600, HOUR, DAY):
        assert_same(by_windows(facts, every([START + 10 * HOUR, START + 11 * HOUR], seconds)), expected)


_EVENT = "Tue Mar  5 10:00:02 2024 CEF:0|Cisco|C600V Email Security Virtual Appliance|14.3.0|ESA_CONSOLIDATED_LOG_EVENT|Consolidated Log Event|5|"
BOUNCED = [
    "Tue Mar  5 10:00:00 2024 Info: New SMTP DCID 5 interface 192.0.2.1 address 203.0.113.5 port 25",
    "Tue Mar  5 10:00:01 2024 Info: DCID 5 TLS success protocol TLSv1.2 cipher AES128-SHA",
    f"{_EVENT}ESAMID=7 ESADCID=5 act=BOUNCED",
    f"{_EVENT}ESAMID=8 ESADCID=6 act=BOUNCED",
]
"""Consolidated events of mail that was not delivered: one names a connection that has lines, the other one that has none."""


def test_an_event_that_names_a_connection_without_a_delivery() -> None:
    """The connection decides the verdict of the attempt, wherever its lines are; one that has none has no record."""
    message = {"received": "unknown", "delivered": "none"}
    attempt = {"rid": [], "outcome": "bounced", "time": "2024-03-05T10:00:02Z"}
    seen = {"first_seen": "2024-03-05T10:00:02Z", "last_seen": "2024-03-05T10:00:02Z", "finished": False}
    tls = {"tls_version": "TLSv1.2", "tls_cipher": "AES128-SHA"}
    opened = {"opened": "2024-03-05T10:00:00Z", "peer_ip": "203.0.113.5", "peer_port": 25, "interface_ip": "192.0.2.1"}
    expected = (
        sorted_lines(
            [
                {"mid": 7, **message, "deliveries": [{"dcid": 5, **attempt, "verdict": "encrypted", **tls, "peer_ip": "203.0.113.5"}], **seen},
                {"mid": 8, **message, "deliveries": [{"dcid": 6, **attempt, "verdict": "unknown"}], **seen},
            ]
        ),
        sorted_lines([{"esa_direction": "delivery", "dcid": 5, **opened, "tls_verdict": "encrypted", **tls, "messages": 0}]),
    )
    assert whole(read_facts(BOUNCED)[0]) == expected
    for cut in range(1, len(BOUNCED)):
        assert by_shares([read_facts(BOUNCED[:cut])[0], read_facts(BOUNCED[cut:])[0]]) == expected
    past = Carried.of(read_facts(BOUNCED)[0])
    silent = close(past, Window(-EVER, START + 9 * DAY), 6 * DAY)
    assert (sorted_lines(silent.messages), sorted_lines(silent.connections), silent.carried.dumps()) == (*expected, [])


def test_an_event_of_a_message_that_was_given_up() -> None:
    """It ends no silence of its connection, like every event, also where another process has the line that shows that the message was accepted."""
    event = "CEF:0|Cisco|C600V Email Security Virtual Appliance|14.3.0|ESA_CONSOLIDATED_LOG_EVENT|Consolidated Log Event|5|"
    lines = [
        f"Tue Mar  5 10:00:00 2024 {event}ESAMID=7 ESAICID=5 act=DELIVERED ESATLSInConnStatus=Failure",
        f"Wed Mar  6 10:00:00 2024 {event}ESAMID=8 ESAICID=5 act=ABORTED",
        "Thu Mar  7 10:00:01 2024 Info: Start MID 7 ICID 5",
        f"Thu Mar  7 10:00:02 2024 {event}ESAMID=8 ESADCID=6 act=BOUNCED",
    ]
    expected = whole(read_facts(lines)[0])
    assert [(one["mid"], one["received"]) for one in map(json.loads, expected[0])] == [(7, "cleartext"), (7, "cleartext"), (8, "unknown")]
    assert [one["messages"] for one in map(json.loads, expected[1])] == [2]
    for cut in range(1, len(lines)):
        assert_same(by_shares([read_facts(lines[:cut])[0], read_facts(lines[cut:])[0]]), expected)


def test_little_is_carried() -> None:
    """In an ordinary hour nearly all is over within it: what goes on is a few facts."""
    lines = generate(5, 1500, 1, "realistic").lines
    facts = read_facts(list(render(lines, "native")))[0]
    closed = close(Carried.of(facts), Window(lines[0].time - 60, lines[-1].time + 61))
    count = sum(len(known) for stores in facts.hosts.values() for store in stores for known in store.values())
    kept = sum(len(known) for stores in closed.carried.facts.hosts.values() for store in stores for known in store.values())
    assert kept < 0.05 * count


HOURS = st.integers(0, 40).map(lambda hours: float(hours * HOUR))
"""Steps of a time: silences of a day, and just less and more of it, among them."""
USES = st.sampled_from([("delivery_started", "delivery_done", "delivery_delayed"), ("delivery_delayed",)])


@settings(max_examples=300)
@given(st.lists(HOURS, max_size=12), st.lists(HOURS, max_size=2), USES, st.data())
def test_what_is_kept_of_the_uses_of_a_connection(steps: list[float], more: list[float], codes: tuple[str, ...], data: st.DataObject) -> None:
    """Of all that names a connection, few are kept: its lives begin at the same times, and mail passed in the same ones."""
    times = [*accumulate(steps)]
    uses = [(data.draw(st.sampled_from(codes)), time, str(number), "[0]", "5") for number, time in enumerate(times)]
    facts = [("connection_opened", time, "5", "192.0.2.1", None, None, None, None) for time in more]
    begins = lives.starts_of_connection(facts, uses)
    kept = decisive(data.draw(st.permutations(uses)), begins)
    assert lives.starts_of_connection(facts, kept) == begins
    assert {lives.life_at(begins, use[1]) for use in kept if passes(use)} == {lives.life_at(begins, use[1]) for use in uses if passes(use)}
    assert set(kept) <= set(uses)


def test_little_is_kept_of_the_uses_of_a_connection() -> None:
    """A thousand messages over one connection leave its first, its last, and one in twelve hours."""
    uses = [("delivery_started", float(number * HOUR // 10), str(number), "[0]", "5") for number in range(1000)]
    assert len(decisive(uses, [])) == 2 + 1000 // 120


@pytest.mark.parametrize("line", ["", "{}", "[1]", '["", 7, "1", [["x", 1, "1"]], []]', '["", 0]', '["", 0, "1", 5, []]'])
def test_rows_of_something_else(line: str) -> None:
    """What is no row of carried facts is refused."""
    with pytest.raises(ValueError, match="not a row of"):
        Carried().loads([line])
