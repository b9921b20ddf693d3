"""Kinds of events, and the fields that follow from a kind without being captured.

A pattern's name states its kind: `ESA_<KIND>[_<VARIANT>]`.
"""

from __future__ import annotations

EVENTS: dict[str, str] = {
    "connection_opened": "A connection was opened: ICID receives, DCID delivers",
    "hat_policy": "The host access table decided on an injection connection",
    "tls_success": "TLS came up on a connection",
    "tls_failed": "TLS was tried on a connection and failed",
    "tls_required": "TLS was required on a connection and did not come up",
    "tls_not_offered": "The other side did not offer STARTTLS",
    "tls_read": "Data was read over TLS (debug level): evidence, but not a verdict",
    "tls_other": "TLS is mentioned in other words, which do not show whether it came up",
    "connection_error": "A delivery connection broke; may be a failed handshake",
    "connection_closed": "A connection ended: close, lost, killed",
    "message_started": "A message began",
    "message_sender": "Its envelope sender",
    "message_recipient": "One of its envelope recipients",
    "message_identity": "Its Message-ID or its subject, as logged, without the quotes",
    "message_accepted": "The message was accepted in full: ready, queued, or scanned",
    "message_policy": "The policy table that the message matched, which gives its mail flow",
    "delivery_started": "A delivery began",
    "delivery_done": "The other side accepted the message for these recipients",
    "delivery_response": "What the other side answered",
    "delivery_bounced": "The message was given up for a recipient",
    "delivery_delayed": "The message will be tried again for a recipient",
    "message_finished": "The appliance is done with the message; this does not prove delivery",
    "message_aborted": "The message was dropped or not received completely",
    "message_lineage": "The message was made from another one",
    "message_quarantined": "The message went to a quarantine, or left it",
    "consolidated_event": "One record of all that happened to a message (CEF)",
    "time_offset": "Head of a log file: how far the appliance's clock is from UTC",
}

EVENT_KINDS: tuple[str, ...] = tuple(EVENTS)

TLS_KINDS: frozenset[str] = frozenset({"tls_success", "tls_failed", "tls_required", "tls_not_offered", "tls_read", "tls_other"})
"""Kinds of lines about TLS on a connection, which `esatls events` shows by default."""

CEF_ABOUT_TLS: frozenset[str] = frozenset({"tls_in_result", "tls_out_result", "dane_status"})
"""A consolidated event is about TLS if it has one of these fields."""

WITHOUT_RESULT: frozenset[str] = frozenset({"tls_read", "tls_other"})
"""Those of TLS_KINDS whose lines state no result of a handshake."""

MAIL_FLOW: dict[str, str] = {"inbound": "incoming", "outbound": "outgoing", "ACCEPT": "incoming", "RELAY": "outgoing"}
"""Mail flow by policy table, and by HAT action."""

OUTCOMES: dict[str, str] = {"delivery_done": "done", "delivery_bounced": "bounced", "delivery_delayed": "delayed"}
"""The outcomes of deliveries, by kind."""
_SIDED = ("connection_", "hat_", "tls_", "delivery_")


def kind_of(pattern: str) -> str:
    """Return the kind of event that a pattern's name states. Raises `KeyError` if it states none."""
    name = pattern[4:].lower()
    fits = [kind for kind in EVENT_KINDS if name == kind or name.startswith(kind + "_")]
    if not pattern.startswith("ESA_") or not fits:
        raise KeyError(pattern)
    return max(fits, key=len)


def constants_of(pattern: str, fields: tuple[str, ...]) -> dict[str, str]:
    """Return the fields that a pattern implies: kind, direction, TLS result, verification, outcome, relation."""
    kind = kind_of(pattern)
    known = {"esa_event": kind}
    if kind in TLS_KINDS and kind not in WITHOUT_RESULT:
        known["tls_result"] = kind[4:]
    if kind in OUTCOMES:
        known["delivery_outcome"] = OUTCOMES[kind]
    if kind == "message_lineage":
        known["mid_relation"] = pattern[len("ESA_MESSAGE_LINEAGE_") :].lower().split("_")[0]
    if kind in TLS_KINDS and pattern.endswith("_VERIFY"):
        known["tls_verify"] = "failed"
    if "dcid" in fields:
        known["esa_direction"] = "delivery"
    elif "icid" in fields or kind.startswith(_SIDED):
        known["esa_direction"] = "receiving"
    if kind in ("delivery_response", "delivery_bounced", "delivery_delayed"):
        known["esa_direction"] = "delivery"
    return known
