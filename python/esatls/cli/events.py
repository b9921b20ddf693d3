"""The command `esatls events`."""

from __future__ import annotations

from typing import Any

import click

from esatls import parallel
from esatls.cli.formats import columns_of, format_of, with_columns, writing
from esatls.cli.inputs import WHY, Input, reading
from esatls.extraction.event_stream import Events
from esatls.extraction.fields import FIELDS
from esatls.extraction.kinds import EVENT_KINDS
from esatls.extraction.stream import Counts
from esatls.output import FORMATS, write
from esatls.output.json_lines import lines


@click.command()
@reading
@with_columns
@writing(FORMATS)
@click.option(
    "--kind", "-k", "kinds", multiple=True, type=click.Choice(("all", *EVENT_KINDS)), help="Kind of event to show (repeatable). Default: all kinds about TLS."
)
def events(form: str | None, output: str | None, columns: str | None, kinds: tuple[str, ...], **options: Any) -> None:
    """Write one record per log line about TLS, or per line about mail (--kind all)."""
    form = format_of(form, output, columns)
    chosen = columns_of(columns, FIELDS, form)
    source = Input(options)
    wanted = frozenset(EVENT_KINDS) if "all" in kinds else frozenset(kinds) if kinds else None
    make = lambda: Events(wanted, source.since, source.until)  # noqa: E731
    progress = source.progress()
    with source.output(output) as file:
        if form == "json":
            counts = parallel.write_events(source.found, make, lines, file.write, source.options, source.warn, progress)
        else:
            counts = Counts()
            write(parallel.iterate_events(source.found, make, source.options, source.warn, progress, counts), form, file, FIELDS, chosen)
    told = None
    always = source.since is None and source.until is None
    if wanted != frozenset(EVENT_KINDS) or not always:
        # the other lines are not looked at closely: they may be events or ignored lines
        told = f"{counts.lines:,} lines: {counts.events:,} requested events, {counts.ignored:,} other lines, {counts.unreadable:,} unreadable"
    source.end(counts, nothing="no events of the requested kinds" + (WHY if always else " in the requested time range"), told=told)
