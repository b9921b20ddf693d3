"""What the tests of the Splunk app share: the built package, unpacked, and the tools that tests/splunk/setup.sh installs."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.splunk.conf import CACHE, ROOT
from tests.splunk.driver import Splunk

if TYPE_CHECKING:
    from collections.abc import Callable

VERSIONS = ("3.9", "3.13")
"""The Pythons that Splunk runs: 3.9 up to 10.0, 3.13 from 10.2 on."""


def find_python(version: str) -> str | None:
    """Return an interpreter of that version, from the PATH or from pyenv."""
    for candidate in (f"python{version}", *sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))):
        path = shutil.which(str(candidate))
        if path and subprocess.run([path, "-c", "import sys"], capture_output=True, check=False).returncode == 0:
            return path
    return None


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return the packages that `python python/package` builds."""
    output = tmp_path_factory.mktemp("dist")
    command = [sys.executable, str(ROOT / "python" / "package"), "--output", str(output)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [Path(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="session")
def app(packages: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the app's folder, unpacked from the package."""
    folder = tmp_path_factory.mktemp("apps")
    with tarfile.open(packages[0]) as tar:
        if sys.version_info >= (3, 12):
            tar.extractall(folder, filter="data")
        else:
            tar.extractall(folder)  # noqa: S202 - our own archive
    return folder / "esatls"


@pytest.fixture(scope="session", params=VERSIONS)
def splunk(request: pytest.FixtureRequest, app: Path) -> Splunk:
    """Return a Splunk with the app, on each Python that Splunk runs."""
    python = find_python(request.param)
    if python is None:
        pytest.skip(f"no Python {request.param} found")
    return Splunk(python, app)


@pytest.fixture(scope="session")
def tool(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a tool of tests/splunk/setup.sh: `tool("slim", "slim", "validate", ...)`; skips where it is not installed."""
    home = tmp_path_factory.mktemp("home")  # the tools write settings there

    def run(environment: str, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        path = CACHE / environment / "bin" / program
        if not path.exists():
            pytest.skip(f"{program} is not installed: run tests/splunk/setup.sh")
        variables = {"HOME": str(home), "PATH": f"{path.parent}:/usr/bin:/bin", "LANG": "C.UTF-8"}
        return subprocess.run([str(path), *arguments], capture_output=True, text=True, check=False, env=variables)

    return run


@pytest.fixture(scope="session")
def needs_pcre2() -> None:
    """Skips where PCRE2 is not installed."""
    if not (CACHE / "pcre2" / ".done").exists():
        pytest.skip("pcre2 is not installed: run tests/splunk/setup.sh")
