"""Adding a kind of line: what is wrong with a pattern is said in one line, and nothing is written."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.core.support import ROOT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a copy of what the generator of the patterns reads and writes."""
    for folder in ("grok_patterns", "python"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("ESA_TLS_FAILED_SUSPENDED ICID %{ESA_H_ID:icid} TLS %{ESA_H_SUSPENDED}", "9_more:1: no such pattern: ESA_H_SUSPENDED"),
        ("ESA_TLS_FAILED_RECEIVING ICID %{ESA_H_ID:icid} TLS suspended", "9_more:1: not a new definition: ESA_TLS_FAILED_RECEIVING ICID "),
        ("TLS_SUSPENDED ICID 5", "9_more:1: not a new definition: TLS_SUSPENDED ICID 5"),
        (
            "ESA_TLS_SUSPENDED ICID %{ESA_H_ID:icid} TLS suspended",
            "ESA_TLS_SUSPENDED: the name tells no kind of event; python/esatls/extraction/kinds.py has them",
        ),
        ("ESA_TLS_FAILED_SUSPENDED ICID %{ESA_H_ID:injection_id} TLS suspended", "ESA_TLS_FAILED_SUSPENDED: not in the field table: ['injection_id']"),
        ("ESA_TLS_FAILED_SUSPENDED ICID %{ESA_H_ID:icid} TLS (suspended", "ESA_TLS_FAILED_SUSPENDED: no regular expression: "),
        ("ESA_TLS_FAILED_SUSPENDED .*TLS suspended", "ESA_TLS_FAILED_SUSPENDED: must begin with 4 literal characters: "),
    ],
)
def test_a_pattern_that_is_none(copy: Path, line: str, said: str) -> None:
    """The line says what is wrong and where; no file is changed."""
    before = (copy / "python/esatls/extraction/patterns.py").read_bytes()
    (copy / "grok_patterns" / "9_more").write_text(line + "\n", encoding="ascii")
    done = subprocess.run([sys.executable, "python/generate"], cwd=copy, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(said)
    assert done.stderr.count("\n") == 1
    assert (copy / "python/esatls/extraction/patterns.py").read_bytes() == before
