"""The command `esatls messages`."""

from __future__ import annotations

from typing import Any

import click

from esatls import parallel
from esatls.cli.filters import MessageFilter, message_filters
from esatls.cli.formats import format_of, writing
from esatls.cli.inputs import Input, reading
from esatls.cli.records import appliances_of, messages_of
from esatls.extraction.fields import MESSAGE_FIELDS
from esatls.output import FORMATS, write
from esatls.output.json_lines import lines


@click.command()
@reading
@writing(FORMATS)
@message_filters
def messages(form: str | None, output: str | None, wanted: MessageFilter, **options: Any) -> None:
    """Write one record per message: was it received over TLS, was it delivered over TLS, and if not, why not."""
    form = format_of(form, output)
    source = Input(options)
    everything = wanted == MessageFilter() and source.since is None and source.until is None
    if everything and form == "json":
        with source.output(output) as file:
            names, counts = parallel.write_messages(source.found, lines, file.write, source.options, source.warn, source.progress(), source.contradictions)
        source.tell_names(names)
        source.end(counts)
        return
    appliances, counts = appliances_of(source)
    records = filter(wanted.passes, messages_of(appliances, source))
    with source.output(output) as file:
        written = write(records, form, file, MESSAGE_FIELDS)
    source.end(counts, None if everything else written)
