"""Records -> one report: what Cisco's TLS Connections page answers, and with what, with whom and why not.

A report is a plain dict, fit for JSON. A key without a value is absent.

```
span          first, last: RFC 3339, UTC
appliances    [esa_host, connections, messages]
totals        connections, messages
receiving, delivery
    all, incoming, outgoing, unknown          one part per mail flow; `unknown` where the log does not tell it
        connections                           a tally, and attempted, fallback, required (of these, required_failed and
                                              required_cleartext), deprecated, weak, no_forward_secrecy
        messages                              a tally
        versions, ciphers                     [version | cipher, connections, percent, messages, and marks]
        reasons                               [reason, connections, failed, cleartext, partners, certificate]
        failures                              [partner, connections, failed, cleartext, required, certificate, reasons]
        outdated                              [partner, connections, versions, ciphers]
        partners                              [partner, connections, messages]: the per-domain table
        over_time                             unit (hour or day), connections, messages: [time, verdicts]; undated
both_sides    [received, delivered, messages]
notes         what each number counts, in sentences
```

A tally is `total`, `counted`, `verdicts` and `percent`: the percentages are of `counted`, the verdicts that tell
whether TLS was used. Rows are sorted by count, then by name: the order of the records does not matter.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from esatls.lines.clock import parse_rfc3339
from esatls.verdicts.message import domain_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Report = dict[str, Any]

DIRECTIONS = ("receiving", "delivery")
FLOWS = ("incoming", "outgoing", "unknown")
CONNECTION_VERDICTS = ("encrypted", "cleartext", "failed", "unused", "unknown")
MESSAGE_VERDICTS = {
    "receiving": ("encrypted", "cleartext", "internal", "unknown"),
    "delivery": ("encrypted", "mixed", "cleartext", "none", "unknown"),
}
UNCOUNTED = frozenset({"unused", "unknown", "internal", "none"})
"""Verdicts that tell nothing of TLS on the way: shown, and in no percentage's whole."""

UNKNOWN = "unknown"
NOT_LOGGED = "not logged"
"""Reason of a failure that the log states without one."""

MOST_TEXT = 500
"""Characters of one text of the log that a table shows; the report itself has it whole."""

DEPRECATED = frozenset({"sslv2", "sslv3", "sslv23", "tlsv1", "tlsv1.0", "tlsv1.1", "tlsv1/sslv3"})
"""Protocols retired by RFC 6176 (SSL 2), RFC 7568 (SSL 3) and RFC 8996 (TLS 1.0, 1.1), in lower case."""

WEAK: tuple[tuple[str, frozenset[str]], ...] = (
    ("RC4", frozenset({"RC4"})),
    ("RC2", frozenset({"RC2"})),
    ("DES", frozenset({"DES", "DES40"})),
    ("3DES", frozenset({"3DES", "CBC3"})),
    ("MD5", frozenset({"MD5"})),
    ("NULL", frozenset({"NULL"})),
    ("EXPORT", frozenset({"EXP", "EXP56", "EXP1024", "EXPORT", "EXPORT40", "EXPORT1024"})),
    ("anonymous", frozenset({"ADH", "AECDH", "ANON"})),
)
"""What is weak in a cipher, and the parts of its name, of OpenSSL or IANA, that say so."""

