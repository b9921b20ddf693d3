"""One corpus through every engine: each case and each scenario, and the count of differences."""
