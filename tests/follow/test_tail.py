"""The bytes of a log come once each and in order, whatever becomes of its files."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import zstandard
from esatls.follow.rotated_files import RotatedFiles
from esatls.follow.tail import LogPosition, Tail

from tests.follow.support import Log

if TYPE_CHECKING:
    from collections.abc import Callable


class Reading:
    """A log that is read, put down and taken up."""

    def __init__(self, path: Path, rotated_to: Path | None = None) -> None:
        self.path = path
        self.warnings: list[str] = []
        self.rotated_to = None if rotated_to is None else str(rotated_to)
        self.tail = Tail(str(path), self.warnings.append, None, self.rotated_to)

    def more(self) -> bytes:
        """Return all that there is now; a bar stands where a file ends."""
        found = b""
        empty = 0
        while empty < 3:
            data = self.tail.read()
            if data is None:
                empty += 1
            else:
                found += data or b"|"
        return found

    def again(self) -> None:
        """Take it up again, as a new process does."""
        place = self.tail.place(0)
        assert place is not None
        self.tail = Tail(str(self.path), self.warnings.append, place, self.rotated_to)


@pytest.fixture
def log(tmp_path: Path) -> Log:
    """Return a log with one line."""
    written = Log(tmp_path / "mail.log")
    written.write(b"first line of the log\n")
    return written


def test_growing(log: Log) -> None:
    """What is appended is read, once."""
    reading = Reading(log.path)
    assert reading.more() == b"first line of the log\n"
    assert reading.more() == b""
    log.write(b"2\n")
    assert reading.more() == b"2\n"
    reading.again()
    log.write(b"3\n")
    assert reading.more() == b"3\n"
    assert reading.warnings == []


@pytest.mark.parametrize("elsewhere", [False, True])
@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize("rotate", ["rename", "rename_and_compress", "copy_and_truncate", "rename_by_date"])
def test_rotated(log: Log, rotate: str, *, down: bool, elsewhere: bool) -> None:
    """The old file is read to its end first, then those after it in order, then the log; running or not, moved to another folder or not."""
    if elsewhere:
        log.rotated = log.path.parent / "old"
        log.rotated.mkdir()
    reading = Reading(log.path, log.rotated)
    assert reading.more() == b"first line of the log\n"
    told = b""
    for number in range(12):
        log.write(b"before %d\n" % number)
        getattr(log, rotate)()
        if down and number % 4 == 3:
            reading.again()
            told += reading.more()
        elif not down:
            told += reading.more()
    log.write(b"last\n")
    if down:
        reading.again()
    told += reading.more()
    assert told == b"".join(b"before %d\n|" % number for number in range(12)) + b"last\n"
    assert reading.warnings == []


def test_a_compressed_file_that_is_still_being_written(tmp_path: Path) -> None:
    """One that was cut off when it was opened, and is whole when it is read, is not called damaged."""
    path = tmp_path / "mail.log.gz"
    whole = gzip.compress(b"first line of the log\n")
    path.write_bytes(whole[:-4])
    reading = Reading(path)
    path.write_bytes(whole)
    assert (reading.more(), reading.warnings) == (b"first line of the log\n", [])


def test_moved_to_a_folder_that_nobody_named(log: Log) -> None:
    """A running reader ends the file that it holds; one that was down says what it has lost."""
    log.rotated = log.path.parent / "old"
    log.rotated.mkdir()
    reading = Reading(log.path)
    assert reading.more() == b"first line of the log\n"
    log.write(b"2\n")
    log.rename()
    log.write(b"3\n")
    assert reading.more() == b"2\n|3\n"
    assert reading.warnings == []
    log.write(b"4\n")
    log.rename()
    log.write(b"5\n")
    reading.again()
    assert reading.more() == b"5\n"
    assert reading.warnings == [f"{log.path}: the file that was being read is gone; its content after byte 2 is lost"]


def test_folder_of_rotated_files(log: Log) -> None:
    """It need not exist before the first rotation, may be the log's own by another name, and holds other logs too."""
    log.rotated = log.path.parent / "old"
    reading = Reading(log.path, log.rotated)
    reading.more()
    log.rotated.mkdir()
    for name in ("other.log.1", "mail.log", "mail.logs.1"):
        (log.rotated / name).write_bytes(b"no\n")
    log.write(b"2\n")
    log.rename()
    log.write(b"3\n")
    log.rename_and_compress()
    log.write(b"4\n")
    reading.again()
    assert reading.more() == b"2\n|3\n|4\n"
    link = log.path.parent / "link"
    link.symlink_to(log.path.parent)
    reading = Reading(log.path, link)
    assert reading.more() == b"4\n"
    log.rotated = log.path.parent
    log.rename()
    log.write(b"5\n")
    assert reading.more() == b"|5\n"
    assert reading.warnings == []


