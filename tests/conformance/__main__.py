"""Run as a directory: `python tests/conformance`."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

if __name__ == "__main__":
    # Python runs a directory without its package, and the project need not be installed
    root = Path(__file__).resolve().parents[2]
    sys.path[:0] = [str(root / "python"), str(root)]
    sys.exit(importlib.import_module("tests.conformance.cli").main())
