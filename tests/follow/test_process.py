"""`esatls follow` as a process: a log that grows, falls quiet, ends; signals; a pipe."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from esatls.follow.run import Follower, FollowOptions

from tests import terminal
from tests.follow.support import LATEST, Log, Record, body, encoded, environment, run, start, whole
from tests.follow.test_records import DELIVERED, RECEIVED, other, same, stamped
from tests.traffic import generate, render, shuffled

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE = 120
"""Seconds after which a test gives up waiting: no measure of speed."""


class Watched:
    """A running process, and what it writes."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.lines: list[bytes] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)

    def wait_for(self, count: int) -> list[Record]:
        """Wait until so many records are there."""
        end = time.monotonic() + PATIENCE
        while len(self.lines) < count and time.monotonic() < end and self.process.poll() is None:
            time.sleep(0.01)
        if self.process.poll() is not None:
            self._reader.join(PATIENCE)  # it may have ended before its last lines were read
        return [json.loads(line) for line in self.lines]

    def leave(self, number: int) -> tuple[int, str]:
        """Send a signal; return exit code and messages."""
        self.process.send_signal(number)
        assert self.process.stderr is not None
        errors = self.process.stderr.read().decode()
        self._reader.join(PATIENCE)
        return self.process.wait(PATIENCE), errors


def test_growing_log_that_falls_quiet(tmp_path: Path) -> None:
    """A message that is finished is told though the log falls quiet right after its last line; Ctrl-C ends with the counts."""
    log = Log(tmp_path / "mail.log")
    watched = Watched(start("--idle", 0.3, "--grace", 1, "--poll", 0.05, log.path, state=tmp_path))
    log.write(encoded(stamped(*RECEIVED)))
    data = encoded(stamped(*DELIVERED))
    log.write(data[:100])
    log.write(data[100:])
    records = watched.wait_for(1)
    assert [(record["mid"], record["delivered"], record["finished"]) for record in records] == [(14, "encrypted", True)]
    log.write(encoded(stamped((30, "Start MID 15 ICID 0"))))
    code, errors = watched.leave(signal.SIGINT)
    assert code == 130
    assert errors.splitlines()[-1].startswith(("10 lines: 10 events,", "11 lines: 10 events,", "11 lines: 11 events,"))
    assert "1 messages written" in errors
    assert len(watched.lines) == 1


def test_quiet_log_never_helped(tmp_path: Path) -> None:
    """With --idle 0 the log's own time alone counts: the quiet log tells nothing until it goes on."""
    log = Log(tmp_path / "mail.log")
    log.write(encoded(stamped(*RECEIVED, *DELIVERED)))
    watched = Watched(start("--idle", 0, "--grace", 1, "--poll", 0.01, log.path, state=tmp_path))
    (state,) = _wait_for_files(tmp_path / "esatls")
    while not body(state)["stream"]["counts"][0]:
        time.sleep(0.01)
    time.sleep(0.5)
    assert watched.lines == []
    log.write(encoded(stamped(other(60), other(60))))
    assert [record["mid"] for record in watched.wait_for(1)] == [14]
    code, errors = watched.leave(signal.SIGTERM)
    assert (code, errors) == (0, "12 lines: 11 events, 0 ignored, 0 unreadable, 1 incomplete; 1 messages written, 0 unfinished, 0 late lines\n")


def _wait_for_files(folder: Path) -> list[Path]:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = list(folder.glob("*.json")) if folder.exists() else []
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError(folder)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stopped_and_started(tmp_path: Path, number: int) -> None:
    """A run that is asked to leave writes down what is open, and the next one tells it."""
    log = Log(tmp_path / "mail.log")
    log.write(encoded(stamped(*RECEIVED)))
    watched = Watched(start("--poll", 0.01, log.path, state=tmp_path))
    (state,) = _wait_for_files(tmp_path / "esatls")
    code, _ = watched.leave(number)
    assert code == (130 if number == signal.SIGINT else 0)
    assert watched.lines == []
    log.write(encoded(stamped(*DELIVERED)))
    out, errors = run("--once", log.path, state=tmp_path)
    assert [(record["mid"], record["received"], record["delivered"]) for record in map(json.loads, out.splitlines())] == [(14, "encrypted", "encrypted")]
    assert errors.splitlines()[-1] == "10 lines: 10 events, 0 ignored, 0 unreadable; 1 messages written, 0 unfinished, 0 late lines"
    assert state.exists()


