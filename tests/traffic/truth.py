"""What the log shows about connections and messages, and the records that follow from it.

The model calls the `saw_...` methods only for lines that are in view, in true order. The rules are those of the
contract (connection verdict, message verdict, records), implemented a second time on purpose: from knowledge, not
from text. `record()` returns what a log with times shows, `record(clock=False)` what the same lines show without times.
"""

from __future__ import annotations

from functools import lru_cache
from time import gmtime, strftime
from typing import NamedTuple

Record = dict[str, object]

INTERNAL = ("bounce", "notification")  # relations of messages that the appliance itself wrote
REPLACED = ("rewritten", "released")  # relations of messages with their parent's sender and recipients
SAME_MAIL = (*REPLACED, "split", "copy")  # relations of messages with their parent's Message-ID and subject
LONG_AGO = -1  # the time of every line in a log without times: no order

# what the words of a failure are about
HANDSHAKE = "handshake"  # TLS itself, or the answer to STARTTLS
SOCKET = "socket"  # the connection broke; it may have been encrypted before
VERIFICATION = "verification"  # the certificate was not accepted; the handshake itself succeeded
OTHER = "other"  # connection errors: a reply, a refusal, a time-out
STATED_FAILURE = "TLS failed"  # the reason if a consolidated event states a failure


@lru_cache(4096)
def stamp(time: int) -> str:
    """Return seconds since 1970 as an RFC 3339 time in UTC."""
    return strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(time))


def _domain(address: str) -> str:
    return address.rpartition("@")[2].lower()


def _only(values: set[str]) -> str | None:
    """Return the value that all share; None: there is none."""
    return next(iter(values)) if len(values) == 1 else None


class Failure(NamedTuple):
    """A failed attempt to start TLS."""

    time: int
    kind: str  # failed, required, not_offered
    reason: str
    words: str


class Stated(NamedTuple):
    """What a consolidated event states about one side of one message."""

    verdict: str
    version: str | None
    cipher: str | None


