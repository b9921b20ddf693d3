"""Partners by organisation: what was wrong with whom, since when, and with which mail."""

from __future__ import annotations

import csv
import io
import pathlib
import random
from typing import Any

import pytest
from esatls.report.bars import Bars, over_tls, with_version
from esatls.report.mail import mail
from esatls.report.organisations import organisations
from esatls.report.page import page
from esatls.report.tables import tables, write_folder
from esatls.report.text import render
from rich.console import Console

from tests import terminal
from tests.report.support import HOSTILE, Page, Record, attempt, build, connection, hostile_records, message

SAMPLE = pathlib.Path(__file__).resolve().parents[2] / "python" / "esatls" / "sample.log"

CONNECTIONS = [
    connection(
        "delivery", 1, "encrypted", domain="mx1.a.example", opened="2026-03-01T10:00:00Z", tls_version="TLSv1", tls_cipher="RC4-SHA", mail_flow="outgoing"
    ),
    connection("delivery", 2, "encrypted", domain="mx2.a.example", opened="2026-03-02T10:00:00Z", tls_version="TLSv1.3", mail_flow="outgoing"),
    connection("delivery", 3, "failed", domain="a.example", opened="2026-03-03T10:00:00Z", tls_reason="x", mail_flow="outgoing"),
    connection("delivery", 4, "cleartext", domain="a.example", opened="2026-03-04T10:00:00Z", tls_reason="x", mail_flow="outgoing"),
    connection("receiving", 5, "encrypted", domain="home.example", opened="2026-03-04T10:00:00Z", mail_flow="outgoing"),
]
MESSAGES = [
    message(1, "encrypted", "encrypted", [attempt("encrypted", "mx1.a.example", time="2026-03-01T10:00:01Z", tls_version="TLSv1")],
            mail_flow="outgoing", sender="b@home.example", first_seen="2026-03-01T10:00:00Z"),
    *(message(mid, "encrypted", "cleartext", [attempt("cleartext", "a.example", time=f"2026-03-0{mid}T10:00:01Z", reason="x")],
              mail_flow="outgoing", sender="b@home.example", first_seen="2026-03-01T10:00:00.500Z") for mid in (4, 5, 6, 7)),
]  # fmt: skip


def rows(connections: list[Record], messages: list[Record], own: tuple[str, ...] = ()) -> dict[tuple[str, str, bool], Any]:
    """Return the rows of a report by partner, direction, and whether it is of one's own."""
    return {(row["partner"], row["direction"], row["own"]): row for row in build(connections, messages, own)["organisations"]}


