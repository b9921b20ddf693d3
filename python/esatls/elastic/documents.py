"""Events, connections and messages as documents of the Elastic Common Schema.

This is the reference: the ingest pipeline and the Logstash filter make the same documents of events; ``esatls elastic load`` and ``esatls elastic join``
write those of connections and messages. ECS has one ``tls`` and one ``destination`` per document, but a message has a receiving side and any number of
deliveries, so its document has these under ``esatls``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from esatls.extraction.fields import FIELDS
from esatls.verdicts.partners import partner_name, partners_of
from esatls.verdicts.words import CONNECTION_VERDICTS, DELIVERED_VERDICTS, OVER_TLS, RECEIVED_VERDICTS, UNKNOWN, counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from esatls.extraction.event_record import EventRecord
    from esatls.verdicts.record_types import ConnectionRecord, DeliveryRecord, MessageRecord

CONSTANTS = {"ecs.version": "8.11.0", "event.kind": "event"}
"""What every document contains besides the fields."""
APPLIANCE = {
    "event.module": "esatls",
    "observer.vendor": "Cisco",
    "observer.product": "Secure Email Gateway",
    "observer.type": "email-gateway",
}
"""What also applies to every document. Those of records contain it; for events, it is in the mapping of the data stream, which costs nothing per line."""
SMTP = {"network.protocol": "smtp", "network.transport": "tcp"}
"""What every document about a connection contains."""
_TYPES = {
    "connection_opened": ["connection", "start"],
    "connection_closed": ["connection", "end"],
    "connection_error": ["connection", "end"],
}
"""``event.type`` by what happens to a connection; for all other events on one it is ``connection`` and ``info``."""
RELATED: dict[str, tuple[str, ...]] = {
    "ip": ("peer_ip", "interface_ip"),
    "hosts": ("peer_host", "tls_domain", "dane_host"),
    "user": ("sender", "recipient"),
}
"""Fields of an event that its document repeats under ``related``."""
LISTS = ("sender", "recipient", "tls_peer_cn", "interface_ip")
"""Fields that are lists in ECS."""

DIRECTIONS = {"receiving": "ingress", "delivery": "egress"}
FLOWS = {"incoming": "inbound", "outgoing": "outbound"}
OUTCOMES = {"success": "success", "failed": "failure", "required": "failure", "not_offered": "failure"}
"""``event.outcome`` by ``tls_result``."""
_OUTCOMES = {"encrypted": "success", "failed": "failure", "cleartext": "success", "mixed": "success"}
"""``event.outcome`` by the verdict on a connection: it says whether mail could pass, not how."""
DELIVERED = {"done": "success", "bounced": "failure", "delayed": "unknown"}
"""``event.outcome`` by ``delivery_outcome``."""

TLS_VERSION = r"(TLS|SSL)v(\d(?:\.\d)?)(?![\d.])"
"""How a protocol is logged: its name, and its version."""

_TLS_VERSION = re.compile(TLS_VERSION, re.ASCII)
_TABLE = {field.name: field.ecs for field in FIELDS}


def ecs_field(name: str, direction: str | None) -> str:
    """Return the ECS field for a flat field; ``direction`` is ``esa_direction``, which decides between source and destination."""
    names = _TABLE[name]
    return names[-1] if direction == "delivery" else names[0]


def tls_version(logged: str) -> tuple[str, str] | None:
    """Return the version and the protocol, as ECS has them, of a logged protocol: ``TLSv1.2`` -> ``("1.2", "tls")``; None if it is not one.

    OpenSSL's ``TLSv1/SSLv3`` is a family: its first name counts.
    """
    found = _TLS_VERSION.match(logged)
    return (found[2], found[1].lower()) if found else None


def _document(constants: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document with some dotted fields."""
    document: dict[str, Any] = {}
    for path, value in constants.items():
        put(document, path, value)
    return document


def put(document: dict[str, Any], path: str, value: Any) -> None:
    """Set a dotted field of a nested document."""
    *parents, leaf = path.split(".")
    for parent in parents:
        document = document.setdefault(parent, {})
    document[leaf] = value


