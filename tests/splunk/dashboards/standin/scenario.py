"""A week of an invented organisation's mail on two appliances, as a log: the data of the dashboards in the tests.

`PLAN` has the number of sessions of each kind for each partner, so that a test can count what a panel must show. `stories` writes the few
messages that the lookup follows hop by hop, and names that strangers would choose so that they are taken for markup, a search or a token.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

START = dt.datetime(2026, 3, 2, 6, 0, tzinfo=dt.timezone.utc)
NOW = dt.datetime(2026, 3, 8, 12, 0, tzinfo=dt.timezone.utc)
HOSTS = ("esa1.example.com", "esa2.example.com")

STRONG = "TLSv1.3", "TLS_AES_256_GCM_SHA384"
USUAL = "TLSv1.2", "ECDHE-RSA-AES256-GCM-SHA384"
OLD = "TLSv1", "AES128-SHA"
WEAK = "TLSv1.2", "ECDHE-RSA-RC4-SHA"
WORST = "TLSv1", "RC4-MD5"
NO_CIPHER = "(336109761, 'error:1408A0C1:SSL routines:SSL3_GET_CLIENT_HELLO:no shared cipher')"
STARTTLS = "STARTTLS unexpected response"


class Sessions(NamedTuple):
    """`number` sessions with one partner. tls: (version, cipher), or None; failed: the reason of a failed handshake."""

    number: int
    direction: str
    domain: str
    tls: tuple[str, str] | None = None
    failed: str = ""
    mail: bool = True


PLAN = (
    Sessions(60, "receiving", "partner.example.net", STRONG),
    Sessions(45, "receiving", "bank.example.org", USUAL),
    Sessions(12, "receiving", "old.example.net", OLD),
    Sessions(4, "receiving", "old.example.net", WORST),
    Sessions(9, "receiving", "legacy.example.org", WEAK),
    Sessions(14, "receiving", "plain.example.org"),
    Sessions(5, "receiving", "broken.example.net", failed=NO_CIPHER, mail=False),
    Sessions(3, "receiving", "fallback.example.org", failed=NO_CIPHER),
    Sessions(9, "receiving", "scanner.example.net", mail=False),
    Sessions(50, "delivery", "partner.example.net", STRONG),
    Sessions(38, "delivery", "bank.example.org", USUAL),
    Sessions(7, "delivery", "old.example.net", OLD),
    Sessions(11, "delivery", "plain.example.org"),
    Sessions(6, "delivery", "fallback.example.org", failed=STARTTLS),
)

# Partners that must use TLS.
PARTNERS = (
    ("partner.example.net", "both", "Sales"),
    ("bank.example.org", "delivery", "Finance"),
    ("bank.example.org", "receiving", "Treasury"),
    ("*.example.org", "delivery", "IT"),
    ("silent.example.net", "both", "Nobody"),
)
LOOKUPS: dict[str, list[dict[str, Any]]] = {"esatls_partners": [{"domain": domain, "direction": side, "owner": owner} for domain, side, owner in PARTNERS]}


@dataclass
class Log:
    """Lines with their times; ids count up, in common for both appliances."""

    lines: list[tuple[dt.datetime, str]] = field(default_factory=list)
    icid: int = 700
    mid: int = 41000
    dcid: int = 300

    def say(self, at: dt.datetime, host: str, text: str) -> None:
        """Write one line."""
        stamp = at.strftime("%Y-%m-%dT%H:%M:%SZ")
        self.lines.append((at, f"{stamp} {host} mail_logs: Info: {text}"))

    def text(self) -> list[str]:
        """Return all lines in order of time."""
        return [line for _, line in sorted(self.lines, key=lambda pair: pair[0])]


def seconds(number: int) -> dt.timedelta:
    """Return a span of time."""
    return dt.timedelta(seconds=number)


def open_receiving(log: Log, at: dt.datetime, host: str, peer: str, action: str, tls: tuple[str, str] | None = None, failed: str = "") -> int:
    """Write the opening, HAT and TLS lines of an injection connection; return its ICID."""
    log.icid += 1
    address = f"198.51.100.{log.icid % 250 + 1}"
    log.say(at, host, f"New SMTP ICID {log.icid} interface Data 1 (192.0.2.10) address {address} reverse dns host {peer} verified yes")
    group = {"ACCEPT": "UNKNOWNLIST", "RELAY": "RELAYLIST", "REJECT": "BLOCKLIST"}[action]
    log.say(at, host, f"ICID {log.icid} {action} SG {group} match sbrs[-1.0:10.0] SBRS 1.2 country United States")
    if tls:
        log.say(at + seconds(1), host, f"ICID {log.icid} TLS success protocol {tls[0]} cipher {tls[1]}")
    if failed:
        log.say(at + seconds(1), host, f"ICID {log.icid} TLS failed: {failed}")
    return log.icid


def start_message(log: Log, at: dt.datetime, host: str, icid: int, sender: str, recipients: Sequence[str], table: str) -> int:
    """Write the lines that begin a message; return its MID."""
    log.mid += 1
    log.say(at, host, f"Start MID {log.mid} ICID {icid}")
    log.say(at, host, f"MID {log.mid} ICID {icid} From: <{sender}>")
    for rid, recipient in enumerate(recipients):
        log.say(at, host, f"MID {log.mid} ICID {icid} RID {rid} To: <{recipient}>")
    log.say(at + seconds(1), host, f"MID {log.mid} ready 4821 bytes from <{sender}>")
    log.say(at + seconds(1), host, f"MID {log.mid} matched all recipients for per-recipient policy DEFAULT in the {table} table")
    log.say(at + seconds(2), host, f"MID {log.mid} queued for delivery")
    return log.mid


def deliver(
    log: Log, at: dt.datetime, host: str, mid: int, rids: Sequence[int], peer: str, domain: str = "", tls: tuple[str, str] | None = None, failed: str = ""
) -> int:
    """Write a delivery connection that delivers; return its DCID."""
    log.dcid += 1
    address = f"203.0.113.{log.dcid % 250 + 1}"
    log.say(at, host, f"New SMTP DCID {log.dcid} interface 192.0.2.10 address {address} port 25")
    if tls:
        log.say(at + seconds(1), host, f"DCID {log.dcid} TLS success protocol {tls[0]} cipher {tls[1]} for {domain or peer}")
    if failed:
        log.say(at + seconds(1), host, f"DCID {log.dcid} TLS failed: {failed}")
    log.say(at + seconds(2), host, f"Delivery start DCID {log.dcid} MID {mid} to RID {list(rids)}")
    log.say(at + seconds(3), host, f"Message done DCID {log.dcid} MID {mid} to RID {list(rids)}")
    log.say(at + seconds(3), host, f"MID {mid} RID {list(rids)} Response '2.0.0 OK queued as 4F2'")
    log.say(at + seconds(9), host, f"DCID {log.dcid} close")
    return log.dcid


def finish(log: Log, at: dt.datetime, host: str, mid: int) -> None:
    """Write the end of a message."""
    log.say(at, host, f"Message finished MID {mid} done")


def sessions(log: Log) -> None:
    """Write the sessions of PLAN, spread evenly over the week."""
    total = sum(kind.number for kind in PLAN)
    step = (NOW - START - dt.timedelta(hours=6)) / total
    # Mix the kinds evenly, so that each day has some sessions of every kind.
    turns = sorted((n / kind.number, order, kind) for order, kind in enumerate(PLAN) for n in range(kind.number))
    for number, (_, _, kind) in enumerate(turns):
        at, host = START + number * step, HOSTS[number % 2]
        if kind.direction == "receiving":
            action = "ACCEPT" if kind.mail or kind.failed else "REJECT"
            icid = open_receiving(log, at, host, f"mx.{kind.domain}", action, kind.tls, kind.failed)
            if kind.mail:
                mid = start_message(log, at + seconds(2), host, icid, f"someone@{kind.domain}", ["staff@example.com"], "inbound")
                deliver(log, at + seconds(5), host, mid, [0], "store.example.com", tls=USUAL)
                finish(log, at + seconds(9), host, mid)
            log.say(at + seconds(20), host, f"ICID {icid} close")
        else:
            icid = open_receiving(log, at, host, "relay.example.com", "RELAY", USUAL)
            mid = start_message(log, at + seconds(2), host, icid, "staff@example.com", [f"someone@{kind.domain}"], "outbound")
            log.say(at + seconds(4), host, f"ICID {icid} close")
            deliver(log, at + seconds(5), host, mid, [0], f"mx.{kind.domain}", kind.domain, kind.tls, kind.failed)
            finish(log, at + seconds(9), host, mid)


def stories(log: Log) -> None:
    """Write messages whose whole path a test knows, MID 51001 and up, on the last day."""
    host, at = HOSTS[0], NOW - dt.timedelta(hours=5)
    log.icid, log.mid, log.dcid = 1900, 51000, 1800

    # 51001, rewritten to 51002, delivered to two domains: one over TLS, one in clear text after a failed handshake.
    icid = open_receiving(log, at, host, "relay2.example.com", "RELAY", USUAL)
    first = start_message(log, at + seconds(2), host, icid, "chief@example.com", ["ann@partner.example.net", "bob@fallback.example.org"], "outbound")
    log.say(at + seconds(3), host, f"MID {first} Message-ID '{MESSAGE_ID}'")
    log.say(at + seconds(3), host, f"MID {first} Subject '{SUBJECT}'")
    log.say(at + seconds(5), host, f"ICID {icid} close")
    log.mid += 1
    log.say(at + seconds(5), host, f"MID {first} rewritten to MID {log.mid} by add-footer filter 'Disclaimer'")
    finish(log, at + seconds(5), host, first)
    log.say(at + seconds(6), host, f"MID {log.mid} ICID 0 From: <chief@example.com>")
    log.say(at + seconds(6), host, f"MID {log.mid} ICID 0 RID 0 To: <ann@partner.example.net>")
    log.say(at + seconds(6), host, f"MID {log.mid} ICID 0 RID 1 To: <bob@fallback.example.org>")
    log.say(at + seconds(7), host, f"MID {log.mid} queued for delivery")
    deliver(log, at + seconds(10), host, log.mid, [0], "mx.partner.example.net", "partner.example.net", STRONG)
    deliver(log, at + seconds(30), host, log.mid, [1], "mx.fallback.example.org", failed=STARTTLS)
    finish(log, at + seconds(40), host, log.mid)

    # 51003: its connection was opened before the log begins, so nothing shows how it was received.
    at += dt.timedelta(hours=1)
    mid = start_message(log, at, host, 12, "early@unseen.example.net", ["staff@example.com"], "inbound")
    deliver(log, at + seconds(5), host, mid, [0], "store.example.com", "example.com", USUAL)
    finish(log, at + seconds(10), host, mid)

    # 51004: names that a stranger chose.
    at += dt.timedelta(hours=1)
    icid = open_receiving(log, at, host, "<img/src=x/onerror=alert(1)>.example.net", "ACCEPT", failed=HOSTILE_REASON)
    mid = start_message(log, at + seconds(2), host, icid, HOSTILE_SENDER, ["staff@example.com"], "inbound")
    deliver(log, at + seconds(5), host, mid, [0], "store.example.com", "example.com", USUAL)
    finish(log, at + seconds(10), host, mid)
    log.say(at + seconds(12), host, f"ICID {icid} close")


def others(log: Log) -> None:
    """Write what PLAN cannot express: TLS that comes up between two messages, delivery connections that break before any message, and DANE."""
    host, at = HOSTS[1], NOW - dt.timedelta(days=2)
    log.icid, log.mid, log.dcid = 2900, 61000, 2800
    icid = open_receiving(log, at, host, "mx.late.example.net", "ACCEPT")
    for later in (2, 20):
        if later == 20:
            log.say(at + seconds(15), host, f"ICID {icid} TLS success protocol {USUAL[0]} cipher {USUAL[1]}")
        mid = start_message(log, at + seconds(later), host, icid, "someone@late.example.net", ["staff@example.com"], "inbound")
        deliver(log, at + seconds(later + 3), host, mid, [0], "store.example.com", tls=USUAL)
        finish(log, at + seconds(later + 7), host, mid)
    log.say(at + seconds(40), host, f"ICID {icid} close")
    for words in (RESET, RESET, REFUSED, REFUSED, REFUSED):
        at += dt.timedelta(minutes=30)
        log.dcid += 1
        log.say(at, host, f"New SMTP DCID {log.dcid} interface 192.0.2.10 address 203.0.113.9 port 25")
        rest = f"IP: 203.0.113.9 port: 25 details: {words} interface: 192.0.2.10 reason: network error"
        log.say(at + seconds(1), host, f"Connection Error: DCID {log.dcid} domain: away.example.org {rest}")
    for number, (domain, status) in enumerate(DANE, 1):
        ids = f"ESAMID={61900 + number} ESAICID={2990 + number} ESADCID={2890 + number}"
        stamp = (at + seconds(60 * number)).strftime("%Y-%m-%dT%H:%M:%SZ")
        tls = f"ESATLSOutConnStatus=Success ESATLSOutProtocol={USUAL[0]} ESATLSOutCipher={USUAL[1]} ESADaneStatus={status} ESADaneHost={domain}"
        rest = f"deviceDirection=1 {ids} act=DELIVERED suser=staff@example.com duser=someone@{domain} {tls}"
        record = f"CEF:0|Cisco|C100V Secure Email Gateway Virtual|15.0.0-104|ESA_CONSOLIDATED_LOG_EVENT|Consolidated Log Event|5|{rest}"
        log.lines.append((at + seconds(60 * number), f"{stamp} {host} consolidated: {record}"))


DANE = (("dane.example.net", "success"), ("tlsa.example.net", "success"), ("tlsa.example.net", "failure"))
MESSAGE_ID = "<quarter.1@example.com>"
SUBJECT = "Figures of the quarter"
RESET = "[Errno 104] Connection reset by peer"
REFUSED = "[Errno 111] Connection refused"
HOSTILE_SENDER = '"><script>alert(1)</script>$esa_host$`esatls_view_hosts`@x.example.net'
HOSTILE_REASON = "=cmd|'/c calc'!A0 <b>bold</b> [link](javascript:alert(1)) | delete"


def lines() -> list[str]:
    """Return the whole log."""
    log = Log()
    sessions(log)
    stories(log)
    others(log)
    return log.text()
