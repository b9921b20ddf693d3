"""Plain values as readable YAML: blocks, and long texts line by line. It uses only the standard library."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

# a text of this form that is none of the words below is no number, truth value, time or syntax to any reader of YAML 1.1 or 1.2
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*(?:[ /][A-Za-z0-9_.-]+)*\Z", re.ASCII)
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "y", "n", "null"})


def text(value: Any) -> str:
    """Return a value (objects, lists, texts, numbers, truth values) as a YAML document."""
    return "".join(line + "\n" for line in ["---", *_lines(value)])


def _lines(value: Any) -> Iterator[str]:
    if isinstance(value, dict) and value:
        for key, part in value.items():
            yield from _entry(f"{_scalar(key)}:", part)
    elif isinstance(value, list) and value:
        for part in value:
            yield from _entry("-", part)
    else:
        yield _scalar(value)


def _entry(head: str, value: Any) -> Iterator[str]:
    if isinstance(value, (dict, list)) and value:
        inner = list(_lines(value))
        if head == "-":
            yield f"- {inner[0]}"
            yield from _indented(inner[1:])
        else:
            yield head
            yield from _indented(inner)
    elif isinstance(value, str) and _is_block(value):
        yield f"{head} |-" if not value.endswith("\n") else f"{head} |"
        yield from _indented(value.splitlines())
    else:
        yield f"{head} {_scalar(value)}"


def _indented(lines: list[str]) -> Iterator[str]:
    return (f"  {line}" if line else "" for line in lines)


def _is_block(value: str) -> bool:
    """Tell whether a text can be written line by line, unchanged."""
    lines = value.split("\n")
    printable = all(line.isprintable() and line == line.rstrip() for line in lines)
    return "\n" in value.rstrip("\n") and printable and not value.startswith((" ", "\n")) and not value.endswith("\n\n")


def _scalar(value: Any) -> str:
    if isinstance(value, str) and _PLAIN.match(value) and value.lower() not in _WORDS:
        return value
    if isinstance(value, str) and value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    # every JSON value is a YAML value
    return json.dumps(value)
