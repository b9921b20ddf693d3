"""Bills of materials: the third-party software in each package, as CycloneDX 1.6 JSON, the same bytes for the same contents.

The wheel's bill is checked in, because any build tool may build the wheel; `python python/generate` writes it.
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


def bill(name: str, description: str, components: list[dict[str, Any]], purl: str | None = None) -> str:
    """Return the bill of one archive of this version: the archive itself, and all third-party components in it."""
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
        "compositions": [{"aggregate": "complete", "assemblies": [reference]}],
    }
    # made from the contents: the same in every build, but another for other contents
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(content, sort_keys=True))
    return json.dumps({**content, "serialNumber": f"urn:uuid:{serial}"}, indent=2) + "\n"


def files() -> dict[pathlib.Path, str]:
    """Return the bill of the wheel, which contains no third-party software."""
    return {WHEEL: bill("esatls", "Python package", [], f"pkg:pypi/esatls@{version()}")}
