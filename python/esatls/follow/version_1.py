"""Converts checkpoints of version 1 to version 2. Version 1 did not name the values of facts, and had no heritages."""

from __future__ import annotations

from typing import Any

from esatls.extraction.fact_types import CEF, CODE, TRACKING
from esatls.verdicts.facts import TRIES

SHAPES: dict[str, list[str]] = {
    code: names.split()
    for code, names in {
        "connection_opened": "peer_ip peer_host peer_port interface interface_ip",
        "hat_policy": "hat_action sender_group country peer_ip",
        "tls_success": "tls_version tls_cipher tls_peer_cn tls_domain",
        "tls_failed": "tls_reason peer_ip",
        "tls_required": "tls_reason peer_ip",
        "tls_not_offered": "tls_reason peer_ip",
        "tls_read": "",
        "tls_other": "tls_reason peer_ip",
        "connection_error": "tls_reason error_details peer_ip peer_port tls_domain interface interface_ip",
        "connection_closed": "close_reason",
        "message_started": "icid",
        "message_sender": "icid sender",
        "message_recipient": "icid rid recipient",
        "message_policy": "policy_table",
        "delivery_started": "dcid rid",
        "delivery_done": "dcid rid",
        "delivery_bounced": "dcid rid delivery_response sender recipient",
        "delivery_delayed": "dcid rid delivery_response sender recipient",
        "message_finished": "",
        "message_aborted": "abort_reason",
        "message_quarantined": "dcid rid",
        **dict.fromkeys(("rewritten", "split", "copy", "released", "notification", "bounce"), "parent_mid"),
        "cef": "icid dcid tls_in_result tls_in_version tls_in_cipher tls_out_result tls_out_version tls_out_cipher "
        "action sender recipient mail_flow peer_ip peer_host dane_status dane_host",
        "cef_tls": "result version cipher",
    }.items()
}
"""By code of a fact: the names of its values."""
_RESPONSE = 2 + SHAPES["delivery_bounced"].index("delivery_response")
_NO_HEADERS = " []"
"""An empty list of logged headers behind a reply, which version 1 took for a part of the reply."""
_RENAMED = {"result": "tls_result", "version": "tls_version", "cipher": "tls_cipher"}


def converted(body: dict[str, Any]) -> dict[str, Any]:
    """Return the body of a checkpoint of version 1 as one of version 2. Raises `TypeError`, `LookupError` or `ValueError` if it is not valid."""
    held = body["held"]
    clock = held["clock"]
    return {
        **body,
        "stream": {**body["stream"], "lead": None, "may_begin": False, "document": None, "named": {}, "headers": {}},
        "held": {
            "shapes": {code: [_RENAMED.get(name, name) for name in names] for code, names in SHAPES.items()},
            "clock": {**clock, "stamp": clock["now"]},
            "serials": {},
            "emitted": held["told"],
            "late": held["late"],
            "items": [_item(*item) for item in held["items"]],
        },
    }


def _item(queue: str, due: Any, host: Any, kind: Any, key: Any, facts: list[Any], more: list[Any], marks: list[Any]) -> list[Any]:
    queue = "emitted" if queue == "told" else queue
    if kind == 2:
        ended, quarantined, told, past = marks
        return [queue, due, host, kind, key, [*map(_fact, facts)], [*map(_fact, more)], [ended, quarantined, told, past, None, None]]
    (closed,) = marks
    return [queue, due, host, kind, key, [*map(_fact, facts)], [[mid, *_fact([code, time, *values])] for code, time, mid, *values in more], [closed, 0]]


def _fact(fact: list[Any]) -> list[Any]:
    if fact[CODE] in TRIES and str(fact[_RESPONSE]).endswith(_NO_HEADERS):
        fact = [*fact[:_RESPONSE], fact[_RESPONSE][: -len(_NO_HEADERS)], *fact[_RESPONSE + 1 :]]
    if fact[-1] is True:
        return [*fact[:-1], TRACKING]
    return [*fact, CEF] if fact[CODE] in ("cef", "cef_tls") else fact
