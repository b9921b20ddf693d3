"""Messages judged by shape have the records that the general code gives, byte by byte."""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from esatls.extraction.fact_types import FACT_TYPES, KEY, MAKES, named, store_of
from esatls.native.ordinary import RULES
from esatls.native.shapes import Shapes
from esatls.output.json_lines import dumps
from esatls.verdicts import records
from esatls.verdicts.facts import Facts
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.core.by_shape import ByShape, lines
from tests.core.support import NIGHTLY, REAL, SCENARIOS, needs_shared, read_facts
from tests.traffic import generate, render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from esatls.extraction.fact_types import Fact

START = 1_709_596_800


def check(facts: Facts) -> None:
    """Raise unless both ways give the same records."""
    assert [*lines(facts, dumps)] == [dumps(record) for record in records.messages(facts)]


def test_table() -> None:
    """Each fact of the text log has as many values in the table as its type has."""
    for code, rule in RULES.items():
        assert len(rule.values) == len(FACT_TYPES[code]._fields) - KEY - 2, code


@pytest.mark.parametrize("seed", range(3))
def test_traffic(seed: int) -> None:
    """Nearly all messages of realistic traffic have a shape, and their records are the same."""
    facts = read_facts([*render(generate(seed, 3000, 1, "realistic").lines, "native")])[0]
    (stores,) = facts.hosts.values()
    judged = ByShape("", stores, Shapes(dumps))
    found = [line for _, line in judged.lines()]
    assert found == [dumps(record) for record in records.messages(facts)]
    assert judged.odd / (judged.judged + judged.odd) < 0.02


@pytest.mark.parametrize("name", ["syslog", "bare", "iso_offset", "cef_beside_syslog"])
@pytest.mark.parametrize("profile", ["plain", "rare"])
def test_envelopes(name: str, profile: str) -> None:
    """Likewise with several appliances, without times, and with consolidated events beside the text."""
    check(read_facts([*render(generate(7, 600, 2, profile).lines, name)])[0])


@pytest.mark.parametrize("path", sorted(SCENARIOS.glob("*.log")), ids=lambda path: path.stem)
def test_scenarios(path: Any) -> None:
    """Every scenario, with and without a name for the appliance."""
    lines = path.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    for host in (None, "esa1\ue0005\ue001"):
        check(read_facts(lines, host=host)[0])


@needs_shared
def test_real() -> None:
    """Every excerpt of a real log."""
    for path in sorted(REAL.glob("*.log")):
        check(read_facts(path.read_text(encoding="utf-8", errors="surrogateescape").splitlines())[0])


IDS = ["0", "5", "6", "7", "07", "1000000000000003"]
WORDS = ["", "x", 'a"b%s\\', "\ue0003\ue001", "é\u2028", "reset by peer", "[Errno 61] refused", "ACCEPT", "RELAY", "user@example.com", "x@Example.NET"]
AGENTS = [None, "a policy for following recipients: a@example.com, b@example.org", "redirect filter", "antispam", "Receiving aborted", "Dropped by CASE"]
RIDS = ["0", "1", "0, 1", "1000000000000003", "00"]


def values_of(code: str) -> st.SearchStrategy[tuple[Any, ...]]:
    """Return values of one kind of fact."""
    kinds: dict[str, Any] = {
        **dict.fromkeys(("icid", "dcid", "parent_mid", "mid"), st.sampled_from([None, *IDS])),
        **dict.fromkeys(("mid_agent", "abort_reason", "start_note"), st.sampled_from(AGENTS)),
        "rid": st.sampled_from(RIDS if code != "message_recipient" else ["0", "1", "2"]),
        "peer_port": st.none() | st.sampled_from(["25", "25", "587", "025"]),
        "policy_table": st.sampled_from(["inbound", "outbound"]),
        "message_end": st.sampled_from(["done", "aborted"]),
        "nothing": st.none(),
    }
    return st.tuples(*(kinds.get(name, st.none() | st.sampled_from(WORDS)) for name in FACT_TYPES[code]._fields[KEY + 1 : -1]))


@st.composite
def some_facts(draw: st.DrawFn) -> list[tuple[int, Fact]]:
    """Return facts of a few ids, each with its store."""
    found = []
    for code in draw(st.lists(st.sampled_from([*RULES]), max_size=16)):
        kind = "message_lineage" if code in MAKES else code
        side = draw(st.sampled_from(["receiving", "delivery"]))
        time = draw(st.none() if draw(st.integers(0, 40)) == 0 else st.sampled_from([0, 0, 1, 1.25, 2, 3, 9, 70, 90_000]))
        key = draw(st.sampled_from(IDS))
        found.append((store_of(kind, side)[0], (code, None if time is None else START + time, key, *draw(values_of(code)))))
    return found


