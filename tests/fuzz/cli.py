"""Coverage-guided fuzzing with atheris, for any length of time.

    .venv/bin/python tests/fuzz TARGET [--seconds 60]

Interesting inputs are kept in .cache/fuzz/TARGET, and the next run continues with them. An input that breaks a promise is shortened, printed
and written beside this folder; the exit code is 1. `--replay FILE` runs one input again.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.fuzz.targets import Target

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "fuzz"
NAMES = ("envelope", "events", "match", "cef", "tracking", "records")
LONGEST = 4096
"""Most bytes of an input; longer ones are for the tests of linear cost."""


def seeds_of(target: str) -> Iterable[str]:
    """Return the inputs with which a target starts."""
    from tests.fuzz import seeds

    if target in ("events", "records"):
        return seeds.logs()
    if target == "envelope":
        return [line for pool in seeds.lines() for line in pool[:20]]
    if target == "tracking":
        return [*seeds.documents(), *seeds.descriptions()]
    return seeds.texts() if target == "match" else seeds.records()


def write_corpus(target: str) -> Path:
    """Write the seeds to the folder that atheris reads, and return it."""
    folder = CACHE / target
    folder.mkdir(parents=True, exist_ok=True)
    for text in seeds_of(target):
        data = text.encode("utf-8", "surrogateescape")[:LONGEST]
        (folder / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    return folder


def write_dictionary() -> Path:
    """Write the words for which patterns look to a dictionary in libFuzzer's form, and return the file."""
    from tests.fuzz import mutate, seeds

    words = [word.encode("utf-8", "surrogateescape") for word in seeds.words()] + list(mutate.INSERTS)
    path = CACHE / "dictionary"
    path.write_text("".join('"' + "".join(f"\\x{byte:02x}" for byte in word[:60]) + '"\n' for word in words), encoding="ascii")
    return path


def run(target: str, bound: str) -> int:
    """Fuzz one target in a child process, print the result, and return the exit code."""
    folder, dictionary = write_corpus(target), write_dictionary()
    (folder.parent / f"{target}-broken").unlink(missing_ok=True)
    started = time.monotonic()
    child = os.fork()
    if not child:
        _fuzz(target, folder, dictionary, bound)
    try:
        _, status = os.waitpid(child, 0)
    except KeyboardInterrupt:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return 130
    print(f"{target}: {time.monotonic() - started:.0f} s, {len(list(folder.iterdir())):,} inputs kept in {folder}")
    broken = folder.parent / f"{target}-broken"
    if broken.exists():
        print(f"broken, run again with --replay {broken}")
    return 1 if status or broken.exists() else 0


def _fuzz(target: str, folder: Path, dictionary: Path, bound: str) -> None:
    """Run libFuzzer in this process; it does not return."""
    import atheris

    with atheris.instrument_imports(include=["esatls"]):
        from tests.fuzz.targets import TARGETS, shrink
    from tests.fuzz import mutate, seeds

    check = TARGETS[target]
    pools = [[line.encode("utf-8", "surrogateescape") for line in pool] for pool in seeds.lines()]
    others = [line for pool in pools for line in pool[::7]]

    def one(data: bytes) -> None:
        try:
            check(data)
        except Exception:
            shortest = shrink(check, data)
            (folder.parent / f"{target}-broken").write_bytes(shortest)
            print(f"\nbroken by {shortest!r}", flush=True)
            raise

    def mutator(data: bytes, longest: int, seed: int) -> bytes:
        rng = random.Random(seed)
        if rng.random() < 0.5:
            mutation: bytes = atheris.Mutate(data, longest)
            return mutation
        lines = data.split(b"\n")
        at = int(rng.random() * len(lines))
        lines[at] = rng.choice(mutate.MUTATORS)(rng, lines[at], others)
        return b"\n".join(lines)[:longest]

    options = [*bound.split(), f"-max_len={LONGEST}", f"-dict={dictionary}", "-timeout=30", f"-artifact_prefix={folder.parent}/{target}-"]
    atheris.Setup([sys.argv[0], *options, str(folder)], one, custom_mutator=mutator)
    atheris.Fuzz()


def replay(target: Target, path: Path) -> int:
    """Run one input, print how it breaks a promise if it does, and return the exit code."""
    from tests.fuzz.targets import shrink

    data = path.read_bytes()
    try:
        target(data)
    except Exception as error:  # noqa: BLE001 - to show any error
        print(f"{shrink(target, data)!r}\n{type(error).__name__}: {error}")
        return 1
    print("holds")
    return 0


def main() -> int:
    """Run what the command line asks for, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python tests/fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", choices=NAMES)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--runs", type=int, metavar="N", help="try the same N inputs each time, instead of new ones for some seconds")
    parser.add_argument("--replay", type=Path, metavar="FILE")
    options = parser.parse_args()
    if options.replay:
        from tests.fuzz.targets import TARGETS

        return replay(TARGETS[options.target], options.replay)
    with contextlib.suppress(KeyboardInterrupt):
        return run(options.target, f"-runs={options.runs} -seed=1" if options.runs else f"-max_total_time={options.seconds}")
    return 130
