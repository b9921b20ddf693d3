"""A story as text for people: a heading per message, and below each hop its lines, with a mark on those that decide a verdict."""

from __future__ import annotations

import io
from typing import IO, TYPE_CHECKING

from rich.text import Text

from esatls.output import clipped, printable
from esatls.output.console import Console
from esatls.verdicts.words import STYLES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from esatls.trace.story import Hop, Story, StoryMessage

_RELATIONS = {"parent": "made into the message below", "child": "made from a message above"}


def write(stories: Iterable[Story], file: IO[bytes]) -> None:
    """Write stories. Lines are never wrapped, so that they can be searched and copied."""
    text = io.TextIOWrapper(file, encoding="utf-8", write_through=True)
    console = Console(text)
    for number, story in enumerate(stories):
        for place, message in enumerate(story["messages"]):
            if number or place:
                console.print()
            _message(console, message)
    text.detach()


def _line(console: Console, *pieces: str | tuple[str, str]) -> None:
    console.print(Text.assemble(*(printable(piece) if isinstance(piece, str) else (printable(piece[0]), piece[1]) for piece in pieces)), soft_wrap=True)


def _verdict(word: str) -> tuple[str, str]:
    return word, STYLES.get(word, "")


def _message(console: Console, message: StoryMessage) -> None:
    host = f" on {message['esa_host']}" if "esa_host" in message else ""
    _line(
        console, (f"MID {message['mid']}{host}", "bold"), ": received ", _verdict(message["received"]), ", delivered ", _verdict(message["delivered"])
    )  # fmt: skip
    if "parent_mid" in message:
        _line(console, f"{message['mid_relation']} from MID {message['parent_mid']}")
    elif message["role"] in _RELATIONS:
        _line(console, _RELATIONS[message["role"]])
    who = [f"from {message['sender']}"] if "sender" in message else []
    who += [f"to {', '.join(message['recipients'])}"] if "recipients" in message else []
    if who:
        _line(console, " ".join(who))
    if "message_id" in message:
        _line(console, f"Message-ID {message['message_id']}")
    if "subject" in message:
        _line(console, f"Subject {message['subject']}")
    for hop in message["hops"]:
        _hop(console, hop)


def _hop(console: Console, hop: Hop) -> None:
    if hop["hop"] == "message":
        if hop["lines"]:
            _line(console, "  ", ("The message", "bold"))
    else:
        _line(console, "  ", (_where(hop), "bold"), ": ", _verdict(hop["verdict"]), *_with(hop))
        if hop["why"]:
            _line(console, "  ", (hop["why"], "dim"))
    for line in hop["lines"]:
        place = f"{line['file']}:{line['line']}" if "line" in line else line["file"]
        text = line["text"].strip() or f"{line.get('time', '')} {line['esa_event']}".strip()
        decides = "decides" in line
        _line(console, "  > " if decides else "    ", (place, "dim"), "  ", (clipped(text), "bold" if decides else ""))


def _where(hop: Hop) -> str:
    """Return the heading of a hop: what was done, for whom, over which connection and with which peer."""
    receiving = hop["hop"] == "receiving"
    words = ["Received" if receiving else "Delivery"]
    if not receiving and "outcome" in hop:
        words = [{"done": "Delivered", "bounced": "Bounced", "delayed": "Delayed"}[hop["outcome"]]]
    if hop.get("recipients"):
        words.append(f"to {', '.join(hop['recipients'])}")
    elif "domain" in hop:
        words.append(f"to {hop['domain']}")
    connection = hop.get("icid") if receiving else hop.get("dcid")
    if connection is not None:
        words.append(f"over {'ICID' if receiving else 'DCID'} {connection}")
    peers = [peer for peer in (hop.get("peer_host"), hop.get("peer_ip")) if peer is not None]
    if peers:
        words.append(("from " if receiving else "at ") + (f"{peers[0]} ({peers[1]})" if len(peers) > 1 else peers[0]))
    return " ".join(words)


def _with(hop: Hop) -> list[str]:
    used = [value for value in (hop.get("tls_version"), hop.get("tls_cipher")) if value is not None]
    return [*([f" {' '.join(used)}"] if used else []), *(f"; {value}" for value in (hop.get("reason"), hop.get("response")) if value is not None)]
