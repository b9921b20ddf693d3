"""The notes of a report, which explain what each number counts, and words that all formats use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from esatls.verdicts.words import COUNTED, OVER_TLS, VERDICTS, WORDS, counted, uncounted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from esatls.report.report_types import IssueName, Report, Tally


def _listed(words: tuple[str, ...], last: str) -> str:
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


MOST_NAMED = 1000
"""Up to this many rows of organisations, each list shows the names under them; in a longer report, only the list of all partners does."""
NOTES: dict[str, str] = {
    "connections": ("A connection is one ICID (receiving) or DCID (delivery) of one appliance, with any number of messages, even none."),
    "messages": (
        "A message is one MID of one appliance; messages that the appliance rewrites, splits, copies or makes itself have MIDs of their own. "
        "Received is about the connection over which the message, or the one it was made from, came in; delivered is about those over which it went out."
    ),
    "recipients": (
        "Recipients are those that the appliance accepted (received), and those that deliveries reached, each by the verdict of its own delivery. "
        "A delivery that only a consolidated event shows has no recipients here, because the event does not say which ones it reached. "
        "The appliance's own report counts messages by recipient."
    ),
    "both": (
        "Counts of connections and of messages need not agree: a connection can carry many messages or none, and a message "
        "with several recipients can go out over several connections."
    ),
    "percent": (
        f"Percentages are based on what is {_listed(counted(WORDS), 'or')}. {_listed(uncounted(WORDS), 'and').capitalize()} "
        "are shown separately and are not included. Shares of protocols and ciphers are based on connections over TLS (encrypted or mixed) "
        "for which they are known."
    ),
    **{verdict.word: verdict.meaning for verdict in VERDICTS},
    "attempted": (
        "TLS was attempted on connections that were encrypted or mixed, that failed, or that continued in clear text after TLS had failed "
        "or had not been offered (fallback). Over TLS of attempts is what the appliance's own table shows in percent."
    ),
    "required": (
        "The log mentions that TLS was required only if it was not established. “Required, no TLS” counts those connections, "
        "whether they failed or continued in clear text; it does not count policies."
    ),
    "mail_flow": "Incoming and outgoing come from the host access table or the policy table; the mail flow is unknown if the log has neither.",
    "partners": (
        "A partner is the senders' domain when receiving and the recipients' domain on delivery. If the log shows none, or a connection has several, "
        "it is the other side's host name or address. Unused connections are included in the totals only; a message to several partners "
        "counts for each."
    ),
    "organisations": (
        "A row is one organisation in one direction: the registrable domain by the Public Suffix List, with the names that were counted under it "
        f"(in a report with more than {MOST_NAMED:,} such rows, in the list of all partners); a message to several of these names counts for each. "
        "Mail that your own servers send out through the appliance, and mail that it delivers to them, is listed with your own domains. The examples are "
        "the latest ones; esatls trace shows each line of a message (MID)."
    ),
    "deprecated": "Deprecated protocols are SSL 2, SSL 3, TLS 1.0 and TLS 1.1 (RFC 6176, RFC 7568, RFC 8996).",
    "weak": "Weak ciphers use RC4, RC2, DES, 3DES, MD5, export keys, no encryption (NULL) or no authentication (anonymous).",
    "no_forward_secrecy": "Without forward secrecy, anyone who obtains the server's key later can read mail recorded today.",
    "certificate": "Certificate problems are failures whose reason mentions a certificate or its issuer.",
    "failures": "After a failure, the connection ended without mail (failed) or mail was sent without TLS (cleartext).",
    "reasons": "Reasons are quoted from the log; “possibly” means that the log shows only a connection error.",
    "other_reasons": (
        "If a connection was reset or ended, that can have been before TLS or during it (unknown); a refusal, a timeout or a reply from the other side "
        "says nothing about TLS (unused). Words about verification show that there was a handshake, but not whether the mail after it was encrypted (unknown). "
        "None of them is included in percentages of failures."
    ),
    "evidence": "What this report was made from: each file as it was on disk, and how many of its lines were events, ignored or unreadable.",
    "over_time": "Times are UTC: when a connection was opened, and when a message was first seen.",
}
"""What each number counts."""

Direction = Literal["receiving", "delivery"]
DIRECTIONS: tuple[Direction, ...] = ("receiving", "delivery")
What = Literal["connections", "messages"]
WHAT: tuple[What, ...] = ("connections", "messages")
DIRECTION_WORDS = {"receiving": ("Receiving", "received"), "delivery": ("Delivery", "delivered")}
"""Each direction as a title, and as a verb for messages."""
FLOWS = ("incoming", "outgoing", "unknown")
FLOW_WORDS = {"all": "all mail", "incoming": "incoming mail", "outgoing": "outgoing mail", "unknown": "mail of unknown flow"}
GLANCE: tuple[tuple[str, Direction, What], ...] = (
    ("Messages received", "receiving", "messages"),
    ("Messages delivered", "delivery", "messages"),
    ("Receiving connections", "receiving", "connections"),
    ("Delivery connections", "delivery", "connections"),
)
"""The shares that a report begins with: the title of each, and what it is about."""
TITLES: dict[IssueName, tuple[str, str, str]] = {
    "cleartext": ("Partners in clear text", "Own domains in clear text", "Reasons"),
    "deprecated": ("Partners with deprecated protocols", "Own domains with deprecated protocols", "Protocols"),
    "weak": ("Partners with weak ciphers", "Own domains with weak ciphers", "Ciphers"),
    "failed": ("Partners with which TLS failed", "Own domains with which TLS failed", "Reasons"),
}
"""Each issue: the titles of the list of partners and of own domains, and what its reasons are."""


def word(count: int, many: str) -> str:
    """Return a plural, or its singular if the count is 1: `messages`, `message`."""
    return many[:-1] if count == 1 else many


def not_counted(tally: Tally) -> str:
    """Return how many connections or messages percentages do not count, by verdict; "" if they count all."""
    found = [f"{tally['verdicts'][verdict]:,} {verdict}" for verdict in uncounted(WORDS) if tally["verdicts"].get(verdict)]
    return "Not in the percentage: " + ", ".join(found) if found else ""


def examples(issue: Mapping[str, Any], report: Report) -> list[tuple[str, str]]:
    """Return the examples of an issue, each as the kind of its id and the id, with the appliance if the report has several."""
    several = len(report["appliances"]) > 1
    found = []
    for one in issue["examples"]:
        kind = next(name for name in ("mid", "icid", "dcid") if name in one)
        host = f" on {one['esa_host']}" if several and "esa_host" in one else ""
        found.append((kind.upper(), f"{one[kind]}{host}"))
    return found


def counted_by(issue: IssueName) -> What:
    """Return what an issue is counted in."""
    return "messages" if issue == "cleartext" else "connections"


def whole(row: Mapping[str, Any], issue: IssueName) -> int:
    """Return of how many messages or connections some had an issue: those that percentages count; only those over TLS have protocols and ciphers."""
    if issue in ("deprecated", "weak"):
        return sum(row["connections"][verdict] for verdict in OVER_TLS)
    return in_percentages(row[counted_by(issue)])


def in_percentages(counts: Mapping[str, int]) -> int:
    """Return how many of some counts by verdict percentages count."""
    return sum(count for verdict, count in counts.items() if verdict in COUNTED)


def times_of(row: Mapping[str, Any], issue: Mapping[str, Any]) -> list[str]:
    """Return when an issue was first and last seen, and when mail last went over TLS; "" for a time that the log does not show."""
    return [minute(time) for time in (issue.get("first", ""), issue.get("last", ""), row.get("last_tls", ""))]


def minute(time: str) -> str:
    """Return a time as people read it, to the minute."""
    return time[:16].replace("T", " ")


def second(time: str) -> str:
    """Return a time as people read it, to the second."""
    return time[:19].replace("T", " ")
