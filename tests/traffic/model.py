"""The simulation: appliances whose connections and messages run side by side, and what comes of it.

Shapes of lines are those of the catalogue (rows I1 to I12, D1 to D13, X1 to X11 and its section 4). Everything that
a reader could tell from the order of lines alone (an attempt before or after a message) is kept two seconds apart,
so that lines of one second may be shuffled and the truth stays.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .gateway import Stage
from .profile import PROFILES, Profile
from .receiving import Appliance
from .world import Line, World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .truth import Record

START = 1709632800  # 2024-03-05 10:00:00 UTC


@dataclass
class Traffic:
    """Lines and the truth about them."""

    lines: list[Line] = field(default_factory=list)
    truth_connections: list[Record] = field(default_factory=list)
    truth_messages: list[Record] = field(default_factory=list)


class Simulation(Stage):
    """Appliances and their traffic; lines and truth are handed out while it runs."""

    def __init__(
        self,
        seed: int = 1,
        messages: int = 100,
        hosts: int = 1,
        profile: str | Profile = "realistic",
        *,
        skip: int = 0,
        keep: int | None = None,
        resets: int = 0,
    ) -> None:
        super().__init__(World(START, skip, keep), PROFILES[profile] if isinstance(profile, str) else profile)
        self._received = messages
        self.life = 0  # how often the ids have started again
        self._resets = resets
        bases = (60140290, 24611490, 6565540)
        rng = random.Random(seed)
        self.appliances = [
            # ids of several appliances overlap, so that a join without the host goes wrong
            Appliance(self, f"esa{number}.example.com", random.Random(rng.random()), bases)
            for number in range(1, hosts + 1)
        ]

    def lines(self) -> Iterator[Line]:
        """Run it all; after each reset the ids start again, hours later."""
        lives = self._resets + 1
        for life in range(lives):
            self.life = life
            self.wanted = self._received // lives + (1 if life < self._received % lives else 0)
            for appliance in self.appliances:
                appliance.icid, appliance.mid, appliance.dcid = appliance.bases
                self.world.start(appliance.arrivals(), appliance.rng.random())
                self.world.start(appliance.background())
            yield from self.world.run()
            # ids come again after a time in which no message of the old life can have waited
            self.world.now += max(86400.0, 3 * self.profile.longest_wait)


def generate(
    seed: int = 1,
    messages: int = 100,
    hosts: int = 1,
    profile: str | Profile = "realistic",
    *,
    skip: int = 0,
    keep: int | None = None,
    resets: int = 0,
) -> Traffic:
    """Lines and truth of a whole run, in memory.

    `messages` counts those received; copies, parts and notices come on top. `profile` is a name of PROFILES or one
    of your own, e.g. `dataclasses.replace(PROFILES["rare"], spoof=0.0)`. `skip` cuts so many lines at the head,
    `keep` ends the log after so many more; the truth is what the rest shows. `resets` starts all ids again so often.
    """
    simulation = Simulation(seed, messages, hosts, profile, skip=skip, keep=keep, resets=resets)
    lines = list(simulation.lines())
    return Traffic(lines, simulation.connections, simulation.messages)
