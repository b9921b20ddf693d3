"""Runs regular expressions under PCRE2, in the virtual environment that has it: JSON in, JSON out.

Input: {"searches": [[regex, [subject, ...]], ...]}. Output: for each search a list with, per subject, null or the list of its groups. With
{"breaks": [[regex, [subject, ...]], ...]}: per subject the list of its parts, what the first group of each match stands between.
"""

import json
import sys

import pcre2


def parts(pattern, subject):  # type: ignore[no-untyped-def]
    """Yield the parts of a text, each search beginning where the last part ended."""
    at = 0
    while True:
        match = pattern.search(subject, at)
        if match is None:
            yield subject[at:]
            return
        yield subject[at : match.start(1)]
        at = match.end(1)


def main() -> None:
    """Answer one request."""
    answers = []
    request = json.load(sys.stdin)
    for regex, subjects in request.get("breaks", ()):
        pattern = pcre2.compile(regex)
        answers.append([list(parts(pattern, subject)) for subject in subjects])
    for regex, subjects in request.get("searches", ()):
        pattern = pcre2.compile(regex)
        found = []
        for subject in subjects:
            match = pattern.search(subject)
            found.append(None if match is None else [match[0], *match.groups()])
        answers.append(found)
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
