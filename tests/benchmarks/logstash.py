"""Cost of the filter's groks beside one plain grok, on Joni as in Logstash: `python tests/benchmarks/logstash.py [FILTER ...]`.

JRuby runs the steps of the filter over a realistic log (tests/elastic/standin.rb). Only what is the same in Logstash counts: matching, and reading the
captures, of each grok and each condition. What Logstash's events, its mutate, date and ruby filters cost is not measured: there is no Logstash here.
Processor time of the thread; best of the rounds, in turn.

That is the smaller part. Run once by hand on the events of Logstash 8.17 with its own plugins, compiled from their sources, a plain grok and date took
19 us a line and this filter 84: a grok takes some 10 us whatever it matches and 1.5 us for each field that it sets, the types some 25, a condition 0.5.
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

from tests.elastic.jruby import HERE, JAR, patterns, steps  # noqa: E402
from tests.elastic.logstash import FILTER, documents_of  # noqa: E402
from tests.traffic.cli import main as traffic  # noqa: E402

PLAIN = r"\A\w{3} \w{3} {1,2}\d{1,2} (?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d \d{4} (?<level>\w+): (?<text>.*)"
TIMED = """
Clock = java.lang.management.ManagementFactory.getThreadMXBean
$spent = 0
$times = 0
def timed
  start = Clock.getCurrentThreadCpuTime
  found = yield
  $spent += Clock.getCurrentThreadCpuTime - start
  $times += 1
  found
end
class Grok
  alias untimed filter
  def filter(event)
    # the text is taken from the event outside: a stand-in's events are not Logstash's
    text = event.get(@source)
    found = timed do
      matched = match(text)
      matched && matched.names.map { |name| [name, matched[name]] }
    end
    return unless found
    found.each { |name, value| event.set("#{@target}[#{name}]", value) if @keeps_empty || !value.to_s.empty? }
  end
end
class Pipeline
  alias whole holds?
  def holds?(condition, event)
    return whole(condition, event) unless condition[0] == "match"
    text = event.get(condition[1])
    text.is_a?(String) && timed { expression(condition[2]).match?(text) }
  end
end
lines = given["documents"].map { |document| document["message"] }
runs = given["filters"].map { |steps| Pipeline.new(steps, given["patterns"]) }
plain = Regexp.new(given["plain"])
best = Array.new(runs.size + 1) { nil }
given["rounds"].times do
  # reading the clock takes time too
  $spent = 0
  lines.each { timed { 0 } }
  empty = $spent / lines.size.to_f
  own = lambda { $spent - $times * empty }
  $spent = $times = 0
  lines.each { |line| timed { match = plain.match(line); match && match.names.map { |name| [name, match[name]] } } }
  best[0] = [best[0] || own.call, own.call].min
  runs.each_with_index do |run, at|
    $spent = $times = 0
    given["documents"].each { |document| run.filter(Event.new(document.dup)) }
    best[at + 1] = [best[at + 1] || own.call, own.call].min
  end
end
$stdout.write(JSON.generate(best))
"""


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("filters", type=Path, nargs="*", default=[FILTER])
    parser.add_argument("--lines", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=6)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mail.log"
        traffic(["--messages", str(arguments.lines // 19 + 50), "--log", str(path)])
        with path.open(encoding="utf-8") as log:
            lines = [line.rstrip("\n") for line in islice(log, arguments.lines)]
        program = Path(folder) / "timed.rb"
        head = (HERE / "standin.rb").read_text(encoding="utf-8").partition("pipeline = Pipeline.new")[0]
        program.write_text(head + TIMED, encoding="utf-8")
        filters = [steps(path.read_text(encoding="utf-8")) for path in arguments.filters]
        given = {"filters": filters, "patterns": patterns(), "documents": documents_of(lines), "plain": PLAIN, "rounds": arguments.rounds}
        done = subprocess.run(
            ["java", "-Xss4m", "-jar", str(JAR), str(program)], input=json.dumps(given), capture_output=True, text=True, encoding="utf-8", check=True
        )
    plain, *ours = [spent / len(lines) / 1000 for spent in json.loads(done.stdout)]
    echo(f"{len(lines):,} lines, best of {arguments.rounds} rounds")
    echo(f"one plain grok: {plain:.2f} us a line")
    for path, one in zip(arguments.filters, ours):
        echo(f"{path.name}: {one:.2f} us a line, {plain / one:.2f} of the plain one's speed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
