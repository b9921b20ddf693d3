"""The report as the text of a mail."""

from __future__ import annotations

import pathlib

import esatls
import pytest
from esatls.report.mail import WIDTH, mail
from esatls.report.page import page

from tests import terminal
from tests.report.support import HOSTILE, Page, build, connection, hostile_records, message

SAMPLE = pathlib.Path(__file__).resolve().parents[2] / "python" / "esatls" / "sample.log"


def test_the_sample() -> None:
    """The most important stands first: shares, what to look at, partners in clear text with reasons and messages, and what it was made from."""
    out = terminal.run("report", "-q", "-f", "text", "--title", "Weekly", "--organisation", "Example", SAMPLE, env={"SOURCE_DATE_EPOCH": "1772530000"})
    assert out.stdout.decode() == (
        "Weekly\nExample\n2026-03-03 08:14 to 2026-03-03 08:14 UTC\n\n"
        "Messages received         66.7 % over TLS   2 of 3\n"
        "Messages delivered        66.7 % over TLS   2 of 3\n"
        "Receiving connections     50.0 % over TLS   2 of 4\n"
        "Delivery connections      66.7 % over TLS   2 of 3\n\n"
        "To look at\n----------\n"
        "* 1 message received in clear text\n"
        "* 1 receiving connection failed; TLS was required\n"
        "* 1 message delivered in clear text to some recipients\n"
        "* 1 delivery connection continued in clear text after TLS had failed or had\n  not been offered\n\n"
        "Partners in clear text\n----------------------\n"
        "example.net, delivered: 1 of 1 message, last 2026-03-03 08:14\n  STARTTLS unexpected response\n  MID 7003\n"
        "shop.example, received: 1 of 1 message, last 2026-03-03 08:14\n  MID 7002\n\n"
        "Partners with which TLS failed\n------------------------------\n"
        "bank.example, received: 1 of 1 connection, last 2026-03-03 08:14\n  remote host did not initiate it\n  ICID 4104\n"
        "example.net, delivered: 1 of 1 connection, last 2026-03-03 08:14\n  STARTTLS unexpected response\n  DCID 882\n\n"
        "Evidence\n--------\n"
        f"1 file with 52 lines: 50 events, 2 ignored, 0 unreadable. Made 2026-03-03\n09:26 UTC by esatls {esatls.__version__}.\n"
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text(text: str) -> None:
    """Whatever the log says, no control character is in the mail, and lines stay within 76 columns where words do."""
    out = mail(build(*hostile_records(text)))
    assert all(line == "" or line.isprintable() for line in out.splitlines())
    assert all(len(line) <= WIDTH for line in out.splitlines() if max(map(len, line.split()), default=0) < 60)


def test_many_partners_and_one_in_clear_text() -> None:
    """One mail in clear text among much TLS is named; of many such partners the first are, and the others are counted."""
    mails = [message(i, "encrypted", "none", sender=f"a@p{i:03}.example") for i in range(100)]
    out = mail(build([], [*mails, message(999, "cleartext", "none", sender="a@quiet.example")]))
    assert "quiet.example, received: 1 of 1 message\n  MID 999\n" in out
    assert "p000.example" not in out
    many = mail(build([connection("delivery", i, "failed", domain=f"p{i:03}.example") for i in range(12)], []))
    assert "and 2 more rows in the page, JSON and CSV\n" in many


def test_reasons_are_written_as_in_the_other_formats() -> None:
    """The first reasons with their counts, then how many others there are."""
    connections = [connection("delivery", i, "failed", domain="a.example", tls_reason=reason) for i, reason in enumerate("bbaacde")]
    out = mail(build(connections, []))
    times = "\N{MULTIPLICATION SIGN}"
    assert f"a.example, delivered: 7 of 7 connections\n  2 {times} a\n  2 {times} b\n  1 {times} c\n  and 2 other reasons\n" in out


def test_weak_ciphers_are_a_share_of_connections_over_tls() -> None:
    """As in the page, a connection in clear text is not one of those of which some had a weak cipher; it is one of those of which some failed."""
    connections = [
        connection("delivery", 1, "encrypted", domain="a.example", tls_version="TLSv1", tls_cipher="RC4-SHA"),
        connection("delivery", 2, "cleartext", domain="a.example", tls_reason="x"),
    ]
    built = build(connections, [])
    assert [line for line in mail(built).splitlines() if line.startswith("a.example")] == [
        "a.example, delivered: 1 of 1 connection",
        "a.example, delivered: 1 of 1 connection",
        "a.example, delivered: 1 of 2 connections",
    ]
    captions = ("Partners with deprecated protocols", "Partners with weak ciphers", "Partners with which TLS failed")
    tables = Page(page(built)).tables
    assert [tables[caption][1][2:4] for caption in captions] == [["1", "1"], ["1", "1"], ["1", "2"]]


def test_nothing_to_look_at() -> None:
    """Where all is well, the mail says so, and where the log does not tell, it says that; in both, what no percentage counts is named with its number."""
    mails = [message(mid, received, "none", sender="a@p.example") for mid, received in enumerate(("encrypted", "unknown", "internal", "unknown"))]
    assert mail(build([connection("receiving", 1, "unused")], mails)) == (
        "TLS on the mail gateway\n\n"
        "Messages received        100.0 % over TLS   1 of 1\n  Not in the percentage: 1 internal, 2 unknown\n"
        "Messages delivered             - over TLS   0 of 0\n  Not in the percentage: 4 none\n"
        "Receiving connections          - over TLS   0 of 0\n  Not in the percentage: 1 unused\n"
        "Delivery connections           - over TLS   0 of 0\n\n"
        "To look at\n----------\nNothing: no clear text, no failure, no deprecated protocol, no weak cipher,\nas far as the log shows.\n"
    )
    assert mail(build([], mails[1:])).endswith("To look at\n----------\nNothing in this log says whether TLS was used.\n")


@pytest.mark.parametrize(
    ("told", "ending"),
    [
        ({"tls_version": "TLSv1.2", "tls_cipher": "AES128-SHA"}, "cipher.\n"),
        ({"tls_version": "TLSv1.2"}, "cipher,\nas far as the log shows.\n"),
        ({}, "cipher,\nas far as the log shows.\n"),
    ],
)
def test_nothing_to_look_at_as_far_as_is_known(told: dict[str, str], ending: str) -> None:
    """A protocol or cipher that the log does not name may be an outdated one."""
    built = build([connection("receiving", 1, "encrypted", **told)], [])
    assert mail(built).endswith(f"To look at\n----------\nNothing: no clear text, no failure, no deprecated protocol, no weak {ending}")
