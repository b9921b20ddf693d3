"""Beside Elastic's own package for this appliance: its documents, in its data stream, become the verdicts of the command line."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from esatls.elastic.join import join
from esatls.elastic.streams import EVENTS

from tests.elastic import corpus
from tests.elastic.store import STREAM, all_documents, answers, index_lines, ordered
from tests.elastic.test_setup import run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from esatls.elastic.client import Client

DATASET = "cisco_secure_email_gateway.log"
OTHER = f"logs-{DATASET}-default"
PATTERN = f"logs-{DATASET}-*"
# the offset at the head of a file is the command line's alone
SAMPLE = [line for line in (corpus.ROOT / "python/esatls/sample.log").read_text(encoding="utf-8").splitlines() if "Time offset" not in line]


def custom_pipeline() -> tuple[str, dict[str, Any]]:
    """Return the request of the README that makes the `@custom` pipeline."""
    text = (corpus.ROOT / "logstash/README.md").read_text(encoding="utf-8")
    found = re.search(r"PUT (_ingest/pipeline/logs-cisco\S+@custom)\n(\{.*?\n\})\n", text, re.DOTALL)
    assert found
    return f"/{found[1]}", json.loads(found[2])


def their_template(pipeline: str) -> dict[str, Any]:
    """Return the template of that package's data stream, as far as it matters here."""
    constants = {"module": {"type": "constant_keyword", "value": "cisco_secure_email_gateway"}, "dataset": {"type": "constant_keyword", "value": DATASET}}
    keywords = {"strings": {"match_mapping_type": "string", "mapping": {"type": "keyword", "ignore_above": 1024}}}
    properties = {"event": {"properties": {**constants, "ingested": {"type": "date"}}}, "@timestamp": {"type": "date"}}
    template = {"settings": {"index": {"default_pipeline": pipeline}}, "mappings": {"dynamic_templates": [keywords], "properties": properties}}
    return {"index_patterns": [PATTERN], "priority": 200, "data_stream": {}, "template": template}


@pytest.fixture
def beside(empty: Client) -> Iterator[Client]:
    """Return a server with the data stream of that package, whose pipeline calls the user's own last; what a document states it states once."""
    path, custom = custom_pipeline()
    # the test server does not know it, and the pipeline is there
    del custom["processors"][0]["pipeline"]["ignore_missing_pipeline"]
    empty.request("PUT", path, custom)
    own = {"processors": [{"pipeline": {"name": path.rpartition("/")[2]}}]}
    empty.request("PUT", "/_ingest/pipeline/theirs", own)
    empty.request("PUT", f"/_index_template/logs-{DATASET}", their_template("theirs"))
    yield empty
    empty.request("DELETE", f"/_data_stream/{OTHER}")
    empty.request("DELETE", f"/_index_template/logs-{DATASET}")
    for name in ("theirs", path.rpartition("/")[2]):
        empty.request("DELETE", f"/_ingest/pipeline/{name}")


def left(line: str, *, original: bool) -> dict[str, Any]:
    """Return what that package leaves of a line: with the line, or taken apart."""
    level, text = line.partition("Info: ")[1].strip(": ").lower(), line.partition("Info: ")[2]
    document = {
        "@timestamp": corpus.expected(line)["@timestamp"],
        "cisco_secure_email_gateway": {"log": {"category": {"name": "mail_logs"}, "message": text}},
        "ecs": {"version": "8.17.0"},
        "event": {"kind": "event", "timezone": "UTC", "module": "cisco_secure_email_gateway", "dataset": DATASET},
        "log": {"level": level, "source": {"address": "192.0.2.10:40123"}},
        "related": {"ip": ["192.0.2.200"]},
        "tags": ["forwarded", "cisco_secure_email_gateway-log"],
    }
    mid = re.match(r"MID (\d+)", text)
    if mid:
        document["email"] = {"message_id": mid[1]}
    if original:
        document["event"]["original"] = line
    return document


def index(client: Client, documents: Iterable[dict[str, Any]]) -> None:
    """Put documents into that package's data stream."""
    assert client.bulk([({"create": {"_index": OTHER}}, document) for document in documents]) == []


@pytest.mark.parametrize("original", [True, False])
def test_their_documents_give_the_verdicts_of_the_command_line(beside: Client, original: bool) -> None:  # noqa: FBT001 (a case)
    """Whether the line is whole or only its text is left: connections and messages are those of the command line."""
    index(beside, [left(line, original=original) for line in SAMPLE])
    join(beside, events=[PATTERN], overlap=0)
    connections, messages = answers(SAMPLE)
    for document in (*connections, *messages):
        document.setdefault("observer", {})["hostname"] = "192.0.2.10"
    assert ordered(all_documents(beside, "logs-esatls.connections-*")) == ordered(connections)
    assert ordered(all_documents(beside, "logs-esatls.messages-*")) == ordered(messages)


def test_what_that_package_says_stays(beside: Client) -> None:
    """Its own fields, module and data set are as they were, beside what the line says about TLS."""
    (line,) = [line for line in SAMPLE if "ICID 4101 TLS success" in line]
    for original in (True, False):
        (answer,) = beside.request("POST", "/_ingest/pipeline/theirs/_simulate", {"docs": [{"_source": left(line, original=original)}]})["docs"]
        made, before = answer["doc"]["_source"], left(line, original=original)
        assert made["cisco_secure_email_gateway"] == before["cisco_secure_email_gateway"]
        assert (made["event"]["module"], made["event"]["dataset"]) == ("cisco_secure_email_gateway", DATASET)
        assert made["message"] == (line if original else "Info: ICID 4101 TLS success protocol TLSv1.2 cipher ECDHE-RSA-AES256-GCM-SHA384")
        assert (made["event"]["action"], made["esatls"]["icid"], made["tls"]["version"]) == ("tls_success", 4101, "1.2")
        assert made["@timestamp"] == before["@timestamp"]
        assert made["tags"] == before["tags"]
        assert "_esatls" not in made


def test_documents_without_a_line_are_left_alone(beside: Client) -> None:
    """Of another category, with nothing that is a line: as they were."""
    other = {"@timestamp": corpus.SHIPPED, "cisco_secure_email_gateway": {"log": {"ram": {"used": 5}}}, "event": {"kind": "metric"}, "message": ["x"]}
    (answer,) = beside.request("POST", "/_ingest/pipeline/theirs/_simulate", {"docs": [{"_source": other}]})["docs"]
    assert answer["doc"]["_source"] == other


def test_both_ways_in_at_once(beside: Client) -> None:
    """Lines in either data stream are joined with each other, by the command line's option."""
    host = "192.0.2.10"
    index(beside, [left(line, original=True) for line in SAMPLE[::2]])
    index_lines(beside, SAMPLE[1::2], STREAM, host=host)
    code, lines, errors = run("join", "--url", beside.url, "--events", EVENTS, "--events", PATTERN)
    assert (code, errors) == (0, "")
    join(beside, events=[EVENTS, PATTERN], overlap=0)
    connections, messages = answers(SAMPLE)
    for document in (*connections, *messages):
        document.setdefault("observer", {})["hostname"] = host
    assert ordered(all_documents(beside, "logs-esatls.connections-*")) == ordered(connections)
    assert ordered(all_documents(beside, "logs-esatls.messages-*")) == ordered(messages)
    assert lines[0].endswith("stale documents deleted")
