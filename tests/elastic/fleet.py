"""The Fleet package on a server: its files are read, and loaded as Fleet loads them.

    python tests/elastic/fleet.py

writes the expected documents of its pipeline tests, and its sample events, as a server makes them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "python"), str(ROOT / "python" / "package")]

import fleet_package  # noqa: E402
from esatls.elastic.join import join  # noqa: E402
from esatls.elastic.streams import dataset, pattern, stream  # noqa: E402

from tests.elastic.jruby import read_yaml  # noqa: E402
from tests.elastic.server import Server  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterable

    from esatls.elastic.client import Client

TESTS = "data_stream/events/_dev/test/pipeline"
# as Kibana's Fleet has it: the time is cut to seconds
_FINAL = {
    "processors": [
        {"set": {"field": "event.ingested", "value": "{{{_ingest.timestamp}}}"}},
        {"script": {"source": "ctx.event.ingested = ctx.event.ingested.substring(0, 19) + 'Z'"}},
    ]
}
_HELD = "2026-03-03T09:20:00Z"


class Package:
    """The package as it is built, and what its developers have besides."""

    def __init__(self) -> None:
        """Build it, and read its YAML."""
        self.files = fleet_package.contents(source=True)
        self.yaml = read_yaml({name: content.decode() for name, content in self.files.items() if name.endswith(".yml")})
        self.version: str = self.yaml["manifest.yml"]["version"]

    @property
    def objects(self) -> list[dict[str, Any]]:
        """Kibana's saved objects."""
        return [json.loads(content) for name, content in self.files.items() if name.startswith("kibana/")]

    def pipeline(self, name: str) -> str:
        """Return the name that Fleet gives to an ingest pipeline of events."""
        return f"logs-{dataset('events')}-{self.version}{'' if name == 'default' else f'-{name}'}"

    def install(self, client: Client) -> None:
        """Load pipelines and templates, as Fleet does."""
        client.request("PUT", "/_ingest/pipeline/.fleet_final_pipeline-1", _FINAL)
        for name in ("other", "default"):
            steps = self.yaml[f"data_stream/events/elasticsearch/ingest_pipeline/{name}.yml"]
            text = json.dumps(steps).replace('{{ IngestPipeline \\"other\\" }}', self.pipeline("other"))
            pipeline = json.loads(text)
            if name == "default":
                # Fleet says ignore_missing_pipeline, which the test server does not know
                for own in ("global@custom", "logs@custom", "logs-esatls.integration@custom", "logs-esatls.events@custom"):
                    pipeline["processors"].append({"pipeline": {"name": own, "ignore_failure": True}})
            client.request("PUT", f"/_ingest/pipeline/{self.pipeline(name)}", pipeline)
        for kind in fleet_package.STREAMS:
            client.request("PUT", f"/_index_template/logs-{dataset(kind)}", self.template(kind))

    def template(self, kind: str) -> dict[str, Any]:
        """Return the index template that Fleet makes of the fields of a data stream."""
        properties: dict[str, Any] = {}
        for name, fields in self.yaml.items():
            if name.startswith(f"data_stream/{kind}/fields/"):
                for field in fields:
                    _put(properties, field)
        # the test server has no such field without a value
        del properties["data_stream"]["properties"]["namespace"]
        index: dict[str, Any] = {"final_pipeline": ".fleet_final_pipeline-1", "mapping": {"ignore_malformed": True}}
        if kind == "events":
            index["default_pipeline"] = self.pipeline("default")
        mappings = {**self.yaml[f"data_stream/{kind}/manifest.yml"]["elasticsearch"]["index_template"]["mappings"], "properties": properties}
        return {"index_patterns": [pattern(kind)], "priority": 200, "data_stream": {}, "template": {"settings": {"index": index}, "mappings": mappings}}

    def pipeline_tests(self) -> dict[str, list[str]]:
        """Return the lines of the pipeline tests, by file."""
        return {name: content.decode().splitlines() for name, content in self.files.items() if name.startswith(TESTS) and name.endswith(".log")}

    def simulate(self, client: Client, lines: Iterable[str]) -> list[dict[str, Any]]:
        """Return what the pipeline makes of lines, as Elastic's test runner asks for it; all come in at one time."""
        config = self.yaml[f"{TESTS}/test-common-config.yml"]
        assert [*config["dynamic_fields"]] == ["event.ingested"]
        documents = [{"_source": {**config["fields"], "message": line}} for line in lines]
        answer = client.request("POST", f"/_ingest/pipeline/{self.pipeline('default')}/_simulate", {"docs": documents})
        found = [item["doc"]["_source"] for item in answer["docs"]]
        for document in found:
            document["event"]["ingested"] = _HELD
        return found


def _put(properties: dict[str, Any], field: dict[str, Any]) -> None:
    *parents, leaf = field["name"].split(".")
    for parent in parents:
        properties = properties.setdefault(parent, {"properties": {}})["properties"]
    properties[leaf] = {name: value for name, value in field.items() if name not in {"name", "description"}}


def expected(package: Package, client: Client) -> dict[str, str]:
    """Return the files that say what the pipeline makes of the test lines."""
    return {f"{name}-expected.json": _text({"expected": package.simulate(client, lines)}) for name, lines in package.pipeline_tests().items()}


def samples(client: Client) -> dict[str, str]:
    """Return the sample events: of the sample log, indexed and joined on a server that has the package."""
    lines = (ROOT / "python/esatls/sample.log").read_text(encoding="utf-8").splitlines()
    agent = {
        "observer": {"hostname": "esa1.example.com"},
        "event": {"timezone": "+01:00"},
        "input": {"type": "filestream"},
        "tags": ["forwarded", "esatls-events"],
    }
    documents = [{"@timestamp": _HELD, "message": line, **json.loads(json.dumps(agent))} for line in lines]
    assert client.bulk([({"create": {"_index": stream("events")}}, document) for document in documents]) == []
    join(client, overlap=0)
    found = {
        "events": _one(client, "events", {"event.action": "tls_success"}),
        "connections": _one(client, "connections", {"esatls.icid": 4101}),
        "messages": _one(client, "messages", {"email.local_id": "7003"}),
        "runs": _one(client, "runs", {"event.action": "join"}),
    }
    found["runs"]["@timestamp"] = found["runs"]["event"]["start"] = found["runs"]["event"]["end"] = _HELD
    found["runs"]["event"]["duration"] = 1_000_000_000
    found["runs"]["esatls"]["run"]["read_to"] = _HELD
    for kind, document in found.items():
        document["event"]["ingested"] = _HELD
        document["esatls"].pop("record", None)
        document["data_stream"] = {"type": "logs", "dataset": dataset(kind), "namespace": "default"}
    return {f"data_stream/{kind}/sample_event.json": _text(document) for kind, document in found.items()}


def _one(client: Client, kind: str, term: dict[str, Any]) -> dict[str, Any]:
    client.request("POST", f"/{pattern(kind)}/_refresh")
    hits = client.request("POST", f"/{pattern(kind)}/_search", {"size": 1, "query": {"term": term}, "sort": ["@timestamp", "_seq_no"]})["hits"]["hits"]
    document: dict[str, Any] = hits[0]["_source"]
    return document


def _text(value: Any) -> str:
    return json.dumps(value, indent=4, sort_keys=True) + "\n"


def main() -> None:
    """Write the files."""
    server = Server()
    try:
        package = Package()
        package.install(server.client)
        for name, text in {**expected(package, server.client), **samples(server.client)}.items():
            (fleet_package.SOURCE / name).write_text(text, encoding="utf-8")
    finally:
        server.stop()


if __name__ == "__main__":
    main()
