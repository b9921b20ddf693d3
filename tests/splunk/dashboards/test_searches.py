"""The dashboards' macros on rows made by hand, where the scenario's log does not reach."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from esatls.extraction import ciphers

from tests.report.support import CIPHERS
from tests.splunk import conf
from tests.splunk.dashboards.standin import checks, source, spl, views
from tests.splunk.test_alerts import Events

if TYPE_CHECKING:
    from pathlib import Path


class Nothing:
    """No index, and no command."""

    def events(self, *_: object) -> list[spl.Row]:
        """Return nothing."""
        return []

    command = events


NOTHING = Nothing()


def run(text: str, rows: list[spl.Row]) -> list[spl.Row]:
    """Run a search over rows."""
    return spl.run(text, spl.Search(macros=views.macros(), earliest=0, latest=86400, now=86400, source=NOTHING), rows)


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


@pytest.mark.parametrize("view", ["esatls_overview", "esatls_partners", "esatls_trends"])
def test_no_subsearch_grows_with_time(view: str, week: spl.Search, monkeypatch: pytest.MonkeyPatch) -> None:
    """Subsearches, of which Splunk keeps 50,000 rows, have a row for a partner at most, and never one for each hour; messages come all the same."""
    monkeypatch.setattr(spl, "MOST_APPENDED", 20)
    definition = views.definition(view)
    rows = checks.rows_of("ds_all", definition, checks.default_tokens(definition), week)
    assert sum(row.get("messages") is not None or row.get("partner_messages") is not None for row in rows) > 20


def test_no_subsearch_over_the_logs_is_cut_short() -> None:
    """A subsearch that counts records or reads lines has more time than the 60 seconds after which Splunk ends it and shows what it has."""
    appended = [
        (name, found[1])
        for name, macro in conf.read(conf.DEFAULT / "macros.conf").items()
        for found in re.finditer(r"\bappend (maxtime=600 )?\[(?:\| `esatls_counted|search `esatls_index)", macro["definition"])
    ]
    assert sorted(name for name, _ in appended) == ["esatls_view_overview", "esatls_view_partners", "esatls_view_told"]
    assert all(time for _, time in appended)


def test_an_appliance_is_chosen_in_any_case() -> None:
    """A link from counts, which are in small letters, finds the messages of an appliance that has its serial number as its name."""
    rows = [message(1, host="423FA-AB0"), message(2, host="esa1.example.com"), message(3, host="423FA-AB1")]
    assert [row["mid"] for row in run('eval view_host="423fa-ab0" | `esatls_view_host`', rows)] == ["1"]


@pytest.mark.parametrize("chosen", ["bank.example", "no.mail.example"])
def test_trends_of_a_partner_without_mail_have_records(chosen: str, week: spl.Search) -> None:
    """A partner's trends have the counts of its mail only; where it has none, the records are there all the same, and the appliances to choose from."""
    definition = views.definition("esatls_trends")
    tokens = checks.default_tokens(definition)

    def rows(name: str, partner: str) -> list[spl.Row]:
        return checks.rows_of(name, definition, {**tokens, "partner": partner}, week)

    assert rows("ds_state", chosen) == rows("ds_state", "*")
    assert "Up to" in str(rows("ds_state", chosen))
    assert rows("ds_hosts", chosen) == rows("ds_hosts", "*")
    for name in ("ds_connections", "ds_messages"):
        assert bool(rows(name, chosen)) == (chosen == "bank.example"), name


def test_families() -> None:
    """Rewritten, split and bounced messages are one family with the first, whatever the order of rows; other appliances' ids are not."""
    for rows in (FAMILY, FAMILY[::-1]):
        found = run("| `esatls_view_families` | sort 0 esa_host, mid | table esa_host mid view_family", rows)
        assert [(row["esa_host"], row["mid"], row["view_family"]) for row in found] == [
            *(("esa1.example.com", mid, "esa1.example.com 10") for mid in ("10", "11", "12", "13")),
            ("esa1.example.com", "14", "esa1.example.com 14"),
            ("esa2.example.com", "11", "esa2.example.com 11"),
        ]


