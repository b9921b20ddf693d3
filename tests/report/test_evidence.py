"""What a report says of what it was made from."""

from __future__ import annotations

import gzip
import hashlib
import json
import pathlib
from typing import Any

import esatls
import pytest

from tests import terminal

SAMPLE = pathlib.Path(__file__).resolve().parents[2] / "python" / "esatls" / "sample.log"
MADE = {"SOURCE_DATE_EPOCH": "1772530000"}


def evidence(*args: object) -> dict[str, Any]:
    """Return the evidence of a report on some files."""
    told: dict[str, Any] = json.loads(terminal.run("report", "-q", "-f", "json", *args, env=MADE).stdout)["evidence"]
    return told


def test_evidence_of_a_file() -> None:
    """A file is told by name, size, hash, first and last time and what became of its lines; settings are told where they were given."""
    data = SAMPLE.read_bytes()
    assert evidence("--title", "March", "--organisation", "Example", "--own-domain", "example.com", "--since", "2026-03-03T08:14:02Z", SAMPLE) == {
        "title": "March",
        "organisation": "Example",
        "since": "2026-03-03T08:14:02Z",
        "own_domains": ["example.com"],
        "made": "2026-03-03T09:26:40Z",
        "version": esatls.__version__,
        "lines": {"lines": 52, "events": 50, "ignored": 2, "unreadable": 0},
        "files": [
            {
                "name": str(SAMPLE), "size": len(data), "sha256": hashlib.sha256(data).hexdigest(),
                "first": "2026-03-03T08:14:02Z", "last": "2026-03-03T08:14:41Z", "lines": 52, "events": 50, "ignored": 2, "unreadable": 0,
            }
        ],
        "problems": [],
        "incomplete": [],
    }  # fmt: skip


@pytest.mark.parametrize("jobs", [1, 2])
def test_files_are_told_apart(tmp_path: pathlib.Path, jobs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several files each has its own counts, times and hash, whoever reads them, or parts of them: compressed ones, and lines in records, too."""
    monkeypatch.setattr("esatls.parallel.parts.LEAST_PART", 1 << 10)
    lines = SAMPLE.read_bytes().splitlines(keepends=True)
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"".join(lines[:20])))
    (tmp_path / "b.json").write_text("".join(json.dumps({"message": line.decode().strip()}) + "\n" for line in lines[20:30]), encoding="utf-8")
    (tmp_path / "c.log").write_bytes(b"x\n" + b"".join(lines[30:]) + b"Tue Mar  3 09:20:00 2026 Info: \xff\n\xff\xfe\nx\n")
    told = evidence("--jobs", jobs, tmp_path)
    assert [(one["lines"], one["events"], one["ignored"], one["unreadable"], one["first"], one["last"]) for one in told["files"]] == [
        (20, 18, 2, 0, "2026-03-03T08:14:02Z", "2026-03-03T08:14:08Z"),
        (10, 10, 0, 0, "2026-03-03T08:14:08Z", "2026-03-03T08:14:09Z"),
        (26, 22, 2, 2, "2026-03-03T08:14:20Z", "2026-03-03T08:20:00Z"),
    ]
    assert [one["sha256"] for one in told["files"]] == [hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in ("a.gz", "b.json", "c.log")]
    assert told["incomplete"] == ["2 lines could not be read."]


def test_problems_stand_in_the_report(tmp_path: pathlib.Path) -> None:
    """A file that is missing is told of in the evidence, and at the top of page and text, in words."""
    told = evidence(SAMPLE, tmp_path / "missing.log")
    assert told["problems"] == [f"{tmp_path / 'missing.log'}: no such file or directory"]
    assert told["incomplete"] == ["There was 1 problem with the input."]
    for form, words in (("table", "Incomplete evidence. There was 1 problem"), ("html", "<b>Incomplete evidence. </b>There was 1 problem")):
        out = terminal.run("report", "-q", "-f", form, SAMPLE, tmp_path / "missing.log").stdout.decode()
        assert words in out
        assert "missing.log: no such file or directory" in " ".join(out.split())
    assert "Incomplete" not in terminal.run("report", "-q", "-f", "html", SAMPLE).stdout.decode().partition("<main>")[0].partition("</style>")[2]


def test_standard_input_has_no_hash() -> None:
    """What comes through a pipe has counts and times, and no size on disk."""
    out = terminal.run("report", "-q", "-f", "json", stdin=SAMPLE.read_bytes()).stdout
    (one,) = json.loads(out)["evidence"]["files"]
    assert one == {
        "name": "standard input", "first": "2026-03-03T08:14:02Z", "last": "2026-03-03T08:14:41Z", "lines": 52, "events": 50, "ignored": 2, "unreadable": 0,
    }  # fmt: skip


def test_title_and_files_are_text() -> None:
    """Markup in a title or an organisation is shown as it stands."""
    out = terminal.run("report", "-q", "-f", "html", "--title", "<b>x", "--organisation", "<script>", SAMPLE).stdout.decode()
    assert "<title>&lt;b&gt;x</title>" in out
    assert "<h1>&lt;b&gt;x</h1>" in out
    assert '<p class="whose">&lt;script&gt;</p>' in out
