"""A proxy in front of the search server that fails as servers do, and speaks of snapshots as Elasticsearch does."""

from __future__ import annotations

import http.client
import json
import re
import socket
import ssl
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Self


class Request(NamedTuple):
    """What the client asked for; `name` says what for."""

    method: str
    path: str
    body: bytes
    name: str


class Answer(NamedTuple):
    """What the client gets; of a text that is cut, the length is that of the whole."""

    status: int
    body: bytes
    length: int


Fault = Callable[[Request, Callable[[], Answer]], "Answer | None"]
"""Gets a request, and what sends it on; returns the answer, or None to hang up."""

# what a join asks for, by method, path and what stands in the body
NAMES = (
    ("rights", r"POST /_security/user/_has_privileges", ""),
    ("mappings", r"POST /logs-esatls\.(?:connections|messages)-default/_field_caps.*", ""),
    ("templates", r"POST /_index_template/_simulate_index/logs-esatls\.(?:connections|messages)-default", ""),
    ("lock", r"POST /esatls-state/_update/join.*", '"begins": true'),
    ("release", r"POST /esatls-state/_update/join.*", '"ends": true'),
    ("hold", r"POST /esatls-state/_update/join.*", ""),
    ("holder", r"GET /esatls-state/_doc/join", ""),
    ("refresh events", r"POST /logs-esatls.events-\*/_refresh.*", ""),
    ("refresh records", r"POST /logs-esatls\.connections-\*,logs-esatls\.messages-\*/_refresh.*", ""),
    ("open events", r"POST /logs-esatls.events-\*,esatls-state/_pit.*", ""),
    ("open records", r"POST /logs-esatls\.connections-\*,logs-esatls\.messages-\*,esatls-state/_pit.*", ""),
    ("forget", r"DELETE /_pit", ""),
    ("oldest", r"POST /_search.*", '"size": 1,'),
    ("new events", r"POST /_search.*", '"exists": {"field": "event.action"}'),
    ("records", r"POST /_search.*", '"esatls.record"'),
    ("facts", r"POST /_search.*", ""),
    ("delete", r"POST /_bulk", '{"delete":'),
    ("write", r"POST /_bulk", ""),
    ("report", r"POST /logs-esatls\.runs-default/_doc", ""),
)


def name_of(method: str, path: str, body: bytes) -> str:
    """Return what a request of a join is for; "" for one that no join makes."""
    return next((name for name, pattern, words in NAMES if re.fullmatch(pattern, f"{method} {path}") and words.encode() in body), "")


class Served:
    """A server on a free port, until the `with` block ends."""

    def __init__(self, handler: type[BaseHTTPRequestHandler], certificate: tuple[str, str] | None = None) -> None:
        """Serve, with a certificate and its key over HTTPS."""
        self._listening = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self._listening.socket = context.wrap_socket(self._listening.socket, server_side=True)
        self.url = f"{'https' if certificate else 'http'}://127.0.0.1:{self._listening.server_port}"
        threading.Thread(target=self._listening.serve_forever, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown()
        self._listening.server_close()


class Proxy(Served):
    """Sends requests on, but for those that `fault` answers. All requests are kept."""

    def __init__(self, server: str) -> None:
        """Stand before a server, on a free port."""
        self.fault: Fault | None = None
        self.rights: dict[str, Any] = {}
        self.requests: list[Request] = []
        self._server = urllib.parse.urlsplit(server).netloc
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                request = Request(self.command, self.path, body, name_of(self.command, self.path, body))
                proxy.requests.append(request)

                def send() -> Answer:
                    return proxy.send(request, self.headers["Content-Type"])

                answer = proxy.fault(request, send) if proxy.fault else send()
                if answer is None:
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
                    return
                self.send_response(answer.status)
                self.send_header("X-Elastic-Product", "Elasticsearch")
                self.send_header("Content-Length", str(answer.length))
                self.end_headers()
                self.wfile.write(answer.body)
                self.close_connection = True

            do_GET = do_PUT = do_POST = do_DELETE = answer  # noqa: N815 (the base class's names)

            def log_message(self, *_: Any) -> None:
                """Print nothing."""

        super().__init__(Handler)

    def send(self, request: Request, content_type: str | None) -> Answer:
        """Send a request on, in the server's own words."""
        if request.name == "rights":
            asked = {names: dict.fromkeys(one["privileges"], True) for one in json.loads(request.body)["index"] for names in one["names"]}
            text = json.dumps({"index": {names: {**rights, **self.rights.get(names, {})} for names, rights in asked.items()}}).encode()
            return Answer(200, text, len(text))
        path, body = request.path, request.body
        if request.name.startswith("open"):
            path = path.replace("/_pit", "/_search/point_in_time")
        elif request.name == "forget":
            path, body = "/_search/point_in_time", json.dumps({"pit_id": [json.loads(body)["id"]]}).encode()
        connection = http.client.HTTPConnection(self._server, timeout=60)
        try:
            connection.request(request.method, path, body, {"Content-Type": content_type or "application/json"})
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if request.name.startswith("open") and answer.status == 200:
            text = json.dumps({"id": json.loads(text)["pit_id"]}).encode()
        return Answer(answer.status, text, len(text))


def status(code: int, reason: str) -> Fault:
    """Answer with an error, and send nothing on."""

    def fault(_: Request, __: Callable[[], Answer]) -> Answer:
        text = json.dumps({"error": {"type": "trouble", "reason": reason}, "status": code}).encode()
        return Answer(code, text, len(text))

    return fault


def page(code: int) -> Fault:
    """Answer with a page of a balancer."""
    text = b"<html><h1>Bad Gateway</h1></html>"
    return lambda _, __: Answer(code, text, len(text))


def changed(change: Callable[[dict[str, Any]], None]) -> Fault:
    """Send on, and change what comes back."""

    def fault(_: Request, send: Callable[[], Answer]) -> Answer:
        sent = send()
        answer = json.loads(sent.body)
        change(answer)
        text = json.dumps(answer).encode()
        return Answer(sent.status, text, len(text))

    return fault


def half(request: Request, send: Callable[[], Answer]) -> Answer:  # noqa: ARG001
    """Send on, and cut the answer off in the middle."""
    code, text, length = send()
    return Answer(code, text[: length // 2], length)


def half_unnoticed(request: Request, send: Callable[[], Answer]) -> Answer:  # noqa: ARG001
    """Likewise, with a length that tells nothing of it."""
    code, text, length = send()
    return Answer(code, text[: length // 2], length // 2)


def hang_up(request: Request, send: Callable[[], Answer]) -> None:
    """Send nothing on, and hang up."""


def hang_up_behind(request: Request, send: Callable[[], Answer]) -> None:  # noqa: ARG001
    """Send on, and hang up instead of answering."""
    send()


def items(code: int) -> Fault:
    """Refuse the items of a bulk request, and send nothing on."""

    def fault(request: Request, _: Callable[[], Answer]) -> Answer:
        text = json.dumps({"errors": True, "items": [*_refused(request.body, code)]}).encode()
        return Answer(200, text, len(text))

    return fault


def _refused(body: bytes, code: int) -> Iterator[dict[str, Any]]:
    for line in body.splitlines():
        head = json.loads(line)
        verb = next(iter(head))
        if verb in {"create", "index", "delete"} and "_index" in head[verb]:
            yield {verb: {**head[verb], "status": code, "error": {"type": "trouble", "reason": f"refused with {code}"}}}