class Connection:
    """One ICID or DCID, and what is in view about it."""

    __slots__ = (
        "address",
        "carried",
        "cipher",
        "closed",
        "delivered_to",
        "errors",
        "failures",
        "flow",
        "host",
        "id",
        "last",
        "name",
        "opened",
        "over",
        "peer",
        "peer_host",
        "reads",
        "required",
        "side",
        "stated",
        "success",
        "told",
        "up",
        "uses",
        "version",
        "view",
        "when",
    )

    def __init__(self, host: str, side: str, number: int, address: str, name: str | None = None) -> None:
        self.host = host
        self.side = side  # receiving or delivery
        self.id = number
        # what the gateway knows, in view or not; everything after `over` is what is in view
        self.address = address
        self.name = name
        self.up: tuple[int, str | None, str | None] | None = None  # when TLS came up, protocol and cipher
        self.carried: list[Message] = []  # messages that came over it
        self.over = False  # the gateway logs no more lines about it
        self.view = False  # any line is in view
        self.opened: int | None = None
        self.closed: int | None = None
        self.last = 0
        self.peer: str | None = None  # from the opening line
        self.peer_host: str | None = None
        self.told: Record = {}  # further fields that lines state: the first line counts
        self.flow: str | None = None
        self.success: int | None = None  # the second from which TLS was up
        self.version: str | None = None
        self.cipher: str | None = None
        self.required = False
        self.failures: list[Failure] = []
        self.errors: list[tuple[int, str, str]] = []  # time, what the words are about, the reason
        self.reads: list[tuple[int, Message | None]] = []  # Debug lines that data was read over TLS: time, message
        self.when: dict[Message, int] = {}  # messages that passed or were given up on it, with their start
        self.stated: dict[Message, Stated] = {}
        self.delivered_to: dict[Message, list[str]] = {}  # recipients that consolidated events list
        self.uses: dict[Message, set[int]] = {}  # messages whose lines name it, with the recipient ids concerned

    def saw(self, time: int, **told: object) -> None:
        """Note any line that names this connection, and what it says about the peer and the interface."""
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

    def saw_success(self, time: int, version: str | None = None, cipher: str | None = None, cn: str | None = None, domain: str | None = None) -> None:
        """Note a TLS success line."""
        self.saw(time, tls_peer_cn=cn, tls_domain=domain)
        if self.success is None:
            self.success = time
        self.version = version
        self.cipher = cipher

    def saw_failure(self, time: int, kind: str, reason: str | None, peer: str | None = None, words: str = HANDSHAKE) -> None:
        """Note a `failed`, `required` or `not_offered` line."""
        self.saw(time, peer_ip=peer)
        if kind == "required":
            self.required = True
        self.failures.append(Failure(time, kind, reason or "", words))

    def saw_error(self, time: int, words: str, reason: str, details: str | None = None, **told: object) -> None:
        """Note a connection error line; `words` is what the error may have been about."""
        self.saw(time, **told)
        self.errors.append((time, words, f"{reason} ({details})" if details else reason))

    def saw_read(self, time: int, message: Message | None = None) -> None:
        """Note a Debug line that data was read over TLS."""
        self.saw(time)
        self.reads.append((time, message))

    def saw_message(self, time: int, message: Message, rids: list[int] | tuple[int, ...] = ()) -> None:
        """Note a line that shows a message passing on this connection."""
        self.saw_name(time, message, rids)
        self.when.setdefault(message, time)

    def saw_name(self, time: int, message: Message, rids: list[int] | tuple[int, ...]) -> None:
        """Note a line of a message that names this connection, but does not show that the message passed."""
        self.saw(time)
        self.uses.setdefault(message, set()).update(rids)

    def saw_close(self, time: int) -> None:
        """Note the end of the connection; the first line that says so counts."""
        self.saw(time)
        if self.closed is None:
            self.closed = time

    def saw_stated(self, time: int, message: Message, verdict: str | None, version: str | None, cipher: str | None) -> None:
        """Note what a consolidated event states about a message on this connection."""
        self.saw_message(time, message)
        if verdict is not None:
            self.stated[message] = Stated(verdict, version, cipher)

    def on(self, message: Message, *, clock: bool = True) -> tuple[str, str | None]:
        """Return the verdict on a message that came or went over this connection, with its reason."""
        verdict, reason = self.at(message, clock=clock)
        if verdict == "unknown" and (stated := self.stated_for(message)):
            return stated.verdict, None if stated.verdict == "encrypted" else STATED_FAILURE
        return verdict, reason

    def stated_for(self, message: Message) -> Stated | None:
        """Return what consolidated events state for a message; for delivery, where TLS comes before all mail, else what those of all messages agree on."""
        own = self.stated.get(message)
        if own is None and self.side == "delivery" and len({one.verdict for one in self.stated.values()}) == 1:
            return next(iter(self.stated.values()))
        return own

    def details(self, message: Message | None = None) -> tuple[str | None, str | None]:
        """Return protocol and cipher from a line, else from a consolidated event."""
        if self.success is not None:
            return self.version, self.cipher
        own = None if message is None else self.stated_for(message)
        stated = [own] if own else [one for one in self.stated.values() if one.verdict == "encrypted"]
        return (stated[0].version, stated[0].cipher) if stated else (None, None)

    def witness(self, message: Message | None = None, *, clock: bool = True) -> list[str] | None:
        """Return who states the verdict, of one message or of all; None: the text alone."""
        stated = [about for about in self.stated if not about.given_up]
        if not stated or (self.outcome(clock=clock)[0] == "unknown" if message is None else self.stated_for(message) is None):
            return None
        # the text counts only if a line states it, not if lines are absent
        found = [(about, self.at(about, clock=clock)[0]) for about in (self.messages if message is None else [message])]
        text = any(verdict == "encrypted" or (verdict == "cleartext" and self.before(about, clock=clock)) for about, verdict in found)
        return ["cef", "text"] if text else ["cef"]

    def at(self, message: Message, *, clock: bool = True) -> tuple[str, str | None]:
        """Return the verdict of the text on a message, from the time of its start, with its reason."""
        time = self.when[message]
        if self.success is not None and (self.success <= time or not clock):
            return "encrypted", None
        if any(about is message or when <= time or not clock for when, about in self.reads):
            return "encrypted", None
        before = self.before(message, clock=clock)
        if self.success is None:
            if any(one.words == VERIFICATION for one in before):
                return "unknown", before[0].reason or None
            broken = [one for one in self.failures if one.words == SOCKET and (not clock or one.time >= time)]
            if broken and self.opened is not None and all(one in broken for one in before):
                # a session that broke may have been encrypted, unless a failure shows that it was not
                return "unknown", min(one.reason for one in broken)
        if before:
            return "cleartext", before[0].reason or None
        # TLS starts only once: if that is in view, TLS was not up before
        return ("cleartext" if self.opened is not None or self.success is not None else "unknown"), None

    def before(self, message: Message, *, clock: bool = True) -> list[Failure]:
        """Return the attempts that failed before a message, the first one first.

        Within one second, nobody can tell an attempt before a message from one after it. An attempt in the same second counts only as
        the reason for clear text, if the opening line shows that there was clear text.
        """
        time, tie = self.when[message], self.opened is not None
        found = [one for one in self.failures if (tie if not clock or one.time == time else one.time < time)]
        return sorted(found, key=lambda one: (one.time if clock else LONG_AGO, one.kind, one.reason, one.words))

    @property
    def messages(self) -> dict[Message, int]:
        """The messages that passed, with the time of their start, without those that were given up."""
        return {message: time for message, time in self.when.items() if not message.given_up}

    def outcome(self, *, clock: bool = True) -> tuple[str, str | None]:
        """Return the contract's connection verdict from what is in view, with its reason."""
        passed = self.messages
        if passed:
            found = [self.on(message, clock=clock) for message, _ in sorted(passed.items(), key=lambda item: item[1])]
            verdicts = {verdict for verdict, _ in found}
            if verdicts == {"encrypted"}:
                return "encrypted", None
            whole = verdicts.pop() if len(verdicts) == 1 else "mixed" if {"encrypted", "cleartext"} <= verdicts else "unknown"
            told = "cleartext" if whole == "mixed" else whole
            return whole, next((why for verdict, why in found if why is not None and verdict == told), None)
        tried = sorted(
            (one.time if clock else LONG_AGO, one.kind, one.reason)
            for one in self.failures
            # failures before TLS came up do not count, nor those in the same second unless TLS may not be used
            if self.success is None
            or (clock and one.time > self.success)
            or ((not clock or one.time == self.success) and (one.kind == "required" or one.words == VERIFICATION))
        )
        if tried:
            # any other words say more than those of the line with `required`
            return "failed", min(tried, key=lambda attempt: (not attempt[2], attempt[1] == "required"))[2] or None
        if self.success is not None:
            return "encrypted", None
        if self.errors:
            _, words, reason = min((time if clock else LONG_AGO, words, reason) for time, words, reason in self.errors)
            if self.opened is None:
                return "unknown", reason
            return {HANDSHAKE: ("failed", f"possibly: {reason}"), SOCKET: ("unknown", reason), OTHER: ("unused", reason)}[words]
        if self.reads:
            return "encrypted", None
        return ("unknown" if self.opened is None else "unused"), None

    @property
    def verdict(self) -> str:
        """The verdict without its reason."""
        return self.outcome()[0]

    def partner(self) -> str | None:
        """Return the partner's domain from a line, else the domain that all senders or all recipients concerned share."""
        told = self.told.get("tls_domain")
        if isinstance(told, str):
            return told.lower()
        found: set[str] = set()
        for message, rids in self.uses.items():
            if message.given_up:
                continue
            recipients, sender = message.all_recipients, message.any_sender
            if self.side == "delivery":
                found.update(_domain(address) for address in self.delivered_to.get(message, ()))
                found.update(_domain(recipients[rid]) for rid in rids if rid in recipients)
            elif sender is not None:
                found.add(_domain(sender))
        return _only(found)

    def mail_flow(self) -> str | None:
        """Return the mail flow from the HAT action, else the one that all its messages share."""
        if self.flow is not None:
            return self.flow
        flows = {message.mail_flow for message in self.uses if not message.given_up}
        return next(iter(flows)) if len(flows) == 1 else None

    def record(self, *, clock: bool = True) -> Record:
        """Return the connection record, without keys that have no value."""
        verdict, reason = self.outcome(clock=clock)
        version, cipher = self.details() if verdict in ("encrypted", "mixed") else (None, None)
        record: Record = {
            "esa_host": self.host,
            "esa_direction": self.side,
            "icid" if self.side == "receiving" else "dcid": self.id,
            "opened": None if self.opened is None or not clock else stamp(self.opened),
            "closed": None if self.closed is None or not clock else stamp(self.closed),
            **self.told,
            "tls_verdict": verdict,
            "tls_version": version,
            "tls_cipher": cipher,
            "tls_reason": reason,
            "witness": self.witness(clock=clock),
            "tls_required": True if self.required else None,
            "domain": self.partner(),
            "mail_flow": self.mail_flow(),
            "messages": len(self.messages),
        }
        return {key: value for key, value in record.items() if value is not None}


