"""Kibana's rules: alerts for its alerting API, and detections that its detection engine imports. All of them are disabled."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from esatls.elastic.documents import tls_version
from esatls.elastic.kibana import uuid_of
from esatls.elastic.streams import CONNECTIONS, EVENTS, MESSAGES, RUNS
from esatls.extraction.ciphers import DEPRECATED
from kibana import DEPRECATED_VERSIONS, OVER_TLS_CONNECTIONS, any_of, deprecated, listed
from lens import compact

if TYPE_CHECKING:
    from collections.abc import Iterable

OUT = Path("logstash/kibana")
TAGS = ["esatls", "TLS"]
# the reasons behind `tls_verify`, and what peers say about our certificate and who issued it
CERTIFICATE = [{"wildcard": {"event.reason": {"value": value, "case_insensitive": True}}} for value in ("*certificate*", "*alert unknown ca*")]


_RECENT = "now-2d"
"""From when on a detection looks at connections: lines may come a day late."""


@dataclass(frozen=True)
class Alert:
    """An alert on an Elasticsearch query: `query` finds documents, or `esql` finds rows. It alerts if any are found or, with `fewer`, if none are."""

    name: str
    title: str
    index: str
    minutes: int
    every: str
    query: Any = None
    esql: str = ""
    group: str = ""
    fewer: bool = False
    time: str = "@timestamp"
    """The field of the window. The next run leaves out the latest that an alert has found, and all that is not later by this field."""

    @property
    def asked(self) -> Any:
        """The query that the alert sends: of what comes in, it finds only what is a minute old, because others of the same moment may not be found yet."""
        return self.query if self.time == "@timestamp" else _all({"range": {self.time: {"lt": "now-1m"}}}, self.query)


@dataclass(frozen=True)
class Detection:
    """A rule of the detection engine: a KQL query, and how its documents become alerts."""

    name: str
    title: str
    description: str
    index: str
    query: str
    severity: str
    risk: int
    group: str
    history: str = ""
    """If set, the rule alerts only for values of `group` that are new since this time."""


def _as_logged(protocols: Iterable[str]) -> set[str]:
    return {form for name in protocols for form in (name, name.replace("sslv", "SSLv").replace("tlsv", "TLSv"))}


def _all(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"bool": {"filter": list(parts)}}


def alerts() -> tuple[Alert, ...]:
    """Return the alerts."""
    day = 24 * 60
    went_clear = (
        f"FROM {CONNECTIONS}\n"
        '| WHERE esatls.verdict IN ("cleartext", "encrypted")\n'
        '| STATS clear = SUM(CASE(@timestamp >= NOW() - 1 day AND esatls.verdict == "cleartext", 1, 0)),\n'
        '    before = SUM(CASE(@timestamp < NOW() - 1 day AND esatls.verdict == "encrypted", 1, 0)),\n'
        '    clear_before = SUM(CASE(@timestamp < NOW() - 1 day AND esatls.verdict == "cleartext", 1, 0))\n'
        "    BY network.direction, esatls.partner\n"
        "| WHERE clear > 0 AND before > 0 AND clear_before == 0"
    )
    dropped = (
        f"FROM {CONNECTIONS}\n"
        "| WHERE esatls.share.encrypted IS NOT NULL\n"
        "| STATS day = AVG(CASE(@timestamp >= NOW() - 1 day, TO_DOUBLE(esatls.share.encrypted), NULL)),\n"
        "    week = AVG(CASE(@timestamp < NOW() - 1 day, TO_DOUBLE(esatls.share.encrypted), NULL)),\n"
        "    connections = SUM(CASE(@timestamp >= NOW() - 1 day, 1, 0))\n"
        "    BY network.direction\n"
        "| WHERE connections >= 100 AND week - day > 0.05"
    )
    return (
        # by when they came in, because files are pushed later, and a wrong time zone is another problem
        Alert("no-lines", "ESA TLS: no lines come in", EVENTS, 60, "10m", query={"exists": {"field": "event.action"}}, fewer=True, time="event.ingested"),
        Alert("join-stale", "ESA TLS: no run of the join succeeds", RUNS, 60, "10m", query={"term": {"event.outcome": "success"}}, fewer=True),
        Alert("join-rejected", "ESA TLS: the server rejects records", RUNS, 60, "10m", query={"range": {"esatls.run.refused": {"gt": 0}}}),
        Alert("partner-went-clear", "ESA TLS: a partner went from TLS to clear text", CONNECTIONS, 8 * day, "1h", esql=went_clear),
        Alert("share-dropped", "ESA TLS: the share of TLS dropped, compared with the week before", CONNECTIONS, 8 * day, "1h", esql=dropped),
        Alert(
            "protocol-retired",
            "ESA TLS: a deprecated protocol is used",
            CONNECTIONS,
            day,
            "1h",
            # by when they were written: lines of one appliance may come in later than those of another
            query=_all({"range": {"@timestamp": {"gte": "now-2d"}}}, {"term": {"tls.established": True}}, any_of(deprecated())),
            group="esatls.partner",
            time="event.ingested",
        ),
        Alert(
            "certificate-receiving",
            "ESA TLS: receiving fails because of a certificate",
            EVENTS,
            60,
            "15m",
            # not by appliance, because some lines name none; by when they came in, because some come late
            query=_all(
                {"range": {"@timestamp": {"gte": "now-1d"}}},
                {"term": {"network.direction": "ingress"}},
                {"term": {"event.action": "tls_failed"}},
                any_of([{"term": {"esatls.tls_verify": "failed"}}, *CERTIFICATE]),
            ),
            time="event.ingested",
        ),
        Alert(
            "must-encrypt",
            "ESA TLS: mail of a partner that must use TLS went in clear text",
            MESSAGES,
            day,
            "15m",
            # @timestamp is when the message came; it may wait five days for its delivery
            query=_all(
                {"range": {"@timestamp": {"gte": "now-6d"}}},
                any_of(
                    [
                        _all({"term": {"esatls.received.verdict": "cleartext"}}, listed("receiving", "esatls.received.partner")),
                        listed("delivery", "esatls.delivered.cleartext_partner"),
                    ]
                ),
            ),
            time="event.ingested",
        ),
    )


def detections() -> tuple[Detection, ...]:
    """Return the detections."""
    retired = " or ".join(
        [
            *(f"(tls.version_protocol : {protocol} and tls.version : ({' or '.join(versions)}))" for protocol, versions in DEPRECATED_VERSIONS.items()),
            # a protocol without an ECS version is stored as it was logged; KQL heeds case
            f"tls.version : ({' or '.join(sorted(name for name in _as_logged(DEPRECATED) if tls_version(name) is None))})",
        ]
    )
    return (
        Detection(
            "partner-clear",
            "ESA TLS: a partner's connection went in clear text for the first time",
            "A partner's connection went in clear text for the first time in 90 days: its server may have stopped using TLS, or a device may strip STARTTLS.",
            CONNECTIONS,
            "esatls.verdict : cleartext",
            "medium",
            47,
            "esatls.partner",
            history="now-90d",
        ),
        Detection(
            "protocol-retired",
            "ESA TLS: a deprecated protocol is used",
            "A connection used a deprecated protocol: SSL 2, SSL 3, TLS 1.0 or TLS 1.1 (RFC 6176, RFC 7568, RFC 8996).",
            CONNECTIONS,
            f"{OVER_TLS_CONNECTIONS} and ({retired})",
            "low",
            21,
            "esatls.partner",
        ),
        Detection(
            "certificate-receiving",
            "ESA TLS: receiving fails because of a certificate",
            "A sender's TLS handshake failed because of a certificate: the appliance's own may have expired, or the sender's was not accepted.",
            CONNECTIONS,
            "network.direction : ingress and event.reason : (*ertificate* or *erif* or *alert*unknown*ca*)",
            "medium",
            47,
            "esatls.partner",
        ),
    )


def alert_body(alert: Alert) -> dict[str, Any]:
    """Return an alert as the alerting API expects it."""
    params: dict[str, Any] = {
        "size": 10,
        "timeWindowSize": alert.minutes,
        "timeWindowUnit": "m",
        "timeField": alert.time,
        "threshold": [1 if alert.fewer else 0],
        "thresholdComparator": "<" if alert.fewer else ">",
        "aggType": "count",
        "groupBy": "all",
        "excludeHitsFromPreviousRun": not alert.fewer,
    }
    if alert.esql:
        params |= {"searchType": "esqlQuery", "esqlQuery": {"esql": alert.esql}, "size": 0}
    else:
        params |= {"searchType": "esQuery", "index": [alert.index], "esQuery": json.dumps({"query": alert.asked}, sort_keys=True)}
    if alert.group:
        params |= {"groupBy": "top", "termField": alert.group, "termSize": 100}
    return {
        "name": alert.title,
        "tags": TAGS,
        "rule_type_id": ".es-query",
        "consumer": "stackAlerts",
        "schedule": {"interval": alert.every},
        "params": params,
        "actions": [],
        "enabled": False,
    }


def detection_body(rule: Detection) -> dict[str, Any]:
    """Return a rule as the detection engine imports it."""
    body: dict[str, Any] = {
        "rule_id": uuid_of(f"esatls detection {rule.name}"),
        "name": rule.title,
        "description": rule.description,
        "enabled": False,
        "index": [rule.index],
        "language": "kuery",
        "query": rule.query,
        "severity": rule.severity,
        "risk_score": rule.risk,
        "tags": TAGS,
        "interval": "15m",
        "references": ["https://www.rfc-editor.org/rfc/rfc8996"] if rule.name == "protocol-retired" else [],
    }
    if rule.history:
        # by their own time: what is new is not what was loaded last
        return {**body, "type": "new_terms", "new_terms_fields": [rule.group], "history_window_start": rule.history, "from": _RECENT}
    # by when they were written, because some come late; but an old log that is loaded is no news
    recent = {
        "meta": {"alias": None, "disabled": False, "negate": False, "type": "range", "key": "@timestamp"},
        "query": {"range": {"@timestamp": {"gte": _RECENT}}},
    }
    written = {"from": "now-60m", "timestamp_override": "event.ingested", "filters": [recent]}
    return {**body, **written, "type": "threshold", "threshold": {"field": [rule.group], "value": 1, "cardinality": []}}


def files() -> dict[Path, str]:
    """Return the generated files, with one rule per line."""
    alerting = [{"id": uuid_of(f"esatls alert {alert.name}"), **alert_body(alert)} for alert in alerts()]
    detecting = [detection_body(rule) for rule in detections()]
    return {OUT / f"{name}.ndjson": "".join(compact(one) + "\n" for one in found) for name, found in (("alerts", alerting), ("detections", detecting))}
