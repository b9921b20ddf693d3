"""The command line: what is asked, what is read, what comes out and what is said."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import os
import pathlib
import random
import signal
import subprocess
import sys
import tarfile
import zipfile
from typing import TYPE_CHECKING, Any

import esatls
import pytest
import zstandard
from esatls.cli.explain import SHAPES, explain
from esatls.lines.clock import zone as time_zone
from esatls.lines.sources import Source
from esatls.parallel.cuts import cuts

from tests import terminal

if TYPE_CHECKING:
    from collections.abc import Callable

SCENARIOS = pathlib.Path(__file__).resolve().parents[1] / "scenarios"
SAMPLE = pathlib.Path(__file__).resolve().parents[2] / "python" / "esatls" / "sample.log"
MIDS = [7001, 7002, 7003]
COUNTS = "52 lines: 50 events, 2 ignored, 0 unreadable"


def run(*args: object, stdin: bytes = b"", code: int = 0) -> tuple[bytes, str]:
    """Run `esatls`; return what it writes to standard output and error. No run may end in a traceback."""
    done = terminal.run(*args, stdin=stdin)
    assert done.returncode == code, done.stderr.decode()
    return done.stdout, done.stderr.decode()


def records(out: bytes) -> list[dict[str, Any]]:
    """Return the records of some JSON lines."""
    return [json.loads(line) for line in out.splitlines()]


def mids(*args: object, stdin: bytes = b"") -> list[int]:
    """Return the MIDs that `esatls messages` gives."""
    return [record["mid"] for record in records(run("messages", "-q", *args, stdin=stdin)[0])]


def test_a_process_of_its_own_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """`python -m esatls` writes what the other tests see, and ends with the same code."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1772530000")
    for words in (["messages", SAMPLE], ["report", "-f", "json", "-q", SAMPLE], ["explain", "no event"], ["messages", "--since", "never", SAMPLE]):
        done = subprocess.run([sys.executable, "-m", "esatls", *words], capture_output=True, check=False, cwd=SAMPLE.parents[1])
        assert (done.stdout, done.stderr.decode()) == run(*words, code=done.returncode)


def test_messages_of_the_sample() -> None:
    """The sample's three messages come out with both verdicts, whole."""
    out, err = run("messages", SAMPLE)
    assert err.strip() == COUNTS
    assert [{key: m[key] for key in ("mid", "received", "delivered")} for m in records(out)] == [
        {"mid": 7001, "received": "encrypted", "delivered": "encrypted"},
        {"mid": 7002, "received": "cleartext", "delivered": "encrypted"},
        {"mid": 7003, "received": "encrypted", "delivered": "mixed"},
    ]
    assert records(out)[2] == {
        "mid": 7003,
        "received": "encrypted",
        "icid": 4103,
        "received_peer_ip": "192.0.2.25",
        "received_peer_host": "exchange.example.com",
        "mail_flow": "outgoing",
        "received_tls_version": "TLSv1.2",
        "received_tls_cipher": "ECDHE-RSA-AES128-GCM-SHA256",
        "sender": "bob@example.com",
        "recipients": ["anna@partner.example", "info@old.example.net"],
        "delivered": "mixed",
        "deliveries": [
            {
                "dcid": 881,
                "rid": [0],
                "outcome": "done",
                "time": "2026-03-03T08:14:23Z",
                "verdict": "encrypted",
                "tls_version": "TLSv1.2",
                "tls_cipher": "ECDHE-RSA-AES256-GCM-SHA384",
                "peer_ip": "198.51.100.21",
                "domain": "partner.example",
            },
            {
                "dcid": 882,
                "rid": [1],
                "outcome": "done",
                "time": "2026-03-03T08:14:23Z",
                "verdict": "cleartext",
                "peer_ip": "203.0.113.7",
                "reason": "STARTTLS unexpected response",
                "domain": "old.example.net",
            },
        ],
        "first_seen": "2026-03-03T08:14:20Z",
        "last_seen": "2026-03-03T08:14:23Z",
        "finished": True,
    }


def test_connections_of_the_sample() -> None:
    """Each connection has one record; the host that had to use TLS and did not has failed."""
    out, _ = run("connections", SAMPLE)
    assert [(c["esa_direction"], c.get("icid", c.get("dcid")), c["tls_verdict"], c["messages"]) for c in records(out)] == [
        ("receiving", 4101, "encrypted", 1),
        ("receiving", 4102, "cleartext", 1),
        ("receiving", 4103, "encrypted", 1),
        ("receiving", 4104, "failed", 0),
        ("delivery", 880, "encrypted", 2),
        ("delivery", 881, "encrypted", 1),
        ("delivery", 882, "cleartext", 1),
    ]


def test_events_are_the_tls_lines_unless_told_otherwise() -> None:
    """`events` gives the lines about TLS; `--kind` gives others, `all` every one."""
    assert [e["esa_event"] for e in records(run("events", SAMPLE)[0])] == [
        "tls_success", "tls_success", "tls_success", "tls_failed", "tls_success", "tls_required",
    ]  # fmt: skip
    assert len(records(run("events", "--kind", "all", SAMPLE)[0])) == 50
    assert [e["esa_event"] for e in records(run("events", "-k", "time_offset", SAMPLE)[0])] == ["time_offset"]


def test_filters() -> None:
    """Filters narrow the messages and connections down."""
    assert mids(SAMPLE, "--delivered", "mixed") == [7003]
    assert mids(SAMPLE, "--received", "cleartext", "--received", "unknown") == [7002]
    assert mids(SAMPLE, "--domain", "Example.NET") == [7003]
    assert mids(SAMPLE, "--domain", "ample.com") == []
    assert mids(SAMPLE, "--address", "ANNA@partner.example") == [7001, 7003]
    assert mids(SAMPLE, "--address", " <anna@partner.example>") == [7001, 7003]
    assert mids(SAMPLE, "--flow", "outgoing") == [7003]
    assert mids(SAMPLE, "--mid", 7001, "--mid", 7002) == [7001, 7002]
    assert mids(SAMPLE, "--since", "2026-03-03T08:14:15Z") == [7003]
    assert mids(SAMPLE, "--until", "2026-03-03T08:14:07Z") == [7001]
    assert mids(SAMPLE, "--since", "2026-03-04") == []
    failed, _ = run("connections", SAMPLE, "--verdict", "failed", "--direction", "receiving")
    assert [c["icid"] for c in records(failed)] == [4104]
    partner, _ = run("connections", SAMPLE, "--domain", "partner.example")
    assert [c.get("icid", c.get("dcid")) for c in records(partner)] == [4101, 881]
    early, _ = run("events", SAMPLE, "--until", "2026-03-03T08:14:06Z")
    assert [e["icid"] for e in records(early)] == [4101]


def test_filters_of_connections() -> None:
    """What is given twice may be either; names are found in any case, reasons by a part."""
    at = "Tue Mar  5 10:00:00 2024 Info: "
    lines = [
        "New SMTP ICID 1 interface Data 1 (192.0.2.1) address 198.51.100.1 reverse dns host unknown verified no",
        "ICID 1 ACCEPT SG UNKNOWNLIST match sbrs[-1.0:10.0] SBRS 1.0",
        "ICID 1 TLS success protocol TLSv1.2 cipher AES128-SHA",
        "New SMTP ICID 2 interface Data 2 (192.0.2.2) address 198.51.100.2 reverse dns host unknown verified no",
        "ICID 2 RELAY SG RELAYLIST match 198.51.100.2 SBRS not enabled",
        "ICID 2 TLS failed: STARTTLS Unexpected response",
        "New SMTP DCID 3 interface 192.0.2.2 address 203.0.113.3 port 25",
        "DCID 3 TLS success protocol TLSv1.3 cipher TLS_AES_256_GCM_SHA384 for example.com",
    ]
    log = "".join(f"{at}{line}\n" for line in lines).encode()
    for options, found in [
        (("--version", "1.3"), [3]), (("--version", "TLSv1.2", "--version", "tlsv1.3"), [1, 3]), (("--version", ""), []),
        (("--cipher", "aes128-sha"), [1]), (("--cipher", "AES"), []),
        (("--reason", "unexpected RESPONSE", "--reason", "other"), [2]), (("--reason", "nothing"), []),
        (("--mail-flow", "incoming"), [1]), (("--mail-flow", "incoming", "--mail-flow", "outgoing"), [1, 2]),
        (("--sender-group", "relaylist"), [2]), (("--interface", "data 1"), [1]), (("--interface", "192.0.2.2"), [2, 3]),
        (("--direction", "delivery", "--direction", "receiving", "--verdict", "encrypted"), [1, 3]),
        (("--peer", "198.51.100.1", "--peer", "203.0.113.3"), [1, 3]), (("--domain", "example.com", "--domain", "example.net"), [3]),
        (("--icid", 2, "--dcid", 3), [2, 3]), (("--icid", 3), []), (("--weak",), []),
    ]:  # fmt: skip
        assert [c.get("icid", c.get("dcid")) for c in records(run("connections", *options, stdin=log)[0])] == found, options


