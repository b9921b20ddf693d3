"""What comes out: no cell runs, no page scripts, no terminal obeys, no record is forged, whatever stands in the log."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
import sys
import unicodedata
from collections import Counter
from typing import TYPE_CHECKING, Callable

import pytest
from esatls.output import harmless, printable
from esatls.output.json_lines import dumps

from tests.report.support import CHROMIUM, Page, chromium
from tests.security.stranger import ALL, FORMULAS, MARKUP, QUERIES, TERMINAL, collected_of, local_part, log_of, run

if TYPE_CHECKING:
    import pathlib

BIDI = {"LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI"}
MARKS = {"\u061c", "\u200e", "\u200f"}
DANGEROUS = [
    character
    for character in map(chr, range(sys.maxunicode + 1))
    if unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} or unicodedata.bidirectional(character) in BIDI or character in MARKS
]
"""Controls of both sets, halves of surrogate pairs, line and paragraph separators, everything that turns text around."""
INVISIBLE = [
    character
    for first, last in (
        (0xAD, 0xAD), (0x34F, 0x34F), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x200B, 0x200D), (0x2060, 0x2065), (0x206A, 0x206F),
        (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
    )
    for character in map(chr, range(first, last + 1))
]  # fmt: skip
"""What is drawn as nothing: Unicode's Default_Ignorable_Code_Point, without those of DANGEROUS."""
NOT_IN_XML = ["\ufffe", "\uffff"]
"""What no XML file may have, besides controls and halves of surrogate pairs."""
RAW = re.compile("[" + "".join(f"\\u{ord(character):04x}" for character in DANGEROUS if character != "\n") + "]")


def test_the_list_is_whole() -> None:
    """The list of characters holds those that are known to do harm."""
    known = "\x00\x07\x08\x1b\x7f\x80\x9b\x9f\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ud800\udfff"
    assert set(known) <= set(DANGEROUS)
    assert len(DANGEROUS) == 65 + 2048 + 2 + 9 + 3


def test_no_dangerous_character_is_printable() -> None:
    """Each of them comes out as a visible escape of ASCII, on a terminal, in CSV and in JSON; other text stays as it is."""
    for character in DANGEROUS:
        escape = printable(character)
        assert re.fullmatch(r"\\x[0-9a-f]{2}|\\u[0-9a-f]{4}", escape), ascii(character)
        assert harmless(character) == escape
        assert dumps({"x": character}).isascii(), ascii(character)
    others = "".join(sorted(set(map(chr, range(sys.maxunicode + 1))).difference(DANGEROUS, INVISIBLE, NOT_IN_XML)))
    assert printable(others) == others


def test_nothing_invisible_is_printable() -> None:
    """What is drawn as nothing, or may not be in XML, comes out as a visible escape everywhere but in JSON, so that no two names look like one."""
    assert {"\u200b", "\u200c", "\u200d", "\u2060", "\xad", "\ufeff", "\u3164", "\U000e0041"} <= set(INVISIBLE)
    assert not set(INVISIBLE).intersection(DANGEROUS)
    for character in (*INVISIBLE, *NOT_IN_XML):
        escape = printable(character)
        assert re.fullmatch(r"\\xad|\\u[0-9a-f]{4}|\\U000[0-9a-f]{5}", escape), ascii(character)
        assert harmless(character) == escape
        assert ascii(character) == f"'{escape}'"
        assert json.loads(dumps({"x": character})) == {"x": character}
    assert printable("ex\u200bample.net \U000e0041") == "ex\\u200bample.net \\U000e0041"


def test_text_and_numbers_stay() -> None:
    """What is neither formula nor control stays as it is: numbers with a sign, words with such signs within, any script."""
    for text in ("-3600", "+2", "-2.5", "1;-2;+3.0", "a=b", "x-y@example.com", "5.1.0 - bad; no", "caf\u00e9 \u05e9\u05dc\u05d5\u05dd \U0001f4e7", "", ";;"):
        assert harmless(text) == text
    assert harmless("=1") == "'=1"
    assert harmless("-1+1") == "'-1+1"
    assert harmless("a;=1;@b;-2") == "a;'=1;'@b;-2"


LOGS = [pytest.param(log_of, id="log"), pytest.param(collected_of, id="collected")]
COMMANDS = [pytest.param(("events", "-k", "all"), id="events"), pytest.param(("connections",), id="connections"), pytest.param(("messages",), id="messages")]


def told(*arguments: str, log: bytes) -> str:
    """Run a command; return what it prints, after a look at both its streams."""
    done = run(*arguments, stdin=log)
    assert done.returncode == 0, done.stderr
    for stream in (done.stdout, done.stderr):
        assert RAW.search(stream.decode("utf-8")) is None
    return done.stdout.decode("utf-8")


@pytest.mark.parametrize("make", LOGS)
@pytest.mark.parametrize("command", COMMANDS)
def test_json_lines(command: tuple[str, ...], make: Callable[..., bytes]) -> None:
    """Each record is one line of JSON without a control; kinds, verdicts and ids are those of a log with harmless words in the same places."""
    records = [json.loads(line) for line in told(*command, "-f", "json", log=make(ALL)).split("\n")[:-1]]
    plain = [json.loads(line) for line in told(*command, "-f", "json", log=make([f"x{number}" for number in range(len(ALL))])).split("\n")[:-1]]
    key = ("icid", "dcid", "mid", "esa_event", "tls_verdict", "received", "delivered", "tls_result")
    assert Counter(tuple(record.get(name) for name in key) for record in records) == Counter(tuple(record.get(name) for name in key) for record in plain)
    assert len(records) >= len(ALL)