def test_folder_of_rotated_files_that_is_new(log: Log) -> None:
    """What was rotated before rotated files were moved away comes before what was moved."""
    reading = Reading(log.path, log.path.parent / "old")
    reading.more()
    for number, folder in enumerate((".", ".", "old", "old"), 2):
        log.rotated = log.path.parent / folder
        log.rotated.mkdir(exist_ok=True)
        os.utime(log.path, (1_700_000_000 + number,) * 2)
        log.rename()
        log.write(b"%d\n" % number)
    reading.again()
    assert reading.more() == b"|2\n|3\n|4\n|5\n"
    assert reading.warnings == []


def test_put_down_at_the_start_of_a_compressed_file(log: Log) -> None:
    """A compressed file is known by its first bytes before any of it was read on, too."""
    reading = Reading(log.path)
    for number in range(3):
        log.write(b"%d\n" % number)
        log.rename_and_compress()
    log.write(b"last\n")
    reading.again()
    told = b""
    for _ in range(30):
        told += reading.tail.read() or b""
        reading.again()
    assert told == b"first line of the log\n0\n1\n2\nlast\n"
    assert reading.warnings == []


@pytest.mark.parametrize("rotate", ["rename", "rename_and_compress", "copy_and_truncate"])
def test_empty_when_it_was_put_down(tmp_path: Path, rotate: str) -> None:
    """Nothing is lost of a log that was empty, and rotated before it was looked at again."""
    log = Log(tmp_path / "mail.log")
    reading = Reading(log.path)
    assert reading.more() == b""
    log.write(b"1\n")
    getattr(log, rotate)()
    log.write(b"2\n")
    reading.again()
    assert reading.more() == b"1\n|2\n"


def test_written_after_the_renaming(log: Log) -> None:
    """A writer may go on in the renamed file for a while; the new one is empty until then."""
    reading = Reading(log.path)
    old = log.path.open("ab", buffering=0)
    log.rename()
    assert reading.more() == b"first line of the log\n"
    old.write(b"late\n")
    assert reading.more() == b"late\n"
    old.write(b"later\n")
    log.write(b"new\n")
    assert reading.more() == b"later\n|new\n"


def test_appliance_names(tmp_path: Path) -> None:
    """The appliance's own names are known, with a current file and without one."""
    log = Log(tmp_path / "mail.current")
    log.write(b"1\n")
    reading = Reading(log.path)
    for number in range(2, 5):
        assert reading.more().endswith(b"%d\n" % (number - 1))
        log.rename_as_appliance()
        log.write(b"%d\n" % number)
    assert reading.more() == b"|4\n"
    log.rename_as_appliance()
    log.path.unlink()
    reading.again()
    assert reading.more() == b""
    (tmp_path / "mail.@20261126T000000.s").write_bytes(b"5\n")
    assert reading.more() == b"|5\n"
    pushed = Reading(tmp_path / "mail.current")
    assert pushed.more() == b"1\n|2\n|3\n|4\n|5\n"


def test_other_logs_of_the_folder(log: Log) -> None:
    """Files of other logs are not read, however alike their names."""
    reading = Reading(log.path)
    for name in ("mail.log2", "mail.log.old", "mail.logs.1", "email.log.1", "mail.log.1.bak", "mail.err.1", "xmail.@20261125T101500.s", "mail.log.x1"):
        log.path.with_name(name).write_bytes(b"no\n")
    log.rename()
    log.write(b"new\n")
    assert reading.more() == b"first line of the log\n|new\n"


