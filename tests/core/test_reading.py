"""`esatls.read`: files to records, as the command line reads them."""

from __future__ import annotations

import contextlib
import gzip
import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import esatls
import pytest
from esatls.errors import InputError, UsageError, WrongTypeError
from esatls.extraction.fields import CONNECTION_FIELDS, DELIVERY_FIELDS, MESSAGE_FIELDS
from esatls.lines.sources import Reader, Source

from tests import terminal
from tests.core.support import ROOT

if TYPE_CHECKING:
    import pathlib

SAMPLE = ROOT / "python" / "esatls" / "sample.log"


def test_what_the_command_line_gives(tmp_path: pathlib.Path) -> None:
    """Of a folder of parts, one of them compressed, the records are the command line's, whoever reads and in whatever number of processes."""
    lines = SAMPLE.read_bytes().splitlines(keepends=True)
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"".join(lines[:20])))
    (tmp_path / "b.log").write_bytes(b"".join(lines[20:]))
    for jobs in (1, 2):
        log = esatls.read(tmp_path, jobs=jobs)
        for command in ("messages", "connections"):
            expected = [json.loads(line) for line in terminal.run(command, "-q", "-f", "json", tmp_path).stdout.splitlines()]
            assert list(map(dict, getattr(log, command)())) == expected
        assert str(log.counts) == "52 lines: 50 events, 2 ignored, 0 unreadable"
        assert log.problems == []


def test_rows_have_every_field() -> None:
    """Rows have all fields in their order, None for what a record lacks, and times with their zone; deliveries too."""
    log = esatls.read(str(SAMPLE))
    for what, fields in (("messages", MESSAGE_FIELDS), ("connections", CONNECTION_FIELDS)):
        assert {tuple(row) for row in log.rows(what)} == {tuple(field.name for field in fields)}
    third = log.rows("messages")[2]
    assert third["first_seen"] == datetime(2026, 3, 3, 8, 14, 20, tzinfo=timezone.utc)
    assert (third["parent_mid"], third["recipients"]) == (None, ["anna@partner.example", "info@old.example.net"])
    assert {tuple(attempt) for attempt in third["deliveries"]} == {tuple(field.name for field in DELIVERY_FIELDS)}
    assert third["deliveries"][1]["time"] == datetime(2026, 3, 3, 8, 14, 23, tzinfo=timezone.utc)
    with pytest.raises(UsageError):
        log.rows("events")


def test_zone_host_and_year(tmp_path: pathlib.Path) -> None:
    """Zone, host and year are those that are given: a zone by name or as Python has it."""
    path = tmp_path / "mail.log"
    path.write_text("Mar  3 10:00:00 mail_logs: Info: Start MID 1 ICID 2\n", encoding="utf-8")
    for where in ("Europe/Berlin", timezone(timedelta(hours=1))):
        (row,) = esatls.read([path], timezone=where, host="esa1", year=2024).rows("messages")
        assert (row["esa_host"], row["first_seen"]) == ("esa1", datetime(2024, 3, 3, 9, tzinfo=timezone.utc))


def test_what_is_wrong(tmp_path: pathlib.Path) -> None:
    """What cannot be read is told and stops nothing; nothing at all, a wrong zone and an open file are errors."""
    assert esatls.read([SAMPLE, tmp_path / "missing"]).problems == [f"{tmp_path / 'missing'}: no such file or directory"]
    with pytest.raises(InputError):
        esatls.read(tmp_path / "missing")
    with pytest.raises(UsageError):
        esatls.read(SAMPLE, timezone="Mars/Olympus")
    with SAMPLE.open("rb") as file, pytest.raises(WrongTypeError):
        esatls.read([file])  # type: ignore[list-item]
    with SAMPLE.open(encoding="utf-8") as text, pytest.raises(WrongTypeError):
        esatls.read(text)
    with pytest.raises(WrongTypeError):
        esatls.read(None)  # type: ignore[arg-type]
    for year in (0, 26, 99_999):
        with pytest.raises(UsageError, match="not a year"):
            esatls.read(SAMPLE, year=year)


def test_a_file_that_is_cut_while_it_is_read(tmp_path: pathlib.Path) -> None:
    """A file that is truncated, or replaced by a shorter one, before it was read to the end that it had is a problem; one that grows is not."""
    log = tmp_path / "mail.log"
    content = SAMPLE.read_bytes() * 100
    said = f"{log}: was truncated or replaced while it was read"

    def told(end: int | None, then: bytes) -> list[str]:
        problems: list[str] = []
        log.write_bytes(content)
        reader = Reader(Source(str(log)), problems.append, 0, end)
        blocks = reader.blocks()
        next(blocks)
        log.write_bytes(then)
        assert len([*blocks]) < len(content)
        reader.close()
        assert reader.raw.closed
        return problems

    assert told(None, b"") == told(None, content[:1000]) == told(len(content), content[:1000]) == [said]
    assert told(None, content) == told(None, content + content) == told(len(content), content) == []
    problems: list[str] = []
    with contextlib.closing(Reader(Source(str(log)), problems.append, 0, len(content) + 1)) as reader:
        assert b"".join(reader.blocks()) == content
    assert problems == [said]


def test_a_path_that_cannot_be_one() -> None:
    """A path with a NUL is a problem like that of any file that cannot be read."""
    log = esatls.read([SAMPLE, "a\0b"])
    assert (str(log.counts), log.problems) == ("52 lines: 50 events, 2 ignored, 0 unreadable", ["a\0b: is not a file name"])


@pytest.mark.parametrize(
    ("paths", "said"), [([], "nothing to read$"), ((), "nothing to read$"), ("no\n.log", r"nothing to read: no\\x0a\.log: no such file or directory$")]
)
def test_nothing_to_read(paths: Any, said: str) -> None:
    """An empty list, such as that of a glob that matches nothing, is an error, as is a path that is not there: standard input is read only if it is named."""
    with pytest.raises(InputError, match=said):
        esatls.read(paths)
