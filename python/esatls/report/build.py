"""Records -> one report: the numbers of Cisco's TLS Connections page, and also protocols and ciphers, partners, and reasons of failures.

A report is a plain dict that can be written as JSON. A key without a value is absent.

```
span          first, last: RFC 3339, UTC
appliances    [esa_host, connections, messages]
totals        connections, messages
receiving, delivery
    all, incoming, outgoing, unknown          one part per mail flow; `unknown` if the log does not show it
        connections                           a tally, and attempted (attempted_encrypted: percent of these over TLS), fallback, required (of
                                              these, required_failed and required_cleartext), deprecated, weak, no_forward_secrecy
        messages                              a tally
        recipients                            a tally: of messages received, or of completed deliveries
        versions, ciphers                     [version | cipher, connections, percent, messages, and marks]
        reasons                               [reason, connections, failed, cleartext, partners, certificate]
        other_reasons                         [reason, connections, unused, unknown]: of connections that no percentage counts
        failures                              [partner, connections, failed, cleartext, required, certificate, reasons]
        outdated                              [partner, connections, versions, ciphers]
        partners                              [partner, connections, messages]: the per-domain table
        over_time                             unit (hour or day), connections, messages: [time, verdicts]; undated
both_sides    [received, delivered, messages]
evidence      what the report was made from, if the caller adds it (`evidence`)
organisations [partner, direction, own, names, connections, messages, versions, days, last_tls; cleartext, deprecated, weak, failed], see `ledger`
notes         what each number counts, in sentences; `contradictions` if ids look like those of several appliances
```

A tally has `total`, `counted`, `verdicts` and `percent`: the percentages are of `counted`, the verdicts that say whether TLS was used. Rows are sorted by
count, then by name, so that the order of the records does not matter. Failures, outdated and partners, which have a row per name, are there only if the
caller wants them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, cast

from esatls.extraction.ciphers import is_deprecated, lacks_forward_secrecy, weaknesses
from esatls.report.counts import Part
from esatls.report.notes import DIRECTIONS, FLOWS, NOTES
from esatls.report.reasons import is_certificate_problem
from esatls.verdicts.words import CONNECTION_VERDICTS, COUNTED, DELIVERED_VERDICTS, OVER_TLS, RECEIVED_VERDICTS, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from esatls.report import report_types
    from esatls.report.counts import ReportCounts
    from esatls.report.notes import Direction
    from esatls.report.report_types import (
        CipherRow,
        ConnectionsTally,
        FailureRow,
        Moment,
        OtherReasonRow,
        OutdatedRow,
        PartnerRow,
        ReasonRow,
        Report,
        Series,
        Tally,
        VersionRow,
    )
    from esatls.verdicts.contradictions import Contradictions

RECIPIENT_VERDICTS: dict[Direction, tuple[str, ...]] = {"receiving": RECEIVED_VERDICTS, "delivery": ("encrypted", "cleartext", UNKNOWN)}
MESSAGE_VERDICTS: dict[Direction, tuple[str, ...]] = {"receiving": RECEIVED_VERDICTS, "delivery": DELIVERED_VERDICTS}


def percent(part: int, whole: int) -> float | None:
    """Return a percentage with one decimal, half rounded up; None if `whole` is 0.

    Only all are 100 and only none are 0: 9,999 of 10,000 are 99.9.
    """
    if whole == 0:
        return None
    tenths = (2000 * part + whole) // (2 * whole)
    if part:
        tenths = max(tenths, 1)
    if part < whole:
        tenths = min(tenths, 999)
    return tenths / 10


def report_on(counts: ReportCounts, contradictions: Contradictions | None = None, *, names: bool = True) -> Report:
    """Return the report from the counts of records (`count.count_records`), in whatever order these came.

    With `names`, it also has a row per name of a partner, not only per organisation. The notes list the contradictions, if any.
    """
    span, parts, hosts, both, ledger = counts
    unit = span.unit()
    report: Report = {
        "span": span.times,
        "appliances": [
            {"esa_host": host, "connections": hosts[host, "connections"], "messages": hosts[host, "messages"]} for host in sorted({host for host, _ in hosts})
        ],
        "totals": {
            "connections": sum(count for (_, what), count in hosts.items() if what == "connections"),
            "messages": sum(count for (_, what), count in hosts.items() if what == "messages"),
        },
    }
    for direction in DIRECTIONS:
        whole = Part()
        for flow in FLOWS:
            whole.add(parts[direction, flow])
        flows = {"all": whole, **{flow: parts[direction, flow] for flow in FLOWS}}
        report[direction] = {flow: _part(part, direction, unit, names=names) for flow, part in flows.items()}
    report["both_sides"] = [
        {"received": received, "delivered": delivered, "messages": count} for (received, delivered), count in sorted(both.items(), key=_by_count)
    ]
    report["organisations"] = ledger.rows()
    report["notes"] = dict(NOTES)
    found = [] if contradictions is None else contradictions.found()
    if found:
        report["notes"]["contradictions"] = " ".join(f"{one}." for one in found)
    return report


def _by_count(item: tuple[Any, int]) -> tuple[int, Any]:
    return -item[1], item[0]


def _tally(counts: Mapping[str, int], verdicts: Sequence[str]) -> Tally:
    told = {verdict: counts.get(verdict, 0) for verdict in verdicts}
    counted = [(verdict, count) for verdict, count in told.items() if verdict in COUNTED]
    whole = sum([count for _, count in counted])
    shares = {verdict: percent(count, whole) for verdict, count in counted} if whole else {}
    return {"total": sum(told.values()), "counted": whole, "verdicts": told, "percent": cast("dict[str, float]", shares)}


def _connections_tally(counts: Mapping[str, int]) -> ConnectionsTally:
    tally = cast("dict[str, Any]", _tally(counts, CONNECTION_VERDICTS))
    over_tls = sum([counts.get(name, 0) for name in OVER_TLS])
    attempted = over_tls + counts.get("failed", 0) + counts.get("fallback", 0)
    tally["attempted"] = attempted
    _set(tally, "attempted_percent", percent(attempted, tally["counted"]))
    _set(tally, "attempted_encrypted", percent(over_tls, attempted))
    for name in ("fallback", "required", "required_failed", "required_cleartext", "deprecated", "weak", "no_forward_secrecy"):
        tally[name] = counts.get(name, 0)
    return cast("ConnectionsTally", tally)


def _set(row: dict[str, Any], name: str, value: float | None) -> None:
    if value is not None:
        row[name] = value


def _one_word(table: Counter[tuple[str, ...]]) -> dict[str, int]:
    return {key[0]: count for key, count in table.items()}


def _part(part: Part, direction: Direction, unit: str, *, names: bool) -> report_types.Part:
    told: report_types.Part = {
        "connections": _connections_tally(_one_word(part.table("connections"))),
        "messages": _tally(_one_word(part.table("messages")), MESSAGE_VERDICTS[direction]),
        "recipients": _tally(_one_word(part.table("recipients")), RECIPIENT_VERDICTS[direction]),
        "versions": _versions(part),
        "ciphers": _ciphers(part),
        "reasons": _reasons(part.table("failures")),
        "other_reasons": _other_reasons(part.table("other_reasons")),
    }
    if names:
        told["failures"] = _failures(part.table("failures"))
        told["outdated"] = _outdated(part.table("outdated"))
        told["partners"] = _partners(part, direction)
    told["over_time"] = _over_time(part, direction, unit)
    return told


def _shares(part: Part, name: str) -> list[dict[str, Any]]:
    """Return a row per protocol or cipher, with its connections and messages over TLS; percentages are of connections for which it is known."""
    connections, messages = _one_word(part.table(name + "s")), _one_word(part.table(f"message_{name}s"))
    whole = sum(count for key, count in connections.items() if key != UNKNOWN)
    rows = []
    for key in sorted({*connections, *messages}, key=lambda key: (-connections.get(key, 0), -messages.get(key, 0), key)):
        row: dict[str, Any] = {name: key, "connections": connections.get(key, 0)}
        if key != UNKNOWN:
            _set(row, "percent", percent(row["connections"], whole))
        row["messages"] = messages.get(key, 0)
        rows.append(row)
    return rows


def _versions(part: Part) -> list[VersionRow]:
    return [cast("VersionRow", {**row, "deprecated": is_deprecated(row["version"])}) for row in _shares(part, "version")]


def _ciphers(part: Part) -> list[CipherRow]:
    return [
        cast("CipherRow", {**row, "weak": weaknesses(row["cipher"]), "no_forward_secrecy": lacks_forward_secrecy(row["cipher"])})
        for row in _shares(part, "cipher")
    ]


def _rows(table: Counter[tuple[str, ...]]) -> dict[str, dict[str, int]]:
    """Return a table whose keys are two words as a dict per first word."""
    rows: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for (first, second), count in table.items():
        rows[first][second] = count
    return rows


def _reasons(table: Counter[tuple[str, ...]]) -> list[ReasonRow]:
    counts: dict[str, Counter[str]] = {}
    partners: dict[str, set[str]] = {}
    for (partner, reason, verdict, _), count in table.items():
        counts.setdefault(reason, Counter())[verdict] += count
        partners.setdefault(reason, set()).add(partner)
    rows: list[ReasonRow] = [
        {
            "reason": reason,
            "connections": sum(verdicts.values()),
            "failed": verdicts["failed"],
            "cleartext": verdicts["cleartext"],
            "partners": len(partners[reason]),
            "certificate": is_certificate_problem(reason),
        }
        for reason, verdicts in counts.items()
    ]
    return sorted(rows, key=lambda row: (-row["connections"], row["reason"]))


def _other_reasons(table: Counter[tuple[str, ...]]) -> list[OtherReasonRow]:
    """Return a row per reason of connections that were unused or whose verdict is unknown."""
    rows: list[OtherReasonRow] = [
        {"reason": reason, "connections": sum(verdicts.values()), "unused": verdicts.get("unused", 0), "unknown": verdicts.get(UNKNOWN, 0)}
        for reason, verdicts in _rows(table).items()
    ]
    return sorted(rows, key=lambda row: (-row["connections"], row["reason"]))


def _failures(table: Counter[tuple[str, ...]]) -> list[FailureRow]:
    partners: dict[str, FailureRow] = {}
    reasons: defaultdict[str, Counter[str]] = defaultdict(Counter)
    certificate = {reason for reason in {reason for _, reason, _, _ in table} if is_certificate_problem(reason)}
    for (partner, reason, verdict, needed), count in table.items():
        row = partners.get(partner)
        if row is None:
            row = partners[partner] = {"partner": partner, "connections": 0, "failed": 0, "cleartext": 0, "required": 0, "certificate": 0, "reasons": []}
        row["connections"] += count
        row["failed" if verdict == "failed" else "cleartext"] += count
        if needed:
            row["required"] += count
        if reason in certificate:
            row["certificate"] += count
        reasons[partner][reason] += count
    for partner, row in partners.items():
        row["reasons"] = [{"reason": reason, "connections": count} for reason, count in sorted(reasons[partner].items(), key=_by_count)]
    return sorted(partners.values(), key=lambda row: (-row["connections"], row["partner"]))


def _outdated(table: Counter[tuple[str, ...]]) -> list[OutdatedRow]:
    """Return a row per partner that used a deprecated protocol or a weak cipher, with these protocols and ciphers."""
    used: defaultdict[str, dict[tuple[str, str], int]] = defaultdict(dict)
    for (partner, version, cipher), count in table.items():
        used[partner][version, cipher] = count
    old = {version for version in {version for _, version, _ in table} if is_deprecated(version)}
    weak = {cipher for cipher in {cipher for _, _, cipher in table} if weaknesses(cipher)}
    rows: list[OutdatedRow] = [
        {
            "partner": partner,
            "connections": sum(connections.values()),
            "versions": sorted(old.intersection([version for version, _ in connections])),
            "ciphers": sorted(weak.intersection([cipher for _, cipher in connections])),
        }
        for partner, connections in used.items()
    ]
    return sorted(rows, key=lambda row: (-row["connections"], row["partner"]))


def _partners(part: Part, direction: Direction) -> list[PartnerRow]:
    connections, messages = _rows(part.table("partner_connections")), _rows(part.table("partner_messages"))
    none: dict[str, int] = {}
    verdicts = [verdict for verdict in MESSAGE_VERDICTS[direction] if verdict not in ("internal", "none")]
    rows: list[PartnerRow] = [
        {
            "partner": partner,
            "connections": _connections_tally(connections.get(partner, none)),
            "messages": _tally(messages.get(partner, none), verdicts),
        }
        for partner in {*connections, *messages}
    ]
    return sorted(rows, key=lambda row: (-row["connections"]["total"], -row["messages"]["total"], row["partner"]))


def _over_time(part: Part, direction: Direction, unit: str) -> Series:
    """Return the counts of each hour or day that has any, with the time at which it begins."""
    series: dict[str, dict[str, Counter[str]]] = {"connections": {}, "messages": {}}
    for (what, hour, verdict), count in part.table("over_time").items():
        begin = hour + ":00:00Z" if unit == "hour" else hour[:10] + "T00:00:00Z"
        series[what].setdefault(begin, Counter())[verdict] += count
    undated = part.table("undated")

    def moments(what: str, verdicts: Sequence[str]) -> list[Moment]:
        return [{"time": time, "verdicts": {verdict: counts[verdict] for verdict in verdicts}} for time, counts in sorted(series[what].items())]

    return {
        "unit": unit,
        "connections": moments("connections", CONNECTION_VERDICTS),
        "messages": moments("messages", MESSAGE_VERDICTS[direction]),
        "undated": {"connections": undated[("connections",)], "messages": undated[("messages",)]},
    }
