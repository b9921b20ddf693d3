"""How an event becomes a document in Elastic, by its pattern: the tables for the ingest pipeline's script and for the Logstash filter's Ruby code."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

from esatls.elastic.documents import LISTS, RELATED, ecs_field, event_document
from esatls.extraction.fields import FIELDS
from esatls.extraction.kinds import constants_of
from esatls.extraction.patterns import PATTERNS

if TYPE_CHECKING:
    from esatls.extraction.event_record import EventRecord


def captures(pattern: str) -> list[str]:
    """Return the fields that a pattern captures."""
    return re.findall(r"\(\?P<(\w+)>", PATTERNS[pattern])


def _kind(name: str) -> str:
    """Return how a captured field is read."""
    special = {**dict.fromkeys(LISTS, "list"), "tls_version": "version", "policy_table": "flow", "mail_flow": "flow", "hat_action": "hat", "mid": "text"}
    types = {field.name: field.type for field in FIELDS}
    return special.get(name) or (types[name] if types[name] in {"integer", "integers"} else "text")


def of_pattern(name: str) -> dict[str, Any]:
    """Return for a pattern: the constant part of its documents, its captures (how each is read, and its path in ECS), and the fields for `related`."""
    fields = captures(name)
    known = constants_of(name, tuple(fields))
    side = known.get("esa_direction")
    how = {field: [_kind(field), ecs_field("mail_flow" if field == "policy_table" else field, side).split(".")] for field in fields if field != "cef"}
    related = {kind: found for kind, names in RELATED.items() if (found := [field for field in names if field in how])}
    return {"document": event_document(cast("EventRecord", known)), "fields": how, "related": related}


def of_consolidated_events() -> dict[str, Any]:
    """Return for each field of a consolidated event how it is read, and its path in ECS."""
    words = {"mail_flow", "hat_action"}
    return {field.name: ["text" if field.name in words else _kind(field.name), ecs_field(field.name, None).split(".")] for field in FIELDS}


def objects() -> list[str]:
    """Return the fields that are objects: a document may come in with a text in their place."""
    paths = (path.split(".") for field in FIELDS for path in field.ecs)
    return sorted({path[0] for path in paths if len(path) > 1} | {"ecs", "event", "related"})
