"""AdditionalExtensions of Microsoft Sentinel in a stream: read where it stands alone or in its own field, and nowhere else."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING

import pytest
from esatls import Counts, Facts, messages
from esatls.extraction import cef, event_stream
from esatls.extraction.match import extract

if TYPE_CHECKING:
    from esatls.extraction.event_record import EventRecord

FIELDS = "ESAMID=7;ESAICID=5;ESADCID=3;ESAMailFlowPolicy=ACCEPT;ESATLSInConnStatus=Success;ESATLSOutConnStatus=Failure;ESATLSOutProtocol=TLSv1.2"
EVENT = {
    "esa_event": "consolidated_event", "witness": "cef", "mid": 7, "icid": 5, "dcid": 3, "hat_action": "ACCEPT", "tls_in_result": "success",
    "tls_out_result": "failed", "tls_out_version": "TLSv1.2",
}  # fmt: skip
NATIVE = "Mon Jun  2 14:01:31 2025 Info: "


def events(*lines: str, counts: Counts | None = None) -> list[EventRecord]:
    """Return the events of lines."""
    return list(event_stream.events(lines, counts=counts))


def test_the_fields_alone_are_a_line() -> None:
    """The column alone, one record a line, as an export has it."""
    counts = Counts()
    assert events(FIELDS, FIELDS.replace("ESAMID=7", "ESAMID=8"), counts=counts) == [EVENT, {**EVENT, "mid": 8}]
    assert (counts.events, counts.ignored, counts.unreadable) == (2, 0, 0)


@pytest.mark.parametrize("field", ["AdditionalExtensions", "message", "_raw"])
def test_a_json_record_holds_it(field: str) -> None:
    """A row of the table CommonSecurityLog as JSON: with the time and the host that Sentinel knows."""
    row = {"TimeGenerated": "2025-06-02T12:01:33.5Z", "Computer": "esa1", "DeviceVendor": "Cisco", "Message": "ICID 9 TLS success", field: FIELDS}
    subject = {"subject": "ICID 9 TLS success"} if field == "AdditionalExtensions" else {}  # its column, as the record lacks it
    assert events(json.dumps(row)) == [{"time": "2025-06-02T12:01:33.500Z", "esa_host": "esa1", **EVENT, **subject}]


def test_its_verdicts_are_those_of_a_whole_record() -> None:
    """The message was received over TLS, by the witness of the consolidated event."""
    facts = Facts()
    for event in events(json.dumps({"TimeGenerated": "2025-06-02T12:01:33Z", "Computer": "esa1", "AdditionalExtensions": FIELDS})):
        facts.add(event)
    (message,) = messages(facts)
    assert (message["mid"], message["received"], message["received_witness"]) == (7, "encrypted", ["cef"])


def test_columns_of_their_own_are_part_of_the_record() -> None:
    """What was done, sender and recipient stand in columns beside: with them, a delivery is stated."""
    row = {
        "Computer": "esa1", "DeviceAction": "DELIVERED", "SourceUserName": "ann@example.org", "DestinationUserName": "bob@example.com;carol@example.com",
        "SourceIP": "198.51.100.7", "AdditionalExtensions": FIELDS,
    }  # fmt: skip
    told = {"action": "DELIVERED", "sender": "ann@example.org", "recipient": "bob@example.com;carol@example.com", "peer_ip": "198.51.100.7"}
    assert events(json.dumps(row)) == [{"esa_host": "esa1", **EVENT, **told}]


@pytest.mark.parametrize("forged", ["x;ESATLSOutConnStatus=Success", "x ESAMID=8", "x\nICID 5 TLS success", "x=y", ["x"], 5, "", None])
def test_a_column_states_nothing_but_its_own_field(forged: object) -> None:
    """A stranger's text in a column is no further field and no further line."""
    row = {"SourceUserName": forged, "DestinationUserName": forged, "AdditionalExtensions": FIELDS}
    assert events(json.dumps(row)) == [EVENT]


