"""Builds the Fleet integration package: what `logstash/` has for servers without Fleet, in the form of Elastic's package specification.

Index templates become fields, ingest pipelines become YAML, and dashboards look at `logs-*`. Files only for this package are in `logstash/fleet/`.
"""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any

import yaml_text
from archives import ROOT, version, write, zipped

sys.path.insert(0, str(ROOT / "python"))
from esatls.elastic.documents import connection_path, delivery_path, message_path
from esatls.extraction.fields import CONNECTION_FIELDS, DELIVERY_FIELDS, FIELDS, MESSAGE_FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = "esatls"
STREAMS = ("events", "connections", "messages", "runs")
SOURCE = ROOT / "logstash" / "fleet"
_ELASTIC = ROOT / "logstash" / "elasticsearch"
_KIBANA = ROOT / "logstash" / "kibana"
_VIEW = "logs-*"
# fields that are not in the field table; those of the Elastic Common Schema are described as it describes them
_OTHERS = {
    "@timestamp": "Time of the line, or of the first line of a connection or a message",
    "data_stream.dataset": "Data set of the data stream",
    "data_stream.namespace": "Namespace of the data stream",
    "data_stream.type": "Type of the data stream",
    "ecs.version": "Version of the Elastic Common Schema",
    "email.direction": "inbound or outbound",
    "error.message": "What went wrong",
    "event.category": "email, and network for what happens to a connection",
    "event.dataset": "Data set",
    "event.duration": "Duration in nanoseconds",
    "event.end": "When it ended",
    "event.ingested": "When the document came in",
    "event.kind": "event, or pipeline_error",
    "event.module": "esatls",
    "event.original": "The line as it was logged, if a shipper keeps it here",
    "event.outcome": "success, failure or unknown",
    "event.start": "When it began",
    "event.timezone": "Time zone of timestamps that do not name one",
    "event.type": "Kind of event within its category",
    "log.file.path": "File that the line was read from",
    "log.source.address": "Address that sent the line",
    "message": "The line as it was logged",
    "network.protocol": "smtp",
    "network.transport": "tcp",
    "network.type": "ipv4 or ipv6",
    "observer.product": "Product",
    "observer.type": "Type of the appliance",
    "observer.vendor": "Vendor",
    "related.hosts": "Names of the other side",
    "related.ip": "Addresses in the document",
    "related.user": "Envelope addresses",
    "tags": "Tags, for example of a step that failed",
    "tls.established": "Whether TLS came up",
    "tls.version_protocol": "tls or ssl",
    "esatls.deliveries.tls.version_protocol": "tls or ssl",
    "esatls.delivered.cleartext_partner": "Those of them to which it went in clear text, at least in part",
    "esatls.delivered.partner": "Domains of the recipients of a message that went out",
    "esatls.delivered.unknown_partner": "Those partners for which the log does not show how it was delivered",
    "esatls.partner": "Best name for the other side that the log contains",
    "esatls.path": "The path of the message, hop by hop, in words",
    "esatls.received.partner": "Domain of the sender of a message that came in",
    "esatls.received.tls.version_protocol": "tls or ssl",
    "esatls.record.digest": "Digest of the record",
    "esatls.record.since": "When the first of its events came in",
    "esatls.record.writer": "Command that wrote the record: join or load",
    "esatls.run.connections": "Connections written",
    "esatls.run.contradictions": "Appliances whose ids contradict each other",
    "esatls.run.deleted": "Stale documents deleted",
    "esatls.run.events": "Events read",
    "esatls.run.messages": "Messages written",
    "esatls.run.read_to": "Time up to which events are joined",
    "esatls.run.refused": "Documents that the server rejected",
    "esatls.run.unchanged": "Documents that did not change",
    "esatls.run.version": "Version of esatls",
}
# fields that an agent adds to a line
_AGENTS = {"input.type": {"type": "keyword"}, "log.offset": {"type": "long"}, "log.file.path": {"type": "keyword"}, "log.source.address": {"type": "keyword"}}
_OTHERS |= {"input.type": "Input of the agent", "log.offset": "Position of the line in its file"}


def descriptions() -> dict[str, str]:
    """Return the description of each field, by its dotted name."""
    found = {f"esatls.deliveries.{delivery_path(field.name)}": field.description for field in DELIVERY_FIELDS}
    found |= {message_path(field.name): field.description for field in MESSAGE_FIELDS}
    found |= {connection_path(field.name): field.description for field in CONNECTION_FIELDS}
    found |= {path: field.description for field in FIELDS for path in field.ecs}
    return found | _OTHERS


def fields(kind: str) -> dict[str, list[dict[str, Any]]]:
    """Return the field definitions of a data stream, by file."""
    said = descriptions()
    types = dict(_leaves(_template(kind)["mappings"]["properties"]))
    # Fleet adds to it by itself
    types["@timestamp"] = {"type": "date"}
    types["data_stream.namespace"] = {"type": "constant_keyword"}
    if kind == "events":
        types |= _AGENTS
    files: dict[str, list[dict[str, Any]]] = {"base-fields": [], "ecs": [], "fields": []}
    for path, mapping in sorted(types.items()):
        share = re.fullmatch(r"esatls\.(?:\w+\.)?share\.(\w+)", path)
        description = f"1 where the verdict is {share[1]}, 0 where it is another that counts" if share else said[path]
        place = (
            "base-fields"
            if path == "@timestamp" or path.startswith("data_stream.")
            else "fields"
            if path.startswith(("esatls.", "input.", "log.offset"))
            else "ecs"
        )
        files[place].append({"name": path, **mapping, "description": f"{description}."})
    return {name: found for name, found in files.items() if found}


