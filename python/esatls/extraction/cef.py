r"""Read Cisco's consolidated events: one CEF record per message, AsyncOS 13 to 16.

A record states what the appliance's administrator selected, as ``key=value`` pairs in any order; what it
leaves out decides nothing. `parse` returns the flat fields that esatls knows.

Who may state a TLS field
-------------------------
Strangers choose the subjects, names, addresses, file names and host names in a record. A record is therefore
read by where each value can end, not by searching for ``ESATLSInConnStatus=``:

* ``msg`` and ``cs4`` are written as quoted Python strings, and lists of files and addresses as Python
  dictionaries in braces. Nothing inside them counts, and a quote that a cut record leaves open extends to
  the end.
* From AsyncOS 14 on, an equals sign in a value is written ``\=``; a key is a word before a bare ``=``.
* A TLS field directly behind a stranger's bare value counts only if that value is whole (an address, a host
  name), so that the stranger's text cannot continue behind it.
* If a field occurs more than once, those in front of the first stranger's bare value count; if there are none,
  those behind it. They must agree; otherwise the field is not stated, and of a TLS field, nothing about its side.
* If a collector took a record apart (`records` makes it again), the order of its keys is lost: no TLS field counts unless all of the strangers' bare values
  are whole.
* AsyncOS 13 and records without a version may leave ``=`` bare in values. There, no TLS field counts directly
  behind a friendly name or a bare subject (unless it is one quoted-printable word), and none behind any
  stranger's bare value if any field occurs twice.
* Where semicolons join the fields, nothing is escaped: no TLS field counts behind a key that is not known.

An appliance writes its keys in one order. Once that is known (`cef_layout`), one match reads a record; until then, and if there is any
doubt, it is read key by key. Both give the same fields in the same order.

Limits: in a record of AsyncOS 13, a stranger can end a bare name with any key that the record lacks
and a TLS field, which looks like the appliance's own. A record that is cut within its last value, such as ``TLSv1`` of
``TLSv1.2``, cannot be recognized as cut.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, cast

from esatls.extraction.cef_layout import Item, Layouts, Value
from esatls.lines.arcsight import CONSOLIDATED, TAKEN_APART, escapes, from_epoch, unescape
from esatls.lines.cef_tables import (
    FLOWS,
    IDENTITY,
    IDS,
    KNOWN_KEYS,
    LONGEST_ID,
    NAMES,
    NO_VALUES,
    QUOTED_KEYS,
    RESULTS,
    SPACED_KEYS,
    STRANGERS,
    TIMES,
    TLS_NAMES,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from esatls.extraction.event_record import EventRecord


_KEY = rf"(?:\w+|{'|'.join(SPACED_KEYS)})="

# Values. No two alternatives begin alike, so reading is linear even for hostile text.
_SINGLE = r"'[^'\\]*(?:\\.[^'\\]*)*(?:'|\\?\Z)"
_DOUBLE = r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)'
_JSON = r'\\"[^"\\]*(?:\\[^"][^"\\]*)*(?:\\"|\\?\Z)'
_QUOTED = rf"(?:{_SINGLE}|{_DOUBLE}|{_JSON})(?= *(?:\Z| {_KEY}))"
_BRACED = rf"\{{[^'\" ]*(?:(?:{_SINGLE}|{_DOUBLE}| (?!\w+=))[^'\" ]*)*"
_WORDS = rf"[^ ]*(?: +(?! |{_KEY})[^ ]+)*"
_STAMP = r"\w{3} \w{3} [ \d]?\d \d\d:\d\d:\d\d \d{4}"

_BEGINNING = {"esa_event": "consolidated_event", "witness": "cef"}
_FIELDS = tuple(dict.fromkeys(NAMES.values()))
"""The fields of an event besides those of TLS, in their order, no matter how the record was read."""
_ADDRESSES = ("sender", "recipient")
_ADDRESS = r'(?:"[^"\\]*(?:\\.[^"\\]*)*"|[^ ";,<>]+)@[\w.:\[\]-]+'
_NO_ADDRESS = rf"[\w:\[\]-]+(?:\.[\w:\]-]+)+|{'|'.join(NO_VALUES.values())}|"
_WHOLE = re.compile(rf"(?:{_ADDRESS}(?:;{_ADDRESS})*|{_NO_ADDRESS})\Z")
_WHOLE_NAME = re.compile(rf"(?:.*<{_ADDRESS}>|{_ADDRESS})\Z")
_NEVER_WHOLE = frozenset({"ESAFinalActionDetails", "ESAFriendlyFrom"})
_QUOTED_PRINTABLE = re.compile("=[0-9A-F]{2}")

_RUN = "ESATLS"
"""How the keys of TLS fields begin, and the pretended key of a run of them."""

_DICTIONARY = r"\{[^=\"\\]*[^=\"\\{\[( bu]'(?:: \{\})?\}+"
"""The usual text in braces, without double quotes, backslashes and equals signs: it ends behind a quote that does not open a string."""

_LONGEST = 65_536
"""Maximum characters of a record that are read; the appliance's are shorter."""

