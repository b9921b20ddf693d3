"""Follows one log: reads, emits, saves, waits."""

from __future__ import annotations

import copy
import hashlib
import os
import signal
import stat
import time
from dataclasses import asdict, dataclass, field
from datetime import timezone
from typing import TYPE_CHECKING, Any, Callable

from esatls.extraction.stream import UNRECOGNIZED
from esatls.follow import checkpoint
from esatls.follow.held import Held, Limits
from esatls.follow.held_json import freeze, thaw
from esatls.follow.lines import FollowedStream, Lines
from esatls.follow.pipe import Pipe, is_pipe
from esatls.follow.sink import Sink
from esatls.follow.tail import LogPosition, Tail
from esatls.lines.clock import Clock, end_of_year
from esatls.lines.sources import UTF16, Source
from esatls.output.json_lines import dumps

if TYPE_CHECKING:
    from datetime import tzinfo
    from types import FrameType

    from esatls.verdicts.record_types import MessageRecord

_LEAST_PAUSE = 20
"""The least pause before the next checkpoint, as a multiple of the time that it takes to write one."""


@dataclass(frozen=True)
class FollowOptions:
    """The options of `esatls follow`."""

    file: str
    output: str | None = None
    checkpoint: str | None = None
    """None: no checkpoint."""
    rotated_to: str | None = None
    """The folder to which rotated files are moved; None: they stay in the log's folder."""
    fresh: bool = False
    once: bool = False
    limits: Limits = field(default_factory=Limits)
    idle: float = 5
    """Seconds of quiet after which the wall clock moves the log's time on; 0: never."""
    poll: float = 0.5
    save_every: float = 5
    zone: tzinfo | None = None
    year: int | None = None
    host: str | None = None


