"""The generators take what they need of the project from its public names."""

from __future__ import annotations

import ast
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_no_generator_uses_a_private_name() -> None:
    """No generator imports a name of esatls that begins with an underscore, or reads one from a module of it."""
    found = []
    for path in sorted((ROOT / "python" / "generate").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("esatls"):
                found += [(path.name, name.name) for name in node.names if name.name.startswith("_")]
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.attr.startswith("_") and not node.attr.startswith("__"):
                found.append((path.name, node.attr))
    assert found == []
