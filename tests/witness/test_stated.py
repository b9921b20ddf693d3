"""What a consolidated event states and the text log does not, says later, or says otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.support import read_facts, records

OPEN = "New SMTP ICID 5 interface Data 1 (192.0.2.1) address 198.51.100.7 reverse dns host unknown verified no"
TIME = "2024-03-05T10:00:00Z"
OUT = "New SMTP DCID 9 interface 192.0.2.1 address 203.0.113.25 port 25"


def log(*lines: tuple[str, str]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the records of a log: day and clock of March 2024, and a text or the extension of a consolidated event."""
    return records(read_facts([f"2024-03-{stamp}Z esa1 mail_logs: {_text(text)}" for stamp, text in lines])[0])


def _text(text: str) -> str:
    if text.startswith("ESAMID"):
        return f"CEF:0|Cisco|C100V Secure Email Gateway Virtual|15.0.0-104|ESA_CONSOLIDATED_LOG_EVENT|Consolidated Log Event|5|{text}"
    return f"Info: {text}"


TLS_BY_EVENT = {"verdict": "encrypted", "tls_version": "TLSv1.2", "tls_cipher": "AES128-SHA", "witness": ["cef"]}
BOUNCED = ("05T10:00:01", "Bounced: DCID 9 MID 3 to RID 0 - 5.4.7 - Delivery expired")
NOT_OUT = ("05T10:00:02", "ESAMID=3 ESADCID=9 act=BOUNCED ESATLSOutConnStatus=Failure")


def test_failure_without_a_message_is_a_failed_connection() -> None:
    """A record that states a failure makes no clear text of a connection over which nothing passed."""
    connection = log(("05T10:00:00", OUT), BOUNCED, NOT_OUT)[0][0]
    assert [connection[name] for name in ("tls_verdict", "tls_reason", "messages", "witness")] == ["failed", "TLS failed", 0, ["cef"]]


def test_failure_stated_of_a_failed_connection_keeps_the_reason_of_the_log() -> None:
    """The log's own words say more than the record's bare failure."""
    error = "Connection Error: DCID 9 domain: example.com IP: 203.0.113.25 port: 25 details: EOF interface: 192.0.2.1 reason: network error"
    connection = log(("05T10:00:00", OUT), ("05T10:00:01", error), BOUNCED, NOT_OUT)[0][0]
    assert [connection[name] for name in ("tls_verdict", "tls_reason", "messages")] == ["failed", "network error (EOF)", 0]
    assert "conflict" not in connection


@pytest.mark.parametrize(
    ("opening", "words", "conflict"),
    [
        ((), "[Errno 54] Connection reset by peer", None),
        # the log shows that it does not know
        ((("05T10:00:00", OPEN),), "[Errno 54] Connection reset by peer", None),
        ((("05T10:00:00", OPEN),), "STARTTLS unexpected response", "text: cleartext, cef: encrypted"),
    ],
)
def test_end_of_a_session_does_not_silence_a_record(opening: tuple[tuple[str, str], ...], words: str, conflict: str | None) -> None:
    """A failure behind the message turns no verdict, so it does not stand against a stated success either."""
    lines = (
        *opening,
        ("05T10:00:01", "Start MID 3 ICID 5"),
        ("05T10:00:02", f"ICID 5 TLS failed: {words}"),
        ("05T10:00:03", "ESAMID=3 ESAICID=5 act=DELIVERED ESATLSInConnStatus=Success ESATLSInProtocol=TLSv1.2"),
    )
    message = log(*lines)[1][0]
    assert (message["received"], message.get("received_tls_version"), message.get("received_conflict")) == ("encrypted", "TLSv1.2", conflict)


@pytest.mark.parametrize("named", ["ESAMID=3 ESAICID=5", "ESAMID=3"])
def test_data_that_was_read_over_tls_outweighs_a_stated_failure(named: str) -> None:
    """A debug line shows TLS, so a record that states a failure is a conflict, whether it names the connection or not."""
    message = log(
        ("05T10:00:00", OPEN),
        ("05T10:00:01", "Start MID 3 ICID 5"),
        ("05T10:00:02", "MID 3 ICID 5 TLS read 126 bytes (0.0 seconds)"),
        ("05T10:00:03", f"{named} act=DELIVERED ESATLSInConnStatus=Failure"),
    )[1][0]
    assert {name: value for name, value in message.items() if name.startswith("received")} == {
        "received": "encrypted",
        "received_peer_ip": "198.51.100.7",
        "received_conflict": "text: encrypted, cef: cleartext",
    }


