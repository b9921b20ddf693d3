"""The names of the data streams. The Fleet package and ``esatls elastic setup`` have the same, so that one join serves both."""

from __future__ import annotations

NAMESPACE = "default"


def stream(kind: str) -> str:
    """Return the data stream to which `events`, `connections`, `messages` or `runs` are written."""
    return f"logs-{dataset(kind)}-{NAMESPACE}"


def dataset(kind: str) -> str:
    """Return the data set of a kind of document."""
    return f"esatls.{kind}"


def pattern(kind: str) -> str:
    """Return the pattern for the data streams of a kind in all namespaces."""
    return f"logs-{dataset(kind)}-*"


EVENTS, CONNECTIONS, MESSAGES, RUNS = map(pattern, ("events", "connections", "messages", "runs"))
