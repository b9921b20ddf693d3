"""The records of connections and messages (VERDICTS.md), with the fields of `extraction.fields` in their order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Optional, TypeVar

from esatls.errors import WrongTypeError
from esatls.extraction.fact_types import CODE, DELIVERY, FACT_TYPES, KEY, MESSAGES, RECEIVING, TIME, Consolidated, Delivery, Fact, Try, position
from esatls.verdicts.appliance import Appliance, in_order
from esatls.verdicts.deliveries import delivered, deliveries_of
from esatls.verdicts.facts import GIVEN_UP, Facts, order, passes
from esatls.verdicts.inheritance import inherit_envelope
from esatls.verdicts.message import Message, addresses_of, domain_of, rids_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from esatls.lines.clock import Time
    from esatls.verdicts.connection import Connection
    from esatls.verdicts.contradictions import Contradictions
    from esatls.verdicts.facts import Ref
    from esatls.verdicts.record_types import ConnectionRecord, MessageRecord
    from esatls.verdicts.weighing import View

OF_THE_PEER = ("peer_ip", "peer_host", "peer_port", "interface", "interface_ip", "hat_action", "sender_group", "country")
OF_TLS = ("tls_peer_cn", "tls_domain")
_OF_THE_HOST, _OF_THE_DOMAIN = ("peer_ip", "peer_host"), ("tls_domain",)
OF_THE_PARTNER = (*_OF_THE_HOST, *_OF_THE_DOMAIN)
_One = TypeVar("_One")
_Told = dict[str, tuple[tuple[str, int], ...]]


def _places(names: Iterable[str]) -> _Told:
    return {code: tuple((name, type_._fields.index(name)) for name in names if name in type_._fields) for code, type_ in FACT_TYPES.items()}


_TOLD = _places((*OF_THE_PEER, *OF_TLS))
"""By code of a fact: the fields of a connection that it gives, and their places."""
_TOLD_OF_HOST, _TOLD_OF_DOMAIN = _places(_OF_THE_HOST), _places(_OF_THE_DOMAIN)
"""The same for the fields that name the partner."""
_RID = position("rid", Delivery, Try)
_DELIVERED = frozenset({"delivery_started", "delivery_done"})


Kind = tuple[str, str, Optional[str], str, Optional[str], Optional[str], Optional[str], Optional[str], bool]
"""Appliance, direction, mail flow, verdict, partner, protocol, cipher, reason, and whether TLS was required, as far as the log tells them."""


class Brief(NamedTuple):
    """What a report counts of a connection."""

    kind: Kind
    """If the partner's domain is not known, its host name or address takes its place."""
    opened: str | None
    closed: str | None
    number: int
    """ICID or DCID."""


def connections(facts: Facts, contradictions: Contradictions | None = None) -> Iterator[ConnectionRecord]:
    """Yield a record per connection, by appliance, side, id and life. By the end, all contradictions found are in `contradictions`."""
    for appliance in appliances_of(facts, contradictions):
        for _, record in connections_of(appliance):
            yield record


def connections_of(appliance: Appliance, only: Iterable[Ref] | None = None) -> Iterator[tuple[Connection, ConnectionRecord]]:
    """Yield the connections of one appliance, or `only` those with some ids, each with its record."""
    return _connections(appliance, only, connection_record)


def briefs_of(appliance: Appliance, only: Iterable[Ref] | None = None) -> Iterator[tuple[Connection, Brief]]:
    """Yield the same connections, each with what a report counts."""
    return _connections(appliance, only, brief)


def _connections(appliance: Appliance, only: Iterable[Ref] | None, make: Callable[[Appliance, str, Connection], _One]) -> Iterator[tuple[Connection, _One]]:
    refs = ((store, key) for store in (RECEIVING, DELIVERY) for key in appliance.ids(store)) if only is None else (ref for ref in only if appliance.shows(*ref))
    for side, key in refs:
        connection = appliance.used_once(side, key)
        if connection is not None:
            yield connection, make(appliance, key, connection)
            continue
        for _, one in sorted(appliance.connections_of(side, key)[1].items()):
            yield one, make(appliance, key, one)


