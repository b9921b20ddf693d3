"""Consolidated events as collectors hand them out that took them apart and kept no text."""

from __future__ import annotations

from typing import Any

CLASS = "ESA_CONSOLIDATED_LOG_EVENT"
AT = "2024-03-03T10:00:02Z"
OWN = {
    "ESAMID": "14",
    "ESAICID": "5",
    "ESADCID": "6",
    "ESAMailFlowPolicy": "RELAY",
    "ESASenderGroup": "RELAYLIST",
    "ESAFriendlyFrom": "Ann <ann@example.com>",
    "ESASPFVerdict": "{'mailfrom': {'result': 'Pass', 'sender': 'ann@example.com'}}",
    "ESATLSInConnStatus": "Success",
    "ESATLSInProtocol": "TLSv1.2",
    "ESATLSOutConnStatus": "Failure",
}
SHORT = {"act": "DELIVERED", "suser": "a=b@example.com", "duser": "bob@example.net;eve@example.net", "shost": "mail.example.com", "src": "192.0.2.7"}
SHORT |= {"cs4": "'<x=y@example.com>'", "msg": "'it\\'s a = b'", "deviceDirection": "1", "deviceExternalId": "0123456789AB-EXAMPLE0001"}
LONG_NAMES = {
    "act": "deviceAction",
    "suser": "sourceUserName",
    "duser": "destinationUserName",
    "shost": "sourceHostName",
    "src": "sourceAddress",
    "cs4": "deviceCustomString4",
    "msg": "message",
}
LONG = {LONG_NAMES.get(key, key): value for key, value in SHORT.items()}

EVENT: dict[str, Any] = {
    "time": AT,
    "esa_host": "esa1",
    "esa_event": "consolidated_event",
    "witness": "cef",
    "tls_in_result": "success",
    "tls_in_version": "TLSv1.2",
    "tls_out_result": "failed",
    "mid": 14,
    "icid": 5,
    "dcid": 6,
    "sender_group": "RELAYLIST",
    "hat_action": "RELAY",
    "action": "DELIVERED",
    "sender": "a=b@example.com",
    "recipient": "bob@example.net;eve@example.net",
    "peer_ip": "192.0.2.7",
    "peer_host": "mail.example.com",
    "mail_flow": "outgoing",
    "serial": "0123456789AB-EXAMPLE0001",
    "message_id": "<x=y@example.com>",
    "subject": "it\\'s a = b",
}
"""The event in each of the records."""


def elastic(**extensions: Any) -> dict[str, Any]:
    """Return a record as Filebeat's processor makes it."""
    device = {"vendor": "Cisco", "product": "C100V Email Security Virtual Appliance", "version": "15.0.0-104", "event_class_id": CLASS}
    parts = {"version": "0", "name": "Consolidated Log Event", "severity": "5", "device": device, "extensions": extensions}
    return {"@timestamp": AT, "cef": parts, "event": {"code": CLASS}, "message": extensions.get("message"), "observer": {"hostname": "esa1"}}


def records() -> dict[str, dict[str, Any]]:
    """Return the event in the records of several collectors."""
    names = {"deviceVendor": "Cisco", "deviceProduct": "x", "deviceVersion": "15.0.0-104", "deviceEventClassId": CLASS, "name": "x", "severity": "5"}
    graylog = {"device_version": "14.3.0-032", "event_class_id": CLASS, "gl2_source_input": "x", "timestamp": AT, "host": "esa1"}
    flat = {
        "cef.device.version": "15.0.0",
        "cef.device.event_class_id": CLASS,
        "@timestamp": AT,
        "observer.hostname": "esa1",
        "cef.extensions.ESADaneHost": "-",
    }
    ecs = {"action": "DELIVERED", "code": CLASS}
    found: dict[str, dict[str, Any]] = {
        "Vector": {**names, **OWN, **SHORT, "timestamp": AT, "host": "esa1"},
        "Logstash": {**names, **OWN, **LONG, "@timestamp": AT, "host": "esa1"},
        "Logstash, in ECS": {
            **OWN,
            **{key: SHORT[key] for key in ("deviceDirection", "deviceExternalId")},
            "@timestamp": AT,
            "event": ecs,
            "observer": {"hostname": "esa1", "version": "15.0.0-104"},
            "message": SHORT["msg"],
            "source": {"user": {"name": SHORT["suser"]}, "ip": SHORT["src"], "domain": SHORT["shost"]},
            "destination": {"user": {"name": SHORT["duser"]}},
            "cef": {"version": "0", "device_custom_string_4": {"value": SHORT["cs4"]}},
        },
        "Graylog": {**graylog, **OWN, **SHORT, "message": f"x: [{CLASS}, 5] Consolidated Log Event"},
        "Graylog, with full names": {**graylog, **OWN, **LONG},
        "Filebeat": elastic(**OWN, **LONG),
        "Filebeat, with numbers": elastic(**OWN, **{**LONG, "deviceDirection": 1}),
        "Kibana": {**flat, **{f"cef.extensions.{name}": value for name, value in {**OWN, **LONG}.items()}},
    }
    found["a search server's answer"] = {name: [value] for name, value in found["Kibana"].items()}
    return {name: dict(sorted(record.items())) for name, record in found.items()}


CUT = {"ESAFriendlyFrom": "Eve", "ESATLSInConnStatus": "Success"}
"""What a collector makes of a name with a TLS field in it, if the appliance did not escape that."""

NO_EVENTS: list[dict[str, Any]] = [
    elastic(ESAMID="14", message="'x", ESATLSInConnStatus="Success"),
    elastic(ESAMID="14", message="'x\\'", ESATLSInConnStatus="Success"),
    elastic(ESAMID="14", deviceCustomString4='"<x', ESATLSInConnStatus="Success"),
    elastic(ESAMID="14", ESAAttachmentDetails="{'x", ESATLSInConnStatus="Success"),
    elastic(ESAICID="5", message="'x'", ESATLSInConnStatus="Success"),
    elastic(ESAMID=["14", "15"], ESATLSInConnStatus="Success"),
    elastic(ESAMID=["14"], ESAAttachmentDetails=["{'x"], ESATLSInConnStatus="Success"),
    {"deviceVersion": "15.0|x", "deviceEventClassId": CLASS, **OWN, **SHORT},
    {"deviceVersion": "15.0\n", "deviceEventClassId": CLASS, **OWN, **SHORT},
    {"deviceVersion": "13.0.0-392", "deviceEventClassId": CLASS, **OWN, **SHORT},
    {"deviceEventClassId": CLASS, **OWN, **SHORT},
    {"deviceVersion": "15.0.0-104", "deviceEventClassId": "x", **OWN, **SHORT},
    {"email": {"deviceVersion": "15.0.0-104", "deviceEventClassId": CLASS, **OWN}},
]
"""Records that state nothing that can be relied on."""

NO_TLS: list[dict[str, Any]] = [
    elastic(ESAMID="14", **CUT),
    elastic(ESAMID="14", **{**CUT, "ESAFriendlyFrom": "a=b"}),
    elastic(ESAMID="14", ESAHeloDomain="x", ESASenderGroup="X", ESATLSInConnStatus="Success"),
    elastic(ESAMID="14", ESAFinalActionDetails="5.1.0 - refused", ESATLSOutConnStatus="Success"),
    elastic(ESAMID="14", sourceUserName='"x', ESATLSInConnStatus="Success"),
    elastic(ESAMID="14", ESATLSInConnStatus="Success'", message="'x'"),
]
"""Records in which a stranger may have stated TLS."""
