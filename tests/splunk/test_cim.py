"""The records as events of CIM's data models: the fields of props.conf on the rows that the summary index has."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tests.core.test_closure import DAY, HOUR
from tests.splunk.answers import event
from tests.splunk.conf import DEFAULT, pcre2, read
from tests.splunk.dashboards.standin import scenario, source, spl
from tests.splunk.test_alerts import START, Events
from tests.splunk.test_summary import Site, span_of, traffic_events, within

if TYPE_CHECKING:
    from pathlib import Path

    from tests.splunk.driver import Splunk

pytestmark = pytest.mark.usefixtures("needs_pcre2")

PROPS = read(DEFAULT / "props.conf")["source::esatls records: *"]
EXTRACTIONS = [value for key, value in PROPS.items() if key.startswith("EXTRACT-")]

# Fields of the data models, and the values that they prescribe, as Splunk publishes them (CIM 5.1 and newer, Email and Network Traffic).
EMAIL = {
    "action", "dest", "internal_message_id", "message_id", "protocol", "recipient", "recipient_count", "recipient_domain", "return_addr", "src", "src_user",
    "src_user_domain", "subject", "vendor_product",
}  # fmt: skip
TRAFFIC = {"action", "app", "dest", "dest_port", "direction", "dvc", "protocol", "src", "transport", "vendor_product"}


@pytest.fixture(scope="module")
def events(splunks: list[Splunk], tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, dict[str, Any], spl.Row]]:
    """Return kind, record and fields of each event of the scenario's records."""
    site = source.of_lines(source.Package(splunks[-1].app, splunks[-1].python), scenario.lines(), tmp_path_factory.mktemp("summary") / "index")
    site.record(scenario.NOW.timestamp())
    return [fields_of(str(event["_raw"])) for event in site.index.events()]


NOWHERE = spl.Search({}, 0, 0, 0, Events([]))
EVALS = {key[5:]: spl.Parser(spl.tokens(value), NOWHERE).expression() for key, value in PROPS.items() if key.startswith("EVAL-")}


def fields_of(raw: str) -> tuple[str, dict[str, Any], spl.Row]:
    """Return kind, record and fields of an event."""
    row: spl.Row = {}
    for extraction, (found,) in zip(EXTRACTIONS, pcre2((extraction, [raw]) for extraction in EXTRACTIONS)):
        row.update(zip(re.findall(r"\(\?<(\w+)>", extraction), found[1:] if found else ()))
    fields: spl.Row = {name: value for name, value in ((name, expression(row)) for name, expression in EVALS.items()) if value is not None}
    return str(row.get("esatls_kind", "")), json.loads(str(row.get("esatls_record", "{}"))), fields


def test_one_event_for_each_mail(events: list[tuple[str, dict[str, Any], spl.Row]]) -> None:
    """A message has the fields of the model Email, and an action of its list or none; rows of facts and windows have no field at all."""
    mails = [(record, fields) for kind, record, fields in events if kind == "m"]
    assert len(mails) > 200
    assert {"action", "recipient", "src_user", "message_id", "subject"} <= set.union(*(set(fields) for _, fields in mails)) <= EMAIL | {"dvc"}
    assert {fields.get("action") for _, fields in mails} <= {"delivered", "blocked", None}
    by_mid = {str(record["mid"]): fields for record, fields in mails}
    record = next(record for record, _ in mails if record["mid"] == 51002)
    assert by_mid["51002"] == {
        "action": "delivered", "dest": record["deliveries"][0]["peer_ip"], "dvc": "esa1.example.com", "internal_message_id": 51002,
        "message_id": scenario.MESSAGE_ID,
        "protocol": "smtp", "recipient": ["ann@partner.example.net", "bob@fallback.example.org"], "recipient_count": 2,
        "recipient_domain": ["partner.example.net", "fallback.example.org"], "return_addr": "chief@example.com", "src": record["received_peer_ip"],
        "src_user": "chief@example.com", "src_user_domain": "example.com", "subject": scenario.SUBJECT, "vendor_product": "Cisco ESA",
    }  # fmt: skip
    assert by_mid["51004"]["src_user"] == scenario.HOSTILE_SENDER
    assert [fields for kind, _, fields in events if not kind] == [{}] * sum(not kind for kind, _, _ in events)


