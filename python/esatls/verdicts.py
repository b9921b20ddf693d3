"""Facts -> records of connections and messages with their verdicts (VERDICTS.md).

The rule behind every verdict is Cisco's (tech note 118500): a TLS success line means TLS; no TLS line
between the opening of a connection and its message means none. What is not in view is `unknown`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from esatls import lives
from esatls.clock import rfc3339
from esatls.facts import OPENS, TRACKING, TRIES, Fact, Facts, Store, order
from esatls.kinds import MAIL_FLOW
from esatls.match import DELIVERY, MESSAGES, RECEIVING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from esatls.clock import Time

Record = dict[str, Any]

_OPENED = frozenset({"connection_opened"})
_INTERNAL = frozenset({"notification", "bounce"})
_DONE = {"delivery_started", "delivery_done"}
_OUTCOMES = {"delivery_done": "done", "delivery_bounced": "bounced", "delivery_delayed": "delayed"}
_LONG_AGO: Time = float("-inf")


def _earlier(fact: Fact, known: Fact | None) -> Fact:
    """Return the earlier of two facts."""
    if known is None or (fact != known and order(fact) < order(known)):
        return fact
    return known


def _keep(record: Record, name: str, value: Any) -> None:
    """Set a field unless it has no value: absent, never empty."""
    if value is not None and value != "":
        record[name] = value


class _Connection:
    """The verdict on one life of one connection."""

    __slots__ = (
        "attempts", "cipher", "conflict", "error", "facts", "flow", "one_life", "opened",
        "reason", "required", "stated", "success", "uses", "verdict", "version",
    )  # fmt: skip

    def __init__(self, facts: Sequence[Fact], uses: Sequence[Fact]) -> None:
        self.facts = facts
        self.uses = uses
        """Facts of messages that name this connection."""
        opened = success = error = flow = None
        attempts: list[Fact] | None = None
        stated: list[Fact] | None = None
        read = False
        one_life = True
        first = last = None
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
            if code == "hat_policy":
                if fact[3] in MAIL_FLOW:
                    flow = max(flow or "", MAIL_FLOW[fact[3]])
            elif code == "connection_opened":
                if opened is None:
                    opened = fact
                elif fact != opened:
                    one_life = False
                    opened = _earlier(fact, opened)
            elif code == "tls_success":
                success = fact if success is None else _earlier(fact, success)
            elif code == "connection_closed":
                pass
            elif code == "connection_error":
                error = _earlier(fact, error)
            elif code == "tls_read":
                read = True
            elif code == "cef_tls":
                stated = [*(stated or ()), fact]
            else:
                attempts = [*(attempts or ()), fact]
        for fact in uses:
            time = fact[1]
            if time is not None:
                if first is None:
                    first = last = time
                elif time < first:
                    first = time
                elif time > last:
                    last = time
        if first is not None:
            began = None if opened is None else opened[1]
            if last - first > lives.CONNECTION_SILENCE or (began is not None and first < began - lives.SAME_OPENING):
                one_life = False
        self.opened: Fact | None = opened
        self.success: Fact | None = success
        self.error: Fact | None = error
        self.flow: str | None = flow
        self.one_life = one_life
        """Whether all of it is plainly of one connection."""
        self.reason: str | None = None
        self.conflict: str | None = None
        """What another witness says to the contrary."""
        self.attempts = attempts or ()
        self.stated = stated or ()
        self.required = attempts is not None and any(fact[0] == "tls_required" for fact in attempts)
        if success is not None:
            self.version, self.cipher = success[3], success[4]
            self.verdict = "encrypted"
        else:
            self.version = self.cipher = None
            self.verdict = self._without_success(read=read)
        if stated is not None:
            self._hear(stated)

    def _without_success(self, *, read: bool) -> str:
        passed = [use[1] for use in self.uses if use[0] not in TRIES]
        if passed:
            return self._with_message(passed, read=read)
        if self.attempts:
            # the line that says required tells more than the failure beside it
            required = [fact for fact in self.attempts if fact[0] == "tls_required"]
            self.reason = min(required or self.attempts, key=order)[3]
            return "failed"
        if self.error is not None and self.opened is not None:
            self.reason = _possible(self.error)
            return "failed"
        if read:
            return "encrypted"
        return "unknown" if self.opened is None else "unused"

    def _with_message(self, passed: list[Time | None], *, read: bool) -> str:
        first = None if None in passed else min(passed)  # type: ignore[type-var]
        before = [fact for fact in self.attempts if fact[1] is None or first is None or fact[1] <= first]
        if before:
            self.reason = min(before, key=order)[3]
            return "cleartext"
        if read:
            return "encrypted"
        if self.opened is None:
            return "unknown"
        opened = self.opened[1]
        return "cleartext" if opened is None or first is None or opened <= first + lives.SAME_OPENING else "unknown"

    def _hear(self, stated: list[Fact]) -> None:
        """Weigh what consolidated events state: more than a line that is missing, less than a line that is there."""
        fact = min(stated, key=lambda one: (one[3] != "success", order(one)))
        theirs = "encrypted" if fact[3] == "success" else "cleartext"
        before = self.verdict
        if before == theirs:
            if theirs == "encrypted" and self.success is None:
                self.version, self.cipher = fact[4], fact[5]
            return
        if self.success is None and not self.attempts:
            self.verdict = theirs
            if theirs == "encrypted":
                self.version, self.cipher = fact[4], fact[5]
            else:
                self.reason = "TLS failed"
            if before == "cleartext":
                self.conflict = f"text: {before}, cef: {theirs}"
        elif before in ("encrypted", "cleartext"):
            self.conflict = f"text: {before}, cef: {theirs}"

    def deciding(self) -> Iterable[Fact]:
        """Return the facts that the verdict rests on."""
        if self.verdict == "encrypted":
            sure = [fact for fact in self.facts if fact[0] == "tls_success" or (fact[0] == "cef_tls" and fact[3] == "success")]
            return sure or [fact for fact in self.facts if fact[0] == "tls_read"]
        if self.verdict in ("cleartext", "failed"):
            tried = [*self.attempts, *(fact for fact in self.stated if fact[3] != "success")]
            if tried:
                return tried
            if self.verdict == "failed":
                return [fact for fact in self.facts if fact[0] == "connection_error"]
        return [] if self.verdict == "unknown" else [fact for fact in self.facts if fact[0] == "connection_opened"]


def _possible(error: Fact) -> str:
    """Return the reason of a connection error, which may be a failed handshake; nobody can be certain."""
    reason, details = error[3], error[4]
    if reason and details:
        return f"possibly: {reason} ({details})"
    return f"possibly: {reason or details or 'connection error'}"


def witnesses(facts: Iterable[Fact]) -> list[str]:
    """Return who states some facts: text, cef, tracking; empty if it is the text log alone."""
    found = {"cef" if fact[0].startswith("cef") else "tracking" if fact[-1] == TRACKING else "text" for fact in facts}
    return sorted(found) if found - {"text"} else []


class _Message:
    """What the facts of one life of one message say, in one pass."""

    __slots__ = (
        "cef", "deliveries", "finished", "first", "flow", "last", "mention", "on",
        "one_life", "origin", "over", "received", "recipients", "sent_by", "start",
    )  # fmt: skip

    def __init__(self, facts: Sequence[Fact]) -> None:
        start = origin = sender = flow = first = last = icid = None
        made: list[Time] = []
        starts: list[Fact] = []
        mentions: list[Fact] = []
        records: list[Fact] = []
        quarantined: list[Fact] = []
        deliveries: list[Fact] = []
        recipients: dict[int, str] = {}
        finished = False
        tried = False
        strayed = False
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
                mentions.append(fact)
                if fact[3] != icid:
                    strayed = True
                if fact[5] is not None:
                    rid = int(fact[4])
                    known = recipients.get(rid)
                    recipients[rid] = fact[5] if known is None else min(known, fact[5])
            elif code == "delivery_done" or code == "delivery_started":  # noqa: PLR1714 - faster
                deliveries.append(fact)
            elif code == "message_sender":
                mentions.append(fact)
                if fact[3] != icid:
                    strayed = True
                if fact[4] is not None:
                    sender = fact if sender is None else _earlier(fact, sender)
            elif code == "message_started":
                if start is None:
                    start = fact
                    icid = fact[3]
                    starts.append(fact)
                    if time is not None:
                        made.append(time)
                elif fact != start:
                    starts.append(fact)
                    if fact[3] != icid:
                        strayed = True
                    if time is not None:
                        made.append(time)
                    start = _earlier(fact, start)
            elif code == "message_policy":
                flow = fact if flow is None else _earlier(fact, flow)
            elif code == "message_finished":
                finished = True
            elif code in OPENS:
                if time is not None:
                    made.append(time)
                origin = _earlier(fact, origin)
            elif code == "cef":
                records.append(fact)
            elif code == "message_quarantined":
                quarantined.append(fact)
            elif code in TRIES:
                tried = True
                deliveries.append(fact)
        self.one_life = first is None or (
            last - first <= lives.MESSAGE_SILENCE and (not made or (first >= min(made) - lives.SAME_OPENING and max(made) - min(made) <= lives.SAME_OPENING))
        )
        """Whether all of it is plainly of one message."""
        self.start: Fact | None = start
        self.origin: Fact | None = origin
        """The line that made it from another message."""
        self.mention: Fact | None = None
        """An envelope line with the ICID, where the start is not in view."""
        if mentions and (start is None or icid == "0" or strayed):
            if start is None or start[3] == "0":
                self.mention = min(mentions, key=order)
            if len({fact[3] for fact in starts}) == 1:
                mentions = [fact for fact in mentions if fact[3] != icid]
            starts += mentions
        self.over = starts + records if records else starts
        """The facts that name the connection it came over."""
        self.on = deliveries + quarantined if quarantined else deliveries
        """The facts that name a connection it went over."""
        self.flow: str | None = None if flow is None else flow[3]
        self.cef: Fact | None = None
        if records:
            self.cef = _merged(records)
            self.on = self.on + [fact for fact in records if fact[11] == "DELIVERED"]
        self.recipients = recipients
        self.deliveries = deliveries
        self.finished = finished
        self.first: Time | None = first
        self.last: Time | None = last
        self.sent_by: str | None = None if sender is None else sender[4]
        self.received: tuple[str, Record] | None = None
        if tried:
            self._read_bounces(deliveries)

    def _read_bounces(self, deliveries: list[Fact]) -> None:
        """Take the envelope that bounce logs repeat, where the message's own lines are not in view."""
        bounced: dict[int, str] = {}
        senders = set()
        for fact in deliveries:
            if fact[0] in TRIES:
                if fact[6]:
                    senders.add(fact[6])
                if fact[7]:
                    for rid in _rids(fact[4]):
                        bounced[rid] = min(bounced.get(rid, fact[7]), fact[7])
        if self.sent_by is None and senders:
            self.sent_by = min(senders)
        for rid, address in bounced.items():
            self.recipients.setdefault(rid, address)

    def made_after(self, time: Time | None) -> bool:
        """Tell whether this message began after a time: its id had another owner then."""
        if time is None:
            return False
        made: list[Time] = [fact[1] for fact in (self.start, self.origin) if fact is not None and fact[1] is not None]
        latest: Time = max(made, default=time)
        return latest > time + lives.SAME_OPENING


