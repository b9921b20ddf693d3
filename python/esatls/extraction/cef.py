r"""Read Cisco's consolidated events: one CEF record per message, AsyncOS 13 to 16.

A record states what the appliance's administrator selected, as ``key=value`` pairs in any order; what it
leaves out decides nothing. `parse` gives the flat fields that esatls knows.

Who may state a TLS field
-------------------------
Subjects, names, addresses, file names and host names in a record are chosen by strangers, so a record is
read by where a value can end, not by searching for ``ESATLSInConnStatus=``:

* ``msg`` and ``cs4`` are written as quoted Python strings, lists of files and addresses in braces as Python
  dictionaries: what stands inside counts for nothing, and a quote that a cut record leaves open reaches to
  the end.
* From AsyncOS 14 on an equals sign in a value is written ``\=``; a key is a word before a bare ``=``.
* A TLS field directly behind a stranger's bare value counts only if that value is whole (an address, a host
  name), so that nothing of the stranger's can go on behind it.
* A field that occurs twice is taken from in front of the first stranger's bare value. If all its places lie
  behind, they must agree; if they do not, it is not stated, and of TLS nothing about that side.
* AsyncOS 13 and records without a version may leave ``=`` bare in values: there no TLS field counts if it
  stands directly behind a bare subject or friendly name, and none behind strangers' values at all if any
  field occurs twice.

An appliance writes its keys in one order. Once that is known (`cef_layout`), one match reads a record; until then, and for every record
that leaves a doubt, it is read key by key. Both give the same, field by field and in the same order.

Limits: in a record of AsyncOS 13, a stranger who closes his own bare name with another of Cisco's keys, one
that the record lacks, is not told from the appliance. A record that is cut in the middle of its last value,
such as ``TLSv1`` of ``TLSv1.2``, cannot be seen to be cut.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any, cast

from esatls.extraction.cef_layout import Item, Layouts, Value
from esatls.extraction.cef_tables import FLOWS, IDENTITY, IDS, LONGEST_ID, NAMES, NO_VALUES, QUOTED_KEYS, RESULTS, SPACED_KEYS, STRANGERS, TIMES, TLS_NAMES
from esatls.lines.arcsight import CONSOLIDATED, from_epoch, unescape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from esatls.extraction.event_record import EventRecord

__all__ = ["parse", "recipients"]

_KEY = rf"(?:\w+|{'|'.join(SPACED_KEYS)})="

# Values. No two alternatives begin alike, so reading is linear however hostile the text.
_SINGLE = r"'[^'\\]*(?:\\.[^'\\]*)*(?:'|\\?\Z)"
_DOUBLE = r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)'
_JSON = r'\\"[^"\\]*(?:\\[^"][^"\\]*)*(?:\\"|\\?\Z)'
_QUOTED = rf"(?:{_SINGLE}|{_DOUBLE}|{_JSON})(?= *(?:\Z| {_KEY}))"
_BRACED = rf"\{{[^'\" ]*(?:(?:{_SINGLE}|{_DOUBLE}| (?!\w+=))[^'\" ]*)*"
_WORDS = rf"[^ ]*(?: +(?! |{_KEY})[^ ]+)*"
_STAMP = r"\w{3} \w{3} [ \d]?\d \d\d:\d\d:\d\d \d{4}"

_BEGINNING = {"esa_event": "consolidated_event", "witness": "cef"}
_ORDER = (*TLS_NAMES.values(), *dict.fromkeys(NAMES.values()))
"""Fields of an event in their order, however the record was read."""
_ADDRESSES = ("sender", "recipient")
_ADDRESS = r'(?:"[^"\\]*(?:\\.[^"\\]*)*"|[^ ";,<>]+)@[\w.:\[\]-]+'
_NO_ADDRESS = rf"[\w:\[\]-]+(?:\.[\w:\]-]+)+|{'|'.join(NO_VALUES.values())}|"
_WHOLE = re.compile(rf"(?:{_ADDRESS}(?:;{_ADDRESS})*|{_NO_ADDRESS})\Z")
_WHOLE_NAME = re.compile(rf"(?:.*<{_ADDRESS}>|{_ADDRESS})\Z")
_NEVER_WHOLE = frozenset({"ESAFinalActionDetails", "ESAFriendlyFrom"})
_QUOTED_PRINTABLE = re.compile("=[0-9A-F]{2}")

_RUN = "ESATLS"
"""What the keys of TLS fields begin with, and the pretended key of several that follow each other."""

_DICTIONARY = r"\{[^=\"\\]*[^=\"\\{\[( bu]'(?:: \{\})?\}+"
"""Text in braces that holds no quote, backslash or equals sign, mostly: its end is found at once, behind a quote that does not open another string."""

_LONGEST = 65_536
"""Characters of a record that are read; the appliance's are shorter."""

