"""Facts of one message -> what they say about it, without looking at any connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from esatls.extraction.fact_types import (
    CODE,
    DELIVERY,
    KEY,
    TIME,
    Consolidated,
    Delivery,
    Fact,
    Lineage,
    MessageAborted,
    MessageFinished,
    MessageIdentity,
    MessagePolicy,
    MessageRecipient,
    MessageSender,
    MessageStarted,
    Try,
    named,
    position,
)
from esatls.extraction.match import LONGEST_NUMBER
from esatls.verdicts import lives
from esatls.verdicts.facts import MENTIONS, OPENS, TRIES, earlier, is_use, order

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from esatls.lines.clock import Time
    from esatls.verdicts.record_types import MessageRecord

# the places of values that are read for every message; all others are read by name
_ICID = position("icid", MessageStarted, MessageSender, MessageRecipient, Consolidated)
_SENDER = position("sender", MessageSender)
_RID = position("rid", MessageRecipient)
_DCID = position("dcid", Delivery)
_RIDS = position("rid", Delivery)
_RECIPIENT = position("recipient", MessageRecipient)
_ACTION = position("action", Consolidated)
_STATED_DCID = position("dcid", Consolidated)
_MESSAGE_ID = position("message_id", MessageIdentity)
_SUBJECT = position("subject", MessageIdentity)
_POLICY = position("policy_table", MessagePolicy)
_END = position("message_end", MessageFinished)

_GIVEN_UP = ("Receiving aborted", "Injection aborted")
"""How the reason begins if a message was aborted before it was accepted."""
_DROPPED = ("Dropped by", "Bounced by")
"""How it begins if the message was accepted, and then dropped."""
_ACCEPTED = frozenset({"DELIVERED", "BOUNCED", "DROPPED", "QUARANTINED", "DQ", "QUEUED"})
"""The actions in consolidated events of messages that were accepted."""


def sort_of_end(text: str) -> tuple[bool, ...]:
    """Return all that verdicts look for in the reason why a message was aborted."""
    return text.startswith(_GIVEN_UP), text.startswith(_DROPPED)


class Message:
    """What the facts of one life of one message say, read in one pass."""

    __slots__ = (
        "accepted",
        "begun",
        "delivered_over",
        "deliveries",
        "finished",
        "first",
        "flow",
        "gave_up",
        "has_envelope",
        "has_recipients",
        "has_sender",
        "is_bare",
        "last",
        "mention",
        "message_id",
        "mid",
        "one_life",
        "origin",
        "quarantined",
        "received",
        "received_over",
        "recipients",
        "records",
        "sent_by",
        "starts_twice",
        "statements",
        "subject",
    )  # fmt: skip

    def __init__(self, facts: Sequence[Fact]) -> None:  # noqa: C901 - a verdict in one place
        self.mid: str = facts[0][KEY]
        start = origin = sender = flow = first = last = icid = None
        made: list[Time] = []
        starts: list[Fact] = []
        rare: list[Fact] = []
        records: list[Fact] = []
        quarantined: list[Fact] = []
        deliveries: list[Fact] = []
        recipients: dict[int, str] = {}
        told_id = told_subject = None
        has_sender = has_recipient = False
        finished = False
        tried = False
        strayed = False
        accepted = gave_up = False
        for fact in facts:
            code = fact[CODE]
            if code == "message_accepted":
                # matters only if another line says that it was given up; its time does not count as one at which the message was seen
                accepted = True
                continue
            time = fact[TIME]
            if time != last and time is not None:
                if first is None:
                    first = last = time
                elif time > last:
                    last = time
                elif time < first:
                    first = time
            if code == "message_recipient":
                has_recipient = True
                if fact[_ICID] != icid:
                    strayed = True
                address = fact[_RECIPIENT]
                if address is not None:
                    rid = int(fact[_RID])
                    known = recipients.get(rid)
                    recipients[rid] = address if known is None else min(known, address)
            elif code == "delivery_done" or code == "delivery_started":  # noqa: PLR1714 - faster
                deliveries.append(fact)
            elif code == "message_identity":
                if fact[_MESSAGE_ID]:
                    told_id = fact if told_id is None else earlier(fact, told_id)
                if fact[_SUBJECT]:
                    told_subject = fact if told_subject is None else earlier(fact, told_subject)
            elif code == "message_sender":
                has_sender = True
                if fact[_ICID] != icid:
                    strayed = True
                if fact[_SENDER] is not None:
                    sender = fact if sender is None else earlier(fact, sender)
            elif code == "message_started":
                if start is None:
                    start = fact
                    icid = fact[_ICID]
                    starts.append(fact)
                    if time is not None:
                        made.append(time)
                elif fact != start:
                    starts.append(fact)
                    if fact[_ICID] != icid:
                        strayed = True
                    if time is not None:
                        made.append(time)
                    start = earlier(fact, start)
            elif code == "message_policy":
                flow = fact if flow is None else earlier(fact, flow)
                accepted = True
            elif code == "message_finished":
                finished = True
                gave_up |= fact[_END] == "aborted"
            elif code in TRIES:
                tried = True
                deliveries.append(fact)
            else:
                rare.append(fact)
        for fact in rare:
            code = fact[CODE]
            if code == "message_aborted":
                reason = MessageAborted(*fact).abort_reason or ""
                gave_up |= reason.startswith(_GIVEN_UP)
                accepted |= reason.startswith(_DROPPED)
            elif code in OPENS:
                if fact[TIME] is not None:
                    made.append(fact[TIME])
                origin = earlier(fact, origin)
            elif code == "cef":
                records.append(fact)
            elif code == "message_quarantined":
                quarantined.append(fact)
        if first is None or last is None:
            self.one_life = True
        elif len(made) < 2:
            self.one_life = last - first <= lives.FINISHED_SILENCE and (not made or first >= made[0] - lives.SAME_OPENING)
        else:
            began = min(made)
            self.one_life = last - first <= lives.FINISHED_SILENCE and first >= began - lives.SAME_OPENING and max(made) - began <= lives.SAME_OPENING
        """Whether all facts are plainly about one message."""
        self.starts_twice = len(starts) > 1
        """Whether more than one line starts it."""
        self.begun: Fact | None = start
        """The line that starts it."""
        self.origin: Lineage | None = None if origin is None else Lineage(*origin)
        """The line that made it from another message."""
        self.mention: MessageSender | MessageRecipient | None = None
        """An envelope line of a message that no line starts, for its ICID."""
        if (has_sender or has_recipient) and (start is None or strayed):
            mentions = [fact for fact in facts if fact[CODE] in MENTIONS]
            if start is None:
                self.mention = named(min(mentions, key=order))
            if len({fact[_ICID] for fact in starts}) == 1:
                mentions = [fact for fact in mentions if fact[_ICID] != icid]
            starts += mentions
        self.received_over = starts + records if records and origin is None else starts
        """The facts that name the connection it came over. Where a message was made from another one, its consolidated events name that of the other one."""
        self.delivered_over = deliveries + quarantined if quarantined else deliveries
        """The facts that name a connection it went over."""
        self.quarantined = bool(quarantined)
        self.flow: str | None = None if flow is None else flow[_POLICY]
        self.records: Sequence[Consolidated] = ()
        """Consolidated events by time, each a separate statement."""
        if records:
            self.records = [Consolidated(*fact) for fact in sorted(set(records), key=order)]
            self.statements: dict[str, str | None] = {}
            """What they state, by field, as far as it was asked for (`stated`)."""
            self.delivered_over = self.delivered_over + [fact for fact in records if is_use(DELIVERY, fact)]
            actions = {fact[_ACTION] for fact in records}
            gave_up |= "ABORTED" in actions
            # one that names a delivery connection shows a delivery, as a line of the log does
            accepted |= bool(actions & _ACCEPTED) or any(fact[_STATED_DCID] is not None for fact in records)
        self.is_bare = accepted and start is None and all(fact[CODE] == "message_accepted" for fact in facts)
        """Whether the log shows nothing but that it was accepted."""
        self.accepted = accepted or bool(deliveries or quarantined)
        """Whether something shows that it was accepted."""
        self.gave_up = gave_up
        """Whether something says that it was refused or given up before it was accepted."""
        self.message_id: str | None = None if told_id is None else told_id[_MESSAGE_ID]
        self.subject: str | None = None if told_subject is None else told_subject[_SUBJECT]
        if records:
            self._read_identity(told_id, told_subject)
        self.has_envelope = origin is None
        """Whether it has what `inheritance.inherit_envelope` adds from the message that it was made from."""
        self.has_sender, self.has_recipients = has_sender, bool(recipients)
        """Whether its own lines name them; bounce logs may not repeat all recipients."""
        self.recipients = recipients
        self.deliveries = _kept(deliveries, quarantined) if deliveries and quarantined else deliveries
        """The facts of its deliveries to people."""
        self.finished = finished
        self.first: Time | None = first
        self.last: Time | None = last
        self.sent_by: str | None = None if sender is None else sender[_SENDER]
        self.received: tuple[str, MessageRecord] | None = None
        if tried:
            self._read_bounces(deliveries)

    @property
    def start(self) -> MessageStarted | None:
        """The line that starts it, with named values."""
        return None if self.begun is None else MessageStarted(*self.begun)

    def _read_identity(self, told_id: Fact | None, told_subject: Fact | None) -> None:
        """Take the earliest Message-ID and the earliest subject from lines and consolidated events."""
        told = [named(fact) for fact in (told_id, told_subject) if fact is not None]
        for one in sorted({*self.records, *told}, key=order, reverse=True):
            self.message_id = one.message_id or self.message_id
            self.subject = one.subject or self.subject

    def _read_bounces(self, deliveries: list[Fact]) -> None:
        """Take the envelope that bounce logs repeat, if the log does not show the message's own lines."""
        bounced: dict[int, str] = {}
        senders = set()
        for fact in deliveries:
            if fact[CODE] in TRIES:
                tried = Try(*fact)
                if tried.sender:
                    senders.add(tried.sender)
                if tried.recipient:
                    for rid in rids_of(tried.rid):
                        bounced[rid] = min(bounced.get(rid, tried.recipient), tried.recipient)
        if self.sent_by is None and senders:
            self.sent_by = min(senders)
        for rid, address in bounced.items():
            self.recipients.setdefault(rid, address)

    def stated(self, name: str) -> str | None:
        """Return the first value of a field that its consolidated events state."""
        if not self.records:
            return None
        if name not in self.statements:
            # looked up once: each connection of a message asks, and there may be an event for each
            self.statements[name] = next((value for record in self.records if (value := getattr(record, name))), None)
        return self.statements[name]

    def sender(self) -> str | None:
        """Return the envelope sender."""
        return self.sent_by or self.stated("sender")

    def made_after(self, time: Time | None) -> bool:
        """Tell whether this message began after a time, so that its id had another owner then."""
        if time is None:
            return False
        opening = self.start or self.origin
        late = lives.SAME_OPENING if self.start is not None else lives.LATE_LINEAGE
        return opening is not None and opening.time is not None and opening.time > time + late


