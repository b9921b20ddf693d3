"""Kibana's dashboards, described by what they show; `lens` turns them into saved objects (NDJSON)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from esatls.elastic.documents import tls_version
from esatls.elastic.must_encrypt import DOCUMENT, INDEX
from esatls.elastic.streams import pattern
from esatls.extraction.ciphers import DEPRECATED, WEAK_PARTS
from esatls.verdicts.words import CONNECTION_VERDICTS, DELIVERED_VERDICTS, OVER_TLS, RECEIVED_VERDICTS, counted, uncounted
from lens import (
    Column,
    Condition,
    Dashboard,
    Panel,
    Search,
    by,
    compact,
    count,
    dashboard_object,
    first,
    last,
    most,
    over_time,
    search_object,
    share,
    total,
    view_object,
)

EVENTS = "esatls-events"
CONNECTIONS = "esatls-connections"
MESSAGES = "esatls-messages"
RUNS = "esatls-runs"
VIEWS = {
    EVENTS: ("ESA TLS: events", pattern("events")),
    CONNECTIONS: ("ESA TLS: connections", pattern("connections")),
    MESSAGES: ("ESA TLS: messages", pattern("messages")),
    RUNS: ("ESA TLS: runs of the join", pattern("runs")),
}

OVERVIEW, PARTNERS, LOOKUP = "esatls-overview", "esatls-partners", "esatls-message-lookup"
TRENDS, MUST_ENCRYPT, HEALTH = "esatls-trends", "esatls-must-encrypt", "esatls-health"
SHOW_MESSAGES, SHOW_PARTNER = (LOOKUP, "Show the messages"), (PARTNERS, "Show this partner")
CLEAR_IN, CLEAR_OUT = "esatls.received.verdict : cleartext", "esatls.delivered.verdict : (cleartext or mixed)"
RECEIVING, DELIVERY = "network.direction : ingress", "network.direction : egress"
FAILURES = "esatls.verdict : failed or (esatls.verdict : cleartext and event.reason : *)"
OTHER_REASONS = f"esatls.verdict : ({' or '.join(uncounted(CONNECTION_VERDICTS))}) and event.reason : *"
OVER_TLS_CONNECTIONS = f"esatls.verdict : ({' or '.join(OVER_TLS)})"
CLEAR_MESSAGES = f"{CLEAR_IN} or {CLEAR_OUT}"


_KNOWN = sorted({pair for name in DEPRECATED if (pair := tls_version(name[:3].upper() + name[3:]))})
DEPRECATED_VERSIONS = {protocol: [version for version, its in _KNOWN if its == protocol] for protocol in ("tls", "ssl")}
"""The deprecated protocols as ECS has them: by protocol, the versions."""


def deprecated() -> list[dict[str, Any]]:
    """Return the queries that find a deprecated protocol."""
    known = [
        {"bool": {"filter": [{"term": {"tls.version_protocol": protocol}}, {"terms": {"tls.version": versions}}]}}
        for protocol, versions in DEPRECATED_VERSIONS.items()
    ]
    # a protocol without an ECS version is stored as it was logged
    return [*known, _expression("tls.version", "|".join(map(re.escape, sorted(DEPRECATED))))]


def _expression(field: str, value: str) -> dict[str, Any]:
    """Return the query for a field whose whole value matches a regular expression, ignoring case."""
    return {"regexp": {field: {"value": value, "case_insensitive": True}}}


def any_of(queries: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the query for documents that at least one query finds."""
    return {"bool": {"should": queries, "minimum_should_match": 1}}


def _outdated() -> dict[str, Any]:
    """Return the query for connections in which the report of the command line finds a deprecated protocol or a weak cipher, from the same lists.

    KQL can look for `DES` only in a few places of a name; a regular expression finds it as a whole part.
    """
    return any_of([*deprecated(), _expression("tls.cipher", f"(.*[-_])?({'|'.join(WEAK_PARTS)})([-_].*)?")])


def listed(side: str, field: str) -> dict[str, Any]:
    """Return the query for partners on the list that `esatls elastic must-encrypt` loads."""
    return {"terms": {field: {"index": INDEX, "id": DOCUMENT, "path": side}}}


