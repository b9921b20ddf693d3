"""Text from the log, made safe and short enough for terminals and spreadsheets."""

from __future__ import annotations

import functools
import re

# DEL and C1 controls, marks that change the direction of text or break lines, lone surrogates
MARKS = "\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
# characters that are drawn as nothing (Unicode's Default_Ignorable_Code_Point): two different names could look the same
_INVISIBLE = (
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200d\u2060-\u2065\u206a-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
# the two characters, besides controls, that no XML file may have
_NOT_IN_XML = "\ufffe\uffff"
CONTROLS = f"[\x00-\x1f{MARKS}{_INVISIBLE}{_NOT_IN_XML}]"
# where a spreadsheet sees a formula: at the start of a cell, and of each value in it, as the cell may be split there; a number is not a formula
FORMULA = r"(^|;)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])(?![+-]?\d{1,20}(?:\.\d{1,20})?(?:;|\Z))"

MOST_TEXT = 500
"""Characters of one text from the log that people are shown; JSON has the whole text."""


# compiled on first use: not every run needs them


@functools.cache
def _controls() -> re.Pattern[str]:
    return re.compile(CONTROLS)


@functools.cache
def _formula() -> re.Pattern[str]:
    return re.compile(FORMULA)


def printable(text: str) -> str:
    """Return text for a terminal or XML: control characters, those that are drawn as nothing, and those that XML may not have become visible escapes."""
    if text.isascii() and text.isprintable():
        return text  # nearly always; the pattern takes much longer
    return _controls().sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def harmless(text: str) -> str:
    """Return printable text that no spreadsheet takes for a formula."""
    return _formula().sub(r"\1'", printable(text))


def clipped(text: str) -> str:
    """Return text cut to the MOST_TEXT characters that people are shown."""
    return text if len(text) <= MOST_TEXT else text[:MOST_TEXT] + "\N{HORIZONTAL ELLIPSIS}"
