"""What Splunk must answer, in Splunk's form: a line's fields, an event's columns, a record's row.

Last compared with: what the Python package answers, in each test; never with a Splunk, but for tests/servers/splunk.py in the workflow `servers`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from esatls.lines import envelope
from esatls.lines.clock import parse_rfc3339
from esatls.verdicts.flat import flat
from esatls.verdicts.partners import partners_of

from tests.core.support import clock

if TYPE_CHECKING:
    from esatls.verdicts.record_types import MessageRecord

    from tests.splunk.driver import Value

NATIVE = "Wed Jul 20 19:47:40 2005 Info: "
SYSLOG = "<22>Jan 21 12:47:11 esa1.example.com mail_logs: Info: "

# ---- extraction by props.conf and transforms.conf ----

TEXT = "esatls_text"
CEF_NAMES = {
    "mid", "icid", "dcid", "tls_in_result", "tls_in_version", "tls_in_cipher", "tls_out_result", "tls_out_version", "tls_out_cipher", "dane_status",
    "dane_host", "message_id", "subject",
}  # fmt: skip

# Records of which only the commands take some field: why.
CEF_DOUBTFUL = {
    "ESAMID=7091": "a field stands twice",
    "ESAMID=7092": "a field stands twice with two values: the whole side is left out here, too",
    "ESAMID=7093": "a field stands twice, once behind a stranger's value",
    "ESAMID=7062": "joined with semicolons, as another product than Splunk does",
    "ESAMID=7056": "a MID right behind the header, where an appliance has its serial number",
    "ESAMID=7043": "AsyncOS 13, which does not escape a stranger's words",
    "ESAMID=7045": "quotes of a JSON string left in",
    "ESAMID=7052": "an escape within the subject",
    "ESAMID=7079": "an escape within the subject",
    "ESAMID=7081": "a Message-ID behind words without an end of their own",
    "ESAMID=7083": "a subject without quotes",
    "ESAMID=7086": "the quotes were cut off",
    "ESAMID=7041": "an escape within the subject",
    "ESAMID=7101": "an escape within the subject",
    "ESAMID=7102": "quotes of a JSON string left in",
    "ESAMID=7104": "the quotes were cut off",
    "ESAMID=7108": "AsyncOS 13, which does not escape a stranger's words",
}


def doubtful(record: str) -> bool:
    """Tell whether a record is one of which the confs may give less: it leaves room for doubt, or has the form of another product (no header)."""
    return "CEF:" not in record or any(mid in record for mid in CEF_DOUBTFUL)


def as_logged(value: Any) -> str:
    """Return a value as the log has it."""
    return ", ".join(str(item) for item in value) if isinstance(value, list) else str(value)


def extracted(fields: dict[str, str]) -> dict[str, str]:
    """Return the extracted fields in the extractor's form; an envelope alone is no event, and a kind's own field is none of the extractor's."""
    kinds = {name for name in fields if name.startswith("esatls_") and name != TEXT}
    if not kinds:
        left = set(fields) - {TEXT, "esa_host", "esa_log", "esa_level"}
        assert left == set(), left
        return {}
    (kind,) = kinds
    assert kind.startswith(f"esatls_{fields['esa_event']}")
    fields = {name: value for name, value in fields.items() if name not in {TEXT, kind}}
    if "rid" in fields:
        fields["rid"] = ", ".join(fields["rid"].replace(",", " ").split())
    return fields


# ---- the commands ----

HOST = "esa9.example.com"
TIME = "1121888860"


def event(raw: str, **fields: str) -> dict[str, Value]:
    """Return an event as Splunk has it in its index."""
    return {"_raw": raw, "host": HOST, "_time": TIME, "source": "/var/log/mail", "sourcetype": "cisco:esa:textmail", **fields}


def as_text(value: Any) -> Value:
    """Return a field's value as Splunk shows it: text, or a list of at least two."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        words = [str(as_text(word)) for word in value]
        return words if len(words) > 1 else "".join(words)
    return str(value)


def splunk_time(seconds: float) -> str:
    """Return a time as Splunk writes it: up to milliseconds."""
    return str(seconds) if isinstance(seconds, int) else f"{seconds:.3f}"


def row_of(record: dict[str, Any]) -> dict[str, Value]:
    """Return a record as a row of Splunk."""
    attempts = record.get("deliveries", [])
    plain = {**flat(record), "deliveries": [json.dumps(attempt, separators=(",", ":")) for attempt in attempts]}
    if "received" in record:
        plain["mail"] = list(map(":".join, partners_of(cast("MessageRecord", record))))
    row = {name: as_text(value) for name, value in plain.items() if not isinstance(value, list) or any(map(str, value))}
    if "esa_host" in row:
        row["host"] = row["esa_host"]
    if "first_seen" in record:
        row["_time"] = splunk_time(parse_rfc3339(record["first_seen"]))
    return row


def events_of(log: str, *, host: str = HOST) -> list[dict[str, Value]]:
    """Return the events that Splunk makes of a log, newest first, as a search gets them. Splunk reads the stamps, in UTC here."""
    found = []
    for line in log.splitlines():
        stamp = envelope.parse(line).stamp
        time = clock().read(stamp) if stamp else None
        found.append({**event(line, host=host), "_time": splunk_time(time) if time is not None else ""})
    return found[::-1]
