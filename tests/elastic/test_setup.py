"""``esatls elastic setup``, ``load`` and ``join`` as a user runs them."""

from __future__ import annotations

import email
import json
import re
import shutil
import subprocess
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

import esatls
import pytest
from esatls.elastic import setup as setting_up
from esatls.elastic.client import Client, ElasticError
from esatls.elastic.join import join

from tests import terminal
from tests.elastic import corpus
from tests.elastic.proxy import Answer, Proxy, Served, status
from tests.elastic.store import STREAM, answers, index_lines, reset, simulate

if TYPE_CHECKING:
    from pathlib import Path

LOADED = [
    "ingest pipeline esatls-other",
    "ingest pipeline esatls",
    "ingest pipeline esatls-cisco",
    "ingest pipeline esatls-parsed",
    "index template esatls-events",
    "index template esatls-connections",
    "index template esatls-messages",
    "index template esatls-runs",
    "index template esatls-state",
]
NO_LIFECYCLE = "this server does not support index lifecycle policies, so they are not loaded\n"
LEFT_OUT = "dashboards, searches and data views: skipped; use --kibana-url to load them"


class StandIn(Served):
    """What Kibana's import API and a search server of another kind answer, for what cannot be started here."""

    def __init__(self, answers: dict[str, tuple[int, Any]], certificate: tuple[str, str] | None = None) -> None:
        """Serve ``answers`` (path -> status, JSON) on a free port; all requests are kept."""
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                stand_in.requests.append((self.command, self.path, {name.lower(): value for name, value in self.headers.items()}, body))
                status, reply = answers.get(self.path.split("?")[0], (404, {"error": {"reason": "no such path"}}))
                data = json.dumps(reply).encode()
                self.send_response(status)
                if status in {301, 302}:
                    self.send_header("Location", "http://127.0.0.1:1/elsewhere")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_PUT = do_POST = do_DELETE = answer  # noqa: N815 (the base class's names)

            def log_message(self, *_: Any) -> None:
                """Print nothing."""

        super().__init__(Handler, certificate)


def run(*arguments: str, given: str | None = None, env: dict[str, str] | None = None) -> tuple[int, list[str], str]:
    """Run a command; return its exit code, its lines, and its errors."""
    done = terminal.run("elastic", *arguments, stdin=(given or "").encode(), env=env)
    return done.returncode, done.stdout.decode().splitlines(), done.stderr.decode()


def told(word: str, *but: str) -> list[str]:
    """Return what a set-up says: one word of everything, or `but` of some."""
    others = dict(line.split(": ") for line in but)
    return [*(f"{name}: {others.get(name, word)}" for name in LOADED), LEFT_OUT]


def state(client: Client) -> list[Any]:
    """Return what a set-up has left on the server."""
    return [client.request("GET", path) for path in ("/_ingest/pipeline", "/_index_template")]


def remove(client: Client) -> None:
    """Remove what a set-up has left."""
    for name in LOADED[::-1]:
        kind, _, own = name.rpartition(" ")
        client.request("DELETE", f"/_{kind.replace(' template', '_template').replace('ingest ', 'ingest/')}/{own}")


def test_setup_loads_everything_and_a_second_run_changes_nothing(client: Client) -> None:
    """Each thing is loaded and named; again, nothing is sent, and the zone that was chosen stays."""
    reset(client)
    remove(client)
    code, lines, errors = run("setup", "--url", client.url, "--dry-run", "--timezone", "Europe/Berlin")
    assert (code, lines) == (0, told("would be created"))
    assert errors == NO_LIFECYCLE
    assert run("setup", "--url", client.url, "--timezone", "Europe/Berlin")[:2] == (0, told("created"))
    before = state(client)
    assert run("setup", "--url", client.url)[:2] == (0, told("unchanged"))
    assert run("setup", "--url", client.url, "--dry-run")[:2] == (0, told("unchanged"))
    assert state(client) == before
    ((zone,),) = [
        [step["script"]["params"]["zone"] for step in pipeline["processors"] if "zone" in step.get("script", {}).get("params", {})]
        for pipeline in [client.request("GET", "/_ingest/pipeline/esatls")["esatls"]]
    ]
    assert zone == "Europe/Berlin"


