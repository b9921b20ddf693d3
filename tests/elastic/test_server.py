"""The test server as it is started by hand."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from esatls.elastic.client import Client, ElasticError

from tests.elastic import corpus
from tests.elastic.server import QUICK, cannot_start

if TYPE_CHECKING:
    from pathlib import Path

needs_server = pytest.mark.skipif(cannot_start() is not None, reason=str(cannot_start()))
COMMAND = [sys.executable, str(corpus.ROOT / "tests" / "elastic")]


@needs_server
def test_it_serves_the_port_that_was_asked_for_until_it_is_told_to_end(tmp_path: Path) -> None:
    """It tells its address when it answers; after Ctrl-C nothing answers there, and its data are gone."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "TMPDIR": str(tmp_path), "JAVA_TOOL_OPTIONS": " ".join(QUICK)}
    with subprocess.Popen([*COMMAND, "--port", str(port)], stdout=subprocess.PIPE, text=True, env=environment) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == f"http://127.0.0.1:{port} (Ctrl-C ends it)\n"
            client = Client(f"http://127.0.0.1:{port}")
            assert client.request("GET", "/")["cluster_name"] == "esatls-test"
        finally:
            server.send_signal(signal.SIGINT)
        assert server.wait(60) == 0
    assert [path.name for path in tmp_path.glob("esatls-elastic-*")] == []
    with pytest.raises(ElasticError, match="connection refused"):
        client.request("GET", "/")


@needs_server
def test_a_port_that_is_taken_is_told_in_one_line() -> None:
    """It does not show another server as its own."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run([*COMMAND, "--port", str(port)], capture_output=True, text=True, check=False, timeout=600)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"port {port}: ")
    assert len(done.stderr.splitlines()) == 1
