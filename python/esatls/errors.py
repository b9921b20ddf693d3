"""The exceptions of esatls: one tree, each with a message fit for a user."""

from __future__ import annotations


class EsatlsError(Exception):
    """Anything that esatls refuses or cannot do; its text is one line for the user."""


class InputError(EsatlsError):
    """A file that cannot be read at all: missing, forbidden, nothing that matches."""


class UsageError(EsatlsError):
    """An option whose value makes no sense: a time zone, a date, a format."""


class WrongTypeError(UsageError, TypeError):
    """An argument of a type that makes no sense, such as one text where many are wanted."""


class MissingDependencyError(EsatlsError):
    """An optional package that the asked-for output needs is not installed."""
