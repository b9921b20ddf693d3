"""The checks, by name. `bash .ci/run` runs those that a merge needs, `bash .ci/run lint types` these two, `bash .ci/run --list` tells all.

They run with the packages of the environment that nox is in; tests on another Python have one of their own.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nox

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / ".cache"
PINS = ROOT / ".ci" / "requirements" / "project.txt"
OTHERS = ["3.9", "3.13"]
"""The oldest Python that is supported, and the newest that Splunk runs."""

ON_OTHERS = ["tests/core", "tests/witness", "tests/cli"]
"""What those are tried with: all that Splunk's own Pythons run (tests/splunk starts its commands on both, whatever runs the tests), and the
command line, which loads every module. What is left tests text, servers and packages, which differ by no version of Python."""

nox.needs_version = ">=2024.10.9"
nox.options.default_venv_backend = "none"
nox.options.stop_on_first_error = True
os.chdir(ROOT)


def show_pythons() -> None:
    """Have pyenv show every Python that it has, behind the one in use."""
    if shutil.which("pyenv"):
        told = [
            subprocess.run(["pyenv", *words], capture_output=True, text=True, check=False).stdout.split()
            for words in (["version-name"], ["versions", "--bare"])
        ]
        names = [name for name in told[1] if name.startswith(tuple(f"{version}." for version in OTHERS))]
        os.environ["PYENV_VERSION"] = ":".join([*told[0], *names])


show_pythons()


def run(session: nox.Session, *command: str, **env: str) -> None:
    """Run a command in the project's folder."""
    session.chdir(ROOT)
    session.run(*command, env=env, external=True)


def at_once(session: nox.Session, *commands: list[str]) -> None:
    """Run commands beside each other in the project's folder."""
    session.chdir(ROOT)
    running = [subprocess.Popen(command) for command in commands]
    for failed in [one for one in running if one.wait()]:
        session.error(f"exit code {failed.returncode}: {failed.args}")


def python(session: nox.Session, *command: str) -> None:
    """Run this Python."""
    run(session, sys.executable, *command)


def tool(session: nox.Session, name: str, *arguments: str) -> None:
    """Run a program of this environment."""
    run(session, str(Path(sys.executable).with_name(name)), *arguments)


def pinned(session: nox.Session, *pythons: str) -> dict[str, str]:
    """Download what is pinned for these Pythons, and return the environment in which pip sees nothing else: the README's commands are run as they stand."""
    folders = []
    for command in pythons:
        done = subprocess.run([command, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], capture_output=True, text=True, check=False)
        if done.returncode:
            continue  # not on this machine
        folder = CACHE / "wheels" / done.stdout.strip()
        folders.append(str(folder))
        if not (folder / PINS.name).is_file() or (folder / PINS.name).read_bytes() != PINS.read_bytes():
            shutil.rmtree(folder, ignore_errors=True)
            run(session, command, "-m", "pip", "download", "-q", "--require-hashes", "-r", str(PINS), "-d", str(folder))
            shutil.copy(PINS, folder)
    return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": " ".join(folders)}


