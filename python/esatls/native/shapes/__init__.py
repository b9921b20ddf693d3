"""Judging by shape: the general code judges one example of each shape, and the compiled core fills in the records of all other lives of the shape.

A shape is all that the general code looks at in a life. `ordinary` says which lives have one; the general code judges all others, from the facts that must
be together. An example has marks in place of the values that a record only shows. Where its record has a mark, another message of the shape has its own
value. The record of a message has three kinds of parts, each with its own shapes: how the message was received, whom it is from and to, and each delivery.
The record of a connection is one part.

`layout` knows the places of values in facts of given codes. From these, `tries` finds the deliveries of a message, and `parts` what they say about each part
of a record. `example` has the general code judge an example of a part, `links` one of a connection; `templates` holds what is kept of their records.
`judge` asks for each example once.
"""

from esatls.native.shapes.judge import Judge
from esatls.native.shapes.layout import ACCEPTED, ORDER, SORTS
from esatls.native.shapes.links import Used, link, shown_in_brief
from esatls.native.shapes.templates import FIRST_OWN, LINK_PART, LISTED, MOST_LISTED, OWN, TRY_PART, Dump, Fragment, Shapes, Text
from esatls.native.shapes.tries import placed_tries

__all__ = [
    "ACCEPTED", "FIRST_OWN", "LINK_PART", "LISTED", "MOST_LISTED", "ORDER", "OWN", "SORTS", "TRY_PART", "Dump", "Fragment", "Judge",
    "Shapes", "Text", "Used", "link", "placed_tries", "shown_in_brief",
]  # fmt: skip
