"""A reader of consolidated events to compare with: the rules at the head of `esatls.extraction.cef`, character by character, however slow."""

from __future__ import annotations

import re
from typing import Any

from esatls.lines.cef_tables import KNOWN_KEYS

ODD_KEYS = ("Message Filters Verdict", "E SAAMPVerdict")
QUOTED = ("msg", "cs4")
STRANGERS = (*QUOTED, "ESAFinalActionDetails", "ESAFriendlyFrom", "ESAHeloDomain", "ESAReplyTo", "duser", "shost", "sourceHostName", "suser")
NAMES = {
    "ESAMID": "mid", "ESAICID": "icid", "ESADCID": "dcid", "ESADaneStatus": "dane_status", "ESADaneHost": "dane_host",
    "ESASenderGroup": "sender_group", "ESAMailFlowPolicy": "hat_action", "act": "action", "suser": "sender", "duser": "recipient",
    "src": "peer_ip", "sourceAddress": "peer_ip", "shost": "peer_host", "sourceHostName": "peer_host", "deviceDirection": "mail_flow",
    "deviceExternalId": "serial", "cs4": "message_id", "msg": "subject", "end": "ended", "endTime": "ended", "EndTime": "ended",
}  # fmt: skip
TLS_NAMES = {
    f"ESATLS{side}{word}": f"tls_{side.lower()}_{name}"
    for side in ("In", "Out")
    for word, name in (("ConnStatus", "result"), ("Protocol", "version"), ("Cipher", "cipher"))
}


def is_word(char: str) -> bool:
    """Tell whether a character may stand in a key."""
    return char == "_" or char.isalnum()


def key_at(text: str, at: int) -> str | None:
    """Return the key that begins at a place: a word, or one of two odd ones, in front of an equals sign."""
    end = at
    while end < len(text) and is_word(text[end]):
        end += 1
    if end > at and text[end : end + 1] == "=":
        return text[at:end]
    return next((key for key in ODD_KEYS if text.startswith(key + "=", at)), None)


def key_behind_space(text: str, at: int) -> bool:
    """Tell whether a space stands at a place and a key behind it."""
    return text[at : at + 1] == " " and key_at(text, at + 1) is not None


def end_of_string(text: str, at: int) -> int:
    """Return where the string ends whose quote stands at a place; one that is left open reaches to the end."""
    quote = text[at]
    at += 1
    while at < len(text):
        if text[at] == "\\":
            at += 2
        elif text[at] == quote:
            return at + 1
        else:
            at += 1
    return len(text)


def end_of_json_string(text: str, at: int) -> int | None:
    """Return where a string ends that stands in escaped double quotes; None where a bare one stands in it."""
    at += 2
    while at < len(text):
        if text.startswith('\\"', at):
            return at + 2
        if text[at] == '"':
            return None
        at += 2 if text[at] == "\\" else 1
    return len(text)


def end_of_quoted(text: str, start: int) -> int | None:
    """Return where a value in quotes ends; None if it is none, or if something else than a key follows it."""
    at = start + 1 if text[start : start + 1] == " " else start
    if text[at : at + 1] in ("'", '"') and at < len(text):
        end: int | None = end_of_string(text, at)
    elif text.startswith('\\"', at):
        end = end_of_json_string(text, at)
    else:
        return None
    if end is None or not text[end:].strip(" "):
        return end
    while text.startswith("  ", end):
        end += 1
    return end if key_behind_space(text, end) else None


def end_of_braced(text: str, start: int) -> int | None:
    """Return where a value in braces ends: in front of the first key that is in no string; None if it is none."""
    at = start + 1 if text[start : start + 1] == " " else start
    if text[at : at + 1] != "{":
        return None
    while at < len(text):
        if text[at] in "'\"":
            at = end_of_string(text, at)
        elif text[at] == " " and re.match(r"\w+=", text[at + 1 :]):
            return at
        else:
            at += 1
    return len(text)


def is_stamp(value: str) -> bool:
    """Tell whether a value is a time as the appliance writes it."""
    return re.fullmatch(r"\w{3} \w{3} [ \d]?\d \d\d:\d\d:\d\d \d{4}", value) is not None


def fields_of(text: str) -> list[tuple[str, str, bool]]:
    """Return the fields of a record, which begins with a space: key, value, and whether the value is bare."""
    found = []
    at = 0
    while at < len(text):
        if not key_behind_space(text, at):
            at += 1
            continue
        key = key_at(text, at + 1) or ""
        start = at + 1 + len(key) + 1
        end = end_of_quoted(text, start) if key in QUOTED else None if key in STRANGERS or key in NAMES else end_of_braced(text, start)
        bare = end is None
        if end is None:
            end = start
            while end < len(text) and not key_behind_space(text, end):
                end += 1
        value = text[start:end].strip(" ") if bare else text[start:end]
        if bare and (key.startswith("ESATLS") or (key in NAMES and key not in QUOTED and not value.startswith('"') and not is_stamp(value))):
            value = value.split(" ")[0]
        found.append((key, value.strip(" "), bare))
        at = end
    return found


