"""Examples of shapes for the general code to judge, with marks in place of the values that a record only shows."""

from __future__ import annotations

import re
from math import floor
from typing import TYPE_CHECKING, Any

from esatls.extraction.fact_types import DELIVERY, MESSAGES, RECEIVING
from esatls.lines.clock import rfc3339
from esatls.native.ordinary import (
    ABSENT,
    DISTINCT,
    ENVELOPE,
    LITERAL,
    MADE_FROM,
    NOTHING,
    ONCE,
    OWNER,
    RECEIVED,
    RECEIVED_OVER,
    RULES,
    TEXT,
    UNSHOWN,
    WENT_OVER,
)
from esatls.native.shapes.layout import SORTS
from esatls.native.shapes.templates import DOMAIN, FIRST, HOST, LAST, LISTED, MID, MOST_LISTED, SENDER, Fragment, Text
from esatls.report import shared_fields
from esatls.report.shared_fields import only
from esatls.verdicts.appliance import Appliance
from esatls.verdicts.deliveries import deliveries_of
from esatls.verdicts.facts import INTERNAL, TRIES
from esatls.verdicts.inheritance import listed
from esatls.verdicts.records import message_record

if TYPE_CHECKING:
    from collections.abc import Collection

    from esatls.lines.clock import Time
    from esatls.native.shapes.layout import Form
    from esatls.native.shapes.parts import Parts, Side
    from esatls.native.shapes.tries import Try
    from esatls.report.shared_fields import Piece, Shared
    from esatls.verdicts.facts import Ref, Store
    from esatls.verdicts.message import Message

_OF_ENVELOPE = ("sender", "recipients", "parent_mid", "mid_relation")
_OF_IDENTITY = ("message_id", "subject")
_OF_DELIVERIES = ("delivered", "deliveries")
_OF_TIME = ("first_seen", "last_seen", "finished")
_COUNTED = ("esa_host", "mail_flow", "received", "received_tls_version", "received_tls_cipher", "received_reason")
"""The fields about receiving that a report counts."""
_OF_EACH = ("first_seen", "last_seen", "received_peer_host", "received_peer_ip", "mid")
"""The fields that it also takes from each message."""
_OF_ATTEMPT = ("rid", "outcome", "verdict", "tls_version", "tls_cipher", "reason")
_DCID, _TIME, _RESPONSE, TRY_DOMAIN = range(4)
"""The places of a delivery's values; its RIDs and its connection's values follow."""
_OF_TRY = TRY_DOMAIN + 1
CHILD = 990_000
"""The places of other messages' ids begin here."""
BEGIN = 4_000_000_000
"""The second around which an example takes place."""
_STORES = {RECEIVED_OVER: RECEIVING, WENT_OVER: DELIVERY, MADE_FROM: MESSAGES}
_MARK = re.compile("\ue000([0-9]+)\ue001|1000000000([0-9]{6})")
_LIKE_A_MARK = re.compile("[\ue000\ue001]|[0-9]{16}")


def text_mark(place: int) -> str:
    """Return the mark for a text."""
    return f"\ue000{place}\ue001"


def number_mark(place: int) -> str:
    """Return the mark for an id."""
    return str(1_000_000_000_000_000 + place)


