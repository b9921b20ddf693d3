"""Lines of a log: wrapped ones joined, none forged, every one counted, block by block or line by line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from esatls.extraction import event_stream
from esatls.extraction.blocks import BlockStream
from esatls.extraction.match import extract
from esatls.extraction.stream import Counts
from esatls.extraction.unknown_lines import UnknownLines
from esatls.extraction.wrapped import LONGEST_WRAP
from esatls.lines.envelope import starts_anew
from esatls.verdicts.facts import Facts
from hypothesis import example, given
from hypothesis import strategies as st

from tests.core.support import all_cases, as_sets, blocks_agree, clock, cut, feed, read_blocks, read_events, read_facts

if TYPE_CHECKING:
    import random

STAMP = "Wed Jul 20 19:47:40 2005 Info: "
AT = {"time": "2005-07-20T19:47:40Z", "esa_level": "Info"}


def events_of(text: str) -> list[dict[str, Any]]:
    """Return the events of a log without what its envelope says."""
    return [{name: value for name, value in event.items() if name not in AT} for event in read_events(text.split("\n"))[0]]


# wrapped lines are joined


def test_wrap_at_a_word() -> None:
    """A line that a document wraps at a word is one line again."""
    events, counts = read_events(
        [STAMP + "New smtp ICID 5 interface Management", "(192.0.2.1) address 198.51.100.7 reverse dns host unknown verified no", STAMP + "ICID 5 TLS success"]
    )
    assert events == [
        {
            **AT,
            "esa_event": "connection_opened",
            "esa_direction": "receiving",
            "icid": 5,
            "interface": "Management",
            "interface_ip": "192.0.2.1",
            "peer_ip": "198.51.100.7",
        },
        {**AT, "esa_event": "tls_success", "esa_direction": "receiving", "tls_result": "success", "icid": 5},
    ]
    assert (counts.lines, counts.events, counts.ignored, counts.unreadable) == (3, 3, 0, 0)


def test_wrap_within_a_word_with_blank_lines() -> None:
    """A line that a page wraps at a column, within a word and with a blank line between, is one line again."""
    events, counts = read_events(
        [
            STAMP + "New SMTP ICID 5 interface Data 1 (192.0.2.1) address 198.51.100.7 reverse dns host mx1.exa",
            "",
            "mple.net verified yes",
            "",
            STAMP + "DCID 30 TLS success protocol TLSv1.2 cipher ECDHE-RSA-AES25",
            "",
            "6-SHA384",
            "",
            STAMP + "DCID 30 close",
        ]
    )
    assert [event.get("peer_host", event.get("tls_cipher")) for event in events] == ["mx1.example.net", "ECDHE-RSA-AES256-SHA384", None]
    assert counts.lines == counts.events + counts.ignored == 9


@pytest.mark.parametrize(
    ("first", "rest"),
    [
        ("ICID 5 TLS success protocol TLSv1", ".2 cipher AES128-SHA"),
        ("ICID 5 TLS success proto", "col TLSv1.2 cipher AES128-SHA"),
        ("New SMTP ICID 5 interface Data 1 (192.0.2.1) address 198.51.100.2", "1 reverse dns host mx.example.net verified yes"),
        ("New SMTP ICID 5 interface Data 1 (192.0.2.1) address 198.51.100.21 reverse dns host mx.exa", "mple.net verified yes"),
        ("New SMTP DCID 5 interface 192.0.2.1 address 203.0.113.2", "5 port 25"),
        ("MID 7 ICID 5 From: <ann@exam", "ple.net>"),
        ("MID 7 ICID 5 RID 0 To: <", "bob@example.com>"),
        ("MID 1", "7 ICID 5 From: <ann@example.net>"),
    ],
)
def test_wrap_within_a_word(first: str, rest: str) -> None:
    """A terminal wraps at a column: a word that was cut is whole again where the other reading would lose what stands behind it."""
    events, counts = read_events([STAMP + first, rest, STAMP + "x"])
    assert events == [{**AT, **(extract(first + rest) or {})}]
    assert (counts.lines, counts.events, counts.ignored) == (3, 2, 1)


HARVEST = "Dropping connection due to potential Directory Harvest Attack from host=('198.51.100.7', None), sender=a@example.net, rcpt=b@example.com ICID 1"
WIDE = "New SMTP DCID 5 interface 2001:db8:1234:5678:9abc:def0:1234:5678 address 2001:db8::1 port 2"


@pytest.mark.parametrize(
    ("lines", "last"),
    [
        (["Start MID 14 ICID 5", "", "7"], ("icid", 5)),
        (["Start MID 14 ICID 5", "7"], ("icid", 5)),
        ([WIDE, "5"], ("peer_port", 2)),
        ([WIDE, "", "5"], ("peer_port", 25)),
        ([HARVEST, "5"], ("icid", 1)),
        ([HARVEST, "", "5"], ("icid", 15)),
    ],
)
def test_line_number_behind_an_event(lines: list[str], last: tuple[str, int]) -> None:
    """A number on a line of its own belongs to a whole event only where a page wraps at a column, with blank lines between, and the line is as wide."""
    (event,) = read_events([STAMP + lines[0], *lines[1:], STAMP + "x"])[0]
    assert dict(event)[last[0]] == last[1]


@pytest.mark.parametrize("text", ["ICID 5 TLS success", "DCID 5 TLS success"])
@pytest.mark.parametrize("rest", ['{"n": 1}', "what ever", "x"])
def test_line_of_another_program_behind_a_tls_line(text: str, rest: str) -> None:
    """Published words stay what they are: with the next line they would be words that nobody published."""
    events, counts = read_events([STAMP + text, rest, rest, STAMP + "x"])
    assert events == [{**AT, **(extract(text) or {})}]
    assert (counts.events, counts.ignored) == (1, 3)


@pytest.mark.parametrize("rid", ["", "RID 1 "])
@pytest.mark.parametrize("rest", ["Rejected by RAT", "Rejected by LDAPACCEPT", " Rejected by receiving control"])
def test_refusal_on_the_next_line(rid: str, rest: str) -> None:
    """A recipient whose refusal was wrapped to the next line is none; the one before it is."""
    accepted = STAMP + "MID 14 ICID 5 RID 0 To: <ann@example.com>"
    refused = STAMP + f"MID 14 ICID 5 {rid}To: <bob@example.com>"
    assert [event["recipient"] for event in read_events([accepted, refused, rest, STAMP + "x"])[0]] == ["ann@example.com"]


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{file['file'][:-5]}-{i}") for file in all_cases() for i, case in enumerate(file["cases"])])
def test_wrap_at_any_word(case: dict[str, Any]) -> None:
    """Every kind of line may be wrapped at every word, and the rest indented: it is the same event, and no other."""
    text = case["text"].rstrip()
    # between two spaces one of them is lost, and the text another
    for seam in [i for i, char in enumerate(text) if char == " " and "  " not in text[i - 1 : i + 2]]:
        word, space = text[:seam], text[: seam + 1]
        for first, rest in ((word, text[seam + 1 :]), (space, text[seam + 1 :]), (word, text[seam:]), (space, "\t     " + text[seam:])):
            if rest.isdigit() and extract(first.rstrip()) is not None:
                continue  # a number after a whole event is a document's line number
            events, counts = read_events([STAMP + first, rest, STAMP + "x"])
            if starts_anew(rest.lstrip()):
                # a stamp and words: another line, whoever wrote it; nothing is stated by it
                assert {event["esa_event"] for event in events} <= {case["event"]["esa_event"]}
                continue
            assert events == [{**AT, **case["event"]}], (first, rest)
            assert (counts.lines, counts.events, counts.ignored) == (3, 2, 1)


def test_wrap_over_many_lines() -> None:
    """A record of the bounce log may stand on many lines."""
    text = (
        STAMP
        + "Bounced: 14:0 \nFrom:<alice@example.net> To:<bob@example.org>\n"
        + "Reason: \"5.1.0 - Unknown \naddress error\" Response: \"('550', \n['no such account.'])\"\n"
    )
    assert events_of(text + STAMP + "x") == [
        {
            "esa_event": "delivery_bounced", "esa_direction": "delivery", "delivery_outcome": "bounced", "mid": 14, "rid": [0],
            "sender": "alice@example.net", "recipient": "bob@example.org",
            "delivery_response": "Reason: \"5.1.0 - Unknown address error\" Response: \"('550', ['no such account.'])\"",
        }
    ]  # fmt: skip


def test_line_numbers_of_documents_are_no_text() -> None:
    """Line numbers that a document puts on their own lines are passed over."""
    events, counts = read_events(["1", STAMP + "ICID 5 TLS success", "2", STAMP + "ICID 5 close", "3"])
    assert [event["esa_event"] for event in events] == ["tls_success", "connection_closed"]
    assert (counts.lines, counts.events, counts.ignored) == (5, 2, 3)


@pytest.mark.parametrize(
    ("odd", "plain"),
    [
        ("\ufeff{}", "{}"),
        ("\xa0\xa0{}", "  {}"),
        ("\x1b[32m{}\x1b[0m", "{}"),
        ("\x1b[35m\x1b[Kmail.current\x1b[m\x1b[K\x1b[36m\x1b[K:\x1b[m\x1b[K{}", "mail.current:{}"),
        ('\ufeff{{"message": "{}"}}', '{{"message": "{}"}}'),
    ],
)
def test_marks_of_files_and_colors(odd: str, plain: str) -> None:
    """The mark at the start of a file, where files were joined, and the colors of a terminal are no part of a line, in blocks too."""
    texts = [f"{STAMP}MID {mid} ICID 5 From: <alice@example.com>" for mid in range(21)]
    lines = [form.format(text) for form, text in zip([plain, plain, odd, odd, plain, odd, plain] * 3, texts)]
    right, counts = read_events([plain.format(text) for text in texts])
    assert (len(right), counts.events) == (21, 21)
    assert read_events(lines) == (right, counts)
    blocks_agree(lines, 1, 2, 5, 21)


def test_colors_within_a_line() -> None:
    """What grep marks in a text, or in a header, is read as if it were not marked."""
    line = "Tue Mar  5 10:00:00 2024 Info: ICID 5 TLS success protocol TLSv1.2"
    for words in ("ICID 5", "TLS success", "Mar  5", "Info", "TLSv1.2"):
        assert events_of(line.replace(words, f"\x1b[01;31m\x1b[K{words}\x1b[m\x1b[K")) == events_of(line)


def test_spaces_that_do_not_break() -> None:
    """Pages and mail programs write them for spaces: in a header, or everywhere. In a text alone they stay."""
    line = "Tue Mar  5 10:00:00 2024 Info: MID 1 Subject 'a b'"
    right = events_of(line)
    assert [event["subject"] for event in right] == ["a b"]
    for copied in (line.replace("  ", " \xa0"), line.replace("  ", "\xa0 "), line.replace(" ", "\xa0")):
        assert events_of(copied) == right
        assert events_of(line + "\n" + copied) == right * 2
    assert [event["subject"] for event in events_of(line.replace("a b", "a\xa0b"))] == ["a\xa0b"]


def test_carriage_returns() -> None:
    """Line ends of another system are no part of the text."""
    assert events_of(STAMP + "ICID 5 TLS failed\r\n" + STAMP + "ICID 5 close\r") == [
        {"esa_event": "tls_failed", "esa_direction": "receiving", "tls_result": "failed", "icid": 5},
        {"esa_event": "connection_closed", "esa_direction": "receiving", "icid": 5, "close_reason": "close"},
    ]


# nothing is forged


@pytest.mark.parametrize(
    "rest",
    [
        "ICID 6 TLS success",
        "Info: ICID 6 TLS success",
        "mail_logs: Info: ICID 6 TLS success",
        "esa1 mail_logs: Info: ICID 6 TLS success",
        "x Info: ICID 6 TLS success",
    ],
)
@pytest.mark.parametrize(
    "first",
    [
        "MID 14 Subject 'hello",
        "MID 14 attachment 'a",
        "Message done DCID 31 MID 14 to RID [0] [('subject', 'hello",
        "MID 14 RID [0] Response 'ok",
        "MID 14 ICID 5 From: <a",
        "MID 14 Custom Log Entry: x",
        "MID 14 ICID 5 From: <a@example.net>",
        "MID 14 ICID 5 RID 0 To: <b@example.com>",
        "MID 14 RID [0] Response 'ok'",
        "Message done DCID 31 MID 14 to RID [0] [('subject', 'hello')]",
        "Message aborted MID 14 Dropped by filter 'x'",
        "Bounced: DCID 31 MID 14 to RID 0 - 5.1.0 - x",
        "DCID 31 TLS failed: (336134278, 'error:x",
        "DCID 31 close (x",
        'MID 14 quarantined to "Policy" (x',
        "MID 15 was generated based on MID 14 by bcc filter 'x",
    ],
)
def test_rest_of_a_line_is_no_event(first: str, rest: str) -> None:
    """What a stranger puts after a line feed in his text is not an event, whatever it looks like."""
    kinds = {event["esa_event"] for event in read_events([STAMP + first, rest, STAMP + "ICID 5 close"])[0]}
    assert "tls_success" not in kinds
    assert "connection_closed" in kinds


def test_rest_of_a_line_stays_no_event_over_many_lines() -> None:
    """A text of more lines than any wrapped one is dropped whole, up to the next stamp."""
    lines = [STAMP + "MID 14 Subject 'hello", *["x"] * (LONGEST_WRAP + 5), "ICID 6 TLS success", STAMP + "ICID 5 close"]
    events, counts = read_events(lines)
    assert [event["esa_event"] for event in events if event["esa_event"] != "message_identity"] == ["connection_closed"]
    assert counts.lines == len(lines) == counts.events + counts.ignored


def test_blank_line_in_a_text_ends_nothing() -> None:
    """A blank line in a stranger's text does not make an event of what follows."""
    events, _ = read_events([STAMP + "MID 14 Subject 'hello", "", "ICID 6 TLS success", "", STAMP + "ICID 5 close"])
    assert [event["esa_event"] for event in events if event["esa_event"] != "message_identity"] == ["connection_closed"]


