"""Extraction without a command: every regex of the .conf files, run by PCRE2, against what the extractor says of the same lines."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import textwrap
from typing import TYPE_CHECKING

import pytest
from esatls.extraction.fields import FIELDS
from esatls.extraction.kinds import EVENT_KINDS

from tests.core.support import CASES, REAL, SCENARIOS, read_events
from tests.splunk.answers import CEF_NAMES, NATIVE, SYSLOG, TEXT, as_logged, doubtful, extracted
from tests.splunk.conf import DEFAULT, Extraction, events_of_text, expressions_of_searches, read
from tests.traffic import generate, render
from tests.traffic.envelopes import ENVELOPES

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("needs_pcre2")


def texts() -> list[str]:
    """Return the texts of all cases and look-alikes of the text log."""
    found = []
    for path in sorted(CASES.glob("*.json")):
        if not path.name.startswith(("cef_", "tracking_", "envelope")):
            record = json.loads(path.read_text(encoding="ascii"))
            found += [case["text"] for case in record["cases"]] + record["lookalikes"]
    # a second level behind the envelope is part of the envelope or of the text, as one likes
    return [text for text in found if not text.startswith("Info: ")]


def lines(paths: list[Path]) -> list[str]:
    """Return the lines of some logs; those that Splunk would join or unwrap first are left to the commands."""
    found = [line.rstrip() for path in paths for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    return [line for line in found if line and not line.startswith("{") and "CEF:" not in line]


def expected(raw: str) -> dict[str, str]:
    """Return what the extractor says of a line, as text; nothing but the envelope's fields does not count as an event."""
    events, _ = read_events([raw])
    if not events or events[0]["esa_event"] in {"time_offset", "consolidated_event"}:
        return {}
    return {name: as_logged(value) for name, value in events[0].items() if name != "time"}


@pytest.mark.parametrize("envelope", [NATIVE, SYSLOG, ""], ids=["native", "syslog", "bare"])
@pytest.mark.parametrize("sourcetype", ["cisco:esa:textmail", "cisco:esa:legacy", "esatls:mail"])
def test_every_case_and_lookalike(sourcetype: str, envelope: str) -> None:
    """Each case gives the whole event, derived fields included, and each look-alike gives no field at all."""
    raws = [envelope + text for text in texts()]
    assert len(raws) > 300
    found = Extraction(sourcetype).fields(raws)
    for raw, fields in zip(raws, found):
        assert extracted(fields) == expected(raw), raw


def agree(raws: list[str]) -> None:
    """Raise unless each line gives the extractor's event."""
    found = Extraction("cisco:esa:textmail").fields(raws)
    assert len(found) == len(raws) > 40
    for raw, fields in zip(raws, found):
        assert extracted(fields) == expected(raw), raw


def test_envelopes() -> None:
    """Appliance, subscription and level are those that the extractor reads, in every envelope that stands before one line."""
    cases = json.loads((CASES / "envelope.json").read_text(encoding="ascii"))["cases"]
    raws = [case["line"] for case in cases if not case["line"].startswith("{") and "CEF:" not in case["line"]]
    # the first line of a file that was cut at the left: nobody could tell here that its first word is no host
    raws = [raw for raw in raws if not raw.startswith("i Sep")]
    agree(raws)


def test_scenarios() -> None:
    """Each line of each scenario gives the extractor's event."""
    agree(lines(sorted(SCENARIOS.glob("*.log"))))


def test_real_logs() -> None:
    """Each line of real logs gives the extractor's event."""
    if not REAL.is_dir():
        pytest.skip("needs the folder shared/ beside the clone")
    agree(lines([path for path in sorted(REAL.glob("*.log")) if "cef" not in path.name]))


@pytest.mark.parametrize("sourcetype", ["cisco:esa:cef", "esatls:cef"])
def test_consolidated_events(sourcetype: str) -> None:
    """A record gives the extractor's ids and TLS fields; one that leaves room for doubt gives some of them or none, never others."""
    raws = []
    for path in sorted(CASES.glob("cef_*.json")):
        record = json.loads(path.read_text(encoding="ascii"))
        raws += [case["text"] for case in record["cases"] if "text" in case] + record.get("lookalikes", [])
    assert len(raws) > 40
    for raw, fields in zip(raws, Extraction(sourcetype).fields(raws)):
        events, _ = read_events([raw])
        want = {name: as_logged(value) for name, value in (events[0] if events else {}).items() if name in CEF_NAMES}
        got = {name: value for name, value in fields.items() if name in CEF_NAMES}
        if doubtful(raw):
            assert got.items() <= want.items(), raw
        else:
            assert got == want, raw


