"""The few REST endpoints of splunkd and pages of Splunk Web that a dashboard requests while a user looks at it.

Splunk's own data sources are used unchanged: they post searches, poll jobs, and request results with a post-process search for each chain.
Last compared with: the client in Splunk's own npm packages of tests/splunk/dashboards/package-lock.json, which talks to it in each test; never with a
splunkd.

The SPL evaluator answers the searches, so a number in a panel comes from the text of the view and of macros.conf.
"""

from __future__ import annotations

import contextlib
import http.server
import itertools
import json
import re
import threading
import time
import urllib.parse
from typing import TYPE_CHECKING, Any

from . import scenario, spl, views

if TYPE_CHECKING:
    import pathlib

Answer = tuple[int, str, bytes]

# Some of the presets of the time input that Splunk ships.
TIMES = (("Today", "@d"), ("Last 24 hours", "-24h@h"), ("Last 7 days", "-7d@h"), ("Last 30 days", "-30d@d"))

_PAGE = """<!doctype html>
<html><head><meta charset="utf-8"><link rel="stylesheet" href="/static/page.css">
<style>html, body {{ margin: 0; background: {background}; }} #root {{ width: 100%; height: {height}px; }}</style></head>
<body><div id="root"></div>
<script>
window.$C = {{"SPLUNKD_PATH": "/en-US/splunkd/__raw", "LOCALE": "en-US", "USERNAME": "tester", "MRSPARKLE_PORT_NUMBER": 8000,
  "SERVER_ZONEINFO": "### SERIALIZED TIMEZONE FORMAT 1.0;C0;Y0 N 55 54 43;$", "BUILD_NUMBER": 1, "VERSION_LABEL": "10.0.0"}};
window.esatls = {data};
</script>
<script src="/static/page.js"></script></body></html>
"""


def iso(epoch: float) -> str:
    """Return epoch seconds as splunkd writes _time into results, for a user in UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.000+00:00", time.gmtime(epoch))


def json_cols(rows: list[spl.Row], names: list[str]) -> dict[str, Any]:
    """Return results in output_mode=json_cols: every value is a text, several values are a list."""

    def cell(name: str, value: spl.Value) -> Any:
        if value is None:
            return None
        if name == "_time":
            return iso(float(spl.as_number(value) or 0))
        return list(value) if isinstance(value, list) else spl.as_text(value)

    return {
        "preview": False,
        "init_offset": 0,
        "messages": [],
        "post_process_count": len(rows),
        "fields": [{"name": name} for name in names],
        "columns": [[cell(name, row.get(name)) for row in rows] for name in names],
    }


class Job:
    """One dispatched search."""

    def __init__(self, sid: str, text: str, search: spl.Search, rows: list[spl.Row]) -> None:
        """Keep the rows of the search."""
        self.sid, self.text, self.search, self.rows = sid, text, search, rows

    def entry(self) -> dict[str, Any]:
        """Return the job's status."""
        count = len(self.rows)
        return {
            "name": self.text,
            "published": iso(self.search.now),
            "acl": {"app": "esatls"},
            "content": {
                "sid": self.sid,
                "isDone": True,
                "isFailed": False,
                "isFinalized": False,
                "dispatchState": "DONE",
                "doneProgress": 1,
                "ttl": 600,  # without it, the page touches the job a hundred times a second to keep it
                "resultCount": count,
                "resultPreviewCount": count,
                "runDuration": 0.1,
                "isRealTimeSearch": False,
            },
        }

    def results(self, post: str, count: int, offset: int) -> dict[str, Any]:
        """Return the results, after the post-process search of a chain."""
        post = post.strip()
        if post.startswith("search |"):
            post = post[len("search ") :]
        rows = spl.run(post if post.startswith("|") else "| " + post, self.search, self.rows) if post else self.rows
        names = spl.columns(post or self.text, rows, self.search)
        out = json_cols(rows, names)
        if count:
            out["columns"] = [column[offset : offset + count] for column in out["columns"]]
        return out


