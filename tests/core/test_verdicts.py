"""Sections 4 and 5 of the contract on small logs: what no scenario shows."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.support import read_facts, records


def log(*lines: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the records of lines given as `second text`, all of one minute of one day."""
    stamped = []
    for line in lines:
        second, text = line.split(" ", 1)
        stamped.append(f"2024-03-05T10:{int(second) // 60:02}:{int(second) % 60:02}Z esa1 mail_logs: Info: {text}")
    return records(read_facts(stamped)[0])


def connection(*lines: str) -> dict[str, Any]:
    """Return what the only connection of a log says of TLS."""
    (record,) = log(*lines)[0]
    return {name: record[name] for name in ("tls_verdict", "tls_version", "tls_cipher", "tls_reason", "tls_required", "messages") if name in record}


def message(*lines: str, mid: int = 1) -> dict[str, Any]:
    """Return the record of one message."""
    (record,) = [record for record in log(*lines)[1] if record["mid"] == mid]
    return record


IN = "0 New SMTP ICID 5 interface Data 1 (192.0.2.1) address 198.51.100.7 reverse dns host unknown verified no"
OUT = "0 New SMTP DCID 6 interface 192.0.2.1 address 203.0.113.25 port 25"
TLS_IN = "1 ICID 5 TLS success protocol TLSv1.2 cipher AES128-SHA"
TLS_OUT = "1 DCID 6 TLS success protocol TLSv1.3 cipher TLS_AES_256_GCM_SHA384"
START = "2 Start MID 1 ICID 5"
DONE = "4 Message done DCID 6 MID 1 to RID [0]"


# the four answers of tech note 118500, with its lines wrapped as they stand there

NOTE = """\
Wed Jul 20 19:47:40 2005 Info: New smtp ICID 282204 interface Management
(192.0.2.1) address 198.51.100.7 reverse dns host unknown verified no
Wed Jul 20 19:47:40 2005 Info: ICID 282204 ACCEPT SG None match SBRS None
"""


def test_tech_note_receiving() -> None:
    """Success, failure and absence of a TLS entry on a receiving connection."""
    for entry, verdict, received in (("TLS success", "encrypted", "encrypted"), ("TLS failed", "failed", None), (None, "cleartext", "cleartext")):
        lines = NOTE.splitlines()
        if entry:
            lines.append(f"Wed Jul 20 19:47:40 2005 Info: ICID 282204 {entry}")
        if received:
            lines.append("Wed Jul 20 19:47:40 2005 Info: Start MID 2002 ICID 282204")
        connections, messages = records(read_facts(lines)[0])
        assert [(record["icid"], record["tls_verdict"], record["interface"], record["peer_ip"]) for record in connections] == [
            (282204, verdict, "Management", "198.51.100.7")
        ]
        assert [record["received"] for record in messages] == ([received] if received else [])


def test_tech_note_required() -> None:
    """TLS was required and the other side did not ask for it."""
    lines = [*NOTE.splitlines(), "Wed Jul 20 19:47:40 2005 Info: ICID 282204 TLS was required but remote host did not initiate it"]
    (record,) = records(read_facts(lines)[0])[0]
    assert (record["tls_verdict"], record["tls_required"], record["tls_reason"]) == ("failed", True, "remote host did not initiate it")


def test_tech_note_delivery() -> None:
    """Success with the certificate's name, and failure with its reason, on delivering connections."""
    lines = [
        "Tue Jun 28 19:28:31 2005 Info: DCID 834 TLS success CN: <common>",
        "Tue Jun 28 19:28:31 2005 Info: New SMTP DCID 835 interface 192.0.2.1 address 203.0.113.25",
        "Tue Jun 28 19:28:31 2005 Info: DCID 835 IP 203.0.113.25 TLS failed: STARTTLS unexpected",
        "response",
    ]
    connections, _ = records(read_facts(lines)[0])
    assert [(record["dcid"], record["tls_verdict"], record.get("tls_peer_cn"), record.get("tls_reason")) for record in connections] == [
        (834, "encrypted", "common", None),
        (835, "failed", None, "STARTTLS unexpected response"),
    ]


# connections


def test_success_is_encrypted() -> None:
    """A success line means TLS, with or without a message, with or without the opening."""
    said = {"tls_verdict": "encrypted", "tls_version": "TLSv1.2", "tls_cipher": "AES128-SHA"}
    assert connection(IN, TLS_IN, START) == {**said, "messages": 1}
    assert connection(IN, TLS_IN) == {**said, "messages": 0}
    assert connection(TLS_IN) == {**said, "messages": 0}
    assert connection("1 ICID 5 TLS success") == {"tls_verdict": "encrypted", "messages": 0}


