"""Cost of `esatls elastic join` for what is new, by what the server holds: `python tests/benchmarks/elastic_join.py`.

The same 10,000 lines, the last of a realistic log, come in on top of the lines before them, of which the server has more and more, with
their records. Seconds of processor count, the server's and the command's, since they do not depend on what else the machine does.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from click import echo

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "python"), str(ROOT)]

import esatls  # noqa: E402
from esatls.elastic import load as loading  # noqa: E402
from esatls.elastic import setup as setting_up  # noqa: E402
from esatls.elastic.join import join  # noqa: E402
from esatls.elastic.retry import Retrying  # noqa: E402
from esatls.elastic.state import Lock  # noqa: E402

from tests.elastic.server import Server  # noqa: E402
from tests.elastic.store import STREAM, shipped  # noqa: E402
from tests.traffic.cli import main as traffic  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Sequence

NEW = 10_000
BULK = 4_000
REQUIRED = 1.5


def index(server: Server, lines: Sequence[str]) -> None:
    """Ship lines to the data stream."""
    for start in range(0, len(lines), BULK):
        refused = server.client.bulk([({"create": {"_index": STREAM}}, shipped(line)) for line in lines[start : start + BULK]])
        assert not refused, refused[0]


def hold(server: Server, lines: Sequence[str]) -> None:
    """Have the server hold events and their records, all joined."""
    index(server, lines)
    facts = esatls.Facts()
    for event in esatls.events(lines):
        facts.add(event)
    records = (json.dumps(record) for found in (esatls.connections(facts), esatls.messages(facts)) for record in found)
    loading.load(server.client, [records])
    lock = Lock(Retrying(server.client))
    lock.hold(lock.progress._replace(read_to=int(time.time() * 1000), appliances=(("", ""),)))
    lock.release(Retrying(server.client))


def cost(server: Server, lines: Sequence[str]) -> tuple[float, float, float, str]:
    """Return seconds of processor of the command, of the server, seconds on the clock, and what the run did."""
    index(server, lines)
    mine, theirs, clock = time.process_time(), server.processor_seconds(), time.perf_counter()
    done = join(server.client, overlap=0)
    return time.process_time() - mine, server.processor_seconds() - theirs, time.perf_counter() - clock, str(done)


def main() -> int:
    """Print the figures; exit code 1 when a run costs more than it may."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, nargs="+", default=[100_000, 1_000_000], help="What the server holds, smallest first.")
    sizes = parser.parse_args().events
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mail.log"
        traffic(["--messages", str((max(sizes) + 2 * NEW) // 19), "--log", str(path)])
        lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) >= max(sizes) + 2 * NEW, len(lines)
    found = {}
    for size in sizes:
        server = Server(quick=False)
        try:
            for step in setting_up.server_steps(setting_up.capabilities(server.client)):
                setting_up.perform(step, server.client)
            hold(server, lines[-2 * NEW - size : -2 * NEW])
            # the first lines warm the server up
            cost(server, lines[-2 * NEW : -NEW])
            mine, theirs, clock, done = cost(server, lines[-NEW:])
        finally:
            server.stop()
        found[size] = mine + theirs
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        echo(f"{NEW:,} new lines on top of {size:9,}: {mine:.2f} s of the command, {theirs:.2f} s of the server, {clock:.2f} s on the clock; {memory:,} MB")
        echo(f"  {done}")
    ratio = max(found.values()) / found[sizes[0]]
    echo(f"largest / smallest: {ratio:.2f} (required: {REQUIRED})")
    return 0 if ratio <= REQUIRED else 1


if __name__ == "__main__":
    sys.exit(main())
