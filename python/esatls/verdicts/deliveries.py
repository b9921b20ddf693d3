"""The attempts to deliver one message, each with the verdict of its connection."""

from __future__ import annotations

from bisect import bisect
from typing import TYPE_CHECKING, Any

from esatls.extraction.fact_types import CODE, DELIVERY, TIME, Consolidated, Delivery, Fact, TlsStated, Try, position
from esatls.extraction.kinds import OUTCOMES
from esatls.verdicts import lives
from esatls.verdicts.connection import stated_summary
from esatls.verdicts.facts import LONG_AGO, order
from esatls.verdicts.message import Message, addresses_of, domain_of, rids_of
from esatls.verdicts.weighing import View, stated_of, statement, weighed
from esatls.verdicts.words import of_deliveries

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from esatls.lines.clock import Time
    from esatls.verdicts.appliance import Appliance
    from esatls.verdicts.connection import Connection, Summary
    from esatls.verdicts.record_types import DeliveryRecord

_NOT_PASSED = frozenset({"bounced", "delayed"})
_ACTIONS = {"DELIVERED": "done", "BOUNCED": "bounced"}
"""The outcomes, by what consolidated events call them."""
_OF_THE_VERDICT = ("tls_version", "tls_cipher", "reason", "conflict", "witness")
_DCID = position("dcid", Delivery, Try)
_RID = position("rid", Delivery, Try)


def _said(summary: Summary) -> DeliveryRecord:
    """Return what an attempt says about its connection."""
    verdict, version, cipher, reason, peer_ip, peer_host, domain, conflict, witness = summary
    said: DeliveryRecord = {"verdict": verdict}
    if version:
        said["tls_version"] = version
    if cipher:
        said["tls_cipher"] = cipher
    if peer_ip:
        said["peer_ip"] = peer_ip
    if peer_host:
        said["peer_host"] = peer_host
    if domain:
        said["domain"] = domain
    if reason:
        said["reason"] = reason
    if conflict:
        said["conflict"] = conflict
    if witness:
        said["witness"] = witness
    return said


class _Tries:
    """Attempts of one message over one connection that ended the same way. The same recipient at another time is another attempt."""

    def __init__(self) -> None:
        self.by_rid: dict[int, list[Time | None]] = {}
        """By RID: the times of its attempts; the first is that of the first attempt, and so on."""

    def add(self, rids: Iterable[int], time: Time | None, *, again: bool) -> None:
        """Add one line, no earlier than those before it; `again` if a recipient may be tried again."""
        for rid in rids:
            times = self.by_rid.setdefault(rid, [])
            if not times or (again and times[-1] is not None and times[-1] != time):
                times.append(time)
            elif times[-1] is None:
                times[-1] = time

    def attempts(self, connection: Connection | None, mid: str | None) -> Iterator[tuple[Time | None, list[int]]]:
        """Yield the time and the recipients of each attempt; recipients before and after TLS came up are not of one."""
        for number in range(max(map(len, self.by_rid.values()), default=0)):
            parts: dict[str, dict[int, Time | None]] = {}
            for rid, times in self.by_rid.items():
                if number < len(times):
                    verdict = "" if connection is None else connection.view_of(times[number], mid).verdict
                    parts.setdefault(verdict, {})[rid] = times[number]
            for tried in parts.values():
                yield min((time for time in tried.values() if time is not None), default=None), sorted(tried)

    def has(self, fact: Fact) -> bool:
        """Tell whether a line of another log, written a moment sooner or later, is about these attempts."""
        return any(_is_near(self.by_rid.get(rid, []), fact[TIME]) for rid in rids_of(fact[_RID]))


def _is_near(times: list[Time | None], time: Time | None) -> bool:
    stamped = [] if time is None else [one for one in times if one is not None]
    if time is None or len(stamped) < len(times):
        return bool(times)
    at = bisect(stamped, time)
    return any(abs(one - time) <= lives.SAME_OPENING for one in stamped[max(at - 1, 0) : at + 1])


def deliveries_of(appliance: Appliance, message: Message) -> list[DeliveryRecord]:
    """Return every attempt to deliver one message, in order of time."""
    found = _all_done(appliance, message)
    if found is None:
        found = _logged(appliance, message)
    return _completed(appliance, found, message.records) if message.records else found


def delivered(attempts: list[DeliveryRecord]) -> str:
    """Return the verdict on the delivery of a message, from its attempts."""
    return of_deliveries({attempt["verdict"] for attempt in attempts if attempt.get("outcome") == "done"})


