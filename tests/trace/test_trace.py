"""`esatls trace`: which messages it finds, which lines it shows of them, and which of these decide."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import sys
import tempfile
from typing import TYPE_CHECKING, Any

import pytest
from esatls.cli.trace import _again
from esatls.lines.sources import Source

from tests import terminal
from tests.core.support import SCENARIOS

if TYPE_CHECKING:
    import pathlib

STAMP = "Tue Mar  3 09:00:00 2026 Info: "


def traced(*args: object, stdin: bytes = b"") -> list[dict[str, Any]]:
    """Return the stories that a run tells as JSON."""
    done = terminal.run("trace", "-q", "-f", "json", *args, stdin=stdin)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def log(folder: pathlib.Path, *lines: str) -> pathlib.Path:
    """Write a log of lines a second apart, and return its path."""
    path = folder / "mail.log"
    path.write_text("".join(f"Tue Mar  3 09:00:{number:02} 2026 Info: {line}\n" for number, line in enumerate(lines)), encoding="utf-8")
    return path


def places(hop: dict[str, Any]) -> list[tuple[int, bool]]:
    """Return the numbers of a hop's lines, each with whether it decides."""
    return [(line["line"], "decides" in line) for line in hop["lines"]]


DELIVERED = (
    "New SMTP ICID 1 interface Data 1 (192.0.2.10) address 198.51.100.1 reverse dns host mx.example.net verified yes",
    "Start MID 10 ICID 1",
    "MID 10 ICID 1 From: <a@example.net>",
    "MID 10 ICID 1 RID 0 To: <b@example.com>",
    "ICID 1 TLS success protocol TLSv1.2 cipher AES128-SHA",
    "Start MID 11 ICID 1",
    "MID 10 Message-ID '<10@example.net>'",
    "MID 10 rewritten to MID 12 by filter",
    "New SMTP DCID 5 interface 192.0.2.10 address 192.0.2.25 port 25",
    "DCID 5 TLS failed: STARTTLS unexpected response",
    "Message done DCID 5 MID 12 to RID [0]",
    "MID 12 RID [0] Response '2.0.0 Ok'",
    "Message done DCID 5 MID 99 to RID [0]",
    "ICID 1 close",
)


def test_each_hop_has_its_lines(tmp_path: pathlib.Path) -> None:
    """Mail that came before STARTTLS and left rewritten in clear text: each hop has its own lines, and those that decide are marked."""
    (story,) = traced(10, log(tmp_path, *DELIVERED))
    parent, child = story["messages"]
    assert [(message["mid"], message["role"], message["received"], message["delivered"]) for message in (parent, child)] == [
        (10, "match", "cleartext", "none"),
        (12, "child", "cleartext", "cleartext"),
    ]
    assert [(hop["hop"], hop.get("why"), places(hop)) for hop in parent["hops"]] == [
        ("receiving", "TLS came up only after the message", [(1, True), (5, True), (14, False)]),
        ("message", None, [(2, False), (3, False), (4, False), (7, False), (8, False)]),
    ]
    assert [(hop["hop"], hop.get("why"), places(hop)) for hop in child["hops"]] == [
        ("receiving", "the verdict of MID 10, which it was made from (rewritten)", []),
        ("message", None, [(8, True)]),
        ("delivery", "TLS did not come up, and the message passed", [(9, False), (10, True), (11, False), (12, False)]),
    ]
    assert child["hops"][2]["recipients"] == ["b@example.com"]
    assert parent["hops"][1]["lines"][0] == {
        "file": str(tmp_path / "mail.log"), "line": 2, "time": "2026-03-03T09:00:01Z", "esa_event": "message_started",
        "text": "Tue Mar  3 09:00:01 2026 Info: Start MID 10 ICID 1",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("what", "mids"),
    [
        ("12", [[10, 12]]),
        ("MID 12", [[10, 12]]),
        ("<10@example.net>", [[10, 12]]),
        ("10@example.net", [[10, 12]]),
        ("B@EXAMPLE.COM", [[10, 12]]),
        ("<a@example.net>", [[10, 12]]),
        ("11", [[11]]),
        ("ICID 1", [[10, 12], [11]]),
        ("dcid 5", [[10, 12], [99]]),
    ],
)
def test_a_message_is_found_by_what_people_know(tmp_path: pathlib.Path, what: str, mids: list[list[int]]) -> None:
    """A MID, alone or as the log has it, a Message-ID, an address in any case, and a connection name messages; a family is one story."""
    assert [[message["mid"] for message in story["messages"]] for story in traced(what, log(tmp_path, *DELIVERED))] == mids


