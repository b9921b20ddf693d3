"""The parts of message records, judged by shape if they have one."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Callable

from esatls.native.ordinary import MOST_SHAPES
from esatls.native.shapes.example import Example
from esatls.native.shapes.parts import Parts
from esatls.native.shapes.templates import ENVELOPE_PART, PASSED_PART, RECEIVED_PART
from esatls.native.shapes.tries import tries_of

if TYPE_CHECKING:
    from esatls.native.shapes.templates import Fragment, Told


class Judge(Parts):
    """The messages of one appliance; the general code judges an example of each shape."""

    def part(self, kind: int, mid: str, number: int = 0) -> Fragment | None:
        """Return a part of the record of a message; of its deliveries, that of a number."""
        life = self.ordinary.get(mid)
        if life is None:
            return None
        layout, values, _, _ = life
        if kind == RECEIVED_PART:
            received = self.received(mid, layout, values)
            return received and self.known(received[0], lambda: Example(self).received(mid))
        envelope = self.envelope(layout, values)
        people = envelope and self.known(envelope[0], lambda: Example(self).envelope(mid))
        if kind == ENVELOPE_PART or envelope is None or people is None:
            return people
        tries = tries_of(layout.deliveries, values[layout.ends[2] :])
        one = tries[number] if tries and number < len(tries) else None
        found = None if one is None else self.attempt(mid, one, people.people, envelope[1])
        if one is None or found is None or found[0][-1] != (kind == PASSED_PART):
            return None
        return self.known(found[0], partial(Example.attempt, Example(self), mid, one, found[1]))

    def known(self, told: Told, example: Callable[[], Fragment | None]) -> Fragment | None:
        """Return the part for a shape, from an example that is judged the first time."""
        known = self.shapes.fragments
        if told not in known:
            if len(known) >= MOST_SHAPES:
                return None
            known[told] = example()
        return known[told]