class Message:
    """One MID, and what is in view about it."""

    __slots__ = (
        "accepted",
        "attempts",
        "bounced_to",
        "connection",
        "finished",
        "first",
        "flow",
        "host",
        "last",
        "listed",
        "message_id",
        "mid",
        "new_recipients",
        "noted",
        "over",
        "own",
        "parent",
        "recipients",
        "refused",
        "relation",
        "sender",
        "stated_recipients",
        "subject",
        "told_sender",
        "view",
    )

    def __init__(self, host: str, mid: int) -> None:
        self.host = host
        self.mid = mid
        self.over = False  # the gateway logs no more lines about it
        self.view = False
        self.first = 0
        self.last = 0
        self.finished = False
        self.connection: Connection | None = None
        self.own = False  # started on ICID 0
        self.noted = False  # its start line says why the appliance made it
        self.refused = False  # a line says that it was refused or given up
        self.accepted = False  # a line shows that it was accepted
        self.parent: Message | None = None
        self.relation: str | None = None
        self.new_recipients = False  # the rewrite changed the recipients
        self.flow: str | None = None
        self.sender: str | None = None
        self.told_sender = False  # a line states the sender, or that there is none
        self.recipients: dict[int, str] = {}
        self.stated_recipients: list[str] = []
        self.bounced_to: list[str] = []  # recipients that consolidated events list
        self.listed: dict[int, str] = {}  # recipients in the line of the split that made it
        self.message_id: str | None = None
        self.subject: str | None = None
        # (time, connection or None, outcome or None for the start, recipient ids, the other side's response)
        self.attempts: list[tuple[int, Connection | None, str | None, tuple[int, ...], str | None]] = []

    def saw(self, time: int, *, accepted: bool = False) -> None:
        """Note any event line of this message."""
        if not self.view:
            self.view = True
            self.first = time
        self.last = time
        self.accepted |= accepted

    def saw_on(self, time: int, connection: Connection | None, *, start: bool = False) -> None:
        """Note a line that links the message to its ICID; None means ICID 0, which is no connection."""
        self.saw(time)
        if connection is not None:
            self.connection = connection
            connection.saw_message(time, self)
        elif start:
            self.own = True

    def saw_sender(self, sender: str) -> None:
        """Note the sender; an empty text is the null sender."""
        if not self.told_sender:
            self.told_sender = True
            self.sender = sender or None

    def saw_recipient(self, time: int, rid: int, address: str) -> None:
        """Note an accepted recipient."""
        self.saw(time)
        if address:
            self.recipients[rid] = address

    def saw_addresses(self, time: int, sender: str, rid: int, recipient: str) -> None:
        """Note a line of the bounce log, which repeats sender and recipient."""
        self.saw_sender(sender)
        self.saw_recipient(time, rid, recipient)

    def saw_identity(self, time: int, *, message_id: str | None = None, subject: str | None = None) -> None:
        """Note a line with Message-ID or subject."""
        self.saw(time)
        self.message_id = self.message_id or message_id or None
        self.subject = self.subject or subject or None

    def saw_lineage(self, time: int, parent: Message, relation: str, *, new_recipients: bool = False) -> None:
        """Note the line that says which message this one came from."""
        self.saw(time)
        self.parent = parent
        self.relation = relation
        self.new_recipients = new_recipients
        if relation in ("rewritten", "split"):
            parent.accepted = self.accepted = True

    def saw_refusal(self, time: int) -> None:
        """Note that the message was refused or given up."""
        self.saw(time)
        self.refused = True

    def saw_end(self, time: int, *, aborted: bool = False) -> None:
        """Note that the appliance has finished the message."""
        self.saw(time)
        self.finished = True
        self.refused |= aborted

    def saw_move(self, time: int, connection: Connection) -> None:
        """Note a move to a quarantine over a connection: it uses the connection, but is no delivery, and the recipients are no partners there."""
        self.saw(time, accepted=True)
        connection.saw_message(time, self, [])

    def saw_attempt(self, time: int, connection: Connection | None, rids: list[int], outcome: str | None, response: str | None = None) -> None:
        """Note the start (no outcome) or the end of an attempt to deliver; the connection is None for DCID 0 or no DCID."""
        self.saw(time, accepted=True)
        if connection is not None:
            if outcome in (None, "done"):
                connection.saw_message(time, self, rids)
            else:
                connection.saw_name(time, self, rids)
        self.attempts.append((time, connection, outcome, tuple(rids), response))

    def saw_statement(self, time: int, act: str, sender: str, recipients: list[str], flow: str | None, message_id: str | None, subject: str | None) -> None:
        """Note a consolidated event: it is evidence for what it states, but lines of text take precedence."""
        self.saw(time, accepted=act != "ABORTED")
        self.refused |= act == "ABORTED"
        if sender:
            self.saw_sender(sender)
        self.stated_recipients.extend(address for address in recipients if address not in self.stated_recipients)
        self.flow = self.flow or flow
        self.message_id = self.message_id or message_id
        self.subject = self.subject or subject

    @property
    def given_up(self) -> bool:
        """Whether the message was refused or given up, and nothing in view shows that it was accepted."""
        return self.refused and not self.accepted

    def passed(self, *, clock: bool = True) -> str:
        """Return the contract's verdict for the receiving side."""
        if self.given_up:
            return "none"
        if self.connection is not None:
            verdict = self.connection.on(self, clock=clock)[0]
            return verdict if verdict in ("encrypted", "cleartext") else "unknown"
        if self.relation in INTERNAL:
            return "internal"
        if self.parent is not None:
            return self.parent.passed(clock=clock)
        # with an outside sender, ICID 0 alone does not show that the appliance made it
        return "internal" if self.own and (self.noted or self.sender is None) else "unknown"

    @property
    def received(self) -> str:
        """The contract's verdict for the receiving side, from a log with times."""
        return self.passed()

    @property
    def source(self) -> Message | None:
        """The message over whose connection the content came: itself, or the nearest ancestor with a connection."""
        message: Message | None = self
        while message is not None and message.connection is None:
            message = None if message.relation in INTERNAL else message.parent
        return message

    @property
    def mail_flow(self) -> str | None:
        """Incoming or outgoing: from the policy table, else from the HAT action, else from the message that it replaces."""
        if self.flow is not None:
            return self.flow
        if self.connection is not None:
            return self.connection.flow
        return self.parent.mail_flow if self.parent is not None and self.relation in REPLACED else None

    @property
    def any_sender(self) -> str | None:
        """The sender, from its own lines or from the message that it replaces."""
        if not self.told_sender and self.parent is not None and self.relation in REPLACED:
            return self.parent.any_sender
        return self.sender

    @property
    def all_recipients(self) -> dict[int, str]:
        """The recipients, from its own lines, from the line of its split, or from the message that it replaces."""
        if not self.recipients and self.listed:
            return self.listed
        if not self.recipients and self.parent is not None and self.relation in REPLACED and not self.new_recipients:
            return self.parent.all_recipients
        return self.recipients

    @property
    def identity(self) -> tuple[str | None, str | None]:
        """Message-ID and subject, from its own lines or from the message whose content it has."""
        if self.parent is None or self.relation not in SAME_MAIL:
            return self.message_id, self.subject
        message_id, subject = self.parent.identity
        return self.message_id or message_id, self.subject or subject

    @property
    def delivered(self) -> str:
        """The contract's verdict for the delivery side, from a log with times."""
        return self.delivery()

    def over_connection(self, connection: Connection | None, *, clock: bool) -> tuple[str, str | None]:
        """Return the verdict on an attempt: the message's on this connection if it passed, else the connection's."""
        if connection is None:
            return "unknown", None
        return connection.on(self, clock=clock) if self in connection.when else connection.outcome(clock=clock)

    def delivery(self, *, clock: bool = True) -> str:
        """Return the contract's verdict for the delivery side."""
        found = {self.over_connection(connection, clock=clock)[0] for _, connection, outcome, _, _ in self.attempts if outcome == "done"}
        if not found:
            return "none"
        if found == {"encrypted"}:
            return "encrypted"
        if found == {"cleartext"}:
            return "cleartext"
        return "mixed" if {"encrypted", "cleartext"} <= found else "unknown"

    def deliveries(self, *, clock: bool = True) -> list[Record]:
        """Return one record per connection, outcome and response, in the order of time; a start only if its end is out of view.

        Two attempts for one recipient are two records if their times differ.
        """
        told = {(outcome, connection if outcome == "done" else None) for _, connection, outcome, rids, _ in self.attempts if rids}
        ended: dict[Connection | None, set[int]] = {}
        for _, connection, outcome, rids, _ in self.attempts:
            if outcome is not None:
                ended.setdefault(connection, set()).update(rids)
        groups: dict[tuple[Connection | None, str | None, str | None], list[dict[int, int]]] = {}
        stated: list[tuple[int, Connection | None, str | None]] = []
        for at, connection, outcome, rids, response in self.attempts:
            time = at if clock else LONG_AGO
            if not rids and (outcome, connection) not in told:
                stated.append((time, connection, outcome))  # only a consolidated event shows it
            left = [rid for rid in rids if outcome is not None or rid not in ended.get(connection, ())]
            tries = groups.setdefault((connection, outcome, response), [])
            for rid in left:
                entry = next((one for one in tries if one.get(rid, time) == time), None)
                if entry is None:
                    entry = {}
                    tries.append(entry)
                entry[rid] = time
        entries = [
            (min(entry.values()), connection, outcome, response, sorted(entry)) for (connection, outcome, response), tries in groups.items() for entry in tries
        ]
        entries += [(time, connection, outcome, None, []) for time, connection, outcome in stated]
        entries.sort(key=lambda entry: (entry[0], 0 if entry[1] is None else entry[1].id, entry[2] or "", entry[3] or "", entry[4]))
        return [self.attempt(connection, outcome, time, response, rids, clock=clock) for time, connection, outcome, response, rids in entries]

    def attempt(self, connection: Connection | None, outcome: str | None, time: int, response: str | None, rids: list[int], *, clock: bool) -> Record:
        """Return the record of one attempt."""
        verdict, reason = self.over_connection(connection, clock=clock)
        recipients = self.all_recipients
        domains = {_domain(recipients[rid]) for rid in rids if rid in recipients}
        if not rids:
            domains = {_domain(address) for address in (self.bounced_to if connection is None else connection.delivered_to[self])}
        version, cipher = (None, None) if connection is None or verdict in ("cleartext", "failed") else connection.details(self)
        record: Record = {
            "dcid": None if connection is None else connection.id,
            "rid": rids,
            "outcome": outcome,
            "time": stamp(time) if clock else None,
            "verdict": verdict,
            "tls_version": version,
            "tls_cipher": cipher,
            "peer_ip": None if connection is None else connection.peer,
            "domain": (None if connection is None else connection.told.get("tls_domain")) or _only(domains),
            "reason": reason,
            "response": response,
            "witness": None if connection is None else connection.witness(self, clock=clock),
        }
        return {key: value for key, value in record.items() if value is not None}

    def record(self, *, clock: bool = True) -> Record:
        """Return the message record, without keys that have no value."""
        source = self.source
        over = None if source is None else source.connection
        received = self.passed(clock=clock)
        reason = None
        if over is not None and source is not None and received != "none":
            reason = over.on(source, clock=clock)[1]
        version, cipher = over.details(source) if over is not None and received == "encrypted" else (None, None)
        inherited = source is not self and received in ("encrypted", "cleartext")
        recipients = self.all_recipients
        message_id, subject = self.identity
        record: Record = {
            "esa_host": self.host,
            "mid": self.mid,
            "icid": None if self.connection is None else self.connection.id,
            "received": received,
            "received_tls_version": version,
            "received_tls_cipher": cipher,
            "received_reason": reason,
            "received_peer_ip": None if over is None else over.peer,
            "received_peer_host": None if over is None else over.peer_host,
            "received_witness": None if over is None or received == "none" else over.witness(source, clock=clock),
            "received_from_mid": source.mid if inherited and source is not None else None,
            "mail_flow": self.mail_flow,
            "sender": self.any_sender,
            "recipients": [recipients[rid] for rid in sorted(recipients)] or self.stated_recipients or None,
            "parent_mid": None if self.parent is None else self.parent.mid,
            "mid_relation": self.relation,
            "message_id": message_id,
            "subject": subject,
            "delivered": self.delivery(clock=clock),
            "deliveries": self.deliveries(clock=clock),
            "first_seen": stamp(self.first) if clock else None,
            "last_seen": stamp(self.last) if clock else None,
            "finished": self.finished,
        }
        return {key: value for key, value in record.items() if value is not None}

    def concerns(self) -> set[Connection]:
        """Return the connections on which its record depends."""
        found = {connection for _, connection, _, _, _ in self.attempts if connection is not None}
        source = self.source
        if source is not None and source.connection is not None:
            found.add(source.connection)
        return found


def attempts(record: Record) -> list[tuple[object, ...]]:
    """Return the ended attempts of a record as sorted rows, one per recipient: dcid, rid, outcome, verdict, version, cipher."""
    rows: list[tuple[object, ...]] = []
    deliveries = record.get("deliveries")
    for entry in deliveries if isinstance(deliveries, list) else []:
        if entry.get("dcid") and entry.get("outcome"):
            rows.extend(
                (entry["dcid"], rid, entry["outcome"], entry["verdict"], entry.get("tls_version", ""), entry.get("tls_cipher", "")) for rid in entry["rid"]
            )
    return sorted(set(rows), key=str)


def says_nothing(record: Record) -> bool:
    """Return whether a record tells only that its id was seen."""
    if "tls_verdict" in record:
        return record["tls_verdict"] == "unknown"
    return record["received"] == "unknown" and record["delivered"] == "none" and not attempts(record)
