"""Read message tracking: the REST API's JSON, and the processing details pasted from the page.

Tracking says in sentences, message by message, what the mail log says in lines. The events are the same, each with
``witness`` ``tracking``. The sentences differ between versions in articles, spaces, full stops and the words around
``TLS``; the ids are always in the same places, and are read only there. A sentence must match as a whole, from its
first word, so that a subject, a file name or another server's reply in it states nothing.

Besides its sentences, a record has the message's Message-ID (``midHeader``) and its subject.

Two things need care:

* `rid`: tracking does not number recipients. They are numbered in the order in which the record adds them to the
  message, as the appliance numbers them, so that deliveries match those of the mail log. A recipient that the record
  does not add has no number.
* A record that says that its data is incomplete (``isCompleteData`` false) gives no ``connection_opened``: it does
  not show that a connection used no TLS.

Sources: AsyncOS API guide, "Tracking APIs"; sentences as users and vendors of other products posted them.
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from esatls.extraction.fields import INTEGERS
from esatls.extraction.kinds import MAIL_FLOW
from esatls.lines.clock import Clock, rfc3339
from esatls.lines.records import values, writable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from esatls.extraction.event_record import EventRecord

_IP = r"[0-9A-Fa-f:.]*[0-9A-Fa-f:]"
_NUMBER = r"\d{1,18}"
_MESSAGE = rf"(?:the |an? )?(?:new )?(?:message|MID) (?P<mid>{_NUMBER}):?"
_PARENT = _MESSAGE.replace("<mid>", "<parent_mid>")
_RECEIVING = rf"(?:(?:the |an? )?(?:SMTP )?(?:incoming|injection) connection )?\(?ICID:? (?P<icid>{_NUMBER})\)?:?"
_DELIVERY = rf"(?:(?:the |an? )?(?:SMTP )?delivery connection )?\(?DCID:? (?P<dcid>{_NUMBER})\)?:?"
_CONNECTION = rf"(?:{_RECEIVING}|{_DELIVERY})"
_WAS = r"(?:was |is |has |has been )?"
_QUARANTINE = r'(?:the )?(?:centralized )?(?:quarantine )?"?(?P<quarantine>[^"(]*[^"( ])"?(?: \(.*)?'
# How a sentence about the handshake continues behind the connection; no sentence with a stranger's text does so.
_HANDSHAKE = r"(?:TLS|STARTTLS|successfully|unsuccessfully|did|could|failed|has|was|is|unable|requires?|rejected)\b"


class _Sentence(NamedTuple):
    kind: str
    pattern: re.Pattern[str]
    known: dict[str, str]


def _sentence(kind: str, pattern: str, **known: str) -> _Sentence:
    return _Sentence(kind, re.compile(pattern, re.IGNORECASE | re.DOTALL), known)


_SENTENCES = (
    _sentence(
        "connection_opened",
        rf"Protocol \w+ (?:on )?(?:the )?interface (?P<interface>.+?) ?\((?:IP:? )?(?P<interface_ip>{_IP})\) on {_RECEIVING}"
        rf" from (?:the )?(?:sender )?IP:? (?:address )?(?P<peer_ip>{_IP})"
        r"(?:[.,]? Reverse DNS (?:host )?(?:unknown|(?P<peer_host>\S+)) verified \w+)?",
        esa_direction="receiving",
    ),
    _sentence(
        "connection_opened",
        rf"{_DELIVERY} {_WAS}opened from (?:the )?(?:Cisco )?(?:IronPort )?interface"
        rf" (?:(?P<interface_ip>{_IP})|(?P<interface>.+?)) to (?:the )?(?:IP )?(?:address )?(?P<peer_ip>{_IP})"
        r"(?: on port (?P<peer_port>\d{1,5}))?",
        esa_direction="delivery",
    ),
    _sentence(
        "hat_policy",
        rf"{_RECEIVING} (?P<hat_action>ACCEPT|RELAY|REJECT|TCPREFUSE) (?:SG|sender group):? (?P<sender_group>\S+)"
        r"(?: match(?:ed)? (?:(?P<hat_match>\S.*?) )?SBRS (?P<sbrs>not enabled|unable to retrieve|\S+)"
        r"(?: country (?P<country>.+))?)?",
        esa_direction="receiving",
    ),
    _sentence(
        "hat_policy",
        rf"{_RECEIVING} has sender_group: (?P<sender_group>\S+?), sender_ip: (?P<peer_ip>{_IP})(?:,| and|, and) sbrs: (?P<sbrs>.+)",
        esa_direction="receiving",
    ),
    _sentence(
        "connection_closed",
        rf"{_RECEIVING} {_WAS}(?P<close_reason>closed?|lost|disconnected)(?: .*)?",
        esa_direction="receiving",
    ),
    _sentence(
        "connection_closed",
        rf"{_DELIVERY} {_WAS}(?P<close_reason>closed?|lost|disconnected)(?: .*)?",
        esa_direction="delivery",
    ),
    _sentence(
        "message_started",
        rf"Start(?:ed)? (?:of )?{_MESSAGE} on {_RECEIVING}",
        esa_direction="receiving",
    ),
    _sentence(
        "message_sender",
        rf"{_MESSAGE} {_WAS}enqueued on {_RECEIVING} from (?P<sender>.*)",
        esa_direction="receiving",
    ),
    _sentence(
        "message_recipient",
        rf"{_MESSAGE} on {_RECEIVING} {_WAS}added (?:the |a )?recipient:? \(?(?P<recipient>.+?)\)?",
        esa_direction="receiving",
    ),
    _sentence("message_identity", rf"{_MESSAGE} contains message ID header ['\"]?(?P<message_id>[^'\"].*?)['\"]?"),
    _sentence("message_identity", rf"{_MESSAGE} original subject on injection: (?P<subject>.+)"),
    _sentence(
        "message_policy",
        rf"{_MESSAGE} matched (?:all recipients for )?per-recipient policy .* (?:for|in) (?:the )?(?P<mail_flow>inbound|outbound)"
        r" (?:mail policies|mail policy|table)",
    ),
    _sentence("message_policy", rf"{_MESSAGE} direction: (?P<mail_flow>incoming|outgoing)"),
    _sentence(
        "message_quarantined",
        rf"{_DELIVERY} delivery (?:{_WAS}started for|details:?) {_MESSAGE} {_WAS}(?:sent )?to (?:the )?"
        r"(?P<quarantine>(?:offbox|external) .*?quarantine)(?: .*)?",
    ),
    _sentence(
        "delivery_started",
        rf"{_DELIVERY} delivery {_WAS}started for {_MESSAGE} to (?P<recipient>.+)",
        esa_direction="delivery",
    ),
    _sentence(
        "delivery_done",
        rf"{_DELIVERY} delivery details:? {_MESSAGE} {_WAS}sent to (?P<recipient>.+?)(?: \[(?:\(.*|\]))?",
        esa_direction="delivery",
        delivery_outcome="done",
    ),
    _sentence(
        "delivery_response",
        rf"{_MESSAGE} to (?P<recipient>\S+) {_WAS}received (?:the |a )?remote SMTP response:? (?P<delivery_response>.+)",
        esa_direction="delivery",
    ),
    _sentence(
        "delivery_bounced",
        rf"(?:{_DELIVERY} )?{_MESSAGE} to (?P<recipient>\S+) {_WAS}(?:hard )?bounced\b(?:.*?\bReason:? (?P<delivery_response>.+)|.*)",
        esa_direction="delivery",
        delivery_outcome="bounced",
    ),
    _sentence(
        "delivery_delayed",
        rf"(?:{_DELIVERY} )?{_MESSAGE} to (?P<recipient>\S+) {_WAS}(?:soft bounced|delayed)\b(?:.*?\bReason:? (?P<delivery_response>.+)|.*)",
        esa_direction="delivery",
        delivery_outcome="delayed",
    ),
    _sentence("message_aborted", rf"{_MESSAGE} {_WAS}aborted(?::? (?P<abort_reason>.+))?"),
    _sentence("message_aborted", rf"{_MESSAGE} {_WAS}(?P<abort_reason>dropped by .+)"),
    _sentence("message_quarantined", rf"{_MESSAGE} {_WAS}(?:quarantined (?:in|to)|enqueued for transfer to) {_QUARANTINE}"),
    _sentence("message_quarantined", rf"{_MESSAGE} {_WAS}(?:released|deleted) from (?:all quarantines|{_QUARANTINE})"),
    _sentence(
        "message_quarantined",
        rf"Remote procedure call connection \(RCID {_NUMBER}\) started for {_MESSAGE} to (?:the )?local (?P<quarantine>.+)",
    ),
    _sentence("message_lineage", rf"{_PARENT} {_WAS}rewritten (?:to|as) {_MESSAGE}(?: by (?P<mid_agent>.+)|(?: .*)?)", mid_relation="rewritten"),
    _sentence("message_lineage", rf"{_PARENT} {_WAS}split,? creating {_MESSAGE}(?: due to (?P<mid_agent>.+)|(?: .*)?)", mid_relation="split"),
    _sentence(
        "message_lineage",
        rf"{_MESSAGE} {_WAS}generated based on {_PARENT} by (?:the )?(?:notify|antivirus)\b.*",
        mid_relation="notification",
    ),
    _sentence("message_lineage", rf"{_MESSAGE} {_WAS}generated based on {_PARENT}(?: by .*)?", mid_relation="copy"),
    _sentence("message_lineage", rf"{_MESSAGE} {_WAS}generated for (?:the )?bounce of {_PARENT}(?: .*)?", mid_relation="bounce"),
    _sentence(
        "message_lineage",
        rf"{_MESSAGE} {_WAS}received from (?:the )?SMA \S+ \((?:message|MID) originally (?P<parent_mid>{_NUMBER})\) on release from.*",
        mid_relation="released",
    ),
)
_LONGEST_SENTENCE = 65_536
"""Maximum characters of a sentence that are read; the appliance's are shorter."""
_LONGEST = 1000
"""Maximum characters of a sentence about the handshake that are read."""
_ABOUT_HANDSHAKE = re.compile(rf"{_CONNECTION} (?P<rest>{_HANDSHAKE}.*)", re.IGNORECASE | re.DOTALL)
_FAILED = re.compile(r"\b(?:fail\w*|unsuccess\w*|could not|did not|unable|rejected)\b", re.IGNORECASE)
_NOT_OFFERED = re.compile(r"STARTTLS\b.*\bnot (?:supported|offered)\b", re.IGNORECASE)
_WHY = re.compile(r":\s+(\S.*)| (?:because(?: of)?|due to) (\S.*)", re.IGNORECASE | re.DOTALL)
_DETAILS = re.compile(
    r".*?\bTLS\b(?:.*?\bprotocol:? (?P<tls_version>[^\s,]+),?)?(?:.*?\bcipher:? (?P<tls_cipher>[^\s,]+),?)?"
    r"(?: CN(?:=|: ?<?)(?P<tls_peer_cn>[^\s<>](?:.*[^\s>])?)>?| (?:for )?(?:None|(?P<tls_domain>[^\s.]+(?:\.[^\s.]+)+))|)(?: .*)?",
    re.IGNORECASE | re.DOTALL,
)
_IDENTITY = {"message_id": "midHeader", "subject": "subject"}
_MOST = 10**18
_UNRESOLVED = re.compile(r"\(Name unresolved,\s{0,8}SN:\s{0,8}([^\s)]+)")
_BETWEEN_ADDRESSES = re.compile(r"[\s,;<>]+")

