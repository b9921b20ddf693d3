"""A reader that breaks off between any two steps, hundreds of times, while its log is written and rotated: all in one process."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from esatls.follow.run import Follower, FollowOptions

from tests.core.support import NIGHTLY
from tests.follow.support import Log, encoded
from tests.traffic import generate, render, shuffled, wrapped

if TYPE_CHECKING:
    from pathlib import Path

    from esatls.verdicts.record_types import MessageRecord

WAYS = ("rename", "rename_and_compress", "copy_and_truncate")


def _all(_: MessageRecord) -> bool:
    return True


@pytest.mark.parametrize(
    ("seed", "name", "rotations"), [(1, "mail.log", WAYS), (2, "mail.log", ("rename_by_date",)), (3, "mail.current", ("rename_as_appliance",))]
)
def test_crashes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, name: str, rotations: tuple[str, ...]) -> None:
    """Whatever was written behind the last checkpoint is read and told again, to the byte, wrapped lines and counts too."""
    rng = random.Random(seed)
    monkeypatch.setattr("esatls.follow.tail.BLOCK", 5000)
    texts = list(render(shuffled(generate(seed, 250 if NIGHTLY else 90, 2, "rare").lines, seed), "nested_native"))
    lines = [part for text in texts for part in (wrapped((text,), 100) if rng.random() < 0.02 else (text,))]
    warnings: list[str] = []

    def reader(log: Path, output: Path, *, once: bool = False) -> Follower:
        return Follower(FollowOptions(str(log), str(output), f"{output}.checkpoint", idle=0, once=once), _all, warnings.append)

    (tmp_path / "reference.log").write_bytes(encoded(lines))
    whole = reader(tmp_path / "reference.log", tmp_path / "reference.jsonl", once=True)
    while whole.step():
        pass
    whole.finish()
    whole.close()
    expected = (tmp_path / "reference.jsonl").read_bytes()

    folder = tmp_path / "log"
    folder.mkdir()
    log = Log(folder / name)
    output = tmp_path / "told.jsonl"
    data = encoded(lines)
    follower = reader(log.path, output)
    follower.save()
    crashes = 0
    while data:
        size = data.find(b"\n", rng.randrange(3000)) + 1 if rng.random() < 0.7 else rng.randrange(1, 3000)
        piece, data = data[:size], data[size:]
        log.write(piece)
        if piece.endswith(b"\n") and rng.random() < 0.02:
            getattr(log, rng.choice(rotations))()
        for _ in range(rng.randrange(3)):
            follower.step()
        if rng.random() < 0.1:
            follower.save()
        if rng.random() < 0.15:
            crashes += 1
            follower.close()
            follower = reader(log.path, output)
    while follower.step() or follower.step():
        pass
    follower.finish()
    follower.close()
    assert crashes > (100 if NIGHTLY else 35)
    assert warnings == []
    assert output.read_bytes() == expected
    assert follower.stream.counts == whole.stream.counts
