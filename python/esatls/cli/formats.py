"""The options for the output file and format of records."""

from __future__ import annotations

import sys
from typing import Callable

import click

from esatls.cli.completion import files
from esatls.errors import UsageError
from esatls.output import BY_ENDING, ending


def writing(formats: tuple[str, ...]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that adds the options for output file and format to a click command."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        command = click.option("--output", "-o", metavar="FILE", shell_complete=files, help="Write to FILE, which appears only once it is complete.")(command)
        default = "chosen by the name of FILE (.json, .csv, .parquet, .txt), else table on a terminal and json elsewhere"
        return click.option("--format", "-f", "form", type=click.Choice(formats), help=f"Default: {default}.")(command)

    return decorate


def format_of(chosen: str | None, output: str | None) -> str:
    """Return the output format: the chosen one, else the one that the file name or the terminal implies."""
    shown = output in (None, "-") and sys.stdout.isatty()
    if chosen == "parquet" and shown:
        raise UsageError("Parquet cannot be written to a terminal: use --output FILE")
    if chosen is not None:
        return chosen
    if ending(output):
        form = BY_ENDING.get(ending(output))
        if form is None:
            raise UsageError(f"{output}: unknown format: use --format, or a file name that ends in .json, .csv, .parquet or .txt")
        return form
    return "table" if shown else "json"
