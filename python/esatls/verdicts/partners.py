"""The partners of a message, and how it came from each and went to each: the same in every engine.

The partners are the sender's domain for incoming mail, the recipients' domains for outgoing mail, and both if the log does not show the mail flow. The
verdict on the delivery to one domain may differ from that on the whole message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from esatls.verdicts.dns_names import in_dns
from esatls.verdicts.message import domain_of
from esatls.verdicts.words import UNKNOWN, of_partner

if TYPE_CHECKING:
    from esatls.verdicts.record_types import DeliveryRecord, MessageRecord


class Partner(NamedTuple):
    """One partner of a message."""

    side: str
    """`receiving` or `delivery`."""
    verdict: str
    """How the message was received from it or delivered to it; `none` where it was not."""
    name: str


def partner_name(domain: str | None, host: str | None = None, address: str | None = None) -> str:
    """Return the name of the other side in the form of DNS: its domain, else its host name or address."""
    return in_dns(domain or host or address or UNKNOWN) or UNKNOWN


def partners_of(record: MessageRecord) -> list[Partner]:
    """Return the partners of a message: its sender's domain first, then each domain that it was sent to."""
    found = []
    sender = sender_of(record)
    if sender is not None:
        found.append(Partner("receiving", record["received"], sender))
    reached = deliveries_by_partner(record)
    names = dict.fromkeys((*_recipients(record), *reached))
    return [*found, *(Partner("delivery", of_partner({verdict for verdict, _ in reached.get(name, ())}), name) for name in names)]


def sender_of(record: MessageRecord) -> str | None:
    """Return the sender's domain of a message that came in, or may have."""
    domain = domain_of(record.get("sender", ""))
    return partner_name(domain) if domain and record.get("mail_flow") != "outgoing" else None


def deliveries_by_partner(record: MessageRecord) -> dict[str, list[tuple[str, DeliveryRecord]]]:
    """Return the deliveries of a message that went out, or may have, by the domain that they reached or may have reached, each with its verdict there."""
    if record.get("mail_flow") == "incoming":
        return {}
    found: dict[str, list[tuple[str, DeliveryRecord]]] = {}
    for attempt, reached in delivered_to(record):
        # a delivery that does not show whom it reached may have been for anyone
        verdict = attempt["verdict"] if reached or attempt["verdict"] == "encrypted" else UNKNOWN
        for name in sorted(partner_name(domain) for domain in reached if domain) if reached else _recipients(record):
            found.setdefault(name, []).append((verdict, attempt))
    return found


def _recipients(record: MessageRecord) -> list[str]:
    """Return the domains of the recipients of a message that went out, or may have."""
    if record.get("mail_flow") == "incoming":
        return []
    return sorted({partner_name(domain) for domain in map(domain_of, record.get("recipients", ())) if domain})


def delivered_to(record: MessageRecord) -> list[tuple[DeliveryRecord, set[str]]]:
    """Return each completed delivery of a message, with the domains that it reached: no domain if the log does not show any."""
    domains: dict[int, str] | None = None
    done: list[tuple[DeliveryRecord, set[str]]] = []
    for attempt in record["deliveries"]:
        if attempt.get("outcome") == "done":
            if "domain" in attempt:
                reached = {attempt["domain"]}
            else:
                domains = _domains_by_rid(record) if domains is None else domains
                reached = {domains[rid] for rid in attempt["rid"] if rid in domains}
            done.append((attempt, reached))
    return done


def _domains_by_rid(record: MessageRecord) -> dict[int, str]:
    """Return the domain of each recipient by its RID; an empty dict if it is not certain which recipient has which RID.

    A record has its recipients in the order of their RIDs, and each attempt has RIDs. An attempt whose recipients share a domain has it as its `domain`. If one
    found here does not, the record shows other recipients than those of the attempts, and nobody must be blamed for another's mail.
    """
    attempts, recipients = record["deliveries"], record.get("recipients", ())
    rids = sorted({rid for attempt in attempts for rid in attempt["rid"]})
    if len(rids) != len(recipients):
        return {}
    domains = dict(zip(rids, map(domain_of, recipients)))
    for attempt in attempts:
        shared = {domains[rid] for rid in attempt["rid"]}
        if len(shared) == 1 and partner_name(attempt.get("domain")) != partner_name(shared.pop()):
            return {}
    return domains
