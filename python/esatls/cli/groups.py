"""Groups of commands."""

from __future__ import annotations

import click


class Group(click.Group):
    """A group whose help describes each command in a whole sentence."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the first paragraph of each command's help, which click would cut short."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, " ".join((command.help or "").partition("\n\n")[0].split())) for name, command in commands if command is not None])
