"""The data streams: names as the Fleet package and ``esatls elastic setup`` have them, so that one join serves both."""

from __future__ import annotations

NAMESPACE = "default"


def stream(kind: str) -> str:
    """Return the data stream of `events`, `connections`, `messages` or `runs` that is written."""
    return f"logs-{dataset(kind)}-{NAMESPACE}"


def dataset(kind: str) -> str:
    """Return the data set of a kind of document."""
    return f"esatls.{kind}"


def pattern(kind: str) -> str:
    """Return the pattern of all data streams of a kind, whatever their namespace."""
    return f"logs-{dataset(kind)}-*"


EVENTS, CONNECTIONS, MESSAGES, RUNS = map(pattern, ("events", "connections", "messages", "runs"))