_STAMP_TEXT = (
    r"(?:\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:?\d\d)?"
    r"|\d{1,2} \w{3} \d{4},? \d\d:\d\d(?::\d\d)?(?: \(?GMT ?(?:[+-]\d\d:?\d\d)?\)?)?)"
)
_STAMP = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d|(?P<day>\d{1,2}) (?P<month>\w{3}) (?P<year>\d{4}),?)[T ](?P<clock>\d\d:\d\d)(?P<second>:\d\d)?(?:\.\d+)?"
    r"\s{0,2}\(?(?P<zone>Z|GMT|)\s{0,2}(?P<shift>[+-]\d\d:?\d\d)?\)?"
)
_CLOCK = Clock()
_STAMPED_LINE = re.compile(rf"[>|\s]*({_STAMP_TEXT})[\s|]*(.*)", re.DOTALL)
_CELLS = re.compile(r"\t| \| ")
_RECOGNISED_JSON = re.compile(r'"description"\s*:\s*"[^"]{0,200}\((?:ICID|DCID|RCID) \d')
# every line of a log has a colon in front of its text, and no sentence has one before its connection
_RECOGNISED_TEXT = re.compile(rf"^[>| \t]*(?:{_STAMP_TEXT})[\s|]{{1,80}}[^'\":]{{0,200}}?\((?:ICID|DCID|RCID) \d", re.MULTILINE)


