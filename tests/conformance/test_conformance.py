"""Every installed engine gives the same answer to every case and scenario; the corpus is complete; the page is up to date."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from esatls.extraction.fields import FIELDS
from esatls.extraction.patterns import PATTERNS

from . import cli, table
from .corpus import ROOT, rows
from .engines import ENGINES, Cell, Engine

ROWS = rows()


def page() -> list[list[str]]:
    """Return the cells of the page's table."""
    text = cli.PAGE.read_text(encoding="utf-8")
    assert text.startswith(table.HEADER)
    return [[cell.strip() for cell in line[1:-1].split("|")] for line in text.splitlines() if line.startswith("| ")]


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
def test_an_engine_differs_nowhere(engine: Engine) -> None:
    """The engine gives every answer of the corpus completely; what it leaves out by design is as stated on the page."""
    column = table.column(engine, ROWS)
    if isinstance(column, str):
        pytest.skip(column)
    different = {name: cell.examples for name, cell in column.items() if cell.differences}
    assert different == {}
    assert table.compared(column) > 90
    shown = page()
    at = shown[0].index(engine.name)
    if shown[1][at] != table.ABSENT:
        wanted = [table.shown(column.get(row.name)) for row in ROWS]
        assert [line[at] for line in shown[1:-1]] == wanted, "run: python tests/conformance --page"


def test_the_page_has_the_rows_of_now() -> None:
    """The page has all case files, scenarios and engines, with the right number of answers in each row."""
    head, *body = page()
    assert head == ["", "answers", *(engine.name for engine in ENGINES)]
    assert [line[:2] for line in body[:-1]] == [[row.name, str(row.size)] for row in ROWS], "run: python tests/conformance --page"
    assert body[-1][:2] == ["all", str(sum(row.size for row in ROWS))]


def test_every_pattern_has_a_case_file_and_every_case_file_one_pattern() -> None:
    """Every pattern has examples and look-alikes, and no two files are about one pattern; consolidated events have separate files."""
    named = [row.pattern for row in ROWS if row.kind == "pattern"]
    assert set(named) == {name for name in PATTERNS if not name.startswith("ESA_CONSOLIDATED_EVENT")}
    assert [name for name, files in Counter(named).items() if files > 1] == []
    assert [row.name for row in ROWS if row.kind != "scenario" and not any(item.stated for item in row.items)] == [], "no cases"
    alike = [row for row in ROWS if row.kind == "pattern" and row.pattern not in ALL_FORMS]
    assert [row.name for row in alike if all(item.stated for item in row.items)] == [], "no look-alikes"


ALL_FORMS = {"ESA_DELIVERY_BOUNCED_LOG", "ESA_DELIVERY_DELAYED_LOG", "ESA_MESSAGE_LINEAGE_NOTIFICATION"}
"""Patterns without look-alikes in their file: lines that could pass for theirs are in the file of a similar pattern."""


def test_every_field_occurs() -> None:
    """Each field of the table occurs in some case, and no case has a field that is not in the table."""
    stated = {name for row in ROWS for item in row.items for event in (item.stated, *item.events) for name in event or ()}
    assert stated == {field.name for field in FIELDS}


def test_scenarios_are_rows() -> None:
    """Each scenario has a log and records."""
    scenarios = [row for row in ROWS if row.kind == "scenario"]
    assert len(scenarios) > 20
    assert all(row.log and (row.connections or row.messages) and row.size for row in scenarios)


def test_a_difference_is_counted_and_shown() -> None:
    """A wrong answer, a missing record and an extra record are differences; an incomplete answer is not, if the engine may know less."""
    cell = Cell()
    cell.note("line", {"icid": 5}, {"icid": 5})
    cell.note("line", {"icid": 6}, {"icid": 5}, may_lack=True)
    cell.note("line", {}, {"icid": 5}, may_lack=True)
    cell.note("line", {}, {"icid": 5})
    cell.note_all("record", [{"mid": 1}, {"mid": 1}], [{"mid": 1}, {"mid": 2}])
    assert (cell.compared, cell.differences, cell.fewer, len(cell.examples)) == (7, 4, 1, 4)
    row = ROWS[0]
    columns: dict[str, table.Column] = {"extractor": {row.name: cell}, "logstash": "no such thing"}
    assert table.differences(columns) == 4
    assert [line[2:] for line in table.lines(columns, [row])] == [["extractor", "logstash"], ["4 (1 fewer)", "-"], ["4 (1 fewer)", "-"]]
    text = table.as_text(columns, [row])
    assert "logstash: the filter in a Logstash; not here: no such thing" in text
    assert "wanted {'icid': 5}" in text


def test_an_engine_that_is_wrong_fails_the_command() -> None:
    """Run as a user runs it, the command prints its columns and returns 0; it refuses to write a page with only some engines."""
    command = [sys.executable, str(Path(cli.__file__).parent), "--engine", "re"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0].split() == ["answers", "re"]
    assert subprocess.run([*command, "--page"], capture_output=True, check=False, cwd=ROOT).returncode == 2


def test_an_engine_that_is_not_here_leaves_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A page is written without an engine only if it had none of its answers before; otherwise it stays, and the command says why."""
    here: dict[str, table.Column] = {engine.name: "no such thing" if engine.name == "logstash" else {} for engine in ENGINES}
    monkeypatch.setattr(cli, "ROOT", tmp_path)
    monkeypatch.setattr(cli, "PAGE", tmp_path / "page.md")
    monkeypatch.setattr(cli, "rows", list)
    cli.PAGE.write_text(table.as_page(here, []) + "old\n", encoding="utf-8")
    monkeypatch.setattr(table, "run", lambda *_: here)
    assert cli.main(["--page"]) == 0
    assert cli.PAGE.read_text(encoding="utf-8") == table.as_page(here, [])
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(table, "run", lambda *_: {**here, "confs": "no such library"})
    assert cli.main(["--page"]) == 1
    assert cli.PAGE.read_text(encoding="utf-8") == table.as_page(here, [])
    assert capsys.readouterr().err == "page.md stays as it is: it has engines that are not here (see above): confs\n"
