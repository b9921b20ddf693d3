"""Tools for all packages: the project's version, and archives that are always the same bytes for the same files."""

from __future__ import annotations

import gzip
import io
import re
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

ROOT = Path(__file__).resolve().parents[2]
# The time of every file in an archive, so that two builds are the same bytes.
EPOCH = 1577836800
_ZIP_EPOCH = (2020, 1, 1, 0, 0, 0)


class PackageError(Exception):
    """The package cannot be built; the message says why in one line."""


def version() -> str:
    """Return the project's version from `esatls.__version__`, its only source, without importing it."""
    text = (ROOT / "python" / "esatls" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)
    if not found:
        raise PackageError("python/esatls/__init__.py has no __version__")
    return found.group(1)


def write(output: Path, name: str, content: bytes) -> Path:
    """Write a package to a folder, which is created if needed, and return its path."""
    output.mkdir(parents=True, exist_ok=True)
    path = output / name
    path.write_bytes(content)
    return path


def archive(files: dict[str, bytes], top: str, programs: Collection[str] = ()) -> bytes:
    """Return a gzip-compressed tar of the files below the folder `top`, the same bytes for the same files; `programs` are executable."""
    folders = {top}
    for path in files:
        parts = path.split("/")[:-1]
        folders |= {"/".join([top, *parts[:n]]) for n in range(1, len(parts) + 1)}
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name in sorted(folders | {f"{top}/{path}" for path in files}):
            member = tarfile.TarInfo(name)
            member.mtime = EPOCH
            member.uname = member.gname = "root"
            if name in folders:
                member.type, member.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(member)
            else:
                content = files[name[len(top) + 1 :]]
                member.size, member.mode = len(content), 0o755 if name[len(top) + 1 :] in programs else 0o644
                tar.addfile(member, io.BytesIO(content))
    return compressed(plain.getvalue())


def zipped(files: dict[str, bytes], head: bytes = b"") -> bytes:
    """Return a ZIP archive of the files behind a head, the same bytes for the same files."""
    packed = io.BytesIO(head)
    packed.seek(0, io.SEEK_END)
    with zipfile.ZipFile(packed, "a", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(files.items()):
            member = zipfile.ZipInfo(name, _ZIP_EPOCH)
            member.compress_type, member.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(member, content)
    return packed.getvalue()


def compressed(content: bytes) -> bytes:
    """Return content compressed with gzip, the same bytes each time."""
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=packed, compresslevel=9, mtime=0) as stream:
        stream.write(content)
    return packed.getvalue()
