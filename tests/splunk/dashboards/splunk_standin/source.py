"""The rows of the esatls commands, taken from the built package through the protocol driver, for a search's time range."""

from __future__ import annotations

import bisect
import importlib.util
import pathlib
import subprocess
import sys
import tarfile
from typing import Any, Dict, List, Sequence, Tuple

from . import spl, views

_STAMP_LENGTH = len("2026-03-02T06:00:00Z")


class Package:
    """The package, built and unpacked, and the driver that speaks to its commands as splunkd does."""

    def __init__(self, folder: pathlib.Path) -> None:
        """Build into `folder`."""
        builder = views.REPOSITORY / "python" / "package"
        subprocess.run([sys.executable, str(builder), "--output", str(folder)], check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own
        (archive,) = folder.glob("*.tar.gz")
        with tarfile.open(archive) as tar:
            tar.extractall(folder / "unpacked")  # noqa: S202 - our own archive
        path = views.REPOSITORY / "tests" / "splunk" / "driver.py"
        spec = importlib.util.spec_from_file_location("esatls_dashboards_driver", path)
        assert spec is not None
        assert spec.loader is not None
        driver = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = driver  # dataclasses look their module up
        spec.loader.exec_module(driver)
        self.splunk: Any = driver.Splunk(sys.executable, folder / "unpacked" / "esatls")

    def rows(self, command: str, lines: Sequence[str]) -> List[spl.Row]:
        """The rows of a reporting command over the lines, newest first as Splunk sends events, on three indexers."""
        events = [{"_time": str(spl.utc(line)), "_raw": line, "host": "relay.example.com"} for line in reversed(lines)]
        found = self.splunk.report(command, events)
        if found.messages:
            raise AssertionError(found.messages)
        return [dict(row) for row in found.rows]


class LogSource:
    """Answers base searches: the lines of the time range, through the command."""

    def __init__(self, package: Package, lines: Sequence[str]) -> None:
        """`lines` begin with an RFC 3339 stamp in UTC and are in order of time."""
        self.package = package
        self.lines = list(lines)
        self.times = [spl.utc(line[:_STAMP_LENGTH]) for line in lines]
        self.known: Dict[Tuple[str, int, int], List[spl.Row]] = {}

    def __call__(self, command: str, earliest: float, latest: float) -> List[spl.Row]:
        """The rows; computed once for the same lines."""
        begin, end = bisect.bisect_left(self.times, earliest), bisect.bisect_left(self.times, latest)
        key = command, begin, end
        if key not in self.known:
            self.known[key] = self.package.rows(command, self.lines[begin:end])
        return self.known[key]
