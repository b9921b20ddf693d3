"""Builds the Elastic bundle: Logstash pipelines, patterns, templates, ingest pipelines, Kibana's saved objects.

Unpacked in /etc/logstash, it is the folder that `logstash/pipelines.yml` expects there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sbom
from archives import ROOT, archive, version, write

if TYPE_CHECKING:
    from pathlib import Path

TOP = "esatls"
DOCUMENTS = ("docs/FOLLOW.md", "docs/WEEKLY.md")
"""What `logstash/README.md` links to, and what that links to."""


def contents() -> dict[str, bytes]:
    """Return all files of the bundle by their path in it, without dot files."""
    files = {}
    for folder in ("grok_patterns", "logstash"):
        for path in sorted((ROOT / folder).rglob("*")):
            inside = path.relative_to(ROOT)
            # these files are only for the Fleet package
            if path.is_file() and inside.parts[:2] != ("logstash", "fleet") and not any(part.startswith(".") for part in inside.parts):
                files[inside.as_posix()] = path.read_bytes()
    files |= {name: (ROOT / name).read_bytes() for name in DOCUMENTS}
    files["LICENSE"] = (ROOT / "LICENSE").read_bytes()
    files["VERSION"] = f"{version()}\n".encode()
    files[sbom.NAME] = sbom.bill("esatls-elastic", "Logstash pipelines, ingest pipelines, templates and Kibana dashboards", []).encode()
    return files


def build(output: Path) -> list[Path]:
    """Write the bundle to `output`."""
    return [write(output, f"esatls-elastic-{version()}.tar.gz", archive(contents(), TOP))]
