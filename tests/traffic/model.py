"""The simulation: appliances with concurrent connections and messages, and the lines and truth that they produce.

Lines have the shapes of the catalogue (rows I1 to I12, D1 to D13, X1 to X11 and its section 4). Lines whose order
decides something (an attempt before or after a message) are two seconds apart, so that the lines of one second may
be shuffled without changing the truth.
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
    """Appliances and their traffic; it hands out lines and truth while it runs."""

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
        self.life = 0  # number of times that the ids have started again
        self._resets = resets
        bases = (60140290, 24611490, 6565540)
        rng = random.Random(seed)
        self.appliances = [
            # ids of several appliances overlap, so that a join that ignores the host goes wrong
            Appliance(self, f"esa{number}.example.com", random.Random(rng.random()), bases)
            for number in range(1, hosts + 1)
        ]

    def lines(self) -> Iterator[Line]:
        """Run the simulation, and yield its lines; after each reset, hours later, the ids start again."""
        lives = self._resets + 1
        for life in range(lives):
            self.life = life
            self.wanted = self._received // lives + (1 if life < self._received % lives else 0)
            for appliance in self.appliances:
                appliance.icid, appliance.mid, appliance.dcid = appliance.bases
                self.world.start(appliance.arrivals(), appliance.rng.random())
                self.world.start(appliance.background())
            yield from self.world.run()
            # ids return only after a time longer than any message of the old life can have waited
            self.world.now += max(86400.0, 3 * self.profile.longest_wait)


def generate(
    seed: int = 1, messages: int = 100, hosts: int = 1, profile: str | Profile = "realistic", *, skip: int = 0, keep: int | None = None, resets: int = 0
) -> Traffic:
    """Return the lines and truth of a whole run, in memory.

    `messages` is the number of messages received; copies, parts and notices are extra. `profile` is a name in PROFILES
    or a profile, for example `dataclasses.replace(PROFILES["rare"], spoof=0.0)`. `skip` is the number of lines cut off
    at the head, `keep` the number of lines after which the log ends; the truth is what the rest shows. `resets` is the
    number of times that all ids start again.
    """
    simulation = Simulation(seed, messages, hosts, profile, skip=skip, keep=keep, resets=resets)
    lines = list(simulation.lines())
    return Traffic(lines, simulation.connections, simulation.messages)
