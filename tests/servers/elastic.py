"""Tests a real Elasticsearch and Kibana: `python tests/servers/elastic.py --url URL [--kibana-url URL]`. Use only a server for tests.

It sets the server up twice, with the rules, ships a log through the ingest pipeline, joins it, and compares every document with the command line's;
then it runs the ES|QL of logstash/README.md and of the alerts. It stops at the first fault, with one line and exit code 1.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "python")]

from click.testing import CliRunner  # noqa: E402
from esatls.cli.elastic import elastic  # noqa: E402
from esatls.elastic.client import Client, ElasticError  # noqa: E402

from tests.elastic.store import all_documents, answers, index_lines, make_log, ordered  # noqa: E402


class TrialError(Exception):
    """A fault; the message describes it."""


def run(*arguments: str) -> str:
    """Run `esatls elastic`, and return its output."""
    done = CliRunner().invoke(elastic, list(arguments))
    if done.exit_code:
        raise TrialError(f"esatls elastic {' '.join(arguments)}: {done.output.strip()}")
    return done.output


def examples(client: Client) -> int:
    """Run the ES|QL of the README and of the alerts, and return the number of queries."""
    found = re.findall(r"```esql\n(.*?)```", (ROOT / "logstash" / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    alerts = [json.loads(line) for line in (ROOT / "logstash" / "kibana" / "alerts.ndjson").read_text(encoding="utf-8").splitlines()]
    found += [alert["params"]["esqlQuery"]["esql"] for alert in alerts if "esqlQuery" in alert["params"]]
    for query in found:
        answer = client.request("POST", "/_query?format=json", {"query": query})
        if not answer.get("columns"):
            raise TrialError(f"no columns: {query}")
    return len(found)


def compare(index: str, found: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> None:
    """Raise unless the documents of an index are those of the command line."""
    if ordered(found) != ordered(wanted):
        raise TrialError(f"{index}: {len(found)} documents are not the {len(wanted)} of the command line")
    print(f"{index}: {len(found)} documents as the command line has them")


def main() -> int:
    """Run the whole test, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--kibana-url")
    options = parser.parse_args()
    client = Client(options.url)
    kibana = ["--kibana-url", options.kibana_url] if options.kibana_url else []
    try:
        for _ in range(2):
            print(run("setup", "--url", options.url, *kibana))
            if kibana:
                print(run("rules", *kibana))
        with tempfile.TemporaryDirectory() as folder:
            log = make_log(Path(folder) / "mail.log")
        index_lines(client, log)
        print(run("join", "--url", options.url, "--all"))
        connections, messages = answers(log)
        for index, wanted in (("logs-esatls.connections-*", connections), ("logs-esatls.messages-*", messages)):
            compare(index, all_documents(client, index), wanted)
        if client.request("GET", "/")["version"].get("distribution", "elasticsearch") == "elasticsearch":
            print(f"{examples(client)} ES|QL examples answered")
        else:
            print("this server has no ES|QL: its examples were not tried")
    except (TrialError, ElasticError) as error:
        print(f"elastic: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
