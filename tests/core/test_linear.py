"""No line, however hostile, costs more than its length: every expression is linear.

The searches run in a process of their own under a limit of processor time, far above what linear ones need and far below what a
quadratic one does: nothing is timed.
"""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

from esatls.extraction.patterns import PATTERNS
from esatls.verdicts import connection, weighing
from esatls.verdicts.facts import Facts
from esatls.verdicts.records import messages

from tests.core.support import ROOT, all_cases

if TYPE_CHECKING:
    import pytest

LENGTH = 120_000
CPU_SECONDS = 10

PREAMBLE = f"""
import re, resource, sys

def limit(seconds):
    '''Let the process live for so many seconds of processor time from now on.'''
    used = resource.getrusage(resource.RUSAGE_SELF)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + 1 + seconds, resource.RLIM_INFINITY))

limit({CPU_SECONDS})
sys.path.insert(0, {str(ROOT / "python")!r})
LENGTH = {LENGTH}
RUNS = [*" 0aA'\\"<>[](),.:-=/|{{", "1 ", "a ", "<>", "[0, ", ", ", ": ", " - ", "\\\\", "\\t", "\\0", "\\u00e9", "\\ud800"]

def hostile(text):
    '''Lines made of one sample: parts of it repeated, at every seam, with an end that matches nothing.'''
    words = text.split(" ")
    seams = sorted({{0, len(text), *(i for i, c in enumerate(text) if not c.isalnum())}})
    for seam in seams:
        for run in RUNS:
            yield text[:seam] + run * (LENGTH // len(run) // len(seams) or 1) + "\\1"
    for run in RUNS:
        yield text + run * (LENGTH // len(run))
    for count in range(1, len(words) + 1):
        part = " ".join(words[:count]) + " "
        yield part * (LENGTH // len(part))
        tail = " " + " ".join(words[-count:])
        yield text + tail * (LENGTH // len(tail))
"""


