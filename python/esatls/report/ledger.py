"""The issues of each partner and direction, with their first and last time, reasons and examples, and the counts of all connections and messages.

The ledger grows with partners, not with records, and does not depend on the order of the records.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, cast

from esatls.report.organisations import organisations
from esatls.verdicts.dns_names import is_within
from esatls.verdicts.words import CONNECTION_VERDICTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from esatls.report.report_types import Example, IssueName, IssueRow, Organisation, PartnerDay

CLEARTEXT: IssueName = "cleartext"
DEPRECATED: IssueName = "deprecated"
WEAK: IssueName = "weak"
FAILED: IssueName = "failed"
ISSUES: tuple[IssueName, ...] = (CLEARTEXT, DEPRECATED, WEAK, FAILED)
"""Mail in clear text; deprecated protocols; weak ciphers; TLS that failed, whether mail went on in clear text or not."""
MOST_EXAMPLES = 3
"""Examples of each issue that a report has for a partner: the latest ones."""
_HELD = 16

Key = tuple[str, str, str]
"""Direction, `own` or `partner`, and the name of the other side."""

Moment = str
"""A time as RFC 3339 text in UTC without the Z, because with it `10:00:00.5Z` would sort before `10:00:00Z`. "" if there is no time."""


_OUR_SIDE = (("receiving", "outgoing"), ("delivery", "incoming"))
"""Directions and mail flows in which the other side is one of the organisation's own servers."""


class Issue:
    """One kind of problem with one partner in one direction."""

    __slots__ = ("connections", "examples", "first", "last", "messages", "reasons")

    def __init__(self) -> None:
        self.connections = self.messages = 0
        self.first: Moment = ""
        self.last: Moment = ""
        self.reasons: dict[str, int] = {}
        self.examples: list[tuple[Moment, str, str, int]] = []
        """Time, appliance, kind of id, id."""

    def seen(self, first: Moment, last: Moment) -> None:
        """Note the first and the last time at which it happened."""
        if first and (not self.first or first < self.first):
            self.first = first
        self.last = max(self.last, last)

    def why(self, reason: str, count: int) -> None:
        """Note a reason that was given `count` times."""
        self.reasons[reason] = self.reasons.get(reason, 0) + count

    def example(self, time: Moment, host: str, kind: str, number: int) -> None:
        """Note a connection or message as an example."""
        self.examples.append((time, host, kind, number))
        if len(self.examples) > _HELD:
            self.examples = self.latest()

    def latest(self) -> list[tuple[Moment, str, str, int]]:
        """Return the latest examples, the newest first."""
        return sorted(set(self.examples), reverse=True)[:MOST_EXAMPLES]

    def plain(self) -> tuple[Any, ...]:
        """Return the issue as plain values, for another process."""
        return self.connections, self.messages, self.first, self.last, self.reasons, self.examples

    @classmethod
    def of_plain(cls, plain: tuple[Any, ...]) -> Issue:
        """Return the issue from its plain values (`plain`)."""
        issue = cls()
        issue.connections, issue.messages, issue.first, issue.last, issue.reasons, issue.examples = plain
        return issue

    def add(self, other: Issue) -> None:
        """Add the same issue from other records, or of another name of the same organisation."""
        self.connections += other.connections
        self.messages += other.messages
        self.seen(other.first, other.last)
        for reason, count in other.reasons.items():
            self.why(reason, count)
        self.examples += other.examples


