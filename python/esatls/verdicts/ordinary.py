"""Which lives are ordinary: the one table of what the lines of most connections and messages say, and what of it decides.

A life is ordinary if the table has all that its lines say. What its record says then follows from its shape, which is what is there, in which order,
and what `LITERAL` and `SORTED` values are; all other values only stand in the record. `shapes` reads the table, and has the general code judge one example
of each shape; whatever is not in the table is for the general code itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, NamedTuple

from esatls.extraction.kinds import MAIL_FLOW
from esatls.verdicts.connection import sort_of_reason
from esatls.verdicts.envelope import sort_of_agent
from esatls.verdicts.message import sort_of_end

if TYPE_CHECKING:
    from collections.abc import Hashable

# what a value is to a shape
NOTHING = 0
"""No verdict looks at it, and no record of a message shows it."""
ABSENT = 1
"""It is not there in an ordinary life."""
TEXT = 2
"""Whether it is there, and no more."""
ONCE = 3
"""Likewise, and in one fact of a life at most."""
LITERAL = 4
"""It is a part of the shape as it stands: there are few."""
SORTED = 5
"""A text of which a function tells all that a verdict looks for."""
RECEIVED_OVER = 6
"""The connection that a message came over: the same in all facts of it."""
WENT_OVER = 7
"""The connection of a delivery."""
USED = 8
"""A connection that a message used, which its own record does not show."""
MADE_FROM = 9
"""The message that another one was made from."""
OWNER = 10
"""The message that a line about a connection speaks of."""
UNSHOWN = 11
"""Like `SORTED`, but no record shows it."""
DISTINCT = 12
"""Like `LITERAL`, but a number, and another one in each fact of a life."""


NUMBER = 13
"""Whether it is there; a record has it as a number."""
PLAIN = 14
"""Likewise as the name of a domain, in small letters: a record has it in two ways."""


class Rule(NamedTuple):
    """What an ordinary life has of one kind of fact."""

    most: int
    """How often at most. 0: any number, and no more than whether it is there."""
    values: tuple[int, ...]
    """What each value is."""
    is_timed: bool = False
    """Whether it matters if it was said before mail passed."""
    is_seen: bool = True
    """Whether its time is one at which the message was seen."""
    sort: Callable[[str], Hashable] | None = None
    shown: tuple[int, ...] = ()
    """What each value is to the record of the connection itself."""
    is_at_once: bool = False
    """Whether it holds for mail of its second, as for what comes later."""


MOST_FACTS = 60
"""Facts of an ordinary life."""
MOST_SHAPES = 20_000
"""Shapes that are learned; what comes in more is not ordinary."""

_TLS_SAID = Rule(3, (SORTED, NOTHING), is_timed=True, sort=sort_of_reason, shown=(SORTED, TEXT))
_TLS_UNSURE = _TLS_SAID._replace(is_at_once=True)
_LINEAGE = Rule(1, (MADE_FROM, UNSHOWN), sort=sort_of_agent)
_TRY = Rule(8, (WENT_OVER, LITERAL, TEXT, ABSENT, ABSENT))
_DELIVERY = Rule(16, (WENT_OVER, LITERAL))

LINEAGE = ("rewritten", "split", "copy", "released", "notification", "bounce")

RULES: dict[str, Rule] = {
    # connections
    "connection_opened": Rule(1, (TEXT, TEXT, NOTHING, NOTHING, NOTHING), shown=(TEXT, TEXT, NUMBER, TEXT, TEXT)),
    "hat_policy": Rule(3, (UNSHOWN, NOTHING, NOTHING, NOTHING), sort=MAIL_FLOW.get, shown=(LITERAL, TEXT, TEXT, TEXT)),
    "tls_success": Rule(1, (TEXT, TEXT, NOTHING, TEXT), is_timed=True, shown=(TEXT, TEXT, TEXT, PLAIN), is_at_once=True),
    "tls_failed": _TLS_SAID,
    "tls_required": _TLS_SAID,
    "tls_not_offered": _TLS_SAID,
    "tls_unverified": _TLS_UNSURE,
    "tls_other": _TLS_UNSURE,
    "tls_read": Rule(3, (OWNER,), is_timed=True, shown=(OWNER,), is_at_once=True),
    "connection_error": Rule(
        1, (SORTED, SORTED, NOTHING, NOTHING, TEXT, NOTHING, NOTHING), sort=sort_of_reason, shown=(SORTED, SORTED, TEXT, NUMBER, PLAIN, TEXT, TEXT)
    ),
    "connection_closed": Rule(0, (NOTHING,), shown=(NOTHING,)),
    # messages
    "message_started": Rule(1, (RECEIVED_OVER, UNSHOWN), sort=lambda note: "released" in note.lower()),
    "message_policy": Rule(1, (LITERAL,)),
    "message_aborted": Rule(1, (UNSHOWN,), sort=sort_of_end),
    "message_finished": Rule(1, (LITERAL,)),
    **dict.fromkeys(LINEAGE, _LINEAGE),
    "message_sender": Rule(1, (RECEIVED_OVER, TEXT)),
    "message_recipient": Rule(16, (RECEIVED_OVER, DISTINCT, TEXT)),
    "message_identity": Rule(2, (ONCE, ONCE)),
    "message_accepted": Rule(0, (NOTHING,), is_seen=False),
    "message_quarantined": Rule(0, (USED, NOTHING)),
    "delivery_started": _DELIVERY,
    "delivery_done": _DELIVERY,
    "delivery_bounced": _TRY,
    "delivery_delayed": _TRY,
}
"""By the code of a fact, in the order in which shapes have them."""

RECEIVED = ("message_started", "message_policy", "message_aborted", "message_finished", *LINEAGE)
"""The facts that tell how a message was received, and whether it is done with."""
ENVELOPE = (*LINEAGE, "message_sender", "message_recipient", "message_identity")
"""The facts that tell whom it is from and to, and what it is known by."""
ENDS = ("delivery_done", "delivery_bounced", "delivery_delayed")
"""The facts that end a delivery; one that began and did not end is one too."""
