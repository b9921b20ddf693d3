"""What the code itself keeps to: no shell, no code made of text, no file name that can be guessed; tokens, queries and index names are quoted."""

from __future__ import annotations

import ast
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from esatls.elastic.event_facts import events_of
from esatls.elastic.write import document_of
from esatls.verdicts import records as verdicts

from tests.core.support import read_facts
from tests.security.stranger import ALL, ROOT, lines_of
from tests.splunk.conf import DEFAULT, read

if TYPE_CHECKING:
    import pathlib

CODE = sorted(path for folder in ("python", "splunk_app/bin") for path in (ROOT / folder).rglob("*.py"))
FORBIDDEN_CALLS = {
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "os.execv", "os.execvp", "os.spawnl", "os.startfile", "pty.spawn", "tempfile.mktemp",
    "pickle.load", "pickle.loads", "shelve.open", "yaml.load", "subprocess.getoutput", "subprocess.getstatusoutput",
}  # fmt: skip
FORBIDDEN_IMPORTS = {"subprocess", "pickle", "shelve", "ctypes", "xml", "xml.etree", "xml.sax", "xml.dom", "telnetlib", "ftplib"}


def offences(path: pathlib.Path) -> list[str]:
    """Return where a file runs a shell, evaluates text, or loads objects from bytes; or, if users get it, imports what runs another program."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    calls = [(ast.unparse(node.func), node) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    found = [f"{path}:{call.lineno}: {name}" for name, call in calls if name in FORBIDDEN_CALLS or any(word.arg == "shell" for word in call.keywords)]
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    return found + [f"{path}: import {name}" for name in sorted(names & FORBIDDEN_IMPORTS) if {"generate", "package"}.isdisjoint(path.parts)]


def test_no_shell_and_no_code_from_text(tmp_path: pathlib.Path) -> None:
    """No file runs a shell, evaluates text, or loads objects from bytes; what users get runs no other program at all. A file that does is found out."""
    assert len(CODE) > 150
    assert [where for path in CODE for where in offences(path)] == []
    (tmp_path / "x.py").write_text("import os, pickle\nos.system('x')\nrun('x', shell=True)\n")
    assert [where.rpartition(": ")[2] for where in offences(tmp_path / "x.py")] == ["os.system", "run", "import pickle"]


# Splunk


def test_searches_take_no_text_of_the_log_as_search() -> None:
    """No search runs another one made of a field, a script or a file that a field names, and none has a token that a row fills."""
    texts = {name: macro["definition"] for name, macro in read(DEFAULT / "macros.conf").items()}
    texts |= {name: search["search"] for name, search in read(DEFAULT / "savedsearches.conf").items()}
    for name, text in texts.items():
        assert not re.search(r"\|\s*(?:map|script|run|runshellscript|sendemail|outputlookup|outputcsv|delete|rest|dump|tee|appendpipe)\b", text), name
        arguments = {word.strip() for word in read(DEFAULT / "macros.conf").get(name, {}).get("args", "").split(",")}
        assert set(re.findall(r"\$([^$]+)\$", text)) <= arguments, name


def test_macros_with_arguments_get_names_of_fields() -> None:
    """What is put into a macro is the name of a field or a condition of plain words, written in the app, and never a token or a value."""
    # a macro hands on what it was given, which is looked at where it was given
    texts = [re.sub(r"\$\w+\$", "given", macro["definition"]) for macro in read(DEFAULT / "macros.conf").values()]
    texts += [search["search"] for search in read(DEFAULT / "savedsearches.conf").values()]
    texts += [path.read_text(encoding="utf-8") for path in (DEFAULT / "data" / "ui" / "views").glob("*.xml")]
    for call in (call for text in texts for call in re.findall(r"`(\w+\([^`]*\))`", text)):
        assert re.fullmatch(r'\w+\((?:\w+|"[\w=(), ]+")(?:, ?(?:\w+|"[\w=(), ]+"))*\)', call), call


@pytest.mark.parametrize("path", sorted((DEFAULT / "data" / "ui" / "views").glob("*.xml")), ids=lambda path: path.stem)
def test_tokens_are_quoted(path: pathlib.Path) -> None:
    """A token in a search is quoted as a string, one in an address is encoded; both by Splunk's own filters. Descriptions are plain text.

    Times are the exception: pickers make them.
    """
    text = path.read_text(encoding="utf-8")
    definition = json.loads(re.findall(r"<definition><!\[CDATA\[(.*?)\]\]></definition>", text, re.DOTALL)[0])
    found = 0
    for key, value in strings(definition):
        for token, quoting in re.findall(r"\$([\w.]+)(\|\w)?\$", value):
            found += 1
            if key == "query":
                assert quoting == "|s", value
            elif key == "url":
                assert quoting == "|u", value
            elif key != "description":
                assert token.startswith("global_time."), (key, value)
    assert found


def strings(value: Any, key: str = "") -> list[tuple[str, str]]:
    """Return every text in a definition with the key that it stands under."""
    if isinstance(value, str):
        return [(key, value)]
    if isinstance(value, dict):
        return [pair for name, inner in value.items() for pair in strings(inner, name)]
    return [pair for inner in value for pair in strings(inner, key)] if isinstance(value, list) else []


# Elastic


def test_bulk_lines_are_the_writers_own() -> None:
    """Whatever the log says, a record is two lines of JSON; its data stream and id are made of its kind and of a digest alone."""
    for number, text in enumerate(ALL):
        facts, _ = read_facts([line for line in lines_of(text, number) if "\n" not in line])
        for record in (*verdicts.connections(facts), *verdicts.messages(facts)):
            head, document = document_of({**record, "esa_host": text}, "2024-12-31T12:00:00Z").action(None)
            assert set(head) == {"create"}
            assert re.fullmatch(r"logs-esatls\.(?:connections|messages)-default", head["create"]["_index"])
            assert re.fullmatch(r"[0-9a-f]{32}", head["create"]["_id"])
            for part in (head, document):
                assert "\n" not in json.dumps(part)


@pytest.mark.parametrize("text", ["Info: MID 1 Subject 'x\nICID 5 TLS success\n'", "Info: MID 1 Subject 'x\nMessage done DCID 6 MID 1 to RID [0]"])
def test_join_takes_no_line_of_a_strangers(text: str) -> None:
    """A record of a collector is one line: behind a line feed in a stranger's words, all is his words, when it is read again from the server."""
    subject = " ".join(text.partition("'")[2].strip("'\n").split("\n"))
    assert list(events_of(json.dumps({"message": text}))) == [{"esa_event": "message_identity", "mid": 1, "subject": subject}]


