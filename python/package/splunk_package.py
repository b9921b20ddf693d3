"""Puts the Splunk app together: splunk_app/, the run-time modules of esatls that its commands need, and the pinned Splunk SDK."""

from __future__ import annotations

import ast
import hashlib
import json
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import sbom
from archives import ROOT, PackageError, archive, version

APP = "esatls"
# What of the SDK the commands import; the rest (modular inputs) would be dead weight on every indexer.
SDK_PARTS = ("splunklib/__init__.py", "splunklib/binding.py", "splunklib/client.py", "splunklib/data.py", "splunklib/utils.py", "splunklib/searchcommands/")


def app_files() -> dict[str, bytes]:
    """Return what splunk_app/ holds, by path inside the app; dot files, caches and local settings stay out."""
    source = ROOT / "splunk_app"
    files = {}
    for path in sorted(source.rglob("*")):
        inside = path.relative_to(source)
        if any(part.startswith(".") or part in {"__pycache__", "local", "lib"} for part in inside.parts) or path.suffix == ".pyc":
            continue
        if path.is_file() and inside.as_posix() != "metadata/local.meta":
            files[inside.as_posix()] = path.read_bytes()
    return files


def _imports(source: bytes, package: str) -> set[str]:
    """Return the absolute names of all modules that a source file imports anywhere; `package` is what its relative imports start from."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            base = ".".join(parts[: len(parts) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module or "") if part)
            names.add(module)
            names |= {f"{module}.{alias.name}" for alias in node.names}
    return names


def library_files(commands: dict[str, bytes]) -> dict[str, bytes]:
    """Return the modules of python/esatls that the commands reach by import, by path under lib/."""
    home = ROOT / "python"
    found: dict[str, bytes] = {}
    queue = {name for source in commands.values() for name in _imports(source, "")}
    seen = set()
    while queue:
        name = queue.pop()
        if name in seen or name.split(".")[0] != APP:
            continue
        seen.add(name)
        base = home.joinpath(*name.split("."))
        path = base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
        if not path.is_file():
            continue  # a name inside a module
        if "." in name:
            queue.add(name.rpartition(".")[0])
        source = path.read_bytes()
        found[path.relative_to(home).as_posix()] = source
        queue |= _imports(source, name if base.is_dir() else name.rpartition(".")[0])
    if not found:
        message = "the commands import nothing of python/esatls"
        raise PackageError(message)
    return found


def check_imports(files: dict[str, bytes]) -> None:
    """Refuse a package whose code imports what Splunk's Python does not have."""
    own = {APP, "splunklib"} | {path[len("bin/") : -len(".py")] for path in files if path.startswith("bin/")}
    standard = getattr(sys, "stdlib_module_names", None)  # Python 3.10 and newer
    for path, source in files.items():
        if not path.endswith(".py") or path.startswith("lib/splunklib/"):
            continue
        package = ".".join(path.split("/")[1:-1])
        for name in _imports(source, package):
            top = name.split(".")[0]
            if top not in own and standard is not None and top not in standard:
                message = f"{path} imports {top}, which is neither in the package nor in the standard library"
                raise PackageError(message)


def sdk() -> tuple[str, str, str]:
    """Return name, version and SHA-256 of the Splunk SDK, from its one home, requirements.txt beside this file."""
    requirements = Path(__file__).with_name("requirements.txt")
    pinned = re.search(r"^(splunk-sdk)==(\S+) --hash=sha256:([0-9a-f]{64})$", requirements.read_text(encoding="utf-8"), re.MULTILINE)
    if not pinned:
        message = f"{requirements.name} does not pin splunk-sdk with a hash"
        raise PackageError(message)
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
            message = f"pip could not download {name} {number}: {reason}"
            raise PackageError(message)
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


def check_versions(files: dict[str, bytes], number: str) -> None:
    """Refuse a package in which app.conf (twice) or app.manifest states another version than pyproject.toml."""
    stated = re.findall(rb"^version = (\S+)$", files["default/app.conf"], re.MULTILINE)
    stated.append(json.loads(files["app.manifest"])["info"]["id"]["version"].encode())
    if len(stated) != 3 or set(stated) != {number.encode()}:
        message = f"pyproject.toml says {number}, but app.conf and app.manifest say {b', '.join(stated).decode()}"
        raise PackageError(message)


def contents() -> dict[str, bytes]:
    """All files of the app by path inside it."""
    files = app_files()
    commands = {path: source for path, source in files.items() if path.startswith("bin/") and path.endswith(".py")}
    files |= {f"lib/{path}": source for path, source in library_files(commands).items()}
    files |= {f"lib/{path}": source for path, source in sdk_files().items()}
    files["LICENSE"] = (ROOT / "LICENSE").read_bytes()
    files[sbom.NAME] = sbom.bill("esatls-splunk", "Splunk app", [sbom.library(*sdk(), "Splunk Inc.")]).encode()
    check_versions(files, version())
    check_imports(files)
    return files


def build(output: Path) -> list[Path]:
    """Write both packages to `output`; .spl is the same archive under the name that Splunk's own tools use."""
    packed = archive(contents(), APP)
    output.mkdir(parents=True, exist_ok=True)
    paths = [output / f"{APP}-{version()}.tar.gz", output / f"{APP}-{version()}.spl"]
    for path in paths:
        path.write_bytes(packed)
    return paths
