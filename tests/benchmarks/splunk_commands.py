"""Speed and memory of the search commands, compared with no-ops in the same run: `python tests/benchmarks/splunk_commands.py [--python PYTHON]`.

It plays splunkd over the chunked protocol, with 50,000-row chunks that are made beforehand from a log of tests/traffic, 500,000 events. The
processor time of the command's process between the first request and the last reply counts (elapsed time would include other work of the machine;
if nothing else runs, both are the same within about 5%). The no-ops are:

* `SDK no-op`: a StreamingCommand of the Splunk SDK as in its documentation, `yield from records`, with the same required_fields. It is the cost
  of a command that does nothing, to which the goals relate;
* `row no-op`: a command that uses the app's own faster way through the SDK and announces the same columns, all of them empty. No goal relates to
  it: a single match of one pattern costs a third of what it costs in all, so a command that reads the events cannot come near.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import unittest.mock
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "python"), str(ROOT / "python" / "package")]

import splunk_package  # noqa: E402
from esatls.lines import envelope  # noqa: E402
from esatls.lines.clock import Clock  # noqa: E402

from tests.splunk import driver  # noqa: E402

EVENTS = 500_000
GOAL = 200_000

SDK_NO_OP = """
import sys
import esatls_lib
from splunklib.searchcommands import Configuration, StreamingCommand, dispatch

@Configuration(required_fields=["_raw", "host", "_time"])
class SdkNoOpCommand(StreamingCommand):
    def stream(self, records):
        yield from records

dispatch(SdkNoOpCommand, sys.argv, sys.stdin, sys.stdout, __name__)
"""
ROW_NO_OP = """
import sys
import esatls_events
from splunklib.searchcommands import dispatch

class RowNoOpCommand(esatls_events.EsatlsCommand):
    def added(self, table, block):
        return [self.nothing] * len(block.texts)

dispatch(RowNoOpCommand, sys.argv, sys.stdin, sys.stdout, __name__)
"""


class Bodies:
    """The chunks of a search, ready to send."""

    def __init__(self, log: Path, *, numbered: bool) -> None:
        """Make events of a log's lines, newest first, each with a host and the time of its stamp, as in Splunk."""
        clock = Clock()
        events: list[dict[str, driver.Value]] = []
        for line in log.read_text(encoding="utf-8").splitlines()[:EVENTS]:
            stamp = envelope.parse(line).stamp
            events.append({"_raw": line, "host": "collector1.example.com", "_time": f"{clock.read(stamp or '') or 0:.0f}"})
        events.reverse()
        columns = ["_raw", "host", "_time"] + (["_chunked_idx"] if numbered else [])
        self.rows = len(events)
        self.bodies = []
        for chunk in driver.parts(events, driver.CHUNK_ROWS):
            rows = [{**row, "_chunked_idx": str(n)} for n, row in enumerate(chunk)] if numbered else chunk
            self.bodies.append(driver.encode(rows, columns))


def run(command: driver.Command, name: str, arguments: list[str], bodies: list[bytes]) -> tuple[float, list[bytes]]:
    """Return the processor seconds of one process from its first chunk to its last reply, and the bodies of its replies."""
    command.getinfo(name, arguments)
    replies = []
    start = cpu_seconds(command)
    with unittest.mock.patch.object(driver, "decode", return_value=([], [])):
        for n, body in enumerate([*bodies, b""]):
            replies.append(command.ask({"action": "execute", "finished": n == len(bodies)}, body).body)
    return cpu_seconds(command) - start, replies


def pid(command: driver.Command) -> int:
    """Return the process id of a command."""
    assert isinstance(command.process, subprocess.Popen)
    return command.process.pid


