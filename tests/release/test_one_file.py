"""The command line in one file, run by this Python without any package of its environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from importlib import metadata
from typing import TYPE_CHECKING

import pytest

from tests import terminal
from tests.splunk.conf import ROOT

sys.path.insert(0, str(ROOT / "python" / "package"))
import one_file
import sbom

if TYPE_CHECKING:
    from pathlib import Path

SAMPLE = ROOT / "python" / "esatls" / "sample.log"


@pytest.fixture(scope="module")
def pyz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file."""
    path: Path = one_file.build(tmp_path_factory.mktemp("dist"))[0]
    return path


def run(pyz: Path, *words: object, folder: Path) -> subprocess.CompletedProcess[bytes]:
    """Run it, isolated from what is installed."""
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run([sys.executable, "-I", "-S", str(pyz), *map(str, words)], cwd=folder, env=clean, capture_output=True, check=False)


def test_it_is_pure_python_and_the_same_each_time(pyz: Path, tmp_path: Path) -> None:
    """No compiled module is in it, it may be run as a program, and two builds are the same bytes."""
    names = zipfile.ZipFile(pyz).namelist()
    assert [name for name in names if name.endswith((".so", ".pyd", ".pyc"))] == []
    assert pyz.read_bytes().startswith(b"#!/usr/bin/env python3\n")
    assert os.access(pyz, os.X_OK)
    (again,) = one_file.build(tmp_path)
    assert again.read_bytes() == pyz.read_bytes()


def test_it_asks_for_a_python_that_it_runs_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without tomli, it needs the Python whose standard library reads the configuration file."""
    distribution = metadata.distribution

    def found(name: str) -> metadata.Distribution:
        if name == "tomli":
            raise metadata.PackageNotFoundError(name)
        return distribution(name)

    monkeypatch.setattr(metadata, "distribution", found)
    files, oldest = one_file.contents()
    assert oldest == 11
    assert b"this file needs Python 3.11 or newer" in files["__main__.py"]


def test_bill_names_every_library(pyz: Path) -> None:
    """Its bill of materials names each library in it, with version, supplier and licence."""
    with zipfile.ZipFile(pyz) as program:
        names, bill = program.namelist(), json.loads(program.read(sbom.NAME))
    held = sorted({name.split(".dist-info/")[0] for name in names if ".dist-info/" in name})
    assert sorted(f"{part['name']}-{part['version']}" for part in bill["components"]) == held
    assert {part["name"] for part in bill["components"]} == {name.split("/")[0] for name in names if "/" in name} - {"esatls"} - {
        f"{one}.dist-info" for one in held
    }
    for part in bill["components"]:
        assert (part["supplier"]["name"], part["licenses"][0]["license"]["id"]) == one_file.DEPENDENCIES[part["name"]]


@pytest.mark.parametrize(
    "words",
    [
        ("messages", "-q", "-f", "json"),
        ("connections", "-q", "-f", "csv"),
        ("events", "-q", "-f", "table"),
        ("trace", "-q", "7003"),
        ("report", "-q", "-f", "html"),
        ("report", "-q", "-f", "text"),
        ("report", "-q", "-f", "json"),
    ],
)
def test_it_answers_as_the_installed_one(pyz: Path, words: tuple[str, ...], tmp_path: Path) -> None:
    """Each command writes the same bytes as where everything is installed."""
    made = {"SOURCE_DATE_EPOCH": "1772530000"}
    os.environ.update(made)
    try:
        done = run(pyz, *words, SAMPLE, folder=tmp_path)
    finally:
        del os.environ["SOURCE_DATE_EPOCH"]
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == terminal.run(*words, SAMPLE, env=made).stdout


def test_what_needs_an_installation_says_so(pyz: Path, tmp_path: Path) -> None:
    """Zstd and Parquet are told in one line to need a package."""
    (tmp_path / "mail.zst").write_bytes(b"\x28\xb5\x2f\xfd1234")
    for words in (("messages", "-q", "mail.zst"), ("messages", "-q", "-o", "out.parquet", SAMPLE)):
        done = run(pyz, *words, folder=tmp_path)
        assert done.returncode == 1
        assert b"needs" in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert json.loads(run(pyz, "messages", "-q", "-f", "json", "--mid", "7001", SAMPLE, folder=tmp_path).stdout)["mid"] == 7001
