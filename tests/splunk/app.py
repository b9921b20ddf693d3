"""The built app, unpacked, and the Pythons that Splunk runs it with."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from tests.splunk.driver import Splunk

ROOT = Path(__file__).resolve().parents[2]
VERSIONS = ("3.9", "3.13")
"""The Pythons that Splunk runs: 3.9 up to 10.0, 3.13 from 10.2 on."""


def find_python(version: str) -> str | None:
    """Return an interpreter of that version, from the PATH or from pyenv: the program itself, which runs whatever the environment says."""
    ask = "import sys; print('%d.%d' % sys.version_info[:2], sys.executable)"
    for candidate in (f"python{version}", "python3", *sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))):
        path = shutil.which(str(candidate))
        told = subprocess.run([path, "-c", ask], capture_output=True, text=True, check=False).stdout.split(maxsplit=1) if path else []
        if told and told[0] == version:
            return told[1].strip()
    return None


def build(output: Path) -> list[Path]:
    """Return the packages that `python python/package` builds into a folder."""
    command = [sys.executable, str(ROOT / "python" / "package"), "--output", str(output)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [Path(line) for line in done.stdout.splitlines()]


def unpack(package: Path, folder: Path) -> Path:
    """Return the app's folder, unpacked from a package."""
    with tarfile.open(package) as tar:
        if sys.version_info >= (3, 12):
            tar.extractall(folder, filter="data")
        else:
            tar.extractall(folder)  # noqa: S202 - our own archive
    return folder / "esatls"


def installed(folder: Path) -> dict[str, Splunk]:
    """Return a Splunk with the app, freshly built into an empty folder, for each Python that is here: version -> Splunk."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "dist").mkdir(parents=True)
    app = unpack(build(folder / "dist")[0], folder)
    found = {version: find_python(version) for version in VERSIONS}
    return {version: Splunk(python, app) for version, python in found.items() if python}
