"""Records -> counts: one `Part` per direction and mail flow, whose tables count by keys of words."""

from __future__ import annotations

from collections import Counter, defaultdict
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from esatls.extraction.ciphers import is_deprecated, lacks_forward_secrecy, weaknesses
from esatls.lines.clock import parse_rfc3339
from esatls.report.ledger import CLEARTEXT, DEPRECATED, FAILED, WEAK, Ledger
from esatls.report.notes import DIRECTIONS, FLOWS
from esatls.verdicts.message import domain_of
from esatls.verdicts.words import OVER_TLS, UNKNOWN, of_deliveries

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from esatls.report import report_types
    from esatls.report.ledger import Key
    from esatls.report.report_types import IssueName
    from esatls.verdicts.record_types import ConnectionRecord, DeliveryRecord, MessageRecord

NOT_LOGGED = "not logged"
"""Reason of a failure that the log states without one."""

_HOURLY = 3 * 86400
_LONGEST_NAME = 253
"""Characters of a name in DNS (RFC 1035)."""


Tables = dict[str, "Counter[tuple[str, ...]]"]


class Part:
    """Counts of one direction and mail flow; each table counts by a key of words."""

    __slots__ = ("tables",)

    def __init__(self) -> None:
        self.tables: Tables = defaultdict(Counter)

    def table(self, name: str) -> Counter[tuple[str, ...]]:
        """Return a table, empty if nothing was counted."""
        return self.tables.get(name) or Counter()

    def add(self, other: Part) -> None:
        """Add the counts of another part."""
        for name, counter in other.tables.items():
            self.tables[name].update(counter)


class Span:
    """The first and last moment, of RFC 3339 text in UTC."""

    def __init__(self) -> None:
        self.times: report_types.Span = {}

    def add(self, time: str | None) -> None:
        """Widen the span to hold a moment, if there is one."""
        if time is None:
            return
        # without the Z, text with a fraction sorts after text without
        moment = time[:-1]
        if not self.times:
            self.times = {"first": time, "last": time}
        elif moment < self.times["first"][:-1]:
            self.times["first"] = time
        elif moment > self.times["last"][:-1]:
            self.times["last"] = time

    def unit(self) -> str:
        """Return what to count by: hours below three days, days else."""
        if not self.times:
            return "day"
        return "hour" if parse_rfc3339(self.times["last"]) - parse_rfc3339(self.times["first"]) < _HOURLY else "day"


class Counts(NamedTuple):
    """All that is counted of some records."""

    span: Span
    parts: dict[tuple[str, str], Part]
    """By direction and mail flow."""
    hosts: Counter[tuple[str, str]]
    """Connections and messages of each appliance."""
    both: Counter[tuple[str, str]]
    """Messages by how they were received and delivered."""
    ledger: Ledger
    """What was wrong with whom."""


def count_records(connections: Iterable[ConnectionRecord], messages: Iterable[MessageRecord], own_domains: Iterable[str] = ()) -> Counts:
    """Count records of connections and of messages, each read once."""
    ledger = Ledger(own_domains)
    counts = Counts(Span(), {(direction, flow): Part() for direction in DIRECTIONS for flow in FLOWS}, Counter(), Counter(), ledger)
    for connection in connections:
        counts.hosts[connection.get("esa_host", UNKNOWN), "connections"] += 1
        counts.span.add(connection.get("opened"))
        counts.span.add(connection.get("closed"))
        _count_connection(counts.parts[connection["esa_direction"], _flow(connection)].tables, ledger, connection)
    for record in messages:
        counts.hosts[record.get("esa_host", UNKNOWN), "messages"] += 1
        counts.span.add(record.get("first_seen"))
        counts.span.add(record.get("last_seen"))
        counts.both[record["received"], record["delivered"]] += 1
        flow = _flow(record)
        _count_received(counts.parts["receiving", flow].tables, ledger, record)
        _count_delivered(counts.parts["delivery", flow].tables, ledger, record)
    return counts


def _flow(record: ConnectionRecord | MessageRecord) -> str:
    flow = record.get("mail_flow", UNKNOWN)
    return flow if flow in FLOWS else UNKNOWN


