"""Fixtures of the dashboard tests: the built package, the scenario's log, a splunkd that answers, a browser."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.splunk.dashboards.standin import browser as chromium
from tests.splunk.dashboards.standin import checks, scenario, source, spl, splunkd, views

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def log_source(app: pathlib.Path) -> source.LogSource:
    """Rows of the commands from the built package over the scenario's log."""
    return source.LogSource(source.Package(app), scenario.lines())


@pytest.fixture
def week(log_source: source.LogSource) -> spl.Search:
    """Return a search over the scenario's whole week."""
    now = scenario.NOW.timestamp()
    return spl.Search(macros=views.macros(), earliest=now - 7 * 86400, latest=now, now=now, source=log_source)


@pytest.fixture(scope="session")
def verdict() -> dict[str, Any]:
    """Ask Splunk's validator about the views, and for the preset's schema: {errors: {view: […]}, schema: {…}}."""
    return validated(checks.all_definitions())


def validated(definitions: dict[str, Any]) -> dict[str, Any]:
    """Run validate.js."""
    reason = chromium.missing(with_browser=False)
    if reason:
        pytest.skip(reason)
    done = subprocess.run(
        ["node", str(chromium.HERE / "validate.js")],
        input=json.dumps(definitions),
        capture_output=True,
        text=True,
        check=False,
        env=chromium.node_environment(),
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answer = json.loads(done.stdout)
    assert isinstance(answer, dict)
    return answer


@pytest.fixture(scope="session")
def validate() -> Any:
    """Return the validator, for definitions of a test's own."""
    return validated


@pytest.fixture(scope="module")
def splunkweb(log_source: source.LogSource) -> Iterator[splunkd.Splunkd]:
    """Start a splunkd that answers from the scenario."""
    reason = chromium.missing(with_browser=True)
    if reason:
        pytest.skip(reason)
    server = splunkd.Splunkd(log_source, scenario.NOW.timestamp(), chromium.CACHE)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def browser(splunkweb: splunkd.Splunkd) -> Iterator[chromium.Browser]:  # noqa: ARG001 - skips where the server does
    """One Chromium for all tests of a module: an open dashboard goes on asking, and takes a processor."""
    started = chromium.Browser()
    yield started
    started.close()
