"""What the commands that read logs share: their options, their files, and what is said on standard error."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Callable

import click

from esatls import parallel
from esatls.errors import UsageError
from esatls.lines import sources
from esatls.lines.clock import parse_rfc3339, rfc3339, zone
from esatls.output import Output, printable
from esatls.verdicts.hosts import appliances, short_and_full

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from esatls.extraction.stream import Counts
    from esatls.lines.clock import Time
    from esatls.verdicts.facts import Facts
    from esatls.verdicts.record_types import ConnectionRecord, MessageRecord


def reading(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command of click the files that it reads, and the options that say how."""
    for option in reversed(
        (
            click.argument("files", nargs=-1),
            click.option("--host", help="Name of the appliance for lines that do not name it."),
            click.option("--timezone", metavar="ZONE", help="Zone of the stamps, such as Europe/Berlin. Default: what the head of the file says, else UTC."),
            click.option("--year", type=click.IntRange(1990, 2100), help="Year of the first line, for stamps without one. Default: from the file's date."),
            click.option("--since", metavar="TIME", help="Only what is not before this time (UTC), such as 2024-12-31 or 2024-12-31T08:00:00Z."),
            click.option("--until", metavar="TIME", help="Only what is before this time (UTC)."),
            click.option("--jobs", type=click.IntRange(1, 64), help="Processes to use. Default: one per processor."),
            click.option("--quiet", "-q", is_flag=True, help="No counts and no progress on standard error."),
            click.option("--allow-empty", is_flag=True, help="A file in which nothing is understood is no failure."),
        )
    ):
        command = option(command)
    return command


class Input:
    """The inputs of one command, and what is said of them on standard error."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.quiet: bool = options["quiet"]
        self.allow_empty: bool = options["allow_empty"]
        self.failed = False
        self.since = None if options["since"] is None else parse_rfc3339(options["since"])
        self.until = None if options["until"] is None else parse_rfc3339(options["until"])
        if self.since is not None and self.until is not None and self.since > self.until:
            raise UsageError(f"--since {options['since']} is after --until {options['until']}")
        if not options["files"] and sys.stdin.isatty():
            raise UsageError("no file given (- is standard input)")
        self.found = sources.find(options["files"], self.warn)
        where = None if options["timezone"] is None else zone(options["timezone"])
        self.options = parallel.Options(
            where,
            options["year"],
            options["host"] and printable(options["host"]),
            options["jobs"] or (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1),
            sources.common_zone(self.found) if where is None else None,
            self._by_serial() if options["host"] is None and len(self.found) > 1 else {},
        )

    def _by_serial(self) -> dict[str, str]:
        """Return the appliance of each file by the serial number in its head, where files without host names are of several; say so."""
        serials = sources.serials(self.found)
        several = sorted(set(serials.values()))
        if len(several) < 2:
            return {}
        if not self.quiet:
            untold = [source.name for source in self.found if source.path not in serials]
            rest = f"; {', '.join(untold)}: none, so read such files by themselves, with --host NAME" if untold else ""
            names = printable(f"({', '.join(several)}){rest}")
            click.echo(f"esatls: files of {len(several)} appliances, told apart by their serial numbers {names}", err=True)
        return serials

    def tell_names(self, names: Iterable[str]) -> None:
        """Say that one appliance may have two names, which part what belongs together."""
        for short, full in [] if self.quiet else short_and_full(names):
            click.echo(f"esatls: {printable(short)} and {printable(full)} may be one appliance under two names: the ids of each count apart", err=True)

    def output(self, path: str | None) -> Output:
        """Return where the records go; `UsageError` for a file that is read."""
        if path not in (None, "-"):
            for source in self.found:
                if source.path != "-" and os.path.isfile(source.path) and os.path.exists(str(path)) and os.path.samefile(source.path, str(path)):
                    raise UsageError(f"{path}: is read by this command, so it cannot be the output")
        return Output(path)

    def warn(self, problem: str) -> None:
        """Say what could not be read; the exit code tells it too."""
        if self.allow_empty and problem.endswith(parallel.NOT_UNDERSTOOD):
            return
        self.failed = True
        click.echo(f"esatls: {printable(problem)}", err=True)

    def progress(self) -> parallel.Progress:
        """Return the progress bar, or a silent one."""
        total = sum(source.size for source in self.found)
        progress = parallel.Progress()
        if not self.quiet and total > 50_000_000 and sys.stderr.isatty():
            from esatls.cli.progress import Bar

            progress.show = Bar(total)
        return progress

    def end(self, counts: Counts, written: int | None = None, *, nothing: str = "no line was understood") -> None:
        """Tell the counts, and `nothing` if no line was an event, or that no record was written; leave with 1 if something could not be read."""
        if not self.quiet:
            click.echo(str(counts), err=True)
            if counts.events and written == 0:
                click.echo("esatls: no record is one of those asked for", err=True)
            elif counts.ignored and not counts.events:
                click.echo(f"esatls: {nothing}; esatls explain 'LINE' tells what a line lacks", err=True)
        if self.failed:
            sys.exit(1)


def facts_of(source: Input) -> tuple[Facts, Counts]:
    """Return what all inputs state, and how many lines there were of which kind."""
    progress = source.progress()
    facts, counts = parallel.gather(source.found, source.options, source.warn, progress)
    source.tell_names(appliances(facts.hosts).values())
    return facts, counts


def connections_of(facts: Facts, source: Input) -> Iterator[ConnectionRecord]:
    """Yield the connections of which something is known in the asked-for time, or before and after it."""
    from esatls.verdicts import records

    since, until = source.since, source.until
    if since is None and until is None:
        yield from records.connections(facts)
        return
    for times, record in records.connections_in_time(facts):
        if times and (since is None or max(times) >= since) and (until is None or min(times) < until):
            yield record


def messages_of(facts: Facts, source: Input) -> Iterator[MessageRecord]:
    """Yield the messages of which something is known in the asked-for time, or before and after it."""
    from esatls.verdicts import records

    since, until = _sortable(source.since), _sortable(source.until)
    for record in records.messages(facts):
        if since is None and until is None:
            yield record
        elif "first_seen" in record:
            begin, end = _with_fraction(record["first_seen"]), _with_fraction(record["last_seen"])
            if (since is None or end >= since) and (until is None or begin < until):
                yield record


def _sortable(time: Time | None) -> str | None:
    return None if time is None else _with_fraction(rfc3339(time))


def _with_fraction(stamp: str) -> str:
    """Return RFC 3339 text in a form that sorts by time."""
    return stamp if "." in stamp else f"{stamp[:-1]}.000Z"
