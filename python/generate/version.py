"""Copies the version from `esatls.__version__`, its only source, to the files in which Splunk, Cargo, pip and readers look for it."""

from __future__ import annotations

import pathlib
import re

from archives import ROOT, version

PLACES = {
    "splunk_app/default/app.conf": r"(?m)(?<=^version = ).+",
    "splunk_app/app.manifest": r'(?<="version": ")[^"]+',
    "python/core/Cargo.toml": r'(?m)(?<=^version = ")[^"]+',
    "python/core/Cargo.lock": r'(?m)(?<=^name = "esatls-core"\nversion = ")[^"]+',
    "pyproject.toml": r'(?<="esatls-core==)[^"]+',
    "README.md": r"(?<=dist/esatls[-_])\d[\d.]*\d(?=\.(?:tar\.gz|zip|pyz)|_all\.deb)|(?<=dist/esatls-elastic-)\d[\d.]*\d(?=\.tar\.gz)",
    "logstash/README.md": r"(?<=@esatls-)[\d.]+(?=\.zip)",
}
"""File -> the expression that finds the version in it."""


def files() -> dict[pathlib.Path, str]:
    """Return the files that contain the version, with the current one."""
    return {pathlib.Path(path): re.sub(pattern, version(), (ROOT / path).read_text(encoding="utf-8")) for path, pattern in PLACES.items()}