def test_two_halves_of_two_lines_are_no_event() -> None:
    """The end of one text and the start of another are never joined over a stamp or a record."""
    assert read_events([STAMP + "ICID 5", STAMP + "TLS success", STAMP + "DCID 6 TLS", STAMP + "failed: x"])[0] == []
    assert read_events([STAMP + "ICID 5", "2024-03-05T10:00:00Z\ttag\t" + json.dumps({"message": "x"}), "TLS success"])[0] == []


def test_continuation_never_changes_the_id() -> None:
    """A line is joined from its own start: what follows may complete it, and not replace it."""
    events, _ = read_events([STAMP + "DCID 31 TLS failed: STARTTLS unexpected response", "ICID 6 TLS", STAMP + "x"])
    assert [(event["esa_event"], event.get("dcid"), event.get("icid")) for event in events] == [("tls_failed", 31, None)]


def test_first_line_cut_at_the_left_is_no_start() -> None:
    """The rest of a line at the start of a file belongs to nothing."""
    events, counts = read_events(["8 TLS success protocol TLSv1 cipher RC4-SHA", STAMP + "ICID 5 close"])
    assert [event["esa_event"] for event in events] == ["connection_closed"]
    assert (counts.lines, counts.events, counts.ignored) == (2, 1, 1)


