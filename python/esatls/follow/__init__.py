"""`esatls follow`: reads a log while it grows, and emits the record of each message once it is finished or timed out.

`tail` finds the bytes through rotation and truncation, `pipe` those of standard input; `lines` cuts them into lines, `held` keeps open ids (`open_ids`) and
emits records, `log_clock` measures the time that passes in the log, `checkpoint` saves the state, `run` drives it all.

What is emitted, and when, depends only on the times and the order of the log's lines. The wall clock helps only if the log has gone quiet, and no further
than its next line would.
"""
