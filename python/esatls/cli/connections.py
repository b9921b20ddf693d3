"""The command `esatls connections`."""

from __future__ import annotations

from typing import Any

import click

from esatls.cli.filters import ConnectionFilter, connection_filters
from esatls.cli.formats import columns_of, format_of, with_columns, writing
from esatls.cli.inputs import Input, reading
from esatls.cli.records import appliances_of, connections_of
from esatls.extraction.fields import CONNECTION_FIELDS
from esatls.output import FORMATS, write
from esatls.verdicts.facts import Facts


@click.command()
@reading
@with_columns
@writing(FORMATS)
@connection_filters
def connections(form: str | None, output: str | None, columns: str | None, wanted: ConnectionFilter, **options: Any) -> None:
    """Write one record per connection, with its verdict: encrypted, mixed, cleartext, failed, unused or unknown."""
    form = format_of(form, output, columns)
    chosen = columns_of(columns, CONNECTION_FIELDS, form)
    source = Input(options)
    filtered = wanted != ConnectionFilter()
    appliances, counts = appliances_of(source)
    with source.output(output) as file:
        if form == "json" and not filtered and isinstance(appliances, Facts):
            from esatls import native

            written = 0
            for block in native.connection_lines(appliances, source.contradictions, source.since, source.until, source.options.jobs):
                file.write(block)
                written += block.count(b"\n")
        else:
            written = write((record for record in connections_of(appliances, source) if wanted.passes(record)), form, file, CONNECTION_FIELDS, chosen)
    source.end(counts, source.none(written, filtered=filtered))
