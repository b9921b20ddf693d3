"""Writes the records of connections and messages to a search server."""

from __future__ import annotations

import hashlib
import json
from itertools import islice
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, cast

from esatls.elastic.batches import BATCH
from esatls.elastic.client import Action, ElasticError, Refusal
from esatls.elastic.documents import connection_document, message_document
from esatls.elastic.prepared import is_prepared
from esatls.elastic.retry import PATIENCE, Retrying, now
from esatls.elastic.search import Hit, whole
from esatls.elastic.streams import stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from esatls.elastic.client import Client
    from esatls.verdicts.record_types import ConnectionRecord, MessageRecord

CHANGED_SINCE = 409
"""Status of a document that has changed since it was read."""
_MISSING = 404
_MOST_REFUSED_SHOWN = 5
_TRIES = 3


class Document(NamedTuple):
    """What is written for a record: the data stream, an id that stays the same, and the document."""

    stream: str
    id: str
    body: dict[str, Any]

    def action(self, present: Hit | None) -> Action:
        """Return the bulk action that writes it. A data stream only accepts new documents: one that is ``present`` is replaced in its own index."""
        if present is None:
            return {"create": {"_index": self.stream, "_id": self.id}}, self.body
        index, identity = present.place
        return {"index": {"_index": index, "_id": identity, "if_seq_no": present.seq_no, "if_primary_term": present.primary_term}}, self.body


def document_of(record: Mapping[str, Any], ingested: str, *, writer: str = "load", otherwise: str | None = None) -> Document:
    """Return the document of one record, and its place.

    ``ingested`` is the current time (RFC 3339; sending renews it), ``writer`` the command that writes. A record without a time gets the current time; a
    connection gets ``otherwise`` if there is one.
    """
    if "tls_verdict" in record:
        kind, document = "connections", connection_document(cast("ConnectionRecord", record))
        time = record.get("opened") or record.get("closed") or otherwise
        key = [record.get("esa_host"), record["esa_direction"], record.get("icid", record.get("dcid")), time]
    elif "received" in record and "delivered" in record:
        kind, document = "messages", message_document(cast("MessageRecord", record))
        time = record.get("first_seen")
        key = [record.get("esa_host"), record["mid"], time]
    else:
        raise ElasticError("not a record of a connection or a message: esatls connections and esatls messages --format json print them")
    document.setdefault("@timestamp", time or ingested)
    document["event"]["ingested"] = ingested
    document["esatls"]["record"] = {"writer": writer}
    return Document(stream(kind), hashlib.sha256(json.dumps(key).encode()).hexdigest()[:32], document)


class Written(NamedTuple):
    """How many documents a server accepted, and how many it rejected."""

    documents: int = 0
    refused: int = 0


class Writer:
    """Writes records to a server, in batches. Those that a join wrote stay as they are.

    Requests are repeated for ``patience`` seconds while the server is busy or unreachable; then its error is raised. ``tell`` gets one line about documents
    that were rejected, and one about each long wait.
    """

    def __init__(self, client: Client, *, patience: float = PATIENCE, tell: Callable[[str], None] | None = None) -> None:
        """Prepare; nothing is sent."""
        self.written = Written()
        self.left = 0
        """How many records were not written, because a join wrote the existing ones."""
        self._server = Retrying(client, patience=patience, tell=tell)
        self._prepared: set[str] = set()

    def document(self, record: Mapping[str, Any]) -> Document:
        """Return the document of a record, to be written now."""
        return document_of(record, now())

    def write(self, documents: Iterable[Document]) -> None:
        """Write some documents. Raises ``ElasticError`` if the server is not set up."""
        documents = iter(documents)
        while batch := list(islice(documents, BATCH)):
            self._prepare(batch)
            # of two with the same id, the later one counts
            refused, joined = self._put([*{one.id: one for one in batch}.values()])
            left = sum(one.id in joined for one in batch)
            self.written = Written(self.written.documents + len(batch) - len(refused) - left, self.written.refused + len(refused))
            self.left += left
            if refused:
                self._server.tell(told(refused))
            # those that could not be asked about before they existed
            self._prepare(batch)

    def _prepare(self, documents: Iterable[Document]) -> None:
        """Raise ``ElasticError`` if a data stream has other mappings than ours."""
        self._prepared |= {name for name in sorted({one.stream for one in documents} - self._prepared) if is_prepared(self._server, name)}

    def _put(self, documents: list[Document]) -> tuple[list[Refusal], set[str]]:
        """Write documents, new ones and those that replace older ones; return what the server rejected, and the ids of those that a join wrote."""
        refused: list[Refusal] = []
        joined: set[str] = set()
        for tries in range(_TRIES):
            present = self._present(documents, refresh=tries > 0)
            joined |= {identity for identity, hit in present.items() if hit.source.get("esatls", {}).get("record", {}).get("writer") == "join"}
            documents = [one for one in documents if one.id not in joined]
            answers = self._server.bulk([one.action(present.get(one.id)) for one in documents])
            # a search does not find at once what was just written
            changed = [one for one in answers if one.status == CHANGED_SINCE]
            refused += [one for one in answers if one.status != CHANGED_SINCE]
            if not changed:
                return refused, joined
            documents = [documents[one.position] for one in changed]
        return refused + changed, joined

    def _present(self, documents: list[Document], *, refresh: bool) -> dict[str, Hit]:
        """Return which of these documents exist, and who wrote them."""
        found = {}
        for name in sorted({one.stream for one in documents}):
            ids = [one.id for one in documents if one.stream == name]
            if refresh:
                whole(self._server.ask("_shards", "POST", f"/{name}/_refresh?ignore_unavailable=true"))
            query = {"size": len(ids), "query": {"ids": {"values": ids}}, "_source": ["esatls.record.writer"], "seq_no_primary_term": True}
            try:
                # a closed index is an error: it may have some of the documents
                answer = whole(self._server.ask("hits", "POST", f"/{name}/_search?allow_partial_search_results=false&ignore_unavailable=false", query))
            except ElasticError as error:
                if error.status != _MISSING:
                    raise
                continue
            for hit in answer["hits"]["hits"]:
                found[hit["_id"]] = Hit((hit["_index"], hit["_id"]), 0, hit["_seq_no"], hit["_primary_term"], hit["_source"])
        return found


def told(refused: Sequence[Refusal]) -> str:
    """Return one line about documents that were rejected."""
    shown = "; ".join(one.reason for one in refused[:_MOST_REFUSED_SHOWN])
    more = f" and {len(refused) - _MOST_REFUSED_SHOWN:,} more" if len(refused) > _MOST_REFUSED_SHOWN else ""
    return f"{len(refused):,} documents were rejected: {shown}{more}"
