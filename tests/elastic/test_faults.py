"""Whatever fails while a join runs: no record is lost, and the next good run leaves what one run over everything leaves."""

from __future__ import annotations

import re
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from esatls.elastic.client import Client, ElasticError
from esatls.elastic.join import RIGHTS, join
from esatls.elastic.retry import Retrying
from esatls.elastic.state import Lock, LockedError
from esatls.elastic.streams import stream

from tests.elastic.proxy import Fault, Proxy, changed, half, half_unnoticed, hang_up, hang_up_behind, items, page, status
from tests.elastic.store import STREAM, all_documents, answers, index_lines, ordered, reset, shipped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.elastic.proxy import Answer, Request

READ = ("open events", "oldest", "new events", "facts", "open records", "records")
EVERY = ("mappings", "lock", "hold", "refresh events", *READ, "refresh records", "write", "delete")


def failed_shard(answer: dict[str, Any]) -> None:
    """Leave out half of the hits, as a search with a failed shard does."""
    answer.setdefault("_shards", {})["failed"] = 1
    if "hits" in answer:
        answer["hits"]["hits"] = answer["hits"]["hits"][::2]


def timed_out(answer: dict[str, Any]) -> None:
    """Leave out half of the hits, as a search that ran out of time does."""
    answer["timed_out"] = True
    answer["hits"]["hits"] = answer["hits"]["hits"][::2]


FAULTS: dict[str, Fault] = {
    "401": status(401, "missing authentication credentials"),
    "403": status(403, "is unauthorized for API key"),
    "404": status(404, "no such index"),
    "429": status(429, "rejected execution"),
    "500": status(500, "out of memory"),
    "503": status(503, "no master"),
    "page of a balancer": page(200),
    "half an answer": half,
    "half an answer, unnoticed": half_unnoticed,
    "hang-up": hang_up,
    "hang-up behind": hang_up_behind,
    "failed shard": changed(failed_shard),
    "time-out": changed(timed_out),
    "items 403": items(403),
    "items 429": items(429),
    "items 503": items(503),
}
TABLE = [
    *((name, "503") for name in EVERY),
    *((name, "half an answer, unnoticed") for name in ("hold", *READ, "write", "delete")),
    *(("records", fault) for fault in ("401", "403", "404", "429", "500")),
    *(("facts", fault) for fault in ("401", "page of a balancer", "half an answer", "hang-up")),
    *((name, fault) for name in ("new events", "facts", "records") for fault in ("failed shard", "time-out")),
    *((name, fault) for name in ("write", "delete") for fault in ("401", "429", "hang-up behind", "items 403", "items 429")),
    ("refresh events", "failed shard"),
    ("refresh records", "failed shard"),
    ("hold", "hang-up behind"),
    ("report", "503"),
]
PASSING = {
    "lock": "hang-up behind",
    "new events": "429",
    "facts": "half an answer",
    "records": "hang-up",
    "write": "hang-up behind",
    "delete": "half an answer",
    "hold": "hang-up behind",
    "report": "429",
    "release": "hang-up behind",
}


def log_of(host: str) -> tuple[list[str], list[str]]:
    """Return what an appliance wrote: lines that came in first, and lines that came late and change the records of the others."""
    first, late = [], []
    for number in (1, 2):

        def say(second: int, text: str, hour: int = 10 + number) -> str:
            return f"Tue Mar  5 {hour}:00:{second:02} 2024 Info: {text}"

        opened = "interface Data 1 (192.0.2.1) address 198.51.100.7 reverse dns host mx.example.net verified yes"
        first += [
            say(2, f"Start MID {number} ICID {number}"),
            say(3, f"MID {number} ICID {number} From: <ann@{host}.example.net>"),
            say(4, f"Message finished MID {number} done"),
            say(9, f"ICID {number} close"),
        ]
        late += [
            say(0, f"New SMTP ICID {number} {opened}"),
            say(1, f"ICID {number} TLS success protocol TLSv1.2 cipher AES128-SHA"),
            say(1, f"MID {number + 7} rewritten to MID {number} by antivirus"),
        ]
    return first, late