def _kept(deliveries: list[Fact], moves: Iterable[Fact]) -> list[Fact]:
    """Return the facts of deliveries without those of moves to a quarantine: of a move, either its start or its end says that it is one."""
    moved: dict[str, set[int]] = {}
    for fact in moves:
        if fact[_DCID] is not None:
            moved.setdefault(fact[_DCID], set()).update(rids_of(fact[_RIDS]))
    return [fact for fact in deliveries if fact[CODE] in TRIES or fact[_DCID] not in moved or not moved[fact[_DCID]].issuperset(rids_of(fact[_RIDS]))]


def rids_of(text: str | None) -> list[int]:
    """Return the recipient ids in a text of a fact."""
    if not text:
        return []
    if text.isdigit() and len(text) <= LONGEST_NUMBER:
        return [int(text)]
    return [int(rid) for rid in text.replace(",", " ").split() if len(rid) <= LONGEST_NUMBER]


def addresses_of(text: str | None) -> list[str]:
    """Return the addresses in a text of a consolidated event."""
    return [address.strip() for address in (text or "").replace(";", ",").split(",") if address.strip()]


def domain_of(address: str) -> str:
    """Return the domain of an address in small letters; "" for one without."""
    at = address.rfind("@") + 1
    return address[at:].lower() if at else ""