def test_dashboards_of_kibana_run_nothing() -> None:
    """No panel renders markup or a script from data, no drill-down makes an address or a query of a value, no data view computes."""
    for line in (ROOT / "logstash" / "kibana" / "dashboards.ndjson").read_text(encoding="utf-8").splitlines():
        item = json.loads(line)
        text = json.dumps(item)
        assert item["type"] in {"dashboard", "index-pattern", "search"}
        assert "{{" not in text
        assert "URL_DRILLDOWN" not in text
        assert '"script"' not in text
        assert json.loads(item["attributes"].get("runtimeFieldMap", "{}")) == {}


def test_scripts_of_the_server_take_values_as_parameters() -> None:
    """No script of the pipelines is put together from values; Logstash fills in only what it has checked or made itself."""
    pipelines, confs, scripts = ([*(ROOT / "logstash").rglob(name)] for name in ("ingest-pipeline-*.json", "*.conf", "*.rb"))
    assert pipelines
    assert confs
    assert scripts
    for path in pipelines:
        for _, text in strings(json.loads(path.read_text(encoding="utf-8"))):
            assert "{{" not in text.replace("{{{_ingest.", ""), "a value in a template"
    for path in confs:
        text = path.read_text(encoding="utf-8")
        for where in re.findall(r"%\{(\[[^}]*)\}", text):
            assert where.startswith(("[@metadata]", "[esatls]", "[event][timezone]")), f"{path.name}: {where}"
        assert not re.search(r"^\s*(?:exec|pipe|http_poller)\b", text, re.MULTILINE), path.name
    for path in scripts:
        assert not re.search(r"\b(?:eval|instance_eval|class_eval|system|exec|spawn|popen|Open3|Marshal|send|public_send)\b", path.read_text(encoding="utf-8"))