# What a value may be where the order of the keys is known (see `cef_layout`), besides what is above.
_ESCAPED_QUOTED = r"""(?:'[^'=\\]*(?:\\=[^'=\\]*)*'|"[^"=\\]*(?:\\=[^"=\\]*)*")"""
_ADDRESS_WORD = r'(?:"[^"\\ ]*(?:\\[^ ][^"\\ ]*)*"|[^ ";,<>]+)@[\w.:\[\]-]+'
_WHOLE_WORD = rf"(?:{_ADDRESS_WORD}(?:;{_ADDRESS_WORD})*|{_NO_ADDRESS})"
_FIELD_VALUES = {
    "mid": "([0-9]{1,18})",
    "icid": "([0-9]{1,18})",
    "dcid": "([0-9]{1,18})",
    "ended": f"({_STAMP})",
    "mail_flow": "([01])",
    "peer_ip": "([0-9A-Fa-f:.]+)",
}

# One field after the other.
_NEXT_KEY = re.compile(f" ({_KEY})")
_QUOTED_VALUE = re.compile(f" ?({_QUOTED})", re.DOTALL)
_BRACED_VALUE = re.compile(f" ?({_BRACED})", re.DOTALL)
_WORDS_VALUE = re.compile(f"({_WORDS})")

_TLS_FIELD = re.compile(r"(?<![^ ])(ESATLS\w+)=([\w./+-]+)(?= |\Z)")
_TLS_RUN = re.compile(r"ESATLS\w+=[^ ]+(?: ESATLS\w+=[^ ]+)*\Z")
_WHOLE_STAMP = re.compile(rf"{_STAMP}\Z")
_MILLISECONDS = re.compile(r"[0-9]{12,13}\Z")
_IP = re.compile(r"[0-9A-Fa-f:.]+\Z")

# Microsoft Sentinel joins the fields of AdditionalExtensions with semicolons.
_JOINED = re.compile(r" *\w+=[^ ;]*;\w*(?:=|\Z)")
_JOIN = re.compile(r";(?=\w+=|\w*\Z)")


def parse(text: str) -> EventRecord | None:
    r"""Read one consolidated event.

    Args:
        text: The record from ``CEF:`` on, without its envelope. Also the ``AdditionalExtensions`` of Microsoft
            Sentinel, which has no header and joins its fields with ``;``.

    Returns:
        ``None`` if the text is no consolidated event of Cisco's; else a flat event, its text as logged:

        * ``esa_event`` ``consolidated_event``, ``witness`` ``cef``;
        * ``mid``, ``icid``, ``dcid``: integers;
        * ``tls_in_result``, ``tls_out_result``: ``success`` or ``failed``, with ``tls_in_version``,
          ``tls_in_cipher``, ``tls_out_version``, ``tls_out_cipher``, which a failed side may have too;
        * ``dane_status``, ``dane_host``, ``action`` (``DELIVERED``, ``QUARANTINED``, ...), ``sender_group``,
          ``hat_action`` (of the mail flow policy), ``serial`` (of the appliance);
        * ``mail_flow``: ``incoming`` or ``outgoing``; ``peer_ip``, ``peer_host``: the sending host;
        * ``message_id`` and ``subject``, without their quotes;
        * ``sender`` and ``recipient``: addresses, several recipients joined with ``;`` (see `recipients`);
        * ``ended``: when the message's processing ended, in the appliance's own time zone and form
          (``Mon Jun 12 14:01:31 2023``); no ``time``, which the envelope tells.

        A field that the record does not state, or states in contradicting ways, is absent.

    The rules by which strangers' text is kept out are at the head of this module. Source of the field names:
    AsyncOS user guides, "Consolidated Event Logs".

    """
    if len(text) <= _LONGEST:
        first = text.find("=")
        event = _read_in_order(text[:first], text, first)
        if event is not None:
            return event
    record = _extension(text)
    if record is None:
        return None
    extension, escaping, joined = record
    header = text[: text.find("=")]
    if joined:
        first = extension.find("=")
        # no header of a whole record begins so
        header = ";" + extension[:first]
        event = _read_in_order(header, extension, first)
        if event is not None:
            return event
    _LAYOUTS.missed(header, functools.partial(_items, extension))
    return _read_key_by_key(extension, escaping=escaping)


