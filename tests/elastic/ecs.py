"""What the Elastic Common Schema says of the fields that the documents use: `ecs.json` beside this file.

    python tests/elastic/ecs.py ECS

makes it anew from a clone of github.com/elastic/ecs, at the tag of `documents.CONSTANTS["ecs.version"]`.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
LIST = HERE / "ecs.json"
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parents[1] / "python")]

from esatls.elastic.setup import asset  # noqa: E402

TEMPLATES = ("esatls-events", "esatls-connections", "esatls-messages")
OWN = ("esatls.", "labels.")
"""Where fields stand that are not the schema's."""
WITH_WORDS = ("event.kind", "event.category", "event.type", "event.outcome")


def mapped(template: str) -> dict[str, str]:
    """Return the types of all fields of a template that are not ours, by their dotted names."""
    found: dict[str, str] = {}

    def walk(properties: dict[str, Any], prefix: str) -> None:
        for name, field in properties.items():
            if "properties" in field:
                walk(field["properties"], f"{prefix}{name}.")
            else:
                found[prefix + name] = field["type"]

    walk(json.loads(asset(f"elasticsearch/index-template-{template}.json"))["template"]["mappings"]["properties"], "")
    return {name: kind for name, kind in found.items() if not name.startswith(OWN)}


def stated(template: str) -> dict[str, Any]:
    """Return what the mapping of a template states of every document."""

    def walk(properties: dict[str, Any]) -> dict[str, Any]:
        inner = {name: walk(field["properties"]) if "properties" in field else field.get("value") for name, field in properties.items()}
        return {name: value for name, value in inner.items() if value}

    found = walk(json.loads(asset(f"elasticsearch/index-template-{template}.json"))["template"]["mappings"]["properties"])
    return {name: value for name, value in found.items() if name != "data_stream"}


def schema(folder: Path) -> dict[str, Any]:
    """Return what the schema says of the fields used."""
    used = sorted({name for template in TEMPLATES for name in mapped(template)})
    with (folder / "generated" / "csv" / "fields.csv").open(encoding="utf-8") as table:
        rows = {row["Field"]: row for row in csv.DictReader(table)}
    flat = (folder / "generated" / "ecs" / "ecs_flat.yml").read_text(encoding="utf-8")
    words: dict[str, Any] = {}
    for name in WITH_WORDS:
        (text,) = re.findall(rf"^{re.escape(name)}:\n((?: .*\n|\n)+)", flat, re.MULTILINE)
        parts = re.split(r"^  - ", text.partition("  allowed_values:\n")[2], flags=re.MULTILINE)[1:]
        words[name] = {}
        for part in parts:
            # behind the words there are other lists
            for word in re.findall(r"^    name: '?(\w+)'?$", part, re.MULTILINE):
                words[name][word] = re.findall(r"^    - (\w+)$", part.partition("    expected_event_types:\n")[2], re.MULTILINE)
    return {
        "source": "python tests/elastic/ecs.py ECS",
        "version": next(iter(rows.values()))["ECS_Version"],
        "fields": {name: {"type": rows[name]["Type"], "list": rows[name]["Normalization"] == "array"} for name in used if name in rows},
        "words": words,
    }


if __name__ == "__main__":
    LIST.write_text(json.dumps(schema(Path(sys.argv[1])), indent=1) + "\n", encoding="utf-8")
