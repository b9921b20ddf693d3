"""Records of one shape: texts with slots, into which the values of another message or connection are filled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Hashable

Dump = Callable[[Any], bytes]
Told = tuple["Hashable", ...]

RECEIVED_PART, ENVELOPE_PART, TRY_PART, PASSED_PART, LINK_PART = range(5)
"""The parts of a record: how a message was received, its envelope, a delivery over a connection that mail did not pass, or did; and a connection."""
SENDER = (1 << 64) - 1
"""The key of the sender among the people of an envelope."""
OWN = 4
"""The number of values that every message has in front of its others: its id, its appliance, and when it was first and last seen."""
LISTED = 10_000
"""The first address of a list has the list's place plus this, the second one the list's place plus twice this, and so on."""
MOST_LISTED = 80
FIRST_OWN = 900_000
"""In the parts of a record, the places of the values in front (`OWN`) begin here."""
MID, HOST, FIRST, LAST, DOMAIN = range(FIRST_OWN, FIRST_OWN + OWN + 1)
"""Their places. `DOMAIN` is the sender's domain, for counting only."""


class Text(NamedTuple):
    """A text with slots, and the places of the values for these."""

    text: str
    places: tuple[int, ...]


class Fragment(NamedTuple):
    """A part of a record of one shape."""

    texts: tuple[Text, ...]
    size: int
    """How many values its shape has."""
    people: dict[int, int]
    """The place of each recipient's address, by RID, and of the sender's (`SENDER`)."""
    done: str | None = None
    """The verdict of a completed delivery; or the mail flow of a message, `none` if it was not received."""
    keys: tuple[Text, ...] = ()
    """By family (`shared_fields`): what a brief record has in common with others."""


class Shapes:
    """All known shapes, for any number of appliances."""

    def __init__(self, dump: Dump, *, brief: bool = False) -> None:
        self.dump = dump
        self.brief = brief
        """Whether records have only what a report counts, with fields that are counted together next to each other (`report.groups`)."""
        self.fragments: dict[Told, Fragment | None] = {}
        """By shape; None: it turned out not to be ordinary."""

    def escaped(self, text: str) -> str:
        """Return a text as JSON in a record has it, without the quotes."""
        return self.dump({"": text})[5:-2].decode()
