"""Runs a search command as splunkd does: with the chunked protocol, version 2, over the standard streams of a separate process.

`stream()` and `report()` play the parts of a search: which fields splunkd sends, what it merges back, the map phase on several indexers
and the reduce phase on the search head. The behaviour of splunkd is taken from public traces of real searches:

* a request is `chunked 1.0,<bytes of metadata>,<bytes of body>`, JSON, CSV; lines end with a line feed; the fields come first, then their
  `__mv_` columns; every chunk gets exactly one reply;
* getinfo comes first; then chunks, some with a header but no rows, and in the end one without rows that says `finished`;
* a streaming command that names `required_fields` gets only these and `_chunked_idx`, and its rows are merged into the events by that
  number; one that names none gets all fields, and its rows replace the events;
* a reporting command gets only its `required_fields`; its `streaming_preop` runs on the indexers as a streaming command.

Last compared with: those traces, and the protocol of the Splunk SDK that the package pins, which answers it in each test; never with our
own splunkd. The workflow `servers` runs the commands in a real one (tests/servers/splunk.py).
"""

from __future__ import annotations

import atexit
import csv
import functools
import io
import json
import os
import re
import select
import shlex
import socket
import subprocess
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Union

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

csv.field_size_limit(1 << 30)

CHUNK_ROWS = 50_000
Value = Union[str, "list[str]"]
Row = "dict[str, Value]"
HEADER = re.compile(rb"chunked 1\.0,(\d+),(\d+)\n")


class ProtocolError(Exception):
    """The command broke the protocol."""


@dataclass
class Reply:
    """One reply of a command: its metadata and its rows."""

    metadata: dict[str, Any]
    columns: list[str]
    rows: list[dict[str, Value]]
    body: bytes

    @property
    def messages(self) -> list[tuple[str, str]]:
        """The job messages: (level, text)."""
        return [(level, text) for level, text in self.metadata.get("inspector", {}).get("messages", [])]


@dataclass
class Result:
    """The result of a search: rows as a user sees them, without empty fields, and the job's messages."""

    rows: list[dict[str, Value]] = field(default_factory=list)
    messages: list[tuple[str, str]] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)


