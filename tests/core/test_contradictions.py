"""Ids that two had at once are told as contradictions, and nothing that one appliance explains."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import permutations
from typing import TYPE_CHECKING

import pytest
from esatls import compiled
from esatls.verdicts import contradictions
from esatls.verdicts.contradictions import Contradiction, Contradictions, Taken
from esatls.verdicts.records import connections, connections_of, messages, messages_of

from tests import terminal
from tests.core.support import SCENARIOS, portions, read_facts
from tests.report.support import build
from tests.traffic import duplicated, generate, render, shuffled
from tests.traffic.profile import PROFILES

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

TOLD = {"two_openings_seconds_apart", "two_peers_at_one_id", "two_peers_in_one_second"}
"""Scenarios that only two appliances explain."""


def found(lines: Iterable[str]) -> list[Contradiction]:
    """Return the contradictions that the records of a log show."""
    facts = read_facts(list(lines))[0]
    shown = Contradictions()
    for _ in (*connections(facts, shown), *messages(facts, shown)):
        pass
    return shown.found()


def at(time: str, text: str) -> str:
    """Return a line of one day."""
    return f"Tue Mar  5 {time} 2024 Info: {text}"


def receiving(time: str, icid: int, peer: int) -> str:
    """Return the opening line of a receiving connection."""
    return at(time, f"New SMTP ICID {icid} interface Data 1 (192.0.2.10) address 198.51.100.{peer} reverse dns host unknown verified no")


def delivery(time: str, dcid: int, peer: int) -> str:
    """Return the opening line of a delivery connection."""
    return at(time, f"New SMTP DCID {dcid} interface 192.0.2.10 address 203.0.113.{peer} port 25")


ONE = {
    "one ICID with two peers, seconds apart": ([receiving("10:00:00", 5, 1), receiving("10:00:03", 5, 2)], ("ICID 5", "10:00:03")),
    "though the first has ended": ([receiving("10:00:00", 5, 1), at("10:00:01", "ICID 5 close"), receiving("10:00:03", 5, 2)], ("ICID 5", "10:00:03")),
    "half an hour apart, the first still open": (
        [receiving("10:00:00", 5, 1), receiving("10:30:00", 5, 2), at("10:30:09", "ICID 5 close"), at("10:30:11", "ICID 5 close")],
        ("ICID 5", "10:30:00"),
    ),
    "one DCID with two addresses at the same time": ([delivery("10:00:00", 8, 1), delivery("10:00:00", 8, 2)], ("DCID 8", "10:00:00")),
    "one MID on two ICIDs": ([at("10:00:00", "Start MID 14 ICID 5"), at("10:00:02", "Start MID 14 ICID 6")], ("MID 14", "10:00:02")),
    "one MID on two ICIDs, not finished in between": (
        [at("10:00:00", "Start MID 14 ICID 5"), at("10:20:00", "Start MID 14 ICID 6"), at("10:20:05", "Message finished MID 14 done")],
        ("MID 14", "10:20:00"),
    ),
}


@pytest.mark.parametrize("case", ONE)
def test_what_only_two_appliances_explain(case: str) -> None:
    """An id that two have at once is told, with the second one's time, in whatever order the lines come."""
    lines, (first, time) = ONE[case]
    for order in permutations(lines):
        assert found(order) == [Contradiction("", 1, first, f"2024-03-05T{time}Z")]


def test_again_and_again() -> None:
    """Two appliances whose counters are ten minutes apart: each id comes again after its end, more often than counters are reset."""
    lines = []
    for number in range(3):
        first, second = 10 * 60 + 11 * number, 10 * 60 + 11 * number + 10
        for minutes, peer in ((first, 1), (second, 2)):
            time = f"{minutes // 60:02}:{minutes % 60:02}"
            lines += [receiving(f"{time}:00", 5 + number, peer), at(f"{time}:01", f"ICID {5 + number} close")]
    assert found(lines) == [Contradiction("", 3, "ICID 5", "2024-03-05T10:10:00Z")]
    # two resets are believed
    assert found(lines[:8]) == []