def from_readme(end: str) -> str:
    """Return the command of the README that makes an environment and ends like this."""
    found = re.search(rf"^python3 -m venv .*{re.escape(end)}$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert found
    return found[0]


@nox.session
def tools(session: nox.Session) -> None:
    """What tests run beside Python: Splunk's tools, a browser, a search server, logrotate. Tests say what is missing and are skipped."""
    # each of these waits for a network; those that may install Debian packages, one after the other
    at_once(
        session,
        ["sh", "-ec", "sh tests/splunk/setup.sh; bash tests/splunk/dashboards/setup.sh"],
        ["bash", "tests/elastic/setup.sh"],
        [sys.executable, "python/package", "--output", str(CACHE / "package" / "dist")],  # the Splunk SDK, while pip may still ask a registry
    )
    if not Path("/usr/sbin/logrotate").exists() and shutil.which("apt-get") and os.geteuid() == 0:
        run(session, "apt-get", "install", "-y", "-qq", "--no-install-recommends", "logrotate", DEBIAN_FRONTEND="noninteractive")


@nox.session(tags=["code"])
def lint(session: nox.Session) -> None:
    """All rules of ruff but those that pyproject.toml switches off with a reason, and its form."""
    tool(session, "ruff", "check")
    tool(session, "ruff", "format", "--check")


@nox.session(tags=["code"])
def types(session: nox.Session) -> None:
    """Types, strict."""
    tool(session, "mypy")


@nox.session(tags=["code"])
def layers(session: nox.Session) -> None:
    """No layer imports a higher one, and no module itself by way of others."""
    tool(session, "lint-imports")


@nox.session(tags=["code"])
def generated(session: nox.Session) -> None:
    """No generated file is stale."""
    python(session, "python/generate", "--check")


@nox.session(tags=["code"])
def workflows(session: nox.Session) -> None:
    """The workflows are such, and safe."""
    run(session, "bash", ".ci/tools")
    files = sorted(map(str, Path(".github/workflows").glob("*.yml")))
    run(session, ".cache/tools/bin/check-jsonschema", "--builtin-schema", "vendor.github-workflows", *files)
    run(session, ".cache/tools/bin/zizmor", "--offline", "--quiet", ".github/workflows")


@nox.session(tags=["rest"])
def readme(session: nox.Session) -> None:
    """All tests, by the README's own command, and the README's first command."""
    env = pinned(session, "python3")
    run(session, "bash", "-ec", from_readme("-m pytest -q -n auto"), **env)
    run(session, "bash", "-ec", from_readme("sample.log"), **env)


@nox.session(python=OTHERS, venv_backend="venv", reuse_venv=True, tags=["rest"])
def tests(session: nox.Session) -> None:
    """What Splunk runs, and the command line, on other Pythons."""
    env = pinned(session, str(Path(session.bin) / "python"))
    session.chdir(ROOT)
    session.install("-q", "-e", ".[test]", env=env)
    # what the property tests find follows from no version: few examples do
    session.run("python", "-m", "pytest", "-q", "-n", "auto", "-p", "no:cacheprovider", *(session.posargs or ON_OTHERS), env={"ESATLS_PROPERTIES": "brief"})


@nox.session
def core(session: nox.Session) -> None:
    """The compiled core: its form, its build, and the same bytes as Python. Left out where Rust or its registry cannot be reached."""
    cargo = ["--locked", "--manifest-path", "python/core/Cargo.toml"]
    if not shutil.which("cargo"):
        session.skip("Rust is not on this machine")
    session.chdir(ROOT)
    fetched = subprocess.run(["cargo", "fetch", *cargo], capture_output=True, text=True, check=False)
    if fetched.returncode:
        if "--locked" in fetched.stderr:
            session.error(fetched.stderr)
        session.skip("Rust's registry cannot be reached")
    folder = CACHE / "core"
    shutil.rmtree(folder / "wheels", ignore_errors=True)
    shutil.rmtree(folder / "site", ignore_errors=True)
    run(session, "bash", ".ci/tools")
    run(session, "cargo", "fmt", "--check", "--manifest-path", cargo[-1])
    target = {"CARGO_TARGET_DIR": str(folder / "target"), "PCRE2_SYS_STATIC": "1"}
    run(session, "cargo", "clippy", "--release", *cargo, "--", "-D", "warnings", **target)
    run(session, ".cache/tools/bin/maturin", "build", "--release", *cargo, "--out", str(folder / "wheels"), **target)
    (wheel,) = map(str, (folder / "wheels").glob("*.whl"))
    python(session, "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--target", str(folder / "site"), wheel)
    run(session, sys.executable, "-m", "pytest", "-q", "-n", "auto", "tests/native", PYTHONPATH=str(folder / "site"))


@nox.session(tags=["rest"])
def fuzz(session: nox.Session) -> None:
    """Fuzzing guided by coverage, for a moment each."""
    from importlib.util import find_spec

    if not find_spec("atheris"):
        session.skip("atheris has no wheels for this machine")
    targets = ("envelope", "events", "match", "cef", "tracking", "records")
    at_once(session, *([sys.executable, "tests/fuzz", target, *(session.posargs or ["--runs", "1500"])] for target in targets))


@nox.session(tags=["rest"])
def packages(session: nox.Session) -> None:
    """The packages of a release, into dist."""
    python(session, "python/package")
    # not beside the Splunk package: the source archive has the same name
    python(session, "-m", "build", "--no-isolation", "--outdir", "dist/python", ".")


@nox.session(tags=["rest"])
def release(session: nox.Session) -> None:
    """What a release is made of, installed on each Python and run."""
    env = pinned(session, "python3", *(f"python{version}" for version in OTHERS))
    run(session, sys.executable, "-m", "pytest", "-q", "-n", "auto", "tests/release", **env)


@nox.session(tags=["rest"])
def audit(session: nox.Session) -> None:
    """Known vulnerabilities of what is pinned."""
    run(session, "bash", ".ci/tools")
    python(session, ".ci/audit")


@nox.session(default=False)
def vetting(session: nox.Session) -> None:
    """Splunk's AppInspect and packaging tools on the app; a part of `readme`."""
    python(session, "-m", "pytest", "-q", "tests/splunk/test_package.py")


@nox.session(default=False)
def nightly(session: nox.Session) -> None:
    """Property tests on thousands of new examples each, for an hour or more."""
    run(session, sys.executable, "-m", "pytest", "-q", "-n", "auto", "tests/core", "tests/witness", "tests/report", ESATLS_PROPERTIES="nightly")