def test_bare_lines_alone_are_a_log() -> None:
    """Lines without any envelope are events as long as no line of the log has one."""
    assert [event["esa_event"] for event in read_events(["ICID 5 TLS success", "DCID 6 TLS failed: x", "nothing"])[0]] == ["tls_success", "tls_failed"]


def test_bare_line_after_a_whole_one_stands_alone() -> None:
    """Vendor comments put bare lines among stamped ones: after a line that is complete they count."""
    lines = [
        STAMP + "DCID 33 TLS success CN: <mx.example.net>",
        "Info: ICID 5 TLS success",
        "DCID 34 TLS failed: STARTTLS unexpected response",
        "DCID 8 IP 203.0.113.1 TLS was required but could not be successfully negotiated",
    ]
    assert [event["esa_event"] for event in read_events(lines)[0]] == ["tls_success", "tls_success", "tls_failed", "tls_required"]


# lines of other programs

FOREIGN = ["<30>Jan 21 12:47:12 fw1 sshd[5]: ", "Jan 21 12:47:12 fw1 sshd[5]: ", "2021-05-05T10:00:01Z fw1 kernel: ", "2021-05-05T10:00:01.1+02:00 fw1 ", "<6>"]
FOREIGN += ["192.0.2.9 <30>Jan 21 12:47:12 fw1 sshd[5]: ", "<30>1 2024-03-05T10:00:00Z fw1 sshd 5 - - "]


