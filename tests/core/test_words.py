"""Every sentence and every list that names verdicts names all of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from esatls.cli.connections import connections
from esatls.extraction.fields import CONNECTION_FIELDS, MESSAGE_FIELDS
from esatls.verdicts.words import CONNECTION_VERDICTS, DELIVERED_VERDICTS, RECEIVED_VERDICTS

ROOT = Path(__file__).resolve().parents[2]
DESCRIPTIONS = {field.name: field.description for field in (*CONNECTION_FIELDS, *MESSAGE_FIELDS)}
BNF = (ROOT / "splunk_app" / "default" / "searchbnf.conf").read_text(encoding="utf-8")
VERDICTS = (ROOT / "docs" / "VERDICTS.md").read_text(encoding="utf-8")


def between(text: str, start: str, end: str) -> str:
    """Return what stands between two words of a text. Raises `ValueError` if it does not have them."""
    begin = text.index(start) + len(start)
    return text[begin : text.index(end, begin)]


SENTENCES = {
    "the field tls_verdict": (DESCRIPTIONS["tls_verdict"], CONNECTION_VERDICTS),
    "the field received": (DESCRIPTIONS["received"], RECEIVED_VERDICTS),
    "the field delivered": (DESCRIPTIONS["delivered"], DELIVERED_VERDICTS),
    "the command connections": (connections.help or "", CONNECTION_VERDICTS),
    "the help of esatlsconnections": (between(BNF, "[esatlsconnections-command]", "[esatls"), CONNECTION_VERDICTS),
    "received in the help of esatlsmessages": (between(BNF, "it was received (", ")"), RECEIVED_VERDICTS),
    "delivered in the help of esatlsmessages": (between(BNF, "and delivered (", ")"), DELIVERED_VERDICTS),
    "the table of verdicts on connections": (between(VERDICTS, "## A connection", "A connection is also `unknown`"), CONNECTION_VERDICTS),
    "received in the document": (between(VERDICTS, "`received` is the verdict", "`delivered` sums up"), RECEIVED_VERDICTS),
    "delivered in the document": (between(VERDICTS, "`delivered` sums up", "`starttls.log`"), DELIVERED_VERDICTS),
}


@pytest.mark.parametrize("name", SENTENCES)
def test_sentence(name: str) -> None:
    """A sentence that lists verdicts has every word of its kind."""
    text, words = SENTENCES[name]
    assert {word for word in words if re.search(rf"\b{word}\b", text) is None} == set()
