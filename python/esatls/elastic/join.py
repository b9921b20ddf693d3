"""Join the events on a server into records of connections and messages, as the command line does.

A run reads the events that came in since the last one, fetches older ones that must be judged together with them (`verdicts.changed`), and writes the
records that have changed. A transform cannot do this: a message's verdict needs its connections, the messages that it was made from, and the order of their
lines.

Nothing is written or deleted unless everything that was asked for could be read. Only records that `join` wrote are replaced or deleted, and only if the
events on which they rest still exist.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

from esatls.elastic import event_facts
from esatls.elastic.client import TOO_LONG, Action, Client, ElasticError, Refusal
from esatls.elastic.event_facts import Source, event_of, ids_of, source_of
from esatls.elastic.prepared import is_prepared
from esatls.elastic.retry import PATIENCE, Retrying
from esatls.elastic.search import PAGE, Hit, Snapshot, snapshot
from esatls.elastic.state import STATE, Lock, RunCounts, report
from esatls.elastic.streams import CONNECTIONS, EVENTS, RUNS, stream
from esatls.elastic.streams import MESSAGES as MESSAGE_RECORDS
from esatls.elastic.write import CHANGED_SINCE, Document, document_of, told
from esatls.extraction.fact_types import DELIVERY, MESSAGES, RECEIVING
from esatls.lines.clock import parse_rfc3339, rfc3339
from esatls.verdicts.changed import judge_again
from esatls.verdicts.contradictions import Contradictions
from esatls.verdicts.facts import Facts
from esatls.verdicts.hosts import appliances, key_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from esatls.lines.clock import Time
    from esatls.verdicts.changed import Life
    from esatls.verdicts.closure import Stores
    from esatls.verdicts.facts import Ref
    from esatls.verdicts.record_types import ConnectionRecord, MessageRecord

RECORDS = f"{CONNECTIONS},{MESSAGE_RECORDS}"
RIGHTS_TO_EVENTS = ("read", "maintenance")
"""The privileges that a run needs for events."""
RIGHTS: dict[str, tuple[str, ...]] = {
    EVENTS: RIGHTS_TO_EVENTS,
    CONNECTIONS: ("auto_configure", "index", "read", "delete", "maintenance"),
    MESSAGE_RECORDS: ("auto_configure", "index", "read", "delete", "maintenance"),
    STATE: ("auto_configure", "index", "read"),
    RUNS: ("auto_configure", "index"),
}
"""The privileges that a run needs, by index or pattern."""
OVERLAP = 60.0
"""Seconds before the start of a run from which the next one reads again: some events that came in then may not be found yet."""

_RECORD_FIELDS = ("@timestamp", "esatls.record", "esatls.icid", "esatls.dcid", "email.local_id")
_MOST_PENDING = 10_000
_LEFT = frozenset({400, TOO_LONG})
"""Statuses of documents that the server cannot take as they are."""
_BLOCKED = "] blocked by: [FORBIDDEN/"
"""What servers say of an index that may not be written."""
_TRIES = 3
_WRITE = 1_000


def join(
    client: Client,
    *,
    everything: bool = False,
    events: Sequence[str] = (EVENTS,),
    patience: float = PATIENCE,
    overlap: float = OVERLAP,
    batch: int = PAGE,
    tell: Callable[[str], None] | None = None,
) -> RunCounts:
    """Make the records of all connections and messages about which a line has come in since the last run (or of all), and write those that have changed.

    ``events`` are patterns for the data streams of events. These are read, joined and written in batches of ``batch`` events. Raises ``ElasticError`` if
    something could not be read or written; what was joined before stays, and the next run goes on from there.
    """
    server = Retrying(client, patience=patience, tell=tell)
    for kind in ("connections", "messages"):
        is_prepared(server, stream(kind))
    lock = Lock(server)
    started = time.monotonic()
    run = _Run(server, lock, events, everything=everything, overlap=overlap, batch=batch)

    def tell_of(server: Retrying, failure: str | None) -> None:
        ended = lock.began + int((time.monotonic() - started) * 1000)
        report(server, lock.began, ended, run.counts, run.progress, run.contradictions.found(), failure)

    # after an error, do not wait for the server again
    last = Retrying(client, patience=0)
    try:
        _check_rights(server, events)
        if run.reads_others:
            server.tell("the last run read other data streams, so all events are read again: one join must name all of them")
        run.do()
        tell_of(server, None)
        for contradiction in run.contradictions.found():
            server.tell(str(contradiction))
        if run.has_nothing:
            server.tell(f"no events in {', '.join(events)}: no line has come in since esatls elastic setup, or lines go elsewhere")
    except (ElasticError, KeyboardInterrupt) as error:
        with suppress(ElasticError):
            tell_of(last, str(error) or "the run was interrupted")
        raise
    else:
        last = server
    finally:
        with suppress(ElasticError):
            lock.release(last)
    return run.counts


def _check_rights(server: Retrying, events: Sequence[str]) -> None:
    """Raise ``ElasticError`` if a privilege is missing: an index that may not be read looks as if it did not exist."""
    if not server.client.is_elasticsearch:
        return
    needed = {**dict.fromkeys(events, RIGHTS_TO_EVENTS), **{names: rights for names, rights in RIGHTS.items() if names != EVENTS}}
    asked = {"index": [{"names": [names], "privileges": [*rights], "allow_restricted_indices": False} for names, rights in needed.items()]}
    try:
        answer = server.ask("index", "POST", "/_security/user/_has_privileges", asked)
    except ElasticError as error:
        if error.status in {400, 404, 405, 500}:
            return  # a server without security
        raise
    missing = [f"{right} on {names}" for names, rights in needed.items() for right in rights if not answer["index"].get(names, {}).get(right, False)]
    if missing:
        raise ElasticError(f"{server.client.url}: the key lacks rights: {', '.join(missing)}", 403)


class _Renamed(Exception):  # noqa: N818 (no error: a reason to begin again)
    """Known appliances have other names now, because of new events."""


class _Run:
    """One run."""

    def __init__(self, server: Retrying, lock: Lock, events: Sequence[str], *, everything: bool, overlap: float, batch: int) -> None:
        self.counts = RunCounts()
        self.contradictions = Contradictions()
        former = lock.progress
        patterns = tuple(sorted({*events}))
        self.reads_others = former.read_to is not None and former.events != patterns
        """Whether the last run read other data streams: what came into these before it is not joined."""
        self.progress = former._replace(read_to=None if everything or self.reads_others else former.read_to, events=patterns)
        self._server = server
        self._lock = lock
        self._indices = ",".join(events)
        self._batch = batch
        self._up_to = lock.began - int(overlap * 1000)
        """The next run reads again what has come in since then (milliseconds since 1970)."""
        self._oldest: int | None = None
        """Arrival time of the oldest event that still exists (milliseconds since 1970; 0: there is none)."""

    @property
    def has_nothing(self) -> bool:
        """Whether there are no events at all, old or new."""
        return self._oldest == 0

    def do(self) -> None:
        """Join all events that have not been joined yet."""
        while True:
            try:
                self._go()
            except _Renamed:
                self.contradictions = Contradictions()
                continue
            return

    def _go(self) -> None:
        since, seen = self.progress.read_to, set[tuple[str, str]]()
        last: Hit | None = None
        while True:
            with snapshot(self._server, self._indices) as events:
                if self._oldest is None:
                    first = events.page([], ["event.ingested"], size=1)
                    self._oldest = first[0].ingested if first else 0
                page = events.page([{"exists": {"field": "event.action"}}], event_facts.ID_FIELDS, since=since, behind=last, size=self._batch)
                new = [hit for hit in page if hit.place not in seen]
                self._learn({source_of(hit.source) for hit in new})
                self._join(events, new)
            is_last = len(page) < self._batch
            if is_last:
                self.progress = self.progress._replace(read_to=self._up_to, renamed=())
            else:
                last = page[-1]
                seen = {hit.place for hit in page if hit.is_beside(last)}
                self.progress = self.progress._replace(read_to=min(last.ingested, self._up_to))
            self._lock.hold(self.progress)
            if is_last:
                return

    def _learn(self, sources: set[Source]) -> None:
        """Note the appliances of new events. Raises ``_Renamed`` if they change the names of known ones."""
        known = {Source(*pair) for pair in self.progress.appliances}
        if sources <= known:
            return
        former, names = _names(known), _names(known | sources)
        renamed = {(names[source], name) for source, name in former.items() if names[source] != name}
        self.progress = self.progress._replace(appliances=tuple(sorted(known | sources)))
        if renamed:
            self.progress = self.progress._replace(read_to=None, renamed=tuple({*self.progress.renamed, *renamed}))
            self._lock.hold(self.progress)
            raise _Renamed

    def _join(self, events: Snapshot, new: Iterable[Hit]) -> None:
        """Judge what new events change, and write it."""
        names = _names(Source(*pair) for pair in self.progress.appliances)
        changed: dict[str, set[Ref]] = defaultdict(set)
        count = 0
        for hit in new:
            count += 1
            changed[names[source_of(hit.source)]] |= ids_of(hit.source)
        for host, store, key in self.progress.pending:
            changed[host].add((store, key))
        for name, former in self.progress.renamed:
            changed[former] |= changed.get(name, set())
        self._lock.hold()
        judged = {name: _Judged(name, ids, events, names, self.contradictions) for name, ids in changed.items() if ids}
        self._write_all(judged)
        self.counts = self.counts._replace(events=self.counts.events + count)

    def _write_all(self, judged: dict[str, _Judged]) -> None:
        """Write the records that have changed; if other commands changed them meanwhile, try again."""
        before = 0
        for _ in range(_TRIES):
            with snapshot(self._server, RECORDS) as records:
                done = {}
                for name, one in judged.items():
                    others = [judged[now] for now, former in self.progress.renamed if former == name and now in judged]
                    done[name] = self._write(one.changes(records, others, self._oldest or 0))
            if all(one.is_whole for one in done.values()):
                pending = sorted((name, *ref) for name, one in done.items() for ref in one.refused)
                if len(pending) > _MOST_PENDING:
                    raise ElasticError(f"the server rejects too many records: more than {_MOST_PENDING:,}")
                self.progress = self.progress._replace(pending=tuple(pending))
                # what an earlier try wrote is unchanged in a later one
                unchanged = sum(one.unchanged for one in done.values()) - before
                refused = sum(one.refusals for one in done.values())
                self.counts = self.counts._replace(unchanged=self.counts.unchanged + unchanged, refused=self.counts.refused + refused)
                return
            before += sum(one.written for one in done.values())
        raise ElasticError("the records are being changed by another command: join again when it has ended", CHANGED_SINCE)

    def _write(self, changes: _Changes) -> _Done:
        """Write documents, then delete others."""
        refused, changed = self._send(changes.written)
        failed = refused | changed
        deleted = [(ref, one) for ref, one in changes.deleted if ref not in failed]
        kept, _ = self._send(deleted)
        left = sum(ref in kept for ref, _ in deleted)
        stores = [ref[0] for ref, _ in changes.written if ref not in failed]
        counts = self.counts
        self.counts = counts._replace(
            connections=counts.connections + sum(store != MESSAGES for store in stores),
            messages=counts.messages + stores.count(MESSAGES),
            deleted=counts.deleted + len(deleted) - left,
        )
        return _Done(refused | kept, len(changes.written) - len(stores) + left, not changed, len(stores), changes.unchanged)

    def _send(self, actions: Sequence[tuple[Ref, Action]]) -> tuple[set[Ref], set[Ref]]:
        """Write or delete documents; return the ids of those that the server rejected, and of those that have changed since they were read."""
        refused: set[Ref] = set()
        changed: set[Ref] = set()
        for start in range(0, len(actions), _WRITE):
            part = actions[start : start + _WRITE]
            self._lock.hold()
            answers = self._server.bulk([one for _, one in part])
            changed |= {part[one.position][0] for one in answers if one.status == CHANGED_SINCE}
            answers = [one for one in answers if one.status != CHANGED_SINCE]
            if answers:
                self._server.tell(told(answers))
                _raise_unless_left(answers)
                refused |= {part[one.position][0] for one in answers}
        return refused, changed


class _Done(NamedTuple):
    """The result of writing changes."""

    refused: set[Ref]
    """Ids for which the server rejected a document."""
    refusals: int
    is_whole: bool
    """Whether no document had changed since it was read."""
    written: int
    unchanged: int


class _Changes(NamedTuple):
    """The documents to be written and deleted, with their ids."""

    written: list[tuple[Ref, Action]]
    deleted: list[tuple[Ref, Action]]
    unchanged: int


class _Judged:
    """What new events of one appliance change."""

    def __init__(self, name: str, changed: set[Ref], events: Snapshot, names: dict[Source, str], contradictions: Contradictions) -> None:
        self.name = name
        self.changed = changed
        self._events = events
        self._names = names
        self._seen: set[tuple[str, str]] = set()
        self._since: dict[Ref, int] = {}
        """By id: arrival time of its first event (milliseconds since 1970)."""
        self.lives: dict[Ref, list[Life]] = defaultdict(list)
        for life in judge_again(name, changed, self._fetch, contradictions):
            self.lives[life.ref].append(life)

    def _fetch(self, ids: set[Ref]) -> Stores:
        """Return the facts of this appliance that are about some ids or name them."""
        values: dict[str, list[Any]] = defaultdict(list)
        for store, key in sorted(ids):
            for field in event_facts.IDS[store]:
                values[field].append(key)
        hosts = {source.host for source, name in self._names.items() if name == self.name}
        facts = Facts()
        for hit in self._events.with_ids(values, [_is_one_of(hosts)], event_facts.FIELDS) if hosts else ():
            if hit.place in self._seen or self._names.get(source_of(hit.source)) != self.name:
                continue
            self._seen.add(hit.place)
            event = event_of(hit.source)
            if event is not None:
                facts.add(event)
                for store, number in ((RECEIVING, event.get("icid")), (DELIVERY, event.get("dcid")), (MESSAGES, event.get("mid"))):
                    if number is not None:
                        ref = (store, str(number))
                        self._since[ref] = min(hit.ingested, self._since.get(ref, hit.ingested))
        return facts.stores(None)

    def changes(self, records: Snapshot, others: list[_Judged], oldest: int) -> _Changes:
        """Return what is to be written and deleted. ``others`` are appliances that had this one's name before."""
        existing = self._existing(records)
        changes = _Changes([], [], 0)
        unchanged = 0
        made_of: set[str] = set()
        for ref, lives in self.lives.items():
            for life in lives:
                if life.record is None:
                    continue
                made = self._document(life, life.record)
                made_of.add(made.id)
                known = existing[ref]
                if any((made.id == hit.place[1] or _is_within(hit, [life])) and not _is_ours(hit, oldest) for hit in known):
                    continue
                present = next((hit for hit in known if made.id == hit.place[1]), None)
                if present and made.body["esatls"]["record"]["digest"] == present.source["esatls"]["record"].get("digest"):
                    unchanged += 1
                else:
                    changes.written.append((ref, made.action(present)))
        for ref in {*self.changed, *self.lives}:
            lives = [life for one in (self, *others) for life in one.lives.get(ref, ())]
            for hit in existing[ref]:
                if hit.place[1] not in made_of and _is_ours(hit, oldest) and _is_within(hit, lives):
                    meta = {"_index": hit.place[0], "_id": hit.place[1], "if_seq_no": hit.seq_no, "if_primary_term": hit.primary_term}
                    changes.deleted.append((ref, ({"delete": meta}, None)))
        return changes._replace(unchanged=unchanged)

    def _document(self, life: Life, made: MessageRecord | ConnectionRecord) -> Document:
        """Return the document of the record of a life."""
        document = document_of(made, "", writer="join", otherwise=None if life.first is None else rfc3339(life.first))
        record = document.body["esatls"]["record"]
        record["digest"] = hashlib.sha256(json.dumps(document.body, sort_keys=True).encode()).hexdigest()[:16]
        if life.ref in self._since:
            record["since"] = rfc3339(self._since[life.ref] / 1000)
        return document

    def _existing(self, records: Snapshot) -> dict[Ref, list[Hit]]:
        """Return the existing records, by id."""
        found: dict[Ref, list[Hit]] = defaultdict(list)
        asked: dict[int, list[str]] = defaultdict(list)
        for store, key in {*self.lives, *self.changed}:
            asked[store].append(key)
        of_host = _is_one_of({self.name})
        for store, direction in ((RECEIVING, "ingress"), (DELIVERY, "egress"), (MESSAGES, None)):
            field = event_facts.IDS[store][0]
            group, _, name = field.partition(".")
            only = [] if direction is None else [{"term": {"network.direction": direction}}]
            for hit in records.with_ids({field: sorted(asked[store])}, [of_host, *only], _RECORD_FIELDS):
                found[store, str(hit.source[group][name])].append(hit)
        return found


