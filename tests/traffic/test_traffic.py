"""The generator itself: it repeats, it has every shape in believable shares, and its truth agrees with its lines."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from . import (
    ENVELOPES,
    PROFILES,
    attempts,
    duplicated,
    file_head,
    generate,
    render,
    says_nothing,
    shuffled,
    spread,
    wrapped,
)
from .model import Simulation, Traffic
from .truth import Connection, Message
from .world import World

# One expression per shape, written from the catalogue; each has to occur among the texts of the "rare" profile.
SHAPES = {
    "I1": r"ICID \d+ TLS success",
    "I2": r"ICID \d+ TLS success protocol TLSv1/SSLv3 cipher \S+",
    "I3": r"ICID \d+ TLS success protocol TLSv1 cipher \S+",
    "I4": r"ICID \d+ TLS success protocol TLSv1\.2 cipher \S+",
    "I5": r"ICID \d+ TLS success protocol TLSv1\.3 cipher TLS_\S+",
    "I6": r"ICID \d+ TLS failed",
    "I7": r"ICID \d+ TLS failed: \(\d+, 'error:[^']*'\)",
    "I8": r"ICID \d+ TLS failed: \[Errno 54\] Connection reset by peer",
    "I9": r"ICID \d+ TLS was required but remote host did not initiate it",
    "I10": r"ICID \d+ lost",
    "I11": r"MID \d+ ICID \d+ TLS read \d+ bytes \(0\.0 seconds\)",
    "D1": r"DCID \d+ TLS success CN: <mx1\.[^ >]*>",
    "D1 spaces": r"DCID \d+ TLS success CN: <Messaging Gateway Appliance Demo Cert>",
    "D2": r"DCID \d+ TLS success CN=\S+",
    "D3": r"DCID \d+ TLS success protocol \S+ cipher \S+ CN=\S+",
    "D4": r"DCID \d+ TLS success protocol TLSv1 cipher \S+ ",
    "D5": r"DCID \d+ TLS success protocol \S+ cipher \S+ for \S+",
    "D6": r"DCID \d+ TLS success protocol TLSv1\.2 cipher \S+",
    "D8": r"DCID \d+ TLS failed: STARTTLS unexpected response",
    "D9": r"DCID \d+ IP \S+ TLS failed: STARTTLS unexpected response",
    "D10": r"DCID \d+ IP \S+ TLS was required but could not be successfully negotiated",
    "D11": r"DCID \d+ STARTTLS command not supported\.",
    "D12": r"DCID \d+ TLS failed: \(\d+, 'error:[^']*'\)",
    "D13": r"Connection Error: DCID \d+ domain: \S+ IP: \S+ port: 25 details: .* interface: \S+ reason: network error",
    "X1": r"SSL error with client .*",
    "X2": r"Error in https connection from host .*",
    "X3": r"TLS connection failed because of .*",
    "X4": r"SMTP Auth \(ICID \d+\) was required but remote host did not initiate it",
    "X5": r"SMTP Auth: \(ICID \d+\) succeeded for user: .*",
    "X6": r"Internal SMTP system successfully sent .*",
    "X6 alert": r"Error while sending alert: .*",
    "X7": r"The user admin successfully logged on .*",
    "X8": r"Status: .* CrtMID \d+ CrtICID \d+ CrtDCID \d+ .*",
    "X9 subject": r"MID \d+ Subject ['\"].*TLS success.*",
    "X9 attachment": r"MID \d+ attachment '.*TLS.*'",
    "X9 headers": r"Message done DCID \d+ MID \d+ to RID \[0\] \[\('subject', \".*TLS.*\"\), .*",
    "X9 custom entry": r"MID \d+ Custom Log Entry: .*TLS.*",
    "X9 message id": r"MID \d+ Message-ID '<.*TLS.*>'",
    "X9 response": r"MID \d+ RID \[.*\] Response '.*TLS.*'",
    "X9 sender": r"MID \d+ ICID \d+ From: <\"ICID \d+ TLS success\"@.*>",
    "X9 host": r"New SMTP ICID .* reverse dns host icid-\d+-tls-success\.example\.net verified \w+",
    "X9 CN": r"DCID \d+ TLS success CN: <ICID \d+ TLS success>",
    "X10": r"MID \d+ antivirus encrypted",
    "X11": r"TLS connection established: .*",
    "open": r"New SMTP ICID \d+ interface Data 1 \(\S+\) address \S+ reverse dns host \S+ verified yes",
    "open, unknown": r"New SMTP ICID \d+ interface .* reverse dns host unknown verified no",
    "open, old": r"New SMTP ICID \d+ interface private address \S+",
    "open, capital": r"New SMTP ICID \d+ Interface .*",
    "open, lower case": r"New smtp ICID \d+ interface .*",
    "open, two spaces": r"New SMTP ICID \d+ interface .* reverse dns  host .*",
    "open, two spaces behind": r"New SMTP ICID \d+ interface .* reverse dns host  .*",
    "open, IPv6": r"New SMTP ICID \d+ interface .* address 2001:db8:\S+ reverse dns host .*",
    "HAT accept": r"ICID \d+ ACCEPT SG \S+ match sbrs\[-2\.0:10\.0\] SBRS 3\.4 country .+",
    "HAT relay": r"ICID \d+ RELAY SG RELAYLIST match .*",
    "HAT reject": r"ICID \d+ REJECT SG BLACKLIST match .*",
    "HAT tcprefuse": r"ICID [1-9]\d* TCPREFUSE SG BLACKLIST match .*",
    "HAT ICID 0": r"ICID 0 TCPREFUSE SG .*",
    "HAT score": r"ICID \d+ SBRS None",
    "HAT empty": r"ICID \d+ ACCEPT SG \S+ match  SBRS None.*",
    "HAT ipr": r"ICID \d+ ACCEPT SG \S+ match ipr\[none\] ipr not enabled.*",
    "HAT delayed": r"ICID \d+ Delayed HAT REJECT continuing session for recipient logging \(\S+\)",
    "close": r"ICID \d+ close",
    "disconnected": r"ICID \d+ disconnected address \S+",
    "lost after": r"ICID \d+ Connection from \S+ lost after 139 seconds",
    "killed": r"SMTP server connection killed ICID: \d+",
    "receiving failed": r"ICID \d+ Receiving Failed: .*",
    "harvest": r"Dropping connection due to potential Directory Harvest Attack from host=.*, ICID \d+",
    "open delivery": r"New SMTP DCID \d+ interface \S+ address \S+ port 25",
    "open delivery, no port": r"New SMTP DCID \d+ interface \S+ address [^ ]*",
    "close delivery": r"DCID \d+ close",
    "killed delivery": r"SMTP client connection killed DCID: \d+",
    "exited": r"Mail delivery client with DCID \d+ exited due to the maximum concurrency configuration\.",
    "error, old": r"Connection Error: DCID: \d+ IP: \S+ details: EOF interface: \S+ reason: network error",
    "error, timed out": r"Connection Error: connection timed out DCID: \d+ .*",
    "RPC": r"RPC Delivery start RCID \d+ MID \d+ to local IronPort Spam Quarantine",
    "RPC done": r"RPC Message done RCID \d+ MID \d+",
    "start": r"Start MID \d+ ICID [1-9]\d*",
    "start, own": r"Start MID \d+ ICID 0",
    "start, notice": r"Start MID \d+ ICID 0 \(ISQ Notification\)",
    "null sender": r"MID \d+ ICID \d+ From: <>",
    "RAT": r"MID \d+ ICID \d+ To: <.*> Rejected by RAT",
    "inbound": r"MID \d+ matched all recipients for per-recipient policy DEFAULT in the inbound table",
    "outbound": r"MID \d+ matched all recipients for per-recipient policy DEFAULT in the outbound table",
    "delivery": r"Delivery start DCID \d+ MID \d+ to RID \[\d+(, \d+)*\]",
    "delivery, old": r"Delivery start DCID \d+ MID \d+ to \[0\]",
    "offbox": r"Delivery start DCID \d+ MID \d+ to RID \[.*\] to offbox IronPort Spam Quarantine",
    "external": r"Message done DCID \d+ MID \d+ to RID \[.*\] \(external quarantine\) ",
    "done": r"Message done DCID \d+ MID \d+ to RID \[0\]",
    "done, several": r"Message done DCID \d+ MID \d+ to RID \[0, 1.*\]",
    "done, space": r"Message done DCID \d+ MID \d+ to RID \[0\] ",
    "done, headers": r"Message done DCID \d+ MID \d+ to RID \[0\] \[\('from', .*\\r\\n\\t.*\)\]",
    "done, score": r"Message done DCID \d+ MID \d+ to RID \[0\] \[\('X-SBRS', 'None'\)\]",
    "response": r"MID \d+ RID \[0\] Response '2\..*'",
    "response, old": r"MID \d+ RID \[0\] Response 2\..*",
    "finished": r"Message finished MID \d+ done",
    "finished, aborted": r"Message finished MID \d+ aborted",
    "bounced": r"Bounced: DCID [1-9]\d* MID \d+ to RID 0 - 5\..*",
    "bounced, no host": r"Bounced: DCID 0 MID \d+ to RID 0 - 5\.4\.7 .*",
    "bounced, old": r"Bounced: DCID: \d+ Message \d+ to 0 - .*",
    "bounced, log": r"Bounced: DCID \d+ MID \d+ From:<.*> To:<.*> RID \d+ - .*",
    "bounced, pair": r"Bounced: \d+:\d+ From:<.*> To:<.*> Reason: \".*\" Response: \".*\"",
    "delayed": r"Delayed: DCID \d+ MID \d+ to RID 0 - 4\..*",
    "delayed, old": r"Delayed: DCID: \d+ Message \d+ to 0 - .*",
    "pending": r"Message \d+ to RID \[\d+\] pending till \w{3} \w{3} [ \d]\d [\d:]{8} \d{4}",
    "possible": r"Possible Delivery: DCID: \d+ MID \d+ to \[0\]",
    "double bounce": r"Double bounce: MID \d+ to 0 - .*",
    "aborted, CASE": r"Message aborted MID \d+ Dropped by CASE",
    "aborted, filter": r"Message aborted MID \d+ Dropped by filter 'drop'",
    "aborted, content": r"Message aborted MID \d+ Dropped by content filter 'drop' in the inbound table",
    "aborted, antivirus": r"Message aborted MID \d+ Dropped by antivirus",
    "aborted, amp": r"Message aborted MID \d+ Dropped by amp",
    "aborted, sender": r"Message aborted MID \d+ Receiving aborted by sender",
    "rewritten": r"MID \d+ rewritten to MID \d+ by LDAP rewrite",
    "rewritten, old": r"MID \d+ rewritten to \d+ by antispam",
    "rewritten, quarantine": r"MID \d+ rewritten to \d+ by System Quarantine",
    "copy": r"MID \d+ was generated based on MID \d+ by bcc filter 'Archive'",
    "copy, old": r"MID \d+ generated based on MID \d+ by bcc filter 'Archive'",
    "notice": r"MID \d+ was generated based on MID \d+ by notify filter 'Tell'",
    "notice, antivirus": r"MID \d+ was generated based on MID \d+ by antivirus",
    "bounce": r"MID \d+ was generated for bounce of MID \d+",
    "split, policy": r"MID \d+ was split creating MID \d+ due to a per-recipient policy Partners in the inbound table",
    "split, SL/BL": r"MID \d+ was split creating MID \d+ due to a SL/BL configuration for following recipients: \S+@.*",
    "reinjected": r"ISQ: Reinjected MID \d+ as MID \d+",
    "reinjected, old": r"EUQ: Reinjected MID \d+ as MID \d+",
    "released, SMA": r"MID \d+ received from the SMA \S+ \(MID originally \d+\) on release from quarantine .*",
    "quarantined": r"MID \d+ quarantined to \"Policy\" \(.*\)",
    "released": r"MID \d+ released from quarantine \"Policy\" \(manual\) t=\d+",
    "released, all": r"MID \d+ released from all quarantines",
    "deleted": r"MID \d+ deleted from quarantine \"\w+\" \(expired\)",
    "centralized": r"MID \d+ enqueued for transfer to centralized quarantine \"\w+\" \(.*\)",
}


@pytest.fixture(scope="module")
def rare() -> Traffic:
    """A run in which everything unusual happens."""
    return generate(seed=5, messages=4000, hosts=2, profile="rare", resets=1)


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_the_catalogue_occurs(rare: Traffic, shape: str) -> None:
    """The rare profile has each shape of line that the catalogue knows."""
    pattern = re.compile(SHAPES[shape])
    assert any(pattern.fullmatch(line.text) for line in rare.lines)


def test_a_profile_of_ones_own() -> None:
    """A profile object works like a named one; without spoofing no stranger's text looks like a line."""
    honest = generate(seed=3, messages=300, profile=replace(PROFILES["rare"], spoof=0.0))
    texts = [line.text for line in honest.lines]
    assert not any(re.search(r"(?:Subject|Message-ID|attachment|Custom|Response|From:) .*TLS", text) for text in texts)
    assert generate(seed=3, messages=50, profile=PROFILES["plain"]) == generate(seed=3, messages=50, profile="plain")


