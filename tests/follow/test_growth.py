"""What is looked at to judge a message does not grow with the log: the kinds of `tests/benchmarks/growth.py`, counted in facts and not in time."""

from __future__ import annotations

import random
from datetime import timezone
from typing import TYPE_CHECKING

import pytest
from esatls.extraction.fact_types import TIME, ConnectionOpened
from esatls.follow.held import Held
from esatls.follow.lines import FollowedStream
from esatls.follow.stretches import Stretches
from esatls.lines.clock import Clock
from esatls.output.json_lines import dumps
from esatls.verdicts.lives import life_at, split, starts_of_connection

from tests.benchmarks.growth import KINDS, stamped
from tests.follow.support import LATEST, whole

if TYPE_CHECKING:
    from collections.abc import Iterable

    from esatls.extraction.fact_types import Fact
    from esatls.verdicts.appliance import Appliance


class Counting(Held):
    """Counts the facts that are put together for its judgements."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.looked_at = 0
        super().__init__(lambda record: self.told.append(dumps(record).decode()))

    def _judged(self, host: str, key: str) -> Appliance:
        appliance = super()._judged(host, key)
        self.looked_at += sum(len(facts) for store in appliance.stores for facts in store.values())
        return appliance


def followed(lines: Iterable[str]) -> Counting:
    """Follow a log to its end."""
    held = Counting()
    stream = FollowedStream(held, Clock(timezone.utc, LATEST), None, zone_known=False)
    for line in lines:
        stream.line(line)
    stream.end()
    held.end()
    return held


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "chain of n, ended from the last"])  # an appliance makes a few from each other, not many
def test_growth(kind: str) -> None:
    """Four times as many of what a stranger or a long year can make many take four times as many facts, or a few more."""
    one, other = (followed(stamped(KINDS[kind](n))) for n in (300, 1200))
    assert other.looked_at / 1200 <= 2 * one.looked_at / 300
    assert len(other.told) <= 1201


@pytest.mark.parametrize(
    "kind",
    [
        "one message over n DCIDs",
        "chain of n, ended from the last",
        "ids used n times under an open message",
        "an id opened by n peers",
        "n copies of one message",
        "n copies of one message given up",
    ],
)
def test_the_records_are_those_of_the_whole_log(kind: str) -> None:
    """What is not looked at decides nothing."""
    lines = [*stamped(KINDS[kind](200))]
    assert sorted(followed(lines).told) == sorted(whole(lines))


@pytest.mark.parametrize("seed", range(20))
def test_ids_taken_again_and_again(seed: int) -> None:
    """Connections with the same few ids, of several peers, under messages that stay open, the lines of each second shuffled: the same records."""
    rng = random.Random(seed)
    lines = [(0.0, "Start MID 8 ICID 9"), (0.0, "Start MID 9 ICID 1")]
    time = 0
    for number in range(150):
        time += rng.choice((11, 20, 61, 90, 4000))
        icid, dcid, peer, mid = rng.randint(1, 2), rng.randint(1, 2), rng.randint(1, 2), 100 + number
        own = [
            f"New SMTP ICID {icid} interface Data 1 (192.0.2.1) address 198.51.100.{peer} reverse dns host unknown verified no",
            f"New SMTP DCID {dcid} interface 192.0.2.1 address 203.0.113.{peer} port 25",
            *[f"ICID {icid} TLS success protocol TLSv1.2 cipher AES128-SHA"] * rng.randint(0, 1),
            *[f"DCID {dcid} TLS success protocol TLSv1.2 cipher AES128-SHA"] * rng.randint(0, 1),
            f"Start MID {mid} ICID {icid}" if rng.random() < 0.7 else f"MID {rng.choice((8, 9, mid - 1))} rewritten to MID {mid} by antivirus",
            f"Delayed: DCID {dcid} MID {rng.choice((8, 9, mid))} to RID 0 - 4.1.0 - Unknown address error ('450', ['try later']) []",
            f"Message done DCID {dcid} MID {mid} to RID [0]",
            f"Message finished MID {mid} done",
            f"ICID {icid} close",
            f"DCID {dcid} close",
        ]
        lines += [(time + place / 4, text) for place, text in enumerate(own)]
    texts = zip((int(at) for at, _ in lines), stamped(iter(lines)))
    log = [line for _, line in sorted(texts, key=lambda one: (one[0], rng.random()))]
    assert sorted(followed(log).told) == sorted(whole(log))


@pytest.mark.parametrize("seed", range(20))
def test_stretches_have_the_same_lives(seed: int) -> None:
    """Of openings by a few peers within seconds, nearly in order, the lines near a moment are those of the same connection as among all lines."""
    rng = random.Random(seed)
    nothing = (None,) * (len(ConnectionOpened._fields) - 4)
    for _ in range(50):
        facts: list[Fact] = []
        time = 100.0
        for _ in range(rng.randint(2, 30)):
            time += rng.choice((0, 0.5, 1, 3, 5, 8, 70, -0.5, -4))
            peer = rng.choice((None, "192.0.2.1", "192.0.2.2", "192.0.2.3"))
            facts.append(("connection_opened", time, "5", peer, *nothing) if rng.random() < 0.7 else ("connection_closed", time, "5", None))
        facts = [*dict.fromkeys(facts)]
        stretches = Stretches(facts[:1], ())
        for number, fact in enumerate(facts):
            if number > 0 and not stretches.add(fact):
                stretches = Stretches(facts[: number + 1], ())
        begins = starts_of_connection(facts, ())
        for moment in sorted({fact[TIME] + more for fact in facts for more in (-4, -0.5, 0, 0.5, 4)}):
            near, _ = stretches.around(moment, moment)
            found = starts_of_connection(near, ())
            own = split(near, found).get(life_at(found, moment), [])
            assert {*own} == {*split(facts, begins).get(life_at(begins, moment), [])}
