"""Puts logs into the test server and takes documents out of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import esatls
from esatls.elastic.documents import connection_document, message_document

from tests.elastic import corpus
from tests.traffic.cli import main as traffic

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from esatls.elastic.client import Client

STREAM = "logs-esatls.events-default"


def simulate(client: Client, documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what the pipeline makes of each document."""
    answer = client.request("POST", "/_ingest/pipeline/esatls/_simulate", {"docs": [{"_source": document} for document in documents]})
    return [_without_arrival(item["doc"]["_source"]) if "doc" in item else item for item in answer["docs"]]


def _without_arrival(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document without the time at which it came in, which each has."""
    arrived = document["event"].pop("ingested")
    assert arrived > "2026"
    if not document["event"]:
        del document["event"]
    return document


def shipped(line: str, host: str | None = None) -> dict[str, Any]:
    """Return the document that a shipper sends for a line, of an appliance that it knows."""
    known = {} if host is None else {"observer": {"hostname": host}}
    return {"@timestamp": corpus.SHIPPED, "message": line, **known}


def index_lines(client: Client, lines: Iterable[str], stream: str = STREAM, *, host: str | None = None) -> None:
    """Ship lines to the data stream, through its default pipeline, and make them visible."""
    batch: list[tuple[dict[str, Any], dict[str, Any]]] = []
    for line in lines:
        batch.append(({"create": {"_index": stream}}, shipped(line, host)))
        if len(batch) == 2000:
            assert client.bulk(batch) == []
            batch.clear()
    assert client.bulk(batch) == []
    client.request("POST", f"/{stream}/_refresh")


def all_documents(client: Client, index: str, query: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """Return every document of some indices, without what it tells of its writing."""
    client.request("POST", f"/{index}/_refresh?ignore_unavailable=true&allow_no_indices=true")
    answer = client.request("POST", f"/{index}/_search?ignore_unavailable=true&allow_no_indices=true", {"size": 10000, "query": query or {"match_all": {}}})
    assert answer["hits"]["total"]["value"] < 10000
    return [_as_made(hit) for hit in answer["hits"]["hits"]]


def every_document(client: Client, index: str) -> Iterator[dict[str, Any]]:
    """Yield the documents of some indices, however many, as `all_documents` has them."""
    client.request("POST", f"/{index}/_refresh?ignore_unavailable=true&allow_no_indices=true")
    answer = client.request("POST", f"/{index}/_search?scroll=5m&ignore_unavailable=true&allow_no_indices=true", {"size": 5000})
    while answer["hits"]["hits"]:
        yield from map(_as_made, answer["hits"]["hits"])
        answer = client.request("POST", "/_search/scroll", {"scroll": "5m", "scroll_id": answer["_scroll_id"]})


def _as_made(hit: dict[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = hit["_source"]
    del document["event"]["ingested"], document["esatls"]["record"]
    # a record that names no time is dated by its writing, or by the lines that name it
    if not {"start", "end"} & {*document["event"]}:
        del document["@timestamp"]
    return document


def answers(lines: Iterable[str]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the documents of the command line's records of connections and of messages."""
    facts = esatls.Facts()
    for event in esatls.events(lines):
        facts.add(event)
    return [connection_document(record) for record in esatls.connections(facts)], [message_document(record) for record in esatls.messages(facts)]


def ordered(documents: Iterable[dict[str, Any]]) -> list[str]:
    """Return documents in an order that does not depend on where they come from."""
    return sorted(json.dumps(document, sort_keys=True) for document in documents)


def reset(client: Client) -> None:
    """Remove all events and records, and what a join knows of them."""
    for stream in client.request("GET", "/_data_stream")["data_streams"]:
        client.request("DELETE", f"/_data_stream/{stream['name']}")
    for index in client.request("GET", "/_cat/indices/esatls-*?format=json"):
        client.request("DELETE", f"/{index['index']}")


def wipe(client: Client) -> None:
    """Make a server one that nothing was ever loaded into."""
    reset(client)
    for template in client.request("GET", "/_index_template")["index_templates"]:
        client.request("DELETE", f"/_index_template/{template['name']}")
    # those that call others go first
    for name in sorted(client.request("GET", "/_ingest/pipeline"), key=len):
        client.request("DELETE", f"/_ingest/pipeline/{name}")


def make_log(path: Path) -> list[str]:
    """Return a log of two appliances: retries, fall-backs, lineage, and some lines of its head missing."""
    traffic(["--messages", "60", "--seed", "7", "--hosts", "2", "--envelope", "nested_native", "--skip", "40", "--log", str(path)])
    header = "<111>Mar  5 12:00:00 esa2.example.com ESA: Tue Mar  5 12:00:00 2024 Info: "
    error = "port: 25 details: [Errno 54] Connection reset by peer interface: 192.0.2.58 reason: network error"
    return [
        *path.read_text(encoding="utf-8").splitlines(),
        # what counts as no failure of TLS has a panel of its own
        f"{header}New SMTP DCID 990001 interface 192.0.2.58 address 203.0.113.99 port 25",
        f"{header}Connection Error: DCID 990001 domain: reset.example.org IP: 203.0.113.99 {error}",
        # a day that does not exist
        header.replace("Mar  5", "Feb 30") + "a line",
    ]
