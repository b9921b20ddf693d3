"""What the server holds after events were indexed and joined is what the command line answers."""

from __future__ import annotations

import json
from typing import Any

import esatls
import pytest
from esatls.elastic import load as loading
from esatls.elastic import setup as setting_up
from esatls.elastic.client import Client, ElasticError
from esatls.elastic.join import join

from tests.conformance.inputs import RIGHT
from tests.core.test_changed import CHILD_IN_CEF
from tests.elastic import corpus
from tests.elastic.corpus import inputs
from tests.elastic.proxy import Fault, Proxy, page, status
from tests.elastic.store import STREAM, all_documents, answers, index_lines, ordered, shipped, simulate


def test_join_gives_the_verdicts_of_the_command_line(empty: Client, log: list[str]) -> None:
    """Every document of a connection and of a message, made from indexed events, is that of the command line's record."""
    index_lines(empty, log)
    result = join(empty)
    connections, messages = answers(log)
    assert result[1:] == (len(connections), len(messages), 0, 0, 0)
    assert ordered(all_documents(empty, "logs-esatls.connections-*")) == ordered(connections)
    assert ordered(all_documents(empty, "logs-esatls.messages-*")) == ordered(messages)


def test_join_again_after_late_lines_leaves_what_one_run_leaves(empty: Client, log: list[str]) -> None:
    """Lines that come late and out of order change verdicts, and no stale document is left."""
    index_lines(empty, log[1::2])
    join(empty)
    index_lines(empty, log[0::2])
    join(empty)
    join(empty)
    connections, messages = answers(log)
    assert ordered(all_documents(empty, "logs-esatls.connections-*")) == ordered(connections)
    assert ordered(all_documents(empty, "logs-esatls.messages-*")) == ordered(messages)


def test_a_connection_that_turns_out_to_be_none_leaves_no_document(empty: Client) -> None:
    """One that only the consolidated event of a child names is deleted when the parent is known; one that another message names begins later."""
    for part, counts in ((CHILD_IN_CEF[:3], (3, 2, 3, 0, 0)), (CHILD_IN_CEF[3:], (2, 1, 2, 1, 2))):
        index_lines(empty, part)
        found = join(empty, overlap=0)
        assert (found.events, found.connections, found.messages, found.unchanged, found.deleted) == counts
    connections, messages = answers(CHILD_IN_CEF)
    assert ordered(all_documents(empty, "logs-esatls.connections-*")) == ordered(connections)
    assert ordered(all_documents(empty, "logs-esatls.messages-*")) == ordered(messages)


def test_a_run_over_other_data_streams_leaves_nothing_out(empty: Client, log: list[str]) -> None:
    """What had come into a data stream before a run that did not read it is joined by the next run that does, which says why it reads everything."""
    streams = [f"{STREAM}-{name}" for name in ("one", "two")]
    for stream, host in zip(streams, ("esa1.example.com", "esa2.example.com")):
        index_lines(empty, [line for line in log if f" {host} " in line], stream)
    said: list[str] = []
    for events in ([streams[0]], [streams[1]], [streams[1]], streams[::-1], streams):
        join(empty, events=events, overlap=-60, tell=said.append)
    connections, messages = answers(log)
    assert ordered(all_documents(empty, "logs-esatls.connections-*")) == ordered(connections)
    assert ordered(all_documents(empty, "logs-esatls.messages-*")) == ordered(messages)
    assert said == ["the last run read other data streams, so all events are read again: one join must name all of them"] * 2


def records(client: Client) -> dict[str, Any]:
    """Return all records on the server, whole, by id."""
    client.request("POST", "/logs-*/_refresh")
    answer = client.request("POST", "/logs-esatls.connections-*,logs-esatls.messages-*/_search", {"size": 10000})
    return {hit["_id"]: hit["_source"] for hit in answer["hits"]["hits"]}


def test_what_load_wrote_is_left_alone(empty: Client, log: list[str]) -> None:
    """A join that sees half of the events, and would judge otherwise, changes and deletes no record of it."""
    loading.load(empty, records_of(log))
    loaded = records(empty)
    index_lines(empty, log[1::2])
    for everything in (False, True):
        join(empty, everything=everything)
        assert records(empty).items() >= loaded.items()


