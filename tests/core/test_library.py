"""What `import esatls` gives: the command line's answers, and plain words for wrong arguments."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Callable

import esatls
import pytest
from esatls.errors import UsageError, WrongTypeError

from tests.core.support import ROOT

if TYPE_CHECKING:
    from pathlib import Path

SAMPLE = ROOT / "python" / "esatls" / "sample.log"


def library(lines: list[str]) -> dict[str, list[dict[str, Any]]]:
    """Return what the library makes of a log, by the name of the command that prints the same."""
    facts = esatls.Facts()
    events = list(esatls.events(lines))
    for event in events:
        facts.add(event)
    return {"events": list(map(dict, events)), "connections": list(map(dict, esatls.connections(facts))), "messages": list(map(dict, esatls.messages(facts)))}


def command_line(command: str, *arguments: str) -> list[dict[str, Any]]:
    """Return what a command prints of the sample."""
    done = subprocess.run([sys.executable, "-m", "esatls", command, "-q", "-f", "json", *arguments, str(SAMPLE)], check=True, capture_output=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def times(*texts: str, **options: Any) -> list[str | None]:
    """Return the times of the closed connections among some lines."""
    return [event.get("time") for event in esatls.events(list(texts), kinds=frozenset({"connection_closed"}), **options)]


def test_the_sample_gives_what_the_command_line_gives() -> None:
    """Events, connections and messages of the bundled sample are the command line's, times and all: its head states an offset."""
    with SAMPLE.open(encoding="utf-8", errors="surrogateescape") as log:
        found = library(list(log))
    assert "Time offset from UTC: 3600 seconds" in SAMPLE.read_text(encoding="utf-8")
    assert found == {"events": command_line("events", "-k", "all"), "connections": command_line("connections"), "messages": command_line("messages")}
    assert min(message["first_seen"] for message in found["messages"]) == "2026-03-03T08:14:06Z"


def test_each_head_tells_the_zone_of_what_follows_it() -> None:
    """Stamps are UTC up to the first head, and after each head in its zone; a stamp that names its own keeps it."""
    at = "Tue Mar  5 10:00:00 2024 Info: "
    record = json.dumps({"message": at + "Time offset from UTC: 0 seconds"})
    lines = [
        at + "ICID 1 close", at + "Time offset from UTC: 3600 seconds", at + "ICID 2 close", "2024-03-05T10:00:00+05:00 Info: ICID 3 close\r\n",
        at + "Time offset from UTC: -7200 seconds\r\n", at + "ICID 4 close", record, at + "ICID 5 close",
    ]  # fmt: skip
    assert times(*lines) == ["2024-03-05T10:00:00Z", "2024-03-05T09:00:00Z", "2024-03-05T05:00:00Z", "2024-03-05T12:00:00Z", "2024-03-05T10:00:00Z"]


@pytest.mark.parametrize(
    "line",
    [
        "Tue Mar  5 10:00:00 2024 Info: MID 1 Subject 'Time offset from UTC: 3600 seconds'",
        "Tue Mar  5 10:00:00 2024 Info: Time offset from UTC: 999999 seconds",
        "Tue Mar  5 10:00:00 2024 esa1 mail_logs: Info: Time offset from UTC: 3600 seconds",
        '{"host": "esa1", "message": "Tue Mar  5 10:00:00 2024 Info: Time offset from UTC: 3600 seconds"}',
        "Time offset from UTC: 3600 seconds",
    ],
)
def test_what_is_no_head_shifts_no_time(line: str) -> None:
    """A stranger's words, an offset that no place has, a line without a stamp, and one that names its appliance leave the zone as it is."""
    assert times(line, "Tue Mar  5 10:00:00 2024 Info: ICID 1 close") == ["2024-03-05T10:00:00Z"]


