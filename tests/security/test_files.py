"""Files in and out: written whole or not at all, never in place of what is read; bombs, links and pipes do no harm."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import signal
import stat
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Callable

import pytest
import zstandard

from tests.security.stranger import ROOT, log_of, run

if TYPE_CHECKING:
    import pathlib

SAMPLE = ROOT / "python" / "esatls" / "sample.log"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "python")}
COMMANDS = [tuple(words.split()) for words in ("messages", "connections", "events", "events -f csv", "messages -f csv", "report -f html", "report -f json")]
ROOM = 4096
"""Bytes that a file may have."""
LITTLE_MEMORY = 256 << 20
"""Bytes of address space: some for Python, few for data."""


def starved() -> None:
    """Leave a process little memory."""
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (LITTLE_MEMORY, LITTLE_MEMORY))


def confined() -> None:
    """Leave a process little room in each file."""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, ROOM))


def start(*args: object) -> subprocess.Popen[bytes]:
    """Start the command line on a log that does not end until its standard input does."""
    command = [sys.executable, "-m", "esatls", *map(str, args), "-"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT)
    assert process.stdin is not None
    process.stdin.write(SAMPLE.read_bytes() * 200)  # far more than a pipe holds: when this returns, it has been reading for long
    process.stdin.flush()
    return process


# out


@pytest.mark.parametrize("command", [("events", "-k", "all"), ("messages",), ("report", "-f", "html")])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_killed_in_the_middle(command: tuple[str, ...], number: signal.Signals, tmp_path: pathlib.Path) -> None:
    """The file has its old content, or is not there; nothing else stays behind, unless the process had no chance to tidy up."""
    for before in ("old", None):
        out = tmp_path / "out"
        if before is not None:
            out.write_text(before)
        process = start(*command, "-o", out)
        process.send_signal(number)
        _, err = process.communicate()
        assert process.returncode in (-number, 128 + number)
        assert b"Traceback" not in err
        assert (out.read_text() if out.exists() else None) == before
        left = {path.name for path in tmp_path.iterdir()} - {"out"}
        if number is signal.SIGKILL:
            assert all(name.startswith(".esatls-") for name in left), "hidden, so that no folder of logs is read with it"
            for name in left:
                (tmp_path / name).unlink()
        else:
            assert left == set()
        out.unlink(missing_ok=True)


@pytest.mark.parametrize("command", COMMANDS)
def test_output_is_no_input(command: tuple[str, ...], tmp_path: pathlib.Path) -> None:
    """A file that is read is never the output, by whatever name; it stays as it is."""
    log = tmp_path / "mail.json"
    log.write_bytes(SAMPLE.read_bytes())
    (tmp_path / "link").symlink_to(log)
    os.link(log, tmp_path / "hard")
    ways = ((log, log), (log, tmp_path / "link"), (tmp_path / "hard", log), (tmp_path, log), (f"{tmp_path}/m*", log), (log, f"{tmp_path}/./mail.json"))
    for read, written in ways:
        done = run(*command, read, "-o", written)
        assert done.returncode == 2
        assert done.stderr.decode() == f"esatls: {written}: is an input file, so it cannot be the output\n"
        assert log.read_bytes() == SAMPLE.read_bytes()
        assert {path.name for path in tmp_path.iterdir()} == {"mail.json", "link", "hard"}


def test_devices_pipes_and_links(tmp_path: pathlib.Path) -> None:
    """A device or a pipe is written to and stays what it is; a link stays one, and what it leads to is replaced."""
    run("messages", SAMPLE, "-o", os.devnull)
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    assert run("messages", SAMPLE, "-o", pipe).returncode == 0
    reader.join()
    assert len(got[0].splitlines()) == 3
    assert stat.S_ISFIFO(os.stat(pipe).st_mode)
    (tmp_path / "there").write_text("old")
    (tmp_path / "link").symlink_to("there")
    (tmp_path / "dangling").symlink_to("new")
    for link, target in (("link", "there"), ("dangling", "new")):
        assert run("messages", SAMPLE, "-o", tmp_path / link).returncode == 0
        assert (tmp_path / link).is_symlink()
        assert (tmp_path / target).read_bytes() == got[0]


def test_permissions(tmp_path: pathlib.Path) -> None:
    """A new file has the permissions that the mask leaves, a replaced one keeps its own: a secret stays one."""
    before = os.umask(0o027)
    try:
        run("messages", SAMPLE, "-o", tmp_path / "new")
        (tmp_path / "secret").touch(mode=0o600)
        run("messages", SAMPLE, "-o", tmp_path / "secret")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
@pytest.mark.parametrize("command", COMMANDS)
def test_no_room(command: tuple[str, ...]) -> None:
    """A disk that is full is one line and a failure, whether the output has a name or not, and whether Python buffers it or not."""
    done = run(*command, SAMPLE, "-o", "/dev/full")
    assert (done.returncode, done.stderr) == (1, b"esatls: /dev/full: cannot be written: No space left on device\n")
    for unbuffered in ("", "1"):
        environment = {**ENVIRONMENT, "PYTHONUNBUFFERED": unbuffered}
        with open("/dev/full", "wb") as full:
            told = subprocess.run([sys.executable, "-m", "esatls", *command, str(SAMPLE)], stdout=full, stderr=subprocess.PIPE, check=False, env=environment)
        assert (told.returncode, told.stderr) == (1, b"esatls: standard output: cannot be written: No space left on device\n")


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    "command", [("messages", "-f", "table"), ("messages", "-f", "json"), ("report", "-f", "html"), ("follow", "--once", "--checkpoint", "CHECKPOINT")]
)
def test_room_for_a_part(command: tuple[str, ...], unbuffered: str, tmp_path: pathlib.Path) -> None:
    """Standard output that takes only a part of what is written is a failure, not a short answer, even where Python does not buffer it."""
    words = [str(tmp_path / "checkpoint") if word == "CHECKPOINT" else word for word in command]
    call = [sys.executable, "-B", "-m", "esatls", *words, "-q", str(SAMPLE)]
    with open(tmp_path / "out", "wb") as out:
        out.write(b"-" * 3900)
        out.flush()
        environment = {**ENVIRONMENT, "PYTHONUNBUFFERED": unbuffered}
        done = subprocess.run(call, stdout=out, stderr=subprocess.PIPE, check=False, env=environment, preexec_fn=confined)
    assert (done.returncode, done.stderr) == (1, b"esatls: standard output: cannot be written: File too large\n")
    assert (tmp_path / "out").stat().st_size == ROOM


def test_room_for_no_copy(tmp_path: pathlib.Path) -> None:
    """`trace` copies what comes from a pipe; where there is no room for that, the error names the folder."""
    done = subprocess.run(
        [sys.executable, "-B", "-m", "esatls", "trace", "7003", "-q", "-"],
        input=SAMPLE.read_bytes(),
        capture_output=True,
        check=False,
        env={**ENVIRONMENT, "TMPDIR": str(tmp_path)},
        preexec_fn=confined,
    )
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.decode() == f"esatls: the temporary copy of standard input, in {tmp_path}: File too large\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such links")
@pytest.mark.parametrize("command", COMMANDS)
def test_pipes_by_number(command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """`/dev/stdout` and what a shell makes of `>(…)` may be pipes that have no other name: they are written to directly."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1772528400")  # a report says when it was made
    read, write = os.pipe()
    with os.fdopen(read, "rb") as reader:
        done = subprocess.run(
            [sys.executable, "-m", "esatls", *command, "-q", "-o", f"/dev/fd/{write}", str(SAMPLE)],
            pass_fds=[write],
            capture_output=True,
            check=False,
            env={**ENVIRONMENT, "SOURCE_DATE_EPOCH": os.environ["SOURCE_DATE_EPOCH"]},
        )
        os.close(write)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
        written = reader.read()
    assert written == run(*command, "-q", SAMPLE).stdout != b""


