"""Other processes and threads that do a share of the work, the messages between them, and how far they have come."""

from __future__ import annotations

import contextlib
import marshal
import mmap
import os
import select
import signal
import struct
import sys
import threading
from typing import IO, TYPE_CHECKING, Any, Callable, NamedTuple

from esatls.errors import ANTICIPATED, EsatlsError, in_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


_CELLS = 512
MOST_JOBS = _CELLS - 1
"""The most processes that can read beside the first one."""


class Progress:
    """Bytes read so far, shared by all processes; `show` is called now and then with the sum."""

    def __init__(self) -> None:
        self.show: Callable[[int], None] | None = None
        self.cells = mmap.mmap(-1, 8 * _CELLS)
        self.kept: object = None
        """What was read, so that it lives as long as this."""

    def tick(self) -> None:
        """Show the sum."""
        if self.show is not None:
            self.show(sum(struct.unpack_from(f"{_CELLS}q", self.cells)))

    def meter(self, job: int) -> Callable[[int], None]:
        """Return a function that is called with the bytes that one process has read since the last call."""
        done = 0

        def note(more: int) -> None:
            nonlocal done
            done += more
            struct.pack_into("q", self.cells, 8 * job, done)
            if job == 0:
                self.tick()

        return note


def can_fork() -> bool:
    """Tell whether this system can run several processes on one log."""
    return hasattr(os, "fork") and sys.platform != "darwin"


@contextlib.contextmanager
def threads(jobs: int, work: Callable[[int], None]) -> Iterator[None]:
    """Do some work in threads while the block runs. An error in one of them is raised at the end of the block."""
    failed: list[BaseException] = []

    def run(job: int) -> None:
        try:
            work(job)
        except BaseException as error:  # noqa: BLE001 - raised again below
            failed.append(error)

    running = [threading.Thread(target=run, args=(job + 1,), daemon=True) for job in range(jobs)]
    for thread in running:
        thread.start()
    yield
    for thread in running:
        thread.join()
    if failed:
        raise failed[0]


@contextlib.contextmanager
def workers(jobs: int, work: Callable[[int, IO[bytes], IO[bytes]], None]) -> Iterator[list[Pipe]]:
    """Run `work` in some processes, each with a number, a pipe to this one and a pipe from it. They end with the block."""
    sys.stdout.flush()
    sys.stderr.flush()
    children: list[int] = []
    pipes: list[Pipe] = []
    try:
        for job in range(jobs):
            up, down = os.pipe(), os.pipe()
            # a signal must not end a new process as if it were this one, which has an output to remove
            before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
            try:
                child = os.fork()
                if child == 0:
                    os.close(up[0])
                    os.close(down[1])
                    _child(job, work, up[1], down[0], before)
                children.append(child)
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
            os.close(up[1])
            os.close(down[0])
            pipes.append(Pipe(os.fdopen(up[0], "rb"), os.fdopen(down[1], "wb")))
        yield pipes
    finally:
        for pipe in pipes:
            pipe.reading.close()
            with contextlib.suppress(BrokenPipeError):
                pipe.writing.close()
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGTERM)
        for child in children:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child, 0)


class Pipe(NamedTuple):
    """The pipes from and to another process."""

    reading: IO[bytes]
    writing: IO[bytes]


def _child(job: int, work: Callable[[int, IO[bytes], IO[bytes]], None], writing: int, reading: int, signals: Iterable[int]) -> None:
    """Do the work of one process, and end it; `signals` are blocked in it as they are in its parent."""
    code = 1
    try:
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # the first process gets it too, and ends this one
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, signals)
        with os.fdopen(writing, "wb", buffering=1 << 20) as out, os.fdopen(reading, "rb") as told:
            try:
                work(job, out, told)
            except BrokenPipeError:
                raise
            except ANTICIPATED as error:
                send(out, in_words(error))
        code = 0
    except BrokenPipeError:
        code = 0
    except BaseException:  # noqa: BLE001 - a child must end here, whatever happened
        import traceback

        traceback.print_exc()
    finally:
        os._exit(code)


def send(out: IO[bytes], message: Any) -> None:
    """Send a message of plain values to another process."""
    data = marshal.dumps(message)
    out.write(struct.pack("q", len(data)))
    out.write(data)
    out.flush()


def receive(pipe: IO[bytes], progress: Progress | None = None) -> Any:
    """Return the next message of another process, and show the progress until it comes. A text is an error, which is raised here."""
    if progress is not None and progress.show is not None:
        while not select.select([pipe], [], [], 0.2)[0]:
            progress.tick()
    head = pipe.read(8)
    if len(head) < 8:
        raise EsatlsError("a worker process ended unexpectedly")
    data = pipe.read(struct.unpack("q", head)[0])
    message = marshal.loads(data)  # noqa: S302 - written by a process of our own
    if isinstance(message, str):
        raise EsatlsError(message)
    return message
