"""Facts -> records of connections and messages with their verdicts (DESIGN sections 4, 5 and 8).

The rule behind every verdict is Cisco's (tech note 118500): a TLS success line means TLS; no TLS line
between the opening of a connection and its message means none. What is not in view is `unknown`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from esatls import lives
from esatls.clock import rfc3339
from esatls.facts import DELIVERY, MESSAGES, RECEIVING, Fact, Facts, Store
from esatls.kinds import MAIL_FLOW

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from esatls.clock import Time

Record = dict[str, Any]

_OPENED = frozenset({"connection_opened"})
_MADE = frozenset({"message_started", "rewritten", "split", "copy", "released", "notification", "bounce"})
_INTERNAL = frozenset({"notification", "bounce"})
_MENTIONS = frozenset({"message_sender", "message_recipient"})
_ON_DELIVERY = frozenset({"delivery_started", "delivery_done", "message_quarantined", "delivery_bounced", "delivery_delayed"})
_TRIES = frozenset({"delivery_bounced", "delivery_delayed"})
_OUTCOMES = {"delivery_done": "done", "delivery_bounced": "bounced", "delivery_delayed": "delayed"}
_LONG_AGO: Time = float("-inf")


def _order(fact: Fact) -> tuple[Any, ...]:
    """Sort facts by time, then by what they say, whatever the order they came in."""
    return (_LONG_AGO if fact[1] is None else fact[1], fact[0], *("" if value is None else value for value in fact[2:]))


def _earlier(fact: Fact, known: Fact | None) -> Fact:
    """Return the earlier of two facts."""
    if known is None or (fact != known and _order(fact) < _order(known)):
        return fact
    return known


def _keep(record: Record, name: str, value: Any) -> None:
    """Set a field unless it has no value: absent, never empty."""
    if value is not None and value != "":
        record[name] = value


class _Connection:
    """The verdict on one life of one connection."""

    __slots__ = ("cipher", "error", "facts", "flow", "one_life", "opened", "reason", "required", "success", "uses", "verdict", "version")

    def __init__(self, facts: Sequence[Fact], uses: Sequence[Fact]) -> None:
        self.facts = facts
        self.uses = uses
        """Facts of messages that name this connection."""
        self.opened: Fact | None = None
        self.success: Fact | None = None
        self.error: Fact | None = None
        self.flow: str | None = None
        self.version: str | None = None
        self.cipher: str | None = None
        self.reason: str | None = None
        self.required = False
        self.one_life = True
        """Whether all of it is plainly of one connection."""
        self.verdict = self._judge()

    def _judge(self) -> str:
        read = False
        attempts: list[Fact] = []
        first = last = None
        for fact in self.facts:
            code = fact[0]
            time = fact[1]
            if time is not None:
                if first is None:
                    first = last = time
                elif time < first:
                    first = time
                elif time > last:
                    last = time
            if code == "hat_policy":
                if fact[3] in MAIL_FLOW:
                    self.flow = max(self.flow or "", MAIL_FLOW[fact[3]])
            elif code == "connection_opened":
                if self.opened is None:
                    self.opened = fact
                elif fact != self.opened:
                    self.one_life = False
                    self.opened = _earlier(fact, self.opened)
            elif code == "tls_success":
                self.success = fact if self.success is None else _earlier(fact, self.success)
            elif code == "connection_error":
                self.error = _earlier(fact, self.error)
            elif code == "tls_read":
                read = True
            elif code != "connection_closed":
                attempts.append(fact)
                self.required |= code == "tls_required"
        for fact in self.uses:
            time = fact[1]
            if time is not None:
                if first is None:
                    first = last = time
                elif time < first:
                    first = time
                elif time > last:
                    last = time
        if first is not None and last is not None:
            opened = None if self.opened is None else self.opened[1]
            if last - first > lives.CONNECTION_SILENCE or (opened is not None and first < opened - lives.SAME_OPENING):
                self.one_life = False
        if self.success is not None:
            self.version, self.cipher = self.success[3:5]
            return "encrypted"
        passed = [use[1] for use in self.uses if use[0] not in _TRIES]
        if passed:
            return self._with_message(passed, attempts, read=read)
        if attempts:
            # the line that says required tells more than the failure beside it
            required = [fact for fact in attempts if fact[0] == "tls_required"]
            self.reason = min(required or attempts, key=_order)[3]
            return "failed"
        if self.error is not None and self.opened is not None:
            self.reason = _possible(self.error)
            return "failed"
        if read:
            return "encrypted"
        return "unknown" if self.opened is None else "unused"

    def _with_message(self, passed: list[Time | None], attempts: list[Fact], *, read: bool) -> str:
        first = None if None in passed else min(passed)  # type: ignore[type-var]
        before = [fact for fact in attempts if fact[1] is None or first is None or fact[1] <= first]
        if before:
            self.reason = min(before, key=_order)[3]
            return "cleartext"
        if read:
            return "encrypted"
        if self.opened is None:
            return "unknown"
        opened = self.opened[1]
        return "cleartext" if opened is None or first is None or opened <= first + lives.SAME_OPENING else "unknown"


def _possible(error: Fact) -> str:
    """Return the reason of a connection error, which may be a failed handshake; nobody can be certain."""
    reason, details = error[3], error[4]
    if reason and details:
        return f"possibly: {reason} ({details})"
    return f"possibly: {reason or details or 'connection error'}"


class _Message:
    """What the facts of one life of one message say, in one pass."""

    __slots__ = ("cef", "deliveries", "finished", "first", "flow", "last", "made", "mention", "origin", "received", "recipients", "sender", "sent_by", "start")

    def __init__(self, facts: Sequence[Fact]) -> None:
        self.start: Fact | None = None
        self.origin: Fact | None = None
        """The line that made it from another message."""
        self.mention: Fact | None = None
        """An envelope line with the ICID, where the start is not in view."""
        self.sender: Fact | None = None
        self.flow: Fact | None = None
        self.cef: Fact | None = None
        self.recipients: dict[int, str] = {}
        self.deliveries: list[Fact] = []
        self.finished = False
        self.first: Time | None = None
        self.last: Time | None = None
        self.received: tuple[str, Record] | None = None
        first = last = None
        bounced_sender: str | None = None
        bounced: dict[int, str] = {}
        for fact in facts:
            code = fact[0]
            time = fact[1]
            if time is not None:
                if first is None:
                    first = last = time
                elif time < first:
                    first = time
                elif time > last:
                    last = time
            if code == "message_recipient":
                self.mention = fact
                if fact[5] is not None:
                    rid = int(fact[4])
                    known = self.recipients.get(rid)
                    self.recipients[rid] = fact[5] if known is None else min(known, fact[5])
            elif code == "message_sender":
                self.mention = fact
                if fact[4] is not None:
                    self.sender = fact if self.sender is None else _earlier(fact, self.sender)
            elif code == "delivery_done" or code == "delivery_started":  # noqa: PLR1714 - faster
                self.deliveries.append(fact)
            elif code in _TRIES:
                self.deliveries.append(fact)
                # bounce logs repeat the envelope
                if fact[6]:
                    bounced_sender = min(fact[6], bounced_sender or fact[6])
                if fact[7] and fact[4] is not None:
                    for rid in _rids(fact[4]):
                        bounced.setdefault(rid, fact[7])
                        bounced[rid] = min(bounced[rid], fact[7])
            elif code == "message_started":
                self.start = fact if self.start is None else _earlier(fact, self.start)
            elif code == "message_policy":
                self.flow = fact if self.flow is None else _earlier(fact, self.flow)
            elif code == "message_finished":
                self.finished = True
            elif code in _MADE:
                self.origin = _earlier(fact, self.origin)
            elif code == "cef":
                self.cef = _earlier(fact, self.cef)
        self.first, self.last = first, last
        if self.mention is not None and (self.start is None or self.start[3] == "0"):
            self.mention = min((fact for fact in facts if fact[0] in _MENTIONS), key=_order)
        self.sent_by = bounced_sender if self.sender is None else self.sender[4]
        for rid, address in bounced.items():
            self.recipients.setdefault(rid, address)

    def made_after(self, time: Time | None) -> bool:
        """Tell whether this message began after a time: its id had another owner then."""
        if time is None:
            return False
        made: list[Time] = [fact[1] for fact in (self.start, self.origin) if fact is not None and fact[1] is not None]
        latest: Time = max(made, default=time)
        return latest > time + lives.SAME_OPENING

    def one_life(self, facts: Sequence[Fact]) -> bool:
        """Tell whether the facts are plainly of one message."""
        first, last = self.first, self.last
        if first is None or last is None:
            return True
        if last - first > lives.MESSAGE_SILENCE:
            return False
        if last - first <= lives.SAME_OPENING:
            return True
        opened = [fact[1] for fact in facts if fact[0] in _MADE and fact[1] is not None]
        if not opened:
            return True
        return max(opened) - min(opened) <= lives.SAME_OPENING and first >= min(opened) - lives.SAME_OPENING


class _Attempt(NamedTuple):
    """What tells the attempts to deliver one message apart."""

    dcid: str | None
    life: int
    outcome: str | None
    response: str | None


class Appliance:
    """The facts of one appliance, with the verdicts found so far."""

    def __init__(self, host: str, stores: tuple[Store, Store, Store]) -> None:
        self.host = host
        self.stores = stores
        self.uses: tuple[Store, Store] = ({}, {})
        """Facts of messages that name a connection, by ICID and by DCID."""
        self._connections: dict[tuple[int, str], tuple[list[Time], dict[int, _Connection]]] = {}
        self._messages: dict[str, tuple[list[Time], dict[int, _Message]]] = {}
        for facts in stores[MESSAGES].values():
            self._note_uses(facts)

    def _note_uses(self, facts: list[Fact]) -> None:
        receiving, delivery = self.uses
        started = None
        for fact in facts:
            code = fact[0]
            if code == "message_started":
                started = fact[3] if started is None or started == fact[3] else "several"
                uses = receiving
            elif code in _ON_DELIVERY:
                uses = delivery
            elif code == "cef":
                if fact[4] is not None and fact[11] == "DELIVERED":
                    delivery.setdefault(fact[4], []).append(fact)
                uses = receiving
            else:
                continue
            key = fact[3]
            if key is not None and key != "0":
                known = uses.get(key)
                if known is None:
                    uses[key] = [fact]
                else:
                    known.append(fact)
        for fact in facts:
            # the envelope names the connection where the start is not in view
            if fact[0] in _MENTIONS and fact[3] != started and fact[3] is not None and fact[3] != "0":
                receiving.setdefault(fact[3], []).append(fact)

    def ids(self, side: int) -> list[str]:
        """Return the ids of all connections of one side, ascending. ICID 0 is no connection."""
        return sorted((set(self.stores[side]) | set(self.uses[side])) - {"0"}, key=int)

    def connection(self, side: int, key: str, time: Time | None) -> _Connection | None:
        """Return the connection that had this id at this time."""
        begins, found = self.connections_of(side, key)
        return found.get(lives.life_at(begins, time) if begins else 0)

    def connections_of(self, side: int, key: str) -> tuple[list[Time], dict[int, _Connection]]:
        """Return the lives of one connection id."""
        known = self._connections.get((side, key))
        if known is None:
            facts = self.stores[side].get(key, [])
            uses = self.uses[side].get(key, [])
            connection = _Connection(facts, uses)
            known = ([], {0: connection})
            if not connection.one_life:
                begins = lives.starts([*facts, *uses], _OPENED, lives.CONNECTION_SILENCE)
                if begins:
                    parts, used = lives.split(facts, begins), lives.split(uses, begins)
                    numbers = sorted(set(parts) | set(used))
                    known = (begins, {life: _Connection(parts.get(life, []), used.get(life, [])) for life in numbers})
            self._connections[side, key] = known
        return known

    def messages_of(self, mid: str) -> tuple[list[Time], dict[int, _Message]]:
        """Return the lives of one message id."""
        known = self._messages.get(mid)
        if known is None:
            facts = self.stores[MESSAGES].get(mid)
            if not facts:
                known = ([], {})
            else:
                message = _Message(facts)
                if message.one_life(facts):
                    known = ([], {0: message})
                else:
                    begins = lives.starts(facts, _MADE, lives.MESSAGE_SILENCE)
                    known = (begins, {life: _Message(part) for life, part in sorted(lives.split(facts, begins).items())})
            self._messages[mid] = known
        return known

    # receiving

    def received(self, message: _Message, above: tuple[_Message, ...] = ()) -> tuple[str, Record]:
        """Return the receiving verdict of one message, and the fields that come with it."""
        if message.received is None:
            message.received = self._receive(message, above)
        return message.received

    def _receive(self, message: _Message, above: tuple[_Message, ...]) -> tuple[str, Record]:
        found: Record = {}
        verdict = "unknown"
        start, origin, cef = message.start, message.origin, message.cef
        known = start
        if start is None or start[3] == "0":
            known = message.mention
        if known is None or known[3] is None or known[3] == "0":
            known = cef
        if known is not None and known[3] is not None and known[3] != "0":
            found["icid"] = int(known[3])
            verdict = self._over(known, found)
        elif origin is not None and origin[0] in _INTERNAL:
            verdict = "internal"
        elif origin is not None:
            verdict = self._inherited(origin, (*above, message), found)
        elif start is not None:
            # made by the appliance, and not from another message
            verdict = "internal"
        if cef is not None:
            verdict = _received_by_record(verdict, cef, found)
        if message.flow is not None:
            found["mail_flow"] = MAIL_FLOW[message.flow[3]]
        return verdict, found

    def _over(self, fact: Fact, found: Record) -> str:
        """Return the verdict of the connection that a message came over."""
        connection = self.connection(RECEIVING, fact[3], fact[1])
        if connection is None:
            return "unknown"
        if connection.opened is not None:
            _keep(found, "received_peer_ip", connection.opened[3])
            _keep(found, "received_peer_host", connection.opened[4])
        _keep(found, "mail_flow", connection.flow)
        _keep(found, "received_tls_version", connection.version)
        _keep(found, "received_tls_cipher", connection.cipher)
        _keep(found, "received_reason", connection.reason)
        return connection.verdict if connection.verdict in ("encrypted", "cleartext") else "unknown"

    def _inherited(self, origin: Fact, above: tuple[_Message, ...], found: Record) -> str:
        """Return the verdict of the message whose content a child carries."""
        begins, parents = self.messages_of(origin[3])
        parent = parents.get(lives.life_at(begins, origin[1]) if begins else 0)
        if parent is None or parent in above or parent.made_after(origin[1]):
            return "unknown"
        verdict, theirs = self.received(parent, above)
        found.update(theirs)
        found.pop("icid", None)
        if verdict in ("encrypted", "cleartext"):
            found.setdefault("received_from_mid", int(origin[3]))
        return verdict

    # delivery

    def deliveries(self, message: _Message) -> list[Record]:
        """Return every attempt to deliver one message, in order of time."""
        facts = message.deliveries
        if len(facts) == 2 and facts[0][3:5] == facts[1][3:5] and facts[0][3] != "0":
            # the common case: a start and its end
            first, second = (facts[1], facts[0]) if facts[1][0] == "delivery_started" else facts
            if first[0] == "delivery_started" and second[0] == "delivery_done":
                return [self._attempt(message, second[3], "done", None, second[1], set(_rids(second[4])))]
        attempts: dict[_Attempt, tuple[Time | None, set[int]]] = {}
        started: dict[_Attempt, tuple[Time | None, set[int]]] = {}
        for fact in facts:
            code, dcid, life = fact[0], fact[3] if fact[3] != "0" else None, 0
            if dcid is not None:
                begins = self.connections_of(DELIVERY, dcid)[0]
                life = lives.life_at(begins, fact[1]) if begins else 0
            if code == "delivery_started":
                _collect(started, _Attempt(dcid, life, None, None), fact)
            else:
                _collect(attempts, _Attempt(dcid, life, _OUTCOMES[code], None if code == "delivery_done" else fact[5]), fact)
        for key, (time, rids) in started.items():
            decided = [done for other, (_, done) in attempts.items() if other[:2] == key[:2]]
            left = rids.difference(*decided)
            if left:
                attempts[key] = (time, left)
        found = []
        for (dcid, _, outcome, response), (time, rids) in attempts.items():
            order = (_LONG_AGO if time is None else time, int(dcid or 0), outcome or "", response or "", sorted(rids))
            found.append((order, self._attempt(message, dcid, outcome, response, time, rids)))
        found.sort(key=lambda item: item[0])
        return [attempt for _, attempt in found]

    def _attempt(
        self, message: _Message, dcid: str | None, outcome: str | None, response: str | None, time: Time | None, rids: set[int]
    ) -> Record:
        attempt: Record = {}
        connection = None
        if dcid is not None:
            attempt["dcid"] = int(dcid)
            connection = self.connection(DELIVERY, dcid, time)
        attempt["rid"] = sorted(rids)
        if outcome is not None:
            attempt["outcome"] = outcome
        if connection is None:
            attempt["verdict"] = "unknown"
        else:
            attempt["verdict"] = connection.verdict
            _describe(attempt, connection)
        if "domain" not in attempt:
            recipients = message.recipients
            domains = {_domain(recipients[rid]) for rid in rids if rid in recipients}
            if len(domains) == 1:
                _keep(attempt, "domain", domains.pop())
        if response is not None:
            attempt["response"] = response
        return attempt

    def records(self, skip: frozenset[str] | set[str] = frozenset(), only: set[str] | None = None) -> Iterator[tuple[int, Record]]:
        """Yield MID and record of each life of each message, by MID: all but those to `skip`, or `only` some."""
        mids = self.stores[MESSAGES].keys() - skip if only is None else self.stores[MESSAGES].keys() & only
        for mid in sorted(mids, key=int):
            for _, message in sorted(self.messages_of(mid)[1].items()):
                yield int(mid), self.record(mid, message)

    def record(self, mid: str, message: _Message) -> Record:
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
            _delivered_by_record(record, deliveries, message.cef)
        record["delivered"] = _delivered(deliveries)
        record["deliveries"] = deliveries
        if message.first is not None and message.last is not None:
            record["first_seen"] = rfc3339(message.first)
            record["last_seen"] = rfc3339(message.last)
        record["finished"] = message.finished
        return record


def _rids(text: str | None) -> list[int]:
    if not text:
        return []
    return [int(text)] if text.isdigit() else [int(rid) for rid in text.replace(",", " ").split()]


def _domain(address: str) -> str:
    return address.rpartition("@")[2].lower()


def _collect(attempts: dict[Any, tuple[Time | None, set[int]]], key: Any, fact: Fact) -> None:
    known = attempts.get(key)
    if known is None:
        attempts[key] = (fact[1], set(_rids(fact[4])))
        return
    time, rids = known
    rids.update(_rids(fact[4]))
    if fact[1] is not None and (time is None or fact[1] < time):
        attempts[key] = (fact[1], rids)


def _describe(attempt: Record, connection: _Connection) -> None:
    _keep(attempt, "tls_version", connection.version)
    _keep(attempt, "tls_cipher", connection.cipher)
    if connection.opened is not None:
        _keep(attempt, "peer_ip", connection.opened[3])
    if connection.success is not None:
        _keep(attempt, "peer_host", connection.success[5])
        _keep(attempt, "domain", connection.success[6])
    _keep(attempt, "reason", connection.reason)


def _delivered(deliveries: list[Record]) -> str:
    verdicts = {attempt["verdict"] for attempt in deliveries if attempt.get("outcome") == "done"}
    if not verdicts:
        return "none"
    if len(verdicts) == 1:
        only = str(verdicts.pop())
        return only if only in ("encrypted", "cleartext") else "unknown"
    return "mixed" if {"encrypted", "cleartext"} <= verdicts else "unknown"


# the consolidated event is evidence for what it states, and for nothing that it leaves out


def _received_by_record(verdict: str, cef: Fact, found: Record) -> str:
    result, version, cipher = cef[5:8]
    if verdict == "unknown" and result is not None:
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


def _delivered_by_record(record: Record, deliveries: list[Record], cef: Fact) -> None:
    if "sender" not in record:
        _keep(record, "sender", cef[12])
    if "recipients" not in record and cef[13]:
        record["recipients"] = [address.strip() for address in cef[13].replace(";", ",").split(",") if address.strip()]
    if cef[4] is None or cef[8] is None:
        return
    dcid, result, version, cipher, action = int(cef[4]), cef[8], cef[9], cef[10], cef[11]
    outcome = {"DELIVERED": "done", "BOUNCED": "bounced"}.get(action or "")
    stated: Record = {"verdict": "encrypted" if result == "success" else "cleartext" if outcome == "done" else "failed"}
    if result == "success":
        _keep(stated, "tls_version", version)
        _keep(stated, "tls_cipher", cipher)
    theirs = [attempt for attempt in deliveries if attempt.get("dcid") == dcid]
    for attempt in theirs:
        if attempt["verdict"] == "unknown":
            attempt.update(stated)
    if not theirs:
        attempt = {"dcid": dcid, "rid": []}
        _keep(attempt, "outcome", outcome)
        deliveries.append({**attempt, **stated})


# records


def _connection_record(appliance: Appliance, side: int, key: str, connection: _Connection) -> Record:
    record: Record = {}
    if appliance.host:
        record["esa_host"] = appliance.host
    record["esa_direction"] = "receiving" if side == RECEIVING else "delivery"
    record["icid" if side == RECEIVING else "dcid"] = int(key)
    closed: list[Time] = []
    told: Record = {}
    for fact in sorted(connection.facts, key=_order):
        code = fact[0]
        if code == "connection_opened":
            names: tuple[str, ...] = ("peer_ip", "peer_host", "peer_port", "interface", "interface_ip")
        elif code == "hat_policy":
            names = ("hat_action", "sender_group", "country", "peer_ip")
        elif code == "connection_error":
            names = ("", "", "peer_ip", "peer_port", "tls_domain", "interface_ip")
        elif code == "tls_success":
            names = ("", "", "tls_peer_cn", "tls_domain")
        elif code == "connection_closed":
            if fact[1] is not None:
                closed.append(fact[1])
            continue
        else:
            names = ("", "peer_ip")
        for name, value in zip(names, fact[3:]):
            if name and value and name not in told:
                told[name] = int(value) if name == "peer_port" else value
    if connection.opened is not None and connection.opened[1] is not None:
        record["opened"] = rfc3339(connection.opened[1])
    if closed:
        record["closed"] = rfc3339(max(closed))
    record.update(told)
    record["tls_verdict"] = connection.verdict
    _keep(record, "tls_version", connection.version)
    _keep(record, "tls_cipher", connection.cipher)
    _keep(record, "tls_reason", connection.reason)
    if connection.required:
        record["tls_required"] = True
    named = [(fact, _message_at(appliance, fact[2], fact[1])) for fact in connection.uses]
    _keep(record, "domain", _partner(side, named, told.get("tls_domain")))
    flows = {appliance.received(message)[1].get("mail_flow") for _, message in named if message is not None}
    _keep(record, "mail_flow", connection.flow or (flows.pop() if len(flows) == 1 else None))
    record["messages"] = len({fact[2] for fact in connection.uses if fact[0] not in _TRIES})
    return record


def _message_at(appliance: Appliance, mid: str, time: Time | None) -> _Message | None:
    begins, found = appliance.messages_of(mid)
    return found.get(lives.life_at(begins, time) if begins else 0)


def _partner(side: int, named: list[tuple[Fact, _Message | None]], told: str | None) -> str | None:
    """Return the partner's domain: told by the line, or shared by all senders or all recipients concerned."""
    if told:
        return told.lower().rstrip(".")
    domains: set[str] = set()
    for fact, message in named:
        if message is None:
            continue
        if side == RECEIVING:
            if message.sent_by is not None:
                domains.add(_domain(message.sent_by))
        elif fact[0] != "cef":
            domains.update(_domain(message.recipients[rid]) for rid in _rids(fact[4]) if rid in message.recipients)
    return domains.pop() if len(domains) == 1 else None


def _appliances(facts: Facts) -> Iterator[Appliance]:
    for host in sorted(facts.hosts):
        yield Appliance(host, facts.hosts[host])


def connections(facts: Facts) -> Iterator[Record]:
    """Yield a record per connection (DESIGN section 8), by appliance, side, id and life."""
    for appliance in _appliances(facts):
        for side in (RECEIVING, DELIVERY):
            for key in appliance.ids(side):
                for _, connection in sorted(appliance.connections_of(side, key)[1].items()):
                    yield _connection_record(appliance, side, key, connection)


def messages(facts: Facts) -> Iterator[Record]:
    """Yield a record per message (DESIGN section 8), by appliance, MID and life."""
    for appliance in _appliances(facts):
        for _, record in appliance.records():
            yield record
