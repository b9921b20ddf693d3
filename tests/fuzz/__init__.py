"""Hostile input without end: a coverage-guided fuzzer for a developer, a million mutated lines for every merge."""
