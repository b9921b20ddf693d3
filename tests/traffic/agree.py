"""Compares the truth about simulated traffic with what the command line, the Splunk commands and `esatls elastic join` find in its lines.

    python tests/traffic agree                                       # 100,000 messages, ten seeds, every envelope: hours
    python tests/traffic agree --messages 2000 --seeds 3,7 --envelopes native,syslog --engines cli

Each seed is generated and spoiled once, in one of ten ways (`modes.py`), and rendered in each envelope. Whole records are
compared: those of `esatls connections` and `esatls messages`, run as a user runs them, and the rows of
`esatlsconnections` and `esatlsmessages` of the built app, whose events come newest first to the maps of several
indexers. With `--engines join`, the lines go through the ingest pipeline of a search server, and the documents that a
join makes of them are compared; wrapped lines are left out, because a pipeline sees one line at a time. Each comparison
is one line of the results file, written when it is done; the next run leaves out what agrees according to that file.
The exit code is 1 if anything differs or has not been compared.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

import orjson

from tests import terminal
from tests.splunk import app as splunk_app

from .envelopes import ENVELOPES, file_head, wrapped
from .model import START
from .modes import Mode, Recorder, mode_of, spoiled
from .names import serial

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from esatls.elastic.client import Client

    from tests.elastic.server import Server
    from tests.splunk.driver import Splunk

    from .forms import Envelope
    from .world import Line

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / ".cache" / "traffic"
KINDS = ("connections", "messages")
SIDES = ("receiving", "delivery")
SHOWN = 20
SMALL = 30_000  # up to so many lines, a separate process costs more than it shows

Record = dict[str, Any]


class Task(NamedTuple):
    """One comparison, of which the table has a cell for each seed and envelope."""

    seed: int
    envelope: str
    engine: str


class Outcome(NamedTuple):
    """The result of one comparison."""

    records: int
    differences: int
    examples: list[str]


# ---- the traffic of a seed ----


class Corpus:
    """Lines and truth of one seed, in memory: about 2 GB for 100,000 messages."""

    def __init__(self, seed: int, messages: int, *, feed: str = "text", clock: bool = True) -> None:
        self.seed = seed
        self.feed = feed
        self.clock = clock
        self.mode: Mode = mode_of(seed)
        self.lines: list[tuple[int, Line]] = []
        """Each line with the life of the ids to which it belongs."""
        self.agreed: dict[tuple[Any, ...], int] = {}
        """Number of records in outputs that agree with the truth, by their digest and what they were compared with."""
        self._truth: dict[tuple[str, bool], list[tuple[Any, str]]] = {(kind, clock): [] for kind in KINDS for clock in (True, False)}
        recorder = Recorder(seed, messages, feed=feed, clock=clock)
        for line in spoiled(recorder, seed):
            self.lines.append(line)
            self._keep(recorder)
        self._keep(recorder)
        for records in self._truth.values():
            records.sort()

    def _keep(self, recorder: Recorder) -> None:
        """Keep the records that a simulation has handed out, as text: a seed has hundreds of thousands of them."""
        for life, timed, untimed in recorder.found:
            kind = "messages" if "mid" in timed else "connections"
            when = str(timed.get("opened") or timed.get("first_seen") or timed.get("closed") or "")
            for clock, record in ((True, timed), (False, untimed)):
                if record is None:
                    continue
                order = (0 if clock else life, *key_of(record), life, when)
                # as text, because orjson's bytes keep the whole buffer in which they were written
                self._truth[kind, clock].append((order, orjson.dumps([life, record]).decode()))
        recorder.found.clear()

    def truth(self, kind: str, *, clock: bool) -> Iterator[tuple[int, Record]]:
        """Yield the records in the order of appliance and id; for a log without times, life by life."""
        for _, text in self._truth[kind, clock]:
            life, record = orjson.loads(text)
            yield life, record


def key_of(record: Record) -> tuple[str, int, int]:
    """Return what a record is about: appliance, side, id."""
    side = record.get("esa_direction")
    number = record["mid"] if side is None else record["icid" if side == "receiving" else "dcid"]
    return record.get("esa_host", "").lower(), 0 if side is None else SIDES.index(side), number


# ---- the engines ----


def written(corpus: Corpus, envelope: Envelope) -> Callable[[Line], str]:
    """Return the function that writes a seed's lines in an envelope: as one line of text, or as several if the seed wraps them."""
    render, offset, wrap = envelope.render, corpus.mode.offset, corpus.mode.wrap

    def text_of(line: Line) -> str:
        text = render(line, offset)
        if not wrap or text.startswith("{"):
            return text
        # the envelope is never wrapped: nothing could be read after a break in it
        return "\n".join(wrapped((text,), max(wrap, len(text) - len(line.text) + 40)))

    return (lambda line: render(line, offset)) if not wrap or envelope.whole else text_of