NOTES: dict[str, str] = {
    "connections": ("A connection is one ICID (receiving) or DCID (delivery) of one appliance, whatever it carried: many messages, one or none."),
    "messages": (
        "A message is one MID of one appliance; what the appliance rewrites, splits, copies or makes itself has a MID of its own. "
        "Received tells of the connection that it came over, or the message that it was made from; delivered, of those that took it on."
    ),
    "both": (
        "The two counts answer different questions and need not agree: a connection may carry many messages or none, and a message "
        "with several recipients may go out over several connections."
    ),
    "percent": (
        "Percentages are of what the log tells to be encrypted, cleartext, failed or mixed. Unused, unknown, internal and none "
        "are shown beside them and are in no percentage. Shares of protocols and ciphers are of the encrypted connections whose own is known."
    ),
    "encrypted": "Over TLS; a delivered message, to everybody that it reached.",
    "mixed": "Delivered over TLS to some recipients and in clear text to others.",
    "cleartext": "Mail was started or delivered without TLS.",
    "failed": "TLS did not come up and no mail was started.",
    "internal": "Made by the appliance itself: received over nothing.",
    "none": "Not delivered to anybody in this log.",
    "unused": "No TLS and no mail, such as refused connections.",
    "unknown": "The log does not show enough, such as the opening of the connection.",
    "attempted": (
        "TLS was attempted on connections that were encrypted, that failed, or that went on in clear text after TLS had failed "
        "or had not been offered (fallback)."
    ),
    "required": (
        "The log says that TLS was required only where it did not come up: “required, no TLS” counts those connections, "
        "whether they failed or mail went on in clear text, not the policies."
    ),
    "mail_flow": "Incoming and outgoing come from the host access table or the policy table; unknown where the log has neither.",
    "partners": (
        "A partner is the senders' domain when receiving and the recipients' domain on delivery; where the log tells none, and for a connection "
        "with several, the other side's host name or address. Unused connections are in the totals only; a message to several partners "
        "counts for each."
    ),
    "deprecated": "Deprecated protocols are SSL 2, SSL 3, TLS 1.0 and TLS 1.1 (RFC 6176, RFC 7568, RFC 8996).",
    "weak": "Weak ciphers have RC4, RC2, DES, 3DES, MD5, export keys, no encryption (NULL) or no authentication (anonymous).",
    "no_forward_secrecy": "Without forward secrecy, whoever gets the server's key later can read the mail recorded today.",
    "certificate": "Certificate problems are failures whose reason names a certificate or its issuer.",
    "failures": "After a failure the connection ended without mail (failed), or mail went on without TLS (cleartext).",
    "reasons": "Reasons are the log's own words; “possibly” stands where a connection error is all that it shows.",
    "over_time": "Times are UTC: when a connection was opened, and when a message was first seen.",
}
"""What each number counts."""

_HOURLY = 3 * 86400
_LONGEST_NAME = 253
"""Characters of a name in DNS (RFC 1035)."""

_FORWARD_SECRET = frozenset({"ECDHE", "EECDH", "DHE", "EDH", "ADH", "AECDH", "ANON"})
_BULK = re.compile(r"(?:AES|CAMELLIA|ARIA|DES)\d*|CHACHA20|SEED|IDEA|3DES|CBC3|RC[24]|NULL", re.ASCII)
_CERTIFICATE = ("certificate", "unknown ca", "self signed", "self-signed", "hostname mismatch")


def is_deprecated(version: str) -> bool:
    """Tell whether a protocol, as logged, is one of DEPRECATED."""
    return version.lower() in DEPRECATED


def weaknesses(cipher: str) -> list[str]:
    """Return what is weak in a cipher, by its name alone: `RC4-MD5` gives `["RC4", "MD5"]`. Sources: RFC 7465, RFC 9325."""
    parts = set(re.split(r"[-_]", cipher.upper()))
    found = [name for name, words in WEAK if parts & words]
    if "3DES" in found and "DES" in found:
        found.remove("DES")  # DES-CBC3 is 3DES
    return found


def lacks_forward_secrecy(cipher: str) -> bool:
    """Tell whether a cipher's name says that its key exchange has no forward secrecy; False for a name that says nothing."""
    name = cipher.upper()
    parts = re.split(r"[-_]", name)
    if name.startswith("TLS_") and "WITH" not in parts:
        return False  # TLS 1.3 always has it
    return not _FORWARD_SECRET.intersection(parts) and any(_BULK.fullmatch(part) for part in parts)


