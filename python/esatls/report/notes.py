"""What each number of a report counts, in sentences, and the words that its tables share."""

from __future__ import annotations

from esatls.verdicts.words import VERDICTS, WORDS, counted, uncounted


def _listed(words: tuple[str, ...], last: str) -> str:
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


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
        f"Percentages are of what the log tells to be {_listed(counted(WORDS), 'or')}. {_listed(uncounted(WORDS), 'and').capitalize()} "
        "are shown beside them and are in no percentage. Shares of protocols and ciphers are of connections over TLS (encrypted or mixed) whose own is known."
    ),
    **{verdict.word: verdict.meaning for verdict in VERDICTS},
    "attempted": (
        "TLS was attempted on connections that were encrypted or mixed, that failed, or that went on in clear text after TLS had failed "
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
    "other_reasons": (
        "A reset or an end of the connection may have come before TLS or during it (unknown); a refusal, a time-out or an answer of the other side "
        "says nothing about TLS (unused). Neither is in any percentage of failures."
    ),
    "over_time": "Times are UTC: when a connection was opened, and when a message was first seen.",
}
"""What each number counts."""

DIRECTIONS = ("receiving", "delivery")
DIRECTION_WORDS = {"receiving": ("Receiving", "received"), "delivery": ("Delivery", "delivered")}
"""Each side as a title, and what it does to messages."""
FLOWS = ("incoming", "outgoing", "unknown")
FLOW_WORDS = {"all": "all mail", "incoming": "incoming mail", "outgoing": "outgoing mail", "unknown": "mail of unknown flow"}

MOST_TEXT = 500
"""Characters of one text of the log that a table shows; the report itself has it whole."""


def word(count: int, many: str) -> str:
    """Return a word for a number of things, from the one for many: `message` for 1, else `messages`."""
    return many[:-1] if count == 1 else many


def clipped(text: str) -> str:
    """Return text of the log as far as a table shows it: MOST_TEXT characters."""
    return text if len(text) <= MOST_TEXT else text[:MOST_TEXT] + "\N{HORIZONTAL ELLIPSIS}"