def _merged(cef: list[Fact]) -> Fact:
    """Return what several records of one message say together: of each field the first value there is."""
    cef = sorted(set(cef), key=order)
    return tuple(next((fact[i] for fact in cef if fact[i] is not None), None) for i in range(len(cef[0])))


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
        self._simple: tuple[dict[str, _Connection], dict[str, _Connection]] = ({}, {})
        """Connections whose ids were used once."""
        self._connections: dict[tuple[int, str], tuple[list[Time], dict[int, _Connection]]] = {}
        self._stamps: dict[Time, str] = {}
        self._whole: dict[str, _Message] = {}
        """Messages whose ids were used once."""
        self._messages: dict[str, tuple[list[Time], dict[int, _Message]]] = {}
        for mid, facts in stores[MESSAGES].items():
            message = _Message(facts)
            self._note_uses(message)
            if message.one_life:
                self._whole[mid] = message

    def _note_uses(self, message: _Message) -> None:
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

    def connection(self, side: int, key: str, time: Time | None) -> _Connection | None:
        """Return the connection that had this id at this time."""
        simple = self._simple[side].get(key)
        if simple is not None:
            return simple
        begins, found = self.connections_of(side, key)
        return found.get(lives.life_at(begins, time) if begins else 0)

    def connections_of(self, side: int, key: str) -> tuple[list[Time], dict[int, _Connection]]:
        """Return the lives of one connection id."""
        simple = self._simple[side].get(key)
        if simple is not None:
            return [], {0: simple}
        known = self._connections.get((side, key))
        if known is None:
            facts = self.stores[side].get(key, ())
            uses = self.uses[side].get(key, ())
            connection = _Connection(facts, uses)
            begins = [] if connection.one_life else lives.starts([*facts, *uses], _OPENED, lives.CONNECTION_SILENCE)
            if not begins:
                self._simple[side][key] = connection
                return [], {0: connection}
            parts, used = lives.split(facts, begins), lives.split(uses, begins)
            numbers = sorted(set(parts) | set(used))
            known = self._connections[side, key] = (begins, {life: _Connection(parts.get(life, ()), used.get(life, ())) for life in numbers})
        return known

    def messages_of(self, mid: str) -> tuple[list[Time], dict[int, _Message]]:
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
                known = (begins, {life: _Message(part) for life, part in sorted(lives.split(facts, begins).items())})
            self._messages[mid] = known
        return known

    def message(self, mid: str, time: Time | None) -> _Message | None:
        """Return the message that had this id at this time."""
        begins, found = self.messages_of(mid)
        return found.get(lives.life_at(begins, time) if begins else 0)

    # receiving

    def received(self, message: _Message) -> tuple[str, Record]:
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

    def _parent(self, message: _Message) -> _Message | None:
        """Return the message whose content a message carries, if that is in view."""
        origin = message.origin
        if origin is None or origin[0] in _INTERNAL:
            return None
        parent = self.message(origin[3], origin[1])
        return None if parent is None or parent.made_after(origin[1]) else parent

    def _receive(self, message: _Message) -> tuple[str, Record]:
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
        opened = connection.opened
        if opened is not None:
            if opened[3]:
                found["received_peer_ip"] = opened[3]
            if opened[4]:
                found["received_peer_host"] = opened[4]
        if connection.flow:
            found["mail_flow"] = connection.flow
        if connection.version:
            found["received_tls_version"] = connection.version
        if connection.cipher:
            found["received_tls_cipher"] = connection.cipher
        if connection.reason:
            found["received_reason"] = connection.reason
        if self.several:
            _keep(found, "received_conflict", connection.conflict)
            _keep(found, "received_witness", witnesses(connection.deciding()) or None)
        return connection.verdict if connection.verdict in ("encrypted", "cleartext") else "unknown"

    def _inherited(self, message: _Message, origin: Fact, found: Record) -> str:
        """Return the verdict of the message whose content a child carries."""
        parent = self._parent(message)
        if parent is None or parent.received is None:
            return "unknown"
        verdict, theirs = parent.received
        found.update(theirs)
        found.pop("icid", None)
        if verdict in ("encrypted", "cleartext"):
            found.setdefault("received_from_mid", int(origin[3]))
        return verdict

    # delivery

    def deliveries(self, message: _Message) -> list[Record]:
        """Return every attempt to deliver one message, in order of time."""
        facts = message.deliveries
        if len(facts) == 2 and facts[0][3:5] == facts[1][3:5] and {facts[0][0], facts[1][0]} == _DONE and facts[0][3] != "0":
            # the common case: a start and its end, on a connection whose id was used once
            dcid = facts[0][3]
            begins, connections = self.connections_of(DELIVERY, dcid)
            if not begins:
                return [self._attempt(message, dcid, "done", None, connections[0], sorted(set(_rids(facts[0][4]))))]
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
            place = (_LONG_AGO if time is None else time, int(dcid or 0), outcome or "", response or "", sorted(rids))
            connection = None if dcid is None else self.connection(DELIVERY, dcid, time)
            found.append((place, self._attempt(message, dcid, outcome, response, connection, place[-1])))
        found.sort(key=lambda item: item[0])
        return [attempt for _, attempt in found]

    def _attempt(
        self, message: _Message, dcid: str | None, outcome: str | None, response: str | None, connection: _Connection | None, rids: list[int]
    ) -> Record:
        attempt: Record = {}
        if dcid is not None:
            attempt["dcid"] = int(dcid)
        attempt["rid"] = rids
        if outcome is not None:
            attempt["outcome"] = outcome
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
            domains = {_domain(recipients[rid]) for rid in rids if rid in recipients}
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
            self._complete(record, deliveries, message.cef)
        record["delivered"] = _delivered(deliveries)
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
            record["recipients"] = [address.strip() for address in cef[13].replace(";", ",").split(",") if address.strip()]
        outcome = {"DELIVERED": "done", "BOUNCED": "bounced"}.get(cef[11] or "")
        if cef[4] is None or cef[4] == "0" or (outcome is None and cef[8] is None):
            return
        theirs = [attempt for attempt in deliveries if attempt.get("dcid") == int(cef[4])]
        for attempt in theirs:
            if outcome is not None:
                attempt.setdefault("outcome", outcome)
        if not theirs:
            connection = self.connection(DELIVERY, cef[4], cef[1])
            new: Record = {"dcid": int(cef[4]), "rid": []}
            _keep(new, "outcome", outcome)
            new["verdict"] = "unknown" if connection is None else connection.verdict
            if connection is not None:
                _describe(new, connection)
                _keep(new, "witness", witnesses(connection.deciding()) or None)
            deliveries.append(new)