def _all_done(appliance: Appliance, message: Message) -> list[DeliveryRecord] | None:
    """Return the attempts if all were completed, one over each connection, and the ids of these were used once, as nearly always; else None."""
    done: dict[str, Fact] = {}
    begun: list[Fact] = []
    for fact in message.deliveries:
        if fact[CODE] == "delivery_started":
            begun.append(fact)
        elif fact[CODE] != "delivery_done" or fact[_DCID] in done:
            return None
        else:
            done[fact[_DCID]] = fact
    for fact in begun:
        end = done.get(fact[_DCID])
        if end is None or end[_RID] != fact[_RID]:
            return None
    found = []
    for dcid, fact in done.items() if len(done) == 1 else sorted(done.items(), key=_order_of_end):
        connection = None if dcid is None or dcid == "0" else appliance.used_once(DELIVERY, dcid)
        rids = rids_of(fact[_RID])
        if connection is None or not rids:
            return None
        found.append(_attempt(appliance, message, dcid, "done", fact[TIME], None, connection, rids if len(rids) == 1 else sorted(set(rids))))
    return found


def _order_of_end(one: tuple[str, Fact]) -> tuple[Any, ...]:
    """Sort ends of deliveries over several connections as `_logged` sorts attempts."""
    dcid, fact = one
    return (LONG_AGO if fact[TIME] is None else fact[TIME], int(dcid or 0), sorted(set(rids_of(fact[_RID]))), order(fact))


def _logged(appliance: Appliance, message: Message) -> list[DeliveryRecord]:
    """Return the attempts that have lines of their own."""
    facts = message.deliveries
    known: dict[tuple[str | None, int], dict[tuple[str, str, str], _Tries]] = {}
    from_bounce_log: list[tuple[Fact, tuple[str | None, int], tuple[str, str]]] = []
    started: dict[tuple[str | None, int], list[Fact]] = {}
    for fact in sorted(facts, key=order):
        code, dcid, life = fact[CODE], fact[_DCID] if fact[_DCID] != "0" else None, 0
        if dcid is not None:
            life = lives.life_at(appliance.connections_of(DELIVERY, dcid)[0], fact[TIME])
        if code == "delivery_started":
            started.setdefault((dcid, life), []).append(fact)
            continue
        tried = None if code == "delivery_done" else Try(*fact)
        response = (tried and tried.delivery_response) or ""
        tries = known.setdefault((dcid, life), {}).setdefault((OUTCOMES[code], response, ""), _Tries())
        if tried is None or not tried.recipient:
            tries.add(rids_of(fact[_RID]), fact[TIME], again=tried is not None)
        else:
            from_bounce_log.append((fact, (dcid, life), (OUTCOMES[code], response)))
    for fact, place, end in from_bounce_log:
        # the mail log may have the same attempt, without its addresses; the oldest form of the bounce log names no connection, and has other words
        told = [known[place][(*end, "")]]
        if fact[_DCID] is None:
            told = [tries for ends in known.values() for (outcome, _, log), tries in ends.items() if outcome == end[0] and not log]
        if not any(tries.has(fact) for tries in told):
            known[place].setdefault((*end, "bounce log"), _Tries()).add(rids_of(fact[_RID]), fact[TIME], again=True)
    for place, begun in started.items():
        # a recipient whose attempt has ended needs no line that says that it began
        ended = {rid for tries in known.get(place, {}).values() for rid in tries.by_rid}
        tries = known.setdefault(place, {}).setdefault(("", "", ""), _Tries())
        for fact in begun:
            tries.add({*rids_of(fact[_RID])} - ended, fact[TIME], again=False)
    found = []
    for (dcid, life), ends in known.items():
        connection = None if dcid is None else appliance.connections_of(DELIVERY, dcid)[1].get(life)
        for (outcome, response, _), tries in ends.items():
            mid = None if outcome in _NOT_PASSED else message.mid
            for time, rids in tries.attempts(connection, mid):
                key = (LONG_AGO if time is None else time, int(dcid or 0), outcome, response, rids)
                found.append((key, _attempt(appliance, message, dcid, outcome or None, time, response or None, connection, rids)))
    found.sort(key=lambda item: item[0])
    return [attempt for _, attempt in found]


def _attempt(
    appliance: Appliance,
    message: Message,
    dcid: str | None,
    outcome: str | None,
    time: Time | None,
    response: str | None,
    connection: Connection | None,
    rids: list[int],
) -> DeliveryRecord:
    attempt: DeliveryRecord = {}
    if dcid is not None:
        attempt["dcid"] = int(dcid)
    attempt["rid"] = rids
    if outcome is not None:
        attempt["outcome"] = outcome
    if time is not None:
        attempt["time"] = appliance.stamp(time)
    if connection is None:
        attempt["verdict"] = "unknown"
    else:
        attempt.update(connection.told_of(time, None if outcome in _NOT_PASSED else message.mid, _said)[1])
    if "domain" not in attempt:
        recipients = message.recipients
        if len(rids) == 1:
            domain = domain_of(recipients.get(rids[0], ""))
            if domain:
                attempt["domain"] = domain
        else:
            _tell_domain(attempt, {domain_of(recipients[rid]) for rid in rids if rid in recipients})
    if response is not None:
        attempt["response"] = response
    return attempt


