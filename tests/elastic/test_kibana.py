"""The dashboards: whole in themselves, and every number that they show is the extractor's."""

from __future__ import annotations

import importlib
import json
import re
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from esatls.elastic import must_encrypt
from esatls.elastic import write as writing
from esatls.elastic.join import join
from esatls.elastic.must_encrypt import DOCUMENT, INDEX
from esatls.elastic.streams import pattern, stream
from esatls.extraction.ciphers import is_deprecated, weaknesses

from tests.elastic import corpus
from tests.elastic.kql import LISTS as KQL_LISTS
from tests.elastic.kql import Kql
from tests.elastic.lens import Layer
from tests.elastic.store import all_documents, answers, index_lines, reset
from tests.elastic.test_ecs import leaves
from tests.report.support import CIPHERS, VERSIONS, Record, build, connection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from esatls.elastic.client import Client

OBJECTS: list[dict[str, Any]] = [json.loads(line) for line in (corpus.ROOT / "logstash/kibana/dashboards.ndjson").read_text(encoding="utf-8").splitlines()]
DASHBOARDS = [item for item in OBJECTS if item["type"] == "dashboard"]
OUTDATED = "Partners with deprecated protocols or weak ciphers"
INDICES = {f"esatls-{kind}": pattern(kind) for kind in ("connections", "messages", "events", "runs")}


