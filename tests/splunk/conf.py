"""Reads .conf files as Splunk does, and plays the search-time field extraction that props.conf and transforms.conf describe.

Last compared with: the .spec files and the documentation of search-time extraction only; never with a Splunk. Its expressions run in PCRE2, as there.
"""

from __future__ import annotations

import atexit
import functools
import json
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).resolve().parents[2]
DEFAULT = ROOT / "splunk_app" / "default"
CACHE = ROOT / ".cache" / "splunk"


class ConfError(Exception):
    """A .conf file is not as Splunk wants it."""


def read(path: Path) -> dict[str, dict[str, str]]:
    """Stanza -> key -> value. A stanza or key that stands twice, and a line that is nothing, is an error."""
    stanzas: dict[str, dict[str, str]] = {}
    stanza: dict[str, str] | None = None
    lines = iter(path.read_text(encoding="utf-8").split("\n"))
    for line in lines:
        if not line.strip() or line.startswith("#"):
            continue
        head = re.fullmatch(r"\[(.*)\]", line)
        if head:
            if head[1] in stanzas:
                raise ConfError(f"{path.name}: [{head[1]}] stands twice")
            stanza = stanzas[head[1]] = {}
            continue
        key, sign, value = line.partition("=")
        if not sign or stanza is None or not key.strip():
            raise ConfError(f"{path.name}: not a setting: {line}")
        while value.endswith("\\"):
            value = value[:-1] + "\n" + next(lines)
        if re.search(r"\\[ \t]+(?:\n|$)", value):
            raise ConfError(f"{path.name}: white space behind a backslash: {key}")
        if key.strip() in stanza:
            raise ConfError(f"{path.name}: {key.strip()} stands twice")
        stanza[key.strip()] = value.strip()
    return stanzas


# What rex, match() and replace() search for: the first text behind the field, or behind what stands in brackets.
_IN_SEARCH = re.compile(r"""\b(?:rex\s(?:field=\w+\s)?|(?:match|replace)\((?:[^(),"]|\((?:[^()]|\([^()]*\))*\))+,\s*)"((?:[^"\\]|\\.)*)\"""")


def expressions_of_searches() -> dict[str, str]:
    """Return every regular expression of the macros and saved searches, by where it stands."""
    found = {}
    for file in ("macros.conf", "savedsearches.conf"):
        for name, settings in read(DEFAULT / file).items():
            for regex in _IN_SEARCH.findall(" ".join(settings.values())):
                found[f"{file} [{name}] {regex}"] = regex
    return found


@functools.cache
def _pcre2() -> subprocess.Popen[str]:
    """Return a process that runs PCRE2; it ends when its input does."""
    command = [str(CACHE / "pcre2" / "bin" / "python"), str(Path(__file__).with_name("pcre2_match.py"))]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def end() -> None:
        with process:
            pass

    atexit.register(end)
    return process


def pcre2(searches: Iterable[tuple[str, list[str]]]) -> list[list[list[str | None] | None]]:
    """Return the groups that each regex finds in each of its subjects, under PCRE2."""
    found: list[list[list[str | None] | None]] = _ask({"searches": list(searches)})
    return found


def events_of_text(breaker: str, texts: list[str]) -> list[list[str]]:
    """Return the events that Splunk makes of texts with a LINE_BREAKER: what its first group matches stands between two."""
    (found,) = _ask({"breaks": [(breaker, texts)]})
    return [[event for event in events if event] for events in found]


def _ask(request: dict[str, Any]) -> Any:
    process = _pcre2()
    assert process.stdin
    assert process.stdout
    print(json.dumps(request), file=process.stdin, flush=True)
    return json.loads(process.stdout.readline())


class Extraction:
    """What Splunk does at search time to the events of one sourcetype."""

    def __init__(self, sourcetype: str) -> None:
        """Read the sourcetype's stanza."""
        self.props = read(DEFAULT / "props.conf")[sourcetype]
        self.transforms = read(DEFAULT / "transforms.conf")

    def fields(self, raws: list[str]) -> list[dict[str, str]]:
        """Return the fields of each event: by the transforms in their order, an earlier value before a later one; then the calculated fields."""
        events: list[dict[str, str]] = [{"_raw": raw} for raw in raws]
        for key, value in self.props.items():
            if not key.startswith("REPORT-"):
                continue
            for name in re.split(r"\s*,\s*", value):
                transform = self.transforms[name]
                source = transform.get("SOURCE_KEY", "_raw")
                has = [event for event in events if event.get(source)]
                (groups,) = pcre2([(transform["REGEX"], [event[source] for event in has])])
                for event, found in zip(has, groups):
                    for field, number in re.findall(r"(\w+)::\$(\d+)", transform["FORMAT"]) if found else ():
                        assert found is not None
                        text = found[int(number)]
                        if text:
                            event.setdefault(field, text)
        self._calculate(events)
        for event in events:
            del event["_raw"]
        return events

    def _calculate(self, events: list[dict[str, str]]) -> None:
        """Carry out the EVAL settings, in the forms that this app uses: case(), if(), null(), isnotnull(), coalesce(), == and lower()."""
        before = [dict(event) for event in events]
        for key, value in self.props.items():
            if key.startswith("EVAL-"):
                for n, event in enumerate(events):
                    result = _Expression(value, before[n]).value()
                    event.pop(key[5:], None)
                    if result is not None:
                        event[key[5:]] = result


class _Expression:
    """One eval expression, for one event."""

    TOKEN = re.compile(r'\s*("(?:[^"\\]|\\.)*"|\w+|==|[(),])')

    def __init__(self, text: str, event: dict[str, str]) -> None:
        self.words: list[str] = self.TOKEN.findall(text)
        assert "".join(self.words) == re.sub(r'("(?:[^"\\]|\\.)*")|\s+', lambda m: m[1] or "", text), text
        self.event = event

    def value(self) -> str | None:
        """Return the value, None for null."""
        left = self._term()
        if self.words and self.words[0] == "==":
            self.words.pop(0)
            right = self._term()
            return "true" if left is not None and left == right else None
        return left

    def _term(self) -> str | None:
        word = self.words.pop(0)
        if word.startswith('"'):
            return word[1:-1]
        if not self.words or self.words[0] != "(":
            return self.event.get(word)
        self.words.pop(0)
        arguments: list[str | None] = []
        while self.words[0] != ")":
            if self.words[0] == ",":
                self.words.pop(0)
            arguments.append(self.value())
        self.words.pop(0)
        if word == "null":
            return None
        if word == "lower":
            return arguments[0].lower() if arguments[0] is not None else None
        if word == "isnotnull":
            return "true" if arguments[0] is not None else None
        if word == "coalesce":
            return next((argument for argument in arguments if argument is not None), None)
        if word == "if":
            return arguments[1] if arguments[0] else arguments[2]
        assert word == "case", word
        return next((arguments[i + 1] for i in range(0, len(arguments), 2) if arguments[i]), None)
