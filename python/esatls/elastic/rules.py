"""Load alerts and detections into Kibana. New ones are switched off, and existing ones stay as their users have changed them."""

from __future__ import annotations

import hashlib
import json
import uuid
from typing import TYPE_CHECKING, Any, NamedTuple

from esatls.elastic.client import ElasticError
from esatls.elastic.setup import asset

if TYPE_CHECKING:
    from esatls.elastic.client import Client

IMPORT = "/api/detection_engine/rules/_import"
"""The path of the detection engine's request that imports a file of rules."""
_HEADERS = {"kbn-xsrf": "true"}
_PRESENT = 409


class Loaded(NamedTuple):
    """How many rules were created, and how many existed already."""

    created: int
    present: int


def load_alerts(client: Client, space: str = "") -> Loaded:
    """Create the alerts in a space. Raises ``ElasticError`` if Kibana refuses one."""
    created = present = 0
    for line in asset("kibana/alerts.ndjson").splitlines():
        rule = json.loads(line)
        try:
            client.request("POST", f"{_of(space)}/api/alerting/rule/{id_in(space, rule.pop('id'))}", rule, _HEADERS)
        except ElasticError as error:
            if error.status != _PRESENT:
                raise
            present += 1
        else:
            created += 1
    return Loaded(created, present)


def load_detections(client: Client, space: str = "") -> Loaded:
    """Create the detections in a space. Raises ``ElasticError`` if Kibana refuses one."""
    text = asset("kibana/detections.ndjson")
    answer = client.upload(f"{_of(space)}{IMPORT}", "detections.ndjson", text.encode(), _HEADERS)
    errors: list[dict[str, Any]] = answer.get("errors", []) if isinstance(answer, dict) else [{"error": {"message": str(answer)}}]
    reasons = [one["error"] for one in errors if one.get("error", {}).get("status_code") != _PRESENT]
    if reasons:
        raise ElasticError(f"{client.url}: Kibana rejected the detections: {'; '.join(str(one.get('message')) for one in reasons[:3])}")
    return Loaded(len(text.splitlines()) - len(errors), len(errors))


def id_in(space: str, rule: str) -> str:
    """Return the id of an alert in a space: ids must differ between spaces, and Kibana only accepts random UUIDs (version 4)."""
    if space in {"", "default"}:
        return rule
    return str(uuid.UUID(bytes=hashlib.sha256(f"{space}/{rule}".encode()).digest()[:16], version=4))


def _of(space: str) -> str:
    return f"/s/{space}" if space else ""