def is_certificate_problem(reason: str) -> bool:
    """Tell whether the reason of a failure names a certificate or its issuer."""
    text = reason.lower()
    return any(words in text for words in _CERTIFICATE)


def split_reason(reason: str) -> tuple[str, str, str]:
    """Return a reason in three: what stands before the words that matter, those words, and what stands after.

    `(336109761, 'error:1408A0C1:SSL routines:SSL3_GET_CLIENT_HELLO:no shared cipher')` is about `no shared cipher`.
    """
    if reason.startswith("(") and reason.endswith("')"):
        before, colon, words = reason[:-2].rpartition(":")
        if colon and words.strip():
            return before + colon, words, "')"
    return "", reason, ""


def word(count: int, many: str) -> str:
    """Return a word for a number of things, from the one for many: `message` for 1, else `messages`."""
    return many[:-1] if count == 1 else many


def clipped(text: str) -> str:
    """Return text of the log as far as a table shows it: MOST_TEXT characters."""
    return text if len(text) <= MOST_TEXT else text[:MOST_TEXT] + "\N{HORIZONTAL ELLIPSIS}"


def percent(part: int, whole: int) -> float | None:
    """Return a share in percent with one decimal, half rounded up; None of nothing.

    Only all of it is 100, and only nothing is 0: 9,999 of 10,000 are 99.9.
    """
    if whole == 0:
        return None
    tenths = (2000 * part + whole) // (2 * whole)
    if part:
        tenths = max(tenths, 1)
    if part < whole:
        tenths = min(tenths, 999)
    return tenths / 10


class _Part:
    """Counts of one direction and mail flow; each table counts by a key of words."""

    __slots__ = ("tables",)

    def __init__(self) -> None:
        self.tables: dict[str, Counter[tuple[str, ...]]] = {}

    def count(self, table: str, *key: str) -> None:
        """Count one under a key."""
        known = self.tables.get(table)
        if known is None:
            known = self.tables[table] = Counter()
        known[key] += 1

    def table(self, name: str) -> Counter[tuple[str, ...]]:
        """Return a table, empty if nothing was counted."""
        return self.tables.get(name) or Counter()

    def add(self, other: _Part) -> None:
        """Add the counts of another part."""
        for name, counter in other.tables.items():
            self.tables.setdefault(name, Counter()).update(counter)


class _Span:
    """The first and last moment, of RFC 3339 text in UTC."""

    def __init__(self) -> None:
        self.times: dict[str, str] = {}

    def add(self, time: str) -> None:
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


def build(connections: Iterable[Mapping[str, Any]], messages: Iterable[Mapping[str, Any]]) -> Report:
    """Return the report on records of connections and of messages (`fields.CONNECTION_FIELDS`, `fields.MESSAGE_FIELDS`).

    Each iterable is read once; memory grows with partners, ciphers, reasons and hours, not with records.
    Times are UTC. The same records in any order give the same report.
    """
    span = _Span()
    parts = {(direction, flow): _Part() for direction in DIRECTIONS for flow in FLOWS}
    hosts: Counter[tuple[str, str]] = Counter()
    both: Counter[tuple[str, str]] = Counter()
    for record in connections:
        hosts[record.get("esa_host", UNKNOWN), "connections"] += 1
        for name in ("opened", "closed"):
            if name in record:
                span.add(record[name])
        _count_connection(parts[record["esa_direction"], _flow(record)], record)
    for record in messages:
        hosts[record.get("esa_host", UNKNOWN), "messages"] += 1
        for name in ("first_seen", "last_seen"):
            if name in record:
                span.add(record[name])
        both[record["received"], record["delivered"]] += 1
        flow = _flow(record)
        _count_received(parts["receiving", flow], record)
        _count_delivered(parts["delivery", flow], record)
    unit = span.unit()
    report: Report = {
        "span": span.times,
        "appliances": [
            {"esa_host": host, "connections": hosts[host, "connections"], "messages": hosts[host, "messages"]} for host in sorted({host for host, _ in hosts})
        ],
        "totals": {name: sum(count for (_, what), count in hosts.items() if what == name) for name in ("connections", "messages")},
    }
    for direction in DIRECTIONS:
        whole = _Part()
        for flow in FLOWS:
            whole.add(parts[direction, flow])
        flows = {"all": whole, **{flow: parts[direction, flow] for flow in FLOWS}}
        report[direction] = {flow: _part(part, direction, unit) for flow, part in flows.items()}
    report["both_sides"] = [
        {"received": received, "delivered": delivered, "messages": count} for (received, delivered), count in sorted(both.items(), key=_by_count)
    ]
    report["notes"] = dict(NOTES)
    return report