@pytest.mark.parametrize("what", ["13", "1", "5", "DCID 1", "ICID 5", "example.net", "b@example.co", "0@example.net"])
def test_nothing_is_found(tmp_path: pathlib.Path, what: str) -> None:
    """Ids of connections, parts of names and other numbers name no message: nothing is shown, and the exit code is 1."""
    done = terminal.run("trace", what, log(tmp_path, *DELIVERED))
    assert (done.returncode, done.stdout) == (1, b"")
    hint = f"; esatls connections --{what[:4].lower()} {what[5:]} shows a connection without messages" if what[1:4] == "CID" else ""
    assert done.stderr.decode().startswith(f"esatls: no message with this MID, Message-ID, address or connection in the log{hint}\n")


def test_nothing_is_found_in_an_empty_log(tmp_path: pathlib.Path) -> None:
    """A log without lines has no message either, and that is said, even where counts are not wanted."""
    (tmp_path / "empty.log").touch()
    done = terminal.run("trace", "-q", "13", "--since", "2024-01-01", tmp_path / "empty.log")
    assert (done.returncode, done.stdout, done.stderr) == (
        1,
        b"",
        b"esatls: no message with this MID, Message-ID, address or connection in the log and time range\n",
    )


@pytest.mark.parametrize("what", ["", "<>", "1" * 19])
def test_what_names_no_message(what: str) -> None:
    """An empty text and a number that is no MID are usage errors."""
    assert terminal.run("trace", what, "-").returncode == 2


@pytest.mark.parametrize("name", sorted(path.name for path in SCENARIOS.glob("*.log")))
def test_lines_stand_where_they_are_said_to(name: str) -> None:
    """In every scenario each line is where its number says, word for word, and names an id of its message or of a connection of it."""
    path = SCENARIOS / name
    lines = path.read_text(encoding="utf-8", errors="surrogateescape").split("\n")
    records = [json.loads(line) for line in terminal.run("messages", "-q", path).stdout.splitlines()]
    for mid in {record["mid"] for record in records}:
        for story in traced(mid, path):
            for message in story["messages"]:
                shown = [line for hop in message["hops"] for line in hop["lines"]]
                assert all(lines[line["line"] - 1] == line["text"] for line in shown if "line" in line)
                assert shown
                told = [hop["verdict"] for hop in message["hops"] if hop["hop"] == "delivery"]
                assert told == [attempt["verdict"] for attempt in message["deliveries"]]


@pytest.mark.parametrize("pad", [0, 5000])
def test_numbers_in_a_large_file(tmp_path: pathlib.Path, pad: int) -> None:
    """Lines far into a file, and on both sides of where a block of it ends, have their right numbers."""
    noise = "Tue Mar  3 09:00:00 2026 Info: New SMTP ICID 7 interface Data 1 (192.0.2.10) address 198.51.100.9 reverse dns host x verified no\n"
    path = tmp_path / "mail.log"
    path.write_text(noise * pad + f"{STAMP}Start MID 10 ICID 1\n" + noise * pad + f"{STAMP}MID 10 ICID 1 From: <a@example.net>\n", encoding="utf-8")
    (story,) = traced(10, path)
    assert places(story["messages"][0]["hops"][1]) == [(pad + 1, False), (2 * pad + 2, False)]


