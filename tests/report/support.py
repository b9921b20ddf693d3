"""What the tests of the report share: small records, hostile text, and a reader of the page."""

from __future__ import annotations

import os
import shutil
import subprocess
from html.parser import HTMLParser
from itertools import chain
from typing import TYPE_CHECKING, Any

from esatls.report.build import report_on
from esatls.report.count import count_records

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Iterable

    from esatls.report.count import Counted
    from esatls.report.report_types import Report
    from esatls.verdicts.contradictions import Contradictions

Record = Any
"""A record of either kind, with the fields that a test is about."""


def build(connections: Iterable[Counted], messages: Iterable[Counted], own_domains: Iterable[str] = (), contradictions: Contradictions | None = None) -> Report:
    """Return the report on records of connections and of messages. `contradictions` are filled while these are read."""
    return report_on(count_records(chain(connections, messages), own_domains), contradictions)


CHROMIUM = os.environ.get("ESATLS_CHROMIUM") or shutil.which("chromium")

HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=https://fetched.example.net/x.png onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "' onmouseover='alert(1)",
    "</style><style>body{background:url(https://fetched.example.net/y.png)}",
    "<!-- ",
    "]]>",
    "</title></head>",
    "&lt;b&gt;",
    "javascript:alert(1)",
    "[red]red[/red] [link=https://fetched.example.net]x[/link] [/]",
    ":warning:",
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x9b2J",
    "a\r\nb\tc\bd",
    "\u202egnp.exe",
    "=1+1",
    "@SUM(A1)",
    "{{7*7}} ${7*7} %(x)s {0}",
    "\\",
)
"""Text that means something to a browser, a terminal, a spreadsheet or a template."""

CIPHERS: list[tuple[str, list[str], bool]] = [
    ("RC4-SHA", ["RC4"], True),
    ("RC4-MD5", ["RC4", "MD5"], True),
    ("ECDHE-RSA-RC4-SHA", ["RC4"], False),
    ("DES-CBC-SHA", ["DES"], True),
    ("DES-CBC3-SHA", ["3DES"], True),
    ("EDH-RSA-DES-CBC3-SHA", ["3DES"], False),
    ("TLS_RSA_WITH_3DES_EDE_CBC_SHA", ["3DES"], True),
    ("EXP-RC2-CBC-MD5", ["RC2", "MD5", "EXPORT"], True),
    ("EXP1024-DES-CBC-SHA", ["DES", "EXPORT"], True),
    ("TLS_RSA_EXPORT_WITH_DES40_CBC_SHA", ["DES", "EXPORT"], True),
    ("NULL-SHA256", ["NULL"], True),
    ("ECDHE-RSA-NULL-SHA", ["NULL"], False),
    ("ADH-AES128-SHA", ["anonymous"], False),
    ("AECDH-AES256-SHA", ["anonymous"], False),
    ("TLS_DH_anon_WITH_AES_128_CBC_SHA", ["anonymous"], False),
    ("AES128-SHA", [], True),
    ("AES256-GCM-SHA384", [], True),
    ("CAMELLIA256-SHA", [], True),
    ("ECDH-RSA-AES128-SHA", [], True),
    ("TLS_RSA_WITH_AES_128_GCM_SHA256", [], True),
    ("DHE-RSA-AES256-SHA", [], False),
    ("ECDHE-ECDSA-CHACHA20-POLY1305", [], False),
    ("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", [], False),
    ("TLS_AES_128_GCM_SHA256", [], False),
    ("TLS_CHACHA20_POLY1305_SHA256", [], False),
    ("unknown", [], False),
    ("None", [], False),
    ("NULLIFY-MD55-EXPRESS-ARC4", [], False),
    ("", [], False),
]
"""Names of ciphers, what is weak in each, and whether it lacks forward secrecy."""

VERSIONS: list[tuple[str, bool]] = [
    *((version, True) for version in ("SSLv2", "SSLv3", "SSLv23", "TLSv1", "TLSv1.0", "TLSv1.1", "TLSv1/SSLv3", "tlsv1")),
    *((version, False) for version in ("TLSv1.2", "TLSv1.3", "TLSv1.10", "TLSv11", "unknown", "", "SSL")),
]
"""Protocols as logged, and whether they are deprecated."""


def connection(direction: str, number: int, verdict: str, **fields: Any) -> Record:
    """Return the record of a connection."""
    record = {"esa_host": "esa1.example.com", "esa_direction": direction, "icid" if direction == "receiving" else "dcid": number}
    return {**record, "tls_verdict": verdict, "messages": 0, **fields}


