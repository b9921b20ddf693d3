"""Facts: what the lines say about each connection and message. Facts are merged by set union.

A fact is a tuple `(code, time, key, *values)`: the values of one event in the order of its type
(`extraction.fact_types`). The facts of one id are a set, so merging is associative, commutative and idempotent:
any order, any split, any repetition of the lines gives the same verdicts.
"""

from __future__ import annotations

import json
from sys import intern
from typing import TYPE_CHECKING, Any, Callable

from esatls.errors import UsageError, WrongTypeError
from esatls.extraction.fact_types import (
    CEF,
    CEF_FIELDS,
    CODE,
    DELIVERY,
    FACT_FIELDS,
    FACT_TYPES,
    KEY,
    MAKES,
    MESSAGES,
    RECEIVING,
    TIME,
    TRACKING,
    Consolidated,
    Fact,
    Lineage,
    code_of,
    position,
    store_of,
)
from esatls.extraction.match import LONGEST_NUMBER, MATCHERS_BY_START, START, Spec, event_of
from esatls.lines.clock import Time, parse_rfc3339
from esatls.verdicts import usual
from esatls.verdicts.hosts import appliances, key_of

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable, Iterator, Mapping

    from esatls.extraction.event_record import EventRecord
    from esatls.extraction.heads import Head

Ref = tuple[int, str]
"""A store (RECEIVING, DELIVERY, MESSAGES) and an id in it."""
Store = dict[str, list[Fact]]
"""Facts by id. A list may hold a fact twice, which makes no difference to verdicts."""

OPENS = MAKES | {"message_started"}
"""Codes of facts that a message begins with."""
ENDS = frozenset({"message_finished", "message_aborted"})
"""Codes of facts that a message ends with."""
GOES_ON = frozenset({"rewritten", "released"})
"""Codes of facts that replace a message by another one, to the same people."""
INTERNAL = frozenset({"notification", "bounce"})
"""Codes of facts that make a message of the appliance itself, which carries no content of the one that it is about."""
TRIES = frozenset({"delivery_bounced", "delivery_delayed"})
"""Codes of facts that name a connection over which no message passed."""
GIVEN_UP = "given_up"
"""The code of uses of a connection by messages that were refused or given up before they were accepted."""
_PASSED_NOT = TRIES | {GIVEN_UP}
"""Codes of facts that name a connection over which the message did not pass (`passes`)."""
MENTIONS = frozenset({"message_sender", "message_recipient"})
"""Codes of facts, besides the start, that name the connection of a message."""

_WITNESSES = (CEF, TRACKING)
_ACTION = position("action", Consolidated)
LONG_AGO: Time = float("-inf")
"""Stands for a missing time, so that facts without one sort before all others."""
_FLOW_TABLE = {"incoming": "inbound", "outgoing": "outbound"}
_DEDUPLICATE_AT = 64
_IDS = ("icid", "dcid", "mid", "parent_mid", "rid")


def _encoder() -> Callable[[Any], str]:
    """Return a function that writes JSON: the standard library's `encode` makes a new writer for each value, which takes as long as writing a few facts."""
    plain = json.JSONEncoder(separators=(",", ":"), check_circular=False)
    try:
        write = json.encoder.c_make_encoder(None, plain.default, json.encoder.encode_basestring_ascii, None, ":", ",", False, False, True)  # type: ignore[attr-defined] # noqa: FBT003
    except (AttributeError, TypeError):  # not part of the library's public interface
        return plain.encode
    return lambda value: "".join(write(value, 0))


dump = _encoder()
"""Writes plain values as a line of JSON."""


