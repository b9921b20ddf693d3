"""Builds the Splunk app: `python python/package [--output DIR]` writes dist/esatls-<version>.tar.gz and .spl, the same bytes each time."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from splunk_package import ROOT, PackageError, build


def main() -> int:
    """Build and print what was written; exit code 1 and one line on standard error when it cannot be built."""
    parser = argparse.ArgumentParser(prog="python python/package", description=__doc__)
    parser.add_argument("--output", type=Path, default=ROOT / "dist", metavar="DIR", help="folder for the packages (default: dist)")
    arguments = parser.parse_args()
    try:
        for path in build(arguments.output):
            print(path)
    except (PackageError, OSError) as error:
        print(f"package: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
