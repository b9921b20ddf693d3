"""Types of facts: what the merge keeps of each kind of event.

The stores hold a fact as a plain tuple in the order of its type, which marshal and JSON can carry; code that reads its
values makes the type of it: `TlsSuccess(*fact).tls_cipher`. Loops over many facts use the positions CODE, TIME and KEY.
"""

# no postponed annotations: each of a hundred fields would be compiled separately, at every start
# ruff: noqa: FA100

from collections.abc import Mapping
from typing import Any, NamedTuple, Optional

from esatls.lines.clock import Time

Fact = tuple[Any, ...]
"""`(code, time, key, *values)`, with the witness at the end unless it is the text log."""

RECEIVING, DELIVERY, MESSAGES = 0, 1, 2
"""The three stores of an appliance's facts: by ICID, by DCID, by MID."""

CODE, TIME, KEY = 0, 1, 2
"""Positions that all facts share."""

TEXT, CEF, TRACKING = 0, 1, 2
"""Witnesses: the text log, a consolidated event, message tracking. Numbers, because no text of a log can equal one."""
WITNESS_NAMES = ("text", "cef", "tracking")


class ConnectionOpened(NamedTuple):
    """A connection was opened."""

    code: str
    time: Optional[Time]
    key: str
    peer_ip: Optional[str]
    peer_host: Optional[str]
    peer_port: Optional[str]
    interface: Optional[str]
    interface_ip: Optional[str]
    witness: int = TEXT


class HatPolicy(NamedTuple):
    """The host access table decided."""

    code: str
    time: Optional[Time]
    key: str
    hat_action: Optional[str]
    sender_group: Optional[str]
    country: Optional[str]
    peer_ip: Optional[str]
    witness: int = TEXT


class TlsSuccess(NamedTuple):
    """TLS came up."""

    code: str
    time: Optional[Time]
    key: str
    tls_version: Optional[str]
    tls_cipher: Optional[str]
    tls_peer_cn: Optional[str]
    tls_domain: Optional[str]
    witness: int = TEXT


class TlsSaid(NamedTuple):
    """TLS failed, was required, was not offered, or is mentioned in other words."""

    code: str
    time: Optional[Time]
    key: str
    tls_reason: Optional[str]
    peer_ip: Optional[str]
    witness: int = TEXT


class Plain(NamedTuple):
    """A fact without values: it only says that something happened."""

    code: str
    time: Optional[Time]
    key: str
    nothing: None = None
    witness: int = TEXT


class TlsRead(NamedTuple):
    """Data of a message was read over TLS."""

    code: str
    time: Optional[Time]
    key: str
    mid: Optional[str]
    witness: int = TEXT


class BrokenConnection(NamedTuple):
    """A delivery connection broke."""

    code: str
    time: Optional[Time]
    key: str
    tls_reason: Optional[str]
    error_details: Optional[str]
    peer_ip: Optional[str]
    peer_port: Optional[str]
    tls_domain: Optional[str]
    interface: Optional[str]
    interface_ip: Optional[str]
    witness: int = TEXT


class ConnectionClosed(NamedTuple):
    """A connection ended."""

    code: str
    time: Optional[Time]
    key: str
    close_reason: Optional[str]
    witness: int = TEXT


class MessageStarted(NamedTuple):
    """A message began."""

    code: str
    time: Optional[Time]
    key: str
    icid: Optional[str]
    start_note: Optional[str]
    witness: int = TEXT


class MessageSender(NamedTuple):
    """The envelope sender of a message."""

    code: str
    time: Optional[Time]
    key: str
    icid: Optional[str]
    sender: Optional[str]
    witness: int = TEXT


class MessageRecipient(NamedTuple):
    """One of the envelope recipients of a message."""

    code: str
    time: Optional[Time]
    key: str
    icid: Optional[str]
    rid: Optional[str]
    recipient: Optional[str]
    witness: int = TEXT


class MessagePolicy(NamedTuple):
    """The policy table that a message matched."""

    code: str
    time: Optional[Time]
    key: str
    policy_table: Optional[str]
    witness: int = TEXT


class MessageIdentity(NamedTuple):
    """The Message-ID or the subject, by which a person knows a mail."""

    code: str
    time: Optional[Time]
    key: str
    message_id: Optional[str]
    subject: Optional[str]
    witness: int = TEXT


class Delivery(NamedTuple):
    """A delivery began or was completed; or the message went to a quarantine, perhaps over a connection, or left it."""

    code: str
    time: Optional[Time]
    key: str
    dcid: Optional[str]
    rid: Optional[str]
    witness: int = TEXT


class Try(NamedTuple):
    """A delivery bounced or was delayed."""

    code: str
    time: Optional[Time]
    key: str
    dcid: Optional[str]
    rid: Optional[str]
    delivery_response: Optional[str]
    sender: Optional[str]
    recipient: Optional[str]
    witness: int = TEXT


