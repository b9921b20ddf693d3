"""Records of one shape: texts with places, at which the values of another message, or of another connection, are filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Optional

from esatls.verdicts.shapes.layout import Layouts

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

Dump = Callable[["Mapping[str, Any]"], bytes]
Keys = tuple[Optional["Mapping[str, Any]"], ...]
Told = tuple["Hashable", ...]

RECEIVED_PART, ENVELOPE_PART, TRY_PART, PASSED_PART, LINK_PART = range(5)
"""The parts of a record: how a message was received, its envelope, a delivery over a connection that mail did not pass, or did; and a connection."""
SENDER = (1 << 64) - 1
"""Where the sender stands among the people of an envelope."""
OWN = 4
"""Every message has its id, its appliance, and the stamps of the first and the last time at which it was seen, in front of its other values."""
LISTED = 10_000
"""The place of the first address in a list is so much higher than that of the list, the next one's twice as much."""
MOST_LISTED = 80
FIRST_OWN = 900_000
"""The places of these are numbered from here in the parts of a record."""
MID, HOST, FIRST, LAST, DOMAIN = range(FIRST_OWN, FIRST_OWN + OWN + 1)
"""The last one is that of the sender's domain, in what is counted."""


class Text(NamedTuple):
    """A text, and the places of the values that stand in it."""

    text: str
    places: tuple[int, ...]


class Fragment(NamedTuple):
    """A part of a record of one shape: its texts, each with what stands in it and where that is."""

    number: int
    texts: tuple[Text, ...]
    size: int
    """How many values its shape has."""
    people: dict[int, int]
    """Where the address of each recipient stands, and that of the sender (`SENDER`)."""
    done: str | None = None
    """The verdict on a delivery that is done; the mail flow of what was received, or `none`."""
    keys: tuple[Text | None, ...] = ()
    """What a brief record has in common with others, by family (`counted`)."""


class Shapes:
    """What is known of shapes, for any number of appliances."""

    def __init__(self, dump: Dump, *, brief: bool = False) -> None:
        self.dump = dump
        self.brief = brief
        """Whether records have only what a report counts, in an order in which what is counted alike stands together (`report.alike`)."""
        self.layouts = Layouts()
        self.fragments: dict[Told, Fragment | None] = {}
        """By shape; None where it turned out not to be ordinary."""

    def escaped(self, text: str) -> str:
        """Return a text as it stands in a record."""
        return self.dump({"": text})[5:-2].decode()
