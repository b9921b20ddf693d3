"""Records of connections -> counts."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from esatls.report.counts import ONE, count_hour, moment
from esatls.report.issues import marks_of, outdated
from esatls.report.ledger import FAILED
from esatls.report.notes import FLOWS
from esatls.verdicts.partners import partner_name
from esatls.verdicts.records import Brief
from esatls.verdicts.words import OVER_TLS, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from esatls.report.counts import Alike, ReportCounts, Tables
    from esatls.report.issues import Issues
    from esatls.report.ledger import Issue, Key, Moment
    from esatls.verdicts.records import Kind

NOT_LOGGED = "not logged"
"""The reason of a failure for which the log gives none."""


def brief(record: Any) -> Brief:
    """Return the values of a connection record that are counted."""
    told = record.get
    direction, verdict = record["esa_direction"], record["tls_verdict"]
    # refused strangers are many, and are not partners
    partner = None if verdict == "unused" else told("domain") or told("peer_host") or told("peer_ip")
    kind = (
        *(told("esa_host", ""), direction, told("mail_flow"), verdict, partner),
        *(told("tls_version"), told("tls_cipher"), told("tls_reason"), bool(told("tls_required"))),
    )
    return Brief(kind, told("opened"), told("closed"), told("icid" if direction == "receiving" else "dcid", 0))


class _Kind:
    """Connections that are counted alike, except for their times."""

    __slots__ = ("flow", "hours", "is_over_tls", "issues", "key", "latest")

    def __init__(self, flow: str, key: Key, issues: list[tuple[Issue, str]], *, is_over_tls: bool) -> None:
        self.flow, self.key, self.issues = flow, key, issues
        self.is_over_tls = is_over_tls
        self.latest: Moment = ""
        """The time of the latest one over TLS."""
        self.hours: defaultdict[str, int] = defaultdict(int)


class Connections:
    """Connections while they are counted."""

    def __init__(self, counts: ReportCounts) -> None:
        self.counts = counts
        self.kinds: dict[Kind, _Kind] = {}
        self.moments: Counter[tuple[str, str, str, str, str]] = Counter()

    def add(self, one: Brief, alike: Alike = ONE) -> None:
        """Count one connection, or all that are alike."""
        key, opened, closed, number = one
        time = moment(opened or closed)
        count, what = alike.number, alike.what
        if what != "told":
            self.counts.span.add(alike.times or (opened, closed))
        if what == "seen":
            host, direction, flow, verdict, *_ = key
            self.moments[host, direction, flow if flow in FLOWS else UNKNOWN, time[:13], verdict] += count
            return
        kind = None if what else self.kinds.get(key)
        if kind is None:
            kind = self._kind(key)
        if not what:
            self.kinds[key] = kind
            kind.hours[time[:13]] += count
        if kind.is_over_tls and time > kind.latest:
            kind.latest = time
        for issue, why in kind.issues:
            host, name = key[0], "icid" if key[1] == "receiving" else "dcid"
            issue.connections += count
            issue.why(why, count)
            issue.seen(alike.earliest(time), time)
            for when, other in alike.examples(time, number):
                issue.example(when, host, name, other)
        if what:
            self._tell(key, kind, {time[:10]: count})

    def _kind(self, key: Kind) -> _Kind:
        _, direction, given, verdict, name, version, cipher, reason, _ = key
        flow = given if given in FLOWS else UNKNOWN
        ledger = self.counts.ledger
        whole = ledger.key(direction, flow, "" if verdict == "unused" else partner_name(name, None, None))
        wrong = outdated(version or UNKNOWN, cipher or UNKNOWN) if verdict in OVER_TLS else _failed(verdict, reason)
        return _Kind(flow, whole, [(ledger.issue(whole, issue), why) for issue, why in wrong], is_over_tls=verdict in OVER_TLS)

    def end(self) -> None:
        """Add the counts to the tables."""
        counts = self.counts
        for key, kind in self.kinds.items():
            host, direction, _, verdict, *_ = key
            days: defaultdict[str, int] = defaultdict(int)
            for hour, count in kind.hours.items():
                self.moments[host, direction, kind.flow, hour, verdict] += count
                days[hour[:10]] += count
            self._tell(key, kind, days)
        for (host, direction, flow, hour, verdict), count in self.moments.items():
            counts.hosts[host or UNKNOWN, "connections"] += count
            tables = counts.parts[direction, flow].tables
            tables["connections"][(verdict,)] += count
            count_hour(tables, "connections", hour, verdict, count)

    def _tell(self, key: Kind, kind: _Kind, days: Mapping[str, int]) -> None:
        """Add some connections, counted by day, to all tables but those that count when connections were seen."""
        _, direction, _, verdict, _, version, cipher, reason, is_required = key
        tables, ledger, whole, count = self.counts.parts[direction, kind.flow].tables, self.counts.ledger, kind.key, sum(days.values())
        if verdict in ("unused", UNKNOWN) and reason is not None:
            tables["other_reasons"][reason, verdict] += count
        if verdict == "unused":
            return
        partner = whole[2]
        ledger.note(whole, "connections", verdict, kind.latest, count)
        over = (version or UNKNOWN) if kind.is_over_tls else ""
        for day, some in days.items():
            if day:
                ledger.days[whole][day, verdict, over] += some
        if over:
            ledger.note(whole, "version", over, "", count)
            columns = _count_tls(tables, partner, over, cipher or UNKNOWN, count)
        else:
            columns = _count_no_tls(tables, partner, verdict, reason, count, is_required=is_required)
        for column in columns:
            tables["connections"][(column,)] += count
        for column in (verdict, *columns):
            tables["partner_connections"][partner, column] += count


def _count_tls(tables: Tables, partner: str, version: str, cipher: str, count: int) -> Sequence[str]:
    """Count connections over TLS, and return their marks."""
    tables["versions"][(version,)] += count
    tables["ciphers"][(cipher,)] += count
    marks = marks_of(version, cipher)
    if "deprecated" in marks or "weak" in marks:
        tables["outdated"][partner, version, cipher] += count
    return marks


def _count_no_tls(tables: Tables, partner: str, verdict: str, reason: str | None, count: int, *, is_required: bool) -> Sequence[str]:
    """Count other connections, and return their marks."""
    columns = []
    for _, why in _failed(verdict, reason):
        tables["failures"][partner, why, verdict, "required" if is_required else ""] += count
        if verdict == "cleartext":
            columns.append("fallback")
    return [*columns, "required", "required_" + verdict] if is_required else columns


def _failed(verdict: str, reason: str | None) -> Issues:
    """Return why TLS failed on a connection without TLS, if it did; clear text without a reason is not a failure."""
    return ((FAILED, NOT_LOGGED if reason is None else reason),) if verdict == "failed" or (verdict == "cleartext" and reason is not None) else ()
