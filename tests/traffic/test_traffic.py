"""The generator itself: it is repeatable, has every shape in realistic proportions, and its truth agrees with its lines."""

# ruff: noqa: E501 (whole log lines are not broken)

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from . import ENVELOPES, PROFILES, attempts, duplicated, file_head, generate, render, shuffled, wrapped
from .model import Simulation, Traffic
from .truth import Connection, Message
from .world import World

# One expression per shape, written from the catalogue; each must occur in the "rare" profile.
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
    "D15": r"DCID \d+ TLS failed: verify error: hostname mismatch",
    "D16": r"DCID \d+ TLS failed: DANE verification failed",
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
    "error, OpenSSL": r"Connection Error: DCID .* details: \(\d+, 'error:.*'\) interface: \S+ reason: network error",
    "error, refused": r"Connection Error: DCID .* details: \[Errno 61\] Connection refused interface: .*",
    "error, reset": r"Connection Error: DCID .* details: \[Errno 54\] Connection reset by peer interface: .*",
    "error, reply": r"Connection Error: DCID .* details: 421-'.*' interface: \S+ reason: unexpected SMTP response",
    "error, stranger's reply": r"Connection Error: DCID .* details: 554-'.*SSL routines.*' interface: \S+ reason: .*",
    "RPC": r"RPC Delivery start RCID \d+ MID \d+ to local IronPort Spam Quarantine",
    "RPC done": r"RPC Message done RCID \d+ MID \d+",
    "start": r"Start MID \d+ ICID [1-9]\d*",
    "start, own": r"Start MID \d+ ICID 0",
    "start, notice": r"Start MID \d+ ICID 0 \(ISQ Notification\)",
    "null sender": r"MID \d+ ICID \d+ From: <>",
    "RAT": r"MID \d+ ICID \d+ To: <.*> Rejected by RAT",
    "rejected with RID": r"MID \d+ ICID \d+ RID \d+ To: <.*> Rejected by LDAPACCEPT",
    "sender rejected": r"ICID \d+ Address: <.*> sender rejected, .*",
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
    "aborted, bounced": r"Message aborted MID \d+ Bounced by content filter .*",
    "aborted, sender": r"Message aborted MID \d+ Receiving aborted by sender",
    "aborted, receiving": r"Message aborted MID \d+ Receiving aborted",
    "aborted, injection": r"Message aborted MID \d+ Injection aborted",
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
    return generate(seed=5, messages=4000, hosts=2, profile=replace(PROFILES["rare"], twins=0.003, late=0.02), resets=1)


def test_every_shape_of_the_catalogue_occurs(rare: Traffic) -> None:
    """The rare profile has each shape of line that the catalogue knows."""
    assert [shape for shape, pattern in SHAPES.items() if not any(re.fullmatch(pattern, line.text) for line in rare.lines)] == []


def test_a_profile_of_ones_own() -> None:
    """A profile object works like a named one; without spoofing no stranger's text looks like a line."""
    honest = generate(seed=3, messages=300, profile=replace(PROFILES["rare"], spoof=0.0))
    texts = [line.text for line in honest.lines]
    assert not any(re.search(r"(?:Subject|Message-ID|attachment|Custom|Response|From:) .*TLS", text) for text in texts)
    assert generate(seed=3, messages=50, profile=PROFILES["plain"]) == generate(seed=3, messages=50, profile="plain")


def test_a_seed_repeats() -> None:
    """The same seed gives exactly the same traffic; another seed gives other traffic."""
    first, again, other = (generate(seed=seed, messages=60, hosts=2, profile="rare") for seed in (3, 3, 4))
    assert first == again
    assert first.lines != other.lines


def test_proportions_are_those_of_a_gateway() -> None:
    """The plain profile has about 24 lines per message, of 88 bytes each, 6% of them about TLS, and 20 to 60 lines per second."""
    lines = generate(seed=2, messages=4000, profile="plain").lines
    texts = list(render(lines))
    assert 23 < len(lines) / 4000 < 25.5
    assert 0.05 < sum(" TLS " in text for text in texts) / len(texts) < 0.07
    assert 85 < sum(len(text) + 1 for text in texts) / len(texts) < 91
    busy = [count for _, count in sorted(Counter(line.time for line in lines).items())][60:1800]
    assert 20 < sum(busy) / len(busy) < 60