class Example:
    """An example of a part of a record: the same facts, with marks in place of the values that a record only shows."""

    def __init__(self, known: Parts) -> None:
        self.known = known
        self.is_good = True
        self.stores: tuple[Store, Store, Store] = ({}, {}, {})
        self.count = 0
        """The number of places used so far."""
        self.ids: dict[Ref, str] = {}
        self._sorted: list[tuple[str, int]] = []
        """Texts that end with a mark, and their places."""
        self._unshown: set[int] = set()
        """The places of texts that no record may show."""

    def received(self, mid: str) -> Fragment | None:
        """Return the part of a record about how a message was received, and when it was seen."""
        self.ids[MESSAGES, mid] = number_mark(MID)
        self._message(mid, RECEIVED, 0)
        message = self.stores[MESSAGES][number_mark(MID)]
        message += [("message_identity", time, number_mark(MID), None, None) for time in (BEGIN - 1, BEGIN + 10_000)]
        if self.known.is_copied(mid):
            self.stores[MESSAGES][number_mark(CHILD)] = [("copy", BEGIN + 5, number_mark(CHILD), number_mark(MID), None)]
        told = self._record(_OF_ENVELOPE + _OF_IDENTITY + _OF_DELIVERIES)
        if told is None:
            return None
        record, _ = told
        seen = {name: record.pop(name) for name in _OF_TIME}
        flow = "none" if record["received"] == "none" else record.get("mail_flow", "")
        keys: Shared = ()
        if self.known.shapes.brief:
            keys = shared_fields.of_received(record)
            record, seen = only(record, _COUNTED), only({**record, **seen}, _OF_EACH)
        found = self.fragment(record, seen, keys=keys)
        return found and found._replace(done=flow)

    def envelope(self, mid: str) -> Fragment | None:
        """Return the part of a record about whom a message is from and to, with its parent, Message-ID and subject."""
        self.ids[MESSAGES, mid] = number_mark(MID)
        self._message(mid, ENVELOPE, 0)
        told = self._record(())
        if told is None:
            return None
        record, message = told
        parts = only(record, _OF_ENVELOPE), only(record, _OF_IDENTITY)
        people = {}
        for rid, address in message.recipients.items():
            mark = _MARK.fullmatch(address)
            if mark is None:
                return None
            people[rid] = int(mark[1])
        if "sender" in record:
            mark = _MARK.fullmatch(record["sender"])
            if mark is None:
                return None
            people[SENDER] = int(mark[1])
        keys: Shared = ()
        if self.known.shapes.brief:
            keys = shared_fields.of_envelope(len(record.get("recipients", ())), text_mark(DOMAIN))
            parts = ({"to": len(record.get("recipients", ()))}, only(record, ("recipients", "sender")))
        found = self.fragment(*parts, keys=keys)
        return found and found._replace(people=people)

    def attempt(self, mid: str, one: Try, values: tuple[Any, ...]) -> Fragment | None:
        """Return the part of a record about one delivery."""
        key = number_mark(MID)
        self.ids[MESSAGES, mid] = key
        own, begun, ended, when, numbers, response = one
        rids = [number_mark(_OF_TRY + number) for number in range(len(numbers))]
        rid = ", ".join(rids)
        self.count = _OF_TRY + len(rids)
        dcid = own and number_mark(_DCID)
        facts = self.stores[MESSAGES][key] = []
        if begun:
            facts.append(("delivery_started", BEGIN - 1 if ended else BEGIN, key, dcid, rid))
        if ended in TRIES:
            facts.append((ended, BEGIN, key, dcid, rid, response and text_mark(_RESPONSE), None, None))
        elif ended is not None:
            facts.append((ended, BEGIN, key, dcid, rid))
        if values[TRY_DOMAIN]:
            facts.append(("message_recipient", BEGIN, key, None, rids[0], f"x@{text_mark(TRY_DOMAIN)}"))
        if own is not None:
            connection = self.known.side(DELIVERY, own)
            if connection is None:
                return None
            self.ids[DELIVERY, own] = number_mark(_DCID)
            self._connection(DELIVERY, connection, BEGIN, when)
            if connection.passed and not begun:
                self.stores[MESSAGES][number_mark(CHILD)] = [("delivery_started", BEGIN, number_mark(CHILD), dcid, "0")]
        appliance = Appliance("", self.stores)
        (message,) = appliance.lives_of(key)
        found = deliveries_of(appliance, message)
        if not self.is_good or len(found) != 1:
            return None
        done = found[0]["verdict"] if found[0].get("outcome") == "done" else None
        if "time" in found[0]:
            found[0]["time"] = text_mark(_TIME)
        told: dict[str, Any] = {**found[0]}
        keys: Shared = ()
        if self.known.shapes.brief:
            keys = shared_fields.of_attempt(told)
            told = only(told, (*_OF_ATTEMPT, *(("domain",) if "domain" in told else ("peer_host", "peer_ip")), "time"))
        made = self.fragment([told], keys=keys)
        return made and made._replace(done=done)

    def _message(self, mid: str, codes: Collection[str], depth: int) -> None:
        layout, own, _, _ = self.known.ordinary[mid]
        form = layout.received if codes is RECEIVED else layout.envelope
        values = own[: layout.ends[0]] if codes is RECEIVED else own[layout.ends[1] : layout.ends[2]]
        key = self.ids[MESSAGES, mid]
        self.is_good &= key not in self.stores[MESSAGES]
        time = BEGIN - 100 * depth
        facts = self.stores[MESSAGES][key] = form.facts(key, [time] * len(form.codes), self._marked(form, values, codes))
        facts.append(("message_identity", time, key, None, None))  # empty: a message needs at least one fact
        if codes is RECEIVED:
            if layout.is_accepted:
                facts.append(("message_accepted", time, key, None))
            icid = None if form.started is None else values[form.started + 1]
            if self.known.is_own(mid) is False:
                facts.append(("message_sender", time, key, icid, "x"))
            connection = None if icid is None or icid == "0" else self.known.side(RECEIVING, icid)
            if connection is not None:
                self._connection(RECEIVING, connection, time, values[form.started])  # type: ignore[index]
        if form.origin is not None and form.relation not in INTERNAL:
            parent = values[form.origin + 1]
            if parent in self.known.stores[MESSAGES]:
                self._message(parent, codes, depth + 1)

    def _connection(self, side: int, connection: Side, time: Time, told: Time) -> None:
        """Add a connection: `time` is when mail passes in the example, `told` when it really passed."""
        form, key = connection.form, self.ids[side, connection.key]
        self.is_good &= key not in self.stores[side]
        places = iter(form.timed(connection.values))
        order = sorted(form.timed(connection.values))
        mail = floor(told)
        times: list[Time] = []
        for code in form.codes:
            if RULES[code].is_timed:
                one = next(places)
                rank = sorted({floor(other) for other in order}).index(floor(one))
                second = time if floor(one) == mail else time - len(order) + rank if floor(one) < mail else time + 1 + rank
                # keeps the order within a second
                times.append(second + order.index(one) / 100)
            else:
                times.append(time - (40 if code == "connection_opened" else 39))
        self.stores[side][key] = form.facts(key, times, self._marked(form, connection.values, ()))

    def _marked(self, form: Form, values: tuple[Any, ...], codes: Collection[str]) -> list[Any]:
        """Return the values, with marks in place of those that a record only shows."""
        found = [*values]
        for code, start in zip(form.codes, form.starts):
            for place, what in enumerate(RULES[code].values, start + 1):
                found[place] = None if what == RECEIVED_OVER and codes is ENVELOPE else self.mark(code, what, values[place], self.count + place)
        self.count += form.length
        return found

    def mark(self, code: str, what: int, value: str | None, place: int) -> str | None:
        """Return the mark for a value, or the value if it matters itself."""
        if not value or what in (NOTHING, ABSENT):
            return None if what == NOTHING else value
        if what in (TEXT, ONCE):
            return text_mark(place)
        if what == OWNER:
            return self.ids.get((MESSAGES, value), number_mark(CHILD))
        if what in _STORES:
            return value if value == "0" else self.ids.setdefault((_STORES[what], value), number_mark(place))
        self.is_good &= not _LIKE_A_MARK.search(value)
        marked = value + text_mark(place)
        if code == "split" and what == UNSHOWN:
            count = len(listed(value))
            self.is_good &= count < MOST_LISTED
            marked += " for following recipients: " * bool(count) + ",".join(text_mark(place + LISTED * number) for number in range(1, count + 1))
        if what in (LITERAL, DISTINCT) or (what == UNSHOWN and SORTS[code](marked) != SORTS[code](value)):
            return value
        if what == UNSHOWN:
            self._unshown.add(place)
        else:
            self.is_good &= SORTS[code](marked) == SORTS[code](value)
            self._sorted.append((marked, place))
        return marked

    def _record(self, but: Collection[str]) -> tuple[dict[str, Any], Message] | None:
        """Return the record of the example without some fields, and its message; None if it turns out not to be ordinary."""
        appliance = Appliance(text_mark(HOST) if self.known.host else "", self.stores)
        found = appliance.lives_of(number_mark(MID)) if self.is_good else []
        if len(found) != 1 or found[0].is_bare:
            return None
        record: dict[str, Any] = {name: value for name, value in message_record(appliance, found[0]).items() if name not in but}
        for name, stamp, place in (("first_seen", BEGIN - 1, FIRST), ("last_seen", BEGIN + 10_000, LAST)):
            if record.get(name) == rfc3339(stamp):
                record[name] = text_mark(place)
        return record, found[0]

    def fragment(self, *parts: Piece, keys: Shared = ()) -> Fragment | None:
        """Return parts of the example's record, and the texts that they share with others (`keys`).

        None if they show a broken mark, the date of the example, or a value that no record may show.
        """
        texts, shared = tuple(map(self._put, parts)), tuple(map(self._put, keys))
        for text in (*texts, *shared):
            if "\ue000" in text.text or rfc3339(BEGIN)[:10] in text.text or self._unshown & {*text.places}:
                return None
        return Fragment(texts, self.count, {}, keys=shared)

    def _put(self, part: Piece) -> Text:
        """Return fields or entries of a record as text, with slots instead of marks, and the places of these."""
        text = self.known.shapes.dump(part).decode()[1:-1].replace("%", "%%")
        for marked, place in self._sorted:
            text = text.replace(self.known.shapes.escaped(marked).replace("%", "%%"), text_mark(place))
        places: list[int] = []

        def slot(mark: re.Match[str]) -> str:
            places.append(int(mark[1] or mark[2]))
            return "%s"

        return Text(_MARK.sub(slot, text), tuple(places))