def test_a_seed_repeats() -> None:
    """One seed gives one traffic, whole; another gives another."""
    first, again, other = (generate(seed=seed, messages=60, hosts=2, profile="rare") for seed in (3, 3, 4))
    assert first == again
    assert first.lines != other.lines


def test_proportions_are_those_of_a_gateway() -> None:
    """The plain profile has about 24 lines per message, 6% of them with TLS, 88 bytes long, 20 to 60 in a second."""
    lines = generate(seed=2, messages=4000, profile="plain").lines
    texts = list(render(lines))
    assert 23 < len(lines) / 4000 < 25.5
    assert 0.05 < sum(" TLS " in text for text in texts) / len(texts) < 0.07
    assert 85 < sum(len(text) + 1 for text in texts) / len(texts) < 91
    busy = [count for _, count in sorted(Counter(line.time for line in lines).items())][60:1800]
    assert 20 < sum(busy) / len(busy) < 60


def test_lines_come_in_the_order_of_time_and_interleaved(rare: Traffic) -> None:
    """Stamps never go back, and other lines stand between those of one connection."""
    times = [line.time for line in rare.lines]
    assert times == sorted(times)
    inside = [at for at, line in enumerate(rare.lines) if line.text.startswith("ICID ") and " ACCEPT " in line.text and "ICID" not in rare.lines[at + 1].text]
    assert len(inside) > 100


