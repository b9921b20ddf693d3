"""What a report counts together in brief records, by family: in each, most records are like another one.

Each part of a record says for each family what it has in common with others; None: the record is counted by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

OPENED, TOLD, SEEN, RECEIVED, DELIVERED, FROM_A_HOST = range(6)
"""The families: when connections were open, and what else is known of them; when messages were seen, how they were received from a domain, how they were
delivered, and how they were received from a host."""

_Shared = tuple["Mapping[str, Any] | None", ...]
_HOST = ("esa_host", "mail_flow")
_HOW = (*_HOST, "received", "received_tls_version", "received_tls_cipher", "received_reason")
_PEER = ("received_peer_host", "received_peer_ip")
_OF_ITS_OWN = frozenset({"opened", "closed", "icid", "dcid"})


def only(record: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return some fields of a record, in this order."""
    return {name: record[name] for name in names if name in record}


def of_connection(record: Mapping[str, Any]) -> _Shared:
    """Return what a connection has in common with others, by family."""
    told = {name: value for name, value in record.items() if name not in _OF_ITS_OWN}
    return only(record, ("esa_direction", *_HOST, "tls_verdict")), told


def of_received(record: Mapping[str, Any]) -> _Shared:
    """Return the same for how a message was received."""
    return None, None, only(record, (*_HOST, "received")), only(record, _HOW), only(record, _HOST), only(record, (*_HOW, *_PEER))


def of_envelope(recipients: int, domain: str) -> _Shared:
    """Return the same for a message from a domain to so many recipients."""
    return None, None, {}, {"to": recipients, "domain": domain}, {}, {"to": recipients}


def of_attempt(attempt: Mapping[str, Any]) -> _Shared:
    """Return the same for a delivery: only completed ones are counted, and one without a domain by itself, as its message shows whom it went to."""
    told = only(attempt, ("verdict", "tls_version", "tls_cipher", "reason", "domain"))
    shared = {"to": 0} if attempt.get("outcome") != "done" else {**told, "to": len(attempt["rid"])} if "domain" in told else None
    return None, None, {}, {}, shared, {}
