"""Write connection and message records as documents, and make them from the events that a server holds.

``load`` takes the records that ``esatls connections`` and ``esatls messages`` print. ``join`` reads event documents back, whatever way
they came in, and gives the same verdicts as the command line: the merge is the same code. No transform can do it, since a message's
verdict needs its connections, its parents and the order of their lines.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from itertools import islice
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

from esatls.elastic.batches import BATCH
from esatls.elastic.client import BUSY, Client, ElasticError, Refusal
from esatls.elastic.documents import connection_document, message_document
from esatls.extraction.event_stream import events
from esatls.extraction.match import extract
from esatls.lines import envelope, records
from esatls.lines.clock import rfc3339
from esatls.verdicts import records as verdicts
from esatls.verdicts.contradictions import Contradictions
from esatls.verdicts.facts import Facts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Record = Mapping[str, Any]
Action = tuple[dict[str, Any], dict[str, Any]]

PATIENCE = 30.0
"""Seconds for which a server that is busy, or not there, is asked again."""

_FIRST_PAUSE = 0.25
_TOLD_PAUSE = 4.0
_LONGEST_PAUSE = 32.0
_MOST_REFUSED_SHOWN = 5
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


class Written(NamedTuple):
    """How many documents a server accepted, and how many it rejected."""

    documents: int = 0
    refused: int = 0


class Writer:
    """Writes records to a server, in batches.

    A server that is busy or not there is asked again for ``patience`` seconds; then its error is raised. ``tell`` gets one line about
    documents that were refused, and one about each wait that is long.
    """

    def __init__(self, client: Client, ingested: str, *, patience: float = PATIENCE, tell: Callable[[str], None] | None = None) -> None:
        """Prepare; nothing is sent. ``ingested`` is the time of this load (RFC 3339)."""
        self.written = Written()
        self._client = client
        self._ingested = ingested
        self._patience = patience
        self._tell = tell or (lambda _line: None)

    def action(self, record: Record) -> Action:
        """Return the bulk action that writes a record."""
        return action(record, self._ingested)

    def write(self, actions: Iterable[Action]) -> None:
        """Write some records."""
        actions = iter(actions)
        while batch := list(islice(actions, BATCH)):
            refused = self._send(batch)
            self.written = Written(self.written.documents + len(batch) - len(refused), self.written.refused + len(refused))
            if refused:
                shown = "; ".join(one.reason for one in refused[:_MOST_REFUSED_SHOWN])
                more = f" and {len(refused) - _MOST_REFUSED_SHOWN:,} more" if len(refused) > _MOST_REFUSED_SHOWN else ""
                self._tell(f"{len(refused):,} documents were rejected: {shown}{more}")

    def _send(self, batch: list[Action]) -> list[Refusal]:
        """Send a batch, and again what the server may take later; return what it refused for good."""
        refused: list[Refusal] = []
        until = time.monotonic() + self._patience
        pause = _FIRST_PAUSE
        while True:
            try:
                answers = self._client.bulk(batch)
            except ElasticError as error:
                if not error.may_pass or time.monotonic() + pause > until:
                    raise
                reason = str(error)
            else:
                later = [one for one in answers if one.status in BUSY]
                refused += [one for one in answers if one.status not in BUSY]
                if not later or time.monotonic() + pause > until:
                    return refused + later
                batch = [batch[one.position] for one in later]
                reason = later[0].reason
            if pause == _TOLD_PAUSE:
                self._tell(f"waiting for the server: {reason}")
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)


def load(client: Client, batches: Iterable[Iterable[bytes | str]], *, patience: float = PATIENCE, tell: Callable[[str], None] | None = None) -> Written:
    """Write the records of JSON Lines, batch by batch.

    A line that is not a record ends the load with ``ElasticError``; the lines before it are written.
    """
    writer = Writer(client, now(), patience=patience, tell=tell)
    number = 0
    for batch in batches:
        actions = []
        try:
            for line in batch:
                number += 1
                if line.strip():
                    actions.append(_action(writer, line, number))
        finally:
            writer.write(actions)
    return writer.written


def _action(writer: Writer, line: bytes | str, number: int) -> Action:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        message = f"line {number} is not JSON: {error}"
        raise ElasticError(message) from error
    message = f"line {number} is not a record of esatls"
    if not isinstance(record, dict):
        raise ElasticError(message)
    try:
        return writer.action(record)
    except (AttributeError, KeyError, TypeError) as error:
        raise ElasticError(message) from error


def now() -> str:
    """Return the present moment (RFC 3339, UTC)."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def event_hits(client: Client, start: str | None, end: str | None, index: str = _EVENTS) -> Iterator[dict[str, Any]]:
    """Yield the event documents between two times (RFC 3339; open ends are allowed), in any order.

    Raises ``ElasticError`` where the server cannot read all of them.
    """
    conditions: list[dict[str, Any]] = [{"exists": {"field": "event.action"}}]
    window = {name: value for name, value in (("gte", start), ("lt", end)) if value}
    if window:
        conditions.append({"range": {"@timestamp": window}})
    fields = ["@timestamp", "message", "event.original", "observer.hostname"]
    query = {"size": 5000, "query": {"bool": {"filter": conditions}}, "_source": fields, "sort": ["_doc"]}
    options = f"scroll={_SCROLL}&expand_wildcards=all&allow_no_indices=true&allow_partial_search_results=false"
    answer = _whole(client.request("POST", f"/{index}/_search?{options}", query))
    try:
        while answer["hits"]["hits"]:
            yield from (hit["_source"] for hit in answer["hits"]["hits"])
            answer = _whole(client.request("POST", "/_search/scroll", {"scroll": _SCROLL, "scroll_id": answer["_scroll_id"]}))
    finally:
        if "_scroll_id" in answer:
            client.request("DELETE", "/_search/scroll", {"scroll_id": answer["_scroll_id"]})


