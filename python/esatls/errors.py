"""The exceptions of esatls: one hierarchy, each with a message that can be shown to a user."""

from __future__ import annotations


class EsatlsError(Exception):
    """Base class of all errors that esatls reports; the text is one line for the user."""


class InputError(EsatlsError):
    """A file cannot be read: it is missing, access is denied, or no file matches."""


class UsageError(EsatlsError):
    """An option has an invalid value, such as an unknown time zone, date or format."""


class WrongTypeError(UsageError, TypeError):
    """An argument has the wrong type, such as one text instead of a list."""


class MissingDependencyError(EsatlsError):
    """An optional package that the output format needs is not installed."""


ANTICIPATED = (EsatlsError, OSError, UnicodeError, MemoryError)
"""Errors that a user can cause, or mend: they are told in one line, without a traceback."""


def in_words(error: BaseException) -> str:
    """Return the line that tells a user of such an error."""
    if isinstance(error, MemoryError):
        return "not enough memory"
    if isinstance(error, OSError):
        return f"{f'{error.filename}: ' if error.filename else ''}{error.strerror or error}"
    return str(error)
