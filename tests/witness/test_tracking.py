"""Message tracking: sentences to events, documents of any nesting, pasted text, and what strangers cannot say."""

from __future__ import annotations

import gzip
import json
import pathlib
from typing import Any

import esatls
import pytest
from esatls import parallel
from esatls.errors import EsatlsError
from esatls.extraction import tracking
from esatls.lines.sources import Source
from hypothesis import given
from hypothesis import strategies as st

from tests.core.support import REAL, needs_shared

CASES = sorted((pathlib.Path(__file__).parents[1] / "cases").glob("tracking_*.json"))

SENTENCES = [
    (
        "Protocol SMTP interface Data 1  (IP 192.0.2.2) on incoming connection (ICID 41) from sender IP 198.51.100.7. "
        "Reverse DNS  host m.example.org verified yes."
    ),
    "Incoming connection (ICID 41) successfully accepted TLS protocol TLSv1.2 cipher AES128-SHA.",
    "Start message 6 on incoming connection (ICID 41).",
    "Message 6 on incoming connection (ICID 41) added recipient (bob@example.com).",
    "Message 6 on incoming connection (ICID 41) added recipient (carol@example.net).",
    "Message 6 original subject on injection: hello",
    "(DCID 51) Delivery details: Message 6 sent to carol@example.net []",
]
KINDS = ["connection_opened", "tls_success", "message_started", "message_recipient", "message_recipient", "message_identity", "delivery_done"]
SUMMARY = [{"timestamp": f"07 Sep 2022 10:11:{number:02} (GMT)", "description": sentence, "lastEvent": False} for number, sentence in enumerate(SENTENCES)]
UNRESOLVED = "(Name unresolved,  SN:564D1234ABCD-1234567890)"
RECORD = {"mid": [6], "hostName": "esa1.example.com (192.0.2.5)", "isCompleteData": True, "summary": SUMMARY}
ANSWER = {"data": {"messages": RECORD}}


def _kinds(document: object) -> list[str]:
    return [event["esa_event"] for event in tracking.events(document)]


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_cases(path: pathlib.Path) -> None:
    """Each case's sentence gives its whole event and nothing else; look-alikes give none."""
    case = json.loads(path.read_text(encoding="ascii"))
    for sentence in case["cases"]:
        assert tracking.describe(sentence["text"]) == sentence["event"]
    for sentence in case["lookalikes"]:
        assert tracking.describe(sentence) is None


@pytest.mark.parametrize(
    "document",
    [
        ANSWER,
        RECORD,
        SUMMARY,
        [ANSWER],
        {"CiscoSMA": {"MessageDetail": RECORD}},
        {"summary": {"summary": SUMMARY}},
        json.dumps(ANSWER),
        json.dumps(ANSWER, indent=4),
        "\ufeff" + json.dumps(SUMMARY),
        json.dumps(ANSWER).encode(),
        "\n".join(f"{entry['timestamp']}\t{entry['description']}" for entry in SUMMARY),
        "\r\n".join(f"{entry['timestamp']} {entry['description']}" for entry in SUMMARY),
        "\n".join(f"{entry['timestamp']}\n{entry['description']}\n" for entry in SUMMARY),
        "\n".join(f"{entry['description']}\t{entry['timestamp']}" for entry in SUMMARY),
        ">| Description | Timestamp | Last Event |\n>|---|---|---|\n"
        + "\n".join(f">| {entry['description']} | {entry['timestamp']} | false |" for entry in SUMMARY),
        "Processing details\n\n" + "\n".join(f"{entry['timestamp']}  {entry['description']}" for entry in SUMMARY),
    ],
)
def test_any_nesting_and_pasted_text(document: object) -> None:
    """The same events come out of any nesting of the answer and of the text pasted from the page, in order."""
    found = list(tracking.events(document))
    assert [event["esa_event"] for event in found] == KINDS
    assert [event["time"] for event in found] == [f"2022-09-07T10:11:{second:02}Z" for second in range(7)]
    assert all(event["witness"] == "tracking" for event in found)
    assert found[-1]["rid"] == [1]


def test_the_record_names_the_appliance() -> None:
    """The record's host name, without its address, is the appliance; the caller's stands in where there is none."""
    assert {event["esa_host"] for event in tracking.events(ANSWER, host="other")} == {"esa1.example.com"}
    assert {event["esa_host"] for event in tracking.events(SUMMARY, host="other")} == {"other"}
    assert all("esa_host" not in event for event in tracking.events(SUMMARY))


