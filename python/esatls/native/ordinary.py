"""Which lives are ordinary: the one table of what the lines of most connections and messages say, and which of it decides.

A life is ordinary if the table covers all that its lines say. Its shape then decides what its record says: which values there are, in which order, and what
the `LITERAL` and `SORTED` ones are. The record only shows all other values. `shapes` reads the table, and has the general code judge one example of each
shape; lives that the table does not cover are left to the general code itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, NamedTuple

from esatls.extraction.kinds import MAIL_FLOW
from esatls.verdicts.error_words import sort_of_reason
from esatls.verdicts.inheritance import sort_of_agent
from esatls.verdicts.message import sort_of_end

if TYPE_CHECKING:
    from collections.abc import Hashable

# what a value means to a shape
NOTHING = 0
"""No verdict looks at it, and no record of a message shows it."""
ABSENT = 1
"""An ordinary life does not have it."""
TEXT = 2
"""It only matters whether it is there."""
ONCE = 3
"""Like `TEXT`, but at most one fact of a life has it."""
LITERAL = 4
"""The value is part of the shape: there are few different ones."""
SORTED = 5
"""A text in which a function (`Rule.sort`) finds all that verdicts look for."""
RECEIVED_OVER = 6
"""The connection that a message came over: the same in all facts of it."""
WENT_OVER = 7
"""The connection of a delivery."""
USED = 8
"""A connection that a message used, but that its record does not show."""
MADE_FROM = 9
"""The message that another one was made from."""
OWNER = 10
"""The message that a line about a connection names."""
UNSHOWN = 11
"""Like `SORTED`, but no record shows it."""
DISTINCT = 12
"""Like `LITERAL`, but a number, and a different one in each fact of a life."""


NUMBER = 13
"""Like `TEXT`, but records have it as a number."""
PLAIN = 14
"""Like `TEXT`, but a domain name in small letters: records have it as logged, and in small letters."""


class Rule(NamedTuple):
    """What an ordinary life may have of the facts of one code."""

    most: int
    """The most facts. 0: any number, as it only matters whether there are any."""
    values: tuple[int, ...]
    """What each value means."""
    is_timed: bool = False
    """Whether it matters if the line came before mail passed."""
    is_seen: bool = True
    """Whether the message or connection counts as seen at its time."""
    sort: Callable[[str], Hashable] | None = None
    shown: tuple[int, ...] = ()
    """What each value means to the record of the connection itself."""
    is_at_once: bool = False
    """Whether it holds for mail of its own second, and not only for later mail."""


MOST_FACTS = 60
"""The most facts of an ordinary life."""
MOST_SHAPES = 20_000
"""The most shapes that are learned; a life with yet another one is not ordinary."""

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
"""Rules by the code of a fact, in the order in which shapes have the codes."""

RECEIVED = ("message_started", "message_policy", "message_aborted", "message_finished", *LINEAGE)
"""The facts about how a message was received, and whether it is finished."""
ENVELOPE = (*LINEAGE, "message_sender", "message_recipient", "message_identity")
"""The facts about whom it is from and to, its Message-ID and its subject."""
ENDS = ("delivery_done", "delivery_bounced", "delivery_delayed")
"""The facts that end a delivery; one that began but did not end is a delivery, too."""