class MessageFinished(NamedTuple):
    """The appliance is done with a message."""

    code: str
    time: Optional[Time]
    key: str
    message_end: Optional[str]
    witness: int = TEXT


class MessageAborted(NamedTuple):
    """A message was dropped or not received completely."""

    code: str
    time: Optional[Time]
    key: str
    abort_reason: Optional[str]
    witness: int = TEXT


class Lineage(NamedTuple):
    """A message was made from another one; the code is the relation."""

    code: str
    time: Optional[Time]
    key: str
    parent_mid: Optional[str]
    mid_agent: Optional[str] = None
    witness: int = TEXT


class Consolidated(NamedTuple):
    """What a consolidated event says about its message."""

    code: str
    time: Optional[Time]
    key: str
    icid: Optional[str]
    dcid: Optional[str]
    tls_in_result: Optional[str]
    tls_in_version: Optional[str]
    tls_in_cipher: Optional[str]
    tls_out_result: Optional[str]
    tls_out_version: Optional[str]
    tls_out_cipher: Optional[str]
    action: Optional[str]
    sender: Optional[str]
    recipient: Optional[str]
    mail_flow: Optional[str]
    peer_ip: Optional[str]
    peer_host: Optional[str]
    dane_status: Optional[str]
    dane_host: Optional[str]
    message_id: Optional[str]
    subject: Optional[str]
    witness: int = CEF


class TlsStated(NamedTuple):
    """What a consolidated event says about a connection."""

    code: str
    time: Optional[Time]
    key: str
    tls_result: Optional[str]
    tls_version: Optional[str]
    tls_cipher: Optional[str]
    witness: int = CEF


KINDS: dict[str, type[Any]] = {
    "connection_opened": ConnectionOpened,
    "hat_policy": HatPolicy,
    "tls_success": TlsSuccess,
    "tls_failed": TlsSaid,
    "tls_required": TlsSaid,
    "tls_not_offered": TlsSaid,
    "tls_read": TlsRead,
    "tls_other": TlsSaid,
    "connection_error": BrokenConnection,
    "connection_closed": ConnectionClosed,
    "message_started": MessageStarted,
    "message_sender": MessageSender,
    "message_recipient": MessageRecipient,
    "message_accepted": Plain,
    "message_identity": MessageIdentity,
    "message_policy": MessagePolicy,
    "delivery_started": Delivery,
    "delivery_done": Delivery,
    "delivery_bounced": Try,
    "delivery_delayed": Try,
    "message_finished": MessageFinished,
    "message_aborted": MessageAborted,
    "message_lineage": Lineage,
    "message_quarantined": Delivery,
}
"""The type of the facts of each kind of event in the text log."""

UNVERIFIED = "tls_unverified"
"""The code of facts from lines of any kind that say that a certificate was not accepted (`tls_verify`)."""

MAKES = frozenset({"rewritten", "split", "copy", "released", "notification", "bounce"})
"""Codes of facts about a message made from another one: the relations of `message_lineage`."""

FACT_TYPES: dict[str, type[Any]] = {
    **{kind: type_ for kind, type_ in KINDS.items() if kind != "message_lineage"},
    **dict.fromkeys(MAKES, Lineage),
    UNVERIFIED: TlsSaid,
    "cef": Consolidated,
    "cef_tls": TlsStated,
}
"""The type of the facts of each code."""


def values_of(type_: type[Any]) -> tuple[str, ...]:
    """Return the names of the values in a type of fact, which are fields of events."""
    return tuple(name for name in type_._fields[KEY + 1 : -1] if name != "nothing")


FACT_FIELDS: dict[str, tuple[str, ...]] = {kind: values_of(type_) for kind, type_ in KINDS.items()}
"""What the merge keeps of each kind of event besides its id, in the order of its type."""
CEF_FIELDS: tuple[str, ...] = values_of(Consolidated)
"""The same for a consolidated event."""


def position(name: str, *types: type[Any]) -> int:
    """Return the position of a value in facts of some types. Raises `ValueError` if it is not the same in all."""
    (found,) = {type_._fields.index(name) for type_ in types}
    return int(found)


PEER = position("peer_ip", ConnectionOpened)
PARENT = position("parent_mid", Lineage)
"""Positions that several modules read: of the peer in an opening, and of the message that another one was made from."""


def named(fact: Fact) -> Any:
    """Return a fact as its named type."""
    return FACT_TYPES[fact[CODE]](*fact)


def code_of(event: Mapping[str, Any]) -> str:
    """Return the code of the fact that an event states: its kind, the relation of a lineage, or UNVERIFIED."""
    return event.get("mid_relation") or (UNVERIFIED if "tls_verify" in event else event["esa_event"])


def store_of(kind: str, direction: Optional[str]) -> tuple[int, str]:
    """Return the store that a kind of event belongs to, and the name of its key."""
    if kind.startswith(("message_", "delivery_")):
        return MESSAGES, "mid"
    return (DELIVERY, "dcid") if direction == "delivery" else (RECEIVING, "icid")
