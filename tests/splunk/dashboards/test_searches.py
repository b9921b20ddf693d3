"""The dashboards' macros on rows made by hand, where the scenario's log does not reach."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.splunk.dashboards.standin import months, scenario, spl, views


def run(text: str, rows: list[spl.Row]) -> list[spl.Row]:
    """Run a search over rows."""
    return spl.run(text, spl.Search(macros=views.macros(), earliest=0, latest=86400, now=86400, source=lambda *_: rows), rows)


def message(mid: int, host: str = "esa1.example.com", **fields: Any) -> spl.Row:
    """Return a row of `esatlsmessages`."""
    return {"_time": 3600, "esa_host": host, "mid": str(mid), "received": "encrypted", "delivered": "none", **fields}


FAMILY = [
    message(10, icid="7", sender="a@example.com", recipients=["b@example.net", "c@example.org"]),
    message(11, received_from_mid="10", parent_mid="10", mid_relation="rewritten", delivered="encrypted"),
    message(12, received_from_mid="10", parent_mid="11", mid_relation="split"),
    message(13, received="internal", parent_mid="12", mid_relation="bounce", recipients="a@example.com"),
    message(14, icid="8"),
    message(11, host="esa2.example.com", icid="9"),
]


def test_families() -> None:
    """Rewritten, split and bounced messages are one family with the first, whatever the order of rows; other appliances' ids are not."""
    for rows in (FAMILY, FAMILY[::-1]):
        found = run("| `esatls_view_families` | sort 0 esa_host, mid | table esa_host mid view_family", rows)
        assert [(row["esa_host"], row["mid"], row["view_family"]) for row in found] == [
            *(("esa1.example.com", mid, "esa1.example.com 10") for mid in ("10", "11", "12", "13")),
            ("esa1.example.com", "14", "esa1.example.com 14"), ("esa2.example.com", "11", "esa2.example.com 11"),
        ]


@pytest.mark.parametrize(
    ("lookup", "hits", "kept"),
    [("13", 1, 4), ("b@example.net", 1, 4), ("example.com", 2, 4), ("11", 2, 5), ("*", 6, 6), ("nothing", 0, 0)],
)
def test_lookup_keeps_the_family(lookup: str, hits: int, kept: int) -> None:
    """What was looked for is marked, and its whole family stays."""
    found = run(f"| eval view_lookup={json.dumps(lookup)} | `esatls_view_lookup`", FAMILY)
    assert (sum(row["view_hit"] == 1 for row in found), len(found)) == (hits, kept)


def test_path_of_what_has_no_connection() -> None:
    """A bounce came over no connection, and an attempt that never got one has an outcome and a reason but no id."""
    attempt = json.dumps({"rid": [0], "outcome": "bounced", "verdict": "unknown", "domain": "example.net", "response": "5.1.2 bad domain"})
    rows = [message(20, received="internal", mid_relation="bounce", parent_mid="19", deliveries=attempt, recipients="a@example.net")]
    found = run('| eval view_lookup="20" | `esatls_view_lookup` | eval view_mid="-", view_appliance="-" | `esatls_view_path`', rows)
    assert [[row[name] for name in ("hop", "id", "what", "verdict", "peer", "reason")] for row in found] == [
        ["1 connection in", None, "made by the appliance", "internal", None, None],
        ["2 message", "MID 20", "bounce from MID 19", None, "<> to a@example.net", None],
        ["3 delivery 1", None, "bounced", "unknown", "example.net", "5.1.2 bad domain"],
    ]


def test_nothing_told_is_no_percentage() -> None:
    """Where the log tells nothing, there is a count of unknown and no percentage, not zero."""
    rows: list[spl.Row] = [{"esa_direction": "receiving", "tls_verdict": "unknown", "connections": 3}]
    (found,) = run("| `esatls_view_connection_verdicts` | `esatls_view_connection_table`", rows)
    assert (found["unknown"], found["encrypted"], found["encrypted %"], found["failed %"]) == (3, 0, None, None)


@pytest.mark.parametrize(
    ("version", "kind"),
    [("TLSv1.3", "TLS 1.3"), ("TLSv1.2", "TLS 1.2"), ("TLSv1/SSLv3", "retired"), ("TLSv1.1", "retired"), ("-", "other"), ("TLSv2", "other")],
)
def test_protocols_over_time(version: str, kind: str) -> None:
    """Each protocol counts in one column; one that no list knows counts as other."""
    rows: list[spl.Row] = [{"_time": 7200, "tls_verdict": "encrypted", "tls_version": version, "connections": 2}]
    found = run("| `esatls_view_versions_over_time`", rows)
    sums = {name: sum(int(str(row.get(name, 0))) for row in found) for name in ("TLS 1.3", "TLS 1.2", "retired", "other")}
    assert {name: value for name, value in sums.items() if value} == {kind: 2}


@pytest.mark.parametrize("name", ["esatls summary of connections", "esatls summary of messages"])
def test_months_are_as_the_summary_writes_them(name: str) -> None:
    """The rows of the picture over months have the fields that the saved search counts by, on both sides, and none from after the present."""
    counted, by = views.saved_search(name)["search"].rsplit(" AS ", 1)[1].split(" BY ")
    rows = months.Months(lambda *_: [])(name, scenario.NOW.timestamp() - 30 * 86400, scenario.NOW.timestamp())
    assert {frozenset(row) for row in rows} == {frozenset([counted, *by.split(", ")])}
    assert {row["mail_flow"] for row in rows} == {"incoming", "outgoing"}
    assert {row["esa_host"] for row in rows} == set(scenario.HOSTS)
    assert len({float(str(row["_time"])) // 86400 for row in rows}) == 31