@pytest.mark.parametrize(
    "text",
    [
        FIELDS.replace(";", " "),
        "x " + FIELDS,
        " " + FIELDS,
        ";" + FIELDS,
        "deviceExternalId=1;" + FIELDS,
        "ESAFriendlyFrom=x;" + FIELDS,
        "suser=" + FIELDS,
        '"' + FIELDS + '"',
        "ESAMID=7",
        "ESAMID=7;",
        "ESAMID=7;x",
        "ESAMID=;ESAICID=5",
        "ESAMID=x;ESAICID=5;ESATLSInConnStatus=Success",
        "ESAMID=7 ;ESAICID=5",
        "ESAMID=1234567890123456789;ESAICID=5",
        "esamid=7;ESAICID=5",
        "ESADCID=3;ESAICID=5;ESATLSInConnStatus=Success",
        "MID 1 Custom Log Entry: " + FIELDS,
        "Custom Log Entry: " + FIELDS,
        f"MID 1 Subject '{FIELDS}'",
        f"MID 1 ICID 2 From: <{FIELDS}@example.org>",
    ],
)
def test_lookalikes_are_no_consolidated_event(text: str) -> None:
    """Only text that begins with the ids and goes on with another field is a record; what a stranger can write never begins a text."""
    for line in (text, NATIVE + text, json.dumps({"AdditionalExtensions": text})):
        assert [event for event in events(line) if event["esa_event"] == "consolidated_event"] == []
    assert (extract(text) or {}).get("esa_event") != "consolidated_event"


def test_a_line_feed_in_a_stranger_s_text_begins_no_record() -> None:
    """A subject or header with a line feed in it goes on in the next line; a record in it is a part of it."""
    for stranger in ("MID 1 Subject 'x", "MID 1 ICID 2 From: <x", "Message done DCID 1 MID 1 to RID [0] [('X-Y', 'x"):
        found = events(NATIVE + stranger, FIELDS, FIELDS + "'", NATIVE + "ICID 5 close")
        assert [event["esa_event"] for event in found if event.get("witness")] == []


def test_strangers_state_no_tls_among_joined_fields() -> None:
    """A field behind a stranger's own text is not stated, whatever he closes it with."""
    for forgery in ("x;ESATLSInConnStatus=Success", "x';ESATLSInConnStatus=Success", "<x>;ESATLSInConnStatus=Success;ESATLSInProtocol=TLSv1.3"):
        for key in ("ESAFriendlyFrom", "ESAHeloDomain", "ESAReplyTo"):
            (event,) = events(f"ESAMID=7;ESAICID=5;{key}={forgery}")
            assert {name for name in event if name.startswith("tls_")} == set()


def test_joined_records_in_a_known_order() -> None:
    """Once the order of the joined keys is known a record gives what it gives alone, a forged one too."""
    form = (
        "ESAMID={0};ESAICID=5;suser=ann{0}@example.org;ESAHeloDomain={1};msg='{2}';cs2=United States;"
        "ESATLSInCipher=AES128-SHA;ESATLSInConnStatus=Success;act=DELIVERED;ESADCID=3"
    )
    hosts = ("mx.example.org", "x;ESATLSInConnStatus=Failure", "x;ESAMID=9", "<x>;ESATLSOutConnStatus=Success", "", "a b", "x;", "x=y")
    subjects = ("hello", "x;y", "x';ESATLSOutConnStatus=Success;z='", "a=b", "\\;", '"', "")
    texts = [form.format(number, host, subject) for number, (host, subject) in enumerate(itertools.product(hosts, subjects))]
    alone = []
    for text in texts:
        cef._LAYOUTS.known.clear()  # noqa: SLF001 - what a process has learned
        cef._LAYOUTS._headers.clear()  # noqa: SLF001
        alone.append(cef.parse(text))
    for number in range(200):
        assert cef.parse(form.format(number, hosts[0], subjects[0])) == {**(alone[0] or {}), "mid": number, "sender": f"ann{number}@example.org"}
    assert any(header.startswith(";") for header in cef._LAYOUTS.known)  # noqa: SLF001
    assert [cef.parse(text) for text in texts] == alone
