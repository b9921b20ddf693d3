"""Write every generated file, or check that none is stale: `python python/generate [--check]`."""

from __future__ import annotations

import importlib
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "python"), str(pathlib.Path(__file__).resolve().parent), str(ROOT / "python" / "package")]

# the patterns come first: the other engines' files are made from them
GENERATORS = ("patterns", "record_types", "splunk", "splunk_words", "elastic", "logstash", "kibana", "rules", "docs", "man", "sbom", "version", "core")


def main() -> int:
    """Generate or check. The exit code is 1 if a check finds a stale file, if a pattern is not valid, or if a package is missing."""
    try:
        return generate(check="--check" in sys.argv[1:])
    except ValueError as error:
        print(error, file=sys.stderr)
    except ModuleNotFoundError as error:
        print(f"{error.name} is not installed: pip install -e '.[test]'", file=sys.stderr)
    return 1


def generate(*, check: bool) -> int:
    """Write the stale files, or only list them."""
    stale = []
    for name in GENERATORS:
        module = importlib.import_module(name)
        for path, text in module.files().items():
            target = ROOT / path
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
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