def test_dry_run_shows_the_difference(client: Client) -> None:
    """It says which lines would change, and changes none; then they are changed, and no others."""
    assert run("setup", "--url", client.url, "--timezone", "UTC")[0] == 0
    before = state(client)
    code, lines, _ = run("setup", "--url", client.url, "--dry-run", "--timezone", "Asia/Tokyo")
    shown = [line for line in lines if line.startswith("  ")]
    assert (code, [line for line in lines if line not in shown]) == (0, told("unchanged", "ingest pipeline esatls: would be updated"))
    assert [line[2:].replace(" ", "") for line in shown if line[2] in "+-"] == ['-"zone":"UTC",', '+"zone":"Asia/Tokyo",']
    assert state(client) == before
    assert run("setup", "--url", client.url, "--timezone", "Asia/Tokyo")[1] == told("unchanged", "ingest pipeline esatls: updated")
    assert run("setup", "--url", client.url, "--timezone", "UTC")[1] == told("unchanged", "ingest pipeline esatls: updated")


def test_a_changed_template_names_the_rollover(empty: Client) -> None:
    """What exists has the new mappings only after it: the requests are printed, and do it; where the key may not look, the usual data stream is named."""
    assert run("setup", "--url", empty.url)[2] == NO_LIFECYCLE
    index_lines(empty, ["Info: ICID 5 close"])
    path = "/_index_template/esatls-events"
    template = empty.request("GET", path)["index_templates"][0]["index_template"]
    del template["template"]["mappings"]["properties"]["esatls"]["properties"]["icid"]
    with Proxy(empty.url) as proxy:
        proxy.fault = lambda request, send: status(403, "is unauthorized")(request, send) if "_data_stream" in request.path else send()
        for url, arguments in ((empty.url, ["--dry-run"]), (proxy.url, []), (empty.url, [])):
            empty.request("PUT", path, template)
            code, _, errors = run("setup", "--url", url, *arguments)
            said = "a changed index template applies to data streams that exist from their next rollover; to roll over now: "
            assert (code, errors) == (0, f"{NO_LIFECYCLE}{said}POST /{STREAM}/_rollover\n")
    method, _, place = errors.rstrip("\n").rpartition(": ")[2].partition(" ")
    assert empty.request(method, place)["rolled_over"]
    assert run("setup", "--url", empty.url)[2] == NO_LIFECYCLE


def test_what_the_readme_removes_is_all(fresh: Client, tmp_path: Path) -> None:
    """Its requests, in their order, leave nothing of what the commands have loaded and written, and delete nothing else."""
    fresh.request("PUT", "/_ingest/pipeline/mine", {"processors": []})
    partners = tmp_path / "partners.csv"
    partners.write_text("domain,direction\nbank.example,both\n", encoding="utf-8")
    before = everything(fresh)
    assert run("setup", "--url", fresh.url)[0] == 0
    index_lines(fresh, (corpus.ROOT / "python/esatls/sample.log").read_text(encoding="utf-8").splitlines())
    assert run("join", "--url", fresh.url)[0] == 0
    assert run("must-encrypt", "--url", fresh.url, str(partners))[0] == 0
    assert {name.partition("/")[0] for name in everything(fresh) - before} == {
        "_data_stream",
        "_index_template",
        "_ingest",
        "esatls-state",
        "esatls-must-encrypt",
    }
    text = (corpus.ROOT / "logstash/README.md").read_text(encoding="utf-8")
    requests = re.findall(r"^DELETE (\S+)$", text, re.MULTILINE)
    loaded = [step.path[1:] for step in setting_up.server_steps(setting_up.Capabilities("elasticsearch", (9, 1, 0), serverless=False, templates=()))]
    assert sorted(one for one in requests if one.startswith(("_index_template", "_ingest", "_ilm"))) == sorted(loaded)
    for path in requests:
        # the test server has no lifecycles
        if not path.startswith("_ilm"):
            fresh.request("DELETE", f"/{path}")
    assert everything(fresh) == before


