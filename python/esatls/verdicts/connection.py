"""Facts of one connection -> its verdict.

The rule is Cisco's (tech note 118500): a TLS success line means TLS; no TLS line between the opening of a
connection and its message means none. What is not in view is `unknown`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from esatls.extraction.fact_types import (
    CODE,
    TIME,
    TRACKING,
    WITNESS_NAMES,
    BrokenConnection,
    ConnectionOpened,
    Fact,
    HatPolicy,
    TlsSaid,
    TlsStated,
    TlsSuccess,
    position,
)
from esatls.extraction.kinds import MAIL_FLOW
from esatls.verdicts import lives
from esatls.verdicts.facts import TRIES, bears_witness, earlier, order

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from esatls.lines.clock import Time

_SURE = frozenset({"encrypted", "cleartext", "failed"})
_HAT_ACTION = position("hat_action", HatPolicy)
_RESULT = position("tls_result", TlsStated)


class Summary(NamedTuple):
    """What records say of a connection, each under its own names."""

    verdict: str
    tls_version: str | None
    tls_cipher: str | None
    reason: str | None
    peer_ip: str | None
    peer_host: str | None
    peer_cn: str | None
    domain: str | None
    conflict: str | None
    witness: list[str] | None

    def placed(self, names: Iterable[tuple[str, str]]) -> dict[str, Any]:
        """Return what has a value, under other names: `names` are pairs of a name here and a name there."""
        return {there: value for here, there in names if (value := getattr(self, here))}


class Connection:
    """The verdict on one life of one connection."""

    __slots__ = (
        "attempts", "cipher", "conflict", "error", "facts", "flow", "has_witnesses", "one_life", "opened", "others",
        "placed", "reason", "required", "stated", "success", "uses", "verdict", "version",
    )  # fmt: skip

    def __init__(self, facts: Sequence[Fact], uses: Sequence[Fact], *, has_witnesses: bool = False) -> None:  # noqa: C901 - a verdict in one place
        self.facts = facts
        self.uses = uses
        """Facts of messages that name this connection."""
        self.has_witnesses = has_witnesses
        self.placed: dict[str, Any] | None = None
        """Its summary as the records of messages have it, once one has asked."""
        opened = success = error = flow = None
        attempts: list[Fact] | None = None
        others: list[Fact] | None = None
        stated: list[Fact] | None = None
        read = False
        one_life = True
        first = last = None
        for fact in facts:
            code = fact[CODE]
            time = fact[TIME]
            if time is not None:
                if first is None:
                    first = last = time
                elif time < first:
                    first = time
                elif time > last:
                    last = time
            if code == "hat_policy":
                if fact[_HAT_ACTION] in MAIL_FLOW:
                    flow = max(flow or "", MAIL_FLOW[fact[_HAT_ACTION]])
            elif code == "connection_opened":
                if opened is None:
                    opened = fact
                elif fact != opened:
                    one_life = False
                    opened = earlier(fact, opened)
            elif code == "tls_success":
                success = fact if success is None else earlier(fact, success)
            elif code == "connection_closed":
                pass
            elif code == "connection_error":
                error = earlier(fact, error)
            elif code == "tls_read":
                read = True
            elif code == "tls_other":
                others = [*(others or ()), fact]
            elif code == "cef_tls":
                stated = [*(stated or ()), fact]
            else:
                attempts = [*(attempts or ()), fact]
        for fact in uses:
            time = fact[TIME]
            if time is not None:
                if first is None:
                    first = last = time
                elif time < first:
                    first = time
                elif time > last:
                    last = time
        if first is not None:
            began = None if opened is None else opened[TIME]
            if last - first > lives.CONNECTION_SILENCE or (began is not None and first < began - lives.SAME_OPENING):
                one_life = False
        self.opened: ConnectionOpened | None = None if opened is None else ConnectionOpened(*opened)
        self.success: TlsSuccess | None = None if success is None else TlsSuccess(*success)
        self.error: BrokenConnection | None = None if error is None else BrokenConnection(*error)
        self.flow: str | None = flow
        self.one_life = one_life
        """Whether all of it is plainly of one connection."""
        self.reason: str | None = None
        self.conflict: str | None = None
        """What another witness says to the contrary."""
        self.attempts = [TlsSaid(*fact) for fact in attempts or ()]
        self.others = [TlsSaid(*fact) for fact in others or ()]
        """TLS lines of unknown wording: they prove nothing, and TLS is not missing where one stands."""
        self.stated = [TlsStated(*fact) for fact in stated or ()]
        self.required = any(said.code == "tls_required" for said in self.attempts)
        if self.success is not None:
            self.version, self.cipher = self.success.tls_version, self.success.tls_cipher
            self.verdict = "encrypted"
        else:
            self.version = self.cipher = None
            self.verdict = self._without_success(read=read)
        if self.stated:
            self._weigh_cef(self.stated)

    def _without_success(self, *, read: bool) -> str:
        if self._passed():
            return self._with_message(read=read)
        if self.attempts:
            # the line that says required tells more than the failure beside it
            required = [said for said in self.attempts if said.code == "tls_required"]
            self.reason = min(required or self.attempts, key=order).tls_reason
            return "failed"
        if self.error is not None and self.opened is not None:
            self.reason = _possible(self.error)
            return "failed"
        if read:
            return "encrypted"
        return "unknown" if self._worded_otherwise() or self.opened is None else "unused"

    def _passed(self) -> list[Time | None]:
        """Return the times of messages that passed."""
        return [use[TIME] for use in self.uses if use[CODE] not in TRIES]

    def _first(self) -> Time | None:
        """Return the time of the first message that passed; None where it is not known."""
        passed = self._passed()
        return None if None in passed else min(passed, default=None)  # type: ignore[type-var]

    def _in_time(self, said: Iterable[TlsSaid]) -> list[TlsSaid]:
        """Return what was said in front of the first message: a failure behind one is the end of the session."""
        first = self._first()
        return [one for one in said if one.time is None or first is None or one.time <= first]

    def _with_message(self, *, read: bool) -> str:
        tried = self._in_time(self.attempts)
        if tried:
            self.reason = min(tried, key=order).tls_reason
            return "cleartext"
        if read:
            return "encrypted"
        if self._worded_otherwise() or self.opened is None:
            return "unknown"
        opened, first = self.opened.time, self._first()
        return "cleartext" if opened is None or first is None or opened <= first + lives.SAME_OPENING else "unknown"

    def _worded_otherwise(self) -> bool:
        """Tell whether TLS is spoken of in unknown words before any message passed, and give them as the reason."""
        before = self._in_time(self.others)
        if before:
            self.reason = min(before, key=order).tls_reason
        return bool(before)

    def _weigh_cef(self, stated: list[TlsStated]) -> None:
        """Weigh what consolidated events state: more than a line that is missing, less than a line that is there."""
        fact = min(stated, key=lambda one: (one.tls_result != "success", order(one)))
        theirs = "encrypted" if fact.tls_result == "success" else "cleartext" if self._passed() else "failed"
        before = self.verdict
        if any(one.tls_result != fact.tls_result for one in stated):
            self.conflict = "cef: encrypted, cef: cleartext"
        if before == theirs:
            if theirs == "encrypted" and self.success is None:
                self.version, self.cipher = fact.tls_version, fact.tls_cipher
            return
        if self.success is None and not self._in_time(self.attempts):
            self.verdict = theirs
            if theirs == "encrypted":
                self.reason = None
                self.version, self.cipher = fact.tls_version, fact.tls_cipher
            else:
                self.reason = "TLS failed"
            if before == "cleartext":
                self.conflict = f"text: {before}, cef: {theirs}"
        elif before in ("encrypted", "cleartext"):
            self.conflict = f"text: {before}, cef: {theirs}"

    def weigh_tracking(self) -> None:
        """Weigh what message tracking states against the text log, as a consolidated event is weighed."""
        theirs = [fact for fact in self.facts if fact[-1] == TRACKING]
        ours = [fact for fact in self.facts if not bears_witness(fact)]
        if not theirs or not ours:
            return
        told = Connection(theirs, [use for use in self.uses if use[-1] == TRACKING])
        text = Connection(ours, [use for use in self.uses if not bears_witness(use)])
        if told.success is None and not told.attempts:
            return
        if not {told.verdict, text.verdict} <= _SURE or (told.verdict == "encrypted") == (text.verdict == "encrypted"):
            return
        self.conflict = self.conflict or f"text: {text.verdict}, tracking: {told.verdict}"
        if text.verdict != "encrypted" and text._in_time(text.attempts):
            self.verdict, self.reason = text.verdict, text.reason
            self.success = self.version = self.cipher = None

    def evidence(self) -> Sequence[Fact]:
        """Return the facts that the verdict rests on."""
        if self.verdict == "encrypted":
            sure = [fact for fact in self.facts if fact[CODE] == "tls_success" or (fact[CODE] == "cef_tls" and fact[_RESULT] == "success")]
            return sure or [fact for fact in self.facts if fact[CODE] == "tls_read"]
        if self.verdict in ("cleartext", "failed"):
            tried: list[Fact] = [*self.attempts, *(stated for stated in self.stated if stated.tls_result != "success")]
            if tried:
                return tried
            if self.verdict == "failed":
                return [fact for fact in self.facts if fact[CODE] == "connection_error"]
        return [] if self.verdict == "unknown" else [fact for fact in self.facts if fact[CODE] == "connection_opened"]

    def summary(self) -> Summary:
        """Return what records say of it."""
        opened, success = self.opened, self.success
        return Summary(
            verdict=self.verdict,
            tls_version=self.version,
            tls_cipher=self.cipher,
            reason=self.reason,
            peer_ip=None if opened is None else opened.peer_ip,
            peer_host=None if opened is None else opened.peer_host,
            peer_cn=None if success is None else success.tls_peer_cn,
            domain=None if success is None else success.tls_domain,
            conflict=self.conflict,
            witness=witnesses(self.evidence()) or None if self.has_witnesses else None,
        )


def _possible(error: BrokenConnection) -> str:
    """Return the reason of a connection error, which may be a failed handshake; nobody can be certain."""
    reason, details = error.tls_reason, error.error_details
    if reason and details:
        return f"possibly: {reason} ({details})"
    return f"possibly: {reason or details or 'connection error'}"


def witnesses(facts: Iterable[Fact]) -> list[str]:
    """Return who states some facts: text, cef, tracking; empty if it is the text log alone."""
    found = {WITNESS_NAMES[fact[-1]] if bears_witness(fact) else "text" for fact in facts}
    return sorted(found) if found - {"text"} else []