def test_what_join_wrote_is_left_alone(empty: Client, log: list[str]) -> None:
    """A load of half of the log, which judges otherwise, adds records, changes none of the join's, and says how many those are."""
    index_lines(empty, log)
    join(empty)
    joined = records(empty)
    loaded = [line for lines in records_of(log[1::2]) for line in lines]
    said: list[str] = []
    written, refused = loading.load(empty, [loaded], tell=said.append)
    found = records(empty)
    assert found.items() >= joined.items()
    assert (written, refused) == (len(found) - len(joined), 0)
    assert said == [f"{len(loaded) - written} documents were not written, because they exist already and were written by esatls elastic join"]


DO = "run esatls elastic setup (or install the Fleet package)"
BEFORE = f"logs-esatls.messages-default was created before the server was set up: delete it, {DO}, and write its documents again"


def test_a_server_that_is_not_set_up_is_told(fresh: Client, log: list[str]) -> None:
    """A load and a join say so before they write anything; after the set-up both go on."""
    _, messages = records_of(log)
    for command in (lambda: loading.load(fresh, [messages]), lambda: join(fresh)):
        with pytest.raises(ElasticError) as caught:
            command()
        assert str(caught.value) == f"{fresh.url}: is not set up, so nothing was written: {DO} first"
    assert fresh.request("GET", "/_cat/indices?format=json") == []
    for step in setting_up.server_steps(setting_up.capabilities(fresh)):
        setting_up.perform(step, fresh)
    assert (join(fresh).messages, loading.load(fresh, [messages])) == (0, (len(messages), 0))


def test_a_template_that_has_priority_is_told(empty: Client, log: list[str]) -> None:
    """A server that is set up, but whose users have a template of their own for all logs, says what is in the way."""
    _, messages = records_of(log)
    empty.request("PUT", "/_index_template/all-logs", {"index_patterns": ["logs-*"], "priority": 1000, "data_stream": {}})
    try:
        with pytest.raises(ElasticError) as caught:
            loading.load(empty, [messages])
    finally:
        empty.request("DELETE", "/_index_template/all-logs")
    place = "logs-esatls.messages-default"
    assert str(caught.value) == f"{empty.url}: nothing was written, because another index template has priority over that of {place}: lower its priority"
    assert loading.load(empty, [messages]) == (len(messages), 0)


@pytest.mark.parametrize("answer", [status(403, "is unauthorized"), page(200)], ids=["403", "page"])
def test_credentials_that_may_not_ask_for_templates(fresh: Client, log: list[str], answer: Fault) -> None:
    """A load then finds out by its first batch, and says so; so do a load and a join after a late set-up, until the documents are deleted."""
    _, messages = records_of(log)
    with Proxy(fresh.url) as proxy:
        proxy.fault = lambda request, send: answer(request, send) if request.name == "templates" else send()
        few = Client(proxy.url)
        with pytest.raises(ElasticError) as caught:
            loading.load(few, [messages[:1], messages[1:]])
        assert str(caught.value) == f"{proxy.url}: {BEFORE}"
        assert fresh.request("GET", "/logs-esatls.messages-default/_count")["count"] <= 1
        for step in setting_up.server_steps(setting_up.capabilities(fresh)):
            setting_up.perform(step, fresh)
        for command in (lambda: loading.load(few, [messages]), lambda: join(few)):
            with pytest.raises(ElasticError) as caught:
                command()
            assert str(caught.value) == f"{proxy.url}: {BEFORE}"
        fresh.request("DELETE", "/logs-esatls.messages-default")
        assert (join(few).messages, loading.load(few, [messages])) == (0, (len(messages), 0))


def records_of(log: list[str]) -> tuple[list[str], list[str]]:
    """Return the records of connections and of messages as JSON Lines."""
    facts = esatls.Facts()
    for event in esatls.events(log):
        facts.add(event)
    return [json.dumps(record) for record in esatls.connections(facts)], [json.dumps(record) for record in esatls.messages(facts)]


def test_records_outlive_their_events(empty: Client, log: list[str]) -> None:
    """What was joined before its events expired stays as it is, whatever comes in about the same ids, and in a run over everything."""
    index_lines(empty, log[1::2])
    join(empty)
    joined = records(empty)
    (events,) = empty.request("GET", f"/_data_stream/{STREAM}")["data_streams"]
    empty.request("POST", f"/{STREAM}/_rollover")
    empty.request("DELETE", f"/{events['indices'][0]['index_name']}")
    index_lines(empty, log[0::2])
    for everything in (False, True):
        join(empty, everything=everything)
        assert records(empty).items() >= joined.items()