def panels(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the panels of a dashboard."""
    found: list[dict[str, Any]] = json.loads(dashboard["attributes"]["panelsJSON"])
    return found


LENS = [(f"{dashboard['id']}: {panel['title']}", panel) for dashboard in DASHBOARDS for panel in panels(dashboard) if panel["type"] == "lens"]


def mapped(view: str) -> set[str]:
    """Return the fields that the template of a data view maps."""
    template = json.loads((corpus.ROOT / f"logstash/elasticsearch/index-template-{view}.json").read_text(encoding="utf-8"))
    found: set[str] = set()

    def walk(properties: dict[str, Any], prefix: str) -> None:
        for name, kind in properties.items():
            if "properties" in kind:
                walk(kind["properties"], f"{prefix}{name}.")
            else:
                found.add(prefix + name)

    walk(template["template"]["mappings"]["properties"], "")
    return found


def test_references_are_closed_and_ids_unique() -> None:
    """Every object that is referred to is in the file, before what refers to it, and every reference is used."""
    seen: set[tuple[str, str]] = set()
    for item in OBJECTS:
        later = {("dashboard", dashboard["id"]) for dashboard in DASHBOARDS} if item["type"] == "dashboard" else set()
        for reference in item["references"]:
            assert (reference["type"], reference["id"]) in seen | later, reference
        names = [reference["name"] for reference in item["references"]]
        assert len(names) == len(set(names))
        assert (item["type"], item["id"]) not in seen
        seen.add((item["type"], item["id"]))


def test_every_panel_finds_its_references() -> None:
    """Lens layers, saved searches, drill-downs and controls have the references by which Kibana finds their data."""
    for dashboard in DASHBOARDS:
        names = {reference["name"]: reference for reference in dashboard["references"]}
        used = set()
        for panel in panels(dashboard):
            index = panel["panelIndex"]
            if panel["type"] == "lens":
                used |= {f"{index}:{reference['name']}" for reference in panel["embeddableConfig"]["attributes"]["references"]}
                for event in panel["embeddableConfig"]["enhancements"].get("dynamicActions", {}).get("events", []):
                    used.add(f"{index}:drilldown:{event['action']['factoryId']}:{event['eventId']}:dashboardId")
            elif panel["type"] == "search":
                used.add(f"{index}:{panel['panelRefName']}")
            assert panel["gridData"]["i"] == index
        used.add("kibanaSavedObjectMeta.searchSourceJSON.filter[0].meta.index")
        used |= {f"controlGroup_{control}:optionsListDataView" for control in json.loads(dashboard["attributes"]["controlGroupInput"]["panelsJSON"])}
        assert used == set(names)


def test_no_deprecated_state() -> None:
    """No state of Kibana 7 and no panel type that Kibana 9 has dropped or calls legacy."""
    for item in OBJECTS:
        assert item["coreMigrationVersion"] == "8.8.0"
        text = json.dumps(item)
        for word in ('"indexpattern"', "visState", "input_control_vis", "lnsLegacyMetric", "timelion", '"isTransposed": true', 'migrationVersion":'):
            assert word not in text, word
    assert {panel["type"] for dashboard in DASHBOARDS for panel in panels(dashboard)} <= {"lens", "search", "visualization"}
    assert {panel["embeddableConfig"]["savedVis"]["type"] for dashboard in DASHBOARDS for panel in panels(dashboard) if panel["type"] == "visualization"} == {
        "markdown"
    }


def test_panels_do_not_overlap() -> None:
    """Panels lie within the grid's 48 columns, none over another."""
    for dashboard in DASHBOARDS:
        taken: set[tuple[int, int]] = set()
        for panel in panels(dashboard):
            grid = panel["gridData"]
            cells = {(x, y) for x in range(grid["x"], grid["x"] + grid["w"]) for y in range(grid["y"], grid["y"] + grid["h"])}
            assert grid["x"] + grid["w"] <= 48
            assert not cells & taken
            taken |= cells


def test_every_field_is_mapped() -> None:
    """Panels, searches and controls read fields that the template of their data view has."""
    for title, panel in LENS:
        layer = Layer(panel)
        assert layer.fields <= mapped(layer.view), title
    for item in OBJECTS:
        if item["type"] == "search":
            source = json.loads(item["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])
            fields = set(item["attributes"]["columns"]) | Kql(source["query"]["query"]).fields
            assert fields <= mapped(item["references"][0]["id"]), item["id"]
        if item["type"] == "dashboard":
            views = {reference["name"]: reference["id"] for reference in item["references"]}
            for control, state in json.loads(item["attributes"]["controlGroupInput"]["panelsJSON"]).items():
                assert state["explicitInput"]["fieldName"] in mapped(views[f"controlGroup_{control}:optionsListDataView"])


def test_a_control_empties_no_panel() -> None:
    """What a control chooses by is in the data of every panel of its dashboard: Kibana finds nothing where it is not. A text tells of the names of partners."""
    lacking: dict[str, set[str]] = {}
    for dashboard in DASHBOARDS:
        views = {reference["id"] for reference in dashboard["references"] if reference["type"] == "index-pattern"}
        for state in json.loads(dashboard["attributes"]["controlGroupInput"]["panelsJSON"]).values():
            name = state["explicitInput"]["fieldName"]
            if any(name not in mapped(view) for view in views):
                lacking.setdefault(dashboard["id"], set()).add(name)
    assert lacking == {"esatls-partners": {"esatls.partner", "esatls.received.partner", "esatls.delivered.partner"}}


def test_a_text_tells_what_a_click_empties() -> None:
    """A click in a table goes to a dashboard with a filter for the value: where panels there lack the field, a text of that dashboard tells it."""
    boards = {dashboard["id"]: dashboard for dashboard in DASHBOARDS}
    searches = {item["id"]: item["references"][0]["id"] for item in OBJECTS if item["type"] == "search"}
    lacking: dict[str, set[str]] = {}
    for dashboard in DASHBOARDS:
        targets = {one["name"].split(":")[0]: one["id"] for one in dashboard["references"] if ":drilldown:" in one["name"]}
        for panel in panels(dashboard):
            target = targets.get(panel["panelIndex"])
            views = {searches.get(one["id"], one["id"]) for one in boards[target]["references"] if one["type"] != "dashboard"} if target else set()
            for view in views:
                lacking.setdefault(target or "", set()).update({column["sourceField"] for _, column in Layer(panel).buckets} - mapped(view))
    assert set(lacking) == {"esatls-partners", "esatls-message-lookup"}
    for name, fields in lacking.items():
        assert fields
        assert any(panel["type"] == "visualization" for panel in panels(boards[name]))


def test_each_tag_of_a_failed_step_is_counted() -> None:
    """Those that the README lists are columns of a panel of Health."""
    tags = re.findall(r"^\| `(_esatls_\w+)` \|", (corpus.ROOT / "logstash/README.md").read_text(encoding="utf-8"), re.MULTILINE)
    (layer,) = (Layer(panel) for title, panel in LENS if panel["title"] == "Lines for which a step failed")
    assert [column["filter"]["query"] for _, column in layer.metrics] == [f"tags : {tag}" for tag in tags]


def test_ids_are_the_same_in_every_build() -> None:
    """The file is what its source generates, twice."""
    sys.path.insert(0, str(corpus.ROOT / "python" / "generate"))
    try:
        module = importlib.import_module("kibana")
    finally:
        sys.path.pop(0)
    assert module.objects() == OBJECTS == module.objects()


@pytest.fixture(scope="module")
def joined(client: Client, log: list[str]) -> tuple[Client, dict[str, list[dict[str, Any]]]]:
    """Return a client of a server that holds a log and its records, and what the extractor says of it."""
    reset(client)
    index_lines(client, log)
    join(client)
    connections, messages = answers(log)
    partners = {partner for one in messages for partner in one["esatls"]["received"].get("partner", [])}
    KQL_LISTS[INDEX, DOCUMENT] = {"receiving": sorted(partners)[::2], "delivery": sorted(partners)[1::2]}
    must_encrypt.put(client, *KQL_LISTS[INDEX, DOCUMENT].values())
    loads = {view: all_documents(client, INDICES[view]) for view in ("esatls-connections", "esatls-messages")}
    assert [len(loads[view]) for view in loads] == [len(connections), len(messages)]
    # what is not a record is compared as it is on the server
    others = {view: sources(client, INDICES[view]) for view in ("esatls-events", "esatls-runs")}
    return client, {"esatls-connections": connections, "esatls-messages": messages, **others}


def sources(client: Client, index: str) -> list[dict[str, Any]]:
    """Return the documents of some indices as they are."""
    client.request("POST", f"/{index}/_refresh")
    return [hit["_source"] for hit in client.request("POST", f"/{index}/_search", {"size": 10000})["hits"]["hits"]]


def test_every_panel_shows_the_extractors_numbers(joined: tuple[Client, dict[str, list[dict[str, Any]]]]) -> None:
    """Each panel's query, translated from its saved state and run on the server, gives what the records give."""
    client, documents = joined
    shown = 0
    for title, panel in LENS:
        layer = Layer(panel)
        got = layer.ask(client, "logs-*")
        known = [
            document
            for document in documents[layer.view]
            if "@timestamp" in document or not any(column["operationType"] == "date_histogram" for _, column in layer.buckets)
        ]
        want = layer.work_out(known)
        if layer.is_cut(want):
            assert got.items() <= want.items(), title
        else:
            assert got == want, title
        shown += bool(got)
    # a panel that shows nothing proves nothing
    assert shown == len(LENS)


def test_every_search_finds_its_documents(joined: tuple[Client, dict[str, list[dict[str, Any]]]]) -> None:
    """Each saved search finds as many documents as the records have."""
    client, documents = joined
    for item in OBJECTS:
        if item["type"] != "search":
            continue
        view = item["references"][0]["id"]
        source = json.loads(item["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])
        query = Kql(source["query"]["query"])
        whole = {"bool": {"filter": [query.query(), *(one["query"] for one in source["filter"])]}}
        answer = client.request("POST", "/logs-*/_search", {"size": 0, "track_total_hits": True, "query": whole})
        found = answer["hits"]["total"]["value"]
        if view in documents:
            assert found == sum(query.matches(document) for document in documents[view])
        assert found > 0


def test_the_overview_answers_in_words_of_the_records(joined: tuple[Client, dict[str, list[dict[str, Any]]]]) -> None:
    """The large numbers are shares of what the log tells: unknown, unused, internal and undelivered are in no percentage."""
    client, documents = joined
    big = {
        panel["title"]: Layer(panel).ask(client, "logs-*")[()][0]
        for title, panel in LENS
        if panel["embeddableConfig"]["attributes"]["visualizationType"] == "lnsMetric" and title.startswith("esatls-overview")
    }

    def share_of(verdicts: list[str], words: tuple[str, ...]) -> float:
        told = [verdict for verdict in verdicts if verdict in words]
        return round(told.count("encrypted") / len(told), 9)

    connections, messages = documents["esatls-connections"], documents["esatls-messages"]
    words = ("encrypted", "cleartext", "failed")
    assert big == {
        "Connections received": share_of([item["esatls"]["verdict"] for item in connections if item["network"]["direction"] == "ingress"], words),
        "Connections for delivery": share_of([item["esatls"]["verdict"] for item in connections if item["network"]["direction"] == "egress"], words),
        "Messages received": share_of([item["esatls"]["received"]["verdict"] for item in messages], ("encrypted", "cleartext")),
        "Messages delivered": share_of([item["esatls"]["delivered"]["verdict"] for item in messages], ("encrypted", "mixed", "cleartext")),
    }


LOOKALIKES = ("", "-", "DES-", "_MD5", "AES128-SHA-", "XDES-CBC-SHA", "DESX-CBC-SHA", "RC4MD5", "AES128.RC4", "RC4 MD5", "xMD5_", "A_B-C_rc4", "NuLl", "cbc3")


@pytest.fixture
def apart(client: Client) -> Iterator[str]:
    """Return the data stream of connections, which holds none before and after."""
    reset(client)
    yield stream("connections")
    reset(client)


def write(client: Client, index: str, records: list[Record]) -> None:
    """Write connections, and make them visible."""
    records = [{**record, "opened": "1999-01-02T03:04:05Z"} for record in records]
    writer = writing.Writer(client)
    writer.write(map(writer.document, records))
    assert writer.written == (len(records), 0)
    client.request("POST", f"/{index}/_refresh")


def test_what_is_outdated_is_what_the_report_marks(client: Client, apart: str) -> None:
    """The condition of the panel holds for every deprecated protocol and every weak cipher, as the report judges them, and for nothing else."""
    ciphers = {name for cipher in [*LOOKALIKES, *(row[0] for row in CIPHERS)] for name in (cipher, cipher.lower(), cipher.swapcase())}
    used = [(version, cipher) for version in [None, *(row[0] for row in VERSIONS)] for cipher in [None, *sorted(ciphers)]]
    fields = [{name: value for name, value in (("tls_version", version), ("tls_cipher", cipher)) if value is not None} for version, cipher in used]
    write(client, apart, [connection("delivery", number, "encrypted", domain="example.com", **found) for number, found in enumerate(fields)])
    layer = next(Layer(panel) for _, panel in LENS if panel["title"] == OUTDATED)
    answer = client.request("POST", f"/{apart}/_search", {"size": 10000, "query": layer.condition})
    marked = [number for number, (version, cipher) in enumerate(used) if is_deprecated(version or "") or weaknesses(cipher or "")]
    assert sorted(hit["_source"]["esatls"]["dcid"] for hit in answer["hits"]["hits"]) == marked
    assert 0 < len(marked) < len(used)


def test_the_panel_of_outdated_partners(client: Client, apart: str) -> None:
    """Each partner stands with version and cipher, also where the log lacks one of them; it is the report's table, in more rows."""
    old, new, weak, strong = "TLSv1.1", "TLSv1.2", "DES-CBC3-SHA", "AES128-SHA"
    seen = [
        ("encrypted", "a.example.com", old, strong),
        ("encrypted", "a.example.com", new, weak),
        ("encrypted", "a.example.com", new, weak),
        ("encrypted", "a.example.com", new, strong),
        ("encrypted", "b.example.com", "SSLv3", "RC4-MD5"),
        ("encrypted", "b.example.com", "SSLv23", "RC4-MD5"),
        ("encrypted", "c.example.com", None, weak.lower()),
        ("encrypted", "c.example.com", old, None),
        ("encrypted", "d.example.com", new, strong),
        ("encrypted", "e.example.com", None, None),
        ("unused", "f.example.com", old, weak),
        ("mixed", "g.example.com", old, strong),
    ]
    records = [
        connection(direction, number, verdict, **{name: value for name, value in zip(("domain", "tls_version", "tls_cipher"), found) if value})
        for direction, part in (("delivery", seen), ("receiving", seen[:1]))
        for number, (verdict, *found) in enumerate(part)
    ]
    write(client, apart, records)
    rows = next(Layer(panel) for _, panel in LENS if panel["title"] == OUTDATED).ask(client, apart)
    assert rows == {
        ("ingress", "a.example.com", "1.1", strong): (1,),
        ("egress", "a.example.com", "1.1", strong): (1,),
        ("egress", "a.example.com", "1.2", weak): (2,),
        ("egress", "b.example.com", "3", "RC4-MD5"): (1,),
        ("egress", "b.example.com", "SSLv23", "RC4-MD5"): (1,),
        ("egress", "c.example.com", "__missing__", weak.lower()): (1,),
        ("egress", "c.example.com", "1.1", "__missing__"): (1,),
        ("egress", "g.example.com", "1.1", strong): (1,),
    }
    told: Any = build(records, [])
    for direction, name in (("receiving", "ingress"), ("delivery", "egress")):
        numbers: Counter[str] = Counter()
        for (way, partner, *_), (number,) in rows.items():
            numbers[partner] += number if way == name else 0
        assert {row["partner"]: row["connections"] for row in told[direction]["all"]["outdated"]} == +numbers


def test_the_panel_of_errors_that_are_no_failures(client: Client, apart: str) -> None:
    """Reasons of unused and unknown connections stand with their numbers; the panel of failures has none of them, but those without a reason, too."""
    seen = [("unknown", "a.example.com", "reset"), ("unused", "a.example.com", "reset"), ("unused", "b.example.com", "450"), ("unused", "c.example.com", None)]
    failed = [("failed", "d.example.com", "alert"), ("failed", "e.example.com", None), ("cleartext", "f.example.com", None)]
    records = [
        connection("delivery", number, verdict, domain=domain, **({"tls_reason": reason} if reason else {}))
        for number, (verdict, domain, reason) in enumerate([*seen, *failed])
    ]
    write(client, apart, records)
    layers = {panel["title"]: Layer(panel) for _, panel in LENS}
    assert layers["Errors that do not count as TLS failures"].ask(client, apart) == {
        ("egress", "a.example.com", "reset"): (1, 1),
        ("egress", "b.example.com", "450"): (1, 0),
    }
    rows = layers["Partners with TLS failures, and why"].ask(client, apart)
    assert rows == {("egress", "d.example.com", "alert"): (1, 0), ("egress", "e.example.com", "__missing__"): (1, 0)}


def test_panels_count_connections_whose_protocol_is_not_logged(client: Client, apart: str) -> None:
    """Cisco's plain `TLS success`, and a protocol that has no name in ECS, are among the protocols and ciphers, as they are in the report."""
    seen: list[dict[str, str]] = [{}, {"tls_version": "SSLv23"}, {"tls_version": "TLSv1.2", "tls_cipher": "AES128-SHA"}]
    write(client, apart, [connection("receiving", number, "encrypted", **found) for number, found in enumerate(seen)])
    layers = {panel["title"]: Layer(panel).ask(client, apart) for _, panel in LENS if panel["title"].startswith(("Protocols", "Ciphers"))}
    week = "1998-12-28T00:00:00.000Z"
    assert layers == {
        "Protocols of connections over TLS": {("__missing__", "__missing__"): (1,), ("__missing__", "SSLv23"): (1,), ("tls", "1.2"): (1,)},
        "Ciphers of connections over TLS": {("__missing__", "__missing__"): (1, 0), ("SSLv23", "__missing__"): (1, 0), ("1.2", "AES128-SHA"): (1, 0)},
        "Protocols, by week": {(week, "__missing__"): (1,), (week, "SSLv23"): (1,), (week, "1.2"): (1,)},
    }


def test_panels_count_what_names_no_appliance_and_no_mail_flow(empty: Client) -> None:
    """A line whose appliance is not known came in, too, and mail in clear text counts whether or not the log shows where it went."""
    lines = ["Info: ICID 5 close", "<22>Mar  3 10:00:03 esa1 mail_logs: Info: ICID 5 close"]
    index_lines(empty, lines)
    writer = writing.Writer(empty)
    record = {"received": "cleartext", "delivered": "none", "first_seen": "2026-03-03T08:14:06Z", "deliveries": []}
    writer.write(writer.document({**record, "mid": number, **flow}) for number, flow in enumerate(({}, {}, {"mail_flow": "incoming"})))
    empty.request("POST", "/logs-esatls.*/_refresh")
    rows = {title: Counter[str]() for title in ("Lines that came in, by appliance", "Last line of each appliance", "Messages in clear text, by week")}
    for _, panel in LENS:
        for key, numbers in Layer(panel).ask(empty, "logs-*").items() if panel["title"] in rows else ():
            rows[panel["title"]][key[-1]] += numbers[0]
    assert [*rows.values()] == [{"esa1": 1, "__missing__": 1}, {"esa1": 1, "__missing__": 1}, {"inbound": 1, "__missing__": 2}]


def test_the_esql_examples_read_fields_that_there_are() -> None:
    """Every field that an ES|QL example of the README names is mapped, or made by the example itself."""
    text = (corpus.ROOT / "logstash/README.md").read_text(encoding="utf-8")
    examples = re.findall(r"```esql\n(.*?)```", text, re.DOTALL)
    assert len(examples) >= 5
    for example in examples:
        view = re.match(r"FROM logs-(esatls\.\w+)-\*", example)
        assert view, example
        named = set(re.findall(r"(?<![\w.\"])@?[a-z]\w*(?:\.\w+)+", re.sub(r'"[^"]*"', '""', example)))
        assert named
        assert named - {view[1]} <= mapped(view[1].replace(".", "-")), example


def test_no_esql_example_compares_a_field_of_several_values(log: list[str]) -> None:
    """ES|QL finds no document whose field has several values with a comparison: such a field is expanded before."""
    text = (corpus.ROOT / "logstash/README.md").read_text(encoding="utf-8")
    several = {name for found in answers(log) for document in found for name, value in leaves(document) if isinstance(value, list) and len(value) > 1}
    assert "esatls.delivered.partner" in several
    for example in re.findall(r"```esql\n(.*?)```", text, re.DOTALL):
        compared = {name: at.start() for name in several for at in re.finditer(rf"(?<![\w.]){re.escape(name)} (?:==|!=|IN|LIKE|RLIKE) ", example)}
        assert {name for name, at in compared.items() if f"MV_EXPAND {name}\n" not in example[:at]} == set()
