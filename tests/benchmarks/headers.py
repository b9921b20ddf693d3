"""Cost of reading with each header, relative to the appliance's own header in the same run.

    .venv/bin/python tests/benchmarks/headers.py [--messages 3000] [--rounds 5] [HEADER ...]

The traffic generator writes the same log with each header (`tests/traffic --envelope`). In each round, one process reads every log into facts, without
the compiled core. It prints the median ratio of processor time, with the least and the greatest.
"""

from __future__ import annotations

import argparse
import gc
import os
import pathlib
import re
import statistics
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
os.environ["ESATLS_PURE"] = "1"
sys.path.insert(0, str(ROOT))

from esatls import parallel  # noqa: E402 - the core is switched off before
from esatls.lines import sources  # noqa: E402
from esatls.reading import prepare  # noqa: E402

from tests.traffic import generate, render  # noqa: E402
from tests.traffic.envelopes import ENVELOPES  # noqa: E402

CACHE = ROOT / ".cache" / "benchmarks"
NUMBER = re.compile(r"^( *|logs/mail\.current:)\d+(?=[\t:])")
FRACTION = re.compile(r"(?<=:\d\d)\.\d{3}")


def write(name: str, messages: int) -> pathlib.Path:
    """Write and return a log with one header; as in real logs, line numbers differ, and fractions of a second hardly repeat."""
    path = CACHE / f"header-{name}.log"
    envelope = ENVELOPES[name]
    with path.open("w", encoding="utf-8") as file:
        if envelope.head:
            file.write(f"{envelope.head}\n")
        for number, line in enumerate(render(generate(1, messages, profile="plain").lines, name)):
            numbered = NUMBER.sub(rf"\g<1>{number + 1}", line)
            file.write(FRACTION.sub(f".{number * 7 % 1000:03}", numbered, count=1) + "\n")
    return path


def read(path: pathlib.Path) -> float:
    """Return the processor seconds per line for reading a log."""
    found = sources.find((str(path),), print)
    options, _ = prepare(found, None, 2024, None, 1)
    gc.collect()
    gc.disable()
    start = time.process_time()
    _, counts = parallel.gather(found, options, print, parallel.Progress())
    spent = time.process_time() - start
    gc.enable()
    return spent / counts.lines


def main() -> None:
    """Measure, and print a row for each header."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("headers", nargs="*", default=[name for name, envelope in ENVELOPES.items() if envelope.feed == "text"])
    options = parser.parse_args()
    CACHE.mkdir(parents=True, exist_ok=True)
    logs = {name: write(name, options.messages) for name in dict.fromkeys(["native", *options.headers])}
    ratios: dict[str, list[float]] = {name: [] for name in logs}
    for number in range(options.rounds + 1):
        native = 0.0
        for name, log in logs.items():
            spent = read(log)
            native = native or spent
            if number:  # the first round warms up
                ratios[name].append(spent / native)
    for name, found in sorted(ratios.items(), key=lambda row: statistics.median(row[1])):
        print(f"{name:22} {statistics.median(found):6.2f} ({min(found):.2f} to {max(found):.2f})")


if __name__ == "__main__":
    main()