@pytest.mark.parametrize("domain", ["b\u00fccher.example", "B\u00dcCHER.example.", "xn--bcher-kva.example"])
def test_domains_in_other_letters(domain: str) -> None:
    """A domain is found in whichever letters the log and the filter have it, as the report counts both as one partner."""
    lines = [
        "New SMTP DCID 3 interface 192.0.2.2 address 203.0.113.3 port 25",
        "DCID 3 TLS success protocol TLSv1.3 cipher TLS_AES_256_GCM_SHA384 for mx.b\u00fccher.example",
        "New SMTP DCID 4 interface 192.0.2.2 address 203.0.113.4 port 25",
        "DCID 4 TLS success protocol TLSv1.3 cipher TLS_AES_256_GCM_SHA384 for xn--bcher-kva.example",
        "Start MID 5 ICID 1",
        "MID 5 ICID 1 From: <ann@B\u00fccher.example>",
        "Start MID 6 ICID 1",
        "MID 6 ICID 1 From: <ann@mx.xn--bcher-kva.example.>",
        "Start MID 7 ICID 1",
        "MID 7 ICID 1 From: <ann@bucher.example>",
        "Start MID 8 ICID 1",
        "MID 8 ICID 1 From: <ann@\u200b.b\u00fccher.example>",
    ]
    log = "".join(f"Tue Mar  3 09:14:02 2026 Info: {line}\n" for line in lines).encode()
    assert [connection.get("dcid") for connection in records(run("connections", "-q", "--domain", domain, stdin=log)[0])] == [3, 4]
    assert mids("--domain", domain, stdin=log)[:2] == [5, 6]
    assert mids("--sender-domain", domain, stdin=log)[2:] == ([] if domain.isascii() else [8])


def test_rewritten_mail_is_found_by_its_parent_s_envelope() -> None:
    """A filter by domain or Message-ID finds a message that goes on as another one, as it is told in the end."""
    log = (SCENARIOS / "rewritten_envelope.log").read_bytes()
    assert mids("--delivered", "cleartext", "--domain", "example.com", stdin=log) == [16, 22]
    assert mids("--message-id", "m1@mail.example.net", stdin=log) == [14, 15, 16, 17]
    told = records(run("follow", "-q", "--once", "-", stdin=log)[0])
    assert sorted(told, key=lambda record: int(str(record["mid"]))) == records(run("messages", "-q", "-f", "json", stdin=log)[0])


def test_filter_by_address() -> None:
    """An address is found however the log or the user spells it, and no other."""
    at = "Tue Mar  5 10:00:00 2024 Info: "
    peers = {5: "2001:DB8:0:0::25", 6: "::ffff:192.0.2.1", 7: "192.0.2.1", 8: "2001:db8::26", 9: "none"}
    text = f"{at}DCID 1 TLS failed\n" + "".join(f"{at}New SMTP ICID {icid} interface A (192.0.2.9) address {peer} x\n" for icid, peer in peers.items())
    for peer, found in (("2001:db8::25", [5]), ("2001:0db8::0:0025", [5]), ("192.0.2.1", [6, 7]), ("::FFFF:192.0.2.1", [6, 7]), ("192.0.2.10", [])):
        assert [c["icid"] for c in records(run("connections", "--peer", peer, stdin=text.encode())[0])] == found


def test_times_with_fractions(tmp_path: pathlib.Path) -> None:
    """Fractions of seconds count when a time is asked for, in every command alike."""
    log = tmp_path / "log"
    log.write_text("2026-03-03T08:14:06.500Z esa1 mail_logs: Info: ICID 5 TLS success\n2026-03-03T08:14:06.500Z esa1 mail_logs: Info: Start MID 3 ICID 5\n")
    for option, second, found in [
        ("--since", "06", 1), ("--since", "06.5", 1), ("--since", "06.501", 0), ("--since", "07", 0),
        ("--until", "06", 0), ("--until", "06.5", 0), ("--until", "06.501", 1), ("--until", "07", 1),
    ]:  # fmt: skip
        for command in ("events", "connections", "messages"):
            assert len(records(run(command, log, option, f"2026-03-03T08:14:{second}Z")[0])) == found, (command, option, second)
        report = json.loads(run("report", "-f", "json", log, option, f"2026-03-03T08:14:{second}Z")[0])
        assert report["totals"]["messages"] == found


def test_connections_in_time(tmp_path: pathlib.Path) -> None:
    """A connection is in a time if anything is known of it then, or before and after it; its opening and its end need not be in view."""
    log = tmp_path / "log"
    lines = [
        "09:00:00 2026 Info: DCID 7 TLS success protocol TLSv1.2 cipher AES128-SHA",
        "09:10:00 2026 Info: Message done DCID 7 MID 3 to RID [0]",
        "08:00:00 2026 Info: New SMTP ICID 5 interface Data 1 (192.0.2.1) address 198.51.100.7 reverse dns host unknown verified no",
        "09:30:00 2026 Info: Start MID 4 ICID 5",
    ]
    log.write_text("".join(f"Tue Mar  3 {line}\n" for line in lines))
    for since, until, found in [
        ("09:00:01", "10:00:00", [5, 7]),
        ("09:05:00", "09:06:00", [5, 7]),
        ("09:10:01", "10:00:00", [5]),
        ("09:30:01", "10:00:00", []),
        ("07:00:00", "08:00:00", []),
        ("07:00:00", "08:00:01", [5]),
    ]:
        times = ("--since", f"2026-03-03T{since}Z", "--until", f"2026-03-03T{until}Z")
        assert [c.get("icid", c.get("dcid")) for c in records(run("connections", log, *times)[0])] == found
        assert json.loads(run("report", "-f", "json", log, *times)[0])["totals"]["connections"] == len(found)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ((), MIDS),
        (("--received", "cleartext", "--received", "encrypted"), MIDS),
        (("--delivered", "mixed"), [7003]),
        (("--flow", "incoming", "--domain", "partner.example"), [7001]),
        (("--address", "NEWS@shop.example"), [7002]),
        (("--mid", 7001, "--mid", 7003), [7001, 7003]),
        (("--domain", "@Partner.example."), [7001, 7003]),
        (("--domain", "ner.example"), []),
        (("--domain", "shop.example", "--domain", "nobody.example"), [7002]),
        (("--mail-flow", "outgoing", "--mail-flow", "incoming"), MIDS),
        (("--sender-domain", "PARTNER.example"), [7001]),
        (("--recipient-domain", "partner.example"), [7003]),
        (("--sender-domain", "partner.example", "--sender-domain", "shop.example"), [7001, 7002]),
        (("--message-id", ""), []),
        (("--subject", "tls SUCCESS", "--subject", "other words"), [7001]),
        (("--subject", "no such words"), []),
        (("--icid", 4102, "--icid", 4103), [7002, 7003]),
        (("--dcid", 882), [7003]),
        (("--peer", "203.0.113.80", "--peer", "203.0.113.7"), [7002, 7003]),
        (("--version", "1.3"), [7001, 7002]),
        (("--cipher", "ecdhe-rsa-aes128-gcm-sha256"), [7003]),
        (("--reason", "UNEXPECTED response"), [7003]),
        (("--weak",), []),
        (("--appliance", "esa1"), []),
    ],
)
def test_filters_of_messages(filters: tuple[object, ...], expected: list[int]) -> None:
    """`messages` in each form and `follow` choose alike."""
    assert mids(SAMPLE, *filters) == expected
    table = csv.DictReader(io.StringIO(run("messages", "-q", "-f", "csv", *filters, SAMPLE)[0].decode("utf-8-sig")))
    assert [int(row["mid"]) for row in table] == expected
    assert [record["mid"] for record in records(run("follow", "-q", *filters, "-", stdin=SAMPLE.read_bytes())[0])] == expected


def test_subjects_in_encoded_words() -> None:
    """A subject is found as it is logged and as people read it; encoded words that cannot be decoded hide nothing."""
    subjects = ("=?utf-8?B?UmVjaG51bmcgTcOkcno=?=", "=?iso-8859-1?Q?Rechnung_M=E4rz?= 2", "=?utf-8?B?A?= Rechnung", "=?none?Q?Rechnung?= x", "=?" * 30_000)
    log = "".join(f"Tue Mar  3 09:14:06 2026 Info: MID {number} Subject '{subject}'\n" for number, subject in enumerate(subjects, 1)).encode()
    for subject, found in (("rechnung m\xe4rz", [1, 2]), ("RECHNUNG", [1, 2, 3, 4]), ("utf-8?b?", [1, 3]), ("?x", [])):
        assert [one["mid"] for one in records(run("messages", "--subject", subject, stdin=log)[0])] == found


def test_delivery_without_an_end() -> None:
    """A message whose delivery has only begun has a row in a table, passes filters that look at its sides, and passed over no protocol."""
    log = b"Tue Mar  3 09:14:06 2026 Info: Start MID 9 ICID 5\nTue Mar  3 09:14:07 2026 Info: Delivery start DCID 7 MID 9 to RID [0]\n"
    (record,) = records(run("messages", "-q", "--dcid", 7, stdin=log)[0])
    assert (record["delivered"], [attempt.get("outcome") for attempt in record["deliveries"]]) == ("none", [None])
    assert b"2026-03-03T09:14:06Z" in run("messages", "-q", "-f", "table", stdin=log)[0]
    assert [records(run("messages", "-q", *word, stdin=log)[0]) for word in (("--weak",), ("--version", "1.2"), ("--cipher", "x"))] == [[]] * 3


