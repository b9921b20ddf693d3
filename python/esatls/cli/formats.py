"""The options for the output file, its format and its columns."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Callable

import click

from esatls.cli.completion import files
from esatls.errors import UsageError
from esatls.output import BY_ENDING, ending
from esatls.verdicts.flat import columns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from esatls.extraction.fields import Field

_OF_RECORDS = "chosen by the name of FILE (.json, .csv, .parquet, .txt), else table on a terminal and json elsewhere"

with_columns = click.option("--columns", metavar="NAMES", help="Only these fields, with commas between them and in this order, for table and CSV.")


def writing(formats: tuple[str, ...], default: str = _OF_RECORDS) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that adds the options for output file and format to a click command."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        command = click.option("--output", "-o", metavar="FILE", shell_complete=files, help="Write to FILE, which appears only once it is complete.")(command)
        return click.option("--format", "-f", "form", type=click.Choice(formats), help=f"Default: {default}.")(command)

    return decorate


def columns_of(names: str | None, fields: tuple[Field, ...], form: str) -> list[str]:
    """Return the columns for table and CSV: the chosen ones, else none. Raises `UsageError` for one that these fields do not have."""
    if names is None:
        return []
    if form not in ("table", "csv"):
        raise UsageError(f"--columns: {form} always has all fields; use --format table or csv")
    chosen, known = [name.strip() for name in names.split(",")], columns(fields)
    for name in chosen:
        if name not in known:
            raise UsageError(f"--columns: no such field: {name!r}; possible are {', '.join(known)}")
    return chosen


def format_of(chosen: str | None, output: str | None, names: str | None = None) -> str:
    """Return the format of records: the chosen one, else the one that the file name, the terminal or chosen columns (`names`) imply."""
    shown = output in (None, "-") and sys.stdout.isatty()
    if chosen == "parquet" and shown:
        raise UsageError("Parquet cannot be written to a terminal: use --output FILE")
    return by_name(chosen, output, {"": "table" if shown else "json" if names is None else "csv", **BY_ENDING})


def by_name(chosen: str | None, output: str | None, by_ending: Mapping[str, str]) -> str:
    """Return the chosen format, else that of the output file's name."""
    form = chosen or by_ending.get(ending(output))
    if form is None:
        first: dict[str, str] = {}
        for end, kind in by_ending.items():
            if end:
                first.setdefault(kind, end)
        *others, last = first.values()
        raise UsageError(f"{output}: unknown format: use --format, or a file name that ends in {', '.join(others)} or {last}")
    return form
