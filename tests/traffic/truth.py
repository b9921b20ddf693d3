"""What the log shows of connections and messages, and the records that follow from it.

The model calls the `saw_...` methods for lines that are in view and for no others, in true order. The rules are the
contract's (connection verdict, message verdict), written here a second time on purpose: from knowledge, not from text.
"""

from __future__ import annotations

import datetime as dt

Record = dict[str, object]

# The keys that the contract decides. The other keys of a record help to read a difference.
CONNECTION_KEYS = (
    "esa_host",
    "esa_direction",
    "icid",
    "dcid",
    "tls_verdict",
    "tls_version",
    "tls_cipher",
    "tls_required",
)
MESSAGE_KEYS = (
    "esa_host",
    "mid",
    "received",
    "received_tls_version",
    "received_tls_cipher",
    "parent_mid",
    "mid_relation",
    "mail_flow",
    "sender",
    "recipients",
    "delivered",
)

INTERNAL = ("bounce", "notification")  # relations of messages that the appliance wrote itself


def stamp(time: int) -> str:
    """Seconds since 1970 as RFC 3339 in UTC."""
    moment = dt.datetime.fromtimestamp(time, dt.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


class Connection:
    """One ICID or DCID, and what is in view of it."""

    __slots__ = (
        "address",
        "cipher",
        "closed",
        "cn",
        "country",
        "domain",
        "error",
        "flow",
        "hat_action",
        "host",
        "id",
        "last",
        "messages",
        "name",
        "opened",
        "peer",
        "peer_host",
        "read",
        "reason",
        "required",
        "sender_group",
        "side",
        "success",
        "tried",
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
        self.view = False  # any line at all
        self.opened: int | None = None
        self.closed: int | None = None
        self.last = 0
        self.peer: str | None = None
        self.peer_host: str | None = None
        self.hat_action: str | None = None
        self.sender_group: str | None = None
        self.country: str | None = None
        self.flow: str | None = None
        self.success = False
        self.version: str | None = None
        self.cipher: str | None = None
        self.cn: str | None = None
        self.domain: str | None = None
        self.tried = False  # an attempt that came to nothing, before any message
        self.required = False
        self.reason: str | None = None
        self.error: str | None = None
        self.read = False
        self.messages = False

    def saw(self, time: int) -> None:
        """Note any line that names this connection."""
        self.view = True
        self.last = time

    def saw_open(self, time: int) -> None:
        """Note the opening line."""
        self.saw(time)
        self.opened = time
        self.peer = self.address
        self.peer_host = self.name

    def saw_hat(self, time: int, action: str, group: str | None = None, country: str | None = None) -> None:
        """Note the HAT line."""
        self.saw(time)
        self.hat_action = action
        self.sender_group = group
        self.country = country
        self.flow = {"ACCEPT": "incoming", "RELAY": "outgoing"}.get(action)

    def saw_success(
        self,
        time: int,
        version: str | None = None,
        cipher: str | None = None,
        cn: str | None = None,
        domain: str | None = None,
    ) -> None:
        """Note a TLS success line."""
        self.saw(time)
        self.success = True
        self.version = version
        self.cipher = cipher
        self.cn = cn
        self.domain = domain

    def saw_failure(self, time: int, reason: str | None, *, required: bool = False) -> None:
        """Note a failed, required or not offered line. After a message it is the end of a session, no more."""
        self.saw(time)
        if required:
            self.required = True
        if not self.messages:
            self.tried = True
            if reason is not None:
                self.reason = reason

    def saw_error(self, time: int, reason: str) -> None:
        """Note a connection error line."""
        self.saw(time)
        self.error = reason

    def saw_read(self, time: int) -> None:
        """Note a Debug line that data was read over TLS."""
        self.saw(time)
        self.read = True

    def saw_message(self, time: int) -> None:
        """Note a line that a message passes on this connection."""
        self.saw(time)
        self.messages = True

    def saw_close(self, time: int) -> None:
        """Note the end of the connection."""
        self.saw(time)
        self.closed = time

    @property
    def verdict(self) -> str:
        """The contract's connection verdict, from what is in view."""
        if self.success:
            return "encrypted"
        if self.messages:
            if self.tried:
                return "cleartext"
            if self.opened is not None:
                return "cleartext"
            return "encrypted" if self.read else "unknown"
        if self.tried:
            return "failed"
        if self.opened is None:
            return "encrypted" if self.read else "unknown"
        return "failed" if self.error is not None else "unused"

    def record(self) -> Record:
        """The connection record; a key without a value is left out."""
        verdict = self.verdict
        reason = None if verdict == "encrypted" else self.reason
        if reason is None and verdict == "failed":
            reason = self.error
        record: Record = {
            "esa_host": self.host,
            "esa_direction": self.side,
            "icid" if self.side == "receiving" else "dcid": self.id,
            "opened": None if self.opened is None else stamp(self.opened),
            "closed": None if self.closed is None else stamp(self.closed),
            "last_seen": stamp(self.last),
            "peer_ip": self.peer,
            "peer_host": self.peer_host,
            "hat_action": self.hat_action,
            "sender_group": self.sender_group,
            "country": self.country,
            "tls_verdict": verdict,
            "tls_version": self.version,
            "tls_cipher": self.cipher,
            "tls_peer_cn": self.cn,
            "tls_domain": self.domain,
            "tls_reason": reason,
            "tls_required": True if self.required else None,
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
        "internal",
        "last",
        "mid",
        "parent",
        "recipients",
        "relation",
        "sender",
        "view",
    )

    def __init__(self, host: str, mid: int) -> None:
        self.host = host
        self.mid = mid
        self.view = False
        self.first = 0
        self.last = 0
        self.finished: int | None = None
        self.connection: Connection | None = None
        self.internal = False
        self.parent: Message | None = None
        self.relation: str | None = None
        self.flow: str | None = None
        self.sender: str | None = None
        self.recipients: dict[int, str] = {}
        # per delivering connection: recipient id -> how its attempt ended, None while it has not
        self.attempts: dict[Connection, dict[int, str | None]] = {}

    def saw(self, time: int) -> None:
        """Note any event line that names this message."""
        if not self.view:
            self.view = True
            self.first = time
        self.last = time

    def saw_on(self, time: int, connection: Connection | None) -> None:
        """Note a line that ties the message to its ICID; none stands for ICID 0, which is no connection."""
        self.saw(time)
        if connection is not None:
            self.connection = connection
            connection.saw_message(time)

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
        parent.saw(time)
        self.parent = parent
        self.relation = relation

    def saw_move(self, time: int, connection: Connection) -> None:
        """Note a move to a quarantine over a connection: it uses the connection, and is no delivery."""
        self.saw(time)
        connection.saw_message(time)

    def saw_attempt(self, time: int, connection: Connection, rids: list[int], outcome: str | None) -> None:
        """Note the start (no outcome) or the end of an attempt to deliver; `unopened` is DCID 0."""
        self.saw(time)
        if connection.id:
            if outcome in (None, "done"):
                connection.saw_message(time)
            else:
                connection.saw(time)
        ends = self.attempts.setdefault(connection, {})
        for rid in rids:
            if outcome is not None or rid not in ends:
                ends[rid] = outcome

    @property
    def received(self) -> str:
        """The contract's verdict for the receiving side."""
        if self.connection is not None:
            verdict = self.connection.verdict
            return verdict if verdict in ("encrypted", "cleartext") else "unknown"
        if self.internal or self.relation in INTERNAL:
            return "internal"
        return "unknown" if self.parent is None else self.parent.received

    @property
    def source(self) -> Connection | None:
        """The connection that the content was received on, as far as it is in view."""
        if self.connection is not None:
            return self.connection
        if self.parent is None or self.internal or self.relation in INTERNAL:
            return None
        return self.parent.source

    @property
    def mail_flow(self) -> str | None:
        """Incoming or outgoing: the policy table's word, else the HAT action, else that of the message it came from."""
        if self.flow is not None:
            return self.flow
        if self.connection is not None:
            return self.connection.flow
        if self.parent is None or self.internal or self.relation in INTERNAL:
            return None
        return self.parent.mail_flow

    @property
    def delivered(self) -> str:
        """The contract's verdict for the delivery side."""
        found = {
            connection.verdict
            for connection, ends in self.attempts.items()
            for outcome in ends.values()
            if outcome == "done"
        }
        if not found:
            return "none"
        if found == {"encrypted"}:
            return "encrypted"
        if found == {"cleartext"}:
            return "cleartext"
        return "mixed" if {"encrypted", "cleartext"} <= found else "unknown"

    def deliveries(self) -> list[Record]:
        """One record per connection and outcome."""
        found: list[Record] = []
        for connection, ends in self.attempts.items():
            groups: dict[str | None, list[int]] = {}
            for rid, outcome in ends.items():
                groups.setdefault(outcome, []).append(rid)
            for outcome, rids in groups.items():
                entry: Record = {"dcid": connection.id, "rid": sorted(rids)}
                if outcome is not None:
                    entry["outcome"] = outcome
                if connection.id:
                    entry["verdict"] = connection.verdict
                    if connection.version is not None:
                        entry["tls_version"] = connection.version
                    if connection.cipher is not None:
                        entry["tls_cipher"] = connection.cipher
                found.append(entry)
        return found

    def record(self) -> Record:
        """The message record; a key without a value is left out."""
        source = self.source
        record: Record = {
            "esa_host": self.host,
            "mid": self.mid,
            "icid": None if self.connection is None else self.connection.id,
            "received": self.received,
            "received_tls_version": None if source is None else source.version,
            "received_tls_cipher": None if source is None else source.cipher,
            "mail_flow": self.mail_flow,
            "sender": self.sender,
            "recipients": [self.recipients[rid] for rid in sorted(self.recipients)] or None,
            "parent_mid": None if self.parent is None else self.parent.mid,
            "mid_relation": self.relation,
            "delivered": self.delivered,
            "deliveries": self.deliveries(),
            "first_seen": stamp(self.first),
            "last_seen": stamp(self.last),
        }
        return {key: value for key, value in record.items() if value is not None}


def attempts(record: Record) -> list[tuple[object, ...]]:
    """The deliveries of a record as sorted rows (dcid, rid, outcome, verdict, version, cipher).

    Rows are distinct, and say the same however an engine groups recipients. Attempts that reached no connection
    (DCID 0, or none at all) and attempts whose end is not in view are left out: the contract does not say how they
    are written.
    """
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


def comparable(record: Record) -> Record:
    """What the contract decides of a record: its keys of CONNECTION_KEYS or MESSAGE_KEYS, and its attempts.

    Keys without a value and empty lists are left out, so that records of other engines compare with `==`.
    """
    message = "mid" in record
    keys = MESSAGE_KEYS if message else CONNECTION_KEYS
    kept = {key: record[key] for key in keys if record.get(key)}
    if message:
        kept["attempts"] = attempts(record)
    return kept


def says_nothing(record: Record) -> bool:
    """Whether a record tells no more than that its id was seen; an engine may leave such a record out."""
    if "tls_verdict" in record:
        return record["tls_verdict"] == "unknown"
    return record["received"] == "unknown" and record["delivered"] == "none" and not attempts(record)
