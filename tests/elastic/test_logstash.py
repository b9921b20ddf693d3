"""The Logstash pipelines: read by a parser of their language, and run whole where ``LOGSTASH_HOME`` points at a Logstash."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from esatls.elastic.join import join
from esatls.extraction.patterns import PATTERNS

from tests.elastic import corpus
from tests.elastic.jruby import cannot_run, run_documents, run_jruby
from tests.elastic.logstash import FILTER, HOME, run_logstash
from tests.elastic.store import all_documents, answers, ordered
from tests.elastic.test_ecs import leaves
from tests.elastic.test_kibana import mapped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from esatls.elastic.client import Client

lscl = pytest.importorskip("lscl.parser", reason="lscl parses Logstash's pipeline language")

PIPELINES = sorted((corpus.ROOT / "logstash/pipeline").glob("*/*.conf"))


def parse(path: Path) -> Any:
    """Return the parsed blocks of a pipeline file."""
    return lscl.parse_lscl(path.read_text(encoding="utf-8"))


def plugins(content: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every plugin of some blocks, within conditions too: name and settings."""
    for item in content:
        kind = type(item).__name__
        if kind == "LsclConditions":
            for _, inner in item.conditions:
                yield from plugins(inner)
            yield from plugins(item.default or [])
        elif all(type(inner).__name__ == "LsclAttribute" for inner in item.content):
            yield item.name, {attribute.name: attribute.content for attribute in item.content}
        else:
            yield from plugins(item.content)


