"""Cost against size, for what a stranger or a long year can make large: it must be linear.

    .venv/bin/python tests/benchmarks/growth.py [--sizes 2000,4000,8000,16000] [--commands messages,follow] [--only chain] [--code python]

For each kind of log and each size n, it prints the processor microseconds per n of `messages` and `follow`, less those of an empty log, and
for each row the ratio of the largest to the least. `--code` names a folder with another version of the package to measure.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Callable

ROOT = pathlib.Path(__file__).resolve().parents[2]
START = 1709596800
LONGEST = 120
"""Seconds after which a run is stopped."""

Lines = Iterator[tuple[float, str]]

OPEN = "New SMTP ICID {0} interface Data 1 (192.0.2.1) address 198.51.100.7 reverse dns host unknown verified no"
OUT = "New SMTP DCID {0} interface 192.0.2.1 address 203.0.113.5 port 25"
DONE = "Message done DCID {1} MID {0} to RID [0]"
END = "Message finished MID {0} done"
CEF = "CEF:0|Cisco|C600V Virtual Appliance|14.3.0|ESA_CONSOLIDATED_LOG_EVENT|Consolidated Log Event|5|"


def many_deliveries(n: int) -> Lines:
    """Yield a log of one message that is delivered over n connections."""
    yield 0, OPEN.format(1)
    yield 0, "Start MID 1 ICID 1"
    for number in range(n):
        yield number / 50, OUT.format(number + 1)
        yield number / 50, f"Message done DCID {number + 1} MID 1 to RID [{number}]"
    yield n / 50, END.format(1)


def rewrites(n: int) -> Lines:
    """Yield a log of a chain of n rewrites in a few seconds."""
    yield 0, OPEN.format(1)
    yield 0, "Start MID 1 ICID 1"
    for mid in range(1, n):
        yield mid / 1000, f"MID {mid} rewritten to MID {mid + 1} by antivirus"
        yield mid / 1000, END.format(mid)
    yield n / 1000, DONE.format(n, 5)
    yield n / 1000, END.format(n)


def rewrites_left_open(n: int) -> Lines:
    """Yield a log of a chain of n rewrites; the messages end after all rewrites, the last message first."""
    yield 0, OPEN.format(1)
    yield 0, "Start MID 1 ICID 1"
    for mid in range(1, n):
        yield mid / 1000, f"MID {mid} rewritten to MID {mid + 1} by antivirus"
    for mid in range(n, 0, -1):
        yield n / 1000 + (n - mid) / 1000, END.format(mid)


def reused(n: int, gap: float) -> Lines:
    """Yield a log of n messages with the same three ids, one after another."""
    for number in range(n):
        time = number * gap
        yield time, OPEN.format(1)
        yield time, "Start MID 1 ICID 1"
        yield time + 1, OUT.format(1)
        yield time + 1, DONE.format(1, 1)
        yield time + 1, END.format(1)
        yield time + 2, "ICID 1 close"
        yield time + 2, "DCID 1 close"


def reused_while_open(n: int) -> Lines:
    """Yield a log of n connections with the same ids while one message stays open."""
    yield 0, "Start MID 9 ICID 1"
    for number in range(n):
        yield number * 20, OPEN.format(1)
        yield number * 20, "Start MID 1 ICID 1"
        yield number * 20 + 1, OUT.format(1)
        yield number * 20 + 1, "Delayed: DCID 1 MID 9 to RID 0 - 4.1.0 - Unknown address error ('450', ['try later']) []"
        yield number * 20 + 1, DONE.format(1, 1)
        yield number * 20 + 1, END.format(1)


def failures(n: int, *, delivered: bool) -> Lines:
    """Yield a log of n failures with different reasons on one connection; with `delivered`, a message follows each."""
    yield 0, OUT.format(1)
    for number in range(n):
        yield number / 10, f"DCID 1 TLS failed: ({number}, 'error:{number:08X}:no shared cipher')"
        if delivered:
            yield number / 10, f"Start MID {number + 1} ICID 0"
            yield number / 10, DONE.format(number + 1, 1)
            yield number / 10, END.format(number + 1)


def consolidated(n: int, *, alike: bool) -> Lines:
    """Yield a log of n consolidated events about messages of one connection."""
    yield 0, OPEN.format(1)
    for number in range(n):
        cipher = "AES128-SHA" if alike else f"AES{number}-SHA"
        yield number / 10, f"{CEF}ESAMID={number + 1} ESAICID=1 ESATLSInConnStatus=Success ESATLSInProtocol=TLSv1.2 ESATLSInCipher={cipher} act=ABORTED"


def on_one_connection(n: int) -> Lines:
    """Yield a log of n messages that all came over one connection and left over one."""
    yield 0, OPEN.format(1)
    yield 0, OUT.format(1)
    for number in range(n):
        yield number / 10, f"Start MID {number + 1} ICID 1"
        yield number / 10, DONE.format(number + 1, 1)
        yield number / 10, END.format(number + 1)


def opened_by_many(n: int) -> Lines:
    """Yield a log of n connections of as many peers with one id, some each second, and a message on each that stays open."""
    for number in range(n):
        yield number / 3, OPEN.format(1).replace("198.51.100.7", f"2001:db8::{number:x}")
        yield number / 3, f"Start MID {number + 1} ICID 1"
        yield number / 3, "ICID 1 close"


def copies(n: int, end: str) -> Lines:
    """Yield a log of a message that ends with some line, and n copies of it that stay open."""
    yield 0, OPEN.format(1)
    yield 0, "Start MID 1 ICID 1"
    for number in range(n):
        yield number / 50, f"MID {number + 2} was generated based on MID 1 by bcc filter 'archive'"
    yield n / 50, end


KINDS: dict[str, Callable[[int], Lines]] = {
    "one message over n DCIDs": many_deliveries,
    "chain of n rewrites": rewrites,
    "chain of n, ended from the last": rewrites_left_open,
    "ids used n times, every 6 seconds": lambda n: reused(n, 6),
    "ids used n times, every hour": lambda n: reused(n, 3600),
    "ids used n times under an open message": reused_while_open,
    "an id opened by n peers": opened_by_many,
    "n copies of one message": lambda n: copies(n, END.format(1)),
    "n copies of one message given up": lambda n: copies(n, "Message aborted MID 1 Receiving aborted"),
    "n failures on one DCID": lambda n: failures(n, delivered=False),
    "n failures and messages on one DCID": lambda n: failures(n, delivered=True),
    "n equal consolidated events on one ICID": lambda n: consolidated(n, alike=True),
    "n other consolidated events on one ICID": lambda n: consolidated(n, alike=False),
    "n messages on one ICID and one DCID": on_one_connection,
}


def stamped(lines: Lines) -> Iterator[str]:
    """Yield the lines of a log with stamps, as the appliance writes them."""
    for time, text in lines:
        stamp = datetime.fromtimestamp(START + int(time), timezone.utc)
        yield f"{stamp:%a %b %d %H:%M:%S %Y} {'' if text.startswith('CEF') else 'Info: '}{text}"


def write(path: pathlib.Path, lines: Lines) -> None:
    """Write a log."""
    with path.open("w", encoding="ascii") as file:
        file.writelines(f"{line}\n" for line in stamped(lines))


def seconds(command: str, log: pathlib.Path, code: str) -> float | None:
    """Return the processor seconds of a command; None: it was stopped."""
    if command == "follow":
        words = ["follow", "--once", "--fresh", "-q", "--checkpoint", f"{log}.checkpoint", log]
    else:
        words = ["messages", "-q", "-f", "json", "--jobs", "1", log]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        subprocess.run(
            [sys.executable, "-m", "esatls", *map(str, words)], check=True, stdout=subprocess.DEVNULL, timeout=LONGEST, env={**os.environ, "PYTHONPATH": code}
        )
    except subprocess.TimeoutExpired:
        return None
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="2000,4000,8000,16000")
    parser.add_argument("--commands", default="messages,follow")
    parser.add_argument("--only", default="", help="kinds with this in their name")
    parser.add_argument("--code", default=str(ROOT / "python"))
    arguments = parser.parse_args()
    sizes = [int(size) for size in arguments.sizes.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        log = pathlib.Path(folder) / "mail.log"
        log.write_bytes(b"")
        for command in arguments.commands.split(","):
            log.write_bytes(b"")
            least = min(seconds(command, log, arguments.code) or 0 for _ in range(3))
            for name, kind in KINDS.items():
                if arguments.only not in name:
                    continue
                row: list[float] = []
                for size in sizes:
                    write(log, kind(size))
                    spent = seconds(command, log, arguments.code)
                    if spent is None:
                        break
                    row.append(max(0.0, spent - least) / size * 1e6)
                cells = "".join(f"{value:9.0f}" for value in row) + f"{f'over {LONGEST} s':>11}" * (len(row) < len(sizes))
                print(f"{command:9}{name:42}{cells}   {max(row) / max(1e-9, min(row)):.1f}" if row else f"{command:9}{name:42}{cells}", flush=True)


if __name__ == "__main__":
    main()
