"""Makes the checkout's own code importable, whatever is installed, sets the property tests up, and deals tests to several processes (`-n`)."""

from __future__ import annotations

import os
import pathlib
import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import engine

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "python"), str(ROOT)]

# Property tests try the same few examples each time, so that a run that passed passes again; ESATLS_PROPERTIES=nightly tries many new ones.
# No test is timed: a shared machine may be slow.
settings.register_profile("default", deadline=None, derandomize=True, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("brief", settings.get_profile("default"), max_examples=20)  # where the same was tried on another Python
settings.register_profile("nightly", settings.get_profile("default"), derandomize=False, max_examples=5000, print_blob=True)
settings.load_profile(os.environ.get("ESATLS_PROPERTIES", "default"))
engine.MAX_SHRINKING_SECONDS = 30  # not five minutes, for an example that is a little shorter

# what somebody has configured for himself is not for the tests
os.environ["XDG_CONFIG_HOME"] = os.devnull
os.environ.pop("ESATLS_CONFIG", None)
# hundreds of commands are started, each of which would compile all modules
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# a run in the background is started with SIGINT ignored, and what it starts would ignore it too
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

TOGETHER = {
    "tests/elastic/": "the search server",
    "tests/conformance/": "the search server",
    "tests/docs/test_documents.py": "the search server",
    "tests/splunk/dashboards/": "the browser",
}
"""Tests that share what takes long to start: one process runs all that share one."""
LONG = (*TOGETHER, "tests/fuzz/", "tests/security/", "tests/docs/", "tests/splunk/", "tests/traffic/", "tests/follow/", "tests/witness/")
"""What is begun first, so that no process is left with it at the end."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the long folders first where several processes share the tests."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: next((rank for rank, folder in enumerate(LONG) if item.nodeid.startswith(folder)), len(LONG)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Use one process more than there are processors: some tests wait, for a server, a browser or a log that grows."""
    return (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1) + 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Deal whole files, whose tests share what takes long to make, and some of them together."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):  # type: ignore[misc]
        """Deals tests by file, in their order."""

        def _split_scope(self, nodeid: str) -> str:
            path = nodeid.partition("::")[0]
            return next((shared for start, shared in TOGETHER.items() if path.startswith(start)), path)

    config.option.loadscopereorder = False
    return ByFile(config, log)
