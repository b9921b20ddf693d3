"""What is kept is bounded by what is open: counted in ids and facts, not in bytes."""

from __future__ import annotations

import json

import pytest
from esatls.follow.held import LINGER, Limits
from esatls.follow.held_json import freeze

from tests.follow.support import Run, sizes
from tests.traffic import Line, generate, render

_SECOND = 1709632800


def line(seconds: int, text: str, host: str = "esa1") -> Line:
    """Return one line."""
    return Line(_SECOND + seconds, host, "mail_logs", "Info", text)


def message(number: int, seconds: int) -> list[Line]:
    """Return the lines of a message with connections of its own."""
    return [
        line(seconds, f"New SMTP ICID {number} interface Data 1 (192.0.2.1) address 198.51.100.7 reverse dns host mx1.example.net verified yes"),
        line(seconds, f"ICID {number} TLS success protocol TLSv1.2 cipher AES128-SHA"),
        line(seconds, f"Start MID {number} ICID {number}"),
        line(seconds, f"MID {number} ICID {number} From: <alice@example.net>"),
        line(seconds, f"MID {number} ICID {number} RID 0 To: <bob@example.com>"),
        line(seconds + 1, f"New SMTP DCID {number} interface 192.0.2.1 address 203.0.113.5 port 25"),
        line(seconds + 1, f"Message done DCID {number} MID {number} to RID [0]"),
        line(seconds + 1, f"Message finished MID {number} done"),
        line(seconds + 1, f"ICID {number} close"),
        line(seconds + 1, f"DCID {number} close"),
    ]


