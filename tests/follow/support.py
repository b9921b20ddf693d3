"""Runs `esatls follow`, in this process and in its own."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
from datetime import timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from esatls.extraction.stream import Stream
from esatls.follow.held import Held, Limits
from esatls.follow.held_json import freeze, thaw
from esatls.follow.lines import FollowedStream, Lines
from esatls.lines.clock import Clock
from esatls.output.json_lines import dumps
from esatls.verdicts import records as verdicts
from esatls.verdicts.facts import Facts

from tests import terminal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ROOT = Path(__file__).resolve().parents[2]
SCENARIOS = ROOT / "tests" / "scenarios"
LATEST = 1717200000
"""2024-06-01: nothing in a log of the tests is later."""

Record = dict[str, Any]


class Run:
    """A log that is followed in this process."""

    def __init__(self, limits: Limits | None = None, *, host: str | None = None) -> None:
        self.told: list[str] = []
        self.held = Held(lambda record: self.told.append(dumps(record).decode()), limits)
        self.stream = FollowedStream(self.held, Clock(timezone.utc, LATEST), host, zone_known=False)
        self.lines = Lines(self.stream)

    def read(self, lines: Iterable[str]) -> Run:
        """Take some lines."""
        for line in lines:
            self.stream.line(line)
        return self

    def end(self) -> Run:
        """End the log."""
        self.lines.end_of_file()
        self.stream.end()
        self.held.end()
        return self

    def resumed(self) -> Run:
        """Return a run that goes on from here, as from a checkpoint."""
        held, stream = json.loads(json.dumps([freeze(self.held), self.stream.state()]))
        run = Run()
        thaw(run.held, held)
        run.stream.restore(stream)
        return run

    def records(self) -> list[Record]:
        """Return what was told."""
        return [json.loads(line) for line in self.told]

    def mids(self) -> list[int]:
        """Return which messages were told."""
        return [record["mid"] for record in self.records()]


def sizes(held: Held) -> dict[str, int]:
    """Return how many ids are in each queue, and how many facts are held in total (`facts`)."""
    facts = 0
    for host in held.hosts.values():
        facts += sum(len(item.facts) + len(item.fresh) for item in host.messages.values())
        facts += sum(len(item.facts) + len(item.kept) for side in host.connections for item in side.values())
    return {**{name: len(queue) for name, queue in held.queues.items()}, "facts": facts}


def whole(lines: Iterable[str], *, host: str | None = None) -> list[str]:
    """Return what `esatls messages` says of a whole log."""
    facts = Facts()
    stream = Stream(facts, Clock(timezone.utc, LATEST), host)
    for line in lines:
        stream.line(line)
    stream.end()
    return [dumps(record).decode() for record in verdicts.messages(facts)]


def environment() -> dict[str, str]:
    """Return the environment of a process: this checkout's code, no states of others."""
    return {**os.environ, "PYTHONPATH": str(ROOT / "python")}


def command(*args: object) -> list[str]:
    """Return the command line of `esatls follow`."""
    return [sys.executable, "-m", "esatls", "follow", *map(str, args)]


def run(*args: object, stdin: bytes = b"", code: int = 0, state: Path | None = None) -> tuple[bytes, str]:
    """Run `esatls follow` to its end; return what it writes. No run may end in a traceback."""
    done = terminal.forked("follow", *args, stdin=stdin, env={} if state is None else {"XDG_STATE_HOME": str(state)})
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    assert done.returncode == code, done.stderr.decode()
    return done.stdout, done.stderr.decode()


def start(*args: object, state: Path | None = None, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    """Start `esatls follow`."""
    env = environment() if state is None else {**environment(), "XDG_STATE_HOME": str(state)}
    return subprocess.Popen(command(*args), stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env)


def body(checkpoint: Path) -> Record:
    """Return what a checkpoint says."""
    told: Record = json.loads(checkpoint.read_bytes().split(b"\n")[1])
    return told


def encoded(lines: Sequence[str]) -> bytes:
    """Return lines as a file holds them."""
    return "".join(line + "\n" for line in lines).encode("utf-8", "surrogateescape")


class Log:
    """A log that a program writes and rotates, as logrotate or the appliance does."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rotated = path.parent
        """Where rotated files go."""
        self._file = path.open("ab", buffering=0)
        self._stamp = 0

    def write(self, data: bytes) -> None:
        """Write some bytes."""
        self._file.write(data)

    def _reopen(self) -> None:
        self._file.close()
        self._file = self.path.open("ab", buffering=0)

    def _shift(self) -> Path:
        """Make room for the newest number."""
        numbered = sorted((int(file.name[len(self.path.name) + 1 :].split(".")[0]), file) for file in self.rotated.glob(self.path.name + ".[0-9]*"))
        for number, file in reversed(numbered):
            ending = ".gz" if file.name.endswith(".gz") else ""
            file.rename(self.rotated / f"{self.path.name}.{number + 1}{ending}")
        return self.rotated / f"{self.path.name}.1"

    def rename(self) -> Path:
        """Rotate: `mail.log` is `mail.log.1` from now on."""
        newest = self._shift()
        self.path.rename(newest)
        self._reopen()
        return newest

    def rename_and_compress(self) -> None:
        """Rotate, and compress at once."""
        _compress(self.rename())

    def copy_and_truncate(self) -> None:
        """Rotate without a new file."""
        shutil.copy2(self.path, self._shift())
        os.truncate(self.path, 0)

    def rename_by_date(self) -> None:
        """Rotate: `mail.log` is `mail.log-20261125` from now on."""
        self._stamp += 1
        self.path.rename(self.rotated / f"{self.path.name}-{20261100 + self._stamp}")
        self._reopen()

    def rename_as_appliance(self) -> None:
        """Rotate: `mail.current` is `mail.@20261125T101500.s` from now on."""
        self._stamp += 1
        self.path.rename(self.rotated / f"{self.path.stem}.@20261125T{self._stamp:06}.s")
        self._reopen()


def _compress(path: Path) -> None:
    packed = path.with_name(path.name + ".gz")
    with path.open("rb") as plain, gzip.open(packed, "wb") as file:
        shutil.copyfileobj(plain, file)
    os.utime(packed, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    path.unlink()
