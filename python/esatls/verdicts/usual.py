"""Facts of usual lines, many at once: the texts that most lines of a log have, each in the one form that is quick to recognize.

If an expression here takes a line, the pattern of that kind of line matches it with the same values. Lines that none takes are left to the patterns.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Callable

from esatls.extraction.fact_types import CODE, TIME, Fact
from esatls.extraction.patterns import PATTERNS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from esatls.lines.clock import Time

Store = dict[str, list[Fact]]
Place = tuple["Time | None", Store, Store, Store]
"""What a header says about the facts in its line: their time, and the stores of its appliance."""
Rows = list[tuple[str, ...]]
"""What an expression found, a row for each line: the header, the values of the text, and at the end the whole line if its text is not usual."""

ACCEPTED = "message_accepted"

_ID = "([0-9]{1,18})"
_IP = r"([0-9]{1,3}(?:\.[0-9]{1,3}){3})"
_WORD = "([!-~]+)"
_TLS = f"TLS success protocol {_WORD} cipher {_WORD}"
_ACCEPTED = PATTERNS["ESA_MESSAGE_ACCEPTED"].partition("}) ")[2].removesuffix(".*").replace("?P<size>", "?:").replace(r"\d", "[0-9]")


def take(lines: Mapping[str, list[str]], places: Mapping[str, Place], start: int) -> list[str]:
    """Add the facts of lines, and return those lines whose text is not usual. `lines` are by the first four characters of the text, which begins at `start`."""
    left: list[str] = []
    for word, some in lines.items():
        if word in USUAL:
            expression, add = USUAL[word]
            left += add(_compiled(expression, start).findall("\n".join(some) + "\n"), places)
        else:
            left += some
    return left


@lru_cache(maxsize=256)
def _compiled(expression: str, start: int) -> re.Pattern[str]:
    return re.compile(rf"(.{{{start}}}){expression}\n|(.*)\n")


_MESSAGE = (
    rf"MID {_ID} (?:{_ACCEPTED}.*(?<!\s)|ICID {_ID} (?:RID {_ID} To|From): <([!-;=?-~]+)>|Message-ID '([!#-&(-~]+)'"
    r"|Subject '([^\s'\\](?:[^'\n]*[^\s'\\])?)'|matched all recipients for per-recipient policy .* in the (inbound|outbound) table"
    r"|(R)ID \[[0-9][0-9, ]*\] Response ['\"]?[^\s'\"].*(?<!\s))"
)

_RECEIVING = (
    rf"ICID {_ID} (?:(close|lost)|{_TLS}|(ACCEPT|RELAY|REJECT|TCPREFUSE|CONTINUE) SG (?!None ){_WORD}"
    r" match (?!SBRS |ipr )[!-~]+ SBRS (?:not enabled|[!-~]+)(?: country (?!None\n)(\S(?:.*\S)?))?)"
)
_OPENING = (
    rf"New SMTP (?:ICID {_ID} interface ([A-Za-z0-9]+(?: [0-9])?) \({_IP}\) address {_IP} reverse dns host (?:unknown|{_WORD}) verified [a-z]+"
    rf"|DCID {_ID} interface {_IP} address {_IP} port ([0-9]{{1,5}}))"
)


def _of_message(rows: Rows, places: Mapping[str, Place]) -> list[str]:
    left: list[str] = []
    for header, mid, icid, rid, address, message_id, subject, table, response, line in rows:
        if line:
            left.append(line)
            continue
        if response:
            continue
        time, _, _, messages = places[header]
        fact: Fact
        if address:
            fact = ("message_recipient", time, mid, icid, rid, address) if rid else ("message_sender", time, mid, icid, address)
        elif message_id:
            fact = ("message_identity", time, mid, message_id, None)
        elif subject:
            fact = ("message_identity", time, mid, None, subject)
        elif table:
            fact = ("message_policy", time, mid, table)
        else:
            fact = (ACCEPTED, time, mid, None)
        add(messages, mid, fact)
    return left


def _of_start(rows: Rows, places: Mapping[str, Place]) -> list[str]:
    for header, mid, icid, line in rows:
        if not line:
            time, _, _, messages = places[header]
            add(messages, mid, ("message_started", time, mid, icid, None))
    return _left(rows)


def _of_delivery_start(rows: Rows, places: Mapping[str, Place]) -> list[str]:
    for header, dcid, mid, rid, line in rows:
        if not line:
            time, _, _, messages = places[header]
            add(messages, mid, ("delivery_started", time, mid, dcid, rid))
    return _left(rows)


def _of_end(rows: Rows, places: Mapping[str, Place]) -> list[str]:
    for header, dcid, mid, rid, finished, end, line in rows:
        if end:
            time, _, _, messages = places[header]
            add(messages, finished, ("message_finished", time, finished, end))
        elif not line:
            time, _, _, messages = places[header]
            add(messages, mid, ("delivery_done", time, mid, dcid, rid))
    return _left(rows)


def _of_receiving(rows: Rows, places: Mapping[str, Place]) -> list[str]:
    for header, icid, reason, version, cipher, action, group, country, line in rows:
        if line:
            continue
        time, receiving, _, _ = places[header]
        if reason:
            add(receiving, icid, ("connection_closed", time, icid, reason))
        elif version:
            add(receiving, icid, ("tls_success", time, icid, version, cipher, None, None))
        else:
            add(receiving, icid, ("hat_policy", time, icid, action, group, country or None, None))
    return _left(rows)


def _of_sending(rows: Rows, places: Mapping[str, Place]) -> list[str]:
    for header, dcid, reason, version, cipher, domain, line in rows:
        if line:
            continue
        time, _, delivery, _ = places[header]
        if reason:
            add(delivery, dcid, ("connection_closed", time, dcid, reason))
        else:
            add(delivery, dcid, ("tls_success", time, dcid, version, cipher, None, domain or None))
    return _left(rows)


def _of_opening(rows: Rows, places: Mapping[str, Place]) -> list[str]:
    for header, icid, interface, interface_ip, peer_ip, peer_host, dcid, from_ip, to_ip, port, line in rows:
        if line:
            continue
        time, receiving, delivery, _ = places[header]
        if icid:
            add(receiving, icid, ("connection_opened", time, icid, peer_ip, peer_host or None, None, interface, interface_ip))
        else:
            add(delivery, dcid, ("connection_opened", time, dcid, to_ip, None, port, None, from_ip))
    return _left(rows)


def add(store: Store, key: str, fact: Fact) -> None:
    """Add a fact to those of its id; what scanners say about a message within one second is one fact."""
    known = store.get(key)
    if known is None:
        store[key] = [fact]
    elif fact[CODE] != ACCEPTED or known[-1][CODE] != ACCEPTED or known[-1][TIME] != fact[TIME]:
        known.append(fact)


def _left(rows: Iterable[tuple[str, ...]]) -> list[str]:
    return [row[-1] for row in rows if row[-1]]


USUAL: dict[str, tuple[str, Callable[[Any, Mapping[str, Place]], list[str]]]] = {
    "MID ": (_MESSAGE, _of_message),
    "Star": (rf"Start MID {_ID} ICID {_ID}", _of_start),
    "Deli": (rf"Delivery start DCID {_ID} MID {_ID} to RID \[([0-9][0-9, ]*)\]", _of_delivery_start),
    "Mess": (rf"Message (?:done DCID {_ID} MID {_ID} to RID \[([0-9][0-9, ]*)\]|finished MID {_ID} (done|aborted))", _of_end),
    "ICID": (_RECEIVING, _of_receiving),
    "DCID": (rf"DCID {_ID} (?:(close|lost)|{_TLS}(?: for ([a-z0-9-]+(?:\.[a-z0-9-]+)+))?)", _of_sending),
    "New ": (_OPENING, _of_opening),
}
