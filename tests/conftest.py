"""Makes the checkout's own code importable, whatever is installed."""

from __future__ import annotations

import pathlib
import sys

from hypothesis import HealthCheck, settings

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "python"))

# a shared machine may be slow, and no test is timed
settings.register_profile("esatls", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("esatls")