def message(mid: int, received: str, delivered: str, deliveries: list[Record] | None = None, **fields: Any) -> Record:
    """Return the record of a message."""
    record = {"esa_host": "esa1.example.com", "mid": mid, "received": received, "recipients": [], "delivered": delivered}
    return {**record, "deliveries": deliveries or [], "finished": True, **fields}


def attempt(verdict: str, domain: str | None, outcome: str | None = "done", **fields: Any) -> Record:
    """Return one attempt to deliver."""
    record: Record = {"dcid": 1, "rid": [0], "verdict": verdict, **fields}
    if domain is not None:
        record["domain"] = domain
    if outcome is not None:
        record["outcome"] = outcome
    return record


def hostile_records(text: str) -> tuple[list[Record], list[Record]]:
    """Return records with one text in every place that text of a log comes to."""
    everywhere = {"esa_host": text, "peer_host": text, "peer_ip": text, "tls_peer_cn": text, "domain": text, "sender_group": text, "country": text}
    connections = [
        connection("receiving", 1, "encrypted", tls_version=text, tls_cipher=text, **everywhere),
        connection("delivery", 1, "encrypted", tls_version="SSLv3", tls_cipher="RC4-" + text, **everywhere),
        connection("receiving", 2, "failed", tls_reason=text, tls_required=True, **everywhere),
        connection("delivery", 2, "failed", tls_reason=f"(1, 'error:1:certificate:{text}')", **everywhere),
        connection("delivery", 3, "cleartext", tls_reason="possibly: " + text, **everywhere),
    ]
    deliveries = [attempt("encrypted", text, tls_version=text, tls_cipher=text, response=text), attempt("cleartext", None, peer_host=text, reason=text)]
    sent: Record = {"esa_host": text, "sender": f"a@{text}", "recipients": [f"b@{text}"], "mail_flow": text}
    messages = [
        message(1, "encrypted", "mixed", deliveries, received_tls_version=text, received_tls_cipher=text, **sent),
        message(2, "cleartext", "none", received_reason=text, received_peer_host=text, esa_host=text),
    ]
    return connections, messages


_LEFT_OPEN = {"td": ("td", "th"), "th": ("td", "th"), "tr": ("td", "th", "tr")}
"""What ends without a tag of its own where another element begins."""


class Page(HTMLParser):
    """A page as a browser reads it: elements, attributes, text, and its tables by caption."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: set[str] = set()
        self.attributes: list[tuple[str, str, str]] = []
        """Element, attribute, value."""
        self.text: list[str] = []
        self.style: list[str] = []
        self.script: list[str] = []
        self.tables: dict[str, list[list[str]]] = {}
        """Rows of cells, the head's first."""
        self.values: list[tuple[str, str]] = []
        """The value and the text of every `data`."""
        self._open: list[str] = []
        self._caption: str | None = None
        self._rows: list[list[str]] = []
        self._value: str | None = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.elements.add(tag)
        while self._open and self._open[-1] in _LEFT_OPEN.get(tag, ()):
            self._open.pop()
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in ("meta", "br", "input"):
            self._open.append(tag)
        if tag == "table":
            self._caption, self._rows = "", []
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            self._rows[-1].append("")
        elif tag == "data":
            self._value = dict(attrs)["value"]
            self.values.append((self._value or "", ""))

    def handle_endtag(self, tag: str) -> None:
        """Leave an element."""
        while tag not in ("th", "td", "tr") and self._open[-1] in ("th", "td", "tr"):
            self._open.pop()
        assert self._open.pop() == tag, "elements are closed in order"
        if tag == "table":
            assert self._caption not in self.tables, "captions tell tables apart"
            self.tables[self._caption or ""] = self._rows
        elif tag == "data":
            self._value = None

    def handle_data(self, data: str) -> None:
        """Note text, where it stands."""
        if "style" in self._open:
            self.style.append(data)
            return
        if "script" in self._open:
            self.script.append(data)
            return
        self.text.append(data)
        if self._value is not None:
            self.values[-1] = (self.values[-1][0], self.values[-1][1] + data)
        if "title" in self._open:
            return
        if "caption" in self._open:
            self._caption = (self._caption or "") + data
        elif "td" in self._open or "th" in self._open:
            self._rows[-1][-1] += data


