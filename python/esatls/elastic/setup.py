"""Load templates, lifecycle policies and ingest pipelines into a search server; a second run changes nothing."""

from __future__ import annotations

import copy
import difflib
import json
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from esatls.elastic.client import ElasticError
from esatls.elastic.state import STATE
from esatls.elastic.streams import pattern, stream
from esatls.errors import UsageError
from esatls.lines.clock import USE_A_ZONE
from esatls.lines.clock import zone as time_zone

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from esatls.elastic.client import Client

_PACKAGED = Path(__file__).resolve().parent / "assets"
_CHECKOUT = Path(__file__).resolve().parents[3] / "logstash"
_EVENTS = "esatls-events"
_TEMPLATES = (_EVENTS, "esatls-connections", "esatls-messages", "esatls-runs", STATE)
# Templates of Elasticsearch 8.9 and later that say how ECS fields are mapped; ours add to them and take precedence.
_SERVER_TEMPLATES = ("logs@mappings", "logs@settings", "ecs@mappings")
_POLICIES = (_EVENTS, "esatls-records")
_OLDEST = {"elasticsearch": (8, 0), "opensearch": (2, 14)}
CUSTOM = {name: f"logs-{name.replace('-', '.')}@custom" for name in _TEMPLATES[:-1]}
"""Component templates in which users add to our templates, named as Elastic's own packages name them."""
CUSTOM_PIPELINE = "logs-esatls.events@custom"
"""The users' own pipeline, which runs after ours."""
_LONGEST_LINE = 160
_ADDED = frozenset({"hidden", "allow_custom_routing", "timestamp_field", "delete_searchable_snapshot", "created_date", "created_date_millis",
                    "modified_date", "modified_date_millis"})  # fmt: skip
"""What servers add to the definitions that they are given."""
_FAILURE_STORE = ((8, 19), (9, 1))
"""The first version of each major version that keeps documents which cannot be indexed."""


@dataclass(frozen=True)
class Step:
    """One thing to load: its name for people, its path on the server, and what is put there."""

    name: str
    path: str
    body: dict[str, Any]


@dataclass(frozen=True)
class Capabilities:
    """What the server is and has."""

    distribution: str
    version: tuple[int, ...]
    serverless: bool
    templates: tuple[str, ...]
    timezone: str = "UTC"
    """The zone of stamps that name none, as the last set-up left it."""
    policies: Mapping[str, Any] = field(default_factory=dict)
    """Lifecycle policies of the last set-up, by name."""
    retention: str | None = None
    """How long a serverless project keeps events, as the last set-up left it."""
    custom: tuple[str, ...] = ()
    """Users' own component templates and pipelines."""

    @property
    def has_lifecycle(self) -> bool:
        """Tell whether the server has index lifecycle policies: Elasticsearch does, unless it is serverless."""
        return self.distribution == "elasticsearch" and not self.serverless

    @property
    def ignores_missing(self) -> bool:
        """Tell whether the server ignores component templates and pipelines that do not exist, so that users may add theirs later."""
        return self.serverless or (self.distribution == "elasticsearch" and self.version >= (8, 7))

    @property
    def has_failure_store(self) -> bool:
        """Tell whether a data stream can keep the documents that it rejects."""
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
    raise ElasticError(f"{name} is missing from the package: install it again")