def write_logs(corpus: Corpus, envelope: Envelope, folder: Path) -> list[tuple[int, str | None, list[Path]]]:
    """Write the log files that a user would have, and return what is read together: life, appliance to name on the command line, files.

    Files of a log that does not name its appliance are read separately for each appliance, and a log without times separately for each life of ids.
    """
    mode, text_of = corpus.mode, written(corpus, envelope)
    groups: dict[tuple[int, str], list[list[str]]] = {}
    for number, (at, line) in enumerate(corpus.lines):
        group = (0 if envelope.clock else at, "" if envelope.host else line.host.lower())
        if group not in groups:
            head = file_head(START, mode.offset) if mode.head and envelope.name == "native" else [envelope.head] if envelope.head else ()
            groups[group] = [[*head] for _ in range(mode.files)]
        # dealt to the files, not at random; each file keeps the order
        groups[group][(number * 7919 >> 3) % mode.files].append(text_of(line))
    logs = []
    for (life, host), files in sorted(groups.items()):
        paths = [folder / f"{life}-{host}-{part}.log" for part in range(mode.files)]
        for path, texts in zip(paths, files):
            path.write_bytes("".join([f"{text}\n" for text in texts]).encode())
        logs.append((life, host or None, paths))
    return logs


def cli_output(kind: str, corpus: Corpus, envelope: Envelope, logs: Sequence[tuple[int, str | None, list[Path]]]) -> Iterator[tuple[int, bytes]]:
    """Yield what the command line prints for each log, with the life of the ids in it."""
    mode = corpus.mode
    for life, host, paths in logs:
        small = len(corpus.lines) < SMALL
        command = [kind, "--format", "json", "--quiet", "--jobs", "1" if small else str(1 + corpus.seed % 2)]
        if host:
            command += ["--host", host]
        if not envelope.year:
            command += ["--year", "2024"]
        if not (mode.head and envelope.name == "native"):
            sign = "-" if mode.offset < 0 else "+"
            command += ["--timezone", f"{sign}{abs(mode.offset) // 3600:02}:{abs(mode.offset) % 3600 // 60:02}"]
        command += map(str, paths)
        if small:
            done = terminal.run(*command)
        else:
            variables = {**os.environ, "PYTHONPATH": str(ROOT / "python")}
            done = subprocess.run([sys.executable, "-m", "esatls", *command], stdout=subprocess.PIPE, env=variables, check=False)
        if done.returncode:
            raise RuntimeError(f"esatls {' '.join(command)} ended with code {done.returncode}")
        yield life, done.stdout


def splunk_events(corpus: Corpus, envelope: Envelope) -> Iterator[tuple[str, str, str]]:
    """Yield the events as an index returns them, newest first: text, host, time. Splunk knows the host from the forwarder's input."""
    fraction, text_of = envelope.fraction, written(corpus, envelope)
    for _, line in reversed(corpus.lines):
        host = "collector.example.com" if envelope.host else line.host
        yield text_of(line), host, f"{line.time}{fraction}"


NUMBERS = frozenset(("icid", "dcid", "mid", "parent_mid", "received_from_mid", "messages", "peer_port"))
LISTS = frozenset(("recipients", "witness", "received_witness"))
FLAGS = frozenset(("finished", "tls_required"))


def record_of(row: dict[str, Any]) -> Record:
    """Return the record from which a row of Splunk was made."""
    record: Record = {}
    for name, value in row.items():
        if name == "deliveries":
            record[name] = [json.loads(text) for text in ([value] if isinstance(value, str) else value)]
        elif name in NUMBERS:
            record[name] = int(value)
        elif name in FLAGS:
            record[name] = value == "true"
        elif name in LISTS:
            record[name] = [value] if isinstance(value, str) else value
        elif name not in {"_time", "host", "mail"} and not name.startswith("delivery_"):
            record[name] = value
    if "mid" in record:
        record.setdefault("deliveries", [])
    return record


