"""The views drawn by Splunk's own components in Chromium, from what the commands of the built package say of the scenario's log."""

from __future__ import annotations

import re
import urllib.parse
from typing import TYPE_CHECKING, Any, Callable

import pytest
from esatls.verdicts.words import CONNECTION_VERDICTS, RECEIVED_VERDICTS

from tests.core.support import NIGHTLY
from tests.splunk.dashboards.standin import scenario, source, spl, splunkd, views
from tests.splunk.dashboards.standin.browser import CACHE, Browser

if TYPE_CHECKING:
    from collections.abc import Iterator

WIDTHS = (1280, 1920)
THEMES = ("light", "dark")
DARK_AT_NIGHT = THEMES if NIGHTLY else THEMES[:1]
"""By day one view is drawn dark, the health page."""
WEEK = {"global_time.earliest": "-7d@h", "global_time.latest": "now"}
PICTURES = CACHE / "screenshots"
UP_TO = "Up to 2026-03-08 12:00; what was still open then is counted as it stood."


@pytest.fixture
def visit(browser: Browser, splunkweb: splunkd.Splunkd) -> Iterator[Callable[..., Browser]]:
    """Open views, with some of their panels alone; afterwards nothing may have failed, in page or search, and no request may have left the machine."""
    splunkweb.asked.clear()
    splunkweb.errors.clear()

    def go(view: str, theme: str = "light", width: int = 1440, panels: tuple[str, ...] = (), **tokens: str) -> Browser:
        splunkweb.panels = panels
        query = urllib.parse.urlencode({"theme": theme, **{f"form.{name}": value for name, value in {**WEEK, **tokens}.items()}})
        browser.open(f"{splunkweb.address}/en-US/app/esatls/{view}?{query}", views.height(view), width)
        return browser

    yield go
    splunkweb.panels = ()
    assert splunkweb.errors == []
    assert browser.do("problems") == {"problems": [], "strayed": []}


def planned(direction: str, *, tls: bool = False, failed: bool = False, mail: bool = True) -> int:
    """How many sessions the scenario has of a kind."""
    return sum(kind.number for kind in scenario.PLAN if (kind.direction, bool(kind.tls), bool(kind.failed), kind.mail) == (direction, tls, failed, mail))


OUTGOING = sum(kind.number for kind in scenario.PLAN if kind.direction == "delivery")
INCOMING = sum(kind.number for kind in scenario.PLAN if kind.direction == "receiving" and kind.mail)

UNSEEN = 1 + len(scenario.DANE)
"""Connections that were opened before the log begins, or that only consolidated events tell of, without their receiving side."""

# Besides the plan: each outgoing message came from the relay over TLS, each incoming one went to the store over TLS; the stories; and the others:
# one mixed connection with two messages, two resets, three refusals.
CONNECTIONS: list[dict[str, Any]] = [
    {
        "direction": "receiving",
        "encrypted": planned("receiving", tls=True) + OUTGOING + 1,
        "mixed": 1,
        "cleartext": planned("receiving") + planned("receiving", failed=True) + 1,
        "failed": planned("receiving", failed=True, mail=False),
        "unused": planned("receiving", mail=False),
        "unknown": UNSEEN,
    },
    {
        "direction": "delivery",
        "encrypted": planned("delivery", tls=True) + INCOMING + 5 + len(scenario.DANE),
        "mixed": 0,
        "cleartext": planned("delivery") + planned("delivery", failed=True) + 1,
        "failed": 0,
        "unused": 3,
        "unknown": 2,
    },
]
MESSAGES: list[dict[str, Any]] = [
    {
        "side": "received",
        "encrypted": planned("receiving", tls=True) + OUTGOING + 3,
        "mixed": 0,
        "cleartext": planned("receiving") + planned("receiving", failed=True) + 2,
        "internal": 0,
        "none": 0,
        "unknown": UNSEEN,
    },
    {
        "side": "delivered",
        "encrypted": planned("delivery", tls=True) + INCOMING + 4 + len(scenario.DANE),
        "mixed": 1,
        "cleartext": planned("delivery") + planned("delivery", failed=True),
        "internal": 0,
        "none": 1,
        "unknown": 0,
    },
]
TOLD = ("encrypted", "mixed", "cleartext", "failed")


