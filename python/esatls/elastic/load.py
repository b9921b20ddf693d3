"""Write connection and message records as documents, and make them from the events that a server holds.

``load`` takes the records that ``esatls connections`` and ``esatls messages`` print. ``join`` reads event documents back, whatever way
they came in, and gives the same verdicts as the command line: the merge is the same code. No transform can do it, since a message's
verdict needs its connections, its parents and the order of their lines.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from itertools import islice
from typing import TYPE_CHECKING, Any

from esatls.elastic.client import Client, ElasticError
from esatls.elastic.documents import connection_document, message_document
from esatls.extraction.event_stream import events
from esatls.extraction.match import extract
from esatls.lines import envelope
from esatls.lines.clock import rfc3339
from esatls.verdicts.facts import Facts
from esatls.verdicts.records import connections, messages

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Record = Mapping[str, Any]
Action = tuple[dict[str, Any], dict[str, Any]]

BATCH = 1000
"""Documents per request."""

_EVENTS = "logs-esatls.events-*"
_SCROLL = "2m"
_OF_ENVELOPE = frozenset({"time", "esa_host", "esa_log", "esa_level"})


def action(record: Record, ingested: str) -> Action:
    """Return the bulk action that writes one record: kind, index of its month, an id that stays the same, and the document.

    ``ingested`` is the time of this load (RFC 3339); it also dates a record that the log gives no time.
    """
    if "tls_verdict" in record:
        kind, document = "connections", connection_document(record)
        key = [record.get("esa_host"), record["esa_direction"], record.get("icid", record.get("dcid")), record.get("opened") or record.get("closed")]
    elif "received" in record and "delivered" in record:
        kind, document = "messages", message_document(record)
        key = [record.get("esa_host"), record["mid"], record.get("first_seen")]
    else:
        message = "not a record of a connection or a message: esatls connections and esatls messages --format json print them"
        raise ElasticError(message)
    document.setdefault("@timestamp", ingested)
    document["event"]["ingested"] = ingested
    month = document["@timestamp"][:7].replace("-", ".")
    identity = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:32]
    return {"index": {"_index": f"esatls-{kind}-{month}", "_id": identity}}, document


def write(client: Client, records: Iterable[Record], ingested: str) -> tuple[int, list[str]]:
    """Write records in batches; return how many were written, and one line for each that the server refused."""
    actions = (action(record, ingested) for record in records)
    count, refused = 0, []
    while batch := list(islice(actions, BATCH)):
        problems = client.bulk(batch)
        count += len(batch) - len(problems)
        refused += problems
    return count, refused


def load(client: Client, lines: Iterable[str]) -> tuple[int, list[str]]:
    """Write the records of JSON Lines; return how many were written, and one line for each that was refused."""
    return write(client, _records(lines), now())


def _records(lines: Iterable[str]) -> Iterator[Record]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            message = f"line {number} is no JSON: {error}"
            raise ElasticError(message) from error
        if not isinstance(record, dict):
            message = f"line {number} is no record"
            raise ElasticError(message)
        yield record


def now() -> str:
    """Return the present moment (RFC 3339, UTC)."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def event_hits(client: Client, start: str | None, end: str | None, index: str = _EVENTS) -> Iterator[dict[str, Any]]:
    """Yield the event documents between two times (RFC 3339; open ends are allowed), in any order."""
    conditions: list[dict[str, Any]] = [{"exists": {"field": "event.action"}}]
    window = {name: value for name, value in (("gte", start), ("lt", end)) if value}
    if window:
        conditions.append({"range": {"@timestamp": window}})
    fields = ["@timestamp", "message", "event.original", "observer.hostname"]
    query = {"size": 5000, "query": {"bool": {"filter": conditions}}, "_source": fields, "sort": ["_doc"]}
    answer = client.request("POST", f"/{index}/_search?scroll={_SCROLL}&ignore_unavailable=true&allow_no_indices=true", query)
    try:
        while answer["hits"]["hits"]:
            yield from (hit["_source"] for hit in answer["hits"]["hits"])
            answer = client.request("POST", "/_search/scroll", {"scroll": _SCROLL, "scroll_id": answer["_scroll_id"]})
    finally:
        if "_scroll_id" in answer:
            client.request("DELETE", "/_search/scroll", {"scroll_id": answer["_scroll_id"]})


