"""The output of `esatls follow`, whatever others do to its file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from esatls.follow.sink import Sink

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.skipif(os.name == "nt", reason="an open file cannot be moved there")
def test_output_that_is_moved_deleted_or_cut(tmp_path: Path) -> None:
    """A file that is moved or deleted is begun anew, with a warning; one that is cut is written on at its end, without a gap."""
    out = tmp_path / "out.jsonl"
    warnings: list[str] = []
    sink = Sink(str(out), warnings.append)
    sink.write(b"1\n")
    out.rename(tmp_path / "old.jsonl")
    sink.write(b"2\n")
    sink.write(b"3\n")
    assert (out.read_bytes(), (tmp_path / "old.jsonl").read_bytes()) == (b"2\n3\n", b"1\n")
    out.unlink()
    sink.write(b"4\n")
    assert sink.state() == {"inode": out.stat().st_ino, "length": 2}
    os.truncate(out, 0)
    sink.write(b"5\n")
    sink.close()
    assert out.read_bytes() == b"5\n"
    assert warnings == [
        f"{out}: was moved or deleted; writing to a new file",
        f"{out}: was moved or deleted; writing to a new file",
        f"{out}: was truncated; appending to what is left",
    ]


def test_output_in_another_place(tmp_path: Path) -> None:
    """Where another file has the name now, records go behind what is in that."""
    out = tmp_path / "out.jsonl"
    warnings: list[str] = []
    sink = Sink(str(out), warnings.append)
    sink.write(b"1\n")
    (tmp_path / "new").write_bytes(b"0\n")
    (tmp_path / "new").replace(out)
    sink.write(b"2\n")
    sink.close()
    assert out.read_bytes() == b"0\n2\n"
    assert len(warnings) == 1
