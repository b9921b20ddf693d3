"""grok_patterns/ -> python/esatls/extraction/patterns.py: plain regular expressions, compiled by pygrok.

Per pattern: one anchored expression with named groups, in the subset that Python's re, PCRE2 and
Oniguruma share. Per first four characters of a text: the alternation of the patterns that start with them, for speed.
"""

from __future__ import annotations

import itertools
import pathlib
import re
import sys
from pprint import pformat
from typing import TYPE_CHECKING, Any, NamedTuple

from esatls.extraction.fields import FIELDS
from esatls.extraction.kinds import constants_of
from pygrok import Grok

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

if sys.version_info >= (3, 11):
    from re import _parser as sre_parse  # type: ignore[attr-defined]
else:
    import sre_parse

PATTERNS_DIR = pathlib.Path(__file__).resolve().parents[2] / "grok_patterns"
DISPATCH_LENGTH = 4
INTERMEDIATE = {"policy_table", "cef", "outer_stamp", "outer_host", "outer_log", "inner_stamp", "inner_host", "inner_log", "lead_host", "bare_host", "bare_log"}
_NATIVE = r"(?P<native>%{ESA_H_WEEKDAY} %{ESA_H_MONTH} {1,2}\d{1,2} %{ESA_H_CLOCK} \d{4})"
_SYSLOG = (
    r"(?:<\d{1,3}>)?(?P<syslog>%{ESA_H_MONTH} {1,2}\d{1,2} %{ESA_H_CLOCK})"
    r"(?: (?P<host>(?!%{ESA_H_FACILITY})[a-z][a-z0-9_.-]{0,127}))? (?P<log>[a-z][a-z0-9_-]{0,127}|(?!%{ESA_H_LEVEL}:)[A-Za-z][A-Za-z_]{0,127}(?<!Subject)):"
    r"(?: %{ESA_H_WEEKDAY} (?P<inner>%{ESA_H_MONTH} {1,2}\d{1,2} %{ESA_H_CLOCK} \d{4}))?"
)
_LEVEL = r" (?P<level>%{ESA_H_LEVEL}): ?"
_USUAL = f"(?:{_NATIVE}|{_SYSLOG}){_LEVEL}"
"""The appliance's own header and its syslog header, as in most logs. They compile and match faster than ESA_ENVELOPE, which reads them the same way."""
_IN_ENVELOPE = {"native": "outer_stamp", "syslog": "outer_stamp", "host": "outer_host", "log": "outer_log", "inner": "inner_stamp", "level": "esa_level"}
_DEFINITION = re.compile(r"(ESA_[A-Z0-9_]+) +(\S.*)")
_REFERENCE = re.compile(r"ESA_[A-Z0-9_]+(?::[a-z_]+)?")
"""What may stand within `%{}`. pygrok drops a field with any other name, and says nothing."""
_FOREIGN = re.compile(r"\(\?>|[*+?}]\+|\\[AZzGKhR]|\\p\{|\(\?[imsx]|\(\?P?<|\[\[:")
"""Syntax that the engines do not share; fields are named by `%{HELPER:field}`."""


def definitions() -> dict[str, str]:
    """Return every pattern of grok_patterns/ by name, in the order of the files. Raises `ValueError` for bad lines and unknown patterns."""
    found: dict[str, str] = {}
    used: list[tuple[str, str]] = []
    for file in sorted(PATTERNS_DIR.iterdir()):
        for number, line in enumerate(file.read_bytes().decode("utf-8", "replace").split("\n"), 1):
            place = f"{file.name}:{number}"
            if re.search(r"[^ -~]", line):
                raise ValueError(f"{place}: not plain ASCII: {line!r}")
            if not line.strip() or line.startswith("#"):
                continue
            definition = _DEFINITION.fullmatch(line)
            if definition is None:
                raise ValueError(f"{place}: not ESA_NAME, a space and an expression: {line}")
            name, text = definition.groups()
            if name in found:
                raise ValueError(f"{place}: defined before: {name}")
            references = re.findall(r"%\{([^}]*)\}", text)
            for reference in references:
                if not _REFERENCE.fullmatch(reference):
                    raise ValueError(f"{place}: not %{{ESA_NAME}} or %{{ESA_NAME:field}}: %{{{reference}}}")
            foreign = _FOREIGN.search(text)
            if foreign:
                raise ValueError(f"{place}: the engines do not share this syntax: {foreign[0]}")
            found[name] = text
            used += [(reference.partition(":")[0], place) for reference in references]
    for helper, place in used:
        if helper not in found:
            raise ValueError(f"{place}: no such pattern: {helper}")
    return found


