"""What an event holds; a field without a value is absent.

Made by python/generate; do not edit.
"""

from __future__ import annotations

from typing import TypedDict


class EventRecord(TypedDict, total=False):
    """The fields that one line states, and those of its header."""

    time: str
    esa_host: str
    esa_log: str
    esa_level: str
    esa_event: str
    esa_direction: str
    icid: int
    dcid: int
    mid: int
    rid: list[int]
    tls_result: str
    tls_version: str
    tls_cipher: str
    tls_reason: str
    tls_verify: str
    tls_peer_cn: str
    tls_domain: str
    peer_ip: str
    peer_host: str
    peer_port: int
    interface: str
    interface_ip: str
    hat_action: str
    sender_group: str
    hat_match: str
    sbrs: str
    country: str
    sender: str
    recipient: str
    message_id: str
    subject: str
    size: int
    delivery_outcome: str
    delivery_response: str
    parent_mid: int
    mid_relation: str
    mid_agent: str
    mail_flow: str
    close_reason: str
    error_details: str
    start_note: str
    message_end: str
    abort_reason: str
    quarantine: str
    utc_offset: int
    tls_in_result: str
    tls_in_version: str
    tls_in_cipher: str
    tls_out_result: str
    tls_out_version: str
    tls_out_cipher: str
    dane_status: str
    dane_host: str
    action: str
    serial: str
    ended: str
    witness: str
