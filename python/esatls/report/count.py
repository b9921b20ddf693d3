"""Records -> counts: one `Part` per direction and mail flow, with tables that count by a tuple of words."""

from __future__ import annotations

from collections import Counter, defaultdict
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, Optional, Union, cast

from esatls.extraction.ciphers import is_deprecated, lacks_forward_secrecy, weaknesses
from esatls.lines.clock import parse_rfc3339, rfc3339
from esatls.report.ledger import CLEARTEXT, DEPRECATED, FAILED, WEAK, Ledger
from esatls.report.notes import DIRECTIONS, FLOWS
from esatls.verdicts.message import domain_of
from esatls.verdicts.partners import delivered_to, partner_name
from esatls.verdicts.records import Brief
from esatls.verdicts.words import OVER_TLS, UNKNOWN, of_deliveries, of_partner

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from esatls.report import report_types
    from esatls.report.ledger import Issue, Key, Moment
    from esatls.report.report_types import IssueName
    from esatls.verdicts.record_types import ConnectionRecord, DeliveryRecord, MessageRecord
    from esatls.verdicts.records import Kind

NOT_LOGGED = "not logged"
"""The reason of a failure for which the log gives none."""

_HOURLY = 3 * 86400

Tables = dict[str, "Counter[tuple[str, ...]]"]


class Part:
    """Counts of one direction and mail flow; each table counts by a tuple of words."""

    __slots__ = ("tables",)

    def __init__(self, tables: Mapping[str, Mapping[tuple[str, ...], int]] | None = None) -> None:
        self.tables: Tables = defaultdict(Counter, {name: Counter(table) for name, table in (tables or {}).items()})

    def table(self, name: str) -> Counter[tuple[str, ...]]:
        """Return a table, which is empty if nothing was counted."""
        return self.tables.get(name) or Counter()

    def add(self, other: Part) -> None:
        """Add the counts of another part."""
        for name, counter in other.tables.items():
            self.tables[name].update(counter)


class Span:
    """The first and the last time, as RFC 3339 text in UTC."""

    def __init__(self) -> None:
        self.times: report_types.Span = {}
        self._first = self._last = ""

    def add(self, times: Iterable[str | None]) -> None:
        """Widen the span to include these times, except for None; most are within it already."""
        for time in times:
            # without the Z, text with a fraction sorts after text without
            if time is None or self._first <= (moment := time[:-1]) <= self._last:
                continue
            if not self.times or moment < self._first:
                self.times["first"], self._first = time, moment
            if moment > self._last:
                self.times["last"], self._last = time, moment

    def unit(self) -> str:
        """Return the unit to count by: hours if the span is shorter than three days, else days."""
        if not self.times:
            return "day"
        return "hour" if parse_rfc3339(self.times["last"]) - parse_rfc3339(self.times["first"]) < _HOURLY else "day"


class Alike(NamedTuple):
    """Several records that are counted alike."""

    record: Any
    """What they have in common, with the time and id of the latest; or one whole record."""
    number: int
    first: int | None = None
    """The earliest time in seconds; None for that of the record."""
    times: tuple[str, ...] = ()
    """The first and last times of all, if they are counted by when they were seen."""
    what: str = ""
    """What is counted: when records were `seen`, everything else about connections (`told`), how messages were `received`, how many `recipients` they had,
    with which `protocols` they were delivered, and how they were `delivered`. If empty, all of this."""
    others: Sequence[tuple[int, int]] = ()
    """Time in seconds and id of the other examples, besides the record."""