def _read_in_order(header: str, text: str, first: int) -> EventRecord | None:
    """Read a record behind a header whose order of keys is known; ``None`` if it has another, or leaves a doubt. `first` is its first equals sign."""
    for match, values in _LAYOUTS.known.get(header, ()):
        found = match(text, first)
        if found is not None:
            event = _read_known(*values(found.groups()))
            if event is not None:
                return event
    return None


def stamp(text: str) -> str | None:
    """Tell when a consolidated event was written, for a record that has no stamp in front of it.

    Args:
        text: The record, as for `parse`.

    Returns:
        A stamp that `clock.Clock.read` reads: RFC 3339 in UTC where the record has ``rt`` or ``end`` in milliseconds since 1970, which
        is how collectors of CEF write times; else the end of the message's processing as the appliance writes it, in the time zone of the
        appliance like the stamps of its log. ``None`` if the record states neither, or states it in contradicting ways.

    """
    event = parse(text)
    record = _extension(text)
    if event is None or record is None:
        return None
    ended: str | None = event.get("ended")
    if ended and "rt=" not in text:
        return ended
    extension, escaping, _ = record
    times = _stated(extension, TIMES, escaping=escaping)
    for value in (times.get("received", ""), times.get("ended", "")):
        if _MILLISECONDS.match(value):
            return from_epoch(value)
    return ended


def _extension(text: str) -> tuple[str, bool, bool] | None:
    """Take a record apart: its fields behind a space, whether ``=`` is escaped in values, and whether the fields came joined."""
    extension = text[:_LONGEST]
    escaping = False
    whole = text.startswith("CEF:")
    if whole:
        header = extension.split("|", 7)
        if len(header) < 8 or header[4] != CONSOLIDATED:
            return None
        extension = header[7]
        escaping = _escapes(header[3])
    elif "ESAMID=" not in extension:
        return None
    if _JOINED.match(extension):
        return " " + _JOIN.sub(" ", extension), False, True
    return (" " + extension, escaping, False) if whole else None


def recipients(event: EventRecord) -> list[str]:
    """Give the envelope recipients of an event of `parse` as a list, empty if the record states none."""
    return [address for address in event.get("recipient", "").split(";") if address]


@functools.lru_cache(maxsize=64)
def _escapes(version: str) -> bool:
    r"""Tell whether AsyncOS of this version writes ``=`` in values as ``\=``: 14 and later do."""
    major = re.match(r"(\d{1,3})\.", version)
    return major is not None and int(major[1]) >= 14


@functools.lru_cache(maxsize=1024)
def _tls_fields(run: str) -> tuple[tuple[str, str], ...]:
    """Read TLS fields that follow each other; a few different runs make up millions of records."""
    fields = []
    for key, value in _TLS_FIELD.findall(run):
        name = TLS_NAMES.get(key)
        stated = RESULTS.get(value.lower()) if key.endswith("ConnStatus") else value
        if name and stated:
            fields.append((name, stated))
    return tuple(fields)


@functools.lru_cache(maxsize=1024)
def _begun(run: str | None) -> EventRecord | None:
    """Return what an event with this run of TLS fields begins with, to be copied; ``None`` if one stands in it twice, or something else does."""
    fields = _tls_fields(run or "")
    stated = dict(fields)
    if len(stated) != len(fields) or not (run is None or _TLS_RUN.match(run)):
        return None
    return cast("EventRecord", {**_BEGINNING, **{name: stated[name] for name in TLS_NAMES.values() if name in stated}})


