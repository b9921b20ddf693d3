"""Lines with something in front of them that is no known header: how often each shape of them stands in a log."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

OFTEN = 1000
"""Lines of one shape that are worth a word."""

_LOOKED_AT = 200
_FIRST_WORDS = 60
_MOST = 500
_MOST_TOLD = 3
_LETTERS = re.compile("[^\\W\\d_]+")
_DIGITS = re.compile(r"\d+")
_HEADED = re.compile(r"\s*(?:[{<\[]|\d{6})|.*?(?:\d:\d\d|\b(?:Info|Warning|Critical|Debug|Trace):|\b(?:MID|ICID|DCID):? \d)", re.ASCII | re.DOTALL)
"""A beginning with a time, a level, an id or a record's bracket: a line of a log, and no rest of wrapped text."""


class Shape(NamedTuple):
    """Lines that begin alike but for their words and numbers."""

    lines: int
    words: str
    """The first words of one of them, as they stand there: the least by their letters, whichever line comes first."""


class Shapes:
    """Shapes of lines by their count, the same for lines in any order; where there are too many, those that begin alike are one."""

    __slots__ = ("_counts", "_length")

    def __init__(self) -> None:
        self._counts: dict[str, Shape] = {}
        self._length = _FIRST_WORDS
        """How much of their forms is looked at."""

    def note(self, line: str) -> None:
        """Count a line that nobody has understood."""
        start = line[:_LOOKED_AT]
        if _HEADED.match(start) is not None:
            words = start[:_FIRST_WORDS]
            self._add(_DIGITS.sub("9", _LETTERS.sub("a", words)), Shape(1, words))

    def add(self, other: Shapes) -> None:
        """Add the shapes of another part of the input."""
        self._shorten(other._length)
        for form, shape in other._counts.items():
            self._add(form, shape)

    def told(self) -> list[str]:
        """Return in words the shapes that many lines have, the most frequent first; the words of the log are as they stand there."""
        often = sorted((shape for shape in self._counts.values() if shape.lines >= OFTEN), reverse=True)
        return [f"{shape.lines:,} lines were not recognized that begin like this: {shape.words}" for shape in often[:_MOST_TOLD]]

    def as_list(self) -> list[Any]:
        """Return all that is known, for `of_list` in another process."""
        return [self._length, {form: tuple(shape) for form, shape in self._counts.items()}]

    @classmethod
    def of_list(cls, told: list[Any]) -> Shapes:
        """Return what `as_list` was asked for."""
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
        """Look at no more than so much of the forms."""
        if length < self._length:
            self._length, counts = length, self._counts
            self._counts = {}
            for form, shape in counts.items():
                self._add(form, shape)