NONE = {
    "the same line under the stamps of two collectors": [receiving("10:00:00", 5, 1), receiving("10:00:02", 5, 1)],
    "a log that is given twice, an hour apart": [receiving("10:00:00", 5, 1), receiving("11:00:00", 5, 1), at("10:00:02", "ICID 5 close")],
    "an id that comes again after a reset": [receiving("10:00:00", 5, 1), at("10:00:02", "ICID 5 close"), receiving("10:40:00", 5, 2)],
    "an id that comes again hours later, its end lost": [receiving("10:00:00", 5, 1), receiving("11:00:01", 5, 2)],
    "one id on both sides": [receiving("10:00:00", 5, 1), delivery("10:00:00", 5, 2)],
    "a message that is started again after it has finished": [
        at("10:00:00", "Start MID 14 ICID 5"),
        at("10:00:09", "Message finished MID 14 done"),
        at("10:30:00", "Start MID 14 ICID 6"),
    ],
    "a message that is started on no connection as well": [at("10:00:00", "Start MID 14 ICID 5"), at("10:00:00", "Start MID 14 ICID 0")],
}


@pytest.mark.parametrize("case", NONE)
def test_what_one_appliance_explains(case: str) -> None:
    """Ids that come again are no contradiction by themselves."""
    assert found(NONE[case]) == []


def test_two_names_are_two_appliances() -> None:
    """The same ids under two names contradict nothing."""
    lines = [receiving("10:00:00", 5, peer).replace("Info:", f"esa{peer} mail_logs: Info:") for peer in (1, 2)]
    assert found(line.replace("Tue Mar  5 10:00:00 2024", "Mar  5 10:00:00") for line in lines) == []


@pytest.mark.parametrize("name", sorted(path.stem for path in SCENARIOS.glob("*.log")))
def test_scenarios(name: str) -> None:
    """Of the scenarios, those with two peers at one id are told, and no other."""
    assert bool(found((SCENARIOS / f"{name}.log").read_text(encoding="ascii").splitlines())) == (name in TOLD)


@pytest.mark.parametrize(("profile", "seed", "resets"), [("rare", 1, 0), ("realistic", 2, 2)])
def test_traffic(profile: str, seed: int, resets: int) -> None:
    """Counters that are reset, lines that are shuffled and come twice are no contradictions."""
    lines = generate(seed, 250, 2, replace(PROFILES[profile], twins=0.0), resets=resets).lines
    assert found(render(duplicated(shuffled(lines, seed), seed, 0.2), "nested_native")) == []