def _count_connection(tables: Tables, ledger: Ledger, record: ConnectionRecord) -> None:
    verdict, direction = record["tls_verdict"], record["esa_direction"]
    time = record.get("opened") or record.get("closed")
    tables["connections"][(verdict,)] += 1
    _count_time(tables, "connections", time, verdict)
    if verdict in ("unused", UNKNOWN) and "tls_reason" in record:
        tables["other_reasons"][record["tls_reason"], verdict] += 1
    if verdict == "unused":
        return  # refused strangers are many, and no partners
    partner = partner_name(record.get("domain"), record.get("peer_host"), record.get("peer_ip"))
    key = ledger.key(direction, _flow(record), partner)
    ledger.note(key, "connections", verdict, time)
    columns = [verdict]
    issues: list[tuple[IssueName, str]] = []
    if verdict in OVER_TLS:
        version, cipher = record.get("tls_version", UNKNOWN), record.get("tls_cipher", UNKNOWN)
        ledger.note(key, "version", version, None)
        tables["versions"][(version,)] += 1
        tables["ciphers"][(cipher,)] += 1
        marks = _marks(version, cipher)
        columns += marks
        if "deprecated" in marks or "weak" in marks:
            tables["outdated"][partner, version, cipher] += 1
        issues = _outdated(marks, version, cipher)
    elif verdict == "failed" or (verdict == "cleartext" and "tls_reason" in record):
        tables["failures"][partner, record.get("tls_reason", NOT_LOGGED), verdict, "required" if record.get("tls_required") else ""] += 1
        issues = [(FAILED, record.get("tls_reason", NOT_LOGGED))]
        if verdict == "cleartext":
            columns.append("fallback")
    if record.get("tls_required") and verdict not in OVER_TLS:
        columns += ["required", "required_" + verdict]
    for column in columns:
        tables["partner_connections"][partner, column] += 1
    for column in columns[1:]:
        tables["connections"][(column,)] += 1
    for name, reason in issues:
        issue = ledger.issue(key, name)
        issue.connections += 1
        issue.seen(time)
        issue.reasons[reason] += 1
        kind, number = ("icid", record["icid"]) if direction == "receiving" else ("dcid", record["dcid"])
        issue.example(time, record.get("esa_host", ""), kind, number)


def _outdated(marks: tuple[str, ...], version: str, cipher: str) -> list[tuple[IssueName, str]]:
    """Return what is wrong with a protocol and a cipher, each with its name."""
    return [(DEPRECATED, version)] * ("deprecated" in marks) + [(WEAK, cipher)] * ("weak" in marks)


def _note_mail(ledger: Ledger, key: Key, record: MessageRecord, verdict: str, ways: Iterable[DeliveryRecord]) -> None:
    """Note one message of a partner; each way that it took is an attempt to deliver it, or the like."""
    told: set[str] = set()
    latest: str | None = None
    for way in ways:
        time = way.get("time", record.get("first_seen"))
        issues: list[tuple[IssueName, str]] = []
        if way["verdict"] == "cleartext":
            issues = [(CLEARTEXT, way.get("reason", ""))]
        elif way["verdict"] == "encrypted":
            latest = time
            version, cipher = way.get("tls_version", UNKNOWN), way.get("tls_cipher", UNKNOWN)
            issues = [(name, "") for name, _ in _outdated(_marks(version, cipher), version, cipher)]
        for name, reason in issues:
            issue = ledger.issue(key, name)
            issue.seen(time)
            if reason:
                issue.reasons[reason] += 1
            if name not in told:
                told.add(name)
                issue.messages += 1
                issue.example(time, record.get("esa_host", ""), "mid", record["mid"])
    ledger.note(key, "messages", verdict, latest)


@lru_cache(maxsize=10_000)  # bounded, as both are text of the log
def _marks(version: str, cipher: str) -> tuple[str, ...]:
    marks = ["deprecated"] if is_deprecated(version) else []
    if weaknesses(cipher):
        marks.append("weak")
    if lacks_forward_secrecy(cipher):
        marks.append("no_forward_secrecy")
    return tuple(marks)


def _count_received(tables: Tables, ledger: Ledger, record: MessageRecord) -> None:
    verdict = record["received"]
    tables["messages"][(verdict,)] += 1
    tables["recipients"][(verdict,)] += len(record.get("recipients", ()))
    _count_time(tables, "messages", record.get("first_seen"), verdict)
    if verdict in ("internal", "none"):
        return
    if verdict == "encrypted":
        tables["message_versions"][(record.get("received_tls_version", UNKNOWN),)] += 1
        tables["message_ciphers"][(record.get("received_tls_cipher", UNKNOWN),)] += 1
    domain = domain_of(record.get("sender", ""))
    partner = partner_name(domain, record.get("received_peer_host"), record.get("received_peer_ip"))
    tables["partner_messages"][partner, verdict] += 1
    _note_mail(ledger, ledger.key("receiving", _flow(record), partner), record, verdict, [_way_in(record)])