@pytest.mark.parametrize("envelope", FOREIGN)
def test_line_of_another_program_ends_a_line(envelope: str) -> None:
    """A line with a priority or a stamp of its own is no rest of the line before, and what follows it is its own rest."""
    texts = ["MID 3 ICID 5 From: <a@example.net>", "DCID 9 TLS failed: x", "Message done DCID 9 MID 3 to RID [0]", "Message aborted MID 3 Dropped by x"]
    lines = [line for text in texts for line in (STAMP + text, envelope + "DROP IN=eth0", "ICID 6 TLS success")]
    events, counts = read_events(lines)
    assert events == read_events([STAMP + text for text in texts])[0]
    assert (counts.lines, counts.events, counts.ignored) == (12, 4, 8)


def test_stamp_at_the_end_of_a_text_may_be_wrapped() -> None:
    """A stamp with nothing behind it is the end of a wrapped line, and no line of another program."""
    (event,) = events_of(STAMP + "Message 14 to RID [0] pending till Mon\nAug 10 09:56:56 2020\n" + STAMP + "x")
    assert event["delivery_response"] == "pending till Mon Aug 10 09:56:56 2020"


def test_rest_that_fits_nothing_is_left_out() -> None:
    """A line that says enough stands, also where what follows without a stamp is not its rest."""
    events, counts = read_events([STAMP + "Message done DCID 9 MID 3 to RID [0]", "kernel: DROP IN=eth0", "kernel: DROP IN=eth1", STAMP + "x"])
    assert [event["esa_event"] for event in events] == ["delivery_done"]
    assert (counts.lines, counts.events, counts.ignored) == (4, 1, 3)


