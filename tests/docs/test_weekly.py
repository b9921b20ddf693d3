"""The recipe of a weekly report: its files are what their readers take, and its commands run."""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests import terminal
from tests.docs.examples import SAMPLE, files

if TYPE_CHECKING:
    import pathlib

DOCUMENT = "docs/WEEKLY.md"


def unit(name: str) -> dict[str, list[str]]:
    """Return the settings of a unit, each with its values."""
    found: dict[str, list[str]] = {}
    for line in files(DOCUMENT)[name].splitlines():
        if "=" in line:
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def test_commands_of_the_service(tmp_path: pathlib.Path) -> None:
    """The service's commands run with the document's configuration and make the page, the tables and the mail."""
    (tmp_path / "config.toml").write_text(files(DOCUMENT)["config.toml"], encoding="utf-8")
    (tmp_path / "logs").mkdir()
    shutil.copy(SAMPLE, tmp_path / "logs" / "mail.current")
    env = {"ESATLS_CONFIG": str(tmp_path / "config.toml")}
    page, mail = unit("esatls-report.service")["ExecStart"]
    assert "Content-Type: text/plain; charset=utf-8" in mail
    (inner,) = re.findall(r"esatls (report [^;]*);", mail)
    for words in (shlex.split(page)[1:], shlex.split(inner)):
        placed = [word.replace("{week}", f"{tmp_path}/{{week}}").replace("/var/log/esa", str(tmp_path / "logs")) for word in words]
        placed = [f"{tmp_path}/tables" if word == "tables" else word for word in placed]
        done = terminal.run(*placed, env=env)
        assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"TLS with our partners\nExample AG\n")
    assert len(list(tmp_path.glob("*-W*.html"))) == 1
    assert (tmp_path / "tables" / "cleartext.csv").exists()


def test_units_are_units() -> None:
    """Each unit is an INI file with the sections that it needs; the timer is of the service's name."""
    for name, sections in (("esatls-report.service", ["Unit", "Service"]), ("esatls-report.timer", ["Unit", "Timer", "Install"])):
        parser = configparser.ConfigParser(strict=False, interpolation=None)
        parser.read_string(files(DOCUMENT)[name])
        assert parser.sections() == sections


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze: apt-get install systemd")
def test_systemd_takes_the_units(tmp_path: pathlib.Path) -> None:
    """Systemd finds nothing wrong with the units but programs that are not installed here."""
    for name in ("esatls-report.service", "esatls-report.timer"):
        (tmp_path / name).write_text(files(DOCUMENT)[name], encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", tmp_path / "esatls-report.timer"], capture_output=True, text=True, check=False, env={"SYSTEMD_UNIT_PATH": f"{tmp_path}:"}
    )
    told = [line for line in done.stderr.splitlines() if "esatls-report" in line and "is not executable" not in line]
    assert told == []
