"""The engines: each answers every row that it supports, and its answers are compared with the row's.

An engine is a generator of (row, cell). It raises `NotHereError` if something that it needs is not installed. A row that it does not
support by design gets no cell.
"""

from __future__ import annotations

import functools
import json
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, cast

from esatls.elastic import setup as setting_up
from esatls.elastic.documents import connection_document, event_document, message_document
from esatls.elastic.join import join
from esatls.extraction import cef, tracking
from esatls.extraction.fields import INTEGERS
from esatls.extraction.match import extract
from esatls.extraction.patterns import PATTERNS

from tests.core.support import read_events, read_facts, records
from tests.elastic import corpus as elastic_corpus
from tests.elastic import jruby, logstash, server, store
from tests.splunk import answers
from tests.splunk import app as splunk_app
from tests.splunk.conf import CACHE, Extraction
from tests.traffic.agree import record_of

from .pygrok_match import EXIT_WITHOUT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from esatls.elastic.client import Client
    from esatls.extraction.event_record import EventRecord
    from esatls.verdicts.record_types import ConnectionRecord, MessageRecord

    from tests.splunk.driver import Splunk, Value

    from .corpus import Event, Item, Row

KEPT = 5


class NotHereError(Exception):
    """Something that the engine needs is not on this machine."""


@dataclass
class Cell:
    """The answers of one engine to one row, compared."""

    compared: int = 0
    differences: int = 0
    fewer: int = 0  # answers that lack something by design, and have nothing wrong
    examples: list[str] = field(default_factory=list)

    def note(self, where: object, found: object, wanted: object, *, may_lack: bool = False) -> None:
        """Count one answer; with `may_lack`, it need not be complete."""
        self.compared += 1
        if found == wanted:
            return
        if may_lack and isinstance(found, dict) and isinstance(wanted, dict) and found.items() <= wanted.items():
            self.fewer += 1
            return
        self.differences += 1
        if len(self.examples) < KEPT:
            self.examples.append(f"{where}\n    found  {found}\n    wanted {wanted}")

    def note_all(self, where: str, found: Iterable[Any], wanted: Iterable[Any]) -> None:
        """Count answers, each of which must occur once, in any order."""
        left = sorted(map(_text, found))
        for one in map(_text, wanted):
            if one in left:
                left.remove(one)
                self.compared += 1
            else:
                self.note(where, "nothing that is equal", one)
        for one in left:
            self.note(where, one, "nothing of this")


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


if TYPE_CHECKING:
    Cells = Iterator[tuple[Row, Cell]]


@dataclass(frozen=True)
class Engine:
    """One column of the table."""

    name: str
    title: str
    run: Callable[[Sequence[Row]], Cells]


def of_kind(rows: Sequence[Row], *kinds: str) -> list[Row]:
    """Return the rows of these kinds."""
    return [row for row in rows if row.kind in kinds]


# ---- Python ----


def extractor(rows: Sequence[Row]) -> Cells:
    """Read each line as a log of one line, and each scenario as a whole log."""
    for row in rows:
        cell = Cell()
        read = {"pattern": extract, "cef": cef.parse, "tracking": tracking.describe}.get(row.kind)
        for item in row.items:
            found = None if read is None else read(item.text)
            wanted = None if read is None else item.stated
            cell.note(item.text or item.line, (found, [] if item.line is None else read_events([item.line])[0]), (wanted, item.events))
        if row.kind == "scenario":
            facts, _ = read_facts(row.log.splitlines())
            connections, messages = records(facts)
            cell.note_all("connection", connections, row.connections)
            cell.note_all("message", messages, row.messages)
        yield row, cell


if TYPE_CHECKING:
    Match = tuple[str, dict[str, str | None]]


