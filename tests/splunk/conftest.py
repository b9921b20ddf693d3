"""What the tests of the Splunk app share: the built package, unpacked, and the tools that tests/splunk/setup.sh installs."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.splunk.app import VERSIONS, build, find_python, unpack
from tests.splunk.conf import CACHE
from tests.splunk.driver import Splunk

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return the Splunk packages that `python python/package` builds."""
    return build(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="session")
def app(packages: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the app's folder, unpacked from the package."""
    return unpack(packages[0], tmp_path_factory.mktemp("apps"))


@pytest.fixture(scope="session", params=VERSIONS)
def splunk(request: pytest.FixtureRequest, app: Path) -> Splunk:
    """Return a Splunk with the app, on each Python that Splunk runs."""
    python = find_python(request.param)
    if python is None:
        pytest.skip(f"no Python {request.param} found")
    return Splunk(python, app)


@pytest.fixture(scope="session")
def splunks(app: Path) -> list[Splunk]:
    """Return a Splunk with the app on each Python that is here, the oldest first: for tests of seconds, of which one Python sees enough."""
    found = [Splunk(python, app) for python in map(find_python, VERSIONS) if python]
    if not found:
        pytest.skip(f"no Python {' or '.join(VERSIONS)} found")
    return found


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
