"""The configuration file: where it is looked for, what it sets, what wins over it."""

from __future__ import annotations

import json
import pathlib

import pytest

from tests import terminal

SAMPLE = pathlib.Path(__file__).resolve().parents[2] / "python" / "esatls" / "sample.log"


def config(folder: pathlib.Path, text: str) -> dict[str, str]:
    """Write a configuration file where it is looked for, and return the environment that has it."""
    path = folder / "esatls" / "config.toml"
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    return {"XDG_CONFIG_HOME": str(folder)}


def test_settings_are_defaults(tmp_path: pathlib.Path) -> None:
    """The file's settings hold for each command that has such an option, and what is given on the command line wins."""
    env = config(tmp_path, 'host = "esa9"\ntitle = "Weekly"\nown_domains = ["shop.example"]\npartners = "p.csv"\n')
    (tmp_path / "esatls" / "p.csv").write_text("domain,direction\nshop.example,both\n", encoding="utf-8")
    first = json.loads(terminal.run("messages", "-q", "-f", "json", SAMPLE, env=env).stdout.splitlines()[0])
    assert first["esa_host"] == "esa9"
    told = json.loads(terminal.run("report", "-q", "-f", "json", "--host", "esa1", SAMPLE, env=env).stdout)
    assert told["evidence"]["title"] == "Weekly"
    assert [one["esa_host"] for one in told["appliances"]] == ["esa1"]
    assert {row["partner"]: row["own"] for row in told["organisations"] if "cleartext" in row} == {"example.net": False, "shop.example": True}
    assert terminal.run("check", "-q", SAMPLE, env=env).returncode == 1


def test_names_of_appliances(tmp_path: pathlib.Path) -> None:
    """`host` and `hosts` are both for the option --host; commands that read one log have `host` alone."""
    env = config(tmp_path, 'host = "esa9"\nhosts = ["0123-A=esa1"]\n')
    path = tmp_path / "mail.log"
    path.write_text("Mon Oct 12 08:00:00 2026 Info: Version: 14.0.0-698 SN: 0123-A\nMon Oct 12 08:00:00 2026 Info: Start MID 7 ICID 5\n", encoding="utf-8")
    assert [json.loads(terminal.run("messages", "-q", one, env=env).stdout.splitlines()[0])["esa_host"] for one in (path, SAMPLE)] == ["esa1", "esa9"]
    assert json.loads(terminal.run("follow", "-q", "--once", "--checkpoint", tmp_path / "c", path, env=env).stdout)["esa_host"] == "esa9"


def test_another_file(tmp_path: pathlib.Path) -> None:
    """`--config` and the variable name another file; the option wins."""
    one, other = tmp_path / "one.toml", tmp_path / "other.toml"
    one.write_text('host = "one"\n', encoding="utf-8")
    other.write_text('host = "other"\n', encoding="utf-8")
    assert terminal.run("config", env={"ESATLS_CONFIG": str(one)}).stdout.decode().splitlines()[:3] == [
        f"File: {one}",
        "timezone      not set  (time zone of the log)",
        "host          one  (name of the appliance, for lines that do not name it)",
    ]
    assert f"File: {other}" in terminal.run("--config", other, "config", env={"ESATLS_CONFIG": str(one)}).stdout.decode()


def test_without_a_file(tmp_path: pathlib.Path) -> None:
    """Where there is no file, nothing is set, and where it would be is told; one that was asked for must be there."""
    done = terminal.run("config", env={"XDG_CONFIG_HOME": str(tmp_path)})
    assert done.stdout.decode().splitlines()[0] == f"File: {tmp_path}/esatls/config.toml (does not exist)"
    missing = terminal.run("--config", tmp_path / "missing.toml", "config")
    assert (missing.returncode, missing.stderr.decode()) == (1, f"esatls: {tmp_path}/missing.toml: cannot be read: No such file or directory\n")


def test_an_empty_variable(tmp_path: pathlib.Path) -> None:
    """A variable without a value names no file, so that the usual one holds, which may be missing."""
    assert terminal.run("messages", "-q", SAMPLE, env={"ESATLS_CONFIG": "", "XDG_CONFIG_HOME": str(tmp_path)}).returncode == 0
    env = {**config(tmp_path, 'host = "esa9"\n'), "ESATLS_CONFIG": ""}
    assert terminal.run("config", env=env).stdout.decode().splitlines()[0] == f"File: {tmp_path}/esatls/config.toml"


@pytest.mark.parametrize("env", [{"HOME": "~", "XDG_CONFIG_HOME": "", "XDG_STATE_HOME": ""}, {"HOME": "~", "XDG_CONFIG_HOME": ".", "XDG_STATE_HOME": "."}])
def test_without_a_home(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, env: dict[str, str]) -> None:
    """Without a home folder, as for a user number without a name, no file of the current folder is read or written instead."""
    monkeypatch.chdir(tmp_path)
    for folder in (tmp_path / "~" / ".config", tmp_path):
        folder.mkdir(parents=True, exist_ok=True)
        config(folder, 'host = "esa9"\n')
    before = sorted(tmp_path.rglob("*"))
    assert b"esa9" not in terminal.run("messages", "-q", "-f", "json", SAMPLE, env=env).stdout
    done = terminal.run("follow", "--once", SAMPLE, env=env)
    assert (done.returncode, done.stderr.decode()) == (1, "esatls: no home folder for the checkpoint; use --checkpoint\n")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x =", "is not TOML"),
        ("hostname = 1", "no such setting: hostname; the settings are timezone, host, hosts, jobs"),
        ("host = 1", "host must be text in quotes"),
        ("jobs = true", "jobs must be a number"),
        ("jobs = 0", "jobs must be a number from 1 to 64"),
        ("jobs = 65", "jobs must be a number from 1 to 64"),
        ('timezone = "Mars"', "no such time zone: Mars"),
        ("own_domains = [1]", "own_domains must be a list"),
        ("[report]\ntitle = 'x'", "no such setting: report"),
        ('partners = "a\\u0000b"', "partners must not contain a NUL"),
        ('own_domains = ["example.com", "a\\u0000b"]', "own_domains must not contain a NUL"),
    ],
)
def test_a_wrong_file(tmp_path: pathlib.Path, text: str, words: str) -> None:
    """What is no setting is told in one line with the file's name, and is a usage error."""
    done = terminal.run("messages", SAMPLE, env=config(tmp_path, text))
    assert done.returncode == 2
    assert done.stderr.decode().startswith(f"esatls: {tmp_path}/esatls/config.toml: {words}")
    assert len(done.stderr.splitlines()) == 1
