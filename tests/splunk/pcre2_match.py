"""Runs regular expressions under PCRE2, in the virtual environment that has it: JSON in, JSON out.

Input: {"searches": [[regex, [subject, ...]], ...]}. Output: for each search a list with, per subject, null or the list of its groups.
"""

import json
import sys

import pcre2


def main() -> None:
    """Answer one request."""
    answers = []
    for regex, subjects in json.load(sys.stdin)["searches"]:
        pattern = pcre2.compile(regex)
        found = []
        for subject in subjects:
            match = pattern.search(subject)
            found.append(None if match is None else [match[0], *match.groups()])
        answers.append(found)
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
