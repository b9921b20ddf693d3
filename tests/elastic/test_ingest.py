"""The ingest pipeline on a real server makes the documents that the extractor and the field table say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import esatls
import pytest
from esatls.elastic import setup as setting_up
from esatls.elastic.join import join

from tests.elastic import corpus
from tests.elastic.kql import values_of
from tests.elastic.store import STREAM, all_documents, index_lines, shipped, simulate

if TYPE_CHECKING:
    from esatls.elastic.client import Client


FAILED = {"tags": ["_esatls_failure"], "event": {"kind": "pipeline_error"}}


def test_every_line_becomes_the_extractors_document(client: Client) -> None:
    """Every case, look-alike and foreign line, in every envelope: whole documents are equal."""
    lines = corpus.lines()
    made = simulate(client, [shipped(line) for line in lines])
    different = {line: (got, want) for line, got in zip(lines, made) if got != (want := corpus.expected(line))}
    assert different == {}


def test_every_reported_line_becomes_the_extractors_document(client: Client) -> None:
    """Every line of the logs that users' reports are about, in whatever collector's record: whole documents are equal."""
    found = corpus.inputs()
    if not found:
        pytest.skip("the reported logs are not here")
    lines = [line for lines in found.values() for line in lines]
    made = simulate(client, [shipped(line) for line in lines])
    assert {line: (got, want) for line, got in zip(lines, made) if got != (want := corpus.expected(line))} == {}
    assert sum("action" in document.get("event", {}) for document in made) > 70


def test_a_record_is_looked_into_at_every_depth(client: Client) -> None:
    """Line, host, time, log and level are found wherever they stand; several lines, a stranger's object and a deep nest are left alone."""
    line = "Info: ICID 5 TLS success protocol TLSv1.2 cipher AES128-SHA"
    beside = {"hostname": "esa1", "appname": "mail_logs:", "level": "warning", "timestamp": 1_772_532_002}
    attributes = [{"key": name, "value": {"stringValue": value}} for name, value in (("hostname", "esa1"), ("appname", "mail_logs"), ("level", "WARNING"))]
    deep: Any = {"message": line}
    for _ in range(20):
        deep = {"inner": deep}
    records: list[Any] = [
        {"hits": [{"_source": {**beside, "message": "ICID 5 close"}}]},
        [{**beside, "message": line}],
        {"resource": {"attributes": attributes}, "logs": [{"timeUnixNano": "1772532002000000000", "body": {"stringValue": "ICID 5 close"}}]},
        {"stream": {"host": "esa1"}, "values": [["1772532002000000000", line]]},
        [{"message": line}, {"message": line}],
        {"Subject": {"message": line}, "message": None},
        deep,
    ]
    lines = [json.dumps(record) for record in records]
    lines += [f" {lines[1]},", f"2026-03-03T10:00:02Z\tmail.info\t{json.dumps({'host': 'esa1', 'message': line})}", f"2026-03-03T10:00:02Z x: {lines[1]}"]
    made = simulate(client, [shipped(one) for one in lines])
    several = 4
    wanted = [{"@timestamp": corpus.SHIPPED, "message": one} if number == several else corpus.expected(one) for number, one in enumerate(lines)]
    assert made == wanted
    assert [document.get("observer", {}).get("hostname") for document in made] == ["esa1"] * 4 + [None] * 3 + ["esa1"] * 2 + [None]
    assert [document.get("log", {}).get("level") for document in made[:4]] == ["Warning", "Info", "Warning", "Info"]
    assert [document.get("esatls", {}).get("log") for document in made[:4]] == ["mail_logs"] * 3 + [None]


def test_every_case_is_indexed_and_found_with_its_types(empty: Client) -> None:
    """All documents are taken by the data stream, and numbers, addresses and times can be searched as such."""
    lines = corpus.lines()
    index_lines(empty, lines)
    total = empty.request("GET", f"/{STREAM}/_count")["count"]
    assert total == len(lines)
    events = [document for document in map(corpus.expected, lines) if "action" in document.get("event", {})]
    for field, condition, test in (
        ("esatls.dcid", {"range": {"esatls.dcid": {"gte": 30, "lt": 40}}}, lambda value: 30 <= int(value) < 40),
        ("destination.ip", {"term": {"destination.ip": "203.0.113.0/24"}}, lambda value: value.startswith("203.0.113.")),
        ("tls.established", {"term": {"tls.established": True}}, lambda value: value is True),
    ):
        found = empty.request("POST", f"/{STREAM}/_count", {"query": condition})["count"]
        want = sum(any(test(value) for value in values_of(document, field)) for document in events)
        assert found == want > 0, field


