"""The ten questions of README/questions.md, each search run as it stands there, over the recipes' log and a message that needed TLS."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import pytest

from tests.docs.examples import files
from tests.splunk.conf import ROOT
from tests.splunk.dashboards.standin import source, spl, views

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENT = (ROOT / "splunk_app" / "README" / "questions.md").read_text(encoding="utf-8")
QUESTIONS = dict(re.findall(r"^## ([^\n]+\?)\n.*?```spl\n(.*?)```", DOCUMENT, re.MULTILINE | re.DOTALL))
NOW = spl.utc("2026-03-10T12:00:00Z")
REQUIRED = """\
2026-03-04T10:00:00Z esa1 mail_logs: Info: Start MID 910 ICID 104
2026-03-04T10:00:00Z esa1 mail_logs: Info: MID 910 ICID 104 From: <bob@example.com>
2026-03-04T10:00:00Z esa1 mail_logs: Info: MID 910 ICID 104 RID 0 To: <ann@must.example>
2026-03-04T10:00:01Z esa1 mail_logs: Info: New SMTP DCID 207 interface 192.0.2.11 address 198.51.100.20 port 25
2026-03-04T10:00:02Z esa1 mail_logs: Info: DCID 207 IP 198.51.100.20 TLS was required but could not be successfully negotiated
2026-03-04T10:00:03Z esa1 mail_logs: Info: Bounced: DCID 207 MID 910 to RID 0 - 5.4.7 - Delivery expired (message too old) ('000', ['TLS required'])
2026-03-04T10:00:03Z esa1 mail_logs: Info: Message finished MID 910 done
"""
HANDSHAKE = "336151576 error:14094418:ssl routines:ssl3 read bytes:tlsv1 alert unknown ca"

# question: columns, and what stands in them
ANSWERS: dict[str, tuple[str, set[tuple[object, ...]]]] = {
    "Where is the mail with this Message-ID?": ("mid received", {("906", "cleartext")}),
    "Which messages went to bank.example in clear text, in 90 days?": ("mid partner_verdict", {("909", "cleartext")}),
    "Who used TLS 1.0 or 1.1 last week?": ("partner tls_version connections", {("old.example", "tlsv1", 1)}),
    "Which ciphers, month by month?": (
        "month tls_version tls_cipher connections",
        {("2026-03", "TLSv1.3", "TLS_AES_256_GCM_SHA384", 2), ("2026-03", "TLSv1", "AES128-SHA", 1), ("2026-03", "TLSv1.2", "ECDHE-RSA-AES256-GCM-SHA384", 3)},
    ),
    "Who fails since the certificate was changed?": (
        "partner tls_reason before after",
        {("mx.strict.example", HANDSHAKE, 0, 1), ("bank.example", HANDSHAKE, 0, 1)},
    ),
    "Where does DANE fail?": ("dane_host messages failures", {("dane.example", 1, 0), ("tlsa.example", 1, 1)}),
    "Which messages bounced because TLS was required?": ("mid", {("910",)}),
    "Which share of each sender group's connections uses TLS?": (
        "sender_group told encrypted_percent cleartext failed",
        {("unknownlist", 5, "40.0", 2, 1), ("relaylist", 1, "100.0", 0, 0)},
    ),
    "Who never uses TLS?": ("partner cleartext", {("museum.example", 3), ("clinic.example", 2)}),
    "What changed since last week?": ("partner partner_direction share_before share_now", {("bank.example", "receiving", "100.0", "0.0")}),
}


@pytest.fixture(scope="module")
def search(app: Path, tmp_path_factory: pytest.TempPathFactory) -> spl.Search:
    """Return a search over 90 days, in whose index are the records of the recipes' log."""
    lines = sorted([*files("docs/RECIPES.md")["mail.log"].splitlines(), *REQUIRED.splitlines()], key=lambda line: line[:20])
    site = source.of_lines(source.Package(app, sys.executable), lines, tmp_path_factory.mktemp("summary") / "index")
    site.record(spl.utc("2026-03-05T00:00:00Z"), NOW)
    return spl.Search(views.macros(), NOW - 90 * 86400, NOW, NOW, site)


def test_there_are_ten() -> None:
    """Each question has an answer here."""
    assert list(QUESTIONS) == list(ANSWERS)
    assert len(QUESTIONS) == 10


@pytest.mark.parametrize("question", ANSWERS)
def test_answer(question: str, search: spl.Search) -> None:
    """The search finds what the log has, and nothing else."""
    columns, wanted = ANSWERS[question]
    found = spl.run(QUESTIONS[question], search)
    assert {tuple(row.get(name) for name in columns.split()) for row in found} == wanted
    assert len(found) == len(wanted)
