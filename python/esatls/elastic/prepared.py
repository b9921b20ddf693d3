"""Whether a server is set up: a data stream that is made without our templates has other mappings, and keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from esatls.elastic.client import ElasticError
from esatls.elastic.streams import stream

if TYPE_CHECKING:
    from esatls.elastic.retry import Retrying

_MARKS = {stream("connections"): "esatls.share.encrypted", stream("messages"): "esatls.received.share.encrypted"}
"""By data stream: a field that our templates make a ``byte``, which no server does by itself."""
_DO = "run esatls elastic setup (or install the Fleet package)"


def is_prepared(server: Retrying, name: str) -> bool:
    """Tell whether a data stream has the mappings of `esatls elastic setup`, or will have them when it is created.

    Returns false if it does not exist yet, and the server does not say which template it will have. Raises ``ElasticError`` if its mappings are others.
    """
    field = _MARKS[name]
    found = server.ask("fields", "POST", f"/{name}/_field_caps?fields={field}&ignore_unavailable=true&allow_no_indices=true")
    if found.get("indices"):
        if "byte" in found["fields"].get(field, ()):
            return True
        raise ElasticError(f"{server.client.url}: {name} was created before the server was set up: delete it, {_DO}, and write its documents again")
    try:
        template = server.client.request("POST", f"/_index_template/_simulate_index/{name}")
    except ElasticError:
        return False
    if not isinstance(template, dict):
        return False
    if _type_of(template, field) != "byte":
        if any("esatls" in one["name"] for one in template.get("overlapping", ())):
            raise ElasticError(f"{server.client.url}: nothing was written, because another index template has priority over that of {name}: lower its priority")
        raise ElasticError(f"{server.client.url}: is not set up, so nothing was written: {_DO} first")
    return True


def _type_of(answer: dict[str, Any], field: str) -> str | None:
    """Return the type that a template gives to a field; None if it gives none."""
    at = answer.get("template", {}).get("mappings", {})
    for name in field.split("."):
        at = at.get("properties", {}).get(name, {})
    kind: str | None = at.get("type")
    return kind