def run(script: str) -> None:
    """Run a script under the limit; a process that is over it is killed by the system."""
    done = subprocess.run([sys.executable, "-c", PREAMBLE + script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"exit code {done.returncode}, -24 is the limit of processor time: {done.stdout[-100:]}{done.stderr[-2000:]}"


def sample(pattern: str) -> str:
    """Return the longest sample of a pattern; one of thousands of characters has as many seams, and all are alike."""
    if pattern == "ESA_CONSOLIDATED_EVENT":
        return "CEF:0|Cisco|C100V|15.0.0-104|ESA_CONSOLIDATED_LOG_EVENT|Consolidated Log Event|5|ESAMID=1 msg='a' ESATLSInConnStatus=Success"
    if pattern == "ESA_CONSOLIDATED_EVENT_JOINED":
        return "ESAICID=1;ESADCID=2;ESAMID=3;ESAFriendlyFrom=a b;ESATLSInConnStatus=Success"
    return max((str(case["text"]) for file in all_cases() if file["pattern"] == pattern for case in file["cases"] if len(case["text"]) < 1000), key=len)


def test_patterns_are_linear() -> None:
    """For each pattern, lines that are long and hostile for it are matched or refused within the limit; what was printed last is over it."""
    run(
        f"""
from esatls.extraction.patterns import PATTERNS
for name, text in {[(pattern, sample(pattern)) for pattern in PATTERNS]!r}:
    print(name, flush=True)
    limit({CPU_SECONDS})
    pattern = re.compile(PATTERNS[name], re.ASCII)
    for text in hostile(text):
        pattern.fullmatch(text)
"""
    )


def test_envelope_is_linear() -> None:
    """An envelope is bounded: what makes it look at a long line is cut before."""
    run(
        """
from esatls.lines import envelope
for text in [
    "<22>Jan 21 12:47:11 esa1 mail_logs: Jan 21 12:47:11 esa1 mail_logs: Info: x",
    "Wed Jul 20 19:47:40 2005 Info: x",
    "2019 Sep 28 16:13:51 esa1 mail [info] splunk_maillogs:nopid Info: x",
    "2001:db8::a b: CEF:0|",
]:
    for line in hostile(text):
        envelope.parse(line)
"""
    )


def test_dispatch_is_linear() -> None:
    """The alternations that lines are tried with are as linear as their parts, also for texts with line feeds in them."""
    samples = {pattern: sample(pattern) for pattern in PATTERNS}
    run(
        f"""
from esatls.extraction.match import match
for text in {list(samples.values())!r}:
    for run in RUNS:
        match(text + run * (LENGTH // 10 // len(run)) + "\\1")
    words = text.split(" ")
    for first in range(len(words)):
        part = " " + " ".join(words[first:])
        match(text + part * (LENGTH // 10 // len(part)))
        match(text + part * (LENGTH // 10 // len(part)) + "\\nx")
"""
    )


def test_wrapped_lines_are_linear() -> None:
    """A long line without an end, or a great many lines without a stamp, are read within the limit."""
    run(
        """
from esatls.verdicts.facts import Facts
from esatls.extraction.blocks import BlockStream
STAMP = "Wed Jul 20 19:47:40 2005 Info: "
for first in ["ICID 5 TLS failed: (", "MID 1 Subject 'x", "Message done DCID 6 MID 1 to RID [0", "DCID 6 TLS success CN: <x", "Bounced: 14:0 From:<"]:
    for rest in ["x", "[", "'", "(" * 100, "ICID 5 TLS success", "Info: x", '{"message": "x"}', "1", "", "CEF:0|CISCO|IronPort|x|x|x|5|msg=x"]:
        stream = BlockStream(Facts())
        stream.line(STAMP + first)
        for _ in range(10_000):
            stream.line(rest)
        stream.line(STAMP + first + rest * (LENGTH // 10 // (len(rest) or 1)))
        stream.line(STAMP)
        stream.end()
"""
    )


def test_ids_are_linear() -> None:
    """Many lines about one connection or one message are judged within the limit."""
    run(
        """
from esatls.extraction.blocks import BlockStream
from esatls.verdicts.facts import Facts
from esatls.verdicts.records import connections, messages
HEADS = [f"Wed Jul 20 19:{second // 60:02}:{second % 60:02} 2005 " for second in range(3600)]
CEF = "CEF:0|Cisco|C100V|15.0.0-104|ESA_CONSOLIDATED_LOG_EVENT|Consolidated Log Event|5|"
COUNT = 12_000

def reads(number):
    return f"Info: MID {number} ICID 5 TLS read 10 bytes" if number > COUNT // 2 else f"Info: Start MID {number} ICID 5"

def events(number):
    return CEF + f"ESAMID=7 ESADCID={number} act=DELIVERED duser=a@example.com ESATLSOutConnStatus=Success"

for lines, verdicts in ((reads, {"cleartext", "encrypted", "unknown"}), (events, {"encrypted", "unknown"})):
    print(lines.__name__, flush=True)
    limit(10)
    facts = Facts()
    stream = BlockStream(facts)
    for number in range(1, COUNT + 1):
        stream.line(HEADS[number * 3600 // (COUNT + 1)] + lines(number))
    stream.end()
    assert {record["tls_verdict"] for record in connections(facts)} <= verdicts
    assert {record["received"] for record in messages(facts)} <= verdicts
"""
    )


def test_evidence_is_linear(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four times as many consolidated events about one connection, each with a message of its own, are looked at four times as often."""
    looked_at: list[Any] = []
    known = weighing.stated_by

    def counted(fact: Any) -> tuple[Any, ...]:
        looked_at.append(fact)
        return known(fact)

    monkeypatch.setattr(connection, "stated_by", counted)
    counts = []
    for count in (100, 400):
        looked_at.clear()
        facts = Facts()
        for number in range(count):
            facts.add(
                {
                    "esa_event": "consolidated_event",
                    "time": f"2024-03-05T10:{number // 60:02}:{number % 60:02}Z",
                    "mid": number + 1,
                    "icid": 5,
                    "tls_in_result": ("success", "failed")[number % 2],
                    "action": "DELIVERED",
                }
            )
        found = [(record["received"], record["received_witness"]) for record in messages(facts)]
        assert found == [("encrypted", ["cef"]), ("cleartext", ["cef"])] * (count // 2)
        counts.append(len(looked_at))
    assert counts[1] <= 4 * counts[0]


def test_limit_kills_a_quadratic_search() -> None:
    """The limit is a real one: an expression with two open quantifiers side by side does not survive it."""
    script = PREAMBLE.replace(f"limit({CPU_SECONDS})", "limit(0)") + 're.compile(r"(?:a+)+b").fullmatch("a" * 100)\n'
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode < 0