def _captures(cell: Cell, row: Row, item: Item, found: list[Match]) -> None:
    """Compare the patterns that match a text, and their captures, with the right pattern and its event."""
    names = [name for name, _ in found]
    if item.stated is None:
        cell.note(item.text, names, [])
        return
    if names != [row.pattern]:
        cell.note(item.text, names, [row.pattern])
        return
    captured = {name: _read(name, value) for name, value in found[0][1].items() if value}
    if "policy_table" in captured:
        captured["mail_flow"] = {"inbound": "incoming", "outbound": "outgoing"}[str(captured.pop("policy_table"))]
    # no pattern captures what follows from its name or from another field
    wanted = {name: value for name, value in item.stated.items() if name in captured or name in _GROUPS[str(row.pattern)]}
    cell.note(item.text, captured, wanted)


_GROUPS = {name: set(re.findall(r"\(\?P<(\w+)>", text)) for name, text in PATTERNS.items()}


def _read(name: str, value: str) -> Any:
    if name == "rid":
        return [int(number) for number in value.replace(",", " ").split()]
    return int(value) if name in INTEGERS else value


def plain_patterns(rows: Sequence[Row]) -> Cells:
    """Try every generated expression on every text, under Python's `re`."""
    compiled = {name: re.compile(text, re.ASCII) for name, text in PATTERNS.items()}
    for row in of_kind(rows, "pattern"):
        cell = Cell()
        for item in row.items:
            matches = ((name, pattern.fullmatch(item.text)) for name, pattern in compiled.items())
            _captures(cell, row, item, [(name, match.groupdict()) for name, match in matches if match])
        yield row, cell


def pygrok(rows: Sequence[Row], *arguments: str) -> Cells:
    """Try the pattern files as pygrok reads them."""
    wanted = of_kind(rows, "pattern")
    command = [sys.executable, str(Path(__file__).with_name("pygrok_match.py")), *arguments]
    texts = json.dumps([item.text for row in wanted for item in row.items])
    done = subprocess.run(command, input=texts, capture_output=True, text=True, check=False)
    if done.returncode == EXIT_WITHOUT:
        raise NotHereError("the Python module regex is not installed")
    if done.returncode:
        raise RuntimeError(done.stderr)
    found = iter(json.loads(done.stdout))
    for row in wanted:
        cell = Cell()
        for item in row.items:
            _captures(cell, row, item, [(name, captures) for name, captures in next(found)])
        yield row, cell


def pygrok_plain(rows: Sequence[Row]) -> Cells:
    """Try the pattern files as pygrok reads them without the module `regex`."""
    return pygrok(rows, "--plain")


# ---- Splunk ----


def splunk_commands(version: str) -> Callable[[Sequence[Row]], Cells]:
    """Return the engine that runs the three commands of the built package over splunkd's protocol, on one Python version."""

    def run(rows: Sequence[Row]) -> Cells:
        with tempfile.TemporaryDirectory(prefix="esatls-conformance-") as folder:
            splunk = splunk_app.installed(Path(folder)).get(version)
            if splunk is None:
                raise NotHereError(f"no Python {version} found")
            yield from _splunk_lines(splunk, of_kind(rows, "pattern", "cef", "envelope"))
            yield from _splunk_scenarios(splunk, of_kind(rows, "scenario"))

    return run


def _splunk_lines(splunk: Splunk, rows: Sequence[Row]) -> Cells:
    given = [answers.event(line) for row in rows for line, _ in row.lines]
    # with a prefix, the command returns every field, even those whose names have another meaning in Splunk
    result = splunk.stream("esatls", given, ["prefix=x_"])
    found = iter(result.rows)
    for row in rows:
        cell = Cell()
        for line, item in row.lines:
            wanted = answers.event(line)
            if item.event is not None:
                event = {"esa_host": answers.HOST, **item.event, "time": "2005-07-20T19:47:40Z"}
                wanted = {**wanted, **{f"x_{name}": answers.as_text(value) for name, value in event.items()}}
            cell.note(line, next(found), wanted)
        yield row, cell


