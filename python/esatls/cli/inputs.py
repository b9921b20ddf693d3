"""What the commands that read logs have in common: options, input files, and messages on standard error."""

from __future__ import annotations

import os
import re
import sys
from time import time as now
from typing import TYPE_CHECKING, Any, Callable, TypeVar

import click

from esatls import parallel
from esatls.cli.completion import files
from esatls.cli.config import JOBS
from esatls.cli.period import period
from esatls.cli.tell import tell
from esatls.errors import UsageError
from esatls.extraction.stream import UNRECOGNIZED
from esatls.lines import sources
from esatls.lines.clock import YEARS, rfc3339, zone
from esatls.output import Output
from esatls.reading import prepare
from esatls.verdicts.contradictions import Contradictions
from esatls.verdicts.hosts import under_two_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from esatls.cli.progress import Bar
    from esatls.extraction.stream import Counts
    from esatls.lines.clock import Time

_Record = TypeVar("_Record")
_LATEST: list[parallel.Progress] = []
"""Keeps what the latest command has read, so that the process ends without freeing it (`commands.run`)."""
WHY = "; esatls explain 'LINE' shows why"
_DAY = 86_400
_LARGE = 50_000_000
"""Progress is shown for input with more bytes on disk than this."""


def _size(_context: click.Context, option: click.Parameter, value: str | None) -> int | None:
    if value is None:
        return None
    found = re.fullmatch(r"([1-9][0-9]{0,8})([KMGT]?)B?", value.strip().upper(), re.ASCII)
    if found is None:
        raise UsageError(f"{option.opts[0]}: not a size such as 512M or 4G: {value!r}")
    return int(found[1]) << 10 * " KMGT".index(found[2] or " ")


