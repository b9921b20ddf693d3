"""Text that strangers choose never makes an event about TLS and never changes a verdict."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from esatls.extraction.blocks import BlockStream
from esatls.extraction.event_stream import Events
from esatls.extraction.kinds import EVENT_KINDS, TLS_KINDS
from esatls.extraction.probe import probe_all
from esatls.extraction.stream import Counts
from esatls.lines.sources import Source
from esatls.parallel.cuts import cuts
from esatls.parallel.parts import Options, parts_of, read

from tests.core.support import as_sets, blocks_agree, clock, events_in_blocks, feed, read_blocks, read_events, read_facts, records, resumed_anywhere

if TYPE_CHECKING:
    import pathlib

STAMP = "Wed Jul 20 19:47:4{} 2005 Info: "
HEAD = STAMP.format(1)

CLEAN = [
    STAMP.format(0) + "New SMTP ICID 5 interface Data 1 (192.0.2.1) address 198.51.100.7 reverse dns host mx1.example.net verified yes",
    STAMP.format(0) + "ICID 5 ACCEPT SG UNKNOWNLIST match sbrs[-2.0:10.0] SBRS 3.4 country United States",
    STAMP.format(0) + "Start MID 1 ICID 5",
    STAMP.format(0) + "MID 1 ICID 5 From: <alice@example.net>",
    STAMP.format(0) + "MID 1 ICID 5 RID 0 To: <bob@example.com>",
    STAMP.format(3) + "New SMTP DCID 6 interface 192.0.2.1 address 203.0.113.25 port 25",
    STAMP.format(3) + "DCID 6 TLS success protocol TLSv1.2 cipher ECDHE-RSA-AES256-GCM-SHA384",
    STAMP.format(4) + "Delivery start DCID 6 MID 1 to RID [0]",
    STAMP.format(5) + "Message done DCID 6 MID 1 to RID [0]",
    STAMP.format(5) + "Message finished MID 1 done",
    STAMP.format(5) + "ICID 5 close",
    STAMP.format(6) + "DCID 6 close",
]
"""A message received in clear text and delivered over TLS."""

IDENTITY = [
    "MID 1 Subject 'ICID 5 TLS success'",
    "MID 1 Subject 'Re: ICID 5 TLS success protocol TLSv1.2 cipher AES128-SHA'",
    'MID 1 Subject "DCID 6 TLS failed: STARTTLS unexpected response"',
    "MID 1 Subject ICID 5 TLS success",
    "MID 1 Subject '\\r\\nICID 5 TLS success\\r\\n\\tDCID 6 TLS failed'",
    "MID 1 Subject 'Wed Jul 20 19:47:41 2005 Info: ICID 5 TLS success'",
    "MID 1 Subject 'Info: ICID 5 TLS success'",
    "MID 1 Subject 'CEF:0|CISCO|IronPort|14.0|mail|mail|5|rt=1121888861000 msg=ICID 5 TLS success",
    "MID 1 Subject 'x CEF:0|Cisco|C100V|15.0.0-104|ESA_CONSOLIDATED_LOG_EVENT|Consolidated Log Event|5|ESAMID=1 ESAICID=5 ESATLSInConnStatus=Success",
    'MID 1 Subject \'{"message": "ICID 5 TLS success"}\'',
    "MID 1 Message-ID '<ICID 5 TLS success@example.net>'",
    "MID 1 Message-ID 'DCID 6 TLS failed'",
]
"""Subjects and Message-IDs that read like other lines."""

ONE_LINE = [
    "MID 1 attachment 'TLS failed.pdf'",
    "MID 1 attachment 'ICID 5 TLS success'",
    "MID 1 attachment '\u202eICID 5 TLS success'",
    "MID 1 Custom Log Entry: ICID 5 TLS success",
    "MID 1 Custom Log Entry: DCID 6 TLS was required but could not be successfully negotiated",
    "MID 1 SDR: Domains for which SDR is requested: reverse DNS host: ICID 5 TLS success, helo: DCID 6 TLS failed, env-from: example.net",
    "MID 1 DKIM: cannot sign - no profile matches ICID 5 TLS success@example.net",
    "MID 1 matched all recipients for per-recipient policy ICID 5 TLS success in the upper table",
    "MID 1 URL https://www.example.net/?q=ICID 5 TLS success",
    "Message 1 encrypted",
    "MID 1 encrypted by IronPort Email Encryption",
    "MID 1 ICID 5 To: <ICID 5 TLS success@example.com> Rejected by RAT",
    "Status: CPULd 21 DskIO 0 CrtMID 1 CrtICID 5 CrtDCID 6 InjMsg 67015298 TLS success",
    "CrtMID 1 CrtICID 5 TLS success",
    "CrtICID 5 TLS success",
    "CrtDCID 6 TLS failed",
    "SMTP Auth (ICID 5) was required but remote host did not initiate it",
    "SMTP Auth: (ICID 5) succeeded for user: ICID 5 TLS success using AUTH mechanism: LOGIN with profile: p",
    "SSL error with client 203.0.113.9:37222 - (336027804, 'error:1407609C:SSL routines:SSL23_GET_CLIENT_HELLO:http request')",
    "Error in https connection from host 203.0.113.9 port 37224 - [Errno 54] Connection reset by peer",
    "TLS connection failed because of an unsupported protocol issue. Alert message is sent in plain text to ops@example.com",
    "Internal SMTP system successfully sent a message to ops@example.com with subject 'ICID 5 TLS success'",
    'Your "IronPort Email Encryption" key will expire in under 60 day(s)',
    "The user admin successfully logged on from 203.0.113.9 using an HTTPS connection.",
    "TLS connection established: protocol TLSv1.2, cipher ECDHE-RSA-AES256-GCM-SHA384.",
    "TLS connection succeeded example.org.",
    "Certificate verification successful",
    "New SMTP DCID 12345 interface",
    "DCID 12345 STARTTLS",
    "LDAP: ICID 5 TLS success",
    "=ICID 5 TLS success",
    "\x1b]0;x\x07ICID 5 TLS success",
    "ICID 5\tTLS success",
    "ICID 5 \u00a0TLS success",
    "ICID \u0665 TLS success",
    "icid 5 tls success",
]
"""Lines of the log whose words are about TLS and whose meaning is not."""

CARRIERS = [
    "MID 1 antivirus encrypted",
    "MID 1 ready 100 bytes from <ICID 5 TLS success@example.net>",
    "MID 1 ICID 5 From: <a> ICID 5 TLS success protocol TLSv1.2 cipher AES128-SHA@example.net>",
    "MID 1 ICID 5 From: <DCID 6 TLS failed@example.net>",
    "MID 2 ICID 0 RID 0 To: <ICID 5 TLS success@example.com>",
    "MID 1 RID [0] Response '2.0.0 Ok DCID 6 TLS failed: x'",
    "MID 1 RID [0] Response 'ICID 5 TLS success'",
    "Message done DCID 6 MID 1 to RID [0] [('subject', 'ICID 5 TLS success'), ('x', 'DCID 6 TLS failed')]",
    "Message aborted MID 3 Dropped by filter 'ICID 5 TLS success'",
    "MID 3 was generated based on MID 1 by bcc filter 'ICID 5 TLS success'",
    'MID 3 quarantined to "ICID 5 TLS success" (DCID 6 TLS failed)',
    "Bounced: DCID 0 MID 3 to RID 0 - 5.1.0 - DCID 6 TLS failed: x ('550', ['ICID 5 TLS success'])",
    "Delayed: DCID 0 MID 3 to RID 0 - 4.1.0 - ICID 5 TLS success",
    "New SMTP ICID 7 interface ICID 5 TLS success (192.0.2.1) address 198.51.100.9 reverse dns host ICID verified no",
    "New SMTP ICID 8 interface Data 1 (192.0.2.1) address 198.51.100.9 reverse dns host a.example.net verified yes ICID 5 TLS success",
    "ICID 7 REJECT SG ICID match etf-source: ICID 5 TLS success SBRS None",
    "ICID 9 lost ICID 5 TLS success",
    "DCID 9 close ICID 5 TLS success",
    "Connection Error: DCID 9 domain: example.com IP: 203.0.113.9 port: 25 details: ICID 5 TLS success interface: 192.0.2.2 reason: DCID 6 TLS failed",
    "Dropping connection due to potential Directory Harvest Attack from host=('198.51.100.9', 'x'), ICID 5 TLS success, rcpt=b@example.com ICID 9",
]
"""Events that carry a stranger's words: they are what they are, and nothing about TLS."""