# Reasons as the index counts them: in small letters, signs other than those of a word left out.
NO_CIPHER = "336109761 error:1408a0c1:ssl routines:ssl3 get client hello:no shared cipher"
STARTTLS = scenario.STARTTLS.lower()


def percents(row: dict[str, Any]) -> dict[str, str]:
    """Return a row of counts as the table shows it: with the shares of what the log tells."""
    told = sum(row.get(name, 0) for name in TOLD)
    shares = {f"{name} %": f"{100 * row[name] / told:.1f}" for name in TOLD if name in row}
    return {**{name: str(value) for name, value in row.items()}, **shares}


def ready(page: Browser, *panels: str) -> None:
    """Wait until tables have rows, and charts bars."""
    for panel in panels:
        one = f"document.querySelector('[data-test=viz-item][data-id=\"{panel}\"]')"
        page.do("wait", expression=f"{one}?.querySelector('[data-test=cell], .highcharts-legend-item') != null")


def panels_of(view: str) -> list[str]:
    """Return the panels of a view."""
    return [*views.definition(view)["visualizations"]]


@pytest.mark.parametrize("theme", DARK_AT_NIGHT)
def test_overview(theme: str, visit: Callable[..., Browser]) -> None:
    """Every panel of the overview shows the numbers of the scenario, with unknown and unused beside the percentages and not in them."""
    page = visit("esatls_overview", theme, WIDTHS[0])
    ready(page, *(name for name in panels_of("esatls_overview") if not name.startswith("viz_single")))
    page.wait("viz_single_delivered", "not delivered")
    page.wait("viz_state", UP_TO)
    page.picture(PICTURES / f"overview-{theme}.png")
    assert page.wide() == (WIDTHS[0], [])
    page.widen(WIDTHS[1])

    assert page.records("viz_connection_verdicts") == [percents(row) for row in CONNECTIONS]
    assert page.records("viz_message_verdicts") == [percents(row) for row in MESSAGES]
    for panel, row, rest in (
        ("viz_single_in", CONNECTIONS[0], f"{UNSEEN} unknown, 9 unused"),
        ("viz_single_out", CONNECTIONS[1], "2 unknown, 3 unused"),
        ("viz_single_received", MESSAGES[0], f"{UNSEEN} unknown, 0 internal, 0 none"),
        ("viz_single_delivered", MESSAGES[1], "0 unknown, 1 not delivered"),
    ):
        told = sum(row.get(name, 0) for name in TOLD)
        shown = page.text(panel)
        assert f"{100 * row['encrypted'] / told:.1f}" in shown
        assert f"{row['encrypted']} of {told}; {rest}" in shown

    # Eight days are touched; every bar of a verdict together is the number in the table.
    for panel, row in (
        ("viz_time_in", CONNECTIONS[0]),
        ("viz_time_out", CONNECTIONS[1]),
        ("viz_time_received", MESSAGES[0]),
        ("viz_time_delivered", MESSAGES[1]),
    ):
        bars = page.bars(panel)
        assert {name: (len(values), sum(values)) for name, values in bars.items()} == {name: (8, row[name]) for name in bars}
        assert {"encrypted", "cleartext", "unknown"} <= set(bars)

    ciphers = {
        tls: [sum(k.number for k in scenario.PLAN if k.tls == tls and k.direction == side) for side in ("receiving", "delivery")]
        for tls in (scenario.OLD, scenario.WORST, scenario.USUAL, scenario.WEAK, scenario.STRONG)
    }
    ciphers[scenario.USUAL][0] += OUTGOING + 2
    ciphers[scenario.USUAL][1] += INCOMING + 4 + len(scenario.DANE)
    ciphers[scenario.STRONG][1] += 1
    versions = ("TLSv1", "TLSv1.2", "TLSv1.3")
    assert page.bars("viz_versions") == {
        side: [sum(counts[at] for (version, _), counts in ciphers.items() if version == one) for one in versions]
        for at, side in enumerate(("receiving", "delivery"))
    }
    everything = sum(row["encrypted"] + row["mixed"] for row in CONNECTIONS)
    assert page.records("viz_ciphers") == [
        {
            "version": tls[0],
            "cipher": tls[1],
            "outdated": outdated,
            "receiving": str(ciphers[tls][0]),
            "delivery": str(ciphers[tls][1]),
            "share %": f"{100 * sum(ciphers[tls]) / everything:.1f}",
        }
        for tls, outdated in (
            (scenario.USUAL, ""),
            (scenario.STRONG, ""),
            (scenario.OLD, "protocol"),
            (scenario.WEAK, "cipher"),
            (scenario.WORST, "protocol, cipher"),
        )
    ]
    assert page.records("viz_failures") == [
        {"direction": "delivery", "partner": "fallback.example.org", "failed": "0", "cleartext": "7", "reason": STARTTLS},
        {"direction": "receiving", "partner": "mx.broken.example.net", "failed": "5", "cleartext": "0", "reason": NO_CIPHER},
        {"direction": "receiving", "partner": "fallback.example.org", "failed": "0", "cleartext": "3", "reason": NO_CIPHER},
        {
            "direction": "receiving",
            "partner": "x.example.net",
            "failed": "0",
            "cleartext": "1",
            "reason": "cmd /c calc a0 b bold /b link javascript:alert 1 delete",
        },
    ]
    assert page.records("viz_other_reasons") == [
        {"direction": "delivery", "partner": "away.example.org", "unused": unused, "unknown": unknown, "reason": f"network error errno {words}"}
        for unused, unknown, words in (("3", "0", "111 connection refused"), ("0", "2", "104 connection reset by peer"))
    ]
    assert page.records("viz_outdated") == [
        {"direction": side, "partner": partner, "version": tls[0], "ciphers": tls[1], "outdated": outdated, "connections": count}
        for side, partner, tls, outdated, count in (
            ("receiving", "old.example.net", scenario.OLD, "protocol", "12"),
            ("receiving", "legacy.example.org", scenario.WEAK, "cipher", "9"),
            ("delivery", "old.example.net", scenario.OLD, "protocol", "7"),
            ("receiving", "old.example.net", scenario.WORST, "protocol, cipher", "4"),
        )
    ]
    assert page.records("viz_cleartext")[:2] == [
        {"partner": "plain.example.org", "direction": "receiving", "messages": "14", "mixed": "0", "last seen": "2026-03-07 23:00"},
        {"partner": "plain.example.org", "direction": "delivery", "messages": "11", "mixed": "0", "last seen": "2026-03-07 19:00"},
    ]
    groups = {row["sender group"]: row for row in page.records("viz_sender_groups")}
    assert set(groups) == {"unknownlist", "relaylist", "blocklist"}
    assert sum(int(row["connections"]) for row in groups.values()) == sum(CONNECTIONS[0][name] for name in CONNECTION_VERDICTS) - UNSEEN
    assert groups["relaylist"]["encrypted %"] == "100.0"


