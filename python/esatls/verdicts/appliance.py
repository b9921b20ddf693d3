"""Facts -> records of connections and messages with their verdicts (VERDICTS.md): every id at its time, joined."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from esatls.errors import WrongTypeError
from esatls.extraction.kinds import MAIL_FLOW
from esatls.extraction.match import DELIVERY, MESSAGES, RECEIVING
from esatls.lines.clock import rfc3339
from esatls.verdicts import lives
from esatls.verdicts.connection import Connection, witnesses
from esatls.verdicts.facts import LONG_AGO, OPENS, TRIES, Fact, Facts, Store, order
from esatls.verdicts.message import Message, addresses_of, domain_of, rids_of
from esatls.verdicts.words import of_deliveries

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from esatls.lines.clock import Time

Record = dict[str, Any]

_OPENED = frozenset({"connection_opened"})
_INTERNAL = frozenset({"notification", "bounce"})
_DONE = {"delivery_started", "delivery_done"}
_OUTCOMES = {"delivery_done": "done", "delivery_bounced": "bounced", "delivery_delayed": "delayed"}


def _keep(record: Record, name: str, value: Any) -> None:
    """Set a field unless it has no value: absent, never empty."""
    if value is not None and value != "":
        record[name] = value


class _Attempt(NamedTuple):
    """What tells the attempts to deliver one message apart."""

    dcid: str | None
    life: int
    outcome: str | None
    response: str | None


class Appliance:
    """The facts of one appliance, with the verdicts found so far."""

    def __init__(self, host: str, stores: tuple[Store, Store, Store], *, several: bool = False) -> None:
        self.host = host
        self.stores = stores
        self.several = several
        """Whether others than the text log bear witness."""
        self.uses: tuple[Store, Store] = ({}, {})
        """Facts of messages that name a connection, by ICID and by DCID."""
        self._simple: tuple[dict[str, Connection], dict[str, Connection]] = ({}, {})
        """Connections whose ids were used once."""
        self._connections: dict[tuple[int, str], tuple[list[Time], dict[int, Connection]]] = {}
        self._stamps: dict[Time, str] = {}
        self._whole: dict[str, Message] = {}
        """Messages whose ids were used once."""
        self._messages: dict[str, tuple[list[Time], dict[int, Message]]] = {}
        for mid, facts in stores[MESSAGES].items():
            message = Message(facts)
            self._note_uses(message)
            if message.one_life:
                self._whole[mid] = message

    def _note_uses(self, message: Message) -> None:
        receiving, delivery = self.uses
        for fact in message.over:
            key = fact[3]
            if key in receiving:
                receiving[key].append(fact)
            elif key is not None and key != "0":
                receiving[key] = [fact]
        for fact in message.on:
            key = fact[4] if fact[0] == "cef" else fact[3]
            if key in delivery:
                delivery[key].append(fact)
            elif key is not None and key != "0":
                delivery[key] = [fact]

    def ids(self, side: int) -> list[str]:
        """Return the ids of all connections of one side, ascending. ICID 0 is no connection."""
        return sorted((set(self.stores[side]) | set(self.uses[side])) - {"0"}, key=int)

    def connection(self, side: int, key: str, time: Time | None) -> Connection | None:
        """Return the connection that had this id at this time."""
        simple = self._simple[side].get(key)
        if simple is not None:
            return simple
        begins, found = self.connections_of(side, key)
        return found.get(lives.life_at(begins, time) if begins else 0)

    def connections_of(self, side: int, key: str) -> tuple[list[Time], dict[int, Connection]]:
        """Return the lives of one connection id."""
        simple = self._simple[side].get(key)
        if simple is not None:
            return [], {0: simple}
        known = self._connections.get((side, key))
        if known is None:
            facts = self.stores[side].get(key, ())
            uses = self.uses[side].get(key, ())
            connection = self._judged(facts, uses)
            begins = [] if connection.one_life else lives.starts([*facts, *uses], _OPENED, lives.CONNECTION_SILENCE)
            if not begins:
                self._simple[side][key] = connection
                return [], {0: connection}
            parts, used = lives.split(facts, begins), lives.split(uses, begins)
            numbers = sorted(set(parts) | set(used))
            known = self._connections[side, key] = (begins, {life: self._judged(parts.get(life, ()), used.get(life, ())) for life in numbers})
        return known

    def _judged(self, facts: Sequence[Fact], uses: Sequence[Fact]) -> Connection:
        connection = Connection(facts, uses)
        if self.several:
            connection.hear_tracking()
        return connection

    def messages_of(self, mid: str) -> tuple[list[Time], dict[int, Message]]:
        """Return the lives of one message id."""
        whole = self._whole.get(mid)
        if whole is not None:
            return [], {0: whole}
        known = self._messages.get(mid)
        if known is None:
            facts = self.stores[MESSAGES].get(mid)
            if not facts:
                known = ([], {})
            else:
                begins = lives.starts(facts, OPENS, lives.MESSAGE_SILENCE)
                known = (begins, {life: Message(part) for life, part in sorted(lives.split(facts, begins).items())})
            self._messages[mid] = known
        return known

    def message(self, mid: str, time: Time | None) -> Message | None:
        """Return the message that had this id at this time."""
        begins, found = self.messages_of(mid)
        return found.get(lives.life_at(begins, time) if begins else 0)

    # receiving

    def received(self, message: Message) -> tuple[str, Record]:
        """Return the receiving verdict of one message, and the fields that come with it."""
        if message.origin is None and message.received is None:
            message.received = self._receive(message)
        elif message.received is None:
            # from the eldest down: a chain of rewrites may be long
            chain, seen = [message], {id(message)}
            parent = self._parent(message)
            while parent is not None and parent.received is None and id(parent) not in seen:
                chain.append(parent)
                seen.add(id(parent))
                parent = self._parent(parent)
            for one in reversed(chain):
                one.received = self._receive(one)
        return message.received  # type: ignore[return-value]

    def _parent(self, message: Message) -> Message | None:
        """Return the message whose content a message carries, if that is in view."""
        origin = message.origin
        if origin is None or origin[0] in _INTERNAL:
            return None
        parent = (self._quarantined(origin[3], origin[1]) if origin[0] == "released" else None) or self.message(origin[3], origin[1])
        return None if parent is None or parent.made_after(origin[1]) else parent

    def _quarantined(self, mid: str, time: Time | None) -> Message | None:
        """Return the latest message with this id up to a time that was in a quarantine."""
        begins, found = self.messages_of(mid)
        lives_before = range(lives.life_at(begins, time), -1, -1)
        return next((found[life] for life in lives_before if life in found and found[life].quarantined), None)

    def _receive(self, message: Message) -> tuple[str, Record]:
        found: Record = {}
        verdict = "unknown"
        start, origin, cef = message.start, message.origin, message.cef
        known = start
        if start is None or start[3] == "0":
            known = message.mention
        if known is None or known[3] is None or known[3] == "0":
            known = cef
        if origin is not None and origin[0] == "released":
            known = None  # how a quarantine gives it back says nothing of how it came
        if known is not None and known[3] is not None and known[3] != "0":
            found["icid"] = int(known[3])
            verdict = self._over(known, found)
        elif origin is not None and origin[0] in _INTERNAL:
            verdict = "internal"
        elif origin is not None:
            verdict = self._inherited(message, origin, found)
        elif start is not None:
            # made by the appliance, and not from another message
            verdict = "internal"
        if cef is not None:
            verdict = _received_by_record(verdict, cef, found)
        if message.flow is not None:
            found["mail_flow"] = MAIL_FLOW[message.flow]
        return verdict, found

    def _over(self, fact: Fact, found: Record) -> str:
        """Return the verdict of the connection that a message came over."""
        connection = self.connection(RECEIVING, fact[3], fact[1])
        if connection is None:
            return "unknown"
        if connection.version:
            found["received_tls_version"] = connection.version
        if connection.cipher:
            found["received_tls_cipher"] = connection.cipher
        if connection.reason:
            found["received_reason"] = connection.reason
        opened = connection.opened
        if opened is not None:
            if opened[3]:
                found["received_peer_ip"] = opened[3]
            if opened[4]:
                found["received_peer_host"] = opened[4]
        if self.several:
            _keep(found, "received_conflict", connection.conflict)
            _keep(found, "received_witness", witnesses(connection.deciding()) or None)
        if connection.flow:
            found["mail_flow"] = connection.flow
        return connection.verdict if connection.verdict in ("encrypted", "cleartext") else "unknown"

    def _inherited(self, message: Message, origin: Fact, found: Record) -> str:
        """Return the verdict of the message whose content a child carries."""
        parent = self._parent(message)
        if parent is None or parent.received is None:
            return "unknown"
        verdict, theirs = parent.received
        found.update(theirs)
        found.pop("icid", None)
        flow = found.pop("mail_flow", None)
        if verdict in ("encrypted", "cleartext"):
            found.setdefault("received_from_mid", int(origin[3]))
        _keep(found, "mail_flow", flow)
        return verdict

    # delivery

    def deliveries(self, message: Message) -> list[Record]:
        """Return every attempt to deliver one message, in order of time."""
        facts = message.deliveries
        if len(facts) == 2 and facts[0][3:5] == facts[1][3:5] and {facts[0][0], facts[1][0]} == _DONE and facts[0][3] != "0":
            # the common case: a start and its end, on a connection whose id was used once
            dcid = facts[0][3]
            begins, connections = self.connections_of(DELIVERY, dcid)
            if not begins:
                time = facts[facts[1][0] == "delivery_done"][1]
                return [self._attempt(message, dcid, "done", time, None, connections[0], sorted(set(rids_of(facts[0][4]))))]
        attempts: dict[_Attempt, tuple[Time | None, set[int]]] = {}
        started: dict[_Attempt, tuple[Time | None, set[int]]] = {}
        responses = {fact[5] for fact in facts if fact[0] in TRIES}
        for fact in facts:
            code, dcid, life = fact[0], fact[3] if fact[3] != "0" else None, 0
            if dcid is not None:
                begins = self.connections_of(DELIVERY, dcid)[0]
                life = lives.life_at(begins, fact[1]) if begins else 0
            if code == "delivery_started":
                _collect(started, _Attempt(dcid, life, None, None), fact)
            else:
                response = None if code == "delivery_done" else fact[5]
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
            connection = None if dcid is None else self.connection(DELIVERY, dcid, time)
            found.append((place, self._attempt(message, dcid, outcome, time, response, connection, place[-1])))
        found.sort(key=lambda item: item[0])
        return [attempt for _, attempt in found]

    def _attempt(
        self, message: Message, dcid: str | None, outcome: str | None, time: Time | None, response: str | None, connection: Connection | None, rids: list[int]
    ) -> Record:
        attempt: Record = {}
        if dcid is not None:
            attempt["dcid"] = int(dcid)
        attempt["rid"] = rids
        if outcome is not None:
            attempt["outcome"] = outcome
        if time is not None:
            attempt["time"] = self._stamp(time)
        if connection is None:
            attempt["verdict"] = "unknown"
        else:
            attempt["verdict"] = connection.verdict
            _describe(attempt, connection)
            if self.several:
                _keep(attempt, "conflict", connection.conflict)
                _keep(attempt, "witness", witnesses(connection.deciding()) or None)
        if "domain" not in attempt:
            recipients = message.recipients
            domains = {domain_of(recipients[rid]) for rid in rids if rid in recipients}
            if len(domains) == 1:
                _keep(attempt, "domain", domains.pop())
        if response is not None:
            attempt["response"] = response
        return attempt

    def records(self, skip: frozenset[str] | set[str] = frozenset(), only: set[str] | None = None) -> Iterator[tuple[int, Record]]:
        """Yield MID and record of each life of each message, by MID: all but those to `skip`, or `only` some."""
        mids = self.stores[MESSAGES].keys() - skip if only is None else self.stores[MESSAGES].keys() & only
        whole = self._whole
        for mid in sorted(mids, key=int):
            if mid in whole:
                yield int(mid), self.record(mid, whole[mid])
            else:
                for _, message in sorted(self.messages_of(mid)[1].items()):
                    yield int(mid), self.record(mid, message)

    def record(self, mid: str, message: Message) -> Record:
        """Return the record of one life of one message."""
        verdict, received = self.received(message)
        record: Record = {}
        if self.host:
            record["esa_host"] = self.host
        record["mid"] = int(mid)
        if "icid" in received:
            record["icid"] = received["icid"]
        record["received"] = verdict
        record.update(received)
        if message.sent_by is not None:
            record["sender"] = message.sent_by
        recipients = message.recipients
        if recipients:
            record["recipients"] = [recipients[rid] for rid in sorted(recipients)] if len(recipients) > 1 else list(recipients.values())
        if message.origin is not None:
            record["parent_mid"] = int(message.origin[3])
            record["mid_relation"] = message.origin[0]
        deliveries = self.deliveries(message)
        if message.cef is not None:
            self._complete(record, deliveries, message.cef)
        record["delivered"] = of_deliveries(attempt["verdict"] for attempt in deliveries if attempt.get("outcome") == "done")
        record["deliveries"] = deliveries
        if message.first is not None and message.last is not None:
            record["first_seen"] = self._stamp(message.first)
            record["last_seen"] = self._stamp(message.last)
        record["finished"] = message.finished
        return record

    def _stamp(self, time: Time) -> str:
        text = self._stamps.get(time)
        if text is None:
            if len(self._stamps) > _STAMPS_KEPT:
                self._stamps.clear()
            text = self._stamps[time] = rfc3339(time)
        return text

    def _complete(self, record: Record, deliveries: list[Record], cef: Fact) -> None:
        """Add what a consolidated event states and the other lines do not."""
        if "sender" not in record:
            _keep(record, "sender", cef[12])
        if "recipients" not in record and cef[13]:
            record["recipients"] = addresses_of(cef[13])
        outcome = {"DELIVERED": "done", "BOUNCED": "bounced"}.get(cef[11] or "")
        dcid = None if cef[4] == "0" else cef[4]
        if outcome is None and (dcid is None or cef[8] is None):
            return
        theirs = [attempt for attempt in deliveries if (attempt.get("outcome") == outcome if dcid is None else attempt.get("dcid") == int(dcid))]
        if outcome is not None:
            for attempt in theirs:
                attempt.setdefault("outcome", outcome)
        if not theirs:
            deliveries.append(self._stated(cef, dcid, outcome))

    def _stated(self, cef: Fact, dcid: str | None, outcome: str | None) -> Record:
        """Return the attempt that a consolidated event states and no other line does."""
        attempt: Record = {}
        if dcid is not None:
            attempt["dcid"] = int(dcid)
        attempt["rid"] = []
        _keep(attempt, "outcome", outcome)
        if cef[1] is not None:
            attempt["time"] = self._stamp(cef[1])
        connection = None if dcid is None else self.connection(DELIVERY, dcid, cef[1])
        result, version, cipher = cef[8:11]
        witness = ["cef"] if result is not None else []
        if connection is not None:
            attempt["verdict"] = connection.verdict
            _describe(attempt, connection)
            witness = witnesses(connection.deciding())
        elif result == "success":
            attempt["verdict"] = "encrypted"
            _keep(attempt, "tls_version", version)
            _keep(attempt, "tls_cipher", cipher)
        elif result is None:
            attempt["verdict"] = "unknown"
        else:
            attempt["verdict"] = "cleartext" if outcome == "done" else "failed"
            attempt["reason"] = "TLS failed"
        domains = {domain_of(address) for address in addresses_of(cef[13])}
        if len(domains) == 1 and "domain" not in attempt:
            _keep(attempt, "domain", domains.pop())
        _keep(attempt, "witness", witness or None)
        return attempt


_STAMPS_KEPT = 50_000


def _collect(attempts: dict[Any, tuple[Time | None, set[int]]], key: Any, fact: Fact) -> None:
    known = attempts.get(key)
    if known is None:
        attempts[key] = (fact[1], set(rids_of(fact[4])))
        return
    time, rids = known
    rids.update(rids_of(fact[4]))
    if fact[1] is not None and (time is None or fact[1] < time):
        attempts[key] = (fact[1], rids)


def _describe(attempt: Record, connection: Connection) -> None:
    if connection.version:
        attempt["tls_version"] = connection.version
    if connection.cipher:
        attempt["tls_cipher"] = connection.cipher
    if connection.opened is not None and connection.opened[3]:
        attempt["peer_ip"] = connection.opened[3]
    if connection.success is not None:
        if connection.success[5]:
            attempt["peer_host"] = connection.success[5]
        if connection.success[6]:
            attempt["domain"] = connection.success[6]
    if connection.reason:
        attempt["reason"] = connection.reason


# the consolidated event is evidence for what it states, and for nothing that it leaves out


def _received_by_record(verdict: str, cef: Fact, found: Record) -> str:
    result, version, cipher = cef[5:8]
    theirs = "encrypted" if result == "success" else "cleartext"
    if result is None or "icid" in found:
        pass  # its connection has heard it
    elif verdict in ("encrypted", "cleartext") and verdict != theirs:
        found["received_conflict"] = f"text: {verdict}, cef: {theirs}"
    elif verdict == "unknown":
        found["received_witness"] = ["cef"]
        if result == "success":
            verdict = "encrypted"
            _keep(found, "received_tls_version", version)
            _keep(found, "received_tls_cipher", cipher)
        else:
            verdict = "cleartext"
            found["received_reason"] = "TLS failed"
    for name, value in (("received_peer_ip", cef[15]), ("received_peer_host", cef[16]), ("mail_flow", cef[14])):
        if name not in found:
            _keep(found, name, value)
    return verdict


# records


_OF_THE_PEER = ("peer_ip", "peer_host", "peer_port", "interface", "interface_ip", "hat_action", "sender_group", "country")


def _connection_record(appliance: Appliance, side: int, key: str, connection: Connection) -> Record:
    record: Record = {}
    if appliance.host:
        record["esa_host"] = appliance.host
    record["esa_direction"] = "receiving" if side == RECEIVING else "delivery"
    record["icid" if side == RECEIVING else "dcid"] = int(key)
    closed: list[Time] = []
    told: Record = {}
    for fact in sorted(connection.facts, key=order):
        code = fact[0]
        if code == "connection_opened":
            names: tuple[str, ...] = ("peer_ip", "peer_host", "peer_port", "interface", "interface_ip")
        elif code == "hat_policy":
            names = ("hat_action", "sender_group", "country", "peer_ip")
        elif code == "connection_error":
            names = ("", "", "peer_ip", "peer_port", "tls_domain", "interface", "interface_ip")
        elif code == "tls_success":
            names = ("", "", "tls_peer_cn", "tls_domain")
        elif code == "connection_closed":
            if fact[1] is not None:
                closed.append(fact[1])
            continue
        elif code == "cef_tls":
            continue
        else:
            names = ("", "peer_ip")
        for name, value in zip(names, fact[3:]):
            if name and value and name not in told:
                told[name] = int(value) if name == "peer_port" else value
    if side == RECEIVING and appliance.several:
        for fact in sorted((use for use in connection.uses if use[0] == "cef"), key=order):
            for name, value in (("peer_ip", fact[15]), ("peer_host", fact[16])):
                if value:
                    told.setdefault(name, value)
    if connection.opened is not None and connection.opened[1] is not None:
        record["opened"] = rfc3339(connection.opened[1])
    if closed:
        record["closed"] = rfc3339(max(closed))
    for name in _OF_THE_PEER:
        _keep(record, name, told.get(name))
    record["tls_verdict"] = connection.verdict
    _keep(record, "tls_version", connection.version)
    _keep(record, "tls_cipher", connection.cipher)
    _keep(record, "tls_reason", connection.reason)
    _keep(record, "tls_peer_cn", told.get("tls_peer_cn"))
    _keep(record, "tls_domain", told.get("tls_domain"))
    if connection.required:
        record["tls_required"] = True
    if appliance.several:
        _keep(record, "conflict", connection.conflict)
        _keep(record, "witness", witnesses(connection.deciding()) or None)
    named = [(fact, appliance.message(fact[2], fact[1])) for fact in connection.uses]
    _keep(record, "domain", _partner(side, named, told.get("tls_domain")))
    flows = {appliance.received(message)[1].get("mail_flow") for _, message in named if message is not None}
    _keep(record, "mail_flow", connection.flow or (flows.pop() if len(flows) == 1 else None))
    record["messages"] = len({fact[2] for fact in connection.uses if fact[0] not in TRIES})
    return record


def _partner(side: int, named: list[tuple[Fact, Message | None]], told: str | None) -> str | None:
    """Return the partner's domain: told by the line, or shared by all senders or all recipients concerned."""
    if told:
        return told.lower().rstrip(".")
    domains: set[str] = set()
    for fact, message in named:
        if message is None:
            continue
        if side == RECEIVING:
            sender = message.sent_by or (message.cef and message.cef[12])
            if sender:
                domains.add(domain_of(sender))
        elif fact[0] == "cef":
            domains.update(map(domain_of, addresses_of(fact[13])))
        else:
            domains.update(domain_of(message.recipients[rid]) for rid in rids_of(fact[4]) if rid in message.recipients)
    return domains.pop() if len(domains) == 1 else None


def _appliances(facts: Facts) -> Iterator[Appliance]:
    if not isinstance(facts, Facts):
        raise WrongTypeError(f"verdicts are made of Facts, not of {type(facts).__name__}: facts.add(event) for each event")
    for host in sorted(facts.hosts):
        yield Appliance(host, facts.hosts[host], several=facts.several)


def connections(facts: Facts) -> Iterator[Record]:
    """Yield a record per connection, by appliance, side, id and life."""
    return (record for _, record in connections_in_time(facts))


def connections_in_time(facts: Facts) -> Iterator[tuple[list[Time], Record]]:
    """Yield each connection's record after all times at which anything is known of it: its own lines, and those of messages that name it."""
    for appliance in _appliances(facts):
        for side in (RECEIVING, DELIVERY):
            for key in appliance.ids(side):
                for _, connection in sorted(appliance.connections_of(side, key)[1].items()):
                    times = [fact[1] for known in (connection.facts, connection.uses) for fact in known if fact[1] is not None]
                    yield times, _connection_record(appliance, side, key, connection)


def messages(facts: Facts) -> Iterator[Record]:
    """Yield a record per message, by appliance, MID and life."""
    for appliance in _appliances(facts):
        for _, record in appliance.records():
            yield record
