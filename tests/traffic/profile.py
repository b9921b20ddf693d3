"""How often things happen: the knobs of the simulation and three settings of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Profile:
    """How often things happen. `rare` scales everything unusual: 0 is never, 1 is as on a real gateway."""

    eras: tuple[float, float, float] = (0.0, 0.15, 0.85)  # share of old (to 5.x), middle (7 to 9), new lines
    rare: float = 1.0
    spoof: float = 0.01  # share of texts chosen by strangers that try to forge a line
    debug: float = 0.01  # share of connections with Debug and Trace lines
    receive_tls: float = 0.82
    deliver_tls: float = 0.88  # share of destinations that speak TLS
    relay: float = 0.3  # share of mail that goes out
    rejects: float = 0.2  # refused connections per connection with mail
    more_messages: float = 0.06
    more_recipients: float = 0.22
    spam: float = 0.12
    copies: float = 0.03
    sdr: float = 0.02
    attachments: float = 0.22
    rate: float = 1.7  # messages per second and appliance
    longest_wait: float = 4 * 3600.0  # in a quarantine, or before a retry
    idle: int = 1  # seconds that a delivering connection waits for more
    partners: int = 400
    text: bool = True  # lines of the mail log; else consolidated events alone
    cef: float = 0.0  # share of statements that a consolidated event makes
    refused_rids: float = 0.5  # share of refused recipients with an id
    twins: float = 0.003  # ids that another peer's connection takes seconds later, scaled
    late: float = 0.02  # connections with mail in the clear that speak TLS after a message, scaled


PROFILES: dict[str, Profile] = {
    # a realistic mix, for agreement at scale
    "realistic": Profile(),
    # what a benchmark reads: nothing odd, and the proportions of a real gateway's log
    "plain": Profile(rare=0.1, spoof=0.0, debug=0.0, eras=(0.0, 0.0, 1.0), longest_wait=3600.0),
    # every shape within a few hundred messages
    "rare": Profile(
        eras=(0.3, 0.3, 0.4),
        rare=12.0,
        spoof=0.25,
        debug=0.25,
        more_messages=0.3,
        more_recipients=0.5,
        copies=0.12,
        relay=0.5,
        sdr=0.5,
        longest_wait=2 * 86400.0,
        partners=30,
    ),
}
