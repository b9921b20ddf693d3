"""What the records of the Splunk app cost at a million messages a day: `python tests/benchmarks/splunk_records.py [--python PYTHON]`.

Some days of traffic are made and summed up as the scheduled searches do it, through the chunked protocol. What is open in the end is read by
`esatlssummary window=open`, as a dashboard reads it, once for each of many appliances with the same traffic. The table multiplies what was counted and
measured: nothing is linear only because it says so here, but rows per message and seconds per row do not depend on the volume.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "python"), str(ROOT / "python" / "package")]

from tests.benchmarks.splunk_commands import measure, write_app  # noqa: E402
from tests.splunk import driver  # noqa: E402
from tests.traffic import PROFILES, generate, render  # noqa: E402

HOUR, DAY = 3600, 86400
A_DAY = 1_000_000
"""Messages."""
DAYS = 9
RUN = re.compile(r"\S+ kind=(\w) level=(\w+) window=(\d+) run=\d+ ")
FACTS = re.compile(r'facts=\d+ asof=\d+ \["')

Rows = list[dict[str, driver.Value]]


def texts(rows: Rows) -> list[str]:
    """Return the rows of the summary index."""
    return [str(row["_raw"]) for row in rows]


def of_another(row: str, number: int) -> str:
    """Return a row of facts as that of another appliance, which has no name in this traffic."""
    return FACTS.sub(lambda found: f"{found[0]}esa{number}", row)


def bodies(rows: list[str]) -> list[bytes]:
    """Return the chunks of a search for rows."""
    events: Rows = [{"_raw": row, "_time": "0"} for row in rows]
    return [driver.encode(chunk, ["_raw", "_time"]) for chunk in driver.parts(events, driver.CHUNK_ROWS)]


def main() -> None:
    """Count, measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=sys.executable, help="the Python that runs the commands")
    parser.add_argument("--messages", type=int, default=20_000, help="of the made traffic")
    parser.add_argument("--copies", type=int, default=200, help="appliances that have what is open in it")
    arguments = parser.parse_args()
    profile = dataclasses.replace(PROFILES["realistic"], rate=arguments.messages / DAYS / DAY)
    lines = generate(2, arguments.messages, 1, profile).lines
    events: Rows = [{"_raw": raw, "host": "", "_time": str(int(line.time))} for line, raw in zip(lines, render(lines, "native"))]
    start, end = int(lines[0].time // DAY * DAY), int(lines[-1].time // HOUR * HOUR + HOUR)
    with tempfile.TemporaryDirectory() as folder:
        app = write_app(Path(folder))
        splunk = driver.Splunk(arguments.python, app)
        rows = texts(splunk.report("esatlssummary", events, span=(start, end)).rows)
        for window in ("day", "past"):
            known: Rows = [{"_raw": row, "_time": "0"} for row in rows]
            rows += texts(splunk.report("esatlssummary", known, [f"window={window}"], mapped=False).rows)
        heads = [(found[1], found[2], int(found[3]), row) for row in rows for found in [RUN.match(row)] if found]
        closed = sorted({window for kind, level, window, _ in heads if (kind, level) == ("w", "past")})
        last, days = closed[-1], len(closed)
        a_day = sum(kind == "m" for kind, *_ in heads) / ((lines[-1].time - lines[0].time) / DAY)
        by_day = sum(kind == "f" and level == "day" and window in closed for kind, level, window, _ in heads) / days / a_day
        past = sum(kind == "f" and level == "past" and window == last for kind, level, window, _ in heads) / a_day
        records = {kind: sum(one == kind for one, *_ in heads) / (a_day * (lines[-1].time - lines[0].time) / DAY) for kind in "mc"}
        size = sum(len(row) for kind, _, _, row in heads if kind != "w") / sum(kind == "m" for kind, *_ in heads)
        facts = [row for kind, level, window, row in heads if (kind, level, window) == ("f", "past", last)]
        run = next(row for kind, level, window, row in heads if (kind, level, window) == ("w", "past", last))
        hours = [row for kind, level, window, row in heads if (kind, level) == ("w", "hour") and last <= window < last + DAY]
        number = len(facts) * arguments.copies

        def read(rows: list[str]) -> tuple[float, int]:
            counted = [re.sub(r"facts=\d+", f"facts={len(rows)}", row) for row in (*rows, run)] + hours
            return measure(arguments.python, app, "esatls_summary.py", ["window=open"], bodies(counted))[:2]

        (nothing, empty), (seconds, memory) = read([]), read([of_another(row, copy) for copy in range(arguments.copies) for row in facts])
        a_row, kilobytes = (seconds - nothing) / number, (memory - empty) / number * 1024
    print(json.dumps({"lines a message": round(len(lines) / arguments.messages, 1), "records a message": records, "bytes a message": round(size)}))
    print(f"open rows for each message of a day: {by_day:.3f} by a day, {past:.3f} by the past; {a_row * 1e6:.0f} us and {kilobytes:.1f} KB a row")
    for name, span in (("24 hours", 1), ("7 days", 7), ("90 days", 90)):
        before, after = (span + 7) * by_day * A_DAY, (past + by_day) * A_DAY
        shown = [f"{rows / 1e6:5.2f} million rows {rows * a_row:4.0f} s {rows * kilobytes / 1024**2:4.1f} GB" for rows in (before, after)]
        print(f"{name:9} without the past: {shown[0]}; with it: {shown[1]}")


if __name__ == "__main__":
    main()
