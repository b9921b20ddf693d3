"""Fixtures of the dashboard tests: the built package, the scenario's log, a splunkd that answers, a browser."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any, Callable

import pytest

from tests.splunk.dashboards.standin import browser as chromium
from tests.splunk.dashboards.standin import checks, scenario, source, spl, splunkd, views

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Iterator

    Validate = Callable[[dict[str, Any]], dict[str, Any]]


@pytest.fixture(scope="session")
def site(app: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> source.Site:
    """Give the scenario's log and its records, through the commands of the built package."""
    made = source.of_lines(source.Package(app), scenario.lines(), tmp_path_factory.mktemp("summary") / "index")
    made.record(scenario.NOW.timestamp())
    return made


@pytest.fixture
def week(site: source.Site) -> spl.Search:
    """Return a search over the scenario's whole week."""
    now = scenario.NOW.timestamp()
    return spl.Search(macros=views.macros(), earliest=now - 7 * 86400, latest=now, now=now, source=site, lookups=scenario.LOOKUPS)


@pytest.fixture(scope="session")
def validate() -> Iterator[Validate]:
    """Ask Splunk's validator about views, and for the preset's schema: {errors: {view: […]}, schema: {…}}."""
    reason = chromium.missing(with_browser=False)
    if reason:
        pytest.skip(reason)
    command = ["node", str(chromium.HERE / "validate.js")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=chromium.node_environment()) as node:

        def ask(definitions: dict[str, Any]) -> dict[str, Any]:
            assert node.stdin is not None
            assert node.stdout is not None
            node.stdin.write(json.dumps(definitions) + "\n")
            node.stdin.flush()
            answer = json.loads(node.stdout.readline())
            assert isinstance(answer, dict)
            return answer

        yield ask


@pytest.fixture(scope="session")
def verdict(validate: Validate) -> dict[str, Any]:
    """Return what Splunk's validator says of the views as they are."""
    return validate(checks.all_definitions())


@pytest.fixture(scope="module")
def splunkweb(site: source.Site) -> Iterator[splunkd.Splunkd]:
    """Start a splunkd that answers from the scenario."""
    reason = chromium.missing(with_browser=True)
    if reason:
        pytest.skip(reason)
    server = splunkd.Splunkd(site, scenario.NOW.timestamp(), chromium.CACHE)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def browser(splunkweb: splunkd.Splunkd) -> Iterator[chromium.Browser]:  # noqa: ARG001 - skips where the server does
    """One Chromium for all tests of a module: an open dashboard goes on asking, and takes a processor."""
    started = chromium.Browser()
    yield started
    started.close()
