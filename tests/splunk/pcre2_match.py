"""Runs regular expressions under PCRE2, in the virtual environment that has it: a line of JSON in, a line of JSON out, until the input ends.

Input: [[regex, [subject, ...]], ...]. Output: for each search a list with, per subject, null or the list of its groups.
"""

import json
import sys

import pcre2


def main() -> None:
    """Answer each request."""
    for request in sys.stdin:
        answers = []
        for regex, subjects in json.loads(request):
            pattern = pcre2.compile(regex)
            found = []
            for subject in subjects:
                match = pattern.search(subject)
                found.append(None if match is None else [match[0], *match.groups()])
            answers.append(found)
        sys.stdout.write(json.dumps(answers) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
