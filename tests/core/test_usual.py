"""Facts of usual lines: each expression takes a line only where the pattern of its kind says the same of it."""

from __future__ import annotations

import random

import pytest
from esatls.extraction.heads import Head
from esatls.extraction.match import START
from esatls.verdicts import usual
from esatls.verdicts.facts import Facts

from tests.core.support import NIGHTLY, all_cases, as_sets

USUAL = [
    "Start MID 14 ICID 5",
    "MID 14 ICID 5 From: <alice@example.net>",
    "MID 14 ICID 5 RID 0 To: <bob@example.com>",
    "MID 14 Message-ID '<1@example.net>'",
    "MID 14 Subject 'Your invoice'",
    "MID 14 Subject 'Ihre B\u00fccher'",
    "MID 14 ready 1024 bytes from <alice@example.net>",
    "MID 14 queued for delivery",
    "MID 14 interim verdict using engine: CASE spam negative",
    "MID 14 using engine: CASE spam negative",
    "MID 14 antivirus negative",
    "MID 14 matched all recipients for per-recipient policy DEFAULT in the inbound table",
    "MID 14 RID [0, 1] Response '2.0.0 Message accepted for delivery'",
    "Delivery start DCID 7 MID 14 to RID [0, 1]",
    "Message done DCID 7 MID 14 to RID [0, 1]",
    "Message finished MID 14 done",
    "Message finished MID 14 aborted",
    "ICID 5 close",
    "ICID 5 lost",
    "ICID 5 TLS success protocol TLSv1.2 cipher ECDHE-RSA-AES256-GCM-SHA384",
    "ICID 5 ACCEPT SG UNKNOWNLIST match sbrs[0.0:10.0] SBRS 4.1 country Germany",
    "ICID 5 RELAY SG RELAYLIST match 192.0.2.1 SBRS not enabled country United States",
    "DCID 7 close",
    "DCID 7 TLS success protocol TLSv1.3 cipher TLS_AES_128_GCM_SHA256",
    "DCID 7 TLS success protocol TLSv1.2 cipher ECDHE-RSA-AES256-SHA384 for example.com",
    "New SMTP ICID 5 interface Data 1 (192.0.2.1) address 198.51.100.7 reverse dns host mx.example.net verified yes",
    "New SMTP ICID 5 interface Management (192.0.2.1) address 198.51.100.7 reverse dns host unknown verified no",
    "New SMTP DCID 7 interface 192.0.2.1 address 198.51.100.7 port 25",
]
"""A text for every form that an expression takes."""

PIECES = [
    *(" ", "  ", "'", '"', "<", ">", "\\", "\\'", "(", ")", "[", "]", ",", ".", ":", "-", "=", "0", "a", "N"),
    *("\t", "\v", "\x1c", "\x7f", "\u00a0", "\u0085", "\u2028", "\u0661", "\u00fc", "\U0001f600"),
    *("None", " None", "unknown", "SBRS ", "ipr ", " address 192.0.2.9", " (192.0.2.9)", " country ", "country None", " IP 192.0.2.9", "2001:db8::1"),
    *(" cipher X", " protocol Y", " CN=z", " for "),
    *("> Rejected by policy", " To: <x@example.org>", " From: <x@example.org>", " ICID 9", " MID 9", " RID 9", "MID "),
    *(" table", " in the outbound table", " [('a', 'b')]", " done", " bytes", " verdict", "Response ", "12345678901234567890", "Start ", "close"),
]


def read(texts: list[str], *, by_pattern: bool) -> Facts:
    """Return the facts of some texts, with the expressions or with the patterns alone."""
    facts = Facts()
    header = "Info: "
    heads = {header: Head(100, "esa1", "mail", "Info")}
    if by_pattern:
        facts.take_all([((header + text).rstrip(), heads[header]) for text in texts], len(header))
    else:
        lines: dict[str, list[str]] = {}
        for text in texts:
            lines.setdefault(text[:START], []).append(header + text)
        facts.take_usual(lines, heads, len(header))
    return facts


def agree(texts: list[str]) -> None:
    """Raise unless every text alone gives the same facts both ways."""
    for text in texts:
        assert as_sets(read([text], by_pattern=False)) == as_sets(read([text], by_pattern=True)), text


def mutated(text: str, rng: random.Random) -> str:
    """Return a text with up to three changes behind its first characters."""
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(START, len(text) + 1)
        text = text[:at] + rng.choice([*PIECES, ""]) + text[at + rng.choice([0, 0, 1, 2, 7]) :]
    return text


@pytest.mark.parametrize("text", USUAL)
def test_usual_texts_need_no_pattern(text: str) -> None:
    """A usual text is taken by its expression."""
    place: usual.Place = (100, {}, {}, {})
    assert usual.take({text[:START]: [f"Info: {text}"]}, {"Info: ": place}, len("Info: ")) == []


def test_every_case_has_the_same_facts() -> None:
    """The texts of all cases, and those that look like them, give the facts that the patterns give."""
    cases = [case["text"] for record in all_cases() for case in record["cases"]]
    agree(USUAL + cases + [text for record in all_cases() for text in record["lookalikes"]])


def test_mutated_texts_have_the_same_facts() -> None:
    """So do usual texts with pieces put in, taken out, and exchanged."""
    rng = random.Random()
    rng.seed(None if NIGHTLY else 1)
    for _ in range(400 if NIGHTLY else 20):
        agree([mutated(text, rng) for text in USUAL * 10])


def test_many_texts_at_once_are_as_many_facts() -> None:
    """Texts of all kinds together give the facts and the number of events that they give one by one."""
    cases = USUAL + [case["text"] for record in all_cases() for case in record["cases"]]
    assert as_sets(read(cases, by_pattern=False)) == as_sets(read(cases, by_pattern=True))