def _splunk_scenarios(splunk: Splunk, rows: Sequence[Row]) -> Cells:
    """Run all scenarios in one search, each with separate appliances, newest event first, on three indexers."""
    events: list[dict[str, Value]] = []
    for row in rows:
        log = re.sub(r"(?<=:\d\d )(?=esa\d )", _host(row, ""), row.log)
        events += answers.events_of(log, host=_host(row, None))
    events.sort(key=lambda item: float(str(item["_time"]) or 0), reverse=True)
    found = {kind: splunk.report(f"esatls{kind}", events).rows for kind in ("connections", "messages")}
    for row in rows:
        cell = Cell()
        for kind, wanted in (("connections", row.connections), ("messages", row.messages)):
            hosts = {_host(row, record.get("esa_host")) for record in wanted}
            mine = [(record_of(one), _columns(one)) for one in found[kind] if one["esa_host"] in hosts]
            theirs = [{**record, "esa_host": _host(row, record.get("esa_host"))} for record in wanted]
            cell.note_all(kind, mine, [(one, _columns(answers.row_of(one))) for one in theirs])
        yield row, cell


def _columns(row: dict[str, Value]) -> dict[str, Value]:
    """Return the aligned columns of a message's attempts, and its partners, which repeat what its record says."""
    return {name: value for name, value in row.items() if name.startswith("delivery_") or name == "mail"}


def _host(row: Row, host: str | None) -> str:
    """Return the name of a scenario's appliance, unique among all scenarios."""
    name = row.name.rpartition("/")[2]
    return f"{name}.example.com" if host is None else f"{name}-{host}"


UNREAD = re.compile(r"\{|CEF:|i Sep |[^'\"]{0,80}\{\"")  # a record around a line; a line cut off at the left, where the rest of a weekday might be a host


def splunk_confs(rows: Sequence[Row]) -> Cells:
    """Try the regular expressions and calculated fields of props.conf and transforms.conf, under PCRE2."""
    if not (CACHE / "pcre2" / ".done").exists():
        raise NotHereError("pcre2 is not installed: run tests/splunk/setup.sh")
    text = Extraction("cisco:esa:textmail")
    for row in of_kind(rows, "pattern", "envelope", "scenario"):
        cell = Cell()
        if row.kind == "scenario":
            lines = [line for line in row.log.splitlines() if line and "CEF:" not in line]
            events: list[Event | None] = [next(map(dict, read_events([line])[0]), None) for line in lines]
        else:
            lines = [line for line, _ in row.lines]
            events = [item.event for _, item in row.lines]
        for line, event, fields in zip(lines, events, text.fields(lines)):
            cell.note(line, answers.extracted(fields), _fields(event), may_lack=UNREAD.match(line) is not None)
        yield row, cell
    consolidated = Extraction("cisco:esa:cef")
    for row in of_kind(rows, "cef"):
        cell = Cell()
        for (line, item), fields in zip(row.lines, consolidated.fields([line for line, _ in row.lines])):
            found = {name: value for name, value in fields.items() if name in answers.CEF_NAMES}
            wanted = {name: answers.as_logged(value) for name, value in (item.event or {}).items() if name in answers.CEF_NAMES}
            cell.note(line, found, wanted, may_lack=answers.doubtful(line))
        yield row, cell


def _fields(event: Event | None) -> dict[str, str]:
    """Return the fields that the confs extract: Splunk already has the time, and lines that are not about mail are no events there."""
    if event is None or event["esa_event"] in {"time_offset", "consolidated_event"}:
        return {}
    return {name: answers.as_logged(value) for name, value in event.items() if name != "time"}


# ---- Elastic ----


@functools.cache
def _client() -> Client:
    """Return a client of a server with templates and pipelines. Raises `NotHereError` if none can start."""
    missing = server.cannot_start()
    if missing:
        raise NotHereError(missing)
    client = server.shared().client
    for step in setting_up.server_steps(setting_up.capabilities(client)):
        setting_up.perform(step, client)
    return client


def _document(line: str, event: Event | None) -> Event:
    """Return the right document for a line."""
    # the server puts a stamp without a year into the latest year in which it is not in the future
    time = elastic_corpus.expected(line)["@timestamp"]
    document = {"message": line, **elastic_corpus.envelope_document(line), "@timestamp": time}
    if event is None:
        return document
    fields = {name: value for name, value in event.items() if name != "time"}
    return elastic_corpus.merged(document, event_document(cast("EventRecord", fields)))


