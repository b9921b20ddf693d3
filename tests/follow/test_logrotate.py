"""A log that the real logrotate rotates, by number and by date, compressed and copied."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.follow.support import encoded, run, start, whole
from tests.follow.test_records import same
from tests.traffic import generate, render

if TYPE_CHECKING:
    from pathlib import Path

LOGROTATE = shutil.which("logrotate", path=os.environ.get("PATH", "") + os.pathsep + "/usr/sbin")

WAYS = {
    "renamed": "create",
    "renamed, compressed a turn later": "create\n compress\n delaycompress",
    "compressed at once": "create\n compress",
    "copied": "copytruncate",
    "copied, compressed": "copytruncate\n compress",
    "by date": "create\n dateext\n dateformat -%Y%m%d-%s",
    "with its ending": "create\n extension .log",
    "into another folder": "create\n olddir ../old",
    "into another folder, compressed": "create\n compress\n olddir ../old",
}


@pytest.mark.skipif(LOGROTATE is None, reason="needs logrotate: apt-get install logrotate")
@pytest.mark.parametrize("way", WAYS)
def test_logrotate(tmp_path: Path, way: str) -> None:
    """However logrotate is set up, a reader that runs, and one that is started now and then, miss nothing."""
    folder = tmp_path / "log"
    folder.mkdir(mode=0o755)
    log = folder / "mail.log"
    log.touch()
    settings = tmp_path / "logrotate.conf"
    settings.write_text(f"{log} {{\n rotate 50\n notifempty\n {WAYS[way]}\n}}\n", encoding="ascii")
    settings.chmod(0o644)
    lines = list(render(generate(12, 150, 1, "plain").lines, "syslog"))
    outputs = [tmp_path / "running.jsonl", tmp_path / "now_and_then.jsonl"]
    old = tmp_path / "old"
    if "olddir" in WAYS[way]:
        old.mkdir(mode=0o755)
    options = ["--rotated-to", old, "--idle", 0, "--poll", 0.01, "--year", 2024]
    running = start(*options, "--output", outputs[0], log)
    _wait_until_looked_at(outputs[0])
    for number, at in enumerate(range(0, len(lines), 400)):
        with log.open("ab") as file:
            file.write(encoded(lines[at : at + 400]))
        if number % 3 == 0:
            other = start(*options, "--output", outputs[1], log)
            _wait_until_looked_at(outputs[1])
            other.kill()
            other.communicate()
        if number % 2 == 0 and number:
            subprocess.run([str(LOGROTATE), "-f", "-s", str(tmp_path / "status"), str(settings)], check=True)
            if "date" in way:
                _wait_for_another_second()
    running.send_signal(signal.SIGTERM)
    running.communicate()
    for output in outputs:
        _, errors = run("--once", *options, "--output", output, log)
        same(output.read_text(encoding="utf-8").splitlines(), whole(lines))
        assert f"{len(lines)} lines:".replace(",", "") in errors.replace(",", "")


def _wait_until_looked_at(output: Path) -> None:
    end = time.monotonic() + 120
    while not output.with_name(output.name + ".checkpoint").exists() and time.monotonic() < end:
        time.sleep(0.01)


def _wait_for_another_second() -> None:
    """Wait: the name of a rotated file tells seconds."""
    time.sleep(1.05)