def test_weak_connections_of_one_appliance() -> None:
    """--weak finds deprecated protocols and weak ciphers, in messages only if mail passed over them; --appliance ignores case."""
    lines = []
    for host, mid, outcome in (("esa1", 1, "Message done DCID 2 MID 1 to RID [0]"), ("esa2", 1, "Delayed: DCID 2 MID 1 to RID 0 - 4.3.2 - busy")):
        texts = (
            "New SMTP ICID 1 interface Data 1 (192.0.2.1) address 198.51.100.1 reverse dns host unknown verified no",
            "ICID 1 TLS success protocol TLSv1.2 cipher AES128-SHA",
            f"Start MID {mid} ICID 1",
            "New SMTP DCID 2 interface 192.0.2.1 address 203.0.113.3 port 25",
            "DCID 2 TLS success protocol TLSv1 cipher RC4-SHA for example.com",
            outcome,
        )
        lines += [f"2026-03-03T09:00:00Z {host} mail_logs: Info: {text}\n" for text in texts]
    log = "".join(lines).encode()
    weak = records(run("connections", "--weak", stdin=log)[0])
    assert [(one["esa_host"], one["dcid"], one["tls_cipher"]) for one in weak] == [("esa1", 2, "RC4-SHA"), ("esa2", 2, "RC4-SHA")]
    assert [one["esa_host"] for one in records(run("messages", "--weak", stdin=log)[0])] == ["esa1"]
    for command in ("messages", "connections"):
        assert {one["esa_host"] for one in records(run(command, "--appliance", "ESA2", stdin=log)[0])} == {"esa2"}


def test_filters_are_about_the_whole_message() -> None:
    """Two filters may be met by two recipients; what went in clear text to some alone is mixed. Help says both."""
    at = "Tue Mar  3 09:00:00 2026 Info: "
    lines = []
    for mid in (1, 2):
        lines += [f"MID {mid} ICID 5 RID 0 To: <a@gamma.example>", f"MID {mid} ICID 5 RID 1 To: <b@delta.example>"]
    for dcid in (11, 12, 21, 22):
        lines.append(f"New SMTP DCID {dcid} interface 192.0.2.11 address 198.51.100.{dcid} port 25")
    lines += [
        "Bounced: DCID 11 MID 1 to RID 0 - 5.1.0 - Unknown address error ('550', ['no such user'])",
        "Message done DCID 12 MID 1 to RID [1]",
        "Message done DCID 21 MID 2 to RID [0]",
        "DCID 22 TLS success protocol TLSv1.2 cipher ECDHE-RSA-AES256-GCM-SHA384",
        "Message done DCID 22 MID 2 to RID [1]",
    ]
    log = "".join(f"{at}{line}\n" for line in lines).encode()
    assert mids("--delivered", "cleartext", "--domain", "gamma.example", stdin=log) == [1]
    assert mids("--delivered", "mixed", "--domain", "gamma.example", stdin=log) == [2]
    for command in ("messages", "follow"):
        told = " ".join(run(command, "--help")[0].decode().split())
        assert "Only messages with this delivery verdict; mixed: over TLS to some recipients only (repeatable)." in told
        assert "Only messages with a sender or at least one recipient in this domain or a subdomain, delivered or not (repeatable)." in told


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, zstandard.ZstdCompressor().compress])
def test_compressed_files(pack: Callable[[bytes], bytes], tmp_path: pathlib.Path) -> None:
    """Compressed files are known by what is in them, whatever they are called."""
    (tmp_path / "mail.current").write_bytes(pack(SAMPLE.read_bytes()))
    assert mids(tmp_path / "mail.current") == MIDS


def test_standard_input_folders_and_globs(tmp_path: pathlib.Path) -> None:
    """Logs come from standard input, from all files of a folder, or from a glob; a file named twice counts once."""
    lines = SAMPLE.read_bytes().splitlines(keepends=True)
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "mail.1.gz").write_bytes(gzip.compress(b"".join(lines[:20])))
    (tmp_path / "mail.2").write_bytes(b"".join(lines[20:]))
    (tmp_path / ".hidden").write_bytes(b"\0")
    assert mids("-", stdin=SAMPLE.read_bytes()) == MIDS
    assert mids(stdin=SAMPLE.read_bytes()) == MIDS
    assert run("messages", tmp_path)[1].strip() == COUNTS
    assert mids(f"{tmp_path}/**/mail*") == MIDS
    out, err = run("messages", tmp_path / "mail.2", f"{tmp_path}/m*")
    assert "32 lines" in err
    assert [m["mid"] for m in records(out)] == MIDS


def test_any_order_any_split_any_repetition_gives_the_same_bytes(tmp_path: pathlib.Path) -> None:
    """Shuffled, reversed, doubled, and cut into files in any order: the same output."""
    lines = SAMPLE.read_bytes().splitlines(keepends=True)
    expected = run("messages", SAMPLE, "-q")[0]
    chance = random.Random(7)
    shuffled = lines[:]
    chance.shuffle(shuffled)
    for variant in (shuffled, lines[::-1], [line for line in lines for _ in range(2)]):
        assert run("messages", "-q", stdin=b"".join(variant))[0] == expected
        path = tmp_path / "variant.log"
        path.write_bytes(b"".join(variant))
        assert run("messages", "-q", path)[0] == expected
    parts = []
    for number, (start, end) in enumerate(((0, 17), (17, 30), (30, None))):
        parts.append(tmp_path / f"part{number}")
        parts[-1].write_bytes(b"".join(lines[start:end]))
    for order in (parts, parts[::-1], [parts[1], parts[2], parts[0]]):
        assert run("messages", "-q", *order)[0] == expected
        assert run("messages", "-q", "--jobs", 3, *order)[0] == expected


@pytest.mark.parametrize("command", ["messages", "connections", "report"])
def test_files_of_several_appliances_that_name_none(command: str, tmp_path: pathlib.Path) -> None:
    """Two serial numbers in the heads of files without host names: the ids of two appliances may meet, and that is said in one line."""
    head = "Mon Oct 12 08:00:00 2026 {}Info: Version: 14.0.0-698 SN: {}\nMon Oct 12 08:00:00 2026 {}Info: ICID 5 close\n"

    def told(*heads: tuple[str, str], options: tuple[str, ...] = (), code: int = 0) -> str:
        files = []
        for number, (serial, host) in enumerate(heads):
            files.append(tmp_path / f"{number}.log")
            files[-1].write_text(head.format(host, serial, host), encoding="utf-8")
        return run(command, *options, *files, code=code)[1]

    counts = "4 lines: 2 events, 2 ignored, 0 unreadable\n"
    files = "esatls: files of 2 appliances, identified by their serial numbers (0123-A, 0123-B)"
    warning = f"{files}; --host 0123-A=NAME names one\n"
    counts += "esatls: no messages in the log, only connections: a message has lines with its MID\n" if command == "messages" else ""
    assert told(("0123-B", ""), ("0123-A", "")) == warning + counts
    assert told(("0123-A", ""), ("0123-A", "")) == counts
    assert told(("0123-A", "esa1 mail_logs: "), ("0123-B", "esa2 mail_logs: ")) == counts
    assert told(("0123-A", ""), ("0123-B", ""), options=("--host", "0123-a=esa1", "--host", "0123-B=esa1")) == counts
    assert told(("0123-A", ""), ("0123-B", ""), options=("--host", "0123-A=esa1", "--host", "esa2")) == counts
    assert told(("0123-A", ""), ("0123-A", ""), options=("--host", "esa1")) == counts
    assert told(("0123-A", ""), ("0123-B", ""), options=("--host", "0123-A=esa1")) == f"{files}; --host 0123-B=NAME names one\n{counts}"
    assert told(("0123-A", ""), ("0123-B", ""), options=("--host", "esa1"), code=2) == f"{files}: name each, as in --host 0123-A=esa1\n"
    assert told(("0123-A", ""), ("0123-B", ""), options=("--quiet",)) == ""


def test_files_of_two_appliances(tmp_path: pathlib.Path) -> None:
    """Files whose heads tell different serial numbers are of different appliances; one that tells none is named."""
    for name, head, result in (("a", "Version: 14.0.0-698 SN: 0123-A", "success"), ("b", "Version: 14.0.0-698 SN: 0123-B", "failed"), ("c", "x", "failed")):
        at = "Mon Oct 12 08:00:00 2026 Info: "
        (tmp_path / name).write_text(f"{at}{head}\n{at}ICID 5 TLS {result}\n{at}Start MID 7 ICID 5\n", encoding="utf-8")
    for options in ((), ("--jobs", 1), ("--format", "csv")):
        out, err = run("messages", *options, tmp_path / "a", tmp_path / "b")
        assert out.count(b"0123-a") == out.count(b"0123-b") == 1
        assert err.startswith("esatls: files of 2 appliances, identified by their serial numbers (0123-A, 0123-B); --host 0123-A=NAME names one\n")
    named = run("connections", "--host", "0123-A=esa1", "--host", "0123-B=esa2", tmp_path / "a", tmp_path / "b")[0]
    assert [(one["esa_host"], one["tls_verdict"]) for one in records(named)] == [("esa1", "encrypted"), ("esa2", "unknown")]
    assert [one["esa_host"] for one in records(run("messages", "--host", "0123-A=esa1", tmp_path / "a")[0])] == ["esa1"]
    assert [event["esa_host"] for event in records(run("events", tmp_path / "a", tmp_path / "b")[0])] == ["0123-A", "0123-B"]
    _, err = run("messages", tmp_path)
    assert err.startswith(
        f"esatls: files of 2 appliances, identified by their serial numbers (0123-A, 0123-B); --host 0123-A=NAME names one; "
        f"no serial number in {tmp_path / 'c'}: read such files"
    )