def everything(client: Client) -> set[str]:
    """Return the paths of all data streams, templates, pipelines and indices."""
    found = {f"_data_stream/{one['name']}" for one in client.request("GET", "/_data_stream")["data_streams"]}
    found |= {f"_index_template/{one['name']}" for one in client.request("GET", "/_index_template")["index_templates"]}
    found |= {f"_ingest/pipeline/{name}" for name in client.request("GET", "/_ingest/pipeline")}
    return found | {one["index"] for one in client.request("GET", "/_cat/indices?format=json") if not one["index"].startswith(".")}


def test_users_own_pipeline_and_template_are_called(client: Client) -> None:
    """A pipeline and a component template with the names that Elastic's packages use come last, and stay through a set-up."""
    name = "logs-esatls.events@custom"
    client.request("PUT", f"/_ingest/pipeline/{name}", {"processors": [{"set": {"field": "labels.site", "value": "north"}}]})
    client.request("PUT", f"/_component_template/{name}", {"template": {"mappings": {"properties": {"labels": {"properties": {"site": {"type": "ip"}}}}}}})
    called_by = ("ingest pipeline esatls: updated", "ingest pipeline esatls-parsed: updated", "index template esatls-events: updated")
    assert run("setup", "--url", client.url)[1] == told("unchanged", *called_by)
    (document,) = simulate(client, [{"@timestamp": "2026-01-02T03:04:05Z", "message": "ICID 5 TLS success"}])
    assert (document["labels"], document["esatls"]) == ({"site": "north"}, {"icid": 5, "tls_result": "success"})
    made = client.request("POST", "/_index_template/_simulate/esatls-events")["template"]["mappings"]["properties"]
    assert (made["labels"]["properties"]["site"]["type"], made["esatls"]["properties"]["icid"]["type"]) == ("ip", "long")
    assert run("setup", "--url", client.url)[1] == told("unchanged")
    # a template that is in use cannot be removed
    plain = setting_up.Capabilities("opensearch", (2, 19), serverless=False, templates=())
    for step in setting_up.server_steps(plain):
        setting_up.perform(step, client)
    client.request("DELETE", f"/_component_template/{name}")
    client.request("DELETE", f"/_ingest/pipeline/{name}")
    assert run("setup", "--url", client.url)[0] == 0


@pytest.mark.parametrize(
    ("root", "message"),
    [
        ({"number": "7.17.9", "build_flavor": "default"}, "elasticsearch 7.17.9"),
        ({"number": "2.11.1", "distribution": "opensearch"}, "opensearch 2.11.1"),
    ],
)
def test_a_server_that_is_too_old_is_refused(root: dict[str, str], message: str) -> None:
    """One line, before anything else is asked of it."""
    with StandIn({"/": (200, {"version": root})}) as server:
        told_it = run("setup", "--url", server.url)
    assert told_it == (1, [], f"esatls: {server.url}: {message} is too old: Elasticsearch 8.0 or later, or OpenSearch 2.14 or later, is needed\n")
    assert len(server.requests) == 1


def test_user_and_password(tmp_path: Path) -> None:
    """From the environment and from a file; a password goes nowhere unencrypted; half of the two is no use."""
    secret = tmp_path / "password"
    secret.write_text("pass word:x\n")
    with StandIn({"/": (401, {"error": {"reason": "wrong password"}})}) as server:
        code, _, errors = run("setup", "--url", server.url, "--user", "ann", "--password-file", str(secret), env={"ESATLS_ELASTIC_PASSWORD": "other"})
        run("setup", "--url", server.url, env={"ESATLS_ELASTIC_USER": "ann", "ESATLS_ELASTIC_PASSWORD": "pass word:x"})
    places = "ESATLS_ELASTIC_USER and ESATLS_ELASTIC_PASSWORD, or --user and --password-file"
    assert (code, errors) == (1, f"esatls: GET {server.url}/: 401 wrong password; {places} must name a user of this server\n")
    assert [headers["authorization"] for _, _, headers, _ in server.requests] == ["Basic YW5uOnBhc3Mgd29yZDp4"] * 2
    for arguments, message in (
        (["--url", "http://192.0.2.1", "--user", "ann", "--password-file", str(secret)], "the password would be sent to 192.0.2.1 unencrypted: use https://"),
        (["--url", server.url, "--user", "ann"], "a user needs a password, and a password a user"),
        (
            ["--url", server.url, "--user", "ann", "--password-file", str(secret), "--api-key", "a2V5"],
            "use an API key, or a user and a password, not both",
        ),
    ):
        assert run("setup", *arguments) == (2, [], f"esatls: {message}\n")