def recognise(text: str) -> bool:
    """Tell from the first kilobytes of a text whether it is message tracking, as JSON or pasted."""
    if text.lstrip("\ufeff \t\r\n")[:1] in ("{", "["):
        return _RECOGNISED_JSON.search(text) is not None
    return _RECOGNISED_TEXT.search(text) is not None


def events(document: object, host: str | None = None) -> Iterator[EventRecord]:
    """Yield the events that a tracking document states, record by record, in its order.

    Args:
        document: The REST API's answer, parsed (`dict` or `list`, in any nesting: a whole answer, several answers, a
            bare ``summary``), or as text: JSON, several JSON values one after the other, or lines pasted from the
            page, each with its time in front (or behind, in another cell).
        host: The appliance, if the document does not name it (``hostName``).

    Yields:
        Flat events, as from a mail log: ``esa_event``, ``witness`` ``tracking``, ``time`` (RFC 3339 in UTC; absent if
        the document gives no time zone), ``esa_host``, and the fields of the kind. A description that states no
        event gives none.

    """
    if isinstance(document, (bytes, bytearray)):
        document = document.decode("utf-8", "replace")
    if isinstance(document, str):
        found = _read(document)
        if not found:
            yield from _numbered(_pasted(document), host, complete=True)
            return
        document = found
    for record, entries in _summaries(document):
        named = _appliance(record.get("hostName"))
        yield from _identity(record, named or host)
        yield from _numbered(entries, named or host, complete=record.get("isCompleteData") is not False)