def _whole(answer: dict[str, Any]) -> dict[str, Any]:
    """Return a page of a search, if no part of the index is missing from it."""
    failed = answer.get("_shards", {}).get("failed", 0)
    if failed or answer.get("timed_out"):
        message = f"not all events could be read: {f'{failed} shards failed' if failed else 'the search timed out'}; nothing was written or deleted"
        raise ElasticError(message)
    return answer


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
    inner = records.unwrap(line)
    if len(inner) > 1 or (inner and len(inner[0].lines) > 1):
        # a record of several lines: which of them begin anew is the stream's to tell, a stranger may have written the others
        for found in events([line]):
            yield {name: value for name, value in found.items() if name not in _OF_ENVELOPE}
        return
    text = inner[0].lines[0] if inner else line
    event = extract(text[envelope.parse(text).end :].rstrip())
    if event is not None:
        yield event


class Joined(NamedTuple):
    """What a join did: events read, and documents written, deleted and rejected."""

    events: int
    connections: int
    messages: int
    deleted: int
    refused: int


def join(client: Client, *, days: float | None = 2, context_days: float = 2, tell: Callable[[str], None] | None = None) -> Joined:
    """Make the records of everything that began in the last ``days`` and write them; None takes all.

    Events of the ``context_days`` before are read too, for the connections and parents of the first messages. Records of that time which
    a former run wrote and this one does not find any more are deleted, so a run after late lines leaves the same as one run at the end;
    where the server could not read all events, or refused a record, none is deleted.
    """
    ingested = now()
    start = None if days is None else rfc3339(int(datetime.now(timezone.utc).timestamp() - timedelta(days=days).total_seconds()))
    earliest = None if days is None else rfc3339(int(datetime.now(timezone.utc).timestamp() - timedelta(days=days + context_days).total_seconds()))
    client.request("POST", f"/{_EVENTS}/_refresh?ignore_unavailable=true&allow_no_indices=true")
    read = _Counted(event_hits(client, earliest, None))
    facts = facts_of(read)
    contradictions = Contradictions()
    writers = []
    for found in (verdicts.connections(facts, contradictions), verdicts.messages(facts, contradictions)):
        writers.append(writer := Writer(client, ingested, tell=tell))
        writer.write(writer.action(record) for record in found if start is None or _began(record, ingested) >= start)
    if tell is not None:
        for one in contradictions.found():
            tell(str(one))
    connections, messages = (writer.written for writer in writers)
    refused = connections.refused + messages.refused
    deleted = 0 if refused else _delete_stale(client, start, ingested)
    return Joined(read.count, connections.documents, messages.documents, deleted, refused)


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
