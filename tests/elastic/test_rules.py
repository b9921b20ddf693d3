"""Kibana's rules: of a form that its interfaces take, on fields that there are, and each finds what it is for."""

from __future__ import annotations

import json
import re
import uuid
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from esatls.elastic import must_encrypt
from esatls.elastic.client import Client, ElasticError
from esatls.elastic.documents import connection_document
from esatls.elastic.join import join
from esatls.elastic.kibana import DETECTIONS as PATH
from esatls.elastic.kibana import id_in, load_detections
from esatls.elastic.load import load
from esatls.report.must_encrypt import check, read_rules
from esatls.verdicts.partners import partners_of

from tests.core.support import records_of
from tests.elastic import corpus
from tests.elastic.kql import Kql, fields_of
from tests.elastic.store import index_lines
from tests.elastic.test_kibana import mapped
from tests.elastic.test_setup import StandIn, run
from tests.report.support import LISTED, MAIL_WITH_LISTED, VERSIONS, connection

if TYPE_CHECKING:
    from pathlib import Path


def lines_of(name: str) -> list[dict[str, Any]]:
    """Return the rules of a file."""
    return [json.loads(line) for line in (corpus.ROOT / f"logstash/kibana/{name}.ndjson").read_text(encoding="utf-8").splitlines()]


ALERTS = {one["name"].removeprefix("ESA TLS: "): one for one in lines_of("alerts")}
DETECTIONS = {one["name"].removeprefix("ESA TLS: "): one for one in lines_of("detections")}
# of the schema of an Elasticsearch query rule (Kibana's stack_alerts: es_query/rule_type_params.ts)
PARAMS = {
    "size",
    "timeWindowSize",
    "timeWindowUnit",
    "timeField",
    "threshold",
    "thresholdComparator",
    "aggType",
    "groupBy",
    "excludeHitsFromPreviousRun",
    "searchType",
}


def view_of(pattern: str) -> str:
    """Return the template that maps a data stream's fields."""
    found = re.fullmatch(r"logs-(esatls)\.(\w+)-\*", pattern)
    assert found, pattern
    return f"{found[1]}-{found[2]}"


def test_alerts_are_what_kibana_takes() -> None:
    """Each has the parameters that its kind wants, an id as Kibana wants it, and is switched off."""
    ids = [one["id"] for one in ALERTS.values()]
    assert len(ids) == len(set(ids))
    for one in ALERTS.values():
        assert uuid.UUID(one["id"]).version == 4
        assert set(one) == {"id", "name", "tags", "rule_type_id", "consumer", "schedule", "params", "actions", "enabled"}
        assert (one["rule_type_id"], one["consumer"], one["actions"], one["enabled"]) == (".es-query", "stackAlerts", [], False)
        params = one["params"]
        if params["searchType"] == "esqlQuery":
            # what validateParams asks of ES|QL
            assert set(params) == PARAMS | {"esqlQuery"}
            assert (params["thresholdComparator"], params["threshold"], params["timeField"]) == (">", [0], "@timestamp")
            view = re.match(r"FROM (\S+)\n", params["esqlQuery"]["esql"])
            assert view
            text = params["esqlQuery"]["esql"].replace(view[1], "")
            named = set(re.findall(r"(?<![\w.\"])@?[a-z]\w*(?:\.\w+)+|@timestamp", re.sub(r'"[^"]*"', '""', text)))
            assert named <= mapped(view_of(view[1]))
        else:
            assert params["searchType"] == "esQuery"
            assert set(params) - {"termField", "termSize"} == PARAMS | {"index", "esQuery"}
            assert ("termField" in params) == ("termSize" in params) == (params["groupBy"] == "top")
            (index,) = params["index"]
            named = {params[name] for name in ("termField", "timeField") if name in params}
            assert fields_of(json.loads(params["esQuery"])["query"]) | named <= mapped(view_of(index))


def test_detections_are_what_the_detection_engine_takes() -> None:
    """Each has what its kind wants, reads fields that there are, and is switched off."""
    assert len({one["rule_id"] for one in DETECTIONS.values()}) == len(DETECTIONS)
    for one in DETECTIONS.values():
        assert {"rule_id", "name", "description", "risk_score", "severity", "type", "query", "language", "index", "interval", "from"} <= set(one)
        assert not one["enabled"]
        (index,) = one["index"]
        grouped = one["new_terms_fields"] if one["type"] == "new_terms" else one["threshold"]["field"]
        assert Kql(one["query"]).fields | {*grouped} <= mapped(view_of(index))
        # by what was written last, all values of an old log that is loaded would be new
        assert ("timestamp_override" in one) == (one["type"] != "new_terms")


