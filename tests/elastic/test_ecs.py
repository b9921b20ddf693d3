"""Every document is one of the Elastic Common Schema, as it is published."""

from __future__ import annotations

import json
from itertools import chain
from typing import TYPE_CHECKING, Any

import esatls
import pytest
from esatls.elastic.documents import CONSTANTS, connection_document, event_document, message_document

from tests.core.support import SCENARIOS
from tests.elastic import corpus
from tests.elastic.ecs import LIST, OWN, TEMPLATES, mapped, stated

if TYPE_CHECKING:
    from collections.abc import Iterator

ECS: dict[str, Any] = json.loads(LIST.read_text(encoding="utf-8"))


# one family of types in Elasticsearch: searches find the same in all of it
FAMILY = {"wildcard": "keyword", "constant_keyword": "keyword"}


def documents() -> Iterator[dict[str, Any]]:
    """Return the documents of all cases, with what their mapping states, and of the records of all scenarios."""
    for text in corpus.texts():
        yield from (corpus.merged(event_document(event), stated("esatls-events")) for event in esatls.events([text]))
    for path in SCENARIOS.glob("*.json"):
        known = json.loads(path.read_text(encoding="utf-8"))
        yield from map(connection_document, known.get("connections", ()))
        yield from map(message_document, known.get("messages", ()))


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Return the dotted fields of a document with their values."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, f"{path}.{name}" if path else name)
    else:
        yield path, value


@pytest.mark.parametrize("template", TEMPLATES)
def test_mappings_are_the_schemas(template: str) -> None:
    """Each field outside our own name is in the schema, with its type."""
    types = mapped(template)
    assert {name: kind for name, kind in types.items() if name not in ECS["fields"]} == {}
    theirs = {name: ECS["fields"][name]["type"] for name in types}
    assert {name: FAMILY.get(kind, kind) for name, kind in types.items()} == {name: FAMILY.get(kind, kind) for name, kind in theirs.items()}


def test_documents_are_the_schemas() -> None:
    """Lists where the schema has lists and nowhere else; its words for kind, category, type and outcome, and the types that go with a category."""
    assert CONSTANTS["ecs.version"] == ECS["version"]
    known = set(chain.from_iterable(map(mapped, TEMPLATES)))
    findings = set()
    for document in documents():
        found = dict(leaves(document))
        for path, value in found.items():
            if path.startswith(OWN):
                continue
            if path not in known:
                findings.add(f"{path}: in no template")
            elif isinstance(value, list) != ECS["fields"][path]["list"]:
                findings.add(f"{path}: {'a' if isinstance(value, list) else 'no'} list")
            words = ECS["words"].get(path)
            findings |= {f"{path}: {word}" for word in (value if isinstance(value, list) else [value]) if words and word not in words}
        for part in ("ecs.version", "event.kind", "event.category", "event.type", "event.module", "event.dataset", "observer.vendor", "observer.type"):
            if part not in found:
                findings.add(f"{part}: missing")
        expected = {kind for category in found["event.category"] for kind in ECS["words"]["event.category"][category]}
        findings |= {f"{found['event.category']}: {kind}" for kind in found["event.type"] if kind not in expected}
        others = {("source.ip", "related.ip"), ("destination.ip", "related.ip"), ("email.from.address", "related.user"), ("source.domain", "related.hosts")}
        for path, related in others:
            values = found.get(path, [])
            findings |= {f"{path}: not in {related}" for value in (values if isinstance(values, list) else [values]) if value not in found.get(related, [])}
    assert findings == set()
