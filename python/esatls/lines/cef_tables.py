"""What the keys of a consolidated event mean, and who chooses their values; every engine's reader is generated from these tables."""

from __future__ import annotations

SPACED_KEYS = ("Message Filters Verdict", "E SAAMPVerdict")
"""The keys that AsyncOS writes with a space; all others are one word."""

IDENTITY = {"cs4": "message_id", "msg": "subject"}
"""Keys that identify a mail to a person, with quoted Python strings as values -> field of an event."""

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
"""Key of a TLS field -> field of an event."""

RESULTS = {"success": "success", "failure": "failed"}
"""Status of a connection, in lower case -> result."""

FLOWS = {"0": "incoming", "1": "outgoing"}
"""``deviceDirection`` -> mail flow."""

IDS = ("mid", "icid", "dcid")
"""Fields that are numbers."""

LONGEST_ID = 18
"""Maximum digits of an id, as in the patterns of the text log, so that it fits into 64 bits."""

NO_VALUES = {"peer_host": "unknown", "sender": "<>"}
"""What the appliance writes if a field has no value."""

TIMES = {"rt": "received", **{key: name for key, name in NAMES.items() if name == "ended"}}
"""Keys with the time of a record that has no stamp in front of it."""

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

KEYS = (
    *(key for key in NAMES if key not in STRANGERS),
    *(key for key in NAMES if key in STRANGERS),
    *sorted(STRANGERS - NAMES.keys()),
    *TLS_NAMES,
)
"""The keys that matter, in the order in which a record is made again: what strangers choose is in front of the TLS fields."""

KNOWN_KEYS = frozenset({
    *NAMES, *STRANGERS, *SPACED_KEYS, "ESAAMPVerdict", "ESAASVerdict", "ESAAVVerdict", "ESAAttachmentDetails", "ESACFVerdict", "ESADHASource",
    "ESADKIMVerdict", "ESADLPVerdict", "ESADMARCVerdict", "ESAGMVerdict", "ESAHeloIP", "ESAMARAction", "ESAMFVerdict", "ESAMsgSize",
    "ESAMsgTooBigFromSender", "ESAOFVerdict", "ESARateLimitedIP", "ESASDRDomainAge", "ESASPFVerdict", "ESAStatus", "ESAURLDetails",
    "cfp1", "cfp1Label", "cs1", "cs1Label", "cs2", "cs2Label", "cs3", "cs3Label", "cs4Label", "cs5", "cs5Label", "cs6", "cs6Label",
    "deviceInboundInterface", "deviceOutboundInterface", "dvc", "rt", "start", "startTime",
})  # fmt: skip
"""Keys of which it is known who chooses their values. Any other may have a stranger's text, which has no end where fields are joined without escapes."""
