"""Bills of materials: the third-party software in each package, as CycloneDX 1.6 JSON, the same bytes for the same contents.

The bills of the wheels are checked in, because any build tool may build a wheel; `python python/generate` writes them.
"""

from __future__ import annotations

import json
import pathlib
import uuid
from typing import Any

from archives import version

# Path of the bill in every archive; wheels have theirs in .dist-info/sboms (PEP 770).
NAME = "sbom.cdx.json"
WHEEL = pathlib.Path("python/package/esatls.cdx.json")
CORE = pathlib.Path("python/core/pcre2.cdx.json")
"""The C libraries in the compiled core; maturin lists the crates, but not what one of them holds."""
PCRE2_SYS = "0.2.10"
"""The crate that holds PCRE2, of the version that its include/pcre2.h names, and sljit."""
PCRE2 = "10.46"
_APACHE = [{"license": {"id": "Apache-2.0"}}]


def library(name: str, number: str, digest: str | None, supplier: str, license_id: str = "Apache-2.0") -> dict[str, Any]:
    """Return the entry of a PyPI package that an archive contains; `digest` is the SHA-256 of its file on PyPI, if it was taken from there."""
    purl = f"pkg:pypi/{name}@{number}"
    return {
        "type": "library",
        "bom-ref": purl,
        "supplier": {"name": supplier},
        "name": name,
        "version": number,
        **({"hashes": [{"alg": "SHA-256", "content": digest}]} if digest else {}),
        "licenses": [{"license": {"id": license_id}}],
        "purl": purl,
    }


def _linked() -> list[dict[str, Any]]:
    """Return the entries of the C libraries in the compiled core."""
    purl = f"pkg:github/PCRE2Project/pcre2@pcre2-{PCRE2}"
    pcre2 = {
        "type": "library",
        "bom-ref": purl,
        "supplier": {"name": "University of Cambridge"},
        "name": "pcre2",
        "version": PCRE2,
        "licenses": [{"license": {"id": "BSD-3-Clause"}}],
        "cpe": f"cpe:2.3:a:pcre:pcre2:{PCRE2}:*:*:*:*:*:*:*",
        "purl": purl,
    }
    sljit = {
        "type": "library",
        "bom-ref": "sljit",
        "supplier": {"name": "Zoltan Herczeg"},
        "name": "sljit",
        "description": f"Just-in-time compiler, as it is in pcre2 {PCRE2}",
        "licenses": [{"license": {"id": "BSD-2-Clause"}}],
    }
    return [pcre2, sljit]


def bill(name: str, description: str, components: list[dict[str, Any]], purl: str | None = None, *, complete: bool = True) -> str:
    """Return the bill of one archive of this version: the archive itself, and the third-party components in it; `complete` if these are all."""
    reference = purl or f"{name}@{version()}"
    itself = {
        "type": "application",
        "bom-ref": reference,
        "name": name,
        "version": version(),
        "description": description,
        "licenses": _APACHE,
        **({"purl": purl} if purl else {}),
    }
    references = [component["bom-ref"] for component in components]
    content = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": itself},
        "components": components,
        "dependencies": [{"ref": reference, "dependsOn": references}, *({"ref": one, "dependsOn": []} for one in references)],
        "compositions": [{"aggregate": "complete" if complete else "incomplete", "assemblies": [reference]}],
    }
    # made from the contents: the same in every build, but another for other contents
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(content, sort_keys=True))
    return json.dumps({**content, "serialNumber": f"urn:uuid:{serial}"}, indent=2) + "\n"


def files() -> dict[pathlib.Path, str]:
    """Return the bills of the wheels: of esatls, which contains no third-party software, and what maturin's bill of the compiled core leaves out."""
    core = bill("esatls-core", "C libraries in the compiled core", _linked(), f"pkg:pypi/esatls-core@{version()}", complete=False)
    return {WHEEL: bill("esatls", "Python package", [], f"pkg:pypi/esatls@{version()}"), CORE: core}
