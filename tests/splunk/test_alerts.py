"""The shipped searches, run over what the commands make of a small log: each alert speaks when it should, and is silent when it should be."""

from __future__ import annotations

import csv
import random
from typing import TYPE_CHECKING

import pytest
from esatls.report.must_encrypt import check, read_rules

from tests.core.support import records_of
from tests.report.support import LISTED, MAIL_WITH_LISTED
from tests.splunk.answers import NATIVE, event
from tests.splunk.conf import DEFAULT, ROOT, read
from tests.splunk.dashboards.standin import source, spl, views
from tests.splunk.terms import holds
from tests.splunk.test_summary import Index, Site

if TYPE_CHECKING:
    from pathlib import Path

    from tests.splunk.driver import Splunk, Value

SEARCHES = read(DEFAULT / "savedsearches.conf")
NOW = spl.utc("2024-03-05T12:30:00Z")

LOG = """\
New SMTP ICID 5 interface Data 1 (192.0.2.1) address 198.51.100.7 reverse dns host mx.partner.example.com verified yes
ICID 5 ACCEPT SG UNKNOWNLIST match ALL SBRS None
Start MID 15 ICID 5
MID 15 ICID 5 From: <alice@partner.example.com>
MID 15 ICID 5 RID 0 To: <bob@home.example.com>
New SMTP ICID 6 interface Data 1 (192.0.2.1) address 198.51.100.8 reverse dns host mx.other.example.com verified yes
ICID 6 ACCEPT SG UNKNOWNLIST match ALL SBRS None
Start MID 16 ICID 6
MID 16 ICID 6 From: <carol@other.example.com>
MID 16 ICID 6 RID 0 To: <bob@home.example.com>
New SMTP ICID 7 interface Data 1 (192.0.2.1) address 198.51.100.9 reverse dns host mx.bank.example.net verified yes
ICID 7 RELAY SG RELAYLIST match ALL SBRS None
ICID 7 TLS success protocol TLSv1 cipher AES128-SHA
Start MID 17 ICID 7
MID 17 ICID 7 From: <bob@home.example.com>
MID 17 ICID 7 RID 0 To: <dave@sub.partner.example.com>
MID 17 ICID 7 RID 1 To: <erin@bank.example.net>
New SMTP DCID 8 interface 192.0.2.1 address 203.0.113.25 port 25
DCID 8 TLS failed: STARTTLS unexpected response
Delivery start DCID 8 MID 17 to RID [0]
Message done DCID 8 MID 17 to RID [0]
New SMTP DCID 9 interface 192.0.2.1 address 203.0.113.26 port 25
DCID 9 TLS success protocol TLSv1.3 cipher TLS_AES_256_GCM_SHA384 for bank.example.net
Delivery start DCID 9 MID 17 to RID [1]
Message done DCID 9 MID 17 to RID [1]
Start MID 18 ICID 7
MID 18 ICID 7 From: <bob@home.example.com>
MID 18 ICID 7 RID 0 To: <dave@sub.partner.example.com>
MID 18 ICID 7 RID 1 To: <fay@sub.partner.example.com>
Message done DCID 7 MID 18 to RID [0]
Delivery start DCID 8 MID 18 to RID [1]
Message done DCID 8 MID 18 to RID [1]
New SMTP DCID 10 interface 192.0.2.1 address 203.0.113.28 port 25
DCID 10 TLS success protocol TLSv1.2 cipher ECDHE-RSA-RC4-SHA for legacy.example.org
New SMTP DCID 11 interface 192.0.2.1 address 203.0.113.28 port 25
DCID 11 TLS success protocol TLSv1 cipher ECDHE-RSA-RC4-SHA for legacy.example.org
"""
FAILURES = "".join(
    f"New SMTP DCID {n} interface 192.0.2.1 address 203.0.113.27 port 25\nDCID {n} IP 203.0.113.27 TLS was required but could not be successfully negotiated\n"
    for n in range(100, 112)
)


