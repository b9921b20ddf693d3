"""A Chromium that the tests control through browser.js."""

from __future__ import annotations

import json
import os
import pathlib
import re
import shutil
import subprocess
from typing import Any

from . import views

HERE = pathlib.Path(__file__).resolve().parent.parent
CACHE = views.REPOSITORY / ".cache" / "splunk-dashboards"
CHROMIUM = os.environ.get("ESATLS_CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"


_WIDE = """(() => {
    const panels = [...document.querySelectorAll('[data-test=viz-item]')];
    const right = Math.max(...panels.map((panel) => panel.getBoundingClientRect().right));
    const width = document.documentElement.clientWidth;
    const cut = panels.filter((panel) => [...panel.querySelectorAll('*')].some((part) =>
        ['auto', 'scroll'].includes(getComputedStyle(part).overflowX) && part.scrollWidth > part.clientWidth + 1));
    return [right <= width && right > width - 50 ? width : right, cut.map((panel) => panel.dataset.id)];
})()"""


def missing(*, with_browser: bool) -> str | None:
    """Return why the tests cannot run here; None: they can."""
    if not shutil.which("node") or not (CACHE / "node_modules").is_dir():
        return "Splunk's dashboard packages are not installed: run tests/splunk/dashboards/setup.sh"
    if with_browser and not (CACHE / "page.js").is_file():
        return "the page is not built: run tests/splunk/dashboards/setup.sh"
    if with_browser and not pathlib.Path(CHROMIUM).exists():
        return "chromium is not installed: run tests/splunk/dashboards/setup.sh"
    return None


def node_environment() -> dict[str, str]:
    """Return the environment in which Node finds the installed packages."""
    return {**os.environ, "NODE_PATH": str(CACHE / "node_modules"), "ESATLS_CHROMIUM": CHROMIUM}


class BrowserError(Exception):
    """The page did not do what a test asked for, or not in time."""


class Browser:
    """One browser with one page."""

    def __init__(self) -> None:
        """Start the browser."""
        self.process = subprocess.Popen(["node", str(HERE / "browser.js")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=node_environment())
        self._answer()

    def _answer(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise BrowserError("the browser ended")
        answer = json.loads(line)
        if "error" in answer:
            raise BrowserError(answer["error"])
        return answer["result"]

    def do(self, command: str, **args: Any) -> Any:
        """Run one command of browser.js, and return its result."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"command": command, **args}) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        """End the browser."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=30)

    # -- what a reader of a dashboard does --

    def open(self, url: str, height: int, width: int = 1440) -> None:
        """Go to an address, in a window that shows the whole page."""
        self.do("open", url=url, width=width, height=height)

    def wait(self, panel: str, *texts: str) -> None:
        """Wait until a panel shows each of these texts."""
        wanted = json.dumps(texts)
        expression = f"(t => {wanted}.every(w => t.includes(w)))({self._panel(panel)}?.innerText ?? '')"
        try:
            self.do("wait", expression=expression)
        except BrowserError as error:
            raise BrowserError(f"{panel} does not show {texts}: {self.text(panel)!r} ({error})") from error

    def wait_gone(self, panel: str, text: str) -> None:
        """Wait until a panel shows rows, and not this text."""
        cell = f"{self._panel(panel)}?.querySelector('[data-test=cell]')"
        self.do("wait", expression=f"{cell} && !{self._panel(panel)}.innerText.includes({json.dumps(text)})")

    def wait_changed(self, panel: str, before: str) -> None:
        """Wait until a panel shows rows, and its text differs from `before`."""
        cell = f"{self._panel(panel)}?.querySelector('[data-test=cell]')"
        self.do("wait", expression=f"{cell} && {self._panel(panel)}.innerText !== {json.dumps(before)}")

    def click_cell(self, panel: str, text: str) -> None:
        """Click the first cell of a table that shows exactly this text."""
        self.do("click", selector=f'[data-test=viz-item][data-id="{panel}"] [data-test=cell] :text-is({json.dumps(text)})')

    def choose(self, name: str, value: str) -> None:
        """Choose a value of a dropdown input."""
        self.do("click", selector=f"[data-input-id={name}] [data-test=select]")
        self.do("click", selector=f'[data-test=option][data-test-value="{value}"]')

    def choose_time(self, label: str) -> None:
        """Choose a preset of the time input."""
        self.do("click", selector="[data-input-id=input_time] [data-test=time-range-dropdown]")
        self.do("click", selector=f'[data-test="{label}"]')

    def write(self, name: str, text: str) -> None:
        """Write into a text input, and leave it with Enter."""
        self.do("fill", selector=f"[data-input-id={name}] input", text=text)
        self.do("press", key="Enter")

    def picture(self, path: pathlib.Path) -> None:
        """Take a screenshot."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.do("screenshot", path=str(path))

    # -- what a reader of a dashboard sees --

    @staticmethod
    def _panel(panel: str) -> str:
        return f"document.querySelector('[data-test=viz-item][data-id=\"{panel}\"]')"

    def text(self, panel: str) -> str:
        """Return the text of a panel."""
        return str(self.do("evaluate", expression=f"{self._panel(panel)}?.innerText ?? ''"))

    def table(self, panel: str) -> list[list[str]]:
        """Return the rows that a table panel shows, the heads first, as text."""
        script = (
            f"[...({self._panel(panel)}?.querySelectorAll('tr') ?? [])]"
            ".map(r => [...r.querySelectorAll('th, td')].map(c => c.innerText.trim())).filter(r => r.length)"
        )
        return [[str(cell) for cell in row] for row in self.do("evaluate", expression=script)]

    def wide(self) -> tuple[int, list[str]]:
        """Return the window's width if the panels fill it, else where they end, and the panels whose content is too wide to show."""
        width, cut = self.do("evaluate", expression=_WIDE)
        return int(width), [str(name) for name in cut]

    def widen(self, width: int) -> None:
        """Give the window this width, and wait until the panels fill it and show everything."""
        self.do("resize", width=width)
        try:
            self.do("wait", expression=f"JSON.stringify({_WIDE}) === '[{width},[]]'")
        except BrowserError as error:
            raise BrowserError(f"the panels do not fill {width} pixels: {self.wide()} ({error})") from error

    def records(self, panel: str) -> list[dict[str, str]]:
        """Return the rows of a table panel as dicts, as soon as there is a row."""
        self.do("wait", expression=f"{self._panel(panel)}?.querySelector('[data-test=cell]') != null")
        head, *rows = self.table(panel)
        return [dict(zip(head, row)) for row in rows]

    def bars(self, panel: str) -> dict[str, list[int]]:
        """Return the values of a bar or column chart by series, from its texts for screen readers."""
        labels = self.do("evaluate", expression=f"[...{self._panel(panel)}.querySelectorAll('[aria-label]')].map(e => e.getAttribute('aria-label'))")
        out: dict[str, list[int]] = {}
        for label in labels:
            match = re.fullmatch(r"\d+\. .*, ([\d,]+|No value)\. ([\w. ]+)\.", label)
            if match:
                out.setdefault(match[2], []).append(0 if match[1] == "No value" else int(match[1].replace(",", "")))
        return out
