"""`esatls follow`: reads a log while it grows, and emits the record of each message once it is finished or timed out.

`tail` finds the bytes through rotation and truncation (`rotated_files`), `pipe` those of standard input; `lines` cuts them into lines. `held` keeps open ids
(`open_ids`, `stretches`) and emits records, each from the `needed_facts`; `log_clock` measures the time that passes in the log. `sink` writes the records,
`checkpoint` saves the state (`held_json`), and `run` drives it all.

What is emitted, and when, depends only on the times and the order of the log's lines. The wall clock helps only if the log has gone quiet, and no further
than its next line would.
"""
