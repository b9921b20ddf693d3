"""Messages and their lines -> stories: each message hop by hop, each verdict with the lines that decide it.

A story is a plain dict that can be written as JSON. Its `messages`, parents first, are the records of `esatls messages`, each with its `role` (match,
parent, child) and its `hops`. A hop is `receiving`, `message` or `delivery`, with what the record says about it, `why` in words, and its `lines`: file, line,
text, time, esa_event, and `decides` if the verdict rests on the line. A key without a value is absent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict, cast

from esatls.extraction.fact_types import CODE, KEY, MAKES, RECEIVING
from esatls.verdicts.connection import ATTEMPTS, Rest
from esatls.verdicts.record_types import DeliveryRecord, MessageRecord

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from esatls.extraction.fact_types import Fact
    from esatls.trace.family import Member, Passage
    from esatls.trace.source_lines import Line
    from esatls.verdicts.connection import Connection

_OF_RECEIVING = {
    "verdict": "received",
    "tls_version": "received_tls_version",
    "tls_cipher": "received_tls_cipher",
    "reason": "received_reason",
    "peer_ip": "received_peer_ip",
    "peer_host": "received_peer_host",
    "conflict": "received_conflict",
    "from_mid": "received_from_mid",
}
_NO_CONNECTION = {
    "internal": "made by the appliance itself",
    "none": "refused or given up before it was accepted",
    "unknown": "the log does not show over which connection it came",
}


class StoryLine(TypedDict, total=False):
    """One line of the log."""

    file: str
    line: int
    time: str
    esa_event: str
    text: str
    decides: bool


class Hop(DeliveryRecord, total=False):
    """One step of a message: how it was received, what was done with it, or an attempt to deliver it."""

    hop: str
    icid: int
    from_mid: int
    recipients: list[str]
    why: str
    lines: list[StoryLine]


class StoryMessage(MessageRecord, total=False):
    """One message with its steps."""

    role: str
    hops: list[Hop]


class Story(TypedDict):
    """Messages that belong together."""

    messages: list[StoryMessage]


def story(members: Sequence[Member], lines: Mapping[int, Sequence[Line]]) -> Story:
    """Return the story of some messages that belong together."""
    return {"messages": [_message(member, lines) for member in members]}


def _message(member: Member, lines: Mapping[int, Sequence[Line]]) -> StoryMessage:
    passages = [passage for passage in member.passages if passage.attempt is not None]
    rest: list[Line] = []
    of_attempts: list[list[Line]] = [[] for _ in passages]
    for line in lines.get(id(member.message), ()):
        number = _attempt_of(line, passages)
        (rest if number is None else of_attempts[number]).append(line)
    shown: set[int] = set()
    deliveries = [_delivery(member, passage, mine, lines, shown) for passage, mine in zip(passages, of_attempts)]
    lineage = {fact for line in rest for fact in line.facts if fact[CODE] in MAKES and fact[KEY] == member.message.mid}
    inherits = not any(passage.side == RECEIVING for passage in member.passages)
    hops: list[Hop] = [_receiving(member, lines, lineage), {"hop": "message", "lines": _told(rest, lineage if inherits else ())}, *deliveries]
    return cast("StoryMessage", {"role": member.role, **member.record, "hops": hops})


def _receiving(member: Member, lines: Mapping[int, Sequence[Line]], lineage: Collection[Fact]) -> Hop:
    record: Mapping[str, Any] = member.record
    hop: dict[str, Any] = {"hop": "receiving"}
    if "icid" in record:
        hop["icid"] = record["icid"]
    hop.update((name, record[theirs]) for name, theirs in _OF_RECEIVING.items() if theirs in record)
    passage = next((passage for passage in member.passages if passage.side == RECEIVING), None)
    if passage is not None and passage.connection is not None:
        hop["why"], decides = _why(passage.connection, hop, passage, member.message.mid)
        if hop["verdict"] == "none":
            hop["why"], decides = _NO_CONNECTION["none"], frozenset()
        hop["lines"] = _told(_about(lines.get(id(passage.connection), ()), member.message.mid, decides), decides)
        return cast("Hop", hop)
    if "from_mid" in hop and "parent_mid" in record:
        hop["why"] = f"the verdict of MID {hop['from_mid']}, which it was made from ({record['mid_relation']})"
    elif lineage and hop["verdict"] == "unknown":
        hop["why"] = f"the log does not show how MID {record.get('parent_mid')}, which it was made from, was received"
    elif member.message.records and hop["verdict"] in ("encrypted", "cleartext"):
        hop["why"] = "stated by a consolidated event"
    else:
        hop["why"] = _NO_CONNECTION.get(hop["verdict"], "")
    hop["lines"] = []
    return cast("Hop", hop)


def _delivery(member: Member, passage: Passage, mine: Sequence[Line], lines: Mapping[int, Sequence[Line]], shown: set[int]) -> Hop:
    """Return one attempt, with the lines of the message about it (`mine`). A connection's lines are shown only with its first attempt (`shown`)."""
    attempt: Mapping[str, Any] = passage.attempt or {}
    hop: dict[str, Any] = {"hop": "delivery", **attempt}
    recipients = member.record.get("recipients", [])
    rids = sorted({rid for one in member.record["deliveries"] for rid in one["rid"]})
    if len(rids) == len(recipients):
        hop["recipients"] = [address for rid, address in zip(rids, recipients) if rid in attempt["rid"]]
    if passage.connection is None:
        hop["why"] = "the log does not name the connection" if attempt["verdict"] == "unknown" else "stated by a consolidated event"
        hop["lines"] = _told(mine, [fact for line in mine for fact in line.facts if fact[CODE] == "cef"])
        return cast("Hop", hop)
    hop["why"], decides = _why(passage.connection, attempt, passage, member.message.mid)
    theirs = () if id(passage.connection) in shown else _about(lines.get(id(passage.connection), ()), member.message.mid, decides)
    shown.add(id(passage.connection))
    hop["lines"] = _told(sorted({line.place: line for line in (*theirs, *mine)}.values(), key=lambda line: (line.time or 0, line.place)), decides)
    return cast("Hop", hop)