LISTED_IN = Condition("sender's domain must use TLS", listed("receiving", "esatls.received.partner"))
LISTED_OUT = Condition("recipient's domain must use TLS", listed("delivery", "esatls.delivered.partner"))
LISTED_OUT_CLEAR = Condition("sent in clear text to a domain that must use TLS", listed("delivery", "esatls.delivered.cleartext_partner"))
OUTDATED = Condition("deprecated protocol or weak cipher", _outdated())

NOTE = (
    "`unused` connections carried no message, and for `unknown` ones the log does not show whether TLS was used. "
    "A `mixed` connection carried messages before TLS came up and after. `internal` messages were made by the appliance itself; "
    "`none` means not received, because the message was refused or given up before that, or not delivered to anybody in this log. "
    "`unused`, `unknown`, `internal` and `none` are counted separately and are not included in percentages."
)


def searches() -> tuple[Search, ...]:
    """Return the saved searches: the documents behind the numbers."""
    mail = ("email.local_id", "email.direction", "email.from.address", "email.to.address")
    of_messages = ("observer.hostname", *mail, "esatls.received.verdict", "esatls.delivered.verdict")
    ids = ("observer.hostname", "network.direction", "esatls.icid", "esatls.dcid")
    of_connections = (*ids, "esatls.partner", "esatls.verdict", "tls.version", "tls.cipher", "event.reason", "esatls.messages")
    of_events = ("observer.hostname", "event.action", "email.local_id", "esatls.icid", "esatls.dcid", "message")
    of_runs = ("event.outcome", *(f"esatls.run.{name}" for name in ("events", "connections", "messages", "refused")), "error.message")
    whole = "One row per message, with both verdicts and its whole path."
    clear = "Messages received or delivered without TLS, newest first."
    return (
        Search("esatls-search-messages", "ESA TLS: messages", whole, MESSAGES, (*of_messages, "esatls.path")),
        Search("esatls-search-cleartext-messages", "ESA TLS: messages that went in clear text", clear, MESSAGES, of_messages, CLEAR_MESSAGES),
        Search("esatls-search-connections", "ESA TLS: connections", "One row per connection, with its verdict and the reason.", CONNECTIONS, of_connections),
        Search(
            "esatls-search-events",
            "ESA TLS: log lines",
            "The log lines that were understood, as they were logged.",
            EVENTS,
            of_events,
            "event.action : *",
        ),
        Search("esatls-search-runs", "ESA TLS: runs of the join", "One row per run, with what it did or why it failed.", RUNS, of_runs),
    )


def _verdicts(name: str, words: tuple[str, ...]) -> tuple[Column, ...]:
    return tuple(count(word, f"{name} : {word}") for word in words)


def _shares(prefix: str, words: tuple[str, ...]) -> tuple[Column, ...]:
    return tuple(share(f"{word} %", f"{prefix}.{word}") for word in words)


def _summary(title: str, view: str, where: str, prefix: str, verdict: str, words: tuple[str, ...]) -> tuple[Panel, ...]:
    """Return two panels: the percentage in large letters, and the table of the verdicts."""
    encrypted = share(f"encrypted (not counting {', '.join(uncounted(words))})", f"{prefix}.encrypted")
    return (
        Panel(title, "metric", 12, 7, view, (encrypted,), where),
        Panel(f"{title}: verdicts", "table", 12, 7, view, (by("Verdict", verdict, len(words)), count("Count")), where),
    )


def _by_verdict(title: str, view: str, verdict: str, where: str = "") -> Panel:
    """Return the chart of connections or messages over time, by verdict."""
    return Panel(title, "area", 24, 12, view, (over_time(), by("Verdict", verdict), count(view.rpartition("-")[2].capitalize())), where)


def _table(title: str, height: int, view: str, columns: tuple[Column, ...], where: str = "", drill: tuple[str, str] | None = None, **others: Any) -> Panel:
    """Return a table over the whole width."""
    return Panel(title, "table", 48, height, view, columns, where, drill=drill, **others)


def _clear(title: str, partner: str, where: str) -> Panel:
    """Return the table of partners with mail in clear text: how many messages, the first time and the last time."""
    columns = (by("Partner", partner, 100), count("Messages"), first("First time"), last("Last time"))
    return Panel(title, "table", 24, 14, MESSAGES, columns, where, drill=SHOW_MESSAGES)


