"""The facts of one appliance, joined: which connection or message had an id at which time, and how each message was received."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any, Callable

from esatls.extraction.fact_types import (
    CODE,
    KEY,
    MAKES,
    MESSAGES,
    PARENT,
    RECEIVING,
    TIME,
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
from esatls.lines.clock import Stamps
from esatls.verdicts import lives
from esatls.verdicts.connection import Connection, stated_summary
from esatls.verdicts.facts import GIVEN_UP, GOES_ON, INTERNAL, OPENS, Store
from esatls.verdicts.message import Message, domain_of
from esatls.verdicts.weighing import View, stated_by, stated_of, statement, weighed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from esatls.lines.clock import Time
    from esatls.verdicts.connection import Summary
    from esatls.verdicts.record_types import MessageRecord

_ICID = position("icid", MessageStarted, MessageSender, MessageRecipient, Consolidated)
_DCID = position("dcid", Delivery, Try)
_DCID_STATED = position("dcid", Consolidated)
_OF_THE_VERDICT = ("received_tls_version", "received_tls_cipher", "received_reason", "received_conflict", "received_witness")


def _received(summary: Summary) -> MessageRecord:
    """Return what the record of a message says about the connection that it came over."""
    _, version, cipher, reason, peer_ip, peer_host, _, conflict, witness = summary
    said: MessageRecord = {}
    if version:
        said["received_tls_version"] = version
    if cipher:
        said["received_tls_cipher"] = cipher
    if reason:
        said["received_reason"] = reason
    if peer_ip:
        said["received_peer_ip"] = peer_ip
    if peer_host:
        said["received_peer_host"] = peer_host
    if conflict:
        said["received_conflict"] = conflict
    if witness:
        said["received_witness"] = witness
    return said


class Appliance:
    """The facts of one appliance, with the verdicts found so far."""

    def __init__(self, host: str, stores: tuple[Store, Store, Store], *, has_witnesses: bool = False) -> None:
        self.host = host
        self.stores = stores
        self.has_witnesses = has_witnesses
        """Whether any fact comes from elsewhere than the text log."""
        self.uses: tuple[Store, Store] = ({}, {})
        """Facts of messages that name a connection, by ICID and by DCID."""
        self._once: tuple[dict[str, Connection], dict[str, Connection]] = ({}, {})
        """Connections whose ids were used once, by ICID and by DCID."""
        self._reused: tuple[dict[str, tuple[list[Time], dict[int, Connection]]], ...] = ({}, {})
        """All other ids: when their lives begin, and the connections by life."""
        self.stamp: Callable[[Time], str] = Stamps().__getitem__
        """Formats a time for records."""
        self.whole: dict[str, Message] = {}
        """Messages whose ids were used once."""
        self._messages: dict[str, tuple[list[Time], dict[int, Message]]] = {}
        self._made: dict[str, list[Fact]] = {}
        """By MID: the facts about messages made from it, which show that it was accepted."""
        self._parents: dict[str, set[int]] = {}
        """By MID: its lives from which another message was made; found on demand."""
        self._rested: dict[str, list[int]] = {}
        """By MID: its lives that were in a quarantine; found on demand."""
        self._taken_again: list[tuple[int, str]] = []
        reused, given_up = [], []
        for mid, facts in stores[MESSAGES].items():
            message = Message(facts)
            if message.origin is not None:
                self._note_children(facts)
            if message.starts_twice:
                self._taken_again.append((MESSAGES, mid))
            if not message.one_life:
                reused.append(mid)
                continue
            self.whole[mid] = message
            if message.gave_up and not message.accepted:
                given_up.append(message)
            else:
                self._note_uses(message)
        for mid in reused:
            given_up += self.messages_of(mid)[1].values()
        for message in given_up:
            self._note_uses(message, is_given_up=self.is_given_up(message))

    def _note_children(self, facts: Sequence[Fact]) -> None:
        for fact in facts:
            if fact[CODE] in MAKES and fact[CODE] not in INTERNAL:
                self._made.setdefault(fact[PARENT], []).append(fact)

    def _note_uses(self, message: Message, *, is_given_up: bool = False) -> None:
        receiving, delivery = self.uses
        for fact in message.received_over:
            key = fact[_ICID]
            use = (GIVEN_UP, *fact[TIME:]) if is_given_up else fact
            if key in receiving:
                receiving[key].append(use)
            elif key is not None and key != "0":
                receiving[key] = [use]
        for fact in message.delivered_over:
            key = fact[_DCID_STATED] if fact[CODE] == "cef" else fact[_DCID]
            if key in delivery:
                delivery[key].append(fact)
            elif key is not None and key != "0":
                delivery[key] = [fact]

    def is_given_up(self, message: Message) -> bool:
        """Tell whether a message was refused or given up before it was accepted, and nothing shows that it was accepted after all."""
        if not message.gave_up or message.accepted or message.origin is not None:
            return False
        if message.mid not in self._parents:
            found = ((self.message(message.mid, fact[TIME]), fact[TIME]) for fact in self._made.get(message.mid, ()))
            self._parents[message.mid] = {id(parent) for parent, time in found if parent is not None and not parent.made_after(time)}
        return id(message) not in self._parents[message.mid]

    def ids(self, side: int) -> list[str]:
        """Return the ids of all connections of one side, ascending. ICID 0 is no connection."""
        return in_order(key for key in {**self.stores[side], **self.uses[side]} if key != "0")

    def shows(self, side: int, key: str) -> bool:
        """Tell whether there is a connection with an id: a consolidated event that names it and says nothing about it is not enough."""
        return key in self.stores[side] or key in self.uses[side]

    def connection(self, side: int, key: str, time: Time | None) -> Connection | None:
        """Return the connection that had this id at this time."""
        connection = self.used_once(side, key)
        if connection is not None:
            return connection
        begins, found = self._reused[side][key]
        return found.get(lives.life_at(begins, time))

    def taken_again(self) -> list[tuple[int, str]]:
        """Return the ids that more than one opening line seems to take (`contradictions`): of messages, of what they name, and of what else was judged."""
        for side, named in enumerate(self.uses):
            for key in named:
                self.used_once(side, key)
        return self._taken_again

    def connections_of(self, side: int, key: str) -> tuple[list[Time], dict[int, Connection]]:
        """Return when the lives of a connection id begin, and the connections by life."""
        connection = self.used_once(side, key)
        return self._reused[side][key] if connection is None else ([], {0: connection})

    def used_once(self, side: int, key: str) -> Connection | None:
        """Return the connection of an id that was used once, as most are; None if it was used again."""
        connection = self._once[side].get(key)
        if connection is not None or key in self._reused[side]:
            return connection
        facts = self.stores[side].get(key, ())
        uses = self.uses[side].get(key, ())
        connection = self._judged(side, facts, uses)
        if connection.one_life:
            self._once[side][key] = connection
            return connection
        self._taken_again.append((side, key))
        begins = lives.starts_of_connection(facts, uses)
        if not begins:
            self._once[side][key] = connection
            return connection
        parts, used = lives.split(facts, begins), lives.split(uses, begins)
        if self.has_witnesses:
            self._put_back(side, begins, parts, used)
        numbers = sorted(set(parts) | set(used))
        self._reused[side][key] = (begins, {life: self._judged(side, parts.get(life, ()), used.get(life, ())) for life in numbers})
        return None

    def _put_back(self, side: int, begins: Sequence[Time], parts: dict[int, list[Fact]], used: dict[int, list[Fact]]) -> None:
        """Move what consolidated events state to the life in which their messages started, because an event is written only when its message leaves."""
        started: dict[tuple[str, int], list[Time]] = {}
        events = []
        for life, uses in used.items():
            events += [(life, use) for use in uses if use[CODE] == "cef"]
            for use in uses:
                if use[CODE] != "cef" and use[TIME] is not None:
                    started.setdefault(self._life(use), []).append(use[TIME])
            used[life] = [use for use in uses if use[CODE] != "cef"]
        for times in started.values():
            times.sort()
        stated: dict[tuple[Any, ...], set[int]] = {}
        for life, use in events:
            # only starts of this message count, not those of an earlier one with its MID
            times = started.get(self._life(use), [])
            at = 0 if use[TIME] is None else bisect_right(times, use[TIME])
            right = lives.life_at(begins, times[at - 1]) if at else life
            used.setdefault(right, []).append(use)
            stated.setdefault(stated_by(stated_of(side, Consolidated(*use))), set()).add(right)
        moving = {fact for facts in parts.values() for fact in facts if fact[CODE] == "cef_tls" and stated_by(fact) in stated}
        for life, facts in parts.items():
            parts[life] = [fact for fact in facts if fact not in moving]
        for fact in moving:
            for life in stated[stated_by(fact)]:
                parts.setdefault(life, []).append(fact)

    def _life(self, use: Fact) -> tuple[str, int]:
        """Return the message that names a connection: its MID, and the number of its life."""
        begins = self.messages_of(use[KEY])[0]
        return use[KEY], lives.life_at(begins, use[TIME])

    def _judged(self, side: int, facts: Sequence[Fact], uses: Sequence[Fact]) -> Connection:
        connection = Connection(side, facts, uses, has_witnesses=self.has_witnesses)
        if self.has_witnesses:
            connection.weigh_tracking()
        return connection

    def messages_of(self, mid: str) -> tuple[list[Time], dict[int, Message]]:
        """Return when the lives of a MID begin, and the messages by life."""
        whole = self.whole.get(mid)
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

    def lives_of(self, mid: str) -> list[Message]:
        """Return the messages with one id, the earliest first."""
        whole = self.whole.get(mid)
        return [message for _, message in sorted(self.messages_of(mid)[1].items())] if whole is None else [whole]

    def message(self, mid: str, time: Time | None) -> Message | None:
        """Return the message that had this id at this time."""
        whole = self.whole.get(mid)
        if whole is not None:
            return whole
        begins, found = self.messages_of(mid)
        return found.get(lives.life_at(begins, time))

    # receiving

    def received(self, message: Message, *, is_last: bool = False) -> tuple[str, MessageRecord]:
        """Return the receiving verdict of one message, and the fields that come with it; `is_last` if it will probably not be asked for again."""
        received = message.received
        if received is None:
            # the oldest first, without recursion: a chain of rewrites may be long
            chain, seen = list[Message](), {id(message)}
            parent = self._inherits_from(message)
            while parent is not None and parent.received is None and id(parent) not in seen:
                chain.append(parent)
                seen.add(id(parent))
                parent = self._inherits_from(parent)
            for one in reversed(chain):
                one.received = self._receive(one)
            received = self._receive(message)
            if not is_last or message.origin is not None:
                message.received = received
        return received

    def parent(self, message: Message) -> Message | None:
        """Return the message that this one has its content from, if the log shows it."""
        origin = message.origin
        if origin is None or origin.parent_mid is None or origin.code in INTERNAL:
            return None
        parent = (self._quarantined(origin.parent_mid, origin.time) if origin.code == "released" else None) or self.message(origin.parent_mid, origin.time)
        return None if parent is None or parent.made_after(origin.time) else parent

    def _inherits_from(self, message: Message) -> Message | None:
        """Return the message that this one has its verdict from: none if it came over a connection itself."""
        return None if message.origin is None or came_over(message)[0] is not None else self.parent(message)

    def _quarantined(self, mid: str, time: Time | None) -> Message | None:
        """Return the latest message with this id, up to a time, that was in a quarantine."""
        begins, found = self.messages_of(mid)
        rested = self._rested.get(mid)
        if rested is None:
            rested = self._rested[mid] = [life for life, message in sorted(found.items()) if message.quarantined]
        at = bisect_right(rested, lives.life_at(begins, time))
        return found[rested[at - 1]] if at else None

    def _receive(self, message: Message) -> tuple[str, MessageRecord]:
        verdict, found = self.came(message)
        if message.gave_up and self.is_given_up(message):
            _forget_verdict(found)
            return "none", found
        return verdict, found

    def came(self, message: Message) -> tuple[str, MessageRecord]:
        """Return how one message was received if it was accepted, and the fields that come with it."""
        found: MessageRecord = {}
        verdict = "unknown"
        begun, origin = message.begun, message.origin
        icid, time = came_over(message)
        if icid is not None:
            found["icid"] = int(icid)
            verdict = self._over(icid, time, message.mid, found)
        elif origin is not None and origin.code in INTERNAL:
            verdict = "internal"
        elif origin is not None:
            verdict = self._inherited(message, origin, found)
        elif begun is not None and self._is_own(MessageStarted(*begun), message):
            verdict = "internal"
        if message.records:
            is_stated = verdict != "unknown" and (icid is None or self._is_stated(icid, time, message.mid))
            verdict = _received_by_records(verdict, message, found, is_stated=is_stated)
        if message.flow is not None:
            found["mail_flow"] = MAIL_FLOW[message.flow]
        return verdict, found

    def _is_own(self, start: MessageStarted, message: Message) -> bool:
        """Tell whether the appliance itself created a message that has no connection and no known parent."""
        if start.start_note is not None:
            return "released" not in start.start_note.lower()
        # TLS on the way in is that of a connection
        return not any(record.tls_in_result for record in message.records) and is_own(self.host, message.sender())

    def _over(self, icid: str, time: Time | None, mid: str, found: MessageRecord) -> str:
        """Return the verdict of the connection that a message came over, at the time of its start, and add its fields."""
        connection = self.connection(RECEIVING, icid, time)
        if connection is None:
            return "unknown"
        verdict, fields = connection.told_of(time, mid, _received)
        found.update(fields)
        if connection.flow:
            found["mail_flow"] = connection.flow
        return verdict if verdict in ("encrypted", "cleartext") else "unknown"

    def _is_stated(self, icid: str, time: Time | None, mid: str) -> bool:
        """Tell whether a line states how the message came over its connection."""
        connection = self.connection(RECEIVING, icid, time)
        return connection is not None and connection.view_of(time, mid).is_stated

    def _inherited(self, message: Message, origin: Lineage, found: MessageRecord) -> str:
        """Return the verdict of the message that a child has its content from, and add its fields."""
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


def is_own(host: str, sender: str | None) -> bool:
    """Tell whether an appliance itself created a message that came over no connection, if nothing but the sender can show it."""
    # ICID 0 alone is no proof: the line that says what a message was made from may be missing
    domain = domain_of(sender or "")
    return sender is None or (domain != "" and f".{host.lower()}.".startswith(f".{domain}."))


def in_order(ids: Iterable[str]) -> list[str]:
    """Return ids, ascending by number, and by text if they are the same number. In a log they nearly are already, so this is quick."""
    return sorted(sorted(ids), key=int)


def _forget_verdict(found: MessageRecord) -> None:
    """Remove what a record says beside a verdict that does not stand."""
    for name in _OF_THE_VERDICT:
        found.pop(name, None)  # type: ignore[misc]


def came_over(message: Message) -> tuple[str | None, Time | None]:
    """Return the ICID that a message came over, and the time of the line that names it; None if none does."""
    begun, origin = message.begun, message.origin
    if origin is not None and origin.code == "released":
        # the connection over which a quarantine returns a message says nothing about how it arrived
        return None, None
    if begun is not None and begun[_ICID] not in (None, "0"):
        return begun[_ICID], begun[TIME]
    # the event of a message that was made from another one is written long after its content came in
    known = (message.mention, *(message.records if origin is None else ()))
    found = next((one for one in known if one is not None and one.icid not in (None, "0")), None)
    return (None, None) if found is None else (found.icid, found.time)


def _received_by_records(verdict: str, message: Message, found: MessageRecord, *, is_stated: bool) -> str:
    """Add what consolidated events say of receiving: evidence for what they state, and for nothing that they leave out.

    `is_stated` tells whether a line of the text log states the verdict.
    """
    # a connection has weighed those that name it
    icid = found.get("icid")
    records = [record for record in message.records if icid is None or record.icid is None or (not is_stated and record.icid == str(icid))]
    view = weighed(View(verdict, is_stated=is_stated), statement(stated_of(RECEIVING, record) for record in records))
    if view.verdict != verdict:
        verdict = view.verdict
        _forget_verdict(found)
        found.update(_received(stated_summary(view)))
    elif view.conflict:
        found["received_conflict"] = view.conflict
    address, host, flow = message.stated("peer_ip"), message.stated("peer_host"), message.stated("mail_flow")
    if address and "received_peer_ip" not in found:
        found["received_peer_ip"] = address
    if host and "received_peer_host" not in found:
        found["received_peer_host"] = host
    if flow and "mail_flow" not in found:
        found["mail_flow"] = flow
    return verdict