def test_order_of_names(tmp_path: Path) -> None:
    """Rotated files come oldest first by their names, and by their dates where the names do not tell."""

    def names(*made: str) -> list[str]:
        folder = tmp_path / str(len(os.listdir(tmp_path)))
        folder.mkdir()
        for number, name in enumerate(made):
            path = folder / name
            path.write_bytes(b"x")
            os.utime(path, (1000 + number, 1000 + number))
        return [Path(file.path).name for file in RotatedFiles(str(folder / "mail.log")).series()]

    assert names("mail.log", "mail.log.2.gz", "mail.log.10.gz", "mail.log.1") == ["mail.log.10.gz", "mail.log.2.gz", "mail.log.1", "mail.log"]
    assert names("mail.log", "mail.log-20261125", "mail.log-20261124.xz") == ["mail.log-20261124.xz", "mail.log-20261125", "mail.log"]
    assert names("mail.log-20261125-1795614425", "mail.log-20261125-1795614424") == ["mail.log-20261125-1795614424", "mail.log-20261125-1795614425"]
    assert names("mail-2026-11-25.log", "mail-20261124.log") == ["mail-20261124.log", "mail-2026-11-25.log"]
    assert names("mail.2.log", "mail.1.log", "mail.log") == ["mail.2.log", "mail.1.log", "mail.log"]
    assert names("mail.log.202611", "mail.log.202610.gz", "mail.log") == ["mail.log.202610.gz", "mail.log.202611", "mail.log"]
    assert names("mail.log-2026-11", "mail.log-2026-10") == ["mail.log-2026-10", "mail.log-2026-11"]
    assert names("mail.@20261125T101500.c", "mail.@20261124T101500.s") == ["mail.@20261124T101500.s", "mail.@20261125T101500.c"]
    assert names("mail.log.1", "mail.log-20261125") == ["mail.log.1", "mail.log-20261125"]
    # compressing: both are there for a while
    assert names("mail.log.1", "mail.log.1.gz") == ["mail.log.1"]


PACKED: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".zst": zstandard.ZstdCompressor().compress}


@pytest.mark.parametrize("ending", PACKED)
def test_compressed_while_away(log: Log, ending: str) -> None:
    """A file that was compressed meanwhile is known by its first bytes, and read on where it stood; somebody's copy of it is not read."""
    reading = Reading(log.path)
    reading.more()
    shutil.copy2(log.path, log.path.with_name("mail.copy"))
    log.write(b"more\n")
    old = log.rename()
    old.with_name(old.name + ending).write_bytes(PACKED[ending](old.read_bytes()))
    old.unlink()
    log.write(b"new\n")
    reading.again()
    assert reading.more() == b"more\n|new\n"
    assert reading.warnings == []


@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize("ending", PACKED)
@pytest.mark.parametrize("bytes_kept", [None, 8])
def test_compressed_without_a_line(log: Log, ending: str, bytes_kept: int | None, *, down: bool) -> None:
    """An empty log that was rotated and compressed has nothing to read; neither has a file that breaks off at its beginning, with a warning."""
    reading = Reading(log.path)
    reading.more()
    log.rename()
    for _ in range(2):
        empty = log.rename()
        empty.with_name(empty.name + ending).write_bytes(PACKED[ending](b"")[:bytes_kept])
        empty.unlink()
        if down:
            reading.again()
        assert reading.more().strip(b"|") == b""
    log.write(b"new\n")
    if down:
        reading.again()
    assert reading.more().strip(b"|") == b"new\n"
    assert all("incomplete or damaged" in warning for warning in reading.warnings)
    assert bool(reading.warnings) == (bytes_kept is not None)


def test_empty_until_it_is_copied_and_truncated(log: Log) -> None:
    """Lines that are written to an empty log and rotated away are found when the log is empty again."""
    os.truncate(log.path, 0)
    os.utime(log.path, (1, 1))
    reading = Reading(log.path)
    assert reading.more() == b""
    log.write(b"before\n")
    os.utime(log.path, (2, 2))
    log.copy_and_truncate()
    assert reading.more() == b"before\n"
    log.write(b"after\n")
    assert reading.more() == b"|after\n"
    assert reading.warnings == []


@pytest.mark.parametrize("ending", PACKED)
def test_compressed_file_that_is_broken(log: Log, ending: str) -> None:
    """A compressed file that breaks off is read as far as it goes, with a warning."""
    reading = Reading(log.path)
    reading.more()
    unread = os.urandom(100_000).hex().encode() + b"\n"
    log.write(unread)
    old = log.rename()
    held = old.read_bytes()[: -len(unread)]
    name = old.with_name(old.name + ending)
    name.write_bytes(PACKED[ending](held) + PACKED[ending](unread)[:50_000])
    old.unlink()
    log.write(b"new\n")
    reading.again()
    found, new = reading.more().split(b"|")
    assert unread.startswith(found)
    assert len(found) > (20_000 if ending in (".gz", ".xz") else -1)  # the others are read in whole blocks
    assert new == b"new\n"
    assert [warning.partition("damaged: ")[0] for warning in reading.warnings] == [f"{name}: is incomplete or "]