def answers_of(host: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the documents of connections and of messages that one run over all lines of an appliance gives."""
    first, late = log_of(host)
    connections, messages = answers([*first, *late])
    for document in (*connections, *messages):
        document.setdefault("observer", {})["hostname"] = host
    return connections, messages


class Bench:
    """A server behind a proxy, with an appliance for each fault: its first lines are joined."""

    def __init__(self, client: Client, proxy: Proxy) -> None:
        self.client = client
        self.proxy = proxy
        self._through = Client(proxy.url)
        self.number = 0
        self.known: list[tuple[str, int]] = []

    def fresh(self) -> str:
        """Return an appliance whose late lines have come in, and are not joined."""
        self.number += 1
        host = f"esa{self.number}"
        if self.number > 100:
            index_lines(self.client, log_of(host)[0], host=host)
            self.join()
        self.known = self.records(host)
        assert len(self.known) == 4
        index_lines(self.client, log_of(host)[1], host=host)
        return host

    def join(self, patience: float = 0, tell: Callable[[str], None] | None = None) -> Any:
        """Join through the proxy."""
        return join(self._through, overlap=0, patience=patience, tell=tell)

    def documents(self, host: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Return the documents of connections and of messages of an appliance."""
        query = {"term": {"observer.hostname": host}}
        connections, messages = (all_documents(self.client, f"logs-esatls.{kind}-default", query) for kind in ("connections", "messages"))
        return connections, messages

    def records(self, host: str) -> list[tuple[str, int]]:
        """Return which connections and messages of an appliance have a record."""
        connections, messages = self.documents(host)
        return sorted([("icid", one["esatls"]["icid"]) for one in connections] + [("mid", int(one["email"]["local_id"])) for one in messages])

    def check(self, host: str) -> None:
        """Compare: nothing is gone; and after a good run all is as after one run."""
        self.proxy.fault = None
        assert {*self.known} <= {*self.records(host)}
        self.join()
        self.check_same(host)

    def check_same(self, host: str) -> None:
        """Compare with one run over everything."""
        assert list(map(ordered, self.documents(host))) == list(map(ordered, answers_of(host)))


@pytest.fixture(scope="module")
def bench(client: Client) -> Iterator[Bench]:
    """Return the server and the proxy; the first lines of a hundred appliances are joined at once."""
    reset(client)
    with Proxy(client.url) as proxy:
        made = Bench(client, proxy)
        appliances = [f"esa{number}" for number in range(1, 101)]
        documents = [shipped(line, host) for host in appliances for line in log_of(host)[0]]
        batch = [({"create": {"_index": STREAM}}, document) for document in documents]
        assert client.bulk(batch) == []
        made.join()
        yield made
    reset(client)


@pytest.mark.parametrize(("name", "kind"), TABLE)
def test_a_fault_loses_nothing(bench: Bench, name: str, kind: str) -> None:
    """The run fails in one line, deletes nothing that it did not replace, and leaves the lock to the next run."""
    host = bench.fresh()
    bench.proxy.fault = lambda request, send: FAULTS[kind](request, send) if request.name == name else send()
    with pytest.raises(ElasticError) as caught:
        bench.join()
    assert "\n" not in str(caught.value)
    if name in {"lock", "hold"} and "half" in kind:
        # whether the lock was taken is not known: it ends by itself
        bench.client.request("POST", "/esatls-state/_update/join", {"doc": {"until": 0}})
    bench.check(host)


@pytest.mark.parametrize(("name", "kind"), PASSING.items())
def test_a_fault_that_passes_is_not_noticed(bench: Bench, name: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails once is asked again, in the same run."""
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    host = bench.fresh()
    struck: list[Request] = []

    def once(request: Request, send: Callable[[], Answer]) -> Answer | None:
        if request.name == name and not struck:
            struck.append(request)
            return FAULTS[kind](request, send)
        return send()

    bench.proxy.fault = once
    bench.join(patience=30)
    bench.proxy.fault = None
    assert struck
    bench.check_same(host)


def test_items_that_are_refused_for_a_while(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Single documents that a busy server refuses are sent again."""
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    host = bench.fresh()
    left = ["write", "delete"]

    def once(request: Request, send: Callable[[], Answer]) -> Answer | None:
        if request.name in left:
            left.remove(request.name)
            return items(429)(request, send)
        return send()

    bench.proxy.fault = once
    assert bench.join(patience=30).refused == 0
    assert left == []
    bench.proxy.fault = None
    bench.check_same(host)


def test_a_document_that_does_not_fit_is_tried_again_in_the_next_run(bench: Bench) -> None:
    """It is counted, its former record stays, and the others are written; no later line need come for it."""
    host = bench.fresh()
    bench.proxy.fault = lambda request, send: items(400)(request, send) if request.name == "write" else send()
    assert bench.join().refused == 4
    bench.proxy.fault = None
    assert bench.records(host) == bench.known
    assert bench.join().refused == 0
    bench.check_same(host)


def test_a_server_that_goes_away_at_any_request(bench: Bench) -> None:
    """From each request of a run on, nobody answers: as when the server is restarted, or the run is killed."""
    host = bench.fresh()
    begun = len(bench.proxy.requests)
    bench.join()
    requests = len(bench.proxy.requests) - begun
    bench.check_same(host)
    # this run may have found more to do than those that follow: of them the last asks for less than it answers
    for answered in range(0, requests, 3):
        host = bench.fresh()
        begun = len(bench.proxy.requests)
        bench.proxy.fault = lambda _, send, end=begun + answered: send() if len(bench.proxy.requests) <= end else None
        try:
            bench.join()
        except ElasticError:
            bench.client.request("POST", "/esatls-state/_update/join", {"doc": {"until": 0}})
        else:
            # only the last request, which gives back the lock, may stay without an answer
            assert len(bench.proxy.requests) - begun <= answered + 1
        bench.check(host)


def test_a_closed_index_of_events(bench: Bench) -> None:
    """What it holds is not in view: the run fails, and says so."""
    host = bench.fresh()
    stream = "logs-esatls.events-closed"
    bench.client.request("PUT", f"/_data_stream/{stream}")
    (made,) = bench.client.request("GET", f"/_data_stream/{stream}")["data_streams"]
    bench.client.request("POST", f"/{stream}/_rollover")
    bench.client.request("POST", f"/{made['indices'][0]['index_name']}/_close")
    try:
        with pytest.raises(ElasticError, match="closed"):
            bench.join()
    finally:
        bench.client.request("DELETE", f"/_data_stream/{stream}")
    bench.check(host)


def test_a_document_that_a_proxy_finds_too_long(bench: Bench) -> None:
    """Requests that are too long are sent in parts, and what is too long by itself is rejected: a message to thousands of domains stops no run."""
    host = bench.fresh()
    long = b'"local_id":"1"'

    def short_alone(request: Request, send: Callable[[], Answer]) -> Answer | None:
        if request.name == "write" and (request.body.count(b"\n") > 4 or long in request.body):
            return page(413)(request, send)
        return send()

    bench.proxy.fault = short_alone
    said: list[str] = []
    assert bench.join(tell=said.append).refused == 1
    assert re.fullmatch(r"1 documents were rejected: logs-esatls\.messages-default/\w+: POST \S+/_bulk: 413 .*", said[0])
    bench.proxy.fault = None
    assert bench.join().refused == 0
    bench.check_same(host)


@pytest.mark.parametrize(("block", "kind"), [("write", "messages"), ("read_only", "connections")])
def test_an_index_of_records_that_may_not_be_written(bench: Bench, block: str, kind: str) -> None:
    """A phase of a lifecycle may forbid it: its documents are counted and tried again, those of other indices are written, and no run stops before the rest."""
    host = bench.fresh()
    blocked = ["connections", "messages"].index(kind)
    (made,) = bench.client.request("GET", f"/_data_stream/{stream(kind)}")["data_streams"]
    bench.client.request("POST", f"/{stream(kind)}/_rollover")
    for refused in (2, 0):
        bench.client.request("PUT", f"/{made['indices'][-1]['index_name']}/_settings", {f"index.blocks.{block}": refused > 0})
        assert bench.join().refused == refused
        assert ordered(bench.documents(host)[1 - blocked]) == ordered(answers_of(host)[1 - blocked])
    bench.check_same(host)


def test_a_closed_index_of_records(bench: Bench) -> None:
    """What is in it cannot be compared: nothing is written beside it."""
    host = bench.fresh()
    (made,) = bench.client.request("GET", f"/_data_stream/{stream('messages')}")["data_streams"]
    bench.client.request("POST", f"/{stream('messages')}/_rollover")
    for verb in ("_close", "_open"):
        bench.client.request("POST", f"/{made['indices'][-1]['index_name']}/{verb}?wait_for_active_shards=1")
        if verb == "_close":
            with pytest.raises(ElasticError, match="closed"):
                bench.join()
    bench.check(host)


def test_two_runs_at_once(bench: Bench) -> None:
    """The second says who is at work, and does nothing; the first goes on."""
    host = bench.fresh()
    waiting, go_on = threading.Event(), threading.Event()

    def wait(request: Request, send: Callable[[], Answer]) -> Answer | None:
        if request.name == "write" and not go_on.is_set():
            waiting.set()
            go_on.wait(60)
        return send()

    bench.proxy.fault = wait
    first = threading.Thread(target=bench.join)
    first.start()
    assert waiting.wait(60)
    with pytest.raises(LockedError, match=r"another join is running \(process \d+ on .*\) until \S+Z at the latest: this one wrote and deleted nothing"):
        bench.join()
    go_on.set()
    first.join(60)
    bench.proxy.fault = None
    bench.check_same(host)


def test_a_run_that_was_overtaken_stops(bench: Bench) -> None:
    """Its lock ended while it slept: it writes no more."""
    host = bench.fresh()

    def overtaken(request: Request, send: Callable[[], Answer]) -> Answer | None:
        if request.name == "facts" and len(locks) == 0:
            bench.client.request("POST", "/esatls-state/_update/join", {"doc": {"until": 0}})
            locks.append(Lock(Retrying(bench.client)))
        assert request.name not in {"write", "delete"}
        return send()

    locks: list[Lock] = []
    bench.proxy.fault = overtaken
    with pytest.raises(LockedError):
        bench.join()
    with pytest.raises(LockedError):
        bench.join()
    locks[0].release(Retrying(bench.client))
    bench.check(host)


def test_missing_rights_are_named(bench: Bench) -> None:
    """An index that a key may not read looks as if it were not there: the server is asked before."""
    host = bench.fresh()
    bench.proxy.rights = {"logs-esatls.events-*": {"read": False}}
    with pytest.raises(ElasticError, match=r"the key lacks rights: read on logs-esatls\.events-\*$"):
        bench.join()
    bench.proxy.rights = {}
    bench.check(host)


def test_a_run_asks_for_nothing_that_its_rights_do_not_cover(bench: Bench) -> None:
    """Each request of all these runs is of a known kind, and each kind is covered."""
    needed = {
        "logs-esatls.events-*": {"refresh events": "maintenance", "open events": "read"},
        "logs-esatls.connections-*": {"mappings": "read", "refresh records": "maintenance", "open records": "read", "write": "index", "delete": "delete"},
        "logs-esatls.messages-*": {"mappings": "read", "refresh records": "maintenance", "open records": "read", "write": "index", "delete": "delete"},
        "esatls-state": {"lock": "index", "hold": "index", "release": "index", "holder": "read", "open events": "read", "open records": "read"},
        "logs-esatls.runs-*": {"report": "index"},
    }
    created = {place for place, kinds in needed.items() if "index" in kinds.values()}
    assert {place: {*kinds.values()} | ({"auto_configure"} if place in created else set()) for place, kinds in needed.items()} == {
        place: {*rights} for place, rights in RIGHTS.items()
    }
    # searches are in what was opened, and a run goes on without an answer about templates
    of_nobody = {"templates", "rights", "forget", "oldest", "new events", "facts", "records"}
    assert {request.name for request in bench.proxy.requests} == {kind for kinds in needed.values() for kind in kinds} | of_nobody


def test_every_run_has_a_report(bench: Bench) -> None:
    """Good and bad ones, with what they did; none for a run that another one kept out."""
    host = bench.fresh()
    before = len(runs(bench.client))
    bench.proxy.fault = lambda request, send: status(403, "blocked")(request, send) if request.name == "write" else send()
    with pytest.raises(ElasticError):
        bench.join()
    bench.check(host)
    failed, good = runs(bench.client)[before:]
    assert (failed["event"]["outcome"], good["event"]["outcome"], "error" in good) == ("failure", "success", False)
    assert failed["error"]["message"].endswith("/_bulk: 403 blocked")
    assert {name: good["esatls"]["run"][name] for name in ("connections", "messages", "deleted", "refused")} == {
        "connections": 2,
        "messages": 2,
        "deleted": 4,
        "refused": 0,
    }


def runs(client: Client) -> list[dict[str, Any]]:
    """Return the reports of all runs, by their start."""
    client.request("POST", "/logs-esatls.runs-*/_refresh")
    hits = client.request("POST", "/logs-esatls.runs-*/_search", {"size": 1000, "sort": ["@timestamp"]})["hits"]["hits"]
    return [hit["_source"] for hit in hits]
