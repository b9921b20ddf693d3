"""What a release is made of: versions that agree, bills of materials, the Elastic bundle."""

from __future__ import annotations

import importlib.util
import json
import posixpath
import re
import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING, Any

import esatls
import pytest

from tests.splunk.conf import ROOT

if TYPE_CHECKING:
    from pathlib import Path

sys.path.insert(0, str(ROOT / "python" / "package"))
import archives
import elastic_package
import one_file
import sbom
import splunk_package

SDK = splunk_package.sdk()
NAMED = re.compile(r"esatls[-_](?:elastic-)?(\d+\.\d+\.\d+)(?:\.(?:tar\.gz|spl|pyz|zip)|_all\.deb)")
"""The version in the name of a package."""


def members(path: Path) -> dict[str, bytes]:
    """Return the files of an archive."""
    with tarfile.open(path) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar if member.isfile()}  # type: ignore[union-attr]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return what `python python/package` writes, by name."""
    output = tmp_path_factory.mktemp("dist")
    done = subprocess.run([sys.executable, str(ROOT / "python" / "package"), "--output", str(output)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {line.rpartition("/")[2]: output / line.rpartition("/")[2] for line in done.stdout.splitlines()}


def test_one_version_everywhere(built: dict[str, Path]) -> None:
    """The library, the Splunk app and what is in it, the Elastic bundle, the bills, the documents and the changelog name one version."""
    number = archives.version()
    assert esatls.__version__ == number
    assert set(built) == {f"esatls-{number}{end}" for end in (".tar.gz", ".spl", ".pyz", ".zip")} | {
        f"esatls-elastic-{number}.tar.gz",
        f"esatls_{number}_all.deb",
    }
    app, bundle = members(built[f"esatls-{number}.tar.gz"]), members(built[f"esatls-elastic-{number}.tar.gz"])
    assert re.findall(rb"^version = (.+)$", app["esatls/default/app.conf"], re.MULTILINE) == [number.encode()] * 2
    assert json.loads(app["esatls/app.manifest"])["info"]["id"]["version"] == number
    assert f'\n__version__ = "{number}"\n'.encode() in app["esatls/lib/esatls/__init__.py"]
    assert bundle["esatls/VERSION"] == f"{number}\n".encode()
    for text in (app[f"esatls/{sbom.NAME}"], bundle[f"esatls/{sbom.NAME}"], (ROOT / sbom.WHEEL).read_bytes()):
        assert json.loads(text)["metadata"]["component"]["version"] == number
    for path in [*ROOT.glob("*.md"), *ROOT.glob("*/README.md")]:
        assert set(NAMED.findall(path.read_text(encoding="utf-8"))) <= {number}, path
    assert re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)[0] == number


def test_a_new_version_reaches_the_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    """The generator writes the version into every name of a package in the READMEs."""
    monkeypatch.syspath_prepend(str(ROOT / "python" / "generate"))
    import version

    for path in ("README.md", "logstash/README.md"):
        text = re.sub(version.PLACES[path], "2.10.3", (ROOT / path).read_text(encoding="utf-8"))
        assert set(NAMED.findall(text)) == {"2.10.3"}


def test_elastic_bundle(built: dict[str, Path], tmp_path: Path) -> None:
    """It holds the patterns and all of logstash/ but for Fleet's part as they are, a licence, a version and a bill; two builds are the same bytes."""
    (path,) = elastic_package.build(tmp_path)
    assert path.read_bytes() == built[path.name].read_bytes()
    found = members(path)
    listing = ["git", "ls-files", "grok_patterns", "logstash", ":!logstash/fleet"]
    tracked = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    if not tracked:
        pytest.skip("needs a git checkout, which tells what belongs to the bundle")
    assert {name: found[f"esatls/{name}"] for name in tracked} == {name: (ROOT / name).read_bytes() for name in tracked}
    assert set(found) - {f"esatls/{name}" for name in tracked} == {
        *(f"esatls/{name}" for name in ("LICENSE", "VERSION", sbom.NAME, *elastic_package.DOCUMENTS)),
    }
    assert {name: found[f"esatls/{name}"] for name in elastic_package.DOCUMENTS} == {name: (ROOT / name).read_bytes() for name in elastic_package.DOCUMENTS}


def test_documents_in_a_package_link_to_what_it_holds(built: dict[str, Path]) -> None:
    """A link to another file leads somewhere for those who have the Splunk app or the Elastic bundle alone."""
    for package in ("esatls", "esatls-elastic"):
        found = members(built[f"{package}-{archives.version()}.tar.gz"])
        documents = [name for name in found if name.endswith(".md")]
        assert documents
        for name in documents:
            for target in re.findall(r"\]\(([^)#\s]+)[^)\s]*\)", found[name].decode()):
                if not re.match(r"[a-z]+:", target):
                    assert posixpath.normpath(posixpath.join(posixpath.dirname(name), target)) in found, f"{name}: {target}"


def test_pipelines_find_their_files_in_the_bundle(built: dict[str, Path]) -> None:
    """Every file that pipelines.yml names is in the bundle when that is unpacked in /etc/logstash."""
    found = {f"/etc/logstash/{name}" for name in members(built[f"esatls-elastic-{archives.version()}.tar.gz"])}
    named = re.findall(r'path\.config: "(\S+)/\{(\S+)\}\.conf"', (ROOT / "logstash" / "pipelines.yml").read_text(encoding="utf-8"))
    assert named
    assert {f"{folder}/{name}.conf" for folder, names in named for name in names.split(",")} <= found


# What each package holds that others wrote.
PARTS: dict[str, list[tuple[str, str, str]]] = {"wheel": [], "Elastic bundle": [], "Splunk app": [SDK]}


def bill_of(package: str) -> bytes:
    """Return the bill of materials of a package."""
    if package in {"wheel", "core"}:
        path: Path = ROOT / (sbom.WHEEL if package == "wheel" else sbom.CORE)
        return path.read_bytes()
    files: dict[str, bytes] = (
        one_file.contents()[0] if package == "single file" else (splunk_package if package == "Splunk app" else elastic_package).contents()
    )
    return files[sbom.NAME]


@pytest.mark.parametrize("package", PARTS)
def test_bill_names_what_others_wrote(package: str) -> None:
    """A bill names each part of others with version and hash, its licence and its place in the tree, and no other; no time, no machine."""
    bill, parts = json.loads(bill_of(package)), PARTS[package]
    found = [(part["name"], part["version"], part["hashes"][0]["content"]) for part in bill["components"]]
    assert found == parts
    assert [part["licenses"] for part in bill["components"]] == [[{"license": {"id": "Apache-2.0"}}]] * len(parts)
    root = bill["metadata"]["component"]["bom-ref"]
    assert bill["dependencies"][0] == {"ref": root, "dependsOn": [f"pkg:pypi/{name}@{number}" for name, number, _ in parts]}
    assert "timestamp" not in bill["metadata"]


@pytest.mark.parametrize("package", [*PARTS, "single file", "core"])
def test_bill_is_cyclonedx(package: str) -> None:
    """The validator of the CycloneDX project takes it, and its strict schema refuses it with a word that it does not know."""
    if not importlib.util.find_spec("cyclonedx") or not importlib.util.find_spec("jsonschema"):
        pytest.skip("needs the package cyclonedx-python-lib: pip install -e '.[dev]'")
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    validator = JsonStrictValidator(SchemaVersion.V1_6)
    text = bill_of(package).decode()
    assert validator.validate_str(text) is None
    spoiled: dict[str, Any] = {**json.loads(text), "componets": []}
    assert validator.validate_str(json.dumps(spoiled)) is not None


def test_core_names_the_c_libraries_in_it() -> None:
    """The bill that goes into the wheel of the compiled core names PCRE2, of the crate that is locked, and sljit; the license file has both notices."""
    locked = re.findall(r'^name = "pcre2-sys"\nversion = "(.+)"$', (ROOT / "python/core/Cargo.lock").read_text(encoding="utf-8"), re.MULTILINE)
    assert locked == [sbom.PCRE2_SYS], "PCRE2's version is in include/pcre2.h of the new crate"
    bill = json.loads((ROOT / sbom.CORE).read_bytes())
    assert [(part["name"], part.get("version"), part["licenses"]) for part in bill["components"]] == [
        ("pcre2", sbom.PCRE2, [{"license": {"id": "BSD-3-Clause"}}]),
        ("sljit", None, [{"license": {"id": "BSD-2-Clause"}}]),
    ]
    assert bill["compositions"][0]["aggregate"] == "incomplete"
    core = (ROOT / "python/core/pyproject.toml").read_text(encoding="utf-8")
    assert f'[tool.maturin.sbom]\ninclude = ["{sbom.CORE.name}"]' in core
    notices = [line for line in (ROOT / "python/core/LICENSE-PCRE2").read_text(encoding="utf-8").splitlines() if "Copyright " in line]
    assert notices == [
        "Original API code: Copyright (c) 1997-2012 University of Cambridge",
        "New API code: Copyright (c) 2016-2024 University of Cambridge",
        "Copyright Zoltan Herczeg (hzmester@freemail.hu). All rights reserved.",
    ]


def test_app_holds_nothing_that_its_bill_leaves_out(built: dict[str, Path]) -> None:
    """Every file in the app's lib/ is ours or of the SDK that the bill names."""
    names = [name.split("/")[2] for name in members(built[f"esatls-{archives.version()}.tar.gz"]) if name.startswith("esatls/lib/")]
    assert set(names) == {"esatls", "splunklib", f"splunk_sdk-{SDK[1]}.dist-info"}
