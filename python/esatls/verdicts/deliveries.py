"""The attempts to deliver one message, each with the verdict of its connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from esatls.extraction.fact_types import CODE, DELIVERY, TIME, Consolidated, Delivery, Fact, Try, position
from esatls.verdicts import lives
from esatls.verdicts.facts import LONG_AGO, TRIES
from esatls.verdicts.message import Message, addresses_of, domain_of, rids_of
from esatls.verdicts.words import of_deliveries

if TYPE_CHECKING:
    from esatls.lines.clock import Time
    from esatls.verdicts.appliance import Appliance
    from esatls.verdicts.connection import Connection
    from esatls.verdicts.record_types import DeliveryRecord

_DONE = {"delivery_started", "delivery_done"}
_OUTCOMES = {"delivery_done": "done", "delivery_bounced": "bounced", "delivery_delayed": "delayed"}
_DCID = position("dcid", Delivery, Try)
_RID = position("rid", Delivery, Try)
_SAID = (
    ("verdict", "verdict"),
    ("tls_version", "tls_version"),
    ("tls_cipher", "tls_cipher"),
    ("peer_ip", "peer_ip"),
    ("peer_cn", "peer_host"),
    ("domain", "domain"),
    ("reason", "reason"),
    ("conflict", "conflict"),
    ("witness", "witness"),
)
"""What an attempt says of its connection."""


class _Attempt(NamedTuple):
    """What tells the attempts to deliver one message apart."""

    dcid: str | None
    life: int
    outcome: str | None
    response: str | None


def deliveries_of(appliance: Appliance, message: Message) -> list[DeliveryRecord]:
    """Return every attempt to deliver one message, in order of time."""
    found = _logged(appliance, message)
    if message.cef is not None:
        _complete(appliance, found, message.cef)
    return found


def delivered(attempts: list[DeliveryRecord]) -> str:
    """Return the verdict on the delivery of a message, of its attempts."""
    return of_deliveries(attempt["verdict"] for attempt in attempts if attempt.get("outcome") == "done")


def _logged(appliance: Appliance, message: Message) -> list[DeliveryRecord]:
    """Return the attempts that have lines of their own."""
    facts = message.deliveries
    if len(facts) == 2:
        one, other = facts
        dcid = one[_DCID]
        if dcid == other[_DCID] != "0" and one[_RID] == other[_RID] and {one[CODE], other[CODE]} == _DONE:
            # the common case: a start and its end, on a connection whose id was used once
            begins, connections = appliance.connections_of(DELIVERY, dcid)
            if not begins:
                time = (other if other[CODE] == "delivery_done" else one)[TIME]
                return [_attempt(appliance, message, dcid, "done", time, None, connections[0], sorted(set(rids_of(one[_RID]))))]
    attempts: dict[_Attempt, tuple[Time | None, set[int]]] = {}
    started: dict[_Attempt, tuple[Time | None, set[int]]] = {}
    responses = {Try(*fact).delivery_response for fact in facts if fact[CODE] in TRIES}
    for fact in facts:
        code, dcid, life = fact[CODE], fact[_DCID] if fact[_DCID] != "0" else None, 0
        if dcid is not None:
            begins = appliance.connections_of(DELIVERY, dcid)[0]
            life = lives.life_at(begins, fact[TIME]) if begins else 0
        if code == "delivery_started":
            _collect(started, _Attempt(dcid, life, None, None), fact)
        else:
            response = None if code == "delivery_done" else Try(*fact).delivery_response
            # mail_logs write an empty list behind what bounce_logs say of the same attempt
            if response is not None and f"{response} []" in responses:
                response += " []"
            _collect(attempts, _Attempt(dcid, life, _OUTCOMES[code], response), fact)
    for key, (time, rids) in started.items():
        decided = [done for other, (_, done) in attempts.items() if other[:2] == key[:2]]
        left = rids.difference(*decided)
        if left:
            attempts[key] = (time, left)
    found = []
    for (dcid, _, outcome, response), (time, rids) in attempts.items():
        place = (LONG_AGO if time is None else time, int(dcid or 0), outcome or "", response or "", sorted(rids))
        connection = None if dcid is None else appliance.connection(DELIVERY, dcid, time)
        found.append((place, _attempt(appliance, message, dcid, outcome, time, response, connection, place[-1])))
    found.sort(key=lambda item: item[0])
    return [attempt for _, attempt in found]


def _collect(attempts: dict[_Attempt, tuple[Time | None, set[int]]], key: _Attempt, fact: Fact) -> None:
    known = attempts.get(key)
    if known is None:
        attempts[key] = (fact[TIME], set(rids_of(fact[_RID])))
        return
    time, rids = known
    rids.update(rids_of(fact[_RID]))
    if fact[TIME] is not None and (time is None or fact[TIME] < time):
        attempts[key] = (fact[TIME], rids)


def _attempt(
    appliance: Appliance,
    message: Message,
    dcid: str | None,
    outcome: str | None,
    time: Time | None,
    response: str | None,
    connection: Connection | None,
    rids: list[int],
) -> DeliveryRecord:
    attempt: DeliveryRecord = {}
    if dcid is not None:
        attempt["dcid"] = int(dcid)
    attempt["rid"] = rids
    if outcome is not None:
        attempt["outcome"] = outcome
    if time is not None:
        attempt["time"] = appliance.stamp(time)
    _tell(attempt, connection)
    if "domain" not in attempt:
        recipients = message.recipients
        domains = {domain_of(recipients[rid]) for rid in rids if rid in recipients}
        if len(domains) == 1:
            _tell_domain(attempt, domains)
    if response is not None:
        attempt["response"] = response
    return attempt


def _tell(attempt: DeliveryRecord, connection: Connection | None) -> None:
    """Add what is known of the connection of an attempt."""
    if connection is None:
        attempt["verdict"] = "unknown"
        return
    if connection.placed is None:
        connection.placed = connection.summary().placed(_SAID)
    attempt.update(cast("DeliveryRecord", connection.placed))


def _tell_domain(attempt: DeliveryRecord, domains: set[str]) -> None:
    """Add the domain of the recipients, if it is one."""
    if "domain" not in attempt and len(domains) == 1 and "" not in domains:
        (attempt["domain"],) = domains


def _complete(appliance: Appliance, attempts: list[DeliveryRecord], cef: Consolidated) -> None:
    """Add what a consolidated event states and the other lines do not."""
    outcome = {"DELIVERED": "done", "BOUNCED": "bounced"}.get(cef.action or "")
    dcid = None if cef.dcid == "0" else cef.dcid
    if outcome is None and (dcid is None or cef.tls_out_result is None):
        return
    theirs = [attempt for attempt in attempts if (attempt.get("outcome") == outcome if dcid is None else attempt.get("dcid") == int(dcid))]
    if outcome is not None:
        for attempt in theirs:
            attempt.setdefault("outcome", outcome)
    if not theirs:
        attempts.append(_stated(appliance, cef, dcid, outcome))


def _stated(appliance: Appliance, cef: Consolidated, dcid: str | None, outcome: str | None) -> DeliveryRecord:
    """Return the attempt that a consolidated event states and no other line does."""
    attempt: DeliveryRecord = {}
    if dcid is not None:
        attempt["dcid"] = int(dcid)
    attempt["rid"] = []
    if outcome is not None:
        attempt["outcome"] = outcome
    if cef.time is not None:
        attempt["time"] = appliance.stamp(cef.time)
    connection = None if dcid is None else appliance.connection(DELIVERY, dcid, cef.time)
    result = cef.tls_out_result
    witness: list[str] | None = None
    if connection is not None:
        _tell(attempt, connection)
        witness = attempt.pop("witness", None)
    elif result is None:
        attempt["verdict"] = "unknown"
    else:
        witness = ["cef"]
        if result == "success":
            attempt["verdict"] = "encrypted"
            if cef.tls_out_version:
                attempt["tls_version"] = cef.tls_out_version
            if cef.tls_out_cipher:
                attempt["tls_cipher"] = cef.tls_out_cipher
        else:
            attempt["verdict"] = "cleartext" if outcome == "done" else "failed"
            attempt["reason"] = "TLS failed"
    _tell_domain(attempt, {domain_of(address) for address in addresses_of(cef.recipient)})
    if witness:
        attempt["witness"] = witness
    return attempt