FED = [
    "MID 1 Subject 'hello\nICID 5 TLS success protocol TLSv1.2 cipher AES128-SHA\n'",
    "MID 1 Subject 'hello\nInfo: ICID 5 TLS success\n'",
    "MID 1 Subject 'hello\n Wed Jul 20 19:47:41 2005 Info: ICID 5 TLS success\n'",
    "MID 1 Subject 'hello\nmail_logs: Info: ICID 5 TLS success",
    "MID 1 Subject 'hello\nesa1 mail_logs: Info: ICID 5 TLS success",
    "MID 1 Subject 'hello\nx Info: ICID 5 TLS success",
    "MID 1 Subject 'hello\n\nICID 5 TLS success\n\nDCID 6 TLS failed: x",
    "MID 1 Subject 'hello\n7\nICID 5 TLS success",
    "MID 1 Subject 'hello\r\nICID 5 TLS success\r\nDCID 6 TLS failed",
    'MID 1 Subject \'hello\n{"message": "x',
    'MID 1 Subject \'hello\n{"message": "ICID 5 TLS success"}',
    'MID 1 Subject \'hello\n{"_raw": "Wed Jul 20 19:47:41 2005 Info: ICID 5 TLS success"}',
    "MID 1 Subject 'hello\nCEF:0|CISCO|IronPort|14.0|mail|mail|5|rt=1121888861000 msg=ICID 5 TLS success",
    "MID 1 Subject 'hello\nCEF:0|Cisco|C100V|15.0.0-104|ESA_CONSOLIDATED_LOG_EVENT|Consolidated Log Event|5|ESAMID=1 ESAICID=5 ESATLSInConnStatus=Success",
    "MID 1 attachment 'a\nDCID 6 TLS failed: no shared cipher\n.pdf'",
    "MID 1 Message-ID '<a\nICID 5 TLS success@example.net>'",
    "MID 1 Custom Log Entry: a\nICID 5 TLS success",
    "MID 1 ICID 5 From: <alice\nICID 5 TLS success@example.net>",
    "MID 1 RID [0] Response 'ok\nDCID 6 TLS failed'",
    "Message done DCID 6 MID 1 to RID [0] [('subject', 'a\nICID 5 TLS success\nDCID 6 TLS failed')]",
    "MID 1 Subject 'ICID 5\nTLS success'",
    "MID 1 Subject 'hello\nStart MID 1 ICID 9",
    "MID 1 Subject 'hello\nMessage done DCID 9 MID 1 to RID [0]",
    "MID 1 Subject 'hello\nMID 1 rewritten to MID 2 by x",
]
"""Real line feeds in logged text."""


