"""What `follow` tells is what `messages` says of the whole log, and it tells it in time."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from datetime import datetime, timezone
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from esatls.extraction.blocks import BlockStream
from esatls.extraction.probe import clock_of, probe
from esatls.follow.held import HOLD, LINGER, Limits
from esatls.follow.held_json import freeze
from esatls.follow.run import Follower, FollowOptions
from esatls.lines.clock import Clock
from esatls.lines.sources import Reader, Source
from esatls.output.json_lines import dumps
from esatls.verdicts import records as verdicts
from esatls.verdicts.facts import Facts
from esatls.verdicts.lives import CONNECTION_SILENCE
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.support import REAL, SCENARIOS, needs_shared
from tests.follow.support import Run, encoded, whole
from tests.traffic import ENVELOPES, Line, duplicated, generate, render, shuffled, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NAMES = sorted(path.stem for path in SCENARIOS.glob("*.log"))
START = 1709632800
"""2024-03-05 10:00:00 UTC, as in the scenarios."""


def scenario(name: str) -> list[str]:
    """Return the lines of a scenario."""
    return (SCENARIOS / f"{name}.log").read_text(encoding="ascii").splitlines()


def stamped(*texts: tuple[int, str]) -> list[str]:
    """Return native lines, each so many seconds after 10:00:00."""
    return [f"Tue Mar  5 {10 + seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02} 2024 Info: {text}" for seconds, text in texts]


def same(told: list[str], expected: list[str]) -> None:
    """Compare records whatever their order; each has to come as often as in the other."""
    found, wanted = Counter(told), Counter(expected)
    assert sorted((found - wanted).elements()) == sorted((wanted - found).elements()) == []


def agreed(lines: Sequence[str]) -> Run:
    """Follow a log to its end, and raise unless that gives the records of the whole log."""
    run = Run().read(lines).end()
    same(run.told, whole(lines))
    return run


@pytest.mark.parametrize("name", NAMES)
def test_scenario(name: str) -> None:
    """Each small log gives the records of the whole log; the lines of each second may come in any order."""
    lines = scenario(name)
    agreed(lines)
    expected = whole(lines)
    for seed in range(5):
        rng = random.Random(seed)
        shuffled_lines = []
        for _, second in groupby(lines, key=lambda line: line[:24]):
            some = list(second)
            rng.shuffle(some)
            shuffled_lines += some
        same(Run().read(shuffled_lines).end().told, expected)


CONSOLIDATED = (
    "2024-03-05T10:00:{second:02}Z collector: CEF:0|Cisco|C100V Secure Email Gateway Virtual|15.0.0-104|ESA_CONSOLIDATED_LOG_EVENT|Consolidated Log Event|5|"
    "deviceExternalId={serial} ESAMID={mid} ESAICID=8 ESADCID=9 act=DELIVERED suser=ann@example.net duser=bob@example.com ESATLSInConnStatus={status}"
)


def test_a_second_serial_number_names_what_is_still_held_of_the_first() -> None:
    """Consolidated events of two appliances behind one collector are two appliances' from the first line on, also where a checkpoint comes between."""
    status = ("Success", "Failure")
    lines = [CONSOLIDATED.format(second=at, serial=f"EXAMPLE-{at % 2}", mid=5 + at // 2, status=status[at % 2]) for at in range(6)]
    agreed(lines)
    same(Run().read(lines[:1]).resumed().read(lines[1:]).end().told, whole(lines))


@pytest.mark.parametrize(("profile", "seed"), [("realistic", 1), ("plain", 2), ("rare", 3), ("rare", 4)])
def test_traffic(profile: str, seed: int) -> None:
    """Traffic of two appliances, the lines of each second shuffled, gives the records of the whole log; most are told before its end."""
    lines = list(render(shuffled(generate(seed, 600, 2, profile).lines, seed), "nested_native"))
    run = Run().read(lines)
    early = len(run.told)
    run.end()
    same(run.told, whole(lines))
    assert early > 0.8 * len(run.told)
    assert run.held.late == 0


@pytest.mark.parametrize("envelope", [name for name in ENVELOPES if name != "nested_native"])
def test_envelopes(envelope: str) -> None:
    """Every envelope does, with or without host, year and time."""
    lines = list(render(generate(5, 24, 1, "rare").lines, envelope))
    same(Run(host="esa1").read(lines).end().told, whole(lines, host="esa1"))


@needs_shared
def test_real_excerpts() -> None:
    """Every excerpt of a real log gives what `messages` gives, the zone of its head included."""
    for path in sorted(REAL.glob("*.log")):
        reader = Reader(Source(str(path)), lambda _: None)
        facts = Facts()
        stream = BlockStream(facts, clock_of(reader.source, probe(reader, dated=False), None, None))
        for block in reader.blocks():
            stream.feed(block)
        stream.end()
        reader.close()
        run = Run()
        run.stream.set_clock(Clock(latest=path.stat().st_mtime))
        run.lines.feed(path.read_bytes())
        same(run.end().told, [dumps(record).decode() for record in verdicts.messages(facts)])
        assert run.stream.counts == stream.counts


def test_ids_that_start_again() -> None:
    """After a reset of the counters, the same ids are other messages."""
    lines = list(render(shuffled(generate(6, 400, 2, "rare", resets=3).lines, 6), "nested_native"))
    run = agreed(lines)
    assert len(set(run.mids())) < len(run.told) / 2


def test_cut_log() -> None:
    """A log that begins and ends in the middle gives what it shows."""
    lines = list(render(generate(7, 500, 2, "rare", skip=2000, keep=6000).lines, "nested_native"))
    agreed(lines)


def test_lines_that_come_twice() -> None:
    """A line that is repeated a little later changes nothing."""
    lines = list(render(duplicated(generate(8, 600, 1, "plain").lines, 8, 0.1), "nested_native"))
    agreed(lines)


def test_wrapped_lines() -> None:
    """Lines that a page wrapped are joined, as ever."""
    lines = list(wrapped(render(generate(9, 200, 1, "plain").lines, "native"), 80))
    agreed(lines)


@pytest.mark.parametrize("seed", [1, 2])
def test_cut_anywhere(seed: int) -> None:
    """It does not matter where a piece of the log ends: not which records are told, nor their order, nor the counts."""
    lines = [*render(shuffled(generate(seed, 200, 1, "rare").lines, seed), "syslog"), "\0\x01\udcff junk", "", "plain words"]
    data = encoded(lines)
    at_once = Run()
    at_once.lines.feed(data)
    at_once.end()
    rng = random.Random(seed)
    pieces = Run()
    at = 0
    while at < len(data):
        size = rng.choice((1, 2, 7, 100, 1000, 20000))
        pieces.lines.feed(data[at : at + size])
        at += size
    pieces.end()
    assert pieces.told == at_once.told
    assert pieces.stream.counts == at_once.stream.counts
    assert at_once.stream.counts.lines == len(lines)
    assert at_once.stream.counts.unreadable == 1


@pytest.mark.parametrize(("envelope", "gap"), [("syslog", 80_000), ("native", 80_000), ("nested_syslog", 600), ("json_message", 600), ("no_time", 600)])
def test_blocks(envelope: str, gap: int) -> None:
    """Many lines at once mean what they mean one by one, over days and in any year: the same records in the same order, and the same checkpoint."""
    lines = [line._replace(time=line.time + number // 400 * gap) for number, line in enumerate(shuffled(generate(3, 100, 2, "rare").lines, 3))]
    texts = [*render(lines, envelope)]
    for number in range(50, len(texts), 331):
        texts[number] = texts[number].replace("Info: ", "Warning: ")
    data, at_once, one_by_one = encoded(texts), Run(), Run()
    at_once.lines.feed(data)
    for line in data.splitlines(keepends=True):
        one_by_one.lines.feed(line)
    assert at_once.told == one_by_one.told
    assert at_once.stream.state() == one_by_one.stream.state()
    assert freeze(at_once.held) == freeze(one_by_one.held)
    assert at_once.end().told == one_by_one.end().told


@pytest.mark.parametrize(("profile", "seed", "resets"), [("rare", 1, 0), ("plain", 2, 0), ("rare", 3, 2)])
def test_put_down_and_taken_up(profile: str, seed: int, resets: int) -> None:
    """What a checkpoint holds is enough to go on as if nothing had happened, whenever it is written."""
    texts = list(render(shuffled(generate(seed, 80, 2, profile, resets=resets).lines, seed), "nested_native"))
    rng = random.Random(seed)
    lines = [part for text in texts for part in (wrapped((text,), 100) if rng.random() < 0.05 else (text,))]
    expected = Run().read(lines).end()
    told: list[str] = []
    run = Run()
    times = 0
    for line in lines:
        run.stream.line(line)
        if rng.random() < 0.03:
            times += 1
            before = json.loads(json.dumps(freeze(run.held)))
            told += run.told
            run = run.resumed()
            again = json.loads(json.dumps(freeze(run.held)))
            assert [item for item in again["items"] if item[0]] == [item for item in before["items"] if item[0]]
            assert sorted(map(str, again["items"])) == sorted(map(str, before["items"]))
    run.end()
    assert times > 50
    assert told + run.told == expected.told
    assert run.stream.counts == expected.stream.counts


RECEIVED = (
    (0, "New SMTP ICID 5 interface Data 1 (192.0.2.1) address 198.51.100.7 reverse dns host mx1.example.net verified yes"),
    (0, "ICID 5 TLS success protocol TLSv1.2 cipher AES128-SHA"),
    (1, "Start MID 14 ICID 5"),
    (1, "MID 14 ICID 5 From: <alice@example.net>"),
    (1, "MID 14 ICID 5 RID 0 To: <bob@example.com>"),
)
DELIVERED = (
    (2, "New SMTP DCID 8 interface 192.0.2.1 address 203.0.113.5 port 25"),
    (2, "DCID 8 TLS success protocol TLSv1.3 cipher TLS_AES_256_GCM_SHA384"),
    (2, "Delivery start DCID 8 MID 14 to RID [0]"),
    (3, "Message done DCID 8 MID 14 to RID [0]"),
    (3, "Message finished MID 14 done"),
)


def other(seconds: int) -> tuple[int, str]:
    """Return a line about something else."""
    return seconds, f"New SMTP ICID {1000 + seconds} interface Data 1 (192.0.2.1) address 198.51.100.9 reverse dns host unknown verified no"


def test_told_when_finished() -> None:
    """A message is told once the log is past the grace after its end, and not before."""
    run = Run().read(stamped(*RECEIVED, *DELIVERED, other(12), other(12)))
    assert run.told == []
    run.read(stamped(other(14), other(14)))
    assert run.mids() == [14]
    assert run.records()[0]["delivered"] == "encrypted"
    assert run.records()[0]["finished"] is True
    assert run.end().mids() == [14]


def test_late_line_within_the_grace() -> None:
    """A line that comes late within the grace is in the record."""
    lines = stamped(*RECEIVED, *DELIVERED[:1], *DELIVERED[2:], other(9), DELIVERED[1], other(60), other(60))
    assert Run().read(lines).records()[0]["deliveries"][0]["verdict"] == "encrypted"


@pytest.mark.parametrize("late", [(3, "MID 14 ICID 5 RID 1 To: <carol@example.com>"), (60, "MID 9 rewritten to MID 14 by antispam")])
def test_late_line_after_the_grace(late: tuple[int, str]) -> None:
    """A line that comes after its message was told is counted, and is no message of its own, though it may tell what the message was made from."""
    lines = stamped(*RECEIVED, *DELIVERED, other(60), late, other(200), other(5000), other(9000))
    run = Run().read(lines).end()
    assert run.mids() == [14]
    assert run.held.late == 1


def test_timed_out() -> None:
    """A message about which the log is silent is told as it stands, and told again if it goes on."""
    limits = Limits(timeout=600)
    run = Run(limits).read(stamped(*RECEIVED, other(600), other(600)))
    assert run.told == []
    run.read(stamped(other(601), other(601)))
    assert [(record["mid"], record["finished"]) for record in run.records()] == [(14, False)]
    run.read(stamped(*((seconds + 700, text) for seconds, text in DELIVERED))).end()
    assert [(record["received"], record["delivered"], record["finished"]) for record in run.records()] == [
        ("encrypted", "none", False),
        ("encrypted", "encrypted", True),
    ]


def test_aborted() -> None:
    """A message that was dropped is told after the grace, too."""
    run = Run().read(stamped(*RECEIVED, (2, "Message aborted MID 14 Dropped by antivirus"), other(13), other(13)))
    assert [(record["mid"], record["finished"]) for record in run.records()] == [(14, False)]


def test_quarantined() -> None:
    """A message in quarantine outlasts the time-out of others; its copy from there has its verdict, long after it was told."""
    run = Run(Limits(timeout=600)).read(stamped(*RECEIVED, (2, 'MID 14 quarantined to "Policy" (filter)'), (3, "ICID 5 close"), other(2000), other(2000)))
    assert run.told == []
    run.read(stamped((2100, "Message finished MID 14 done"), other(2100 + LINGER + 4000), other(2100 + LINGER + 4000)))
    assert run.mids() == [14]
    run.read(stamped((9000, "EUQ: Reinjected MID 14 as MID 15"), (9000, "Message finished MID 15 done"))).end()
    assert [(record["mid"], record["received"]) for record in run.records()] == [(14, "encrypted"), (15, "encrypted")]
    assert run.records()[1]["received_from_mid"] == 14


@pytest.mark.parametrize("begun", [RECEIVED, ((1, "MID 14 queued for delivery"),)])
def test_finished_into_a_quarantine(begun: tuple[tuple[int, str], ...]) -> None:
    """A message that the appliance calls finished as it goes to a quarantine is written again once it is released and delivered, and not again after that."""
    texts = (
        *begun,
        (2, 'MID 14 quarantined to "Outbreak" (Outbreak rule:OUTBREAK_0001)'),
        (2, "Message finished MID 14 done"),
        (2, "ICID 5 close"),
        *(other(seconds) for seconds in range(3, 3600, 60)),
        (3600, 'MID 14 released from quarantine "Outbreak" (manual) t=3598'),
        (3600, "MID 14 released from all quarantines"),
        *((3600 + seconds, text) for seconds, text in DELIVERED),
        *(other(seconds) for seconds in range(3610, 3700)),
    )
    lines = stamped(*texts)
    run = Run().read(lines[:60])
    again = run.resumed().read(lines[60:])
    assert [(record["delivered"], record["finished"]) for record in run.records()] == [("none", True)]
    assert again.told == whole(lines)
    again.read(stamped((3700, "Message done DCID 9 MID 14 to RID [0]")))
    if begun == RECEIVED:
        # another message with the same id
        again.read(hours_on(seconds, text, hour=72) for seconds, text in texts)
        assert [record["delivered"] for record in again.records()[1:]] == ["none", "encrypted"]
        assert again.told[2] == whole([*lines, *(hours_on(seconds, text, hour=72) for seconds, text in texts)])[1]
    told = len(again.told)
    again.end()
    assert (len(again.told), again.held.late) == (told, 1)


def at_once(log: Path, data: bytes) -> list[str]:
    """Add to a log, and follow it to its end, each time from where the last run ended; return all records so far."""
    with log.open("ab") as file:
        file.write(data)
    output = f"{log}.jsonl"
    follower = Follower(FollowOptions(str(log), output, f"{output}.checkpoint", once=True), lambda _: True, lambda _: None)
    while follower.step():
        pass
    follower.finish()
    follower.save()
    follower.close()
    assert follower.held.unfinished() == 0
    return Path(output).read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("days", [2, 20])
def test_goes_on_after_the_end(tmp_path: Path, days: int) -> None:
    """What was unfinished when the input ended is written again once it is finished, also days later, and not before."""
    held = ((2, 'MID 14 quarantined to "Policy" (message filter:big)'),) if days > 2 else ()
    hours = [hours_on(*other(0), hour=hour) for hour in range(1, days * 24)]
    lines = [*stamped(*RECEIVED, *held, (3, "ICID 5 close")), *hours, *(hours_on(seconds, text, hour=days * 24) for seconds, text in DELIVERED)]
    for start, end in zip([0, 6, 20, 40], [6, 20, 40, len(lines)]):
        told = at_once(tmp_path / "mail.log", encoded(lines[start:end]))
    assert told[1:] == whole(lines)
    assert [json.loads(line)["delivered"] for line in told] == ["none", "encrypted"]


@pytest.mark.parametrize("name", NAMES)
def test_ends_anywhere(tmp_path: Path, name: str) -> None:
    """Wherever a run to the end of the log falls, between two lines of a message or within one: what it wrote too early comes again, and nothing twice."""
    lines = scenario(name)
    data, rng = encoded(lines), random.Random(name)
    cuts = [0, *sorted(rng.sample(range(1, len(data)), 3)), len(data)]
    for start, end in zip(cuts, cuts[1:]):
        told = at_once(tmp_path / "mail.log", data[start:end])
    expected = whole(lines)
    assert len({*told}) == len(told)
    assert {*expected} <= {*told}
    latest = {json.loads(line)["mid"]: line for line in told}
    assert {latest[json.loads(line)["mid"]] for line in expected} <= {*expected}


def hours_on(seconds: int, text: str, *, hour: int) -> str:
    """Return a native line, so many hours and seconds after 10:00:00."""
    stamp = datetime.fromtimestamp(START + 3600 * hour + seconds, timezone.utc)
    return f"{stamp:%a %b %e %H:%M:%S %Y} Info: {text}"


def test_child_of_an_earlier_message_with_the_same_id() -> None:
    """After a reset, a message that was in quarantine and the one that it was made from have successors: the first one's was not accepted because of it."""
    opened = "New SMTP ICID {} interface Data 1 (192.0.2.1) address 198.51.100.7 reverse dns host unknown verified no"
    hours = 3600 * 3
    lines = stamped(
        (0, opened.format(5)),
        (1, "Start MID 3 ICID 5"),
        (2, "MID 3 rewritten to MID 4 by antispam"),
        (2, "Message finished MID 3 done"),
        (2, 'MID 4 quarantined to "Policy" (content filter:hold)'),
        (3, "ICID 5 close"),
        (60, "Message finished MID 4 done"),
        *((minute * 60, f"ICID {minute} close") for minute in range(10, 170)),
        (hours, opened.format(6)),
        (hours + 1, "Start MID 3 ICID 6"),
        (hours + 2, "MID 3 ICID 6 Receiving aborted by sender"),
        (hours + 2, "Message finished MID 3 aborted"),
        (hours + 3, opened.format(7)),
        (hours + 3, "Start MID 4 ICID 7"),
        (hours + 4, "ICID 6 close"),
        (hours + 4, "ICID 7 close"),
    )
    run = agreed(lines)
    assert [(record["mid"], record["received"]) for record in run.records()] == [(3, "cleartext"), (4, "cleartext"), (3, "none"), (4, "cleartext")]


def test_child_on_the_connection_of_its_parent() -> None:
    """A message from which another one was made was accepted, also where that one names the same connection."""
    lines = stamped(
        *RECEIVED,
        (2, "MID 14 was split creating MID 15 due to a per-recipient policy (DEFAULT) in the inbound table"),
        (2, "MID 15 ICID 5 From: <alice@example.com>"),
        (3, "Message finished MID 14 aborted"),
        (3, "ICID 5 close"),
    )
    run = agreed(lines)
    assert [(record["mid"], record["received"]) for record in run.records()] == [(14, "encrypted"), (15, "encrypted")]


def test_child_that_is_emitted_before_its_parent() -> None:
    """A message from which another one was made was accepted, also where that one was emitted, and is remembered no longer."""
    lines = stamped(
        *RECEIVED,
        (2, "MID 14 rewritten to MID 15 by antivirus"),
        (3, "Message finished MID 15 done"),
        *(other(seconds) for seconds in range(15, 500)),
        (500, "Message finished MID 14 aborted"),
    )
    run = Run().read(lines)
    assert run.mids() == [15]
    assert "15" not in run.held.hosts[""].messages
    again = run.resumed()
    same(run.told + again.end().told, whole(lines))
    assert [(record["mid"], record["received"]) for record in again.records()] == [(14, "encrypted")]


def test_bounces_beside_a_child() -> None:
    """A message from which another one was made was accepted, however many bounces were made for it, which do not show that."""
    bounces = ((2, f"MID {mid} was generated for bounce of MID 14") for mid in range(20, 40))
    lines = stamped(*RECEIVED, *bounces, (2, "MID 14 rewritten to MID 15 by antivirus"), (3, "Message aborted MID 14 Receiving aborted by sender"))
    run = agreed(lines)
    assert {record["mid"]: record["received"] for record in run.records()}[14] == "encrypted"


def test_child_made_after_its_parent_was_emitted() -> None:
    """A message that was given up and emitted was accepted after all, as another one is made from it: that one was received as the log says."""
    lines = stamped(
        *RECEIVED, (2, "Message finished MID 14 aborted"), *(other(seconds) for seconds in range(3, 20)), (20, "MID 14 rewritten to MID 15 by antivirus")
    )
    run = Run().read(lines).end()
    assert [(record["mid"], record["received"]) for record in run.records()] == [(14, "none"), (15, "encrypted")]
    assert run.told[1] in whole(lines)


def test_child_of_an_earlier_message_that_is_still_held() -> None:
    """A message is made from one whose id is used again later, before either was emitted: the earlier one was accepted."""
    event = CONSOLIDATED.format(second=0, serial="AAAA1111-EXAMPLE", mid=14, status="Success").replace("DELIVERED", "ABORTED").replace(" ESADCID=9", "")
    lines = [event, *stamped((1, "MID 14 rewritten to MID 15 by antivirus"), (7200, "Start MID 14 ICID 6"))]
    run = agreed(lines)
    assert sorted((record["mid"], record["received"]) for record in run.records()) == [(14, "encrypted"), (14, "unknown"), (15, "encrypted")]


def test_child_that_bounces_where_its_parent_passed() -> None:
    """A child bounces over the connection that its parent went over: mail passed on it, also where the parent was emitted before."""
    lines = stamped(
        *RECEIVED,
        (2, "MID 14 was split creating MID 15 due to a per-recipient policy (DEFAULT) in the inbound table"),
        (3, "New SMTP DCID 8 interface 192.0.2.1 address 203.0.113.5 port 25"),
        (4, "Message done DCID 8 MID 14 to RID [0]"),
        (4, "Message finished MID 14 done"),
        *(other(seconds) for seconds in range(5, 20)),
        (20, "Bounced: DCID 8 MID 15 to RID 0 - 5.1.0 - Unknown address error ('550', ['5.1.1 no such user']) []"),
        (20, "Message finished MID 15 done"),
    )
    run = Run().read(lines)
    assert run.mids() == [14]
    same(run.end().told, whole(lines))
    assert [record["deliveries"][0]["verdict"] for record in run.records()] == ["cleartext", "cleartext"]


@pytest.mark.parametrize(("again", "last"), [(9, "10:00:03Z"), (7, "10:00:01Z")])
def test_id_that_is_used_again_at_once(again: int, last: str) -> None:
    """A message whose id belonged to one that ended seconds before is emitted when it ends itself, with all its lines, and those just before its start."""
    lines = stamped(
        *RECEIVED,
        *DELIVERED,
        (again, "Start MID 14 ICID 6"),
        *(other(seconds) for seconds in range(10, 60)),
        (60, "MID 14 ICID 6 From: <carol@example.com>"),
        (60, "Message done DCID 9 MID 14 to RID [0]"),
        (60, "Message finished MID 14 done"),
        *(other(seconds) for seconds in range(61, 80)),
    )
    run = Run().read(lines)
    assert [(record["icid"], record["last_seen"][-9:]) for record in run.records()] == [(5, last), (6, "10:01:00Z")]
    same(run.end().told, whole(lines))
    assert run.held.late == 0


def test_id_that_is_used_again_and_again_at_once() -> None:
    """Of messages with one id, seconds apart, a few are emitted together, and none is lost."""
    texts = [((7 * number, f"Start MID 14 ICID {5 + number}"), (7 * number + 1, "Message finished MID 14 done")) for number in range(600)]
    lines = [line for two in texts for line in stamped(*two)]
    run = Run().read(lines)
    assert len(run.held.hosts[""].messages["14"].facts) < 2 * HOLD / 7 + 50
    same(run.end().told, whole(lines))


def test_bounce_waits_for_its_connection() -> None:
    """A bounce is told when its connection is closed: a message that passes over it later decides how that was."""
    bounced = (
        *RECEIVED,
        (2, "New SMTP DCID 8 interface 192.0.2.1 address 203.0.113.5 port 25"),
        (2, "Bounced: DCID 8 MID 14 to RID 0 - 5.1.0 - Unknown address error ('550', ['5.1.1 no such user']) []"),
        (3, "Message finished MID 14 done"),
    )
    passed = ((60, "Start MID 20 ICID 0"), (61, "Delivery start DCID 8 MID 20 to RID [0]"), (61, "Message done DCID 8 MID 20 to RID [0]"))
    lines = stamped(*bounced, other(50), *passed, (62, "DCID 8 close"), other(100), other(100))
    run = Run().read(lines)
    assert [record["deliveries"][0]["verdict"] for record in run.records()] == ["cleartext"]
    same(run.end().told, whole(lines))
    # but not for ever
    run = Run().read(stamped(*bounced, *(other(seconds) for seconds in range(10, HOLD + 40, 10))))
    assert run.mids() == [14]


def test_two_appliances_with_clocks_apart() -> None:
    """An appliance whose clock is an hour ahead makes no message of another one end early."""
    lines = []
    for seconds, text in (*RECEIVED, *DELIVERED):
        lines += [f"Mar  5 10:00:{seconds:02} esa1 mail: Info: {text}", f"Mar  5 11:00:{seconds:02} esa2 mail: Info: {text}"]
    run = Run().read(lines)
    assert run.told == []
    assert len(run.end().told) == 2
    same(run.told, whole(lines))


def test_broken_stamp() -> None:
    """A single stamp far in the future ends nothing."""
    lines = stamped(*RECEIVED) + [line.replace("2024", "2999") for line in stamped(other(2))] + stamped(*DELIVERED)
    assert Run().read(lines).told == []


@pytest.mark.parametrize("seed", [1, 2])
def test_quiet_log_that_the_wall_clock_moves_on(seed: int) -> None:
    """Where the log is quiet, time may be moved on up to the next line's stamp: the records stay the same, some come earlier."""
    traffic = generate(seed, 300, 1, "rare").lines
    lines = list(render(traffic, "native"))
    run = Run()
    rng = random.Random(seed)
    early = 0
    for number, line in enumerate(lines):
        if number and traffic[number].time > traffic[number - 1].time and rng.random() < 0.5:
            before = len(run.told)
            run.stream.end()
            run.held.pass_time(traffic[number].time - rng.random() * 0.5 - run.held.clock.stamp)
            early += len(run.told) - before
        run.stream.line(line)
    same(run.end().told, whole(lines))
    assert early > 20


def test_files_that_come_once_an_hour() -> None:
    """An appliance that hands over a file an hour: time that passed in between is no time of the log, its next lines are not late."""
    run = Run()
    run.read(stamped(*RECEIVED, *DELIVERED, (40, "Start MID 15 ICID 5")))
    run.stream.end()
    run.held.pass_time(3600)
    assert run.mids() == [14]
    run.read(stamped((41, "MID 15 ICID 5 From: <alice@example.net>"), (42, "Bounced: DCID 0 MID 16 to RID 0 - 5.4.7 - Delivery expired ('000', [])"))).end()
    assert run.mids() == [14, 15, 16]
    assert run.records()[1]["sender"] == "alice@example.net"
    assert run.held.late == 0


def test_clock_that_is_set_back() -> None:
    """After a clock was set back, the log's time goes on with it."""
    lines = stamped((4000, "Start MID 1 ICID 0"), *RECEIVED, *DELIVERED, *(other(seconds) for seconds in range(4, 80)))
    run = Run().read(lines)
    assert run.mids() == [14]


def moved(lines: Iterable[Line], jumps: Sequence[tuple[int, int]]) -> list[Line]:
    """Return lines as a clock stamps them that is set at some of them, by so many seconds."""
    found, away = [], 0
    todo = dict(jumps)
    for number, line in enumerate(lines):
        away += todo.get(number, 0)
        found.append(line._replace(time=line.time + away))
    return found


WEEKS = 21 * 86400


@pytest.mark.parametrize("away", [3600, -3600, WEEKS, -WEEKS])
@pytest.mark.parametrize("seed", [1, 2])
def test_clock_that_is_set(seed: int, away: int) -> None:
    """The stamps jump by an hour or by weeks, forward or back, in the middle of everything: the records are those of the whole log."""
    traffic = generate(seed, 250, 1, "realistic").lines
    lines = list(render(moved(traffic, [(len(traffic) // 2, away)]), "native"))
    run = Run().read(lines)
    early = len(run.told)
    run.end()
    same(run.told, whole(lines))
    assert early > 0.5 * len(run.told)


def test_clock_that_is_set_ahead_by_a_day_over_one_connection() -> None:
    """Between the last message before the jump and the first one after it lies exactly what no connection is silent for: it stays one."""
    texts = [
        *RECEIVED,
        (2, "Start MID 15 ICID 5"),
        *DELIVERED,
        (4, "Delivery start DCID 8 MID 15 to RID [0]"),
        (5, "Message done DCID 8 MID 15 to RID [0]"),
        (5, "Message finished MID 15 done"),
        *(other(seconds) for seconds in range(6, 40)),
    ]
    jump = (texts.index((4, "Delivery start DCID 8 MID 15 to RID [0]")), CONNECTION_SILENCE - 1)
    lines = list(render(moved([Line(START + seconds, "esa1", "mail_logs", "Info", text) for seconds, text in texts], [jump]), "native"))
    run = agreed(lines)
    assert [record["delivered"] for record in run.records()] == ["encrypted", "encrypted"]


@settings(max_examples=15)
@given(st.integers(1, 1000), st.lists(st.tuples(st.integers(0, 2000), st.sampled_from([3600, -3600, 86400, WEEKS, -WEEKS])), max_size=3), st.data())
def test_clock_that_is_set_at_any_line(seed: int, jumps: list[tuple[int, int]], data: st.DataObject) -> None:
    """However often the clock is set, and wherever the log is cut: the records are those of the whole log."""
    texts = list(render(moved(generate(seed, 60, 1, "realistic").lines, jumps), "native"))
    log = encoded(texts)
    run = Run()
    at = 0
    for end in sorted(data.draw(st.lists(st.integers(0, len(log)), max_size=5))):
        run.lines.feed(log[at:end])
        at = end
        told, rest = run.told, run.lines.rest
        run = run.resumed()
        run.told += told
        run.lines.rest = rest
    run.lines.feed(log[at:])
    same(run.end().told, whole(texts))


def test_message_that_a_clock_parts() -> None:
    """The clock is set back within a message: what is made from its second half, after it was emitted, has that half's subject."""
    texts = [
        *RECEIVED,
        (2, "MID 14 Subject 'Minutes'"),
        (2, "MID 14 rewritten to MID 15 by add-footer filter 'Disclaimer'"),
        (2, "Message finished MID 14 done"),
        *(other(seconds) for seconds in range(3, 40)),
        (40, "MID 15 ICID 0 From: <alice@example.net>"),
        (40, "Message finished MID 15 done"),
    ]
    lines = list(render(moved([Line(START + seconds, "esa1", "mail_logs", "Info", text) for seconds, text in texts], [(len(RECEIVED), -86400)]), "native"))
    run = agreed(lines)
    assert [(record["mid"], record.get("subject")) for record in run.records() if record["mid"] == 15] == [(15, "Minutes")]


def test_line_behind_a_clock_that_is_set_back() -> None:
    """A message of which another line comes before its start, right after the clock was set back, is no late line."""
    lines = stamped(*((4000 + seconds, f"ICID {9000 + seconds} close") for seconds in range(3)), RECEIVED[3], *RECEIVED[:3], *RECEIVED[4:], *DELIVERED)
    run = agreed(lines)
    assert run.held.late == 0


def test_zone_from_the_head() -> None:
    """The head of the file tells the zone, for the line right after it too; a stranger's text does not."""
    head = stamped((0, "Begin Logfile"), (0, "Time offset from UTC: 7200 seconds"))
    forged = stamped((0, "MID 14 attachment 'Info: Time offset from UTC: -3600 seconds'"))
    run = Run().read(head + stamped(RECEIVED[2]) + forged + stamped(*RECEIVED[3:], *DELIVERED)).end()
    assert [(record["first_seen"], record["last_seen"]) for record in run.records()] == [("2024-03-05T08:00:01Z", "2024-03-05T08:00:03Z")]


def test_new_year() -> None:
    """Stamps without a year go on in the next one."""
    lines = ["Dec 31 23:59:59 esa1 mail: Info: Start MID 1 ICID 0", "Jan  1 00:00:01 esa1 mail: Info: Message finished MID 1 done"]
    run = Run()
    run.stream.set_clock(Clock(latest=START))
    record = run.read(lines).end().records()[0]
    assert (record["first_seen"], record["last_seen"]) == ("2023-12-31T23:59:59Z", "2024-01-01T00:00:01Z")


def test_consolidated_event_after_the_text() -> None:
    """A consolidated event that comes with the last lines bears witness in the same record."""
    lines = scenario("cef_and_text")
    told = Run().read(lines).end().records()
    assert any("received_witness" in record for record in told)


def test_consolidated_event_of_a_message_that_waited() -> None:
    """A rewritten message waits for hours: its event names an ICID that is long forgotten, and it was received as its parent was."""
    text = (
        (0, "New SMTP ICID 5 interface Data 1 (192.0.2.1) address 198.51.100.7 reverse dns host unknown verified no"),
        (1, "ICID 5 TLS success protocol TLSv1.2 cipher AES128-SHA"),
        (2, "Start MID 3 ICID 5"),
        (3, "MID 3 rewritten to MID 4 by antivirus"),
        (3, "Message finished MID 3 done"),
        (4, "ICID 5 close"),
        *((60 * minute, f"ICID {100 + minute} close") for minute in range(1, 120)),
        (7200, "Message finished MID 4 done"),
    )
    event = "CEF:0|Cisco|C600V Email Security Virtual Appliance|14.3.0|ESA_CONSOLIDATED_LOG_EVENT|Consolidated Log Event|5|ESAMID=4 ESAICID=5 act=DELIVERED"
    lines = [*stamped(*text), f"Tue Mar  5 12:00:01 2024 {event}"]
    run = agreed(lines)
    assert [(record["mid"], record["received"]) for record in run.records()] == [(3, "encrypted"), (4, "encrypted")]


def consolidated(line: Line, record: dict[str, Any]) -> Line:
    """Return the consolidated event of a message that ends with a line, as its record has it."""
    done = [attempt for attempt in record["deliveries"] if attempt.get("outcome") == "done" and "dcid" in attempt]
    parts = [f"ESAMID={record['mid']}"]
    for side, name, key, told in (("In", "ESAICID", "icid", record), ("Out", "ESADCID", "dcid", done[0] if done else {})):
        if key not in told:
            continue
        verdict = told["received"] if side == "In" else told["verdict"]
        parts.append(f"{name}={told[key]}")
        if verdict in ("encrypted", "cleartext"):
            parts.append(f"ESATLS{side}ConnStatus={'Success' if verdict == 'encrypted' else 'Failure'}")
    parts.append("act=DELIVERED" if done else "act=ABORTED")
    text = f"CEF:0|Cisco|C600V Email Security Virtual Appliance|14.3.0-032|ESA_CONSOLIDATED_LOG_EVENT|Consolidated Log Event|5|{' '.join(parts)}"
    return Line(line.time + 2, line.host, "consolidated_event", "", text)


def test_two_witnesses_in_one_stream() -> None:
    """Consolidated events among the lines of the text log bear witness in the records, and fill the holes of the text."""
    traffic = generate(13, 500, 1, "plain").lines
    records = {record["mid"]: record for record in map(json.loads, whole(list(render(traffic, "syslog"))))}
    rng = random.Random(13)
    mixed = []
    for line in traffic:
        if "TLS" not in line.text or rng.random() < 0.8:
            mixed.append(line)
        ended = re.fullmatch(r"Message finished MID (\d+) done", line.text)
        if ended:
            mixed.append(consolidated(line, records[int(ended[1])]))
    mixed.sort(key=lambda line: line.time)
    lines = [text.replace("consolidated_event: : ", "consolidated_event: ") for text in render(mixed, "syslog")]
    run = agreed(lines)
    assert sum("received_witness" in record for record in run.records()) > 400
    assert run.held.late == 0


def test_consolidated_event_of_what_was_not_delivered() -> None:
    """Of a connection, the event is kept that says that mail passed, not one that only names it; that decides about what bounced there."""
    event = CONSOLIDATED.format(second=0, serial="AAAA1111-EXAMPLE", mid=13, status="Success").partition("collector: ")[2].replace("ESATLSIn", "ESATLSOut")
    bounced = "Info: Bounced: DCID 9 MID {} to RID 0 - 5.1.0 - Unknown address error ('550', ['no'])"
    texts = [
        (0, event.replace("DELIVERED", "BOUNCED")),
        (1, bounced.format(20)),
        (1, "Info: DCID 9 TLS was required but could not be successfully negotiated"),
        (2, event),
        *((3, bounced.format(mid)) for mid in range(21, 30)),
    ]
    lines = [f"2024-03-05T10:00:0{second}Z esa1 mail_logs: {text}" for second, text in texts]
    run = agreed(lines)
    assert {record["mid"]: record["deliveries"][0]["verdict"] for record in run.records()}[20] == "encrypted"


def test_giant_line() -> None:
    """A line longer than any log line is passed over whole, however it is cut, and counted once; nothing in it is a line."""
    forged = b"\n".join(encoded(stamped(RECEIVED[2])).splitlines())
    run = Run()
    run.lines.feed(encoded(stamped(RECEIVED[0])))
    for _ in range(40):
        run.lines.feed(b"x" * (1 << 19))
        assert len(run.lines.rest) < 1 << 25
    run.lines.feed(forged + b"\n" + encoded(stamped(*RECEIVED[1:])))
    assert run.end().mids() == [14]
    assert run.stream.counts.unreadable == 1
    assert run.stream.counts.lines == 6
