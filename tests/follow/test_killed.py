"""`follow` is killed again and again while its log grows and rotates, and nothing is lost or told twice."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

import pytest

from tests.core.support import NIGHTLY
from tests.follow.support import Log, body, encoded, run, start
from tests.traffic import generate, render, shuffled

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

ENDLESS = 60
"""Seconds after which a run that shows no sign of life is killed too: the machine may be busy."""


def _alive(process: subprocess.Popen[bytes], checkpoint: Path, before: bytes) -> None:
    """Wait until a run has written a checkpoint of its own."""
    end = time.monotonic() + ENDLESS
    while time.monotonic() < end and process.poll() is None:
        if checkpoint.exists() and checkpoint.read_bytes() != before:
            return
        time.sleep(0.002)


@pytest.mark.parametrize(
    ("name", "rotations", "kills", "seed"),
    [
        ("mail.log", ("rename", "rename_and_compress", "copy_and_truncate"), 140 if NIGHTLY else 20, 7),
        ("mail.current", ("rename_as_appliance",), 30 if NIGHTLY else 10, 8),
        ("mail.log", ("rename_by_date",), 30 if NIGHTLY else 10, 9),
    ],
)
def test_killed_and_restarted(tmp_path: Path, name: str, rotations: tuple[str, ...], kills: int, seed: int) -> None:
    """Dozens of kills at random moments, two hundred at night: the records are those of one uninterrupted run, in the same order."""
    rng = random.Random(seed)
    print("seed", seed)  # noqa: T201 - shown when it fails
    traffic = generate(seed, 12 * kills, 2, "rare")
    lines = list(render(shuffled(traffic.lines, seed), "nested_native"))
    reference = tmp_path / "reference.log"
    reference.write_bytes(encoded(lines))
    expected, counts = run("--once", "--idle", 0, "--output", "-", "--checkpoint", tmp_path / "other.json", reference)

    folder = tmp_path / "log"
    folder.mkdir()
    log = Log(folder / name)
    output, checkpoint = tmp_path / "told.jsonl", tmp_path / "told.jsonl.checkpoint"
    options = (folder / name, "--output", output, "--idle", 0, "--poll", 0.005, "--save-every", 0.01)
    cuts = sorted(rng.sample(range(1, len(lines)), kills - 1))
    parts = [lines[a:b] for a, b in zip([0, *cuts], [*cuts, len(lines)])]
    seen = 0
    for number, part in enumerate(parts):
        before = checkpoint.read_bytes() if checkpoint.exists() else b""
        process = start(*options)
        early = number > 0 and rng.random() < 0.2
        _write(log, encoded(part[: len(part) // 2]), rng)
        if number and rng.random() < 0.25:
            getattr(log, rng.choice(rotations))()
        if early:
            time.sleep(rng.random() * 0.1)
        else:
            _alive(process, checkpoint, before)
        _write(log, encoded(part[len(part) // 2 :]), rng)
        if rng.random() < 0.15:
            getattr(log, rng.choice(rotations))()
        time.sleep(rng.random() * 0.05)
        process.kill()
        _, errors = process.communicate()
        expected_words = (b"resuming from checkpoint", b"several appliances under one name")
        assert [line for line in errors.splitlines() if not any(words in line for words in expected_words)] == []
        seen += checkpoint.exists() and checkpoint.read_bytes() != before
    told_before = output.read_bytes()
    assert body(checkpoint)["place"]["offset"] >= 0
    assert seen > kills // 3  # the kills met runs at work
    assert told_before  # how much depends on how busy the machine is
    _, last = run("--once", *options)
    told = output.read_bytes()
    assert sorted(told.splitlines()) == sorted(expected.splitlines())
    assert told == expected
    assert _counted(last) == _counted(counts)


def _counted(errors: str) -> str:
    """Return what the last line tells of all runs; contradictory ids are those of its own run."""
    return errors.splitlines()[-1].partition(" late lines")[0]


def _write(log: Log, data: bytes, rng: random.Random) -> None:
    """Write in pieces that end anywhere, but for the last."""
    while data:
        size = rng.randrange(1, 20000)
        log.write(data[:size])
        data = data[size:]
