"""Bills of materials: what each package holds that others wrote, as CycloneDX 1.6 JSON, the same bytes for the same contents.

That of the wheel is checked in, because the wheel is built by whatever builds wheels; `python python/generate` writes it.
"""

from __future__ import annotations

import json
import pathlib
import uuid
from typing import Any

from archives import version

# Where every archive has it; wheels have theirs in .dist-info/sboms (PEP 770).
NAME = "sbom.cdx.json"
WHEEL = pathlib.Path("python/package/esatls.cdx.json")
_APACHE = [{"license": {"id": "Apache-2.0"}}]


def library(name: str, number: str, digest: str, supplier: str) -> dict[str, Any]:
    """Return the entry of a package from PyPI that an archive holds; `digest` is the SHA-256 of the file that PyPI has."""
    purl = f"pkg:pypi/{name}@{number}"
    return {
        "type": "library",
        "bom-ref": purl,
        "supplier": {"name": supplier},
        "name": name,
        "version": number,
        "hashes": [{"alg": "SHA-256", "content": digest}],
        "licenses": _APACHE,
        "purl": purl,
    }


def bill(name: str, description: str, components: list[dict[str, Any]], purl: str | None = None) -> str:
    """Return the bill of one archive of this version: itself, and the components of others in it, all of them."""
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
    # a number of the contents: two builds have the same, two contents have not
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(content, sort_keys=True))
    return json.dumps({**content, "serialNumber": f"urn:uuid:{serial}"}, indent=2) + "\n"


def files() -> dict[pathlib.Path, str]:
    """Return the bill of the wheel, which holds nothing of others."""
    return {WHEEL: bill("esatls", "Python package", [], f"pkg:pypi/esatls@{version()}")}
