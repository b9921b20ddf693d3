"""Measures what others take from the project's lines about TLS, for docs/COMPARISON.md: `python tests/peers [--elastic FILE] [--tracking FILE]`.

Their files are not in this project; the document says which, of which commit. Each value that the cases expect of a TLS line (version,
cipher, reason, certificate name, domain) counts as *apart*, when a field has exactly it, *inside*, when it stands with other text in
one field, or *lost*. A field that has the whole line is no field of it.

`--elastic`: pipeline_text_mail_logs.yml of Elastic's integration; its grok patterns are run by a search server (tests/elastic/setup.sh).
`--tracking`: savedsearches.conf of TA-messagetracking-for-cisco-esa; the regular expressions of its search are run by Python.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "python")]

import esatls as project  # noqa: E402

from tests.elastic.kql import values_of  # noqa: E402
from tests.elastic.server import Server  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

FIELDS = ("tls_version", "tls_cipher", "tls_reason", "tls_peer_cn", "tls_domain")


def lines() -> list[tuple[str, dict[str, Any]]]:
    """Return the texts of the cases about TLS with the events that they give."""
    found = []
    for path in sorted((ROOT / "tests" / "cases").glob("tls_*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        found += [(case["text"], case["event"]) for case in content["cases"]]
    return found


def esatls(text: str) -> list[str]:
    """Return the values of the fields that esatls takes from a line."""
    return [str(value) for event in project.events([text]) for value in event.values()]


def elastic(path: Path, server: Server) -> Callable[[str], list[str]]:
    """Return what reads a line with the grok patterns of Elastic's pipeline."""
    text = path.read_text(encoding="utf-8")
    patterns = [found.replace("''", "'") for found in re.findall(r"^ {8}- '(.*)'$", text, re.MULTILINE)]
    field = re.search(r"- grok:\n +field: (\S+)\n", text)
    assert field
    assert len(patterns) > 30
    processor = {"grok": {"field": field[1], "patterns": patterns}}

    def read(line: str) -> list[str]:
        document: dict[str, Any] = {}
        place = document
        *parts, last = field[1].split(".")
        for part in parts:
            place = place.setdefault(part, {})
        place[last] = line
        body = {"pipeline": {"processors": [processor]}, "docs": [{"_source": document}]}
        (answer,) = server.client.request("POST", "/_ingest/pipeline/_simulate", body)["docs"]
        return [value for value in leaves(answer["doc"]["_source"]) if value != line]

    return read


def leaves(value: Any) -> list[str]:
    """Return every value of a nested document."""
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in leaves(item)]
    return [str(item) for item in values_of(value, "")]


def tracking(path: Path) -> Callable[[str], list[str]]:
    """Return what reads a line with the regular expressions of the add-on's search."""
    found = re.findall(r'rex field=_raw "((?:[^"\\]|\\.)+)"', path.read_text(encoding="utf-8"))
    compiled = [re.compile(text.replace("(?<", "(?P<")) for text in dict.fromkeys(found)]
    assert len(compiled) > 10

    def read(line: str) -> list[str]:
        matches = [expression.search(line) for expression in compiled]
        return [value for match in matches if match for value in match.groupdict().values() if value is not None]

    return read


def measure(name: str, read: Callable[[str], list[str]]) -> None:
    """Print a row for each field: how many values are apart, inside, lost."""
    counts: Counter[tuple[str, str]] = Counter()
    for text, event in lines():
        values = read(text)
        for field in FIELDS:
            if field in event:
                wanted = str(event[field])
                counts[field, "apart" if wanted in values else "inside" if any(wanted in value for value in values) else "lost"] += 1
    for field in FIELDS:
        numbers = [counts[field, kind] for kind in ("apart", "inside", "lost")]
        print(f"{name:<10} {field:<12} {numbers[0]:>3} apart {numbers[1]:>3} inside {numbers[2]:>3} lost of {sum(numbers)}")


def main() -> None:
    """Measure those whose files are given, and esatls."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--elastic", type=Path)
    parser.add_argument("--tracking", type=Path)
    options = parser.parse_args()
    print(f"{len(lines())} lines about TLS")
    measure("esatls", esatls)
    if options.tracking:
        measure("tracking", tracking(options.tracking))
    if options.elastic:
        server = Server()
        try:
            measure("elastic", elastic(options.elastic, server))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
