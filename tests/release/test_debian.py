"""The Debian package, by Debian's own tools: its form, and installed into a root of its own, run and removed."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.splunk.conf import ROOT

sys.path.insert(0, str(ROOT / "python" / "package"))
import archives
import debian
import sbom

SAMPLE = ROOT / "python" / "esatls" / "sample.log"
pytestmark = pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="needs dpkg, which Debian and Ubuntu have")


@pytest.fixture(scope="module")
def deb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the package."""
    path: Path = debian.build(tmp_path_factory.mktemp("dist"))[0]
    return path


def run(*command: object, code: int = 0) -> str:
    """Run a command in an environment without this checkout; return what it printed."""
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, env={**clean, "LC_ALL": "C.UTF-8"})
    assert (done.returncode, done.stderr) == (code, "")
    return done.stdout


def test_it_is_a_package_and_the_same_each_time(deb: Path, tmp_path: Path) -> None:
    """Its control data are whole, every file belongs to root, only the program can be run, and two builds are the same bytes."""
    fields = dict(line.split(": ", 1) for line in run("dpkg-deb", "--field", deb).splitlines() if not line.startswith(" "))
    assert (fields["Package"], fields["Architecture"], fields["Section"]) == ("esatls", "all", "mail")
    assert re.fullmatch(r"python3 \(>= 3\.\d+\), tzdata", fields["Depends"])
    listed = [line.split() for line in run("dpkg-deb", "--contents", deb).splitlines()]
    assert {line[1] for line in listed} == {"root/root"}
    files = {line[5][1:]: line[0] for line in listed if not line[0].startswith("d")}
    assert [name for name, mode in files.items() if "x" in mode] == ["/usr/bin/esatls"]
    pages = [f"/usr/share/man/man1/{page.name}.gz" for page in (ROOT / "docs" / "man").glob("*.1")]
    assert len(pages) > 10
    shells = ["bash-completion/completions/esatls", "fish/vendor_completions.d/esatls.fish", "zsh/vendor-completions/_esatls"]
    told = ["doc/esatls/CHANGELOG.md.gz", "doc/esatls/changelog.gz", "doc/esatls/copyright"]
    assert sorted(files) == sorted(["/usr/bin/esatls", *pages, *(f"/usr/share/{name}" for name in (*shells, *told))])
    (again,) = debian.build(tmp_path)
    assert again.read_bytes() == deb.read_bytes()


def test_it_names_whose_code_it_holds(deb: Path, tmp_path: Path) -> None:
    """Debian's file of copyrights has a license of each library in the program, and the changelog has Debian's form."""
    run("dpkg-deb", "--extract", deb, tmp_path)
    text = (tmp_path / "usr/share/doc/esatls/copyright").read_text(encoding="utf-8")
    with zipfile.ZipFile(tmp_path / "usr/bin/esatls") as program:
        libraries = json.loads(program.read(sbom.NAME))["components"]
    stanzas = re.findall(r"^Files: (\S+)\nCopyright: (.+)\nLicense: (\S+)\n .+$", text, re.MULTILINE)
    theirs = [(f"{one['name']}/*", one["supplier"]["name"], one["licenses"][0]["license"]["id"]) for one in libraries]
    assert stanzas == [("*", "the authors of esatls", "Apache-2.0"), *theirs]
    changelog = gzip.decompress((tmp_path / "usr/share/doc/esatls/changelog.gz").read_bytes()).decode()
    assert changelog == (
        f"esatls ({archives.version()}) unstable; urgency=medium\n\n  * See CHANGELOG.md.gz.\n\n"
        " -- the esatls project <maintainers@esatls.invalid>  Wed, 01 Jan 2020 00:00:00 +0000\n"
    )
    assert gzip.decompress((tmp_path / "usr/share/doc/esatls/CHANGELOG.md.gz").read_bytes()) == (ROOT / "CHANGELOG.md").read_bytes()


@pytest.mark.skipif(not Path("/usr/bin/python3").exists(), reason="needs Debian's python3")
def test_it_is_installed_run_and_removed(deb: Path, tmp_path: Path) -> None:
    """In an empty root: dpkg unpacks it, its files are as the sums say, the program answers, and nothing is left when it is purged."""
    database = tmp_path / "var" / "lib" / "dpkg"
    for folder in ("info", "updates"):
        (database / folder).mkdir(parents=True)
    (database / "status").touch()
    dpkg = ["dpkg", f"--root={tmp_path}", f"--log={tmp_path / 'log'}", "--force-not-root", "--force-depends"]  # Debian's python3 is not in this root
    subprocess.run([*dpkg, "--install", str(deb)], check=True, capture_output=True)
    assert run(*dpkg, "--verify", "esatls") == ""
    program = tmp_path / "usr" / "bin" / "esatls"
    records = run("/usr/bin/python3", "-I", program, "messages", "-q", "-f", "json", SAMPLE).splitlines()
    assert [json.loads(line)["mid"] for line in records] == [7001, 7002, 7003]
    assert run("/usr/bin/python3", "-I", program, "--version").startswith("esatls, version ")
    subprocess.run([*dpkg, "--purge", "esatls"], check=True, capture_output=True)
    assert [path for path in tmp_path.rglob("*esatls*") if path.is_file()] == []