def test_a_clock_rules_over_the_head() -> None:
    """With a clock of one's own, a head changes nothing."""
    lines = ("Tue Mar  5 10:00:00 2024 Info: Time offset from UTC: 3600 seconds", "Tue Mar  5 10:00:00 2024 Info: ICID 1 close")
    assert times(*lines, clock=esatls.Clock()) == ["2024-03-05T10:00:00Z"]


def test_help_shows_the_library() -> None:
    """`dir` names what is public, `help` shows it with its words, and neither makes the import load more than the package itself."""
    program = "import sys, esatls; early = sorted(name for name in sys.modules if name.startswith('esatls')); import pydoc; "
    program += "print(early); print(dir(esatls)); print(pydoc.plain(pydoc.render_doc(esatls)))"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=ROOT / "python")
    early, names, text = done.stdout.split("\n", 2)
    assert early == "['esatls']"
    assert names == str(sorted(esatls.__all__))
    for name in ("Clock", "Counts", "EsatlsError", "Facts"):
        assert f"    class {name}(" in text
    for words in (
        "(facts: 'Facts', contradictions: 'Contradictions | None' = None) -> 'Iterator[ConnectionRecord]'\n        Yield a record per connection",
        "-> 'Iterator[EventRecord]'\n        Yield the events of log lines",
        "extract(text: 'str') -> 'EventRecord | None'\n        Return the event",
        "messages(facts: 'Facts', contradictions: 'Contradictions | None' = None) -> 'Iterator[MessageRecord]'\n        Yield a record per message",
    ):
        assert words in text, text


def test_one_text_is_no_lines() -> None:
    """A text or bytes where lines are wanted is refused at once, in one sentence."""
    for wrong in ("Info: ICID 5 close", b"Info: ICID 5 close"):
        with pytest.raises(TypeError, match=r"^events\(\) takes many lines, such as an open file or a list, not one text: text\.split\(\"\\n\"\)") as told:
            esatls.events(wrong)  # type: ignore[arg-type]
        assert isinstance(told.value, esatls.EsatlsError)
        assert "\n" not in str(told.value)


def test_lines_are_text(tmp_path: Path) -> None:
    """Lines of bytes are refused in one sentence; those before them are read."""
    log = tmp_path / "mail.log"
    log.write_bytes(b"Info: ICID 5 close\n")
    with log.open("rb") as file, pytest.raises(TypeError, match=r"^a line is text, not bytes: open the log as text$"):
        list(esatls.events(file))  # type: ignore[arg-type]
    mixed: list[Any] = ["Info: ICID 5 close", "Info: ICID 6 close", None]
    found = esatls.events(mixed)
    assert next(found)["icid"] == 5
    with pytest.raises(TypeError, match=r"^a line is text, not NoneType: "):
        next(found)


def test_kinds() -> None:
    """Any collection of kinds is taken; one text and unknown kinds are refused at once, in one sentence that names them."""
    lines = ["Info: ICID 5 close", "Start MID 7 ICID 5", "Info: ICID 6 close"]
    for kinds in ({"connection_closed"}, ["connection_closed"], frozenset({"connection_closed"}), iter(["connection_closed"])):
        assert [event["icid"] for event in esatls.events(lines, kinds=kinds)] == [5, 6]
    assert list(esatls.events(lines, kinds=())) == []
    assert [event["esa_event"] for event in esatls.events(lines)] == ["connection_closed", "message_started", "connection_closed"]
    with pytest.raises(TypeError, match=r"^kinds is a set of kinds, not one text: \{'tls_success'\}$") as told:
        esatls.events(lines, kinds="tls_success")
    assert isinstance(told.value, esatls.EsatlsError)
    with pytest.raises(esatls.EsatlsError, match=r"^no such kind of event: 'all', 5; the kinds are connection_opened, .*, time_offset$") as unknown:
        esatls.events(lines, kinds={"tls_success", "all", 5})  # type: ignore[arg-type]
    assert not isinstance(unknown.value, TypeError)


