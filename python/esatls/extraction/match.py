"""Message text -> event: which pattern, with which fields.

The alternations in `_patterns` are compiled on first use, so that starting costs nothing for kinds of
lines that do not occur.
"""

from __future__ import annotations

import re
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, cast

from esatls.extraction.fact_types import FACT_FIELDS, code_of, store_of
from esatls.extraction.fields import INTEGERS
from esatls.extraction.kinds import MAIL_FLOW, constants_of
from esatls.extraction.patterns import MATCHERS, PATTERNS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from esatls.extraction.event_record import EventRecord

LONGEST_NUMBER = 18
"""Digits of a number that fits into 64 bits, as ids do by their patterns."""


def rids(text: str) -> list[int] | None:
    """Return the numbers of a list of recipients; None where there is none that can be one."""
    return [int(rid) for rid in text.replace(",", " ").split() if len(rid) <= LONGEST_NUMBER] or None


_READING: dict[str, Callable[[str], Any]] = {
    **dict.fromkeys(INTEGERS, int),
    "rid": rids,
    "policy_table": MAIL_FLOW.__getitem__,
}
"""How to read the fields that are no text."""
_NAMED = {"policy_table": "mail_flow"}

_FRONT = re.compile(r"([A-Za-z ]+ )\(\?P<(\w+)>\\d\{1,18\}\)")
_OF_FEW_VALUES = frozenset({
    "tls_version", "tls_cipher", "hat_action", "sender_group", "hat_match", "sbrs", "country", "policy_table", "close_reason", "message_end",
})  # fmt: skip
"""Fields that have the same few values all over a log."""


class Stated(NamedTuple):
    """What facts a pattern states."""

    store: int
    """Which store they go to; -1: the kind is no fact."""
    code: str
    """Their name, which is the kind, or for lineage the relation."""
    groups: tuple[int, ...]
    """The groups of the match that make them: the key, then the values of the kind (`fact_types`)."""


class Spec(NamedTuple):
    """One pattern, ready for use."""

    name: str
    kind: str
    constants: dict[str, str]
    groups: dict[str, int]
    fact: Stated
    plan: tuple[tuple[str, int, Callable[[str], Any] | None], ...]
    """Field, group and how to read it (None: as it stands)."""
    front: str
    """What stands in front of its number, where the same few texts come over and over but for that number; else nothing."""


class Matcher(NamedTuple):
    """The patterns that share a first word."""

    fullmatch: Callable[..., re.Match[str] | None]
    specs: dict[int, Spec]
    """By the number of the last group of the alternative that matched (`lastindex`)."""
    facts: Mapping[int, tuple[int, str, Callable[[re.Match[str]], tuple[Any, ...]]]]
    """Likewise what each says of its facts, with what takes their values from the match."""


class _Matchers(dict[str, "Matcher | None"]):
    """First characters of a text -> matcher, compiled when first asked for; None where no pattern begins so."""

    def __missing__(self, start: str) -> Matcher | None:
        found = None
        if start in MATCHERS:
            specs = specs_of(start)
            facts = {last: (spec.fact.store, spec.fact.code, itemgetter(*spec.fact.groups)) for last, spec in specs.items()}
            found = Matcher(re.compile(MATCHERS[start][0], re.ASCII).fullmatch, specs, facts)
            self[start] = found
        return found


def specs_of(start: str) -> dict[int, Spec]:
    """Return the patterns whose texts begin so, by the number of the last group of each."""
    _, table, never = MATCHERS[start]
    return {last: _spec(name, groups, never) for last, (name, groups) in table.items()}


def _spec(name: str, groups: dict[str, int], never: int) -> Spec:
    constants = constants_of(name, tuple(groups))
    kind = constants["esa_event"]
    fields = FACT_FIELDS.get(kind)
    store, key = store_of(kind, constants.get("esa_direction"))
    if fields is None:
        store = -1
    wanted = (key, *(fields or ()))
    numbers = tuple(groups.get(field, never) for field in wanted)
    if len(numbers) == 1:
        numbers += (never,)
    plan = tuple((_NAMED.get(field, field), group, _READING.get(field)) for field, group in groups.items())
    front = _FRONT.match(PATTERNS[name])
    is_alone = front is not None and groups.keys() - _OF_FEW_VALUES == {front[2]}
    return Spec(name, kind, constants, groups, Stated(store, code_of(constants), numbers), plan, front[1] if front and is_alone else "")


def front_of(specs: Mapping[int, Spec]) -> str:
    """Return what stands in front of a number that does not matter to what is matched behind it, of patterns that share a first word; or nothing.

    Texts that differ in such a number alone are matched alike, by any of these patterns: none looks at its digits.
    """
    return next((spec.front for spec in specs.values() if spec.front), "")


MATCHERS_BY_START = _Matchers()


START = 4
"""Characters of a text that tell its matcher."""


class Matched(NamedTuple):
    """The pattern that a whole message text matches, and the match."""

    spec: Spec
    found: re.Match[str]


def match(text: str) -> Matched | None:
    """Return what a message text matches; None when it is no event."""
    matcher = MATCHERS_BY_START[text[:START]]
    # no message text holds a line feed; with one, "the rest of the line" could be sought again and again
    if matcher is None or "\n" in text:
        return None
    fullmatch, specs, _ = matcher
    found = fullmatch(text)
    return None if found is None else Matched(specs[found.lastindex], found)  # type: ignore[index]


def event_of(spec: Spec, found: re.Match[str], base: dict[str, Any] | None = None) -> EventRecord:
    """Return the flat fields (REFERENCE.md) that one match states, after those of `base`; absent fields have no key."""
    if spec.kind == "consolidated_event":
        from esatls.extraction.cef import parse

        return cast("EventRecord", {**(base or {}), **(parse(found[0]) or spec.constants)})
    event: dict[str, Any] = {**base, **spec.constants} if base else dict(spec.constants)
    for field, group, reading in spec.plan:
        value = found[group]
        if value:
            told = value if reading is None else reading(value)
            if told is not None:
                event[field] = told
    if "hat_action" in event and event["hat_action"] in MAIL_FLOW:
        event["mail_flow"] = MAIL_FLOW[event["hat_action"]]
    return cast("EventRecord", event)


def extract(text: str) -> EventRecord | None:
    """Return the event of a message text, without the header of its line, or None.

    `extract("ICID 5 TLS success protocol TLSv1.2 cipher AES128-SHA")["tls_version"]` is `"TLSv1.2"`.
    """
    found = match(text)
    return None if found is None else event_of(*found)
