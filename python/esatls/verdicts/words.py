"""The words for verdicts: all of them in their order, which of them percentages count, and how each is shown.

Every list of them is made from this table: the choices of the command line, the report, the page, the dashboards and the search macros.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet

UNKNOWN = "unknown"


class Verdict(NamedTuple):
    """A word for a verdict."""

    word: str
    meaning: str
    light: str
    dark: str
    """Its colours on a light and on a dark page."""
    terminal: str = "dim"
    """Its style in a terminal, as rich names it."""
    counted: bool = False
    """Whether percentages count it, because it says whether TLS was used on the way."""


VERDICTS: tuple[Verdict, ...] = (
    Verdict("encrypted", "Over TLS; for a delivered message, to everybody that it reached.", "#1d7f72", "#3bae9c", "green", counted=True),
    Verdict(
        "mixed",
        "Partly over TLS: some messages of a connection were sent before TLS was started, or a message was delivered in clear text to some recipients.",
        *("#7568b8", "#a094e2", "magenta"),
        counted=True,
    ),
    Verdict("cleartext", "Mail was started or delivered without TLS.", "#b97400", "#e3a33b", "yellow", counted=True),
    Verdict("failed", "TLS did not come up and no mail was started.", "#c5393a", "#e4645c", "red", counted=True),
    Verdict("internal", "Made by the appliance itself, so not received over a connection.", "#7b8fa5", "#6b7d92"),
    Verdict("none", "Not received, because it was refused or given up before that; or not delivered to anybody in this log.", "#948c83", "#7a7068"),
    Verdict("unused", "No TLS and no mail, such as refused connections.", "#8f8f9f", "#6f6f86"),
    Verdict("unknown", "The log does not show enough; for example, the opening of the connection is missing.", "#5f6a77", "#9aa6b3"),
)
"""All words, in the order in which they are shown."""

WORDS: tuple[str, ...] = tuple(verdict.word for verdict in VERDICTS)
COUNTED: tuple[str, ...] = tuple(verdict.word for verdict in VERDICTS if verdict.counted)
"""The words that add up to 100 %; the others are shown beside the percentages."""
OVER_TLS = ("encrypted", "mixed")
"""The verdicts of connections on which TLS came up, and which therefore have a protocol and a cipher."""
STYLES: dict[str, str] = {verdict.word: verdict.terminal for verdict in VERDICTS}


def _in_order(*words: str) -> tuple[str, ...]:
    return tuple(sorted(words, key=WORDS.index))


CONNECTION_VERDICTS = _in_order("encrypted", "mixed", "cleartext", "failed", "unused", "unknown")
RECEIVED_VERDICTS = _in_order("encrypted", "cleartext", "internal", "none", "unknown")
DELIVERED_VERDICTS = _in_order("encrypted", "mixed", "cleartext", "none", "unknown")


def counted(words: Iterable[str]) -> tuple[str, ...]:
    """Return the words that percentages count."""
    return tuple(word for word in words if word in COUNTED)


def uncounted(words: Iterable[str]) -> tuple[str, ...]:
    """Return the words that are shown beside percentages."""
    return tuple(word for word in words if word not in COUNTED)


def of_deliveries(verdicts: AbstractSet[str]) -> str:
    """Return the verdict on several deliveries together, from the verdicts on each; `none` if there is none."""
    if len(verdicts) == 1:
        (verdict,) = verdicts
        return verdict if verdict in ("encrypted", "cleartext") else UNKNOWN
    if not verdicts:
        return "none"
    return "mixed" if "encrypted" in verdicts and "cleartext" in verdicts else UNKNOWN


def of_partner(verdicts: AbstractSet[str]) -> str:
    """Return the verdict on several deliveries to one partner. Unlike that of a message, clear text counts even if another delivery is unknown."""
    verdict = of_deliveries(verdicts)
    return "cleartext" if verdict == UNKNOWN and "cleartext" in verdicts else verdict
