"""The command line: `esatls events|connections|messages|report|explain`."""

from __future__ import annotations

import gc
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, Callable

import click

from esatls import __version__, parallel
from esatls.cli.filters import ConnectionFilter, MessageFilter, connection_filters, message_filters
from esatls.cli.std_streams import stand_in
from esatls.errors import EsatlsError, UsageError
from esatls.extraction.kinds import EVENT_KINDS
from esatls.extraction.stream import Counts
from esatls.lines import sources
from esatls.lines.clock import parse_rfc3339, rfc3339, zone
from esatls.output import BY_ENDING, FORMATS, Output, dumps, ending, lines, printable, write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from esatls.lines.clock import Time
    from esatls.verdicts import records
    from esatls.verdicts.facts import Facts

Record = dict[str, Any]

_REPORTS = {"": "table", ".txt": "table", ".json": "json", ".html": "html", ".htm": "html"}
"""Forms of the report by the ending of a file's name."""


class _Group(click.Group):
    """Loads commands that need more than the core only when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), "elastic", "follow"])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name == "elastic":
            from esatls.cli.elastic import elastic

            return elastic
        if cmd_name == "follow":
            from esatls.cli.follow import follow

            return follow
        return super().get_command(ctx, cmd_name)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="esatls")
def cli() -> None:
    """Tell what the logs of a Cisco ESA (Secure Email Gateway) say about TLS.

    FILES are logs in any form: plain or compressed (gzip, bzip2, xz, zstd), folders, globs, or - for
    standard input. Lines may have any envelope: native, syslog, a collector's, JSON, bare text.
    """


def _reading(command: Callable[..., None]) -> Callable[..., None]:
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
        )
    ):
        command = option(command)
    return command


def _writing(formats: tuple[str, ...]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        command = click.option("--output", "-o", metavar="FILE", help="Write to FILE, which appears only when it is whole.")(command)
        default = "by the name of FILE (.csv, .parquet), else table on a terminal and json elsewhere"
        return click.option("--format", "-f", "form", type=click.Choice(formats), help=f"Default: {default}.")(command)

    return decorate


class _Input:
    """The inputs of one command, and what is said of them on standard error."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.quiet: bool = options["quiet"]
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
        )

    def tell_appliances_apart(self) -> None:
        """Say that ids may meet, where files without host names are of several appliances."""
        if self.options.host is None and len(self.found) > 1 and not self.quiet:
            serials = sorted(sources.serials(self.found))
            if len(serials) > 1:
                names = printable(", ".join(serials))
                click.echo(f"esatls: files of {len(serials)} appliances ({names}), each with ids of its own: read one at a time, with --host NAME", err=True)

    def output(self, path: str | None) -> Output:
        """Return where the records go; `UsageError` for a file that is read."""
        if path not in (None, "-"):
            for source in self.found:
                if source.path != "-" and os.path.isfile(source.path) and os.path.exists(str(path)) and os.path.samefile(source.path, str(path)):
                    raise UsageError(f"{path}: is read by this command, so it cannot be the output")
        return Output(path)

    def warn(self, problem: str) -> None:
        """Say what could not be read; the exit code tells it too."""
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


def _format(chosen: str | None, output: str | None) -> str:
    shown = output in (None, "-") and sys.stdout.isatty()
    if chosen == "parquet" and shown:
        raise UsageError("parquet is nothing for a terminal: --output FILE")
    return chosen or BY_ENDING.get(ending(output)) or ("table" if shown else "json")


@cli.command()
@_reading
@_writing(FORMATS)
@click.option("--kind", "-k", "kinds", multiple=True, type=click.Choice(("all", *EVENT_KINDS)), help="May be repeated. Default: lines that speak of TLS.")
def events(form: str | None, output: str | None, kinds: tuple[str, ...], **options: Any) -> None:
    """One record per log line that says something about TLS, or about mail (--kind all)."""
    from esatls.extraction.event_stream import Events
    from esatls.extraction.fields import FIELDS

    source = _Input(options)
    wanted = frozenset(EVENT_KINDS) if "all" in kinds else frozenset(kinds) if kinds else None
    make = lambda: Events(wanted, source.since, source.until)  # noqa: E731
    form = _format(form, output)
    progress = source.progress()
    with source.output(output) as file:
        if form == "json":
            counts = parallel.write_events(source.found, make, lines, file.write, source.options, source.warn, progress)
        else:
            counts = Counts()
            write(parallel.iterate_events(source.found, make, source.options, source.warn, progress, counts), form, file, FIELDS)
    source.end(counts, nothing="no line is an event of those asked for")


def _facts(source: _Input) -> tuple[Facts, Counts]:
    source.tell_appliances_apart()
    progress = source.progress()
    facts, counts = parallel.gather(source.found, source.options, source.warn, progress)
    return facts, counts


def _connections(facts: Facts, source: _Input) -> Iterator[records.ConnectionRecord]:
    """Yield the connections of which something is known in the asked-for time, or before and after it."""
    from esatls.verdicts import records

    since, until = source.since, source.until
    if since is None and until is None:
        yield from records.connections(facts)
        return
    for times, record in records.connections_in_time(facts):
        if times and (since is None or max(times) >= since) and (until is None or min(times) < until):
            yield record