def usual_headers(prefix: str = "") -> list[str]:
    """Return a grok pattern for each usual header, with the captures of ESA_ENVELOPE."""
    return [re.sub(r"\(\?P<(\w+)>", lambda group: f"(?<{prefix}{_IN_ENVELOPE[group[1]]}>", f"{header}{_LEVEL}") for header in (_NATIVE, _SYSLOG)]


def compiled(name: str) -> str:
    """Return a pattern as a plain expression in which only named groups capture. Raises `ValueError` if the pattern is not valid."""
    try:
        text = _without_unnamed_groups(_expanded(f"%{{{name}}}")[1:-1])
        re.compile(re.sub(r"\?P<\w+>", "", text))
    except Exception as error:  # the engine that pygrok uses has its own errors
        raise ValueError(f"{name}: no regular expression: {error}") from error
    names = re.findall(r"\(\?P<(\w+)>", text)
    if len(names) != len(set(names)):
        raise ValueError(f"{name}: a field is captured twice")
    unknown = set(names) - {field.name for field in FIELDS} - INTERMEDIATE
    if unknown:
        raise ValueError(f"{name}: not in the table of python/esatls/extraction/fields.py: {', '.join(sorted(unknown))}")
    return text


def _expanded(text: str) -> str:
    """Return a text that contains grok patterns as one expression."""
    return str(Grok(text, custom_patterns_dir=str(PATTERNS_DIR)).regex_obj.pattern)


def _without_unnamed_groups(text: str) -> str:
    """Make unnamed groups non-capturing: pygrok makes a capturing group of every nested pattern."""
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
    # a group around one atom, without a quantifier, is not needed
    previous = None
    while previous != plain:
        previous = plain
        plain = re.sub(r"\(\?:(\\d\{1,18\}|\\S\+)\)(?![*+?{])", r"\1", plain)
    return plain


def _first_characters(text: str, length: int = DISPATCH_LENGTH) -> set[str]:
    """Return the literal beginnings of all texts that an expression matches. Raises `ValueError` if they are not literal."""

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


def _words(text: str) -> list[str]:
    """Cut an expression after each space that has no quantifier and is in no group."""
    ends = [at.end() for at in re.finditer(r" (?![?*+{])", text) if text.count("(", 0, at.end()) == text.count(")", 0, at.end())]
    cuts = [0, *(end for end in ends if end < len(text)), len(text)]
    return [text[start:end] for start, end in zip(cuts, cuts[1:])]


def tree(patterns: Mapping[str, str], marked: Callable[[str, str], str]) -> str:
    """Return the alternation of some patterns as a tree, so that a common beginning is tried only once.

    ``marked`` gets the name of a pattern and the rest of it that ends its branch, and returns this rest with a mark.
    """

    def either(branches: Sequence[tuple[str, list[str]]]) -> str:
        by_word: dict[str, list[tuple[str, list[str]]]] = {}
        for name, words in branches:
            by_word.setdefault(words[0], []).append((name, words))
        return "|".join(map(together, by_word.values()))

    def together(branches: Sequence[tuple[str, list[str]]]) -> str:
        if len(branches) == 1:
            return marked(branches[0][0], "".join(branches[0][1]))
        alike = itertools.takewhile(lambda words: len(set(words)) == 1, zip(*(words for _, words in branches)))
        first = [words[0] for words in alike]
        return f"{''.join(first)}(?:{either([(name, words[len(first) :]) for name, words in branches])})"

    return either([(name, _words(text)) for name, text in patterns.items()])


class _Branch(NamedTuple):
    """The rest of a pattern that is still to be matched, the fields it will capture, and the groups of the fields captured before."""

    name: str
    words: list[str]
    fields: list[str]
    groups: dict[str, int]


