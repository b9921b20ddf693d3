"""The ingest pipeline on a real server makes the documents that the extractor and the field table say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import corpus

if TYPE_CHECKING:
    from esatls.elastic.client import Client


def simulate(client: Client, documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what the pipeline makes of each document."""
    answer = client.request("POST", "/_ingest/pipeline/esatls/_simulate", {"docs": [{"_source": document} for document in documents]})
    return [item["doc"]["_source"] if "doc" in item else item for item in answer["docs"]]


def shipped(line: str) -> dict[str, Any]:
    """Return the document that a shipper sends for a line."""
    return {"@timestamp": corpus.SHIPPED, "message": line}


def test_every_line_becomes_the_extractors_document(client: Client) -> None:
    """Every case, look-alike and foreign line, in every envelope: whole documents are equal."""
    lines = corpus.lines()
    made = simulate(client, [shipped(line) for line in lines])
    different = {line: (got, want) for line, got in zip(lines, made) if got != (want := corpus.expected(line))}
    assert different == {}