def test_the_detection_finds_each_deprecated_protocol() -> None:
    """It finds those that the report marks, also one for which ECS has no version, and no others."""
    query = Kql(DETECTIONS["a deprecated protocol is used"]["query"])
    documents = {version: connection_document(connection("receiving", 1, "encrypted", tls_version=version)) for version, _ in VERSIONS}
    assert [version for version, document in documents.items() if query.matches(document)] == [version for version, old in VERSIONS if old]


HEAD = "Info: "
CERTIFICATE = "TLS failed: (336151574, 'error:14094416:SSL routines:ssl3_read_bytes:sslv3 alert certificate unknown')"


def log() -> list[str]:
    """Return a log of today: a deprecated protocol, a certificate that was not accepted, and a listed partner's mail in clear text."""
    texts = [
        *opened(1, "old.example.net"), "ICID 1 TLS success protocol TLSv1 cipher AES128-SHA", *message(1, "old.example.net"),
        *opened(2, "bank.example"), *message(2, "bank.example"),
        *opened(3, "new.example.org"), "ICID 3 TLS success protocol TLSv1.3 cipher TLS_AES_256_GCM_SHA384", *message(3, "new.example.org"),
        *opened(4, "odd.example.org"), f"ICID 4 {CERTIFICATE}", "ICID 4 close",
    ]  # fmt: skip
    return of_today(texts)


def failed(icid: int, words: str, minutes: int = 5) -> list[str]:
    """Return a log: a connection whose handshake failed, in words of OpenSSL."""
    return of_today([*opened(icid, "odd.example.org"), f"ICID {icid} TLS failed: (336151576, 'error:14094418:SSL routines:SSL3_READ_BYTES:{words}')"], minutes)


def of_today(texts: list[str], minutes: int = 5) -> list[str]:
    """Return texts as lines of some minutes ago."""
    stamp = (datetime.now(timezone.utc) - timedelta(minutes=minutes)).strftime("%a %b %d %H:%M:%S %Y")
    return [f"{stamp} {HEAD}{text}" for text in texts]


def opened(icid: int, host: str) -> list[str]:
    """Return the opening line of a connection."""
    return [f"New SMTP ICID {icid} interface Data 1 (192.0.2.9) address 198.51.100.{icid} reverse dns host mx.{host} verified yes"]


def message(number: int, domain: str) -> list[str]:
    """Return the lines of a message that came in."""
    return [
        f"Start MID {number} ICID {number}",
        f"MID {number} ICID {number} From: <ann@{domain}>",
        f"Message finished MID {number} done",
        f"ICID {number} close",
    ]


UNGROUPED = {"logs-esatls.messages-*": "email.local_id", "logs-esatls.events-*": "esatls.icid", "logs-esatls.runs-*": "event.action"}


def hits(client: Client, params: dict[str, Any], *, late: int = 120, behind: list[str] | None = None) -> set[str]:
    """Return the groups that an alert's query finds in its window; of one without groups, the ids of the messages or the connections, or the runs.

    It runs ``late`` seconds from now. ``behind`` has the time of the latest that the runs before it have found, if any, and gets that of this run: as Kibana
    does it, nothing that is not later is found again.
    """
    field = params["timeField"]
    now = f"{(datetime.now(timezone.utc) + timedelta(seconds=late)).isoformat(timespec='milliseconds').replace('+00:00', 'Z')}||"
    window: dict[str, Any] = {"range": {field: {"gte": f"now-{params['timeWindowSize']}{params['timeWindowUnit']}", "lte": "now"}}}
    left_out = [{"range": {field: {"lte": time}}} for time in behind or ()]
    query = {"bool": {"filter": [json.loads(params["esQuery"])["query"], window], "must_not": left_out}}
    (index,) = params["index"]
    body = {"size": 100, "query": json.loads(re.sub(r'"now\b', f'"{now}', json.dumps(query))), "sort": [{field: "desc"}], "docvalue_fields": [field]}
    found = client.request("POST", f"/{index}/_search", body)["hits"]["hits"]
    if behind is not None and found:
        behind[:] = found[0]["fields"][field]
    names = set()
    for hit in found:
        value: Any = hit["_source"]
        for part in params.get("termField", UNGROUPED.get(index, "")).split("."):
            value = value.get(part, {})
        names.add(str(value))
    return names