def test_files_beside_those_of_two_appliances(tmp_path: pathlib.Path) -> None:
    """A file whose lines name their appliance needs no serial number in its head: consolidated events carry one, other lines may have a host."""
    for name, serial, result in (("a", "0123-A", "success"), ("b", "0123-B", "failed")):
        at = "Mon Oct 12 08:00:0"
        lines = (f"0 2026 Info: Version: 14.0.0-698 SN: {serial}", f"1 2026 Info: ICID 5 TLS {result}", "2 2026 Info: Start MID 7 ICID 5")
        (tmp_path / name).write_text("".join(f"{at}{line}\n" for line in lines), encoding="utf-8")

    def event(serial: str) -> str:
        return (
            "Oct 12 08:00:09 consolidated: CEF:0|Cisco|C100V Secure Email Gateway Virtual|15.0.0-104|ESA_CONSOLIDATED_LOG_EVENT|Consolidated Log Event|5|"
            f"deviceExternalId={serial} ESAMID=7 ESAICID=5 act=DELIVERED"
        )

    def told(*lines: str) -> list[tuple[str, str, str]]:
        (tmp_path / "c").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        out, err = run("messages", "-f", "json", tmp_path)
        nameless = f"; no serial number in {tmp_path / 'c'}: read such files separately, with --host NAME" if lines[-1].startswith("Mon") else ""
        assert err.startswith(f"esatls: files of 2 appliances, identified by their serial numbers (0123-A, 0123-B); --host 0123-A=NAME names one{nameless}\n")
        return sorted((one.get("esa_host", "").lower(), one["received"], one["delivered"]) for one in records(out))

    both = [("0123-a", "encrypted", "none"), ("0123-b", "cleartext", "none")]
    assert told(event("0123-A")) == [("0123-a", "encrypted", "unknown"), both[1]]
    assert told(event("0123-A"), "", event("0123-B")) == [(*one[:2], "unknown") for one in both]
    assert told(json.dumps({"message": event("0123-B")})) == [both[0], ("0123-b", "cleartext", "unknown")]
    assert told("Oct 12 08:00:09 esa1 mail_logs: Info: Start MID 7 ICID 5") == [*both, ("esa1", "unknown", "none")]
    assert told(json.dumps({"host": "esa1", "message": "Info: Start MID 7 ICID 5"})) == [*both, ("esa1", "unknown", "none")]
    assert told(event("0123-A"), "Mon Oct 12 08:00:00 2026 Info: Start MID 7 ICID 5") == [("", "unknown", "none"), ("0123-a", "encrypted", "unknown"), both[1]]


def test_two_names_of_one_appliance() -> None:
    """A short and a full name draw a warning, in every command that joins lines; exit code and records stay."""
    log = b"2026-03-03T10:00:01Z esa1 mail_logs: Info: Start MID 7 ICID 5\n2026-03-03T10:00:02Z esa1.example.com mail_logs: Info: Start MID 8 ICID 5\n"
    for command in (("messages", "-f", "json"), ("messages", "-f", "csv"), ("connections",), ("report",)):
        assert "esatls: esa1 and esa1.example.com may be one appliance under two names; they are treated as two\n" in run(*command, stdin=log)[1]
    assert run("messages", "-q", stdin=log)[1] == ""


