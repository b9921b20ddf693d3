"""The three witnesses of the same messages, merged: they agree, fill each other's holes, and order does not matter."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from esatls.extraction import tracking
from esatls.verdicts import records as verdicts
from esatls.verdicts.facts import Facts

from tests.core.support import read_facts

TEXT = """\
Wed Nov 20 19:47:40 2024 Info: New SMTP ICID 71 interface Data 1 (192.0.2.1) address 198.51.100.4 reverse dns host unknown verified no
Wed Nov 20 19:47:40 2024 Info: ICID 71 ACCEPT SG PARTNERS match .example.org SBRS 4.1 country Norway
Wed Nov 20 19:47:41 2024 Info: ICID 71 TLS success protocol TLSv1.2 cipher ECDHE-RSA-AES256-GCM-SHA384
Wed Nov 20 19:47:41 2024 Info: Start MID 81 ICID 71
Wed Nov 20 19:47:41 2024 Info: MID 81 ICID 71 From: <ann@example.org>
Wed Nov 20 19:47:41 2024 Info: MID 81 ICID 71 RID 0 To: <bob@example.com>
Wed Nov 20 19:47:41 2024 Info: MID 81 ICID 71 RID 1 To: <carol@example.com>
Wed Nov 20 19:47:42 2024 Info: MID 81 Subject 'hello'
Wed Nov 20 19:47:42 2024 Info: MID 81 matched all recipients for per-recipient policy DEFAULT in the inbound table
Wed Nov 20 19:47:42 2024 Info: ICID 71 close
Wed Nov 20 19:47:43 2024 Info: New SMTP DCID 91 interface 192.0.2.1 address 203.0.113.5 port 25
Wed Nov 20 19:47:44 2024 Info: DCID 91 TLS success protocol TLSv1.3 cipher TLS_AES_256_GCM_SHA384
Wed Nov 20 19:47:44 2024 Info: Delivery start DCID 91 MID 81 to RID [0, 1]
Wed Nov 20 19:47:45 2024 Info: Message done DCID 91 MID 81 to RID [0, 1]
Wed Nov 20 19:47:45 2024 Info: Message finished MID 81 done
Wed Nov 20 19:47:50 2024 Info: DCID 91 close
""".splitlines()

CEF = [
    (
        "<22>Nov 20 19:47:45 consolidated_event: CEF:0|Cisco|C600V Email Security Virtual Appliance|14.3.0-032|"
        "ESA_CONSOLIDATED_LOG_EVENT|Consolidated Log Event|5|deviceExternalId=0123456789AB-EXAMPLE ESAMID=81 ESAICID=71 ESADCID=91 "
        "endTime=Wed Nov 20 19:47:45 2024 deviceDirection=0 ESAMailFlowPolicy=ACCEPT suser=ann@example.org act=DELIVERED "
        "duser=bob@example.com;carol@example.com sourceHostName=unknown ESASenderGroup=PARTNERS sourceAddress=198.51.100.4 "
        "msg='hello' ESATLSInCipher=ECDHE-RSA-AES256-GCM-SHA384 ESATLSInConnStatus=Success ESATLSInProtocol=TLSv1.2 "
        "ESATLSOutCipher=TLS_AES_256_GCM_SHA384 ESATLSOutConnStatus=Success ESATLSOutProtocol=TLSv1.3"
    ),
]

TRACKING = {
    "summary": [
        {"timestamp": f"20 Nov 2024 {stamp} (GMT)", "description": description}
        for stamp, description in (
            ("19:47:40", "Protocol SMTP interface Data 1 (IP 192.0.2.1) on incoming connection (ICID 71) from sender IP 198.51.100.4."),
            ("19:47:40", "(ICID 71) ACCEPT sender group PARTNERS match .example.org SBRS 4.1 country Norway"),
            ("19:47:41", "Incoming connection (ICID 71) successfully accepted TLS protocol TLSv1.2 cipher ECDHE-RSA-AES256-GCM-SHA384."),
            ("19:47:41", "Start message 81 on incoming connection (ICID 71)."),
            ("19:47:41", "Message 81 enqueued on incoming connection (ICID 71) from ann@example.org."),
            ("19:47:41", "Message 81 direction: incoming"),
            ("19:47:41", "Message 81 on incoming connection (ICID 71) added recipient (bob@example.com)."),
            ("19:47:41", "Message 81 on incoming connection (ICID 71) added recipient (carol@example.com)."),
            ("19:47:42", "Incoming connection (ICID 71) closed."),
            ("19:47:43", "SMTP delivery connection (DCID 91) opened from Cisco IronPort interface 192.0.2.1 to IP address 203.0.113.5 on port 25."),
            ("19:47:44", "Delivery connection (DCID 91) successfully accepted TLS protocol TLSv1.3 cipher TLS_AES_256_GCM_SHA384 None."),
            ("19:47:44", "(DCID 91) Delivery started for message 81 to bob@example.com, carol@example.com."),
            ("19:47:45", "(DCID 91) Delivery details: Message 81 sent to bob@example.com, carol@example.com [('from', 'ann')]"),
            ("19:47:45", "Message 81 to bob@example.com received remote SMTP response 'ok'."),
        )
    ],
}  # fmt: skip


def _facts(witness: str, *, without: str = "nothing") -> Facts:
    """Read one witness, without the lines that hold a text."""
    if witness == "tracking":
        facts = Facts()
        for event in tracking.events(TRACKING):
            facts.add(event)
        return facts
    lines = TEXT if witness == "text" else CEF
    return read_facts([line for line in lines if without not in line])[0]


def _without_witness(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out who says it."""
    return [
        {key: _without_witness(value) if key == "deliveries" else value for key, value in record.items() if key not in {"witness", "received_witness"}}
        for record in records
    ]