def test_what_was_wrong_with_a_partner() -> None:
    """Names of one organisation count together, with first and last time, reasons, the latest examples, and the last mail over TLS."""
    found = rows(CONNECTIONS, MESSAGES)
    assert [*found] == [("a.example", "delivery", False), ("home.example", "receiving", True)]
    assert found["a.example", "delivery", False] == {
        "partner": "a.example",
        "direction": "delivery",
        "own": False,
        "names": ["a.example", "mx1.a.example", "mx2.a.example"],
        "connections": {"encrypted": 2, "mixed": 0, "cleartext": 1, "failed": 1, "unknown": 0},
        "messages": {"encrypted": 1, "mixed": 0, "cleartext": 4, "unknown": 0},
        "versions": {"TLSv1": 1, "TLSv1.3": 1},
        "days": [
            {"day": "2026-03-01", "connections": {"encrypted": 1}, "versions": {"TLSv1": 1}},
            {"day": "2026-03-02", "connections": {"encrypted": 1}, "versions": {"TLSv1.3": 1}},
            {"day": "2026-03-03", "connections": {"failed": 1}, "versions": {}},
            {"day": "2026-03-04", "connections": {"cleartext": 1}, "versions": {}},
        ],
        "last_tls": "2026-03-02T10:00:00Z",
        "cleartext": {
            "messages": 4, "connections": 0, "first": "2026-03-04T10:00:01Z", "last": "2026-03-07T10:00:01Z",
            "reasons": [{"reason": "x", "count": 4}],
            "examples": [{"time": f"2026-03-0{mid}T10:00:01Z", "esa_host": "esa1.example.com", "mid": mid} for mid in (7, 6, 5)],
        },
        "deprecated": {
            "messages": 1, "connections": 1, "first": "2026-03-01T10:00:00Z", "last": "2026-03-01T10:00:01Z",
            "reasons": [{"reason": "TLSv1", "count": 1}],
            "examples": [
                {"time": "2026-03-01T10:00:01Z", "esa_host": "esa1.example.com", "mid": 1},
                {"time": "2026-03-01T10:00:00Z", "esa_host": "esa1.example.com", "dcid": 1},
            ],
        },
        "weak": {
            "messages": 0, "connections": 1, "first": "2026-03-01T10:00:00Z", "last": "2026-03-01T10:00:00Z",
            "reasons": [{"reason": "RC4-SHA", "count": 1}],
            "examples": [{"time": "2026-03-01T10:00:00Z", "esa_host": "esa1.example.com", "dcid": 1}],
        },
        "failed": {
            "messages": 0, "connections": 2, "first": "2026-03-03T10:00:00Z", "last": "2026-03-04T10:00:00Z",
            "reasons": [{"reason": "x", "count": 2}],
            "examples": [
                {"time": "2026-03-04T10:00:00Z", "esa_host": "esa1.example.com", "dcid": 4},
                {"time": "2026-03-03T10:00:00Z", "esa_host": "esa1.example.com", "dcid": 3},
            ],
        },
    }  # fmt: skip
    assert {"cleartext", "deprecated", "weak", "failed"}.isdisjoint(found["home.example", "receiving", True])


def test_the_order_of_the_records_does_not_matter() -> None:
    """Whatever comes first, the rows are the same, though few of many examples are kept."""
    many = [message(mid, "cleartext", "none", sender="a@b.example", first_seen=f"2026-03-01T10:{mid % 60:02}:00Z") for mid in range(500)]
    expected = build(CONNECTIONS, [*MESSAGES, *many])["organisations"]
    for seed in range(5):
        chance = random.Random(seed)
        assert build(chance.sample(CONNECTIONS, 5), chance.sample([*MESSAGES, *many], 505))["organisations"] == expected


def test_own_domains() -> None:
    """Domains that are named as one's own, and those below them, are apart from partners where the log does not tell the mail flow; look-alikes are not."""
    mail = [message(1, "cleartext", "none", sender=f"a@{name}") for name in ("home.example", "sub.home.example", "nothome.example")]
    assert {*rows([], mail)} == {("home.example", "receiving", False), ("nothome.example", "receiving", False)}
    assert {*rows([], mail, ("Home.example.",))} == {("home.example", "receiving", True), ("nothome.example", "receiving", False)}
    mail = [message(1, "cleartext", "none", sender=f"a@{name}") for name in ("b\u00fccher.example", "xn--bcher-kva.example")]
    for name in ("B\u00fccher.example", "xn--bcher-kva.example"):
        assert {*rows([], mail, (name,))} == {("xn--bcher-kva.example", "receiving", True)}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mx1.partner.example", "partner.example"),
        ("partner.example", "partner.example"),
        ("a.b.co.uk", "b.co.uk"),
        ("co.uk", "co.uk"),
        ("mx.xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("a.b.xn--55qx5d.cn", "b.xn--55qx5d.cn"),
        ("a.b.xn--p1ai", "b.xn--p1ai"),
        ("a.b.xn--\u00e9", "b.xn--\u00e9"),
        ("a.www.ck", "www.ck"),
        ("a.b.other.ck", "b.other.ck"),
        ("198.51.100.7", "198.51.100.7"),
        ("2001:db8::7", "2001:db8::7"),
        ("[198.51.100.7]", "[198.51.100.7]"),
        ("[ipv6:2001:db8::7]", "[ipv6:2001:db8::7]"),
        ("unknown", "unknown"),
        ("a..b", "a..b"),
        ("", ""),
    ],
)
def test_organisation_of_a_name(name: str, expected: str) -> None:
    """A name belongs to its registrable domain; an address, a public suffix and what is no name stand for themselves."""
    assert organisations([name]) == {name: expected}


