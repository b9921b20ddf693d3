"""What a message inherits from the one that it was made from.

Its envelope, Message-ID and subject: a message that continues as another one (rewritten, released) is the same mail to the same people, so that what its own
lines do not say, its parent's lines do. Splits and copies are the same mail to other people. Bounces and notifications are other mail.

How it was received: once a message is judged, its `Heritage` is all that those made from it need, and its facts, its connections and its own parents can go.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from esatls.verdicts.facts import GOES_ON

if TYPE_CHECKING:
    from esatls.extraction.fact_types import Lineage, MessageStarted
    from esatls.verdicts.appliance import Appliance
    from esatls.verdicts.message import Message
    from esatls.verdicts.record_types import MessageRecord

_CHANGES_RECIPIENTS = re.compile(r"(?:alt-rcpt-to|ldap|redirect)\b", re.IGNORECASE)
"""How the words of an agent begin if it changes the recipients of what it rewrites."""
_LISTED = re.compile(r".* for following recipients: (\S.*)", re.IGNORECASE | re.DOTALL)


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


def sort_of_agent(text: str) -> tuple[bool, int]:
    """Return all that verdicts look for in the words of an agent that makes messages."""
    return _CHANGES_RECIPIENTS.match(text) is not None, len(listed(text))


def listed(text: str | None) -> list[str]:
    """Return the recipients listed in the words of an agent that split a message."""
    found = _LISTED.fullmatch(text or "")
    return [] if found is None else [address for address in map(str.strip, found[1].split(",")) if address]


def inherit_envelope(appliance: Appliance, message: Message) -> None:
    """Give a message the Message-ID, subject, sender and recipients of its ancestors, if its own lines do not name them."""
    # the oldest first, without recursion: a chain of rewrites may be long
    chain = []
    one: Message | None = message
    while one is not None and not one.has_envelope:
        one.has_envelope = True
        chain.append(one)
        one = appliance.parent(one)
    for one in reversed(chain):
        if one.origin is not None:
            parent = appliance.parent(one)
            _take_list(one, one.origin)
            if parent is not None:
                _inherit(one, one.origin, parent)


def _take_list(message: Message, origin: Lineage) -> None:
    """Take the recipients from the line that split off the message, if its own lines name none."""
    if origin.code == "split" and not message.recipients:
        message.recipients = dict(enumerate(listed(origin.mid_agent)))


def _inherit(message: Message, origin: Lineage, parent: Message) -> None:
    message.message_id = message.message_id or parent.message_id
    message.subject = message.subject or parent.subject
    if origin.code not in GOES_ON:
        return
    if not (message.has_sender or message.sender()):
        message.sent_by = parent.sender()
    # a consolidated event names the recipients of one delivery, perhaps not all
    if not message.has_recipients and not _CHANGES_RECIPIENTS.match(origin.mid_agent or ""):
        message.recipients = {**parent.recipients, **message.recipients} if message.recipients else parent.recipients


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
        inherit_envelope(appliance, message)
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
