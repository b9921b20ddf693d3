"""The command line's manners: narrow terminals, full disks, files of a wrong kind, completion, manual pages, help."""

from __future__ import annotations

import io
import os
import pathlib
import pty
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import click
import pytest
from esatls.cli.commands import cli
from esatls.cli.std_streams import stand_in

from tests import terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = pathlib.Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "python" / "esatls" / "sample.log"


def shown(width: int, *args: object) -> list[str]:
    """Return the lines that a command prints on a terminal of a width, without colours."""
    reader, other = pty.openpty()
    with open(os.devnull, "r+b") as null:
        streams = (null.fileno(), other, null.fileno())
        process = terminal.fork([*map(str, args)], streams, {"COLUMNS": str(width), "TERM": "xterm", "NO_COLOR": "1"})
    os.close(other)
    data = b""
    while True:
        try:
            more = os.read(reader, 65536)
        except OSError:
            break
        if not more:
            break
        data += more
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) in (0, 1)  # `check` finds something
    os.close(reader)
    return re.sub(r"\x1b\[[0-9;]*m", "", data.decode()).replace("\r\n", "\n").splitlines()


def test_a_terminal_without_all_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a terminal's encoding does not have is shown as an escape, and the rest as it is."""
    told = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(told, encoding="latin-1", write_through=True))
    stand_in()
    click.echo("subject: Gr\u00fc\u00dfe \u65e5")
    assert told.getvalue() == b"subject: Gr\xfc\xdfe \\u65e5\n"


@pytest.mark.parametrize("width", [80, 107, 120, 130, 200])
@pytest.mark.parametrize("command", [("messages",), ("connections",), ("events",), ("check", "--partners", "LIST"), ("report",)])
def test_words_stay_whole(tmp_path: pathlib.Path, command: tuple[str, ...], width: int) -> None:
    """On a terminal of any width no line is wider, and every word of a wide table is there, whole."""
    (tmp_path / "list.csv").write_text("domain,direction\npartner.example,both\nold.example.net,both\n", encoding="utf-8")
    words = [str(tmp_path / "list.csv") if word == "LIST" else word for word in command]
    form = [] if command[0] == "report" else ["-f", "table"]
    wide, narrow = (shown(columns, *words, "-q", *form, SAMPLE) for columns in (1000, width))
    assert max(map(len, narrow)) <= width
    if command[0] != "report":  # which parts its tables
        assert {word for line in wide for word in line.split()} <= {word for line in narrow for word in line.split()}


@pytest.mark.parametrize("width", [80, 120, 200])
@pytest.mark.parametrize("command", [("trace", "-q", "7003", str(SAMPLE)), ("explain", "Info: ICID 5 TLS failed: x"), ("config",), ("completion", "bash")])
def test_what_is_copied_is_never_wrapped(command: tuple[str, ...], width: int) -> None:
    """Lines of the log, patterns, paths and scripts are the same on a terminal of any width, so that they can be copied and searched."""
    assert shown(width, *command) == shown(1000, *command) != []


@pytest.mark.parametrize("width", [80, 120, 200])
def test_help_fits(width: int) -> None:
    """The help of no command is wider than the terminal."""
    for path, _ in commands(("esatls",), cli):
        lines = shown(width, *path[1:], "--help")
        assert lines[0].startswith("Usage: esatls")
        choices = [line for line in lines if len(line) > width]
        assert [line for line in choices if not re.search(r"\[\S+\|\S+\]", line)] == []  # a list of choices is one word


def test_a_narrow_terminal_gets_a_line_per_value() -> None:
    """Where not even the longest words fit beside each other, each message stands on lines of its own."""
    assert shown(60, "messages", "-q", "-f", "table", "--mid", "7003", SAMPLE) == [
        "time        2026-03-03T08:14:20Z",
        "mid         7003",
        "sender      bob@example.com",
        "recipients  anna@partner.example, info@old.example.net",
        "received    encrypted TLSv1.2",
        "delivered   mixed TLSv1.2",
        "why         STARTTLS unexpected response",
        "",
    ]


def test_a_table_in_a_file_is_whole(tmp_path: pathlib.Path) -> None:
    """Where a table is not for a terminal, it is as wide as its longest cell: a message to very many people cuts off no other column."""
    recipients = [f"somebody-{number}@example.com" for number in range(900)]
    lines = ["Start MID 7 ICID 5", "ICID 5 TLS failed: x", *(f"MID 7 ICID 5 RID {number} To: <{one}>" for number, one in enumerate(recipients))]
    (tmp_path / "mail.log").write_text("".join(f"Tue Mar  3 09:00:0{min(at, 1)} 2026 Info: {line}\n" for at, line in enumerate(lines)), encoding="utf-8")
    done = terminal.run("messages", "-q", "-f", "table", tmp_path / "mail.log")
    width = len(", ".join(recipients))
    assert done.stdout.decode().splitlines() == [
        f"time                  mid  {'recipients':<{width}}  received  delivered",
        f"2026-03-03T09:00:00Z  7    {', '.join(recipients)}  unknown   none     ",
    ]


