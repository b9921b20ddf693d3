"""The command line, run within the test's own process: a process of its own costs a quarter of a second, and there are hundreds of runs.

It has its own standard streams (files, by their descriptors), environment and signal handlers for the time of the run. What it cannot show
are closed pipes and signals: the tests of these start `python -m esatls`.
"""

from __future__ import annotations

import contextlib
import gc
import io
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from typing import TYPE_CHECKING
from unittest import mock

from esatls.cli.commands import main

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


def run(*args: object, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[bytes]:
    """Run `esatls` with these arguments, and with `env` added to the environment; return its exit code and what it wrote."""
    words = [*map(str, args)]
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(stdin)
        given.seek(0)
        with mock.patch.object(sys, "argv", ["esatls", *words]), mock.patch.dict(os.environ, env or {}), _process(given.fileno(), out.fileno(), err.fileno()):
            code: object = 0
            try:
                main()
            except SystemExit as error:
                code = error.code or 0
        assert isinstance(code, int), code
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(["esatls", *words], code, out.read(), err.read())


def forked(*args: object, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[bytes]:
    """Do the same in a fork of this process: what the run leaves open ends with it."""
    words = [*map(str, args)]
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(stdin)
        given.seek(0)
        _, status = os.waitpid(fork(words, (given.fileno(), out.fileno(), err.fileno()), env or {}), 0)
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(["esatls", *words], os.waitstatus_to_exitcode(status), out.read(), err.read())


def fork(words: Sequence[str], streams: Sequence[int], env: Mapping[str, str]) -> int:
    """Start `esatls` in a fork of this process, with these descriptors as its standard streams; return the number of the process."""
    sys.stdout.flush()
    sys.stderr.flush()
    process = os.fork()
    if process:
        return process
    code: object = 70
    try:
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        os.environ.update(env)
        sys.argv = ["esatls", *words]
        sys.stdin, sys.stdout, sys.stderr = _opened()
        try:
            main()
        except SystemExit as ended:
            code = ended.code
        else:
            code = 0
        sys.stdout.flush()
    except BaseException:  # noqa: BLE001 - the process ends here, whatever it was
        traceback.print_exc()
    finally:
        os._exit(code if isinstance(code, int) else 0 if code is None else 1)


def _opened() -> list[io.TextIOWrapper]:
    """Return the standard streams, opened anew by their descriptors."""
    return [
        io.TextIOWrapper(open(number, mode, closefd=False), encoding="utf-8", errors=errors, write_through=number == 2)
        for number, (mode, errors) in enumerate((("rb", "strict"), ("wb", "strict"), ("wb", "backslashreplace")))
    ]


@contextlib.contextmanager
def _process(*streams: int) -> Iterator[None]:
    """Put standard input, output and error, signal handlers and the collector of garbage back as they were, when a run has changed them."""
    handlers = [(number, signal.getsignal(number)) for number in _SIGNALS]
    collects = gc.isenabled()
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(number) for number in range(3)]
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    opened = _opened()
    try:
        with mock.patch.object(sys, "stdin", opened[0]), mock.patch.object(sys, "stdout", opened[1]), mock.patch.object(sys, "stderr", opened[2]):
            yield
    finally:
        for file in opened:
            file.close()
        for number, descriptor in enumerate(kept):
            os.dup2(descriptor, number)
            os.close(descriptor)
        for number, handler in handlers:
            signal.signal(number, handler)
        if collects:
            gc.enable()
