"""Ten ways in which a log can be made and spoiled; each seed takes one, so that ten seeds take them all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING

from .envelopes import duplicated, shuffled
from .model import Simulation
from .profile import PROFILES, Profile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .truth import Connection, Message, Record
    from .world import Line


@dataclass(frozen=True)
class Mode:
    """What one seed's log is like."""

    name: str
    profile: Profile = PROFILES["realistic"]
    hosts: int = 1
    resets: int = 0  # how often all ids start again
    cut: bool = False  # the head is cut off
    shuffle: bool = False  # the lines of a second out of order
    duplicate: float = 0.0  # share of lines that come twice
    wrap: int = 0  # columns at which lines are wrapped
    files: int = 1  # files that the lines are dealt to
    offset: int = 0  # seconds that the log's time is ahead of UTC
    head: bool = False  # native files begin with the appliance's head lines
    case: bool = False  # the appliance's name is written in capitals here and there


RARE = PROFILES["rare"]

MODES: tuple[Mode, ...] = (
    Mode("plain", PROFILES["plain"]),
    Mode("three hosts", hosts=3, case=True),
    Mode("rare, shuffled", RARE, hosts=2, shuffle=True, case=True),
    Mode("resets", resets=2, head=True, offset=-21600),
    Mode("cut head", cut=True, files=3),
    Mode("rare, resets, shuffled, twice", RARE, hosts=2, resets=1, shuffle=True, duplicate=0.1),
    Mode("wrapped", replace(PROFILES["realistic"], spoof=0.0), hosts=2, wrap=80),
    Mode("rare, cut head", RARE, hosts=4, cut=True, offset=19800),
    Mode("twice, dealt to files", hosts=2, duplicate=0.3, files=4, shuffle=True),
    Mode(
        "everything",
        replace(RARE, spoof=0.0),
        hosts=3,
        resets=2,
        cut=True,
        shuffle=True,
        duplicate=0.1,
        wrap=100,
        offset=7200,
    ),
)


def mode_of(seed: int) -> Mode:
    """The mode that a seed takes: seeds 1 to 10 take each once."""
    return MODES[(seed - 1) % len(MODES)]


class Recorder(Simulation):
    """A simulation that keeps what it hands out: as a log with times shows it, and where it has none as one without."""

    def __init__(self, seed: int, messages: int, *, feed: str = "text", clock: bool = True) -> None:
        mode = mode_of(seed)
        profile, skip, resets = mode.profile, messages // 2 if mode.cut else 0, mode.resets
        if not clock or feed == "cef":
            # neither a log without times nor one without openings can tell two connections of one id apart
            profile = replace(profile, twins=0.0)
        if feed != "text":
            # beside each other, text and consolidated events tell the whole
            profile, skip = replace(profile, cef=0.9, text=feed != "cef"), 0
        super().__init__(seed, messages, mode.hosts, profile, skip=skip, resets=resets if feed != "cef" else 0)
        self._clock = clock
        self.found: list[tuple[int, Record, Record | None]] = []  # life of the ids, record, record of a log without times

    def hand_out(self, one: Connection | Message) -> None:
        """Keep the record, or both."""
        self.found.append((self.life, one.record(), None if self._clock else one.record(clock=False)))


def spoiled(recorder: Recorder, seed: int) -> Iterator[tuple[int, Line]]:
    """The lines of a seed as its mode spoils them, each with the life of the ids that it belongs to."""
    mode = mode_of(seed)
    lines = recorder.lines()
    first = next(lines, None)
    while first is not None:
        life = recorder.life
        following: list[Line] = []

        def of_life(first: Line = first, life: int = life, following: list[Line] = following) -> Iterator[Line]:
            yield first
            for line in lines:
                if recorder.life != life:
                    following.append(line)
                    return
                yield line

        part = of_life()
        if mode.shuffle:
            part = shuffled(part, seed)
        if mode.duplicate:
            part = duplicated(part, seed, mode.duplicate)
        for number, line in enumerate(part):
            yield life, (line._replace(host=line.host.upper()) if mode.case and number % 3 == 0 else line)
        first = next(chain(following), None)
