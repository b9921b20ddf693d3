"""What cannot be read or is not understood: never passed over in silence, and never in the way of the rest."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import pathlib
import shutil
import tempfile
import threading
from typing import TYPE_CHECKING, Any

import pytest
import zstandard
from esatls.output import printable

from tests.terminal import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LINE = "Tue Mar  3 10:00:02 2026 Info: ICID {} TLS success\n"
NOBODY = 65534


def told(*args: object, code: int) -> tuple[list[int], list[str]]:
    """Return the ICIDs of the events, and the lines on standard error."""
    done = run("events", *args)
    assert done.returncode == code, done.stderr
    return [json.loads(line)["icid"] for line in done.stdout.splitlines()], done.stderr.decode().splitlines()


@pytest.fixture
def folder() -> Iterator[pathlib.Path]:
    """Make a folder that other users may look into, which those of pytest are not."""
    path = pathlib.Path(tempfile.mkdtemp())
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="this system has no other users to be")
@pytest.mark.parametrize("closed", ["folder", "file"])
def test_what_may_not_be_read(folder: pathlib.Path, closed: str) -> None:
    """A closed folder, and a closed file in an open one, are named once, with exit code 1; the rest is read."""
    (folder / "a.log").write_text(LINE.format(1))
    (folder / "old").mkdir()
    (folder / "old" / "b.log").write_text(LINE.format(2))
    assert told("-q", folder, code=0) == ([1, 2], [])
    shut = folder / "old" if closed == "folder" else folder / "old" / "b.log"
    shut.chmod(0)
    user = os.geteuid()
    try:
        if user == 0:
            os.seteuid(NOBODY)
    except PermissionError:
        pytest.skip("root may read everything, and may be nobody else here")
    try:
        for paths in ([folder], [folder / "a.log", shut]):
            assert told("-q", *paths, code=1) == ([1], [f"esatls: {shut}: permission denied"])
    finally:
        os.seteuid(user)
        shut.chmod(0o755)


@pytest.mark.parametrize("jobs", [1, 2])
def test_file_that_is_gone_when_its_turn_comes(tmp_path: pathlib.Path, jobs: int) -> None:
    """A file that was there when the files were looked for is named, with exit code 1; the others are read."""
    pipe, gone, last = tmp_path / "a", tmp_path / "b.log", tmp_path / "c.log"
    os.mkfifo(pipe)
    gone.write_text(LINE.format(2))
    last.write_text(LINE.format(3))

    def write() -> None:
        with pipe.open("w") as file:  # once it is read
            gone.unlink()
            file.write(LINE.format(1))

    writer = threading.Thread(target=write)
    writer.start()
    # one process reads one file after the other; the second of two begins with the file that goes
    files = (pipe, gone, last) if jobs == 1 else (pipe, last, gone)
    done = told("-q", "--jobs", jobs, *files, code=1)
    writer.join()
    assert done == ([1, 3], [f"esatls: {gone}: no such file or directory"])


def test_folder_without_files(tmp_path: pathlib.Path) -> None:
    """A folder in which no file is, or hidden ones alone, is named as such, with exit code 1; the rest is read."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / ".hidden").touch()
    (tmp_path / "a.log").write_text(LINE.format(1))
    assert told("-q", tmp_path / "empty", tmp_path / "a.log", code=1) == ([1], [f"esatls: {tmp_path / 'empty'}: no file in this folder"])


def test_gzip_with_a_bad_block(tmp_path: pathlib.Path) -> None:
    """It is read up to the damage, and named, with exit code 1; the next file is read."""
    lines = [LINE.format(number).encode() for number in range(20_000)]
    packed = bytearray(gzip.compress(b"".join(lines)))
    at = len(packed) // 2
    packed[at : at + 8] = b"\xff" * 8
    (tmp_path / "bad.gz").write_bytes(packed)
    (tmp_path / "good.log").write_text(LINE.format(99_999))
    found, said = told("-q", tmp_path / "bad.gz", tmp_path / "good.log", code=1)
    assert found[-1] == 99_999
    whole = next(at for at, number in enumerate(found) if at != number)
    # to the block of the damage; the library by itself loses the 32 KiB before it, two thirds of a file of this size
    assert len(found) < 20_000
    assert whole > 0.9 * 10_000
    assert f"esatls: {problems(tmp_path / 'bad.gz', tmp_path / 'good.log', code=1)[0]}" == said[0]
    assert [line.partition("damaged")[0] for line in said] == [f"esatls: {tmp_path / 'bad.gz'}: is incomplete or "]