def regexes() -> dict[str, str]:
    """Every regular expression of the .conf files, by where it stands."""
    found = {f"transforms.conf [{name}]": transform["REGEX"] for name, transform in read(DEFAULT / "transforms.conf").items() if "REGEX" in transform}
    for name, props in read(DEFAULT / "props.conf").items():
        if "LINE_BREAKER" in props:
            found[f"props.conf [{name}] LINE_BREAKER"] = props["LINE_BREAKER"]
        assert not any("match(" in value for value in props.values()), "what a transform has found is not looked for again"
    return {**found, **expressions_of_searches()}


def hostile() -> list[str]:
    """Long lines, made to cost each part of the patterns as much as can be."""
    length = 8000
    heads = """ICID 5 TLS success |DCID 5 TLS success protocol x cipher y CN=|New SMTP ICID 5 interface |Connection Error: DCID 5 details:
ICID 5 ACCEPT SG x match |MID 5 ICID 6 From: <|Bounced: DCID 5 MID 6 to RID 0 - |MID 5 RID [0] Response '|Dropping connection due to
Delivery start DCID 1 MID 2 to RID [""".replace("\n", " |").split("|")
    heads += ["x CEF:0|Cisco|C100V|14.0.0-1|ESA_CONSOLIDATED_LOG_EVENT|x|5|msg='", "CEF:0|Cisco|x|14.0.0-1|ESA_CONSOLIDATED_LOG_EVENT|x|5|"]
    fills = ["a", " ", "a ", "0, ", "' ", '" ', "\\", "(", ": ", " address 192.0.2.1", " reason: x", "ESAMID="]
    fills += [" ESATLSInConnStatus=x", "<>", "= ", " suser=x y"]
    return [prefix + head + (fill * length)[:length] for prefix in (NATIVE, "") for head in heads for fill in fills]


