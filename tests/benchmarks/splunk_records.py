"""Cost of the Splunk app's records at a million messages a day: `python tests/benchmarks/splunk_records.py [--python PYTHON]`.

It makes some days of traffic and summarizes them as the scheduled searches do, through the chunked protocol. `esatlssummary window=open` reads what is
open in the end, as each hour's search does, once for each of many appliances with the same traffic. The lines themselves go through the map and the
reduce of both commands, which a dashboard would need without records. The table multiplies these counts and times by the volume: this assumes only that
rows per message and seconds per id do not depend on it.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "python"), str(ROOT / "python" / "package")]

from tests.benchmarks.splunk_commands import measure, write_app  # noqa: E402
from tests.splunk import driver  # noqa: E402
from tests.traffic import PROFILES, generate, render  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterable

HOUR, DAY = 3600, 86400
A_DAY = 1_000_000
"""Messages."""
DAYS = 9
COUNTS = {"connections": ("esatls_connections.py", 1), "messages": ("esatls_messages.py", 2)}
"""What the overview counts -> the command that computes it from lines, and the number of searches."""
RUN = re.compile(r"\S+ kind=(\w+) level=(\w+) window=(\d+) run=\d+ ")
FACTS = re.compile(r'(asof=\d+ |\t)\["')
"""What stands before each id of a row of facts."""

Rows = list[dict[str, driver.Value]]


def texts(rows: Rows) -> list[str]:
    """Return the texts of some rows, as the summary index holds them."""
    return [str(row["_raw"]) for row in rows]


def of_another(row: str, number: int) -> str:
    """Return a row of facts for another appliance; in this traffic, the appliance has no name."""
    return FACTS.sub(lambda found: f"{found[0]}esa{number}", row)


def ids(rows: Iterable[str]) -> int:
    """Return how many ids some rows of facts tell of."""
    return sum(len(FACTS.findall(row)) for row in rows)


def bodies(rows: list[str]) -> list[bytes]:
    """Return the chunks of a search for rows."""
    events: Rows = [{"_raw": row, "_time": "0"} for row in rows]
    return [driver.encode(chunk, ["_raw", "_time"]) for chunk in driver.parts(events, driver.CHUNK_ROWS)]


def judged_again(splunk: driver.Splunk, rows: list[str], day: int) -> list[str]:
    """Return what the runs of a day write before the last one, which replaces them all: the day is judged each hour."""
    hours = [(int(found[3]), row) for row in rows for found in [RUN.match(row)] if found and found[2] == "hour" and found[1] in "fw"]
    written = []
    for hour in range(day, day + DAY - HOUR, HOUR):
        known: Rows = [{"_raw": row, "_time": "0"} for window, row in hours if day <= window <= hour]
        written += texts(splunk.report("esatlssummary", known, ["window=day"], mapped=False).rows)
    return written


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
        for window in ("day", "past", "open"):
            known: Rows = [{"_raw": row, "_time": "0"} for row in rows]
            rows += texts(splunk.report("esatlssummary", known, [f"window={window}"], mapped=False).rows)
        heads = [(found[1], found[2], int(found[3]), row) for row in rows for found in [RUN.match(row)] if found]
        closed = sorted({window for kind, level, window, _ in heads if (kind, level) == ("w", "past")})
        last, days = closed[-1], len(closed)
        a_day = sum(kind == "m" for kind, *_ in heads) / ((lines[-1].time - lines[0].time) / DAY)
        by_day = ids(row for kind, level, window, row in heads if kind == "f" and level == "day" and window in closed) / days / a_day
        records = {kind: sum(one == kind for one, *_ in heads) / (a_day * (lines[-1].time - lines[0].time) / DAY) for kind in "mc"}
        size = sum(len(row) for kind, _, _, row in heads if kind in "mcf") / sum(kind == "m" for kind, *_ in heads)
        # each message of that day has one record that counts: of its hour, of the day or of the past
        again = judged_again(splunk, rows, last)
        counted = sum(kind == "m" and level in {"hour", "day"} and last <= window < last + DAY for kind, level, window, _ in heads)
        repeated = {kind: sum(f" kind={kind} " in row for row in again) / counted for kind in "mcf"}
        size_again = sum(map(len, again)) / counted
        words = [row for kind, _, _, row in heads if kind in {"om", "oc"}]
        facts = [row for kind, level, window, row in heads if (kind, level, window) == ("f", "past", last)]
        past = ids(facts) / a_day
        run = next(row for kind, level, window, row in heads if (kind, level, window) == ("w", "past", last))
        hours = [row for kind, level, window, row in heads if (kind, level) == ("w", "hour") and last <= window < last + DAY]
        number = ids(facts) * arguments.copies

        def read(rows: list[str]) -> tuple[float, int]:
            counted = [re.sub(r"facts=\d+", f"facts={len(rows)}", row) for row in (*rows, run)] + hours
            return measure(arguments.python, app, "esatls_summary.py", ["window=open"], bodies(counted))[:2]

        (nothing, empty), (seconds, memory) = read([]), read([of_another(row, copy) for copy in range(arguments.copies) for row in facts])
        an_id, kilobytes = (seconds - nothing) / number, (memory - empty) / number * 1024
        # as dense as at a million messages a day, and newest first: neighbours share their second
        lines = generate(3, arguments.messages, 1, dataclasses.replace(profile, rate=A_DAY / DAY)).lines
        events = [{"_raw": raw, "host": "esa1", "_time": str(int(line.time))} for line, raw in zip(lines, render(lines, "native"))]
        events.reverse()
        whole = [driver.encode(chunk, ["_raw", "host", "_time"]) for chunk in driver.parts(events, driver.CHUNK_ROWS)]
        a_line, kept = {}, {}
        for what, (script, _) in COUNTS.items():
            on_indexers, _, mapped = measure(arguments.python, app, script, ["phase=map"], whole)
            on_head, peak, _ = measure(arguments.python, app, script, [], [body for body in mapped if body])
            a_line[what], kept[what] = (on_indexers + on_head) / len(events), peak / len(events) * 1024
            costs = f"{on_indexers / len(events) * 1e6:.1f} us a line on the indexers, {on_head / len(events) * 1e6:.1f} us and {kept[what]:.2f} KB on the head"
            print(f"{what}: {costs}")
    a_message = len(lines) / arguments.messages
    print(json.dumps({"lines a message": round(a_message, 1), "records a message": records, "bytes a message": round(size)}))
    print(json.dumps({"judged again, rows a message": repeated, "bytes a message": round(size_again)}))
    open_ids, written = (past + by_day) * A_DAY, len(words) / a_day * A_DAY
    print(f"open ids for each message of a day: {by_day:.3f} by a day, {past:.3f} by the past; {an_id * 1e6:.0f} us and {kilobytes:.1f} KB each")
    print(f"each hour: {open_ids / 1e6:.2f} million open ids read, {open_ids * an_id:.0f} s, {open_ids * kilobytes / 1024**2:.1f} GB")
    average, hourly = sum(map(len, words)) / len(words), written * 24 / 1e6
    print(f"written: {written / 1e6:.2f} million rows of {average:.0f} bytes an hour, {hourly:.1f} million and {hourly * average / 1e3:.2f} GB a day")
    of_messages = sum(kind == "om" for kind, *_ in heads) / len(words)
    for name, span in (("24 hours", 1), ("7 days", 7), ("90 days", 90)):
        read_lines = {what: searches * span * A_DAY * a_message for what, (_, searches) in COUNTS.items()}
        # one search after another
        before = sum(read_lines.values()), sum(read_lines[what] * a_line[what] for what in COUNTS), span * A_DAY * a_message * max(kept.values())
        terms = span * A_DAY * (records["c"] + repeated["c"] + 2 * (records["m"] + repeated["m"])) + written * (1 + of_messages)
        print(f"{name:9} {before[0] / 1e6:6.0f} million lines {before[1]:6.0f} s {before[2] / 1024**2:5.0f} GB; {terms / 1e6:6.1f} million terms, no command")


if __name__ == "__main__":
    main()
