"""The words of a search before its first pipe: which events have them.

Last compared with: Splunk's Search Reference, its text only. What is known: TERM(x), words and phrases in quotes (whole words, in any case), AND (a
blank, too), OR, NOT, brackets. `index=…`, `sourcetype=…` and `sourcetype IN (…)` hold for every event: who asks has chosen the index.
"""

from __future__ import annotations

import functools
import re
from typing import Callable

Predicate = Callable[[str, "frozenset[str]"], bool]

_TOKEN = re.compile(r'\s*(?:(TERM\([^()\s]+\))|(\w+\s+IN\s*\([^()]*\))|("(?:[^"\\]|\\.)*")|([()])|([^\s()"]+))')
# white space, quotes, commas, brackets and the like part terms
_PARTING = re.compile(r"""[\[\]<>(){}|!;,'"*\s&?+]|--""")


def holds(terms: str, raw: str) -> bool:
    """Tell whether an event has some terms."""
    return compiled(terms)(*words_of(raw))


@functools.lru_cache(maxsize=100_000)
def words_of(raw: str) -> tuple[str, frozenset[str]]:
    """Return what a predicate looks at of an event."""
    small = raw.lower()
    return small, frozenset(_PARTING.split(small))


@functools.lru_cache(maxsize=256)
def compiled(terms: str) -> Predicate:
    """Return the predicate of some terms, for an event in small letters and the terms of the index that it has."""
    items = _TOKEN.findall(terms)
    assert "".join("".join(item) for item in items).replace(" ", "") == re.sub(r"\s", "", terms), terms
    found, rest = _either(items)
    assert not rest, rest
    return found


def _either(items: list[tuple[str, ...]]) -> tuple[Predicate, list[tuple[str, ...]]]:
    left, items = _both(items)
    ways = [left]
    while items and items[0][4] == "OR":
        right, items = _both(items[1:])
        ways.append(right)
    return (left if len(ways) == 1 else lambda raw, known: any(way(raw, known) for way in ways)), items


def _both(items: list[tuple[str, ...]]) -> tuple[Predicate, list[tuple[str, ...]]]:
    parts = []
    while items and items[0][3] != ")" and items[0][4] != "OR":
        if items[0][4] == "AND":
            items = items[1:]
        part, items = _one(items)
        parts.append(part)
    return (lambda raw, known: all(part(raw, known) for part in parts)), items


def _one(items: list[tuple[str, ...]]) -> tuple[Predicate, list[tuple[str, ...]]]:
    (term, among, phrase, bracket, word), *rest = items
    if term:
        wanted = term[len("TERM(") : -1].lower()
        return (lambda _raw, known: wanted in known), rest
    if bracket:
        assert bracket == "("
        inner, rest = _either(rest)
        assert rest[0][3] == ")"
        return inner, rest[1:]
    if word == "NOT":
        inner, rest = _one(rest)
        return (lambda raw, known: not inner(raw, known)), rest
    if among or re.match(r"(?:index|sourcetype)=", word):
        return (lambda _raw, _known: True), rest
    text = re.sub(r"\\(.)", r"\1", phrase[1:-1]) if phrase else word
    # a star is any run; what is no letter at the ends parts words
    inner_text = ".*".join(re.escape(part) for part in text.lower().split("*"))
    pattern = re.compile((r"(?<![a-z0-9])" if text[:1].isalnum() else "") + inner_text + (r"(?![a-z0-9])" if text[-1:].isalnum() else ""), re.DOTALL)
    return (lambda raw, _known: pattern.search(raw) is not None), rest