def test_a_connection_is_stated_by_all_that_state_its_messages() -> None:
    """Where a record states clear text of one message, and a line of the log that of the next, both state the connection's."""
    lines = (
        ("05T10:00:00", OPEN),
        ("05T10:00:01", "Start MID 3 ICID 5"),
        ("05T10:00:02", "ICID 5 TLS failed: no shared cipher"),
        ("05T10:00:03", "Start MID 4 ICID 5"),
        ("05T10:00:04", "ESAMID=3 ESAICID=5 act=DELIVERED ESATLSInConnStatus=Failure"),
        ("05T10:00:05", "ICID 5 TLS failed: [Errno 32] Broken pipe"),
    )
    connections, messages = log(*lines)
    assert [(one["received"], one["received_reason"], one.get("received_witness")) for one in messages] == [
        ("cleartext", "TLS failed", ["cef"]),
        ("cleartext", "no shared cipher", None),
    ]
    assert [(one["tls_verdict"], one["tls_reason"], one["witness"]) for one in connections] == [("cleartext", "TLS failed", ["cef", "text"])]


def test_a_record_is_no_evidence_for_another_message() -> None:
    """A record that states TLS of one message bears no witness for another one on the connection, of which its own record states the contrary."""
    messages = log(
        ("05T10:00:00", OPEN),
        ("05T10:00:01", "ICID 5 TLS success protocol TLSv1.2 cipher AES128-SHA"),
        ("05T10:00:02", "Start MID 3 ICID 5"),
        ("05T10:00:03", "Start MID 4 ICID 5"),
        ("05T10:00:04", "ESAMID=3 ESAICID=5 act=DELIVERED ESATLSInConnStatus=Failure"),
        ("05T10:00:05", "ESAMID=4 ESAICID=5 act=DELIVERED ESATLSInConnStatus=Success"),
    )[1]
    assert [(one["received"], one.get("received_conflict"), one.get("received_witness")) for one in messages] == [
        ("encrypted", "text: encrypted, cef: cleartext", None),
        ("encrypted", None, ["cef", "text"]),
    ]


def test_a_line_after_the_mail_is_no_evidence_beside_a_record() -> None:
    """Where a record alone states that a message came over TLS, a line that TLS came up afterwards does not state it, too."""
    messages = log(
        ("05T10:00:00", OPEN),
        ("05T10:00:01", "Start MID 3 ICID 5"),
        ("05T10:00:02", "ESAMID=3 ESAICID=5 act=DELIVERED ESATLSInConnStatus=Success"),
        ("05T10:00:03", "ICID 5 TLS success protocol TLSv1.2 cipher AES128-SHA"),
    )[1]
    assert [(one["received"], one["received_conflict"], one["received_witness"]) for one in messages] == [
        ("encrypted", "text: cleartext, cef: encrypted", ["cef"])
    ]


def test_partners_are_known_by_the_record_alone() -> None:
    """Without the text log, a record's own addresses tell whose mail a connection carried, and its peer where it came from."""
    stated = "suser=ann@a.example duser=bob@b.example;eve@b.example src=198.51.100.41 shost=mx.a.example ESATLSInConnStatus=Success"
    connections, messages = log(("05T10:00:00", f"ESAMID=3 ESAICID=5 ESADCID=9 act=DELIVERED {stated}"))
    assert connections == [
        {
            "esa_host": "esa1", "esa_direction": "receiving", "icid": 5, "peer_ip": "198.51.100.41", "peer_host": "mx.a.example",
            "tls_verdict": "encrypted", "witness": ["cef"], "domain": "a.example", "messages": 1,
        },
        {"esa_host": "esa1", "esa_direction": "delivery", "dcid": 9, "tls_verdict": "unknown", "domain": "b.example", "messages": 1},
    ]  # fmt: skip
    assert messages[0]["deliveries"] == [{"dcid": 9, "rid": [], "outcome": "done", "time": TIME, "verdict": "unknown", "domain": "b.example"}]
    connections, messages = log(("05T10:00:00", f"ESAMID=3 ESAICID=5 ESADCID=9 act=DELIVERED {stated.replace('eve@b', 'eve@c')}"))
    assert [connection.get("domain") for connection in connections] == ["a.example", None]
    assert messages[0]["deliveries"] == [{"dcid": 9, "rid": [], "outcome": "done", "time": TIME, "verdict": "unknown"}]


