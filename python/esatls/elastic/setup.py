"""Load templates, lifecycle, ingest pipeline and dashboards into a server; a second run changes nothing."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from esatls.elastic.client import Client, ElasticError
from esatls.elastic.state import RUNS, STATE
from esatls.lines.clock import zone as time_zone

if TYPE_CHECKING:
    from collections.abc import Iterator

_PACKAGED = Path(__file__).resolve().parent / "assets"
_CHECKOUT = Path(__file__).resolve().parents[3] / "logstash"
_EVENTS = "esatls-events"
_TEMPLATES = (_EVENTS, "esatls-connections", "esatls-messages", RUNS, STATE)
# Templates of Elasticsearch 8.9 and later that say how ECS fields are mapped; ours add to them and go before them.
_SERVER_TEMPLATES = ("logs@mappings", "logs@settings", "ecs@mappings")
_FAILURE_STORE = ((8, 19), (9, 1))
"""First versions of each line that keep documents which cannot be indexed."""


@dataclass(frozen=True)
class Step:
    """One thing to load: what a person calls it, and the request that loads it."""

    name: str
    method: str
    path: str
    body: Any
    kibana: bool = False


@dataclass(frozen=True)
class Capabilities:
    """What the server is and has."""

    distribution: str
    version: tuple[int, ...]
    serverless: bool
    templates: tuple[str, ...]

    @property
    def has_lifecycle(self) -> bool:
        """Tell whether it knows index lifecycle policies: Elasticsearch does, unless it is serverless."""
        return self.distribution == "elasticsearch" and not self.serverless

    @property
    def has_failure_store(self) -> bool:
        """Tell whether a data stream can keep the documents that it refuses."""
        if self.distribution != "elasticsearch":
            return False
        floors = [first for first in _FAILURE_STORE if first[:1] == self.version[:1]]
        return self.serverless or (self.version >= floors[0] if floors else self.version > _FAILURE_STORE[-1])


def asset(name: str) -> str:
    """Return one of the files of ``logstash/``: from the installed package, or from the checkout."""
    for folder in (_PACKAGED, _CHECKOUT):
        path = folder / name
        if path.is_file():
            return path.read_text(encoding="utf-8")
    message = f"{name} is missing from the package: install it again"
    raise ElasticError(message)


def capabilities(client: Client) -> Capabilities:
    """Ask the server what it is."""
    answer = client.request("GET", "/")
    if not isinstance(answer, dict) or not isinstance(answer.get("version"), dict):
        message = f"{client.url}: is not an Elasticsearch server"
        raise ElasticError(message)
    version = answer["version"]
    numbers = tuple(int(part) for part in re.findall(r"\d+", str(version.get("number", "")))[:3])
    present = tuple(name for name in _SERVER_TEMPLATES if client.exists(f"/_component_template/{name}"))
    return Capabilities(version.get("distribution", "elasticsearch"), numbers, version.get("build_flavor") == "serverless", present)


def kibana_answers(client: Client) -> None:
    """Ask Kibana what it is; raises ``ElasticError`` where none answers."""
    try:
        answer = client.request("GET", "/api/status")
    except ElasticError as error:
        if error.status not in {400, 404, 405}:
            raise
        answer = None
    # whom it does not know, Kibana tells its status alone
    if not isinstance(answer, dict) or not isinstance(answer.get("status"), dict):
        message = f"{client.url}: is not a Kibana server"
        raise ElasticError(message)


def server_steps(known: Capabilities, *, timezone: str = "UTC", retention_days: int = 365) -> Iterator[Step]:
    """Yield what is to be loaded into the search server.

    ``timezone`` is that of stamps which name none (an IANA name). Events and records older than ``retention_days`` are deleted, by
    servers that have lifecycles.
    """
    time_zone(timezone)
    if known.has_lifecycle:
        for name in (_EVENTS, "esatls-records"):
            policy = json.loads(asset(f"elasticsearch/lifecycle-{name}.json"))
            policy["policy"]["phases"]["delete"]["min_age"] = f"{retention_days}d"
            yield Step(f"lifecycle {name}", "PUT", f"/_ilm/policy/{name}", policy)
    # the first calls the second, which must be there before it
    for name in ("esatls-other", "esatls"):
        pipeline = json.loads(asset(f"elasticsearch/ingest-pipeline-{name}.json"))
        for processor in pipeline["processors"]:
            params = processor.get("script", {}).get("params", {})
            if "zone" in params:
                params["zone"] = timezone
        yield Step(f"ingest pipeline {name}", "PUT", f"/_ingest/pipeline/{name}", pipeline)
    for name in _TEMPLATES:
        template = json.loads(asset(f"elasticsearch/index-template-{name}.json"))
        if name != STATE:
            template["composed_of"] = [*known.templates] if name == _EVENTS else [one for one in known.templates if one == "ecs@mappings"]
        if not known.has_lifecycle:
            template["template"]["settings"]["index"].pop("lifecycle", None)
        if known.serverless and name == _EVENTS:
            template["template"]["lifecycle"] = {"data_retention": f"{retention_days}d"}
        if known.has_failure_store and name == _EVENTS:
            template["template"]["data_stream_options"] = {"failure_store": {"enabled": True}}
        yield Step(f"index template {name}", "PUT", f"/_index_template/{name}", template)


def kibana_steps(space: str = "") -> Iterator[Step]:
    """Yield what is to be loaded into Kibana, into its default space or another one."""
    prefix = f"/s/{space}" if space else ""
    yield Step(
        "dashboards, searches and data views",
        "POST",
        f"{prefix}/api/saved_objects/_import?overwrite=true",
        asset("kibana/dashboards.ndjson").encode(),
        kibana=True,
    )


def perform(step: Step, client: Client) -> str:
    """Load one thing; return what happened, in a few words. Raises ``ElasticError`` where the server refuses."""
    if not step.kibana:
        client.request(step.method, step.path, step.body)
        return "loaded"
    answer = client.upload(step.path, "dashboards.ndjson", step.body, {"kbn-xsrf": "true"})
    if not isinstance(answer, dict) or not answer.get("success"):
        errors = answer.get("errors", []) if isinstance(answer, dict) else []
        reasons = "; ".join(f"{error.get('type')} {error.get('id')}: {error.get('error', {}).get('type')}" for error in errors[:3])
        message = f"{client.url}: Kibana rejected the dashboards: {reasons or answer}"
        raise ElasticError(message)
    return f"loaded {answer.get('successCount', 0)} objects"