class Splunkd:
    """The state of the server: jobs, and every search that was posted, for the tests."""

    def __init__(self, source: spl.Source, now: float, static: pathlib.Path) -> None:
        """`source` returns the rows of the esatls commands; `now` is the present of every search; `static` contains the bundle."""
        self.source, self.now, self.static = source, now, static
        self.jobs: dict[str, Job] = {}
        self.found: dict[tuple[str, float, float], list[spl.Row]] = {}
        self.asked: list[tuple[str, str, str]] = []
        self.errors: list[str] = []
        self.panels: tuple[str, ...] = ()
        """The panels that pages have, since a browser takes seconds to draw twenty; all where none is named."""
        self.numbers = itertools.count(1)
        self.server: http.server.ThreadingHTTPServer | None = None
        self.address = ""

    # -- endpoints --

    def create(self, form: dict[str, str]) -> Answer:
        """Answer POST search/jobs."""
        text = re.sub(r"^search (?=[`|])", "", form["search"].strip())
        earliest, latest = form.get("earliest_time", ""), form.get("latest_time", "")
        self.asked.append((text, earliest, latest))
        search = spl.Search(
            macros=views.macros(),
            earliest=spl.relative(earliest, self.now) if earliest not in ("", "0") else 0.0,
            latest=spl.relative(latest, self.now),
            now=self.now,
            source=self.source,
            lookups=scenario.LOOKUPS,
        )
        sid = f"{self.now:.0f}.{next(self.numbers)}"
        # indexed events do not change, so the same search always returns the same rows
        key = text, search.earliest, search.latest
        if key not in self.found:
            self.found[key] = spl.run(text, search)
        self.jobs[sid] = Job(sid, text, search, self.found[key])
        return as_json({"sid": sid}, 201)

    def status(self, query: dict[str, list[str]]) -> Answer:
        """Answer GET search/jobs?id=…, which may name several jobs."""
        return as_json({"entry": [self.jobs[sid].entry() for sid in query.get("id", []) if sid in self.jobs]})

    def page(self, view: str, query: dict[str, list[str]]) -> Answer:
        """Answer GET /en-US/app/esatls/<view>: the page that Splunk Web would show."""
        theme = query.get("theme", ["light"])[0]
        data = json.dumps({"definition": views.with_panels(view, self.panels), "theme": theme}).replace("<", "\\u003c")
        background = "#171d21" if theme == "dark" else "#f2f4f5"
        return 200, "text/html", _PAGE.format(data=data, background=background, height=views.height(view)).encode()

    def answer(self, method: str, url: str, body: str) -> Answer:
        """Answer one request."""
        parts = urllib.parse.urlsplit(url)
        query = urllib.parse.parse_qs(parts.query, keep_blank_values=True)
        form = {name: values[0] for name, values in urllib.parse.parse_qs(body, keep_blank_values=True).items()}
        form = {**{name: values[0] for name, values in query.items()}, **form}
        path = parts.path
        static = re.fullmatch(r"/static/(page\.(?:js|css))", path)
        if static:
            kind = "text/javascript" if path.endswith("js") else "text/css"
            return 200, kind, (self.static / static[1]).read_bytes()
        if re.fullmatch(r"/app/esatls/\w+", path):
            return 303, "/en-US" + url, b""
        view = re.fullmatch(r"/en-US/app/esatls/(\w+)", path)
        if view:
            return self.page(view[1], query)
        results = re.search(r"/search/v2/jobs/([^/]+)/(?:results|results_preview)$", path)
        if results:
            job = self.jobs[results[1]]
            return as_json(job.results(form.get("search", ""), int(form.get("count") or 0), int(form.get("offset") or 0)))
        if path.endswith("/search/jobs"):
            return self.create(form) if method == "POST" else self.status(query)
        if re.search(r"/search/jobs/[^/]+/control$", path):
            return as_json({"messages": []})
        if path.endswith("/authentication/current-context"):
            return as_json({"entry": [{"content": {"capabilities": ["search"]}}]})
        if path.endswith("/data/ui/times"):
            return as_json(
                {
                    "entry": [
                        {"content": {"label": label, "earliest_time": earliest, "latest_time": "now", "order": order, "disabled": False}}
                        for order, (label, earliest) in enumerate(TIMES)
                    ]
                }
            )
        if path.endswith("/search/timeparser"):
            return as_json({text: iso(spl.relative(text, self.now)) for text in query.get("time", [])})
        return 404, "text/plain", b"not found"

    # -- life --

    def start(self) -> str:
        """Listen on a free port of the loopback interface; return `address`."""
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            """Passes HTTP requests to `answer`."""

            def do(self) -> None:
                """Handle a request of any method."""
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                try:
                    code, kind, content = outer.answer(self.command, self.path, body)
                except Exception as error:  # noqa: BLE001 - the test sees it, and fails
                    outer.errors.append(f"{self.command} {self.path} {body}: {error!r}")
                    code, kind, content = as_json({"messages": [{"type": "FATAL", "text": str(error)}]}, 400)
                self.send_response(code)
                if code == 303:
                    self.send_header("Location", kind)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                if self.path.startswith("/static/"):
                    self.send_header("Cache-Control", "max-age=3600")
                self.end_headers()
                with contextlib.suppress(BrokenPipeError):  # the page has closed the connection
                    self.wfile.write(content)

            do_GET = do_POST = do  # noqa: N815 - names of http.server

            def log_message(self, *_args: Any) -> None:
                """Log nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        return self.address

    def stop(self) -> None:
        """Stop listening."""
        if self.server:
            self.server.shutdown()
            self.server.server_close()


def as_json(content: Any, code: int = 200) -> Answer:
    """Return a JSON response."""
    return code, "application/json", json.dumps(content).encode()