@pytest.mark.parametrize(
    ("stated", "delivered", "attempt"),
    [
        (
            "act=DELIVERED ESATLSOutConnStatus=Success ESATLSOutProtocol=TLSv1.2 ESATLSOutCipher=AES128-SHA duser=bob@example.com",
            "encrypted",
            {"rid": [], "outcome": "done", "time": TIME, **TLS_BY_EVENT, "domain": "example.com"},
        ),
        (
            "act=DELIVERED ESATLSOutConnStatus=Failure",
            "cleartext",
            {"rid": [], "outcome": "done", "time": TIME, "verdict": "cleartext", "reason": "TLS failed", "witness": ["cef"]},
        ),
        (
            "act=BOUNCED ESATLSOutConnStatus=Failure",
            "none",
            {"rid": [], "outcome": "bounced", "time": TIME, "verdict": "failed", "reason": "TLS failed", "witness": ["cef"]},
        ),
        ("act=DELIVERED", "unknown", {"rid": [], "outcome": "done", "time": TIME, "verdict": "unknown"}),
        ("act=DELIVERED ESATLSOutConnStatus=Success", "encrypted", {"rid": [], "outcome": "done", "time": TIME, "verdict": "encrypted", "witness": ["cef"]}),
        ("ESATLSOutConnStatus=Success", "none", None),
    ],
)
def test_a_delivery_is_stated_without_its_connection(stated: str, delivered: str, attempt: dict[str, Any] | None) -> None:
    """A record without a DCID is evidence for the delivery that it states, and for none that it does not."""
    message = log(("05T10:00:00", f"ESAMID=3 {stated}"))[1][0]
    assert (message["delivered"], message["deliveries"]) == (delivered, [] if attempt is None else [attempt])


@pytest.mark.parametrize(("stated", "received", "verdict"), [("", "none", "failed"), ("ESADCID=9 ESATLSOutConnStatus=Success", "cleartext", "cleartext")])
def test_an_aborted_message_that_has_a_delivery_connection_was_accepted(stated: str, received: str, verdict: str) -> None:
    """A record that a message was given up hides no clear text where it shows that its delivery began."""
    connections, messages = log(("05T10:00:00", f"ESAMID=3 ESAICID=5 act=ABORTED ESATLSInConnStatus=Failure {stated}"))
    assert [message["received"] for message in messages] == [received]
    assert [one["tls_verdict"] for one in connections if one["esa_direction"] == "receiving"] == [verdict]


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ("act=DELIVERED", ("internal", None)),
        ("act=DELIVERED suser=root@esa1", ("internal", None)),
        ("act=DELIVERED suser=ann@a.example", ("unknown", None)),
        ("act=DELIVERED suser=ann@a.example ESATLSInConnStatus=Success", ("encrypted", ["cef"])),
        ("act=DELIVERED ESATLSInConnStatus=Success", ("encrypted", ["cef"])),
    ],
)
def test_what_a_record_says_of_receiving_counts_where_the_log_has_icid_0(stated: str, expected: tuple[str, list[str] | None]) -> None:
    """ICID 0 is no proof that the appliance made a message where a record names an outside sender, or TLS on the way in."""
    connections, (message,) = log(("05T10:00:00", "Start MID 3 ICID 0"), ("05T10:00:01", f"ESAMID=3 {stated}"))
    assert connections == []
    assert (message["received"], message.get("received_witness")) == expected


def test_a_record_written_days_later_is_about_the_same_connection() -> None:
    """A record is written when its message leaves, from a quarantine too: its time says nothing of how long a connection lasted."""
    connections = log(
        ("05T10:00:00", OPEN),
        ("05T10:00:00", "ICID 5 TLS success protocol TLSv1.2 cipher AES128-SHA"),
        ("05T10:00:01", "Start MID 3 ICID 5"),
        ("08T10:00:03", "ESAMID=3 ESAICID=5 act=DQ"),
    )[0]
    assert [(connection["tls_verdict"], connection["messages"]) for connection in connections] == [("encrypted", 1)]


