"""The command `esatls follow`."""

from __future__ import annotations

import gc
import os
import re
import sys
from typing import Any

import click

from esatls.cli.completion import files, folders
from esatls.cli.filters import MessageFilter, message_filters
from esatls.cli.tell import tell
from esatls.errors import UsageError
from esatls.follow import checkpoint as checkpoints
from esatls.follow.held import Limits
from esatls.follow.pipe import is_pipe
from esatls.follow.run import Follower, FollowOptions
from esatls.lines.clock import YEARS, zone
from esatls.output import BY_ENDING, ending, printable

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_LONGEST = 36_500 * _UNITS["d"]


class _Duration(click.ParamType):  # type: ignore[type-arg,unused-ignore] # generic only in newer versions
    """Seconds, or a number with s, m, h or d."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, (int, float)):
            return value
        found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,3})?)([smhd]?)", str(value), re.ASCII)
        if found is None:
            self.fail(f"{value!r} is not a time such as 10, 90s, 5m, 72h or 30d", param, ctx)
        seconds = float(found[1]) * _UNITS[found[2]]
        if seconds > _LONGEST:
            self.fail(f"{value!r} is more than a hundred years", param, ctx)
        return seconds


_DURATION = _Duration()


@click.command()
@click.argument("file", shell_complete=files)
@click.option("--output", "-o", metavar="FILE", shell_complete=files, help="Append records to FILE as JSON Lines. Default: standard output.")
@click.option(
    "--checkpoint", metavar="PATH", shell_complete=files, help="Where to save the reading position. Default: beside the output, else in ~/.local/state/esatls."
)
@click.option("--rotated-to", metavar="FOLDER", shell_complete=folders, help="Folder for rotated files (logrotate's olddir). Default: the folder of FILE.")
@click.option("--fresh", is_flag=True, help="Ignore the checkpoint and start over at the beginning of FILE. The output keeps its records.")
@click.option("--once", is_flag=True, help="Read to the end, write unfinished messages as they are, and exit.")
@click.option("--host", help="Name of the appliance, for lines that do not name it.")
@click.option("--timezone", metavar="ZONE", help="Time zone of the log, such as Europe/Berlin. Default: as given in the head of the file, else UTC.")
@click.option("--year", type=click.IntRange(*YEARS), help="Year of the first line, if timestamps have no year. Default: from the file's date.")
@message_filters
@click.option("--grace", type=_DURATION, default=10, show_default=True, help="How long to wait for late lines after a message has ended, in log time.")
@click.option(
    "--timeout", type=_DURATION, default="72h", show_default=True, help="Write an unfinished message as it is when the log has not mentioned it for this long."
)
@click.option("--quarantine", type=_DURATION, default="30d", show_default=True, help="The same, for a message in quarantine.")
@click.option(
    "--idle", type=_DURATION, default=5, show_default=True, help="Let log time follow the wall clock when the log has been quiet for this long; 0 to disable."
)
@click.option("--poll", type=_DURATION, default=0.5, show_default=True, help="Pause between reads while the log is quiet.")
@click.option("--save-every", type=_DURATION, default=5, show_default=True, help="Time between checkpoints while the log is busy.")
@click.option("--quiet", "-q", is_flag=True, help="Do not show counts on standard error.")
def follow(
    file: str, output: str | None, checkpoint: str | None, wanted: MessageFilter, grace: float, timeout: float, quarantine: float, poll: float, **options: Any
) -> None:
    """Read a log while it grows and write one record per message, when it is finished or has timed out.

    FILE is the log, or - for standard input. It can be rotated, compressed, truncated, or deleted and created again, and need not exist yet.
    Records are the same as those of `esatls messages`, as JSON Lines.

    A run that was killed resumes from its checkpoint. The --output file is cut back to the checkpoint, so no record is lost or written twice. On
    standard output, records since the last checkpoint are repeated. For standard input, a checkpoint is kept only with --checkpoint, and what was
    read after the last one is lost.
    """
    gc.enable()  # this command runs for months
    if grace < 1 or timeout < 1 or quarantine < 1 or poll <= 0:
        raise UsageError("--grace, --timeout and --quarantine must be at least one second, --poll more than 0")
    if output not in (None, "-") and _is_same(file, str(output)):
        raise UsageError(f"{output}: is the input file, so it cannot be the output")
    if checkpoint is not None and any(_is_same(one, checkpoint) for one in (file, output) if one not in (None, "-")):
        raise UsageError(f"{checkpoint}: is the {'input' if _is_same(file, checkpoint) else 'output'} file, so it cannot be the checkpoint")
    if ending(output) and BY_ENDING.get(ending(output)) != "json":
        raise UsageError(f"{output}: follow writes JSON Lines, so the file name cannot end in {ending(output)}")
    if os.path.isdir(file):
        raise UsageError(f"{file}: is a folder; give the path of the log in it")
    rotated_to = options["rotated_to"]
    if rotated_to is not None and os.path.exists(rotated_to) and not os.path.isdir(rotated_to):
        raise UsageError(f"{rotated_to}: is not a folder")
    zone_name, host = options["timezone"], options["host"]
    if host and "=" in host:
        raise UsageError(f"--host: not a name: {host!r}; follow does not look at serial numbers of files")
    settings = FollowOptions(
        file=file,
        output=output,
        checkpoint=checkpoint or (None if is_pipe(file) else checkpoints.default_path(file, output)),
        rotated_to=rotated_to,
        fresh=options["fresh"],
        once=options["once"],
        limits=Limits(int(grace), int(timeout), int(quarantine)),
        idle=options["idle"],
        poll=poll,
        save_every=options["save_every"],
        zone=None if zone_name is None else zone(zone_name),
        year=options["year"],
        host=host and printable(host),
    )
    follower = Follower(settings, wanted.passes, tell, (lambda _: None) if options["quiet"] else tell)
    if follower.resumed and not options["quiet"]:
        tell(f"resuming from checkpoint {settings.checkpoint}; use --fresh to start over")
    follower.run()
    if not options["quiet"]:
        held = follower.held
        waiting = len(follower.stream.state()["held_lines"])
        rest = f", {waiting} incomplete" if waiting else ""
        many = sum(one.ids for one in held.contradictions.found())
        mixed = f", {many:,} contradictory ids" if many else ""
        written = f"{follower.written:,} messages written, {held.unfinished():,} unfinished, {held.late:,} late lines"
        click.echo(f"{follower.stream.counts}{rest}; {written}{mixed}", err=True)
    if follower.stopped:
        import signal

        sys.exit(130 if follower.stopped == signal.SIGINT else 0)
    if follower.failed:
        sys.exit(1)


def _is_same(one: str, other: str) -> bool:
    """Tell whether two paths name the same file, whether it exists or not."""
    return os.path.realpath(one) == os.path.realpath(other) or (os.path.exists(one) and os.path.exists(other) and os.path.samefile(one, other))
