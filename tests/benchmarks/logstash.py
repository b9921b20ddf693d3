"""Cost of reading a line in the Logstash filter, compared with one plain grok, on Joni as in Logstash: `python tests/benchmarks/logstash.py`.

JRuby reads the lines of a realistic log with the filter's Ruby code. This measures only what is the same in Logstash: matching, and reading the
captures. It does not measure the cost of Logstash's events and its date filter, because it needs no Logstash. Figures are the thread's processor
time, the best of the rounds.

In a run by hand on the events of Logstash 8.17 with its own plugins, compiled from their sources, the whole filter took 28 us a line, and a plain
grok with a date 24 us (best of the rounds).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from itertools import islice
from pathlib import Path

from click import echo

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "python"), str(ROOT)]

from tests.elastic.jruby import JAR  # noqa: E402
from tests.elastic.logstash import FILTER  # noqa: E402
from tests.traffic.cli import main as traffic  # noqa: E402

PLAIN = r"\A\w{3} \w{3} {1,2}\d{1,2} (?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d \d{4} (?<level>\w+): (?<text>.*)"
TIMED = """
require "json"
require "java"
given = JSON.parse($stdin.read)
load given["filter"]
clock = java.lang.management.ManagementFactory.getThreadMXBean
plain = Regexp.new(given["plain"])
ways = [
  lambda { |line| match = plain.match(line); match && match.names.map { |name| [name, match[name]] } },
  lambda { |line| EsatlsEvent.event_of(EsatlsEvent.header(line)[4]) }
]
best = given["rounds"].times.map do
  ways.map do |way|
    start = clock.getCurrentThreadCpuTime
    given["lines"].each { |line| way.call(line) }
    clock.getCurrentThreadCpuTime - start
  end
end
$stdout.write(JSON.generate(best.transpose.map(&:min)))
"""


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=10)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mail.log"
        traffic(["--messages", str(arguments.lines // 19 + 50), "--log", str(path)])
        with path.open(encoding="utf-8") as log:
            lines = [line.rstrip("\n") for line in islice(log, arguments.lines)]
        given = {"filter": str(FILTER.parent / "esatls_event.rb"), "lines": lines, "plain": PLAIN, "rounds": arguments.rounds}
        done = subprocess.run(
            ["java", "-Xss4m", "-jar", str(JAR), "-e", TIMED], input=json.dumps(given), capture_output=True, text=True, encoding="utf-8", check=True
        )
    plain, ours = [spent / len(lines) / 1000 for spent in json.loads(done.stdout)]
    echo(f"{len(lines):,} lines, best of {arguments.rounds} rounds")
    echo(f"one plain grok: {plain:.2f} us a line")
    echo(f"header and event: {ours:.2f} us a line, {plain / ours:.2f} of the plain one's speed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
