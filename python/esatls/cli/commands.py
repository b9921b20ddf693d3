"""The command line: `esatls events|connections|messages|report|explain`, start-up and exit codes."""

from __future__ import annotations

import gc
import os
import signal
import sys
from typing import Any

import click

from esatls import __version__, parallel
from esatls.cli.filters import ConnectionFilter, MessageFilter, connection_filters, message_filters
from esatls.cli.formats import format_of, writing
from esatls.cli.inputs import Input, appliances_of, connections_of, messages_of, reading
from esatls.cli.std_streams import stand_in
from esatls.errors import EsatlsError, UsageError
from esatls.extraction.kinds import EVENT_KINDS
from esatls.extraction.stream import Counts
from esatls.lines.clock import zone
from esatls.output import FORMATS, dumps, ending, lines, printable, write

Record = dict[str, Any]

_REPORTS = {"": "table", ".txt": "table", ".json": "json", ".html": "html", ".htm": "html"}
"""Forms of the report by the ending of a file's name."""


class _Group(click.Group):
    """Loads commands that need more than the core only when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), "check", "elastic", "follow", "trace"])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name == "check":
            from esatls.cli.check import check

            return check
        if cmd_name == "elastic":
            from esatls.cli.elastic import elastic

            return elastic
        if cmd_name == "follow":
            from esatls.cli.follow import follow

            return follow
        if cmd_name == "trace":
            from esatls.cli.trace import trace

            return trace
        return super().get_command(ctx, cmd_name)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="esatls")
def cli() -> None:
    """Show what the logs of a Cisco ESA (Secure Email Gateway) say about TLS.

    FILES can be plain or compressed logs (gzip, bzip2, xz, zstd), folders, globs, or - for standard input. Lines can have any header: the
    appliance's own, syslog, a collector's or none; JSON is read too.
    """


@cli.command()
@reading
@writing(FORMATS)
@click.option(
    "--kind", "-k", "kinds", multiple=True, type=click.Choice(("all", *EVENT_KINDS)), help="Kind of event to show (repeatable). Default: all kinds about TLS."
)
def events(form: str | None, output: str | None, kinds: tuple[str, ...], **options: Any) -> None:
    """Write one record per log line about TLS, or per line about mail (--kind all)."""
    from esatls.extraction.event_stream import Events
    from esatls.extraction.fields import FIELDS

    source = Input(options)
    wanted = frozenset(EVENT_KINDS) if "all" in kinds else frozenset(kinds) if kinds else None
    make = lambda: Events(wanted, source.since, source.until)  # noqa: E731
    form = format_of(form, output)
    progress = source.progress()
    with source.output(output) as file:
        if form == "json":
            counts = parallel.write_events(source.found, make, lines, file.write, source.options, source.warn, progress)
        else:
            counts = Counts()
            write(parallel.iterate_events(source.found, make, source.options, source.warn, progress, counts), form, file, FIELDS)
    source.end(counts, nothing="no events of the requested kinds")


@cli.command()
@reading
@writing(FORMATS)
@connection_filters
def connections(form: str | None, output: str | None, wanted: ConnectionFilter, **options: Any) -> None:
    """Write one record per connection, with its verdict: encrypted, mixed, cleartext, failed, unused or unknown."""
    from esatls.extraction.fields import CONNECTION_FIELDS

    source = Input(options)
    appliances, counts = appliances_of(source)
    with source.output(output) as file:
        written = write(filter(wanted, connections_of(appliances, source)), format_of(form, output), file, CONNECTION_FIELDS)
    source.end(counts, written)


@cli.command()
@reading
@writing(FORMATS)
@message_filters
def messages(form: str | None, output: str | None, wanted: MessageFilter, **options: Any) -> None:
    """Write one record per message: was it received over TLS, was it delivered over TLS, and if not, why not."""
    from esatls.extraction.fields import MESSAGE_FIELDS

    source = Input(options)
    everything = wanted == MessageFilter() and source.since is None and source.until is None
    form = format_of(form, output)
    if everything and form == "json":
        with source.output(output) as file:
            named: set[str] = set()
            counts = parallel.write_messages(source.found, dumps, file.write, source.options, source.warn, source.progress(), named, source.contradictions)
        source.tell_names(named)
        source.end(counts)
        return
    appliances, counts = appliances_of(source)
    records = filter(wanted, messages_of(appliances, source))
    with source.output(output) as file:
        written = write(records, form, file, MESSAGE_FIELDS)
    source.end(counts, None if everything else written)


@cli.command()
@reading
@click.option("--format", "-f", "form", type=click.Choice(("table", "json", "html")), help="Default: chosen by the name of FILE (.json, .html), else table.")
@click.option("--output", "-o", metavar="FILE", help="Write to FILE, which appears only when it is complete.")
def report(form: str | None, output: str | None, **options: Any) -> None:
    """Write a report: shares, protocols, ciphers, failing partners. Covers the appliance's TLS Connections page, and more."""
    from esatls.report import build as statistics

    form = form or _REPORTS.get(ending(output))
    if form is None:
        raise UsageError(f"{output}: unknown format: use --format, or a file name that ends in .txt, .json or .html")
    source = Input(options)
    found, counts = appliances_of(source)
    appliances = [*found]  # connections and messages are judged once
    built = statistics.build(connections_of(appliances, source), messages_of(appliances, source), source.contradictions)
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
@click.option("--timezone", metavar="ZONE", default="UTC", show_default=True, help="Time zone of the timestamp, such as Europe/Berlin.")
def explain(line: tuple[str, ...], timezone: str) -> None:
    """Show which pattern a LINE matches and which fields it gives, or why it is not an event (exit code 1).

    LINE can also be a message-tracking entry, with its time in front or as JSON. Such entries have fields, but no pattern.
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
    """Run the command line: errors a user can cause are reported in one line, without a traceback."""
    stand_in()
    gc.disable()  # one command, one run: what is built is needed to the end
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _stop)  # so that no partial output is left behind
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