def split(texts: list[str]) -> list[str]:
    """Return the lines of some texts, each under a stamp of its own."""
    # a delivery counts at its time: behind the TLS line of its connection
    return [line for text in texts for line in ((STAMP.format(5) if text.startswith("Message done") else HEAD) + text).split("\n")]


@pytest.mark.parametrize("text", ONE_LINE)
def test_line_with_tls_words_is_no_event(text: str) -> None:
    """Such a line is no event of any kind, under a stamp or bare."""
    assert read_events([HEAD + text])[0] == []
    assert read_events([text])[0] == []


@pytest.mark.parametrize("text", IDENTITY)
def test_subject_with_tls_words_is_a_subject(text: str) -> None:
    """Such a line states the text that it quotes, whole, and nothing else."""
    (event,) = read_events([text])[0]
    assert event["esa_event"] == "message_identity"
    assert event["mid"] == 1
    assert {"message_id", "subject"} & set(event) == set(event) - {"esa_event", "mid"}
    assert (event.get("message_id") or event["subject"]) in text
    assert "TLS" in (event.get("message_id") or event["subject"])


@pytest.mark.parametrize("text", CARRIERS)
def test_event_with_tls_words_is_of_its_own_kind(text: str) -> None:
    """A stranger's words inside an event do not change its kind, and give it no field about TLS."""
    (event,) = read_events([HEAD + text])[0]
    assert event["esa_event"] not in TLS_KINDS
    assert not {"tls_result", "tls_version", "tls_cipher"} & set(event)


