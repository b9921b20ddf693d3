"""Facts of one connection -> its verdict.

The rule is Cisco's (tech note 118500): a TLS success line means TLS; no TLS line between the opening of a
connection and its message means none. What is not in view is `unknown`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from esatls.extraction.kinds import MAIL_FLOW
from esatls.verdicts import lives
from esatls.verdicts.facts import TRACKING, TRIES, Fact, bears_witness, earlier, order

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from esatls.lines.clock import Time

_SURE = frozenset({"encrypted", "cleartext", "failed"})


class Connection:
    """The verdict on one life of one connection."""

    __slots__ = (
        "attempts", "cipher", "conflict", "error", "facts", "flow", "one_life", "opened", "others",
        "reason", "required", "stated", "success", "uses", "verdict", "version",
    )  # fmt: skip

    def __init__(self, facts: Sequence[Fact], uses: Sequence[Fact]) -> None:
        self.facts = facts
        self.uses = uses
        """Facts of messages that name this connection."""
        opened = success = error = flow = None
        attempts: list[Fact] | None = None
        others: list[Fact] | None = None
        stated: list[Fact] | None = None
        read = False
        one_life = True
        first = last = None
        for fact in facts:
            code = fact[0]
            time = fact[1]
            if time is not None:
                if first is None:
                    first = last = time
                elif time < first:
                    first = time
                elif time > last:
                    last = time
            if code == "hat_policy":
                if fact[3] in MAIL_FLOW:
                    flow = max(flow or "", MAIL_FLOW[fact[3]])
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
            time = fact[1]
            if time is not None:
                if first is None:
                    first = last = time
                elif time < first:
                    first = time
                elif time > last:
                    last = time
        if first is not None:
            began = None if opened is None else opened[1]
            if last - first > lives.CONNECTION_SILENCE or (began is not None and first < began - lives.SAME_OPENING):
                one_life = False
        self.opened: Fact | None = opened
        self.success: Fact | None = success
        self.error: Fact | None = error
        self.flow: str | None = flow
        self.one_life = one_life
        """Whether all of it is plainly of one connection."""
        self.reason: str | None = None
        self.conflict: str | None = None
        """What another witness says to the contrary."""
        self.attempts = attempts or ()
        self.others = others or ()
        """TLS lines of unknown wording: they prove nothing, and TLS is not missing where one stands."""
        self.stated = stated or ()
        self.required = attempts is not None and any(fact[0] == "tls_required" for fact in attempts)
        if success is not None:
            self.version, self.cipher = success[3], success[4]
            self.verdict = "encrypted"
        else:
            self.version = self.cipher = None
            self.verdict = self._without_success(read=read)
        if stated is not None:
            self._hear(stated)

    def _without_success(self, *, read: bool) -> str:
        if self._passed():
            return self._with_message(read=read)
        if self.attempts:
            # the line that says required tells more than the failure beside it
            required = [fact for fact in self.attempts if fact[0] == "tls_required"]
            self.reason = min(required or self.attempts, key=order)[3]
            return "failed"
        if self.error is not None and self.opened is not None:
            self.reason = _possible(self.error)
            return "failed"
        if read:
            return "encrypted"
        return "unknown" if self._worded_otherwise() or self.opened is None else "unused"

    def _passed(self) -> list[Time | None]:
        """Return the times of messages that passed."""
        return [use[1] for use in self.uses if use[0] not in TRIES]

    def _first(self) -> Time | None:
        """Return the time of the first message that passed; None where it is not known."""
        passed = self._passed()
        return None if None in passed else min(passed, default=None)  # type: ignore[type-var]

    def _in_time(self, facts: Iterable[Fact]) -> list[Fact]:
        """Return the facts in front of the first message: a failure behind one is the end of the session."""
        first = self._first()
        return [fact for fact in facts if fact[1] is None or first is None or fact[1] <= first]

    def _with_message(self, *, read: bool) -> str:
        tried = self._in_time(self.attempts)
        if tried:
            self.reason = min(tried, key=order)[3]
            return "cleartext"
        if read:
            return "encrypted"
        if self._worded_otherwise() or self.opened is None:
            return "unknown"
        opened, first = self.opened[1], self._first()
        return "cleartext" if opened is None or first is None or opened <= first + lives.SAME_OPENING else "unknown"

    def _worded_otherwise(self) -> bool:
        """Tell whether TLS is spoken of in unknown words before any message passed, and give them as the reason."""
        before = self._in_time(self.others)
        if before:
            self.reason = min(before, key=order)[3]
        return bool(before)

    def _hear(self, stated: list[Fact]) -> None:
        """Weigh what consolidated events state: more than a line that is missing, less than a line that is there."""
        fact = min(stated, key=lambda one: (one[3] != "success", order(one)))
        theirs = "encrypted" if fact[3] == "success" else "cleartext" if self._passed() else "failed"
        before = self.verdict
        if any(one[3] != fact[3] for one in stated):
            self.conflict = "cef: encrypted, cef: cleartext"
        if before == theirs:
            if theirs == "encrypted" and self.success is None:
                self.version, self.cipher = fact[4], fact[5]
            return
        if self.success is None and not self._in_time(self.attempts):
            self.verdict = theirs
            if theirs == "encrypted":
                self.reason = None
                self.version, self.cipher = fact[4], fact[5]
            else:
                self.reason = "TLS failed"
            if before == "cleartext":
                self.conflict = f"text: {before}, cef: {theirs}"
        elif before in ("encrypted", "cleartext"):
            self.conflict = f"text: {before}, cef: {theirs}"

    def hear_tracking(self) -> None:
        """Weigh what message tracking states against the text log, as a consolidated event is weighed."""
        theirs = [fact for fact in self.facts if fact[-1] is TRACKING]
        ours = [fact for fact in self.facts if not bears_witness(fact)]
        if not theirs or not ours:
            return
        told = Connection(theirs, [use for use in self.uses if use[-1] is TRACKING])
        text = Connection(ours, [use for use in self.uses if not bears_witness(use)])
        if told.success is None and not told.attempts:
            return
        if not {told.verdict, text.verdict} <= _SURE or (told.verdict == "encrypted") == (text.verdict == "encrypted"):
            return
        self.conflict = self.conflict or f"text: {text.verdict}, tracking: {told.verdict}"
        if text.verdict != "encrypted" and text._in_time(text.attempts):
            self.verdict, self.reason = text.verdict, text.reason
            self.success = self.version = self.cipher = None

    def deciding(self) -> Iterable[Fact]:
        """Return the facts that the verdict rests on."""
        if self.verdict == "encrypted":
            sure = [fact for fact in self.facts if fact[0] == "tls_success" or (fact[0] == "cef_tls" and fact[3] == "success")]
            return sure or [fact for fact in self.facts if fact[0] == "tls_read"]
        if self.verdict in ("cleartext", "failed"):
            tried = [*self.attempts, *(fact for fact in self.stated if fact[3] != "success")]
            if tried:
                return tried
            if self.verdict == "failed":
                return [fact for fact in self.facts if fact[0] == "connection_error"]
        return [] if self.verdict == "unknown" else [fact for fact in self.facts if fact[0] == "connection_opened"]


def _possible(error: Fact) -> str:
    """Return the reason of a connection error, which may be a failed handshake; nobody can be certain."""
    reason, details = error[3], error[4]
    if reason and details:
        return f"possibly: {reason} ({details})"
    return f"possibly: {reason or details or 'connection error'}"


def witnesses(facts: Iterable[Fact]) -> list[str]:
    """Return who states some facts: text, cef, tracking; empty if it is the text log alone."""
    found = {"cef" if fact[0].startswith("cef") else "tracking" if fact[-1] is TRACKING else "text" for fact in facts}
    return sorted(found) if found - {"text"} else []