@pytest.mark.parametrize("theme", DARK_AT_NIGHT)
def test_partners(theme: str, visit: Callable[..., Browser]) -> None:
    """Per domain and direction: messages, connections, percentages, and the reasons of failures."""
    page = visit("esatls_partners", theme, WIDTHS[0])
    ready(page, *panels_of("esatls_partners"))
    page.wait("viz_state", UP_TO)
    page.picture(PICTURES / f"partners-{theme}.png")
    assert page.wide() == (WIDTHS[0], [])
    page.widen(WIDTHS[1])
    assert [list(row.values()) for row in page.records("viz_compliance")] == [
        ["*.example.org", "delivery", "IT", "38", "18", "67.9", "0", "2026-03-08 07:00", "2026-03-08 07:00"],
        ["bank.example.org", "delivery", "Finance", "38", "0", "100.0", "0", "none", "none"],
        ["bank.example.org", "receiving", "Treasury", "45", "0", "100.0", "0", "none", "none"],
        ["partner.example.net", "both", "Sales", "111", "0", "100.0", "0", "none", "none"],
        ["silent.example.net", "both", "Nobody", "0", "0", "", "0", "none", "none"],
    ]
    assert page.records("viz_dane") == [
        {"partner": "tlsa.example.net", "messages": "2", "success": "1", "failure": "1"},
        {"partner": "dane.example.net", "messages": "1", "success": "1", "failure": "0"},
    ]
    messages = {(row["partner"], row["direction"]): row for row in page.records("viz_partner_messages")}
    assert messages["partner.example.net", "receiving"] == {
        "partner": "partner.example.net",
        "direction": "receiving",
        "messages": "60",
        "encrypted": "60",
        "mixed": "0",
        "cleartext": "0",
        "encrypted %": "100.0",
        "none": "0",
        "unknown": "0",
        "last seen": "2026-03-08 05:00",
    }
    assert {name: messages["fallback.example.org", "delivery"][name] for name in ("messages", "mixed", "cleartext", "encrypted %", "none")} == {
        "messages": "8",
        "mixed": "0",
        "cleartext": "7",
        "encrypted %": "0.0",
        "none": "1",
    }
    # MID 51002 went to both: each partner has the verdict of its own delivery, as the alert has.
    assert {name: messages["partner.example.net", "delivery"][name] for name in ("messages", "encrypted", "mixed", "cleartext", "none")} == {
        "messages": "52",
        "encrypted": "51",
        "mixed": "0",
        "cleartext": "0",
        "none": "1",
    }
    # Nothing is told of it, so it has no percentage.
    assert {name: messages["unseen.example.net", "receiving"][name] for name in ("messages", "unknown", "encrypted %")} == {
        "messages": "1",
        "unknown": "1",
        "encrypted %": "",
    }
    connections = {(row["partner"], row["direction"]): row for row in page.records("viz_partner_connections")}
    assert connections["bank.example.org", "delivery"]["encrypted"] == "38"
    assert connections["bank.example.org", "delivery"]["versions"] == "TLSv1.2"
    assert {name: connections["mx.scanner.example.net", "receiving"][name] for name in ("connections", "unused", "encrypted %")} == {
        "connections": "9",
        "unused": "9",
        "encrypted %": "",
    }
    assert connections["mx.broken.example.net", "receiving"]["failed"] == "5"
    reasons = {(row["partner"], row["direction"]): row["reason"] for row in page.records("viz_failures")}
    assert reasons["fallback.example.org", "delivery"] == STARTTLS
    assert reasons["mx.broken.example.net", "receiving"] == NO_CIPHER


