"""Input files, and what surrounds a message text: records, envelopes, timestamps."""
