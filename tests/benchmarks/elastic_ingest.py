"""Cost of the ingest pipeline, compared with plain pipelines of grok and date: `python tests/benchmarks/elastic_ingest.py`.

The same lines of a realistic log go to the same server through each pipeline in turn, several times. The server's processor seconds count, less
those of an idle server. There are two plain pipelines, because the cost of a document depends mostly on its size:

- `header`: grok removes the native header, and date reads its stamp. The document has five fields; the text of the line is not read.
- `ecs`: the same, and `set` adds the constant fields of an event's document (event, ecs, network), in four steps, as Elastic's packages do. The
  document is about as large as that of an event; the text is still not read. No pipeline sets the fields that the mapping sets.

Both patterns match every line, so they never pay for a failure. Each pipeline is tried with an index that only stores the documents, which shows the
cost of the pipelines, and with the mapping of the events, which shows the whole cost. The required figure is the whole compared with `ecs`. The
server of the tests, OpenSearch, copies each document before a script runs and checks it twice afterwards; Elasticsearch does not copy.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

from click import echo

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "python"), str(ROOT)]

from esatls.elastic import setup as setting_up  # noqa: E402
from esatls.elastic.documents import CONSTANTS, SMTP, put  # noqa: E402

from tests.elastic.server import Server  # noqa: E402
from tests.traffic.cli import main as traffic  # noqa: E402

BATCH = 2000
STAMP = r"(?<stamp>%{DAY} %{MONTH} +%{MONTHDAY} %{TIME} %{YEAR})"
FORMS = ["EEE MMM ppd HH:mm:ss yyyy"]
REQUIRED = 0.8
IDLE = 5.0


def plain() -> dict[str, list[dict[str, Any]]]:
    """Return the processors of the plain pipelines."""
    date = {"date": {"field": "stamp", "formats": FORMS}}
    constants: dict[str, Any] = {}
    for path, value in {**CONSTANTS, **SMTP, "event.category": ["email"], "event.type": ["info"]}.items():
        put(constants, path, value)
    sets = [{"set": {"field": name, "value": value}} for name, value in constants.items()]
    arrived = {"set": {"field": "event.ingested", "value": "{{{_ingest.timestamp}}}"}}
    return {
        "header": [{"grok": {"field": "message", "patterns": [rf"{STAMP} %{{WORD:level}}: %{{GREEDYDATA:text}}"]}}, date],
        "ecs": [{"grok": {"field": "message", "patterns": [rf"{STAMP} %{{WORD:log.level}}: %{{GREEDYDATA:text}}"]}}, date, *sets, arrived],
    }


def mappings() -> dict[str, dict[str, Any]]:
    """Return the mappings of the index: one that only stores documents, and the one of the events."""
    template = json.loads(setting_up.asset("elasticsearch/index-template-esatls-events.json"))
    return {"stored": {"enabled": False}, "indexed": template["template"]["mappings"]}


def idle(server: Server) -> float:
    """Return the share of a processor that the server uses when it is idle."""
    time.sleep(IDLE)
    busy, start = server.processor_seconds(), time.perf_counter()
    time.sleep(IDLE)
    return (server.processor_seconds() - busy) / (time.perf_counter() - start)


def run(server: Server, pipeline: str, mapping: dict[str, Any], bodies: list[bytes], rest: float) -> float:
    """Index all bodies through a pipeline; return the server's processor seconds, less those of an idle server."""
    client = server.client
    settings = {"number_of_replicas": 0, "refresh_interval": "-1", "mapping": {"ignore_malformed": True}}
    client.request("PUT", "/bench", {"settings": settings, "mappings": mapping})
    busy, start = server.processor_seconds(), time.perf_counter()
    for body in bodies:
        answer = client.request("POST", f"/bench/_bulk?pipeline={pipeline}", body, {"Content-Type": "application/x-ndjson"})
        assert not answer["errors"], answer["items"][0]
    spent = server.processor_seconds() - busy - rest * (time.perf_counter() - start)
    client.request("DELETE", "/bench")
    return spent


def main() -> int:
    """Print the figures; return exit code 1 if the pipeline is too slow."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--envelope", choices=["native", "nested_native"], default="native", help="header of the lines")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mail.log"
        traffic(["--messages", str(arguments.lines // 20), "--envelope", arguments.envelope, "--log", str(path)])
        with path.open(encoding="utf-8") as log:
            lines = [line.rstrip("\n") for line in islice(log, arguments.lines)]
    documents: list[dict[str, Any]] = [{"@timestamp": "2026-01-02T03:04:05Z", "message": line} for line in lines]
    encoded = [f'{{"index":{{}}}}\n{json.dumps(document)}\n'.encode() for document in documents]
    bodies = [b"".join(encoded[start : start + BATCH]) for start in range(0, len(encoded), BATCH)]
    server = Server(quick=False)
    try:
        client = server.client
        for step in setting_up.server_steps(setting_up.capabilities(client)):
            setting_up.perform(step, client)
        # a pipeline without steps shows the cost of a document alone
        pipelines: dict[str, list[dict[str, Any]]] = {"none": [], **plain()}
        for name, processors in pipelines.items():
            client.request("PUT", f"/_ingest/pipeline/{name}", {"processors": processors})
        cells = [(name, kind) for kind in mappings() for name in (*pipelines, "esatls")]
        # a server that has just started is never idle: it compiles
        for name, kind in cells * 2:
            run(server, name, mappings()[kind], bodies, 0)
        rest = idle(server)
        times: dict[tuple[str, str], list[float]] = {cell: [] for cell in cells}
        for _ in range(arguments.rounds):
            for (name, kind), found in times.items():
                found.append(run(server, name, mappings()[kind], bodies, rest) / len(lines) * 1e6)
        answer = client.request("POST", "/_ingest/pipeline/esatls/_simulate", {"docs": [{"_source": document} for document in documents[:5000]]})
        events = sum("action" in item["doc"]["_source"].get("event", {}) for item in answer["docs"]) / len(answer["docs"])
    finally:
        server.stop()
    echo(f"{len(lines):,} lines, {events:.0%} of them events, {arguments.rounds} rounds; idle: {rest:.1%} of a processor, left out")
    echo("microseconds of the server's processor for each document: median (least to most)")
    for (name, kind), found in times.items():
        ours = times["esatls", kind]
        ratio = "" if name in {"none", "esatls"} else f"   esatls has {median(one / other for one, other in zip(found, ours)):.2f} of its speed"
        echo(f"{kind:8} {name:7} {median(found):6.1f} ({min(found):.1f} to {max(found):.1f}){ratio}")
    whole = median(one / other for one, other in zip(times["ecs", "indexed"], times["esatls", "indexed"]))
    echo(f"the whole, beside ecs: {whole:.2f} (required: {REQUIRED})")
    return 0 if whole >= REQUIRED else 1


if __name__ == "__main__":
    sys.exit(main())
