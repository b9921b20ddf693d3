"""What the logs of a Cisco ESA (Secure Email Gateway) say about TLS.

>>> import esatls
>>> facts = esatls.Facts()
>>> for event in esatls.events(["Start MID 7 ICID 5", "ICID 5 TLS success protocol TLSv1.2 cipher AES128-SHA"]):
...     facts.add(event)
>>> [(message["mid"], message["received"], message["delivered"]) for message in esatls.messages(facts)]
[(7, 'encrypted', 'none')]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = ["Clock", "Counts", "EsatlsError", "Facts", "Log", "__version__", "connections", "events", "extract", "messages", "read"]

if TYPE_CHECKING:
    from esatls.errors import EsatlsError
    from esatls.extraction.event_stream import events
    from esatls.extraction.match import extract
    from esatls.extraction.stream import Counts
    from esatls.lines.clock import Clock
    from esatls.reading import Log, read
    from esatls.verdicts.facts import Facts
    from esatls.verdicts.records import connections, messages

_HOMES = {
    "Clock": "lines.clock",
    "Counts": "extraction.stream",
    "EsatlsError": "errors",
    "Facts": "verdicts.facts",
    "Log": "reading",
    "connections": "verdicts.records",
    "events": "extraction.event_stream",
    "extract": "extraction.match",
    "messages": "verdicts.records",
    "read": "reading",
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used: Splunk's search commands start often, and need only a few."""
    import importlib

    if name not in _HOMES:
        raise AttributeError(f"module 'esatls' has no attribute {name!r}")
    return getattr(importlib.import_module(f"esatls.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """Return the public names, so that `dir` and `help` show what is loaded later."""
    return __all__
