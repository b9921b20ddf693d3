"""Traffic of a Cisco ESA, made by a small simulation, together with the truth about it.

The simulation knows what happened on each connection and to each message, and notes, line by line, what the log
shows of it. The records made from these notes are the truth, with which verdicts computed from the text are
compared. Nothing here imports the project's run-time package, so the two can agree only if both are right.
"""

from __future__ import annotations

from .envelopes import ENVELOPES, duplicated, file_head, render, shuffled, wrapped
from .forms import Envelope
from .model import Simulation, Traffic, generate
from .profile import PROFILES, Profile
from .truth import attempts, says_nothing
from .world import Line

__all__ = [
    "ENVELOPES",
    "PROFILES",
    "Envelope",
    "Line",
    "Profile",
    "Simulation",
    "Traffic",
    "attempts",
    "duplicated",
    "file_head",
    "generate",
    "render",
    "says_nothing",
    "shuffled",
    "wrapped",
]
