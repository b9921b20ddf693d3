"""Events, connections and messages as documents of the Elastic Common Schema.

This is the reference: the ingest pipeline and the Logstash filter make the same documents of events, ``esatls elastic load`` and
``esatls elastic join`` write those of connections and messages. ECS has one ``tls`` and one ``destination`` per document, so a message,
which has a receiving and any number of delivering sides, keeps what it knows of them under ``esatls``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from esatls.fields import FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterable

EVENT_CONSTANTS: dict[str, Any] = {"event.kind": "event", "event.category": ["email"], "observer.vendor": "Cisco"}
"""What every document states besides the fields."""

DIRECTIONS = {"receiving": "ingress", "delivery": "egress"}
FLOWS = {"incoming": "inbound", "outgoing": "outbound"}
OUTCOMES = {"success": "success", "failed": "failure", "required": "failure", "not_offered": "failure"}
"""``event.outcome`` by ``tls_result``."""

# ``event.action`` is the kind of event; what the appliance did with a message must not take its place.
_ELSEWHERE = {"action": ("esatls.action",)}
_TLS_VERSION = re.compile(r"(TLS|SSL)v(\d(?:\.\d)?)(?![\d.])", re.ASCII)
_TABLE = {field.name: _ELSEWHERE.get(field.name, field.ecs) for field in FIELDS}


def ecs_field(name: str, direction: str | None) -> str:
    """Return the ECS field of a flat field; ``direction`` is ``esa_direction`` and decides between source and destination."""
    names = _TABLE[name]
    return names[-1] if direction == "delivery" else names[0]


def tls_version(logged: str) -> tuple[str, str] | None:
    """Return ECS's version and protocol of a protocol as logged: ``TLSv1.2`` -> ``("1.2", "tls")``; None if it names none.

    OpenSSL's ``TLSv1/SSLv3`` is a family: the first name stands.
    """
    found = _TLS_VERSION.match(logged)
    return (found[2], found[1].lower()) if found else None


def put(document: dict[str, Any], path: str, value: Any) -> None:  # noqa: ANN401 (any JSON value)
    """Set a dotted field of a nested document."""
    *parents, leaf = path.split(".")
    for parent in parents:
        document = document.setdefault(parent, {})
    document[leaf] = value


def event_document(event: dict[str, Any], original: str | None = None) -> dict[str, Any]:
    """Return the document of one event (fields of the field table); ``original`` is the line as it was logged."""
    document: dict[str, Any] = {}
    for path, value in EVENT_CONSTANTS.items():
        put(document, path, list(value) if isinstance(value, list) else value)
    if original is not None:
        put(document, "event.original", original)
    direction = event.get("esa_direction")
    for name, value in event.items():
        for path, converted in _converted(name, value, direction):
            put(document, path, converted)
    return document


def _converted(name: str, value: Any, direction: str | None) -> Iterable[tuple[str, Any]]:  # noqa: ANN401 (any JSON value)
    """Return what one flat field becomes: ECS field and value, or several."""
    path = ecs_field(name, direction)
    if name == "esa_direction":
        yield path, DIRECTIONS[value]
    elif name == "mail_flow":
        yield path, FLOWS.get(value, value)
    elif name == "mid":
        yield path, str(value)
    elif name == "tls_version":
        yield from _version("tls", value)
    elif name == "tls_result":
        yield path, value
        yield "event.outcome", OUTCOMES[value]
        yield "tls.established", value == "success"
    else:
        yield path, value


def _version(prefix: str, logged: str) -> Iterable[tuple[str, str]]:
    known = tls_version(logged)
    if known is None:
        yield f"{prefix}.version", logged
    else:
        yield f"{prefix}.version", known[0]
        yield f"{prefix}.version_protocol", known[1]