def test_text_is_kept() -> None:
    """Hostile text without controls stands in the records as it stood in the log."""
    senders = {json.loads(line).get("sender") for line in told("messages", "-f", "json", log=log_of()).splitlines()}
    assert {f"{local_part(text)}@example.net" for text in MARKUP + QUERIES} <= senders


@pytest.mark.parametrize("make", LOGS)
@pytest.mark.parametrize("command", COMMANDS)
def test_csv(command: tuple[str, ...], make: Callable[..., bytes]) -> None:
    """Every row has its columns; no cell, nor any value of a cell that holds several, begins as a formula does."""
    out = told(*command, "-f", "csv", log=make(ALL))
    rows = list(csv.reader(io.StringIO(out, newline=""), strict=True))
    assert len(rows) > len(ALL)
    assert len(rows) == out.count("\n"), "one line each"
    assert {len(row) for row in rows} == {len(rows[0])}
    for value in (part for row in rows for cell in row for part in cell.split(";")):
        assert value[:1] not in set("=+-@\uff1d\uff0b\uff0d\uff20") or re.fullmatch(r"[+-]?\d+(\.\d+)?", value), value


def test_formulas_are_there_to_be_seen() -> None:
    """A neutral formula is shown, behind an apostrophe."""
    out = told("messages", "-f", "csv", log=log_of())
    for text in FORMULAS[:4]:
        assert f"'{text}@example.net" in out


@pytest.mark.parametrize("make", LOGS)
@pytest.mark.parametrize("command", [("events", "-k", "all", "-f", "table"), ("connections", "-f", "table"), ("messages", "-f", "table"), ("report",)])
def test_tables_and_report(command: tuple[str, ...], make: Callable[..., bytes]) -> None:
    """Nothing that a terminal obeys reaches it, on either stream."""
    assert "alert(1)" in told(*command, log=make(ALL))


def test_explain() -> None:
    """Nor when a single line is explained."""
    for line in log_of(TERMINAL[:3] + TERMINAL[-3:]).decode("utf-8").splitlines()[2::18]:
        assert RAW.search(run("explain", line).stdout.decode("utf-8")) is None


@pytest.mark.parametrize("make", LOGS)
def test_page(make: Callable[..., bytes]) -> None:
    """The page of the log has the elements, attributes and the one script of a harmless one, and a policy that lets through its own style and script alone."""
    source = told("report", "-f", "html", log=make(ALL))
    page, plain = Page(source), Page(told("report", "-f", "html", log=make([f"x{number}" for number in range(len(ALL))])))
    assert page.elements == plain.elements
    assert {pair[:2] for pair in page.attributes} == {pair[:2] for pair in plain.attributes}
    assert page.script == plain.script
    assert len(page.script) == source.count("<script") == 1
    assert not page.elements & {"iframe", "object", "embed", "link", "img", "base", "form", "foreignobject", "use", "animate"}
    assert not [pair for pair in page.attributes if pair[1].startswith("on") or pair[1] in ("style", "src", "srcset", "xlink:href")]
    assert all(value.startswith("#") for _, name, value in page.attributes if name == "href")
    (policy,) = (value for element, name, value in page.attributes if (element, name) == ("meta", "content") and "-src" in value)
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    digest = base64.b64encode(hashlib.sha256(page.script[0].encode()).digest()).decode()
    assert re.findall("script-src ([^;]*)", policy) == [f"'sha256-{digest}'"]
    assert source.index("Content-Security-Policy") < source.index("<style") < source.index("<body")


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: apt-get install chromium")
def test_page_in_a_browser(tmp_path: pathlib.Path) -> None:
    """Chromium runs the page's own script and no other, breaks no rule of the policy and shows the words as words."""
    path = tmp_path / "report.html"
    path.write_text(told("report", "-f", "html", log=log_of()), encoding="utf-8")
    shown = chromium(path, tmp_path, "--dump-dom")
    assert "Content Security Policy" not in shown.stderr
    assert "CONSOLE" not in shown.stderr
    page = Page(shown.stdout)
    assert len(page.script) == 1
    assert "<script>alert(1)</script>" in "".join(page.text)


@pytest.mark.parametrize("text", ["\x1b[31mx", "\u202ex", "a\nb", "\udcff", "=x", "<b>", "-x", "*", "$(touch x)", "a;b|c&d"])
def test_file_names(text: str, tmp_path: pathlib.Path) -> None:
    """A file may be called anything: it is read, and what is said of it is harmless; a missing one is told in one line."""
    folder = tmp_path
    log = folder / f"{text}.log"
    log.write_bytes(log_of(["harmless"]))
    done = run("messages", "-f", "json", log)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1
    assert run("messages", "-f", "json", folder).stdout == done.stdout
    assert [path.name for path in folder.iterdir()] == [log.name]
    for command in ("messages", "report"):
        missing = run(command, folder / f"missing {text}")
        assert missing.returncode == 1
        assert RAW.search(missing.stderr.decode("utf-8")) is None
        assert len(missing.stderr.splitlines()) == 2
