"""Builds the Splunk app: splunk_app/, the layers of esatls that its commands need, and the pinned Splunk SDK."""

from __future__ import annotations

import ast
import hashlib
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import sbom
from archives import ROOT, PackageError, archive, version, write

APP = "esatls"
LAYERS = ("lines", "extraction", "verdicts")
"""Folders of python/esatls that go into the app; they import one another, errors.py and the standard library."""
# The parts of the SDK that the commands import; the rest (modular inputs) would be dead weight on every indexer.
SDK_PARTS = ("splunklib/__init__.py", "splunklib/binding.py", "splunklib/client.py", "splunklib/data.py", "splunklib/utils.py", "splunklib/searchcommands/")


def app_files() -> dict[str, bytes]:
    """Return the files of splunk_app/ by their path in the app, without dot files, caches, lib/ and local settings."""
    source = ROOT / "splunk_app"
    files = {}
    for path in sorted(source.rglob("*")):
        inside = path.relative_to(source)
        if any(part.startswith(".") or part in {"__pycache__", "local", "lib"} for part in inside.parts) or path.suffix == ".pyc":
            continue
        if path.is_file() and inside.as_posix() != "metadata/local.meta":
            files[inside.as_posix()] = path.read_bytes()
    return files


def library_files() -> dict[str, bytes]:
    """Return the parts of python/esatls that the commands need, by path under lib/: all of the layers from lines to verdicts."""
    home = ROOT / "python" / APP
    paths = [home / "__init__.py", home / "errors.py", *(path for layer in LAYERS for path in sorted((home / layer).rglob("*.py")))]
    return {path.relative_to(home.parent).as_posix(): path.read_bytes() for path in paths}


def _imports(source: bytes) -> set[str]:
    """Return the packages that a source file imports when it is loaded; imports within functions do not count."""
    statements = ast.parse(source).body
    names = {alias.name for node in statements if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in statements if isinstance(node, ast.ImportFrom) and node.module and not node.level}
    return {name.partition(".")[0] for name in names}


def check_imports(files: dict[str, bytes]) -> None:
    """Raise `PackageError` if code in the package imports what Splunk's Python does not have."""
    own = {APP, "splunklib"} | {path[len("bin/") : -len(".py")] for path in files if path.startswith("bin/")}
    standard = getattr(sys, "stdlib_module_names", None)  # Python 3.10 and newer
    for path, source in files.items():
        if standard is None or not path.endswith(".py") or path.startswith("lib/splunklib/"):
            continue
        for name in sorted(_imports(source) - own - standard):
            raise PackageError(f"{path} imports {name}, which is neither in the package nor in the standard library")


def sdk() -> tuple[str, str, str]:
    """Return name, version and SHA-256 of the Splunk SDK from their only source, requirements.txt beside this file."""
    requirements = Path(__file__).with_name("requirements.txt")
    pinned = re.search(r"^(splunk-sdk)==(\S+) --hash=sha256:([0-9a-f]{64})$", requirements.read_text(encoding="utf-8"), re.MULTILINE)
    if not pinned:
        raise PackageError(f"{requirements.name} does not pin splunk-sdk with a hash")
    name, number, digest = pinned.groups()
    return name, number, digest


def sdk_files() -> dict[str, bytes]:
    """Return the pinned Splunk SDK by path under lib/, unchanged: AppInspect knows its files by their hashes."""
    name, number, digest = sdk()
    requirements = Path(__file__).with_name("requirements.txt")
    cache = ROOT / ".cache" / "package"
    archive = cache / f"{name}-{number}.tar.gz"
    if not archive.is_file() or hashlib.sha256(archive.read_bytes()).hexdigest() != digest:
        cache.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
        command += ["--require-hashes", "--dest", str(cache), "--requirement", str(requirements)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own fixed words
        if done.returncode or not archive.is_file():
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise PackageError(f"pip could not download {name} {number}: {reason}")
    files = {}
    with tarfile.open(archive) as tar:
        for member in tar:
            inside = member.name.partition("/")[2]
            if member.isfile() and inside.startswith(SDK_PARTS):
                content = tar.extractfile(member)
                files[inside] = content.read() if content else b""
            elif inside == "PKG-INFO":
                content = tar.extractfile(member)
                # pip's own record of what is in lib/, which vetting reads
                files[f"splunk_sdk-{number}.dist-info/METADATA"] = content.read() if content else b""
    return files


def contents() -> dict[str, bytes]:
    """Return all files of the app by their path in it."""
    files = app_files()
    files |= {f"lib/{path}": source for path, source in library_files().items()}
    files |= {f"lib/{path}": source for path, source in sdk_files().items()}
    files["LICENSE"] = (ROOT / "LICENSE").read_bytes()
    files[sbom.NAME] = sbom.bill("esatls-splunk", "Splunk app", [sbom.library(*sdk(), "Splunk Inc.")]).encode()
    check_imports(files)
    return files


def build(output: Path) -> list[Path]:
    """Write both packages to `output`; .spl is the same archive under the name that Splunk's own tools use."""
    packed = archive(contents(), APP)
    return [write(output, f"{APP}-{version()}.{ending}", packed) for ending in ("tar.gz", "spl")]
