"""Builds all packages, the same bytes each time: `python python/package [--output DIR]`.

It writes dist/esatls-<version>.tar.gz and .spl, which are the same archive, dist/esatls-elastic-<version>.tar.gz,
dist/esatls-<version>.zip (for Fleet), dist/esatls-<version>.pyz and dist/esatls_<version>_all.deb.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import debian
import elastic_package
import fleet_package
import one_file
import splunk_package
from archives import ROOT, PackageError


def main() -> int:
    """Build all packages and print their paths. If one cannot be built, print one line to standard error and return 1."""
    parser = argparse.ArgumentParser(prog="python python/package", description=__doc__)
    parser.add_argument("--output", type=Path, default=ROOT / "dist", metavar="DIR", help="folder for the packages (default: dist)")
    arguments = parser.parse_args()
    try:
        for package in (splunk_package, elastic_package, fleet_package, one_file, debian):
            for path in package.build(arguments.output):
                print(path)
    except (PackageError, OSError) as error:
        print(f"package: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