@pytest.mark.parametrize("status", [{"overall": {"level": "available"}}, {"overall": {"level": "degraded"}, "core": {}}])
def test_dry_run_asks_kibana_what_it_is(bare: Client, status: dict[str, Any]) -> None:
    """It takes what Kibana tells to anybody, and what it tells to those whom it knows; and asks nothing else of it."""
    with StandIn({"/kibana/api/status": (200, {"status": status})}) as kibana:
        address = f"{kibana.url}/kibana"
        code, lines, _ = run("setup", "--url", bare.url, "--kibana-url", address, "--dry-run")
    assert (code, len(lines)) == (0, len(LOADED) + 1)
    assert lines[-1] == "dashboards, searches and data views: would be loaded"
    assert [(method, path) for method, path, _, _ in kibana.requests] == [("GET", "/kibana/api/status")]


@pytest.mark.parametrize(("command", "number", "oldest"), [("setup", "8.7.1", "8.8"), ("rules", "8.13.4", "8.14")])
def test_a_kibana_that_is_too_old_is_refused(client: Client, command: str, number: str, oldest: str) -> None:
    """One line, before anything is loaded; rules need a later one than dashboards."""
    server = ("--url", client.url) if command == "setup" else ()
    with StandIn({"/api/status": (200, {"status": {}, "version": {"number": number}})}) as kibana:
        code, lines, errors = run(command, *server, "--kibana-url", kibana.url)
    assert (code, lines, errors.splitlines()[-1]) == (1, [], f"esatls: {kibana.url}: Kibana {number} is too old: {oldest} or later is needed")
    assert [path for _, path, _, _ in kibana.requests] == ["/api/status"]


@pytest.mark.parametrize("answer", [(404, {"error": {"reason": "no handler found"}}), (200, "a page"), (200, {"status": "ok"})])
def test_dry_run_fails_where_no_kibana_answers(bare: Client, answer: tuple[int, Any]) -> None:
    """Another server, or none, is told before anything else."""
    with StandIn({"/api/status": answer}) as other:
        code, lines, errors = run("setup", "--url", bare.url, "--kibana-url", other.url, "--dry-run")
    assert (code, lines, errors.splitlines()[-1]) == (1, [], f"esatls: {other.url}: is not a Kibana server")
    code, lines, errors = run("setup", "--url", bare.url, "--kibana-url", "http://127.0.0.1:1", "--dry-run")
    assert (code, lines, errors.splitlines()[-1]) == (1, [], "esatls: http://127.0.0.1:1: connection refused")


def test_dashboards_are_imported_with_overwrite(bare: Client, tmp_path: Path) -> None:
    """Kibana gets the file as a form, with the key from a file, into the space that was asked for."""
    key = tmp_path / "key"
    key.write_text("a2V5OmlkCg==\n")
    status = {"status": {"overall": {"level": "available"}}}
    with StandIn({"/api/status": (200, status), "/s/mail/api/saved_objects/_import": (200, {"success": True, "successCount": 10})}) as kibana:
        code, lines, _ = run("setup", "--url", bare.url, "--kibana-url", kibana.url, "--space", "mail", "--api-key-file", str(key))
    assert (code, lines[-1]) == (0, "dashboards, searches and data views: loaded 10 objects")
    _, (method, path, headers, body) = kibana.requests
    assert (method, path) == ("POST", "/s/mail/api/saved_objects/_import?overwrite=true")
    assert headers["kbn-xsrf"] == "true"
    assert headers["authorization"] == "ApiKey a2V5OmlkCg=="
    form = email.message_from_bytes(b"Content-Type: " + headers["content-type"].encode() + b"\r\n\r\n" + body)
    _, part = form.walk()
    assert part.get_filename() == "dashboards.ndjson"
    assert part.get_payload(decode=True) == setting_up.asset("kibana/dashboards.ndjson").encode()