def test_alerts_find_what_they_are_for(empty: Client) -> None:
    """On a log of today, each alert that is a query finds its own documents and no others."""
    index_lines(empty, log(), host="esa1")
    index_lines(empty, failed(5, "tlsv1 alert unknown ca"), host="esa2")
    index_lines(empty, failed(6, "no shared cipher"), host="esa3")
    # of no appliance; late; and of an old log, which is no news
    index_lines(empty, [*failed(7, "Bad Certificate"), *failed(8, "alert bad certificate", 180), *failed(9, "alert bad certificate", 2880)])
    index_lines(empty, of_today(["ICID 10 TLS failed: Verification failed"]))
    join(empty, overlap=0)
    must_encrypt.put(empty, ["bank.example", "new.example.org"], ["other.example"])
    empty.request("POST", "/logs-esatls.*/_refresh")
    found = {name: hits(empty, one["params"]) for name, one in ALERTS.items() if "esQuery" in one["params"]}
    assert found.pop("no lines come in") >= {"1", "7", "9"}
    assert found == {
        "no run of the join succeeds": {"join"},
        "the server rejects records": set(),
        "a deprecated protocol is used": {"old.example.net"},
        "receiving fails because of a certificate": {"4", "5", "7", "8", "10"},
        "mail of a partner that must use TLS went in clear text": {"2"},
    }
    detected = {}
    for name, one in DETECTIONS.items():
        recent = [{"range": {"@timestamp": {"gte": one["from"]}}}] if one["type"] == "new_terms" else [part["query"] for part in one["filters"]]
        query = {"bool": {"filter": [Kql(one["query"]).query(), *recent]}}
        answer = empty.request("POST", f"/{one['index'][0]}/_search", {"size": 100, "query": query})
        groups = one["new_terms_fields"] if one["type"] == "new_terms" else one["threshold"]["field"]
        assert groups == ["esatls.partner"]
        detected[name] = {(hit["_source"]["esatls"]["icid"], hit["_source"]["esatls"]["partner"]) for hit in answer["hits"]["hits"]}
    assert detected == {
        "a partner's connection went in clear text for the first time": {(2, "bank.example")},
        "a deprecated protocol is used": {(1, "old.example.net")},
        "receiving fails because of a certificate": {*((number, "mx.odd.example.org") for number in (4, 5, 7, 8)), (10, "unknown")},
    }


@pytest.mark.parametrize(
    ("alert", "found"),
    [("mail of a partner that must use TLS went in clear text", {"1", "2"}), ("a deprecated protocol is used", {"mx1.example.net", "mx2.example.net"})],
)
def test_an_alert_misses_no_record_that_is_found_later_than_another(empty: Client, alert: str, found: set[str]) -> None:
    """Each is found by one run of the alert, though a search may find it only after one that was written later, and its mail may be older."""
    must_encrypt.put(empty, ["bank.example"], [])
    params, behind = ALERTS[alert]["params"], list[str]()
    opened_at = [(datetime.now(timezone.utc) - timedelta(minutes=ago)).strftime("%Y-%m-%dT%H:%M:%SZ") for ago in (90, 5)]
    runs = []
    for number, late in ((2, 0), (1, 120), (0, 120)):
        if number:
            time = opened_at[number - 1]
            connection = {"esa_host": "esa1", "esa_direction": "receiving", "icid": number, "opened": time, "tls_verdict": "encrypted", "messages": 1}
            message = {"esa_host": "esa1", "mid": number, "received": "cleartext", "mail_flow": "incoming", "sender": "ann@bank.example"}
            records = [
                {**connection, "tls_version": "TLSv1", "peer_host": f"mx{number}.example.net"},
                {**message, "delivered": "none", "deliveries": [], "first_seen": time},
            ]
            assert load(empty, [[json.dumps(one) for one in records]]) == (2, 0)
            empty.request("POST", "/logs-esatls.*/_refresh")
        runs.append(hits(empty, params, late=late, behind=behind))
    assert runs == [set(), found, set()]


