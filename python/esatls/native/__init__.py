"""The compiled core, if it is installed (`pip install 'esatls[fast]'`): it reads ordinary lines, many at a time.

It knows no pattern and no kind of event: this package hands over expressions, constants and plans, as `extraction.match` has them. Any line that is out
of the ordinary goes, with the line before it, to the Python stream, which is the reference: both give the same bytes.
"""

from esatls.native.kept import NativeFacts, drained, facts, is_judging
from esatls.native.records import connection_lines, connection_records, counted, message_lines, message_records
from esatls.native.streams import stream

__all__ = [
    "NativeFacts", "connection_lines", "connection_records", "counted", "drained", "facts", "is_judging", "message_lines", "message_records", "stream",
]  # fmt: skip
