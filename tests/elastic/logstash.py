"""Runs lines through filters in a real Logstash, the one that LOGSTASH_HOME names."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.elastic import corpus

if TYPE_CHECKING:
    from collections.abc import Iterable

HOME = os.environ.get("LOGSTASH_HOME")
FILTER = corpus.ROOT / "logstash/pipeline/events/50-esatls-filter.conf"


def documents_of(lines: Iterable[str]) -> list[dict[str, Any]]:
    """Return the document of each line, as a shipper hands it to Logstash, with its number."""
    return [{"number": number, "@timestamp": corpus.SHIPPED, "message": line, "event": {"original": line}} for number, line in enumerate(lines)]


def run_logstash(folder: Path, lines: list[str]) -> list[dict[str, Any]]:
    """Run lines through the filter in a real Logstash; return what comes out."""
    pipeline = folder / "pipeline"
    pipeline.mkdir()
    (pipeline / "10-input.conf").write_text("input { stdin { codec => json_lines } }\n")
    (pipeline / "50-filter.conf").write_text(FILTER.read_text(encoding="utf-8"))
    (pipeline / "90-output.conf").write_text("output { stdout { codec => json_lines } }\n")
    settings = folder / "settings"
    settings.mkdir()
    (settings / "logstash.yml").write_text("api.enabled: false\n")
    (settings / "log4j2.properties").write_text(
        "status = error\nname = esatls\nappender.c.type = Console\nappender.c.name = c\nappender.c.target = SYSTEM_ERR\n"
        "appender.c.layout.type = PatternLayout\nappender.c.layout.pattern = %p %c %m%n\nrootLogger.level = warn\nrootLogger.appenderRef.c.ref = c\n"
    )
    assert HOME
    command = [
        str(Path(HOME) / "bin" / "logstash"),
        "-f",
        str(pipeline),
        "--path.settings",
        str(settings),
        "--path.data",
        str(folder / "data"),
        "-w",
        "1",
        "--pipeline.ordered",
        "true",
    ]
    result = subprocess.run(
        command,
        input="".join(json.dumps(document) + "\n" for document in documents_of(lines)),
        capture_output=True,
        text=True,
        env={**os.environ, "ESATLS_HOME": str(corpus.ROOT)},
        timeout=600,
        check=False,
    )
    found = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
    assert "ERROR" not in result.stderr, result.stderr[-3000:]
    for document in found:
        document.pop("@version", None)
        document.pop("host", None)
        document["@timestamp"] = document["@timestamp"].replace(".000Z", "Z")
    return found
