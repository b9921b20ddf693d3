"""The report on a log: its numbers, and its output as page, text and CSV."""