class Counts(NamedTuple):
    """All that is counted of some records. The counts of several sets of records can be added, in any order."""

    span: Span
    parts: dict[tuple[str, str], Part]
    """By direction and mail flow."""
    hosts: Counter[tuple[str, str]]
    """Connections and messages of each appliance."""
    both: Counter[tuple[str, str]]
    """Messages by how they were received and delivered."""
    ledger: Ledger
    """The issues of each partner."""

    def plain(self) -> tuple[Any, ...]:
        """Return the counts as plain values, for another process."""
        parts = {way: {name: dict(table) for name, table in part.tables.items()} for way, part in self.parts.items()}
        return self.span.times, parts, dict(self.hosts), dict(self.both), self.ledger.plain()

    @classmethod
    def of_plain(cls, plain: tuple[Any, ...]) -> Counts:
        """Return the counts from their plain values (`plain`)."""
        times, parts, hosts, both, ledger = plain
        span = Span()
        span.add(times.values())
        return cls(span, {way: Part(tables) for way, tables in parts.items()}, Counter(hosts), Counter(both), Ledger.of_plain(ledger))

    def add(self, other: Counts) -> None:
        """Add the counts of other records."""
        self.span.add(other.span.times.values())  # type: ignore[arg-type]
        for way, part in other.parts.items():
            self.parts[way].add(part)
        self.hosts.update(other.hosts)
        self.both.update(other.both)
        self.ledger.add(other.ledger)


_ONE = Alike(None, 1)
Counted = Union["ConnectionRecord", "MessageRecord", Brief, Alike]


def count_records(records: Iterable[Counted], own_domains: Iterable[str]) -> Counts:
    """Count records of connections and of messages, in any order."""
    ledger = Ledger(own_domains)
    counts = Counts(Span(), {(direction, flow): Part() for direction in DIRECTIONS for flow in FLOWS}, Counter(), Counter(), ledger)
    of_connections, of_messages = _Connections(counts), _Messages(counts)
    for one in records:
        if isinstance(one, Brief):
            of_connections.add(one)
        elif isinstance(one, Alike):
            if "esa_direction" in one.record:
                of_connections.add(_brief(one.record), one)
            else:
                of_messages.add(one.record, one)
        elif "esa_direction" in one:
            of_connections.add(_brief(one))
        else:
            of_messages.add(cast("MessageRecord", one))
    of_connections.end()
    of_messages.end()
    return counts


_Issues = tuple[tuple["IssueName", str], ...]
"""Issues, each with its reason, or the name of the protocol or cipher."""


def _brief(record: Any) -> Brief:
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


class _Connections:
    """Connections while they are counted."""

    def __init__(self, counts: Counts) -> None:
        self.counts = counts
        self.kinds: dict[Kind, _Kind] = {}
        self.moments: Counter[tuple[str, str, str, str, str]] = Counter()

    def add(self, one: Brief, alike: Alike = _ONE) -> None:
        """Count one connection, or all that are alike."""
        key, opened, closed, number = one
        time = _moment(opened or closed)
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
            issue.seen(time if alike.first is None else _moment(rfc3339(alike.first)), time)
            issue.example(time, host, name, number)
            for when, other in alike.others:
                issue.example(_moment(rfc3339(when)), host, name, other)
        if what:
            self._tell(key, kind, {time[:10]: count})

    def _kind(self, key: Kind) -> _Kind:
        _, direction, given, verdict, name, version, cipher, reason, _ = key
        flow = given if given in FLOWS else UNKNOWN
        ledger = self.counts.ledger
        whole = ledger.key(direction, flow, "" if verdict == "unused" else partner_name(name, None, None))
        wrong = _outdated(version or UNKNOWN, cipher or UNKNOWN) if verdict in OVER_TLS else _failed(verdict, reason)
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
            _count_hour(tables, "connections", hour, verdict, count)

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
    marks = _marks(version, cipher)
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


def _failed(verdict: str, reason: str | None) -> _Issues:
    """Return why TLS failed on a connection without TLS, if it did; clear text without a reason is not a failure."""
    return ((FAILED, NOT_LOGGED if reason is None else reason),) if verdict == "failed" or (verdict == "cleartext" and reason is not None) else ()