def test_hostile_input_is_kept_and_named(client: Client) -> None:
    """A long line, broken text, no message, and objects in the way: nothing is dropped."""
    event = "Wed Jul 20 19:47:40 2005 Info: ICID 5 TLS success"
    long_event = f"Wed Jul 20 19:47:40 2005 Info: ICID 5 TLS failed: {'x' * 1_000_000}"
    documents: list[dict[str, Any]] = [
        shipped(long_event),
        shipped("Wed Jul 20 19:47:40 2005 Info: MID 5 ICID 6 From: <\ufffd\ufffd@example.com>"),
        shipped("\ud800 ICID 5 TLS success"),
        shipped("Wed Jul 20 19:47:40 2005 Info: MID 1 Subject 'x\nWed Jul 20 19:47:41 2005 Info: ICID 5 TLS success'"),
        {"@timestamp": corpus.SHIPPED, "log": {"offset": 3}},
        {**shipped(event), "source": "/var/log/mail.log", "tags": "mine"},
        {**shipped(event), "event": {"timezone": "no/where"}},
        {**shipped(event), "esatls": {"icid": 7}},
    ]
    made = simulate(client, documents)
    for before, after in zip(documents, made):
        assert after["@timestamp"]
        if isinstance(before.get("message"), str) and "\ud800" not in before["message"]:
            assert after["message"] == before["message"]
    assert made[0]["event"]["reason"] == "x" * 1_000_000
    assert made[1]["email"]["from"]["address"] == ["\ufffd\ufffd@example.com"]
    assert "event" not in made[2]
    assert "event" not in made[3]
    assert made[4] == {**documents[4], **FAILED, "error": {"message": ["esatls-line: the document has no field message"]}}
    assert made[5] == {**corpus.expected(event), "labels": {"conflict_source": "/var/log/mail.log"}, "tags": ["mine", "_esatls_mapping_conflict"]}
    assert made[6]["tags"] == ["_esatls_date_failure"]
    assert made[6]["@timestamp"] == corpus.SHIPPED
    assert made[7] == documents[7]


@pytest.mark.parametrize(("document", "told"), corpus.ODD)
def test_a_line_or_a_time_zone_that_is_no_text(client: Client, document: dict[str, Any], told: dict[str, Any]) -> None:
    """A list of one time zone is that zone; anything else that is no text is kept, and named."""
    assert simulate(client, [{"@timestamp": corpus.SHIPPED, **document}]) == [corpus.odd(document, told)]


def test_hostile_documents_are_indexed(empty: Client) -> None:
    """Values that fit no type, others than the mapping states, and a line of a megabyte, do not make the data stream refuse a document."""
    others = {"event": {"module": "mine", "dataset": "mine.log"}, "observer": {"vendor": "Example", "product": "a", "type": "b"}}
    documents = [
        *({"@timestamp": corpus.SHIPPED, "message": message, **others} for message in ("Info: ICID 5 close", "Info: x", "x", ["x"])),
        {**shipped("Info: ICID 5 close"), **{f"{group}.{name}": value for group, values in others.items() for name, value in values.items()}},
        shipped(f"Wed Jul 20 19:47:40 2005 Info: ICID 5 TLS failed: {'x' * 1_000_000}"),
        shipped("Wed Jul 20 19:47:40 2005 Info: ICID 99999999999999999999 TLS success"),
        {**shipped("Wed Jul 20 19:47:40 2005 Info: ICID 5 TLS success"), "source": "a path", "network": 5},
        {"@timestamp": corpus.SHIPPED, "message": ["two", "lines"]},
    ]
    assert empty.bulk([({"create": {"_index": STREAM}}, document) for document in documents]) == []
    empty.request("POST", f"/{STREAM}/_refresh")
    found = empty.request("POST", f"/{STREAM}/_search", {"size": 10})["hits"]["hits"]
    assert len(found) == len(documents)
    # the test server takes any value for what the mapping states; Elasticsearch does not
    assert [name for hit in found for name in hit["_source"] if "." in name] == []


def test_time_zone_of_the_setup_and_of_a_document(bare: Client) -> None:
    """A stamp that names no zone is read in the zone of the set-up, or in the one that the document names."""
    steps = {step.name: step for step in setting_up.server_steps(setting_up.capabilities(bare), timezone="America/New_York")}
    setting_up.perform(steps["ingest pipeline esatls-other"], bare)
    pipeline = steps["ingest pipeline esatls"].body
    line = "Wed Jul 20 19:47:40 2005 Info: ICID 5 close"
    documents = [{"_source": document} for document in (shipped(line), {**shipped(line), "event": {"timezone": "+02:00"}})]
    answer = bare.request("POST", "/_ingest/pipeline/_simulate", {"pipeline": pipeline, "docs": documents})
    assert [item["doc"]["_source"]["@timestamp"] for item in answer["docs"]] == ["2005-07-20T23:47:40Z", "2005-07-20T17:47:40Z"]