def test_a_refused_dashboard_is_an_error(bare: Client) -> None:
    """What Kibana says is wrong is told in one line."""
    answer = {"success": False, "errors": [{"type": "search", "id": "esatls-search-events", "error": {"type": "missing_references"}}]}
    with StandIn({"/api/status": (200, {"status": {}}), "/api/saved_objects/_import": (200, answer)}) as kibana:
        code, _, errors = run("setup", "--url", bare.url, "--kibana-url", kibana.url)
    assert code == 1
    assert errors.splitlines()[-1] == f"esatls: {kibana.url}: Kibana rejected the dashboards: search esatls-search-events: missing_references"


def test_elasticsearch_gets_lifecycles_its_own_templates_and_the_failure_store() -> None:
    """An Elasticsearch that has ECS templates composes with them; older and serverless ones get what they know."""
    root = {"version": {"number": "9.1.2", "build_flavor": "default"}}
    present: dict[str, tuple[int, Any]] = {f"/_component_template/{name}": (200, {}) for name in ("logs@mappings", "logs@settings", "ecs@mappings")}
    with StandIn({"/": (200, root), **present}) as server:
        known = setting_up.capabilities(Client(server.url))
    steps = {step.name: step for step in setting_up.server_steps(known, retention_days=30)}
    assert list(steps) == ["lifecycle esatls-events", "lifecycle esatls-records", *LOADED]
    assert steps["ingest pipeline esatls"].body["processors"][-1]["pipeline"]["ignore_missing_pipeline"]
    assert steps["lifecycle esatls-events"].body["policy"]["phases"]["delete"]["min_age"] == "30d"
    events = steps["index template esatls-events"].body
    assert events["composed_of"] == ["logs@mappings", "logs@settings", "ecs@mappings", "logs-esatls.events@custom"]
    assert events["ignore_missing_component_templates"] == ["logs-esatls.events@custom"]
    assert events["priority"] > 500
    assert events["template"]["settings"]["index"]["lifecycle"] == {"name": "esatls-events"}
    assert events["template"]["data_stream_options"] == {"failure_store": {"enabled": True}}
    assert steps["index template esatls-messages"].body["composed_of"] == ["ecs@mappings", "logs-esatls.messages@custom"]
    # Elasticsearch before 8.11 refuses the template of a data stream whose time may be malformed
    streams = [step.body["template"] for step in steps.values() if "data_stream" in step.body]
    assert [one["settings"]["index"]["mapping"] for one in streams] == [{"ignore_malformed": True}] * 4
    assert [one["mappings"]["properties"]["@timestamp"] for one in streams] == [{"type": "date", "ignore_malformed": False}] * 4
    # of a policy that is there, and that its users have made their own, only the days change, and only where they are given
    own = {"phases": {"warm": {"min_age": "7d"}, "delete": {"min_age": "90d"}}}
    for days, kept in ((None, "90d"), (5, "5d")):
        again = {step.name: step for step in setting_up.server_steps(replace(known, policies={"esatls-events": own}), retention_days=days)}
        assert again["lifecycle esatls-events"].body["policy"] == {"phases": {"warm": {"min_age": "7d"}, "delete": {"min_age": kept}}}
    old = setting_up.Capabilities("elasticsearch", (8, 18, 0), serverless=False, templates=())
    assert "data_stream_options" not in {step.name: step for step in setting_up.server_steps(old)}["index template esatls-events"].body["template"]
    serverless = setting_up.Capabilities("elasticsearch", (8, 11, 0), serverless=True, templates=())
    template, records = [
        step.body
        for step in setting_up.server_steps(serverless, retention_days=9)
        if step.name in {"index template esatls-events", "index template esatls-messages"}
    ]
    assert template["template"]["lifecycle"] == records["template"]["lifecycle"] == {"enabled": True, "data_retention": "9d"}
    assert template in [step.body for step in setting_up.server_steps(replace(serverless, retention="9d"))]
    assert "lifecycle" not in template["template"]["settings"]["index"]
    settings = [
        {step.name: step for step in setting_up.server_steps(one)}["index template esatls-state"].body["template"]["settings"] for one in (known, serverless)
    ]
    assert settings == [{"index": {"number_of_shards": 1}}, {"index": {}}]