class _Alternation:
    """Patterns as a tree, so that a common beginning is tried only once."""

    def __init__(self) -> None:
        self.groups = 0
        self.table: dict[int, tuple[str, dict[str, int]]] = {}
        """By the last group of a branch: its pattern, and the group of each field."""

    def together(self, branches: list[_Branch], otherwise: str = "") -> str:
        """Return the expression of branches that begin with the same word; `otherwise` is added as the last branch."""
        alike = itertools.takewhile(lambda words: len(set(words)) == 1, zip(*(branch.words for branch in branches)))
        first = [words[0] for words in alike]
        prefix, before = "".join(first), self.groups
        captured = len(re.findall(r"\((?!\?)", re.sub(r"\\.", "", prefix)))
        left = []
        for name, words, fields, groups in branches:
            groups.update((field, before + number) for number, field in enumerate(fields[:captured], 1))
            left.append(_Branch(name, words[len(first) :], fields[captured:], groups))
        self.groups = before + captured
        if len(branches) == 1:
            # an empty group at the end tells which branch matched; in front, it would hide the branch's first letter from the engine
            self.groups += 1
            self.table[self.groups] = (branches[0].name, branches[0].groups)
            return f"(?:{prefix}(){otherwise})" if otherwise else f"{prefix}()"
        return f"{prefix}{_ahead(left)}(?:{self.any(left)}{otherwise})"

    def any(self, branches: list[_Branch]) -> str:
        """Return the alternation of branches, grouped by their first word."""
        by_word: dict[str, list[_Branch]] = {}
        for branch in branches:
            by_word.setdefault(branch.words[0], []).append(branch)
        return "|".join(map(self.together, by_word.values()))


def _without_options(text: str) -> str:
    """Replace `(...)?` by an alternation with nothing: `re` enters a branch faster than a repetition."""
    opened: list[int] = []
    in_class, i = False, 0
    while i < len(text):
        char = text[i]
        if char == "\\":
            i += 1
        elif in_class:
            in_class = char != "]"
        elif char == "[":
            in_class = True
            i += text[i + 1] in "^]"
        elif char == "(":
            opened.append(i)
        elif char == ")":
            start, end = opened.pop(), i + 1
            if text[end : end + 1] == "?":
                inner = text[start:end] if text[start + 1] != "?" else text[start + 3 : i]
                is_lazy = text[end : end + 2] == "??"
                either = f"(?:|{inner})" if is_lazy else f"(?:{inner}|)"
                text = text[:start] + either + text[end + 1 + is_lazy :]
                i = start + len(either) - 1
        i += 1
    return text


def _matcher(names: list[str], patterns: dict[str, str]) -> tuple[str, dict[int, tuple[str, dict[str, int]]], int]:
    """Return the alternation of some patterns: expression, {last group: (pattern, {field: group})}, a group that never matches."""
    bare = {name: _words(_without_options(re.sub(r"\(\?P<\w+>", "(", patterns[name]))) for name in names}
    tree = _Alternation()
    branches = [_Branch(name, bare[name], re.findall(r"\(\?P<(\w+)>", patterns[name]), {}) for name in names]
    return tree.together(branches, "|(?!)()"), tree.table, tree.groups + 1


def _ahead(branches: list[_Branch]) -> str:
    """Return a lookahead for the next character, which rejects most lines at once; it is empty if the branches begin with no literal."""
    try:
        characters = set().union(*(_first_characters("".join(branch.words), 1) for branch in branches))
    except ValueError:
        return ""
    return f"(?=[{re.escape(''.join(sorted(characters)))}])"


def files() -> dict[pathlib.Path, str]:
    """Return the generated module."""
    wanted = [name for name in definitions() if not name.startswith("ESA_H_")]
    everything = {name: compiled(name) for name in wanted}
    envelope = everything.pop("ESA_ENVELOPE")
    by_start: dict[str, list[str]] = {}
    for name, text in everything.items():
        try:
            constants_of(name, ())
            starts = sorted(_first_characters(text))
        except KeyError:
            raise ValueError(f"{name}: the name tells no kind of event; python/esatls/extraction/kinds.py has them") from None
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
        for start in starts:
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
    header = [
        '"""The header of a line as plain regular expressions, from grok_patterns/2_envelope.',
        "",
        "Generated by `python python/generate`; do not edit.",
        '"""',
        "",
        "from __future__ import annotations",
        "",
        "# the envelope of a line, matched from its start",
        f"ENVELOPE: str = {envelope!r}",
        "",
        "# the usual headers, which ENVELOPE matches too",
        f"USUAL: str = {_without_unnamed_groups(_expanded(_USUAL))!r}",
        "",
        "# a stamp of any form",
        f"STAMP: str = {compiled('ESA_H_STAMP')!r}",
        "",
    ]
    return {
        pathlib.Path("python/esatls/extraction/patterns.py"): "\n".join(out),
        pathlib.Path("python/esatls/lines/header.py"): "\n".join(header),
    }