def test_processes_agree(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One process and several give the same bytes for a log of some size, in order or shuffled."""
    from tests.traffic import generate, render

    monkeypatch.setattr("esatls.parallel.parts.LEAST_PART", 1)
    monkeypatch.setattr("esatls.parallel.events.EVENTS_PART", 10_000)
    traffic = generate(3, 300, hosts=2, profile="rare")
    lines = list(render(traffic.lines, "syslog"))
    for name, text in (("order", lines), ("shuffled", random.Random(1).sample(lines, len(lines)))):
        path = tmp_path / f"{name}.log"
        path.write_text("".join(line.rstrip("\n") + "\n" for line in text), encoding="utf-8")
        for command in (("messages",), ("connections",), ("events",), ("events", "-k", "all")):
            ways = (*(("--jobs", jobs) for jobs in (1, 2, 3)), ("--memory", "64K"))
            assert len({run(*command, path, *way)[0] for way in ways}) == 1


def test_processes_agree_about_a_table(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row of CSV means nothing without the names of its columns, so one process reads all of it."""
    monkeypatch.setattr("esatls.parallel.parts.LEAST_PART", 1)
    monkeypatch.setattr("esatls.parallel.events.EVENTS_PART", 10_000)
    log = tmp_path / "export.csv"
    log.write_text("time;host;message\n" + "".join(f"2024-03-03T10:00:02Z;esa1;Info: ICID {icid} TLS success\n" for icid in range(1000)))
    for command in (("connections",), ("events",)):
        one, several = (run(*command, "-q", log, "--jobs", jobs)[0] for jobs in (1, 2))
        assert one == several
        assert {record["esa_host"] for record in records(several)} == {"esa1"}


@pytest.mark.parametrize("size", ["", "0", "-1", "1.5G", "12P", "1e9", "K", "\u0665M"])
def test_no_size(size: str) -> None:
    """A size of memory is a whole number with a letter behind it, or none."""
    _, told = run("messages", "--memory", size, "nothing.log", code=2)
    assert f"--memory: not a size such as 512M or 4G: {size!r}" in told


def test_csv_is_flat_and_harmless() -> None:
    """Deliveries become columns of several values; a cell that a spreadsheet would run is made harmless."""
    log = (
        b"Start MID 1 ICID 5\nMID 1 ICID 5 From: <=cmd|'/c calc'!A0@example.com>\nMID 1 ICID 5 RID 0 To: <@sum@example.net>\n"
        b"Message done DCID 7 MID 1 to RID [0]\nMessage done DCID 8 MID 1 to RID [1]\n"
    )
    out, _ = run("messages", "-f", "csv", stdin=log)
    (row,) = csv.DictReader(io.StringIO(out.decode()))
    assert row["sender"] == "'=cmd|'/c calc'!A0@example.com"
    assert row["recipients"] == "'@sum@example.net"
    assert row["delivery_dcid"] == "7;8"
    assert row["delivery_rid"] == "0;1"
    assert row["delivery_domain"] == "example.net;"
    assert row["finished"] == "false"


@pytest.mark.parametrize("form", ["json", "csv", "table"])
def test_control_characters_never_come_out_raw(form: str) -> None:
    """Escape sequences that strangers put into the log reach no terminal."""
    log = "ICID 5 TLS failed: \x1b[31mred\x07 \x9b2J \u202eevil\x7f\n".encode()
    out, err = run("events", "-f", form, stdin=log)
    text = (out.decode() + err).replace("\r\n", "\n")
    assert not [c for c in text if (c < " " and c != "\n") or "\x7f" <= c <= "\x9f" or c == "\u202e"]
    assert "red" in text
    shown, _ = run("explain", log.decode().strip())
    assert b"\x1b" not in shown


def test_positions_in_csv() -> None:
    """A cell of several values has as many as there are, each in its place: a separator within one is written otherwise."""
    at = "Tue Mar  5 10:00:00 2024 Info: "
    lines = [
        "Start MID 16 ICID 5",
        "MID 16 ICID 5 RID 0 To: <a;b@example.net>",
        "MID 16 ICID 5 RID 1 To: <c@example.com>",
        "Bounced: DCID 9 MID 16 to RID 0 - 5.1.0 - a;=b ('550', ['x; y'])",
        "Message done DCID 9 MID 16 to RID [1]",
    ]
    out, _ = run("messages", "-f", "csv", stdin="".join(f"{at}{line}\n" for line in lines).encode())
    (row,) = csv.DictReader(io.StringIO(out.decode()))
    assert row["recipients"] == "a%3Bb@example.net;c@example.com"
    assert row["delivery_outcome"] == "bounced;done"
    assert row["delivery_response"] == "5.1.0 - a%3B=b ('550', ['x%3B y']);"
    out, _ = run("connections", "-f", "csv", stdin=f"{at}ICID 5 TLS failed: x; y\n".encode())
    (row,) = csv.DictReader(io.StringIO(out.decode()))
    assert row["tls_reason"] == "x; y"


def test_parquet(tmp_path: pathlib.Path) -> None:
    """Parquet has typed columns: times, lists, numbers."""
    pq = pytest.importorskip("pyarrow.parquet", reason="needs the package pyarrow: pip install -e '.[parquet]'")
    run("messages", SAMPLE, "-o", tmp_path / "m.parquet")
    table = pq.read_table(tmp_path / "m.parquet")
    assert table.column("mid").to_pylist() == MIDS
    assert table.column("recipients").to_pylist()[2] == ["anna@partner.example", "info@old.example.net"]
    assert table.column("delivery_verdict").to_pylist()[2] == ["encrypted", "cleartext"]
    assert table.column("delivery_dcid").to_pylist()[2] == [881, 882]
    assert table.column("delivery_rid").to_pylist()[2] == [[0], [1]]
    assert table.column("delivery_tls_version").to_pylist()[2] == ["TLSv1.2", None]
    assert table.column("delivery_witness").to_pylist()[2] == [None, None]
    assert str(table.schema.field("first_seen").type) == "timestamp[ms, tz=UTC]"


def test_output_file_appears_only_when_whole(tmp_path: pathlib.Path) -> None:
    """`--output` leaves no half file behind when the input fails."""
    run("messages", tmp_path / "missing", "-o", tmp_path / "out.json", code=1)
    assert list(tmp_path.iterdir()) == []
    run("messages", SAMPLE, "-o", tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text().startswith("esa_host,mid,")
    run("messages", SAMPLE, "-o", tmp_path / "no" / "out.csv", code=1)


# bad input


def test_missing_files_are_named_and_the_rest_is_read(tmp_path: pathlib.Path) -> None:
    """A missing file is one line on standard error and exit code 1; the other files are answered."""
    out, err = run("messages", tmp_path / "none.log", SAMPLE, code=1)
    assert [m["mid"] for m in records(out)] == MIDS
    assert err.splitlines() == [f"esatls: {tmp_path / 'none.log'}: no such file or directory", COUNTS]
    _, err = run("messages", f"{tmp_path}/*.log", code=1)
    assert err.splitlines() == [f"esatls: {tmp_path}/*.log: no such file", "esatls: nothing to read"]


def test_truncated_gzip_is_read_as_far_as_it_goes(tmp_path: pathlib.Path) -> None:
    """A file that breaks off gives a warning, and what it holds."""
    text = SAMPLE.read_bytes() * 300
    (tmp_path / "cut.gz").write_bytes(gzip.compress(text)[:-4000])
    out, err = run("messages", tmp_path / "cut.gz", code=1)
    assert [m["mid"] for m in records(out)] == MIDS
    assert err.startswith(f"esatls: {tmp_path / 'cut.gz'}: is incomplete or damaged: ")
    lines = int(err.splitlines()[1].split()[0].replace(",", ""))
    assert 0 < lines < 52 * 300


def test_garbage_between_the_lines_loses_nothing(tmp_path: pathlib.Path) -> None:
    """CRLF, BOM, NUL, invalid UTF-8, empty lines: every line is counted, no event is lost."""
    lines = SAMPLE.read_bytes().splitlines()
    junk = [b"\xff\xfe\x00 binary", b"", b"Tue Mar  3 09:14:06 2026 Info: MID 7001 Subject '\xe4\xf6'", b"Tue Mar  3 09:14:06 2026 Info: \0\0"]
    text = b"\xef\xbb\xbf" + b"\r\n".join([*lines[:10], junk[2], junk[3], *lines[10:], junk[1], junk[0]])
    (tmp_path / "mail.log").write_bytes(text)
    out, err = run("messages", tmp_path / "mail.log")
    assert out == run("messages", SAMPLE)[0]
    assert err.splitlines()[-1] == "56 lines: 51 events, 3 ignored, 2 unreadable"
    (tmp_path / "wide.log").write_bytes(SAMPLE.read_text().encode("utf-16"))
    assert mids(tmp_path / "wide.log") == MIDS


def test_invalid_bytes_do_not_hide_an_event() -> None:
    """A host name that is not UTF-8 does not make its connection unreadable."""
    out, err = run("events", "-k", "all", stdin=b"ICID 5 TLS failed: caf\xe9\n")
    assert records(out) == [{"esa_event": "tls_failed", "tls_result": "failed", "esa_direction": "receiving", "icid": 5, "tls_reason": "caf\\xe9"}]
    assert err.strip() == "1 lines: 1 events, 0 ignored, 0 unreadable"


def test_chosen_columns() -> None:
    """--columns gives fields in its order, as CSV or a table, with values or without; other forms have all fields, and other names are usage errors."""
    assert run("messages", "-q", "--columns", "subject, mid,delivery_domain", "--mid", 7001, "--mid", 7003, SAMPLE)[0].decode() == (
        "subject,mid,delivery_domain\nICID 4102 TLS success,7001,example.com\n,7003,partner.example;old.example.net\n"
    )
    table = run("connections", "-q", "-f", "table", "--columns", "dcid,tls_peer_cn,tls_reason", "--verdict", "cleartext", SAMPLE)[0].decode()
    assert [line.split() for line in table.splitlines()] == [["dcid", "tls_peer_cn", "tls_reason"], [], ["882", "STARTTLS", "unexpected", "response"]]
    assert run("events", "-q", "--columns", "dcid", "-k", "tls_failed", SAMPLE)[0] == b"dcid\n882\n"
    _, err = run("messages", "--columns", "mid,dcid", SAMPLE, code=2)
    assert err.startswith("esatls: --columns: no such field: 'dcid'; possible are esa_host, mid, icid, received, ")
    for form in ("json", "parquet"):
        said = f"esatls: --columns: {form} always has all fields; use --format table or csv\n"
        assert run("messages", "-f", form, "--columns", "mid", SAMPLE, code=2) == (b"", said)


def test_archives_are_not_read_as_logs(tmp_path: pathlib.Path) -> None:
    """A tar or zip archive, compressed or not, is named as one."""
    with tarfile.open(tmp_path / "a.tgz", "w:gz") as tar, zipfile.ZipFile(tmp_path / "b.zip", "w") as zipped:
        tar.add(SAMPLE, "mail.current")
        zipped.write(SAMPLE, "mail.current")
    said = {
        name: f"esatls: {tmp_path / name}: seems to be a {kind} archive, which must be unpacked first" for name, kind in (("a.tgz", "tar"), ("b.zip", "zip"))
    }
    assert {name: run("messages", tmp_path / name, code=1)[1].splitlines()[0] for name in said} == said


def test_binary_empty_and_endless_lines(tmp_path: pathlib.Path) -> None:
    """A binary gets a warning and its lines count as unreadable; an empty file is no error; a line of 20 MB is cut."""
    (tmp_path / "a.bin").write_bytes(bytes(range(256)) * 40)
    out, err = run("messages", tmp_path / "a.bin", code=1)
    assert out == b""
    assert err.splitlines() == [f"esatls: {tmp_path / 'a.bin'}: seems to be a binary file", "41 lines: 0 events, 0 ignored, 41 unreadable"]
    (tmp_path / "empty").write_bytes(b"")
    assert run("messages", tmp_path / "empty") == (b"", "0 lines: 0 events, 0 ignored, 0 unreadable\n")
    (tmp_path / "long").write_bytes(b"x" * 20_000_000 + b"\n" + SAMPLE.read_bytes())
    assert mids(tmp_path / "long") == MIDS


def test_counts_mean_the_same_in_all_commands() -> None:
    """`events` counts as events and ignored what `messages` does; where it looks for some events alone, it says so and calls no line ignored."""
    assert {run(*words, SAMPLE)[1].splitlines()[-1] for words in (("messages",), ("connections",), ("events", "-k", "all"))} == {COUNTS}
    for words, found in (((), 6), (("-k", "tls_failed"), 1), (("-k", "all", "--since", "2026-03-03T08:14:20Z"), 22)):
        out, err = run("events", *words, SAMPLE)
        assert len(records(out)) == found
        assert err == f"52 lines: {found} requested events, {52 - found} other lines, 0 unreadable\n"


def test_nothing_recognised() -> None:
    """Where no line is an event, one line says so and how to find out why; it is no error. Empty input needs no word."""
    counts = "1 lines: 0 events, 1 ignored, 0 unreadable\n"
    requested = "1 lines: 0 requested events, 1 other lines, 0 unreadable\n"
    for command, said, told in (
        ("messages", "no lines were recognized", counts),
        ("report", "no lines were recognized", counts),
        ("events", "no events of the requested kinds", requested),
    ):
        _, err = run(command, stdin=b"Tue Mar  3 09:14:20 2026 Info: SenderBase upload: 734 hosts\n")
        assert err == f"{told}esatls: {said}; esatls explain 'LINE' shows why\n"
    assert run("messages", stdin=b"") == (b"", "0 lines: 0 events, 0 ignored, 0 unreadable\n")


def test_wrong_usage() -> None:
    """Wrong options and wrong values are told in one line, with exit code 2."""
    _, err = run("messages", "--format", "xml", SAMPLE, code=2)
    assert "Invalid value for '--format'" in err
    _, err = run("messages", "--timezone", "Mars/Olympus", SAMPLE, code=2)
    assert err == "esatls: no such time zone: Mars/Olympus; use a name such as Europe/Berlin, or an offset such as -05:00\n"
    _, err = run("messages", "--since", "some day", SAMPLE, code=2)
    assert err.startswith("esatls: not a date or time")
    _, err = run("follow", "--host", "0000-XX=esa1", SAMPLE, code=2)
    assert err == "esatls: --host: not a name: '0000-XX=esa1'; follow does not look at serial numbers of files\n"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("messages", "--domain", ""), "esatls: --domain: not a domain: ''\n"),
        (("follow", "--domain", "@"), "esatls: --domain: not a domain: '@'\n"),
        (("messages", "--recipient-domain", "*.example"), "esatls: --recipient-domain: not a domain: '*.example'; subdomains are included without *\n"),
        (("report", "--own-domain", "*.example.com"), "esatls: --own-domain: not a domain: '*.example.com'; subdomains are included without *\n"),
        (("connections", "--domain", "anna@partner.example"), "esatls: --domain: not a domain: 'anna@partner.example'\n"),
        (("connections", "--peer", "mx.partner.example"), "esatls: --peer: not an IP address: 'mx.partner.example'; use --domain for names\n"),
    ],
)
def test_filters_that_can_never_match(command: tuple[str, ...], said: str) -> None:
    """A filter that no record could pass is wrong usage."""
    assert run(*command, SAMPLE, code=2) == (b"", said)


