"""The manual pages, from the commands: `docs/man/esatls.1`, and one per command."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click
from esatls import __version__
from esatls.cli.commands import cli

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD = '.\\" Written by python/generate; do not edit.\n'


def files() -> dict[str, str]:
    """Return each page by its path."""
    return {f"docs/man/{'-'.join(path)}.1": _HEAD + _page(path, command) for path, command in _commands(("esatls",), cli)}


def _commands(path: tuple[str, ...], command: click.Command) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None:
                yield from _commands((*path, name), inner)


def _roff(text: str) -> str:
    """Return text escaped for roff, so that nothing in it is a request or an escape."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^(?=[.'])", "\\\\&", text, flags=re.MULTILINE)


def _paragraphs(command: click.Command) -> list[str]:
    return [" ".join(part.split()) for part in (command.help or "").split("\n\n")]


def _page(path: tuple[str, ...], command: click.Command) -> str:
    name, said = "-".join(path), _paragraphs(command)
    context = click.Context(command, info_name=" ".join(path), help_option_names=["-h", "--help"])
    lines = [f'.TH "{name.upper()}" "1" "" "esatls {__version__}" "esatls"', ".nh", ".ad l", ".SH NAME", f"{_roff(name)} \\- {_roff(said[0].rstrip('.'))}"]
    lines += [".SH SYNOPSIS", f".B {_roff(' '.join(path))}", _roff(" ".join(command.collect_usage_pieces(context)))]
    lines += [".SH DESCRIPTION", *(piece for paragraph in said for piece in (".PP", _roff(paragraph)))]
    records = [record for option in command.get_params(context) if isinstance(option, click.Option) for record in (option.get_help_record(context),) if record]
    lines.append(".SH OPTIONS")
    for words, meaning in records:
        choices = _roff(words).replace("|", "|\\:")  # a line may end there
        lines += [".TP", f"\\fB{choices}\\fP", _roff(" ".join(meaning.split()))]
    if isinstance(command, click.Group):
        lines.append(".SH COMMANDS")
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            if found is not None:
                lines += [".TP", f"\\fB{_roff('-'.join((*path, inner)))}\\fP(1)", _roff(_paragraphs(found)[0])]
    else:
        above = "-".join(path[:-1])
        lines += [".SH SEE ALSO", f"\\fB{_roff(above)}\\fP(1)"]
    return "\n".join(lines) + "\n"
