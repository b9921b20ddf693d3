"""The facts of one appliance, joined: who had which id at which time, and how each message was received."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from esatls.extraction.fact_types import (
    CODE,
    MESSAGES,
    RECEIVING,
    Consolidated,
    Delivery,
    Fact,
    Lineage,
    MessageRecipient,
    MessageSender,
    MessageStarted,
    Try,
    position,
)
from esatls.extraction.kinds import MAIL_FLOW
from esatls.lines.clock import rfc3339
from esatls.verdicts import lives
from esatls.verdicts.connection import Connection
from esatls.verdicts.facts import GOES_ON, OPENS, Store
from esatls.verdicts.message import Message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from esatls.lines.clock import Time
    from esatls.verdicts.records import MessageRecord

_OPENED = frozenset({"connection_opened"})
_INTERNAL = frozenset({"notification", "bounce"})
_ICID = position("icid", MessageStarted, MessageSender, MessageRecipient, Consolidated)
_DCID = position("dcid", Delivery, Try)
_DCID_STATED = position("dcid", Consolidated)
_STAMPS_KEPT = 50_000
_RECEIVED = (
    ("tls_version", "received_tls_version"),
    ("tls_cipher", "received_tls_cipher"),
    ("reason", "received_reason"),
    ("peer_ip", "received_peer_ip"),
    ("peer_host", "received_peer_host"),
    ("conflict", "received_conflict"),
    ("witness", "received_witness"),
)
"""What the record of a message says of the connection that it came over."""


class Appliance:
    """The facts of one appliance, with the verdicts found so far."""

    def __init__(self, host: str, stores: tuple[Store, Store, Store], *, has_witnesses: bool = False) -> None:
        self.host = host
        self.stores = stores
        self.has_witnesses = has_witnesses
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
        for fact in message.received_over:
            key = fact[_ICID]
            if key in receiving:
                receiving[key].append(fact)
            elif key is not None and key != "0":
                receiving[key] = [fact]
        for fact in message.delivered_over:
            key = fact[_DCID_STATED] if fact[CODE] == "cef" else fact[_DCID]
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
        connection = Connection(facts, uses, has_witnesses=self.has_witnesses)
        if self.has_witnesses:
            connection.weigh_tracking()
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

    def stamp(self, time: Time) -> str:
        """Return a time as records have it."""
        text = self._stamps.get(time)
        if text is None:
            if len(self._stamps) > _STAMPS_KEPT:
                self._stamps.clear()
            text = self._stamps[time] = rfc3339(time)
        return text

    # receiving

    def received(self, message: Message) -> tuple[str, MessageRecord]:
        """Return the receiving verdict of one message, and the fields that come with it."""
        if message.origin is None and message.received is None:
            message.received = self._receive(message)
        elif message.received is None:
            # from the eldest down: a chain of rewrites may be long
            chain, seen = [message], {id(message)}
            parent = self.parent(message)
            while parent is not None and parent.received is None and id(parent) not in seen:
                chain.append(parent)
                seen.add(id(parent))
                parent = self.parent(parent)
            for one in reversed(chain):
                one.received = self._receive(one)
        return message.received  # type: ignore[return-value]

    def parent(self, message: Message) -> Message | None:
        """Return the message whose content a message carries, if that is in view."""
        origin = message.origin
        if origin is None or origin.parent_mid is None or origin.code in _INTERNAL:
            return None
        parent = (self._quarantined(origin.parent_mid, origin.time) if origin.code == "released" else None) or self.message(origin.parent_mid, origin.time)
        return None if parent is None or parent.made_after(origin.time) else parent

    def _quarantined(self, mid: str, time: Time | None) -> Message | None:
        """Return the latest message with this id up to a time that was in a quarantine."""
        begins, found = self.messages_of(mid)
        lives_before = range(lives.life_at(begins, time), -1, -1)
        return next((found[life] for life in lives_before if life in found and found[life].quarantined), None)

    def _receive(self, message: Message) -> tuple[str, MessageRecord]:
        found: MessageRecord = {}
        verdict = "unknown"
        start, origin, cef = message.start, message.origin, message.cef
        known: MessageStarted | MessageSender | MessageRecipient | Consolidated | None = start
        if start is None or start.icid == "0":
            known = message.mention
        if known is None or known.icid is None or known.icid == "0":
            known = cef
        if origin is not None and origin.code == "released":
            known = None  # how a quarantine gives it back says nothing of how it came
        if known is not None and known.icid is not None and known.icid != "0":
            found["icid"] = int(known.icid)
            verdict = self._over(known.icid, known.time, found)
        elif origin is not None and origin.code in _INTERNAL:
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

    def _over(self, icid: str, time: Time | None, found: MessageRecord) -> str:
        """Return the verdict of the connection that a message came over."""
        connection = self.connection(RECEIVING, icid, time)
        if connection is None:
            return "unknown"
        if connection.placed is None:
            connection.placed = connection.summary().placed(_RECEIVED)
        found.update(cast("MessageRecord", connection.placed))
        if connection.flow:
            found["mail_flow"] = connection.flow
        return connection.verdict if connection.verdict in ("encrypted", "cleartext") else "unknown"

    def _inherited(self, message: Message, origin: Lineage, found: MessageRecord) -> str:
        """Return the verdict of the message whose content a child carries."""
        parent = self.parent(message)
        if parent is None or parent.received is None or origin.parent_mid is None:
            return "unknown"
        verdict, theirs = parent.received
        found.update(theirs)
        found.pop("icid", None)
        flow = found.pop("mail_flow", None)
        if verdict in ("encrypted", "cleartext"):
            found.setdefault("received_from_mid", int(origin.parent_mid))
        if flow is not None and origin.code in GOES_ON:
            found["mail_flow"] = flow
        return verdict


def _received_by_record(verdict: str, cef: Consolidated, found: MessageRecord) -> str:
    """Add what a consolidated event says of receiving: evidence for what it states, and for nothing that it leaves out."""
    theirs = "encrypted" if cef.tls_in_result == "success" else "cleartext"
    if cef.tls_in_result is None or "icid" in found:
        pass  # its connection has heard it
    elif verdict in ("encrypted", "cleartext") and verdict != theirs:
        found["received_conflict"] = f"text: {verdict}, cef: {theirs}"
    elif verdict == "unknown":
        verdict = theirs
        found["received_witness"] = ["cef"]
        if theirs == "cleartext":
            found["received_reason"] = "TLS failed"
        else:
            if cef.tls_in_version:
                found["received_tls_version"] = cef.tls_in_version
            if cef.tls_in_cipher:
                found["received_tls_cipher"] = cef.tls_in_cipher
    if cef.peer_ip and "received_peer_ip" not in found:
        found["received_peer_ip"] = cef.peer_ip
    if cef.peer_host and "received_peer_host" not in found:
        found["received_peer_host"] = cef.peer_host
    if cef.mail_flow and "mail_flow" not in found:
        found["mail_flow"] = cef.mail_flow
    return verdict
