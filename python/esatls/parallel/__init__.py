"""Several processes read one log, each a part of it; then their facts are merged.

If processes cannot be forked (Windows, macOS), or the input is small, one process does it all. If the compiled core keeps the facts, threads read them.

`parts` cuts the log (`cuts`) and reads a part; `processes` does the work elsewhere; `gathering` merges facts, or leaves them `on_disk`; `judging` judges them,
each process what it alone can judge (`partition`); `events` and `messages` write records in order.
"""

from __future__ import annotations

from esatls.parallel.events import iterate_events, write_events
from esatls.parallel.gathering import gather
from esatls.parallel.judging import Judging, judge, whole
from esatls.parallel.messages import write_messages
from esatls.parallel.parts import Options, Part, read
from esatls.parallel.processes import MOST_JOBS, Progress

__all__ = ["MOST_JOBS", "Judging", "Options", "Part", "Progress", "gather", "iterate_events", "judge", "read", "whole", "write_events", "write_messages"]