class Facts:
    """The facts of any number of appliances."""

    __slots__ = ("has_witnesses", "hosts")

    def __init__(self) -> None:
        self.has_witnesses = False
        """Whether any fact comes from elsewhere than the text log."""
        self.hosts: dict[str, tuple[Store, Store, Store]] = {}
        """By key of an appliance (`hosts`; "" if no line names it): receiving by ICID, delivery by DCID, messages by MID."""

    def stores(self, host: str | None, serial: str | None = None) -> tuple[Store, Store, Store]:
        """Return the three stores of one appliance."""
        return self.at(key_of(host, serial))

    def at(self, key: str) -> tuple[Store, Store, Store]:
        """Return the three stores of the appliance with a key."""
        stores = self.hosts.get(key)
        if stores is None:
            stores = self.hosts[key] = ({}, {}, {})
        return stores

    def settled(self, keys: Iterable[str] = ()) -> Facts:
        """Return the facts by the names of their appliances, which these and the `keys` of other facts tell together. The result may share lists with these."""
        names = appliances([*self.hosts, *keys])
        if all(names[key] == key for key in self.hosts):
            return self
        found = Facts()
        found.has_witnesses = self.has_witnesses
        for key, stores in self.hosts.items():
            known = found.hosts.get(names[key])
            found.hosts[names[key]] = stores if known is None else _joined(known, stores)
        return found

    def take(self, head: Head, spec: Spec, found: re.Match[str]) -> bool:
        """Take one match from a stream."""
        number, code, groups = spec.fact
        if number < 0:
            if spec.kind == "consolidated_event":
                self.add(event_of(spec, found, head.base))
            return True
        if head.store is None:
            head.store = self.stores(head.host)
        values = found.group(*groups)
        if values[0] is not None:
            usual.add(head.store[number], values[0], (code, head.time, *values))
        return True

    def take_all(self, lines: Iterable[tuple[str, Head]], start: int) -> int:
        """Take the matches among many lines, all with their text at `start`; return how many there were."""
        matchers, add, end, taken = MATCHERS_BY_START, usual.add, start + START, 0
        for line, head in lines:
            matcher = matchers[line[start:end]]
            if matcher is None:
                continue
            fullmatch, specs, facts = matcher
            found = fullmatch(line, start)
            if found is None:
                continue
            taken += 1
            last = found.lastindex
            number, code, values_of = facts[last]  # type: ignore[index]
            stores = head.store
            if number < 0 or stores is None:
                self.take(head, specs[last], found)  # type: ignore[index]
                continue
            values = values_of(found)
            if values[0] is not None:
                add(stores[number], values[0], (code, head.time) + values)  # noqa: RUF005 - faster than by way of a list
        return taken

    def take_usual(self, lines: Mapping[str, list[str]], heads: Mapping[str, Head], start: int) -> int:
        """Take lines by the first characters of their text, which begins at `start`; return how many were events. `heads` are those of their headers."""
        stores = {host: self.stores(host) for host in {head.host for head in heads.values()}}
        left = usual.take(lines, {header: (head.time, *stores[head.host]) for header, head in heads.items()}, start)
        return sum(map(len, lines.values())) - len(left) + self.take_all([(line.rstrip(), heads[line[:start]]) for line in left], start)

    def add(self, event: EventRecord, host: str | None = None) -> None:
        """Add one event (a dict with the fields of REFERENCE.md); `host` names the appliance if the event does not.

        Events that decide nothing (responses, time offsets) are ignored. Raises `WrongTypeError` for anything that is not a dict, and `UsageError` for an
        id that is not a number.
        """
        if not isinstance(event, dict):
            raise WrongTypeError(f"an event is a dict, as esatls.events() gives them, not {type(event).__name__}")
        kind = event.get("esa_event", "")
        time: Time | None = parse_rfc3339(event["time"]) if "time" in event else None
        if kind == "consolidated_event":
            names, store, key_name, code = CEF_FIELDS, MESSAGES, "mid", "cef"
        elif kind in FACT_FIELDS:
            names = FACT_FIELDS[kind]
            store, key_name = store_of(kind, event.get("esa_direction"))
            code = code_of(event)
        else:
            return
        key = event.get(key_name)
        if key is None:
            return
        for id_name in _IDS:
            _check_numbers(id_name, event.get(id_name))
        values: list[Any] = [_text(name, event) for name in names] or [None]
        witness = CEF if code == "cef" else TRACKING if event.get("witness") == "tracking" else None
        if witness is not None:
            values.append(witness)
            self.has_witnesses = True
        stores = self.stores(event.get("esa_host") or host, event.get("serial") if code == "cef" else None)
        stores[store].setdefault(str(key), []).append((code, time, str(key), *values))
        if code == "cef":
            for number, side, name in ((RECEIVING, "in", "icid"), (DELIVERY, "out", "dcid")):
                result, connection = _text(f"tls_{side}_result", event), _text(name, event)
                if result is not None and connection is not None and connection != "0":
                    stated = ("cef_tls", time, connection, result, _text(f"tls_{side}_version", event), _text(f"tls_{side}_cipher", event), CEF)
                    stores[number].setdefault(connection, []).append(stated)

    def merge(self, other: Facts) -> None:
        """Add the facts of another log, or of another part of this one. Do not use the other afterwards. Raises `WrongTypeError` unless given `Facts`."""
        if not isinstance(other, Facts):
            raise WrongTypeError(f"facts are merged with Facts, not with {type(other).__name__}: those of a log are log.facts")
        self.has_witnesses |= other.has_witnesses
        for host, theirs in other.hosts.items():
            for mine, store in zip(self.at(host), theirs):
                if not mine:
                    mine.update(store)
                    continue
                for key, facts in store.items():
                    known = mine.get(key)
                    if known is None:
                        mine[key] = facts
                    else:
                        known.extend(facts)
                        if len(known) > _DEDUPLICATE_AT:
                            mine[key] = list(set(known))

    def dumps(self) -> list[str]:
        """Return the facts as lines of JSON, one per id, for another process: `[host, store, key, [fact, ...]]`."""
        return [dump((host, number, key, facts)) for host, stores in self.hosts.items() for number, store in enumerate(stores) for key, facts in store.items()]

    def loads(self, lines: Iterable[str]) -> None:
        """Merge lines that `dumps` wrote. Raises `ValueError` for any other line."""
        for line in lines:
            self._load(line)

    def _load(self, line: str) -> None:
        try:
            self.take_known(*json.loads(line))
        except (TypeError, LookupError) as error:
            raise ValueError(f"not a row of facts: {line[:80]}") from error

    def take_known(self, host: str, number: int, key: str, facts: list[list[Any]]) -> None:
        """Add facts of one id as JSON has them."""
        # there are few codes: keep each only once
        known = [(intern(code), *rest) for code, *rest in facts]
        self.at(host)[number].setdefault(key, []).extend(known)
        self.has_witnesses |= any(map(bears_witness, known))