@pytest.mark.parametrize("text", HOSTILE)
def test_tables_of_hostile_text(text: str) -> None:
    """Whatever the log says, each table has as many cells in each row as columns, and no cell runs as a formula."""
    for _, columns, cells in tables(build(*hostile_records(text))):
        assert {len(row) for row in cells} <= {len(columns)}


def test_every_table_as_csv(tmp_path: pathlib.Path) -> None:
    """`--csv-dir` makes the folder and writes a file per table, beside the report."""
    folder = tmp_path / "new" / "tables"
    done = terminal.run("report", "-q", "--csv-dir", folder, "--output", tmp_path / "report.html", SAMPLE)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "report.html").exists()
    names = ["ciphers", "cleartext", "deprecated", "failed", "over_time", "partners", "partners_over_time", "reasons", "versions", "weak"]
    assert sorted(path.name for path in folder.iterdir()) == [f"{name}.csv" for name in names]
    (one, other) = csv.DictReader(io.StringIO((folder / "cleartext.csv").read_text(encoding="utf-8")))
    assert one == {
        "partner": "example.net", "names": "old.example.net", "direction": "delivery", "own": "no", "messages": "1", "connections": "0",
        "first": "2026-03-03T08:14:23Z", "last": "2026-03-03T08:14:23Z", "last_tls": "", "reasons": "1 x STARTTLS unexpected response", "examples": "MID 7003",
    }  # fmt: skip
    assert other["partner"] == "shop.example"


@pytest.mark.parametrize(
    ("hosts", "written", "grouped"),
    [(("esa1", "esa1"), ["MID 2", "MID 1"], "MID 2, 1"), (("esa1", "esa2"), ["MID 2 on esa2", "MID 1 on esa1"], "MID 2 on esa2, 1 on esa1")],
)
def test_examples_name_their_appliance(hosts: tuple[str, str], written: list[str], grouped: str) -> None:
    """If there are several appliances, each of which numbers messages on its own, every format says which one has an example."""
    mails = [
        message(mid, "cleartext", "none", sender="a@b.example", esa_host=host, first_seen=f"2026-03-01T10:0{mid}:00Z") for mid, host in enumerate(hosts, 1)
    ]
    built = build([], mails)
    out = io.StringIO()
    render(built, Console(file=out, width=200))
    assert Page(page(built)).tables["Partners in clear text"][1][-1] == grouped
    assert mail(built).partition("b.example, received")[2].splitlines()[1].strip() == ", ".join(written)
    assert grouped.removeprefix("MID ") in out.getvalue().partition("MIDs")[2]
    assert next(cells for name, _, cells in tables(built) if name == "cleartext")[0][-1] == ";".join(written)


def test_outdated_mail_over_a_connection_of_another_partner() -> None:
    """A connection to several domains counts for its host, mail for each domain: the protocols and ciphers of the mail are named, without a count."""
    over = {"tls_version": "TLSv1", "tls_cipher": "RC4-SHA"}
    connections = [connection("delivery", 1, "encrypted", peer_host="relay.example", mail_flow="outgoing", **over)]
    mails = [message(1, "encrypted", "encrypted", [attempt("encrypted", "a.example", **over)], mail_flow="outgoing")]
    built = build(connections, mails)
    (row,) = [row for row in built["organisations"] if row["partner"] == "a.example"]
    examples = [{"esa_host": "esa1.example.com", "mid": 1}]
    assert row["deprecated"] == {"messages": 1, "connections": 0, "reasons": [{"reason": "TLSv1", "count": 0}], "examples": examples}
    assert row["weak"] == {"messages": 1, "connections": 0, "reasons": [{"reason": "RC4-SHA", "count": 0}], "examples": examples}
    assert Page(page(built)).tables["Partners with weak ciphers"][2] == ["a.example", "out", "0", "0", "", "", "", "RC4-SHA", "MID 1"]
    assert "a.example, delivered: 1 message\n  TLSv1\n  MID 1\n" in mail(built)
    assert next(cells for name, _, cells in tables(built) if name == "weak")[0][-2:] == ["RC4-SHA", "MID 1"]


