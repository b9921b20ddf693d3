"""Message text -> event: which pattern, with which fields.

The alternations in `patterns` are compiled on first use, so that kinds of lines that do not occur cost
nothing at the start.
"""

from __future__ import annotations

import re
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, cast

from esatls.errors import WrongTypeError
from esatls.extraction.fact_types import FACT_FIELDS, code_of, store_of
from esatls.extraction.fields import INTEGERS
from esatls.extraction.kinds import MAIL_FLOW, constants_of
from esatls.extraction.patterns import MATCHERS, PATTERNS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from esatls.extraction.event_record import EventRecord

LONGEST_NUMBER = 18
"""Maximum digits of a number, so that it fits into 64 bits; the patterns of ids have the same limit."""


def rids(text: str) -> list[int] | None:
    """Return the numbers in a list of recipient ids; None if there is none that is short enough."""
    return [int(rid) for rid in text.replace(",", " ").split() if len(rid) <= LONGEST_NUMBER] or None


_READING: dict[str, Callable[[str], Any]] = {
    **dict.fromkeys(INTEGERS, int),
    "rid": rids,
    "policy_table": MAIL_FLOW.__getitem__,
}
"""How to read the fields that are not text."""
_NAMED = {"policy_table": "mail_flow"}

_FRONT = re.compile(r"([A-Za-z ]+ )\(\?P<(\w+)>\\d\{1,18\}\)")
_OF_FEW_VALUES = frozenset({
    "tls_version", "tls_cipher", "hat_action", "sender_group", "hat_match", "sbrs", "country", "policy_table", "close_reason", "message_end",
})  # fmt: skip
"""Fields that have only a few different values in a log."""


class Stated(NamedTuple):
    """The facts that a pattern states."""

    store: int
    """The store they go to; -1: this kind is not kept as a fact."""
    code: str
    """Their code (`fact_types.code_of`)."""
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
    """Field, group and how to read it (None: unchanged)."""
    front: str
    """The text in front of its number, if texts of this pattern mostly differ only in that number; else empty."""


class Matcher(NamedTuple):
    """The patterns of texts with the same first characters."""

    fullmatch: Callable[..., re.Match[str] | None]
    specs: dict[int, Spec]
    """By the number of the last group of the alternative that matched (`lastindex`)."""
    facts: Mapping[int, tuple[int, str, Callable[[re.Match[str]], tuple[Any, ...]]]]
    """By the same number: store and code of its facts, and the function that takes their values from the match."""


class _Matchers(dict[str, "Matcher | None"]):
    """First characters of a text -> matcher, compiled when first needed; None if no pattern begins with them."""

    def __missing__(self, start: str) -> Matcher | None:
        found = None
        if start in MATCHERS:
            specs = specs_of(start)
            facts = {last: (spec.fact.store, spec.fact.code, itemgetter(*spec.fact.groups)) for last, spec in specs.items()}
            found = Matcher(re.compile(MATCHERS[start][0], re.ASCII).fullmatch, specs, facts)
            self[start] = found
        return found


def specs_of(start: str) -> dict[int, Spec]:
    """Return the patterns whose texts begin with these characters, by the number of the last group of each."""
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
    """Return the text in front of a number that does not influence the rest of the match, for the patterns of one matcher; empty if there is none.

    Texts that differ only in this number are matched alike by all of these patterns: none looks at its digits.
    """
    return next((spec.front for spec in specs.values() if spec.front), "")


MATCHERS_BY_START = _Matchers()


START = 4
"""Number of first characters that select the matcher of a text."""


class Matched(NamedTuple):
    """The pattern that a whole message text matches, and the match."""

    spec: Spec
    found: re.Match[str]


def match(text: str) -> Matched | None:
    """Return what a message text matches; None if it is not an event."""
    matcher = MATCHERS_BY_START[text[:START]]
    # no message text has a line feed; with one, patterns for "the rest of the line" could be tried again and again
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

    `extract("ICID 5 TLS success protocol TLSv1.2 cipher AES128-SHA")["tls_version"]` is `"TLSv1.2"`. Raises `WrongTypeError` for anything that is not text.
    """
    if not isinstance(text, str):
        raise WrongTypeError(f"a message text is text, not {type(text).__name__}")
    found = match(text)
    return None if found is None else event_of(*found)
