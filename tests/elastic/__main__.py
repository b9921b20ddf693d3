"""Run as a directory: `python tests/elastic --port 9200` starts a search server for trying by hand."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

if __name__ == "__main__":
    # a directory is run without its package, and the project's own code need not be installed
    root = Path(__file__).resolve().parents[2]
    sys.path[:0] = [str(root / "python"), str(root)]
    sys.exit(importlib.import_module("tests.elastic.server").main())
