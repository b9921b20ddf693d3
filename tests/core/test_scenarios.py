"""Small logs and all that follows from them, whatever the order of their lines."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from esatls.extraction.fields import CONNECTION_FIELDS, MESSAGE_FIELDS
from esatls.verdicts.facts import Facts

from tests.core.support import SCENARIOS, read_facts, records

NAMES = sorted(path.stem for path in SCENARIOS.glob("*.log"))


def load(name: str) -> tuple[list[str], dict[str, Any]]:
    """Return a scenario: its lines, and the records that they give."""
    lines = (SCENARIOS / f"{name}.log").read_text(encoding="ascii").splitlines()
    return lines, json.loads((SCENARIOS / f"{name}.json").read_text(encoding="ascii"))


def check(facts: Facts, expected: dict[str, Any]) -> None:
    """Compare whole records."""
    connections, messages = records(facts)
    assert messages == expected["messages"]
    assert connections == expected["connections"]


@pytest.mark.parametrize("name", NAMES)
def test_forwards(name: str) -> None:
    """The records are the expected ones, each with all its fields and no others, in the order of the table of fields, and every line is counted."""
    lines, expected = load(name)
    facts, counts = read_facts(lines)
    check(facts, expected)
    assert counts.lines == len(lines)
    assert counts.unreadable == 0
    for table, found in zip((CONNECTION_FIELDS, MESSAGE_FIELDS), records(facts)):
        names = [field.name for field in table]
        assert all(list(record) == sorted(record, key=names.index) for record in found)


@pytest.mark.parametrize("name", NAMES)
def test_any_order_and_any_repetition(name: str) -> None:
    """The lines may come backwards or in any order, and each twice."""
    lines, expected = load(name)
    shuffled = [random.Random(seed).sample(lines, len(lines)) for seed in range(5)]
    for log in (lines[::-1], *shuffled, [line for line in lines for _ in range(2)], lines + lines):
        check(read_facts(log)[0], expected)


@pytest.mark.parametrize("name", NAMES)
def test_any_split(name: str) -> None:
    """The log may lie in three files, or be dealt out line by line as indexers do, and the parts be read in any order, each by another process."""
    lines, expected = load(name)
    third = len(lines) // 3
    for parts in ((lines[:third], lines[third : 2 * third], lines[2 * third :]), [lines[number::3] for number in range(3)]):
        dumped = [read_facts(part)[0].dumps() for part in parts]
        for order in ((0, 1, 2), (2, 1, 0), (1, 0, 2)):
            facts, merged = Facts(), Facts()
            for number in order:
                facts.loads(dumped[number])
                merged.merge(read_facts(parts[number])[0])
            check(facts, expected)
            check(merged, expected)


def test_scenarios_are_complete() -> None:
    """Each log has its records and the other way round, and each says in one sentence what it is about, or why the verdict is this one."""
    assert sorted(path.stem for path in SCENARIOS.glob("*.json")) == NAMES
    assert len(NAMES) >= 60
    for name in NAMES:
        _, expected = load(name)
        assert set(expected) == {"about", "connections", "messages"}
        assert expected["about"].endswith(".")


def test_scenarios_show_every_verdict() -> None:
    """Every verdict and every relation of the contract is in a scenario."""
    files = [load(name)[1] for name in NAMES]
    connections = [record for file in files for record in file["connections"]]
    messages = [record for file in files for record in file["messages"]]
    assert {record["tls_verdict"] for record in connections} == {"encrypted", "cleartext", "mixed", "failed", "unused", "unknown"}
    assert {record["received"] for record in messages} == {"encrypted", "cleartext", "unknown", "internal", "none"}
    assert {record["delivered"] for record in messages} == {"encrypted", "cleartext", "mixed", "unknown", "none"}
    assert {record.get("mid_relation") for record in messages} == {None, "rewritten", "split", "copy", "released", "bounce", "notification"}
    assert {attempt.get("outcome") for record in messages for attempt in record["deliveries"]} == {None, "done", "bounced", "delayed"}
