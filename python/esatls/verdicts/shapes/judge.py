"""The messages of an appliance, judged by shape where they have one."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Callable

from esatls.extraction.fact_types import MESSAGES
from esatls.verdicts.appliance import Appliance, in_order
from esatls.verdicts.closure import together
from esatls.verdicts.ordinary import AT_ONCE, MOST_SHAPES
from esatls.verdicts.records import messages, messages_of
from esatls.verdicts.shapes.example import Example
from esatls.verdicts.shapes.parts import STAMPS, Parts
from esatls.verdicts.shapes.templates import Shapes
from esatls.verdicts.shapes.tries import tries_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from esatls.verdicts.contradictions import Contradictions
    from esatls.verdicts.facts import Facts
    from esatls.verdicts.shapes.templates import Dump, Fragment, Told

_PASSED = 3


class Judge(Parts):
    """The messages of one appliance, judged by shape where they have one."""

    _whole: Appliance | None = None
    """All of it for the general code, once that has judged many."""

    def lines(self, skip: Collection[str] = (), contradictions: Contradictions | None = None) -> Iterator[tuple[int, bytes]]:
        """Yield MID and record of each life of each message, by MID, but those to `skip`; add what shows of contradictions."""
        mids = in_order(self.stores[MESSAGES].keys() - skip if skip else self.stores[MESSAGES])
        for start in range(0, len(mids), AT_ONCE):
            batch = mids[start : start + AT_ONCE]
            found = {mid: line for mid in batch if (line := self._line(mid)) is not None}
            odd = [mid for mid in batch if mid not in found]
            self.shapes.judged += len(found)
            self.shapes.odd += len(odd)
            judged = self._judged(odd, contradictions, many=2 * len(odd) > len(batch)) if odd else {}
            for mid in batch:
                line = found.get(mid)
                if line is not None:
                    yield int(mid), line
                else:
                    yield from ((int(mid), one) for one in judged[mid])

    def _judged(self, odd: list[str], contradictions: Contradictions | None, *, many: bool) -> dict[str, list[bytes]]:
        """Return the records that the general code gives."""
        if many and self._whole is None:
            self._whole = Appliance(self.host, self.stores)
        appliance = self._whole or Appliance(self.host, together(self, odd))
        found = {mid: [self.shapes.dump(record) for _, record in messages_of(appliance, only={mid})] for mid in odd}
        if contradictions is not None:
            contradictions.look(appliance, self.facts)
        return found

    def _line(self, mid: str) -> bytes | None:
        """Return the record of a message; None where it is not ordinary."""
        life = self.ordinary.get(mid)
        if life is None:
            return None
        shapes = self.shapes
        layout, values, first, last = life
        received = self.received(mid, layout, values)
        envelope = self.envelope(layout, values)
        if received is None or envelope is None:
            return None
        known = shapes.fragments
        told, own = received
        one = known[told] if told in known else self._learn(told, lambda: Example(self).received(mid))
        told, theirs = envelope
        other = known[told] if told in known else self._learn(told, lambda: Example(self).envelope(mid))
        if one is None or other is None or other.is_listed:
            return None
        found = [mid, self.host, STAMPS[first], STAMPS[last], *own, *theirs]
        attempts: list[Fragment] = []
        numbers: Told = (one.number, other.number)
        form = layout.deliveries
        if form.codes:
            tries = tries_of(form, values[layout.ends[2] :])
            if tries is None:
                return None
            for attempt in tries:
                part = self.attempt(mid, attempt, other.people, theirs)
                if part is None:
                    return None
                told, own = part
                fragment = known[told] if told in known else self._learn(told, partial(Example.attempt, Example(self), mid, attempt, own))
                if fragment is None:
                    return None
                attempts.append(fragment)
                numbers += (fragment.number,)
                found += own
        template = shapes.templates.get(numbers)
        if template is None:
            template = shapes.template(numbers, one, other, attempts)
        text, get = template
        slots = get(found)
        shown = "".join(slots)
        if not (shown.isascii() and shown.isprintable() and '"' not in shown and "\\" not in shown):
            slots = tuple([shapes.escaped(slot) for slot in slots])
        return (text % slots).encode()

    def part(self, kind: int, mid: str, number: int = 0) -> Fragment | None:
        """Return a part of the record of a message: how it was received, its envelope, or the delivery of a number (3: over a connection that mail passed)."""
        life = self.ordinary.get(mid)
        if life is None:
            return None
        layout, values, _, _ = life
        if kind == 0:
            received = self.received(mid, layout, values)
            return received and self._known(received[0], lambda: Example(self).received(mid))
        envelope = self.envelope(layout, values)
        people = envelope and self._known(envelope[0], lambda: Example(self).envelope(mid))
        if kind == 1 or envelope is None or people is None:
            return people
        tries = tries_of(layout.deliveries, values[layout.ends[2] :])
        one = tries[number] if tries and number < len(tries) else None
        found = None if one is None else self.attempt(mid, one, people.people, envelope[1])
        if one is None or found is None or found[0][-1] != (kind == _PASSED):
            return None
        return self._known(found[0], partial(Example.attempt, Example(self), mid, one, found[1]))

    def _known(self, told: Told, example: Callable[[], Fragment | None]) -> Fragment | None:
        return self.shapes.fragments[told] if told in self.shapes.fragments else self._learn(told, example)

    def _learn(self, told: Told, example: Callable[[], Fragment | None]) -> Fragment | None:
        if len(self.shapes.fragments) >= MOST_SHAPES:
            return None
        found = self.shapes.fragments[told] = example()
        return found


def lines(facts: Facts, dump: Dump, contradictions: Contradictions | None = None) -> Iterator[bytes]:
    """Yield the record of every message as `dump` gives it, by appliance, MID and life; add what shows of contradictions."""
    shapes = Shapes(dump)
    facts = facts.settled()
    if facts.has_witnesses:
        # what consolidated events state is in no shape
        yield from map(dump, messages(facts, contradictions))
        return
    for host in sorted(facts.hosts):
        for _, line in Judge(host, facts.hosts[host], shapes).lines(contradictions=contradictions):
            yield line
