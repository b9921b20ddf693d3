"""Seeds and mutated lines, a million of them in nightly runs: nothing crashes, every line is counted, and both ways of reading agree."""

from __future__ import annotations

import json
import random
import sys
import time
from typing import Callable

import pytest
from esatls.extraction.event_stream import Events
from esatls.extraction.stream import Counts
from esatls.output.json_lines import dumps

from tests.core.support import NIGHTLY
from tests.fuzz import cli, mutate, seeds, targets
from tests.traffic import ENVELOPES, Line

LINES = 1_000_000 if NIGHTLY else 50_000
BATCH = 1_000
SEED = 1
"""A failure names its batch; `mutate.mutated(random.Random(f"{SEED}-{batch}"), ...)` makes the batch again."""


@pytest.mark.parametrize("name", cli.NAMES)
def test_seeds_hold(name: str) -> None:
    """The seeds of fuzzing break no promise."""
    assert set(cli.NAMES) == set(targets.TARGETS)
    inputs = list(cli.seeds_of(name))
    assert len(inputs) > 40
    for text in inputs:
        targets.TARGETS[name](text.encode("utf-8", "surrogateescape"))


FOUND = {
    "envelope": [b'<2>Jul 0 19:47:40 {"message":"\\uCcec"}'],
    "events": [
        b'{"message":"Info: ICID 5 TLS failed: a\\ud800b","host":"x\\udfffy"}',
        b"CEF:0|CISCO|IronPort|14.0|mail|mail|5|dvchost=\xff msg=ICID 5 close",
        b"ICID 99999999999999999999 TLS failed: x\nICID 9223372036854775808 TLS failed: x",
        b"Message done DCID 6 MID 1 to RID [0, 99999999999999999999999999]",
        b"Message done DCID 6 MID 1 to RID [, ,]",
        b'2024-07-20T19:47:45,"Info:Delivery start DCID 1 MID 5 to [0] to offbox Q",\na',
        # an odd header, accepted on one line, does not make the same header of a later line a known one
        (
            b"logs/mail.current:5942:Sat Jul 20 19:55:10 2024 Info: ICID 5 close\n13\tMar  3 10:00:02 esa1 mail_logs: Info: ICID 5 close\n"
            b"logs/mail.current:5889:Sat Jul 20 19:54:17 2024 Info: x\nlogs/mail.current:5991:Sat Jul 20 19:55:59 2024 Info: x\n"
            b"13\tMar  3 10:00:02 esa1 mail_logs: Info: ICID 5 close\nlogs/mail.current:5669:Sat Jul 20 19:50:37 2024 Info: x\n"
        ),
        # what a record says of its field counts from then on, not for the records before it
        b'{"event":{"original":"Jul 0 19:47:40CEF:m Info: MID 4 Subject \'"}}\n{"event":{"original":"Jul 0 19:47:41s: Info:"}}',
        b"Info:MID 4 ICID 5 From:g\n\xef\xbb\xbf:",
        # what stands in front of the first line is accepted on later ones, be there a byte order mark or not
        b"\xef\xbb\xbf>1 2024-07-20T19:47:23 Info: close\n>1 2024-07-20T19:47:43 Info:Mail delivery client with DCID 1 exited",
        # the rest of a wrapped line is read without the number that grep put in front of it
        b'4-Info:\n2024-03-05T10:00:00"Info:MID 4 Message-ID }\n4--',
    ],
    "tracking": [
        b"2 Jul 0224 19:47:40 GMT+0200Incoming connection ICID 1 failed TLS",
        b'[{"timestamp":"20 Jul 2024 19:47:40 (GMT)","description":"Message 5 to b\\ud800@example.com bounced. Reason: x\\udfff"}]',
    ],
}
"""Inputs that once broke a promise."""


@pytest.mark.parametrize(("name", "data"), [(name, data) for name, all_data in FOUND.items() for data in all_data])
def test_what_was_found_holds(name: str, data: bytes) -> None:
    """Inputs that once broke a promise break none now."""
    targets.TARGETS[name](data)


def test_mutated_lines(record_property: Callable[[str, object], None], capsys: pytest.CaptureFixture[str]) -> None:
    """Many lines in every envelope, spoilt in every cheap way: no crash, lines = events + ignored + unreadable, and the same line by line as in blocks."""
    pools = [[line.encode("utf-8", "surrogateescape") for line in pool] for pool in seeds.lines()]
    total = Counts()
    size, slowest, batch = 0, float("inf"), 0
    started = time.process_time()
    while total.lines < LINES:
        batch += 1
        data = mutate.mutated(random.Random(f"{SEED}-{batch}"), pools, BATCH)
        try:
            start = time.process_time()
            found, counts = targets.by_block(data, (len(data) // 2,))
            slowest = min(slowest, len(data) / max(time.process_time() - start, 1e-9))
            targets.check_counts(counts)
            events, line_counts = targets.by_line(data)
            assert found == events
            assert counts == line_counts
            for event in found[::16]:
                dumps(event)
        except Exception as error:
            shortest = targets.shrink(targets.check_log, data)
            raise AssertionError(f"batch {batch}, {error!r}: {shortest!r}") from error
        total.add(counts)
        size += len(data)
    assert total.lines >= LINES
    assert min(total.events, total.ignored, total.unreadable) > LINES // 100, "all ends are met"
    figures = f"{total}, {size / 1e6:.0f} MB, slowest thousand lines {slowest / 1e6:.2f} MB/s, processor {time.process_time() - started:.0f} s"
    record_property("figures", figures)
    with capsys.disabled():
        sys.stdout.write(f"\n{figures}\n")


def test_mutators_spoil(capsys: pytest.CaptureFixture[str]) -> None:
    """Each mutator changes lines, and most of them leave something that is still an event."""
    del capsys
    rng = random.Random(1)
    lines = [line.encode() for line in seeds.texts()]
    for mutator in mutate.MUTATORS:
        made = [mutator(rng, line, lines) for line in lines]
        assert sum(one != other for one, other in zip(made, lines)) > len(lines) // 3, mutator.__name__
        assert sum(bool(targets.by_line(line)[0]) for line in made) > len(lines) // 20, mutator.__name__


def test_targets_see_what_they_look_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that forges, loses or miscounts events is noticed."""
    lines = [Line(seeds.TIME, "esa1", "mail_logs", "Info", f"ICID {number} TLS failed: x") for number in range(9)]
    data = "".join(ENVELOPES["native"].render(line, 0) + "\n" for line in lines).encode()
    targets.target_events(data)
    for event in ({"esa_event": "tls_failed", "tls_cipher": "forged"}, {"esa_event": "tls_failed", "icid": "5"}, {"esa_event": "tls_failed", "sender": ""}):
        with pytest.raises((AssertionError, KeyError)):
            targets.check_event(event, targets.plain("ICID 5 TLS failed"))
    with pytest.raises(AssertionError):
        targets.check_counts(Counts(3, 1, 1, 0))
    monkeypatch.setattr(Events, "take_all", lambda _self, lines, _start: sum(1 for _ in lines))
    with pytest.raises(AssertionError):
        targets.target_events(data)
    assert targets.shrink(targets.target_events, data).count(b"\n") <= 3


def test_json_strings_count_as_said() -> None:
    """Text that a JSON record contains as escapes counts as text of the input."""
    assert targets.plain("caf\u00e9") in targets.source_of(json.dumps({"message": "caf\u00e9"}))