# counts


def test_unprintable_lines_are_counted() -> None:
    """A line that is no text is unreadable; an event in the line after it is found."""
    events, counts = read_events(["\0\0\0", "\udcff\udcfe", STAMP + "MID 1 \0", STAMP + "ICID 5 close"])
    assert [event["esa_event"] for event in events] == ["connection_closed"]
    assert (counts.lines, counts.events, counts.ignored, counts.unreadable) == (4, 1, 0, 3)


def test_unreadable_line_ends_a_wrapped_one() -> None:
    """What stands behind bytes that are no text is not joined with what stands in front of them."""
    lines = [STAMP + "RPC Delivery start RCID 1 MID 4 to local IronPort", "Spam\udc93", "Quarantine", STAMP + "ICID 5 close"]
    events, counts = read_events(lines)
    assert [(event["esa_event"], event.get("quarantine")) for event in events] == [("message_quarantined", "IronPort"), ("connection_closed", None)]
    assert (counts.lines, counts.events, counts.ignored, counts.unreadable) == (4, 2, 1, 1)


PIECES = st.sampled_from(
    [
        "ICID 5 TLS success", "ICID 5", "TLS success protocol TLSv1.2 cipher AES128-SHA", "DCID 6 TLS failed: x", "MID 1 Subject '", "'",
        "[('a', 'b')]",
        "Message done DCID 6 MID 1 to RID [0", ", 1]", "", "7", "{",
        '{"_raw": "ICID 9 TLS success"}', '{"message": "Info: MID 1\\nICID 5 TLS failed"}', "\0", "\udcff", "\r",
        "Time offset from UTC: -3600 seconds", "CEF:0|Cisco|C|15.0|ESA_CONSOLIDATED_LOG_EVENT|x|5|ESAMID=1 ESAICID=5",
        "Start MID 1 ICID 5", "MID", "1 ICID 5 From: <a@b>",
    ]
)  # fmt: skip
ENVELOPES = st.sampled_from(
    [
        "",
        "Info: ",
        STAMP,
        "Wed Jul 20 19:47:41 2005 Info: ",
        "<22>Jan 21 12:47:11 esa1 mail_logs: Info: ",
        "Jan 21 12:47:11 esa2 mail_logs: Info: ",
        "mail_logs: Info: ",
        "2021-05-05T10:00:00Z esa1 mail_logs: Warning: ",
        "<1>",
        "<22>1 2024-03-05T10:00:00Z esa1 mail_logs - - - Info: ",
        "192.0.2.7 <22>Jan 21 12:47:11 esa1 mail_logs: Info: ",
        *FOREIGN,
    ]
)
LINES = st.lists(
    st.builds(
        lambda envelope, piece, rest: envelope + piece + rest,
        ENVELOPES,
        PIECES | st.text(alphabet=st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=30),
        PIECES | st.just(""),
    ),
    max_size=30,
)


@given(LINES)
def test_every_line_is_counted_once(lines: list[str]) -> None:
    """Whatever the input, each line is an event's, ignored or unreadable."""
    events, counts = read_events(lines)
    assert counts.lines == len(lines)
    assert counts.lines == counts.events + counts.ignored + counts.unreadable
    assert bool(events) == bool(counts.events)