def test_a_record_that_contradicts_what_a_child_inherits_shows() -> None:
    """The text's answer stands, and the record's contrary beside it, also where the record names no connection."""
    lines = (("05T10:00:00", OPEN), ("05T10:00:01", "Start MID 3 ICID 5"), ("05T10:00:02", "MID 3 rewritten to MID 4 by antispam"))
    message = log(*lines, ("05T10:00:03", "ESAMID=4 act=DELIVERED ESATLSInConnStatus=Success"))[1][1]
    assert (message["mid"], message["received"], message["received_conflict"]) == (4, "cleartext", "text: cleartext, cef: encrypted")
    message = log(*lines, ("05T10:00:03", "ESAMID=4 act=DELIVERED ESATLSInConnStatus=Failure"))[1][1]
    assert (message["received"], message.get("received_conflict")) == ("cleartext", None)


def test_the_record_of_a_child_names_the_connection_of_its_parent() -> None:
    """A child takes the verdict of its parent at the time of the parent's start, not that of the ICID in its own record, on which it is no mail."""
    connections, messages = log(
        ("05T10:00:00", OPEN),
        ("05T10:00:01", "Start MID 3 ICID 5"),
        ("05T10:00:02", "MID 3 rewritten to MID 4 by antivirus"),
        ("05T10:00:10", "ICID 5 TLS success protocol TLSv1.2 cipher AES128-SHA"),
        ("05T10:00:20", "ESAMID=4 ESAICID=5 act=DELIVERED"),
    )
    assert [(one["mid"], one["received"], one.get("received_from_mid"), one.get("icid")) for one in messages] == [
        (3, "cleartext", None, 5),
        (4, "cleartext", 3, None),
    ]
    assert [(one["tls_verdict"], one["messages"]) for one in connections] == [("cleartext", 1)]


@pytest.mark.parametrize(("other", "verdict", "conflict"), [(3, "unknown", "cef: encrypted, cef: cleartext"), (4, "mixed", None)])
def test_records_that_contradict_each_other_show(other: int, verdict: str, conflict: str | None) -> None:
    """A message was received over TLS or not, and two records that differ contradict each other; TLS may come up between two messages."""
    connection = log(
        ("05T10:00:00", "ESAMID=3 ESAICID=5 act=DELIVERED ESATLSInConnStatus=Success"),
        ("05T10:00:01", f"ESAMID={other} ESAICID=5 act=DELIVERED ESATLSInConnStatus=Failure"),
    )[0][0]
    assert (connection["tls_verdict"], connection.get("conflict")) == (verdict, conflict)


SAYS_BOTH = "{0}ConnStatus=Failure {0}Protocol=TLSv1.2 {0}Cipher=AES128-SHA"


@pytest.mark.parametrize(
    ("lines", "verdict", "reason"),
    [
        ((), "unknown", None),
        (("00", OPEN), "unknown", None),
        (("01", "ICID 5 TLS success"), "encrypted", None),
        (("01", "ICID 5 TLS failed: no shared cipher"), "cleartext", "no shared cipher"),
    ],
)
def test_a_record_that_contradicts_itself(lines: tuple[str, str], verdict: str, reason: str | None) -> None:
    """A failure beside a protocol and a cipher decides nothing, and nothing is concluded from a line that is missing beside it; a line that is there counts."""
    logged = ((f"05T10:00:{lines[0]}", lines[1]),) if lines else ()
    stated = f"ESAMID=3 ESAICID=5 act=DQ {SAYS_BOTH.format('ESATLSIn')}"
    connections, messages = log(*logged, ("05T10:00:02", "Start MID 3 ICID 5"), ("05T10:00:03", stated))
    assert [connections[0].get(name) for name in ("tls_verdict", "tls_reason", "conflict", "witness")] == [
        verdict, reason, "cef: encrypted, cef: cleartext", None,
    ]  # fmt: skip
    assert [messages[0].get(name) for name in ("received", "received_reason", "received_conflict", "received_witness")] == [
        verdict, reason, "cef: encrypted, cef: cleartext", None,
    ]  # fmt: skip