@pytest.mark.parametrize(
    ("lookup", "hits", "kept"), [("13", 1, 4), ("b@example.net", 1, 4), ("example.com", 2, 4), ("11", 2, 5), ("*", 6, 6), ("nothing", 0, 0)]
)
def test_lookup_keeps_the_family(lookup: str, hits: int, kept: int) -> None:
    """What was looked for is marked, and its whole family stays."""
    found = run(f"| eval view_lookup={json.dumps(lookup)} | `esatls_view_lookup`", FAMILY)
    assert (sum(row["view_hit"] == 1 for row in found), len(found)) == (hits, kept)


def test_lookup_of_a_domain_with_a_dot_at_its_end() -> None:
    """The links of the dashboards name a domain without the dot that the log has at its end; they find its mail."""
    rows = [message(1, sender="ann@Dot.example."), message(2, recipients=["bob@x.example", "carl@[192.0.2.7]"]), message(3, sender="ann@no.dot.example")]
    for lookup, mid in (("dot.example", "1"), ("ann@dot.example.", "1"), ("[192.0.2.7]", "2")):
        assert [row["mid"] for row in run(f'| eval view_lookup="{lookup}" | `esatls_view_lookup`', rows)] == [mid]


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


def test_path_of_what_was_refused() -> None:
    """A message that was given up before it was accepted is not called accepted."""
    rows = [message(7, icid="10", received="none")]
    found = run('| eval view_lookup="7", view_mid="-", view_appliance="-" | `esatls_view_lookup` | `esatls_view_path`', rows)
    assert [[row[name] for name in ("hop", "what", "verdict")] for row in found] == [
        ["1 connection in", "refused or given up", "none"],
        ["2 message", "not accepted", None],
    ]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "No records in this time range."),
        ([{"partner": "tlsa.example.net", "dane_messages": 2}], "No records in this time range."),
        ([{"as_of": 7200}], "No records in this time range."),
        ([{"connections": 1}], "What is still open is not counted:"),
        ([{"connections": 1}, {"as_of": 7200}], "Up to 1970-01-01 02:00;"),
    ],
)
def test_what_a_view_says_of_its_records(rows: list[spl.Row], words: str) -> None:
    """A view without records says so, though log lines tell of DANE."""
    (row,) = run("| `esatls_view_state`", rows)
    assert str(row["records"]).startswith(words)


def test_nothing_told_is_no_percentage() -> None:
    """Where the log tells nothing, there is a count of unknown and no percentage, not zero."""
    rows: list[spl.Row] = [{"esa_direction": "receiving", "tls_verdict": "unknown", "connections": 3}]
    (found,) = run("| `esatls_view_connection_verdicts` | `esatls_view_connection_table`", rows)
    assert (found["unknown"], found["encrypted"], found["encrypted %"], found["failed %"]) == (3, 0, None, None)


def test_mixed_connections_and_refused_messages() -> None:
    """Mixed counts in the whole of connections; what was never received is in no percentage and says so in words."""
    rows: list[spl.Row] = [
        {"esa_direction": "receiving", "tls_verdict": verdict, "connections": count} for verdict, count in (("encrypted", 2), ("mixed", 1), ("unused", 7))
    ]
    (found,) = run("| `esatls_view_connection_verdicts` | `esatls_view_connection_table`", rows)
    assert found == {
        "direction": "receiving", "encrypted": 2, "mixed": 1, "cleartext": 0, "failed": 0,
        "encrypted %": "66.7", "mixed %": "33.3", "cleartext %": "0.0", "failed %": "0.0", "unused": 7, "unknown": 0,
    }  # fmt: skip
    (found,) = run("| `esatls_view_connection_verdicts`", rows)
    assert found["summary"] == "2 of 3; 0 unknown, 7 unused"
    mail: list[spl.Row] = [{"received": received, "delivered": "none", "messages": count} for received, count in (("encrypted", 3), ("none", 4))]
    received = run("| `esatls_view_message_verdicts`", mail)[0]
    assert (received["none"], received["told"], received["encrypted_percent"]) == (4, 3, "100.0")
    assert received["summary"] == "3 of 3; 0 unknown, 0 internal, 4 none"