# More values, for records whose order of keys is known (see `cef_layout`).
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

# Reading key by key.
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
        ``None`` if the text is not a consolidated event of Cisco's; else a flat event, with text as logged:

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
          (``Mon Jun 12 14:01:31 2023``); no ``time``, which comes from the envelope.

        A field that the record does not state, or states in contradictory ways, is absent.

    The rules that keep strangers' text out are at the head of this module. Source of the field names:
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
    extension = record.fields
    if record.apart:
        return _read_key_by_key(record)
    header = text[: text.find("=")]
    if record.joined:
        first = extension.find("=")
        # no header of a whole record begins like this
        header = ";" + extension[:first]
        event = _read_in_order(header, extension, first)
        if event is not None:
            return event
    _LAYOUTS.missed(header, functools.partial(_items, record))
    return _read_key_by_key(record)


def _read_in_order(header: str, text: str, first: int) -> EventRecord | None:
    """Read a record by the known orders of keys behind its header; ``None`` if none fits without doubt. `first` is where its first equals sign is."""
    for match, values in _LAYOUTS.known.get(header, ()):
        found = match(text, first)
        if found is not None:
            event = _read_known(*values(found.groups()))
            if event is not None:
                return event
    return None


def stamp(text: str) -> str | None:
    """Return when a consolidated event was written, for a record that has no stamp in front of it.

    Args:
        text: The record, as for `parse`.

    Returns:
        A stamp for `clock.Clock.read`: RFC 3339 in UTC if the record has ``rt`` or ``end`` in milliseconds since 1970, as collectors of CEF
        write times; else the end of the message's processing as the appliance writes it, in the appliance's time zone like the stamps of
        its log. ``None`` if the record states neither, or in contradictory ways.

    """
    record = _extension(text)
    times = {} if record is None else _stated(record, TIMES)
    received, ended = times.get("received", ""), times.get("ended", "")
    milliseconds = next(filter(_MILLISECONDS.match, (received, ended)), None)
    return from_epoch(milliseconds) if milliseconds else ended if _WHOLE_STAMP.match(ended) else None


class _Record(NamedTuple):
    """The fields of a record, behind a space, and how they are written."""

    fields: str
    escaping: bool
    """Whether an equals sign is escaped in values."""
    joined: bool = False
    """Whether semicolons joined them."""
    apart: bool = False
    """Whether a collector took them apart, so that their order is not the appliance's."""


def _extension(text: str) -> _Record | None:
    """Return the fields of a record; ``None`` if it is not one of Cisco's."""
    extension = text[:_LONGEST]
    escaping = apart = False
    whole = text.startswith("CEF:")
    if whole:
        header = extension.split("|", 7)
        if len(header) < 8 or header[4] != CONSOLIDATED:
            return None
        extension = header[7]
        escaping, apart = escapes(header[3]), header[5] == TAKEN_APART
    elif "ESAMID=" not in extension:
        return None
    if _JOINED.match(extension):
        return _Record(" " + _JOIN.sub(" ", extension), escaping=False, joined=True)
    return _Record(" " + extension, escaping, apart=apart) if whole else None