def test_success_wins_over_failure() -> None:
    """A failure before a success, or in its second, does not turn the verdict; one after it does where no message is in view."""
    for second in (0, 1):
        assert connection(IN, TLS_IN, f"{second} ICID 5 TLS failed: x")["tls_verdict"] == "encrypted"
        assert "tls_reason" not in connection(IN, TLS_IN, f"{second} ICID 5 TLS failed: x")
    assert connection(IN, TLS_IN, START, "9 ICID 5 TLS failed: x")["tls_verdict"] == "encrypted"
    assert connection(IN, TLS_IN, "9 ICID 5 TLS failed: x") == {"tls_verdict": "failed", "tls_reason": "x", "messages": 0}


def test_failed_attempt_without_a_message() -> None:
    """No success and no message: the attempt failed, and the reason says why."""
    assert connection(IN, "1 ICID 5 TLS failed: (1, 'error:x')", "1 ICID 5 lost") == {"tls_verdict": "failed", "tls_reason": "(1, 'error:x')", "messages": 0}
    assert connection("1 ICID 5 TLS failed") == {"tls_verdict": "failed", "messages": 0}
    assert connection(OUT, "1 DCID 6 STARTTLS command not supported.") == {
        "tls_verdict": "failed",
        "tls_reason": "STARTTLS command not supported",
        "messages": 0,
    }


def test_failure_in_the_second_of_success() -> None:
    """It may have come before the success."""
    assert connection(OUT, "1 DCID 6 TLS failed: x", TLS_OUT)["tls_verdict"] == "encrypted"
    assert connection(IN, TLS_IN, "1 ICID 5 TLS failed: x")["tls_verdict"] == "encrypted"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1 DCID 6 STARTTLS command not supported.", "STARTTLS command not supported"),
        ("1 DCID 6 TLS failed: no shared cipher", "no shared cipher"),
        ("1 DCID 6 TLS failed: verify error: hostname mismatch", "verify error: hostname mismatch"),
        ("2 DCID 6 TLS failed: no shared cipher", "no shared cipher"),
        ("1 DCID 6 TLS failed", "could not be successfully negotiated"),
    ],
)
def test_required_tls_failed_for_the_reason_beside_it(line: str, reason: str) -> None:
    """Another line about the failure says more than the one that says that TLS was required, in whatever order they come."""
    found = connection(OUT, "1 DCID 6 TLS was required but could not be successfully negotiated", line)
    assert found == {"tls_verdict": "failed", "tls_reason": reason, "tls_required": True, "messages": 0}


def test_connection_error_after_a_success_or_a_message() -> None:
    """An error that comes later is the end of a connection, and no failed handshake."""
    error = "Connection Error: DCID 6 domain: example.com IP: 203.0.113.25 port: 25 details: EOF interface: 192.0.2.1 reason: network error"
    assert connection(OUT, TLS_OUT, f"9 {error}")["tls_verdict"] == "encrypted"
    assert connection(OUT, DONE, f"9 {error}") == {"tls_verdict": "cleartext", "messages": 1}


def test_bounce_and_delay_pass_no_message() -> None:
    """A recipient that is bounced or put off at a failed handshake was not delivered over it."""
    for outcome in ("Bounced", "Delayed"):
        found = connection(
            OUT, "1 DCID 6 TLS was required but could not be successfully negotiated", f"2 {outcome}: DCID 6 MID 1 to RID 0 - 4.7.5 - TLS required"
        )
        assert found == {"tls_verdict": "failed", "tls_reason": "could not be successfully negotiated", "tls_required": True, "messages": 0}


def test_failure_after_a_message() -> None:
    """A failure after a message was accepted is the end of the session: it turns no verdict and gives no reason."""
    failed = "9 ICID 5 TLS failed: [Errno 54] Connection reset by peer"
    assert connection(IN, START, "9 ICID 5 TLS failed: no shared cipher") == {"tls_verdict": "cleartext", "messages": 1}
    assert connection(IN, START, failed) == {"tls_verdict": "unknown", "tls_reason": "[Errno 54] Connection reset by peer", "messages": 1}
    assert connection(START, failed) == {"tls_verdict": "unknown", "messages": 1}
    assert connection(IN, TLS_IN, START, failed)["tls_verdict"] == "encrypted"
    assert connection(IN, START, "3 ICID 5 TLS failed: x") == {"tls_verdict": "cleartext", "messages": 1}