def times_of(connection: Connection) -> list[Time]:
    """Return the times of all lines about a connection: its own, and those of messages that name it."""
    return [fact[TIME] for known in (connection.facts, connection.uses) for fact in known if fact[TIME] is not None]


def messages(facts: Facts, contradictions: Contradictions | None = None) -> Iterator[MessageRecord]:
    """Yield a record per message, by appliance, MID and life. By the end, all contradictions found are in `contradictions`."""
    for appliance in appliances_of(facts, contradictions):
        for _, record in messages_of(appliance):
            yield record


def messages_of(appliance: Appliance, only: set[str] | None = None) -> Iterator[tuple[str, MessageRecord]]:
    """Yield the MID and the record of each message of one appliance, or `only` of some MIDs, by MID and life."""
    known = appliance.stores[MESSAGES]
    for mid in in_order(known if only is None else known.keys() & only):
        for message in appliance.lives_of(mid):
            if not message.is_bare:
                yield mid, message_record(appliance, message)


def appliances_of(facts: Facts, contradictions: Contradictions | None = None) -> Iterator[Appliance]:
    """Yield the appliances of some facts, by name. Each keeps for the next record what it has found out for one. Raises `WrongTypeError` unless given `Facts`.

    The contradictions of an appliance are added to `contradictions` when the next appliance is asked for.
    """
    if not isinstance(facts, Facts):
        raise WrongTypeError(f"verdicts are made of Facts, not of {type(facts).__name__}: facts.add(event) for each event")
    facts = facts.settled()
    found = (Appliance(host, facts.hosts[host], has_witnesses=facts.has_witnesses) for host in sorted(facts.hosts))
    yield from found if contradictions is None else looked_at(found, contradictions)


class Whole:
    """Facts that are all in memory, one appliance at a time."""

    def __init__(self, facts: Facts) -> None:
        self._appliances: Iterable[Appliance] = appliances_of(facts)

    def keep(self) -> None:
        """Keep the appliances and what they find out, so that connections and messages can both be asked for."""
        self._appliances = [*self._appliances]

    def messages(self, contradictions: Contradictions) -> Iterator[tuple[Appliance, None]]:
        """Yield the appliances; all their messages are to be judged."""
        return ((appliance, None) for appliance in looked_at(self._appliances, contradictions))

    def connections(self, contradictions: Contradictions) -> Iterator[tuple[Appliance, None]]:
        """Yield the appliances; all their connections are to be judged."""
        return self.messages(contradictions)


def looked_at(appliances: Iterable[Appliance], contradictions: Contradictions) -> Iterator[Appliance]:
    """Yield appliances. The contradictions of one are added to `contradictions` when the next one is asked for: by then its records are made."""
    for appliance in appliances:
        yield appliance
        contradictions.look(appliance)


def message_record(appliance: Appliance, message: Message) -> MessageRecord:
    """Return the record of one life of one message."""
    verdict, received = appliance.received(message, is_last=True)
    if not message.has_envelope:
        inherit_envelope(appliance, message)
    record: MessageRecord = {}
    if appliance.host:
        record["esa_host"] = appliance.host
    record["mid"] = int(message.mid)
    if "icid" in received:
        record["icid"] = received["icid"]
    record["received"] = verdict
    record.update(received)
    sender = message.sender()
    if sender:
        record["sender"] = sender
    recipients = message.recipients
    if recipients:
        record["recipients"] = [recipients[rid] for rid in sorted(recipients)] if len(recipients) > 1 else list(recipients.values())
    elif message.records:
        stated = dict.fromkeys(address for one in message.records for address in addresses_of(one.recipient))
        if stated:
            record["recipients"] = [*stated]
    if message.origin is not None:
        record["parent_mid"] = int(message.origin.parent_mid or 0)
        record["mid_relation"] = message.origin.code
    deliveries = deliveries_of(appliance, message)
    record["delivered"] = delivered(deliveries)
    record["deliveries"] = deliveries
    if message.first is not None and message.last is not None:
        record["first_seen"] = appliance.stamp(message.first)
        record["last_seen"] = appliance.stamp(message.last)
    record["finished"] = message.finished
    if message.message_id is not None:
        record["message_id"] = message.message_id
    if message.subject is not None:
        record["subject"] = message.subject
    return record