def _raise_unless_left(refusals: Sequence[Refusal]) -> None:
    """Raise ``ElasticError`` unless the next run may try these again: documents that do not fit, and those of an index that a lifecycle made read-only."""
    failed = [one for one in refusals if one.status not in _LEFT and _BLOCKED not in one.reason]
    if failed:
        raise ElasticError(told(failed), failed[0].status)


def _names(sources: Iterable[Source]) -> dict[Source, str]:
    """Return the name of the appliance for each source; it depends on all sources together."""
    keys = {source: key_of(source.host, source.serial) for source in sources}
    names = appliances(keys.values())
    return {source: names[key] for source, key in keys.items()}


def _is_one_of(hosts: Iterable[str]) -> dict[str, Any]:
    """Return the condition that a document is from one of some hosts; "": it names none."""
    conditions: list[dict[str, Any]] = [{"terms": {"observer.hostname": sorted(hosts)}}]
    if "" in hosts:
        conditions.append({"bool": {"must_not": {"exists": {"field": "observer.hostname"}}}})
    return {"bool": {"should": conditions, "minimum_should_match": 1}}


def _is_ours(hit: Hit, oldest: int) -> bool:
    """Tell whether a record was made by a join, from events that all still exist."""
    record = hit.source.get("esatls", {}).get("record", {})
    return record.get("writer") == "join" and "since" in record and parse_rfc3339(record["since"]) * 1000 >= oldest


def _is_within(hit: Hit, lives: Iterable[Life]) -> bool:
    """Tell whether a record begins within one of some lives of its id."""
    begins: Time = parse_rfc3339(hit.source["@timestamp"])
    # a record's time has milliseconds at most
    return any(life.first is not None and life.last is not None and life.first - 0.001 <= begins <= life.last + 0.001 for life in lives)
