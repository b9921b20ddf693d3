"""The records of connections and messages (VERDICTS.md), with the fields of `extraction.fields` in their order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from esatls.errors import WrongTypeError
from esatls.extraction.fact_types import CODE, DELIVERY, FACT_TYPES, KEY, MESSAGES, RECEIVING, TIME, Consolidated, Delivery, Fact, Try, position
from esatls.verdicts.appliance import Appliance, in_order
from esatls.verdicts.deliveries import delivered, deliveries_of
from esatls.verdicts.envelope import complete
from esatls.verdicts.facts import GIVEN_UP, Facts, order, passes
from esatls.verdicts.message import Message, addresses_of, domain_of, rids_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from esatls.lines.clock import Time
    from esatls.verdicts.connection import Connection, View
    from esatls.verdicts.contradictions import Contradictions
    from esatls.verdicts.facts import Ref
    from esatls.verdicts.record_types import ConnectionRecord, MessageRecord

OF_THE_PEER = ("peer_ip", "peer_host", "peer_port", "interface", "interface_ip", "hat_action", "sender_group", "country")
OF_TLS = ("tls_peer_cn", "tls_domain")
OF_THE_PARTNER = ("peer_ip", "peer_host", "tls_domain")
_Told = dict[str, tuple[tuple[str, int], ...]]


def _places(names: Iterable[str]) -> _Told:
    return {code: tuple((name, type_._fields.index(name)) for name in names if name in type_._fields) for code, type_ in FACT_TYPES.items()}


_TOLD = _places((*OF_THE_PEER, *OF_TLS))
"""By code of a fact: what it tells of a connection, and where that stands."""
_TOLD_OF_PARTNER = _places(OF_THE_PARTNER)
"""What of that names the partner."""
_RID = position("rid", Delivery, Try)
_DELIVERED = frozenset({"delivery_started", "delivery_done"})


def connections(facts: Facts, contradictions: Contradictions | None = None) -> Iterator[ConnectionRecord]:
    """Yield a record per connection, by appliance, side, id and life. What shows of `contradictions` is added to them by the end."""
    for appliance in appliances_of(facts, contradictions):
        for _, record in connections_of(appliance):
            yield record


def connections_of(appliance: Appliance, only: Iterable[Ref] | None = None, *, brief: bool = False) -> Iterator[tuple[Connection, ConnectionRecord]]:
    """Yield the connections of one appliance, all or `only` those of some ids, each with its record, or a `brief` one."""
    refs = ((store, key) for store in (RECEIVING, DELIVERY) for key in appliance.ids(store)) if only is None else only
    record_of = brief_record if brief else connection_record
    for side, key in refs:
        connection = appliance.used_once(side, key)
        if connection is not None:
            yield connection, record_of(appliance, side, key, connection)
            continue
        for _, one in sorted(appliance.connections_of(side, key)[1].items()):
            yield one, record_of(appliance, side, key, one)


def times_of(connection: Connection) -> list[Time]:
    """Return all times at which anything is known of a connection: those of its own lines, and of messages that name it."""
    return [fact[TIME] for known in (connection.facts, connection.uses) for fact in known if fact[TIME] is not None]


def messages(facts: Facts, contradictions: Contradictions | None = None) -> Iterator[MessageRecord]:
    """Yield a record per message, by appliance, MID and life. What shows of `contradictions` is added to them by the end."""
    for appliance in appliances_of(facts, contradictions):
        for _, record in messages_of(appliance):
            yield record


def messages_of(appliance: Appliance, skip: frozenset[str] | set[str] = frozenset(), only: set[str] | None = None) -> Iterator[tuple[int, MessageRecord]]:
    """Yield MID and record of each life of each message of one appliance, by MID: all but those to `skip`, or `only` some."""
    known = appliance.stores[MESSAGES]
    for mid in in_order([mid for mid in known if mid not in skip] if only is None else known.keys() & only):
        for message in appliance.in_order(mid):
            if not message.is_bare:
                yield int(mid), message_record(appliance, mid, message)


def appliances_of(facts: Facts, contradictions: Contradictions | None = None) -> Iterator[Appliance]:
    """Yield the appliances of some facts, by name. What one has found out for one record serves the next; `WrongTypeError` for what is no `Facts`.

    What shows of `contradictions` in one appliance is added to them when the next one is asked for.
    """
    if not isinstance(facts, Facts):
        raise WrongTypeError(f"verdicts are made of Facts, not of {type(facts).__name__}: facts.add(event) for each event")
    facts = facts.settled()
    found = (Appliance(host, facts.hosts[host], has_witnesses=facts.has_witnesses) for host in sorted(facts.hosts))
    yield from found if contradictions is None else looked_at(found, contradictions)


class Whole:
    """Facts that are all in memory, an appliance at a time."""

    def __init__(self, facts: Facts, *, keep: bool = False) -> None:
        """`keep` the appliances with what was found out, to ask for connections and for messages."""
        found = appliances_of(facts)
        self._appliances = [*found] if keep else found

    def messages(self, contradictions: Contradictions) -> Iterator[tuple[Appliance, None]]:
        """Yield appliances, all messages of which are to be judged."""
        return ((appliance, None) for appliance in looked_at(self._appliances, contradictions))

    def connections(self, contradictions: Contradictions) -> Iterator[tuple[Appliance, None]]:
        """Yield appliances, all connections of which are to be judged."""
        return self.messages(contradictions)


def looked_at(appliances: Iterable[Appliance], contradictions: Contradictions) -> Iterator[Appliance]:
    """Yield appliances; what shows of `contradictions` in one is added to them when the next one is asked for: by then its records are made."""
    for appliance in appliances:
        yield appliance
        contradictions.look(appliance)


def message_record(appliance: Appliance, mid: str, message: Message) -> MessageRecord:
    """Return the record of one life of one message."""
    verdict, received = appliance.received(message, is_last=True)
    if not message.has_envelope:
        complete(appliance, message)
    record: MessageRecord = {}
    if appliance.host:
        record["esa_host"] = appliance.host
    record["mid"] = int(mid)
    if "icid" in received:
        record["icid"] = received["icid"]
    record["received"] = verdict
    record.update(received)
    sender = message.sent_by or message.sender()
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


def connection_record(appliance: Appliance, side: int, key: str, connection: Connection) -> ConnectionRecord:
    """Return the record of one life of one connection."""
    record: dict[str, Any] = {}
    if appliance.host:
        record["esa_host"] = appliance.host
    record["esa_direction"] = "receiving" if side == RECEIVING else "delivery"
    record["icid" if side == RECEIVING else "dcid"] = int(key)
    told, closed = _told_by(connection.facts, _TOLD)
    if side == RECEIVING and appliance.has_witnesses:
        _add_stated(told, appliance, connection)
    if connection.opened is not None and connection.opened[TIME] is not None:
        record["opened"] = appliance.stamp(connection.opened[TIME])
    if closed:
        record["closed"] = appliance.stamp(min(closed))
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


def brief_record(appliance: Appliance, side: int, key: str, connection: Connection) -> ConnectionRecord:
    """Return of a record what a report counts, times and id at the end; the partner's host name or address stands for a domain that is not told."""
    record: ConnectionRecord = {"esa_direction": "receiving" if side == RECEIVING else "delivery"}
    if appliance.host:
        record["esa_host"] = appliance.host
    told, closed = _told_by(connection.facts, _TOLD_OF_PARTNER)
    if side == RECEIVING and appliance.has_witnesses:
        _add_stated(told, appliance, connection)
    view, opened = connection.view, connection.opened
    users = _users(appliance, connection.uses)
    flow = connection.flow or _shared_flow(appliance, users)
    if flow:
        record["mail_flow"] = flow
    _add_tls(record, view)
    if connection.rest.required:
        record["tls_required"] = True
    if view.verdict != "unused":
        partner = _partner(appliance, side, users, told.get("tls_domain")) or told.get("peer_host") or told.get("peer_ip")
        if partner:
            record["domain"] = partner
    if opened is not None and opened[TIME] is not None:
        record["opened"] = appliance.stamp(opened[TIME])
    if closed:
        record["closed"] = appliance.stamp(min(closed))
    record["icid" if side == RECEIVING else "dcid"] = int(key)
    return record


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
    """Add what consolidated events state of the other side, where no line tells it."""
    stated = {id(message): message for use in sorted(connection.uses, key=order) if (message := appliance.message(use[KEY], use[TIME])) is not None}
    for message in stated.values():
        for name in ("peer_ip", "peer_host"):
            value = message.stated(name)
            if value:
                told.setdefault(name, value)