# how messages came


def test_received_by_the_envelope_alone() -> None:
    """Where the start is not in view, the sender's or a recipient's line names the connection."""
    for line in ("2 MID 1 ICID 5 From: <a@example.net>", "2 MID 1 ICID 5 RID 0 To: <b@example.com>"):
        found = message(IN, TLS_IN, line)
        assert (found["received"], found["icid"]) == ("encrypted", 5)


def test_message_of_which_only_the_end_is_in_view() -> None:
    """A message that nothing says how it came is unknown, not internal."""
    assert message(DONE)["received"] == "unknown"
    assert message("1 Message finished MID 1 done")["received"] == "unknown"


RELATIONS = [
    ("rewritten", "MID {} rewritten to MID {} by antispam"),
    ("split", "MID {} was split creating MID {} due to a per-recipient policy x in the inbound table"),
    ("copy", "MID {1} was generated based on MID {0} by bcc filter 'x'"),
    ("released", "EUQ: Reinjected MID {} as MID {}"),
    ("released", "MID {1} received from the SMA 192.0.2.77 (MID originally {0}) on release from quarantine x"),
]


@pytest.mark.parametrize(("relation", "text"), RELATIONS)
def test_child_takes_the_verdict_of_its_parent(relation: str, text: str) -> None:
    """A message that carries another one's content was received as that one, and says from which."""
    for lines, verdict in (((IN, TLS_IN), "encrypted"), ((IN,), "cleartext")):
        found = message(*lines, START, "3 " + text.format(1, 2), "3 MID 2 ICID 0 From: <a@example.net>", mid=2)
        assert (found["received"], found["parent_mid"], found["mid_relation"], found["received_from_mid"]) == (verdict, 1, relation, 1)
        assert found["received_peer_ip"] == "198.51.100.7"
        assert found.get("received_tls_version") == ("TLSv1.2" if verdict == "encrypted" else None)
        assert "icid" not in found
    assert message(START, "3 " + text.format(1, 2), mid=2)["received"] == "unknown"


@pytest.mark.parametrize("text", [text for relation, text in RELATIONS if relation == "released"])
def test_released_over_a_connection_of_the_quarantine(text: str) -> None:
    """How a quarantine hands a message back says nothing of how it came: the original's verdict stands, `unknown` where that is not in view."""
    back = [
        "4 New SMTP ICID 6 interface Data 1 (192.0.2.1) address 192.0.2.77 reverse dns host sma1.example.com verified yes",
        "4 ICID 6 RELAY SG RELAYLIST match 192.0.2.77 SBRS not enabled",
        "4 ICID 6 TLS success protocol TLSv1.3 cipher TLS_AES_256_GCM_SHA384",
        "4 Start MID 2 ICID 6",
        "4 " + text.format(1, 2),
        "5 MID 2 ICID 6 From: <a@example.net>",
    ]
    found = message(IN, START, *back, mid=2)
    assert (found["received"], found["received_peer_ip"], found["received_from_mid"]) == ("cleartext", "198.51.100.7", 1)
    assert not {"icid", "mail_flow", "received_tls_version"} & set(found)
    found = message(*back, mid=2)
    assert (found["received"], found["parent_mid"]) == ("unknown", 1)
    assert not {"icid", "mail_flow", "received_tls_version", "received_peer_ip", "received_from_mid"} & set(found)


def test_released_by_the_quarantine_that_held_it() -> None:
    """Of several messages with the parent's id, the latest that was in a quarantine is the one released."""
    lines = [
        f"2024-03-05T{line}"
        for line in (
            "10:00:00Z Info: New SMTP ICID 5 interface Data 1 (192.0.2.1) address 198.51.100.7 reverse dns host unknown verified no",
            "10:00:01Z Info: Start MID 1 ICID 5",
            "10:00:02Z Info: ISQ: Tagging MID 1 for quarantine",
            "10:00:03Z Info: Message finished MID 1 done",
            "11:00:00Z Info: New SMTP ICID 5 interface Data 1 (192.0.2.1) address 198.51.100.9 reverse dns host unknown verified no",
            "11:00:01Z Info: ICID 5 TLS success protocol TLSv1.2 cipher AES128-SHA",
            "11:00:02Z Info: Start MID 1 ICID 5",
            "11:00:03Z Info: Message finished MID 1 done",
            "12:00:00Z Info: Start MID 2 ICID 0 (ISQ Released Message)",
            "12:00:00Z Info: ISQ: Reinjected MID 1 as MID 2",
        )
    ]
    released = records(read_facts(lines)[0])[1][-1]
    assert (released["mid"], released["received"], released["received_peer_ip"]) == (2, "cleartext", "198.51.100.7")
    without = [line for line in lines if "Tagging" not in line]
    released = records(read_facts(without)[0])[1][-1]
    assert (released["mid"], released["received"], released["received_peer_ip"]) == (2, "encrypted", "198.51.100.9")


