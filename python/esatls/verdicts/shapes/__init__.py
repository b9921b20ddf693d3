"""Messages and connections judged by shape: the general code judges one example of each shape, and the records of all others are filled in.

`ordinary` tells which lives have a shape: all that the general code looks at. An example of it has marks in place of what a record only shows, and where
a mark stands in the example's record, another message of the shape has its own value. A record has three kinds of parts, each with shapes of its own: how
the message was received, whom it is from and to, and each delivery. That of a connection is one part, and only the compiled core fills it in. All others
are judged by the general code, from the facts that must be together.

`layout` knows where values stand in facts of some codes; `tries` takes from these the deliveries of a message, and `parts` what they tell of each part of
a record. `example` has the general code judge an example of a part, `links` one of a connection; what stands in its record is kept in `templates`. `judge`
asks for each example once.
"""

from esatls.verdicts.shapes.judge import Judge
from esatls.verdicts.shapes.layout import ACCEPTED, INTERNAL, ORDER, SORTS, TRIES
from esatls.verdicts.shapes.links import Used, link, shown_in_brief
from esatls.verdicts.shapes.templates import FIRST_OWN, LINK_PART, LISTED, MOST_LISTED, OWN, TRY_PART, Dump, Fragment, Shapes, Text
from esatls.verdicts.shapes.tries import placed_tries

__all__ = [
    "ACCEPTED", "FIRST_OWN", "INTERNAL", "LINK_PART", "LISTED", "MOST_LISTED", "ORDER", "OWN", "SORTS", "TRIES", "TRY_PART", "Dump", "Fragment", "Judge",
    "Shapes", "Text", "Used", "link", "placed_tries", "shown_in_brief",
]  # fmt: skip