def test_errors_that_count_as_no_failure() -> None:
    """Reasons of unused and unknown connections have a table of their own and are not among the failures."""
    reset, refused = "possibly: [Errno 104] Connection reset by peer", "450 try again later"
    rows: list[spl.Row] = [
        {"esa_direction": "delivery", "partner": partner, "tls_verdict": verdict, "tls_reason": reason, "connections": count}
        for partner, verdict, reason, count in (
            ("example.net", "unknown", reset, 3), ("example.org", "unused", refused, 1), ("example.com", "unused", "-", 9), ("example.com", "failed", "bad", 1),
        )
    ]  # fmt: skip
    assert run("| `esatls_view_other_reasons`", rows) == [
        {"direction": "delivery", "partner": "example.net", "unused": 0, "unknown": 3, "reason": reset},
        {"direction": "delivery", "partner": "example.org", "unused": 1, "unknown": 0, "reason": refused},
    ]
    assert [row["partner"] for row in run("| `esatls_view_failures`", rows)] == ["example.com"]


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


# Besides the report's own: more names of OpenSSL and IANA, each word that is weak alone and in disguise, and words that hold one.
WORDS = sorted(word for _, words in ciphers.WEAK for word in words)
NAMES = [
    *(cipher for cipher, _, _ in CIPHERS),
    "ADH-RC4-MD5", "EXP-EDH-RSA-DES-CBC-SHA", "EXP56-RC4-MD5", "IDEA-CBC-MD5", "NULL-MD5", "TLS_RSA_WITH_RC4_128_MD5", "TLS_RSA_WITH_DES_CBC_SHA",
    "TLS_NULL_WITH_NULL_NULL", "TLS_RSA_EXPORT1024_WITH_RC4_56_SHA", "TLS_ECDH_anon_WITH_AES_256_CBC_SHA", "SSL_CK_RC4_128_EXPORT40_WITH_MD5",
    "rc4-sha", "Des-Cbc3-Sha", "-NULL-", "_MD5", "TLS_AES_256_GCM_SHA384", "TLS_AES_128_CCM_8_SHA256", "AES256-SHA", "SEED-SHA", "IDEA-CBC-SHA",
    "ECDHE-RSA-AES128-SHA256", "PSK-AES128-CBC-SHA", "aes128-sha", "TLS_ECDHE_ECDSA_WITH_ARIA_128_GCM_SHA256", "DESCRIBE-DES3-DES56-EXP40-EXPORT56",
    "RC.4-RC5-RC", "-", "--", "_",
    *WORDS, *map(str.lower, WORDS), *(f"X{word}-SHA" for word in WORDS), *(f"AES_{word}9" for word in WORDS),
]  # fmt: skip
WEAK = [name for name in NAMES if ciphers.weaknesses(name)]


def test_weak_ciphers_are_the_reports() -> None:
    """The macro calls weak what the report does: whole words of a name, in any case; a connection without a cipher is neither weak nor not."""
    assert len(WEAK) > 50 < len(NAMES) - len(WEAK)
    rows: list[spl.Row] = [{"cipher": name} for name in NAMES]
    assert [row["cipher"] for row in run("| where `esatls_weak(cipher)`", rows)] == WEAK
    assert run("| where `esatls_weak(cipher)`", [{}]) == run("| where NOT `esatls_weak(cipher)`", [{}]) == []


@pytest.mark.usefixtures("needs_pcre2")
def test_weak_ciphers_under_pcre2() -> None:
    """PCRE2 finds the same."""
    (regex,) = (regex for where, regex in conf.expressions_of_searches().items() if "[esatls_weak(1)]" in where)
    (found,) = conf.pcre2([(regex, NAMES)])
    assert [name for name, groups in zip(NAMES, found) if groups] == WEAK


