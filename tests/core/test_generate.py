"""The generators take what they need of the project from its public names."""

from __future__ import annotations

import ast
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name != "_fields"  # which Python documents


def test_no_generator_uses_a_private_name() -> None:
    """No generator imports a name of esatls that begins with an underscore, or reads one from a module of it."""
    found = []
    for path in sorted((ROOT / "python" / "generate").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("esatls"):
                found += [(path.name, name.name) for name in node.names if _is_private(name.name)]
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and _is_private(node.attr):
                found.append((path.name, node.attr))
    assert found == []
