"""grok_patterns/ -> python/esatls/_patterns.py: plain regular expressions, compiled by pygrok.

Per pattern: one anchored expression with named groups, in the subset that Python's re, PCRE2 and
Oniguruma share. Per first word of a line: the alternation of the patterns that start with it, for speed.
"""

from __future__ import annotations

import pathlib
import re
import sys
from pprint import pformat
from typing import Any

from esatls.fields import FIELDS
from esatls.kinds import constants_of
from pygrok import Grok

if sys.version_info >= (3, 11):
    from re import _parser as sre_parse  # type: ignore[attr-defined]
else:
    import sre_parse

PATTERNS_DIR = pathlib.Path(__file__).resolve().parents[2] / "grok_patterns"
DISPATCH_LENGTH = 4
INTERMEDIATE = {"policy_table", "cef", "outer_stamp", "outer_host", "outer_log", "inner_stamp", "inner_host", "inner_log"}
_DEFINITION = re.compile(r"(ESA_\w+) +(\S.*)")


def definitions() -> dict[str, str]:
    """Return every pattern of grok_patterns/ by name, in the order of the files."""
    found: dict[str, str] = {}
    for file in sorted(PATTERNS_DIR.iterdir()):
        for number, line in enumerate(file.read_text(encoding="ascii").splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            definition = _DEFINITION.fullmatch(line)
            if definition is None or definition[1] in found:
                raise ValueError(f"{file.name}:{number}: not a new definition: {line}")
            found[definition[1]] = definition[2]
    return found


def compiled(name: str) -> str:
    """Return the plain expression of one pattern, with named groups and no other capturing group."""
    text = Grok(f"%{{{name}}}", custom_patterns_dir=str(PATTERNS_DIR)).regex_obj.pattern
    text = _without_unnamed_groups(text[1:-1])
    names = re.findall(r"\(\?P<(\w+)>", text)
    if len(names) != len(set(names)):
        raise ValueError(f"{name}: a field is captured twice")
    unknown = set(names) - {field.name for field in FIELDS} - INTERMEDIATE
    if unknown:
        raise ValueError(f"{name}: not in the field table: {sorted(unknown)}")
    re.compile(text)
    return text


def _without_unnamed_groups(text: str) -> str:
    """Pygrok makes a capturing group of every nested pattern; only named ones are wanted."""
    out, in_class, i = [], False, 0
    while i < len(text):
        char = text[i]
        if char == "\\":
            out.append(text[i : i + 2])
            i += 2
            continue
        if char == "[" and not in_class:
            in_class = True
        elif char == "]" and in_class and text[i - 1] != "[":
            in_class = False
        out.append("(?:" if char == "(" and not in_class and text[i + 1] != "?" else char)
        i += 1
    plain = "".join(out)
    # a group around one atom or one group, without a quantifier, says nothing
    previous = None
    while previous != plain:
        previous = plain
        plain = re.sub(r"\(\?:(\\d\{1,18\}|\\S\+)\)(?![*+?{])", r"\1", plain)
    return plain


def _first_characters(text: str, length: int = DISPATCH_LENGTH) -> set[str]:
    """Return the literal beginnings that a line matched by this expression can have; `ValueError` if they are not literal."""

    def walk(items: Any, starts: set[str]) -> set[str]:
        for op, arg in items:
            short = {start for start in starts if len(start) < length}
            if not short:
                return starts
            done = starts - short
            kind = str(op)
            if kind == "LITERAL":
                short = {start + chr(arg) for start in short}
            elif kind == "SUBPATTERN":
                short = walk(arg[-1], short)
            elif kind == "BRANCH":
                short = set().union(*(walk(branch, short) for branch in arg[1]))
            elif kind == "MAX_REPEAT" and arg[:2] == (0, 1):
                short = short | walk(arg[2], short)
            else:
                raise ValueError(f"must begin with {length} literal characters: {text}")
            starts = done | short
        return starts

    return walk(sre_parse.parse(text), {""})


def _common_prefix(texts: list[str]) -> str:
    """Return the beginning that all expressions share, cut where a group is closed and a word ends."""
    prefix = ""
    for letters in zip(*texts):
        if len(texts) < 2 or len(set(letters)) > 1:
            break
        prefix += letters[0]
    cuts = [m.end() for m in re.finditer(r" ", prefix) if prefix[: m.end()].count("(") == prefix[: m.end()].count(")")]
    return prefix[: cuts[-1]] if cuts else ""


def _matcher(names: list[str], patterns: dict[str, str]) -> tuple[str, dict[int, tuple[str, dict[str, int]]], int]:
    """Return the alternation of some patterns: expression, {last group: (pattern, {field: group})}, a group that never matches."""
    bare = {name: re.sub(r"\(\?P<\w+>", "(", patterns[name]) for name in names}
    prefix = _common_prefix(list(bare.values()))
    shared = len(re.findall(r"\((?!\?)", re.sub(r"\\.", "", prefix)))
    branches, table, group = [], {}, shared
    for name in names:
        fields = re.findall(r"\(\?P<(\w+)>", patterns[name])
        own = {field: (i + 1 if i < shared else group + 1 + i - shared) for i, field in enumerate(fields)}
        # an empty group at the end tells which branch matched, and leaves its first letter in sight of the engine
        group += len(fields) - shared + 1
        table[group] = (name, own)
        branches.append(bare[name][len(prefix) :] + "()")
    return f"{prefix}{_ahead(branches)}(?:{'|'.join(branches)}|(?!)())", table, group + 1


def _ahead(branches: list[str]) -> str:
    """Return a look at the next character: most lines of a matcher are no events, and it tells at once."""
    try:
        characters = set().union(*(_first_characters(branch, 1) for branch in branches))
    except ValueError:
        return ""
    return f"(?=[{re.escape(''.join(sorted(characters)))}])" if len(branches) > 1 else ""


def files() -> dict[pathlib.Path, str]:
    """Return the generated module."""
    wanted = [name for name in definitions() if not name.startswith("ESA_H_")]
    everything = {name: compiled(name) for name in wanted}
    envelope = everything.pop("ESA_ENVELOPE")
    by_start: dict[str, list[str]] = {}
    for name, text in everything.items():
        constants_of(name, ())
        for start in sorted(_first_characters(text)):
            by_start.setdefault(start, []).append(name)
    matchers = {start: _matcher(names, everything) for start, names in by_start.items()}
    out = [
        '"""The patterns of grok_patterns/ as plain regular expressions.',
        "",
        "Generated by `python python/generate`; do not edit.",
        '"""',
        "",
        "from __future__ import annotations",
        "",
        "# the envelope of a line, matched from its start",
        f"ENVELOPE: str = {envelope!r}",
        "",
        "# pattern name -> expression that the whole message text must match",
        "PATTERNS: dict[str, str] = {",
        *(f"    {name!r}: {text!r}," for name, text in everything.items()),
        "}",
        "",
        f"# first {DISPATCH_LENGTH} characters -> (alternation, {{last group: (pattern, {{field: group}})}}, a group that never matches)",
        "MATCHERS: dict[str, tuple[str, dict[int, tuple[str, dict[str, int]]], int]] = {",
        *(f"    {start!r}: {pformat(matcher, width=10**6, sort_dicts=False)}," for start, matcher in matchers.items()),
        "}",
        "",
    ]
    return {pathlib.Path("python/esatls/_patterns.py"): "\n".join(out)}