def _records(*parts: Facts) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    merged = Facts()
    for part in parts:
        merged.merge(part)
    return [dict(record) for record in verdicts.connections(merged)], [dict(record) for record in verdicts.messages(merged)]


@pytest.mark.parametrize("order", [*itertools.permutations(["text", "cef", "tracking"]), ("text", "cef"), ("text", "tracking")])
def test_merged_witnesses_give_the_records_of_the_text_log(order: tuple[str, ...]) -> None:
    """What the text log alone says is what it says together with the others, in any order."""
    connections, messages = _records(*(_facts(witness) for witness in order))
    assert (_without_witness(connections), _without_witness(messages)) == _records(_facts("text"))
    told = sorted(order)
    assert [connection["witness"] for connection in connections] == [told, told]
    assert messages[0]["received_witness"] == told
    assert messages[0]["deliveries"][0]["witness"] == told


@pytest.mark.parametrize(
    ("witness", "hole"),
    [
        *(("tracking", hole) for hole in (" ICID 71 ", "TLS success", "DCID 91", "ICID 71 TLS", "Message done")),
        *(("cef", hole) for hole in (" ICID 71 ", "DCID 91", "TLS success", "ICID 71 TLS", "Message done")),
    ],
)
def test_another_witness_fills_the_holes_of_the_text_log(witness: str, hole: str) -> None:
    """Where lines are missing, a record that states both sides gives the verdicts of the whole log."""
    (message,) = _records(_facts("text", without=hole), _facts(witness))[1]
    assert (message["received"], message["delivered"]) == ("encrypted", "encrypted")
    assert (message["received_tls_version"], message["deliveries"][0]["tls_version"]) == ("TLSv1.2", "TLSv1.3")
    assert message["recipients"] == ["bob@example.com", "carol@example.com"]


@pytest.mark.parametrize("witness", ["cef", "tracking"])
def test_one_witness_alone(witness: str) -> None:
    """A consolidated event, or a tracking record, alone gives both verdicts of its message."""
    (message,) = _records(_facts(witness))[1]
    assert (message["mid"], message["received"], message["delivered"]) == (81, "encrypted", "encrypted")
    assert message["sender"] == "ann@example.org"
    assert message["recipients"] == ["bob@example.com", "carol@example.com"]


@pytest.mark.parametrize("order", [0, 1])
def test_a_short_record_hides_nothing_of_a_whole_one(order: int) -> None:
    """Two consolidated events of one message, the earlier without TLS fields: what either states counts."""
    short = "<22>Nov 20 19:47:42 consolidated_event: CEF:0|Cisco|C600V|14.2.1-015|ESA_CONSOLIDATED_LOG_EVENT|x|5|ESAMID=81 ESADCID=91 ESAStatus=QUEUED"
    parts = [_facts("cef"), read_facts([short])[0]]
    (message,) = _records(*(parts if order else reversed(parts)))[1]
    assert (message["received"], message["delivered"]) == ("encrypted", "encrypted")