def test_wrong_types() -> None:
    """Each function refuses an argument of another type at once, in one sentence, rather than give an answer that looks like one."""
    calls: tuple[tuple[Callable[[Any], Any], Any, str], ...] = (
        (esatls.extract, b"ICID 5 TLS failed", "a message text is text, not bytes$"),
        (esatls.extract, None, "a message text is text, not NoneType$"),
        (esatls.Clock, "Europe/Berlin", "a zone is a tzinfo, not str: "),
        (lambda latest: esatls.Clock(latest=latest), datetime(2024, 3, 5, tzinfo=timezone.utc), "latest is a number of seconds since 1970, not datetime: "),
        (lambda clock: esatls.events([], clock=clock), timezone.utc, r"a clock is an esatls\.Clock, not timezone$"),
        (lambda host: esatls.events([], host=host), b"esa1", "a host is a name, not bytes$"),
        (lambda counts: esatls.events([], counts=counts), {}, r"counts are esatls\.Counts, not dict$"),
        (lambda kinds: esatls.events([], kinds=kinds), 5, "kinds is a set of kinds, not int$"),
        (esatls.events, None, r"events\(\) takes many lines, such as an open file or a list, not NoneType$"),
        (esatls.read(SAMPLE).rows, ["messages"], r"rows\(\) takes a name, not list; possible are connections, messages$"),
        (lambda jobs: esatls.read(SAMPLE, jobs=jobs), None, "jobs is a whole number, not NoneType$"),
        (lambda year: esatls.read(SAMPLE, year=year), "2026", "year is a whole number, not str$"),
        (lambda host: esatls.read(SAMPLE, host=host), b"esa1", "host is a name, not bytes$"),
        (lambda jobs: esatls.read(SAMPLE, jobs=jobs), 1.5, "jobs is a whole number, not float$"),
        (esatls.Facts().merge, esatls.read(SAMPLE), "facts are merged with Facts, not with Log: those of a log are log.facts$"),
        (esatls.Facts().add, "ICID 5 TLS failed", r"an event is a dict, as esatls\.events\(\) gives them, not str"),
        (lambda facts: list(esatls.messages(facts)), [], "verdicts are made of Facts, not of list: "),
        (lambda facts: list(esatls.connections(facts)), [], "verdicts are made of Facts, not of list: "),
    )
    for call, wrong, said in calls:
        with pytest.raises(WrongTypeError, match="^" + said):
            call(wrong)


@pytest.mark.parametrize(
    ("name", "value"),
    [("icid", "x"), ("icid", ""), ("icid", "-1"), ("icid", 1.5), ("icid", "1" * 19), ("dcid", "\u0665"), ("rid", ["0", "x"]), ("rid", "0, x")],
)
def test_ids_are_numbers(name: str, value: Any) -> None:
    """An event with another id is refused when it is added, not when records are made."""
    facts = esatls.Facts()
    with pytest.raises(UsageError, match=f"^{name} is a number, not "):
        facts.add({"esa_event": "tls_success", "icid": 5, "esa_direction": "receiving", name: value})  # type: ignore[misc]
    assert [*esatls.connections(facts)] == []
    facts.add({"esa_event": "delivery_done", "dcid": "6", "mid": 7, "rid": "0, 1"})  # type: ignore[typeddict-item]
    assert [record["deliveries"] for record in esatls.messages(facts)] == [[{"dcid": 6, "rid": [0, 1], "outcome": "done", "verdict": "unknown"}]]


def test_half_a_surrogate_pair() -> None:
    """Text that no UTF-8 has is read as the bytes that stand for it in a file."""
    counts = esatls.Counts()
    found = [*esatls.events(["\ud800", "MID 7 Subject '\ud800'", "ICID 5 TLS success protocol TLSv1.2 cipher AES128-SHA"], counts=counts)]
    assert [(event["esa_event"], event.get("subject")) for event in found] == [("message_identity", "\\xed\\xa0\\x80"), ("tls_success", None)]
    assert (counts.lines, counts.events) == (3, 2)