def connection_record(appliance: Appliance, key: str, connection: Connection) -> ConnectionRecord:
    """Return the record of one life of one connection."""
    record: dict[str, Any] = {}
    if appliance.host:
        record["esa_host"] = appliance.host
    side = connection.side
    record["esa_direction"] = "receiving" if side == RECEIVING else "delivery"
    record["icid" if side == RECEIVING else "dcid"] = int(key)
    told = _told_by(connection.facts, _TOLD)
    if side == RECEIVING and appliance.has_witnesses:
        _add_stated(told, appliance, connection)
    if connection.opened is not None and connection.opened[TIME] is not None:
        record["opened"] = appliance.stamp(connection.opened[TIME])
    if connection.closed is not None:
        record["closed"] = appliance.stamp(connection.closed)
    for name in OF_THE_PEER:
        if name in told:
            record[name] = int(told[name]) if name == "peer_port" else told[name]
    view = connection.view
    _add_tls(record, view)
    conflict, witness = connection.summary(view)[-2:]
    for name in OF_TLS:
        if name in told:
            record[name] = told[name]
    if connection.rest.required:
        record["tls_required"] = True
    if conflict:
        record["conflict"] = conflict
    if witness:
        record["witness"] = witness
    users = _users(appliance, connection.uses)
    domain = _partner(appliance, side, users, told.get("tls_domain"))
    if domain:
        record["domain"] = domain
    flow = connection.flow or _shared_flow(appliance, users)
    if flow:
        record["mail_flow"] = flow
    record["messages"] = len({use[KEY] for use in connection.uses if passes(use)})
    return record  # type: ignore[return-value]


def brief(appliance: Appliance, key: str, connection: Connection) -> Brief:
    """Return what a report counts of a connection."""
    verdict, version, cipher, reason, _, _ = connection.view
    opened, closed = connection.opened, connection.closed
    users = _users(appliance, connection.uses)
    return Brief(
        (
            appliance.host,
            "receiving" if connection.side == RECEIVING else "delivery",
            connection.flow or _shared_flow(appliance, users),
            verdict,
            # unused: refused strangers, who are many and no partners
            None if verdict == "unused" else _partner_or_host(appliance, connection, users),
            version or None,
            cipher or None,
            reason or None,
            connection.rest.required,
        ),
        None if opened is None or opened[TIME] is None else appliance.stamp(opened[TIME]),
        None if closed is None else appliance.stamp(closed),
        int(key),
    )


def _partner_or_host(appliance: Appliance, connection: Connection, users: list[tuple[Fact, Message]]) -> str | None:
    partner = _partner(appliance, connection.side, users, _told_by(connection.facts, _TOLD_OF_DOMAIN).get("tls_domain"))
    if partner:
        return partner
    told = _told_by(connection.facts, _TOLD_OF_HOST)
    if connection.side == RECEIVING and appliance.has_witnesses:
        _add_stated(told, appliance, connection)
    return told.get("peer_host") or told.get("peer_ip")


def brief_record(appliance: Appliance, key: str, connection: Connection) -> ConnectionRecord:
    """Return the same as a record, with times and id at the end."""
    (host, direction, flow, verdict, partner, version, cipher, reason, is_required), opened, closed, number = brief(appliance, key, connection)
    found: dict[str, Any] = {
        "esa_direction": direction,
        "esa_host": host,
        "mail_flow": flow,
        "tls_verdict": verdict,
        "tls_version": version,
        "tls_cipher": cipher,
        "tls_reason": reason,
        "tls_required": is_required,
        "domain": partner,
        "opened": opened,
        "closed": closed,
    }
    record = {name: value for name, value in found.items() if value}
    record["icid" if connection.side == RECEIVING else "dcid"] = number
    return record  # type: ignore[return-value]