@pytest.mark.parametrize("action", ["DELIVERED", "BOUNCED"])
@pytest.mark.parametrize("dcid", ["", "ESADCID=9 "])
def test_a_record_that_contradicts_itself_without_its_connections(action: str, dcid: str) -> None:
    """Likewise where nothing but the record tells of the message, with the connection's id and without."""
    stated = " ".join(SAYS_BOTH.format(side) for side in ("ESATLSIn", "ESATLSOut"))
    message = log(("05T10:00:00", f"ESAMID=3 {dcid}act={action} {stated}"))[1][0]
    outcome, delivered = ("done", "unknown") if action == "DELIVERED" else ("bounced", "none")
    attempt = {"rid": [], "outcome": outcome, "time": TIME, "verdict": "unknown", "conflict": "cef: encrypted, cef: cleartext"}
    assert message == {
        "esa_host": "esa1", "mid": 3, "received": "unknown", "received_conflict": "cef: encrypted, cef: cleartext", "delivered": delivered,
        "deliveries": [{"dcid": 9, **attempt} if dcid else attempt], "first_seen": TIME, "last_seen": TIME, "finished": False,
    }  # fmt: skip


RECEIVED = "ESATLSInConnStatus=Success ESATLSInProtocol=TLSv1.2 ESATLSInCipher=AES128-SHA"
PEER = "sourceAddress=192.0.2.7 sourceHostName=mail.example.net deviceDirection=1"
OVER_TLS = {"received": "encrypted", "received_tls_version": "TLSv1.2", "received_tls_cipher": "AES128-SHA", "received_witness": ["cef"]}
FROM_PEER = {"received_peer_ip": "192.0.2.7", "received_peer_host": "mail.example.net", "mail_flow": "outgoing"}
REWRITTEN = "MID 2 rewritten to MID 3 by add-footer filter 'footer'"


@pytest.mark.parametrize(
    ("lines", "events", "expected"),
    [
        ((), (RECEIVED,), OVER_TLS),
        ((), (f"{RECEIVED} {PEER}",), {**OVER_TLS, **FROM_PEER}),
        ((), ("ESATLSInConnStatus=Failure",), {"received": "cleartext", "received_reason": "TLS failed", "received_witness": ["cef"]}),
        ((), ("ESATLSInConnStatus=Success",), {"received": "encrypted", "received_witness": ["cef"]}),
        ((), (RECEIVED, "ESATLSInConnStatus=Failure"), {"received": "unknown", "received_conflict": "cef: encrypted, cef: cleartext"}),
        ((), (PEER,), {"received": "unknown", **FROM_PEER}),
        # how the connection began is not in the log
        (("Start MID 3 ICID 5",), (f"{RECEIVED} {PEER}",), {"icid": 5, **OVER_TLS, **FROM_PEER}),
        # that a line is missing weighs less than what the event states
        (
            (OPEN, "Start MID 3 ICID 5"),
            (RECEIVED,),
            {"icid": 5, **OVER_TLS, "received_peer_ip": "198.51.100.7", "received_conflict": "text: cleartext, cef: encrypted"},
        ),
        (
            (OPEN, "Start MID 3 ICID 5"),
            (SAYS_BOTH.format("ESATLSIn"),),
            {"icid": 5, "received": "unknown", "received_peer_ip": "198.51.100.7", "received_conflict": "cef: encrypted, cef: cleartext"},
        ),
        (
            (OPEN, "ICID 5 TLS failed: no shared cipher", "ICID 5 close", "Start MID 3 ICID 5"),
            (RECEIVED,),
            {
                "icid": 5,
                "received": "cleartext",
                "received_reason": "no shared cipher",
                "received_peer_ip": "198.51.100.7",
                "received_conflict": "text: cleartext, cef: encrypted",
            },
        ),
        (("MID 3 was generated for bounce of MID 2", "Start MID 3 ICID 0"), (RECEIVED,), {"received": "internal"}),
        # what the log says of the peer stands
        (
            (OPEN, "Start MID 3 ICID 5"),
            (f"ESATLSInConnStatus=Failure {PEER}",),
            {"icid": 5, "received": "cleartext", "received_peer_ip": "198.51.100.7", "mail_flow": "outgoing", "received_peer_host": "mail.example.net"},
        ),
        (
            (OPEN, "ICID 5 TLS success protocol TLSv1.3 cipher TLS_AES_256_GCM_SHA384", "Start MID 2 ICID 5", REWRITTEN),
            ("ESATLSInConnStatus=Failure",),
            {
                "received": "encrypted",
                "received_tls_version": "TLSv1.3",
                "received_tls_cipher": "TLS_AES_256_GCM_SHA384",
                "received_peer_ip": "198.51.100.7",
                "received_from_mid": 2,
                "received_conflict": "text: encrypted, cef: cleartext",
            },
        ),
    ],
)
def test_event_that_names_no_connection(lines: tuple[str, ...], events: tuple[str, ...], expected: dict[str, Any]) -> None:
    """Such an event speaks for its message alone: where no line of the log states how it came, and not against one that does."""
    told = [*lines, *(f"ESAMID=3 {event}" for event in events)]
    (message,) = [one for one in log(*((f"05T10:00:0{second}", text) for second, text in enumerate(told)))[1] if one["mid"] == 3]
    assert {name: value for name, value in message.items() if name.startswith("received") or name in ("icid", "mail_flow")} == expected


