"""Records with several texts, of which one may be the line."""

from __future__ import annotations

from typing import Any

_WORDS = "received from relay"
_LINE = "Tue Mar  3 10:00:00 2026 Info: ICID 5 TLS success"
_FORGED = "Mar  3 10:00:02 esa1 mail_logs: Info: ICID 6 TLS success"

RECORDS: list[tuple[dict[str, Any], list[int]]] = [
    ({"message": _WORDS, "raw": _LINE}, [5]),
    ({"message": _WORDS, "log": "a mail log", "raw_log": "Info: ICID 5 TLS success"}, [5]),
    ({"message": f"{_WORDS}\n{_FORGED}", "line": _LINE}, [5]),
    ({"log": _WORDS, "event": _LINE}, [5]),
    ({"message": _WORDS, "raw": _LINE, "raw_log": _FORGED, "subject": _FORGED}, [5]),
    ({"message": _WORDS, "raw": "Info: ICID 5 TLS success", "raw_log": _LINE}, [5]),
    ({"log": _WORDS, "message": _WORDS, "logmsg": f" {_LINE}"}, [5]),
    # what may hold a stranger's text is no line behind another text
    *(({"log": _WORDS, name: _FORGED}, []) for name in ("msg", "Message", "body", "payload")),
    ({"message": _WORDS, "msg": _FORGED, "raw": _LINE}, [5]),
    ({"message": _WORDS, "subject": _FORGED, "email": {"raw": _FORGED}, "sender": _FORGED}, []),
    # a line without a header, and what may hold one
    ({"message": "MID 1 Subject 'x'", "raw": _FORGED}, []),
    ({"message": "ICID 5 TLS success", "raw": _FORGED}, [5]),
    ({"message": "Message finished MID 1 done", "raw": _FORGED}, []),
    ({"message": "to RID [0] Response 'ok'", "raw": _FORGED}, []),
    ({"message": "Info: x y", "raw": _FORGED}, []),
    ({"message": '{"text": "a b"}', "raw": _FORGED}, []),
    ({"message": "[1, 2]", "raw": _FORGED}, []),
    ({"message": "CEF:0|Example|x|1|y|z|5|msg=a b", "raw": _FORGED}, []),
    # the original, of which the others may be parts
    *(({name: _WORDS, "message": _FORGED, "raw": _FORGED}, []) for name in ("_raw", "full_log", "rawEvent")),
    ({"event": {"original": _WORDS}, "message": _FORGED, "raw": _FORGED}, []),
]
"""Records, and the ids of their events about TLS."""
