"""The SPL evaluator of these tests: what it computes, and that it refuses what it does not know."""

from __future__ import annotations

from typing import Any

import pytest

from tests.splunk.dashboards.standin import spl

NOW = 1_000_000.0
ROWS: list[spl.Row] = [
    {"_time": NOW - 7200, "host": "a", "n": "2", "who": ["x", "y"]},
    {"_time": NOW - 3600, "host": "b", "n": "10", "who": "x", "why": "late"},
    {"_time": NOW - 60, "host": "a", "n": "3"},
]


class Rows:
    """An index of these rows, and no command."""

    def events(self, *_: object) -> list[spl.Row]:
        """Return the rows."""
        return ROWS

    command = events


def search(**macros: spl.Macro) -> spl.Search:
    """Return a search of the last three hours."""
    return spl.Search(macros=macros, earliest=NOW - 10800, latest=NOW, now=NOW, source=Rows())


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ('| where host == "a" | table n', [{"n": "2"}, {"n": "3"}]),
        ("| where n > 2 | table n", [{"n": "10"}, {"n": "3"}]),
        ('| where NOT why == "late" | table n', []),
        ('| where isnull(why) OR why != "late" | table n', [{"n": "2"}, {"n": "3"}]),
        (
            "| stats count, sum(n) AS sum, values(who) AS who BY host",
            [{"host": "a", "count": 2, "sum": 5, "who": ["x", "y"]}, {"host": "b", "count": 1, "sum": 10, "who": "x"}],
        ),
        ("| stats count BY who", [{"who": "x", "count": 2}, {"who": "y", "count": 1}]),
        ('| stats count(eval(host == "a")) AS a, dc(who) AS people', [{"a": 2, "people": 2}]),
        ("| sort 0 -n | head 1 | table n", [{"n": "10"}]),
        ('| eval x = n . "/" . why | table x', [{"x": None}, {"x": "10/late"}, {"x": None}]),
        ("| eval x = if(n > 2, round(100 * n / 7, 1), null()) | table x", [{"x": None}, {"x": "142.9"}, {"x": "42.9"}]),
        ("| mvexpand who | table who", [{"who": "x"}, {"who": "y"}, {"who": "x"}, {"who": None}]),
        ('| eval x = mvmap(who, if(who == "x", null(), who . "!")) | table x', [{"x": "y!"}, {"x": None}, {"x": None}]),
        ("| eventstats sum(n) AS all BY host | table n all", [{"n": "2", "all": 5}, {"n": "10", "all": 10}, {"n": "3", "all": 5}]),
        ('| fillnull value="-" why | stats count BY why', [{"why": "-", "count": 2}, {"why": "late", "count": 1}]),
        ('| rex field=why "^(?<first>.)" | rename first AS "the first" | table "the first"', [{"the first": None}, {"the first": "l"}, {"the first": None}]),
        (
            "| timechart minspan=1h sum(n) AS n",
            [
                {"_time": 986400, "_span": 3600},
                {"_time": 990000, "n": 2, "_span": 3600},
                {"_time": 993600, "n": 10, "_span": 3600},
                {"_time": 997200, "n": 3, "_span": 3600},
            ],
        ),
    ],
)
def test_computes(text: str, rows: list[Any]) -> None:
    """A stage gives the rows that Splunk's Search Reference says."""
    assert spl.run(text, search(), ROWS) == rows


@pytest.mark.parametrize(
    "text",
    [
        "| statz count",
        "| stats count by",
        "| stats median(n) AS m",
        "| eval x = foo(n)",
        "| eval x = ",
        "| where n >",
        "| where n",
        "| eval x = n > 2",
        "| table n*",
        "| sort - n",
        "| stats sum(n + 1) AS s",
        "| timechart count by host",
        "| head",
        '| where who == "x"',
        "| where host > 2",
        "| eval x = host + 1",
        "| search host=a",
        "| append [| makeresults] | eval x = [",
        "| join host [| makeresults]",
        "| format",
        "| lookup nothing domain AS host OUTPUT owner",
        '| rename "h*" AS "g*"',
        "| where (n > 2",
        "| `nothing`",
        "| eval x = n |",
        '| eval x = "open',
        "| stats count(eval(n > 2)) BY host",
        "| eval x = mvindex(who)",
    ],
)
def test_refuses(text: str) -> None:
    """What the evaluator does not know, and what Splunk would not take, is an error and never an empty result."""
    with pytest.raises(spl.SplError):
        spl.run(text, search(), ROWS)


def test_append_keeps_so_many_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """An append of more rows than Splunk keeps is refused; a time limit is none of rows."""
    monkeypatch.setattr(spl, "MOST_APPENDED", 1)
    assert spl.run("| append maxtime=600 [| makeresults]", search(), []) == [{"_time": NOW}]
    with pytest.raises(spl.SplError, match="append of 2 rows"):
        spl.run("| append [| makeresults | append [| makeresults]]", search(), [])


def test_macros() -> None:
    """Macros expand with their arguments, in one another, and not inside a quoted text."""
    macros = {"big(1)": spl.Macro(("what",), "$what$ > 2"), "bigger": spl.Macro((), "where `big(n)`")}
    wanted = search(**macros)
    assert spl.run('| `bigger` | eval x = "`bigger`" | table n x', wanted, ROWS) == [{"n": "10", "x": "`bigger`"}, {"n": "3", "x": "`bigger`"}]
    assert wanted.used_macros == {"big(1)", "bigger"}


@pytest.mark.parametrize(
    "text",
    ["| esatlsmessages", "index=a | stats count", "index=a sourcetype=b | fields _raw | esatlsmessages", "index=a sourcetype=b", "sourcetype=b | esatls"],
)
def test_base_search_must_reach_a_command(text: str) -> None:
    """A base search is the index macro, then an esatls command that still has what it reads."""
    with pytest.raises(spl.SplError):
        spl.run(text, search())


@pytest.mark.parametrize(("text", "seconds"), [("now", NOW), ("-1h", NOW - 3600), ("-7d@h", 392400.0), ("@d", 950400.0), ("12345", 12345.0)])
def test_time_modifiers(text: str, seconds: float) -> None:
    """Time modifiers are resolved in UTC."""
    assert spl.relative(text, NOW) == seconds