def splunk_records(kind: str, corpus: Corpus, envelope: Envelope, splunk: Splunk) -> Iterator[tuple[int, Record]]:
    """Yield the records that the search command returns."""
    for row in splunk.search(f"esatls{kind}", splunk_events(corpus, envelope)):
        yield 0, record_of(row)


def joined(corpus: Corpus, envelope: Envelope, client: Client) -> tuple[dict[str, list[str]], str]:
    """Return the documents that a join makes on a search server, by kind, and the year that it assumes for stamps without one."""
    from esatls.elastic.join import join

    from tests.elastic import store

    store.reset(client)
    text_of = written(corpus, envelope)
    by_host: dict[str | None, list[str]] = {}
    for _, line in corpus.lines:
        by_host.setdefault(None if envelope.host else line.host, []).append(text_of(line))
    for host, texts in by_host.items():
        store.index_lines(client, texts, host=host)
    join(client)
    found = {kind: [_lowered(document) for document in store.every_document(client, f"logs-esatls.{kind}-*")] for kind in KINDS}
    return found, time.strftime("%Y", time.gmtime())


def _lowered(document: Record) -> str:
    """Return a document as text, with the appliance's name in lower case."""
    host = document["observer"].get("hostname")
    return json.dumps({**document, "observer": {**document["observer"], "hostname": host.lower()}} if host else document, sort_keys=True)


def compare_documents(truth: Iterator[tuple[int, Record]], found: list[str], kind: str, year: str | None) -> Outcome:
    """Compare whole documents of connections or messages; `year` is the year of stamps without one."""
    from esatls.elastic.documents import connection_document, message_document

    document_of = connection_document if kind == "connections" else message_document
    records = (record for _, record in truth)
    texts = (json.dumps(record) for record in records)
    wanted = Counter(_lowered(document_of(json.loads(text if year is None else text.replace('"2024-', f'"{year}-')))) for text in texts)
    have = Counter(found)
    missing, more = wanted - have, have - wanted
    examples = [f"truth {text}" for text in sorted(missing)[:SHOWN]] + [f"found {text}" for text in sorted(more)[:SHOWN]]
    return Outcome(sum(wanted.values()), max(sum(missing.values()), sum(more.values())), examples)


# ---- the comparison ----


def _one_space(value: Any) -> Any:
    if isinstance(value, str):
        return " ".join(value.split())
    if isinstance(value, list):
        return [_one_space(item) for item in value]
    return {name: _one_space(item) for name, item in value.items()} if isinstance(value, dict) else value


def compare(truth: Iterator[tuple[int, Record]], found: Iterator[tuple[int, Record]], *, loose: bool = False, ordered: bool = True) -> Outcome:
    """Compare records id by id, both in the order of ids.

    With `loose`, runs of spaces count as one, because wrapping changes them; without `ordered`, recipients may come in any order.
    """
    count = differences = 0
    examples: list[str] = []

    def spelled(record: Record) -> Record:
        # the name of an appliance may be in capitals
        host, recipients = record.get("esa_host"), record.get("recipients")
        record = {**record, "esa_host": host.lower()} if host else record
        # consolidated events have no order
        record = {**record, "recipients": sorted(recipients)} if recipients and not ordered else record
        return _one_space(record) if loose else record

    def grouped(records: Iterator[tuple[int, Record]]) -> Iterator[tuple[tuple[int, tuple[str, int, int]], list[Record]]]:
        for key, group in groupby(records, key=lambda item: (item[0], key_of(item[1]))):
            yield key, [spelled(record) for _, record in group]

    left, right = grouped(truth), grouped(found)
    one, other = next(left, None), next(right, None)
    while one or other:
        want: list[Record] = []
        have: list[Record] = []
        first = min(item[0] for item in (one, other) if item)
        if one and one[0] == first:
            want = one[1]
            one = next(left, None)
        if other and other[0] == first:
            have = other[1]
            other = next(right, None)
        count += len(want)
        if want != have:
            differences += 1
            if len(examples) < SHOWN:
                examples.append(f"{first}\n  truth {json.dumps(want)}\n  found {json.dumps(have)}")
    return Outcome(count, differences, examples)


