"""Runs regular expressions under PCRE2, in the virtual environment that has it: a line of JSON in, a line of JSON out, until the input ends.

Input: {"searches": [[regex, [subject, ...]], ...]}. Output: for each search a list with, per subject, null or the list of its groups. With
{"breaks": [[regex, [subject, ...]], ...]}: per subject the list of its parts, what the first group of each match stands between.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pcre2

if TYPE_CHECKING:
    from collections.abc import Iterator


def parts(pattern: Any, subject: str) -> Iterator[str]:
    """Yield the parts of a text, each search beginning where the last part ended."""
    at = 0
    while True:
        match = pattern.search(subject, at)
        if match is None:
            yield subject[at:]
            return
        yield subject[at : match.start(1)]
        at = match.end(1)


def answer(request: dict[str, Any]) -> Iterator[list[Any]]:
    """Yield the answers to one request."""
    for regex, subjects in request.get("breaks", ()):
        pattern = pcre2.compile(regex)
        yield [list(parts(pattern, subject)) for subject in subjects]
    for regex, subjects in request.get("searches", ()):
        pattern = pcre2.compile(regex)
        found = [pattern.search(subject) for subject in subjects]
        yield [None if match is None else [match[0], *match.groups()] for match in found]


def main() -> None:
    """Answer each request."""
    for request in sys.stdin:
        sys.stdout.write(json.dumps(list(answer(json.loads(request)))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
