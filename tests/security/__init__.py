"""Text that strangers choose, files that strangers send: tried against every way in and out."""