def test_log_that_comes_later(tmp_path: Path) -> None:
    """The log need not exist when it is first followed."""
    watched = Watched(start("--idle", 0.2, "--grace", 1, "--poll", 0.02, tmp_path / "mail.log", state=tmp_path))
    _wait_for_files(tmp_path / "esatls")
    Log(tmp_path / "mail.log").write(encoded(stamped(*RECEIVED, *DELIVERED)))
    assert [record["mid"] for record in watched.wait_for(1)] == [14]
    assert watched.leave(signal.SIGTERM)[0] == 0


def test_pipe(tmp_path: Path) -> None:
    """Standard input is followed as it comes; when it is closed, all that is open is told as it stands."""
    process = start("-", "--idle", 0.2, "--grace", 1, stdin=subprocess.PIPE, state=tmp_path)
    watched = Watched(process)
    assert process.stdin is not None
    process.stdin.write(encoded(stamped(*RECEIVED, *DELIVERED)))
    process.stdin.flush()
    assert [record["mid"] for record in watched.wait_for(1)] == [14]
    process.stdin.write(encoded(stamped((20, "Start MID 15 ICID 0"))) + b"Tue Mar  5 10:00:20 2024 Info: MID 15 ICID 0 From: <no@line.example>")
    process.stdin.close()
    records = watched.wait_for(2)
    assert process.wait(PATIENCE) == 0
    assert [(record["mid"], record["sender"], record["finished"]) for record in records] == [(14, "alice@example.net", True), (15, "no@line.example", False)]