@pytest.mark.parametrize(
    ("version", "cipher", "outdated"),
    [
        ("TLSv1.3", "TLS_AES_256_GCM_SHA384", None),
        ("TLSv1.2", "ECDHE-RSA-AES256-GCM-SHA384", None),
        ("TLSv1", "AES128-SHA", "protocol"),
        ("TLSv1.2", "RC4-SHA", "cipher"),
        ("SSLv3", "RC4-MD5", "protocol, cipher"),
        ("-", "-", None),
        (None, None, None),
        (None, "RC4-MD5", "cipher"),
    ],
)
def test_what_is_outdated(version: str | None, cipher: str | None, outdated: str | None) -> None:
    """A deprecated protocol, a weak cipher or both are told in one field, which is absent where nothing is wrong or known."""
    given = {name: value for name, value in (("tls_version", version), ("tls_cipher", cipher)) if value is not None}
    assert run("| `esatls_outdated`", [{**given}]) == [{**given, **({"outdated": outdated} if outdated else {})}]


def test_outdated_partners() -> None:
    """A row has the ciphers that one protocol and one fault were seen with; only encrypted connections count."""
    kinds = [("TLSv1", "AES128-SHA", 5), ("TLSv1", "AES256-SHA", 4), ("TLSv1", "RC4-SHA", 2), ("TLSv1.2", "RC4-SHA", 1), ("TLSv1.2", "AES256-GCM-SHA384", 9)]
    rows: list[spl.Row] = [
        {"tls_verdict": "encrypted", "esa_direction": "receiving", "partner": "a", "tls_version": version, "tls_cipher": cipher, "connections": count}
        for version, cipher, count in kinds
    ]
    rows += [{**row, "tls_verdict": "failed"} for row in rows]
    assert [list(row.values()) for row in run("| `esatls_view_outdated`", rows)] == [
        ["receiving", "a", "TLSv1", ["AES128-SHA", "AES256-SHA"], "protocol", 9],
        ["receiving", "a", "TLSv1", "RC4-SHA", "protocol, cipher", 2],
        ["receiving", "a", "TLSv1.2", "RC4-SHA", "cipher", 1],
    ]


@pytest.mark.parametrize(
    ("lookup", "found"),
    [
        ("51003", ["51003"]),
        ("MID 51003", ["51003"]),
        ("<Early@Unseen.example.net>", ["51003"]),
        ("unseen.example.net", ["51003"]),
        ("relay2.example.com", ["51002", "51001"]),
        ("quarter.1@EXAMPLE.com", ["51002", "51001"]),
        ("figures of", ["51002", "51001"]),
        ("x.example.net", ["51004"]),
        ("seen.example.net", []),
        ("5100", []),
        ("%", []),
        (".*", []),
        ("", []),
    ],
)
def test_what_the_lookup_finds(lookup: str, found: list[str], week: spl.Search) -> None:
    """A MID, a Message-ID, an address, a domain or the other side's name, whole and in any case, or a part of a subject; no other part, no regex."""
    definition = views.definition("esatls_message_lookup")
    tokens = {**checks.default_tokens(definition), "lookup": lookup}
    narrow = dataclasses.replace(week, earliest=week.latest - 6 * 3600)
    rows = checks.rows_of("ds_found", definition, tokens, narrow)
    assert [row["mid"] for row in rows] == found
    ids = {row["mid"]: row["ids"] for row in rows}
    assert not ids.keys() & {"51001", "51002"} or ids["51002"] == ids["51001"] == "DCID 1801 DCID 1802 ICID 1901 MID 51001 MID 51002"


@pytest.mark.parametrize(
    ("chosen", "term"), [("MID 61901", '"ESAMID=61901"'), (" dcid  7", '"ESADCID=7"'), ("61901", None), ("MID 1 OR 2", None), ('MID 1"', None), ("RID 1", None)]
)
def test_ids_in_consolidated_events(chosen: str, term: str | None) -> None:
    """A MID or a connection, as the path names it, is looked for as consolidated events write it, too."""
    (row,) = run(f"| eval view_id={json.dumps(chosen)} | `esatls_view_consolidated`", [{}])
    assert row == {"search": f"(( {term} ))" if term else "esatls_found_nothing"}