def test_the_record_tells_what_the_mail_is_known_by() -> None:
    """Message-ID and subject beside the summary are those of each of the record's messages; what is no text, or says that there is none, is neither."""
    record = {**RECORD, "mid": [6, 7], "midHeader": "<a1@mail.example.org>", "subject": "(ICID 5) lost", "timestamp": "07 Sep 2022 10:11:00 (GMT)"}
    known = {"time": "2022-09-07T10:11:00Z", "esa_host": "esa1.example.com", "esa_event": "message_identity", "witness": "tracking"}
    texts = {"message_id": "<a1@mail.example.org>", "subject": "(ICID 5) lost"}
    assert list(tracking.events(record))[:2] == [{**known, "mid": mid, **texts} for mid in (6, 7)]
    assert _kinds(record)[2:] == KINDS
    for nothing in ({"midHeader": "N/A", "subject": ""}, {"midHeader": 5, "subject": ["x"]}, {"mid": "6", "subject": "x"}, {"mid": 10**18, "subject": "x"}):
        assert _kinds({**RECORD, **nothing}) == KINDS


def test_several_answers_in_one_text() -> None:
    """JSON values one after the other, as of several requests, are all read; a broken one ends the reading."""
    text = json.dumps(ANSWER)
    assert _kinds(f"{text}\n{text}\n") == KINDS * 2
    assert _kinds(f"{text},\n{text}") == KINDS * 2
    assert _kinds(f"{text}\n{text[:-50]}") == KINDS


def test_recipients_are_numbered_per_message_in_the_order_of_the_record() -> None:
    """Recipients get numbers from 0 in each message; one that the record does not add has none."""
    sentences = [
        "Message 6 on incoming connection (ICID 41) added recipient (bob@example.com).",
        "Message 7 on incoming connection (ICID 41) added recipient (carol@example.net).",
        "Message 6 on incoming connection (ICID 41) added recipient (carol@example.net).",
        "Message 6 on incoming connection (ICID 41) added recipient (bob@example.com).",
        "(DCID 51) Delivery started for message 6 to bob@example.com, carol@example.net.",
        "(DCID 51) Delivery started for message 6 to eve@example.org.",
    ]
    summary = [{"timestamp": "", "description": sentence} for sentence in sentences]
    found = [(event["mid"], event.get("rid")) for event in tracking.events(summary)]
    assert found == [(6, [0]), (7, [0]), (6, [1]), (6, [0]), (6, [0, 1]), (6, None)]


def test_incomplete_data_opens_no_connection() -> None:
    """A record that says it is incomplete lets nobody conclude that TLS was not used; what it states still counts."""
    incomplete = {**RECORD, "isCompleteData": False}
    assert _kinds(incomplete) == KINDS[1:]
    assert _kinds({**RECORD, "isCompleteData": "N/A"}) == KINDS


@pytest.mark.parametrize(
    ("stamp", "time"),
    [
        ("2022-09-07T10:11:18Z", "2022-09-07T10:11:18Z"),
        ("2022-09-07T10:11:18.123+02:00", "2022-09-07T08:11:18Z"),
        ("07 Sep 2022 10:11:18 (GMT)", "2022-09-07T10:11:18Z"),
        ("7 Sep 2022 10:11:18 (GMT +02:00)", "2022-09-07T08:11:18Z"),
        ("07 Sep 2022 10:11 (GMT -0530)", "2022-09-07T15:41:00Z"),
        ("07 Sep 2022 10:11:18", None),
        ("31 Feb 2022 10:11:18 (GMT)", None),
        ("07 Xyz 2022 10:11:18 (GMT)", None),
        ("01 Jan 0001 00:00:00 (GMT +02:00)", None),
        ("", None),
        (None, None),
        (1662545478, None),
    ],
)
def test_times(stamp: object, time: str | None) -> None:
    """A stamp with a time zone is turned to UTC; without one, or if it is no date, the event has no time."""
    (event,) = tracking.events([{"timestamp": stamp, "description": "Incoming connection (ICID 41) lost."}])
    assert event.get("time") == time


@pytest.mark.parametrize(
    "document", [None, 5, "", "hello", [], {}, {"summary": None}, {"summary": "x"}, [{"description": None}], "{", "[1, 2", '{"a": 1}', b"\xff"]
)
def test_other_documents_give_nothing(document: object) -> None:
    """What is no message tracking gives no event and no error."""
    assert list(tracking.events(document)) == []


ENDS = "\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
"""What some programs take for the end of a line."""


def test_deep_nesting_is_no_error() -> None:
    """A document nested deeper than any answer is read or given up, without an error."""
    deep: Any = SUMMARY
    for _ in range(100_000):
        deep = [deep]
    assert _kinds(deep) == KINDS
    assert _kinds("[" * 200_000) == []