def test_truncated(log: Log) -> None:
    """A log that is cut and written anew is read from its start, with a warning; even if it has grown past the old place."""
    reading = Reading(log.path)
    reading.more()
    os.truncate(log.path, 0)
    log.write(b"new\n")
    assert reading.more() == b"|new\n"
    os.truncate(log.path, 0)
    log.write(b"another first line, and a much longer one than what stood here before\n")
    assert reading.more() == b"|another first line, and a much longer one than what stood here before\n"
    assert len(reading.warnings) == 2
    assert "was truncated" in reading.warnings[0]


def test_deleted_and_made_anew(log: Log) -> None:
    """A log that is gone is waited for."""
    reading = Reading(log.path)
    reading.more()
    log.path.unlink()
    assert reading.more() == b""
    log.path.write_bytes(b"new\n")
    assert reading.more() == b"|new\n"
    log.path.unlink()
    reading.again()
    assert reading.more() == b""
    log.path.write_bytes(b"newer\n")
    assert reading.more() == b"newer\n"
    assert len(reading.warnings) == 1
    assert "is gone" in reading.warnings[0]


def test_not_there_yet(tmp_path: Path) -> None:
    """A log that does not exist yet is waited for; what was rotated before is not read, what is rotated from now on is."""
    (tmp_path / "mail.log.1").write_bytes(b"old\n")
    reading = Reading(tmp_path / "mail.log")
    assert reading.more() == b""
    reading.again()
    assert reading.more() == b""
    log = Log(tmp_path / "mail.log")
    log.write(b"new\n")
    log.rename()
    log.write(b"newer\n")
    reading.again()
    assert reading.more() == b"new\n|newer\n"


def test_folder_that_is_not_there(tmp_path: Path) -> None:
    """Nor need the folder exist."""
    reading = Reading(tmp_path / "logs" / "mail.log")
    assert reading.more() == b""
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "mail.log").write_bytes(b"1\n")
    assert reading.more() == b"1\n"


def test_inode_used_again(log: Log) -> None:
    """Another file with the inode of the old one is another file."""
    reading = Reading(log.path)
    reading.more()
    place = reading.tail.place(0)
    assert place is not None
    log.path.write_bytes(b"something that is written into the same inode, and longer\n")
    assert log.path.stat().st_ino == place.inode
    reading.again()
    assert reading.more() == b"something that is written into the same inode, and longer\n"
    assert len(reading.warnings) == 1


def test_mirrored(log: Log) -> None:
    """A log that a mirror writes whole each time, into a new file, goes on where it stood."""
    reading = Reading(log.path)
    reading.more()
    for number in range(3):
        copy = log.path.with_name("copy")
        copy.write_bytes(log.path.read_bytes() + b"%d\n" % number)
        copy.rename(log.path)
        if number == 1:
            reading.again()
        assert reading.more() == b"%d\n" % number
    assert reading.warnings == []


def test_link_that_is_turned(tmp_path: Path) -> None:
    """The log may be a link that points to another file after each rotation."""
    (tmp_path / "mail.@20261125T000001.c").write_bytes(b"1\n")
    (tmp_path / "mail.current").symlink_to("mail.@20261125T000001.c")
    reading = Reading(tmp_path / "mail.current")
    assert reading.more() == b"1\n"
    (tmp_path / "mail.@20261125T000001.c").rename(tmp_path / "mail.@20261125T000001.s")
    (tmp_path / "mail.@20261125T000002.c").write_bytes(b"2\n")
    (tmp_path / "mail.current").unlink()
    (tmp_path / "mail.current").symlink_to("mail.@20261125T000002.c")
    assert reading.more() == b"|2\n"


def test_copy_left_in_the_folder(log: Log) -> None:
    """Somebody's copy of the log is nothing to be read."""
    reading = Reading(log.path)
    reading.more()
    shutil.copy2(log.path, log.path.with_name("mail.copy"))
    log.write(b"2\n")
    reading.again()
    assert reading.more() == b"2\n"
    log.rename()
    log.write(b"3\n")
    assert reading.more() == b"|3\n"


@pytest.mark.parametrize("told", [{}, {"inode": 1}, {"inode": "1", "changed": 1, "offset": 0, "head": "", "head_length": 0}])
def test_no_place(told: dict[str, object]) -> None:
    """A place that makes no sense is refused."""
    with pytest.raises((ValueError, TypeError)):
        LogPosition.read(told)
