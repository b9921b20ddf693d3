"""Facts of one connection -> its verdict, and the verdict for each message on it at the time of that message.

The rule is Cisco's (tech note 118500): a TLS success line means TLS; no TLS line between the opening of a
connection and its message means none. What the log does not show is `unknown`, and so is what contradicts itself.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any, Callable, Optional

from esatls.extraction.fact_types import (
    CODE,
    DELIVERY,
    KEY,
    PEER,
    RECEIVING,
    TIME,
    TRACKING,
    UNVERIFIED,
    WITNESS_NAMES,
    BrokenConnection,
    ConnectionOpened,
    Consolidated,
    Fact,
    HatPolicy,
    TlsRead,
    TlsSaid,
    TlsStated,
    TlsSuccess,
    position,
)
from esatls.extraction.kinds import MAIL_FLOW
from esatls.verdicts import lives
from esatls.verdicts.error_words import SOCKET, of_handshake, words_of
from esatls.verdicts.facts import LONG_AGO, bears_witness, earlier, order, passes
from esatls.verdicts.weighing import View, results_of, stated_by, stated_of, statement, weighed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from esatls.lines.clock import Time
    from esatls.verdicts.weighing import Statement

ATTEMPTS = frozenset({"tls_failed", "tls_required", "tls_not_offered"})
"""Codes of facts that say that TLS was tried or wanted, and did not come up."""

_SURE = frozenset({"encrypted", "cleartext", "failed"})
_PEER_HOST = position("peer_host", ConnectionOpened)
_VERSION = position("tls_version", TlsSuccess)
_CIPHER = position("tls_cipher", TlsSuccess)
_DOMAIN = position("tls_domain", TlsSuccess)
_HAT_ACTION = position("hat_action", HatPolicy)
_RESULT = position("tls_result", TlsStated)
_FAILED = ATTEMPTS | {UNVERIFIED}
_ONE_MESSAGE = 2
"""The number of facts that name most connections of a single message: its delivery begins, and is done."""
_ALWAYS: Time = float("-inf")
_BEFORE, _SAME_SECOND, _AFTER = -1, 0, 1

Summary = tuple[
    str, Optional[str], Optional[str], Optional[str], Optional[str], Optional[str], Optional[str], Optional[str], Optional[list[str]]
]  # fmt: skip
"""What records say about a connection, at one time or as a whole: verdict, protocol, cipher, reason, address, host, domain, conflict, witness."""

FieldsOf = Callable[[Summary], Any]
"""Turns the values in a summary into fields of a record, with the names and in the order of that record."""


Records = frozenset[tuple[Any, ...]]
"""What consolidated events say about TLS on a connection, each with its time (`stated_by`)."""


_CLEARTEXT = View("cleartext")


@lru_cache(maxsize=1000)
def _up(version: str | None, cipher: str | None) -> View:
    return View("encrypted", version, cipher, is_stated=True)


class Rest:
    """What the lines about a connection say besides its opening, its policy, TLS success, and its end."""

    __slots__ = ("attempt", "error", "late_socket", "other", "read_from", "reads", "required", "said", "stated", "unverified")

    def __init__(self, facts: Iterable[Fact]) -> None:
        error: Fact | None = None
        said, stated, reads = list[TlsSaid](), list[TlsStated](), list[TlsRead]()
        for fact in facts:
            code = fact[CODE]
            if code == "connection_error":
                error = earlier(fact, error)
            elif code == "tls_read":
                reads.append(TlsRead(*fact))
            elif code == "cef_tls":
                stated.append(TlsStated(*fact))
            else:
                said.append(TlsSaid(*fact))
        self.error: BrokenConnection | None = None if error is None else BrokenConnection(*error)
        self.reads = {read.mid for read in reads}
        """The messages of which a line says that their data was read over TLS."""
        self.read_from = min((_ALWAYS if read.time is None else _second(read.time) for read in reads), default=_ALWAYS)
        """The second of the first such line."""
        self.stated: Statement | None = statement(stated)
        self.said: list[TlsSaid] = sorted(said, key=order)
        """What else is said about TLS, the earliest first: failures, requirements, other words."""
        self.attempt: TlsSaid | None = None
        self.unverified: TlsSaid | None = None
        self.other: TlsSaid | None = None
        """Words that Cisco has not published: they prove neither TLS nor that it was missing."""
        self.late_socket: TlsSaid | None = None
        """The last failure in the words of a broken socket."""
        self.required = False
        for one in self.said:
            if one.code in ATTEMPTS:
                self.attempt = self.attempt or one
                self.required |= one.code == "tls_required"
                if one.code == "tls_failed" and SOCKET.search(one.tls_reason or ""):
                    self.late_socket = one
            elif one.code == UNVERIFIED:
                self.unverified = self.unverified or one
            else:
                self.other = self.other or one

    def shows_tls(self, time: Time | None, mid: str | None) -> bool:
        """Tell whether a line shows that TLS was up for mail: its own data was read over TLS, or that of another message by then."""
        return bool(self.reads) and ((mid is not None and mid in self.reads) or time is None or _second(time) >= self.read_from)


_NOTHING_ELSE = Rest(())
_NOTHING_OWN: dict[str, Statement | None] = {}
_NO_RECORDS: dict[str, Records] = {}


class Connection:
    """The verdict on one life of one connection."""

    __slots__ = (
        "_fields", "_has_passed", "_records", "_sorts", "_view", "_views", "_witness", "closed", "dispute", "facts", "flow", "has_witnesses", "is_disputed",
        "one_life", "opened", "own", "rest", "side", "success", "sure", "sure_from", "text", "up", "up_from", "uses",
    )  # fmt: skip

    def __init__(  # noqa: C901 - in one pass: there are as many connections as messages
        self, side: int, facts: Sequence[Fact], uses: Sequence[Fact], *, has_witnesses: bool = False
    ) -> None:
        self.side = side
        self.facts = facts
        self.uses = uses
        """Facts of messages that name this connection."""
        self.has_witnesses = has_witnesses
        opened = success = flow = first = last = closed = None
        rest: list[Fact] | None = None
        one_life = True
        disputed = False
        for fact in facts:
            code = fact[CODE]
            time = fact[TIME]
            if time != last and time is not None:
                if first is None:
                    first = last = time
                elif time > last:
                    last = time
                elif time < first:
                    first = time
            if code == "connection_opened":
                if opened is None:
                    opened = fact
                elif fact != opened:
                    one_life = False
                    disputed |= bool(fact[PEER] and opened[PEER] and fact[PEER] != opened[PEER])
                    opened = earlier(fact, opened)
            elif code == "tls_success":
                success = fact if success is None else earlier(fact, success)
            elif code == "hat_policy":
                if fact[_HAT_ACTION] in MAIL_FLOW:
                    flow = max(flow or "", MAIL_FLOW[fact[_HAT_ACTION]])
            elif code == "connection_closed":
                if closed is None or (time is not None and time < closed):
                    closed = time
            elif rest is None:
                rest = [fact]
            else:
                rest.append(fact)
        for fact in uses:
            time = fact[TIME]
            if time != last and time is not None:
                if first is None:
                    first = last = time
                elif time > last:
                    last = time
                elif time < first:
                    first = time
        if first is not None:
            began = None if opened is None else opened[TIME]
            if last - first > lives.CONNECTION_SILENCE or (began is not None and first < began - lives.SAME_OPENING):
                one_life = False
        # facts that every connection has are read by position, without names
        self.opened: Fact | None = opened
        self.success: Fact | None = success
        self.closed: Time | None = closed
        self.flow: str | None = flow
        self.one_life = one_life
        """Whether all facts are plainly about one connection."""
        self.is_disputed = disputed
        """Whether two peers opened it at one time, so that nobody can tell whose lines these are."""
        self.up: View | None = None
        """The answer for mail after TLS came up, and the second from which it holds (`up_from`); None if no line says that TLS came up."""
        self.up_from: Time = _ALWAYS
        if success is not None:
            self.up = _up(success[_VERSION], success[_CIPHER])
            if success[TIME] is not None:
                self.up_from = _second(success[TIME])
        self.rest = _NOTHING_ELSE if rest is None else Rest(rest)
        self.own = _NOTHING_OWN
        """By MID: what consolidated events say about this connection for that message."""
        self._records: dict[str, Records] = _NO_RECORDS
        """By MID: these events."""
        self.dispute: str | None = None
        """How message tracking contradicts the text log."""
        self.text: Connection | None = None
        """The connection by the text log alone, if that outweighs message tracking."""
        self._sorts: tuple[dict[tuple[str, str], list[Fact]], dict[tuple[Any, ...], list[Fact]]] | None = None
        """The facts by code and witness, and the consolidated events by what they state (`stated_by`); made on demand."""
        self._view: View | None = None
        self._has_passed: bool | None = None
        self._views: dict[Any, View] | None = None
        self._fields: dict[str, Any] | None = None
        """What the record of a message says about the connection; kept if the answer is sure and several messages may ask."""
        self._witness: dict[tuple[str, bool, Records | None], list[str] | None] | None = None
        """By verdict, whether a line states it, and which consolidated events are evidence: who states the verdict; found on demand."""
        self.sure: View | None = None
        """The answer for all mail from a moment on, if nothing says otherwise, as nearly always."""
        self.sure_from: Time = _ALWAYS
        if disputed or self.rest.stated is not None:
            self._read_own()
        elif success is not None:
            self.sure, self.sure_from = self.up, self.up_from
        elif rest is None and opened is not None and opened[TIME] is not None:
            self.sure, self.sure_from = _CLEARTEXT, opened[TIME]

    @property
    def view(self) -> View:
        """The answer for all mail that passed, or for the connection itself if none did."""
        if self._view is None:
            self._view = self._as_a_whole()
        return self._view

    @property
    def has_passed(self) -> bool:
        """Whether mail passed over it."""
        if self._has_passed is None:
            self._has_passed = any(map(passes, self.uses))
        return self._has_passed

    # mail at one time

    def at(self, time: Time | None, mid: str | None = None) -> View:
        """Return the answer for mail that passed at one time; what a line says about one message alone counts only for that `mid`."""
        if self.sure is not None and time is not None and time >= self.sure_from:
            return self.sure
        key = (time, mid if mid in self.own or self.rest.reads else None)
        if self._views is None:
            self._views = {}
        known = self._views.get(key)
        if known is None:
            text = self.text
            known = weighed(self._by_text(time, mid), self._stated_for(mid), end=self._end) if text is None else text.at(time, mid)
            if self.dispute is not None:
                known = known._replace(conflict=known.conflict or self.dispute)
            self._views[key] = known
        return known

    def _stated_for(self, mid: str | None) -> Statement | None:
        """Return what consolidated events state for one message: a sender may start TLS between two messages, a delivery starts it before all."""
        return self.own.get(mid or "", None if self.side == RECEIVING else self.rest.stated)

    def _by_text(self, time: Time | None, mid: str | None) -> View:
        if self.is_disputed:
            return View("unknown")
        if self.up is not None and (time is None or time >= self.up_from):
            return self.up
        rest = self.rest
        unverified, attempt, other, socket = rest.unverified, rest.attempt, rest.other, rest.late_socket
        is_read = rest.shows_tls(time, mid)
        if unverified is not None and _when(unverified.time, time) != _AFTER:
            return View("unknown", reason=unverified.tls_reason)
        if attempt is not None:
            came = _when(attempt.time, time)
            if came == _BEFORE:
                return View("cleartext", reason=attempt.tls_reason, is_stated=True)
            if came == _SAME_SECOND and self.opened is not None and not is_read:
                if SOCKET.search(attempt.tls_reason or "") and self.up is None:
                    return View("unknown", reason=attempt.tls_reason)
                return View("cleartext", reason=attempt.tls_reason, is_stated=True)
        if is_read:
            return View("encrypted")
        if other is not None and _when(other.time, time) != _AFTER:
            return View("unknown", reason=other.tls_reason)
        if self.up is not None:
            # STARTTLS comes only once in a session, so TLS was not up before
            return View("cleartext")
        if rest.reads:
            # TLS came up, but nobody knows when
            return View("unknown")
        if self.opened is None or (self.opened[TIME] is not None and time is not None and self.opened[TIME] > time + lives.SAME_OPENING):
            return View("unknown")
        if socket is not None and _when(socket.time, time) != _BEFORE:
            return View("unknown", reason=socket.tls_reason)
        return _CLEARTEXT

    @property
    def _end(self) -> str | None:
        """How the session ended, in the words of a broken socket."""
        return None if self.rest.late_socket is None else self.rest.late_socket.tls_reason

    # the connection as a whole

    def _as_a_whole(self) -> View:
        passing = [use for use in self.uses if passes(use)]
        if self.sure is not None and passing and all(use[TIME] is not None and use[TIME] >= self.sure_from for use in passing):
            return self.sure
        if self.has_witnesses:
            # a consolidated event is written when its message leaves, which is not the time at which it passed
            told = {use[KEY] for use in passing if use[CODE] != "cef"}
            passing = [use for use in passing if use[CODE] != "cef" or use[KEY] not in told]
        passed = {(use[TIME], use[KEY] if self.own or self.rest.reads else None) for use in passing}
        if not passed:
            return weighed(self._idle(), self.rest.stated, passed=False, end=self._end)
        if len(passed) == 1:
            (one,) = passed
            return self.at(*one)
        moments = sorted(passed, key=lambda one: (LONG_AGO if one[0] is None else one[0], one[1] or ""))
        return _together([self.at(*one) for one in moments], is_up=self.up is not None)

    def _idle(self) -> View:
        """Return the answer of the text log if no mail passed."""
        success, rest = self.success, self.rest
        failed = [one for one in rest.said if one.code in _FAILED]
        if success is not None:
            # TLS came up but was not enough: the certificate was required and not accepted
            failed = [one for one in failed if self._is_after_success(one)]
        if failed:
            # why it failed tells more than that it was required, which records say by themselves
            cause = min(failed, key=lambda one: (not one.tls_reason, one.code == "tls_required"))
            return View("failed", reason=cause.tls_reason, is_stated=True)
        if self.up is not None:
            return self.up
        if rest.error is not None:
            # if the log does not show the opening, the error may have come anywhere in the connection
            broken = View("unknown", reason=words_of(rest.error)) if self.opened is None else of_handshake(rest.error)
            if broken.verdict != "unused" or rest.other is None:
                return broken
        if rest.reads:
            return View("encrypted")
        if rest.other is not None:
            return View("unknown", reason=rest.other.tls_reason)
        return View("unknown" if self.opened is None else "unused")

    def _is_after_success(self, one: TlsSaid) -> bool:
        """Tell whether a failure comes after all success lines: the last word counts."""
        last = _SAME_SECOND if self._is_last_word(one) else _BEFORE
        return all(_when(fact[TIME], one.time) <= last for fact in self.facts if fact[CODE] == "tls_success")

    def _is_last_word(self, one: TlsSaid) -> bool:
        """Tell whether a line comes after the handshake of its second: the certificate was not accepted, or a delivery is over.

        When receiving, the sender may still start TLS.
        """
        return one.code == UNVERIFIED or (one.code == "tls_required" and self.side == DELIVERY)

    def _read_own(self) -> None:
        """Take from the uses what consolidated events state for their own messages."""
        stated: dict[str, list[TlsStated]] = {}
        for use in self.uses:
            if use[CODE] == "cef":
                one = stated_of(self.side, Consolidated(*use))
                if one.tls_result is not None:
                    stated.setdefault(one.key, []).append(one)
        self.own = {mid: statement(known) for mid, known in stated.items()}
        self._records = {mid: frozenset(map(stated_by, known)) for mid, known in stated.items()}

    def weigh_tracking(self) -> None:
        """Weigh what message tracking states against the text log, like a consolidated event."""
        theirs = [fact for fact in self.facts if fact[-1] == TRACKING]
        ours = [fact for fact in self.facts if not bears_witness(fact)]
        if not theirs or not ours:
            return
        told = Connection(self.side, theirs, [use for use in self.uses if use[-1] == TRACKING])
        text = Connection(self.side, ours, [use for use in self.uses if not bears_witness(use)])
        if told.success is None and not told.rest.attempt:
            return
        verdicts = (text.view.verdict, told.view.verdict)
        if not {*verdicts} <= _SURE or (verdicts[0] == "encrypted") == (verdicts[1] == "encrypted"):
            return
        self.dispute = self.view.conflict or f"text: {verdicts[0]}, tracking: {verdicts[1]}"
        if verdicts[0] != "encrypted" and text.view.is_stated:
            self.text = text
        self.sure = self._views = self._fields = None
        self._view = (self.view if self.text is None else text.view)._replace(conflict=self.dispute)

    # for records

    def evidence(self, verdict: str, *, is_stated: bool = True, records: Records | None = None) -> Sequence[Fact]:
        """Return the facts that a verdict rests on. If no line of text states it, lines after the mail are none of them.

        `records` is what consolidated events say for a message (`records_of`); None: what all say.
        """
        return _evidence(self.facts if records is None else chain.from_iterable(self._told_by(records)), verdict, is_stated=is_stated, records=records)

    def _told_by(self, records: Records | None) -> Iterable[list[Fact]]:
        """Yield the facts by sort and by who states them; of consolidated events, those in `records`; None: all."""
        if self._sorts is None:
            self._sorts = ({}, {})
            for fact in self.facts:
                sorts, stated = self._sorts
                if fact[CODE] == "cef_tls":
                    stated.setdefault(stated_by(fact), []).append(fact)
                else:
                    sorts.setdefault((fact[CODE], fact[-1] if bears_witness(fact) else ""), []).append(fact)
        sorts, stated = self._sorts
        yield from sorts.values()
        yield from stated.values() if records is None else (stated[record] for record in records if record in stated)

    def summary(self, view: View, *, records: Records | None = None) -> Summary:
        """Return what records say about it in one view, with the consolidated events that count as evidence (`evidence`)."""
        verdict, version, cipher, reason, conflict, is_stated = view
        opened, success, error = self.opened, self.success, self.rest.error
        return (
            verdict,
            version,
            cipher,
            reason,
            None if opened is None else opened[PEER],
            None if opened is None else opened[_PEER_HOST],
            (None if success is None else success[_DOMAIN]) or (None if error is None else error.tls_domain),
            conflict,
            self._witnesses(verdict, is_stated=is_stated, records=records) if self.has_witnesses else None,
        )

    def _witnesses(self, verdict: str, *, is_stated: bool, records: Records | None) -> list[str] | None:
        """Return who states a verdict, if that is not the text log alone."""
        if self._witness is None:
            self._witness = {}
        key = (verdict, is_stated, records)
        if key not in self._witness:
            # one fact of a sort tells as much as thousands
            facts = (known[0] for known in self._told_by(records))
            self._witness[key] = witnesses(_evidence(facts, verdict, is_stated=is_stated, records=records)) or None
        return self._witness[key]

    def view_of(self, time: Time | None, mid: str | None) -> View:
        """Return the answer for mail at one time, or for the connection itself if none passed."""
        return self.at(time, mid) if mid is not None or self.has_passed else self.view

    def told_of(self, time: Time | None, mid: str | None, fields_of: FieldsOf) -> tuple[str, Any]:
        """Return the verdict for mail at one time, and what the record of that mail says about the connection; `fields_of` depends on the side."""
        passed = mid is not None or self.has_passed
        if passed and self.sure is not None and time is not None and time >= self.sure_from:
            fields = self._fields
            if fields is None:
                fields = fields_of(self.summary(self.sure))
                if len(self.uses) > _ONE_MESSAGE:
                    self._fields = fields
            return self.sure.verdict, fields
        view = self.view_of(time, mid)
        return view.verdict, fields_of(self.summary(view, records=self.records_of(mid)))

    def records_of(self, mid: str | None) -> Records | None:
        """Return what consolidated events say about TLS on it for one message; None: what all say, because a delivery starts TLS before all mail."""
        return None if self.side == DELIVERY or self.rest.stated is None else self._records.get(mid or "", frozenset())


def stated_summary(view: View) -> Summary:
    """Return what records say about a connection of which only consolidated events tell."""
    return (*view[:4], None, None, None, view.conflict, None if view.verdict == "unknown" else ["cef"])


def _evidence(facts: Iterable[Fact], verdict: str, *, is_stated: bool, records: Records | None) -> list[Fact]:
    """Return those of some facts of a connection that a verdict rests on (`Connection.evidence`)."""
    facts = [*facts]
    up = [fact for fact in facts if fact[CODE] == "tls_success" or (fact[CODE] == "cef_tls" and fact[_RESULT] == "success")]
    if verdict == "encrypted":
        if records and not is_stated:
            up = [fact for fact in up if bears_witness(fact)]
        return up or [fact for fact in facts if fact[CODE] == "tls_read"]
    codes = ATTEMPTS if is_stated else frozenset[str]()
    tried = [fact for fact in facts if fact[CODE] in codes or (fact[CODE] == "cef_tls" and results_of(TlsStated(*fact)) == ("failed",))]
    if verdict == "mixed":
        return up + tried
    if verdict in ("cleartext", "failed"):
        if tried:
            return tried
        if verdict == "failed":
            return [fact for fact in facts if fact[CODE] in ("connection_error", UNVERIFIED)]
    return [] if verdict == "unknown" else [fact for fact in facts if fact[CODE] == "connection_opened"]


def _second(time: Time) -> int:
    """Return the second of a time, because lines of one second may come in any order."""
    return math.floor(time)


def _when(time: Time | None, mail: Time | None) -> int:
    """Tell whether a line came before mail, in the same second, or after it; without a time, the order is as unknown as within a second."""
    if time is None or mail is None:
        return _SAME_SECOND
    one, other = _second(time), _second(mail)
    return _BEFORE if one < other else _AFTER if one > other else _SAME_SECOND


def _together(views: list[View], *, is_up: bool) -> View:
    """Return the answer for all mail on a connection, from the answers for each message."""
    verdicts = {view.verdict for view in views}
    encrypted = next((view for view in views if view.verdict == "encrypted"), None)
    others = [view for view in views if view.verdict != "encrypted"]
    conflict = next((view.conflict for view in views if view.conflict), None)
    if not others:
        return views[0]._replace(conflict=conflict)
    # what is unknown for some mail is unknown for all
    other = min(others, key=lambda view: (view.verdict != "unknown" if encrypted is None else view.verdict, view.reason is None))
    if encrypted is None:
        return other._replace(conflict=conflict, is_stated=any(view.is_stated for view in others if view.verdict == other.verdict))
    if is_up or "cleartext" in verdicts:
        return View("mixed", encrypted.tls_version, encrypted.tls_cipher, other.reason, conflict, is_stated=True)
    return View("unknown", reason=other.reason, conflict=conflict)


def witnesses(facts: Iterable[Fact]) -> list[str]:
    """Return who states some facts: text, cef, tracking; empty if it is the text log alone."""
    found = {WITNESS_NAMES[fact[-1]] if bears_witness(fact) else "text" for fact in facts}
    return sorted(found) if found - {"text"} else []
