"""What a shell completes: the command `esatls completion`, the answers to a shell that asks, and the paths, which it completes as for its own commands."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

VARIABLE = "_ESATLS_COMPLETE"
"""The environment variable in which a shell asks."""

# click's module for shells is imported only if a shell asks


def answer(group: click.Group) -> None:
    """Answer a shell that asks for completions, and exit; do nothing if none asks."""
    instruction = os.environ.get(VARIABLE)
    if instruction:
        from click.shell_completion import shell_complete

        sys.exit(shell_complete(group, {}, "esatls", VARIABLE, instruction))


@click.command()
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that makes a shell complete the commands and options of esatls.

    For bash: eval "$(esatls completion bash)" in ~/.bashrc; for zsh the same in ~/.zshrc; for fish: esatls completion fish >
    ~/.config/fish/completions/esatls.fish
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is not None:
        click.echo(kind(context.find_root().command, {}, "esatls", VARIABLE).source())


def files(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Let the shell complete the name of a file."""
    return _by_shell(begun, "file")


def folders(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Let the shell complete the name of a folder."""
    return _by_shell(begun, "dir")


def _by_shell(begun: str, kind: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(begun, type=kind)]