@functools.lru_cache(maxsize=1024)
def _tls_fields(run: str) -> tuple[tuple[str, str], ...]:
    """Read a run of TLS fields; millions of records have only a few different ones."""
    fields = []
    for key, value in _TLS_FIELD.findall(run):
        name = TLS_NAMES.get(key)
        stated = RESULTS.get(value.lower()) if key.endswith("ConnStatus") else value
        if name and stated:
            fields.append((name, stated))
    return tuple(fields)


@functools.lru_cache(maxsize=1024)
def _begun(run: str | None) -> EventRecord | None:
    """Return the beginning of events with this run of TLS fields, to be copied; ``None`` if a field is repeated or anything else is in it."""
    fields = _tls_fields(run or "")
    stated = dict(fields)
    if len(stated) != len(fields) or not (run is None or _TLS_RUN.match(run)):
        return None
    return cast("EventRecord", {**_BEGINNING, **{name: stated[name] for name in TLS_NAMES.values() if name in stated}})


def _read_known(*values: str | None) -> EventRecord | None:
    """Turn the values that a known order matched into an event; ``None`` if any doubt requires reading key by key.

    The values come in the order of `_FIELDS`, and behind them the run of TLS fields.
    """
    begun = _begun(values[-1])
    return None if begun is None else _with_fields(begun.copy(), values)


def _value_pattern(key: str, forms: frozenset[str], *, first: bool, tls_next: bool) -> Value | None:
    """Return how to match a key's value if the order of the keys is known, by the rules at the head of this module."""
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
        # a first value with a semicolon may be all fields of a record, joined
        return Value("([^ ;]+)" if first else "([^ ]+)", field)
    word = "[^ ;{][^ ;]*" if first else "[^ {][^ ]*"
    values = {"braced": f"{_DICTIONARY}|{_BRACED}", "words": r"(?! ?\{)[^=]*", "word": word, "empty": ""}
    return Value(f"(?:{'|'.join(value for form, value in values.items() if form in forms)})")


def _items(record: _Record) -> list[Item] | None:
    """Return the keys of a record in their order, to learn from; ``None`` if there is any doubt about them."""
    if _JOINED.match(record.fields):
        return None
    items: list[Item] = []
    for key, start, _, end, _ in _walk(record.fields):
        if key.startswith(_RUN):
            if items and items[-1].key == _RUN:
                continue
            if record.joined and not all(item.key in KNOWN_KEYS or item.key == _RUN for item in items):
                return None
            items.append(Item(_RUN, "run"))
            continue
        value = record.fields[start:end]
        braced = key not in STRANGERS and value.lstrip(" ")[:1] == "{"
        items.append(Item(key, "braced" if braced else "words" if " " in value else "word" if value else "empty"))
    keys = {item.key for item in items}
    return items if len(keys) == len(items) and "ESAMID" in keys and items[0].key != _RUN else None


def _read_key_by_key(record: _Record) -> EventRecord:
    """Read any record field by field."""
    stated = _stated(record, NAMES)
    tls = {name: stated[name] for name in TLS_NAMES.values() if name in stated}
    return _with_fields({**_BEGINNING, **tls}, map(stated.get, _FIELDS))


def _stated(record: _Record, names: dict[str, str]) -> dict[str, str]:
    """Return the TLS fields and those in `names` that a record states, by the rules at the head of this module."""
    front: dict[str, set[str]] = {}  # stated in front of the first stranger's bare value
    behind: dict[str, set[str]] = {}
    stated = front
    keys: set[str] = set()
    doubled = open_ended = unknown = False
    for key, _, value, _, is_bare in _walk(record.fields):
        doubled |= key in keys
        keys.add(key)
        bare = is_bare and key in STRANGERS
        if key.startswith(_RUN):
            fields = () if open_ended or unknown else _tls_fields(f"{key}={value}")
        else:
            unknown |= record.joined and key not in KNOWN_KEYS
            # if they were taken apart, any of them may have stood in front
            open_ended = (record.apart and open_ended) or (bare and not _whole(key, value, record))
            fields = ((names[key], value),) if value and key in names else ()
        for name, text in fields:
            stated.setdefault(name, set()).add(text)
        if bare:
            stated = behind
    if doubled and not record.escaping:
        behind = {name: texts for name, texts in behind.items() if not name.startswith("tls_")}
    agreed = {**behind, **front}
    for name in [name for name, texts in agreed.items() if len(texts) > 1]:
        side = tuple(name.split("_")[:2]) if name.startswith("tls_") else name
        agreed = {other: texts for other, texts in agreed.items() if side not in (other, tuple(other.split("_")[:2]))}
    return {name: texts.pop() for name, texts in agreed.items()}