def test_a_message_to_several_names_is_one_example() -> None:
    """A message that went to several names of an organisation counts for each name, and is one example, with its latest time."""
    times = {mid: [f"2026-03-01T10:0{mid}:0{i}Z" for i in (1, 2)] for mid in (1, 2)}
    sent = {mid: [attempt("cleartext", f"mx{i}.a.example", time=time) for i, time in enumerate(some)] for mid, some in times.items()}
    mails = [message(mid, "encrypted", "cleartext", attempts, mail_flow="outgoing") for mid, attempts in sent.items()]
    assert rows([], mails)["a.example", "delivery", False]["cleartext"] == {
        "messages": 4, "connections": 0, "first": times[1][0], "last": times[2][1], "reasons": [],
        "examples": [{"time": times[mid][1], "esa_host": "esa1.example.com", "mid": mid} for mid in (2, 1)],
    }  # fmt: skip


def test_several_values_in_one_cell() -> None:
    """As in every CSV file, a separator within a value is %3B, and yes or no is in small letters."""
    names = ("a.b;c.example", "d.b;c.example")
    connections = [connection("delivery", i, "failed", domain=name, tls_reason="certificate; x", mail_flow="outgoing") for i, name in enumerate(names)]
    cells = {name: cells for name, _, cells in tables(build(connections, []))}
    assert cells["partners"][0][:2] == ["b;c.example", "a.b%3Bc.example;d.b%3Bc.example"]
    assert cells["failed"][0][-2:] == ["2 x certificate%3B x", "DCID 1;DCID 0"]
    assert cells["reasons"] == [["delivery", "outgoing", "certificate; x", "2", "2", "0", "2", "true"]]


def test_partners_over_time_as_csv() -> None:
    """A row for each organisation, direction and day: connections by verdict and by protocol."""
    (found,) = [(columns, cells) for name, columns, cells in tables(build(CONNECTIONS, MESSAGES)) if name == "partners_over_time"]
    columns, cells = found
    assert [*columns[4:]] == ["day", *(f"connections_{word}" for word in ("encrypted", "mixed", "cleartext", "failed", "unknown")), "protocols"]
    who = ["a.example", "a.example;mx1.a.example;mx2.a.example", "delivery", "no"]
    assert cells == [
        [*who, "2026-03-01", 1, 0, 0, 0, 0, "TLSv1=1"],
        [*who, "2026-03-02", 1, 0, 0, 0, 0, "TLSv1.3=1"],
        [*who, "2026-03-03", 0, 0, 0, 1, 0, ""],
        [*who, "2026-03-04", 0, 0, 1, 0, 0, ""],
        ["home.example", "home.example", "receiving", "yes", "2026-03-04", 1, 0, 0, 0, 0, "unknown=1"],
    ]


