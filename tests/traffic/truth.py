"""What the log shows of connections and messages, and the records that follow from it.

The model calls the `saw_...` methods for lines that are in view and for no others, in true order. The rules are the
contract's (connection verdict, message verdict, records), written here a second time on purpose: from knowledge, not
from text. `record()` gives what a log with times shows; `record(clock=False)` what the same lines show without any.
"""

from __future__ import annotations

import datetime as dt

Record = dict[str, object]

INTERNAL = ("bounce", "notification")  # relations of messages that the appliance wrote itself
LONG_AGO = -1  # where a log without times puts a line: in no order


def stamp(time: int) -> str:
    """Seconds since 1970 as RFC 3339 in UTC."""
    moment = dt.datetime.fromtimestamp(time, dt.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _domain(address: str) -> str:
    return address.rpartition("@")[2].lower()


def _only(values: set[str]) -> str | None:
    """The one value that all share."""
    return next(iter(values)) if len(values) == 1 else None


class Connection:
    """One ICID or DCID, and what is in view of it."""

    __slots__ = (
        "address",
        "cipher",
        "closed",
        "errors",
        "failures",
        "first_use",
        "flow",
        "host",
        "id",
        "last",
        "name",
        "opened",
        "over",
        "peer",
        "peer_host",
        "read",
        "required",
        "side",
        "success",
        "told",
        "used_by",
        "uses",
        "version",
        "view",
    )

    def __init__(self, host: str, side: str, number: int, address: str, name: str | None = None) -> None:
        self.host = host
        self.side = side  # receiving or delivery
        self.id = number
        # what the gateway knows of the peer, in view or not; everything below is what is in view
        self.address = address
        self.name = name
        self.over = False  # the gateway says no more of it
        self.view = False  # any line at all
        self.opened: int | None = None
        self.closed: int | None = None
        self.last = 0
        self.peer: str | None = None  # as the opening line has it
        self.peer_host: str | None = None
        self.told: Record = {}  # what lines say besides: the first that says it counts
        self.flow: str | None = None
        self.success = False
        self.version: str | None = None
        self.cipher: str | None = None
        self.required = False
        # attempts that came to nothing: (time, before any message?, kind, reason)
        self.failures: list[tuple[int, bool, str, str | None]] = []
        self.errors: list[tuple[int, str]] = []
        self.read = False
        self.first_use: int | None = None
        self.used_by: set[Message] = set()  # messages that passed on it
        self.uses: dict[Message, set[int]] = {}  # messages that name it, with the recipients concerned

    def saw(self, time: int, **told: object) -> None:
        """Note any line that names this connection, and what it says of the peer and the interface."""
        self.view = True
        self.last = time
        for name, value in told.items():
            if value is not None:
                self.told.setdefault(name, value)

    def saw_open(self, time: int, **told: object) -> None:
        """Note the opening line."""
        self.saw(time, peer_ip=self.address, peer_host=self.name, **told)
        if self.opened is None:
            self.opened = time
        self.peer = self.address
        self.peer_host = self.name

    def saw_hat(self, time: int, action: str, group: str | None = None, country: str | None = None) -> None:
        """Note the HAT line."""
        self.saw(time, hat_action=action, sender_group=group, country=country)
        self.flow = {"ACCEPT": "incoming", "RELAY": "outgoing"}.get(action, self.flow)

    def saw_success(
        self,
        time: int,
        version: str | None = None,
        cipher: str | None = None,
        cn: str | None = None,
        domain: str | None = None,
    ) -> None:
        """Note a TLS success line."""
        self.saw(time, tls_peer_cn=cn, tls_domain=domain)
        self.success = True
        self.version = version
        self.cipher = cipher

    def saw_failure(self, time: int, kind: str, reason: str | None, peer: str | None = None) -> None:
        """Note a `failed`, `required` or `not_offered` line. After a message it is the end of a session, no more."""
        self.saw(time, peer_ip=peer)
        if kind == "required":
            self.required = True
        self.failures.append((time, self.first_use is None, kind, reason))

    def saw_error(self, time: int, reason: str, details: str | None = None, **told: object) -> None:
        """Note a connection error line, which may be a handshake that failed; nobody can be certain."""
        self.saw(time, **told)
        self.errors.append((time, f"possibly: {reason} ({details})" if details else f"possibly: {reason}"))

    def saw_read(self, time: int) -> None:
        """Note a Debug line that data was read over TLS."""
        self.saw(time)
        self.read = True

    def saw_message(self, time: int, message: Message, rids: list[int] | tuple[int, ...] = ()) -> None:
        """Note a line that a message passes on this connection."""
        self.saw_name(time, message, rids)
        self.used_by.add(message)
        if self.first_use is None:
            self.first_use = time

    def saw_name(self, time: int, message: Message, rids: list[int] | tuple[int, ...]) -> None:
        """Note a line of a message that names this connection, and says not that it passed."""
        self.saw(time)
        self.uses.setdefault(message, set()).update(rids)

    def saw_close(self, time: int) -> None:
        """Note the end of the connection."""
        self.saw(time)
        self.closed = time

    def outcome(self, *, clock: bool = True) -> tuple[str, str | None]:
        """The contract's connection verdict, from what is in view, and the reason that stands beside it."""
        if self.success:
            return "encrypted", None
        # without times nobody can tell an attempt before a message from one behind it
        tried = sorted((time if clock else LONG_AGO, kind, reason or "") for time, before, kind, reason in self.failures if before or not clock)
        if self.used_by:
            if tried:
                return "cleartext", tried[0][2] or None
            if self.read:
                return "encrypted", None
            return ("cleartext" if self.opened is not None else "unknown"), None
        if tried:
            # the line that says required tells more than the failure beside it
            required = [attempt for attempt in tried if attempt[1] == "required"]
            return "failed", (required or tried)[0][2] or None
        if self.errors and self.opened is not None:
            return "failed", min((time if clock else LONG_AGO, text) for time, text in self.errors)[1]
        if self.read:
            return "encrypted", None
        return ("unknown" if self.opened is None else "unused"), None

    @property
    def verdict(self) -> str:
        """The verdict alone."""
        return self.outcome()[0]

    def partner(self) -> str | None:
        """The partner's domain: what a line says, else what all senders or all recipients concerned share."""
        told = self.told.get("tls_domain")
        if isinstance(told, str):
            return told.lower()
        found: set[str] = set()
        for message, rids in self.uses.items():
            if self.side == "delivery":
                found.update(_domain(message.recipients[rid]) for rid in rids if rid in message.recipients)
            elif message.sender is not None:
                found.add(_domain(message.sender))
        return _only(found)

    def mail_flow(self) -> str | None:
        """The HAT's word, else what all its messages share."""
        if self.flow is not None:
            return self.flow
        flows = {message.mail_flow for message in self.uses}
        return next(iter(flows)) if len(flows) == 1 else None

    def record(self, *, clock: bool = True) -> Record:
        """The connection record; a key without a value is left out."""
        verdict, reason = self.outcome(clock=clock)
        record: Record = {
            "esa_host": self.host,
            "esa_direction": self.side,
            "icid" if self.side == "receiving" else "dcid": self.id,
            "opened": None if self.opened is None or not clock else stamp(self.opened),
            "closed": None if self.closed is None or not clock else stamp(self.closed),
            **self.told,
            "tls_verdict": verdict,
            "tls_version": self.version,
            "tls_cipher": self.cipher,
            "tls_reason": reason,
            "tls_required": True if self.required else None,
            "domain": self.partner(),
            "mail_flow": self.mail_flow(),
            "messages": len(self.used_by),
        }
        return {key: value for key, value in record.items() if value is not None}


class Message:
    """One MID, and what is in view of it."""

    __slots__ = (
        "attempts",
        "connection",
        "finished",
        "first",
        "flow",
        "host",
        "last",
        "mid",
        "over",
        "own",
        "parent",
        "recipients",
        "relation",
        "sender",
        "view",
    )

    def __init__(self, host: str, mid: int) -> None:
        self.host = host
        self.mid = mid
        self.over = False  # the gateway says no more of it
        self.view = False
        self.first = 0
        self.last = 0
        self.finished = False
        self.connection: Connection | None = None
        self.own = False  # started on ICID 0
        self.parent: Message | None = None
        self.relation: str | None = None
        self.flow: str | None = None
        self.sender: str | None = None
        self.recipients: dict[int, str] = {}
        # (time, connection or none, how it ended or None for its start, recipient ids, the other side's words)
        self.attempts: list[tuple[int, Connection | None, str | None, tuple[int, ...], str | None]] = []

    def saw(self, time: int) -> None:
        """Note any event line of this message."""
        if not self.view:
            self.view = True
            self.first = time
        self.last = time

    def saw_on(self, time: int, connection: Connection | None, *, start: bool = False) -> None:
        """Note a line that ties the message to its ICID; none stands for ICID 0, which is no connection."""
        self.saw(time)
        if connection is not None:
            self.connection = connection
            connection.saw_message(time, self)
        elif start:
            self.own = True

    def saw_recipient(self, time: int, rid: int, address: str) -> None:
        """Note an accepted recipient."""
        self.saw(time)
        if address:
            self.recipients[rid] = address

    def saw_addresses(self, time: int, sender: str, rid: int, recipient: str) -> None:
        """Note a line of the bounce log, which names sender and recipient again."""
        if self.sender is None:
            self.sender = sender or None
        self.saw_recipient(time, rid, recipient)

    def saw_lineage(self, time: int, parent: Message, relation: str) -> None:
        """Note the line that says which message this one came from."""
        self.saw(time)
        self.parent = parent
        self.relation = relation

    def saw_end(self, time: int) -> None:
        """Note that the appliance is done with it."""
        self.saw(time)
        self.finished = True

    def saw_move(self, time: int, connection: Connection, rids: list[int]) -> None:
        """Note a move to a quarantine over a connection: it uses the connection, and is no delivery."""
        self.saw(time)
        connection.saw_message(time, self, rids)

    def saw_attempt(
        self,
        time: int,
        connection: Connection | None,
        rids: list[int],
        outcome: str | None,
        response: str | None = None,
    ) -> None:
        """Note the start (no outcome) or the end of an attempt to deliver; no connection stands for DCID 0 or none."""
        self.saw(time)
        if connection is not None:
            if outcome in (None, "done"):
                connection.saw_message(time, self, rids)
            else:
                connection.saw_name(time, self, rids)
        self.attempts.append((time, connection, outcome, tuple(rids), response))

    def passed(self, *, clock: bool = True) -> str:
        """The contract's verdict for the receiving side."""
        if self.connection is not None:
            verdict = self.connection.outcome(clock=clock)[0]
            return verdict if verdict in ("encrypted", "cleartext") else "unknown"
        if self.relation in INTERNAL:
            return "internal"
        if self.parent is not None:
            return self.parent.passed(clock=clock)
        return "internal" if self.own else "unknown"

    @property
    def received(self) -> str:
        """The same of a log with times."""
        return self.passed()

    @property
    def source(self) -> Message | None:
        """The message whose connection its content came over: itself, or the eldest that it was made from."""
        message: Message | None = self
        while message is not None and message.connection is None:
            message = None if message.relation in INTERNAL else message.parent
        return message

    @property
    def mail_flow(self) -> str | None:
        """Incoming or outgoing: the policy table's word, else the HAT action, else that of the message it came from."""
        if self.flow is not None:
            return self.flow
        if self.connection is not None:
            return self.connection.flow
        if self.parent is None or self.relation in INTERNAL:
            return None
        return self.parent.mail_flow

    @property
    def delivered(self) -> str:
        """The contract's verdict for the delivery side."""
        return self.delivery()

    def delivery(self, *, clock: bool = True) -> str:
        """The contract's verdict for the delivery side."""
        found = {"unknown" if connection is None else connection.outcome(clock=clock)[0] for _, connection, outcome, _, _ in self.attempts if outcome == "done"}
        if not found:
            return "none"
        if found == {"encrypted"}:
            return "encrypted"
        if found == {"cleartext"}:
            return "cleartext"
        return "mixed" if {"encrypted", "cleartext"} <= found else "unknown"

    def deliveries(self, *, clock: bool = True) -> list[Record]:
        """One record per connection, outcome and answer, in the order of time; a start only while its end is out of view."""
        groups: dict[tuple[Connection | None, str | None, str | None], tuple[int, set[int]]] = {}
        for time, connection, outcome, rids, response in self.attempts:
            known = groups.get((connection, outcome, response))
            group = (time if clock else LONG_AGO, set(rids)) if known is None else (known[0], known[1] | set(rids))
            groups[connection, outcome, response] = group
        found: list[tuple[tuple[int, int, str, str, list[int]], Record]] = []
        for (connection, outcome, response), (time, concerned) in groups.items():
            ended: set[int] = set()
            if outcome is None:
                ended.update(*(rids for (other, end, _), (_, rids) in groups.items() if other is connection and end is not None))
            left = sorted(concerned - ended)
            if left:
                order = (time, 0 if connection is None else connection.id, outcome or "", response or "", left)
                found.append((order, self.attempt(connection, outcome, time, response, left, clock=clock)))
        found.sort(key=lambda item: item[0])
        return [record for _, record in found]

    def attempt(self, connection: Connection | None, outcome: str | None, time: int, response: str | None, rids: list[int], *, clock: bool) -> Record:
        """The record of one attempt."""
        verdict, reason = ("unknown", None) if connection is None else connection.outcome(clock=clock)
        domains = {_domain(self.recipients[rid]) for rid in rids if rid in self.recipients}
        told = {} if connection is None or not connection.success else connection.told
        record: Record = {
            "dcid": None if connection is None else connection.id,
            "rid": rids,
            "outcome": outcome,
            "time": stamp(time) if clock else None,
            "verdict": verdict,
            "tls_version": None if connection is None else connection.version,
            "tls_cipher": None if connection is None else connection.cipher,
            "peer_ip": None if connection is None else connection.peer,
            "peer_host": told.get("tls_peer_cn"),
            "domain": told.get("tls_domain") or _only(domains),
            "reason": reason,
            "response": response,
        }
        return {key: value for key, value in record.items() if value is not None}

    def record(self, *, clock: bool = True) -> Record:
        """The message record; a key without a value is left out."""
        source = self.source
        over = None if source is None else source.connection
        received = self.passed(clock=clock)
        inherited = source is not self and received in ("encrypted", "cleartext")
        record: Record = {
            "esa_host": self.host,
            "mid": self.mid,
            "icid": None if self.connection is None else self.connection.id,
            "received": received,
            "received_tls_version": None if over is None else over.version,
            "received_tls_cipher": None if over is None else over.cipher,
            "received_reason": None if over is None else over.outcome(clock=clock)[1],
            "received_peer_ip": None if over is None else over.peer,
            "received_peer_host": None if over is None else over.peer_host,
            "received_from_mid": source.mid if inherited and source is not None else None,
            "mail_flow": self.mail_flow,
            "sender": self.sender,
            "recipients": [self.recipients[rid] for rid in sorted(self.recipients)] or None,
            "parent_mid": None if self.parent is None else self.parent.mid,
            "mid_relation": self.relation,
            "delivered": self.delivery(clock=clock),
            "deliveries": self.deliveries(clock=clock),
            "first_seen": stamp(self.first) if clock else None,
            "last_seen": stamp(self.last) if clock else None,
            "finished": self.finished,
        }
        return {key: value for key, value in record.items() if value is not None}

    def concerns(self) -> set[Connection]:
        """The connections that its record speaks of."""
        found = {connection for _, connection, _, _, _ in self.attempts if connection is not None}
        source = self.source
        if source is not None and source.connection is not None:
            found.add(source.connection)
        return found


def attempts(record: Record) -> list[tuple[object, ...]]:
    """The ended attempts of a record, one sorted row per recipient: dcid, rid, outcome, verdict, version, cipher."""
    rows: list[tuple[object, ...]] = []
    deliveries = record.get("deliveries")
    for entry in deliveries if isinstance(deliveries, list) else []:
        if entry.get("dcid") and entry.get("outcome"):
            rows.extend(
                (
                    entry["dcid"],
                    rid,
                    entry["outcome"],
                    entry["verdict"],
                    entry.get("tls_version", ""),
                    entry.get("tls_cipher", ""),
                )
                for rid in entry["rid"]
            )
    return sorted(set(rows), key=str)


def says_nothing(record: Record) -> bool:
    """Whether a record tells no more than that its id was seen."""
    if "tls_verdict" in record:
        return record["tls_verdict"] == "unknown"
    return record["received"] == "unknown" and record["delivered"] == "none" and not attempts(record)