HOPS: list[list[str]] = [
    ["51001", "1 connection in", "ICID 1901", "received", "encrypted", "TLSv1.2"],
    ["51001", "2 message", "MID 51001", "accepted", "", ""],
    ["51002", "1 connection in", "MID 51001", "content of MID 51001", "encrypted", "TLSv1.2"],
    ["51002", "2 message", "MID 51002", "rewritten from MID 51001", "", ""],
    ["51002", "3 delivery 1", "DCID 1801", "done", "encrypted", "TLSv1.3"],
    ["51002", "3 delivery 2", "DCID 1802", "done", "cleartext", ""],
]


@pytest.mark.parametrize("theme", DARK_AT_NIGHT)
def test_message_lookup(theme: str, visit: Callable[..., Browser]) -> None:
    """The only message found shows its whole path at once, with the message that it was rewritten from; a hop shows its connection."""
    page = visit("esatls_message_lookup", theme, WIDTHS[0], lookup=scenario.MESSAGE_ID)
    page.wait("viz_path", "DCID 1802")
    found = page.records("viz_found")
    assert [(row["mid"], row["subject"], row["Message-ID"]) for row in found] == [(mid, scenario.SUBJECT, scenario.MESSAGE_ID) for mid in ("51002", "51001")]
    path = page.records("viz_path")
    assert [[row[name] for name in ("mid", "hop", "id", "what", "verdict", "version")] for row in path] == HOPS
    assert path[3]["peer"] == "chief@example.com to ann@partner.example.net, bob@fallback.example.org"
    assert path[5]["peer"] == "fallback.example.org, 203.0.113.53"
    assert path[5]["reason"] == scenario.STARTTLS
    page.wait("viz_connection", "Set token value")

    page.click_cell("viz_path", "DCID 1802")
    page.wait("viz_connection", "DCID 1802", "cleartext")
    page.wait("viz_lines", "No data")
    page.click_cell("viz_found", "51002")
    page.wait("viz_lines", "ICID 1901 TLS success")
    assert "same content: esa1.example.com DCID 1801 DCID 1802 ICID 1901 MID 51001 MID 51002" in page.text("viz_lines")
    assert page.wide() == (WIDTHS[0], [])
    page.widen(WIDTHS[1])
    page.picture(PICTURES / f"message_lookup-{theme}.png")
    facts = {row["property"]: row["value"] for row in page.records("viz_connection")}
    assert facts == {
        "appliance": "esa1.example.com",
        "connection": "DCID 1802",
        "verdict": "cleartext",
        "reason": scenario.STARTTLS,
        "domain": "fallback.example.org",
        "mail flow": "outgoing",
        "address": "203.0.113.53",
        "port": "25",
        "interface address": "192.0.2.10",
        "opened": "2026-03-08T07:00:30Z",
        "closed": "2026-03-08T07:00:39Z",
        "messages": "1",
    }
    page.click_cell("viz_path", "ICID 1901")
    page.wait("viz_connection", "ICID 1901", "RELAYLIST")
    lines = [row["line"] for row in page.records("viz_lines")]
    story = [line for line in scenario.lines() if re.search(r"\b(?:51001|51002|ICID 1901|DCID 180[12])\b", line)]
    assert len(lines) == 20
    assert set(lines) < set(story)
    page.choose("input_subjects", "hide")
    page.wait("viz_found", "hidden")
    assert {row["subject"] for row in page.records("viz_found")} == {"hidden"}


