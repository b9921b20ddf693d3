"""The list of partners that must use TLS, on the server, where dashboards and rules look it up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from esatls.elastic.client import ElasticError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from esatls.elastic.client import Client

INDEX = "esatls-must-encrypt"
DOCUMENT = "list"
_MOST = 65_536
"""The most values that a lookup can have by default."""


def put(client: Client, receiving: Iterable[str], delivery: Iterable[str]) -> tuple[int, int]:
    """Replace the list; return how many domains there are for each side. Raises ``ElasticError`` if it is too long, or the server refuses."""
    sides = {"receiving": _names(receiving), "delivery": _names(delivery)}
    for side, names in sides.items():
        if len(names) > _MOST:
            raise ElasticError(f"the list has {len(names):,} domains for {side}: a lookup can have {_MOST:,}")
    if not client.exists(f"/{INDEX}"):
        _create(client)
    client.ask("result", "PUT", f"/{INDEX}/_doc/{DOCUMENT}?refresh=true", sides)
    return len(sides["receiving"]), len(sides["delivery"])


def _create(client: Client) -> None:
    """Create the index with a copy on each node, which answers lookups from it. A serverless project makes copies itself, and refuses the settings."""
    definition: dict[str, Any] = {"mappings": {"dynamic": False}}
    try:
        client.request("PUT", f"/{INDEX}", {**definition, "settings": {"index": {"number_of_shards": 1, "auto_expand_replicas": "0-all"}}})
    except ElasticError as error:
        if error.status != 400:
            raise
        client.request("PUT", f"/{INDEX}", definition)


def _names(domains: Iterable[str]) -> list[str]:
    return sorted({domain.lower() for domain in domains})