def test_load_writes_the_records_that_the_command_line_prints(empty: Client, log: list[str]) -> None:
    """JSON Lines of records, loaded twice, are there once each."""
    lines = [line for lines in records_of(log) for line in lines]
    assert loading.load(empty, [lines]) == (len(lines), 0)
    assert loading.load(empty, [lines, ["", " \n"]]) == (len(lines), 0)
    connections, messages = answers(log)
    assert ordered(all_documents(empty, "logs-esatls.connections-*")) == ordered(connections)
    assert ordered(all_documents(empty, "logs-esatls.messages-*")) == ordered(messages)


CONSOLIDATED = (
    "{stamp} CEF:0|Cisco|C100V Secure Email Gateway Virtual|15.0.0-104|ESA_CONSOLIDATED_LOG_EVENT|Consolidated Log Event|5|deviceExternalId={serial} "
    "ESAMID=7001 ESAICID=801 ESADCID=901 deviceDirection=0 suser=ann@a.example act=DELIVERED duser=bob@example.com {tls}"
)


def test_serial_numbers_part_the_appliances_behind_one_collector(empty: Client) -> None:
    """Two appliances that count alike and send through one collector are two in the records; a single one has the collector's name."""
    up = "ESATLSInConnStatus=Success ESATLSInProtocol=TLSv1.2 ESATLSOutConnStatus=Success ESATLSOutProtocol=TLSv1.2"
    down = "ESATLSInConnStatus=Failure ESATLSOutConnStatus=Failure"
    lines = [
        CONSOLIDATED.format(stamp="2026-03-03T10:00:05Z", serial="AAAA1111-EXAMPLE", tls=up),
        CONSOLIDATED.format(stamp="2026-03-03T10:00:09Z", serial="BBBB2222-EXAMPLE", tls=down),
        CONSOLIDATED.format(stamp="2026-03-03T10:00:09Z esa1 cef:", serial="CCCC3333-EXAMPLE", tls=down),
    ]
    index_lines(empty, lines)
    join(empty)
    connections, messages = answers(lines)
    found = all_documents(empty, "logs-esatls.messages-*")
    assert sorted((one["observer"]["hostname"], one["esatls"]["received"]["verdict"], one["esatls"]["delivered"]["verdict"]) for one in found) == [
        ("AAAA1111-EXAMPLE", "encrypted", "encrypted"),
        ("BBBB2222-EXAMPLE", "cleartext", "cleartext"),
        ("esa1", "cleartext", "cleartext"),
    ]
    assert ordered(found) == ordered(messages)
    assert ordered(all_documents(empty, "logs-esatls.connections-*")) == ordered(connections)


def test_ids_that_two_had_at_once_are_told(empty: Client) -> None:
    """Where ids contradict each other as only two appliances under one name explain, the run says so, and its report names the appliance."""
    opened = (
        "<22>Mar  3 10:00:{:02} {} mail_logs: Info: New SMTP ICID 81 interface Data 1 (192.0.2.10) address 198.51.100.{} reverse dns host unknown verified no"
    )
    index_lines(empty, [opened.format(0, "esa1", 1), opened.format(0, "esa2", 1)])
    said: list[str] = []
    join(empty, tell=said.append)
    assert said == []
    index_lines(empty, [opened.format(5, "esa1", 2)])
    join(empty, tell=said.append)
    (warning,) = said
    assert warning.startswith("esa1: an id was used by two at once, ICID 81 at ")
    empty.request("POST", "/logs-esatls.runs-*/_refresh")
    hits = empty.request("POST", "/logs-esatls.runs-*/_search", {"query": {"term": {"esatls.run.contradictions": "esa1"}}})["hits"]["hits"]
    assert [(hit["_source"]["esatls"]["run"]["contradictions"], hit["_source"]["message"]) for hit in hits] == [(["esa1"], warning)]


def test_an_event_before_the_lines_that_it_is_about(empty: Client) -> None:
    """An event of a rewritten message is joined first; the text then shows that it came over no connection of its own, and no stale record is left."""
    stamp = "2026-03-03T1{} esa1 {}"
    event = "CEF:0|Cisco|C100V Secure Email Gateway Virtual|15.0.0-104|ESA_CONSOLIDATED_LOG_EVENT|Consolidated Log Event|5|ESAMID=4 ESAICID=5 act=DELIVERED"
    text = [
        "New SMTP ICID 5 interface Data 1 (192.0.2.1) address 198.51.100.7 reverse dns host unknown verified no",
        "Start MID 3 ICID 5",
        "MID 3 rewritten to MID 4 by antivirus",
        "ICID 5 close",
    ]
    lines = [stamp.format("8:00:00Z", f"cef: {event}"), *(stamp.format(f"0:00:0{at}Z", f"mail_logs: Info: {line}") for at, line in enumerate(text))]
    for some in (lines[:1], lines[1:]):
        index_lines(empty, some)
        join(empty, overlap=0)
    connections, messages = answers(lines)
    assert ordered(all_documents(empty, "logs-esatls.connections-*")) == ordered(connections)
    assert ordered(all_documents(empty, "logs-esatls.messages-*")) == ordered(messages)