def test_named_pipe(tmp_path: Path) -> None:
    """A named pipe, as syslog daemons write to, is one too."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    watched = Watched(start(path, "--idle", 0, state=tmp_path))
    path.write_bytes(encoded(stamped(*RECEIVED, *DELIVERED)))
    assert [record["mid"] for record in watched.wait_for(1)] == [14]
    assert watched.process.wait(PATIENCE) == 0


def test_pipe_with_a_checkpoint(tmp_path: Path) -> None:
    """What was open when a reader of a pipe was stopped is known to the next one."""
    state = tmp_path / "state.json"
    process = start("-", "--checkpoint", state, "--idle", 0.1, stdin=subprocess.PIPE)
    watched = Watched(process)
    assert process.stdin is not None
    process.stdin.write(encoded(stamped(*RECEIVED)))
    process.stdin.flush()
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and not (state.exists() and body(state)["stream"]["counts"][0] == len(RECEIVED)):
        time.sleep(0.01)
    assert watched.leave(signal.SIGTERM)[0] == 0
    out, _ = run("-", "--checkpoint", state, stdin=encoded(stamped(*DELIVERED)))
    assert [(record["mid"], record["received"], record["delivered"]) for record in map(json.loads, out.splitlines())] == [(14, "encrypted", "encrypted")]


def test_closed_output(tmp_path: Path) -> None:
    """Who reads no more of its output ends it quietly."""
    lines = list(render(generate(2, 300, 1, "plain").lines, "native"))
    process = start("-", stdin=subprocess.PIPE, state=tmp_path)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(encoded(lines))
        process.stdin.close()
    assert process.wait(PATIENCE) == 141
    assert process.stderr.read() == b""


def test_filter(tmp_path: Path) -> None:
    """Only the messages that pass the filter are written, and counted."""
    log = tmp_path / "mail.log"
    log.write_bytes(encoded(stamped(*RECEIVED, *DELIVERED, (4, "Start MID 15 ICID 5"))))
    out, errors = run("--once", "--delivered", "encrypted", log, state=tmp_path)
    assert [json.loads(line)["mid"] for line in out.splitlines()] == [14]
    assert errors == "11 lines: 11 events, 0 ignored, 0 unreadable; 1 messages written, 0 unfinished, 0 late lines\n"


def test_pipe_that_pauses(tmp_path: Path) -> None:
    """With --once too, a pipe is read until it is closed, though its writer may pause before the first line and between two."""
    process = start("--once", "--quiet", "-", state=tmp_path, stdin=subprocess.PIPE)
    assert process.stdin is not None
    for part in (RECEIVED, DELIVERED):
        time.sleep(1)
        process.stdin.write(encoded(stamped(*part)))
        process.stdin.flush()
    out, errors = process.communicate()
    assert (process.returncode, errors) == (0, b"")
    assert [json.loads(line)["delivered"] for line in out.splitlines()] == ["encrypted"]


def test_junk(tmp_path: Path) -> None:
    """Binary junk is counted and tells nothing."""
    log = tmp_path / "mail.log"
    junk = bytes(range(256)) * 400
    log.write_bytes(encoded(stamped(*RECEIVED)) + junk + b"\n" + encoded(stamped(*DELIVERED)))
    out, errors = run("--once", log, state=tmp_path)
    assert [json.loads(line)["mid"] for line in out.splitlines()] == [14]
    assert f"{len(RECEIVED) + len(DELIVERED) + junk.count(10) + 1} lines: 10 events, " in errors
    assert " 0 unreadable" not in errors


@pytest.mark.parametrize("name", ["mail.log", "-"])
def test_input_that_ends_without_a_recognized_line(tmp_path: Path, name: str) -> None:
    """If no line had a header or was an event, exit code and warning are those of `messages`; a header alone, or an empty log, is enough for 0."""
    log = tmp_path / "mail.log"
    counts = "{} lines: 0 events, {} ignored, 0 unreadable; 0 messages written, 0 unfinished, 0 late lines"
    for text, code in ((b"one\ntwo\n", 1), (b"", 0), (b"Tue Mar  5 10:00:00 2024 Info: nothing\n", 0)):
        log.write_bytes(text)
        file = "-" if name == "-" else log
        out, errors = run("--once", "--fresh", file, stdin=text, code=code, state=tmp_path)
        lines = text.count(b"\n")
        said = [f"esatls: {'standard input' if name == '-' else log}: no lines were recognized"] if code else []
        assert (out, errors.splitlines()) == (b"", [*said, counts.format(lines, lines)])
        judged = terminal.forked("messages", "-q", file, stdin=text)
        assert (judged.returncode, judged.stderr.decode().splitlines()) == (code, said)


def test_a_log_in_utf16(tmp_path: Path) -> None:
    """A log in UTF-16 is not followed, and the reason is told."""
    log = tmp_path / "mail.log"
    log.write_bytes("\n".join(stamped(*RECEIVED)).encode("utf-16"))
    out, errors = run("--once", log, code=1, state=tmp_path)
    said = f"esatls: {log}: is UTF-16, which is not followed, only UTF-8; the other commands read it"
    assert (out, errors.splitlines()[:-1]) == (b"", [said])


def test_syslog_of_two_appliances_rotated_live(tmp_path: Path) -> None:
    """A whole day of syslog, rotated under a running reader, gives the records of `messages`."""
    lines = list(render(shuffled(generate(11, 400, 2, "rare").lines, 11), "syslog"))
    log = Log(tmp_path / "mail.log")
    out = tmp_path / "out.jsonl"
    process = start("--idle", 0, "--poll", 0.005, "--year", 2024, "--output", out, log.path)
    _wait_for(out.with_name("out.jsonl.checkpoint"))
    rotations: list[Any] = [log.rename, log.copy_and_truncate, log.rename_and_compress]
    for number, at in enumerate(range(0, len(lines), 700)):
        log.write(encoded(lines[at : at + 700]))
        if number % 3 == 2:
            rotations[number // 3 % 3]()
    process.send_signal(signal.SIGTERM)
    process.communicate()
    run("--once", "--year", 2024, "--output", out, log.path)
    same(out.read_text(encoding="utf-8").splitlines(), whole(lines))


def _wait_for(path: Path) -> None:
    end = time.monotonic() + PATIENCE
    while not path.exists() and time.monotonic() < end:
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("zone", "year", "head", "expected"),
    [
        ("+05:30", 2019, "", ["2019-12-31T18:29:59Z", "2019-12-31T18:30:01Z"]),
        ("-05:00", 2019, "", ["2020-01-01T04:59:59Z", "2020-01-01T05:00:01Z"]),
        ("UTC", 2019, "", ["2019-12-31T23:59:59Z", "2020-01-01T00:00:01Z"]),
        (None, 2019, "Dec 31 23:59:58 Info: Time offset from UTC: 19800 seconds", ["2019-12-31T18:29:59Z", "2019-12-31T18:30:01Z"]),
        (None, 2019, "Dec 31 23:59:58 Info: Time offset from UTC: -18000 seconds", ["2020-01-01T04:59:59Z", "2020-01-01T05:00:01Z"]),
        ("+05:30", 2020, None, ["2019-12-31T18:30:01Z"]),
        ("-05:00", 2020, None, ["2020-01-01T05:00:01Z"]),
    ],
)
def test_year_across_new_year(tmp_path: Path, zone: str | None, year: int, head: str | None, expected: list[str]) -> None:
    """`--year` is that of the first line as its zone counts, to the last second of the year and from the first; `messages` says the same."""
    lines = ["Jan  1 00:00:01 Info: Start MID 2 ICID 0"]
    if head is not None:
        lines = [*([head] if head else []), "Dec 31 23:59:59 Info: Start MID 1 ICID 0", *lines]
    log = tmp_path / "mail.log"
    log.write_bytes(encoded(lines))
    options = ["--year", year, *(["--timezone", zone] if zone else [])]
    out, _ = run("--once", *options, log, state=tmp_path)
    assert sorted(json.loads(line)["first_seen"] for line in out.splitlines()) == expected
    told = subprocess.run([sys.executable, "-m", "esatls", "messages", *map(str, options), log], capture_output=True, check=True, env=environment())
    assert sorted(told.stdout.splitlines()) == sorted(out.splitlines())


def test_year_of_a_log_that_was_waited_for(tmp_path: Path) -> None:
    """The year of stamps without one is told by the log's date when its first line is read, not when it was looked for."""
    log = tmp_path / "mail.log"
    log.touch()
    os.utime(log, (LATEST - 400 * 86400,) * 2)
    follower = Follower(FollowOptions(str(log), str(tmp_path / "out"), once=True), lambda _: True, print)
    assert not follower.step()
    log.write_bytes(b"May 31 10:00:00 esa1 mail: Info: Start MID 1 ICID 0\n")
    os.utime(log, (LATEST, LATEST))
    assert follower.step()
    follower.finish()
    follower.close()
    assert json.loads((tmp_path / "out").read_bytes())["first_seen"] == "2024-05-31T10:00:00Z"


