"""The checkpoint: written whole, believed only after it was looked at, never a traceback."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import random
import stat
from typing import TYPE_CHECKING, Any

import pytest
from esatls.follow import checkpoint
from esatls.follow.checkpoint import CheckpointError

from tests.follow.support import ROOT, Run, body, encoded, run
from tests.follow.test_records import DELIVERED, RECEIVED, other, stamped

if TYPE_CHECKING:
    from pathlib import Path

SAMPLE = ROOT / "python" / "esatls" / "sample.log"


def seal(path: Path, told: Any) -> None:
    """Write a checkpoint with a digest that fits: only its meaning is wrong."""
    second = json.dumps(told).encode()
    head = {"format": "esatls follow", "version": 2, "sha256": hashlib.sha256(second).hexdigest()}
    path.write_bytes(json.dumps(head).encode() + b"\n" + second)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """Return a checkpoint with something open in it: the sample was read but for its last lines, and put down."""
    log = tmp_path / "mail.log"
    log.write_bytes(encoded(stamped(*RECEIVED, *DELIVERED[:3])))
    path = tmp_path / "state.json"
    run("--once", "--timeout", "1", "--checkpoint", path, "-o", tmp_path / "out", log)
    return path


def test_default_places(tmp_path: Path) -> None:
    """It lies beside the output file, else in the user's state folder, for nobody else to read; standard input has none."""
    log, out = tmp_path / "mail.log", tmp_path / "out.jsonl"
    log.write_bytes(SAMPLE.read_bytes())
    run("--once", "--output", out, log, state=tmp_path / "state")
    assert (tmp_path / "out.jsonl.checkpoint").exists()
    assert not (tmp_path / "state").exists()
    run("--once", log, state=tmp_path / "state")
    (found,) = (tmp_path / "state" / "esatls").glob("*.json")
    assert stat.S_IMODE(found.stat().st_mode) == 0o600
    run("--once", "-", stdin=SAMPLE.read_bytes(), state=tmp_path / "other")
    assert not (tmp_path / "other").exists()
    run("--once", "--output", os.devnull, log, state=tmp_path / "device")
    assert [path.name for path in (tmp_path / "device" / "esatls").glob("*.json")] == [found.name]
    assert not os.path.exists(f"{os.devnull}.checkpoint")
    assert not [path for path in tmp_path.rglob("*") if path.suffix == ".tmp"]


def test_marks_of_a_stream() -> None:
    """What is saved of a stream is all that the meaning of its next line depends on; with other marks, a checkpoint would be of another version."""
    wrapped = ["Tue Mar  5 10:00:03 2024 Info: MID 14 ICID 5 From:", "", "<alice@"]
    marks = {
        "counts": [7, 4, 1, 0],
        "rank": 2,
        "lead": "",
        "may_begin": True,
        "document": None,
        "named": {},
        "headers": {},
        "held_lines": [wrapped[0], wrapped[2]],
        "spaced": True,
        "doubtful": False,
        "cut": None,
        "offset": 7200,
        "latest": 1709625600 + 180 * 86400,
        "day": 19787,
    }
    first = Run().read([*stamped((0, "Time offset from UTC: 7200 seconds"), *RECEIVED[:3]), *wrapped])
    assert first.stream.state() == marks
    second = Run()
    second.stream.restore(json.loads(json.dumps(marks)))
    assert second.stream.state() == marks
    (record,) = second.read(["example.com>", *stamped((20, "Start MID 15 ICID 5"))]).end().records()[:1]
    assert (record["mid"], record["sender"], record["first_seen"]) == (14, "alice@example.com", "2024-03-05T08:00:03Z")
    assert str(second.stream.counts) == "9 lines: 8 events, 1 ignored, 0 unreadable"


