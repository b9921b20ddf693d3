"""The command `esatls trace`."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
import tempfile
from typing import TYPE_CHECKING, Any

import click

from esatls.cli.filters import MessageFilter
from esatls.cli.formats import by_name, writing
from esatls.cli.inputs import Input, reading
from esatls.cli.records import facts_of, in_time
from esatls.cli.tell import tell
from esatls.errors import EsatlsError, UsageError
from esatls.extraction.match import LONGEST_NUMBER
from esatls.lines.sources import Source
from esatls.output.json_lines import dumps
from esatls.trace import family, source_lines, text
from esatls.trace.story import story

if TYPE_CHECKING:
    from collections.abc import Callable

    from esatls.verdicts.record_types import MessageRecord

FORMATS = ("text", "json")
_CONNECTION = re.compile(r"([ID])CID +(\d{1,18})", re.ASCII | re.IGNORECASE)
BY_ENDING = {"": "text", ".txt": "text", ".json": "json", ".jsonl": "json"}


@click.command()
@click.argument("what")
@reading
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Maximum number of messages to trace.")
@writing(FORMATS, "chosen by the name of FILE (.json), else text")
def trace(what: str, limit: int, form: str | None, output: str | None, **options: Any) -> None:
    """Trace a message hop by hop, with its log lines.

    WHAT is a MID, a Message-ID, the address of a sender or recipient, or a connection such as "ICID 5" or "DCID 7", which stands for its messages. Messages
    that the appliance made from it, or from which it was made, are shown too. Each line is shown with its file and line number; > marks the lines that decide
    a verdict.

    Files are read twice. The exit code is 1 if no message is found.
    """
    form = by_name(form, output, BY_ENDING)
    mid, wanted = _wanted(what)
    source = Input(options)
    with contextlib.ExitStack() as stack:
        source.found = [_again(one, stack) for one in source.found]
        facts, counts = facts_of(source)
        matches = list(family.find(facts, lambda record: wanted(record) and in_time(record, source), mid))
        stories = family.families(matches[:limit])
        members = [member for one in stories for member in one]
        lines = source_lines.lines_of(members, source.found, source.options, facts.hosts) if members else {}
        told = [story(one, lines) for one in stories]
        with source.output(output) as file:
            if form == "json":
                for one in told:
                    file.write(dumps(one) + b"\n")
            else:
                text.write(told, file)
    if len(matches) > limit:
        tell(f"{len(matches) - limit:,} more messages match; --limit shows more, --since and --until narrow it down")
    if not matches:
        where = "log" if source.since is None and source.until is None else "log and time range"
        connection = re.fullmatch(_CONNECTION, what.strip())
        hint = f"; esatls connections --{connection[1].lower()}cid {connection[2]} shows a connection without messages" if connection else ""
        tell(f"no message with this MID, Message-ID, address or connection in the {where}{hint}")
    source.end(counts)
    if not matches:
        sys.exit(1)


def _wanted(what: str) -> tuple[int | None, Callable[[MessageRecord], bool]]:
    """Return the MID if the text is one, else None, and a function that tells whether a record is meant."""
    what = re.sub(r"^MID +", "", what.strip(), flags=re.IGNORECASE)
    if what.isascii() and what.isdigit():
        if len(what) > LONGEST_NUMBER:
            raise UsageError(f"{what}: not a MID")
        return int(what), lambda _: True
    connection = re.fullmatch(_CONNECTION, what)
    if connection is not None:
        number = (int(connection[2]),)
        return None, (MessageFilter(icids=number) if connection[1] in "Ii" else MessageFilter(dcids=number)).passes
    if not what.strip("<>"):
        raise UsageError("WHAT must be a MID, a Message-ID, an address or a connection, and cannot be empty")
    by_id, by_address = MessageFilter(message_id=(what,)), MessageFilter(address=(what.strip("<>"),))
    return None, lambda record: by_id.passes(record) or by_address.passes(record)


def _again(source: Source, stack: contextlib.ExitStack) -> Source:
    """Return a source that can be read twice: itself, or a copy of what comes from a pipe."""
    if source.path != "-" and os.path.isfile(source.path):
        return source
    # a folder, because Windows opens no file a second time that is deleted when it is closed
    path = os.path.join(stack.enter_context(tempfile.TemporaryDirectory(prefix="esatls-")), "log")
    try:
        with open(path, "wb") as copy:
            if source.path == "-":
                shutil.copyfileobj(sys.stdin.buffer, copy)
            else:
                with open(source.path, "rb") as pipe:
                    shutil.copyfileobj(pipe, copy)
    except OSError as error:
        if error.filename is not None:
            raise
        # the error of a full disk names no file
        raise EsatlsError(f"the temporary copy of {source.name}, in {tempfile.gettempdir()}: {error.strerror}") from error
    return Source(path, source.name)
