"""Speed and memory of the command line, as ratios within one run on one machine.

    .venv/bin/python tests/benchmarks/core.py [--messages 100000] [--rounds 5]

Makes a log of about 2.4 million lines (once, in .cache/benchmarks), then runs in each round: GNU grep for ` TLS `, `esatls events`, a
plain script that joins with dictionaries (baseline_join.py), `esatls messages` and `esatls report`. Prints the medians of the ratios.
The goals are for the compiled core (`esatls --version` tells whether it is used).
"""

from __future__ import annotations

import argparse
import os
import pathlib
import re
import resource
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CACHE = ROOT / ".cache" / "benchmarks"
ESATLS = [sys.executable, "-m", "esatls"]


def make_log(messages: int) -> pathlib.Path:
    """Return a log with this number of messages, made by the traffic generator."""
    path = CACHE / f"plain-{messages}.log"
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, ROOT / "tests" / "traffic", "--plain", "--messages", messages, "--seed", 1, "--log", path, "--truth", os.devnull]
        subprocess.run([str(word) for word in command], check=True)
    return path


def run(command: list[object]) -> tuple[float, float, int]:
    """Run a command that writes to a file; return its wall seconds, processor seconds and peak memory in kilobytes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    # not /dev/null: grep would stop at its first match
    with (CACHE / "output").open("wb") as output:
        start = time.perf_counter()
        process = subprocess.Popen([str(word) for word in command], stdout=output)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"failed: {command}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, usage.ru_maxrss


def spread(ratios: list[float]) -> str:
    """Return median, least and greatest of some ratios, as text."""
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def whole_commands(log: pathlib.Path, rounds: int) -> None:
    """Compare `esatls events` with grep, `esatls messages` with the plain join, and `esatls report` with `esatls messages`."""
    results: dict[str, list[tuple[float, float, int]]] = {}
    commands: dict[str, list[object]] = {
        "grep": ["grep", " TLS ", log],
        "events": [*ESATLS, "events", "-q", "-f", "json", log],
        "join": [sys.executable, HERE / "baseline_join.py", log],
        "messages": [*ESATLS, "messages", "-q", "-f", "json", log],
        "report": [*ESATLS, "report", "-q", "-f", "html", log],
    }
    for number in range(rounds + 1):
        for name, command in commands.items():
            measured = run(command)
            if number:  # the first round warms up
                results.setdefault(name, []).append(measured)
    for name, runs in results.items():
        wall, cpu, peak = (statistics.median(values) for values in zip(*runs))
        print(f"{name:9} wall {wall:6.2f} s  processor {cpu:6.2f} s  peak of one process {peak / 1024:5.0f} MB")
    for one, other, goal in (("events", "grep", "at most 2"), ("messages", "join", "at most 0.35"), ("report", "messages", "at most 1.3")):
        for index, what in ((0, "wall"), (1, "processor")):
            ratios = [a[index] / b[index] for a, b in zip(results[one], results[other])]
            print(f"{one} / {other}, {what}: {spread(ratios)}" + (f"; goal {goal}" if index == 0 else ""))


def growth(messages: int) -> None:
    """Show that cost is linear, and how memory grows."""
    sizes = [messages // 4, messages // 2, messages]
    for command in ("events", "messages"):
        rows = []
        for size in sizes:
            log = make_log(size)
            _, cpu, peak = run([*ESATLS, command, "-q", "-f", "json", "--jobs", 1, log])
            lines = lines_of(log)
            rows.append(f"{lines / 1e6:.2f} M lines: {cpu / lines * 1e6:.2f} us per line, peak {peak / 1024:.0f} MB")
        print(f"{command}, one process: " + "; ".join(rows))


def lines_of(log: pathlib.Path) -> int:
    """Return the number of lines of a log."""
    with log.open("rb") as file:  # in blocks, because a child's peak memory starts with this process's
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))


def against_pygrok(log: pathlib.Path) -> None:
    """Compare lines per second with pygrok, which tries the same patterns on each line until one matches."""
    from esatls.extraction.match import match
    from esatls.extraction.patterns import PATTERNS
    from pygrok import Grok

    texts = []
    with log.open(encoding="utf-8") as file:
        for number, line in enumerate(file):
            if number >= 20_000:
                break
            texts.append(line[31:].rstrip("\n"))
    groks = [Grok(f"^%{{{name}}}$", custom_patterns_dir=str(ROOT / "grok_patterns")) for name in PATTERNS]
    some = texts[:2_000]
    start = time.perf_counter()
    theirs = sum(any(grok.match(text) is not None for grok in groks) for text in some)
    slow = (time.perf_counter() - start) / len(some)
    start = time.perf_counter()
    ours = [match(text) is not None for text in texts]
    fast = (time.perf_counter() - start) / len(texts)
    assert sum(ours[: len(some)]) == theirs
    print(f"match / pygrok, lines per second, one text at a time in one process: {slow / fast:.0f}")
    lines = lines_of(log)
    for command in (["events"], ["events", "--kind", "all"], ["messages"]):
        wall, _, _ = run([*ESATLS, *command, "-q", "-f", "json", log])
        print(f"{' '.join(command)} / pygrok, lines per second, whole process: {slow / (wall / lines):.0f}; goal at least 20")


def hostile() -> None:
    """Compare the cost per byte of one-megabyte lines that are hostile to a pattern with that of ordinary lines."""
    from esatls.extraction.match import match
    from esatls.extraction.patterns import PATTERNS

    ordinary = "MID 1234567 ICID 7654321 RID 0 To: <somebody@example.com>"
    count = 20_000
    start = time.perf_counter()
    for _ in range(count):
        match(ordinary)
    usual = (time.perf_counter() - start) / (count * len(ordinary))
    worst, worst_name = 0.0, ""
    for name, text in PATTERNS.items():
        begin = re.split(r"\\|\(|\[", text)[0] or "MID 1 "
        for filler in (" ", "a", "a ", "<", "'", ") [", " SBRS ", " details: x reason:", " lost", "\\r\\n\\t"):
            line = begin + "1 " + filler * (1_000_000 // len(filler)) + "\x01"
            start = time.perf_counter()
            match(line)
            cost = (time.perf_counter() - start) / len(line)
            if cost > worst:
                worst, worst_name = cost, name
    print(f"worst hostile megabyte / ordinary line, per byte: {worst / usual:.2f} ({worst_name}); goal at most 10")


def main() -> None:
    """Run all benchmarks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    log = make_log(options.messages)
    print(f"{log.stat().st_size / 1e6:.0f} MB, {os.cpu_count()} processors, Python {sys.version.split()[0]}")
    whole_commands(log, options.rounds)
    against_pygrok(log)
    hostile()
    growth(options.messages)


if __name__ == "__main__":
    main()