def _about(lines: Sequence[Line], mid: str, decides: frozenset[Fact]) -> list[Line]:
    """Return the lines about a connection; of those that are about another message on it, only those that decide."""
    return [line for line in lines if line.event.get("mid") in (None, int(mid)) or not decides.isdisjoint(line.facts)]


def _attempt_of(line: Line, attempts: Sequence[Passage]) -> int | None:
    """Return the number of the attempt that a line of a message is about; None if it is about none.

    Of several, a line that says how one ended is about the last one until then, and any other line about the next one.
    """
    time = line.time or 0
    fitting = [(one.time or 0, number) for number, one in enumerate(attempts) if _is_of(line, one.attempt or {})]
    if _outcome(line):
        return max((number for when, number in fitting if when <= time), default=fitting[0][1] if fitting else None)
    return min((number for when, number in fitting if when >= time), default=fitting[-1][1] if fitting else None)


def _is_of(line: Line, attempt: Mapping[str, Any]) -> bool:
    """Tell whether a line of a message may be about this attempt to deliver it."""
    event, outcome = line.event, _outcome(line)
    dcid = event.get("dcid")
    if dcid and dcid != attempt.get("dcid"):
        return False
    if not dcid and event["esa_event"] == "consolidated_event":
        return "dcid" not in attempt and "tls_out_result" in event
    return bool(dcid) if outcome is None else outcome == attempt.get("outcome") and set(event.get("rid", ())) <= set(attempt["rid"])


def _outcome(line: Line) -> str | None:
    """Return how an attempt ended that a line is about; None if it does not say that."""
    return "done" if line.event["esa_event"] == "delivery_response" else line.event.get("delivery_outcome")


def _why(connection: Connection, told: Mapping[str, Any], passage: Passage, mid: str) -> tuple[str, frozenset[Fact]]:
    """Return, in words, why a connection has its verdict at the time of a message, and the facts that the verdict rests on."""
    verdict, view = told["verdict"], connection.at(passage.time, mid)
    if "conflict" in told:
        return f"the sources contradict each other ({told['conflict']})", frozenset(connection.evidence(verdict))
    is_stated = view.is_stated or verdict != "cleartext"
    evidence = frozenset(connection.evidence(verdict, is_stated=is_stated, records=connection.records_of(mid)))
    codes = {fact[CODE] for fact in evidence}
    if codes == {"tls_read"}:
        evidence = frozenset(fact for fact in evidence if Rest((fact,)).shows_tls(passage.time, mid))
    if verdict == "unknown":
        if connection.opened is None:
            return "the log does not show the opening of the connection", evidence
        return "the log has no line that decides it", evidence
    if "cef_tls" in codes:
        return "stated by a consolidated event", evidence
    if verdict == "encrypted":
        return ("data of the message was read over TLS" if codes == {"tls_read"} else "TLS was up before the message"), evidence
    if verdict == "mixed":
        return "TLS was up for some messages on the connection, and not for others", evidence
    if verdict == "failed":
        return "TLS did not come up, and no message passed", evidence
    if verdict == "unused":
        return "no line about TLS, and no message passed", evidence
    if codes & ATTEMPTS:
        return "TLS did not come up, and the message passed", evidence
    if connection.success is not None:
        return "TLS came up only after the message", evidence.union(connection.evidence("encrypted"))
    return "the log has no line about TLS between the opening of the connection and the message", evidence


def _told(lines: Iterable[Line], decides: Iterable[Fact]) -> list[StoryLine]:
    """Return lines in the form of a story."""
    deciding = frozenset(decides)
    found = []
    for line in lines:
        one: StoryLine = {"file": line.file}
        if line.place[1]:
            one["line"] = line.place[1]
        if "time" in line.event:
            one["time"] = line.event["time"]
        one["esa_event"] = line.event["esa_event"]
        one["text"] = line.text
        if not deciding.isdisjoint(line.facts):
            one["decides"] = True
        found.append(one)
    return found
