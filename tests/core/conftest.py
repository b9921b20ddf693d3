"""How the property tests of the core run."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# a shared machine may be slow, and no test is timed
settings.register_profile("esatls", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("esatls")