SENT = """\
New SMTP ICID 5 interface Data 2 (192.0.2.11) address 192.0.2.25 reverse dns host mail.example.com verified yes
ICID 5 RELAY SG RELAYLIST match 192.0.2.25 SBRS not enabled
New SMTP DCID 1 interface 192.0.2.11 address 203.0.113.1 port 25
New SMTP DCID 2 interface 192.0.2.11 address 203.0.113.2 port 25
DCID 2 TLS success protocol TLSv1.3 cipher TLS_AES_256_GCM_SHA384
Start MID 5 ICID 5
MID 5 ICID 5 RID 0 To: <a@bank.example>
MID 5 ICID 5 RID 1 To: <b@other.example>
Message done DCID 2 MID 5 to RID [0]
Message done DCID 1 MID 5 to RID [1]
Start MID 6 ICID 5
MID 6 ICID 5 RID 0 To: <a@bank.example>
MID 6 ICID 5 RID 1 To: <b@bank.example>
Message done DCID 1 MID 6 to RID [0]
Message done DCID 9 MID 6 to RID [1]
Start MID 7 ICID 5
MID 7 ICID 5 RID 0 To: <a@m\u00fcller.example.>
Message done DCID 1 MID 7 to RID [0]
Start MID 8 ICID 5
MID 8 ICID 5 RID 0 To: <a@bank.example>
MID 8 ICID 5 RID 1 To: <b@other.example>
Message done DCID 9 MID 8 to RID [0, 1]
"""


@pytest.mark.parametrize(
    ("listed", "log", "told"),
    [("domain,direction\nbank.example,delivery\nm\u00fcller.example,both\n", SENT, {"6", "7"}), (LISTED, MAIL_WITH_LISTED, {"1", "4", "14", "15", "16"})],
)
def test_the_alert_tells_of_listed_partners_what_check_tells(empty: Client, tmp_path: Path, listed: str, log: str, told: set[str]) -> None:
    """Clear text to a listed partner alerts whatever is not known of the rest, by its name in DNS; clear text to others on the same message does not.

    The messages came days ago: what counts is when their deliveries were joined. Rows with * are left out.
    """
    stamp = (datetime.now(timezone.utc) - timedelta(days=4)).strftime("%a %b %d %H:%M:%S %Y")
    lines = [f"{stamp} {HEAD}{text}" for text in log.splitlines()]
    partners = tmp_path / "partners.csv"
    partners.write_text(listed, encoding="utf-8")
    index_lines(empty, lines, host="esa1")
    join(empty, overlap=0)
    assert run("must-encrypt", "--url", empty.url, str(partners))[0] == 0
    empty.request("POST", "/logs-esatls.*/_refresh")
    _, messages = records_of("\n".join(lines))
    checked = check([rule for rule in read_rules(str(partners)) if "*" not in rule.domain], messages)
    broken = {str(mail.record["mid"]) for partner in checked for mail in partner.mail if mail.verdict != "unknown"}
    assert hits(empty, ALERTS["mail of a partner that must use TLS went in clear text"]["params"]) == broken == told
    unknown = {"query": Kql("esatls.delivered.unknown_partner : *").query()}
    found = {hit["_source"]["email"]["local_id"] for hit in empty.request("POST", "/logs-esatls.messages-*/_search", unknown)["hits"]["hits"]}
    assert found == {str(record["mid"]) for record in messages if any(side == "delivery" and verdict == "unknown" for side, verdict, _ in partners_of(record))}


def test_the_list_is_loaded_from_the_csv_of_check(empty: Client, tmp_path: Path) -> None:
    """Each side gets its domains, patterns are told, and a second load replaces the first."""
    partners = tmp_path / "partners.csv"
    for text, said in (
        ("domain,direction\nBank.example,both\n*.example.org,receiving\n", "1 partners for incoming mail, 1 for outgoing mail"),
        ("domain,direction\nbank.example,delivery\nother.example,delivery\n", "0 partners for incoming mail, 2 for outgoing mail"),
    ):
        partners.write_text(text, encoding="utf-8")
        code, lines, errors = run("must-encrypt", "--url", empty.url, str(partners))
        assert (code, lines) == (0, [said])
        assert errors == ("esatls: rows with * were left out, because the server compares whole names: 1\n" if "*" in text else "")
    source = empty.request("GET", f"/{must_encrypt.INDEX}/_doc/{must_encrypt.DOCUMENT}")["_source"]
    assert source == {"receiving": [], "delivery": ["bank.example", "other.example"]}