def capabilities(client: Client) -> Capabilities:
    """Ask the server what it is, and what an earlier set-up has left. Raises ``ElasticError`` if it is not a search server, or too old."""
    answer = client.request("GET", "/")
    if not isinstance(answer, dict) or not isinstance(answer.get("version"), dict):
        raise ElasticError(f"{client.url}: is not an Elasticsearch server")
    version = answer["version"]
    distribution = version.get("distribution", "elasticsearch")
    numbers = tuple(int(part) for part in re.findall(r"\d+", str(version.get("number", "")))[:3])
    serverless = version.get("build_flavor") == "serverless"
    if not serverless and numbers < _OLDEST.get(distribution, ()):
        raise ElasticError(
            f"{client.url}: {distribution} {version.get('number')} is too old: Elasticsearch 8.0 or later, or OpenSearch 2.14 or later, is needed"
        )
    present = tuple(name for name in _SERVER_TEMPLATES if client.exists(f"/_component_template/{name}"))
    known = Capabilities(distribution, numbers, serverless, present)
    places = () if known.ignores_missing else (*(f"/_component_template/{name}" for name in CUSTOM.values()), f"/_ingest/pipeline/{CUSTOM_PIPELINE}")
    custom = {path.rpartition("/")[2] for path in places if client.exists(path)}
    pipeline = _present(client, "/_ingest/pipeline/esatls")
    zones = [zone for step in (pipeline or {}).get("processors", ()) if (zone := step.get("script", {}).get("params", {}).get("zone"))]
    policies = {name: _present(client, f"/_ilm/policy/{name}") for name in _POLICIES} if known.has_lifecycle else {}
    events = (_present(client, f"/_index_template/{_EVENTS}") or {}) if serverless else {}
    return replace(
        known,
        custom=tuple(sorted(custom)),
        timezone=zones[0] if zones else "UTC",
        policies={name: policy for name, policy in policies.items() if policy},
        retention=events.get("template", {}).get("lifecycle", {}).get("data_retention"),
    )


def check_time_zone(client: Client, name: str) -> None:
    """Raise ``UsageError`` for a time zone that does not exist, or that the server, which reads the stamps, does not know: its names are Java's."""
    time_zone(name)
    pipeline = {"processors": [{"script": {"source": "ZoneId.of(params.zone)", "params": {"zone": name}}}]}
    answer = client.ask("docs", "POST", "/_ingest/pipeline/_simulate", {"pipeline": pipeline, "docs": [{"_source": {}}]})
    if any("error" in one for one in answer["docs"]):
        raise UsageError(f"the server does not know the time zone {name}: {USE_A_ZONE}")


def server_steps(known: Capabilities, *, timezone: str | None = None, retention_days: int | None = None) -> Iterator[Step]:
    """Yield what is to be loaded into the search server.

    ``timezone`` is the zone of stamps that name none (an IANA name or an offset). Servers that have lifecycles delete events and records older than
    ``retention_days``. If one of them is None, the server keeps what it has.
    """
    timezone = timezone or known.timezone
    time_zone(timezone)
    if known.has_lifecycle:
        for name in _POLICIES:
            # users add phases to a policy: in an existing one, only the days are changed
            policy: dict[str, Any] = (
                json.loads(asset(f"elasticsearch/lifecycle-{name}.json")) if name not in known.policies else {"policy": known.policies[name]}
            )
            if retention_days is not None:
                policy = copy.deepcopy(policy)
                policy["policy"]["phases"].setdefault("delete", {"actions": {"delete": {}}})["min_age"] = f"{retention_days}d"
            yield Step(f"lifecycle {name}", f"/_ilm/policy/{name}", policy)
    # a pipeline must exist before the one that calls it
    for name in ("esatls-other", "esatls", "esatls-cisco", "esatls-parsed"):
        pipeline = json.loads(asset(f"elasticsearch/ingest-pipeline-{name}.json"))
        for processor in pipeline["processors"]:
            params = processor.get("script", {}).get("params", {})
            if "zone" in params:
                params["zone"] = timezone
        if not known.ignores_missing:
            pipeline["processors"] = [step for step in map(_plain, pipeline["processors"]) if _named(step) in {None, "esatls", "esatls-other", *known.custom}]
        yield Step(f"ingest pipeline {name}", f"/_ingest/pipeline/{name}", pipeline)
    for name in _TEMPLATES:
        yield Step(f"index template {name}", f"/_index_template/{name}", _template(name, known, retention_days))


