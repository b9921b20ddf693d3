"""Code shared by the search commands: chunks are read as tables and answered as text, and the job's messages.

The SDK turns each row of a chunk into a dictionary and writes it back cell by cell, which takes several times as long as the extraction itself. The
commands here override the private method of the (pinned, vendored) SDK that does this, `_execute_chunk_v2`: they read rows column by column, and if a
row only gets new columns, they return its original text with these added.
"""

from __future__ import annotations

import sys

import esatls_lib  # noqa: F401 - must come first: it adds lib/ to the path
from esatls_tables import Table
from splunklib.searchcommands import Option, validators

HIDDEN = {"logging_level", "logging_configuration", "phase", "record", "show_configuration"}
"""Options that the SDK gives to every command, and no user needs."""


class RowCommand:
    """A mixin for the SDK's commands: reads chunks as tables, writes text, and reports broken rows at the end."""

    field = Option(
        doc="""
        **Syntax:** field=<field>
        **Description:** The field that holds the log line. Default: _raw""",
        default="_raw",
        validate=validators.Match("field name", r"[^\s\"',]+$"),
    )

    # Options that the SDK gives to every command; a search must not use files on the server.
    record = False
    logging_configuration = None

    broken = 0
    first = ""
    seen = 0
    texts = False
    """Whether any event had text in `field`."""

    def prepare(self) -> None:
        """Refuse words that are not options, because users who write them expect an effect."""
        for word in self.fieldnames:
            self.write_error(f"Unexpected word: {word}; options have the form name=value, such as field=message")
        if self.fieldnames:
            sys.exit(1)
        super().prepare()

    def write_error(self, message: str, *args: object) -> None:
        """Say why the command ends. Braces in a user's words are not placeholders. The message about an unknown option lists the valid ones."""
        text = message.format(*args) if args else message
        if text.startswith("Unrecognized option"):
            text += f"; the options of {self.name} are {', '.join(sorted(name for name in self.options if name not in HIDDEN))}"
        super().write_error("{}", text)

    def _execute_chunk_v2(self, process: object, chunk: tuple[object, str]) -> None:  # noqa: ARG002 - the SDK's signature
        table = Table(chunk[1], self.field)
        self.chunk(table)
        self.seen += table.rows
        self.texts |= table.texts
        self.broken += table.broken
        self.first = self.first or table.first
        if self._finished:
            self.last_words()

    def chunk(self, table: Table) -> None:
        """Process the rows of a chunk. `self._finished` tells whether it is the last one."""
        raise NotImplementedError

    def unreadable(self, number: int, reason: Exception | str) -> None:
        """Count a row that could not be processed; an exception's own words may be a stranger's."""
        self.broken += 1
        self.first = self.first or f"row {number} of a chunk: {reason if isinstance(reason, str) else type(reason).__name__}"

    def last_words(self) -> None:
        """Report in the job's messages what could not be read, and that no event has the field that should contain the lines."""
        if self.broken:
            self.write_warning("{}", f"{self.name}: {self.broken} broken rows ({self.seen} rows read); the first: {self.first}")
            self.broken, self.first = 0, ""
        if self.seen and not self.texts:
            self.write_warning("{}", f"{self.name}: no event has the field {self.field}; use field=<field> to name the one that holds the log lines")

    def write_text(self, pieces: list[str], rows: int) -> None:
        """Give a chunk's answer to the SDK: the line of column names, then pieces of one or more rows. No piece ends with a line end."""
        self._record_writer._buffer = Answer("\n".join([*pieces, ""]))  # noqa: SLF001 - see above
        self._record_writer._pending_record_count += rows  # noqa: SLF001


class Answer:
    """Replaces the buffer of the SDK's record writer, which would copy the text twice more, with four bytes per character."""

    def __init__(self, text: str) -> None:
        """Keep the text of a chunk."""
        self._text = text

    def getvalue(self) -> str:
        """Return the text."""
        return self._text

    def seek(self, position: int) -> None:
        """Do nothing: the writer goes back to the start before it truncates."""

    def truncate(self) -> None:
        """Drop the text."""
        self._text = ""
