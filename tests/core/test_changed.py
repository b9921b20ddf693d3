"""What is judged again as lines come in, from facts that are fetched by id, leaves the records of one run over everything."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest
from esatls.extraction.fact_types import KEY
from esatls.verdicts.changed import judge_again
from esatls.verdicts.facts import Facts, refs
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.support import read_facts
from tests.core.test_closure import BOUNCED, LOGS, Late, assert_same, sorted_lines, whole
from tests.traffic import generate, render

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping, Sequence

    from esatls.extraction.fact_types import Fact
    from esatls.verdicts.changed import Life
    from esatls.verdicts.closure import Stores
    from esatls.verdicts.facts import Ref

Item = tuple[int, "Fact"]


class Indexed:
    """Facts of one appliance as a search server holds them: found by the ids that they are about or name. Records are kept as a join keeps them."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.found: dict[Ref, list[Item]] = {}
        self.records: dict[tuple[Ref, Any], Mapping[str, Any]] = {}
        self.fetched = 0

    def come(self, items: Sequence[Item]) -> None:
        """Index some facts, and judge what they change."""
        changed = set()
        for item in items:
            for ref in named(item):
                changed.add(ref)
                self.found.setdefault(ref, []).append(item)
        judged = judge_again(self.host, changed, self.fetch)
        self.records = {place: record for place, record in self.records.items() if not any(is_within(place, life) for life in judged)}
        self.records.update({(life.ref, life.first): life.record for life in judged if life.record is not None})

    def fetch(self, ids: set[Ref]) -> Stores:
        """Return what is about or names some ids."""
        stores: Stores = ({}, {}, {})
        for store, fact in {item for ref in ids for item in self.found.get(ref, ())}:
            stores[store].setdefault(fact[KEY], []).append(fact)
            self.fetched += 1
        return stores


def is_within(place: tuple[Ref, Any], life: Life) -> bool:
    """Tell whether a record begins within a life."""
    ref, begins = place
    return ref == life.ref and (begins == life.first if None in {begins, life.first, life.last} else life.first <= begins <= life.last)


def named(item: Item) -> set[Ref]:
    """Return what a fact is about, and what it names."""
    store, fact = item
    return {(store, fact[KEY]), *(refs(fact) if store == 2 else ())}


def items_of(stores: Stores) -> list[Item]:
    """Return the facts of one appliance, in the order of their times."""
    found = {(number, fact) for number, store in enumerate(stores) for known in store.values() for fact in known}
    return sorted(found, key=lambda item: (item[1][1], repr(item)))


def piece_by_piece(facts: Facts, size: int, order: random.Random | None = None) -> tuple[list[str], list[str]]:
    """Return the records that stay when facts come in pieces of a size."""
    records = []
    for host, stores in facts.hosts.items():
        items = items_of(stores)
        if order is not None:
            order.shuffle(items)
        indexed = Indexed(host)
        for start in range(0, len(items), size):
            indexed.come(items[start : start + size])
        records += list(indexed.records.values())
    return sorted_lines([one for one in records if "mid" in one]), sorted_lines([one for one in records if "mid" not in one])


@settings(max_examples=10)
@given(LOGS, st.sampled_from([10, 40, 1000]), st.none() | st.randoms(use_true_random=False))
def test_lines_that_come_in_pieces(log: Late, size: int, order: random.Random | None) -> None:
    """In order or in any order, one by one or many at once, with ids that are used again: no record is lost, doubled or out of date."""
    facts = log.facts()
    assert_same(piece_by_piece(facts, size, order), whole(facts))


def in_any_order(facts: Facts) -> None:
    """Raise unless facts that come one by one, in whatever order, leave the records of one run."""
    for order in itertools.permutations(items_of(facts.hosts[""])):
        indexed = Indexed("")
        for item in order:
            indexed.come([item])
        records = indexed.records.values()
        assert (sorted_lines([one for one in records if "mid" in one]), sorted_lines([one for one in records if "mid" not in one])) == whole(facts)


def test_an_event_that_names_a_connection_without_a_delivery() -> None:
    """The lines of the connection come later, one by one: the verdict of the attempt follows them."""
    facts = read_facts(BOUNCED)[0].settled()
    in_any_order(facts)