def chromium(page: pathlib.Path, scratch: pathlib.Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Load a page in a Chromium that finds no host; return its output and its log."""
    assert CHROMIUM is not None
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
    command += ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND"]
    command += [f"--user-data-dir={scratch / 'profile'}", "--enable-logging=stderr", *options, page.as_uri()]
    return subprocess.run(command, capture_output=True, check=True, text=True, encoding="utf-8")


LISTED = """\
domain,direction,owner
partner.example.com,both,Anna
*.partner.example.com,both,Bert
*,delivery,Ida
BANK.example.net,delivery,Cleo
supplier.example.org,receiving,Dora
supplier.example.org,delivery,Hugo
xn----zfa9c.example,both,Emil
xn----zfa9c.example,both,Gus
quiet.example.org,both,Fay
"""
"""A list of partners that must use TLS."""

MAIL_WITH_LISTED = """\
New SMTP ICID 1 interface Data 1 (192.0.2.1) address 198.51.100.1 reverse dns host mx.partner.example.com verified yes
ICID 1 ACCEPT SG UNKNOWNLIST match ALL SBRS None
Start MID 1 ICID 1
MID 1 ICID 1 From: <ann@PARTNER.Example.com.>
MID 1 ICID 1 RID 0 To: <bob@quiet.example.org>
MID 1 ready 1 bytes from <ann@PARTNER.Example.com.>
Start MID 2 ICID 1
MID 2 ICID 1 From: <>
MID 2 ICID 1 RID 0 To: <bob@home.example.com>
MID 2 ready 1 bytes from <>
Start MID 3 ICID 1
MID 3 ICID 1 From: <ann@[192.0.2.7]>
MID 3 ready 1 bytes from <ann@[192.0.2.7]>
Start MID 4 ICID 1
MID 4 ICID 1 From: <ann@\u00e4-\u00f6.example>
MID 4 ready 1 bytes from <ann@\u00e4-\u00f6.example>
Start MID 5 ICID 1
MID 5 ICID 1 From: <ann@bank.example.net>
MID 5 ready 1 bytes from <ann@bank.example.net>
Start MID 6 ICID 9
MID 6 ICID 9 From: <ann@supplier.example.org>
MID 6 ready 1 bytes from <ann@supplier.example.org>
New SMTP ICID 2 interface Data 1 (192.0.2.1) address 198.51.100.9 reverse dns host relay.home.example.com verified yes
ICID 2 RELAY SG RELAYLIST match ALL SBRS None
New SMTP DCID 3 interface 192.0.2.1 address 203.0.113.1 port 25
New SMTP DCID 4 interface 192.0.2.1 address 203.0.113.2 port 25
DCID 4 TLS success protocol TLSv1.3 cipher TLS_AES_256_GCM_SHA384
Start MID 11 ICID 2
MID 11 ICID 2 From: <bob@home.example.com>
MID 11 ICID 2 RID 0 To: <a@one.partner.example.com>
MID 11 ICID 2 RID 1 To: <b@two.partner.example.com>
MID 11 ICID 2 RID 2 To: <c@bank.example.net>
Message done DCID 3 MID 11 to RID [0, 1]
Message done DCID 4 MID 11 to RID [2]
Start MID 12 ICID 2
MID 12 ICID 2 From: <bob@partner.example.com>
MID 12 ICID 2 RID 0 To: <c@bank.example.net>
Delayed: DCID 3 MID 12 to RID 0 - 4.1.0 - Unknown address error ('421', ['later'])
Message done DCID 4 MID 12 to RID [0]
Start MID 13 ICID 2
MID 13 ICID 2 From: <bob@home.example.com>
MID 13 ICID 2 RID 0 To: <d@bank.example.net>
Bounced: DCID 3 MID 13 to RID 0 - 5.1.0 - Unknown address error ('550', ['no such user'])
Start MID 14 ICID 2
MID 14 ICID 2 From: <bob@home.example.com>
MID 14 ICID 2 RID 0 To: <e@xn----zfa9c.example>
MID 14 ICID 2 RID 1 To: <f@XN----ZFA9C.example>
Message done DCID 3 MID 14 to RID [0]
Message done DCID 4 MID 14 to RID [1]
Start MID 15 ICID 2
MID 15 ICID 2 From: <bob@home.example.com>
MID 15 ICID 2 RID 0 To: <g@supplier.example.org>
Message done DCID 3 MID 15 to RID [0]
Start MID 16 ICID 8
MID 16 ICID 8 From: <bob@partner.example.com>
MID 16 ICID 8 RID 0 To: <h@partner.example.com>
Message done DCID 3 MID 16 to RID [0]
"""
"""Lines about mail with these partners and others, without headers."""