def test_told_once(tmp_path: Path) -> None:
    """A second run tells only what is new, says that it goes on, and adds to the output."""
    log, out = tmp_path / "mail.log", tmp_path / "out.jsonl"
    log.write_bytes(encoded(stamped(*RECEIVED, *DELIVERED)))
    _, errors = run("--once", "--output", out, log)
    assert errors == "10 lines: 10 events, 0 ignored, 0 unreadable; 1 messages written, 0 unfinished, 0 late lines\n"
    with log.open("ab") as file:
        file.write(encoded(stamped((20, "Start MID 20 ICID 0"))))
    _, errors = run("--once", "--output", out, log)
    assert errors.splitlines()[0].startswith("esatls: resuming from checkpoint")
    assert errors.splitlines()[1] == "11 lines: 11 events, 0 ignored, 0 unreadable; 2 messages written, 0 unfinished, 0 late lines"
    assert [json.loads(line)["mid"] for line in out.read_bytes().splitlines()] == [14, 20]
    run("--once", "--fresh", "--quiet", "--output", out, log)
    assert [json.loads(line)["mid"] for line in out.read_bytes().splitlines()] == [14, 20, 14, 20]


def test_many_recipients(tmp_path: Path) -> None:
    """A list of recipients of any length is believed again: a checkpoint takes whatever the patterns take."""
    log, out = tmp_path / "mail.log", tmp_path / "out.jsonl"
    numbers = list(range(5000))
    rids = ", ".join(map(str, numbers))
    lines = stamped(*RECEIVED, *((seconds, text.replace("RID [0]", f"RID [{rids}]")) for seconds, text in DELIVERED))
    log.write_bytes(encoded(lines[:-1]))
    run("--once", "--timeout", "1", "--output", out, log)
    assert rids in out.with_name("out.jsonl.checkpoint").read_text()
    log.write_bytes(encoded(lines))
    _, errors = run("--once", "--output", out, log)
    assert errors.splitlines()[0].startswith("esatls: resuming from checkpoint")
    record = json.loads(out.read_bytes().splitlines()[-1])
    (attempt,) = record["deliveries"]
    assert (record["mid"], record["finished"], attempt["verdict"], attempt["rid"]) == (14, True, "encrypted", numbers)


def test_output_is_cut(tmp_path: Path) -> None:
    """What stands in the output behind its checkpoint is told again, so it goes; what stood there before remains."""
    log, out = tmp_path / "mail.log", tmp_path / "out.jsonl"
    out.write_bytes(b"somebody's line\n")
    log.write_bytes(SAMPLE.read_bytes())
    run("--once", "--output", out, log)
    whole = out.read_bytes()
    assert whole.startswith(b"somebody's line\n")
    with out.open("ab") as file:
        file.write(b'{"mid":1}\n{"mi')
    _, errors = run("--once", "--output", out, log)
    assert out.read_bytes() == whole
    # an output that somebody took away, or put in its place, is not cut
    out.rename(tmp_path / "taken.jsonl")
    out.write_bytes(whole + b"another file\n")
    _, errors = run("--once", "--output", out, log)
    assert out.read_bytes() == whole + b"another file\n"
    assert "is not the output file of the checkpoint" in errors


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (b"", "is not a checkpoint, or is damaged"),
        (b"\x80\x04\x95 pickle", "is not a checkpoint, or is damaged"),
        (b"{}\n{}", "is not a checkpoint, or is damaged"),
        (b"[]\n[]", "is not a checkpoint, or is damaged"),
        (b"[" * 100_000, "is not a checkpoint, or is damaged"),
        (b'{"format": "esatls follow", "version": 1}\n{}', "was written by another version"),
        (b'{"format": "esatls follow", "version": 3}\n{}', "was written by another version"),
        (b'{"format": "esatls follow", "version": 2, "sha256": "00"}\n{}', "the checkpoint is damaged"),
        (b'{"format": "esatls follow", "version": 2}\n[]', "the checkpoint is damaged"),
    ],
)
def test_damaged(tmp_path: Path, damage: bytes, said: str) -> None:
    """A checkpoint that is damaged, of another version or something else altogether is one line with advice, and stays as it is."""
    path = tmp_path / "state.json"
    path.write_bytes(damage)
    out, errors = run("--once", "--checkpoint", path, SAMPLE, code=1)
    assert out == b""
    assert errors.count("\n") == 1
    assert said in errors
    assert "--fresh" in errors
    assert path.read_bytes() == damage
    out, _ = run("--once", "--fresh", "--checkpoint", path, SAMPLE)
    assert len(out.splitlines()) == 3