OPENED = "Info: New SMTP ICID 5 interface Data 1 (192.0.2.1) address 192.0.2.2 reverse dns host unknown verified no"


@pytest.mark.parametrize(
    ("beside", "host", "time"),
    [
        ({"observer": {"hostname": ["", "esa1", "esa2"]}}, "esa1", corpus.SHIPPED),
        ({"observer": {"hostname": 5}}, "5", corpus.SHIPPED),
        ({"observer": {"hostname": ""}}, None, corpus.SHIPPED),
        ({"@timestamp": 1772532002123}, None, "2026-03-03T10:00:02.123Z"),
        ({"@timestamp": "1772532002000"}, None, "2026-03-03T10:00:02Z"),
        ({"@timestamp": "2026-03-03T12:00+02:00"}, None, "2026-03-03T10:00:00Z"),
    ],
)
def test_whatever_form_a_shipper_sends_is_joined(empty: Client, beside: dict[str, Any], host: str | None, time: str) -> None:
    """An appliance's name in a list, as a number or empty, and a time in any form that the server reads."""
    assert empty.bulk([({"create": {"_index": STREAM}}, {**shipped(OPENED), **beside})]) == []
    assert join(empty, overlap=0)[:2] == (1, 1)
    (found,) = all_documents(empty, "logs-esatls.connections-*")
    assert (found["observer"].get("hostname"), found["event"]["start"]) == (host, time)


def test_documents_of_others_do_not_stop_a_join(empty: Client) -> None:
    """What has an event.action and is no line of an appliance is read and left, whatever it has in the fields of ids; so is a line of a year like 0."""
    others: list[dict[str, Any]] = [
        {"email": {"local_id": "9" * 23}},
        {"email": {"local_id": "\u00b2"}},
        {"esatls": {"icid": int("9" * 23)}},
        {"email": [{"local_id": ["1", "2"]}], "esatls": {"dcid": [5, 6]}},
        {"message": OPENED, "@timestamp": "0000-01-01T00:00:00Z"},
        {"message": OPENED, "@timestamp": 253_402_300_800_000},
    ]
    documents = [{**shipped("other"), "event": {"action": "sent"}, **one} for one in others]
    index_lines(empty, [OPENED])
    assert empty.bulk([({"create": {"_index": STREAM}}, document) for document in documents]) == []
    assert join(empty, overlap=0)[:3] == (7, 1, 0)


@pytest.mark.parametrize("name", RIGHT)
def test_reported_logs_give_what_is_right(empty: Client, name: str) -> None:
    """The logs that users' reports are about, each alone on the server: what is right of each line and of what belongs together, in whole documents."""
    lines = inputs().get(name + ".log")
    if lines is None:
        pytest.skip("the reported logs are not here, or this one has no record a line")
    right = RIGHT[name]
    made = simulate(empty, [shipped(line) for line in lines])
    events = [told(document) for document in made if "action" in document.get("event", {})]
    # a line that is wrapped comes as two, of which neither is one; lines without a stamp are of the time of their coming in
    wanted = [(host, *rest) for number, (host, _, *rest) in enumerate(right.events) if (number, name[:2]) != (0, "08")]
    assert events == wanted
    index_lines(empty, lines)
    join(empty)
    connections, messages = answers(lines)
    found = all_documents(empty, "logs-esatls.messages-*")
    judged = [[one["esatls"][side]["verdict"] for side in ("received", "delivered")] for one in found]
    verdicts = [(one["observer"].get("hostname"), int(one["email"]["local_id"]), *both) for one, both in zip(found, judged)]
    assert sorted(verdicts, key=str) == [one[:4] for one in right.messages]
    if not name.startswith("08_"):
        assert ordered(found) == ordered(messages)
        assert ordered(all_documents(empty, "logs-esatls.connections-*")) == ordered(connections)


def told(document: dict[str, Any]) -> tuple[Any, ...]:
    """Return appliance, kind and ids of an event's document."""
    mid = document.get("email", {}).get("local_id")
    ids = (*(document.get("esatls", {}).get(name) for name in ("icid", "dcid")), None if mid is None else int(mid))
    return (document.get("observer", {}).get("hostname"), document["event"]["action"], *ids)
