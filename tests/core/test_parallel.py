"""Several processes, or one, that read a log: how far they have come, and how one of them fails."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest
from esatls import compiled, parallel
from esatls.errors import EsatlsError
from esatls.extraction.event_stream import Events
from esatls.extraction.stream import Counts
from esatls.lines.sources import Source
from esatls.parallel.processes import can_fork, receive, send, workers
from esatls.reading import prepare

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Iterator

LINE = "Tue Mar  3 10:00:02 2026 Info: MID {} ICID 5 From: <ann@example.com>\n"


@pytest.fixture(params=["pure", "core"])
def _either(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run with the compiled core, and without it."""
    monkeypatch.setenv("ESATLS_PURE", "1" if request.param == "pure" else "")
    compiled.module.cache_clear()
    if request.param == "core" and compiled.module() is None:
        pytest.skip("the compiled core is not installed")
    yield
    compiled.module.cache_clear()


@pytest.mark.usefixtures("_either")
@pytest.mark.parametrize("how", ["gather", "judge", "with a limit", "write events", "iterate events"])
def test_progress_goes_on_from_file_to_file(tmp_path: pathlib.Path, how: str) -> None:
    """What is shown grows up to the size of all files together."""
    files = [tmp_path / f"{name}.log" for name in "abc"]
    for number, file in enumerate(files):
        file.write_text("".join(map(LINE.format, range(number * 100, number * 100 + 100))))
    shown: list[int] = []
    options, progress = parallel.Options(memory=1 << 40 if how == "with a limit" else None), parallel.Progress()
    progress.show = shown.append
    given = [Source(str(file)) for file in files], options, pytest.fail, progress
    if how == "gather":
        parallel.gather(*given)
    elif how in ("judge", "with a limit"):
        parallel.whole(*given)
    elif how == "write events":
        parallel.write_events(given[0], Events, lambda _: b"", len, *given[1:])
    else:
        assert [*parallel.iterate_events(given[0], Events, *given[1:], Counts())] == []
    assert shown == [*itertools.accumulate(file.stat().st_size for file in files)]


def test_more_processes_than_can_be_counted_are_not_started() -> None:
    """Each process has a place of its own for its progress; a program may ask for any number of them."""
    found = [Source(str(number)) for number in range(1_000)]
    options, _ = prepare(found, None, None, None, jobs=len(found))
    for job in (0, options.jobs):
        parallel.Progress().meter(job)(1)
    assert options.jobs == 511


@pytest.mark.skipif(not can_fork(), reason="needs fork")
def test_no_process_is_started_for_nothing(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two files are read by two processes, however many there may be: a third might be ended before it has begun, and its traceback shown."""
    files = [tmp_path / name for name in "ab"]
    for file in files:
        file.write_text(LINE.format(1))
    forks, fork = list[int](), os.fork
    monkeypatch.setattr(os, "fork", lambda: (forks.append(1), fork())[1])  # type: ignore[func-returns-value]
    options, _ = prepare(found := [Source(str(file)) for file in files], None, None, None, jobs=9)
    assert parallel.write_events(found, Events, lambda _: b"", len, options, pytest.fail, parallel.Progress()) == Counts(2, 0, 2)
    assert len(forks) == 2


@pytest.mark.skipif(not can_fork(), reason="needs fork")
@pytest.mark.parametrize(
    ("error", "told"),
    [
        (EsatlsError("too large"), "too large"),
        (MemoryError(), "not enough memory"),
        (OSError(errno.EIO, "Input/output error", "mail.log"), "mail.log: Input/output error"),
    ],
)
def test_what_a_process_lacks_is_told_by_the_first(error: Exception, told: str, capfd: pytest.CaptureFixture[str]) -> None:
    """An error that a user can cause comes in one line, without a traceback."""

    def work(*_: Any) -> None:
        raise error

    with pytest.raises(EsatlsError, match=f"^{told}$"), workers(1, work) as (pipe,):
        receive(pipe.reading)
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(not can_fork(), reason="needs fork")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_a_new_process(number: signal.Signals, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """A process that gets a signal before it has begun does not do what the first one does then: remove the output, and end the others."""
    fork = os.fork

    def fork_with_signal() -> int:
        process = fork()
        if process == 0:
            os.kill(os.getpid(), number)
        return process

    monkeypatch.setattr(os, "fork", fork_with_signal)
    before = signal.signal(number, lambda *_: os.write(2, b"as the first"))
    try:
        with contextlib.suppress(EsatlsError), workers(1, lambda _, out, __: send(out, 1)) as (pipe,):
            receive(pipe.reading)
    finally:
        signal.signal(number, before)
    assert capfd.readouterr() == ("", "")