def test_chains() -> None:
    """The verdict goes through a chain of any relations to the message that came over a connection."""
    lines = [IN, TLS_IN, START]
    for number, (_, text) in enumerate(RELATIONS, 1):
        lines.append(f"{2 + number} " + text.format(number, number + 1))
    found = message(*lines, mid=len(RELATIONS) + 1)
    assert (found["received"], found["parent_mid"], found["received_from_mid"]) == ("encrypted", len(RELATIONS), 1)


def test_copy_of_what_the_appliance_made() -> None:
    """A copy of a bounce is as internal as the bounce."""
    assert (
        message("2 Start MID 1 ICID 0", "2 MID 1 was generated for bounce of MID 9", "3 MID 2 was generated based on MID 1 by bcc filter 'x'", mid=2)[
            "received"
        ]
        == "internal"
    )


@pytest.mark.parametrize("step", [1, -1])
def test_long_chain(step: int) -> None:
    """A chain longer than anybody's is followed to its end, whether its ids rise or fall."""
    mids = range(1, 3001)[::step]
    made = [f"3 MID {mid} rewritten to MID {mid + step} by x" for mid in mids[:-1]]
    assert message(IN, TLS_IN, f"2 Start MID {mids[0]} ICID 5", *made, mid=mids[-1])["received"] == "encrypted"


def test_circle_of_parents() -> None:
    """Ids that were used again may seem to make each other: unknown, and no endless search."""
    lines = ["2 MID 1 rewritten to MID 2 by x", "2 MID 2 rewritten to MID 1 by x", "2 MID 3 rewritten to MID 3 by x"]
    assert [record["received"] for record in log(*lines)[1]] == ["unknown"] * 3


def test_circle_with_a_connection() -> None:
    """One that came over a connection has its verdict from there, and the others have theirs from it, whichever is judged first."""
    made = ["2 MID 1 rewritten to MID 2 by x", "2 MID 2 rewritten to MID 3 by x", "2 MID 3 rewritten to MID 1 by x"]
    for mid in (1, 2, 3):
        found = log(IN, TLS_IN, *made, f"2 MID {mid} ICID 5 From: <ann@example.net>")[1]
        assert [(record["received"], record.get("received_from_mid")) for record in found] == [("encrypted", None if one == mid else mid) for one in (1, 2, 3)]


# deliveries


def test_a_delivery_with_and_without_a_timestamp() -> None:
    """Two copies of its line are one attempt, which has the time of the one that has any."""
    line = "Message done DCID 6 MID 1 to RID [0]"
    found = records(read_facts([f"Info: {line}", f"Tue Mar  5 10:00:04 2024 Info: {line}"])[0])[1]
    assert [record["deliveries"] for record in found] == [[{"dcid": 6, "rid": [0], "outcome": "done", "time": "2024-03-05T10:00:04Z", "verdict": "unknown"}]]


def test_mixed() -> None:
    """Some recipients over TLS and some without."""
    other = "3 New SMTP DCID 7 interface 192.0.2.1 address 203.0.113.26 port 25"
    assert message(OUT, TLS_OUT, DONE, other, "5 Message done DCID 7 MID 1 to RID [1]")["delivered"] == "mixed"
    assert message(OUT, TLS_OUT, DONE, "5 Message done DCID 7 MID 1 to RID [1]")["delivered"] == "unknown"
    assert message(OUT, TLS_OUT, DONE, other, "5 DCID 7 TLS success", "5 Message done DCID 7 MID 1 to RID [1]")["delivered"] == "encrypted"