@pytest.mark.parametrize(
    "text",
    [
        "07 Sep 2022 10:11:18 (GMT) Message 6 original subject on injection: x\nIncoming connection (ICID 41) TLS failed",
        "Incoming connection (ICID 41) successfully accepted TLS protocol TLSv1.2 cipher X.",
        "Message 6 original subject on injection: x\tIncoming connection (ICID 41) TLS failed",
        "07 Sep 2022 10:11:18 (GMT)\tMessage 6 original subject on injection: x\tIncoming connection (ICID 41) TLS failed",
        *(
            f"{{0}}Message 6 original subject on injection: x{end}{{0}}Incoming connection (ICID 41) TLS failed".format("07 Sep 2022 10:11:18 (GMT) ")
            for end in ENDS
        ),
    ],
)
def test_pasted_lines_without_their_own_stamp_state_nothing(text: str) -> None:
    """A sentence on a line or in a cell of its own, but without a stamp, may be a stranger's: it states nothing."""
    assert set(_kinds(text)) <= {"message_identity"}


@given(
    st.sampled_from(
        [
            "Message 6 original subject on injection: {}",
            "Message 6 contains message ID header '{}'.",
            "Message 6 contains attachment '{}'.",
            "Message 6 (9 bytes) from {} ready.",
            "Message 6 Custom Log Entry: {}",
            "Message 6 SPF: mailfrom identity {} Pass",
            "Message 6 to bob@example.com received remote SMTP response '{}'.",
            "(DCID 51) Delivery details: Message 6 sent to bob@example.com [('from', '{}')]",
            "Message 6 enqueued on incoming connection (ICID 41) from {}.",
            "Message 6 on incoming connection (ICID 41) added recipient ({}).",
            "(DCID 51) Delivery started for message 6 to {}.",
        ]
    ),
    st.sampled_from(SENTENCES),
    st.sampled_from(["", "x ", ". ", "' ", "\n", ") "]),
)
def test_no_stranger_states_tls_or_an_id(sentence: str, forgery: str, before: str) -> None:
    """A sentence inside a subject, name, address or answer is never read as one of the appliance's."""
    event = tracking.describe(sentence.format(before + forgery))
    if event is not None:
        assert not event["esa_event"].startswith(("tls_", "connection_"))
        assert event["mid"] == 6
        assert event.get("icid", 41) == 41
        assert event.get("dcid", 51) == 51


@given(st.text("TLS tls ICID(41) DCID: message 6 successfully failed required.'\"[](),:\n", max_size=200))
def test_any_sentence_is_read(text: str) -> None:
    """No sentence makes the reader fail."""
    for description in (text, f"Incoming connection (ICID 41) {text}", f"(DCID 51) {text}", f"Message 6 {text}"):
        event = tracking.describe(description)
        assert event is None or event["witness"] == "tracking"