@pytest.mark.parametrize("pack", [bz2.compress, gzip.compress, lzma.compress, zstandard.ZstdCompressor().compress])
def test_compressed_file_that_breaks_off(tmp_path: pathlib.Path, pack: Callable[[bytes], bytes]) -> None:
    """It is read as far as it goes, and named, with exit code 1; whole ones behind each other are one log."""
    lines = [LINE.format(number * 7919 % 10_007) for number in range(4_000)]
    whole = [pack("".join(half).encode()) for half in (lines[:2_000], lines[2_000:])]
    path = tmp_path / "mail.log"
    path.write_bytes(b"".join(whole))
    found, said = told("-q", path, code=0)
    assert (len(found), said) == (4_000, [])
    path.write_bytes(whole[0] + whole[1][: len(whole[1]) // 2])
    found, said = told("-q", path, code=1)
    assert 2_000 <= len(found) < 4_000
    assert [line.partition("damaged")[0] for line in said] == [f"esatls: {path}: is incomplete or "]


@pytest.mark.parametrize("zeros", [0, 700, 70_000])
def test_gzip_in_several_members(tmp_path: pathlib.Path, zeros: int) -> None:
    """Members behind each other are one log, also where zeros that fill a tape's block stand between them."""
    members = [gzip.compress(LINE.format(number).encode()) + b"\0" * zeros for number in (1, 2, 3)]
    (tmp_path / "a.gz").write_bytes(b"".join(members))
    assert told("-q", tmp_path / "a.gz", code=0) == ([1, 2, 3], [])


def problems(*args: object, code: int = 0) -> list[str]:
    """Return the problems that a report on some files names."""
    done = run("report", "-q", "-f", "json", *args)
    assert done.returncode == code, done.stderr
    return list(json.loads(done.stdout)["evidence"]["problems"])


def shaped(*args: object, code: int = 0) -> list[str]:
    """Return what is said of lines that were not recognized."""
    return [line for line in told(*args, code=code)[1] if "like this" in line]


@pytest.mark.parametrize("jobs", [1, 2])
def test_shape_that_is_never_understood(tmp_path: pathlib.Path, jobs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines of one shape that no known header begins are told once, with the first words of one, beside lines that are understood."""
    monkeypatch.setattr("esatls.parallel.parts.LEAST_PART", 1)
    log = tmp_path / "a.log"
    unknown = [f"2026-03-03 10h{number % 60:02} esa1\x1b[31m mail_logs > ICID {number} TLS success\n" for number in range(999)]
    log.write_text(LINE.format(1) * 500 + "".join(unknown) + LINE.format(1) * 500)
    assert shaped("--jobs", jobs, log) == []
    with log.open("a") as file:
        file.write(unknown[0])
    (said,) = shaped("--jobs", jobs, log)
    assert said == "esatls: 1,000 lines that were not recognized begin like this: 2026-03-03 10h00 esa1\\x1b[31m mail_logs > ICID 0 TLS success"
    assert shaped("-q", "--jobs", jobs, log) == []
    (problem,) = problems("--jobs", jobs, log)
    assert f"esatls: {printable(problem)}" == said


@pytest.mark.parametrize("command", ["events", "connections", "messages", "report"])
def test_all_is_told_in_the_order_of_the_input(tmp_path: pathlib.Path, command: str) -> None:
    """What is wrong with files and what begins unknown lines is told in the order of the input, whatever their sizes, with any number of processes."""
    for name, lines in (("a", 900), ("b", 1), ("c", 1000), ("d", 2)):
        (tmp_path / f"{name}.txt").write_text("nothing\n" * lines)
        (tmp_path / f"{name}.log").write_text(
            LINE.format(1) + f"2026-03-03 10h00 box-{name} > ICID 7\n" * (2000 if name == "c" else 900) + LINE.format(2) * (lines // 9)
        )
    told = [run(command, "--jobs", jobs, *sorted(tmp_path.iterdir())).stderr.decode().splitlines() for jobs in (1, 2, 3)]
    assert told[0][:4] == [f"esatls: {tmp_path / name}.txt: no lines were recognized" for name in "abcd"]
    assert told[0][5:6] == ["esatls: 4,700 lines that were not recognized begin like this: 2026-03-03 10h00 box-a > ICID 7"]
    assert told[1:] == [told[0]] * 2


@pytest.mark.parametrize(
    "line",
    [
        "Tue Mar  3 10:00:02 2026 Info: SenderBase upload: 734 hosts\n",
        "Tue Mar  3 10:00:02 2026 Info: MID 1 interim AV verdict using\nSophos CLEAN\n",
        "mail_logs: Info: MID 1 interim AV verdict using Sophos CLEAN\n",
        "MID 1 interim AV verdict using Sophos CLEAN\n",
        "\n",
    ],
)
def test_other_lines_of_a_log_are_understood(tmp_path: pathlib.Path, line: str) -> None:
    """Lines that say nothing of mail, the rest of a wrapped one and text without a header are nothing to speak of."""
    (tmp_path / "a.log").write_text(line * 1500 + "ICID 5 TLS success\n")
    assert shaped(tmp_path / "a.log", code=0) == []


def test_records_without_a_line(tmp_path: pathlib.Path) -> None:
    """Records of a collector whose field nobody knows are told too."""
    records: list[dict[str, Any]] = [{"n": number, "what": "Info: ICID 5 TLS success"} for number in range(1200)]
    (tmp_path / "a.json").write_text(LINE.format(1) + "".join(json.dumps(record) + "\n" for record in records))
    (said,) = shaped(tmp_path / "a.json")
    assert said.endswith(': {"n": 0, "what": "Info: ICID 5 TLS success"}')
    assert "1,200 lines" in said


@pytest.mark.parametrize("command", ["events", "connections", "messages", "report"])
def test_file_of_which_nothing_is_understood(tmp_path: pathlib.Path, command: str) -> None:
    """It is named, with exit code 1, by every command; --allow-empty is for those who expect it, and forgives nothing else."""
    (tmp_path / "x.txt").write_text("one\ntwo\n")
    (tmp_path / "empty.log").touch()
    (tmp_path / "good.log").write_text(LINE.format(1))
    said = f"esatls: {tmp_path / 'x.txt'}: no lines were recognized"
    done = run(command, "-q", *sorted(tmp_path.iterdir()))
    assert (done.returncode, done.stderr.decode().splitlines()) == (1, [said])
    done = run(command, "-q", "--allow-empty", *sorted(tmp_path.iterdir()))
    assert (done.returncode, done.stderr) == (0, b"")
    done = run(command, "-q", "--allow-empty", *sorted(tmp_path.iterdir()), tmp_path / "no.log")
    assert (done.returncode, done.stderr.decode().splitlines()) == (1, [f"esatls: {tmp_path / 'no.log'}: no such file or directory"])
    # alone, it is the whole input
    assert run(command, "-q", tmp_path / "x.txt").returncode == 1
    assert run(command, "-q", "--allow-empty", tmp_path / "x.txt").returncode == 0
    assert run(command, "-q", tmp_path / "empty.log").returncode == 0


NO_LINES = {
    "table": "message,host\nfoo bar,esa1\n",
    "table of a subject": 'Zeit;Betreff\n2024-03-03T10:00:02Z;"Mar  3 10:00:02 esa1 mail_logs: Info: ICID 5 TLS success"\n',
    "record": '{"message": "foo bar", "host": "esa1"}\n' * 3,
    "indented record": '{\n "message": "foo bar"\n}\n',
    "record of another program": '{"message": "foo bar", "level": "info", "time": "2024-03-03T10:00:02Z"}\n',
    "record in a record": json.dumps({"message": json.dumps({"message": "foo bar"})}) + "\n",
}
OTHER_LINES = {
    "table": 'message,host\nfoo bar,x\n"Mar  3 10:00:02 esa1 mail_logs: Info: foo",esa1\n',
    "records": '{"message": "Mar  3 10:00:02 esa1 mail_logs: Info: foo"}\n' * 3,
    "records without headers": '{"message": "foo bar", "program": "mail_logs", "level": "info"}\n',
    "record in a record": json.dumps({"message": json.dumps({"message": "Info: foo"})}) + "\n",
}


@pytest.mark.parametrize("name", NO_LINES)
def test_table_or_records_without_a_log_line(tmp_path: pathlib.Path, name: str) -> None:
    """A file whose column or field of lines holds none is named, like any other of which nothing is understood."""
    (tmp_path / "x").write_text(NO_LINES[name])
    (tmp_path / "good.log").write_text(LINE.format(1))
    for jobs in (1, 2):
        done = run("events", "-q", "--jobs", jobs, tmp_path / "x", tmp_path / "good.log")
        assert (done.returncode, done.stderr.decode()) == (1, f"esatls: {tmp_path / 'x'}: no lines were recognized\n")


@pytest.mark.parametrize("name", OTHER_LINES)
def test_table_or_records_with_other_lines(tmp_path: pathlib.Path, name: str) -> None:
    """A header in front of a record's line or beside it shows a log, even if none of its lines is an event."""
    (tmp_path / "x").write_text(OTHER_LINES[name])
    (tmp_path / "good.log").write_text(LINE.format(1))
    done = run("events", "-q", tmp_path / "x", tmp_path / "good.log")
    assert (done.returncode, done.stderr) == (0, b"")
