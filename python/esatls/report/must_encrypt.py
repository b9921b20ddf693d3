"""A list of partners that must use TLS, and what a log says about each: kept, broken, unknown or no mail.

The list is the CSV that the Splunk app's lookup reads: `domain` (`*` stands for any text, as in `*.example.com`), `direction` (`receiving`, `delivery` or
`both`) and, optionally, `owner`. As in the app, the partner of incoming mail is the sender's domain, that of outgoing mail each recipient's domain; if the
log does not show the mail flow, both are partners.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from esatls.errors import UsageError
from esatls.verdicts.partners import deliveries_by_partner, partner_name, sender_of
from esatls.verdicts.words import UNKNOWN, of_partner

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from esatls.verdicts.record_types import MessageRecord

KEPT, BROKEN, NO_MAIL = "kept", "broken", "no mail"
DIRECTIONS = ("receiving", "delivery", "both")

_NAME = re.compile(r"[A-Za-z0-9_*-]+(?:\.[A-Za-z0-9_*-]+)*|\[[A-Za-z0-9.:]+\]")
"""A domain as DNS has it, with * for any text, or an address."""


class Rule(NamedTuple):
    """One row of the list."""

    domain: str
    direction: str
    owner: str = ""

    def covers(self, side: str) -> bool:
        """Tell whether mail on a side, `receiving` or `delivery`, must be encrypted."""
        return self.direction in ("both", side)


class Mail(NamedTuple):
    """A message from or to one domain, with its verdict."""

    side: str
    partner: str
    """The domain itself, even if the rule has a pattern."""
    verdict: str
    record: MessageRecord
    time: str | None
    reason: str | None


@dataclass
class Partner:
    """What the log says about one rule."""

    rule: Rule
    counts: dict[str, int] = field(default_factory=lambda: {"encrypted": 0, "mixed": 0, "cleartext": 0, UNKNOWN: 0})
    mail: list[Mail] = field(default_factory=list)
    """The mail that was not encrypted, in order of time: a message once for each domain that fits the rule."""

    @property
    def verdict(self) -> str:
        """Return `broken` if any mail was in clear text, else `unknown` if any verdict is unknown, else `kept` or `no mail`."""
        if self.counts["cleartext"] or self.counts["mixed"]:
            return BROKEN
        if self.counts[UNKNOWN]:
            return UNKNOWN
        return KEPT if self.counts["encrypted"] else NO_MAIL


def read_rules(path: str) -> list[Rule]:
    """Return the rules in a file. Raises `UsageError` if it is not a valid list; the error names the line of a wrong rule."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            # strict: a quote that is not closed would take all rows behind it into the owner's name
            reader = csv.DictReader(file, strict=True)
            if not {"domain", "direction"} <= {name.strip() for name in reader.fieldnames or ()}:
                raise UsageError(f"{path}: the list of partners begins with a line domain,direction,owner (in small letters, with commas; owner is optional)")
            reader.fieldnames = [name.strip() for name in reader.fieldnames or ()]
            # a spreadsheet writes an empty row as commas
            rules = [_rule(row, f"{path}: line {reader.line_num}") for row in reader if any(cell for cell in row.values())]
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    except (csv.Error, UnicodeError) as error:
        raise UsageError(f"{path}: is not a CSV file in UTF-8: {error}") from error
    if not rules:
        raise UsageError(f"{path}: lists no partners")
    return rules


def _rule(row: Mapping[str, str | None], where: str) -> Rule:
    domain, direction = ((row[name] or "").strip() for name in ("domain", "direction"))
    # a rule that no domain could match would always seem to be kept: one with an empty label (`.example.com`), an address of a page, or with * for a part of a
    # label that is not ASCII, which DNS writes in another way
    labels = domain.removesuffix(".").split(".")
    name = partner_name(domain)
    if any(not label or ("*" in label and not label.isascii()) for label in labels) or not _NAME.fullmatch(name):
        raise UsageError(f"{where}: not a domain: {domain!r}{'' if name.isascii() else ' (write it as DNS has it: xn--…)'}")
    if direction not in DIRECTIONS:
        raise UsageError(f"{where}: the direction is receiving, delivery or both, not {direction!r}")
    return Rule(name, direction, (row.get("owner") or "").strip())


class _Index:
    """Finds the rules for a domain: all in the list that cover the side, as a lookup in Splunk does."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.partners = [Partner(rule) for rule in rules]
        self.patterns = [partner.rule.domain.split("*") for partner in self.partners]
        self.known: dict[tuple[str, str], list[Partner]] = {}

    def find(self, domain: str, side: str) -> list[Partner]:
        """Return the partners whose mail on a side must be encrypted, and to whose rules a domain belongs."""
        key = domain, side
        if key not in self.known:
            rows = zip(self.partners, self.patterns)
            self.known[key] = [partner for partner, pattern in rows if partner.rule.covers(side) and _fits(domain, pattern)]
        return self.known[key]


def _fits(domain: str, pieces: list[str]) -> bool:
    """Tell whether a domain consists of these pieces, in order, with any text between them.

    A regular expression would try all places of all pieces, and the domain is a stranger's.
    """
    first, *rest = pieces
    if not rest:
        return domain == first
    *between, last = rest
    at, end = len(first), len(domain) - len(last)
    if at > end or not (domain.startswith(first) and domain.endswith(last)):
        return False
    for piece in between:
        found = domain.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True


def check(rules: Iterable[Rule], messages: Iterable[MessageRecord]) -> list[Partner]:
    """Return what messages (`fields.MESSAGE_FIELDS`) say about each rule, in the order of the rules."""
    index = _Index(rules)
    for record in messages:
        for mail in (*_received(record), *_delivered(record)):
            for partner in index.find(mail.partner, mail.side):
                partner.counts[mail.verdict] += 1
                if mail.verdict != "encrypted":
                    partner.mail.append(mail)
    for partner in index.partners:
        partner.mail.sort(key=lambda mail: (mail.time or "", mail.record.get("esa_host", ""), mail.record["mid"]))
    return index.partners


def overall(partners: Iterable[Partner]) -> str:
    """Return the verdict on the whole list: broken if one is, else unknown if one is, else kept if one is."""
    verdicts = {partner.verdict for partner in partners}
    return next((verdict for verdict in (BROKEN, UNKNOWN, KEPT) if verdict in verdicts), NO_MAIL)


def _received(record: MessageRecord) -> Iterator[Mail]:
    """Yield the message as its sender's, unless it is outgoing or was not received over a connection."""
    sender = sender_of(record)
    if sender is not None and record["received"] not in ("internal", "none"):
        yield Mail("receiving", sender, record["received"], record, record.get("first_seen"), record.get("received_reason"))


def _delivered(record: MessageRecord) -> Iterator[Mail]:
    """Yield the message for each recipients' domain that it reached, or may have reached, unless it is incoming."""
    for partner, found in deliveries_by_partner(record).items():
        verdict = of_partner({verdict for verdict, _ in found})
        times = [attempt["time"] for over, attempt in found if over != "encrypted" and "time" in attempt]
        reasons = dict.fromkeys(attempt["reason"] for over, attempt in found if over != "encrypted" and "reason" in attempt)
        yield Mail("delivery", partner, verdict, record, min(times, default=record.get("first_seen")), "; ".join(reasons) or None)