def _read_known(  # noqa: C901 - most of the time that a record takes
    mid: str,
    icid: str | None,
    dcid: str | None,
    dane_status: str | None,
    dane_host: str | None,
    sender_group: str | None,
    hat_action: str | None,
    action: str | None,
    sender: str | None,
    recipient: str | None,
    peer_ip: str | None,
    peer_host: str | None,
    flow: str | None,
    serial: str | None,
    message_id: str | None,
    subject: str | None,
    ended: str | None,
    tls: str | None,
) -> EventRecord | None:
    """Turn the values of a match of a known order into an event; ``None`` if there is any doubt that needs another reading.

    The values come in the order of `NAMES` and have the form of `_FIELD_VALUES`. Written out, as this is most of the time that a record takes.
    """
    begun = _begun(tls)
    if begun is None:
        return None
    event = begun.copy()
    event["mid"] = int(mid)
    if icid is not None:
        event["icid"] = int(icid)
    if dcid is not None:
        event["dcid"] = int(dcid)
    if dane_status is not None:
        event["dane_status"] = dane_status
    if dane_host is not None:
        event["dane_host"] = dane_host
    if sender_group is not None:
        event["sender_group"] = sender_group
    if hat_action is not None:
        event["hat_action"] = hat_action
    if action is not None:
        event["action"] = action
    if sender is not None:
        _address(event, "sender", sender)
    if recipient is not None:
        _address(event, "recipient", recipient)
    if peer_ip is not None:
        event["peer_ip"] = peer_ip
    if peer_host is not None and peer_host != NO_VALUES["peer_host"]:
        event["peer_host"] = peer_host
    if flow is not None:
        event["mail_flow"] = FLOWS[flow]
    if serial is not None:
        event["serial"] = serial
    if message_id is not None:
        _identify(event, "message_id", message_id)
    if subject is not None:
        _identify(event, "subject", subject)
    if ended is not None:
        event["ended"] = ended
    return event


def _value_pattern(key: str, forms: frozenset[str], *, first: bool, tls_next: bool) -> Value | None:
    """Tell how a key's value is matched where the order of the keys is known; by the rules at the head of this module."""
    if key == _RUN:
        return Value("(ESATLS[^ ]+(?: ESATLS[^ ]+)*)", "tls")
    field = NAMES.get(key)
    if first and (key in STRANGERS or forms != {"word"}):
        return None
    if key in QUOTED_KEYS:
        return Value(f"({_ESCAPED_QUOTED})", field)
    if field in _FIELD_VALUES:
        return Value(_FIELD_VALUES[field], field)
    if key in STRANGERS:
        value = "[^ ]+" if field else "[^=]*" if "words" in forms else "[^ ]*"
        if tls_next:
            whole = "(?!)" if key in _NEVER_WHOLE else _WHOLE_WORD
            value = f"(?:{value}(?! ESATLS)|{whole}(?= ESATLS))"
        return Value(f"({value})" if field else value, field)
    if field:
        # a first value with a semicolon in it may be all fields of a record, joined
        return Value("([^ ;]+)" if first else "([^ ]+)", field)
    word = "[^ ;{][^ ;]*" if first else "[^ {][^ ]*"
    values = {"braced": f"{_DICTIONARY}|{_BRACED}", "words": r"(?! ?\{)[^=]*", "word": word, "empty": ""}
    return Value(f"(?:{'|'.join(value for form, value in values.items() if form in forms)})")


def _items(extension: str) -> list[Item] | None:
    """Return the keys of a record to learn from, in their order; ``None`` if they leave any doubt."""
    if _JOINED.match(extension):
        return None
    items: list[Item] = []
    for key, start, _, end, _ in _walk(extension):
        if key.startswith(_RUN):
            if items and items[-1].key == _RUN:
                continue
            items.append(Item(_RUN, "run"))
            continue
        value = extension[start:end]
        braced = key not in STRANGERS and value.lstrip(" ")[:1] == "{"
        items.append(Item(key, "braced" if braced else "words" if " " in value else "word" if value else "empty"))
    keys = {item.key for item in items}
    return items if len(keys) == len(items) and "ESAMID" in keys and items[0].key != _RUN else None


def _read_key_by_key(extension: str, *, escaping: bool) -> EventRecord:
    """Read any record field after field."""
    event = _values(_stated(extension, NAMES, escaping=escaping))
    return cast("EventRecord", {**_BEGINNING, **{name: event[name] for name in _ORDER if name in event}})


def _stated(extension: str, names: dict[str, str], *, escaping: bool) -> dict[str, str]:
    """Return the TLS fields and the named ones that a record states, read field after field by the rules at the head of this module."""
    front: dict[str, set[str]] = {}  # what is stated in front of the first stranger's bare value
    behind: dict[str, set[str]] = {}
    stated = front
    keys: set[str] = set()
    doubled = open_ended = False
    for key, _, value, _, is_bare in _walk(extension):
        doubled |= key in keys
        keys.add(key)
        bare = is_bare and key in STRANGERS
        if key.startswith(_RUN):
            fields = () if open_ended else _tls_fields(f"{key}={value}")
        else:
            open_ended = bare and not _whole(key, value, escaping=escaping)
            fields = ((names[key], value),) if value and key in names else ()
        for name, text in fields:
            stated.setdefault(name, set()).add(text)
        if bare:
            stated = behind
    if doubled and not escaping:
        behind = {name: texts for name, texts in behind.items() if not name.startswith("tls_")}
    agreed = {**behind, **front}
    for name in [name for name, texts in agreed.items() if len(texts) > 1]:
        side = tuple(name.split("_")[:2]) if name.startswith("tls_") else name
        agreed = {other: texts for other, texts in agreed.items() if side not in (other, tuple(other.split("_")[:2]))}
    return {name: texts.pop() for name, texts in agreed.items()}