def ingest_pipeline(rows: Sequence[Row]) -> Cells:
    """Run the ingest pipeline on the search server, with its simulate API."""
    client = _client()
    for row in of_kind(rows, "pattern", "cef", "envelope"):
        cell = Cell()
        found = store.simulate(client, [store.shipped(line) for line, _ in row.lines])
        for (line, item), document in zip(row.lines, found):
            cell.note(line, document, _document(line, item.event))
        yield row, cell


def elastic_join(rows: Sequence[Row]) -> Cells:
    """Index the scenarios backwards and join them on the search server; those that name no appliance together, each as a separate appliance."""
    client = _client()
    scenarios = of_kind(rows, "scenario")
    named = [row for row in scenarios if any("esa_host" in record for record in (*row.connections, *row.messages))]
    for row in named:
        yield from _joined(client, [row], are_named=True)
    yield from _joined(client, [row for row in scenarios if row not in named], are_named=False)


def _joined(client: Client, rows: Sequence[Row], *, are_named: bool) -> Cells:
    store.reset(client)
    for row in rows:
        store.index_lines(client, row.log.splitlines()[::-1], host=None if are_named else row.name)
    join(client)
    found = [store.all_documents(client, f"logs-esatls.{kind}-*") for kind in ("connections", "messages")]
    for row in rows:
        cell = Cell()
        host = {} if are_named else {"esa_host": row.name}
        connections, messages = ([document for document in documents if are_named or document["observer"]["hostname"] == row.name] for documents in found)
        cell.note_all("connection", connections, [connection_document(cast("ConnectionRecord", {**record, **host})) for record in row.connections])
        cell.note_all("message", messages, [message_document(cast("MessageRecord", {**record, **host})) for record in row.messages])
        yield row, cell


def logstash_ruby(rows: Sequence[Row]) -> Cells:
    """Run the Logstash filter on JRuby, with a stand-in for Logstash."""
    missing = jruby.cannot_run()
    if missing:
        raise NotHereError(missing)
    yield from _filtered(rows, jruby.run_jruby)


def logstash_filter(rows: Sequence[Row]) -> Cells:
    """Run the Logstash filter in a real Logstash."""
    if not logstash.HOME:
        raise NotHereError("LOGSTASH_HOME names no Logstash")
    with tempfile.TemporaryDirectory(prefix="esatls-conformance-") as folder:
        yield from _filtered(rows, lambda lines: logstash.run_logstash(Path(folder), lines))


def _filtered(rows: Sequence[Row], run: Callable[[list[str]], list[Event]]) -> Cells:
    wanted = of_kind(rows, "pattern", "cef", "envelope")
    found = {document.pop("number"): document for document in run([line for row in wanted for line, _ in row.lines])}
    number = 0
    for row in wanted:
        cell = Cell()
        for line, item in row.lines:
            cell.note(line, found.get(number), elastic_corpus.merged({"event": {"original": line}}, _document(line, item.event)))
            number += 1
        yield row, cell


ENGINES: tuple[Engine, ...] = (
    Engine("extractor", "the Python package", extractor),
    Engine("re", "the generated expressions alone, under Python's `re`", plain_patterns),
    Engine("pygrok", "grok_patterns/ read by pygrok, without the module `regex`", pygrok_plain),
    Engine("pygrok-regex", "grok_patterns/ read by pygrok, with the module `regex`", pygrok),
    Engine("splunk-3.9", "the search commands of the built app, on Python 3.9", splunk_commands("3.9")),
    Engine("splunk-3.13", "the same on Python 3.13", splunk_commands("3.13")),
    Engine("confs", "props.conf and transforms.conf of the app, under PCRE2", splunk_confs),
    Engine("ingest", "the ingest pipeline on a search server (OpenSearch)", ingest_pipeline),
    Engine("join", "`esatls elastic join` on that server", elastic_join),
    Engine("ruby", "the Logstash filter on JRuby, its plugins by a stand-in", logstash_ruby),
    Engine("logstash", "the filter in a Logstash", logstash_filter),
)
