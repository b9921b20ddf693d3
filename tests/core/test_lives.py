"""Ids that are used again: which line belongs to which connection or message."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest
from esatls.lines.clock import rfc3339
from esatls.verdicts import lives
from hypothesis import given
from hypothesis import strategies as st

from tests.core.support import read_facts, records

if TYPE_CHECKING:
    from collections.abc import Callable

START = 1_709_632_800  # 2024-03-05T10:00:00Z
HOUR, DAY = 3600, 86400


def log(*lines: tuple[float, str]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the records of lines given as seconds after the start, and text."""
    return records(read_facts([f"{rfc3339(START + after)} esa1 mail_logs: Info: {text}" for after, text in lines])[0])


def verdicts(*lines: tuple[float, str]) -> list[str]:
    """Return the verdicts of the lives of the only connection id of a log."""
    return [record["tls_verdict"] for record in log(*lines)[0]]


OPEN = "New SMTP ICID 5 interface Data 1 (192.0.2.1) address 198.51.100.7 reverse dns host unknown verified no"
TLS = "ICID 5 TLS success protocol TLSv1.2 cipher AES128-SHA"


OTHER = OPEN.replace("198.51.100.7", "198.51.100.8")


@pytest.mark.parametrize(
    ("most", "lines"),
    [
        (5, lambda gap: ((0, OPEN), (gap, OPEN), (gap + 1, TLS))),
        (5, lambda gap: ((0, TLS), (gap, OPEN))),
        (DAY, lambda gap: ((0, OPEN), (1, TLS), (1 + gap, "ICID 5 close"))),
    ],
)
def test_lines_of_one_connection_lie_so_far_apart_at_most(most: int, lines: Callable[[int], tuple[tuple[int, str], ...]]) -> None:
    """Two openings, the lines before one, and a silence: one second more, and these are two connections."""
    assert [len(verdicts(*lines(gap))) for gap in (most, most + 1)] == [1, 2]


@pytest.mark.parametrize(
    ("most", "lines"),
    [
        (5, lambda gap: ((0, "Start MID 1 ICID 0"), (gap, "Start MID 1 ICID 0"))),
        (60, lambda gap: ((0, "MID 9 rewritten to MID 1 by x"), (gap, "Start MID 1 ICID 0"))),
        (60, lambda gap: ((0, "Start MID 1 ICID 0"), (gap, "MID 9 rewritten to MID 1 by x"))),
        (DAY, lambda gap: ((0, "Start MID 1 ICID 0"), (1, "Message finished MID 1 done"), (1 + gap, "MID 1 Subject 'x'"))),
        # finished in the second in which it started
        (DAY, lambda gap: ((0, "Start MID 1 ICID 0"), (0, "Message finished MID 1 done"), (gap, "MID 1 Subject 'x'"))),
        (180 * DAY, lambda gap: ((0, "Start MID 1 ICID 0"), (gap, "MID 1 Subject 'x'"))),
    ],
)
def test_lines_of_one_message_lie_so_far_apart_at_most(most: int, lines: Callable[[int], tuple[tuple[int, str], ...]]) -> None:
    """Two starts, a start and a line of lineage, and a silence: one second more, and these are two messages."""
    assert [len([one for one in log(*lines(gap))[1] if one["mid"] == 1]) for gap in (most, most + 1)] == [1, 2]


@pytest.mark.parametrize(
    ("lines", "right"),
    [
        # after a silence, an opening within seconds is of what begins there
        ([(0, TLS), (2 * DAY, "ICID 5 TLS success protocol TLSv1.3 cipher AES128-SHA"), (2 * DAY + 3, OPEN)], ["encrypted", "encrypted"]),
        # two peers are two connections, however close; a line in the second of the later opening is taken to follow it
        ([(0, OPEN), (1, TLS), (3, OTHER)], ["encrypted", "unused"]),
        ([(0, OPEN), (1, TLS), (1, OTHER)], ["unused", "encrypted"]),
        ([(0.2, OPEN), (0.4, TLS), (0.7, OTHER)], ["encrypted", "unused"]),
        # one line under the stamps of two collectors
        ([(0, OPEN), (2, OPEN), (3, TLS), (4, "Start MID 1 ICID 5")], ["encrypted"]),
        # clocks of collectors differ a little
        ([(0, TLS), (1, OPEN), (2, "Start MID 1 ICID 5")], ["encrypted"]),
        ([(0, "Start MID 1 ICID 5"), (1, OPEN)], ["cleartext"]),
        # lines long before the only opening are of an earlier connection
        ([(0, "Start MID 1 ICID 5"), (1, "ICID 5 close"), (HOUR, OPEN), (HOUR + 1, TLS), (HOUR + 2, "Start MID 2 ICID 5")], ["unknown", "encrypted"]),
        ([(0, TLS), (1, "ICID 5 close"), (HOUR, OPEN), (HOUR + 2, "Start MID 2 ICID 5")], ["encrypted", "cleartext"]),
        # no connection is silent for more than a day; one that is used every hour may last for days
        ([(0, TLS), (2 * DAY, "Start MID 1 ICID 5")], ["encrypted", "unknown"]),
        ([(0, OPEN), (1, TLS), (20 * HOUR, "Start MID 1 ICID 5")], ["encrypted"]),
        ([(0, OPEN), (1, TLS), (40 * DAY, "ICID 5 close")], ["encrypted", "unknown"]),
        ([(0, OPEN), (1, TLS), *((hour * HOUR + 2, f"Start MID {hour + 1} ICID 5") for hour in range(72))], ["encrypted"]),
    ],
)
def test_connections_with_one_id(lines: list[tuple[float, str]], right: list[str]) -> None:
    """Openings, peers and silences part connections; lines within seconds of an opening are of what it opens."""
    assert verdicts(*lines) == right


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_lines_that_make_a_message_are_weighed_together(order: tuple[int, ...]) -> None:
    """Two beginnings that lie further apart than one beginning lasts are two, even with a third between them, in any order."""
    lines = [(0, "Start MID 2 ICID 0"), (30, "MID 1 rewritten to MID 2 by x"), (70, "MID 1 rewritten to MID 2 by x")]
    messages = log(*(lines[number] for number in order))[1]
    assert [(record["mid"], record["first_seen"], record["last_seen"]) for record in messages] == [
        (2, rfc3339(START), rfc3339(START)),
        (2, rfc3339(START + 30), rfc3339(START + 70)),
    ]
    lines[2] = (6, "MID 1 rewritten to MID 2 by x")
    messages = log(*(lines[number] for number in order))[1]
    assert [(record["mid"], record["first_seen"], record["last_seen"]) for record in messages] == [(2, rfc3339(START), rfc3339(START + 30))]


