"""The answer for mail at one time: what consolidated events state about TLS is weighed against what the text log shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from esatls.extraction.fact_types import KEY, RECEIVING, TIME, Consolidated, Fact, TlsStated
from esatls.verdicts.facts import order

if TYPE_CHECKING:
    from collections.abc import Iterable

CONTRADICTION = "cef: encrypted, cef: cleartext"
"""The conflict of consolidated events that state both results."""


class View(NamedTuple):
    """The answer for mail at one time."""

    verdict: str
    tls_version: str | None = None
    tls_cipher: str | None = None
    reason: str | None = None
    conflict: str | None = None
    is_stated: bool = False
    """Whether a line states it. If it only follows from a missing line, it weighs less than what another witness states."""


class Statement(NamedTuple):
    """What consolidated events state about TLS: the earliest success, and the earliest failure."""

    success: TlsStated | None
    failure: TlsStated | None


def weighed(text: View, stated: Statement | None, *, passed: bool = True, end: str | None = None) -> View:
    """Weigh what consolidated events state: it counts more than a missing line, and less than one that is there.

    `passed` tells whether mail passed. `end` is how the session ended, if in the words of a broken socket.
    """
    if stated is None:
        return text
    if stated.success is not None and stated.failure is not None:
        return text._replace(conflict=CONTRADICTION) if text.is_stated else View("unknown", conflict=CONTRADICTION)
    theirs = "encrypted" if stated.success is not None else "cleartext" if passed else "failed"
    disputed = f"text: {text.verdict}, cef: {theirs}" if text.verdict in ("encrypted", "cleartext") and text.verdict != theirs else None
    # lines show TLS even if none of them states its protocol and its cipher
    if text.is_stated or (text.verdict == "encrypted" and stated.success is None):
        return text._replace(conflict=disputed) if disputed else text
    if stated.success is not None:
        return View("encrypted", stated.success.tls_version, stated.success.tls_cipher, conflict=disputed)
    if text.verdict == theirs:
        return text
    # how a session ended does not say why its mail went in clear text
    return View(theirs, reason=text.reason if text.reason and text.reason != end else "TLS failed", conflict=disputed)


def statement(stated: Iterable[TlsStated]) -> Statement | None:
    """Return what some events state together; None if they state nothing."""
    success = failure = None
    for one in sorted(stated, key=order):
        results = results_of(one)
        if success is None and "success" in results:
            success = one
        if failure is None and "failed" in results:
            failure = one
    return None if success is None and failure is None else Statement(success, failure)


def results_of(stated: TlsStated) -> tuple[str, ...]:
    """Return what one event states: both results if it names what a handshake agreed on, and says that there was none."""
    result = stated.tls_result
    if result is None:
        return ()
    return ("success", "failed") if result != "success" and stated.tls_version is not None and stated.tls_cipher is not None else (result,)


def stated_of(side: int, event: Consolidated) -> TlsStated:
    """Return what a consolidated event states about TLS on one side."""
    if side == RECEIVING:
        return TlsStated("cef_tls", event.time, event.key, event.tls_in_result, event.tls_in_version, event.tls_in_cipher)
    return TlsStated("cef_tls", event.time, event.key, event.tls_out_result, event.tls_out_version, event.tls_out_cipher)


def stated_by(fact: Fact) -> tuple[Any, ...]:
    """Return what a consolidated event says about TLS on a connection, and when."""
    return (fact[TIME], *fact[KEY + 1 : KEY + 4])