def test_lines_of_one_message(week: spl.Search, tmp_path: Path) -> None:
    """The lines are those of the message and of its connections: not another appliance's, and not those of another kind of id with the same number."""
    texts = ["ICID 7 close", "MID 10 queued for delivery", "ICID 10 close", "MID 7 queued for delivery", "DCID 8 close", "DCID 10 close", "New SMTP DCID 7 x"]
    lines = [f"2026-03-02T06:00:0{at}Z ESA{number}.example.com mail_logs: Info: {text}" for at, text in enumerate(texts) for number in (1, 2)]
    record = "CEF:0|Cisco|C100V|15.0.0-104|ESA_CONSOLIDATED_LOG_EVENT|Consolidated Log Event|5|deviceExternalId=AAAA-BBBB ESAMID=10 ESAICID=7 act=DELIVERED"
    lines.append(f"2026-03-02T06:00:09Z sma.example.com cef: {record}")
    site = source.of_lines(week.source.package, lines, tmp_path / "index")  # type: ignore[attr-defined]
    definition = views.definition("esatls_message_lookup")
    tokens = {**checks.default_tokens(definition), "ids": "DCID 8 ICID 7 MID 10"}
    for appliance, wanted in (("esa1.example.com", [lines[0], lines[2], lines[8]]), ("AAAA-BBBB", lines[-1:])):
        rows = checks.rows_of("ds_lines", definition, {**tokens, "appliance": appliance}, dataclasses.replace(week, source=site))
        assert [row["line"] for row in rows] == wanted


@pytest.mark.parametrize("ids", ["x | delete", "51002 OR 1", '51002) OR ("x', "`esatls_view_hosts`"])
def test_ids_of_a_row_are_numbers(ids: str) -> None:
    """Whatever stands in the address bar for a row's ids, only numbers become terms of a search."""
    (row,) = run(f"| eval view_ids={json.dumps(ids)} | `esatls_ids_of_row`", [{}])
    assert set(re.findall(r"\w+", str(row["search"]))) <= {"51002", "1", "OR", "esatls_found_nothing"}


@pytest.mark.parametrize(
    ("listed", "idle"),
    [
        ([("bank.example.org", "both"), ("*.Bank.example.org", "delivery"), ("[192.0.2.7]", "receiving")], ""),
        (
            [
                ("a.example.", "both"),
                ("b.example", "Both"),
                ("b\u00fccher.example", "both"),
                (" c.example", "both"),
                ("d.example", ""),
                ("*", "both"),
                ("..", "both"),
            ],
            " c.example, .., a.example., b.example, b\u00fccher.example",
        ),
    ],
)
def test_rows_of_partners_that_match_nothing(listed: list[tuple[str, str]], idle: str) -> None:
    """The health page names rows of the list for which no alert would ever come."""
    partners: list[spl.Row] = [{"domain": domain, "direction": direction, "owner": "Anna"} for domain, direction in listed]
    place = spl.Search(macros=views.macros(), earliest=0, latest=86400, now=86400, source=NOTHING, lookups={"esatls_partners": partners})
    (row,) = [row for row in spl.run("| `esatls_view_checks`", place) if row["question"] == "Partners that must use TLS"]
    words = "Write domains as DNS has them (xn--...), without a dot at the end, and receiving, delivery or both as the direction"
    assert (row["answer"], row["what to do"]) == (f"{len(listed)} rows", f"No mail matches these rows: {idle}. {words}" if idle else "-")


