"""Run as a directory: `python tests/fuzz events --seconds 60`."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

if __name__ == "__main__":
    # Python runs a directory without its package
    root = Path(__file__).resolve().parents[2]
    sys.path[:0] = [str(root / "python"), str(root)]
    sys.exit(importlib.import_module("tests.fuzz.cli").main())