# counting


def _flow(record: Mapping[str, Any]) -> str:
    flow: str = record.get("mail_flow", UNKNOWN)
    return flow if flow in FLOWS else UNKNOWN


def _count_connection(part: _Part, record: Mapping[str, Any]) -> None:
    verdict = record["tls_verdict"]
    part.count("connections", verdict)
    _count_time(part, "connections", record.get("opened") or record.get("closed"), verdict)
    if verdict == "unused":
        return  # refused strangers are many, and no partners
    partner = _partner(record.get("domain"), record.get("peer_host"), record.get("peer_ip"))
    columns = [verdict]
    if verdict == "encrypted":
        version, cipher = record.get("tls_version", UNKNOWN), record.get("tls_cipher", UNKNOWN)
        part.count("versions", version)
        part.count("ciphers", cipher)
        marks = _marks(version, cipher)
        columns += marks
        if "deprecated" in marks or "weak" in marks:
            part.count("outdated", partner, version, cipher)
    elif verdict == "failed" or (verdict == "cleartext" and "tls_reason" in record):
        part.count("failures", partner, record.get("tls_reason", NOT_LOGGED), verdict, "required" if record.get("tls_required") else "")
        if verdict == "cleartext":
            columns.append("fallback")
    if record.get("tls_required") and verdict != "encrypted":
        columns += ["required", "required_" + verdict]
    for column in columns:
        part.count("partner_connections", partner, column)
    for column in columns[1:]:
        part.count("connections", column)


@lru_cache(maxsize=10_000)  # bounded, as both are text of the log
def _marks(version: str, cipher: str) -> tuple[str, ...]:
    marks = ["deprecated"] if is_deprecated(version) else []
    if weaknesses(cipher):
        marks.append("weak")
    if lacks_forward_secrecy(cipher):
        marks.append("no_forward_secrecy")
    return tuple(marks)


def _count_received(part: _Part, record: Mapping[str, Any]) -> None:
    verdict = record["received"]
    part.count("messages", verdict)
    _count_time(part, "messages", record.get("first_seen"), verdict)
    if verdict == "internal":
        return
    if verdict == "encrypted":
        part.count("message_versions", record.get("received_tls_version", UNKNOWN))
        part.count("message_ciphers", record.get("received_tls_cipher", UNKNOWN))
    domain = domain_of(record.get("sender", ""))
    part.count("partner_messages", _partner(domain, record.get("received_peer_host"), record.get("received_peer_ip")), verdict)


def _count_delivered(part: _Part, record: Mapping[str, Any]) -> None:
    verdict = record["delivered"]
    part.count("messages", verdict)
    _count_time(part, "messages", record.get("first_seen"), verdict)
    verdicts: dict[str, set[str]] = {}
    versions: set[str] = set()
    ciphers: set[str] = set()
    done = [attempt for attempt in record["deliveries"] if attempt.get("outcome") == "done"]
    domains = {} if all("domain" in attempt for attempt in done) else _domains_by_rid(record)
    for attempt in done:
        reached = {attempt["domain"]} if "domain" in attempt else {domains[rid] for rid in attempt["rid"] if rid in domains}
        for domain in reached or {None}:
            partner = _partner(domain, attempt.get("peer_host"), attempt.get("peer_ip"))
            verdicts.setdefault(partner, set()).add(attempt["verdict"])
        if attempt["verdict"] == "encrypted":
            versions.add(attempt.get("tls_version", UNKNOWN))
            ciphers.add(attempt.get("tls_cipher", UNKNOWN))
    for version in versions:
        part.count("message_versions", version)
    for cipher in ciphers:
        part.count("message_ciphers", cipher)
    for partner, over in verdicts.items():
        part.count("partner_messages", partner, _together(over))