def test_lines_come_in_the_order_of_time_and_interleaved(rare: Traffic) -> None:
    """Stamps never go back, and other lines come between those of one connection."""
    times = [line.time for line in rare.lines]
    assert times == sorted(times)
    inside = [at for at, line in enumerate(rare.lines) if line.text.startswith("ICID ") and " ACCEPT " in line.text and "ICID" not in rare.lines[at + 1].text]
    assert len(inside) > 100


def _lives(traffic: Traffic, pattern: str) -> Counter[tuple[str, int]]:
    found = re.compile(pattern)
    matches = ((line.host, found.match(line.text)) for line in traffic.lines)
    return Counter((host, int(match[1])) for host, match in matches if match)


def test_each_id_has_one_record_per_life(rare: Traffic) -> None:
    """Every opened connection and every started message has a record; ids that were reused have two."""
    for side, key, pattern in (("receiving", "icid", r"New (?:SMTP|smtp) ICID (\d+) "), ("delivery", "dcid", r"New SMTP DCID (\d+) ")):
        opened = _lives(rare, pattern)
        records = Counter((record["esa_host"], record[key]) for record in rare.truth_connections if record["esa_direction"] == side)
        assert opened == records
        # another peer's connection may reuse an id seconds later
        assert {1, 2} <= set(opened.values()) <= ({1, 2, 3, 4} if key == "icid" else {1, 2})
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
    """If all lines are in view, verdicts are unknown only if the gateway's words leave them open."""
    assert {record["tls_verdict"] for record in rare.truth_connections} == {"encrypted", "mixed", "cleartext", "failed", "unused", "unknown"}
    assert {record["received"] for record in rare.truth_messages} == {"encrypted", "cleartext", "internal", "none", "unknown"}
    assert {record["delivered"] for record in rare.truth_messages} == {"encrypted", "cleartext", "mixed", "none", "unknown"}
    # unknown verdicts have words that leave them open, or an outside sender without a connection
    assert all("tls_reason" in record for record in rare.truth_connections if record["tls_verdict"] == "unknown")
    unknown = [record for record in rare.truth_messages if record["received"] == "unknown"]
    assert any("icid" not in record and "sender" in record for record in unknown)
    assert {record.get("mid_relation") for record in rare.truth_messages} == {None, "rewritten", "copy", "notification", "bounce", "split", "released"}


def test_every_situation_occurs(rare: Traffic) -> None:
    """Each situation in which the order, the words or missing lines decide occurs often."""
    connections, messages = rare.truth_connections, rare.truth_messages
    found = {
        "mixed": sum(record["tls_verdict"] == "mixed" for record in connections),
        "failed between": sum(record["tls_verdict"] == "mixed" and "tls_reason" in record for record in connections),
        "success, then failed": sum(record["tls_verdict"] == "failed" and ("tls_cipher" in record or "tls_peer_cn" in record) for record in connections),
        "error of TLS": sum(record["tls_verdict"] == "failed" and str(record.get("tls_reason")).startswith("possibly") for record in connections),
        "error of another kind": sum(record["tls_verdict"] == "unused" and "tls_reason" in record for record in connections),
        "broken": sum(record["tls_verdict"] == "unknown" and "[Errno" in str(record["tls_reason"]) for record in connections),
        "verification": sum(record["tls_verdict"] == "unknown" and "verif" in str(record["tls_reason"]) for record in connections),
        "given up alone": sum(record["received"] == "none" for record in messages),
        "replaced, sender inherited": sum(record.get("mid_relation") == "rewritten" and "recipients" not in record for record in messages),
        "same recipients": sum(record.get("mid_relation") == "released" and "recipients" in record for record in messages),
        "identity of a copy": sum(record.get("mid_relation") == "copy" and {"message_id", "subject"} <= record.keys() for record in messages),
    }
    assert all(count > 4 for count in found.values()), found
    peers: dict[object, set[object]] = {}
    for record in connections:
        if "opened" in record and "icid" in record:
            peers.setdefault((record["esa_host"], record["icid"], str(record["opened"])[:10]), set()).add(record["peer_ip"])
    assert sum(len(addresses) > 1 for addresses in peers.values()) > 4