def _appliance(name: object) -> str:
    """Return the appliance that a record names: its host name, or its serial number if the name was not resolved."""
    if not isinstance(name, str):
        return ""
    unresolved = _UNRESOLVED.match(name)
    return writable(name.partition(" ")[0] if unresolved is None else unresolved[1])


def describe(description: str) -> EventRecord | None:
    """Return the event that one description states, without time, host and recipients' numbers; ``None`` if it states none."""
    text = " ".join(description[:_LONGEST_SENTENCE].split())
    text = text.removesuffix(".")
    for kind, pattern, known in _SENTENCES:
        found = pattern.fullmatch(text)
        if found:
            return _event(kind, {**known, **found.groupdict()})
    found = _ABOUT_HANDSHAKE.fullmatch(text)
    return _handshake(found) if found else None


def _event(kind: str, fields: dict[str, str | None]) -> EventRecord:
    event: dict[str, Any] = {"esa_event": kind, "witness": "tracking"}
    for name, value in fields.items():
        if not value:
            continue
        if name in INTEGERS:
            event[name] = int(value)
        elif name == "close_reason":
            event[name] = "close" if value.lower() == "closed" else value.lower()
        elif name == "mail_flow":
            event[name] = MAIL_FLOW.get(value.lower(), value.lower())
        elif name == "hat_action":
            event[name] = value.upper()
            if value.upper() in MAIL_FLOW:
                event["mail_flow"] = MAIL_FLOW[value.upper()]
        elif name in ("sender", "recipient"):
            address = value.strip("<> ")
            if address:
                event[name] = address
        elif name == "delivery_response":
            event[name] = value.strip("'\" ")
        else:
            event[name] = value
    return cast("EventRecord", event)


def _handshake(found: re.Match[str]) -> EventRecord | None:
    """Return the TLS event of a sentence about a connection; ``None`` if it states none."""
    rest = found["rest"][:_LONGEST]
    # a reason, a protocol, a cipher or a domain may contain any word
    head = re.split(r":\s| protocol\b| cipher\b| for\b| because\b| due to\b", rest, maxsplit=1, flags=re.IGNORECASE)[0]
    if not re.search(r"\b(?:START)?TLS\b", head, re.IGNORECASE):
        return None
    fields: dict[str, str | None] = {
        "icid": found["icid"],
        "dcid": found["dcid"],
        "esa_direction": "receiving" if found["icid"] else "delivery",
    }
    why = _WHY.search(rest)
    reason = why[1] or why[2] if why else None
    not_offered = _NOT_OFFERED.search(head)
    if re.search(r"\brequire[sd]?\b", head, re.IGNORECASE):
        result = "required"
        reason = reason or rest.partition(" but ")[2]
    elif not_offered:
        result, reason = "not_offered", not_offered[0]
    elif _FAILED.search(head):
        result = "failed"
    elif re.search(r"\bsuccess", head, re.IGNORECASE):
        result, reason = "success", None
        details = _DETAILS.fullmatch(rest)
        fields.update(details.groupdict() if details else {})
    else:
        return None
    return _event(f"tls_{result}", {**fields, "tls_result": result, "tls_reason": reason})


