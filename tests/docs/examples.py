"""The documents' examples: files, commands and what they print.

In a document, a fenced block is

* ```` ```log NAME ````, or any language with a name: a file that the commands after it find,
* ```` ```console ````: commands after `$ `, each followed by what it prints, standard error too,
* ```` ```sh ````: commands that must succeed.

`python tests/docs/examples.py` writes what the commands print into the documents; the tests compare.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Self

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "python" / "esatls" / "sample.log"
DOCUMENTS = ("README.md", "docs/VERDICTS.md", "docs/RECIPES.md")
"""Documents whose `sh` and `console` blocks are run."""

_BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """One fenced block: language, file name or "", text, and where the text stands in the document."""

    language: str
    name: str
    text: str
    start: int
    end: int


def blocks(document: str) -> list[Block]:
    """Return the fenced blocks of a document."""
    text = (ROOT / document).read_text(encoding="utf-8")
    return [Block(found[1], found[2] or "", found[3], found.start(3), found.end(3)) for found in _BLOCK.finditer(text)]


def files(document: str) -> dict[str, str]:
    """Return the files that a document shows, by name."""
    return {block.name: block.text for block in blocks(document) if block.name}


def commands(text: str) -> list[str]:
    """Return the commands of a `console` block."""
    return [line[2:] for line in text.splitlines() if line.startswith("$ ")]


class Place:
    """A folder as the documents suppose it: the files they show, logs, and `esatls` installed."""

    def __init__(self, document: str) -> None:
        """Make it."""
        self.folder = Path(tempfile.mkdtemp(prefix="esatls-docs-"))
        programs = self.folder / ".venv" / "bin"
        programs.mkdir(parents=True)
        for name, words in {"esatls": "-m esatls", "python": "", "python3": ""}.items():
            shim = programs / name
            shim.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT / "python"}" exec "{sys.executable}" {words} "$@"\n', encoding="utf-8")
            shim.chmod(shim.stat().st_mode | stat.S_IXUSR)
        for name in ("python", "splunk_app", "logstash", "grok_patterns"):
            (self.folder / name).symlink_to(ROOT / name)
        for name, text in files(document).items():
            (self.folder / name).write_text(text, encoding="utf-8")
        (self.folder / "partners.csv").write_text("domain,direction,owner\npartner.example,both,\n", encoding="utf-8")
        self._logs()
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ESATLS_")},
            "PATH": f"{programs}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8", "NO_COLOR": "1", "COLUMNS": "100",
        }  # fmt: skip

    def _logs(self) -> None:
        """Write the sample as a running log, and as a folder of rotated files, the older ones compressed."""
        shutil.copy(SAMPLE, self.folder / "mail.current")
        lines = SAMPLE.read_bytes().splitlines(keepends=True)
        folder = self.folder / "logs"
        folder.mkdir()
        for number, part in enumerate((lines[:20], lines[20:40])):
            (folder / f"mail.@2026030{number + 2}T000000.s.gz").write_bytes(gzip.compress(b"".join(part)))
        (folder / "mail.current").write_bytes(b"".join(lines[40:]))

    def run(self, command: str) -> tuple[int, str]:
        """Run a command; return its exit code and what it prints, without the blanks at the ends of lines."""
        done = subprocess.run(
            ["sh", "-c", command], cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=300,
        )  # fmt: skip
        return done.returncode, "".join(f"{line.rstrip()}\n" for line in done.stdout.decode().splitlines())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder)


def answered(document: str) -> Iterator[tuple[Block, str]]:
    """Yield each `console` block with the text that it should have."""
    with Place(document) as place:
        for block in blocks(document):
            if block.language == "console":
                yield block, "".join(f"$ {command}\n{place.run(command)[1]}" for command in commands(block.text))


def main() -> None:
    """Write what the commands print into the documents."""
    for document in DOCUMENTS:
        path = ROOT / document
        text = path.read_text(encoding="utf-8")
        for block, right in reversed(list(answered(document))):
            text = text[: block.start] + right + text[block.end :]
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
