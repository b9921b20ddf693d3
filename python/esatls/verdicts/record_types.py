"""What a record holds; a field without a value is absent.

Made by python/generate; do not edit.
"""

from __future__ import annotations

from typing import TypedDict


class ConnectionRecord(TypedDict, total=False):
    """One connection with its verdict."""

    esa_host: str
    esa_direction: str
    icid: int
    dcid: int
    opened: str
    closed: str
    peer_ip: str
    peer_host: str
    peer_port: int
    interface: str
    interface_ip: str
    hat_action: str
    sender_group: str
    country: str
    tls_verdict: str
    tls_version: str
    tls_cipher: str
    tls_reason: str
    tls_peer_cn: str
    tls_domain: str
    tls_required: bool
    conflict: str
    witness: list[str]
    domain: str
    mail_flow: str
    messages: int


class DeliveryRecord(TypedDict, total=False):
    """One attempt to deliver a message."""

    dcid: int
    rid: list[int]
    outcome: str
    time: str
    verdict: str
    tls_version: str
    tls_cipher: str
    peer_ip: str
    peer_host: str
    domain: str
    reason: str
    response: str
    conflict: str
    witness: list[str]


class MessageRecord(TypedDict, total=False):
    """One message with its verdicts."""

    esa_host: str
    mid: int
    icid: int
    received: str
    received_tls_version: str
    received_tls_cipher: str
    received_reason: str
    received_peer_ip: str
    received_peer_host: str
    received_conflict: str
    received_witness: list[str]
    received_from_mid: int
    mail_flow: str
    sender: str
    recipients: list[str]
    parent_mid: int
    mid_relation: str
    delivered: str
    deliveries: list[DeliveryRecord]
    first_seen: str
    last_seen: str
    finished: bool
    message_id: str
    subject: str