def _walk(extension: str) -> Iterator[tuple[str, int, str, int, bool]]:
    """Give the fields of a record one after the other: key, where its value starts, the value, where it ends, and whether it is bare."""
    found = _NEXT_KEY.search(extension)
    while found:
        key, start = found[1][:-1], found.end()
        value, end, bare = _value(key, extension, start)
        yield key, start, value, end, bare
        found = _NEXT_KEY.search(extension, end)


def _value(key: str, extension: str, start: int) -> tuple[str, int, bool]:
    """Give a field's value, where it ends, and whether it is bare: in neither quotes nor braces."""
    enclosed = None
    if key in QUOTED_KEYS:
        enclosed = _QUOTED_VALUE.match(extension, start)
    elif key not in STRANGERS and key not in NAMES:
        enclosed = _BRACED_VALUE.match(extension, start)
    if enclosed:
        return enclosed[1], enclosed.end(), False
    words = _WORDS_VALUE.search(extension, start)  # matches at once, if only the empty text
    if words is None:
        return "", start, True
    value = words[1].lstrip(" ")
    if key.startswith(_RUN) or (key in NAMES and key not in QUOTED_KEYS and value[:1] != '"' and not _WHOLE_STAMP.match(value)):
        value = value.partition(" ")[0]  # what follows is a key with a space in it that is not known here
    return value, words.end(), True


def _whole(key: str, value: str, *, escaping: bool) -> bool:
    """Tell whether a stranger's bare value is one behind which nothing of the stranger's can go on."""
    if escaping and "\\=" in value:
        return True  # a stranger's equals sign was seen to be escaped
    if key in {"msg", "ESAFinalActionDetails"}:
        return key == "msg" and not escaping and " " not in value and _QUOTED_PRINTABLE.search(value) is not None  # AsyncOS 13.0
    if key == "ESAFriendlyFrom":
        return escaping and _WHOLE_NAME.match(value) is not None
    return _WHOLE.match(value) is not None


def _values(event: dict[str, Any]) -> dict[str, Any]:
    """Turn an event's words into its values, in place; drop what is no value."""
    for name in IDS:
        number = event.get(name)
        if number is not None:
            if number.isdecimal() and len(number) <= LONGEST_ID:
                event[name] = int(number)
            else:
                del event[name]
    flow = event.get("mail_flow")
    if flow is not None:
        if flow in FLOWS:
            event["mail_flow"] = FLOWS[flow]
        else:
            del event["mail_flow"]
    if event.get("peer_host") == NO_VALUES["peer_host"]:
        del event["peer_host"]
    if "peer_ip" in event and not _IP.match(event["peer_ip"]):
        del event["peer_ip"]
    if "ended" in event and not _WHOLE_STAMP.match(event["ended"]):
        del event["ended"]
    for name in _ADDRESSES:
        if name in event:
            _address(event, name, event.pop(name))
    for name in IDENTITY.values():
        if name in event:
            _identify(event, name, event.pop(name))
    return event


def _address(event: Any, name: str, value: str) -> None:
    """Set an address to what is left of a value without its escapes, if anything is; the empty sender is none."""
    text = unescape(value) if "\\" in value else value
    if text and text != NO_VALUES.get(name):
        event[name] = text


def _identify(event: Any, name: str, value: str) -> None:
    """Set a field to what stands within the quotes of a value, if anything does; a cut record lacks the last quote."""
    value = value.strip(" ")
    quote = next((quote for quote in ("'", '"', '\\"') if value.startswith(quote)), "")
    text = value[len(quote) :].removesuffix(quote) if quote else value
    text = (unescape(text) if "\\" in text else text).strip(" ")
    if text:
        event[name] = text


def _field_of(key: str) -> str | None:
    """Return the field of a key, and one name for a run of TLS fields."""
    return "tls" if key == _RUN else NAMES.get(key)


_LAYOUTS = Layouts(_RUN, [*dict.fromkeys(NAMES.values()), "tls"], _field_of, _value_pattern)
"""What this process has learned of the records that it has read."""