def test_wrapped_packed_and_in_records(tmp_path: pathlib.Path) -> None:
    """A wrapped line stands where it begins; lines in a compressed file and in JSON records are found there."""
    (tmp_path / "a.log").write_text(f"{STAMP}Start MID 10 ICID 1\n{STAMP}MID 10 ICID 1 From:\n<a@example.net>\n{STAMP}Start MID 3 ICID 1\n", encoding="utf-8")
    (tmp_path / "b.gz").write_bytes(gzip.compress(f"{STAMP}x\n{STAMP}Message finished MID 10 done\n".encode()))
    records = [json.dumps({"message": STAMP + text}) for text in ("nothing", "MID 10 queued for delivery")]
    (tmp_path / "c.json").write_text("\n".join(records) + "\n", encoding="utf-8")
    (story,) = traced(10, tmp_path)
    message = story["messages"][0]
    assert message["sender"] == "a@example.net"
    assert [(line["file"], line["line"]) for line in message["hops"][1]["lines"]] == [
        (str(tmp_path / "a.log"), 1), (str(tmp_path / "a.log"), 2), (str(tmp_path / "b.gz"), 2), (str(tmp_path / "c.json"), 2),
    ]  # fmt: skip


def test_standard_input(tmp_path: pathlib.Path) -> None:
    """Standard input can be traced too, though it cannot be read twice."""
    data = log(tmp_path, *DELIVERED).read_bytes()
    assert [line["file"] for line in traced(11, stdin=data)[0]["messages"][0]["hops"][1]["lines"]] == ["standard input"]
    assert terminal.run("trace", "-q", 11, stdin=data).returncode == 0


