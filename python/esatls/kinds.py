"""Kinds of events, and what follows from a kind without being captured.

A pattern's name tells its kind: `ESA_<KIND>[_<VARIANT>]`.
"""

from __future__ import annotations

EVENT_KINDS: tuple[str, ...] = (
    "connection_opened",
    "hat_policy",
    "tls_success",
    "tls_failed",
    "tls_required",
    "tls_not_offered",
    "tls_read",
    "connection_error",
    "connection_closed",
    "message_started",
    "message_sender",
    "message_recipient",
    "message_policy",
    "delivery_started",
    "delivery_done",
    "delivery_response",
    "delivery_bounced",
    "delivery_delayed",
    "message_finished",
    "message_aborted",
    "message_lineage",
    "message_quarantined",
    "consolidated_event",
    "time_offset",
)

TLS_KINDS: frozenset[str] = frozenset({"tls_success", "tls_failed", "tls_required", "tls_not_offered", "tls_read"})
"""The kinds that `esatls events` shows unless told otherwise: lines that speak of TLS on a connection."""

MAIL_FLOW: dict[str, str] = {"inbound": "incoming", "outbound": "outgoing", "ACCEPT": "incoming", "RELAY": "outgoing"}
"""Mail flow by policy table, and by HAT action."""

_OUTCOME = {"delivery_done": "done", "delivery_bounced": "bounced", "delivery_delayed": "delayed"}
_SIDED = ("connection_", "hat_", "tls_", "delivery_")


def kind_of(pattern: str) -> str:
    """Return the event kind of a pattern's name; `KeyError` if it names none."""
    name = pattern[4:].lower()
    fits = [kind for kind in EVENT_KINDS if name == kind or name.startswith(kind + "_")]
    if not pattern.startswith("ESA_") or not fits:
        raise KeyError(pattern)
    return max(fits, key=len)


def constants_of(pattern: str, fields: tuple[str, ...]) -> dict[str, str]:
    """Return the fields that a pattern implies: kind, direction, TLS result, outcome, relation."""
    kind = kind_of(pattern)
    known = {"esa_event": kind}
    if kind in TLS_KINDS and kind != "tls_read":
        known["tls_result"] = kind[4:]
    if kind in _OUTCOME:
        known["delivery_outcome"] = _OUTCOME[kind]
    if kind == "message_lineage":
        known["mid_relation"] = pattern[len("ESA_MESSAGE_LINEAGE_") :].lower().split("_")[0]
    if "dcid" in fields:
        known["esa_direction"] = "delivery"
    elif "icid" in fields or kind.startswith(_SIDED):
        known["esa_direction"] = "receiving"
    if kind in ("delivery_response", "delivery_bounced", "delivery_delayed"):
        known["esa_direction"] = "delivery"
    return known
