"""Cost of `esatls elastic join` for new lines, by the number of events on the server: `python tests/benchmarks/elastic_join.py`.

The same 10,000 lines of a realistic log come in after the lines before them and after more and more others, which the server holds with their
records. The lines before them are read and joined once; the others are copies of their documents, with other ids, and bypass the ingest pipeline.
The processor seconds of the server and of the command count, since they do not depend on other work of the machine. The command runs in a separate
process, whose peak memory is shown. `--day` shows the cost of a million messages a day: a quarter of an hour, joined every five minutes.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from click import echo

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "python"), str(ROOT)]

import esatls  # noqa: E402
from esatls.elastic import load as loading  # noqa: E402
from esatls.elastic import setup as setting_up  # noqa: E402
from esatls.elastic.retry import Retrying  # noqa: E402
from esatls.elastic.state import Lock  # noqa: E402

from tests.elastic.server import Server  # noqa: E402
from tests.elastic.store import STREAM, index_lines  # noqa: E402
from tests.traffic.cli import main as traffic  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NEW = 10_000
BASE = 90_000
WARM = 5
BULK = 4_000
HEAP = "2g"
APART = 10**9
"""Distance between the ids of two copies."""
REQUIRED = 1.5
FIVE_MINUTES = 3_500 * 24
"""Number of lines in five minutes, at a million messages a day."""
PROGRAM = """
import json, resource, sys, time
from esatls.elastic.client import Client
from esatls.elastic.join import join
done = join(Client(sys.argv[1]), overlap=0)
print(json.dumps([time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, str(done)]))
"""
_ID = re.compile(r"\b\d{4,10}\b")


def hold(server: Server, lines: Sequence[str]) -> None:
    """Put events and their joined records on the server."""
    index_lines(server.client, lines)
    facts = esatls.Facts()
    for event in esatls.events(lines):
        facts.add(event)
    records = (json.dumps(record) for found in (esatls.connections(facts), esatls.messages(facts)) for record in found)
    loading.load(server.client, [records])


def joined(server: Server) -> None:
    """Note on the server that all its events are joined."""
    lock = Lock(Retrying(server.client))
    lock.hold(lock.progress._replace(read_to=int(time.time() * 1000), appliances=(("", ""),)))
    lock.release(Retrying(server.client))


def _documents(server: Server, stream: str) -> Iterator[dict[str, Any]]:
    """Yield all documents of a data stream."""
    server.client.request("POST", f"/{stream}/_refresh")
    answer = server.client.request("POST", f"/{stream}/_search?scroll=5m", {"size": BULK})
    while answer["hits"]["hits"]:
        yield from (hit["_source"] for hit in answer["hits"]["hits"])
        answer = server.client.request("POST", "/_search/scroll", {"scroll": "5m", "scroll_id": answer["_scroll_id"]})


def _ids(document: dict[str, Any]) -> set[str]:
    """Return the ids in a document, as text."""
    esa = document.get("esatls", {})
    named = [esa.get(name) for name in ("icid", "dcid", "parent_mid")] + [document.get("email", {}).get("local_id")]
    named += [delivery.get("dcid") for delivery in esa.get("deliveries", ())]
    return {str(one) for one in named if one is not None}


def _template(document: dict[str, Any]) -> tuple[str, tuple[int, ...]]:
    """Return a document as text with a gap for each id, and the ids."""
    ids = _ids(document)
    found: list[int] = []

    def gap(number: re.Match[str]) -> str:
        if number[0] not in ids:
            return number[0]
        found.append(int(number[0]))
        return "%d"

    text = _ID.sub(gap, json.dumps(document).replace("%", "%%"))
    return text, tuple(found)


def copy(server: Server, copies: int) -> None:
    """Put copies of all documents on the server, each copy with other ids."""
    for kind in ("events", "connections", "messages"):
        stream = f"logs-esatls.{kind}-default"
        templates = [_template(document) for document in _documents(server, stream)]
        for number in range(1, copies + 1):
            for start in range(0, len(templates), BULK):
                bodies = [text % tuple(one + number * APART for one in ids) for text, ids in templates[start : start + BULK]]
                body = "".join([f'{{"create":{{}}}}\n{one}\n' for one in bodies]).encode()
                path = f"/{stream}/_bulk?pipeline=_none&filter_path=errors"
                assert not server.client.request("POST", path, body, {"Content-Type": "application/x-ndjson"})["errors"]


def settle(server: Server) -> None:
    """Wait until the server has processed what was written."""
    server.client.request("POST", "/logs-*/_refresh")
    while True:
        busy = server.processor_seconds()
        time.sleep(2)
        if server.processor_seconds() - busy < 0.3:
            return


class Cost(NamedTuple):
    """Processor seconds of the server for the lines and for the join, and of the command; elapsed seconds, memory in MB, and what the run did."""

    lines: float
    join: float
    command: float
    clock: float
    memory: int
    told: str


def cost(server: Server, lines: Sequence[str]) -> Cost:
    """Return the cost of sending lines and joining them."""
    before = server.processor_seconds()
    index_lines(server.client, lines)
    settle(server)
    theirs, clock = server.processor_seconds(), time.perf_counter()
    command = [sys.executable, "-c", PROGRAM, server.client.url]
    done = subprocess.run(command, cwd=ROOT / "python", capture_output=True, text=True, encoding="utf-8", check=True)
    mine, memory, told = json.loads(done.stdout)
    return Cost(theirs - before, server.processor_seconds() - theirs, mine, time.perf_counter() - clock, memory, told)


def made(count: int) -> list[str]:
    """Return this number of lines of a realistic log."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mail.log"
        traffic(["--messages", str(count // 17), "--log", str(path)])
        lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) >= count, len(lines)
    return lines[:count]


@contextlib.contextmanager
def holding(lines: Sequence[str], copies: int) -> Iterator[Server]:
    """Start a server that holds lines, copies of them, and the records of all; stop it in the end."""
    server = Server(quick=False, heap=HEAP)
    try:
        for step in setting_up.server_steps(setting_up.capabilities(server.client)):
            setting_up.perform(step, server.client)
        hold(server, lines)
        copy(server, copies)
        joined(server)
        yield server
    finally:
        server.stop()


def parts(lines: Sequence[str], size: int) -> list[Sequence[str]]:
    """Return the lines after the first ones, in parts."""
    return [lines[start : start + size] for start in range(BASE, len(lines), size)]


def by_size(sizes: Sequence[int]) -> int:
    """Print the cost of new lines after more and more events; return exit code 1 if it grows too much."""
    lines = made(BASE + (WARM + 1) * NEW)
    found = []
    for size in sizes:
        with holding(lines[:BASE], max(0, round(size / BASE) - 1)) as server:
            # the first lines warm the server up
            *warm, new = parts(lines, NEW)
            for part in warm:
                cost(server, part)
            held = server.client.request("GET", f"/{STREAM}/_count")["count"]
            one = cost(server, new)
        found.append(one.command + one.join)
        echo(
            f"{NEW:,} new lines on top of {held:9,}: {one.command:.2f} s of the command, {one.join:.2f} s of the server,"
            f" {one.clock:.2f} s on the clock; {one.memory:,} MB"
        )
        echo(f"  {one.told}")
    ratio = max(found) / found[0]
    echo(f"largest / smallest: {ratio:.2f} (required: {REQUIRED})")
    return 0 if ratio <= REQUIRED else 1


def by_day(held: int) -> int:
    """Print the cost of a quarter of an hour."""
    lines = made(BASE + 6 * FIVE_MINUTES)
    with holding(lines[:BASE], max(0, round(held / BASE) - 1)) as server:
        # the first quarter warms the server up
        found = [cost(server, part) for part in parts(lines, FIVE_MINUTES)][3:]
    echo(f"{3 * FIVE_MINUTES:,} lines in three runs, on top of {held:,} events; seconds of processor:")
    echo(f"server, lines: {sum(one.lines for one in found):.1f}; server, join: {sum(one.join for one in found):.1f}")
    echo(f"command: {sum(one.command for one in found):.1f}, {max(one.memory for one in found):,} MB")
    return 0


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, nargs="+", default=[100_000, 1_000_000, 3_000_000], help="What the server holds, smallest first.")
    parser.add_argument("--day", action="store_true", help="A quarter of an hour on top of the smallest.")
    arguments = parser.parse_args()
    return by_day(arguments.events[0]) if arguments.day else by_size(arguments.events)


if __name__ == "__main__":
    sys.exit(main())
