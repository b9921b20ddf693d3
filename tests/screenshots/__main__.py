"""Draws the pictures of the README: `python tests/screenshots` (after tests/splunk/setup.sh and tests/splunk/dashboards/setup.sh; needs pngquant).

The Splunk dashboards are drawn by Splunk's own components in Chromium, as in the dashboard tests, from what the commands of the built
package say of their log, the trends from a month of made records; the report is the page that `esatls report` makes of the same log.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.parse
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "python"), str(ROOT / "python" / "package")]

import splunk_package  # noqa: E402

from tests.report import support  # noqa: E402
from tests.splunk.dashboards.standin import browser, months, scenario, source, splunkd, views  # noqa: E402

# The story of a stranger's names is for the tests: a picture is to show what a usual day looks like.
_STRANGER = re.compile(r"\b(?:ICID 1902|MID 51004|DCID 1804)\b")
_WEEK = {"global_time.earliest": "-7d@h", "global_time.latest": "now"}
# Picture: view, what is asked for in it, the height that is shown, and a panel with a text that show that it is drawn.
_PICTURES: dict[str, tuple[str, dict[str, str], int, tuple[str, str]]] = {
    "splunk-overview": ("esatls_overview", _WEEK, 1600, ("viz_ciphers", "TLS_AES_256_GCM_SHA384")),
    "splunk-partners": ("esatls_partners", _WEEK, 1815, ("viz_partner_connections", "bank.example.org")),
    "splunk-message": ("esatls_message_lookup", {**_WEEK, "lookup": scenario.SUBJECT}, 1500, ("viz_path", "DCID 1802")),
    "splunk-trends": ("esatls_trends", {"global_time.earliest": "-30d@d", "global_time.latest": "now"}, 1145, ("viz_connection_verdicts", "receiving")),
}
_SETTLED = """[...document.querySelectorAll('[data-test=viz-item]')].every(
    item => item.querySelector('[data-test=cell], .highcharts-root, [data-test=single-value], [data-test=markdown]') || item.innerText.length > 20)"""


def shrink(picture: Path) -> None:
    """Give a picture a palette: a fifth of the size, and to the eye the same."""
    subprocess.run(["pngquant", "--quality", "60-95", "--speed", "1", "--strip", "--force", "--output", str(picture), str(picture)], check=True)


def draw_dashboards(log: list[str], scratch: Path) -> None:
    """Take a picture of each dashboard."""
    app = scratch / "esatls"
    for path, content in splunk_package.contents().items():
        (app / path).parent.mkdir(parents=True, exist_ok=True)
        (app / path).write_bytes(content)
    now = scenario.NOW.timestamp()
    site = source.of_lines(source.Package(app), log, scratch / "index")
    site.record(now)
    servers = {"splunk-trends": splunkd.Splunkd(months.Months(), now, browser.CACHE)}
    week = splunkd.Splunkd(site, now, browser.CACHE)
    for server in (week, *servers.values()):
        server.start()
    page = browser.Browser()
    try:
        for name, (view, tokens, height, (panel, text)) in _PICTURES.items():
            query = urllib.parse.urlencode({"theme": "light", **{f"form.{token}": value for token, value in tokens.items()}})
            page.open(f"{servers.get(name, week).address}/en-US/app/esatls/{view}?{query}", height)
            page.wait(panel, text)
            if name == "splunk-message":
                page.click_cell("viz_found", "51002")
                page.wait("viz_lines", "ICID 1901 TLS success")
                page.click_cell("viz_path", "DCID 1802")
                page.wait("viz_connection", "DCID 1802", "cleartext")
            page.do("wait", expression=_SETTLED)
            for chart, item in views.definition(view)["visualizations"].items():
                if item["type"] in {"splunk.column", "splunk.bar"}:  # one that still loads has its title, too
                    page.do("wait", expression=f"document.querySelector('[data-id={chart}] .highcharts-root') != null")
            page.picture(HERE / f"{name}.png")
    finally:
        page.close()
        for server in (week, *servers.values()):
            server.stop()


def draw_report(log: list[str], scratch: Path) -> None:
    """Take a picture of the report's first screen."""
    (scratch / "mail.log").write_text("".join(f"{line}\n" for line in log), encoding="utf-8")
    page = scratch / "report.html"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "python"), "SOURCE_DATE_EPOCH": f"{scenario.NOW.timestamp():.0f}"}
    command = [sys.executable, "-m", "esatls", "report", "-q", "--organisation", "Example AG", "--output", str(page), "mail.log"]
    subprocess.run(command, check=True, cwd=scratch, env=environment)
    support.chromium(page, scratch, "--hide-scrollbars", "--window-size=1200,1300", f"--screenshot={HERE / 'report.png'}")


def main() -> int:
    """Draw all; exit code 1 and one line where something is missing."""
    reason = browser.missing(with_browser=True) or (None if shutil.which("pngquant") else "pngquant is not installed: apt-get install pngquant")
    if reason:
        print(f"screenshots: {reason}", file=sys.stderr)
        return 1
    log = [line for line in scenario.lines() if not _STRANGER.search(line)]
    with tempfile.TemporaryDirectory(prefix="esatls-screenshots-") as folder:
        draw_dashboards(log, Path(folder))
        draw_report(log, Path(folder))
    for picture in sorted(HERE.glob("*.png")):
        shrink(picture)
        print(f"{picture.relative_to(ROOT)}: {picture.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
