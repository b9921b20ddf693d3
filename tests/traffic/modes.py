"""Ten ways to generate and spoil a log; each seed uses one of them, so that ten seeds use all."""

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
    """How one seed's log is generated and spoiled."""

    name: str
    profile: Profile = PROFILES["realistic"]
    hosts: int = 1
    resets: int = 0  # number of times that all ids start again
    cut: bool = False  # the head of the log is cut off
    shuffle: bool = False  # the lines of a second come in random order
    duplicate: float = 0.0  # share of lines that come twice
    wrap: int = 0  # columns at which lines are wrapped
    files: int = 1  # number of files to which the lines are dealt
    offset: int = 0  # seconds by which the log's time is ahead of UTC
    head: bool = False  # native files begin with the appliance's head lines
    case: bool = False  # some lines have the appliance's name in capitals


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
    Mode("everything", replace(RARE, spoof=0.0), hosts=3, resets=2, cut=True, shuffle=True, duplicate=0.1, wrap=100, offset=7200),
)


def mode_of(seed: int) -> Mode:
    """Return the mode of a seed: seeds 1 to 10 use each mode once."""
    return MODES[(seed - 1) % len(MODES)]


class Recorder(Simulation):
    """A simulation that keeps the records it hands out: as a log with times shows them, and as one without times if it has none."""

    def __init__(self, seed: int, messages: int, *, feed: str = "text", clock: bool = True) -> None:
        mode = mode_of(seed)
        profile, skip, resets = mode.profile, messages // 2 if mode.cut else 0, mode.resets
        if not clock or feed == "cef":
            # without times or without opening lines, a log cannot tell two connections of one id apart
            profile = replace(profile, twins=0.0)
        if feed != "text":
            # together, text and consolidated events show everything
            profile, skip = replace(profile, cef=0.9, text=feed != "cef"), 0
        super().__init__(seed, messages, mode.hosts, profile, skip=skip, resets=resets if feed != "cef" else 0)
        self._clock = clock
        self.found: list[tuple[int, Record, Record | None]] = []  # life of the ids, record, record of a log without times

    def hand_out(self, one: Connection | Message) -> None:
        """Keep the record, or both records."""
        self.found.append((self.life, one.record(), None if self._clock else one.record(clock=False)))


def spoiled(recorder: Recorder, seed: int) -> Iterator[tuple[int, Line]]:
    """Yield the lines of a seed as its mode spoils them, each with the life of the ids to which it belongs."""
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