@pytest.mark.parametrize(("profile", "seed", "hosts"), [("rare", 9, 2), ("realistic", 24, 3)])
def test_shares_of_messages(profile: str, seed: int, hosts: int) -> None:
    """Where only messages are asked for, their connections are looked at whatever was needed of them, in one process and in two."""
    lines = [*render(generate(seed, 60, hosts, replace(PROFILES[profile], twins=0.0)).lines, "native")]
    half = -(-len(lines) // 2)
    shown, whole = Contradictions(), Contradictions()
    for portion in portions([read_facts(part)[0] for part in (lines[:half], lines[half:])]):
        for appliance, mids in portion.messages(shown):
            list(messages_of(appliance, mids))
    list(messages(read_facts(lines)[0], whole))
    assert shown.taken == whole.taken


def test_shares() -> None:
    """However the lines are dealt to processes, they find together what one finds."""
    lines = [line for texts, _ in ONE.values() for line in texts]
    deal = random.Random(1)
    for _ in range(20):
        parts: list[list[str]] = [[], [], []]
        for line in lines:
            parts[deal.randrange(3)].append(line)
        shown = Contradictions()
        for portion in portions([read_facts(part)[0] for part in parts]):
            for appliance, refs in portion.connections(shown):
                list(connections_of(appliance, refs))
            for appliance, mids in portion.messages(shown):
                list(messages_of(appliance, mids))
        assert shown.found() == found(lines)


def test_command_line(tmp_path: Path) -> None:
    """Each command that joins lines warns of them once, and `--quiet` is quiet; the exit code stays."""
    log = tmp_path / "mail.log"
    log.write_text("\n".join(ONE["one MID on two ICIDs"][0]) + "\n", encoding="ascii")
    warning = (
        "esatls: lines without a host: an id was used by two at once, MID 14 at 2024-03-05T10:00:02Z; this looks like several appliances under "
        "one name, whose verdicts may be mixed up: give each its own host name"
    )
    partners = tmp_path / "partners.csv"
    partners.write_text("domain,direction,owner\nexample.com,both,mail team\n", encoding="ascii")
    follow = ["follow", "--once", "--fresh", "--checkpoint", str(tmp_path / "state.json")]
    commands = (["messages"], ["messages", "-f", "table"], ["report"], ["check", "--partners", str(partners)], follow)
    for command in commands:
        told = terminal.run(*command, str(log)).stderr.decode()
        assert told.splitlines().count(warning) == 1, command
        assert warning not in terminal.run(*command, "--quiet", str(log)).stderr.decode()
    assert terminal.run(*follow, str(log)).stderr.decode().endswith("0 late lines, 1 contradictory ids\n")


def test_report() -> None:
    """The report's notes have them, with the name of the appliance as it is; without any there is no such note."""
    for lines, expected in ((ONE["one MID on two ICIDs"][0], True), (NONE["one id on both sides"], False)):
        facts, shown = read_facts(lines)[0], Contradictions()
        notes = build(connections(facts, shown), messages(facts, shown), contradictions=shown)["notes"]
        assert ("contradictions" in notes) is expected
    for host, name in ((None, "lines without a host"), ("esa1.example.com", "esa1.example.com")):
        facts, shown = read_facts(ONE["one MID on two ICIDs"][0], host=host)[0], Contradictions()
        notes = build(connections(facts, shown), messages(facts, shown), contradictions=shown)["notes"]
        assert notes["contradictions"].startswith(f"{name}: an id was used by two at once, MID 14 at 2024-03-05T10:00:02Z;")


def test_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many of one appliance are told of as are enough: the same in any order, and those first that no reset explains."""
    assert contradictions.MOST == 10_000
    monkeypatch.setattr(contradictions, "MOST", 1_000)
    taken = [Taken(200_000.0 * number, 200_000.0 * number - 9, 0, str(number), is_certain=number % 5 == 0) for number in range(6_000)]
    order = random.Random(1)
    for _ in range(3):
        shown = Contradictions()
        for part in range(3):
            shown.add("esa1", taken[part::3])
            # what is kept is bounded
            assert len(shown.taken["esa1"]) <= 2_000
        assert shown.news() == [Contradiction("esa1", 1_000, "ICID 0", "1970-01-01T00:00:00Z")]
        assert shown.news() == []
        order.shuffle(taken)
    shown = Contradictions()
    shown.add("esa1", sorted(taken)[:5_000])
    shown.add("esa1", taken)
    assert shown.found() == [Contradiction("esa1", 1_000, "ICID 0", "1970-01-01T00:00:00Z")]


def test_what_is_told_of_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Each command tells the same with any number of processes, with the core and without, also where there are more than are kept."""
    request.addfinalizer(compiled.module.cache_clear)
    monkeypatch.setattr(contradictions, "MOST", 20)
    lines = [*render(generate(5, 200, 3, replace(PROFILES["rare"], twins=0.1)).lines, "native")]
    for number in range(4):
        (tmp_path / f"{number}.log").write_text("".join(f"{line}\n" for line in lines[number::4]), encoding="utf-8", errors="surrogateescape")
    for command in ("connections", "messages", "report"):
        told: list[bytes] = []
        for pure in ("1", ""):
            compiled.module.cache_clear()
            told += [terminal.run(command, "--jobs", jobs, *tmp_path.iterdir(), env={"ESATLS_PURE": pure}).stderr for jobs in (1, 2, 4)]
        assert b" ids were each used " in told[0]
        assert told == [told[0]] * 6, command
