"""Run as a directory: `python tests/traffic --messages 1000 --log out.log --truth truth.jsonl`."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

if __name__ == "__main__":
    # a directory is run without its package
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    sys.exit(importlib.import_module(f"{Path(__file__).resolve().parent.name}.cli").main())
