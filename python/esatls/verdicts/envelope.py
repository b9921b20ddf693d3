"""What a message inherits from the one that it was made from: envelope, Message-ID, subject.

A message that continues as another one (rewritten, released) is the same mail to the same people: what its own lines do not say, its parent's lines do.
Splits and copies are the same mail to other people. Bounces and notifications are other mail.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from esatls.verdicts.facts import GOES_ON

if TYPE_CHECKING:
    from esatls.extraction.fact_types import Lineage
    from esatls.verdicts.appliance import Appliance
    from esatls.verdicts.message import Message

_CHANGES_RECIPIENTS = re.compile(r"(?:alt-rcpt-to|ldap|redirect)\b", re.IGNORECASE)
"""How the words of an agent begin if it changes the recipients of what it rewrites."""
_LISTED = re.compile(r".* for following recipients: (\S.*)", re.IGNORECASE | re.DOTALL)


def sort_of_agent(text: str) -> tuple[bool, int]:
    """Return all that verdicts look for in the words of an agent that makes messages."""
    return _CHANGES_RECIPIENTS.match(text) is not None, len(listed(text))


def listed(text: str | None) -> list[str]:
    """Return the recipients listed in the words of an agent that split a message."""
    found = _LISTED.fullmatch(text or "")
    return [] if found is None else [address for address in map(str.strip, found[1].split(",")) if address]


def complete(appliance: Appliance, message: Message) -> None:
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