@pytest.mark.parametrize("theme", DARK_AT_NIGHT)
def test_trends(theme: str, visit: Callable[..., Browser], site: source.Site) -> None:
    """Verdicts and protocols of a time range are those that the commands tell of its lines; a partner's name narrows them all."""
    page = visit("esatls_trends", theme, WIDTHS[0], **{"global_time.earliest": "-24h@h"})
    ready(page, *panels_of("esatls_trends"))
    page.wait("viz_state", UP_TO)
    page.picture(PICTURES / f"trends-{theme}.png")
    assert page.wide() == (WIDTHS[0], [])
    page.widen(WIDTHS[1])
    now = scenario.NOW.timestamp()
    search = spl.Search(views.macros(), now - 86400, now, now, site)
    connections = spl.run('| `esatls_recorded_connections("TERM(kind=c)")`', search)
    messages = spl.run('| `esatls_recorded_messages("TERM(kind=m)")`', search)
    for row in page.records("viz_connection_verdicts"):
        for verdict in CONNECTION_VERDICTS:
            expected = sum((one["esa_direction"], one["tls_verdict"]) == (row["direction"], verdict) for one in connections)
            assert int(row[verdict]) == expected, (row["direction"], verdict)
            panel = "viz_time_in" if row["direction"] == "receiving" else "viz_time_out"
            assert sum(page.bars(panel)[verdict]) == expected
    incoming = [row["received"] for row in messages if row["mail_flow"] == "incoming"]
    assert {name: sum(values) for name, values in page.bars("viz_time_received").items()} == {name: incoming.count(name) for name in RECEIVED_VERDICTS}
    versions = {"TLS 1.3": "TLSv1.3", "TLS 1.2": "TLSv1.2", "retired": "TLSv1", "other": ""}
    encrypted = [row["tls_version"] for row in connections if row["tls_verdict"] == "encrypted" and row["esa_direction"] == "receiving"]
    assert {name: sum(values) for name, values in page.bars("viz_versions_in").items()} == {
        name: encrypted.count(version) for name, version in versions.items()
    }
    if theme == "dark":
        return
    # The flow input keeps one way of the mail in every panel, the partner input one partner.
    before = page.text("viz_connection_verdicts")
    page.choose("input_flow", "outgoing")
    page.wait_changed("viz_connection_verdicts", before)
    chosen = [one for one in connections if one.get("mail_flow") == "outgoing"]
    for row in page.records("viz_connection_verdicts"):
        for verdict in CONNECTION_VERDICTS:
            expected = sum((one["esa_direction"], one["tls_verdict"]) == (row["direction"], verdict) for one in chosen)
            assert int(row[verdict]) == expected, (row["direction"], verdict)
    before = page.text("viz_connection_verdicts")
    page.write("input_partner", "BANK")
    page.wait_changed("viz_connection_verdicts", before)
    (row,) = page.records("viz_connection_verdicts")
    assert int(row["encrypted"]) == sum(one.get("domain") == "bank.example.org" for one in chosen)