def test_records_agree_with_each_other(rare: Traffic) -> None:
    """Children have their parent's verdict, deliveries their connection's."""
    single = generate(seed=6, messages=1500, profile=replace(PROFILES["rare"], twins=0.0))
    messages = {record["mid"]: record for record in single.truth_messages}
    connections = {(record["esa_direction"], record.get("icid", record.get("dcid"))): record for record in single.truth_connections}
    assert len(messages) == len(single.truth_messages)
    for record in single.truth_messages:
        if "icid" in record:
            connection = connections["receiving", record["icid"]]
            own = record["received"]
            assert own in ("none", "unknown", connection["tls_verdict"]) or connection["tls_verdict"] == "mixed"
            assert "received_tls_cipher" not in record or record["received_tls_cipher"] == connection["tls_cipher"]
            assert "parent_mid" not in record
        elif record.get("mid_relation") in ("bounce", "notification"):
            assert record["received"] == "internal"
            assert not {"message_id", "subject"} & record.keys()
        elif "parent_mid" in record:
            parent = messages[record["parent_mid"]]
            assert record["received"] == parent["received"]
            assert record["message_id"] == parent["message_id"]
            if record["mid_relation"] in ("rewritten", "released"):
                assert record.get("mail_flow") == parent.get("mail_flow")
                assert record.get("sender") == parent.get("sender")
        else:
            assert record["received"] in ("internal", "unknown")
        ends = [row for row in attempts(record) if row[2] == "done"]
        for dcid, _, _, verdict, version, cipher in ends:
            connection = connections["delivery", dcid]
            assert (verdict, version, cipher) == (connection["tls_verdict"], connection.get("tls_version", ""), connection.get("tls_cipher", ""))
        verdicts = sorted({row[3] for row in ends}, key=str)
        several = "mixed" if {"encrypted", "cleartext"} <= set(verdicts) else "unknown"
        expected = "none" if not verdicts else verdicts[0] if len(verdicts) == 1 else several
        assert record["delivered"] == expected
    assert rare.truth_messages


def test_truth_agrees_with_a_plain_reading_of_the_lines() -> None:
    """Success lines and deliveries, counted in the text with the simplest patterns, agree with the truth."""
    traffic = generate(seed=8, messages=1500, profile=replace(PROFILES["rare"], twins=0.0))
    texts = [line.text for line in traffic.lines]
    success = {match.group(1, 2) for text in texts if (match := re.match(r"([ID]CID) (\d+) TLS success", text))}
    ids = {
        verdict: {
            ("ICID", str(record["icid"])) if "icid" in record else ("DCID", str(record["dcid"]))
            for record in traffic.truth_connections
            if record["tls_verdict"] == verdict
        }
        for verdict in ("encrypted", "mixed", "failed", "cleartext", "unused")
    }
    assert ids["encrypted"] | ids["mixed"] <= success
    assert success <= ids["encrypted"] | ids["mixed"] | ids["failed"] | ids["cleartext"]
    assert not success & ids["unused"]
    done: Counter[tuple[int, int, int]] = Counter()
    for text in texts:
        match = re.match(r"Message done DCID (\d+) MID (\d+) to RID \[([\d, ]+)\](?! \(external)", text)
        if match:
            done.update((int(match[2]), int(match[1]), int(rid)) for rid in match[3].split(","))
    truth = Counter((record["mid"], row[0], row[1]) for record in traffic.truth_messages for row in attempts(record) if row[2] == "done")
    assert truth == done