def test_nothing_passes_the_filters() -> None:
    """Where no record passes the filters, a line says so; it is no error."""
    nobody, later = ("--domain", "nobody.example"), ("--since", "2030-01-01")
    for one in (("messages", *nobody), ("connections", "--peer", "203.0.113.250")):
        assert run(*one, SAMPLE)[1] == f"{COUNTS}\nesatls: no records match the filters\n"
    covers = "esatls: the log covers 2026-03-03T08:14:02Z to 2026-03-03T08:14:41Z, and nothing of the time range\n"
    for many in (("messages", "-f", "csv", *later), ("report", *later)):
        assert run(*many, SAMPLE)[1] == f"{COUNTS}\n{covers}esatls: no records in the time range\n"
    assert run("messages", *nobody, *later, SAMPLE)[1] == f"{COUNTS}\n{covers}esatls: no records in the time range match the filters\n"
    assert run("messages", "-q", "--domain", "nobody.example", SAMPLE) == (b"", "")
    requested = f"52 lines: 0 requested events, 52 other lines, 0 unreadable\n{covers}esatls: no events of the requested kinds in the requested time range"
    assert run("events", "--since", "2030-01-01", SAMPLE) == (b"", f"{requested}\n")


def test_no_records_without_filters() -> None:
    """Where a log names no connection, and no filter was given, no filter is blamed."""
    line = b"Tue Mar  3 09:14:20 2026 Info: MID 14 Subject 'x'\n"
    for form in ("json", "csv"):
        assert run("connections", "-f", form, stdin=line)[1] == "1 lines: 1 events, 0 ignored, 0 unreadable\n"


@pytest.mark.parametrize("form", ["json", "csv", "table"])
def test_no_messages_in_a_log_of_connections(form: str) -> None:
    """Lines about TLS alone, as `grep TLS` gives them, have no message, and that is said."""
    line = b"Tue Mar  3 09:14:20 2026 Info: ICID 14 TLS failed\n"
    said = "1 lines: 1 events, 0 ignored, 0 unreadable\nesatls: no messages in the log, only connections: a message has lines with its MID\n"
    assert run("messages", "-f", form, stdin=line)[1] == said


_ENDS = "the log ends at 2026-03-03T08:14:41Z, before the time range does"


@pytest.mark.parametrize(
    ("times", "said"),
    [
        (("--since", "2026-03-03T08:14:02Z"), []),
        (("--since", "2026-03"), ["the log begins at 2026-03-03T08:14:02Z, after the time range does", _ENDS]),
        (("--since", "2026-03-03", "--until", "2026-03-03T08:14:30Z"), ["the log begins at 2026-03-03T08:14:02Z, after the time range does"]),
        (("--until", "2026-03-04"), [_ENDS]),
        (("--until", "2999-01-01", "--since", "2026-03-03T08:14:02Z"), [_ENDS]),
        (("--until", "2026-03-03"), ["the log covers 2026-03-03T08:14:02Z to 2026-03-03T08:14:41Z, and nothing of the time range"]),
    ],
)
def test_time_range_that_the_log_does_not_cover(times: tuple[str, ...], said: list[str], tmp_path: pathlib.Path) -> None:
    """A log that begins later than the time range, or ends earlier, is told of by every command, and in what a report was made from."""
    (tmp_path / "partners.csv").write_text("domain,direction\nnobody.example,both\n")
    for command in (("events",), ("messages",), ("connections",), ("trace", "7001"), ("check", "--partners", tmp_path / "partners.csv")):
        told = terminal.run(*command, *times, SAMPLE).stderr.decode().splitlines()
        assert [line for line in told if line.startswith("esatls: the log ")] == [f"esatls: {one}" for one in said], command
    sentences = [f"{one[0].upper()}{one[1:]}." for one in said]
    for made in (("report",), ("check", "--domain", "nobody.example")):
        found = json.loads(terminal.run(*made, "-q", "-f", "json", *times, SAMPLE).stdout)
        assert found["evidence"]["incomplete"] == sentences
    assert terminal.run("check", "-q", "--domain", "partner.example", *times, SAMPLE).returncode == (3 if said else 0)


@pytest.mark.parametrize(
    ("times", "said"),
    [
        (("--since", "2099-03-03T08:14:20Z"), ""),
        (("--since", "2099-03-03"), "esatls: the log begins at 2099-03-03T08:14:20Z, after the time range does\n"),
        (("--since", "2099-03-03T08:14:20Z", "--until", "2099-03-03T08:14:21Z"), ""),
    ],
)
def test_time_range_of_a_log_of_one_moment(times: tuple[str, ...], said: str) -> None:
    """A record in the time range is not followed by the words that the log covers nothing of it, even where the appliance's clock is ahead."""
    counts = "1 lines: 1 requested events, 0 other lines, 0 unreadable\n"
    assert run("events", "-k", "all", *times, stdin=b"Tue Mar  3 08:14:20 2099 Info: Start MID 1 ICID 5\n")[1] == counts + said