def _domains_by_rid(record: Mapping[str, Any]) -> dict[int, str]:
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
        if len(shared) == 1 and _partner(attempt.get("domain"), None, None) != _partner(shared.pop(), None, None):
            return {}
    return domains


def _together(verdicts: set[str]) -> str:
    """Return the verdict on several deliveries, as that on a message."""
    if {"encrypted", "cleartext"} <= verdicts:
        return "mixed"
    if len(verdicts) == 1:
        return next(iter(verdicts & {"encrypted", "cleartext"}), UNKNOWN)
    return UNKNOWN


def _partner(domain: str | None, host: str | None, address: str | None) -> str:
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


def _count_time(part: _Part, what: str, time: str | None, verdict: str) -> None:
    if time is None:
        part.count("undated", what)
    else:
        part.count("over_time", what, time[:13], verdict)  # to the hour


# the report's tables


def _by_count(item: tuple[Any, int]) -> tuple[int, Any]:
    return -item[1], item[0]


def _tally(counts: Mapping[str, int], verdicts: Sequence[str]) -> dict[str, Any]:
    counted = {verdict: counts.get(verdict, 0) for verdict in verdicts if verdict not in UNCOUNTED}
    whole = sum(counted.values())
    shares = {verdict: percent(count, whole) for verdict, count in counted.items()}
    return {
        "total": sum(counts.get(verdict, 0) for verdict in verdicts),
        "counted": whole,
        "verdicts": {verdict: counts.get(verdict, 0) for verdict in verdicts},
        "percent": {verdict: share for verdict, share in shares.items() if share is not None},
    }


def _connections_tally(counts: Mapping[str, int]) -> dict[str, Any]:
    tally = _tally(counts, CONNECTION_VERDICTS)
    attempted = sum(counts.get(name, 0) for name in ("encrypted", "failed", "fallback"))
    tally["attempted"] = attempted
    _set(tally, "attempted_percent", percent(attempted, tally["counted"]))
    for name in ("fallback", "required", "required_failed", "required_cleartext", "deprecated", "weak", "no_forward_secrecy"):
        tally[name] = counts.get(name, 0)
    return tally


def _set(row: dict[str, Any], name: str, value: float | None) -> None:
    if value is not None:
        row[name] = value


def _one_word(table: Counter[tuple[str, ...]]) -> dict[str, int]:
    return {key[0]: count for key, count in table.items()}


def _part(part: _Part, direction: str, unit: str) -> dict[str, Any]:
    return {
        "connections": _connections_tally(_one_word(part.table("connections"))),
        "messages": _tally(_one_word(part.table("messages")), MESSAGE_VERDICTS[direction]),
        "versions": _versions(part),
        "ciphers": _ciphers(part),
        "reasons": _reasons(part.table("failures")),
        "failures": _failures(part),
        "outdated": _outdated(part.table("outdated")),
        "partners": _partners(part, direction),
        "over_time": _over_time(part, direction, unit),
    }


def _shares(part: _Part, name: str) -> list[dict[str, Any]]:
    """Return a row per protocol or cipher: encrypted connections and messages; the percentages are of those that are known."""
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


def _versions(part: _Part) -> list[dict[str, Any]]:
    return [{**row, "deprecated": is_deprecated(row["version"])} for row in _shares(part, "version")]


def _ciphers(part: _Part) -> list[dict[str, Any]]:
    return [{**row, "weak": weaknesses(row["cipher"]), "no_forward_secrecy": lacks_forward_secrecy(row["cipher"])} for row in _shares(part, "cipher")]


