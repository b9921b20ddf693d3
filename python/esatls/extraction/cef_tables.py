"""What the keys of a consolidated event mean, and whose text their values are; every engine's reader is made from these tables."""

from __future__ import annotations

SPACED_KEYS = ("Message Filters Verdict", "E SAAMPVerdict")
"""A key is one word, but for these, which AsyncOS writes with a space."""

IDENTITY = {"cs4": "message_id", "msg": "subject"}
"""Keys whose values are written as quoted Python strings -> field of an event: what a person knows a mail by."""

NAMES = {
    "ESAMID": "mid",
    "ESAICID": "icid",
    "ESADCID": "dcid",
    "ESADaneStatus": "dane_status",
    "ESADaneHost": "dane_host",
    "ESASenderGroup": "sender_group",
    "ESAMailFlowPolicy": "hat_action",
    "act": "action",
    "suser": "sender",
    "duser": "recipient",
    "src": "peer_ip",
    "sourceAddress": "peer_ip",
    "shost": "peer_host",
    "sourceHostName": "peer_host",
    "deviceDirection": "mail_flow",
    "deviceExternalId": "serial",
    **IDENTITY,
    "end": "ended",
    "endTime": "ended",
    "EndTime": "ended",
}
"""Key of a record -> field of an event."""

TLS_NAMES = {
    "ESATLSInConnStatus": "tls_in_result",
    "ESATLSInProtocol": "tls_in_version",
    "ESATLSInCipher": "tls_in_cipher",
    "ESATLSOutConnStatus": "tls_out_result",
    "ESATLSOutProtocol": "tls_out_version",
    "ESATLSOutCipher": "tls_out_cipher",
}
"""Key of a record that states TLS -> field of an event."""

RESULTS = {"success": "success", "failure": "failed"}
"""What a connection's status states, in small letters."""

FLOWS = {"0": "incoming", "1": "outgoing"}
"""What ``deviceDirection`` states."""

IDS = ("mid", "icid", "dcid")
"""Fields that are numbers."""

LONGEST_ID = 18
"""Digits of an id, as in the patterns of the text log: it fits into 64 bits."""

NO_VALUES = {"peer_host": "unknown", "sender": "<>"}
"""What the appliance writes where a field has no value."""

TIMES = {"rt": "received", **{key: name for key, name in NAMES.items() if name == "ended"}}
"""Keys that date a record without a stamp in front of it."""

QUOTED_KEYS = frozenset(IDENTITY)
"""Keys whose values strangers choose and the appliance writes as quoted Python strings."""

STRANGERS = QUOTED_KEYS | {
    "ESAFinalActionDetails",
    "ESAFriendlyFrom",
    "ESAHeloDomain",
    "ESAReplyTo",
    "duser",
    "shost",
    "sourceHostName",
    "suser",
}
"""Keys whose values strangers choose."""
