"""A part of `python tests/traffic agree`: truth and results are compared in every envelope, and differences are noticed."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from typing import TYPE_CHECKING

import pytest

from tests.splunk import app as splunk_app

from . import ENVELOPES, agree
from .modes import MODES, Recorder, mode_of, spoiled

if TYPE_CHECKING:
    from pathlib import Path

NAMES = list(ENVELOPES)


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    """Run the command, and return its exit code and output."""
    with redirect_stdout(io.StringIO()) as output:
        code = agree.main(["--work", str(folder), *arguments])
    return code, output.getvalue()


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all tests, so that the app is installed only once."""
    return tmp_path_factory.mktemp("agree")


@pytest.mark.parametrize("at", range(len(NAMES)), ids=NAMES)
def test_the_command_line_tells_the_truth(work: Path, at: int) -> None:
    """In each envelope, on one of the ten kinds of log, whole records of connections and messages agree with the truth."""
    code, output = run(work, "--messages", "150", "--seeds", str(1 + at % len(MODES)), "--envelopes", NAMES[at], "--engines", "cli")
    assert code == 0, output
    assert ": 0 differences" in output


@pytest.mark.parametrize(("seed", "envelope"), [(3, "nested_native"), (6, "syslog"), (8, "json_message")])
def test_every_situation_tells_the_truth(work: Path, seed: int, envelope: str) -> None:
    """Records also agree with the truth if everything unusual happens."""
    code, output = run(work, "--messages", "300", "--seeds", str(seed), "--envelopes", envelope, "--engines", "cli")
    assert code == 0, output


@pytest.mark.parametrize(("seed", "envelope"), [(3, "syslog"), (6, "native"), (8, "no_time"), (10, "iso_utc")])
def test_the_splunk_commands_tell_the_truth(work: Path, seed: int, envelope: str) -> None:
    """The records of the built app's commands agree with the truth too, with events newest first on three indexers."""
    if not any(map(splunk_app.find_python, splunk_app.VERSIONS)):
        pytest.skip(f"needs Python {' or '.join(splunk_app.VERSIONS)}")
    code, output = run(work, "--messages", "150", "--seeds", str(seed), "--envelopes", envelope, "--engines", "splunk")
    assert code == 0, output


def test_what_agreed_is_not_run_again_and_what_is_missing_shows(work: Path) -> None:
    """The results file remembers an interrupted run; comparisons that it lacks are dashes in the table, and make the command fail."""
    arguments = ("--messages", "20", "--seeds", "1", "--engines", "cli", "--results", str(work / "kept.txt"))
    assert run(work, *arguments, "--envelopes", "native")[0] == 0
    before = (work / "kept.txt").read_text(encoding="utf-8")
    assert run(work, *arguments, "--envelopes", "native")[0] == 0
    assert (work / "kept.txt").read_text(encoding="utf-8") == before
    code, output = run(work, *arguments, "--envelopes", "native,bare", "--table")
    assert code == 1
    assert [line.split() for line in output.splitlines()[:3]] == [["1"], ["native", "0"], ["bare", "-"]]


def test_any_difference_is_seen() -> None:
    """A different field, a missing record and an extra record each count as one difference."""
    truth = list(agree.Corpus(1, 150).truth("messages", clock=True))
    assert agree.compare(iter(truth), iter(truth)) == agree.Outcome(len(truth), 0, [])
    for changed in (
        [(life, {**record, "finished": False} if at == 5 else record) for at, (life, record) in enumerate(truth)],
        truth[:7] + truth[8:],
        [*truth, (0, {**truth[-1][1], "mid": truth[-1][1]["mid"] + 1})],
        [*truth, truth[-1]],
    ):
        assert agree.compare(iter(truth), iter(changed)).differences == 1


def test_a_seed_s_lines_keep_the_life_of_their_ids() -> None:
    """Even if shuffled and duplicated, lines of one life of the ids never mix with those of the next."""
    for seed, mode in enumerate(MODES, 1):
        lives = [life for life, _ in spoiled(Recorder(seed, 60), seed)]
        assert lives == sorted(lives)
        assert set(lives) == set(range(mode.resets + 1)), mode_of(seed).name


def test_a_row_is_its_record_again() -> None:
    """Numbers, flags, lists and attempts are restored from the text that Splunk keeps."""
    row = {
        "_time": "1709632800",
        "mid": "7",
        "finished": "true",
        "recipients": "bob@example.com",
        "delivery_dcid": "5",
        "mail": "delivery:unknown:example.com",
        "deliveries": '{"dcid":5,"rid":[0]}',
    }
    assert agree.record_of(row) == {"mid": 7, "finished": True, "recipients": ["bob@example.com"], "deliveries": [{"dcid": 5, "rid": [0]}]}
