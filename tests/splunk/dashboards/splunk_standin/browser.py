"""A Chromium that does what the tests say, through browser.js."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
from typing import Any, Dict, List, Optional

from . import views

HERE = pathlib.Path(__file__).resolve().parent.parent
CACHE = views.REPOSITORY / ".cache" / "splunk-dashboards"
CHROMIUM = os.environ.get("ESATLS_CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"


def missing(with_browser: bool) -> Optional[str]:
    """Why the tests cannot run here, or None."""
    if not shutil.which("node") or not (CACHE / "node_modules").is_dir():
        return "Splunk's dashboard packages are not installed: run tests/splunk/dashboards/setup.sh"
    if with_browser and not (CACHE / "page.js").is_file():
        return "the page is not built: run tests/splunk/dashboards/setup.sh"
    if with_browser and not pathlib.Path(CHROMIUM).exists():
        return "chromium is not installed: run tests/splunk/dashboards/setup.sh"
    return None


def node_environment() -> Dict[str, str]:
    """Environment in which Node finds the installed packages."""
    return {**os.environ, "NODE_PATH": str(CACHE / "node_modules"), "ESATLS_CHROMIUM": CHROMIUM}


class BrowserError(Exception):
    """The page did not do what was asked, or not in time."""


class Browser:
    """One browser with one page."""

    def __init__(self) -> None:
        """Start it."""
        self.process = subprocess.Popen(  # noqa: S603 - our own script
            ["node", str(HERE / "browser.js")],  # noqa: S607 - node is looked up on PATH
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=node_environment(),
        )
        self._answer()

    def _answer(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            message = "the browser ended"
            raise BrowserError(message)
        answer = json.loads(line)
        if "error" in answer:
            raise BrowserError(answer["error"])
        return answer["result"]

    def do(self, command: str, **args: Any) -> Any:
        """One command of browser.js."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"command": command, **args}) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        """End it."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=30)

    # -- what a reader of a dashboard sees --

    def text(self, selector: str) -> str:
        """The text that an element shows."""
        return str(self.do("evaluate", expression=f"document.querySelector({json.dumps(selector)})?.innerText ?? ''"))

    def table(self, viz: str) -> List[List[str]]:
        """The rows of a table panel, heads first, each cell as it is read."""
        script = """(id => {
            const panel = document.querySelector(`[data-id="${id}"]`) ?? document.getElementById(id);
            if (!panel) return null;
            const row = r => [...r.querySelectorAll('th, td')].map(c => c.innerText.trim());
            return [...panel.querySelectorAll('tr')].map(row).filter(r => r.length);
        })(%s)""" % json.dumps(viz)
        rows = self.do("evaluate", expression=script)
        if rows is None:
            message = f"no panel {viz}"
            raise BrowserError(message)
        return [[str(cell) for cell in row] for row in rows]