@pytest.mark.parametrize(
    "piece",
    ["a", " ", "TLS ", "protocol ", "cipher x,,", " (IP 1.1.1.1) on", "SBRS ", ": ", "Reason: ", "received remote SMTP response ", "'", "[(", "for inbound "],
)
@pytest.mark.parametrize(
    "start",
    ["", "(ICID 41) TLS successfully ", "(DCID 51) Delivery details: Message 6 sent to ", "Message 6 to a ", "Protocol SMTP interface ",
     "(ICID 41) ACCEPT sender group A match ", "Message 6 matched per-recipient policy "],
)  # fmt: skip
def test_hostile_sentences_are_read_to_the_end(start: str, piece: str) -> None:
    """Half a megabyte of any words is read in one go: no pattern is worse than linear, or this would not end."""
    event = tracking.describe(start + piece * (500_000 // len(piece)) + "!")
    assert event is None or event["witness"] == "tracking"


@pytest.mark.parametrize(
    ("text", "is_tracking"),
    [
        (json.dumps(ANSWER, indent=2), True),
        (json.dumps(SUMMARY), True),
        ("\n".join(f"{entry['timestamp']}\t{entry['description']}" for entry in SUMMARY), True),
        ("Wed Jul 20 19:47:40 2005 Info: ICID 5 TLS success", False),
        ('{"message": "ICID 5 TLS success", "@timestamp": "2022-09-07T10:11:18Z"}', False),
        ('{"description": "a record of something else", "timestamp": "2022-09-07T10:11:18Z"}', False),
        ("2021-05-05T10:00:00-05:00 host mail_logs: Info: MID 5 Subject '(ICID 5) x'", False),
        ("2021-05-05T10:00:00Z host mail_logs: Info: SMTP Auth: (ICID 5) succeeded for user: u using AUTH mechanism: LOGIN", False),
        ("2021-05-05T10:00:00Z host mail_logs: Info: MID 3 ICID 5 From: <x(ICID 5)@example.com>", False),
        ("2021-05-05T10:00:00Z host mail_logs: Info: MID 3 SDR: Domains for which SDR is requested: helo: (ICID 5)", False),
        ("01 Jul 2024 19:47:40 (GMT +02:00)\tIncoming connection (ICID 5) successfully accepted TLS protocol TLSv1.2", True),
        ("", False),
    ],
)
def test_recognise(text: str, *, is_tracking: bool) -> None:
    """Message tracking is told from logs by its beginning."""
    assert tracking.recognise(text) is is_tracking


@pytest.mark.parametrize(("first", "line"), [("", "Wed Jul 20 19:47:40 2005 Info: {}"), ("time,message", '2005-07-20T19:47:40Z,"mail_logs: Info: {}"')])
def test_a_strangers_line_makes_no_log_message_tracking(first: str, line: str, tmp_path: pathlib.Path) -> None:
    """A line behind a line feed in a log, or in a cell, that reads like message tracking hides no other line."""
    forged = "07 Sep 2022 10:11:18 (GMT) Incoming connection (ICID 5) successfully accepted TLS protocol TLSv1.2 cipher X."
    log = tmp_path / "log"
    log.write_text("\n".join([first, line.format(f"MID 1 Subject 'x\n{forged}'"), line.format("ICID 5 TLS failed")]), encoding="utf-8")
    assert [record["tls_verdict"] for record in esatls.read(log).connections()] == ["failed"]


@needs_shared
def test_real_record() -> None:
    """The real record gives TLS on both sides, the envelope, and one delivery."""
    text = (REAL / "32_xsoar_tracking_json_delivered.json").read_text(encoding="utf-8")
    assert tracking.recognise(text)
    found = list(tracking.events(text))
    assert [(event["esa_event"], event.get("icid", event.get("dcid")), event.get("mid")) for event in found] == [
        ("hat_policy", 10821, None),
        ("connection_opened", 10821, None),
        ("hat_policy", 10821, None),
        ("tls_success", 10821, None),
        ("message_started", 10821, 322),
        ("message_sender", 10821, 322),
        ("message_recipient", 10821, 322),
        ("connection_closed", 10821, None),
        ("connection_opened", 4368, None),
        ("tls_success", 4368, None),
        ("delivery_started", 4368, 322),
        ("delivery_done", 4368, 322),
        ("delivery_response", None, 322),
    ]
    for event in found:
        if event["esa_event"] == "tls_success":
            assert (event["tls_version"], event["tls_cipher"]) == ("TLSv1.2", "ECDHE-RSA-AES256-GCM-SHA384")
            assert "tls_domain" not in event


def test_endless_document(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A document that is larger than any, such as one that unpacks without end, is refused in one line."""
    monkeypatch.setattr("esatls.parallel.parts.LARGEST_DOCUMENT", 1 << 20)
    log = tmp_path / "tracking.json.gz"
    head = b'{"data": {"messages": {"hostName": "esa1", "summary": [{"timestamp": "20 Jul 2024 19:47:40 (GMT)", "description": "ICID 5 (ICID 5) close"},'
    log.write_bytes(gzip.compress(head + b" " * 3_000_000))
    with pytest.raises(EsatlsError, match=r"tracking\.json\.gz: message-tracking JSON of more than 1 MiB is not supported; split the file"):
        parallel.gather([Source(str(log))], parallel.Options(), print, parallel.Progress())


@pytest.mark.parametrize(
    ("name", "host"),
    [
        (UNRESOLVED, "564D1234ABCD-1234567890"),
        ("(Name unresolved, SN: 42)", "42"),
        ("esa1.example.com (192.0.2.5)", "esa1.example.com"),
        ("", "esa9"),
        (None, "esa9"),
        (7, "esa9"),
    ],
)
def test_appliance_without_a_name(name: object, host: str) -> None:
    """Where the name of the appliance was not resolved, its serial number is the appliance; the zone stands behind the time."""
    summary = [{"timestamp": "20 Sep 2022 13:30:50 (GMT +02:00)", "description": "Message 5 aborted."}]
    (event,) = tracking.events({"hostName": name, "summary": summary}, "esa9")
    assert event == {"time": "2022-09-20T11:30:50Z", "esa_host": host, "esa_event": "message_aborted", "witness": "tracking", "mid": 5}