@pytest.mark.parametrize("late", [0, 7, 45])
def test_a_line_of_lineage_may_come_late(late: int) -> None:
    """Cisco writes a rewrite after lines that use the new id: the child is one message, finished or not, and its parent is found."""
    messages = log(
        (0, OPEN), (1, TLS), (2, "Start MID 1 ICID 5"), (3, "Delivery start DCID 6 MID 2 to RID [0]"), (4, "Message done DCID 6 MID 2 to RID [0]"),
        (4, "Message finished MID 2 done"), (3 + late, "MID 1 rewritten to MID 2 by x"),
        (5, "Start MID 3 ICID 0"), (5 + late, "MID 3 was generated based on MID 1 by bcc filter 'x'"),
    )[1]  # fmt: skip
    assert [(record["mid"], record.get("parent_mid"), record["received"], record["delivered"]) for record in messages] == [
        (1, None, "encrypted", "none"),
        (2, 1, "encrypted", "unknown"),
        (3, 1, "encrypted", "none"),
    ]


def test_a_start_that_is_seen_twice_after_its_lineage_is_one() -> None:
    """Two collectors' stamps of a late start lie close to each other, not to the line of lineage: one life, however often they are read."""
    lines = ((0, "MID 1 rewritten to MID 2 by x"), (6, "Start MID 2 ICID 0"), (8, "Start MID 2 ICID 0"), (9, "Message finished MID 2 done"))
    for some in (lines, (*lines, *lines)):
        messages = log(*some)[1]
        assert [(record["mid"], record["first_seen"], record["last_seen"]) for record in messages] == [(2, rfc3339(START), rfc3339(START + 9))]


@pytest.mark.parametrize(
    "rest",
    [
        (),
        ((30 * DAY, 'MID 1 quarantined to "Policy" (x)'),),
        ((-DAY, "Start MID 1 ICID 4"), (-DAY, "EUQ: Quarantined MID 1")),
        ((1, "EUQ: Quarantined MID 1"), (30 * DAY, "MID 1 ICID 5 From: <alice@example.net>")),
    ],
)
def test_a_finished_message_does_not_go_on_the_next_month(rest: tuple[tuple[int, str], ...]) -> None:
    """What comes a month after the end of a message is about another one, whose start is not in view, whichever other message had its id in a quarantine."""
    messages = log(
        (0, OPEN), (1, "Start MID 1 ICID 5"), (2, "Message finished MID 1 done"),
        (30 * DAY, "Message done DCID 6 MID 1 to RID [0]"), (30 * DAY, "Message finished MID 1 done"), *rest,
    )[1][-2:]  # fmt: skip
    assert [(record["received"], record["delivered"], record["last_seen"]) for record in messages] == [
        ("cleartext", "none", rfc3339(START + 2)),
        ("unknown", "unknown", rfc3339(START + 30 * DAY)),
    ]


def test_a_message_that_was_finished_into_a_quarantine_goes_on() -> None:
    """The appliance calls a quarantined message finished; on its release, days later, it is the same message."""
    messages = log(
        (0, OPEN), (1, "Start MID 1 ICID 5"), (2, 'MID 1 quarantined to "Policy" (x)'), (3, "Message finished MID 1 done"),
        (30 * DAY, "MID 1 released from all quarantines"), (30 * DAY, "Message done DCID 6 MID 1 to RID [0]"), (30 * DAY, "Message finished MID 1 done"),
    )[1]  # fmt: skip
    assert [(record["received"], record["delivered"], record["last_seen"]) for record in messages] == [("cleartext", "unknown", rfc3339(START + 30 * DAY))]


