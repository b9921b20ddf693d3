"""Records of messages -> counts."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Optional, cast

from esatls.report.counts import ONE, count_hour, moment
from esatls.report.issues import outdated
from esatls.report.ledger import CLEARTEXT
from esatls.report.notes import DIRECTIONS, FLOWS
from esatls.verdicts.message import domain_of
from esatls.verdicts.partners import delivered_to, partner_name
from esatls.verdicts.words import OVER_TLS, UNKNOWN, of_deliveries, of_partner

if TYPE_CHECKING:
    from collections.abc import Sequence

    from esatls.report.counts import Alike, ReportCounts, Tables
    from esatls.report.issues import Issues
    from esatls.report.ledger import Issue, Key, Moment
    from esatls.verdicts.record_types import DeliveryRecord, MessageRecord

_Mail = tuple[str, str, str, str, Optional[str], Optional[str], Optional[str]]
"""Direction, flow, partner and verdict of a message, and its protocol, cipher and reason if they may be an issue."""


class _Group:
    """Messages that are counted alike, except for their times."""

    __slots__ = ("count", "is_over_tls", "issues", "key", "latest")

    def __init__(self, key: Key, issues: list[tuple[Issue, str]], *, is_over_tls: bool) -> None:
        self.key, self.issues = key, issues
        self.is_over_tls = is_over_tls
        self.count = 0
        self.latest: Moment = ""
        """The time of the latest one over TLS."""


class Messages:
    """Messages while they are counted."""

    def __init__(self, counts: ReportCounts) -> None:
        self.counts = counts
        self.groups: dict[_Mail, _Group] = {}
        self.moments: Counter[tuple[str, str, str, str, str]] = Counter()

    def add(self, record: MessageRecord, alike: Alike = ONE) -> None:
        """Count one message, or all that are alike."""
        what = alike.what
        flow = record.get("mail_flow", UNKNOWN)
        if flow not in FLOWS:
            flow = UNKNOWN
        if what in ("", "seen"):
            first = record.get("first_seen")
            self.counts.span.add(alike.times or (first, record.get("last_seen")))
            self.moments[record.get("esa_host", UNKNOWN), flow, moment(first)[:13], record["received"], record["delivered"]] += alike.number
        if what in ("", "received"):
            self._add_received(record, flow, alike)
        if what in ("", "recipients"):
            recipients = record["to"] if what else len(record.get("recipients", ()))  # type: ignore[typeddict-item]
            self._tables("receiving", flow)["recipients"][(record["received"],)] += recipients * alike.number
        if what in ("", "protocols"):
            done = [attempt for attempt in record["deliveries"] if attempt.get("outcome") == "done"]
            self._add_protocols("delivery", flow, [_protocol(attempt) for attempt in done if attempt["verdict"] == "encrypted"], alike.number)
        if what == "delivered" and "deliveries" not in record:
            one = cast("Any", record)
            self._add_attempt(record, one, one["domain"], flow, one["to"], alike)
        elif what in ("", "delivered"):
            self._add_delivered(record, flow, alike)

    def _tables(self, direction: str, flow: str) -> Tables:
        return self.counts.parts[direction, flow].tables

    def _add_protocols(self, direction: str, flow: str, protocols: Sequence[tuple[str, str]], count: int) -> None:
        """Count messages by protocol and by cipher, each once."""
        if not protocols:
            return
        tables = self._tables(direction, flow)
        for version in {version for version, _ in protocols}:
            tables["message_versions"][(version,)] += count
        for cipher in {cipher for _, cipher in protocols}:
            tables["message_ciphers"][(cipher,)] += count

    def _add_received(self, record: MessageRecord, flow: str, alike: Alike) -> None:
        verdict, version, cipher, reason, name = record["received"], None, None, None, ""
        if verdict not in ("internal", "none"):
            name = domain_of(record.get("sender", "")) or record.get("received_peer_host") or record.get("received_peer_ip") or UNKNOWN
        if verdict == "encrypted":
            version, cipher = record.get("received_tls_version", UNKNOWN), record.get("received_tls_cipher", UNKNOWN)
            self._add_protocols("receiving", flow, [(version, cipher)], alike.number)
        elif verdict == "cleartext":
            reason = record.get("received_reason", "")
        self._add(("receiving", flow, name, verdict, version, cipher, reason), record, moment(record.get("first_seen")), alike)

    def _add_attempt(self, record: MessageRecord, attempt: DeliveryRecord, domain: str | None, flow: str, recipients: int, alike: Alike) -> None:
        """Count messages that went over one delivery, to one domain at most."""
        verdict, version, cipher, reason = attempt["verdict"], None, None, None
        self._tables("delivery", flow)["recipients"][(verdict,)] += recipients * alike.number
        name = domain or attempt.get("peer_host") or attempt.get("peer_ip") or UNKNOWN
        if verdict == "encrypted":
            version, cipher = _protocol(attempt)
        elif verdict == "cleartext":
            reason = attempt.get("reason", "")
        else:
            verdict = of_deliveries({verdict})
        time = attempt.get("time", record.get("first_seen"))
        self._add(("delivery", flow, name, verdict, version, cipher, reason), record, moment(time), alike)

    def _add_delivered(self, record: MessageRecord, flow: str, alike: Alike) -> None:
        deliveries = delivered_to(record)
        if len(deliveries) == 1 and len(deliveries[0][1]) < 2:
            ((attempt, reached),) = deliveries
            self._add_attempt(record, attempt, next(iter(reached), None), flow, len(attempt["rid"]), alike)
        else:
            self._add_several(record, deliveries, flow, alike)

    def _add_several(self, record: MessageRecord, deliveries: list[tuple[DeliveryRecord, set[str]]], flow: str, alike: Alike) -> None:
        """Count messages that went over several deliveries or to several domains."""
        tables, ledger = self._tables("delivery", flow), self.counts.ledger
        ways: dict[str, list[tuple[DeliveryRecord, Moment, Issues]]] = {}
        for attempt, reached in deliveries:
            verdict = attempt["verdict"]
            tables["recipients"][(verdict,)] += len(attempt["rid"]) * alike.number
            way = attempt, moment(attempt.get("time", record.get("first_seen"))), _wrong(verdict, *_protocol(attempt), attempt.get("reason", ""))
            for domain in reached or (None,):
                ways.setdefault(partner_name(domain, attempt.get("peer_host"), attempt.get("peer_ip")), []).append(way)
        for partner, over in ways.items():
            latest = ""
            told: set[str] = set()
            for attempt, time, wrong in over:
                if attempt["verdict"] == "encrypted":
                    latest = time
                for name, reason in wrong:
                    issue = ledger.issue(ledger.key("delivery", flow, partner), name)
                    _note(issue, record, time, reason, alike, attempt["verdict"], is_new=name not in told)
                    told.add(name)
            verdict = of_partner({attempt["verdict"] for attempt, _, _ in over})
            self._add(("delivery", flow, partner, verdict, None, None, None), record, latest, alike)

    def _add(self, key: _Mail, record: MessageRecord, time: Moment, alike: Alike) -> None:
        """Count messages of one partner; `time` is that of the latest."""
        group = self.groups.get(key)
        if group is None:
            group = self.groups[key] = self._group(key)
        group.count += alike.number
        if group.is_over_tls and time > group.latest:
            group.latest = time
        for issue, reason in group.issues:
            _note(issue, record, time, reason, alike, key[3])

    def _group(self, key: _Mail) -> _Group:
        direction, flow, name, verdict, version, cipher, reason = key
        ledger = self.counts.ledger
        whole = ledger.key(direction, flow, name and partner_name(name, None, None))
        wrong = () if version is None and reason is None else _wrong(verdict, version or UNKNOWN, cipher or UNKNOWN, reason or "")
        return _Group(whole, [(ledger.issue(whole, issue), why) for issue, why in wrong], is_over_tls=verdict in OVER_TLS)

    def end(self) -> None:
        """Add the counts to the tables."""
        counts = self.counts
        for (host, flow, hour, *verdicts), count in self.moments.items():
            received, delivered = verdicts
            counts.hosts[host, "messages"] += count
            counts.both[received, delivered] += count
            for direction, verdict in zip(DIRECTIONS, verdicts):
                tables = self._tables(direction, flow)
                tables["messages"][(verdict,)] += count
                count_hour(tables, "messages", hour, verdict, count)
        for (way, flow, _, verdict, *_), group in self.groups.items():
            if verdict not in ("internal", "none"):
                self._tables(way, flow)["partner_messages"][group.key[2], verdict] += group.count
                counts.ledger.note(group.key, "messages", verdict, group.latest, group.count)


def _protocol(attempt: DeliveryRecord) -> tuple[str, str]:
    return attempt.get("tls_version", UNKNOWN), attempt.get("tls_cipher", UNKNOWN)


def _wrong(verdict: str, version: str, cipher: str, reason: str) -> Issues:
    """Return the issues of mail, each with its reason, or the name of the protocol or cipher."""
    if verdict == "encrypted":
        return outdated(version, cipher)
    return ((CLEARTEXT, reason),) if verdict == "cleartext" else ()


def _note(issue: Issue, record: MessageRecord, time: Moment, reason: str, alike: Alike, verdict: str, *, is_new: bool = True) -> None:
    """Note an issue of messages or of one of their deliveries. Its times and reason always count, the messages only if the issue `is_new` for them.

    Protocols and ciphers are counted by connections; here, they are named, because the connections may be those of another partner.
    """
    issue.seen(alike.earliest(time), time)
    if reason:
        issue.why(reason, alike.number if verdict == "cleartext" else 0)
    if is_new:
        host = record.get("esa_host", "")
        issue.messages += alike.number
        for when, other in alike.examples(time, record["mid"]):
            issue.example(when, host, "mid", other)
