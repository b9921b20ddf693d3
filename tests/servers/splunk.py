"""Tests a real Splunk with the app: `SPLUNK_PASSWORD=… python tests/servers/splunk.py --url https://localhost:8089 --file PATH`.

PATH is where the server finds the sample log (python/esatls/sample.log). The script indexes it, runs the three commands and the macros of
the dashboards, and compares the results with the command line's. It stops at the first fault, with one line and exit code 1. It does not
verify the server's certificate, because the server was just started on this machine.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "python")]

import esatls  # noqa: E402

SAMPLE = ROOT / "python" / "esatls" / "sample.log"
HOST = "esa1"
WAIT_SECONDS = 300
DASHBOARD = "`esatls_connections` | eval connections = 1 | `esatls_view_connection_verdicts` | `esatls_view_connection_table`"


class TrialError(Exception):
    """A fault; the message describes it."""


class Splunk:
    """The server's REST interface."""

    def __init__(self, url: str, password: str) -> None:
        """Keep the address and the credentials."""
        self.url = url.rstrip("/")
        self.key = "Basic " + base64.b64encode(f"admin:{password}".encode()).decode()
        self.context = ssl.create_default_context()
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE

    def post(self, path: str, **fields: str) -> str:
        """Post a form, and return the text of the response."""
        request = urllib.request.Request(self.url + path, urllib.parse.urlencode(fields).encode(), {"Authorization": self.key})  # noqa: S310 - the address that the user gave
        try:
            with urllib.request.urlopen(request, timeout=120, context=self.context) as answer:  # noqa: S310
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            raise TrialError(f"{path}: {error.code} {error.read().decode()[:300]}") from error

    def search(self, text: str) -> list[dict[str, Any]]:
        """Return the rows of a search over all time, in the app."""
        fields = {"search": f"search {text}", "output_mode": "json", "earliest_time": "1", "latest_time": "2000000000", "preview": "false"}
        lines = self.post("/servicesNS/admin/esatls/search/jobs/export", **fields).splitlines()
        answers = [json.loads(line) for line in lines if line]
        for answer in answers:
            for message in answer.get("messages", []):
                if message.get("type") in ("ERROR", "FATAL"):
                    raise TrialError(f"{text}: {message['text']}")
        return [answer["result"] for answer in answers if "result" in answer]

    def rows(self, text: str, *columns: str) -> list[tuple[str, ...]]:
        """Return these columns of a search's rows, sorted."""
        return sorted(tuple(row[column] for column in columns) for row in self.search(f"{text} | table {' '.join(columns)}"))


def expect(what: str, found: Any, wanted: Any) -> None:
    """Raise unless the result is right, and print that it is."""
    if found != wanted:
        raise TrialError(f"{what}: {found} is not {wanted}")
    print(f"{what}: as the command line has it")


def main() -> int:
    """Run the whole test, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--file", required=True)
    options = parser.parse_args()
    splunk = Splunk(options.url, os.environ["SPLUNK_PASSWORD"])
    facts = esatls.Facts()
    with SAMPLE.open(encoding="utf-8") as log:
        for event in esatls.events(log):
            facts.add(event)
    connections, messages = list(esatls.connections(facts)), list(esatls.messages(facts))
    lines = len(SAMPLE.read_text(encoding="utf-8").splitlines())
    try:
        splunk.post("/services/data/inputs/oneshot", name=options.file, sourcetype="esatls:mail", index="main", host=HOST)
        deadline = time.monotonic() + WAIT_SECONDS
        count = "0"
        while count != str(lines) and time.monotonic() < deadline:
            time.sleep(3)
            count = (splunk.search("index=main sourcetype=esatls:mail | stats count") or [{"count": "0"}])[0]["count"]
        expect("indexed events", count, str(lines))
        found = splunk.rows("`esatls_messages`", "mid", "received", "delivered")
        expect("messages", found, sorted((str(one["mid"]), one["received"], one["delivered"]) for one in messages))
        found = splunk.rows("`esatls_connections` | eval id = coalesce(icid, dcid)", "esa_direction", "id", "tls_verdict")
        expect("connections", found, sorted((one["esa_direction"], str(one.get("icid", one.get("dcid"))), one["tls_verdict"]) for one in connections))
        found = splunk.rows("`esatls_events` | where isnotnull(tls_result) | stats count BY esa_event", "esa_event", "count")
        expect("events", found, [("tls_failed", "1"), ("tls_required", "1"), ("tls_success", "4")])
        found = splunk.rows("index=main sourcetype=esatls:mail tls_result=success | stats count BY tls_version", "tls_version", "count")
        expect("fields without a command", found, [("TLSv1.2", "3"), ("TLSv1.3", "1")])
        found = splunk.rows(DASHBOARD, "direction", "encrypted", "cleartext", "failed")
        expect("dashboard", found, [("delivery", "2", "1", "0"), ("receiving", "2", "1", "1")])
    except (TrialError, OSError) as error:
        print(f"splunk: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
