"""How often things happen: the settings of the simulation, and three profiles of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Profile:
    """How often things happen. `rare` scales everything unusual: 0 means never, 1 as on a real gateway."""

    eras: tuple[float, float, float] = (0.0, 0.15, 0.85)  # shares of lines of old versions (up to 5.x), middle ones (7 to 9) and new ones
    rare: float = 1.0
    spoof: float = 0.01  # share of strangers' texts that try to forge a line
    debug: float = 0.01  # share of connections with Debug and Trace lines
    receive_tls: float = 0.82
    deliver_tls: float = 0.88  # share of destinations that support TLS
    relay: float = 0.3  # share of outgoing mail
    rejects: float = 0.2  # refused connections per connection with mail
    more_messages: float = 0.06
    more_recipients: float = 0.22
    spam: float = 0.12
    copies: float = 0.03
    sdr: float = 0.02
    attachments: float = 0.22
    rate: float = 1.7  # messages per second and appliance
    longest_wait: float = 4 * 3600.0  # in a quarantine, or before a retry
    idle: int = 1  # seconds that a delivery connection waits for more messages
    partners: int = 400
    text: bool = True  # with lines of the mail log; if not, only consolidated events
    cef: float = 0.0  # share of consolidated events that are logged
    refused_rids: float = 0.5  # share of refused recipients that have a RID
    twins: float = 0.003  # chance that another peer's connection reuses an id seconds later, scaled by `rare`
    late: float = 0.02  # share of clear-text connections that start TLS after a message, scaled by `rare`


PROFILES: dict[str, Profile] = {
    # a realistic mix, for agreement at scale
    "realistic": Profile(),
    # for benchmarks: nothing odd, and the proportions of a real gateway's log
    "plain": Profile(rare=0.1, spoof=0.0, debug=0.0, eras=(0.0, 0.0, 1.0), longest_wait=3600.0),
    # every shape of line within a few hundred messages
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