@given(LINES, st.lists(st.integers(min_value=0, max_value=30), max_size=6))
def test_blocks_and_lines_give_the_same(lines: list[str], cuts: list[int]) -> None:
    """A log read in blocks of any sizes gives the facts and counts of the log read line by line."""
    edges = [0, *sorted(min(cut, len(lines)) for cut in cuts), len(lines)]
    blocks = [lines[a:b] for a, b in zip(edges, edges[1:])]
    by_line, counts = read_facts(lines)
    by_block, block_counts = read_blocks(blocks)
    assert as_sets(by_block) == as_sets(by_line)
    assert block_counts == counts


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(FOREIGN), st.integers(min_value=0, max_value=5)), max_size=60), st.integers(min_value=1, max_value=20))
def test_lines_of_other_programs_change_nothing(parts: list[tuple[bool, str, int]], size: int) -> None:
    """A log shared with other programs gives the facts of the log alone, line by line and in blocks; the others' lines are ignored."""
    lines = [STAMP + WHOLE[number] if own else envelope + "x: ICID 6 TLS success" for own, envelope, number in parts]
    alone, counts = read_facts([line for line in lines if line.startswith(STAMP)])
    for shared, shared_counts in (read_facts(lines), read_blocks(cut(lines, size))):
        assert as_sets(shared) == as_sets(alone)
        assert (shared_counts.lines, shared_counts.events) == (len(lines), counts.events)


NOISE = ["MID 1 Subject 'x'", "MID 14 queued for delivery", "ICID 5 TLS successful", "Message finished MID 14 done", "MID 14 ICID 5 From: <a@example.net>"]
WHOLE = [
    "ICID 5 TLS success",
    "Start MID 14 ICID 5",
    "Delivery start DCID 31 MID 14 to RID [0]",
    "Message done DCID 31 MID 14 to RID [0] ",
    "ICID 5 close",
    "DCID 31 TLS failed: x",
]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                [STAMP] * 3
                + ["Wed Jul 20 19:47:41 2005 Info: ", "Wed Jul 20 19:47:42 2005 Warning: ", "<22>Jan 21 12:47:11 esa1 mail_logs: Info: ", ""]
                + ["<22>1 2024-03-05T10:00:00Z esa1 mail_logs - - - Info: "] * 2
            ),
            st.sampled_from([*WHOLE, *NOISE, "MID 14 ready 1024 bytes from <alice@example.com>", "rest of a line"]),
        ),
        max_size=60,
    ),
    st.integers(min_value=1, max_value=20),
)
@example([(STAMP, WHOLE[4]), (STAMP, WHOLE[3]), ("", "rest of a line")], 2)
@example([(STAMP, WHOLE[4])] * 3 + [("", "rest of a line")], 2)
def test_fast_blocks_give_the_same(parts: list[tuple[str, str]], size: int) -> None:
    """The loop for lines with known envelopes finds what the careful reading finds."""
    lines = [envelope + text for envelope, text in parts]
    blocks_agree(lines, size)


NATIVE = "Wed Jul 20 19:47:40 2005 Info: "
RELAYED = "<22>Jul 20 19:47:11 esa1 mail_logs: Info: "
RELAYED_AT = ("11.587", "12.004", "12.0040", "12", "61.1", "13.\u0661\u0661\u0661", "13,587")
COUNTED = {
    "tool": [f"{number}{NATIVE}" for number in ("     1\t", "   123\t", "4567890\t", "", "1234567890\t")] + ["12\t"],
    "grep": [f"{front}{NATIVE}" for front in ("a.log:1:", "a.log:99:", "a.log-100-", "b.log:7:", "")],
    "octets": [f"{octets}{RELAYED}" for octets in ("86 ", "105 ", "", " ")],
    "relay": [f"2005-07-20T19:47:{time}Z 192.0.2.77 {RELAYED}" for time in RELAYED_AT] + [RELAYED, f"2005-07-21T19:47:11.587Z 192.0.2.77 {RELAYED}"],
    "fraction": [f"2005-07-20T19:47:{time}Z esa1 mail_logs: Info: " for time in RELAYED_AT],
}
"""Headers of one log: the first two as most lines have them, then such as differ in more than a number."""


@pytest.mark.parametrize("headers", COUNTED.values(), ids=COUNTED)
@given(data=st.data())
def test_headers_that_count_give_the_same(headers: list[str], data: st.DataObject) -> None:
    """Where a number or a fraction makes nearly every header another one, blocks give what lines give."""
    likely = st.sampled_from([*headers[:2] * 8, *headers])
    rest = data.draw(st.lists(st.tuples(likely, st.sampled_from([*WHOLE, *NOISE])), max_size=60))
    lines = [header + text for header, text in [(headers[0], WHOLE[0]), *rest]]
    size = data.draw(st.integers(min_value=2, max_value=20))
    blocks_agree(lines, size)