def _lives(traffic: Traffic, pattern: str) -> Counter[tuple[str, int]]:
    found = re.compile(pattern)
    matches = ((line.host, found.match(line.text)) for line in traffic.lines)
    return Counter((host, int(match[1])) for host, match in matches if match)


def test_each_id_has_one_record_per_life(rare: Traffic) -> None:
    """Every opened connection and every started message has its record, twice for ids that came again."""
    for side, key, pattern in (
        ("receiving", "icid", r"New (?:SMTP|smtp) ICID (\d+) "),
        ("delivery", "dcid", r"New SMTP DCID (\d+) "),
    ):
        opened = _lives(rare, pattern)
        records = Counter((record["esa_host"], record[key]) for record in rare.truth_connections if record["esa_direction"] == side)
        assert opened == records
        assert set(opened.values()) == {1, 2}
    started = _lives(rare, r"Start MID (\d+) ICID ")
    records = Counter((record["esa_host"], record["mid"]) for record in rare.truth_messages)
    assert started.keys() <= records.keys()
    assert set(started.values()) == {1, 2}


def test_ids_come_again_hours_later(rare: Traffic) -> None:
    """The second life of an id begins long after the last line of the first."""
    last: dict[tuple[object, object], str] = {}
    gaps = []
    for record in rare.truth_messages:
        key = (record["esa_host"], record["mid"])
        if key in last:
            gaps.append((last[key][:10], str(record["first_seen"])[:10]))
        last[key] = str(record["last_seen"])
    assert gaps
    assert all(before < after for before, after in gaps)