DCID = "New SMTP DCID 9 interface 192.0.2.1 address 203.0.113.5 port 25"
TO = "MID 3 ICID 1 RID 0 To: <carol@example.org>"
SENT = "Message done DCID 9 MID 3 to RID [0]"
SENT_OVER_TLS = RECEIVED.replace("In", "Out")
SENT_IN_CLEAR = "ESATLSOutConnStatus=Failure"


@pytest.mark.parametrize(
    ("lines", "events", "expected"),
    [
        ((SENT,), ("",), {"verdict": "unknown"}),
        ((SENT,), (SENT_OVER_TLS,), TLS_BY_EVENT),
        ((SENT,), (SENT_IN_CLEAR,), {"verdict": "cleartext", "reason": "TLS failed", "witness": ["cef"]}),
        ((SENT,), (SENT_OVER_TLS, SENT_IN_CLEAR), {"verdict": "unknown", "conflict": "cef: encrypted, cef: cleartext"}),
        ((SENT,), (f"ESADCID=9 {SENT_OVER_TLS}", SENT_IN_CLEAR), {"verdict": "unknown", "conflict": "cef: encrypted, cef: cleartext"}),
        # that a line is missing weighs less than what the event states
        ((DCID, SENT), (SENT_OVER_TLS,), {**TLS_BY_EVENT, "conflict": "text: cleartext, cef: encrypted"}),
        ((DCID, SENT), (SENT_IN_CLEAR,), {"verdict": "cleartext"}),
        # what a line states weighs more
        (
            ("DCID 9 STARTTLS command not supported.", SENT),
            (SENT_OVER_TLS,),
            {"verdict": "cleartext", "reason": "STARTTLS command not supported", "conflict": "text: cleartext, cef: encrypted"},
        ),
        (("DCID 9 TLS success", SENT), (SENT_IN_CLEAR,), {"verdict": "encrypted", "conflict": "text: encrypted, cef: cleartext"}),
        # nothing tells which of two deliveries it is about
        ((SENT, SENT.replace("9", "8").replace("[0]", "[1]")), (SENT_OVER_TLS,), {"verdict": "unknown"}),
        ((TO, SENT), (f"{SENT_OVER_TLS} duser=bob@example.com",), {"verdict": "unknown"}),
        ((TO, SENT), (f"{SENT_OVER_TLS} duser=bob@example.com;carol@example.org",), TLS_BY_EVENT),
    ],
)
def test_delivery_of_the_log_by_an_event_that_names_no_connection(lines: tuple[str, ...], events: tuple[str, ...], expected: dict[str, Any]) -> None:
    """Such an event speaks for the only delivery of its message, unless to another domain, as one that names its connection does."""
    told = [*lines, *(f"ESAMID=3 act=DELIVERED {event}" for event in events)]
    (message,) = log(*((f"05T10:00:0{second}", text) for second, text in enumerate(told)))[1]
    names = ("verdict", "tls_version", "tls_cipher", "reason", "conflict", "witness")
    assert {name: value for name, value in message["deliveries"][0].items() if name in names} == expected
    assert len(message["deliveries"]) == sum(line.startswith("Message done") for line in lines)