@pytest.mark.parametrize("theme", THEMES)
def test_health(theme: str, visit: Callable[..., Browser]) -> None:
    """The page says what is there of the logs and the records, and what to do where something is missing."""
    page = visit("esatls_health", theme, WIDTHS[0])
    ready(page, *panels_of("esatls_health"))
    page.wait("viz_checks", "Partners that must use TLS")
    page.picture(PICTURES / f"health-{theme}.png")
    assert page.wide() == (WIDTHS[0], [])
    page.widen(WIDTHS[1])
    assert [list(row.values()) for row in page.records("viz_checks")] == [
        ["ESA logs", f"{len(scenario.lines())} events, the last at 2026-03-08 09:00:14", "-"],
        ["Hours in the records", "150, the newest begins at 2026-03-08 11:00, 0 missing in between", "-"],
        ["What is still open", "judged as of 2026-03-08 12:00", "-"],
        ["Days not judged yet", "0", "-"],
        ["Days not closed yet", "1", "-"],
        ["Partners that must use TLS", f"{len(scenario.PARTNERS)} rows", "-"],
    ]
    (data,) = page.records("viz_data")
    assert (data["host"], data["delay in s"], data["state"][:24]) == (source.RELAY, "2", "no event for 180 minutes")
    told = page.records("viz_told")
    assert [(row["appliance"], row["state"]) for row in told] == [(host, "ok") for host in scenario.HOSTS]
    assert sum(int(row["messages"]) for row in told) == sum(MESSAGES[0][name] for name in RECEIVED_VERDICTS)


def test_a_view_without_records_says_what_to_do(visit: Callable[..., Browser]) -> None:
    """A time range without records has a panel that says where to look; `test_overview` sees that one with records says up to when they go."""
    page = visit("esatls_overview", panels=("viz_state",), **{"global_time.earliest": "0", "global_time.latest": "86400"})
    page.wait("viz_state", "No records in this time range", "Set-up and health", "esatls_summary")


def test_a_page_that_asks_for_an_address_elsewhere_is_noticed(browser: Browser, splunkweb: splunkd.Splunkd) -> None:
    """Whatever a page would fetch from another machine, by name or number, is refused, and told to the test."""
    browser.open(f"{splunkweb.address}/en-US/app/esatls/esatls_message_lookup", 900)
    browser.do("problems")
    places = ["http://www.example.com/a.js", "https://198.51.100.9/b.png", "ws://www.example.net/c"]
    script = """Promise.all([
        fetch('http://www.example.com/a.js').then(() => 'got', () => 'refused'),
        new Promise((done) => { const image = new Image(); image.onload = () => done('got'); image.onerror = () => done('refused');
                                image.src = 'https://198.51.100.9/b.png'; }),
        new Promise((done) => { const socket = new WebSocket('ws://www.example.net/c'); socket.onopen = () => done('got');
                                socket.onerror = () => done('refused'); }),
    ])"""
    assert browser.do("evaluate", expression=script) == ["refused", "refused", "refused"]
    assert sorted(browser.do("problems")["strayed"]) == sorted(places)