SUBJECTS = ["MID 1 Subject 'x 2005 Info: ICID 9 TLS success'", "MID 1 Subject 'x 2005 Info: y", "MID 1 Subject ' TLS '", "MID 1 Subject 'x"]
LOOSE = ["ICID 9 TLS success", "' TLS success", "Info: ICID 9 TLS success", "x", "<3> box 10:10:10 y", "Tue 10:10:10 Info: y"]
RECORDS = [
    "CEF:0|CISCO|IronPort|1|1|x|5|rt=1312345678901 msg=ICID 6 TLS failed",
    "CEF:0|CISCO|IronPort|1|1|x|5|rt=1312345678901 msg=MID 1 ICID 6 From: <alice@example.com>",
    "CEF:0|Cisco|C100V Email Security Virtual Appliance|15.0.0-104|ESA_CONSOLIDATED_LOG_EVENT|x|5|ESAMID=1 ESADCID=6 ESADaneStatus=failure",
    "CEF:0|Cisco|C100V Email Security Virtual Appliance|15.0.0-104|ESA_CONSOLIDATED_LOG_EVENT|x|5|ESAMID=1 ESAICID=6 ESATLSInProtocol=TLSv1.2",
    "ESAICID=6;ESADCID=7;ESAMID=1;ESADaneStatus=failure",
]
STAMPED = [stamp + text for stamp in (STAMP, STAMP.replace("Info", "Warning")) for text in WHOLE + NOISE + SUBJECTS + RECORDS]


@example([STAMP + "MID 1 queued for delivery"] * 4 + [STAMP + "MID 2 \0"] + [STAMP + "MID 1 queued for delivery"] * 2, 4)
@example([*[STAMP + "MID 1 queued for delivery"] * 4, "<3> box 10:10:10 y", STAMP + "MID 1 queued for delivery"], 3)
@given(st.lists(st.sampled_from(STAMPED + LOOSE), max_size=40), st.integers(min_value=1, max_value=20))
def test_sifted_blocks_give_the_same(lines: list[str], size: int) -> None:
    """Reading only the lines that have the word TLS gives the TLS events and counts of reading all, also with forged seams."""
    whole, sifted = event_stream.Events(), event_stream.Events()
    one, other = BlockStream(whole, clock()), BlockStream(sifted, clock())
    for line in lines:
        one.line(line)
    one.end()
    feed(other, cut(lines, size), sift=True)
    assert sifted.found == whole.found
    assert other.counts == one.counts
    assert other.counts.not_understood.as_list() == one.counts.not_understood.as_list()


INSIDE = st.lists(
    st.sampled_from([STAMP, "<22>Jan 21 12:47:11 mail_logs: Info: ", "Info: ", ""]).flatmap(lambda head: st.sampled_from(WHOLE + NOISE).map(head.__add__)),
    min_size=1,
    max_size=3,
)
JSON_RECORDS = st.builds(
    lambda lines, told: json.dumps({**told, "message": "\n".join(lines)}),
    INSIDE,
    st.fixed_dictionaries(
        # without a level or a log name, where others have one, a record may hold the rest of a line
        {"level": st.just("Info"), "tag": st.just("mail_logs")},
        optional={"host": st.sampled_from(["esa1", "esa2"]), "@timestamp": st.sampled_from(["2024-03-05T10:00:00Z", 1709632801, "soon"])},
    ),
)
ARCSIGHT_RECORDS = st.builds(
    "{}CEF:0|CISCO|IronPort|14.0|mail_logs|Info|3|rt=170963280{}000{} msg={}".format,
    st.sampled_from(["", "<22>Jan 21 12:47:11 conn.example.com "]),
    st.integers(0, 2),
    st.sampled_from(["", " ahost=esa1", " dvchost=esa2"]),
    st.sampled_from(WHOLE + NOISE),
)


@given(st.lists(JSON_RECORDS, max_size=30) | st.lists(ARCSIGHT_RECORDS, max_size=30))
def test_records_are_read_alone(records: list[str]) -> None:
    """What a record holds is read alike whatever other records hold: their appliances, times and envelopes are their own."""
    alone = [read_events([record]) for record in records]
    events, counts = read_events(records)
    assert events == [event for found, _ in alone for event in found]
    total = Counts()
    for _, one in alone:
        total.add(one)
    assert counts == total


