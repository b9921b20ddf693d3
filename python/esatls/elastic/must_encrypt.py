"""The list of partners that must use TLS, as the server keeps it: dashboards and rules look it up there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from esatls.elastic.client import ElasticError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from esatls.elastic.client import Client

INDEX = "esatls-must-encrypt"
DOCUMENT = "list"
_MOST = 65_536
"""Values that a lookup can have by default."""


def put(client: Client, receiving: Iterable[str], delivery: Iterable[str]) -> tuple[int, int]:
    """Replace the list, by side; return how many domains there are on each. Raises ``ElasticError`` where the server refuses."""
    sides = {"receiving": _names(receiving), "delivery": _names(delivery)}
    if not client.exists(f"/{INDEX}"):
        _create(client)
    client.request("PUT", f"/{INDEX}/_doc/{DOCUMENT}?refresh=true", sides)
    return len(sides["receiving"]), len(sides["delivery"])


def _create(client: Client) -> None:
    """Create the index: a lookup is answered by each node from its own copy. A serverless project keeps copies itself, and refuses the settings."""
    definition: dict[str, Any] = {"mappings": {"dynamic": False}}
    try:
        client.request("PUT", f"/{INDEX}", {**definition, "settings": {"index": {"number_of_shards": 1, "auto_expand_replicas": "0-all"}}})
    except ElasticError as error:
        if error.status != 400:
            raise
        client.request("PUT", f"/{INDEX}", definition)


def _names(domains: Iterable[str]) -> list[str]:
    return sorted({domain.lower() for domain in domains})[:_MOST]