def _half() -> int | None:
    """Return half of this machine's memory, in bytes; None if the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    except (AttributeError, ValueError, OSError):
        return None


def reading(command: Callable[..., None]) -> Callable[..., None]:
    """Add the arguments and options for reading logs to a click command."""
    for option in reversed(
        (
            click.argument("files", nargs=-1, shell_complete=files),
            click.option(
                "--host",
                "hosts",
                multiple=True,
                metavar="NAME",
                help="Name of the appliance, for lines that do not name it. SERIAL=NAME names the one with this serial number in the head of its files "
                "(repeatable).",
            ),
            click.option(
                "--timezone", metavar="ZONE", help="Time zone of the log, such as Europe/Berlin. Default: as given in the head of the file, else UTC."
            ),
            click.option("--year", type=click.IntRange(*YEARS), help="Year of the first line, if timestamps have no year. Default: from the file's date."),
            click.option(
                "--since",
                metavar="TIME",
                help="Only records at or after this time, such as 2024-12-31T08:00:00Z, 2024-12-31, 7d or monday; or only those of yesterday, "
                "last-week, last-month or a month such as 2024-12. Days, and times without an offset, are in the zone of --timezone, else in UTC.",
            ),
            click.option("--until", metavar="TIME", help="Only records before this time, given in the same way; for a day or a month, before it begins."),
            click.option("--jobs", type=click.IntRange(*JOBS), help="Number of processes. Default: one per processor."),
            click.option(
                "--memory",
                metavar="SIZE",
                callback=_size,
                help="Memory for what is read, such as 512M or 4G; the rest waits in a temporary file. Default: half of this machine's.",
            ),
            click.option("--quiet", "-q", is_flag=True, help="Do not show counts or progress on standard error."),
            click.option("--allow-empty", is_flag=True, help="Do not fail if no line of a file is recognized."),
        )
    ):
        command = option(command)
    return command


class Input:
    """The input files of one command, and the messages about them on standard error."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._hosts: tuple[str, ...] = options["hosts"]
        self._timezone: str | None = options["timezone"]
        self.quiet: bool = options["quiet"]
        self.allow_empty: bool = options["allow_empty"]
        self.failed = False
        self.problems: list[str] = []
        """The problems found in the input, each in one line."""
        self.contradictions = Contradictions()
        """Those that the records have shown so far."""
        self._bar: Bar | None = None
        self._progress = parallel.Progress()
        named = [one.partition("=") for one in options["hosts"]]
        host = next((name for name, equals, _ in reversed(named) if not equals), None)
        where = None if options["timezone"] is None else zone(options["timezone"])
        self.since: Time | None = None
        end: Time | None = None
        if options["since"] is not None:
            self.since, end = period(options["since"], where)
        self.until = end if options["until"] is None else period(options["until"], where)[0]
        if self.since is not None and self.until is not None and self.since > self.until:
            raise UsageError(f"--since {options['since']} is after --until {options['until']}")
        if not options["files"] and sys.stdin.isatty():
            raise UsageError("no input file (use - for standard input)")
        self.found = sources.find(options["files"], self.warn)
        jobs = options["jobs"] or (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
        self.options, notes = prepare(self.found, where, options["year"], host, jobs, {serial: name for serial, equals, name in named if equals})
        self.options = self.options._replace(memory=options["memory"] or _half())
        for note in notes if not self.quiet else ():
            tell(note)

    def tell_names(self, names: Iterable[str]) -> None:
        """Warn if one appliance seems to have two names, which would split its records."""
        for problem in under_two_names(names):
            self.problems.append(problem)
            if not self.quiet:
                tell(problem)

    def tell_contradictions(self) -> None:
        """Warn if ids contradict each other, as those of several appliances under one name do."""
        for one in [] if self.quiet else self.contradictions.found():
            tell(str(one))

    def told_problems(self) -> list[str]:
        """Return all that was wrong with the input, in words."""
        return [*self.problems, *map(str, self.contradictions.found())]

    def told(self) -> dict[str, str]:
        """Return what the user has told about the input, as far as it is given."""
        times = {name: rfc3339(time) for name, time in (("since", self.since), ("until", self.until)) if time is not None}
        told = {"timezone": self._timezone, "host": ", ".join(self._hosts), **times}
        return {name: value for name, value in told.items() if value}

    def uncovered(self, counts: Counts) -> list[str]:
        """Return, in sentences, what the log does not show of the time range."""
        seen = [(one.first, one.last) for one in counts.files.values() if one.first is not None and one.last is not None]
        if not seen or (self.since is None and self.until is None):
            return []
        first, last = min(one for one, _ in seen), max(one for _, one in seen)
        since, until = first if self.since is None else self.since, last if self.until is None else min(self.until, max(last, now()))
        if last < since or (self.until is not None and first >= self.until):
            return [f"the log covers {rfc3339(first)} to {rfc3339(last)}, and nothing of the time range"]
        slack = min((until - since) / 4, _DAY)  # at night or at weekends, there may be no mail
        found = []
        if first - since > slack:
            found.append(f"the log begins at {rfc3339(first)}, after the time range does")
        if until - last > slack:
            found.append(f"the log ends at {rfc3339(last)}, before the time range does")
        return found

    def output(self, path: str | None) -> Output:
        """Return the output for records. Raises `UsageError` if it is an input file."""
        if path not in (None, "-"):
            for source in self.found:
                if source.path != "-" and os.path.isfile(source.path) and os.path.exists(str(path)) and os.path.samefile(source.path, str(path)):
                    raise UsageError(f"{path}: is an input file, so it cannot be the output")
        return Output(path)

    def warn(self, problem: str) -> None:
        """Report a problem with the input, and set the exit code (with --allow-empty, not for a file without recognized lines)."""
        self.read()
        if self.allow_empty and problem.endswith(UNRECOGNIZED):
            return
        self.failed = True
        self.problems.append(problem)
        tell(problem)

    def progress(self) -> parallel.Progress:
        """Return the progress bar, or a silent one."""
        size = sum(source.size for source in self.found)
        if not self.quiet and sys.stderr.isatty() and size > _LARGE:
            from esatls.cli.progress import Bar

            self._bar = self._progress.show = Bar(size)
        _LATEST[:] = [self._progress]
        return self._progress

    def read(self) -> None:
        """Remove the progress bar: all has been read, or a message is to be shown."""
        if self._bar is not None:
            self._bar.end()
            self._bar = None

    def judged(self, records: Iterator[_Record], total: int) -> Iterator[_Record]:
        """Return records, with a progress bar while they are made unless they are written to the same terminal."""
        if self._progress.show is None:
            return records
        self.read()
        if sys.stdout.isatty():
            return records
        from esatls.cli.progress import judged

        return judged(records, total)

    def none(self, written: int, *, filtered: bool) -> str | None:
        """Return why no record was written, if none was and it was asked for some only."""
        in_time = "" if self.since is None and self.until is None else " in the time range"
        if written or not (filtered or in_time):
            return None
        return f"no records{in_time}{' match the filters' if filtered else ''}"

    def end(self, counts: Counts, none: str | None = None, *, nothing: str = UNRECOGNIZED + WHY, told: str | None = None) -> None:
        """Show what was read, unless --quiet is given; exit with 1 if there was a problem with the input.

        It shows contradictions in the records, the counts (or `told` instead), the shapes of lines that were not understood, what the log does not show of
        the time range, and finally `none`, which says why no record was written, or `nothing` if no line was an event.
        """
        self.read()
        if not self.quiet:
            self.tell_contradictions()
            click.echo(told or str(counts), err=True)
            for shape in counts.not_understood.told():
                tell(shape)
            for sentence in self.uncovered(counts):
                tell(sentence)
            if counts.events and none:
                tell(none)
            elif counts.ignored and not counts.events:
                tell(nothing)
        if self.failed:
            sys.exit(1)