@pytest.mark.parametrize(
    "line",
    [
        "4 Delivery start DCID 6 MID 1 to RID [0]",
        "4 Message finished MID 1 done",
        "4 Delivery start DCID 6 MID 1 to RID [0] to offbox IronPort Spam Quarantine",
        "4 Message done DCID 6 MID 1 to RID [0] (external quarantine) ",
        "4 RPC Message done RCID 6 MID 1",
        "4 Bounced: DCID 6 MID 1 to RID 0 - 5.1.0 - x",
        "4 Delayed: DCID 6 MID 1 to RID 0 - 4.1.0 - x",
        "4 Possible Delivery: DCID: 6 MID 1 to [0]",
        "4 MID 1 RID [0] Response '2.0.0 Ok'",
        '4 MID 1 quarantined to "Policy" (x)',
        "4 Message aborted MID 1 Dropped by CASE",
    ],
)
def test_only_message_done_delivers(line: str) -> None:
    """A start, an end, a move to a quarantine, a bounce, a delay and an answer are no delivery."""
    found = message(OUT, TLS_OUT, "2 Start MID 1 ICID 5", line)
    assert found["delivered"] == "none"
    assert not [attempt for attempt in found["deliveries"] if attempt.get("outcome") == "done"]


@pytest.mark.parametrize(
    "lines",
    [
        ("3 Delivery start DCID 6 MID 1 to RID [0, 1] to offbox IronPort Spam Quarantine", "4 Message done DCID 6 MID 1 to RID [0, 1]"),
        ("3 Delivery start DCID 6 MID 1 to RID [0, 1]", "4 Message done DCID 6 MID 1 to RID [0, 1] (external quarantine) "),
        (
            "3 Delivery start DCID 6 MID 1 to RID [0, 1] to Centralized Policy Quarantine",
            "4 Message done DCID 6 MID 1 to RID [0",
            "4 Message done DCID 6 MID 1 to RID [1]",
        ),
    ],
)
def test_either_line_tells_a_move_to_a_quarantine(lines: tuple[str, ...]) -> None:
    """A start or an end alone that names the quarantine is enough: the other line is of no delivery. Who else got the message, got it."""
    assert message(OUT, "2 Start MID 1 ICID 5", *lines)["deliveries"] == []
    to = [f"2 MID 1 ICID 5 RID {rid} To: <ann@example.net>" for rid in (0, 1)]
    assert [record.get("domain") for record in log(OUT, "2 Start MID 1 ICID 5", *to, *lines)[0] if "dcid" in record] == [None]
    other = "3 New SMTP DCID 7 interface 192.0.2.1 address 203.0.113.26 port 25"
    found = message(OUT, "2 Start MID 1 ICID 5", *lines, other, "5 Message done DCID 6 MID 1 to RID [2]", "6 Message done DCID 7 MID 1 to RID [0]")
    assert [(attempt["dcid"], attempt["rid"], attempt["outcome"]) for attempt in found["deliveries"]] == [(6, [2], "done"), (7, [0], "done")]
    assert found["delivered"] == "cleartext"


def test_delivery_that_is_logged_twice() -> None:
    """One delivery that is logged again, with headers or by another collector, is one."""
    found = message(OUT, DONE, "4 Message done DCID 6 MID 1 to RID [0] [('from', 'a')]", "5 Message done DCID 6 MID 1 to RID [0]")
    attempt = {"dcid": 6, "rid": [0], "outcome": "done", "time": "2024-03-05T10:00:04Z", "verdict": "cleartext", "peer_ip": "203.0.113.25"}
    assert found["deliveries"] == [attempt]


# consolidated events

CEF = "6 CEF:0|Cisco|C100V|15.0.0-104|ESA_CONSOLIDATED_LOG_EVENT|Consolidated Log Event|5|ESAMID=1 ESAICID=5 "


def test_consolidated_event_is_no_evidence_for_what_it_leaves_out() -> None:
    """Absent fields decide nothing: neither clear text nor a delivery."""
    found = message(CEF + "act=QUARANTINED ESADCID=6")
    assert (found["received"], found["delivered"], found["deliveries"]) == ("unknown", "none", [])
    assert message(CEF)["received"] == "unknown"
    assert message(IN, TLS_IN, START, CEF)["received"] == "encrypted"
    assert message(IN, START, CEF)["received"] == "cleartext"