def _numbered(entries: Iterator[tuple[str, str]], host: str | None, *, complete: bool) -> Iterator[EventRecord]:
    """Yield the events of one record's (stamp, description) pairs, with times, host and recipients' numbers."""
    recipients: dict[int, dict[str, int]] = {}
    for stamp, description in entries:
        event = describe(description)
        if event is None or (event["esa_event"] == "connection_opened" and not complete):
            continue
        if "recipient" in event:
            numbers = recipients.setdefault(event["mid"], {})
            if event["esa_event"] == "message_recipient":
                event["rid"] = [numbers.setdefault(event["recipient"], len(numbers))]
            else:
                addresses = [word for word in _BETWEEN_ADDRESSES.split(event["recipient"]) if "@" in word[1:-1]]
                rid = sorted({numbers[address] for address in addresses if address in numbers})
                if rid:
                    event["rid"] = rid
        yield {**_head(stamp, host), **event}


def _identity(record: dict[str, Any], host: str | None) -> Iterator[EventRecord]:
    """Yield the Message-ID and the subject that a record has besides its summary, once for each of its messages."""
    texts = {field: record.get(name) for field, name in _IDENTITY.items()}
    stated = {field: writable(text).strip() for field, text in texts.items() if isinstance(text, str) and text.strip() not in ("", "N/A")}
    mids = record.get("mid")
    head = _head(str(record.get("timestamp", "")), host)
    for mid in mids if isinstance(mids, list) else [mids]:
        if stated and isinstance(mid, int) and not isinstance(mid, bool) and 0 <= mid < _MOST:
            yield cast("EventRecord", {**head, "esa_event": "message_identity", "witness": "tracking", "mid": mid, **stated})


def _head(stamp: str, host: str | None) -> EventRecord:
    """Return the fields that all events of an entry have."""
    told = {"time": _time(stamp), "esa_host": host}
    return cast("EventRecord", {name: value for name, value in told.items() if value})


def _summaries(document: object) -> Iterator[tuple[dict[str, Any], Iterator[tuple[str, str]]]]:
    """Yield each record with a summary, and the summary's (stamp, description) pairs; the record of a bare summary is empty."""
    waiting = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if isinstance(value.get("summary"), list):
                yield value, _entries(value["summary"])
            else:
                waiting.append(value.get("summary"))
            waiting.extend(inner for name, inner in reversed(value.items()) if name != "summary")
        elif isinstance(value, list):
            if any(isinstance(entry, dict) and "description" in entry for entry in value):
                yield {}, _entries(value)
            else:
                waiting.extend(reversed(value))


def _entries(summary: list[Any]) -> Iterator[tuple[str, str]]:
    for entry in summary:
        if isinstance(entry, dict) and isinstance(entry.get("description"), str):
            yield str(entry.get("timestamp", "")), writable(entry["description"])


def _read(text: str) -> list[Any]:
    """Return the JSON values in a text, up to the first one that is cut; none if the text is not JSON."""
    text = text.lstrip("\ufeff \t\r\n")
    found: list[Any] = []
    if text[:1] in ("{", "["):
        with contextlib.suppress(ValueError, RecursionError):
            found.extend(values(text))
    return found


def _pasted(text: str) -> Iterator[tuple[str, str]]:
    """Yield the (stamp, description) pairs of pasted text.

    A description counts only with its own stamp: in front of it, on the line before it, or in the cell behind it.
    A line without one continues the line before, which may be a stranger's text.
    """
    stamp = ""
    # no other character ends a line: a stranger may have written it
    for line in text.replace("\r\n", "\n").split("\n"):
        found = _STAMPED_LINE.fullmatch(line)
        if found:
            description = found[2].strip(" \t|")
            if description:
                yield found[1], _CELLS.split(description)[0]
            stamp = "" if description else found[1]
            continue
        cells = [cell.strip(" \t|>") for cell in _CELLS.split(line)]
        if stamp and line.strip():
            yield stamp, cells[0]
        elif len(cells) > 1 and _STAMP.fullmatch(cells[1]):
            yield cells[1], cells[0]
        stamp = ""


def _time(stamp: str) -> str | None:
    """Turn a stamp with a time zone into RFC 3339 in UTC; ``None`` if it has no zone or is not a date."""
    found = _STAMP.fullmatch(stamp.strip())
    if not found or not (found["zone"] or found["shift"]):
        return None
    date = f"{found['day']} {found['month'].title()} {found['year']}" if found["day"] else found["date"]
    time = _CLOCK.read(f"{date} {found['clock']}{found['second'] or ':00'} {found['shift'] or '+00:00'}")
    return None if time is None else rfc3339(time)