def _joined(one: tuple[Store, Store, Store], other: tuple[Store, Store, Store]) -> tuple[Store, Store, Store]:
    """Return the facts of both, without changing either."""
    stores: tuple[Store, Store, Store] = ({**one[0]}, {**one[1]}, {**one[2]})
    for mine, theirs in zip(stores, other):
        for key, facts in theirs.items():
            mine[key] = [*mine[key], *facts] if key in mine else facts
    return stores


def order(fact: Fact) -> tuple[Any, ...]:
    """Return a key that sorts facts by time, then by what they say, in whatever order they came."""
    time = fact[TIME]
    return (LONG_AGO if time is None else time, fact[CODE], *("" if value is None else value for value in fact[KEY:]))


def earlier(fact: Fact, known: Fact | None) -> Fact:
    """Return the earlier of two facts, or the one there is."""
    if known is None or (fact != known and order(fact) < order(known)):
        return fact
    return known


def last_move(facts: Iterable[Fact]) -> Fact | None:
    """Return what says last where a message went: into a quarantine or out of it, or that it was delivered."""
    moved = (fact for fact in facts if fact[CODE] in ("message_quarantined", "delivery_done"))
    return max(moved, key=lambda fact: (LONG_AGO if fact[TIME] is None else fact[TIME], fact[CODE] == "delivery_done"), default=None)


def _named_ids(code: str, type_: type[Any]) -> tuple[tuple[int, int], ...]:
    """Return the ids that facts of one code name besides their own, as stores and places in the fact."""
    if type_ is Lineage:
        return ((MESSAGES, type_._fields.index("parent_mid")),)
    if code not in FACT_FIELDS and code != "cef":
        return ()
    sides = ((RECEIVING, "icid"), (DELIVERY, "dcid"))
    return tuple((store, type_._fields.index(name)) for store, name in sides if name in type_._fields)


_NAMED_IDS = {code: _named_ids(code, type_) for code, type_ in FACT_TYPES.items()}


def refs(fact: Fact) -> Iterator[Ref]:
    """Yield what a fact of a message names. ICID 0 and DCID 0 are no connections."""
    for store, place in _NAMED_IDS[fact[CODE]]:
        key = fact[place]
        if key is not None and (store == MESSAGES or key != "0"):
            yield store, key


def passes(use: Fact) -> bool:
    """Tell whether mail passed over the connection that a fact of a message names: it was accepted, or its delivery began."""
    return use[CODE] not in _PASSED_NOT


def is_use(side: int, fact: Fact) -> bool:
    """Tell whether a fact of a message that names a connection says that it was used: of consolidated events about delivery, only DELIVERED does."""
    return side != DELIVERY or fact[CODE] != "cef" or fact[_ACTION] == "DELIVERED"


def bears_witness(fact: Fact) -> bool:
    """Tell whether a fact comes from elsewhere than the text log."""
    return fact[-1] in _WITNESSES


def have_witnesses(stores: Iterable[Store]) -> bool:
    """Tell whether any fact in some stores comes from elsewhere than the text log."""
    return any(bears_witness(fact) for store in stores for known in store.values() for fact in known)


def _check_numbers(name: str, value: object) -> None:
    """Raise `UsageError` for what is neither a number nor several, as a list or as text."""
    if value is None or type(value) is int:
        return
    for one in value if isinstance(value, list) else str(value).replace(",", " ").split() if name == "rid" else [value]:
        text = str(one)
        if not (text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER):
            raise UsageError(f"{name} is a number, not {one!r}")


def _text(name: str, event: EventRecord) -> str | None:
    """Return a field of an event as the match would have given it."""
    if name == "policy_table":
        return _FLOW_TABLE.get(event.get("mail_flow", ""))
    value = event.get(name)
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    return None if value is None else str(value)