def test_no_regex_meets_splunk_s_limits(tmp_path: Path) -> None:
    """With Splunk's limits on matching (100,000 steps, depth 1,000, or the stanza's own) PCRE2 runs every regex to its end on cases and hostile lines."""
    program = shutil.which("pcre2grep")
    if program is None:
        pytest.skip("pcre2grep is not installed: run tests/splunk/setup.sh")
    subjects = tmp_path / "subjects"
    cases = [envelope + text for envelope in (NATIVE, SYSLOG, "") for text in texts()]
    cef = [case["text"] for path in sorted(CASES.glob("cef_*.json")) for case in json.loads(path.read_text(encoding="ascii"))["cases"] if "text" in case]
    subjects.write_text("\n".join([*cases, *cef, *hostile()]) + "\n", encoding="utf-8")
    for where, regex in regexes().items():
        if len(regex) > 8192:  # the program takes none that is longer: tests/security measures it with another
            assert where == "transforms.conf [esatls_envelope]"
            continue
        pattern = tmp_path / "pattern"
        pattern.write_text(regex + "\n", encoding="utf-8")
        own = read(DEFAULT / "transforms.conf").get(where.partition("[")[2].rstrip("]"), {})
        limits = [f"--match-limit={own.get('MATCH_LIMIT', 100_000)}", f"--depth-limit={own.get('DEPTH_LIMIT', 1_000)}"]
        command = [program, "--no-jit", "--buffer-size=100K", *limits, "-c", "-f", str(pattern), str(subjects)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.stderr == "", f"{where}: {done.stderr[:300]}"
        assert done.returncode in {0, 1}, where


def test_a_hostile_record_costs_itself_only(tmp_path: Path) -> None:
    """A consolidated event of thousands of words before the keys meets the limits; then it has no TLS field, and the next event has its own."""
    program = shutil.which("pcre2grep")
    if program is None:
        pytest.skip("pcre2grep is not installed: run tests/splunk/setup.sh")
    head = "CEF:0|Cisco|C100V|14.0.0-1|ESA_CONSOLIDATED_LOG_EVENT|x|5|deviceExternalId=x ESAMID=1 "
    pattern = tmp_path / "pattern"
    pattern.write_text(regexes()["transforms.conf [esatls_cef]"] + "\n", encoding="utf-8")
    command = [program, "--no-jit", "--buffer-size=100K", "--match-limit=100000", "--depth-limit=1000", "-o4", "-f", str(pattern)]
    for words in (100, 400, 20_000):
        subject = head + "x=y " * words + "ESAICID=5"
        done = subprocess.run(command, input=subject, capture_output=True, text=True, check=False)
        assert done.stdout.strip() == ("5" if words <= 400 else ""), words


def test_limit_check_sees_a_catastrophic_regex(tmp_path: Path) -> None:
    """The check above would fail for a pattern that backtracks without end."""
    program = shutil.which("pcre2grep")
    if program is None:
        pytest.skip("pcre2grep is not installed: run tests/splunk/setup.sh")
    (tmp_path / "subjects").write_text("a" * 40 + "!\n", encoding="utf-8")
    command = [program, "--no-jit", "--match-limit=100000", "--depth-limit=1000", "-c", "^(a+)+$", str(tmp_path / "subjects")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "error" in done.stderr


def test_names_fit_the_field_table() -> None:
    """Every field that a transform sets is in the field table, or tells the kind of event."""
    names = {field.name for field in FIELDS} | {TEXT}
    for name, transform in read(DEFAULT / "transforms.conf").items():
        for field in re.findall(r"(\w+)::", transform.get("FORMAT", "")):
            assert field in names or re.fullmatch(rf"esatls_(?:{'|'.join(EVENT_KINDS)})\w*", field), f"{name}: {field}"


def breaker() -> str:
    """Return where events of esatls:mail end, which forwarders must know, too."""
    mail = read(DEFAULT / "props.conf")["esatls:mail"]
    assert mail["EVENT_BREAKER"] == mail["LINE_BREAKER"]
    assert mail["EVENT_BREAKER_ENABLE"] == "true"
    return mail["LINE_BREAKER"]


def wrapped(line: str) -> str:
    """Return a line as a terminal of 80 columns wraps it."""
    return "\n".join(textwrap.wrap(line, 80, break_long_words=False, break_on_hyphens=False))


def test_each_line_of_each_form_is_an_event() -> None:
    """Lines of every envelope of the traffic, and wrapped lines of many: as many events as lines, each whole."""
    lines = generate(5, 12, 2, "rare").lines
    logs = [list(render(lines, name)) for name in ENVELOPES]
    plain = generate(6, 20, 2, "realistic").lines
    logs += [
        [wrapped(line) for line in render(plain, name)] for name in ("native", "syslog", "rfc5424", "iso_utc", "level", "bare", "nested_native", "no_time")
    ]
    found = events_of_text(breaker(), ["\n".join(log) for log in logs])
    assert len(found) > 60
    assert [[event.rstrip("\n") for event in events] for events in found] == logs


def test_each_line_of_what_people_keep_is_an_event() -> None:
    """So it is with files that searches, tools and pages gave; a wrapped line is one event, and so is each record of a list over several lines."""
    logs = {path.name: path.read_text(encoding="utf-8") for path in sorted((REAL.parent / "inputs").glob("*.log"))}
    if not logs:
        pytest.skip("needs the folder shared/ beside the clone")
    found = dict(zip(logs, events_of_text(breaker(), [*logs.values()])))
    assert [event.split()[1] for event in found.pop("08_indented_paste.log")] == ["New", "ICID", "ICID", "Start"]
    assert [event.count('"message"') for event in found.pop("13_json_array.log")] == [0] + [1] * 10
    for name, events in found.items():
        assert [event.rstrip("\n") for event in events] == [line for line in logs[name].split("\n") if line], name


@pytest.mark.parametrize(
    "rest", ["ICID 5 TLS success", "Info: ICID 5 TLS success", "esa1 mail_logs: Info: ICID 5 TLS success", "MID 6 x\nMID 7 y", "New SMTP x\nICID 7 close"]
)
def test_the_rest_of_a_wrapped_line_is_no_event(rest: str) -> None:
    """Whatever a stranger's subject looks like where it is wrapped, it stays with the line that it belongs to."""
    first, second = f"{NATIVE}MID 5 Subject 'x\n{rest}'", f"{NATIVE}ICID 5 close"
    assert events_of_text(breaker(), [f"{first}\r\n{second}\n"]) == [[first, f"{second}\n"]]