def _messages(facts: Facts, source: _Input) -> Iterator[records.MessageRecord]:
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


@cli.command()
@_reading
@_writing(FORMATS)
@connection_filters
def connections(form: str | None, output: str | None, wanted: ConnectionFilter, **options: Any) -> None:
    """One record per connection, with its verdict: encrypted, mixed, cleartext, failed, unused, unknown."""
    from esatls.extraction.fields import CONNECTION_FIELDS

    source = _Input(options)
    facts, counts = _facts(source)
    with source.output(output) as file:
        written = write(filter(wanted, _connections(facts, source)), _format(form, output), file, CONNECTION_FIELDS)
    source.end(counts, written)


@cli.command()
@_reading
@_writing(FORMATS)
@message_filters
def messages(form: str | None, output: str | None, wanted: MessageFilter, **options: Any) -> None:
    """One record per message: was it received over TLS, was it delivered over TLS, and if not, why not."""
    from esatls.extraction.fields import MESSAGE_FIELDS

    source = _Input(options)
    everything = wanted == MessageFilter() and source.since is None and source.until is None
    form = _format(form, output)
    if everything and form == "json":
        source.tell_appliances_apart()
        with source.output(output) as file:
            counts = parallel.write_messages(source.found, dumps, file.write, source.options, source.warn, source.progress())
        source.end(counts)
        return
    facts, counts = _facts(source)
    records = filter(wanted, _messages(facts, source))
    with source.output(output) as file:
        written = write(records, form, file, MESSAGE_FIELDS)
    source.end(counts, None if everything else written)


@cli.command()
@_reading
@click.option("--format", "-f", "form", type=click.Choice(("table", "json", "html")), help="Default: by the output's name, else table.")
@click.option("--output", "-o", metavar="FILE", help="Write to FILE, which appears only when it is whole.")
def report(form: str | None, output: str | None, **options: Any) -> None:
    """Shares, versions, ciphers, failing partners: what the TLS Connections page of the appliance tells, and more."""
    from esatls.report import build as statistics

    form = form or _REPORTS.get(ending(output))
    if form is None:
        raise UsageError(f"{output}: a report is a table, json or html; name one with --format, or a file that ends with .txt, .json or .html")
    source = _Input(options)
    facts, counts = _facts(source)
    built = statistics.build(_connections(facts, source), _messages(facts, source))
    with source.output(output) as file:
        if form == "json":
            file.write(dumps(built) + b"\n")
        elif form == "html":
            from esatls.report.page import page

            file.write(page(built).encode("utf-8"))
        else:
            import io

            from rich.console import Console

            from esatls.report.text import render

            text = io.TextIOWrapper(file, encoding="utf-8", write_through=True)
            render(built, Console(file=text, markup=False, highlight=False, emoji=False))
            text.detach()
    source.end(counts)


@cli.command()
@click.argument("line", nargs=-1, required=True)
@click.option("--timezone", metavar="ZONE", default="UTC", help="Zone of the stamp.")
def explain(line: tuple[str, ...], timezone: str) -> None:
    """Tell which pattern a LINE matches and which fields it gives, or why it is no event. Exit code 1 for no event.

    LINE may be a sentence of message tracking, too, with its time in front, or its JSON: these match no pattern, and have fields.
    """
    from esatls.cli.explain import explain as tell
    from esatls.lines.clock import Clock

    told = tell(" ".join(line), Clock(zone(timezone)))
    for name, value in told.items():
        if isinstance(value, dict):
            click.echo(f"{name}:")
            for inner, item in value.items():
                click.echo(f"  {inner}: {printable(str(item))}")
        else:
            click.echo(f"{name}: {printable(str(value))}")
    if told["event"] == "none":
        sys.exit(1)


def main() -> None:
    """Run the command line: one-line errors, no traceback for what a user can cause."""
    stand_in()
    gc.disable()  # one command, one run: what is built is needed to the end
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _stop)  # so that no half output stays behind
    try:
        # not cli.main(): it would turn a closed pipe into an exit code of its own
        with cli.make_context("esatls", sys.argv[1:]) as context:
            cli.invoke(context)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        _leave(130)
    except BrokenPipeError:
        _leave(141)
    except EsatlsError as error:
        click.echo(f"esatls: {printable(str(error))}", err=True)
        sys.exit(2 if isinstance(error, UsageError) else 1)
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        click.echo(f"esatls: {printable(name)}{error.strerror or error}", err=True)
        sys.exit(1)
    except UnicodeError as error:
        click.echo(f"esatls: {printable(str(error))}", err=True)
        sys.exit(1)
    except MemoryError:
        click.echo("esatls: not enough memory", err=True)
        sys.exit(1)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _leave(141)


def _stop(number: int, _: object) -> None:
    sys.exit(128 + number)


def _leave(code: int) -> None:
    """End at once, with nothing more written to a pipe that is closed."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 1)
    os._exit(code)


if __name__ == "__main__":
    main()