class Ledger:
    """The counts and issues of all partners."""

    def __init__(self, own_domains: Iterable[str]) -> None:
        self.own_domains = tuple(own_domains)
        self.counts: dict[Key, Counter[tuple[str, str]]] = {}
        """Connections and messages by verdict, connections over TLS by protocol."""
        self.days: defaultdict[Key, Counter[tuple[str, str, str]]] = defaultdict(Counter)
        """Connections by day, verdict, and protocol ("" if they were not over TLS)."""
        self.last_tls: dict[Key, Moment] = {}
        self.issues: dict[tuple[Key, str], Issue] = {}

    def key(self, direction: str, flow: str, name: str) -> Key:
        """Return the key of the other side, which is `own` if outgoing mail comes from it, incoming mail goes to it, or it is in an own domain."""
        own = (direction, flow) in _OUR_SIDE or any(is_within(name, domain) for domain in self.own_domains)
        return direction, "own" if own else "partner", name

    def note(self, key: Key, what: str, verdict: str, time: Moment, count: int) -> None:
        """Count connections or messages; `time` is that of the latest one over TLS, "" if there is none."""
        counts = self.counts.get(key)
        if counts is None:
            counts = self.counts[key] = Counter()
        counts[what, verdict] += count
        if time and time > self.last_tls.get(key, ""):
            self.last_tls[key] = time

    def plain(self) -> tuple[Any, ...]:
        """Return the ledger as plain values, for another process."""
        counts, days = ({key: dict(table) for key, table in tables.items()} for tables in (self.counts, self.days))
        return self.own_domains, counts, days, self.last_tls, {key: issue.plain() for key, issue in self.issues.items()}

    @classmethod
    def of_plain(cls, plain: tuple[Any, ...]) -> Ledger:
        """Return the ledger from its plain values (`plain`)."""
        own_domains, counts, days, last_tls, issues = plain
        ledger = cls(own_domains)
        ledger.counts = {key: Counter(table) for key, table in counts.items()}
        ledger.days.update((key, Counter(table)) for key, table in days.items())
        ledger.last_tls = last_tls
        ledger.issues = {key: Issue.of_plain(issue) for key, issue in issues.items()}
        return ledger

    def add(self, other: Ledger) -> None:
        """Add the ledger of other records."""
        for key, counts in other.counts.items():
            for (what, verdict), count in counts.items():
                self.note(key, what, verdict, other.last_tls.get(key, ""), count)
        for key, days in other.days.items():
            self.days[key].update(days)
        for (key, name), issue in other.issues.items():
            self.issue(key, name).add(issue)

    def issue(self, key: Key, issue: str) -> Issue:
        """Return an issue of one partner, which is created if it is new."""
        known = self.issues.get((key, issue))
        if known is None:
            known = self.issues[key, issue] = Issue()
        return known

    def rows(self) -> list[Organisation]:
        """Return a row per organisation and direction, those with the most mail in clear text first.

        `partner` is the registrable domain, `names` are the names counted under it, and `own` is true for one's own domains. `cleartext`, `deprecated`, `weak`
        and `failed` are there if this happened: messages, connections, first, last, reasons, and the latest examples. `days` are those on which connections
        began, each with its connections by verdict and by protocol.
        """
        names: dict[Key, list[Key]] = {}
        known = organisations({name for _, _, name in self.counts})
        for key in self.counts:
            direction, side, name = key
            names.setdefault((direction, side, known[name]), []).append(key)
        rows = [self._row(whole, sorted(keys)) for whole, keys in names.items()]
        return sorted(
            rows, key=lambda row: (-row.get(CLEARTEXT, {}).get("messages", 0), -sum(row["messages"].values()), row["partner"], row["direction"], row["own"])
        )

    def _row(self, whole: Key, keys: list[Key]) -> Organisation:
        direction, side, partner = whole
        counts = self.counts[keys[0]]
        if len(keys) > 1:
            counts = Counter()
            for key in keys:
                counts.update(self.counts[key])
        row: Organisation = {"partner": partner, "direction": direction, "own": side == "own", "names": [name for _, _, name in keys]}
        row["connections"] = {word: counts.get(("connections", word), 0) for word in CONNECTION_VERDICTS if word != "unused"}
        row["messages"] = {word: counts.get(("messages", word), 0) for word in ("encrypted", "mixed", "cleartext", "unknown")}
        row["versions"] = {version: count for (what, version), count in sorted(counts.items()) if what == "version"}
        row["days"] = _by_day([self.days[key] for key in keys if key in self.days])
        times = [self.last_tls[key] for key in keys if key in self.last_tls]
        if times:
            row["last_tls"] = f"{max(times)}Z"
        for issue in ISSUES:
            found = [self.issues[key, issue] for key in keys if (key, issue) in self.issues]
            if found:
                row[issue] = _told(found)
        return row


def _by_day(found: list[Counter[tuple[str, str, str]]]) -> list[PartnerDay]:
    days: dict[str, tuple[dict[str, int], dict[str, int]]] = {}
    for counts in found:
        for (day, verdict, version), count in counts.items():
            verdicts, versions = days.get(day) or days.setdefault(day, ({}, {}))
            verdicts[verdict] = verdicts.get(verdict, 0) + count
            if version:
                versions[version] = versions.get(version, 0) + count
    return [
        {"day": day, "connections": dict(sorted(verdicts.items())), "versions": dict(sorted(versions.items()))}
        for day, (verdicts, versions) in sorted(days.items())
    ]


def _told(found: list[Issue]) -> IssueRow:
    whole, *others = found
    if others:
        whole = Issue()
        for issue in found:
            whole.add(issue)
    told: IssueRow = {"messages": whole.messages, "connections": whole.connections}
    if whole.first:
        told["first"], told["last"] = f"{whole.first}Z", f"{whole.last}Z"
    told["reasons"] = [{"reason": reason, "count": count} for reason, count in sorted(whole.reasons.items(), key=lambda item: (-item[1], item[0]))]
    told["examples"] = [_example(*one) for one in _examples(found)]
    return told


def _examples(found: list[Issue]) -> list[tuple[Moment, str, str, int]]:
    """Return the latest examples of an issue of several names; a message to several of them is one example."""
    latest: dict[tuple[Any, ...], tuple[Moment, str, str, int]] = {}
    for one in sorted((one for issue in found for one in issue.latest()), reverse=True):
        latest.setdefault(one[1:] if one[2] == "mid" else one, one)
    return [*latest.values()][:MOST_EXAMPLES]


def _example(time: Moment, host: str, kind: str, number: int) -> Example:
    found: Mapping[str, Any] = {"time": time and f"{time}Z", "esa_host": host, kind: number}
    return cast("Example", {name: value for name, value in found.items() if value != ""})
