"""The command line: its commands, `esatls explain`, start-up and exit codes."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import signal
import sys

import click

from esatls import __version__
from esatls.cli import config as config_file
from esatls.cli.completion import answer, files
from esatls.cli.groups import Group
from esatls.cli.std_streams import stand_in
from esatls.cli.tell import tell
from esatls.errors import ANTICIPATED, UsageError, in_words
from esatls.output.text import printable

_LATER = ("check", "completion", "config", "connections", "elastic", "events", "follow", "messages", "report", "trace")
"""Commands that are loaded only when they are used, each from the module of its name, so that start-up is fast."""


class _Group(Group):
    """The commands, including those of `_LATER`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *_LATER])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _LATER:
            return super().get_command(ctx, cmd_name)
        command: click.Command = getattr(importlib.import_module(f"esatls.cli.{cmd_name}"), cmd_name)
        return command


def _tell_version(ctx: click.Context, _: click.Parameter, value: bool) -> None:  # noqa: FBT001 - as click calls it
    if value:
        from esatls import compiled

        click.echo(f"esatls, version {__version__} ({'pure Python' if compiled.module() is None else 'compiled core'})")
        ctx.exit()


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_tell_version, help="Show the version and exit.")
@click.option(
    "--config", metavar="FILE", shell_complete=files, help="Configuration file. Default: the variable ESATLS_CONFIG, else ~/.config/esatls/config.toml."
)
@click.pass_context
def cli(context: click.Context, config: str | None) -> None:
    """Show what the logs of a Cisco ESA (Secure Email Gateway) say about TLS.

    FILES can be plain or compressed logs (gzip, bzip2, xz, zstd), folders, globs, or - for standard input. Lines can have any header: the
    appliance's own, syslog, a collector's or none; JSON is read too.
    """
    path, settings = config_file.read(config)
    context.obj = path, settings
    if settings:
        context.default_map = config_file.defaults(cli, context, settings)


@cli.command()
@click.argument("line", nargs=-1, required=True)
@click.option("--timezone", metavar="ZONE", default="UTC", show_default=True, help="Time zone of the timestamp, such as Europe/Berlin.")
def explain(line: tuple[str, ...], timezone: str) -> None:
    """Show which pattern a LINE matches and which fields it gives, or why it is not an event (exit code 1).

    LINE can also be a message-tracking entry, with its time in front or as JSON. Such entries have fields, but no pattern. With - as LINE, each line of
    standard input is explained, so that no quotes are needed: sed -n 12p mail.log | esatls explain -
    """
    from esatls.cli.explain import explain as explained
    from esatls.lines.clock import Clock, zone

    clock, is_event = Clock(zone(timezone)), True
    lines = (one.decode("utf-8", "replace") for one in sys.stdin.buffer if one.strip()) if line == ("-",) else [" ".join(line)]
    for number, text in enumerate(lines):
        if number:
            click.echo()
        told = explained(text, clock)
        for name, value in told.items():
            if isinstance(value, dict):
                click.echo(f"{name}:")
                for inner, item in value.items():
                    click.echo(f"  {inner}: {printable(str(item))}")
            else:
                click.echo(f"{name}: {printable(str(value))}")
        is_event = is_event and told["event"] != "none"
    if not is_event:
        sys.exit(1)


def main() -> None:
    """Run the command line. Errors that a user can cause are reported in one line, without a traceback."""
    stand_in()
    answer(cli)
    gc.disable()  # the process runs one command: its objects are needed until the end
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _stop)  # so that no partial output is left behind
    try:
        # not cli.main(): it has its own exit code for a closed pipe
        with cli.make_context("esatls", sys.argv[1:]) as context:
            cli.invoke(context)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        _leave(130)
    except BrokenPipeError:
        _leave(141)
    except ANTICIPATED as error:
        tell(in_words(error))
        sys.exit(2 if isinstance(error, UsageError) else 1)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _leave(141)


def run() -> None:
    """Run the command line as a process that ends at once, because freeing what was read piece by piece takes a while."""
    try:
        main()
    except SystemExit as error:
        if not isinstance(error.code, (int, type(None))) or sys.getprofile() is not None or sys.gettrace() is not None:
            raise
        code = error.code or 0
    else:
        code = 0
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # broken (the command has told it), closed
            stream.flush()
    os._exit(code)


def _stop(number: int, _: object) -> None:
    sys.exit(128 + number)


def _leave(code: int) -> None:
    """End at once, without writing any more to a closed pipe."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 1)
    os._exit(code)


if __name__ == "__main__":
    run()