def test_consolidated_event_speaks_of_the_time_at_which_its_message_came() -> None:
    """It is written when its message leaves: TLS came up in between, and another message has no part in it."""
    lines = (IN, "1 Start MID 1 ICID 5", "3 ICID 5 TLS success protocol TLSv1.2 cipher AES128-SHA", "4 Start MID 2 ICID 5", CEF + "ESATLSInConnStatus=Failure")
    assert connection(*lines) == {"tls_verdict": "mixed", "tls_version": "TLSv1.2", "tls_cipher": "AES128-SHA", "messages": 2}
    first, second = message(*lines), message(*lines, mid=2)
    assert (first["received"], first["received_witness"], "received_conflict" in first) == ("cleartext", ["cef"], False)
    assert (second["received"], "received_witness" in second) == ("encrypted", False)


def test_consolidated_event_that_comes_when_another_peer_has_the_id() -> None:
    """It is about the connection on which its message started."""
    again = IN.replace("0 New", "5 New").replace("198.51.100.7", "198.51.100.8")
    stated = CEF + "ESATLSInConnStatus=Success ESATLSInProtocol=TLSv1.2 ESATLSInCipher=AES128-SHA"
    connections, _ = log(IN, TLS_IN, START, "3 ICID 5 close", again, stated)
    assert [(one["tls_verdict"], one.get("witness"), one["messages"]) for one in connections] == [("encrypted", ["cef", "text"], 1), ("unused", None, 0)]
    theirs = (CEF + "ESATLSInConnStatus=Failure").replace("ESAMID=1", "ESAMID=2")
    connections, _ = log(IN, TLS_IN, START, "3 ICID 5 close", again, "6 Start MID 2 ICID 5", stated, theirs)
    assert [(one["tls_verdict"], one.get("witness")) for one in connections] == [("encrypted", ["cef", "text"]), ("cleartext", ["cef"])]


def test_consolidated_event_beside_the_error_of_a_socket() -> None:
    """It states that its message came in the clear; the other one the error leaves unknown, and so the connection. How a session ended is no reason."""
    lines = (IN, START, "3 Start MID 2 ICID 5", "5 ICID 5 TLS failed: [Errno 54] Connection reset by peer", CEF + "ESATLSInConnStatus=Failure")
    assert connection(*lines) == {"tls_verdict": "unknown", "tls_reason": "[Errno 54] Connection reset by peer", "messages": 2}
    first, second = message(*lines), message(*lines, mid=2)
    assert (first["received"], first["received_reason"]) == ("cleartext", "TLS failed")
    assert (second["received"], second["received_reason"]) == ("unknown", "[Errno 54] Connection reset by peer")


# records


def test_peer_of_a_delivery_without_an_opening() -> None:
    """The address and the name that a TLS line tells stand in the record."""
    (record,) = log("1 DCID 6 IP 203.0.113.25 TLS failed: x")[0]
    assert (record["peer_ip"], record["tls_reason"]) == ("203.0.113.25", "x")
    (record,) = log("1 DCID 6 TLS success CN=mx.example.net")[0]
    assert record["tls_peer_cn"] == "mx.example.net"
    (record,) = log("1 DCID 6 TLS success protocol TLSv1 cipher AES128-SHA for example.com")[0]
    assert (record["tls_domain"], record["domain"]) == ("example.com", "example.com")


def test_mail_flow_of_the_message() -> None:
    """The policy table tells the direction of a message; else its connection's policy does."""
    policy = "3 MID 1 matched all recipients for per-recipient policy DEFAULT in the outbound table"
    assert message(IN, START, policy)["mail_flow"] == "outgoing"
    assert message(IN, "0 ICID 5 RELAY SG RELAYLIST match ALL SBRS None", START)["mail_flow"] == "outgoing"
    assert message(IN, "0 ICID 5 ACCEPT SG LIST match ALL SBRS None", START)["mail_flow"] == "incoming"
    assert message(IN, "0 ICID 5 ACCEPT SG LIST match ALL SBRS None", START, policy)["mail_flow"] == "outgoing"
    assert "mail_flow" not in message(IN, START)


def test_no_time() -> None:
    """Lines without any stamp have records without times, and the same verdicts."""
    facts, _ = read_facts([line.split(" ", 1)[1] for line in (IN, TLS_IN, START, OUT, DONE)])
    connections, messages = records(facts)
    assert [record["tls_verdict"] for record in connections] == ["encrypted", "cleartext"]
    assert [(record["received"], record["delivered"]) for record in messages] == [("encrypted", "cleartext")]
    assert not {"opened", "closed", "first_seen", "last_seen"} & {name for record in connections + messages for name in record}