_STAMPS_KEPT = 50_000


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
    if verdict == "unknown" and result is not None and "icid" not in found:
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


def _connection_record(appliance: Appliance, side: int, key: str, connection: _Connection) -> Record:
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
            names = ("", "", "peer_ip", "peer_port", "tls_domain", "interface_ip")
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
    if appliance.several:
        _keep(record, "conflict", connection.conflict)
        _keep(record, "witness", witnesses(connection.deciding()) or None)
    named = [(fact, appliance.message(fact[2], fact[1])) for fact in connection.uses]
    _keep(record, "domain", _partner(side, named, told.get("tls_domain")))
    flows = {appliance.received(message)[1].get("mail_flow") for _, message in named if message is not None}
    _keep(record, "mail_flow", connection.flow or (flows.pop() if len(flows) == 1 else None))
    record["messages"] = len({fact[2] for fact in connection.uses if fact[0] not in TRIES})
    return record


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
        yield Appliance(host, facts.hosts[host], several=facts.several)


def connections(facts: Facts) -> Iterator[Record]:
    """Yield a record per connection, by appliance, side, id and life."""
    for appliance in _appliances(facts):
        for side in (RECEIVING, DELIVERY):
            for key in appliance.ids(side):
                for _, connection in sorted(appliance.connections_of(side, key)[1].items()):
                    yield _connection_record(appliance, side, key, connection)


def messages(facts: Facts) -> Iterator[Record]:
    """Yield a record per message, by appliance, MID and life."""
    for appliance in _appliances(facts):
        for _, record in appliance.records():
            yield record