TREND_NOTE = (
    "Weeks and months are those of the calendar, in the browser's time zone; the last one is incomplete. "
    "`unused`, `unknown`, `internal` and `none` are not included in percentages."
)
PARTNERS_NOTE = (
    "*Partner* chooses connections, *Sender's domain* and *Recipient's domain* choose messages. Tables of what is not chosen by such a name are empty then, "
    "because connections and messages have these names in different fields."
)
LOOKUP_NOTE = (
    "The log lines are those with the MID; lines of its connections have the ICID and DCIDs that its path names. Lines have no partner: "
    "if a filter for one has led here, choose the MID, then remove the filter."
)
MUST_NOTE = (
    "Load the list with `esatls elastic must-encrypt partners.csv`: it is the same CSV file that `esatls check` and the Splunk app read. "
    "Until then, these panels show an error, because the index of the list does not exist. A partner is the sender's domain for incoming mail, and each "
    "recipient's domain for outgoing mail. A message to several domains counts for each of them with the verdict on the whole message, but as mail in clear "
    "text only for those that got it in clear text. Such a message also shows its domains that are not on the list, if one of the others is."
)
HEALTH_NOTE = (
    "Each run of `esatls elastic join` writes a document here. If the last successful run is older than a few intervals of its timer, verdicts are out of "
    "date. If no lines come in, check the shippers."
)


FAILED_STEPS = {
    "_esatls_failure": "no text, or not processed",
    "_esatls_event_failure": "not read by Logstash",
    "_esatls_date_failure": "wrong timestamp or time zone",
    "_esatls_mapping_conflict": "text in the place of an object",
}
"""Tags of lines, and what each says."""


def _trends() -> tuple[Panel, ...]:
    def line(title: str, view: str, where: str, prefix: str) -> Panel:
        return Panel(title, "line", 24, 12, view, (over_time("1w"), share("encrypted", f"{prefix}.encrypted")), where)

    weekly, flow = over_time("1w"), by("Mail flow", "email.direction", rest=True)
    received = _shares("esatls.received.share", ("encrypted", "cleartext"))
    delivered = (share(f"delivered {word} %", f"esatls.delivered.share.{word}") for word in ("encrypted", "mixed", "cleartext"))
    return (
        line("Share of connections received over TLS, by week", CONNECTIONS, RECEIVING, "esatls.share"),
        line("Share of connections for delivery over TLS, by week", CONNECTIONS, DELIVERY, "esatls.share"),
        line("Share of messages received over TLS, by week", MESSAGES, "", "esatls.received.share"),
        line("Share of messages delivered over TLS, by week", MESSAGES, "", "esatls.delivered.share"),
        Panel("Protocols, by week", "area", 24, 12, CONNECTIONS, (weekly, by("Version", "tls.version", rest=True), count("Connections")), OVER_TLS_CONNECTIONS),
        Panel("Messages in clear text, by week", "area", 24, 12, MESSAGES, (weekly, flow, count("Messages")), CLEAR_MESSAGES),
        _table("By month", 12, MESSAGES, (over_time("1M"), count("Messages"), *received, *delivered)),
        Panel("", "text", 48, 3, text=TREND_NOTE),
    )


def _must_encrypt() -> tuple[Panel, ...]:
    incoming = (by("Partner", "esatls.received.partner", 100), count("Messages"), *_verdicts("esatls.received.verdict", RECEIVED_VERDICTS))
    outgoing = (by("Partner", "esatls.delivered.partner", 100), count("Messages"), *_verdicts("esatls.delivered.verdict", DELIVERED_VERDICTS))
    broken = (first("First clear text", CLEAR_IN), last("Last clear text", where=CLEAR_IN))
    clear = (by("Partner", "esatls.delivered.cleartext_partner", 100), count("Messages"), first("First clear text"), last("Last clear text"))
    tables = (
        ("Incoming mail of listed partners", (*incoming, *broken), LISTED_IN),
        ("Outgoing mail of listed partners", outgoing, LISTED_OUT),
        ("Outgoing mail of listed partners in clear text, by partner", clear, LISTED_OUT_CLEAR),
    )
    return (
        Panel("Incoming mail of listed partners in clear text", "metric", 24, 6, MESSAGES, (count("Messages"),), CLEAR_IN, LISTED_IN),
        Panel("Outgoing mail of listed partners in clear text", "metric", 24, 6, MESSAGES, (count("Messages"),), only=LISTED_OUT_CLEAR),
        *(_table(title, 12, MESSAGES, columns, drill=SHOW_MESSAGES, only=only) for title, columns, only in tables),
        Panel("", "text", 48, 5, text=MUST_NOTE),
    )