def at_fraction(records: Iterator[tuple[int, Record]], fraction: str) -> Iterator[tuple[int, Record]]:
    """Yield the records with the fraction of a second that their stamps have."""
    for life, record in records:
        for timed in (record, *record.get("deliveries", ())):
            for name in {"opened", "closed", "first_seen", "last_seen", "time"} & timed.keys():
                timed[name] = f"{timed[name][:-1]}{fraction}Z"
        yield life, record


def named(records: Iterator[tuple[int, Record]], envelope: Envelope, hosts: int) -> Iterator[tuple[int, Record]]:
    """Yield the records with the appliance as an envelope names it: behind a collector, by serial number if there are several appliances."""
    for life, record in records:
        if envelope.collector is not None:
            record["esa_host"] = serial(record["esa_host"]) if hosts > 1 else envelope.collector
        yield life, {name: value for name, value in record.items() if value != ""}


def run(task: Task, corpus: Corpus, splunk: Splunk | None, work: Path, client: Client | None = None) -> Outcome:
    """Run one comparison."""
    envelope = ENVELOPES[task.envelope]
    clock = envelope.clock or task.engine != "cli"  # Splunk gives a time to events without a stamp
    fraction, loose = envelope.fraction, bool(corpus.mode.wrap)

    def outcome_of(kind: str, found: Iterator[tuple[int, Record]]) -> Outcome:
        truth = named(at_fraction(corpus.truth(kind, clock=clock), fraction), envelope, corpus.mode.hosts)
        return compare(((0, record) for _, record in truth) if clock else truth, found, loose=loose, ordered=envelope.feed == "text")

    if client:
        documents, year = joined(corpus, envelope, client)
        outcomes = [
            compare_documents(
                named(at_fraction(corpus.truth(kind, clock=True), fraction), envelope, corpus.mode.hosts),
                documents[kind],
                kind,
                None if envelope.year else year,
            )
            for kind in KINDS
        ]
    elif splunk:
        outcomes = [outcome_of(kind, splunk_records(kind, corpus, envelope, splunk)) for kind in KINDS]
    else:
        outcomes = []
        with tempfile.TemporaryDirectory(dir=work) as folder:
            logs = write_logs(corpus, envelope, Path(folder))
            for kind in KINDS:
                answers = list(cli_output(kind, corpus, envelope, logs))
                # if another envelope gave the same bytes, they need not be compared again
                digest = hashlib.sha256(b"".join(b"%d %d\n%b" % (life, len(text), text) for life, text in answers)).digest()
                same = (kind, clock, fraction, digest)
                if same in corpus.agreed:
                    outcomes.append(Outcome(corpus.agreed[same], 0, []))
                    continue
                outcome = outcome_of(kind, ((life, orjson.loads(line)) for life, text in answers for line in text.splitlines()))
                outcomes.append(outcome)
                if not outcome.differences:
                    corpus.agreed[same] = outcome.records
    return Outcome(
        sum(outcome.records for outcome in outcomes),
        sum(outcome.differences for outcome in outcomes),
        [example for outcome in outcomes for example in outcome.examples],
    )


# ---- results ----

RESULT = re.compile(r"messages (\d+) seed (\d+) envelope (\w+) engine (\w+) records (\d+) differences (\d+) .*")


def results(path: Path, messages: int) -> dict[Task, tuple[int, int]]:
    """Return the contents of a results file: task -> records, differences; the last line of a task counts."""
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        match = RESULT.fullmatch(line)
        if match and int(match[1]) == messages:
            found[Task(int(match[2]), match[3], match[4])] = (int(match[5]), int(match[6]))
    return found