def _users(appliance: Appliance, uses: Sequence[Fact]) -> list[tuple[Fact, Message]]:
    """Return the messages that use a connection, after the facts that say so."""
    users: list[tuple[Fact, Message]] = []
    rid = last = None
    for use in uses:
        code = use[CODE]
        if code != GIVEN_UP:
            message = appliance.message(use[KEY], use[TIME])
            # most deliveries have two lines, which name the same recipients
            if message is not None and (message is not last or code not in _DELIVERED or use[_RID] != rid):
                users.append((use, message))
                last, rid = message, use[_RID] if code in _DELIVERED else None
    return users


def _told_by(facts: Sequence[Fact], places: _Told) -> tuple[dict[str, Any], list[Time]]:
    """Return what the facts of a connection tell, of each field the first value, and when it was closed."""
    told: dict[str, Any] = {}
    closed: list[Time] = []
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
        if fact[CODE] == "connection_closed" and fact[TIME] is not None:
            closed.append(fact[TIME])
    if not agree:
        told = {}
        for fact in sorted(facts, key=order):
            for name, place in places[fact[CODE]]:
                if fact[place]:
                    told.setdefault(name, fact[place])
    return told, closed


def _shared_flow(appliance: Appliance, users: list[tuple[Fact, Message]]) -> str | None:
    """Return the mail flow of all messages concerned, if it is one."""
    flows = {appliance.received(message)[1].get("mail_flow") for _, message in users}
    return flows.pop() if len(flows) == 1 else None


def _partner(appliance: Appliance, side: int, users: list[tuple[Fact, Message]], told: str | None) -> str | None:
    """Return the partner's domain: told by the line, or shared by all senders or all recipients concerned."""
    if told:
        return told.lower().rstrip(".")
    domains: set[str] = set()
    for fact, message in users:
        if not message.has_envelope:
            complete(appliance, message)
        if side == RECEIVING:
            sender = message.sent_by or message.sender()
            if sender:
                domains.add(domain_of(sender))
        elif fact[CODE] == "cef":
            domains.update(map(domain_of, addresses_of(Consolidated(*fact).recipient)))
        else:
            recipients = message.recipients
            for rid in rids_of(fact[_RID]):
                if rid in recipients:
                    domains.add(domain_of(recipients[rid]))
    return domains.pop() if len(domains) == 1 else None