class Serverless(Client):
    """A project that has no index yet, and refuses settings of shards and replicas."""

    def __init__(self) -> None:
        """Keep what is asked for."""
        super().__init__("http://127.0.0.1:1")
        self.taken: list[tuple[str, str, Any]] = []

    def request(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:  # noqa: ARG002
        """Take everything else."""
        if method == "GET" or "settings" in body:
            raise ElasticError(f"{method} {path}: refused", 404 if method == "GET" else 400)
        self.taken.append((method, path, body))
        return {"result": "created"}


def test_a_serverless_project_takes_the_list() -> None:
    """Where a server refuses the settings of the index, it is created without them."""
    project = Serverless()
    assert must_encrypt.put(project, ["b.example", "A.example"], []) == (2, 0)
    assert project.taken == [
        ("PUT", "/esatls-must-encrypt", {"mappings": {"dynamic": False}}),
        ("PUT", "/esatls-must-encrypt/_doc/list?refresh=true", {"receiving": ["a.example", "b.example"], "delivery": []}),
    ]


def test_a_list_that_is_too_long_is_refused() -> None:
    """A list of more domains than a lookup can have is not loaded in part: no alert would come for the rest."""
    project = Serverless()
    with pytest.raises(ElasticError, match=r"^the list has 65,537 domains for delivery: a lookup can have 65,536$"):
        must_encrypt.put(project, [], (f"p{number}.example" for number in range(65_537)))
    assert project.taken == []


STATUS = {"status": {"overall": {"level": "available"}}, "version": {"number": "9.1.0"}}


def test_rules_are_created_once() -> None:
    """What is there stays as it is; each rule is asked for by its id in the space."""
    paths = {f"/s/mail/api/alerting/rule/{id_in('mail', one['id'])}": (409 if number else 200, {"id": one["id"]}) for number, one in enumerate(ALERTS.values())}
    conflict = {"rule_id": "x", "error": {"status_code": 409, "message": "already exists"}}
    with StandIn({"/api/status": (200, STATUS), **paths, f"/s/mail{PATH}": (200, {"success": False, "errors": [conflict]})}) as kibana:
        code, lines, errors = run("rules", "--kibana-url", kibana.url, "--space", "mail")
    assert (code, errors) == (0, "")
    assert lines == [f"alert rules: 1 created, {len(ALERTS) - 1} unchanged", f"detection rules: {len(DETECTIONS) - 1} created, 1 unchanged"]
    assert all(headers["kbn-xsrf"] == "true" for method, _, headers, _ in kibana.requests if method == "POST")
    bodies = [json.loads(body) for _, path, _, body in kibana.requests if "/api/alerting/rule/" in path]
    assert bodies == [{name: value for name, value in one.items() if name != "id"} for one in ALERTS.values()]


def test_the_id_of_an_alert_is_another_one_in_each_space() -> None:
    """Kibana has each id once in all spaces: it stays the same in one, and is a random UUID to look at."""
    found = {id_in(space, one["id"]) for space in ("", "mail", "audit") for one in ALERTS.values()}
    assert len(found) == 3 * len(ALERTS)
    assert {uuid.UUID(one).version for one in found} == {4}
    assert id_in("default", "e58c7bba-279c-47fd-a51a-cc7e54672ca9") == id_in("", "e58c7bba-279c-47fd-a51a-cc7e54672ca9")
    assert id_in("mail", "e58c7bba-279c-47fd-a51a-cc7e54672ca9") == id_in("mail", "e58c7bba-279c-47fd-a51a-cc7e54672ca9")


def test_what_kibana_rejects_is_named() -> None:
    """Its reason is told in one line."""
    broken = {"rule_id": "x", "error": {"status_code": 400, "message": "no such field"}}
    rejected = pytest.raises(ElasticError, match=r"^http://\S+: Kibana rejected the detections: no such field$")
    with StandIn({PATH: (200, {"success": False, "errors": [broken]})}) as kibana, rejected:
        load_detections(Client(kibana.url), "")