@pytest.fixture(scope="module")
def site(splunk: Splunk, tmp_path_factory: pytest.TempPathFactory) -> source.Site:
    """Give a log that is an hour old, and its records."""
    lines = (LOG + FAILURES).splitlines()
    events: list[spl.Row] = [
        {"_raw": f"Tue Mar  5 11:40:{n:02} 2024 Info: {line}", "host": "esa1", "_time": f"{spl.utc('2024-03-05T11:40:00Z') + n:.0f}"}
        for n, line in enumerate(lines)
    ]
    made = source.Site(source.Package(splunk.app, splunk.python), events, tmp_path_factory.mktemp("summary") / "index")
    made.record(NOW)
    return made


def run(name: str, site: spl.Source, now: float = NOW, partners: list[spl.Row] | None = None) -> list[spl.Row]:
    """Run a saved search at a time, with the sample of partners or others."""
    saved = SEARCHES[name]
    earliest, latest = (spl.relative(saved[f"dispatch.{end}_time"], now) for end in ("earliest", "latest"))
    if partners is None:
        with (ROOT / "splunk_app" / "lookups" / "esatls_partners_sample.csv").open(encoding="utf-8", newline="") as file:
            partners = [dict(row) for row in csv.DictReader(file)]
    return spl.run(saved["search"], spl.Search(views.macros(), earliest, latest, now, site, {"esatls_partners": partners}))


