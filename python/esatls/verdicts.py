"""Facts -> records of connections and messages with their verdicts (DESIGN sections 4, 5 and 8).

The rule behind every verdict is Cisco's (tech note 118500): a TLS success line means TLS; no TLS line
between the opening of a connection and its message means none. What is not in view is `unknown`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable

from esatls import lives
from esatls.clock import Time, rfc3339
from esatls.facts import DELIVERY, MESSAGES, RECEIVING, Fact, Facts, Store
from esatls.kinds import MAIL_FLOW

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Record = dict[str, Any]

_OPENED = frozenset({"connection_opened"})
_MADE = frozenset({"message_started", "rewritten", "split", "copy", "released", "notification", "bounce"})
_INHERITS = frozenset({"rewritten", "split", "copy", "released"})
_INTERNAL = frozenset({"notification", "bounce"})
_FIRST: Time = float("-inf")


def _order(fact: Fact) -> tuple[Any, ...]:
    """Sort facts by time, then by what they say, whatever the order they came in."""
    return (_FIRST if fact[1] is None else fact[1], fact[0], *("" if value is None else value for value in fact[2:]))



class _Connection:
    """The verdict on one life of one connection."""

    __slots__ = ("cipher", "facts", "reason", "required", "success", "uses", "verdict", "version")

    def __init__(self, facts: list[Fact], uses: list[tuple[Time | None, str, str]]) -> None:
        self.facts = facts
        self.uses = uses
        self.success: Fact | None = None
        self.version: str | None = None
        self.cipher: str | None = None
        self.reason: str | None = None
        self.required = False
        self.verdict = self._judge()

    def _judge(self) -> str:
        opened: Time | None = None
        in_view = read = False
        attempts: list[Fact] = []
        errors: list[Fact] = []
        for fact in self.facts:
            code = fact[0]
            if code == "connection_opened":
                in_view = True
                opened = fact[1] if opened is None or fact[1] is None else min(opened, fact[1])
            elif code == "tls_success":
                if self.success is None or _order(fact) < _order(self.success):
                    self.success = fact
            elif code in ("tls_failed", "tls_required", "tls_not_offered"):
                attempts.append(fact)
                self.required |= code == "tls_required"
            elif code == "connection_error":
                errors.append(fact)
            elif code == "tls_read":
                read = True
        if self.success is not None:
            self.version, self.cipher = self.success[3:5]
            return "encrypted"
        passed = [time for time, _, code in self.uses if code in _PASSES]
        if passed:
            return self._with_message(passed, attempts, in_view=in_view, opened=opened, read=read)
        if attempts:
            # the line that says required tells more than the failure beside it
            required = [fact for fact in attempts if fact[0] == "tls_required"]
            self.reason = min(required or attempts, key=_order)[3]
            return "failed"
        if errors:
            self.reason = _possible(min(errors, key=_order))
            return "failed"
        if read:
            return "encrypted"
        return "unused" if in_view else "unknown"

    def _with_message(
        self, passed: list[Time | None], attempts: list[Fact], *, in_view: bool, opened: Time | None, read: bool
    ) -> str:
        known = [time for time in passed if time is not None]
        first = min(known) if len(known) == len(passed) else None
        before = [fact for fact in attempts if fact[1] is None or first is None or fact[1] <= first]
        if before:
            self.reason = min(before, key=_order)[3]
            return "cleartext"
        if read:
            return "encrypted"
        if in_view and (opened is None or first is None or opened <= first + lives.SAME_OPENING):
            return "cleartext"
        return "unknown"


# what a message does on a connection when it passes over it
_PASSES = frozenset({"message_started", "message_sender", "message_recipient", "delivery_started", "delivery_done", "message_quarantined"})


def _possible(error: Fact) -> str:
    reason, details = error[3], error[4]
    told = reason or details or "connection error"
    if reason and details:
        told = f"{reason} ({details})"
    return f"possibly: {told}"


class _Appliance:
    """The facts of one appliance, with the verdicts found so far."""

    def __init__(self, host: str, stores: tuple[Store, Store, Store]) -> None:
        self.host = host
        self.stores = stores
        self.uses: tuple[dict[str, list[tuple[Time | None, str, str]]], dict[str, list[tuple[Time | None, str, str]]]] = ({}, {})
        self._connections: dict[tuple[int, str], tuple[list[Time], dict[int, _Connection]]] = {}
        self._messages: dict[str, tuple[list[Time], dict[int, list[Fact]]]] = {}
        self._received: dict[tuple[str, int], tuple[str, Record]] = {}
        receiving, delivery = self.uses
        for mid, facts in stores[MESSAGES].items():
            for fact in facts:
                code = fact[0]
                if code in ("message_started", "message_sender", "message_recipient"):
                    icid = fact[3]
                    if icid is not None and icid != "0":
                        receiving.setdefault(icid, []).append((fact[1], mid, code))
                elif code in ("delivery_started", "delivery_done", "delivery_bounced", "delivery_delayed", "message_quarantined"):
                    dcid = fact[3]
                    if dcid is not None and dcid != "0":
                        delivery.setdefault(dcid, []).append((fact[1], mid, code))

    def connections(self, side: int) -> Iterator[tuple[str, int, _Connection]]:
        """Yield id, life and verdict of every connection of one side."""
        ids = {key: None for key in self.stores[side] if key != "0"}
        ids.update((key, None) for key in self.uses[side])
        for key in ids:
            for life, connection in self._lives_of(side, key)[1].items():
                yield key, life, connection

    def connection(self, side: int, key: str, time: Time | None) -> _Connection | None:
        """Return the connection that had this id at this time."""
        begins, found = self._lives_of(side, key)
        return found.get(lives.life_at(begins, time))

    def _lives_of(self, side: int, key: str) -> tuple[list[Time], dict[int, _Connection]]:
        known = self._connections.get((side, key))
        if known is None:
            facts = self.stores[side].get(key, [])
            uses = self.uses[side].get(key, [])
            begins = lives.starts(facts, _OPENED, lives.CONNECTION_SILENCE, [use[0] for use in uses if use[0] is not None])
            if not begins:
                known = (begins, {0: _Connection(facts, uses)})
            else:
                parts = lives.split(facts, begins)
                used: dict[int, list[tuple[Time | None, str, str]]] = {}
                for use in uses:
                    used.setdefault(lives.life_at(begins, use[0]), []).append(use)
                known = (
                    begins,
                    {life: _Connection(parts.get(life, []), used.get(life, [])) for life in sorted(set(parts) | set(used))},
                )
            self._connections[side, key] = known
        return known

    def messages_of(self, mid: str) -> tuple[list[Time], dict[int, list[Fact]]]:
        """Return the lives of one message id."""
        known = self._messages.get(mid)
        if known is None:
            facts = self.stores[MESSAGES].get(mid, [])
            begins = lives.starts(facts, _MADE, lives.MESSAGE_SILENCE)
            known = (begins, lives.split(facts, begins)) if begins else (begins, {0: facts} if facts else {})
            self._messages[mid] = known
        return known

    # one message

    def received(self, mid: str, life: int, facts: list[Fact], above: tuple[tuple[str, int], ...] = ()) -> tuple[str, Record]:
        """Return the receiving verdict of one message, and the fields that come with it."""
        known = self._received.get((mid, life))
        if known is None:
            known = self._received[mid, life] = self._receive(mid, life, facts, above)
        return known

    def _receive(self, mid: str, life: int, facts: list[Fact], above: tuple[tuple[str, int], ...]) -> tuple[str, Record]:
        start = origin = cef = flow = None
        mentioned = None
        for fact in facts:
            code = fact[0]
            if code == "message_started":
                if start is None or _order(fact) < _order(start):
                    start = fact
            elif code in _MADE:
                if origin is None or _order(fact) < _order(origin):
                    origin = fact
            elif code in ("message_sender", "message_recipient"):
                if mentioned is None or _order(fact) < _order(mentioned):
                    mentioned = fact
            elif code == "message_policy":
                if flow is None or _order(fact) < _order(flow):
                    flow = fact
            elif code == "cef":
                if cef is None or _order(fact) < _order(cef):
                    cef = fact
        found: Record = {}
        icid = None
        time: Time | None = None
        for fact in (start, mentioned):
            if icid is None and fact is not None and fact[3] not in (None, "0"):
                icid, time = fact[3], fact[1]
        if icid is None and cef is not None and cef[3] not in (None, "0"):
            icid, time = cef[3], cef[1]
        verdict = "unknown"
        if icid is not None:
            found["icid"] = int(icid)
            verdict = self._over(icid, time, found)
        elif origin is not None and origin[0] in _INTERNAL:
            verdict = "internal"
        elif origin is not None:
            verdict = self._inherited(origin, (*above, (mid, life)), found)
        elif start is not None and start[3] == "0":
            verdict = "internal"
        if cef is not None:
            verdict = _from_record(verdict, cef, found)
        if flow is not None:
            found["mail_flow"] = MAIL_FLOW[flow[3]]
        return verdict, found

    def _over(self, icid: str, time: Time | None, found: Record) -> str:
        connection = self.connection(RECEIVING, icid, time)
        if connection is None:
            return "unknown"
        for fact in sorted(connection.facts, key=_order):
            if fact[0] == "connection_opened":
                _keep(found, "received_peer_ip", fact[3])
                _keep(found, "received_peer_host", fact[4])
            elif fact[0] == "hat_policy":
                _keep(found, "mail_flow", MAIL_FLOW.get(fact[3] or ""))
        _keep(found, "received_tls_version", connection.version)
        _keep(found, "received_tls_cipher", connection.cipher)
        _keep(found, "received_reason", connection.reason)
        return connection.verdict if connection.verdict in ("encrypted", "cleartext") else "unknown"

    def _inherited(self, origin: Fact, above: tuple[tuple[str, int], ...], found: Record) -> str:
        parent = origin[3]
        begins, parents = self.messages_of(parent)
        life = lives.life_at(begins, origin[1])
        if life not in parents or (parent, life) in above:
            return "unknown"
        verdict, theirs = self.received(parent, life, parents[life], above)
        found.update({key: value for key, value in theirs.items() if key != "icid"})
        if verdict in ("encrypted", "cleartext"):
            found.setdefault("received_from_mid", int(parent))
        return verdict

    def deliveries(self, facts: list[Fact], recipients: dict[int, str]) -> list[Record]:
        """Return every attempt to deliver one message, in order of time."""
        attempts: dict[tuple[Any, ...], tuple[Time | None, set[int]]] = {}
        started: dict[str, tuple[Time | None, set[int]]] = {}
        decided: dict[str, set[int]] = {}
        for fact in facts:
            code = fact[0]
            if code == "delivery_started":
                _collect(started, fact[3], fact)
            elif code in _OUTCOMES:
                dcid = fact[3] if fact[3] != "0" else None
                response = fact[5] if code != "delivery_done" else None
                _collect(attempts, (dcid, _OUTCOMES[code], response), fact)
                decided.setdefault(dcid or "", set()).update(_rids(fact[4]))
        for dcid, (time, rids) in started.items():
            left = rids - decided.get(dcid, set())
            if left:
                attempts[dcid, None, None] = (time, left)
        found = []
        for (dcid, outcome, response), (time, rids) in attempts.items():
            attempt: Record = {}
            if dcid is not None:
                attempt["dcid"] = int(dcid)
            attempt["rid"] = sorted(rids)
            _keep(attempt, "outcome", outcome)
            connection = None if dcid is None else self.connection(DELIVERY, dcid, time)
            attempt["verdict"] = "unknown" if connection is None else connection.verdict
            if connection is not None:
                _describe(attempt, connection)
            domains = {_domain(recipients[rid]) for rid in rids if rid in recipients}
            if "domain" not in attempt and len(domains) == 1:
                _keep(attempt, "domain", domains.pop())
            _keep(attempt, "response", response)
            found.append((_FIRST if time is None else time, dcid or "", outcome or "", response or "", attempt))
        found.sort(key=lambda item: (item[0], len(item[1]), *item[1:4], item[4]["rid"]))
        return [item[4] for item in found]

    def message(self, mid: str, life: int, facts: list[Fact]) -> Record:
        """Return the record of one life of one message."""
        record: Record = {}
        if self.host:
            record["esa_host"] = self.host
        record["mid"] = int(mid)
        verdict, received = self.received(mid, life, facts)
        sender = origin = cef = None
        recipients: dict[int, str] = {}
        finished = False
        first: Time | None = None
        last: Time | None = None
        for fact in facts:
            code, time = fact[0], fact[1]
            if time is not None:
                if first is None or time < first:
                    first = time
                if last is None or time > last:
                    last = time
            if code == "message_sender":
                if fact[4] is not None and (sender is None or _order(fact) < _order(sender)):
                    sender = fact
            elif code == "message_recipient":
                if fact[5] is not None:
                    rid = int(fact[4])
                    recipients[rid] = min(fact[5], recipients.get(rid, fact[5]))
            elif code == "message_finished":
                finished = True
            elif code in ("delivery_bounced", "delivery_delayed"):
                _from_bounce_log(fact, recipients)
            elif code == "cef":
                if cef is None or _order(fact) < _order(cef):
                    cef = fact
            elif code in _MADE and code != "message_started" and (origin is None or _order(fact) < _order(origin)):
                origin = fact
        record.update(received)
        record["received"] = verdict
        _keep(record, "sender", sender[4] if sender is not None else _bounced_sender(facts))
        record["recipients"] = [recipients[rid] for rid in sorted(recipients)]
        if origin is not None:
            record["parent_mid"] = int(origin[3])
            record["mid_relation"] = origin[0]
        deliveries = self.deliveries(facts, recipients)
        if cef is not None:
            _complete(record, deliveries, cef)
        record["delivered"] = _delivered(deliveries)
        record["deliveries"] = deliveries
        if first is not None and last is not None:
            record["first_seen"] = rfc3339(first)
            record["last_seen"] = rfc3339(last)
        record["finished"] = finished
        return record


_OUTCOMES = {"delivery_done": "done", "delivery_bounced": "bounced", "delivery_delayed": "delayed"}


def _keep(record: Record, name: str, value: Any) -> None:
    """Set a field unless it has no value: absent, never empty."""
    if value is not None and value != "":
        record[name] = value


def _rids(text: str | None) -> list[int]:
    return [] if not text else [int(rid) for rid in text.replace(",", " ").split()]


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
    _keep(attempt, "reason", connection.reason)
    for fact in sorted(connection.facts, key=_order):
        if fact[0] == "connection_opened" and "peer_ip" not in attempt:
            _keep(attempt, "peer_ip", fact[3])
            _keep(attempt, "peer_host", fact[4])
    if connection.success is not None:
        _keep(attempt, "peer_host", connection.success[5])
        _keep(attempt, "domain", connection.success[6])


def _delivered(deliveries: list[Record]) -> str:
    verdicts = {attempt["verdict"] for attempt in deliveries if attempt.get("outcome") == "done"}
    if not verdicts:
        return "none"
    if verdicts == {"encrypted"} or verdicts == {"cleartext"}:
        return str(verdicts.pop())
    return "mixed" if {"encrypted", "cleartext"} <= verdicts else "unknown"


def _from_bounce_log(fact: Fact, recipients: dict[int, str]) -> None:
    if fact[7] and fact[4] is not None:
        for rid in _rids(fact[4]):
            recipients.setdefault(rid, fact[7])


def _bounced_sender(facts: list[Fact]) -> str | None:
    told = [fact[6] for fact in facts if fact[0] in ("delivery_bounced", "delivery_delayed") and fact[6]]
    return min(told) if told else None


# the consolidated event: evidence for what it states, for nothing that it leaves out

def _from_record(verdict: str, cef: Fact, found: Record) -> str:
    result, version, cipher = cef[5:8]
    if verdict == "unknown" and result is not None:
        verdict = "encrypted" if result == "success" else "cleartext"
        if verdict == "encrypted":
            _keep(found, "received_tls_version", version)
            _keep(found, "received_tls_cipher", cipher)
        else:
            found["received_reason"] = "TLS failed"
    for name, value in (("received_peer_ip", cef[15]), ("received_peer_host", cef[16]), ("mail_flow", cef[14])):
        if name not in found:
            _keep(found, name, value)
    return verdict


def _complete(record: Record, deliveries: list[Record], cef: Fact) -> None:
    if "sender" not in record:
        _keep(record, "sender", cef[12])
    if not record["recipients"] and cef[13]:
        record["recipients"] = [address.strip() for address in cef[13].split(",") if address.strip()]
    dcid, result, version, cipher, action = cef[4], cef[8], cef[9], cef[10], cef[11]
    if dcid is None or result is None:
        return
    verdict = "encrypted" if result == "success" else "cleartext" if action == "DELIVERED" else "failed"
    for attempt in deliveries:
        if attempt.get("dcid") == int(dcid) and attempt["verdict"] == "unknown":
            attempt["verdict"] = verdict
            if verdict == "encrypted":
                _keep(attempt, "tls_version", version)
                _keep(attempt, "tls_cipher", cipher)
    if not any(attempt.get("dcid") == int(dcid) for attempt in deliveries):
        attempt = {"dcid": int(dcid), "rid": [], "verdict": verdict}
        if action == "DELIVERED":
            attempt["outcome"] = "done"
        elif action == "BOUNCED":
            attempt["outcome"] = "bounced"
        if verdict == "encrypted":
            _keep(attempt, "tls_version", version)
            _keep(attempt, "tls_cipher", cipher)
        deliveries.append(attempt)


# records

def _connection_record(appliance: _Appliance, side: int, key: str, connection: _Connection) -> Record:
    record: Record = {}
    if appliance.host:
        record["esa_host"] = appliance.host
    record["esa_direction"] = "receiving" if side == RECEIVING else "delivery"
    record["icid" if side == RECEIVING else "dcid"] = int(key)
    opened: list[Time] = []
    closed: list[Time] = []
    for fact in sorted(connection.facts, key=_order):
        code = fact[0]
        if code == "connection_opened":
            if fact[1] is not None:
                opened.append(fact[1])
            for name, value in zip(("peer_ip", "peer_host", "peer_port", "interface", "interface_ip"), fact[3:8]):
                if name not in record:
                    _keep(record, name, int(value) if name == "peer_port" and value else value)
        elif code == "connection_closed":
            if fact[1] is not None:
                closed.append(fact[1])
        elif code == "hat_policy":
            for name, value in (("hat_action", fact[3]), ("sender_group", fact[4]), ("country", fact[5]), ("peer_ip", fact[6])):
                if name not in record:
                    _keep(record, name, value)
            _keep(record, "mail_flow", MAIL_FLOW.get(fact[3] or ""))
        elif code == "connection_error":
            for name, value in (("peer_ip", fact[5]), ("peer_port", int(fact[6]) if fact[6] else None), ("tls_domain", fact[7]), ("interface_ip", fact[8])):
                if name not in record:
                    _keep(record, name, value)
        elif code in ("tls_failed", "tls_required", "tls_not_offered") and "peer_ip" not in record:
            _keep(record, "peer_ip", fact[4])
    if opened:
        record["opened"] = rfc3339(min(opened))
    if closed:
        record["closed"] = rfc3339(max(closed))
    record["tls_verdict"] = connection.verdict
    _keep(record, "tls_version", connection.version)
    _keep(record, "tls_cipher", connection.cipher)
    _keep(record, "tls_reason", connection.reason)
    if connection.success is not None:
        _keep(record, "tls_peer_cn", connection.success[5])
        _keep(record, "tls_domain", connection.success[6])
    if connection.required:
        record["tls_required"] = True
    _keep(record, "domain", _partner(appliance, side, connection, record.get("tls_domain")))
    record["messages"] = len({mid for _, mid, code in connection.uses if code in _PASSES})
    return record


def _partner(appliance: _Appliance, side: int, connection: _Connection, told: str | None) -> str | None:
    """Return the partner's domain: told by the line, or shared by all senders or all recipients concerned."""
    if told:
        return told.lower()
    domains = set()
    for time, mid, code in connection.uses:
        begins, parts = appliance.messages_of(mid)
        for fact in parts.get(lives.life_at(begins, time), ()):
            if side == RECEIVING and fact[0] == "message_sender" and fact[4]:
                domains.add(_domain(fact[4]))
            elif side == DELIVERY and fact[0] == "message_recipient" and fact[5]:
                domains.add(_domain(fact[5]))
    return domains.pop() if len(domains) == 1 else None


def _appliances(facts: Facts) -> Iterable[_Appliance]:
    return (_Appliance(host, facts.hosts[host]) for host in sorted(facts.hosts))


def connections(facts: Facts) -> Iterator[Record]:
    """Yield a record per connection (DESIGN section 8), by appliance, side, id and life."""
    for appliance in _appliances(facts):
        for side in (RECEIVING, DELIVERY):
            for key, _, connection in sorted(appliance.connections(side), key=lambda item: (int(item[0]), item[1])):
                yield _connection_record(appliance, side, key, connection)


def messages(facts: Facts) -> Iterator[Record]:
    """Yield a record per message (DESIGN section 8), by appliance, MID and life."""
    for appliance in _appliances(facts):
        for mid in sorted(appliance.stores[MESSAGES], key=int):
            for life, own in sorted(appliance.messages_of(mid)[1].items()):
                yield appliance.message(mid, life, own)