LIFE = ["message_started", "message_sender", "message_recipient", "message_policy", "delivery_started", "delivery_done", "message_finished"]


@st.composite
def ordinary_facts(draw: st.DrawFn) -> list[tuple[int, Fact]]:
    """Return the facts of one message that is nearly ordinary, with its connections, and some others."""
    time = st.sampled_from([0, 0, 1, 1, 2, 2.5, 3])
    found: list[tuple[int, Fact]] = []
    sides = ((0, "5", ("connection_opened", "hat_policy", "tls_success", "tls_failed")), (1, "6", ("connection_opened", "tls_success", "tls_required")))
    for store, key, codes in sides:
        found += [(store, (code, START + draw(time), key, *draw(values_of(code)))) for code in codes if draw(st.integers(0, 3))]
    given_values: dict[str, tuple[Any, ...]] = {
        "message_started": ("5", None),
        "message_sender": ("5", "a@example.com"),
        "message_recipient": ("5", "0", "b@Example.org"),
        "message_policy": ("inbound",),
        "delivery_started": ("6", "0"),
        "delivery_done": ("6", "0"),
        "message_finished": ("done",),
    }
    found += [(2, (code, START + draw(time), "7", *given_values[code])) for code in LIFE if draw(st.integers(0, 5))]
    if draw(st.booleans()):
        found.append((2, (draw(st.sampled_from(sorted(MAKES))), START + 3, "8", "7", draw(st.sampled_from(AGENTS)))))
        found.append((2, ("delivery_done", START + 4, "8", "6", "0")))
    return [*found, *draw(some_facts())[:3]]


def again(facts: Sequence[tuple[int, Fact]], number: int) -> list[tuple[int, Fact]]:
    """Return the same facts of other ids, at another time, with other words where these only stand in a record."""
    found = []
    for store, fact in facts:
        told = named(fact)._asdict()
        for name, value in told.items():
            if value in IDS and name in ("key", "icid", "dcid", "mid", "parent_mid") and value not in ("0", "07"):
                told[name] = str(int(value) + 10 * number)
            elif name in ("peer_ip", "peer_host", "tls_version", "tls_cipher", "subject", "message_id", "sender") and value:
                told[name] = f"{value}{number}"
        time = told["time"]
        told["time"] = None if time is None else time + 200_000 * number
        found.append((store, tuple(told.values())[: len(fact)]))
    return found


FOUND: list[list[tuple[int, Fact]]] = [
    # one that was made from itself, beside one that was not
    [(2, ("notification", START, "6", "0", None)), (2, ("notification", START, "5", "5", None))],
    # two Message-IDs at one time: the first by text is the one
    [(2, ("message_identity", START, "5", "x@Example.NET", None)), (2, ("message_identity", START, "5", "x", None))],
    # two addresses of one recipient: likewise
    [(2, ("message_recipient", START, "5", None, "0", "bob@example.com x")), (2, ("message_recipient", START, "5", None, "0", "bob@example.com"))],
    # one made from MID 0 beside one made from another
    [(2, ("notification", START, "6", "5", None)), (2, ("notification", START, "5", "0", None))],
    # a reason without a letter beside one with some
    [(0, ("tls_unverified", START, "5", "", "x")), (0, ("tls_unverified", START, "6", "x", "x"))],
]
"""What property tests have found."""


@example(FOUND[0], random.Random(1))
@example(FOUND[1], random.Random(1))
@example(FOUND[2], random.Random(1))
@given(some_facts() | ordinary_facts(), st.randoms(use_true_random=False))
@settings(max_examples=20_000 if NIGHTLY else 150)
def test_same_shape_same_record(chosen: list[tuple[int, Fact]], deal: Any) -> None:
    """Whatever is said of a few ids, in any order: others of the same shape have the same record, with their own values."""
    facts = Facts()
    stores = facts.stores("esa1")
    for number in range(3):
        told = again(chosen, number)
        deal.shuffle(told)
        for store, fact in told:
            stores[store].setdefault(fact[KEY], []).append(fact)
    check(facts)


def test_what_hypothesis_tries() -> None:
    """The examples above have shapes often enough to be worth their time."""
    seen: Counter[bool] = Counter()

    @given(ordinary_facts())
    @settings(max_examples=50, database=None)
    def try_some(chosen: list[tuple[int, Fact]]) -> None:
        facts = Facts()
        stores = facts.stores("esa1")
        for store, fact in chosen:
            stores[store].setdefault(fact[KEY], []).append(fact)
        judged = ByShape("esa1", stores, Shapes(dumps))
        for _ in judged.lines():
            pass
        seen[True] += judged.judged
        seen[False] += judged.odd

    try_some()
    assert seen[True] > seen[False] / 4, seen
