"""What a join keeps on the server from run to run: a lock, how far it has read, and a report of each run.

Lock and checkpoint are one document, which only a script on the server changes: only the holder of the lock may write, and only the server's clock counts.
The lock of a killed run expires.
"""

from __future__ import annotations

import os
import platform
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from esatls import __version__
from esatls.elastic.client import ElasticError
from esatls.elastic.streams import dataset, stream
from esatls.lines.clock import rfc3339

if TYPE_CHECKING:
    from collections.abc import Sequence

    from esatls.elastic.retry import Retrying
    from esatls.verdicts.contradictions import Contradiction

STATE = "esatls-state"

_DOCUMENT = "join"
_LEASE = 600_000
"""Milliseconds after which a lock that is not renewed expires."""
_HOLD = """
long now = ctx['_now'];
Map state = ctx._source;
if (state.owner != null && state.owner != params.owner && state.until > now) { ctx.op = 'none'; return; }
if (params.begins) { state.began = now; }
else if (state.owner != params.owner) { ctx.op = 'none'; return; }
for (def change : params.changes.entrySet()) { state.put(change.getKey(), change.getValue()); }
state.owner = params.ends ? null : params.owner;
state.until = now + params.lease;
state.holder = params.holder;
"""


class LockedError(ElasticError):
    """Another run is under way."""


class Progress(NamedTuple):
    """How far earlier runs have come."""

    read_to: int | None = None
    """The events that came in before this moment are joined (milliseconds since 1970); None: no event is."""
    appliances: tuple[tuple[str, str], ...] = ()
    """Host and serial number of all events read."""
    pending: tuple[tuple[str, int, str], ...] = ()
    """Appliance, store and id of records that the server rejected."""
    renamed: tuple[tuple[str, str], ...] = ()
    """Appliances whose records are being made again because their names have changed: the name, and the former name."""
    events: tuple[str, ...] = ()
    """Patterns for the data streams of events that were read."""

    def as_document(self) -> dict[str, Any]:
        """Return the progress in the form in which it is stored."""
        return {**self._asdict(), **{name: [[*part] for part in getattr(self, name)] for name in ("appliances", "pending", "renamed")}}

    @classmethod
    def of(cls, state: dict[str, Any]) -> Progress:
        """Return the progress that was stored."""
        return cls(
            state.get("read_to"),
            tuple((host, serial) for host, serial in state.get("appliances", ())),
            tuple((host, store, key) for host, store, key in state.get("pending", ())),
            tuple((name, former) for name, former in state.get("renamed", ())),
            tuple(state.get("events", ())),
        )


class Lock:
    """The right to join, until it is released or expires."""

    def __init__(self, server: Retrying) -> None:
        """Take the lock. Raises ``LockedError`` if another run holds it."""
        self._server = server
        self._owner = uuid.uuid4().hex
        state = self._update({}, begins=True)
        self.progress = Progress.of(state)
        self.began = int(state["began"])
        """When this run began, by the server's clock (milliseconds since 1970)."""

    def hold(self, progress: Progress | None = None) -> None:
        """Renew the lock, and note how far the run has come. Raises ``LockedError`` if the lock was lost."""
        self._update(progress.as_document() if progress else {})

    def release(self, server: Retrying) -> None:
        """Release the lock."""
        self._server = server
        with suppress(LockedError):
            self._update({}, ends=True)

    def _update(self, changes: dict[str, Any], *, begins: bool = False, ends: bool = False) -> dict[str, Any]:
        holder = f"process {os.getpid()} on {platform.node() or 'a host without a name'}"
        params = {"owner": self._owner, "holder": holder, "lease": _LEASE, "changes": changes, "begins": begins, "ends": ends}
        body = {"scripted_upsert": True, "upsert": {}, "script": {"lang": "painless", "source": _HOLD, "params": params}}
        answer = self._server.ask("result", "POST", f"/{STATE}/_update/{_DOCUMENT}?retry_on_conflict=5&_source=true", body)
        state: dict[str, Any] = answer["get"]["_source"] if "get" in answer else {}
        if answer["result"] == "noop" or state.get("owner") != (None if ends else self._owner):
            known = self._server.ask("_source", "GET", f"/{STATE}/_doc/{_DOCUMENT}")["_source"]
            until = f" until {rfc3339(int(known['until']) // 1000)} at the latest" if "until" in known else ""
            raise LockedError(f"another join is running ({known.get('holder', 'it left no name')}){until}: this one wrote and deleted nothing")
        return state


class RunCounts(NamedTuple):
    """What a run did."""

    events: int = 0
    connections: int = 0
    messages: int = 0
    unchanged: int = 0
    deleted: int = 0
    refused: int = 0


def report(
    server: Retrying, began: int, ended: int, counts: RunCounts, progress: Progress, contradictions: Sequence[Contradiction], failure: str | None
) -> None:
    """Write the report of a run, for the dashboard and for alerts. Times are milliseconds since 1970."""
    start, end = (rfc3339(time / 1000) for time in (began, ended))
    document: dict[str, Any] = {
        "@timestamp": start,
        "event": {
            "kind": "event",
            "category": ["process"],
            "type": ["end"],
            "module": "esatls",
            "dataset": dataset("runs"),
            "action": "join",
            "outcome": "success" if failure is None else "failure",
            "start": start,
            "end": end,
            "duration": (ended - began) * 1_000_000,
        },
        "esatls": {"run": {**counts._asdict(), "version": __version__}},
    }
    if progress.read_to is not None:
        document["esatls"]["run"]["read_to"] = rfc3339(progress.read_to / 1000)
    if contradictions:
        document["esatls"]["run"]["contradictions"] = [one.host for one in contradictions]
        document["message"] = "\n".join(map(str, contradictions))
    if failure is not None:
        document["error"] = {"message": failure}
    server.ask("result", "POST", f"/{stream('runs')}/_doc", document)