def test_the_copy_of_a_pipe_is_closed_and_goes(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a pipe gave is in a file that nothing has open, as Windows demands of one that is read again, and that is gone afterwards."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a line\n")))
    with contextlib.ExitStack() as stack:
        source = _again(Source("-"), stack)
        opened = [os.path.realpath(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")]
        assert [path for path in opened if path.startswith(str(tmp_path))] == []
        with open(source.path, "rb") as file:
            assert file.read() == b"a line\n"
    assert list(tmp_path.iterdir()) == []


def test_each_attempt_has_its_own_lines(tmp_path: pathlib.Path) -> None:
    """A line is shown with the attempt that it is about, among several over one connection or over none."""
    found = log(
        tmp_path,
        "MID 10 ICID 1 RID 0 To: <b@example.com>",
        "MID 10 ICID 1 RID 1 To: <c@example.com>",
        "Delayed: DCID 0 MID 10 to RID 0 - 4.1.2 - Bad destination host",
        "Delayed: DCID 0 MID 10 to RID 0 - 4.1.2 - Bad destination host",
        "New SMTP DCID 5 interface 192.0.2.10 address 192.0.2.25 port 25",
        "Delivery start DCID 5 MID 10 to RID [0, 1]",
        "Delayed: DCID 5 MID 10 to RID 0 - 4.7.1 - try later",
        "Delayed: DCID 5 MID 10 to RID 1 - 4.7.1 - try later",
        "Delivery start DCID 5 MID 10 to RID [0, 1]",
        "Message done DCID 5 MID 10 to RID [0]",
        "Delayed: DCID 5 MID 10 to RID 1 - 4.7.1 - try later",
        "MID 10 RID [0] Response '2.0.0 Ok'",
    )
    hops = traced("10", str(found))[0]["messages"][0]["hops"]
    assert [(hop.get("outcome"), hop.get("rid"), [number for number, _ in places(hop)]) for hop in hops[1:]] == [
        (None, None, [1, 2]),
        ("delayed", [0], [3]),
        ("delayed", [0], [4]),
        ("delayed", [0, 1], [5, 6, 7, 8]),
        ("done", [0], [9, 10, 12]),
        ("delayed", [1], [11]),
    ]


def test_ids_that_were_used_again(tmp_path: pathlib.Path) -> None:
    """Of a connection whose id was used again, and of another appliance with the same ids, no line is shown."""
    path = tmp_path / "mail.log"
    opening = "New SMTP ICID 1 interface Data 1 (192.0.2.10) address {} reverse dns host mx.example.net verified yes"
    rows = [
        ("2026-03-03T09:00:00Z esa1", opening.format("198.51.100.1")),
        ("2026-03-03T09:00:01Z esa1", "Start MID 10 ICID 1"),
        ("2026-03-03T09:00:01Z esa2", "Start MID 10 ICID 1"),
        ("2026-03-09T09:00:00Z esa1", opening.format("198.51.100.2")),
        ("2026-03-09T09:00:01Z esa1", "ICID 1 TLS success protocol TLSv1.2 cipher AES128-SHA"),
    ]
    path.write_text("".join(f"{head} mail_logs: Info: {text}\n" for head, text in rows), encoding="utf-8")
    stories = traced(10, path)
    assert [[[line["line"] for line in hop["lines"]] for hop in story["messages"][0]["hops"]] for story in stories] == [[[1], [2]], [[], [3]]]


def test_a_release_after_the_id_was_used_again(tmp_path: pathlib.Path) -> None:
    """The line of a release is shown with the message that was in the quarantine, and not with a later one that had its id."""
    rows = [
        ("05", "Start MID 10 ICID 1"),
        ("05", 'MID 10 quarantined to "Policy" (message filter:big)'),
        ("05", "Message finished MID 10 done"),
        ("12", "Start MID 10 ICID 2"),
        ("12", "Message finished MID 10 done"),
        ("13", "EUQ: Reinjected MID 10 as MID 11"),
    ]
    path = tmp_path / "mail.log"
    path.write_text("".join(f"2026-03-{day}T10:00:00Z esa1 mail_logs: Info: {text}\n" for day, text in rows), encoding="utf-8")
    stories = [[(one["mid"], places(one["hops"][1])) for one in story["messages"]] for story in traced(10, path)]
    assert stories == [
        [(10, [(1, False), (2, False), (3, False), (6, False)]), (11, [(6, True)])],
        [(10, [(4, False), (5, False)])],
    ]


def test_data_that_was_read_over_tls(tmp_path: pathlib.Path) -> None:
    """What shows that TLS was up is a line about another message, if its data was read by then; other such lines of strangers are left out."""
    path = log(
        tmp_path,
        "Start MID 10 ICID 1",
        "MID 10 ICID 1 TLS read 126 bytes (0.0 seconds)",
        "Start MID 11 ICID 1",
        "Start MID 12 ICID 1",
        "MID 12 ICID 1 TLS read 126 bytes (0.0 seconds)",
    )
    found = [traced(mid, path)[0]["messages"][0]["hops"] for mid in (10, 11, 12)]
    assert [(hops[0]["verdict"], places(hops[0]), places(hops[1])) for hops in found] == [
        ("encrypted", [(2, True)], [(1, False)]),
        ("encrypted", [(2, True)], [(3, False)]),
        ("encrypted", [(2, True), (5, True)], [(4, False)]),
    ]


@pytest.mark.parametrize(
    ("stated", "verdict", "conflict", "deciding"),
    [
        ("Success ESATLSInProtocol=TLSv1.2 ESATLSInCipher=AES128-SHA", "encrypted", "text: cleartext, cef: encrypted", [3]),
        ("Failure ESATLSInProtocol=TLSv1.2 ESATLSInCipher=AES128-SHA", "unknown", "cef: encrypted, cef: cleartext", []),
        ("Failure", "cleartext", None, [3]),
    ],
)
def test_a_record_of_one_of_two_messages(tmp_path: pathlib.Path, stated: str, verdict: str, conflict: str | None, deciding: list[int]) -> None:
    """What a consolidated event states of one message, also against the log, is told of that message alone, as its record has it."""
    event = "CEF:0|Cisco|C100V Secure Email Gateway Virtual|15.0.0-104|ESA_CONSOLIDATED_LOG_EVENT|Consolidated Log Event|5|"
    event += f"ESAMID=10 ESAICID=1 act=DQ ESATLSInConnStatus={stated}"
    path = log(tmp_path, DELIVERED[0], "Start MID 10 ICID 1", event, "Start MID 11 ICID 1")
    found = [traced(mid, path)[0]["messages"][0] for mid in (10, 11)]
    assert [(one["received"], one.get("received_conflict"), one["hops"][0]["why"]) for one in found] == [
        (verdict, conflict, f"the sources contradict each other ({conflict})" if conflict else "stated by a consolidated event"),
        ("cleartext", None, "the log has no line about TLS between the opening of the connection and the message"),
    ]
    assert [[line for line, decides in places(one["hops"][0]) if decides] for one in found] == [deciding, [1]]


def test_a_delivery_that_an_event_alone_states(tmp_path: pathlib.Path) -> None:
    """A consolidated event that names no connection is the line that decides about the delivery that it states; other events are the message's."""
    event = "CEF:0|Cisco|C100V Secure Email Gateway Virtual|15.0.0-104|ESA_CONSOLIDATED_LOG_EVENT|Consolidated Log Event|5|ESAMID=10 act="
    path = log(tmp_path, "Start MID 10 ICID 1", f"{event}DQ", f"{event}DELIVERED ESATLSOutConnStatus=Success")
    _, message, delivery = traced(10, path)[0]["messages"][0]["hops"]
    assert (delivery["verdict"], delivery["why"], places(delivery)) == ("encrypted", "stated by a consolidated event", [(3, True)])
    assert places(message) == [(1, False), (2, False)]


def test_many_matches(tmp_path: pathlib.Path) -> None:
    """Of many messages of one address the first are traced, and the others are counted."""
    path = log(tmp_path, *(line for mid in range(20, 25) for line in (f"Start MID {mid} ICID 1", f"MID {mid} ICID 1 From: <a@example.net>")))
    done = terminal.run("trace", "--limit", 2, "a@example.net", path)
    assert done.returncode == 0
    assert done.stdout.count(b"MID 2") > 0
    assert b"esatls: 3 more messages match; --limit shows more, --since and --until narrow it down\n" in done.stderr
    assert [len(traced("--since", since, "a@example.net", path)) for since in ("2026-03-03", "2026-03-03T09:00:07Z")] == [5, 2]


def test_text(tmp_path: pathlib.Path) -> None:
    """As text a story has a heading per message and hop; what a stranger wrote cannot change the terminal."""
    path = log(tmp_path, *DELIVERED[:5], "MID 10 Subject '\x1b]2;red\u202e'")
    out = terminal.run("trace", "-q", 10, path).stdout.decode()
    assert out == (
        "MID 10: received cleartext, delivered none\n"
        "from a@example.net to b@example.com\n"
        "Subject \\x1b]2;red\\u202e\n"
        "  Received over ICID 1 from mx.example.net (198.51.100.1): cleartext\n"
        "  TLS came up only after the message\n"
        f"  > {path}:1  Tue Mar  3 09:00:00 2026 Info: {DELIVERED[0]}\n"
        f"  > {path}:5  Tue Mar  3 09:00:04 2026 Info: {DELIVERED[4]}\n"
        "  The message\n"
        + "".join(f"    {path}:{number}  Tue Mar  3 09:00:0{number - 1} 2026 Info: {DELIVERED[number - 1]}\n" for number in (2, 3, 4))
        + f"    {path}:6  Tue Mar  3 09:00:05 2026 Info: MID 10 Subject '\\x1b]2;red\\u202e'\n"
    )


def test_message_tracking_stands_on_no_line(tmp_path: pathlib.Path) -> None:
    """Entries of message tracking are shown by their time and kind, as they stand on no line."""
    path = tmp_path / "tracking.txt"
    path.write_text(
        "03 Mar 2026 09:00:00 (GMT) Protocol SMTP interface Data 1 (IP 192.0.2.10) on incoming connection (ICID 1) from sender IP 198.51.100.1. "
        "Reverse DNS host mx.example.net verified yes.\n"
        "03 Mar 2026 09:00:01 (GMT) Start message 10 on incoming connection (ICID 1).\n",
        encoding="utf-8",
    )
    done = terminal.run("trace", "-q", 10, path)
    assert done.returncode == 0
    assert f"    {path}  2026-03-03T09:00:01Z message_started\n" in done.stdout.decode()
