"""A newcomer's walk, by the documents alone: from a fresh server to the numbers of the first dashboard, on each of the three ways in."""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING, Any

import pytest
from esatls.elastic.kibana import DASHBOARDS
from esatls.elastic.streams import stream

from tests.elastic import corpus, jruby
from tests.elastic.fleet import Package
from tests.elastic.lens import Layer
from tests.elastic.store import answers
from tests.elastic.test_cisco import OTHER, SAMPLE, custom_pipeline, left, their_template
from tests.elastic.test_kibana import OBJECTS
from tests.elastic.test_setup import StandIn, run

if TYPE_CHECKING:
    from esatls.elastic.client import Client

README = (corpus.ROOT / "logstash/README.md").read_text(encoding="utf-8")
HOST = "esa1.example.com"
STATUS = {"status": {"overall": {"level": "available"}}, "version": {"number": "9.1.0"}}


def commands(text: str, word: str) -> list[list[str]]:
    """Return the `esatls elastic` commands of a document that begin with a word."""
    return [shlex.split(line)[2:] for line in re.findall(rf"^ +(?:ExecStart=\S*/)?(esatls elastic {word}\b.*)$", text, re.MULTILINE)]


def do(command: list[str], client: Client, kibana: str = "") -> None:
    """Run a command of a document, against the servers that there are."""
    there = {"https://elastic.example.com:9200": client.url, "https://kibana.example.com:5601": kibana}
    command = [there.get(word, word) for word in command]
    code, _, errors = run(*command, *([] if "--url" in command else ["--url", client.url]))
    assert code == 0, errors


def set_up(client: Client) -> None:
    """Run the command of the README that sets a server up."""
    with StandIn({"/api/status": (200, STATUS), DASHBOARDS.partition("?")[0]: (200, {"success": True, "successCount": 1})}) as kibana:
        do(commands(README, "setup")[0], client, kibana.url)


def ship(client: Client, index: str, documents: list[dict[str, Any]]) -> None:
    """Send documents to a data stream, as a shipper does."""
    assert client.bulk([({"create": {"_index": index}}, document) for document in documents]) == []


def check_overview(client: Client, objects: list[dict[str, Any]]) -> None:
    """Compare the numbers of each panel of the first dashboard with the command line's records."""
    client.request("POST", "/logs-*/_refresh")
    records = dict(zip(("esatls.connections", "esatls.messages"), answers(SAMPLE)))
    for document in (*records["esatls.connections"], *records["esatls.messages"]):
        document.setdefault("observer", {})["hostname"] = HOST
    (overview,) = [one for one in objects if one["id"] == "esatls-overview"]
    layers = [Layer(panel) for panel in json.loads(overview["attributes"]["panelsJSON"]) if panel["type"] == "lens"]
    assert len(layers) > 10
    shown = 0
    for layer in layers:
        got = layer.ask(client, "logs-*")
        assert got == layer.work_out(records[layer.dataset["term"]["data_stream.dataset"]]), layer.title
        shown += any(number for numbers in got.values() for number in numbers)
    assert shown > 10


def line_of(line: str) -> dict[str, Any]:
    """Return the document that an agent or Filebeat makes of a line, set up as the documents say."""
    return {"@timestamp": "2026-03-03T12:00:00Z", "message": line, "observer": {"hostname": HOST}, "event": {"timezone": "UTC"}}


def test_by_fleet(fresh: Client) -> None:
    """The integration is loaded as Fleet loads it, the agent ships lines, and the page of the integration tells the one command."""
    missing = jruby.cannot_run()
    if missing:
        pytest.skip(missing)
    package = Package()
    package.install(fresh)
    documents = [{**line_of(line), "data_stream": {"type": "logs", "dataset": "esatls.events", "namespace": "default"}} for line in SAMPLE]
    ship(fresh, stream("events"), documents)
    (joining,) = commands(package.files["docs/README.md"].decode(), "join")
    do(joining, fresh)
    check_overview(fresh, package.objects)


def test_by_setup(fresh: Client) -> None:
    """The README's command sets the server up, Filebeat ships lines as its example says, and the timer's command joins them."""
    set_up(fresh)
    (index,) = re.findall(r"^ +index: (\S+)$", README, re.MULTILINE)
    ship(fresh, index, [line_of(line) for line in SAMPLE])
    do(["join"], fresh)
    check_overview(fresh, OBJECTS)


def test_beside_elastics_own_package(fresh: Client) -> None:
    """Its documents are there; the README's pipeline reads them, and the README's command joins them."""
    set_up(fresh)
    path, custom = custom_pipeline()
    # Elasticsearch 8.7 and later knows it
    del custom["processors"][0]["pipeline"]["ignore_missing_pipeline"]
    fresh.request("PUT", path, custom)
    fresh.request("PUT", "/_index_template/theirs", their_template(path.rpartition("/")[2]))
    documents = [left(line, original=True) for line in SAMPLE]
    for document in documents:
        document["cisco_secure_email_gateway"]["log"]["host"] = HOST
    ship(fresh, OTHER, documents)
    (joining,) = [command for command in commands(README, "join") if "--events" in command]
    do(joining, fresh)
    check_overview(fresh, OBJECTS)
