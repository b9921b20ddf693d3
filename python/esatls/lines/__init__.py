"""What stands in a file: sources, envelopes of lines, clocks."""
