"""Hostile input: a coverage-guided fuzzer for developers, and tests with mutated lines."""
