"""Records to numbers: what is counted, what of, and in which order it stands."""

from __future__ import annotations

import json
import marshal
import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from esatls.extraction import ciphers
from esatls.extraction.fact_types import DELIVERY, RECEIVING
from esatls.report import build as report
from esatls.report import notes, reasons
from esatls.report.count import count_records
from esatls.report.counts import ReportCounts
from esatls.verdicts.records import appliances_of, brief_record, briefs_of, connections_of
from esatls.verdicts.words import CONNECTION_VERDICTS, COUNTED, counted
from hypothesis import given
from hypothesis import strategies as st

from tests.core.support import SCENARIOS, read_facts, records_of
from tests.report.support import CIPHERS, HOSTILE, VERSIONS, Record, attempt, build, connection, hostile_records, message
from tests.traffic.cli import main as write_traffic

if TYPE_CHECKING:
    import pathlib

CONNECTIONS: list[Record] = [
    connection(
        "receiving", 1, "encrypted", opened="2024-03-05T10:00:00Z", closed="2024-03-05T10:00:09Z", mail_flow="incoming",
        domain="example.org", tls_version="TLSv1.2", tls_cipher="ECDHE-RSA-AES256-GCM-SHA384", messages=2,
    ),
    connection(
        "receiving", 2, "encrypted", opened="2024-03-05T11:00:00.250Z", mail_flow="incoming",
        domain="Example.org.", tls_version="TLSv1", tls_cipher="RC4-MD5", messages=1,
    ),
    connection("receiving", 3, "cleartext", opened="2024-03-05T11:30:00Z", mail_flow="incoming", domain="example.net", messages=1),
    connection("receiving", 4, "unused", opened="2024-03-05T11:40:00Z", peer_ip="192.0.2.4"),
    connection(
        "receiving", 5, "failed", opened="2024-03-05T11:50:00Z", mail_flow="incoming", peer_host="mx.example.net", peer_ip="192.0.2.5",
        tls_reason="remote host did not initiate it", tls_required=True,
    ),
    connection("delivery", 1, "encrypted", mail_flow="outgoing", domain="example.net", messages=1),
    connection(
        "delivery", 2, "cleartext", closed="2024-03-05T12:00:00Z", mail_flow="outgoing", domain="example.com",
        tls_reason="STARTTLS command not supported", messages=1,
    ),
    connection(
        "delivery", 3, "failed", esa_host="esa2.example.com", peer_ip="203.0.113.3",
        tls_reason="(336151576, 'error:14094418:SSL routines:SSL3_READ_BYTES:tlsv1 alert unknown ca')",
    ),
    connection("delivery", 4, "unknown", peer_ip="203.0.113.3"),
]  # fmt: skip

MESSAGES: list[Record] = [
    message(
        1, "encrypted", "encrypted", [attempt("encrypted", "example.net", tls_version="TLSv1.3", tls_cipher="TLS_AES_256_GCM_SHA384")],
        received_tls_version="TLSv1.2", received_tls_cipher="ECDHE-RSA-AES256-GCM-SHA384", mail_flow="incoming",
        sender="a@example.org", first_seen="2024-03-05T10:00:01Z", last_seen="2024-03-05T10:00:05Z",
    ),
    message(
        2, "cleartext", "mixed",
        [attempt("encrypted", "example.net"), attempt("cleartext", "example.com"), attempt("failed", "example.com", "delayed")],
        mail_flow="outgoing", sender="b@EXAMPLE.COM", first_seen="2024-03-05T10:59:59Z", last_seen="2024-03-05T13:00:00Z",
    ),
    message(3, "internal", "none", [attempt("failed", "example.org", "bounced")], sender=""),
    message(4, "unknown", "unknown", [attempt("unknown", None, peer_ip="203.0.113.3")], sender="", received_peer_ip="192.0.2.9"),
]  # fmt: skip


def tally(percent: dict[str, float], **verdicts: int) -> dict[str, Any]:
    """Return a tally: `percent` names the verdicts that are counted."""
    counted = sum(verdicts[verdict] for verdict in percent)
    return {"total": sum(verdicts.values()), "counted": counted, "verdicts": verdicts, "percent": percent if counted else {}}


def over(percent: dict[str, float], verdicts: tuple[int, int, int, int, int], **more: Any) -> dict[str, Any]:
    """Return the tally of connections: encrypted, cleartext, failed, unused, unknown, and none mixed; what is not said is 0."""
    names = ("attempted", "fallback", "required", "required_failed", "required_cleartext", "deprecated", "weak", "no_forward_secrecy")
    rest = {**dict.fromkeys(names, 0), **more}
    if rest["attempted"]:
        rest["attempted_encrypted"] = report.percent(verdicts[0], rest["attempted"])
    counts = {**dict.fromkeys(CONNECTION_VERDICTS, 0), **dict(zip(("encrypted", "cleartext", "failed", "unused", "unknown"), verdicts))}
    shares = {**dict.fromkeys(counted(CONNECTION_VERDICTS), 0.0), **percent}
    return {**tally(shares, **counts), **rest}