def test_facts_of_another_version(written: Path) -> None:
    """Facts are read by the names of their values: fewer or other ones in another order do, unknown ones are another version's."""
    told = body(written)
    shapes = told["held"]["shapes"]
    assert shapes["message_sender"] == ["icid", "sender"]
    shapes["message_sender"] = ["sender", "icid"]
    shapes["message_recipient"] = ["icid", "rid"]
    for item in told["held"]["items"]:
        for fact in item[5]:
            if fact[0] == "message_sender":
                fact[2:] = [fact[3], fact[2]]
            elif fact[0] == "message_recipient":
                del fact[4]
    seal(written, told)
    log = written.with_name("mail.log")
    with log.open("ab") as file:
        file.write(encoded(stamped(*DELIVERED[3:])))
    out, _ = run("--once", "--quiet", "--checkpoint", written, log)
    record = json.loads(out.splitlines()[-1])
    assert (record["sender"], record["finished"], "recipients" in record) == ("alice@example.net", True, False)
    unknown: tuple[dict[str, list[str]], ...] = ({"message_sent": []}, {"message_sender": ["icid", "colour"]})
    for change in unknown:
        told["held"]["shapes"] = {**shapes, **change}
        seal(written, told)
        _, errors = run("--once", "--checkpoint", written, log, code=1)
        assert errors.count("\n") == 1
        assert "was written by another version" in errors


def test_broken_off(written: Path, tmp_path: Path) -> None:
    """A checkpoint that was cut anywhere, or of which one byte is another, is refused."""
    data = written.read_bytes()
    rng = random.Random(1)
    for _ in range(200):
        at = rng.randrange(len(data))
        for damage in (data[:at], data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]):
            written.write_bytes(damage)
            with pytest.raises(CheckpointError):
                checkpoint.load(str(written))
    assert tmp_path.exists()


def test_foreign(written: Path, tmp_path: Path) -> None:
    """The checkpoint of another log is not touched."""
    data = written.read_bytes()
    _, errors = run("--once", "--checkpoint", written, SAMPLE, code=1)
    assert errors == f"esatls: {written}: is the checkpoint of {tmp_path / 'mail.log'}; use another --checkpoint, or --fresh to start over\n"
    assert written.read_bytes() == data