def unexpected(messages: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return job messages except the warning about ids that two peers had at once, which some scenarios and simulated traffic cause."""
    return [message for message in messages if "several appliances under one name" not in message[1]]


def quote(cell: str) -> str:
    """Return a CSV cell as splunkd writes it: without quotes only if it is alphanumeric or empty."""
    return cell if (cell.isascii() and cell.isalnum()) or not cell else '"' + cell.replace('"', '""') + '"'


def encode(rows: Sequence[dict[str, Value]], columns: Sequence[str]) -> bytes:
    """Return rows as the CSV body of a request; a list becomes a multi-valued field."""
    if not columns:
        return b""
    lines = [",".join(quote(name) for name in [*columns, *("__mv_" + name for name in columns)])]
    for row in rows:
        plain, multi = [], []
        for name in columns:
            value = row.get(name, "")
            if isinstance(value, list):
                plain.append(quote("\n".join(value)))
                multi.append(quote(";".join("$" + v.replace("$", "$$") + "$" for v in value)))
            else:
                plain.append(quote(value))
                multi.append("")
        lines.append(",".join(plain + multi))
    return ("\n".join(lines) + "\n").encode()


def decode(body: bytes) -> tuple[list[str], list[dict[str, Value]]]:
    """Return the columns and rows of a reply."""
    if not body:
        return [], []
    columns = next(csv.reader(io.StringIO(body[: body.index(b"\n")].decode("utf-8"), newline="")))
    return [name for name in columns if not name.startswith("__mv_")], list(rows_of(body))


_NUL = "\U0010fffd"


def rows_of(body: bytes) -> Iterator[dict[str, Value]]:
    """Yield the rows of a reply without empty fields, as Splunk does; a filled `__mv_` column takes precedence over the plain one."""
    # before Python 3.11, csv cannot read NUL: replace it by a character that no test writes
    reader = csv.reader(io.StringIO(body.decode("utf-8").replace("\0", _NUL), newline=""), strict=True)
    columns = next(reader)
    if len(set(columns)) != len(columns):
        raise ProtocolError(f"a column stands twice: {sorted(name for name in columns if columns.count(name) > 1)}")
    for read in reader:
        cells = [cell.replace(_NUL, "\0") for cell in read]
        if len(cells) != len(columns):
            raise ProtocolError(f"a row has {len(cells)} cells under {len(columns)} columns")
        row: dict[str, Value] = {}
        for name, cell in zip(columns, cells):
            if not cell:
                continue
            if name.startswith("__mv_"):
                row[name[5:]] = [value.replace("$$", "$") for value in re.findall(r"\$((?:\$\$|[^$])*)\$(?:;|$)", cell)]
            else:
                row.setdefault(name, cell)
        yield row


def _environment(app: Path) -> dict[str, str]:
    """Return an environment as small as splunkd's."""
    return {"PATH": os.environ["PATH"], "SPLUNK_HOME": str(app.parent), "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}


class Forge:
    """A Python process that has loaded the commands of an app, and forks one for each request (`forge.py`)."""

    def __init__(self, python: str, app: Path) -> None:
        """Start the process."""
        self.socket, other = socket.socketpair()
        command = [python, str(Path(__file__).with_name("forge.py")), str(app / "bin")]
        with other:
            self.process = subprocess.Popen(command, stdin=other.fileno(), cwd=app / "bin", env=_environment(app))
        atexit.register(self.end)

    def end(self) -> None:
        """End the process."""
        self.socket.close()
        self.process.wait(timeout=60)


_forge = functools.cache(Forge)


class Forked:
    """A process that a forge has forked, with the parts of `subprocess.Popen` that the driver uses."""

    def __init__(self, forge: Forge, script: str, errors: IO[bytes]) -> None:
        """Start the process."""
        ends = [os.pipe() for _ in range(3)]
        (stdin, self_in), (self_out, stdout), (status, told) = ends
        socket.send_fds(forge.socket, [script.encode()], [stdin, stdout, errors.fileno(), told])
        for descriptor in (stdin, stdout, told):
            os.close(descriptor)
        self.stdin: IO[bytes] = os.fdopen(self_in, "wb")
        self.stdout: IO[bytes] = os.fdopen(self_out, "rb")
        self._status: IO[bytes] = os.fdopen(status, "rb")

    def wait(self, timeout: float) -> int:
        """Return the exit code, negative for a signal. Raises `subprocess.TimeoutExpired` after `timeout` seconds."""
        if not select.select([self._status], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired("a forked command", timeout)
        with self._status as status:
            return int(status.read())


class Command:
    """One process of a search command. Use it as a context manager; the process must end with code 0 when its input ends."""

    def __init__(self, python: str, app: Path, script: str, dispatch: Path | None = None, *, fresh: bool = False) -> None:
        """Start `script` of the app's bin folder with a Python; `fresh` starts a new Python for it, which takes a fifth of a second."""
        self.dispatch = Path(dispatch or tempfile.gettempdir())
        self.errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed in end()
        self.process: subprocess.Popen[bytes] | Forked
        if fresh or not hasattr(os, "fork"):
            command = [python, str(app / "bin" / script)]
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, cwd=app / "bin", env=_environment(app))
        else:
            self.process = Forked(_forge(python, app), script, self.errors)

    def __enter__(self) -> Command:  # noqa: PYI034 - typing.Self is younger than Python 3.9
        """Return the running command."""
        return self

    def end(self) -> tuple[int, bytes, str]:
        """Close its input; return its exit code, what it still writes, and its standard error."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        rest = self.process.stdout.read()
        self.process.stdout.close()
        code = self.process.wait(timeout=60)
        self.errors.seek(0)
        errors = self.errors.read().decode(errors="replace")
        self.errors.close()
        return code, rest, errors

    def __exit__(self, kind: object, *_: object) -> None:
        """End it. Raises `ProtocolError` if it ends with an error or writes anything more."""
        code, rest, errors = self.end()
        if kind is None and (code or rest or errors):
            raise ProtocolError(f"the command ended with code {code}, {len(rest)} bytes too many and on standard error: {errors}")

    def ask(self, metadata: dict[str, Any], body: bytes = b"", *, parse: bool = True) -> Reply:
        """Send one request, and return the reply to it; without `parse`, the rows are only in its body."""
        assert self.process.stdin
        assert self.process.stdout
        head = json.dumps(metadata, separators=(",", ":")).encode()
        self.process.stdin.write(b"chunked 1.0,%d,%d\n" % (len(head), len(body)) + head + body)
        self.process.stdin.flush()
        first = self.process.stdout.readline()
        found = HEADER.fullmatch(first)
        if not found:
            self.errors.seek(0)
            raise ProtocolError(f"no reply but {first!r}; standard error: {self.errors.read().decode(errors='replace')}")
        answer = self.process.stdout.read(int(found.group(1)))
        content = self.process.stdout.read(int(found.group(2)))
        columns, rows = decode(content) if parse else ([], [])
        return Reply(json.loads(answer) if answer else {}, columns, rows, content)

    def getinfo(self, name: str, arguments: Sequence[str] = (), *, preview: bool = False, span: tuple[float, float] = (0, 0)) -> Reply:
        """Do the first exchange, in which the command states its type and the fields it needs. `span` is the search's time range, 0 for an open end."""
        search = f"| {name} {' '.join(arguments)}"
        info = {
            "args": list(arguments),
            "raw_args": list(arguments),
            "dispatch_dir": str(self.dispatch),
            "sid": "1764061830.1",
            "app": "search",
            "owner": "admin",
            "username": "admin",
            "session_key": "0",
            "splunkd_uri": "https://127.0.0.1:8089",
            "splunk_version": "9.4.0",
            "search": search,
            "command": name,
            "maxresultrows": CHUNK_ROWS,
            "earliest_time": str(span[0]),
            "latest_time": str(span[1]),
        }
        return self.ask({"action": "getinfo", "preview": preview, "streaming_command_will_restart": False, "searchinfo": info})

    def execute(self, rows: Sequence[dict[str, Value]], columns: Sequence[str], *, finished: bool) -> Reply:
        """Send rows, at most one chunk of them."""
        return self.ask({"action": "execute", "finished": finished}, encode(rows, columns) if rows else b"")


def columns_of(rows: Iterable[dict[str, Value]]) -> list[str]:
    """Return all field names of the rows, in the order of their first appearance."""
    names: dict[str, None] = {}
    for row in rows:
        names.update(dict.fromkeys(row))
    return list(names)


def parts(rows: Sequence[dict[str, Value]], size: int) -> Iterator[Sequence[dict[str, Value]]]:
    """Yield the rows in chunks."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


@dataclass
class Splunk:
    """A Splunk with this app: its Python, and the unpacked app."""

    python: str
    app: Path
    chunk_rows: int = CHUNK_ROWS
    fresh: bool = False
    """Whether each process is started with a new Python, not forked."""

    def command(self, name: str) -> Command:
        """Start a command by its name."""
        return Command(self.python, self.app, self.script(name), fresh=self.fresh)

    def script(self, name: str) -> str:
        """Return the file of a command, from the app's commands.conf."""
        text = (self.app / "default" / "commands.conf").read_text(encoding="utf-8")
        stanza = re.search(rf"^\[{re.escape(name)}\]$(.*?)(?=^\[|\Z)", text, re.MULTILINE | re.DOTALL)
        found = re.search(r"^filename = (\S+)$", stanza.group(1), re.MULTILINE) if stanza else None
        if not found:
            raise ProtocolError(f"commands.conf has no [{name}] with a filename")
        return found.group(1)

    def stream(self, name: str, events: Sequence[dict[str, Value]], arguments: Sequence[str] = ()) -> Result:
        """Run one process of a streaming command over the events."""
        with self.command(name) as command:
            told = command.getinfo(name, arguments)
            if told.metadata.get("type") != "streaming":
                raise ProtocolError(f"{name} calls itself {told.metadata.get('type')}, not streaming")
            result = Result(messages=told.messages)
            wanted: list[str] = told.metadata.get("required_fields") or []
            selected = bool(wanted) and "*" not in wanted
            columns = [*wanted, "_chunked_idx"] if selected else columns_of(events)
            done: Reply | None = None
            for chunk in parts(events, self.chunk_rows):
                numbered = [{**event, "_chunked_idx": str(n)} for n, event in enumerate(chunk)] if selected else chunk
                done = command.execute(numbered, [c for c in columns if c == "_chunked_idx" or any(c in e for e in chunk)], finished=False)
                self._take(result, done, chunk if selected else None)
            # splunkd sometimes sends chunks without rows, and always one in the end
            for finished in (False, True):
                self._take(result, command.execute([], [], finished=finished), None)
        return result

    @staticmethod
    def _take(result: Result, reply: Reply, events: Sequence[dict[str, Value]] | None) -> None:
        """Add a reply to the result, with its rows merged into their events."""
        result.messages += reply.messages
        result.columns = list(dict.fromkeys(result.columns + reply.columns))
        for row in reply.rows:
            if events is None:
                result.rows.append(row)
                continue
            number = row.pop("_chunked_idx", None)
            if not isinstance(number, str) or not number.isdigit() or int(number) >= len(events):
                raise ProtocolError(f"a row came back with _chunked_idx {number!r}")
            result.rows.append({**events[int(number)], **row})

    def report(
        self,
        name: str,
        events: Sequence[dict[str, Value]],
        arguments: Sequence[str] = (),
        *,
        indexers: int = 3,
        mapped: bool = True,
        preview: bool = False,
        span: tuple[float, float] = (0, 0),
    ) -> Result:
        """Run a reporting command: its map phase on each indexer's share of the events, unless `mapped` is false, then its reduce phase."""
        with self.command(name) as command:
            told = command.getinfo(name, arguments, preview=preview, span=span)
            if told.metadata.get("type") != "reporting":
                raise ProtocolError(f"{name} calls itself {told.metadata.get('type')}, not reporting")
            result = Result(messages=told.messages)
            rows = list(events)
            if mapped:
                mapper, *rest = shlex.split(told.metadata["streaming_preop"])
                rows = []
                for n in range(indexers):
                    share = self.stream(mapper, events[n::indexers], rest)
                    rows += share.rows
                    result.messages += share.messages
            wanted = told.metadata.get("required_fields")
            columns = [c for c in columns_of(rows) if not wanted or c in wanted]
            chunks = list(parts(rows, self.chunk_rows)) or [[]]
            for n, chunk in enumerate(chunks):
                self._take(result, command.execute(chunk, columns, finished=n == len(chunks) - 1), None)
        return result

    def search(self, name: str, events: Iterable[tuple[str, str, str]], *, indexers: int = 3) -> Iterator[dict[str, Value]]:
        """Yield the rows of a reporting command for any number of events (text, host, time) in little memory: maps and reduce run at the same time."""
        columns = ["_raw", "host", "_time", "source", "sourcetype"]
        head = encode([], columns)
        with ExitStack() as stack:
            reduce = stack.enter_context(self.command(name))
            mapper, *rest = shlex.split(reduce.getinfo(name).metadata["streaming_preop"])
            maps = [stack.enter_context(self.command(mapper)) for _ in range(indexers)]
            for one in maps:
                one.getinfo(mapper, rest)
            waiting: list[list[str]] = [[] for _ in maps]

            def send(number: int, *, finished: bool = False) -> None:
                body = head + ("\n".join(waiting[number]) + "\n").encode() if waiting[number] else b""
                waiting[number] = []
                reply = maps[number].ask({"action": "execute", "finished": finished}, body, parse=False)
                self._no_message(reply)
                facts = reply.body.decode().splitlines()[1:]
                if facts:
                    # a row of facts is one cell without line feeds
                    body = encode([], ["esatls_facts"]) + ("".join(f"{line},\n" for line in facts)).encode()
                    self._no_message(reduce.ask({"action": "execute", "finished": False}, body, parse=False))

            tail = f",{quote('/var/log/mail')},{quote('cisco:esa:textmail')}" + "," * len(columns)
            for number, (raw, host, time) in enumerate(events):
                text = raw.replace('"', '""')
                waiting[number % indexers].append(f'"{text}",{quote(host)},{quote(time)}{tail}')
                if len(waiting[number % indexers]) == self.chunk_rows:
                    send(number % indexers)
            for number in range(indexers):
                send(number)
                send(number, finished=True)
            reply = reduce.ask({"action": "execute", "finished": True}, parse=False)
            self._no_message(reply)
            if reply.body:
                yield from rows_of(reply.body)

    @staticmethod
    def _no_message(reply: Reply) -> None:
        messages = unexpected(reply.messages)
        if messages:
            raise ProtocolError(str(messages))