def test_whole_report_of_a_few_records() -> None:
    """Every number of a report on nine connections and four messages is the one counted by hand."""
    built = build(iter(CONNECTIONS), iter(MESSAGES))
    assert built["notes"] == notes.NOTES
    assert built["span"] == {"first": "2024-03-05T10:00:00Z", "last": "2024-03-05T13:00:00Z"}
    assert built["appliances"] == [
        {"esa_host": "esa1.example.com", "connections": 8, "messages": 4},
        {"esa_host": "esa2.example.com", "connections": 1, "messages": 0},
    ]
    assert built["totals"] == {"connections": 9, "messages": 4}
    assert built["both_sides"] == [
        {"received": "cleartext", "delivered": "mixed", "messages": 1},
        {"received": "encrypted", "delivered": "encrypted", "messages": 1},
        {"received": "internal", "delivered": "none", "messages": 1},
        {"received": "unknown", "delivered": "unknown", "messages": 1},
    ]
    assert set(built) == {"span", "appliances", "totals", "receiving", "delivery", "both_sides", "organisations", "notes"}
    assert list(built["receiving"]) == list(built["delivery"]) == ["all", "incoming", "outgoing", "unknown"]

    assert built["receiving"]["all"] == {
        "connections": over(
            {"encrypted": 50.0, "cleartext": 25.0, "failed": 25.0}, (2, 1, 1, 1, 0),
            attempted=3, attempted_percent=75.0, required=1, required_failed=1, deprecated=1, weak=1, no_forward_secrecy=1,
        ),
        "messages": tally({"encrypted": 50.0, "cleartext": 50.0}, encrypted=1, cleartext=1, internal=1, none=0, unknown=1),
        "recipients": tally({"encrypted": 0.0, "cleartext": 0.0}, encrypted=0, cleartext=0, internal=0, none=0, unknown=0),
        "versions": [
            {"version": "TLSv1.2", "connections": 1, "percent": 50.0, "messages": 1, "deprecated": False},
            {"version": "TLSv1", "connections": 1, "percent": 50.0, "messages": 0, "deprecated": True},
        ],
        "ciphers": [
            {
                "cipher": "ECDHE-RSA-AES256-GCM-SHA384", "connections": 1, "percent": 50.0, "messages": 1,
                "weak": [], "no_forward_secrecy": False,
            },
            {"cipher": "RC4-MD5", "connections": 1, "percent": 50.0, "messages": 0, "weak": ["RC4", "MD5"], "no_forward_secrecy": True},
        ],
        "reasons": [
            {
                "reason": "remote host did not initiate it", "connections": 1, "failed": 1, "cleartext": 0,
                "partners": 1, "certificate": False,
            }
        ],
        "other_reasons": [],
        "failures": [
            {
                "partner": "mx.example.net", "connections": 1, "failed": 1, "cleartext": 0, "required": 1, "certificate": 0,
                "reasons": [{"reason": "remote host did not initiate it", "connections": 1}],
            }
        ],
        "outdated": [{"partner": "example.org", "connections": 1, "versions": ["TLSv1"], "ciphers": ["RC4-MD5"]}],
        "partners": [
            {
                "partner": "example.org",
                "connections": over(
                    {"encrypted": 100.0, "cleartext": 0.0, "failed": 0.0}, (2, 0, 0, 0, 0),
                    attempted=2, attempted_percent=100.0, deprecated=1, weak=1, no_forward_secrecy=1,
                ),
                "messages": tally({"encrypted": 100.0, "cleartext": 0.0}, encrypted=1, cleartext=0, unknown=0),
            },
            {
                "partner": "example.net",
                "connections": over({"encrypted": 0.0, "cleartext": 100.0, "failed": 0.0}, (0, 1, 0, 0, 0), attempted_percent=0.0),
                "messages": tally({"encrypted": 0.0, "cleartext": 0.0}, encrypted=0, cleartext=0, unknown=0),
            },
            {
                "partner": "mx.example.net",
                "connections": over(
                    {"encrypted": 0.0, "cleartext": 0.0, "failed": 100.0}, (0, 0, 1, 0, 0), attempted=1, attempted_percent=100.0, required=1, required_failed=1
                ),
                "messages": tally({"encrypted": 0.0, "cleartext": 0.0}, encrypted=0, cleartext=0, unknown=0),
            },
            {
                "partner": "192.0.2.9",
                "connections": over({}, (0, 0, 0, 0, 0)),
                "messages": tally({"encrypted": 0.0, "cleartext": 0.0}, encrypted=0, cleartext=0, unknown=1),
            },
            {
                "partner": "example.com",
                "connections": over({}, (0, 0, 0, 0, 0)),
                "messages": tally({"encrypted": 0.0, "cleartext": 100.0}, encrypted=0, cleartext=1, unknown=0),
            },
        ],
        "over_time": {
            "unit": "hour",
            "connections": [
                {"time": "2024-03-05T10:00:00Z", "verdicts": {"encrypted": 1, "mixed": 0, "cleartext": 0, "failed": 0, "unused": 0, "unknown": 0}},
                {"time": "2024-03-05T11:00:00Z", "verdicts": {"encrypted": 1, "mixed": 0, "cleartext": 1, "failed": 1, "unused": 1, "unknown": 0}},
            ],
            "messages": [{"time": "2024-03-05T10:00:00Z", "verdicts": {"encrypted": 1, "cleartext": 1, "internal": 0, "none": 0, "unknown": 0}}],
            "undated": {"connections": 0, "messages": 2},
        },
    }  # fmt: skip

    unknown_ca = "(336151576, 'error:14094418:SSL routines:SSL3_READ_BYTES:tlsv1 alert unknown ca')"
    none = {"encrypted": 0.0, "mixed": 0.0, "cleartext": 0.0}
    assert built["delivery"]["all"] == {
        "connections": over(
            {"encrypted": 33.3, "cleartext": 33.3, "failed": 33.3}, (1, 1, 1, 0, 1), attempted=3, attempted_percent=100.0, fallback=1
        ),
        "messages": tally({"encrypted": 50.0, "mixed": 50.0, "cleartext": 0.0}, encrypted=1, mixed=1, cleartext=0, none=1, unknown=1),
        "recipients": tally({"encrypted": 66.7, "cleartext": 33.3}, encrypted=2, cleartext=1, unknown=1),
        "versions": [
            {"version": "unknown", "connections": 1, "messages": 1, "deprecated": False},
            {"version": "TLSv1.3", "connections": 0, "messages": 1, "deprecated": False},
        ],
        "ciphers": [
            {"cipher": "unknown", "connections": 1, "messages": 1, "weak": [], "no_forward_secrecy": False},
            {"cipher": "TLS_AES_256_GCM_SHA384", "connections": 0, "messages": 1, "weak": [], "no_forward_secrecy": False},
        ],
        "reasons": [
            {"reason": unknown_ca, "connections": 1, "failed": 1, "cleartext": 0, "partners": 1, "certificate": True},
            {
                "reason": "STARTTLS command not supported", "connections": 1, "failed": 0, "cleartext": 1,
                "partners": 1, "certificate": False,
            },
        ],
        "other_reasons": [],
        "failures": [
            {
                "partner": "203.0.113.3", "connections": 1, "failed": 1, "cleartext": 0, "required": 0, "certificate": 1,
                "reasons": [{"reason": unknown_ca, "connections": 1}],
            },
            {
                "partner": "example.com", "connections": 1, "failed": 0, "cleartext": 1, "required": 0, "certificate": 0,
                "reasons": [{"reason": "STARTTLS command not supported", "connections": 1}],
            },
        ],
        "outdated": [],
        "partners": [
            {
                "partner": "203.0.113.3",
                "connections": over(
                    {"encrypted": 0.0, "cleartext": 0.0, "failed": 100.0}, (0, 0, 1, 0, 1), attempted=1, attempted_percent=100.0
                ),
                "messages": tally(none, encrypted=0, mixed=0, cleartext=0, unknown=1),
            },
            {
                "partner": "example.net",
                "connections": over(
                    {"encrypted": 100.0, "cleartext": 0.0, "failed": 0.0}, (1, 0, 0, 0, 0), attempted=1, attempted_percent=100.0
                ),
                "messages": tally({"encrypted": 100.0, "mixed": 0.0, "cleartext": 0.0}, encrypted=2, mixed=0, cleartext=0, unknown=0),
            },
            {
                "partner": "example.com",
                "connections": over(
                    {"encrypted": 0.0, "cleartext": 100.0, "failed": 0.0}, (0, 1, 0, 0, 0), attempted=1, attempted_percent=100.0, fallback=1
                ),
                "messages": tally({"encrypted": 0.0, "mixed": 0.0, "cleartext": 100.0}, encrypted=0, mixed=0, cleartext=1, unknown=0),
            },
        ],
        "over_time": {
            "unit": "hour",
            "connections": [
                {"time": "2024-03-05T12:00:00Z", "verdicts": {"encrypted": 0, "mixed": 0, "cleartext": 1, "failed": 0, "unused": 0, "unknown": 0}}
            ],
            "messages": [
                {"time": "2024-03-05T10:00:00Z", "verdicts": {"encrypted": 1, "mixed": 1, "cleartext": 0, "none": 0, "unknown": 0}}
            ],
            "undated": {"connections": 3, "messages": 2},
        },
    }  # fmt: skip

    assert built["receiving"]["outgoing"]["connections"] == over({}, (0, 0, 0, 0, 0))
    assert built["receiving"]["outgoing"]["messages"] == tally({"encrypted": 0.0, "cleartext": 100.0}, encrypted=0, cleartext=1, internal=0, none=0, unknown=0)
    assert built["receiving"]["unknown"]["connections"] == over({}, (0, 0, 0, 1, 0))
    assert [row["partner"] for row in built["delivery"]["outgoing"]["partners"]] == ["example.com", "example.net"]
    assert [row["partner"] for row in built["delivery"]["unknown"]["partners"]] == ["203.0.113.3"]