def test_report_of_no_form(tmp_path: pathlib.Path) -> None:
    """The name of a file tells the form of the report; one that tells another is wrong usage, and nothing is written."""
    _, err = run("report", SAMPLE, "-o", tmp_path / "r.pdf", code=2)
    assert err.startswith(f"esatls: {tmp_path / 'r.pdf'}: unknown format: use --format,")
    assert not (tmp_path / "r.pdf").exists()
    for name, start in (("r.HTM", b"<!DOCTYPE html>"), ("r.json", b"{"), ("r.txt", b"")):
        run("report", SAMPLE, "-o", tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(start)


@pytest.mark.parametrize("name", ["told.csv", "told.CSV", "told.parquet"])
def test_follow_writes_json_lines_alone(name: str, tmp_path: pathlib.Path) -> None:
    """A file for `follow` whose name tells another form is wrong usage, and nothing is written: no output, no checkpoint."""
    output = tmp_path / name
    said = f"esatls: {output}: follow writes JSON Lines, so the file name cannot end in {output.suffix.lower()}\n"
    assert run("follow", "--once", "-q", "-o", output, SAMPLE, code=2) == (b"", said)
    assert list(tmp_path.iterdir()) == []
    run("follow", "--once", "-q", "-o", tmp_path / "told.jsonl", SAMPLE)
    assert [record["mid"] for record in records((tmp_path / "told.jsonl").read_bytes())] == MIDS


@pytest.mark.skipif(os.name == "nt", reason="a shell closes the streams")
@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ("messages -q $SAMPLE >&-", 1, "esatls: standard output: is closed\n"),
        ("messages -q -f table $SAMPLE >&-", 1, "esatls: standard output: is closed\n"),
        ("explain 'Info: ICID 5 TLS failed' >&-", 1, "esatls: standard output: is closed\n"),
        ("follow --once -q --checkpoint $FOLDER/c $SAMPLE >&-", 1, "esatls: standard output: is closed\n"),
        ("check -q --partners $FOLDER/partners.csv $SAMPLE >&-", 3, "esatls: standard output: is closed\n"),
        ("messages -q -o $FOLDER/out $SAMPLE >&-", 0, ""),
        ("messages -q -o $FOLDER/out $SAMPLE <&- >&-", 0, ""),
        ("messages -q -o $FOLDER/out $SAMPLE <&- >&- 2>&-", 0, ""),
        ("messages -q <&-", 1, "esatls: standard input: is closed\n"),
        ("follow --once -q - <&-", 1, "esatls: standard input: is closed\n"),
    ],
)
def test_closed_streams(tmp_path: pathlib.Path, command: str, code: int, said: str) -> None:
    """A standard stream that is closed from the start is missed only if it is needed, and that is one line."""
    (tmp_path / "partners.csv").write_text("domain,direction\npartner.example,both\n")
    environment = {**os.environ, "SAMPLE": str(SAMPLE), "FOLDER": str(tmp_path), "PYTHON": sys.executable}
    done = subprocess.run(["/bin/sh", "-c", f'"$PYTHON" -m esatls {command}'], capture_output=True, check=False, env=environment)
    assert (done.stdout, done.stderr.decode(), done.returncode) == (b"", said, code)
    assert len(records((tmp_path / "out").read_bytes())) == 3 if "-o $" in command else not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "command",
    ["events -k all -q -", "messages -f table -q -", "report -q -", "report -f html -q -", "trace -q 7003 -", "check -q --partners {partners} -"],
)
def test_closed_pipe(tmp_path: pathlib.Path, command: str) -> None:
    """`esatls … | head` ends quietly, with the exit code that a closed pipe has everywhere."""
    partners = tmp_path / "partners.csv"
    partners.write_text("domain,direction\npartner.example,both\n")
    words = command.format(partners=partners).split()
    with subprocess.Popen([sys.executable, "-m", "esatls", *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        _, err = process.communicate(SAMPLE.read_bytes() * 20)
    assert err == b""
    assert process.returncode == 141


@pytest.mark.skipif(os.name == "nt", reason="pipes there are told otherwise")
def test_input_that_does_not_wait() -> None:
    """A pipe that was set not to wait, as some parents leave it, is read to its end all the same, however slowly it is filled."""
    sample = SAMPLE.read_bytes()
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    with subprocess.Popen([sys.executable, "-m", "esatls", "messages", "-"], stdin=reading, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        os.close(reading)
        os.write(writing, sample[:2000])
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1.5)
        os.write(writing, sample[2000:])
        os.close(writing)
        out, err = process.communicate()
    assert (process.returncode, len(records(out)), err.decode()) == (0, 3, f"{COUNTS}\n")


def test_interrupt() -> None:
    """Ctrl-C ends at once, without a traceback."""
    with subprocess.Popen([sys.executable, "-m", "esatls", "messages", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        # more than a pipe holds: when it is written, the command is reading
        sample = SAMPLE.read_bytes()
        process.stdin.write(sample * (1 + (1 << 20) // len(sample)))
        process.stdin.flush()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
    assert b"Traceback" not in err
    assert process.returncode == 130


# times


def test_time_zones(tmp_path: pathlib.Path) -> None:
    """The option rules, then the head of the file, then UTC; a head holds for files of the same run that have none."""
    line = "Thu Jul 15 12:00:00 2021 Info: ICID 5 TLS failed\n"
    head = "Thu Jul 15 11:00:00 2021 Info: Time offset from UTC: -21600 seconds\n"

    def times(*args: object, text: str = line) -> list[str]:
        return [e["time"] for e in records(run("events", "-q", *args, stdin=text.encode())[0])]

    assert times() == ["2021-07-15T12:00:00Z"]
    assert times(text=head + line) == ["2021-07-15T18:00:00Z"]
    assert times("--timezone", "Europe/Berlin", text=head + line) == ["2021-07-15T10:00:00Z"]
    assert times("--timezone", "+02:00") == ["2021-07-15T10:00:00Z"]
    (tmp_path / "one").write_text(head)
    (tmp_path / "two").write_text(line)
    assert times(tmp_path / "two", tmp_path / "one") == ["2021-07-15T18:00:00Z"]


@pytest.mark.parametrize(
    "line",
    [
        "Thu Jul 15 11:00:00 2021 Info: MID 1 Subject 'Time offset from UTC: 3600 seconds'",
        "Thu Jul 15 11:00:00 2021 Info: MID 1 Subject 'x Info: Time offset from UTC: 3600 seconds",
        "Thu Jul 15 11:00:00 2021 Info: Time offset from UTC: 999999 seconds",
        '{"message": "Info: MID 1 Subject \'Time offset from UTC: 3600 seconds"}',
    ],
)
def test_a_stranger_shifts_no_time(line: str) -> None:
    """Words about the offset that are not the line about it, or an offset that no place has, leave the zone as it is."""
    told, _ = run("events", "-q", stdin=f"{line}\nThu Jul 15 12:00:00 2021 Info: ICID 5 TLS failed\n".encode())
    assert [event["time"] for event in records(told)] == ["2021-07-15T12:00:00Z"]


@pytest.mark.parametrize("zone", ["-01:00", "-01:30", "+01:30", "+14:00"])
@pytest.mark.parametrize("command", ["events", "connections", "messages"])
def test_the_ends_of_time(zone: str, command: str) -> None:
    """A stamp that lies before the year 1 or after 9999 in UTC is none, whatever stamps of its day and hour came before it."""
    days = {"Fri Dec 31 {} 9999 Info: ": ("20:10:00", "22:10:00", "22:59:00", "23:40:00"), "Mon Jan  1 {} 0001 Info: ": ("14:10:00", "01:40:00", "00:10:00")}
    iso = {"9999-12-31T{} Info: ": ("20:10:00", "22:10:00", "22:59:00", "23:40:00"), "0001-01-01T{} Info: ": ("14:10:00", "01:40:00", "01:05:00")}
    for day, clocks in {**days, **iso}.items():
        lines = [day.format(clock) + text for clock in clocks for text in ("ICID 5 TLS failed: x", "Start MID 6 ICID 5")]
        text = "".join(f"{line}\n" for line in lines).encode()
        alone = [event.get("time") for line in lines[::2] for event in esatls.events([line], clock=esatls.Clock(time_zone(zone)))]
        out, _ = run(command, "-q", "--timezone", zone, stdin=text)
        assert out
        if command == "events":
            assert [event.get("time") for event in records(out)] == alone
            assert len(alone) == len(clocks)


def test_several_heads_in_one_file(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Logs that were put together each have their own zone, in one process and in several; the option rules over all."""
    monkeypatch.setattr("esatls.parallel.parts.LEAST_PART", 1 << 17)
    at = "Tue Mar  5 10:00:00 2024 Info: "
    lines = {hour: f"{at}Time offset from UTC: {hour * 3600} seconds\n{at}ICID {hour} TLS failed: x\n" for hour in (1, 2, 3)}
    log = tmp_path / "log"
    log.write_text("".join(lines.values()))

    def times(*args: object) -> set[str]:
        found = {f"{c['icid']} {c['time'][11:13]}" for c in records(run("events", "-q", *args, log)[0]) if c["icid"] < 4}
        assert found == {f"{c['icid']} {c['time'][11:13]}" for c in records(run("events", "-q", "-k", "all", *args, log)[0]) if c.get("icid", 4) < 4}
        return found

    assert times() == {"1 09", "2 08", "3 07"}
    assert times("--timezone", "UTC") == {"1 10", "2 10", "3 10"}
    log.write_text("".join(lines.values()).replace("Info: Time", "esa1 mail_logs: Info: Time"))
    assert times() == {"1 09", "2 09", "3 09"}
    filler = "".join(f"{at}Message finished MID {number} done\n{at}MID {number} Subject 'Time offset from UTC: 0 seconds'\n" for number in range(1_300))
    log.write_text(lines[1] + filler + lines[2] + filler + lines[3] + filler + lines[3])
    assert len(cuts(Source(str(log)), 3, 1 << 17)[0]) == 4
    for jobs in (1, 3):
        assert times("--jobs", jobs) == {"1 09", "2 08", "3 07"}
    assert run("messages", "--jobs", 1, log) == run("messages", "--jobs", 3, log)


def test_the_rest_of_a_text_is_no_head() -> None:
    """A line without a stamp states no offset: it may be the rest of what a stranger wrote."""
    lines = ["11:00:00 2021 Info: MID 1 Subject 'x", "12:00:00 2021 Info: ICID 5 TLS failed"]
    text = "\nTime offset from UTC: 3600 seconds\n".join(f"Thu Jul 15 {line}" for line in lines)
    assert [event["time"] for event in records(run("events", "-q", stdin=text.encode())[0])] == ["2021-07-15T12:00:00Z"]


def test_offset_in_json() -> None:
    """The line about the offset counts in a collector's record as well."""
    lines = "".join(
        f'{{"message": "Thu Jul 15 {text}"}}\n' for text in ("11:00:00 2021 Info: Time offset from UTC: -21600 seconds", "12:00:00 2021 Info: ICID 5 close")
    )
    assert [event["time"] for event in records(run("events", "-q", "-k", "connection_closed", stdin=lines.encode())[0])] == ["2021-07-15T18:00:00Z"]


def test_years_across_new_year(tmp_path: pathlib.Path) -> None:
    """Syslog stamps have no year: it comes from the file's date or from `--year`, right across New Year, also with the newest line first."""
    text = "<22>Dec 31 23:59:59 esa1 mail_logs: Info: ICID 5 TLS failed\n<22>Jan  1 00:00:01 esa1 mail_logs: Info: ICID 6 TLS failed\n"
    path = tmp_path / "mail.log"
    path.write_text(text)
    os.utime(path, (1704100000, 1704100000))  # 1 January 2024

    def times(*args: object) -> list[str]:
        return [e["time"] for e in records(run("events", "-q", *args, path)[0])]

    assert times() == ["2023-12-31T23:59:59Z", "2024-01-01T00:00:01Z"]
    assert times("--year", 2019) == ["2019-12-31T23:59:59Z", "2020-01-01T00:00:01Z"]
    assert times("--year", 2019, "--timezone", "-05:00") == ["2020-01-01T04:59:59Z", "2020-01-01T05:00:01Z"]
    path.write_text("<22>Jan  1 00:00:01 esa1 mail_logs: Info: ICID 6 TLS failed\n")
    assert times("--year", 2024) == ["2024-01-01T00:00:01Z"]
    backwards = ("Jan  2 00:00:01", "Jan  1 00:00:01", "Jan  1 00:00:02", "Dec 31 23:59:59", "Dec 30 23:59:59")
    path.write_text("".join(f"<22>{stamp} esa1 mail_logs: Info: ICID 6 TLS failed\n" for stamp in backwards))
    told = [f"2024-{day}Z" for day in ("01-02T00:00:01", "01-01T00:00:01", "01-01T00:00:02")]
    assert times("--year", 2024) == [*told, "2023-12-31T23:59:59Z", "2023-12-30T23:59:59Z"]
    whole_year = ("Jan  2 00:00:01", "Jan  2 00:00:02", "Jan  2 00:00:01", "Dec 30 23:59:58", "Dec 30 23:59:59")
    path.write_text("".join(f"<22>{stamp} esa1 mail_logs: Info: ICID 6 TLS failed\n" for stamp in whole_year))
    assert [time[:4] for time in times("--year", 2024)] == ["2024"] * 5


# report, explain


def test_report_in_three_forms(tmp_path: pathlib.Path) -> None:
    """The report is a table, JSON, or one HTML page, by option or by the output's name."""
    told, _ = run("report", SAMPLE)
    assert b"encrypted" in told
    built = json.loads(run("report", "-f", "json", SAMPLE)[0])
    assert built
    run("report", SAMPLE, "-o", tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text()
    assert page.lower().startswith("<!doctype html>")
    assert page.count("<script") == 1


@pytest.mark.parametrize("command", ["events", "connections", "messages", "report"])
def test_a_time_that_ends_before_it_begins(command: str, tmp_path: pathlib.Path) -> None:
    """`--since` after `--until` is wrong usage, told in one line, and no output is made; one moment for both is no fault."""
    output = tmp_path / "out.json"
    arguments = (command, "-q", "--output", output, "--since", "2026-03-03T08:14:08.001Z", "--until", "2026-03-03T08:14:08Z", SAMPLE)
    told, said = run(*arguments, code=2)
    assert (told, said) == (b"", "esatls: --since 2026-03-03T08:14:08.001Z is after --until 2026-03-03T08:14:08Z\n")
    assert not output.exists()
    run(command, "-q", "--output", output, "--since", "2026-03-03T08:14:08Z", "--until", "2026-03-03T08:14:08Z", SAMPLE)
    assert output.exists()


def test_explain() -> None:
    """`explain` names the pattern and the fields, or says why a line is no event."""
    out, _ = run("explain", "Tue Mar  3 09:14:22 2026 Info: DCID 882 TLS failed: STARTTLS unexpected response")
    assert b"pattern: ESA_TLS_FAILED_DELIVERY" in out
    assert b"  tls_reason: STARTTLS unexpected response" in out
    out, _ = run("explain", "MID 1 Subject 'ICID 5 TLS success'")
    assert b"  subject: ICID 5 TLS success" in out
    out, _ = run("explain", "MID 1 attachment 'ICID 5 TLS success'", code=1)
    assert b"event: none" in out
    out, _ = run("explain", "SenderBase upload: 734 hosts", code=1)
    assert b"no pattern begins with 'SenderBase'" in out


def test_explain_standard_input() -> None:
    """`explain -` explains each line of standard input, with an empty line between; the exit code is 1 if one of them is no event."""
    quoted = "MID 1 Subject 'it''s'"
    one, other = run("explain", quoted)[0], run("explain", "no event", code=1)[0]
    assert run("explain", "-", stdin=f"{quoted}\n\n".encode())[0] == one
    assert run("explain", "-", stdin=f"{quoted}\nno event\n".encode(), code=1)[0] == one + b"\n" + other


@pytest.mark.parametrize(
    ("line", "stopped", "nearest"),
    [
        ("<22>Mar  3 10:00:02 esa1 mail_logs: ICID 5 TLS success", "the timestamp 'Mar  3 10:00:02' is read, but no level", 2),
        ("2026-03-03T10:00:02Z esa1 mail_logs ICID 5 TLS success", "the timestamp '2026-03-03T10:00:02Z' is read, but no level", 4),
        ("10h00 esa1 mail_logs Info: ICID 5 TLS success", "the text before Info: has no timestamp in a known form: '10h00 esa1 mail_logs '", None),
        ("2026-03-03T10:00:02Z ICID 5 TLS success protocol TLSv1.3", "the timestamp '2026-03-03T10:00:02Z' is read, but no level", 4),
        ("3 Mar 2026 10:00:02 MID 5 rewritten to MID 6 by antispam", "the timestamp '3 Mar 2026 10:00:02' is read, but no level", None),
        ("Mar  3 10:00:02 esa1 mail_logs: MID 1 Subject Info: ICID 5 TLS success", "before Info: a message text has begun", 1),
        ('{"text": "Info: ICID 5 TLS success"}', "a record without a field that holds a log line, or an incomplete record", 7),
    ],
)
def test_explain_header(line: str, stopped: str, nearest: int | None) -> None:
    """`explain` says which part of a header stopped a line, and which known header it is most like."""
    told = explain(line)
    assert told["header"].startswith(f"none: {stopped}")
    assert told["nearest"] in SHAPES
    if nearest is not None:
        assert told["nearest"] == SHAPES[nearest]
    assert told["event"] == "none"
    assert b"nearest" in run("explain", line, code=1)[0]


def test_explain_and_events_agree() -> None:
    """`explain` gives the event that the other commands read, whatever is around the line or in front of it."""
    cases = json.loads((SCENARIOS.parent / "cases" / "envelope.json").read_text(encoding="utf-8"))
    lines = [case["line"] for case in cases["cases"] + cases["wrapped"]]
    lines += ["\ufeff" + lines[0], f"\x1b[32m{lines[0]}\x1b[0m\r", json.dumps({"message": "\ufeff" + lines[0], "host": "esa1"})]
    lines.append("CEF:0|Cisco|C100V|15.0.0-104|ESA_CONSOLIDATED_LOG_EVENT|Consolidated Log Event|5|ESAMID=14 end=Tue Mar  3 10:00:02 2026")
    connector = "CEF:0|CISCO|IronPort|14.0|mail_logs|Info|3|agt=192.0.2.250 msg=ICID 5 TLS success"
    lines.append(json.dumps({"message": connector, "host": "esa1", "@timestamp": "2026-03-03T10:00:02Z"}))
    for line in lines:
        assert explain(line)["event"] == next(esatls.events([line]), "none"), line


def test_explain_message_tracking() -> None:
    """`explain` tells the event of what the other commands read as message tracking, pasted or JSON, and where a sentence of it is none."""
    inside = "inside: message tracking, read entry by entry\n"
    success = "Delivery connection (DCID 70) successfully accepted TLS protocol TLSv1.2 cipher AES256-SHA None."
    told = (
        f"{inside}event:\n  time: 2026-10-12T08:00:04Z\n  esa_event: tls_success\n  witness: tracking\n  dcid: 70\n  esa_direction: delivery\n"
        "  tls_version: TLSv1.2\n  tls_cipher: AES256-SHA\n  tls_result: success\n"
    )
    pasted = f"12 Oct 2026 08:00:04 (GMT)  {success}"
    assert run("explain", pasted)[0].decode() == told
    (event,) = records(run("events", stdin=pasted.encode())[0])
    assert "".join(f"  {name}: {value}\n" for name, value in event.items()) in told
    summary = [
        {"timestamp": "12 Oct 2026 08:00:04 (GMT)", "description": success},
        {"timestamp": "12 Oct 2026 08:00:05 (GMT)", "description": "Message 5 aborted."},
    ]
    out, _ = run("explain", json.dumps({"data": {"messages": {"summary": summary}}}))
    assert out.decode() == f"{told}event 2:\n  time: 2026-10-12T08:00:05Z\n  esa_event: message_aborted\n  witness: tracking\n  mid: 5\n"
    # a part of tracking, though alone it is not known to be
    out, _ = run("explain", "12 Oct 2026 08:00:05 (GMT)  Message 5 aborted.")
    assert out.decode() == f"{inside}event:\n  time: 2026-10-12T08:00:05Z\n  esa_event: message_aborted\n  witness: tracking\n  mid: 5\n"
    out, _ = run("explain", "12 Oct 2026 08:00:04 (GMT)  Message 5 was scanned (DCID 70)", code=1)
    assert out.decode() == f"{inside}event: none\nwhy: none of its entries is an event\n"


def test_version_and_help() -> None:
    """The version is that of the package; help names every command."""
    assert run("--version")[0].decode().startswith(f"esatls, version {esatls.__version__} (")
    text = run("--help")[0].decode()
    assert all(name in text for name in ("events", "connections", "messages", "report", "explain", "elastic"))


def test_zone_of_a_csv_export(tmp_path: pathlib.Path) -> None:
    """The head of a log tells the zone in CSV too, in the column that holds the lines and in no other."""
    at = "Tue Mar  5 10:00:00 2024 Info: "
    row = '"{}","{}"\n'
    head, line, other = at + "Time offset from UTC: 3600 seconds", at + "ICID 5 TLS success", at + "Time offset from UTC: 7200 seconds"
    log = tmp_path / "export.csv"
    for rows, hour in (((head, ""), (line, other)), "09"), (((line, ""), (head, "")), "09"), (((line, other), (line, other)), "10"):
        log.write_text("_raw,subject\n" + "".join(row.format(*cells) for cells in rows))
        times = {event["time"] for event in records(run("events", "-q", log)[0])}
        assert times == {f"2024-03-05T{hour}:00:00Z"}
        # the library hears of it line by line
        told = [event["time"] for event in esatls.events(log.read_text().splitlines(), kinds=["tls_success"])]
        assert told[-1:] == [f"2024-03-05T{'10' if rows[0][0] == line else hour}:00:00Z"]