OPENED = "Wed Nov 20 19:47:43 2024 Info: New SMTP DCID 91 interface 192.0.2.1 address 203.0.113.5 port 25"
SUCCESS = "Wed Nov 20 19:47:44 2024 Info: DCID 91 TLS success protocol TLSv1.3 cipher TLS_AES_256_GCM_SHA384"
FAILED = "Wed Nov 20 19:47:44 2024 Info: DCID 91 TLS failed: STARTTLS unexpected response"
DONE = "Wed Nov 20 19:47:45 2024 Info: Message done DCID 91 MID 81 to RID [0]"
ENDED = "Wed Nov 20 19:47:46 2024 Info: DCID 91 TLS failed: [Errno 54] Connection reset by peer"
TOLD_OPENED = "SMTP delivery connection (DCID 91) opened from Cisco IronPort interface 192.0.2.1 to IP address 203.0.113.5 on port 25."
TOLD_SUCCESS = "Delivery connection (DCID 91) successfully accepted TLS protocol TLSv1.2 cipher AES128-SHA None."
TOLD_FAILED = "Delivery connection (DCID 91) TLS failed: wrong version number."
TOLD_DONE = "(DCID 91) Delivery details: Message 81 sent to bob@example.com"


@pytest.mark.parametrize(
    ("text", "told", "expected"),
    [
        ((OPENED, FAILED, DONE), (TOLD_SUCCESS,), ("cleartext", None, "STARTTLS unexpected response", "text: cleartext, tracking: encrypted", None)),
        ((OPENED, FAILED), (TOLD_SUCCESS,), ("failed", None, "STARTTLS unexpected response", "text: failed, tracking: encrypted", None)),
        ((OPENED, DONE), (TOLD_SUCCESS,), ("encrypted", "TLSv1.2", None, "text: cleartext, tracking: encrypted", ["tracking"])),
        # the end in a socket's words contradicts clear text: the text log is not sure itself
        ((OPENED, DONE, ENDED), (TOLD_SUCCESS,), ("encrypted", "TLSv1.2", None, None, ["tracking"])),
        ((OPENED, SUCCESS, DONE), (TOLD_FAILED,), ("encrypted", "TLSv1.3", None, "text: encrypted, tracking: failed", None)),
        # in the second of the message, with the opening out of view, a failure decides nothing
        ((OPENED, SUCCESS, DONE), (TOLD_FAILED, TOLD_DONE), ("encrypted", "TLSv1.3", None, None, None)),
        # no contradiction: what is left out, what is not in view, what is the same
        ((OPENED, SUCCESS, DONE), (TOLD_OPENED, TOLD_DONE), ("encrypted", "TLSv1.3", None, None, None)),
        ((DONE,), (TOLD_SUCCESS,), ("encrypted", "TLSv1.2", None, None, ["tracking"])),
        ((OPENED,), (TOLD_SUCCESS,), ("encrypted", "TLSv1.2", None, None, ["tracking"])),
        ((OPENED, FAILED, DONE), (TOLD_FAILED,), ("cleartext", None, "STARTTLS unexpected response", None, ["text", "tracking"])),
        ((), (TOLD_OPENED, TOLD_SUCCESS, TOLD_DONE), ("encrypted", "TLSv1.2", None, None, ["tracking"])),
    ],
)
def test_tracking_that_says_otherwise(text: tuple[str, ...], told: tuple[str, ...], expected: tuple[str | None, ...]) -> None:
    """Tracking weighs more than a line that is missing and less than one that is there; a contradiction is told, in whatever order they are read."""
    document = {"summary": [{"timestamp": "20 Nov 2024 19:47:44 (GMT)", "description": sentence} for sentence in told]}
    for text_first in (True, False):
        facts = read_facts(list(text))[0] if text_first else Facts()
        for event in tracking.events(document):
            facts.add(event)
        if not text_first:
            facts.merge(read_facts(list(text))[0])
        connection = next(verdicts.connections(facts))
        names = ("tls_verdict", "tls_version", "tls_reason", "conflict", "witness")
        assert tuple(connection.get(name) for name in names) == expected
        deliveries = [one for message in verdicts.messages(facts) for one in message["deliveries"]]
        assert [one.get("conflict") for one in deliveries] == [expected[3]] * (DONE in text)