def test_a_path_may_be_written_as_one_name(empty: Client) -> None:
    """Appliance and time zone that a shipper sends under dotted names count like nested ones, which go before them; what is in the way stays."""
    line = "Wed Jul 20 19:47:40 2005 Info: New SMTP ICID 5 interface Data 1 (192.0.2.1) address 192.0.2.2 reverse dns host unknown verified no"
    dotted = {"observer.hostname": "esa1", "event.timezone": "+02:00"}
    (made,) = simulate(empty, [{**shipped(line), **dotted}])
    assert made == corpus.merged(
        corpus.expected(line), {"@timestamp": "2005-07-20T17:47:40Z", "observer": {"hostname": "esa1"}, "event": {"timezone": "+02:00"}}
    )
    foreign = [{**shipped("x"), "observer.hostname": "esa1", "observer": there} for there in ({"hostname": "esa2"}, "esa3")]
    assert simulate(empty, foreign) == foreign
    assert empty.bulk([({"create": {"_index": STREAM}}, {**shipped(line), **dotted, "observer.hostname": host}) for host in ("esa1", "esa2")]) == []
    assert join(empty, overlap=0)[:2] == (2, 2)


@pytest.mark.parametrize(("line", "beside", "host"), corpus.SENDERS)
def test_the_sender_of_syslog_is_the_appliance(client: Client, line: str, beside: dict[str, Any], host: str | None) -> None:
    """Where a shipper has taken the header off the line, the host in it counts, else the address; what the line and the shipper's settings name goes before."""
    (made,) = simulate(client, [{**shipped(line), **beside}])
    assert made.get("observer", {}).get("hostname") == host
    assert made["log"].items() >= beside["log"].items()


def test_what_the_command_line_says_of_the_sender() -> None:
    """The same appliances, from the documents as they are exported."""
    documents = [({**shipped(line), **beside}, host) for line, beside, host in corpus.SENDERS if line.startswith("<")]
    assert [event.get("esa_host") for event in esatls.events(json.dumps(document) for document, _ in documents)] == [host for _, host in documents]


def test_appliances_that_only_their_addresses_tell_apart(empty: Client) -> None:
    """Lines over TCP without a name: the same ids of two appliances are two connections, and each new connection of the sender is the same appliance."""
    lines = (
        "<166>Mar 17 18:24:37 mail_logs: Info: New SMTP ICID 5 interface Data 1 (192.0.2.9) address 198.51.100.5 reverse dns host unknown verified no",
        "<166>Mar 17 18:24:37 mail_logs: Info: ICID 5 TLS success protocol TLSv1.2 cipher AES128-SHA",
    )
    addresses = [(f"192.0.2.{appliance}:{40123 + number}", line) for appliance in (1, 2) for number, line in enumerate(lines[appliance - 1 :])]
    documents = [{**shipped(line), "log": {"source": {"address": address}}} for address, line in addresses]
    assert empty.bulk([({"create": {"_index": STREAM}}, document) for document in documents]) == []
    join(empty, overlap=0)
    found = {
        (document["observer"]["hostname"], document["esatls"]["icid"], document["esatls"]["verdict"], document.get("source", {}).get("ip"))
        for document in all_documents(empty, "logs-esatls.connections-*")
    }
    assert found == {("192.0.2.1", 5, "encrypted", "198.51.100.5"), ("192.0.2.2", 5, "encrypted", None)}


def test_every_processor_is_tagged_and_every_pattern_has_the_folders_text() -> None:
    """The pipeline's patterns are those of grok_patterns/, it knows every event, and each processor says its name."""
    pipelines = [
        json.loads(setting_up.asset(f"elasticsearch/ingest-pipeline-{name}.json")) for name in ("esatls", "esatls-other", "esatls-cisco", "esatls-parsed")
    ]
    steps = [next(iter(step.values())) for pipeline in pipelines for step in pipeline["processors"] + pipeline.get("on_failure", [])]
    tags = [step["tag"] for step in steps]
    assert len(tags) == len(set(tags))
    definitions: dict[str, str] = {}
    for file in (corpus.ROOT / "grok_patterns").iterdir():
        for line in file.read_text(encoding="ascii").splitlines():
            if line.startswith("ESA_"):
                name, _, text = line.partition(" ")
                definitions[name] = text
    shipped_definitions = {name: text.replace(":_tmp.", ":") for step in steps for name, text in step.get("pattern_definitions", {}).items()}
    assert {name: definitions[name] for name in shipped_definitions} == shipped_definitions
    (patterns,) = [step["params"]["patterns"] for step in steps if step["tag"] == "esatls-ecs"]
    assert {name for name in definitions if not name.startswith("ESA_H_")} == {"ESA_ENVELOPE", *patterns}
