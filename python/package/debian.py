"""Builds a Debian package of the command line: `esatls_<version>_all.deb`, the same bytes each time, without Debian's tools.

It contains the command line in one file (`one_file`), manual pages and shell completion, and needs only Debian's Python and time zones.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from datetime import datetime, timezone
from email.utils import format_datetime
from typing import TYPE_CHECKING

import one_file
import sbom
from archives import EPOCH, ROOT, archive, compressed, version, write

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = "usr/bin/esatls"
_COMPLETIONS = {
    "bash": "usr/share/bash-completion/completions/esatls",
    "zsh": "usr/share/zsh/vendor-completions/_esatls",
    "fish": "usr/share/fish/vendor_completions.d/esatls.fish",
}
_MAINTAINER = "the esatls project <maintainers@esatls.invalid>"
_CONTROL = """Package: esatls
Version: {version}
Architecture: all
Maintainer: {maintainer}
Installed-Size: {size}
Depends: python3 (>= 3.{minor}), tzdata
Suggests: python3-zstandard, python3-orjson
Section: mail
Priority: optional
Description: Show what the logs of a Cisco ESA say about TLS
 Was a message received over TLS? Was it delivered over TLS? With which
 protocol and cipher, and if not, why not? esatls answers these questions
 from the logs of a Cisco ESA (Secure Email Gateway, IronPort).
"""
_CHANGELOG = """esatls ({version}) unstable; urgency=medium

  * See CHANGELOG.md.gz.

 -- {maintainer}  {date}
"""
_COPYRIGHT = """Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: esatls
Comment: /usr/bin/esatls is a zip archive. It holds the libraries below.
"""
_COMMON = "On Debian systems, the full text of the license is in /usr/share/common-licenses/{license}."


def _copyright(program: dict[str, bytes]) -> str:
    """Return Debian's file of copyrights and licenses: ours, and those of the libraries in the program."""
    parts = [_COPYRIGHT, _stanza("*", "the authors of esatls", "Apache-2.0", _COMMON.format(license="Apache-2.0"))]
    for library in json.loads(program[sbom.NAME])["components"]:
        license_id = library["licenses"][0]["license"]["id"]
        inside = f"{library['name']}-{library['version']}.dist-info/"
        path = next(name for name in program if name.startswith(inside) and name.rpartition("/")[2].startswith("LICENSE"))
        text = _COMMON.format(license=license_id) if license_id == "MPL-2.0" else program[path].decode().strip()
        parts.append(_stanza(f"{library['name']}/*", library["supplier"]["name"], license_id, text))
    return "\n".join(parts)


def _stanza(files: str, holder: str, license_id: str, text: str) -> str:
    lines = "".join(f" {line.rstrip() or '.'}\n" for line in text.splitlines())
    return f"Files: {files}\nCopyright: {holder}\nLicense: {license_id}\n{lines}"


def contents() -> tuple[dict[str, bytes], int]:
    """Return all files by their installed path, and the oldest Python that runs them, as the number after `3.`."""
    program, minor = one_file.contents()
    files = {PROGRAM: one_file.program(program, "/usr/bin/python3"), "usr/share/doc/esatls/copyright": _copyright(program).encode()}
    changelog = _CHANGELOG.format(version=version(), maintainer=_MAINTAINER, date=format_datetime(datetime.fromtimestamp(EPOCH, timezone.utc)))
    files["usr/share/doc/esatls/changelog.gz"] = compressed(changelog.encode())
    files["usr/share/doc/esatls/CHANGELOG.md.gz"] = compressed((ROOT / "CHANGELOG.md").read_bytes())
    for page in sorted((ROOT / "docs" / "man").glob("*.1")):
        files[f"usr/share/man/man1/{page.name}.gz"] = compressed(page.read_bytes())
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "python")}
    for shell, path in _COMPLETIONS.items():
        command = [sys.executable, "-m", "esatls", "completion", shell]
        files[path] = subprocess.run(command, capture_output=True, check=True, env=environment).stdout  # noqa: S603 - our own code
    return files, minor


def build(output: Path) -> list[Path]:
    """Write the package to `output`."""
    files, minor = contents()
    size = sum(-(-len(content) // 1024) for content in files.values())
    sums = "".join(f"{hashlib.md5(content, usedforsecurity=False).hexdigest()}  {path}\n" for path, content in sorted(files.items()))
    control = {"control": _CONTROL.format(version=version(), maintainer=_MAINTAINER, size=size, minor=minor).encode(), "md5sums": sums.encode()}
    members = {"debian-binary": b"2.0\n", "control.tar.gz": archive(control, "."), "data.tar.gz": archive(files, ".", {PROGRAM})}
    return [write(output, f"esatls_{version()}_all.deb", b"!<arch>\n" + b"".join(_member(name, content) for name, content in members.items()))]


def _member(name: str, content: bytes) -> bytes:
    """Return one member of an `ar` archive, the format of Debian packages."""
    head = f"{name:<16}{EPOCH:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n"
    return head.encode() + content + b"\n" * (len(content) % 2)