def test_mixed_connections_and_messages_that_were_never_received() -> None:
    """A mixed connection counts as one over TLS with its protocol; a refused message, and errors that say nothing of TLS, are in no percentage."""
    reset, refused = "possibly: [Errno 104] Connection reset by peer", "450 try again later"
    over_tls = [
        connection("receiving", 1, "encrypted", tls_version="TLSv1.2", tls_cipher="ECDHE-RSA-AES256-GCM-SHA384", domain="example.org"),
        connection("receiving", 2, "mixed", tls_version="TLSv1", tls_cipher="RC4-SHA", domain="example.org"),
        connection("receiving", 3, "unknown", tls_reason=reset, domain="example.net"),
        connection("receiving", 4, "unused", tls_reason=refused),
        connection("receiving", 5, "unused", tls_reason=reset),
        connection("receiving", 6, "unused"),
    ]
    mail = [message(1, "encrypted", "none", sender="a@example.org", received_tls_version="TLSv1.2"), message(2, "none", "none", sender="b@example.org")]
    part = build(over_tls, mail)["receiving"]["all"]
    assert part["connections"] == {
        **tally({"encrypted": 50.0, "mixed": 50.0, "cleartext": 0.0, "failed": 0.0}, encrypted=1, mixed=1, cleartext=0, failed=0, unused=3, unknown=1),
        "attempted": 2, "attempted_percent": 100.0, "attempted_encrypted": 100.0, "fallback": 0, "required": 0, "required_failed": 0, "required_cleartext": 0,
        "deprecated": 1, "weak": 1, "no_forward_secrecy": 1,
    }  # fmt: skip
    assert part["messages"] == tally({"encrypted": 100.0, "cleartext": 0.0}, encrypted=1, cleartext=0, internal=0, none=1, unknown=0)
    assert [(row["version"], row["connections"], row["percent"], row["deprecated"]) for row in part["versions"]] == [
        ("TLSv1.2", 1, 50.0, False),
        ("TLSv1", 1, 50.0, True),
    ]
    assert part["outdated"] == [{"partner": "example.org", "connections": 1, "versions": ["TLSv1"], "ciphers": ["RC4-SHA"]}]
    assert (part["reasons"], part["failures"]) == ([], [])
    assert part["other_reasons"] == [
        {"reason": reset, "connections": 2, "unused": 1, "unknown": 1},
        {"reason": refused, "connections": 1, "unused": 1, "unknown": 0},
    ]
    assert {row["partner"]: row["messages"]["total"] for row in part["partners"]} == {"example.net": 0, "example.org": 1}


