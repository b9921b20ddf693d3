"""Every kind of line: one pattern, the whole event, and nothing for what only looks like it."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from esatls.extraction import fields, kinds
from esatls.extraction.match import extract, match
from esatls.extraction.patterns import MATCHERS, PATTERNS
from esatls.lines.header import ENVELOPE
from pygrok import Grok

from tests.core.support import ROOT, all_cases

if TYPE_CHECKING:
    import pathlib

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


def generator(name: str = "patterns") -> Any:
    """Return a generator, by default that of the patterns, as a module."""
    spec = importlib.util.spec_from_file_location(f"generate_{name}", ROOT / "python" / "generate" / f"{name}.py")
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
    assert pattern in {file["pattern"] for file in FILES}, "no file in tests/cases is about this pattern"


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


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("ESA_Message_Finished MID done", "9_new:2: not ESA_NAME, a space and an expression: ESA_Message_Finished MID done"),
        (" ESA_MESSAGE_FINISHED_NEW MID done", "9_new:2: not ESA_NAME, a space and an expression:  ESA_MESSAGE_FINISHED_NEW MID done"),
        ("ESA_MESSAGE_FINISHED MID done", "9_new:2: defined before: ESA_MESSAGE_FINISHED"),
        ("ESA_MESSAGE_FINISHED_NEW MID %{ESA_H_IDS:mid}", "9_new:2: no such pattern: ESA_H_IDS"),
        ("ESA_MESSAGE_FINISHED_NEW MID %{ESA_H_ID:email.mid}", "9_new:2: not %{ESA_NAME} or %{ESA_NAME:field}: %{ESA_H_ID:email.mid}"),
        ("ESA_MESSAGE_FINISHED_NEW MID (?<mid>[0-9]+)", "9_new:2: the engines do not share this syntax: (?<"),
        ("ESA_MESSAGE_FINISHED_NEW MID %{ESA_H_ID:mid} a++", "9_new:2: the engines do not share this syntax: ++"),
        ("ESA_MESSAGE_FINISHED_NEW MID \u00e9", "9_new:2: not plain ASCII: 'ESA_MESSAGE_FINISHED_NEW MID \u00e9'"),
        ("ESA_MESSAGE_FINISHED_NEW MID done\r", "9_new:2: not plain ASCII: 'ESA_MESSAGE_FINISHED_NEW MID done\\r'"),
        ("ESA_MESSAGE_FINISHED_NEW MID %{ESA_H_ID:mid} %{ESA_H_ID:mid}", "ESA_MESSAGE_FINISHED_NEW: a field is captured twice"),
        ("ESA_MESSAGE_FINISHED_NEW MID %{ESA_H_ID:mids}", "ESA_MESSAGE_FINISHED_NEW: not in the table of python/esatls/extraction/fields.py: mids"),
        ("ESA_MESAGE_NEW MID %{ESA_H_ID:mid}", "ESA_MESAGE_NEW: the name tells no kind of event; python/esatls/extraction/kinds.py has them"),
        ("ESA_MESSAGE_FINISHED_NEW .* MID %{ESA_H_ID:mid}", r"ESA_MESSAGE_FINISHED_NEW: must begin with 4 literal characters: .* MID (?P<mid>\d{1,18})"),
    ],
)
def test_mistake_in_a_pattern_is_named(line: str, said: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The generator refuses what some engine cannot read, and says where it is and why."""
    module = generator()
    shutil.copytree(PATTERNS_DIR, tmp_path, dirs_exist_ok=True)
    (tmp_path / "9_new").write_bytes(f"# new\n{line}\n".encode())
    monkeypatch.setattr(module, "PATTERNS_DIR", tmp_path)
    with pytest.raises(ValueError, match=rf"\A{re.escape(said)}\Z"):
        module.files()


def test_pattern_without_a_constant_field_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Splunk's confs tell a kind of line by a field that each line of it has; a pattern without one is refused by name."""
    module = generator("splunk")
    monkeypatch.setitem(module.PATTERNS, "ESA_MESSAGE_FINISHED_NEW", r"MID(?: (?P<mid>\d{1,18}))?")
    with pytest.raises(ValueError, match=r"\AESA_MESSAGE_FINISHED_NEW: no field stands outside of its groups; Splunk needs one that every line has\Z"):
        module.files()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"pattern": ', "Expecting value: line 1 column 13 (char 12)"),
        ('{"pattern": "ESA_MESSAGE_NEW", "cases": [], "lookalikes": []}', "no such pattern: ESA_MESSAGE_NEW"),
        ('{"pattern": "ESA_MESSAGE_FINISHED", "cases": []}', 'must have "pattern", "cases", each with "text" and "event", and "lookalikes"'),
        (
            '{"pattern": "ESA_MESSAGE_FINISHED", "cases": [{"text": "x"}], "lookalikes": []}',
            'must have "pattern", "cases", each with "text" and "event", and "lookalikes"',
        ),
    ],
)
def test_mistake_in_a_case_file_is_named(text: str, said: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The generator refuses a case file that is not like the others, by name."""
    module = generator("docs")
    (tmp_path / "message_new.json").write_text(text, encoding="ascii")
    monkeypatch.setattr(module, "CASES", tmp_path)
    with pytest.raises(ValueError, match=rf"\Atests/cases/message_new.json: {re.escape(said)}\Z"):
        module.files()


def test_generator_names_a_package_that_is_missing() -> None:
    """Those who have installed the command line alone are told what the generator needs."""
    script = "import runpy, sys; sys.modules['pygrok'] = None; runpy.run_path('python/generate', run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "pygrok is not installed: pip install -e '.[test]'\n")


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