@pytest.mark.parametrize("stamp", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"])
def test_stamp_at_the_end_of_time(tmp_path: Path, stamp: str) -> None:
    """The first and the last stamp that there can be are read, and remembered."""
    log = tmp_path / "mail.log"
    log.write_bytes(encoded([f"{stamp} esa1 mail: Info: Start MID 1 ICID 0"]))
    out, _ = run("--once", log, state=tmp_path)
    assert json.loads(out)["first_seen"] == stamp
    log.open("ab").write(encoded([f"{stamp} esa1 mail: Info: Start MID 2 ICID 0"]))
    out, _ = run("--once", log, state=tmp_path)
    assert json.loads(out)["mid"] == 2


@pytest.mark.parametrize(
    ("head", "line", "expected"),
    [
        ("Info: Time offset from UTC: 7200 seconds", "Info: Start MID 1 ICID 0", "2024-03-05T08:00:01Z"),
        ("Info: Time offset from UTC: 999999 seconds", "Info: Start MID 1 ICID 0", "2024-03-05T10:00:01Z"),
        ("esa2 mail: Info: Time offset from UTC: 7200 seconds", "mail: Info: Start MID 1 ICID 0", "2024-03-05T10:00:01Z"),
    ],
)
@pytest.mark.parametrize("form", ["{}", '{{"message": "{}"}}'])
def test_zone_from_a_head(form: str, head: str, line: str, expected: str) -> None:
    """A head tells the zone, in a collector's record too; not an offset that no place has, nor one appliance's head among others' lines."""
    lines = [form.format(line) for line in (f"Mar  5 10:00:00 {head}", f"Tue Mar  5 10:00:01 2024 {line}")]
    out, _ = run("-", stdin=encoded(lines))
    assert json.loads(out)["first_seen"] == expected
