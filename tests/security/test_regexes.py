"""Every regular expression, in every dialect, costs time linear in its text; what the checker cannot decide is put to the proof."""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import json
import pkgutil
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Callable, NamedTuple

import esatls
import pytest
from esatls.extraction.patterns import MATCHERS, PATTERNS
from esatls.lines.header import ENVELOPE
from esatls.output.text import CONTROLS, FORMULA
from esatls.verdicts.usual import USUAL

from tests.core.support import all_cases
from tests.fuzz import seeds
from tests.security.regexes import UndecidedError, Verdict, decide
from tests.security.stranger import ROOT
from tests.splunk.conf import DEFAULT, expressions_of_searches, read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MATCH_LIMIT, DEPTH_LIMIT = 100_000, 1_000
"""Splunk's own, of limits.conf and transforms.conf: a search that takes more steps is given up."""
TRUNCATED = 10_000
"""Characters of an event that Splunk keeps by default."""


class Expression(NamedTuple):
    """One regular expression: where it stands, and how it is used."""

    name: str
    text: str
    flags: int = 0
    mode: str = "fullmatch"
    line: bool = True
    """Its texts hold no line feed."""
    once: bool = False
    """It is looked for once in a text, not over and over."""


@functools.cache
def decision(expression: Expression) -> Verdict | None:
    """Return what the checker finds, once for each expression, since it takes seconds for a long one; None where it cannot decide."""
    try:
        return decide(expression.text, expression.flags, mode=expression.mode, line=expression.line)
    except UndecidedError:
        return None


def verdict(expression: Expression) -> str:
    """Return what the checker says."""
    found = decision(expression)
    return "undecided" if found is None else found.kind


# the checker itself


@pytest.mark.parametrize(
    ("kind", "texts"),
    [
        (
            "exponential",
            [r"(\w+\s?)*x", "(?:a+)+b", "(a*)*b", "(a|a)*b", "(a|ab|b)*c", "(?:a?a?)*b", "x(?:(?:a+)+b|.*)", "([a-z]+|[a-c])*!", "((ab)*|(aba)*b)*c"],
        ),
        ("polynomial", ["a.*b.*c", r"\d+\d+", "a*a*", "(.*) (.*)x", "a+x?a+", r"a.*?\s*", r"\s*x?\s*y", ".*,.*,.*!", r"\S+@\S+\.\S+ ", "a{1,99}a{1,99}b"]),
        (
            "linear",
            ["x.*", r"\S(?:.*\S)?\s*", "(?:a?)*b", '[^"]*"', "(.*) (.*)", ".*a.*", r"(\w+\s)*x", "a{1,3}a{1,3}b", "(?:ab|ac)*d", r"x(?:\S.*? b|.*)", r"a.*\s*"],
        ),
    ],
)
def test_checker(kind: str, texts: list[str]) -> None:
    """The checker tells exponential, polynomial and linear expressions apart, and knows where a search ends."""
    for text in texts:
        assert decide(text).kind == kind, text


def test_checker_gives_the_text_that_is_slow() -> None:
    """What the checker says is slow is slow: on its text repeated, steps grow faster than the text. Seen with PCRE2, which counts them."""
    if shutil.which("pcre2test") is None:
        pytest.skip("pcre2test is not installed: run tests/splunk/setup.sh")
    for text in ("(?:a+)+b", "a.*b.*c", "(.*) (.*)x"):
        found = decide(text)
        few, many = (steps(f"^{text}$", [found.prefix + found.pump * count])[0][0] for count in (8, 16))
        assert many > 2.5 * few, text


def test_checker_does_not_guess() -> None:
    """A reference to a group, and a look-around without a bound behind a loop, are not decided."""
    for text in (r"(a+)b\1", r"a*(?=.*b)c", r"(?:x(?!.*y))*z"):
        with pytest.raises(UndecidedError):
            decide(text)


# Python