def test_one_event_for_each_connection(events: list[tuple[str, dict[str, Any], spl.Row]]) -> None:
    """A connection has the fields of the model Network Traffic; what the host access table refused is blocked."""
    connections = [(record, fields) for kind, record, fields in events if kind == "c"]
    assert len(connections) > 200
    assert set.union(*(set(fields) for _, fields in connections)) == TRAFFIC
    assert {(fields["app"], fields["transport"], fields["protocol"]) for _, fields in connections} == {("smtp", "tcp", "ip")}
    assert {(record["esa_direction"], fields["direction"]) for record, fields in connections} == {("receiving", "inbound"), ("delivery", "outbound")}
    assert {fields["action"] for record, fields in connections if record.get("hat_action") == "REJECT"} == {"blocked"}
    assert {fields["action"] for record, fields in connections if record.get("hat_action") != "REJECT"} == {"allowed"}
    assert all(record["peer_ip"] in {fields["src"], fields["dest"]} for record, fields in connections)


GREYLISTED = """\
New SMTP ICID 5 interface Data 1 (192.0.2.1) address 198.51.100.7 reverse dns host mx.partner.example.com verified yes
ICID 5 RELAY SG RELAYLIST match ALL SBRS None
Start MID 15 ICID 5
MID 15 ICID 5 From: <alice@example.com>
MID 15 ICID 5 RID 0 To: <bob@example.net>
New SMTP DCID 8 interface 192.0.2.1 address 203.0.113.25 port 25
Delayed: DCID 8 MID 15 to RID 0 - 4.3.2 - Later {"outcome":"done","peer_ip":"203.0.113.99"} ('451', ['try again'])
New SMTP DCID 9 interface 192.0.2.1 address 203.0.113.26 port 25
"""
DELIVERED = "Message done DCID 9 MID 15 to RID [0]\nMessage finished MID 15 done\n"


@pytest.mark.parametrize(("log", "action", "dest"), [(GREYLISTED, None, "203.0.113.25"), (GREYLISTED + DELIVERED, "delivered", "203.0.113.26")])
def test_destination_is_the_host_that_took_the_mail(splunks: list[Splunk], log: str, action: str | None, dest: str) -> None:
    """A mail that one host delayed and another took was delivered to the other; one that none took yet has the host that was tried first."""
    lines = [*log.splitlines(), *(f"{side} close" for side in ("ICID 5", "DCID 8", "DCID 9")), "Message finished MID 15 aborted"]
    events = [{**event(f"Info: {text}"), "_time": str(START + 600 + at)} for at, text in enumerate(lines)]
    rows = splunks[-1].report("esatlssummary", events, span=(START, START + 3600)).rows
    (fields,) = (fields for kind, _, fields in (fields_of(str(row["_raw"])) for row in rows) if kind == "m")
    assert (fields.get("action"), fields["dest"]) == (action, dest)


@pytest.mark.parametrize("response", ["x" * 4000, 'say "peer_ip":"192.0.2.99" {\\' * 400])
def test_destination_behind_a_long_response(response: str) -> None:
    """Of two deliveries with long responses, the first of which names no host, it is the host of the second."""
    attempts = [{"dcid": dcid, "outcome": "done", "response": response, **peer} for dcid, peer in ((7, {}), (8, {"peer_ip": "203.0.113.25"}))]
    record = json.dumps({"mid": 15, "delivered": "cleartext", "deliveries": attempts}, separators=(",", ":"))
    assert fields_of(f"2024-03-05T10:00:01Z kind=m level=hour {record}")[2]["dest"] == "203.0.113.25"


def test_no_record_is_there_twice(splunks: list[Splunk], tmp_path: Path) -> None:
    """A mail or a connection is one event, however often its day was judged before it was over, and none is left out."""
    start = span_of(traffic_events(3))[0]
    end = start // DAY * DAY + DAY
    events = within(traffic_events(3), start, end)
    site = Site(splunks[0], tmp_path / "index", events)
    for hour in range(start, end, HOUR):
        site.hours(hour, hour + HOUR, mapped=False)
        site.rest("day")

    def records(terms: str) -> Counter[str]:
        return Counter(str(row["_raw"]).partition("{")[2] for row in site.index.search(terms, start, end))

    for kind, event_type in (("m", "mail"), ("c", "connection")):
        terms = read(DEFAULT / "eventtypes.conf")[f"esatls_record_of_{event_type}"]["search"].replace("`esatls_records` ", "")
        every, found = records(f"TERM(kind={kind})"), records(terms)
        assert max(every.values()) > 1
        assert found == Counter(every.keys())