def _template(kind: str) -> dict[str, Any]:
    template: dict[str, Any] = json.loads((_ELASTIC / f"index-template-esatls-{kind}.json").read_text(encoding="utf-8"))["template"]
    return template


def _leaves(properties: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, mapping in properties.items():
        if "properties" in mapping:
            yield from _leaves(mapping["properties"], f"{prefix}{name}.")
        else:
            yield prefix + name, mapping


def pipelines() -> dict[str, dict[str, Any]]:
    """Return the ingest pipelines of events, by file. Fleet renames them, and calls the user's own pipelines itself."""
    found = {}
    for name, file in (("default", "esatls"), ("other", "esatls-other")):
        text = (_ELASTIC / f"ingest-pipeline-{file}.json").read_text(encoding="utf-8")
        pipeline = json.loads(text.replace('"name": "esatls-other"', r'"name": "{{ IngestPipeline \"other\" }}"'))
        pipeline["processors"] = [step for step in pipeline["processors"] if not step.get("pipeline", {}).get("name", "").endswith("@custom")]
        found[name] = pipeline
    return found


def manifest(kind: str) -> str:
    """Return the manifest of a data stream: its file in `logstash/fleet/`, and what the mapping contains besides fields."""
    own: str = (SOURCE / "data_stream" / kind / "manifest.yml").read_text(encoding="utf-8")
    # the index settings come from Fleet's own templates
    mappings = {name: value for name, value in _template(kind)["mappings"].items() if name != "properties"}
    rest: str = yaml_text.text({"elasticsearch": {"index_template": {"mappings": mappings}}})
    return own + rest.partition("\n")[2]


def assets() -> dict[str, dict[str, Any]]:
    """Return Kibana's saved objects, by file."""
    found = {}
    for line in (_KIBANA / "dashboards.ndjson").read_text(encoding="utf-8").splitlines():
        one = json.loads(line.replace('"managed":false,', ""))
        if one["type"] != "index-pattern":
            for reference in one["references"]:
                _look_at_all(reference)
            if "panelsJSON" in one["attributes"]:
                panels = json.loads(one["attributes"]["panelsJSON"])
                for reference in (reference for panel in panels for reference in panel["embeddableConfig"].get("attributes", {}).get("references", ())):
                    _look_at_all(reference)
                one["attributes"]["panelsJSON"] = json.dumps(panels, sort_keys=True, separators=(",", ":"))
            found[f"kibana/{one['type']}/{one['id']}.json"] = one
    for line in (_KIBANA / "alerts.ndjson").read_text(encoding="utf-8").splitlines():
        alert = json.loads(line)
        # Kibana 9.2.1 and later offer these for new rules; earlier ones ignore them
        attributes = {
            "name": alert["name"],
            "tags": alert["tags"],
            "ruleTypeId": alert["rule_type_id"],
            "schedule": alert["schedule"],
            "params": alert["params"],
        }
        name = f"{NAME}-{alert['id']}"
        versions = {"coreMigrationVersion": "8.8.0", "typeMigrationVersion": "10.1.0"}
        found[f"kibana/alerting_rule_template/{name}.json"] = {
            "id": name,
            "type": "alerting_rule_template",
            "attributes": attributes,
            "references": [],
            **versions,
        }
    return found


def _look_at_all(reference: dict[str, Any]) -> None:
    if reference["type"] == "index-pattern":
        reference["id"] = _VIEW


def contents(*, source: bool = False) -> dict[str, bytes]:
    """Return all files of the package by their path in it; with ``source``, also files for developers, for example pipeline tests."""
    files: dict[str, bytes] = {}
    for path in sorted(SOURCE.rglob("*")):
        inside = path.relative_to(SOURCE).as_posix()
        if path.is_file() and (source or "_dev" not in inside.split("/")):
            files[inside] = path.read_bytes()
    for name in ("manifest.yml", "changelog.yml"):
        files[name] = files[name].replace(b"{version}", version().encode())
    tables = {}
    for kind in STREAMS:
        folder = f"data_stream/{kind}"
        files[f"{folder}/manifest.yml"] = manifest(kind).encode()
        found = fields(kind)
        files |= {f"{folder}/fields/{name}.yml": yaml_text.text(one).encode() for name, one in found.items()}
        rows = sorted((one["name"], one["description"], one["type"]) for part in found.values() for one in part)
        tables[kind] = "| Field | Description | Type |\n|---|---|---|\n" + "".join("| {} | {} | {} |\n".format(*row) for row in rows)
    for name, pipeline in pipelines().items():
        files[f"data_stream/events/elasticsearch/ingest_pipeline/{name}.yml"] = yaml_text.text(pipeline).encode()
    files |= {path: (json.dumps(one, indent=2) + "\n").encode() for path, one in assets().items()}
    readme = files["docs/README.md"].decode().replace("{version}", version())
    for kind, table in tables.items():
        readme = readme.replace(f"{{fields {kind}}}\n", table)
    files["docs/README.md"] = readme.encode()
    files["LICENSE.txt"] = (ROOT / "LICENSE").read_bytes()
    return files


def build(output: Path) -> list[Path]:
    """Write the package to `output`, as a ZIP file that Kibana accepts."""
    top = f"{NAME}-{version()}"
    return [write(output, f"{top}.zip", zipped({f"{top}/{name}": content for name, content in contents().items()}))]