def _health() -> tuple[Panel, ...]:
    good, host = "event.outcome : success", "observer.hostname"
    return (
        Panel("Last successful run", "metric", 12, 6, RUNS, (last("Last successful run", where=good),)),
        Panel("Events joined up to", "metric", 12, 6, RUNS, (last("joined up to", "esatls.run.read_to"),)),
        Panel("Failed runs", "metric", 12, 6, RUNS, (count("failed", "event.outcome : failure"),)),
        Panel("Documents rejected", "metric", 12, 6, RUNS, (most("rejected, the most in one run", "esatls.run.refused"),)),
        Panel("Runs over time", "area", 24, 12, RUNS, (over_time(), by("Outcome", "event.outcome"), count("Runs"))),
        Panel("Events read over time", "area", 24, 12, RUNS, (over_time(), total("Events", "esatls.run.events"))),
        Panel("Lines that came in, by appliance", "area", 48, 12, EVENTS, (over_time(), by("Appliance", host, rest=True), count("Lines"))),
        Panel("Last line of each appliance", "table", 24, 12, EVENTS, (by("Appliance", host, 100, rest=True), count("Lines"), last("Last line"))),
        Panel("Runs", "search", 24, 12, "esatls-search-runs"),
        Panel(
            "Lines for which a step failed",
            "table",
            48,
            10,
            EVENTS,
            (by("Appliance", host, 100, rest=True), *(count(name, f"tags : {tag}") for tag, name in FAILED_STEPS.items())),
            f"tags : ({' or '.join(FAILED_STEPS)})",
        ),
        Panel("", "text", 48, 3, text=HEALTH_NOTE),
    )


def _overview() -> tuple[Panel, ...]:
    partner = (by("Direction", "network.direction"), by("Partner", "esatls.partner", 50))
    protocol = (by("Protocol", "tls.version_protocol", rest=True), by("Version", "tls.version", rest=True), count("Connections"))
    cipher = (by("Version", "tls.version", rest=True), by("Cipher", "tls.cipher", 20, rest=True), count("receiving", RECEIVING), count("delivery", DELIVERY))
    why = (by("Reason", "event.reason", 5, rest=True), count("failed", "esatls.verdict : failed"), count("went in clear text", "esatls.verdict : cleartext"))
    other = (by("Reason", "event.reason", 5, rest=True), *_verdicts("esatls.verdict", uncounted(CONNECTION_VERDICTS)))
    outdated = (by("Version", "tls.version", rest=True), by("Cipher", "tls.cipher", 20, rest=True), count("Connections"))
    return (
        *_summary("Connections received", CONNECTIONS, RECEIVING, "esatls.share", "esatls.verdict", CONNECTION_VERDICTS),
        *_summary("Connections for delivery", CONNECTIONS, DELIVERY, "esatls.share", "esatls.verdict", CONNECTION_VERDICTS),
        *_summary("Messages received", MESSAGES, "", "esatls.received.share", "esatls.received.verdict", RECEIVED_VERDICTS),
        *_summary("Messages delivered", MESSAGES, "", "esatls.delivered.share", "esatls.delivered.verdict", DELIVERED_VERDICTS),
        _by_verdict("Connections received over time", CONNECTIONS, "esatls.verdict", RECEIVING),
        _by_verdict("Connections for delivery over time", CONNECTIONS, "esatls.verdict", DELIVERY),
        _by_verdict("Messages received over time", MESSAGES, "esatls.received.verdict"),
        _by_verdict("Messages delivered over time", MESSAGES, "esatls.delivered.verdict"),
        Panel("Protocols of connections over TLS", "pie", 16, 12, CONNECTIONS, protocol, OVER_TLS_CONNECTIONS),
        Panel("Ciphers of connections over TLS", "table", 32, 12, CONNECTIONS, cipher, OVER_TLS_CONNECTIONS),
        _table("Partners with TLS failures, and why", 14, CONNECTIONS, (*partner, *why), FAILURES, SHOW_PARTNER),
        _table("Errors that do not count as TLS failures", 12, CONNECTIONS, (*partner, *other), OTHER_REASONS, SHOW_PARTNER),
        _table("Partners with deprecated protocols or weak ciphers", 12, CONNECTIONS, (*partner, *outdated), OVER_TLS_CONNECTIONS, SHOW_PARTNER, only=OUTDATED),
        Panel("Messages in clear text", "search", 48, 12, "esatls-search-cleartext-messages"),
        Panel("", "text", 48, 4, text=NOTE),
    )


