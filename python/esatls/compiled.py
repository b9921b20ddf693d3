"""The compiled core, if it is installed. `native` uses it."""

from __future__ import annotations

import functools
import importlib
import os
from typing import Any

from esatls import __version__


@functools.cache
def module() -> Any:
    """Return the compiled core; None if it is not installed, has another version, or is switched off (`ESATLS_PURE=1`)."""
    if os.environ.get("ESATLS_PURE", "0") not in ("", "0"):
        return None
    try:
        found = importlib.import_module("esatls_core")
    except ImportError:
        return None
    return found if found.__version__ == __version__ else None
