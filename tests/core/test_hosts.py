"""Which appliance a line is of: names in any case, serial numbers, whatever the order and whoever reads."""

from __future__ import annotations

import itertools
import random

from esatls.verdicts.contradictions import Contradictions
from esatls.verdicts.facts import Facts
from esatls.verdicts.hosts import appliances, key_of, under_two_names
from esatls.verdicts.records import connections, messages, messages_of

from tests.core.support import portions, read_facts

RECORD = (
    "2026-03-03T10:00:0{second}Z {host}CEF:0|Cisco|C100V Secure Email Gateway Virtual|15.0.0-104|ESA_CONSOLIDATED_LOG_EVENT|Consolidated Log Event|5|"
    "deviceExternalId={serial} ESAMID=7001 ESAICID=801 ESADCID=901 act=DELIVERED duser=bob@example.com "
    "ESATLSInConnStatus={status} ESATLSOutConnStatus={status}"
)
A, B = "AAAA1111AAAA1111-1111AAAA1111", "BBBB2222BBBB2222-2222BBBB2222"


def record(serial: str, status: str, second: int = 5, host: str = "") -> str:
    """Return one consolidated event."""
    return RECORD.format(serial=serial, status=status, second=second, host=host)


def told(facts: Facts) -> list[tuple[str | None, str, str]]:
    """Return appliance and verdicts of each message."""
    return [(message.get("esa_host"), message["received"], message["delivered"]) for message in messages(facts)]


BOTH = [(A, "encrypted", "encrypted"), (B, "cleartext", "cleartext")]


def test_serial_numbers_part_appliances() -> None:
    """Under one host or under none, each of several serial numbers is an appliance; a single one says nothing more than the host."""
    for host, name in (("", None), ("collector consolidated: ", "collector")):
        lines = [record(A, "Success", 5, host), record(B, "Failure", 9, host)]
        for order in itertools.permutations(lines):
            assert told(read_facts([*order])[0]) == BOTH
        assert told(read_facts(lines[:1])[0]) == [(name, "encrypted", "encrypted")]
        assert told(read_facts([lines[0], lines[0].replace("7001", "7002")])[0]) == [(name, "encrypted", "encrypted")] * 2


def test_text_beside_one_serial_number_is_the_same_appliance_s() -> None:
    """Lines and consolidated events of one host meet while its events carry one serial number; with several, the lines stay the host's."""
    text = ["2026-03-03T10:00:01Z esa1 mail_logs: Info: ICID 801 TLS success", "2026-03-03T10:00:02Z esa1 mail_logs: Info: Start MID 7001 ICID 801"]
    lines = [*text, record(A, "Success", 5, "ESA1 consolidated: ")]
    (message,) = messages(read_facts(lines)[0])
    assert (message["esa_host"], message["received"], message["delivered"], message["icid"]) == ("esa1", "encrypted", "encrypted", 801)
    both = [*lines, record(B, "Failure", 9, "esa1 consolidated: ")]
    assert sorted(told(read_facts(both)[0]), key=str) == [*BOTH, ("esa1", "encrypted", "none")]
    assert {one.get("esa_host") for one in connections(read_facts(both)[0])} == {A, B, "esa1"}


def test_any_split_gives_the_same() -> None:
    """Parts of a log that were read apart, in any order, also as text for another process, tell the same appliances."""
    lines = [record(A, "Success"), record(B, "Failure", 9), record(A, "Success", 6).replace("7001", "7003"), record(B, "Failure", 8).replace("7001", "7004")]
    whole = told(read_facts(lines)[0])
    for seed in range(10):
        random.Random(seed).shuffle(lines)
        facts = Facts()
        for line in lines:
            part = read_facts([line])[0]
            if seed % 2:
                facts.loads(part.dumps())
            else:
                facts.merge(part)
        assert told(facts) == whole
        assert told(facts) == whole, "asking changes nothing"


def test_processes_agree_on_the_appliances() -> None:
    """A share that has seen one serial number judges as if it knew of the others."""
    parts = [read_facts([record(A, "Success")])[0], read_facts([record(B, "Failure", 9)])[0]]
    keys = [key for part in parts for key in part.hosts]
    judged = portions([part.settled(keys) for part in parts])
    found = [(appliance.host, record) for one in judged for appliance, mids in one.messages(Contradictions()) for _, record in messages_of(appliance, mids)]
    assert sorted((host, one["received"], one["delivered"]) for host, one in found) == sorted(BOTH)


def test_names_are_compared_in_any_case() -> None:
    """A name is shown in small letters, however its lines spell it."""
    lines = ["2026-03-03T10:00:01Z ESA1 mail_logs: Info: ICID 5 TLS success", "2026-03-03T10:00:02Z esa1 mail_logs: Info: Start MID 7 ICID 5"]
    assert told(read_facts(lines)[0]) == [("esa1", "encrypted", "none")]


def test_names() -> None:
    """A log that has its serial number for a name is that appliance's; numbers of another host part nothing."""
    keys = [key_of("c", A), key_of("C", B), key_of("c"), key_of("other", A), key_of(A), key_of(None)]
    assert appliances(keys) == {keys[0]: A, keys[1]: B, "c": "c", keys[3]: "other", A.lower(): A, "": ""}
    assert appliances([]) == {}


def test_event_of_a_log_without_a_host() -> None:
    """A consolidated event that names no host is of the appliance whose log has its serial number for a name, also if no other event is in view."""
    keys = [key_of(A), key_of(B), key_of(None, A.lower()), key_of(None)]
    for order in itertools.permutations(keys):
        assert appliances(order) == {A.lower(): A.lower(), B.lower(): B.lower(), keys[2]: A.lower(), "": ""}
    assert appliances([key_of(A), key_of("c", A)]) == {A.lower(): A.lower(), key_of("c", A): "c"}
    assert appliances([key_of(A), key_of(None, B)]) == {A.lower(): A.lower(), key_of(None, B): ""}


def test_short_and_full_names() -> None:
    """A short and a full name may be one host's; two full names, and addresses, are not."""
    names = ["esa1", "esa1.example.com", "esa2.example.com", "esa2.example.net", "", "192", "192.0.2.1"]
    assert under_two_names(names) == ["esa1 and esa1.example.com may be one appliance under two names; they are treated as two"]
