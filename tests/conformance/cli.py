"""Runs every case and every scenario through every engine that is installed, and prints the number of differences.

    python tests/conformance                               # the whole table; takes minutes
    python tests/conformance --engine re --engine pygrok   # some columns
    python tests/conformance --page                        # also writes docs/CONFORMANCE.md

The exit code is 1 if anything differs, or if an engine that the page has is not here: then the page stays as it is.
"""

from __future__ import annotations

import argparse
import re
import sys
from typing import TYPE_CHECKING

from . import table
from .corpus import ROOT, rows
from .engines import ENGINES

if TYPE_CHECKING:
    from collections.abc import Sequence

PAGE = ROOT / "docs" / "CONFORMANCE.md"


def main(argv: Sequence[str] | None = None) -> int:
    """Run what the arguments ask for, and return the exit code."""
    parser = argparse.ArgumentParser(prog="conformance", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [engine.name for engine in ENGINES]
    parser.add_argument("--engine", action="append", choices=names, help="only this engine; may be repeated")
    parser.add_argument("--page", action="store_true", help=f"write {PAGE.relative_to(ROOT)}, too")
    arguments = parser.parse_args(argv)
    if arguments.page and arguments.engine:
        parser.error("a page has every engine")
    wanted = [engine for engine in ENGINES if not arguments.engine or engine.name in arguments.engine]
    corpus = rows()
    columns = table.run(wanted, corpus)
    sys.stdout.write(table.as_text(columns, corpus))
    lost = []
    if arguments.page:
        shown = re.findall(r"^\* ([a-z0-9.-]+): .* answers compared$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
        lost = [name for name, column in columns.items() if isinstance(column, str) and name in shown]
        if lost:
            sys.stderr.write(f"{PAGE.relative_to(ROOT)} stays as it is: it has engines that are not here (see above): {', '.join(lost)}\n")
        else:
            PAGE.write_text(table.as_page(columns, corpus), encoding="utf-8", newline="\n")
    return int(bool(lost) or table.differences(columns) > 0)