def cpu_seconds(command: driver.Command) -> float:
    """Return the processor seconds, user and system, that the command's process has used."""
    fields = Path(f"/proc/{pid(command)}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(python: str, app: Path, script: str, arguments: list[str], bodies: list[bytes]) -> tuple[float, int, list[bytes]]:
    """Return the best of two runs: processor seconds, peak memory of the process in MiB, replies."""
    best, memory = float("inf"), 0
    replies: list[bytes] = []
    for _ in range(2):
        with driver.Command(python, app, script, fresh=True) as command:
            seconds, replies = run(command, script.removesuffix(".py"), arguments, bodies)
            status = Path(f"/proc/{pid(command)}/status").read_text(encoding="ascii")
            memory = max(memory, int(status.partition("VmHWM:")[2].split()[0]) // 1024)
        best = min(best, seconds)
    return best, memory, replies


def write_app(folder: Path) -> Path:
    """Write the app as it is packaged into a folder; return its path."""
    app: Path = folder / splunk_package.APP
    for path, content in splunk_package.contents().items():
        target = app / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return app


def main() -> int:
    """Measure and print; return exit code 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=sys.executable, help="the Python that runs the commands; the goal is set for 3.9")
    parser.add_argument("--envelope", default="syslog", help="envelope of the log lines, as tests/traffic calls it")
    parser.add_argument("--log", type=Path, help="a log to use instead of a made one")
    arguments = parser.parse_args()
    python = arguments.python
    print(subprocess.run([python, "--version"], check=True, capture_output=True, text=True).stdout.strip())
    with tempfile.TemporaryDirectory() as folder:
        app = write_app(Path(folder))
        (app / "bin" / "noop_sdk.py").write_text(SDK_NO_OP, encoding="utf-8")
        (app / "bin" / "noop_rows.py").write_text(ROW_NO_OP, encoding="utf-8")
        log = arguments.log or Path(folder) / "mail.log"
        if not arguments.log:
            command = [sys.executable, "-m", "tests.traffic", "--plain", "--messages", "22000", "--envelope", arguments.envelope, "--log", str(log)]
            subprocess.run(command, check=True, cwd=ROOT)
        streaming, whole = Bodies(log, numbered=True), Bodies(log, numbered=False)
        rows = streaming.rows
        rates = {}

        def show(name: str, seconds: float, memory: int) -> None:
            rates[name] = rows / seconds
            print(f"{name:34} {rows / seconds:10,.0f} events/s {seconds / rows * 1e6:6.2f} us/event {memory:5} MiB", flush=True)

        show("SDK no-op", *measure(python, app, "noop_sdk.py", [], streaming.bodies)[:2])
        show("row no-op", *measure(python, app, "noop_rows.py", [], streaming.bodies)[:2])
        show("esatls", *measure(python, app, "esatls_events.py", [], streaming.bodies)[:2])
        show("esatls tls_only=true", *measure(python, app, "esatls_events.py", ["tls_only=true"], streaming.bodies)[:2])
        show("esatlsmessages, no map", *measure(python, app, "esatls_messages.py", [], whole.bodies)[:2])
        seconds, memory, mapped = measure(python, app, "esatls_messages.py", ["phase=map"], whole.bodies)
        show("esatlsmessages, map", seconds, memory)
        reduced = measure(python, app, "esatls_messages.py", [], [body for body in mapped if body])
        show("esatlsmessages, reduce of the map", *reduced[:2])
        show("esatlsconnections, no map", *measure(python, app, "esatls_connections.py", [], whole.bodies)[:2])
    goals = {
        f"esatls: at least {GOAL:,} events/s": rates["esatls"] / GOAL,
        "esatls: at least 0.9 of the SDK no-op": rates["esatls"] / rates["SDK no-op"] / 0.9,
        "esatlsmessages: at least half of the SDK no-op": rates["esatlsmessages, no map"] / rates["SDK no-op"] / 0.5,
    }
    for name, part in goals.items():
        print(f"{'ok    ' if part >= 1 else 'MISSED'} {name}: {part:.2f} of the goal")
    for name in ("esatls", "esatlsmessages, no map"):
        sdk, row = rates[name] / rates["SDK no-op"], rates[name] / rates["row no-op"]
        print(f"       {name}: {sdk:.2f} times the rate of the SDK no-op (the goal), {row:.2f} times that of the row no-op (no goal)")
    return 0 if min(goals.values()) >= 1 else 1


if __name__ == "__main__":
    sys.exit(main())
