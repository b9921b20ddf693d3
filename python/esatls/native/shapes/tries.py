"""The deliveries of a message, from its lines."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any, Optional

from esatls.extraction.fact_types import CODE
from esatls.native.shapes.layout import layout_of
from esatls.verdicts.facts import TRIES
from esatls.verdicts.message import rids_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from esatls.extraction.fact_types import Fact
    from esatls.lines.clock import Time
    from esatls.native.shapes.layout import Form

Try = tuple[Optional[str], bool, Optional[str], "Time", tuple[int, ...], Optional[str]]
"""A delivery: its DCID, whether a line says that it began, the code of its end, the time of the end (or of the beginning), the RIDs, and the response."""


def tries_of(form: Form, values: Sequence[Any]) -> list[Try] | None:
    """Return the deliveries of a message in order; None if they are not ordinary."""
    found: list[Try] = []
    all_begun: dict[str | None, Try] = {}
    for code, at in form.deliveries:
        dcid = None if values[at + 1] == "0" else values[at + 1]
        one: Try = (dcid, False, code, values[at], _rids(values[at + 2]), values[at + 3] if code in TRIES else None)
        if code == "delivery_started":
            if dcid in all_begun:
                return None
            all_begun[dcid] = (dcid, True, None, *one[3:])
            continue
        same = next((number for number, other in enumerate(found) if other[:4] == one[:4] and other[5] == one[5]), None)
        if same is None:
            found.append(one)
        elif code in TRIES:
            found[same] = (*one[:4], tuple(sorted({*one[4], *found[same][4]})), one[5])
        else:
            return None
    for dcid, begun_there in all_begun.items():
        ended = [number for number, other in enumerate(found) if other[0] == dcid]
        if not ended:
            found.append(begun_there)
        elif not {*begun_there[4]} <= {rid for number in ended for rid in found[number][4]}:
            return None
        for number in ended:
            found[number] = (dcid, True, *found[number][2:])
    if len(found) < 2:
        return found
    if not all(_are_apart(one, other) for at, one in enumerate(found) for other in found[:at] if one[0] == other[0]):
        return None
    return sorted(found, key=lambda one: (one[3], int(one[0] or 0), one[2] or "", one[5] or ""))


def placed_tries(facts: Sequence[Fact]) -> list[tuple[int, Try]] | None:
    """Return the deliveries of a message in order, each with the number of its fact among those about deliveries.

    None if they are not ordinary; everything else in the message must be.
    """
    layout = layout_of(tuple([fact[CODE] for fact in facts]))
    if layout is None:
        return None
    form, values = layout.deliveries, layout.pick([*chain.from_iterable(facts)])[layout.ends[2] :]
    tries = tries_of(form, values)
    if tries is None:
        return None
    told = [(code, values[at], values[at + 1] or "0", values[at + 3] if code in TRIES else None) for code, at in form.deliveries]
    return [(told.index((one[2] or "delivery_started", one[3], one[0] or "0", one[5])), one) for one in tries]


def _are_apart(one: Try, other: Try) -> bool:
    """Tell whether two deliveries over one connection are plainly two: they ended differently, or one to the same recipients ended the same way again."""
    if one[2] == other[2] and one[5] == other[5]:
        return one[4] == other[4] and one[5] is not None
    return one[5] != "" != other[5]


def _rids(text: str | None) -> tuple[int, ...]:
    return tuple(sorted(set(rids_of(text))))