def event_constants(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the document of an event contains besides the fields, by dotted field. This depends on the kind of event."""
    kind = event["esa_event"]
    found: dict[str, Any] = {**CONSTANTS, "event.category": ["email"], "event.type": ["info"]}
    if kind.startswith(("connection_", "hat_", "tls_")):
        found |= {"event.category": ["email", "network"], "event.type": [*_TYPES.get(kind, ("connection", "info"))]}
    if "esa_direction" in event:
        found |= SMTP
    if "delivery_outcome" in event:
        found["event.outcome"] = DELIVERED[event["delivery_outcome"]]
    return found


def event_document(event: EventRecord) -> dict[str, Any]:
    """Return the document of one event (fields of the field table), without its line, which stays in ``message``."""
    document = _document(event_constants(event))
    for group, names in RELATED.items():
        _relate(document, group, (event.get(name) for name in names))
    _type_of_network(document, event.get("peer_ip"))
    direction = event.get("esa_direction")
    for name, value in event.items():
        if name in _TABLE:
            for path, converted in _converted(name, value, direction):
                put(document, path, converted)
    return document


def _converted(name: str, value: Any, direction: str | None) -> Iterable[tuple[str, Any]]:
    """Yield the ECS fields and values for one flat field."""
    path = ecs_field(name, direction)
    if name == "esa_direction":
        yield path, DIRECTIONS[value]
    elif name == "mail_flow":
        yield path, FLOWS.get(value, value)
    elif name == "mid":
        yield path, str(value)
    elif name == "tls_version":
        yield from _version("tls", value)
    elif name == "tls_result":
        yield path, value
        yield "event.outcome", OUTCOMES[value]
        yield "tls.established", value == "success"
    elif name in LISTS:
        yield path, _list(value)
    else:
        yield path, value


def _version(prefix: str, logged: str) -> Iterable[tuple[str, str]]:
    known = tls_version(logged)
    if known is None:
        yield f"{prefix}.version", logged
    else:
        yield f"{prefix}.version", known[0]
        yield f"{prefix}.version_protocol", known[1]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _relate(document: dict[str, Any], group: str, values: Iterable[Any]) -> None:
    """Put those values that exist under ``related``, each once."""
    found = dict.fromkeys(one for value in values if value for one in _list(value))
    if found:
        put(document, f"related.{group}", [*found])


def _type_of_network(document: dict[str, Any], address: str | None) -> None:
    if address:
        put(document, "network.type", "ipv6" if ":" in address else "ipv4")


# ---- connections and messages ----

_CONNECTION_PATHS = {
    "opened": "event.start",
    "closed": "event.end",
    "tls_verdict": "esatls.verdict",
}
"""ECS fields for the fields that connections have and events do not; one that is not here has its name under ``esatls``."""
_MESSAGE_PATHS = {
    "received": "esatls.received.verdict",
    "received_tls_version": "esatls.received.tls.version",
    "received_tls_cipher": "esatls.received.tls.cipher",
    "received_reason": "esatls.received.reason",
    "received_conflict": "esatls.received.conflict",
    "received_witness": "esatls.received.witness",
    "received_peer_ip": "source.ip",
    "received_peer_host": "source.domain",
    "received_from_mid": "esatls.received.from_mid",
    "recipients": "email.to.address",
    "delivered": "esatls.delivered.verdict",
    "first_seen": "event.start",
    "last_seen": "event.end",
}
"""The same for the fields that messages have and events do not."""
_DELIVERY_PATHS = {"tls_version": "tls.version", "tls_cipher": "tls.cipher", "peer_ip": "ip", "peer_host": "host"}
"""Fields of one delivery that have another name under ``esatls.deliveries``."""

PARTNER_PATHS: dict[str, tuple[str, tuple[str, ...]]] = {
    "esatls.received.partner": ("receiving", ()),
    "esatls.delivered.partner": ("delivery", ()),
    "esatls.delivered.cleartext_partner": ("delivery", ("cleartext", "mixed")),
    "esatls.delivered.unknown_partner": ("delivery", (UNKNOWN,)),
}
"""ECS fields for the partners of a message: their side, and the verdicts of those that are in the field; if there are none, it has all."""


def connection_path(name: str) -> str:
    """Return the ECS field for a field that connections have and events do not."""
    return _CONNECTION_PATHS.get(name, f"esatls.{name}")


def message_path(name: str) -> str:
    """Return the ECS field for a field of a message."""
    return ecs_field(name, None) if name in _TABLE else _MESSAGE_PATHS.get(name, f"esatls.{name}")


def delivery_path(name: str) -> str:
    """Return the field under ``esatls.deliveries`` for a field of a delivery."""
    return _DELIVERY_PATHS.get(name, name)


def connection_document(record: ConnectionRecord) -> dict[str, Any]:
    """Return the document of one connection record.

    Besides the record's fields it has ``esatls.partner``, the best name that the log gives the other side, and ``esatls.share.*``.
    """
    direction = record["esa_direction"]
    own = {"event.dataset": "esatls.connections", "event.category": ["network"], "event.type": ["connection"]}
    document = _document({**CONSTANTS, **APPLIANCE, **SMTP, **own})
    _relate(document, "ip", (record.get("peer_ip"), record.get("interface_ip")))
    _relate(document, "hosts", (record.get("peer_host"), record.get("tls_domain"), record.get("domain")))
    _type_of_network(document, record.get("peer_ip"))
    for name, value in record.items():
        if name in _TABLE:
            for path, converted in _converted(name, value, direction):
                put(document, path, converted)
        else:
            put(document, connection_path(name), value)
    verdict = record["tls_verdict"]
    if verdict in counted(CONNECTION_VERDICTS):
        put(document, "tls.established", verdict in OVER_TLS)
    put(document, "event.outcome", _OUTCOMES.get(verdict, "unknown"))
    put(document, "esatls.partner", partner_name(record.get("domain"), record.get("peer_host"), record.get("peer_ip")))
    _shares(document, "esatls.share", verdict, counted(CONNECTION_VERDICTS))
    _moment(document, record.get("opened") or record.get("closed"))
    return document


def message_document(record: MessageRecord) -> dict[str, Any]:
    """Return the document of one message record.

    Besides the record's fields it has the partners (``esatls.received.partner``: the sender's domain of an incoming message, ``esatls.delivered.partner``: the
    recipients' domains of an outgoing one; both if the flow is not known; ``esatls.delivered.cleartext_partner`` and ``esatls.delivered.unknown_partner``:
    those to which it went in clear text, at least in part, or in an unknown way), shares, and ``esatls.path``: the way of the message, hop by hop, in words.
    """
    own = {"event.dataset": "esatls.messages", "event.category": ["email"], "event.type": ["info"]}
    document = _document({**CONSTANTS, **APPLIANCE, **own})
    deliveries = record.get("deliveries", [])
    _relate(document, "ip", (record.get("received_peer_ip"), *(one.get("peer_ip") for one in deliveries)))
    _relate(document, "hosts", (record.get("received_peer_host"), *(one.get(name) for one in deliveries for name in ("peer_host", "domain"))))
    _relate(document, "user", (record.get("sender"), record.get("recipients")))
    outcomes = {one.get("outcome") for one in deliveries}
    put(document, "event.outcome", "success" if "done" in outcomes else "failure" if "bounced" in outcomes else "unknown")
    fields: Mapping[str, Any] = record
    for name, value in fields.items():
        if name == "deliveries":
            found: Iterable[tuple[str, Any]] = [(message_path(name), [_delivery(delivery) for delivery in value])]
        elif name == "received_tls_version":
            found = _version("esatls.received.tls", value)
        else:
            found = _converted(name, value, None) if name in _TABLE else [(message_path(name), value)]
        for path, converted in found:
            put(document, path, converted)
    partners = partners_of(record)
    for path, (side, verdicts) in PARTNER_PATHS.items():
        names = sorted(name for its_side, verdict, name in partners if its_side == side and (not verdicts or verdict in verdicts))
        if names:
            put(document, path, names)
    _shares(document, "esatls.received.share", record["received"], counted(RECEIVED_VERDICTS))
    _shares(document, "esatls.delivered.share", record["delivered"], counted(DELIVERED_VERDICTS))
    put(document, "esatls.path", path_of(record))
    _moment(document, record.get("first_seen") or record.get("last_seen"))
    return document


def path_of(record: MessageRecord) -> list[str]:
    """Return the way of a message in words, one line for each hop."""
    lines = []
    if "parent_mid" in record:
        lines.append(f"made from MID {record['parent_mid']} ({record.get('mid_relation', 'unknown')})")
    by = f" from {record.get('received_peer_host') or record['received_peer_ip']}" if "received_peer_ip" in record or "received_peer_host" in record else ""
    over = f", ICID {record['icid']}" if record.get("icid") else ""
    lines.append(
        f"received {_words(record['received'], record.get('received_tls_version'), record.get('received_tls_cipher'), record.get('received_reason'))}{by}{over}"
    )
    for delivery in record.get("deliveries", []):
        to = delivery.get("domain") or delivery.get("peer_host") or delivery.get("peer_ip")
        outcome = delivery.get("outcome", "started")
        words = _words(delivery.get("verdict", "unknown"), delivery.get("tls_version"), delivery.get("tls_cipher"), delivery.get("reason"))
        dcid = f", DCID {delivery['dcid']}" if "dcid" in delivery else ""
        lines.append(f"delivery {outcome} {words}{f' to {to}' if to else ''}{dcid}")
    return lines


def _words(verdict: str, version: str | None, cipher: str | None, reason: str | None) -> str:
    details = " ".join(part for part in (version, cipher) if part) or reason
    return f"{verdict} ({details})" if details else verdict


def _delivery(delivery: DeliveryRecord) -> dict[str, Any]:
    document: dict[str, Any] = {}
    fields: Mapping[str, Any] = delivery
    for name, value in fields.items():
        if name == "tls_version":
            for path, part in _version("tls", value):
                put(document, path, part)
        else:
            put(document, delivery_path(name), value)
    return document


def _shares(document: dict[str, Any], path: str, verdict: str, words: tuple[str, ...]) -> None:
    """Set 1 for a verdict and 0 for the other ones in ``words``, so that their averages are shares. A verdict that is not in ``words`` does not count."""
    if verdict in words:
        for word in words:
            put(document, f"{path}.{word}", int(word == verdict))


def _moment(document: dict[str, Any], time: str | None) -> None:
    if time is not None:
        document["@timestamp"] = time