def facts_of(documents: Iterable[dict[str, Any]]) -> Facts:
    """Return the merged facts of event documents: each line is read again as it was logged, at the time that the server has."""
    facts = Facts()
    for document in documents:
        host = document.get("observer", {}).get("hostname")
        for event in events_of(document["message"] if "message" in document else document["event"]["original"]):
            # zone and year were known when the line came in
            event["time"] = document["@timestamp"]
            facts.add({**event, "esa_host": host} if host else event)
    return facts


def events_of(line: str) -> Iterator[dict[str, Any]]:
    """Yield the events of one line as it was logged, without what its envelope says."""
    inner = envelope.unwrap(line)
    if inner is not None and len(inner.lines) > 1:
        # a record of several lines: which of them begin anew is the stream's to tell, a stranger may have written the others
        for found in events([line]):
            yield {name: value for name, value in found.items() if name not in _OF_ENVELOPE}
        return
    text = line if inner is None else inner.lines[0]
    event = extract(text[envelope.parse(text).end :].rstrip())
    if event is not None:
        yield event


def join(client: Client, *, days: float | None = 2, context_days: float = 2) -> dict[str, Any]:
    """Make the records of everything that began in the last ``days`` and write them; None takes all.

    Events of the ``context_days`` before are read too, for the connections and parents of the first messages. Records of that time which
    a former run wrote and this one does not find any more are deleted, so a run after late lines leaves the same as one run at the end.
    Returns counts: ``events``, ``connections``, ``messages``, ``deleted``, and ``refused`` (lines).
    """
    ingested = now()
    start = None if days is None else rfc3339(int(datetime.now(timezone.utc).timestamp() - timedelta(days=days).total_seconds()))
    earliest = None if days is None else rfc3339(int(datetime.now(timezone.utc).timestamp() - timedelta(days=days + context_days).total_seconds()))
    client.request("POST", f"/{_EVENTS}/_refresh?ignore_unavailable=true&allow_no_indices=true")
    read = _Counted(event_hits(client, earliest, None))
    facts = facts_of(read)
    result: dict[str, Any] = {"events": read.count, "refused": []}
    run = ingested
    for kind, found in (("connections", connections(facts)), ("messages", messages(facts))):
        wanted = (record for record in found if start is None or _began(record, ingested) >= start)
        result[kind], refused = write(client, wanted, run)
        result["refused"] += refused
    result["deleted"] = _delete_stale(client, start, run)
    return result


def _began(record: Record, otherwise: str) -> str:
    return str(record.get("first_seen") or record.get("opened") or record.get("closed") or otherwise)


def _delete_stale(client: Client, start: str | None, run: str) -> int:
    indices = "/esatls-connections-*,esatls-messages-*"
    options = "ignore_unavailable=true&allow_no_indices=true"
    client.request("POST", f"{indices}/_refresh?{options}")
    conditions: list[dict[str, Any]] = [{"range": {"event.ingested": {"lt": run}}}]
    if start is not None:
        conditions.append({"range": {"@timestamp": {"gte": start}}})
    answer = client.request("POST", f"{indices}/_delete_by_query?{options}&conflicts=proceed&refresh=true", {"query": {"bool": {"filter": conditions}}})
    return int(answer.get("deleted", 0))


class _Counted:
    """Counts what passes through."""

    def __init__(self, items: Iterable[dict[str, Any]]) -> None:
        self._items = items
        self.count = 0

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for item in self._items:
            self.count += 1
            yield item
