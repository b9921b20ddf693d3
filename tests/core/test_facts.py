"""The merge is an algebra: any order, any split, any repetition of the lines gives the same records."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from esatls.extraction.fact_types import CEF, CODE, FACT_TYPES, KEY, TEXT, TIME, TRACKING, named
from esatls.extraction.fields import CONNECTION_FIELDS, DELIVERY_FIELDS, FIELDS, MESSAGE_FIELDS
from esatls.verdicts.facts import Facts, bears_witness
from esatls.verdicts.record_types import ConnectionRecord, DeliveryRecord, MessageRecord
from hypothesis import given
from hypothesis import strategies as st

from tests.core.support import as_sets, read_events, read_facts, records

if TYPE_CHECKING:
    import random

    from esatls.extraction.event_record import EventRecord

HOSTS = ("esa1", "esa2")


def stamp(second: int, host: str) -> str:
    """Return an envelope; some seconds are a day, a month or a year apart, so that ids are used again."""
    day, rest = divmod(second, 20)
    date = ("Jan  3", "Jan  5", "Mar  1", "Nov 20")[day % 4]
    return f"<22>{date} 10:00:{rest:02} {host} mail_logs: Info: "


IDS = st.integers(min_value=1, max_value=3)
IDS_AND_0 = st.integers(min_value=0, max_value=3)
RIDS = st.sampled_from(["0", "1", "0, 1"])
TEXTS = st.one_of(
    st.builds("New SMTP ICID {} interface Data 1 (192.0.2.1) address 198.51.100.{} reverse dns host unknown verified no".format, IDS, IDS),
    st.builds("New SMTP DCID {} interface 192.0.2.1 address 203.0.113.{} port 25".format, IDS, IDS),
    st.builds("ICID {} {} SG LIST match ALL SBRS None".format, IDS, st.sampled_from(["ACCEPT", "RELAY", "REJECT"])),
    st.builds("{} {} TLS success protocol {} cipher AES128-SHA".format, st.sampled_from(["ICID", "DCID"]), IDS, st.sampled_from(["TLSv1.2", "TLSv1.3"])),
    st.builds("{} {} TLS failed: {}".format, st.sampled_from(["ICID", "DCID"]), IDS, st.sampled_from(["a", "b"])),
    st.builds("ICID {} TLS was required but remote host did not initiate it".format, IDS),
    st.builds("{} {} TLS deferring: {}".format, st.sampled_from(["ICID", "DCID"]), IDS, st.sampled_from(["a", "b"])),
    st.builds("DCID {} STARTTLS command not supported.".format, IDS),
    st.builds("MID {} ICID {} TLS read 12 bytes (0.0 seconds)".format, IDS, IDS),
    st.builds("Connection Error: DCID {} domain: example.com IP: 203.0.113.1 port: 25 details: EOF interface: 192.0.2.1 reason: network error".format, IDS),
    st.builds("{} {} {}".format, st.sampled_from(["ICID", "DCID"]), IDS, st.sampled_from(["close", "lost"])),
    st.builds("Start MID {} ICID {}".format, IDS, IDS_AND_0),
    st.builds("MID {} ICID {} From: <{}@example.net>".format, IDS, IDS_AND_0, st.sampled_from(["a", "b"])),
    st.builds("MID {} ICID {} RID {} To: <{}@example.com>".format, IDS, IDS_AND_0, st.integers(min_value=0, max_value=1), st.sampled_from(["a", "b"])),
    st.builds("MID {} matched all recipients for per-recipient policy DEFAULT in the {} table".format, IDS, st.sampled_from(["inbound", "outbound"])),
    st.builds("Delivery start DCID {} MID {} to RID [{}]".format, IDS, IDS, RIDS),
    st.builds("Message done DCID {} MID {} to RID [{}]".format, IDS, IDS, RIDS),
    st.builds("Bounced: DCID {} MID {} to RID 0 - 5.1.0 - x".format, IDS_AND_0, IDS),
    st.builds("Delayed: DCID {} MID {} to RID 0 - 4.1.0 - x".format, IDS_AND_0, IDS),
    st.builds("Message finished MID {} done".format, IDS),
    st.builds("Message aborted MID {} Dropped by CASE".format, IDS),
    st.builds("MID {} rewritten to MID {} by x".format, IDS, IDS),
    st.builds("MID {} was split creating MID {} due to x".format, IDS, IDS),
    st.builds("MID {} was generated based on MID {} by bcc filter 'x'".format, IDS, IDS),
    st.builds("MID {} was generated for bounce of MID {}".format, IDS, IDS),
    st.builds("EUQ: Reinjected MID {} as MID {}".format, IDS, IDS),
    st.builds("Delivery start DCID {} MID {} to RID [0] to offbox Spam".format, IDS, IDS),
    st.builds('MID {} quarantined to "Policy" (x)'.format, IDS),
    st.builds("MID {} Subject 'ICID {} TLS success'".format, IDS, IDS),
    st.builds(
        "CEF:0|Cisco|C100V|15.0.0-104|ESA_CONSOLIDATED_LOG_EVENT|Consolidated Log Event|5|ESAMID={} ESAICID={} ESADCID={} act={} {}".format,
        IDS,
        IDS,
        IDS,
        st.sampled_from(["DELIVERED", "BOUNCED", "QUARANTINED"]),
        st.sampled_from(["", "ESATLSInConnStatus=Success ESATLSInProtocol=TLSv1.2 ESATLSInCipher=AES128-SHA", "ESATLSOutConnStatus=Failure"]),
    ),
)  # fmt: skip
LOGS = st.lists(
    st.builds(lambda second, host, text: stamp(second, host) + text, st.integers(min_value=0, max_value=79), st.sampled_from(HOSTS), TEXTS), max_size=60
)
UNTIMED = st.lists(st.builds("mail_logs: Info: {}".format, TEXTS), max_size=30)


def facts_of(lines: list[str]) -> Facts:
    """Return the facts of some lines."""
    return read_facts(lines)[0]


def merged(parts: list[list[str]]) -> Facts:
    """Return the facts of several parts of a log, merged in this order."""
    facts = Facts()
    for part in parts:
        facts.merge(facts_of(part))
    return facts


def text_of(facts: Facts) -> str:
    """Return the records as text, so that types and order count too."""
    return json.dumps(records(facts))


@given(LOGS, st.randoms(use_true_random=False))
def test_any_order(lines: list[str], rng: random.Random) -> None:
    """A log forwards, backwards and shuffled gives the same records, byte by byte."""
    expected = text_of(facts_of(lines))
    assert text_of(facts_of(lines[::-1])) == expected
    shuffled = list(lines)
    rng.shuffle(shuffled)
    assert text_of(facts_of(shuffled)) == expected


@given(LOGS, st.lists(st.integers(min_value=0, max_value=60), max_size=4), st.randoms(use_true_random=False))
def test_any_split(lines: list[str], cuts: list[int], rng: random.Random) -> None:
    """A log cut into parts, merged in any order, gives the same records."""
    edges = [0, *sorted(min(cut, len(lines)) for cut in cuts), len(lines)]
    parts = [lines[a:b] for a, b in zip(edges, edges[1:])]
    rng.shuffle(parts)
    assert text_of(merged(parts)) == text_of(facts_of(lines))


@given(LOGS, st.integers(min_value=1, max_value=3))
def test_any_repetition(lines: list[str], times: int) -> None:
    """A log whose lines come several times gives the same records."""
    expected = text_of(facts_of(lines))
    assert text_of(facts_of([line for line in lines for _ in range(times + 1)])) == expected
    assert text_of(merged([lines] * (times + 1))) == expected


@given(LOGS, LOGS, LOGS)
def test_merge_is_associative_commutative_idempotent(a: list[str], b: list[str], c: list[str]) -> None:
    """The facts themselves, as sets, merge like sets."""
    left, right, inner = facts_of(a), facts_of(a), facts_of(b)
    left.merge(facts_of(b))
    left.merge(facts_of(c))
    inner.merge(facts_of(c))
    right.merge(inner)
    assert as_sets(left) == as_sets(right)
    other = facts_of(b)
    other.merge(facts_of(a))
    one = facts_of(a)
    one.merge(facts_of(b))
    assert as_sets(one) == as_sets(other)
    one.merge(facts_of(a))
    assert as_sets(one) == as_sets(other)
    empty = Facts()
    empty.merge(facts_of(a))
    assert as_sets(empty) == as_sets(facts_of(a))


@given(LOGS | UNTIMED)
def test_dump_and_load(lines: list[str]) -> None:
    """Facts written for another process and read there are the same facts; any subset of rows, in any order, twice, is merged alike."""
    facts = facts_of(lines)
    rows = facts.dumps()
    assert all("\n" not in row for row in rows)
    loaded = Facts()
    loaded.loads(rows[::-1])
    loaded.loads(rows[: len(rows) // 2])
    assert as_sets(loaded) == as_sets(facts)
    assert text_of(loaded) == text_of(facts)


@given(LOGS | UNTIMED)
def test_facts_of_events_and_of_lines(lines: list[str]) -> None:
    """Events added one by one give the facts that reading the lines gives."""
    facts = Facts()
    for event in read_events(lines)[0]:
        facts.add(event)
    assert as_sets(facts) == as_sets(facts_of(lines))


@given(LOGS)
def test_appliances_do_not_meet(lines: list[str]) -> None:
    """The records of one appliance are those of its lines alone."""
    connections, messages = records(facts_of(lines))
    for host in HOSTS:
        own = records(facts_of([line for line in lines if f" {host} " in line]))
        assert own == ([r for r in connections if r["esa_host"] == host], [r for r in messages if r["esa_host"] == host])


@given(LOGS | UNTIMED)
def test_records_are_whole(lines: list[str]) -> None:
    """Whatever the log, each record has its verdict from the contract's list, and no field is empty."""
    connections, messages = records(facts_of(lines))
    for record in connections:
        assert record["tls_verdict"] in {"encrypted", "cleartext", "mixed", "failed", "unused", "unknown"}
        assert record.get("icid", record.get("dcid")) != 0
        assert ("tls_version" in record) <= (record["tls_verdict"] in {"encrypted", "mixed"})
        assert "" not in record.values()
        assert None not in record.values()
    for record in messages:
        assert record["received"] in {"encrypted", "cleartext", "unknown", "internal", "none"}
        assert record["delivered"] in {"encrypted", "cleartext", "mixed", "unknown", "none"}
        for attempt in [record, *record["deliveries"]]:
            assert "" not in attempt.values()
            assert None not in attempt.values()
        assert record.get("icid") != 0
        done = {attempt["verdict"] for attempt in record["deliveries"] if attempt.get("outcome") == "done"}
        assert (record["delivered"] == "none") == (not done)