def test_a_whole_log_leaves_nothing_unknown(rare: Traffic) -> None:
    """While all lines are in view, the log tells everything that the gateway knew."""
    assert {record["tls_verdict"] for record in rare.truth_connections} == {
        "encrypted",
        "cleartext",
        "failed",
        "unused",
    }
    assert {record["received"] for record in rare.truth_messages} == {"encrypted", "cleartext", "internal"}
    assert {record["delivered"] for record in rare.truth_messages} == {"encrypted", "cleartext", "mixed", "none"}
    assert {record.get("mid_relation") for record in rare.truth_messages} == {
        None,
        "rewritten",
        "copy",
        "notification",
        "bounce",
        "split",
        "released",
    }
    assert not any(says_nothing(record) for record in rare.truth_connections + rare.truth_messages)


def test_records_agree_with_each_other(rare: Traffic) -> None:
    """Children have their parent's verdict, deliveries that of their connection."""
    single = generate(seed=6, messages=1500, profile="rare")
    messages = {record["mid"]: record for record in single.truth_messages}
    connections = {(record["esa_direction"], record.get("icid", record.get("dcid"))): record for record in single.truth_connections}
    assert len(messages) == len(single.truth_messages)
    for record in single.truth_messages:
        if "icid" in record:
            connection = connections["receiving", record["icid"]]
            assert record["received"] == connection["tls_verdict"]
            assert record.get("received_tls_cipher") == connection.get("tls_cipher")
            assert "parent_mid" not in record
        elif record.get("mid_relation") in ("bounce", "notification"):
            assert record["received"] == "internal"
        elif "parent_mid" in record:
            parent = messages[record["parent_mid"]]
            assert record["received"] == parent["received"]
            assert record.get("mail_flow") == parent.get("mail_flow")
        else:
            assert record["received"] == "internal"
        ends = [row for row in attempts(record) if row[2] == "done"]
        for dcid, _, _, verdict, version, cipher in ends:
            connection = connections["delivery", dcid]
            assert (verdict, version, cipher) == (
                connection["tls_verdict"],
                connection.get("tls_version", ""),
                connection.get("tls_cipher", ""),
            )
        verdicts = {row[3] for row in ends}
        expected = "none" if not verdicts else verdicts.pop() if len(verdicts) == 1 else "mixed"
        assert record["delivered"] == expected
    assert rare.truth_messages