def test_many_messages() -> None:
    """Six thousand messages, two a second: no more is held than a few minutes' worth, and in the end nothing."""
    run = Run()
    most = 0
    for number in range(6_000):
        run.read(render(message(number + 1, number // 2), "nested_native"))
        if number % 500 == 0:
            most = max(most, sum(size for name, size in sizes(run.held).items() if name != "facts"))
    a_second = 2 * 3  # a message and its two connections
    assert most < a_second * (LINGER + 30)
    assert len(run.told) > 5_900
    run.held.pass_time(10_000)
    run.stream.end()
    run.held.pass_time(20_000)
    assert not any(sizes(run.held).values())
    assert (run.held.hosts, run.held.clock.shifts) == ({}, {})
    frozen = freeze(run.held)
    del frozen["shapes"]  # the names of values, the same in every checkpoint
    assert len(json.dumps(frozen)) < 200


def test_one_connection_for_all() -> None:
    """Three thousand messages over one connection that stays open: of the told ones, a few facts remain."""
    run = Run()
    lines = [line(0, "New SMTP ICID 5 interface Data 1 (192.0.2.1) address 198.51.100.7 reverse dns host unknown verified no")]
    for number in range(1, 3_001):
        lines += [line(number, f"Start MID {number} ICID 5"), line(number, f"Message finished MID {number} done")]
    run.read(render(lines, "nested_native"))
    found = sizes(run.held)
    assert found["connected"] == 1
    assert found["emitted"] <= LINGER + 2
    assert len(run.held.hosts["esa1"].connections[0]["5"].kept) < 10
    assert {record["received"] for record in run.records()} == {"cleartext"}


def test_messages_that_never_end() -> None:
    """Where more is open than can be held, the oldest is told as it stands."""
    run = Run(Limits(most=100))
    run.read(render((line(number, f"Start MID {number} ICID 5") for number in range(1, 1001)), "nested_native"))
    found = sizes(run.held)
    assert found["open"] <= 101
    assert found["facts"] < 1000
    assert run.mids() == list(range(1, 1 + len(run.told)))
    assert len(run.told) >= 898
    assert not any(record["finished"] for record in run.records())


def test_one_connection_that_says_much() -> None:
    """A connection with thousands of failures, each in other words, keeps some dozens; the first still tells why."""
    run = Run()
    lines = [line(0, "New SMTP DCID 5 interface 192.0.2.1 address 203.0.113.5 port 25")]
    for number in range(1, 2_001):
        lines += [
            line(number, f"DCID 5 TLS failed: ({336000000 + number}, 'error:{number:08X}:no shared cipher')"),
            line(number, f"Start MID {number} ICID 0"),
            line(number, f"Message done DCID 5 MID {number} to RID [0]"),
            line(number, f"Message finished MID {number} done"),
        ]
    run.read(render(lines, "nested_native"))
    assert len(run.held.hosts["esa1"].connections[1]["5"].facts) < 300
    run.end()
    reasons = {attempt["reason"] for record in run.records() for attempt in record["deliveries"]}
    assert reasons == {"(336000001, 'error:00000001:no shared cipher')"}


def test_ids_that_are_used_again_and_again() -> None:
    """Two thousand messages with the same three ids, one after another: of what is over nothing is kept."""
    run = Run()
    for number in range(2_000):
        run.read(render(message(1, number * 30), "nested_native"))
    assert sizes(run.held)["facts"] < 300
    assert len(run.end().told) == 2_000


def test_chain_of_rewrites() -> None:
    """Of a message that was rewritten a thousand times, no more than the last steps are needed."""
    run = Run()
    lines = message(1, 0)[:5]
    for mid in range(1, 1_000):
        lines += [line(mid, f"MID {mid} rewritten to MID {mid + 1} by antispam"), line(mid, f"Message finished MID {mid} done")]
    run.read(render(lines, "nested_native"))
    assert len(run.held.hosts["esa1"].messages) < LINGER + 30
    assert {record["received"] for record in run.end().records()} == {"encrypted"}


@pytest.mark.parametrize("ends", [(9, 0), (0, 9), (4, 5)])
def test_ring_of_messages(ends: tuple[int, int]) -> None:
    """Ten messages that are each made from the next, in whatever order the lines come: none is kept for ever."""
    order = [*range(*sorted(ends))] if ends[0] < ends[1] else [*range(9, -1, -1)]
    order += [number for number in range(10) if number not in order]
    run = Run()
    run.read(render([line(0, f"MID {(number + 1) % 10 + 1} rewritten to MID {number + 1} by antispam") for number in order], "nested_native"))
    run.stream.end()
    run.held.pass_time(10 * 86400)
    run.held.pass_time(20 * 86400)
    assert sorted(run.mids()) == [*range(1, 11)]
    assert run.held.hosts == {}


def test_quarantines_are_bounded() -> None:
    """Of messages that went to a quarantine and were told, so many are remembered and no more."""
    run = Run(Limits(most=500))
    lines = []
    for number in range(1, 1001):
        lines += [
            line(number * 20, f"Start MID {number} ICID 0"),
            line(number * 20, f"EUQ: Quarantined MID {number}"),
            line(number * 20, f"Message finished MID {number} done"),
        ]
    run.read(render(lines, "nested_native"))
    assert sizes(run.held)["remembered"] == 100
    assert len(run.told) == 999


def test_what_a_quarantine_released_is_small() -> None:
    """Of a message that was in a quarantine, no more is kept once it is delivered, however many recipients it had."""
    done = [
        line(at, text)
        for recipient in range(100)
        for at, text in (
            (1, f"MID 7 ICID 7 RID {recipient} To: <u{recipient}@example.com>"),
            (900, f"Message done DCID {recipient + 1} MID 7 to RID [{recipient}]"),
        )
    ]
    done += [line(1, "Start MID 7 ICID 7"), line(2, 'MID 7 quarantined to "Policy" (x)'), line(900, "Message finished MID 7 done")]
    run = Run().read(render(sorted(done), "nested_native"))
    run.held.pass_time(4_000)
    run.stream.end()
    run.held.pass_time(8_000)
    assert (run.mids(), sizes(run.held)["facts"]) == ([7], 4)


def test_strangers_as_hosts() -> None:
    """Names of appliances that a stranger makes up are forgotten with what they said."""
    run = Run()
    run.read(render((line(number, "ICID 5 close", f"host{number}.example.com") for number in range(3000)), "nested_native"))
    assert len(run.held.hosts) <= LINGER + 2
    assert len(run.held.clock.shifts) <= LINGER + 200


def test_silent_traffic_is_forgotten() -> None:
    """After the longest time-out, nothing of a rare day's traffic is left, whatever it was."""
    run = Run()
    run.read(render(generate(3, 400, 2, "rare").lines, "nested_native"))
    run.stream.end()
    for months in range(1, 5):
        run.held.pass_time(months * 31 * 86400)
    assert not any(sizes(run.held).values())
    assert run.held.hosts == {}