def test_child_takes_the_parent_of_its_time() -> None:
    """A child is of the message that had its parent's id when it was made."""
    lines = [
        (0, OPEN), (1, TLS), (2, "Start MID 1 ICID 5"), (3, "MID 1 rewritten to MID 2 by x"), (4, "ICID 5 close"),
        (DAY, OPEN), (DAY + 2, "Start MID 1 ICID 5"), (DAY + 3, "MID 1 rewritten to MID 3 by x"),
    ]  # fmt: skip
    assert [(record["mid"], record["received"]) for record in log(*lines)[1]] == [(1, "encrypted"), (1, "cleartext"), (2, "encrypted"), (3, "cleartext")]


def test_child_of_a_message_before_the_log() -> None:
    """A child made before its parent's id was given to another message is not that one's."""
    lines = [(0, "MID 1 rewritten to MID 2 by x"), (DAY, OPEN), (DAY, TLS), (DAY + 1, "Start MID 1 ICID 5")]
    assert [(record["mid"], record["received"]) for record in log(*lines)[1]] == [(1, "encrypted"), (2, "unknown")]


def test_a_message_given_up_has_no_children_of_an_earlier_one() -> None:
    """A child made before its parent's id was given to another message does not show that this one was accepted; one made since does."""
    child = "MID 1 rewritten to MID {} by x"
    lines = [(0, child.format(2)), (DAY, OPEN), (DAY, TLS), (DAY + 1, "Start MID 1 ICID 5"), (DAY + 2, "Message finished MID 1 aborted")]
    for more, verdict, carried in (((), "none", 0), (((DAY + 2, child.format(3)),), "encrypted", 1)):
        connections, messages = log(*lines, *more)
        assert [record["messages"] for record in connections] == [carried]
        assert [record["received"] for record in messages] == [verdict, "unknown", *[verdict for _ in more]]


def test_a_consolidated_event_is_of_the_message_of_its_time() -> None:
    """An event is put beside the start of its own message, however late it is written, and not beside that of another message with the same ids."""
    event = "CEF:0|Cisco|C100V|15.0.0-104|ESA_CONSOLIDATED_LOG_EVENT|Consolidated Log Event|5|ESAMID=2 ESAICID=5 ESATLSInConnStatus=Success"
    again = 20 * DAY
    lines = [
        (0, OPEN), (1, "Start MID 2 ICID 5"), (2, "ICID 5 close"), (3, "Message finished MID 2 done"),
        (again, OPEN), (again + 1, "Start MID 1 ICID 5"), (again + 2, "MID 2 ICID 5 From: <alice@example.net>"),
        (again + 3, "ICID 5 close"),
    ]  # fmt: skip
    texts = [f"{rfc3339(START + after)} esa1 mail_logs: {'' if text == event else 'Info: '}{text}" for after, text in [*lines, (again + 4, event)]]
    connections = records(read_facts(texts)[0])[0]
    assert [(one["messages"], one["tls_verdict"]) for one in connections] == [(1, "cleartext"), (2, "mixed")]


def fact(code: str, time: float | None) -> tuple[Any, ...]:
    """Return a fact of one id."""
    return (code, time, "1")


OPENINGS = frozenset({"open"})
FACTS = st.lists(st.builds(fact, st.sampled_from(["open", "other"]), st.none() | st.integers(min_value=0, max_value=2000)), max_size=20)


@given(FACTS, st.randoms(use_true_random=False))
def test_lives_do_not_depend_on_the_order(facts: list[tuple[Any, ...]], rng: Any) -> None:
    """The beginnings of lives follow from the set of facts alone, ascending and apart."""
    begins = lives.starts(facts, OPENINGS, 500)
    assert begins == sorted(set(begins))
    shuffled = list(facts) + facts[:3]
    rng.shuffle(shuffled)
    assert lives.starts(shuffled, OPENINGS, 500) == begins


@given(FACTS)
def test_every_fact_has_one_life(facts: list[tuple[Any, ...]]) -> None:
    """Splitting loses nothing, doubles nothing, and puts each opening at the start of a life."""
    begins = lives.starts(facts, OPENINGS, 500)
    parts = lives.split(facts, begins)
    assert sorted((f for part in parts.values() for f in part), key=repr) == sorted(facts, key=repr)
    for number, part in parts.items():
        assert all(lives.life_at(begins, f[1]) == number for f in part) or not begins
        opened = [f[1] for f in part if f[0] == "open" and f[1] is not None]
        if opened and begins:
            assert min(f[1] for f in part if f[1] is not None) >= min(opened) - lives.SAME_OPENING


def test_facts_without_a_time() -> None:
    """A fact without a time is of one fixed life, whatever the others are."""
    assert lives.life_at([], None) == 0
    assert lives.life_at([10.0, 20.0], None) == 1
    assert lives.split([fact("open", None)], []) == {0: [fact("open", None)]}
