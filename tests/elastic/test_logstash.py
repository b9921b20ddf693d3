"""The Logstash pipelines: read by a parser of their language, and run whole where ``LOGSTASH_HOME`` points at a Logstash."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from esatls.elastic.documents import ecs_field
from esatls.extraction.fields import FIELDS

from tests.elastic import corpus
from tests.elastic.jruby import cannot_run, run_jruby
from tests.elastic.logstash import FILTER, HOME, run_logstash
from tests.elastic.test_kibana import mapped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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


def test_the_filter_uses_the_folder_of_patterns_as_it_is() -> None:
    """Grok reads the parts of patterns in grok_patterns/, has all events, anchored at both ends, and a line that does not match gets no failure tag."""
    groks = [settings for name, settings in plugins(parse(FILTER)) if name == "grok"]
    assert len(groks) == 12
    known = {line.split(" ", 1)[0] for file in (corpus.ROOT / "grok_patterns").iterdir() for line in file.read_text().splitlines() if line.startswith("ESA_")}
    for settings in groks:
        assert settings["patterns_dir"] == ["${ESATLS_HOME:/etc/logstash/esatls}/grok_patterns"]
        assert settings["tag_on_failure"] == []
        ((_, patterns),) = settings["match"].items()
        for pattern in patterns if isinstance(patterns, list) else [patterns]:
            assert pattern.startswith(r"\A")
            assert set(re.findall(r"%\{(\w+)", pattern)) <= known
    events = [settings["match"]["[@metadata][esatls][text]"] for settings in groks[1:]]
    assert all(pattern.endswith(r"\z") for pattern in events)
    named = {name for pattern in events for name in re.findall(r"\(\?<(ESA_\w+)>", pattern)}
    assert named == {name for name in known if not name.startswith("ESA_H_")} - {"ESA_ENVELOPE", "ESA_EVENT"}


def test_every_field_that_the_filter_names_is_in_the_table_and_in_the_template() -> None:
    """The generated table takes every field to its ECS name, and to nothing else."""
    tables = (FILTER.parent / "esatls_tables.rb").read_text(encoding="utf-8")
    (table,) = re.findall(r"  ECS = \{\n(.*?)\n  \}\.freeze", tables, re.DOTALL)
    named = {(side, *pair) for side, line in re.findall(r'"(\w+)" => \{(.*)\}', table) for pair in re.findall(r'"(\w+)" => "(\S+)"', line)}
    wanted = {
        (side, field.name, "".join(f"[{part}]" for part in ecs_field(field.name, side).split(".")))
        for field in FIELDS
        if field.name != "time"
        for side in ("receiving", "delivery")
    }
    assert named == wanted
    targets = {target[1:-1].replace("][", ".") for _, _, target in named}
    code = "".join(path.read_text(encoding="utf-8") for path in FILTER.parent.glob("*.rb"))
    set_in_code = {name[1:-1].replace("][", ".") for name in re.findall(r'event\.set\("((?:\[\w+\])+)"', code)}
    assert set_in_code
    assert targets | set_in_code <= mapped("esatls-events")


def test_an_authority_of_one_s_own_can_be_named_in_the_output() -> None:
    """The setting stands there as a comment, and without the comment sign the file has it and nothing else is changed."""
    path = corpus.ROOT / "logstash/pipeline/outputs/events.conf"
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


def test_the_filter_holds_no_ruby_of_its_own() -> None:
    """Each ruby step loads a file and calls it; what the files know of log lines comes from the generated tables."""
    steps = [settings for name, settings in plugins(parse(FILTER)) if name == "ruby"]
    assert [settings["id"] for settings in steps] == ["esatls-line", "esatls-types"]
    for settings in steps:
        file = re.fullmatch(r'load "\$\{ESATLS_HOME:/etc/logstash/esatls\}/logstash/pipeline/events/(\w+\.rb)"', settings["init"])
        assert file
        assert (FILTER.parent / file[1]).is_file()
        assert re.fullmatch(r"Esatls\w+\.read\(event\)", settings["code"])


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
