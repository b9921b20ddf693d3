"""The groups in which a report counts brief records: what a record has in common with the others of its group, by family.

Most records of a family are like another one. Each part of a record says for each family what it contributes to that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Union

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_FAMILIES = range(8)
OPENED, TOLD, SEEN, RECEIVED, RECIPIENTS, PROTOCOLS, DELIVERED, FROM_A_HOST = _FAMILIES
"""The families: when connections were open, and what else is known of them; when messages were seen, how they were received from a domain, to how many
recipients, with which protocols they were delivered, how each delivery went, and how they were received from a host."""
LINKS, HALVES, WHOLE, TRIES = range(4)
"""What a family counts: connections, how messages were received with their envelopes, whole messages, or their completed deliveries one by one."""

Piece = Union["Mapping[str, Any]", "Sequence[Mapping[str, Any]]"]
"""Fields of a record, or entries of its deliveries."""
Shared = tuple[Piece, ...]
_HOST = ("esa_host", "mail_flow")
_HOW = (*_HOST, "received", "received_tls_version", "received_tls_cipher", "received_reason")
_PEER = ("received_peer_host", "received_peer_ip")
_PROTOCOL = ("outcome", "verdict", "tls_version", "tls_cipher")
_OF_ITS_OWN = frozenset({"opened", "closed", "icid", "dcid"})


def only(record: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return some fields of a record, in this order."""
    return {name: record[name] for name in names if name in record}


def _shared(told: Mapping[int, Piece]) -> Shared:
    """Return what is shared in each family; in those that are not named, nothing."""
    return tuple([told.get(family, {}) for family in _FAMILIES])


def of_connection(record: Mapping[str, Any]) -> Shared:
    """Return what a connection has in common with others, by family."""
    told = {name: value for name, value in record.items() if name not in _OF_ITS_OWN}
    return _shared({OPENED: only(record, ("esa_direction", *_HOST, "tls_verdict")), TOLD: told})


def of_received(record: Mapping[str, Any]) -> Shared:
    """Return the same for how a message was received."""
    return _shared(
        {
            SEEN: only(record, (*_HOST, "received")),
            RECEIVED: only(record, _HOW),
            RECIPIENTS: only(record, ("mail_flow", "received")),
            PROTOCOLS: only(record, ("mail_flow",)),
            DELIVERED: only(record, _HOST),
            FROM_A_HOST: only(record, (*_HOW, *_PEER)),
        }
    )


def of_envelope(recipients: int, domain: str) -> Shared:
    """Return the same for a message from a domain to so many recipients."""
    return _shared({RECEIVED: {"sender": f"@{domain}"}, RECIPIENTS: {"to": recipients}})


def of_attempt(attempt: Mapping[str, Any]) -> Shared:
    """Return the same for a delivery, of which only completed ones are counted."""
    if attempt.get("outcome") != "done":
        return _shared({})
    told = {**only(attempt, (*_PROTOCOL, "reason", "domain")), "to": len(attempt["rid"])}
    return _shared({PROTOCOLS: [only(attempt, _PROTOCOL)], DELIVERED: told})
