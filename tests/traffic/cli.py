"""The command line: writes a log and the truth about it while the simulation runs."""

from __future__ import annotations

import argparse
import json
import random
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from .envelopes import ENVELOPES, duplicated, file_head, shuffled, wrapped
from .model import START, Simulation
from .profile import PROFILES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .world import Line


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="traffic", description=__doc__)
    parser.add_argument("--messages", type=int, default=1000, help="messages received; copies and notices on top")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hosts", type=int, default=1, help="appliances, with the same ids")
    parser.add_argument("--profile", choices=sorted(PROFILES), default="realistic")
    parser.add_argument("--plain", action="store_const", const="plain", dest="profile", help="same as --profile plain")
    parser.add_argument("--envelope", choices=list(ENVELOPES), default="native")
    parser.add_argument("--offset", type=int, default=0, help="seconds that the log's time is ahead of UTC")
    parser.add_argument("--head", action="store_true", help="begin each native file with the appliance's head lines")
    parser.add_argument("--resets", type=int, default=0, help="how often all ids start again")
    parser.add_argument("--skip", type=int, default=0, help="lines cut off at the head")
    parser.add_argument("--keep", type=int, help="lines after which the log ends")
    parser.add_argument("--shuffle", action="store_true", help="the lines of a second out of order")
    parser.add_argument("--duplicate", type=float, default=0.0, help="share of lines that come twice")
    parser.add_argument("--wrap", type=int, default=0, help="wrap lines at so many columns")
    parser.add_argument("--files", type=int, default=1, help="deal the lines to so many files")
    parser.add_argument("--rotate", type=int, default=0, help="begin a new file after so many lines")
    parser.add_argument("--log", type=Path, required=True, help="file to write; several get -2, -3 before the suffix")
    parser.add_argument("--truth", type=Path, help="file for the records of connections and messages, JSON lines")
    return parser.parse_args(argv)


class _Output:
    """The output of one appliance, or of all: one file, several to which lines are dealt at random, or one after another."""

    def __init__(self, stack: ExitStack, path: Path, arguments: argparse.Namespace) -> None:
        self._stack = stack
        self._path = path
        self._deal = random.Random(arguments.seed)
        self._rotate: int = arguments.rotate
        self._head = file_head(START, arguments.offset) if arguments.head else []
        self._opened = 0
        self._written = 0
        self._files = [self._open() for _ in range(arguments.files)]
        self.write = self._files[0].write if len(self._files) == 1 and not self._rotate else self._write

    def _open(self) -> TextIO:
        self._opened += 1
        path = self._path
        if self._opened > 1:
            path = path.with_name(f"{path.stem}-{self._opened}{path.suffix}")
        output = self._stack.enter_context(path.open("w", encoding="utf-8", newline="\n"))
        output.writelines(f"{text}\n" for text in self._head)
        return output

    def _write(self, text: str) -> int:
        if self._rotate and self._written == self._rotate:
            self._written = 0
            for output in self._files:
                output.close()
            self._files = [self._open() for _ in self._files]
        self._written += 1
        return self._files[self._deal.randrange(len(self._files))].write(text)


def main(argv: Sequence[str] | None = None) -> int:
    """Write what the arguments ask for, and return the exit code."""
    arguments = _arguments(argv)
    simulation = Simulation(
        arguments.seed, arguments.messages, arguments.hosts, arguments.profile, skip=arguments.skip, keep=arguments.keep, resets=arguments.resets
    )
    lines: Iterator[Line] = simulation.lines()
    if arguments.shuffle:
        lines = shuffled(lines, arguments.seed)
    if arguments.duplicate:
        lines = duplicated(lines, arguments.seed, arguments.duplicate)
    with ExitStack() as stack:
        _write(stack, simulation, lines, arguments)
    return 0


def _write(stack: ExitStack, simulation: Simulation, lines: Iterable[Line], arguments: argparse.Namespace) -> None:
    envelope = ENVELOPES[arguments.envelope]
    # A log that does not name its appliance can have only one: each appliance gets separate files.
    apart = arguments.hosts > 1 and not envelope.host
    path: Path = arguments.log
    outputs: dict[str, _Output] = {}
    if apart:
        for appliance in simulation.appliances:
            own = path.with_name(f"{path.stem}-{appliance.host}{path.suffix}")
            outputs[appliance.host] = _Output(stack, own, arguments)
    else:
        together = _Output(stack, path, arguments)
        outputs = {appliance.host: together for appliance in simulation.appliances}
    truth = stack.enter_context(arguments.truth.open("w", encoding="utf-8")) if arguments.truth else None
    render, offset = envelope.render, arguments.offset
    for line in lines:
        write = outputs[line.host].write
        text = render(line, offset)
        if arguments.wrap:
            for part in wrapped((text,), arguments.wrap):
                write(part + "\n")
        else:
            write(text + "\n")
        if len(simulation.messages) > 1000:
            _tell(simulation, truth)
    _tell(simulation, truth)


def _tell(simulation: Simulation, truth: TextIO | None) -> None:
    """Write the truth known so far, and forget it."""
    if truth is not None:
        truth.writelines(json.dumps(record) + "\n" for record in chain(simulation.connections, simulation.messages))
    simulation.connections.clear()
    simulation.messages.clear()
