"""The command `esatls messages`."""

from __future__ import annotations

from typing import Any

import click

from esatls import parallel
from esatls.cli.filters import MessageFilter, message_filters
from esatls.cli.formats import columns_of, format_of, with_columns, writing
from esatls.cli.inputs import Input, reading
from esatls.cli.records import appliances_of, messages_of
from esatls.extraction.fields import MESSAGE_FIELDS
from esatls.output import FORMATS, write
from esatls.output.json_lines import lines

_NONE = "no messages in the log, only connections: a message has lines with its MID"


@click.command()
@reading
@with_columns
@writing(FORMATS)
@message_filters
def messages(form: str | None, output: str | None, columns: str | None, wanted: MessageFilter, **options: Any) -> None:
    """Write one record per message: was it received over TLS, was it delivered over TLS, and if not, why not."""
    form = format_of(form, output, columns)
    chosen = columns_of(columns, MESSAGE_FIELDS, form)
    source = Input(options)
    filtered = wanted != MessageFilter()
    if form == "json" and not filtered and source.since is None and source.until is None:
        written = 0
        with source.output(output) as file:

            def put(block: bytes) -> None:
                nonlocal written
                written += len(block)
                file.write(block)

            names, counts = parallel.write_messages(source.found, lines, put, source.options, source.warn, source.progress(), source.contradictions)
        source.tell_names(names)
        source.end(counts, None if written else _NONE)
        return
    appliances, counts = appliances_of(source)
    records = messages_of(appliances, source)
    if filtered:
        records = filter(wanted.passes, records)
    with source.output(output) as file:
        written = write(records, form, file, MESSAGE_FIELDS, chosen)
    source.end(counts, None if written else source.none(written, filtered=filtered) or _NONE)