def test_mail_after_words_about_verification() -> None:
    """Mail that passed after them is neither encrypted nor in clear text, so that they are no failure, but an error whose meaning the note explains."""
    text = """\
Tue Mar  3 10:00:00 2026 Info: New SMTP DCID 5 interface 192.0.2.10 address 198.51.100.1 port 25
Tue Mar  3 10:00:01 2026 Info: DCID 5 TLS failed: certificate verification failed
Tue Mar  3 10:00:02 2026 Info: Message done DCID 5 MID 6 to RID [0]
"""
    built = build(*records_of(text))
    part = built["delivery"]["all"]
    assert (part["reasons"], part["connections"]["verdicts"]["unknown"], part["messages"]["verdicts"]["unknown"]) == ([], 1, 1)
    assert part["other_reasons"] == [{"reason": "certificate verification failed", "connections": 1, "unused": 0, "unknown": 1}]
    assert "Words about verification show that there was a handshake" in built["notes"]["other_reasons"]


def test_nothing_gives_a_report_of_zeros() -> None:
    """A log without connections has no share of anything, no span and no appliance."""
    built: Any = build([], [])
    assert built["span"] == {}
    assert built["appliances"] == []
    assert built["totals"] == {"connections": 0, "messages": 0}
    for direction, verdicts in report.MESSAGE_VERDICTS.items():
        for flow in ("all", *notes.FLOWS):
            assert built[direction][flow] == {
                "connections": over({}, (0, 0, 0, 0, 0)),
                "messages": {"total": 0, "counted": 0, "verdicts": dict.fromkeys(verdicts, 0), "percent": {}},
                "recipients": {"total": 0, "counted": 0, "verdicts": dict.fromkeys(report.RECIPIENT_VERDICTS[direction], 0), "percent": {}},
                "versions": [], "ciphers": [], "reasons": [], "other_reasons": [], "failures": [], "outdated": [], "partners": [],
                "over_time": {"unit": "day", "connections": [], "messages": [], "undated": {"connections": 0, "messages": 0}},
            }  # fmt: skip


@pytest.mark.parametrize("seed", range(5))
def test_order_of_the_records_does_not_matter(seed: int) -> None:
    """Shuffled records give the same report, to the byte."""
    shuffled, others = list(CONNECTIONS), list(MESSAGES)
    random.Random(seed).shuffle(shuffled)
    random.Random(-seed).shuffle(others)
    assert json.dumps(build(shuffled, others)) == json.dumps(build(CONNECTIONS, MESSAGES))


@given(st.data())
def test_counts_of_parts_add_up(data: st.DataObject) -> None:
    """Records that are counted in parts, here or in other processes, are counted as they are at once."""
    records = [*CONNECTIONS, *MESSAGES, *data.draw(st.lists(st.sampled_from([*CONNECTIONS, *MESSAGES])))]
    own = data.draw(st.sampled_from([(), ("example.net",)]))
    parts: list[list[Record]] = [[], [], []]
    for record in records:
        parts[data.draw(st.integers(0, 2))].append(record)
    first, *others = (ReportCounts.of_plain(marshal.loads(marshal.dumps(count_records(part, own).plain()))) for part in parts)  # noqa: S302 - our own
    for one in others:
        first.add(one)
    assert json.dumps(report.report_on(first)) == json.dumps(build(records, (), own))


@pytest.mark.parametrize("path", sorted(SCENARIOS.glob("*.log")), ids=lambda path: path.stem)
def test_brief_records(path: pathlib.Path) -> None:
    """Of a connection, what is told in brief is all that a report counts, as a record of it is."""
    facts, _ = read_facts(path.read_text(encoding="utf-8").splitlines())
    appliances = [*appliances_of(facts)]
    whole = build((record for one in appliances for _, record in connections_of(one)), ())
    assert build((brief for one in appliances for _, brief in briefs_of(one)), ()) == whole
    records = [
        brief_record(one, key, connection)
        for one in appliances
        for side in (RECEIVING, DELIVERY)
        for key in one.ids(side)
        for connection in one.connections_of(side, key)[1].values()
    ]
    assert build(records, ()) == whole


@pytest.mark.parametrize(
    ("part", "whole", "share"),
    [
        (0, 5, 0.0),
        (5, 5, 100.0),
        (1, 3, 33.3),
        (2, 3, 66.7),
        (1, 8, 12.5),
        (1, 16, 6.3),
        (1, 2000, 0.1),
        (1, 1_000_000, 0.1),
        (9_999, 10_000, 99.9),
        (999_999, 1_000_000, 99.9),
        (0, 0, None),
    ],
)
def test_percentages(part: int, whole: int, share: float | None) -> None:
    """A share has one decimal; 100 and 0 are said of all and nothing only, and nothing has no share."""
    assert report.percent(part, whole) == share


@given(st.integers(0, 10**12), st.integers(1, 10**12))
def test_percentages_are_exact_to_their_decimal(part: int, whole: int) -> None:
    """No share is further than half a tenth from the true one, but to keep 0 and 100 for nothing and all."""
    part = min(part, whole)
    share = report.percent(part, whole)
    assert share is not None
    tenths = round(share * 10)
    near = abs(tenths * whole - 1000 * part) * 2 <= whole
    assert near or (tenths in (1, 999) and 0 < part < whole)
    assert (share == 100.0) == (part == whole)
    assert (share == 0.0) == (part == 0)