@lru_cache(maxsize=10_000)  # bounded, as both are text from the log
def _outdated(version: str, cipher: str) -> _Issues:
    """Return the issues of a protocol and a cipher, each with its name."""
    marks = _marks(version, cipher)
    return ((DEPRECATED, version),) * ("deprecated" in marks) + ((WEAK, cipher),) * ("weak" in marks)


@lru_cache(maxsize=10_000)  # as above
def _marks(version: str, cipher: str) -> tuple[str, ...]:
    marks = ["deprecated"] if is_deprecated(version) else []
    if weaknesses(cipher):
        marks.append("weak")
    if lacks_forward_secrecy(cipher):
        marks.append("no_forward_secrecy")
    return tuple(marks)


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


class _Messages:
    """Messages while they are counted."""

    def __init__(self, counts: Counts) -> None:
        self.counts = counts
        self.groups: dict[_Mail, _Group] = {}
        self.moments: Counter[tuple[str, str, str, str, str]] = Counter()

    def add(self, record: MessageRecord, alike: Alike = _ONE) -> None:
        """Count one message, or all that are alike."""
        what = alike.what
        flow = record.get("mail_flow", UNKNOWN)
        if flow not in FLOWS:
            flow = UNKNOWN
        if what in ("", "seen"):
            first = record.get("first_seen")
            self.counts.span.add(alike.times or (first, record.get("last_seen")))
            self.moments[record.get("esa_host", UNKNOWN), flow, _moment(first)[:13], record["received"], record["delivered"]] += alike.number
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
        self._add(("receiving", flow, name, verdict, version, cipher, reason), record, _moment(record.get("first_seen")), alike)

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
        self._add(("delivery", flow, name, verdict, version, cipher, reason), record, _moment(time), alike)

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
        ways: dict[str, list[tuple[DeliveryRecord, Moment, _Issues]]] = {}
        for attempt, reached in deliveries:
            verdict = attempt["verdict"]
            tables["recipients"][(verdict,)] += len(attempt["rid"]) * alike.number
            way = attempt, _moment(attempt.get("time", record.get("first_seen"))), _wrong(verdict, *_protocol(attempt), attempt.get("reason", ""))
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
                _count_hour(tables, "messages", hour, verdict, count)
        for (way, flow, _, verdict, *_), group in self.groups.items():
            if verdict not in ("internal", "none"):
                self._tables(way, flow)["partner_messages"][group.key[2], verdict] += group.count
                counts.ledger.note(group.key, "messages", verdict, group.latest, group.count)


def _protocol(attempt: DeliveryRecord) -> tuple[str, str]:
    return attempt.get("tls_version", UNKNOWN), attempt.get("tls_cipher", UNKNOWN)


def _wrong(verdict: str, version: str, cipher: str, reason: str) -> _Issues:
    """Return the issues of mail, each with its reason, or the name of the protocol or cipher."""
    if verdict == "encrypted":
        return _outdated(version, cipher)
    return ((CLEARTEXT, reason),) if verdict == "cleartext" else ()


def _note(issue: Issue, record: MessageRecord, time: Moment, reason: str, alike: Alike, verdict: str, *, is_new: bool = True) -> None:
    """Note an issue of messages or of one of their deliveries. Its times and reason always count, the messages only if the issue `is_new` for them.

    Protocols and ciphers are counted by connections; here, they are named, because the connections may be those of another partner.
    """
    issue.seen(time if alike.first is None else _moment(rfc3339(alike.first)), time)
    if reason:
        issue.why(reason, alike.number if verdict == "cleartext" else 0)
    if is_new:
        host = record.get("esa_host", "")
        issue.messages += alike.number
        issue.example(time, host, "mid", record["mid"])
        for when, other in alike.others:
            issue.example(_moment(rfc3339(when)), host, "mid", other)


def _moment(time: str | None) -> Moment:
    return "" if time is None else time[:-1]


def _count_hour(tables: Tables, what: str, hour: str, verdict: str, count: int) -> None:
    if hour:
        tables["over_time"][what, hour, verdict] += count
    else:
        tables["undated"][(what,)] += count
