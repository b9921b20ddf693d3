"""Records that come slowly are written soon, and a server that is busy is asked again."""

from __future__ import annotations

import io
import itertools
import json
import os
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from esatls.elastic import load as loading
from esatls.elastic import retry
from esatls.elastic.batches import batches
from esatls.elastic.client import Client, ElasticError, Refusal, UnreachableError
from esatls.elastic.retry import PATIENCE
from esatls.elastic.write import document_of

from tests.elastic.proxy import Proxy, status
from tests.elastic.store import all_documents

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from esatls.elastic.client import Action

LOG = """\
Tue Sep  8 05:21:34 2020 Info: New SMTP ICID 41 interface Data 1 (192.0.2.9) address 198.51.100.7 reverse dns host mx.example.net verified yes
Tue Sep  8 05:21:34 2020 Info: ICID 41 TLS success protocol TLSv1.2 cipher ECDHE-RSA-AES128-GCM-SHA256
Tue Sep  8 05:21:35 2020 Info: Start MID 51 ICID 41
Tue Sep  8 05:21:35 2020 Info: Message finished MID 51 done
"""
PREPARED = {"indices": ["x"], "fields": {"esatls.share.encrypted": {"byte": {}}, "esatls.received.share.encrypted": {"byte": {}}}}
"""The answer of a server that is set up when it is asked for its mappings."""


@pytest.fixture
def pipe() -> Iterator[tuple[Iterator[list[bytes]], int]]:
    """Return the batches of a pipe, at most three lines or a tenth of a second, and its other end."""
    out, into = os.pipe()
    with os.fdopen(out, "rb") as stream:
        yield batches(stream, 3, 0.1), into


def test_a_batch_is_handed_over_when_its_time_has_come(pipe: tuple[Iterator[list[bytes]], int]) -> None:
    """One line comes out while the pipe is open; one that has no end yet waits for its end."""
    found, into = pipe
    os.write(into, b"one\ntw")
    assert next(found) == [b"one"]
    os.write(into, b"o\n")
    assert next(found) == [b"two"]
    os.write(into, b"three")
    os.close(into)
    assert list(found) == [[b"three"]]


def test_a_batch_is_handed_over_when_it_is_full(pipe: tuple[Iterator[list[bytes]], int]) -> None:
    """Many lines at once make full batches, in order."""
    found, into = pipe
    os.write(into, b"".join(b"%d\n" % number for number in range(7)))
    os.close(into)
    assert list(found) == [[b"0", b"1", b"2"], [b"3", b"4", b"5"], [b"6"]]


def test_a_stream_without_a_descriptor_is_read_whole() -> None:
    """Lines of any length, from memory: nothing is lost, and nothing is added at the end."""
    long = b"x" * 200_000
    assert list(batches(io.BytesIO(b"a\n\n" + long + b"\n"))) == [[b"a", b"", long]]
    assert list(batches(io.BytesIO(b""))) == []