@given(
    st.lists(st.sampled_from(CONNECTION_VERDICTS)),
    st.lists(st.tuples(st.sampled_from(report.MESSAGE_VERDICTS["receiving"]), st.sampled_from(report.MESSAGE_VERDICTS["delivery"]))),
)
def test_what_tells_nothing_is_in_no_percentage(over_tls: list[str], mail: list[tuple[str, str]]) -> None:
    """Adding unused, unknown, internal and none changes totals and counts, and no share."""
    telling = build(
        [connection("delivery", i, verdict) for i, verdict in enumerate(over_tls) if verdict in COUNTED],
        [message(i, received, delivered) for i, (received, delivered) in enumerate(mail)],
    )["delivery"]["all"]
    everything = build(
        [connection("delivery", i, verdict) for i, verdict in enumerate(over_tls)],
        [message(i, received, delivered) for i, (received, delivered) in enumerate(mail)],
    )["delivery"]["all"]
    assert everything["connections"]["percent"] == telling["connections"]["percent"]
    assert everything["connections"]["counted"] == telling["connections"]["counted"]
    assert everything["connections"]["verdicts"] == {verdict: over_tls.count(verdict) for verdict in CONNECTION_VERDICTS}
    assert everything["connections"]["total"] == len(over_tls)
    counted = [delivered for _, delivered in mail if delivered not in ("none", "unknown")]
    assert everything["messages"]["counted"] == len(counted)
    shares = {verdict: report.percent(counted.count(verdict), len(counted)) for verdict in ("encrypted", "mixed", "cleartext")}
    assert everything["messages"]["percent"] == (shares if counted else {})


@pytest.mark.parametrize(("cipher", "weak", "mild"), CIPHERS)
def test_ciphers_are_judged_by_whole_words(cipher: str, weak: list[str], mild: bool) -> None:  # noqa: FBT001
    """Weak parts of OpenSSL and IANA names are found, forward secrecy is a mark of its own, look-alikes have neither."""
    assert (ciphers.weaknesses(cipher), ciphers.lacks_forward_secrecy(cipher)) == (weak, mild)


@pytest.mark.parametrize(("version", "deprecated"), VERSIONS)
def test_deprecated_protocols(version: str, deprecated: bool) -> None:  # noqa: FBT001
    """What RFC 6176, 7568 and 8996 retire is deprecated, in every spelling that the logs have; nothing else is."""
    assert ciphers.is_deprecated(version) is deprecated


@pytest.mark.parametrize(
    ("reason", "certificate"),
    [
        ("(336151576, 'error:14094418:SSL routines:SSL3_READ_BYTES:tlsv1 alert unknown ca')", True),
        ("(1, 'error:14090086:SSL routines:SSL3_GET_SERVER_CERTIFICATE:certificate verify failed')", True),
        ("sslv3 alert Certificate Expired", True),
        ("(336109761, 'error:1408A0C1:SSL routines:SSL3_GET_CLIENT_HELLO:no shared cipher')", False),
        ("STARTTLS unexpected response", False),
        ("not logged", False),
    ],
)
def test_certificate_problems(reason: str, certificate: bool) -> None:  # noqa: FBT001
    """A failure is a certificate problem when its reason names the certificate or its issuer."""
    assert reasons.is_certificate_problem(reason) is certificate


@pytest.mark.parametrize(
    ("reason", "parts"),
    [
        ("(1, 'error:14:SSL routines:X:no shared cipher')", ("(1, 'error:14:SSL routines:X:", "no shared cipher", "')")),
        ("STARTTLS: unexpected response", ("", "STARTTLS: unexpected response", "")),
        ("(1, 'no colon')", ("", "(1, 'no colon')", "")),
        ("(1, 'ends with:')", ("", "(1, 'ends with:')", "")),
        ("", ("", "", "")),
    ],
)
def test_reasons_in_three(reason: str, parts: tuple[str, str, str]) -> None:
    """The words that matter of an OpenSSL error are told from what stands around them, and nothing is lost."""
    assert reasons.split_reason(reason) == parts
    assert "".join(parts) == reason


def test_a_failure_without_a_reason_says_so() -> None:
    """`TLS failed` alone is counted as a failure whose reason is not logged; a plain clear text connection is none."""
    rows = build([connection("receiving", 1, "failed"), connection("receiving", 2, "cleartext")], [])["receiving"]["all"]
    assert rows["reasons"] == [{"reason": "not logged", "connections": 1, "failed": 1, "cleartext": 0, "partners": 1, "certificate": False}]
    assert [row["partner"] for row in rows["failures"]] == ["unknown"]


def test_required_is_no_failure_of_a_connection_that_is_encrypted() -> None:
    """TLS that came up at last was required and did not fail."""
    rows = build([connection("delivery", 1, "encrypted", tls_required=True)], [])["delivery"]["all"]
    assert rows["connections"]["required"] == 0
    assert rows["failures"] == []


def test_what_is_unknown_is_in_no_share() -> None:
    """A protocol or cipher that the log does not tell is counted, and is no part of the whole that shares are of."""
    part = build(
        [
            connection("receiving", 1, "encrypted"),
            connection("receiving", 2, "encrypted", tls_version="TLSv1", tls_cipher="RC4-SHA"),
            connection("receiving", 3, "encrypted", tls_version="TLSv1.2"),
        ],
        [message(1, "encrypted", "none")],
    )["receiving"]["all"]
    assert part["versions"] == [
        {"version": "unknown", "connections": 1, "messages": 1, "deprecated": False},
        {"version": "TLSv1", "connections": 1, "percent": 50.0, "messages": 0, "deprecated": True},
        {"version": "TLSv1.2", "connections": 1, "percent": 50.0, "messages": 0, "deprecated": False},
    ]
    assert part["ciphers"] == [
        {"cipher": "unknown", "connections": 2, "messages": 1, "weak": [], "no_forward_secrecy": False},
        {"cipher": "RC4-SHA", "connections": 1, "percent": 100.0, "messages": 0, "weak": ["RC4"], "no_forward_secrecy": True},
    ]