def test_truth_agrees_with_a_plain_reading_of_the_lines() -> None:
    """Counted from the text with the simplest patterns, success lines and deliveries are those of the truth."""
    traffic = generate(seed=8, messages=1500, profile="rare")
    texts = [line.text for line in traffic.lines]
    success = {match.group(1, 2) for text in texts if (match := re.match(r"([ID]CID) (\d+) TLS success", text))}
    encrypted = {
        ("ICID", str(record["icid"])) if "icid" in record else ("DCID", str(record["dcid"]))
        for record in traffic.truth_connections
        if record["tls_verdict"] == "encrypted"
    }
    assert encrypted == success
    done: Counter[tuple[int, int, int]] = Counter()
    for text in texts:
        match = re.match(r"Message done DCID (\d+) MID (\d+) to RID \[([\d, ]+)\](?! \(external)", text)
        if match:
            done.update((int(match[2]), int(match[1]), int(rid)) for rid in match[3].split(","))
    truth = Counter((record["mid"], row[0], row[1]) for record in traffic.truth_messages for row in attempts(record) if row[2] == "done")
    assert truth == done


def test_a_cut_head_turns_what_is_out_of_view_to_unknown() -> None:
    """Without the head, a connection opened before it is unknown, unless its TLS line is still in view."""
    whole = generate(seed=10, messages=400, profile="rare")
    cut = generate(seed=10, messages=400, profile="rare", skip=900)
    assert cut.lines == whole.lines[900:]
    unknown = 0
    before = {(record["esa_direction"], record.get("icid", record.get("dcid"))): record for record in whole.truth_connections}
    texts = [line.text for line in cut.lines]
    for record in cut.truth_connections:
        number = record.get("icid", record.get("dcid"))
        known = before[record["esa_direction"], number]
        if "opened" in record:
            # what its messages share may be out of view
            shared = ("domain", "mail_flow")
            assert {**record, **dict.fromkeys(shared)} == {**known, **dict.fromkeys(shared)}
            continue
        word = "ICID" if "icid" in record else "DCID"
        tls = [text for text in texts if re.match(rf"{word} {number}(?: IP \S+)? (?:TLS|STARTTLS) ", text)]
        read = [text for text in texts if re.match(rf"MID \d+ ICID {number} TLS read ", text)]
        if not tls and not (read and word == "ICID"):
            assert record["tls_verdict"] == "unknown"
            unknown += 1
    assert unknown > 3
    received = Counter(record["received"] for record in cut.truth_messages)
    assert received["unknown"] > 3
    assert "cleartext" in received
    assert any(record["delivered"] == "unknown" for record in cut.truth_messages)


