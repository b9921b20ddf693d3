"""Run as a directory: `python tests/traffic --messages 1000 --log out.log --truth truth.jsonl`, or `python tests/traffic agree`."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

if __name__ == "__main__":
    # Python runs a directory without its package
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    if sys.argv[1:2] == ["agree"]:
        sys.exit(importlib.import_module("tests.traffic.agree").main(sys.argv[2:]))
    sys.exit(importlib.import_module("tests.traffic.cli").main())
