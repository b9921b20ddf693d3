"""Text of the log, made fit for people and programs that take some of it for more than text."""

from __future__ import annotations

import functools
import re

# C0 and C1 controls, marks that turn the direction of text around or part its lines, halves of surrogate pairs
MARKS = "\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
# what is drawn as nothing (Unicode's Default_Ignorable_Code_Point): two names that look like one
_INVISIBLE = (
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200d\u2060-\u2065\u206a-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
CONTROLS = f"[\x00-\x1f{MARKS}{_INVISIBLE}]"
# where a spreadsheet sees a formula: at the head of a cell, and of each value in it, for it may be cut there; a number is none
FORMULA = r"(^|;)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])(?![+-]?\d{1,20}(?:\.\d{1,20})?(?:;|\Z))"


# compiled when they are needed, which is not in every run


@functools.cache
def _controls() -> re.Pattern[str]:
    return re.compile(CONTROLS)


@functools.cache
def _formula() -> re.Pattern[str]:
    return re.compile(FORMULA)


def printable(text: str) -> str:
    """Return text with control characters, and those that are drawn as nothing, as visible escapes, fit for a terminal."""
    if text.isascii() and text.isprintable():
        return text  # nearly all, and a fraction of the time
    return _controls().sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def harmless(text: str) -> str:
    """Return text that no spreadsheet takes for a formula."""
    return _formula().sub(r"\1'", printable(text))