def _rows(table: Counter[tuple[str, ...]]) -> dict[str, Counter[tuple[str, ...]]]:
    """Return a table by the first word of its keys."""
    rows: dict[str, Counter[tuple[str, ...]]] = {}
    for (first, *rest), count in table.items():
        rows.setdefault(first, Counter())[tuple(rest)] += count
    return rows


def _reasons(table: Counter[tuple[str, ...]]) -> list[dict[str, Any]]:
    counts: dict[str, Counter[str]] = {}
    partners: dict[str, set[str]] = {}
    for (partner, reason, verdict, _), count in table.items():
        counts.setdefault(reason, Counter())[verdict] += count
        partners.setdefault(reason, set()).add(partner)
    rows = [
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


def _failures(part: _Part) -> list[dict[str, Any]]:
    rows = []
    for partner, table in _rows(part.table("failures")).items():
        reasons: Counter[str] = Counter()
        verdicts: Counter[str] = Counter()
        required = 0
        for (reason, verdict, needed), count in table.items():
            reasons[reason] += count
            verdicts[verdict] += count
            required += count if needed else 0
        rows.append(
            {
                "partner": partner,
                "connections": sum(reasons.values()),
                "failed": verdicts["failed"],
                "cleartext": verdicts["cleartext"],
                "required": required,
                "certificate": sum(count for reason, count in reasons.items() if is_certificate_problem(reason)),
                "reasons": [{"reason": reason, "connections": count} for reason, count in sorted(reasons.items(), key=_by_count)],
            }
        )
    return sorted(rows, key=lambda row: (-row["connections"], row["partner"]))


def _outdated(table: Counter[tuple[str, ...]]) -> list[dict[str, Any]]:
    """Return a row per partner that used a deprecated protocol or a weak cipher, with all that marks it so."""
    rows = []
    for partner, used in _rows(table).items():
        rows.append(
            {
                "partner": partner,
                "connections": sum(used.values()),
                "versions": sorted({version for version, _ in used if is_deprecated(version)}),
                "ciphers": sorted({cipher for _, cipher in used if weaknesses(cipher)}),
            }
        )
    return sorted(rows, key=lambda row: (-row["connections"], row["partner"]))


def _partners(part: _Part, direction: str) -> list[dict[str, Any]]:
    connections, messages = _rows(part.table("partner_connections")), _rows(part.table("partner_messages"))
    none: Counter[tuple[str, ...]] = Counter()
    verdicts = [verdict for verdict in MESSAGE_VERDICTS[direction] if verdict not in ("internal", "none")]
    rows = [
        {
            "partner": partner,
            "connections": _connections_tally(_one_word(connections.get(partner, none))),
            "messages": _tally(_one_word(messages.get(partner, none)), verdicts),
        }
        for partner in {*connections, *messages}
    ]
    return sorted(rows, key=lambda row: (-row["connections"]["total"], -row["messages"]["total"], row["partner"]))


def _over_time(part: _Part, direction: str, unit: str) -> dict[str, Any]:
    """Return the counts per hour or day that has any; the times are the beginnings."""
    series: dict[str, dict[str, Counter[str]]] = {"connections": {}, "messages": {}}
    for (what, hour, verdict), count in part.table("over_time").items():
        begin = hour + ":00:00Z" if unit == "hour" else hour[:10] + "T00:00:00Z"
        series[what].setdefault(begin, Counter())[verdict] += count
    verdicts = {"connections": CONNECTION_VERDICTS, "messages": MESSAGE_VERDICTS[direction]}
    undated = part.table("undated")
    return {
        "unit": unit,
        **{
            what: [{"time": time, "verdicts": {verdict: counts[verdict] for verdict in verdicts[what]}} for time, counts in sorted(found.items())]
            for what, found in series.items()
        },
        "undated": {what: undated[(what,)] for what in series},
    }