def test_host_of_lines_that_name_none() -> None:
    """The appliance may be told from outside; the line's own name wins."""
    facts, _ = read_facts(["mail_logs: Info: Start MID 1 ICID 0", "Jan  3 10:00:00 esa1 mail_logs: Info: Start MID 1 ICID 0"], host="esa9")
    assert [record["esa_host"] for record in records(facts)[1]] == ["esa1", "esa9"]
    facts = Facts()
    facts.add({"esa_event": "message_started", "mid": 1, "icid": 0}, "esa9")
    assert list(facts.hosts) == ["esa9"]


def test_no_host_is_no_field() -> None:
    """Without any name of the appliance the record has none."""
    (record,) = records(read_facts(["Start MID 1 ICID 0"])[0])[1]
    assert record == {"mid": 1, "received": "internal", "delivered": "none", "deliveries": [], "finished": False}


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"esa_event": "time_offset", "utc_offset": 1},
        {"esa_event": "delivery_response", "mid": 1},
        {"esa_event": "tls_not_offered"},
        {"esa_event": "nothing", "mid": 1},
    ],
)
def test_events_that_are_no_facts(event: EventRecord) -> None:
    """An event that says nothing of a connection or message changes nothing."""
    facts = Facts()
    facts.add(event)
    assert as_sets(facts) == {}