def test_an_end_cut_off_leaves_messages_undelivered() -> None:
    """What comes after the last line in view has not happened as far as the log shows."""
    traffic = generate(seed=9, messages=200, profile="realistic", keep=700)
    assert len(traffic.lines) == 700
    assert any(record["delivered"] == "none" and record["received"] == "encrypted" for record in traffic.truth_messages)


CONNECTION_RULES = [
    (["open"], "unused"),
    (["open", "success", "message"], "encrypted"),
    (["open", "message"], "cleartext"),
    (["open", "failure", "message"], "cleartext"),
    (["open", "message", "failure"], "cleartext"),
    (["open", "success", "message", "failure"], "encrypted"),
    (["open", "failure"], "failed"),
    (["open", "required"], "failed"),
    (["open", "error"], "failed"),
    (["open", "message", "error"], "cleartext"),
    (["close"], "unknown"),
    (["message"], "unknown"),
    (["message", "failure"], "unknown"),
    (["error"], "unknown"),
    (["failure"], "failed"),
    (["failure", "message"], "cleartext"),
    (["success"], "encrypted"),
    (["read", "message"], "encrypted"),
]


@pytest.mark.parametrize(("seen", "verdict"), CONNECTION_RULES)
def test_connection_rules(seen: list[str], verdict: str) -> None:
    """The contract's table of connection verdicts, row by row."""
    connection = Connection("esa1.example.com", "receiving", 7, "192.0.2.1")
    message = Message("esa1.example.com", 5)
    for number, what in enumerate(seen):
        if what == "open":
            connection.saw_open(number)
        elif what == "success":
            connection.saw_success(number, "TLSv1.2", "AES128-SHA")
        elif what == "message":
            connection.saw_message(number, message)
        elif what == "failure":
            connection.saw_failure(number, "failed", "why")
        elif what == "required":
            connection.saw_failure(number, "required", "why")
        elif what == "error":
            connection.saw_error(number, "network error")
        elif what == "read":
            connection.saw_read(number)
        else:
            connection.saw_close(number)
    assert connection.verdict == verdict
    assert connection.record().get("tls_required") == (True if "required" in seen else None)


def test_message_rules() -> None:
    """Only `done` delivers; one recipient in clear text among encrypted ones is mixed; what is not known stays so."""
    secret, clear, before = (Connection("esa1.example.com", "delivery", number, "192.0.2.1") for number in (1, 2, 3))
    secret.saw_open(0)
    secret.saw_success(0, "TLSv1.2", "AES128-SHA")
    clear.saw_open(0)
    message = Message("esa1.example.com", 5)
    assert (message.received, message.delivered) == ("unknown", "none")
    message.saw_attempt(1, secret, [0, 1], None)
    message.saw_attempt(2, clear, [2], "bounced")
    assert message.delivered == "none"
    message.saw_attempt(3, secret, [0, 1], "done")
    assert message.delivered == "encrypted"
    message.saw_attempt(3, before, [3], "done")
    assert message.delivered == "unknown"
    message.saw_attempt(4, clear, [2], "done")
    assert message.delivered == "mixed"
    assert attempts(message.record()) == [
        (1, 0, "done", "encrypted", "TLSv1.2", "AES128-SHA"),
        (1, 1, "done", "encrypted", "TLSv1.2", "AES128-SHA"),
        (2, 2, "bounced", "cleartext", "", ""),
        (2, 2, "done", "cleartext", "", ""),
        (3, 3, "done", "unknown", "", ""),
    ]