def _way_in(record: MessageRecord) -> DeliveryRecord:
    """Return how a message was received, as an attempt to deliver says it."""
    way: DeliveryRecord = {"verdict": record["received"]}
    if "received_tls_version" in record:
        way["tls_version"] = record["received_tls_version"]
    if "received_tls_cipher" in record:
        way["tls_cipher"] = record["received_tls_cipher"]
    if "received_reason" in record:
        way["reason"] = record["received_reason"]
    return way


def _count_delivered(tables: Tables, ledger: Ledger, record: MessageRecord) -> None:
    verdict = record["delivered"]
    tables["messages"][(verdict,)] += 1
    _count_time(tables, "messages", record.get("first_seen"), verdict)
    ways: dict[str, list[DeliveryRecord]] = {}
    versions: set[str] = set()
    ciphers: set[str] = set()
    for attempt, reached in delivered_to(record):
        tables["recipients"][(attempt["verdict"],)] += len(attempt["rid"])
        for domain in reached or (None,):
            partner = partner_name(domain, attempt.get("peer_host"), attempt.get("peer_ip"))
            ways.setdefault(partner, []).append(attempt)
        if attempt["verdict"] == "encrypted":
            versions.add(attempt.get("tls_version", UNKNOWN))
            ciphers.add(attempt.get("tls_cipher", UNKNOWN))
    for version in versions:
        tables["message_versions"][(version,)] += 1
    for cipher in ciphers:
        tables["message_ciphers"][(cipher,)] += 1
    for partner, over in ways.items():
        told = of_deliveries({attempt["verdict"] for attempt in over})
        tables["partner_messages"][partner, told] += 1
        _note_mail(ledger, ledger.key("delivery", _flow(record), partner), record, told, over)


def delivered_to(record: MessageRecord) -> Iterator[tuple[DeliveryRecord, set[str]]]:
    """Yield each delivery of a message that was done, and the domains that it reached; none where the log does not tell."""
    done = [attempt for attempt in record["deliveries"] if attempt.get("outcome") == "done"]
    domains = {} if all("domain" in attempt for attempt in done) else _domains_by_rid(record)
    for attempt in done:
        yield attempt, {attempt["domain"]} if "domain" in attempt else {domains[rid] for rid in attempt["rid"] if rid in domains}


def _domains_by_rid(record: MessageRecord) -> dict[int, str]:
    """Return the domain of each recipient by its RID; none where it is not plain which recipient has which.

    A record has its recipients in the order of their RIDs, and each attempt has RIDs. An attempt whose recipients share a domain has it:
    where that does not come out, the recipients in view are not those of the attempts, and nobody is to be blamed for another's mail.
    """
    attempts, recipients = record["deliveries"], record.get("recipients", ())
    rids = sorted({rid for attempt in attempts for rid in attempt["rid"]})
    if len(rids) != len(recipients):
        return {}
    domains = dict(zip(rids, map(domain_of, recipients)))
    for attempt in attempts:
        shared = {domains[rid] for rid in attempt["rid"]}
        if len(shared) == 1 and partner_name(attempt.get("domain"), None, None) != partner_name(shared.pop(), None, None):
            return {}
    return domains


def partner_name(domain: str | None, host: str | None, address: str | None) -> str:
    """Return the name of the other side: its domain, else its host name or address, as DNS has it."""
    name = (domain or host or address or UNKNOWN).lower().rstrip(".") or UNKNOWN
    return name if name.isascii() else _on_the_wire(name)


@lru_cache(maxsize=10_000)  # bounded, as it is text of the log
def _on_the_wire(name: str) -> str:
    """Return a name in other letters as DNS has it (RFC 3490: `xn--`), and one that does not come back whole as it is.

    What IDNA maps to another name (a soft hyphen to nothing, a sharp s to ss) stays a name of its own.
    """
    if len(name) > _LONGEST_NAME:
        return name
    try:
        wire = name.encode("idna")
        return wire.decode("ascii") if wire.decode("idna") == name else name
    except ValueError:  # UnicodeError among them
        return name


def _count_time(tables: Tables, what: str, time: str | None, verdict: str) -> None:
    if time is None:
        tables["undated"][(what,)] += 1
    else:
        tables["over_time"][what, time[:13], verdict] += 1  # to the hour
