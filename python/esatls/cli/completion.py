"""The command `esatls completion`, and the answers to a shell that completes a command line."""

from __future__ import annotations

import os
import sys

import click
from click.shell_completion import get_completion_class, shell_complete

VARIABLE = "_ESATLS_COMPLETE"
"""The environment variable in which a shell asks."""


def answer(group: click.Group) -> None:
    """Answer a shell that asks for completions, and exit; do nothing if none asks."""
    instruction = os.environ.get(VARIABLE)
    if instruction:
        sys.exit(shell_complete(group, {}, "esatls", VARIABLE, instruction))


@click.command()
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that makes a shell complete the commands and options of esatls.

    For bash: eval "$(esatls completion bash)" in ~/.bashrc; for zsh the same in ~/.zshrc; for fish: esatls completion fish >
    ~/.config/fish/completions/esatls.fish
    """
    kind = get_completion_class(shell)
    if kind is not None:
        click.echo(kind(context.find_root().command, {}, "esatls", VARIABLE).source())
