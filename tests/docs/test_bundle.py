"""The Elastic bundle set up by hand, with the commands of its README, is what `esatls elastic setup` loads."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING, Any

import pytest
from esatls.elastic import load as loading
from esatls.elastic import setup as setting_up
from esatls.elastic.client import Client
from esatls.elastic.join import RIGHTS as JOIN
from esatls.elastic.kibana import DASHBOARDS

from tests.docs.examples import ROOT, blocks
from tests.elastic.test_setup import StandIn

if TYPE_CHECKING:
    from pathlib import Path

sys.path.insert(0, str(ROOT / "python" / "package"))
import elastic_package


def test_commands_send_what_the_setup_sends(tmp_path: Path) -> None:
    """Each request, in order, has the same method, path and body; a stand-in answers, because Kibana and lifecycles cannot be started here."""
    if not shutil.which("curl"):
        pytest.skip("needs curl: apt-get install curl")
    (bundle,) = elastic_package.build(tmp_path)
    with tarfile.open(bundle) as tar:
        tar.extractall(tmp_path / "logstash", filter="data") if sys.version_info >= (3, 12) else tar.extractall(tmp_path / "logstash")  # noqa: S202
    known = setting_up.Capabilities("elasticsearch", (8, 7, 0), serverless=False, templates=())
    steps = [*setting_up.server_steps(known)]
    with StandIn({path.partition("?")[0]: (200, {}) for path in (*(step.path for step in steps), DASHBOARDS)}) as server:
        (commands,) = [block.text for block in blocks("logstash/README.md") if block.language == "sh"]
        for address in ("https://elastic.example.com:9200", "https://kibana.example.com:5601"):
            commands = commands.replace(address, server.url)
        done = subprocess.run(["sh", "-e", "-c", commands.replace("/etc/logstash", str(tmp_path / "logstash"))], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [(method, path) for method, path, _, _ in server.requests] == [*(("PUT", step.path) for step in steps), ("POST", DASHBOARDS)]
    sent = [json.loads(body) for _, _, _, body in server.requests[:-1]]
    assert sent == [step.body for step in steps]
    *_, headers, body = server.requests[-1]
    assert headers["kbn-xsrf"] == "true"
    assert setting_up.asset("kibana/dashboards.ndjson").encode() in body


# What Elasticsearch wants for each request: the right, and on the cluster or on which indices. Without a pattern: those named in the path or the body.
RIGHTS = (
    (r"GET /", "monitor"), (r"GET /_component_template/.*", "manage_index_templates"), (r"(?:GET|PUT) /_index_template/.*", "manage_index_templates"),
    (r"(?:GET|PUT) /_ilm/policy/.*", "manage_ilm"), (r"(?:GET|PUT) /_ingest/pipeline/.*", "manage_ingest_pipelines"),
    (r"POST /_bulk", "auto_configure index"),
    # a command goes on if it may not ask
    (r"POST /_index_template/_simulate_index/.*", ""),
    (r"POST /(logs-esatls\..*)-default/_(?:search|field_caps)", "read"), (r"POST /(logs-esatls\..*)-default/_refresh", "maintenance"),
)  # fmt: skip
# a document that was written meanwhile: it is looked for again
CONFLICT = {"create": {"_index": "logs-esatls.messages-default", "_id": "7", "status": 409, "error": {"reason": "document already exists"}}}
RECORDS = ("logs-esatls.connections-*", "logs-esatls.messages-*")


def test_rights_that_the_keys_need() -> None:
    """The README's table names the rights that the requests of each command need, and no others."""
    stream = "/logs-esatls.messages-default"
    answers: dict[str, Any] = {
        "/": {"version": {"number": "8.19.0"}},
        "/_bulk": {"errors": True, "items": [CONFLICT]},
        f"{stream}/_search": {"hits": {"hits": []}},
    }
    answers |= {f"{stream}/_refresh": {"_shards": {}}, f"{stream}/_field_caps": {"indices": [], "fields": {}}}
    with StandIn({path: (200, answer) for path, answer in answers.items()}) as server:
        client = Client(server.url)
        record = json.dumps({"mid": 7, "received": "unknown", "delivered": "none", "first_seen": "2026-03-03T08:14:06Z", "deliveries": []})
        # the tests of the join hold it to these
        needed: dict[str, dict[str, set[str]]] = {"join": {place: {*rights} for place, rights in JOIN.items()}}
        for command in ("setup", "load"):
            server.requests.clear()
            if command == "setup":
                known = setting_up.capabilities(client)
                requests = [f"PUT {step.path}" for step in setting_up.server_steps(known)]
            else:
                requests = []
                assert loading.load(client, [[record]]) == (0, 1)
            requests += [f"{method} {path.partition('?')[0]}" for method, path, _, _ in server.requests]
            rights = needed[command] = {}
            for request in requests:
                ((found, names),) = [(found, names) for pattern, names in RIGHTS for found in [re.fullmatch(pattern, request)] if found]
                on = RECORDS if "_bulk" in request or found.re.groups else ("cluster",)
                for place in on:
                    rights.setdefault(place, set()).update(names.split())
    text = (ROOT / "logstash" / "README.md").read_text(encoding="utf-8").partition("### Rights of the API keys")[2].partition("\n## ")[0]
    told: dict[str, dict[str, set[str]]] = {}
    for command, cluster, indices in re.findall(r"^\| `(\w+)` \| (.*) \| (.*) \|$", text, re.MULTILINE):
        told[command] = {"cluster": set(re.findall(r"`(\w+)`", cluster))}
        for part in indices.split("; "):
            names, _, places = part.partition(" on ")
            for place in re.findall(r"`([^`]+)`", places):
                told[command][place] = set(re.findall(r"`(\w+)`", names))
    assert {command: {place: names for place, names in rights.items() if names} for command, rights in told.items()} == {
        command: {place: names for place, names in rights.items() if names} for command, rights in needed.items()
    }
