"""The Elastic bundle set up by hand, with the commands of its README, is what `esatls elastic setup` loads."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING

import pytest
from esatls.elastic import setup as setting_up

from tests.docs.examples import ROOT, blocks
from tests.elastic.test_setup import StandIn

if TYPE_CHECKING:
    from pathlib import Path

sys.path.insert(0, str(ROOT / "python" / "package"))
import elastic_package


def test_commands_send_what_the_setup_sends(tmp_path: Path) -> None:
    """Each request, in order, has the same method, path and body; a stand-in answers, because Kibana and lifecycles cannot be started here."""
    if not shutil.which("curl"):
        pytest.skip("curl is not installed")
    (bundle,) = elastic_package.build(tmp_path)
    with tarfile.open(bundle) as tar:
        tar.extractall(tmp_path / "logstash", filter="data") if sys.version_info >= (3, 12) else tar.extractall(tmp_path / "logstash")  # noqa: S202
    known = setting_up.Capabilities("elasticsearch", (8, 0, 0), serverless=False, templates=())
    steps = [*setting_up.server_steps(known), *setting_up.kibana_steps()]
    server = StandIn({step.path.partition("?")[0]: (200, {}) for step in steps})
    (commands,) = [block.text for block in blocks("logstash/README.md") if block.language == "sh"]
    for address in ("https://elastic.example.com:9200", "https://kibana.example.com:5601"):
        commands = commands.replace(address, server.url)
    try:
        done = subprocess.run(
            ["sh", "-e", "-c", commands.replace("/etc/logstash", str(tmp_path / "logstash"))], capture_output=True, text=True, check=False
        )
    finally:
        server.stop()
    assert done.returncode == 0, done.stderr
    assert [(method, path) for method, path, _, _ in server.requests] == [(step.method, step.path) for step in steps]
    sent = [json.loads(body) for _, _, _, body in server.requests[:-1]]
    assert sent == [step.body for step in steps[:-1]]
    *_, headers, body = server.requests[-1]
    assert headers["kbn-xsrf"] == "true"
    assert setting_up.asset("kibana/dashboards.ndjson").encode() in body
