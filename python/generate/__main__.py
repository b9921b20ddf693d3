"""Write every generated file, or check that none is stale or left over: `python python/generate [--check]`."""

from __future__ import annotations

import importlib
import os
import pathlib
import re
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "python"), str(pathlib.Path(__file__).resolve().parent), str(ROOT / "python" / "package")]

# the patterns come first: the other engines' files are made from them
GENERATORS = ("patterns", "record_types", "splunk", "splunk_words", "elastic", "logstash", "kibana", "rules", "docs", "man", "sbom", "version", "core")

FOLDERS = ("docs", "logstash", "python", "splunk_app")
"""Folders that have generated files, and may have some that no generator makes any more."""
_SKIPPED = {"__pycache__", "build", "generate", "node_modules", "target"}
"""Folders that are not searched for these; the generators have the mark in their text."""
_MARK = re.compile(rb"python/generate\b.*do not edit")
_TOP = 500
"""Bytes of a file within which it says that it is generated."""


def main() -> int:
    """Generate or check. The exit code is 1 if a check finds a stale file, if one is left over, if a pattern is not valid, or if a package is missing."""
    try:
        return generate(check="--check" in sys.argv[1:])
    except ValueError as error:
        print(error, file=sys.stderr)
    except ModuleNotFoundError as error:
        print(f"{error.name} is not installed: pip install -e '.[test]'", file=sys.stderr)
    return 1


def generate(*, check: bool) -> int:
    """Write the stale files, or only list them; list those that no generator makes any more."""
    stale, made = [], set()
    for name in GENERATORS:
        module = importlib.import_module(name)
        for path, text in module.files().items():
            target = ROOT / path
            made.add(target)
            if target.exists() and target.read_text(encoding="utf-8") == text:
                continue
            stale.append(str(path))
            if not check:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(text, encoding="utf-8", newline="\n")
    for path in stale:
        print(("stale: " if check else "written: ") + path)
    if check and stale:
        print("run: python python/generate")
    left = [*left_over(made)]
    for target in left:
        print(f"no generator makes it any more, delete it: {target.relative_to(ROOT).as_posix()}")
    return 1 if left or (check and stale) else 0


def left_over(made: Collection[pathlib.Path], root: pathlib.Path = ROOT) -> Iterator[pathlib.Path]:
    """Yield the files that say at their top that they are generated, but are not among those that generators have `made`."""
    for folder in FOLDERS:
        for place, inner, names in os.walk(root / folder):
            inner[:] = sorted(name for name in inner if name not in _SKIPPED and not name.startswith("."))
            for target in (pathlib.Path(place, name) for name in sorted(names)):
                if target not in made:
                    with target.open("rb") as file:
                        if _MARK.search(file.read(_TOP)):
                            yield target


if __name__ == "__main__":
    sys.exit(main())
