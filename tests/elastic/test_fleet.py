"""The Fleet package: as Elastic's specification wants it, and what it makes of lines is what the extractor says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from esatls.elastic.join import join

from tests.elastic import corpus, jruby
from tests.elastic.fleet import Package, expected, samples
from tests.elastic.store import all_documents, answers, index_lines, ordered

sys.path.insert(0, str(corpus.ROOT / "python" / "package"))
import fleet_package

if TYPE_CHECKING:
    from pathlib import Path

    from esatls.elastic.client import Client


@pytest.fixture(scope="module")
def package() -> Package:
    """Return the package, read by a reader of YAML that is not its writer's."""
    missing = jruby.cannot_run()
    if missing:
        pytest.skip(missing)
    return Package()


@pytest.mark.skipif("PACKAGE_SPEC" not in os.environ, reason="PACKAGE_SPEC names no validator: tests/elastic/README.md tells how to build Elastic's own")
def test_elastics_validator_finds_nothing(tmp_path: Path) -> None:
    """The package as Kibana takes it, and its source with the pipeline tests, have no error."""
    for path, content in fleet_package.contents(source=True).items():
        (tmp_path / "esatls" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "esatls" / path).write_bytes(content)
    for target in (tmp_path / "esatls", *fleet_package.build(tmp_path)):
        done = subprocess.run([os.environ["PACKAGE_SPEC"], str(target)], capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_archive_has_what_fleet_reads(tmp_path: Path) -> None:
    """All files lie in a folder of name and version, none is a developer's, and two builds are the same bytes."""
    (path,) = fleet_package.build(tmp_path / "one")
    (again,) = fleet_package.build(tmp_path / "two")
    assert path.read_bytes() == again.read_bytes()
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        folder = path.stem
        assert {name: archive.read(name) for name in names} == {f"{folder}/{name}": content for name, content in fleet_package.contents().items()}
    assert not any("_dev" in name for name in names)
    for name in ("manifest.yml", "changelog.yml", "docs/README.md", "LICENSE.txt", "img/esatls-logo.png"):
        assert f"{folder}/{name}" in names
    for kind in fleet_package.STREAMS:
        for name in ("manifest.yml", "sample_event.json", "fields/base-fields.yml"):
            assert f"{folder}/data_stream/{kind}/{name}" in names


def test_yaml_means_what_was_written(package: Package) -> None:
    """Pipelines and fields are read as they were meant, and so are values that are hard to write."""
    for name, pipeline in fleet_package.pipelines().items():
        assert package.yaml[f"data_stream/events/elasticsearch/ingest_pipeline/{name}.yml"] == pipeline
    for kind in fleet_package.STREAMS:
        for name, fields in fleet_package.fields(kind).items():
            assert package.yaml[f"data_stream/{kind}/fields/{name}.yml"] == fields
    hard: dict[str, Any] = {
        "texts": [
            "",
            " a",
            "a ",
            "no",
            "NULL",
            "1",
            "1e3",
            "- a",
            "a: b",
            "#",
            "it's",
            '"',
            "\\d",
            "a\nb",
            "a\n\n b\n",
            "\na",
            "a\n\n",
            "a \nb",
            "a\tb",
            "ä\u2028",
            "2026-01-02",
        ],
        "yes": [[], {}, [[1, 2.5], [True, None]], {"a": {"b": [{"c": 1}, {"d": ["x\ny"]}]}}],
    }
    assert jruby.read_yaml({"hard": fleet_package.yaml_text.text(hard)}) == {"hard": hard}


def test_the_pipeline_tests_expect_what_a_server_makes(package: Package, fresh: Client) -> None:
    """The expected documents are the server's, and each is what the extractor says of the line."""
    package.install(fresh)
    for name, text in expected(package, fresh).items():
        assert package.files[name].decode() == text, f"run python tests/elastic/fleet.py: {name}"
    tags = {"tags": package.yaml["data_stream/events/_dev/test/pipeline/test-common-config.yml"]["fields"]["tags"]}
    for name, lines in package.pipeline_tests().items():
        found = json.loads(package.files[f"{name}-expected.json"])["expected"]
        for document in found:
            del document["event"]["ingested"]
            if not document["event"]:
                del document["event"]
        assert found == [{**tags, **corpus.expected(line)} for line in lines]


def test_sample_events_are_a_servers(package: Package, fresh: Client) -> None:
    """They are what the sample log becomes, and every field of theirs is defined."""
    package.install(fresh)
    for name, text in samples(fresh).items():
        assert package.files[name].decode() == text, f"run python tests/elastic/fleet.py: {name}"


def test_a_second_of_fleet_may_hold_more_than_a_page(package: Package, fresh: Client, log: list[str]) -> None:
    """Fleet cuts the time of coming in to seconds: all events of one second are read, in pages."""
    package.install(fresh)
    lines = log[:500]
    index_lines(fresh, lines)
    times = {hit["fields"]["event.ingested"][0] for hit in fresh.request("POST", "/logs-esatls.events-*/_search", TIMES)["hits"]["hits"]}
    assert all(time.endswith(".000Z") for time in times)
    assert len(times) < len(lines) / 50
    join(fresh, overlap=-2, batch=50)
    connections, messages = answers(lines)
    assert ordered(all_documents(fresh, "logs-esatls.connections-*")) == ordered(connections)
    assert ordered(all_documents(fresh, "logs-esatls.messages-*")) == ordered(messages)


TIMES = {"size": 10000, "_source": False, "docvalue_fields": ["event.ingested"]}