def test_required_counts_what_its_row_counts() -> None:
    """TLS that was required is told of by what came of it, and beside a partner's failures of these alone."""
    built = build(
        [
            connection("receiving", 1, "failed", domain="example.net"),
            connection("receiving", 2, "cleartext", domain="example.net", tls_required=True),
            connection("receiving", 3, "failed", domain="example.net", tls_required=True, tls_reason="x"),
            connection("receiving", 4, "cleartext", domain="example.net", tls_required=True, tls_reason="y"),
            connection("receiving", 5, "unknown", domain="example.net", tls_required=True),
        ],
        [],
    )["receiving"]["all"]
    for tally in (built["connections"], built["partners"][0]["connections"]):
        assert {name: tally[name] for name in ("required", "required_failed", "required_cleartext", "fallback")} == {
            "required": 4,
            "required_failed": 1,
            "required_cleartext": 2,
            "fallback": 1,
        }
    row = built["failures"][0]
    assert {name: row[name] for name in ("connections", "failed", "cleartext", "required")} == {"connections": 3, "failed": 2, "cleartext": 1, "required": 2}


@pytest.mark.parametrize(
    ("last", "unit", "times"),
    [
        ("2024-03-07T23:59:59Z", "hour", ["2024-03-05T00:00:00Z", "2024-03-07T23:00:00Z"]),
        ("2024-03-08T00:00:00Z", "day", ["2024-03-05T00:00:00Z", "2024-03-08T00:00:00Z"]),
    ],
)
def test_hours_below_three_days(last: str, unit: str, times: list[str]) -> None:
    """A log of less than three days is counted by hour, a longer one by day; empty hours and days are left out."""
    rows = [message(i, "encrypted", "none", first_seen=time) for i, time in enumerate(("2024-03-05T00:00:00Z", last, last))]
    series = build([], rows)["receiving"]["all"]["over_time"]
    assert series["unit"] == unit
    assert [(row["time"], row["verdicts"]["encrypted"]) for row in series["messages"]] == [(times[0], 1), (times[1], 2)]


def test_a_span_with_fractions_of_a_second() -> None:
    """Times with milliseconds are later than the same second without."""
    rows = [message(i, "encrypted", "none", first_seen=time) for i, time in enumerate(("2024-03-05T00:00:00.500Z", "2024-03-05T00:00:00Z"))]
    assert build([], rows)["span"] == {"first": "2024-03-05T00:00:00Z", "last": "2024-03-05T00:00:00.500Z"}


def test_refused_strangers_take_no_room() -> None:
    """However many addresses are refused, the tables by partner do not grow; the totals count each."""
    rows = (connection("receiving", i, "unused", peer_ip=f"198.51.100.{i % 256}", peer_host=f"h{i}.example.net") for i in range(3000))
    part = build(rows, [])["receiving"]["all"]
    assert part["connections"]["verdicts"]["unused"] == 3000
    assert part["partners"] == []


def test_one_message_to_several_partners_counts_for_each() -> None:
    """Each partner has its own verdict: over TLS, in clear text, both, or unknown where one delivery is."""
    deliveries = [
        attempt("encrypted", "a.example.com"), attempt("encrypted", "a.example.com"),
        attempt("cleartext", "b.example.com"),
        attempt("encrypted", "c.example.com"), attempt("cleartext", "c.example.com"),
        attempt("encrypted", "d.example.com"), attempt("unknown", "d.example.com"),
        attempt("encrypted", "e.example.com", "delayed"), attempt("encrypted", "f.example.com", None),
    ]  # fmt: skip
    part = build([], [message(1, "encrypted", "mixed", deliveries)])["delivery"]["all"]
    found = {row["partner"]: [name for name, count in row["messages"]["verdicts"].items() if count] for row in part["partners"]}
    assert found == {
        "a.example.com": ["encrypted"],
        "b.example.com": ["cleartext"],
        "c.example.com": ["mixed"],
        "d.example.com": ["unknown"],
    }


RELAY = {"peer_ip": "203.0.113.99"}


@pytest.mark.parametrize(
    ("recipients", "deliveries", "expected"),
    [
        # one delivery to several, by a relay
        (["a@p1.example", "a@p4.example"], [attempt("cleartext", None, rid=[0, 1], **RELAY)], {"p1.example": "cleartext", "p4.example": "cleartext"}),
        (["a@p1.example", "b@P1.example", "c@p2.example", "d@p3.example"],
         [attempt("encrypted", "p1.example", rid=[5]), attempt("cleartext", None, rid=[2, 7], **RELAY), attempt("encrypted", "p3.example", rid=[9])],
         {"p1.example": "mixed", "p2.example": "cleartext", "p3.example": "encrypted"}),
        (["a@p1.example", "b@p2.example", "c@p3.example"],
         [attempt("cleartext", None, rid=[0, 1], **RELAY), attempt("failed", "p3.example", "bounced", rid=[2])],
         {"p1.example": "cleartext", "p2.example": "cleartext"}),
        (["a@p1.example", "postmaster"], [attempt("cleartext", None, rid=[0, 1], **RELAY)], {"p1.example": "cleartext", "203.0.113.99": "cleartext"}),
        # recipients out of view, or none in view, or of another count
        ([], [attempt("cleartext", None, rid=[0, 1], **RELAY)], {"203.0.113.99": "cleartext"}),
        (["a@p1.example", "b@p2.example"], [attempt("cleartext", None, rid=[0, 1, 2], **RELAY)], {"203.0.113.99": "cleartext"}),
        (["a@p1.example", "b@p2.example", "c@p3.example"], [attempt("cleartext", None, rid=[0, 1], **RELAY)], {"203.0.113.99": "cleartext"}),
        (["a@p1.example"], [attempt("cleartext", None, rid=[], **RELAY)], {"203.0.113.99": "cleartext"}),
        # as many, but others: those of the second attempt would have given it their domain, or are not of its domain
        (["a@p1.example", "b@p2.example", "c@p3.example"],
         [attempt("cleartext", None, rid=[0, 1], **RELAY), attempt("unknown", None, rid=[2], peer_ip="203.0.113.98")],
         {"203.0.113.99": "cleartext", "203.0.113.98": "unknown"}),
        (["a@p1.example", "b@p2.example", "c@p3.example"],
         [attempt("cleartext", None, rid=[0, 1], **RELAY), attempt("encrypted", "p2.example", rid=[2])],
         {"203.0.113.99": "cleartext", "p2.example": "encrypted"}),
    ],
)  # fmt: skip
def test_one_delivery_to_several_partners_counts_for_each(recipients: list[str], deliveries: list[Record], expected: dict[str, str]) -> None:
    """The recipients of an attempt are its partners where the record tells them apart; where it does not, the other side is, and nobody is accused."""
    part = build([], [message(1, "encrypted", "mixed", deliveries, recipients=recipients)])["delivery"]["all"]
    counts = {row["partner"]: {verdict: count for verdict, count in row["messages"]["verdicts"].items() if count} for row in part["partners"]}
    assert counts == {partner: {verdict: 1} for partner, verdict in expected.items()}


