"""Facts that do not fit into memory: records are those of facts that do."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from esatls.errors import EsatlsError
from esatls.extraction.fact_types import KEY
from esatls.parallel import on_disk
from esatls.parallel.on_disk import FactsOnDisk
from esatls.verdicts import records
from esatls.verdicts.contradictions import Contradictions
from esatls.verdicts.facts import Facts
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.support import read_facts
from tests.core.test_closure import BOUNCED, LOGS, Late
from tests.traffic import generate, render

if TYPE_CHECKING:
    from collections.abc import Iterator


def dealt(facts: Facts, order: random.Random, count: int) -> Iterator[Facts]:
    """Yield all facts in pieces, in any order."""
    every = [(host, number, fact) for host, stores in facts.hosts.items() for number, store in enumerate(stores) for known in store.values() for fact in known]
    order.shuffle(every)
    for start in range(count):
        piece = Facts()
        piece.has_witnesses = facts.has_witnesses
        for host, number, fact in every[start::count]:
            piece.hosts.setdefault(host, ({}, {}, {}))[number].setdefault(fact[KEY], []).append(fact)
        yield piece


def assert_same(facts: Facts, order: random.Random, count: int) -> None:
    """Compare all records, their order and what contradicts itself with those of facts in memory."""
    known = FactsOnDisk(0)
    for piece in dealt(facts, order, count):
        known.merge(piece)
        known.relieve()
    parts = known.parts()
    if parts is None:
        assert not any(store for stores in facts.hosts.values() for store in stores)
        return
    mine, theirs = Contradictions(), Contradictions()
    found = [record for appliance, mids in parts.messages(mine) for _, record in records.messages_of(appliance, mids)]
    assert found == [*records.messages(facts, theirs)]
    assert mine.taken == theirs.taken
    mine, theirs = Contradictions(), Contradictions()
    connections = [record for appliance, refs in parts.connections(mine) for _, record in records.connections_of(appliance, refs)]
    assert connections == [*records.connections(facts, theirs)]
    assert mine.taken == theirs.taken


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Judge a few at a time, so that what belongs together is in several parts."""
    monkeypatch.setattr(on_disk, "_AT_ONCE", 3)


@settings(max_examples=30)
@given(LOGS, st.randoms(use_true_random=False), st.integers(1, 4))
def test_mail_that_takes_days(log: Late, order: random.Random, count: int) -> None:
    """Queues, quarantines, ids that are used again: however the facts come, the records are those of one run in memory."""
    assert_same(log.facts(), order, count)


@pytest.mark.parametrize(("seed", "resets", "envelope"), [(3, 0, "syslog"), (4, 2, "native"), (5, 0, "cef_beside_syslog")])
def test_traffic(seed: int, resets: int, envelope: str) -> None:
    """Two appliances, rare lines, ids that start again, consolidated events beside the text: the same records and contradictions."""
    traffic = generate(seed, 150, hosts=2, profile="rare", resets=resets)
    assert_same(read_facts([*render(traffic.lines, envelope)])[0], random.Random(seed), 3)


def test_an_event_that_names_a_connection_without_a_delivery() -> None:
    """A connection that has no lines has no record."""
    assert_same(read_facts(BOUNCED)[0].settled(), random.Random(1), 2)


def test_little_stays_in_memory() -> None:
    """Where the facts are less than the limit nothing is written, and they are all there."""
    facts = read_facts([*render(generate(1, 5).lines, "native")])[0]
    known = FactsOnDisk(1 << 30)
    known.merge(facts)
    known.relieve()
    assert known.parts() is None
    assert [*records.messages(known)] == [*records.messages(facts)]


def test_a_full_disk_is_an_error_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that cannot grow is told of as one, and nothing else."""
    monkeypatch.setattr(on_disk, "BEGIN", on_disk.BEGIN + "PRAGMA max_page_count = 4;")
    known = FactsOnDisk(0)
    known.merge(read_facts([*render(generate(1, 100).lines, "native")])[0])
    with pytest.raises(EsatlsError, match=r"^temporary file: database or disk is full$"):
        known.relieve()