def _walk(extension: str) -> Iterator[tuple[str, int, str, int, bool]]:
    """Yield the fields of a record: key, where its value starts, the value, where it ends, and whether it is bare."""
    found = _NEXT_KEY.search(extension)
    while found:
        key, start = found[1][:-1], found.end()
        value, end, bare = _value(key, extension, start)
        yield key, start, value, end, bare
        found = _NEXT_KEY.search(extension, end)


def _value(key: str, extension: str, start: int) -> tuple[str, int, bool]:
    """Return a field's value, where it ends, and whether it is bare: in neither quotes nor braces."""
    enclosed = None
    if key in QUOTED_KEYS:
        enclosed = _QUOTED_VALUE.match(extension, start)
    elif key not in STRANGERS and key not in NAMES:
        enclosed = _BRACED_VALUE.match(extension, start)
    if enclosed:
        return enclosed[1], enclosed.end(), False
    words = _WORDS_VALUE.search(extension, start)  # always matches, at least the empty text
    if words is None:
        return "", start, True
    value = words[1].lstrip(" ")
    if key.startswith(_RUN) or (key in NAMES and key not in QUOTED_KEYS and value[:1] != '"' and not _WHOLE_STAMP.match(value)):
        value = value.partition(" ")[0]  # what follows belongs to an unknown key with a space in it
    return value, words.end(), True


def _whole(key: str, value: str, record: _Record) -> bool:
    """Tell whether a stranger's bare value is whole, so that the stranger's text cannot continue behind it."""
    if record.escaping and not record.apart and "\\=" in value:
        return True  # the stranger's equals signs are escaped
    if key in {"msg", "ESAFinalActionDetails"}:
        return key == "msg" and not record.escaping and " " not in value and _QUOTED_PRINTABLE.search(value) is not None  # AsyncOS 13.0
    if key == "ESAFriendlyFrom":
        return record.escaping and _WHOLE_NAME.match(value) is not None
    return _WHOLE.match(value) is not None


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) <= LONGEST_ID else None


def _address(text: str) -> str:
    """Return an address without its escapes."""
    return unescape(text) if "\\" in text else text


def _identity(text: str) -> str:
    """Return the text within a value's quotes; a cut record lacks the last quote."""
    text = text.strip(" ")
    quote = next((quote for quote in ("'", '"', '\\"') if text.startswith(quote)), "")
    text = text[len(quote) :].removesuffix(quote) if quote else text
    return (unescape(text) if "\\" in text else text).strip(" ")


_READ: dict[str, Callable[[str], Any]] = {
    **dict.fromkeys(IDS, _number),
    **dict.fromkeys(_ADDRESSES, _address),
    **dict.fromkeys(IDENTITY.values(), _identity),
    "mail_flow": FLOWS.get,
    "peer_ip": lambda text: text if _IP.match(text) else None,
    "ended": lambda text: text if _WHOLE_STAMP.match(text) else None,
}
"""How to read the fields that are not plain text; None or nothing: not a value."""
_READINGS = tuple((name, _READ.get(name), NO_VALUES.get(name)) for name in _FIELDS)


def _with_fields(event: Any, texts: Iterable[str | None]) -> EventRecord:
    """Add to an event the values of `_FIELDS`, given as text, that are valid."""
    for (name, read, nothing), text in zip(_READINGS, texts):
        if text is not None:
            value = text if read is None else read(text)
            if value is not None and value not in ("", nothing):
                event[name] = value
    return cast("EventRecord", event)


def _field_of(key: str) -> str | None:
    """Return the field of a key; a run of TLS fields counts as one field."""
    return "tls" if key == _RUN else NAMES.get(key)


_LAYOUTS = Layouts(_RUN, [*_FIELDS, "tls"], _field_of, _value_pattern)
"""The orders of keys that this process has learned."""
