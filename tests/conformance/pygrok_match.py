"""Matches texts with every pattern of grok_patterns/, as pygrok compiles them: JSON in, JSON out.

Input: a list of texts. Output: for each text, a list of [pattern, captures] for the patterns that match. With `--plain`, pygrok finds no
module `regex` and uses Python's `re`.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

PATTERNS = Path(__file__).resolve().parents[2] / "grok_patterns"
EXIT_WITHOUT = 3


def main() -> int:
    """Read the texts, and write the matches; exit code 3 means that the module `regex` is not installed."""
    if "--plain" in sys.argv[1:]:
        sys.modules["regex"] = None  # type: ignore[assignment] # makes its import fail
    elif importlib.util.find_spec("regex") is None:
        return EXIT_WITHOUT
    from pygrok import Grok

    definitions = [line.split(" ", 1)[0] for path in sorted(PATTERNS.iterdir()) for line in path.read_text(encoding="ascii").splitlines()]
    wanted = [name for name in definitions if name.startswith("ESA_") and not name.startswith("ESA_H_") and name != "ESA_ENVELOPE"]
    groks = {name: Grok(f"\\A%{{{name}}}\\Z", custom_patterns_dir=str(PATTERNS)) for name in wanted}
    answers = []
    for text in json.load(sys.stdin):
        found = ((name, grok.match(text)) for name, grok in groks.items())
        answers.append([[name, captures] for name, captures in found if captures is not None])
    json.dump(answers, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
