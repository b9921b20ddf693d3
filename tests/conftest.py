"""Makes the checkout's own code importable, whatever is installed, and sets the property tests up."""

from __future__ import annotations

import os
import pathlib
import signal
import sys

from hypothesis import settings

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "python"), str(ROOT)]

# no test is timed; a merge is checked on the same examples each time, a developer looks for new ones
settings.register_profile("esatls", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("esatls")

# a run in the background is started with SIGINT ignored, and what it starts would ignore it too
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