def package() -> Iterator[Expression]:
    """Yield every compiled expression of the package, with the way it is used."""
    for module in pkgutil.walk_packages(esatls.__path__, "esatls."):
        if module.name.endswith("__main__"):
            continue
        loaded = importlib.import_module(module.name)
        uses: dict[str, set[str]] = {}
        for node in ast.walk(ast.parse(inspect.getsource(loaded))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                uses.setdefault(node.value.id, set()).add(node.attr)
        for name, value in vars(loaded).items():
            used = uses.get(name, set()) - {"pattern"}
            mode = "fullmatch" if used == {"fullmatch"} else "match" if used and used <= {"match", "fullmatch"} else "search"
            if isinstance(value, re.Pattern):
                once = used <= {"search", "match", "fullmatch"}
                yield Expression(f"{module.name}.{name}", value.pattern, value.flags & ~re.UNICODE, mode, line=False, once=once)
            elif isinstance(value, tuple):
                for number, item in enumerate(value):
                    if isinstance(getattr(item, "pattern", None), re.Pattern):
                        yield Expression(f"{module.name}.{name}[{number}]", item.pattern.pattern, item.pattern.flags & ~re.UNICODE, "fullmatch", line=False)


def headers(length: int) -> list[str]:
    """Return hostile texts for the header, which the checker cannot judge: behind its first look ahead, whatever is tried succeeds.

    That looks for a level within 1,000 characters: texts that are shorter get past it.
    """
    stamp = "<22>Jan 21 12:47:11 esa1.example.com mail_logs: "
    parts = [stamp, "Mon Jan 1 ", "I", "Info ", ": a b ", "a.a-", "{host=", "1:", " -", "CEF:", "2024-01-01T10:00:00", '"', "<1>", "\t", "'", "MID ", "[1] "]
    return [before + part * (length // len(part)) + end for before in ("", stamp, stamp * 2) for part in parts for end in ("", "Info: x", " Info: x\n")]


UNDECIDED = {
    # the checker does not see that a look-behind lets it start at one place of each word only
    "esatls.extraction.cef._TLS_FIELD": "ESATLSx",
    "esatls.lines.arcsight._ARCSIGHT_KEY": "a",
    # nor that a mark in front lets it start at one place of each number only
    "esatls.lines.envelope._LINE_NUMBER": ":1",
    "esatls.lines.envelope._PRIORITY": "1 <1>",
    "esatls.lines.envelope._MARKS": "a:1> ",
    # nor what a reference to a group is, where the group is one quotation mark or nothing
    "esatls.lines.records._QUOTED_VALUE": "'a",
    # nor that each look-ahead of a loop looks at the word that the loop reads next, and at no other
    "esatls.extraction.cef._QUOTED_VALUE": "'a' x",
    "esatls.extraction.cef._BRACED_VALUE": "{'a' x",
    "esatls.extraction.cef._WORDS_VALUE": "a x ",
    # a run of two backslashes or more is matched from its first one on
    "esatls.lines.arcsight._ESCAPED": "\\",
    # texts of 1,000 characters at most
    "esatls.extraction.tracking._NOT_OFFERED": "STARTTLS ",
    "esatls.extraction.tracking._DETAILS": "TLS protocol a cipher a",
    # a bound that the checker drops
    "esatls.extraction.tracking._RECOGNISED_TEXT": "1 Jul 2024 19:47 ",
}
"""Expressions of the package whose cost the checker overestimates: why, and a text of them that is repeated for proof."""
BOUNDED = {"esatls.lines.envelope._MARKS": 1_000, "esatls.extraction.tracking._NOT_OFFERED": 1_000, "esatls.extraction.tracking._DETAILS": 1_000}


@pytest.mark.parametrize("name", PATTERNS)
def test_pattern(name: str) -> None:
    """Each generated pattern is linear."""
    assert verdict(Expression(name, PATTERNS[name], re.ASCII)) == "linear"


def test_envelope_and_dispatch() -> None:
    """So are the envelope, the alternations that lines are tried with, and the usual texts."""
    prove(Expression("envelope", ENVELOPE, re.ASCII, "match", once=True), headers(100_000) + headers(950))
    for start, (text, _, _) in MATCHERS.items():
        assert verdict(Expression(start, text, re.ASCII)) == "linear", start
    for start, (text, _) in USUAL.items():
        assert verdict(Expression(start, text, 0, "match", once=True)) == "linear", start


@pytest.mark.parametrize("text", [CONTROLS, FORMULA])
def test_output(text: str) -> None:
    """So are those of the output that are compiled when they are needed."""
    assert verdict(Expression("output", text, 0)) == "linear"


def test_every_expression_of_the_package() -> None:
    """Every other expression of the package is linear, or known as one that the checker cannot decide."""
    found = {expression.name: verdict(expression) for expression in package() if expression.text != ENVELOPE}
    assert len(found) > 60
    assert {name for name, kind in found.items() if kind != "linear"} == set(UNDECIDED), {n: k for n, k in found.items() if k != "linear"}


def attacks(expression: Expression, samples: Iterable[str], length: int) -> list[str]:
    """Return hostile texts of a length: what the checker found, and each sample and part of it repeated, with ends that match nothing."""
    found = []
    slow = decision(expression)
    if slow is not None and slow.pump:
        found += [slow.prefix + slow.pump * (length // len(slow.pump)) + end for end in ("", "\x01", "\n")]
    for sample in samples:
        seams = [at for at in range(1, len(sample)) if len(sample) < 25 or " " in sample[at - 1 : at + 1]]
        parts = {sample, *(sample[:at] for at in seams), *(sample[at:] for at in seams), " ", "a", "=", "'", "\\", "\\\\x"}
        for part in sorted(parts):
            run = part * (length // len(part))
            found += [run, run + "\x01", sample + run, sample + run + "\x01"]
    return found


@pytest.mark.parametrize("name", sorted(UNDECIDED))
def test_undecided_is_put_to_the_proof(name: str) -> None:
    """Such an expression reads hostile texts of 150,000 characters, or of its bound, within a limit of time that a quadratic one breaks."""
    (expression,) = (expression for expression in package() if expression.name == name)
    prove(expression, attacks(expression, [UNDECIDED[name]], BOUNDED.get(name, 150_000)), seconds=15)


def prove(expression: Expression, texts: list[str], seconds: int = 60) -> None:
    """Search texts in a process that is killed if it takes far longer than a linear search does."""
    script = (
        f"import json, re, resource, sys\nresource.setrlimit(resource.RLIMIT_CPU, ({seconds}, {seconds}))\n"
        "text, flags, texts, mode, once = json.load(sys.stdin)\npattern = re.compile(text, flags)\n"
        "for text in texts:\n    getattr(pattern, mode)(text) if once else sum(1 for _ in pattern.finditer(text))\n"
    )
    told = json.dumps([expression.text, expression.flags, texts, expression.mode, expression.once])
    done = subprocess.run([sys.executable, "-c", script], input=told, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"exit code {done.returncode}, -24 is the limit of processor time: {done.stderr[-500:]}"


# PCRE2: Splunk's .conf files


BREAKER = "props.conf [esatls:mail] LINE_BREAKER"


def confs() -> list[Expression]:
    """Return every expression of the .conf files."""
    found = {}
    for name, transform in read(DEFAULT / "transforms.conf").items():
        if "REGEX" in transform:
            # branches that share the numbers of their groups match what others match
            found[transform["REGEX"].replace("(?|", "(?:")] = f"transforms.conf [{name}]"
    props = read(DEFAULT / "props.conf")
    found[props["esatls:mail"]["LINE_BREAKER"]] = BREAKER
    named = {f"props.conf [{stanza}] {key}": text for stanza, keys in props.items() for key, text in keys.items() if key.startswith("EXTRACT-")}
    for name, text in {**named, **expressions_of_searches()}.items():
        found.setdefault(re.sub(r"\(\?<(?![=!])", "(?P<", text), name)
    return [Expression(name, text, re.ASCII, "search") for text, name in found.items()]


CONFS = confs()
RECORDS = "props.conf [source::esatls records: *] EXTRACT-"
MEASURED = {"transforms.conf [esatls_cef]", "transforms.conf [esatls_envelope]", f"{RECORDS}esatls_dest", BREAKER}
"""Conditions, calls of groups and atomic ones, which Python does not know, the header, and where events begin: measured alone."""


def test_conf_expressions() -> None:
    """Each expression of the .conf files is linear in a line; the one that the checker cannot read is measured."""
    assert len(CONFS) >= 12
    for expression in CONFS:
        if expression.name not in MEASURED:
            assert verdict(expression) == "linear", expression.name


def steps(regex: str, subjects: list[str]) -> list[tuple[int, int]]:
    """Return the steps and the depth that PCRE2 needs for each subject: its smallest match limit and depth limit."""
    delimiter = next(mark for mark in "/!\"'%&-:;<=>@_`~,# " if mark not in regex)
    lines = [f"{delimiter}{regex}{delimiter}utf,never_backslash_c,no_start_optimize"]
    # letters, digits and blanks within stand for themselves
    lines += [re.sub(r"^ |[^A-Za-z0-9 ]", lambda found: f"\\x{{{ord(found[0]):x}}}", subject) + "\\=find_limits" for subject in subjects]
    done = subprocess.run(["pcre2test", "-q"], input="\n".join(lines) + "\n", capture_output=True, text=True, check=False)
    assert "Failed: error" not in done.stdout, done.stdout[-500:]
    found = list(zip(re.findall(r"Minimum match limit = (\d+)", done.stdout), re.findall(r"Minimum depth limit = (\d+)", done.stdout)))
    assert len(found) == len(subjects), done.stdout[-500:]
    return [(int(match), int(depth)) for match, depth in found]


def hostile(samples: list[str], length: int) -> list[str]:
    """Return events of a length that are made of samples: cut, repeated, with an end that matches nothing."""
    found = []
    for sample in samples:
        words = sample.split(" ")
        runs = [" ", "a ", "x", "'", "[0, ", " address 192.0.2.1", " SBRS 1 country x", " reason: x", " RID [0]", " msg='x", " a=b"]
        # a dozen of its ends at most: a record of hundreds of words repeats itself
        runs += [" " + " ".join(words[first:]) for first in range(0, len(words), max(3, len(words) // 12))]
        found += [(sample + run * (length // len(run) + 1))[: length - 1] + "\x01" for run in runs]
    return found


def recorded() -> Iterator[str]:
    """Yield rows of the summary index whose deliveries have a long response: of usual text, of escapes, and of names of fields."""
    head = '2024-03-05T10:00:01Z kind=m level=hour window=1709632800 run=1709640000123 received=encrypted mail=- {"mid":6,"deliveries":['
    for response in ("250 ok ", r"\"", r"\u003d", "outcome:done,peer_ip:"):
        for peer in ("", ',"peer_ip":"192.0.2.1"'):
            attempt = f'{{"dcid":8,"rids":[0],"outcome":"done","response":"{response * 150}","verdict":"encrypted"{peer}}}'
            yield f"{head}{attempt},{attempt}]}}"
            yield head + attempt.partition('"verdict"')[0]


@pytest.mark.skipif(shutil.which("pcre2test") is None, reason="pcre2test is not installed: run tests/splunk/setup.sh")
@pytest.mark.parametrize("expression", [e for e in CONFS if e.name.startswith(("transforms", RECORDS))], ids=lambda expression: expression.name)
def test_steps_of_splunk(expression: Expression, record_property: Callable[[str, object], None]) -> None:
    """No event as long as Splunk keeps one needs as many steps or as much depth as Splunk allows, and steps grow no faster than events."""
    if expression.name == "transforms.conf [esatls_cef]":
        samples = seeds.records()[::34]
    elif expression.name.startswith(RECORDS):
        samples = list(recorded())
    else:
        stamp = "" if "envelope" not in expression.name else "<22>Jan 21 12:47:11 esa1.example.com mail_logs: Jan 21 12:47:11 esa1 mail_logs: Info: "
        # one of thousands of characters repeats itself, and each of its words is tried
        longest = [max((text for case in record["cases"] for text in [str(case["text"])] if len(text) < 1000), key=len) for record in all_cases()]
        samples = [stamp + text for text in longest if stamp or re.match(expression.text, text)]
        samples = samples[::8] if stamp else samples
    assert samples
    whole, half = (steps(expression.text, hostile(samples, length)) for length in (TRUNCATED, TRUNCATED // 2))
    stanza = read(DEFAULT / "transforms.conf").get(expression.name.partition("[")[2].rstrip("]"), {})
    assert max(match for match, _ in whole) < int(stanza.get("MATCH_LIMIT", MATCH_LIMIT))
    assert max(depth for _, depth in whole) < int(stanza.get("DEPTH_LIMIT", DEPTH_LIMIT))
    assert all(more <= 2.5 * less + 1000 for (more, _), (less, _) in zip(whole, half))
    record_property("figures", f"at most {max(match for match, _ in whole):,} steps, depth {max(depth for _, depth in whole)}")


@pytest.mark.skipif(shutil.which("pcre2test") is None, reason="pcre2test is not installed: run tests/splunk/setup.sh")
def test_steps_to_break_lines() -> None:
    """Nor does any text take more steps than its length, or much depth, where Splunk looks for the end of an event."""
    (expression,) = (expression for expression in CONFS if expression.name == BREAKER)
    parts = ["\n", "\r\n", "a", "a-", "a\n", "1 ", ">\n", "\nMID 1", "\n{", "\nJan ", "\nx Info: ", "\n<22>Jan 21 12:47:1", "\n1:2-", "\nx: y\n", "\n[ "]
    for first in ("", "ICID 5 close", "Info: ICID 5 close", "Jan 21 12:47:11 Info: x"):
        half, whole = (steps(expression.text, [first + part * (length // len(part)) for part in parts]) for length in (2000, 4000))
        assert all(more <= 2.5 * less + 1000 for (more, _), (less, _) in zip(whole, half))
        assert max(depth for _, depth in whole) < DEPTH_LIMIT


# Oniguruma and Joni: the ingest pipeline and Logstash


def expanded(text: str, patterns: dict[str, str]) -> str:
    """Return a grok expression as a plain one that Python can read: names left out."""
    while "%{" in text:
        text = re.sub(r"%\{(\w+)(?::[^}]*)?\}", lambda found: f"(?:{patterns[found[1]]})", text)
    return re.sub(r"\(\?<(?![=!])[^>]+>", "(", text).replace("(?>", "(?:").replace("\\z", "\\Z")


def grok() -> list[Expression]:
    """Return every grok expression of the ingest pipelines and of Logstash."""
    found = []
    for path in sorted((ROOT / "logstash" / "elasticsearch").glob("ingest-pipeline-*.json")):
        for processor in json.loads(path.read_text(encoding="utf-8"))["processors"]:
            for text in processor.get("grok", {}).get("patterns", []):
                name = f"{path.name}: {processor['grok']['tag']}"
                found.append(Expression(name, expanded(text, processor["grok"]["pattern_definitions"]), re.ASCII, "search"))
    # headers are the command line's, and so are texts, but for their ends
    return [*found, *(Expression(f"logstash: {start}", rf"\A(?:{text})\s*\Z", re.ASCII, "search") for start, (text, _, _) in MATCHERS.items())]


@pytest.mark.parametrize("expression", grok(), ids=lambda expression: expression.name)
def test_grok_expressions(expression: Expression) -> None:
    """Each grok expression of Elasticsearch and of Logstash is linear.

    Two open runs of white space at the end of a text, the pattern's own and the pipeline's, are one too many for the checker, although the
    first try succeeds there: such an expression is linear without the pipeline's, and reads hostile texts within the limit with it.
    """
    if "CDITW" in expression.text:
        prove(expression._replace(once=True), headers(40_000) + headers(950))
    elif verdict(expression) != "linear":
        assert re.search(r"\\s\*\\Z(\)\?)?\Z", expression.text), "it ends in the pipeline's white space"
        assert verdict(expression._replace(text=re.sub(r"\\s\*\\Z", r"\\Z", expression.text))) == "linear"
        prove(expression, attacks(expression, ["ICID 5 ACCEPT SG x match y SBRS 1 country z "], 15_000), seconds=10)


def test_no_expression_hides_in_scripts() -> None:
    """Painless scripts hold no regular expression of their own, and Logstash's conditions only one that begins at the text's first letter."""
    for path in (ROOT / "python" / "generate" / "painless").iterdir():
        assert not re.search(r"=~|Pattern\.|\.replaceAll|\.matcher", path.read_text(encoding="utf-8")), path.name
    for path in (ROOT / "logstash" / "pipeline").rglob("*.conf"):
        for text in re.findall(r"(?:=~|!~) /((?:[^/\\]|\\.)*)/", path.read_text(encoding="utf-8")):
            assert verdict(Expression(path.name, text.replace("\\A(?i)", "\\A"), re.ASCII, "search")) == "linear", text