def places(told: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return where every value of some JSON stands."""
    found = [path] if path else []
    items = told.items() if isinstance(told, dict) else enumerate(told) if isinstance(told, list) else ()
    for key, value in items:
        found += places(value, (*path, key))
    return found


def test_tampered(written: Path, tmp_path: Path) -> None:
    """Whatever stands in a checkpoint whose digest fits: it is refused with one line, or does no harm; nothing in it is run."""
    from esatls.errors import EsatlsError
    from esatls.follow.run import Follower, FollowOptions

    told = body(written)
    assert any(item[0] for item in told["held"]["items"])
    rng = random.Random(2)
    values: tuple[Any, ...] = (None, True, -1, 0, 5, 1e400, 10**30, "", "x", "..", "6", "a" * 1000, "\ud800", [], {}, [[]], "__import__('os')", [None, 1, "x"])
    spots = places(told)
    refused = 0
    for _ in range(600):
        changed = json.loads(json.dumps(told))
        *way, last = rng.choice(spots)
        inner = changed
        for step in way:
            inner = inner[step]
        if rng.random() < 0.2:
            del inner[last]
        else:
            inner[last] = rng.choice(values)
        path = tmp_path / "changed.json"
        seal(path, changed)
        options = FollowOptions(str(tmp_path / "mail.log"), str(tmp_path / "elsewhere"), str(path), once=True)
        try:
            follower = Follower(options, lambda _: True, lambda _: None)
        except EsatlsError:
            refused += 1
        else:
            follower.lines.feed(encoded(stamped(*DELIVERED, (20, "MID 14 rewritten to MID 15 by antispam"), other(400))))
            follower.stream.end()
            follower.held.end()
            follower.close()
    assert refused > 200


def test_forged_fact(written: Path) -> None:
    """Facts that no log line gives are refused: unknown kinds, wrong numbers of values, ids that are none."""
    told = body(written)
    item = next(item for item in told["held"]["items"] if item[3] == 2)
    for fact in (
        ["shell", 1, "x"],
        ["tls_success", 1, None, None, None, None],
        ["message_started", 1],
        ["message_started", 1, "x"],
        ["message_started", "1", "5"],
    ):
        item[5] = [fact]
        seal(written, told)
        _, errors = run("--once", "--checkpoint", written, "-o", written.with_name("out"), written.with_name("mail.log"), code=1)
        assert "the checkpoint is damaged" in errors


def test_one_process_at_a_time(tmp_path: Path) -> None:
    """Two runs with one checkpoint would spoil each other's output."""
    fcntl = pytest.importorskip("fcntl", reason="no locks of files on Windows")
    path = tmp_path / "state.json"
    with open(tmp_path / "state.json.lock", "w", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        _, errors = run("--once", "--checkpoint", path, SAMPLE, code=1)
    assert errors == f"esatls: {path}: another process is using this checkpoint; use another --checkpoint\n"
    run("--once", "--checkpoint", path, SAMPLE)


@pytest.mark.skipif(os.name == "nt", reason="no links without rights on Windows")
def test_link_in_the_way(tmp_path: Path) -> None:
    """Nobody makes it write through a link that lies where it writes its checkpoint first."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    (tmp_path / "state.json.tmp").symlink_to(victim)
    _, errors = run("--once", "--checkpoint", tmp_path / "state.json", SAMPLE, code=1)
    assert "the checkpoint cannot be written" in errors
    assert victim.read_bytes() == b"precious"


def test_settings_that_make_no_sense(tmp_path: Path) -> None:
    """Wrong use is one line."""
    cut = tmp_path / "cut.gz"
    cut.write_bytes(gzip.compress(SAMPLE.read_bytes())[:-100])
    for args, code, said in (
        (("--grace", "0", SAMPLE), 2, "at least one second"),
        (("--timeout", "soon", SAMPLE), 2, "is not a time such as"),
        (("--timeout", "36501d", SAMPLE), 2, "'36501d' is more than a hundred years"),
        (("--poll", "999999999d", SAMPLE), 2, "'999999999d' is more than a hundred years"),
        ((tmp_path,), 2, "is a folder"),
        (("--rotated-to", SAMPLE, SAMPLE), 2, "is not a folder"),
        (("--output", SAMPLE, SAMPLE), 2, "is the input file"),
        (("--fresh", "--checkpoint", cut, cut), 2, "is the input file, so it cannot be the checkpoint"),
        (("--checkpoint", tmp_path / "out", "--output", tmp_path / "." / "out", SAMPLE), 2, "is the output file, so it cannot be the checkpoint"),
        (("--output", tmp_path / "no" / "out", SAMPLE), 1, "cannot be written"),
        (("--checkpoint", tmp_path / "no" / "state", SAMPLE), 1, "cannot be written"),
        (("--timezone", "Mars/Crater", SAMPLE), 2, "no such time zone"),
        ((tmp_path / "nothing.log",), 1, "nothing to read"),
        ((cut,), 1, "is incomplete or damaged"),
    ):
        _, errors = run("--once", *args, code=code, state=tmp_path)
        assert said in errors, errors


def test_output_that_keeps_nothing(tmp_path: Path) -> None:
    """A device may be the output, run after run."""
    for _ in range(2):
        run("--once", "--checkpoint", tmp_path / "state.json", "--output", os.devnull, SAMPLE)
