"""Files that are written and rotated by another thread while they are read: no byte is lost or comes twice."""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING

import pytest
from esatls.follow.tail import Tail

from tests.follow.support import Log

if TYPE_CHECKING:
    from pathlib import Path

WAYS = {
    "mail.log": ("rename", "rename_and_compress", "copy_and_truncate"),
    "dated.log": ("rename_by_date",),
    "mail.current": ("rename_as_appliance",),
    "moved.log": ("rename", "rename_and_compress"),
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", WAYS)
def test_races(tmp_path: Path, name: str, seed: int) -> None:
    """A reader that breaks off and begins again, beside a writer that rotates at any moment, gets every line once and in order."""
    log = Log(tmp_path / name)
    if name == "moved.log":
        log.rotated = tmp_path / "old"
        log.rotated.mkdir()
    log.write(b"".join(b"line %d of this log\n" % number for number in range(50)))
    warnings: list[str] = []
    tail = Tail(str(log.path), warnings.append, None, str(log.rotated))
    looks = threading.Semaphore(0)

    def see() -> None:
        """Wait until the log was looked at from the beginning of a look to its end."""
        while looks.acquire(blocking=False):
            pass
        looks.acquire(timeout=60)
        looks.acquire(timeout=60)

    def write() -> None:
        rng = random.Random(seed)
        number = 50
        for _ in range(40):
            for _ in range(rng.randrange(1, 30)):
                log.write(b"".join(b"line %d of this log\n" % (number + more) for more in range(50)))
                number += 50
                if rng.random() < 0.1:
                    time.sleep(0.002)
            # a log that is copied and truncated within the time that a look at its folder takes cannot be followed
            see()
            getattr(log, rng.choice(WAYS[name]))()
            see()
        log.write(b"end\n")

    writer = threading.Thread(target=write)
    writer.start()
    rng = random.Random(seed + 100)
    kept = b""
    place = tail.place(0)
    told = b""
    while not told.endswith(b"end\n"):
        data = tail.read()
        looks.release()
        told += data or b""
        if data is None and not writer.is_alive() and tail.read() is None and tail.read() is None:
            break
        if rng.random() < 0.2:
            kept, place = told, tail.place(0)
        if rng.random() < 0.1:
            told = kept
            tail = Tail(str(log.path), warnings.append, place, str(log.rotated))
    writer.join()
    lines = told.decode().splitlines()
    assert lines[:-1] == [f"line {number} of this log" for number in range(len(lines) - 1)]
    assert lines[-1] == "end"
    assert warnings == []