class Follower:
    """One run of `esatls follow`."""

    def __init__(
        self, options: FollowOptions, wanted: Callable[[MessageRecord], bool], warn: Callable[[str], None], tell: Callable[[str], None] = lambda _: None
    ) -> None:
        self.options = options
        self.wanted = wanted
        self.warn = warn
        self.tell = tell
        """Called with what may be wrong with the log, but does not stop the run."""
        self.failed = False
        """Whether there was nothing to read, a file could not be read to its end, or no line was recognized (if the input ends), or it is in UTF-16."""
        self.stopped = 0
        """The signal that ended the run; 0 if none did."""
        self.held = Held(self._emit, options.limits)
        clock = Clock(options.zone or timezone.utc, _latest(options))
        self.stream = FollowedStream(self.held, clock, options.host, zone_known=options.zone is not None, year=options.year)
        self.lines = Lines(self.stream)
        self.lines.at_start = True
        self.written = 0
        """How many records have been written, by all runs."""
        self._records: list[bytes] = []
        self._early: set[str] = set()
        """Digests of the records that were written only because the input ended: they are written again only if they have changed."""
        self._left: dict[str, Any] | None = None
        """Once the input has ended: the state before that, from which the next run goes on."""
        self._quiet: float | None = None
        """Seconds for which there has been nothing to read; None while there is something."""
        self._changed = False
        self._lock = None if options.checkpoint is None else checkpoint.lock(options.checkpoint)
        known = None if options.checkpoint is None or options.fresh else checkpoint.load(options.checkpoint)
        self.resumed = known is not None
        self.sink = Sink(options.output, warn)
        try:
            self.input: Tail | Pipe = self._resume(known)
        except BaseException:
            self.close()
            raise
        self._saved = 0.0
        self._pause = 0.0

    def run(self) -> None:
        """Follow until the input ends or a signal arrives."""
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), self._stop)
        # from now on, the next run finds its output even if this one is killed
        self.save()
        # a writer may pause: a pipe ends when it is closed
        once = self.options.once and isinstance(self.input, Tail)
        empty = 0
        while not self.stopped:
            if self.step():
                empty = 0
                if time.monotonic() >= self._saved + self._pause:
                    self.save()
                continue
            empty += 1
            if self.input.over or (once and empty > 1):
                self.finish()
                break
            if not once:
                self._wait()
        self._write()
        self.save()
        self.close()

    def step(self) -> bool:
        """Read at most one block; return whether there was anything to read."""
        data = self.input.read()
        if data is None:
            return False
        self._quiet = None
        if self.options.year is None and self.stream.day is None:
            # the log may have appeared since it was first looked for
            self.stream.clock.latest = _latest(self.options)
        if data:
            if self.lines.at_start and not self.lines.rest and data[:2] in UTF16:
                self.warn(f"{Source(self.options.file).name}: is UTF-16, which is not followed, only UTF-8; the other commands read it")
                self.failed = True
            self.lines.feed(data)
        else:
            self.lines.end_of_file()
        self._changed = True
        self._write()
        return True

    def close(self) -> None:
        """Close the output and release the checkpoint."""
        self.sink.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _stop(self, number: int, _: FrameType | None) -> None:
        self.stopped = number
        # a second signal ends the process at once
        signal.signal(number, signal.SIG_DFL)

    def finish(self) -> None:
        """End the input: write all unfinished messages as they are.

        The next run goes on from before this end, as if there had been none.
        """
        if isinstance(self.input, Pipe):
            self.lines.end_of_file()
        self._left = self._state()
        self._left["early"] = []
        if isinstance(self.input, Tail):
            if self.input.current is None:
                self.warn(f"{self.options.file}: nothing to read")
            self.failed |= self.input.current is None or self.input.broken is not None
        self.lines.end_of_file()
        self.stream.end()
        if self.stream.is_unrecognized:
            self.warn(f"{Source(self.options.file).name}: {UNRECOGNIZED}")
            self.failed = True
        self.held.end()
        self._write()

    def _wait(self) -> None:
        """Wait for more to read; let the log's time pass, and write what is due."""
        if self._quiet is None:
            self._quiet = 0
        elif 0 < self.options.idle < self._quiet:
            # the stamp of the next line would do the same, before what the line says
            self.stream.end()
            self.held.pass_time(self._quiet - self.options.idle)
            self._write()
        if self._changed and time.monotonic() >= self._saved + min(self._pause, max(1.0, self._pause / 5)):
            self.save()
        before_waiting = time.monotonic()
        self.input.wait(self.options.poll)
        # while a machine sleeps, its log does not count as quiet
        self._quiet = (self._quiet or 0) + min(time.monotonic() - before_waiting, 2 * self.options.poll)

    def _emit(self, record: MessageRecord) -> None:
        if not self.wanted(record):
            return
        line = dumps(record) + b"\n"
        if self._early or self._left is not None:
            digest = hashlib.blake2b(line, digest_size=16).hexdigest()
            if self._left is not None:
                self._left["early"].append(digest)
            if digest in self._early:
                return
        self._records.append(line)

    def _write(self) -> None:
        if self._records:
            self.sink.write(b"".join(self._records))
            self.written += len(self._records)
            self._records.clear()
            self._changed = True
        for one in self.held.contradictions.news():
            self.tell(str(one))

    # the checkpoint

    def save(self) -> None:
        """Write the checkpoint."""
        began = time.monotonic()
        if self.options.checkpoint is not None:
            body = {"log": _identity(self.options.file), "output": self.sink.state(), "written": self.written, **(self._left or self._state())}
            checkpoint.save(self.options.checkpoint, body)
        self._saved = time.monotonic()
        self._pause = max(self.options.save_every, _LEAST_PAUSE * (self._saved - began))
        self._changed = False

    def _state(self) -> dict[str, Any]:
        """Return all that decides what is written next."""
        place = self.input.place(len(self.lines.rest))
        return {
            "place": None if place is None else asdict(place),
            "skipping": self.lines.skipping,
            "at_start": self.lines.at_start,
            "stream": copy.deepcopy(self.stream.state()),  # parts of it change with the next line
            "held": freeze(self.held),
            "early": sorted(self._early),
        }

    def _resume(self, known: dict[str, Any] | None) -> Tail | Pipe:
        place = None
        if known is not None:
            path = str(self.options.checkpoint)
            try:
                if known["log"] != _identity(self.options.file):
                    raise checkpoint.foreign(path, str(known["log"]))
                self.stream.restore(known["stream"])
                thaw(self.held, known["held"])
                self.lines.skipping = bool(known["skipping"])
                self.lines.at_start = bool(known["at_start"])
                self.written = int(known.get("written", 0))
                self._early = set(map(str, known.get("early", ())))
                place = None if known["place"] is None else LogPosition.read(known["place"])
                self.sink.resume(known["output"])
            except checkpoint.OtherVersionError as error:
                raise checkpoint.other_version(path) from error
            except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError) as error:
                raise checkpoint.damaged(path) from error
        if is_pipe(self.options.file):
            return Pipe(self.options.file)
        return Tail(self.options.file, self.warn, place, self.options.rotated_to)


def _identity(path: str) -> str:
    return path if path == "-" else os.path.abspath(path)


def _latest(options: FollowOptions) -> float:
    """Return the moment after which the first stamp without a year may lie by at most a day."""
    if options.year is not None:
        return end_of_year(options.year, options.zone or timezone.utc)
    try:
        found = os.stat(options.file)
    except OSError:
        return time.time()
    return found.st_mtime if stat.S_ISREG(found.st_mode) else time.time()