def table(done: dict[Task, tuple[int, int]], seeds: Sequence[int], envelopes: Sequence[str], engines: Sequence[str]) -> str:
    """Return a table of envelopes by seeds, with the differences of all engines together; `-` if one of them has not run."""
    width = max(map(len, envelopes))
    lines = [f"{'':{width}}" + "".join(f"{seed:>7}" for seed in seeds)]
    for envelope in envelopes:
        cells = []
        for seed in seeds:
            tasks = [Task(seed, envelope, engine) for engine in engines]
            cells.append(str(sum(done[task][1] for task in tasks)) if all(task in done for task in tasks) else "-")
        lines.append(f"{envelope:{width}}" + "".join(f"{cell:>7}" for cell in cells))
    counts: Counter[str] = Counter()
    for task, (records, differences) in done.items():
        counts.update({"records": records, "differences": differences, task.engine: 1})
    runs = ", ".join(f"{counts[engine]} of {len(seeds) * len(envelopes)} runs of {engine}" for engine in engines)
    lines += ["", f"{counts['records']} records compared in {runs}: {counts['differences']} differences"]
    lines += [f"seed {seed}: {mode_of(seed).name}" for seed in seeds]
    return "\n".join(lines)


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def _names(known: Iterable[str]) -> Any:
    def names(text: str) -> list[str]:
        found = text.split(",")
        for name in found:
            if name not in known:
                raise argparse.ArgumentTypeError(name)
        return found

    return names


def main(argv: Sequence[str] | None = None) -> int:
    """Run what the arguments ask for, and return the exit code."""
    parser = argparse.ArgumentParser(prog="traffic agree", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--seeds", type=_numbers, default=list(range(1, 11)), metavar="1,2,...")
    parser.add_argument("--envelopes", type=_names(ENVELOPES), default=list(ENVELOPES), metavar="NAME,...")
    parser.add_argument("--engines", type=_names(("cli", "splunk", "join")), default=["cli", "splunk"], metavar="cli,splunk,join")
    parser.add_argument("--work", type=Path, default=WORK, help="folder for logs and the app; default: .cache/traffic")
    parser.add_argument("--results", type=Path, help="file of results; default: agree.txt in the work folder")
    parser.add_argument("--table", action="store_true", help="only print what the results file says")
    arguments = parser.parse_args(argv)
    path: Path = arguments.results or arguments.work / "agree.txt"
    seeds, envelopes, engines = arguments.seeds, arguments.envelopes, arguments.engines
    if not arguments.table:
        _work([Task(seed, envelope, engine) for seed in seeds for envelope in envelopes for engine in engines], arguments, path)
    tasks = {Task(seed, envelope, engine) for seed in seeds for envelope in envelopes for engine in engines}
    done = {task: counts for task, counts in results(path, arguments.messages).items() if task in tasks}
    sys.stdout.write(table(done, seeds, envelopes, engines) + "\n")
    return int(len(done) < len(tasks) or any(differences for _, differences in done.values()))


def _work(tasks: list[Task], arguments: argparse.Namespace, path: Path) -> None:
    """Run the comparisons that are missing or differed, and write each result as soon as it is known."""
    arguments.work.mkdir(parents=True, exist_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    done = results(path, arguments.messages)
    splunks: dict[str, Splunk] = {}
    if "splunk" in arguments.engines:
        splunks = splunk_app.installed(arguments.work / "app")
        if not splunks:
            raise SystemExit("none of the Pythons that Splunk runs is here: run with --engines cli")
    corpus = None
    server: Server | None = None
    for task in tasks:
        if (task in done and not done[task][1]) or (task.engine == "join" and mode_of(task.seed).wrap):
            continue
        began = time.perf_counter()
        feed, clock = ENVELOPES[task.envelope].feed, ENVELOPES[task.envelope].clock
        if corpus is None or (corpus.seed, corpus.feed, corpus.clock) != (task.seed, feed, clock):
            corpus = None  # there is memory for only one
            corpus = Corpus(task.seed, arguments.messages, feed=feed, clock=clock)
        splunk = list(splunks.values())[task.seed % len(splunks)] if task.engine == "splunk" else None
        if task.engine == "join" and server is None:
            server = _server()
        outcome = run(task, corpus, splunk, arguments.work, server.client if server and task.engine == "join" else None)
        with path.open("a", encoding="utf-8") as file:
            file.write(
                f"messages {arguments.messages} seed {task.seed} envelope {task.envelope} engine {task.engine} "
                f"records {outcome.records} differences {outcome.differences} seconds {time.perf_counter() - began:.0f}\n"
            )
            file.writelines(f"  {example}\n" for example in outcome.examples)
    if server is not None:
        server.stop()


def _server() -> Server:
    """Return a search server with templates and pipelines."""
    from esatls.elastic import setup

    from tests.elastic.server import Server

    server = Server(quick=False)
    for step in setup.server_steps(setup.capabilities(server.client)):
        setup.perform(step, server.client)
    return server