def test_a_cut_head_turns_what_is_out_of_view_to_unknown() -> None:
    """Without the head, a connection opened before it is unknown, unless its TLS line is still in view."""
    profile = replace(PROFILES["rare"], twins=0.0)
    whole = generate(seed=10, messages=400, profile=profile)
    cut = generate(seed=10, messages=400, profile=profile, skip=1500)
    assert cut.lines == whole.lines[1500:]
    unknown = 0
    before = {(record["esa_direction"], record.get("icid", record.get("dcid"))): record for record in whole.truth_connections}
    texts = [line.text for line in cut.lines]
    for record in cut.truth_connections:
        number = record.get("icid", record.get("dcid"))
        known = before[record["esa_direction"], number]
        if "opened" in record:
            # the lines that show what its messages have in common may be out of view
            shared = ("domain", "mail_flow")
            assert {**record, **dict.fromkeys(shared)} == {**known, **dict.fromkeys(shared)}
            continue
        word = "ICID" if "icid" in record else "DCID"
        tls = [text for text in texts if re.match(rf"{word} {number}(?: IP \S+)? (?:TLS|STARTTLS) ", text)]
        read = [text for text in texts if re.match(rf"MID \d+ ICID {number} TLS read ", text)]
        if not tls and not (read and word == "ICID"):
            assert record["tls_verdict"] == "unknown"
            unknown += 1
    assert unknown > 2
    received = Counter(record["received"] for record in cut.truth_messages)
    assert received["unknown"] > 3
    assert "cleartext" in received
    assert any(record["delivered"] == "unknown" for record in cut.truth_messages)


def test_an_end_cut_off_leaves_messages_undelivered() -> None:
    """Events after the last line in view have not happened, as far as the log shows."""
    traffic = generate(seed=9, messages=200, profile="realistic", keep=700)
    assert len(traffic.lines) == 700
    assert any(record["delivered"] == "none" and record["received"] == "encrypted" for record in traffic.truth_messages)


# what is seen, one second apart ("=" marks the same second), and the verdict: with times, and without times
CONNECTION_RULES = [
    ("open", "unused", "unused"),
    ("open success message", "encrypted", "encrypted"),
    ("open message", "cleartext", "cleartext"),
    ("open message success", "cleartext", "encrypted"),
    ("open message =success", "encrypted", "encrypted"),
    ("open message success message", "mixed", "encrypted"),
    ("open message failure success message", "mixed", "encrypted"),
    ("open failure success message", "encrypted", "encrypted"),
    ("open message success given_up", "cleartext", "encrypted"),
    ("open given_up", "unused", "unused"),
    ("open given_up success", "encrypted", "encrypted"),
    ("open failure given_up", "failed", "failed"),
    ("open failure message", "cleartext", "cleartext"),
    ("open message failure", "cleartext", "cleartext"),
    ("open message =failure", "cleartext", "cleartext"),
    ("open message broken", "unknown", "unknown"),
    ("open broken message", "cleartext", "unknown"),
    ("open success message broken", "encrypted", "encrypted"),
    ("open verification message", "unknown", "unknown"),
    ("open verification", "failed", "failed"),
    ("open success verification", "failed", "failed"),
    ("open success message failure", "encrypted", "encrypted"),
    ("open success required", "failed", "failed"),
    ("open success message required", "encrypted", "encrypted"),
    ("open failure", "failed", "failed"),
    ("open required", "failed", "failed"),
    ("open error", "failed", "failed"),
    ("open reset", "unknown", "unknown"),
    ("open refused", "unused", "unused"),
    ("open success reset", "encrypted", "encrypted"),
    ("open message error", "cleartext", "cleartext"),
    ("close", "unknown", "unknown"),
    ("message", "unknown", "unknown"),
    ("message failure", "unknown", "unknown"),
    ("message =failure", "unknown", "unknown"),
    ("error", "unknown", "unknown"),
    ("failure", "failed", "failed"),
    ("failure message", "cleartext", "unknown"),
    ("success", "encrypted", "encrypted"),
    ("success message", "encrypted", "encrypted"),
    ("read message", "encrypted", "encrypted"),
    ("read message broken", "encrypted", "encrypted"),
]


