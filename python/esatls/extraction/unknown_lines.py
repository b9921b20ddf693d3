"""Counts of lines that begin with an unknown header, by the shape of this beginning."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

OFTEN = 1000
"""A shape with this many lines is worth a message."""

_LOOKED_AT = 200
_FIRST_WORDS = 60
_MOST = 500
_MOST_TOLD = 3
_LETTERS = re.compile("[^\\W\\d_]+")
_DIGITS = re.compile(r"\d+")
_HEADED = re.compile(r"\s*(?:[{<\[]|\d{6})|.*?(?:\d:\d\d|\b(?:Info|Warning|Critical|Debug|Trace):|\b(?:MID|ICID|DCID):? \d)", re.ASCII | re.DOTALL)
"""A beginning with a time, a level, an id or a record's bracket: a line of a log, not the rest of wrapped text."""


class Shape(NamedTuple):
    """Lines whose beginnings differ only in words and numbers."""

    lines: int
    words: str
    """The beginning of one of them, unchanged: the first in sorting order, no matter which line comes first."""


class UnknownLines:
    """The counts, the same for lines in any order; if there are too many, those that begin alike are merged."""

    __slots__ = ("_counts", "_length")

    def __init__(self) -> None:
        self._counts: dict[str, Shape] = {}
        self._length = _FIRST_WORDS
        """The number of characters of a form that count."""

    def note(self, line: str) -> None:
        """Count a line that was not understood."""
        start = line[:_LOOKED_AT]
        if _HEADED.match(start) is not None:
            words = start[:_FIRST_WORDS]
            self._add(_DIGITS.sub("9", _LETTERS.sub("a", words)), Shape(1, words))

    def add(self, other: UnknownLines) -> None:
        """Add the shapes of another part of the input."""
        self._shorten(other._length)
        for form, shape in other._counts.items():
            self._add(form, shape)

    def told(self) -> list[str]:
        """Return messages about the shapes with many lines, the most frequent first; text from the log is not escaped."""
        often = sorted((shape for shape in self._counts.values() if shape.lines >= OFTEN), reverse=True)
        return [f"{shape.lines:,} lines that were not recognized begin like this: {shape.words}" for shape in often[:_MOST_TOLD]]

    def as_list(self) -> list[Any]:
        """Return all counts, for `of_list` in another process."""
        return [self._length, {form: tuple(shape) for form, shape in self._counts.items()}]

    @classmethod
    def of_list(cls, told: list[Any]) -> UnknownLines:
        """Restore the shapes that `as_list` returned."""
        shapes = cls()
        shapes._length, counts = told
        shapes._counts = {form: Shape(*shape) for form, shape in counts.items()}
        return shapes

    def _add(self, form: str, shape: Shape) -> None:
        form = form[: self._length]
        known = self._counts.get(form)
        self._counts[form] = shape if known is None else Shape(known.lines + shape.lines, min(known.words, shape.words))
        while len(self._counts) > _MOST:
            self._shorten(self._length // 2)

    def _shorten(self, length: int) -> None:
        """Let at most this many characters of a form count."""
        if length < self._length:
            self._length, counts = length, self._counts
            self._counts = {}
            for form, shape in counts.items():
                self._add(form, shape)