def test_load_and_join_from_the_command_line(empty: Client, log: list[str], tmp_path: Path) -> None:
    """Records from a file and from standard input are written; join says what it did."""
    facts = esatls.Facts()
    for event in esatls.events(log):
        facts.add(event)
    messages = [json.dumps(record) for record in esatls.messages(facts)]
    path = tmp_path / "messages.jsonl"
    path.write_text("\n".join(messages) + "\n")
    assert run("load", "--url", empty.url, str(path)) == (0, [f"{len(messages)} documents written"], "")
    assert run("load", "--url", empty.url, given="\n".join(messages)) == (0, [f"{len(messages)} documents written"], "")
    index_lines(empty, log)
    written = "{} events: {} connections, {} messages written, {} unchanged, 0 stale documents deleted"
    connections, _ = answers(log)
    events = len(list(esatls.events(log)))
    # what load wrote is load's
    assert run("join", "--url", empty.url) == (0, [written.format(f"{events:,}", len(connections), 0, 0)], "")
    code, lines, errors = run("join", "--url", empty.url, "--all", "--patience", "5")
    assert (code, lines, errors) == (0, [written.format(f"{events:,}", 0, 0, len(connections))], "")


def test_join_without_any_event_says_so(empty: Client, log: list[str]) -> None:
    """Where there is no event at all, the command says why that may be, and does not fail; where there are only old ones, it says nothing."""
    nothing = ["0 events: 0 connections, 0 messages written, 0 unchanged, 0 stale documents deleted"]
    hint = "esatls: no events in {}: no line has come in since esatls elastic setup, or lines go elsewhere\n"
    assert run("join", "--url", empty.url) == (0, nothing, hint.format("logs-esatls.events-*"))
    index_lines(empty, log)
    elsewhere = ["--events", "logs-one-*", "--events", "logs-two-*"]
    again = "esatls: the last run read other data streams, so all events are read again: one join must name all of them\n"
    assert run("join", "--url", empty.url, *elsewhere) == (0, nothing, again + hint.format("logs-one-*, logs-two-*"))
    join(empty, overlap=-60)
    assert run("join", "--url", empty.url) == (0, nothing, "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--url", "ftp://example.com"], "not a server address: 'ftp://example.com' (must start with https:// or http://)"),
        (["--url", "localhost:52911"], "not a server address: 'localhost:52911' (must start with https:// or http://)"),
        (["--url", "https://192.0.2.1:port"], "not a server address: 'https://192.0.2.1:port'"),
        (["--url", "https://[2001:db8::1"], "not a server address: 'https://[2001:db8::1'"),
        (["--url", "https://u:p@example.com"], "the server address must not contain a password: use an API key"),
        (["--url", "u:p@example.com:9200"], "the server address must not contain a password: use an API key"),
        (["--url", "https://u:p#q@example.com"], "the server address must not contain a password: use an API key"),
        (["--url", "http://192.0.2.1:9200", "--api-key", "a2V5"], "the API key would be sent to 192.0.2.1 unencrypted: use https://"),
        (["--url", "https://192.0.2.1", "--api-key", "a\nb"], "the API key contains invalid characters"),
    ],
)
@pytest.mark.parametrize("command", ["setup", "load", "join"])
def test_wrong_usage_is_one_line_and_exit_code_2(command: str, arguments: list[str], message: str) -> None:
    """An option whose value makes no sense is told as the other commands of esatls tell it."""
    assert run(command, *arguments, given="") == (2, [], f"esatls: {message}\n")


@pytest.mark.parametrize("option", ["--api-key-file", "--password-file"])
@pytest.mark.parametrize(("content", "wrong"), [(b"", "is empty"), (b"\n", "is empty"), (b"\xff\xfe", "is not text in UTF-8")])
def test_file_without_a_secret(tmp_path: Path, option: str, content: bytes, wrong: str) -> None:
    """A file that should hold a key or a password and does not is named; nothing is asked of the server without them."""
    path = tmp_path / "secret"
    path.write_bytes(content)
    assert run("join", "--url", "http://127.0.0.1:1", option, str(path)) == (2, [], f"esatls: {path}: {wrong}\n")