def _template(name: str, known: Capabilities, retention_days: int | None) -> dict[str, Any]:
    """Return an index template in a form that the server accepts."""
    template: dict[str, Any] = json.loads(asset(f"elasticsearch/index-template-{name}.json"))
    own = template["composed_of"]
    if not known.ignores_missing:
        template.pop("ignore_missing_component_templates", None)
        own = [one for one in own if one in known.custom]
    template["composed_of"] = [*(one for one in known.templates if name == _EVENTS or (name != STATE and one == "ecs@mappings")), *own]
    if not known.has_lifecycle:
        template["template"]["settings"]["index"].pop("lifecycle", None)
    if known.serverless:
        # a serverless project chooses its shards itself, and refuses the setting
        template["template"]["settings"]["index"].pop("number_of_shards", None)
    if name != STATE and known.serverless:
        # the server adds what is missing, and the next set-up would find a difference
        template["template"]["lifecycle"] = {"enabled": True, "data_retention": f"{retention_days}d" if retention_days else known.retention or "365d"}
    if name == _EVENTS and known.has_failure_store:
        template["template"]["data_stream_options"] = {"failure_store": {"enabled": True}}
    return template


def _plain(step: dict[str, Any]) -> dict[str, Any]:
    """Return a step of a pipeline in a form for servers that cannot ignore missing pipelines."""
    return {verb: {name: value for name, value in options.items() if name != "ignore_missing_pipeline"} for verb, options in step.items()}


def _named(step: dict[str, Any]) -> str | None:
    """Return the pipeline that a step calls."""
    name: str | None = step.get("pipeline", {}).get("name")
    return name


@dataclass(frozen=True)
class Change:
    """What loading one thing changes on the server."""

    is_new: bool
    difference: tuple[str, ...]
    """The lines that differ, as `diff -u` shows them; none if nothing differs."""

    @property
    def is_needed(self) -> bool:
        """Tell whether there is anything to load."""
        return self.is_new or bool(self.difference)

    def in_words(self, will: str = "") -> str:
        """Return what happens, or what would."""
        return f"{will}{'created' if self.is_new else 'updated'}" if self.is_needed else "unchanged"


def change(step: Step, client: Client) -> Change:
    """Compare a thing with what the server has."""
    wanted = {**step.body.get("policy", step.body)}
    present = _present(client, step.path)
    if present is None:
        return Change(is_new=True, difference=())
    before, after = (json.dumps(_normal(value), indent=1, sort_keys=True).splitlines() for value in (present, wanted))
    lines = [line[:_LONGEST_LINE] for line in difflib.unified_diff(before, after, lineterm="", n=1) if not line.startswith(("---", "+++", "@@"))]
    return Change(is_new=False, difference=tuple(lines))


def perform(step: Step, client: Client) -> None:
    """Load one thing. Raises ``ElasticError`` if the server refuses."""
    client.request("PUT", step.path, step.body)


def rollovers(step: Step, client: Client) -> list[str]:
    """Return the requests that roll over the data streams of an index template. Until then, these keep the mappings with which they were created."""
    kind, _, name = step.path[1:].partition("/")
    if kind != "_index_template" or name == STATE:
        return []
    kind = name.partition("-")[2]
    try:
        found = [one["name"] for one in client.ask("data_streams", "GET", f"/_data_stream/{pattern(kind)}")["data_streams"]]
    except ElasticError as error:
        if error.status not in {403, 404}:
            raise
        # the key has no privileges on indices: there probably is one, because there was a template
        found = [stream(kind)] if error.status == 403 else []
    return [f"POST /{one}/_rollover" for one in found]


def _present(client: Client, path: str) -> dict[str, Any] | None:
    """Return a policy, a pipeline or a template as the server has it; None if it has none."""
    try:
        answer = client.request("GET", path)
    except ElasticError as error:
        if error.status == 404:
            return None
        raise
    name = path.rpartition("/")[2]
    if not isinstance(answer, dict):
        return None
    if "index_templates" in answer:
        return next((one["index_template"] for one in answer["index_templates"] if one["name"] == name), None)
    found = answer.get(name)
    return found.get("policy", found) if isinstance(found, dict) else None


def _normal(value: Any) -> Any:
    """Return a definition without what servers add to it, and with values as they write them."""
    if isinstance(value, dict):
        parts = {name: _normal(part) for name, part in value.items() if name not in _ADDED}
        # an empty part means the same as none
        return {name: part for name, part in parts.items() if part not in ({}, [], None)}
    if isinstance(value, list):
        return [_normal(part) for part in value]
    return value if isinstance(value, str) else json.dumps(value)