def _note(connection: Connection, what: str, time: int, mid: int) -> None:
    if what == "open":
        connection.saw_open(time)
    elif what == "success":
        connection.saw_success(time, "TLSv1.2", "AES128-SHA")
    elif what in ("message", "given_up"):
        message = Message("esa1.example.com", mid)
        message.saw_on(time, connection, start=True)
        if what == "given_up":
            message.saw_refusal(time)
    elif what in ("failure", "broken", "verification"):
        words = {"failure": "handshake", "broken": "socket", "verification": "verification"}[what]
        connection.saw_failure(time, "failed", "why", words=words)
    elif what == "required":
        connection.saw_failure(time, "required", "why")
    elif what in ("error", "reset", "refused"):
        connection.saw_error(time, {"error": "handshake", "reset": "socket", "refused": "other"}[what], "network error")
    elif what == "read":
        connection.saw_read(time)
    else:
        connection.saw_close(time)


@pytest.mark.parametrize(("seen", "verdict", "untimed"), CONNECTION_RULES)
def test_connection_rules(seen: str, verdict: str, untimed: str) -> None:
    """The contract's table of connection verdicts, row by row."""
    connection = Connection("esa1.example.com", "receiving", 7, "192.0.2.1")
    time = 0
    for number, word in enumerate(seen.split()):
        time += not word.startswith("=")
        _note(connection, word.lstrip("="), time, number)
    assert (connection.outcome()[0], connection.outcome(clock=False)[0]) == (verdict, untimed)
    assert connection.record().get("tls_required") == (True if "required" in seen else None)
    assert connection.record()["messages"] == seen.count("message")


def test_message_rules() -> None:
    """Only `done` is a delivery; one recipient in clear text among encrypted ones makes it mixed; an unknown connection makes it unknown."""
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


def test_messages_start_in_the_second_of_a_failure() -> None:
    """Some failures share a second with the message after them, but most do not."""
    traffic = generate(seed=11, messages=3000, profile="rare")
    started: dict[str, list[int]] = {}
    failed: dict[str, list[int]] = {}
    for line in traffic.lines:
        if match := re.match(r"Start MID \d+ (ICID [1-9]\d*)|Delivery start (DCID \d+)", line.text):
            started.setdefault(match[1] or match[2], []).append(line.time)
        elif match := re.match(r"([ID]CID \d+)(?: IP \S+)? (?:TLS failed|TLS was|STARTTLS)", line.text):
            failed.setdefault(match[1], []).append(line.time)
    both = started.keys() & failed.keys()
    ties = sum(bool(set(started[key]) & set(failed[key])) for key in both)
    assert 20 < ties < len(both) / 2


def _texts(record: object) -> list[str]:
    """Return all texts in a record."""
    if isinstance(record, dict):
        return [text for value in record.values() for text in _texts(value)]
    if isinstance(record, list):
        return [text for value in record for text in _texts(value)]
    return [str(record)]