ADDRESS = r'(?:"(?:[^"\\]|\\.)*"|[^ ";,<>]+)@[\w.:\[\]-]+'


def is_whole(key: str, value: str, *, escaping: bool) -> bool:
    """Tell whether a stranger's value has an end of its own."""
    if escaping and "\\=" in value:
        return True
    if key == "msg":
        return not escaping and re.fullmatch(r"[^ ]*=[0-9A-F]{2}[^ ]*", value) is not None
    if key in ("cs4", "ESAFinalActionDetails", "ESAFriendlyFrom"):
        pattern = {"ESAFriendlyFrom": rf".*<{ADDRESS}>|{ADDRESS}" if escaping else "(?!)", "ESAFinalActionDetails": "(?!)"}.get(key)
        if pattern:
            return re.fullmatch(pattern, value) is not None
    if value in ("", "unknown", "<>"):
        return True
    return re.fullmatch(rf"{ADDRESS}(?:;{ADDRESS})*|[\w:\[\]-]+(?:\.[\w:\]-]+)+", value) is not None


def parse(text: str) -> dict[str, Any] | None:
    """Return the event of a record with a header."""
    header = text[:65_536].split("|", 7)
    if len(header) < 8 or header[4] != "ESA_CONSOLIDATED_LOG_EVENT" or not header[0].startswith("CEF:"):
        return None
    version = re.match(r"\d{1,3}(?=\.)", header[3])
    escaping = version is not None and int(version[0]) >= 14
    extension = " " + header[7]
    joined = re.match(r" *\w+=[^ ;]*;\w*(?:=|\Z)", extension) is not None
    if joined:
        extension = re.sub(r";(?=\w+=|\w*\Z)", " ", extension)
        escaping = False
    fields = fields_of(extension)
    keys = [key for key, _, _ in fields]
    doubled = len(keys) > len(set(keys))
    front: dict[str, set[str]] = {}
    behind: dict[str, set[str]] = {}
    stated, open_ended = front, False
    for number, (key, value, bare) in enumerate(fields):
        theirs = bare and key in STRANGERS
        if key.startswith("ESATLS"):
            name = TLS_NAMES.get(key)
            told = {"success": "success", "failure": "failed"}.get(value.lower()) if key.endswith("ConnStatus") else value
            known = not joined or all(other in KNOWN_KEYS or other.startswith("ESATLS") for other, _, _ in fields[:number])
            if name and told and known and not open_ended and re.fullmatch(r"[\w./+-]+", value):
                stated.setdefault(name, set()).add(told)
        else:
            open_ended = theirs and not is_whole(key, value, escaping=escaping)
            if value and key in NAMES:
                stated.setdefault(NAMES[key], set()).add(value)
        if theirs:
            stated = behind
    if doubled and not escaping:
        behind = {name: values for name, values in behind.items() if not name.startswith("tls_")}
    agreed = {**behind, **front}
    contested = {name[:7] if name.startswith("tls_") else name for name, values in agreed.items() if len(values) > 1}
    event: dict[str, Any] = {"esa_event": "consolidated_event", "witness": "cef"}
    for name, values in agreed.items():
        if name not in contested and not (name.startswith("tls_") and name[:7] in contested):
            event[name] = values.pop()
    return typed(event)


def without_quotes(value: str) -> str:
    """Return what stands within the quotes of a text; the last one may have been cut off, or the end of an escape."""
    value = value.strip(" ")
    for quote in ("'", '"', '\\"'):
        if value.startswith(quote):
            value = value[len(quote) :].removesuffix(quote)
            break
    alone = value.endswith("\\") and not value.endswith("\\\\")
    return value[:-1] if alone else value


def typed(event: dict[str, Any]) -> dict[str, Any]:
    """Return an event with its values as they are given; without what is no value."""
    out: dict[str, Any] = {}
    for name, value in event.items():
        if name in ("mid", "icid", "dcid"):
            if value.isdecimal() and len(value) <= 18:
                out[name] = int(value)
        elif name == "mail_flow":
            if value in "01" and value:
                out[name] = ("incoming", "outgoing")[int(value)]
        elif name in ("sender", "recipient"):
            # one backslash alone at the end was cut from what it stood before
            value = re.sub(r"\\+([=|\\])", r"\1", re.sub(r"(?<!\\)\\\Z", "", value))  # noqa: PLW2901
            if value and (name, value) != ("sender", "<>"):
                out[name] = value
        elif name in ("message_id", "subject"):
            text = re.sub(r"\\+([=|\\])", r"\1", without_quotes(value)).strip(" ")
            if text:
                out[name] = text
        elif name == "peer_host":
            if value != "unknown":
                out[name] = value
        elif name == "peer_ip":
            if re.fullmatch(r"[0-9A-Fa-f:.]+", value):
                out[name] = value
        elif name != "ended" or is_stamp(value):
            out[name] = value
    return out
