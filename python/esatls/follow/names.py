"""What one fact says about others: which connections and messages it names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from esatls.match import DELIVERY, MESSAGES, RECEIVING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from esatls.facts import Fact

Ref = tuple[int, str]
"""A store (RECEIVING, DELIVERY, MESSAGES) and an id in it."""

MAKES = frozenset({"rewritten", "split", "copy", "released", "notification", "bounce"})
"""Codes of facts that make a message from another one."""
OPENS = MAKES | {"message_started"}
"""Codes of facts that a message begins with."""
ENDS = frozenset({"message_finished", "message_aborted"})
TRIES = frozenset({"delivery_bounced", "delivery_delayed"})
"""Codes of facts that name a connection over which no message passed."""
MENTIONS = frozenset({"message_sender", "message_recipient"})
_ON_RECEIVING = MENTIONS | {"message_started"}
_ON_DELIVERY = TRIES | {"delivery_started", "delivery_done", "message_quarantined"}


def refs(fact: Fact) -> Iterator[Ref]:
    """Yield what a fact of a message names. ICID 0 and DCID 0 are no connections."""
    code = fact[0]
    if code in _ON_RECEIVING:
        key = fact[3]
        if key is not None and key != "0":
            yield RECEIVING, key
    elif code in _ON_DELIVERY:
        key = fact[3]
        if key is not None and key != "0":
            yield DELIVERY, key
    elif code in MAKES:
        if fact[3] is not None:
            yield MESSAGES, fact[3]
    elif code == "cef":
        for side, key in ((RECEIVING, fact[3]), (DELIVERY, fact[4])):
            if key is not None and key != "0":
                yield side, key


def order(fact: Fact) -> tuple[object, ...]:
    """Sort facts by time, then by what they say."""
    return (float("-inf") if fact[1] is None else fact[1], fact[0], *("" if value is None else value for value in fact[2:]))
