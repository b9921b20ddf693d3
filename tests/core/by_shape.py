"""Records of messages filled in by shape, as the compiled core fills them in, in plain Python: what tests try the table of what is ordinary with."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from esatls.extraction.fact_types import MESSAGES
from esatls.native.shapes.example import Example
from esatls.native.shapes.judge import Judge
from esatls.native.shapes.layout import getter
from esatls.native.shapes.parts import STAMPS
from esatls.native.shapes.templates import FIRST_OWN, LISTED, OWN, Shapes
from esatls.native.shapes.tries import tries_of
from esatls.verdicts.appliance import Appliance, in_order
from esatls.verdicts.closure import Judged, together
from esatls.verdicts.deliveries import delivered
from esatls.verdicts.records import messages, messages_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from esatls.native.shapes.layout import Get
    from esatls.native.shapes.templates import Dump, Fragment, Text, Told
    from esatls.verdicts.facts import Facts, Store


class Template(NamedTuple):
    """A record of one shape."""

    text: str
    slots: Get


class ByShape(Judge):
    """The messages of one appliance, judged by shape where they have one."""

    def __init__(self, host: str, stores: tuple[Store, Store, Store], shapes: Shapes) -> None:
        super().__init__(host, stores, shapes)
        self.templates: dict[Told, Template] = {}
        """By the shapes of the parts."""
        self.judged = self.odd = 0
        """How many messages were judged by shape, and how many were not."""

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield MID and record of each life of each message, by MID."""
        mids = in_order(self.stores[MESSAGES])
        found = {mid: line for mid in mids if (line := self._line(mid)) is not None}
        odd = [mid for mid in mids if mid not in found]
        self.judged += len(found)
        self.odd += len(odd)
        appliance = Appliance(self.host, together(Judged(Appliance(self.host, self.stores)), odd))
        for mid in mids:
            if mid in found:
                yield int(mid), found[mid]
            else:
                yield from ((int(mid), self.shapes.dump(record)) for _, record in messages_of(appliance, only={mid}))

    def _line(self, mid: str) -> bytes | None:
        """Return the record of a message; None where it is not ordinary."""
        life = self.ordinary.get(mid)
        if life is None:
            return None
        layout, values, first, last = life
        received = self.received(mid, layout, values)
        envelope = self.envelope(layout, values)
        if received is None or envelope is None:
            return None
        shape, own = received
        one = self.known(shape, lambda: Example(self).received(mid))
        of_envelope, theirs = envelope
        other = self.known(of_envelope, lambda: Example(self).envelope(mid))
        if one is None or other is None or _has_listed(other):
            return None
        found = [mid, self.host, STAMPS[first], STAMPS[last], *own, *theirs]
        attempts: list[Fragment] = []
        whole: Told = (shape, of_envelope)
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
                fragment = self.known(told, partial(Example.attempt, Example(self), mid, attempt, own))
                if fragment is None:
                    return None
                attempts.append(fragment)
                whole += (told,)
                found += own
        template = self.templates.get(whole)
        if template is None:
            template = self.templates[whole] = self._template(one, other, attempts)
        text, get = template
        slots = get(found)
        shown = "".join(slots)
        if not (shown.isascii() and shown.isprintable() and '"' not in shown and "\\" not in shown):
            slots = tuple([self.shapes.escaped(slot) for slot in slots])
        return (text % slots).encode()

    def _template(self, received: Fragment, envelope: Fragment, attempts: Sequence[Fragment]) -> Template:
        """Return the whole of a record from its parts."""
        slots: list[int] = []

        def add(part: Text, offset: int) -> str:
            slots.extend(place - FIRST_OWN if place >= FIRST_OWN else place + offset for place in part.places)
            return part.text

        head, seen = received.texts
        sent, identity = envelope.texts
        at = OWN + received.size
        texts = [add(head, OWN), add(sent, at)]
        end = at + envelope.size
        tries = []
        for attempt in attempts:
            tries.append(add(attempt.texts[0], end))
            end += attempt.size
        word = delivered([{"outcome": "done", "verdict": attempt.done} for attempt in attempts if attempt.done is not None])
        texts += [f'"delivered":"{word}","deliveries":[{",".join(tries)}]', add(seen, OWN), add(identity, at)]
        return Template("{" + ",".join(filter(None, texts)) + "}", getter(slots))


def _has_listed(part: Fragment) -> bool:
    """Tell whether recipients stand in it that the words of an agent list: only the core takes them from there."""
    return any(LISTED <= place < FIRST_OWN for text in part.texts for place in text.places)


def lines(facts: Facts, dump: Dump) -> Iterator[bytes]:
    """Yield the record of every message as `dump` gives it, by appliance, MID and life."""
    judged = Shapes(dump)
    facts = facts.settled()
    if facts.has_witnesses:
        # what consolidated events state is in no shape
        yield from map(dump, messages(facts))
        return
    for host in sorted(facts.hosts):
        for _, line in ByShape(host, facts.hosts[host], judged).lines():
            yield line
