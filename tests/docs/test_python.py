"""The page about Python: its programs print what stands below them."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.docs.examples import ROOT, SAMPLE, blocks

if TYPE_CHECKING:
    import pathlib

DOCUMENT = "docs/PYTHON.md"


def programs() -> list[tuple[str, str]]:
    """Return each program with what it prints."""
    found = [block for block in blocks(DOCUMENT) if block.language in ("python", "text")]
    assert [block.language for block in found] == ["python", "text"] * (len(found) // 2)
    return [(program.text, printed.text) for program, printed in zip(found[::2], found[1::2])]


@pytest.mark.parametrize("number", range(len(programs())))
def test_program(tmp_path: pathlib.Path, number: int) -> None:
    """Each program, after the first one, prints what stands below it; one that needs a package that is not installed is left out."""
    program, printed = programs()[number]
    for name in re.findall(r"^import (\w+)$", program, re.MULTILINE):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"needs {name}: pip install {name}")
    shutil.copy(SAMPLE, tmp_path / "mail.log")
    shim = tmp_path / "esatls"
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m esatls "$@"\n', encoding="utf-8")
    shim.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": os.pathsep.join([str(ROOT / "python"), *sys.path])}
    first = programs()[0][0]
    both = first + 'print("====")\n' + program if number else program
    done = subprocess.run([sys.executable, "-c", both], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.rpartition("====\n")[2] == printed
