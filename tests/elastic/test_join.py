"""What the server holds after events were indexed and joined is what the command line answers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import esatls
import pytest
from esatls.elastic import load as loading
from esatls.elastic.documents import connection_document, message_document

from tests.elastic.corpus import ROOT
from tests.elastic.store import all_documents, answers, index_lines, ordered

SCENARIOS = sorted((ROOT / "tests" / "scenarios").glob("*.log"))

if TYPE_CHECKING:
    from pathlib import Path

    from esatls.elastic.client import Client


def test_join_gives_the_verdicts_of_the_command_line(empty: Client, log: list[str]) -> None:
    """Every document of a connection and of a message, made from indexed events, is that of the command line's record."""
    index_lines(empty, log)
    result = loading.join(empty, days=None)
    connections, messages = answers(log)
    assert result[1:] == (len(connections), len(messages), 0, 0)
    assert ordered(all_documents(empty, "esatls-connections-*")) == ordered(connections)
    assert ordered(all_documents(empty, "esatls-messages-*")) == ordered(messages)


def test_join_again_after_late_lines_leaves_what_one_run_leaves(empty: Client, log: list[str]) -> None:
    """Lines that come late and out of order change verdicts, and no stale document is left."""
    index_lines(empty, log[1::2])
    loading.join(empty, days=None)
    index_lines(empty, log[0::2])
    loading.join(empty, days=None)
    loading.join(empty, days=None)
    connections, messages = answers(log)
    assert ordered(all_documents(empty, "esatls-connections-*")) == ordered(connections)
    assert ordered(all_documents(empty, "esatls-messages-*")) == ordered(messages)


def test_load_writes_the_records_that_the_command_line_prints(empty: Client, log: list[str]) -> None:
    """JSON Lines of records, loaded twice, are there once each."""
    facts = esatls.Facts()
    for event in esatls.events(log):
        facts.add(event)
    lines = [json.dumps(record) for record in [*esatls.connections(facts), *esatls.messages(facts)]]
    assert loading.load(empty, [lines]) == (len(lines), 0)
    assert loading.load(empty, [lines, ["", " \n"]]) == (len(lines), 0)
    connections, messages = answers(log)
    assert ordered(all_documents(empty, "esatls-connections-*")) == ordered(connections)
    assert ordered(all_documents(empty, "esatls-messages-*")) == ordered(messages)


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_every_scenario_gives_its_records(empty: Client, path: Path) -> None:
    """The documents of each scenario, shipped backwards, are those of its written records."""
    index_lines(empty, path.read_text(encoding="utf-8").splitlines()[::-1])
    loading.join(empty, days=None)
    wanted = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert ordered(all_documents(empty, "esatls-connections-*")) == ordered(map(connection_document, wanted["connections"]))
    assert ordered(all_documents(empty, "esatls-messages-*")) == ordered(map(message_document, wanted["messages"]))
