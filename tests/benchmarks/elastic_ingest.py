"""Documents per second of the ingest pipeline, beside a plain pipeline of grok and date: `python tests/benchmarks/elastic_ingest.py`.

Both index the same lines of a realistic log into the same server and an index with the same mapping, in turn, several times; the best
run of each counts. The plain pipeline's pattern takes the native envelope of every line apart and nothing else: it always matches, so
it never pays for a failure. Seconds of the server's processor decide, less what an idle server takes; seconds on the clock are shown
beside them.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Any

from click import echo

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "python"), str(ROOT)]

from esatls.elastic import setup as setting_up  # noqa: E402

from tests.elastic.server import Server  # noqa: E402
from tests.traffic.cli import main as traffic  # noqa: E402

BATCH = 2000
PLAIN = r"(?<stamp>%{DAY} %{MONTH} +%{MONTHDAY} %{TIME} %{YEAR}) %{WORD:level}: %{GREEDYDATA:text}"
FORMS = ["EEE MMM ppd HH:mm:ss yyyy"]
REQUIRED = 0.8
IDLE = 5.0


def idle(server: Server) -> float:
    """Return which part of a processor the server takes when nothing is asked of it."""
    time.sleep(IDLE)
    busy, start = server.processor_seconds(), time.perf_counter()
    time.sleep(IDLE)
    return (server.processor_seconds() - busy) / (time.perf_counter() - start)


def run(server: Server, pipeline: str, bodies: list[bytes], rest: float) -> tuple[float, float]:
    """Index all bodies through a pipeline; return the seconds on the clock, and those of the server's processor less its idle ones."""
    client = server.client
    template = json.loads(setting_up.asset("elasticsearch/index-template-esatls-events.json"))
    settings = {"number_of_replicas": 0, "refresh_interval": "-1", "mapping": {"ignore_malformed": True}}
    client.request("PUT", "/bench", {"settings": settings, "mappings": template["template"]["mappings"]})
    busy, start = server.processor_seconds(), time.perf_counter()
    for body in bodies:
        answer = client.request("POST", f"/bench/_bulk?pipeline={pipeline}", body, {"Content-Type": "application/x-ndjson"})
        assert not answer["errors"], answer["items"][0]
    clock = time.perf_counter() - start
    result = clock, server.processor_seconds() - busy - rest * clock
    client.request("DELETE", "/bench")
    return result


def main() -> int:
    """Print the figures; exit code 1 when the pipeline is slower than it may be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=60_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mail.log"
        traffic(["--messages", str(arguments.lines // 20), "--log", str(path)])
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
        plain = [{"grok": {"field": "message", "patterns": [PLAIN]}}, {"date": {"field": "stamp", "formats": FORMS}}]
        client.request("PUT", "/_ingest/pipeline/plain", {"processors": plain})
        times: dict[str, list[tuple[float, float]]] = {"plain": [], "esatls": []}
        # a server that has just begun is never idle: it compiles
        for pipeline in times:
            run(server, pipeline, bodies, 0)
        rest = idle(server)
        for _ in range(arguments.rounds):
            for pipeline, found in times.items():
                found.append(run(server, pipeline, bodies, rest))
        answer = client.request("POST", "/_ingest/pipeline/esatls/_simulate", {"docs": [{"_source": document} for document in documents[:5000]]})
        events = sum("action" in item["doc"]["_source"].get("event", {}) for item in answer["docs"]) / len(answer["docs"])
    finally:
        server.stop()
    echo(f"{len(lines):,} lines, {events:.0%} of them events, best of {arguments.rounds} runs each; idle: {rest:.1%} of a processor, left out")
    best = {name: (min(clock for clock, _ in found), min(busy for _, busy in found)) for name, found in times.items()}
    for name, (clock, busy) in best.items():
        echo(f"{name:7} {len(lines) / busy:9,.0f} documents per second of processor {len(lines) / clock:9,.0f} on the clock")
    ratio = best["plain"][1] / best["esatls"][1]
    echo(f"esatls / plain: {ratio:.2f} of processor (required: {REQUIRED}), {best['plain'][0] / best['esatls'][0]:.2f} on the clock")
    return 0 if ratio >= REQUIRED else 1


if __name__ == "__main__":
    sys.exit(main())