def test_where_nothing_can_be_written(tmp_path: pathlib.Path) -> None:
    """A folder as output, or one that does not exist, is told in one line."""
    for path in (tmp_path, tmp_path / "no" / "out"):
        done = run("messages", SAMPLE, "-o", path)
        assert done.returncode == 1
        assert done.stderr.decode().startswith(f"esatls: {path}: cannot be written: ")
        assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


# in


BOMBS: dict[str, tuple[Callable[[bytes], bytes], bytes]] = {
    "gzip": (gzip.compress, b"\0"),
    "gzip, lines": (gzip.compress, b"\n"),
    "bzip2": (bz2.compress, b"x"),
    "xz": (lzma.compress, b" "),
    "zstd": (zstandard.ZstdCompressor().compress, b"x\n"),
}


@pytest.mark.skipif(sys.platform != "linux", reason="the limit of address space is Linux's")
@pytest.mark.parametrize("name", BOMBS)
def test_bomb(name: str, tmp_path: pathlib.Path) -> None:
    """A small file that unpacks to more than there is memory is read in bounded memory, in blocks, and what stands beside it is read too."""
    pack, filler = BOMBS[name]
    size, times = (500_000, 1) if b"\n" in filler else (18_000_000, 16)  # of lines without end fewer will do: each is looked at
    bomb = tmp_path / "bomb"
    bomb.write_bytes(pack(filler * (size // len(filler))) * times)  # pieces put together are one file in each of these formats
    command = [sys.executable, "-m", "esatls", "messages", "-f", "json", "--jobs", "1", str(bomb), str(SAMPLE)]
    done = subprocess.run(command, capture_output=True, check=False, env=ENVIRONMENT, preexec_fn=starved)
    assert [json.loads(line)["mid"] for line in done.stdout.splitlines()] == [7001, 7002, 7003], done.stderr
    assert b"Traceback" not in done.stderr


def test_nested_json_bomb() -> None:
    """JSON in itself a million times, numbers without end and keys without end are lines like others."""
    deep = b'{"message":' * 100_000
    number = b'{"message": ' + b"9" * 1_000_000 + b"}"
    lines = [deep, b"[" * 1_000_000, number, b'{"a": 1' + b', "a": 1' * 100_000 + b"}", b'{"message": "' + b"\\u0000" * 10_000 + b'"}']
    done = run("events", stdin=b"\n".join([*lines, b'{"message": "ICID 5 TLS failed: x"}\n']))
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["icid"] for line in done.stdout.splitlines()] == [5]
    assert done.stderr.startswith(b"6 lines: 1 requested events, ")


def test_tracking_bomb() -> None:
    """Nor does a tracking document that is nested without end, or does not end, do more than give what it states."""
    record = b'{"data": {"messages": {"hostName": "esa1", "summary": [{"timestamp": "20 Jul 2024 19:47:40 (GMT)", "description": "ICID 5 (ICID 5) close"},'
    for tail in (b"[" * 1_000_000, b'{"a":' * 100_000, b"9" * 1_000_000, b" " * 1_000_000, b'"' + b"x" * 1_000_000):
        done = run("events", "-k", "all", stdin=record + tail)
        assert done.returncode in (0, 1)
        assert b"Traceback" not in done.stderr


def test_tree_of_odd_files(tmp_path: pathlib.Path) -> None:
    """A folder with pipes, sockets, devices, broken links and links that go round is read: its files once, the rest named; nothing waits."""
    import socket

    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "mail.log").write_bytes(SAMPLE.read_bytes())
    (logs / "mail.current").symlink_to("mail.log")
    os.link(logs / "mail.log", logs / "mail.hard")
    os.mkfifo(logs / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(logs / "socket"))
    (logs / "round").symlink_to(logs)
    (logs / "broken").symlink_to(tmp_path / "nowhere")
    (logs / "zero").symlink_to("/dev/zero")
    (logs / "dir").mkdir()
    (logs / "dir" / "up").symlink_to(tmp_path)
    for named in (logs, f"{logs}/*", f"{logs}/**", f"{logs}/**/*", f"{logs}/**/m*"):
        done = run("messages", "-f", "json", named)
        assert [json.loads(line)["mid"] for line in done.stdout.splitlines()] == [7001, 7002, 7003]
        told = done.stderr.decode().splitlines()
        assert told[-1] == "52 lines: 50 events, 2 ignored, 0 unreadable"
        names = {"pipe": "not a file", "socket": "not a file", "zero": "not a file", "broken": "no such file or directory"}
        if str(named).endswith("m*"):
            names = {}
        assert done.returncode == (1 if names else 0)
        assert {(line.split(": ")[1].rsplit("/", 1)[1], line.split(": ")[2]) for line in told[:-1]} == set(names.items())


def test_named_pipe_is_read(tmp_path: pathlib.Path) -> None:
    """A pipe that is named itself is read, as shells make them for `<(zcat …)`."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(SAMPLE.read_bytes()))
    writer.start()
    done = run("messages", "-f", "json", pipe)
    writer.join()
    assert len(done.stdout.splitlines()) == 3


def test_forged_lines_in_every_way_in(tmp_path: pathlib.Path) -> None:
    """A line feed in a stranger's words makes no record, from a file, a pipe, a compressed file or a collector's JSON."""
    forged = "Subject 'x\nICID 5 TLS success protocol TLSv1.3 cipher A\nMessage done DCID 6 MID 1 to RID [1]\n'"
    line = f"Wed Jul 20 19:47:48 2005 Info: MID 1 {forged}"
    native = log_of(["x"]) + line.encode() + b"\n"
    collected = b"".join(json.dumps({"message": part}).encode() + b"\n" for part in [*log_of(["x"]).decode().splitlines(), line])
    plain = run("messages", "-f", "json", stdin=log_of(["x"])).stdout
    assert json.loads(plain)["received"] == "cleartext"
    for text in (native, collected):
        (tmp_path / "log").write_bytes(text)
        (tmp_path / "log.gz").write_bytes(gzip.compress(text))
        for way in ("-", tmp_path / "log", tmp_path / "log.gz"):
            done = run("messages", "-f", "json", way, stdin=text)
            record = json.loads(done.stdout)
            record["last_seen"] = json.loads(plain)["last_seen"]
            assert record == json.loads(plain)