def test_a_life_without_lines_of_its_own() -> None:
    """What an event states of a DCID that was used again is not taken for the later connection, whatever line comes about a message on that."""
    stated = "CEF:0|Cisco|C600V Email Security Virtual Appliance|14.3.0|ESA_CONSOLIDATED_LOG_EVENT|Consolidated Log Event|5|ESAMID=3 ESADCID=4 act=DELIVERED"
    lines = [
        "Tue Mar  5 10:00:00 2024 Info: Delayed: DCID 4 MID 2 to RID 0 - 4.1.0 - Unknown address error ('450', ['later']) []",
        f"Sun Mar 10 10:00:00 2024 {stated} ESATLSOutConnStatus=Success",
        "Fri Mar 15 10:00:00 2024 Info: Message done DCID 4 MID 5 to RID [0]",
        "Fri Mar 15 10:00:01 2024 Info: MID 5 ICID 1 From: <alice@example.net>",
    ]
    facts = read_facts(lines)[0]
    assert [(one["mid"], one["delivered"]) for one in map(json.loads, whole(facts)[0])] == [(2, "none"), (3, "encrypted"), (5, "unknown")]
    assert_same(piece_by_piece(facts, 1), whole(facts))


CHILD_IN_CEF = [
    f"Tue Mar  5 10:00:0{second} 2024 {text}"
    for second, text in (
        (1, "CEF:0|Cisco|C600V Email Security Virtual Appliance|14.3.0|ESA_CONSOLIDATED_LOG_EVENT|Consolidated Log Event|5|ESAMID=1 ESAICID=6 act=DQ"),
        (2, "CEF:0|Cisco|C600V Email Security Virtual Appliance|14.3.0|ESA_CONSOLIDATED_LOG_EVENT|Consolidated Log Event|5|ESAMID=3 ESAICID=7 act=DQ"),
        (3, "CEF:0|Cisco|C600V Email Security Virtual Appliance|14.3.0|ESA_CONSOLIDATED_LOG_EVENT|Consolidated Log Event|5|ESAMID=4 ESAICID=7 act=DQ"),
        (4, "Info: MID 2 rewritten to MID 1 by antivirus"),
        (5, "Info: MID 2 rewritten to MID 3 by antivirus"),
    )
]
"""Consolidated events name ICIDs for messages of which a later line says that they were made from another one: nothing else names 6, and MID 4 names 7."""


def test_a_connection_that_turns_out_to_be_none() -> None:
    """One that only the consolidated event of a child names is none, whenever its parent is known; one that another message names is there."""
    facts = read_facts(CHILD_IN_CEF)[0]
    connections = [json.loads(line) for line in whole(facts)[1]]
    assert connections == [{"esa_direction": "receiving", "icid": 7, "tls_verdict": "unknown", "messages": 1}]
    in_any_order(facts)


@pytest.mark.parametrize(("profile", "seed", "resets"), [("realistic", 1, 0), ("rare", 2, 3)])
def test_simulated_gateways(profile: str, seed: int, resets: int) -> None:
    """Whatever gateways do."""
    facts = read_facts(list(render(generate(seed, 120, 2, profile, resets=resets).lines, "syslog")))[0]
    assert_same(piece_by_piece(facts, 200), whole(facts))


def test_what_is_fetched_does_not_grow_with_the_lives_of_ids() -> None:
    """Counters that were reset twenty times lead from the newest lines to the same ids, and no further."""
    lines = generate(5, 100, 1, "realistic").lines
    facts = read_facts(list(render(lines, "native")))[0]
    (host,) = facts.hosts
    items = items_of(facts.hosts[host])
    counts = []
    for lives in (1, 20):
        indexed = Indexed(host)
        moved = [(store, (fact[0], fact[1] + life * 40 * 86400, *fact[2:])) for life in range(lives) for store, fact in items]
        for item in moved:
            for ref in named(item):
                indexed.found.setdefault(ref, []).append(item)
        judge_again(host, named(moved[-1]), indexed.fetch)
        counts.append(indexed.fetched)
    assert counts[1] <= 20 * 2 * counts[0] < len(moved)
