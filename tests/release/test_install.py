"""The wheel and the source archive, built as a release builds them, installed in a fresh environment and run."""

from __future__ import annotations

import email
import importlib.util
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest

from tests.splunk.app import VERSIONS, find_python
from tests.splunk.conf import ROOT

sys.path.insert(0, str(ROOT / "python" / "package"))
import archives
import sbom

if TYPE_CHECKING:
    from pathlib import Path

SAMPLE = ROOT / "python" / "esatls" / "sample.log"


def pythons() -> dict[str, str]:
    """Return the supported Pythons that are here: the oldest, the newest that Splunk runs, and this one."""
    found = {"{}.{}".format(*sys.version_info[:2]): sys.executable}
    for version in VERSIONS:
        path = find_python(version)
        if path and subprocess.run([path, "-c", "import venv, ensurepip"], capture_output=True, check=False).returncode == 0:
            found[version] = path
    return found


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the source archive and the wheel that is built from it."""
    if not importlib.util.find_spec("build"):
        pytest.skip("needs the package build: pip install -e '.[dev]'")
    folder = tmp_path_factory.mktemp("dist")
    done = subprocess.run([sys.executable, "-m", "build", "--outdir", str(folder), str(ROOT)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    number = archives.version()
    return {"wheel": folder / f"esatls-{number}-py3-none-any.whl", "sdist": folder / f"esatls-{number}.tar.gz"}


def test_wheel_holds_what_it_needs(dist: dict[str, Path]) -> None:
    """The library, its sample, the Elastic files and the licence are in the wheel, with a bill of materials, and nothing of the tests."""
    with zipfile.ZipFile(dist["wheel"]) as wheel:
        names = wheel.namelist()
        info = f"esatls-{archives.version()}.dist-info"
        about = email.message_from_bytes(wheel.read(f"{info}/METADATA"))
        library = {path.relative_to(ROOT / "python").as_posix() for path in (ROOT / "python" / "esatls").rglob("*.py")}
        assert library <= set(names)
        for name in ("esatls/sample.log", "esatls/py.typed", "esatls/elastic/assets/kibana/dashboards.ndjson", f"{info}/licenses/LICENSE"):
            assert name in names
        data = f"esatls-{archives.version()}.data"
        assert {name.split("/")[0] for name in names} == {"esatls", info, data}
        assert f"{data}/data/share/man/man1/esatls-messages.1" in names
        assert about["License-Expression"] == "Apache-2.0"
        assert about["Requires-Python"] == ">=3.9"
        if sys.version_info >= (3, 10):  # hatchling for 3.9 knows no bills
            assert wheel.read(f"{info}/sboms/esatls.cdx.json") == (ROOT / sbom.WHEEL).read_bytes()


def test_source_archive_holds_the_project(dist: dict[str, Path]) -> None:
    """The source archive has every file of the checkout that is tracked, so that its tests can be run from it."""
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split("\0")[:-1]
    if not tracked:
        pytest.skip("needs a git checkout, which tells what belongs to the project")
    with tarfile.open(dist["sdist"]) as tar:
        names = {name.partition("/")[2] for name in tar.getnames()}
    assert sorted(name for name in tracked if name not in names and (ROOT / name).exists()) == []


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
@pytest.mark.parametrize("version", sorted(pythons()))
def test_installed_answers(dist: dict[str, Path], version: str, kind: str, tmp_path: Path) -> None:
    """Installed into a fresh environment, from another folder, `esatls` gives the sample's answer, and as a library too."""
    subprocess.run([pythons()[version], "-m", "venv", str(tmp_path / "v")], check=True)
    python = tmp_path / "v" / ("Scripts" if os.name == "nt" else "bin") / "python"
    done = subprocess.run([str(python), "-m", "pip", "install", "-q", str(dist[kind])], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    run = [str(python.with_name("esatls")), "messages", "-q", "-f", "json", str(SAMPLE)]
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    out = subprocess.run(run, cwd=tmp_path, env=clean, capture_output=True, text=True, check=True).stdout
    told = [json.loads(line) for line in out.splitlines()]
    assert [(one["mid"], one["received"], one["delivered"]) for one in told] == [
        (7001, "encrypted", "encrypted"),
        (7002, "cleartext", "encrypted"),
        (7003, "encrypted", "mixed"),
    ]
    code = "import esatls, esatls.elastic.setup as s; print(esatls.__version__, esatls.__file__, len(s.asset('kibana/dashboards.ndjson')) > 0)"
    number, path, assets = subprocess.run([str(python), "-c", code], cwd=tmp_path, env=clean, capture_output=True, text=True, check=True).stdout.split()
    assert (number, assets) == (archives.version(), "True")
    assert str(tmp_path) in path