def test_must_encrypt_partner(site: source.Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clear text from a listed partner and to a listed partner's subdomain is told, once per message and side, also where another delivery is not known.

    Partners that are not listed are not, nor is a listed one that got its own part of a message over TLS. Rows are small before they are expanded, because
    Splunk leaves out what does not fit into its memory.
    """
    monkeypatch.setattr(spl, "MOST_EXPANDED", 1_000)
    found = run("esatls alert: must-encrypt partner in clear text", site)
    assert sorted((str(row["mid"]), row["partner_direction"], row["partner"], row["partner_verdict"]) for row in found) == [
        ("15", "receiving", "partner.example.com", "cleartext"),
        ("17", "delivery", "sub.partner.example.com", "cleartext"),
        ("18", "delivery", "sub.partner.example.com", "cleartext"),
    ]
    assert all(row["owner"] for row in found)


UNTOLD = """\
New SMTP ICID 5 interface Data 1 (192.0.2.1) address 198.51.100.9 reverse dns host relay.home.example.com verified yes
ICID 5 RELAY SG RELAYLIST match ALL SBRS None
ICID 5 TLS success protocol TLSv1.2 cipher AES128-SHA
Start MID 17 ICID 5
MID 17 ICID 5 From: <bob@home.example.com>
MID 17 ICID 5 RID 0 To: <erin@bank.example.net>
MID 17 ICID 5 RID 1 To: <frank@{domain}>
New SMTP DCID 8 interface 192.0.2.1 address 203.0.113.25 port 25
DCID 8 TLS failed: STARTTLS unexpected response
Delivery start DCID 8 MID 17 to RID [0]
Message done DCID 8 MID 17 to RID [0]
Delivery start DCID 4 MID 17 to RID [1]
Message done DCID 4 MID 17 to RID [1]
Message finished MID 17 done
"""


@pytest.mark.parametrize("domain", ["other.example.org", "bank.example.net"])
def test_must_encrypt_partner_beside_what_is_not_known(splunk: Splunk, tmp_path: Path, domain: str) -> None:
    """Clear text to a listed partner is told, though the log does not tell how the message went to another recipient, of whatever domain."""
    lines = [{**event(f"Info: {text}"), "_time": str(int(NOW) - 3600)} for text in UNTOLD.format(domain=domain).splitlines()]
    assert [row["delivered"] for row in splunk.report("esatlsmessages", lines).rows] == ["unknown"]
    site = Site(splunk, tmp_path / "index", lines)
    hour = int(NOW) // 3600 * 3600
    site.hours(hour - 3600, hour, mapped=False)
    (row,) = run("esatls alert: must-encrypt partner in clear text", Index(splunk, site.index))
    assert (row["mid"], row["partner_direction"], row["partner"], row["partner_verdict"]) == ("17", "delivery", "bank.example.net", "cleartext")


RELAYED = """\
New SMTP ICID 5 interface Data 1 (192.0.2.1) address 198.51.100.9 reverse dns host relay.home.example.com verified yes
ICID 5 RELAY SG RELAYLIST match ALL SBRS None
Start MID 21 ICID 5
MID 21 ICID 5 From: <bob@home.example.com>
MID 21 ICID 5 RID 0 To: <erin@bank.example.net>
MID 21 ICID 5 RID 1 To: <frank@bank.example.net>
MID 21 ICID 5 RID 2 To: <gus@other.example.org>
Start MID 22 ICID 5
MID 22 ICID 5 From: <bob@home.example.com>
MID 22 ICID 5 RID 0 To: <erin@bank.example.net>
MID 22 ICID 5 RID 1 To: <gus@other.example.org>
MID 22 ICID 5 RID 2 To: <hal@m\u00fcller.example.org>
New SMTP DCID 8 interface 192.0.2.1 address 203.0.113.25 port 25
Message done DCID 8 MID 21 to RID [0, 2]
New SMTP DCID 9 interface 192.0.2.1 address 203.0.113.25 port 25
DCID 9 TLS success protocol TLSv1.3 cipher TLS_AES_256_GCM_SHA384
Message done DCID 9 MID 21 to RID [1]
Message done DCID 9 MID 22 to RID [0, 1]
Message done DCID 8 MID 22 to RID [2]
Message finished MID 21 done
Message finished MID 22 done
"""


def test_partners_behind_a_relay(splunk: Splunk, tmp_path: Path) -> None:
    """A delivery to several domains counts for each that it reached, beside others to the same one; alert, search and counts name the partners as DNS does."""
    events: list[spl.Row] = [{**event(f"Info: {text}"), "_time": str(int(NOW) - 3600 + at)} for at, text in enumerate(RELAYED.splitlines())]
    site = source.Site(source.Package(splunk.app, splunk.python), events, tmp_path / "index")
    site.record(NOW)
    found = run("esatls alert: must-encrypt partner in clear text", site)
    assert [(row["mid"], row["partner"], row["partner_verdict"]) for row in found] == [("21", "bank.example.net", "mixed")]
    place = spl.Search(views.macros(), NOW - DAY, NOW, NOW, site, {})
    searches = {
        "messages": "`esatls_messages` | `esatls_message_partners` | stats count BY partner_direction, partner, partner_verdict",
        "counts": '| `esatls_counted_messages("mail")` | `esatls_mail` | stats sum(count) AS count BY partner_direction, partner, partner_verdict',
    }
    right = {
        ("bank.example.net", "mixed", "1"), ("other.example.org", "cleartext", "1"),
        ("bank.example.net", "encrypted", "1"), ("other.example.org", "encrypted", "1"), ("xn--mller-kva.example.org", "cleartext", "1"),
    }  # fmt: skip
    for name, search in searches.items():
        assert {(row["partner"], row["partner_verdict"], str(row["count"])) for row in spl.run(search, place)} == right, name


ADDRESSES = "[192.0.2.7],both,Ken\n[IPv6:2001:DB8::7],delivery,Lea\nmail--1.example.org,delivery,Max\n"
TO_ADDRESSES = """\
New SMTP ICID 501 interface Data 1 (192.0.2.1) address 198.51.100.9 reverse dns host relay.home.example.com verified yes
ICID 501 RELAY SG RELAYLIST match ALL SBRS None
Start MID 501 ICID 501
MID 501 ICID 501 From: <bob@home.example.com>
MID 501 ICID 501 RID 0 To: <ann@[192.0.2.7]>
MID 501 ICID 501 RID 1 To: <ann@[IPv6:2001:db8::7]>
MID 501 ICID 501 RID 2 To: <ann@mail--1.example.org>
MID 501 ready 1 bytes from <bob@home.example.com>
New SMTP DCID 501 interface 192.0.2.1 address 192.0.2.7 port 25
Message done DCID 501 MID 501 to RID [0, 1, 2]
Message finished MID 501 done
"""


def test_the_app_tells_of_listed_partners_what_check_tells(splunk: Splunk, tmp_path: Path) -> None:
    """For the same list and log, the alert has the messages that `esatls check` has, and the dashboard's table the same numbers for each row.

    Names in any case, with a dot at the end or in other letters, addresses without a name, several rows and domains, retries and bounces included.
    """
    lines = (MAIL_WITH_LISTED + TO_ADDRESSES).splitlines()
    listed = LISTED + ADDRESSES
    events: list[spl.Row] = [{**event(f"Info: {text}"), "_time": str(int(NOW) - 3600 + at)} for at, text in enumerate(lines)]
    site = source.Site(source.Package(splunk.app, splunk.python), events, tmp_path / "index")
    site.record(NOW)
    (tmp_path / "partners.csv").write_text(listed, encoding="utf-8")
    _, messages = records_of("\n".join(f"{NATIVE}{text}" for text in lines))
    checked = check(read_rules(str(tmp_path / "partners.csv")), messages)
    partners: list[spl.Row] = [dict(row) for row in csv.DictReader(listed.splitlines())]
    told: dict[tuple[int, str, str, str], set[str]] = {}
    for one in checked:
        for mail in one.mail:
            if mail.verdict != "unknown":
                told.setdefault((mail.record["mid"], mail.side, mail.partner, mail.verdict), set()).add(one.rule.owner)
    found = run("esatls alert: must-encrypt partner in clear text", site, partners=partners)
    assert {
        (int(str(row["mid"])), row["partner_direction"], row["partner"], row["partner_verdict"]): set(str(row["owner"]).split(", ")) for row in found
    } == told
    assert len(found) == len(told)
    table = spl.run("| `esatls_view_partners` | `esatls_view_compliance`", spl.Search(views.macros(), NOW - DAY, NOW, NOW, site, {"esatls_partners": partners}))
    assert {(str(row["domain"]).lower(), row["direction"]): [int(str(row[name])) for name in ("encrypted", "cleartext", "unknown")] for row in table} == {
        (one.rule.domain, one.rule.direction): [one.counts["encrypted"], one.counts["mixed"] + one.counts["cleartext"], one.counts["unknown"]]
        for one in checked
    }


DAY = 86400
STEP = DAY * 2 // 3
START = 1709596800


def slow_mail(count: int) -> list[dict[str, Value]]:
    """Return the lines of messages that are delivered up to five days after they came, over TLS or in clear text, to listed partners and to others."""
    choose = random.Random(11)
    lines = []
    for number in range(1, count + 1):
        came, went = choose.uniform(0, DAY), choose.choice((5, choose.uniform(60, 5 * DAY)))
        domain = choose.choice(("partner.example.com", "sub.partner.example.com", "home.example.com"))
        tls = choose.choice(([], [f"DCID {number} TLS success protocol TLSv1.3 cipher TLS_AES_256_GCM_SHA384"]))
        at = START + came
        lines += [
            (at + after, text)
            for after, text in (
                (0, f"New SMTP ICID {number} interface Data 1 (192.0.2.1) address 198.51.100.7 reverse dns host mx.home.example.com verified yes"),
                (0, f"ICID {number} RELAY SG RELAYLIST match ALL SBRS None"),
                (1, f"ICID {number} TLS success protocol TLSv1.3 cipher TLS_AES_256_GCM_SHA384"),
                (2, f"Start MID {number} ICID {number}"),
                (2, f"MID {number} ICID {number} From: <bob@home.example.com>"),
                (2, f"MID {number} ICID {number} RID 0 To: <dave@{domain}>"),
                (3, f"ICID {number} close"),
                *((went, text) for text in (f"New SMTP DCID {number} interface 192.0.2.1 address 203.0.113.25 port 25", *tls)),
                *((went + 1, f"{word} DCID {number} MID {number} to RID [0]") for word in ("Delivery start", "Message done")),
                (went + 1, f"Message finished MID {number} done"),
                (went + 6, f"DCID {number} close"),
            )
        ]
    return [{**event(f"Info: {text}"), "_time": str(int(time))} for time, text in sorted(lines)]


def test_no_message_is_missed_and_none_is_told_twice(splunks: list[Splunk], tmp_path: Path) -> None:
    """Clear text to a partner is told once, whether it was delivered at once or after five days; nothing else is."""
    site = Site(splunks[0], tmp_path / "index", slow_mail(60))
    index = Index(site.splunk, site.index)
    name = "esatls alert: must-encrypt partner in clear text"
    keys = SEARCHES[name]["alert.suppress.fields"].split(",")
    silence = spl.relative("-" + SEARCHES[name]["alert.suppress.period"], START) - START
    told: dict[tuple[str, ...], list[int]] = {}
    for now in range(START + STEP, START + 13 * DAY // 2, STEP):
        site.hours(now - STEP, now, mapped=False)
        site.rest("day")
        site.rest("past")
        for row in run(name, index, now):
            times = told.setdefault(tuple(str(row[key]) for key in keys), [])
            if not times or times[-1] <= now + silence:
                times.append(now)
    truth = {
        f"{one['mid']}"
        for one in site.splunk.report("esatlsmessages", site.events).rows
        if one["delivered"] == "cleartext" and "partner" in str(one["recipients"])
    }
    assert {mid: len(times) for (_, mid, *_), times in told.items()} == dict.fromkeys(truth, 1)
    assert len(truth) > 10


def certificates(count: int) -> list[dict[str, Value]]:
    """Return the lines of connections whose handshake fails, some of them for the sake of the certificate."""
    lines = []
    for number in range(1, count + 1):
        words = "(336151576, 'error:14094418:SSL routines:ssl3_read_bytes:tlsv1 alert unknown ca')" if number % 4 else "lost connection"
        opened = f"New SMTP ICID {number} interface Data 1 (192.0.2.1) address 198.51.100.{number} reverse dns host unknown verified no"
        lines += [opened, f"ICID {number} ACCEPT SG ANY match ALL SBRS None", f"ICID {number} TLS failed: {words}", f"ICID {number} close"]
    return [{**event(f"Info: {text}"), "_time": str(START + 600 + at)} for at, text in enumerate(lines)]


@pytest.mark.parametrize(("count", "opened", "told"), [(16, True, ("Data 1", 12, 12)), (12, True, None), (16, False, ("-", 12, 1))])
def test_certificate_that_senders_refuse(splunk: Splunk, tmp_path: Path, count: int, opened: bool, told: tuple[str, int, int] | None) -> None:  # noqa: FBT001
    """A listener whose certificate more senders refuse than the threshold allows is told of, though its name may be lost; other failures do not count."""
    site = Site(splunk, tmp_path / "index", [line for line in certificates(count) if opened or "New SMTP" not in str(line["_raw"])])
    site.hours(START, START + 3600, mapped=False)
    now = START + 3600 + 34 * 60
    found = run("esatls alert: receiving certificate refused", Index(splunk, site.index), now)
    assert [(row["interface"], row["connections"], row["partners"]) for row in found] == ([told] if told else [])


class Events:
    """Some events, and no command."""

    def __init__(self, events: list[spl.Row]) -> None:
        self.found = events

    def events(self, terms: str, earliest: float, latest: float) -> list[spl.Row]:
        """Return those of a time range that have some terms."""
        return [one for one in self.found if earliest <= float(str(one["_time"])) < latest and holds(terms, str(one["_raw"]))]

    def command(self, *_: object) -> list[spl.Row]:
        """Return nothing: nothing is open."""
        return []


def test_silent_hosts() -> None:
    """A host without an event for an hour is told of, one with an event is not."""
    events: list[spl.Row] = [{"_time": NOW - age, "host": host, "_raw": ""} for host, age in (("esa1", 4000), ("esa1", 9000), ("esa2", 3000), ("esa2", 90000))]
    assert run("esatls alert: no ESA data for an hour", Events(events)) == [{"host": "esa1", "seen": "2024-03-05 11:23:20"}]


@pytest.mark.parametrize(
    ("ages", "seen", "told"),
    [
        ([2, 3, 4], 2, None),
        ([4, 5, 6], 2, ("2024-03-05 08:00", 3, 0, "2024-03-05 10:00")),
        ([1, 2, 4, 4, 7], 1, ("2024-03-05 11:00", 4, 3, "2024-03-05 11:00")),
        ([1, 2, 3], 4, ("2024-03-05 11:00", 3, 0, "2024-03-05 08:00")),
        ([1, 2, 3], 99, ("2024-03-05 11:00", 3, 0, None)),
        ([], 1, (None, 0, 0, "2024-03-05 11:00")),
    ],
)
def test_records_behind(ages: list[int], seen: int, told: tuple[str | None, int, int, str | None] | None) -> None:
    """No hours at all, old ones alone and missing ones are told of, and what is open by an old hour or not at all; all hours, any number of times, are not."""
    begins = [int(NOW) // 3600 * 3600 - age * 3600 for age in ages]
    rows: list[spl.Row] = [
        {"_time": at, "_raw": f"x kind=w level=hour window={at} run={number} facts=0 asof=0", "host": "h"} for number, at in enumerate(begins)
    ]
    at = int(NOW) // 3600 * 3600 - seen * 3600
    rows.append({"_time": at + 3600, "_raw": f"x kind=ow level=open window={at} run=9 asof=0", "host": "h"})
    found = run("esatls alert: records are behind", Events(rows))
    assert [(row["newest_hour"], row["hours"], row["missing"], row.get("open_until")) for row in found] == ([told] if told else [])


def test_failures_above_the_threshold(site: source.Site) -> None:
    """Twelve failures in an hour with one partner are told, one is not."""
    (row,) = run("esatls alert: TLS failures with a partner", site)
    assert (row["partner"], row["failures"], row["tls_verdict"], row["tls_reason"]) == ("203.0.113.27", 12, "failed", "could not be successfully negotiated")


NEXT_MORNING = spl.utc("2024-03-06T05:32:00Z")


def test_deprecated_protocol(site: source.Site) -> None:
    """TLS 1.0 is told with its partner and ciphers, TLS 1.2 and 1.3 are not."""
    hour = int(spl.utc("2024-03-05T11:00:00Z"))
    assert run("esatls alert: deprecated TLS protocol", site, NEXT_MORNING) == [
        {
            "esa_direction": "delivery", "partner": "legacy.example.org", "tls_version": "TLSv1", "connections": 1, "tls_cipher": "ECDHE-RSA-RC4-SHA",
            "_time": hour,
        },
        {
            "esa_direction": "receiving", "partner": "home.example.com", "tls_version": "TLSv1", "connections": 1, "tls_cipher": "AES128-SHA",
            "_time": hour,
        },
    ]  # fmt: skip


def test_weak_cipher(site: source.Site) -> None:
    """A weak cipher is told with its partner and with every protocol that it came with, others are not."""
    assert run("esatls alert: weak TLS cipher", site, NEXT_MORNING) == [
        {
            "esa_direction": "delivery", "partner": "legacy.example.org", "tls_cipher": "ECDHE-RSA-RC4-SHA", "connections": 2,
            "tls_version": ["TLSv1", "TLSv1.2"], "_time": int(spl.utc("2024-03-05T11:00:00Z")),
        },
    ]  # fmt: skip


def test_share_that_dropped() -> None:
    """A partner whose share over TLS fell against its own four weeks is told, one that was never better, or has too little mail, is not."""
    today = int(NOW) // DAY * DAY
    rows: list[spl.Row] = []

    def mail(partner: str, age: int, encrypted: int, cleartext: int) -> None:
        at = today - age * DAY + 3600
        run_of = f"level=hour window={at} run={at}"
        rows.extend(
            {"_time": at, "_raw": f"x kind=m {run_of} mail=delivery:{verdict}:{partner} {{}}", "host": "h"}
            for verdict, number in (("encrypted", encrypted), ("cleartext", cleartext))
            for _ in range(number)
        )
        rows.append({"_time": at, "_raw": f"x kind=w {run_of} facts=0 asof={at}", "host": "h"})

    for partner, before, now in (
        ("dropped.example.net", (40, 0), (5, 15)),
        ("never.example.net", (0, 40), (0, 20)),
        ("a-little.example.net", (40, 0), (18, 2)),
        ("seldom.example.net", (40, 0), (0, 9)),
        ("new.example.net", (0, 0), (0, 30)),
    ):
        mail(partner, 10, *before)
        mail(partner, 1, *now)
    (found,) = run("esatls alert: TLS share of a partner dropped", Events(rows))
    assert (found["partner_direction"], found["partner"], found["share"], found["share_before"], found["messages"]) == (
        "delivery", "dropped.example.net", "25.0", "100.0", 20,
    )  # fmt: skip
