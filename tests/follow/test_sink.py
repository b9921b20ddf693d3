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
    """A file that is moved or deleted is begun anew, with a warning; one that is cut, or has the name now, is written on at its end."""
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
    (tmp_path / "new").write_bytes(b"0\n")
    (tmp_path / "new").replace(tmp_path / "out.jsonl")
    sink.write(b"6\n")
    sink.close()
    assert out.read_bytes() == b"0\n6\n"
    assert warnings == [
        f"{out}: was moved or deleted; writing to a new file",
        f"{out}: was moved or deleted; writing to a new file",
        f"{out}: was truncated; appending to what is left",
        f"{out}: was moved or deleted; writing to a new file",
    ]
