"""A real search server for the tests: OpenSearch, started from the jars that ``setup.sh`` fetched.

It has what the ingest pipeline, the templates and the dashboards' queries need: grok on Joni, Painless, data streams,
index templates and aggregations. It is not Elasticsearch; what it lacks, and how the tests deal with it, is in ``README.md`` here.

``python tests/elastic --port 9200`` starts one for trying by hand.
"""

from __future__ import annotations

import argparse
import atexit
import functools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from esatls.elastic.client import Client, ElasticError

HERE = Path(__file__).resolve().parent
LIB = HERE.parents[1] / ".cache" / "elastic" / "lib"
START_SECONDS = 300
QUICK = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData")
"""For a Java that runs a minute: compiling well costs it more than it brings."""


class Server:
    """A server of one node on a port of the loopback address (0: a free one); ``stop`` ends it and removes its data."""

    def __init__(self, port: int = 0, *, quick: bool = True, heap: str = "512m") -> None:
        """Fetch the jars if they are missing, start the node and wait until it answers; one that is to be measured or to stay is not `quick`."""
        subprocess.run([str(HERE / "setup.sh")], check=True, timeout=600)
        with socket.socket() as free:
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            free.bind(("127.0.0.1", port))
            port = free.getsockname()[1]
        self.home = Path(tempfile.mkdtemp(prefix="esatls-elastic-"))
        self._log = (self.home / "out.log").open("wb")
        options = (*(QUICK if quick else ()), f"-Xms{heap}", f"-Xmx{heap}")
        self._process = subprocess.Popen(
            ["java", *options, "-cp", f"{LIB}/*", str(HERE / "server" / "Server.java"), str(self.home), str(port)],
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self.client = Client(f"http://127.0.0.1:{port}")
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            try:
                self.client.request("GET", "/_cluster/health?wait_for_status=yellow&timeout=20s")
            except ElasticError:  # noqa: PERF203 (the loop is a wait)
                if self._process.poll() is not None:
                    break
                time.sleep(0.05)
            else:
                return
        log = (self.home / "out.log").read_text(errors="replace")[-4000:]
        raise RuntimeError(f"the search server did not start:\n{log}")

    def wait(self) -> None:
        """Wait until the node has ended by itself."""
        self._process.wait()

    def processor_seconds(self) -> float:
        """Return the seconds of processor that the node has used (Linux)."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        """End the node and remove what it wrote."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()
        shutil.rmtree(self.home, ignore_errors=True)


@functools.cache
def shared() -> Server:
    """Return the server of this process, started when it is first asked for, and ended with the process."""
    server = Server()
    atexit.register(server.stop)
    return server


def cannot_start() -> str | None:
    """Return why no server can be started here; None where one can."""
    return None if shutil.which("java") and shutil.which("mvn") else "the search server needs Java 17 or later, and Maven"


def main() -> int:
    """Start a server, tell its address, and end it with Ctrl-C."""
    description = "Start a search server for trying by hand; Ctrl-C ends it and removes its data."
    parser = argparse.ArgumentParser(prog="python tests/elastic", description=description)
    parser.add_argument("--port", type=int, default=0, help="Port of the loopback address. Default: a free one.")
    port = parser.parse_args().port
    missing = cannot_start()
    if missing:
        sys.stderr.write(f"{missing}\n")
        return 1
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        server = Server(port, quick=False)
        try:
            sys.stdout.write(f"{server.client.url} (Ctrl-C ends it)\n")
            sys.stdout.flush()
            server.wait()
        finally:
            server.stop()
    except KeyboardInterrupt:
        return 0
    except (OSError, OverflowError, RuntimeError) as error:
        sys.stderr.write(f"port {port}: {error}\n")
        return 1
    sys.stderr.write("the search server has ended by itself\n")
    return 1
