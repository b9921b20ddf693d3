"""What the checks and a release install and run is pinned."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.splunk.conf import ROOT

if TYPE_CHECKING:
    from pathlib import Path

packaging = pytest.importorskip("packaging.requirements", reason="needs the package packaging: pip install -e '.[dev]'")
LOCKS = sorted((ROOT / ".ci" / "requirements").glob("*.txt"))
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def pins(path: Path) -> list[str]:
    """Return the pins of a file, each with its hashes in one line."""
    lines = path.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.stem)
def test_every_package_has_one_version_and_hashes(path: Path) -> None:
    """A line is name, version, perhaps a condition, and hashes; no address of an index or a file, no path of a machine."""
    shape = re.compile(r"[a-z0-9][a-z0-9-]*==[\w.]+( ; [\w.*'\"<>=!() ]+?)?( +--hash=sha256:[0-9a-f]{64})+")
    assert [line for line in pins(path) if not shape.fullmatch(line)] == []
    assert path.read_text(encoding="utf-8").startswith("# Written by .ci/lock; do not edit.\n")


@pytest.mark.parametrize("python", ["3.9.18", "3.11.7", "3.13.0"])
def test_pins_are_those_of_the_project(python: str) -> None:
    """What pyproject.toml asks for, with all its extras and to build it, is pinned to a version that it allows; else run .ci/lock."""
    environment = {"python_version": python.rpartition(".")[0], "python_full_version": python, "extra": "", "sys_platform": "linux", "os_name": "posix"}
    pinned = {}
    for line in pins(ROOT / ".ci" / "requirements" / "project.txt"):
        requirement = packaging.Requirement(line.split("--hash")[0])
        if requirement.marker is None or requirement.marker.evaluate(environment):
            assert requirement.name not in pinned
            pinned[requirement.name] = next(iter(requirement.specifier)).version
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    lists = re.findall(r"^(?:requires|dependencies|parquet|test|dev) = \[(.*?)\]$", text, re.MULTILINE | re.DOTALL)
    wanted = [packaging.Requirement(item) for part in lists for item in re.findall(r'"((?:[^"\\]|\\.)+)"', part)]
    assert len(wanted) > 10
    for requirement in wanted:
        if requirement.name != "esatls" and (requirement.marker is None or requirement.marker.evaluate(environment)):
            assert requirement.specifier.contains(pinned[requirement.name]), requirement


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_run_pinned_actions_with_few_rights(path: Path) -> None:
    """Every action of others is named by a commit, with its version beside it; a workflow has no right that a job does not ask for."""
    text = path.read_text(encoding="utf-8")
    used = re.findall(r"uses: (\S+)(.*)", text)
    assert used
    for action, comment in used:
        assert action.startswith("./") or re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action), action
        assert action.startswith("./") or re.fullmatch(r" # v\d+\.\d+\.\d+", comment), action
    assert re.search(r"^permissions: \{\}$", text, re.MULTILINE)
    assert text.count("persist-credentials: false") == text.count("actions/checkout@")
    assert not re.search(r"\$\{\{\s*(?:secrets|github\.event)\b", text)


def test_ci_workflow_runs_every_step() -> None:
    """The workflow's jobs run all steps that .ci/run runs, and a release waits for them."""
    workflow = (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")
    assert re.search(r"^ +run: bash \.ci/run \$STEPS$", workflow, re.MULTILINE)
    listed = set(" ".join(re.findall(r"^          - ([\w. -]+)$", workflow, re.MULTILINE)).split())
    listed |= set(re.findall(r"^ +run: bash \.ci/run (\w+)$", workflow, re.MULTILINE))
    steps = (ROOT / ".ci/noxfile.py").read_text(encoding="utf-8")
    tagged = re.findall(r'^@nox\.session(?:\(tags=\["(\w+)"\]\))?\ndef (\w+)', steps, re.MULTILINE)
    assert listed == {name for _, name in tagged} | {"tests-3.9", "tests-3.13"}
    run = (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert [name for tag, name in tagged if not tag] == re.findall(r"nox -s (\w+) ", run)
    assert {tag for tag, _ in tagged if tag} == set(re.findall(r"nox -t (\w+)", run))
    release = (ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8")
    assert re.search(r"^  checks:\n    uses: \./\.github/workflows/ci\.yml", release, re.MULTILINE)
    assert re.search(r"^  build:\n    needs: checks$", release, re.MULTILINE)


def test_checksums_of_a_release_name_the_core_too() -> None:
    """The wheels of the compiled core, which other jobs build, are in the checksums before these are signed and published."""
    release = (ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8")
    publish = release[release.index("\n  publish:\n") : release.index("\n  pypi:\n")]
    steps = ["download-artifact", "sha256sum -- esatls_core-*.whl >> SHA256SUMS", "attest-build-provenance", "gh release create"]
    places = [publish.find(step) for step in steps]
    assert places == sorted(places)
    assert places[0] > 0