class Busy(Client):
    """A server that gives the answers that it is told to give, one after the other."""

    def __init__(self, *given: ElasticError | list[Refusal]) -> None:
        """Take the answers."""
        super().__init__("http://127.0.0.1:1")
        self.given = list(given)
        self.sent: list[list[int]] = []
        self.ingested: list[str] = []

    def request(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:  # noqa: ARG002
        """Hold no document, and be set up."""
        return {"hits": {"hits": []}, **PREPARED}

    def bulk(self, actions: Iterable[Action]) -> list[Refusal]:
        """Keep the ids of the connections that were sent, and give the next answer."""
        self.sent.append([document["esatls"]["icid"] for _, document in actions if document is not None])
        self.ingested += [document["event"]["ingested"] for _, document in actions if document is not None]
        answer = self.given.pop(0)
        if isinstance(answer, ElasticError):
            raise answer
        return answer


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let time pass without waiting; return the pauses."""
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    monkeypatch.setattr(time, "monotonic", lambda: sum(pauses))
    return pauses


def lines(count: int) -> list[str]:
    """Return records of connections as JSON Lines."""
    record = {"esa_direction": "receiving", "opened": "2024-01-01T00:00:00Z", "tls_verdict": "unused", "messages": 0}
    return [json.dumps({**record, "icid": number}) for number in range(count)]


def test_what_a_busy_server_refuses_is_sent_again(slept: list[float]) -> None:
    """Whole requests and single documents come again, with growing pauses; what is refused for good is told and counted, once."""
    later, never = Refusal(0, 429, "queue is full"), Refusal(2, 400, "no such field")
    server = Busy(ElasticError("429", 429), UnreachableError("connection refused"), [later, never], [Refusal(0, 503, "busy")], [])
    told: list[str] = []
    assert loading.load(server, [lines(3)], tell=told.append) == (2, 1)
    assert server.sent == [[0, 1, 2], [0, 1, 2], [0, 1, 2], [0], [0]]
    assert slept == [0.25, 0.5, 1, 2]
    assert told == ["1 documents were rejected: no such field"]


def test_patience_has_an_end(slept: list[float]) -> None:
    """After its time the error is raised, or the document counts as refused; a long wait is told once."""
    told: list[str] = []
    server = Busy(*[ElasticError("429 Too Many Requests", 429)] * 9)
    with pytest.raises(ElasticError, match="429 Too Many Requests"):
        loading.load(server, [lines(1)], tell=told.append)
    assert sum(slept) <= PATIENCE
    assert told == ["waiting for the server: 429 Too Many Requests"]
    server = Busy(*[[Refusal(1, 429, "queue is full")]] * 9)
    assert loading.load(server, [lines(2)], patience=0, tell=told.append) == (1, 1)
    assert server.sent == [[0, 1]]
    assert told[1:] == ["1 documents were rejected: queue is full"]


def test_what_never_passes_is_not_asked_again(slept: list[float]) -> None:
    """A key that is wrong stays wrong."""
    server = Busy(ElasticError("401", 401))
    with pytest.raises(ElasticError, match="401"):
        loading.load(server, [lines(1)])
    assert (server.sent, slept) == ([[0]], [])


def test_a_document_has_the_time_at_which_it_was_written(monkeypatch: pytest.MonkeyPatch, slept: list[float]) -> None:
    """A load that reads from `follow` for days tells of each document when it was written: not when the load began, or when a busy server refused it."""
    times = [f"2024-03-0{day}T10:00:00.250Z" for day in (5, 6, 7)]
    monkeypatch.setattr(retry, "now", iter(times).__next__)
    server = Busy([], ElasticError("429", 429), [])
    assert loading.load(server, [lines(1), lines(1)]) == (2, 0)
    assert server.ingested == times
    assert slept == [0.25]


def test_no_request_is_too_long_for_a_proxy(empty: Client) -> None:
    """Messages to very many recipients go in several requests; each document has its own answer, wherever it stands."""
    recipients = [f"recipient{number}@example.com" for number in range(1000)]
    record = {"received": "unknown", "delivered": "none", "first_seen": "2026-03-03T08:14:06Z", "deliveries": [], "recipients": recipients}
    records = [{**record, "mid": number, **({"received.share": "a text where the template has an object"} if number == 55 else {})} for number in range(60)]
    with Proxy(empty.url) as proxy:
        proxy.fault = lambda request, send: status(413, "too large")(request, send) if len(request.body) > 1 << 20 else send()
        told: list[str] = []
        assert loading.load(Client(proxy.url), [map(json.dumps, records)], tell=told.append) == (59, 1)
    (line,) = told
    name = document_of(records[55], "").id
    assert line.startswith(f"1 documents were rejected: .ds-logs-esatls.messages-default-000001/{name}: ")
    found = all_documents(empty, "logs-esatls.messages-*")
    assert sorted(int(one["email"]["local_id"]) for one in found) == [*range(55), *range(56, 60)]
    assert all(one["email"]["to"]["address"] == recipients for one in found)


def test_what_is_in_a_closed_index_is_not_written_twice(empty: Client) -> None:
    """A load fails while documents cannot be compared; after a rollover, those in the older index are replaced there."""
    place = "logs-esatls.connections-default"
    assert loading.load(empty, [lines(3)]) == (3, 0)
    former = empty.request("POST", f"/{place}/_rollover")["old_index"]
    for verb in ("_close", "_open"):
        empty.request("POST", f"/{former}/{verb}?wait_for_active_shards=1")
        if verb == "_close":
            with pytest.raises(ElasticError, match="closed"):
                loading.load(empty, [lines(4)])
    assert loading.load(empty, [lines(4)]) == (4, 0)
    assert sorted(one["esatls"]["icid"] for one in all_documents(empty, place)) == [0, 1, 2, 3]


def test_follow_into_load_writes_a_message_within_seconds(tmp_path: Any) -> None:
    """The document of a message that has ended is on the server while both commands wait for more."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/_bulk":
                bodies.append(body)
            data = json.dumps({"errors": False, "items": [], "hits": {"hits": []}, **PREPARED}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    log = tmp_path / "mail.log"
    log.write_text(LOG)
    esatls = [sys.executable, "-m", "esatls"]
    options = ["--idle", "0.2", "--grace", "1", "--poll", "0.1", "--checkpoint", str(tmp_path / "checkpoint")]
    with subprocess.Popen([*esatls, "follow", *options, str(log)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as following:
        command = [*esatls, "elastic", "load", "--url", f"http://127.0.0.1:{server.server_port}"]
        with subprocess.Popen(command, stdin=following.stdout, stdout=subprocess.PIPE) as writing:
            assert following.stdout
            following.stdout.close()
            for _ in itertools.takewhile(lambda _: not bodies, range(600)):
                time.sleep(0.1)
            assert (following.poll(), writing.poll()) == (None, None)
            following.terminate()
            assert writing.communicate(timeout=60)[0] == b"1 documents written\n"
    server.shutdown()
    server.server_close()
    _, document = map(json.loads, bodies[0].splitlines())
    assert (document["email"]["local_id"], document["esatls"]["received"]["verdict"]) == ("51", "encrypted")
    assert len(bodies) == 1
