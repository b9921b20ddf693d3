"""The problems that somebody should look at, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from esatls.report.build import percent
from esatls.report.notes import DIRECTION_WORDS, DIRECTIONS, word
from esatls.verdicts.words import OVER_TLS, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from esatls.report.report_types import Report


def findings(report: Report) -> list[tuple[str, str]]:
    """Return sentences, each with the name of the list that has the details: cleartext, failed, failures, deprecated, weak."""
    found: list[tuple[str, str]] = []
    for direction in DIRECTIONS:
        part = report[direction]["all"]
        connections, messages = part["connections"], part["messages"]
        side, verb = DIRECTION_WORDS[direction]
        kind = f"{side.lower()} connections"
        clear, mixed = messages["verdicts"]["cleartext"], messages["verdicts"].get("mixed", 0)
        if clear:
            found.append(("cleartext", f"{_plural(clear, 'messages')} {verb} in clear text"))
        if mixed:
            found.append(("cleartext", f"{_plural(mixed, 'messages')} {verb} in clear text to some recipients"))
        late = connections["verdicts"]["mixed"]
        if late:
            found.append(("cleartext", f"{_plural(late, kind)} on which some messages were sent before TLS was started"))
        failed = connections["verdicts"]["failed"]
        if failed:
            needed = connections["required_failed"]
            of_them = f" on {needed:,} of them" if failed > 1 else ""
            found.append(("failed", f"{_plural(failed, kind)} failed" + (f"; TLS was required{of_them}" if needed else "")))
        if connections["required_cleartext"]:
            found.append(("failed", f"{_plural(connections['required_cleartext'], kind)} in clear text although TLS was required"))
        if connections["fallback"]:
            found.append(("failed", f"{_plural(connections['fallback'], kind)} continued in clear text after TLS had failed or had not been offered"))
        certificates = sum(row["connections"] for row in part["reasons"] if row["certificate"])
        if certificates:
            found.append(("failures", f"{_plural(certificates, kind)} with a certificate problem"))
        found += _outdated(part, kind)
    return found


def _outdated(part: Mapping[str, Any], kind: str) -> list[tuple[str, str]]:
    connections, found = part["connections"], []
    for name, what, words in (("deprecated", "version", "a deprecated protocol"), ("weak", "cipher", "a weak cipher")):
        count, unknown = connections[name], sum(row["connections"] for row in part[what + "s"] if row[what] == UNKNOWN)
        whole = sum(connections["verdicts"][verdict] for verdict in OVER_TLS) - unknown
        if count:
            rest = f"; the {words.split()[-1]} of {unknown:,} more is unknown" if unknown else ""
            share = f"{percent(count, whole):.1f}\N{NO-BREAK SPACE}%"
            found.append((name, f"{count:,} of {_plural(whole, f'encrypted {kind}')} with {words} ({share}){rest}"))
    return found


def _plural(count: int, what: str) -> str:
    return f"{count:,} {word(count, what)}"