@pytest.mark.parametrize("name", ENVELOPES)
def test_envelopes_keep_the_text(name: str) -> None:
    """Every envelope is one line and ends with the complete text."""
    lines = generate(seed=1, messages=20, profile="rare").lines
    texts = [*render(lines, name, -21600)]
    assert len(texts) == len(lines)
    for line, text in zip(lines, texts):
        assert "\n" not in text
        found = [text]
        if "{" in text and ENVELOPES[name].whole | name.startswith("json"):
            try:
                found = _texts(json.loads(text[text.index("{") :]))
            except ValueError:
                found = [text]
        if name == "arcsight":
            found = [text.replace("\\=", "=").replace("\\\\", "\\")]
        if name == "csv":
            (found,) = csv.reader([text])
        (whole,) = (one for one in found if one.endswith(line.text))
        assert (line.host in text.removesuffix(line.text)) is (ENVELOPES[name].host and ENVELOPES[name].collector is None) or whole != text


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
        "relayed_iso": "2023-09-06T05:13:19.587Z 192.0.2.77 <22>Sep  5 23:13:16 esa1 mail_logs: Info: ICID 1 close",
        "relayed_bare": "2023-09-06T05:13:19.587Z 192.0.2.77 Sep  5 23:13:16 esa1 mail_logs: Info: ICID 1 close",
        "relayed_syslog": "<22>Sep  5 23:13:18 relay2 <22>Sep  5 23:13:16 esa1 mail_logs: Info: ICID 1 close",
        "relayed_spaces": "<22>2023-09-05 23:13:17 Mail.Info 192.0.2.77 Sep  5 23:13:16 esa1 mail_logs: Info: ICID 1 close",
        "rfc5424": "<22>1 2023-09-06T05:13:16.123Z esa1 mail_logs - - - Info: ICID 1 close",
        "kiwi": "2023-09-05 23:13:17\tMail.Info\t192.0.2.77\tSep  5 23:13:16 esa1 mail_logs: Info: ICID 1 close",
        "logrhythm": "09 05 2023 23:13:16 192.0.2.77 <MAIL:INFO> Sep  5 23:13:16 esa1 mail_logs: Info: ICID 1 close",
        "wazuh": "2023 Sep 05 23:13:16 esa1->192.0.2.77 Sep  5 23:13:16 esa1 mail_logs: Info: ICID 1 close",
        "journalctl": "Sep 05 23:13:16 esa1 mail_logs[417]: Info: ICID 1 close",
        "spaced_log": "Sep  5 23:13:16 esa1 mail_logs : Info: ICID 1 close",
        "syslog_year": "Sep  5 2023 23:13:16 esa1 mail_logs: Info: ICID 1 close",
        "octets": "54 <22>Sep  5 23:13:16 esa1 mail_logs: Info: ICID 1 close",
        "native_zone": "Wed Sep  6 05:13:16 UTC 2023 Info: ICID 1 close",
        "grep": "logs/mail.current:3308:Tue Sep  5 23:13:16 2023 Info: ICID 1 close",
        "cat_n": "  3308\tTue Sep  5 23:13:16 2023 Info: ICID 1 close",
        "quoted": "> Tue Sep  5 23:13:16 2023 Info: ICID 1 close",
        "fluentd": '2023-09-06T05:13:16+00:00\tsyslog.mail.info\t{"host": "esa1", "ident": "mail_logs", "message": "Info: ICID 1 close"}',
        "logcli": '2023-09-06T05:13:16Z {host="esa1", job="syslog"} Info: ICID 1 close',
        "csv": "2023-09-06T05:13:16Z,esa1,<22>Sep  5 23:13:16 esa1 mail_logs: Info: ICID 1 close,esa",
        "gelf": '{"version": "1.1", "host": "esa1", "short_message": "mail_logs: Info: ICID 1 close", "timestamp": 1693977196, "level": 6}',
        "otlp": '{"resourceLogs": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "syslog"}}]}, "scopeLogs": [{"scope": {}, "logRecords": [{"timeUnixNano": "1693977196000000000", "severityText": "Info", "body": {"stringValue": "<22>Sep  5 23:13:16 esa1 mail_logs: Info: ICID 1 close"}}]}]}]}',
        "cloudwatch": '{"messageType": "DATA_MESSAGE", "owner": "1", "logGroup": "esa", "logStream": "mail", "logEvents": [{"id": "1", "timestamp": 1693977196000, "message": "<22>Sep  5 23:13:16 esa1 mail_logs: Info: ICID 1 close"}]}',
        "elastic_package": '{"@timestamp": "2023-09-06T05:13:16.000Z", "cisco_secure_email_gateway": {"log": {"category": {"name": "mail_logs"}, "message": "ICID 1 close"}}, "host": {"name": "esa1"}, "log": {"level": "info"}}',
        "sentinel": '{"TimeGenerated": "2023-09-06T05:13:16Z", "Computer": "esa1", "Facility": "mail", "ProcessName": "mail_logs", "SyslogMessage": "Info: ICID 1 close"}',
        "syslog_ng": '{"PROGRAM": "mail_logs", "MESSAGE": "Info: ICID 1 close", "HOST": "esa1", "DATE": "Sep  6 05:13:16", "ISODATE": "2023-09-06T05:13:16+00:00"}',
        "rsyslog": '{"@timestamp": "2023-09-06T05:13:16+00:00", "host": "esa1", "tag": "mail_logs:", "message": " Info: ICID 1 close"}',
        "wazuh_json": '{"timestamp": "2023-09-06T05:13:16.000+0000", "agent": {"id": "000", "name": "wazuh"}, "full_log": "Sep  5 23:13:16 esa1 mail_logs: Info: ICID 1 close", "predecoder": {"hostname": "esa1", "program_name": "mail_logs"}, "location": "192.0.2.77"}',
        "hits": '{"_index": "logs", "_source": {"@timestamp": "2023-09-06T05:13:16Z", "observer": {"hostname": "esa1"}, "event": {"original": "Sep  5 23:13:16 esa1 mail_logs: Info: ICID 1 close"}}}',
        "cef_beside_syslog": "<22>Sep  5 23:13:16 esa1 mail_logs: Info: ICID 1 close",
        "cef_beside_json": '{"message": "<22>Sep  5 23:13:16 esa1 mail_logs: Info: ICID 1 close"}',
        "cef_syslog": "<22>Sep  5 23:13:16 esa1 mail_logs: Info: ICID 1 close",
        "cef_native": "Tue Sep  5 23:13:16 2023: Info: ICID 1 close",
        "cef_relayed": "<14>Sep  5 23:13:16 relay ESA: Tue Sep  5 23:13:16 2023: Info: ICID 1 close",
        "cef_collector": "2023-09-06T05:13:16Z Info: ICID 1 close",
    }
    assert file_head(1693977196, -21600) == [
        "Tue Sep  5 23:13:16 2023 Info: Begin Logfile",
        "Tue Sep  5 23:13:16 2023 Info: Version: 14.0.0-698 SN: 000000000000-XXXXXXX",
        "Tue Sep  5 23:13:16 2023 Info: Time offset from UTC: -21600 seconds",
    ]


