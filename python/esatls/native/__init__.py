"""The compiled core, where it is installed (`pip install 'esatls[fast]'`): it takes ordinary lines, many at a time.

It knows no pattern and no kind: expressions, constants and plans are handed over here, as `extraction.match` has them. A line that is out of
the ordinary in any way, with the one before it, is for the Python stream, which stays the reference: both give the same bytes.
"""

from esatls.native.kept import NativeFacts, drained, facts, is_judging
from esatls.native.records import connection_lines, connection_records, counted, message_lines, message_records
from esatls.native.streams import stream

__all__ = [
    "NativeFacts", "connection_lines", "connection_records", "counted", "drained", "facts", "is_judging", "message_lines", "message_records", "stream",
]  # fmt: skip
