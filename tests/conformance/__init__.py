"""One corpus for every engine: all cases and scenarios, and the number of differences."""
