"""Kibana's dashboards, written as what they ask; `lens` turns them into saved objects (NDJSON)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from esatls.elastic.documents import tls_version
from esatls.elastic.streams import pattern
from esatls.extraction.ciphers import DEPRECATED, WEAK_PARTS
from esatls.verdicts.words import CONNECTION_VERDICTS, DELIVERED_VERDICTS, OVER_TLS, RECEIVED_VERDICTS, counted, uncounted
from lens import Column, Condition, Dashboard, Panel, Search, by, compact, count, dashboard_object, last, over_time, search_object, share, view_object

EVENTS = "esatls-events"
CONNECTIONS = "esatls-connections"
MESSAGES = "esatls-messages"
VIEWS = {
    EVENTS: ("ESA TLS: events", pattern("events")),
    CONNECTIONS: ("ESA TLS: connections", pattern("connections")),
    MESSAGES: ("ESA TLS: messages", pattern("messages")),
}

OVERVIEW, PARTNERS, LOOKUP = "esatls-overview", "esatls-partners", "esatls-message-lookup"
RECEIVING, DELIVERY = "network.direction : ingress", "network.direction : egress"
FAILURES = "esatls.verdict : failed or (esatls.verdict : cleartext and event.reason : *)"
OTHER_REASONS = f"esatls.verdict : ({' or '.join(uncounted(CONNECTION_VERDICTS))}) and event.reason : *"
OVER_TLS_CONNECTIONS = f"esatls.verdict : ({' or '.join(OVER_TLS)})"
CLEAR_MESSAGES = "esatls.received.verdict : cleartext or esatls.delivered.verdict : (cleartext or mixed)"


def _outdated() -> dict[str, Any]:
    """Return the query that is true where the command line's report finds a deprecated protocol or a weak cipher, from its own lists.

    KQL can only try a few places for `DES` in a name; a regular expression, which must match the whole value, takes whole parts.
    """
    known = {pair for name in DEPRECATED if (pair := tls_version(name[:3].upper() + name[3:]))}
    pairs = [{"bool": {"filter": [{"term": {"tls.version_protocol": protocol}}, {"term": {"tls.version": version}}]}} for version, protocol in sorted(known)]
    # a protocol that names no version for ECS stands as it was logged
    logged = "|".join(map(re.escape, sorted(DEPRECATED)))
    parts = "|".join(WEAK_PARTS)
    names = {"tls.version": logged, "tls.cipher": f"(.*[-_])?({parts})([-_].*)?"}
    expressions = [{"regexp": {name: {"value": value, "case_insensitive": True}}} for name, value in names.items()]
    return {"bool": {"should": [*pairs, *expressions], "minimum_should_match": 1}}


OUTDATED = Condition("deprecated protocol or weak cipher", _outdated())

NOTE = (
    "`unused` connections carried no message, and of `unknown` ones the log does not tell: both have their own count and are in no percentage. "
    "A `mixed` connection carried messages before TLS came up and after. `internal` messages were made by the appliance itself; `none` means that nothing "
    "was received, because the message was refused or given up, or that nothing was delivered in view."
)


def searches() -> tuple[Search, ...]:
    """Return the saved searches: the documents behind the numbers."""
    return (
        Search(
            "esatls-search-messages",
            "ESA TLS: messages",
            "One row per message, with both verdicts and its whole path.",
            MESSAGES,
            (
                "observer.hostname",
                "email.local_id",
                "email.direction",
                "email.from.address",
                "email.to.address",
                "esatls.received.verdict",
                "esatls.delivered.verdict",
                "esatls.path",
            ),
        ),
        Search(
            "esatls-search-cleartext-messages",
            "ESA TLS: messages that went in clear text",
            "Messages received or delivered without TLS, newest first.",
            MESSAGES,
            (
                "observer.hostname",
                "email.local_id",
                "email.direction",
                "email.from.address",
                "email.to.address",
                "esatls.received.verdict",
                "esatls.delivered.verdict",
            ),
            CLEAR_MESSAGES,
        ),
        Search(
            "esatls-search-connections",
            "ESA TLS: connections",
            "One row per connection, with its verdict and why.",
            CONNECTIONS,
            (
                "observer.hostname",
                "network.direction",
                "esatls.icid",
                "esatls.dcid",
                "esatls.partner",
                "esatls.verdict",
                "tls.version",
                "tls.cipher",
                "event.reason",
                "esatls.messages",
            ),
        ),
        Search(
            "esatls-search-events",
            "ESA TLS: log lines",
            "The log lines that were understood, as they were logged.",
            EVENTS,
            ("observer.hostname", "event.action", "email.local_id", "esatls.icid", "esatls.dcid", "message"),
            "event.action : *",
        ),
    )


def _verdicts(name: str, words: tuple[str, ...]) -> tuple[Column, ...]:
    return tuple(count(word, f"{name} : {word}") for word in words)


def _shares(prefix: str, words: tuple[str, ...]) -> tuple[Column, ...]:
    return tuple(share(f"{word} %", f"{prefix}.{word}") for word in words)


def _summary(title: str, view: str, where: str, prefix: str, verdict: str, words: tuple[str, ...]) -> tuple[Panel, ...]:
    """Return the percentage in large letters, and the pie of the verdicts."""
    encrypted = share("encrypted, of those the log tells about", f"{prefix}.encrypted")
    return (
        Panel(title, "metric", 12, 7, view, (encrypted,), where),
        Panel(f"{title}: verdicts", "table", 12, 7, view, (by("Verdict", verdict, len(words)), count("Count")), where),
    )


def dashboards() -> tuple[Dashboard, ...]:
    """Return the three dashboards, with the panels of the Splunk app."""
    hosts = ("Appliance", CONNECTIONS, "observer.hostname")
    overview = (
        *_summary("Connections received", CONNECTIONS, RECEIVING, "esatls.share", "esatls.verdict", CONNECTION_VERDICTS),
        *_summary("Connections for delivery", CONNECTIONS, DELIVERY, "esatls.share", "esatls.verdict", CONNECTION_VERDICTS),
        *_summary("Messages received", MESSAGES, "", "esatls.received.share", "esatls.received.verdict", RECEIVED_VERDICTS),
        *_summary("Messages delivered", MESSAGES, "", "esatls.delivered.share", "esatls.delivered.verdict", DELIVERED_VERDICTS),
        Panel("Connections received over time", "area", 24, 12, CONNECTIONS, (over_time(), by("Verdict", "esatls.verdict"), count("Connections")), RECEIVING),
        Panel(
            "Connections for delivery over time", "area", 24, 12, CONNECTIONS, (over_time(), by("Verdict", "esatls.verdict"), count("Connections")), DELIVERY
        ),
        Panel("Messages received over time", "area", 24, 12, MESSAGES, (over_time(), by("Verdict", "esatls.received.verdict"), count("Messages"))),
        Panel("Messages delivered over time", "area", 24, 12, MESSAGES, (over_time(), by("Verdict", "esatls.delivered.verdict"), count("Messages"))),
        Panel(
            "Protocols of encrypted connections",
            "pie",
            16,
            12,
            CONNECTIONS,
            (by("Protocol", "tls.version_protocol"), by("Version", "tls.version"), count("Connections")),
            OVER_TLS_CONNECTIONS,
        ),
        Panel(
            "Ciphers of encrypted connections",
            "table",
            32,
            12,
            CONNECTIONS,
            (by("Version", "tls.version"), by("Cipher", "tls.cipher", 20), count("receiving", RECEIVING), count("delivery", DELIVERY)),
            OVER_TLS_CONNECTIONS,
        ),
        Panel(
            "Partners with TLS failures, and why",
            "table",
            48,
            14,
            CONNECTIONS,
            (
                by("Direction", "network.direction"),
                by("Partner", "esatls.partner", 50),
                by("Reason", "event.reason", 5),
                count("failed", "esatls.verdict : failed"),
                count("went in clear text", "esatls.verdict : cleartext"),
            ),
            FAILURES,
            drill_to=PARTNERS,
            drill_name="Show this partner",
        ),
        Panel(
            "Errors that count as no failure of TLS",
            "table",
            48,
            12,
            CONNECTIONS,
            (
                by("Direction", "network.direction"),
                by("Partner", "esatls.partner", 50),
                by("Reason", "event.reason", 5),
                *_verdicts("esatls.verdict", uncounted(CONNECTION_VERDICTS)),
            ),
            OTHER_REASONS,
            drill_to=PARTNERS,
            drill_name="Show this partner",
        ),
        Panel(
            "Partners with deprecated protocols or weak ciphers",
            "table",
            48,
            12,
            CONNECTIONS,
            (
                by("Direction", "network.direction"),
                by("Partner", "esatls.partner", 50),
                by("Version", "tls.version", rest=True),
                by("Cipher", "tls.cipher", 20, rest=True),
                count("Connections"),
            ),
            OVER_TLS_CONNECTIONS,
            OUTDATED,
            drill_to=PARTNERS,
            drill_name="Show this partner",
        ),
        Panel("Messages in clear text", "search", 48, 12, "esatls-search-cleartext-messages"),
        Panel("", "text", 48, 4, text=NOTE),
    )
    sender, recipient = by("Partner", "esatls.received.partner", 100), by("Partner", "esatls.delivered.partner", 100)
    partners = (
        Panel(
            "Mail from partners",
            "table",
            48,
            14,
            MESSAGES,
            (
                sender,
                count("Messages"),
                *_verdicts("esatls.received.verdict", RECEIVED_VERDICTS),
                *_shares("esatls.received.share", counted(RECEIVED_VERDICTS)),
                last("Last seen"),
            ),
            drill_to=LOOKUP,
            drill_name="Show the messages",
        ),
        Panel(
            "Mail to partners",
            "table",
            48,
            14,
            MESSAGES,
            (
                recipient,
                count("Messages"),
                *_verdicts("esatls.delivered.verdict", DELIVERED_VERDICTS),
                *_shares("esatls.delivered.share", counted(DELIVERED_VERDICTS)),
                last("Last seen"),
            ),
            drill_to=LOOKUP,
            drill_name="Show the messages",
        ),
        Panel(
            "Connections with partners",
            "table",
            48,
            14,
            CONNECTIONS,
            (
                by("Partner", "esatls.partner", 100),
                by("Direction", "network.direction"),
                count("Connections"),
                *_verdicts("esatls.verdict", CONNECTION_VERDICTS),
                *_shares("esatls.share", counted(CONNECTION_VERDICTS)),
            ),
        ),
        Panel("Reasons", "table", 24, 12, CONNECTIONS, (by("Reason", "event.reason", 20), count("Connections"))),
        Panel("Connections over time", "area", 24, 12, CONNECTIONS, (over_time(), by("Verdict", "esatls.verdict"), count("Connections"))),
        Panel("Connections", "search", 48, 14, "esatls-search-connections"),
    )
    lookup = (
        Panel("Messages", "metric", 8, 6, MESSAGES, (count("Messages"),)),
        Panel("Received", "table", 20, 6, MESSAGES, (by("Received", "esatls.received.verdict"), count("Messages"))),
        Panel("Delivered", "table", 20, 6, MESSAGES, (by("Delivered", "esatls.delivered.verdict"), count("Messages"))),
        Panel("The path of each message", "search", 48, 16, "esatls-search-messages"),
        Panel("Its log lines", "search", 48, 14, "esatls-search-events"),
    )
    return (
        Dashboard(
            OVERVIEW,
            "ESA TLS: Overview",
            "Which share of connections and messages used TLS, over time, with which protocols, and who fails.",
            (hosts, ("Mail flow", MESSAGES, "email.direction")),
            overview,
        ),
        Dashboard(
            PARTNERS,
            "ESA TLS: Partners",
            "TLS with each partner: success, failure, clear text, and why.",
            (
                hosts,
                ("Partner", CONNECTIONS, "esatls.partner"),
                ("Sender's domain", MESSAGES, "esatls.received.partner"),
                ("Recipient's domain", MESSAGES, "esatls.delivered.partner"),
            ),
            partners,
        ),
        Dashboard(
            LOOKUP,
            "ESA TLS: Message lookup",
            "The whole path of one message, found by MID, address or domain.",
            (hosts, ("MID", MESSAGES, "email.local_id"), ("Sender", MESSAGES, "email.from.address"), ("Recipient", MESSAGES, "email.to.address")),
            lookup,
        ),
    )


def objects() -> list[dict[str, Any]]:
    """Return all saved objects, those that others refer to first."""
    return [*(view_object(identity, *view) for identity, view in VIEWS.items()), *map(search_object, searches()), *map(dashboard_object, dashboards())]


def files() -> dict[Path, str]:
    """Return the generated file: path in the repository -> text. NDJSON has no room for a comment, the README names the command."""
    return {Path("logstash/kibana/dashboards.ndjson"): "".join(compact(item) + "\n" for item in objects())}