def _partners() -> tuple[Panel, ...]:
    def mail(title: str, side: str, words: tuple[str, ...]) -> Panel:
        numbers = (count("Messages"), *_verdicts(f"esatls.{side}.verdict", words), *_shares(f"esatls.{side}.share", counted(words)))
        return _table(title, 14, MESSAGES, (by("Partner", f"esatls.{side}.partner", 100), *numbers, last("Last seen")), drill=SHOW_MESSAGES)

    connections = (by("Partner", "esatls.partner", 100), by("Direction", "network.direction"), count("Connections"))
    numbers = (*_verdicts("esatls.verdict", CONNECTION_VERDICTS), *_shares("esatls.share", counted(CONNECTION_VERDICTS)))
    return (
        Panel("", "text", 48, 3, text=PARTNERS_NOTE),
        mail("Mail from partners", "received", RECEIVED_VERDICTS),
        mail("Mail to partners", "delivered", DELIVERED_VERDICTS),
        _clear("Mail from partners in clear text", "esatls.received.partner", CLEAR_IN),
        _clear("Mail to partners in clear text", "esatls.delivered.cleartext_partner", "esatls.delivered.cleartext_partner : *"),
        _table("Connections with partners", 14, CONNECTIONS, (*connections, *numbers)),
        Panel("Reasons", "table", 24, 12, CONNECTIONS, (by("Reason", "event.reason", 20), count("Connections"))),
        _by_verdict("Connections over time", CONNECTIONS, "esatls.verdict"),
        Panel("Connections", "search", 48, 14, "esatls-search-connections"),
    )


def dashboards() -> tuple[Dashboard, ...]:
    """Return the dashboards: those that the Splunk app has too, and the health of the join."""
    hosts = ("Appliance", CONNECTIONS, "observer.hostname")
    flow = ("Mail flow", MESSAGES, "email.direction")
    lookup = (
        Panel("Messages", "metric", 8, 6, MESSAGES, (count("Messages"),)),
        Panel("Received", "table", 20, 6, MESSAGES, (by("Received", "esatls.received.verdict"), count("Messages"))),
        Panel("Delivered", "table", 20, 6, MESSAGES, (by("Delivered", "esatls.delivered.verdict"), count("Messages"))),
        Panel("The path of each message", "search", 48, 16, "esatls-search-messages"),
        Panel("Its log lines", "search", 48, 14, "esatls-search-events"),
        Panel("", "text", 48, 3, text=LOOKUP_NOTE),
    )
    return (
        Dashboard(
            OVERVIEW,
            "ESA TLS: Overview",
            "The share of connections and messages over TLS, in and out, with which protocols and ciphers, and what failed.",
            (hosts, flow),
            _overview(),
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
            _partners(),
        ),
        Dashboard(
            LOOKUP,
            "ESA TLS: Message lookup",
            "The whole path of one message, found by MID, address or domain.",
            (hosts, ("MID", MESSAGES, "email.local_id"), ("Sender", MESSAGES, "email.from.address"), ("Recipient", MESSAGES, "email.to.address")),
            lookup,
        ),
        Dashboard(TRENDS, "ESA TLS: Trends", "TLS by week and by month, over a year.", (hosts, flow), _trends(), since="now-1y"),
        Dashboard(MUST_ENCRYPT, "ESA TLS: Must encrypt", "Partners that must use TLS, and the mail that did not.", (hosts,), _must_encrypt(), since="now-30d"),
        Dashboard(HEALTH, "ESA TLS: Health", "Whether lines come in, and whether they are joined.", (), _health(), since="now-24h"),
    )


def objects() -> list[dict[str, Any]]:
    """Return all saved objects; those that others refer to come first."""
    return [*(view_object(identity, *view) for identity, view in VIEWS.items()), *map(search_object, searches()), *map(dashboard_object, dashboards())]


def files() -> dict[Path, str]:
    """Return the generated file by its path in the repository. NDJSON has no comments; the README names the command that generates it."""
    return {Path("logstash/kibana/dashboards.ndjson"): "".join(compact(item) + "\n" for item in objects())}
