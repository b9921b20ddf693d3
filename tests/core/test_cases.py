"""Every kind of line: one pattern, the whole event, and nothing for what only looks like it."""

from __future__ import annotations

import importlib.util
import re
from typing import Any

import pytest
from esatls.extraction import fields, kinds
from esatls.extraction.match import extract, match
from esatls.extraction.patterns import MATCHERS, PATTERNS
from esatls.lines.header import ENVELOPE
from pygrok import Grok

from tests.core.support import ROOT, all_cases

PATTERNS_DIR = ROOT / "grok_patterns"
COMPILED = {name: re.compile(text, re.ASCII) for name, text in PATTERNS.items()}
FILES = all_cases()
CASES = [pytest.param(file["pattern"], case, id=f"{file['file'][:-5]}-{i}") for file in FILES for i, case in enumerate(file["cases"])]
LOOKALIKES = [pytest.param(text, id=f"{file['file'][:-5]}-{i}") for file in FILES for i, text in enumerate(file["lookalikes"])]
OTHER_SOURCES = {
    "tls_in_result", "tls_in_version", "tls_in_cipher", "tls_out_result", "tls_out_version", "tls_out_cipher",
    "dane_status", "dane_host", "action", "witness", "serial", "ended",
}  # fmt: skip
"""Fields that only consolidated events and message tracking have."""
ENVELOPE_FIELDS = {"time", "esa_host", "esa_log", "esa_level"}


def generator() -> Any:
    """Return the generator of the patterns, as a module."""
    spec = importlib.util.spec_from_file_location("generate_patterns", ROOT / "python" / "generate" / "patterns.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("pattern", "case"), CASES)
def test_case_matches_its_pattern_and_no_other(pattern: str, case: dict[str, Any]) -> None:
    """A line of the catalogue is of one kind, never of two."""
    assert [name for name, compiled in COMPILED.items() if compiled.fullmatch(case["text"])] == [pattern]


@pytest.mark.parametrize(("pattern", "case"), CASES)
def test_case_gives_the_whole_event(pattern: str, case: dict[str, Any]) -> None:
    """The event has the expected fields, each with its value and type, and no others."""
    found = match(case["text"])
    assert found is not None
    assert found[0].name == pattern
    event = extract(case["text"])
    assert event == case["event"]
    assert {name: type(value) for name, value in (event or {}).items()} == {name: type(value) for name, value in case["event"].items()}


@pytest.mark.parametrize("text", LOOKALIKES)
def test_lookalike_is_no_event(text: str) -> None:
    """A text that only looks like a line of the log matches no pattern."""
    assert [name for name, compiled in COMPILED.items() if compiled.fullmatch(text)] == []
    assert extract(text) is None


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_pattern_has_cases(pattern: str) -> None:
    """No pattern stands without a sample; consolidated events have case files of their own."""
    if pattern.startswith("ESA_CONSOLIDATED_EVENT"):
        return
    assert [file for file in FILES if file["pattern"] == pattern]


def test_every_kind_has_a_pattern_and_every_pattern_a_kind() -> None:
    """The kinds of the contract and the patterns are the same set."""
    assert {kinds.kind_of(name) for name in PATTERNS} | {"consolidated_event"} == set(kinds.EVENT_KINDS)


def test_every_field_of_the_text_log_occurs() -> None:
    """Each field of the table that a text line can have stands in a case, and no case has a field that the table lacks."""
    used = {name for file in FILES for case in file["cases"] for name in case["event"]}
    table = {field.name for field in fields.FIELDS}
    assert used <= table
    assert table - used == OTHER_SOURCES | ENVELOPE_FIELDS


@pytest.mark.parametrize(("pattern", "case"), CASES)
def test_pygrok_captures_the_same(pattern: str, case: dict[str, Any]) -> None:
    """The pattern files, read by pygrok itself, capture what the generated expression captures."""
    ours = COMPILED[pattern].fullmatch(case["text"])
    assert ours is not None
    theirs = grok(pattern).match(case["text"])
    assert theirs == ours.groupdict()


_GROKS: dict[str, Grok] = {}


def grok(pattern: str) -> Grok:
    """Return one pattern, compiled by pygrok once."""
    if pattern not in _GROKS:
        _GROKS[pattern] = Grok(f"^%{{{pattern}}}$", custom_patterns_dir=str(PATTERNS_DIR))
    return _GROKS[pattern]


def test_alternation_of_all_patterns_compiles_in_pygrok() -> None:
    """A reader of the folder that wants one pattern per block can compile every definition."""
    for name in generator().definitions():
        Grok(f"%{{{name}}}", custom_patterns_dir=str(PATTERNS_DIR))


def test_pattern_files_are_plain() -> None:
    """The folder holds pattern files alone: ASCII, product prefix, flat capture names, no syntax beyond the shared subset."""
    for path in sorted(PATTERNS_DIR.iterdir()):
        text = path.read_bytes().decode("ascii")
        assert "\r" not in text
        for line in text.splitlines():
            if not line or line.startswith("#"):
                continue
            assert re.fullmatch(r"ESA_[A-Z0-9_]+ \S.*", line), line
            assert all(re.fullmatch(r"ESA_[A-Z0-9_]+(?::[a-z_]+)?", inner) for inner in re.findall(r"%\{([^}]*)\}", line)), line
            assert not re.search(r"\(\?>|[*+?}]\+|\\[AZzGKhR]|\\p\{|\(\?[imsx]|\(\?<[=!]|\[\[:", line), line


def test_generated_expressions_have_only_named_groups() -> None:
    """Each group of a generated expression is a field, captured once."""
    for name, compiled in {**COMPILED, "ENVELOPE": re.compile(ENVELOPE, re.ASCII)}.items():
        assert compiled.groups == len(compiled.groupindex), name


def test_dispatch_knows_every_pattern() -> None:
    """Each pattern is reached through the first characters of its lines."""
    reached = {name for _, table, _ in MATCHERS.values() for name, _ in table.values()}
    assert reached == set(PATTERNS)


def test_generated_patterns_are_fresh() -> None:
    """The generated module is what the pattern files give now."""
    for path, text in generator().files().items():
        assert (ROOT / path).read_text(encoding="utf-8") == text, "run: python python/generate"
