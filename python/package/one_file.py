"""Builds the command line as one file that Python runs without an installation: `esatls-<version>.pyz`.

It contains esatls and its pure-Python dependencies as they are installed here, so it needs a Python that all of these support. Without orjson,
it writes JSON with the standard library, byte for byte the same; zstd and Parquet need an installation.
"""

from __future__ import annotations

import re
from importlib import metadata
from typing import TYPE_CHECKING

import sbom
from archives import ROOT, PackageError, version, write, zipped

if TYPE_CHECKING:
    from pathlib import Path

DEPENDENCIES = {
    "click": ("Pallets", "BSD-3-Clause"),
    "publicsuffixlist": ("ko-zu", "MPL-2.0"),
    "rich": ("Will McGugan", "MIT"),
    "tomli": ("Taneli Hukkinen", "MIT"),
}
"""Supplier and license of each distribution, whose folder has its name."""
_WITHOUT = {"tomli": 11}
"""The oldest Python that runs without a distribution, if it is not installed here: the number behind 3."""
_MAIN = """import sys

if sys.version_info < (3, {minor}):
    sys.exit("esatls: this file needs Python 3.{minor} or newer")

from esatls.cli.commands import run

run()
"""


def contents() -> tuple[dict[str, bytes], int]:
    """Return all files by their path in it, and the oldest Python that runs them, as the number after `3.`."""
    files = {"LICENSE": (ROOT / "LICENSE").read_bytes()}
    oldest = [9]
    for path in sorted((ROOT / "python" / "esatls").rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            files[path.relative_to(ROOT / "python").as_posix()] = path.read_bytes()
    for folder in ("elasticsearch", "kibana"):
        for path in sorted((ROOT / "logstash" / folder).rglob("*")):
            if path.is_file():
                files[f"esatls/elastic/assets/{path.relative_to(ROOT / 'logstash').as_posix()}"] = path.read_bytes()
    libraries = []
    for name, (supplier, license_id) in DEPENDENCIES.items():
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError as error:
            if name not in _WITHOUT:
                raise PackageError(f"{name} is not installed: pip install .") from error
            oldest.append(_WITHOUT[name])
            continue
        libraries.append(sbom.library(name, found.version, None, supplier, license_id))
        oldest += map(int, re.findall(r">=\s*3\.(\d+)", found.metadata["Requires-Python"] or ""))
        for item in found.files or ():
            path = item.as_posix()
            of_it = path.startswith(f"{name}/") or ".dist-info/" in path
            if of_it and not path.endswith((".pyc", ".so", ".pyd")) and not path.endswith(("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")):
                files[path] = item.read_binary()
    files[sbom.NAME] = sbom.bill("esatls-pyz", "Command line in one file", libraries).encode()
    files["__main__.py"] = _MAIN.format(minor=max(oldest)).encode()
    return files, max(oldest)


def program(files: dict[str, bytes], python: str) -> bytes:
    """Return the files as one program; `python` runs it."""
    packed: bytes = zipped(files, f"#!{python}\n".encode())
    return packed


def build(output: Path) -> list[Path]:
    """Write the file to `output`."""
    path = write(output, f"esatls-{version()}.pyz", program(contents()[0], "/usr/bin/env python3"))
    path.chmod(0o755)
    return [path]
