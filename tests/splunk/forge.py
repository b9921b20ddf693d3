"""Starts search commands of an app by forking a Python that has loaded them all: a process each, as with splunkd, without each one's start-up.

Run by the driver, in the Python and the environment that the commands get: `forge.py BIN`, with a Unix socket as standard input. Each message is a
script's name with three descriptors (standard input, output, error) and one to which the exit code goes.
"""

from __future__ import annotations

import gc
import os
import runpy
import socket
import sys
from pathlib import Path


def main() -> None:
    """Load the commands, then start one for each message until the socket closes."""
    folder = Path(sys.argv[1])
    sys.path[0] = str(folder)
    for script in sorted(folder.glob("esatls_*.py")):
        runpy.run_path(str(script), run_name="loaded")
    gc.freeze()  # forked processes share what is loaded
    with socket.socket(fileno=0) as orders:
        while True:
            name, descriptors, _, _ = socket.recv_fds(orders, 1000, 4)
            if not name:
                return
            if os.fork() == 0:
                orders.close()
                _watch(folder / name.decode(), *descriptors)
                return
            for descriptor in descriptors:
                os.close(descriptor)
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _watch(script: Path, *descriptors: int) -> None:
    """Run a command in a process of its own, and tell how it ended."""
    *standard, told = descriptors
    child = os.fork()
    if child:
        for descriptor in standard:
            os.close(descriptor)
        status = os.waitpid(child, 0)[1]
        os.write(told, str(os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)).encode())
        os._exit(0)
    os.close(told)
    for number, descriptor in enumerate(standard):
        os.dup2(descriptor, number)
    os.closerange(3, 64)
    sys.stdin, sys.stdout, sys.stderr = (os.fdopen(number, mode, closefd=False) for number, mode in enumerate("rww"))
    sys.argv = [str(script)]
    runpy.run_path(str(script), run_name="__main__")


if __name__ == "__main__":
    main()