def test_ways_to_spoil_a_log_keep_its_lines() -> None:
    """Shuffling stays within a second, duplicating adds only known lines, and wrapping loses no word."""
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


def test_a_world_shows_only_its_window() -> None:
    """Lines before and after the window are not in view."""
    world = World(0.0, skip=1, keep=2)
    assert [world.show("esa1", str(number), "Info", "mail_logs") for number in range(5)] == [False, True, True, False, False]


def test_the_command_line_streams_the_same(tmp_path: Path) -> None:
    """Run as a directory, it writes the same lines and records as the library."""
    log, truth = tmp_path / "out.log", tmp_path / "truth.jsonl"
    arguments = ["--messages", "150", "--seed", "4", "--profile", "rare", "--hosts", "2", "--envelope", "syslog"]
    command = [sys.executable, str(Path(__file__).parent), *arguments, "--log", str(log), "--truth", str(truth)]
    subprocess.run(command, check=True)
    traffic = generate(seed=4, messages=150, hosts=2, profile="rare")
    assert log.read_text(encoding="utf-8").splitlines() == list(render(traffic.lines, "syslog"))
    records = [json.loads(text) for text in truth.read_text(encoding="utf-8").splitlines()]
    assert sorted(records, key=str) == sorted(traffic.truth_connections + traffic.truth_messages, key=str)


def test_the_command_line_makes_files(tmp_path: Path) -> None:
    """An envelope without a host gets separate files per appliance; lines are dealt to several files, or files follow each other."""
    base = [sys.executable, str(Path(__file__).parent), "--messages", "40", "--hosts", "2", "--log"]
    subprocess.run([*base, str(tmp_path / "a.log"), "--files", "2", "--head"], check=True)
    subprocess.run([*base, str(tmp_path / "b.log"), "--rotate", "500", "--shuffle"], check=True)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names[:4] == ["a-esa1.example.com-2.log", "a-esa1.example.com.log", "a-esa2.example.com-2.log", "a-esa2.example.com.log"]
    assert "b-esa1.example.com.log" in names
    texts = [text for name in names if name.startswith("a") for text in (tmp_path / name).read_text(encoding="utf-8").splitlines()[3:]]
    assert sorted(texts) == sorted(render(generate(messages=40, hosts=2).lines))


def test_memory_does_not_grow_with_the_log() -> None:
    """The truth is handed out while the simulation runs, so that it need not be kept in memory."""
    simulation = Simulation(seed=1, messages=3000, profile="plain")
    most = 0
    for _ in simulation.lines():
        most = max(most, len(simulation.connections) + len(simulation.messages))
        simulation.connections.clear()
        simulation.messages.clear()
    assert most < 20
    assert set(PROFILES) == {"plain", "realistic", "rare"}