def _tell_domain(attempt: DeliveryRecord, domains: set[str]) -> None:
    """Add the domain of the recipients, if they share one."""
    if "domain" not in attempt and len(domains) == 1 and "" not in domains:
        (attempt["domain"],) = domains


def _completed(appliance: Appliance, attempts: list[DeliveryRecord], records: Sequence[Consolidated]) -> list[DeliveryRecord]:
    """Return the attempts, completed by what consolidated events state and no line does; each event is a separate statement."""
    by_dcid: dict[int, list[DeliveryRecord]] = {}
    outcomes = {attempt.get("outcome") for attempt in attempts}
    for attempt in attempts:
        if "dcid" in attempt:
            by_dcid.setdefault(attempt["dcid"], []).append(attempt)
    found = [*attempts]
    unnamed: list[Consolidated] = []
    for record in records:
        outcome = _ACTIONS.get(record.action or "")
        dcid = None if record.dcid == "0" else record.dcid
        if dcid is None:
            if outcome is not None and outcome not in outcomes:
                found.append(_stated(appliance, record, dcid, outcome))
            elif outcome == "done":
                unnamed.append(record)
            continue
        if outcome is None and record.tls_out_result is None:
            continue
        theirs = [attempt for attempt in by_dcid.get(int(dcid), ()) if outcome is None or attempt.get("outcome", outcome) == outcome]
        if not theirs:
            found.append(_stated(appliance, record, dcid, outcome))
        elif outcome is not None:
            for attempt in theirs:
                attempt.setdefault("outcome", outcome)
    done = [attempt for attempt in found if attempt.get("outcome") == "done"]
    if len(done) == 1 and "dcid" in done[0]:
        _weigh(appliance, done[0], [record for record in unnamed if _may_be_about(done[0], record)])
    return found


def _may_be_about(attempt: DeliveryRecord, record: Consolidated) -> bool:
    """Tell whether the recipients that a consolidated event names, if any, are of the domain of a delivery, if that is known."""
    domains = {domain_of(address) for address in addresses_of(record.recipient)}
    return not domains or attempt.get("domain", "") in {"", *domains}


def _weigh(appliance: Appliance, attempt: DeliveryRecord, records: Sequence[Consolidated]) -> None:
    """Weigh what consolidated events that name no connection state about the only delivery: more than a missing line, and less than one that is there."""
    stated = [one for record in records if (one := stated_of(DELIVERY, record)).tls_result]
    if not stated:
        return
    verdict, connection = attempt["verdict"], appliance.connection(DELIVERY, str(attempt["dcid"]), stated[0].time)
    is_stated = verdict != "unknown" and connection is not None and connection.view_of(stated[0].time, stated[0].key).is_stated
    if connection is not None and not is_stated:
        # others name the connection
        stated += [TlsStated(*fact) for fact in connection.facts if fact[CODE] == "cef_tls"]
    view = weighed(View(verdict, is_stated=is_stated), statement(stated))
    if view.verdict != verdict:
        for name in _OF_THE_VERDICT:
            attempt.pop(name, None)  # type: ignore[misc]
        attempt.update(_said(stated_summary(view)))
    elif view.conflict:
        attempt["conflict"] = view.conflict


def _stated(appliance: Appliance, cef: Consolidated, dcid: str | None, outcome: str | None) -> DeliveryRecord:
    """Return the attempt that a consolidated event states and no other line does."""
    attempt: DeliveryRecord = {}
    if dcid is not None:
        attempt["dcid"] = int(dcid)
    attempt["rid"] = []
    if outcome is not None:
        attempt["outcome"] = outcome
    if cef.time is not None:
        attempt["time"] = appliance.stamp(cef.time)
    connection = None if dcid is None else appliance.connection(DELIVERY, dcid, cef.time)
    if connection is not None:
        attempt.update(connection.told_of(cef.time, cef.key if outcome == "done" else None, _said)[1])
    else:
        view = weighed(View("unknown"), statement([stated_of(DELIVERY, cef)]), passed=outcome == "done")
        attempt.update(_said(stated_summary(view)))
    _tell_domain(attempt, {domain_of(address) for address in addresses_of(cef.recipient)})
    return attempt