def test_mail_by_way_of_a_relay() -> None:
    """Mail to two partners in one clear-text delivery counts for both; its connection has one partner, so that the rows add up."""
    log = (
        "Thu Oct  1 01:00:00 2026 Info: Start MID 59 ICID 50\n"
        "Thu Oct  1 01:00:00 2026 Info: MID 59 ICID 50 RID 0 To: <a@p1.example>\n"
        "Thu Oct  1 01:00:02 2026 Info: Start MID 60 ICID 50\n"
        "Thu Oct  1 01:00:02 2026 Info: MID 60 ICID 50 RID 0 To: <a@p1.example>\n"
        "Thu Oct  1 01:00:02 2026 Info: MID 60 ICID 50 RID 1 To: <a@p4.example>\n"
        "Thu Oct  1 01:00:10 2026 Info: New SMTP DCID 71 interface 192.0.2.11 address 203.0.113.1 port 25\n"
        "Thu Oct  1 01:00:11 2026 Info: DCID 71 TLS success protocol TLSv1.2 cipher AES256-SHA\n"
        "Thu Oct  1 01:00:12 2026 Info: Message done DCID 71 MID 59 to RID [0]\n"
        "Thu Oct  1 01:10:00 2026 Info: New SMTP DCID 72 interface 192.0.2.11 address 203.0.113.99 port 25\n"
        "Thu Oct  1 01:10:01 2026 Info: Message done DCID 72 MID 60 to RID [0, 1]\n"
    )
    part = build(*records_of(log))["delivery"]["all"]
    none = {"encrypted": 0.0, "mixed": 0.0, "cleartext": 0.0}
    assert part["partners"] == [
        {
            "partner": "p1.example",
            "connections": over(
                {"encrypted": 100.0, "cleartext": 0.0, "failed": 0.0}, (1, 0, 0, 0, 0), attempted=1, attempted_percent=100.0, no_forward_secrecy=1
            ),
            "messages": tally({**none, "encrypted": 50.0, "cleartext": 50.0}, encrypted=1, mixed=0, cleartext=1, unknown=0),
        },
        {
            "partner": "203.0.113.99",
            "connections": over({"encrypted": 0.0, "cleartext": 100.0, "failed": 0.0}, (0, 1, 0, 0, 0), attempted_percent=0.0),
            "messages": tally({}, encrypted=0, mixed=0, cleartext=0, unknown=0),
        },
        {
            "partner": "p4.example",
            "connections": over({}, (0, 0, 0, 0, 0)),
            "messages": tally({**none, "cleartext": 100.0}, encrypted=0, mixed=0, cleartext=1, unknown=0),
        },
    ]


@pytest.mark.parametrize(
    ("names", "partners"),
    [
        (["b\u00fccher.example", "xn--bcher-kva.example", "B\u00dcCHER.example."], ["xn--bcher-kva.example"]),
        (["\u4f8b\u3048.example"], ["xn--r8jz45g.example"]),
        (["mx.\u03c0\u03b1\u03c1\u03ac\u03b4\u03b5\u03b9\u03b3\u03bc\u03b1.example"], ["mx.xn--hxajbheg2az3al.example"]),
        (["stra\u00dfe.example", "strasse.example"], ["strasse.example", "stra\u00dfe.example"]),
        (["ex\u200bample.net", "ex\u00adample.net", "example.net"], ["example.net", "ex\u00adample.net", "ex\u200bample.net"]),
        (["\uff45xample.net", "e\u0301.example"], ["e\u0301.example", "\uff45xample.net"]),
        (["xn--a\u00fc.example", "\u00fc" * 64 + ".example", "\u00fc..example", "\ud800.example"],
         ["xn--a\u00fc.example", "\u00fc..example", "\u00fc" * 64 + ".example", "\ud800.example"]),
        (["\u00fc." * 5000], [("\u00fc." * 5000)[:-1]]),
    ],
)  # fmt: skip
def test_names_in_other_letters(names: list[str], partners: list[str]) -> None:
    """A name and the form that DNS has of it are one partner; what only looks like another name, or is none, is one of its own."""
    rows = [connection("delivery", i, "encrypted", domain=name) for i, name in enumerate(names)]
    built = build(rows, [])["delivery"]["all"]["partners"]
    assert sorted(row["partner"] for row in built) == sorted(partners)
    assert sum(row["connections"]["total"] for row in built) == len(names)


@given(st.text(st.characters(exclude_categories=())))
def test_any_name_is_a_partner(name: str) -> None:
    """Whatever stands where a domain should, the report is made, and two names are one only where DNS knows no difference."""
    (row,) = build([connection("delivery", 1, "encrypted", domain=name)], [])["delivery"]["all"]["partners"]
    plain = name.lower().rstrip(".") or "unknown"
    assert row["partner"] == plain or (row["partner"].isascii() and row["partner"].encode("ascii").decode("idna") == plain)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_counted_as_it_stands(text: str) -> None:
    """Text of the log is a key like any other, and the report is JSON whatever it says."""
    built = build(*hostile_records(text))
    assert built == json.loads(json.dumps(built))
    part = built["receiving"]["all"]
    assert [row["version"] for row in part["versions"]] == [text]
    assert [row["reason"] for row in part["reasons"]] == [text]
    assert built["delivery"]["unknown"]["messages"]["total"] == 2