@pytest.mark.parametrize("name", ["out.pdf", "out.xlsx", "out.html.gz", "out.log"])
@pytest.mark.parametrize("command", ["messages", "connections", "events", "report", "trace", "follow"])
def test_a_file_of_another_kind(tmp_path: pathlib.Path, command: str, name: str) -> None:
    """A name whose ending is no format is refused before anything is read, and no file is made."""
    words = ["7003"] if command == "trace" else ["--once"] if command == "follow" else []
    done = terminal.run(command, *words, "-o", tmp_path / name, SAMPLE)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode().startswith(f"esatls: {tmp_path / name}: ")
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_format_that_is_chosen_may_have_any_name(tmp_path: pathlib.Path) -> None:
    """With `--format`, a file may be called anything."""
    assert terminal.run("messages", "-q", "-f", "json", "-o", tmp_path / "out.log", SAMPLE).returncode == 0
    assert (tmp_path / "out.log").read_bytes().count(b"\n") == 3


@pytest.mark.parametrize(
    ("command", "name"), [(("messages",), "out.json"), (("connections",), "out.csv"), (("report",), "out.html"), (("trace", "7003"), "out.txt")]
)
def test_a_full_disk(tmp_path: pathlib.Path, command: tuple[str, ...], name: str) -> None:
    """Where there is no room, the error names the file, nothing of it stays, and the file that was there is as it was."""
    (tmp_path / name).write_text("before", encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "python")}
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024)); from esatls.cli.commands import main; "
        f"sys.argv = ['esatls', *{[*command, '-q', '-o', str(tmp_path / name), str(SAMPLE)]!r}]; main()"
    )
    # without bytecode (-B): what is cut off there would be loaded by others
    done = subprocess.run([sys.executable, "-B", "-c", code], capture_output=True, env=environment, check=False)
    assert (done.returncode, done.stderr.decode()) == (1, f"esatls: {tmp_path / name}: cannot be written: File too large\n")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text(encoding="utf-8") == "before"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str) -> None:
    """The script for a shell names the program and the variable by which it asks."""
    done = terminal.run("completion", shell)
    assert done.returncode == 0
    assert b"_ESATLS_COMPLETE" in done.stdout


def test_completion_answers() -> None:
    """A shell that asks gets commands, options and choices."""

    def asked(words: str, number: int) -> list[str]:
        done = terminal.run(env={"_ESATLS_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(number)})
        return [line.partition(",")[2] for line in done.stdout.decode().splitlines()]

    assert asked("esatls me", 1) == ["messages"]
    assert asked("esatls report --csv", 2) == ["--csv-dir"]
    assert asked("esatls messages --received cl", 3) == ["cleartext"]


def commands(path: tuple[str, ...], command: click.Command) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command, those of groups too."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from commands((*path, name), inner)


def test_completion_of_paths() -> None:
    """Every file and folder that a command takes is completed by the shell, as it does for commands that it knows nothing of."""
    kinds = {"FILE": "file", "PATH": "file", "LIST": "file", "FOLDER": "dir", "file": "file", "files": "file"}
    found = set()
    for path, command in commands(("esatls",), cli):
        context = click.Context(command)
        for option in command.params:
            kind = kinds.get(str(option.metavar), kinds.get(str(option.name)))
            if kind is not None:
                found.add(kind)
                assert [(item.type, item.value) for item in option.shell_complete(context, "ma")] == [(kind, "ma")], (path, option.name)
    assert found == {"file", "dir"}


def test_every_command_has_a_manual_page() -> None:
    """There is a page per command, with every option of it."""
    expected = {"-".join(path): command for path, command in commands(("esatls",), cli)}
    pages = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "man").glob("*.1")}
    assert pages.keys() == expected.keys()
    for name, command in expected.items():
        for option in command.params:
            for words in option.opts if isinstance(option, click.Option) else ():
                assert words.replace("-", "\\-") in pages[name]


@pytest.mark.skipif(not shutil.which("groff"), reason="needs groff")
def test_manual_pages_divide_no_word() -> None:
    """On 80 columns, groff has nothing to complain about, and the names that an option takes stand undivided."""
    for page in sorted((ROOT / "docs" / "man").glob("*.1")):
        done = subprocess.run(["groff", "-man", "-Tascii", "-P-cbou", "-ww", "-rLL=78n", str(page)], capture_output=True, text=True, check=True)
        assert (page.name, done.stderr) == (page.name, "")
        for names in re.findall(r"\[(\w+(?:\|\w+)+)\]", page.read_text(encoding="utf-8").replace("|\\:", "|")):
            assert set(names.split("|")) <= set(re.findall(r"\w+", done.stdout))


@pytest.mark.parametrize("path", [path for path, _ in commands(("esatls",), cli)])
def test_help_is_whole(path: tuple[str, ...]) -> None:
    """No help line is cut short."""
    done = terminal.run(*path[1:], "--help", env={"COLUMNS": "80"})
    assert done.returncode == 0
    usage, _, rest = done.stdout.partition(b"\n\n")
    assert usage.startswith(b"Usage:")
    assert b"..." not in rest