@given(
    st.lists(JSON_RECORDS | ARCSIGHT_RECORDS | st.sampled_from(["{", '{"message": 1}', "", "12", "\x00", *STAMPED[:3], *LOOSE]), max_size=40),
    st.integers(min_value=1, max_value=20),
)
def test_fast_records_give_the_same(lines: list[str], size: int) -> None:
    """Records that are read many at a time give what they give one at a time, whatever stands between them."""
    blocks_agree(lines, size)


def test_no_line_is_no_event() -> None:
    """An empty log is an empty log."""
    facts, counts = read_facts([])
    assert as_sets(facts) == as_sets(Facts()) == {}
    assert counts.lines == 0


@pytest.mark.parametrize(
    "line",
    [
        "Wed Jul 20 19:47:40 2005 Info: Info: ICID 5 TLS failed",
        "Wed Jul 20 19:47:40 2005 Info: CEF:0|CISCO|IronPort|1|1|x|5|rt=1312345678901 msg=ICID 6 TLS failed",
        "Wed Jul 20 19:47:40 2005 Info: ICID 5 close\t",
        "Wed Jul 20 19:47:40 2005 Info: ICID 5 TLS failed: x\x1c",
        "Wed Jul 20 19:47:40 2005 Info: ICID 5 TLS failed: x \u00a0",
        "Wed Jul 20 19:47:40 2005 Info: ",
        "Wed Jul 20 19:47:40 2005 Info:",
        "Wed Jul 20 19:47:40 2005 Info:ICID 5 close",
    ],
)
def test_an_envelope_that_is_known_changes_nothing(line: str) -> None:
    """A line gives the same whether its envelope was seen before or not, line by line and in blocks."""
    usual = "Wed Jul 20 19:47:40 2005 Info: ICID 4 TLS failed"
    orders = ([usual, line, usual], [line, usual, usual], [usual, usual, line])
    found = [read_facts(order) for order in orders] + [read_blocks([order]) for order in orders]
    assert all(as_sets(facts) == as_sets(found[0][0]) and counts == found[0][1] for facts, counts in found)


# lines that nobody understands

UNKNOWN = st.builds(
    "<{}> {}{}{} 10:10:{}".format,
    st.integers(0, 40),
    st.text("ab.-/", max_size=12),
    st.text(".-/=", max_size=3),
    st.text("1 =", max_size=3),
    st.integers(10, 59),
)


@given(st.lists(UNKNOWN, max_size=60), st.randoms(use_true_random=False), st.integers(1, 4))
def test_unknown_shapes_are_counted_alike_in_any_order(lines: list[str], order: random.Random, parts: int) -> None:
    """However lines are dealt to processes, and however many shapes they have, they give the same shapes with the same numbers, no line lost."""
    with mock.patch("esatls.extraction.unknown_lines._MOST", 8):
        whole = UnknownLines()
        for line in lines:
            whole.note(line)
        order.shuffle(lines)
        dealt = [UnknownLines() for _ in range(parts)]
        for line in lines:
            order.choice(dealt).note(line)
        order.shuffle(dealt)
        together = UnknownLines()
        for part in dealt:
            together.add(UnknownLines.of_list(part.as_list()))
    assert together.as_list() == whole.as_list()
    shapes = whole.as_list()[1]
    assert len(shapes) <= 8
    assert sum(count for count, _ in shapes.values()) == len(lines)


def test_many_unknown_shapes_hide_none() -> None:
    """Where there are too many shapes, those that begin alike are told as one, with all their lines."""
    shapes = UnknownLines()
    for number in range(20_000):
        rest = f"{number % 1024:010b}".replace("0", "-").replace("1", "/")
        shapes.note(f"2026-03-03 10h00 esa1 mail_logs[7] > info: ICID 5: {rest}")
        if number % 10 == 0:
            shapes.note(f"<22>Mar  3 10:00:{number % 60:02} esa1 audit ICID 5")
    assert shapes.told() == [
        "20,000 lines that were not recognized begin like this: 2026-03-03 10h00 esa1 mail_logs[7] > info: ICID 5: ---------",
        "2,000 lines that were not recognized begin like this: <22>Mar  3 10:00:00 esa1 audit ICID 5",
    ]