def test_choosing_one_of_many(visit: Callable[..., Browser]) -> None:
    """With many messages found no path is shown until one is clicked, and another click shows another."""
    page = visit("esatls_message_lookup", lookup="staff@example.com", esa_host="esa1.example.com", **{"global_time.earliest": "-5h@h"})
    page.wait("viz_found", "51004", "51003")
    page.wait("viz_path", "No data")
    page.click_cell("viz_found", "51003")
    page.wait("viz_path", "MID 51003", "DCID 1803")
    first = page.records("viz_path")[0]
    assert (first["id"], first["what"], first["verdict"], first["version"]) == ("ICID 12", "received", "unknown", "")
    page.click_cell("viz_found", "51004")
    page.wait("viz_path", "MID 51004")
    assert {row["mid"] for row in page.records("viz_path")} == {"51004"}


def test_inputs_of_the_overview(visit: Callable[..., Browser], splunkweb: splunkd.Splunkd) -> None:
    """The appliance input splits the numbers among the appliances, the flow input keeps one way of the mail; another time asks the base searches again."""
    page = visit("esatls_overview", panels=("viz_connection_verdicts", "viz_message_verdicts", "viz_time_in"))
    ready(page, "viz_connection_verdicts", "viz_message_verdicts")
    seen = []
    for host in scenario.HOSTS:
        before = page.text("viz_connection_verdicts")
        page.choose("input_host", host)
        page.wait_changed("viz_connection_verdicts", before)
        seen.append(page.records("viz_connection_verdicts"))
    for number, whole in enumerate(CONNECTIONS):
        for name in CONNECTION_VERDICTS:
            assert sum(int(rows[number][name]) for rows in seen) == whole[name]
    page.choose("input_host", "*")
    page.choose("input_flow", "incoming")
    page.wait("viz_message_verdicts", str(planned("receiving", tls=True) + 1))
    incoming = page.records("viz_message_verdicts")[0]
    assert {name: int(incoming[name]) for name in ("encrypted", "cleartext", "unknown")} == {
        "encrypted": planned("receiving", tls=True) + 1,
        "cleartext": MESSAGES[0]["cleartext"],
        "unknown": 1,
    }
    page.choose("input_flow", "-")
    page.wait("viz_message_verdicts", "No data")
    page.choose("input_flow", "*")
    page.wait_gone("viz_message_verdicts", "No data")

    splunkweb.asked.clear()
    page.choose_time("Last 24 hours")
    opened = sum(" New SMTP ICID " in line for line in scenario.lines() if line >= "2026-03-07T12:00:00Z")
    encrypted = sum(" TLS success " in line and " ICID " in line for line in scenario.lines() if line >= "2026-03-07T12:00:00Z")
    page.wait("viz_connection_verdicts", f"\n{encrypted}\n")
    receiving = page.records("viz_connection_verdicts")[0]
    assert sum(int(receiving[name]) for name in ("encrypted", "cleartext", "failed", "unused")) == opened
    assert receiving["unknown"] == "1"
    page.do("wait", expression='document.querySelector(\'[data-id=viz_time_in] [aria-label*="25 bars"], [data-id=viz_time_in] [aria-label*="24 bars"]\')')
    assert sum(page.bars("viz_time_in")["encrypted"]) == encrypted
    assert {(earliest, latest) for _, earliest, latest in splunkweb.asked} == {("-24h@h", "now")}
    assert len(splunkweb.asked) == 1


def test_partner_input(visit: Callable[..., Browser]) -> None:
    """A part of a name narrows all tables of the partners."""
    page = visit("esatls_partners", panels=("viz_partner_messages", "viz_failures"))
    ready(page, "viz_partner_messages")
    page.write("input_partner", "FALLBACK")
    page.wait_gone("viz_partner_messages", "bank.example.org")
    page.wait_gone("viz_failures", "broken")
    assert {row["partner"] for row in page.records("viz_partner_messages")} == {"fallback.example.org"}
    assert {row["partner"] for row in page.records("viz_failures")} == {"fallback.example.org"}


