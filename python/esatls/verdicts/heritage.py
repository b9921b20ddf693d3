"""What messages made from another one need to know about it. Once it is judged, its facts, its connections and its own parents are no longer needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from esatls.verdicts.envelope import complete

if TYPE_CHECKING:
    from esatls.extraction.fact_types import Lineage, MessageStarted
    from esatls.verdicts.appliance import Appliance
    from esatls.verdicts.message import Message
    from esatls.verdicts.record_types import MessageRecord


class Heritage(NamedTuple):
    """How a message was received, whom it is from and to, its Message-ID and its subject."""

    verdict: str
    received: MessageRecord
    sender: str | None
    recipients: dict[int, str]
    message_id: str | None
    subject: str | None


Heritages = dict["MessageStarted | Lineage | None", Heritage]
"""The heritage of each message with one id, by the line that the message begins with."""


def opening_of(message: Message) -> MessageStarted | Lineage | None:
    """Return the line that a message begins with, which distinguishes it from others with the same id."""
    return message.start or message.origin


def heritages_of(appliance: Appliance, mid: str) -> Heritages:
    """Return what each message with this id passes on to those made from it."""
    found: Heritages = {}
    for message in appliance.messages_of(mid)[1].values():
        verdict, received = appliance.received(message)
        if verdict == "none":
            # a message made from it will show that it was accepted
            verdict, received = appliance.came(message)
        complete(appliance, message)
        sender = message.sender()
        found[opening_of(message)] = Heritage(verdict, received, sender, message.recipients, message.message_id, message.subject)
    return found


def bequeath(appliance: Appliance, mid: str, known: Heritages) -> None:
    """Restore the messages with this id to what they were when more facts were there."""
    for message in appliance.messages_of(mid)[1].values():
        found = known.get(opening_of(message))
        if found is not None:
            message.received = found.verdict, found.received
            message.has_envelope = True
            message.sent_by, message.recipients = found.sender, found.recipients
            message.message_id, message.subject = found.message_id, found.subject