@pytest.mark.parametrize(
    ("chosen", "partners", "listed"),
    [
        ("*", ["a.bank.example", "bank.example", "shop.example"], ["*.bank.example", "bank.example", "quiet.bank.example", "shop.example"]),
        ("", ["a.bank.example", "bank.example", "shop.example"], ["*.bank.example", "bank.example", "quiet.bank.example", "shop.example"]),
        ("BANK", ["a.bank.example", "bank.example"], ["*.bank.example", "bank.example", "quiet.bank.example"]),
        ("a.bank.example", ["a.bank.example"], ["*.bank.example"]),
        ("*.bank.example", ["a.bank.example"], ["*.bank.example", "quiet.bank.example"]),
        ("s*p.ex", ["shop.example"], ["shop.example"]),
        ("[shop]", [], []),
        ("s_op", [], []),
        ("sho%", [], []),
    ],
)
def test_partners_are_chosen_by_a_part_of_the_name(chosen: str, partners: list[str], listed: list[str]) -> None:
    """A part of the name chooses, in which * is any text; of the list, no row stands there without mail that has some."""
    rows: list[spl.Row] = [
        {"partner": name, "partner_direction": "delivery", "partner_verdict": "cleartext", "partner_messages": 1, "last": 60}
        for name in ("a.bank.example", "bank.example", "shop.example")
    ]
    names = ["bank.example", "*.bank.example", "quiet.bank.example", "shop.example"]
    place = spl.Search(views.macros(), 0, 86400, 86400, NOTHING, {"esatls_partners": [{"domain": name, "direction": "both", "owner": ""} for name in names]})
    definition = views.definition("esatls_partners")
    tokens = {**checks.default_tokens(definition), "partner": chosen}
    sources = definition["dataSources"]
    found = spl.run(checks.fill(sources["ds_chosen"]["options"]["query"], tokens), place, [{"mail_flow": "-", **row} for row in rows])
    assert [row["partner"] for row in found] == partners
    table = spl.run(checks.fill(sources["ds_compliance"]["options"]["query"], tokens), place, found)
    assert sorted(str(row["domain"]) for row in table) == listed
    assert {row["domain"]: int(str(row["cleartext"])) for row in table} == {name: int(name != "quiet.bank.example") for name in listed}


@pytest.mark.parametrize("now", [4 * 3600, 90 * 86400])
def test_a_time_range_that_is_over_is_not_behind(now: int) -> None:
    """The health page measures silence and delay up to the end of the time range."""
    events: list[spl.Row] = [{"_time": 4 * 3600 - 60, "_indextime": 4 * 3600 - 58, "host": "esa1", "sourcetype": "esatls:mail", "_raw": "x"}]
    events += [{"_time": hour * 3600, "_raw": f"x kind=w level=hour window={hour * 3600} run=1 facts=0 asof=1"} for hour in range(4)]
    place = spl.Search(views.macros(), 0, 4 * 3600, now, Events(events), {"esatls_partners": []})
    (data,) = spl.run("| `esatls_view_data`", place)
    checked = {row["question"]: row["what to do"] for row in spl.run("| `esatls_view_checks`", place)}
    assert (data["state"], checked["Hours in the records"]) == ("ok", "-")
    later = dataclasses.replace(place, latest=now + 5 * 3600, now=now + 5 * 3600)
    (data,) = spl.run("| `esatls_view_data`", later)
    assert str(data["state"]).startswith(f"no event for {(now + 5 * 3600) // 60 - 239} minutes")
    checked = {row["question"]: row["what to do"] for row in spl.run("| `esatls_view_checks`", later)}
    assert str(checked["Hours in the records"]).startswith("The search esatls records: hours is behind")


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("mail-_-1.example.org", "mail--1.example.org"),
        ("a-_-_-b", "a---b"),
        ("_192.0.2.7_", "[192.0.2.7]"),
        ("delivery:cleartext:_ipv6:2001:db8::7_", "delivery:cleartext:[ipv6:2001:db8::7]"),
        ("receiving:none:mail-_-1.example.org", "receiving:none:mail--1.example.org"),
        ("2001:db8::7", "2001:db8::7"),
        ("_dmarc.example.org", "_dmarc.example.org"),
        ("_face_", "_face_"),
        ("group_1.2_", "group_1.2_"),
        ("-", "-"),
    ],
)
def test_names_in_counts_are_those_of_the_log(word: str, name: str) -> None:
    """Two hyphens, and the brackets of an address, are what a word of the index lacks; nothing else is taken for them."""
    assert run("| eval name = `esatls_name(word)`", [{"word": word}]) == [{"word": word, "name": name}]