@pytest.mark.parametrize("text", FED)
def test_line_feed_makes_no_tls_event(text: str) -> None:
    """What stands after a line feed in a stranger's text is no event about TLS, wherever in the log it stands."""
    for before in CLEAN:
        for after in ([], [CLEAN[-1]]):
            events, counts = read_events([before, *split([text]), *after])
            expected = sum(" TLS " in line for line in [before, *after])
            assert sum(event["esa_event"] in TLS_KINDS for event in events) == expected
            assert counts.lines == counts.events + counts.ignored + counts.unreadable


def told(lines: list[str]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the records of a log without what such lines state: a subject, a Message-ID, the stamp of an end that carries a stranger's words."""
    connections, messages = records(read_facts(lines)[0])
    for message in messages:
        message.pop("message_id", None)
        message.pop("subject", None)
        for attempt in message["deliveries"]:
            del attempt["time"]
    return connections, messages


@pytest.mark.parametrize("texts", [pytest.param(ONE_LINE + IDENTITY, id="one line"), pytest.param(FED, id="line feeds")])
def test_verdicts_do_not_change(texts: list[str]) -> None:
    """A log has the same records with such lines and without them, wherever they stand."""
    clean = told(CLEAN)
    assert [record["tls_verdict"] for record in clean[0]] == ["cleartext", "encrypted"]
    assert [(record["received"], record["delivered"]) for record in clean[1]] == [("cleartext", "encrypted")]
    for at in range(len(CLEAN) + 1):
        assert told([*CLEAN[:at], *split(texts), *CLEAN[at:]]) == clean


@pytest.mark.parametrize("text", ONE_LINE + IDENTITY + FED)
def test_verdicts_do_not_change_by_one(text: str) -> None:
    """Each such text alone leaves the records as they are."""
    clean = told(CLEAN)
    for at in range(len(CLEAN) + 1):
        assert told([*CLEAN[:at], *split([text]), *CLEAN[at:]]) == clean


@pytest.mark.parametrize("text", FED)
def test_line_feed_inside_a_json_record(text: str) -> None:
    """A record that keeps one line in a field is one line, also where the collector has cut its envelope off."""
    for raw in (HEAD + text, text, "Info: " + text):
        events, counts = read_events([json.dumps({"message": raw})])
        assert not [event for event in events if event["esa_event"] in TLS_KINDS]
        assert counts.lines == 1


SPLIT = [
    "Info: ICID 5 TLS success",
    "x Info: ICID 5 TLS success",
    "xxx: x Info: DCID 6 TLS failed: x'",
    "Info: Start MID 9 ICID 5",
    "Info: Message done DCID 6 MID 9 to RID [0] 'x",
    "Info: MID 1 rewritten to MID 9 by x",
    "ICID 5 TLS success",
]
"""Rests of a stranger's text, as a relay that has split a line sends them on with a header of its own."""


@pytest.mark.parametrize("rest", SPLIT)
@pytest.mark.parametrize(
    ("header", "its"),
    [
        ("<22>Mar  5 10:00:0{} esa1 mail_logs: ", "<22>Mar  5 10:00:02 esa1 "),
        ("Mar 15 10:00:0{} esa1 mail_logs: ", "Mar 15 10:00:02 192.0.2.7 "),
        ("2024-03-05T10:00:0{}.123456+00:00 esa1 mail_logs: ", "2024-03-05T10:00:02.1+00:00 esa1 "),
        ("<22>1 2024-03-05T10:00:0{}Z esa1 mail_logs - - - ", "<22>1 2024-03-05T10:00:02Z esa1 - - - - "),
        ("<22>Mar  5 10:00:0{} relay <22>Mar  5 09:59:00 esa1 mail_logs: ", "<22>Mar  5 10:00:02 relay "),
    ],
)
def test_rest_of_a_line_that_a_relay_has_split(header: str, its: str, rest: str) -> None:
    """A line without a log name, where headers of its form have one, is no event of any kind, in blocks and after a break too."""
    lines = [header.format(1) + "Info: ICID 5 close", header.format(2) + "Info: MID 1 Subject 'x" + "x" * 800]
    right = read_events([*lines, header.format(3) + "Info: ICID 6 close"])[0]
    forged = [*lines, its + rest, header.format(3) + "Info: ICID 6 close"]
    assert read_events(forged)[0] == right
    facts, counts = read_blocks([forged])
    assert as_sets(facts) == as_sets(read_blocks([[*lines, forged[-1]]])[0])
    assert (counts.lines, counts.ignored) == (4, 1)
    resumed_anywhere(forged)


LOGCLI = '2024-03-05T10:{:02}:{:02}Z {{host="esa1", job="syslog"}} '


@pytest.mark.parametrize("at", [0, 1, 5, 19])
@pytest.mark.parametrize("word", ["TLS ", "TLS  ", "mail_logs "])
def test_a_word_in_front_of_the_level_is_no_log(word: str, at: int) -> None:
    """Without a colon or the number of a process it says nothing: its line and all others of this form are events, however they are read."""
    log = [LOGCLI.format(number // 4, number % 4) + f"Info: ICID {number} close" for number in range(20)]
    log[at] = log[at].replace("Info:", f"{word}Info:")
    events = [
        {
            "time": f"2024-03-05T10:{number // 4:02}:{number % 4:02}Z",
            "esa_host": "esa1",
            "esa_level": "Info",
            "esa_event": "connection_closed",
            "esa_direction": "receiving",
            "icid": number,
            "close_reason": "close",
        }
        for number in range(20)
    ]
    assert read_events(log) == (events, Counts(20, 20))
    for cut in range(1, 20):
        assert events_in_blocks([log[:cut], log[cut:]]) == (events, Counts(20, 20))


@pytest.mark.parametrize("at", [*range(20)])
def test_a_log_name_that_comes_later(at: int) -> None:
    """From the first header with a log name on, those of its form without one may be the rest of a line: in blocks too."""
    log = [LOGCLI.format(number // 4, number % 4 * (number % 3)) + f"Info: ICID {number} close" for number in range(20)]
    log[at] = log[at].replace("Info:", "mail_logs: Info:")
    events, counts = read_events(log)
    assert [event["icid"] for event in events] == [*range(at + 1)]
    assert counts == Counts(20, at + 1, 19 - at)
    for cut in range(1, 20):
        assert events_in_blocks([log[:cut], log[cut:]]) == (events, counts)
        assert events_in_blocks([log[:1], log[1 : cut + 1], log[cut + 1 :]]) == (events, counts)


@pytest.mark.parametrize("bytes_let_through", [1024, 2048, 8192])
@pytest.mark.parametrize("letter", ["x", "\u00e4"])
@pytest.mark.parametrize("header", ["<22>Mar  5 10:00:0{} esa1 mail_logs: ", "Mar 15 10:00:0{} esa1 mail_logs: ", "2024-03-05T10:00:0{}Z esa1 mail_logs: "])
def test_log_name_exactly_behind_a_cut(header: str, letter: str, bytes_let_through: int, tmp_path: pathlib.Path) -> None:
    """A line behind one that a relay may have cut is no event where it may be its rest, though it has a log name; later ones and those of others are."""
    closing = header.format(2) + "Info: ICID 5 close"
    begins = header.format(2) + "Info: MID 1 Subject 'it''s "
    room = bytes_let_through - len(begins)
    cut = begins + letter * (room // len(letter.encode()))
    forged = header.format(2) + "Info: ICID 6 TLS success"
    other = header.format(2).replace("esa1", "esa2") + "Info: ICID 8 TLS success"

    def kept(*lines: str) -> list[int]:
        found = read_events([closing, *lines])[0]
        _, counts = read_blocks([[closing] * 3, lines])
        assert counts.lines == len(lines) + 3 == counts.events + counts.ignored
        for log in (lines, [json.dumps({"message": line}) for line in lines]):
            blocks_agree(log, len(log))
        sifted = Events()
        feed(BlockStream(sifted, clock()), ([closing] * 3, lines), sift=True)
        about_tls = [event["icid"] for event in found if event["esa_event"] in TLS_KINDS]
        assert [event["icid"] for event in sifted.found] == about_tls
        resumed_anywhere([closing, *lines])
        return about_tls

    assert kept(forged) == [6]
    assert kept(cut, forged) == kept(cut, forged.replace(":02", ":03")) == []
    assert kept(cut, other, forged) == [8]
    assert kept(cut, "rest of it'", forged) == [6]
    assert kept(cut, header.format(4) + "Info: ICID 6 TLS success") == [6]
    assert kept(cut[:-200], forged) == [6]
    path = tmp_path / "log"
    path.write_bytes("".join(f"{line}\n" for line in [closing, cut, forged] * 9).encode())
    starts, _ = cuts(Source(str(path)), 50, 1)  # of the parts for several processes
    assert len(starts) > 9
    assert not any(path.read_bytes().startswith(forged.encode(), start) for start in starts)


@pytest.mark.parametrize(
    ("begins", "forged"),
    [
        (["Tue Mar  5 10:00:02 2024 Info: "], " Tue Mar  5 10:00:02 2024 Info: "),
        (["<22>Mar  5 10:00:02 esa1 mail_logs: Info: "], "<22>Mar  5 10:00:02 esa1 Info: "),
        (["<22>Mar  5 10:00:02 esa1 mail_logs: Info: ", "2024-03-05T10:00:02Z esa1 mail_logs: Info: "], "2024-03-05T10:00:02Z esa1 Info: "),
    ],
)
def test_part_of_a_log(begins: list[str], forged: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the part for another process begins, its headers are read as those at the beginning of the log say."""
    monkeypatch.setattr("esatls.parallel.parts.LEAST_PART", 1)
    path = tmp_path / "log"
    log = [*(f"{begin}ICID 5 close" for begin in begins), *[f"{begins[0]}ICID 5 close", *[f"{forged}ICID 6 TLS success"] * 2] * 90]
    path.write_text("".join(f"{line}\n" for line in log))
    found = [Source(str(path))]
    told = []
    for jobs in (1, 30):
        events, counts = Events(frozenset(EVENT_KINDS)), Counts()
        options = Options(jobs=jobs, probes=probe_all(found, dated=False))
        for part in parts_of(found, options, None):
            assert [*read(part, events, options, pytest.fail, counts, lambda _: None)]
        told.append(counts)
        assert "tls_success" not in str(events.found)
    assert told[0] == told[1]


def test_a_consolidated_event_that_ends_with_its_own_field_is_not_cut() -> None:
    """However long it is, no stranger's text was cut in it, if its product escapes that; so the line behind it is what it says."""
    header = "<22>Mar  5 10:00:02 esa1 consolidated_event: "
    following = "<22>Mar  5 10:00:02 esa1 mail_logs: Info: ICID 6 TLS success"
    product = "CEF:0|Cisco|C100V Secure Email Gateway Virtual|{}|ESA_CONSOLIDATED_LOG_EVENT|Consolidated Log Event|5|ESAMID=7 ESAICID=5 "
    for version, start, end, is_read in (
        ("15.0.0-104", "duser=", " ESATLSInProtocol=TLSv1.2", True),
        ("13.0.0-252", "duser=", " ESATLSInProtocol=TLSv1.2", False),
        ("15.0.0-104", "msg='", " ESATLSInProtocol\\=TLSv1.2", False),
        ("15.0.0-104", "msg='", "xyz", False),
    ):
        record = header + product.format(version) + start
        record += "x" * (1000 - len(record) - len(end)) + end
        log = [following.replace(" 6 ", " 4 ")] * 3 + [record, following]
        events, counts = read_events(log)
        assert any(event.get("icid") == 6 for event in events) is is_read, record
        assert read_blocks([log])[1] == counts


@pytest.mark.parametrize(
    ("record", "rest"),
    [
        ({"host": "esa1", "programname": "mail_logs", "msg": " Info: ICID 6 close"}, {"host": "esa1", "msg": "Info: ICID 5 TLS success"}),
        ({"host": "esa1", "message": "mail_logs: Info: ICID 6 close"}, {"host": "esa1", "message": "ICID 5 TLS success"}),
        ({"host": "esa1", "message": "mail_logs: Info: ICID 6 close"}, {"host": "192.0.2.7", "message": "Info: ICID 5 TLS success"}),
        ({"_raw": "Mar  5 10:00:00 esa1 mail_logs: Info: ICID 6 close"}, {"_raw": "Start MID 9 ICID 5"}),
    ],
)
def test_rest_in_a_record(record: dict[str, Any], rest: dict[str, Any]) -> None:
    """A record whose line has no level or no log name, where others have one in the same field, states nothing."""
    lines = [json.dumps(record), json.dumps(rest), json.dumps(record)]
    assert [event["esa_event"] for event in read_events(lines)[0]] == ["connection_closed"] * 2
    facts, counts = read_blocks([lines])
    assert as_sets(facts) == as_sets(read_blocks([[lines[0]]])[0])
    assert (counts.lines, counts.events, counts.ignored) == (3, 2, 1)


@pytest.mark.parametrize("name", ["hostname", "timestamp", "tag", "level", "msg", "line"])
def test_fields_that_splunk_takes_from_a_text(name: str) -> None:
    """A field that Splunk takes from one line of an export changes neither that line nor those after it."""
    forged = {"timestamp": "2001-01-01T00:00:00Z", "level": "debug", "tag": "x"}.get(name, "Mar  5 10:00:00 esa2 mail_logs: Info: ICID 5 TLS success")
    texts = ["Info: Start MID 1 ICID 5", f"Info: MID 1 Subject '{name}={forged}'", "Info: Message finished MID 1 done"]
    lines = [{"_raw": text, "_time": "2024-03-05T10:00:00Z", "host": "esa1"} for text in texts]
    right = read_events([json.dumps(line) for line in lines])
    assert [event["esa_event"] for event in right[0]] == ["message_started", "message_identity", "message_finished"]
    lines[1][name] = forged
    assert read_events([json.dumps(line) for line in lines]) == right


def test_carriers_change_no_verdict() -> None:
    """Events that carry a stranger's words leave the verdicts of the connections and the message that the words name."""
    facts, _ = read_facts([*CLEAN[:6], *split([text for text in CARRIERS if not text.startswith("MID 1 ICID 5 From")]), *CLEAN[6:]])
    connections, messages = records(facts)
    verdicts = {record.get("icid", record.get("dcid")): record["tls_verdict"] for record in connections}
    assert verdicts[5] == "cleartext"
    assert verdicts[6] == "encrypted"
    (first,) = [record for record in messages if record["mid"] == 1]
    assert (first["received"], first["delivered"]) == ("cleartext", "encrypted")


CUT = "<22>Mar  5 10:00:02 esa1 mail_logs: Info: "


@pytest.mark.parametrize(
    "lines",
    [
        [CUT + "ICID 5 close", CUT + "MID 1 Subject '" + "x" * (1024 - 15 - len(CUT)), CUT + "ICID 6 TLS success", CUT + "ICID 7 TLS success"],
        [HEAD + "ICID 7 TLS success", f"12:{HEAD}ICID 6 TLS success", f"12:{HEAD}ICID 8 TLS success"],
        [f"> {HEAD}Message finished MID 1 done", f"{HEAD}Message finished MID 2 done", " mail_logs: Info: ICID 7 TLS success"],
    ],
)
def test_rest_of_a_line_before_a_break(lines: list[str]) -> None:
    """A reader that goes on behind a line that may have been cut, behind the one after it, or behind one with other text in front, knows it."""
    assert [event["icid"] for event in read_events(lines)[0] if event["esa_event"] in TLS_KINDS] == [7]
    resumed_anywhere(lines)