@pytest.mark.parametrize("path", PIPELINES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_pipeline_file_is_the_language_of_logstash(path: Path) -> None:
    """A parser of the language reads the whole file, and every plugin has an id of its own."""
    blocks = parse(path)
    assert [block.name for block in blocks] in (["input"], ["filter"], ["output"])
    ids = [settings["id"] for _, settings in plugins(blocks)]
    assert ids
    assert len(ids) == len(set(ids))


def table(name: str) -> dict[str, Any]:
    """Return one of the generated tables of the filter."""
    (text,) = re.findall(rf"^  {name} = \{{\n(.*?)\n  \}}\.freeze", (FILTER.parent / "esatls_tables.rb").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    found: dict[str, Any] = json.loads("{" + text.replace('" => ', '": ').rstrip(",") + "}")
    return found


def test_every_field_that_the_filter_names_is_in_the_template() -> None:
    """The generated tables take each capture of each pattern to a field of the template, and the code adds two."""
    plans = table("PATTERNS")
    assert {name: [*plan["fields"]] for name, plan in plans.items()} == {
        name: [field for field in re.findall(r"\(\?P<(\w+)>", text) if field != "cef"] for name, text in PATTERNS.items()
    }
    code = "".join(path.read_text(encoding="utf-8") for path in FILTER.parent.glob("*.rb"))
    own = {".".join(names.split()) for names in re.findall(r"put\(made, %w\[([\w ]+)\]", code)}
    assert own == {"network.type", "tls.version_protocol"}
    named = {".".join(path) for how in (table("CEF_FIELDS"), *(plan["fields"] for plan in plans.values())) for _, path in how.values()}
    named |= own | {".".join(path) for path in table("HEADER").values()} | {name for plan in plans.values() for name, _ in leaves(plan["document"])}
    assert named - {"@timestamp"} <= mapped("esatls-events")


def test_the_inputs_for_syslog_say_which_address_sent_a_line() -> None:
    """Both put it where the filter and the ingest pipeline look for it, so that ids of two appliances whose lines do not name them are not mixed."""
    tcp, udp = (settings for _, settings in plugins(parse(corpus.ROOT / "logstash/pipeline/inputs/syslog.conf")))
    assert tcp["add_field"] == {"[log][source][address]": "%{[@metadata][input][tcp][source][ip]}"}
    assert tcp["ecs_compatibility"] == "v8", "elsewhere, the address has another name, and all appliances would be that of this text"
    assert udp["source_ip_fieldname"] == "[log][source][address]"


def test_the_input_for_files_reads_on_where_a_file_grows() -> None:
    """Logstash finds a file while the appliance still pushes it: it reads it from its beginning, and what comes later, too."""
    ((_, settings),) = plugins(parse(corpus.ROOT / "logstash/pipeline/inputs/file.conf"))
    assert (settings["mode"], settings["start_position"], settings["exclude"]) == ("tail", "beginning", "*.gz")


@pytest.mark.parametrize("name", ["events", "parsed"])
def test_an_authority_of_one_s_own_can_be_named_in_an_output(name: str) -> None:
    """The setting stands there as a comment, and without the comment sign the file has it and nothing else is changed."""
    path = corpus.ROOT / f"logstash/pipeline/outputs/{name}.conf"
    text = path.read_text(encoding="utf-8")
    ((_, before),) = plugins(parse(path))
    ((_, after),) = plugins(lscl.parse_lscl(text.replace("# ssl_certificate_authorities =>", "ssl_certificate_authorities =>")))
    assert after == {**before, "ssl_certificate_authorities": ["/etc/logstash/esatls-ca.pem"]}


def test_every_line_becomes_the_extractors_document_on_jruby() -> None:
    """Every case, look-alike, foreign and reported line, in every envelope, and text of two lines: whole documents are equal, without a Logstash."""
    missing = cannot_run()
    if missing:
        pytest.skip(missing)
    lines = [*corpus.lines(), *(line for lines in corpus.inputs().values() for line in lines)]
    lines += [f"Wed Jul 20 19:47:40 2005 Info: {text}" for text in ("ICID 5 close: a\nb", "MID 5 Subject 'a\nb'", "ICID 5 TLS failed: a\r\nb")]
    got = {document.pop("number"): document for document in run_jruby(lines)}
    want = {number: corpus.merged({"event": {"original": line}}, corpus.expected(line)) for number, line in enumerate(lines)}
    assert sorted(got) == list(range(len(lines)))
    assert {number: (got[number], want[number]) for number in got if got[number] != want[number]} == {}


def test_a_path_may_be_written_as_one_name_on_jruby() -> None:
    """Appliance and time zone under dotted names, which `add_field` makes without brackets, count like nested ones."""
    missing = cannot_run()
    if missing:
        pytest.skip(missing)
    line = "Wed Jul 20 19:47:40 2005 Info: ICID 5 close"
    (made,) = run_jruby([line], {"observer.hostname": "esa1", "event.timezone": "+02:00"})
    told = {"@timestamp": "2005-07-20T17:47:40Z", "observer": {"hostname": "esa1"}, "event": {"timezone": "+02:00", "original": line}}
    assert made == {"number": 0, **corpus.merged(corpus.expected(line), told)}


def test_a_line_or_a_time_zone_that_is_no_text_on_jruby() -> None:
    """The filter makes of it what the ingest pipeline makes."""
    missing = cannot_run()
    if missing:
        pytest.skip(missing)
    made = run_documents([{"@timestamp": corpus.SHIPPED, **document} for document, _ in corpus.ODD])
    assert made == [corpus.odd(document, told) for document, told in corpus.ODD]


def test_the_sender_of_syslog_is_the_appliance_on_jruby() -> None:
    """A host in a header that a shipper has taken off the line counts as it does in the ingest pipeline."""
    missing = cannot_run()
    if missing:
        pytest.skip(missing)
    made = run_documents([{"@timestamp": corpus.SHIPPED, "message": line, **beside} for line, beside, _ in corpus.SENDERS])
    assert [one.get("observer", {}).get("hostname") for one in made] == [host for _, _, host in corpus.SENDERS]
    assert all(one["log"].items() >= beside["log"].items() for one, (_, beside, _) in zip(made, corpus.SENDERS))


def test_the_filter_holds_no_ruby_of_its_own() -> None:
    """Its ruby step loads a file and calls it; what the files know of log lines comes from the generated tables."""
    (settings,) = (settings for name, settings in plugins(parse(FILTER)) if name == "ruby")
    file = re.fullmatch(r'load "\$\{ESATLS_HOME:/etc/logstash/esatls\}/logstash/pipeline/events/(\w+\.rb)"', settings["init"])
    assert file
    assert (FILTER.parent / file[1]).is_file()
    assert settings["code"] == "EsatlsEvent.read(event)"


def test_what_the_filter_has_read_is_joined(empty: Client) -> None:
    """Its documents, through the pipeline that its output names, become the records of the command line, as lines do that the server reads."""
    missing = cannot_run()
    if missing:
        pytest.skip(missing)
    lines = [line for line in (corpus.ROOT / "python/esatls/sample.log").read_text(encoding="utf-8").splitlines() if "Time offset" not in line]
    ((_, output),) = plugins(parse(corpus.ROOT / "logstash/pipeline/outputs/parsed.conf"))
    stream = "-".join(output[f"data_stream_{part}"] for part in ("type", "dataset", "namespace"))
    action = {"create": {"_index": stream, "pipeline": output["pipeline"]}}
    assert empty.bulk([(action, document) for document in run_jruby(lines)]) == []
    join(empty, overlap=0)
    connections, messages = answers(lines)
    assert ordered(all_documents(empty, "logs-esatls.connections-*")) == ordered(connections)
    assert ordered(all_documents(empty, "logs-esatls.messages-*")) == ordered(messages)


# ---- with a Logstash ----

needs_logstash = [pytest.mark.logstash, pytest.mark.skipif(not HOME, reason="LOGSTASH_HOME names no Logstash")]


class TestWithLogstash:
    """The whole filter, in a real Logstash."""

    pytestmark = needs_logstash

    def test_every_line_becomes_the_extractors_document(self, tmp_path: Path) -> None:
        """Every case, look-alike and foreign line, in every envelope: whole documents are equal."""
        lines = corpus.lines()
        got = {document.pop("number"): document for document in run_logstash(tmp_path, lines)}
        assert sorted(got) == list(range(len(lines)))
        want = {number: corpus.merged({"event": {"original": line}}, corpus.expected(line)) for number, line in enumerate(lines)}
        assert {number: (got[number], want[number]) for number in got if got[number] != want[number]} == {}