def test_order_within_a_second_decides_nothing() -> None:
    """An attempt and a message that decide a verdict by their order are never in one second."""
    traffic = generate(seed=11, messages=3000, profile="rare")
    started: dict[str, list[int]] = {}
    failed: dict[str, list[int]] = {}
    for line in traffic.lines:
        if match := re.match(r"Start MID \d+ (ICID [1-9]\d*)|Delivery start (DCID \d+)", line.text):
            started.setdefault(match[1] or match[2], []).append(line.time)
        elif match := re.match(r"([ID]CID \d+)(?: IP \S+)? (?:TLS failed|TLS was|STARTTLS)", line.text):
            failed.setdefault(match[1], []).append(line.time)
    both = started.keys() & failed.keys()
    assert len(both) > 50
    assert all(abs(a - b) > 1 for key in both for a in started[key] for b in failed[key])


@pytest.mark.parametrize("name", ENVELOPES)
def test_envelopes_keep_the_text(name: str) -> None:
    """Every envelope ends in the text, whole, and is one line."""
    lines = generate(seed=1, messages=20, profile="rare").lines
    for line, text in zip(lines, render(lines, name, -21600)):
        assert "\n" not in text
        whole = text
        if name.startswith("json"):
            whole = json.loads(text)
            while isinstance(whole, dict):
                (whole,) = whole.values()
        if name == "arcsight":
            whole = whole.replace("\\=", "=").replace("\\\\", "\\")
        assert whole.endswith(line.text)
        assert (line.host in whole.removesuffix(line.text)) is ENVELOPES[name].host


def test_envelope_stamps() -> None:
    """Stamps are local time in the form of their envelope."""
    line = generate(seed=1, messages=1).lines[0]._replace(time=1693977196, host="esa1", text="ICID 1 close")
    assert {name: next(render([line], name, -21600)) for name in ENVELOPES} == {
        "native": "Tue Sep  5 23:13:16 2023 Info: ICID 1 close",
        "native_one_space": "Tue Sep 5 23:13:16 2023 Info: ICID 1 close",
        "syslog": "<22>Sep  5 23:13:16 esa1 mail_logs: Info: ICID 1 close",
        "syslog_no_host": "<166>Sep  5 23:13:16 mail_logs: Info: ICID 1 close",
        "syslog_no_priority": "Sep  5 23:13:16 esa1 mail_logs: Info: ICID 1 close",
        "syslog_bare": "Sep  5 23:13:16 mail_logs_SIEM: Info: ICID 1 close",
        "nested_native": "<111>Sep  5 23:13:16 esa1 ESA: Tue Sep  5 23:13:16 2023 Info: ICID 1 close",
        "nested_year_after": ("<111>Sep  5 23:13:16 collector ESA: Sep  5 23:13:16 2023 esa1 mail_logs: Info: ICID 1 close"),
        "nested_syslog": ("<111>Sep  5 23:13:16 collector ESA: Sep  5 23:13:16 esa1 MAIL_SecurityAudit: Info: ICID 1 close"),
        "nested_no_host": "<111>Sep  5 23:13:16 esa1 ESA: Sep  5 23:13:16 SplunkMailSyslog: Info: ICID 1 close",
        "nested_native_host": ("<111>Sep  5 23:13:16 collector ESA: Tue Sep  5 23:13:16 2023 esa1 testmaillog: Info: ICID 1 close"),
        "iso_offset": "2023-09-05T23:13:16-06:00 esa1 mail_logs: Info: ICID 1 close",
        "iso_utc": "2023-09-06T05:13:16.123Z esa1 mail_logs: Info: ICID 1 close",
        "splunk": "2023 Sep  5 23:13:16 esa1 mail [info] splunk_maillogs:nopid Info: ICID 1 close",
        "no_time": "esa1 ESA_mail_logs: Info: ICID 1 close",
        "smail": "Sep  5 23:13:16 esa1 smail: Info: ICID 1 close",
        "arcsight": ("CEF:0|CISCO|IronPort|14.0|mail_logs|Info|3|rt=1693977196000 ahost=esa1 agt=192.0.2.250 msg=ICID 1 close"),
        "level": "Info: ICID 1 close",
        "bare": "ICID 1 close",
        "json_raw": '{"_raw": "Tue Sep  5 23:13:16 2023 Info: ICID 1 close"}',
        "json_message": '{"message": "<22>Sep  5 23:13:16 esa1 mail_logs: Info: ICID 1 close"}',
        "json_log": '{"log": "<22>Sep  5 23:13:16 esa1 mail_logs: Info: ICID 1 close"}',
        "json_event_original": '{"event.original": "<22>Sep  5 23:13:16 esa1 mail_logs: Info: ICID 1 close"}',
        "json_event_object": '{"event": {"original": "<22>Sep  5 23:13:16 esa1 mail_logs: Info: ICID 1 close"}}',
    }
    assert file_head(1693977196, -21600) == [
        "Tue Sep  5 23:13:16 2023 Info: Begin Logfile",
        "Tue Sep  5 23:13:16 2023 Info: Version: 14.0.0-698 SN: 000000000000-XXXXXXX",
        "Tue Sep  5 23:13:16 2023 Info: Time offset from UTC: -21600 seconds",
    ]