@pytest.mark.parametrize(
    ("span", "dates", "bars"),
    [
        ({}, None, ""),
        ({"first": "2026-03-01T00:00:00Z", "last": "2026-03-01T23:59:59Z"}, None, ""),
        ({"first": "2026-03-01T23:00:00Z", "last": "2026-03-04T01:00:00Z"}, "a day from 2026-03-01 to 2026-03-04", "█▁░▄"),
        ({"first": "2026-03-01T00:00:00Z", "last": "2026-03-14T00:00:00Z"}, "a day from 2026-03-01 to 2026-03-14", "█▁░▄" + "░" * 10),
        ({"first": "2026-02-28T00:00:00Z", "last": "2026-03-14T00:00:00Z"}, "2 days from 2026-02-28 to 2026-03-15", "█▁▄" + "░" * 5),
        ({"first": "2025-03-05T00:00:00Z", "last": "2026-03-04T00:00:00Z"}, "27 days from 2025-03-05 to 2026-03-17", "░" * 13 + "▇"),
        ({"first": "2026-03-01T00:00:00Z", "last": "9999-12-31T00:00:00Z"}, "208028 days from 2026-03-01 to 9999-12-31", "▇" + "░" * 13),
    ],
)
def test_bars(span: Any, dates: str | None, bars: str) -> None:
    """A bar for a day, at most fourteen of equal length: full only of all, the lowest only of none, and a shade where there is nothing to tell."""
    counts = {"01": {"encrypted": 1000}, "02": {"cleartext": 1}, "03": {"unknown": 7}, "04": {"encrypted": 2, "mixed": 1, "failed": 1}}
    days: Any = [{"day": f"2026-03-{day}", "connections": verdicts, "versions": {}} for day, verdicts in counts.items()]
    found = Bars.of(span)
    assert (None if found is None else found.dates(), "" if found is None else found.draw(days, over_tls)) == (dates, bars)


def test_bars_in_the_page_and_in_the_text() -> None:
    """Both show the days on which connections with a partner were over TLS; the page shows its protocols too."""
    built: Any = build(CONNECTIONS, MESSAGES)
    shown = Page(page(built)).tables
    bars = "██▁▁"
    assert shown["Connections with partners"] == [
        ["Partner", "Connections", "Over TLS", "Failed", "Over time", "Protocols"],
        ["a.example", "4", "deprecated weak 50.0\N{NO-BREAK SPACE}%", "1", bars, "TLSv1 1 deprecated █▁░░TLSv1.3 1 ▁█░░"],
    ]
    out = io.StringIO()
    render(built, Console(file=out, width=200))
    assert [line.split()[-5] for line in out.getvalue().splitlines() if line.startswith("a.example") and "delivered" in line] == [bars]


def test_bars_of_a_protocol() -> None:
    """Its share is of the connections over TLS, not of all."""
    days: Any = [{"day": "2026-03-01", "connections": {"encrypted": 4, "cleartext": 9}, "versions": {"TLSv1": 1, "TLSv1.3": 3}}]
    days.append({"day": "2026-03-02", "connections": {"encrypted": 1}, "versions": {"TLSv1.3": 1}})
    found = Bars.of({"first": "2026-03-01T00:00:00Z", "last": "2026-03-02T00:00:00Z"})
    assert found is not None
    assert (found.draw(days, with_version("TLSv1")), found.draw(days, with_version("TLSv1.3"))) == ("▂▁", "▆█")


def test_a_folder_that_cannot_be_made(tmp_path: pathlib.Path) -> None:
    """Where a file stands in the way of the folder, the error names it."""
    (tmp_path / "file").write_text("x", encoding="utf-8")
    done = terminal.run("report", "-q", "--csv-dir", tmp_path / "file", SAMPLE)
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.decode() == f"esatls: {tmp_path / 'file'}: cannot be created: File exists\n"


def test_a_table_does_not_replace_a_log(tmp_path: pathlib.Path) -> None:
    """A log in the folder of the tables that has the name of one is left as it is."""
    log = tmp_path / "partners.csv"
    log.write_bytes(SAMPLE.read_bytes())
    done = terminal.run("report", "-q", "--csv-dir", tmp_path, log)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode() == f"esatls: {log}: is an input file, so it cannot be the output\n"
    assert log.read_bytes() == SAMPLE.read_bytes()


def test_no_cell_of_a_table_runs_as_a_formula(tmp_path: pathlib.Path) -> None:
    """A partner whose name is a formula is quoted."""
    write_folder(build([], [message(1, "cleartext", "none", sender="a@=1+1")]), str(tmp_path))
    assert "'=1+1" in (tmp_path / "cleartext.csv").read_text(encoding="utf-8")