@pytest.mark.parametrize(
    ("arguments", "given", "message"),
    [
        (["setup", "--url", "http://127.0.0.1:1"], None, "http://127.0.0.1:1: connection refused"),
        (["load", "--url", "http://127.0.0.1:1"], "{", "line 1 is not JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        (["load", "--url", "http://127.0.0.1:1"], "[]", "line 1 is not a record of esatls"),
        (
            ["load", "--url", "http://127.0.0.1:1"],
            '{"esa_event": "tls_success"}',
            "not a record of a connection or a message: esatls connections and esatls messages --format json print them",
        ),
        (["load", "--url", "http://127.0.0.1:1", "no/such"], None, "no/such: No such file or directory"),
        (["load", "--url", "http://127.0.0.1:1", "/"], None, "/: Is a directory"),
        (["join", "--url", "http://127.0.0.1:1", "--api-key-file", "no/such"], None, "no/such: No such file or directory"),
        (
            ["join", "--url", "http://127.0.0.1:1", "--ca-cert", "no/such"],
            None,
            "cannot read the certificate file no/such: [Errno 2] No such file or directory",
        ),
    ],
)
def test_errors_are_one_line(arguments: list[str], given: str | None, message: str) -> None:
    """Whatever is wrong is told in one line, with exit code 1 and no traceback."""
    assert run(*arguments, given=given) == (1, [], f"esatls: {message}\n")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer(503, b"<html>", 99), "503 Service Unavailable"),
        (Answer(200, b"{}", 2), "the answer is cut off, or not a search server's"),
        (Answer(200, b"<html>", 6), "the answer is cut off, or not a search server's"),
    ],
)
@pytest.mark.parametrize("command", [["load", "--patience", "0"], ["join", "--patience", "0"], ["must-encrypt"]])
def test_an_answer_that_is_no_search_server_s_is_told_in_one_line(command: list[str], answer: Answer, message: str, tmp_path: Path) -> None:
    """An error that is cut off, an object of another kind, or the page of a balancer: nothing counts as written."""
    listed = tmp_path / "partners.csv"
    listed.write_text("domain,direction,owner\nexample.com,both,\n")
    record = {"esa_direction": "receiving", "icid": 5, "opened": "2024-01-01T00:00:00Z", "tls_verdict": "unused", "messages": 0}
    with Proxy("http://127.0.0.1:1") as proxy:
        proxy.fault = lambda _, __: answer
        done = run(*command, "--url", proxy.url, *([str(listed)] if command == ["must-encrypt"] else []), given=json.dumps(record))
    asked = proxy.requests[-1]
    assert done == (1, [], f"esatls: {asked.method} {proxy.url}{asked.path}: {message}\n")


def test_a_file_with_a_secret_is_text_in_utf_8(tmp_path: Path) -> None:
    """A mark in front, as editors on Windows write it, is no part of a key; a file in another encoding is named, and nothing of it is shown."""
    with StandIn({}) as server:
        path = tmp_path / "key"
        path.write_bytes(b"\xef\xbb\xbfa2V5\r\n")
        run("setup", "--url", server.url, "--api-key-file", str(path))
        assert [headers["authorization"] for _, _, headers, _ in server.requests] == ["ApiKey a2V5"]
        path.write_bytes("a2V5\r\n".encode("utf-16"))
        assert run("setup", "--url", server.url, "--api-key-file", str(path)) == (2, [], f"esatls: {path}: is not text in UTF-8\n")


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("", "set an API key in ESATLS_ELASTIC_API_KEY or --api-key-file"),
        ("a2V5", "ESATLS_ELASTIC_API_KEY or --api-key-file must contain an API key of this server, in its encoded form"),
    ],
)
def test_a_server_that_lets_nobody_in_leads_to_the_key(key: str, hint: str) -> None:
    """The answer 401 is told with the places of the key, in words that suit a missing one and a wrong one."""
    reason = "missing authentication credentials for REST request [/]"
    with StandIn({"/": (401, {"error": {"reason": reason}})}) as server:
        told = run("setup", "--url", server.url, env={"ESATLS_ELASTIC_API_KEY": key})
    assert told == (1, [], f"esatls: GET {server.url}/: 401 {reason}; {hint}\n")


