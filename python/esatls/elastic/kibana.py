"""Load dashboards, alerts and detections into Kibana. New alerts and detections are switched off, and existing ones stay as their users have changed them."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from typing import TYPE_CHECKING, Any, NamedTuple

from esatls.elastic.client import ElasticError
from esatls.elastic.setup import asset

if TYPE_CHECKING:
    from esatls.elastic.client import Client

DASHBOARDS = "/api/saved_objects/_import?overwrite=true"
"""The path of the request that imports the file of dashboards."""
DETECTIONS = "/api/detection_engine/rules/_import"
"""The path of the detection engine's request that imports a file of rules."""
_OLDEST = (8, 8)
OLDEST_FOR_RULES = (8, 14)
"""The first version of Kibana whose rules can have ES|QL."""
_HEADERS = {"kbn-xsrf": "true"}
_PRESENT = 409


def check_kibana(client: Client, oldest: tuple[int, int] = _OLDEST) -> None:
    """Ask Kibana for its version. Raises ``ElasticError`` if no Kibana answers, or one that is too old."""
    try:
        answer = client.request("GET", "/api/status")
    except ElasticError as error:
        if error.status not in {400, 404, 405}:
            raise
        answer = None
    # without valid credentials, Kibana shows only its status
    if not isinstance(answer, dict) or not isinstance(answer.get("status"), dict):
        raise ElasticError(f"{client.url}: is not a Kibana server")
    number = str(answer.get("version", {}).get("number", "")) if isinstance(answer.get("version"), dict) else ""
    if number and tuple(int(part) for part in re.findall(r"\d+", number)[:2]) < oldest:
        raise ElasticError(f"{client.url}: Kibana {number} is too old: {oldest[0]}.{oldest[1]} or later is needed")


def load_dashboards(client: Client, space: str) -> int:
    """Load the dashboards into Kibana, its default space or another one; return the number of objects. Raises ``ElasticError`` if it refuses."""
    answer = client.upload(_in(space, DASHBOARDS), "dashboards.ndjson", asset("kibana/dashboards.ndjson").encode(), _HEADERS)
    if not isinstance(answer, dict) or not answer.get("success"):
        errors = answer.get("errors", []) if isinstance(answer, dict) else []
        reasons = "; ".join(f"{error.get('type')} {error.get('id')}: {error.get('error', {}).get('type')}" for error in errors[:3])
        raise ElasticError(f"{client.url}: Kibana rejected the dashboards: {reasons or answer}")
    return int(answer.get("successCount", 0))


class Loaded(NamedTuple):
    """How many rules were created, and how many existed already."""

    created: int
    present: int


def load_alerts(client: Client, space: str) -> Loaded:
    """Create the alerts in a space. Raises ``ElasticError`` if Kibana refuses one."""
    created = present = 0
    for line in asset("kibana/alerts.ndjson").splitlines():
        rule = json.loads(line)
        try:
            client.request("POST", _in(space, f"/api/alerting/rule/{id_in(space, rule.pop('id'))}"), rule, _HEADERS)
        except ElasticError as error:
            if error.status != _PRESENT:
                raise
            present += 1
        else:
            created += 1
    return Loaded(created, present)


def load_detections(client: Client, space: str) -> Loaded:
    """Create the detections in a space. Raises ``ElasticError`` if Kibana refuses one."""
    text = asset("kibana/detections.ndjson")
    answer = client.upload(_in(space, DETECTIONS), "detections.ndjson", text.encode(), _HEADERS)
    errors: list[dict[str, Any]] = answer.get("errors", []) if isinstance(answer, dict) else [{"error": {"message": str(answer)}}]
    reasons = [one["error"] for one in errors if one.get("error", {}).get("status_code") != _PRESENT]
    if reasons:
        raise ElasticError(f"{client.url}: Kibana rejected the detections: {'; '.join(str(one.get('message')) for one in reasons[:3])}")
    return Loaded(len(text.splitlines()) - len(errors), len(errors))


def id_in(space: str, rule: str) -> str:
    """Return the id of an alert in a space: ids must differ between spaces."""
    return rule if space in {"", "default"} else uuid_of(f"{space}/{rule}")


def uuid_of(text: str) -> str:
    """Return a UUID made from a text; it looks like a random one (version 4), because Kibana accepts no other."""
    return str(uuid.UUID(bytes=hashlib.sha256(text.encode()).digest()[:16], version=4))


def _in(space: str, path: str) -> str:
    """Return the path of a request in a space; "": the default one."""
    return f"/s/{space}{path}" if space else path