@pytest.mark.parametrize("line", ["", "x", "[]", '["h",0,"1"]', '["h",9,"1",[]]', "{}"])
def test_foreign_rows_are_refused(line: str) -> None:
    """A row that no dump wrote is a ValueError, and nothing else."""
    with pytest.raises(ValueError):  # noqa: PT011  (json's own message)
        Facts().loads([line])


def test_records_have_the_fields_of_the_tables() -> None:
    """What type checkers know of a record is what the tables of fields say, in the same order."""
    tables = ((ConnectionRecord, CONNECTION_FIELDS), (DeliveryRecord, DELIVERY_FIELDS), (MessageRecord, MESSAGE_FIELDS))
    for record, fields in tables:
        assert list(record.__annotations__) == [field.name for field in fields]


@pytest.mark.parametrize("code", sorted(FACT_TYPES))
def test_types_of_facts_begin_and_end_alike(code: str) -> None:
    """Each type of fact begins with code, time and key, ends with the witness, and has fields of events between them."""
    names = FACT_TYPES[code]._fields
    assert (names.index("code"), names.index("time"), names.index("key"), names[-1]) == (CODE, TIME, KEY, "witness")
    known = {field.name for field in FIELDS} | {"policy_table"}
    assert {name for name in names[KEY + 1 : -1] if name != "nothing"} <= known


def test_a_fact_of_the_log_is_of_the_text_witness() -> None:
    """A fact without a witness at its end is the text log's; the others say whose they are."""
    fact = ("tls_success", 1.0, "5", "TLSv1.2", None, None, None)
    assert named(fact).tls_version == "TLSv1.2"
    assert named(fact).witness == TEXT
    assert not bears_witness(fact)
    assert bears_witness((*fact, TRACKING))
    assert bears_witness((*fact, CEF))