@pytest.mark.parametrize(
    ("zone", "message"),
    [
        ("Mars/Phobos", "no such time zone: Mars/Phobos; use a name such as Europe/Berlin, or an offset such as -05:00"),
        ("utc", "the server does not know the time zone utc: use a name such as Europe/Berlin, or an offset such as -05:00"),
    ],
)
def test_a_wrong_time_zone_changes_nothing(client: Client, zone: str, message: str) -> None:
    """A zone that nobody knows, and one that only the server does not know, is told before anything is loaded."""
    before = state(client)
    assert run("setup", "--url", client.url, "--timezone", zone) == (2, [], f"esatls: {message}\n")
    assert state(client) == before


def test_the_server_s_reason_is_told(bare: Client) -> None:
    """An error of the server keeps its status and its reason, on one line."""
    with pytest.raises(ElasticError, match=r"^PUT http://\S+/_ingest/pipeline/x: 400 .*no_such") as caught:
        bare.request("PUT", "/_ingest/pipeline/x", {"processors": [{"no_such": {}}]})
    assert caught.value.status == 400


def test_documents_that_the_server_refuses_fail_the_command(empty: Client) -> None:
    """A refused document is named, the others are written, and the exit code says so."""
    fine = {"esa_host": "esa1", "esa_direction": "receiving", "icid": 5, "opened": "2024-01-01T00:00:00Z", "tls_verdict": "unused", "messages": 0}
    refused = {**fine, "icid": 6, "hat": "a text where the template has an object"}
    code, lines, errors = run("load", "--url", empty.url, given=f"{json.dumps(refused)}\n{json.dumps(fine)}\n")
    assert code == 1
    assert lines == ["1 documents written"]
    assert errors.startswith("esatls: 1 documents were rejected: .ds-logs-esatls.connections-default-000001/")
    assert len(errors.splitlines()) == 1


def test_what_stands_before_a_line_that_is_no_record_is_written(empty: Client) -> None:
    """Of one batch, the records before the line are there, and the line is named."""
    fine = {"esa_host": "esa1", "esa_direction": "receiving", "icid": 5, "opened": "2024-01-01T00:00:00Z", "tls_verdict": "unused", "messages": 0}
    for rest in ("{", '{"received": "none", "delivered": 5}'):
        code, lines, errors = run("load", "--url", empty.url, given=f"{json.dumps(fine)}\n{rest}\n")
        assert (code, lines) == (1, [])
        assert errors.startswith("esatls: line 2 is not ")
        empty.request("POST", "/logs-esatls.connections-*/_refresh")
        assert empty.request("GET", "/logs-esatls.connections-*/_count")["count"] == 1
        empty.request("DELETE", "/_data_stream/logs-esatls.connections-default")


def test_no_redirect_is_followed() -> None:
    """The API key is not carried to another server."""
    with StandIn({"/": (302, {})}) as server:
        code, _, errors = run("setup", "--url", server.url, env={"ESATLS_ELASTIC_API_KEY": "a2V5"})
    assert code == 1
    assert errors.startswith(f"esatls: GET {server.url}/: 302")
    assert len(server.requests) == 1


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[str, str]:
    """Return a certificate of 127.0.0.1, signed by itself, and its key."""
    if not shutil.which("openssl"):
        pytest.skip("a certificate is made with openssl")
    paths = (str(tmp_path / "server.crt"), str(tmp_path / "server.key"))
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command, "-out", paths[0], "-keyout", paths[1]], check=True, capture_output=True)
    return paths


def test_the_server_s_certificate_is_verified(certificate: tuple[str, str]) -> None:
    """A server whose certificate nobody vouches for is refused, unless its authority is named or the user insists."""
    with StandIn({"/": (200, {"version": {"number": "8.19.0"}})}, certificate) as server:
        code, _, errors = run("setup", "--url", server.url, "--dry-run")
        assert code == 1
        assert errors == f"esatls: {server.url}: its certificate cannot be verified (self-signed certificate); use --ca-cert to name its CA\n"
        assert server.requests == []
        assert run("setup", "--url", server.url, "--dry-run", "--ca-cert", certificate[0])[0] == 0
        assert run("setup", "--url", server.url, "--dry-run", "--insecure")[0] == 0
