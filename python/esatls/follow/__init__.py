"""`esatls follow`: reads a log while it grows, and emits each message's record when it is finished or timed out.

`trail` finds the bytes (rotation, truncation), `lines` cuts them into lines, `held` keeps what is open (`open_ids`) and
emits records, `logclock` says how much time the log has seen pass, `checkpoint` writes it all down, `run` drives it.

What is emitted, and when, follows from the log alone: from the times and the order of its lines. Only a log that has
gone quiet is helped along by the wall clock, and no further than its next line would.
"""
