"""Records of connections and messages, written to a search server."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timezone
from itertools import islice
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

from esatls.elastic.batches import BATCH
from esatls.elastic.client import Action, ElasticError, Refusal
from esatls.elastic.documents import connection_document, message_document
from esatls.elastic.retry import PATIENCE, Retrying

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from esatls.elastic.client import Client

Record = Mapping[str, Any]

_MOST_REFUSED_SHOWN = 5


def action(record: Record, ingested: str, *, writer: str = "load", otherwise: str | None = None) -> Action:
    """Return the bulk action that writes one record: kind, index of its month, an id that stays the same, and the document.

    ``ingested`` is the time of this writing (RFC 3339), ``writer`` the command that writes; ``otherwise`` dates a record that names no time of
    its own, else it is dated by the writing.
    """
    if "tls_verdict" in record:
        kind, document = "connections", connection_document(record)
        time = record.get("opened") or record.get("closed") or otherwise
        key = [record.get("esa_host"), record["esa_direction"], record.get("icid", record.get("dcid")), time]
    elif "received" in record and "delivered" in record:
        kind, document = "messages", message_document(record)
        time = record.get("first_seen")
        key = [record.get("esa_host"), record["mid"], time]
    else:
        message = "not a record of a connection or a message: esatls connections and esatls messages --format json print them"
        raise ElasticError(message)
    document.setdefault("@timestamp", time or ingested)
    document["event"]["ingested"] = ingested
    document["esatls"]["record"] = {"writer": writer}
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
        self._server = Retrying(client, patience=patience, tell=tell)
        self._ingested = ingested

    def action(self, record: Record) -> Action:
        """Return the bulk action that writes a record."""
        return action(record, self._ingested)

    def write(self, actions: Iterable[Action]) -> None:
        """Write some records."""
        actions = iter(actions)
        while batch := list(islice(actions, BATCH)):
            refused = self._server.bulk(batch)
            self.written = Written(self.written.documents + len(batch) - len(refused), self.written.refused + len(refused))
            if refused:
                self._server.tell(told(refused))


def told(refused: Sequence[Refusal]) -> str:
    """Return one line about documents that were refused."""
    shown = "; ".join(one.reason for one in refused[:_MOST_REFUSED_SHOWN])
    more = f" and {len(refused) - _MOST_REFUSED_SHOWN:,} more" if len(refused) > _MOST_REFUSED_SHOWN else ""
    return f"{len(refused):,} documents were rejected: {shown}{more}"


def now() -> str:
    """Return the present moment (RFC 3339, UTC)."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