def test_ways_to_spoil_a_log_keep_its_lines() -> None:
    """Shuffling stays within a second, doubling adds known lines, wrapping loses no word, dealing loses no line."""
    lines = generate(seed=1, messages=60).lines
    mixed = list(shuffled(lines))
    assert mixed != lines
    assert sorted(mixed) == sorted(lines)
    assert [line.time for line in mixed] == [line.time for line in lines]
    twice = Counter(duplicated(lines, share=0.5))
    assert twice.keys() == set(lines)
    assert len(lines) < sum(twice.values()) < 2 * len(lines)
    texts = list(render(lines))
    assert " ".join(wrapped(texts)).split() == " ".join(texts).split()
    assert max(map(len, wrapped(texts))) <= max(80, *(len(word) for text in texts for word in text.split()))
    assert "".join(wrapped(texts, 120, in_words=True)) == "".join(texts)
    assert sorted(line for part in spread(lines, 3) for line in part) == sorted(lines)


def test_a_world_shows_only_its_window() -> None:
    """Lines before and after the window are logged out of view."""
    world = World(0.0, skip=1, keep=2)
    assert [world.show("esa1", str(number), "Info", "mail_logs") for number in range(5)] == [
        False,
        True,
        True,
        False,
        False,
    ]


def test_the_command_line_streams_the_same(tmp_path: Path) -> None:
    """Run as a directory, it writes the lines and records that the library gives."""
    log, truth = tmp_path / "out.log", tmp_path / "truth.jsonl"
    arguments = ["--messages", "150", "--seed", "4", "--profile", "rare", "--hosts", "2", "--envelope", "syslog"]
    command = [sys.executable, str(Path(__file__).parent), *arguments, "--log", str(log), "--truth", str(truth)]
    subprocess.run(command, check=True)
    traffic = generate(seed=4, messages=150, hosts=2, profile="rare")
    assert log.read_text(encoding="utf-8").splitlines() == list(render(traffic.lines, "syslog"))
    records = [json.loads(text) for text in truth.read_text(encoding="utf-8").splitlines()]
    assert sorted(records, key=str) == sorted(traffic.truth_connections + traffic.truth_messages, key=str)


def test_the_command_line_makes_files(tmp_path: Path) -> None:
    """An envelope without a host has files per appliance; lines are dealt, or files follow each other."""
    base = [sys.executable, str(Path(__file__).parent), "--messages", "40", "--hosts", "2", "--log"]
    subprocess.run([*base, str(tmp_path / "a.log"), "--files", "2", "--head"], check=True)
    subprocess.run([*base, str(tmp_path / "b.log"), "--rotate", "500", "--shuffle"], check=True)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names[:4] == [
        "a-esa1.example.com-2.log",
        "a-esa1.example.com.log",
        "a-esa2.example.com-2.log",
        "a-esa2.example.com.log",
    ]
    assert "b-esa1.example.com.log" in names
    texts = [text for name in names if name.startswith("a") for text in (tmp_path / name).read_text(encoding="utf-8").splitlines()[3:]]
    assert sorted(texts) == sorted(render(generate(messages=40, hosts=2).lines))


def test_memory_does_not_grow_with_the_log() -> None:
    """The truth is handed out while the traffic runs, so that nothing of it has to be kept."""
    simulation = Simulation(seed=1, messages=3000, profile="plain")
    most = 0
    for _ in simulation.lines():
        most = max(most, len(simulation.connections) + len(simulation.messages))
        simulation.connections.clear()
        simulation.messages.clear()
    assert most < 20
    assert set(PROFILES) == {"plain", "realistic", "rare"}
