"""The report on a log: figures, text, page."""
