"""Where a command writes its records, and in which format."""

from __future__ import annotations

import sys
from typing import Callable

import click

from esatls.errors import UsageError
from esatls.output import BY_ENDING, ending


def writing(formats: tuple[str, ...]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return what gives a command of click the options that say where records go, and in which format."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        command = click.option("--output", "-o", metavar="FILE", help="Write to FILE, which appears only when it is whole.")(command)
        default = "by the name of FILE (.csv, .parquet), else table on a terminal and json elsewhere"
        return click.option("--format", "-f", "form", type=click.Choice(formats), help=f"Default: {default}.")(command)

    return decorate


def format_of(chosen: str | None, output: str | None) -> str:
    """Return the format of the output: the chosen one, else what the name of the file or a terminal asks for."""
    shown = output in (None, "-") and sys.stdout.isatty()
    if chosen == "parquet" and shown:
        raise UsageError("Parquet cannot be written to a terminal: use --output FILE")
    return chosen or BY_ENDING.get(ending(output)) or ("table" if shown else "json")
