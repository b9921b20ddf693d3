"""Makes the checkout's own code importable, whatever is installed, and sets the property tests up."""

from __future__ import annotations

import os
import pathlib
import signal
import sys

from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import engine

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "python"), str(ROOT)]

# Property tests try the same few examples each time, so that a run that passed passes again; ESATLS_PROPERTIES=nightly tries many new ones.
# No test is timed: a shared machine may be slow.
settings.register_profile("default", deadline=None, derandomize=True, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("nightly", settings.get_profile("default"), derandomize=False, max_examples=5000, print_blob=True)
settings.load_profile(os.environ.get("ESATLS_PROPERTIES", "default"))
engine.MAX_SHRINKING_SECONDS = 30  # not five minutes, for an example that is a little shorter

# a run in the background is started with SIGINT ignored, and what it starts would ignore it too
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