def test_drill_down_from_overview_to_lookup(visit: Callable[..., Browser]) -> None:
    """A partner with mail in clear text leads to its messages, in the same time range."""
    page = visit("esatls_overview", panels=("viz_cleartext", "viz_path"))
    page.wait("viz_cleartext", "x.example.net")
    page.click_cell("viz_cleartext", "x.example.net")
    page.wait("viz_path", "ICID 1902")
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(page.do("address")).query)
    handed = {**WEEK, "lookup": "x.example.net", "esa_host": "*", "mail_flow": "*"}
    assert {name: query[f"form.{name}"] for name in handed} == {name: [value] for name, value in handed.items()}


def test_drill_down_from_overview_to_partner_to_lookup(visit: Callable[..., Browser]) -> None:
    """A failing partner leads to its numbers, and those to its messages."""
    page = visit("esatls_overview", panels=("viz_failures", "viz_partner_messages", "viz_found"))
    page.wait("viz_failures", "fallback.example.org")
    page.click_cell("viz_failures", "fallback.example.org")
    page.wait("viz_partner_messages", "fallback.example.org")
    assert "/app/esatls/esatls_partners?" in page.do("address")
    assert {row["partner"] for row in page.records("viz_partner_messages")} == {"fallback.example.org"}
    page.click_cell("viz_partner_messages", "fallback.example.org")
    page.wait("viz_found", "51002")
    assert "/app/esatls/esatls_message_lookup?" in page.do("address")
    assert all("fallback.example.org" in row["sender"] + row["recipients"] for row in page.records("viz_found"))


def test_names_that_strangers_chose_stay_text(visit: Callable[..., Browser]) -> None:
    """Markup, links, formulas, tokens and macros in log text are shown as they stand; the page makes nothing of them."""
    page = visit("esatls_message_lookup", lookup="51004")
    page.wait("viz_path", "ICID 1902")
    assert page.records("viz_found")[0]["sender"] == scenario.HOSTILE_SENDER
    first = page.records("viz_path")[0]
    assert first["peer"].startswith("<img/src=x/onerror=alert(1)>.example.net, 198.51.100.")
    assert first["reason"] == scenario.HOSTILE_REASON
    page.click_cell("viz_path", "ICID 1902")
    page.wait("viz_connection", "<img/src=x")
    page.picture(PICTURES / "hostile-light.png")
    assert page.do("evaluate", expression="document.querySelectorAll('#root img, #root script, #root b, #root a[href^=javascript]').length") == 0


def test_a_stranger_in_a_drill_down(visit: Callable[..., Browser], splunkweb: splunkd.Splunkd) -> None:
    """A name that a stranger chose goes through the address into the next view's search as one quoted word."""
    page = visit("esatls_message_lookup", lookup=scenario.HOSTILE_SENDER)
    page.wait("viz_found", "51004")
    quoted = scenario.HOSTILE_SENDER.replace('"', '\\"')
    assert any(f'view_lookup="{quoted}"' in text for text, _, _ in splunkweb.asked)
    assert [row["mid"] for row in page.records("viz_found")] == ["51004"]


def test_an_input_cannot_leave_its_quotes(visit: Callable[..., Browser], splunkweb: splunkd.Splunkd) -> None:
    """What is written into an input is looked for as it stands, whatever quotes, macros or tokens it holds."""
    page = visit("esatls_message_lookup", lookup="51003")
    for text in ('" | delete | eval x="', 'x\\" | delete', "`esatls_view_hosts`", "$esa_host$", "x\\"):
        page.write("input_lookup", "51003")
        page.wait("viz_found", "51003")
        splunkweb.asked.clear()
        page.write("input_lookup", text)
        page.wait("viz_found", "No data")
        literal = text.replace("\\", "\\\\").replace('"', '\\"')
        assert [asked for asked, _, _ in splunkweb.asked if f'| eval view_lookup="{literal}" | `esatls_view_lookup`' in asked]
        assert [asked for asked, _, _ in splunkweb.asked if f'[search `esatls_index` ("{literal}" OR [| makeresults | eval view_id="{literal}" |' in asked]
