"""Messages on standard error."""

from __future__ import annotations

import click

from esatls.output.text import printable


def tell(text: str) -> None:
    """Show a message on standard error, without control characters."""
    click.echo(f"esatls: {printable(text)}", err=True)