def recount(connections: list[Record], messages: list[Record]) -> dict[str, Any]:
    """Return verdicts by direction and flow, counted plainly."""
    found: dict[str, Any] = {}
    for direction in notes.DIRECTIONS:
        name = "received" if direction == "receiving" else "delivered"
        for flow in ("all", *notes.FLOWS):
            over_tls = [r for r in connections if r["esa_direction"] == direction and flow in ("all", r.get("mail_flow", "unknown"))]
            mail = [r for r in messages if flow in ("all", r.get("mail_flow", "unknown"))]
            found[f"{direction} {flow}"] = (
                Counter(r["tls_verdict"] for r in over_tls),
                Counter(r[name] for r in mail),
                Counter(r.get("tls_version", "unknown") for r in over_tls if r["tls_verdict"] in ("encrypted", "mixed")),
                Counter(r.get("tls_cipher", "unknown") for r in over_tls if r["tls_verdict"] in ("encrypted", "mixed")),
                Counter(r.get("tls_reason", "not logged") for r in over_tls if r["tls_verdict"] == "failed"),
            )
    return found


def check_counts(connections: list[Record], messages: list[Record]) -> None:
    """Compare a report with a plain count, and its parts with its whole."""
    built: Any = build(connections, messages)
    for name, expected in recount(connections, messages).items():
        direction, flow = name.split()
        part = built[direction][flow]
        assert (
            Counter({k: n for k, n in part["connections"]["verdicts"].items() if n}),
            Counter({k: n for k, n in part["messages"]["verdicts"].items() if n}),
            Counter({row["version"]: row["connections"] for row in part["versions"] if row["connections"]}),
            Counter({row["cipher"]: row["connections"] for row in part["ciphers"] if row["connections"]}),
            Counter({row["reason"]: row["failed"] for row in part["reasons"] if row["failed"]}),
        ) == expected
        by_partner = Counter[str]()
        for row in part["partners"]:
            by_partner.update({verdict: count for verdict, count in row["connections"]["verdicts"].items() if count})
        assert by_partner == Counter({verdict: count for verdict, count in expected[0].items() if verdict != "unused"})
        for what in ("connections", "messages"):
            in_time = sum(sum(row["verdicts"].values()) for row in part["over_time"][what])
            assert in_time + part["over_time"]["undated"][what] == part[what]["total"]
    assert sum(row["messages"] for row in built["both_sides"]) == len(messages)


@pytest.mark.parametrize("name", sorted(path.name for path in SCENARIOS.glob("*.log")))
def test_counts_of_the_scenarios(name: str) -> None:
    """The report on every scenario agrees with its records counted one by one."""
    check_counts(*records_of((SCENARIOS / name).read_text(encoding="ascii")))


def test_counts_of_a_larger_log(tmp_path: pathlib.Path) -> None:
    """The report on a log of every kind of line agrees with its records counted one by one."""
    log = tmp_path / "mail.log"
    write_traffic(["--messages", "400", "--seed", "7", "--hosts", "2", "--profile", "rare", "--envelope", "syslog", "--log", str(log)])
    connections, messages = records_of(log.read_text(encoding="utf-8"))
    assert len(messages) > 400
    check_counts(connections, messages)


def test_recipients_count_each_for_itself() -> None:
    """Each recipient that was accepted, and each that a delivery reached, counts by its own way; delayed and bounced ones were not reached."""
    deliveries = [
        attempt("encrypted", "a.example", rid=[0, 1]),
        attempt("cleartext", "b.example", rid=[2]),
        attempt("cleartext", "c.example", "delayed", rid=[3]),
    ]
    to = ["1@a.example", "2@a.example", "b@b.example", "c@c.example"]
    built = build([], [message(1, "cleartext", "mixed", deliveries, recipients=to)])
    assert built["receiving"]["all"]["recipients"]["verdicts"] == {"encrypted": 0, "cleartext": 4, "internal": 0, "none": 0, "unknown": 0}
    assert built["delivery"]["all"]["recipients"]["verdicts"] == {"encrypted": 2, "cleartext": 1, "unknown": 0}


def test_recipients_of_a_consolidated_event() -> None:
    """It states that a message was delivered, not to whom, so that no recipient counts as reached; the note says so."""
    text = (
        "2026-03-03T12:00:01Z esa1 log: CEF:0|Cisco|C100V Secure Email Gateway Virtual|15.0.0-104|ESA_CONSOLIDATED_LOG_EVENT|Consolidated Log Event|5|"
        "ESAMID=1 ESAICID=2 ESADCID=3 act=DELIVERED suser=a@a.example duser=b@b.example;c@b.example ESATLSOutConnStatus=Success"
    )
    built = build(*records_of(text))
    assert built["receiving"]["all"]["recipients"]["total"] == 2
    assert built["delivery"]["all"]["messages"]["verdicts"]["encrypted"] == 1
    assert built["delivery"]["all"]["recipients"]["total"] == 0
    assert "does not say which ones it reached" in built["notes"]["recipients"]


def test_share_of_attempts() -> None:
    """Beside the share of all, the share of attempts is over TLS: connections on which nobody tried are no part of it."""
    rows = [
        *(connection("receiving", i, verdict, domain="a.example") for i, verdict in enumerate(["encrypted", "encrypted", "mixed", "failed", "cleartext"])),
        connection("receiving", 9, "cleartext", tls_reason="x", domain="a.example"),
    ]
    told = build(rows, [])["receiving"]["all"]["connections"]
    assert {name: told[name] for name in ("attempted", "attempted_percent", "attempted_encrypted")} == {
        "attempted": 5, "attempted_percent": 83.3, "attempted_encrypted": 60.0,
    }  # fmt: skip