def _add_tls(record: dict[str, Any] | ConnectionRecord, view: View) -> None:
    """Add the verdict, and what goes with it."""
    verdict, version, cipher, reason, _, _ = view
    record["tls_verdict"] = verdict
    if version:
        record["tls_version"] = version
    if cipher:
        record["tls_cipher"] = cipher
    if reason:
        record["tls_reason"] = reason


def _add_stated(told: dict[str, Any], appliance: Appliance, connection: Connection) -> None:
    """Add what consolidated events state about the other side, if no line tells it."""
    stated = {id(message): message for use in sorted(connection.uses, key=order) if (message := appliance.message(use[KEY], use[TIME])) is not None}
    for message in stated.values():
        for name in ("peer_ip", "peer_host"):
            value = message.stated(name)
            if value:
                told.setdefault(name, value)


def _users(appliance: Appliance, uses: Sequence[Fact]) -> list[tuple[Fact, Message]]:
    """Return the messages that use a connection, each behind the fact that says so."""
    users: list[tuple[Fact, Message]] = []
    mid = rid = last = whole = None
    for use in uses:
        code = use[CODE]
        if code != GIVEN_UP:
            if use[KEY] != mid:
                mid = use[KEY]
                whole = appliance.whole.get(mid)
            message = whole or appliance.message(use[KEY], use[TIME])
            # most deliveries have two lines, which name the same recipients
            if message is not None and (message is not last or code not in _DELIVERED or use[_RID] != rid):
                users.append((use, message))
                last, rid = message, use[_RID] if code in _DELIVERED else None
    return users


def _told_by(facts: Sequence[Fact], places: _Told) -> dict[str, Any]:
    """Return the fields that the facts of a connection give, each with its earliest value."""
    told: dict[str, Any] = {}
    agree = True
    for fact in facts:
        for name, place in places[fact[CODE]]:
            value = fact[place]
            if not value:
                pass
            elif name not in told:
                told[name] = value
            elif told[name] != value:
                agree = False
    if not agree:
        told = {}
        for fact in sorted(facts, key=order):
            for name, place in places[fact[CODE]]:
                if fact[place]:
                    told.setdefault(name, fact[place])
    return told


def _shared_flow(appliance: Appliance, users: list[tuple[Fact, Message]]) -> str | None:
    """Return the mail flow of these messages, if all have the same."""
    flow = None
    for number, (_, message) in enumerate(users):
        theirs = (message.received or appliance.received(message))[1].get("mail_flow")
        if number and theirs != flow:
            return None
        flow = theirs
    return flow


def _partner(appliance: Appliance, side: int, users: list[tuple[Fact, Message]], told: str | None) -> str | None:
    """Return the partner's domain: the one that a line names (`told`), or the one that all senders or all recipients share.

    A move to a quarantine goes to no recipient.
    """
    if told:
        return told.lower().rstrip(".")
    addresses: list[str] = []
    for fact, message in users:
        if not message.has_envelope:
            inherit_envelope(appliance, message)
        if side == RECEIVING:
            sender = message.sender()
            if sender:
                addresses.append(sender)
        elif fact[CODE] == "cef":
            addresses += addresses_of(Consolidated(*fact).recipient)
        elif not message.quarantined or fact in message.deliveries:
            recipients = message.recipients
            addresses += [recipients[rid] for rid in rids_of(fact[_RID]) if rid in recipients]
    if len(addresses) == 1:
        return domain_of(addresses[0])
    domains = {*map(domain_of, addresses)}
    return domains.pop() if len(domains) == 1 else None
